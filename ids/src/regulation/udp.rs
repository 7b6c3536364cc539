//! Queues of UDP ports: what arrives and is not read.

use core::net::IpAddr;
use core::time::Duration;

use hostward_hook::action::Cx;
use hostward_hook::event::{Class, Detail, Event, FieldVisitor, Value};
use hostward_hook::flow::HashKey;
use hostward_hook::time::Instant;

use crate::codes::{UDP_CONSTRAINED, UDP_STATISTICS, UDP_UNCONSTRAINED};
use crate::event::{Channels, ProbeId, Told};
use crate::policy::{Policy, QueueSize, ReportSet, StatisticsKind, UdpRegulation};
use crate::regulation::constrained;
use crate::report::{Category, Desk};
use crate::table::FixedMap;

/// What waits on a UDP port, as the host tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "hosts fill it in")]
pub struct UdpQueue {
    /// Local address.
    pub address: IpAddr,
    /// Local port.
    pub port: u16,
    /// Datagrams that wait.
    pub datagrams: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// The socket counts bytes only (Pascal sockets of z/OS).
    pub bytes_only: bool,
}

/// What happened at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UdpStep {
    /// Its queue is constrained.
    Constrained,
    /// It no longer is.
    Unconstrained,
    /// Counts of an interval.
    Statistics,
}

/// The queue of a UDP port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpPort {
    /// What happened.
    pub step: UdpStep,
    /// Local address.
    pub address: IpAddr,
    /// Local port.
    pub port: u16,
    /// What the rule allows.
    pub size: QueueSize,
    /// Datagrams received since the queue became constrained, or in the interval.
    pub received: u64,
    /// Bytes of them.
    pub bytes_received: u64,
    /// Datagrams that were, or would have been, discarded.
    pub discarded: u64,
    /// Bytes of them.
    pub bytes_discarded: u64,
    /// The most datagrams that waited.
    pub peak: u64,
    /// The most bytes that waited.
    pub bytes_peak: u64,
    /// How often the queue became constrained in the interval.
    pub constraints: u64,
    /// Seconds.
    pub duration: u64,
    /// Whether the rule limits, or only counts.
    pub limit: bool,
    /// Who is told.
    pub told: Told,
}

impl Detail for UdpPort {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str("regulation.udp"));
        let name = match self.step {
            UdpStep::Constrained => "udp-queue-constrained",
            UdpStep::Unconstrained => "udp-queue-unconstrained",
            UdpStep::Statistics => "udp-port-statistics",
        };
        v.field("name", Value::Str(name));
        v.field(
            "action",
            Value::Str(if self.limit { "limit" } else { "report" }),
        );
        v.field("address", Value::Addr(self.address));
        v.field("port", Value::U64(self.port.into()));
        v.field("size", Value::Str(self.size.name()));
        v.field("received", Value::U64(self.received));
        v.field("bytes_received", Value::U64(self.bytes_received));
        v.field("discarded", Value::U64(self.discarded));
        v.field("bytes_discarded", Value::U64(self.bytes_discarded));
        v.field("peak", Value::U64(self.peak));
        v.field("bytes_peak", Value::U64(self.bytes_peak));
        v.field("constraints", Value::U64(self.constraints));
        v.field("duration", Value::U64(self.duration));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    received: u64,
    bytes_received: u64,
    discarded: u64,
    bytes_discarded: u64,
    peak: u64,
    bytes_peak: u64,
    constraints: u64,
}

#[derive(Clone, Copy, Debug)]
struct Port {
    constrained: Option<(Instant, u32)>,
    /// Since the queue became constrained.
    episode: Counts,
    /// Since the interval began.
    interval: Counts,
    begin: Instant,
}

/// Ports as counted.
#[derive(Clone, Debug)]
pub(crate) struct UdpPorts {
    ports: FixedMap<(IpAddr, u16), Port>,
}

impl UdpPorts {
    pub(crate) fn new(ports: usize) -> Self {
        Self {
            ports: FixedMap::new(ports),
        }
    }

    pub(crate) const fn set_key(&mut self, key: HashKey) {
        self.ports.set_key(key);
    }

    /// The socket is gone.
    pub(crate) fn forget(&mut self, at: (IpAddr, u16)) {
        self.ports.remove(&at);
    }

