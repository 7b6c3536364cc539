//! The two ends: identities, locations, shared keys.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use hostward_crypto::Secret;
use hostward_ike::auth::SharedKey;
use hostward_ike::identity::{Addresses, Identity, IdentityPattern, PatternError};
use hostward_ike::policy as model;

use super::{Compiler, texts};
use crate::codes;
use crate::diagnostic::quote;
use crate::policy::{Object, Setting};
use crate::source::Span;
use crate::tables::ipsec::address::{All, ip_addr, ip_addr_set};
use crate::tables::ipsec::endpoint::{
    Identity as Kind, local_security_endpoint, remote_security_endpoint,
};
use crate::tables::ipsec::key_exchange as k;
use crate::value::Atom;

/// IBM-1047 of the ASCII characters from blank to tilde.
const EBCDIC: [u8; 95] = [
    0x40, 0x5A, 0x7F, 0x7B, 0x5B, 0x6C, 0x50, 0x7D, 0x4D, 0x5D, 0x5C, 0x4E, 0x6B, 0x60, 0x4B, 0x61,
    0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0x7A, 0x5E, 0x4C, 0x7E, 0x6E, 0x6F,
    0x7C, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6,
    0xD7, 0xD8, 0xD9, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xAD, 0xE0, 0xBD, 0x5F, 0x6D,
    0x79, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96,
    0x97, 0x98, 0x99, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xC0, 0x4F, 0xD0, 0xA1,
];

/// The addresses at a place of a value.
pub(super) fn addresses_at(setting: &Setting<'_>, place: usize) -> Option<Addresses> {
    let atom = setting.atoms().nth(place)?;
    if let Atom::Address(address) = atom {
        Some(Addresses::host(address))
    } else if let Atom::Addresses { first, last } = atom {
        Addresses::range(first, last)
    } else if let Atom::Prefix { address, length } = atom {
        Addresses::prefix(address, length)
    } else {
        Some(match atom.choice::<All>()? {
            All::All => Addresses::All,
            All::All4 => Addresses::V4,
            All::All6 => Addresses::V6,
        })
    }
}

/// The addresses of a value or of the statement it refers to.
pub(super) fn addresses_of(setting: &Setting<'_>) -> Option<Addresses> {
    match setting.object() {
        Some(object) => {
            let own = object
                .one(ip_addr::ADDR)
                .or_else(|| object.one(ip_addr_set::ADDRESSES))?;
            addresses_at(&own, 0)
        }
        None => addresses_at(setting, 0),
    }
}

fn word<'a>(setting: &Setting<'a>) -> &'a str {
    match setting.atoms().nth(1) {
        Some(Atom::Word(text) | Atom::Text(text)) => text,
        _ => "",
    }
}

