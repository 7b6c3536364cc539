//! What records say of a certificate.

use crate::codes::{
    CertificateEncryption, CertificateTimeType, DigestAlgorithm, KeyType, SignatureMethod,
};
use crate::ebcdic::Text;
use crate::field::{Bytes, Reserved, group};

group! {
    /// A certificate in a connection detail record.
    Certificate {
        [P] signature_method: SignatureMethod, "Signature_Method", "How it is signed.";
        [P] encryption_method: CertificateEncryption, "Enc_Method", "Kind of the signing key.";
        [P] digest: DigestAlgorithm, "Digest_Alg", "Digest of the signature.";
        [P] reserved1: Reserved<1>, "", "Reserved.";
        [P] serial_len: u8, "Serial_Len", "Length of the serial number, up to 20.";
        [P] serial: Bytes<20>, "Serial", "Serial number, left-justified.";
        [P] time_type: CertificateTimeType, "Time_Type", "How the end of its validity is written.";
        [P] not_after: Text<15>, "Time", "End of its validity.";
        [P] key_type: KeyType, "Key_Type", "Kind of its key.";
        [P] key_len: u16, "Key_Len", "Length of its key in bits.";
    }
}

group! {
    /// The significant attributes of a certificate, in a summary record.
    CertificateKind {
        [P] signature_method: SignatureMethod, "Signature_Method", "How it is signed.";
        [P] encryption_method: CertificateEncryption, "Enc_Method", "Kind of the signing key.";
        [P] digest: DigestAlgorithm, "Digest_Alg", "Digest of the signature.";
        [P] key_type: KeyType, "Key_Type", "Kind of its key.";
        [P] key_len: u16, "Key_Len", "Length of its key in bits.";
    }
}

group! {
    /// Which certificate it is and how long it is valid; appended to summary sections by this
    /// project.
    CertificateValidity {
        [U] reserved1: Reserved<1>, "", "Reserved.";
        [U] serial_len: u8, "Serial_Len", "Length of the serial number, up to 20.";
        [U] serial: Bytes<20>, "Serial", "Serial number, left-justified.";
        [U] time_type: CertificateTimeType, "Time_Type", "How the end of its validity is written.";
        [U] not_after: Text<15>, "Time", "End of its validity.";
    }
}

impl From<&Certificate> for CertificateKind {
    fn from(c: &Certificate) -> Self {
        Self {
            signature_method: c.signature_method,
            encryption_method: c.encryption_method,
            digest: c.digest,
            key_type: c.key_type,
            key_len: c.key_len,
        }
    }
}

impl From<&Certificate> for CertificateValidity {
    fn from(c: &Certificate) -> Self {
        Self {
            reserved1: c.reserved1,
            serial_len: c.serial_len,
            serial: c.serial,
            time_type: c.time_type,
            not_after: c.not_after,
        }
    }
}
