//! From an address to the number of the interval it lies in.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;
use core::hint::select_unpredictable;

use super::key::Address;
use super::numbers::{Number, descend, leaf, node, number, ones_if_leaf};
use super::table::{BATCH, Block};
use super::{Level, at, stage};

/// A map from addresses to numbers, built from sorted intervals that cover all addresses.
pub trait AddressMap<A: Address>: Clone + Debug + Default + Send + Sync {
    /// `starts` ascends and begins with the lowest address; `values` has one number below
    /// 2^31 for each.
    fn build(starts: &[A], values: &[u32]) -> Self;
    /// The number of the interval with `address`.
    fn get(&self, address: A) -> u32;
    /// The numbers of two addresses in a map each.
    #[inline]
    fn get_both(maps: [&Self; 2], addresses: [A; 2]) -> [u32; 2] {
        let ([a, b], [x, y]) = (maps, addresses);
        [a.get(x), b.get(y)]
    }
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
#[derive(Clone, Debug)]
pub enum Map4 {
    /// Numbers and nodes are few.
    Short(Trie<u16>),
    /// They are many.
    Long(Trie<u32>),
}

/// The tables of a [`Map4`].
#[derive(Clone, Debug, Default)]
pub struct Trie<T> {
    /// 65,536 entries.
    pub(super) top: Vec<T>,
    pub(super) nodes: Vec<T>,
    /// Each level below the table looks at four bits, not at eight: the nodes of the wider form
    /// would have taken too much room.
    pub(super) narrow: bool,
}

/// With more nodes than this they are made narrow.
const WIDE_NODES: usize = 2048;

impl Default for Map4 {
    fn default() -> Self {
        Self::Short(Trie::default())
    }
}

impl AddressMap<u32> for Map4 {
    fn build(starts: &[u32], values: &[u32]) -> Self {
        let wide = Painter::paint(starts, values, 8);
        let (painter, narrow) = if wide.nodes.len() > WIDE_NODES << 8 {
            (Painter::paint(starts, values, 4), true)
        } else {
            (wide, false)
        };
        match painter.trie(narrow) {
            Some(trie) => Self::Short(trie),
            None => Self::Long(painter.trie(narrow).unwrap_or_default()),
        }
    }

    #[inline]
    fn get(&self, address: u32) -> u32 {
        match self {
            Self::Short(t) if !t.narrow => t.wide(address),
            Self::Short(_) | Self::Long(_) => self.other(address),
        }
    }

    fn get_batch(&self, level: Level, addresses: &Block<u32>, out: &mut Block<u32>, n: usize) {
        if stage::map4(level, self, addresses, out, n) {
            return;
        }
        let places = addresses.0.iter().zip(&mut out.0).take(n);
        match self {
            Self::Short(t) => places.for_each(|(address, out)| *out = t.get(*address)),
            Self::Long(t) => places.for_each(|(address, out)| *out = t.get(*address)),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Short(t) => (t.top.len() + t.nodes.len()) * 2,
            Self::Long(t) => (t.top.len() + t.nodes.len()) * 4,
        }
    }
}

impl Map4 {
    /// What is rare stays out of the way of what is common.
    #[inline(never)]
    fn other(&self, address: u32) -> u32 {
        match self {
            Self::Short(t) => t.get(address),
            Self::Long(t) => t.get(address),
        }
    }
}

impl<T: Number> Trie<T> {
    #[inline(always)]
    fn get(&self, address: u32) -> u32 {
        if !self.narrow {
            return self.wide(address);
        }
        let mut e = number(&self.top, address >> 16);
        for shift in [12, 8, 4, 0] {
            e = descend(&self.nodes, e, 4, (address >> shift) & 0xf);
        }
        e >> 1
    }

