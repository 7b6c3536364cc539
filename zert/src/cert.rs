//! The few fields of an X.509 certificate that a record shows, read with a bounded DER reader.
//!
//! Nothing is verified here: the bytes are what one side sent. Lengths are never trusted, only
//! checked; no recursion, no allocation.

use core::fmt::Write as _;

use crate::fingerprint;
use crate::record::{Certificate, Oid};
use crate::text::{CertTime, Hex, Text};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xA0;

/// DER values in a row (X.690).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value: its tag and contents. `None` at the end and for anything that is no
    /// definite-length single-byte-tag encoding within the bytes at hand.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        if tag & 0x1F == 0x1F {
            return None;
        }
        let (&first, mut rest) = rest.split_first()?;
        let mut len = usize::from(first & 0x7F);
        if first & 0x80 != 0 {
            if len == 0 || len > 4 {
                return None;
            }
            let (bytes, after) = rest.split_at_checked(len)?;
            len = 0;
            for b in bytes {
                len = len.checked_mul(256)?.checked_add((*b).into())?;
            }
            rest = after;
        }
        let (value, after) = rest.split_at_checked(len)?;
        self.0 = after;
        Some((tag, value))
    }

    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (t, value) = self.next()?;
        (t == tag).then_some(value)
    }
}

/// What is read of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields<'a> {
    /// Contents of the serial number.
    pub(crate) serial: &'a [u8],
    /// Contents of the issuer's and the subject's `RDNSequence`.
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    pub(crate) not_after: Option<CertTime>,
    /// Contents of the identifiers of the signature's and the key's algorithm; empty when they
    /// cannot be read.
    pub(crate) signature: &'a [u8],
    pub(crate) key: &'a [u8],
    /// Contents of the identifier of the key's named curve.
    pub(crate) curve: &'a [u8],
    /// Length of the key in bits, 0 when it cannot be told.
    pub(crate) key_bits: u16,
}

/// RFC 5280 §4.1: a `TBSCertificate` as far as the key.
pub(crate) fn parse(der: &[u8]) -> Option<Fields<'_>> {
    let cert = Der(der).expect(SEQUENCE)?;
    let mut tbs = Der(Der(cert).expect(SEQUENCE)?);
    let (mut tag, mut value) = tbs.next()?;
    if tag == VERSION {
        (tag, value) = tbs.next()?;
    }
    if tag != INTEGER {
        return None;
    }
    let serial = value;
    let signature = Der(tbs.expect(SEQUENCE)?).expect(OID).unwrap_or_default();
    let issuer = tbs.expect(SEQUENCE)?;
    let mut validity = Der(tbs.expect(SEQUENCE)?);
    validity.next()?;
    let not_after = validity.next().and_then(|(tag, value)| time(tag, value));
    let subject = tbs.expect(SEQUENCE)?;
    let key = tbs.expect(SEQUENCE).and_then(key).unwrap_or_default();
    Some(Fields {
        serial,
        issuer,
        subject,
        not_after,
        signature,
        key: key.algorithm,
        curve: key.curve,
        key_bits: key.bits,
    })
}

#[derive(Clone, Copy, Default)]
struct Key<'a> {
    algorithm: &'a [u8],
    curve: &'a [u8],
    bits: u16,
}

/// RFC 5280 §4.1.2.7: algorithm, its parameters, and a bit string with the key.
fn key(info: &[u8]) -> Option<Key<'_>> {
    const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
    const RSA_PSS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10];
    const DSA: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x38, 4, 1];
    const EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
    let mut info = Der(info);
    let mut head = Der(info.expect(SEQUENCE)?);
    let algorithm = head.expect(OID)?;
    let parameters = head.next();
    let bits = info.expect(BIT_STRING).and_then(|b| b.split_first());
    let octets = bits.map_or(&[][..], |(_, octets)| octets);
    let (mut curve, mut length) = (&[][..], None);
    match algorithm {
        // RFC 3279 §2.3.1, RFC 4055 §1.2: the modulus comes first.
        RSA | RSA_PSS => {
            length = Der(octets)
                .expect(SEQUENCE)
                .and_then(|k| Der(k).expect(INTEGER))
                .map(size);
        }
        // RFC 3279 §2.3.2: the prime comes first in the parameters.
        DSA => {
            if let Some((SEQUENCE, p)) = parameters {
                length = Der(p).expect(INTEGER).map(size);
            }
        }
        // RFC 5480 §2.1.1, §2.2: a named curve; the point is 04 and two coordinates, or 02 or 03
        // and one.
        EC => {
            if let Some((OID, name)) = parameters {
                curve = name;
            }
            length = match (curve_bits(curve), octets) {
                (Some(bits), _) => Some(bits),
                (None, [4, both @ ..]) => Some(both.len() * 4),
                (None, [2 | 3, one @ ..]) => Some(one.len() * 8),
                (None, _) => None,
            };
        }
        // RFC 8410 §3, §4.
        [0x2B, 0x65, 0x70] => length = Some(256),
        [0x2B, 0x65, 0x71] => length = Some(456),
        // RFC 9881, RFC 9814 and others: what has no parameters is as long as its octets.
        _ if parameters.is_none() => length = Some(octets.len() * 8),
        _ => {}
    }
    Some(Key {
        algorithm,
        curve,
        bits: length
            .and_then(|bits| u16::try_from(bits).ok())
            .unwrap_or(0),
    })
}

