//! The texts of a policy: named, numbered, with places in them.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;

/// Which of the texts of [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub(crate) u32);

/// A piece of a text: bytes `start` (included) to `end` (not included) of [`Source::text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a place has these three parts")]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// The byte behind the last.
    pub end: u32,
}

impl Span {
    /// Bytes `start..end` of a text.
    #[must_use]
    pub const fn new(source: SourceId, start: u32, end: u32) -> Self {
        Self { source, start, end }
    }

    /// Without blanks at its end.
    pub(crate) fn trimmed(self, text: &str) -> Self {
        let piece = text.get(self.start as usize..self.end as usize);
        let piece = piece.unwrap_or_default().trim_ascii_end();
        Self {
            end: self.start + u32::try_from(piece.len()).unwrap_or(0),
            ..self
        }
    }
}

/// A place as people name it; shown as `file:line:column`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a place has these three parts")]
pub struct Location<'a> {
    /// The file's name.
    pub file: &'a str,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1; a tab is one character.
    pub column: u32,
}

impl fmt::Display for Location<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What a file of the configuration holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// Told from its statements.
    #[default]
    Unknown,
    /// The agent's main file.
    Main,
    /// The file of one TCP/IP image.
    Image,
    /// A main file that is its own image file (a `TcpImage` without file name).
    MainAndImage,
    /// Statements of one discipline, by its name ([`crate::Discipline::name`]).
    Policy(&'static str),
}

/// Why a text is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Places are counted in 32 bits.
    #[error("a policy text may have at most 4294967295 bytes")]
    TooLong,
    /// Texts are counted in 32 bits.
    #[error("too many policy texts")]
    TooMany,
}

/// Every so many bytes the lines and characters before are noted.
const BLOCK: usize = 4096;

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    newlines: u32,
    characters: u32,
}

/// One text and its name.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: String,
    kind: FileKind,
    marks: Vec<Mark>,
    invalid: u32,
    first_invalid: u32,
}

/// Lead bytes of characters: all that do not continue one.
fn characters(bytes: &[u8]) -> u32 {
    bytes.iter().map(|b| u32::from(b & 0xc0 != 0x80)).sum()
}

fn newlines(bytes: &[u8]) -> u32 {
    bytes.iter().map(|b| u32::from(*b == b'\n')).sum()
}

impl Source {
    fn new(name: String, bytes: Cow<'_, [u8]>, kind: FileKind) -> Result<Self, SourceError> {
        let (mut invalid, mut first_invalid) = (0, 0);
        let text = match bytes {
            Cow::Owned(b) => String::from_utf8(b).map_err(|e| Cow::Owned(e.into_bytes())),
            Cow::Borrowed(b) => match core::str::from_utf8(b) {
                Ok(t) => Ok(String::from(t)),
                Err(_) => Err(Cow::Borrowed(b)),
            },
        };
        let text = match text {
            Ok(text) => text,
            Err(bytes) => {
                let mut text = String::with_capacity(bytes.len());
                for chunk in bytes.utf8_chunks() {
                    text.push_str(chunk.valid());
                    if !chunk.invalid().is_empty() {
                        if invalid == 0 {
                            first_invalid =
                                u32::try_from(text.len()).map_err(|_| SourceError::TooLong)?;
                        }
                        invalid += 1;
                        text.push(char::REPLACEMENT_CHARACTER);
                    }
                }
                text
            }
        };
        if u32::try_from(text.len()).is_err() {
            return Err(SourceError::TooLong);
        }
        let mut before = Mark::default();
        let mut marks = Vec::with_capacity(text.len() / BLOCK + 1);
        for block in text.as_bytes().chunks(BLOCK) {
            marks.push(before);
            before.newlines += newlines(block);
            before.characters += characters(block);
        }
        Ok(Self {
            name,
            text,
            kind,
            marks,
            invalid,
            first_invalid,
        })
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text. Bytes that were not UTF-8 are replaced by U+FFFD, one for each faulty sequence.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the file was said to hold.
    #[must_use]
    pub const fn kind(&self) -> FileKind {
        self.kind
    }

    /// How many byte sequences were not UTF-8.
    #[must_use]
    pub const fn invalid(&self) -> u32 {
        self.invalid
    }

    /// Where the first byte sequence that was not UTF-8 stood.
    #[must_use]
    pub const fn first_invalid(&self) -> Option<u32> {
        if self.invalid == 0 {
            None
        } else {
            Some(self.first_invalid)
        }
    }

    fn bytes(&self, start: usize, end: usize) -> &[u8] {
        self.text.as_bytes().get(start..end).unwrap_or_default()
    }

    /// Lines and characters before a byte. O(1): at most one block is looked at.
    fn before(&self, offset: u32) -> Mark {
        let offset = (offset as usize).min(self.text.len());
        let block = offset / BLOCK;
        let (block, mark) = match self.marks.get(block) {
            Some(m) => (block, *m),
            None => match self.marks.last() {
                Some(m) => (self.marks.len() - 1, *m),
                None => return Mark::default(),
            },
        };
        let bytes = self.bytes(block * BLOCK, offset);
        Mark {
            newlines: mark.newlines + newlines(bytes),
            characters: mark.characters + characters(bytes),
        }
    }

    /// Line (from 1) and column (in characters, from 1) of a byte. O(log text).
    #[must_use]
    pub fn line_column(&self, offset: u32) -> (u32, u32) {
        let here = self.before(offset);
        let start = self.line_start(here.newlines + 1);
        let line_start = self.before(start);
        (
            here.newlines + 1,
            here.characters.saturating_sub(line_start.characters) + 1,
        )
    }

    /// Where a line (from 1) begins; the end of the text for one that does not exist. O(log text).
    #[must_use]
    pub fn line_start(&self, line: u32) -> u32 {
        let before = line.saturating_sub(1);
        if before == 0 {
            return 0;
        }
        // The newline number `before` stands in the last block with fewer newlines before it.
        let block = self
            .marks
            .partition_point(|m| m.newlines < before)
            .saturating_sub(1);
        let mut left = before - self.marks.get(block).map_or(0, |m| m.newlines).min(before);
        let start = block * BLOCK;
        let end = (start + BLOCK).min(self.text.len());
        for (i, byte) in self.bytes(start, end).iter().enumerate() {
            if *byte == b'\n' {
                left -= 1;
                if left == 0 {
                    return u32::try_from(start + i + 1).unwrap_or(u32::MAX);
                }
            }
        }
        u32::try_from(self.text.len()).unwrap_or(u32::MAX)
    }

    /// The text of bytes `start..end`; empty when they are not whole characters of it.
    #[must_use]
    pub fn slice(&self, start: u32, end: u32) -> &str {
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }
}

/// The texts that together make a configuration, in the order of their precedence: a later one
/// overrides an earlier one (common file first, then the file of the image).
#[derive(Clone, Debug, Default)]
pub struct Sources {
    list: Vec<Source>,
}

impl Sources {
    /// No texts yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: Vec::new() }
    }

