//! Floods of interfaces: a great share of what comes in has to be discarded.
//!
//! Windows of a minute. A flood begins as soon as both the number and the share of discards of a
//! window are reached, and ends with the first whole window in which the share is at most half of
//! the configured one or the number is not reached. IBM does not publish these criteria.

use core::net::IpAddr;
use core::time::Duration;

use hostward_hook::action::Cx;
use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::flow::HashKey;
use hostward_hook::ident::InterfaceId;
use hostward_hook::packet::Packet;
use hostward_hook::time::Instant;

use crate::codes::{
    INTERFACE_FLOOD_CONTINUES, INTERFACE_FLOOD_DISABLED, INTERFACE_FLOOD_ENDED,
    INTERFACE_FLOOD_STARTED,
};
use crate::event::{ProbeId, Told};
use crate::policy::{Attack, AttackType};
use crate::report::{Category, Desk};
use crate::table::FixedMap;

const WINDOW: Duration = Duration::from_secs(60);

/// Why packets are discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Discard {
    /// No memory was left for them.
    Storage,
    /// Their checksum was wrong.
    Checksum,
    /// They were malformed.
    Malformed,
    /// They were for nobody here.
    Destination,
    /// A filter refused them.
    Firewall,
    /// The medium lost them.
    Media,
    /// Intrusion detection refused them.
    Ids,
    /// Something else.
    Other,
}

impl Discard {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Storage,
        Self::Checksum,
        Self::Malformed,
        Self::Destination,
        Self::Firewall,
        Self::Media,
        Self::Ids,
        Self::Other,
    ];

    /// The name in log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Storage => "Storage",
            Self::Checksum => "Checksum",
            Self::Malformed => "Malformed",
            Self::Destination => "Destination",
            Self::Firewall => "Firewall",
            Self::Media => "Media",
            Self::Ids => "IDS",
            Self::Other => "Other",
        }
    }
}

/// What happened to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InterfaceFloodStep {
    /// The flood began.
    Started,
    /// Another minute of it.
    Continues,
    /// It is over.
    Ended,
    /// There is no room to watch the interface.
    Disabled,
}

/// A flood of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InterfaceFlood {
    /// What happened.
    pub step: InterfaceFloodStep,
    /// The interface.
    pub interface: InterfaceId,
    /// Packets received since the flood began.
    pub received: u64,
    /// How many of them were discarded.
    pub discarded: u64,
    /// The most frequent protocol of those, and its share in percent.
    pub protocol: Option<(u8, u8)>,
    /// The most frequent reason, and its share in percent.
    pub category: Option<(Discard, u8)>,
    /// Source of the last one that was seen.
    pub last_source: Option<IpAddr>,
    /// Seconds since the flood began.
    pub duration: u64,
    /// Who is told.
    pub told: Told,
}

impl Detail for InterfaceFlood {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str(AttackType::Flood.kind()));
        let name = match self.step {
            InterfaceFloodStep::Started => "interface-flood-started",
            InterfaceFloodStep::Continues => "interface-flood-continues",
            InterfaceFloodStep::Ended => "interface-flood-ended",
            InterfaceFloodStep::Disabled => "interface-flood-disabled",
        };
        v.field("name", Value::Str(name));
        v.field("action", Value::Str("report"));
        v.field("interface", Value::U64(self.interface.0.into()));
        v.field("received", Value::U64(self.received));
        v.field("discarded", Value::U64(self.discarded));
        if let Some((protocol, share)) = self.protocol {
            v.field("protocol", Value::U64(protocol.into()));
            v.field("protocol_share", Value::U64(share.into()));
        }
        if let Some((category, share)) = self.category {
            v.field("category", Value::Str(category.name()));
            v.field("category_share", Value::U64(share.into()));
        }
        if let Some(source) = self.last_source {
            v.field("last_source", Value::Addr(source));
        }
        v.field("duration", Value::U64(self.duration));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

/// Counts of a window or of a flood.
#[derive(Clone, Debug)]
struct Counts {
    received: u64,
    discarded: u64,
    protocols: [u32; 256],
    categories: [u32; 8],
}

impl Counts {
    fn new() -> Self {
        Self {
            received: 0,
            discarded: 0,
            protocols: [0; 256],
            categories: [0; 8],
        }
    }

