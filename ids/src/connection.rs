//! What packets show of the life of connections to this host: handshakes, and their ends.

use core::time::Duration;

use hostward_hook::action::{Action, Cx};
use hostward_hook::flow::{FlowInfo, FlowKey};
use hostward_hook::layout::proto;
use hostward_hook::layout::tcp_flags::{ACK, RST, SYN};
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::packet::Packet;
use hostward_hook::reason::Code;
use hostward_hook::verdict::Verdict;

use crate::attack::flood::syn::SynFloods;
use crate::host::{Host, PortState};
use crate::policy::{AttackType, Policy, Protocol, Scope};
use crate::regulation::tcp::{Admission, TcpPorts};
use crate::report::Desk;
use crate::scan::classify::{TcpEvent, TcpState};
use crate::scan::{Scans, classify, observe};

/// How far beyond the SYN-ACK an acknowledgment that completes the handshake may lie: data of a fast
/// open (RFC 7413).
const SLACK: u32 = 0xffff;

/// A handshake that was not completed for so long never will be.
const GIVEN_UP: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// No handshake was seen.
    #[default]
    New,
    /// This host answered a SYN.
    Answered,
    /// The handshake is complete.
    Established,
    /// It was refused: nothing of it passes.
    Refused(Code),
    /// The other end gave it up.
    Over,
}

/// What detection keeps for each flow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {
    phase: Phase,
    /// Sequence number of this host's SYN-ACK.
    number: u32,
    /// How the connection is counted.
    counted: Option<Scope>,
}

/// The detectors that want to know of connections.
pub(crate) struct Connections<'i> {
    pub(crate) policy: &'i Policy,
    pub(crate) desk: &'i mut Desk,
    pub(crate) host: &'i Host,
    pub(crate) floods: &'i mut SynFloods,
    pub(crate) tcp: &'i mut TcpPorts,
    pub(crate) scans: &'i mut Scans,
    /// Connections are counted by packets; else the host tells.
    pub(crate) count: bool,
}

/// Whether a packet may matter: for nearly all of an established connection it does not.
#[inline]
pub(crate) fn concerns(packet: &Packet<'_>, slot: Option<&Slot>) -> bool {
    let Some(flags) = packet.layout().tcp_flags() else {
        return false;
    };
    flags & (SYN | RST) != 0
        || slot.is_some_and(|s| matches!(s.phase, Phase::Answered | Phase::Refused(_)))
}