/// Bits of a positive integer.
fn size(integer: &[u8]) -> usize {
    let zeros = integer.iter().take_while(|b| **b == 0).count();
    integer.get(zeros).map_or(0, |b| {
        (integer.len() - zeros) * 8 - b.leading_zeros() as usize
    })
}

/// RFC 5480 §2.1.1.1, RFC 5639 §4.1: field sizes of named curves that are no multiple of eight
/// bits or whose points may be compressed.
const fn curve_bits(curve: &[u8]) -> Option<usize> {
    Some(match curve {
        [0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 1] => 192,
        [0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7] => 256,
        [0x2B, 0x81, 4, 0, 33] => 224,
        [0x2B, 0x81, 4, 0, 34] => 384,
        [0x2B, 0x81, 4, 0, 35] => 521,
        [0x2B, 0x81, 4, 0, 10] => 256,
        _ => return None,
    })
}

/// Fills what is not known of a certificate yet from its encoding. `false` when that could not be
/// read, or not all fitted.
pub(crate) fn fill(der: &[u8], to: &mut Certificate) -> Filled {
    to.sha256 = Some(Hex(fingerprint::sha256(der)));
    let Some(fields) = parse(der) else {
        return Filled {
            read: false,
            whole: true,
        };
    };
    let mut whole = true;
    to.not_after = to.not_after.or(fields.not_after);
    if !to.serial.is_known() {
        whole &= write_serial(fields.serial, &mut to.serial);
    }
    if !to.subject.is_known() {
        whole &= write_name(fields.subject, &mut to.subject);
    }
    if !to.issuer.is_known() {
        whole &= write_name(fields.issuer, &mut to.issuer);
    }
    to.signature = to.signature.or(Oid::of(fields.signature));
    to.key = to.key.or(Oid::of(fields.key));
    to.curve = to.curve.or(Oid::of(fields.curve));
    if to.key_bits == 0 {
        to.key_bits = fields.key_bits;
    }
    Filled { read: true, whole }
}

/// What came of [`fill`].
pub(crate) struct Filled {
    /// The encoding could be read.
    pub(crate) read: bool,
    /// All of what was read fitted.
    pub(crate) whole: bool,
}

/// Writes a serial number in upper-case hexadecimal. Says whether it fitted.
pub(crate) fn write_serial(serial: &[u8], out: &mut Text) -> bool {
    // A leading zero octet only keeps the number positive (X.690 §8.3).
    let digits = match serial {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    // RFC 5280 §4.1.2.2: at most 20 octets; some have more.
    let (digits, rest) = digits.split_at_checked(64).unwrap_or((digits, &[]));
    out.clear();
    rest.is_empty() && digits.iter().all(|b| write!(out, "{b:02X}").is_ok())
}

/// RFC 5280 §4.1.2.5: `YYMMDDHHMMSSZ` (50 and above are 19xx) or `YYYYMMDDHHMMSSZ`. Old
/// certificates leave the seconds out or carry an offset; then the offset is applied.
fn time(tag: u8, value: &[u8]) -> Option<CertTime> {
    fn two(b: &mut &[u8]) -> Option<u8> {
        let (&[a, c], rest) = b.split_first_chunk::<2>()?;
        if !a.is_ascii_digit() || !c.is_ascii_digit() {
            return None;
        }
        *b = rest;
        Some((a - b'0') * 10 + (c - b'0'))
    }
    let mut b = value;
    let year = match tag {
        UTC_TIME => {
            let yy = u16::from(two(&mut b)?);
            if yy >= 50 { 1900 + yy } else { 2000 + yy }
        }
        GENERALIZED_TIME => u16::from(two(&mut b)?) * 100 + u16::from(two(&mut b)?),
        _ => return None,
    };
    let (month, day, hour, minute) = (two(&mut b)?, two(&mut b)?, two(&mut b)?, two(&mut b)?);
    let second = two(&mut b).unwrap_or(0);
    if let [b'.', rest @ ..] = b {
        let digits = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        b = rest.get(digits..).unwrap_or_default();
    }
    let valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60
        && b == b"Z";
    valid.then_some(CertTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
    })
}

