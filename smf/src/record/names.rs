//! Distinguished names of certificates.

use core::fmt;

use alloc::string::String;
use alloc::vec::Vec;

use crate::codes::NameType;
use crate::ebcdic::{CodePage, trimmed};
use crate::field::Field as _;
use crate::layout::{NAME_LENGTH_COUNTS_PREFIX, NamePrefix};
use crate::view::{Name, RecordView};

/// A distinguished name of a certificate, kept in EBCDIC without blanks at its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    kind: NameType,
    text: Vec<u8>,
}

impl DistinguishedName {
    /// A name, to be written in IBM-1047.
    #[must_use]
    pub fn new(kind: NameType, text: &str) -> Self {
        let text: Vec<u8> = CodePage::Ibm1047.encode_str(text).collect();
        Self::from_ebcdic(kind, &text)
    }

    /// A name that is EBCDIC already.
    #[must_use]
    pub fn from_ebcdic(kind: NameType, text: &[u8]) -> Self {
        Self {
            kind,
            text: trimmed(text).to_vec(),
        }
    }

    /// Whose name it is.
    #[must_use]
    pub const fn kind(&self) -> NameType {
        self.kind
    }

    /// The name in EBCDIC.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The name as text.
    #[must_use]
    pub fn decode(&self, page: CodePage) -> String {
        page.decode_text(&self.text)
    }
}

/// As IBM-1047.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.decode(CodePage::Ibm1047))
    }
}

impl From<Name<'_>> for DistinguishedName {
    fn from(name: Name<'_>) -> Self {
        Self::from_ebcdic(name.kind, name.text)
    }
}

/// All names of a section; none if there is no such section.
pub(super) fn read(
    view: &RecordView<'_>,
    index: u16,
) -> Result<Vec<DistinguishedName>, crate::Malformed> {
    let Some(triplet) = view.triplet(index) else {
        return Ok(Vec::new());
    };
    view.names(&triplet).map(|n| n.map(Into::into)).collect()
}

/// How many names have room, and the length that all their entries get: even, as all offsets.
pub(super) fn fitting(names: &[DistinguishedName], room: usize) -> (usize, usize) {
    let (mut count, mut length) = (0, 0);
    for name in names {
        let needed = (NamePrefix::LEN + name.text.len()).next_multiple_of(2);
        let longest = needed.max(length);
        if longest.saturating_mul(count + 1) > room {
            break;
        }
        (count, length) = (count + 1, longest);
    }
    (count, length)
}

/// What an entry of this length says of itself.
pub(super) fn written_length(length: usize) -> u16 {
    let counted = if NAME_LENGTH_COUNTS_PREFIX {
        length
    } else {
        length.saturating_sub(NamePrefix::LEN)
    };
    u16::try_from(counted).unwrap_or(u16::MAX)
}
