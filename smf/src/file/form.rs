//! Which form a file has.

use core::fmt;

use crate::field::Field as _;
use crate::layout::{Rdw, ShortHeader, TripletLayout, kinds};
use crate::time::SmfDate;
use crate::view::{MAX_TRIPLETS, MIN_RECORD, RDW, SELF_DEFINING, TRIPLETS};

/// How records lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// Records one after another, each with its record descriptor word: what is written here, and
    /// what a transfer in binary with the words kept gives.
    Rdw,
    /// Blocks with block descriptor words, and in them records or segments of records (V, VB,
    /// VBS): a data set that was transferred as undefined records.
    Blocked,
    /// Records one after another without record descriptor words, as a transfer leaves them
    /// that was not told to keep the words. Lengths are found out from the triplets; what has
    /// none (a syslogd message) ends the reading.
    Stripped,
}

/// In words, as a message would name it.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rdw => "records with record descriptor words",
            Self::Blocked => "blocks with block descriptor words",
            Self::Stripped => "records without record descriptor words",
        })
    }
}

/// How far a file can be read in a form.
struct Walk {
    /// Whole records.
    records: usize,
    /// Bytes of them.
    bytes: usize,
    /// Whether nothing contradicts the form, up to the end.
    holds: bool,
}

impl Form {
    /// Finds out the form of a file from its beginning, or from all of it if `is_whole`.
    ///
    /// A form holds if its chain of lengths leads to the end of the bytes, and where a record
    /// begins there is a date. Blocks are tried first, since a block looks like a record. If no
    /// form holds to the end, it is the one that holds longest: the file is damaged or cut.
    /// `None` if not even a first record can be read.
    ///
    /// Cost: three passes over the records' first bytes.
    #[must_use]
    pub fn detect(bytes: &[u8], is_whole: bool) -> Option<Self> {
        let walks = [
            (Self::Blocked, walk_blocks(bytes, is_whole)),
            (Self::Rdw, walk(bytes, is_whole, with_rdw)),
            (Self::Stripped, walk(bytes, is_whole, stripped)),
        ];
        let holding = walks.iter().find(|(_, w)| w.holds && w.records > 0);
        let longest = || {
            let some = walks.iter().filter(|(_, w)| w.records > 0);
            some.max_by_key(|(_, w)| w.bytes)
        };
        holding.or_else(longest).map(|(form, _)| *form)
    }
}

/// Goes from record to record with a function that tells the length of the one at the front.
fn walk(mut bytes: &[u8], is_whole: bool, len: fn(&[u8]) -> Step) -> Walk {
    let mut walk = Walk {
        records: 0,
        bytes: 0,
        holds: true,
    };
    while !bytes.is_empty() {
        match len(bytes) {
            Step::Record(len) => match bytes.split_at_checked(len) {
                Some((_, rest)) => {
                    walk.records += 1;
                    walk.bytes += len;
                    bytes = rest;
                }
                None => {
                    walk.holds = !is_whole;
                    break;
                }
            },
            Step::Short => {
                walk.holds = !is_whole;
                break;
            }
            Step::No => {
                walk.holds = false;
                break;
            }
        }
    }
    walk
}

/// What is at the front.
pub(super) enum Step {
    /// A record of this length, which may be more than there is.
    Record(usize),
    /// Too little to tell.
    Short,
    /// No record.
    No,
}

fn with_rdw(bytes: &[u8]) -> Step {
    let Some((rdw, rest)) = bytes.split_first_chunk() else {
        return Step::Short;
    };
    let rdw = Rdw::read(rdw);
    if usize::from(rdw.length) < MIN_RECORD || rdw.segment != 0 {
        return Step::No;
    }
    match rest.first_chunk() {
        Some(header) if is_record(&ShortHeader::read(header)) => Step::Record(rdw.length.into()),
        Some(_) => Step::No,
        None => Step::Short,
    }
}

/// A record without its record descriptor word: the length is found out from what the record
/// says of itself.
pub(super) fn stripped(bytes: &[u8]) -> Step {
    let Some(header) = bytes.first_chunk() else {
        return Step::Short;
    };
    let header = ShortHeader::read(header);
    if !is_record(&header) {
        return Step::No;
    }
    match header.record_type {
        kinds::DUMP_HEADER | kinds::DUMP_TRAILER => Step::Record(ShortHeader::LEN),
        kinds::TCPIP => stripped_triplets(bytes),
        _ => Step::No,
    }
}

