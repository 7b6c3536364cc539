//! Values as read: typed, with their places.

mod read;
mod scalar;

use core::net::IpAddr;

use crate::schema::{Choice, Choices};

pub(crate) use read::{
    Cursor, Mistake, MistakeKind, Skipped, choices, follow, is_blank, length, read, read_all,
};
pub(crate) use scalar::name;

/// A date and a time of day, checked to exist (the second may be 60 on no day).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the parts of yyyymmddhhmmss")]
pub struct DateTime {
    /// The year, 0–9999.
    pub year: u16,
    /// The month, 1–12.
    pub month: u8,
    /// The day of the month, 1–31.
    pub day: u8,
    /// The hour, 0–23; 24 only with minute and second 0.
    pub hour: u8,
    /// The minute, 0–59.
    pub minute: u8,
    /// The second, 0–59.
    pub second: u8,
}

/// One typed piece of a value.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Atom<'a> {
    /// A keyword of the table; [`Setting::choice`](crate::Setting::choice) makes it an enum.
    Keyword(&'static Choice),
    /// A number in its range.
    Number(u32),
    /// A range with `first <= last`, equal for a single number.
    Range {
        /// The least.
        first: u32,
        /// The greatest.
        last: u32,
    },
    /// An address.
    Address(IpAddr),
    /// A prefix; bits behind its length are as written.
    Prefix {
        /// The address.
        address: IpAddr,
        /// At most 32 or 128.
        length: u8,
    },
    /// Addresses of one version with `first <= last`.
    Addresses {
        /// The least.
        first: IpAddr,
        /// The greatest.
        last: IpAddr,
    },
    /// Binary digits; the first one written is bit 0.
    Mask {
        /// The digits.
        bits: u64,
        /// How many.
        length: u8,
    },
    /// A time range with `from <= to`.
    Instants {
        /// The begin.
        from: DateTime,
        /// The end.
        to: DateTime,
    },
    /// Times of day in minutes after midnight, 0–1440; over midnight when `from > to`.
    Hours {
        /// The begin.
        from: u16,
        /// The end.
        to: u16,
    },
    /// A name that keeps the rules for names.
    Name(&'a str),
    /// A file.
    Path(&'a str),
    /// One word.
    Word(&'a str),
    /// An even number of hexadecimal digits, without `0x`.
    Hex(&'a str),
    /// Text as written.
    Text(&'a str),
}

impl Atom<'_> {
    /// The keyword as an enum; none when it is none, or one of another enum.
    #[must_use]
    pub fn choice<T: Choices>(&self) -> Option<T> {
        let Self::Keyword(c) = self else {
            return None;
        };
        let own = |x: &Choice| x.name == c.name && x.code == c.code;
        T::CHOICES.iter().any(own).then(|| T::from_code(c.code))?
    }

    /// The number it is or stands for: a number, or the code of a keyword.
    #[must_use]
    pub const fn number(&self) -> Option<u32> {
        if let Self::Number(n) = self {
            Some(*n)
        } else if let Self::Keyword(c) = self {
            Some(c.code as u32)
        } else {
            None
        }
    }
}

/// An [`Atom`] and the bytes it was read from.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a value and its place")]
pub struct Placed<'a> {
    /// The value.
    pub atom: Atom<'a>,
    /// First byte in its text.
    pub start: u32,
    /// The byte behind the last.
    pub end: u32,
}
