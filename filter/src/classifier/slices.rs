//! Sets that no table can hold within bounds, cut into slices.
//!
//! A slice is a run of patterns in their order. A table that would exceed its budget is given up and
//! its patterns cut in two, until the tables fit or a slice is so short that it is scanned. The
//! first slice with a match decides, so that the order of precedence is kept.

use alloc::vec::Vec;

use super::flat::Flat;
use super::key::{Address, Key, Pattern};
use super::table::{BATCH, Table};
use super::{Level, NONE};

/// Up to this many patterns are scanned without trying a table; with vector instructions twice as many take no
/// longer.
const SCAN: usize = 16;
const SCAN_VECTORS: usize = 32;

/// A slice with fewer patterns is scanned if it does not fit a table: a table has a fixed part of
/// half a mebibyte.
const SHORTEST: usize = 512;

/// Steps of work that compiling a list may take in all, a few nanoseconds each. Ordinary sets take a
/// tenth of it; when it is used up what remains is scanned.
const WORK: usize = 1 << 22;
const WORK_PER_PATTERN: usize = 8192;
pub(crate) const MOST_WORK: usize = 1 << 28;

/// A run of patterns.
#[derive(Clone, Debug)]
struct Slice<A: Address> {
    first: u32,
    form: Form<A>,
}

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "slices are few, and a box were one load more for every packet"
)]
enum Form<A: Address> {
    Table(Table<A>),
    /// The patterns are scanned.
    Flat(Flat),
}

/// All slices of a set, in order.
#[derive(Clone, Debug)]
pub(super) struct Slices<A: Address> {
    patterns: Vec<Pattern<A>>,
    slices: Vec<Slice<A>>,
}

impl<A: Address> Slices<A> {
    /// Takes the work it does from `work`, which is what there is at most.
    pub(super) fn build(level: Level, patterns: Vec<Pattern<A>>, work: &mut usize) -> Self {
        let most = (WORK + patterns.len() * WORK_PER_PATTERN).min(*work);
        let mut cutter = Cutter {
            left: most,
            likely: usize::MAX,
            slices: Vec::new(),
        };
        let scan = if level.is_portable() {
            SCAN
        } else {
            SCAN_VECTORS
        };
        cutter.cut(&patterns, 0, 0, scan);
        *work -= most - cutter.left;
        let cuts = cutter.slices;
        let mut ends: Vec<u32> = cuts.iter().skip(1).map(|(first, _)| *first).collect();
        ends.push(patterns.len() as u32);
        let slices = cuts.into_iter().zip(ends).map(|((first, table), end)| {
            let form = match table {
                Some(table) => Form::Table(table),
                None => {
                    let range = first as usize..end as usize;
                    Form::Flat(Flat::new(patterns.get(range).unwrap_or_default()))
                }
            };
            Slice { first, form }
        });
        let slices = slices.collect();
        Self { patterns, slices }
    }

    pub(super) fn patterns(&self) -> &[Pattern<A>] {
        &self.patterns
    }

    #[inline]
    pub(super) fn get(&self, level: Level, key: &Key<A>) -> u32 {
        match self.slices.as_slice() {
            [
                Slice {
                    form: Form::Table(table),
                    ..
                },
            ] => table.get(key),
            [
                Slice {
                    form: Form::Flat(flat),
                    ..
                },
            ] => flat.get(level, &self.patterns, key),
            slices => self.get_sliced(level, slices, key),
        }
    }

    #[inline(never)]
    fn get_sliced(&self, level: Level, slices: &[Slice<A>], key: &Key<A>) -> u32 {
        for slice in slices {
            let n = match &slice.form {
                Form::Table(table) => table.get(key),
                Form::Flat(flat) => flat.get(level, self.from(slice), key),
            };
            if n != NONE {
                return slice.first + n;
            }
        }
        NONE
    }

    /// The patterns from the first of a slice on.
    fn from(&self, slice: &Slice<A>) -> &[Pattern<A>] {
        self.patterns
            .get(slice.first as usize..)
            .unwrap_or_default()
    }

