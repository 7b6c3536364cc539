//! What may stand behind a parameter's name: one description for reading, error texts, spelling,
//! reference pages and completions.

use alloc::string::String;
use core::fmt::Write as _;

/// One keyword among the values of a parameter.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tables write it out")]
pub struct Choice {
    /// The spelling of the documentation.
    pub name: &'static str,
    /// Other spellings, numbers included.
    pub also: &'static [&'static str],
    /// What it stands for: the discriminant of the enum that [`choices!`](crate::choices) makes.
    pub code: u16,
    /// What follows it on the line.
    pub then: &'static Value,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

impl Choice {
    /// Whether a word is this keyword in any spelling.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.name.eq_ignore_ascii_case(word)
            || self.also.iter().any(|a| a.eq_ignore_ascii_case(word))
    }
}

/// An enum of keywords, made by [`choices!`](crate::choices).
pub trait Choices: Copy + 'static {
    /// The keywords.
    const CHOICES: &'static [Choice];

    /// The variant with the discriminant of [`Choice::code`].
    fn from_code(code: u16) -> Option<Self>;
}

/// Which IP versions an address may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// Both, IPv4-mapped IPv6 addresses and `::/96` included.
    Any,
    /// Both; IPv4-mapped IPv6 addresses and `::/96` are refused.
    Unmapped,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    pub(crate) const fn named(self) -> &'static str {
        match self {
            Self::Any | Self::Unmapped => "IPv4 or IPv6",
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// The values of a parameter.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Value {
    /// No value.
    Nothing,
    /// One of some keywords and what follows it.
    Choice(&'static [Choice]),
    /// A decimal number.
    Number {
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
        /// What is counted, such as `minutes`; empty for a plain number.
        unit: &'static str,
    },
    /// A number or a range `n m`, `n:m` or `n-m`.
    Range {
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
        /// What is numbered, such as `port`.
        unit: &'static str,
    },
    /// One address.
    Address(Family),
    /// `address/length`.
    Prefix(Family),
    /// `address-address`.
    Addresses(Family),
    /// A row of binary digits of one of these lengths (at most 64).
    Mask(&'static [u8]),
    /// `yyyymmddhhmmss:yyyymmddhhmmss`.
    Instants,
    /// One or more `hh:mm-hh:mm`, separated by blanks or commas.
    Hours,
    /// A name as statements have them.
    Name,
    /// A file: a path or `//'DATA.SET(MEMBER)'`.
    Path,
    /// One word; the text says what it is.
    Word(&'static str),
    /// Hexadecimal digits, an even number of them, with or without `0x`.
    Hex,
    /// The rest of the line as it is, blanks and `#` included; the text says what it is.
    Rest(&'static str),
    /// One after the other.
    Sequence(&'static [Value]),
    /// This or nothing.
    Optional(&'static Value),
    /// The first of these that fits the first word's shape.
    OneOf(&'static [Value]),
    /// One or more of a value of one word, separated by blanks or commas, to the end of the line.
    List(&'static Value),
}

/// What a value is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// One word or text.
    Plain,
    Choices(&'static [Choice]),
    Sequence(&'static [Value]),
    OneOf(&'static [Value]),
    Optional(&'static Value),
    List(&'static Value),
}

impl Value {
    pub(crate) const fn shape(&self) -> Shape {
        match *self {
            Self::Choice(choices) => Shape::Choices(choices),
            Self::Sequence(values) => Shape::Sequence(values),
            Self::OneOf(values) => Shape::OneOf(values),
            Self::Optional(value) => Shape::Optional(value),
            Self::List(value) => Shape::List(value),
            Self::Nothing
            | Self::Number { .. }
            | Self::Range { .. }
            | Self::Address(_)
            | Self::Prefix(_)
            | Self::Addresses(_)
            | Self::Mask(_)
            | Self::Instants
            | Self::Hours
            | Self::Name
            | Self::Path
            | Self::Word(_)
            | Self::Hex
            | Self::Rest(_) => Shape::Plain,
        }
    }

    /// Whether the line must be read as text, because a part of the value is.
    #[must_use]
    pub fn is_verbatim(&self) -> bool {
        match self.shape() {
            Shape::Plain => matches!(self, Self::Rest(_)),
            Shape::Choices(choices) => choices.iter().any(|c| c.then.is_verbatim()),
            Shape::Sequence(values) | Shape::OneOf(values) => values.iter().any(Self::is_verbatim),
            Shape::Optional(value) | Shape::List(value) => value.is_verbatim(),
        }
    }

    /// Whether nothing at all may be a value of this kind.
    #[must_use]
    pub fn may_be_empty(&self) -> bool {
        match self.shape() {
            Shape::Plain => matches!(self, Self::Nothing),
            Shape::Choices(_) => false,
            Shape::Sequence(values) => values.iter().all(Self::may_be_empty),
            Shape::OneOf(values) => values.iter().any(Self::may_be_empty),
            Shape::Optional(_) => true,
            Shape::List(value) => value.may_be_empty(),
        }
    }

    /// Whether a word has the shape of such a value's first word.
    #[must_use]
    pub fn fits(&self, word: &str) -> bool {
        let digit = word.bytes().next().is_some_and(|b| b.is_ascii_digit());
        let address = || {
            let head = word
                .bytes()
                .next()
                .is_some_and(|b| b.is_ascii_hexdigit() || b == b':');
            head && word.bytes().any(|b| matches!(b, b'.' | b':'))
        };
        match self {
            Self::Nothing => false,
            Self::Choice(choices) => choices.iter().any(|c| c.is(word)),
            Self::Number { .. } | Self::Range { .. } | Self::Hours | Self::Instants => digit,
            Self::Address(_) => address(),
            Self::Prefix(_) => address() && word.contains('/'),
            Self::Addresses(_) => address() && word.contains('-'),
            Self::Mask(_) => word.bytes().all(|b| matches!(b, b'0' | b'1')),
            Self::Path => word.bytes().any(|b| matches!(b, b'/' | b'.' | b'\'')),
            Self::Name | Self::Word(_) | Self::Hex | Self::Rest(_) => true,
            Self::Sequence(values) => values
                .iter()
                .find_map(|v| {
                    let fits = v.fits(word);
                    (fits || !matches!(v, Self::Optional(_))).then_some(fits)
                })
                .unwrap_or(false),
            Self::Optional(value) => value.fits(word),
            Self::List(value) => word.split(',').any(|part| value.fits(part)),
            Self::OneOf(values) => values.iter().any(|v| v.fits(word)),
        }
    }

    /// Whether it says which packets are meant: addresses, or numbers from one to another.
    pub(crate) fn selects(&self) -> bool {
        match self {
            Self::Range { .. } | Self::Address(_) | Self::Prefix(_) | Self::Addresses(_) => true,
            Self::OneOf(values) | Self::Sequence(values) => values.iter().any(Self::selects),
            Self::Optional(value) | Self::List(value) => value.selects(),
            Self::Nothing
            | Self::Choice(_)
            | Self::Number { .. }
            | Self::Mask(_)
            | Self::Instants
            | Self::Hours
            | Self::Name
            | Self::Path
            | Self::Word(_)
            | Self::Hex
            | Self::Rest(_) => false,
        }
    }

    /// What is expected, for messages: "`Yes` or `No`", "a number from 0 to 255".
    #[must_use]
    pub fn expected(&self) -> String {
        let mut list = alloc::vec::Vec::new();
        self.alternatives(&mut list);
        let mut out = String::new();
        let count = list.len();
        for (i, item) in list.iter().enumerate() {
            if i > 0 {
                out.push_str(if i + 1 == count { " or " } else { ", " });
            }
            out.push_str(item);
        }
        out
    }

    fn alternatives(&self, out: &mut alloc::vec::Vec<String>) {
        let mut text = String::new();
        match self {
            Self::Nothing => text.push_str("nothing"),
            Self::Choice(choices) => {
                out.extend(choices.iter().map(|c| alloc::format!("`{}`", c.name)));
                return;
            }
            Self::OneOf(values) => {
                values.iter().for_each(|v| v.alternatives(out));
                return;
            }
            Self::Optional(value) | Self::List(value) => return value.alternatives(out),
            Self::Sequence(values) => {
                if let Some(first) = values.first() {
                    first.alternatives(out);
                }
                return;
            }
            Self::Number { min, max, unit } => {
                let _ = match *unit {
                    "" => write!(text, "a number from {min} to {max}"),
                    unit => write!(text, "a number of {unit} from {min} to {max}"),
                };
            }
            Self::Range { min, max, unit } => {
                let _ = write!(text, "a {unit} from {min} to {max}, or a range of two");
            }
            Self::Address(family) => {
                let _ = write!(text, "an {} address", family.named());
            }
            Self::Prefix(family) => {
                let _ = write!(text, "an {} prefix such as ", family.named());
                text.push_str(match family {
                    Family::V6 => "2001:db8::/32",
                    Family::Any | Family::Unmapped | Family::V4 => "192.0.2.0/24",
                });
            }
            Self::Addresses(family) => {
                let _ = write!(text, "an {} range such as ", family.named());
                text.push_str(match family {
                    Family::V6 => "2001:db8::1-2001:db8::9",
                    Family::Any | Family::Unmapped | Family::V4 => "192.0.2.1-192.0.2.9",
                });
            }
            Self::Mask(lengths) => {
                for (i, length) in lengths.iter().enumerate() {
                    let _ = write!(text, "{}{length}", if i > 0 { " or " } else { "" });
                }
                text.push_str(" digits 0 or 1");
            }
            Self::Instants => text.push_str("a time range yyyymmddhhmmss:yyyymmddhhmmss"),
            Self::Hours => text.push_str("times of day such as 08:00-17:30"),
            Self::Name => text.push_str("a name"),
            Self::Path => text.push_str("a file name with a `/` or `.`"),
            Self::Word(what) | Self::Rest(what) => text.push_str(what),
            Self::Hex => text.push_str("an even number of hexadecimal digits"),
        }
        out.push(text);
    }

    /// The value in a syntax diagram: `Yes | No`, `n [m]`, `ipaddress/length`.
    #[must_use]
    pub fn syntax(&self) -> String {
        let mut out = String::new();
        self.write_syntax(&mut out, false);
        out
    }

    fn write_syntax(&self, out: &mut String, inner: bool) {
        match self {
            Self::Nothing => {}
            Self::Choice(choices) => {
                let group = inner && choices.len() > 1;
                if group {
                    out.push('{');
                }
                for (i, c) in choices.iter().enumerate() {
                    if i > 0 {
                        out.push_str(" | ");
                    }
                    out.push_str(c.name);
                    if !matches!(c.then, Self::Nothing) {
                        out.push(' ');
                        c.then.write_syntax(out, true);
                    }
                }
                if group {
                    out.push('}');
                }
            }
            Self::Number { .. } => out.push('n'),
            Self::Range { .. } => out.push_str("n [m]"),
            Self::Address(_) => out.push_str("ipaddress"),
            Self::Prefix(_) => out.push_str("ipaddress/length"),
            Self::Addresses(_) => out.push_str("ipaddress-ipaddress"),
            Self::Mask(_) => out.push_str("mask"),
            Self::Instants => out.push_str("yyyymmddhhmmss:yyyymmddhhmmss"),
            Self::Hours => out.push_str("hh:mm-hh:mm …"),
            Self::Name => out.push_str("name"),
            Self::Path => out.push_str("file"),
            Self::Word(_) => out.push_str("word"),
            Self::Hex => out.push_str("hex"),
            Self::Rest(_) => out.push_str("text"),
            Self::Sequence(values) => {
                for (i, value) in values.iter().enumerate() {
                    if i > 0 {
                        out.push(' ');
                    }
                    value.write_syntax(out, true);
                }
            }
            Self::Optional(value) => {
                out.push('[');
                value.write_syntax(out, false);
                out.push(']');
            }
            Self::List(value) => {
                value.write_syntax(out, true);
                out.push_str(", …");
            }
            Self::OneOf(values) => {
                if inner {
                    out.push('{');
                }
                for (i, value) in values.iter().enumerate() {
                    if i > 0 {
                        out.push_str(" | ");
                    }
                    value.write_syntax(out, false);
                }
                if inner {
                    out.push('}');
                }
            }
        }
    }
}
