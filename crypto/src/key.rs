//! What stands in public and private keys, read once for all backends so that they take the same keys.
//!
//! Public keys are a SubjectPublicKeyInfo (RFC 5280 §4.1) of rsaEncryption (RFC 3279), id-ecPublicKey with
//! a named curve and an uncompressed point (RFC 5480), or id-Ed25519 (RFC 8410). Private keys are the same
//! kinds in PKCS#8 (RFC 5958), unencrypted.

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use pkcs1::{RsaPrivateKeyRef, RsaPublicKeyRef};
use pkcs8::der::asn1::{AnyRef, BitStringRef};
use pkcs8::der::{Decode, Encode};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};
use sec1::{EcParameters, EcPrivateKey};

use crate::algorithm::{Curve, Scheme};
use crate::error::{Failed, Refusal};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Lengths of RSA moduli. RFC 8247 §3.2.1: below 2048 bits MUST NOT be used; above 8192 no backend goes, and a
/// peer could keep a host busy.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// What refusals call RSA keys.
pub(crate) const RSA_NAME: &str = "RSA";
/// What refusals call keys on the curves of SP 800-186.
pub(crate) const EC_NAME: &str = "ECDSA";
/// What refusals call Ed25519 keys.
pub(crate) const ED25519_NAME: &str = "Ed25519";
/// The commonest reason.
pub(crate) const INCONSISTENT: &str = "its parts do not fit together";

pub(crate) fn refusal(algorithm: &'static str, why: &'static str) -> Refusal {
    Refusal::Key { algorithm, why }
}

/// The object identifier of a curve (RFC 5480 §2.1.1.1).
fn curve_oid(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        Curve::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
        Curve::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
    }
}

fn curve_of(parameters: Option<AnyRef<'_>>) -> Option<Curve> {
    let oid: ObjectIdentifier = parameters?.decode_as().ok()?;
    Curve::ALL
        .into_iter()
        .find(|curve| curve_oid(*curve) == oid)
}

/// A public key of an acceptable form. Points are not known to be on their curve yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Public<'a> {
    /// RSAPublicKey in DER (RFC 8017 §A.1.1).
    Rsa(&'a [u8]),
    /// 4, x, y.
    Ec(Curve, &'a [u8]),
    Ed25519(&'a [u8; 32]),
}

/// Reads a SubjectPublicKeyInfo for signatures of a scheme.
///
/// # Errors
///
/// [`Failed`] when it is none, is of another kind or curve than the scheme's, or is not acceptable: RSA
/// with a modulus outside [`RSA_BITS`] or even, or with an exponent that is even, 1 or longer than 33
/// bits; a point that is compressed; an Ed25519 key of small order.
pub(crate) fn public(scheme: Scheme, spki: &[u8]) -> Result<Public<'_>, Failed> {
    let key = read_public(spki).ok_or(Failed)?;
    match (scheme, key) {
        (Scheme::RsaPkcs1(_) | Scheme::RsaPss(_), Public::Rsa(_))
        | (Scheme::Ed25519, Public::Ed25519(_)) => Ok(key),
        (Scheme::Ecdsa(wanted, _), Public::Ec(curve, _)) if wanted == curve => Ok(key),
        _ => Err(Failed),
    }
}

fn read_public(spki: &[u8]) -> Option<Public<'_>> {
    let info = SubjectPublicKeyInfoRef::from_der(spki).ok()?;
    let key = info.subject_public_key.as_bytes()?;
    match info.algorithm.oid {
        RSA => {
            has_no_parameters(&info.algorithm).then_some(())?;
            let public = RsaPublicKeyRef::from_der(key).ok()?;
            rsa_fault(&public).is_none().then_some(Public::Rsa(key))
        }
        EC => {
            let curve = curve_of(info.algorithm.parameters)?;
            (key.first() == Some(&4) && key.len() == 1 + 2 * curve.len())
                .then_some(Public::Ec(curve, key))
        }
        ED25519 => {
            // RFC 8410 §3: the parameters are absent.
            info.algorithm.parameters.is_none().then_some(())?;
            let key: &[u8; 32] = key.try_into().ok()?;
            (!is_small_order(key)).then_some(Public::Ed25519(key))
        }
        _ => None,
    }
}

/// RFC 3279 §2.3.1: NULL. Some leave it out.
fn has_no_parameters(algorithm: &AlgorithmIdentifierRef<'_>) -> bool {
    algorithm
        .parameters
        .is_none_or(|parameters| parameters == AnyRef::NULL)
}

fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    number
        .get(zeros..)
        .and_then(<[u8]>::first)
        .map_or(0, |first| {
            8 * (number.len() - zeros) - first.leading_zeros() as usize
        })
}

fn is_even(number: &[u8]) -> bool {
    number.last().is_none_or(|octet| octet & 1 == 0)
}