/// Its sections lie behind each other, so the last one ends the record.
fn stripped_triplets(bytes: &[u8]) -> Step {
    let Some(count) = bytes
        .get(SELF_DEFINING - RDW..)
        .and_then(|b| b.first_chunk())
    else {
        return Step::Short;
    };
    let count = u16::read(count);
    if count == 0 || count > MAX_TRIPLETS {
        return Step::No;
    }
    let mut end = TRIPLETS + TripletLayout::LEN * usize::from(count);
    let Some(triplets) = bytes.get(TRIPLETS - RDW..end - RDW) else {
        return Step::Short;
    };
    for triplet in triplets.chunks_exact(TripletLayout::LEN) {
        let Some(t) = triplet.first_chunk().map(TripletLayout::read) else {
            return Step::No;
        };
        let last = u64::from(t.offset) + u64::from(t.length) * u64::from(t.count);
        if t.count > 0 {
            end = match usize::try_from(last) {
                Ok(last) if last <= usize::from(u16::MAX) => end.max(last),
                _ => return Step::No,
            };
        }
    }
    Step::Record(end - RDW)
}

fn walk_blocks(bytes: &[u8], is_whole: bool) -> Walk {
    let mut walk = Walk {
        records: 0,
        bytes: 0,
        holds: true,
    };
    let mut rest = bytes;
    while !rest.is_empty() {
        let Some((bdw, after)) = rest.split_first_chunk() else {
            walk.holds = !is_whole;
            break;
        };
        let Some(mut left) = block_len(*bdw) else {
            walk.holds = false;
            break;
        };
        rest = after;
        while left > 0 {
            let Some((sdw, after)) = rest.split_first_chunk() else {
                walk.holds = !is_whole;
                return walk;
            };
            let Some((len, control)) = segment(*sdw, left) else {
                walk.holds = false;
                return walk;
            };
            let begins = control < LAST;
            let date_is_wrong = begins
                && len >= MIN_RECORD
                && after
                    .first_chunk()
                    .is_some_and(|h| !is_record(&ShortHeader::read(h)));
            if date_is_wrong {
                walk.holds = false;
                return walk;
            }
            let Some((_, after)) = rest.split_at_checked(len) else {
                walk.holds = !is_whole;
                return walk;
            };
            rest = after;
            left -= len;
            walk.bytes += len;
            walk.records += usize::from(begins);
        }
    }
    walk
}

/// The control code of a last segment; 3 is one in the middle, 0 a whole record, 1 a first one.
pub(super) const LAST: u8 = 2;

/// How many bytes follow a block descriptor word; `None` if it is none.
pub(super) fn block_len(bdw: [u8; 4]) -> Option<usize> {
    let [a, b, c, d] = bdw;
    let len = if a & 0x80 != 0 {
        usize::try_from(u32::from_be_bytes(bdw) & 0x7fff_ffff).ok()?
    } else if c == 0 && d == 0 {
        usize::from(u16::from_be_bytes([a, b]))
    } else {
        return None;
    };
    // A block that is empty is not written.
    len.checked_sub(4).filter(|len| *len >= 4)
}

/// Length (with the word) and control code of a segment descriptor word; `None` if it is none, or
/// goes beyond the block.
pub(super) fn segment(sdw: [u8; 4], left: usize) -> Option<(usize, u8)> {
    let [a, b, control, zero] = sdw;
    let len = usize::from(u16::from_be_bytes([a, b]));
    ((4..=left).contains(&len) && control <= 3 && zero == 0).then_some((len, control))
}

/// Whether it looks like a record's header: a date is hard to hit by chance, and a system
/// identifier has neither control characters nor the letters with accents that ASCII text is in
/// EBCDIC.
fn is_record(header: &ShortHeader) -> bool {
    let no_name = |b: &u8| matches!(b, 1..=0x3f | 0x41..=0x49 | 0x51..=0x59);
    (header.date.year_day().is_some() || header.date == SmfDate::NONE)
        && !header.system.0.iter().any(no_name)
}
