//! The attacks that one packet shows, each with a detector of its own.
//!
//! [`Gate`] knows by a few comparisons that none of them has anything to look at, which is the case
//! for nearly all packets.

mod chain;
mod data_hiding;
mod ee;
pub(crate) mod ee_xid;
pub(crate) mod flood;
mod fragment;
mod next_header;
mod options;
mod outbound_raw;
mod perpetual_echo;
mod protocol;
mod redirect;
pub(crate) mod tcp_queue;
pub(crate) mod tcp_stall;

use hostward_hook::action::Cx;
use hostward_hook::fragment::Overlap;
use hostward_hook::layout::{IpVersion, proto, seen};
use hostward_hook::meta::Direction;
use hostward_hook::packet::Packet;
use hostward_hook::reason::Reason;
use hostward_hook::verdict::Verdict;

use crate::event::Finding;
use crate::host::Host;
use crate::policy::{Attack, AttackType, NumberSet};
use crate::report::Desk;

/// Headers that some detector may want to look into.
const HEADERS: u16 = seen::IP_OPTIONS
    | seen::HOP_BY_HOP
    | seen::DESTINATION
    | seen::ROUTING
    | seen::FRAGMENT
    | seen::AH
    | seen::ESP
    | seen::MOBILITY
    | seen::HIP
    | seen::SHIM6
    | seen::NO_NEXT;

/// Which packets some detector has to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate {
    /// Upper-layer protocols over each version.
    v4: NumberSet,
    v6: NumberSet,
    /// Headers.
    headers: u16,
    /// Destination ports of UDP, from the least to the greatest, twice.
    udp: [(u16, u16); 2],
    raw: bool,
}

/// No port is in it.
const NOTHING: (u16, u16) = (1, 0);

impl Gate {
    pub(crate) fn new(desk: &Desk) -> Self {
        let mut gate = Self {
            udp: [NOTHING; 2],
            ..Self::default()
        };
        for kind in AttackType::ALL {
            match desk.attack(*kind) {
                Some(Attack::OutboundRaw { .. } | Attack::OutboundRawIpv6 { .. }) => {
                    gate.raw = true
                }
                Some(Attack::IpFragment { early: true }) => gate.headers |= seen::FRAGMENT,
                Some(Attack::IcmpRedirect | Attack::DataHiding { quotes: true, .. }) => {
                    gate.v4 = gate.v4.with(proto::ICMP);
                    gate.v6 = gate.v6.with(proto::ICMPV6);
                }
                Some(Attack::RestrictedIpProtocol(set)) => {
                    gate.v4 = gate.v4.iter().chain(set.iter()).collect();
                    gate.headers |= HEADERS;
                }
                Some(Attack::RestrictedIpv6NextHeader(set)) => {
                    gate.v6 = gate.v6.iter().chain(set.iter()).collect();
                    gate.headers |= HEADERS;
                }
                Some(Attack::PerpetualEcho { local, .. }) => {
                    let least = local.iter().map(|r| *r.start()).min();
                    let most = local.iter().map(|r| *r.end()).max();
                    let [first, _] = &mut gate.udp;
                    *first = least.zip(most).unwrap_or(NOTHING);
                }
                Some(Attack::EeLdlcCheck | Attack::EeMalformedPacket | Attack::EePortCheck) => {
                    let [_, second] = &mut gate.udp;
                    *second = (ee::FIRST_PORT, ee::LAST_PORT);
                }
                Some(Attack::RestrictedIpOptions(_)) => gate.headers |= seen::IP_OPTIONS,
                Some(Attack::RestrictedIpv6DestinationOptions(_)) => {
                    gate.headers |= seen::DESTINATION;
                }
                Some(Attack::RestrictedIpv6HopOptions(_)) => gate.headers |= seen::HOP_BY_HOP,
                Some(
                    Attack::MalformedPacket
                    | Attack::Flood { .. }
                    | Attack::TcpQueueSize(_)
                    | Attack::GlobalTcpStall
                    | Attack::EeXidFlood { .. }
                    | Attack::DataHiding { .. }
                    | Attack::IpFragment { .. },
                )
                | None => {}
            }
            if let Some(Attack::DataHiding { options: true, .. }) = desk.attack(*kind) {
                gate.headers |= seen::IP_OPTIONS | seen::HOP_BY_HOP | seen::DESTINATION;
            }
        }
        gate
    }