    #[inline(always)]
    fn wide(&self, address: u32) -> u32 {
        let mut e = number(&self.top, address >> 16);
        e = descend(&self.nodes, e, 8, (address >> 8) & 0xff);
        e = descend(&self.nodes, e, 8, address & 0xff);
        e >> 1
    }
}

/// A [`Map4`] in the making.
struct Painter {
    top: Vec<u32>,
    nodes: Vec<u32>,
    bits: u32,
}

impl Painter {
    fn trie<T: Number>(&self, narrow: bool) -> Option<Trie<T>> {
        Some(Trie {
            top: T::list(&self.top)?,
            nodes: T::list(&self.nodes)?,
            narrow,
        })
    }

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
        let (mut first, mut last) = (low >> below, high >> below);
        // The first and the last entry may be covered in part only.
        if low & unit != 0 || (first == last && high & unit != unit) {
            let to = if first == last { high & unit } else { unit };
            self.fill_part(of, first, below, low & unit, to, value);
            if first == last {
                return;
            }
            first += 1;
        }
        if high & unit != unit {
            self.fill_part(of, last, below, 0, high & unit, value);
            if first == last {
                return;
            }
            last -= 1;
        }
        let (entries, base) = match of {
            None => (&mut self.top, 0),
            Some(n) => (&mut self.nodes, (n << self.bits) as usize),
        };
        if let Some(run) = entries.get_mut(base + first as usize..=base + last as usize) {
            run.fill(value);
        }
    }

    fn fill_part(
        &mut self,
        of: Option<u32>,
        digit: u32,
        below: u32,
        from: u32,
        to: u32,
        value: u32,
    ) {
        let next = (self.nodes.len() >> self.bits) as u32;
        let Some(entry) = self.entry(of, digit) else {
            return;
        };
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

/// IPv6: a search tree over the upper 64 bits, eight keys a node, then for each key a sorted list
/// of lower halves: one entry, where the upper half is not divided.
#[derive(Clone, Debug, Default)]
pub struct Map6 {
    /// The levels of the tree, root first. The last one has every key; each other one has every
    /// eighth key of the level below. Both are filled up to a power of two, and to whole nodes, with the highest
    /// number.
    pub(super) levels: Vec<Vec<[u64; FAN]>>,
    /// For each key of the last level the first place and the length of its group in `low`.
    pub(super) groups: Vec<[u32; 2]>,
    pub(super) low: Vec<u64>,
    pub(super) values: Vec<u32>,
    /// Half of the number of keys, those that stand for nothing included: a power of two.
    upper_half: u32,
    /// How often the longest group can be halved.
    steps: u32,
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
        while let Some(&(start, _)) = pairs.peek() {
            let high = (start >> 64) as u64;
            let place = map.low.len();
            keys.push(high);
            if start as u64 != 0 {
                map.low.push(0);
                map.values.push(current);
            }
            while let Some((start, value)) = pairs.next_if(|(n, _)| (n >> 64) as u64 == high) {
                map.low.push(start as u64);
                map.values.push(value);
                current = value;
            }
            let divided = map.close(place);
            // What follows a divided upper half keeps its last number until another start.
            if let Some(after) = high.checked_add(1)
                && divided
                && pairs.peek().is_none_or(|(n, _)| (n >> 64) as u64 != after)
            {
                keys.push(after);
                map.low.push(0);
                map.values.push(current);
                map.close(map.low.len() - 1);
            }
        }
        let padded = keys.len().next_power_of_two();
        keys.resize(padded, u64::MAX);
        map.upper_half = padded as u32 / 2;
        loop {
            let full = |keys: &[u64]| {
                let mut node = [u64::MAX; FAN];
                node.iter_mut().zip(keys).for_each(|(n, k)| *n = *k);
                node
            };
            let level: Vec<[u64; FAN]> = keys.chunks(FAN).map(full).collect();
            let done = level.len() <= 1;
            map.levels.push(level);
            if done {
                break;
            }
            keys = keys.iter().copied().step_by(FAN).collect();
        }
        map.levels.reverse();
        map
    }

    #[inline]
    fn get(&self, address: u128) -> u32 {
        let place = self.upper_halved((address >> 64) as u64);
        let [mut base, mut len] = self.groups.get(place as usize).copied().unwrap_or_default();
        for _ in 0..self.steps {
            self.halve(&mut base, &mut len, address as u64);
        }
        at(&self.values, base)
    }

    /// The two searches wait for loads at the same time, not one after the other.
    #[inline]
    fn get_both([a, b]: [&Self; 2], [x, y]: [u128; 2]) -> [u32; 2] {
        let (x_high, y_high) = ((x >> 64) as u64, (y >> 64) as u64);
        let (a_keys, b_keys) = (a.keys(), b.keys());
        let (mut a_base, mut b_base) = (0u32, 0u32);
        let (mut a_half, mut b_half) = (a.upper_half, b.upper_half);
        while a_half > b_half {
            a_base = pass(a_keys, a_base, a_half, x_high);
            a_half /= 2;
        }
        while b_half > a_half {
            b_base = pass(b_keys, b_base, b_half, y_high);
            b_half /= 2;
        }
        while a_half > 0 {
            a_base = pass(a_keys, a_base, a_half, x_high);
            b_base = pass(b_keys, b_base, a_half, y_high);
            a_half /= 2;
        }
        let [mut a_base, mut a_len] = a.group(a_base);
        let [mut b_base, mut b_len] = b.group(b_base);
        let both = a.steps.min(b.steps);
        for _ in 0..both {
            a.halve(&mut a_base, &mut a_len, x as u64);
            b.halve(&mut b_base, &mut b_len, y as u64);
        }
        for _ in both..a.steps {
            a.halve(&mut a_base, &mut a_len, x as u64);
        }
        for _ in both..b.steps {
            b.halve(&mut b_base, &mut b_len, y as u64);
        }
        [at(&a.values, a_base), at(&b.values, b_base)]
    }

    fn get_batch(&self, level: Level, addresses: &Block<u128>, out: &mut Block<u32>, n: usize) {
        if !stage::upper(level, self, addresses, out, n) {
            for (address, out) in addresses.0.iter().zip(&mut out.0).take(n) {
                *out = self.upper_halved((*address >> 64) as u64);
            }
        }
        let mut groups = [[0u32; 2]; BATCH];
        for (place, group) in out.0.iter().zip(&mut groups).take(n) {
            *group = self
                .groups
                .get(*place as usize)
                .copied()
                .unwrap_or_default();
        }
        for _ in 0..self.steps {
            for (address, [base, len]) in addresses.0.iter().zip(&mut groups).take(n) {
                self.halve(base, len, *address as u64);
            }
        }
        for (out, [base, _]) in out.0.iter_mut().zip(groups).take(n) {
            *out = at(&self.values, base);
        }
    }

    fn bytes(&self) -> usize {
        self.levels.iter().map(Vec::len).sum::<usize>() * 64
            + self.groups.len() * 8
            + self.low.len() * 12
    }
}

/// Passes the keys up to `base + half` if the last of them is not above.
#[inline(always)]
fn pass(keys: &[u64], base: u32, half: u32, high: u64) -> u32 {
    // Half of all branches here would be mispredicted. A constant in place of a number that is
    // never missing would let the compiler join its test with the comparison into one.
    let missing = u64::from(half);
    let middle = keys.get((base + half) as usize).copied().unwrap_or(missing);
    select_unpredictable(middle <= high, base + half, base)
}

impl Map6 {
    fn keys(&self) -> &[u64] {
        self.levels
            .last()
            .map(|l| l.as_flattened())
            .unwrap_or_default()
    }

