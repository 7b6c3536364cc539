//! How suspicious an event is: the tables, and nothing else.
//!
//! Those of TCP, UDP and ICMP are z/OS's, first match first. Its table of ICMPv6 is not public; the one
//! here follows that of ICMP. What counts is then a matter of [`Sensitivity`].

use crate::host::PortState;
use crate::policy::Sensitivity;

/// How suspicious an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are three")]
pub enum Suspicion {
    /// What ordinary clients do.
    Normal,
    /// What happens to ordinary clients at times.
    Possibly,
    /// What only somebody does who looks for something.
    Very,
}

impl Suspicion {
    /// Whether an event counts towards a scan.
    #[must_use]
    pub fn counts(self, sensitivity: Sensitivity) -> bool {
        match sensitivity {
            Sensitivity::None => false,
            Sensitivity::Low => self == Self::Very,
            Sensitivity::Medium => self >= Self::Possibly,
            Sensitivity::High => true,
        }
    }

    /// The letter in the list of details.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Normal => 'N',
            Self::Possibly => 'P',
            Self::Very => 'V',
        }
    }
}

/// The state of what a TCP segment meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the rows of the table")]
pub enum TcpState {
    /// Nobody has bound the port.
    Unbound,
    /// The port is kept for somebody.
    Reserved,
    /// Somebody listens.
    Listening,
    /// A handshake has begun.
    HalfOpen,
    /// There is a connection.
    Connected,
}

/// What happens to TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the rows of the table")]
pub enum TcpEvent {
    /// Flags that no TCP sends there: impossible ones, or a segment without SYN where there is no
    /// connection.
    UnexpectedFlags,
    /// A SYN alone.
    Syn,
    /// A SYN alone that the filter refuses.
    SynFiltered,
    /// A SYN alone that a policy of the quality of service refuses.
    SynLimited,
    /// The acknowledgment that completes the handshake.
    HandshakeDone,
    /// A reset from the other end.
    Reset,
    /// Nothing comes any more, and sending again was given up.
    TimedOut,
    /// A sequence number outside of the window.
    OutOfWindow,
}

/// The table of TCP; `None` is no event.
#[must_use]
pub const fn tcp(state: TcpState, event: TcpEvent) -> Option<Suspicion> {
    use Suspicion::{Normal, Possibly, Very};
    match (state, event) {
        (_, TcpEvent::UnexpectedFlags) | (TcpState::Reserved, TcpEvent::Syn) => Some(Very),
        (_, TcpEvent::SynFiltered) | (TcpState::Unbound, TcpEvent::Syn) => Some(Possibly),
        (TcpState::Listening, TcpEvent::SynLimited) => Some(Normal),
        (TcpState::HalfOpen, TcpEvent::HandshakeDone | TcpEvent::Syn) => Some(Normal),
        (TcpState::HalfOpen, TcpEvent::Reset) => Some(Possibly),
        (TcpState::HalfOpen, TcpEvent::TimedOut) => Some(Very),
        (TcpState::Connected, TcpEvent::OutOfWindow | TcpEvent::Syn) => Some(Normal),
        (TcpState::Connected, TcpEvent::TimedOut) => Some(Possibly),
        _ => None,
    }
}

/// The table of UDP. Of a port whose state is not known nothing can be said.
#[must_use]
pub const fn udp(state: PortState, filtered: bool) -> Option<Suspicion> {
    match (state, filtered) {
        (_, true) | (PortState::Unbound, _) => Some(Suspicion::Possibly),
        (PortState::Reserved, _) => Some(Suspicion::Very),
        (PortState::Bound, _) => Some(Suspicion::Normal),
        (PortState::Unknown, _) => None,
    }
}

/// The table of ICMP: `group` is a multicast or broadcast destination, `route` an option that records
/// the route or the times. Only requests are events.
#[must_use]
pub const fn icmp(kind: u8, group: bool, route: bool, limited: bool) -> Option<Suspicion> {
    match (kind, group, limited) {
        (8 | 13 | 15 | 17, true, _) => Some(Suspicion::Very),
        (8 | 13 | 15 | 17, false, true) => Some(Suspicion::Normal),
        (15 | 17, ..) => Some(Suspicion::Possibly),
        (8, ..) if route => Some(Suspicion::Possibly),
        (8 | 13, ..) => Some(Suspicion::Normal),
        _ => None,
    }
}

