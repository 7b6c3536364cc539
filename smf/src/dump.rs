//! A record field by field.

use crate::codes::ExtensionTag;
use crate::error::Malformed;
use crate::field::{Confidence, Field, FieldInfo, Kind};
use crate::layout::{
    Header, NamePrefix, Rdw, SectionInfo, Shape, ShortHeader, TripletLayout, kinds, record_info,
};
use crate::record::EXTENSION_TYPE;
use crate::value::Value;
use crate::view::{MIN_RECORD, RDW, RecordView, SELF_DEFINING, Triplet};

/// One field of a record, or a run of bytes that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Item<'a> {
    /// Title of the section.
    pub section: &'static str,
    /// Number of the triplet that the section belongs to, 0 for the identification section;
    /// `None` for the header.
    pub triplet: Option<u16>,
    /// Number of the instance, from 0.
    pub instance: u16,
    /// Name of the part of the section the field belongs to; empty for most.
    pub group: &'static str,
    /// What the field is. Its offset is relative to the section or part.
    pub field: FieldInfo,
    /// Offset of the field from the record's first byte.
    pub offset: usize,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// What the section's flag says about its addresses.
    pub is_ipv6: Option<bool>,
}

impl<'a> Item<'a> {
    /// What the bytes say.
    #[must_use]
    pub fn value(&self) -> Value<'a> {
        Value::of(self.field.kind, self.bytes, self.is_ipv6)
    }
}

/// Shows every field of a record in the order in which it lies there: record descriptor word,
/// header, triplets, sections as the triplets name them, and what of them is not known.
///
/// A triplet that cannot be right is told as an error in the place where its section would be,
/// and the rest is still shown. Nothing is allocated; there are fewer calls than the record has
/// bytes, times its triplets if they all name the same place.
///
/// ```
/// use hostward_smf::{DumpFrame, SmfDate, SmfTime, visit};
/// let mut record = [0; DumpFrame::LEN];
/// let frame = DumpFrame::new(false, SmfDate(0x0126_326f), SmfTime(0x004f_ac95), "SYS1");
/// frame.encode(&mut record)?;
/// let mut lines = Vec::new();
/// visit(&record, &mut |item| {
///     if let Ok(item) = item {
///         lines.push(format!("{} {} = {}", item.offset, item.field.name, item.value()));
///     }
/// });
/// assert_eq!(lines[5], "10 date = 2026-11-22");
/// # Ok::<(), hostward_smf::NoRoom>(())
/// ```
pub fn visit<'a>(record: &'a [u8], each: &mut dyn FnMut(Result<Item<'a>, Malformed>)) {
    let view = match RecordView::parse(record) {
        Ok(view) => view,
        Err(error) => return each(Err(error)),
    };
    let mut visitor = Visitor { record, each };
    let header = Place {
        title: "header",
        triplet: None,
        instance: 0,
        is_ipv6: None,
    };
    visitor.fields(header, fields_of::<Rdw>(), 0, RDW);
    let record_type = view.header().record_type;
    if view.long_header().is_none() {
        visitor.fields(header, fields_of::<ShortHeader>(), RDW, ShortHeader::LEN);
        let field = if record_type == kinds::SYSLOG {
            MESSAGE
        } else {
            UNKNOWN
        };
        let place = Place {
            title: "data",
            ..header
        };
        return visitor.item(place, "", field, MIN_RECORD, record.len() - MIN_RECORD);
    }
    visitor.fields(header, fields_of::<Header>(), RDW, Header::LEN);
    // An installation's own types may be anything; ours has known subtypes only.
    let has_triplets =
        record_type == kinds::TCPIP || record_type == EXTENSION_TYPE && view.info().is_some();
    if has_triplets {
        visitor.sections(&view);
    } else {
        let place = Place {
            title: "data",
            ..header
        };
        visitor.item(
            place,
            "",
            UNKNOWN,
            SELF_DEFINING,
            record.len().saturating_sub(SELF_DEFINING),
        );
    }
}

/// What a field is part of.
#[derive(Clone, Copy)]
struct Place {
    title: &'static str,
    triplet: Option<u16>,
    instance: u16,
    is_ipv6: Option<bool>,
}

struct Visitor<'a, 'f> {
    record: &'a [u8],
    each: &'f mut dyn FnMut(Result<Item<'a>, Malformed>),
}

impl Visitor<'_, '_> {
    fn item(
        &mut self,
        place: Place,
        group: &'static str,
        field: FieldInfo,
        offset: usize,
        len: usize,
    ) {
        let Some(bytes) = self.record.get(offset..offset + len) else {
            return;
        };
        if len > 0 {
            (self.each)(Ok(Item {
                section: place.title,
                triplet: place.triplet,
                instance: place.instance,
                group,
                field,
                offset,
                bytes,
                is_ipv6: place.is_ipv6,
            }));
        }
    }

    /// The fields that lie whole within `len` bytes.
    fn fields(&mut self, place: Place, fields: &[FieldInfo], start: usize, len: usize) {
        for field in fields {
            let Some(room) = len.checked_sub(field.offset) else {
                return;
            };
            let at = start + field.offset;
            let parts = field.kind.parts();
            if parts.is_empty() && field.len <= room {
                self.item(place, "", *field, at, field.len);
            }
            for part in parts.iter().filter(|p| p.offset + p.len <= room) {
                self.item(place, field.name, *part, at + part.offset, part.len);
            }
        }
    }

