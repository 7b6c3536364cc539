//! Changes to a compiled list that take effect before it is compiled again.

use alloc::vec::Vec;

use super::key::{Address, Key, Pattern};
use super::{Classifier, NONE};

/// A classifier, patterns added to it and patterns taken out of it.
///
/// A change takes a microsecond or so and costs the packet path little; compiling the whole list
/// anew, where no packet waits, makes room for more of them. A clone shares the compiled part, so that
/// a changed one can be published in place of the one in use.
///
/// * Added patterns, at most [`MAX_ADDED`](Self::MAX_ADDED), are compared one by one, those only that
///   would take precedence over the compiled pattern found: about 1 ns each.
/// * A key whose first pattern was taken out is compared with the compiled patterns behind it, one by
///   one; every other key is as fast as before.
#[derive(Clone, Debug)]
pub struct Overlay<A: Address> {
    base: Classifier<A>,
    /// In order of precedence.
    added: Vec<Added<A>>,
    next: u32,
    /// One bit a compiled pattern; empty while none is out.
    removed: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Added<A> {
    /// The compiled pattern it stands in front of.
    before: u32,
    name: u32,
    pattern: Pattern<A>,
}

/// A pattern of an [`Overlay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are these two kinds")]
pub enum Found {
    /// The compiled one at this position.
    Compiled(u32),
    /// The added one that [`Overlay::insert`] gave this name.
    Added(u32),
}

/// No more patterns can be added before the list is compiled again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many changes since the rules were compiled")]
pub struct Full;

impl<A: Address> Overlay<A> {
    /// How many patterns can be added.
    pub const MAX_ADDED: usize = 64;

    /// A classifier without changes.
    #[must_use]
    pub const fn new(base: Classifier<A>) -> Self {
        Self {
            base,
            added: Vec::new(),
            next: 0,
            removed: Vec::new(),
        }
    }

    /// Adds a pattern in front of the compiled one at `before`, behind those added there earlier; a
    /// position beyond the last means the end. Gives it a name.
    ///
    /// # Errors
    /// [`Full`] when there are [`MAX_ADDED`](Self::MAX_ADDED).
    pub fn insert(&mut self, before: u32, pattern: Pattern<A>) -> Result<u32, Full> {
        if self.added.len() >= Self::MAX_ADDED {
            return Err(Full);
        }
        let before = before.min(self.base.patterns().len() as u32);
        let name = self.next;
        self.next = self.next.wrapping_add(1);
        let place = self.added.partition_point(|a| a.before <= before);
        self.added.insert(
            place,
            Added {
                before,
                name,
                pattern,
            },
        );
        Ok(name)
    }

    /// Takes a pattern out; whether it was there.
    pub fn remove(&mut self, found: Found) -> bool {
        match found {
            Found::Added(name) => {
                let count = self.added.len();
                self.added.retain(|a| a.name != name);
                self.added.len() < count
            }
            Found::Compiled(n) => {
                let len = self.base.patterns().len();
                if n as usize >= len || !self.is_alive(n) {
                    return false;
                }
                self.removed.resize(len.div_ceil(64), 0);
                if let Some(word) = self.removed.get_mut(n as usize / 64) {
                    *word |= 1 << (n % 64);
                }
                true
            }
        }
    }

    /// How many changes there are: what compiling anew would clear.
    #[must_use]
    pub fn changes(&self) -> usize {
        let removed: u32 = self.removed.iter().map(|w| w.count_ones()).sum();
        self.added.len() + removed as usize
    }

    /// All patterns in order, to be compiled anew.
    pub fn patterns(&self) -> impl Iterator<Item = (Found, Pattern<A>)> + '_ {
        let mut added = self.added.iter().peekable();
        let mut compiled = (0u32..).zip(self.base.patterns()).peekable();
        core::iter::from_fn(move || {
            loop {
                let next = compiled.peek().map_or(u32::MAX, |(n, _)| *n);
                if let Some(a) = added.next_if(|a| a.before <= next) {
                    return Some((Found::Added(a.name), a.pattern));
                }
                let (n, pattern) = compiled.next()?;
                if self.is_alive(n) {
                    return Some((Found::Compiled(n), *pattern));
                }
            }
        })
    }

    /// The first pattern that fits. No allocation.
    #[must_use]
    #[inline]
    pub fn first_match(&self, key: &Key<A>) -> Option<Found> {
        self.settle(key, self.base.first_match(key).unwrap_or(NONE))
    }

    /// The same for many keys. Stops at the shorter of the two. No allocation.
    pub fn first_match_batch(&self, keys: &[Key<A>], out: &mut [Option<Found>]) {
        const STEP: usize = 128;
        let mut found = [NONE; STEP];
        for (keys, out) in keys.chunks(STEP).zip(out.chunks_mut(STEP)) {
            self.base.first_match_batch(keys, &mut found);
            for ((key, n), out) in keys.iter().zip(found).zip(out) {
                *out = self.settle(key, n);
            }
        }
    }

    /// What the changes make of the answer of the compiled part.
    #[inline]
    fn settle(&self, key: &Key<A>, mut compiled: u32) -> Option<Found> {
        if compiled != NONE && !self.removed.is_empty() && !self.is_alive(compiled) {
            let alive = |n| self.is_alive(n);
            compiled = self.base.scan_after(compiled, key, alive).unwrap_or(NONE);
        }
        self.added
            .iter()
            .take_while(|a| a.before <= compiled)
            .find(|a| a.pattern.matches(key))
            .map(|a| Found::Added(a.name))
            .or((compiled != NONE).then_some(Found::Compiled(compiled)))
    }

    fn is_alive(&self, n: u32) -> bool {
        self.removed
            .get(n as usize / 64)
            .is_none_or(|word| (word >> (n % 64)) & 1 == 0)
    }
}
