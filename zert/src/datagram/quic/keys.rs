//! Keys of Initial packets, which anybody on the path can make (RFC 9001 §5.2), and what they
//! open.

use core::fmt;
use core::ops::Range;

use alloc::boxed::Box;
use alloc::vec::Vec;

use hostward_crypto::Provider;
use hostward_crypto::aead::AeadKey;
use hostward_crypto::algorithm::{Aead, AesKey, Hash};
use hostward_crypto::cipher::BlockKey;
use hostward_crypto::hkdf::Hkdf;

use super::header::{ConnectionId, Long, Version};

/// What opens the Initial packets of one side.
pub(crate) struct Keys {
    aead: Box<dyn AeadKey>,
    iv: [u8; 12],
    header: Box<dyn BlockKey>,
    /// One more than the highest packet number seen.
    next: u64,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// Both sides' keys.
#[derive(Debug)]
pub(crate) struct KeyPair {
    pub(crate) client: Keys,
    pub(crate) server: Keys,
}

impl KeyPair {
    /// From the connection ID that the client chose for the server. `None` when the provider
    /// lacks an algorithm.
    pub(crate) fn derive(
        provider: &Provider,
        version: Version,
        dcid: &ConnectionId,
    ) -> Option<Self> {
        let (initial, _) =
            Hkdf::extract(provider, Hash::Sha256, version.salt, dcid.bytes()).ok()?;
        let side = |label: &[u8]| {
            let mut secret = [0; 32];
            initial.expand_label(label, &[], &mut secret).ok()?;
            Keys::of(provider, version, &secret)
        };
        Some(Self {
            client: side(b"client in")?,
            server: side(b"server in")?,
        })
    }
}

/// Key, nonce mask and header protection key of one side.
#[derive(Debug, PartialEq, Eq)]
struct Material {
    key: [u8; 16],
    iv: [u8; 12],
    hp: [u8; 16],
}

/// RFC 9001 §5.1, RFC 9369 §3.3.2.
fn material(provider: &Provider, version: Version, secret: &[u8; 32]) -> Option<Material> {
    let labels: [&[u8]; 3] = if version.second {
        [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"]
    } else {
        [b"quic key", b"quic iv", b"quic hp"]
    };
    let hkdf = Hkdf::of(provider, Hash::Sha256, secret).ok()?;
    let mut m = Material {
        key: [0; 16],
        iv: [0; 12],
        hp: [0; 16],
    };
    let [key, iv, hp] = labels;
    hkdf.expand_label(key, &[], &mut m.key).ok()?;
    hkdf.expand_label(iv, &[], &mut m.iv).ok()?;
    hkdf.expand_label(hp, &[], &mut m.hp).ok()?;
    Some(m)
}

impl Keys {
    fn of(provider: &Provider, version: Version, secret: &[u8; 32]) -> Option<Self> {
        let m = material(provider, version, secret)?;
        Some(Self {
            aead: provider.aead(Aead::AES_128_GCM, &m.key).ok()?,
            iv: m.iv,
            header: provider.block(AesKey::Aes128, &m.hp).ok()?,
            next: 0,
        })
    }

    /// Opens an Initial packet into `out`: where its frames are. `None` when the keys are not its keys.
    pub(crate) fn open(&mut self, packet: &Long<'_>, out: &mut Vec<u8>) -> Option<Range<usize>> {
        // RFC 9001 §5.4.2: the sample begins four bytes after the packet number does.
        let sample_at = packet.number_at.checked_add(4)?;
        let mut mask = *packet.packet.get(sample_at..)?.first_chunk::<16>()?;
        self.header.encrypt(&mut mask);
        out.clear();
        out.extend_from_slice(packet.packet);
        let [m0, m1, m2, m3, m4, ..] = mask;
        let first = out.first_mut()?;
        *first ^= m0 & 0x0F;
        let number_len = usize::from(*first & 3) + 1;
        let mut number = 0;
        let place = out.get_mut(packet.number_at..packet.number_at + number_len)?;
        for (byte, mask) in place.iter_mut().zip([m1, m2, m3, m4]) {
            *byte ^= mask;
            number = number << 8 | u64::from(*byte);
        }
        let number = whole_number(number, number_len as u32 * 8, self.next);
        let mut nonce = self.iv;
        for (byte, n) in nonce.iter_mut().rev().zip(number.to_le_bytes()) {
            *byte ^= n;
        }
        let frames_at = packet.number_at + number_len;
        let (header, sealed) = out.split_at_mut_checked(frames_at)?;
        let (data, tag) = sealed.split_last_chunk_mut::<16>()?;
        let frames = data.len();
        self.aead.open(&nonce, header, data, tag).ok()?;
        self.next = self.next.max(number.saturating_add(1));
        Some(frames_at..frames_at + frames)
    }
}

/// RFC 9000 appendix A.3: the number nearest to the next expected one that ends in these bits.
fn whole_number(truncated: u64, bits: u32, expected: u64) -> u64 {
    let window = 1_u64 << bits;
    let half = window / 2;
    let candidate = expected & !(window - 1) | truncated;
    if candidate + half <= expected && candidate < (1 << 62) - window {
        candidate + window
    } else if candidate > expected + half && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use core::fmt::Write as _;
    use hostward_crypto::backend::RUST_CRYPTO;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |mut s, b| {
            write!(s, "{b:02x}").unwrap();
            s
        })
    }

