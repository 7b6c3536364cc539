//! The key schedule (RFC 7296 §2.13 to §2.18), with additional key exchanges (RFC 9370), post-quantum
//! preshared keys (RFC 8784), and what AUTH is over (RFC 7296 §2.15, RFC 9242 §3.3.2).
//!
//! Everything secret is in [`Secret`] and wiped when it goes.

mod auth;
mod detection;

use alloc::boxed::Box;
use alloc::vec::Vec;

use hostward_crypto::{Failed, MacKey, Prf, Provider, Refusal, Secret};

use crate::message::IkeSpi;
use crate::proposal::{ChildSuite, IkeSuite, Protocol};
use crate::protect::{Opener, Sealer};

pub use auth::{IntAuth, Proof, Signed, psk_auth, psk_verify};
pub use detection::{CrashTokens, nat_detection};

/// Keys cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "there are these two ways to fail")]
pub enum KeyError {
    /// The provider refused; proposals that it does not do are never chosen, so this is a mistake of the
    /// host.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More octets than prf+ gives (255 outputs).
    #[error("more key material than prf+ gives")]
    TooLong,
}

impl From<Failed> for KeyError {
    fn from(Failed: Failed) -> Self {
        Self::TooLong
    }
}

/// The nonces of the exchange that made the keys.
#[derive(Clone, Copy, Debug)]
pub struct Nonces<'a> {
    /// Ni, the data of the payload.
    pub initiator: &'a [u8],
    /// Nr.
    pub responder: &'a [u8],
}

/// The SPIs of an IKE SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spis {
    /// SPIi.
    pub initiator: IkeSpi,
    /// SPIr.
    pub responder: IkeSpi,
}

/// One of the two sides of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two sides")]
pub enum Side {
    /// Who began it.
    Initiator,
    /// Who answers.
    Responder,
}

impl Side {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}

/// The keys of an IKE SA (RFC 7296 §2.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IkeKeys {
    prf: Prf,
    d: Secret,
    a: [Secret; 2],
    e: [Secret; 2],
    p: [Secret; 2],
}