    /// The group of the key at a place; keys that stand for nothing are the highest number and have the
    /// last one.
    #[inline(always)]
    fn group(&self, place: u32) -> [u32; 2] {
        let place = place.min((self.groups.len() as u32).saturating_sub(1));
        self.groups.get(place as usize).copied().unwrap_or_default()
    }

    /// Makes a group of all lower halves from `place` on; says whether there is more than one.
    fn close(&mut self, place: usize) -> bool {
        let len = self.low.len() - place;
        self.groups.push([place as u32, len as u32]);
        self.steps = self.steps.max(len.next_power_of_two().trailing_zeros());
        len > 1
    }

    /// The place of the last key that is not above an upper half, by halving the list of all keys:
    /// fewer instructions than the tree where a node takes several.
    #[inline(always)]
    fn upper_halved(&self, high: u64) -> u32 {
        let keys = self.keys();
        let (mut base, mut half) = (0u32, self.upper_half);
        while half > 0 {
            base = pass(keys, base, half, high);
            half /= 2;
        }
        // Keys that stand for nothing are the highest number.
        base.min((self.groups.len() as u32).saturating_sub(1))
    }

    /// Goes to the half of a group with the lower half of an address; a group of one stays.
    #[inline]
    fn halve(&self, base: &mut u32, len: &mut u32, low: u64) {
        let half = *len / 2;
        // See `pass`.
        let missing = u64::from(half);
        let middle = self
            .low
            .get((*base + half) as usize)
            .copied()
            .unwrap_or(missing);
        *base = select_unpredictable(middle <= low, *base + half, *base);
        *len -= half;
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
        assert!(matches!(&map, Map4::Long(t) if t.narrow));
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
