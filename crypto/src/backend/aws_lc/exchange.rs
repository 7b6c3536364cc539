//! The curves of SP 800-186, X25519 and ML-KEM, with AWS-LC's own random numbers. AWS-LC wipes private
//! keys and the secrets it frees.

use alloc::boxed::Box;
use alloc::vec::Vec;

use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kem::{self, DecapsulationKey, EncapsulationKey};

use crate::algorithm::Group;
use crate::error::Failed;
use crate::exchange::{Answer, Exchange, SharedSecret};

/// The group by AWS-LC's name.
enum Algorithm {
    /// With what it puts before public values that [`Group`] leaves away.
    Agreement(&'static agreement::Algorithm, &'static [u8]),
    Kem(&'static kem::Algorithm),
}

fn algorithm(group: Group) -> Option<Algorithm> {
    match group {
        Group::P256 => Some(Algorithm::Agreement(&agreement::ECDH_P256, &[4])),
        Group::P384 => Some(Algorithm::Agreement(&agreement::ECDH_P384, &[4])),
        Group::P521 => Some(Algorithm::Agreement(&agreement::ECDH_P521, &[4])),
        Group::X25519 => Some(Algorithm::Agreement(&agreement::X25519, &[])),
        Group::MlKem512 => Some(Algorithm::Kem(&kem::ML_KEM_512)),
        Group::MlKem768 => Some(Algorithm::Kem(&kem::ML_KEM_768)),
        Group::MlKem1024 => Some(Algorithm::Kem(&kem::ML_KEM_1024)),
        Group::Modp2048
        | Group::Modp3072
        | Group::Modp4096
        | Group::Modp6144
        | Group::Modp8192
        | Group::X448
        | Group::X25519MlKem768
        | Group::P256MlKem768
        | Group::P384MlKem1024 => None,
    }
}

pub(super) fn supports(group: Group) -> bool {
    algorithm(group).is_some()
}

struct Agreement {
    group: Group,
    head: &'static [u8],
    private: PrivateKey,
    public: Vec<u8>,
}

impl Exchange for Agreement {
    fn group(&self) -> Group {
        self.group
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Failed> {
        // Other lengths would be tried as other encodings.
        if peer.len() != self.group.responder_len() {
            return Err(Failed);
        }
        let peer = UnparsedPublicKey::new(self.private.algorithm(), [self.head, peer].concat());
        // AWS-LC checks that points are on their curve and that X25519 gives not only zeros.
        agreement::agree(&self.private, peer, Failed, |secret| {
            Ok(SharedSecret::copy(secret))
        })
    }
}

struct Encapsulation {
    group: Group,
    private: DecapsulationKey,
    public: Vec<u8>,
}

impl Exchange for Encapsulation {
    fn group(&self) -> Group {
        self.group
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Failed> {
        if peer.len() != self.group.responder_len() {
            return Err(Failed);
        }
        self.private
            .decapsulate(peer.into())
            .map(|secret| SharedSecret::copy(secret.as_ref()))
            .map_err(|_| Failed)
    }
}

/// Begins an exchange.
pub(super) fn begin(group: Group) -> Option<Result<Box<dyn Exchange>, Failed>> {
    let algorithm = algorithm(group)?;
    let begin = || -> Result<Box<dyn Exchange>, Unspecified> {
        match algorithm {
            Algorithm::Agreement(algorithm, head) => {
                let private = PrivateKey::generate(algorithm)?;
                let public = private.compute_public_key()?;
                Ok(Box::new(Agreement {
                    group,
                    head,
                    public: public
                        .as_ref()
                        .strip_prefix(head)
                        .ok_or(Unspecified)?
                        .to_vec(),
                    private,
                }))
            }
            Algorithm::Kem(algorithm) => {
                let private = DecapsulationKey::generate(algorithm)?;
                let public = private.encapsulation_key()?.key_bytes()?.as_ref().to_vec();
                Ok(Box::new(Encapsulation {
                    group,
                    private,
                    public,
                }))
            }
        }
    };
    Some(begin().map_err(|_| Failed))
}

/// Answers an exchange.
pub(super) fn answer(group: Group, peer: &[u8]) -> Option<Result<Answer, Failed>> {
    match algorithm(group)? {
        Algorithm::Agreement(..) => Some(begin(group)?.and_then(|own| {
            let public = own.public().to_vec();
            Ok(Answer {
                public,
                secret: own.finish(peer)?,
            })
        })),
        Algorithm::Kem(algorithm) => Some(encapsulate(algorithm, peer)),
    }
}

fn encapsulate(algorithm: &'static kem::Algorithm, peer: &[u8]) -> Result<Answer, Failed> {
    // FIPS 203 §7.2: the length here, the modulus when it is used.
    let (ciphertext, secret) = EncapsulationKey::new(algorithm, peer)
        .map_err(|_| Failed)?
        .encapsulate()
        .map_err(|_| Failed)?;
    Ok(Answer {
        public: ciphertext.as_ref().to_vec(),
        secret: SharedSecret::copy(secret.as_ref()),
    })
}
