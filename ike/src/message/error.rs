//! What was wrong with a message, where, and what the peer is told about it.

use super::number::{NotifyType, PayloadType};

/// Why a message, or a chain of payloads in it, was refused.
///
/// Whether the peer is told depends on where it came from: an error in a response is never answered
/// (RFC 7296 §2.21), one in an unprotected request at most with the notification and at a limited rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} at octet {offset}: {problem}", Place(*payload))]
pub struct ParseError {
    /// The payload it was found in; nothing for the header.
    pub payload: Option<PayloadType>,
    /// Octets from the beginning of the message, or of the decrypted payloads.
    pub offset: usize,
    /// What was wrong.
    pub problem: Problem,
}

struct Place(Option<PayloadType>);

impl core::fmt::Display for Place {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            None => f.write_str("header"),
            Some(kind) => write!(f, "payload {kind}"),
        }
    }
}

/// What can be wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It ends before what it must have.
    #[error("{expected} expected, and the octets end")]
    Truncated {
        /// What must be there.
        expected: &'static str,
    },
    /// A length does not fit what it is the length of.
    #[error("length {length} does not fit: {expected}")]
    Length {
        /// The length.
        length: usize,
        /// What it must be.
        expected: &'static str,
    },
    /// A value that must not be there.
    #[error("value {value} is out of range: {expected}")]
    Value {
        /// The value.
        value: u64,
        /// What it must be.
        expected: &'static str,
    },
    /// An unknown payload that its sender calls critical.
    #[error("unknown critical payload")]
    UnsupportedCritical,
    /// Octets follow the end.
    #[error("octets follow {what}")]
    Trailing {
        /// Of what.
        what: &'static str,
    },
    /// More than this side is willing to look at.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The configured limit.
        limit: usize,
    },
    /// A payload that may be there once is there again.
    #[error("the payload is there twice")]
    Twice,
    /// It is a message of another major version.
    #[error("major version {major}")]
    Version {
        /// The version.
        major: u8,
    },
}

impl ParseError {
    pub(crate) const fn new(payload: Option<PayloadType>, offset: usize, problem: Problem) -> Self {
        Self {
            payload,
            offset,
            problem,
        }
    }

    /// The notification this calls for, if the message was a request that may be answered, and its data;
    /// nothing when the message is to be dropped since not even its header can be trusted.
    #[must_use]
    pub fn notify(&self) -> Option<(NotifyType, Option<u8>)> {
        match (self.problem, self.payload) {
            // RFC 7296 §2.5: the highest version this side speaks is told.
            (Problem::Version { major }, _) => {
                (major > 2).then_some((NotifyType::INVALID_MAJOR_VERSION, Some(2)))
            }
            (_, None) => None,
            // RFC 7296 §2.5: one octet, the payload type.
            (Problem::UnsupportedCritical, Some(kind)) => {
                Some((NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, Some(kind.0)))
            }
            // RFC 7296 §3.10.1: some type, length or value out of range, or policy, which is what limits are.
            (_, Some(_)) => Some((NotifyType::INVALID_SYNTAX, None)),
        }
    }
}

/// A message does not fit where it is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message does not fit into {limit} octets")]
pub struct TooLong {
    /// What there is room for.
    pub limit: usize,
}
