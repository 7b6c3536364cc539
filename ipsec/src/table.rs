//! A hash table of 64-bit keys and values that any number of cores reads while one writes, built
//! of atomics alone.
//!
//! Its places are made at once and never move, which is what makes reading simple: a key has two
//! buckets of eight places and stands in one of the sixteen. A reader never waits and never
//! searches further; a key that is in the table is always found, whatever is written meanwhile.
//! There are four places to each entry that may be made, so that both buckets of a key being full
//! is a matter of theory; it is an error and not a loss.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering};

/// Places of a bucket: 128 bytes, two lines that the prefetcher fetches as a pair.
const WAYS: usize = 8;

/// The key that no entry has.
const FREE: u64 = 0;

#[derive(Debug, Default)]
struct Place {
    key: AtomicU64,
    value: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Bucket([Place; WAYS]);

/// Why a key was not entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is there already.
    Taken,
    /// Both of its buckets are full.
    Full,
}

#[derive(Debug)]
pub(crate) struct Table {
    buckets: Box<[Bucket]>,
    secret: u64,
}

impl Table {
    /// A table for so many entries. The secret keeps who can choose keys from choosing buckets.
    pub(crate) fn new(entries: usize, secret: u64) -> Self {
        let buckets = (entries.max(1) * 4 / WAYS).max(2).next_power_of_two();
        Self {
            buckets: core::iter::repeat_with(Bucket::default)
                .take(buckets)
                .collect(),
            secret,
        }
    }

    #[inline]
    fn pair(&self, key: u64) -> [Option<&Bucket>; 2] {
        let h = mix(key ^ self.secret);
        let mask = self.buckets.len() - 1;
        // The second differs from the first, as there are two at least.
        let first = h as usize & mask;
        let second = (first ^ ((h >> 32) as usize | 1)) & mask;
        [self.buckets.get(first), self.buckets.get(second)]
    }

    /// The value of a key.
    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<u64> {
        if key == FREE {
            return None;
        }
        for bucket in self.pair(key).into_iter().flatten() {
            for place in &bucket.0 {
                // Acquire: whoever entered the key had written the value before.
                if place.key.load(Ordering::Acquire) == key {
                    let value = place.value.load(Ordering::Acquire);
                    // The place may have been given to another key in between, whose value this
                    // is; then the key was no longer there.
                    if place.key.load(Ordering::Relaxed) == key {
                        return Some(value);
                    }
                }
            }
        }
        None
    }

    /// Reads where the key would stand, to have it in the cache later.
    #[inline]
    pub(crate) fn touch(&self, key: u64) {
        for bucket in self.pair(key).into_iter().flatten() {
            let [first, .., last] = &bucket.0;
            core::hint::black_box(
                first.key.load(Ordering::Relaxed) ^ last.key.load(Ordering::Relaxed),
            );
        }
    }

    /// Enters a key, which is not 0. Only one core may write at a time.
    pub(crate) fn insert(&self, key: u64, value: u64) -> Result<(), Refused> {
        if key == FREE || self.get(key).is_some() {
            return Err(Refused::Taken);
        }
        let room = |b: &&Bucket| {
            let free = |p: &&Place| p.key.load(Ordering::Relaxed) == FREE;
            b.0.iter().filter(free).count()
        };
        let [first, second] = self.pair(key);
        // The emptier one, the first of two that are equal.
        let bucket = match (first, second) {
            (Some(a), Some(b)) if room(&b) > room(&a) => b,
            (Some(a), _) => a,
            (None, _) => return Err(Refused::Full),
        };
        let place = bucket
            .0
            .iter()
            .find(|p| p.key.load(Ordering::Relaxed) == FREE)
            .ok_or(Refused::Full)?;
        // Release, both: who reads this value of a place whose former key he saw, sees also that
        // the key is gone.
        place.value.store(value, Ordering::Release);
        place.key.store(key, Ordering::Release);
        Ok(())
    }

