//! Distinguished names: DER, text, comparison.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::hash::{Hash, Hasher};

use crate::der::{self, Der};

/// Why octets or a text are no distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No Name in DER.
    #[error("not a distinguished name in DER")]
    Der,
    /// More than [`DistinguishedName::MAX_PARTS`] parts.
    #[error("a distinguished name of more than {max} parts", max = DistinguishedName::MAX_PARTS)]
    TooManyParts,
    /// A text without parts.
    #[error("a distinguished name without parts")]
    Empty,
    /// A part without `=`.
    #[error("a part of a distinguished name is TYPE=value")]
    Part,
    /// A type that has no short name here and is no object identifier.
    #[error("an attribute type that is not known; write it as digits and dots")]
    Type,
    /// A value that cannot be read: an unfinished escape, or hexadecimal digits that are none.
    #[error("a value of a distinguished name that cannot be read")]
    Value,
}

/// A distinguished name (RFC 5280 §4.1.2.4).
///
/// Two are equal when their parts are equal in order and every part has the same types with values that differ at
/// most in case, in the kind of string and in the number of spaces between words (RFC 5280 §7.1). Values
/// that are no strings, or hold control characters, are compared octet for octet.
#[derive(Clone)]
pub struct DistinguishedName {
    /// The Name, with its tag.
    der: Box<[u8]>,
    /// What it is compared by.
    folded: Box<[u8]>,
}

/// One type with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) oid: Vec<u8>,
    /// As in [`fold`].
    pub(super) folded: Vec<u8>,
}

impl DistinguishedName {
    /// The most parts, counting each type of a part with several. Real names have fewer than 20.
    pub const MAX_PARTS: usize = 64;

    /// Reads a Name in DER, which must be all of it.
    ///
    /// # Errors
    ///
    /// [`NameError::Der`], [`NameError::TooManyParts`].
    pub fn read(der: &[u8]) -> Result<Self, NameError> {
        let parts = read_parts(der)?;
        Ok(Self {
            der: der.into(),
            folded: fold_parts(&parts),
        })
    }

    /// Reads a text (RFC 4514), the most specific part first.
    ///
    /// # Errors
    ///
    /// [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut parts = Vec::new();
        for (types, _) in parse_parts(text)? {
            let mut set: Vec<Vec<u8>> = Vec::new();
            for (oid, value) in types {
                let mut pair = der::wrap(der::OID, &oid);
                pair.extend_from_slice(&value.encode(&oid));
                set.push(der::wrap(der::SEQUENCE, &pair));
            }
            // X.690 §11.6: a set is sorted by its encodings.
            set.sort();
            parts.push(der::wrap(der::SET, &set.concat()));
        }
        // RFC 4514 §2.1: the text begins with the last part.
        parts.reverse();
        Self::read(&der::wrap(der::SEQUENCE, &parts.concat()))
    }

    /// The Name in DER, with its tag, octet for octet as it was read.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it has no parts, as the subject of certificates that have only alternative names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    pub(super) fn parts(&self) -> Vec<Vec<Attribute>> {
        read_parts(&self.der).unwrap_or_default()
    }
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for DistinguishedName {}

impl Hash for DistinguishedName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DistinguishedName({self})")
    }
}

/// Object identifiers with a short name: those of RFC 4514 §3, and what certificates have besides.
const TYPES: &[(&str, &[u8])] = &[
    ("CN", &[0x55, 4, 3]),
    ("SN", &[0x55, 4, 4]),
    ("SERIALNUMBER", &[0x55, 4, 5]),
    ("C", &[0x55, 4, 6]),
    ("L", &[0x55, 4, 7]),
    ("ST", &[0x55, 4, 8]),
    ("STREET", &[0x55, 4, 9]),
    ("O", &[0x55, 4, 10]),
    ("OU", &[0x55, 4, 11]),
    ("T", &[0x55, 4, 12]),
    ("POSTALCODE", &[0x55, 4, 17]),
    ("GN", &[0x55, 4, 42]),
    ("DNQUALIFIER", &[0x55, 4, 46]),
    (
        "UID",
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 1],
    ),
    (
        "DC",
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 25],
    ),
    ("EMAIL", EMAIL),
];
const EMAIL: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1];

