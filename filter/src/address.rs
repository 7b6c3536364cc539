//! Which addresses a rule is about.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

/// A set of addresses as a rule writes it (`IpSourceAddr`, `IpDestAddr`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressSpec {
    /// Every address of both versions (`All`).
    #[default]
    Any,
    /// Every IPv4 address (`All4`).
    AnyV4,
    /// Every IPv6 address (`All6`).
    AnyV6,
    /// The addresses that share the first bits; made by [`prefix`](Self::prefix).
    Prefix(Prefix),
    /// The addresses from the first to the last, both included; made by [`range`](Self::range).
    Range(Range),
}

/// An address prefix with the host bits cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

/// A range of addresses of one version, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    first: IpAddr,
    last: IpAddr,
}

/// An address specification that means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The prefix is longer than the address.
    #[error("prefix length {length} is out of range: expected 0 to {max}")]
    PrefixLength {
        /// The length that was given.
        length: u8,
        /// The largest there is for the address's version.
        max: u8,
    },
    /// The ends of a range are of different versions.
    #[error("the range mixes IPv4 and IPv6: {first} to {last}")]
    MixedRange {
        /// The first address.
        first: IpAddr,
        /// The last address.
        last: IpAddr,
    },
    /// The last address of a range lies before the first.
    #[error("the range runs backwards: {first} to {last}")]
    BackwardRange {
        /// The first address.
        first: IpAddr,
        /// The last address.
        last: IpAddr,
    },
    /// The text is no address, prefix or range.
    #[error("expected an address, address/prefix or address-address")]
    Syntax,
}

impl AddressSpec {
    /// A single address.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        let length = if address.is_ipv4() { 32 } else { 128 };
        Self::Prefix(Prefix { address, length })
    }

    /// All addresses that share the first `length` bits of `address`.
    ///
    /// # Errors
    /// [`AddressError::PrefixLength`].
    pub fn prefix(address: IpAddr, length: u8) -> Result<Self, AddressError> {
        let max = if address.is_ipv4() { 32 } else { 128 };
        if length > max {
            return Err(AddressError::PrefixLength { length, max });
        }
        let address = match address {
            IpAddr::V4(a) => {
                let mask = u32::MAX.checked_shl(u32::from(32 - length)).unwrap_or(0);
                Ipv4Addr::from_bits(a.to_bits() & mask).into()
            }
            IpAddr::V6(a) => {
                let mask = u128::MAX.checked_shl(u32::from(128 - length)).unwrap_or(0);
                Ipv6Addr::from_bits(a.to_bits() & mask).into()
            }
        };
        Ok(Self::Prefix(Prefix { address, length }))
    }

    /// All addresses from `first` to `last`.
    ///
    /// # Errors
    /// [`AddressError::MixedRange`], [`AddressError::BackwardRange`].
    pub fn range(first: IpAddr, last: IpAddr) -> Result<Self, AddressError> {
        if first.is_ipv4() != last.is_ipv4() {
            return Err(AddressError::MixedRange { first, last });
        }
        if first > last {
            return Err(AddressError::BackwardRange { first, last });
        }
        Ok(Self::Range(Range { first, last }))
    }

    /// First and last address; `None` for [`Any`](Self::Any), which has some of both versions.
    #[must_use]
    pub fn bounds(&self) -> Option<(IpAddr, IpAddr)> {
        match self {
            Self::Any => None,
            Self::AnyV4 => Some((Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into())),
            Self::AnyV6 => Some((
                Ipv6Addr::UNSPECIFIED.into(),
                Ipv6Addr::from_bits(u128::MAX).into(),
            )),
            Self::Prefix(p) => Some((p.address, p.last())),
            Self::Range(r) => Some((r.first, r.last)),
        }
    }

    /// Whether every address of another specification is in this one.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self.bounds(), other.bounds()) {
            (None, _) => true,
            (Some(_), None) => false,
            // IPv4 sorts before IPv6, so bounds of one version hold none of the other.
            (Some((first, last)), Some((a, b))) => first <= a && b <= last,
        }
    }

    /// Whether an address is in the set.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::AnyV4 => address.is_ipv4(),
            Self::AnyV6 => address.is_ipv6(),
            Self::Prefix(p) => p.contains(address),
            // IPv4 sorts before IPv6, so a range of one version holds none of the other.
            Self::Range(r) => r.first <= address && address <= r.last,
        }
    }
}

