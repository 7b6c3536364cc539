//! Whom a host believes, and what it makes of a peer's certificates.

use alloc::vec::Vec;
use core::sync::atomic::AtomicU32;
use core::time::Duration;

use hostward_crypto::algorithm::Hash;
use hostward_crypto::{Provider, Refusal};
use hostward_hook::time::UnixTime;
use pki_types::{CertificateDer, TrustAnchor};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, Error, ExpirationPolicy,
    ExtendedKeyUsageValidator, KeyPurposeIdIter, OwnedCertRevocationList, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath, anchor_from_trusted_cert,
};

use super::algorithm::Verifiers;
use super::payload::{Label, Received, key_hash};
use super::view::{Certificate, usage};
use crate::identity::Identity;

/// How certificates are checked for revocation (`RevocationChecking`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "z/OS has these three")]
pub enum Revocation {
    /// Not at all.
    None,
    /// With the lists that are there, even expired ones; a certificate that none covers is fine.
    #[default]
    Loose,
    /// Every certificate of the chain must be covered by a list that has not expired.
    Strict,
}

/// What is asked of a peer's extended key usage (RFC 4945 §5.1.3.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is looked at or it is not")]
pub enum ExtendedKeyUsage {
    /// If the extension is there, it must hold id-kp-ipsecIKE or anyExtendedKeyUsage.
    #[default]
    Checked,
    /// It may say anything: for certificates that were made for something else, such as TLS servers.
    Ignored,
}

/// Why a certificate or list is not believed by configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// No certificate that can be an authority's.
    #[error("not a certificate of an authority in DER")]
    Anchor,
    /// No revocation list.
    #[error("not a certificate revocation list in DER")]
    Crl,
    /// The provider has no SHA-1.
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

#[derive(Clone, Debug)]
struct Anchor {
    label: Label,
    certificate: CertificateDer<'static>,
    hash: [u8; 20],
}

/// Authorities that are believed, and their revocation lists: the CA certificates of a key ring.
#[derive(Debug, Default)]
pub struct TrustStore {
    anchors: Vec<Anchor>,
    crls: Vec<CertRevocationList<'static>>,
}

impl TrustStore {
    /// Believes nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Believes an authority by its certificate in DER. What it says about itself (its signature, its validity) is not
    /// looked at: the host vouches for it. Its name constraints hold.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn add(&mut self, provider: &Provider, label: &str, der: &[u8]) -> Result<(), TrustError> {
        let certificate = CertificateDer::from(der.to_vec());
        anchor_from_trusted_cert(&certificate).map_err(|_| TrustError::Anchor)?;
        let view = Certificate::read(der).map_err(|_| TrustError::Anchor)?;
        let hash = key_hash(provider, view.public_key())?;
        self.anchors.push(Anchor {
            label: label.into(),
            certificate,
            hash,
        });
        Ok(())
    }

    /// Adds a revocation list in DER (RFC 5280 §5). Its signature is checked with the key of its issuer when a
    /// chain is; of several by one issuer the one that was added last counts.
    ///
    /// # Errors
    ///
    /// [`TrustError::Crl`].
    pub fn add_crl(&mut self, der: &[u8]) -> Result<(), TrustError> {
        let crl = OwnedCertRevocationList::from_der(der).map_err(|_| TrustError::Crl)?;
        self.crls.insert(0, crl.into());
        Ok(())
    }

    /// Whether an authority has this label.
    #[must_use]
    pub fn has(&self, label: &str) -> bool {
        self.anchors.iter().any(|anchor| anchor.label == label)
    }

    /// The hashes of the authorities' keys for a certificate request: of those with these labels, of all without.
    pub fn hashes<'s>(&'s self, labels: Option<&'s [Label]>) -> impl Iterator<Item = &'s [u8; 20]> {
        self.named(labels).map(|anchor| &anchor.hash)
    }

    /// The hash of the key of the authority that has this subject (a Name in DER).
    pub(super) fn hash_of(&self, subject: &[u8]) -> Option<[u8; 20]> {
        let is = |anchor: &&Anchor| {
            Certificate::read(&anchor.certificate).is_ok_and(|own| own.subject() == subject)
        };
        self.anchors.iter().find(is).map(|anchor| anchor.hash)
    }

    fn named<'s>(&'s self, labels: Option<&'s [Label]>) -> impl Iterator<Item = &'s Anchor> {
        self.anchors
            .iter()
            .filter(move |anchor| labels.is_none_or(|labels| labels.contains(&anchor.label)))
    }
}