/// Other names that are read: RFC 4519 and the usage of z/OS and OpenSSL.
const ALIASES: &[(&str, &str)] = &[
    ("E", "EMAIL"),
    ("EMAILADDRESS", "EMAIL"),
    ("COMMONNAME", "CN"),
    ("COUNTRY", "C"),
    ("COUNTRYNAME", "C"),
    ("ORGANIZATION", "O"),
    ("ORGANIZATIONNAME", "O"),
    ("ORGANIZATIONALUNIT", "OU"),
    ("ORGANIZATIONALUNITNAME", "OU"),
    ("LOCALITY", "L"),
    ("LOCALITYNAME", "L"),
    ("S", "ST"),
    ("SP", "ST"),
    ("STATEORPROVINCENAME", "ST"),
    ("SURNAME", "SN"),
    ("GIVENNAME", "GN"),
    ("TITLE", "T"),
    ("USERID", "UID"),
    ("DOMAINCOMPONENT", "DC"),
];

fn read_parts(octets: &[u8]) -> Result<Vec<Vec<Attribute>>, NameError> {
    let mut sets = Der(der::only(der::SEQUENCE, octets).ok_or(NameError::Der)?);
    let mut parts = Vec::new();
    let mut count = 0;
    while !sets.is_empty() {
        let mut set = Der(sets.expect(der::SET).ok_or(NameError::Der)?.value);
        let mut part = Vec::new();
        // RFC 5280 §4.1.2.4: at least one type in each part.
        loop {
            count += 1;
            if count > DistinguishedName::MAX_PARTS {
                return Err(NameError::TooManyParts);
            }
            let pair = set.expect(der::SEQUENCE).ok_or(NameError::Der)?.value;
            let mut pair = Der(pair);
            let oid = pair.expect(der::OID).ok_or(NameError::Der)?.value;
            let value = pair.next().ok_or(NameError::Der)?;
            if !pair.is_empty() || !is_oid(oid) {
                return Err(NameError::Der);
            }
            part.push(Attribute {
                oid: oid.to_owned(),
                folded: fold(value.tag, value.value),
            });
            if set.is_empty() {
                break;
            }
        }
        parts.push(part);
    }
    Ok(parts)
}

/// X.690 §8.19: arcs of seven bits, without a leading zero, the last octet of each without the high bit.
fn is_oid(oid: &[u8]) -> bool {
    let mut starts = true;
    for octet in oid {
        if starts && *octet == 0x80 {
            return false;
        }
        starts = octet & 0x80 == 0;
    }
    !oid.is_empty() && starts
}

fn fold_parts(parts: &[Vec<Attribute>]) -> Box<[u8]> {
    let mut folded = Vec::new();
    for part in parts {
        let mut attributes: Vec<Vec<u8>> = part
            .iter()
            .map(|attribute| {
                let mut octets = der::wrap(der::OID, &attribute.oid);
                der::write(der::OCTET_STRING, &attribute.folded, &mut octets);
                octets
            })
            .collect();
        attributes.sort();
        der::write(der::SET, &attributes.concat(), &mut folded);
    }
    folded.into()
}

/// The characters of a string type; nothing for another type and for what is not of its type.
fn text(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        der::UTF8_STRING => core::str::from_utf8(value).ok().map(ToOwned::to_owned),
        der::NUMERIC_STRING | der::PRINTABLE_STRING | der::IA5_STRING | der::VISIBLE_STRING => {
            value
                .is_ascii()
                .then(|| value.iter().map(|octet| char::from(*octet)).collect())
        }
        // In practice Latin-1.
        der::TELETEX_STRING => Some(value.iter().map(|octet| char::from(*octet)).collect()),
        der::BMP_STRING => {
            let (units, rest) = value.as_chunks::<2>();
            let units = units.iter().map(|unit| u16::from_be_bytes(*unit));
            let text: Option<String> = char::decode_utf16(units).map(Result::ok).collect();
            text.filter(|_| rest.is_empty())
        }
        der::UNIVERSAL_STRING => {
            let (units, rest) = value.as_chunks::<4>();
            let text: Option<String> = units
                .iter()
                .map(|unit| char::from_u32(u32::from_be_bytes(*unit)))
                .collect();
            text.filter(|_| rest.is_empty())
        }
        _ => None,
    }
}

