//! P-256, P-384 and X25519, with ring's own random numbers.
//!
//! ring wipes neither private keys nor what it computes on its stack; an exchange lives for one
//! use only, and the secret it gives is wiped.

use alloc::boxed::Box;
use alloc::vec::Vec;

use ring::agreement::{
    self, Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey,
};
use ring::rand::SystemRandom;

use crate::algorithm::Group;
use crate::error::Failed;
use crate::exchange::{Exchange, SharedSecret};

/// The group by ring's name, and what it puts before public values that [`Group`] leaves away.
fn algorithm(group: Group) -> Option<(&'static Algorithm, &'static [u8])> {
    match group {
        Group::P256 => Some((&ECDH_P256, &[4])),
        Group::P384 => Some((&ECDH_P384, &[4])),
        Group::X25519 => Some((&agreement::X25519, &[])),
        Group::Modp2048
        | Group::Modp3072
        | Group::Modp4096
        | Group::Modp6144
        | Group::Modp8192
        | Group::P521
        | Group::X448
        | Group::MlKem512
        | Group::MlKem768
        | Group::MlKem1024
        | Group::X25519MlKem768
        | Group::P256MlKem768
        | Group::P384MlKem1024 => None,
    }
}

pub(super) fn supports(group: Group) -> bool {
    algorithm(group).is_some()
}

struct Begun {
    group: Group,
    head: &'static [u8],
    private: EphemeralPrivateKey,
    public: Vec<u8>,
}

impl Exchange for Begun {
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
        let peer = UnparsedPublicKey::new(self.private.algorithm(), [self.head, peer].concat());
        // ring checks that points are on their curve and that X25519 gives not only zeros.
        agreement::agree_ephemeral(self.private, &peer, SharedSecret::copy).map_err(|_| Failed)
    }
}

/// Begins an exchange.
pub(super) fn begin(group: Group) -> Option<Result<Box<dyn Exchange>, Failed>> {
    let (algorithm, head) = algorithm(group)?;
    let begin = || {
        let private = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new())?;
        let public = private.compute_public_key()?;
        Ok(Begun {
            group,
            head,
            public: public
                .as_ref()
                .strip_prefix(head)
                .ok_or(ring::error::Unspecified)?
                .to_vec(),
            private,
        })
    };
    Some(match begin() {
        Ok(begun) => Ok(Box::new(begun)),
        Err(ring::error::Unspecified) => Err(Failed),
    })
}
