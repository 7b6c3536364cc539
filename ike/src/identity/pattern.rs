//! Which identities of a peer a rule takes.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::name::{self, DistinguishedName, NameError};
use super::{HostName, Identity, IdentityError};

/// Addresses, all or one range of one IP version (`Location`, `IpAddr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Addresses {
    /// All of both versions.
    All,
    /// All of IPv4.
    V4,
    /// All of IPv6.
    V6,
    /// From the first to the last, both of one version, the first not above the last.
    #[non_exhaustive]
    Range {
        /// The least.
        first: IpAddr,
        /// The greatest.
        last: IpAddr,
    },
}

impl Addresses {
    /// One address.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self::Range {
            first: address,
            last: address,
        }
    }

    /// A range; nothing when the two are of different versions or the first is above the last.
    #[must_use]
    pub fn range(first: IpAddr, last: IpAddr) -> Option<Self> {
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self::Range { first, last })
    }

    /// The addresses that have these bits in front; bits behind them do not count. Nothing when there are not
    /// as many.
    #[must_use]
    pub fn prefix(address: IpAddr, len: u8) -> Option<Self> {
        let len = u32::from(len);
        match address {
            IpAddr::V4(address) => {
                let rest = u32::MAX.checked_shr(len).unwrap_or(0);
                let first = address.to_bits() & !rest;
                (len <= 32).then(|| Self::Range {
                    first: IpAddr::V4(first.into()),
                    last: IpAddr::V4((first | rest).into()),
                })
            }
            IpAddr::V6(address) => {
                let rest = u128::MAX.checked_shr(len).unwrap_or(0);
                let first = address.to_bits() & !rest;
                (len <= 128).then(|| Self::Range {
                    first: IpAddr::V6(first.into()),
                    last: IpAddr::V6((first | rest).into()),
                })
            }
        }
    }

    /// Whether this address is among them. An IPv4 address that is mapped into IPv6 is an IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::All => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
            Self::Range { first, last } => {
                let (first, last) = (first.to_canonical(), last.to_canonical());
                first.is_ipv4() == address.is_ipv4() && first <= address && address <= last
            }
        }
    }

    /// The address, when it is only one.
    #[must_use]
    pub fn single(&self) -> Option<IpAddr> {
        match self {
            Self::Range { first, last } if first == last => Some(*first),
            Self::Range { .. } | Self::All | Self::V4 | Self::V6 => None,
        }
    }
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// A `*` somewhere else than in place of the first labels, the user, or a whole value.
    #[error(
        "a * stands for the first labels of a host name (*.example.com), a user (*@example.com) or a value (CN=*)"
    )]
    Star,
    /// What is left is no identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl From<NameError> for PatternError {
    fn from(error: NameError) -> Self {
        Self::Identity(error.into())
    }
}

/// A type, and what its value folds to; nothing for any value.
type OpenAttribute = (Vec<u8>, Option<Vec<u8>>);

/// A distinguished name of which some values may be anything: `CN=*,O=Example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnPattern {
    /// From the least specific part; in each part types with what their values fold to, sorted.
    parts: Vec<Vec<OpenAttribute>>,
}

impl DnPattern {
    /// From text (RFC 4514) in which a value may be `*`, which stands for any one value. A `*` that is meant is
    /// written `\*`.
    ///
    /// # Errors
    ///
    /// [`PatternError::Star`] for a `*` beside other characters, [`PatternError::Identity`] otherwise.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut parts = Vec::new();
        for (types, any) in name::parse_parts(text)?.into_iter().rev() {
            let mut part = Vec::new();
            for ((oid, value), any) in types.into_iter().zip(any) {
                if let name::Value::Text(text) = &value
                    && !any
                    && text.contains('*')
                    && text != "*"
                {
                    return Err(PatternError::Star);
                }
                part.push((oid, (!any).then(|| value.fold())));
            }
            part.sort();
            parts.push(part);
        }
        Ok(Self { parts })
    }

    /// Whether a name has all these parts and no others.
    #[must_use]
    pub fn matches(&self, name: &DistinguishedName) -> bool {
        let parts = name.parts();
        parts.len() == self.parts.len()
            && parts
                .into_iter()
                .zip(&self.parts)
                .all(|(mut part, wanted)| {
                    part.sort_by(|a, b| (&a.oid, &a.folded).cmp(&(&b.oid, &b.folded)));
                    part.len() == wanted.len()
                        && part.iter().zip(wanted).all(|(attribute, (oid, value))| {
                            attribute.oid == *oid
                                && value
                                    .as_ref()
                                    .is_none_or(|value| attribute.folded == *value)
                        })
                })
    }
}

