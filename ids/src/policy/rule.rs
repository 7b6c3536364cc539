//! Rules, and the policy they make.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};
use core::ops::RangeInclusive;
use core::time::Duration;

use hostward_hook::ident::JobId;

use super::attack::{Attack, AttackType, QueueSize};
use super::report::ReportSet;

/// Ports from the first to the last.
pub type PortRange = RangeInclusive<u16>;

/// What every rule has (`IDSRule` and the `IDSAction` it refers to).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a rule is")]
pub struct Rule {
    /// Its name, 1 to 32 characters.
    pub name: Arc<str>,
    /// Of several rules that fit, the one with the greatest number counts, of equal ones the first.
    pub priority: u32,
    /// The name of its action.
    pub action: Arc<str>,
    /// Who is told.
    pub reports: ReportSet,
}

impl Rule {
    /// A rule of this name with priority 1 that tells the log.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            priority: 1,
            action: name.into(),
            reports: ReportSet::log(),
        }
    }
}

/// Addresses from the first to the last, of one IP version; IPv4 and its mapped form are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressRange {
    first: u128,
    last: u128,
}

impl AddressRange {
    /// All addresses of both versions.
    pub const ALL: Self = Self {
        first: 0,
        last: u128::MAX,
    };

    /// From the first to the last; `None` if they are of different versions or the wrong way round.
    #[must_use]
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        let same = first.is_ipv4() == last.is_ipv4();
        let (first, last) = (bits(first), bits(last));
        (same && first <= last).then_some(Self { first, last })
    }

    /// One address.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        let bits = bits(address);
        Self {
            first: bits,
            last: bits,
        }
    }

    /// A prefix; bits behind its length do not matter, longer ones count as whole.
    #[must_use]
    pub fn prefix(address: IpAddr, length: u8) -> Self {
        let length = u32::from(length) + if address.is_ipv4() { 96 } else { 0 };
        let host = u128::MAX.checked_shr(length).unwrap_or(0);
        let bits = bits(address);
        Self {
            first: bits & !host,
            last: bits | host,
        }
    }

    /// Whether it is one of them.
    #[inline]
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        (self.first..=self.last).contains(&bits(address))
    }
}

fn bits(address: IpAddr) -> u128 {
    let v6: Ipv6Addr = match address {
        IpAddr::V4(a) => a.to_ipv6_mapped(),
        IpAddr::V6(a) => a,
    };
    v6.to_bits()
}

/// Who is left out of an attack rule (`IDSExclusion`): what fits in every respect is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct Exclusion {
    /// The other end.
    pub remote: AddressRange,
    /// Ports of the other end.
    pub remote_ports: PortRange,
    /// Ports of this host.
    pub local_ports: PortRange,
    /// The job that owns the socket; `None` for any.
    pub job: Option<JobId>,
}

impl Default for Exclusion {
    fn default() -> Self {
        Self {
            remote: AddressRange::ALL,
            remote_ports: 0..=u16::MAX,
            local_ports: 0..=u16::MAX,
            job: None,
        }
    }
}

/// A defensive filter that is asked for against a source, once the evidence is strong enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "two settings")]
pub struct Defense {
    /// How long the filter lives.
    pub lifetime: Duration,
    /// Whether a packet whose source may be forged is evidence enough. Then an attacker can have
    /// anybody locked out, so no unless asked for.
    pub spoofable: bool,
}

/// An attack rule (`ConditionType Attack`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a rule is")]
pub struct AttackRule {
    /// What every rule has.
    pub rule: Rule,
    /// What it looks for.
    pub attack: Attack,
    /// Whether packets are discarded (`discard`) or connections reset (`resetconn`).
    pub respond: bool,
    /// Who is left out.
    pub exclusions: Vec<Exclusion>,
    /// Whether a defensive filter is asked for.
    pub defense: Option<Defense>,
}

impl AttackRule {
    /// A rule that tells the log and lets pass.
    #[must_use]
    pub fn new(name: &str, attack: Attack) -> Self {
        Self {
            rule: Rule::new(name),
            attack,
            respond: false,
            exclusions: Vec::new(),
            defense: None,
        }
    }
}

