//! The way back, for those who read records: what the texts and values stand for.

use crate::record::{CipherSuite, PqClass};

/// The cipher suite whose hexadecimal digits a record has; `None` if they are none.
#[must_use]
pub fn tls_cipher_of(digits: &str) -> Option<CipherSuite> {
    super::tls::cipher_back(digits)
}

/// What a TLS named group is worth against a quantum computer.
#[must_use]
pub const fn group_class_of(group: u16) -> PqClass {
    crate::names::group_class(group)
}
