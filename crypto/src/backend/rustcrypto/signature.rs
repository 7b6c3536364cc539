//! RSA, ECDSA and Ed25519, with the caller's random numbers where a signature takes any.
//!
//! RSA is blinded with the caller's random numbers, and its result is checked against the public key before
//! it goes out, so a fault in one half of the computation does not give the key away. The crate `rsa` has
//! an advisory (RUSTSEC-2023-0071, "Marvin"): the time of its private operation was measurable from the
//! network for those who can have it decrypt or sign what they choose. It concerns decryption first, which is
//! not used here. Signing does the same operation on a number that a peer knows but, with the hash
//! between, cannot choose; version 0.10 does it on numbers of constant length, and the blinding is kept on
//! top. No fixed release is named in the advisory, so a host that signs for strangers with RSA and can
//! choose takes RSA from another library: `prefer(Kind::Sign, backend::RING)`.
//!
//! ECDSA's nonce is that of RFC 6979 with random numbers mixed in (§3.6): neither a bad source nor a fault
//! alone gives the key away. Ed25519 takes none (RFC 8032).
//!
//! Private keys are wiped.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use ed25519_dalek::Verifier as _;
use p256::ecdsa::signature::hazmat::{PrehashVerifier, RandomizedPrehashSigner};
use p256::ecdsa::signature::{RandomizedSigner, SignatureEncoding};
use pkcs1::{DecodeRsaPrivateKey as _, DecodeRsaPublicKey as _};
use rsa::{RsaPrivateKey, RsaPublicKey, pkcs1v15, pss};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::random::Adapter;
use crate::algorithm::{Curve, Hash, Scheme};
use crate::error::{Failed, Refusal};
use crate::key::{self, EcPrivate, Private, Public, RsaPrivate, refusal};
use crate::random::Random;
use crate::signature::{Signer, Signing, ecdsa_der, ecdsa_raw};

/// Whether it makes and checks signatures of that scheme.
pub(super) fn signs(scheme: Scheme) -> bool {
    match scheme {
        Scheme::RsaPkcs1(hash) | Scheme::RsaPss(hash) => hash != Hash::Sha1,
        // Its ECDSA takes no hash that is shorter than half the curve's field.
        Scheme::Ecdsa(curve, hash) => hash != Hash::Sha1 && 2 * hash.len() >= curve.len(),
        Scheme::Ed25519 => true,
    }
}

fn prehash(hash: Hash, message: &[u8]) -> Result<Vec<u8>, Failed> {
    match hash {
        Hash::Sha1 => Err(Failed),
        Hash::Sha256 => Ok(Sha256::digest(message).to_vec()),
        Hash::Sha384 => Ok(Sha384::digest(message).to_vec()),
        Hash::Sha512 => Ok(Sha512::digest(message).to_vec()),
    }
}

/// Checks a signature.
pub(super) fn verify(
    scheme: Scheme,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Option<Result<(), Failed>> {
    signs(scheme).then(|| {
        let key = key::public(scheme, public_key)?;
        match (scheme, key) {
            (Scheme::RsaPkcs1(hash), Public::Rsa(key)) => {
                verify_pkcs1(hash, key, message, signature)
            }
            (Scheme::RsaPss(hash), Public::Rsa(key)) => verify_pss(hash, key, message, signature),
            (Scheme::Ecdsa(curve, hash), Public::Ec(_, key)) => {
                verify_ecdsa(curve, key, &prehash(hash, message)?, signature)
            }
            (Scheme::Ed25519, Public::Ed25519(key)) => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| Failed)?;
                let signature = signature.try_into().map_err(|_| Failed)?;
                key.verify(message, &signature).map_err(|_| Failed)
            }
            _ => Err(Failed),
        }
    })
}

/// Verifies with the library's key and form of signatures.
macro_rules! verified {
    ($key:expr, $signature:expr, $message:expr) => {
        $key.verify($message, &$signature.try_into().map_err(|_| Failed)?)
            .map_err(|_| Failed)
    };
}

