//! Algorithms by their transform numbers (RFC 7296 §3.3.2 and its registry).

use hostward_crypto::algorithm::{Aead, AesKey, Cipher, Group, Hash, Mac, Prf, Tag};

const fn bits(key: AesKey) -> u16 {
    8 * key.len() as u16
}

/// Transform type 1 of an AEAD: its number, and the Key Length attribute where there is one.
#[must_use]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "later algorithms have no number yet"
)]
pub const fn aead(algorithm: Aead) -> Option<(u16, Option<u16>)> {
    Some(match algorithm {
        Aead::AesCcm(key, Tag::Octets8) => (14, Some(bits(key))),
        Aead::AesCcm(key, Tag::Octets12) => (15, Some(bits(key))),
        Aead::AesCcm(key, Tag::Octets16) => (16, Some(bits(key))),
        Aead::AesGcm(key, Tag::Octets8) => (18, Some(bits(key))),
        Aead::AesGcm(key, Tag::Octets12) => (19, Some(bits(key))),
        Aead::AesGcm(key, Tag::Octets16) => (20, Some(bits(key))),
        Aead::ChaCha20Poly1305 => (28, None),
        _ => return None,
    })
}

/// Transform type 1 of a cipher that does not authenticate.
#[must_use]
pub const fn cipher(algorithm: Cipher) -> Option<(u16, Option<u16>)> {
    Some(match algorithm {
        Cipher::AesCbc(key) => (12, Some(bits(key))),
        Cipher::AesCtr(key) => (13, Some(bits(key))),
        _ => return None,
    })
}

/// Transform type 2.
#[must_use]
pub const fn prf(algorithm: Prf) -> Option<u16> {
    Some(match algorithm {
        Prf::Hmac(Hash::Sha1) => 2,
        Prf::AesXcbc => 4,
        Prf::Hmac(Hash::Sha256) => 5,
        Prf::Hmac(Hash::Sha384) => 6,
        Prf::Hmac(Hash::Sha512) => 7,
        Prf::AesCmac => 8,
        Prf::Hmac(_) | _ => return None,
    })
}

/// Transform type 3, and to how many octets the code is cut.
#[must_use]
pub const fn integrity(algorithm: Mac) -> Option<(u16, usize)> {
    Some(match algorithm {
        Mac::Hmac(Hash::Sha1) => (2, 12),
        Mac::AesXcbc => (5, 12),
        Mac::AesCmac => (8, 12),
        Mac::Hmac(Hash::Sha256) => (12, 16),
        Mac::Hmac(Hash::Sha384) => (13, 24),
        Mac::Hmac(Hash::Sha512) => (14, 32),
        Mac::Hmac(_) | _ => return None,
    })
}

/// Transform type 4, and of the additional key exchanges (RFC 9370). The hybrids of TLS have none.
#[must_use]
pub const fn group(algorithm: Group) -> Option<u16> {
    Some(match algorithm {
        Group::Modp2048 => 14,
        Group::Modp3072 => 15,
        Group::Modp4096 => 16,
        Group::Modp6144 => 17,
        Group::Modp8192 => 18,
        Group::P256 => 19,
        Group::P384 => 20,
        Group::P521 => 21,
        Group::X25519 => 31,
        Group::X448 => 32,
        Group::MlKem512 => 35,
        Group::MlKem768 => 36,
        Group::MlKem1024 => 37,
        Group::X25519MlKem768 | Group::P256MlKem768 | Group::P384MlKem1024 | _ => return None,
    })
}

/// The group of a number.
#[must_use]
pub fn group_of(number: u16) -> Option<Group> {
    Group::ALL.into_iter().find(|g| group(*g) == Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    // RFC 7296 §3.3.2: one number for each.
    #[test]
    fn numbers_are_those_of_the_registry() {
        assert_eq!(aead(Aead::AES_256_GCM), Some((20, Some(256))));
        assert_eq!(aead(Aead::ChaCha20Poly1305), Some((28, None)));
        assert_eq!(
            cipher(Cipher::AesCbc(AesKey::Aes128)),
            Some((12, Some(128)))
        );
        assert_eq!(integrity(Mac::Hmac(Hash::Sha512)), Some((14, 32)));
        assert_eq!(prf(Prf::Hmac(Hash::Sha384)), Some(6));
        assert_eq!(group_of(31), Some(Group::X25519));
        assert_eq!(group_of(0x11EC), None);
        assert_eq!(group(Group::X25519MlKem768), None);
        let all: BTreeSet<_> = Aead::all()
            .map(aead)
            .chain(Cipher::all().map(cipher))
            .collect();
        assert_eq!(all.len(), Aead::all().count() + Cipher::all().count());
        assert_eq!(
            Prf::ALL.map(prf).into_iter().collect::<BTreeSet<_>>().len(),
            6
        );
        assert_eq!(
            Mac::ALL
                .map(integrity)
                .into_iter()
                .collect::<BTreeSet<_>>()
                .len(),
            6
        );
        for number in 0..=u16::MAX {
            if let Some(known) = group_of(number) {
                assert_eq!(group(known), Some(number));
            }
        }
    }
}
