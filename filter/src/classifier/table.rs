//! All parts of a set and what they share.

use alloc::vec;
use alloc::vec::Vec;

use super::key::{Address, Key, Pattern, Service};
use super::map::AddressMap;
use super::part::{Budget, Builder, Part, Placed};
use super::services::Services;
use super::{Level, NONE, stage};

/// The compiled form of a set.
#[derive(Clone, Debug)]
pub(super) struct Table<A: Address> {
    pub(super) source: A::Map,
    pub(super) destination: A::Map,
    pub(super) services: Services,
    pub(super) parts: Vec<Part>,
}

/// Keys that go through the stages together.
pub(super) const BATCH: usize = 128;

/// One number for each key of a batch, on cache lines of its own.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct Block<T>(pub(super) [T; BATCH]);

/// A block of 32-bit lanes.
pub(super) type Lane = Block<u32>;

/// All fields of a batch but the addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// `a` in the lower half, `b` in the upper one.
    pub(super) numbers: Lane,
    /// Protocol, environment, class, hidden, from the lowest byte up.
    pub(super) rest: Lane,
}

/// The elementary intervals of one address.
struct Intervals<A> {
    starts: Vec<A>,
}

impl<A: Address> Intervals<A> {
    fn new(ranges: impl Iterator<Item = (A, A)>) -> Self {
        let mut starts = vec![A::MIN];
        for (low, high) in ranges {
            starts.push(low);
            starts.extend(high.following());
        }
        starts.sort_unstable();
        starts.dedup();
        Self { starts }
    }

    fn place(&self, (low, high): (A, A)) -> (u32, u32) {
        let place = |a| self.starts.partition_point(|s| *s <= a).saturating_sub(1) as u32;
        (place(low), place(high))
    }

    fn map(&self) -> A::Map {
        let values: Vec<u32> = (0..self.starts.len() as u32).collect();
        A::Map::build(&self.starts, &values)
    }

    fn count(&self) -> u32 {
        self.starts.len() as u32
    }
}

impl<A: Address> Table<A> {
    pub(super) fn build(patterns: &[Pattern<A>]) -> Option<Self> {
        let live = || (0u32..).zip(patterns).filter(|(_, p)| !p.is_empty());
        let sources = Intervals::new(live().map(|(_, p)| p.source));
        let destinations = Intervals::new(live().map(|(_, p)| p.destination));
        let mut distinct: Vec<Service> = live().map(|(_, p)| p.service).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let mut services = Services::build(&distinct)?;
        let mut by_source = Vec::new();
        let mut by_destination = Vec::new();
        for (rule, p) in live() {
            let (s, d) = (sources.place(p.source), destinations.place(p.destination));
            let service = distinct.binary_search(&p.service).map_or(0, |n| n as u32);
            if d.1 - d.0 <= s.1 - s.0 {
                by_destination.push(Placed {
                    rule,
                    rows: d,
                    columns: s,
                    service,
                });
            } else {
                by_source.push(Placed {
                    rule,
                    rows: s,
                    columns: d,
                    service,
                });
            }
        }
        let builder = Builder::new(&services, &distinct);
        let mut budget = Budget {
            work: 1 << 30,
            bytes: 96 << 20,
        };
        let mut parts = Vec::new();
        let (ns, nd) = (sources.count(), destinations.count());
        if !by_destination.is_empty() {
            parts.push(builder.part(&by_destination, (nd, ns), false, &mut budget)?);
        }
        if !by_source.is_empty() {
            parts.push(builder.part(&by_source, (ns, nd), true, &mut budget)?);
        }
        services.finish();
        Some(Self {
            source: sources.map(),
            destination: destinations.map(),
            services,
            parts,
        })
    }

    #[inline]
    pub(super) fn get(&self, key: &Key<A>) -> u32 {
        let source = self.source.get(key.source);
        let destination = self.destination.get(key.destination);
        let class = self.services.get(key);
        let mut best = NONE;
        for part in &self.parts {
            best = best.min(part.get(source, destination, class));
        }
        best
    }

    /// The same for up to [`BATCH`] keys, one stage after the other, so that the loads of many keys
    /// overlap.
    pub(super) fn get_batch(&self, level: Level, keys: &[Key<A>], out: &mut [u32]) {
        let n = keys.len();
        let mut addresses = Block([A::MIN; BATCH]);
        let mut source = Block([0u32; BATCH]);
        let mut destination = Block([0u32; BATCH]);
        let mut class = Block([0u32; BATCH]);
        let mut best = Block([NONE; BATCH]);
        for (key, a) in keys.iter().zip(&mut addresses.0) {
            *a = key.source;
        }
        self.source.get_batch(level, &addresses, &mut source, n);
        for (key, a) in keys.iter().zip(&mut addresses.0) {
            *a = key.destination;
        }
        self.destination
            .get_batch(level, &addresses, &mut destination, n);
        if level != Level::default() {
            let mut fields = Fields {
                numbers: Block([0; BATCH]),
                rest: Block([0; BATCH]),
            };
            let words = fields.numbers.0.iter_mut().zip(&mut fields.rest.0);
            for (key, (numbers, rest)) in keys.iter().zip(words) {
                *numbers = u32::from(key.a) | u32::from(key.b) << 16;
                *rest = u32::from_le_bytes([key.protocol, key.environment, key.class, key.hidden]);
            }
            stage::services(level, &self.services, &fields, &mut class, n);
        } else {
            for (key, n) in keys.iter().zip(&mut class.0) {
                *n = self.services.get(key);
            }
        }
        for part in &self.parts {
            if !stage::part(level, part, (&source, &destination), &class, &mut best, n) {
                part.get_batch(&source, &destination, &class, &mut best, n);
            }
        }
        for (out, best) in out.iter_mut().zip(best.0) {
            *out = best;
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.source.bytes()
            + self.destination.bytes()
            + self.services.bytes()
            + self.parts.iter().map(Part::bytes).sum::<usize>()
    }

    pub(super) fn describe(&self) -> alloc::string::String {
        use core::fmt::Write;
        let mut s = alloc::string::String::new();
        let _ = write!(
            s,
            "maps {}+{} services {} classes {};",
            self.source.bytes(),
            self.destination.bytes(),
            self.services.bytes(),
            self.services.count
        );
        for p in &self.parts {
            let _ = write!(
                s,
                " [{} depth {} rows {} cols {} top {} nodes {} records {} shapes {} positions {} rules {} = {}]",
                p.by_source,
                p.depth,
                p.rows.bytes(),
                p.columns.bytes(),
                p.top.bytes(),
                p.nodes.bytes(),
                p.records.len() * 8,
                p.shapes.bytes(),
                match &p.positions {
                    super::part::Positions::Bytes(b) => b.len(),
                    super::part::Positions::Words(w) => 2 * w.len(),
                },
                p.rules.len() * 4,
                p.bytes()
            );
        }
        s
    }
}
