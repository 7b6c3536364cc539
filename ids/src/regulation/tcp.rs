//! Connections of TCP ports.
//!
//! A port takes `total` connections. A host that holds none gets one while there is any; one that
//! holds some gets another only if it holds less than `percentage` of those that are *available*, so
//! that shares shrink as the port fills. The moment is the end of the handshake: before it, the
//! other end's address may be forged.
//!
//! Connections that were taken are counted until they end, whatever becomes of the rule: a listener
//! that is started again, or a total that is lowered, does not let a port have more than its total.

use core::net::IpAddr;

use hostward_hook::action::Cx;
use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::flow::{FlowKey, HashKey};
use hostward_hook::reason::Code;
use hostward_hook::time::Instant;

use crate::codes::{TCP_CONSTRAINED, TCP_EXCEPTION, TCP_SOURCE, TCP_TOTAL, TCP_UNCONSTRAINED};
use crate::event::{ProbeId, Told};
use crate::policy::{Policy, Scope, TcpRegulation};
use crate::regulation::constrained;
use crate::report::{Category, Desk};
use crate::table::FixedMap;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it is taken or refused")]
pub enum Admission {
    /// It is taken and counted until [`tcp_closed`](crate::Ids::tcp_closed), which wants the scope
    /// back: what shares the count.
    Counted(Scope),
    /// It is taken; no rule is about it, or there is no room to count it.
    Uncounted,
    /// It is refused: the host resets it. It is not counted.
    Refused(Code),
}

/// What happened at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TcpStep {
    /// A connection is refused, or would have been: the port has all it takes.
    Total,
    /// A connection is refused, or would have been: the host has its share.
    Source,
    /// A connection beyond a host's share is taken because quality of service grants it.
    Exception,
    /// The port is constrained.
    Constrained,
    /// It no longer is.
    Unconstrained,
}

/// A decision about a connection to a TCP port, or a change of the port's state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpPort {
    /// What happened.
    pub step: TcpStep,
    /// Local address.
    pub address: IpAddr,
    /// Local port.
    pub port: u16,
    /// The host that asks; `None` for changes of state.
    pub host: Option<IpAddr>,
    /// Connections that are available.
    pub available: u32,
    /// Connections that the port takes.
    pub total: u32,
    /// The share of a host in what is available.
    pub percentage: u8,
    /// Connections that the host holds.
    pub held: u32,
    /// Connections that quality of service grants the host.
    pub granted: Option<u32>,
    /// Whether the rule limits, or only tells.
    pub limit: bool,
    /// Seconds that the port was constrained.
    pub duration: u64,
    /// Who is told.
    pub told: Told,
}

impl Detail for TcpPort {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str("regulation.tcp"));
        let name = match self.step {
            TcpStep::Total => "tcp-total-connections",
            TcpStep::Source => "tcp-source-connections",
            TcpStep::Exception => "tcp-exception",
            TcpStep::Constrained => "tcp-port-constrained",
            TcpStep::Unconstrained => "tcp-port-unconstrained",
        };
        v.field("name", Value::Str(name));
        let refused = matches!(self.step, TcpStep::Total | TcpStep::Source) && self.limit;
        v.field(
            "action",
            Value::Str(if refused { "limit" } else { "report" }),
        );
        v.field("address", Value::Addr(self.address));
        v.field("port", Value::U64(self.port.into()));
        if let Some(host) = self.host {
            v.field("host", Value::Addr(host));
        }
        v.field("available", Value::U64(self.available.into()));
        v.field("total", Value::U64(self.total.into()));
        v.field("percentage", Value::U64(self.percentage.into()));
        v.field("held", Value::U64(self.held.into()));
        if let Some(granted) = self.granted {
            v.field("granted", Value::U64(granted.into()));
        }
        v.field("duration", Value::U64(self.duration));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

/// What a pool of connections is named by: the port, and the address unless the scope is the port.
type PoolKey = (IpAddr, u16);

#[derive(Clone, Copy, Debug)]
struct Pool {
    id: u32,
    used: u32,
    constrained: Option<(Instant, u32)>,
}

/// Connections as counted.
#[derive(Clone, Debug)]
pub(crate) struct TcpPorts {
    pools: FixedMap<PoolKey, Pool>,
    hosts: FixedMap<(u32, IpAddr), u32>,
    ids: u32,
}

/// The address that stands for all.
const ANY: IpAddr = IpAddr::V6(core::net::Ipv6Addr::UNSPECIFIED);

const fn pool_key(scope: Scope, local: IpAddr, port: u16) -> PoolKey {
    match scope {
        Scope::Port => (ANY, port),
        Scope::PortInstance => (local, port),
    }
}

impl TcpPorts {
    pub(crate) fn new(ports: usize, hosts: usize) -> Self {
        Self {
            pools: FixedMap::new(ports),
            hosts: FixedMap::new(hosts),
            ids: 0,
        }
    }

    pub(crate) const fn set_key(&mut self, key: HashKey) {
        self.pools.set_key(key);
        self.hosts.set_key(key);
    }

    /// Connections of a port that are counted, those of one host among them.
    pub(crate) fn used(&self, policy: &Policy, local: (IpAddr, u16), host: IpAddr) -> (u32, u32) {
        let keys = policy
            .tcp_port(local.0, local.1)
            .map(|(_, rule)| pool_key(rule.scope, local.0, local.1));
        let Some(pool) = keys.and_then(|k| self.pools.get(&k)) else {
            return (0, 0);
        };
        (
            pool.used,
            self.hosts.get(&(pool.id, host)).copied().unwrap_or(0),
        )
    }

