//! The certificate and certificate request payloads (RFC 7296 §3.6, §3.7), and what a peer's came to.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use hostward_crypto::algorithm::Hash;
use hostward_crypto::{Provider, Refusal, secret};

use super::view::Certificate;
use crate::der::{self, Der};

/// The encodings of certificate payloads (RFC 7296 §3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Encoding {
    /// X.509 Certificate - Signature: one certificate in DER.
    X509Signature = 4,
    /// Certificate Revocation List.
    Crl = 7,
    /// Raw RSA key, deprecated (RFC 7670): known, not taken.
    RawRsaKey = 11,
    /// Hash and URL of an X.509 certificate.
    HashAndUrl = 12,
    /// Hash and URL of an X.509 bundle.
    HashAndUrlOfBundle = 13,
    /// OCSP content (RFC 4806): known, not taken.
    OcspContent = 14,
    /// Raw public key (RFC 7670): known, not taken.
    RawPublicKey = 15,
}

impl Encoding {
    /// The encoding of a number on the wire.
    #[must_use]
    pub const fn of(number: u8) -> Option<Self> {
        Some(match number {
            4 => Self::X509Signature,
            7 => Self::Crl,
            11 => Self::RawRsaKey,
            12 => Self::HashAndUrl,
            13 => Self::HashAndUrlOfBundle,
            14 => Self::OcspContent,
            15 => Self::RawPublicKey,
            _ => return None,
        })
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// Bounds of what one peer may make a host keep and do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a host sets all it wants by name over the defaults"
)]
pub struct Limits {
    /// Certificates of one peer, those fetched included.
    pub certificates: usize,
    /// Octets of one certificate.
    pub certificate_octets: usize,
    /// Revocation lists of one peer.
    pub crls: usize,
    /// Octets of one revocation list or of a fetched bundle.
    pub crl_octets: usize,
    /// Octets of a URL.
    pub url_octets: usize,
    /// Authorities between a peer's certificate and a trust anchor; more than 6 is as 6.
    pub depth: usize,
    /// Signatures that are checked for one chain, of certificates and lists.
    pub signatures: u32,
    /// Authorities of a certificate request that are looked at.
    pub requested: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            certificates: 8,
            certificate_octets: 8 * 1024,
            crls: 4,
            crl_octets: 64 * 1024,
            url_octets: 512,
            depth: 4,
            signatures: 16,
            requested: 128,
        }
    }
}

/// Where a certificate is to be had (RFC 7296 §3.6): a question to the host, which answers with what it
/// fetched, or with nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashAndUrl {
    hash: [u8; 20],
    url: Box<str>,
    bundle: bool,
}

impl HashAndUrl {
    /// The address: `http://` and visible ASCII characters, nothing else. The host must fetch it without
    /// credentials, within a time and a size, and need not reach its own network for a peer.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// SHA-1 of what is there, which may be known already.
    #[must_use]
    pub const fn hash(&self) -> &[u8; 20] {
        &self.hash
    }

    /// Whether a bundle is there, and not one certificate.
    #[must_use]
    pub const fn is_bundle(&self) -> bool {
        self.bundle
    }

    fn read(body: &[u8], bundle: bool, limits: &Limits) -> Result<Self, Refused> {
        let (hash, url) = body.split_first_chunk::<20>().ok_or(Refused::Malformed)?;
        if url.len() > limits.url_octets {
            return Err(Refused::TooMany("octets of a URL"));
        }
        let text = core::str::from_utf8(url).map_err(|_| Refused::Url)?;
        // RFC 7296 §3.6: http only; other schemes would make the host open files.
        let scheme = text.get(..7).unwrap_or("");
        if !scheme.eq_ignore_ascii_case("http://")
            || text.len() == 7
            || !url.iter().all(u8::is_ascii_graphic)
        {
            return Err(Refused::Url);
        }
        Ok(Self {
            hash: *hash,
            url: text.into(),
            bundle,
        })
    }

    /// The body of a payload that tells a peer where a certificate of its own is.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the provider has no SHA-1.
    pub fn body(provider: &Provider, certificate: &[u8], url: &str) -> Result<Vec<u8>, Refusal> {
        let mut body = alloc::vec![Encoding::HashAndUrl.number()];
        body.extend_from_slice(provider.digest(Hash::Sha1, &[certificate])?.as_ref());
        body.extend_from_slice(url.as_bytes());
        Ok(body)
    }
}