    fn sections(&mut self, view: &RecordView<'_>) {
        let count = match view.triplet_count() {
            Ok(count) => count,
            Err(error) => return (self.each)(Err(error)),
        };
        let place = Place {
            title: "self-defining section",
            triplet: None,
            instance: 0,
            is_ipv6: None,
        };
        self.item(place, "", COUNT, SELF_DEFINING, COUNT.len);
        for triplet in (0..count).filter_map(|i| view.triplet(i)) {
            let place = Place {
                triplet: Some(triplet.index),
                ..place
            };
            self.fields(
                place,
                fields_of::<TripletLayout>(),
                triplet.place(),
                TripletLayout::LEN,
            );
        }
        let known = view.info().map_or(&[][..], |i| i.sections);
        // All records of this type identify themselves in the same way.
        let identification = record_info(kinds::TCPIP, Some(kinds::SUMMARY));
        let identification = identification.and_then(|r| r.sections.first());
        for triplet in (0..count).filter_map(|i| view.triplet(i)) {
            if triplet.count == 0 {
                continue;
            }
            if let Err(error) = view.check(&triplet) {
                (self.each)(Err(error));
                continue;
            }
            let info = known.get(usize::from(triplet.index));
            let info = info.or_else(|| identification.filter(|_| triplet.index == 0));
            match info {
                Some(info) if info.shape == Shape::Names => self.names(view, &triplet, info),
                Some(info) => self.instances(&triplet, info),
                None => self.instances(&triplet, &NOT_KNOWN),
            }
        }
        if let Err(error) = view.check_all() {
            // Overlaps; what is wrong with a triplet by itself was told above.
            if (0..count)
                .filter_map(|i| view.triplet(i))
                .all(|t| view.check(&t).is_ok())
            {
                (self.each)(Err(error));
            }
        }
    }

    fn instances(&mut self, triplet: &Triplet, info: &SectionInfo) {
        let len = usize::from(triplet.length);
        let start = usize::try_from(triplet.offset).unwrap_or(usize::MAX);
        if len == 0 {
            return;
        }
        for instance in 0..triplet.count {
            let start = start + len * usize::from(instance);
            let bytes = self.record.get(start..start + len).unwrap_or(&[]);
            let (fields, known) = info.fields(len);
            let known = known.min(len);
            let place = Place {
                title: info.title,
                triplet: Some(triplet.index),
                instance,
                is_ipv6: is_ipv6(fields, bytes),
            };
            self.fields(place, fields, start, known);
            match info.shape {
                Shape::Values => self.values(place, start, bytes),
                Shape::Fields { .. } => {
                    let whole = crate::field::whole(fields, known);
                    self.item(place, "", UNKNOWN, start + whole, len - whole);
                }
                Shape::Names | Shape::Unknown => self.item(place, "", UNKNOWN, start, len),
            }
        }
    }

    fn names(&mut self, view: &RecordView<'_>, triplet: &Triplet, info: &SectionInfo) {
        for (name, instance) in view.names(triplet).zip(0..) {
            let place = Place {
                title: info.title,
                triplet: Some(triplet.index),
                instance,
                is_ipv6: None,
            };
            match name {
                Ok(name) => {
                    self.fields(
                        place,
                        fields_of::<NamePrefix>(),
                        name.offset,
                        NamePrefix::LEN,
                    );
                    let at = name.offset + NamePrefix::LEN;
                    self.item(place, "", NAME, at, name.text.len());
                }
                Err(error) => (self.each)(Err(error)),
            }
        }
    }

    fn values(&mut self, place: Place, start: usize, bytes: &[u8]) {
        for (value, instance) in crate::record::tagged(start, bytes).zip(0..) {
            let place = Place { instance, ..place };
            match value {
                Ok((at, _, value)) => {
                    self.item(place, "", TAG, at, TAG.len);
                    self.item(place, "", VALUE_LEN, at + 2, VALUE_LEN.len);
                    self.item(place, "", VALUE, at + 4, value.len());
                }
                Err(error) => (self.each)(Err(error)),
            }
        }
    }
}

const fn fields_of<T: Field>() -> &'static [FieldInfo] {
    T::KIND.parts()
}

/// What the first flags with such a bit say.
fn is_ipv6(fields: &[FieldInfo], section: &[u8]) -> Option<bool> {
    fields.iter().find_map(|field| {
        let Kind::Flags(names) = field.kind else {
            return None;
        };
        let bit = names.iter().find(|b| b.name == "IPv6")?;
        let bytes = section.get(field.offset..field.offset + field.len)?;
        let bits = bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b));
        Some(bits & u64::from(bit.value) != 0)
    })
}

const COUNT: FieldInfo = FieldInfo::new::<u16>(
    "triplets",
    "SD_TRN",
    "Number of triplets, that of the identification section included.",
    Confidence::Confirmed,
);

const NAME: FieldInfo = FieldInfo {
    kind: Kind::Text,
    ..FieldInfo::new::<u8>(
        "name",
        "DN",
        "The distinguished name.",
        Confidence::Unconfirmed,
    )
};

const MESSAGE: FieldInfo = FieldInfo {
    kind: Kind::Text,
    ..FieldInfo::new::<u8>("message", "SMF109LOG", "The message.", Confidence::Probable)
};

const TAG: FieldInfo =
    FieldInfo::new::<ExtensionTag>("tag", "", "What the value is.", Confidence::Unconfirmed);

const VALUE_LEN: FieldInfo = FieldInfo::new::<u16>(
    "length",
    "",
    "Length of the value.",
    Confidence::Unconfirmed,
);

const VALUE: FieldInfo = FieldInfo {
    kind: Kind::Hex,
    ..FieldInfo::new::<u8>("value", "", "The value.", Confidence::Unconfirmed)
};

const UNKNOWN: FieldInfo = FieldInfo {
    kind: Kind::Unknown,
    ..FieldInfo::new::<u8>(
        "unknown",
        "",
        "Bytes that are not known here.",
        Confidence::Unconfirmed,
    )
};

const NOT_KNOWN: SectionInfo = SectionInfo::not_known();