    /// For up to [`BATCH`] keys.
    pub(super) fn get_batch(&self, level: Level, keys: &[Key<A>], out: &mut [u32]) {
        match self.slices.as_slice() {
            [
                Slice {
                    form: Form::Table(table),
                    ..
                },
            ] => table.get_batch(level, keys, out),
            [
                Slice {
                    form: Form::Flat(flat),
                    ..
                },
            ] => flat.get_batch(level, &self.patterns, keys, out),
            slices => {
                // Keys that no slice has decided yet, closed up, and where each belongs.
                let mut open = [Key::default(); BATCH];
                let mut places = [0usize; BATCH];
                let mut found = [NONE; BATCH];
                let mut count = keys.len().min(out.len()).min(BATCH);
                for (n, ((open, place), key)) in
                    open.iter_mut().zip(&mut places).zip(keys).enumerate()
                {
                    (*open, *place) = (*key, n);
                }
                out.fill(NONE);
                for slice in slices {
                    let (Some(now), Some(found)) = (open.get(..count), found.get_mut(..count))
                    else {
                        return;
                    };
                    match &slice.form {
                        Form::Table(table) => table.get_batch(level, now, found),
                        Form::Flat(flat) => flat.get_batch(level, self.from(slice), now, found),
                    }
                    let mut left = 0;
                    for (n, found) in found.iter().enumerate() {
                        let Some(place) = places.get(n).copied() else {
                            return;
                        };
                        if *found != NONE {
                            if let Some(out) = out.get_mut(place) {
                                *out = slice.first + *found;
                            }
                            continue;
                        }
                        if let Some(p) = places.get_mut(left) {
                            *p = place;
                        }
                        open.copy_within(n..=n, left);
                        left += 1;
                    }
                    count = left;
                    if count == 0 {
                        return;
                    }
                }
            }
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.patterns.as_slice())
            + self
                .slices
                .iter()
                .map(|s| {
                    size_of_val(s)
                        + match &s.form {
                            Form::Table(table) => table.bytes(),
                            Form::Flat(flat) => flat.bytes(),
                        }
                })
                .sum::<usize>()
    }

    /// How many slices have tables, and how many are scanned.
    pub(super) fn count(&self) -> (usize, usize) {
        let tables = self.slices.iter();
        let tables = tables.filter(|s| matches!(s.form, Form::Table(_))).count();
        (tables, self.slices.len() - tables)
    }
}

/// The cutting of a list that is being compiled.
struct Cutter<A: Address> {
    /// Steps of work that are left.
    left: usize,
    /// Up to twice so many patterns are tried: what the last slice had that came out.
    likely: usize,
    /// The first pattern and the table of each slice; no table where the patterns are scanned.
    slices: Vec<(u32, Option<Table<A>>)>,
}

impl<A: Address> Cutter<A> {
    fn cut(&mut self, patterns: &[Pattern<A>], first: u32, cuts: u32, scan: usize) {
        let shortest = patterns.len() < 2 * SHORTEST;
        let tried = patterns.len() > scan && patterns.len() / 2 <= self.likely;
        let table = if tried {
            Table::build(patterns, cuts, &mut self.left)
        } else {
            None
        };
        if table.is_some() || shortest {
            self.likely = patterns.len();
        }
        if table.is_none() && !shortest {
            let (one, two) = patterns.split_at(patterns.len() / 2);
            self.cut(one, first, cuts + 1, scan);
            self.cut(two, first + one.len() as u32, cuts + 1, scan);
            return;
        }
        // Neighbours that are scanned are one slice.
        if table.is_none() && self.slices.last().is_some_and(|(_, table)| table.is_none()) {
            return;
        }
        self.slices.push((first, table));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever work there is for compiling, the answers are those of a scan; what there is no work
    /// for is scanned.
    #[test]
    fn answers_do_not_depend_on_the_work_there_is() {
        let random = |n: u32| n.wrapping_mul(0x9e37_79b9).rotate_left(n % 32);
        let range = |n: u32, long: u32| {
            let low = random(n) & !long;
            (low, low | long)
        };
        let patterns: Vec<Pattern<u32>> = (0..3000)
            .map(|n| Pattern {
                source: range(n, u32::MAX >> (n % 24)),
                destination: range(n + 7, u32::MAX >> (n % 7 + n % 5)),
                ..Pattern::ANY
            })
            .collect();
        let keys: Vec<Key<u32>> = (0..500)
            .map(|n| Key {
                source: random(n * 3),
                destination: random(n + 7),
                ..Key::default()
            })
            .collect();
        let expect: Vec<u32> = keys
            .iter()
            .map(|k| {
                let found = patterns.iter().position(|p| p.matches(k));
                found.map_or(NONE, |n| n as u32)
            })
            .collect();
        let level = Level::detect();
        let mut forms = Vec::new();
        for work in [0, 1 << 16, 1 << 18, 1 << 20, 1 << 22, MOST_WORK] {
            let mut left = work;
            let slices = Slices::build(level, patterns.clone(), &mut left);
            assert!(left <= work);
            let got: Vec<u32> = keys.iter().map(|k| slices.get(level, k)).collect();
            assert_eq!(got, expect, "{work}");
            for (keys, expect) in keys.chunks(BATCH).zip(expect.chunks(BATCH)) {
                let mut got = [7; BATCH];
                let got = &mut got[..keys.len()];
                slices.get_batch(level, keys, got);
                assert_eq!(got, expect, "{work}");
            }
            forms.push(slices.count());
        }
        assert_eq!(forms.first(), Some(&(0, 1)));
        assert!(forms.iter().any(|(tables, _)| *tables > 0), "{forms:?}");
    }
}