/// Why a certificate payload, or what was fetched for one, is not taken. The exchange may go on: what is missing
/// is found when the chain is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No certificate, list or bundle in DER, or a body that is too short.
    #[error("a certificate payload that cannot be read")]
    Malformed,
    /// An encoding that is not known, or not taken.
    #[error("certificate encoding {0} is not taken")]
    Encoding(u8),
    /// More than the [`Limits`] allow, by what.
    #[error("more {0} than are taken")]
    TooMany(&'static str),
    /// No `http://` address.
    #[error("a certificate at an address that is not http")]
    Url,
    /// Hash and URL, and `CertificateURLLookupPreference` says `Disallow`.
    #[error("certificates by address are not allowed")]
    Lookup,
    /// What was fetched is not what the hash says.
    #[error("what was fetched does not have the hash that the peer gave")]
    Hash,
    /// Nothing waits for an answer there.
    #[error("no certificate is awaited")]
    NotAsked,
    /// The provider has no SHA-1.
    #[error("the provider has no SHA-1")]
    NoSha1,
}

/// What came of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is there, or somewhere else")]
pub enum Taken {
    /// It is kept.
    Kept,
    /// Ask the host, and hand what it fetched to [`Received::answer`] with this number.
    Fetch(usize, HashAndUrl),
}

#[derive(Clone, Debug)]
enum Slot {
    Certificates(Vec<Vec<u8>>),
    Awaited(HashAndUrl),
    Failed,
}

/// The certificates and revocation lists of one peer, bounded; nothing in them is verified.
#[derive(Clone, Debug)]
pub struct Received {
    limits: Limits,
    slots: Vec<Slot>,
    crls: Vec<Vec<u8>>,
}

impl Received {
    /// None yet.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            slots: Vec::new(),
            crls: Vec::new(),
        }
    }

    /// Takes a certificate payload: the encoding, and the octets behind it. `lookup` says whether hash and URL
    /// are allowed (`CertificateURLLookupPreference` other than `Disallow`).
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing is kept then.
    pub fn payload(&mut self, encoding: u8, body: &[u8], lookup: bool) -> Result<Taken, Refused> {
        match Encoding::of(encoding) {
            Some(Encoding::X509Signature) => {
                self.room(1)?;
                let certificate = self.certificate(body)?;
                if let Some(certificate) = certificate {
                    self.slots
                        .push(Slot::Certificates(alloc::vec![certificate]));
                }
                Ok(Taken::Kept)
            }
            Some(Encoding::Crl) => self.crl(body).map(|()| Taken::Kept),
            Some(known @ (Encoding::HashAndUrl | Encoding::HashAndUrlOfBundle)) => {
                if !lookup {
                    return Err(Refused::Lookup);
                }
                self.room(1)?;
                let bundle = known == Encoding::HashAndUrlOfBundle;
                let place = HashAndUrl::read(body, bundle, &self.limits)?;
                self.slots.push(Slot::Awaited(place.clone()));
                Ok(Taken::Fetch(self.slots.len() - 1, place))
            }
            Some(Encoding::RawRsaKey | Encoding::OcspContent | Encoding::RawPublicKey) | None => {
                Err(Refused::Encoding(encoding))
            }
        }
    }

    /// Takes what the host fetched for a question; nothing when it could not. Its hash must be the one the peer
    /// gave.
    ///
    /// # Errors
    ///
    /// [`Refused`]: the question is answered then, with nothing.
    pub fn answer(
        &mut self,
        provider: &Provider,
        number: usize,
        fetched: Option<&[u8]>,
    ) -> Result<(), Refused> {
        let slot = self.slots.get_mut(number).ok_or(Refused::NotAsked)?;
        let Slot::Awaited(place) = slot else {
            return Err(Refused::NotAsked);
        };
        let place = place.clone();
        *slot = Slot::Failed;
        let Some(octets) = fetched else {
            return Ok(());
        };
        let longest = if place.bundle {
            self.limits.crl_octets
        } else {
            self.limits.certificate_octets
        };
        if octets.len() > longest {
            return Err(Refused::TooMany("octets of a fetched certificate"));
        }
        let hash = provider.digest(Hash::Sha1, &[octets]);
        let hash = hash.map_err(|_| Refused::NoSha1)?;
        if !secret::equal(hash.as_ref(), &place.hash) {
            return Err(Refused::Hash);
        }
        let mut certificates = Vec::new();
        if place.bundle {
            // RFC 7296 §3.6: CertificateBundle, a sequence of [0] certificates and [1] lists.
            let mut bundle = Der(der::only(der::SEQUENCE, octets).ok_or(Refused::Malformed)?);
            while !bundle.is_empty() {
                let part = bundle.next().ok_or(Refused::Malformed)?;
                match part.tag {
                    0xA0 => {
                        self.room(certificates.len() + 1)?;
                        certificates.extend(self.certificate(part.value)?);
                    }
                    0xA1 => self.crl(part.value)?,
                    _ => return Err(Refused::Malformed),
                }
            }
        } else {
            self.room(1)?;
            certificates.extend(self.certificate(octets)?);
        }
        if let Some(slot) = self.slots.get_mut(number) {
            *slot = Slot::Certificates(certificates);
        }
        Ok(())
    }

    /// Whether an answer is still awaited.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.slots
            .iter()
            .any(|slot| matches!(slot, Slot::Awaited(_)))
    }

    /// The bounds.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The certificates in the order in which the peer sent them: the first is the one it signs with
    /// (RFC 7296 §3.6).
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.slots
            .iter()
            .flat_map(|slot| match slot {
                Slot::Certificates(certificates) => certificates.as_slice(),
                Slot::Awaited(_) | Slot::Failed => &[],
            })
            .map(Vec::as_slice)
    }

    /// The first certificate, unless the peer's first payload came to nothing.
    pub(super) fn first(&self) -> Option<&[u8]> {
        match self.slots.first()? {
            Slot::Certificates(certificates) => certificates.first().map(Vec::as_slice),
            Slot::Awaited(_) | Slot::Failed => None,
        }
    }

    /// The revocation lists.
    pub fn crls(&self) -> impl Iterator<Item = &[u8]> {
        self.crls.iter().map(Vec::as_slice)
    }

    fn room(&self, more: usize) -> Result<(), Refused> {
        let places = |slot: &Slot| match slot {
            Slot::Certificates(certificates) => certificates.len(),
            Slot::Awaited(_) => 1,
            Slot::Failed => 0,
        };
        let count: usize = self.slots.iter().map(places).sum();
        // Questions that came to nothing were questions too.
        if count + more > self.limits.certificates || self.slots.len() > self.limits.certificates {
            return Err(Refused::TooMany("certificates"));
        }
        Ok(())
    }

    /// A copy of a certificate; nothing when it is there already.
    fn certificate(&self, octets: &[u8]) -> Result<Option<Vec<u8>>, Refused> {
        if octets.len() > self.limits.certificate_octets {
            return Err(Refused::TooMany("octets of a certificate"));
        }
        Certificate::read(octets).map_err(|_| Refused::Malformed)?;
        let known = self.certificates().any(|known| known == octets);
        Ok((!known).then(|| octets.to_owned()))
    }

    fn crl(&mut self, octets: &[u8]) -> Result<(), Refused> {
        if octets.len() > self.limits.crl_octets {
            return Err(Refused::TooMany("octets of a revocation list"));
        }
        if self.crls.iter().any(|known| known == octets) {
            return Ok(());
        }
        if self.crls.len() >= self.limits.crls {
            return Err(Refused::TooMany("revocation lists"));
        }
        der::only(der::SEQUENCE, octets).ok_or(Refused::Malformed)?;
        self.crls.push(octets.to_owned());
        Ok(())
    }
}

