//! The control: packets in, verdicts and events out.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use hostward_hook::PacketFilter;
use hostward_hook::action::Cx;
use hostward_hook::event::{Class, Detail, FieldVisitor, Value};
use hostward_hook::ident::{RuleId, SaId, TunnelId};
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::packet::Packet;
use hostward_hook::reason::Reason;
use hostward_hook::time::UnixTime;
use hostward_hook::verdict::Verdict;

use crate::rule::{Action, Discard, Rule};
use crate::rule_set::{InForce, RuleSet};
use crate::selectors::Selectors;
use crate::time::LocalTime;

hostward_hook::codes! {
    /// Codes of the IP filter.
    pub static CODES;
    /// A rule permitted the packet.
    PERMITTED = 2001, "filter-permitted";
    /// A rule denied the packet.
    DENIED = 2002, "filter-denied";
    /// No rule matched, which denies.
    IMPLIED_DENY = 2003, "filter-implied-deny";
    /// A rule demands a tunnel that the packet did not come through.
    NOT_THROUGH_TUNNEL = 2004, "filter-not-through-tunnel";
}

/// What is told of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// Name of the rule; for the implied deny empty, or `SYSDEFAULTDENYRULE` where the default
    /// rules are in force.
    pub rule: Arc<str>,
    /// Number of the rule's simple filter that matched, from 1; 0 for the implied deny.
    pub extension: u32,
    /// Name of the group the rule stands in, if any.
    pub group: Option<Arc<str>>,
    /// Name of the tunnel the rule demands, if any and known.
    pub tunnel: Option<Arc<str>>,
    /// Whether the packet passes.
    pub permit: bool,
    /// Direction of the packet.
    pub direction: Direction,
    /// Local or forwarded traffic.
    pub routing: Routing,
    /// Security class of the interface.
    pub security_class: u8,
    /// The packet is a fragment.
    pub fragment: bool,
}

impl Detail for Decision {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("rule", Value::Str(&self.rule));
        v.field("extension", Value::U64(u64::from(self.extension)));
        if let Some(group) = &self.group {
            v.field("group", Value::Str(group));
        }
        if let Some(tunnel) = &self.tunnel {
            v.field("tunnel", Value::Str(tunnel));
        }
        v.field(
            "action",
            Value::Str(if self.permit { "permit" } else { "deny" }),
        );
        let inbound = self.direction == Direction::Inbound;
        v.field(
            "direction",
            Value::Str(if inbound { "inbound" } else { "outbound" }),
        );
        let local = self.routing == Routing::Local;
        v.field(
            "routing",
            Value::Str(if local { "local" } else { "routed" }),
        );
        v.field("security_class", Value::U64(self.security_class.into()));
        v.field("fragment", Value::Bool(self.fragment));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// Tells which tunnel a security association belongs to, for packets that came through one.
pub trait Tunnels {
    /// The tunnel of an association.
    fn tunnel_of(&self, sa: SaId) -> Option<TunnelId>;
}

/// No tunnels: nothing ever came through one.
impl Tunnels for () {
    fn tunnel_of(&self, _: SaId) -> Option<TunnelId> {
        None
    }
}

/// The IP filter of one worker: shared rule sets and what is in force of them.
///
/// Until a policy is installed the default rules are in force; without default rules that is the
/// implied deny for everything.
#[derive(Clone, Debug)]
pub struct Filter<T = ()> {
    /// The set in force.
    rules: Arc<RuleSet>,
    defaults: Arc<RuleSet>,
    policy: Option<Arc<RuleSet>>,
    /// The operator wants the default rules although there is a policy.
    defaults_wanted: bool,
    in_force: InForce,
    local: Arc<dyn LocalTime>,
    tunnels: T,
}

impl Filter {
    /// A filter with a policy in force.
    #[must_use]
    pub fn new(policy: Arc<RuleSet>) -> Self {
        Self::with_tunnels(policy, ())
    }

    /// A filter with default rules and no policy yet.
    #[must_use]
    pub fn with_defaults(defaults: Arc<RuleSet>) -> Self {
        let mut filter = Self::new(Arc::clone(&defaults));
        filter.defaults = defaults;
        filter.policy = None;
        filter
    }
}

impl<T> Filter<T> {
    /// A filter that can tell which tunnel a packet came through.
    #[must_use]
    pub fn with_tunnels(policy: Arc<RuleSet>, tunnels: T) -> Self {
        Self {
            in_force: InForce::outdated(),
            rules: Arc::clone(&policy),
            defaults: Arc::new(RuleSet::defaults(Vec::new(), 0)),
            policy: Some(policy),
            defaults_wanted: false,
            local: Arc::new(()),
            tunnels,
        }
    }

    /// The same filter where conditions in local time mean the host's.
    #[must_use]
    pub fn local_time(mut self, local: Arc<dyn LocalTime>) -> Self {
        self.local = local;
        self.in_force = InForce::outdated();
        self
    }

    /// The same filter with default rules, in force while there is no policy or the operator
    /// wants them.
    #[must_use]
    pub fn defaults(mut self, defaults: Arc<RuleSet>) -> Self {
        self.defaults = defaults;
        self.choose();
        self
    }

    /// The rules in force, be they a policy's or the default ones.
    #[must_use]
    pub const fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Installs a policy, between two packets. It is in force at once, unless the operator
    /// [wants the default rules](Self::use_defaults).
    pub fn install(&mut self, policy: Arc<RuleSet>) {
        self.policy = Some(policy);
        self.choose();
    }

