//! Selectors (RFC 4301 section 4.4.1.1): what of a packet decides under which association it goes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;

use hostward_hook::Packet;
use hostward_hook::flow::FlowKey;
use hostward_hook::layout::{Fragment, IpVersion, proto, seen};
use hostward_hook::meta::Direction;

/// Addresses from the first to the last, both of one IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Addresses {
    v6: bool,
    first: u128,
    last: u128,
}

impl Addresses {
    /// All IPv4 addresses.
    pub const ANY_V4: Self = Self {
        v6: false,
        first: 0,
        last: u32::MAX as u128,
    };
    /// All IPv6 addresses.
    pub const ANY_V6: Self = Self {
        v6: true,
        first: 0,
        last: u128::MAX,
    };

    /// One address.
    #[must_use]
    pub fn one(address: IpAddr) -> Self {
        let (v6, n) = number(address);
        Self {
            v6,
            first: n,
            last: n,
        }
    }

    /// A range; `None` when it ends before it begins or mixes IP versions.
    #[must_use]
    pub fn range(first: IpAddr, last: IpAddr) -> Option<Self> {
        let ((v6, a), (other, b)) = (number(first), number(last));
        (v6 == other && a <= b).then_some(Self {
            v6,
            first: a,
            last: b,
        })
    }

    /// The addresses that share a prefix; `None` when it is longer than the address. Bits behind
    /// the prefix do not count.
    #[must_use]
    pub fn prefix(address: IpAddr, length: u8) -> Option<Self> {
        let (v6, n) = number(address);
        let bits = if v6 { 128 } else { 32 };
        let host = bits - bits.min(u32::from(length));
        if u32::from(length) > bits {
            return None;
        }
        let mask = u128::MAX.checked_shl(host).unwrap_or(0);
        let all = if v6 { u128::MAX } else { u128::from(u32::MAX) };
        let first = n & mask & all;
        Some(Self {
            v6,
            first,
            last: first | (!mask & all),
        })
    }

    /// The first address.
    #[must_use]
    pub fn first(&self) -> IpAddr {
        address(self.v6, self.first)
    }

    /// The last address.
    #[must_use]
    pub fn last(&self) -> IpAddr {
        address(self.v6, self.last)
    }

    /// The address, if it is one only.
    #[must_use]
    pub fn single(&self) -> Option<IpAddr> {
        (self.first == self.last).then(|| self.first())
    }

    /// Whether these are IPv6 addresses.
    #[must_use]
    pub const fn is_v6(&self) -> bool {
        self.v6
    }

    /// Whether the address is one of them.
    #[inline]
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (v6, n) = number(address);
        v6 == self.v6 && self.first <= n && n <= self.last
    }

    /// Whether all of the others are among them.
    #[must_use]
    pub const fn covers(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.first <= other.first && other.last <= self.last
    }
}

const fn number(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(a) => (false, a.to_bits() as u128),
        IpAddr::V6(a) => (true, a.to_bits()),
    }
}

fn address(v6: bool, n: u128) -> IpAddr {
    if v6 {
        Ipv6Addr::from_bits(n).into()
    } else {
        Ipv4Addr::from_bits(u32::try_from(n).unwrap_or(u32::MAX)).into()
    }
}

/// A selector of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4301 knows these")]
pub enum Upper {
    /// Whatever it is, also where the packet does not show it.
    #[default]
    Any,
    /// Only where the packet does not show it: later fragments of IPv6 may not.
    Opaque,
    /// This one.
    Number(u8),
}

/// A selector of a port; of type and code for ICMP (type in the high octet), of the type for the
/// mobility header (there too), as IKEv2 writes them (RFC 7296 section 3.13.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4301 knows these")]
pub enum Ports {
    /// Whatever it is, also where the packet has none or does not show it.
    #[default]
    Any,
    /// Only where the packet has none or does not show it.
    Opaque,
    /// From the first to the last.
    Range(u16, u16),
}

impl Ports {
    /// One port.
    #[must_use]
    pub const fn one(port: u16) -> Self {
        Self::Range(port, port)
    }

    #[inline]
    const fn matches(self, shown: Option<u16>) -> bool {
        match (self, shown) {
            (Self::Any, _) | (Self::Opaque, None) => true,
            (Self::Range(first, last), Some(port)) => first <= port && port <= last,
            (Self::Opaque, Some(_)) | (Self::Range(..), None) => false,
        }
    }

    const fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (Self::Opaque, Self::Opaque) => true,
            (Self::Range(a, b), Self::Range(c, d)) => a <= c && d <= b,
            (Self::Opaque | Self::Range(..), _) => false,
        }
    }
}

