#![doc = include_str!("../../docs/classifier.md")]

mod build;
mod flat;
mod intern;
mod key;
mod map;
mod numbers;
mod overlay;
mod part;
#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
mod portable;
mod services;
#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod simd;
mod slices;
mod table;
pub mod tuples;

use alloc::sync::Arc;
use alloc::vec::Vec;

pub use key::{
    Address, ENVIRONMENTS, HIDDEN_NUMBERS, HIDDEN_PROTOCOL, Key, Pattern, Protocol, Service,
};
pub use overlay::{Found, Full, Overlay};
#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
use portable::{Level, stage};
#[cfg(all(feature = "std", target_arch = "x86_64"))]
use simd::{Level, stage};
pub(crate) use slices::MOST_WORK;
use slices::Slices;

/// What [`Classifier::first_match_batch`] writes where no pattern fits.
pub const NONE: u32 = u32::MAX;

/// A list of patterns in a form in which the first one that fits a key is found fast.
///
/// Immutable; its answers equal those of a scan of the list in order. A clone shares the tables.
#[derive(Clone, Debug)]
pub struct Classifier<A: Address> {
    slices: Arc<Slices<A>>,
    level: Level,
}

impl<A: Address> Classifier<A> {
    /// Compiles the patterns, highest precedence first. At most `u32::MAX - 1` are taken into
    /// account.
    #[must_use]
    pub fn new(patterns: Vec<Pattern<A>>) -> Self {
        Self::within(patterns, &mut { MOST_WORK })
    }

    /// The same with at most so many steps of work, from which those it takes are taken: for several
    /// classifiers that share what there is.
    pub(crate) fn within(patterns: Vec<Pattern<A>>, work: &mut usize) -> Self {
        let level = Level::detect();
        Self {
            slices: Arc::new(Slices::build(level, patterns, work)),
            level,
        }
    }

    /// The patterns, in order.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern<A>] {
        self.slices.patterns()
    }

    /// The position of the first pattern that fits. No allocation.
    #[inline]
    #[must_use]
    pub fn first_match(&self, key: &Key<A>) -> Option<u32> {
        let n = self.slices.get(self.level, key);
        (n != NONE).then_some(n)
    }

    /// The position of the first pattern that fits and is `alive`: patterns can be taken out of force
    /// without compiling the others again.
    ///
    /// Where the first one that fits is alive this is as fast as [`first_match`](Self::first_match);
    /// otherwise the patterns behind it are scanned.
    #[must_use]
    pub fn first_alive(&self, key: &Key<A>, alive: impl Fn(u32) -> bool) -> Option<u32> {
        let n = self.first_match(key)?;
        if alive(n) {
            Some(n)
        } else {
            self.scan_after(n, key, alive)
        }
    }

    /// The first pattern after `n` that fits and is alive, by a scan.
    fn scan_after(&self, n: u32, key: &Key<A>, alive: impl Fn(u32) -> bool) -> Option<u32> {
        (n + 1..)
            .zip(self.patterns().get(n as usize + 1..)?)
            .find_map(|(n, p)| (p.matches(key) && alive(n)).then_some(n))
    }

    /// The same for many keys, several times faster: `out` has for each key what
    /// [`first_match`](Self::first_match) answers, or [`NONE`]. Stops at the shorter of the two. No
    /// allocation.
    pub fn first_match_batch(&self, keys: &[Key<A>], out: &mut [u32]) {
        let n = keys.len().min(out.len());
        let (Some(keys), Some(out)) = (keys.get(..n), out.get_mut(..n)) else {
            return;
        };
        for (keys, out) in keys.chunks(table::BATCH).zip(out.chunks_mut(table::BATCH)) {
            self.slices.get_batch(self.level, keys, out);
        }
    }

    /// The same classifier with simpler instructions for batches, down to the portable ones: for
    /// comparison.
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
        self.slices.bytes()
    }

    /// How many slices have tables, and how many are scanned: one and none for ordinary sets.
    #[must_use]
    pub fn slices(&self) -> (usize, usize) {
        self.slices.count()
    }
}

#[inline]
fn at(list: &[u32], place: u32) -> u32 {
    list.get(place as usize).copied().unwrap_or(0)
}

#[inline]
fn at16(list: &[u16], place: u32) -> u32 {
    list.get(place as usize).map_or(0, |n| u32::from(*n))
}