fn rsa_fault(key: &RsaPublicKeyRef<'_>) -> Option<&'static str> {
    let (n, e) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
    if bits(n) < *RSA_BITS.start() {
        Some("its modulus is shorter than 2048 bits")
    } else if bits(n) > *RSA_BITS.end() {
        Some("its modulus is longer than 8192 bits")
    } else if is_even(n) {
        Some("its modulus is even")
    } else if is_even(e) || bits(e) < 2 || bits(e) > 33 {
        Some("its public exponent is even, 1 or longer than 33 bits")
    } else {
        None
    }
}

/// Whether a point of edwards25519 has order 1, 2, 4 or 8, in any encoding of it. With such a key a
/// signature can be made that fits many messages (RFC 8032 §8.9 leaves it open), so nobody may use one
/// to prove who he is.
fn is_small_order(key: &[u8; 32]) -> bool {
    // The y coordinates, and those from p on that decoders reduce.
    const Y: [[u8; 32]; 7] = [
        ends([0; 32], 0, 0),
        ends([0; 32], 1, 0),
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        ends([0xff; 32], 0xec, 0x7f),
        ends([0xff; 32], 0xed, 0x7f),
        ends([0xff; 32], 0xee, 0x7f),
    ];
    const fn ends(mut y: [u8; 32], first: u8, last: u8) -> [u8; 32] {
        y[0] = first;
        y[31] = last;
        y
    }
    let mut y = *key;
    // The sign of x.
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    Y.contains(&y)
}

/// A private key of an acceptable form. Its parts are not known to fit together yet.
pub(crate) enum Private<'a> {
    Rsa(RsaPrivate<'a>),
    Ec(EcPrivate<'a>),
    Ed25519 {
        seed: &'a [u8; 32],
        public: Option<&'a [u8]>,
    },
}

pub(crate) struct RsaPrivate<'a> {
    /// RSAPrivateKey in DER (RFC 8017 §A.1.2).
    pub(crate) der: &'a [u8],
    /// Length of the modulus.
    #[cfg_attr(
        not(feature = "ring"),
        expect(dead_code, reason = "ring has limits of its own")
    )]
    pub(crate) bits: usize,
    /// Length of the public exponent.
    #[cfg_attr(
        not(feature = "ring"),
        expect(dead_code, reason = "ring has limits of its own")
    )]
    pub(crate) exponent_bits: usize,
    /// RSAPublicKey in DER.
    public: Vec<u8>,
}

pub(crate) struct EcPrivate<'a> {
    pub(crate) curve: Curve,
    /// As long as the curve's field.
    #[cfg_attr(
        not(any(feature = "ring", feature = "rustcrypto")),
        expect(dead_code, reason = "AWS-LC reads the whole key again")
    )]
    pub(crate) scalar: &'a [u8],
    /// 4, x, y.
    pub(crate) public: Option<&'a [u8]>,
}

/// Reads a private key; nothing when it is no PKCS#8 or of another kind.
pub(crate) fn private(pkcs8: &[u8]) -> Option<Result<Private<'_>, Refusal>> {
    let info = PrivateKeyInfoRef::from_der(pkcs8).ok()?;
    match info.algorithm.oid {
        RSA => Some(rsa_private(&info).map_err(|why| refusal(RSA_NAME, why))),
        EC => Some(ec_private(&info).map_err(|why| refusal(EC_NAME, why))),
        ED25519 => Some(ed25519_private(&info).map_err(|why| refusal(ED25519_NAME, why))),
        _ => None,
    }
}

fn rsa_private<'a>(info: &PrivateKeyInfoRef<'a>) -> Result<Private<'a>, &'static str> {
    if !has_no_parameters(&info.algorithm) {
        return Err("rsaEncryption has no parameters");
    }
    let der = info.private_key.as_bytes();
    let key = RsaPrivateKeyRef::from_der(der).map_err(|_| "it holds no RSAPrivateKey in DER")?;
    if key.other_prime_infos.is_some() {
        return Err("it has more than two primes");
    }
    let public = key.public_key();
    if let Some(why) = rsa_fault(&public) {
        return Err(why);
    }
    Ok(Private::Rsa(RsaPrivate {
        der,
        bits: bits(public.modulus.as_bytes()),
        exponent_bits: bits(public.public_exponent.as_bytes()),
        public: public.to_der().map_err(|_| INCONSISTENT)?,
    }))
}