/// The identities that a rule takes of a peer (`Identity` of `RemoteSecurityEndpoint`).
///
/// ```
/// use hostward_ike::identity::{Identity, IdentityPattern};
///
/// let branch = IdentityPattern::fqdn("*.branch.example.com")?;
/// assert!(branch.matches(&Identity::fqdn("gw.Berlin.branch.example.com").unwrap()));
/// assert!(!branch.matches(&Identity::fqdn("branch.example.com").unwrap()));
/// # Ok::<(), hostward_ike::identity::PatternError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityPattern {
    /// Any of any type.
    Any,
    /// This one.
    Exact(Identity),
    /// An address among these.
    Addresses(Addresses),
    /// A host below this one, at any depth (`*.example.com`).
    HostsBelow(HostName),
    /// Any user at this host (`*@example.com`).
    UsersAt(HostName),
    /// A distinguished name with some values open.
    Dn(DnPattern),
    /// A key id that begins with these octets.
    KeyIdPrefix(Box<[u8]>),
}

impl IdentityPattern {
    /// Of addresses.
    #[must_use]
    pub fn addresses(addresses: Addresses) -> Self {
        match addresses.single() {
            Some(address) => Self::Exact(Identity::ip(address)),
            None => Self::Addresses(addresses),
        }
    }

    /// Of a host name, or `*.` and a host name.
    ///
    /// # Errors
    ///
    /// [`PatternError`].
    pub fn fqdn(text: &str) -> Result<Self, PatternError> {
        match text.strip_prefix("*.") {
            Some(domain) if !domain.contains('*') => Ok(Self::HostsBelow(HostName::new(domain)?)),
            None if !text.contains('*') => Ok(Self::Exact(Identity::fqdn(text)?)),
            Some(_) | None => Err(PatternError::Star),
        }
    }

    /// Of a user and host name, or `*@` and a host name.
    ///
    /// # Errors
    ///
    /// [`PatternError`].
    pub fn user_at_fqdn(text: &str) -> Result<Self, PatternError> {
        match text.strip_prefix("*@") {
            Some(host) if !host.contains('*') => Ok(Self::UsersAt(HostName::new(host)?)),
            None if !text.contains('*') => Ok(Self::Exact(Identity::user_at_fqdn(text)?)),
            Some(_) | None => Err(PatternError::Star),
        }
    }

