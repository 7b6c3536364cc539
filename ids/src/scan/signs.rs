//! What a scanner shows beside the number of its events: probes of OS detection, decoys, probes of an
//! idle scan, many sources that share the work. None of it is z/OS's.
//!
//! Each has a short memory of fixed size in which the new takes the place of the old: a flood can
//! hide these, but never the scans that are counted by source.

use core::net::IpAddr;
use core::time::Duration;

use hostward_hook::action::Cx;
use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::flow::FlowKey;
use hostward_hook::layout::tcp_flags::{ACK, RST, SYN};
use hostward_hook::layout::{Anomalies, Anomaly, TcpOptions, proto};
use hostward_hook::packet::Packet;
use hostward_hook::reason::Code;
use hostward_hook::time::Instant;

use super::probe;
use crate::codes::{
    SCAN_DECOY_SOURCE, SCAN_DECOYS, SCAN_DISTRIBUTED, SCAN_IDLE_PROBES, SCAN_OS_PROBES,
};
use crate::event::Told;
use crate::policy::{Policy, Protocol};
use crate::report::{Category, Desk};

/// What was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScanSignKind {
    /// Three different probes of OS detection from one source within two seconds.
    OsProbes,
    /// The same SYN, by sequence number and source port, from three sources within five seconds: all
    /// but one of them are made up.
    Decoys,
    /// The one of such sources that has a TCP: it reset what was answered.
    DecoySource,
    /// Five SYN-ACKs from one source within a minute, to ports that ask for no connections: somebody
    /// measures this host's packet numbers to hide behind it.
    IdleProbes,
    /// Within a minute 32 sources tried 32 ports that are closed.
    Distributed,
}

impl ScanSignKind {
    const fn of(self) -> (Code, &'static str) {
        match self {
            Self::OsProbes => (SCAN_OS_PROBES, "scan.os_probes"),
            Self::Decoys => (SCAN_DECOYS, "scan.decoys"),
            Self::DecoySource => (SCAN_DECOY_SOURCE, "scan.decoy_source"),
            Self::IdleProbes => (SCAN_IDLE_PROBES, "scan.idle_probes"),
            Self::Distributed => (SCAN_DISTRIBUTED, "scan.distributed"),
        }
    }

    /// Its text in log lines.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::OsProbes => "OS detection",
            Self::Decoys => "decoys",
            Self::DecoySource => "source among decoys",
            Self::IdleProbes => "idle scan probes",
            Self::Distributed => "distributed",
        }
    }
}

/// Sources that one event names.
pub const NAMED: usize = 3;

/// A sign of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanSign {
    /// What was noticed.
    pub kind: ScanSignKind,
    /// Who: the scanner, or the first of the decoys; nobody for distributed scans.
    pub sources: [Option<IpAddr>; NAMED],
    /// How many signs: probes, sources.
    pub count: u32,
    /// Who is told.
    pub told: Told,
}

impl Detail for ScanSign {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str(self.kind.of().1));
        for source in self.sources.iter().flatten() {
            v.field("source", Value::Addr(*source));
        }
        v.field("count", Value::U64(self.count.into()));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

/// Structures that only probes of OS detection have; each is a sign of its own.
const ODD: [Anomaly; 7] = [
    Anomaly::TcpFlags,
    Anomaly::TcpWindowScale,
    Anomaly::TcpUrgentPointer,
    Anomaly::TcpAckNumber,
    Anomaly::TcpReserved,
    Anomaly::Ip6ExtensionDuplicate,
    Anomaly::Ip6RoutingType0,
];

const ALL_ODD: Anomalies = Anomalies::of(&ODD);

/// Signs that are no anomaly.
const TIMESTAMP: u16 = 1 << 8;
const ECHO_CODE: u16 = 1 << 9;
const LETTERS: u16 = 1 << 10;

/// The payload of the datagram of OS detection.
const DATAGRAM: (usize, u8) = (300, 0x43);

const OS_WINDOW: Duration = Duration::from_secs(2);
const OS_SIGNS: u32 = 3;
const DECOY_WINDOW: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);
const IDLE: u32 = 5;
const DISTRIBUTED: u32 = 32;

const RING: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Seen {
    source: IpAddr,
    since: Instant,
    signs: u16,
    count: u32,
    /// It was told; for a minute it is no news.
    told: bool,
}

/// Sources that showed something lately.
#[derive(Clone, Debug, Default)]
struct Ring {
    seen: [Option<Seen>; RING],
    next: usize,
}

