//! TLS: cipher suites and versions to the codes of records.

use hostward_smf::codes::{Authentication, Encryption, KeyExchange, TlsVersion};

use crate::names::Suite;
use crate::record::{CipherSuite, Group, TlsFacts, TlsVersion as Version};

/// The codes of a suite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Codes {
    pub(super) encryption: Encryption,
    pub(super) authentication: Authentication,
    pub(super) key_exchange: KeyExchange,
}

/// The codes of what a handshake negotiated.
pub(super) fn codes(facts: &TlsFacts) -> Codes {
    let Some(cipher) = facts.cipher else {
        return Codes::default();
    };
    match cipher.suite() {
        Some(suite) => Codes {
            encryption: encryption(suite),
            authentication: authentication(suite),
            key_exchange: key_exchange(suite, facts.group),
        },
        None => ssl2(cipher),
    }
}

/// By the name of a suite's bulk cipher. Ciphers without a known number are unknown.
const ENCRYPTION: &[(&str, Encryption)] = &[
    ("NULL", Encryption::NONE),
    ("DES-56-CBC", Encryption::DES),
    ("DES-40-CBC", Encryption::DES_40),
    ("3DES-168-CBC", Encryption::TRIPLE_DES),
    ("RC2-40-CBC", Encryption::RC2_40),
    ("RC2-56-CBC", Encryption::RC2),
    ("RC4-40", Encryption::RC4_40),
    ("RC4-56", Encryption::RC4),
    ("RC4-128", Encryption::RC4_128),
    ("IDEA-128-CBC", Encryption::IDEA_CBC),
    ("SEED-128-CBC", Encryption::SEED_CBC),
    ("AES-128-CBC", Encryption::AES_CBC_128),
    ("AES-256-CBC", Encryption::AES_CBC_256),
    ("AES-128-GCM", Encryption::AES_GCM_128),
    ("AES-256-GCM", Encryption::AES_GCM_256),
    ("AES-128-CCM", Encryption::AES_CCM_128),
    ("AES-256-CCM", Encryption::AES_CCM_256),
    ("AES-128-CCM8", Encryption::AES_CCM8_128),
    ("AES-256-CCM8", Encryption::AES_CCM8_256),
    ("ARIA-128-CBC", Encryption::ARIA_128_CBC),
    ("ARIA-256-CBC", Encryption::ARIA_256_CBC),
    ("ARIA-128-GCM", Encryption::ARIA_128_GCM),
    ("ARIA-256-GCM", Encryption::ARIA_256_GCM),
    ("CAMELLIA-128-CBC", Encryption::CAMELLIA_128_CBC),
    ("CAMELLIA-256-CBC", Encryption::CAMELLIA_256_CBC),
    ("CAMELLIA-128-GCM", Encryption::CAMELLIA_128_GCM),
    ("CAMELLIA-256-GCM", Encryption::CAMELLIA_256_GCM),
    ("ChaCha20-Poly1305", Encryption::CHACHA20_POLY1305),
    ("SM4-128-GCM", Encryption::UNKNOWN),
    ("SM4-128-CCM", Encryption::UNKNOWN),
    ("AEGIS-128", Encryption::UNKNOWN),
    ("AEGIS-256", Encryption::UNKNOWN),
];

const AUTHENTICATION: &[(&str, Authentication)] = &[
    ("AEAD", Authentication::NONE),
    ("NULL", Authentication::NONE),
    ("HMAC-MD5", Authentication::HMAC_MD5),
    ("HMAC-SHA1", Authentication::HMAC_SHA1),
    ("HMAC-SHA256", Authentication::HMAC_SHA2_256),
    ("HMAC-SHA384", Authentication::HMAC_SHA2_384),
];

