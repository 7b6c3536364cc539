//! Authenticated encryption, in place, with the tag apart and the expanded key kept.

use alloc::boxed::Box;

use crate::algorithm::Aead;
use crate::error::Failed;

/// An expanded key for authenticated encryption. One lives in each security association, and
/// threads may share it.
///
/// Nonces are the caller's: sealing twice with one nonce gives the plaintexts away.
pub trait AeadKey: Send + Sync {
    /// What it does, and so how long nonce and tag are.
    fn algorithm(&self) -> Aead;

    /// Encrypts `data` in place and writes the tag over it and `aad`.
    ///
    /// # Errors
    ///
    /// [`Failed`] when `nonce` or `tag` have another length than
    /// [`nonce_len`](Aead::nonce_len) and [`tag_len`](Aead::tag_len), or the data are longer than
    /// the algorithm allows (2^36 - 32 octets for GCM, 2^32 - 1 for CCM, 2^38 - 64 for ChaCha20). `data` and `tag` are to
    /// be thrown away then.
    fn seal(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &mut [u8])
    -> Result<(), Failed>;

    /// Checks the tag in constant time and decrypts `data` in place.
    ///
    /// # Errors
    ///
    /// [`Failed`] when the tag does not fit, or as for [`seal`](Self::seal). `data` are to be
    /// thrown away then: some libraries have decrypted, some wiped them.
    fn open(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &[u8]) -> Result<(), Failed>;
}

impl<K: AeadKey + ?Sized> AeadKey for Box<K> {
    #[inline]
    fn algorithm(&self) -> Aead {
        (**self).algorithm()
    }

    #[inline]
    fn seal(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Failed> {
        (**self).seal(nonce, aad, data, tag)
    }

    #[inline]
    fn open(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &[u8]) -> Result<(), Failed> {
        (**self).open(nonce, aad, data, tag)
    }
}
