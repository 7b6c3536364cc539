//! The control: packets in, verdicts and events out.

use alloc::string::String;
use alloc::sync::Arc;
use core::any::Any;

use hostward_hook::PacketFilter;
use hostward_hook::action::Cx;
use hostward_hook::event::{Class, Detail, FieldVisitor, Value};
use hostward_hook::ident::{RuleId, SaId, TunnelId};
use hostward_hook::meta::Direction;
use hostward_hook::packet::Packet;
use hostward_hook::reason::Reason;
use hostward_hook::verdict::Verdict;

use crate::rule::{Action, Discard, Logging, Rule, RuleSet, Selectors};

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
    /// Name of the rule, empty for the implied deny.
    pub rule: String,
    /// Whether the packet passes.
    pub permit: bool,
    /// Direction of the packet.
    pub direction: Direction,
}

impl Detail for Decision {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("rule", Value::Str(&self.rule));
        v.field(
            "action",
            Value::Str(if self.permit { "permit" } else { "deny" }),
        );
        let inbound = self.direction == Direction::Inbound;
        v.field(
            "direction",
            Value::Str(if inbound { "inbound" } else { "outbound" }),
        );
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

/// The IP filter of one worker: a shared rule set and nothing else.
#[derive(Clone, Debug)]
pub struct Filter<T = ()> {
    rules: Arc<RuleSet>,
    tunnels: T,
}

impl Filter {
    /// A filter with these rules.
    #[must_use]
    pub const fn new(rules: Arc<RuleSet>) -> Self {
        Self { rules, tunnels: () }
    }
}

impl<T> Filter<T> {
    /// A filter that can tell which tunnel a packet came through.
    #[must_use]
    pub const fn with_tunnels(rules: Arc<RuleSet>, tunnels: T) -> Self {
        Self { rules, tunnels }
    }

    /// The rules in force.
    #[must_use]
    pub const fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Puts another rule set in force, between two packets.
    pub fn install(&mut self, rules: Arc<RuleSet>) {
        self.rules = rules;
    }
}

impl<T: Tunnels> PacketFilter for Filter<T> {
    type Slot = ();

    fn decide(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>, _: Option<&mut ()>) -> Verdict {
        let (Some(source), Some(destination)) = (packet.source(), packet.destination()) else {
            return Verdict::Drop(IMPLIED_DENY);
        };
        let selectors = Selectors {
            source,
            destination,
            layout: packet.layout(),
            meta: &packet.meta,
        };
        cx.generation = self.rules.generation();
        match self.rules.first_match(&selectors) {
            Some((at, rule)) => self.apply(cx, packet, RuleId(at as u32), rule),
            None => {
                if self.rules.logs_implicit() {
                    tell(cx, packet, IMPLIED_DENY, None);
                }
                refuse(self.rules.implicit_discard(), IMPLIED_DENY)
            }
        }
    }
}

impl<T: Tunnels> Filter<T> {
    fn apply(&self, cx: &mut Cx<'_>, packet: &Packet<'_>, id: RuleId, rule: &Rule) -> Verdict {
        let (code, verdict) = match rule.action {
            Action::Permit => (PERMITTED, Verdict::Continue),
            Action::Deny => (DENIED, refuse(rule.discard, DENIED)),
            Action::Ipsec(tunnel) if packet.meta.direction() == Direction::Outbound => {
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
        let wanted = match rule.logging {
            Logging::No => false,
            Logging::Yes => true,
            Logging::Permit => code == PERMITTED,
            Logging::Deny => code != PERMITTED,
        };
        if wanted {
            tell(cx, packet, code, Some((id, rule)));
        }
        verdict
    }
}

const fn refuse(discard: Discard, reason: Reason) -> Verdict {
    match discard {
        Discard::Silent => Verdict::Drop(reason),
        Discard::Icmp => Verdict::Reject(reason),
    }
}

fn tell(cx: &mut Cx<'_>, packet: &Packet<'_>, code: Reason, rule: Option<(RuleId, &Rule)>) {
    if !cx.events.wants(Class::Decision) {
        return;
    }
    let detail = Decision {
        rule: rule.map(|(_, r)| r.name.clone()).unwrap_or_default(),
        permit: code == PERMITTED,
        direction: packet.meta.direction(),
    };
    let mut event = cx.event(code, Class::Decision, &detail);
    event.rule = rule.map(|(id, _)| id);
    event.key = packet.key();
    cx.events.emit(&event);
}
