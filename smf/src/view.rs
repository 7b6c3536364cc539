//! A record as it lies in memory: header, triplets, sections, nothing copied.

use crate::codes::NameType;
use crate::error::{Expected, Malformed};
use crate::field::Field as _;
use crate::layout::{
    Header, NAME_LENGTH_COUNTS_PREFIX, NamePrefix, RecordInfo, Shape, ShortHeader, TripletLayout,
    kinds, record_info,
};

/// Longest SMF record, the record descriptor word included.
pub const MAX_RECORD: usize = 32_756;

/// Most triplets a record may have here; no known record comes near.
pub const MAX_TRIPLETS: u16 = 64;

/// Shortest record: the header of a type without subtypes.
pub(crate) const MIN_RECORD: usize = RDW + ShortHeader::LEN;

/// Bytes of a record descriptor word.
pub(crate) const RDW: usize = 4;

/// Where the self-defining section begins.
pub(crate) const SELF_DEFINING: usize = RDW + Header::LEN;

/// Where the triplets begin.
pub(crate) const TRIPLETS: usize = SELF_DEFINING + 4;

/// The flag that says that a record has a subtype.
const SUBTYPE_VALID: u8 = 0x40;

/// One record, with its record descriptor word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    bytes: &'a [u8],
    header: ShortHeader,
    info: Option<&'static RecordInfo>,
}

/// Where a section lies, and how often there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Triplet {
    /// Its number, 0 for the identification section.
    pub index: u16,
    /// Offset of the first instance from the record's first byte.
    pub offset: u32,
    /// Length of an instance.
    pub length: u16,
    /// Number of instances.
    pub count: u16,
}

impl Triplet {
    /// Offset of the triplet itself.
    #[must_use]
    pub const fn place(&self) -> usize {
        TRIPLETS + TripletLayout::LEN * self.index as usize
    }

    /// The end of the last instance. Neither sum nor product can overflow 64 bits.
    const fn end(&self) -> u64 {
        self.offset as u64 + self.length as u64 * self.count as u64
    }
}

/// A distinguished name as it lies in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Name<'a> {
    /// Offset of the entry from the record's first byte.
    pub offset: usize,
    /// Whose name.
    pub kind: NameType,
    /// The name in EBCDIC, with the blanks after it.
    pub text: &'a [u8],
}

