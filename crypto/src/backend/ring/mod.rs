//! ring: BoringSSL's assembly, without the standard library.

use alloc::boxed::Box;

use super::Backend;
use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Algorithm, Hash, Mac, Tag};
use crate::hash::HashContext;
use crate::mac::MacKey;
use crate::random::Random;

mod aead;
mod hash;

/// The backend.
pub const RING: &dyn Backend = &Ring;

/// The crate `ring`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ring;

impl Backend for Ring {
    fn name(&self) -> &'static str {
        "ring"
    }

    fn supports(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            // Its tags have 16 octets and cannot be opened truncated.
            Algorithm::Aead(Aead::AesGcm(key, tag)) => {
                key != AesKey::Aes192 && tag == Tag::Octets16
            }
            Algorithm::Aead(Aead::AesCcm(..)) => false,
            Algorithm::Aead(Aead::ChaCha20Poly1305)
            | Algorithm::Hash(_)
            | Algorithm::Mac(Mac::Hmac(_))
            | Algorithm::Random => true,
            // It has single blocks for QUIC's five octets only.
            Algorithm::Mac(Mac::AesCmac | Mac::AesXcbc)
            | Algorithm::Cipher(_)
            | Algorithm::Block(_) => false,
            Algorithm::Exchange(_) | Algorithm::Sign(_) | Algorithm::Verify(_) => false,
        }
    }

    fn aead(&self, algorithm: Aead, key: &[u8]) -> Option<Box<dyn AeadKey>> {
        aead::key(algorithm, key)
    }

    fn hash(&self, algorithm: Hash) -> Option<Box<dyn HashContext>> {
        Some(hash::context(algorithm))
    }

    fn mac(&self, algorithm: Mac, key: &[u8]) -> Option<Box<dyn MacKey>> {
        hash::mac(algorithm, key)
    }

    fn random(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(hash::Numbers(ring::rand::SystemRandom::new())))
    }
}
