//! Proof of who a peer is: making and checking the data of the authentication payload (RFC 7296 §2.15, §3.8).
//!
//! What is signed (the "signed octets", RFC 7296 §2.15) is the key schedule's business and comes in as octets. What comes
//! out of a check is [`Authenticated`], which nothing else can make: a state that needs an authenticated peer asks
//! for one.
//!
//! | method | | |
//! |---|---|---|
//! | 1 | RSA Digital Signature | PKCS#1 v1.5 with SHA-256, 384 or 512; the hash is the one in the signature |
//! | 2 | Shared Key | `prf(prf(key, "Key Pad for IKEv2"), octets)`, compared in constant time |
//! | 9, 10, 11 | ECDSA | the raw form of RFC 4754, on the curve that goes with the number |
//! | 14 | Digital Signature | AlgorithmIdentifier octet for octet as in RFC 7427 appendix A, hash among those that were told |
//! | 3, 13 | DSS, NULL | refused |
//!
//! Ed448 and SHA-1 are refused: no backend does the one, and nothing should do the other.

mod method;

use alloc::vec::Vec;
use core::fmt;

use hostward_crypto::algorithm::{Curve, Hash, Prf, Scheme};
use hostward_crypto::fips::Purpose;
use hostward_crypto::signature::{Signer, Signing, Ticket, ecdsa_der, ecdsa_raw};
use hostward_crypto::{Algorithm, Failed, Provider, Random, Refusal, Secret, secret};

pub use method::{AuthMethod, Choice, HowToAuthMe, NoMethod, SignatureHashes};

use crate::certificate::BoundKey;
use crate::certificate::algorithm::is_key_for;
use crate::identity::Identity;

/// The key pad of RFC 7296 §2.15: 17 octets, no end mark.
const KEY_PAD: &[u8] = b"Key Pad for IKEv2";

/// Why a proof is not taken. The peer is told AUTHENTICATION_FAILED, whichever it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A method that is not known, or never taken.
    #[error("authentication method {0} is not taken")]
    Method(u8),
    /// A method other than the one that the rule takes of this peer: a shared key in place of a signature, or the
    /// other way round.
    #[error("authentication method {0} is not what the rule asks for")]
    Unwanted(u8),
    /// The peer's key is not for that method.
    #[error("the peer's key is not for authentication method {0}")]
    Key(u8),
    /// The identifier of the algorithm is none that is taken.
    #[error("a signature by an algorithm that is not taken")]
    Algorithm,
    /// A hash that was not among those told to the peer.
    #[error("a signature over a hash that was not offered")]
    Hash,
    /// The proof does not fit.
    #[error("the proof does not fit")]
    Failed,
    /// The provider does not do what it takes, or FIPS mode forbids it.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl From<Failed> for AuthError {
    fn from(_: Failed) -> Self {
        Self::Failed
    }
}

/// A key that two hosts share (`SharedKey`); never printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedKey(Secret);

/// A shared key without octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a shared key must not be empty")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct EmptyKey;

impl SharedKey {
    /// From its octets.
    ///
    /// # Errors
    ///
    /// [`EmptyKey`]: an empty key would let in everybody.
    pub fn new(octets: Secret) -> Result<Self, EmptyKey> {
        if octets.is_empty() {
            Err(EmptyKey)
        } else {
            Ok(Self(octets))
        }
    }

    /// The data of the payload for these signed octets: `prf(prf(key, "Key Pad for IKEv2"), octets)`.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the provider does not have the function.
    pub fn prove(&self, provider: &Provider, prf: Prf, octets: &[u8]) -> Result<Secret, Refusal> {
        let pad = provider.prf(prf, self.0.expose())?.code(&[KEY_PAD]);
        let code = provider.prf(prf, pad.as_ref())?.code(&[octets]);
        Ok(Secret::copy(code.as_ref()))
    }
}

/// What a rule takes as a peer's proof.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "a shared secret or a public key")]
pub enum Proof<'k> {
    /// A shared key, by the function of the IKE SA, and who the peer says it is: the identity by which the rule with
    /// this key was found.
    SharedKey(&'k SharedKey, Prf, &'k Identity),
    /// A signature by the key that is bound to the peer's identity, over one of the hashes that were told to it.
    Signature(&'k BoundKey, SignatureHashes),
}

impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SharedKey(_, prf, identity) => write!(f, "SharedKey({prf}, {identity})"),
            Self::Signature(key, _) => write!(f, "Signature({})", key.identity()),
        }
    }
}

/// A peer that has proven who it is. Only [`Proof::verify`] makes one.
#[derive(Clone, Debug)]
pub struct Authenticated {
    identity: Identity,
    method: AuthMethod,
    scheme: Option<Scheme>,
    certificate: Option<[u8; 32]>,
}

impl Authenticated {
    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How it has proven it.
    #[must_use]
    pub const fn method(&self) -> AuthMethod {
        self.method
    }

    /// By which signature scheme; none for a shared key.
    #[must_use]
    pub const fn scheme(&self) -> Option<Scheme> {
        self.scheme
    }

    /// SHA-256 of its certificate; none for a shared key.
    #[must_use]
    pub const fn certificate(&self) -> Option<&[u8; 32]> {
        self.certificate.as_ref()
    }
}

