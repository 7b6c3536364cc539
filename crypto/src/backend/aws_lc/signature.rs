//! RSA, ECDSA and Ed25519, with AWS-LC's own random numbers. AWS-LC wipes private keys.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, KeyPair as _};

use crate::algorithm::{Curve, Hash, Scheme};
use crate::error::{Failed, Refusal};
use crate::key::{self, EcPrivate, Private, Public, RsaPrivate, refusal};
use crate::random::Random;
use crate::signature::{Signer, Signing};

fn rsa_encoding(scheme: Scheme) -> Option<&'static dyn signature::RsaEncoding> {
    match scheme {
        Scheme::RsaPkcs1(Hash::Sha256) => Some(&signature::RSA_PKCS1_SHA256),
        Scheme::RsaPkcs1(Hash::Sha384) => Some(&signature::RSA_PKCS1_SHA384),
        Scheme::RsaPkcs1(Hash::Sha512) => Some(&signature::RSA_PKCS1_SHA512),
        Scheme::RsaPss(Hash::Sha256) => Some(&signature::RSA_PSS_SHA256),
        Scheme::RsaPss(Hash::Sha384) => Some(&signature::RSA_PSS_SHA384),
        Scheme::RsaPss(Hash::Sha512) => Some(&signature::RSA_PSS_SHA512),
        Scheme::RsaPkcs1(Hash::Sha1)
        | Scheme::RsaPss(Hash::Sha1)
        | Scheme::Ecdsa(..)
        | Scheme::Ed25519 => None,
    }
}

fn ecdsa(scheme: Scheme) -> Option<&'static signature::EcdsaSigningAlgorithm> {
    let Scheme::Ecdsa(curve, hash) = scheme else {
        return None;
    };
    match (curve, hash) {
        (Curve::P256, Hash::Sha256) => Some(&signature::ECDSA_P256_SHA256_ASN1_SIGNING),
        (Curve::P384, Hash::Sha384) => Some(&signature::ECDSA_P384_SHA384_ASN1_SIGNING),
        (Curve::P521, Hash::Sha256) => Some(&signature::ECDSA_P521_SHA256_ASN1_SIGNING),
        (Curve::P521, Hash::Sha384) => Some(&signature::ECDSA_P521_SHA384_ASN1_SIGNING),
        (Curve::P521, Hash::Sha512) => Some(&signature::ECDSA_P521_SHA512_ASN1_SIGNING),
        (Curve::P256 | Curve::P384, _) | (Curve::P521, Hash::Sha1) => None,
    }
}

/// Whether it makes signatures of that scheme.
pub(super) fn signs(scheme: Scheme) -> bool {
    rsa_encoding(scheme).is_some() || ecdsa(scheme).is_some() || scheme == Scheme::Ed25519
}

