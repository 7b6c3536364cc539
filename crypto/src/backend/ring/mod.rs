//! ring: BoringSSL's assembly, without the standard library.

use alloc::boxed::Box;

use super::Backend;
use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Algorithm, Group, Hash, Mac, Scheme, Tag};
use crate::error::{Failed, Refusal};
use crate::exchange::Exchange;
use crate::hash::HashContext;
use crate::mac::MacKey;
use crate::random::Random;
use crate::signature::Signer;

mod aead;
mod exchange;
mod hash;
mod signature;

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
            Algorithm::Exchange(group) => exchange::supports(group),
            Algorithm::Sign(scheme) => signature::signs(scheme),
            Algorithm::Verify(scheme) => signature::verifies(scheme),
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

    fn exchange(
        &self,
        group: Group,
        _random: &mut dyn Random,
    ) -> Option<Result<Box<dyn Exchange>, Failed>> {
        exchange::begin(group)
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

    fn random(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(hash::Numbers(ring::rand::SystemRandom::new())))
    }
}
