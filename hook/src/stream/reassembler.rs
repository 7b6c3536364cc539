//! Segments in, streams out.

use super::admit::{acknowledge, high};
use super::buffer::{Handle, Queues};
use super::config::Config;
use super::detail::StreamDetail;
use super::segment::Segment;
use super::sink::StreamSink;
use super::state::{StreamState, distance, fact};
use crate::action::Cx;
use crate::event::Class;
use crate::flow::{FlowId, FlowInfo};
use crate::hooks::Side;
use crate::layout::tcp_flags::{ACK, FIN, RST, SYN};
use crate::reason::Code;
use crate::time::Instant;

/// Everything one call is about, except the state.
pub(super) struct Io<'a, 'c, S: ?Sized> {
    pub(super) cx: &'a mut Cx<'c>,
    pub(super) flow: &'a FlowInfo,
    pub(super) sink: &'a mut S,
}

impl<S: ?Sized> Io<'_, '_, S> {
    #[cold]
    pub(super) fn tell(&mut self, code: Code, class: Class, detail: StreamDetail) {
        tell(self.cx, Some(self.flow), self.flow.id, code, class, detail);
    }
}

/// The key is that of the sender's packets.
pub(super) fn tell(
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
    pub(super) config: Config,
    pub(super) queues: Queues,
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
        if !segment.has(SYN) {
            let behind = distance(start, state.half(from).next) > 0;
            self.release_syn_data(state, from, behind, io);
        }
        // SYN with FIN opens nothing anywhere; the FIN does not count.
        let fin = segment.has(FIN) && !segment.has(SYN);
        self.data(state, from, start, segment, fin, io);
        let to = from.other();
        if segment.has(ACK) && state.half(to).is(fact::SYN_DATA) {
            let ahead = distance(segment.ack, state.half(to).next);
            if ahead >= 0 && distance(segment.ack, high(&self.queues, state, to)) <= 0 {
                self.release_syn_data(state, to, ahead > 0, io);
            }
        }
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
    /// still followed. The same as
    /// [`Interest::EnoughFromSide`](crate::hooks::Interest::EnoughFromSide).
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

    /// Delivers again what comes of a side that was ignored, from the next byte that was not seen
    /// yet. What went by in between is not told as a gap. Of a side that was not ignored, or has
    /// sent its FIN, nothing changes.
    pub fn heed_side(&mut self, state: &mut StreamState, side: Side) {
        let half = state.half_mut(side);
        if half.is(fact::IGNORED) && !half.is(fact::FIN) {
            half.facts &= !fact::IGNORED;
            half.forget();
        }
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
                state.half_mut(side).facts &= !fact::SYN_DATA;
                self.advance_to(state, side, first, io);
                self.settle(state, side, io);
            }
        }
    }

    /// Gives both sides' holes up.
    pub(super) fn flush<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        io: &mut Io<'_, '_, S>,
    ) {
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
