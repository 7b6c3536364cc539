//! The little of TCP a flow table must know: half-open, established, closing, closed.
//!
//! It is a witness, not an endpoint: it follows what both ends must have agreed on (RFC 9293
//! section 3.3.2) and believes a segment that ends something only if its numbers fit.

use crate::hooks::Side;
use crate::layout::tcp_flags::{ACK, FIN, RST, SYN};
use crate::packet::Packet;

/// Where a flow stands. For protocols without connections it tells whether both sides have
/// spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum FlowState {
    /// No TCP; only one side has sent.
    #[default]
    OneWay,
    /// No TCP; both sides have sent.
    TwoWay,
    /// TCP: a SYN, no answer yet (half-open).
    SynSent,
    /// TCP: SYN and SYN-ACK, the handshake is not complete (half-open).
    SynReceived,
    /// TCP: the handshake is complete, or the flow was met in the middle.
    Established,
    /// TCP: one side has sent FIN.
    HalfClosed,
    /// TCP: both sides have sent FIN.
    Closing,
    /// TCP: both FINs are acknowledged.
    Closed,
    /// TCP: a believable reset ended it.
    Reset,
}

impl FlowState {
    /// Whether a TCP handshake has begun and not ended.
    #[must_use]
    pub const fn is_half_open(self) -> bool {
        matches!(self, Self::SynSent | Self::SynReceived)
    }

    /// Whether the connection is over: a new SYN begins a new one.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Reset)
    }

    /// The state's name as it stands in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one-way",
            Self::TwoWay => "two-way",
            Self::SynSent => "syn-sent",
            Self::SynReceived => "syn-received",
            Self::Established => "established",
            Self::HalfClosed => "half-closed",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Reset => "reset",
        }
    }
}

/// The numbers of a TCP segment that matter to connection tracking and stream reassembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "these are the fields of a segment; hosts build it"
)]
pub struct TcpSegment {
    /// Flag bits, see [`tcp_flags`](crate::layout::tcp_flags).
    pub flags: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number, meaningful with ACK.
    pub ack: u32,
    /// Window as it stands in the header, not scaled.
    pub window: u16,
    /// Length of the payload.
    pub len: u32,
}

impl TcpSegment {
    /// The segment a packet carries; `None` when it is no TCP or its header is not whole.
    #[must_use]
    pub fn of(packet: &Packet<'_>) -> Option<Self> {
        let flags = packet.layout().tcp_flags()?;
        let (seq, ack, window) = packet.tcp_numbers()?;
        let l = packet.layout();
        let len = l.end().saturating_sub(l.payload_offset()) as u32;
        Some(Self {
            flags,
            seq,
            ack,
            window,
            len,
        })
    }

    /// The same segment as stream reassembly sees it.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn of_stream(s: &crate::stream::Segment<'_>) -> Self {
        Self {
            flags: s.flags,
            seq: s.seq,
            ack: s.ack,
            window: s.window,
            len: s.length(),
        }
    }

    /// Whether all of these flags are set.
    #[must_use]
    pub const fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Whether it opens a connection: SYN without ACK or RST.
    #[must_use]
    pub const fn is_syn(&self) -> bool {
        self.flags & (SYN | ACK | RST) == SYN
    }

    /// Whether it answers a SYN.
    #[must_use]
    pub const fn is_syn_ack(&self) -> bool {
        self.flags & (SYN | ACK | RST) == SYN | ACK
    }

    /// The sequence number after it: SYN and FIN count as one each.
    #[must_use]
    pub const fn end(&self) -> u32 {
        let extra = (self.flags & SYN != 0) as u32 + (self.flags & FIN != 0) as u32;
        self.seq.wrapping_add(self.len).wrapping_add(extra)
    }
}

/// What connection tracking keeps for one TCP flow, small enough for the hot half of its entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Track {
    /// The highest sequence number each side has reached, 0 and unknown before its first segment.
    pub(super) next: [u32; 2],
    pub(super) state: FlowState,
    /// Bits: which side's number is known (1, 2), which has sent FIN (4, 8), whose FIN is
    /// acknowledged (16, 32).
    pub(super) bits: u8,
}

const KNOWN: u8 = 1;
const FINISHED: u8 = 4;
const FIN_ACKED: u8 = 16;

impl Track {
    fn has(&self, what: u8, side: Side) -> bool {
        self.bits & (what << side.index()) != 0
    }

