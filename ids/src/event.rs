//! What events of intrusion detection tell.
//!
//! Each detail has [`Told`]: who is to be told, under which rule, and the correlator that joins the
//! events of one occurrence: start and end of a flood, a queue's way in and out, a message and the
//! trace of its packet.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt;

use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::ident::InterfaceId;
use hostward_hook::layout::Fragment;
use hostward_hook::packet::Packet;
use hostward_hook::reason::Code;

use crate::policy::{AttackType, Trace};

/// Where in detection something was noticed, as z/OS numbers it: the family, the type, and a number.
/// Where IBM's number is not known it is one of our own, from 8000 (hexadecimal) up: the
/// code of the event less 3000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(u32);

impl ProbeId {
    /// A probe id by its number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Our own number for an event of a type of attack.
    #[must_use]
    pub const fn attack(kind: AttackType, code: Code) -> Self {
        Self(0x0400_8000 | (kind as u32) << 16 | (code.get() as u32).saturating_sub(3000))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ProbeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)
    }
}

/// Who is to be told of an event: what the rule asks for and the caps leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Channels {
    /// The log, with this severity (0–7 as in syslog).
    pub log: Option<u8>,
    /// The console.
    pub console: bool,
    /// A trace of the packet in hand: whoever lends the packets writes it, with a comment that
    /// names rule and correlator.
    pub trace: Option<Trace>,
    /// A record of counts at intervals.
    pub statistics: bool,
}

impl Channels {
    /// Whether anybody is to be told.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.log.is_some() || self.console || self.trace.is_some() || self.statistics
    }
}

/// What all events have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Told {
    /// Joins the events of one occurrence; never 0 but for counts, which belong to none.
    pub correlator: u32,
    /// Where it was noticed.
    pub probe: ProbeId,
    /// The rule.
    pub rule: Arc<str>,
    /// Its action.
    pub action: Arc<str>,
    /// Who is to be told.
    pub channels: Channels,
}

impl Told {
    pub(crate) fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("probe_id", Value::U64(self.probe.0.into()));
        if self.correlator != 0 {
            v.field("correlator", Value::U64(self.correlator.into()));
        }
        v.field("rule", Value::Str(&self.rule));
        let c = &self.channels;
        if let Some(level) = c.log {
            v.field("log_level", Value::U64(level.into()));
        }
        v.field("console", Value::Bool(c.console));
        v.field("trace", Value::Bool(c.trace.is_some()));
    }
}

/// What a detector found in a packet: what and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What.
    pub code: Code,
    /// Short stable name of it.
    pub name: &'static str,
    /// The header field at fault.
    pub field: &'static str,
    /// Where the field is, from the start of the IP header.
    pub offset: Option<u16>,
    /// The value found there.
    pub value: Option<u32>,
    /// Whether the packet is discarded for it.
    pub discard: bool,
}

impl Finding {
    /// Something found at a place.
    pub(crate) fn at(
        code: Code,
        name: &'static str,
        field: &'static str,
        offset: usize,
        value: u32,
    ) -> Self {
        Self {
            code,
            name,
            field,
            offset: u16::try_from(offset).ok(),
            value: Some(value),
            discard: false,
        }
    }
}

/// An attack that a packet is, or is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttackPacket {
    /// The type.
    pub attack: AttackType,
    /// What was found; [`Finding::discard`] says what is done.
    pub finding: Finding,
    /// Who is told.
    pub told: Told,
    /// Offset of the fragment, if the packet is one.
    pub fragment: Option<u16>,
    /// Length of the packet in bytes, from the IP header on.
    pub length: u32,
    /// Interface of arrival or departure.
    pub interface: InterfaceId,
}

impl AttackPacket {
    pub(crate) fn new(
        attack: AttackType,
        finding: Finding,
        told: Told,
        packet: &Packet<'_>,
    ) -> Self {
        let l = packet.layout();
        Self {
            attack,
            finding,
            told,
            fragment: (l.fragment() != Fragment::Whole).then(|| l.fragment_offset()),
            length: u32::try_from(l.end()).unwrap_or(u32::MAX),
            interface: packet.meta.interface,
        }
    }
}

impl Detail for AttackPacket {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        let f = &self.finding;
        v.field("kind", Value::Str(self.attack.kind()));
        v.field("name", Value::Str(f.name));
        v.field("field", Value::Str(f.field));
        if let Some(offset) = f.offset {
            v.field("offset", Value::U64(offset.into()));
        }
        if let Some(value) = f.value {
            v.field("value", Value::U64(value.into()));
        }
        let action = if f.discard { "discard" } else { "report" };
        v.field("action", Value::Str(action));
        if let Some(offset) = self.fragment {
            v.field("fragment_offset", Value::U64(offset.into()));
        }
        v.field("length", Value::U64(self.length.into()));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// Log messages about a type of attack that were not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Suppressed {
    /// The type; `None` for messages of traffic regulation and scans.
    pub attack: Option<AttackType>,
    /// How many in five minutes.
    pub count: u64,
    /// The severity of those that were told.
    pub level: u8,
}

impl Detail for Suppressed {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str("ids.suppressed"));
        if let Some(attack) = self.attack {
            v.field("attack", Value::Str(attack.name()));
        }
        v.field("count", Value::U64(self.count));
        v.field("log_level", Value::U64(self.level.into()));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// How often a type of attack was seen in an interval.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttackStatistics {
    /// The type.
    pub attack: AttackType,
    /// Events in the interval.
    pub events: u64,
    /// How many of them discarded a packet or reset a connection.
    pub discarded: u64,
    /// Seconds of the interval.
    pub seconds: u64,
    /// Whether the rule's action is to discard or reset.
    pub respond: bool,
    /// The rule.
    pub told: Told,
}

impl Detail for AttackStatistics {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str("ids.statistics"));
        v.field("attack", Value::Str(self.attack.name()));
        v.field("events", Value::U64(self.events));
        v.field("discarded", Value::U64(self.discarded));
        v.field("seconds", Value::U64(self.seconds));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
