//! Segments in, streams out.

use super::buffer::{Full, Handle, Queues};
use super::config::{Config, OverlapPolicy};
use super::detail::StreamDetail;
use super::segment::Segment;
use super::sink::StreamSink;
use super::state::{StreamState, distance, fact};
use crate::action::Cx;
use crate::event::Class;
use crate::flow::{FlowId, FlowInfo};
use crate::hooks::{Interest, Side};
use crate::layout::tcp_flags::{ACK, FIN, RST, SYN};
use crate::reason::{self, Code};
use crate::time::Instant;

/// The most a window can be scaled (RFC 7323 section 2.3); assumed while the scale is unknown.
const MAX_SCALE: u8 = 14;

/// How many successive acknowledgments of unseen data make a jump of the stream believable.
const CLAIMS: u8 = 3;

/// Everything one call is about, except the state.
struct Io<'a, 'c, S: ?Sized> {
    cx: &'a mut Cx<'c>,
    flow: &'a FlowInfo,
    sink: &'a mut S,
}

impl<S: ?Sized> Io<'_, '_, S> {
    #[cold]
    fn tell(&mut self, code: Code, class: Class, detail: StreamDetail) {
        tell(self.cx, Some(self.flow), self.flow.id, code, class, detail);
    }
}

/// The key is that of the sender's packets.
fn tell(
    cx: &mut Cx<'_>,
    flow: Option<&FlowInfo>,
    id: FlowId,
    code: Code,
    class: Class,
    detail: StreamDetail,
) {
    if cx.events.wants(class) {
        let mut event = cx.event(code, class, &detail);
        event.flow = Some(id);
        event.key = flow.map(|f| match detail.from {
            Side::Initiator => f.key,
            Side::Responder => f.key.reversed(),
        });
        cx.events.emit(&event);
    }
}

/// Reassembles the streams of many connections with one bounded memory.
///
/// One for each worker; the flows' own state is a [`StreamState`] each. In-order segments cost no
/// allocation and no copy. A segment that must wait costs a search over at most
/// [`Config::side_blocks`] blocks.
#[derive(Debug)]
pub struct Reassembler {
    config: Config,
    queues: Queues,
}

impl Default for Reassembler {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Reassembler {
    /// A reassembler with these bounds. Takes no memory before something has to wait.
    #[must_use]
    pub fn new(mut config: Config) -> Self {
        config.max_distance = config.max_distance.min(1 << 30);
        config.window_slack = config.window_slack.min(1 << 30);
        Self {
            queues: Queues::new(&config),
            config,
        }
    }

    /// The bounds in force.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes that wait behind holes, of all flows.
    #[must_use]
    pub const fn waiting_bytes(&self) -> u64 {
        self.queues.bytes()
    }

    /// Blocks in use, of all flows; at most [`Config::blocks`].
    #[must_use]
    pub const fn blocks_in_use(&self) -> u32 {
        self.queues.blocks()
    }

    /// Sides of flows that have something waiting.
    #[must_use]
    pub const fn waiting_sides(&self) -> u32 {
        self.queues.live()
    }

    /// Takes one segment of a connection and hands the sink what it makes deliverable.
    ///
    /// Hand in segments whose checksums are right, in the order in which they were seen. The
    /// state must be fresh when a new connection takes addresses and ports over.
    #[inline]
    pub fn segment<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        from: Side,
        segment: &Segment<'_>,
        sink: &mut S,
    ) {
        // The usual case: established, no hole on either side, the segment is next.
        const PLAIN: u16 = fact::STARTED | fact::FIN | fact::IGNORED;
        let half = state.half(from);
        let peer = state.half(from.other());
        let plain = segment.flags & (SYN | FIN | RST | ACK) == ACK
            && half.facts & PLAIN == fact::STARTED
            && segment.seq == half.next
            && segment.cut == 0
            && !state.reset
            && half.waiting.is_none()
            && peer.waiting.is_none()
            && peer.facts & (fact::FIN | fact::FINISHED) != fact::FIN;
        let io = &mut Io { cx, flow, sink };
        if plain && self.within(state, from, segment.seq, segment.length()) {
            if !segment.payload.is_empty() {
                self.deliver(state, from, segment.payload, io);
            }
            acknowledge(&self.queues, state, from, segment);
            return;
        }
        self.unusual(state, from, segment, io);
    }