    fn set(&mut self, what: u8, side: Side) {
        self.bits |= what << side.index();
    }

    fn next_of(&self, side: Side) -> u32 {
        let [a, b] = self.next;
        if side == Side::Initiator { a } else { b }
    }

    fn advance(&mut self, side: Side, end: u32) {
        let next = match side {
            Side::Initiator => &mut self.next[0],
            Side::Responder => &mut self.next[1],
        };
        let known = self.bits & (KNOWN << side.index()) != 0;
        // Serial-number comparison: forward by less than half the space.
        if !known || end.wrapping_sub(*next) < 1 << 31 {
            *next = end;
        }
        self.set(KNOWN, side);
    }

    /// Takes in one segment and answers whether it was believable.
    pub(super) fn segment(&mut self, from: Side, s: &TcpSegment) -> bool {
        let to = from.other();
        if s.flags & RST != 0 {
            if !self.reset_fits(from, s) {
                return false;
            }
            self.state = FlowState::Reset;
            return true;
        }
        if self.state.is_over() {
            return true;
        }
        if s.is_syn() {
            match self.state {
                FlowState::SynSent if from == Side::Initiator => self.advance(from, s.end()),
                // A first segment, or both ends opening at once (RFC 9293 figure 8).
                FlowState::OneWay => {
                    self.state = FlowState::SynSent;
                    self.advance(from, s.end());
                }
                FlowState::SynSent => {
                    self.state = FlowState::SynReceived;
                    self.advance(from, s.end());
                }
                // A SYN inside a connection changes nothing (RFC 5961 section 4).
                FlowState::TwoWay
                | FlowState::SynReceived
                | FlowState::Established
                | FlowState::HalfClosed
                | FlowState::Closing
                | FlowState::Closed
                | FlowState::Reset => return self.next_of(from) == s.end(),
            }
            return true;
        }
        if s.is_syn_ack() {
            match self.state {
                FlowState::SynSent | FlowState::SynReceived => {
                    // RFC 9293 section 3.10.7.3: it must acknowledge the SYN.
                    if from == Side::Initiator || s.ack != self.next_of(to) {
                        let simultaneous = self.state == FlowState::SynReceived;
                        if !simultaneous {
                            return s.ack == self.next_of(to);
                        }
                    }
                    self.state = FlowState::SynReceived;
                    self.advance(from, s.end());
                    return true;
                }
                FlowState::OneWay => {
                    self.state = FlowState::SynReceived;
                    self.advance(from, s.end());
                    return true;
                }
                FlowState::TwoWay
                | FlowState::Established
                | FlowState::HalfClosed
                | FlowState::Closing
                | FlowState::Closed
                | FlowState::Reset => return self.next_of(from) == s.end(),
            }
        }
        match self.state {
            FlowState::OneWay | FlowState::TwoWay => self.state = FlowState::Established,
            FlowState::SynReceived if s.has(ACK) => {
                if self.has(KNOWN, to) && s.ack.wrapping_sub(self.next_of(to)) >= 1 << 31 {
                    return false;
                }
                self.state = FlowState::Established;
            }
            FlowState::SynSent => {
                // Data or an ACK without a SYN-ACK: from the initiator it is early data (fast
                // open) or a capture with holes; from the responder it must acknowledge the SYN.
                if from == Side::Responder {
                    if !s.has(ACK) || s.ack.wrapping_sub(self.next_of(to)) >= 1 << 31 {
                        return false;
                    }
                    self.state = FlowState::Established;
                } else if s.has(ACK) {
                    self.state = FlowState::Established;
                }
            }
            FlowState::SynReceived
            | FlowState::Established
            | FlowState::HalfClosed
            | FlowState::Closing
            | FlowState::Closed
            | FlowState::Reset => {}
        }
        // A number far from the other side's does not move what is remembered: a guessed FIN
        // must not close anything. Two windows with the largest scale are the limit.
        let known = self.has(KNOWN, from);
        let distance = s.end().wrapping_sub(self.next_of(from)) as i32;
        if known && !(-(1 << 30)..1 << 30).contains(&distance) {
            return false;
        }
        self.advance(from, s.end());
        if s.has(FIN) {
            self.set(FINISHED, from);
        }
        if s.has(ACK) && self.has(FINISHED, to) && s.ack.wrapping_sub(self.next_of(to)) < 1 << 31 {
            self.set(FIN_ACKED, to);
        }
        self.state = match (
            self.has(FINISHED, Side::Initiator),
            self.has(FINISHED, Side::Responder),
            self.has(FIN_ACKED, Side::Initiator) && self.has(FIN_ACKED, Side::Responder),
        ) {
            (true, true, true) => FlowState::Closed,
            (true, true, false) => FlowState::Closing,
            (true, false, _) | (false, true, _) => FlowState::HalfClosed,
            (false, false, _) => self.state,
        };
        true
    }

