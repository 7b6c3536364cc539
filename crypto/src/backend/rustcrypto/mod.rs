//! RustCrypto: pure Rust, for every target.

use alloc::boxed::Box;

use super::Backend;
use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Algorithm, Cipher, Group, Hash, Mac, Scheme};
use crate::cipher::{BlockKey, CipherKey};
use crate::error::{Failed, Refusal};
use crate::exchange::{Answer, Exchange};
use crate::hash::HashContext;
use crate::mac::MacKey;
use crate::random::Random;
use crate::signature::Signer;

mod aead;
mod cipher;
mod exchange;
mod hash;
mod modp;
mod random;
mod signature;

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
            Algorithm::Exchange(group) => exchange::supports(group),
            Algorithm::Sign(scheme) => signature::signs(scheme),
            Algorithm::Verify(scheme) => signature::signs(scheme),
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

    fn exchange(
        &self,
        group: Group,
        random: &mut dyn Random,
    ) -> Option<Result<Box<dyn Exchange>, Failed>> {
        exchange::begin(group, random)
    }

    fn answer(
        &self,
        group: Group,
        peer: &[u8],
        random: &mut dyn Random,
    ) -> Option<Result<Answer, Failed>> {
        exchange::answer(group, peer, random)
    }

    fn signer(&self, pkcs8: &[u8]) -> Option<Result<Box<dyn Signer>, Refusal>> {
        signature::signer(pkcs8)
    }

    fn verify(
        &self,
        scheme: Scheme,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Option<Result<(), Failed>> {
        signature::verify(scheme, public_key, message, signature)
    }

    #[cfg(feature = "system-random")]
    fn random(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(crate::random::SystemRandom))
    }
}
