//! SSH: names of algorithms (RFC 4250 §4.11) to the codes of records.

use hostward_smf::codes::{Authentication, Encryption, KexMethod, KeyType, UserAuthentication};

use crate::text::Text;

/// Ciphers. `rijndael-cbc@lysator.liu.se` is AES under its old name and has a number of its own.
const CIPHERS: &[(&str, Encryption)] = &[
    ("none", Encryption::NONE),
    ("3des-cbc", Encryption::TRIPLE_DES),
    ("des-cbc", Encryption::DES),
    ("aes128-cbc", Encryption::AES_CBC_128),
    ("aes192-cbc", Encryption::AES_CBC_192),
    ("aes256-cbc", Encryption::AES_CBC_256),
    ("rijndael-cbc@lysator.liu.se", Encryption::RIJNDAEL_CBC),
    ("aes128-ctr", Encryption::AES_CTR_128),
    ("aes192-ctr", Encryption::AES_CTR_192),
    ("aes256-ctr", Encryption::AES_CTR_256),
    ("aes128-gcm@openssh.com", Encryption::AES_GCM_128),
    ("aes256-gcm@openssh.com", Encryption::AES_GCM_256),
    ("AEAD_AES_128_GCM", Encryption::AES_GCM_128),
    ("AEAD_AES_256_GCM", Encryption::AES_GCM_256),
    (
        "chacha20-poly1305@openssh.com",
        Encryption::CHACHA20_POLY1305,
    ),
    ("chacha20-poly1305", Encryption::CHACHA20_POLY1305),
    ("arcfour", Encryption::ARCFOUR),
    ("arcfour128", Encryption::ARCFOUR_128),
    ("arcfour256", Encryption::ARCFOUR_256),
    ("blowfish-cbc", Encryption::BLOWFISH_CBC),
    ("cast128-cbc", Encryption::CAST_128_CBC),
    ("twofish256-cbc", Encryption::TWOFISH_CBC_256),
    ("twofish192-cbc", Encryption::TWOFISH_CBC_192),
    ("twofish128-cbc", Encryption::TWOFISH_CBC_128),
    ("twofish-cbc", Encryption::TWOFISH_CBC),
    ("serpent256-cbc", Encryption::SERPENT_CBC_256),
    ("serpent192-cbc", Encryption::SERPENT_CBC_192),
    ("serpent128-cbc", Encryption::SERPENT_CBC_128),
    ("idea-cbc", Encryption::IDEA_CBC),
    ("seed-cbc@ssh.com", Encryption::SEED_CBC),
    ("acss@openssh.org", Encryption::ACSS),
];

/// MACs; encrypt-then-MAC variants are looked up without their suffix.
const MACS: &[(&str, Authentication)] = &[
    ("none", Authentication::NONE),
    ("hmac-md5", Authentication::HMAC_MD5),
    ("hmac-md5-96", Authentication::HMAC_MD5_96),
    ("hmac-sha1", Authentication::HMAC_SHA1),
    ("hmac-sha1-96", Authentication::HMAC_SHA1_96),
    ("hmac-sha2-256", Authentication::HMAC_SHA2_256),
    ("hmac-sha2-512", Authentication::HMAC_SHA2_512),
    ("umac-64", Authentication::UMAC_64),
    ("umac-128", Authentication::UMAC_128),
    ("hmac-ripemd160", Authentication::RIPEMD_160),
];

/// Key exchange methods that have a number; newer ones have none.
const KEX: &[(&str, KexMethod)] = &[
    (
        "diffie-hellman-group-exchange-sha256",
        KexMethod::DH_GEX_SHA256,
    ),
    ("diffie-hellman-group-exchange-sha1", KexMethod::DH_GEX_SHA1),
    ("diffie-hellman-group14-sha1", KexMethod::DH_GROUP14_SHA1),
    ("diffie-hellman-group1-sha1", KexMethod::DH_GROUP1_SHA1),
    ("ecdh-sha2-nistp256", KexMethod::ECDH_NISTP256),
    ("ecdh-sha2-nistp384", KexMethod::ECDH_NISTP384),
    ("ecdh-sha2-nistp521", KexMethod::ECDH_NISTP521),
    ("ecmqv-sha2", KexMethod::ECMQV_SHA2),
    ("rsa1024-sha1", KexMethod::RSA1024_SHA1),
    ("rsa2048-sha256", KexMethod::RSA2048_SHA256),
];

