//! AWS-LC by way of `aws-lc-rs`: C and assembly, with the standard library.

use alloc::boxed::Box;

use super::Backend;
use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Algorithm, Cipher, Group, Hash, Mac, Scheme, Tag};
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
mod signature;

/// The backend.
pub const AWS_LC: &dyn Backend = &AwsLc;

/// The crate `aws-lc-rs`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AwsLc;

impl Backend for AwsLc {
    fn name(&self) -> &'static str {
        "aws-lc-rs"
    }

    /// True when it was built as and runs as the FIPS module.
    fn validated(&self) -> bool {
        aws_lc_rs::try_fips_mode().is_ok()
    }

    fn supports(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            // Its tags have 16 octets and cannot be opened truncated.
            Algorithm::Aead(Aead::AesGcm(_, tag)) => tag == Tag::Octets16,
            Algorithm::Aead(Aead::AesCcm(..)) => false,
            Algorithm::Aead(Aead::ChaCha20Poly1305)
            | Algorithm::Cipher(_)
            | Algorithm::Block(_)
            | Algorithm::Hash(_)
            | Algorithm::Mac(Mac::Hmac(_))
            | Algorithm::Random => true,
            Algorithm::Mac(Mac::AesCmac | Mac::AesXcbc) => false,
            Algorithm::Exchange(group) => exchange::supports(group),
            Algorithm::Sign(scheme) => signature::signs(scheme),
            Algorithm::Verify(scheme) => signature::verifies(scheme),
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
        _random: &mut dyn Random,
    ) -> Option<Result<Box<dyn Exchange>, Failed>> {
        exchange::begin(group)
    }

    fn answer(
        &self,
        group: Group,
        peer: &[u8],
        _random: &mut dyn Random,
    ) -> Option<Result<Answer, Failed>> {
        exchange::answer(group, peer)
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
        Some(Box::new(
            hash::Numbers(aws_lc_rs::rand::SystemRandom::new()),
        ))
    }
}
