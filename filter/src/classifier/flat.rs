//! Patterns in columns, compared sixteen at a time: nothing is compiled.
//!
//! A block has, for sixteen patterns, one column for each bound that any pattern of the list has; what
//! no pattern asks takes no room and no time. One key is compared with all lanes of a block at once; in
//! batches with vector instructions each lane is a key, which all patterns are compared with one after
//! the other, and no branch depends on an answer.

use alloc::vec::Vec;

use super::key::{Address, ENVIRONMENTS, FULL, HIDDEN_NUMBERS, HIDDEN_PROTOCOL};
use super::key::{Key, Pattern, Protocol};
use super::table::{BATCH, Block, Lane};
use super::{Level, NONE, stage};

/// Patterns in a block.
pub(super) const LANES: usize = 16;

/// Longer lists are compared with one key at a time.
const LONG: u32 = 64;

/// Words of an address, at most.
const WORDS: usize = 4;
/// Numbers of a key that patterns bound by ranges: both addresses, `a` and `b`.
pub(super) const FIELDS: usize = 2 * WORDS + 2;
/// Stands for hidden numbers, above all others.
const HIDDEN: u32 = 1 << 16;
/// Makes of an unsigned comparison one with sign, which all processors have.
const BIAS: u32 = 1 << 31;

/// One bound of sixteen patterns, on a cache line of its own.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Column(pub(super) [u32; LANES]);

/// A list of patterns in columns.
#[derive(Clone, Debug)]
pub(super) struct Flat {
    /// The fields that some pattern bounds, in the order of their columns.
    fields: Vec<u8>,
    /// Block by block: for each field the lower bounds and the lengths of the ranges (biased), then mask
    /// and value of what is compared as a whole, then, if any pattern asks, four columns of
    /// environments that do not match.
    pub(super) columns: Vec<Column>,
    /// How many columns a block has.
    pub(super) stride: usize,
    /// How many patterns there are.
    pub(super) len: u32,
    /// A lane that fits is a pattern that fits. Otherwise, where ranges of IPv6 addresses are no
    /// prefixes, it still has to be asked.
    exact: bool,
}

/// What of a key the columns are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<const F: usize> {
    /// The fields that are bounded.
    pub(super) fields: [u32; F],
    /// Protocol, 256 for a hidden one; the security class above.
    pub(super) rest: u32,
    /// The environment's bit in the column of its group.
    pub(super) environment: [u32; 4],
}

/// The same of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct WordLanes {
    pub(super) fields: [Lane; FIELDS],
    pub(super) rest: Lane,
    pub(super) environment: [Lane; 4],
}

/// All numbers of a key that can be bounded.
#[inline(always)]
fn numbers<A: Address>(key: &Key<A>) -> [u32; FIELDS] {
    let [s0, s1, s2, s3] = key.source.words();
    let [d0, d1, d2, d3] = key.destination.words();
    let hidden = key.hidden & HIDDEN_NUMBERS != 0;
    let number = |n: u16| if hidden { HIDDEN } else { u32::from(n) };
    [s0, d0, number(key.a), number(key.b), s1, d1, s2, d2, s3, d3]
}

/// What else is compared.
#[inline(always)]
fn others<A>(key: &Key<A>) -> (u32, [u32; 4]) {
    let opaque = u32::from(key.hidden & HIDDEN_PROTOCOL != 0);
    let rest = u32::from(key.protocol) | opaque << 8 | u32::from(key.class) << 16;
    let bit = 1u128 << (key.environment % ENVIRONMENTS);
    (rest, [0, 32, 64, 96].map(|shift| (bit >> shift) as u32))
}

/// Calls a function that is made for a certain number of fields.
macro_rules! by_fields {
    ($n:expr, $f:ident($($arg:expr),*)) => {
        match $n {
            0 => $f::<0>($($arg),*),
            1 => $f::<1>($($arg),*),
            2 => $f::<2>($($arg),*),
            3 => $f::<3>($($arg),*),
            4 => $f::<4>($($arg),*),
            5 => $f::<5>($($arg),*),
            6 => $f::<6>($($arg),*),
            7 => $f::<7>($($arg),*),
            8 => $f::<8>($($arg),*),
            9 => $f::<9>($($arg),*),
            _ => $f::<FIELDS>($($arg),*),
        }
    };
}

