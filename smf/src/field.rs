//! How a record's layout is described: one table for each section, from which the struct, the
//! encoder, the decoder and the field-by-field view follow.
//!
//! A section is written down once (in [`layout`](crate::layout)) as a list of lines
//!
//! ```text
//! [P] interval: TodDuration, "SAIntervalDuration", "Length of the interval.";
//! ```
//!
//! which are its fields in order: how certain it is, the name in Rust, the type, which knows its
//! width, the name on z/OS, the meaning. Offsets are sums of widths. To correct a layout is to
//! correct such a line.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a layout or a number can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "the four marks of the tables")]
pub enum Confidence {
    /// Stated by documentation, or by two independent descriptions that agree.
    Confirmed,
    /// Names, order and width come from descriptions; the offset is the sum of the widths.
    Probable,
    /// From memory of the documentation, not read again.
    Recollected,
    /// A proposal of this project where nothing could be found.
    Unconfirmed,
}

impl Confidence {
    pub(crate) const C: Self = Self::Confirmed;
    pub(crate) const P: Self = Self::Probable;
    pub(crate) const R: Self = Self::Recollected;
    pub(crate) const U: Self = Self::Unconfirmed;

    /// The letter that stands for it in tables: `C`, `P`, `R` or `U`.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Confirmed => 'C',
            Self::Probable => 'P',
            Self::Recollected => 'R',
            Self::Unconfirmed => 'U',
        }
    }
}

/// A number with a name: one value of a code, or one bit of flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a line of a table")]
pub struct CodeName {
    /// The value, or the bit's mask.
    pub value: u32,
    /// What it means.
    pub name: &'static str,
}

/// How the bytes of a field are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A big-endian number of 1, 2, 4 or 8 bytes.
    Number,
    /// Bytes without further meaning.
    Hex,
    /// EBCDIC text, filled up with blanks.
    Text,
    /// An IP address in 16 bytes; IPv4 in the first four.
    Address,
    /// Hundredths of a second since midnight.
    Time,
    /// A packed date, `0cyydddF`.
    Date,
    /// A TOD clock value of 8 bytes.
    Tod,
    /// An extended TOD clock value of 16 bytes.
    Etod,
    /// A duration in units of the TOD clock.
    Duration,
    /// A code: one of these, or one that is not known.
    Code(&'static [CodeName]),
    /// Bits: any of these, and others that are not known.
    Flags(&'static [CodeName]),
    /// Bytes without meaning; zero when written here.
    Reserved,
    /// Fields of its own, as a certificate within a section.
    Group(&'static [FieldInfo]),
    /// Bytes at the end of a section that is longer than its layout here, or a section without
    /// known layout.
    Unknown,
}

impl Kind {
    /// The fields of a group, none for others.
    #[must_use]
    pub const fn parts(self) -> &'static [FieldInfo] {
        match self {
            Self::Group(fields) => fields,
            Self::Number
            | Self::Hex
            | Self::Text
            | Self::Address
            | Self::Time
            | Self::Date
            | Self::Tod
            | Self::Etod
            | Self::Duration
            | Self::Code(_)
            | Self::Flags(_)
            | Self::Reserved
            | Self::Unknown => &[],
        }
    }
}

/// One field of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldInfo {
    /// The name in this crate.
    pub name: &'static str,
    /// The name on z/OS without the record's prefix; empty if it has none.
    pub zos: &'static str,
    /// What it says.
    pub text: &'static str,
    /// Where it begins, from the section's first byte.
    pub offset: usize,
    /// Its width in bytes.
    pub len: usize,
    /// How it is to be read.
    pub kind: Kind,
    /// How certain its place and width are.
    pub confidence: Confidence,
}

impl FieldInfo {
    /// A line of a layout; the offset is filled in by [`placed`].
    pub(crate) const fn new<T: Field>(
        name: &'static str,
        zos: &'static str,
        text: &'static str,
        confidence: Confidence,
    ) -> Self {
        Self {
            name,
            zos,
            text,
            offset: 0,
            len: T::LEN,
            kind: T::KIND,
            confidence,
        }
    }
}

/// Gives every field its offset: the sum of the widths before it.
#[expect(clippy::indexing_slicing, reason = "evaluated when compiled")]
pub(crate) const fn placed<const N: usize>(mut fields: [FieldInfo; N]) -> [FieldInfo; N] {
    let (mut i, mut at) = (0, 0);
    while i < N {
        fields[i].offset = at;
        at += fields[i].len;
        i += 1;
    }
    fields
}

