//! Traffic selectors (RFC 7296 §2.9, §3.13): what they are, and how a responder narrows them.

mod narrow;
mod set;

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::message::{ParseError, Problem, Reader};

pub use narrow::{
    Allowed, Narrowed, NoSelectors, Offered, Replaced, is_answer, narrow, substitute,
};
pub use set::{contains_all, intersect};

/// An inclusive range of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "IP has two versions")]
pub enum AddressRange {
    /// IPv4, from and to; never from above to.
    V4(Ipv4Addr, Ipv4Addr),
    /// IPv6, from and to.
    V6(Ipv6Addr, Ipv6Addr),
}

impl AddressRange {
    /// All of IPv4.
    pub const ALL_V4: Self = Self::V4(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
    /// All of IPv6.
    pub const ALL_V6: Self = Self::V6(Ipv6Addr::UNSPECIFIED, Ipv6Addr::from_bits(u128::MAX));

    /// One address.
    #[must_use]
    pub const fn one(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address, address),
            IpAddr::V6(address) => Self::V6(address, address),
        }
    }

    /// From and to, when they are of one family and in order.
    #[must_use]
    pub fn of(from: IpAddr, to: IpAddr) -> Option<Self> {
        match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) if from <= to => Some(Self::V4(from, to)),
            (IpAddr::V6(from), IpAddr::V6(to)) if from <= to => Some(Self::V6(from, to)),
            _ => None,
        }
    }

    /// The addresses with this prefix; nothing when the prefix is longer than the address.
    #[must_use]
    pub fn prefix(address: IpAddr, length: u8) -> Option<Self> {
        match address {
            IpAddr::V4(address) => {
                let host = u32::MAX
                    .checked_shr(length.into())
                    .or((length == 32).then_some(0))?;
                let from = address.to_bits() & !host;
                Some(Self::V4(from.into(), (from | host).into()))
            }
            IpAddr::V6(address) => {
                let host = u128::MAX
                    .checked_shr(length.into())
                    .or((length == 128).then_some(0))?;
                let from = address.to_bits() & !host;
                Some(Self::V6(from.into(), (from | host).into()))
            }
        }
    }

    /// The address, if it is only one.
    #[must_use]
    pub fn single(&self) -> Option<IpAddr> {
        match self {
            Self::V4(from, to) => (from == to).then_some(IpAddr::V4(*from)),
            Self::V6(from, to) => (from == to).then_some(IpAddr::V6(*from)),
        }
    }

    /// The first and the last address.
    #[must_use]
    pub const fn ends(&self) -> (IpAddr, IpAddr) {
        match self {
            Self::V4(from, to) => (IpAddr::V4(*from), IpAddr::V4(*to)),
            Self::V6(from, to) => (IpAddr::V6(*from), IpAddr::V6(*to)),
        }
    }
}

/// The ports of a selector, or what stands in their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4301 §4.4.1.1 knows no more")]
pub enum Ports {
    /// From and to, inclusive. 0 to 65535 is ANY, which also means packets that show no ports.
    Range(u16, u16),
    /// OPAQUE: packets that show no ports, which are fragments but the first.
    Opaque,
}

impl Ports {
    /// Any port, and none.
    pub const ANY: Self = Self::Range(0, u16::MAX);

    /// One port.
    #[must_use]
    pub const fn one(port: u16) -> Self {
        Self::Range(port, port)
    }

    /// One type and code of ICMP (RFC 7296 §3.13.1): the type is the high octet.
    #[must_use]
    pub const fn icmp(kind: u8, code: u8) -> Self {
        Self::one(u16::from_be_bytes([kind, code]))
    }

    /// All codes of one type of ICMP; a type of mobility header likewise (RFC 4301 §4.4.1.1).
    #[must_use]
    pub const fn icmp_type(kind: u8) -> Self {
        Self::Range(
            u16::from_be_bytes([kind, 0]),
            u16::from_be_bytes([kind, 255]),
        )
    }
}

/// One side of the traffic of a child SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    /// The protocol of IP; 0 is any.
    pub protocol: u8,
    /// The ports, or types and codes of ICMP.
    pub ports: Ports,
    /// The addresses.
    pub addresses: AddressRange,
}