const KEY_EXCHANGE: &[(&str, KeyExchange)] = &[
    ("NULL", KeyExchange::NONE),
    ("RSA", KeyExchange::RSA),
    ("RSA_EXPORT", KeyExchange::RSA_EXPORT),
    ("RSA_PSK", KeyExchange::RSA_PSK),
    ("DH_RSA", KeyExchange::DH_RSA),
    ("DH_RSA_EXPORT", KeyExchange::DH_RSA_EXPORT),
    ("DH_DSS", KeyExchange::DH_DSS),
    ("DH_DSS_EXPORT", KeyExchange::DH_DSS_EXPORT),
    ("DH_ANON", KeyExchange::DH_ANON),
    ("DH_ANON_EXPORT", KeyExchange::DH_ANON_EXPORT),
    ("DHE_RSA", KeyExchange::DHE_RSA),
    ("DHE_RSA_EXPORT", KeyExchange::DHE_RSA_EXPORT),
    ("DHE_DSS", KeyExchange::DHE_DSS),
    ("DHE_DSS_EXPORT", KeyExchange::DHE_DSS_EXPORT),
    ("DHE_PSK", KeyExchange::DHE_PSK),
    ("ECDH_ECDSA", KeyExchange::ECDH_ECDSA),
    ("ECDH_RSA", KeyExchange::ECDH_RSA),
    ("ECDH_ANON", KeyExchange::ECDH_ANON),
    ("ECDHE_ECDSA", KeyExchange::ECDHE_ECDSA),
    ("ECDHE_RSA", KeyExchange::ECDHE_RSA),
    ("ECDHE_PSK", KeyExchange::ECDHE_PSK),
    ("KRB5", KeyExchange::KRB5),
    ("KRB5_EXPORT", KeyExchange::KRB5_EXPORT),
    ("PSK", KeyExchange::PSK),
    ("SRP_SHA_RSA", KeyExchange::SRP_SHA_RSA),
    ("SRP_SHA_DSS", KeyExchange::SRP_SHA_DSS),
    ("SRP_SHA", KeyExchange::SRP_SHA),
    ("ECCPWD", KeyExchange::UNKNOWN),
];

/// The suites of SSL 2.0.
const SSL2: &[(u32, Encryption)] = &[
    (0x01_0080, Encryption::RC4_128),
    (0x02_0080, Encryption::RC4_40),
    (0x03_0080, Encryption::RC2_128),
    (0x04_0080, Encryption::RC2_40),
    (0x05_0080, Encryption::IDEA_CBC),
    (0x06_0040, Encryption::DES),
    (0x07_00C0, Encryption::TRIPLE_DES),
];

fn find<K: PartialEq + Copy, V: Copy + Default>(table: &[(K, V)], key: K) -> V {
    let found = table.iter().find(|(k, _)| *k == key);
    found.map_or_else(V::default, |(_, v)| *v)
}

fn encryption(suite: &Suite) -> Encryption {
    find(ENCRYPTION, suite.cipher)
}

fn authentication(suite: &Suite) -> Authentication {
    find(AUTHENTICATION, suite.mac)
}

/// With TLS 1.3 the group decides; hybrids have no number of their own and count as elliptic
/// curves. A group that is not known is taken for a curve, as nearly all are.
fn key_exchange(suite: &Suite, group: Option<Group>) -> KeyExchange {
    if suite.key_exchange != "GROUP" {
        return find(KEY_EXCHANGE, suite.key_exchange);
    }
    match group {
        Some(Group::Named(0x0100..=0x01FF) | Group::Dh(_)) => KeyExchange::DHE_TLS13,
        Some(Group::Named(_) | Group::Explicit) | None => KeyExchange::ECDHE_TLS13,
    }
}

/// SSL 2.0 transports the key with RSA and authenticates with MD5, whatever the suite.
fn ssl2(cipher: CipherSuite) -> Codes {
    let encryption = find(SSL2, cipher.0);
    if encryption == Encryption::UNKNOWN {
        return Codes::default();
    }
    Codes {
        encryption,
        authentication: Authentication::HMAC_MD5,
        key_exchange: if matches!(encryption, Encryption::RC4_40 | Encryption::RC2_40) {
            KeyExchange::RSA_EXPORT
        } else {
            KeyExchange::RSA
        },
    }
}

