//! Algorithms by their transform ids (RFC 7296 §3.3.2, RFC 8247, RFC 8221, RFC 9370).

use hostward_crypto::algorithm::{AesKey, Tag};
use hostward_crypto::fips::Purpose;
use hostward_crypto::{Aead, Algorithm, Cipher, Group, Hash, Mac, Prf, Provider, Refusal};

use crate::message::{TransformType, WireAttribute, WireTransform};

/// Encryption (transform type 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encr {
    /// Combined with authentication, the IV in the packet (RFC 4106, RFC 4309, RFC 5282, RFC 7634).
    Aead(Aead),
    /// The same with the IV from the sequence number (RFC 8750); for ESP only.
    ImplicitIv(Aead),
    /// Authentication without encryption (RFC 4543): ENCR_NULL_AUTH_AES_GMAC; for ESP only.
    Gmac(AesKey),
    /// Encryption alone, beside an [`Integ`].
    Cipher(Cipher),
    /// None; for ESP only, beside an [`Integ`].
    Null,
}

impl Encr {
    /// The transform id.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Null => 11,
            Self::Cipher(Cipher::AesCbc(_)) => 12,
            Self::Aead(Aead::AesCcm(_, Tag::Octets8)) => 14,
            Self::Aead(Aead::AesCcm(_, Tag::Octets12)) => 15,
            Self::Aead(Aead::AesCcm(_, Tag::Octets16)) => 16,
            Self::Aead(Aead::AesGcm(_, Tag::Octets8)) => 18,
            Self::Aead(Aead::AesGcm(_, Tag::Octets12)) => 19,
            Self::Aead(Aead::AesGcm(_, Tag::Octets16)) => 20,
            Self::Gmac(_) => 21,
            Self::Aead(Aead::ChaCha20Poly1305) => 28,
            Self::ImplicitIv(Aead::AesCcm(..)) => 29,
            Self::ImplicitIv(Aead::AesGcm(..)) => 30,
            Self::ImplicitIv(Aead::ChaCha20Poly1305) => 31,
            Self::Cipher(Cipher::AesCtr(_)) => 13,
            // The enums of the crypto crate are open; what it may get has no id until it is given one.
            Self::Cipher(_) | Self::Aead(_) | Self::ImplicitIv(_) => 0,
        }
    }

    /// The AES key, of which the Key Length attribute tells the length.
    #[must_use]
    pub const fn aes_key(self) -> Option<AesKey> {
        match self {
            Self::Aead(Aead::AesGcm(key, _) | Aead::AesCcm(key, _))
            | Self::ImplicitIv(Aead::AesGcm(key, _) | Aead::AesCcm(key, _))
            | Self::Gmac(key)
            | Self::Cipher(Cipher::AesCbc(key) | Cipher::AesCtr(key)) => Some(key),
            Self::Aead(_) | Self::ImplicitIv(_) | Self::Cipher(_) | Self::Null => None,
        }
    }

    /// The algorithm with this id and Key Length attribute. AES must have one, the others none.
    #[must_use]
    pub fn of(id: u16, key_bits: Option<u16>) -> Option<Self> {
        let Some(bits) = key_bits else {
            return match id {
                11 => Some(Self::Null),
                28 => Some(Self::Aead(Aead::ChaCha20Poly1305)),
                31 => Some(Self::ImplicitIv(Aead::ChaCha20Poly1305)),
                _ => None,
            };
        };
        if !bits.is_multiple_of(8) {
            return None;
        }
        let key = AesKey::of(usize::from(bits / 8))?;
        Some(match id {
            12 => Self::Cipher(Cipher::AesCbc(key)),
            13 => Self::Cipher(Cipher::AesCtr(key)),
            14 => Self::Aead(Aead::AesCcm(key, Tag::Octets8)),
            15 => Self::Aead(Aead::AesCcm(key, Tag::Octets12)),
            16 => Self::Aead(Aead::AesCcm(key, Tag::Octets16)),
            18 => Self::Aead(Aead::AesGcm(key, Tag::Octets8)),
            19 => Self::Aead(Aead::AesGcm(key, Tag::Octets12)),
            20 => Self::Aead(Aead::AesGcm(key, Tag::Octets16)),
            21 => Self::Gmac(key),
            29 => Self::ImplicitIv(Aead::AesCcm(key, Tag::Octets8)),
            30 => Self::ImplicitIv(Aead::AesGcm(key, Tag::Octets16)),
            _ => return None,
        })
    }

    /// Whether it authenticates too, so that there is no integrity beside it.
    #[must_use]
    pub const fn is_combined(self) -> bool {
        matches!(self, Self::Aead(_) | Self::ImplicitIv(_) | Self::Gmac(_))
    }

    /// Octets of the salt that follows the key in the key material (RFC 5282 §7.1): 4, with CCM 3; with
    /// AES in counter mode the nonce of 4 octets (RFC 3686 §4).
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::Aead(Aead::AesCcm(..)) | Self::ImplicitIv(Aead::AesCcm(..)) => 3,
            Self::Aead(_)
            | Self::ImplicitIv(_)
            | Self::Gmac(_)
            | Self::Cipher(Cipher::AesCtr(_)) => 4,
            Self::Cipher(_) | Self::Null => 0,
        }
    }

    /// Octets of key and salt in the key material.
    #[must_use]
    pub const fn key_len(self) -> usize {
        self.salt_len()
            + match self {
                Self::Aead(aead) | Self::ImplicitIv(aead) => aead.key_len(),
                Self::Gmac(key) => key.len(),
                Self::Cipher(cipher) => cipher.key_len(),
                Self::Null => 0,
            }
    }

    /// What a provider must do for it.
    #[must_use]
    pub const fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::Aead(aead) | Self::ImplicitIv(aead) => Some(Algorithm::Aead(aead)),
            Self::Gmac(key) => Some(Algorithm::Aead(Aead::AesGcm(key, Tag::Octets16))),
            Self::Cipher(cipher) => Some(Algorithm::Cipher(cipher)),
            Self::Null => None,
        }
    }
}