/// One set of selectors, seen from this host: traffic between local and remote addresses.
///
/// ICMP and mobility-header types and codes stand in `local_ports` whichever side sends them, and
/// `remote_ports` is [`Ports::Any`] then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the selectors of RFC 4301, which hosts write down"
)]
pub struct Selectors {
    /// Addresses at this end.
    pub local: Addresses,
    /// Addresses at the other end.
    pub remote: Addresses,
    /// The protocol.
    pub upper: Upper,
    /// Ports at this end.
    pub local_ports: Ports,
    /// Ports at the other end.
    pub remote_ports: Ports,
}

impl Selectors {
    /// All traffic between these addresses.
    #[must_use]
    pub const fn between(local: Addresses, remote: Addresses) -> Self {
        Self {
            local,
            remote,
            upper: Upper::Any,
            local_ports: Ports::Any,
            remote_ports: Ports::Any,
        }
    }

    /// The same of one protocol.
    #[must_use]
    pub const fn protocol(mut self, number: u8) -> Self {
        self.upper = Upper::Number(number);
        self
    }

    /// The same with ports.
    #[must_use]
    pub const fn ports(mut self, local: Ports, remote: Ports) -> Self {
        self.local_ports = local;
        self.remote_ports = remote;
        self
    }

    /// Whether traffic of this kind is meant.
    #[inline]
    #[must_use]
    pub fn matches(&self, traffic: &Traffic) -> bool {
        self.local.contains(traffic.local)
            && self.remote.contains(traffic.remote)
            && match self.upper {
                Upper::Any => true,
                Upper::Opaque => traffic.protocol.is_none(),
                Upper::Number(n) => traffic.protocol == Some(n),
            }
            && self.local_ports.matches(traffic.local_port)
            && self.remote_ports.matches(traffic.remote_port)
    }

    /// Whether all traffic that the others mean is meant, too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.local.covers(&other.local)
            && self.remote.covers(&other.remote)
            && (self.upper == Upper::Any || self.upper == other.upper)
            && self.local_ports.covers(other.local_ports)
            && self.remote_ports.covers(other.remote_ports)
    }
}

/// What a packet shows to selectors, seen from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "what selectors look at, which tests and tools construct"
)]
pub struct Traffic {
    /// Address at this end.
    pub local: IpAddr,
    /// Address at the other end.
    pub remote: IpAddr,
    /// The protocol; `None` where an IPv6 fragment does not show it.
    pub protocol: Option<u8>,
    /// Port at this end, or type and code; `None` where there is none or it is not shown.
    pub local_port: Option<u16>,
    /// Port at the other end; `None` where there is none or it is not shown.
    pub remote_port: Option<u16>,
}

impl Traffic {
    /// What a packet shows; `None` without a readable IP header.
    #[inline]
    #[must_use]
    pub fn of(packet: &Packet<'_>) -> Option<Self> {
        let (source, destination) = (packet.source()?, packet.destination()?);
        let l = packet.layout();
        let first = !matches!(l.fragment(), Fragment::Later);
        // A later fragment of IPv6 names the first header behind the fragment header only: an
        // extension header there hides the protocol.
        let hidden = !first && l.ip_version() == Some(IpVersion::V6) && is_extension(l.protocol());
        let protocol = (!hidden).then_some(l.protocol());
        let (a, b) = match l.ports() {
            Some((source, destination)) => (Some(source), Some(destination)),
            None => (None, None),
        };
        let (local, remote, local_port, remote_port) = match packet.meta.direction() {
            Direction::Outbound => (source, destination, a, b),
            Direction::Inbound => (destination, source, b, a),
        };
        let kind = if first && a.is_none() && l.has(seen::UPPER) {
            type_and_code(l.protocol(), packet.upper())
        } else {
            None
        };
        Some(Self {
            local,
            remote,
            protocol,
            local_port: local_port.or(kind),
            remote_port,
        })
    }

    /// The traffic of a key whose source is local.
    #[must_use]
    pub fn of_key(key: &FlowKey) -> Self {
        let ported = matches!(
            key.protocol(),
            proto::TCP | proto::UDP | proto::SCTP | proto::DCCP | proto::UDP_LITE
        );
        Self {
            local: key.source(),
            remote: key.destination(),
            protocol: Some(key.protocol()),
            local_port: ported.then(|| key.source_port()),
            remote_port: ported.then(|| key.destination_port()),
        }
    }

    /// Selectors that mean exactly this traffic: those of the packet that an association is
    /// acquired for, and what "populate from packet" makes of an entry (RFC 4301 section 4.4.1.2).
    #[must_use]
    pub fn selectors(&self) -> Selectors {
        let port = |p: Option<u16>| p.map_or(Ports::Opaque, Ports::one);
        Selectors {
            local: Addresses::one(self.local),
            remote: Addresses::one(self.remote),
            upper: self.protocol.map_or(Upper::Opaque, Upper::Number),
            local_ports: port(self.local_port),
            remote_ports: port(self.remote_port),
        }
    }
}

