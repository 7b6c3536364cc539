//! RustCrypto: pure Rust, for every target.

use alloc::boxed::Box;

use super::Backend;
use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Algorithm, Cipher, Hash, Mac};
use crate::cipher::{BlockKey, CipherKey};
use crate::hash::HashContext;
use crate::mac::MacKey;
#[cfg(feature = "system-random")]
use crate::random::Random;

mod aead;
mod cipher;
mod hash;

/// The backend.
pub const RUST_CRYPTO: &dyn Backend = &RustCrypto;

/// RustCrypto's crates.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RustCrypto;

impl Backend for RustCrypto {
    fn name(&self) -> &'static str {
        "rustcrypto"
    }

    fn supports(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Aead(_)
            | Algorithm::Cipher(_)
            | Algorithm::Block(_)
            | Algorithm::Hash(_)
            | Algorithm::Mac(Mac::Hmac(_)) => true,
            Algorithm::Mac(Mac::AesCmac | Mac::AesXcbc) => false,
            Algorithm::Exchange(_) | Algorithm::Sign(_) | Algorithm::Verify(_) => false,
            Algorithm::Random => cfg!(feature = "system-random"),
        }
    }

    fn aead(&self, algorithm: Aead, key: &[u8]) -> Option<Box<dyn AeadKey>> {
        aead::key(algorithm, key)
    }

    fn cipher(&self, algorithm: Cipher, key: &[u8]) -> Option<Box<dyn CipherKey>> {
        cipher::key(algorithm, key)
    }

    fn block(&self, algorithm: AesKey, key: &[u8]) -> Option<Box<dyn BlockKey>> {
        cipher::block(algorithm, key)
    }

    fn hash(&self, algorithm: Hash) -> Option<Box<dyn HashContext>> {
        Some(hash::context(algorithm))
    }

    fn mac(&self, algorithm: Mac, key: &[u8]) -> Option<Box<dyn MacKey>> {
        hash::mac(algorithm, key)
    }

    #[cfg(feature = "system-random")]
    fn random(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(crate::random::SystemRandom))
    }
}