/// Whether an id of transform type 1, implemented here or not, is of a combined algorithm.
pub(super) const fn is_combined_id(id: u16) -> bool {
    matches!(id, 14..=16 | 18..=21 | 25..=31)
}

/// Integrity (transform type 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Integ {
    /// A code, truncated as ESP, AH and IKE have it.
    Mac(Mac),
    /// GMAC (RFC 4543); for AH only.
    Gmac(AesKey),
}

impl Integ {
    /// The transform id.
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Mac(Mac::Hmac(Hash::Sha1)) => 2,
            Self::Mac(Mac::AesXcbc) => 5,
            Self::Mac(Mac::AesCmac) => 8,
            Self::Gmac(AesKey::Aes128) => 9,
            Self::Gmac(AesKey::Aes192) => 10,
            Self::Gmac(AesKey::Aes256) => 11,
            Self::Mac(Mac::Hmac(Hash::Sha256)) => 12,
            Self::Mac(Mac::Hmac(Hash::Sha384)) => 13,
            Self::Mac(Mac::Hmac(Hash::Sha512)) => 14,
            Self::Mac(_) => 0,
        }
    }

    /// The algorithm with this id.
    #[must_use]
    pub const fn of(id: u16) -> Option<Self> {
        Some(match id {
            2 => Self::Mac(Mac::Hmac(Hash::Sha1)),
            5 => Self::Mac(Mac::AesXcbc),
            8 => Self::Mac(Mac::AesCmac),
            9 => Self::Gmac(AesKey::Aes128),
            10 => Self::Gmac(AesKey::Aes192),
            11 => Self::Gmac(AesKey::Aes256),
            12 => Self::Mac(Mac::Hmac(Hash::Sha256)),
            13 => Self::Mac(Mac::Hmac(Hash::Sha384)),
            14 => Self::Mac(Mac::Hmac(Hash::Sha512)),
            _ => return None,
        })
    }

    /// Octets of the ICV: half of the digest with SHA-2 (RFC 4868 §2.1), 12 with the older ones, 16 for
    /// GMAC.
    #[must_use]
    pub const fn icv_len(self) -> usize {
        match self {
            Self::Mac(Mac::Hmac(Hash::Sha1) | Mac::AesXcbc | Mac::AesCmac) => 12,
            Self::Mac(mac) => mac.len() / 2,
            Self::Gmac(_) => 16,
        }
    }

    /// Octets in the key material, with GMAC's salt.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Mac(mac) => mac.key_len(),
            Self::Gmac(key) => key.len() + 4,
        }
    }

    /// What a provider must do for it.
    #[must_use]
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Mac(mac) => Algorithm::Mac(mac),
            Self::Gmac(key) => Algorithm::Aead(Aead::AesGcm(key, Tag::Octets16)),
        }
    }
}

const PRFS: [(u16, Prf); 6] = [
    (2, Prf::Hmac(Hash::Sha1)),
    (4, Prf::AesXcbc),
    (5, Prf::Hmac(Hash::Sha256)),
    (6, Prf::Hmac(Hash::Sha384)),
    (7, Prf::Hmac(Hash::Sha512)),
    (8, Prf::AesCmac),
];

/// The transform id of a PRF (transform type 2).
#[must_use]
pub fn prf_id(prf: Prf) -> Option<u16> {
    PRFS.iter().find(|(_, has)| *has == prf).map(|(id, _)| *id)
}

/// The PRF with this transform id.
#[must_use]
pub fn prf_of(id: u16) -> Option<Prf> {
    PRFS.iter().find(|(has, _)| *has == id).map(|(_, prf)| *prf)
}

const GROUPS: [(u16, Group); 13] = [
    (14, Group::Modp2048),
    (15, Group::Modp3072),
    (16, Group::Modp4096),
    (17, Group::Modp6144),
    (18, Group::Modp8192),
    (19, Group::P256),
    (20, Group::P384),
    (21, Group::P521),
    (31, Group::X25519),
    (32, Group::X448),
    (35, Group::MlKem512),
    (36, Group::MlKem768),
    (37, Group::MlKem1024),
];