/// The ranges of a pattern in the order of [`numbers`], and whether they say all of it.
fn ranges<A: Address>(p: &Pattern<A>) -> ([(u32, u32); FIELDS], bool) {
    let (source, source_exact) = address(p.source);
    let (destination, destination_exact) = address(p.destination);
    let number = |(low, high): (u16, u16)| {
        if (low, high) == FULL {
            (0, HIDDEN)
        } else {
            (low.into(), high.into())
        }
    };
    let ([s0, s1, s2, s3], [d0, d1, d2, d3]) = (source, destination);
    let (a, b) = (number(p.service.a), number(p.service.b));
    (
        [s0, d0, a, b, s1, d1, s2, d2, s3, d3],
        source_exact && destination_exact,
    )
}

/// The range of each word of an address: up to the first word in which the bounds differ every
/// address of the range is inside, behind it any word may be. That says all of a prefix.
fn address<A: Address>((low, high): (A, A)) -> ([(u32, u32); WORDS], bool) {
    let mut out = [(0, u32::MAX); WORDS];
    let (mut same, mut exact) = (true, true);
    let words = low.words().into_iter().zip(high.words());
    for (range, (low, high)) in out.iter_mut().zip(words).take(A::WORDS) {
        if same {
            *range = (low, high);
            same = low == high;
        } else {
            exact &= (low, high) == (0, u32::MAX);
        }
    }
    (out, exact)
}

impl Flat {
    pub(super) fn new<A: Address>(patterns: &[Pattern<A>]) -> Self {
        let mut exact = true;
        let mut asked = [false; FIELDS];
        let mut environments = false;
        for p in patterns.iter().filter(|p| !p.is_empty()) {
            let (ranges, whole) = ranges(p);
            exact &= whole;
            environments |= p.service.environments != u128::MAX;
            for ((field, asked), range) in (0..).zip(&mut asked).zip(ranges) {
                let all = if field == 2 || field == 3 {
                    HIDDEN
                } else {
                    u32::MAX
                };
                *asked |= range != (0, all);
            }
        }
        let fields: Vec<u8> = (0..)
            .zip(asked)
            .filter_map(|(field, asked)| asked.then_some(field))
            .collect();
        let stride = fields.len() * 2 + 2 + if environments { 4 } else { 0 };
        let mut columns = Vec::with_capacity(stride * patterns.len().div_ceil(LANES));
        for chunk in patterns.chunks(LANES) {
            let bounds: Vec<_> = chunk.iter().map(|p| ranges(p).0).collect();
            let column = |of: &dyn Fn(usize, &Pattern<A>) -> u32, other: u32| {
                let mut column = Column([other; LANES]);
                for (n, (lane, p)) in column.0.iter_mut().zip(chunk).enumerate() {
                    *lane = of(n, p);
                }
                column
            };
            for &field in &fields {
                let range = |n: usize| {
                    let of_all = bounds.get(n).and_then(|b| b.get(usize::from(field)));
                    of_all.copied().unwrap_or_default()
                };
                columns.push(column(&|n, _| range(n).0.wrapping_sub(BIAS), 0));
                columns.push(column(
                    &|n, _| range(n).1.wrapping_sub(range(n).0).wrapping_sub(BIAS),
                    0,
                ));
            }
            // A lane without a pattern, or with one that nothing fits, asks bits of nothing.
            columns.push(column(&|_, p| if p.is_empty() { 0 } else { rest(p)[0] }, 0));
            columns.push(column(&|_, p| if p.is_empty() { 1 } else { rest(p)[1] }, 1));
            if environments {
                for group in 0..4 {
                    let absent = |p: &Pattern<A>| !(p.service.environments >> (group * 32)) as u32;
                    columns.push(column(&|_, p| absent(p), 0));
                }
            }
        }
        Self {
            fields,
            columns,
            stride,
            len: patterns.len() as u32,
            exact,
        }
    }

    /// The first pattern that fits; `patterns` are those it was made from.
    #[inline]
    pub(super) fn get<A: Address>(
        &self,
        level: Level,
        patterns: &[Pattern<A>],
        key: &Key<A>,
    ) -> u32 {
        let n = by_fields!(self.fields.len(), first(self, level, key));
        self.certain(patterns, key, n)
    }

