//! Rules in the order in which they are tried, and which of them are in force when.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_hook::ident::TunnelId;
use hostward_hook::layout::proto;
use hostward_hook::time::UnixTime;

use crate::compiled::{Compiled, scan};
use crate::rule::{Action, Discard, Rule};
use crate::selectors::Selectors;
use crate::service::Upper;
use crate::time::LocalTime;

/// Where a rule set comes from; displays call it `Source`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a stack has these two tables")]
pub enum Origin {
    /// A policy (`IpFilterPolicy`; `Stack Policy`).
    #[default]
    Policy,
    /// The default rules (`IPSEC` block of the TCP/IP profile; `Stack Profile`).
    Profile,
}

/// What a rule set says beside its rules (`IpFilterPolicy`, `IPSEC`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Settings {
    /// Master switch of what rules and the implied deny tell (`FilterLogging`, `LOGENABLE`).
    pub logging: bool,
    /// Packets that no rule matched are told of (`IpFilterLogImplicit`, `LOGIMPLICIT`).
    pub log_implicit: bool,
    /// What the sender of a packet that no rule matched learns (`ImplicitDiscardAction`).
    pub implicit_discard: Discard,
    /// AH and ESP packets for this host are filtered before they are opened, too (`PreDecap`).
    pub pre_decap: bool,
    /// Outbound packets may start the negotiation of a tunnel (`AllowOnDemand`).
    pub allow_on_demand: bool,
    /// Only algorithms of FIPS 140 (`FIPS140`).
    pub fips140: bool,
}

impl Default for Settings {
    /// Those of an `IpFilterPolicy` that says nothing.
    fn default() -> Self {
        Self {
            logging: true,
            log_implicit: false,
            implicit_discard: Discard::Silent,
            pre_decap: false,
            allow_on_demand: false,
            fips140: false,
        }
    }
}

/// How a tunnel's keys are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TunnelKind {
    /// By hand (`IpManVpnAction`).
    Manual,
    /// By negotiation (`IpDynVpnAction`).
    Dynamic,
}

/// A tunnel that rules name; what it is made of is known to IPsec.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Tunnel {
    /// Name of the action that describes it.
    pub name: Arc<str>,
    /// How its keys are made.
    pub kind: TunnelKind,
    /// Name of the action for negotiations this host starts (`IpLocalStartAction`).
    pub local_start: Option<Arc<str>>,
    /// Identity that the peer must have, as written (`RemoteIdentity`).
    pub remote_identity: Option<Arc<str>>,
}

impl Tunnel {
    /// A tunnel described by the action of this name.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, kind: TunnelKind) -> Self {
        Self {
            name: name.into(),
            kind,
            local_start: None,
            remote_identity: None,
        }
    }
}

/// Rules in the order in which they are tried, compiled; immutable once built.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    tunnels: Vec<Tunnel>,
    generation: u64,
    origin: Origin,
    settings: Settings,
    timed: bool,
    compiled: Arc<Compiled>,
}

/// What was compiled follows from the rules.
impl PartialEq for RuleSet {
    fn eq(&self, other: &Self) -> bool {
        (&self.rules, &self.tunnels, &self.settings)
            == (&other.rules, &other.tunnels, &other.settings)
            && (self.generation, self.origin) == (other.generation, other.origin)
    }
}

impl Eq for RuleSet {}

impl RuleSet {
    /// The rules of a policy, first to last. `generation` tells this set from the ones before and
    /// after it.
    ///
    /// Compiles them, off the packet path: some ten milliseconds for ten thousand ordinary rules, a
    /// few tenths of a second for any ten thousand, and never more than 2^28 steps of work. Rules that stand for more than 131,072 simple filters are not
    /// compiled and tried one by one.
    #[must_use]
    pub fn new(rules: Vec<Rule>, generation: u64) -> Self {
        Self {
            timed: rules.iter().any(|r| !r.times.is_empty()),
            compiled: Arc::new(Compiled::new(&rules)),
            rules,
            tunnels: Vec::new(),
            generation,
            origin: Origin::Policy,
            settings: Settings::default(),
        }
    }

    /// Other rules with the tunnels, origin and settings of this set.
    pub(crate) fn with_rules(&self, rules: Vec<Rule>, generation: u64) -> Self {
        let mut set = Self::new(rules, generation);
        set.tunnels.clone_from(&self.tunnels);
        set.origin = self.origin;
        set.settings = self.settings;
        set
    }

    /// The default rules of a stack: in force until a policy is installed.
    ///
    /// They permit only: each gets the action [`Action::Permit`] and the name `SYSDEFAULTRULE.n`,
    /// counted from 1. Behind them, as far as the stack itself cannot do without, come neighbour
    /// discovery and multicast listener messages of ICMPv6 to and from this host
    /// (`SYSDEFAULTNDRULE`).
    #[must_use]
    pub fn defaults(mut rules: Vec<Rule>, generation: u64) -> Self {
        for (rule, n) in rules.iter_mut().zip(1_u32..) {
            rule.name = format!("SYSDEFAULTRULE.{n}").into();
            rule.action = Action::Permit;
        }
        // RFC 4861: 133–137; RFC 2710: 130–132; RFC 3810: 143.
        for types in [130..=137, 143..=143] {
            rules.push(
                Rule::new("SYSDEFAULTNDRULE", Action::Permit).upper(Upper::Icmp {
                    protocol: proto::ICMPV6,
                    types,
                    codes: 0..=u8::MAX,
                }),
            );
        }
        let mut set = Self::new(rules, generation);
        set.origin = Origin::Profile;
        set.settings.logging = false;
        set
    }

