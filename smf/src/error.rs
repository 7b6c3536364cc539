//! Errors.

use core::fmt;

use thiserror::Error;

/// A buffer is too short for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the buffer has {have} bytes, and the record needs more")]
#[non_exhaustive]
pub struct NoRoom {
    /// Length of the buffer; a buffer of [`MAX_RECORD`](crate::MAX_RECORD) bytes is never too
    /// short for a record that can exist.
    pub have: usize,
}

/// A record contradicts itself, or what it should be: which field, where, and what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field} at offset {offset}: {found} found, {expected} expected")]
#[non_exhaustive]
pub struct Malformed {
    /// Offset of the field from the record's first byte.
    pub offset: usize,
    /// Name of the field.
    pub field: FieldName,
    /// What the field says.
    pub found: u64,
    /// What it could say.
    pub expected: Expected,
}

impl Malformed {
    pub(crate) const fn new(
        offset: usize,
        field: &'static str,
        found: u64,
        expected: Expected,
    ) -> Self {
        Self {
            offset,
            field: FieldName {
                name: field,
                section: None,
            },
            found,
            expected,
        }
    }

    pub(crate) const fn of_section(
        offset: usize,
        field: &'static str,
        section: u16,
        found: u64,
        expected: Expected,
    ) -> Self {
        let mut error = Self::new(offset, field, found, expected);
        error.field.section = Some(section);
        error
    }
}

/// The name of a field in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldName {
    /// The field.
    pub name: &'static str,
    /// Number of the triplet it belongs to, 0 for the identification section.
    pub section: Option<u16>,
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.section {
            None => f.write_str(self.name),
            Some(0) => write!(f, "{} of the identification section", self.name),
            Some(n) => write!(f, "{} of section {n}", self.name),
        }
    }
}

/// What was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// This number.
    Exactly(u64),
    /// This number or more.
    AtLeast(u64),
    /// This number or less.
    AtMost(u64),
    /// One of these numbers.
    Between(u64, u64),
    /// Offset and length of a section that ends within the record.
    WithinRecord(u64),
    /// A section that does not lie over section of this number.
    ApartFrom(u16),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Exactly(n) => write!(f, "{n}"),
            Self::AtLeast(n) => write!(f, "{n} or more"),
            Self::AtMost(n) => write!(f, "{n} or less"),
            Self::Between(a, b) => write!(f, "{a} to {b}"),
            Self::WithinRecord(n) => write!(f, "an end within the record's {n} bytes"),
            Self::ApartFrom(n) => write!(f, "a place apart from section {n}"),
        }
    }
}