impl Compiler<'_> {
    pub(super) fn local_endpoint(&mut self, object: Object<'_>) -> Option<model::LocalEndpoint> {
        if let Some(known) = self.locals.get(&object.index()) {
            return known.clone();
        }
        let made = self.local_endpoint_of(object);
        self.locals.insert(object.index(), made.clone());
        made
    }

    fn local_endpoint_of(&mut self, object: Object<'_>) -> Option<model::LocalEndpoint> {
        use local_security_endpoint as p;
        let identity = match object.one(p::IDENTITY) {
            None => None,
            Some(setting) => Some(self.identity(&setting)?),
        };
        Some(model::LocalEndpoint {
            identity,
            location: match object.one(p::LOCATION) {
                None => Addresses::All,
                Some(setting) => super::addresses(&setting)?,
            },
        })
    }

    pub(super) fn remote_endpoint(&mut self, object: Object<'_>) -> Option<model::RemoteEndpoint> {
        if let Some(known) = self.remotes.get(&object.index()) {
            return known.clone();
        }
        let made = self.remote_endpoint_of(object);
        self.remotes.insert(object.index(), made.clone());
        made
    }

    fn remote_endpoint_of(&mut self, object: Object<'_>) -> Option<model::RemoteEndpoint> {
        use remote_security_endpoint as p;
        let identity = match object.one(p::IDENTITY) {
            None => IdentityPattern::Any,
            Some(setting) => self.pattern(&setting)?,
        };
        Some(model::RemoteEndpoint {
            identity,
            location: match object.one(p::LOCATION) {
                None => Addresses::All,
                Some(setting) => super::addresses(&setting)?,
            },
            authorities: texts(object, p::CA_LABELS),
        })
    }

    fn identity(&mut self, setting: &Setting<'_>) -> Option<Identity> {
        let text = word(setting);
        let made = match setting.choice::<Kind>()? {
            Kind::IpAddr => match addresses_at(setting, 1)?.single() {
                Some(address) => return Some(Identity::ip(address)),
                None => {
                    self.bad_identity(setting, "this host has one address as identity");
                    return None;
                }
            },
            Kind::Fqdn => Identity::fqdn(text),
            Kind::UserAtFqdn => Identity::user_at_fqdn(text),
            Kind::X500dn => Identity::dn(text),
            Kind::KeyId => Identity::key_id(text.as_bytes()),
        };
        made.map_err(|error| self.bad_identity(setting, &error.to_string()))
            .ok()
    }

    fn pattern(&mut self, setting: &Setting<'_>) -> Option<IdentityPattern> {
        let text = word(setting);
        let made = match setting.choice::<Kind>()? {
            Kind::IpAddr => {
                return addresses_at(setting, 1).map(|addresses| {
                    if addresses == Addresses::All {
                        IdentityPattern::Any
                    } else {
                        IdentityPattern::addresses(addresses)
                    }
                });
            }
            Kind::Fqdn => IdentityPattern::fqdn(text),
            Kind::UserAtFqdn => IdentityPattern::user_at_fqdn(text),
            Kind::X500dn => IdentityPattern::dn(text),
            Kind::KeyId => Identity::key_id(text.as_bytes())
                .map(IdentityPattern::Exact)
                .map_err(PatternError::from),
        };
        made.map_err(|error| self.bad_identity(setting, &error.to_string()))
            .ok()
    }

    fn bad_identity(&mut self, setting: &Setting<'_>, why: &str) {
        self.tell(
            &codes::IKE_IDENTITY,
            setting.span(),
            || format!("{} is no identity", quote(word(setting))),
            || why.to_string(),
            "write `Fqdn gw.example.com`, `UserAtFqdn joe@example.com`, `X500dn CN=gw,O=Example`, `IpAddr 192.0.2.1` or `KeyId text`",
        );
    }

    pub(super) fn shared_key(&mut self, setting: &Setting<'_>, rule: Span) -> Option<SharedKey> {
        let octets: Option<Vec<u8>> =
            match (setting.choice::<k::SharedKey>()?, setting.atoms().nth(1)) {
                (k::SharedKey::Ascii, Some(Atom::Text(text))) => {
                    text.is_ascii().then(|| text.as_bytes().to_vec())
                }
                (k::SharedKey::Ebcdic, Some(Atom::Text(text))) => text
                    .bytes()
                    .map(|c| EBCDIC.get(usize::from(c).checked_sub(0x20)?).copied())
                    .collect(),
                (k::SharedKey::Hex, Some(Atom::Hex(digits))) => digits
                    .as_bytes()
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|[high, low]| {
                        let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
                        Some(digit(*high)? << 4 | digit(*low)?)
                    })
                    .collect(),
                (k::SharedKey::Ascii | k::SharedKey::Ebcdic | k::SharedKey::Hex, _) => None,
            };
        let key = octets.and_then(|octets| SharedKey::new(Secret::new(octets)).ok());
        if key.is_none() {
            // The line with the key would show it; the rule does not.
            self.tell(
                &codes::IKE_SHARED_KEY,
                rule,
                || "the shared key cannot be read".into(),
                || "in its `SharedKey`: expected visible ASCII characters, or hexadecimal digits after `Hex`".into(),
                "write keys with other characters in hexadecimal: `SharedKey Hex 736563726574`",
            );
        }
        key
    }
}