fn verify_pkcs1(hash: Hash, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Failed> {
    let key = RsaPublicKey::from_pkcs1_der(key).map_err(|_| Failed)?;
    match hash {
        Hash::Sha1 => Err(Failed),
        Hash::Sha256 => verified!(
            pkcs1v15::VerifyingKey::<Sha256>::new(key),
            signature,
            message
        ),
        Hash::Sha384 => verified!(
            pkcs1v15::VerifyingKey::<Sha384>::new(key),
            signature,
            message
        ),
        Hash::Sha512 => verified!(
            pkcs1v15::VerifyingKey::<Sha512>::new(key),
            signature,
            message
        ),
    }
}

fn verify_pss(hash: Hash, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Failed> {
    let key = RsaPublicKey::from_pkcs1_der(key).map_err(|_| Failed)?;
    match hash {
        Hash::Sha1 => Err(Failed),
        Hash::Sha256 => verified!(pss::VerifyingKey::<Sha256>::new(key), signature, message),
        Hash::Sha384 => verified!(pss::VerifyingKey::<Sha384>::new(key), signature, message),
        Hash::Sha512 => verified!(pss::VerifyingKey::<Sha512>::new(key), signature, message),
    }
}

fn verify_ecdsa(curve: Curve, key: &[u8], hash: &[u8], signature: &[u8]) -> Result<(), Failed> {
    fn check<S: for<'a> TryFrom<&'a [u8]>>(
        key: &impl PrehashVerifier<S>,
        hash: &[u8],
        raw: &[u8],
    ) -> Result<(), Failed> {
        let signature = S::try_from(raw).map_err(|_| Failed)?;
        key.verify_prehash(hash, &signature).map_err(|_| Failed)
    }
    let raw = ecdsa_raw(curve, signature)?;
    match curve {
        Curve::P256 => {
            let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| Failed)?;
            check::<p256::ecdsa::Signature>(&key, hash, &raw)
        }
        Curve::P384 => {
            let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| Failed)?;
            check::<p384::ecdsa::Signature>(&key, hash, &raw)
        }
        Curve::P521 => {
            let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(key).map_err(|_| Failed)?;
            check::<p521::ecdsa::Signature>(&key, hash, &raw)
        }
    }
}

enum Key {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

struct Own {
    key: Key,
    public: Vec<u8>,
    schemes: Vec<Scheme>,
}

impl Signer for Own {
    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn schemes(&self) -> &[Scheme] {
        &self.schemes
    }

