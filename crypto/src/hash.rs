//! Digests.

use alloc::boxed::Box;
use core::fmt;

use crate::algorithm::Hash;

/// A digest, as long as its algorithm says.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    octets: [u8; Hash::MAX_LEN],
    len: u8,
}

impl Digest {
    /// Of the octets a library gave; what is over 64 octets is left out.
    #[must_use]
    pub fn of(octets: &[u8]) -> Self {
        let mut digest = Self {
            octets: [0; Hash::MAX_LEN],
            len: octets.len().min(Hash::MAX_LEN) as u8,
        };
        for (to, from) in digest.octets.iter_mut().zip(octets) {
            *to = *from;
        }
        digest
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(")?;
        for octet in self.as_ref() {
            write!(f, "{octet:02x}")?;
        }
        f.write_str(")")
    }
}

/// A digest in the making.
pub trait HashContext: Send {
    /// Takes in more octets.
    fn update(&mut self, octets: &[u8]);

    /// The digest of all octets taken in.
    fn finish(self: Box<Self>) -> Digest;
}