const fn is_extension(protocol: u8) -> bool {
    matches!(protocol, 0 | 43 | 44 | 51 | 60 | 139 | 140 | 253 | 254)
}

fn type_and_code(protocol: u8, upper: &[u8]) -> Option<u16> {
    match (protocol, upper) {
        (proto::ICMP | proto::ICMPV6, [kind, code, ..]) => Some(u16::from_be_bytes([*kind, *code])),
        // RFC 6275 section 6.1.1: the third octet is the type.
        (135, [_, _, kind, ..]) => Some(u16::from_be_bytes([*kind, 0])),
        _ => None,
    }
}

/// A port range as text: `any`, `opaque`, one number or two.
impl core::fmt::Display for Ports {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Opaque => f.write_str("opaque"),
            Self::Range(a, b) if a == b => write!(f, "{a}"),
            Self::Range(a, b) => write!(f, "{a}-{b}"),
        }
    }
}

impl From<RangeInclusive<u16>> for Ports {
    /// All ports are [`Ports::Any`].
    fn from(range: RangeInclusive<u16>) -> Self {
        if range == (0..=u16::MAX) {
            Self::Any
        } else {
            Self::Range(*range.start(), *range.end())
        }
    }
}

impl core::fmt::Display for Addresses {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.single() {
            Some(one) => one.fmt(f),
            None => write!(f, "{}-{}", self.first(), self.last()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn prefixes_and_ranges() {
        let net = Addresses::prefix(ip("192.0.2.77"), 24).unwrap();
        assert_eq!(
            (net.first(), net.last()),
            (ip("192.0.2.0"), ip("192.0.2.255"))
        );
        assert_eq!(Addresses::prefix(ip("1.2.3.4"), 0), Some(Addresses::ANY_V4));
        assert_eq!(Addresses::prefix(ip("::1"), 0), Some(Addresses::ANY_V6));
        assert_eq!(Addresses::prefix(ip("1.2.3.4"), 33), None);
        assert_eq!(
            Addresses::prefix(ip("2001:db8::1"), 128),
            Some(Addresses::one(ip("2001:db8::1")))
        );
        assert_eq!(Addresses::range(ip("1.1.1.2"), ip("1.1.1.1")), None);
        assert_eq!(Addresses::range(ip("1.1.1.2"), ip("::2")), None);
        assert!(net.covers(&Addresses::one(ip("192.0.2.9"))));
        assert!(!net.contains(ip("::c000:209")));
    }

    // RFC 4301 §4.4.1.1: OPAQUE means that the selector is not there to be seen, ANY means both.
    #[test]
    fn opaque_is_what_is_not_shown() {
        let traffic = |protocol, port| Traffic {
            local: ip("10.0.0.1"),
            remote: ip("10.0.0.2"),
            protocol,
            local_port: port,
            remote_port: port,
        };
        let base = Selectors::between(Addresses::ANY_V4, Addresses::ANY_V4);
        assert!(base.matches(&traffic(Some(6), Some(80))));
        assert!(base.matches(&traffic(None, None)));
        let tcp80 = base.protocol(6).ports(Ports::one(80), Ports::Any);
        assert!(tcp80.matches(&traffic(Some(6), Some(80))));
        assert!(!tcp80.matches(&traffic(Some(6), None)));
        assert!(!tcp80.matches(&traffic(Some(17), Some(80))));
        let later = base.protocol(6).ports(Ports::Opaque, Ports::Opaque);
        assert!(later.matches(&traffic(Some(6), None)));
        assert!(!later.matches(&traffic(Some(6), Some(80))));
        let hidden = Selectors {
            upper: Upper::Opaque,
            ..base
        };
        assert!(hidden.matches(&traffic(None, None)));
        assert!(!hidden.matches(&traffic(Some(6), None)));
        assert!(base.covers(&tcp80) && base.covers(&later) && !tcp80.covers(&base));
        assert!(!tcp80.covers(&later));
    }

    // RFC 7296 §3.13.1: the type stands in the high octet of what is a port elsewhere.
    #[test]
    fn types_and_codes_are_ports() {
        assert_eq!(type_and_code(proto::ICMP, &[3, 4, 0, 0]), Some(0x0304));
        assert_eq!(type_and_code(proto::ICMPV6, &[128, 0, 0]), Some(0x8000));
        assert_eq!(type_and_code(135, &[59, 1, 5, 0]), Some(0x0500));
        assert_eq!(type_and_code(proto::ICMP, &[3]), None);
        assert_eq!(type_and_code(proto::TCP, &[3, 4]), None);
    }
}