/// The beginnings of the GSS-API methods, whose names end in a mechanism.
const KEX_GSS: &[(&str, KexMethod)] = &[
    ("gss-group1-sha1-", KexMethod::GSS_GROUP1_SHA1),
    ("gss-group14-sha1-", KexMethod::GSS_GROUP14_SHA1),
    ("gss-gex-sha1-", KexMethod::GSS_GEX_SHA1),
    ("gss-", KexMethod::GSS_OTHER),
];

/// Types of keys, by how their names begin; certificates first.
const KEYS: &[(&str, KeyType)] = &[
    ("ssh-rsa-cert-", KeyType::RSA_CERTIFICATE),
    ("rsa-sha2-256-cert-", KeyType::RSA_CERTIFICATE),
    ("rsa-sha2-512-cert-", KeyType::RSA_CERTIFICATE),
    ("ssh-dss-cert-", KeyType::DSA_CERTIFICATE),
    ("ecdsa-sha2-nistp256-cert-", KeyType::ECDSA_CERTIFICATE),
    ("ecdsa-sha2-nistp384-cert-", KeyType::ECDSA_CERTIFICATE),
    ("ecdsa-sha2-nistp521-cert-", KeyType::ECDSA_CERTIFICATE),
    ("sk-ecdsa-sha2-nistp256-cert-", KeyType::ECDSA_CERTIFICATE),
    ("ssh-rsa", KeyType::RSA),
    ("rsa-sha2-", KeyType::RSA),
    ("x509v3-ssh-rsa", KeyType::RSA),
    ("x509v3-rsa2048", KeyType::RSA),
    ("ssh-dss", KeyType::DSA),
    ("x509v3-ssh-dss", KeyType::DSA),
    ("ecdsa-sha2-", KeyType::ECC),
    ("sk-ecdsa-sha2-", KeyType::ECC),
    ("x509v3-ecdsa-sha2-", KeyType::ECC),
];

/// Methods of user authentication (RFC 4252 §5 and its successors).
const USER: &[(&str, UserAuthentication)] = &[
    ("none", UserAuthentication::NONE),
    ("password", UserAuthentication::PASSWORD),
    ("publickey", UserAuthentication::PUBLIC_KEY),
    ("hostbased", UserAuthentication::HOST_BASED),
    (
        "keyboard-interactive",
        UserAuthentication::KEYBOARD_INTERACTIVE,
    ),
    ("gssapi-with-mic", UserAuthentication::GSSAPI_WITH_MIC),
    ("gssapi-keyex", UserAuthentication::GSSAPI_KEYEX),
];

fn exact<V: Copy + Default>(table: &[(&str, V)], name: &str) -> V {
    let found = table.iter().find(|(n, _)| *n == name);
    found.map_or_else(V::default, |(_, v)| *v)
}

fn prefix<V: Copy + Default>(table: &[(&str, V)], name: &str) -> V {
    let found = table.iter().find(|(n, _)| name.starts_with(n));
    found.map_or_else(V::default, |(_, v)| *v)
}

pub(super) fn encryption(name: &Text) -> Encryption {
    exact(CIPHERS, name.get().unwrap_or(""))
}

/// The MAC in use, and whether it is computed over the ciphertext. What the cipher does not need is
/// none.
pub(super) fn authentication(direction: &crate::record::SshDirection) -> (Authentication, bool) {
    if direction.mac_implicit() == Some(true) {
        return (Authentication::NONE, false);
    }
    let name = direction.mac.get().unwrap_or("");
    let plain = name.split_once('@').map_or(name, |(n, _)| n);
    match plain.strip_suffix("-etm") {
        Some(plain) => (exact(MACS, plain), true),
        None => (exact(MACS, plain), false),
    }
}

