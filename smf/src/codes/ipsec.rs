//! IKE and IPsec: in zERT records, and (with other numbers) in tunnel records.

use super::{codes, flags};

codes! {
    /// How an IKE peer is authenticated; 7 is a guess.
    [R] IkeAuthentication: u16 {
        0 UNKNOWN "unknown",
        1 NONE "none",
        2 RSA_SIGNATURE "RSA signature",
        3 PRE_SHARED_KEY "pre-shared key",
        4 ECDSA_256 "ECDSA-256",
        5 ECDSA_384 "ECDSA-384",
        6 ECDSA_521 "ECDSA-521",
        7 DIGITAL_SIGNATURE "digital signature",
    }
}

codes! {
    /// Diffie-Hellman group by its IKE number; 0 is none (no perfect forward secrecy).
    [R] Group: u16 {
        0 NONE "none",
        1 MODP_768 "MODP 768",
        2 MODP_1024 "MODP 1024",
        5 MODP_1536 "MODP 1536",
        14 MODP_2048 "MODP 2048",
        19 ECP_256 "ECP 256",
        20 ECP_384 "ECP 384",
        21 ECP_521 "ECP 521",
        24 MODP_2048_256 "MODP 2048 with 256-bit subgroup",
        31 CURVE25519 "Curve25519",
    }
}

codes! {
    /// Pseudo-random function.
    [U] Prf: u16 {
        0 UNKNOWN "unknown",
        1 NONE "none",
        2 HMAC_MD5 "HMAC-MD5",
        3 HMAC_SHA1 "HMAC-SHA1",
        4 HMAC_SHA2_256 "HMAC-SHA2-256",
        5 HMAC_SHA2_384 "HMAC-SHA2-384",
        6 HMAC_SHA2_512 "HMAC-SHA2-512",
        7 AES_128_XCBC "AES-128-XCBC",
    }
}

flags! {
    /// Flags of the tunnel in a connection detail record.
    [U] TunnelFlags: u8 {
        0x80 IPV6 "IPv6",
        0x40 FIPS "FIPS 140",
        0x20 SHADOW "shadow of another system's tunnel",
    }
}

codes! {
    /// Kind of tunnel in a connection detail record.
    [U] TunnelType: u8 {
        1 MANUAL "manual",
        2 DYNAMIC "dynamic",
        3 SHADOW "shadow of another system's tunnel",
    }
}

codes! {
    /// State of the tunnel in a connection detail record.
    [U] TunnelState: u8 {
        1 PENDING "pending",
        2 NEGOTIATING "in negotiation",
        3 ACTIVE "active",
    }
}

codes! {
    /// Encapsulation mode.
    [R] Encapsulation: u8 {
        1 TUNNEL "tunnel",
        2 TRANSPORT "transport",
    }
}

codes! {
    /// ESP or AH, by the number of the IP protocol.
    [R] SecurityProtocol: u8 {
        0 NONE "none",
        50 ESP "ESP",
        51 AH "AH",
    }
}

flags! {
    /// Flags of an IP tunnel record.
    [C] IpTunnelFlags: u32 {
        0x8000_0000 IPV6 "IPv6",
        0x4000_0000 FIPS "FIPS 140",
    }
}

codes! {
    /// Kind of tunnel in an IP tunnel record.
    [C] IpTunnelType: u8 {
        1 MANUAL "manual",
        2 DYNAMIC_STACK "dynamic, as known to the stack",
        3 DYNAMIC_IKE "dynamic, as known to IKE",
    }
}

flags! {
    /// Flags of an IKE tunnel record; the last is unconfirmed.
    [C] IkeTunnelFlags: u32 {
        0x8000_0000 IPV6 "IPv6",
        0x4000_0000 NAT_ALLOWED "NAT allowed",
        0x2000_0000 LOCAL_NAT "local NAT",
        0x1000_0000 REMOTE_NAT "remote NAT",
        0x0800_0000 REMOTE_NAPT "remote NAPT",
        0x0400_0000 CAN_INITIATE "local end can initiate phase 1",
        0x0200_0000 FIPS "FIPS 140",
    }
}

codes! {
    /// Authentication algorithm of tunnel records, which is not the numbering of zERT records.
    [P] MonitorAuthentication: u8 {
        0 NULL "none",
        4 AES_GMAC_128 "AES-GMAC-128",
        6 AES_GMAC_256 "AES-GMAC-256",
        7 HMAC_SHA2_256_128 "HMAC-SHA2-256-128",
        9 AES128_XCBC_96 "AES128-XCBC-96",
        13 HMAC_SHA2_384_192 "HMAC-SHA2-384-192",
        14 HMAC_SHA2_512_256 "HMAC-SHA2-512-256",
        38 HMAC_MD5 "HMAC-MD5",
        39 HMAC_SHA1 "HMAC-SHA1",
        40 HMAC_MD5_96 "HMAC-MD5-96",
        41 HMAC_SHA1_96 "HMAC-SHA1-96",
        99 UNKNOWN "unknown",
    }
}

codes! {
    /// Encryption algorithm of tunnel records; 11, 18 and 20 are unconfirmed.
    [P] MonitorEncryption: u8 {
        3 TRIPLE_DES "3DES",
        11 NULL "none",
        12 AES_CBC "AES-CBC",
        18 DES "DES",
        20 AES_GCM_16 "AES-GCM-16",
    }
}

codes! {
    /// Who wanted a tunnel.
    [P] ActivationMethod: u8 {
        1 USER "user",
        2 REMOTE "remote",
        3 ON_DEMAND "on demand",
        5 TAKEOVER "takeover",
        6 AUTO "autoactivation",
    }
}
