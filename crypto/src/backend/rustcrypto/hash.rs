//! SHA-1, SHA-2 and HMAC.

use alloc::boxed::Box;

use hmac::{Hmac, KeyInit};
use sha1::Sha1;
use sha2::digest::Update;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::algorithm::{Hash, Mac};
use crate::hash::{Digest, HashContext};
use crate::mac::{Code, MacKey};

struct Context<D>(D);

impl<D: sha2::Digest + Send> HashContext for Context<D> {
    fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    fn finish(self: Box<Self>) -> Digest {
        Digest::of(&self.0.finalize())
    }
}

/// Begins a digest.
pub(super) fn context(algorithm: Hash) -> Box<dyn HashContext> {
    match algorithm {
        Hash::Sha1 => Box::new(Context(Sha1::new())),
        Hash::Sha256 => Box::new(Context(Sha256::new())),
        Hash::Sha384 => Box::new(Context(Sha384::new())),
        Hash::Sha512 => Box::new(Context(Sha512::new())),
    }
}

/// HMAC with both pads hashed already: a code costs two blocks less.
struct Key<M> {
    inner: M,
    algorithm: Mac,
}

impl<M> MacKey for Key<M>
where
    M: hmac::Mac + Update + Clone + Send + Sync,
{
    fn algorithm(&self) -> Mac {
        self.algorithm
    }

    fn code(&self, parts: &[&[u8]]) -> Code {
        let mut mac = self.inner.clone();
        for part in parts {
            Update::update(&mut mac, part);
        }
        Code::of(&mac.finalize().into_bytes())
    }
}

fn of<M>(algorithm: Mac, key: &[u8]) -> Option<Box<dyn MacKey>>
where
    M: hmac::Mac + KeyInit + Update + Clone + Send + Sync + 'static,
{
    Some(Box::new(Key {
        inner: M::new_from_slice(key).ok()?,
        algorithm,
    }))
}

/// Expands a key for HMAC.
pub(super) fn mac(algorithm: Mac, key: &[u8]) -> Option<Box<dyn MacKey>> {
    match algorithm {
        Mac::Hmac(Hash::Sha1) => of::<Hmac<Sha1>>(algorithm, key),
        Mac::Hmac(Hash::Sha256) => of::<Hmac<Sha256>>(algorithm, key),
        Mac::Hmac(Hash::Sha384) => of::<Hmac<Sha384>>(algorithm, key),
        Mac::Hmac(Hash::Sha512) => of::<Hmac<Sha512>>(algorithm, key),
        Mac::AesCmac | Mac::AesXcbc => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each crate wipes its state, of which HMAC's keys consist, only when it is told to itself.
    #[test]
    fn states_are_wiped() {
        fn wiped<T: zeroize::ZeroizeOnDrop>() {}
        wiped::<Sha1>();
        wiped::<Sha256>();
        wiped::<Sha384>();
        wiped::<Sha512>();
    }
}
