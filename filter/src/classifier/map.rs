//! From an address to the number of the interval it lies in.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

use super::key::Address;
use super::numbers::{Numbers, descend, leaf, node, ones_if_leaf};
use super::table::Block;
use super::{Level, stage};

/// A map from addresses to numbers, built from sorted intervals that cover all addresses.
pub trait AddressMap<A: Address>: Clone + Debug + Default + Send + Sync {
    /// `starts` ascends and begins with the lowest address; `values` has one number below
    /// 2^31 for each.
    fn build(starts: &[A], values: &[u32]) -> Self;
    /// The number of the interval with `address`.
    fn get(&self, address: A) -> u32;
    /// The same for the first `n` addresses of a batch.
    fn get_batch(&self, level: Level, addresses: &Block<A>, out: &mut Block<u32>, n: usize) {
        let _ = level;
        for (address, out) in addresses.0.iter().zip(&mut out.0).take(n) {
            *out = self.get(*address);
        }
    }
    /// Bytes of heap.
    fn bytes(&self) -> usize;
}

/// IPv4: a table over the upper 16 bits, then nodes over groups of the lower ones.
#[derive(Clone, Debug, Default)]
pub struct Map4 {
    /// 65,536 entries.
    pub(super) top: Numbers,
    pub(super) nodes: Numbers,
    /// Each level below the table looks at four bits, not at eight: the nodes of the wider form
    /// would have taken too much room.
    pub(super) narrow: bool,
}

/// With more nodes than this they are made narrow.
const WIDE_NODES: usize = 2048;

impl AddressMap<u32> for Map4 {
    fn build(starts: &[u32], values: &[u32]) -> Self {
        let wide = Painter::paint(starts, values, 8);
        let (painter, narrow) = if wide.nodes.len() > WIDE_NODES << 8 {
            (Painter::paint(starts, values, 4), true)
        } else {
            (wide, false)
        };
        Self {
            top: Numbers::new(painter.top),
            nodes: Numbers::new(painter.nodes),
            narrow,
        }
    }

    #[inline]
    fn get(&self, address: u32) -> u32 {
        let mut e = self.top.get(address >> 16);
        if self.narrow {
            for shift in [12, 8, 4, 0] {
                e = descend(&self.nodes, e, 4, (address >> shift) & 0xf);
            }
        } else {
            e = descend(&self.nodes, e, 8, (address >> 8) & 0xff);
            e = descend(&self.nodes, e, 8, address & 0xff);
        }
        e >> 1
    }

