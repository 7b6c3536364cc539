//! Values that many connections have in common, kept once.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

/// How much memory a value holds, itself included.
pub(crate) trait Weight {
    fn weight(&self) -> usize;
}

/// A value and the key it is found by.
#[derive(Debug)]
pub(crate) struct Shared<T> {
    key: u64,
    value: T,
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// What a connection has of a shared value.
pub(crate) type Handle<T> = Arc<Shared<T>>;

/// Shares equal values. At most `max` are shared at once: further ones are kept all the same,
/// each by its connection alone.
///
/// A value is found by a key that equal values have in common. Unequal values with one key are
/// not shared either, so that a peer who makes such values wins nothing but his own memory.
#[derive(Debug)]
pub(crate) struct Interner<T> {
    shared: BTreeMap<u64, Handle<T>>,
    /// Those that were used last and have no user now: the next connection often has the same.
    idle: VecDeque<u64>,
    max: usize,
    held: usize,
}

/// How many values without a user are kept.
const IDLE: usize = 16;

impl<T: Weight> Interner<T> {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            shared: BTreeMap::new(),
            idle: VecDeque::with_capacity(IDLE + 1),
            max,
            held: 0,
        }
    }

    /// Bytes of all values, shared or not, and of what finds them.
    pub(crate) fn held(&self) -> usize {
        self.held + self.shared.len() * size_of::<(u64, Handle<T>)>()
    }

    /// Values that are shared.
    pub(crate) fn len(&self) -> usize {
        self.shared.len()
    }

    /// The value that `same` knows again; `make` gives it when it is not there yet.
    pub(crate) fn get(
        &mut self,
        key: u64,
        same: impl FnOnce(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> Handle<T> {
        let known = self.shared.get(&key);
        if let Some(known) = known.filter(|known| same(&known.value)) {
            return Arc::clone(known);
        }
        let unknown = known.is_none();
        while unknown && self.shared.len() >= self.max && !self.idle.is_empty() {
            self.forget_idle();
        }
        let free = unknown && self.shared.len() < self.max;
        let new = Arc::new(Shared { key, value: make() });
        self.held += new.value.weight();
        if free {
            self.shared.insert(key, Arc::clone(&new));
        }
        new
    }

    /// A connection does not need a value any more.
    pub(crate) fn release(&mut self, value: Handle<T>) {
        let shared = self
            .shared
            .get(&value.key)
            .is_some_and(|s| Arc::ptr_eq(s, &value));
        if Arc::strong_count(&value) > 1 + usize::from(shared) {
            return;
        }
        if shared {
            self.idle.push_back(value.key);
            drop(value);
            if self.idle.len() > IDLE {
                self.forget_idle();
            }
        } else {
            self.held = self.held.saturating_sub(value.value.weight());
        }
    }

    /// Frees the one that is longest without a user, unless it has one again.
    fn forget_idle(&mut self) {
        if let Some(key) = self.idle.pop_front()
            && let Some(value) = self.shared.get(&key)
            && Arc::strong_count(value) == 1
        {
            self.held = self.held.saturating_sub(value.value.weight());
            self.shared.remove(&key);
        }
    }
}

/// The key of a value by its contents.
pub(crate) fn key(value: &impl Hash) -> u64 {
    let mut mix = Mix::default();
    value.hash(&mut mix);
    mix.finish()
}

/// Fast and without secrets: see [`Interner`] why that does.
pub(crate) struct Mix(u64);

impl Default for Mix {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Mix {
    const fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.add(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        self.add(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    fn write_u8(&mut self, i: u8) {
        self.add(i.into());
    }

    fn write_u16(&mut self, i: u16) {
        self.add(i.into());
    }

    fn write_u32(&mut self, i: u32) {
        self.add(i.into());
    }

    fn write_u64(&mut self, i: u64) {
        self.add(i);
    }

    fn write_usize(&mut self, i: usize) {
        self.add(i as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weight for u32 {
        fn weight(&self) -> usize {
            100
        }
    }

    #[test]
    fn equal_values_are_one_and_stay_a_while_without_a_user() {
        let mut i = Interner::new(1_000);
        let (a, b) = (i.get(1, |v| *v == 5, || 5), i.get(1, |v| *v == 5, || 5));
        assert!(Arc::ptr_eq(&a, &b));
        // Another value with the same key is kept, but not shared.
        let c = i.get(1, |v| *v == 6, || 6);
        assert_eq!((i.len(), **c), (1, 6));
        let address = Arc::as_ptr(&a);
        for value in [a, b, c] {
            i.release(value);
        }
        let again = i.get(1, |v| *v == 5, || panic!("it is there"));
        assert_eq!(Arc::as_ptr(&again), address);
        i.release(again);
        for n in 100..400 {
            let value = i.get(n, |v| *v == n as u32, || n as u32);
            i.release(value);
        }
        assert_eq!(i.len(), IDLE);
        assert_eq!(i.held, IDLE * 100);
    }

    #[test]
    fn at_the_bound_values_are_kept_but_not_shared() {
        let mut i = Interner::new(1);
        let a = i.get(1, |v| *v == 1, || 1);
        let (b, c) = (i.get(2, |v| *v == 2, || 2), i.get(2, |v| *v == 2, || 2));
        assert!(!Arc::ptr_eq(&b, &c));
        assert_eq!((**b, **c, i.len()), (2, 2, 1));
        for value in [b, c, a] {
            i.release(value);
        }
        // What has no user makes room.
        let d = i.get(3, |v| *v == 3, || 3);
        assert_eq!((i.len(), i.held), (1, 100));
        i.release(d);
    }
}
