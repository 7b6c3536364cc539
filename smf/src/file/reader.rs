//! Records out of the bytes of a file.

use alloc::vec::Vec;

use thiserror::Error;

use super::form::{self, Form, LAST, Step};
use crate::view::{MIN_RECORD, RDW};

/// How much of a file is looked at to find out its form, if it is as long.
pub const DETECTION: usize = 1 << 20;

/// The most bytes that are held: enough to find out the form, and any segment more.
const HELD: usize = DETECTION + u16::MAX as usize + 1;

/// Takes the bytes of a file in any pieces and gives its records.
///
/// ```
/// use hostward_smf::file::Reader;
/// use hostward_smf::{DumpFrame, Record, SmfDate, SmfTime};
/// let mut file = [0; 2 * DumpFrame::LEN];
/// let (front, end) = file.split_at_mut(DumpFrame::LEN);
/// let (date, time) = (SmfDate(0x0126_326f), SmfTime(0));
/// DumpFrame::new(false, date, time, "SYS1").encode(front)?;
/// DumpFrame::new(true, date, time, "SYS1").encode(end)?;
///
/// let mut reader = Reader::new();
/// for piece in file.chunks(10) {
///     assert_eq!(reader.feed(piece), piece.len());
///     // Records could be taken here, as they come.
/// }
/// reader.end();
/// let mut records = Vec::new();
/// while let Some(record) = reader.next_record()? {
///     records.push((record.number, Record::decode(record.bytes)?));
/// }
/// assert_eq!(records.len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It holds at most [`DETECTION`] bytes and a segment, and one record. After an error it is at
/// its end: behind a wrong length nothing can be found again.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    held: Vec<u8>,
    /// How many of the held bytes are used up.
    used: usize,
    /// Where the first byte that is not used up lies in the file.
    position: u64,
    ended: bool,
    failed: bool,
    form: Option<Form>,
    records: u64,
    /// What is left of the block.
    block: usize,
    /// A record that is made of parts, and where it began.
    joined: Vec<u8>,
    joined_at: u64,
    joining: bool,
    /// What was found and not yet taken.
    found: Option<Found>,
}

/// A record of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileRecord<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// Where it begins in the file: at its descriptor word, or at the first segment's.
    pub position: u64,
    /// The record with its record descriptor word.
    pub bytes: &'a [u8],
}

/// Why a file cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("record {record} at byte {position} of the file: {problem}")]
#[non_exhaustive]
pub struct FileError {
    /// Number of the record, from 1.
    pub record: u64,
    /// Where in the file.
    pub position: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// It has none of the forms.
    #[error(
        "no record in sight: neither record descriptor words, blocks nor headers (a file must be \
         transferred in binary, with the record descriptor words kept: quote site rdw)"
    )]
    Form,
    /// A record descriptor word cannot be right.
    #[error("record descriptor word {0:08X}: a length of {MIN_RECORD} or more and 0000 expected")]
    Rdw(u32),
    /// A block descriptor word cannot be right.
    #[error(
        "block descriptor word {0:08X}: a length of 8 or more and 0000, or an extended length, expected"
    )]
    Block(u32),
    /// A segment descriptor word cannot be right.
    #[error(
        "segment descriptor word {word:08X}: a length of 4 to {left}, a control code of 0 to 3 and 00 expected"
    )]
    Segment {
        /// The word.
        word: u32,
        /// What is left of the block.
        left: usize,
    },
    /// A middle or last segment has no first one before it, or a first one no last one behind it.
    #[error("segment with control code {found}: a {} expected", if *.begun { "middle or last segment" } else { "whole record or first segment" })]
    Order {
        /// The control code.
        found: u8,
        /// Whether a first segment came before.
        begun: bool,
    },
    /// Segments make a record that is too long.
    #[error("the segments make a record of more than 65,535 bytes")]
    Long,
    /// The file ends in the middle.
    #[error("the file ends after {have} bytes, {needed} expected")]
    Cut {
        /// Bytes that are left of the file.
        have: usize,
        /// Bytes that should be.
        needed: usize,
    },
    /// A record without record descriptor word whose length cannot be found out.
    #[error("a record without record descriptor word, and its length cannot be found out")]
    Length,
}

