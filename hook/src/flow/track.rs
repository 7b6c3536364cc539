//! The little of TCP a flow table must know: half-open, established, closing, closed.
//!
//! It is a witness, not an endpoint: it follows what both ends must have agreed on (RFC 9293
//! section 3.3.2) and believes a segment that ends something only if its numbers fit.

use super::tcp::{FlowState, TcpSegment};
use crate::hooks::Side;
use crate::layout::tcp_flags::{ACK, FIN, RST, SYN};

/// What connection tracking keeps for one TCP flow, small enough for the hot half of its entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Track {
    /// The sequence number each side has reached without a hole, as far as its segments and the
    /// other side's acknowledgments tell: what the receiver expects next. While a side has not
    /// been heard it is the other side's acknowledgment.
    pub(super) next: [u32; 2],
    pub(super) state: FlowState,
    /// Bits for each side: heard, has sent FIN, its FIN is acknowledged, its FIN came before what
    /// lies in front of it. Once reset, the second one names who did it.
    pub(super) bits: u8,
}

const KNOWN: u8 = 1;
const FINISHED: u8 = 4;
const FIN_ACKED: u8 = 16;
const FIN_EARLY: u8 = 64;
/// Until the SYN is answered the same bit tells that it had data with it.
const SYN_DATA: u8 = FIN_EARLY;

/// How far an acknowledgment in a handshake may lie from the one expected where there was data
/// beside the SYN (RFC 7413).
const HANDSHAKE_SLACK: u32 = 0xffff;

/// `a - b` in sequence space.
const fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

impl Track {
    const fn has(&self, what: u8, side: Side) -> bool {
        self.bits & (what << side.index()) != 0
    }

    const fn set(&mut self, what: u8, side: Side) {
        self.bits |= what << side.index();
    }

    pub(super) const fn next_of(&self, side: Side) -> u32 {
        let [a, b] = self.next;
        match side {
            Side::Initiator => a,
            Side::Responder => b,
        }
    }

    const fn set_next(&mut self, side: Side, to: u32) {
        let [a, b] = &mut self.next;
        match side {
            Side::Initiator => *a = to,
            Side::Responder => *b = to,
        }
    }

    const fn start(&mut self, side: Side, at: u32) {
        self.set_next(side, at);
        self.set(KNOWN, side);
    }

    /// Whether both sides were heard. A connection of which only one side was may be made up.
    pub(super) const fn is_mutual(&self) -> bool {
        self.has(KNOWN, Side::Initiator) && self.has(KNOWN, Side::Responder)
    }

    /// Whether a segment shows that its sender knows nothing of the reset it is said to have
    /// sent: it sends data on as if nothing had happened.
    pub(super) const fn survives(&self, from: Side, s: &TcpSegment) -> bool {
        matches!(self.state, FlowState::Reset)
            && self.has(FINISHED, from)
            && s.flags & (SYN | RST | ACK) == ACK
            && s.len > 0
            && distance(s.seq, self.next_of(from)).unsigned_abs() < 1 << 20
    }

    /// Moves a side's number on to the end of a segment that leaves no hole. Alone it is followed
    /// over holes too: nobody acknowledges what was missed.
    const fn advance(&mut self, from: Side, s: &TcpSegment) {
        let next = self.next_of(from);
        let joined = distance(s.seq, next) <= 0 || !self.has(KNOWN, from.other());
        if !self.has(KNOWN, from) || joined && distance(s.end(), next) > 0 {
            self.start(from, s.end());
        }
    }