/// Writes a name as RFC 4514 says: the last relative name first, `,` between them, `+` within
/// one. Types without a short name there are written as object identifiers, their values still as
/// text. Says whether all fitted.
pub(crate) fn write_name(name: &[u8], out: &mut Text) -> bool {
    /// Names with more parts than this are cut: real ones have fewer than 20.
    const PARTS: usize = 64;
    out.clear();
    let mut sets = [&[][..]; PARTS];
    let mut count = 0;
    let mut all = true;
    let mut der = Der(name);
    while let Some((SET, set)) = der.next() {
        match sets.get_mut(count) {
            Some(place) => {
                *place = set;
                count += 1;
            }
            None => all = false,
        }
    }
    all &= der.0.is_empty();
    // An empty name is known to be empty.
    all &= out.push_str("");
    for (i, set) in sets.iter().take(count).rev().enumerate() {
        if i > 0 {
            all &= out.push(',');
        }
        all &= write_relative(set, out);
    }
    all
}

fn write_relative(set: &[u8], out: &mut Text) -> bool {
    let mut set = Der(set);
    let mut all = true;
    let mut first = true;
    while let Some((SEQUENCE, pair)) = set.next() {
        let mut pair = Der(pair);
        let (Some(oid), Some((tag, value))) = (pair.expect(OID), pair.next()) else {
            return false;
        };
        if !first {
            all &= out.push('+');
        }
        first = false;
        all &= write_type(oid, out) && out.push('=') && write_value(tag, value, out);
    }
    all && set.0.is_empty()
}

fn write_type(oid: &[u8], out: &mut Text) -> bool {
    // RFC 4514 §3: the types with a short name.
    let short = match oid {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "STREET",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 25] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xF2, 0x2C, 0x64, 1, 1] => "UID",
        _ => "",
    };
    if !short.is_empty() {
        return out.push_str(short);
    }
    let mut arc: u64 = 0;
    let mut first = true;
    for b in oid {
        arc = arc << 7 & !0x7F | u64::from(b & 0x7F);
        if b & 0x80 == 0 {
            let fits = if first {
                let top = (arc / 40).min(2);
                write!(out, "{top}.{}", arc - top * 40)
            } else {
                write!(out, ".{arc}")
            };
            if fits.is_err() {
                return false;
            }
            first = false;
            arc = 0;
        }
    }
    true
}

fn write_value(tag: u8, value: &[u8], out: &mut Text) -> bool {
    let mut w = Escaper {
        out,
        started: false,
        spaces: 0,
    };
    let all = match tag {
        // UTF8String; NumericString, PrintableString, IA5String, VisibleString are ASCII.
        0x0C | 0x12 | 0x13 | 0x16 | 0x1A => value.utf8_chunks().all(|c| {
            c.valid().chars().all(|c| w.push(c)) && (c.invalid().is_empty() || w.push('\u{FFFD}'))
        }),
        // TeletexString: in practice Latin-1.
        0x14 => value.iter().all(|b| w.push(char::from(*b))),
        // BMPString: UTF-16, big endian.
        0x1E => char::decode_utf16(crate::reader::u16s(value))
            .all(|c| w.push(c.unwrap_or(char::REPLACEMENT_CHARACTER))),
        // UniversalString: UTF-32, big endian.
        0x1C => value.as_chunks::<4>().0.iter().all(|b| {
            w.push(char::from_u32(u32::from_be_bytes(*b)).unwrap_or(char::REPLACEMENT_CHARACTER))
        }),
        // RFC 4514 §2.4: no string form, so `#` and the encoding in hexadecimal.
        _ => {
            let all = out.push('#') && write!(out, "{tag:02X}").is_ok();
            return all && value.iter().all(|b| write!(out, "{b:02X}").is_ok());
        }
    };
    all && w.finish()
}

/// RFC 4514 §2.4: which characters of a value need a backslash.
struct Escaper<'t> {
    out: &'t mut Text,
    started: bool,
    /// Blanks held back until it is known whether they are the last characters.
    spaces: usize,
}