    #[inline]
    fn concerns(&self, packet: &Packet<'_>) -> bool {
        let l = packet.layout();
        if l.seen() & self.headers != 0 {
            return true;
        }
        let protocol = l.protocol();
        match l.ip_version() {
            Some(IpVersion::V4) if self.v4.contains(protocol) => return true,
            Some(IpVersion::V6) if self.v6.contains(protocol) => return true,
            Some(IpVersion::V4 | IpVersion::V6) => {}
            None => return false,
        }
        protocol == proto::UDP
            && l.ports().is_some_and(|(_, d)| {
                let within = |(least, most): &(u16, u16)| *least <= d && d <= *most;
                self.udp.iter().any(within)
            })
    }
}

/// Looks at one packet.
#[inline]
pub(crate) fn check(
    gate: &Gate,
    desk: &mut Desk,
    host: &Host,
    cx: &mut Cx<'_>,
    packet: &Packet<'_>,
) -> Verdict {
    match packet.meta.direction() {
        Direction::Inbound if gate.concerns(packet) => inbound(desk, cx, packet),
        Direction::Outbound if packet.meta.raw && gate.raw => raw(desk, host, cx, packet),
        Direction::Inbound | Direction::Outbound => Verdict::Continue,
    }
}

/// What an inbound packet shows of a type of attack.
fn find(attack: &Attack, packet: &Packet<'_>) -> [Option<Finding>; 2] {
    let one = match attack {
        Attack::IpFragment { early: true } => fragment::early(packet),
        Attack::IcmpRedirect => redirect::check(packet),
        Attack::RestrictedIpOptions(set) => options::restricted(packet, set),
        Attack::RestrictedIpProtocol(set) => protocol::check(packet, set),
        Attack::PerpetualEcho { local, remote } => perpetual_echo::check(packet, local, remote),
        Attack::DataHiding { options, quotes } => {
            return [
                options.then(|| data_hiding::padding(packet)).flatten(),
                quotes.then(|| data_hiding::quote(packet)).flatten(),
            ];
        }
        Attack::RestrictedIpv6NextHeader(set) => next_header::check(packet, set),
        Attack::RestrictedIpv6DestinationOptions(set) => options::destination(packet, set),
        Attack::RestrictedIpv6HopOptions(set) => options::hop_by_hop(packet, set),
        Attack::EeLdlcCheck => ee::ldlc(packet),
        Attack::EeMalformedPacket => ee::malformed(packet),
        Attack::EePortCheck => ee::port(packet),
        Attack::MalformedPacket
        | Attack::OutboundRaw { .. }
        | Attack::OutboundRawIpv6 { .. }
        | Attack::IpFragment { .. }
        | Attack::Flood { .. }
        | Attack::TcpQueueSize(_)
        | Attack::GlobalTcpStall
        | Attack::EeXidFlood { .. } => None,
    };
    [one, None]
}

#[inline(never)]
fn inbound(desk: &mut Desk, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
    let mut verdict = Verdict::Continue;
    for kind in AttackType::ALL {
        let Some(found) = desk.attack(*kind).map(|a| find(a, packet)) else {
            continue;
        };
        for finding in found.into_iter().flatten() {
            let judged = desk.packet(cx, packet, *kind, finding);
            if verdict.is_continue() {
                verdict = judged;
            }
        }
    }
    verdict
}

#[inline(never)]
fn raw(desk: &mut Desk, host: &Host, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
    let (kind, set) = match packet.layout().ip_version() {
        Some(IpVersion::V6) => match desk.attack(AttackType::OutboundRawIpv6) {
            Some(Attack::OutboundRawIpv6 { next_headers }) => {
                (AttackType::OutboundRawIpv6, *next_headers)
            }
            _ => return Verdict::Continue,
        },
        // What has no version is no IPv6 packet.
        Some(IpVersion::V4) | None => match desk.attack(AttackType::OutboundRaw) {
            Some(Attack::OutboundRaw { protocols }) => (AttackType::OutboundRaw, *protocols),
            _ => return Verdict::Continue,
        },
    };
    match outbound_raw::check(packet, &set, host) {
        Some(finding) => desk.packet(cx, packet, kind, finding),
        None => Verdict::Continue,
    }
}

/// A fragment contradicts those of its datagram that came before.
pub(crate) fn overlap(
    desk: &mut Desk,
    cx: &mut Cx<'_>,
    packet: &Packet<'_>,
    reason: Reason,
    overlap: Option<Overlap>,
) -> Verdict {
    if packet.meta.direction() == Direction::Outbound
        || !desk.is_armed(1 << AttackType::IpFragment as u32)
    {
        return Verdict::Continue;
    }
    match fragment::overlap(packet, reason, overlap) {
        Some(finding) => desk.packet(cx, packet, AttackType::IpFragment, finding),
        None => Verdict::Continue,
    }
}