    /// A handshake with `key` (the other end first) is complete. `granted` is what quality of
    /// service grants the host, if it has a rule for exactly this port and this host.
    pub(crate) fn opened(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        key: &FlowKey,
        granted: Option<u32>,
    ) -> Admission {
        let (local, port, host) = (key.destination(), key.destination_port(), key.source());
        let Some((_, rule)) = policy.tcp_port(local, port) else {
            return Admission::Uncounted;
        };
        let pool_key = pool_key(rule.scope, local, port);
        let ids = &mut self.ids;
        let fresh = || {
            *ids = ids.wrapping_add(1);
            Pool {
                id: *ids,
                used: 0,
                constrained: None,
            }
        };
        let Some(pool) = self.pools.entry(&pool_key, fresh) else {
            return Admission::Uncounted;
        };
        let available = rule.total.saturating_sub(pool.used);
        let held = self.hosts.get(&(pool.id, host)).copied().unwrap_or(0);
        let within = u64::from(held) * 100 < u64::from(rule.percentage) * u64::from(available);
        let mut told = Decision {
            at: (local, port),
            host: Some(host),
            available,
            held,
            granted,
            since: None,
            correlator: 0,
        };
        let refusal = if available == 0 {
            Some((TcpStep::Total, TCP_TOTAL, 0x0100_4048))
        } else if held == 0 || within {
            None
        } else if pool.constrained.is_none() && granted.is_some_and(|g| g > held) {
            told.correlator = desk.correlator();
            tell(desk, cx, rule, TcpStep::Exception, 0x0100_4014, &told);
            None
        } else if granted.is_some() {
            Some((TcpStep::Source, TCP_SOURCE, 0x0100_4042))
        } else {
            Some((TcpStep::Source, TCP_SOURCE, 0x0100_4044))
        };
        if let Some((step, code, probe)) = refusal {
            told.correlator = desk.correlator();
            tell(desk, cx, rule, step, probe, &told);
            if let Some(defense) = rule.defense.filter(|_| step == TcpStep::Source) {
                desk.defend(cx, &defense, host, code, true);
            }
            if rule.limit {
                if pool.used == 0 {
                    self.pools.remove(&pool_key);
                }
                return Admission::Refused(code);
            }
        }
        pool.used = pool.used.saturating_add(1);
        if let Some(held) = self.hosts.entry(&(pool.id, host), || 0) {
            *held = held.saturating_add(1);
        }
        settle(pool, desk, cx, rule, (local, port));
        Admission::Counted(rule.scope)
    }

    /// A connection that was counted is over.
    pub(crate) fn closed(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        key: &FlowKey,
        scope: Scope,
    ) {
        let pool_key = pool_key(scope, key.destination(), key.destination_port());
        let Some(pool) = self.pools.get_mut(&pool_key) else {
            return;
        };
        pool.used = pool.used.saturating_sub(1);
        let host = (pool.id, key.source());
        if let Some(held) = self.hosts.get_mut(&host) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.hosts.remove(&host);
            }
        }
        let (local, port) = (key.destination(), key.destination_port());
        if let Some((_, rule)) = policy.tcp_port(local, port) {
            settle(pool, desk, cx, rule, (local, port));
        }
        if pool.used == 0 {
            self.pools.remove(&pool_key);
        }
    }
}

/// Notes whether the port is constrained.
fn settle(
    pool: &mut Pool,
    desk: &mut Desk,
    cx: &mut Cx<'_>,
    rule: &TcpRegulation,
    at: (IpAddr, u16),
) {
    let is = constrained(
        pool.constrained.is_some(),
        pool.used.into(),
        rule.total.into(),
    );
    if is == pool.constrained.is_some() {
        return;
    }
    let step = if is {
        pool.constrained = Some((cx.now.mono, desk.correlator()));
        TcpStep::Constrained
    } else {
        TcpStep::Unconstrained
    };
    let Some((since, correlator)) = pool.constrained else {
        return;
    };
    if !is {
        pool.constrained = None;
    }
    let probe = if is { 0x0100_4200 } else { 0x0100_2200 };
    let told = Decision {
        at,
        host: None,
        available: rule.total.saturating_sub(pool.used),
        held: 0,
        granted: None,
        since: Some(since),
        correlator,
    };
    tell(desk, cx, rule, step, probe, &told);
}

struct Decision {
    at: (IpAddr, u16),
    host: Option<IpAddr>,
    available: u32,
    held: u32,
    granted: Option<u32>,
    since: Option<Instant>,
    correlator: u32,
}

#[cold]
fn tell(
    desk: &mut Desk,
    cx: &mut Cx<'_>,
    rule: &TcpRegulation,
    step: TcpStep,
    probe: u32,
    d: &Decision,
) {
    let code = match step {
        TcpStep::Total => TCP_TOTAL,
        TcpStep::Source => TCP_SOURCE,
        TcpStep::Exception => TCP_EXCEPTION,
        TcpStep::Constrained => TCP_CONSTRAINED,
        TcpStep::Unconstrained => TCP_UNCONSTRAINED,
    };
    desk.settle(cx, Category::Tcp);
    let refused = matches!(step, TcpStep::Total | TcpStep::Source) && rule.limit;
    let channels = desk.admit(Category::Tcp, &rule.rule, (refused, false), cx.now.mono);
    let detail = TcpPort {
        step,
        address: d.at.0,
        port: d.at.1,
        host: d.host,
        available: d.available,
        total: rule.total,
        percentage: rule.percentage,
        held: d.held,
        granted: d.granted,
        limit: rule.limit,
        duration: d
            .since
            .map_or(0, |s| cx.now.mono.saturating_since(s).as_secs()),
        told: Desk::told(&rule.rule, d.correlator, ProbeId::new(probe), channels),
    };
    Desk::tell(cx, code, channels, None, &detail);
}
