//! A table in fixed memory: what stands in it is found, added and taken out in constant time.

use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_hook::flow::HashKey;

/// What names an entry: words to hash.
pub(crate) trait Key: Copy + Eq {
    fn words(&self) -> [u64; 3];
}

/// The words of an address; both versions in one.
pub(crate) fn address_words(address: IpAddr) -> [u64; 2] {
    let bits = match address {
        IpAddr::V4(a) => a.to_ipv6_mapped().to_bits(),
        IpAddr::V6(a) => a.to_bits(),
    };
    [(bits >> 64) as u64, bits as u64]
}

impl Key for (IpAddr, u16) {
    fn words(&self) -> [u64; 3] {
        let [a, b] = address_words(self.0);
        [a, b, self.1.into()]
    }
}

impl Key for (u32, IpAddr) {
    fn words(&self) -> [u64; 3] {
        let [a, b] = address_words(self.1);
        [a, b, self.0.into()]
    }
}

impl Key for (u64, u8) {
    fn words(&self) -> [u64; 3] {
        [self.0, self.1.into(), 0]
    }
}

impl Key for u32 {
    fn words(&self) -> [u64; 3] {
        [(*self).into(), 0, 0]
    }
}

impl Key for IpAddr {
    fn words(&self) -> [u64; 3] {
        let [a, b] = address_words(*self);
        [a, b, 1]
    }
}

const WAYS: usize = 8;

/// At most `capacity` entries, each in one of two buckets of eight that its keyed hash names. When
/// both are full an entry has no place even though the table has some left; with a fifth of the
/// places in reserve that happens seldom.
#[derive(Clone, Debug)]
pub(crate) struct FixedMap<K, V> {
    hash: HashKey,
    slots: Vec<Option<(K, V)>>,
    len: usize,
    capacity: usize,
}

impl<K: Key, V> FixedMap<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let places = (capacity + capacity / 4).max(1).next_multiple_of(WAYS);
        let mut slots = Vec::new();
        slots.resize_with(places, || None);
        Self {
            hash: HashKey::new([0; 16]),
            slots,
            len: 0,
            capacity,
        }
    }

    /// Hashes with this key from now on; only while nothing is in it.
    pub(crate) const fn set_key(&mut self, key: HashKey) {
        if self.len == 0 {
            self.hash = key;
        }
    }

    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    fn buckets(&self, key: &K) -> [core::ops::Range<usize>; 2] {
        let count = (self.slots.len() / WAYS).max(1) as u64;
        let hash = self.hash.hash(key.words(), 0);
        // Both are different if there are two.
        let first = ((hash >> 32) * count) >> 32;
        let step = 1 + (((hash & 0xffff_ffff) * count.saturating_sub(1)) >> 32);
        let second = (first + step) % count;
        [first, second].map(|bucket| {
            let at = bucket as usize * WAYS;
            at..at + WAYS
        })
    }

    fn place(&self, key: &K) -> Option<usize> {
        self.buckets(key).into_iter().find_map(|bucket| {
            let begin = bucket.start;
            let slots = self.slots.get(bucket)?;
            let at = slots
                .iter()
                .position(|s| s.as_ref().is_some_and(|(k, _)| k == key))?;
            Some(begin + at)
        })
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        let at = self.place(key)?;
        self.slots.get(at)?.as_ref().map(|(_, v)| v)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.place(key)?;
        self.slots.get_mut(at)?.as_mut().map(|(_, v)| v)
    }

    /// The entry, made if it is not there; `None` if there is no place for it.
    pub(crate) fn entry(&mut self, key: &K, make: impl FnOnce() -> V) -> Option<&mut V> {
        let at = match self.place(key) {
            Some(at) => at,
            None => {
                if self.len >= self.capacity {
                    return None;
                }
                let free = self.buckets(key).into_iter().find_map(|bucket| {
                    let begin = bucket.start;
                    let slots = self.slots.get(bucket)?;
                    Some(begin + slots.iter().position(Option::is_none)?)
                })?;
                *self.slots.get_mut(free)? = Some((*key, make()));
                self.len += 1;
                free
            }
        };
        self.slots.get_mut(at)?.as_mut().map(|(_, v)| v)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.place(key)?;
        let (_, value) = self.slots.get_mut(at)?.take()?;
        self.len -= 1;
        Some(value)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.slots
            .iter_mut()
            .filter_map(|s| s.as_mut().map(|(k, v)| (&*k, v)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.slots
            .iter()
            .filter_map(|s| s.as_ref().map(|(k, v)| (k, v)))
    }

    /// The key of the first wanted entry from a place on, and the place behind it: to walk over
    /// entries while they change.
    pub(crate) fn next_from(
        &self,
        place: usize,
        wanted: impl Fn(&V) -> bool,
    ) -> Option<(usize, K)> {
        let places = self.slots.iter().enumerate().skip(place);
        let mut entries = places.filter_map(|(at, s)| s.as_ref().map(|(k, v)| (at + 1, k, v)));
        entries
            .find(|(_, _, v)| wanted(v))
            .map(|(at, k, _)| (at, *k))
    }

    /// Keeps what is wanted.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        for slot in &mut self.slots {
            if let Some((k, v)) = slot
                && !keep(k, v)
            {
                *slot = None;
                self.len -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    #[test]
    fn is_a_map_with_a_bound() {
        arbtest::arbtest(|u| {
            let mut map = FixedMap::new(64);
            let mut model = BTreeMap::new();
            for _ in 0..200 {
                let key: u32 = u.int_in_range(0..=99)?;
                if u.arbitrary()? {
                    let value: u8 = u.arbitrary()?;
                    match map.entry(&key, || value) {
                        Some(v) => {
                            *v = value;
                            model.insert(key, value);
                        }
                        None => assert!(!model.contains_key(&key) && model.len() >= 2 * WAYS),
                    }
                } else {
                    assert_eq!(map.remove(&key), model.remove(&key));
                }
                assert!(map.len() == model.len() && map.len() <= 64);
                assert_eq!(map.get(&key), model.get(&key));
            }
            let mut all: Vec<_> = map.iter().map(|(k, v)| (*k, *v)).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(model));
            Ok(())
        });
    }
}