impl Proof<'_> {
    /// Checks the proof of a peer: the method and the data of its payload, over the signed octets.
    ///
    /// # Errors
    ///
    /// [`AuthError`]. There is no other way out: what is not proven is refused.
    pub fn verify(
        &self,
        provider: &Provider,
        method: u8,
        data: &[u8],
        octets: &[u8],
    ) -> Result<Authenticated, AuthError> {
        let known = AuthMethod::of(method).ok_or(AuthError::Method(method))?;
        if matches!(known, AuthMethod::Null | AuthMethod::Dss) {
            return Err(AuthError::Method(method));
        }
        match (self, known.is_shared_key()) {
            (Self::SharedKey(key, prf, identity), true) => {
                let expected = key.prove(provider, *prf, octets)?;
                if !secret::equal(expected.expose(), data) {
                    return Err(AuthError::Failed);
                }
                Ok(Authenticated {
                    identity: (*identity).clone(),
                    method: known,
                    scheme: None,
                    certificate: None,
                })
            }
            (Self::Signature(key, hashes), false) => {
                let scheme = signature(provider, key.public_key(), *hashes, known, data, octets)?;
                Ok(Authenticated {
                    identity: key.identity().clone(),
                    method: known,
                    scheme: Some(scheme),
                    certificate: Some(*key.fingerprint()),
                })
            }
            (Self::SharedKey(..), false) | (Self::Signature(..), true) => {
                Err(AuthError::Unwanted(method))
            }
        }
    }
}

/// Checks a signature; gives the scheme by which it is one.
fn signature(
    provider: &Provider,
    public_key: &[u8],
    hashes: SignatureHashes,
    method: AuthMethod,
    data: &[u8],
    octets: &[u8],
) -> Result<Scheme, AuthError> {
    let number = method.number();
    let verify = |scheme: Scheme, signature: &[u8]| -> Result<Scheme, AuthError> {
        if !is_key_for(scheme, public_key) {
            return Err(AuthError::Key(number));
        }
        provider.check(Purpose::Ike, Algorithm::Verify(scheme))?;
        provider.verify(scheme, public_key, octets, signature)??;
        Ok(scheme)
    };
    match method {
        AuthMethod::Rsa => {
            // RFC 7296 §3.8: the hash stands in the signature. A signature fits one at most.
            let mut last = AuthError::Failed;
            for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
                match verify(Scheme::RsaPkcs1(hash), data) {
                    Ok(scheme) => return Ok(scheme),
                    Err(error @ AuthError::Key(_)) => return Err(error),
                    Err(AuthError::Failed) => {}
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
        AuthMethod::Ecdsa256 => ecdsa(Curve::P256, Hash::Sha256, data, verify),
        AuthMethod::Ecdsa384 => ecdsa(Curve::P384, Hash::Sha384, data, verify),
        AuthMethod::Ecdsa521 => ecdsa(Curve::P521, Hash::Sha512, data, verify),
        AuthMethod::DigitalSignature => {
            // RFC 7427 §3: the length of the identifier, the identifier, the signature.
            let (&len, rest) = data.split_first().ok_or(AuthError::Failed)?;
            let (identifier, signature) = rest
                .split_at_checked(usize::from(len))
                .ok_or(AuthError::Failed)?;
            let scheme = method::identified(identifier, public_key).ok_or(AuthError::Algorithm)?;
            if !hashes.take(scheme) {
                return Err(AuthError::Hash);
            }
            verify(scheme, signature)
        }
        AuthMethod::SharedKey | AuthMethod::Dss | AuthMethod::Null => {
            Err(AuthError::Unwanted(number))
        }
    }
}

/// RFC 4754 §7: both numbers with the length of the field, and nothing else.
fn ecdsa(
    curve: Curve,
    hash: Hash,
    data: &[u8],
    verify: impl Fn(Scheme, &[u8]) -> Result<Scheme, AuthError>,
) -> Result<Scheme, AuthError> {
    verify(Scheme::Ecdsa(curve, hash), &ecdsa_der(curve, data)?)
}

/// What asking for a proof gives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is there or it is not")]
pub enum Proving {
    /// The data of the payload.
    Done(Vec<u8>),
    /// The key is elsewhere; [`Choice::finish`] makes the data of what comes back for this ticket.
    Later(Ticket),
}

impl Choice {
    /// Signs the signed octets, or asks for it to be done.
    ///
    /// # Errors
    ///
    /// [`Failed`] when the key refuses.
    pub fn sign(
        &self,
        signer: &dyn Signer,
        octets: &[u8],
        random: &mut dyn Random,
    ) -> Result<Proving, Failed> {
        match signer.sign(self.scheme, octets, random)? {
            Signing::Done(signature) => self.finish(&signature).map(Proving::Done),
            Signing::Later(ticket) => Ok(Proving::Later(ticket)),
        }
    }

    /// The data of the payload for a signature.
    ///
    /// # Errors
    ///
    /// [`Failed`] when it is none of the scheme.
    pub fn finish(&self, signature: &[u8]) -> Result<Vec<u8>, Failed> {
        if signature.is_empty() {
            return Err(Failed);
        }
        match (self.method, self.scheme) {
            (AuthMethod::DigitalSignature, scheme) => {
                let identifier = method::identifier(scheme).ok_or(Failed)?;
                let len = u8::try_from(identifier.len()).map_err(|_| Failed)?;
                let mut data = Vec::with_capacity(1 + identifier.len() + signature.len());
                data.push(len);
                data.extend_from_slice(&identifier);
                data.extend_from_slice(signature);
                Ok(data)
            }
            (
                AuthMethod::Ecdsa256 | AuthMethod::Ecdsa384 | AuthMethod::Ecdsa521,
                Scheme::Ecdsa(curve, _),
            ) => ecdsa_raw(curve, signature),
            (AuthMethod::Rsa, Scheme::RsaPkcs1(_)) => Ok(signature.to_vec()),
            (
                AuthMethod::Ecdsa256
                | AuthMethod::Ecdsa384
                | AuthMethod::Ecdsa521
                | AuthMethod::Rsa
                | AuthMethod::SharedKey
                | AuthMethod::Dss
                | AuthMethod::Null,
                _,
            ) => Err(Failed),
        }
    }
}
