//! Who a host says it is: the identities of IKEv2 (RFC 7296 §3.5), how they are written, compared and matched.
//!
//! | z/OS `Identity` | type | from text | equal when |
//! |---|---|---|---|
//! | `IpAddr` | 1, 5 | an address | the address is the same |
//! | `Fqdn` | 2 | a host name | the same but for case |
//! | `UserAtFqdn` | 3 | `user@host` | the user is the same, the host but for case |
//! | `X500dn` | 9 | RFC 4514 | name by name as in RFC 5280 §7.1 |
//! | `KeyId` | 11 | any octets | octet for octet |
//!
//! Everything here is total: whatever a peer sends is an identity or an [`IdentityError`].

mod name;
mod pattern;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use name::{DistinguishedName, NameError};
pub use pattern::{Addresses, DnPattern, IdentityPattern, PatternError};

/// The types of the identification payload (RFC 7296 §3.5, RFC 7619 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum IdType {
    /// ID_IPV4_ADDR.
    Ipv4Addr = 1,
    /// ID_FQDN.
    Fqdn = 2,
    /// ID_RFC822_ADDR (`UserAtFqdn`).
    Rfc822Addr = 3,
    /// ID_IPV6_ADDR.
    Ipv6Addr = 5,
    /// ID_DER_ASN1_DN (`X500dn`).
    DerAsn1Dn = 9,
    /// ID_DER_ASN1_GN: known, not taken.
    DerAsn1Gn = 10,
    /// ID_KEY_ID.
    KeyId = 11,
    /// ID_NULL: known, not taken.
    Null = 13,
}

impl IdType {
    /// The type of a number on the wire.
    #[must_use]
    pub const fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Ipv4Addr,
            2 => Self::Fqdn,
            3 => Self::Rfc822Addr,
            5 => Self::Ipv6Addr,
            9 => Self::DerAsn1Dn,
            10 => Self::DerAsn1Gn,
            11 => Self::KeyId,
            13 => Self::Null,
            _ => return None,
        })
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// Why octets or a text are no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The payload ends within its header of four octets.
    #[error("an identification payload has at least 4 octets")]
    Truncated,
    /// A type that is not known, or ID_DER_ASN1_GN or ID_NULL.
    #[error("identities of type {0} are not taken")]
    Type(u8),
    /// An address that has not 4 or 16 octets, by its type.
    #[error("an address of {0} octets")]
    AddressLength(usize),
    /// More than [`Identity::MAX_LEN`] octets, or none.
    #[error("an identity of {0} octets")]
    Length(usize),
    /// No host name: letters, digits, `-`, `_` and single dots.
    #[error("not a host name")]
    Host,
    /// No user and host name with an `@` between them.
    #[error("not a user and host name such as user@example.com")]
    User,
    /// No distinguished name.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// A host name (RFC 1123 §2.1), compared without case; internationalized names are in their ASCII form
/// (RFC 7296 §3.5).
#[derive(Clone, Debug)]
pub struct HostName(Box<str>);

impl HostName {
    /// From text: labels of 1 to 63 letters, digits, `-` and `_` with dots between them, 253 in all. A dot at the
    /// end, as of absolute names, is left out.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Host`].
    pub fn new(text: &str) -> Result<Self, IdentityError> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
        };
        if text.len() <= 253 && text.split('.').all(label) {
            Ok(Self(text.into()))
        } else {
            Err(IdentityError::Host)
        }
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for HostName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for HostName {}

impl Hash for HostName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.0.bytes() {
            state.write_u8(octet.to_ascii_lowercase());
        }
        state.write_u8(0xFF);
    }
}

/// A user at a host (RFC 5280 §7.5): the user is compared as it is, the host without case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserName {
    user: Box<str>,
    host: HostName,
}