/// How scans are told from ordinary traffic (`ConditionType ScanGlobal`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a rule is")]
pub struct ScanGlobalRule {
    /// What every rule has.
    pub rule: Rule,
    /// Minutes in which a fast scan is looked for, 1–1,440 (`FSInterval`, 1).
    pub fast_minutes: u32,
    /// Different events of one source that make a fast scan, 1–64 (`FSThreshold`, 5).
    pub fast_threshold: u32,
    /// Minutes in which a slow scan is looked for, 0–1,440, 0 for none (`SSInterval`, 120).
    pub slow_minutes: u32,
    /// Different events of one source that make a slow scan, 1–64 (`SSThreshold`, 10).
    pub slow_threshold: u32,
    /// Whether a defensive filter is asked for.
    pub defense: Option<Defense>,
}

impl ScanGlobalRule {
    /// A rule with the usual numbers.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            rule: Rule::new(name),
            fast_minutes: 1,
            fast_threshold: 5,
            slow_minutes: 120,
            slow_threshold: 10,
            defense: None,
        }
    }
}

/// The protocol of a scan event rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are four")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP.
    Icmp,
    /// ICMPv6.
    Icmpv6,
}

/// Which events count (`Sensitivity`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are four")]
pub enum Sensitivity {
    /// None.
    None,
    /// Very suspicious ones.
    Low,
    /// Possibly suspicious ones as well.
    #[default]
    Medium,
    /// All.
    High,
}

/// A source that is not counted (`ExcludedAddrPort`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "two settings")]
pub struct ScanExclusion {
    /// Source addresses.
    pub source: AddressRange,
    /// Source port; 0 for any.
    pub port: u16,
}

/// What counts towards a scan (`ConditionType ScanEvent`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a rule is")]
pub struct ScanEventRule {
    /// What every rule has.
    pub rule: Rule,
    /// The protocol.
    pub protocol: Protocol,
    /// Local addresses; empty for all.
    pub local: Vec<AddressRange>,
    /// Local ports; empty for all.
    pub ports: Vec<PortRange>,
    /// Which events.
    pub sensitivity: Sensitivity,
    /// Sources that are not counted.
    pub exclusions: Vec<ScanExclusion>,
}

impl ScanEventRule {
    /// A rule for all addresses and ports with medium sensitivity.
    #[must_use]
    pub fn new(name: &str, protocol: Protocol) -> Self {
        Self {
            rule: Rule::new(name),
            protocol,
            local: Vec::new(),
            ports: Vec::new(),
            sensitivity: Sensitivity::Medium,
            exclusions: Vec::new(),
        }
    }

    /// Whether a source is left out.
    #[must_use]
    pub fn excludes(&self, source: IpAddr, port: u16) -> bool {
        let fits = |e: &ScanExclusion| (e.port == 0 || e.port == port) && e.source.contains(source);
        self.exclusions.iter().any(fits)
    }
}

/// What a limit of connections is about (`TRtcpLimitScope`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum Scope {
    /// A port: all its listening sockets share.
    Port,
    /// A listening socket: the port at one address.
    #[default]
    PortInstance,
}

/// How many connections a TCP port takes (`ConditionType TR`, `Protocol Tcp`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a rule is")]
pub struct TcpRegulation {
    /// What every rule has.
    pub rule: Rule,
    /// Local addresses; empty for all.
    pub local: Vec<AddressRange>,
    /// Local ports; empty for all.
    pub ports: Vec<PortRange>,
    /// Connections in all, 1–65,535 (`TRtcpTotalConnections`).
    pub total: u32,
    /// How much of what is available one host may hold, in percent, 0–100 (`TRtcpPercentage`).
    pub percentage: u8,
    /// What shares the total.
    pub scope: Scope,
    /// Whether connections above are refused (`limit`) or only told (`nolimit`).
    pub limit: bool,
    /// Whether a defensive filter is asked for against a host over its percentage.
    pub defense: Option<Defense>,
}

impl TcpRegulation {
    /// A rule for all ports without bounds that only tells.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            rule: Rule::new(name),
            local: Vec::new(),
            ports: Vec::new(),
            total: 65_535,
            percentage: 100,
            scope: Scope::PortInstance,
            limit: false,
            defense: None,
        }
    }
}