/// The number on the wire, but for SSL 2.0 and drafts of TLS 1.3. DTLS has no number here.
pub(super) const fn version(version: Option<Version>) -> TlsVersion {
    match version {
        Some(Version(0x0002)) => TlsVersion::SSL2,
        Some(Version(v @ 0x0300..=0x0304)) => TlsVersion(v),
        Some(Version(0x7F00..=0x7FFF | 0xFB00..=0xFBFF)) => TlsVersion::TLS13,
        Some(_) | None => TlsVersion::UNKNOWN,
    }
}

/// A suite's number in hexadecimal digits, EBCDIC: four, or six for SSL 2.0.
pub(super) fn cipher(cipher: Option<CipherSuite>) -> hostward_smf::Text<6> {
    let mut text = hostward_smf::Text::default();
    let Some(CipherSuite(number)) = cipher else {
        return text;
    };
    let digits = if number > 0xFFFF { 6 } else { 4 };
    for (i, to) in text.0.iter_mut().take(digits).enumerate() {
        let nibble = (number >> (4 * (digits - 1 - i)) & 15) as u8;
        // EBCDIC has the digits from X'F0' and the letters from X'C1' on.
        *to = if nibble < 10 {
            0xF0 + nibble
        } else {
            0xC1 + nibble - 10
        };
    }
    text
}

/// The suite whose digits these are.
pub(super) fn cipher_back(text: &str) -> Option<CipherSuite> {
    u32::from_str_radix(text.trim(), 16).ok().map(CipherSuite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::SUITES;

    #[test]
    fn every_suite_has_its_parts_in_the_tables() {
        for suite in SUITES {
            assert!(
                ENCRYPTION.iter().any(|(n, _)| *n == suite.cipher),
                "{suite:?}"
            );
            assert!(
                AUTHENTICATION.iter().any(|(n, _)| *n == suite.mac),
                "{suite:?}"
            );
            assert!(
                suite.key_exchange == "GROUP"
                    || KEY_EXCHANGE.iter().any(|(n, _)| *n == suite.key_exchange),
                "{suite:?}"
            );
        }
    }

    #[test]
    fn codes_of_some_suites() {
        let of = |id: u32, group| {
            let c = codes(&TlsFacts {
                cipher: Some(CipherSuite(id)),
                group,
                ..TlsFacts::default()
            });
            (c.encryption.0, c.authentication.0, c.key_exchange.0)
        };
        assert_eq!(of(0x1302, None), (0x13, 1, 0x1C));
        assert_eq!(of(0x1301, Some(Group::Named(0x100))), (0x12, 1, 0x1D));
        assert_eq!(of(0x1303, Some(Group::Named(0x11EC))), (0x29, 1, 0x1C));
        assert_eq!(of(0xC02F, Some(Group::Dh(1024))), (0x12, 1, 0x13));
        assert_eq!(of(0x000A, None), (4, 4, 2));
        assert_eq!(of(0x0A0A, None), (0, 0, 0), "not registered");
        assert_eq!(of(0x01_0080, None), (9, 3, 2));
        assert_eq!(of(0x02_0080, None), (8, 3, 3));
        assert_eq!(of(0xC0B4, None), (1, 6, 0x1C));
    }

    #[test]
    fn digits() {
        let shown = |n| cipher(Some(CipherSuite(n)));
        assert_eq!(shown(0x1302), "1302".into());
        assert_eq!(shown(0x00AB), "00AB".into());
        assert_eq!(shown(0x07_00C0), "0700C0".into());
        assert_eq!(cipher_back("00AB  "), Some(CipherSuite(0xAB)));
    }
}