pub(super) fn kex(name: &Text) -> KexMethod {
    let name = name.get().unwrap_or("");
    match exact(KEX, name) {
        KexMethod::UNKNOWN => prefix(KEX_GSS, name),
        method => method,
    }
}

pub(super) fn key_type(name: &Text) -> KeyType {
    prefix(KEYS, name.get().unwrap_or(""))
}

pub(super) fn user(name: &Text) -> UserAuthentication {
    exact(USER, name.get().unwrap_or(""))
}

fn back<V: PartialEq>(table: &[(&'static str, V)], code: &V) -> Option<&'static str> {
    table.iter().find(|(_, v)| v == code).map(|(n, _)| *n)
}

pub(super) fn encryption_back(code: Encryption) -> Option<&'static str> {
    back(CIPHERS, &code)
}

pub(super) fn authentication_back(code: Authentication) -> Option<&'static str> {
    back(MACS, &code)
}

pub(super) fn kex_back(code: KexMethod) -> Option<&'static str> {
    back(KEX, &code)
}

/// A name of a type of key; that of an elliptic curve does not say which.
pub(super) fn key_back(code: KeyType) -> Option<&'static str> {
    match code {
        KeyType::RSA => Some("ssh-rsa"),
        KeyType::DSA => Some("ssh-dss"),
        KeyType::ECC => Some("ecdsa"),
        _ => None,
    }
}

/// Compression in the word of the record. The words are unconfirmed.
pub(super) fn compression(name: &Text) -> hostward_smf::Text<8> {
    match name.get() {
        Some("none") => "NONE".into(),
        Some("zlib") => "ZLIB".into(),
        Some("zlib@openssh.com") => "ZLIBOPEN".into(),
        Some(_) | None => hostward_smf::Text::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::SshDirection;

    #[test]
    // RFC 4252 §5: method names of user authentication.
    fn names() {
        assert_eq!(encryption(&"aes256-ctr".into()), Encryption::AES_CTR_256);
        assert_eq!(encryption(&"new-cipher".into()), Encryption::UNKNOWN);
        assert_eq!(encryption(&Text::default()), Encryption::UNKNOWN);
        assert_eq!(kex(&"ecdh-sha2-nistp384".into()), KexMethod::ECDH_NISTP384);
        assert_eq!(kex(&"mlkem768x25519-sha256".into()), KexMethod::UNKNOWN);
        assert_eq!(
            kex(&"gss-group14-sha1-toWM5Slw5Ew8Mqkay+al2g==".into()),
            KexMethod::GSS_GROUP14_SHA1
        );
        assert_eq!(kex(&"gss-nistp256-sha256-x".into()), KexMethod::GSS_OTHER);
        assert_eq!(key_type(&"ssh-rsa".into()), KeyType::RSA);
        assert_eq!(
            key_type(&"ssh-rsa-cert-v01@openssh.com".into()),
            KeyType::RSA_CERTIFICATE
        );
        assert_eq!(key_type(&"ssh-ed25519".into()), KeyType::UNKNOWN);
        assert_eq!(user(&"publickey".into()), UserAuthentication::PUBLIC_KEY);
    }

    #[test]
    fn macs_follow_the_cipher() {
        let of = |cipher: &str, mac: &str| {
            authentication(&SshDirection {
                cipher: cipher.into(),
                mac: mac.into(),
                ..SshDirection::default()
            })
        };
        assert_eq!(
            of("aes128-ctr", "hmac-sha2-256-etm@openssh.com"),
            (Authentication::HMAC_SHA2_256, true)
        );
        assert_eq!(
            of("aes128-ctr", "umac-64@openssh.com"),
            (Authentication::UMAC_64, false)
        );
        assert_eq!(
            of("aes128-gcm@openssh.com", "hmac-sha1"),
            (Authentication::NONE, false)
        );
    }
}