    /// Of a distinguished name, some values of which may be `*`.
    ///
    /// # Errors
    ///
    /// [`PatternError`].
    pub fn dn(text: &str) -> Result<Self, PatternError> {
        let pattern = DnPattern::parse(text)?;
        let open = pattern
            .parts
            .iter()
            .flatten()
            .any(|(_, value)| value.is_none());
        if open {
            Ok(Self::Dn(pattern))
        } else {
            Ok(Self::Exact(Identity::dn(text)?))
        }
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn matches(&self, identity: &Identity) -> bool {
        match (self, identity) {
            (Self::Any, _) => true,
            (Self::Exact(wanted), identity) => wanted == identity,
            (Self::Addresses(wanted), Identity::Ip(address)) => wanted.contains(*address),
            (Self::HostsBelow(domain), Identity::Fqdn(host)) => {
                let (host, domain) = (host.as_str().as_bytes(), domain.as_str().as_bytes());
                let split = host.len().checked_sub(domain.len() + 1);
                split.is_some_and(|at| {
                    at > 0
                        && host.split_at_checked(at).is_some_and(|(_, end)| {
                            end.split_first().is_some_and(|(dot, end)| {
                                *dot == b'.' && end.eq_ignore_ascii_case(domain)
                            })
                        })
                })
            }
            (Self::UsersAt(host), Identity::UserAtFqdn(user)) => user.host() == host,
            (Self::Dn(pattern), Identity::Dn(name)) => pattern.matches(name),
            (Self::KeyIdPrefix(prefix), Identity::KeyId(octets)) => octets.starts_with(prefix),
            (
                Self::Addresses(_)
                | Self::HostsBelow(_)
                | Self::UsersAt(_)
                | Self::Dn(_)
                | Self::KeyIdPrefix(_),
                _,
            ) => false,
        }
    }

    /// The identity, when it is only one: what a host may expect of a peer before that has spoken.
    #[must_use]
    pub const fn exact(&self) -> Option<&Identity> {
        if let Self::Exact(identity) = self {
            Some(identity)
        } else {
            None
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
    fn addresses_contain_what_they_say() {
        let prefix = Addresses::prefix(ip("10.1.2.3"), 16).unwrap();
        assert_eq!(
            prefix,
            Addresses::Range {
                first: ip("10.1.0.0"),
                last: ip("10.1.255.255")
            }
        );
        assert!(prefix.contains(ip("::ffff:10.1.9.9")));
        assert!(!prefix.contains(ip("10.2.0.0")));
        let all = Addresses::prefix(ip("::"), 0).unwrap();
        assert!(all.contains(ip("2001:db8::")) && !all.contains(ip("10.0.0.1")));
        assert_eq!(Addresses::prefix(ip("10.0.0.0"), 33), None);
        assert_eq!(Addresses::prefix(ip("::"), 129), None);
        assert_eq!(
            Addresses::prefix(ip("10.0.0.1"), 32).unwrap().single(),
            Some(ip("10.0.0.1"))
        );
        assert_eq!(Addresses::range(ip("10.0.0.2"), ip("10.0.0.1")), None);
        assert_eq!(Addresses::range(ip("10.0.0.2"), ip("::1")), None);
        assert!(Addresses::V6.contains(ip("::2")) && !Addresses::V6.contains(ip("1.2.3.4")));
        assert!(Addresses::V4.contains(ip("1.2.3.4")) && Addresses::All.contains(ip("::2")));
    }

    #[test]
    fn patterns_take_what_they_say() {
        let below = IdentityPattern::fqdn("*.example.com").unwrap();
        for (name, is) in [
            ("a.example.com", true),
            ("a.b.EXAMPLE.com", true),
            ("example.com", false),
            ("aexample.com", false),
            ("a.example.com.evil.org", false),
        ] {
            assert_eq!(below.matches(&Identity::fqdn(name).unwrap()), is, "{name}");
        }
        assert!(!below.matches(&Identity::user_at_fqdn("x@a.example.com").unwrap()));
        let users = IdentityPattern::user_at_fqdn("*@example.com").unwrap();
        assert!(users.matches(&Identity::user_at_fqdn("joe@Example.com").unwrap()));
        assert!(!users.matches(&Identity::user_at_fqdn("joe@a.example.com").unwrap()));
        let net = IdentityPattern::addresses(Addresses::prefix(ip("10.0.0.0"), 8).unwrap());
        assert!(net.matches(&Identity::ip(ip("10.9.9.9"))));
        assert!(!net.matches(&Identity::key_id(b"10.9.9.9").unwrap()));
        let one = IdentityPattern::addresses(Addresses::host(ip("10.0.0.1")));
        assert_eq!(one.exact(), Some(&Identity::ip(ip("10.0.0.1"))));
        assert!(IdentityPattern::Any.matches(&Identity::ip(ip("::1"))));
        let key = IdentityPattern::KeyIdPrefix(b"site-".as_slice().into());
        assert!(key.matches(&Identity::key_id(b"site-7").unwrap()));
        assert!(!key.matches(&Identity::key_id(b"sit").unwrap()));
    }

    #[test]
    fn values_of_names_may_be_open() {
        let open = IdentityPattern::dn("CN=*,OU=gw,O=Example,C=US").unwrap();
        let is = |text| open.matches(&Identity::dn(text).unwrap());
        assert!(is("cn=any one,ou=GW,o=example,c=us"));
        assert!(!is("OU=gw,O=Example,C=US"));
        assert!(!is("CN=a,CN=b,OU=gw,O=Example,C=US"));
        assert!(!is("CN=a,OU=gw,O=Other,C=US"));
        assert!(!is("UID=a,OU=gw,O=Example,C=US"));
        let exact = IdentityPattern::dn("CN=\\*,O=Example").unwrap();
        assert_eq!(
            exact.exact(),
            Some(&Identity::dn("CN=\\*,O=Example").unwrap())
        );
        let set = IdentityPattern::dn("OU=*+CN=a,O=x").unwrap();
        assert!(set.matches(&Identity::dn("CN=a+OU=b,O=x").unwrap()));
    }

    #[test]
    fn a_star_has_its_places() {
        for text in ["a*.example.com", "*", "*.*.com", "a.*.com"] {
            assert_eq!(
                IdentityPattern::fqdn(text),
                Err(PatternError::Star),
                "{text}"
            );
        }
        for text in ["j*@example.com", "*@*.com"] {
            assert_eq!(IdentityPattern::user_at_fqdn(text), Err(PatternError::Star));
        }
        assert_eq!(IdentityPattern::dn("CN=a*"), Err(PatternError::Star));
    }
}
