//! Octets that are wiped when they go and never printed.

use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Secret octets: keys, shared secrets, key material. Wiped on drop, printed as their length,
/// compared in constant time.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the octets over; they are wiped with the value.
    #[must_use]
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// A copy of the octets, in one allocation of exactly their length, so that none is left
    /// behind by growing.
    #[must_use]
    pub fn copy(octets: &[u8]) -> Self {
        Self(Zeroizing::new(octets.to_vec()))
    }

    /// So many zero octets, to be filled.
    #[must_use]
    pub fn zeros(len: usize) -> Self {
        Self(Zeroizing::new(alloc::vec![0; len]))
    }

    /// The octets.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The octets, to be filled.
    #[must_use]
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// How many octets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} octets)", self.len())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        equal(self.expose(), other.expose())
    }
}

impl Eq for Secret {}

/// Whether two strings of octets are the same; the time depends on their lengths only.
///
/// The differences of whole words are gathered and looked at once: `subtle` on slices keeps the compiler
/// from seeing through each octet, which for a tag of 16 octets takes as long as opening a small packet.
#[must_use]
#[inline]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let words = a
        .iter()
        .zip(b)
        .map(|(a, b)| u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b));
    let octets = rest_a.iter().zip(rest_b).map(|(a, b)| u64::from(a ^ b));
    let differs = words.chain(octets).fold(0, |all, one| all | one);
    differs.ct_eq(&0).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn is_never_printed() {
        let secret = Secret::copy(b"hunter2 hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(15 octets)");
        assert_eq!(secret, Secret::new(b"hunter2 hunter2".to_vec()));
        assert_ne!(secret, Secret::copy(b"hunter2 hunter3"));
        assert_ne!(secret, Secret::copy(b"hunter2"));
    }

    #[test]
    fn every_octet_counts() {
        for len in 0..40 {
            let one = alloc::vec![0x5a; len];
            assert!(equal(&one, &one.clone()));
            for at in 0..len {
                let mut other = one.clone();
                other[at] ^= 0x10;
                assert!(!equal(&one, &other), "{len} {at}");
            }
            assert!(!equal(&one, &alloc::vec![0x5a; len + 1]));
        }
    }
}