/// How much may wait on a UDP port (`ConditionType TR`, `Protocol Udp`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a rule is")]
pub struct UdpRegulation {
    /// What every rule has.
    pub rule: Rule,
    /// Local addresses; empty for all.
    pub local: Vec<AddressRange>,
    /// Local ports; empty for all.
    pub ports: Vec<PortRange>,
    /// How much may wait (`TRudpQueueSize`).
    pub size: QueueSize,
    /// Whether datagrams above are discarded (`limit`) or only counted (`nolimit`).
    pub limit: bool,
}

impl UdpRegulation {
    /// A rule for all ports with the longest queue that only tells.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            rule: Rule::new(name),
            local: Vec::new(),
            ports: Vec::new(),
            size: QueueSize::VeryLong,
            limit: false,
        }
    }
}

/// How often is told (z/OS's numbers are the defaults). 0 stands for any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct Limits {
    /// Log messages of one type of attack in five minutes; the others are counted. 100.
    pub log: u32,
    /// Packets traced for one type of attack in five minutes. 100.
    pub trace: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            log: 100,
            trace: 100,
        }
    }
}

/// All rules of intrusion detection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct Policy {
    /// Attack rules; of several of one type the one with the greatest priority counts, of equal
    /// ones the first.
    pub attacks: Vec<AttackRule>,
    /// The rule of scans; without it, or without a rule for events, none are looked for.
    pub scan: Option<ScanGlobalRule>,
    /// Rules of scan events.
    pub scan_events: Vec<ScanEventRule>,
    /// Rules of TCP ports.
    pub tcp: Vec<TcpRegulation>,
    /// Rules of UDP ports.
    pub udp: Vec<UdpRegulation>,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A name is empty or longer than 32 characters.
    #[error("a name has 1 to 32 characters: {0:?}")]
    Name(String),
    /// A number is outside of its range.
    #[error("rule {rule}: {what} is {value}, not {least} to {most}")]
    Number {
        /// The rule.
        rule: Arc<str>,
        /// What the number is.
        what: &'static str,
        /// The number.
        value: u32,
        /// The least.
        least: u32,
        /// The greatest.
        most: u32,
    },
    /// An attack rule lacks the list of what it looks for.
    #[error("rule {rule}: {} needs a list that is not empty", attack.name())]
    NoList {
        /// The rule.
        rule: Arc<str>,
        /// Its type.
        attack: AttackType,
    },
    /// A slow scan would be told as soon as, or before, a fast one.
    #[error("rule {0}: the slow interval and threshold must be greater than the fast ones")]
    SlowNotSlower(Arc<str>),
}

impl Policy {
    /// No rules: malformed packets are discarded and nobody is told.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            attacks: Vec::new(),
            scan: None,
            scan_events: Vec::new(),
            tcp: Vec::new(),
            udp: Vec::new(),
        }
    }

    /// The rule that counts for a type of attack.
    #[must_use]
    pub fn attack(&self, kind: AttackType) -> Option<&AttackRule> {
        highest(
            self.attacks.iter().filter(|r| r.attack.kind() == kind),
            |r| &r.rule,
        )
    }

    /// The rule that counts for an event of a scan. ICMP has no ports.
    #[must_use]
    pub fn scan_event(
        &self,
        protocol: Protocol,
        local: IpAddr,
        port: u16,
    ) -> Option<&ScanEventRule> {
        let ported = matches!(protocol, Protocol::Tcp | Protocol::Udp);
        let rules = self.scan_events.iter().filter(|r| {
            let ports: &[PortRange] = if ported { &r.ports } else { &[] };
            r.protocol == protocol && fits(&r.local, ports, local, port)
        });
        highest(rules, |r| &r.rule)
    }

    /// The rule that counts for a TCP port at an address, and its place.
    #[must_use]
    pub fn tcp_port(&self, local: IpAddr, port: u16) -> Option<(usize, &TcpRegulation)> {
        let rules = self.tcp.iter().enumerate();
        highest(
            rules.filter(|(_, r)| fits(&r.local, &r.ports, local, port)),
            |(_, r)| &r.rule,
        )
    }

    /// The rule that counts for a UDP port at an address, and its place.
    #[must_use]
    pub fn udp_port(&self, local: IpAddr, port: u16) -> Option<(usize, &UdpRegulation)> {
        let rules = self.udp.iter().enumerate();
        highest(
            rules.filter(|(_, r)| fits(&r.local, &r.ports, local, port)),
            |(_, r)| &r.rule,
        )
    }

    /// What is wrong with it: the first thing, in the order of the rules.
    ///
    /// # Errors
    /// As told by [`PolicyError`].
    pub fn check(&self) -> Result<(), PolicyError> {
        for r in &self.attacks {
            name(&r.rule)?;
            attack(r)?;
        }
        if let Some(r) = &self.scan {
            name(&r.rule)?;
            number(&r.rule, "the fast interval", r.fast_minutes, 1, 1440)?;
            number(&r.rule, "the fast threshold", r.fast_threshold, 1, 64)?;
            number(&r.rule, "the slow interval", r.slow_minutes, 0, 1440)?;
            number(&r.rule, "the slow threshold", r.slow_threshold, 1, 64)?;
            let slower = r.slow_minutes > r.fast_minutes && r.slow_threshold > r.fast_threshold;
            if r.slow_minutes != 0 && !slower {
                return Err(PolicyError::SlowNotSlower(Arc::clone(&r.rule.name)));
            }
        }
        for r in &self.scan_events {
            name(&r.rule)?;
        }
        for r in &self.tcp {
            name(&r.rule)?;
            number(&r.rule, "the number of connections", r.total, 1, 65_535)?;
            number(&r.rule, "the percentage", r.percentage.into(), 0, 100)?;
        }
        self.udp.iter().try_for_each(|r| name(&r.rule))
    }
}

