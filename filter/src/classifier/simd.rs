//! The batch stages with AVX2 or AVX-512: eight or sixteen keys a step.
//!
//! The only module of the crate with `unsafe`. Two things are proved: that the processor has the
//! instructions ([`Level::detect`] is the only way to a [`Level`] other than portable), and that no gather
//! leaves its table (every index is clamped to the table's last readable place right before, so
//! that not even a wrongly built table could be read beyond its end). The portable stages beside
//! compute the same, which tests compare on every level that the machine has.

#![expect(unsafe_code, reason = "vector instructions; see the module's text")]

use core::arch::x86_64::{__m256i, __m512i};

mod vector;

use vector::Vector;

use super::NONE;
use super::flat::{Column, Flat, LANES, WordLanes, Words};
use super::map::{FAN, Map4, Map6, Trie};
use super::numbers::{Number, Numbers};
use super::part::{Form, Lists, NODE, PAGE, Part, Positions, Table};
use super::services::Services;
use super::table::{BATCH, Block, Fields, Lane};

/// The numbers at these places.
///
/// # Safety
///
/// The processor has the instructions of `V`; so for all functions below.
#[inline(always)]
unsafe fn numbers<V: Vector>(list: &Numbers, places: V) -> V {
    // SAFETY: see the function.
    unsafe {
        match list {
            Numbers::Short(n) => list_of(n, places),
            Numbers::Long(n) => list_of(n, places),
            Numbers::Same => places,
        }
    }
}

/// The highest place of a list where four bytes can be read; `None` where there is none.
#[inline(always)]
fn last<T>(list: &[T]) -> Option<u32> {
    // Two-byte numbers: four bytes at place `len - 2` end with the list.
    list.len().checked_sub(4 / size_of::<T>()).map(limit)
}

/// A place as gathers take it: they read it as a number with a sign.
#[inline(always)]
fn limit(place: usize) -> u32 {
    place.min(i32::MAX as usize) as u32
}

/// The numbers of a list, whose last one is never asked for: it is only there for the last four
/// bytes.
#[inline(always)]
unsafe fn list_of<V: Vector, T: Number>(list: &[T], places: V) -> V {
    // SAFETY: no place is above `last`; a list without one is not read.
    unsafe {
        let Some(last) = last(list) else {
            return V::splat(0);
        };
        let places = places.min(V::splat(last));
        match size_of::<T>() {
            2 => places
                .gather::<2>(list.as_ptr().cast())
                .and(V::splat(0xffff)),
            4 => places.gather::<4>(list.as_ptr().cast()),
            _ => V::splat(0),
        }
    }
}

/// Bytes; the last three are never asked for, only there for the last four bytes.
#[inline(always)]
unsafe fn bytes<V: Vector>(list: &[u8], places: V) -> V {
    // SAFETY: four bytes at place `len - 4` end with the list, and no place is above; a shorter
    // list is not read.
    unsafe {
        let Some(last) = list.len().checked_sub(4).map(limit) else {
            return V::splat(0);
        };
        let places = places.min(V::splat(last));
        places.gather::<1>(list.as_ptr()).and(V::splat(0xff))
    }
}

/// Both numbers of pairs.
#[inline(always)]
unsafe fn pairs<V: Vector>(list: &[[u32; 2]], places: V) -> [V; 2] {
    // SAFETY: no place is above the last pair, and both its halves are inside the list; an empty
    // list is not read.
    unsafe {
        let Some(last) = list.len().checked_sub(1).map(limit) else {
            return [V::splat(0); 2];
        };
        let places = places.min(V::splat(last));
        places.gather_pairs(list.as_ptr().cast())
    }
}

/// One step down a tree: as [`super::numbers::descend`].
#[inline(always)]
unsafe fn descend<V: Vector, T: Number>(nodes: &[T], entry: V, bits: u32, digit: V) -> V {
    // SAFETY: as in `list_of`.
    unsafe {
        let Some(last) = last(nodes) else {
            return entry;
        };
        let places = entry.left(bits - 1).add(digit).min(V::splat(last));
        match size_of::<T>() {
            2 => places.gather_even::<2>(nodes.as_ptr().cast(), entry, V::splat(0xffff)),
            4 => places.gather_even::<4>(nodes.as_ptr().cast(), entry, V::splat(u32::MAX)),
            _ => entry,
        }
    }
}