impl IkeKeys {
    /// After IKE_SA_INIT: of the shared secret of the first key exchange.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn initial(
        provider: &Provider,
        suite: &IkeSuite,
        nonces: Nonces<'_>,
        spis: Spis,
        shared: &Secret,
    ) -> Result<Self, KeyError> {
        let (ni, nr) = (nonces.initiator, nonces.responder);
        // RFC 7296 §2.14, RFC 4434 §2: a PRF with keys of a fixed length takes the first half of its key
        // from Ni and the second from Nr; the others take both whole.
        let key = if suite.prf.fixed_key() {
            let half = suite.prf.len() / 2;
            concat(&[ni.get(..half).unwrap_or(ni), nr.get(..half).unwrap_or(nr)])
        } else {
            concat(&[ni, nr])
        };
        let skeyseed = provider
            .prf(suite.prf, key.expose())?
            .code(&[shared.expose()]);
        Self::expand(provider, suite, skeyseed.as_ref(), nonces, spis)
    }

    /// After an IKE_INTERMEDIATE that ran an additional key exchange (RFC 9370 §2.2.2): all keys anew. The
    /// exchange itself was still protected by these ones.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn mixed(
        &self,
        provider: &Provider,
        suite: &IkeSuite,
        nonces: Nonces<'_>,
        spis: Spis,
        shared: &Secret,
    ) -> Result<Self, KeyError> {
        let skeyseed = provider.prf(self.prf, self.d.expose())?.code(&[
            shared.expose(),
            nonces.initiator,
            nonces.responder,
        ]);
        Self::expand(provider, suite, skeyseed.as_ref(), nonces, spis)
    }

    /// Of the IKE SA that replaces this one (RFC 7296 §2.18): with the nonces and SPIs of the rekeying,
    /// and the secrets of its key exchange and the additional ones in order (RFC 9370 §2.2.4).
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn rekeyed(
        &self,
        provider: &Provider,
        suite: &IkeSuite,
        nonces: Nonces<'_>,
        spis: Spis,
        shared: &[&Secret],
    ) -> Result<Self, KeyError> {
        // RFC 7296 §2.18: SKEYSEED with the old SA's PRF, the keys with the new one's.
        let skeyseed = provider
            .prf(self.prf, self.d.expose())?
            .code(&seed(shared, nonces));
        Self::expand(provider, suite, skeyseed.as_ref(), nonces, spis)
    }

    /// With a post-quantum preshared key mixed in, for IKE_AUTH (RFC 8784 §3): SK_d and SK_p change, the
    /// keys that protect messages do not.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn with_ppk(&self, provider: &Provider, ppk: &Secret) -> Result<Self, KeyError> {
        let key = provider.prf(self.prf, ppk.expose())?;
        let mix = |old: &Secret| -> Result<Secret, KeyError> {
            let mut new = Secret::zeros(old.len());
            hostward_crypto::prf::prf_plus(&*key, &[old.expose()], new.expose_mut())?;
            Ok(new)
        };
        let [pi, pr] = &self.p;
        Ok(Self {
            prf: self.prf,
            d: mix(&self.d)?,
            a: self.a.clone(),
            e: self.e.clone(),
            p: [mix(pi)?, mix(pr)?],
        })
    }

    /// Keys of a child SA (RFC 7296 §2.17), of the nonces of the exchange that made it. `shared` are the
    /// secrets of its own key exchange and the additional ones in order (RFC 9370 §2.2.4); none without
    /// perfect forward secrecy.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn child(
        &self,
        provider: &Provider,
        suite: &ChildSuite,
        nonces: Nonces<'_>,
        shared: &[&Secret],
    ) -> Result<ChildKeys, KeyError> {
        let encryption = suite.encryption.map_or(0, |encr| encr.key_len());
        let integrity = suite.integrity.map_or(0, |integ| integ.key_len());
        let mut keymat = Secret::zeros(2 * (encryption + integrity));
        let key = provider.prf(self.prf, self.d.expose())?;
        hostward_crypto::prf::prf_plus(&*key, &seed(shared, nonces), keymat.expose_mut())?;
        // RFC 7296 §2.17: first what carries data from initiator to responder, encryption before integrity.
        let mut parts = Parts(keymat.expose());
        let mut direction = || DirectionKeys {
            encryption: parts.take(encryption),
            integrity: parts.take(integrity),
        };
        let (from_initiator, from_responder) = (direction(), direction());
        Ok(ChildKeys {
            protocol: suite.protocol,
            from_initiator,
            from_responder,
        })
    }

    /// What protects the messages that `side` sends and receives.
    ///
    /// # Errors
    ///
    /// [`Refusal`] as for [`Provider::aead`].
    pub fn protection(
        &self,
        provider: &Provider,
        suite: &IkeSuite,
        side: Side,
    ) -> Result<(Sealer, Opener), Refusal> {
        let (own, peer) = (self.of(side), self.of(side.other()));
        Ok((
            Sealer::new(provider, suite, own.0, own.1)?,
            Opener::new(provider, suite, peer.0, peer.1)?,
        ))
    }

    /// SK_e and SK_a of what this side sends: for a host that lets another program decrypt its messages.
    /// SK_e ends with the salt of combined encryption; SK_a is empty then.
    #[must_use]
    pub fn of(&self, side: Side) -> (&Secret, &Secret) {
        let ([ei, er], [ai, ar]) = (&self.e, &self.a);
        match side {
            Side::Initiator => (ei, ai),
            Side::Responder => (er, ar),
        }
    }

    /// SK_d, of which all later keys come.
    #[must_use]
    pub const fn d(&self) -> &Secret {
        &self.d
    }

    /// SK_pi or SK_pr.
    #[must_use]
    pub const fn p(&self, side: Side) -> &Secret {
        let [pi, pr] = &self.p;
        match side {
            Side::Initiator => pi,
            Side::Responder => pr,
        }
    }

    /// The pseudo-random function of the SA.
    #[must_use]
    pub const fn prf(&self) -> Prf {
        self.prf
    }

    /// The PRF keyed with SK_p of a side.
    pub(crate) fn prf_p(
        &self,
        provider: &Provider,
        side: Side,
    ) -> Result<Box<dyn MacKey>, Refusal> {
        provider.prf(self.prf, self.p(side).expose())
    }

    fn expand(
        provider: &Provider,
        suite: &IkeSuite,
        skeyseed: &[u8],
        nonces: Nonces<'_>,
        spis: Spis,
    ) -> Result<Self, KeyError> {
        let prf = suite.prf.len();
        let integrity = suite.integrity.map_or(0, |integ| integ.key_len());
        let encryption = suite.encryption.key_len();
        let mut all = Secret::zeros(3 * prf + 2 * (integrity + encryption));
        let key = provider.prf(suite.prf, skeyseed)?;
        let seed: [&[u8]; 4] = [
            nonces.initiator,
            nonces.responder,
            &spis.initiator.0,
            &spis.responder.0,
        ];
        hostward_crypto::prf::prf_plus(&*key, &seed, all.expose_mut())?;
        // RFC 7296 §2.14: SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr.
        let mut parts = Parts(all.expose());
        Ok(Self {
            prf: suite.prf,
            d: parts.take(prf),
            a: [parts.take(integrity), parts.take(integrity)],
            e: [parts.take(encryption), parts.take(encryption)],
            p: [parts.take(prf), parts.take(prf)],
        })
    }
}