/// The transform id of a key exchange method (transform type 4); nothing for TLS's hybrids.
#[must_use]
pub fn group_id(group: Group) -> Option<u16> {
    GROUPS
        .iter()
        .find(|(_, has)| *has == group)
        .map(|(id, _)| *id)
}

/// The key exchange method with this transform id.
#[must_use]
pub fn group_of(id: u16) -> Option<Group> {
    GROUPS
        .iter()
        .find(|(has, _)| *has == id)
        .map(|(_, group)| *group)
}

/// One transform, typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transform {
    /// Encryption.
    Encr(Encr),
    /// The pseudo-random function.
    Prf(Prf),
    /// Integrity, or NONE.
    Integ(Option<Integ>),
    /// A key exchange method, or NONE.
    Ke(Option<Group>),
    /// Whether sequence numbers have 64 bits.
    Esn(bool),
    /// An additional key exchange: its index, 0 for ADDKE1, and method, or NONE.
    Additional(u8, Option<Group>),
}

impl Transform {
    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> TransformType {
        match self {
            Self::Encr(_) => TransformType::ENCR,
            Self::Prf(_) => TransformType::PRF,
            Self::Integ(_) => TransformType::INTEG,
            Self::Ke(_) => TransformType::KE,
            Self::Esn(_) => TransformType::ESN,
            Self::Additional(index, _) => TransformType(6_u8.wrapping_add(*index)),
        }
    }

    /// Its id, where it has one.
    #[must_use]
    pub fn id(&self) -> Option<u16> {
        match self {
            Self::Encr(encr) => Some(encr.id()).filter(|id| *id != 0),
            Self::Prf(prf) => prf_id(*prf),
            Self::Integ(None) | Self::Ke(None) | Self::Additional(_, None) => Some(0),
            Self::Integ(Some(integ)) => Some(integ.id()).filter(|id| *id != 0),
            Self::Ke(Some(group)) | Self::Additional(_, Some(group)) => group_id(*group),
            Self::Esn(esn) => Some(u16::from(*esn)),
        }
    }

    /// The Key Length attribute it needs.
    #[must_use]
    pub fn key_bits(&self) -> Option<u16> {
        match self {
            Self::Encr(encr) => encr.aes_key().map(|key| key.len() as u16 * 8),
            Self::Prf(_) | Self::Integ(_) | Self::Ke(_) | Self::Esn(_) | Self::Additional(..) => {
                None
            }
        }
    }

    /// What a peer's transform means; nothing for what is not known here, unknown attributes included,
    /// which makes this one transform unacceptable (RFC 7296 §3.3.6).
    #[must_use]
    pub fn of(wire: &WireTransform<'_>) -> Option<Self> {
        let mut bits = None;
        for attribute in wire.attributes() {
            let value = <[u8; 2]>::try_from(attribute.value).ok()?;
            let known = attribute.kind == WireAttribute::KEY_LENGTH && attribute.short;
            if !known || bits.is_some() {
                return None;
            }
            bits = Some(u16::from_be_bytes(value));
        }
        if wire.kind == TransformType::ENCR {
            return Encr::of(wire.id, bits).map(Self::Encr);
        }
        if bits.is_some() {
            return None;
        }
        let method = || match wire.id {
            0 => Some(None),
            id => group_of(id).map(Some),
        };
        match wire.kind {
            TransformType::PRF => prf_of(wire.id).map(Self::Prf),
            TransformType::INTEG => match wire.id {
                0 => Some(Self::Integ(None)),
                id => Integ::of(id).map(|integ| Self::Integ(Some(integ))),
            },
            TransformType::KE => method().map(Self::Ke),
            TransformType::ESN => match wire.id {
                0 => Some(Self::Esn(false)),
                1 => Some(Self::Esn(true)),
                _ => None,
            },
            kind => {
                let index = kind.additional_index()?;
                method().map(|group| Self::Additional(index as u8, group))
            }
        }
    }

    /// Whether a provider does it and FIPS mode allows it for this.
    ///
    /// # Errors
    ///
    /// [`Refusal`], which says why not.
    pub fn check(&self, provider: &Provider, purpose: Purpose) -> Result<(), Refusal> {
        match self {
            Self::Encr(encr) => encr
                .algorithm()
                .map_or(Ok(()), |algorithm| provider.check(purpose, algorithm)),
            Self::Prf(prf) => provider.check(purpose, Algorithm::Mac(prf.mac())),
            Self::Integ(Some(integ)) => provider.check(purpose, integ.algorithm()),
            // Also with PFS it is IKE that runs the exchange.
            Self::Ke(Some(group)) | Self::Additional(_, Some(group)) => {
                provider.check(Purpose::Ike, Algorithm::Exchange(*group))
            }
            Self::Integ(None) | Self::Ke(None) | Self::Additional(_, None) | Self::Esn(_) => Ok(()),
        }
    }
}
