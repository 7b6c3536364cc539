//! Certificates: object identifiers to the codes of records.

use hostward_smf::codes::{
    CertificateEncryption as Key, CertificateTimeType, DigestAlgorithm as Digest, KeyType,
    SignatureMethod as Method,
};
use hostward_smf::layout::Certificate as Block;
use hostward_smf::{Bytes, Text};

use crate::record::{Certificate, Oid};
use crate::text::{CertTime, Inline};

/// 1.2.840.113549.1.1.
macro_rules! pkcs1 {
    ($last:literal) => {
        &[42, 134, 72, 134, 247, 13, 1, 1, $last]
    };
}

/// 1.2.840.10045.4.3.
macro_rules! ecdsa {
    ($last:literal) => {
        &[42, 134, 72, 206, 61, 4, 3, $last]
    };
}

/// Signature algorithms by the content octets of their object identifiers (RFC 3279, RFC 4055,
/// RFC 5758): method, kind of key, digest. RSA-PSS, EdDSA and ML-DSA have no number.
const SIGNATURES: &[(&[u8], Method, Key, Digest)] = &[
    (pkcs1!(2), Method::RSA_MD2, Key::RSA, Digest::MD2),
    (pkcs1!(4), Method::RSA_MD5, Key::RSA, Digest::MD5),
    (pkcs1!(5), Method::RSA_SHA1, Key::RSA, Digest::SHA1),
    (pkcs1!(14), Method::RSA_SHA224, Key::RSA, Digest::SHA224),
    (pkcs1!(11), Method::RSA_SHA256, Key::RSA, Digest::SHA256),
    (pkcs1!(12), Method::RSA_SHA384, Key::RSA, Digest::SHA384),
    (pkcs1!(13), Method::RSA_SHA512, Key::RSA, Digest::SHA512),
    (pkcs1!(10), Method::UNKNOWN, Key::RSA, Digest::UNKNOWN),
    (
        &[42, 134, 72, 206, 56, 4, 3],
        Method::DSA_SHA1,
        Key::DSA,
        Digest::SHA1,
    ),
    (
        &[96, 134, 72, 1, 101, 3, 4, 3, 1],
        Method::DSA_SHA224,
        Key::DSA,
        Digest::SHA224,
    ),
    (
        &[96, 134, 72, 1, 101, 3, 4, 3, 2],
        Method::DSA_SHA256,
        Key::DSA,
        Digest::SHA256,
    ),
    (
        &[42, 134, 72, 206, 61, 4, 1],
        Method::ECDSA_SHA1,
        Key::ECDSA,
        Digest::SHA1,
    ),
    (ecdsa!(1), Method::ECDSA_SHA224, Key::ECDSA, Digest::SHA224),
    (ecdsa!(2), Method::ECDSA_SHA256, Key::ECDSA, Digest::SHA256),
    (ecdsa!(3), Method::ECDSA_SHA384, Key::ECDSA, Digest::SHA384),
    (ecdsa!(4), Method::ECDSA_SHA512, Key::ECDSA, Digest::SHA512),
];

/// Algorithms of keys.
const KEYS: &[(&[u8], KeyType)] = &[
    (pkcs1!(1), KeyType::RSA),
    (pkcs1!(10), KeyType::RSA),
    (&[42, 134, 72, 206, 56, 4, 1], KeyType::DSA),
    (&[42, 134, 72, 206, 62, 2, 1], KeyType::DH),
    (&[42, 134, 72, 206, 61, 2, 1], KeyType::ECC),
];

/// What a record says of a certificate; everything unknown if there is none.
pub(super) fn block(c: &Certificate) -> Block {
    let signature = c.signature.as_ref().map_or(&[][..], Oid::content);
    let key = c.key.as_ref().map_or(&[][..], Oid::content);
    let (method, encryption, digest) = SIGNATURES
        .iter()
        .find(|(oid, ..)| *oid == signature)
        .map_or((Method::UNKNOWN, Key::UNKNOWN, Digest::UNKNOWN), |s| {
            (s.1, s.2, s.3)
        });
    let found = KEYS.iter().find(|(oid, _)| *oid == key);
    let (serial, serial_len) = serial(c);
    let (time_type, not_after) = time(c.not_after);
    Block {
        signature_method: method,
        encryption_method: encryption,
        digest,
        serial_len,
        serial,
        time_type,
        not_after,
        key_type: found.map_or(KeyType::UNKNOWN, |(_, k)| *k),
        key_len: c.key_bits,
        ..Block::default()
    }
}