#[inline(always)]
unsafe fn trie<V: Vector, T: Number>(map: &Trie<T>, addresses: &Lane, out: &mut Lane, n: usize) {
    let steps = addresses
        .0
        .chunks_exact(V::LANES)
        .zip(out.0.chunks_exact_mut(V::LANES));
    // SAFETY: see the functions called; chunks have `LANES` numbers.
    unsafe {
        for (address, out) in steps.take(n.div_ceil(V::LANES)) {
            let address = V::load(address);
            let mut e = list_of(&map.top, address.right(16));
            if map.narrow {
                let low = V::splat(0xf);
                e = descend(&map.nodes, e, 4, address.right(12).and(low));
                e = descend(&map.nodes, e, 4, address.right(8).and(low));
                e = descend(&map.nodes, e, 4, address.right(4).and(low));
                e = descend(&map.nodes, e, 4, address.and(low));
            } else {
                let low = V::splat(0xff);
                e = descend(&map.nodes, e, 8, address.right(8).and(low));
                e = descend(&map.nodes, e, 8, address.and(low));
            }
            e.right(1).store(out);
        }
    }
}

#[inline(always)]
unsafe fn map4<V: Vector>(map: &Map4, addresses: &Lane, out: &mut Lane, n: usize) {
    match map {
        // SAFETY: see the function.
        Map4::Short(t) => unsafe { trie::<V, _>(t, addresses, out, n) },
        // SAFETY: see the function.
        Map4::Long(t) => unsafe { trie::<V, _>(t, addresses, out, n) },
    }
}

/// The places of the last keys that are not above the upper halves of addresses, through the tree.
#[inline(always)]
unsafe fn upper<V: Vector>(map: &Map6, addresses: &Block<u128>, out: &mut Lane, n: usize) {
    let last = (map.groups.len() as u32).saturating_sub(1);
    for (address, out) in addresses.0.iter().zip(&mut out.0).take(n) {
        let high = (*address >> 64) as u64;
        let mut place = 0u32;
        for level in &map.levels {
            // Keys that stand for nothing lead beyond the end.
            place = place.min((level.len() as u32).saturating_sub(1));
            if let Some(node) = level.get(place as usize) {
                // SAFETY: the processor has the instructions (caller).
                place = place * FAN as u32 + unsafe { V::rank(node, high) };
            }
        }
        *out = place.min(last);
    }
}

/// One key, `V::LANES` patterns at a time.
#[inline(always)]
unsafe fn flat_one<V: Vector, const F: usize>(flat: &Flat, words: &Words<F>, out: &mut u32) {
    *out = NONE;
    // Two blocks at a time: which of a few blocks has the answer cannot be predicted.
    for (n, pair) in (0u32..).zip(flat.columns.chunks(flat.stride * 2)) {
        let (one, two) = pair.split_at_checked(flat.stride).unwrap_or_default();
        // SAFETY: see the function.
        let fits = unsafe { fits::<V, F>(one, words) | fits::<V, F>(two, words) << LANES };
        if fits != 0 {
            *out = n * 2 * LANES as u32 + fits.trailing_zeros();
            return;
        }
    }
}

/// One bit for each lane of a block that fits.
#[inline(always)]
unsafe fn fits<V: Vector, const F: usize>(block: &[Column], words: &Words<F>) -> u32 {
    let Some((ranges, [mask, value, absent @ ..])) = block.split_at_checked(2 * F) else {
        return 0;
    };
    let mut fits = 0;
    for part in 0..LANES / V::LANES {
        // SAFETY: see the functions called.
        unsafe {
            let rest = V::splat(words.rest).and(chunk(mask, part));
            let mut lanes = rest.xor(chunk(value, part)).zero();
            for (field, [low, length]) in words.fields.iter().zip(ranges.as_chunks().0) {
                let above = V::splat(*field).sub(chunk(low, part));
                lanes = above.up_to(chunk(length, part), lanes);
            }
            for (absent, bit) in absent.iter().zip(words.environment) {
                let absent = V::splat(bit).and(chunk(absent, part));
                lanes = V::both(lanes, absent.zero());
            }
            fits |= V::bits(lanes) << (part * V::LANES);
        }
    }
    fits
}

/// One vector of a column.
#[inline(always)]
unsafe fn chunk<V: Vector>(column: &Column, part: usize) -> V {
    let chunk = column.0.chunks_exact(V::LANES).nth(part);
    // SAFETY: a chunk has `LANES` numbers, as a column has at least.
    unsafe { V::load(chunk.unwrap_or(&column.0)) }
}