/// The fields without one of them: what follows moves up.
#[expect(clippy::indexing_slicing, reason = "evaluated when compiled")]
pub(crate) const fn without<const N: usize>(fields: &[FieldInfo], index: usize) -> [FieldInfo; N] {
    let mut kept = [fields[0]; N];
    let mut i = 0;
    while i < N {
        kept[i] = fields[if i < index { i } else { i + 1 }];
        i += 1;
    }
    placed(kept)
}

/// Which layouts a writer uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a section has a base or all of it")]
pub enum Level {
    /// The base layouts, which others read.
    #[default]
    Base,
    /// With the fields that this project has appended to some sections: local role, failed
    /// handshakes, certificates in summaries. A reader knows them by the section's exact length.
    Extended,
}

/// A type that has a fixed width in a record.
pub trait Field: Copy + Default {
    /// Its bytes: an array of [`LEN`](Self::LEN).
    type Raw;
    /// Its width in bytes.
    const LEN: usize;
    /// How its bytes are to be read.
    const KIND: Kind;

    /// Writes it. Never fails, no allocation.
    fn write(&self, raw: &mut Self::Raw);

    /// Reads it. Every byte pattern is a value, and writing gives the same bytes.
    fn read(raw: &Self::Raw) -> Self;
}

/// A section of a record.
pub trait Section: Field {
    /// Its name.
    const TITLE: &'static str;
    /// Its length at [`Level::Base`].
    const BASE: usize;
    /// Its layout, the fields of [`Level::Extended`] included.
    const FIELDS: &'static [FieldInfo];

    /// Writes it at the buffer's start and returns its length; `None` if the buffer is too short.
    fn put(&self, level: Level, out: &mut [u8]) -> Option<usize>;

    /// Reads it from a section of any length: fields that are not whole within have no value, and
    /// what follows the known fields is left out.
    ///
    /// The fields of [`Level::Extended`] are read only from a section of exactly their length, so
    /// that what another system has appended is not taken for them.
    fn take(bytes: &[u8]) -> Self;
}

/// How many bytes of a section of this length are whole fields.
pub(crate) fn whole(fields: &[FieldInfo], len: usize) -> usize {
    let mut end = 0;
    for field in fields {
        if field.offset + field.len <= len {
            end = field.offset + field.len;
        } else {
            if let (Kind::Group(inner), Some(rest)) = (field.kind, len.checked_sub(field.offset)) {
                end = field.offset + whole(inner, rest);
            }
            break;
        }
    }
    end
}

