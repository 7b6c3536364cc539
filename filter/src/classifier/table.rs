//! All parts of a set and what they share.

use alloc::vec;
use alloc::vec::Vec;
use core::mem::swap;

use super::build::{Budget, Builder, Placed, spend};
use super::key::{Address, Key, Pattern, Service};
use super::map::AddressMap;
use super::numbers::Numbers;
use super::part::{Form, Part};
use super::services::Classes;
use super::{Level, NONE, at, stage};

/// The compiled form of a set.
#[derive(Clone, Debug)]
pub(super) struct Table<A: Address> {
    pub(super) source: A::Map,
    pub(super) destination: A::Map,
    pub(super) services: Classes,
    pub(super) parts: Vec<Part>,
    joint: Option<Joint>,
}

/// What two parts make of the intervals: the number of the first in the lower half, that of the second
/// in the upper one, so that one load serves both.
#[derive(Clone, Debug)]
struct Joint {
    source: Vec<u32>,
    destination: Vec<u32>,
}

impl Joint {
    /// Takes the numbers of two parts from them, if all are short.
    fn take(one: &mut Part, two: &mut Part, ns: u32, nd: u32) -> Option<Self> {
        let short = |part: &mut Part| {
            let short = |n: &Numbers| matches!(n, Numbers::Short(_));
            part.rows().is_some_and(|rows| short(rows)) && short(&part.columns)
        };
        if !short(one) || !short(two) {
            return None;
        }
        let (source, destination) = (
            [one.take_numbers(true)?, two.take_numbers(true)?],
            [one.take_numbers(false)?, two.take_numbers(false)?],
        );
        let join = |count: u32, [one, two]: [Numbers; 2]| {
            let both = |interval| one.get(interval) | two.get(interval) << 16;
            (0..count).map(both).collect()
        };
        Some(Self {
            source: join(ns, source),
            destination: join(nd, destination),
        })
    }
}

/// Keys that go through the stages together.
pub(super) const BATCH: usize = 128;

/// Distributes the rules over parts: each rule to the address that it narrows more, those that
/// narrow neither to a part of their own.
fn split(
    builder: &Builder<'_>,
    placed: &[[Placed; 2]],
    (ns, nd): (u32, u32),
    cuts: u32,
    left: &mut usize,
) -> Option<Vec<Part>> {
    let work = WORK + placed.len() * WORK_PER_RULE;
    let mut budget = Budget {
        work: work.min(*left),
        bytes: (BYTES >> cuts) + placed.len() * BYTES_PER_RULE,
    };
    // One part for all is fastest, where it stays small.
    let all: Vec<Placed> = placed.iter().map(|[d, _]| *d).collect();
    if placed.len() <= 4096 {
        let mut small = Budget {
            // Worth more than the limit: most sets of this size are never cut.
            work: if cuts == 0 { WORK * 8 } else { work }.min(*left),
            bytes: SMALL,
        };
        let before = small.work;
        let part = builder.part(&all, (nd, ns), false, &mut small);
        *left -= before - small.work;
        if let Some(part) = part {
            return Some(vec![part]);
        }
        budget.work = budget.work.min(*left);
    }
    let narrower = |p: &Placed| {
        let rows = p.rows.1 - p.rows.0;
        let columns = p.columns.1 - p.columns.0;
        rows.min(columns)
    };
    let wide = |p: &Placed| narrower(p) >= WIDE;
    let copies: usize = placed
        .iter()
        .filter(|[d, _]| wide(d))
        .map(|[d, _]| narrower(d) as usize)
        .sum();
    let apart = copies > placed.len() * COPIES;
    let (mut by_destination, mut by_source, mut rest) = (Vec::new(), Vec::new(), Vec::new());
    for [d, s] in placed {
        if apart && wide(d) {
            rest.push(*d);
        } else if d.rows.1 - d.rows.0 <= s.rows.1 - s.rows.0 {
            by_destination.push(*d);
        } else {
            by_source.push(*s);
        }
    }
    let lists = [
        (by_destination, (nd, ns), false),
        (by_source, (ns, nd), true),
        (rest, (nd, ns), false),
    ];
    let before = budget.work;
    let parts = lists.iter().filter(|(list, ..)| !list.is_empty());
    let parts = parts
        .map(|(list, counts, by_source)| builder.part(list, *counts, *by_source, &mut budget))
        .collect();
    *left -= before - budget.work;
    parts
}