/// One vector of a lane.
#[inline(always)]
unsafe fn group<V: Vector>(lane: &Lane, group: usize) -> V {
    let chunk = lane.0.chunks_exact(V::LANES).nth(group);
    // SAFETY: a chunk has `LANES` numbers, as a lane has at least.
    unsafe { V::load(chunk.unwrap_or(&lane.0)) }
}

/// A number of a column in all lanes.
#[inline(always)]
unsafe fn of<V: Vector>(column: &Column, n: usize) -> V {
    // SAFETY: see the function.
    unsafe { V::splat(column.0.get(n).copied().unwrap_or(0)) }
}

/// All patterns one after the other, `V::LANES` keys at a time.
#[inline(always)]
unsafe fn flat<V: Vector, const F: usize>(
    flat: &Flat,
    words: &WordLanes,
    best: &mut Lane,
    n: usize,
) {
    let groups = best.0.chunks_exact_mut(V::LANES).take(n.div_ceil(V::LANES));
    // SAFETY: see the functions called; a chunk of a lane has `LANES` numbers.
    unsafe {
        for (place, best) in groups.enumerate() {
            let mut fields = [V::splat(0); F];
            for (field, lane) in fields.iter_mut().zip(&words.fields) {
                *field = group(lane, place);
            }
            let rest = group::<V>(&words.rest, place);
            let mut environment = [V::splat(0); 4];
            for (bits, lane) in environment.iter_mut().zip(&words.environment) {
                *bits = group(lane, place);
            }
            let mut first = V::splat(NONE);
            let mut count = 0u32;
            for block in flat.columns.chunks_exact(flat.stride) {
                let Some((ranges, [mask, value, absent @ ..])) = block.split_at_checked(2 * F)
                else {
                    return;
                };
                let Some(ranges) = ranges.as_chunks().0.first_chunk::<F>() else {
                    return;
                };
                for n in 0..LANES.min((flat.len - count) as usize) {
                    let mut lanes = rest.and(of(mask, n)).xor(of(value, n)).zero();
                    for (field, [low, length]) in fields.iter().zip(ranges) {
                        lanes = field.sub(of(low, n)).up_to(of(length, n), lanes);
                    }
                    for (bits, absent) in environment.iter().zip(absent) {
                        lanes = V::both(lanes, bits.and(of(absent, n)).zero());
                    }
                    first = V::splat(count).min_where(lanes, first);
                    count += 1;
                }
                if V::bits(first.xor(V::splat(NONE)).zero()) == 0 {
                    break;
                }
            }
            first.store(best);
        }
    }
}

/// As the portable stage.
#[inline(always)]
unsafe fn joined<V: Vector>(list: &[u32], places: &mut Lane, upper: &mut Lane, n: usize) {
    let steps = places
        .0
        .chunks_exact_mut(V::LANES)
        .zip(upper.0.chunks_exact_mut(V::LANES));
    // SAFETY: see the functions called; chunks have `LANES` numbers.
    unsafe {
        for (place, upper) in steps.take(n.div_ceil(V::LANES)) {
            let both = list_of(list, V::load(place));
            both.and(V::splat(0xffff)).store(place);
            both.right(16).store(upper);
        }
    }
}

/// With more protocols than this their classes are looked up: that takes longer than a few comparisons.
const COMPARED: usize = 6;

/// The classes of protocols, 256 more for hidden ones.
#[inline(always)]
unsafe fn protocols<V: Vector>(services: &Services, protocol: V) -> V {
    // SAFETY: see the functions called.
    unsafe {
        if services.asked.len() > COMPARED {
            return list_of(&services.protocol, protocol);
        }
        // The class less one, so that all bits stand for class 0.
        let mut class = V::splat(u32::MAX);
        let mut number = V::splat(0);
        for asked in &services.asked {
            let same = protocol.xor(V::splat(u32::from(*asked))).zero();
            class = number.min_where(same, class);
            number = number.add(V::splat(1));
        }
        let hidden = V::splat(1 << 8);
        let opaque = protocol.and(hidden).xor(hidden).zero();
        number.min_where(opaque, class).add(V::splat(1))
    }
}

