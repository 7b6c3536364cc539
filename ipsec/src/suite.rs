//! What protects packets: combinations of encryption and integrity, by their IKEv2 transform numbers.

use core::fmt;

use hostward_crypto::algorithm::{AesKey, Tag};
use hostward_crypto::fips::Purpose;
use hostward_crypto::{Aead, Algorithm, Cipher, Hash, Mac, Provider, Refusal};
use hostward_hook::protection::Transforms;

/// Numbers of encryption transforms (IKEv2 transform type 1).
pub mod encr {
    #![expect(missing_docs, reason = "the names are the registry's")]
    pub const NULL: u16 = 11;
    pub const AES_CBC: u16 = 12;
    pub const AES_CTR: u16 = 13;
    pub const AES_CCM_8: u16 = 14;
    pub const AES_CCM_12: u16 = 15;
    pub const AES_CCM_16: u16 = 16;
    pub const AES_GCM_8: u16 = 18;
    pub const AES_GCM_12: u16 = 19;
    pub const AES_GCM_16: u16 = 20;
    pub const NULL_AUTH_AES_GMAC: u16 = 21;
    pub const CHACHA20_POLY1305: u16 = 28;
    pub const AES_CCM_8_IIV: u16 = 29;
    pub const AES_GCM_16_IIV: u16 = 30;
    pub const CHACHA20_POLY1305_IIV: u16 = 31;
}

/// Numbers of integrity transforms (IKEv2 transform type 3).
pub mod integ {
    #![expect(missing_docs, reason = "the names are the registry's")]
    pub const NONE: u16 = 0;
    pub const HMAC_SHA1_96: u16 = 2;
    pub const AES_XCBC_96: u16 = 5;
    pub const AES_CMAC_96: u16 = 8;
    pub const AES_128_GMAC: u16 = 9;
    pub const AES_192_GMAC: u16 = 10;
    pub const AES_256_GMAC: u16 = 11;
    pub const HMAC_SHA2_256_128: u16 = 12;
    pub const HMAC_SHA2_384_192: u16 = 13;
    pub const HMAC_SHA2_512_256: u16 = 14;
}

/// The protocol that carries the protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4301 knows these two")]
pub enum Protocol {
    /// Encapsulating Security Payload (RFC 4303).
    Esp,
    /// Authentication Header (RFC 4302).
    Ah,
}

impl Protocol {
    /// The IP protocol number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Esp => 50,
            Self::Ah => 51,
        }
    }
}

/// Why a combination of transforms is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// The encryption transform is not known here.
    #[error("encryption transform {0} is not known")]
    Encryption(u16),
    /// The integrity transform is not known here, or not for this protocol.
    #[error("integrity transform {0} is not known for this protocol")]
    Integrity(u16),
    /// The key length does not belong to the transform.
    #[error("encryption transform {encryption} does not take keys of {bits} bits")]
    KeyLength {
        /// The transform.
        encryption: u16,
        /// The length that was asked for.
        bits: u16,
    },
    /// Combined-mode encryption stands alone (RFC 7296 §3.3).
    #[error("combined-mode encryption takes no integrity transform")]
    CombinedWithIntegrity,
    /// Encryption alone protects nothing (RFC 8221 §4), and neither does nothing.
    #[error("encryption without integrity is not offered")]
    NoIntegrity,
}

/// How packets are worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Work {
    /// Combined mode; the IV is explicit or the sequence number (RFC 8750).
    Combined { aead: Aead, implicit: bool },
    /// GMAC: GCM over associated data only (RFC 4543).
    Gmac(AesKey),
    /// Encrypt, then authenticate; without a cipher authenticate only.
    Apart {
        cipher: Option<Cipher>,
        mac: Mac,
        icv: u8,
    },
}

/// What protects a packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Suite {
    protocol: Protocol,
    encryption: u16,
    bits: u16,
    integrity: u16,
    work: Work,
}

impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Suite({self})")
    }
}

const fn aes(encryption: u16, bits: u16) -> Result<AesKey, SuiteError> {
    match AesKey::of(bits as usize / 8) {
        Some(key) if bits.is_multiple_of(8) => Ok(key),
        _ => Err(SuiteError::KeyLength { encryption, bits }),
    }
}

