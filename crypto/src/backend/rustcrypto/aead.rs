//! GCM, CCM and ChaCha20-Poly1305.

use alloc::boxed::Box;

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::{U8, U11, U12, U16};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use ccm::Ccm;
use chacha20poly1305::ChaCha20Poly1305;

use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Tag};
use crate::error::Failed;

/// A key of one of the crates' types, which wipe themselves.
struct Key<C> {
    inner: C,
    algorithm: Aead,
}

impl<C> AeadKey for Key<C>
where
    C: AeadInOut + Send + Sync,
{
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
        let nonce = nonce.try_into().map_err(|_| Failed)?;
        let tag: &mut aes_gcm::aead::Tag<C> = tag.try_into().map_err(|_| Failed)?;
        match self
            .inner
            .encrypt_inout_detached(nonce, aad, InOutBuf::from(data))
        {
            Ok(made) => {
                *tag = made;
                Ok(())
            }
            Err(_) => Err(Failed),
        }
    }

    #[inline]
    fn open(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &[u8]) -> Result<(), Failed> {
        let nonce = nonce.try_into().map_err(|_| Failed)?;
        let tag = tag.try_into().map_err(|_| Failed)?;
        self.inner
            .decrypt_inout_detached(nonce, aad, InOutBuf::from(data), tag)
            .map_err(|_| Failed)
    }
}

fn of<C>(algorithm: Aead, key: &[u8]) -> Option<Box<dyn AeadKey>>
where
    C: AeadInOut + KeyInit + Send + Sync + 'static,
{
    let inner = C::new_from_slice(key).ok()?;
    Some(Box::new(Key { inner, algorithm }))
}

/// Expands a key.
pub(super) fn key(algorithm: Aead, key: &[u8]) -> Option<Box<dyn AeadKey>> {
    use AesKey::{Aes128 as A128, Aes192 as A192, Aes256 as A256};
    use Tag::{Octets8, Octets12, Octets16};
    match algorithm {
        Aead::AesGcm(A128, Octets8) => of::<AesGcm<Aes128, U12, U8>>(algorithm, key),
        Aead::AesGcm(A128, Octets12) => of::<AesGcm<Aes128, U12, U12>>(algorithm, key),
        Aead::AesGcm(A128, Octets16) => of::<AesGcm<Aes128, U12, U16>>(algorithm, key),
        Aead::AesGcm(A192, Octets8) => of::<AesGcm<Aes192, U12, U8>>(algorithm, key),
        Aead::AesGcm(A192, Octets12) => of::<AesGcm<Aes192, U12, U12>>(algorithm, key),
        Aead::AesGcm(A192, Octets16) => of::<AesGcm<Aes192, U12, U16>>(algorithm, key),
        Aead::AesGcm(A256, Octets8) => of::<AesGcm<Aes256, U12, U8>>(algorithm, key),
        Aead::AesGcm(A256, Octets12) => of::<AesGcm<Aes256, U12, U12>>(algorithm, key),
        Aead::AesGcm(A256, Octets16) => of::<AesGcm<Aes256, U12, U16>>(algorithm, key),
        Aead::AesCcm(A128, Octets8) => of::<Ccm<Aes128, U8, U11>>(algorithm, key),
        Aead::AesCcm(A128, Octets12) => of::<Ccm<Aes128, U12, U11>>(algorithm, key),
        Aead::AesCcm(A128, Octets16) => of::<Ccm<Aes128, U16, U11>>(algorithm, key),
        Aead::AesCcm(A192, Octets8) => of::<Ccm<Aes192, U8, U11>>(algorithm, key),
        Aead::AesCcm(A192, Octets12) => of::<Ccm<Aes192, U12, U11>>(algorithm, key),
        Aead::AesCcm(A192, Octets16) => of::<Ccm<Aes192, U16, U11>>(algorithm, key),
        Aead::AesCcm(A256, Octets8) => of::<Ccm<Aes256, U8, U11>>(algorithm, key),
        Aead::AesCcm(A256, Octets12) => of::<Ccm<Aes256, U12, U11>>(algorithm, key),
        Aead::AesCcm(A256, Octets16) => of::<Ccm<Aes256, U16, U11>>(algorithm, key),
        Aead::ChaCha20Poly1305 => of::<ChaCha20Poly1305>(algorithm, key),
    }
}
