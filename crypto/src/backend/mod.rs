//! The libraries behind the interface, one folder each.
//!
//! A host may bring its own: [`Backend`] is what it implements, and what it does not override is
//! refused.

use alloc::boxed::Box;
use core::fmt;

use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Algorithm, Cipher, Group, Hash, Mac, Scheme};
use crate::cipher::{BlockKey, CipherKey};
use crate::error::{Failed, Refusal};
use crate::exchange::{Answer, Exchange};
use crate::hash::HashContext;
use crate::mac::MacKey;
use crate::random::Random;
use crate::signature::Signer;

#[cfg(feature = "aws-lc-rs")]
pub mod aws_lc;
#[cfg(feature = "ipsec-mb")]
pub mod ipsec_mb;
#[cfg(feature = "ring")]
pub mod ring;
#[cfg(feature = "rustcrypto")]
pub mod rustcrypto;

#[cfg(feature = "ring")]
pub use self::ring::RING;
#[cfg(feature = "aws-lc-rs")]
pub use aws_lc::AWS_LC;
#[cfg(feature = "ipsec-mb")]
pub use ipsec_mb::IPSEC_MB;
#[cfg(feature = "rustcrypto")]
pub use rustcrypto::RUST_CRYPTO;

/// A library. Each method answers [`None`] for what [`supports`](Self::supports) denies; keys have
/// the length their algorithm says when they come here.
pub trait Backend: Send + Sync {
    /// Its name, as it stands in the configuration and in `hostward speed`.
    fn name(&self) -> &'static str;

    /// Whether it runs as a validated FIPS 140-3 module.
    fn validated(&self) -> bool {
        false
    }

    /// Whether it does that by itself.
    fn supports(&self, algorithm: Algorithm) -> bool;

    /// Expands a key for authenticated encryption.
    fn aead(&self, _algorithm: Aead, _key: &[u8]) -> Option<Box<dyn AeadKey>> {
        None
    }

    /// Expands a key for encryption alone.
    fn cipher(&self, _algorithm: Cipher, _key: &[u8]) -> Option<Box<dyn CipherKey>> {
        None
    }

    /// Expands an AES key for single blocks.
    fn block(&self, _algorithm: AesKey, _key: &[u8]) -> Option<Box<dyn BlockKey>> {
        None
    }

    /// Begins a digest.
    fn hash(&self, _algorithm: Hash) -> Option<Box<dyn HashContext>> {
        None
    }

    /// Expands a key for message authentication.
    fn mac(&self, _algorithm: Mac, _key: &[u8]) -> Option<Box<dyn MacKey>> {
        None
    }

    /// Begins a key exchange.
    fn exchange(
        &self,
        _group: Group,
        _random: &mut dyn Random,
    ) -> Option<Result<Box<dyn Exchange>, Failed>> {
        None
    }

    /// Answers a key exchange. For Diffie-Hellman the same as beginning one and finishing it.
    fn answer(
        &self,
        group: Group,
        peer: &[u8],
        random: &mut dyn Random,
    ) -> Option<Result<Answer, Failed>> {
        let answer = |own: Box<dyn Exchange>| {
            let public = own.public().to_vec();
            Ok(Answer {
                public,
                secret: own.finish(peer)?,
            })
        };
        Some(self.exchange(group, random)?.and_then(answer))
    }

    /// Takes a private key in PKCS#8 DER; [`None`] for kinds of keys it does not know.
    fn signer(&self, _pkcs8: &[u8]) -> Option<Result<Box<dyn Signer>, Refusal>> {
        None
    }

    /// Checks a signature with a SubjectPublicKeyInfo in DER.
    fn verify(
        &self,
        _scheme: Scheme,
        _public_key: &[u8],
        _message: &[u8],
        _signature: &[u8],
    ) -> Option<Result<(), Failed>> {
        None
    }

    /// Random numbers.
    fn random(&self) -> Option<Box<dyn Random>> {
        None
    }
}

impl fmt::Debug for dyn Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
