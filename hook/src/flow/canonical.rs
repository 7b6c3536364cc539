//! Flow keys in the form in which the table keeps and hashes them.

use super::{FlowKey, HashKey};

/// A flow key in the one order that serves both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Canonical {
    /// Both addresses, the lower endpoint's first; those of IPv4 fill the first word.
    pub(super) addrs: [u64; 4],
    /// Ports of the lower and higher endpoint, protocol and version.
    pub(super) tail: u64,
}

/// The version's place in [`Canonical::tail`].
const V4: u64 = 4 << 40;

/// Whether a [`Canonical::tail`] is of IPv4, whose addresses are one word.
#[inline(always)]
pub(super) const fn is_v4(tail: u64) -> bool {
    tail >> 40 == V4 >> 40
}

/// The low halves of two words in one.
#[inline(always)]
const fn halves(lo: u64, hi: u64) -> u64 {
    lo & 0xffff_ffff | hi << 32
}

impl Canonical {
    /// The canonical form, whether the packet's source is the higher endpoint, and the hash.
    #[inline(always)]
    pub(super) fn hashed(key: &FlowKey, secret: &HashKey) -> (Self, bool, u64) {
        if key.version == 4 {
            let (addrs, tail, swapped, hash) = Self::hashed_v4(key, secret);
            let c = Self {
                addrs: [addrs, 0, 0, 0],
                tail,
            };
            return (c, swapped, hash);
        }
        Self::hashed_v6(key, secret)
    }

    /// IPv4 alone: both addresses are one word.
    #[inline(always)]
    pub(super) fn hashed_v4(key: &FlowKey, secret: &HashKey) -> (u64, u64, bool, u64) {
        // Address and port of an end fit one word. Which end is the higher one is as good as
        // random, so the swap is done without a branch.
        let src = word(key, 0) << 16 | u64::from(key.sport);
        let dst = word(key, 16) << 16 | u64::from(key.dport);
        let swapped = src > dst;
        let (lo, hi) = (src.min(dst), src.max(dst));
        let tail = lo & 0xffff | (hi & 0xffff) << 16 | u64::from(key.proto) << 32 | V4;
        let addrs = halves(lo >> 16, hi >> 16);
        (addrs, tail, swapped, secret.hash([addrs], tail))
    }

    #[inline(never)]
    fn hashed_v6(key: &FlowKey, secret: &HashKey) -> (Self, bool, u64) {
        let kind = u64::from(key.proto) << 32 | u64::from(key.version) << 40;
        let (s0, s1, d0, d1) = (word(key, 0), word(key, 8), word(key, 16), word(key, 24));
        let (sport, dport) = (u64::from(key.sport), u64::from(key.dport));
        let swapped = (s0 > d0) | ((s0 == d0) & ((s1 > d1) | ((s1 == d1) & (sport > dport))));
        let mask = u64::from(swapped).wrapping_neg();
        let swap = |a: u64, b: u64| {
            let x = (a ^ b) & mask;
            (a ^ x, b ^ x)
        };
        let (lo0, hi0) = swap(s0, d0);
        let (lo1, hi1) = swap(s1, d1);
        let (lo_port, hi_port) = swap(sport, dport);
        let addrs = [lo0, lo1, hi0, hi1];
        let tail = lo_port | hi_port << 16 | kind;
        (Self { addrs, tail }, swapped, secret.hash(addrs, tail))
    }

    /// Compares word by word: comparing the arrays would load with wide instructions what was
    /// just stored in words, which stalls.
    #[inline(always)]
    pub(super) const fn is(&self, addrs: &[u64; 4], tail: u64) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.addrs, *addrs);
        (a ^ e) | (b ^ f) | (c ^ g) | (d ^ h) | (self.tail ^ tail) == 0
    }
}

#[inline(always)]
fn word(key: &FlowKey, at: usize) -> u64 {
    key.addrs
        .get(at..)
        .and_then(|b| b.first_chunk::<8>())
        .map_or(0, |b| u64::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_are_one_flow() {
        let a = FlowKey::v4([10, 0, 0, 1, 10, 0, 0, 2], 1234, 80, 6);
        let secret = HashKey::new([7; 16]);
        let v6 = FlowKey::v6(core::array::from_fn(|i| i as u8), 1234, 80, 6);
        for key in [a, v6] {
            let (x, from, h) = Canonical::hashed(&key, &secret);
            let (y, to, i) = Canonical::hashed(&key.reversed(), &secret);
            assert!(x.is(&y.addrs, y.tail) && from != to && h == i);
        }
    }
}