#[inline(always)]
unsafe fn services<V: Vector>(services: &Services, fields: &Fields, out: &mut Lane, n: usize) {
    let steps = fields
        .numbers
        .0
        .chunks_exact(V::LANES)
        .zip(fields.rest.0.chunks_exact(V::LANES))
        .zip(out.0.chunks_exact_mut(V::LANES));
    // SAFETY: see the functions called; chunks have `LANES` numbers.
    unsafe {
        for ((numbers, rest), out) in steps.take(n.div_ceil(V::LANES)) {
            let (numbers, rest) = (V::load(numbers), V::load(rest));
            // `rest` is protocol, environment, class, hidden from the lowest byte up.
            let byte = V::splat(0xff);
            let hidden = rest.right(24);
            let protocol = rest.and(byte).or(hidden.and(V::splat(2)).left(7));
            let mut kind = protocols(services, protocol);
            if services.is_contextual() {
                let e = list_of(&services.environment, rest.right(8).and(V::splat(0x7f)));
                let c = list_of(&services.class, rest.right(16).and(byte));
                kind = kind.add(e.add(c).mul(V::splat(services.protocols)));
            }
            let hidden = hidden.and(V::splat(1)).left(16);
            let top = V::splat(1 << 16);
            let mut place = kind.mul(V::splat(services.classes_a));
            if !services.a.is_empty() {
                let a = numbers.and(V::splat(0xffff)).or(hidden).min(top);
                place = place.add(list_of(&services.a, a));
            }
            place = place.mul(V::splat(services.classes_b));
            if !services.b.is_empty() {
                let b = numbers.right(16).or(hidden).min(top);
                place = place.add(list_of(&services.b, b));
            }
            list_of(&services.table, place).store(out);
        }
    }
}

#[inline(always)]
unsafe fn part<V: Vector>(
    part: &Part,
    (source, destination): (&Lane, &Lane),
    class: &Lane,
    services: &Services,
    best: &mut Lane,
    n: usize,
) {
    let (rows, columns) = if part.by_source {
        (source, destination)
    } else {
        (destination, source)
    };
    let mut cells = Block([0; BATCH]);
    let count = n.div_ceil(V::LANES);
    let steps = rows
        .0
        .chunks_exact(V::LANES)
        .zip(columns.0.chunks_exact(V::LANES))
        .zip(cells.0.chunks_exact_mut(V::LANES))
        .take(count);
    // SAFETY: see the functions called; chunks have `LANES` numbers.
    unsafe {
        match &part.form {
            Form::Short(t) => {
                for ((row, column), out) in steps {
                    record(t, V::load(row), numbers(&part.columns, V::load(column))).store(out);
                }
            }
            Form::Long(t) => {
                for ((row, column), out) in steps {
                    record(t, V::load(row), numbers(&part.columns, V::load(column))).store(out);
                }
            }
            Form::Lists(l) => {
                for ((row, column), out) in steps {
                    list(l, V::load(row), numbers(&part.columns, V::load(column))).store(out);
                }
            }
        }
        let steps = cells
            .0
            .chunks_exact(V::LANES)
            .zip(class.0.chunks_exact(V::LANES))
            .zip(best.0.chunks_exact_mut(V::LANES))
            .take(count);
        match &part.form {
            Form::Short(t) => {
                for ((cell, class), best) in steps {
                    let rule = rule(t, V::load(cell), V::load(class));
                    V::load(best).min(rule).store(best);
                }
            }
            Form::Long(t) => {
                for ((cell, class), best) in steps {
                    let rule = rule(t, V::load(cell), V::load(class));
                    V::load(best).min(rule).store(best);
                }
            }
            Form::Lists(l) => {
                // Lists differ in length: lanes would wait for the longest.
                let cells = cells.0.iter().zip(&class.0).zip(&mut best.0).take(n);
                for ((cell, class), best) in cells {
                    *best = (*best).min(l.walk(*cell, |service| services.has(*class, service)));
                }
            }
        }
    }
}

/// As [`Table::record`].
#[inline(always)]
unsafe fn record<V: Vector, T: Number>(table: &Table<T>, row: V, column: V) -> V {
    // SAFETY: see the functions called.
    unsafe {
        let mut shift = table.depth * NODE;
        let place = numbers(&table.rows, row).add(column.right(shift));
        let mut entry = list_of(&table.top, place);
        for _ in 0..table.depth {
            shift -= NODE;
            let digit = column.right(shift).and(V::splat((1 << NODE) - 1));
            entry = descend(&table.nodes, entry, NODE, digit);
        }
        entry.right(1)
    }
}