    #[inline(never)]
    fn unusual<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        segment: &Segment<'_>,
        io: &mut Io<'_, '_, S>,
    ) {
        if state.reset {
            return;
        }
        if segment.has(RST) {
            self.reset(state, from, segment, io);
            return;
        }
        // RFC 9293 §3.10.7.4: a segment without ACK is dropped, but for SYN and RST.
        if segment.flags & (SYN | ACK) == 0 {
            return;
        }
        let Some(start) = self.start(state, from, segment, io) else {
            return;
        };
        // SYN with FIN opens nothing anywhere; the FIN does not count.
        let fin = segment.has(FIN) && !segment.has(SYN);
        self.data(state, from, start, segment, fin, io);
        acknowledge(&self.queues, state, from, segment);
        self.check_hole(state, from, io);
        self.check_hole(state, from.other(), io);
    }

    /// Delivers what waits behind holes, tells the gaps, and gives the memory back: at close,
    /// time-out, eviction or the end of the input. The state is fresh afterwards.
    pub fn finish<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        sink: &mut S,
    ) {
        let io = &mut Io { cx, flow, sink };
        self.flush(state, io);
        *state = StreamState::default();
    }

    /// Delivers nothing more of one side and gives its memory back; only its FIN and resets are
    /// still followed. The same as [`Interest::EnoughFromSide`].
    pub fn ignore_side(&mut self, state: &mut StreamState, side: Side) {
        let high = high(&self.queues, state, side);
        let half = state.half_mut(side);
        if half.is(fact::IGNORED) {
            return;
        }
        self.queues.close(half.waiting);
        half.waiting = Handle::NONE;
        // A FIN already seen stays to be reached.
        half.next = if half.is(fact::FIN) && !half.is(fact::FINISHED) {
            half.fin
        } else {
            high
        };
        half.set(fact::IGNORED);
    }

    /// When [`poll_expired`](Self::poll_expired) wants to be called next, if ever.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.queues.next_deadline()
    }

    /// A flow with a hole that has been open too long. The caller hands its state to
    /// [`expire`](Self::expire); if it has no such flow any more it does nothing, and the memory
    /// comes back one time-out later. Call until `None`.
    pub fn poll_expired(&mut self, now: Instant) -> Option<FlowId> {
        let again = now.saturating_add(self.config.hole_timeout);
        self.queues.expire(now, again)
    }

    /// Skips the holes of one flow that have been open too long.
    pub fn expire<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        sink: &mut S,
    ) {
        let io = &mut Io { cx, flow, sink };
        for side in [Side::Initiator, Side::Responder] {
            let handle = state.half(side).waiting;
            if self.queues.is_due(handle, io.cx.now.mono)
                && let Some(first) = self.queues.first(handle)
            {
                self.advance_to(state, side, first, io);
                self.settle(state, side, io);
            }
        }
    }

    /// Where the segment's data begins, or `None` when the segment does not belong to the stream.
    fn start<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        segment: &Segment<'_>,
        io: &mut Io<'_, '_, S>,
    ) -> Option<u32> {
        let peer = *state.half(from.other());
        let half = state.half_mut(from);
        let length = segment.length();
        if segment.has(SYN) {
            let start = segment.seq.wrapping_add(1);
            let scale = segment.scale.map_or(0, |s| s.min(MAX_SCALE));
            // What a mere acknowledgment told of the beginning, the SYN corrects.
            if !half.is(fact::STARTED) || half.is(fact::GUESSED) && !half.is(fact::FIN) {
                if half.next != start {
                    self.queues.close(half.waiting);
                    half.waiting = Handle::NONE;
                    half.next = start;
                }
                half.scale = scale;
                half.facts &= !(fact::MIDSTREAM | fact::GUESSED);
                half.set(fact::STARTED | fact::SYN | fact::SCALE);
                return Some(start);
            }
            // RFC 5961 §4: a SYN within a connection does not change it. Repeated before
            // anything came behind it, it may bring its data along again.
            if start == half.next {
                half.scale = scale;
                half.facts &= !fact::MIDSTREAM;
                half.set(fact::SYN | fact::SCALE);
                return Some(start);
            }
            if !self.within(state, from, start, length) {
                self.outside(state, from, start, length, io);
            }
            return None;
        }
        let start = segment.seq;
        if !half.is(fact::STARTED) {
            // A keep-alive probe repeats the last number (RFC 9293 §3.8.4).
            let probe = peer.is(fact::ACKED)
                && peer.ack == start.wrapping_add(1)
                && length <= 1
                && !segment.has(FIN);
            half.next = if probe { peer.ack } else { start };
            half.set(fact::STARTED | fact::MIDSTREAM);
            return Some(start);
        }
        if self.within(state, from, start, length) {
            return Some(start);
        }
        // Both ends agree that the stream has moved on: the observer missed more than a window.
        let half = state.half(from);
        let ahead = distance(start, peer.claim);
        if peer.claims >= CLAIMS
            && ahead >= 0
            && ahead as u32 <= self.config.window_slack
            && distance(peer.claim, half.next) > 0
        {
            let end = high(&self.queues, state, from);
            self.advance_to(state, from, end, io);
            self.advance_to(state, from, start, io);
            self.settle(state, from, io);
            state.half_mut(from.other()).claims = 0;
            return Some(start);
        }
        self.outside(state, from, start, length, io);
        None
    }

    /// Whether a segment lies near enough to what is expected.
    fn within(&self, state: &StreamState, from: Side, start: u32, length: u32) -> bool {
        let half = state.half(from);
        let peer = state.half(from.other());
        // In 64 bits: the number opposite to the expected one is as far behind as ahead.
        let offset = i64::from(distance(start, half.next));
        let ahead = offset + i64::from(length);
        let behind = -offset;
        let mut limit = i64::from(self.config.max_distance);
        if peer.is(fact::EDGE) {
            let window = i64::from(distance(peer.edge, half.next)).max(0);
            limit = limit.min(window + i64::from(self.config.window_slack));
        }
        ahead <= limit && behind <= i64::from(self.config.max_distance)
    }

    #[cold]
    fn outside<S: StreamSink + ?Sized>(
        &self,
        state: &StreamState,
        from: Side,
        seq: u32,
        length: u32,
        io: &mut Io<'_, '_, S>,
    ) {
        let detail = StreamDetail {
            from,
            seq,
            expected: state.half(from).next,
            length,
        };
        io.tell(reason::STREAM_OUT_OF_WINDOW, Class::Detection, detail);
    }

    /// Payload and FIN of a segment that belongs to the stream.
    fn data<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        mut start: u32,
        segment: &Segment<'_>,
        fin: bool,
        io: &mut Io<'_, '_, S>,
    ) {
        // What was cut off is a hole: it may be a lie, and then the real data fills it.
        let mut payload = segment.payload;
        let mut end = start.wrapping_add(segment.length());
        let half = state.half(from);
        let next = half.next;
        // Keep-alive probe: the byte before the next one, or none, to make the peer answer.
        if distance(start, next) == -1 && segment.length() <= 1 && !fin {
            return;
        }
        if fin {
            self.fin(state, from, end, io);
        }
        let half = state.half(from);
        if half.is(fact::FIN) && segment.length() > 0 && distance(end, half.fin) > 0 {
            // RFC 9293 §3.10.4: nothing is sent behind a FIN.
            let beyond = end.wrapping_sub(half.fin);
            let detail = StreamDetail {
                from,
                seq: start,
                expected: half.fin,
                length: beyond.min(segment.length()),
            };
            end = half.fin;
            let keep = segment.length().saturating_sub(beyond);
            payload = payload.get(..keep as usize).unwrap_or(payload);
            io.tell(reason::STREAM_DATA_AFTER_FIN, Class::Detection, detail);
        }
        let half = state.half(from);
        if half.is(fact::FINISHED) {
            return;
        }
        let behind = distance(next, start);
        if half.is(fact::IGNORED) {
            payload = &[];
        } else if behind > 0 {
            let behind = behind as u32;
            let (old, new) = payload.split_at((behind as usize).min(payload.len()));
            if half.differs(behind, old) {
                self.differs(from, start, next, old.len() as u32, io);
            }
            payload = new;
            start = next;
        }
        if start == next {
            self.in_order(state, from, payload, io);
        } else if !payload.is_empty() {
            self.out_of_order(state, from, start, payload, io);
        }
        // Of a side that nothing is wanted from only the number is followed.
        let half = state.half_mut(from);
        if half.is(fact::IGNORED) && distance(end, half.next) > 0 {
            half.next = end;
        }
        self.settle(state, from, io);
    }

    /// A FIN whose number is `at`.
    fn fin<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        at: u32,
        io: &mut Io<'_, '_, S>,
    ) {
        let half = state.half_mut(from);
        let next = half.next;
        let contradicts = if half.is(fact::FIN) {
            distance(at, half.fin) > 0
        } else {
            distance(at, next) < 0
        };
        let mut length = 0;
        if !contradicts && !half.is(fact::FIN) {
            half.fin = at;
            half.set(fact::FIN);
            length = self.queues.cut(half.waiting, next, at);
        }
        if contradicts || length > 0 {
            let detail = StreamDetail {
                from,
                seq: at,
                expected: next,
                length,
            };
            io.tell(reason::STREAM_DATA_AFTER_FIN, Class::Detection, detail);
        }
    }

    #[cold]
    fn differs<S: StreamSink + ?Sized>(
        &self,
        from: Side,
        seq: u32,
        expected: u32,
        length: u32,
        io: &mut Io<'_, '_, S>,
    ) {
        let detail = StreamDetail {
            from,
            seq,
            expected,
            length,
        };
        io.tell(reason::STREAM_OVERLAP_DIFFERS, Class::Detection, detail);
    }

    /// Data that begins at the next expected byte.
    fn in_order<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        payload: &[u8],
        io: &mut Io<'_, '_, S>,
    ) {
        let begin = state.half(from).next;
        let mut rest = payload;
        let mut overlap = 0;
        let mut differs = false;
        while !rest.is_empty() && !state.half(from).is(fact::IGNORED) {
            let half = state.half(from);
            let room = match self.queues.first(half.waiting) {
                Some(first) => first.wrapping_sub(half.next) as usize,
                None => rest.len(),
            };
            if room > 0 {
                let (now, later) = rest.split_at(room.min(rest.len()));
                self.deliver(state, from, now, io);
                rest = later;
                continue;
            }
            let held = self.queues.front(half.waiting);
            let n = held.len().min(rest.len());
            let (new, later) = rest.split_at(n);
            let held = held.get(..n).unwrap_or_default();
            overlap += n as u32;
            differs |= held != new;
            if self.config.overlap == OverlapPolicy::FirstWins {
                self.deliver_front(state, from, n, io);
            } else {
                self.queues.drop_front(half.waiting, n as u32);
                self.deliver(state, from, new, io);
            }
            rest = later;
        }
        if differs {
            self.differs(from, begin, begin, overlap, io);
        }
    }

    /// Data behind a hole.
    fn out_of_order<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        mut start: u32,
        payload: &[u8],
        io: &mut Io<'_, '_, S>,
    ) {
        let mut rest = payload;
        let mut differs = None;
        loop {
            let deadline = io.cx.now.mono.saturating_add(self.config.hole_timeout);
            let half = state.half_mut(from);
            if self.queues.waiting(half.waiting).is_none() {
                half.waiting = self.queues.open(io.flow.id, from, deadline);
            }
            let (handle, next) = (half.waiting, half.next);
            let stored = self.queues.store(handle, next, start, rest, &self.config);
            if stored.differs {
                differs.get_or_insert((start, stored.overlap));
            }
            start = start.wrapping_add(stored.done as u32);
            rest = rest.get(stored.done..).unwrap_or_default();
            match stored.full {
                None => break,
                Some(Full::Pool) => {
                    if let Some(victim) = self.queues.evict(handle) {
                        let detail = StreamDetail {
                            from: victim.side,
                            seq: victim.first,
                            expected: victim.first,
                            length: victim.bytes,
                        };
                        let (code, class) = (reason::STREAM_MEMORY, Class::Capacity);
                        tell(io.cx, None, victim.flow, code, class, detail);
                        continue;
                    }
                }
                Some(Full::Side) => {}
            }
            // The side's own bound: its first hole is given up.
            let detail = StreamDetail {
                from,
                seq: start,
                expected: next,
                length: self.queues.waiting(handle).unwrap_or_default(),
            };
            io.tell(reason::STREAM_MEMORY, Class::Capacity, detail);
            let first = match self.queues.first(handle) {
                Some(first) if distance(first, start) < 0 => first,
                _ => start,
            };
            self.advance_to(state, from, first, io);
            self.settle(state, from, io);
            let half = state.half(from);
            if half.any(fact::IGNORED | fact::FINISHED) {
                return;
            }
            let behind = distance(half.next, start);
            if behind >= 0 {
                rest = rest.get(behind as usize..).unwrap_or_default();
                self.in_order(state, from, rest, io);
                break;
            }
        }
        if let Some((seq, length)) = differs {
            let expected = state.half(from).next;
            self.differs(from, seq, expected, length, io);
        }
    }

    /// Hands bytes of the packet to the sink.
    #[inline]
    fn deliver<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        data: &[u8],
        io: &mut Io<'_, '_, S>,
    ) {
        state.half_mut(from).advance(data);
        let interest = io.sink.bytes(io.cx, io.flow, from, data);
        self.interest(state, from, interest);
    }

    /// Hands the first `n` waiting bytes, at most the first block, to the sink.
    fn deliver_front<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        n: usize,
        io: &mut Io<'_, '_, S>,
    ) {
        let half = state.half_mut(from);
        let handle = half.waiting;
        let data = self.queues.front(handle);
        let data = data.get(..n).unwrap_or(data);
        let n = data.len() as u32;
        half.advance(data);
        let interest = io.sink.bytes(io.cx, io.flow, from, data);
        self.queues.drop_front(handle, n);
        self.interest(state, from, interest);
    }

    fn gap<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        missing: u32,
        io: &mut Io<'_, '_, S>,
    ) {
        let half = state.half_mut(from);
        let detail = StreamDetail {
            from,
            seq: half.next,
            expected: half.next,
            length: missing,
        };
        half.skip(missing);
        io.tell(reason::STREAM_GAP, Class::Capacity, detail);
        let interest = io.sink.gap(io.cx, io.flow, from, missing);
        self.interest(state, from, interest);
    }

    #[inline]
    fn interest(&mut self, state: &mut StreamState, from: Side, interest: Interest) {
        match interest {
            Interest::More => {}
            Interest::EnoughFromSide => self.ignore_side(state, from),
            Interest::Enough => {
                self.ignore_side(state, from);
                self.ignore_side(state, from.other());
            }
        }
    }

    /// Delivers what waits before `target` and tells what is missing before it.
    fn advance_to<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        target: u32,
        io: &mut Io<'_, '_, S>,
    ) {
        loop {
            let half = state.half(from);
            if half.any(fact::IGNORED | fact::FINISHED) {
                return;
            }
            let left = distance(target, half.next);
            if left <= 0 {
                return;
            }
            let missing = match self.queues.first(half.waiting) {
                Some(first) => first.wrapping_sub(half.next).min(left as u32),
                None => left as u32,
            };
            if missing == 0 {
                self.deliver_front(state, from, left as usize, io);
            } else {
                self.gap(state, from, missing, io);
            }
        }
    }

    /// Delivers what has become deliverable, closes the queue when it is empty, and notices the
    /// end of the side.
    fn settle<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        io: &mut Io<'_, '_, S>,
    ) {
        let mut moved = false;
        loop {
            let half = state.half_mut(from);
            match self.queues.first(half.waiting) {
                Some(first) if first == half.next => {
                    moved = true;
                    self.deliver_front(state, from, usize::MAX, io);
                }
                Some(_) => {
                    if moved {
                        let deadline = io.cx.now.mono.saturating_add(self.config.hole_timeout);
                        half.votes = 0;
                        self.queues.touch(half.waiting, deadline);
                    }
                    break;
                }
                None => {
                    self.queues.close(half.waiting);
                    half.waiting = Handle::NONE;
                    break;
                }
            }
        }
        let half = state.half_mut(from);
        if half.is(fact::FIN) && !half.is(fact::FINISHED) && half.next == half.fin {
            half.next = half.fin.wrapping_add(1);
            half.set(fact::FINISHED);
            io.sink.finished(io.cx, io.flow, from);
        }
    }

    /// Skips a hole whose bytes the receiver has acknowledged, or that has been open too long.
    fn check_hole<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        io: &mut Io<'_, '_, S>,
    ) {
        let half = state.half(from);
        if half.any(fact::IGNORED | fact::FINISHED) || !half.is(fact::STARTED) {
            return;
        }
        let (handle, next) = (half.waiting, half.next);
        let waiting = self.queues.waiting(handle).is_some();
        if !waiting && !half.is(fact::FIN) {
            return;
        }
        let now = io.cx.now.mono;
        let peer = state.half(from.other());
        if peer.is(fact::ACKED) && distance(peer.ack, next) > 0 {
            let mut target = peer.ack;
            let votes = half.votes.saturating_add(1);
            if votes == 1 {
                self.queues.set_acked(handle, now);
            }
            let since = self.queues.acked(handle).unwrap_or(now);
            state.half_mut(from).votes = votes;
            if votes > self.config.ack_segments
                || now.saturating_since(since) >= self.config.ack_delay && votes > 1
            {
                let half = state.half_mut(from);
                half.votes = 0;
                if half.is(fact::FIN) && distance(target, half.fin) > 0 {
                    target = half.fin;
                }
                self.advance_to(state, from, target, io);
                self.settle(state, from, io);
            }
        } else if self.queues.is_due(handle, now)
            && let Some(first) = self.queues.first(handle)
        {
            self.advance_to(state, from, first, io);
            self.settle(state, from, io);
        }
    }

    /// A segment with RST.
    fn reset<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        segment: &Segment<'_>,
        io: &mut Io<'_, '_, S>,
    ) {
        let half = state.half(from);
        let peer = state.half(from.other());
        let seq = segment.seq;
        let high_peer = high(&self.queues, state, from.other());
        let high = high(&self.queues, state, from);
        let mut expected = half.next;
        let (exact, inside) = if half.is(fact::STARTED) {
            // RFC 5961 §3.2: only the very next number resets. An observer that missed data
            // knows that number from the receiver's acknowledgments or from what lies behind the
            // hole.
            let exact = seq == half.next
                || seq == high
                || peer.is(fact::ACKED) && distance(seq, half.next) > 0 && seq == peer.ack;
            let inside = distance(seq, half.next) >= 0
                && (!peer.is(fact::EDGE) || distance(peer.edge, seq) > 0);
            (exact, inside)
        } else if peer.is(fact::ACKED) {
            expected = peer.ack;
            (seq == peer.ack, false)
        } else if peer.is(fact::STARTED) {
            // RFC 9293 §3.10.7.3: in SYN-SENT a reset must acknowledge the SYN.
            expected = segment.ack;
            let acked = segment.ack == peer.next || segment.ack == high_peer;
            (segment.has(ACK) && acked, false)
        } else {
            // Nothing is known of either side.
            (true, true)
        };
        if exact {
            self.flush(state, io);
            state.reset = true;
            io.sink.reset(io.cx, io.flow, from);
            return;
        }
        // A host whose socket is closed for good answers late data with the acknowledgment
        // number it finds there (RFC 9293 §3.10.7.1), which lies before its FIN was counted.
        let behind = distance(state.half(from).next, seq);
        if state.half(from).is(fact::FIN)
            && behind > 0
            && behind.unsigned_abs() <= self.config.max_distance
        {
            return;
        }
        let code = if inside {
            reason::STREAM_RST_CHALLENGED
        } else {
            reason::STREAM_RST_OUT_OF_WINDOW
        };
        let detail = StreamDetail {
            from,
            seq,
            expected,
            length: 0,
        };
        io.tell(code, Class::Detection, detail);
    }

    /// Gives both sides' holes up.
    fn flush<S: StreamSink + ?Sized>(&mut self, state: &mut StreamState, io: &mut Io<'_, '_, S>) {
        for side in [Side::Initiator, Side::Responder] {
            let half = state.half(side);
            let end = if half.is(fact::FIN) {
                half.fin
            } else {
                high(&self.queues, state, side)
            };
            self.advance_to(state, side, end, io);
            self.settle(state, side, io);
            let half = state.half_mut(side);
            self.queues.close(half.waiting);
            half.waiting = Handle::NONE;
        }
    }
}