    /// A datagram of so many bytes is for a queue as told, or (`None`) one was taken off it. Whether
    /// the datagram may be queued.
    pub(crate) fn queue(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        q: &UdpQueue,
        datagram: Option<u64>,
    ) -> bool {
        let at = (q.address, q.port);
        let Some((_, rule)) = policy.udp_port(q.address, q.port) else {
            return true;
        };
        let now = cx.now.mono;
        let fresh = Port {
            constrained: None,
            episode: Counts::default(),
            interval: Counts::default(),
            begin: now,
        };
        let over = |datagrams: u64, bytes: u64| {
            !q.bytes_only && datagrams > rule.size.datagrams() || bytes > rule.size.udp_bytes()
        };
        let length = datagram.unwrap_or(0);
        let after = (
            q.datagrams.saturating_add(datagram.is_some().into()),
            q.bytes.saturating_add(length),
        );
        let refused = datagram.is_some() && over(after.0, after.1);
        let Some(port) = self.ports.entry(&at, || fresh) else {
            return !(refused && rule.limit);
        };
        let waiting = if refused && rule.limit {
            (q.datagrams, q.bytes)
        } else {
            after
        };
        for c in [&mut port.episode, &mut port.interval] {
            c.received = c.received.saturating_add(datagram.is_some().into());
            c.bytes_received = c.bytes_received.saturating_add(length);
            c.discarded = c.discarded.saturating_add(refused.into());
            if refused {
                c.bytes_discarded = c.bytes_discarded.saturating_add(length);
            }
            c.peak = c.peak.max(waiting.0);
            c.bytes_peak = c.bytes_peak.max(waiting.1);
        }
        let was = port.constrained.is_some();
        let share = |used, total| constrained(was, used, total);
        let is = refused
            || !q.bytes_only && share(waiting.0, rule.size.datagrams())
            || share(waiting.1, rule.size.udp_bytes());
        if is && !was {
            let constrained = (now, desk.correlator());
            port.constrained = Some(constrained);
            port.interval.constraints += 1;
            port.episode = Counts {
                received: u64::from(datagram.is_some()),
                bytes_received: length,
                discarded: refused.into(),
                bytes_discarded: if refused { length } else { 0 },
                peak: waiting.0,
                bytes_peak: waiting.1,
                constraints: 0,
            };
            tell(
                desk,
                cx,
                rule,
                at,
                (UdpStep::Constrained, constrained),
                &port.episode,
            );
        } else if let Some(since) = port.constrained.filter(|_| !is) {
            port.constrained = None;
            tell(
                desk,
                cx,
                rule,
                at,
                (UdpStep::Unconstrained, since),
                &port.episode,
            );
        }
        !(refused && rule.limit)
    }

    pub(crate) fn next_deadline(&self, policy: &Policy) -> Option<Instant> {
        if policy
            .udp
            .iter()
            .all(|r| r.rule.reports.statistics.is_none())
        {
            return None;
        }
        self.ports
            .iter()
            .filter_map(|((address, port), p)| {
                let (_, rule) = policy.udp_port(*address, *port)?;
                Some(p.begin.saturating_add(interval(rule)?))
            })
            .min()
    }

    pub(crate) fn handle_deadline(&mut self, policy: &Policy, cx: &mut Cx<'_>) {
        if policy
            .udp
            .iter()
            .all(|r| r.rule.reports.statistics.is_none())
        {
            return;
        }
        let now = cx.now.mono;
        for (at, p) in self.ports.iter_mut() {
            let Some((_, rule)) = policy.udp_port(at.0, at.1) else {
                continue;
            };
            let Some(length) = interval(rule) else {
                continue;
            };
            p.begin = p.begin.min(now);
            if now < p.begin.saturating_add(length) {
                continue;
            }
            let c = core::mem::take(&mut p.interval);
            let seconds = now
                .saturating_since(core::mem::replace(&mut p.begin, now))
                .as_secs();
            let exception = rule
                .rule
                .reports
                .statistics
                .is_some_and(|s| s.kind == StatisticsKind::Exception);
            if exception && c.constraints == 0 && c.discarded == 0
                || !cx.events.wants(Class::Record)
            {
                continue;
            }
            let channels = Channels {
                log: rule.rule.reports.log.or(Some(ReportSet::LEVEL)),
                statistics: true,
                ..Channels::default()
            };
            let detail = detail(rule, *at, UdpStep::Statistics, &c, (0, seconds), channels);
            let event = Event::new(UDP_STATISTICS, Class::Record, cx.now, &detail);
            cx.events.emit(&event);
        }
    }
}

fn interval(rule: &UdpRegulation) -> Option<Duration> {
    let minutes = rule.rule.reports.statistics?.minutes.max(1);
    Some(Duration::from_secs(u64::from(minutes) * 60))
}

fn detail(
    rule: &UdpRegulation,
    at: (IpAddr, u16),
    step: UdpStep,
    c: &Counts,
    (correlator, duration): (u32, u64),
    channels: Channels,
) -> UdpPort {
    let code = match step {
        UdpStep::Constrained => UDP_CONSTRAINED,
        UdpStep::Unconstrained => UDP_UNCONSTRAINED,
        UdpStep::Statistics => UDP_STATISTICS,
    };
    let probe = ProbeId::new(0x0200_8000 + u32::from(code.get()) - 3000);
    UdpPort {
        step,
        address: at.0,
        port: at.1,
        size: rule.size,
        received: c.received,
        bytes_received: c.bytes_received,
        discarded: c.discarded,
        bytes_discarded: c.bytes_discarded,
        peak: c.peak,
        bytes_peak: c.bytes_peak,
        constraints: c.constraints,
        duration,
        limit: rule.limit,
        told: Desk::told(&rule.rule, correlator, probe, channels),
    }
}

#[cold]
fn tell(
    desk: &mut Desk,
    cx: &mut Cx<'_>,
    rule: &UdpRegulation,
    at: (IpAddr, u16),
    (step, (since, correlator)): (UdpStep, (Instant, u32)),
    counts: &Counts,
) {
    let code = match step {
        UdpStep::Constrained => UDP_CONSTRAINED,
        UdpStep::Unconstrained | UdpStep::Statistics => UDP_UNCONSTRAINED,
    };
    desk.settle(cx, Category::Udp);
    let channels = desk.admit(Category::Udp, &rule.rule, (false, false), cx.now.mono);
    let duration = cx.now.mono.saturating_since(since).as_secs();
    let detail = detail(rule, at, step, counts, (correlator, duration), channels);
    Desk::tell(cx, code, channels, None, &detail);
}
