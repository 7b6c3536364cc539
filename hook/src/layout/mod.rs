//! Where everything is in a packet, found once.
//!
//! [`Layout::parse`] walks the headers of an IP packet a single time and keeps offsets, not
//! slices, so that the same layout serves `&[u8]` and `&mut [u8]` and survives a copy. It is lax:
//! it always gives a layout, and what is wrong with the packet is told by [`Anomalies`] bits.
//! No call in this module can panic, whatever the bytes.
//!
//! Followed: IPv4 with options, IPv6 with its extension headers in any order (at most
//! [`MAX_EXTENSIONS`]), fragments, AH. ESP ends the walk. Tunnels (IP in IP, GRE) are noted, not
//! entered.

mod anomaly;
mod ipv4;
mod ipv6;
mod options;
mod transport;

pub use anomaly::{Anomalies, Anomaly, EVIDENCE_MAX, Evidence, EvidenceList};
pub use options::{Ip6Option, Ip6Options, IpOption, IpOptions, TcpOption, TcpOptions};

use anomaly::Recorder;

/// The most IPv6 extension headers (AH included) that are followed in one packet.
///
/// RFC 8200 section 4.1 orders at most seven; twice that and a bit is generous.
pub const MAX_EXTENSIONS: usize = 16;

/// IP protocol and next-header numbers (IANA) the suite refers to by name.
pub mod proto {
    #![expect(missing_docs, reason = "the names are the registry's")]
    pub const HOP_BY_HOP: u8 = 0;
    pub const ICMP: u8 = 1;
    pub const IGMP: u8 = 2;
    pub const IPV4: u8 = 4;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const DCCP: u8 = 33;
    pub const IPV6: u8 = 41;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const GRE: u8 = 47;
    pub const ESP: u8 = 50;
    pub const AH: u8 = 51;
    pub const ICMPV6: u8 = 58;
    pub const NO_NEXT: u8 = 59;
    pub const DESTINATION: u8 = 60;
    pub const OSPF: u8 = 89;
    pub const ETHERIP: u8 = 97;
    pub const SCTP: u8 = 132;
    pub const MOBILITY: u8 = 135;
    pub const UDP_LITE: u8 = 136;
    pub const MPLS_IN_IP: u8 = 137;
    pub const HIP: u8 = 139;
    pub const SHIM6: u8 = 140;
}

/// TCP flag bits as they stand in byte 13 of the header.
pub mod tcp_flags {
    #![expect(missing_docs, reason = "the names are those of RFC 9293")]
    pub const FIN: u8 = 0x01;
    pub const SYN: u8 = 0x02;
    pub const RST: u8 = 0x04;
    pub const PSH: u8 = 0x08;
    pub const ACK: u8 = 0x10;
    pub const URG: u8 = 0x20;
    pub const ECE: u8 = 0x40;
    pub const CWR: u8 = 0x80;
}

/// The headers that were seen between the IP header and the payload, as bits.
pub mod seen {
    #![expect(missing_docs, reason = "each is named after its header")]
    pub const HOP_BY_HOP: u16 = 1 << 0;
    pub const DESTINATION: u16 = 1 << 1;
    pub const ROUTING: u16 = 1 << 2;
    pub const FRAGMENT: u16 = 1 << 3;
    pub const AH: u16 = 1 << 4;
    pub const ESP: u16 = 1 << 5;
    pub const MOBILITY: u16 = 1 << 6;
    pub const HIP: u16 = 1 << 7;
    pub const SHIM6: u16 = 1 << 8;
    pub const NO_NEXT: u16 = 1 << 9;
    /// IPv4 options.
    pub const IP_OPTIONS: u16 = 1 << 10;
    /// TCP options.
    pub const TCP_OPTIONS: u16 = 1 << 11;
    /// A tunnel: another packet follows inside (IP in IP, GRE, MPLS in IP, EtherIP).
    pub const TUNNEL: u16 = 1 << 12;
    /// A transport header with ports was read.
    pub const PORTS: u16 = 1 << 13;
    /// A transport or ICMP header was read whole.
    pub const UPPER: u16 = 1 << 14;
}