impl Escaper<'_> {
    fn push(&mut self, c: char) -> bool {
        if c == ' ' && self.started {
            self.spaces += 1;
            return true;
        }
        let mut all = (0..self.spaces).all(|_| self.out.push(' '));
        self.spaces = 0;
        all &= match c {
            '\0' => self.out.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => self.out.push('\\') && self.out.push(c),
            '#' | ' ' if !self.started => self.out.push('\\') && self.out.push(c),
            c => self.out.push(c),
        };
        self.started = true;
        all
    }

    fn finish(self) -> bool {
        let inner = self.spaces.saturating_sub(1);
        (0..inner).all(|_| self.out.push(' ')) && (self.spaces == 0 || self.out.push_str("\\ "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
        let mut v = alloc::vec![tag];
        if value.len() < 128 {
            v.push(value.len() as u8);
        } else {
            v.extend([0x82, (value.len() >> 8) as u8, value.len() as u8]);
        }
        v.extend(value);
        v
    }

    fn rdn(parts: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        let pairs: Vec<u8> = parts
            .iter()
            .flat_map(|(oid, tag, value)| {
                tlv(SEQUENCE, &[tlv(OID, oid), tlv(*tag, value)].concat())
            })
            .collect();
        tlv(SET, &pairs)
    }

    fn name(rdns: &[Vec<u8>]) -> Option<alloc::string::String> {
        let mut t = Text::default();
        write_name(&rdns.concat(), &mut t).then(|| t.get().unwrap().into())
    }

    #[test]
    // RFC 4514 §2.1, §2.4 and §4: order, escapes, multi-valued names.
    fn names_follow_rfc_4514() {
        let cn: &[u8] = &[0x55, 4, 3];
        let ou: &[u8] = &[0x55, 4, 11];
        assert_eq!(
            name(&[
                rdn(&[(&[0x55, 4, 10], 0x13, b"Sue, Grabbit and Runn")]),
                rdn(&[(ou, 0x0C, b"Sales"), (cn, 0x0C, b" #J. Smith  ")]),
            ])
            .as_deref(),
            Some("OU=Sales+CN=\\ #J. Smith \\ ,O=Sue\\, Grabbit and Runn")
        );
        assert_eq!(name(&[]).as_deref(), Some(""));
        assert_eq!(
            name(&[rdn(&[(cn, 0x1E, &[0, b'L', 1, 0x0D])])]).as_deref(),
            Some("CN=L\u{10D}")
        );
        assert_eq!(
            name(&[rdn(&[(
                &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1],
                0x16,
                b"a@b"
            )])])
            .as_deref(),
            Some("1.2.840.113549.1.9.1=a@b")
        );
        assert_eq!(
            name(&[rdn(&[(cn, 0x03, &[0, 1])])]).as_deref(),
            Some("CN=#030001")
        );
    }

    #[test]
    fn hostile_lengths_are_refused() {
        for bad in [
            &[0x30, 0x80, 0, 0][..],
            &[0x30, 0x85, 1, 1, 1, 1, 1],
            &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0x3F, 0x01, 0x00],
            &[0x30],
            &[],
        ] {
            assert_eq!(parse(bad), None);
        }
    }

    #[test]
    // RFC 5280 §4.1.2.5: both time forms.
    fn times() {
        let t = |tag, s: &[u8]| time(tag, s).map(|t| alloc::format!("{t}"));
        assert_eq!(
            t(UTC_TIME, b"491231235959Z").as_deref(),
            Some("2049-12-31T23:59:59Z")
        );
        assert_eq!(
            t(UTC_TIME, b"500101000000Z").as_deref(),
            Some("1950-01-01T00:00:00Z")
        );
        assert_eq!(
            t(GENERALIZED_TIME, b"20510102030405Z").as_deref(),
            Some("2051-01-02T03:04:05Z")
        );
        assert_eq!(t(UTC_TIME, b"491331235959Z"), None);
        assert_eq!(t(UTC_TIME, b"4912312359"), None);
        assert_eq!(t(SET, b"491231235959Z"), None);
    }

    const SAMPLES: [&[u8]; 3] = [
        include_bytes!("../tests/data/plain.der"),
        include_bytes!("../tests/data/names.der"),
        include_bytes!("../tests/data/empty.der"),
    ];

    #[test]
    // RFC 5280 §4.1, §4.1.2.2; RFC 4514 §3: serial number, subject, validity.
    fn real_certificates() {
        let show = |der| {
            let fields = parse(der).unwrap();
            let (mut serial, mut subject) = (Text::default(), Text::default());
            assert!(write_serial(fields.serial, &mut serial));
            assert!(write_name(fields.subject, &mut subject));
            (serial, subject, fields.not_after.unwrap())
        };
        let [plain, names, empty] = SAMPLES.map(show);
        assert_eq!(plain.0.get(), Some("8F0102030405060708"));
        assert_eq!(
            plain.1.get(),
            Some(r#"CN=\ lead.example\ ,OU=\#one\+two,O=Lab \"q\"\; \<x\>,ST=A\, B,C=XX"#)
        );
        assert_eq!(
            names.1.get(),
            Some(
                "2.5.4.5=12,1.2.840.113549.1.9.1=a@b.example,CN=\u{fc}n\u{ef},\
                 OU=Zwei+O=B\u{fc}cher,DC=example"
            )
        );
        assert_eq!(alloc::format!("{}", names.2), "2081-08-25T08:56:30Z");
        assert_eq!(empty.1.get(), Some(""));
    }

    /// Where the well-known reader and this one both read a certificate they read the same, also
    /// in damaged ones.
    // RFC 5280 §4.1.2.7, RFC 3279 §2.3.1, §2.3.2, RFC 4055 §1.2, RFC 5480 §2.1.1, §2.1.1.1, §2.2, RFC 8410 §3, §4:
    // keys and their lengths, for each kind there is.
    #[test]
    fn agrees_with_another_reader() {
        use x509_parser::prelude::{FromDer, X509Certificate};
        use x509_parser::public_key::PublicKey;

        let check = |der: &[u8]| {
            let Ok((_, theirs)) = X509Certificate::from_der(der) else {
                return false;
            };
            // The other reader overlooks wrong classes of tags.
            let Some(ours) = parse(der) else {
                return false;
            };
            assert_eq!(ours.serial, theirs.raw_serial());
            // The other reader stops at the first damaged part of a name.
            let (_, raw) = theirs.subject().as_raw().split_at(2);
            assert!(ours.subject.starts_with(raw));
            let (_, raw) = theirs.issuer().as_raw().split_at(2);
            assert!(ours.issuer.starts_with(raw) || raw.len() > 127);
            if !ours.signature.is_empty() {
                let theirs = theirs.tbs_certificate.signature.algorithm.as_bytes();
                assert_eq!(ours.signature, theirs);
            }
            if !ours.key.is_empty() {
                let info = &theirs.tbs_certificate.subject_pki;
                assert_eq!(ours.key, info.algorithm.algorithm.as_bytes());
                let parameters = info.algorithm.parameters.as_ref();
                if let (false, Some(p)) = (ours.curve.is_empty(), parameters) {
                    assert_eq!(ours.curve, p.data);
                }
                if let Ok(PublicKey::RSA(rsa)) = info.parsed() {
                    // The other reader counts whole octets.
                    assert_eq!(
                        usize::from(ours.key_bits).next_multiple_of(8),
                        rsa.key_size()
                    );
                }
            }
            if let Some(t) = ours.not_after {
                let date = theirs.validity().not_after.to_datetime();
                assert_eq!(
                    (
                        i32::from(t.year),
                        t.month,
                        t.day,
                        t.hour,
                        t.minute,
                        t.second
                    ),
                    (
                        date.year(),
                        u8::from(date.month()),
                        date.day(),
                        date.hour(),
                        date.minute(),
                        date.second()
                    )
                );
            }
            true
        };
        assert!(SAMPLES.into_iter().all(check));
        arbtest::arbtest(|u| {
            let mut der = u.choose(&SAMPLES)?.to_vec();
            for _ in 0..u.int_in_range(1..=3)? {
                let at = u.choose_index(der.len())?;
                der[at] = u.arbitrary()?;
            }
            check(&der);
            Ok(())
        });
    }

    #[test]
    fn no_bytes_can_do_harm() {
        arbtest::arbtest(|u| {
            let mut der = u.choose(&SAMPLES)?.to_vec();
            der.truncate(u.arbitrary_len::<u8>()?.max(4));
            for _ in 0..8 {
                let at = u.choose_index(der.len())?;
                der[at] = u.arbitrary()?;
            }
            let mut t = Text::default();
            if let Some(f) = parse(&der) {
                write_serial(f.serial, &mut t);
                write_name(f.subject, &mut t);
            }
            write_name(&der, &mut t);
            Ok(())
        });
    }
}