    /// RFC 9293 section 3.10.7, RFC 5961 section 3: only a reset that names the exact next number
    /// is believed, or the exact acknowledgment where the SYN is refused.
    fn reset_fits(&self, from: Side, s: &TcpSegment) -> bool {
        let to = from.other();
        if self.state == FlowState::SynSent && from == Side::Responder {
            return !s.has(ACK) || s.ack == self.next_of(to);
        }
        if !self.has(KNOWN, from) {
            // Nothing seen from this side yet: the acknowledgment is all there is to check.
            return !s.has(ACK) || !self.has(KNOWN, to) || s.ack == self.next_of(to);
        }
        // The number before the next one is what a keep-alive probe's answer may carry.
        let next = self.next_of(from);
        s.seq == next || s.seq.wrapping_add(1) == next || s.end() == next
    }
}

#[cfg(test)]
mod tests {
    use super::Side::{Initiator as C, Responder as S};
    use super::*;

    fn seg(flags: u8, seq: u32, ack: u32, len: u32) -> TcpSegment {
        TcpSegment {
            flags,
            seq,
            ack,
            window: 1000,
            len,
        }
    }

    fn open() -> Track {
        let mut t = Track::default();
        assert!(t.segment(C, &seg(SYN, u32::MAX, 0, 0)));
        assert_eq!(t.state, FlowState::SynSent);
        assert!(t.segment(S, &seg(SYN | ACK, 500, 0, 0)));
        assert_eq!(t.state, FlowState::SynReceived);
        assert!(t.segment(C, &seg(ACK, 0, 501, 0)));
        assert_eq!(t.state, FlowState::Established);
        t
    }

    #[test]
    fn a_connection_opens_and_closes_across_the_wrap() {
        let mut t = open();
        t.segment(C, &seg(ACK, 0, 501, 10));
        t.segment(S, &seg(ACK | FIN, 501, 10, 0));
        assert_eq!(t.state, FlowState::HalfClosed);
        t.segment(C, &seg(ACK | FIN, 10, 502, 0));
        assert_eq!(t.state, FlowState::Closing);
        t.segment(S, &seg(ACK, 502, 11, 0));
        assert_eq!(t.state, FlowState::Closed);
    }

    #[test]
    fn a_wrong_syn_ack_opens_nothing() {
        let mut t = Track::default();
        t.segment(C, &seg(SYN, 100, 0, 0));
        assert!(!t.segment(S, &seg(SYN | ACK, 7, 999, 0)));
        assert_eq!(t.state, FlowState::SynSent);
    }

    /// RFC 5961 section 3: a reset that only falls into the window is not believed.
    #[test]
    fn a_guessed_reset_closes_nothing() {
        let mut t = open();
        assert!(!t.segment(S, &seg(RST, 700, 0, 0)));
        assert_eq!(t.state, FlowState::Established);
        assert!(t.segment(S, &seg(RST, 501, 0, 0)));
        assert_eq!(t.state, FlowState::Reset);
    }

    #[test]
    fn a_refused_connection_is_reset_by_its_acknowledgment() {
        let mut t = Track::default();
        t.segment(C, &seg(SYN, 100, 0, 0));
        assert!(!t.segment(S, &seg(RST | ACK, 0, 100, 0)));
        assert!(t.segment(S, &seg(RST | ACK, 0, 101, 0)));
        assert_eq!(t.state, FlowState::Reset);
    }

    #[test]
    fn a_far_fin_closes_nothing() {
        let mut t = open();
        assert!(!t.segment(S, &seg(FIN | ACK, 501_u32.wrapping_add(1 << 31), 0, 0)));
        assert_eq!(t.state, FlowState::Established);
    }

    #[test]
    fn a_flow_met_in_the_middle_counts_as_established() {
        let mut t = Track::default();
        assert!(t.segment(C, &seg(ACK, 9, 9, 5)));
        assert_eq!(t.state, FlowState::Established);
    }
}