/// The table of ICMPv6: `routed` is a routing header. Neighbour discovery and multicast listeners
/// are no events.
#[must_use]
pub const fn icmpv6(kind: u8, group: bool, routed: bool, limited: bool) -> Option<Suspicion> {
    match kind {
        128 | 139 if limited && !group => Some(Suspicion::Normal),
        128 if group => Some(Suspicion::Very),
        128 if routed => Some(Suspicion::Possibly),
        128 => Some(Suspicion::Normal),
        139 => Some(Suspicion::Possibly),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Suspicion::{Normal, Possibly, Very};
    use TcpEvent as E;
    use TcpState as S;

    #[test]
    fn the_table_of_tcp_row_by_row() {
        for state in [
            S::Unbound,
            S::Reserved,
            S::Listening,
            S::HalfOpen,
            S::Connected,
        ] {
            assert_eq!(tcp(state, E::UnexpectedFlags), Some(Very));
            assert_eq!(tcp(state, E::SynFiltered), Some(Possibly));
        }
        for (state, event, suspicion) in [
            (S::Reserved, E::Syn, Some(Very)),
            (S::Unbound, E::Syn, Some(Possibly)),
            (S::Listening, E::SynLimited, Some(Normal)),
            (S::Listening, E::Syn, None),
            (S::HalfOpen, E::HandshakeDone, Some(Normal)),
            (S::HalfOpen, E::Syn, Some(Normal)),
            (S::HalfOpen, E::Reset, Some(Possibly)),
            (S::HalfOpen, E::TimedOut, Some(Very)),
            (S::Connected, E::OutOfWindow, Some(Normal)),
            (S::Connected, E::Syn, Some(Normal)),
            (S::Connected, E::TimedOut, Some(Possibly)),
            (S::Connected, E::Reset, None),
            (S::Unbound, E::Reset, None),
        ] {
            assert_eq!(tcp(state, event), suspicion, "{state:?} {event:?}");
        }
    }

    #[test]
    fn the_tables_of_udp_and_icmp() {
        assert_eq!(udp(PortState::Unknown, true), Some(Possibly));
        assert_eq!(udp(PortState::Reserved, false), Some(Very));
        assert_eq!(udp(PortState::Unbound, false), Some(Possibly));
        assert_eq!(udp(PortState::Bound, false), Some(Normal));
        assert_eq!(udp(PortState::Unknown, false), None);
        for kind in [8, 13, 15, 17] {
            assert_eq!(icmp(kind, true, false, true), Some(Very));
            assert_eq!(icmp(kind, false, true, true), Some(Normal));
        }
        assert_eq!(icmp(15, false, false, false), Some(Possibly));
        assert_eq!(icmp(17, false, false, false), Some(Possibly));
        assert_eq!(icmp(8, false, true, false), Some(Possibly));
        assert_eq!(icmp(8, false, false, false), Some(Normal));
        assert_eq!(icmp(13, false, true, false), Some(Normal));
        for answer in [0, 3, 5, 11, 14, 16, 18] {
            assert_eq!(icmp(answer, true, true, false), None);
        }
        assert_eq!(icmpv6(128, true, false, true), Some(Very));
        assert_eq!(icmpv6(128, false, true, false), Some(Possibly));
        assert_eq!(icmpv6(128, false, false, false), Some(Normal));
        assert_eq!(icmpv6(139, false, false, false), Some(Possibly));
        assert_eq!(icmpv6(139, false, false, true), Some(Normal));
        for other in [1, 129, 130, 133, 134, 135, 136, 143] {
            assert_eq!(icmpv6(other, true, true, false), None);
        }
    }

    #[test]
    fn sensitivity_is_a_threshold() {
        for (sensitivity, expected) in [
            (Sensitivity::None, [false, false, false]),
            (Sensitivity::Low, [false, false, true]),
            (Sensitivity::Medium, [false, true, true]),
            (Sensitivity::High, [true, true, true]),
        ] {
            let counts = [Normal, Possibly, Very].map(|s| s.counts(sensitivity));
            assert_eq!(counts, expected);
        }
    }
}
