//! What packets show of events of scans, beside the life of connections.

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_hook::action::Cx;
use hostward_hook::flow::{FlowKey, HashKey};
use hostward_hook::layout::{proto, seen};
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::packet::Packet;
use hostward_hook::time::Instant;
use hostward_hook::verdict::Verdict;

use super::classify::{self, Suspicion, TcpEvent, TcpState};
use super::{Happened, Scans};
use crate::host::{Host, PortState};
use crate::policy::{Policy, Protocol};
use crate::report::Desk;
use crate::table::address_words;

/// Places of the memory for strays.
const PLACES: usize = 1024;

/// How long this host may take to answer with a reset.
const ANSWER: u64 = 2;

/// How long an answer may come late, to a port that this host has left: five minutes.
const LATE: u64 = 300;

/// Short memories, in which the new takes the place of the old: segments without a connection, which a
/// reset of this host may answer, and datagrams that this host sent, whose answers may come late.
#[derive(Clone, Debug)]
pub(crate) struct Strays {
    key: HashKey,
    segments: Memory,
    sent: Memory,
}

impl Default for Strays {
    fn default() -> Self {
        Self {
            key: HashKey::new([0; 16]),
            segments: Memory(vec![(0, 0); PLACES]),
            sent: Memory(vec![(0, 0); PLACES]),
        }
    }
}

#[derive(Clone, Debug)]
struct Memory(Vec<(u32, u32)>);

impl Memory {
    fn put(&mut self, hash: u64, now: Instant) {
        if let Some(slot) = self.0.get_mut(hash as usize % PLACES) {
            *slot = ((hash >> 32) as u32 | 1, seconds(now));
        }
    }

    /// Whether it was put in at most so many seconds ago.
    fn has(&self, hash: u64, within: u64, now: Instant) -> bool {
        self.0.get(hash as usize % PLACES).is_some_and(|(tag, at)| {
            let ago = u64::from(seconds(now).wrapping_sub(*at));
            *tag == (hash >> 32) as u32 | 1 && ago <= within
        })
    }
}

const fn seconds(now: Instant) -> u32 {
    (now.as_millis() / 1000) as u32
}

impl Strays {
    pub(super) const fn set_key(&mut self, key: HashKey) {
        self.key = key;
    }

    /// Of the two ends, the other one first.
    fn hash(&self, remote: (IpAddr, u16), local: (IpAddr, u16)) -> u64 {
        let [a, b] = address_words(remote.0);
        let [c, d] = address_words(local.0);
        let ports = u64::from(remote.1) << 16 | u64::from(local.1);
        self.key.hash([a, b, c, d, ports], 0)
    }

    /// A segment that asks for no connection came in, and there is none.
    pub(crate) fn stray(&mut self, key: &FlowKey, now: Instant) {
        let hash = self.hash(
            (key.source(), key.source_port()),
            (key.destination(), key.destination_port()),
        );
        self.segments.put(hash, now);
    }

    /// Whether this host's reset answers one.
    pub(crate) fn is_answer(&self, key: &FlowKey, now: Instant) -> bool {
        let hash = self.hash(
            (key.destination(), key.destination_port()),
            (key.source(), key.source_port()),
        );
        self.segments.has(hash, ANSWER, now)
    }
}

/// The event of a TCP segment; `key` has the other end first.
pub(crate) fn tcp(key: &FlowKey, suspicion: Suspicion) -> Happened {
    Happened {
        source: key.source(),
        source_port: key.source_port(),
        local: key.destination(),
        port: key.destination_port(),
        protocol: Protocol::Tcp,
        is_protocol: false,
        suspicion,
    }
}

/// Whether an address is nobody's alone.
fn is_group(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_multicast() || a.is_broadcast(),
        IpAddr::V6(a) => a.is_multicast(),
    }
}

impl Scans {
    /// A segment with flags that no TCP sends, which was discarded for them.
    pub(crate) fn unexpected_flags(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
    ) {
        if let (Some(key), Routing::Local) = (packet.key(), packet.meta.routing)
            && let Some(suspicion) = classify::tcp(TcpState::Unbound, TcpEvent::UnexpectedFlags)
            && !is_group(key.destination())
        {
            self.happened(policy, desk, cx, &tcp(&key, suspicion));
        }
    }

    /// A SYN that the filter refuses, or to a port whose state the host has told.
    pub(crate) fn syn(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        host: &Host,
        cx: &mut Cx<'_>,
        key: &FlowKey,
        filtered: bool,
    ) {
        let event = if filtered {
            TcpEvent::SynFiltered
        } else {
            TcpEvent::Syn
        };
        let state = match host.ports.get(proto::TCP, key.destination_port()) {
            PortState::Unbound => TcpState::Unbound,
            PortState::Reserved => TcpState::Reserved,
            // Where nobody listens the host will answer with a reset.
            PortState::Bound | PortState::Unknown => TcpState::Listening,
        };
        if let Some(suspicion) = classify::tcp(state, event) {
            self.happened(policy, desk, cx, &tcp(key, suspicion));
        }
    }

    /// This host refused a SYN with a reset.
    pub(crate) fn refused(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        host: &Host,
        cx: &mut Cx<'_>,
        key: &FlowKey,
    ) {
        let state = match host.ports.get(proto::TCP, key.destination_port()) {
            PortState::Reserved => TcpState::Reserved,
            PortState::Unbound | PortState::Unknown | PortState::Bound => TcpState::Unbound,
        };
        if let Some(suspicion) = classify::tcp(state, TcpEvent::Syn) {
            self.happened(policy, desk, cx, &tcp(key, suspicion));
        }
    }