/// A value as it is compared: an octet that tells strings from other types, and the string in lower case with
/// single spaces between its words, or the encoding.
pub(super) fn fold(tag: u8, value: &[u8]) -> Vec<u8> {
    match text(tag, value).filter(|text| !text.chars().any(char::is_control)) {
        Some(text) => fold_text(&text),
        None => {
            let mut folded = alloc::vec![0];
            der::write(tag, value, &mut folded);
            folded
        }
    }
}

fn fold_text(text: &str) -> Vec<u8> {
    let mut folded = String::from("\u{1}");
    for word in text.split_whitespace() {
        if folded.len() > 1 {
            folded.push(' ');
        }
        folded.extend(word.chars().flat_map(char::to_lowercase));
    }
    folded.into_bytes()
}

/// A value of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// Any value in DER, written `#` and hexadecimal digits.
    Der(Vec<u8>),
}

impl Value {
    fn encode(&self, oid: &[u8]) -> Vec<u8> {
        match self {
            Self::Der(der) => der.clone(),
            Self::Text(text) => {
                let printable = |c: u8| c.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&c);
                let tag = match oid {
                    // RFC 5280 appendix A.1: the strings that these are.
                    [0x55, 4, 5 | 6 | 46] if text.bytes().all(printable) => der::PRINTABLE_STRING,
                    [0x09, .., 25] | EMAIL if text.is_ascii() => der::IA5_STRING,
                    _ => der::UTF8_STRING,
                };
                der::wrap(tag, text.as_bytes())
            }
        }
    }

    pub(super) fn fold(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => fold(der::UTF8_STRING, text.as_bytes()),
            Self::Der(der) => Der(der)
                .next()
                .map_or_else(Vec::new, |element| fold(element.tag, element.value)),
        }
    }
}

/// Types with their values, and whether the value is an unescaped `*`.
pub(super) type Part = (Vec<(Vec<u8>, Value)>, Vec<bool>);

/// The parts of a text as they stand there.
pub(super) fn parse_parts(text: &str) -> Result<Vec<Part>, NameError> {
    if text.trim().is_empty() {
        return Err(NameError::Empty);
    }
    let mut rest = text;
    let mut parts: Vec<Part> = Vec::new();
    let mut part: Part = (Vec::new(), Vec::new());
    let mut count = 0;
    loop {
        count += 1;
        if count > DistinguishedName::MAX_PARTS {
            return Err(NameError::TooManyParts);
        }
        let (name, behind) = rest.split_once('=').ok_or(NameError::Part)?;
        let oid = attribute_type(name.trim())?;
        let (value, any, separator, behind) = attribute_value(behind)?;
        part.0.push((oid, value));
        part.1.push(any);
        rest = behind;
        if separator != Some('+') {
            parts.push(core::mem::take(&mut part));
        }
        if separator.is_none() {
            return Ok(parts);
        }
    }
}

fn attribute_type(name: &str) -> Result<Vec<u8>, NameError> {
    let upper = name.to_ascii_uppercase();
    let upper = ALIASES
        .iter()
        .find(|(alias, _)| *alias == upper)
        .map_or(upper.as_str(), |(_, name)| name);
    if let Some((_, oid)) = TYPES.iter().find(|(short, _)| *short == upper) {
        return Ok(oid.to_vec());
    }
    let digits = upper.strip_prefix("OID.").unwrap_or(upper);
    let mut arcs = digits.split('.').map(|arc| arc.parse::<u32>().ok());
    let mut next = || arcs.next().map(|arc| arc.ok_or(NameError::Type));
    let (Some(top), Some(second)) = (next(), next()) else {
        return Err(NameError::Type);
    };
    let (top, second) = (top?, second?);
    if top > 2 || (top < 2 && second > 39) {
        return Err(NameError::Type);
    }
    let mut oid = Vec::new();
    arc(u64::from(top) * 40 + u64::from(second), &mut oid);
    while let Some(number) = next() {
        arc(u64::from(number?), &mut oid);
    }
    Ok(oid)
}

