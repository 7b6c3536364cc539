//! Certificates in IKEv2: what is sent, asked for, believed.
//!
//! A peer's certificate payloads are gathered in [`Received`], bounded by [`Limits`], those at an address as
//! questions to the host ([`HashAndUrl`]). [`Check::bind`] makes of them a [`BoundKey`], with which alone a signature
//! can be checked (see [`auth`](crate::auth)). Chains are built and validated by `rustls-webpki`, whose signatures the
//! host's crypto provider checks. A host's own certificates are [`Credential`]s, of which [`choose`] takes one.
//!
//! What is required of a chain, beyond signatures and validity in time:
//!
//! | | |
//! |---|---|
//! | version | 3; no critical extension that is not known (RFC 5280 §4.2) |
//! | peer's certificate | not an authority's; key usage, if there, with digitalSignature or nonRepudiation; the identity in it |
//! | authorities | basic constraints with cA and path length; key usage, if there, with keyCertSign; at most [`Limits::depth`] |
//! | extended key usage | absent, anyExtendedKeyUsage or id-kp-ipsecIKE, in every certificate of the chain, unless [`ExtendedKeyUsage::Ignored`] |
//! | name constraints | DNS names and addresses are compared; constraints of other kinds on names that are there fail |
//! | revocation | [`Revocation`]; lists of the host count before the peer's; delta and indirect lists are not taken |
//!
//! Signatures of certificates by SHA-1 or MD5 are never accepted. A peer's own self-signed certificate cannot be
//! believed: it takes an authority. OCSP is not asked.

pub(crate) mod algorithm;
mod own;
mod payload;
mod trust;
mod view;

pub use own::{Credential, CredentialError, choose};
pub use payload::{
    Encoding, HashAndUrl, Label, Limits, Received, Refused, Request, Taken, key_hash, request_body,
};
pub use trust::{
    BoundKey, CertificateError, Check, ExtendedKeyUsage, Revocation, TrustError, TrustStore,
};
pub use view::{Certificate, NoCertificate};