impl Ring {
    fn entry(&mut self, source: IpAddr, window: Duration, now: Instant) -> Option<&mut Seen> {
        let at = self
            .seen
            .iter()
            .position(|s| s.is_some_and(|s| s.source == source));
        let fresh = Seen {
            source,
            since: now,
            signs: 0,
            count: 0,
            told: false,
        };
        let at = at.unwrap_or_else(|| {
            let at = self.next;
            self.next = (at + 1) % RING;
            at
        });
        let slot = self.seen.get_mut(at)?;
        let goes_on = |s: &Seen| {
            let window = if s.told { MINUTE } else { window };
            s.source == source && now >= s.since && now.saturating_since(s.since) <= window
        };
        if !slot.is_some_and(|s| goes_on(&s)) {
            *slot = Some(fresh);
        }
        slot.as_mut()
    }
}

/// The same SYN from several sources.
#[derive(Clone, Copy, Debug)]
struct Group {
    /// Sequence number, source port, destination.
    syn: (u32, u16, IpAddr),
    since: Instant,
    sources: [Option<IpAddr>; 8],
    correlator: u32,
    found: bool,
}

/// Short memories.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signs {
    os: Ring,
    idle: Ring,
    groups: [Option<Group>; RING],
    /// Since when, and a bit each by their hashes.
    wide: Wide,
}

#[derive(Clone, Copy, Debug, Default)]
struct Wide {
    since: Option<Instant>,
    sources: [u64; 4],
    ports: [u64; 4],
    told: bool,
}

fn set(bits: &mut [u64; 4], hash: u64) {
    if let Some(word) = bits.get_mut((hash >> 6 & 3) as usize) {
        *word |= 1 << (hash & 63);
    }
}

fn number(bits: &[u64; 4]) -> u32 {
    bits.iter().map(|w| w.count_ones()).sum()
}

/// Whether a packet may show a sign of OS detection, by little.
#[inline]
pub(crate) fn is_odd(packet: &Packet<'_>) -> bool {
    let l = packet.layout();
    !l.anomalies().intersection(ALL_ODD).is_empty()
        || match l.protocol() {
            proto::TCP => {
                l.tcp_flags().is_some_and(|f| f & (SYN | ACK | RST) == SYN)
                    && packet
                        .tcp_numbers()
                        .is_some_and(|(_, _, w)| w <= 1024 || w == 31_337)
            }
            proto::UDP => packet.payload().len() == DATAGRAM.0,
            proto::ICMP => matches!(l.icmp(), Some((8, 1..))),
            proto::ICMPV6 => matches!(l.icmp(), Some((128, 1..))),
            _ => false,
        }
}

fn signs(packet: &Packet<'_>) -> u16 {
    let l = packet.layout();
    let mut signs = 0;
    for (n, anomaly) in ODD.iter().enumerate() {
        signs |= u16::from(l.anomalies().contains(*anomaly)) << n;
    }
    let all_ones = |o: hostward_hook::layout::TcpOption<'_>| {
        o.kind == 8 && o.data.first_chunk::<4>() == Some(&[0xff; 4])
    };
    match l.protocol() {
        proto::TCP => {
            let mut options = TcpOptions::new(packet.tcp_options()).map_while(Result::ok);
            if options.any(all_ones) {
                signs |= TIMESTAMP;
            }
        }
        proto::UDP => {
            let p = packet.payload();
            if p.len() == DATAGRAM.0 && p.iter().all(|b| *b == DATAGRAM.1) {
                signs |= LETTERS;
            }
        }
        proto::ICMP | proto::ICMPV6 => {
            if let Some((8 | 128, 1..)) = l.icmp() {
                signs |= ECHO_CODE;
            }
        }
        _ => {}
    }
    signs
}

/// Whether the rules say that a source is not counted, or nothing about the port.
fn is_left_out(policy: &Policy, protocol: Protocol, key: &FlowKey) -> bool {
    let rule = policy.scan_event(protocol, key.destination(), key.destination_port());
    rule.is_none_or(|r| {
        r.sensitivity == crate::policy::Sensitivity::None
            || r.excludes(key.source(), key.source_port())
    })
}

impl Signs {
    /// A packet that [`is_odd`].
    #[inline(never)]
    pub(crate) fn odd(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
    ) {
        let (Some(key), signs) = (packet.key(), signs(packet)) else {
            return;
        };
        let protocol = match packet.layout().protocol() {
            proto::TCP => Protocol::Tcp,
            proto::UDP => Protocol::Udp,
            proto::ICMP => Protocol::Icmp,
            _ => Protocol::Icmpv6,
        };
        if signs == 0 || is_left_out(policy, protocol, &key) {
            return;
        }
        let Some(seen) = self.os.entry(key.source(), OS_WINDOW, cx.now.mono) else {
            return;
        };
        seen.signs |= signs;
        let count = seen.signs.count_ones();
        if !seen.told && count >= OS_SIGNS {
            seen.told = true;
            let who = [Some(key.source()), None, None];
            tell(policy, desk, cx, ScanSignKind::OsProbes, who, (count, None));
        }
    }