/// The code and the octets of it that are sent.
const fn mac(integrity: u16) -> Result<(Mac, u8), SuiteError> {
    Ok(match integrity {
        integ::HMAC_SHA1_96 => (Mac::Hmac(Hash::Sha1), 12),
        integ::AES_XCBC_96 => (Mac::AesXcbc, 12),
        integ::AES_CMAC_96 => (Mac::AesCmac, 12),
        integ::HMAC_SHA2_256_128 => (Mac::Hmac(Hash::Sha256), 16),
        integ::HMAC_SHA2_384_192 => (Mac::Hmac(Hash::Sha384), 24),
        integ::HMAC_SHA2_512_256 => (Mac::Hmac(Hash::Sha512), 32),
        integ::NONE => return Err(SuiteError::NoIntegrity),
        other => return Err(SuiteError::Integrity(other)),
    })
}

impl Suite {
    /// AES-128-GCM with an ICV of 16 octets.
    pub const AES_128_GCM: Self = Self::gcm(128);
    /// AES-256-GCM with an ICV of 16 octets.
    pub const AES_256_GCM: Self = Self::gcm(256);
    /// ChaCha20-Poly1305.
    pub const CHACHA20_POLY1305: Self = Self {
        protocol: Protocol::Esp,
        encryption: encr::CHACHA20_POLY1305,
        bits: 0,
        integrity: integ::NONE,
        work: Work::Combined {
            aead: Aead::ChaCha20Poly1305,
            implicit: false,
        },
    };

    const fn gcm(bits: u16) -> Self {
        let key = if bits == 256 {
            AesKey::Aes256
        } else {
            AesKey::Aes128
        };
        Self {
            protocol: Protocol::Esp,
            encryption: encr::AES_GCM_16,
            bits,
            integrity: integ::NONE,
            work: Work::Combined {
                aead: Aead::AesGcm(key, Tag::Octets16),
                implicit: false,
            },
        }
    }

    /// ESP with these transforms: `encryption` and `integrity` by their numbers ([`encr`],
    /// [`integ`]), `bits` the Key Length attribute, 0 where the transform has none.
    ///
    /// # Errors
    /// [`SuiteError`] when a number is not known, or they do not go together.
    pub const fn esp(encryption: u16, bits: u16, integrity: u16) -> Result<Self, SuiteError> {
        let work = match encryption {
            encr::NULL | encr::AES_CBC | encr::AES_CTR => {
                // Not with `?`, which is not for constants.
                let (mac, icv) = match mac(integrity) {
                    Ok(mac) => mac,
                    Err(error) => return Err(error),
                };
                let cipher = match (encryption, aes(encryption, bits)) {
                    (encr::NULL, _) if bits == 0 => None,
                    (encr::NULL, _) => return Err(SuiteError::KeyLength { encryption, bits }),
                    (_, Err(error)) => return Err(error),
                    (encr::AES_CBC, Ok(key)) => Some(Cipher::AesCbc(key)),
                    (_, Ok(key)) => Some(Cipher::AesCtr(key)),
                };
                Work::Apart { cipher, mac, icv }
            }
            encr::CHACHA20_POLY1305 | encr::CHACHA20_POLY1305_IIV => {
                // RFC 7634 §4: the transform has one key length and no such attribute.
                if bits != 0 {
                    return Err(SuiteError::KeyLength { encryption, bits });
                }
                Work::Combined {
                    aead: Aead::ChaCha20Poly1305,
                    implicit: encryption == encr::CHACHA20_POLY1305_IIV,
                }
            }
            encr::AES_CCM_8
            | encr::AES_CCM_12
            | encr::AES_CCM_16
            | encr::AES_GCM_8
            | encr::AES_GCM_12
            | encr::AES_GCM_16
            | encr::NULL_AUTH_AES_GMAC
            | encr::AES_CCM_8_IIV
            | encr::AES_GCM_16_IIV => {
                let key = match aes(encryption, bits) {
                    Ok(key) => key,
                    Err(error) => return Err(error),
                };
                let aead = match encryption {
                    encr::AES_CCM_8 | encr::AES_CCM_8_IIV => Aead::AesCcm(key, Tag::Octets8),
                    encr::AES_CCM_12 => Aead::AesCcm(key, Tag::Octets12),
                    encr::AES_CCM_16 => Aead::AesCcm(key, Tag::Octets16),
                    encr::AES_GCM_8 => Aead::AesGcm(key, Tag::Octets8),
                    encr::AES_GCM_12 => Aead::AesGcm(key, Tag::Octets12),
                    _ => Aead::AesGcm(key, Tag::Octets16),
                };
                if encryption == encr::NULL_AUTH_AES_GMAC {
                    Work::Gmac(key)
                } else {
                    Work::Combined {
                        aead,
                        implicit: matches!(encryption, encr::AES_CCM_8_IIV | encr::AES_GCM_16_IIV),
                    }
                }
            }
            other => return Err(SuiteError::Encryption(other)),
        };
        // RFC 7296 §3.3: combined modes carry their own integrity.
        if !matches!(work, Work::Apart { .. }) && integrity != integ::NONE {
            return Err(SuiteError::CombinedWithIntegrity);
        }
        Ok(Self {
            protocol: Protocol::Esp,
            encryption,
            bits,
            integrity,
            work,
        })
    }

