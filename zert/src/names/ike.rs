//! Numbers of IKE: IANA "Internet Key Exchange Version 2 (IKEv2) Parameters" and "Internet Key
//! Exchange (IKE) Attributes".

/// Exchange type.
pub(crate) const fn exchange(major: u8, kind: u16) -> Option<&'static str> {
    Some(match (major, kind) {
        (1, 1) => "Base",
        (1, 2) => "Identity Protection (Main Mode)",
        (1, 3) => "Authentication Only",
        (1, 4) => "Aggressive",
        (1, 5) => "Informational",
        (1, 6) => "Transaction (Config Mode)",
        (1, 32) => "Quick Mode",
        (1, 33) => "New Group Mode",
        (2, 34) => "IKE_SA_INIT",
        (2, 35) => "IKE_AUTH",
        (2, 36) => "CREATE_CHILD_SA",
        (2, 37) => "INFORMATIONAL",
        (2, 38) => "IKE_SESSION_RESUME",
        (2, 39) => "GSA_AUTH",
        (2, 40) => "GSA_REGISTRATION",
        (2, 41) => "GSA_REKEY",
        (2, 43) => "IKE_INTERMEDIATE",
        (2, 44) => "IKE_FOLLOWUP_KE",
        _ => return None,
    })
}

/// Encryption algorithm.
pub(crate) const fn encryption(major: u8, id: u16) -> Option<&'static str> {
    Some(match (major, id) {
        (1, 1) => "DES-CBC",
        (1, 2) => "IDEA-CBC",
        (1, 3) => "BLOWFISH-CBC",
        (1, 4) => "RC5-R16-B64-CBC",
        (1, 5) => "3DES-CBC",
        (1, 6) => "CAST-CBC",
        (1, 7) => "AES-CBC",
        (1, 8) => "CAMELLIA-CBC",
        (2, 1) => "ENCR_DES_IV64",
        (2, 2) => "ENCR_DES",
        (2, 3) => "ENCR_3DES",
        (2, 4) => "ENCR_RC5",
        (2, 5) => "ENCR_IDEA",
        (2, 6) => "ENCR_CAST",
        (2, 7) => "ENCR_BLOWFISH",
        (2, 8) => "ENCR_3IDEA",
        (2, 9) => "ENCR_DES_IV32",
        (2, 11) => "ENCR_NULL",
        (2, 12) => "ENCR_AES_CBC",
        (2, 13) => "ENCR_AES_CTR",
        (2, 14) => "ENCR_AES_CCM_8",
        (2, 15) => "ENCR_AES_CCM_12",
        (2, 16) => "ENCR_AES_CCM_16",
        (2, 18) => "ENCR_AES_GCM_8",
        (2, 19) => "ENCR_AES_GCM_12",
        (2, 20) => "ENCR_AES_GCM_16",
        (2, 21) => "ENCR_NULL_AUTH_AES_GMAC",
        (2, 23) => "ENCR_CAMELLIA_CBC",
        (2, 24) => "ENCR_CAMELLIA_CTR",
        (2, 25) => "ENCR_CAMELLIA_CCM_8",
        (2, 26) => "ENCR_CAMELLIA_CCM_12",
        (2, 27) => "ENCR_CAMELLIA_CCM_16",
        (2, 28) => "ENCR_CHACHA20_POLY1305",
        (2, 29) => "ENCR_AES_CCM_8_IIV",
        (2, 30) => "ENCR_AES_GCM_16_IIV",
        (2, 31) => "ENCR_CHACHA20_POLY1305_IIV",
        _ => return None,
    })
}

/// Pseudo-random function of IKEv2.
pub(crate) const fn prf(id: u16) -> Option<&'static str> {
    Some(match id {
        1 => "PRF_HMAC_MD5",
        2 => "PRF_HMAC_SHA1",
        3 => "PRF_HMAC_TIGER",
        4 => "PRF_AES128_XCBC",
        5 => "PRF_HMAC_SHA2_256",
        6 => "PRF_HMAC_SHA2_384",
        7 => "PRF_HMAC_SHA2_512",
        8 => "PRF_AES128_CMAC",
        _ => return None,
    })
}

