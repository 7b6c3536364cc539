//! Which flow a packet belongs to.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The five values that name a flow, source first: addresses, ports and protocol.
///
/// IPv4 addresses stand in the first four bytes of each half. ICMP and other traffic without
/// ports has zero ports, so all of it between two hosts is one flow per protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    pub(crate) addrs: [u8; 32],
    pub(crate) sport: u16,
    pub(crate) dport: u16,
    pub(crate) proto: u8,
    pub(crate) version: u8,
}

impl FlowKey {
    /// A key from the eight address bytes of an IPv4 header.
    #[inline]
    #[must_use]
    pub const fn v4(addrs: [u8; 8], sport: u16, dport: u16, proto: u8) -> Self {
        let [a, b, c, d, e, f, g, h] = addrs;
        let mut all = [0; 32];
        all[0] = a;
        all[1] = b;
        all[2] = c;
        all[3] = d;
        all[16] = e;
        all[17] = f;
        all[18] = g;
        all[19] = h;
        Self {
            addrs: all,
            sport,
            dport,
            proto,
            version: 4,
        }
    }

    /// A key from the 32 address bytes of an IPv6 header.
    #[inline]
    #[must_use]
    pub const fn v6(addrs: [u8; 32], sport: u16, dport: u16, proto: u8) -> Self {
        Self {
            addrs,
            sport,
            dport,
            proto,
            version: 6,
        }
    }

    /// A key from two endpoints; `None` when they are of different IP versions.
    #[must_use]
    pub fn new(src: SocketAddr, dst: SocketAddr, proto: u8) -> Option<Self> {
        Some(match (src.ip(), dst.ip()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let [p, q, r, s] = a.octets();
                let [t, u, v, w] = b.octets();
                Self::v4([p, q, r, s, t, u, v, w], src.port(), dst.port(), proto)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let mut addrs = [0; 32];
                let (lo, hi) = addrs.split_at_mut(16);
                lo.copy_from_slice(&a.octets());
                hi.copy_from_slice(&b.octets());
                Self::v6(addrs, src.port(), dst.port(), proto)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return None,
        })
    }

    fn addr(&self, half: &[u8]) -> IpAddr {
        if self.version == 4 {
            half.first_chunk::<4>()
                .map_or(Ipv4Addr::UNSPECIFIED.into(), |b| {
                    Ipv4Addr::from_octets(*b).into()
                })
        } else {
            half.first_chunk::<16>()
                .map_or(Ipv6Addr::UNSPECIFIED.into(), |b| {
                    Ipv6Addr::from_octets(*b).into()
                })
        }
    }

    /// Source address.
    #[must_use]
    pub fn source(&self) -> IpAddr {
        self.addr(self.addrs.split_at(16).0)
    }

    /// Destination address.
    #[must_use]
    pub fn destination(&self) -> IpAddr {
        self.addr(self.addrs.split_at(16).1)
    }

    /// Source port, 0 without one.
    #[must_use]
    pub const fn source_port(&self) -> u16 {
        self.sport
    }

    /// Destination port, 0 without one.
    #[must_use]
    pub const fn destination_port(&self) -> u16 {
        self.dport
    }

    /// IP protocol.
    #[must_use]
    pub const fn protocol(&self) -> u8 {
        self.proto
    }

    /// Whether the addresses are IPv6.
    #[must_use]
    pub const fn is_v6(&self) -> bool {
        self.version == 6
    }

    /// The key of a packet the other way.
    #[must_use]
    pub fn reversed(&self) -> Self {
        let mut addrs = [0; 32];
        let (a, b) = self.addrs.split_at(16);
        let (lo, hi) = addrs.split_at_mut(16);
        lo.copy_from_slice(b);
        hi.copy_from_slice(a);
        Self {
            addrs,
            sport: self.dport,
            dport: self.sport,
            ..*self
        }
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let src = SocketAddr::new(self.source(), self.sport);
        let dst = SocketAddr::new(self.destination(), self.dport);
        write!(f, "{src} -> {dst} proto {}", self.proto)
    }
}

/// The name of a flow-table entry: its place and which of the place's successive flows is meant,
/// so that a stale name finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(
    // One word, so that the answer of a look-up is returned in registers: with two halves it went
    // through memory, written in pieces and read as a whole, which stalls.
    u64,
);

// What the table makes of it.
#[cfg(feature = "alloc")]
impl FlowId {
    #[inline]
    pub(crate) const fn new(slot: usize, epoch: u32) -> Self {
        Self((epoch as u64) << 32 | slot as u32 as u64)
    }

    #[inline]
    pub(crate) const fn slot(self) -> usize {
        self.0 as u32 as usize
    }

    #[inline]
    pub(crate) const fn epoch(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

impl FlowId {
    /// A name that is unique as long as the table lives (until 2³² flows used one place), for
    /// records.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// A name for flows of a host that keeps its own connection table: any number it likes.
    #[must_use]
    pub const fn from_u64(id: u64) -> Self {
        Self(id)
    }
}
