//! Which segments belong to a stream, and what acknowledgments and resets mean for it.

use super::buffer::{Handle, Queues};
use super::detail::StreamDetail;
use super::reassembler::{Io, Reassembler};
use super::segment::Segment;
use super::sink::StreamSink;
use super::state::{StreamState, distance, fact};
use crate::event::Class;
use crate::hooks::Side;
use crate::layout::tcp_flags::{ACK, FIN, SYN};
use crate::reason;

/// The most a window can be scaled (RFC 7323 section 2.3); assumed while the scale is unknown.
const MAX_SCALE: u8 = 14;

/// How many successive acknowledgments of unseen data make a jump of the stream believable.
const CLAIMS: u8 = 3;

impl Reassembler {
    /// Where the segment's data begins, or `None` when the segment does not belong to the stream.
    pub(super) fn start<S: StreamSink + ?Sized>(
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

    /// What became of data in a SYN is known: the receiver has taken it, or it will come again.
    pub(super) fn release_syn_data<S: StreamSink + ?Sized>(
        &mut self,
        state: &mut StreamState,
        from: Side,
        taken: bool,
        io: &mut Io<'_, '_, S>,
    ) {
        let half = state.half_mut(from);
        if !half.is(fact::SYN_DATA) {
            return;
        }
        half.facts &= !fact::SYN_DATA;
        if !taken {
            self.queues.close(half.waiting);
            half.waiting = Handle::NONE;
        }
        self.settle(state, from, io);
    }

    /// Whether a segment lies near enough to what is expected.
    pub(super) fn within(&self, state: &StreamState, from: Side, start: u32, length: u32) -> bool {
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
    pub(super) fn outside<S: StreamSink + ?Sized>(
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

    /// Skips a hole whose bytes the receiver has acknowledged, or that has been open too long.
    pub(super) fn check_hole<S: StreamSink + ?Sized>(
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
    pub(super) fn reset<S: StreamSink + ?Sized>(
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
        let mut expected = half.next;
        let (exact, inside) = if half.is(fact::STARTED) {
            // RFC 5961 §3.2: only the very next number resets. An observer that missed data
            // knows that number from the receiver's acknowledgments; what merely lies behind a
            // hole tells nothing, and no receiver expects a number beyond its window.
            let exact = seq == half.next && (!peer.is(fact::EDGE) || distance(peer.edge, seq) >= 0)
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
}

/// The highest sequence number seen of a side, exclusive.
pub(super) fn high(queues: &Queues, state: &StreamState, side: Side) -> u32 {
    let half = state.half(side);
    if half.is(fact::FIN) {
        return half.fin.wrapping_add(1);
    }
    queues.end(half.waiting).unwrap_or(half.next)
}

/// Takes note of a segment's acknowledgment and window.
#[inline]
pub(super) fn acknowledge(
    queues: &Queues,
    state: &mut StreamState,
    from: Side,
    segment: &Segment<'_>,
) {
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
