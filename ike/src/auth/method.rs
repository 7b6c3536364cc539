//! Authentication methods, the hashes of signatures, and which method a host signs with.

use alloc::vec::Vec;

use hostward_crypto::algorithm::{Curve, Hash, Scheme};

use crate::certificate::algorithm::{is_key_for, signature_id};
use crate::der::{self, Der};

/// The methods of the authentication payload (RFC 7296 §3.8, RFC 4754 §7, RFC 7427 §3, RFC 7619 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum AuthMethod {
    /// RSA Digital Signature: PKCS#1 v1.5.
    Rsa = 1,
    /// Shared Key Message Integrity Code.
    SharedKey = 2,
    /// DSS Digital Signature: known, never taken.
    Dss = 3,
    /// ECDSA with SHA-256 on P-256.
    Ecdsa256 = 9,
    /// ECDSA with SHA-384 on P-384.
    Ecdsa384 = 10,
    /// ECDSA with SHA-512 on P-521.
    Ecdsa521 = 11,
    /// NULL Authentication: known, never taken.
    Null = 13,
    /// Digital Signature.
    DigitalSignature = 14,
}

impl AuthMethod {
    /// The method of a number on the wire.
    #[must_use]
    pub const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Rsa,
            2 => Self::SharedKey,
            3 => Self::Dss,
            9 => Self::Ecdsa256,
            10 => Self::Ecdsa384,
            11 => Self::Ecdsa521,
            13 => Self::Null,
            14 => Self::DigitalSignature,
            _ => return None,
        })
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether a shared key proves who a peer is, and not a certificate.
    #[must_use]
    pub const fn is_shared_key(self) -> bool {
        matches!(self, Self::SharedKey)
    }
}

/// The hashes that a host takes in signatures of the method Digital Signature: the data of
/// SIGNATURE_HASH_ALGORITHMS (RFC 7427 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureHashes {
    /// Bit n for hash n.
    bits: u8,
}

impl SignatureHashes {
    /// None: the peer does not know the method.
    pub const NONE: Self = Self { bits: 0 };
    /// SHA2-256, SHA2-384, SHA2-512 and Identity: all that are taken. RFC 8247 §3.2.1: SHA-1 is not.
    pub const ALL: Self = Self { bits: 0b11_1100 };

    /// Reads the data of the notification: numbers of two octets. Those that are not known, and SHA-1, are passed over,
    /// and so is half a number at the end.
    #[must_use]
    pub fn read(data: &[u8]) -> Self {
        let numbers = data.as_chunks::<2>().0.iter();
        let bits = numbers.fold(0u64, |bits, number| {
            bits | 1u64
                .checked_shl(u32::from(u16::from_be_bytes(*number)))
                .unwrap_or(0)
        });
        Self {
            bits: (bits & u64::from(Self::ALL.bits)) as u8,
        }
    }

    /// The data of the notification; empty when there are none, and then it is not sent.
    #[must_use]
    pub fn data(self) -> Vec<u8> {
        let numbers = (0..8).filter(|number| self.bits & 1 << number != 0);
        numbers.flat_map(|number| [0, number]).collect()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Whether signatures by this scheme are taken.
    #[must_use]
    pub const fn take(self, scheme: Scheme) -> bool {
        let number = match scheme {
            Scheme::RsaPkcs1(Hash::Sha256)
            | Scheme::RsaPss(Hash::Sha256)
            | Scheme::Ecdsa(_, Hash::Sha256) => 2,
            Scheme::RsaPkcs1(Hash::Sha384)
            | Scheme::RsaPss(Hash::Sha384)
            | Scheme::Ecdsa(_, Hash::Sha384) => 3,
            Scheme::RsaPkcs1(Hash::Sha512)
            | Scheme::RsaPss(Hash::Sha512)
            | Scheme::Ecdsa(_, Hash::Sha512) => 4,
            // RFC 8420 §2: the Identity hash.
            Scheme::Ed25519 => 5,
            Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) | Scheme::Ecdsa(..) | _ => return false,
        };
        self.bits & 1 << number != 0
    }
}

