//! The compiled first-match classifier.

mod build;
mod intern;
mod key;
mod map;
mod numbers;
mod part;
#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
mod portable;
mod services;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod simd;
mod table;

use alloc::sync::Arc;
use alloc::vec::Vec;

pub use key::{
    Address, ENVIRONMENTS, HIDDEN_NUMBERS, HIDDEN_PROTOCOL, Key, Pattern, Protocol, Service,
};
#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
use portable::{Level, stage};
#[cfg(all(feature = "std", target_arch = "x86_64"))]
use simd::{Level, stage};
use table::Table;

/// What [`Classifier::first_match_batch`] writes where no rule matches.
pub const NONE: u32 = u32::MAX;

/// A list of patterns in a form in which the first one that fits a key is found fast.
///
/// Immutable; its answers equal those of a scan of the list in order.
#[derive(Clone, Debug)]
pub struct Classifier<A: Address> {
    patterns: Arc<[Pattern<A>]>,
    table: Option<Arc<Table<A>>>,
    level: Level,
}

impl<A: Address> Classifier<A> {
    /// Compiles the patterns, highest precedence first.
    #[must_use]
    pub fn new(patterns: Vec<Pattern<A>>) -> Self {
        let table = if patterns.len() <= SCAN {
            None
        } else {
            Table::build(&patterns).map(Arc::new)
        };
        Self {
            patterns: patterns.into(),
            table,
            level: Level::detect(),
        }
    }

    /// The position of the first pattern that fits.
    #[inline]
    #[must_use]
    pub fn first_match(&self, key: &Key<A>) -> Option<u32> {
        let n = match &self.table {
            Some(table) => table.get(key),
            None => self.scan(key),
        };
        (n != NONE).then_some(n)
    }

    /// The same for many keys: `out` has for each key what [`first_match`](Self::first_match)
    /// answers, or [`NONE`]. Stops at the shorter of the two.
    pub fn first_match_batch(&self, keys: &[Key<A>], out: &mut [u32]) {
        let Some(table) = &self.table else {
            for (key, out) in keys.iter().zip(out) {
                *out = self.scan(key);
            }
            return;
        };
        for (keys, out) in keys.chunks(table::BATCH).zip(out.chunks_mut(table::BATCH)) {
            let n = keys.len().min(out.len());
            if let (Some(keys), Some(out)) = (keys.get(..n), out.get_mut(..n)) {
                table.get_batch(self.level, keys, out);
            }
        }
    }

    /// The same classifier with simpler instructions, down to the portable ones: for comparison.
    #[must_use]
    pub fn narrower(mut self) -> Self {
        self.level = self.level.narrower();
        self
    }

    /// Which instructions batches use: `portable`, `avx2` or `avx512`.
    #[must_use]
    pub fn kernel(&self) -> &'static str {
        self.level.name()
    }

    /// Bytes of heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.patterns.len() * size_of::<Pattern<A>>() + self.table.as_ref().map_or(0, |t| t.bytes())
    }

    /// Whether it is compiled into tables.
    #[must_use]
    pub fn describe(&self) -> alloc::string::String {
        self.table
            .as_ref()
            .map_or_else(|| "scan".into(), |t| t.describe())
    }

    fn scan(&self, key: &Key<A>) -> u32 {
        (0u32..)
            .zip(self.patterns.iter())
            .find_map(|(n, p)| p.matches(key).then_some(n))
            .unwrap_or(NONE)
    }
}

/// Up to this many patterns are scanned.
const SCAN: usize = 32;

#[inline]
fn at(list: &[u32], place: u32) -> u32 {
    list.get(place as usize).copied().unwrap_or(0)
}

#[inline]
fn at16(list: &[u16], place: u32) -> u32 {
    list.get(place as usize).map_or(0, |n| u32::from(*n))
}