impl<'a> RecordView<'a> {
    /// Looks at one whole record.
    ///
    /// # Errors
    ///
    /// If it is shorter than a header, or the record descriptor word says another length than it
    /// has or is not that of a whole record.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let have = bytes.len() as u64;
        let too_short = Malformed::new(0, "HDLength", have, Expected::AtLeast(MIN_RECORD as u64));
        let (rdw, rest) = bytes.split_first_chunk().ok_or(too_short)?;
        let rdw = crate::layout::Rdw::read(rdw);
        let header = ShortHeader::read(rest.first_chunk().ok_or(too_short)?);
        if u64::from(rdw.length) != have {
            let error = Malformed::new(0, "HDLength", rdw.length.into(), Expected::Exactly(have));
            return Err(error);
        }
        if rdw.segment != 0 {
            let error = Malformed::new(2, "HDSegDesc", rdw.segment.into(), Expected::Exactly(0));
            return Err(error);
        }
        let mut view = Self {
            bytes,
            header,
            info: None,
        };
        view.info = record_info(header.record_type, view.subtype());
        Ok(view)
    }

    /// The whole record.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The header up to where subtypes begin.
    #[must_use]
    pub const fn header(&self) -> &ShortHeader {
        &self.header
    }

    /// The whole header of a record with subtypes, `None` for others.
    #[must_use]
    pub fn long_header(&self) -> Option<Header> {
        let has_subtype =
            self.header.flags & SUBTYPE_VALID != 0 || self.header.record_type == kinds::TCPIP;
        let (_, rest) = self.bytes.split_first_chunk::<RDW>()?;
        rest.first_chunk().filter(|_| has_subtype).map(Header::read)
    }

    /// The subtype, if the record has one.
    #[must_use]
    pub fn subtype(&self) -> Option<u16> {
        self.long_header().map(|h| h.subtype)
    }

    /// What is known of records of this type and subtype.
    #[must_use]
    pub const fn info(&self) -> Option<&'static RecordInfo> {
        self.info
    }

    /// How many triplets the self-defining section has, the identification section's included.
    ///
    /// # Errors
    ///
    /// If the record is too short for as many, or there are none or more than [`MAX_TRIPLETS`].
    pub fn triplet_count(&self) -> Result<u16, Malformed> {
        let place = SELF_DEFINING;
        let Some(count) = self.bytes.get(place..).and_then(|b| b.first_chunk()) else {
            let expected = Expected::AtLeast(TRIPLETS as u64);
            return Err(Malformed::new(
                0,
                "HDLength",
                self.bytes.len() as u64,
                expected,
            ));
        };
        let count = u16::read(count);
        let room = self.bytes.len().saturating_sub(TRIPLETS) / TripletLayout::LEN;
        let most = (room as u64).min(MAX_TRIPLETS.into());
        if count == 0 || u64::from(count) > most {
            let expected = Expected::Between(1, most);
            return Err(Malformed::new(place, "SD_TRN", count.into(), expected));
        }
        Ok(count)
    }

    /// A triplet as it stands, unchecked; `None` behind the last.
    #[must_use]
    pub fn triplet(&self, index: u16) -> Option<Triplet> {
        if index >= self.triplet_count().ok()? {
            return None;
        }
        let place = TRIPLETS + TripletLayout::LEN * usize::from(index);
        let TripletLayout {
            offset,
            length,
            count,
        } = TripletLayout::read(self.bytes.get(place..)?.first_chunk()?);
        Some(Triplet {
            index,
            offset,
            length,
            count,
        })
    }

    /// Checks one triplet: whether its instances lie behind the triplets and within the record.
    ///
    /// # Errors
    ///
    /// Names the triplet's field that cannot be right.
    pub fn check(&self, triplet: &Triplet) -> Result<(), Malformed> {
        if triplet.count == 0 {
            return Ok(());
        }
        let place = triplet.place();
        let wrong = |at, field, found, expected| {
            Malformed::of_section(place + at, field, triplet.index, found, expected)
        };
        let behind = TRIPLETS + TripletLayout::LEN * usize::from(self.triplet_count()?);
        if u64::from(triplet.offset) < behind as u64 {
            let expected = Expected::AtLeast(behind as u64);
            return Err(wrong(0, "offset", triplet.offset.into(), expected));
        }
        let len = self.bytes.len() as u64;
        if self.is_names(triplet.index) {
            // Entries have lengths of their own; each is held against the record's end.
            let room = len.saturating_sub(triplet.offset.into()) / NamePrefix::LEN as u64;
            if room < triplet.count.into() {
                return Err(wrong(
                    6,
                    "count",
                    triplet.count.into(),
                    Expected::AtMost(room),
                ));
            }
        } else if triplet.end() > len {
            return Err(wrong(0, "end", triplet.end(), Expected::WithinRecord(len)));
        }
        Ok(())
    }

    /// Checks all triplets, and that no section lies over another.
    ///
    /// # Errors
    ///
    /// Names the first triplet's field that cannot be right.
    pub fn check_all(&self) -> Result<(), Malformed> {
        let count = self.triplet_count()?;
        let mut end = 0;
        let mut in_order = true;
        for triplet in (0..count).filter_map(|i| self.triplet(i)) {
            self.check(&triplet)?;
            if triplet.count > 0 {
                in_order &= u64::from(triplet.offset) >= end;
                end = self.extent(&triplet);
            }
        }
        if in_order {
            return Ok(());
        }
        // Few enough to compare each with each.
        for one in (0..count).filter_map(|i| self.triplet(i)) {
            for other in (0..one.index).filter_map(|i| self.triplet(i)) {
                if one.count > 0
                    && other.count > 0
                    && u64::from(one.offset) < self.extent(&other)
                    && u64::from(other.offset) < self.extent(&one)
                {
                    return Err(Malformed::of_section(
                        one.place(),
                        "offset",
                        one.index,
                        one.offset.into(),
                        Expected::ApartFrom(other.index),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Where a section ends as far as it is certain: names may be shorter than the triplet says.
    fn extent(&self, triplet: &Triplet) -> u64 {
        if self.is_names(triplet.index) {
            u64::from(triplet.offset) + NamePrefix::LEN as u64 * u64::from(triplet.count)
        } else {
            triplet.end()
        }
    }

    fn is_names(&self, index: u16) -> bool {
        let sections = self.info.map_or(&[][..], |i| i.sections);
        let section = sections.get(usize::from(index));
        section.is_some_and(|s| matches!(s.shape, Shape::Names))
    }

    /// An instance of a section: 0 for the first; `None` if there are not as many, or they do not
    /// lie within the record.
    #[must_use]
    pub fn instance(&self, triplet: &Triplet, number: u16) -> Option<&'a [u8]> {
        if number >= triplet.count {
            return None;
        }
        let length = usize::from(triplet.length);
        let start = usize::try_from(triplet.offset).ok()?;
        let start = start.checked_add(length.checked_mul(number.into())?)?;
        self.bytes.get(start..start.checked_add(length)?)
    }

    /// The first instance of the section with this number, `None` if there is none.
    #[must_use]
    pub fn section(&self, index: u16) -> Option<&'a [u8]> {
        self.instance(&self.triplet(index)?, 0)
    }

    /// The distinguished names of a section.
    ///
    /// Writers agree on neither one length for all entries nor on lengths of their own: an entry
    /// whose own length is possible ends there, another one after the triplet's length, and
    /// none after the record's end.
    pub fn names(
        &self,
        triplet: &Triplet,
    ) -> impl Iterator<Item = Result<Name<'a>, Malformed>> + use<'a> {
        let (bytes, triplet) = (self.bytes, *triplet);
        let mut at = usize::try_from(triplet.offset).unwrap_or(usize::MAX);
        let mut left = triplet.count;
        core::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let found = name(bytes, at, &triplet);
            match found {
                Ok((found, next)) => {
                    at = next;
                    Some(Ok(found))
                }
                Err(error) => {
                    left = 0;
                    Some(Err(error))
                }
            }
        })
    }
}

/// The entry at an offset, and the offset of the next.
fn name<'a>(bytes: &'a [u8], at: usize, triplet: &Triplet) -> Result<(Name<'a>, usize), Malformed> {
    let rest = bytes.get(at..).unwrap_or(&[]);
    let Some(prefix) = rest.first_chunk() else {
        let expected = Expected::WithinRecord(bytes.len() as u64);
        return Err(Malformed::of_section(
            at,
            "DN_Len",
            triplet.index,
            at as u64,
            expected,
        ));
    };
    let prefix = NamePrefix::read(prefix);
    let prefix_len = NamePrefix::LEN;
    let own = usize::from(prefix.length)
        + if NAME_LENGTH_COUNTS_PREFIX {
            0
        } else {
            prefix_len
        };
    let stride = usize::from(triplet.length);
    let len = if (prefix_len..=rest.len()).contains(&own) {
        own
    } else if stride >= prefix_len {
        stride.min(rest.len())
    } else {
        let expected = Expected::Between(prefix_len as u64, rest.len() as u64);
        let found = prefix.length.into();
        return Err(Malformed::of_section(
            at,
            "DN_Len",
            triplet.index,
            found,
            expected,
        ));
    };
    let name = Name {
        offset: at,
        kind: prefix.kind,
        text: rest.get(prefix_len..len).unwrap_or(&[]),
    };
    Ok((name, at + len))
}