impl Connections<'_> {
    /// A TCP packet that passed the filter.
    #[inline(never)]
    pub(crate) fn packet(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        slot: Option<&mut Slot>,
    ) -> Verdict {
        let (Some(flags), Some(key), Some((seq, ack, _))) = (
            packet.layout().tcp_flags(),
            packet.key(),
            packet.tcp_numbers(),
        ) else {
            return Verdict::Continue;
        };
        if packet.meta.routing == Routing::Routed {
            return Verdict::Continue;
        }
        let flooding = self.desk.is_armed(1 << AttackType::Flood as u32);
        let now = cx.now.mono;
        match (packet.meta.direction(), flags & (SYN | ACK | RST)) {
            (Direction::Outbound, set) if set == SYN | ACK => {
                let fresh = slot.as_ref().is_none_or(|s| s.phase == Phase::New);
                if fresh && flooding {
                    self.floods.answered((key.source(), key.source_port()), now);
                }
                if let Some(slot) = slot.filter(|s| matches!(s.phase, Phase::New | Phase::Answered))
                {
                    slot.phase = Phase::Answered;
                    slot.number = seq;
                }
            }
            (Direction::Inbound, SYN) => {
                // A flow that has an entry is one that was opened before: the SYN is sent again.
                if let Some(slot) = slot {
                    let state = match slot.phase {
                        Phase::Answered => TcpState::HalfOpen,
                        Phase::Established => TcpState::Connected,
                        Phase::New | Phase::Refused(_) | Phase::Over => return Verdict::Continue,
                    };
                    self.scanned(cx, &key, state, TcpEvent::Syn);
                } else if flooding {
                    let at = (key.destination(), key.destination_port());
                    let bound = self.host.ports.get(proto::TCP, at.1) == PortState::Bound;
                    self.floods.syn(self.desk, cx, at, bound);
                }
            }
            (Direction::Inbound, set) => {
                let Some(slot) = slot else {
                    return Verdict::Continue;
                };
                let at = (key.destination(), key.destination_port());
                if let Phase::Refused(code) = slot.phase {
                    return Verdict::Drop(code);
                }
                if slot.phase != Phase::Answered {
                    return Verdict::Continue;
                }
                if set & RST != 0 {
                    slot.phase = Phase::Over;
                    self.floods.closed(at, false, now);
                    if self.scans.is_on() {
                        self.scans.signs.reset(self.policy, self.desk, cx, &key);
                    }
                    self.scanned(cx, &key, TcpState::HalfOpen, TcpEvent::Reset);
                } else if set == ACK && ack.wrapping_sub(slot.number).wrapping_sub(1) <= SLACK {
                    slot.phase = Phase::Established;
                    self.floods.closed(at, true, now);
                    self.scanned(cx, &key, TcpState::HalfOpen, TcpEvent::HandshakeDone);
                    return self.established(cx, &key, slot);
                }
            }
            // RFC 9293 §3.10.7.1: a segment without ACK is refused with sequence number 0 and an
            // acknowledgment, one with ACK by a reset alone.
            (Direction::Outbound, set) if set & RST != 0 && self.scans.is_on() => {
                if slot.is_some_and(|s| s.phase == Phase::New) {
                    let remote = key.reversed();
                    if set & ACK != 0 && seq == 0 {
                        let (policy, host) = (self.policy, self.host);
                        self.scans.refused(policy, self.desk, host, cx, &remote);
                    } else if set & ACK == 0 && self.scans.strays.is_answer(&key, now) {
                        self.scanned(cx, &remote, TcpState::Unbound, TcpEvent::UnexpectedFlags);
                    }
                }
            }
            (Direction::Outbound, _) => {}
        }
        Verdict::Continue
    }

    /// An event of a scan; `key` has the other end first.
    fn scanned(&mut self, cx: &mut Cx<'_>, key: &FlowKey, state: TcpState, event: TcpEvent) {
        if self.scans.is_armed(Protocol::Tcp)
            && let Some(suspicion) = classify::tcp(state, event)
        {
            let happened = observe::tcp(key, suspicion);
            self.scans.happened(self.policy, self.desk, cx, &happened);
        }
    }

    /// A handshake is complete.
    fn established(&mut self, cx: &mut Cx<'_>, key: &FlowKey, slot: &mut Slot) -> Verdict {
        if !self.count || self.policy.tcp.is_empty() {
            return Verdict::Continue;
        }
        match self.tcp.opened(self.policy, self.desk, cx, key, None) {
            Admission::Counted(scope) => slot.counted = Some(scope),
            Admission::Uncounted => {}
            Admission::Refused(code) => {
                slot.phase = Phase::Refused(code);
                cx.actions.act(Action::ResetFlow {
                    key: *key,
                    reason: code,
                });
                return Verdict::Drop(code);
            }
        }
        Verdict::Continue
    }

    /// The connection is over; told as often as one likes. `key` has the other end first.
    pub(crate) fn closed(
        &mut self,
        cx: &mut Cx<'_>,
        key: &FlowKey,
        slot: &mut Slot,
        flow: &FlowInfo,
    ) {
        if slot.phase == Phase::Answered {
            slot.phase = Phase::Over;
            // A flow that had to make room for another one did not time out.
            if cx.now.mono.saturating_since(flow.opened.mono) >= GIVEN_UP {
                self.scanned(cx, key, TcpState::HalfOpen, TcpEvent::TimedOut);
            }
        }
        if let Some(scope) = slot.counted.take() {
            self.tcp.closed(self.policy, self.desk, cx, key, scope);
        }
    }
}