    /// AH with this integrity transform.
    ///
    /// # Errors
    /// [`SuiteError`] when the number is not known, or [`integ::NONE`].
    pub const fn ah(integrity: u16) -> Result<Self, SuiteError> {
        let work = match integrity {
            integ::AES_128_GMAC => Work::Gmac(AesKey::Aes128),
            integ::AES_192_GMAC => Work::Gmac(AesKey::Aes192),
            integ::AES_256_GMAC => Work::Gmac(AesKey::Aes256),
            other => match mac(other) {
                Ok((mac, icv)) => Work::Apart {
                    cipher: None,
                    mac,
                    icv,
                },
                Err(error) => return Err(error),
            },
        };
        Ok(Self {
            protocol: Protocol::Ah,
            encryption: 0,
            bits: 0,
            integrity,
            work,
        })
    }

    /// Every combination there is: ESP first, then AH.
    pub fn all() -> impl Iterator<Item = Self> {
        let macs = [2, 5, 8, 12, 13, 14];
        let esp = (0..64).flat_map(move |encryption| {
            [0, 128, 192, 256].into_iter().flat_map(move |bits| {
                [integ::NONE]
                    .into_iter()
                    .chain(macs)
                    .filter_map(move |integrity| Self::esp(encryption, bits, integrity).ok())
            })
        });
        esp.chain((0..64).filter_map(|integrity| Self::ah(integrity).ok()))
    }

    /// ESP or AH.
    #[must_use]
    pub const fn protocol(self) -> Protocol {
        self.protocol
    }

    pub(crate) const fn work(self) -> Work {
        self.work
    }

    /// Whether it is combined mode, or GMAC: whether a repeated IV would be ruinous, so that keys
    /// must not be used again after a restart (RFC 4106 §2).
    #[must_use]
    pub const fn counts(self) -> bool {
        match self.work {
            Work::Combined { .. } | Work::Gmac(_) => true,
            Work::Apart { cipher, .. } => matches!(cipher, Some(Cipher::AesCtr(_))),
        }
    }

    /// Octets of the encryption key, salt or nonce included.
    #[must_use]
    pub const fn encryption_key_len(self) -> usize {
        match self.work {
            Work::Combined { aead, .. } => {
                aead.key_len()
                    + match aead {
                        // RFC 4309 §4: three octets of salt.
                        Aead::AesCcm(..) => 3,
                        // RFC 4106 §4, RFC 7634 §2: four.
                        Aead::AesGcm(..) | Aead::ChaCha20Poly1305 | _ => 4,
                    }
            }
            Work::Gmac(key) => match self.protocol {
                Protocol::Esp => key.len() + 4,
                Protocol::Ah => 0,
            },
            Work::Apart { cipher, .. } => match cipher {
                None => 0,
                Some(cipher @ Cipher::AesCtr(_)) => cipher.key_len() + 4,
                Some(cipher) => cipher.key_len(),
            },
        }
    }

    /// Octets of the integrity key.
    #[must_use]
    pub const fn integrity_key_len(self) -> usize {
        match self.work {
            Work::Combined { .. } => 0,
            Work::Gmac(key) => match self.protocol {
                Protocol::Esp => 0,
                Protocol::Ah => key.len() + 4,
            },
            Work::Apart { mac, .. } => mac.key_len(),
        }
    }

    /// Octets of key material one direction takes: the encryption key, its salt, the integrity key
    /// (RFC 7296 §2.17).
    #[must_use]
    pub const fn key_material_len(self) -> usize {
        self.encryption_key_len() + self.integrity_key_len()
    }

    /// Octets of the IV in each packet.
    #[must_use]
    pub const fn iv_len(self) -> usize {
        match self.work {
            Work::Combined { implicit, .. } => {
                if implicit {
                    0
                } else {
                    8
                }
            }
            Work::Gmac(_) => 8,
            Work::Apart { cipher, .. } => match cipher {
                None => 0,
                Some(Cipher::AesCtr(_)) => 8,
                Some(_) => 16,
            },
        }
    }

