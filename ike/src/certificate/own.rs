//! A host's own certificates and keys, and which of them it shows a peer.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use hostward_crypto::{Provider, Refusal, Signer};

use super::payload::{Encoding, HashAndUrl, Label, Request, key_hash};
use super::trust::TrustStore;
use super::view::Certificate;
use crate::identity::Identity;

/// Why a certificate and a key do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// No certificate was given.
    #[error("a credential needs a certificate")]
    Empty,
    /// One cannot be read; the host's own is 0.
    #[error("certificate {0} of the chain cannot be read")]
    Malformed(usize),
    /// The private key is not the one of the first certificate.
    #[error("the private key is not the one of the certificate")]
    Key,
    /// One is not issued by the next.
    #[error("certificate {0} of the chain is not issued by the next one")]
    Order(usize),
    /// The provider has no SHA-1.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

/// A certificate with its chain and private key, by the label it has on the key ring.
#[derive(Clone)]
pub struct Credential {
    label: Label,
    /// The host's own first; without a root.
    chain: Vec<Vec<u8>>,
    /// Hashes of the keys of all authorities above it.
    authorities: Vec<[u8; 20]>,
    /// The payload that tells where the host's own is published.
    published: Option<Vec<u8>>,
    signer: Arc<dyn Signer>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("label", &self.label)
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// From certificates in DER, the host's own first, each issued by the next, with or without the root. The root is
    /// never sent; it is looked for in `trust` when it is not in the chain, since certificate requests may
    /// name it.
    ///
    /// # Errors
    ///
    /// [`CredentialError`].
    pub fn new(
        provider: &Provider,
        label: &str,
        chain: &[&[u8]],
        signer: Arc<dyn Signer>,
        trust: &TrustStore,
    ) -> Result<Self, CredentialError> {
        let mut views = Vec::new();
        for (at, der) in chain.iter().enumerate() {
            let view = Certificate::read(der).map_err(|_| CredentialError::Malformed(at))?;
            views.push(view);
        }
        let own = views.first().ok_or(CredentialError::Empty)?;
        if own.public_key() != signer.public_key() {
            return Err(CredentialError::Key);
        }
        for (at, pair) in views.windows(2).enumerate() {
            if let [certificate, issuer] = pair
                && certificate.issuer() != issuer.subject()
            {
                return Err(CredentialError::Order(at));
            }
        }
        let mut authorities = Vec::new();
        for view in views.iter().skip(1) {
            authorities.push(key_hash(provider, view.public_key())?);
        }
        if let Some(last) = views.last() {
            authorities.extend(trust.hash_of(last.issuer()));
        }
        let sent = views.iter().enumerate();
        let sent = sent.filter(|(at, view)| *at == 0 || view.issuer() != view.subject());
        Ok(Self {
            label: label.into(),
            chain: sent.map(|(_, view)| view.der().to_vec()).collect(),
            authorities,
            published: None,
            signer,
        })
    }

    /// The same, with its own certificate published at this address: peers that can fetch it are told that
    /// (RFC 7296 §3.6).
    ///
    /// # Errors
    ///
    /// [`CredentialError::Refusal`] when the provider has no SHA-1.
    pub fn published(mut self, provider: &Provider, url: &str) -> Result<Self, CredentialError> {
        let own = self.chain.first().ok_or(CredentialError::Empty)?;
        self.published = Some(HashAndUrl::body(provider, own, url)?);
        Ok(self)
    }

    /// Its label.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The private key.
    #[must_use]
    pub fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    /// The certificates that are sent, the host's own first.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.chain.iter().map(Vec::as_slice)
    }

    /// The bodies of the certificate payloads: encoding 4 and a certificate, the host's own first
    /// (RFC 7296 §3.6).
    pub fn payloads(&self) -> impl Iterator<Item = Vec<u8>> {
        self.certificates().map(|certificate| {
            let mut body = Vec::with_capacity(certificate.len() + 1);
            body.push(Encoding::X509Signature.number());
            body.extend_from_slice(certificate);
            body
        })
    }

    /// The same for a peer that fetches certificates, or does not: with where the host's own is, if it is
    /// published.
    pub fn payloads_for(&self, fetches: bool) -> impl Iterator<Item = Vec<u8>> {
        let whole = self.payloads().enumerate();
        whole.map(move |(at, body)| match &self.published {
            Some(published) if at == 0 && fetches => published.clone(),
            _ => body,
        })
    }

    /// Whether its certificate is for this identity.
    #[must_use]
    pub fn is_for(&self, identity: &Identity) -> bool {
        self.chain
            .first()
            .and_then(|own| Certificate::read(own).ok())
            .is_some_and(|own| own.is_for(identity))
    }

    /// Whether a request names an authority above it.
    #[must_use]
    pub fn is_asked_for(&self, request: &Request<'_>) -> bool {
        let taken = match request.encoding() {
            Encoding::X509Signature | Encoding::HashAndUrl | Encoding::HashAndUrlOfBundle => true,
            Encoding::Crl
            | Encoding::RawRsaKey
            | Encoding::OcspContent
            | Encoding::RawPublicKey => false,
        };
        taken
            && (request.hashes().is_empty()
                || self.authorities.iter().any(|hash| request.names(hash)))
    }
}

/// Which credential a host shows: of those for its identity (and with the label, when the rule names one) the first
/// that a request of the peer asks for, or else the first. RFC 7296 §3.7: a request is a wish; another certificate
/// may still satisfy the peer.
#[must_use]
pub fn choose<'c>(
    credentials: &'c [Credential],
    identity: &Identity,
    label: Option<&str>,
    requests: &[Request<'_>],
) -> Option<&'c Credential> {
    let fits = |credential: &&Credential| {
        label.is_none_or(|label| credential.label == label) && credential.is_for(identity)
    };
    let asked = |credential: &&Credential| {
        let mut requests = requests.iter();
        requests.any(|request| credential.is_asked_for(request))
    };
    credentials
        .iter()
        .filter(fits)
        .find(asked)
        .or_else(|| credentials.iter().find(fits))
}
