//! This project's own record: what the others cannot express.

use alloc::vec::Vec;

use super::writer::Writer;
use super::{Stamp, opening, required};
use crate::codes::ExtensionTag;
use crate::error::{Expected, Malformed, NoRoom};
use crate::field::{Field as _, Level};
use crate::layout::{ConnectionCommon, Identification, SummaryCommon, kinds};
use crate::view::{MAX_RECORD, RecordView, TRIPLETS};

/// Type of extension records unless another is asked for; 128 to 255 belong to installations.
pub const EXTENSION_TYPE: u8 = 255;

/// Length of tag and length before a value.
const PREFIX: usize = 4;

/// What a zERT record cannot express, in a record of its own: same header, identification and
/// first section as the record it extends, and tagged values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the sections of the record")]
pub struct Extension {
    /// Header.
    pub stamp: Stamp,
    /// Record type, 128 to 255: [`EXTENSION_TYPE`] or another one of the installation's.
    pub record_type: u8,
    /// Who wrote it.
    pub identification: Identification,
    /// First section of the record that is extended.
    pub common: Extended,
    /// The values. Those that would make the record too long are left out, the last ones first.
    pub values: Vec<ExtensionValue>,
}

/// First section of the record that is extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the two kinds of zERT record")]
pub enum Extended {
    /// Of a connection detail.
    Detail(ConnectionCommon),
    /// Of a summary.
    Summary(SummaryCommon),
}

/// A tagged value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a tag and a value")]
pub struct ExtensionValue {
    /// What it is.
    pub tag: ExtensionTag,
    /// The value; texts are UTF-8.
    pub bytes: Vec<u8>,
}

impl Extension {
    /// Decodes a record of [`EXTENSION_TYPE`].
    ///
    /// # Errors
    ///
    /// If it is another record, or a triplet or length in it cannot be right.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&RecordView::parse(bytes)?)
    }

    /// Decodes a record of another type of the installation's.
    ///
    /// # Errors
    ///
    /// If it is another record, or a triplet or length in it cannot be right.
    pub fn decode_as(record_type: u8, bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read_as(record_type, &RecordView::parse(bytes)?)
    }

    pub(super) fn read(view: &RecordView<'_>) -> Result<Self, Malformed> {
        Self::read_as(EXTENSION_TYPE, view)
    }

    fn read_as(record_type: u8, view: &RecordView<'_>) -> Result<Self, Malformed> {
        let subtypes = kinds::CONNECTION_DETAIL..=kinds::SUMMARY;
        let (header, stamp, identification) = opening(view, record_type, subtypes)?;
        let common = if header.subtype == kinds::SUMMARY {
            Extended::Summary(required(view, 1)?)
        } else {
            Extended::Detail(required(view, 1)?)
        };
        let mut values = Vec::new();
        if let Some((triplet, bytes)) = view.triplet(2).zip(view.section(2)) {
            let start = usize::try_from(triplet.offset).unwrap_or(usize::MAX);
            for value in tagged(start, bytes) {
                let (_, tag, value) = value?;
                values.push(ExtensionValue {
                    tag,
                    bytes: value.to_vec(),
                });
            }
        }
        Ok(Self {
            stamp,
            record_type,
            identification,
            common,
            values,
        })
    }

    /// Encodes it at the buffer's start and returns its length.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the buffer is too short; never with one of [`MAX_RECORD`] bytes.
    pub fn encode(&self, level: Level, out: &mut [u8]) -> Result<usize, NoRoom> {
        let subtype = match self.common {
            Extended::Detail(_) => kinds::CONNECTION_DETAIL,
            Extended::Summary(_) => kinds::SUMMARY,
        };
        let header = self.stamp.header(self.record_type, subtype);
        let mut writer = Writer::new(out, &header, 3)?;
        writer.section(level, &self.identification)?;
        let common = match &self.common {
            Extended::Detail(common) => {
                writer.section(level, common)?;
                ConnectionCommon::LEN
            }
            Extended::Summary(common) => {
                writer.section(level, common)?;
                SummaryCommon::LEN
            }
        };
        let room = MAX_RECORD - TRIPLETS - 24 - Identification::LEN - common;
        let mut bytes = Vec::new();
        for value in &self.values {
            let fits = bytes.len() + PREFIX + value.bytes.len() <= room;
            let (true, Ok(len)) = (fits, u16::try_from(value.bytes.len())) else {
                break;
            };
            bytes.extend_from_slice(&value.tag.0.to_be_bytes());
            bytes.extend_from_slice(&len.to_be_bytes());
            bytes.extend_from_slice(&value.bytes);
        }
        writer.bytes(bytes.len(), &bytes)?;
        writer.finish()
    }

    /// Encodes it into a new vector.
    ///
    /// # Errors
    ///
    /// None in practice: a record of this kind always fits.
    pub fn to_vec(&self, level: Level) -> Result<Vec<u8>, NoRoom> {
        super::to_vec(|out| self.encode(level, out))
    }
}

/// The values of a section that begins at this offset of the record: offset, tag, value.
pub(crate) fn tagged(
    start: usize,
    bytes: &[u8],
) -> impl Iterator<Item = Result<(usize, ExtensionTag, &[u8]), Malformed>> {
    let mut rest = bytes;
    let mut at = start;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let here = at;
        let wrong = |found: usize, expected| {
            Malformed::of_section(here, "length of a value", 2, found as u64, expected)
        };
        let Some((&[t1, t0, l1, l0], after)) = rest.split_first_chunk::<PREFIX>() else {
            let error = wrong(rest.len(), Expected::AtLeast(PREFIX as u64));
            rest = &[];
            return Some(Err(error));
        };
        let len = usize::from(u16::from_be_bytes([l1, l0]));
        let Some((value, after)) = after.split_at_checked(len) else {
            let error = wrong(len, Expected::AtMost(after.len() as u64));
            rest = &[];
            return Some(Err(error));
        };
        rest = after;
        at = here + PREFIX + len;
        Some(Ok((
            here,
            ExtensionTag(u16::from_be_bytes([t1, t0])),
            value,
        )))
    })
}
