//! Certificates and keys.

use super::codes;

codes! {
    /// How a certificate is signed. RSA-PSS, EdDSA and ML-DSA have no known number.
    [R] SignatureMethod: u16 {
        0x00 UNKNOWN "unknown",
        0x01 NONE "none",
        0x02 RSA_MD2 "RSA with MD2",
        0x03 RSA_MD5 "RSA with MD5",
        0x04 RSA_SHA1 "RSA with SHA-1",
        0x05 DSA_SHA1 "DSA with SHA-1",
        0x06 RSA_SHA224 "RSA with SHA-224",
        0x07 RSA_SHA256 "RSA with SHA-256",
        0x08 RSA_SHA384 "RSA with SHA-384",
        0x09 RSA_SHA512 "RSA with SHA-512",
        0x0a ECDSA_SHA1 "ECDSA with SHA-1",
        0x0b ECDSA_SHA224 "ECDSA with SHA-224",
        0x0c ECDSA_SHA256 "ECDSA with SHA-256",
        0x0d ECDSA_SHA384 "ECDSA with SHA-384",
        0x0e ECDSA_SHA512 "ECDSA with SHA-512",
        0x0f DSA_SHA224 "DSA with SHA-224",
        0x10 DSA_SHA256 "DSA with SHA-256",
    }
}

codes! {
    /// A certificate's "encryption method": the kind of the signing key.
    [R] CertificateEncryption: u16 {
        0 UNKNOWN "unknown",
        1 NONE "none",
        2 RSA "RSA",
        3 DSA "DSA",
        4 ECDSA "ECDSA",
    }
}

codes! {
    /// Digest of a certificate's signature.
    [R] DigestAlgorithm: u16 {
        0 UNKNOWN "unknown",
        1 NONE "none",
        2 MD2 "MD2",
        3 MD5 "MD5",
        4 SHA1 "SHA-1",
        5 SHA224 "SHA-224",
        6 SHA256 "SHA-256",
        7 SHA384 "SHA-384",
        8 SHA512 "SHA-512",
    }
}

codes! {
    /// How the end of a certificate's validity is written.
    [R] CertificateTimeType: u8 {
        0 NONE "none",
        1 UTC "UTCTime",
        2 GENERALIZED "GeneralizedTime",
    }
}

codes! {
    /// Kind of a public key; 6 to 9 are believed to be SSH's. Ed25519 has no known number.
    [R] KeyType: u16 {
        0 UNKNOWN "unknown",
        1 NONE "none",
        2 RSA "RSA",
        3 DSA "DSA",
        4 DH "DH",
        5 ECC "ECC",
        6 RSA1 "RSA of SSH version 1",
        7 RSA_CERTIFICATE "RSA certificate",
        8 DSA_CERTIFICATE "DSA certificate",
        9 ECDSA_CERTIFICATE "ECDSA certificate",
    }
}

codes! {
    /// Whose distinguished name.
    [C] NameType: u16 {
        1 IPSEC_LOCAL_SUBJECT "IPsec local certificate subject",
        2 IPSEC_LOCAL_ISSUER "IPsec local certificate issuer",
        3 IPSEC_REMOTE_SUBJECT "IPsec remote certificate subject",
        4 IPSEC_REMOTE_ISSUER "IPsec remote certificate issuer",
        5 TLS_SERVER_SUBJECT "TLS server certificate subject",
        6 TLS_SERVER_ISSUER "TLS server certificate issuer",
        7 TLS_CLIENT_SUBJECT "TLS client certificate subject",
        8 TLS_CLIENT_ISSUER "TLS client certificate issuer",
        9 SSH_SERVER_SUBJECT "SSH server certificate subject",
        10 SSH_SERVER_ISSUER "SSH server certificate issuer",
        11 SSH_CLIENT_SUBJECT "SSH client certificate subject",
        12 SSH_CLIENT_ISSUER "SSH client certificate issuer",
    }
}
