//! QUIC long headers (RFC 9000 §17.2, RFC 9369 §3.2), as far as they are in clear.

use crate::reader::Reader;

/// What a long header begins, whatever its number is in its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

/// A connection ID: at most 20 bytes (RFC 9000 §17.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionId {
    bytes: [u8; 20],
    len: u8,
}

impl ConnectionId {
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let mut me = Self {
            len: u8::try_from(bytes.len()).ok()?,
            ..Self::default()
        };
        me.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(me)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A version whose Initial packets can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Its number.
    pub(crate) number: u32,
    /// Salt of its Initial secrets.
    pub(crate) salt: &'static [u8; 20],
    /// It has the packet types and labels of version 2 (RFC 9369 §3.2, §3.3.2).
    pub(crate) second: bool,
    /// It has Google's frames: T050 and T051, which went before the drafts' own.
    pub(crate) google: bool,
}

/// RFC 9001 §5.2.
const SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2C, 0xF7, 0xF5, 0x59, 0x34, 0xB3, 0x4D, 0x17, 0x9A, 0xE6, 0xA4, 0xC8, 0x0C, 0xAD,
    0xCC, 0xBB, 0x7F, 0x0A,
];
/// RFC 9369 §3.3.1.
const SALT_2: [u8; 20] = [
    0x0D, 0xED, 0xE3, 0xDE, 0xF7, 0x00, 0xA6, 0xDB, 0x81, 0x93, 0x81, 0xBE, 0x6E, 0x26, 0x9D, 0xCB,
    0xF9, 0xBD, 0x2E, 0xD9,
];
/// Drafts 29 to 32 of version 1.
const SALT_29: [u8; 20] = [
    0xAF, 0xBF, 0xEC, 0x28, 0x99, 0x93, 0xD2, 0x4C, 0x9E, 0x97, 0x86, 0xF1, 0x9C, 0x61, 0x11, 0xE0,
    0x43, 0x90, 0xA8, 0x99,
];
/// Drafts 23 to 28.
const SALT_23: [u8; 20] = [
    0xC3, 0xEE, 0xF7, 0x12, 0xC7, 0x2E, 0xBB, 0x5A, 0x11, 0xA7, 0xD2, 0x43, 0x2B, 0xB4, 0x63, 0x65,
    0xBE, 0xF9, 0xF5, 0x02,
];
/// Drafts 21 and 22.
const SALT_21: [u8; 20] = [
    0x7F, 0xBC, 0xDB, 0x0E, 0x7C, 0x66, 0xBB, 0xE9, 0x19, 0x3A, 0x96, 0xCD, 0x21, 0x51, 0x9E, 0xBD,
    0x7A, 0x02, 0x64, 0x4A,
];
/// Google's T050 and T051, which carry TLS.
const SALT_T050: [u8; 20] = [
    0x7F, 0xF5, 0x79, 0xE5, 0xAC, 0xD0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4C, 0x43, 0xA2, 0x36, 0x7C,
    0x60, 0x48, 0x83, 0x10,
];
const SALT_T051: [u8; 20] = [
    0x7A, 0x4E, 0xDE, 0xF4, 0xE7, 0xCC, 0xEE, 0x5F, 0xA4, 0x50, 0x6C, 0x19, 0x12, 0x4F, 0xC8, 0xCC,
    0xDA, 0x6E, 0x03, 0x3D,
];

impl Version {
    pub(crate) const V1: u32 = 1;
    pub(crate) const V2: u32 = 0x6B33_43CF;

    pub(crate) const fn of(number: u32) -> Option<Self> {
        let salt = match number {
            // RFC 9000 §15: reserved to make servers negotiate. What a client does with the packet is
            // its own affair; those seen do as in the last draft but for the salt.
            n if n & 0x0F0F_0F0F == 0x0A0A_0A0A => &SALT_1,
            Self::V1 | 0xFF00_0021..=0xFF00_0022 => &SALT_1,
            Self::V2 => &SALT_2,
            0xFF00_001D..=0xFF00_0020 => &SALT_29,
            // The others are Facebook's names of drafts 22 and 27.
            0xFF00_0017..=0xFF00_001C | 0xFACE_B002 => &SALT_23,
            0xFF00_0015..=0xFF00_0016 | 0xFACE_B001 => &SALT_21,
            0x5430_3530 => &SALT_T050,
            0x5430_3531 => &SALT_T051,
            _ => return None,
        };
        Some(Self {
            number,
            salt,
            second: number == Self::V2,
            google: number >> 16 == 0x5430,
        })
    }