/// How a host proves who it is (`HowToAuthMe`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "z/OS has these")]
pub enum HowToAuthMe {
    /// With a shared key.
    PresharedKey,
    /// By the method RSA Digital Signature.
    RsaSignature,
    /// By the method ECDSA-256.
    Ecdsa256,
    /// By the method ECDSA-384.
    Ecdsa384,
    /// By the method ECDSA-521.
    Ecdsa521,
    /// By the method Digital Signature when the peer knows it, otherwise by the older one for the key.
    #[default]
    DigitalSignature,
}

impl HowToAuthMe {
    /// As z/OS writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PresharedKey => "PresharedKey",
            Self::RsaSignature => "RsaSignature",
            Self::Ecdsa256 => "ECDSA-256",
            Self::Ecdsa384 => "ECDSA-384",
            Self::Ecdsa521 => "ECDSA-521",
            Self::DigitalSignature => "DigitalSignature",
        }
    }

    /// Which scheme and method a host signs with, of those that its key can do, most wanted first. RFC 7427 §4: the
    /// method Digital Signature only when the peer has told which hashes it takes, and with one of them.
    ///
    /// # Errors
    ///
    /// [`NoMethod`] when nothing fits; a shared key needs no choice.
    pub fn choose(self, schemes: &[Scheme], peer: SignatureHashes) -> Result<Choice, NoMethod> {
        let old = |scheme: Scheme| match (self, scheme) {
            (
                Self::RsaSignature | Self::DigitalSignature,
                // The hash is not negotiated; RFC 8247 §3.2.1 leaves SHA-256 as the least, which peers take.
                Scheme::RsaPkcs1(Hash::Sha256),
            ) => Some(AuthMethod::Rsa),
            // RFC 4754 §1: hash and curve belong together.
            (Self::Ecdsa256 | Self::DigitalSignature, Scheme::Ecdsa(Curve::P256, Hash::Sha256)) => {
                Some(AuthMethod::Ecdsa256)
            }
            (Self::Ecdsa384 | Self::DigitalSignature, Scheme::Ecdsa(Curve::P384, Hash::Sha384)) => {
                Some(AuthMethod::Ecdsa384)
            }
            (Self::Ecdsa521 | Self::DigitalSignature, Scheme::Ecdsa(Curve::P521, Hash::Sha512)) => {
                Some(AuthMethod::Ecdsa521)
            }
            _ => None,
        };
        let new = |scheme: Scheme| {
            (self == Self::DigitalSignature && peer.take(scheme))
                .then_some(AuthMethod::DigitalSignature)
        };
        let choice = |pick: &dyn Fn(Scheme) -> Option<AuthMethod>| {
            schemes.iter().find_map(|scheme| {
                let method = pick(*scheme)?;
                let scheme = *scheme;
                Some(Choice { method, scheme })
            })
        };
        choice(&new).or_else(|| choice(&old)).ok_or(NoMethod)
    }
}

/// A private key can do no method that the policy and the peer allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the private key can do no authentication method that the policy and the peer allow")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct NoMethod;

/// How a host signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// The method of the payload.
    pub method: AuthMethod,
    /// What the key does.
    pub scheme: Scheme,
}

/// The AlgorithmIdentifier that goes before a signature (RFC 7427 appendix A), with its tag.
pub(super) fn identifier(scheme: Scheme) -> Option<Vec<u8>> {
    signature_id(scheme).map(|id| der::wrap(der::SEQUENCE, id.as_ref()))
}

/// Which scheme an AlgorithmIdentifier means for a public key; nothing when it is none of those that are taken, octet
/// for octet, or when the key is of another kind.
pub(super) fn identified(octets: &[u8], public_key: &[u8]) -> Option<Scheme> {
    let contents = der::only(der::SEQUENCE, octets)?;
    Scheme::all()
        .filter(|scheme| is_key_for(*scheme, public_key))
        .find(|scheme| {
            signature_id(*scheme).is_some_and(|id| id.as_ref() == contents)
                || matches!(scheme, Scheme::RsaPss(hash) if is_pss(contents, *hash))
        })
}