/// Integrity algorithm of IKEv2.
pub(crate) const fn integrity(id: u16) -> Option<&'static str> {
    Some(match id {
        0 => "NONE",
        1 => "AUTH_HMAC_MD5_96",
        2 => "AUTH_HMAC_SHA1_96",
        3 => "AUTH_DES_MAC",
        4 => "AUTH_KPDK_MD5",
        5 => "AUTH_AES_XCBC_96",
        6 => "AUTH_HMAC_MD5_128",
        7 => "AUTH_HMAC_SHA1_160",
        8 => "AUTH_AES_CMAC_96",
        9 => "AUTH_AES_128_GMAC",
        10 => "AUTH_AES_192_GMAC",
        11 => "AUTH_AES_256_GMAC",
        12 => "AUTH_HMAC_SHA2_256_128",
        13 => "AUTH_HMAC_SHA2_384_192",
        14 => "AUTH_HMAC_SHA2_512_256",
        _ => return None,
    })
}

/// Hash of IKEv1.
pub(crate) const fn hash(id: u16) -> Option<&'static str> {
    Some(match id {
        1 => "MD5",
        2 => "SHA",
        3 => "TIGER",
        4 => "SHA2-256",
        5 => "SHA2-384",
        6 => "SHA2-512",
        _ => return None,
    })
}

/// Authentication method of IKEv1.
pub(crate) const fn authentication(id: u16) -> Option<&'static str> {
    Some(match id {
        1 => "pre-shared key",
        2 => "DSS signatures",
        3 => "RSA signatures",
        4 => "RSA encryption",
        5 => "revised RSA encryption",
        9 => "ECDSA with SHA-256 on P-256",
        10 => "ECDSA with SHA-384 on P-384",
        11 => "ECDSA with SHA-512 on P-521",
        64221 => "hybrid, RSA, initiator",
        64222 => "hybrid, RSA, responder",
        65001 => "XAUTH, pre-shared key, initiator",
        65002 => "XAUTH, pre-shared key, responder",
        65005 => "XAUTH, RSA signatures, initiator",
        65006 => "XAUTH, RSA signatures, responder",
        _ => return None,
    })
}

/// Key exchange method of IKEv2, group description of IKEv1: the numbers are the same.
pub(crate) const fn key_exchange(id: u16) -> Option<&'static str> {
    Some(match id {
        0 => "NONE",
        1 => "modp768",
        2 => "modp1024",
        3 => "ec2n155",
        4 => "ec2n185",
        5 => "modp1536",
        14 => "modp2048",
        15 => "modp3072",
        16 => "modp4096",
        17 => "modp6144",
        18 => "modp8192",
        19 => "secp256r1",
        20 => "secp384r1",
        21 => "secp521r1",
        22 => "modp1024s160",
        23 => "modp2048s224",
        24 => "modp2048s256",
        25 => "secp192r1",
        26 => "secp224r1",
        27 => "brainpoolP224r1",
        28 => "brainpoolP256r1",
        29 => "brainpoolP384r1",
        30 => "brainpoolP512r1",
        31 => "curve25519",
        32 => "curve448",
        33 => "GOST3410_2012_256",
        34 => "GOST3410_2012_512",
        35 => "ml-kem-512",
        36 => "ml-kem-768",
        37 => "ml-kem-1024",
        _ => return None,
    })
}

/// Type of a notification.
pub(crate) const fn notify(id: u16) -> Option<&'static str> {
    Some(match id {
        1 => "UNSUPPORTED_CRITICAL_PAYLOAD",
        4 => "INVALID_IKE_SPI",
        5 => "INVALID_MAJOR_VERSION",
        7 => "INVALID_SYNTAX",
        9 => "INVALID_MESSAGE_ID",
        11 => "INVALID_SPI",
        14 => "NO_PROPOSAL_CHOSEN",
        17 => "INVALID_KE_PAYLOAD",
        24 => "AUTHENTICATION_FAILED",
        16388 => "NAT_DETECTION_SOURCE_IP",
        16389 => "NAT_DETECTION_DESTINATION_IP",
        16390 => "COOKIE",
        16404 => "MULTIPLE_AUTH_SUPPORTED",
        16406 => "REDIRECT_SUPPORTED",
        16407 => "REDIRECT",
        16408 => "REDIRECTED_FROM",
        16418 => "CHILDLESS_IKEV2_SUPPORTED",
        16430 => "IKEV2_FRAGMENTATION_SUPPORTED",
        16431 => "SIGNATURE_HASH_ALGORITHMS",
        16435 => "USE_PPK",
        16438 => "INTERMEDIATE_EXCHANGE_SUPPORTED",
        16441 => "ADDITIONAL_KEY_EXCHANGE",
        _ => return None,
    })
}
