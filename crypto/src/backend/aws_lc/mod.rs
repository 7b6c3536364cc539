//! AWS-LC by way of `aws-lc-rs`: C and assembly, with the standard library.

use alloc::boxed::Box;

use super::Backend;
use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Algorithm, Cipher, Hash, Mac, Tag};
use crate::cipher::{BlockKey, CipherKey};
use crate::hash::HashContext;
use crate::mac::MacKey;
use crate::random::Random;

mod aead;
mod cipher;
mod hash;

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
            Algorithm::Exchange(_) | Algorithm::Sign(_) | Algorithm::Verify(_) => false,
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

    fn random(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(
            hash::Numbers(aws_lc_rs::rand::SystemRandom::new()),
        ))
    }
}