/// A set whose tables take more work or room than this is cut in two (see [`super::slices`]).
/// Ordinary sets take 10 to 350 steps and 20 to 500 bytes a rule.
const WORK: usize = 1 << 20;
const WORK_PER_RULE: usize = 1024;
const BYTES: usize = 5 << 20;
const BYTES_PER_RULE: usize = 900;

/// All rules become one part if it needs no more bytes than this.
const SMALL: usize = 1 << 20;

/// Wide rules get a part of their own if they would take more copies than this for each rule.
const COPIES: usize = 16;

/// A rule that covers this many intervals of both addresses is wide.
const WIDE: u32 = 256;

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

    /// The map of each address to what these numbers have for its interval.
    fn map(&self, numbers: &Numbers) -> A::Map {
        let mut starts = Vec::with_capacity(self.starts.len());
        let mut values = Vec::with_capacity(self.starts.len());
        for (interval, start) in (0u32..).zip(&self.starts) {
            let value = numbers.get(interval);
            if values.last() != Some(&value) {
                starts.push(*start);
                values.push(value);
            }
        }
        A::Map::build(&starts, &values)
    }

    fn count(&self) -> u32 {
        self.starts.len() as u32
    }
}

/// The lower half of a number.
const LOWER: u32 = 0xffff;

/// Both halves of the numbers at these places, the lower ones in place of the places.
fn joined(level: Level, list: &[u32], places: &mut Lane, upper: &mut Lane, n: usize) {
    if stage::joined(level, list, places, upper, n) {
        return;
    }
    for (place, upper) in places.0.iter_mut().zip(&mut upper.0).take(n) {
        let both = at(list, *place);
        (*place, *upper) = (both & LOWER, both >> 16);
    }
}

impl<A: Address> Table<A> {
    /// Tables for the patterns; `None` where they would take too much. `cuts` says how often the
    /// set was cut in two already, `left` how many steps of work there are for all that remains.
    pub(super) fn build(patterns: &[Pattern<A>], cuts: u32, left: &mut usize) -> Option<Self> {
        // The addresses and services are sorted, and every pattern looked up in them.
        spend(left, patterns.len() * 64)?;
        let live = || (0u32..).zip(patterns).filter(|(_, p)| !p.is_empty());
        let sources = Intervals::new(live().map(|(_, p)| p.source));
        let destinations = Intervals::new(live().map(|(_, p)| p.destination));
        let mut distinct: Vec<Service> = live().map(|(_, p)| p.service).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let services = Classes::build(&distinct, left);
        let placed: Vec<[Placed; 2]> = live()
            .map(|(rule, p)| {
                let (s, d) = (sources.place(p.source), destinations.place(p.destination));
                let service = distinct.binary_search(&p.service).map_or(0, |n| n as u32);
                let by_destination = Placed {
                    rule,
                    rows: d,
                    columns: s,
                    service,
                };
                let by_source = Placed {
                    rule,
                    rows: s,
                    columns: d,
                    service,
                };
                [by_destination, by_source]
            })
            .collect();
        let builder = Builder::new(&services, &distinct, left)?;
        let (ns, nd) = (sources.count(), destinations.count());
        let mut parts = split(&builder, &placed, (ns, nd), cuts, left)?;
        let (mut source, mut destination) = (Numbers::Same, Numbers::Same);
        // With one part the addresses lead to its rows and columns at once.
        if let [part] = parts.as_mut_slice() {
            let (rows, columns) = if part.by_source {
                (&mut source, &mut destination)
            } else {
                (&mut destination, &mut source)
            };
            swap(&mut part.columns, columns);
            match &mut part.form {
                Form::Short(t) => swap(&mut t.rows, rows),
                Form::Long(t) => swap(&mut t.rows, rows),
                Form::Lists(_) => {}
            }
        }
        let joint = match parts.as_mut_slice() {
            [one, two] => Joint::take(one, two, ns, nd),
            _ => None,
        };
        Some(Self {
            source: sources.map(&source),
            destination: destinations.map(&destination),
            services,
            parts,
            joint,
        })
    }

