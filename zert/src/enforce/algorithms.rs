//! Names of algorithms for rules, by their numbers and object identifiers.

use crate::record::{CipherSuite, Oid};

/// What a TLS cipher suite consists of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suite {
    pub(super) key_exchange: &'static str,
    pub(super) cipher: &'static str,
    pub(super) mac: &'static str,
}

/// The parts of a suite, those of SSL 2.0 included; nothing for numbers that are not registered.
pub(super) fn suite(suite: CipherSuite) -> Option<Suite> {
    if let Some(s) = suite.suite() {
        return Some(Suite {
            key_exchange: s.key_exchange,
            cipher: s.cipher,
            mac: s.mac,
        });
    }
    let (key_exchange, cipher) = match suite.0 {
        0x01_0080 => ("RSA", "RC4-128"),
        0x02_0080 => ("RSA_EXPORT", "RC4-40"),
        0x03_0080 => ("RSA", "RC2-128-CBC"),
        0x04_0080 => ("RSA_EXPORT", "RC2-40-CBC"),
        0x05_0080 => ("RSA", "IDEA-128-CBC"),
        0x06_0040 => ("RSA", "DES-56-CBC"),
        0x07_00C0 => ("RSA", "3DES-168-CBC"),
        _ => return None,
    };
    Some(Suite {
        key_exchange,
        cipher,
        mac: "HMAC-MD5",
    })
}

/// Contents of object identifiers of signatures (RFC 3279, RFC 4055, RFC 5758, RFC 8410, RFC 9881).
const SIGNATURES: &[(&[u8], &str)] = &[
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x02", "RSA-MD2"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", "RSA-MD5"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", "RSA-SHA1"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0e", "RSA-SHA224"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", "RSA-SHA256"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", "RSA-SHA384"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", "RSA-SHA512"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "RSA-PSS"),
    (b"\x2a\x86\x48\xce\x38\x04\x03", "DSA-SHA1"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x01", "DSA-SHA224"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x02", "DSA-SHA256"),
    (b"\x2a\x86\x48\xce\x3d\x04\x01", "ECDSA-SHA1"),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x01", "ECDSA-SHA224"),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", "ECDSA-SHA256"),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", "ECDSA-SHA384"),
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", "ECDSA-SHA512"),
    (b"\x2b\x65\x70", "ED25519"),
    (b"\x2b\x65\x71", "ED448"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x11", "ML-DSA-44"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x12", "ML-DSA-65"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x13", "ML-DSA-87"),
];

/// Contents of object identifiers of public keys (RFC 3279, RFC 4055, RFC 8410, RFC 9881).
const KEYS: &[(&[u8], &str)] = &[
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", "RSA"),
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", "RSA"),
    (b"\x2a\x86\x48\xce\x38\x04\x01", "DSA"),
    (b"\x2a\x86\x48\xce\x3e\x02\x01", "DH"),
    (b"\x2a\x86\x48\xce\x3d\x02\x01", "ECDSA"),
    (b"\x2b\x65\x70", "ED25519"),
    (b"\x2b\x65\x71", "ED448"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x11", "ML-DSA"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x12", "ML-DSA"),
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x13", "ML-DSA"),
];

fn of(table: &[(&[u8], &'static str)], oid: &Oid) -> Option<&'static str> {
    let found = table.iter().find(|(content, _)| *content == oid.content());
    found.map(|(_, name)| *name)
}

/// Algorithm of a signature on a certificate.
pub(super) fn signature(oid: &Oid) -> Option<&'static str> {
    of(SIGNATURES, oid)
}

/// Type of a public key.
pub(super) fn key_type(oid: &Oid) -> Option<&'static str> {
    of(KEYS, oid)
}

/// Encryption of IPsec by its transform number and key length (IANA, IKEv2 transform type 1).
pub(super) const fn ipsec_cipher(id: u16, bits: u16) -> Option<&'static str> {
    Some(match (id, bits) {
        (2, _) => "DES-56-CBC",
        (3, _) => "3DES-168-CBC",
        (5, _) => "IDEA-128-CBC",
        (7, _) => "BLOWFISH-CBC",
        (11, _) => "NULL",
        (12, 256) => "AES-256-CBC",
        (12, 192) => "AES-192-CBC",
        (12, 128) => "AES-128-CBC",
        (12, _) => "AES-CBC",
        (13, 256) => "AES-256-CTR",
        (13, 192) => "AES-192-CTR",
        (13, 128) => "AES-128-CTR",
        (13, _) => "AES-CTR",
        (14..=16, 256) => "AES-256-CCM",
        (14..=16, 192) => "AES-192-CCM",
        (14..=16, 128) => "AES-128-CCM",
        (14..=16, _) => "AES-CCM",
        (18..=20, 256) => "AES-256-GCM",
        (18..=20, 192) => "AES-192-GCM",
        (18..=20, 128) => "AES-128-GCM",
        (18..=20, _) => "AES-GCM",
        (21, _) => "NULL",
        (23, 256) => "CAMELLIA-256-CBC",
        (23, _) => "CAMELLIA-128-CBC",
        (28, _) => "ChaCha20-Poly1305",
        _ => return None,
    })
}

/// Whether an encryption transform authenticates by itself.
pub(super) const fn is_combined(id: u16) -> bool {
    matches!(id, 14..=16 | 18..=21 | 28)
}

/// Integrity of IPsec by its transform number (IANA, IKEv2 transform type 3).
pub(super) const fn ipsec_mac(id: u16) -> Option<&'static str> {
    Some(match id {
        0 => "NULL",
        1 => "HMAC-MD5",
        2 => "HMAC-SHA1",
        5 => "AES-XCBC",
        8 => "AES-CMAC",
        9..=11 => "AES-GMAC",
        12 => "HMAC-SHA256",
        13 => "HMAC-SHA384",
        14 => "HMAC-SHA512",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn identifiers_are_those_of_their_names() {
        let dotted = |table: &[(&[u8], &str)], name: &str| {
            let (content, _) = table.iter().find(|(_, n)| *n == name).unwrap();
            Oid::of(content).unwrap().to_string()
        };
        assert_eq!(dotted(SIGNATURES, "RSA-SHA1"), "1.2.840.113549.1.1.5");
        assert_eq!(dotted(SIGNATURES, "DSA-SHA1"), "1.2.840.10040.4.3");
        assert_eq!(dotted(SIGNATURES, "ECDSA-SHA256"), "1.2.840.10045.4.3.2");
        assert_eq!(dotted(SIGNATURES, "ML-DSA-44"), "2.16.840.1.101.3.4.3.17");
        assert_eq!(dotted(SIGNATURES, "ED25519"), "1.3.101.112");
        assert_eq!(dotted(KEYS, "ECDSA"), "1.2.840.10045.2.1");
        assert_eq!(dotted(KEYS, "DH"), "1.2.840.10046.2.1");
        let rsa = Oid::of(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01").unwrap();
        assert_eq!((key_type(&rsa), signature(&rsa)), (Some("RSA"), None));
    }
}