    fn get_batch(&self, level: Level, addresses: &Block<u32>, out: &mut Block<u32>, n: usize) {
        if !stage::map4(level, self, addresses, out, n) {
            for (address, out) in addresses.0.iter().zip(&mut out.0).take(n) {
                *out = self.get(*address);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.top.bytes() + self.nodes.bytes()
    }
}

/// A [`Map4`] in the making.
struct Painter {
    top: Vec<u32>,
    nodes: Vec<u32>,
    bits: u32,
}

impl Painter {
    fn paint(starts: &[u32], values: &[u32], bits: u32) -> Self {
        let mut painter = Self {
            top: vec![leaf(0); 1 << 16],
            nodes: Vec::new(),
            bits,
        };
        let mut ends = starts.iter().skip(1).map(|s| s.wrapping_sub(1));
        for (&start, &value) in starts.iter().zip(values) {
            let end = ends.next().unwrap_or(u32::MAX);
            painter.fill(None, 16, start, end, leaf(value));
        }
        painter
    }

    fn entry(&mut self, of: Option<u32>, digit: u32) -> Option<&mut u32> {
        match of {
            None => self.top.get_mut(digit as usize),
            Some(n) => self
                .nodes
                .get_mut((n << self.bits) as usize + digit as usize),
        }
    }

    /// Writes an entry for the addresses from `low` to `high`, which are relative to the node,
    /// whose entries stand for `2^below` addresses each.
    fn fill(&mut self, of: Option<u32>, below: u32, low: u32, high: u32, value: u32) {
        let unit = (1u32 << below) - 1;
        let (first, last) = (low >> below, high >> below);
        for digit in first..=last {
            let from = if digit == first { low & unit } else { 0 };
            let to = if digit == last { high & unit } else { unit };
            let next = (self.nodes.len() >> self.bits) as u32;
            let Some(entry) = self.entry(of, digit) else {
                return;
            };
            if from == 0 && to == unit {
                *entry = value;
                continue;
            }
            let old = *entry;
            let child = if ones_if_leaf(old) == 0 {
                old >> 1
            } else {
                *entry = node(next);
                self.nodes.resize(self.nodes.len() + (1 << self.bits), old);
                next
            };
            self.fill(Some(child), below - self.bits, from, to, value);
        }
    }
}

/// IPv6: a search tree over the upper 64 bits, eight keys a node, and for the few upper halves
/// that are divided further a sorted list of lower halves.
#[derive(Clone, Debug, Default)]
pub struct Map6 {
    /// The levels of the tree, root first. The last one has every key; each other one has every
    /// eighth key of the level below.
    pub(super) levels: Vec<Vec<u64>>,
    /// For each key of the last level: a leaf with the number, or a node that is a group.
    pub(super) values: Vec<u32>,
    /// First place and length of the group in `low`.
    pub(super) groups: Vec<(u32, u32)>,
    pub(super) low: Vec<u64>,
    pub(super) low_values: Vec<u32>,
}

/// Keys in a node of [`Map6`]: one cache line.
pub(super) const FAN: usize = 8;

impl AddressMap<u128> for Map6 {
    fn build(starts: &[u128], values: &[u32]) -> Self {
        let mut map = Self::default();
        let mut keys: Vec<u64> = Vec::new();
        let mut current = 0u32;
        let mut pairs = starts
            .iter()
            .copied()
            .zip(values.iter().copied())
            .peekable();
        while let Some((start, value)) = pairs.next() {
            let high = (start >> 64) as u64;
            let divided = start as u64 != 0
                || pairs
                    .peek()
                    .is_some_and(|(next, _)| (next >> 64) as u64 == high);
            if !divided {
                map.push(&mut keys, high, leaf(value));
                current = value;
                continue;
            }
            let place = map.low.len() as u32;
            if start as u64 != 0 {
                map.low.push(0);
                map.low_values.push(current);
            }
            map.low.push(start as u64);
            map.low_values.push(value);
            current = value;
            while let Some((next, value)) = pairs.next_if(|(n, _)| (n >> 64) as u64 == high) {
                map.low.push(next as u64);
                map.low_values.push(value);
                current = value;
            }
            let group = map.groups.len() as u32;
            map.groups.push((place, map.low.len() as u32 - place));
            map.push(&mut keys, high, node(group));
            // What follows the group keeps the group's last number until another start.
            if let Some(after) = high.checked_add(1)
                && pairs
                    .peek()
                    .is_none_or(|(n, _)| *n != u128::from(after) << 64)
            {
                map.push(&mut keys, after, leaf(current));
            }
        }
        while keys.len() > 1 || map.levels.is_empty() {
            let above: Vec<u64> = keys.iter().copied().step_by(FAN).collect();
            map.levels.push(keys);
            keys = above;
        }
        map.levels.reverse();
        map
    }

    #[inline]
    fn get(&self, address: u128) -> u32 {
        let high = (address >> 64) as u64;
        let mut place = 0usize;
        for level in &self.levels {
            let from = place * FAN;
            let node = level
                .get(from..(from + FAN).min(level.len()))
                .unwrap_or_default();
            let below: usize = node.iter().map(|k| usize::from(*k <= high)).sum();
            place = (from + below).saturating_sub(1);
        }
        let value = self.values.get(place).copied().unwrap_or(0);
        if ones_if_leaf(value) != 0 {
            value >> 1
        } else {
            self.lower(value >> 1, address as u64)
        }
    }

    fn bytes(&self) -> usize {
        self.levels.iter().map(Vec::len).sum::<usize>() * 8
            + self.values.len() * 4
            + self.groups.len() * 8
            + self.low.len() * 12
    }
}

impl Map6 {
    fn push(&mut self, keys: &mut Vec<u64>, high: u64, value: u32) {
        keys.push(high);
        self.values.push(value);
    }

    #[inline]
    pub(super) fn lower(&self, group: u32, low: u64) -> u32 {
        let (from, len) = self.groups.get(group as usize).copied().unwrap_or_default();
        let from = from as usize;
        let list = self.low.get(from..from + len as usize).unwrap_or_default();
        let place = from + list.partition_point(|k| *k <= low).saturating_sub(1);
        self.low_values.get(place).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arbtest::arbtest;

    fn check<A: Address>(mut starts: Vec<A>, probes: Vec<A>) {
        starts.push(A::MIN);
        starts.sort();
        starts.dedup();
        let values: Vec<u32> = (0..starts.len() as u32).map(|i| i * 3).collect();
        let map = A::Map::build(&starts, &values);
        for probe in probes
            .into_iter()
            .chain(starts.clone())
            .chain([A::MIN, A::MAX])
        {
            let expect = values[starts.partition_point(|s| *s <= probe) - 1];
            assert_eq!(map.get(probe), expect, "{probe:?} in {starts:?}");
        }
    }

    #[test]
    fn ipv4_intervals() {
        arbtest(|u| {
            let starts: Vec<u32> = u.arbitrary()?;
            let probes: Vec<u32> = u.arbitrary()?;
            let near = starts.iter().map(|s| s.wrapping_sub(1)).collect::<Vec<_>>();
            check(starts.clone(), probes);
            check(starts, near);
            Ok(())
        });
    }

    #[test]
    fn ipv4_with_more_nodes_than_the_wide_form_may_have() {
        let starts: Vec<u32> = (0..20_000u32)
            .map(|n| n.wrapping_mul(2_654_435_761))
            .collect();
        let near = starts.iter().map(|s| s.wrapping_sub(1)).collect();
        let mut sorted = starts.clone();
        sorted.push(0);
        sorted.sort_unstable();
        sorted.dedup();
        let map = Map4::build(&sorted, &vec![0; sorted.len()]);
        assert!(map.narrow);
        check(starts, near);
    }

    #[test]
    fn ipv6_intervals() {
        arbtest(|u| {
            // Few upper halves, so that some are divided, neighbours too.
            let mut starts = Vec::new();
            for _ in 0..u.int_in_range(0..=60)? {
                let high: u8 = u.int_in_range(0..=9)?;
                let high = if u.ratio(1, 5)? {
                    u.arbitrary::<u64>()?
                } else {
                    u64::from(high)
                };
                let low: u64 = if u.ratio(1, 3)? { 0 } else { u.arbitrary()? };
                starts.push(u128::from(high) << 64 | u128::from(low));
            }
            let probes: Vec<u128> = u.arbitrary()?;
            let near = starts.iter().map(|s| s.wrapping_sub(1)).collect::<Vec<_>>();
            check(starts.clone(), probes);
            check(starts, near);
            check(vec![u128::MAX, u128::from(u64::MAX) << 64, 1], vec![2]);
            Ok(())
        });
    }
}