    /// Octets of the integrity check value.
    #[must_use]
    pub const fn icv_len(self) -> usize {
        match self.work {
            Work::Combined { aead, .. } => aead.tag_len(),
            Work::Gmac(_) => 16,
            Work::Apart { icv, .. } => icv as usize,
        }
    }

    /// What the length of the plaintext with its padding is a multiple of: the cipher's block, and 4
    /// at least (RFC 4303 §2.4).
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self.work {
            Work::Apart {
                cipher: Some(cipher),
                ..
            } if cipher.block_len() > 4 => cipher.block_len(),
            Work::Apart { .. } | Work::Combined { .. } | Work::Gmac(_) => 4,
        }
    }

    /// The transforms, for those who record them.
    #[must_use]
    pub fn transforms(self) -> Transforms {
        let mut transforms = Transforms::default();
        if self.protocol == Protocol::Esp {
            transforms.encryption = Some(self.encryption);
            transforms.encryption_bits = self.bits;
        }
        if self.integrity != integ::NONE {
            transforms.integrity = Some(self.integrity);
        }
        transforms
    }

    /// The algorithms it is made of.
    pub fn algorithms(self) -> impl Iterator<Item = Algorithm> {
        let both = match self.work {
            Work::Combined { aead, .. } => [Some(Algorithm::Aead(aead)), None],
            Work::Gmac(key) => [
                Some(Algorithm::Aead(Aead::AesGcm(key, Tag::Octets16))),
                None,
            ],
            Work::Apart { cipher, mac, .. } => {
                [cipher.map(Algorithm::Cipher), Some(Algorithm::Mac(mac))]
            }
        };
        both.into_iter().flatten()
    }

    /// Whether a provider does all of it, and FIPS mode allows it.
    ///
    /// # Errors
    /// The provider's [`Refusal`].
    pub fn check(self, provider: &Provider) -> Result<(), Refusal> {
        let purpose = match self.protocol {
            Protocol::Esp => Purpose::Esp,
            Protocol::Ah => Purpose::Ah,
        };
        self.algorithms()
            .try_for_each(|algorithm| provider.check(purpose, algorithm))
    }
}