    fn clear(&mut self) {
        (self.received, self.discarded) = (0, 0);
        self.protocols = [0; 256];
        self.categories = [0; 8];
    }

    /// The greatest of some counts, and its share in percent.
    fn most(&self, counts: &[u32]) -> Option<(usize, u8)> {
        let (at, n) = counts.iter().enumerate().max_by_key(|(_, n)| **n)?;
        let share = (u64::from(*n) * 100).checked_div(self.discarded)?.min(100);
        (*n > 0).then_some((at, share as u8))
    }
}

#[derive(Clone, Debug)]
struct Interface {
    /// Begin of the window.
    begin: Instant,
    received: u64,
    discarded: u64,
    flooded: bool,
    since: Instant,
    correlator: u32,
    counts: Counts,
    last_source: Option<IpAddr>,
}

/// Interfaces that are watched.
#[derive(Clone, Debug)]
pub(crate) struct Interfaces {
    watched: FixedMap<u32, Interface>,
    /// Room for others was missing, and it was told.
    disabled: bool,
    flooded: u32,
}

impl Interfaces {
    pub(crate) fn new(interfaces: usize) -> Self {
        Self {
            watched: FixedMap::new(interfaces),
            disabled: false,
            flooded: 0,
        }
    }

    pub(crate) const fn set_key(&mut self, key: HashKey) {
        self.watched.set_key(key);
    }

    /// Another policy: interfaces without room are tried again.
    pub(crate) const fn rearm(&mut self) {
        self.disabled = false;
    }

    /// A packet came in.
    #[inline]
    pub(crate) fn received(
        &mut self,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        id: InterfaceId,
        count: u64,
    ) {
        let now = cx.now.mono;
        match self.watched.get_mut(&id.0) {
            Some(i) if now >= i.begin && now < i.begin.saturating_add(WINDOW) => {
                i.received += count
            }
            Some(_) | None => self.unusual(desk, cx, id, count),
        }
    }

    /// The first packet of an interface, or of a window.
    #[cold]
    fn unusual(&mut self, desk: &mut Desk, cx: &mut Cx<'_>, id: InterfaceId, count: u64) {
        let now = cx.now.mono;
        let entry = self.watched.entry(&id.0, || Interface {
            begin: now,
            received: 0,
            discarded: 0,
            flooded: false,
            since: now,
            correlator: 0,
            counts: Counts::new(),
            last_source: None,
        });
        if entry.is_none() {
            if !self.disabled {
                self.disabled = true;
                disabled(desk, cx, id);
            }
            return;
        }
        self.roll(desk, cx, id);
        if let Some(i) = self.watched.get_mut(&id.0) {
            i.received += count;
        }
    }

    /// Packets were discarded. Those that this suite has not seen are `received` as well.
    #[cold]
    pub(crate) fn discarded(
        &mut self,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        id: InterfaceId,
        (count, category): (u64, Discard),
        packet: Option<&Packet<'_>>,
    ) {
        let Some(i) = self.watched.get_mut(&id.0) else {
            return;
        };
        i.discarded += count;
        let n = u32::try_from(count).unwrap_or(u32::MAX);
        if let Some(c) = i.counts.categories.get_mut(category as usize) {
            *c = c.saturating_add(n);
        }
        if let Some(packet) = packet {
            i.last_source = packet.source();
            if let Some(c) = i
                .counts
                .protocols
                .get_mut(usize::from(packet.layout().protocol()))
            {
                *c = c.saturating_add(n);
            }
        }
        i.counts.discarded += count;
        let Some((percentage, minimum)) = limits(desk) else {
            return;
        };
        if !i.flooded && is_flood(i.discarded, i.received, percentage, minimum) {
            i.flooded = true;
            i.since = cx.now.mono;
            i.correlator = desk.correlator();
            self.flooded += 1;
            tell(desk, cx, id, i, InterfaceFloodStep::Started);
        }
    }