/// What a certificate request payload asks for (RFC 7296 §3.7): certificates of an encoding, by authorities whose
/// keys have these SHA-1 hashes; of any authority when there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    encoding: Encoding,
    hashes: &'a [[u8; 20]],
}

impl<'a> Request<'a> {
    /// Reads the encoding and the octets behind it. Authorities over the limit are not looked at.
    ///
    /// # Errors
    ///
    /// [`Refused::Encoding`], and [`Refused::Malformed`] when the hashes are not whole. Both mean that the payload
    /// is passed over, not that the exchange fails.
    pub fn read(encoding: u8, body: &'a [u8], limits: &Limits) -> Result<Self, Refused> {
        let known = Encoding::of(encoding).ok_or(Refused::Encoding(encoding))?;
        let (hashes, rest) = body.as_chunks::<20>();
        if !rest.is_empty() {
            return Err(Refused::Malformed);
        }
        Ok(Self {
            encoding: known,
            hashes: hashes.get(..limits.requested).unwrap_or(hashes),
        })
    }

    /// Of which encoding.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The hashes.
    #[must_use]
    pub const fn hashes(&self) -> &'a [[u8; 20]] {
        self.hashes
    }

    /// Whether it asks for certificates of this authority.
    #[must_use]
    pub fn names(&self, hash: &[u8; 20]) -> bool {
        self.hashes.is_empty() || self.hashes.contains(hash)
    }
}

/// The body of a certificate request: encoding 4 and the hashes of the authorities' keys.
#[must_use]
pub fn request_body<'h>(hashes: impl IntoIterator<Item = &'h [u8; 20]>) -> Vec<u8> {
    let mut body = alloc::vec![Encoding::X509Signature.number()];
    body.extend(hashes.into_iter().flatten());
    body
}

/// The hash by which requests name an authority: SHA-1 of its SubjectPublicKeyInfo (RFC 7296 §3.7).
///
/// # Errors
///
/// [`Refusal`] when the provider has no SHA-1.
pub fn key_hash(provider: &Provider, public_key: &[u8]) -> Result<[u8; 20], Refusal> {
    let digest = provider.digest(Hash::Sha1, &[public_key])?;
    Ok(digest.as_ref().first_chunk().copied().unwrap_or_default())
}

/// A label of a certificate (`CaLabel`, `SupportedCertAuth`).
pub type Label = String;
