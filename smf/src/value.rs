//! What the bytes of a field say.

use core::fmt::{self, Write as _};
use core::net::IpAddr;

use crate::ebcdic::{CodePage, trimmed};
use crate::field::{Address, CodeName, Field as _, Kind};
use crate::time::{Etod, SmfDate, SmfTime, Tod, TodDuration};

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A number.
    Number(u64),
    /// Bytes to be shown in hexadecimal.
    Hex(&'a [u8]),
    /// EBCDIC text, blanks at its end included.
    Text(&'a [u8]),
    /// An IP address.
    Address(IpAddr),
    /// A time of day.
    Time(SmfTime),
    /// A date.
    Date(SmfDate),
    /// A clock value.
    Tod(Tod),
    /// An extended clock value.
    Etod(Etod),
    /// A duration.
    Duration(TodDuration),
    /// A code.
    Code(u64, &'static [CodeName]),
    /// Bits.
    Flags(u64, &'static [CodeName]),
}

impl<'a> Value<'a> {
    /// What bytes of this kind say. `is_ipv6` is what a flag says of addresses, if there is one.
    ///
    /// Bytes whose number does not fit the kind are shown in hexadecimal.
    #[must_use]
    pub fn of(kind: Kind, bytes: &'a [u8], is_ipv6: Option<bool>) -> Self {
        let number = || match bytes.len() {
            1..=8 => Some(bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b))),
            _ => None,
        };
        let word = || bytes.try_into().ok().map(u32::from_be_bytes);
        let long = || bytes.try_into().ok().map(u64::from_be_bytes);
        let value = match kind {
            Kind::Number => number().map(Self::Number),
            Kind::Code(names) => number().map(|n| Self::Code(n, names)),
            Kind::Flags(names) => number().map(|n| Self::Flags(n, names)),
            Kind::Text => Some(Self::Text(bytes)),
            Kind::Address => bytes.try_into().ok().map(|b| {
                let address = Address::read(b);
                Self::Address(is_ipv6.map_or_else(|| address.guess(), |v6| address.ip(v6)))
            }),
            Kind::Time => word().map(|t| Self::Time(SmfTime(t))),
            Kind::Date => word().map(|d| Self::Date(SmfDate(d))),
            Kind::Tod => long().map(|t| Self::Tod(Tod(t))),
            Kind::Duration => long().map(|t| Self::Duration(TodDuration(t))),
            Kind::Etod => bytes.try_into().ok().map(|b| Self::Etod(Etod(b))),
            Kind::Hex | Kind::Reserved | Kind::Unknown | Kind::Group(_) => None,
        };
        value.unwrap_or(Self::Hex(bytes))
    }

    /// What a code or flags mean, `None` for other values.
    #[must_use]
    pub const fn meaning(&self) -> Option<Meaning> {
        match *self {
            Self::Code(n, names) => Some(Meaning(n, names, false)),
            Self::Flags(n, names) => Some(Meaning(n, names, true)),
            Self::Number(_)
            | Self::Hex(_)
            | Self::Text(_)
            | Self::Address(_)
            | Self::Time(_)
            | Self::Date(_)
            | Self::Tod(_)
            | Self::Etod(_)
            | Self::Duration(_) => None,
        }
    }

    /// The value in words, texts in this code page.
    pub const fn display(&self, page: CodePage) -> impl fmt::Display + use<'_, 'a> {
        Shown(self, page)
    }
}

/// In words, texts in IBM-1047.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(self, CodePage::Ibm1047).fmt(f)
    }
}

struct Shown<'v, 'a>(&'v Value<'a>, CodePage);

impl fmt::Display for Shown<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.0 {
            Value::Number(n) => write!(f, "{n}"),
            Value::Code(n, _) => write!(f, "{n}"),
            Value::Flags(n, _) => write!(f, "{n:#04x}"),
            Value::Hex(bytes) => bytes.iter().try_for_each(|b| write!(f, "{b:02X}")),
            // A field without value may be zeros.
            Value::Text(bytes) if bytes.iter().all(|b| *b == 0) => Ok(()),
            Value::Text(bytes) => trimmed(bytes)
                .iter()
                .try_for_each(|b| f.write_char(self.1.decode(*b))),
            Value::Address(ip) => ip.fmt(f),
            Value::Time(t) => t.fmt(f),
            Value::Date(d) => d.fmt(f),
            Value::Tod(t) => t.fmt(f),
            Value::Etod(t) => t.fmt(f),
            Value::Duration(d) => d.fmt(f),
        }
    }
}

/// The name of a code, or the names of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning(u64, &'static [CodeName], bool);

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(number, names, is_flags) = *self;
        if !is_flags {
            let name = names.iter().find(|c| u64::from(c.value) == number);
            return f.write_str(name.map_or("no known code", |c| c.name));
        }
        let mut left = number;
        let mut separator = "";
        for bit in names {
            if number & u64::from(bit.value) != 0 {
                left &= !u64::from(bit.value);
                write!(f, "{separator}{}", bit.name)?;
                separator = ", ";
            }
        }
        match (left, separator) {
            (0, "") => f.write_str("none"),
            (0, _) => Ok(()),
            _ => write!(f, "{separator}unknown bits {left:#x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{DetailEvent, Protocols};
    use alloc::string::{String, ToString as _};

    fn shown(kind: Kind, bytes: &[u8]) -> (String, Option<String>) {
        let value = Value::of(kind, bytes, None);
        (value.to_string(), value.meaning().map(|m| m.to_string()))
    }

    #[test]
    fn values_are_shown_with_their_meaning() {
        let event = Kind::Code(DetailEvent::TABLE.names);
        let protocols = Kind::Flags(Protocols::TABLE.names);
        let meaning = |m: &str| Some(m.to_string());
        assert_eq!(shown(Kind::Number, &[1, 0]), ("256".into(), None));
        assert_eq!(
            shown(event, &[3]),
            ("3".into(), meaning("connection termination"))
        );
        assert_eq!(shown(event, &[99]), ("99".into(), meaning("no known code")));
        assert_eq!(shown(protocols, &[0]), ("0x00".into(), meaning("none")));
        assert_eq!(
            shown(protocols, &[0xa0]),
            ("0xa0".into(), meaning("TLS/SSL, IPsec"))
        );
        assert_eq!(
            shown(protocols, &[0x81]).1,
            meaning("TLS/SSL, unknown bits 0x1")
        );
        assert_eq!(shown(protocols, &[1]).1, meaning("unknown bits 0x1"));
        assert_eq!(shown(Kind::Text, &[0xc1, 0x40]).0, "A");
        assert_eq!(shown(Kind::Text, &[0, 0]).0, "");
        assert_eq!(shown(Kind::Hex, &[0xc1, 0x40]).0, "C140");
        // Of the wrong width.
        assert_eq!(shown(Kind::Date, &[1, 2]).0, "0102");
        assert_eq!(shown(Kind::Number, &[1; 9]).0, "010101010101010101");
    }

    #[test]
    fn addresses_follow_the_flag_if_there_is_one() {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        let show = |v6| Value::of(Kind::Address, &bytes, v6).to_string();
        assert_eq!(show(None), "32.1.13.184");
        assert_eq!(show(Some(true)), "2001:db8::");
        assert_eq!(show(Some(false)), "32.1.13.184");
    }

    #[test]
    fn texts_are_shown_in_the_page_asked_for() {
        let value = Value::of(Kind::Text, &[0xba, 0x40], None);
        assert_eq!(value.display(CodePage::Ibm1047).to_string(), "\u{dd}");
        assert_eq!(value.display(CodePage::Ibm037).to_string(), "[");
    }
}