    /// The same for up to [`BATCH`] keys.
    pub(super) fn get_batch<A: Address>(
        &self,
        level: Level,
        patterns: &[Pattern<A>],
        keys: &[Key<A>],
        out: &mut [u32],
    ) {
        // The keys of a vector wait for each other: in long lists each goes as far as it must.
        if level.is_portable() || self.len > LONG {
            for (key, out) in keys.iter().zip(out) {
                *out = self.get(level, patterns, key);
            }
            return;
        }
        let mut words = WordLanes {
            fields: [Block([0; BATCH]); FIELDS],
            rest: Block([0; BATCH]),
            environment: [Block([0; BATCH]); 4],
        };
        for (n, key) in keys.iter().enumerate() {
            let all = numbers(key);
            for (lane, field) in words.fields.iter_mut().zip(&self.fields) {
                let number = all.get(usize::from(*field)).copied().unwrap_or(0);
                set(lane, n, number);
            }
            let (rest, environment) = others(key);
            set(&mut words.rest, n, rest);
            for (lane, bit) in words.environment.iter_mut().zip(environment) {
                set(lane, n, bit);
            }
        }
        let mut best = Block([NONE; BATCH]);
        by_fields!(
            self.fields.len(),
            firsts(level, self, &words, &mut best, keys.len())
        );
        for ((key, out), best) in keys.iter().zip(out).zip(best.0) {
            *out = self.certain(patterns, key, best);
        }
    }

    /// The first pattern from the `n`-th on that fits.
    #[inline]
    fn certain<A: Address>(&self, patterns: &[Pattern<A>], key: &Key<A>, n: u32) -> u32 {
        if self.exact || n == NONE {
            return n;
        }
        let rest = patterns.get(n as usize..).unwrap_or_default();
        let mut rest = (n..).zip(rest);
        rest.find(|(_, p)| p.matches(key)).map_or(NONE, |(n, _)| n)
    }

    pub(super) fn bytes(&self) -> usize {
        self.fields.len() + size_of_val(self.columns.as_slice())
    }
}

fn set(lane: &mut Lane, n: usize, number: u32) {
    if let Some(place) = lane.0.get_mut(n) {
        *place = number;
    }
}

/// The first lane that fits a key.
#[inline(always)]
fn first<const F: usize>(flat: &Flat, level: Level, key: &Key<impl Address>) -> u32 {
    let all = numbers(key);
    let mut fields = [0; F];
    for (out, field) in fields.iter_mut().zip(&flat.fields) {
        *out = all.get(usize::from(*field)).copied().unwrap_or(0);
    }
    let (rest, environment) = others(key);
    let words = Words {
        fields,
        rest,
        environment,
    };
    let mut out = NONE;
    if stage::flat_one::<F>(level, flat, &words, &mut out) {
        return out;
    }
    (0u32..)
        .zip(flat.columns.chunks_exact(flat.stride))
        .find_map(|(n, block)| {
            let fits = fits(block, &words);
            (fits != 0).then(|| n * LANES as u32 + fits.trailing_zeros() / 8)
        })
        .unwrap_or(NONE)
}

/// The first pattern that fits, for each key of a batch.
fn firsts<const F: usize>(level: Level, flat: &Flat, words: &WordLanes, best: &mut Lane, n: usize) {
    stage::flat::<F>(level, flat, words, best, n);
}

/// One byte for each lane of a block: 0 where it does not fit.
#[inline(always)]
fn fits<const F: usize>(block: &[Column], words: &Words<F>) -> u128 {
    let (ranges, rest) = block.as_chunks().0.split_at(F.min(block.len() / 2));
    let mut fails = [0u32; LANES];
    for (value, [low, length]) in words.fields.iter().zip(ranges) {
        for ((fails, low), length) in fails.iter_mut().zip(low.0).zip(length.0) {
            let beyond = value.wrapping_sub(low).cast_signed() > length.cast_signed();
            *fails |= u32::from(beyond).wrapping_neg();
        }
    }
    if let [[mask, value], absent @ ..] = rest {
        for ((fails, mask), value) in fails.iter_mut().zip(mask.0).zip(value.0) {
            *fails |= (words.rest & mask) ^ value;
        }
        for (absent, bit) in absent.as_flattened().iter().zip(words.environment) {
            for (fails, absent) in fails.iter_mut().zip(absent.0) {
                *fails |= bit & absent;
            }
        }
    }
    u128::from_le_bytes(fails.map(|f| u8::from(f == 0)))
}

/// Mask and value of what a pattern asks of [`Words::rest`].
fn rest<A>(p: &Pattern<A>) -> [u32; 2] {
    let [mut mask, mut value] = match p.service.protocol {
        Protocol::Any => [0, 0],
        Protocol::Is(p) => [0x1ff, u32::from(p)],
        Protocol::Opaque => [0x100, 0x100],
    };
    if p.service.class != 0 {
        mask |= 0xff << 16;
        value |= u32::from(p.service.class) << 16;
    }
    [mask, value]
}