/// The version of an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Which part of a datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every case")]
pub enum Fragment {
    /// A whole datagram.
    Whole,
    /// The first fragment: it begins with the upper-layer header.
    First,
    /// A later fragment: nothing above IP can be read.
    Later,
}

/// Offsets, protocol and findings of one packet. Offsets count from the start of the buffer that
/// was parsed.
///
/// Forty bytes, plain data; valid for that buffer until its headers are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(crate) anomalies: Anomalies,
    /// End of the datagram in the buffer: link-layer padding lies behind it.
    pub(crate) end: u32,
    /// Start of the upper-layer header, or of what could not be followed.
    pub(crate) upper: u32,
    /// Start of the upper-layer payload.
    pub(crate) payload: u32,
    pub(crate) seen: u16,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    /// Fragment offset in bytes, with the more-fragments flag in bit 0.
    pub(crate) fragment: u16,
    /// Offset of the IPv6 fragment header, 0 without one.
    pub(crate) fragment_header: u16,
    /// Offset of the AH, 0 without one.
    pub(crate) ah: u16,
    pub(crate) proto: u8,
    pub(crate) tcp_flags: u8,
    pub(crate) version: u8,
}

const _: () = assert!(size_of::<Layout>() <= 40);

impl Layout {
    pub(crate) const EMPTY: Self = Self {
        anomalies: Anomalies::NONE,
        end: 0,
        upper: 0,
        payload: 0,
        seen: 0,
        src_port: 0,
        dst_port: 0,
        fragment: 0,
        fragment_header: 0,
        ah: 0,
        proto: proto::NO_NEXT,
        tcp_flags: 0,
        version: 0,
    };

    /// Parses an IP packet that begins at the first byte of `packet`.
    ///
    /// Never fails and never panics; takes a few nanoseconds and at most [`MAX_EXTENSIONS`] steps.
    #[inline]
    #[must_use]
    pub fn parse(packet: &[u8]) -> Self {
        let mut layout = Self::EMPTY;
        layout.parse_in_place(packet);
        layout
    }

    /// Parses a packet into this layout, whatever it held before.
    ///
    /// The same as [`parse`](Self::parse) without the copy of its result, which for a layout just
    /// written takes longer than the parse: for layouts in arrays and structures.
    #[inline]
    pub fn parse_in_place(&mut self, packet: &[u8]) {
        *self = Self::EMPTY;
        let mut anomalies = Anomalies::NONE;
        walk(packet, self, &mut anomalies);
        self.anomalies = anomalies;
    }

    /// Parses the packet again and tells where each anomaly lies. For reports, not for the packet
    /// path.
    #[must_use]
    pub fn evidence(packet: &[u8]) -> EvidenceList {
        let mut list = EvidenceList::default();
        walk(packet, &mut { Self::EMPTY }, &mut list);
        list
    }

    /// What is wrong with the packet.
    #[must_use]
    pub const fn anomalies(&self) -> Anomalies {
        self.anomalies
    }

    /// The IP version; `None` when the buffer does not begin with a readable IP header.
    #[must_use]
    pub const fn ip_version(&self) -> Option<IpVersion> {
        match self.version {
            4 => Some(IpVersion::V4),
            6 => Some(IpVersion::V6),
            _ => None,
        }
    }