    fn sign(
        &self,
        scheme: Scheme,
        message: &[u8],
        random: &mut dyn Random,
    ) -> Result<Signing, Failed> {
        if !self.schemes.contains(&scheme) {
            return Err(Failed);
        }
        let random = &mut Adapter::new(random);
        match (&self.key, scheme) {
            (Key::Rsa(key), Scheme::RsaPkcs1(hash)) => sign_pkcs1(hash, key, message, random),
            (Key::Rsa(key), Scheme::RsaPss(hash)) => sign_pss(hash, key, message, random),
            (Key::P256(key), Scheme::Ecdsa(curve, hash)) => {
                sign_ecdsa::<p256::ecdsa::Signature>(curve, hash, key, message, random)
            }
            (Key::P384(key), Scheme::Ecdsa(curve, hash)) => {
                sign_ecdsa::<p384::ecdsa::Signature>(curve, hash, key, message, random)
            }
            (Key::P521(key), Scheme::Ecdsa(curve, hash)) => {
                sign_ecdsa::<p521::ecdsa::Signature>(curve, hash, key, message, random)
            }
            (Key::Ed25519(key), Scheme::Ed25519) => {
                use ed25519_dalek::Signer as _;
                Ok(key.try_sign(message).map_err(|_| Failed)?.to_vec())
            }
            _ => Err(Failed),
        }
        .map(Signing::Done)
    }
}

fn sign_ecdsa<S: SignatureEncoding>(
    curve: Curve,
    hash: Hash,
    key: &impl RandomizedPrehashSigner<S>,
    message: &[u8],
    random: &mut Adapter<'_>,
) -> Result<Vec<u8>, Failed> {
    let raw = key
        .sign_prehash_with_rng(random, &prehash(hash, message)?)
        .map_err(|_| Failed)?;
    ecdsa_der(curve, &raw.to_vec())
}

fn sign_rsa<S: SignatureEncoding>(
    key: &impl RandomizedSigner<S>,
    message: &[u8],
    random: &mut Adapter<'_>,
) -> Result<Vec<u8>, Failed> {
    let signature = key.try_sign_with_rng(random, message);
    Ok(signature.map_err(|_| Failed)?.to_vec())
}

fn sign_pkcs1(
    hash: Hash,
    key: &RsaPrivateKey,
    message: &[u8],
    random: &mut Adapter<'_>,
) -> Result<Vec<u8>, Failed> {
    let key = key.clone();
    match hash {
        Hash::Sha1 => Err(Failed),
        Hash::Sha256 => sign_rsa(&pkcs1v15::SigningKey::<Sha256>::new(key), message, random),
        Hash::Sha384 => sign_rsa(&pkcs1v15::SigningKey::<Sha384>::new(key), message, random),
        Hash::Sha512 => sign_rsa(&pkcs1v15::SigningKey::<Sha512>::new(key), message, random),
    }
}

fn sign_pss(
    hash: Hash,
    key: &RsaPrivateKey,
    message: &[u8],
    random: &mut Adapter<'_>,
) -> Result<Vec<u8>, Failed> {
    let key = key.clone();
    match hash {
        Hash::Sha1 => Err(Failed),
        Hash::Sha256 => sign_rsa(&pss::SigningKey::<Sha256>::new(key), message, random),
        Hash::Sha384 => sign_rsa(&pss::SigningKey::<Sha384>::new(key), message, random),
        Hash::Sha512 => sign_rsa(&pss::SigningKey::<Sha512>::new(key), message, random),
    }
}

/// Takes a private key.
pub(super) fn signer(pkcs8: &[u8]) -> Option<Result<Box<dyn Signer>, Refusal>> {
    let own = match key::private(pkcs8)? {
        Ok(Private::Rsa(key)) => rsa(&key),
        Ok(Private::Ec(key)) => ec(&key),
        Ok(Private::Ed25519 { seed, public }) => ed25519(seed, public),
        Err(why) => Err(why),
    };
    Some(own.map(|own| -> Box<dyn Signer> { Box::new(own) }))
}

fn rsa(key: &RsaPrivate<'_>) -> Result<Own, Refusal> {
    // It checks that the parts fit together and computes what the Chinese remainder theorem needs.
    let private = RsaPrivateKey::from_pkcs1_der(key.der)
        .map_err(|_| refusal(key::RSA_NAME, key::INCONSISTENT))?;
    Ok(Own {
        key: Key::Rsa(Box::new(private)),
        public: key.spki()?,
        schemes: Scheme::all()
            .filter(|scheme| matches!(scheme, Scheme::RsaPkcs1(_) | Scheme::RsaPss(_)))
            .collect(),
    })
}

fn ec(key: &EcPrivate<'_>) -> Result<Own, Refusal> {
    let out_of_range = |_| {
        refusal(
            key::EC_NAME,
            "its private number is 0 or not below the order",
        )
    };
    let (private, public) = match key.curve {
        Curve::P256 => {
            let private = p256::ecdsa::SigningKey::from_slice(key.scalar).map_err(out_of_range)?;
            let public = private.verifying_key().to_sec1_point(false);
            (Key::P256(private), public.as_bytes().to_vec())
        }
        Curve::P384 => {
            let private = p384::ecdsa::SigningKey::from_slice(key.scalar).map_err(out_of_range)?;
            let public = private.verifying_key().to_sec1_point(false);
            (Key::P384(private), public.as_bytes().to_vec())
        }
        Curve::P521 => {
            let private = p521::ecdsa::SigningKey::from_slice(key.scalar).map_err(out_of_range)?;
            let public = private.verifying_key().to_sec1_point(false);
            (Key::P521(private), public.as_bytes().to_vec())
        }
    };
    // The hash that is as long as the curve first, then the others.
    let mut schemes: Vec<_> = Scheme::all()
        .filter(|scheme| matches!(scheme, Scheme::Ecdsa(curve, _) if *curve == key.curve))
        .filter(|scheme| signs(*scheme))
        .collect();
    schemes.sort_by_key(|scheme| match scheme {
        Scheme::Ecdsa(curve, hash) => curve.len().abs_diff(hash.len()),
        Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) | Scheme::Ed25519 => 0,
    });
    Ok(Own {
        public: key.spki(&public)?,
        key: private,
        schemes,
    })
}

fn ed25519(seed: &[u8; 32], public: Option<&[u8]>) -> Result<Own, Refusal> {
    let private = ed25519_dalek::SigningKey::from_bytes(seed);
    Ok(Own {
        public: key::ed25519_spki(public, private.verifying_key().as_bytes())?,
        key: Key::Ed25519(private),
        schemes: vec![Scheme::Ed25519],
    })
}