impl UserName {
    /// From text: up to 64 visible ASCII characters without `@`, an `@`, a host name.
    ///
    /// # Errors
    ///
    /// [`IdentityError::User`].
    pub fn new(text: &str) -> Result<Self, IdentityError> {
        let (user, host) = text.rsplit_once('@').ok_or(IdentityError::User)?;
        let visible = user.bytes().all(|c| c.is_ascii_graphic() && c != b'@');
        if !visible || !(1..=64).contains(&user.len()) {
            return Err(IdentityError::User);
        }
        Ok(Self {
            user: user.into(),
            host: HostName::new(host).map_err(|_| IdentityError::User)?,
        })
    }

    /// The part before the `@`.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The part behind it.
    #[must_use]
    pub fn host(&self) -> &HostName {
        &self.host
    }
}

/// Who a host says it is.
///
/// ```
/// use hostward_ike::identity::Identity;
///
/// let claimed = Identity::read(2, b"Gateway.Example.COM")?;
/// assert_eq!(claimed, Identity::fqdn("gateway.example.com")?);
/// assert_ne!(claimed, Identity::key_id(b"gateway.example.com")?);
/// let name = Identity::dn("CN=Gateway,O=Example Inc,C=US")?;
/// assert_eq!(name, Identity::dn("cn=gateway, o=EXAMPLE  INC, c=us")?);
/// # Ok::<(), hostward_ike::identity::IdentityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identity {
    /// An address (`IpAddr`).
    Ip(IpAddr),
    /// A host (`Fqdn`).
    Fqdn(HostName),
    /// A user at a host (`UserAtFqdn`).
    UserAtFqdn(UserName),
    /// A distinguished name (`X500dn`).
    Dn(DistinguishedName),
    /// Octets that only the two peers understand (`KeyId`).
    KeyId(Box<[u8]>),
}

impl Identity {
    /// The most octets of the data of an identity. A peer's longer one is refused before anything is made of it.
    pub const MAX_LEN: usize = 2048;

    /// Of an address.
    #[must_use]
    pub const fn ip(address: IpAddr) -> Self {
        Self::Ip(address)
    }

    /// Of a host name.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Host`].
    pub fn fqdn(name: &str) -> Result<Self, IdentityError> {
        HostName::new(name).map(Self::Fqdn)
    }

    /// Of a user and host name.
    ///
    /// # Errors
    ///
    /// [`IdentityError::User`].
    pub fn user_at_fqdn(name: &str) -> Result<Self, IdentityError> {
        UserName::new(name).map(Self::UserAtFqdn)
    }

    /// Of a distinguished name as text (RFC 4514), the most specific part first: `CN=host,O=Example,C=US`.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Name`].
    pub fn dn(text: &str) -> Result<Self, IdentityError> {
        Ok(Self::Dn(DistinguishedName::parse(text)?))
    }

    /// Of octets.
    ///
    /// # Errors
    ///
    /// [`IdentityError::Length`] for none, or more than [`MAX_LEN`](Self::MAX_LEN).
    pub fn key_id(octets: &[u8]) -> Result<Self, IdentityError> {
        if (1..=Self::MAX_LEN).contains(&octets.len()) {
            Ok(Self::KeyId(octets.into()))
        } else {
            Err(IdentityError::Length(octets.len()))
        }
    }

    /// Reads the data of a payload of this type.
    ///
    /// # Errors
    ///
    /// [`IdentityError`]: a type that is not taken, or data that is not of the type. The peer is told
    /// AUTHENTICATION_FAILED, not INVALID_SYNTAX: the payload as such is well formed.
    pub fn read(id_type: u8, data: &[u8]) -> Result<Self, IdentityError> {
        if data.is_empty() || data.len() > Self::MAX_LEN {
            return Err(IdentityError::Length(data.len()));
        }
        let address = IdentityError::AddressLength(data.len());
        let text = |error| core::str::from_utf8(data).map_err(|_| error);
        match IdType::of(id_type) {
            Some(IdType::Ipv4Addr) => <[u8; 4]>::try_from(data)
                .map(|octets| Self::Ip(Ipv4Addr::from(octets).into()))
                .map_err(|_| address),
            Some(IdType::Ipv6Addr) => <[u8; 16]>::try_from(data)
                .map(|octets| Self::Ip(Ipv6Addr::from(octets).into()))
                .map_err(|_| address),
            Some(IdType::Fqdn) => Self::fqdn(text(IdentityError::Host)?),
            Some(IdType::Rfc822Addr) => Self::user_at_fqdn(text(IdentityError::User)?),
            Some(IdType::DerAsn1Dn) => Ok(Self::Dn(DistinguishedName::read(data)?)),
            Some(IdType::KeyId) => Self::key_id(data),
            Some(IdType::DerAsn1Gn | IdType::Null) | None => Err(IdentityError::Type(id_type)),
        }
    }

