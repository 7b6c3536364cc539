//! Records without subtypes: types 109, 2 and 3.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ebcdic::{CodePage, Text};
use crate::error::{Expected, Malformed, NoRoom};
use crate::field::Field as _;
use crate::layout::{Rdw, ShortHeader, kinds};
use crate::time::{SmfDate, SmfTime};
use crate::view::{MAX_RECORD, MIN_RECORD, RDW, RecordView};

/// Flags of a record without subtypes.
const FLAGS: u8 = 0x1e;

/// A syslogd message, type 109.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the record")]
pub struct Syslog {
    /// The release of the system: X'1E'.
    pub flags: u8,
    /// Local time.
    pub time: SmfTime,
    /// Local date.
    pub date: SmfDate,
    /// System identifier.
    pub system: Text<4>,
    /// The whole message in EBCDIC; what makes the record too long is cut off when it is written.
    pub text: Vec<u8>,
}

impl Syslog {
    /// A message, to be written in IBM-1047.
    #[must_use]
    pub fn new(date: SmfDate, time: SmfTime, system: &str, text: &str) -> Self {
        Self {
            flags: FLAGS,
            time,
            date,
            system: system.into(),
            text: CodePage::Ibm1047.encode_str(text).collect(),
        }
    }

    /// The message as text, blanks at its end left out.
    #[must_use]
    pub fn decode_text(&self, page: CodePage) -> String {
        page.decode_text(&self.text)
    }

    /// Decodes one record.
    ///
    /// # Errors
    ///
    /// If it is another record, or its length is not what it says.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let view = RecordView::parse(bytes)?;
        match view.header().record_type {
            kinds::SYSLOG => Ok(Self::read(&view)),
            other => {
                let expected = Expected::Exactly(kinds::SYSLOG.into());
                Err(Malformed::new(5, "HDType", other.into(), expected))
            }
        }
    }

    pub(super) fn read(view: &RecordView<'_>) -> Self {
        let header = view.header();
        Self {
            flags: header.flags,
            time: header.time,
            date: header.date,
            system: header.system,
            text: view.bytes().get(MIN_RECORD..).unwrap_or(&[]).to_vec(),
        }
    }

    /// Encodes it at the buffer's start and returns its length. No allocation.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the buffer is too short; never with one of [`MAX_RECORD`] bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, NoRoom> {
        let header = ShortHeader {
            flags: self.flags,
            record_type: kinds::SYSLOG,
            time: self.time,
            date: self.date,
            system: self.system,
        };
        let text = self.text.get(..MAX_RECORD - MIN_RECORD);
        write(out, &header, text.unwrap_or(&self.text))
    }
}

/// Front or end of a dumped data set, type 2 or 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the record")]
pub struct DumpFrame {
    /// Whether it is the one at the end.
    pub is_trailer: bool,
    /// The release of the system: X'1E'.
    pub flags: u8,
    /// Local time.
    pub time: SmfTime,
    /// Local date.
    pub date: SmfDate,
    /// System identifier.
    pub system: Text<4>,
}

impl DumpFrame {
    /// Length of such a record.
    pub const LEN: usize = MIN_RECORD;

    /// Front (or end) of a data set dumped at this local time.
    #[must_use]
    pub fn new(is_trailer: bool, date: SmfDate, time: SmfTime, system: &str) -> Self {
        Self {
            is_trailer,
            flags: FLAGS,
            time,
            date,
            system: system.into(),
        }
    }

    pub(super) fn read(view: &RecordView<'_>) -> Self {
        let header = view.header();
        Self {
            is_trailer: header.record_type == kinds::DUMP_TRAILER,
            flags: header.flags,
            time: header.time,
            date: header.date,
            system: header.system,
        }
    }

    /// Encodes it at the buffer's start and returns its length. No allocation.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the buffer is too short.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, NoRoom> {
        let header = ShortHeader {
            flags: self.flags,
            record_type: if self.is_trailer {
                kinds::DUMP_TRAILER
            } else {
                kinds::DUMP_HEADER
            },
            time: self.time,
            date: self.date,
            system: self.system,
        };
        write(out, &header, &[])
    }
}

fn write(out: &mut [u8], header: &ShortHeader, text: &[u8]) -> Result<usize, NoRoom> {
    let error = NoRoom { have: out.len() };
    let len = MIN_RECORD + text.len();
    let rdw = Rdw {
        length: u16::try_from(len).map_err(|_| error)?,
        segment: 0,
    };
    let out = out.get_mut(..len).ok_or(error)?;
    let (first, rest) = out.split_first_chunk_mut::<RDW>().ok_or(error)?;
    rdw.write(first);
    let (second, rest) = rest.split_first_chunk_mut().ok_or(error)?;
    header.write(second);
    rest.copy_from_slice(text);
    Ok(len)
}