    #[test]
    // RFC 9001 appendix A.1, RFC 9369 appendix A.1.
    fn keys_of_the_appendices() {
        let provider = Provider::of([RUST_CRYPTO]);
        let dcid = ConnectionId::of(&[0x83, 0x94, 0xC8, 0xF0, 0x3E, 0x51, 0x57, 0x08]).unwrap();
        let keys = |number, label: &[u8]| {
            let version = Version::of(number).unwrap();
            let (initial, _) =
                Hkdf::extract(&provider, Hash::Sha256, version.salt, dcid.bytes()).unwrap();
            let mut secret = [0; 32];
            initial.expand_label(label, &[], &mut secret).unwrap();
            let m = material(&provider, version, &secret).unwrap();
            [hex(&m.key), hex(&m.iv), hex(&m.hp)]
        };
        assert_eq!(
            keys(Version::V1, b"client in"),
            [
                "1f369613dd76d5467730efcbe3b1a22d",
                "fa044b2f42a3fd3b46fb255c",
                "9f50449e04a0e810283a1e9933adedd2"
            ]
        );
        assert_eq!(
            keys(Version::V1, b"server in"),
            [
                "cf3a5331653c364c88f0f379b6067e37",
                "0ac1493ca1905853b0bba03e",
                "c206b8d9b9f0f37644430b490eeaa314"
            ]
        );
        assert_eq!(
            keys(Version::V2, b"client in"),
            [
                "8b1a0bc121284290a29e0971b5cd045d",
                "91f73e2351d8fa91660e909f",
                "45b95e15235d6f45a6b19cbcb0294ba9"
            ]
        );
        assert_eq!(
            keys(Version::V2, b"server in"),
            [
                "82db637861d55e1d011f19ea71d5d2a7",
                "dd13c276499c0249d3310652",
                "edf6d05c83121201b436e16877593c3a"
            ]
        );
    }

    #[test]
    // RFC 9000 appendix A.3: its example, and the edges.
    fn packet_numbers() {
        assert_eq!(whole_number(0x9B32, 16, 0xA82F_30EB), 0xA82F_9B32);
        assert_eq!(whole_number(0, 8, 0), 0);
        assert_eq!(whole_number(1, 8, 0xFF), 0x101);
        assert_eq!(whole_number(0xFF, 8, 0x100), 0xFF);
    }
}