    /// Reads the body of a payload, which is what the signed octets contain: a type, three octets that are
    /// ignored, the data (RFC 7296 §3.5).
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`IdentityError::Truncated`].
    pub fn read_body(body: &[u8]) -> Result<Self, IdentityError> {
        let (&[id_type, _, _, _], data) = body
            .split_first_chunk::<4>()
            .ok_or(IdentityError::Truncated)?;
        Self::read(id_type, data)
    }

    /// Its type.
    #[must_use]
    pub const fn id_type(&self) -> IdType {
        match self {
            Self::Ip(IpAddr::V4(_)) => IdType::Ipv4Addr,
            Self::Ip(IpAddr::V6(_)) => IdType::Ipv6Addr,
            Self::Fqdn(_) => IdType::Fqdn,
            Self::UserAtFqdn(_) => IdType::Rfc822Addr,
            Self::Dn(_) => IdType::DerAsn1Dn,
            Self::KeyId(_) => IdType::KeyId,
        }
    }

    /// Its data on the wire.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        match self {
            Self::Ip(IpAddr::V4(address)) => address.octets().to_vec(),
            Self::Ip(IpAddr::V6(address)) => address.octets().to_vec(),
            Self::Fqdn(host) => host.as_str().as_bytes().to_vec(),
            Self::UserAtFqdn(user) => {
                let mut data = user.user().as_bytes().to_vec();
                data.push(b'@');
                data.extend_from_slice(user.host().as_str().as_bytes());
                data
            }
            Self::Dn(name) => name.der().to_owned(),
            Self::KeyId(octets) => octets.to_vec(),
        }
    }

    /// The body of its payload: type, three zero octets, data.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let mut body = alloc::vec![self.id_type().number(), 0, 0, 0];
        body.append(&mut self.data());
        body
    }

    /// Whether a peer at this address may say it is this: an address must be the one its packets come from, unless
    /// `bypass` (`BypassIpValidation`), which peers behind address translators need. Other identities say
    /// nothing about addresses.
    #[must_use]
    pub fn is_at(&self, source: IpAddr, bypass: bool) -> bool {
        match self {
            Self::Ip(address) => bypass || address.to_canonical() == source.to_canonical(),
            Self::Fqdn(_) | Self::UserAtFqdn(_) | Self::Dn(_) | Self::KeyId(_) => true,
        }
    }
}

