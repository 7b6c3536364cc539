//! What events of the filter tell: types of details, fields by name.

use alloc::sync::Arc;
use core::any::Any;

use hostward_hook::Packet;
use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::ident::{InterfaceId, SaId};
use hostward_hook::meta::{Direction, Routing};

use crate::defensive::{DefensiveFilter, DefensiveMode, EntryId};
use crate::selectors::{Header, Selectors};

/// The packet that an event is about, as far as rules and log lines look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct About {
    /// What rules select by.
    pub selectors: Selectors,
    /// Interface of arrival or departure.
    pub interface: InterfaceId,
    /// Length of the packet in bytes, from the IP header on.
    pub length: usize,
    /// The security association it came through.
    pub sa: Option<SaId>,
}

impl About {
    /// What there is to tell of a packet.
    #[must_use]
    pub fn new(packet: &Packet<'_>, selectors: &Selectors) -> Self {
        Self {
            selectors: *selectors,
            interface: packet.meta.interface,
            length: packet.layout().end(),
            sa: packet.meta.sa,
        }
    }

    fn visit(&self, v: &mut dyn FieldVisitor) {
        let s = &self.selectors;
        match s.header {
            Header::Icmp(kind, code) => {
                v.field("type", Value::U64(kind.into()));
                v.field("code", Value::U64(code.into()));
            }
            Header::Type(kind) => v.field("type", Value::U64(kind.into())),
            // Ports stand in the envelope.
            Header::Ports(..) | Header::Unknown => {}
        }
        if let Some(SaId(sa)) = self.sa {
            v.field("sa", Value::U64(sa.into()));
        }
        let inbound = s.direction == Direction::Inbound;
        let direction = if inbound { "inbound" } else { "outbound" };
        v.field("direction", Value::Str(direction));
        let local = s.routing == Routing::Local;
        v.field(
            "routing",
            Value::Str(if local { "local" } else { "routed" }),
        );
        v.field("security_class", Value::U64(s.security_class.into()));
        v.field("fragment", Value::Bool(s.fragment));
        v.field("length", Value::U64(self.length as u64));
    }
}

/// A decision of the rules.
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
    /// Name of the tunnel it came through, if any and known.
    pub through: Option<Arc<str>>,
    /// Whether the packet passes.
    pub permit: bool,
    /// The packet.
    pub about: About,
}

impl Detail for Decision {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("rule", Value::Str(&self.rule));
        v.field("extension", Value::U64(self.extension.into()));
        if let Some(group) = &self.group {
            v.field("group", Value::Str(group));
        }
        if let Some(tunnel) = &self.tunnel {
            v.field("tunnel", Value::Str(tunnel));
        }
        if let Some(through) = &self.through {
            v.field("through", Value::Str(through));
        }
        let action = if self.permit { "permit" } else { "deny" };
        v.field("action", Value::Str(action));
        self.about.visit(v);
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// An ICMP error that no rule matched, permitted for the packet that it quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorPermitted {
    /// Name of the rule that the quoted packet matches.
    pub rule: Arc<str>,
    /// Number of the rule's simple filter that the quoted packet matches, from 1.
    pub extension: u32,
    /// Name of the tunnel of that rule, if known.
    pub tunnel: Option<Arc<str>>,
    /// The error.
    pub about: About,
    /// The packet that it quotes, in its own direction.
    pub quoted: Selectors,
}

impl Detail for ErrorPermitted {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("rule", Value::Str(&self.rule));
        v.field("extension", Value::U64(self.extension.into()));
        if let Some(tunnel) = &self.tunnel {
            v.field("tunnel", Value::Str(tunnel));
        }
        v.field("action", Value::Str("permit"));
        self.about.visit(v);
        let q = &self.quoted;
        v.field("quoted_source", Value::Addr(q.source));
        v.field("quoted_destination", Value::Addr(q.destination));
        if let Some(protocol) = q.protocol {
            v.field("quoted_protocol", Value::U64(protocol.into()));
        }
        let (first, second) = match q.header {
            Header::Ports(..) => ("quoted_source_port", "quoted_destination_port"),
            Header::Icmp(..) => ("quoted_type", "quoted_code"),
            Header::Type(_) | Header::Unknown => ("quoted_type", ""),
        };
        if let Some((x, y)) = q.header.values() {
            v.field(first, Value::U64(x.into()));
            if !second.is_empty() {
                v.field(second, Value::U64(y.into()));
            }
        }
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// A packet that a defensive filter matched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DefensiveMatch {
    /// Number of the filter.
    pub id: EntryId,
    /// The filter.
    pub filter: Arc<DefensiveFilter>,
    /// Its extension.
    pub extension: u32,
    /// Whether the packet is discarded, or only would have been.
    pub mode: DefensiveMode,
    /// The packet.
    pub about: About,
}

impl Detail for DefensiveMatch {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("rule", Value::Str(&self.filter.name));
        v.field("extension", Value::U64(self.extension.into()));
        v.field("action", Value::Str(self.mode.name()));
        self.about.visit(v);
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// How many messages about a defensive filter were not told because of its log limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suppressed {
    /// Number of the filter.
    pub id: EntryId,
    /// The filter.
    pub filter: Arc<DefensiveFilter>,
    /// Its extension.
    pub extension: u32,
    /// What it does.
    pub mode: DefensiveMode,
    /// How many.
    pub count: u64,
}

impl Detail for Suppressed {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("rule", Value::Str(&self.filter.name));
        v.field("extension", Value::U64(self.extension.into()));
        v.field("action", Value::Str(self.mode.name()));
        v.field("count", Value::U64(self.count));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// How many messages about a rule were not told because of the filter's log limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleSuppressed {
    /// Name of the rule, or of the implied deny.
    pub rule: Arc<str>,
    /// How many.
    pub count: u64,
}

impl Detail for RuleSuppressed {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("rule", Value::Str(&self.rule));
        v.field("count", Value::U64(self.count));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// What happened to a filter, as events tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Happened {
    /// It was added.
    Added,
    /// It was changed.
    Updated,
    /// It was taken out by request, or because its stack became inactive.
    Deleted,
    /// Its lifetime is over.
    Expired,
}

/// A step in the life of a defensive filter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DefenseEvent {
    /// What happened.
    pub happened: Happened,
    /// On which stack; `None` for the master copy of a global filter.
    pub stack: Option<Arc<str>>,
    /// The filter as it is or was.
    pub filter: Arc<DefensiveFilter>,
    /// Its extension.
    pub extension: u32,
    /// It is for all stacks.
    pub global: bool,
    /// The log limit in force.
    pub log_limit: u32,
}

impl Detail for DefenseEvent {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("rule", Value::Str(&self.filter.name));
        v.field("extension", Value::U64(self.extension.into()));
        if let Some(stack) = &self.stack {
            v.field("stack", Value::Str(stack));
        }
        v.field("global", Value::Bool(self.global));
        v.field("mode", Value::Str(self.filter.mode.name()));
        v.field("lifetime", Value::U64(self.filter.lifetime.into()));
        v.field("log", Value::Bool(self.filter.log));
        v.field("log_limit", Value::U64(self.log_limit.into()));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// A stack with more defensive filters than it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overfull {
    /// The stack.
    pub stack: Arc<str>,
    /// How many it has, all of them in force.
    pub count: usize,
    /// How many it may have; until there are fewer no new ones are taken.
    pub max: usize,
}

impl Detail for Overfull {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("stack", Value::Str(&self.stack));
        v.field("count", Value::U64(self.count as u64));
        v.field("max", Value::U64(self.max as u64));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