    /// The same version with the next salt that clients use with it, when there is one.
    pub(crate) fn otherwise(self) -> Option<Self> {
        let reserved = self.number & 0x0F0F_0F0F == 0x0A0A_0A0A;
        (reserved && *self.salt == SALT_1).then_some(Self {
            salt: &SALT_29,
            ..self
        })
    }

    const fn kind(self, first: u8) -> Kind {
        let bits = first >> 4 & 3;
        // RFC 9369 §3.2: the types are one further on.
        match if self.second {
            bits.wrapping_sub(1) & 3
        } else {
            bits
        } {
            0 => Kind::Initial,
            1 => Kind::ZeroRtt,
            2 => Kind::Handshake,
            _ => Kind::Retry,
        }
    }
}

/// A packet with a long header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Long<'a> {
    pub(crate) version: Version,
    pub(crate) kind: Kind,
    pub(crate) dcid: ConnectionId,
    /// The packet from its first byte to its end, protected as it is.
    pub(crate) packet: &'a [u8],
    /// Where the packet number is; 0 in a Retry packet.
    pub(crate) number_at: usize,
    /// The capture or the network has cut the packet off.
    pub(crate) cut: bool,
}

/// Takes a packet with a long header off a datagram. `None` for short headers, version
/// negotiation, versions that are not known and what is no header.
pub(crate) fn long<'a>(datagram: &mut &'a [u8]) -> Option<Long<'a>> {
    let all = *datagram;
    let mut r = Reader(all);
    let first = r.u8()?;
    if first & 0x80 == 0 {
        return None;
    }
    let version = Version::of(r.u32()?)?;
    let dcid = ConnectionId::of(r.vec8()?)?;
    ConnectionId::of(r.vec8()?)?;
    let kind = version.kind(first);
    let mut packet = Long {
        version,
        kind,
        dcid,
        packet: all,
        number_at: 0,
        cut: false,
    };
    if kind == Kind::Retry {
        *datagram = &[];
        return Some(packet);
    }
    if kind == Kind::Initial {
        let token = usize::try_from(varint(&mut r)?).ok()?;
        r.take(token)?;
    }
    let len = usize::try_from(varint(&mut r)?).ok()?;
    packet.number_at = all.len() - r.0.len();
    packet.cut = r.0.len() < len;
    let end = packet.number_at.checked_add(len)?.min(all.len());
    let (packet_bytes, rest) = all.split_at_checked(end)?;
    packet.packet = packet_bytes;
    *datagram = rest;
    Some(packet)
}

/// RFC 9000 §16: two bits say in how many bytes.
pub(crate) fn varint(r: &mut Reader<'_>) -> Option<u64> {
    let first = r.u8()?;
    let mut value = u64::from(first & 0x3F);
    for _ in 1..1_u8 << (first >> 6) {
        value = value << 8 | u64::from(r.u8()?);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    // RFC 9000 §16, appendix A.1: sample encodings.
    fn varints() {
        let read = |bytes: &[u8]| varint(&mut Reader(bytes));
        assert_eq!(
            read(&[0xC2, 0x19, 0x7C, 0x5E, 0xFF, 0x14, 0xE8, 0x8C]),
            Some(151_288_809_941_952_652)
        );
        assert_eq!(read(&[0x9D, 0x7F, 0x3E, 0x7D]), Some(494_878_333));
        assert_eq!(read(&[0x7B, 0xBD]), Some(15_293));
        assert_eq!(read(&[0x25]), Some(37));
        assert_eq!(read(&[0x40, 0x25]), Some(37));
        assert_eq!(read(&[0x40]), None);
    }

    #[test]
    // RFC 9000 §15: versions of the form 0x?a?a?a?a are reserved.
    // RFC 9369 §3.2: Initial 1, 0-RTT 2, Handshake 3, Retry 0.
    fn packet_types_of_both_versions() {
        let kinds = |number| {
            let version = Version::of(number).unwrap();
            [0xC0, 0xD0, 0xE0, 0xF0].map(|first| version.kind(first))
        };
        use Kind::{Handshake, Initial, Retry, ZeroRtt};
        assert_eq!(kinds(Version::V1), [Initial, ZeroRtt, Handshake, Retry]);
        assert_eq!(kinds(Version::V2), [Retry, Initial, ZeroRtt, Handshake]);
        assert_eq!(Version::of(0x1A2A_3A4B), None);
        let reserved = Version::of(0x1A2A_3A4A).unwrap();
        assert_eq!(reserved.otherwise().unwrap().otherwise(), None);
    }
}
