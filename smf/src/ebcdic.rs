//! EBCDIC: text fields of records, IBM-1047 and CP 037.
//!
//! Both pages map the 256 bytes one to one to the first 256 characters of Unicode. Records are
//! written in IBM-1047; names only use characters that are the same in both.

use core::fmt::{self, Write as _};

use alloc::string::String;

use crate::field::{Field, Kind};

/// The EBCDIC blank, with which text fields are filled up.
pub const BLANK: u8 = 0x40;

/// What a character without an image becomes: `?`.
pub const SUBSTITUTE: u8 = 0x6f;

/// Which table text is read and written with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodePage {
    /// IBM-1047, "Open Systems": what this crate writes.
    #[default]
    Ibm1047,
    /// Code page 037; it differs from IBM-1047 in six bytes: `^ [ ] ¬ Ý ¨`.
    Ibm037,
}

impl CodePage {
    /// The character of a byte.
    #[must_use]
    pub const fn decode(self, byte: u8) -> char {
        match self {
            Self::Ibm1047 => look_up(&FROM_1047, byte) as char,
            Self::Ibm037 => look_up(&FROM_1047, exchanged(byte)) as char,
        }
    }

    /// The byte of a character, `None` if the page has none (anything beyond U+00FF).
    #[must_use]
    pub const fn encode(self, c: char) -> Option<u8> {
        if c as u32 > 0xff {
            return None;
        }
        let byte = look_up(&TO_1047, c as u8);
        Some(match self {
            Self::Ibm1047 => byte,
            Self::Ibm037 => exchanged(byte),
        })
    }

    /// Text as bytes, [`SUBSTITUTE`] for characters without an image.
    pub fn encode_str(self, text: &str) -> impl Iterator<Item = u8> + Clone + '_ {
        text.chars()
            .map(move |c| self.encode(c).unwrap_or(SUBSTITUTE))
    }

    /// Bytes as text, trailing blanks left out.
    #[must_use]
    pub fn decode_text(self, bytes: &[u8]) -> String {
        trimmed(bytes).iter().map(|b| self.decode(*b)).collect()
    }
}

/// The bytes without the blanks at their end.
#[must_use]
pub fn trimmed(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some((&BLANK, before)) = rest.split_last() {
        rest = before;
    }
    rest
}

/// A text field of `N` bytes: EBCDIC, left-justified, filled up with blanks.
///
/// It keeps its bytes as they are, so that a field survives a round trip whatever is in it. The
/// default is blank, which means "no value".
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "the bytes in the record")]
pub struct Text<const N: usize>(pub [u8; N]);

impl<const N: usize> Text<N> {
    /// The text in IBM-1047; what does not fit is cut off.
    ///
    /// ```
    /// use hostward_smf::Text;
    /// assert_eq!(Text::<4>::new("SYS1").0, [0xe2, 0xe8, 0xe2, 0xf1]);
    /// assert_eq!(Text::<8>::new("TCPIP").to_string(), "TCPIP");
    /// assert_eq!(Text::<4>::new("LONGER").to_string(), "LONG");
    /// ```
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut bytes = [BLANK; N];
        for (to, from) in bytes.iter_mut().zip(CodePage::Ibm1047.encode_str(text)) {
            *to = from;
        }
        Self(bytes)
    }

    /// Whether the field says nothing: all blanks, or all zeros.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|b| *b == BLANK) || self.0.iter().all(|b| *b == 0)
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self([BLANK; N])
    }
}

impl<const N: usize> From<&str> for Text<N> {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// As IBM-1047, without trailing blanks.
impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        trimmed(&self.0)
            .iter()
            .try_for_each(|b| f.write_char(CodePage::Ibm1047.decode(*b)))
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for byte in trimmed(&self.0) {
            for c in CodePage::Ibm1047.decode(*byte).escape_debug() {
                f.write_char(c)?;
            }
        }
        f.write_char('"')
    }
}

impl<const N: usize> Field for Text<N> {
    type Raw = [u8; N];
    const LEN: usize = N;
    const KIND: Kind = Kind::Text;

    #[inline]
    fn write(&self, raw: &mut [u8; N]) {
        *raw = self.0;
    }

    #[inline]
    fn read(raw: &[u8; N]) -> Self {
        Self(*raw)
    }
}

/// The byte that means in the one page what this byte means in the other.
const fn exchanged(byte: u8) -> u8 {
    // Where CP 037 has a character (left) and where IBM-1047 has it (right); back is another way.
    match byte {
        0x5f => 0xb0,
        0xad => 0xba,
        0xb0 => 0x5f,
        0xba => 0xad,
        0xbb => 0xbd,
        0xbd => 0xbb,
        same => same,
    }
}

#[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
const fn look_up(table: &[u8; 256], byte: u8) -> u8 {
    table[byte as usize]
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated when compiled; a byte is below 256"
)]
const fn inverse(table: &[u8; 256]) -> [u8; 256] {
    let mut to = [SUBSTITUTE; 256];
    let mut byte = 0;
    while byte < 256 {
        to[table[byte] as usize] = byte as u8;
        byte += 1;
    }
    to
}

const TO_1047: [u8; 256] = inverse(&FROM_1047);

