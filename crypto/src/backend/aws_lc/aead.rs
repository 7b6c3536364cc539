//! GCM and ChaCha20-Poly1305 with tags of 16 octets. The library wipes its keys.

use alloc::boxed::Box;

use aws_lc_rs::aead::{
    AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};

use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Tag};
use crate::error::Failed;

struct Key {
    inner: LessSafeKey,
    algorithm: Aead,
}

impl AeadKey for Key {
    #[inline]
    fn algorithm(&self) -> Aead {
        self.algorithm
    }

    #[inline]
    fn seal(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Failed> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Failed)?;
        // The tag goes straight to its place; the form that returns it copies it twice.
        if tag.len() != 16 {
            return Err(Failed);
        }
        self.inner
            .seal_in_place_scatter(nonce, Aad::from(aad), data, &[], tag)
            .map_err(|_| Failed)?;
        Ok(())
    }

    #[inline]
    fn open(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &[u8]) -> Result<(), Failed> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Failed)?;
        self.inner
            .open_in_place_separate_tag(nonce, Aad::from(aad), tag, data)
            .map(|_| ())
            .map_err(|_| Failed)
    }
}

/// Expands a key.
pub(super) fn key(algorithm: Aead, key: &[u8]) -> Option<Box<dyn AeadKey>> {
    let aead = match algorithm {
        Aead::AesGcm(AesKey::Aes128, Tag::Octets16) => &AES_128_GCM,
        Aead::AesGcm(AesKey::Aes192, Tag::Octets16) => &AES_192_GCM,
        Aead::AesGcm(AesKey::Aes256, Tag::Octets16) => &AES_256_GCM,
        Aead::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        Aead::AesGcm(..) | Aead::AesCcm(..) => return None,
    };
    let inner = LessSafeKey::new(UnboundKey::new(aead, key).ok()?);
    Some(Box::new(Key { inner, algorithm }))
}