    /// The upper-layer protocol: the last next-header value that was reached.
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        self.proto
    }

    /// Start of the upper-layer header (TCP, UDP, ICMP, ESP …); for later fragments the start of
    /// their data.
    #[must_use]
    pub const fn upper_offset(&self) -> usize {
        self.upper as usize
    }

    /// Start of the upper-layer payload; equals [`upper_offset`](Self::upper_offset) where no
    /// upper-layer header could be read.
    #[must_use]
    pub const fn payload_offset(&self) -> usize {
        self.payload as usize
    }

    /// End of the datagram: what is behind it is padding of the link layer.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.end as usize
    }

    /// Source and destination port of TCP, UDP, SCTP, DCCP or UDP-Lite; `None` when they cannot
    /// be read (other protocol, later fragment, cut off).
    #[must_use]
    pub const fn ports(&self) -> Option<(u16, u16)> {
        if self.seen & seen::PORTS != 0 {
            Some((self.src_port, self.dst_port))
        } else {
            None
        }
    }

    /// ICMP type and code; `None` for other protocols, later fragments and cut-off headers.
    #[must_use]
    pub const fn icmp(&self) -> Option<(u8, u8)> {
        if matches!(self.proto, proto::ICMP | proto::ICMPV6) && self.seen & seen::UPPER != 0 {
            Some(((self.src_port >> 8) as u8, self.src_port as u8))
        } else {
            None
        }
    }

    /// TCP flags ([`tcp_flags`]); `None` when there is no whole TCP header.
    #[must_use]
    pub const fn tcp_flags(&self) -> Option<u8> {
        if self.proto == proto::TCP && self.seen & seen::UPPER != 0 {
            Some(self.tcp_flags)
        } else {
            None
        }
    }

    /// The headers that were seen, as bits of [`seen`].
    #[must_use]
    pub const fn seen(&self) -> u16 {
        self.seen
    }

    /// Whether all of these headers were seen.
    #[must_use]
    pub const fn has(&self, bits: u16) -> bool {
        self.seen & bits == bits
    }

    /// Which part of a datagram the packet is.
    #[must_use]
    pub const fn fragment(&self) -> Fragment {
        if self.fragment == 0 {
            Fragment::Whole
        } else if self.fragment & !7 == 0 {
            Fragment::First
        } else {
            Fragment::Later
        }
    }

    /// Offset of a fragment's data within its datagram, in bytes.
    #[must_use]
    pub const fn fragment_offset(&self) -> u16 {
        self.fragment & !7
    }

    /// Whether more fragments follow.
    #[must_use]
    pub const fn more_fragments(&self) -> bool {
        self.fragment & 1 != 0
    }

    /// Offset of the IPv6 fragment header, if there is one; of two in a row, which no sender makes,
    /// that of the last, while offset and flag are those of the first.
    #[must_use]
    pub const fn fragment_header_offset(&self) -> Option<usize> {
        if self.seen & seen::FRAGMENT != 0 && self.version == 6 {
            Some(self.fragment_header as usize)
        } else {
            None
        }
    }

    /// Offset of the authentication header, if there is one.
    #[must_use]
    pub const fn ah_offset(&self) -> Option<usize> {
        if self.seen & seen::AH != 0 {
            Some(self.ah as usize)
        } else {
            None
        }
    }
}

/// How far the walk has come. What the next step needs travels in registers and is written into
/// the layout when the step that knows it ends.
#[derive(Clone, Copy)]
struct Position {
    at: usize,
    end: usize,
    proto: u8,
    seen: u16,
}

// The walk writes into one layout in place: passing it along by value would copy what was just
// written in small pieces with wide loads, which stalls the processor longer than the parse takes.
#[inline(always)]
fn walk<R: Recorder>(packet: &[u8], l: &mut Layout, r: &mut R) {
    match packet.first().map(|b| b >> 4) {
        Some(4) => ipv4::walk(packet, l, r),
        Some(6) => ipv6::walk(packet, l, r),
        Some(v) => unreadable(packet, l, r, Anomaly::IpVersion, u32::from(v)),
        None => unreadable(packet, l, r, Anomaly::IpTruncated, 0),
    }
}

#[cold]
fn unreadable<R: Recorder>(packet: &[u8], l: &mut Layout, r: &mut R, a: Anomaly, value: u32) {
    r.note(a, 0, value);
    l.end = u32::try_from(packet.len()).unwrap_or(u32::MAX);
}

/// The layout of nothing: no IP header, no offsets.
impl Default for Layout {
    fn default() -> Self {
        Self::EMPTY
    }
}

#[inline(always)]
pub(crate) const fn be16(hi: u8, lo: u8) -> u16 {
    u16::from_be_bytes([hi, lo])
}
