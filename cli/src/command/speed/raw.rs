//! The libraries' own AEAD calls, with what a program that knows the library would write: what the
//! interface is measured against.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what has no case here is not measured"
)]

use std::hint::black_box;

use hostward::crypto::algorithm::{AesKey, Tag};
use hostward::crypto::{Aead, AeadKey};

use super::measure::{Work, again, used_up};

/// A library's own seal and open, for 16-octet tags.
pub(super) trait Raw {
    /// Encrypts in place and writes the tag where it belongs.
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &mut [u8; 16])
    -> Option<()>;
    /// Checks and decrypts in place.
    fn open(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Option<()>;
}

/// What one library's type needs to be called.
macro_rules! like_ring {
    ($name:ident, $library:ident, |$key:ident, $nonce:ident, $aad:ident, $data:ident, $tag:ident| $open:expr) => {
        struct $name($library::aead::LessSafeKey);

        impl Raw for $name {
            #[inline]
            fn seal(
                &self,
                nonce: &[u8; 12],
                aad: &[u8],
                data: &mut [u8],
                tag: &mut [u8; 16],
            ) -> Option<()> {
                let nonce = $library::aead::Nonce::assume_unique_for_key(*nonce);
                let aad = $library::aead::Aad::from(aad);
                let made = self.0.seal_in_place_separate_tag(nonce, aad, data).ok()?;
                *tag = made.as_ref().try_into().ok()?;
                Some(())
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
    fn seal(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        data: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Option<()> {
        let made = self
            .0
            .encrypt_inout_detached(nonce.into(), aad, data.into())
            .ok()?;
        *tag = made.into();
        Some(())
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

/// Octets that are worked on together: they stay in the first cache.
const TOGETHER: usize = 1 << 15;

/// Works for `measure`, sealing and opening; opening uses up what was sealed.
pub(super) fn works<'a>(
    size: usize,
    tag_len: usize,
    seal: impl Fn(&mut [u8], &mut [u8]) -> bool + Clone + 'a,
    open: impl Fn(&mut [u8], &[u8]) -> bool + 'a,
) -> Option<[Work<'a>; 2]> {
    let mut sealed = vec![0x5a; size];
    let mut tag = vec![0; tag_len];
    if !seal(&mut sealed, &mut tag) {
        return None;
    }
    let (mut one, mut made) = (sealed.clone(), tag.clone());
    let many = (TOGETHER / size.max(1)).clamp(4, 64);
    let mut all = vec![0; many * size];
    Some([
        again(move || {
            black_box(seal(black_box(&mut one), &mut made));
        }),
        used_up(many as u32, move |started| {
            for packet in all.chunks_exact_mut(size) {
                packet.copy_from_slice(&sealed);
            }
            started();
            for packet in all.chunks_exact_mut(size) {
                black_box(open(black_box(packet), &tag));
            }
        }),
    ])
}

/// The same with the library's type, so that its call is not behind a pointer.
fn raw<'a, R: Raw + 'static>(raw: R, size: usize) -> Option<[Work<'a>; 2]> {
    let sealing = std::rc::Rc::new(raw);
    let opening = sealing.clone();
    works(
        size,
        16,
        move |data, tag| {
            let Ok(tag) = tag.try_into() else {
                return false;
            };
            black_box(&*sealing)
                .seal(black_box(&NONCE), black_box(&AAD), data, tag)
                .is_some()
        },
        move |data, tag| {
            let Ok(tag) = tag.try_into() else {
                return false;
            };
            black_box(&*opening)
                .open(black_box(&NONCE), black_box(&AAD), data, tag)
                .is_some()
        },
    )
}

/// The library's own call for an algorithm, where there is one with the same shape.
pub(super) fn of<'a>(backend: &str, algorithm: Aead, size: usize) -> Option<[Work<'a>; 2]> {
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
            raw(Ring(ring::aead::LessSafeKey::new(key)), size)
        }
        ("aws-lc-rs", _) => {
            let algorithm = match algorithm {
                Aead::AesGcm(AesKey::Aes128, Tag::Octets16) => &aws_lc_rs::aead::AES_128_GCM,
                Aead::AesGcm(AesKey::Aes256, Tag::Octets16) => &aws_lc_rs::aead::AES_256_GCM,
                Aead::ChaCha20Poly1305 => &aws_lc_rs::aead::CHACHA20_POLY1305,
                _ => return None,
            };
            let key = aws_lc_rs::aead::UnboundKey::new(algorithm, &key).ok()?;
            raw(AwsLc(aws_lc_rs::aead::LessSafeKey::new(key)), size)
        }
        ("rustcrypto", Aead::AesGcm(AesKey::Aes128, Tag::Octets16)) => {
            use aes_gcm::KeyInit as _;
            raw(
                RustCrypto(aes_gcm::Aes128Gcm::new_from_slice(&key).ok()?),
                size,
            )
        }
        ("rustcrypto", Aead::AesGcm(AesKey::Aes256, Tag::Octets16)) => {
            use aes_gcm::KeyInit as _;
            raw(
                RustCrypto(aes_gcm::Aes256Gcm::new_from_slice(&key).ok()?),
                size,
            )
        }
        ("rustcrypto", Aead::ChaCha20Poly1305) => {
            use chacha20poly1305::KeyInit as _;
            let key = chacha20poly1305::ChaCha20Poly1305::new_from_slice(&key).ok()?;
            raw(RustCrypto(key), size)
        }
        #[cfg(feature = "ipsec-mb")]
        ("ipsec-mb", Aead::AesGcm(length, Tag::Octets16)) => raw(
            IpsecMb(hostward::crypto::backend::ipsec_mb::Gcm::of(length, &key)?),
            size,
        ),
        _ => None,
    }
}

/// The same through the interface.
pub(super) fn interface<'a>(key: Box<dyn AeadKey>, size: usize) -> Option<[Work<'a>; 2]> {
    let sealing: std::rc::Rc<dyn AeadKey> = key.into();
    let opening = sealing.clone();
    let algorithm = sealing.algorithm();
    let nonce = NONCE.get(..algorithm.nonce_len())?;
    works(
        size,
        algorithm.tag_len(),
        move |data, tag| {
            black_box(&*sealing)
                .seal(black_box(nonce), black_box(&AAD), data, tag)
                .is_ok()
        },
        move |data, tag| {
            black_box(&*opening)
                .open(black_box(nonce), black_box(&AAD), data, tag)
                .is_ok()
        },
    )
}

#[cfg(feature = "ipsec-mb")]
struct IpsecMb(hostward::crypto::backend::ipsec_mb::Gcm);

#[cfg(feature = "ipsec-mb")]
impl Raw for IpsecMb {
    #[inline]
    fn seal(
        &self,
        nonce: &[u8; 12],
        aad: &[u8],
        data: &mut [u8],
        tag: &mut [u8; 16],
    ) -> Option<()> {
        self.0.seal_raw(nonce, aad, data, tag);
        Some(())
    }

    #[inline]
    fn open(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &[u8; 16]) -> Option<()> {
        (self.0.open_raw(nonce, aad, data) == *tag).then_some(())
    }
}
