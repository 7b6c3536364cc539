//! The libraries' own AEAD calls, with what a program that knows the library would write: what the
//! interface is measured against.

use std::hint::black_box;

use hostward::crypto::algorithm::{AesKey, Tag};
use hostward::crypto::{Aead, AeadKey};

/// A library's own seal and open, for 16-octet tags.
pub(super) trait Raw {
    /// Encrypts in place and gives the tag.
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> Option<[u8; 16]>;
    /// Checks and decrypts in place.
    fn open(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Option<()>;
}

/// What one library's type needs to be called.
macro_rules! like_ring {
    ($name:ident, $library:ident, |$key:ident, $nonce:ident, $aad:ident, $data:ident, $tag:ident| $open:expr) => {
        struct $name($library::aead::LessSafeKey);

        impl Raw for $name {
            #[inline]
            fn seal(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> Option<[u8; 16]> {
                let nonce = $library::aead::Nonce::assume_unique_for_key(*nonce);
                let aad = $library::aead::Aad::from(aad);
                let tag = self.0.seal_in_place_separate_tag(nonce, aad, data).ok()?;
                tag.as_ref().try_into().ok()
            }

            #[inline]
            fn open(
                &self,
                nonce: &[u8; 12],
                aad: &[u8],
                $data: &mut [u8],
                $tag: &[u8; 16],
            ) -> Option<()> {
                let $nonce = $library::aead::Nonce::assume_unique_for_key(*nonce);
                let $aad = $library::aead::Aad::from(aad);
                let $key = &self.0;
                $open.ok()?;
                Some(())
            }
        }
    };
}

like_ring!(Ring, ring, |key, nonce, aad, data, tag| {
    key.open_in_place_separate_tag(nonce, aad, (*tag).into(), data, 0..)
});
like_ring!(AwsLc, aws_lc_rs, |key, nonce, aad, data, tag| {
    key.open_in_place_separate_tag(nonce, aad, tag, data)
});

struct RustCrypto<C>(C);

impl<C> Raw for RustCrypto<C>
where
    C: aes_gcm::aead::AeadInOut<
            NonceSize = aes_gcm::aead::consts::U12,
            TagSize = aes_gcm::aead::consts::U16,
        >,
{
    #[inline]
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> Option<[u8; 16]> {
        let tag = self
            .0
            .encrypt_inout_detached(nonce.into(), aad, data.into())
            .ok()?;
        Some(tag.into())
    }

    #[inline]
    fn open(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Option<()> {
        self.0
            .decrypt_inout_detached(nonce.into(), aad, data.into(), tag.into())
            .ok()
    }
}

/// What goes through a whole measurement: nonce, associated data, message.
pub(super) const NONCE: [u8; 12] = [7; 12];
/// As long as ESP's header.
pub(super) const AAD: [u8; 8] = [9; 8];

/// Works for `measure`: sealing, and copying and opening. Generic, so that the library's call is not behind a
/// pointer.
fn works<'a, R: Raw + 'static>(raw: R, size: usize) -> Option<[super::measure::Work<'a>; 2]> {
    let raw = std::rc::Rc::new(raw);
    let mut sealed = vec![0x5a; size];
    let tag = raw.seal(&NONCE, &AAD, &mut sealed)?;
    let (mut one, mut two) = (sealed.clone(), sealed.clone());
    let opening = raw.clone();
    Some([
        Box::new(move |times| {
            for _ in 0..times {
                black_box(black_box(&*raw).seal(black_box(&NONCE), black_box(&AAD), &mut one));
            }
        }),
        Box::new(move |times| {
            for _ in 0..times {
                two.copy_from_slice(black_box(&sealed));
                black_box(black_box(&*opening).open(
                    black_box(&NONCE),
                    black_box(&AAD),
                    &mut two,
                    &tag,
                ));
            }
        }),
    ])
}

/// The library's own call for an algorithm, where there is one with the same shape.
pub(super) fn of<'a>(
    backend: &str,
    algorithm: Aead,
    size: usize,
) -> Option<[super::measure::Work<'a>; 2]> {
    let key = vec![0x42; algorithm.key_len()];
    match (backend, algorithm) {
        ("ring", _) => {
            let algorithm = match algorithm {
                Aead::AesGcm(AesKey::Aes128, Tag::Octets16) => &ring::aead::AES_128_GCM,
                Aead::AesGcm(AesKey::Aes256, Tag::Octets16) => &ring::aead::AES_256_GCM,
                Aead::ChaCha20Poly1305 => &ring::aead::CHACHA20_POLY1305,
                _ => return None,
            };
            let key = ring::aead::UnboundKey::new(algorithm, &key).ok()?;
            works(Ring(ring::aead::LessSafeKey::new(key)), size)
        }
        ("aws-lc-rs", _) => {
            let algorithm = match algorithm {
                Aead::AesGcm(AesKey::Aes128, Tag::Octets16) => &aws_lc_rs::aead::AES_128_GCM,
                Aead::AesGcm(AesKey::Aes256, Tag::Octets16) => &aws_lc_rs::aead::AES_256_GCM,
                Aead::ChaCha20Poly1305 => &aws_lc_rs::aead::CHACHA20_POLY1305,
                _ => return None,
            };
            let key = aws_lc_rs::aead::UnboundKey::new(algorithm, &key).ok()?;
            works(AwsLc(aws_lc_rs::aead::LessSafeKey::new(key)), size)
        }
        ("rustcrypto", Aead::AesGcm(AesKey::Aes128, Tag::Octets16)) => {
            use aes_gcm::KeyInit as _;
            works(
                RustCrypto(aes_gcm::Aes128Gcm::new_from_slice(&key).ok()?),
                size,
            )
        }
        ("rustcrypto", Aead::AesGcm(AesKey::Aes256, Tag::Octets16)) => {
            use aes_gcm::KeyInit as _;
            works(
                RustCrypto(aes_gcm::Aes256Gcm::new_from_slice(&key).ok()?),
                size,
            )
        }
        ("rustcrypto", Aead::ChaCha20Poly1305) => {
            use chacha20poly1305::KeyInit as _;
            let key = chacha20poly1305::ChaCha20Poly1305::new_from_slice(&key).ok()?;
            works(RustCrypto(key), size)
        }
        #[cfg(feature = "ipsec-mb")]
        ("ipsec-mb", Aead::AesGcm(length, Tag::Octets16)) => works(
            IpsecMb(hostward::crypto::backend::ipsec_mb::Gcm::of(length, &key)?),
            size,
        ),
        _ => None,
    }
}

/// The same through the interface.
pub(super) fn interface<'a>(
    key: Box<dyn AeadKey>,
    size: usize,
) -> Option<[super::measure::Work<'a>; 2]> {
    let key: std::rc::Rc<dyn AeadKey> = key.into();
    let algorithm = key.algorithm();
    let mut sealed = vec![0x5a; size];
    let nonce = NONCE.get(..algorithm.nonce_len())?;
    let mut tag = vec![0; algorithm.tag_len()];
    key.seal(nonce, &AAD, &mut sealed, &mut tag).ok()?;
    let (mut one, mut two, mut made) = (sealed.clone(), sealed.clone(), tag.clone());
    let opening = key.clone();
    Some([
        Box::new(move |times| {
            for _ in 0..times {
                let _ = black_box(black_box(&*key).seal(
                    black_box(nonce),
                    black_box(&AAD),
                    &mut one,
                    &mut made,
                ));
            }
        }),
        Box::new(move |times| {
            for _ in 0..times {
                two.copy_from_slice(black_box(&sealed));
                let _ = black_box(black_box(&*opening).open(
                    black_box(nonce),
                    black_box(&AAD),
                    &mut two,
                    &tag,
                ));
            }
        }),
    ])
}

#[cfg(feature = "ipsec-mb")]
struct IpsecMb(hostward::crypto::backend::ipsec_mb::Gcm);

#[cfg(feature = "ipsec-mb")]
impl Raw for IpsecMb {
    #[inline]
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> Option<[u8; 16]> {
        Some(self.0.seal_raw(nonce, aad, data))
    }

    #[inline]
    fn open(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Option<()> {
        (self.0.open_raw(nonce, aad, data) == *tag).then_some(())
    }
}
