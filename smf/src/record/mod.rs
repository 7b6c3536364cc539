//! Records as values: from bytes and to bytes.

mod detail;
mod extension;
mod names;
mod plain;
mod summary;
mod tunnel;
mod writer;

pub use detail::Detail;
pub(crate) use extension::tagged;
pub use extension::{EXTENSION_TYPE, Extended, Extension, ExtensionValue};
pub use names::DistinguishedName;
pub use plain::{DumpFrame, Syslog};
pub use summary::Summary;
pub use tunnel::{RawSection, Tunnel, TunnelHead};

use alloc::vec;
use alloc::vec::Vec;

use crate::ebcdic::Text;
use crate::error::{Expected, Malformed, NoRoom};
use crate::field::{Level, Section};
use crate::layout::{Header, Identification, kinds};
use crate::time::{SmfDate, SmfTime};
use crate::view::{MAX_RECORD, RecordView};

/// Who makes a record and when: the header without type and subtype, which the record itself
/// knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the header")]
pub struct Stamp {
    /// Subtypes are valid, and the release of the system: X'5E'.
    pub flags: u8,
    /// Local time.
    pub time: SmfTime,
    /// Local date.
    pub date: SmfDate,
    /// System identifier.
    pub system: Text<4>,
    /// Subsystem identifier: `STC` for a started task.
    pub subsystem: Text<4>,
}

impl Stamp {
    /// Made by a started task of this system at this local time.
    ///
    /// ```
    /// use hostward_smf::{Stamp, time};
    /// let utc_offset_seconds = 3600;
    /// let stamp = time::local(1_795_357_815_250_000, utc_offset_seconds)
    ///     .map(|(date, time)| Stamp::new(date, time, "SYS1"));
    /// assert_eq!(stamp.map(|s| s.time.to_string()).as_deref(), Some("15:30:15.25"));
    /// ```
    #[must_use]
    pub fn new(date: SmfDate, time: SmfTime, system: &str) -> Self {
        Self {
            flags: 0x5e,
            time,
            date,
            system: system.into(),
            subsystem: "STC".into(),
        }
    }

    const fn header(&self, record_type: u8, subtype: u16) -> Header {
        Header {
            flags: self.flags,
            record_type,
            time: self.time,
            date: self.date,
            system: self.system,
            subsystem: self.subsystem,
            subtype,
        }
    }
}

impl Default for Stamp {
    fn default() -> Self {
        Self::new(SmfDate::NONE, SmfTime(0), "")
    }
}

/// Any record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "a record is decoded without an allocation, and one is held at a time"
)]
pub enum Record {
    /// Type 119, subtype 11: zERT connection detail.
    Detail(Detail),
    /// Type 119, subtype 12: zERT summary.
    Summary(Summary),
    /// Type 119, subtypes 73 to 80: an IPsec tunnel.
    Tunnel(Tunnel),
    /// This project's extension record, type [`EXTENSION_TYPE`].
    Extension(Extension),
    /// Type 109: a syslogd message.
    Syslog(Syslog),
    /// Type 2 or 3: front or end of a dumped data set.
    DumpFrame(DumpFrame),
    /// Another one, as it is.
    Other(Vec<u8>),
}

impl Record {
    /// Decodes a record, whatever it is. Types and subtypes that are not known are kept as bytes.
    ///
    /// # Errors
    ///
    /// If the record contradicts itself.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let view = RecordView::parse(bytes)?;
        let header = view.header();
        Ok(match (header.record_type, view.subtype()) {
            (kinds::TCPIP, Some(kinds::CONNECTION_DETAIL)) => Self::Detail(Detail::read(&view)?),
            (kinds::TCPIP, Some(kinds::SUMMARY)) => Self::Summary(Summary::read(&view)?),
            (
                kinds::TCPIP,
                Some(kinds::IKE_TUNNEL_ACTIVATION..=kinds::MANUAL_TUNNEL_DEACTIVATION),
            ) => Self::Tunnel(Tunnel::read(&view)?),
            (EXTENSION_TYPE, Some(kinds::CONNECTION_DETAIL | kinds::SUMMARY)) => {
                Self::Extension(Extension::read(&view)?)
            }
            (kinds::SYSLOG, _) => Self::Syslog(Syslog::read(&view)),
            (kinds::DUMP_HEADER | kinds::DUMP_TRAILER, _) if bytes.len() == DumpFrame::LEN => {
                Self::DumpFrame(DumpFrame::read(&view))
            }
            _ => Self::Other(bytes.to_vec()),
        })
    }

    /// Encodes it at the buffer's start and returns its length.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the buffer is too short. With one of [`MAX_RECORD`] bytes that can only be
    /// for a tunnel or another record, whose bytes of unknown meaning are never cut.
    pub fn encode(&self, level: Level, out: &mut [u8]) -> Result<usize, NoRoom> {
        match self {
            Self::Detail(r) => r.encode(level, out),
            Self::Summary(r) => r.encode(level, out),
            Self::Tunnel(r) => r.encode(level, out),
            Self::Extension(r) => r.encode(level, out),
            Self::Syslog(r) => r.encode(out),
            Self::DumpFrame(r) => r.encode(out),
            Self::Other(bytes) => {
                let have = out.len();
                let to = out.get_mut(..bytes.len()).ok_or(NoRoom { have })?;
                to.copy_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    /// Encodes it into a new vector.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if no record can hold it.
    pub fn to_vec(&self, level: Level) -> Result<Vec<u8>, NoRoom> {
        to_vec(|out| self.encode(level, out))
    }
}

/// Encodes into a vector.
fn to_vec(encode: impl FnOnce(&mut [u8]) -> Result<usize, NoRoom>) -> Result<Vec<u8>, NoRoom> {
    let mut out = vec![0; usize::from(u16::MAX)];
    let len = encode(&mut out)?;
    out.truncate(len);
    Ok(out)
}

/// What every record with a self-defining section begins with, and that its triplets are sound.
fn opening(
    view: &RecordView<'_>,
    record_type: u8,
    subtypes: core::ops::RangeInclusive<u16>,
) -> Result<(Header, Stamp, Identification), Malformed> {
    let found = view.header().record_type;
    let expected = Expected::Exactly(record_type.into());
    let wrong_type = Malformed::new(5, "HDType", found.into(), expected);
    let header = view
        .long_header()
        .filter(|_| found == record_type)
        .ok_or(wrong_type)?;
    if !subtypes.contains(&header.subtype) {
        let expected = Expected::Between((*subtypes.start()).into(), (*subtypes.end()).into());
        return Err(Malformed::new(
            22,
            "HDSubType",
            header.subtype.into(),
            expected,
        ));
    }
    view.check_all()?;
    let stamp = Stamp {
        flags: header.flags,
        time: header.time,
        date: header.date,
        system: header.system,
        subsystem: header.subsystem,
    };
    let identification = view.section(0).map(Identification::take);
    Ok((header, stamp, identification.unwrap_or_default()))
}

/// A section that must be there.
fn required<S: Section>(view: &RecordView<'_>, index: u16) -> Result<S, Malformed> {
    view.section(index).map(S::take).ok_or_else(|| {
        let place = view.triplet(index).map_or(24, |t| t.place() + 6);
        Malformed::of_section(place, "count", index, 0, Expected::AtLeast(1))
    })
}

/// A section that may be there.
fn optional<S: Section>(view: &RecordView<'_>, index: u16) -> Option<S> {
    view.section(index).map(S::take)
}

const _: () = assert!(MAX_RECORD < u16::MAX as usize);
