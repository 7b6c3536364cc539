//! GCM and ChaCha20-Poly1305 with tags of 16 octets.

use alloc::boxed::Box;

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
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
        let tag: &mut [u8; 16] = tag.try_into().map_err(|_| Failed)?;
        let made = self
            .inner
            .seal_in_place_separate_tag(nonce, Aad::from(aad), data)
            .map_err(|_| Failed)?;
        tag.copy_from_slice(made.as_ref());
        Ok(())
    }

    #[inline]
    fn open(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &[u8]) -> Result<(), Failed> {
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Failed)?;
        let tag = tag.try_into().map_err(|_| Failed)?;
        self.inner
            .open_in_place_separate_tag(nonce, Aad::from(aad), tag, data, 0..)
            .map(|_| ())
            .map_err(|_| Failed)
    }
}

/// ring does not wipe keys; the expanded one of zeros is written over ours, where it stands.
impl Drop for Key {
    fn drop(&mut self) {
        let algorithm = self.inner.algorithm();
        if let Ok(zeros) =
            UnboundKey::new(algorithm, [0; 32].get(..algorithm.key_len()).unwrap_or(&[]))
        {
            self.inner = LessSafeKey::new(zeros);
            // The value is looked at after the write, so the write is not left out.
            core::hint::black_box(&self.inner);
        }
    }
}

/// Expands a key.
pub(super) fn key(algorithm: Aead, key: &[u8]) -> Option<Box<dyn AeadKey>> {
    let ring = match algorithm {
        Aead::AesGcm(AesKey::Aes128, Tag::Octets16) => &AES_128_GCM,
        Aead::AesGcm(AesKey::Aes256, Tag::Octets16) => &AES_256_GCM,
        Aead::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        Aead::AesGcm(..) | Aead::AesCcm(..) => return None,
    };
    let inner = LessSafeKey::new(UnboundKey::new(ring, key).ok()?);
    Some(Box::new(Key { inner, algorithm }))
}