/// Why a peer's certificates prove nothing. The peer is told AUTHENTICATION_FAILED, whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The peer sent none, or the one it signs with could not be had.
    #[error("the peer sent no certificate")]
    Missing,
    /// One cannot be read, or has a critical extension that is not known.
    #[error("a certificate that cannot be read")]
    Malformed,
    /// The identity does not stand in it.
    #[error("the certificate is not for the identity")]
    OtherIdentity,
    /// No chain leads to an authority that is believed.
    #[error("no chain to a certificate authority that is accepted")]
    UnknownAuthority,
    /// Its time is over.
    #[error("a certificate has expired")]
    Expired,
    /// Its time has not come.
    #[error("a certificate is not valid yet")]
    NotYetValid,
    /// It was revoked.
    #[error("a certificate was revoked")]
    Revoked,
    /// Nothing says whether it was revoked, and the policy is strict; or the list that would say is not valid.
    #[error("it cannot be told whether a certificate was revoked")]
    RevocationUnknown,
    /// Its key is not for signatures, or an authority's not for certificates (RFC 5280 §4.2.1.3).
    #[error("the key usage of a certificate forbids it")]
    KeyUsage,
    /// Its extended key usage is not for IKE.
    #[error("the extended key usage of a certificate forbids it")]
    ExtendedKeyUsage,
    /// A name that an authority may not give (RFC 5280 §4.2.1.10), or a constraint of a kind that is not supported.
    #[error("a certificate has a name that its authority may not give")]
    NameConstraint,
    /// An authority's certificate in place of a peer's, the other way round, or a chain longer than a
    /// certificate in it or the configuration allows.
    #[error(
        "a chain of certificates is longer than allowed, or has a certificate in the wrong place"
    )]
    Path,
    /// A signature does not fit.
    #[error("a signature of a certificate does not fit")]
    Signature,
    /// A signature by an algorithm that the provider does not do or FIPS mode forbids.
    #[error("a certificate is signed by an algorithm that is not accepted")]
    Algorithm,
    /// The chain asks for more work than the [`Limits`](super::Limits) allow.
    #[error("checking the certificates takes more work than allowed")]
    Work,
}

impl From<Error> for CertificateError {
    fn from(error: Error) -> Self {
        use Error as E;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "everything else is about the encoding, and the enum is open"
        )]
        match error {
            E::UnknownIssuer | E::CertDistrusted => Self::UnknownAuthority,
            E::CertExpired { .. } => Self::Expired,
            E::CertNotValidYet { .. } => Self::NotYetValid,
            E::CertRevoked => Self::Revoked,
            E::UnknownRevocationStatus
            | E::CrlExpired { .. }
            | E::InvalidCrlSignatureForPublicKey
            | E::IssuerNotCrlSigner
            | E::UnsupportedCrlSignatureAlgorithmContext(_)
            | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => Self::RevocationUnknown,
            E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => Self::ExtendedKeyUsage,
            E::NameConstraintViolation | E::InvalidNetworkMaskConstraint => Self::NameConstraint,
            E::CaUsedAsEndEntity
            | E::EndEntityUsedAsCa
            | E::PathLenConstraintViolated
            | E::MaximumPathDepthExceeded => Self::Path,
            E::InvalidSignatureForPublicKey => Self::Signature,
            E::UnsupportedSignatureAlgorithmContext(_)
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::Algorithm,
            E::MaximumSignatureChecksExceeded
            | E::MaximumPathBuildCallsExceeded
            | E::MaximumNameConstraintComparisonsExceeded => Self::Work,
            _ => Self::Malformed,
        }
    }
}

/// A public key that is known to be a peer's: its certificate is valid and for the identity that the peer claims. It
/// comes from [`Check::bind`] only, so that no signature is ever checked with a key of somebody else.
#[derive(Clone, Debug)]
pub struct BoundKey {
    identity: Identity,
    public_key: Vec<u8>,
    authority: Label,
    fingerprint: [u8; 32],
}

impl BoundKey {
    /// Whose key it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The label of the authority at the end of the chain.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// SHA-256 of the certificate.
    #[must_use]
    pub const fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }
}

/// What a rule asks of certificates.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "all of it must be decided")]
pub struct Check<'c> {
    /// Who checks signatures; its FIPS mode holds.
    pub provider: &'c Provider,
    /// Whom the host believes.
    pub trust: &'c TrustStore,
    /// Only authorities with these labels (`CaLabel`, or else `SupportedCertAuth`); all without.
    pub authorities: Option<&'c [Label]>,
    /// The time at which certificates must be valid.
    pub time: UnixTime,
    /// Revocation.
    pub revocation: Revocation,
    /// Extended key usage.
    pub extended_key_usage: ExtendedKeyUsage,
}