    /// A SYN without a connection.
    pub(crate) fn syn(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        key: &FlowKey,
        number: u32,
    ) {
        let now = cx.now.mono;
        let syn = (number, key.source_port(), key.destination());
        let at = (number ^ number >> 16 ^ u32::from(syn.1)) as usize % RING;
        let Some(slot) = self.groups.get_mut(at) else {
            return;
        };
        let goes_on = |g: &Group| {
            g.syn == syn && now >= g.since && now.saturating_since(g.since) <= DECOY_WINDOW
        };
        let source = key.source();
        let group = match slot {
            Some(group) if goes_on(group) => group,
            _ => slot.insert(Group {
                syn,
                since: now,
                sources: [None; 8],
                correlator: 0,
                found: false,
            }),
        };
        if group.sources.contains(&Some(source)) {
            return;
        }
        let Some(free) = group.sources.iter_mut().find(|s| s.is_none()) else {
            return;
        };
        *free = Some(source);
        let [a, b, c, fourth, ..] = group.sources;
        if c.is_some() && fourth.is_none() && !is_left_out(policy, Protocol::Tcp, key) {
            group.correlator = desk.correlator();
            let told = (NAMED as u32, Some(group.correlator));
            tell(policy, desk, cx, ScanSignKind::Decoys, [a, b, c], told);
        }
    }

    /// The other end reset what this host had answered: it has a TCP, so it is no decoy.
    #[cold]
    pub(crate) fn reset(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        key: &FlowKey,
    ) {
        let source = Some(key.source());
        let mut groups = self.groups.iter_mut().flatten();
        let group = groups.find(|g| {
            g.correlator != 0
                && !g.found
                && g.syn.1 == key.source_port()
                && g.sources.contains(&source)
        });
        if let Some(group) = group {
            group.found = true;
            let kind = ScanSignKind::DecoySource;
            let told = (1, Some(group.correlator));
            tell(policy, desk, cx, kind, [source, None, None], told);
        }
    }

    /// A SYN-ACK that answers nothing.
    pub(crate) fn syn_ack(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        key: &FlowKey,
    ) {
        if is_left_out(policy, Protocol::Tcp, key) {
            return;
        }
        let Some(seen) = self.idle.entry(key.source(), MINUTE, cx.now.mono) else {
            return;
        };
        seen.count = seen.count.saturating_add(1);
        if seen.count == IDLE {
            let who = [Some(key.source()), None, None];
            tell(
                policy,
                desk,
                cx,
                ScanSignKind::IdleProbes,
                who,
                (IDLE, None),
            );
        }
    }

    /// An event that is at least possibly suspicious; `hashes` of the source and of the port.
    pub(super) fn event(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        (source, port): (u64, u64),
    ) {
        let now = cx.now.mono;
        let wide = &mut self.wide;
        let goes_on = |s: Instant| now >= s && now.saturating_since(s) <= MINUTE;
        if !wide.since.is_some_and(goes_on) {
            *wide = Wide {
                since: Some(now),
                ..Wide::default()
            };
        }
        set(&mut wide.sources, source);
        set(&mut wide.ports, port);
        let sources = number(&wide.sources);
        if !wide.told && sources >= DISTRIBUTED && number(&wide.ports) >= DISTRIBUTED {
            wide.told = true;
            let kind = ScanSignKind::Distributed;
            tell(policy, desk, cx, kind, [None; NAMED], (sources, None));
        }
    }
}

#[cold]
fn tell(
    policy: &Policy,
    desk: &mut Desk,
    cx: &mut Cx<'_>,
    kind: ScanSignKind,
    sources: [Option<IpAddr>; NAMED],
    (count, correlator): (u32, Option<u32>),
) {
    let Some(global) = &policy.scan else {
        return;
    };
    desk.settle(cx, Category::Scan);
    let channels = desk.admit(Category::Scan, &global.rule, (false, false), cx.now.mono);
    let correlator = correlator.unwrap_or_else(|| desk.correlator());
    let (code, _) = kind.of();
    let detail = ScanSign {
        kind,
        sources,
        count,
        told: Desk::told(&global.rule, correlator, probe(code), channels),
    };
    Desk::tell(cx, code, channels, None, &detail);
}