    /// The same set with other settings.
    #[must_use]
    pub const fn with_settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The same set, telling of packets that no rule matched (`IpFilterLogImplicit`) and
    /// answering their senders.
    #[must_use]
    pub const fn implicit(mut self, log: bool, discard: Discard) -> Self {
        self.settings.log_implicit = log;
        self.settings.implicit_discard = discard;
        self
    }

    /// The same set with the tunnels its rules name: `tunnels[n]` is [`TunnelId`]`(n)`.
    #[must_use]
    pub fn with_tunnels(mut self, tunnels: Vec<Tunnel>) -> Self {
        self.tunnels = tunnels;
        self
    }

    /// The rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The tunnels that rules name, by number.
    #[must_use]
    pub fn tunnels(&self) -> &[Tunnel] {
        &self.tunnels
    }

    /// The tunnel of a number, as far as the set knows it by name.
    #[must_use]
    pub fn tunnel(&self, id: TunnelId) -> Option<&Tunnel> {
        self.tunnels.get(id.0 as usize)
    }

    /// Which set it is.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Where it comes from.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// What it says beside its rules.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The name under which the implied deny is told.
    #[must_use]
    pub const fn implied_deny_name(&self) -> &'static str {
        match self.origin {
            Origin::Policy => "",
            Origin::Profile => "SYSDEFAULTDENYRULE",
        }
    }

    /// Which rules are in force at a wall time. O(rules) when any has a time condition.
    #[must_use]
    pub fn in_force(&self, at: UnixTime, local: &dyn LocalTime) -> InForce {
        let mut in_force = InForce::default();
        in_force.update(self, at, local);
        in_force
    }

    /// The first rule in force that matches and its position; `None` is the implied deny. Takes
    /// tens of nanoseconds, also for thousands of rules; equal to [`scan`](Self::scan).
    #[inline]
    #[must_use]
    pub fn first_match(&self, p: &Selectors, in_force: &InForce) -> Option<(usize, &Rule)> {
        let at = self.compiled.first_match(&self.rules, p, in_force)?;
        Some((at, self.rules.get(at)?))
    }

    /// The same for many packets, several times faster: `out` has for each packet the position
    /// that [`first_match`](Self::first_match) answers. Stops at the shorter of the two.
    pub fn first_match_batch(
        &self,
        packets: &[Selectors],
        in_force: &InForce,
        out: &mut [Option<usize>],
    ) {
        self.compiled
            .first_match_batch(&self.rules, packets, in_force, out);
    }

    /// The same by trying one rule after the other: the executable specification. O(rules).
    #[must_use]
    pub fn scan(&self, p: &Selectors, in_force: &InForce) -> Option<(usize, &Rule)> {
        let at = scan(&self.rules, p, in_force)?;
        Some((at, self.rules.get(at)?))
    }

    /// Bytes of heap that the compiled form takes beside the rules.
    #[must_use]
    pub fn compiled_bytes(&self) -> usize {
        self.compiled.bytes()
    }
}

/// Which rules of a set exist at a time, and until when that holds.
///
/// A new one says that all do, at every time: right for a set without time conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// One bit a rule that does not exist now; empty when all do.
    absent: Vec<u64>,
    since: UnixTime,
    until: UnixTime,
}

impl Default for InForce {
    fn default() -> Self {
        Self {
            absent: Vec::new(),
            since: UnixTime::EPOCH,
            until: UnixTime::from_micros(u64::MAX),
        }
    }
}

impl InForce {
    /// One that is valid at no time: to be brought up to date before it is used.
    #[must_use]
    pub const fn outdated() -> Self {
        Self {
            absent: Vec::new(),
            since: UnixTime::from_micros(u64::MAX),
            until: UnixTime::EPOCH,
        }
    }

    /// Whether the rule at a position exists.
    #[inline]
    #[must_use]
    pub fn contains(&self, at: usize) -> bool {
        self.absent
            .get(at / 64)
            .is_none_or(|word| word >> (at % 64) & 1 == 0)
    }

    /// Whether it is right at a wall time, also when the clock was set back.
    #[inline]
    #[must_use]
    pub fn is_valid_at(&self, at: UnixTime) -> bool {
        self.since <= at && at < self.until
    }

    /// When it may be wrong from.
    #[must_use]
    pub const fn valid_until(&self) -> UnixTime {
        self.until
    }

    /// Brings it up to date for a set; whether any rule came or went. Allocates only on the first
    /// call for a larger set.
    pub fn update(&mut self, set: &RuleSet, at: UnixTime, local: &dyn LocalTime) -> bool {
        if !set.timed {
            let changed = self.absent.iter().any(|w| *w != 0);
            *self = Self::default();
            return changed;
        }
        self.since = at;
        self.until = UnixTime::from_micros(u64::MAX);
        let words = set.rules.len().div_ceil(64);
        let mut changed = false;
        self.absent.resize(words, 0);
        for (word, rules) in self.absent.iter_mut().zip(set.rules.chunks(64)) {
            let mut new = 0_u64;
            for (bit, rule) in rules.iter().enumerate() {
                if rule.times.is_empty() {
                    continue;
                }
                for time in &rule.times {
                    self.until = self.until.min(time.steady_until(at, local));
                }
                if !rule.times.iter().any(|t| t.holds(at, local)) {
                    new |= 1 << bit;
                }
            }
            changed |= *word != new;
            *word = new;
        }
        changed
    }
}
