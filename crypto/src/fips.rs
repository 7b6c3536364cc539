//! FIPS 140 mode: what must not be used for what, as data, asked when a policy is built.
//!
//! z/OS has the mode per stack (`FIPS140 yes` on `IpFilterPolicy`) and for the IKE daemon
//! (`IkeConfig`). It does two things here: it restricts the algorithms, and, in its strict form,
//! the libraries.

use core::fmt;

use crate::algorithm::{Aead, Algorithm, Group, Hash, Mac, Scheme};

/// How much FIPS 140 asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "each step contains the one before")]
pub enum Fips {
    /// Nothing.
    #[default]
    Off,
    /// Only approved algorithms. Which library does them is the host's business.
    Algorithms,
    /// Only approved algorithms, done by a library that says it runs as a validated module.
    Module,
}

/// What an algorithm is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// The IKE SA: its cipher, integrity, PRF, key exchange and AUTH.
    Ike,
    /// ESP.
    Esp,
    /// AH.
    Ah,
    /// Certificates and what else is signed.
    Certificates,
    /// Reading what others sent (QUIC Initials, fingerprints). It protects nothing, so
    /// nothing is forbidden for it.
    Observation,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ike => "the IKE SA",
            Self::Esp => "ESP",
            Self::Ah => "AH",
            Self::Certificates => "certificates",
            Self::Observation => "observation",
        })
    }
}

/// Why FIPS mode forbids an algorithm for a purpose, or nothing.
#[must_use]
pub fn forbidden(purpose: Purpose, algorithm: Algorithm) -> Option<&'static str> {
    if purpose == Purpose::Observation {
        return None;
    }
    RULES
        .iter()
        .find(|rule| rule.purposes.contains(&purpose) && (rule.forbids)(algorithm))
        .map(|rule| rule.why)
}

/// One thing that is forbidden.
struct Rule {
    purposes: &'static [Purpose],
    forbids: fn(Algorithm) -> bool,
    why: &'static str,
}

const EVERYWHERE: &[Purpose] = &[
    Purpose::Ike,
    Purpose::Esp,
    Purpose::Ah,
    Purpose::Certificates,
];

/// The first rule that fits is told.
const RULES: &[Rule] = &[
    Rule {
        purposes: &[Purpose::Ike],
        forbids: |algorithm| matches!(algorithm, Algorithm::Aead(Aead::AesGcm(..))),
        // z/OS does not offer it in that mode (reference of the IP security discipline, §6.7). SP
        // 800-38D §8 asks that the IV come from inside the module, or by a protocol listed in the
        // implementation guidance (C.H), which lists RFC 5282 only with IV generation in the module.
        why: "its IV must be made inside the validated module, which the IKE SA does outside",
    },
    Rule {
        purposes: EVERYWHERE,
        forbids: |algorithm| matches!(algorithm, Algorithm::Aead(Aead::ChaCha20Poly1305)),
        why: "ChaCha20 and Poly1305 are not approved",
    },
    Rule {
        purposes: EVERYWHERE,
        forbids: |algorithm| matches!(algorithm, Algorithm::Mac(Mac::AesXcbc)),
        why: "AES-XCBC is not approved",
    },
    Rule {
        purposes: EVERYWHERE,
        forbids: |algorithm| matches!(algorithm, Algorithm::Exchange(Group::X25519 | Group::X448)),
        why: "the curves of RFC 7748 are not approved for key agreement (SP 800-56A)",
    },
    Rule {
        purposes: EVERYWHERE,
        // No backend here offers one; a host's own may.
        forbids: |algorithm| {
            matches!(
                algorithm,
                Algorithm::Sign(scheme) | Algorithm::Verify(scheme)
                    if matches!(
                        scheme,
                        Scheme::RsaPkcs1(Hash::Sha1)
                            | Scheme::RsaPss(Hash::Sha1)
                            | Scheme::Ecdsa(_, Hash::Sha1)
                    )
            )
        },
        why: "signatures over SHA-1 are not approved (SP 800-131A)",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithm::{AesKey, Tag};

    #[test]
    fn gcm_is_for_esp_and_not_for_the_ike_sa() {
        for key in AesKey::ALL {
            for tag in Tag::ALL {
                let gcm = Algorithm::Aead(Aead::AesGcm(key, tag));
                assert!(forbidden(Purpose::Ike, gcm).is_some());
                assert_eq!(forbidden(Purpose::Esp, gcm), None);
                assert_eq!(
                    forbidden(Purpose::Ike, Algorithm::Aead(Aead::AesCcm(key, tag))),
                    None
                );
            }
        }
        let chacha = Algorithm::Aead(Aead::ChaCha20Poly1305);
        assert!(forbidden(Purpose::Esp, chacha).is_some());
        assert_eq!(forbidden(Purpose::Observation, chacha), None);
        assert!(forbidden(Purpose::Ike, Algorithm::Exchange(Group::X25519)).is_some());
        let old = Scheme::RsaPss(Hash::Sha1);
        assert!(forbidden(Purpose::Certificates, Algorithm::Verify(old)).is_some());
        assert!(forbidden(Purpose::Ike, Algorithm::Sign(old)).is_some());
        for scheme in Scheme::all() {
            assert_eq!(forbidden(Purpose::Ike, Algorithm::Sign(scheme)), None);
        }
        // SP 800-56C: a hybrid is approved when one part is.
        assert_eq!(
            forbidden(Purpose::Ike, Algorithm::Exchange(Group::X25519MlKem768)),
            None
        );
    }
}