    /// Ends a window whose minute is over.
    fn roll(&mut self, desk: &mut Desk, cx: &mut Cx<'_>, id: InterfaceId) {
        let now = cx.now.mono;
        let Some(i) = self.watched.get_mut(&id.0) else {
            return;
        };
        if now >= i.begin && now < i.begin.saturating_add(WINDOW) {
            return;
        }
        let backwards = now < i.begin;
        i.begin = now;
        if backwards {
            return;
        }
        let (received, discarded) = (i.received, i.discarded);
        (i.received, i.discarded) = (0, 0);
        if !i.flooded {
            i.counts.clear();
            return;
        }
        i.counts.received = i.counts.received.saturating_add(received);
        let goes_on = limits(desk).is_some_and(|(percentage, minimum)| {
            discarded >= minimum && discarded * 200 > received * u64::from(percentage)
        });
        if goes_on {
            tell(desk, cx, id, i, InterfaceFloodStep::Continues);
        } else {
            tell(desk, cx, id, i, InterfaceFloodStep::Ended);
            i.flooded = false;
            i.counts.clear();
            self.flooded = self.flooded.saturating_sub(1);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.flooded == 0 {
            return None;
        }
        let flooded = self.watched.iter().filter(|(_, i)| i.flooded);
        flooded.map(|(_, i)| i.begin.saturating_add(WINDOW)).min()
    }

    pub(crate) fn handle_deadline(&mut self, desk: &mut Desk, cx: &mut Cx<'_>) {
        if self.flooded == 0 {
            return;
        }
        let mut place = 0;
        while let Some((at, id)) = self.watched.next_from(place, |i| i.flooded) {
            place = at;
            self.roll(desk, cx, InterfaceId(id));
        }
    }
}

fn limits(desk: &Desk) -> Option<(u8, u64)> {
    match desk.attack(AttackType::Flood) {
        Some(Attack::Flood {
            percentage,
            minimum,
        }) => Some((*percentage, (*minimum).into())),
        _ => None,
    }
}

const fn is_flood(discarded: u64, received: u64, percentage: u8, minimum: u64) -> bool {
    discarded >= minimum && discarded * 100 >= received * percentage as u64
}

fn tell(
    desk: &mut Desk,
    cx: &mut Cx<'_>,
    id: InterfaceId,
    i: &Interface,
    step: InterfaceFloodStep,
) {
    let Some(rule) = desk.rule(AttackType::Flood).cloned() else {
        return;
    };
    let code = match step {
        InterfaceFloodStep::Started => INTERFACE_FLOOD_STARTED,
        InterfaceFloodStep::Continues => INTERFACE_FLOOD_CONTINUES,
        InterfaceFloodStep::Ended | InterfaceFloodStep::Disabled => INTERFACE_FLOOD_ENDED,
    };
    let category = Category::Attack(AttackType::Flood);
    desk.settle(cx, category);
    let channels = desk.admit(category, &rule.rule, (false, false), cx.now.mono);
    let c = &i.counts;
    let detail = InterfaceFlood {
        step,
        interface: id,
        received: c.received.saturating_add(i.received),
        discarded: c.discarded,
        protocol: c.most(&c.protocols).map(|(p, share)| (p as u8, share)),
        category: c
            .most(&c.categories)
            .and_then(|(n, share)| Some((*Discard::ALL.get(n)?, share))),
        last_source: i.last_source,
        duration: cx.now.mono.saturating_since(i.since).as_secs(),
        told: Desk::told(
            &rule.rule,
            i.correlator,
            ProbeId::attack(AttackType::Flood, code),
            channels,
        ),
    };
    Desk::tell(cx, code, channels, None, &detail);
}

fn disabled(desk: &mut Desk, cx: &mut Cx<'_>, id: InterfaceId) {
    let Some(rule) = desk.rule(AttackType::Flood).cloned() else {
        return;
    };
    let category = Category::Attack(AttackType::Flood);
    desk.settle(cx, category);
    let channels = desk.admit(category, &rule.rule, (false, false), cx.now.mono);
    let correlator = desk.correlator();
    let detail = InterfaceFlood {
        step: InterfaceFloodStep::Disabled,
        interface: id,
        received: 0,
        discarded: 0,
        protocol: None,
        category: None,
        last_source: None,
        duration: 0,
        told: Desk::told(&rule.rule, correlator, ProbeId::new(0x0407_0015), channels),
    };
    Desk::tell(cx, INTERFACE_FLOOD_DISABLED, channels, None, &detail);
}
