//! What events about scans tell.

use core::any::Any;
use core::net::IpAddr;

use hostward_hook::event::{Detail, FieldVisitor, Value};

use super::classify::Suspicion;
use crate::event::Told;

/// How a scan was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScanKind {
    /// By the threshold of fast scans.
    Fast,
    /// By the threshold of slow scans.
    Slow,
    /// By the walk over failures and successes.
    Walk,
}

impl ScanKind {
    /// The letter in log lines (`scantype=`); W is our own.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Fast => 'F',
            Self::Slow => 'S',
            Self::Walk => 'W',
        }
    }
}

/// A source scans this host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scan {
    /// Who, or the first address of the prefix.
    pub source: IpAddr,
    /// Length of the prefix if not one address alone is meant.
    pub prefix: Option<u8>,
    /// How it was recognised.
    pub kind: ScanKind,
    /// Very suspicious events.
    pub very: u32,
    /// Possibly suspicious events.
    pub possibly: u32,
    /// Normal events.
    pub normal: u32,
    /// The threshold that was reached.
    pub threshold: u32,
    /// The interval in minutes.
    pub minutes: u32,
    /// Who is told.
    pub told: Told,
}

impl Detail for Scan {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        let kind = match self.kind {
            ScanKind::Fast => "scan.fast",
            ScanKind::Slow => "scan.slow",
            ScanKind::Walk => "scan.walk",
        };
        v.field("kind", Value::Str(kind));
        v.field("source", Value::Addr(self.source));
        if let Some(prefix) = self.prefix {
            v.field("prefix", Value::U64(prefix.into()));
        }
        v.field("very", Value::U64(self.very.into()));
        v.field("possibly", Value::U64(self.possibly.into()));
        v.field("normal", Value::U64(self.normal.into()));
        v.field("threshold", Value::U64(self.threshold.into()));
        v.field("minutes", Value::U64(self.minutes.into()));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// One event of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanItem {
    /// The protocol number.
    pub protocol: u8,
    /// The local address; `None` beyond the 2,047 that are kept.
    pub local: Option<IpAddr>,
    /// The local port, or the ICMP type; 0 where a protocol itself was looked for.
    pub port: u16,
    /// How suspicious it was.
    pub suspicion: Suspicion,
}

/// The most events that one list shows.
pub const LISTED: usize = 16;

/// The events of a scan (`LogDetail`): the same correlator as the [`Scan`] before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanDetail {
    /// Who.
    pub source: IpAddr,
    /// How many events there are; at most [`LISTED`] are shown.
    pub count: u32,
    /// The events.
    pub items: [Option<ScanItem>; LISTED],
    /// Who is told.
    pub told: Told,
}

impl Detail for ScanDetail {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str("scan.detail"));
        v.field("source", Value::Addr(self.source));
        v.field("count", Value::U64(self.count.into()));
        for item in self.items.iter().flatten() {
            v.field("protocol", Value::U64(item.protocol.into()));
            v.field("port", Value::U64(item.port.into()));
            if let Some(local) = item.local {
                v.field("local", Value::Addr(local));
            }
        }
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// The table of sources is full, or no longer is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanStorage {
    /// Whether it is full.
    pub constrained: bool,
    /// Places of the table.
    pub capacity: u64,
    /// Sources that gave way since it was full.
    pub evicted: u64,
    /// Sources that found no place since it was full.
    pub refused: u64,
    /// Seconds it was full; 0 as long as it is.
    pub duration: u64,
    /// Who is told.
    pub told: Told,
}

impl Detail for ScanStorage {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str("scan.storage"));
        v.field("constrained", Value::Bool(self.constrained));
        v.field("capacity", Value::U64(self.capacity));
        v.field("evicted", Value::U64(self.evicted));
        v.field("refused", Value::U64(self.refused));
        v.field("duration", Value::U64(self.duration));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