fn ec_private<'a>(info: &PrivateKeyInfoRef<'a>) -> Result<Private<'a>, &'static str> {
    let curve =
        curve_of(info.algorithm.parameters).ok_or("its curve is none of P-256, P-384, P-521")?;
    let key = EcPrivateKey::from_der(info.private_key.as_bytes())
        .map_err(|_| "it holds no ECPrivateKey in DER")?;
    match key.parameters {
        None => {}
        Some(EcParameters::NamedCurve(oid)) if oid == curve_oid(curve) => {}
        Some(_) => return Err("it names two curves"),
    }
    // RFC 5915 §3: as long as the order.
    if key.private_key.len() != curve.len() {
        return Err("its private number has the wrong length");
    }
    let outer = match info.public_key.map(|key| key.as_bytes()) {
        Some(None) => return Err("its public key has no whole octets"),
        outer => outer.flatten(),
    };
    if outer.is_some() && key.public_key.is_some() && outer != key.public_key {
        return Err("it has two public keys");
    }
    let public = key.public_key.or(outer);
    if public.is_some_and(|key| key.first() != Some(&4) || key.len() != 1 + 2 * curve.len()) {
        return Err("its public key is no uncompressed point");
    }
    Ok(Private::Ec(EcPrivate {
        curve,
        scalar: key.private_key,
        public,
    }))
}

fn ed25519_private<'a>(info: &PrivateKeyInfoRef<'a>) -> Result<Private<'a>, &'static str> {
    if info.algorithm.parameters.is_some() {
        return Err("id-Ed25519 has no parameters");
    }
    // RFC 8410 §7: an OCTET STRING inside the OCTET STRING.
    let seed = match info.private_key.as_bytes() {
        [4, 32, seed @ ..] => seed.try_into().ok(),
        _ => None,
    };
    Ok(Private::Ed25519 {
        seed: seed.ok_or("its private key has not 32 octets")?,
        public: match info.public_key.map(|key| key.as_bytes()) {
            Some(None) => return Err("its public key has no whole octets"),
            public => public.flatten(),
        },
    })
}

impl RsaPrivate<'_> {
    /// The SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> Result<Vec<u8>, Refusal> {
        spki(RSA, Some(AnyRef::NULL), &self.public).ok_or_else(|| refusal(RSA_NAME, INCONSISTENT))
    }
}

impl EcPrivate<'_> {
    /// The SubjectPublicKeyInfo, from the public key that the library computed.
    pub(crate) fn spki(&self, computed: &[u8]) -> Result<Vec<u8>, Refusal> {
        let inconsistent = || refusal(EC_NAME, INCONSISTENT);
        if self.public.is_some_and(|told| told != computed) {
            return Err(inconsistent());
        }
        let oid = curve_oid(self.curve);
        spki(EC, Some(AnyRef::from(&oid)), computed).ok_or_else(inconsistent)
    }
}

/// The SubjectPublicKeyInfo of an Ed25519 key, from the public key that the library computed.
pub(crate) fn ed25519_spki(told: Option<&[u8]>, computed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let inconsistent = || refusal(ED25519_NAME, INCONSISTENT);
    if told.is_some_and(|told| told != computed) {
        return Err(inconsistent());
    }
    spki(ED25519, None, computed).ok_or_else(inconsistent)
}

fn spki(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> Option<Vec<u8>> {
    SubjectPublicKeyInfo {
        algorithm: AlgorithmIdentifierRef { oid, parameters },
        subject_public_key: BitStringRef::from_bytes(key).ok()?,
    }
    .to_der()
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use pkcs1::RsaPublicKeyRef as RsaPublicKey;
    use pkcs8::der::asn1::UintRef;

    /// A key of so many bits with this exponent.
    fn rsa(bits: usize, exponent: &[u8], parameters: Option<AnyRef<'_>>) -> Vec<u8> {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= modulus.len() * 8 - bits;
        let key = RsaPublicKey {
            modulus: UintRef::new(&modulus).unwrap(),
            public_exponent: UintRef::new(exponent).unwrap(),
        };
        spki(RSA, parameters, &key.to_der().unwrap()).unwrap()
    }

    #[test]
    fn limits_of_rsa() {
        let three: &[u8] = &[3];
        for (bits, exponent, fits) in [
            (2047, three, false),
            (2048, three, true),
            (8192, three, true),
            (8193, three, false),
            (2048, &[1], false),
            (2048, &[4], false),
            (2048, &[1, 0, 0, 0, 1], true),
            (2048, &[2, 0, 0, 0, 1], false),
        ] {
            let key = rsa(bits, exponent, Some(AnyRef::NULL));
            assert_eq!(read_public(&key).is_some(), fits, "{bits} {exponent:?}");
        }
        assert!(read_public(&rsa(2048, three, None)).is_some());
        let other = AnyRef::from(&RSA);
        assert!(read_public(&rsa(2048, three, Some(other))).is_none());
    }

    #[test]
    fn ed25519_has_no_parameters() {
        let key = [9; 32];
        assert!(read_public(&spki(ED25519, None, &key).unwrap()).is_some());
        let null = spki(ED25519, Some(AnyRef::NULL), &key).unwrap();
        assert!(read_public(&null).is_none());
    }
}