    #[inline]
    pub(super) fn get(&self, key: &Key<A>) -> u32 {
        let maps = [&self.source, &self.destination];
        let [source, destination] = A::Map::get_both(maps, [key.source, key.destination]);
        let class = self.services.get(key);
        let mut best = NONE;
        if let (Some(joint), [one, two]) = (&self.joint, self.parts.as_slice()) {
            let (s, d) = (
                at(&joint.source, source),
                at(&joint.destination, destination),
            );
            let first = one.get((s & LOWER, d & LOWER), class, &self.services, key);
            let second = two.get((s >> 16, d >> 16), class, &self.services, key);
            return first.min(second);
        }
        for part in &self.parts {
            best = best.min(part.get((source, destination), class, &self.services, key));
        }
        best
    }

    /// The same for up to [`BATCH`] keys, one stage after the other, so that the loads of many keys
    /// overlap.
    pub(super) fn get_batch(&self, level: Level, keys: &[Key<A>], out: &mut [u32]) {
        let n = keys.len();
        let mut sources = Block([A::MIN; BATCH]);
        let mut destinations = Block([A::MIN; BATCH]);
        let mut fields = Fields {
            numbers: Block([0; BATCH]),
            rest: Block([0; BATCH]),
        };
        let addresses = sources.0.iter_mut().zip(&mut destinations.0);
        let words = fields.numbers.0.iter_mut().zip(&mut fields.rest.0);
        for ((key, (s, d)), (numbers, rest)) in keys.iter().zip(addresses).zip(words) {
            *s = key.source;
            *d = key.destination;
            *numbers = u32::from(key.a) | u32::from(key.b) << 16;
            *rest = u32::from_le_bytes([key.protocol, key.environment, key.class, key.hidden]);
        }
        let mut source = Block([0u32; BATCH]);
        let mut destination = Block([0u32; BATCH]);
        let mut class = Block([0u32; BATCH]);
        let mut best = Block([NONE; BATCH]);
        self.source.get_batch(level, &sources, &mut source, n);
        self.destination
            .get_batch(level, &destinations, &mut destination, n);
        let table = match &self.services {
            Classes::Table(t) if !level.is_portable() => Some(t),
            Classes::Table(_) | Classes::Direct(_) => None,
        };
        if let Some(services) = table {
            stage::services(level, services, &fields, &mut class, n);
        } else {
            for (key, n) in keys.iter().zip(&mut class.0) {
                *n = self.services.get(key);
            }
        }
        // What each part makes of the intervals.
        let (mut source_two, mut destination_two) = (source, destination);
        if let Some(joint) = &self.joint {
            joined(level, &joint.source, &mut source, &mut source_two, n);
            joined(
                level,
                &joint.destination,
                &mut destination,
                &mut destination_two,
                n,
            );
        }
        for (nth, part) in self.parts.iter().enumerate() {
            let intervals = if nth == 1 {
                (&source_two, &destination_two)
            } else {
                (&source, &destination)
            };
            if !table.is_some_and(|t| stage::part(level, part, intervals, &class, t, &mut best, n))
            {
                part.get_batch(intervals, &class, &self.services, keys, &mut best);
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
            + self
                .joint
                .as_ref()
                .map_or(0, |j| (j.source.len() + j.destination.len()) * 4)
            + self.parts.iter().map(Part::bytes).sum::<usize>()
    }
}