/// The highest sequence number seen of a side, exclusive.
fn high(queues: &Queues, state: &StreamState, side: Side) -> u32 {
    let half = state.half(side);
    if half.is(fact::FIN) {
        return half.fin.wrapping_add(1);
    }
    queues.end(half.waiting).unwrap_or(half.next)
}

/// Takes note of a segment's acknowledgment and window.
#[inline]
fn acknowledge(queues: &Queues, state: &mut StreamState, from: Side, segment: &Segment<'_>) {
    if segment.flags & ACK == 0 {
        return;
    }
    let ack = segment.ack;
    let other = *state.half(from.other());
    let first = !other.is(fact::STARTED);
    if first {
        // The acknowledgment of an unseen SYN-ACK tells where the peer's stream begins.
        if state.half(from).is(fact::SYN) && segment.flags & SYN == 0 {
            let half = state.half_mut(from.other());
            half.next = ack;
            half.set(fact::STARTED | fact::MIDSTREAM | fact::GUESSED);
        }
    } else if distance(ack, other.next) > 0 && distance(ack, high(queues, state, from.other())) > 0
    {
        // RFC 9293 §3.10.7.4: an acknowledgment of something not yet sent does not count. Or
        // the observer missed it.
        let half = state.half_mut(from);
        half.claim = ack;
        half.claims = half.claims.saturating_add(1);
        return;
    }
    let half = state.half_mut(from);
    half.claims = 0;
    if first || !half.is(fact::ACKED) || distance(ack, half.ack) > 0 {
        half.ack = ack;
    }
    let scale = if segment.flags & SYN != 0 {
        0
    } else if half.is(fact::SCALE) {
        half.scale
    } else {
        MAX_SCALE
    };
    let edge = ack.wrapping_add(u32::from(segment.window) << scale);
    if first || !half.is(fact::EDGE) || distance(edge, half.edge) > 0 {
        half.edge = edge;
    }
    half.set(fact::ACKED | fact::EDGE);
}