fn arc(number: u64, to: &mut Vec<u8>) {
    let bits = 64 - number.leading_zeros();
    for at in (0..bits.div_ceil(7).max(1)).rev() {
        let octet = (number >> (7 * at)) as u8 & 0x7F;
        to.push(if at == 0 { octet } else { octet | 0x80 });
    }
}

/// RFC 4514 §2.4, §3: a value up to a separator that is not escaped; spaces around it do not count. Gives the value,
/// whether it is a `*`, the separator, what is behind.
fn attribute_value(text: &str) -> Result<(Value, bool, Option<char>, &str), NameError> {
    let mut octets: Vec<u8> = Vec::new();
    // Spaces at the end count only when they are escaped.
    let mut keep = 0;
    let mut plain = true;
    let mut chars = text.char_indices().peekable();
    let (mut separator, mut behind) = (None, "");
    while let Some((at, c)) = chars.next() {
        match c {
            ',' | ';' | '+' => {
                separator = Some(c);
                behind = text.get(at + 1..).unwrap_or("");
                break;
            }
            ' ' if octets.is_empty() => {}
            ' ' => octets.push(b' '),
            '\\' => {
                plain = false;
                let (_, escaped) = chars.next().ok_or(NameError::Value)?;
                match (
                    escaped.to_digit(16),
                    chars.peek().and_then(|(_, c)| c.to_digit(16)),
                ) {
                    (Some(high), Some(low)) => {
                        chars.next();
                        octets.push((high * 16 + low) as u8);
                    }
                    (Some(_), None) => return Err(NameError::Value),
                    (None, _) => {
                        octets.extend_from_slice(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
                keep = octets.len();
            }
            _ => {
                octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                keep = octets.len();
            }
        }
    }
    octets.truncate(keep);
    let any = plain && octets == b"*";
    if plain && let Some((b'#', digits)) = octets.split_first() {
        let (pairs, rest) = digits.as_chunks::<2>();
        let digit = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
        let der: Option<Vec<u8>> = pairs
            .iter()
            .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
            .collect();
        let der = der.filter(|_| rest.is_empty()).ok_or(NameError::Value)?;
        let mut all = Der(&der);
        let whole = all.next().is_some() && all.is_empty();
        return if whole {
            Ok((Value::Der(der), false, separator, behind))
        } else {
            Err(NameError::Value)
        };
    }
    // X.520: strings of a name are not empty.
    if octets.is_empty() {
        return Err(NameError::Value);
    }
    let value = String::from_utf8(octets).map_err(|_| NameError::Value)?;
    Ok((Value::Text(value), any, separator, behind))
}

/// RFC 4514 §2: the last part first. What is not visible is escaped.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut sets = Vec::new();
        let mut der = Der(der::only(der::SEQUENCE, &self.der).unwrap_or(&[]));
        while let Some(set) = der.next() {
            sets.push(set.value);
        }
        for (i, set) in sets.iter().rev().enumerate() {
            if i > 0 {
                f.write_char(',')?;
            }
            let mut set = Der(set);
            let mut first = true;
            while let Some(pair) = set.next() {
                let mut pair = Der(pair.value);
                let (Some(oid), Some(value)) = (pair.next(), pair.next()) else {
                    break;
                };
                if !first {
                    f.write_char('+')?;
                }
                first = false;
                write_type(oid.value, f)?;
                f.write_char('=')?;
                write_value(value, f)?;
            }
        }
        Ok(())
    }
}

fn write_type(oid: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some((name, _)) = TYPES.iter().find(|(_, known)| *known == oid) {
        return f.write_str(name);
    }
    let mut number: u64 = 0;
    let mut first = true;
    for octet in oid {
        number = number << 7 | u64::from(octet & 0x7F);
        if octet & 0x80 != 0 {
            continue;
        }
        if first {
            let top = (number / 40).min(2);
            write!(f, "{top}.{}", number - top * 40)?;
        } else {
            write!(f, ".{number}")?;
        }
        first = false;
        number = 0;
    }
    Ok(())
}

fn write_value(value: der::Element<'_>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some(text) = text(value.tag, value.value).filter(|text| !text.is_empty()) else {
        f.write_char('#')?;
        return value
            .whole
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"));
    };
    let last = text.chars().count() - 1;
    for (at, c) in text.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => write!(f, "\\{c}")?,
            '#' | '*' if at == 0 => write!(f, "\\{c}")?,
            ' ' if at == 0 || at == last => f.write_str("\\ ")?,
            _ if c.is_control() || is_invisible(c) => {
                for octet in c.encode_utf8(&mut [0; 4]).bytes() {
                    write!(f, "\\{octet:02x}")?;
                }
            }
            _ => f.write_char(c)?,
        }
    }
    Ok(())
}

