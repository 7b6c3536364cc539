//! HKDF (RFC 5869) over any backend's HMAC, and TLS 1.3's form of it (RFC 8446 §7.1).

use alloc::vec::Vec;

use crate::algorithm::{Algorithm, Hash, Mac};
use crate::error::{Failed, Refusal};
use crate::mac::MacKey;
use crate::provider::Provider;
use crate::secret::Secret;

/// A pseudo-random key from which keys are expanded.
pub struct Hkdf(alloc::boxed::Box<dyn MacKey>);

impl core::fmt::Debug for Hkdf {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Hkdf({})", self.0.algorithm())
    }
}

impl Hkdf {
    /// HKDF-Extract (RFC 5869 §2.2). An empty salt is one of zeros.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the provider has no HMAC with that hash.
    pub fn extract(
        provider: &Provider,
        hash: Hash,
        salt: &[u8],
        input: &[u8],
    ) -> Result<(Self, Secret), Refusal> {
        let key = provider.mac(Mac::Hmac(hash), salt)?;
        let secret = Secret::copy(key.code(&[input]).as_ref());
        Ok((Self::of(provider, hash, secret.expose())?, secret))
    }

    /// Of a key that is pseudo-random already, at least as long as the digest.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the provider has no HMAC with that hash, or the key is shorter.
    pub fn of(provider: &Provider, hash: Hash, key: &[u8]) -> Result<Self, Refusal> {
        if key.len() < hash.len() {
            return Err(Refusal::KeyLength {
                algorithm: Algorithm::Mac(Mac::Hmac(hash)),
                expected: hash.len(),
                given: key.len(),
            });
        }
        provider.mac(Mac::Hmac(hash), key).map(Self)
    }

    /// HKDF-Expand (RFC 5869 §2.3): fills `out`.
    ///
    /// # Errors
    ///
    /// [`Failed`] when `out` is longer than 255 digests.
    pub fn expand(&self, info: &[&[u8]], out: &mut [u8]) -> Result<(), Failed> {
        feedback(&*self.0, info, out)
    }

    /// HKDF-Expand-Label (RFC 8446 §7.1), as QUIC uses it (RFC 9001 §5.1): `label` without its
    /// `tls13 ` prefix.
    ///
    /// # Errors
    ///
    /// [`Failed`] when label, context or `out` are too long to be written down (249, 255 octets,
    /// 255 digests).
    pub fn expand_label(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Failed> {
        const PREFIX: &[u8] = b"tls13 ";
        let octets = u16::try_from(out.len()).map_err(|_| Failed)?.to_be_bytes();
        let label_len = u8::try_from(PREFIX.len() + label.len()).map_err(|_| Failed)?;
        let context_len = u8::try_from(context.len()).map_err(|_| Failed)?;
        let info: &[&[u8]] = &[
            &octets,
            &[label_len],
            PREFIX,
            label,
            &[context_len],
            context,
        ];
        self.expand(info, out)
    }
}

/// What HKDF-Expand and prf+ (RFC 7296 §2.13) have in common: every block is the code over the
/// block before, the seed and the block's number in one octet.
pub(crate) fn feedback(key: &dyn MacKey, seed: &[&[u8]], out: &mut [u8]) -> Result<(), Failed> {
    let step = key.algorithm().len();
    if out.len() > 255 * step {
        return Err(Failed);
    }
    let mut before = None;
    for (number, chunk) in (1_u8..=255).zip(out.chunks_mut(step)) {
        let number = [number];
        let mut parts: Vec<&[u8]> = Vec::with_capacity(seed.len() + 2);
        if let Some(code) = &before {
            parts.push(AsRef::<[u8]>::as_ref(code));
        }
        parts.extend_from_slice(seed);
        parts.push(&number);
        let code = key.code(&parts);
        for (to, from) in chunk.iter_mut().zip(code.as_ref()) {
            *to = *from;
        }
        before = Some(code);
    }
    Ok(())
}