impl Reader {
    /// A reader that finds out the form by itself.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader of a file whose form is known.
    #[must_use]
    pub fn with_form(form: Form) -> Self {
        Self {
            form: Some(form),
            ..Self::default()
        }
    }

    /// Takes bytes of the file and tells how many it has taken: fewer than all if records should
    /// be taken out first, never none if they have been.
    #[must_use = "bytes that were not taken must be handed in again"]
    pub fn feed(&mut self, bytes: &[u8]) -> usize {
        if self.used > 0 {
            self.held.drain(..self.used.min(self.held.len()));
            self.used = 0;
        }
        let room = HELD.saturating_sub(self.held.len()).min(bytes.len());
        self.held.extend(bytes.iter().take(room));
        room
    }

    /// Says that there is no more.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// The form of the file, as soon as it is known.
    #[must_use]
    pub const fn form(&self) -> Option<Form> {
        self.form
    }

    /// The next record. `None` if more bytes are needed, or, after [`end`](Self::end) or an
    /// error, if there are no more.
    ///
    /// # Errors
    ///
    /// [`FileError`] if the file cannot be read on.
    pub fn next_record(&mut self) -> Result<Option<FileRecord<'_>>, FileError> {
        self.advance()?;
        Ok(self.take_found())
    }

    /// Looks for the next record and tells whether more bytes are needed for it.
    pub(super) fn advance(&mut self) -> Result<bool, FileError> {
        if self.failed || self.found.is_some() {
            return Ok(false);
        }
        match self.find() {
            Ok(found) => {
                self.records += u64::from(found.is_some());
                self.found = found;
                Ok(self.found.is_none() && !self.ended)
            }
            Err(problem) => {
                self.failed = true;
                Err(FileError {
                    record: self.records + 1,
                    position: self.position,
                    problem,
                })
            }
        }
    }

    /// The record that was found, if one was.
    pub(super) fn take_found(&mut self) -> Option<FileRecord<'_>> {
        let (bytes, position) = match self.found.take()? {
            Found::Held {
                start,
                len,
                position,
            } => {
                let end = start.saturating_add(len);
                (self.held.get(start..end).unwrap_or(&[]), position)
            }
            Found::Joined => (&self.joined[..], self.joined_at),
        };
        Some(FileRecord {
            number: self.records,
            position,
            bytes,
        })
    }

    fn find(&mut self) -> Result<Option<Found>, Problem> {
        let form = match self.form {
            Some(form) => form,
            None => {
                let rest = self.rest();
                if !self.ended && rest.len() < DETECTION || rest.is_empty() {
                    return Ok(None);
                }
                let form = Form::detect(rest, self.ended).ok_or(Problem::Form)?;
                self.form = Some(form);
                form
            }
        };
        match form {
            Form::Rdw => self.record(),
            Form::Blocked => self.segments(),
            Form::Stripped => self.stripped(),
        }
    }

    fn rest(&self) -> &[u8] {
        self.held.get(self.used..).unwrap_or(&[])
    }

    /// Four bytes ahead, `None` if there are not as many yet.
    fn word(&self) -> Result<Option<[u8; 4]>, Problem> {
        let rest = self.rest();
        match rest.first_chunk() {
            Some(word) => Ok(Some(*word)),
            None if rest.is_empty() || !self.ended => Ok(None),
            None => Err(Problem::Cut {
                have: rest.len(),
                needed: 4,
            }),
        }
    }

    /// Whether as many bytes are there.
    fn has(&self, needed: usize) -> Result<bool, Problem> {
        let have = self.rest().len();
        if have < needed && self.ended {
            return Err(Problem::Cut { have, needed });
        }
        Ok(have >= needed)
    }

    fn use_up(&mut self, len: usize) -> Found {
        let found = Found::Held {
            start: self.used,
            len,
            position: self.position,
        };
        self.used += len;
        self.position += len as u64;
        found
    }

    fn record(&mut self) -> Result<Option<Found>, Problem> {
        let Some(word) = self.word()? else {
            return Ok(None);
        };
        let [a, b, c, d] = word;
        let len = usize::from(u16::from_be_bytes([a, b]));
        if len < MIN_RECORD || (c, d) != (0, 0) {
            return Err(Problem::Rdw(u32::from_be_bytes(word)));
        }
        Ok(self.has(len)?.then(|| self.use_up(len)))
    }

    fn segments(&mut self) -> Result<Option<Found>, Problem> {
        loop {
            let Some(word) = self.word()? else {
                if self.ended && (self.joining || self.block > 0) {
                    return Err(Problem::Cut { have: 0, needed: 4 });
                }
                return Ok(None);
            };
            let number = u32::from_be_bytes(word);
            if self.block == 0 {
                self.block = form::block_len(word).ok_or(Problem::Block(number))?;
                self.use_up(4);
                continue;
            }
            let left = self.block;
            let (len, control) =
                form::segment(word, left).ok_or(Problem::Segment { word: number, left })?;
            if !self.has(len)? {
                return Ok(None);
            }
            let ends = control & 1 == 0;
            let continues = control >= LAST;
            if continues != self.joining {
                return Err(Problem::Order {
                    found: control,
                    begun: self.joining,
                });
            }
            if ends && !continues {
                // A segment descriptor word of a whole record is a record descriptor word.
                if len < MIN_RECORD {
                    return Err(Problem::Rdw(number));
                }
                self.block -= len;
                return Ok(Some(self.use_up(len)));
            }
            if !continues {
                self.joined.clear();
                self.joined.extend([0; RDW]);
                self.joined_at = self.position;
            }
            let payload = self.held.get(self.used + RDW..self.used + len);
            let payload = payload.unwrap_or(&[]);
            if self.joined.len() + payload.len() > usize::from(u16::MAX) {
                return Err(Problem::Long);
            }
            self.joined.extend_from_slice(payload);
            self.block -= len;
            self.use_up(len);
            self.joining = !ends;
            if ends {
                self.name_length();
                let short = self.joined.len() < MIN_RECORD;
                return if short {
                    Err(Problem::Rdw(number))
                } else {
                    Ok(Some(Found::Joined))
                };
            }
        }
    }

    /// Writes the record descriptor word of a record that was put together.
    fn name_length(&mut self) {
        let len = u16::try_from(self.joined.len()).unwrap_or(u16::MAX);
        if let Some(word) = self.joined.first_chunk_mut() {
            *word = len.to_be_bytes();
        }
    }

    fn stripped(&mut self) -> Result<Option<Found>, Problem> {
        let rest = self.rest();
        let len = match form::stripped(rest) {
            Step::Record(len) => len,
            Step::Short if rest.is_empty() || !self.ended => return Ok(None),
            Step::Short => {
                return Err(Problem::Cut {
                    have: rest.len(),
                    needed: rest.len() + 1,
                });
            }
            Step::No => return Err(Problem::Length),
        };
        if !self.has(len)? {
            return Ok(None);
        }
        self.joined.clear();
        self.joined.extend([0; RDW]);
        let payload = self.held.get(self.used..self.used + len);
        self.joined.extend_from_slice(payload.unwrap_or(&[]));
        self.joined_at = self.position;
        self.use_up(len);
        self.name_length();
        Ok(Some(Found::Joined))
    }
}

/// Where a record is.
#[derive(Clone, Copy, Debug)]
enum Found {
    Held {
        start: usize,
        len: usize,
        position: u64,
    },
    Joined,
}
