//! What stands in a certificate, as far as IKE asks: names, key, usage. Nothing is verified here.

use core::net::IpAddr;

use crate::der::{self, Der};
use crate::identity::{DistinguishedName, HostName, Identity, UserName};

/// Object identifier of id-ce, under which the extensions of RFC 5280 are, by its last octet.
const ID_CE: &[u8] = &[0x55, 0x1D];
const KEY_USAGE: u8 = 15;
const ALTERNATIVE_NAME: u8 = 17;
const BASIC_CONSTRAINTS: u8 = 19;

/// A certificate (RFC 5280 §4.1) in DER, read without being believed.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    der: &'a [u8],
    serial: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    public_key: &'a [u8],
    key_usage: Option<u16>,
    alternative_names: Option<&'a [u8]>,
    is_ca: bool,
}

/// Octets that are no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate in DER")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct NoCertificate;

/// RFC 5280 §4.2.1.3: the bits of a key's usage that IKE looks at, as in the first two octets of the bit string.
pub(super) mod usage {
    pub(in super::super) const DIGITAL_SIGNATURE: u16 = 0x8000;
    pub(in super::super) const NON_REPUDIATION: u16 = 0x4000;
    pub(in super::super) const KEY_CERT_SIGN: u16 = 0x0400;
}

impl<'a> Certificate<'a> {
    /// Reads a certificate, which must be all of the octets.
    ///
    /// # Errors
    ///
    /// [`NoCertificate`].
    pub fn read(octets: &'a [u8]) -> Result<Self, NoCertificate> {
        read(octets).ok_or(NoCertificate)
    }

    /// The certificate.
    #[must_use]
    pub const fn der(&self) -> &'a [u8] {
        self.der
    }

    /// Contents of the serial number.
    #[must_use]
    pub const fn serial(&self) -> &'a [u8] {
        self.serial
    }

    /// The issuer's Name in DER, with its tag.
    #[must_use]
    pub const fn issuer(&self) -> &'a [u8] {
        self.issuer
    }

    /// The subject's Name in DER, with its tag.
    #[must_use]
    pub const fn subject(&self) -> &'a [u8] {
        self.subject
    }

    /// The SubjectPublicKeyInfo in DER, with its tag.
    #[must_use]
    pub const fn public_key(&self) -> &'a [u8] {
        self.public_key
    }

    /// Whether it says it is an authority's.
    #[must_use]
    pub const fn is_ca(&self) -> bool {
        self.is_ca
    }

    pub(super) const fn key_usage(&self) -> Option<u16> {
        self.key_usage
    }

    /// The names it is for, as identities: addresses, hosts and users among its alternative names, and its subject.
    /// Others, and what is no name of its kind, are passed over.
    pub fn identities(&self) -> impl Iterator<Item = Identity> + use<'a> {
        let subject = DistinguishedName::read(self.subject).ok();
        let subject = subject.filter(|name| !name.is_empty()).map(Identity::Dn);
        let mut names = Der(self.alternative_names.unwrap_or(&[]));
        core::iter::from_fn(move || names.next())
            .filter_map(|name| alternative_name(name.tag, name.value))
            .chain(subject)
    }

    /// Whether it is for this identity: an address, a host or a user must be among its alternative names, a
    /// distinguished name must be its subject. A `*` in a name of the certificate stands for itself, that is, for
    /// nobody. Key ids are in no certificate.
    #[must_use]
    pub fn is_for(&self, identity: &Identity) -> bool {
        // RFC 4945 §3.1: which part of the certificate each type is compared with.
        match identity {
            Identity::Ip(_) | Identity::Fqdn(_) | Identity::UserAtFqdn(_) | Identity::Dn(_) => {
                self.identities().any(|name| name == *identity)
            }
            Identity::KeyId(_) => false,
        }
    }
}

/// RFC 5280 §4.2.1.6.
fn alternative_name(tag: u8, value: &[u8]) -> Option<Identity> {
    let text = || core::str::from_utf8(value).ok();
    match tag {
        0x81 => UserName::new(text()?).ok().map(Identity::UserAtFqdn),
        0x82 => HostName::new(text()?).ok().map(Identity::Fqdn),
        0x87 => {
            let four: Option<[u8; 4]> = value.try_into().ok();
            let sixteen: Option<[u8; 16]> = value.try_into().ok();
            let address = four.map(IpAddr::from).or(sixteen.map(IpAddr::from));
            address.map(Identity::Ip)
        }
        _ => None,
    }
}

fn read(octets: &[u8]) -> Option<Certificate<'_>> {
    let mut outer = Der(der::only(der::SEQUENCE, octets)?);
    let mut tbs = Der(outer.expect(der::SEQUENCE)?.value);
    outer.expect(der::SEQUENCE)?;
    outer.expect(der::BIT_STRING)?;
    outer.is_empty().then_some(())?;
    tbs.optional(0xA0);
    let serial = tbs.expect(der::INTEGER)?.value;
    tbs.expect(der::SEQUENCE)?;
    let issuer = tbs.expect(der::SEQUENCE)?.whole;
    tbs.expect(der::SEQUENCE)?;
    let subject = tbs.expect(der::SEQUENCE)?.whole;
    let public_key = tbs.expect(der::SEQUENCE)?.whole;
    // The two unique identifiers of version 2.
    tbs.optional(0x81);
    tbs.optional(0x82);
    let mut certificate = Certificate {
        der: octets,
        serial,
        issuer,
        subject,
        public_key,
        key_usage: None,
        alternative_names: None,
        is_ca: false,
    };
    if let Some(extensions) = tbs.optional(0xA3) {
        let mut extensions = Der(der::only(der::SEQUENCE, extensions.value)?);
        let mut seen = 0u64;
        while !extensions.is_empty() {
            let mut extension = Der(extensions.expect(der::SEQUENCE)?.value);
            let oid = extension.expect(der::OID)?.value;
            extension.optional(der::BOOLEAN);
            let value = extension.expect(der::OCTET_STRING)?.value;
            extension.is_empty().then_some(())?;
            let Some((kind @ 0..64, ID_CE)) = oid.split_last().map(|(last, rest)| (*last, rest))
            else {
                continue;
            };
            // RFC 5280 §4.2: none twice.
            if seen & 1 << kind != 0 {
                return None;
            }
            seen |= 1 << kind;
            certificate.extension(kind, value)?;
        }
    }
    tbs.is_empty().then_some(certificate)
}

impl<'a> Certificate<'a> {
    fn extension(&mut self, kind: u8, value: &'a [u8]) -> Option<()> {
        match kind {
            KEY_USAGE => {
                let bits = der::only(der::BIT_STRING, value)?;
                self.key_usage = Some(match bits {
                    [_, first, second, ..] => u16::from_be_bytes([*first, *second]),
                    [_, first] => u16::from_be_bytes([*first, 0]),
                    [_] | [] => 0,
                });
            }
            ALTERNATIVE_NAME => self.alternative_names = Some(der::only(der::SEQUENCE, value)?),
            BASIC_CONSTRAINTS => {
                let mut constraints = Der(der::only(der::SEQUENCE, value)?);
                self.is_ca = constraints
                    .optional(der::BOOLEAN)
                    .is_some_and(|ca| ca.value == [0xFF]);
            }
            _ => {}
        }
        Some(())
    }
}
