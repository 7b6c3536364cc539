//! Two errors: one of configuration that says everything, one of operation that says nothing.

use alloc::string::String;
use core::fmt;

use crate::algorithm::Algorithm;

/// A cryptographic operation failed: a tag or signature that does not fit, a public value that is
/// none. Opaque on purpose, since what exactly was wrong helps only an attacker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "nothing may ever be told here")]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cryptographic operation failed")
    }
}

impl core::error::Error for Failed {}

/// Why an algorithm cannot be had; known when a policy is built, never later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No backend of the provider does it.
    #[error("{algorithm} is not offered by {provider}")]
    NotOffered {
        /// What was asked for.
        algorithm: Algorithm,
        /// The provider's backends, in order.
        provider: String,
    },
    /// FIPS mode forbids it for that purpose.
    #[error("{algorithm} must not be used for {purpose} in FIPS mode: {why}")]
    Fips {
        /// What was asked for.
        algorithm: Algorithm,
        /// For what.
        purpose: crate::fips::Purpose,
        /// The rule.
        why: &'static str,
    },
    /// The backend that would do it is no validated module.
    #[error("{algorithm} is done by {backend}, which is no validated module, and FIPS mode is on")]
    NotValidated {
        /// What was asked for.
        algorithm: Algorithm,
        /// The backend that would do it.
        backend: &'static str,
    },
    /// A key of the wrong length.
    #[error("a key for {algorithm} has {expected} octets, not {given}")]
    KeyLength {
        /// For what the key is.
        algorithm: Algorithm,
        /// Octets it must have.
        expected: usize,
        /// Octets it has.
        given: usize,
    },
    /// A key that the library does not take: no valid encoding, or a weak or inconsistent key.
    #[error("the key for {algorithm} is not acceptable: {why}")]
    Key {
        /// For what the key is.
        algorithm: &'static str,
        /// What is wrong with it, without any of its octets.
        why: &'static str,
    },
}
