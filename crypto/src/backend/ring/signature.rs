//! RSA, ECDSA on P-256 and P-384, Ed25519, with ring's own random numbers.
//!
//! ring's private keys: RSA up to 4096 bits with a length that is a multiple of 1024 and a public
//! exponent of 65537 or more; ECDSA only with the public key beside the private one; it does not wipe
//! them.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use ring::rand::SystemRandom;
use ring::signature::{self, KeyPair as _};

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

fn ecdsa(curve: Curve) -> Option<(Scheme, &'static signature::EcdsaSigningAlgorithm)> {
    match curve {
        Curve::P256 => Some((
            Scheme::Ecdsa(curve, Hash::Sha256),
            &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        )),
        Curve::P384 => Some((
            Scheme::Ecdsa(curve, Hash::Sha384),
            &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        )),
        Curve::P521 => None,
    }
}

/// Whether it makes signatures of that scheme.
pub(super) fn signs(scheme: Scheme) -> bool {
    match scheme {
        Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) => rsa_encoding(scheme).is_some(),
        Scheme::Ecdsa(curve, _) => ecdsa(curve).is_some_and(|(own, _)| own == scheme),
        Scheme::Ed25519 => true,
    }
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
        Scheme::Ecdsa(Curve::P384, Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
        Scheme::Ecdsa(Curve::P384, Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
        Scheme::Ed25519 => &signature::ED25519,
        Scheme::RsaPkcs1(Hash::Sha1) | Scheme::RsaPss(Hash::Sha1) | Scheme::Ecdsa(..) => {
            return None;
        }
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
    Rsa(Box<signature::RsaKeyPair>),
    Ecdsa(Box<signature::EcdsaKeyPair>),
    Ed25519(Box<signature::Ed25519KeyPair>),
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
                let mut signature = vec![0; key.public().modulus_len()];
                let encoding = rsa_encoding(scheme).ok_or(Failed)?;
                key.sign(encoding, &random, message, &mut signature)
                    .map_err(|_| Failed)?;
                signature
            }
            Key::Ecdsa(key) => {
                let signature = key.sign(&random, message).map_err(|_| Failed)?;
                signature.as_ref().to_vec()
            }
            Key::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        };
        Ok(Signing::Done(signature))
    }
}

/// Takes a private key.
pub(super) fn signer(pkcs8: &[u8]) -> Option<Result<Box<dyn Signer>, Refusal>> {
    let own = match key::private(pkcs8)? {
        Ok(Private::Rsa(key)) => rsa(&key)?,
        Ok(Private::Ec(key)) => ec(&key)?,
        Ok(Private::Ed25519 { seed, public }) => ed25519(seed, public),
        Err(why) => Err(why),
    };
    Some(own.map(|own| -> Box<dyn Signer> { Box::new(own) }))
}

fn rsa(key: &RsaPrivate<'_>) -> Option<Result<Own, Refusal>> {
    if key.bits > 4096 || !key.bits.is_multiple_of(1024) || key.exponent_bits < 17 {
        return None;
    }
    let take = || {
        Ok(Own {
            key: Key::Rsa(Box::new(
                signature::RsaKeyPair::from_der(key.der)
                    .map_err(|_| refusal(key::RSA_NAME, key::INCONSISTENT))?,
            )),
            public: key.spki()?,
            schemes: Scheme::all()
                .filter(|scheme| rsa_encoding(*scheme).is_some())
                .collect(),
        })
    };
    Some(take())
}

fn ec(key: &EcPrivate<'_>) -> Option<Result<Own, Refusal>> {
    let (scheme, algorithm) = ecdsa(key.curve)?;
    let public = key.public?;
    let take = || {
        let pair = signature::EcdsaKeyPair::from_private_key_and_public_key(
            algorithm,
            key.scalar,
            public,
            &SystemRandom::new(),
        )
        .map_err(|_| refusal(key::EC_NAME, key::INCONSISTENT))?;
        Ok(Own {
            public: key.spki(pair.public_key().as_ref())?,
            key: Key::Ecdsa(Box::new(pair)),
            schemes: vec![scheme],
        })
    };
    Some(take())
}

fn ed25519(seed: &[u8; 32], public: Option<&[u8]>) -> Result<Own, Refusal> {
    let pair = signature::Ed25519KeyPair::from_seed_unchecked(seed)
        .map_err(|_| refusal(key::ED25519_NAME, key::INCONSISTENT))?;
    Ok(Own {
        public: key::ed25519_spki(public, pair.public_key().as_ref())?,
        key: Key::Ed25519(Box::new(pair)),
        schemes: vec![Scheme::Ed25519],
    })
}
