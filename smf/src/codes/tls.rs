//! TLS and SSL.

use super::codes;

codes! {
    /// Protocol version: the number on the wire. DTLS is not known to these records.
    [R] TlsVersion: u16 {
        0x0000 UNKNOWN "unknown",
        0x0200 SSL2 "SSLv2",
        0x0300 SSL3 "SSLv3",
        0x0301 TLS10 "TLSv1.0",
        0x0302 TLS11 "TLSv1.1",
        0x0303 TLS12 "TLSv1.2",
        0x0304 TLS13 "TLSv1.3",
    }
}

codes! {
    /// Whether the handshake was resumed.
    [R] HandshakeType: u8 {
        0 UNKNOWN "unknown",
        1 FULL "full",
        2 ABBREVIATED "abbreviated",
    }
}

codes! {
    /// Local role in the handshake.
    [R] HandshakeRole: u8 {
        0 UNKNOWN "unknown",
        1 CLIENT "client",
        2 SERVER "server",
        3 SERVER_WITH_CLIENT_AUTHENTICATION "server with client authentication",
    }
}

codes! {
    /// FIPS 140 mode; observation never knows it.
    [U] FipsMode: u8 {
        0 UNKNOWN "unknown",
        1 OFF "not FIPS",
        2 LEVEL_1 "FIPS level 1",
    }
}

codes! {
    /// Key exchange. The order of 000B to 001D is uncertain.
    [R] KeyExchange: u16 {
        0x0000 UNKNOWN "unknown",
        0x0001 NONE "none",
        0x0002 RSA "RSA",
        0x0003 RSA_EXPORT "RSA_EXPORT",
        0x0004 RSA_PSK "RSA_PSK",
        0x0005 DH_RSA "DH_RSA",
        0x0006 DH_RSA_EXPORT "DH_RSA_EXPORT",
        0x0007 DH_DSS "DH_DSS",
        0x0008 DH_ANON "DH_ANON",
        0x0009 DH_ANON_EXPORT "DH_ANON_EXPORT",
        0x000a DH_DSS_EXPORT "DH_DSS_EXPORT",
        0x000b DHE_RSA "DHE_RSA",
        0x000c DHE_DSS "DHE_DSS",
        0x000d DHE_RSA_EXPORT "DHE_RSA_EXPORT",
        0x000e DHE_DSS_EXPORT "DHE_DSS_EXPORT",
        0x000f DHE_PSK "DHE_PSK",
        0x0010 ECDH_ECDSA "ECDH_ECDSA",
        0x0011 ECDH_RSA "ECDH_RSA",
        0x0012 ECDHE_ECDSA "ECDHE_ECDSA",
        0x0013 ECDHE_RSA "ECDHE_RSA",
        0x0014 ECDHE_PSK "ECDHE_PSK",
        0x0015 ECDH_ANON "ECDH_ANON",
        0x0016 KRB5 "KRB5",
        0x0017 KRB5_EXPORT "KRB5_EXPORT",
        0x0018 PSK "PSK",
        0x0019 SRP_SHA_RSA "SRP_SHA_RSA",
        0x001a SRP_SHA_DSS "SRP_SHA_DSS",
        0x001b SRP_SHA "SRP_SHA",
        0x001c ECDHE_TLS13 "ECDHE (TLSv1.3)",
        0x001d DHE_TLS13 "DHE (TLSv1.3)",
    }
}
