//! IPsec: IKEv2 numbers (RFC 7296 §3.3.2 and its registry) to the codes of records.

use hostward_hook::protection::{Encapsulation, Fips, Transforms, TunnelKind};
use hostward_smf::codes::{self, Authentication, Encryption, IkeAuthentication, Prf, TunnelType};

/// Encryption (transform type 1) with its key length; 0 stands for any.
const ENCRYPTION: &[(u16, u16, Encryption)] = &[
    (2, 0, Encryption::DES),
    (3, 0, Encryption::TRIPLE_DES),
    (5, 0, Encryption::IDEA_CBC),
    (6, 0, Encryption::CAST_128_CBC),
    (7, 0, Encryption::BLOWFISH_CBC),
    (11, 0, Encryption::NONE),
    (12, 128, Encryption::AES_CBC_128),
    (12, 192, Encryption::AES_CBC_192),
    (12, 256, Encryption::AES_CBC_256),
    (13, 128, Encryption::AES_CTR_128),
    (13, 192, Encryption::AES_CTR_192),
    (13, 256, Encryption::AES_CTR_256),
    (14, 128, Encryption::AES_CCM8_128),
    (14, 256, Encryption::AES_CCM8_256),
    (16, 128, Encryption::AES_CCM_128),
    (16, 256, Encryption::AES_CCM_256),
    (20, 128, Encryption::AES_GCM_128),
    (20, 256, Encryption::AES_GCM_256),
    (23, 128, Encryption::CAMELLIA_128_CBC),
    (23, 256, Encryption::CAMELLIA_256_CBC),
    (28, 0, Encryption::CHACHA20_POLY1305),
];

/// Encryption that only authenticates (RFC 4543).
const GMAC: u16 = 21;

/// Integrity (transform type 3).
const INTEGRITY: &[(u16, Authentication)] = &[
    (0, Authentication::NONE),
    (1, Authentication::HMAC_MD5_96),
    (2, Authentication::HMAC_SHA1_96),
    (5, Authentication::AES_128_XCBC_96),
    (6, Authentication::HMAC_MD5),
    (7, Authentication::HMAC_SHA1),
    (9, Authentication::AES_GMAC_128),
    (11, Authentication::AES_GMAC_256),
    (12, Authentication::HMAC_SHA2_256_128),
    (13, Authentication::HMAC_SHA2_384_192),
    (14, Authentication::HMAC_SHA2_512_256),
];

/// Pseudo-random functions (transform type 2).
const PRFS: &[(u16, Prf)] = &[
    (1, Prf::HMAC_MD5),
    (2, Prf::HMAC_SHA1),
    (4, Prf::AES_128_XCBC),
    (5, Prf::HMAC_SHA2_256),
    (6, Prf::HMAC_SHA2_384),
    (7, Prf::HMAC_SHA2_512),
];

/// IKEv2 authentication methods (RFC 7296 §3.8).
const METHODS: &[(u8, IkeAuthentication)] = &[
    (1, IkeAuthentication::RSA_SIGNATURE),
    (2, IkeAuthentication::PRE_SHARED_KEY),
    (9, IkeAuthentication::ECDSA_256),
    (10, IkeAuthentication::ECDSA_384),
    (11, IkeAuthentication::ECDSA_521),
    (13, IkeAuthentication::NONE),
    (14, IkeAuthentication::DIGITAL_SIGNATURE),
];

fn find<K: PartialEq, V: Copy + Default>(table: &[(K, V)], key: Option<K>) -> V {
    let found = key.and_then(|key| table.iter().find(|(k, _)| *k == key));
    found.map_or_else(V::default, |(_, v)| *v)
}

pub(super) fn encryption(t: &Transforms) -> Encryption {
    let Some(number) = t.encryption else {
        return Encryption::UNKNOWN;
    };
    if number == GMAC {
        return Encryption::NONE;
    }
    let found = ENCRYPTION
        .iter()
        .find(|(n, bits, _)| *n == number && (*bits == 0 || *bits == t.encryption_bits));
    found.map_or(Encryption::UNKNOWN, |(_, _, code)| *code)
}

/// Integrity; none with encryption that authenticates by itself.
pub(super) fn authentication(t: &Transforms) -> Authentication {
    match (t.integrity, t.encryption, t.encryption_bits) {
        (None, Some(GMAC), 128) => Authentication::AES_GMAC_128,
        (None, Some(GMAC), 256) => Authentication::AES_GMAC_256,
        (None, Some(14..=16 | 18..=20 | 28), _) => Authentication::NONE,
        (integrity, ..) => find(INTEGRITY, integrity),
    }
}

pub(super) fn prf(t: &Transforms) -> Prf {
    find(PRFS, t.prf)
}

/// The group's number; 0 for none.
pub(super) fn group(t: &Transforms) -> codes::Group {
    codes::Group(t.group.unwrap_or(0))
}

pub(super) fn method(method: Option<u8>) -> IkeAuthentication {
    find(METHODS, method)
}

pub(super) const fn encapsulation(e: Option<Encapsulation>) -> codes::Encapsulation {
    match e {
        Some(Encapsulation::Tunnel) => codes::Encapsulation::TUNNEL,
        Some(Encapsulation::Transport) => codes::Encapsulation::TRANSPORT,
        None => codes::Encapsulation(0),
    }
}

pub(super) const fn tunnel_type(kind: Option<TunnelKind>) -> TunnelType {
    match kind {
        Some(TunnelKind::Manual) => TunnelType::MANUAL,
        Some(TunnelKind::Dynamic) => TunnelType::DYNAMIC,
        Some(_) | None => TunnelType(0),
    }
}

/// Validated cryptography: off, or its level.
pub(super) const fn fips(fips: Fips) -> codes::FipsMode {
    match fips {
        Fips::Off => codes::FipsMode::OFF,
        Fips::Level(level) => codes::FipsMode(level.saturating_add(1)),
        Fips::Unknown | _ => codes::FipsMode::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transforms(encryption: u16, bits: u16, integrity: Option<u16>) -> Transforms {
        let mut t = Transforms::default();
        t.encryption = Some(encryption);
        t.encryption_bits = bits;
        t.integrity = integrity;
        t
    }

    #[test]
    // RFC 7296 §3.8: authentication methods.
    fn numbers() {
        let codes = |t: &Transforms| (encryption(t), authentication(t));
        assert_eq!(
            codes(&transforms(12, 256, Some(12))),
            (Encryption::AES_CBC_256, Authentication::HMAC_SHA2_256_128)
        );
        assert_eq!(
            codes(&transforms(20, 256, None)),
            (Encryption::AES_GCM_256, Authentication::NONE)
        );
        assert_eq!(
            codes(&transforms(21, 128, None)),
            (Encryption::NONE, Authentication::AES_GMAC_128)
        );
        // AES-GCM with 192 bits has no number.
        assert_eq!(encryption(&transforms(20, 192, None)), Encryption::UNKNOWN);
        assert_eq!(
            codes(&Transforms::default()),
            (Encryption::UNKNOWN, Authentication::UNKNOWN)
        );
        assert_eq!(method(Some(9)), IkeAuthentication::ECDSA_256);
        assert_eq!(method(None), IkeAuthentication::UNKNOWN);
        assert_eq!(fips(Fips::Level(1)), codes::FipsMode::LEVEL_1);
    }
}
