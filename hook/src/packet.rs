//! One packet as the controls see it: bytes, layout and metadata, all borrowed or copied small.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::flow::FlowKey;
use crate::layout::{Layout, proto, seen};
use crate::meta::Meta;

/// A packet: its bytes from the IP header on, where everything is, and what the host knows of it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    layout: Layout,
    /// What the host handed in.
    pub meta: Meta,
    /// Number of the packet in the guard's count, from 1.
    pub number: u64,
}

impl<'a> Packet<'a> {
    /// Parses a packet.
    #[inline]
    #[must_use]
    pub fn parse(bytes: &'a [u8], meta: Meta) -> Self {
        let mut packet = Self {
            bytes,
            layout: Layout::EMPTY,
            meta,
            number: 0,
        };
        packet.layout.parse_in_place(bytes);
        packet
    }

    /// A packet whose layout was found before. `layout` must come from the same bytes: with
    /// another one the accessors read the wrong fields (but never out of bounds).
    #[must_use]
    pub const fn with_layout(bytes: &'a [u8], layout: Layout, meta: Meta, number: u64) -> Self {
        Self {
            bytes,
            layout,
            meta,
            number,
        }
    }

    /// All bytes, from the IP header on, padding of the link layer included.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where everything is.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Source address.
    #[inline]
    #[must_use]
    pub fn source(&self) -> Option<IpAddr> {
        match self.layout.version {
            4 => self
                .array::<4>(12)
                .map(|b| IpAddr::V4(Ipv4Addr::from_octets(b))),
            6 => self
                .array::<16>(8)
                .map(|b| IpAddr::V6(Ipv6Addr::from_octets(b))),
            _ => None,
        }
    }

    /// Destination address.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> Option<IpAddr> {
        match self.layout.version {
            4 => self
                .array::<4>(16)
                .map(|b| IpAddr::V4(Ipv4Addr::from_octets(b))),
            6 => self
                .array::<16>(24)
                .map(|b| IpAddr::V6(Ipv6Addr::from_octets(b))),
            _ => None,
        }
    }

    /// The upper-layer header and what follows, padding of the link layer left out.
    #[must_use]
    pub fn upper(&self) -> &'a [u8] {
        self.bytes
            .get(self.layout.upper_offset()..self.layout.end())
            .unwrap_or_default()
    }

    /// The upper-layer payload, padding of the link layer left out.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes
            .get(self.layout.payload_offset()..self.layout.end())
            .unwrap_or_default()
    }

    /// Addresses, protocol and ports, source first. ICMP and packets without readable ports have
    /// port 0 on both sides; `None` only when there is no readable IP header.
    #[inline]
    #[must_use]
    pub fn key(&self) -> Option<FlowKey> {
        let l = &self.layout;
        let (sport, dport) = l.ports().unwrap_or((0, 0));
        match l.version {
            4 => {
                let b = self.bytes.get(12..20)?.first_chunk::<8>()?;
                Some(FlowKey::v4(*b, sport, dport, l.proto))
            }
            6 => {
                let b = self.bytes.get(8..40)?.first_chunk::<32>()?;
                Some(FlowKey::v6(*b, sport, dport, l.proto))
            }
            _ => None,
        }
    }

    /// The option bytes of the IPv4 header.
    #[must_use]
    pub fn ip_options(&self) -> &'a [u8] {
        if self.layout.version != 4 {
            return &[];
        }
        let header = self.bytes.first().map_or(0, |b| usize::from(b & 0x0f) * 4);
        self.bytes.get(20..header).unwrap_or_default()
    }

    /// TCP sequence number, acknowledgment number and window, as they stand in the header.
    #[must_use]
    pub fn tcp_numbers(&self) -> Option<(u32, u32, u16)> {
        self.layout.tcp_flags()?;
        let h = self.array_at::<20>(self.layout.upper_offset())?;
        Some((
            u32::from_be_bytes([h[4], h[5], h[6], h[7]]),
            u32::from_be_bytes([h[8], h[9], h[10], h[11]]),
            u16::from_be_bytes([h[14], h[15]]),
        ))
    }

    /// The option bytes of the TCP header.
    #[must_use]
    pub fn tcp_options(&self) -> &'a [u8] {
        if self.layout.tcp_flags().is_none() {
            return &[];
        }
        self.bytes
            .get(self.layout.upper_offset() + 20..self.layout.payload_offset())
            .unwrap_or_default()
    }

    /// The identification of a fragment: IPv4's 16 bits or the IPv6 fragment header's 32.
    #[must_use]
    pub fn fragment_id(&self) -> Option<u32> {
        match self.layout.version {
            4 => self.array::<2>(4).map(|b| u32::from(u16::from_be_bytes(b))),
            6 => {
                let at = self.layout.fragment_header_offset()?;
                self.array_at::<8>(at)
                    .map(|h| u32::from_be_bytes([h[4], h[5], h[6], h[7]]))
            }
            _ => None,
        }
    }

    /// The security parameters index of ESP or AH.
    #[must_use]
    pub fn spi(&self) -> Option<u32> {
        // A later fragment names ESP too, but does not begin with its header.
        if self.layout.protocol() == proto::ESP {
            if !self.layout.has(seen::ESP | seen::UPPER) {
                return None;
            }
            return self
                .array_at::<4>(self.layout.upper_offset())
                .map(u32::from_be_bytes);
        }
        let at = self.layout.ah_offset()?;
        self.array_at::<8>(at)
            .map(|h| u32::from_be_bytes([h[4], h[5], h[6], h[7]]))
    }

    fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.array_at(at)
    }

    fn array_at<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.bytes.get(at..)?.first_chunk::<N>().copied()
    }
}
