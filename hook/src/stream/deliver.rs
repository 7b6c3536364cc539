//! From accepted payload to the sink: order, overlap, holes, ends.

use super::buffer::{Full, Handle};
use super::config::OverlapPolicy;
use super::detail::StreamDetail;
use super::reassembler::{Io, Reassembler, tell};
use super::segment::Segment;
use super::sink::StreamSink;
use super::state::{StreamState, distance, fact};
use crate::event::Class;
use crate::hooks::{Interest, Side};
use crate::layout::tcp_flags::{ACK, SYN};
use crate::reason;

impl Reassembler {
    /// Payload and FIN of a segment that belongs to the stream.
    pub(super) fn data<S: StreamSink + ?Sized>(
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
        if segment.flags & (SYN | ACK) == SYN && !payload.is_empty() {
            // RFC 7413 §3: the receiver may take it or not; its answer tells.
            state.half_mut(from).set(fact::SYN_DATA);
            self.out_of_order(state, from, start, payload, io);
        } else if start == next {
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

    /// A FIN whose number is `at`. The first one that does not contradict what was delivered
    /// counts.
    pub(super) fn fin<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        at: u32,
        io: &mut Io<'_, '_, S>,
    ) {
        let half = state.half_mut(from);
        let next = half.next;
        let mut length = 0;
        if !half.is(fact::FIN) {
            let delivered = distance(next, at);
            if delivered > 0 {
                length = delivered.unsigned_abs();
            } else {
                half.fin = at;
                half.set(fact::FIN);
                length = self.queues.cut(half.waiting, next, at);
            }
        }
        if length > 0 {
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
    pub(super) fn differs<S: StreamSink + ?Sized>(
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
    pub(super) fn in_order<S: StreamSink + ?Sized>(
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
    pub(super) fn out_of_order<S: StreamSink + ?Sized>(
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
            if state.half(from).is(fact::SYN_DATA) {
                // Nothing may be delivered before the SYN is answered, so there is no hole to
                // give up: what waits is dropped, and comes again or is told as a gap.
                self.release_syn_data(state, from, false, io);
                break;
            }
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
    pub(super) fn deliver<S: StreamSink + ?Sized>(
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
    pub(super) fn deliver_front<S: StreamSink + ?Sized>(
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

    pub(super) fn gap<S: StreamSink + ?Sized>(
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
    pub(super) fn interest(&mut self, state: &mut StreamState, from: Side, interest: Interest) {
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
    pub(super) fn advance_to<S: StreamSink + ?Sized>(
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
    pub(super) fn settle<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        io: &mut Io<'_, '_, S>,
    ) {
        if state.half(from).is(fact::SYN_DATA) {
            return;
        }
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
}