    /// Puts the default rules in force whatever policy there is (`ipsec -f default`), or the
    /// policy again (`ipsec -f reload`). A host that restarts remembers the choice.
    pub fn use_defaults(&mut self, wanted: bool) {
        self.defaults_wanted = wanted;
        self.choose();
    }

    fn choose(&mut self) {
        let policy = self.policy.as_ref().filter(|_| !self.defaults_wanted);
        self.rules = Arc::clone(policy.unwrap_or(&self.defaults));
        self.in_force = InForce::outdated();
    }

    /// Notices which rules came into force or went out of it since the last packet.
    #[inline]
    fn refresh(&mut self, at: UnixTime) {
        if !self.in_force.is_valid_at(at) {
            self.in_force.update(&self.rules, at, &*self.local);
        }
    }

    /// Whether AH and ESP packets for this host are filtered before they are opened, too.
    #[must_use]
    pub fn pre_decap(&self) -> bool {
        self.rules.settings().pre_decap
    }

    /// What the rules say about a packet at a wall time, without telling anyone: the position and
    /// the first rule that matches, `None` for the implied deny.
    pub fn first_match(&mut self, p: &Selectors, at: UnixTime) -> Option<(RuleId, &Rule)> {
        self.refresh(at);
        let (at, rule) = self.rules.first_match(p, &self.in_force)?;
        Some((RuleId(at as u32), rule))
    }
}

impl<T: Tunnels> PacketFilter for Filter<T> {
    type Slot = ();

    fn decide(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>, _: Option<&mut ()>) -> Verdict {
        let Some(selectors) = Selectors::of(packet) else {
            return Verdict::Drop(IMPLIED_DENY);
        };
        cx.generation = self.rules.generation();
        self.refresh(cx.now.wall);
        match self.rules.first_match(&selectors, &self.in_force) {
            Some((at, rule)) => self.apply(cx, packet, &selectors, RuleId(at as u32), rule),
            None => {
                if self.rules.settings().log_implicit {
                    self.tell(cx, packet, &selectors, IMPLIED_DENY, None);
                }
                refuse(self.rules.settings().implicit_discard, IMPLIED_DENY)
            }
        }
    }

    /// A fragment that is about to be put together is refused when the first rule that matches it
    /// is a deny for fragments only; everything else is decided for the whole datagram.
    fn decide_fragment(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
        let Some(selectors) = Selectors::of(packet) else {
            return Verdict::Drop(IMPLIED_DENY);
        };
        cx.generation = self.rules.generation();
        self.refresh(cx.now.wall);
        match self.rules.first_match(&selectors, &self.in_force) {
            Some((at, rule))
                if rule.action == Action::Deny && rule.matches_as_fragment(&selectors) =>
            {
                self.apply(cx, packet, &selectors, RuleId(at as u32), rule)
            }
            Some(_) | None => Verdict::Continue,
        }
    }
}

impl<T: Tunnels> Filter<T> {
    fn apply(
        &self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        selectors: &Selectors,
        id: RuleId,
        rule: &Rule,
    ) -> Verdict {
        cx.rule = Some(id);
        let (code, verdict) = match rule.action {
            Action::Permit => (PERMITTED, Verdict::Continue),
            Action::Deny => (DENIED, refuse(rule.discard, DENIED)),
            Action::Ipsec(tunnel) if selectors.direction == Direction::Outbound => {
                (PERMITTED, Verdict::Protect { tunnel, rule: id })
            }
            // RFC 4301 section 5.2: inbound traffic that must be protected has to have come
            // through the tunnel that the rule names.
            Action::Ipsec(tunnel) => {
                let through = packet.meta.sa.and_then(|sa| self.tunnels.tunnel_of(sa));
                if through == Some(tunnel) {
                    (PERMITTED, Verdict::Continue)
                } else {
                    (NOT_THROUGH_TUNNEL, refuse(rule.discard, NOT_THROUGH_TUNNEL))
                }
            }
        };
        if rule.logging.tells(code == PERMITTED) {
            self.tell(cx, packet, selectors, code, Some((id, rule)));
        }
        verdict
    }

    fn tell(
        &self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        selectors: &Selectors,
        code: Reason,
        rule: Option<(RuleId, &Rule)>,
    ) {
        if !self.rules.settings().logging || !cx.events.wants(Class::Decision) {
            return;
        }
        let tunnel = match rule.map(|(_, r)| r.action) {
            Some(Action::Ipsec(tunnel)) => self.rules.tunnel(tunnel),
            Some(Action::Permit | Action::Deny) | None => None,
        };
        let detail = Decision {
            rule: rule.map_or_else(
                || self.rules.implied_deny_name().into(),
                |(_, r)| Arc::clone(&r.name),
            ),
            extension: rule.and_then(|(_, r)| r.extension(selectors)).unwrap_or(0),
            group: rule.and_then(|(_, r)| r.group.clone()),
            tunnel: tunnel.map(|t| Arc::clone(&t.name)),
            permit: code == PERMITTED,
            direction: selectors.direction,
            routing: selectors.routing,
            security_class: selectors.security_class,
            fragment: selectors.fragment,
        };
        let mut event = cx.event(code, Class::Decision, &detail);
        event.rule = rule.map(|(id, _)| id);
        event.key = packet.key();
        cx.events.emit(&event);
    }
}

const fn refuse(discard: Discard, reason: Reason) -> Verdict {
    match discard {
        Discard::Silent => Verdict::Drop(reason),
        Discard::Icmp => Verdict::Reject(reason),
    }
}