/// Keys of a child SA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildKeys {
    /// ESP or AH.
    pub protocol: Protocol,
    /// For what goes from the initiator of the exchange to its responder.
    pub from_initiator: DirectionKeys,
    /// For the other direction.
    pub from_responder: DirectionKeys,
}

/// Keys of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectionKeys {
    /// Key and salt of encryption; empty for AH and ENCR_NULL.
    pub encryption: Secret,
    /// Key of integrity; empty beside combined encryption.
    pub integrity: Secret,
}

impl ChildKeys {
    /// Keys of what `side` sends and of what it receives.
    #[must_use]
    pub const fn of(&self, side: Side) -> (&DirectionKeys, &DirectionKeys) {
        match side {
            Side::Initiator => (&self.from_initiator, &self.from_responder),
            Side::Responder => (&self.from_responder, &self.from_initiator),
        }
    }
}

/// `SK(0) | Ni | Nr | SK(1) | …`: RFC 7296 §2.17 and §2.18 without what RFC 9370 §2.2.4 adds.
fn seed<'a>(shared: &[&'a Secret], nonces: Nonces<'a>) -> Vec<&'a [u8]> {
    let mut secrets = shared.iter().map(|secret| secret.expose());
    let mut seed = Vec::with_capacity(shared.len() + 2);
    seed.extend(secrets.next());
    seed.extend([nonces.initiator, nonces.responder]);
    seed.extend(secrets);
    seed
}

/// Takes keys off key material of exactly their length.
struct Parts<'a>(&'a [u8]);

impl Parts<'_> {
    fn take(&mut self, len: usize) -> Secret {
        let (taken, rest) = self.0.split_at_checked(len).unwrap_or((self.0, &[]));
        self.0 = rest;
        Secret::copy(taken)
    }
}

fn concat(parts: &[&[u8]]) -> Secret {
    let mut secret = Secret::zeros(parts.iter().map(|part| part.len()).sum());
    let octets = parts.iter().flat_map(|part| part.iter());
    for (to, from) in secret.expose_mut().iter_mut().zip(octets) {
        *to = *from;
    }
    secret
}