/// Of rules with the greatest priority the first.
fn highest<'r, T>(rules: impl Iterator<Item = T>, of: impl Fn(&T) -> &'r Rule) -> Option<T> {
    rules.fold(None, |best, rule| match best {
        Some(best) if of(&best).priority >= of(&rule).priority => Some(best),
        Some(_) | None => Some(rule),
    })
}

fn fits(addresses: &[AddressRange], ports: &[PortRange], local: IpAddr, port: u16) -> bool {
    (addresses.is_empty() || addresses.iter().any(|a| a.contains(local)))
        && (ports.is_empty() || ports.iter().any(|p| p.contains(&port)))
}

fn name(rule: &Rule) -> Result<(), PolicyError> {
    for name in [&rule.name, &rule.action] {
        if name.is_empty() || name.chars().count() > 32 {
            return Err(PolicyError::Name((**name).into()));
        }
    }
    if let Some(log) = rule.reports.log {
        number(rule, "the logging level", log.into(), 0, 7)?;
    }
    if let Some(s) = rule.reports.statistics {
        number(rule, "the statistics interval", s.minutes, 1, u32::MAX)?;
    }
    Ok(())
}

fn number(
    rule: &Rule,
    what: &'static str,
    value: u32,
    least: u32,
    most: u32,
) -> Result<(), PolicyError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(PolicyError::Number {
        rule: Arc::clone(&rule.name),
        what,
        value,
        least,
        most,
    })
}

fn attack(r: &AttackRule) -> Result<(), PolicyError> {
    let empty = match &r.attack {
        Attack::RestrictedIpOptions(set)
        | Attack::RestrictedIpProtocol(set)
        | Attack::RestrictedIpv6NextHeader(set)
        | Attack::RestrictedIpv6DestinationOptions(set)
        | Attack::RestrictedIpv6HopOptions(set) => set.is_empty(),
        Attack::PerpetualEcho { local, remote } => local.is_empty() || remote.is_empty(),
        Attack::Flood {
            percentage,
            minimum,
        } => {
            number(
                &r.rule,
                "the percentage of discards",
                (*percentage).into(),
                1,
                100,
            )?;
            number(
                &r.rule,
                "the least number of discards",
                *minimum,
                1,
                999_999_999,
            )?;
            false
        }
        Attack::EeXidFlood { timeouts } => {
            number(&r.rule, "the number of time-outs", *timeouts, 1, u32::MAX)?;
            false
        }
        Attack::MalformedPacket
        | Attack::OutboundRaw { .. }
        | Attack::IpFragment { .. }
        | Attack::IcmpRedirect
        | Attack::DataHiding { .. }
        | Attack::TcpQueueSize(_)
        | Attack::GlobalTcpStall
        | Attack::OutboundRawIpv6 { .. }
        | Attack::EeLdlcCheck
        | Attack::EeMalformedPacket
        | Attack::EePortCheck => false,
    };
    if empty {
        return Err(PolicyError::NoList {
            rule: Arc::clone(&r.rule.name),
            attack: r.attack.kind(),
        });
    }
    Ok(())
}