/// A stable name: `aes128-gcm16`, `aes128-cbc-hmac-sha256`, `ah-hmac-sha256`.
impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.protocol == Protocol::Ah {
            f.write_str("ah-")?;
        }
        match self.work {
            Work::Combined { aead, implicit } => {
                match aead {
                    Aead::AesGcm(key, tag) => {
                        write!(f, "aes{}-gcm{}", key.len() * 8, tag.len())?;
                    }
                    Aead::AesCcm(key, tag) => {
                        write!(f, "aes{}-ccm{}", key.len() * 8, tag.len())?;
                    }
                    Aead::ChaCha20Poly1305 | _ => f.write_str("chacha20-poly1305")?,
                }
                if implicit {
                    f.write_str("-iiv")
                } else {
                    Ok(())
                }
            }
            Work::Gmac(key) => write!(f, "aes{}-gmac", key.len() * 8),
            Work::Apart { cipher, mac, .. } => {
                match cipher {
                    Some(Cipher::AesCbc(key)) => write!(f, "aes{}-cbc-", key.len() * 8)?,
                    Some(Cipher::AesCtr(key)) => write!(f, "aes{}-ctr-", key.len() * 8)?,
                    Some(_) => {}
                    None if self.protocol == Protocol::Esp => f.write_str("null-")?,
                    None => {}
                }
                f.write_str(match mac {
                    Mac::Hmac(Hash::Sha1) => "hmac-sha1",
                    Mac::Hmac(Hash::Sha256) => "hmac-sha256",
                    Mac::Hmac(Hash::Sha384) => "hmac-sha384",
                    Mac::Hmac(_) => "hmac-sha512",
                    Mac::AesCmac => "aes-cmac",
                    Mac::AesXcbc => "aes-xcbc",
                    _ => "mac",
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;

    #[test]
    fn every_combination_has_its_own_name_and_numbers() {
        let all: alloc::vec::Vec<_> = Suite::all().collect();
        // 18 of GCM and CCM with three tags, 3 GMAC, 2 of ChaCha, 6 more with an implicit IV; CBC and CTR
        // with three keys and six codes, NULL with six; AH with six codes and three GMACs.
        assert_eq!(all.len(), 18 + 3 + 2 + 6 + 36 + 6 + 9);
        let names: BTreeSet<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), all.len());
        for suite in all {
            let t = suite.transforms();
            let again = match suite.protocol() {
                Protocol::Esp => Suite::esp(
                    t.encryption.unwrap(),
                    t.encryption_bits,
                    t.integrity.unwrap_or(0),
                ),
                Protocol::Ah => Suite::ah(t.integrity.unwrap()),
            };
            assert_eq!(again, Ok(suite));
        }
    }

    // RFC 7296 §2.17, §3.3; RFC 4303 §2.4; RFC 4106 §2, §4; RFC 4309 §4; RFC 7634 §2, §4: lengths.
    #[test]
    fn lengths() {
        let of = |e, b, i| {
            let s = Suite::esp(e, b, i).unwrap();
            [
                s.key_material_len(),
                s.iv_len(),
                s.icv_len(),
                s.block_len(),
                usize::from(s.counts()),
            ]
        };
        assert_eq!(of(encr::AES_GCM_16, 128, 0), [20, 8, 16, 4, 1]);
        assert_eq!(of(encr::AES_GCM_8, 256, 0), [36, 8, 8, 4, 1]);
        assert_eq!(of(encr::AES_CCM_12, 192, 0), [27, 8, 12, 4, 1]);
        assert_eq!(of(encr::CHACHA20_POLY1305, 0, 0), [36, 8, 16, 4, 1]);
        assert_eq!(of(encr::CHACHA20_POLY1305_IIV, 0, 0), [36, 0, 16, 4, 1]);
        assert_eq!(of(encr::AES_GCM_16_IIV, 128, 0), [20, 0, 16, 4, 1]);
        assert_eq!(of(encr::NULL_AUTH_AES_GMAC, 128, 0), [20, 8, 16, 4, 1]);
        assert_eq!(of(encr::AES_CBC, 128, 12), [48, 16, 16, 16, 0]);
        assert_eq!(of(encr::AES_CTR, 256, 14), [36 + 64, 8, 32, 4, 1]);
        assert_eq!(of(encr::NULL, 0, 13), [48, 0, 24, 4, 0]);
        let ah = Suite::ah(integ::AES_192_GMAC).unwrap();
        assert_eq!((ah.key_material_len(), ah.icv_len()), (28, 16));
    }

    // RFC 8221 §4: encryption alone is not offered. RFC 7296 §3.3: combined modes stand alone.
    #[test]
    fn what_does_not_go_together_is_refused() {
        use SuiteError::{CombinedWithIntegrity, Encryption, Integrity, KeyLength, NoIntegrity};
        let esp = Suite::esp;
        assert_eq!(esp(encr::AES_CBC, 128, 0), Err(NoIntegrity));
        assert_eq!(esp(encr::NULL, 0, 0), Err(NoIntegrity));
        assert_eq!(esp(encr::AES_GCM_16, 128, 12), Err(CombinedWithIntegrity));
        assert_eq!(esp(3, 0, 12), Err(Encryption(3)));
        assert_eq!(esp(encr::AES_CBC, 128, 9), Err(Integrity(9)));
        assert_eq!(esp(encr::AES_CBC, 128, 1), Err(Integrity(1)));
        for (encryption, bits, integrity) in [
            (encr::AES_CBC, 0, 12),
            (encr::AES_GCM_16, 129, 0),
            (encr::AES_GCM_16, 512, 0),
            (encr::CHACHA20_POLY1305, 256, 0),
            (encr::NULL, 128, 12),
        ] {
            assert_eq!(
                esp(encryption, bits, integrity),
                Err(KeyLength { encryption, bits })
            );
        }
        assert_eq!(Suite::ah(0), Err(NoIntegrity));
        assert_eq!(Suite::ah(20), Err(Integrity(20)));
    }

    #[test]
    fn names() {
        assert_eq!(Suite::AES_128_GCM.to_string(), "aes128-gcm16");
        assert_eq!(
            Suite::esp(12, 128, 12).unwrap().to_string(),
            "aes128-cbc-hmac-sha256"
        );
        assert_eq!(Suite::ah(12).unwrap().to_string(), "ah-hmac-sha256");
        assert_eq!(Suite::esp(11, 0, 2).unwrap().to_string(), "null-hmac-sha1");
        assert_eq!(Suite::esp(30, 256, 0), Ok(Suite::esp(30, 256, 0).unwrap()));
        assert_eq!(
            Suite::esp(30, 256, 0).unwrap().to_string(),
            "aes256-gcm16-iiv"
        );
    }
}
