//! SHA-1, SHA-2, HMAC and random numbers. The library wipes its keys.

use alloc::boxed::Box;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::{digest, hmac};

use crate::algorithm::{Hash, Mac};
use crate::error::Failed;
use crate::hash::{Digest, HashContext};
use crate::mac::{Code, MacKey};
use crate::random::Random;

struct Context(digest::Context);

impl HashContext for Context {
    fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn finish(self: Box<Self>) -> Digest {
        Digest::of(self.0.finish().as_ref())
    }
}

/// Begins a digest.
pub(super) fn context(algorithm: Hash) -> Box<dyn HashContext> {
    Box::new(Context(digest::Context::new(match algorithm {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    })))
}

struct Key {
    inner: hmac::Key,
    algorithm: Mac,
}

impl MacKey for Key {
    fn algorithm(&self) -> Mac {
        self.algorithm
    }

    fn code(&self, parts: &[&[u8]]) -> Code {
        let mut context = hmac::Context::with_key(&self.inner);
        for part in parts {
            context.update(part);
        }
        Code::of(context.sign().as_ref())
    }
}

/// Expands a key for HMAC.
pub(super) fn mac(algorithm: Mac, key: &[u8]) -> Option<Box<dyn MacKey>> {
    let Mac::Hmac(hash) = algorithm else {
        return None;
    };
    let hmac = match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
    };
    Some(Box::new(Key {
        inner: hmac::Key::new(hmac, key),
        algorithm,
    }))
}

/// The operating system's random numbers as AWS-LC reads them.
pub(super) struct Numbers(pub(super) SystemRandom);

impl Random for Numbers {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
        self.0.fill(to).map_err(|_| Failed)
    }
}