/// IBM-1047 to Unicode; a row for each high nibble.
#[rustfmt::skip]
const FROM_1047: [u8; 256] = [
    0x00, 0x01, 0x02, 0x03, 0x9c, 0x09, 0x86, 0x7f, 0x97, 0x8d, 0x8e, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
    0x10, 0x11, 0x12, 0x13, 0x9d, 0x85, 0x08, 0x87, 0x18, 0x19, 0x92, 0x8f, 0x1c, 0x1d, 0x1e, 0x1f,
    0x80, 0x81, 0x82, 0x83, 0x84, 0x0a, 0x17, 0x1b, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x05, 0x06, 0x07,
    0x90, 0x91, 0x16, 0x93, 0x94, 0x95, 0x96, 0x04, 0x98, 0x99, 0x9a, 0x9b, 0x14, 0x15, 0x9e, 0x1a,
    0x20, 0xa0, 0xe2, 0xe4, 0xe0, 0xe1, 0xe3, 0xe5, 0xe7, 0xf1, 0xa2, 0x2e, 0x3c, 0x28, 0x2b, 0x7c,
    0x26, 0xe9, 0xea, 0xeb, 0xe8, 0xed, 0xee, 0xef, 0xec, 0xdf, 0x21, 0x24, 0x2a, 0x29, 0x3b, 0x5e,
    0x2d, 0x2f, 0xc2, 0xc4, 0xc0, 0xc1, 0xc3, 0xc5, 0xc7, 0xd1, 0xa6, 0x2c, 0x25, 0x5f, 0x3e, 0x3f,
    0xf8, 0xc9, 0xca, 0xcb, 0xc8, 0xcd, 0xce, 0xcf, 0xcc, 0x60, 0x3a, 0x23, 0x40, 0x27, 0x3d, 0x22,
    0xd8, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0xab, 0xbb, 0xf0, 0xfd, 0xfe, 0xb1,
    0xb0, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0xaa, 0xba, 0xe6, 0xb8, 0xc6, 0xa4,
    0xb5, 0x7e, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0xa1, 0xbf, 0xd0, 0x5b, 0xde, 0xae,
    0xac, 0xa3, 0xa5, 0xb7, 0xa9, 0xa7, 0xb6, 0xbc, 0xbd, 0xbe, 0xdd, 0xa8, 0xaf, 0x5d, 0xb4, 0xd7,
    0x7b, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0xad, 0xf4, 0xf6, 0xf2, 0xf3, 0xf5,
    0x7d, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f, 0x50, 0x51, 0x52, 0xb9, 0xfb, 0xfc, 0xf9, 0xfa, 0xff,
    0x5c, 0xf7, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0xb2, 0xd4, 0xd6, 0xd2, 0xd3, 0xd5,
    0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0xb3, 0xdb, 0xdc, 0xd9, 0xda, 0x9f,
];

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;
    use std::collections::BTreeSet;

    #[test]
    fn both_pages_are_one_to_one() {
        for page in [CodePage::Ibm1047, CodePage::Ibm037] {
            let mut seen = BTreeSet::new();
            for byte in 0..=255 {
                let c = page.decode(byte);
                assert!(u32::from(c) < 256 && seen.insert(c));
                assert_eq!(page.encode(c), Some(byte), "{page:?} {byte:02x}");
            }
        }
    }

    #[test]
    fn the_pages_differ_in_six_bytes() {
        // Byte, CP 037, IBM-1047.
        let six = [
            (0x5f, '\u{ac}', '^'),
            (0xad, '\u{dd}', '['),
            (0xb0, '^', '\u{ac}'),
            (0xba, '[', '\u{dd}'),
            (0xbb, ']', '\u{a8}'),
            (0xbd, '\u{a8}', ']'),
        ];
        let differ = |b: &u8| CodePage::Ibm037.decode(*b) != CodePage::Ibm1047.decode(*b);
        assert_eq!((0..=255).filter(differ).count(), six.len());
        for (byte, old, open) in six {
            assert_eq!(CodePage::Ibm037.decode(byte), old, "{byte:02x}");
            assert_eq!(CodePage::Ibm1047.decode(byte), open, "{byte:02x}");
        }
    }

    #[test]
    fn letters_digits_and_national_characters_are_where_they_belong() {
        let page = CodePage::Ibm1047;
        let bytes: alloc::vec::Vec<u8> = page.encode_str("AIJRSZaz09#@$ ").collect();
        assert_eq!(
            bytes,
            [
                0xc1, 0xc9, 0xd1, 0xd9, 0xe2, 0xe9, 0x81, 0xa9, 0xf0, 0xf9, 0x7b, 0x7c, 0x5b, 0x40
            ]
        );
        assert_eq!(page.decode(0x15), '\u{85}');
        assert_eq!(page.decode(0x25), '\n');
    }

    #[test]
    fn what_has_no_image_becomes_a_question_mark() {
        assert_eq!(CodePage::Ibm1047.encode('\u{20ac}'), None);
        assert_eq!(Text::<3>::new("a\u{20ac}b").0, [0x81, SUBSTITUTE, 0x82]);
    }

    #[test]
    fn fields_are_cut_filled_and_trimmed() {
        assert_eq!(Text::<4>::new("AB").0, [0xc1, 0xc2, BLANK, BLANK]);
        assert_eq!(Text::<2>::new("ABC").to_string(), "AB");
        assert!(Text::<4>::default().is_empty() && Text([0; 4]).is_empty());
        assert!(!Text::<4>::new("A").is_empty());
        assert_eq!(Text::<0>::new("A").to_string(), "");
    }
}
