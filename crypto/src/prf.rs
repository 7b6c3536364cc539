//! Pseudo-random functions of IKEv2 (RFC 7296 §2.13) over any backend's MACs.

use alloc::boxed::Box;

use crate::algorithm::Prf;
use crate::error::{Failed, Refusal};
use crate::hkdf::feedback;
use crate::mac::MacKey;
use crate::provider::Provider;

/// `prf(key, …)` with a key of any length.
///
/// # Errors
///
/// [`Refusal`] when the provider has no such MAC.
pub fn prf(provider: &Provider, algorithm: Prf, key: &[u8]) -> Result<Box<dyn MacKey>, Refusal> {
    let mac = algorithm.mac();
    let short = match algorithm {
        Prf::Hmac(_) => return provider.mac(mac, key),
        // RFC 4615 §3: any other length than 128 bits becomes the CMAC of the key under zeros.
        Prf::AesCmac => key.len() != 16,
        // RFC 4434 §2: longer keys become their XCBC under zeros, shorter ones get zeros added.
        Prf::AesXcbc => key.len() > 16,
    };
    if short {
        let code = provider.mac(mac, &[0; 16])?.code(&[key]);
        return provider.mac(mac, code.as_ref());
    }
    let mut padded = [0; 16];
    for (to, from) in padded.iter_mut().zip(key) {
        *to = *from;
    }
    let made = provider.mac(mac, &padded);
    zeroize::Zeroize::zeroize(&mut padded);
    made
}

/// `prf+(key, seed)` (RFC 7296 §2.13): fills `out`.
///
/// # Errors
///
/// [`Failed`] when `out` is longer than 255 outputs of the function.
pub fn prf_plus(key: &dyn MacKey, seed: &[&[u8]], out: &mut [u8]) -> Result<(), Failed> {
    feedback(key, seed, out)
}
