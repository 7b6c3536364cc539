//! A bounded reader and a small writer of DER (X.690), for names, certificates and identifiers of algorithms.
//!
//! Only what DER allows is read: definite lengths in their shortest form, tags of one octet. Nothing recurses,
//! nothing is allocated while reading, and every step takes at least two octets, so every loop ends.

use alloc::vec::Vec;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0C;
pub(crate) const NUMERIC_STRING: u8 = 0x12;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const TELETEX_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const VISIBLE_STRING: u8 = 0x1A;
pub(crate) const UNIVERSAL_STRING: u8 = 0x1C;
pub(crate) const BMP_STRING: u8 = 0x1E;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// Values one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Der<'a>(pub(crate) &'a [u8]);

/// One value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    /// The contents.
    pub(crate) value: &'a [u8],
    /// With tag and length.
    pub(crate) whole: &'a [u8],
}

impl<'a> Der<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next value; nothing at the end, and for what is not DER.
    pub(crate) fn next(&mut self) -> Option<Element<'a>> {
        let start = self.0;
        let (&[tag, first], rest) = start.split_first_chunk::<2>()?;
        if tag & 0x1F == 0x1F {
            return None;
        }
        let (len, rest) = match first {
            0..=0x7F => (usize::from(first), rest),
            // X.690 §10.1: the shortest form.
            0x81 => {
                let (&[a], rest) = rest.split_first_chunk::<1>()?;
                (usize::from((a >= 0x80).then_some(a)?), rest)
            }
            0x82 => {
                let (a, rest) = rest.split_first_chunk::<2>()?;
                let len = u16::from_be_bytes(*a);
                (usize::from((len >= 0x100).then_some(len)?), rest)
            }
            0x83 => {
                let (&[a, b, c], rest) = rest.split_first_chunk::<3>()?;
                let len = u32::from_be_bytes([0, a, b, c]);
                ((len >= 0x1_0000).then_some(len)? as usize, rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(len)?;
        self.0 = rest;
        let whole = start.get(..start.len() - rest.len())?;
        Some(Element { tag, value, whole })
    }

    /// The next value, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// The next value if it has this tag; otherwise it stays.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.expect(tag)?;
        *self = ahead;
        Some(element)
    }
}

/// The contents of the one value that this is, with nothing behind it.
pub(crate) fn only(tag: u8, octets: &[u8]) -> Option<&[u8]> {
    let mut der = Der(octets);
    let element = der.expect(tag)?;
    der.is_empty().then_some(element.value)
}

/// Appends a value.
pub(crate) fn write(tag: u8, contents: &[u8], to: &mut Vec<u8>) {
    to.push(tag);
    let [.., b, c, d] = (contents.len() as u32).to_be_bytes();
    match contents.len() {
        0..0x80 => to.push(d),
        0x80..0x100 => to.extend([0x81, d]),
        0x100..0x1_0000 => to.extend([0x82, c, d]),
        _ => to.extend([0x83, b, c, d]),
    }
    to.extend_from_slice(contents);
}

/// A value as octets of its own.
pub(crate) fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut to = Vec::with_capacity(contents.len() + 5);
    write(tag, contents, &mut to);
    to
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn what_is_written_is_read() {
        for len in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000] {
            let der = wrap(OCTET_STRING, &vec![7; len]);
            assert_eq!(only(OCTET_STRING, &der), Some(&vec![7; len][..]));
            assert_eq!(only(SEQUENCE, &der), None);
            assert_eq!(only(OCTET_STRING, &der[..der.len() - 1]), None);
            let mut longer = der.clone();
            longer.push(0);
            assert_eq!(only(OCTET_STRING, &longer), None);
            assert_eq!(Der(&longer).next().unwrap().whole, &der);
        }
    }

    #[test]
    fn only_the_shortest_form_is_read() {
        for bad in [
            &[4, 0x81, 1, 0][..],
            &[4, 0x80, 0, 0],
            &[4, 0x82, 0, 1, 0],
            &[4, 0x84, 0, 0, 0, 1, 0],
            &[0x1F, 1, 0],
            &[4],
            &[],
        ] {
            assert!(Der(bad).next().is_none(), "{bad:?}");
        }
    }
}
