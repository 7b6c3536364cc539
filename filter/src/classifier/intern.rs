//! Numbers lists of `u32` so that equal lists get equal numbers.

use alloc::vec::Vec;

/// Lists, each kept once, numbered from 0 in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Interner {
    ends: Vec<u32>,
    data: Vec<u32>,
    /// Open addressing over list numbers plus one; 0 is free. A power of two, at most half full.
    slots: Vec<u32>,
}

impl Interner {
    /// The number of this list.
    pub(super) fn intern(&mut self, list: &[u32]) -> u32 {
        if self.ends.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = hash(list) as usize & mask;
        loop {
            match self.slots.get(at).copied().unwrap_or(0) {
                0 => break,
                n if self.get(n - 1) == list => return n - 1,
                _ => at = (at + 1) & mask,
            }
        }
        let number = self.ends.len() as u32;
        self.data.extend_from_slice(list);
        self.ends.push(self.data.len() as u32);
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = number + 1;
        }
        number
    }

    /// The list of this number; empty for a number never given.
    pub(super) fn get(&self, number: u32) -> &[u32] {
        let n = number as usize;
        let start = match n.checked_sub(1) {
            None => 0,
            Some(p) => self.ends.get(p).copied().unwrap_or(u32::MAX) as usize,
        };
        let end = self.ends.get(n).copied().unwrap_or(0) as usize;
        self.data.get(start..end).unwrap_or_default()
    }

    /// How many different lists there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many numbers all lists have together.
    pub(super) fn total(&self) -> usize {
        self.data.len()
    }

    /// All lists one after the other.
    pub(super) fn into_data(self) -> Vec<u32> {
        self.data
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(64);
        let mut slots = alloc::vec![0u32; size];
        for n in 0..self.ends.len() as u32 {
            let mut at = hash(self.get(n)) as usize & (size - 1);
            while slots.get(at).is_some_and(|s| *s != 0) {
                at = (at + 1) & (size - 1);
            }
            if let Some(slot) = slots.get_mut(at) {
                *slot = n + 1;
            }
        }
        self.slots = slots;
    }
}

/// Multiply and fold, one round a word.
fn hash(list: &[u32]) -> u64 {
    let mut h = 0x9e37_79b9_7f4a_7c15_u64 ^ list.len() as u64;
    for &x in list {
        let m = u128::from(h ^ u64::from(x).wrapping_mul(0xe703_7ed1_a0b4_28db))
            * 0xa076_1d64_78bd_642f;
        h = (m >> 64) as u64 ^ m as u64;
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_have_equal_numbers() {
        let mut i = Interner::default();
        let lists: Vec<Vec<u32>> = (0..500)
            .map(|n| (0..n % 7).map(|k| n * k).collect())
            .collect();
        let first: Vec<u32> = lists.iter().map(|l| i.intern(l)).collect();
        let second: Vec<u32> = lists.iter().map(|l| i.intern(l)).collect();
        assert_eq!(first, second);
        for (n, list) in first.iter().zip(&lists) {
            assert_eq!(i.get(*n), list.as_slice());
        }
        let mut distinct = lists;
        distinct.sort();
        distinct.dedup();
        assert_eq!(i.len(), distinct.len());
        assert_eq!(i.get(u32::MAX), &[] as &[u32]);
    }
}