    /// A packet of another protocol than TCP, the first of its flow if flows are kept.
    #[inline(never)]
    pub(crate) fn other(
        &mut self,
        (policy, desk, host): (&Policy, &mut Desk, &Host),
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        filter: Verdict,
    ) {
        let (Some(key), Routing::Local) = (packet.key(), packet.meta.routing) else {
            return;
        };
        let inbound = packet.meta.direction() == Direction::Inbound;
        let filtered = filter.is_refused();
        match (packet.layout().protocol(), inbound) {
            (proto::UDP, false) if !filtered => {
                let hash = self.strays.hash(
                    (key.destination(), key.destination_port()),
                    (key.source(), key.source_port()),
                );
                self.strays.sent.put(hash, cx.now.mono);
            }
            (proto::UDP, true) => {
                let state = host.ports.get(proto::UDP, key.destination_port());
                let suspicion = classify::udp(state, filtered);
                let for_us =
                    !is_group(key.destination()) && host.is_home(key.destination()) != Some(false);
                if let Some(suspicion) = suspicion.filter(|_| for_us) {
                    self.datagram(policy, desk, cx, &tcp(&key, suspicion));
                }
            }
            (proto::ICMP | proto::ICMPV6, true) => {
                let Some((kind, _)) = packet.layout().icmp() else {
                    return;
                };
                let group = is_group(key.destination());
                let v6 = packet.layout().protocol() == proto::ICMPV6;
                let suspicion = if v6 {
                    let routed = packet.layout().has(seen::ROUTING);
                    classify::icmpv6(kind, group, routed, false)
                } else {
                    let route = packet.layout().has(seen::IP_OPTIONS) && records(packet);
                    classify::icmp(kind, group, route, false)
                };
                if let Some(suspicion) = suspicion {
                    let happened = Happened {
                        protocol: if v6 { Protocol::Icmpv6 } else { Protocol::Icmp },
                        port: kind.into(),
                        source_port: 0,
                        ..tcp(&key, suspicion)
                    };
                    self.happened(policy, desk, cx, &happened);
                }
            }
            (proto::ICMP | proto::ICMPV6, false) => {
                self.unreachable(policy, desk, host, cx, packet);
            }
            _ => {}
        }
    }

    /// A datagram to a port of this host, unless it answers one that this host sent from there.
    fn datagram(&mut self, policy: &Policy, desk: &mut Desk, cx: &mut Cx<'_>, h: &Happened) {
        let hash = self
            .strays
            .hash((h.source, h.source_port), (h.local, h.port));
        if !self.strays.sent.has(hash, LATE, cx.now.mono) {
            let happened = Happened {
                protocol: Protocol::Udp,
                ..*h
            };
            self.happened(policy, desk, cx, &happened);
        }
    }

    /// This host says that a port, or a protocol, is not there.
    fn unreachable(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        host: &Host,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
    ) {
        let Some(message) = packet.layout().icmp() else {
            return;
        };
        let v6 = packet.layout().protocol() == proto::ICMPV6;
        let port = match (v6, message) {
            (false, (3, 3)) | (true, (1, 4)) => true,
            (false, (3, 2)) | (true, (4, 1)) => false,
            _ => return,
        };
        let Some(quote) = quoted(packet.payload()) else {
            return;
        };
        let rules = if v6 { Protocol::Icmpv6 } else { Protocol::Icmp };
        let happened = Happened {
            source: quote.source,
            source_port: quote.source_port,
            local: quote.destination,
            port: quote.port,
            protocol: rules,
            is_protocol: false,
            suspicion: Suspicion::Possibly,
        };
        if !port {
            let happened = Happened {
                source_port: 0,
                port: quote.protocol.into(),
                is_protocol: true,
                ..happened
            };
            self.happened(policy, desk, cx, &happened);
        } else if quote.protocol == proto::UDP {
            let reserved = host.ports.get(proto::UDP, quote.port) == PortState::Reserved;
            let suspicion = if reserved {
                Suspicion::Very
            } else {
                Suspicion::Possibly
            };
            let happened = Happened {
                suspicion,
                ..happened
            };
            self.datagram(policy, desk, cx, &happened);
        }
    }
}

/// Whether an IPv4 packet asks for its route or the times to be recorded.
fn records(packet: &Packet<'_>) -> bool {
    hostward_hook::layout::IpOptions::new(packet.ip_options())
        .map_while(Result::ok)
        .any(|o| matches!(o.kind, 7 | 68))
}

/// What an ICMP error quotes.
struct Quote {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    source_port: u16,
    port: u16,
}

/// Reads a quoted packet. Behind extension headers nothing is looked for.
fn quoted(bytes: &[u8]) -> Option<Quote> {
    let (source, destination, protocol, upper): (IpAddr, IpAddr, _, _) = match bytes.first()? >> 4 {
        4 => {
            let h = bytes.first_chunk::<20>()?;
            let upper = bytes.get(usize::from(h[0] & 15) * 4..)?;
            let source = IpAddr::from([h[12], h[13], h[14], h[15]]);
            let destination = IpAddr::from([h[16], h[17], h[18], h[19]]);
            (source, destination, h[9], upper)
        }
        6 => {
            let (h, upper) = bytes.split_first_chunk::<40>()?;
            let (_, addresses) = h.split_first_chunk::<8>()?;
            let (source, destination) = addresses.split_first_chunk::<16>()?;
            let destination = destination.first_chunk::<16>()?;
            (
                IpAddr::from(*source),
                IpAddr::from(*destination),
                h[6],
                upper,
            )
        }
        _ => return None,
    };
    let ports = upper.first_chunk::<4>().copied().unwrap_or_default();
    let [a, b, c, d] = ports;
    Some(Quote {
        source,
        destination,
        protocol,
        source_port: u16::from_be_bytes([a, b]),
        port: u16::from_be_bytes([c, d]),
    })
}