/// Characters that would show a name as another one: direction marks, joiners, odd spaces.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{A0}' | '\u{61C}' | '\u{180E}' | '\u{2000}'..='\u{200F}' | '\u{2028}'..='\u{202F}'
        | '\u{205F}'..='\u{206F}' | '\u{3000}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn dn(text: &str) -> DistinguishedName {
        DistinguishedName::parse(text).unwrap()
    }

    /// A name with one part of one type.
    fn one(oid: &[u8], tag: u8, value: &[u8]) -> Vec<u8> {
        let mut pair = der::wrap(der::OID, oid);
        der::write(tag, value, &mut pair);
        let set = der::wrap(der::SET, &der::wrap(der::SEQUENCE, &pair));
        der::wrap(der::SEQUENCE, &set)
    }

    // RFC 4514 §2, §2.1, §2.4, §3: order, escapes, several types in a part. RFC 5280 appendix A.1: kinds of strings.
    #[test]
    fn text_and_der() {
        assert_eq!(
            dn("CN=a,C=US").der(),
            [
                &[0x30, 0x19][..],
                &[0x31, 11, 0x30, 9, 6, 3, 0x55, 4, 6, 0x13, 2, b'U', b'S'],
                &[0x31, 10, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0C, 1, b'a'],
            ]
            .concat()
        );
        for (text, shown) in [
            ("cn=gw , o = Example Inc ,C=US", "CN=gw,O=Example Inc,C=US"),
            ("CN=a\\,b\\2Bc", "CN=a\\,b\\+c"),
            ("CN=\\ x\\ ", "CN=\\ x\\ "),
            ("OU=b+CN=a,O=x", "CN=a+OU=b,O=x"),
            ("1.2.840.5=#0c0161", "1.2.840.5=a"),
            ("OID.2.5.4.3=x", "CN=x"),
            ("CN=#0500", "CN=#0500"),
            (
                "E=Joe@Example.com,DC=example,DC=com",
                "EMAIL=Joe@Example.com,DC=example,DC=com",
            ),
            ("CN=M\u{fc}ller", "CN=M\u{fc}ller"),
            ("CN=\\*", "CN=\\*"),
        ] {
            assert_eq!(dn(text).to_string(), shown);
            assert_eq!(dn(shown), dn(text));
        }
        for (text, error) in [
            ("", NameError::Empty),
            ("CN", NameError::Part),
            ("CN=", NameError::Value),
            ("CN=a,", NameError::Part),
            ("FOO=a", NameError::Type),
            ("3.1=a", NameError::Type),
            ("CN=a\\", NameError::Value),
            ("CN=a\\2", NameError::Value),
            ("CN=#05", NameError::Value),
            ("CN=#0", NameError::Value),
            ("CN=\\ff", NameError::Value),
        ] {
            assert_eq!(DistinguishedName::parse(text), Err(error), "{text}");
        }
        let many = ["CN=a"; 65].join(",");
        assert_eq!(
            DistinguishedName::parse(&many),
            Err(NameError::TooManyParts)
        );
    }

    // RFC 5280 §7.1: case, kind of string and spaces do not count; order and types do.
    #[test]
    fn names_are_compared_part_by_part() {
        assert_eq!(dn("CN=Host One,O=EXAMPLE"), dn("cn=host   one,o=Example"));
        assert_ne!(dn("CN=a,O=b"), dn("O=b,CN=a"));
        assert_ne!(dn("CN=a,O=b"), dn("CN=a"));
        assert_ne!(dn("CN=a"), dn("OU=a"));
        assert_ne!(dn("CN=a+OU=b"), dn("CN=a,OU=b"));
        assert_eq!(dn("CN=a+OU=b"), dn("OU=b+CN=a"));
        assert_ne!(dn("CN=ab"), dn("CN=a b"));
        let cn = &[0x55, 4, 3];
        let read = |tag, value: &[u8]| DistinguishedName::read(&one(cn, tag, value)).unwrap();
        for (tag, value) in [
            (der::PRINTABLE_STRING, &b"M"[..]),
            (der::TELETEX_STRING, b"m"),
            (der::IA5_STRING, b" M "),
            (der::BMP_STRING, b"\0M"),
            (der::UNIVERSAL_STRING, b"\0\0\0m"),
        ] {
            assert_eq!(read(tag, value), dn("CN=m"), "{tag}");
        }
        // What is no text of its type is itself and nothing else.
        assert_ne!(read(der::PRINTABLE_STRING, b"m\0"), dn("CN=m"));
        assert_ne!(
            read(der::UTF8_STRING, b"m\0"),
            read(der::PRINTABLE_STRING, b"m\0")
        );
        assert_ne!(
            read(der::UTF8_STRING, b"\xFF"),
            read(der::UTF8_STRING, b"\xFE")
        );
        assert_ne!(read(der::OCTET_STRING, b"m"), dn("CN=m"));
    }

    // RFC 5280 §4.1.2.4: a sequence of sets, none empty, of pairs.
    #[test]
    fn what_is_no_name_is_refused() {
        let good = dn("CN=a,C=US").der().to_owned();
        for len in 0..good.len() {
            assert!(DistinguishedName::read(&good[..len]).is_err());
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(DistinguishedName::read(&longer).is_err());
        for bad in [
            &[0x30, 2, 0x31, 0][..],
            &[0x30, 4, 0x31, 2, 0x30, 0],
            &[0x30, 0x80, 0, 0],
            &[0x30, 10, 0x31, 8, 0x30, 6, 6, 1, 0x80, 12, 1, 97],
        ] {
            assert_eq!(DistinguishedName::read(bad), Err(NameError::Der), "{bad:?}");
        }
        assert!(DistinguishedName::read(&[0x30, 0]).unwrap().is_empty());
        let mut many = Vec::new();
        for _ in 0..65 {
            many.extend_from_slice(&one(&[0x55, 4, 3], 12, b"a")[2..]);
        }
        assert_eq!(
            DistinguishedName::read(&der::wrap(der::SEQUENCE, &many)),
            Err(NameError::TooManyParts)
        );
    }

    #[test]
    fn direction_marks_are_shown() {
        let name = DistinguishedName::read(&one(&[0x55, 4, 3], 12, "a\u{202E}b\n".as_bytes()));
        assert_eq!(name.unwrap().to_string(), "CN=a\\e2\\80\\aeb\\0a");
    }

    #[test]
    fn text_that_is_shown_is_the_name() {
        arbtest::arbtest(|u| {
            let cn: &str = u.arbitrary()?;
            let name = DistinguishedName::read(&one(&[0x55, 4, 3], 12, cn.as_bytes())).unwrap();
            if !cn.is_empty() {
                assert_eq!(dn(&name.to_string()), name, "{cn:?}");
            }
            let any: &str = u.arbitrary()?;
            if let Ok(name) = DistinguishedName::parse(any) {
                assert_eq!(dn(&name.to_string()), name, "{any:?}");
            }
            Ok(())
        });
    }
}