impl Check<'_> {
    /// Checks that the peer's first certificate is for this identity and that a chain of its certificates leads
    /// to an authority that is believed; gives the key that the peer must sign with.
    ///
    /// The order of work: names first, then the chain by names and validity, and signatures only for chains that
    /// end at an authority. At most as many signatures are checked as the limits of `received` say.
    ///
    /// # Errors
    ///
    /// [`CertificateError`].
    pub fn bind(
        &self,
        received: &Received,
        identity: &Identity,
    ) -> Result<BoundKey, CertificateError> {
        let limits = received.limits();
        let first = received.first().ok_or(CertificateError::Missing)?;
        let own = Certificate::read(first).map_err(|_| CertificateError::Malformed)?;
        if !own.is_for(identity) {
            return Err(CertificateError::OtherIdentity);
        }
        // RFC 4945 §5.1.3.2: digitalSignature or nonRepudiation, if the extension is there.
        let signs = usage::DIGITAL_SIGNATURE | usage::NON_REPUDIATION;
        if own.key_usage().is_some_and(|bits| bits & signs == 0) {
            return Err(CertificateError::KeyUsage);
        }

        let named: Vec<&Anchor> = self.trust.named(self.authorities).collect();
        let anchors: Vec<TrustAnchor<'_>> = named
            .iter()
            .filter_map(|anchor| anchor_from_trusted_cert(&anchor.certificate).ok())
            .collect();
        // The host's own lists come first: of two for one authority the first one counts, and a peer may have kept
        // an old one.
        let sent: Vec<CertRevocationList<'_>> = received
            .crls()
            .filter_map(|crl| BorrowedCertRevocationList::from_der(crl).ok())
            .map(CertRevocationList::from)
            .collect();
        let crls: Vec<&CertRevocationList<'_>> = self.trust.crls.iter().chain(&sent).collect();
        let (unknown, expired) = match self.revocation {
            Revocation::None | Revocation::Loose => {
                (UnknownStatusPolicy::Allow, ExpirationPolicy::Ignore)
            }
            Revocation::Strict => (UnknownStatusPolicy::Deny, ExpirationPolicy::Enforce),
        };
        let revocation = match RevocationOptionsBuilder::new(&crls) {
            _ if self.revocation == Revocation::None => None,
            Ok(builder) => Some(
                builder
                    .with_depth(RevocationCheckDepth::Chain)
                    .with_status_policy(unknown)
                    .with_expiration_policy(expired)
                    .build(),
            ),
            Err(_) if self.revocation == Revocation::Strict => {
                return Err(CertificateError::RevocationUnknown);
            }
            Err(_) => None,
        };

        let left = AtomicU32::new(limits.signatures);
        let verifiers = Verifiers::of(self.provider, &left);
        let certificate = CertificateDer::from(first);
        let entity = EndEntityCert::try_from(&certificate)?;
        let others: Vec<CertificateDer<'_>> = received
            .certificates()
            .filter(|other| *other != first)
            .map(CertificateDer::from)
            .collect();
        let depth = limits.depth;
        let usable = move |path: &VerifiedPath<'_>| usable(path, depth);
        let path = entity.verify_for_usage(
            &verifiers.list(),
            &anchors,
            &others,
            pki_types::UnixTime::since_unix_epoch(Duration::from_secs(self.time.as_secs())),
            Usage(self.extended_key_usage),
            revocation,
            Some(&usable),
        );
        let path = path.map_err(|error| {
            let error = CertificateError::from(error);
            let none_left = left.load(core::sync::atomic::Ordering::Relaxed) == 0;
            // The count ran out, and every signature after that seemed not to fit.
            if error == CertificateError::Signature && none_left {
                CertificateError::Work
            } else {
                error
            }
        })?;
        let authority = anchors
            .iter()
            .zip(&named)
            .find(|(anchor, _)| core::ptr::eq(*anchor, path.anchor()))
            .map(|(_, named)| named.label.clone())
            .ok_or(CertificateError::UnknownAuthority)?;
        let digest = self.provider.digest(Hash::Sha256, &[first]);
        let digest = digest.map_err(|_| CertificateError::Algorithm)?;
        Ok(BoundKey {
            identity: identity.clone(),
            public_key: own.public_key().to_vec(),
            authority,
            fingerprint: digest.as_ref().first_chunk().copied().unwrap_or_default(),
        })
    }
}

/// Whether a chain is short enough and its authorities' keys are for certificates.
fn usable(path: &VerifiedPath<'_>, depth: usize) -> Result<(), Error> {
    let mut count = 0;
    for authority in path.intermediate_certificates() {
        count += 1;
        let der = authority.der();
        let view = Certificate::read(&der).map_err(|_| Error::BadDer)?;
        // RFC 5280 §4.2.1.3: keyCertSign, if the extension is there.
        if view
            .key_usage()
            .is_some_and(|bits| bits & usage::KEY_CERT_SIGN == 0)
        {
            return Err(Error::EndEntityUsedAsCa);
        }
    }
    if count > depth {
        return Err(Error::MaximumPathDepthExceeded);
    }
    Ok(())
}

struct Usage(ExtendedKeyUsage);

impl ExtendedKeyUsageValidator for Usage {
    // RFC 4945 §5.1.3.12: absent, anyExtendedKeyUsage or id-kp-ipsecIKE.
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        const ANY: &[usize] = &[2, 5, 29, 37, 0];
        const IPSEC_IKE: &[usize] = &[1, 3, 6, 1, 5, 5, 7, 3, 17];
        let mut none = true;
        for purpose in purposes {
            let purpose = purpose?;
            none = false;
            let is = |known: &[usize]| purpose.to_decoded_oid() == known;
            if self.0 == ExtendedKeyUsage::Ignored || is(ANY) || is(IPSEC_IKE) {
                return Ok(());
            }
        }
        if none {
            Ok(())
        } else {
            Err(Error::EmptyEkuExtension)
        }
    }
}