fn verification(scheme: Scheme) -> Option<&'static dyn signature::VerificationAlgorithm> {
    Some(match scheme {
        Scheme::RsaPkcs1(Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
        Scheme::RsaPkcs1(Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        Scheme::RsaPkcs1(Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
        Scheme::RsaPss(Hash::Sha256) => &signature::RSA_PSS_2048_8192_SHA256,
        Scheme::RsaPss(Hash::Sha384) => &signature::RSA_PSS_2048_8192_SHA384,
        Scheme::RsaPss(Hash::Sha512) => &signature::RSA_PSS_2048_8192_SHA512,
        Scheme::Ecdsa(Curve::P256, Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
        Scheme::Ecdsa(Curve::P256, Hash::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
        Scheme::Ecdsa(Curve::P256, Hash::Sha512) => &signature::ECDSA_P256_SHA512_ASN1,
        Scheme::Ecdsa(Curve::P384, Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
        Scheme::Ecdsa(Curve::P384, Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
        Scheme::Ecdsa(Curve::P384, Hash::Sha512) => &signature::ECDSA_P384_SHA512_ASN1,
        Scheme::Ecdsa(Curve::P521, Hash::Sha256) => &signature::ECDSA_P521_SHA256_ASN1,
        Scheme::Ecdsa(Curve::P521, Hash::Sha384) => &signature::ECDSA_P521_SHA384_ASN1,
        Scheme::Ecdsa(Curve::P521, Hash::Sha512) => &signature::ECDSA_P521_SHA512_ASN1,
        Scheme::Ed25519 => &signature::ED25519,
        Scheme::RsaPkcs1(Hash::Sha1)
        | Scheme::RsaPss(Hash::Sha1)
        | Scheme::Ecdsa(_, Hash::Sha1) => return None,
    })
}

/// Whether it checks signatures of that scheme.
pub(super) fn verifies(scheme: Scheme) -> bool {
    verification(scheme).is_some()
}

/// Checks a signature.
pub(super) fn verify(
    scheme: Scheme,
    public_key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Option<Result<(), Failed>> {
    let algorithm = verification(scheme)?;
    Some(key::public(scheme, public_key).and_then(|key| {
        let key = match key {
            Public::Rsa(key) | Public::Ec(_, key) => key,
            Public::Ed25519(key) => key,
        };
        signature::UnparsedPublicKey::new(algorithm, key)
            .verify(message, signature)
            .map_err(|_| Failed)
    }))
}

enum Key {
    Rsa(signature::RsaKeyPair),
    /// One for each hash.
    Ecdsa(Vec<(Scheme, signature::EcdsaKeyPair)>),
    Ed25519(signature::Ed25519KeyPair),
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
        _random: &mut dyn Random,
    ) -> Result<Signing, Failed> {
        if !self.schemes.contains(&scheme) {
            return Err(Failed);
        }
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let encoding = rsa_encoding(scheme).ok_or(Failed)?;
                key.sign(encoding, &random, message, &mut signature)
                    .map_err(|_| Failed)?;
                signature
            }
            Key::Ecdsa(keys) => {
                let (_, key) = keys.iter().find(|(own, _)| *own == scheme).ok_or(Failed)?;
                let signature = key.sign(&random, message).map_err(|_| Failed)?;
                signature.as_ref().to_vec()
            }
            Key::Ed25519(key) => {
                let signature = key.try_sign(message).map_err(|_| Failed)?;
                signature.as_ref().to_vec()
            }
        };
        Ok(Signing::Done(signature))
    }
}

/// Takes a private key.
pub(super) fn signer(pkcs8: &[u8]) -> Option<Result<Box<dyn Signer>, Refusal>> {
    let own = match key::private(pkcs8)? {
        Ok(Private::Rsa(key)) => rsa(&key),
        Ok(Private::Ec(key)) => ec(&key, pkcs8),
        Ok(Private::Ed25519 { seed, public }) => ed25519(seed, public),
        Err(why) => Err(why),
    };
    Some(own.map(|own| -> Box<dyn Signer> { Box::new(own) }))
}

fn rsa(key: &RsaPrivate<'_>) -> Result<Own, Refusal> {
    Ok(Own {
        key: Key::Rsa(
            signature::RsaKeyPair::from_der(key.der)
                .map_err(|_| refusal(key::RSA_NAME, key::INCONSISTENT))?,
        ),
        public: key.spki()?,
        schemes: Scheme::all()
            .filter(|scheme| rsa_encoding(*scheme).is_some())
            .collect(),
    })
}

fn ec(key: &EcPrivate<'_>, pkcs8: &[u8]) -> Result<Own, Refusal> {
    let inconsistent = || refusal(key::EC_NAME, key::INCONSISTENT);
    // The hash that is as long as the curve first.
    let mut schemes: Vec<_> = Scheme::all()
        .filter(|scheme| matches!(scheme, Scheme::Ecdsa(curve, _) if *curve == key.curve))
        .collect();
    schemes.reverse();
    let mut keys = Vec::new();
    for scheme in schemes {
        if let Some(algorithm) = ecdsa(scheme) {
            let pair = signature::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8)
                .map_err(|_| inconsistent())?;
            keys.push((scheme, pair));
        }
    }
    let (_, first) = keys.first().ok_or_else(inconsistent)?;
    Ok(Own {
        public: key.spki(first.public_key().as_ref())?,
        schemes: keys.iter().map(|(scheme, _)| *scheme).collect(),
        key: Key::Ecdsa(keys),
    })
}

fn ed25519(seed: &[u8; 32], public: Option<&[u8]>) -> Result<Own, Refusal> {
    let pair = signature::Ed25519KeyPair::from_seed_unchecked(seed)
        .map_err(|_| refusal(key::ED25519_NAME, key::INCONSISTENT))?;
    Ok(Own {
        public: key::ed25519_spki(public, pair.public_key().as_ref())?,
        key: Key::Ed25519(pair),
        schemes: vec![Scheme::Ed25519],
    })
}
