//! What of a packet the rules look at.

use core::net::IpAddr;

use hostward_hook::Packet;
use hostward_hook::layout::{Fragment, IpVersion, Layout, proto, seen, tcp_flags};
use hostward_hook::meta::{Direction, Meta, Routing};

/// The fields of a packet that filter rules select by (RFC 4301 section 4.4.1.1 and what z/OS
/// adds), read once.
///
/// What cannot be read is told as such, never as zero: an indeterminate value matches only a
/// rule that asks nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers build it to ask about a packet they do not have"
)]
pub struct Selectors {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// Upper-layer protocol; `None` where it cannot be told: a later IPv6 fragment whose chain
    /// of extension headers goes on, or a chain that was cut off. A packet with AH that nobody
    /// has opened has protocol 51, whatever follows.
    pub protocol: Option<u8>,
    /// What the upper-layer header says; of the kind that goes with the protocol.
    pub header: Header,
    /// The packet is a fragment, first or later.
    pub fragment: bool,
    /// What it does to a TCP connection.
    pub opening: Opening,
    /// Into the host or out of it.
    pub direction: Direction,
    /// To or from this host, or forwarded.
    pub routing: Routing,
    /// Security class of the interface, 0 when it has none.
    pub security_class: u8,
}

/// The part of the upper-layer header that rules select by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every case")]
pub enum Header {
    /// Nothing to select by, or it cannot be read: later fragment, cut off, malformed.
    #[default]
    Unknown,
    /// Source and destination port.
    Ports(u16, u16),
    /// ICMP or ICMPv6 type and code.
    Icmp(u8, u8),
    /// OSPF packet type or mobility-header type.
    Type(u8),
}

impl Header {
    /// The two numbers that rules compare: source and destination port, type and code, type and
    /// nothing.
    #[must_use]
    pub const fn values(self) -> Option<(u16, u16)> {
        match self {
            Self::Unknown => None,
            Self::Ports(source, destination) => Some((source, destination)),
            Self::Icmp(kind, code) => Some((kind as u16, code as u16)),
            Self::Type(kind) => Some((kind as u16, 0)),
        }
    }

    /// The same as the other side would send it: ports swapped, types as they are.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Ports(source, destination) => Self::Ports(destination, source),
            Self::Unknown | Self::Icmp(..) | Self::Type(_) => self,
        }
    }
}

/// What a packet does to a TCP connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every case")]
pub enum Opening {
    /// Not TCP, or its flags cannot be read.
    #[default]
    Unknown,
    /// It opens one: SYN without ACK.
    Opens,
    /// Any other segment.
    Continues,
}

impl Opening {
    /// What a TCP segment with these flags does.
    #[inline]
    pub(crate) const fn of_flags(flags: u8) -> Self {
        if flags & (tcp_flags::SYN | tcp_flags::ACK) == tcp_flags::SYN {
            Self::Opens
        } else {
            Self::Continues
        }
    }
}

impl Selectors {
    /// The selectors of a packet; `None` when it has no readable IP header.
    #[must_use]
    #[inline]
    pub fn of(packet: &Packet<'_>) -> Option<Self> {
        let l = packet.layout();
        let protocol = protocol(l);
        let (header, opening) = match protocol {
            Some(proto::AH) | None => (Header::Unknown, Opening::Unknown),
            Some(p) => (header(packet, p), opening(l)),
        };
        let Meta {
            routing,
            security_class,
            ..
        } = packet.meta;
        Some(Self {
            source: packet.source()?,
            destination: packet.destination()?,
            protocol,
            header,
            fragment: l.fragment() != Fragment::Whole,
            opening,
            direction: packet.meta.direction(),
            routing,
            security_class,
        })
    }
}

/// RFC 4301 section 4.4.1.1: the next-layer protocol is what follows the extension headers, and
/// it is opaque where a fragment does not show it.
#[inline]
fn protocol(l: &Layout) -> Option<u8> {
    if l.has(seen::AH) {
        return Some(proto::AH);
    }
    let p = l.protocol();
    let extension = matches!(
        p,
        proto::HOP_BY_HOP | proto::ROUTING | proto::FRAGMENT | proto::DESTINATION
    );
    // In IPv4 these are protocol numbers like any other.
    if extension && l.ip_version() == Some(IpVersion::V6) {
        None
    } else {
        Some(p)
    }
}

#[inline]
fn header(packet: &Packet<'_>, protocol: u8) -> Header {
    let l = packet.layout();
    if let Some((source, destination)) = l.ports() {
        return Header::Ports(source, destination);
    }
    if let Some((kind, code)) = l.icmp() {
        return Header::Icmp(kind, code);
    }
    // RFC 2328 section A.3.1: version, type. RFC 6275 section 6.1.1: next header, length, type.
    let at = match protocol {
        proto::OSPF => 1,
        proto::MOBILITY => 2,
        _ => return Header::Unknown,
    };
    if l.fragment() == Fragment::Later {
        return Header::Unknown;
    }
    packet
        .upper()
        .get(at)
        .map_or(Header::Unknown, |kind| Header::Type(*kind))
}

#[inline]
fn opening(l: &Layout) -> Opening {
    l.tcp_flags().map_or(Opening::Unknown, Opening::of_flags)
}