    /// Gives a key another value; whether it was there. Only one core may write at a time.
    pub(crate) fn set(&self, key: u64, value: u64) -> bool {
        self.place(key)
            .map(|p| p.value.store(value, Ordering::Release))
            .is_some()
    }

    /// Takes a key out; whether it was there. Only one core may write at a time.
    pub(crate) fn remove(&self, key: u64) -> bool {
        self.place(key)
            .map(|p| p.key.store(FREE, Ordering::Release))
            .is_some()
    }

    fn place(&self, key: u64) -> Option<&Place> {
        self.pair(key)
            .into_iter()
            .flatten()
            .flat_map(|b| &b.0)
            .find(|p| p.key.load(Ordering::Relaxed) == key)
    }
}

/// Spreads a word over all bits (the finalizer of MurmurHash3).
#[inline]
pub(crate) const fn mix(mut h: u64) -> u64 {
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::thread;
    use std::vec::Vec;

    use super::*;

    #[test]
    fn a_table_equals_a_map() {
        arbtest::arbtest(|u| {
            let table = Table::new(32, u.arbitrary()?);
            let mut map = BTreeMap::new();
            for _ in 0..u.int_in_range(0..=200)? {
                let key = u.int_in_range(1..=48u64)?;
                let value = u.arbitrary()?;
                match u.int_in_range(0..=3u8)? {
                    0 | 1 if map.len() < 32 => {
                        let entered = table.insert(key, value);
                        match map.entry(key) {
                            std::collections::btree_map::Entry::Vacant(e) => {
                                assert_eq!(entered, Ok(()));
                                e.insert(value);
                            }
                            std::collections::btree_map::Entry::Occupied(_) => {
                                assert_eq!(entered, Err(Refused::Taken));
                            }
                        }
                    }
                    2 => assert_eq!(table.remove(key), map.remove(&key).is_some()),
                    _ => {
                        let there = map.contains_key(&key);
                        assert_eq!(table.set(key, value), there);
                        if there {
                            map.insert(key, value);
                        }
                    }
                }
            }
            for key in 0..=50 {
                assert_eq!(table.get(key), map.get(&key).copied(), "{key}");
            }
            Ok(())
        });
    }

    #[test]
    fn it_takes_as_many_as_it_was_made_for() {
        for entries in [1, 7, 100, 10_000, 100_000] {
            for secret in 0..4 {
                let table = Table::new(entries, mix(secret));
                for key in 1..=entries as u64 {
                    assert_eq!(table.insert(key << 32 | 7, key), Ok(()), "{entries}");
                }
                for key in 1..=entries as u64 {
                    assert_eq!(table.get(key << 32 | 7), Some(key));
                }
            }
        }
    }

    #[test]
    fn readers_never_miss_what_stays_and_never_see_what_is_not() {
        // Keys below 50 stay, the others come and go; every value begins with its key.
        let table = Arc::new(Table::new(64, 99));
        for key in 1..50u64 {
            table.insert(key, key << 32).unwrap();
        }
        let done = Arc::new(AtomicBool::new(false));
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (table, done) = (Arc::clone(&table), Arc::clone(&done));
                thread::spawn(move || {
                    let mut seen = 0u64;
                    while !done.load(Ordering::Relaxed) {
                        for key in 1..50u64 {
                            assert_eq!(table.get(key).map(|v| v >> 32), Some(key));
                        }
                        for key in 50..200u64 {
                            if let Some(value) = table.get(key) {
                                assert_eq!(value >> 32, key);
                                seen += 1;
                            }
                        }
                    }
                    seen
                })
            })
            .collect();
        for round in 0..200_000u64 {
            let key = 50 + mix(round) % 150;
            if !table.remove(key) {
                let _ = table.insert(key, key << 32 | round & 0xffff_ffff);
            }
            // Never more than it was made for.
            table.remove(50 + mix(round + 150) % 150);
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            let _ = reader.join().unwrap();
        }
    }
}
