//! The Internet checksum (RFC 1071), its incremental update (RFC 1624), and verification of the
//! checksums in a packet.

use crate::layout::{Anomalies, Anomaly, Fragment, IpVersion, proto, seen};
use crate::packet::Packet;

/// A one's complement sum in the making. Parts may be added in any order, each beginning at an
/// even position of the whole; all but the last of even length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Adds bytes; an odd last byte counts as if a zero followed.
    #[inline]
    pub fn with(self, bytes: &[u8]) -> Self {
        // RFC 1071 §2(B), §2(C): the sum may be taken in the machine's byte order and over wider
        // words, and be put right at the end. This loop becomes vector instructions; a part is
        // short enough that the sum of its words fits 64 bits.
        let mut total = self.0;
        for part in bytes.chunks(1 << 16) {
            let (words, rest) = part.as_chunks::<4>();
            let mut wide = 0_u64;
            for word in words {
                wide += u64::from(u32::from_ne_bytes(*word));
            }
            let swapped = Self(wide).fold().to_ne_bytes();
            let mut small = u64::from(u16::from_be_bytes(swapped));
            let (words, rest) = rest.as_chunks::<2>();
            for word in words {
                small += u64::from(u16::from_be_bytes(*word));
            }
            if let [last] = rest {
                small += u64::from(*last) << 8;
            }
            total = add(total, small);
        }
        Self(total)
    }

    /// Adds one 16-bit number.
    #[inline]
    pub const fn with_u16(self, number: u16) -> Self {
        Self(add(self.0, number as u64))
    }

    /// Adds one 32-bit number.
    #[inline]
    pub const fn with_u32(self, number: u32) -> Self {
        Self(add(self.0, number as u64))
    }

    /// The sum in 16 bits, not complemented: all ones when it was taken over data together with
    /// their right checksum.
    #[inline]
    #[must_use]
    pub const fn fold(self) -> u16 {
        let s = (self.0 >> 32) + (self.0 & 0xffff_ffff);
        let s = (s >> 16) + (s & 0xffff);
        let s = (s >> 16) + (s & 0xffff);
        let s = (s >> 16) + (s & 0xffff);
        s as u16
    }

    /// The checksum: the complement of the sum.
    #[inline]
    #[must_use]
    pub const fn finish(self) -> u16 {
        !self.fold()
    }
}

/// One's complement addition in 64 bits.
#[inline]
const fn add(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    // After a carry the sum is below its largest value, so this does not overflow.
    sum + carry as u64
}

/// The checksum over bytes whose checksum field is zero.
#[must_use]
pub fn checksum(bytes: &[u8]) -> u16 {
    Sum::new().with(bytes).finish()
}

/// The checksum after a 16-bit field changed from `old` to `new`.
///
/// RFC 1624 section 3, equation 3: HC' = ~(~HC + ~m + m').
#[must_use]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    Sum::new()
        .with_u16(!checksum)
        .with_u16(!old)
        .with_u16(new)
        .finish()
}

/// The sum over the pseudo header of TCP, UDP and ICMPv6: addresses in network order (8 bytes
/// for IPv4, 32 for IPv6), upper-layer length and protocol (RFC 9293 section 3.1, RFC 8200
/// section 8.1).
pub fn pseudo_header(addresses: &[u8], protocol: u8, length: u32) -> Sum {
    Sum::new()
        .with(addresses)
        .with_u16(protocol as u16)
        .with_u32(length)
}

/// What looking at a packet's checksums showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every case")]
pub enum ChecksumState {
    /// All that could be checked are right.
    Right,
    /// The IPv4 header's is wrong.
    WrongIp,
    /// That of TCP, UDP, ICMP or ICMPv6 is wrong.
    WrongUpper,
}

/// Checks the IPv4 header's checksum and that of TCP, UDP, UDP-Lite (full coverage only), ICMP
/// or ICMPv6.
///
/// The upper layer's is checked only where the whole upper-layer packet is there: not in
/// fragments, not in packets that were cut off, and not behind a routing header with segments
/// left, where the final destination is not in the IP header. UDP over IPv4 without checksum is
/// right (RFC 768); over IPv6 too, where it is an [anomaly](Anomaly::UdpNoChecksum) of its own.
#[must_use]
pub fn verify(packet: &Packet<'_>) -> ChecksumState {
    const CUT: Anomalies = Anomalies::of(&[
        Anomaly::IpTruncated,
        Anomaly::Ip4HeaderLength,
        Anomaly::Ip4TotalLength,
        Anomaly::IpLengthBeyondBuffer,
        Anomaly::Ip6ExtensionTooMany,
        Anomaly::Ip6ExtensionLength,
    ]);
    let layout = packet.layout();
    let bytes = packet.bytes();
    if layout.ip_version() == Some(IpVersion::V4)
        && !layout.anomalies().contains(Anomaly::Ip4HeaderLength)
    {
        let length = bytes.first().map_or(0, |b| usize::from(b & 0x0f) * 4);
        let header = bytes.get(..length).unwrap_or_default();
        if Sum::new().with(header).fold() != 0xffff {
            return ChecksumState::WrongIp;
        }
    }
    if layout.fragment() != Fragment::Whole
        || !layout.has(seen::UPPER)
        || layout.has(seen::ROUTING)
        || !layout.anomalies().intersection(CUT).is_empty()
    {
        return ChecksumState::Right;
    }
    if upper_is_right(packet) {
        ChecksumState::Right
    } else {
        ChecksumState::WrongUpper
    }
}

fn upper_is_right(packet: &Packet<'_>) -> bool {
    let layout = packet.layout();
    let protocol = layout.protocol();
    let mut upper = packet.upper();
    let field = |at: usize| {
        upper
            .get(at..)
            .and_then(|b| b.first_chunk::<2>())
            .map(|b| u16::from_be_bytes(*b))
    };
    match protocol {
        proto::TCP | proto::ICMP | proto::ICMPV6 => {}
        proto::UDP => {
            let (Some(length), Some(sum)) = (field(4), field(6)) else {
                return true;
            };
            if sum == 0 {
                return true;
            }
            // Zero stands for "all" in a jumbogram (RFC 2675 §4). Another length than there
            // are bytes is an anomaly; the sum is over what the header says.
            if length != 0 {
                let Some(part) = upper.get(..usize::from(length)) else {
                    return true;
                };
                upper = part;
            }
        }
        proto::UDP_LITE => {
            // RFC 3828 §3.1: zero covers all.
            if field(4).is_none_or(|c| c != 0 && usize::from(c) != upper.len()) {
                return true;
            }
        }
        _ => return true,
    }
    let length = u32::try_from(upper.len()).unwrap_or(u32::MAX);
    let sum = match (layout.ip_version(), protocol) {
        // RFC 792: no pseudo header.
        (_, proto::ICMP) => Sum::new(),
        (Some(IpVersion::V4), _) => {
            let addresses = packet.bytes().get(12..20).unwrap_or_default();
            pseudo_header(addresses, protocol, length)
        }
        (Some(IpVersion::V6), _) => {
            let addresses = packet.bytes().get(8..40).unwrap_or_default();
            pseudo_header(addresses, protocol, length)
        }
        (None, _) => return true,
    };
    sum.with(upper).fold() == 0xffff
}