const TS_IPV4_ADDR_RANGE: u8 = 7;
const TS_IPV6_ADDR_RANGE: u8 = 8;

impl Selector {
    /// Any protocol and port of these addresses.
    #[must_use]
    pub const fn of(addresses: AddressRange) -> Self {
        Self {
            protocol: 0,
            ports: Ports::ANY,
            addresses,
        }
    }

    /// Exactly one packet's side: the selector that goes first when a packet asked for the SA
    /// (RFC 7296 §2.9). Without ports it is OPAQUE's traffic if the protocol has ports, else ANY.
    #[must_use]
    pub const fn of_packet(address: IpAddr, protocol: u8, port: Option<u16>) -> Self {
        Self {
            protocol,
            ports: match port {
                Some(port) => Ports::one(port),
                None => Ports::ANY,
            },
            addresses: AddressRange::one(address),
        }
    }

    /// Whether it lets all through that the other does.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        set::intersection(self, other).is_some_and(|both| both == *other)
    }

    /// Reads one; nothing for a type that is not known, which is skipped (RFC 7296 §2.9).
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, ParseError> {
        const EXPECTED: &str = "a traffic selector";
        let start = *reader;
        let kind = reader.u8(EXPECTED)?;
        let protocol = reader.u8(EXPECTED)?;
        let length = usize::from(reader.u16(EXPECTED)?);
        let rest = length
            .checked_sub(4)
            .ok_or_else(|| start.length(length, "the length of a traffic selector"))?;
        let mut body = reader.sub(rest, EXPECTED)?;
        let expected = match kind {
            TS_IPV4_ADDR_RANGE => 16,
            TS_IPV6_ADDR_RANGE => 40,
            _ => return Ok(None),
        };
        if length != expected {
            return Err(start.length(length, "16 octets for IPv4, 40 for IPv6"));
        }
        // RFC 7296 §3.13.1: OPAQUE is 65535 to 0; elsewhere the end is not before the start.
        let ports = match (body.u16(EXPECTED)?, body.u16(EXPECTED)?) {
            (u16::MAX, 0) => Ports::Opaque,
            (from, to) if from <= to => Ports::Range(from, to),
            (from, _) => return Err(start.value(from.into(), "ports in order")),
        };
        let addresses = if kind == TS_IPV4_ADDR_RANGE {
            let from = Ipv4Addr::from(*body.array::<4>(EXPECTED)?);
            let to = Ipv4Addr::from(*body.array::<4>(EXPECTED)?);
            AddressRange::of(from.into(), to.into())
        } else {
            let from = Ipv6Addr::from(*body.array::<16>(EXPECTED)?);
            let to = Ipv6Addr::from(*body.array::<16>(EXPECTED)?);
            AddressRange::of(from.into(), to.into())
        };
        let addresses = addresses.ok_or_else(|| {
            start.error(Problem::Value {
                value: kind.into(),
                expected: "a range whose end is not before its start",
            })
        })?;
        Ok(Some(Self {
            protocol,
            ports,
            addresses,
        }))
    }

    pub(crate) fn write(&self, octets: &mut Vec<u8>) {
        let (from, to) = match self.ports {
            Ports::Range(from, to) => (from, to),
            Ports::Opaque => (u16::MAX, 0),
        };
        let (kind, length) = match self.addresses {
            AddressRange::V4(..) => (TS_IPV4_ADDR_RANGE, 16),
            AddressRange::V6(..) => (TS_IPV6_ADDR_RANGE, 40),
        };
        octets.extend_from_slice(&[kind, self.protocol, 0, length]);
        octets.extend_from_slice(&from.to_be_bytes());
        octets.extend_from_slice(&to.to_be_bytes());
        match self.addresses {
            AddressRange::V4(from, to) => {
                octets.extend_from_slice(&from.octets());
                octets.extend_from_slice(&to.octets());
            }
            AddressRange::V6(from, to) => {
                octets.extend_from_slice(&from.octets());
                octets.extend_from_slice(&to.octets());
            }
        }
    }
}

#[cfg(test)]
mod tests;