/// Makes a struct and its layout from a list of fields.
macro_rules! group {
    (
        $(#[$meta:meta])*
        $name:ident {
            $( [$mark:ident] $field:ident : $ty:ty, $zos:literal, $text:literal; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[allow(clippy::exhaustive_structs, reason = "filled field by field; a new field is a change of format")]
        pub struct $name {
            $(
                #[doc = $text]
                #[doc = concat!("(`", $zos, "`, ", stringify!($mark), ")")]
                pub $field: $ty,
            )*
        }

        impl $crate::field::Field for $name {
            type Raw = [u8; { 0 $( + <$ty as $crate::field::Field>::LEN )* }];
            const LEN: usize = { 0 $( + <$ty as $crate::field::Field>::LEN )* };
            const KIND: $crate::field::Kind = $crate::field::Kind::Group(&$crate::field::placed([
                $( $crate::field::FieldInfo::new::<$ty>(
                    stringify!($field), $zos, $text, $crate::field::Confidence::$mark,
                ), )*
            ]));

            #[inline]
            fn write(&self, raw: &mut Self::Raw) {
                let rest = raw.as_mut_slice();
                $(
                    let Some((part, rest)) =
                        rest.split_first_chunk_mut::<{ <$ty as $crate::field::Field>::LEN }>()
                    else {
                        return;
                    };
                    $crate::field::Field::write(&self.$field, part);
                )*
                let _ = rest;
            }

            #[inline]
            fn read(raw: &Self::Raw) -> Self {
                let mut value = Self::default();
                let rest = raw.as_slice();
                $(
                    let Some((part, rest)) =
                        rest.split_first_chunk::<{ <$ty as $crate::field::Field>::LEN }>()
                    else {
                        return value;
                    };
                    value.$field = $crate::field::Field::read(part);
                )*
                let _ = rest;
                value
            }
        }
    };
}
pub(crate) use group;

/// The same for a section, whose layout may have an extension.
macro_rules! section {
    (
        $(#[$meta:meta])*
        $name:ident $title:literal {
            $( [$mark:ident] $field:ident : $ty:ty, $zos:literal, $text:literal; )*
        }
        $( extended { $( [$xmark:ident] $xfield:ident : $xty:ty, $xzos:literal, $xtext:literal; )* } )?
    ) => {
        $crate::field::group! {
            $(#[$meta])*
            $name {
                $( [$mark] $field: $ty, $zos, $text; )*
                $( $( [$xmark] $xfield: $xty, $xzos, $xtext; )* )?
            }
        }

        impl $crate::field::Section for $name {
            const TITLE: &'static str = $title;
            const BASE: usize = 0 $( + <$ty as $crate::field::Field>::LEN )*;
            const FIELDS: &'static [$crate::field::FieldInfo] =
                <Self as $crate::field::Field>::KIND.parts();

            #[inline]
            fn put(&self, level: $crate::field::Level, out: &mut [u8]) -> Option<usize> {
                use $crate::field::Field as _;
                if level == $crate::field::Level::Extended || Self::BASE == Self::LEN {
                    self.write(out.first_chunk_mut()?);
                    return Some(Self::LEN);
                }
                let mut raw = [0; Self::LEN];
                self.write(&mut raw);
                out.first_chunk_mut::<{ <Self as $crate::field::Section>::BASE }>()?
                    .copy_from_slice(raw.first_chunk::<{ <Self as $crate::field::Section>::BASE }>()?);
                Some(Self::BASE)
            }

            #[inline]
            fn take(bytes: &[u8]) -> Self {
                use $crate::field::Field as _;
                if let Some(raw) = bytes.first_chunk()
                    && (bytes.len() == Self::LEN || Self::BASE == Self::LEN)
                {
                    return Self::read(raw);
                }
                let mut raw = [0; Self::LEN];
                Self::default().write(&mut raw);
                let known = if bytes.len() < Self::BASE {
                    $crate::field::whole(Self::FIELDS, bytes.len())
                } else {
                    Self::BASE
                };
                for (to, from) in raw.iter_mut().zip(bytes.iter().take(known)) {
                    *to = *from;
                }
                Self::read(&raw)
            }
        }
    };
}
pub(crate) use section;

macro_rules! number {
    ($($ty:ty),*) => { $(
        impl Field for $ty {
            type Raw = [u8; size_of::<$ty>()];
            const LEN: usize = size_of::<$ty>();
            const KIND: Kind = Kind::Number;

            #[inline]
            fn write(&self, raw: &mut Self::Raw) {
                *raw = self.to_be_bytes();
            }

            #[inline]
            fn read(raw: &Self::Raw) -> Self {
                Self::from_be_bytes(*raw)
            }
        }
    )* };
}
number!(u8, u16, u32, u64);

macro_rules! bytes {
    ($(#[$meta:meta])* $name:ident, $kind:expr) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(clippy::exhaustive_structs, reason = "plain bytes")]
        pub struct $name<const N: usize>(pub [u8; N]);

        impl<const N: usize> Default for $name<N> {
            fn default() -> Self {
                Self([0; N])
            }
        }

        impl<const N: usize> fmt::Debug for $name<N> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02X}"))
            }
        }

        impl<const N: usize> Field for $name<N> {
            type Raw = [u8; N];
            const LEN: usize = N;
            const KIND: Kind = $kind;

            #[inline]
            fn write(&self, raw: &mut [u8; N]) {
                *raw = self.0;
            }

            #[inline]
            fn read(raw: &[u8; N]) -> Self {
                Self(*raw)
            }
        }
    };
}
bytes! {
    /// Bytes that are only shown: serial numbers, session ids, cookies.
    Bytes, Kind::Hex
}
bytes! {
    /// Bytes without meaning. They are kept, so that a record survives a round trip; the default
    /// is zero.
    Reserved, Kind::Reserved
}

impl<const N: usize> Bytes<N> {
    /// The bytes, left-justified; what does not fit is cut off.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut all = [0; N];
        for (to, from) in all.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self(all)
    }

    /// The first `len` bytes, at most all.
    #[must_use]
    pub fn first(&self, len: u8) -> &[u8] {
        self.0.get(..usize::from(len)).unwrap_or(&self.0)
    }
}

/// An IP address in 16 bytes: IPv6, or IPv4 in the first four with zeros after it. Which of both
/// is said by a flag of the section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "plain bytes")]
pub struct Address(pub [u8; 16]);

impl Address {
    /// The address, given what the section's flag says.
    ///
    /// An IPv4-mapped address is taken for IPv4 whatever the flag says, as most other record
    /// subtypes write that form.
    #[must_use]
    pub fn ip(self, is_ipv6: bool) -> IpAddr {
        let v6 = Ipv6Addr::from(self.0);
        let [a, b, c, d, ..] = self.0;
        match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None if is_ipv6 => IpAddr::V6(v6),
            None => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        }
    }

    /// The address where no flag tells: IPv4 if all but the first four bytes are zero.
    #[must_use]
    pub fn guess(self) -> IpAddr {
        let [_, _, _, _, rest @ ..] = self.0;
        self.ip(rest != [0; 12])
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                Self([a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            }
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

impl Field for Address {
    type Raw = [u8; 16];
    const LEN: usize = 16;
    const KIND: Kind = Kind::Address;

    #[inline]
    fn write(&self, raw: &mut [u8; 16]) {
        *raw = self.0;
    }

    #[inline]
    fn read(raw: &[u8; 16]) -> Self {
        Self(*raw)
    }
}

#[cfg(test)]
mod tests {
    #![allow(unreachable_pub, reason = "the macro makes public structs")]

    use super::*;

    section! {
        /// A section to test with.
        Sample "sample" {
            [C] a: u8, "A", "One byte.";
            [C] reserved: Reserved<1>, "", "Reserved.";
            [P] b: u16, "B", "Two bytes.";
            [P] name: crate::Text<4>, "NAME", "Text.";
        }
        extended {
            [U] more: u32, "MORE", "Our own.";
        }
    }

    #[test]
    fn offsets_are_sums_of_widths() {
        let offsets = Sample::FIELDS.iter().map(|f| f.offset);
        assert!(offsets.eq([0, 1, 2, 4, 8]));
        assert_eq!((Sample::BASE, Sample::LEN), (8, 12));
    }

    #[test]
    fn both_levels_are_written_and_read() {
        let sample = Sample {
            a: 1,
            b: 0x0203,
            name: "AB".into(),
            more: 7,
            ..Sample::default()
        };
        let mut out = [0xff; 12];
        assert_eq!(sample.put(Level::Base, &mut out), Some(8));
        assert_eq!(
            out,
            [1, 0, 2, 3, 0xc1, 0xc2, 0x40, 0x40, 255, 255, 255, 255]
        );
        let base = Sample::take(&out[..8]);
        assert_eq!(base, Sample { more: 0, ..sample });
        // A section that is longer, but not by what we appended, has an unknown tail.
        assert_eq!(Sample::take(&out[..11]), base);
        assert_eq!(sample.put(Level::Extended, &mut out), Some(12));
        assert_eq!(Sample::take(&out), sample);
        assert_eq!(sample.put(Level::Extended, &mut out[..11]), None);
        assert_eq!(sample.put(Level::Base, &mut out[..7]), None);
        // A field that is cut has no value.
        let short = Sample::take(&out[..6]);
        assert_eq!((short.b, short.name), (0x0203, crate::Text::default()));
        assert_eq!(Sample::take(&out[..3]).b, 0);
        assert_eq!(Sample::take(&[]), Sample::default());
    }

    #[test]
    fn ipv4_stands_in_the_first_four_bytes() {
        let v4: IpAddr = "192.0.2.10".parse().unwrap();
        let address = Address::from(v4);
        assert_eq!(address.0[..5], [192, 0, 2, 10, 0]);
        assert_eq!((address.ip(false), address.guess()), (v4, v4));
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(
            (Address::from(v6).ip(true), Address::from(v6).guess()),
            (v6, v6)
        );
        let mapped = Address("::ffff:192.0.2.10".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(
            (mapped.ip(false), mapped.ip(true), mapped.guess()),
            (v4, v4, v4)
        );
    }
}