impl Prefix {
    /// The address, host bits zero.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Number of bits that count.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }

    fn last(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(a) => {
                let host = u32::MAX.checked_shr(u32::from(self.length)).unwrap_or(0);
                Ipv4Addr::from_bits(a.to_bits() | host).into()
            }
            IpAddr::V6(a) => {
                let host = u128::MAX.checked_shr(u32::from(self.length)).unwrap_or(0);
                Ipv6Addr::from_bits(a.to_bits() | host).into()
            }
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let differs = a.to_bits() ^ b.to_bits();
                differs.leading_zeros() >= u32::from(self.length)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let differs = a.to_bits() ^ b.to_bits();
                differs.leading_zeros() >= u32::from(self.length)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl Range {
    /// The first and the last address.
    #[must_use]
    pub const fn ends(&self) -> (IpAddr, IpAddr) {
        (self.first, self.last)
    }
}

impl FromStr for AddressSpec {
    type Err = AddressError;

    /// Reads `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1-192.0.2.9`, `All`, `All4` or `All6`.
    fn from_str(s: &str) -> Result<Self, AddressError> {
        let address = |s: &str| s.trim().parse().map_err(|_| AddressError::Syntax);
        for (word, spec) in [
            ("All", Self::Any),
            ("All4", Self::AnyV4),
            ("All6", Self::AnyV6),
        ] {
            if s.eq_ignore_ascii_case(word) {
                return Ok(spec);
            }
        }
        if let Some((a, length)) = s.split_once('/') {
            // A sign would be taken, too.
            let digits = length.bytes().all(|b| b.is_ascii_digit());
            let length = length.parse().ok().filter(|_| digits);
            return Self::prefix(address(a)?, length.ok_or(AddressError::Syntax)?);
        }
        match s.split_once('-') {
            Some((a, b)) => Self::range(address(a)?, address(b)?),
            None => Ok(Self::host(address(s)?)),
        }
    }
}

impl fmt::Display for AddressSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("All"),
            Self::AnyV4 => f.write_str("All4"),
            Self::AnyV6 => f.write_str("All6"),
            Self::Prefix(p) => write!(f, "{}/{}", p.address, p.length),
            Self::Range(r) => write!(f, "{}-{}", r.first, r.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn spec(s: &str) -> AddressSpec {
        s.parse().unwrap()
    }

    #[test]
    fn text_and_membership() {
        assert!(spec("10.1.0.0/16").contains("10.1.255.255".parse().unwrap()));
        assert!(!spec("10.1.0.0/16").contains("10.2.0.0".parse().unwrap()));
        assert!(spec("0.0.0.0/0").contains("255.0.0.1".parse().unwrap()));
        assert!(!spec("0.0.0.0/0").contains("::".parse().unwrap()));
        assert!(spec("2001:db8::/32").contains("2001:db8:ffff::1".parse().unwrap()));
        assert!(spec("192.0.2.5-192.0.2.9").contains("192.0.2.9".parse().unwrap()));
        assert!(!spec("192.0.2.5-192.0.2.9").contains("192.0.2.10".parse().unwrap()));
        assert!(spec("all6").contains("::1".parse().unwrap()));
        assert_eq!(spec("10.1.2.3/8").to_string(), "10.0.0.0/8");
    }

    #[test]
    fn nonsense_is_refused_with_what_was_expected() {
        let error = |s: &str| s.parse::<AddressSpec>().unwrap_err();
        assert_eq!(
            error("10.0.0.0/33"),
            AddressError::PrefixLength {
                length: 33,
                max: 32
            }
        );
        assert!(matches!(
            error("10.0.0.9-10.0.0.1"),
            AddressError::BackwardRange { .. }
        ));
        assert!(matches!(
            error("10.0.0.9-::1"),
            AddressError::MixedRange { .. }
        ));
        assert_eq!(error("example.com"), AddressError::Syntax);
        assert_eq!(error("10.0.0.0/+8"), AddressError::Syntax);
    }
}
