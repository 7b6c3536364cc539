//! Signature schemes by their identifiers in DER, and the crypto provider as what `webpki` asks for signatures.

use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use hostward_crypto::Provider;
use hostward_crypto::algorithm::{Algorithm, Curve, Hash, Scheme};
use hostward_crypto::fips::Purpose;
use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};

use crate::der;

/// The AlgorithmIdentifier of signatures by a scheme, without the tag; nothing for a hash that is not taken.
pub(crate) const fn signature_id(scheme: Scheme) -> Option<AlgorithmIdentifier> {
    Some(match scheme {
        Scheme::RsaPkcs1(Hash::Sha256) => alg_id::RSA_PKCS1_SHA256,
        Scheme::RsaPkcs1(Hash::Sha384) => alg_id::RSA_PKCS1_SHA384,
        Scheme::RsaPkcs1(Hash::Sha512) => alg_id::RSA_PKCS1_SHA512,
        Scheme::RsaPss(Hash::Sha256) => alg_id::RSA_PSS_SHA256,
        Scheme::RsaPss(Hash::Sha384) => alg_id::RSA_PSS_SHA384,
        Scheme::RsaPss(Hash::Sha512) => alg_id::RSA_PSS_SHA512,
        Scheme::Ecdsa(_, Hash::Sha256) => alg_id::ECDSA_SHA256,
        Scheme::Ecdsa(_, Hash::Sha384) => alg_id::ECDSA_SHA384,
        Scheme::Ecdsa(_, Hash::Sha512) => alg_id::ECDSA_SHA512,
        Scheme::Ed25519 => alg_id::ED25519,
        Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) | Scheme::Ecdsa(..) | _ => return None,
    })
}

/// The AlgorithmIdentifier of public keys for a scheme, without the tag.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a later scheme's keys are is not known"
)]
const fn key_id(scheme: Scheme) -> Option<AlgorithmIdentifier> {
    Some(match scheme {
        Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) => alg_id::RSA_ENCRYPTION,
        Scheme::Ecdsa(Curve::P256, _) => alg_id::ECDSA_P256,
        Scheme::Ecdsa(Curve::P384, _) => alg_id::ECDSA_P384,
        Scheme::Ecdsa(Curve::P521, _) => alg_id::ECDSA_P521,
        Scheme::Ed25519 => alg_id::ED25519,
        _ => return None,
    })
}

/// Whether a SubjectPublicKeyInfo is of the kind that a scheme's keys are.
pub(crate) fn is_key_for(scheme: Scheme, spki: &[u8]) -> bool {
    let algorithm = der::only(der::SEQUENCE, spki)
        .and_then(|info| der::Der(info).expect(der::SEQUENCE))
        .map(|element| element.value);
    algorithm.is_some_and(|own| key_id(scheme).is_some_and(|id| id.as_ref() == own))
}

/// One scheme, done by a provider, counted.
struct Verifier<'v> {
    provider: &'v Provider,
    scheme: Scheme,
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    left: &'v AtomicU32,
}

impl fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scheme.fmt(f)
    }
}

impl SignatureVerificationAlgorithm for Verifier<'_> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        // Takes one from what is left, and stops at nothing.
        let less = |left: u32| left.checked_sub(1);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .map_err(|_| InvalidSignature)?;
        // The provider takes the whole SubjectPublicKeyInfo.
        let mut info = der::wrap(der::SEQUENCE, self.key.as_ref());
        let mut bits = Vec::with_capacity(public_key.len() + 1);
        bits.push(0);
        bits.extend_from_slice(public_key);
        der::write(der::BIT_STRING, &bits, &mut info);
        let info = der::wrap(der::SEQUENCE, &info);
        match self.provider.verify(self.scheme, &info, message, signature) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(InvalidSignature),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// What a provider can check of certificates, at most so many signatures.
pub(super) struct Verifiers<'v>(Vec<Verifier<'v>>);

impl<'v> Verifiers<'v> {
    /// All schemes that the provider does and its FIPS mode allows for certificates.
    pub(super) fn of(provider: &'v Provider, left: &'v AtomicU32) -> Self {
        let allowed = Scheme::all().filter(|scheme| {
            let algorithm = Algorithm::Verify(*scheme);
            provider.check(Purpose::Certificates, algorithm).is_ok()
        });
        let verifiers = allowed.filter_map(|scheme| {
            Some(Verifier {
                provider,
                scheme,
                key: key_id(scheme)?,
                signature: signature_id(scheme)?,
                left,
            })
        });
        Self(verifiers.collect())
    }

    pub(super) fn list(&self) -> Vec<&dyn SignatureVerificationAlgorithm> {
        self.0
            .iter()
            .map(|verifier| -> &dyn SignatureVerificationAlgorithm { verifier })
            .collect()
    }
}