/// The object identifier of a signature method.
pub(super) fn signature_back(method: Method) -> Option<Oid> {
    if method == Method::UNKNOWN {
        return None;
    }
    let found = SIGNATURES.iter().find(|s| s.1 == method)?;
    Oid::of(found.0)
}

/// The object identifier of a kind of key.
pub(super) fn key_back(kind: KeyType) -> Option<Oid> {
    Oid::of(KEYS.iter().find(|(_, k)| *k == kind)?.0)
}

/// The serial number's octets; what is longer than 20 is cut at its end.
fn serial(c: &Certificate) -> (Bytes<20>, u8) {
    let digits = c.serial.get().unwrap_or("").as_bytes();
    let value = |d: u8| (d as char).to_digit(16).unwrap_or(0) as u8;
    let mut octets = Bytes::<20>::default();
    let mut len = 0;
    for (to, pair) in octets.0.iter_mut().zip(digits.chunks(2)) {
        *to = pair.iter().fold(0, |n, d| n << 4 | value(*d));
        len += 1;
    }
    (octets, len)
}

/// RFC 5280 §4.1.2.5: UTCTime up to the year 2049, GeneralizedTime from 2050 on.
fn time(t: Option<CertTime>) -> (CertificateTimeType, Text<15>) {
    let Some(t) = t else {
        return (CertificateTimeType::NONE, Text::default());
    };
    let (kind, year, width) = if (1950..2050).contains(&t.year) {
        (CertificateTimeType::UTC, t.year % 100, 2)
    } else {
        (CertificateTimeType::GENERALIZED, t.year, 4)
    };
    let text = Inline::<96>::of(format_args!(
        "{year:0width$}{:02}{:02}{:02}{:02}{:02}Z",
        t.month, t.day, t.hour, t.minute, t.second
    ));
    (kind, Text::new(text.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_in_codes() {
        let c = Certificate {
            serial: "12345678AB".into(),
            not_after: Some(CertTime {
                year: 2027,
                month: 12,
                day: 31,
                hour: 23,
                minute: 59,
                second: 58,
            }),
            signature: Oid::of(ecdsa!(2)),
            key: Oid::of(&[42, 134, 72, 206, 61, 2, 1]),
            key_bits: 256,
            ..Certificate::default()
        };
        let b = block(&c);
        assert_eq!(b.signature_method, Method::ECDSA_SHA256);
        assert_eq!(b.encryption_method, Key::ECDSA);
        assert_eq!(b.digest, Digest::SHA256);
        assert_eq!(b.serial.first(b.serial_len), [0x12, 0x34, 0x56, 0x78, 0xAB]);
        assert_eq!(b.time_type, CertificateTimeType::UTC);
        assert_eq!(b.not_after, "271231235958Z".into());
        assert_eq!((b.key_type, b.key_len), (KeyType::ECC, 256));
        assert_eq!(block(&Certificate::default()), Block::default());
        // RFC 5280 §4.1.2.5: from 2050 on.
        let mut late = c;
        late.not_after = late.not_after.map(|t| CertTime { year: 2050, ..t });
        let b = block(&late);
        assert_eq!(b.time_type, CertificateTimeType::GENERALIZED);
        assert_eq!(b.not_after, "20501231235958Z".into());
    }

    #[test]
    fn identifiers_are_what_they_stand_for() {
        let shown = |o: &[u8]| alloc::format!("{}", Oid::of(o).unwrap());
        assert_eq!(shown(pkcs1!(11)), "1.2.840.113549.1.1.11");
        assert_eq!(shown(ecdsa!(2)), "1.2.840.10045.4.3.2");
        assert_eq!(shown(KEYS[4].0), "1.2.840.10045.2.1");
        assert_eq!(shown(SIGNATURES[8].0), "1.2.840.10040.4.3");
        assert_eq!(shown(SIGNATURES[9].0), "2.16.840.1.101.3.4.3.1");
    }
}