/// RFC 4055 §3.1: the parameters of RSASSA-PSS must be there, name one hash for the message and the mask, and a salt
/// as long as its digest. The NULL of the hash's parameters may be left out (RFC 4055 §2.1), and the trailer
/// field, which is the default, may be written.
fn is_pss(contents: &[u8], hash: Hash) -> bool {
    const RSA_PSS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10];
    const MGF1: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 8];
    let number = match hash {
        Hash::Sha256 => 1,
        Hash::Sha384 => 2,
        Hash::Sha512 => 3,
        Hash::Sha1 | _ => return false,
    };
    let is_hash = |algorithm: &[u8]| {
        let mut algorithm = Der(algorithm);
        let oid = algorithm.expect(der::OID);
        let null = algorithm.optional(der::NULL);
        oid.is_some_and(|oid| oid.value == [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, number])
            && null.is_none_or(|null| null.value.is_empty())
            && algorithm.is_empty()
    };
    let read = || {
        let mut all = Der(contents);
        let oid = all.expect(der::OID)?.value;
        let mut parameters = Der(all.expect(der::SEQUENCE)?.value);
        let message = der::only(der::SEQUENCE, parameters.expect(0xA0)?.value)?;
        let mut mask = Der(der::only(der::SEQUENCE, parameters.expect(0xA1)?.value)?);
        let function = mask.expect(der::OID)?.value;
        let masked = mask.expect(der::SEQUENCE)?.value;
        let salt = der::only(der::INTEGER, parameters.expect(0xA2)?.value)?;
        let trailer = match parameters.optional(0xA3) {
            Some(trailer) => der::only(der::INTEGER, trailer.value)? == [1],
            None => true,
        };
        let right = oid == RSA_PSS
            && is_hash(message)
            && function == MGF1
            && is_hash(masked)
            && salt == [hash.len() as u8]
            && trailer;
        Some(right && all.is_empty() && mask.is_empty() && parameters.is_empty())
    };
    read().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256: Scheme = Scheme::Ecdsa(Curve::P256, Hash::Sha256);

    // RFC 7427 §4, RFC 8247 §3.2.1: numbers of two octets; SHA-1 is not taken.
    #[test]
    fn hashes_on_the_wire() {
        assert_eq!(SignatureHashes::ALL.data(), [0, 2, 0, 3, 0, 4, 0, 5]);
        let read = SignatureHashes::read(&[0, 1, 0, 3, 1, 2, 0xFF, 0xFF, 0, 200, 0]);
        assert_eq!(read.data(), [0, 3]);
        assert!(read.take(Scheme::RsaPss(Hash::Sha384)));
        assert!(!read.take(Scheme::RsaPss(Hash::Sha256)));
        assert!(!SignatureHashes::ALL.take(Scheme::RsaPkcs1(Hash::Sha1)));
        assert!(SignatureHashes::read(&[0, 1]).is_empty());
        assert_eq!(SignatureHashes::read(&[]), SignatureHashes::NONE);
        // RFC 8420 §2.
        assert!(SignatureHashes::read(&[0, 5]).take(Scheme::Ed25519));
        assert!(!SignatureHashes::read(&[0, 2]).take(Scheme::Ed25519));
    }

    // RFC 7427 §4: the new method only when the peer has told its hashes. RFC 4754 §1: curve and hash together.
    #[test]
    fn the_method_fits_key_policy_and_peer() {
        use HowToAuthMe as H;
        let rsa = [
            Scheme::RsaPss(Hash::Sha512),
            Scheme::RsaPss(Hash::Sha256),
            Scheme::RsaPkcs1(Hash::Sha256),
        ];
        let all = SignatureHashes::ALL;
        let only = |number| SignatureHashes::read(&[0, number]);
        for (how, schemes, peer, expected) in [
            (H::DigitalSignature, &rsa[..], all, Some((14, rsa[0]))),
            (H::DigitalSignature, &rsa, only(2), Some((14, rsa[1]))),
            (
                H::DigitalSignature,
                &rsa,
                SignatureHashes::NONE,
                Some((1, rsa[2])),
            ),
            (H::DigitalSignature, &rsa, only(3), Some((1, rsa[2]))),
            (H::RsaSignature, &rsa, all, Some((1, rsa[2]))),
            (H::Ecdsa256, &rsa, all, None),
            (H::Ecdsa256, &[P256], all, Some((9, P256))),
            (H::Ecdsa384, &[P256], all, None),
            (
                H::DigitalSignature,
                &[P256],
                SignatureHashes::NONE,
                Some((9, P256)),
            ),
            (
                H::DigitalSignature,
                &[Scheme::Ed25519],
                only(5),
                Some((14, Scheme::Ed25519)),
            ),
            (H::DigitalSignature, &[Scheme::Ed25519], only(2), None),
            (H::PresharedKey, &rsa, all, None),
            (
                H::DigitalSignature,
                &[Scheme::RsaPkcs1(Hash::Sha1)],
                all,
                None,
            ),
        ] {
            let chosen = how.choose(schemes, peer);
            let chosen = chosen.ok().map(|c| (c.method.number(), c.scheme));
            assert_eq!(chosen, expected, "{how:?} {schemes:?} {peer:?}");
        }
    }

    /// A SubjectPublicKeyInfo as far as its kind.
    fn key(contents: &[u8]) -> Vec<u8> {
        der::wrap(der::SEQUENCE, &der::wrap(der::SEQUENCE, contents))
    }

    fn rsa_key() -> Vec<u8> {
        key(pki_types::alg_id::RSA_ENCRYPTION.as_ref())
    }

    // RFC 7427 appendix A: the identifiers, octet for octet.
    #[test]
    fn identifiers_are_those_of_the_rfc() {
        let hex = |scheme| {
            let octets = identifier(scheme).unwrap();
            octets
                .iter()
                .map(|o| std::format!("{o:02x}"))
                .collect::<std::string::String>()
        };
        assert_eq!(
            hex(Scheme::RsaPkcs1(Hash::Sha256)),
            "300d06092a864886f70d01010b0500"
        );
        assert_eq!(
            hex(Scheme::RsaPkcs1(Hash::Sha512)),
            "300d06092a864886f70d01010d0500"
        );
        assert_eq!(hex(P256), "300a06082a8648ce3d040302");
        assert_eq!(
            hex(Scheme::Ecdsa(Curve::P521, Hash::Sha512)),
            "300a06082a8648ce3d040304"
        );
        // RFC 8420 appendix A.
        assert_eq!(hex(Scheme::Ed25519), "300506032b6570");
        // RFC 7427 appendix A.4.3 has this identifier with the trailer field left out.
        assert_eq!(
            hex(Scheme::RsaPss(Hash::Sha256)),
            "304106092a864886f70d01010a3034a00f300d06096086480165030402010500\
             a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120"
        );
        for scheme in Scheme::all() {
            let key = match scheme {
                Scheme::Ecdsa(Curve::P256, _) => key(pki_types::alg_id::ECDSA_P256.as_ref()),
                Scheme::Ecdsa(Curve::P384, _) => key(pki_types::alg_id::ECDSA_P384.as_ref()),
                Scheme::Ecdsa(Curve::P521, _) => key(pki_types::alg_id::ECDSA_P521.as_ref()),
                Scheme::Ed25519 => key(pki_types::alg_id::ED25519.as_ref()),
                Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) | _ => rsa_key(),
            };
            let own = identifier(scheme).unwrap();
            assert_eq!(identified(&own, &key), Some(scheme));
            let other = if key == rsa_key() {
                key_of_curve()
            } else {
                rsa_key()
            };
            assert_eq!(identified(&own, &other), None, "{scheme}");
            // Nothing may be missing or added, outside or inside.
            for len in 0..own.len() {
                assert_eq!(identified(&own[..len], &key), None);
            }
            let mut longer = own.clone();
            longer.push(0);
            assert_eq!(identified(&longer, &key), None);
            let mut inside = own.clone();
            inside[1] += 2;
            inside.extend([5, 0]);
            assert_eq!(identified(&inside, &key), None, "{scheme}");
        }
    }

    fn key_of_curve() -> Vec<u8> {
        key(pki_types::alg_id::ECDSA_P256.as_ref())
    }

    /// RSASSA-PSS with these hashes (last octet of their identifiers), salt and trailer.
    fn pss(message: u8, mask: u8, salt: &[u8], trailer: Option<u8>, null: bool) -> Vec<u8> {
        let hash = |number| {
            let mut hash = der::wrap(der::OID, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, number]);
            if null {
                hash.extend([5, 0]);
            }
            der::wrap(der::SEQUENCE, &hash)
        };
        let mut mgf = der::wrap(der::OID, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 8]);
        mgf.extend(hash(mask));
        let mut parameters = der::wrap(0xA0, &hash(message));
        der::write(0xA1, &der::wrap(der::SEQUENCE, &mgf), &mut parameters);
        der::write(0xA2, &der::wrap(der::INTEGER, salt), &mut parameters);
        if let Some(trailer) = trailer {
            der::write(0xA3, &der::wrap(der::INTEGER, &[trailer]), &mut parameters);
        }
        let mut all = der::wrap(der::OID, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10]);
        der::write(der::SEQUENCE, &parameters, &mut all);
        der::wrap(der::SEQUENCE, &all)
    }

    // RFC 8247 §3.2.1: RSASSA-PSS with empty or default parameters is not taken. RFC 4055 §2.1, §3.1.
    #[test]
    fn parameters_of_pss_are_strict() {
        let key = rsa_key();
        let good = Some(Scheme::RsaPss(Hash::Sha256));
        assert_eq!(identified(&pss(1, 1, &[32], None, true), &key), good);
        assert_eq!(identified(&pss(1, 1, &[32], None, false), &key), good);
        assert_eq!(identified(&pss(1, 1, &[32], Some(1), true), &key), good);
        for bad in [
            pss(1, 2, &[32], None, true),
            pss(2, 1, &[32], None, true),
            pss(1, 1, &[20], None, true),
            pss(1, 1, &[0], None, true),
            pss(1, 1, &[0x7F, 0xFF, 0xFF, 0xFF], None, true),
            pss(1, 1, &[0xFF], None, true),
            pss(1, 1, &[], None, true),
            pss(1, 1, &[32], Some(2), true),
            pss(4, 4, &[28], None, true),
            // No parameters, empty parameters.
            der::wrap(
                der::SEQUENCE,
                &[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10],
            ),
            der::wrap(
                der::SEQUENCE,
                &[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10, 0x30, 0],
            ),
            // sha1WithRSAEncryption, md5WithRSAEncryption.
            der::wrap(
                der::SEQUENCE,
                &[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 5, 5, 0],
            ),
            der::wrap(
                der::SEQUENCE,
                &[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 4, 5, 0],
            ),
            // Ed448.
            der::wrap(der::SEQUENCE, &[6, 3, 0x2B, 0x65, 0x71]),
        ] {
            assert_eq!(identified(&bad, &key), None, "{bad:02x?}");
        }
    }

    #[test]
    fn methods_by_their_numbers() {
        for number in 0..=255 {
            if let Some(method) = AuthMethod::of(number) {
                assert_eq!(method.number(), number);
            }
        }
        assert_eq!(AuthMethod::of(0), None);
        assert_eq!(AuthMethod::of(12), None);
    }
}