    /// Takes in one segment and answers whether it was believable.
    pub(super) fn segment(&mut self, from: Side, s: &TcpSegment) -> bool {
        if s.flags & RST != 0 {
            if !self.reset_fits(from, s) {
                return false;
            }
            self.state = FlowState::Reset;
            self.bits &= KNOWN | KNOWN << 1;
            self.set(FINISHED, from);
            return true;
        }
        if self.state.is_over() {
            return true;
        }
        if s.flags & SYN != 0 {
            return if s.has(ACK) {
                self.syn_ack(from, s)
            } else {
                self.syn(from, s)
            };
        }
        // A number far from what is known moves nothing: a guessed FIN must not close anything.
        // Two windows with the largest scale are the limit.
        let off = distance(s.end(), self.next_of(from));
        if self.has(KNOWN, from) && !(-(1 << 30)..1 << 30).contains(&off) {
            return false;
        }
        if !self.opens(from, s) {
            return false;
        }
        self.advance(from, s);
        if s.has(FIN) {
            let in_place = self.next_of(from) == s.end();
            self.set(if in_place { FINISHED } else { FIN_EARLY }, from);
        }
        if s.has(ACK) {
            self.acknowledge(from, s.ack);
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

    /// What one side's acknowledgment tells of the other side.
    fn acknowledge(&mut self, from: Side, ack: u32) {
        let to = from.other();
        if !self.has(KNOWN, to) {
            self.set_next(to, ack);
            return;
        }
        let beyond = distance(ack, self.next_of(to));
        if (1..1 << 30).contains(&beyond) {
            // The observer missed something, or saw a FIN before what it stands behind.
            self.set_next(to, ack);
            if self.has(FIN_EARLY, to) {
                self.set(FINISHED, to);
            }
        }
        if beyond >= 0 && self.has(FINISHED, to) {
            self.set(FIN_ACKED, to);
        }
    }

    fn syn(&mut self, from: Side, s: &TcpSegment) -> bool {
        let start = s.seq.wrapping_add(1);
        match self.state {
            FlowState::OneWay => self.state = FlowState::SynSent,
            // RFC 9293 figure 8: both ends open at once.
            FlowState::SynSent if !self.has(KNOWN, from) => self.state = FlowState::SynReceived,
            // RFC 5961 section 4: a SYN inside a connection changes nothing.
            FlowState::TwoWay
            | FlowState::SynSent
            | FlowState::SynReceived
            | FlowState::Established
            | FlowState::HalfClosed
            | FlowState::Closing
            | FlowState::Closed
            | FlowState::Reset => return self.has(KNOWN, from) && self.next_of(from) == start,
        }
        self.start(from, start);
        if s.len > 0 {
            self.set(SYN_DATA, from);
        }
        true
    }

    /// Whether an acknowledgment answers this side's SYN.
    const fn answers_syn(&self, of: Side, s: &TcpSegment) -> bool {
        let slack = if self.has(SYN_DATA, of) {
            HANDSHAKE_SLACK
        } else {
            0
        };
        s.has(ACK) && s.ack.wrapping_sub(self.next_of(of)) <= slack
    }

    fn syn_ack(&mut self, from: Side, s: &TcpSegment) -> bool {
        let to = from.other();
        let start = s.seq.wrapping_add(1);
        match self.state {
            FlowState::OneWay => self.set_next(to, s.ack),
            // RFC 9293 section 3.10.7.3: it must acknowledge the SYN.
            FlowState::SynSent | FlowState::SynReceived
                if self.has(KNOWN, to)
                    && self.answers_syn(to, s)
                    && (from == Side::Responder || self.state == FlowState::SynReceived) =>
            {
                self.set_next(to, s.ack);
                self.bits &= !(SYN_DATA << to.index());
            }
            FlowState::TwoWay
            | FlowState::SynSent
            | FlowState::SynReceived
            | FlowState::Established
            | FlowState::HalfClosed
            | FlowState::Closing
            | FlowState::Closed
            | FlowState::Reset => return self.has(KNOWN, from) && self.next_of(from) == start,
        }
        self.state = FlowState::SynReceived;
        self.start(from, start);
        true
    }

    /// A segment without SYN completes the handshake if one is on its way. `false` when it
    /// cannot.
    fn opens(&mut self, from: Side, s: &TcpSegment) -> bool {
        let to = from.other();
        let open = match self.state {
            FlowState::OneWay | FlowState::TwoWay => true,
            // RFC 9293 section 3.10.7.4: it must acknowledge the other side's SYN, and nothing
            // that was not sent, so that nobody who does not see the answers can complete a
            // handshake. A responder has no reason to send data before.
            FlowState::SynReceived if from == Side::Initiator => {
                s.has(ACK) && self.next_of(to).wrapping_sub(s.ack) <= HANDSHAKE_SLACK
            }
            FlowState::SynReceived => {
                s.has(ACK) && (s.len > 0 || s.has(FIN) || !self.has(KNOWN, to))
            }
            // No SYN-ACK was seen. From the initiator it is a capture with holes or early data;
            // from the responder it must acknowledge the SYN.
            FlowState::SynSent if from == Side::Initiator && !s.has(ACK) => return true,
            FlowState::SynSent if from == Side::Initiator => true,
            FlowState::SynSent => {
                let near = distance(s.ack, self.next_of(to)).unsigned_abs();
                s.has(ACK) && near <= HANDSHAKE_SLACK
            }
            FlowState::Established
            | FlowState::HalfClosed
            | FlowState::Closing
            | FlowState::Closed
            | FlowState::Reset => return true,
        };
        if open {
            self.state = FlowState::Established;
            self.bits &= !(SYN_DATA | SYN_DATA << 1);
        }
        open
    }

    /// RFC 9293 section 3.10.7, RFC 5961 section 3: only a reset that names the exact next number
    /// is believed, or the exact acknowledgment where the SYN is refused.
    fn reset_fits(&self, from: Side, s: &TcpSegment) -> bool {
        let to = from.other();
        let next = self.next_of(from);
        if self.has(KNOWN, from) {
            // A closed host may not have counted its own FIN.
            return s.seq == next || self.has(FINISHED, from) && s.seq.wrapping_add(1) == next;
        }
        let heard = self.has(KNOWN, to);
        if self.state == FlowState::SynSent {
            return self.answers_syn(to, s);
        }
        !heard || s.seq == next || s.has(ACK) && s.ack == self.next_of(to)
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

    /// RFC 5961 section 3: neither one number too low, nor behind data that lies behind a hole,
    /// nor behind data nobody accepted.
    #[test]
    fn a_reset_its_receiver_ignores_closes_nothing() {
        let mut t = open();
        assert!(!t.segment(C, &seg(RST, u32::MAX, 0, 0)));
        t.segment(C, &seg(ACK, 1 << 29, 501, 1));
        assert!(!t.segment(C, &seg(RST, (1 << 29) + 1, 0, 0)));
        t.segment(C, &seg(ACK, 1000, 501, 1));
        assert!(!t.segment(C, &seg(RST, 1001, 0, 0)));
        assert_eq!(t.state, FlowState::Established);
        // What the receiver acknowledges was only missed here.
        t.segment(S, &seg(ACK, 501, 1001, 0));
        assert!(t.segment(C, &seg(RST, 1001, 0, 0)));
        assert_eq!(t.state, FlowState::Reset);
    }

    /// RFC 9293 section 3.10.7.3: in SYN-SENT a reset without acknowledgment is dropped.
    #[test]
    fn a_reset_in_syn_sent_must_acknowledge() {
        let mut t = Track::default();
        t.segment(C, &seg(SYN, 100, 0, 0));
        assert!(!t.segment(S, &seg(RST, 0, 0, 0)));
        assert_eq!(t.state, FlowState::SynSent);
    }

    /// RFC 9293 section 3.10.7.4: in SYN-RECEIVED the acknowledgment must fit.
    #[test]
    fn a_handshake_is_completed_only_by_who_saw_the_answer() {
        for ack in [0, 499, 502, 501 + (1 << 30), 501_u32.wrapping_sub(1 << 30)] {
            let mut t = Track::default();
            t.segment(C, &seg(SYN, 100, 0, 0));
            t.segment(S, &seg(SYN | ACK, 500, 101, 0));
            let near = ack == 499 || ack == 0;
            assert_eq!(t.segment(C, &seg(ACK, 101, ack, 0)), near, "{ack}");
            assert_eq!(t.state == FlowState::Established, near);
        }
        let mut t = Track::default();
        t.segment(C, &seg(SYN, 100, 0, 0));
        t.segment(S, &seg(SYN | ACK, 500, 101, 0));
        // An answer to something unacceptable; then the responder is sure.
        assert!(!t.segment(S, &seg(ACK, 501, 101, 0)));
        assert_eq!(t.state, FlowState::SynReceived);
        assert!(t.segment(S, &seg(ACK, 501, 101, 20)));
        assert_eq!(t.state, FlowState::Established);
    }

    /// RFC 7413: data in a SYN may or may not be acknowledged.
    #[test]
    fn data_in_a_syn_opens_either_way() {
        for ack in [101, 141] {
            let mut t = Track::default();
            assert!(t.segment(C, &seg(SYN, 100, 0, 40)));
            assert!(t.segment(S, &seg(SYN | ACK, 500, ack, 0)));
            assert!(t.segment(C, &seg(ACK, ack, 501, 0)));
            assert_eq!(t.state, FlowState::Established);
        }
    }

    /// RFC 9293 figure 8.
    #[test]
    fn both_ends_may_open_at_once() {
        let mut t = Track::default();
        assert!(t.segment(C, &seg(SYN, 100, 0, 0)));
        assert!(t.segment(S, &seg(SYN, 300, 0, 0)));
        assert_eq!(t.state, FlowState::SynReceived);
        assert!(t.segment(C, &seg(SYN | ACK, 100, 301, 0)));
        assert!(t.segment(S, &seg(SYN | ACK, 300, 101, 0)));
        assert!(t.segment(C, &seg(ACK, 101, 301, 0)));
        assert_eq!(t.state, FlowState::Established);
    }

    #[test]
    fn a_fin_may_overtake_the_data_before_it() {
        let mut t = open();
        t.segment(C, &seg(ACK | FIN, 10, 501, 0));
        assert_eq!(t.state, FlowState::Established);
        t.segment(C, &seg(ACK, 0, 501, 10));
        t.segment(S, &seg(ACK | FIN, 501, 11, 0));
        assert_eq!(t.state, FlowState::Closing);
        t.segment(C, &seg(ACK, 11, 502, 0));
        assert_eq!(t.state, FlowState::Closed);
    }

    #[test]
    fn who_sends_on_was_not_reset() {
        let mut t = open();
        assert!(t.segment(C, &seg(RST, 0, 0, 0)));
        assert!(t.survives(C, &seg(ACK, 0, 501, 5)));
        assert!(!t.survives(S, &seg(ACK, 501, 0, 5)), "was on its way");
        assert!(!t.survives(C, &seg(ACK, 0, 501, 0)));
        assert!(!t.survives(C, &seg(RST | ACK, 0, 501, 5)));
    }

    /// Any sequence of segments: no panic, and a state that is over stays over.
    #[test]
    fn whatever_comes() {
        arbtest::arbtest(|u| {
            let mut t = Track::default();
            while !u.is_empty() {
                let near = |u: &mut arbtest::arbitrary::Unstructured<'_>| {
                    let base = *u.choose(&[0, 100, 500, u32::MAX, 1 << 31])?;
                    Ok::<u32, arbtest::arbitrary::Error>(base.wrapping_add(u.int_in_range(0..=3)?))
                };
                let s = seg(u.arbitrary()?, near(u)?, near(u)?, u.int_in_range(0..=3)?);
                let over = t.state.is_over();
                t.segment(if u.arbitrary()? { C } else { S }, &s);
                assert!(!over || t.state.is_over());
            }
            Ok(())
        })
        .budget_ms(500);
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