/// As [`Table::rule`].
#[inline(always)]
unsafe fn rule<V: Vector, T: Number>(table: &Table<T>, record: V, class: V) -> V {
    // SAFETY: see the functions called.
    unsafe {
        let [shape, first] = pairs(&table.records, record);
        let place = if table.shapes.is_empty() {
            shape.add(class)
        } else {
            let page = list_of(&table.shapes, shape.add(class.right(PAGE)));
            page.left(PAGE).or(class.and(V::splat((1 << PAGE) - 1)))
        };
        let nth = match &table.positions {
            Positions::Bytes(b) => bytes(b, place),
            Positions::Words(w) => list_of(w, place),
        };
        list_of(&table.rules, first.add(nth))
    }
}

/// As [`Lists::list`].
#[inline(always)]
unsafe fn list<V: Vector>(lists: &Lists, row: V, column: V) -> V {
    // SAFETY: see the functions called.
    unsafe {
        let one = V::splat(1);
        let [mut base, mut len] = pairs(&lists.rows, row);
        // A lane with one run left compares the run it is in, and stays.
        while len.above(one).any() {
            let half = len.right(1);
            let middle = base.add(half);
            let beyond = numbers(&lists.starts, middle).above(column);
            base = base.add(beyond.and_not(half));
            len = len.sub(half);
        }
        numbers(&lists.lists, base)
    }
}

/// Which instructions the batch stages use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Level(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Kind {
    #[default]
    Portable,
    Avx2,
    Avx512,
}

impl Level {
    /// The best that this processor has.
    pub(super) fn detect() -> Self {
        if std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("popcnt")
        {
            Self(Kind::Avx512)
        } else {
            Self::narrower(Self(Kind::Avx512))
        }
    }

    /// The next simpler level that this processor has.
    pub(super) fn narrower(self) -> Self {
        match self.0 {
            Kind::Avx512
                if std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("popcnt") =>
            {
                Self(Kind::Avx2)
            }
            Kind::Avx512 | Kind::Avx2 | Kind::Portable => Self(Kind::Portable),
        }
    }

    pub(super) const fn is_portable(self) -> bool {
        matches!(self.0, Kind::Portable)
    }

    pub(super) const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            Kind::Avx2 => "avx2",
            Kind::Avx512 => "avx512",
        }
    }
}

/// Makes the safe entry of a stage: false where the portable stage is to be taken.
macro_rules! stage {
    ($(#[$doc:meta])* $name:ident $(<const $n:ident: usize>)? ($($arg:ident: $type:ty),*)) => {
        $(#[$doc])*
        #[inline]
        pub(in super::super) fn $name$(<const $n: usize>)?(level: Level, $($arg: $type),*) -> bool {
            #[target_feature(enable = "avx512f,avx512vl,popcnt")]
            fn wide$(<const $n: usize>)?($($arg: $type),*) {
                // SAFETY: this function has the instructions.
                unsafe { super::$name::<__m512i $(, $n)?>($($arg),*) }
            }
            #[target_feature(enable = "avx2,popcnt")]
            fn narrow$(<const $n: usize>)?($($arg: $type),*) {
                // SAFETY: this function has the instructions.
                unsafe { super::$name::<__m256i $(, $n)?>($($arg),*) }
            }
            match level.0 {
                Kind::Portable => return false,
                // SAFETY: a level with these instructions comes from `detect` or `narrower`,
                // which found them.
                Kind::Avx512 => unsafe { wide$(::<$n>)?($($arg),*) },
                // SAFETY: as above.
                Kind::Avx2 => unsafe { narrow$(::<$n>)?($($arg),*) },
            }
            true
        }
    };
}

/// The stages. `n` says how many of the lanes are of interest, others may be overwritten.
pub(super) mod stage {
    use super::*;

    stage!(map4(map: &Map4, addresses: &Lane, out: &mut Lane, n: usize));
    stage!(upper(map: &Map6, addresses: &Block<u128>, out: &mut Lane, n: usize));
    stage!(flat_one<const F: usize>(flat: &Flat, words: &Words<F>, out: &mut u32));
    stage!(flat<const F: usize>(flat: &Flat, words: &WordLanes, best: &mut Lane, n: usize));
    stage!(joined(list: &[u32], places: &mut Lane, upper: &mut Lane, n: usize));
    stage!(services(services: &Services, fields: &Fields, out: &mut Lane, n: usize));
    stage!(part(
        part: &Part,
        intervals: (&Lane, &Lane),
        class: &Lane,
        classes: &Services,
        best: &mut Lane,
        n: usize
    ));
}