/// As the type's usual text; a key id as text when it is visible ASCII, otherwise in hexadecimal after `#`. No
/// octet of a peer comes through that a log or terminal could take for something else.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Fqdn(host) => f.write_str(host.as_str()),
            Self::UserAtFqdn(user) => write!(f, "{}@{}", user.user(), user.host().as_str()),
            Self::Dn(name) => name.fmt(f),
            Self::KeyId(octets) => match core::str::from_utf8(octets) {
                Ok(text) if octets.iter().all(u8::is_ascii_graphic) && !text.starts_with('#') => {
                    f.write_str(text)
                }
                Ok(_) | Err(_) => {
                    f.write_str("#")?;
                    octets.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    // RFC 7296 §3.5: the types and their data.
    #[test]
    fn every_type_comes_back_from_the_wire() {
        for identity in [
            Identity::ip("192.0.2.1".parse().unwrap()),
            Identity::ip("2001:db8::1".parse().unwrap()),
            Identity::fqdn("gw_1.example.com").unwrap(),
            Identity::user_at_fqdn("Joe.User+vpn@example.com").unwrap(),
            Identity::dn("CN=gw,OU=a\\,b,O=Example,C=US").unwrap(),
            Identity::key_id(&[0, 1, 0xFF]).unwrap(),
        ] {
            assert_eq!(Identity::read_body(&identity.body()).unwrap(), identity);
            let mut reserved = identity.body();
            reserved[1..4].copy_from_slice(&[1, 2, 3]);
            assert_eq!(Identity::read_body(&reserved).unwrap(), identity);
        }
    }

    // RFC 1123 §2.1: what a host name is. RFC 7619 §2.2: ID_NULL is not taken.
    #[test]
    fn what_is_none_is_an_error() {
        use IdentityError as E;
        for (id_type, data, error) in [
            (1, &[1, 2, 3][..], E::AddressLength(3)),
            (5, &[0; 17], E::AddressLength(17)),
            (2, b"a..b", E::Host),
            (2, b"gw.example.com\0.evil.example", E::Host),
            (2, &[0xFF], E::Host),
            (2, b"*.example.com", E::Host),
            (3, b"example.com", E::User),
            (3, b"a@b@example.com", E::User),
            (3, b"@example.com", E::User),
            (3, b"joe\n@example.com", E::User),
            (10, &[0x82, 0], E::Type(10)),
            (13, b"x", E::Type(13)),
            (0, b"x", E::Type(0)),
            (201, b"x", E::Type(201)),
            (11, &[], E::Length(0)),
            (2, &[b'a'; 2049], E::Length(2049)),
        ] {
            assert_eq!(Identity::read(id_type, data), Err(error), "{id_type}");
        }
        for short in [&[][..], &[1], &[1, 0, 0]] {
            assert_eq!(Identity::read_body(short), Err(E::Truncated));
        }
        assert!(Identity::fqdn(&vec!["a"; 128].join(".")).is_err());
        assert!(Identity::fqdn(&"a".repeat(64)).is_err());
    }

    // RFC 5280 §7.5: the user as it is, the host without case.
    #[test]
    fn case_counts_in_users_and_not_in_hosts() {
        let user = |text| Identity::user_at_fqdn(text).unwrap();
        assert_eq!(user("joe@EXAMPLE.com"), user("joe@example.com"));
        assert_ne!(user("Joe@example.com"), user("joe@example.com"));
        assert_eq!(
            Identity::fqdn("A.example.").unwrap(),
            Identity::fqdn("a.Example").unwrap()
        );
        // The same octets as another type are another identity.
        assert_ne!(
            Identity::key_id(b"192.0.2.1").unwrap(),
            Identity::ip("192.0.2.1".parse().unwrap())
        );
    }

    #[test]
    fn an_address_is_the_one_packets_come_from() {
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|a| a.parse().unwrap());
        assert!(Identity::ip(one).is_at(one, false));
        assert!(Identity::ip(one).is_at("::ffff:192.0.2.1".parse().unwrap(), false));
        assert!(!Identity::ip(one).is_at(other, false));
        assert!(Identity::ip(one).is_at(other, true));
        assert!(Identity::fqdn("gw").unwrap().is_at(other, false));
    }

    #[test]
    fn nothing_of_a_peer_reaches_a_terminal() {
        let shown = |octets: &[u8]| Identity::key_id(octets).unwrap().to_string();
        assert_eq!(shown(b"plain-id"), "plain-id");
        assert_eq!(shown(b"\x1b[2J"), "#1b5b324a");
        assert_eq!(shown(b"#00"), "#233030");
        assert_eq!(
            Identity::user_at_fqdn("joe@Example.com")
                .unwrap()
                .to_string(),
            "joe@Example.com"
        );
    }

    #[test]
    fn every_octet_string_is_read_to_an_end() {
        arbtest::arbtest(|u| {
            let id_type: u8 = u.arbitrary()?;
            let data: &[u8] = u.arbitrary()?;
            if let Ok(identity) = Identity::read(id_type, data) {
                let again = Identity::read(identity.id_type().number(), &identity.data());
                assert_eq!(again.as_ref(), Ok(&identity));
                assert!(identity.to_string().chars().all(|c| !c.is_control()));
            }
            Ok(())
        });
    }
}
