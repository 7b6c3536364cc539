//! SSH.

use super::codes;

codes! {
    /// How the user was authenticated; never visible to observation.
    [R] UserAuthentication: u16 {
        0x0 UNKNOWN "unknown",
        0x1 NONE "none",
        0x2 PASSWORD "password",
        0x3 PUBLIC_KEY "publickey",
        0x4 HOST_BASED "hostbased",
        0x5 RHOSTS "rhosts",
        0x6 RHOSTS_RSA "rhosts-RSA",
        0x7 RSA "RSA of version 1",
        0x8 KEYBOARD_INTERACTIVE "keyboard-interactive",
        0x9 CHALLENGE_RESPONSE "challenge-response",
        0xa CONTROL_SOCKET "control socket",
        0xb GSSAPI_WITH_MIC "gssapi-with-mic",
        0xc GSSAPI_KEYEX "gssapi-keyex",
    }
}

codes! {
    /// Key exchange method. The order is uncertain, and newer methods have no known number.
    [U] KexMethod: u16 {
        0x0 UNKNOWN "unknown",
        0x1 NONE "none",
        0x2 DH_GEX_SHA256 "diffie-hellman-group-exchange-sha256",
        0x3 DH_GEX_SHA1 "diffie-hellman-group-exchange-sha1",
        0x4 DH_GROUP14_SHA1 "diffie-hellman-group14-sha1",
        0x5 DH_GROUP1_SHA1 "diffie-hellman-group1-sha1",
        0x6 ECDH_NISTP256 "ecdh-sha2-nistp256",
        0x7 ECDH_NISTP384 "ecdh-sha2-nistp384",
        0x8 ECDH_NISTP521 "ecdh-sha2-nistp521",
        0x9 GSS_GROUP1_SHA1 "gss-group1-sha1",
        0xa GSS_GROUP14_SHA1 "gss-group14-sha1",
        0xb GSS_GEX_SHA1 "gss-gex-sha1",
        0xc ECMQV_SHA2 "ecmqv-sha2",
        0xd GSS_OTHER "gss, another",
        0xe RSA1024_SHA1 "rsa1024-sha1",
        0xf RSA2048_SHA256 "rsa2048-sha256",
    }
}
