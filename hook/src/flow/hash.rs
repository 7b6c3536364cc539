//! The keyed hash of the flow table: SipHash-1-3 (Aumasson, Bernstein 2012) over whole words.
//!
//! Without the 128-bit key nobody can choose addresses and ports that meet in one bucket. One
//! compression round and three finalisation rounds are what hash tables under attack use
//! elsewhere (Rust's and Python's standard maps, the Linux kernel's hsiphash).

/// The secret of a keyed hash: sixteen bytes from a good random source, new at every start.
#[derive(Clone, Copy)]
pub struct HashKey {
    k0: u64,
    k1: u64,
}

impl HashKey {
    /// A key from random bytes. The host supplies them: nothing here is random by itself.
    #[must_use]
    pub const fn new(random: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = random;
        Self {
            k0: u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            k1: u64::from_le_bytes([i, j, k, l, m, n, o, p]),
        }
    }

    /// A key for another table, derived from this one.
    #[must_use]
    pub fn derive(&self, purpose: u64) -> Self {
        Self {
            k0: self.hash([purpose], 0),
            k1: self.hash([purpose], 1),
        }
    }

    /// Hashes a message of whole little-endian words and seven more bytes, the low ones of `tail`:
    /// the shape that costs one round a word and none for the length.
    #[inline(always)]
    #[must_use]
    pub fn hash<const N: usize>(&self, words: [u64; N], tail: u64) -> u64 {
        let mut s = [
            self.k0 ^ 0x736f_6d65_7073_6575,
            self.k1 ^ 0x646f_7261_6e64_6f6d,
            self.k0 ^ 0x6c79_6765_6e65_7261,
            self.k1 ^ 0x7465_6462_7974_6573,
        ];
        for m in words {
            s[3] ^= m;
            round(&mut s);
            s[0] ^= m;
        }
        let last = tail & (u64::MAX >> 8) | ((N as u64 * 8 + 7) & 0xff) << 56;
        s[3] ^= last;
        round(&mut s);
        s[0] ^= last;
        s[2] ^= 0xff;
        round(&mut s);
        round(&mut s);
        round(&mut s);
        s[0] ^ s[1] ^ s[2] ^ s[3]
    }
}

impl core::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashKey(..)")
    }
}

#[inline(always)]
const fn round(s: &mut [u64; 4]) {
    let [mut a, mut b, mut c, mut d] = *s;
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    *s = [a, b, c, d];
}

#[cfg(test)]
mod tests {
    use core::hash::Hasher;

    use super::*;

    #[test]
    fn equals_the_reference_implementation() {
        let random = *b"0123456789abcdef";
        let key = HashKey::new(random);
        for (words, tail) in [
            ([0, 0], 0),
            ([1, u64::MAX], 7),
            ([0x0123_4567_89ab_cdef, 42], 1 << 55),
        ] {
            let mut oracle = siphasher::sip::SipHasher13::new_with_key(&random);
            for w in words {
                oracle.write(&w.to_le_bytes());
            }
            oracle.write(&u64::to_le_bytes(tail)[..7]);
            assert_eq!(key.hash(words, tail), oracle.finish());
        }
    }
}