    /// Adds a text whose kind is told from its statements. Bytes that are not UTF-8 are replaced,
    /// counted and later reported as an error.
    ///
    /// # Errors
    /// [`SourceError::TooLong`] beyond 4 GiB.
    pub fn add<'a>(
        &mut self,
        name: impl Into<String>,
        text: impl Into<Cow<'a, [u8]>>,
    ) -> Result<SourceId, SourceError> {
        self.add_kind(name, text, FileKind::Unknown)
    }

    /// Adds a text that is known to be of a kind.
    ///
    /// # Errors
    /// [`SourceError::TooLong`] beyond 4 GiB.
    pub fn add_kind<'a>(
        &mut self,
        name: impl Into<String>,
        text: impl Into<Cow<'a, [u8]>>,
        kind: FileKind,
    ) -> Result<SourceId, SourceError> {
        let id = u32::try_from(self.list.len()).map_err(|_| SourceError::TooMany)?;
        self.list.push(Source::new(name.into(), text.into(), kind)?);
        Ok(SourceId(id))
    }

    /// One text.
    #[must_use]
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.list.get(id.0 as usize)
    }

    /// All texts in order.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        (0..).map(SourceId).zip(&self.list)
    }

    /// The bytes of all texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.list.iter().map(|s| s.text.len()).sum()
    }

    /// The text at a place; empty when there is no such place.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        self.get(span.source)
            .map_or("", |s| s.slice(span.start, span.end))
    }

    /// Where a piece of text begins, as people say it.
    #[must_use]
    pub fn location(&self, span: Span) -> Location<'_> {
        match self.get(span.source) {
            Some(s) => {
                let (line, column) = s.line_column(span.start);
                Location {
                    file: s.name(),
                    line,
                    column,
                }
            }
            None => Location {
                file: "",
                line: 0,
                column: 0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn lines_and_columns_are_those_of_a_naive_count() {
        let mut text = String::new();
        for i in 0..3000 {
            text.push_str(match i % 5 {
                0 => "a\u{e9}\tb\r\n",
                1 => "\n",
                2 => "word word",
                3 => "\u{1f600}\u{1f600}\n",
                _ => "x",
            });
        }
        let mut sources = Sources::new();
        let id = sources.add("f", text.as_bytes()).unwrap();
        let source = sources.get(id).unwrap();
        let (mut line, mut column) = (1, 1);
        for (i, c) in text.char_indices() {
            let offset = u32::try_from(i).unwrap();
            assert_eq!(source.line_column(offset), (line, column), "{i}");
            if c == '\n' {
                (line, column) = (line + 1, 1);
                assert_eq!(source.line_start(line), offset + 1);
            } else {
                column += 1;
            }
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_replaced_and_counted() {
        let mut sources = Sources::new();
        let id = sources.add("f", &b"ab\n\xff\xfec\xe2\x82\n"[..]).unwrap();
        let s = sources.get(id).unwrap();
        assert_eq!(s.text(), "ab\n\u{fffd}\u{fffd}c\u{fffd}\n");
        assert_eq!((s.invalid(), s.first_invalid()), (3, Some(3)));
        let span = Span::new(id, 3, 4);
        assert_eq!(format!("{}", sources.location(span)), "f:2:1");
        assert_eq!(sources.text(span).to_string(), "");
    }

    #[test]
    fn a_place_outside_is_no_panic() {
        let mut sources = Sources::new();
        let id = sources.add("f", &b""[..]).unwrap();
        let s = sources.get(id).unwrap();
        assert_eq!(s.line_column(99), (1, 1));
        assert_eq!(s.line_start(99), 0);
        assert_eq!(s.line_column(0), (1, 1));
    }
}
