//! Sets that no table can hold within bounds, cut into slices.
//!
//! A slice is a run of patterns in their order. A table that would exceed its budget is given up and
//! its patterns cut in two, until the tables fit or a slice is so short that it is scanned. The
//! first slice with a match decides, so that the order of precedence is kept.

use alloc::vec::Vec;

use super::key::{Address, Key, Pattern};
use super::table::{BATCH, Table};
use super::{Level, NONE};

/// Up to this many patterns are scanned without trying a table.
const SCAN: usize = 8;

/// A slice with fewer patterns is scanned if it does not fit a table: a table has a fixed part of
/// half a mebibyte.
const SHORTEST: usize = 512;

/// A run of patterns.
#[derive(Clone, Debug)]
struct Slice<A: Address> {
    first: u32,
    /// Nothing: the patterns are scanned.
    table: Option<Table<A>>,
}

/// All slices of a set, in order.
#[derive(Clone, Debug)]
pub(super) struct Slices<A: Address> {
    patterns: Vec<Pattern<A>>,
    slices: Vec<Slice<A>>,
}

impl<A: Address> Slices<A> {
    pub(super) fn build(patterns: Vec<Pattern<A>>) -> Self {
        let mut slices = Vec::new();
        cut(&patterns, 0, 0, &mut slices);
        Self { patterns, slices }
    }

    pub(super) fn patterns(&self) -> &[Pattern<A>] {
        &self.patterns
    }

    #[inline]
    pub(super) fn get(&self, key: &Key<A>) -> u32 {
        match self.slices.as_slice() {
            [
                Slice {
                    table: Some(table), ..
                },
            ] => table.get(key),
            _ => self.get_sliced(key),
        }
    }

    #[inline(never)]
    fn get_sliced(&self, key: &Key<A>) -> u32 {
        self.slices
            .iter()
            .map(|slice| self.get_in(slice, key))
            .find(|n| *n != NONE)
            .unwrap_or(NONE)
    }

    fn get_in(&self, slice: &Slice<A>, key: &Key<A>) -> u32 {
        match &slice.table {
            Some(table) => match table.get(key) {
                NONE => NONE,
                n => slice.first + n,
            },
            None => self.scan(slice, key),
        }
    }

    /// For up to [`BATCH`] keys.
    pub(super) fn get_batch(&self, level: Level, keys: &[Key<A>], out: &mut [u32]) {
        match self.slices.as_slice() {
            [
                Slice {
                    table: Some(table), ..
                },
            ] => table.get_batch(level, keys, out),
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
                    match &slice.table {
                        Some(table) => table.get_batch(level, now, found),
                        None => {
                            for (key, found) in now.iter().zip(found.iter_mut()) {
                                *found = match self.scan(slice, key) {
                                    NONE => NONE,
                                    n => n - slice.first,
                                };
                            }
                        }
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

    /// The first pattern of a slice that fits, counted from the beginning of the set.
    fn scan(&self, slice: &Slice<A>, key: &Key<A>) -> u32 {
        let end = self.slices.partition_point(|s| s.first <= slice.first);
        let end = self
            .slices
            .get(end)
            .map_or(self.patterns.len(), |s| s.first as usize);
        let patterns = self
            .patterns
            .get(slice.first as usize..end)
            .unwrap_or_default();
        (slice.first..)
            .zip(patterns)
            .find_map(|(n, p)| p.matches(key).then_some(n))
            .unwrap_or(NONE)
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(self.patterns.as_slice())
            + self
                .slices
                .iter()
                .map(|s| size_of_val(s) + s.table.as_ref().map_or(0, Table::bytes))
                .sum::<usize>()
    }

    /// How many slices have tables, and how many are scanned.
    pub(super) fn count(&self) -> (usize, usize) {
        let tables = self.slices.iter().filter(|s| s.table.is_some()).count();
        (tables, self.slices.len() - tables)
    }
}

/// Each cut halves what a pattern may cost: where shorter slices are not cheaper, cutting is soon
/// given up.
fn cut<A: Address>(patterns: &[Pattern<A>], first: u32, cuts: u32, slices: &mut Vec<Slice<A>>) {
    let table = if patterns.len() <= SCAN {
        None
    } else {
        Table::build(patterns, cuts)
    };
    if table.is_none() && patterns.len() >= 2 * SHORTEST {
        let (one, two) = patterns.split_at(patterns.len() / 2);
        cut(one, first, cuts + 1, slices);
        cut(two, first + one.len() as u32, cuts + 1, slices);
        return;
    }
    // Neighbours that are scanned are one slice.
    if table.is_none() && slices.last().is_some_and(|s| s.table.is_none()) {
        return;
    }
    slices.push(Slice { first, table });
}
