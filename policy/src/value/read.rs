//! From words to atoms.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use super::{Atom, DateTime, Placed};
use crate::schema::{Choice, Family, Value};

/// The words of a line: what stands between blanks and tabs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    /// The whole text.
    text: &'a str,
    at: u32,
    end: u32,
}

/// A word and where it begins.
pub(crate) type Word<'a> = (&'a str, u32);

pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

impl<'a> Cursor<'a> {
    /// Over bytes `at..end` of a text.
    pub(crate) const fn new(text: &'a str, at: u32, end: u32) -> Self {
        Self { text, at, end }
    }

    fn skip_blanks(&mut self) -> &'a str {
        let rest = self
            .text
            .get(self.at as usize..self.end as usize)
            .unwrap_or_default();
        let trimmed = rest.trim_start_matches(|c: char| c.is_ascii() && is_blank(c as u8));
        self.at = self.end - length(trimmed);
        trimmed
    }

    /// The next word.
    pub(crate) fn next(&mut self) -> Option<Word<'a>> {
        let rest = self.skip_blanks();
        let end = rest.bytes().position(is_blank).unwrap_or(rest.len());
        let word = rest.get(..end).filter(|w| !w.is_empty())?;
        let at = self.at;
        self.at += length(word);
        Some((word, at))
    }

    pub(crate) fn peek(&self) -> Option<Word<'a>> {
        let mut copy = *self;
        copy.next()
    }

    /// All that is left, without blanks around it.
    pub(crate) fn rest(&mut self) -> Word<'a> {
        let rest = self.skip_blanks();
        let rest = rest.trim_end_matches(|c: char| c.is_ascii() && is_blank(c as u8));
        let at = self.at;
        self.at = self.end;
        (rest, at)
    }

    /// Where it stands.
    pub(crate) const fn at(&self) -> u32 {
        self.at
    }
}

/// The length of a piece of a text whose places fit 32 bits.
pub(crate) fn length(text: &str) -> u32 {
    u32::try_from(text.len()).unwrap_or(u32::MAX)
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MistakeKind {
    Missing,
    Bad,
    UnknownChoice,
    /// A number outside `min..=max`.
    OutOfRange {
        min: u32,
        max: u32,
    },
    Inverted,
    /// The delimiter of ranges is another, or two are mixed.
    Delimiter,
    /// An address of another version than expected.
    Family,
    /// Two ends of different versions.
    MixedFamilies,
    PrefixLength {
        max: u8,
    },
    Mapped,
    /// A mask of another length.
    MaskLength {
        length: u32,
    },
    /// A date or time of day that does not exist.
    NoSuchTime,
    NameTooLong,
    BadName,
    /// A number that is followed by letters, as `10m` or `1h`.
    Unit,
}

/// A mistake, where it stands and what was expected there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mistake {
    pub(crate) kind: MistakeKind,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) expected: &'static Value,
}

impl Mistake {
    fn new(kind: MistakeKind, (word, start): Word<'_>, expected: &'static Value) -> Self {
        Self {
            kind,
            start,
            end: start.saturating_add(length(word)),
            expected,
        }
    }
}

/// What was left out: an optional value that the next word did not fit.
pub(crate) type Skipped = Option<&'static Value>;

/// Reads a value. `skipped` becomes the last optional value that was not there.
pub(crate) fn read<'a>(
    value: &'static Value,
    words: &mut Cursor<'a>,
    out: &mut Vec<Placed<'a>>,
    skipped: &mut Skipped,
) -> Result<(), Mistake> {
    match value {
        Value::Nothing => return Ok(()),
        Value::Sequence(values) => {
            for value in *values {
                read(value, words, out, skipped)?;
            }
            return Ok(());
        }
        Value::Optional(inner) => {
            return match words.peek() {
                Some((word, _)) if inner.fits(word) => {
                    *skipped = None;
                    read(inner, words, out, skipped)
                }
                _ => {
                    *skipped = Some(inner);
                    Ok(())
                }
            };
        }
        Value::OneOf(values) => {
            let Some(word) = words.peek() else {
                return Err(missing(words, value));
            };
            return match values.iter().find(|v| v.fits(word.0)) {
                Some(v) => read(v, words, out, skipped),
                // With a single kind of value beside keywords its message is more to the point.
                None => Err(Mistake::new(shape(values, word.0), word, value)),
            };
        }
        Value::Rest(_) => {
            let (text, start) = words.rest();
            if text.is_empty() {
                return Err(missing(words, value));
            }
            out.push(Placed {
                atom: Atom::Text(text),
                start,
                end: start + length(text),
            });
            return Ok(());
        }
        Value::Hours => return read_hours(value, words, out),
        _ => {}
    }
    let Some(word) = words.next() else {
        return Err(missing(words, value));
    };
    let start = word.1;
    let mistake = |kind| Err(Mistake::new(kind, word, value));
    let atom = match value {
        Value::Choice(choices) => {
            let Some(choice) = choices.iter().find(|c| c.is(word.0)) else {
                return mistake(MistakeKind::UnknownChoice);
            };
            out.push(Placed {
                atom: Atom::Keyword(choice),
                start,
                end: words.at(),
            });
            return read(choice.then, words, out, skipped);
        }
        Value::Number { min, max, .. } => match number(word.0, *min, *max) {
            Ok(n) => Atom::Number(n),
            Err(kind) => return mistake(kind),
        },
        Value::Range { min, max, .. } => {
            let (first, last) = read_range(value, word, *min, *max, words)?;
            Atom::Range { first, last }
        }
        Value::Address(family) => match address(word.0, *family) {
            Ok(a) => Atom::Address(a),
            Err(kind) => return mistake(kind),
        },
        Value::Prefix(family) => match prefix(word.0, *family) {
            Ok((address, length)) => Atom::Prefix { address, length },
            Err(kind) => return mistake(kind),
        },
        Value::Addresses(family) => {
            let range = word.0.split_once('-');
            let Some((first, last)) = range else {
                let spaced = words.peek().is_some_and(|(w, _)| w.starts_with('-'));
                let delimiter = spaced || word.0.matches('.').count() > 3;
                return mistake(if delimiter {
                    MistakeKind::Delimiter
                } else {
                    MistakeKind::Bad
                });
            };
            match addresses(first, last, *family) {
                Ok((first, last)) => Atom::Addresses { first, last },
                Err(kind) => return mistake(kind),
            }
        }
        Value::Mask(lengths) => {
            let length = length(word.0);
            if word.0.bytes().any(|b| !matches!(b, b'0' | b'1')) {
                return mistake(MistakeKind::Bad);
            }
            let Some(length) = lengths.iter().find(|l| u32::from(**l) == length) else {
                return mistake(MistakeKind::MaskLength { length });
            };
            let digits = word.0.bytes().take(64).enumerate();
            let bits = digits.fold(0, |m, (i, b)| m | (u64::from(b == b'1') << i));
            Atom::Mask {
                bits,
                length: *length,
            }
        }
        Value::Instants => match instants(word.0) {
            Ok((from, to)) => Atom::Instants { from, to },
            Err(kind) => return mistake(kind),
        },
        Value::Name => match name(word.0) {
            Ok(()) => Atom::Name(word.0),
            Err(kind) => return mistake(kind),
        },
        Value::Path => {
            if !value.fits(word.0) {
                return mistake(MistakeKind::Bad);
            }
            Atom::Path(word.0)
        }
        Value::Word(_) => Atom::Word(word.0),
        Value::Hex => {
            let digits = word
                .0
                .strip_prefix("0x")
                .or_else(|| word.0.strip_prefix("0X"));
            let digits = digits.unwrap_or(word.0);
            let hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
            if !hex || digits.len() % 2 != 0 {
                return mistake(MistakeKind::Bad);
            }
            Atom::Hex(digits)
        }
        Value::Nothing
        | Value::Hours
        | Value::Rest(_)
        | Value::Sequence(_)
        | Value::Optional(_)
        | Value::OneOf(_) => return Ok(()),
    };
    out.push(Placed {
        atom,
        start,
        end: words.at(),
    });
    Ok(())
}

/// Reads a value that is the whole text, without places: for defaults.
pub(crate) fn read_all(value: &'static Value, text: &'static str) -> Option<Vec<Atom<'static>>> {
    let mut words = Cursor::new(text, 0, length(text));
    let mut out = Vec::new();
    read(value, &mut words, &mut out, &mut None).ok()?;
    words.peek().is_none().then_some(())?;
    Some(out.into_iter().map(|p| p.atom).collect())
}

fn missing(words: &Cursor<'_>, expected: &'static Value) -> Mistake {
    Mistake::new(MistakeKind::Missing, ("", words.at()), expected)
}

/// What is wrong with a word that fits none of several kinds.
fn shape(values: &[Value], word: &str) -> MistakeKind {
    let has = |f: fn(&Value) -> bool| values.iter().any(f);
    if has(|v| matches!(v, Value::Choice(_)))
        && (word.starts_with(|c: char| c.is_ascii_alphabetic())
            || values.iter().all(|v| matches!(v, Value::Choice(_))))
    {
        MistakeKind::UnknownChoice
    } else {
        MistakeKind::Bad
    }
}

fn number(word: &str, min: u32, max: u32) -> Result<u32, MistakeKind> {
    if word.is_empty() || !word.bytes().all(|b| b.is_ascii_digit()) {
        let unit = word.starts_with(|c: char| c.is_ascii_digit())
            && word.ends_with(|c: char| c.is_ascii_alphabetic())
            && word.bytes().all(|b| b.is_ascii_alphanumeric());
        return Err(if unit {
            MistakeKind::Unit
        } else {
            MistakeKind::Bad
        });
    }
    match word.parse() {
        Ok(n) if (min..=max).contains(&n) => Ok(n),
        _ => Err(MistakeKind::OutOfRange { min, max }),
    }
}

fn read_range(
    value: &'static Value,
    word: Word<'_>,
    min: u32,
    max: u32,
    words: &mut Cursor<'_>,
) -> Result<(u32, u32), Mistake> {
    let at = |kind, word| Mistake::new(kind, word, value);
    let is_delimiter = |c| matches!(c, '-' | ':');
    let (first, last) = match word.0.split_once(is_delimiter) {
        Some((first, last)) => {
            let spaced = words.peek().is_some_and(|(w, _)| {
                w.starts_with(|c: char| is_delimiter(c) || c.is_ascii_digit())
            });
            if last.contains(is_delimiter) || last.is_empty() || spaced {
                return Err(at(MistakeKind::Delimiter, word));
            }
            let first = number(first, min, max).map_err(|k| at(k, word))?;
            (first, number(last, min, max).map_err(|k| at(k, word))?)
        }
        None => {
            let first = number(word.0, min, max).map_err(|k| at(k, word))?;
            match words.peek() {
                Some((next, _)) if next.starts_with(|c: char| c.is_ascii_digit()) => {
                    let Some(next) = words.next() else {
                        return Ok((first, first));
                    };
                    if next.0.contains(is_delimiter) {
                        return Err(at(MistakeKind::Delimiter, next));
                    }
                    (first, number(next.0, min, max).map_err(|k| at(k, next))?)
                }
                Some(next) if next.0.starts_with(is_delimiter) => {
                    return Err(at(MistakeKind::Delimiter, next));
                }
                _ => (first, first),
            }
        }
    };
    if first > last {
        let end = words.at();
        let mut mistake = at(MistakeKind::Inverted, word);
        mistake.end = end;
        return Err(mistake);
    }
    Ok((first, last))
}

/// IPv4-mapped addresses and `::/96` other than `::` and `::1` themselves.
fn is_mapped(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(a) => {
            let compatible = a.segments().iter().take(6).all(|s| *s == 0);
            a.to_ipv4_mapped().is_some()
                || compatible && a != Ipv6Addr::UNSPECIFIED && a != Ipv6Addr::LOCALHOST
        }
    }
}

fn address(word: &str, family: Family) -> Result<IpAddr, MistakeKind> {
    let address: IpAddr = word.parse().map_err(|_| MistakeKind::Bad)?;
    match (family, address) {
        (Family::V4, IpAddr::V6(_)) | (Family::V6, IpAddr::V4(_)) => Err(MistakeKind::Family),
        (Family::Unmapped, a) if is_mapped(a) => Err(MistakeKind::Mapped),
        (Family::Any | Family::Unmapped | Family::V4 | Family::V6, a) => Ok(a),
    }
}

fn prefix(word: &str, family: Family) -> Result<(IpAddr, u8), MistakeKind> {
    let (first, length) = word.split_once('/').ok_or(MistakeKind::Bad)?;
    let address = address(first, family)?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return Err(MistakeKind::Bad);
    }
    match length.parse::<u8>() {
        Ok(l) if l <= max => Ok((address, l)),
        _ => Err(MistakeKind::PrefixLength { max }),
    }
}

fn addresses(first: &str, last: &str, family: Family) -> Result<(IpAddr, IpAddr), MistakeKind> {
    let (first, last) = (address(first, family)?, address(last, family)?);
    if first.is_ipv4() != last.is_ipv4() {
        Err(MistakeKind::MixedFamilies)
    } else if first > last {
        Err(MistakeKind::Inverted)
    } else {
        Ok((first, last))
    }
}

fn digits(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn small(text: Option<&str>) -> Option<u8> {
    text.and_then(digits).and_then(|n| n.try_into().ok())
}

fn instant(text: &str) -> Result<DateTime, MistakeKind> {
    if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(MistakeKind::Bad);
    }
    let parts = || {
        Some(DateTime {
            year: digits(text.get(..4)?)?,
            month: small(text.get(4..6))?,
            day: small(text.get(6..8))?,
            hour: small(text.get(8..10))?,
            minute: small(text.get(10..12))?,
            second: small(text.get(12..14))?,
        })
    };
    let t = parts().ok_or(MistakeKind::Bad)?;
    let leap = t.year % 4 == 0 && (t.year % 100 != 0 || t.year % 400 == 0);
    let days = match t.month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    let midnight = t.hour == 24 && t.minute == 0 && t.second == 0;
    let exists =
        (1..=days).contains(&t.day) && (t.hour < 24 || midnight) && t.minute < 60 && t.second < 60;
    if exists {
        Ok(t)
    } else {
        Err(MistakeKind::NoSuchTime)
    }
}

fn instants(word: &str) -> Result<(DateTime, DateTime), MistakeKind> {
    let Some((from, to)) = word.split_once(':') else {
        return Err(if word.contains('-') {
            MistakeKind::Delimiter
        } else {
            MistakeKind::Bad
        });
    };
    let (from, to) = (instant(from)?, instant(to)?);
    if from > to {
        Err(MistakeKind::Inverted)
    } else {
        Ok((from, to))
    }
}

fn time_of_day(text: &str) -> Result<u16, MistakeKind> {
    let (hour, minute) = text.split_once(':').ok_or(MistakeKind::Bad)?;
    let well_formed = (1..=2).contains(&hour.len()) && minute.len() == 2;
    let (Some(hour), Some(minute)) = (digits(hour), digits(minute)) else {
        return Err(MistakeKind::Bad);
    };
    if !well_formed {
        return Err(MistakeKind::Bad);
    }
    match (hour, minute) {
        (0..24, 0..60) | (24, 0) => Ok(hour * 60 + minute),
        _ => Err(MistakeKind::NoSuchTime),
    }
}

fn read_hours<'a>(
    value: &'static Value,
    words: &mut Cursor<'a>,
    out: &mut Vec<Placed<'a>>,
) -> Result<(), Mistake> {
    let Some(mut word) = words.next() else {
        return Err(missing(words, value));
    };
    loop {
        let mut start = word.1;
        for part in word.0.split_inclusive(',') {
            let text = part.trim_end_matches(',');
            let at = start;
            start += length(part);
            if text.is_empty() {
                continue;
            }
            let mistake = |kind| Mistake::new(kind, (text, at), value);
            let (from, to) = text
                .split_once('-')
                .ok_or_else(|| mistake(MistakeKind::Bad))?;
            let from = time_of_day(from).map_err(mistake)?;
            let to = time_of_day(to).map_err(mistake)?;
            if from == 24 * 60 {
                return Err(mistake(MistakeKind::NoSuchTime));
            }
            out.push(Placed {
                atom: Atom::Hours { from, to },
                start: at,
                end: at + length(text),
            });
        }
        match words.peek() {
            Some((next, _)) if value.fits(next) || next.starts_with(',') => match words.next() {
                Some(next) => word = next,
                None => return Ok(()),
            },
            _ => return Ok(()),
        }
    }
}

/// z/OS: 1–32 characters, no leading `-`, no `,` (both are selection syntax of commands).
pub(crate) fn name(word: &str) -> Result<(), MistakeKind> {
    if word.starts_with('-') || word.contains(',') || word.is_empty() {
        Err(MistakeKind::BadName)
    } else if word.len() > 32 && word.chars().nth(32).is_some() {
        Err(MistakeKind::NameTooLong)
    } else {
        Ok(())
    }
}

/// The choices among which a word was looked for, for a hint.
pub(crate) fn choices(value: &'static Value, out: &mut Vec<&'static Choice>) {
    match value {
        Value::Choice(choices) => out.extend(choices.iter()),
        Value::OneOf(values) => values.iter().for_each(|v| choices(v, out)),
        Value::Sequence(values) => {
            if let Some(first) = values.first() {
                choices(first, out);
            }
        }
        Value::Optional(inner) => choices(inner, out),
        _ => {}
    }
}

/// The keywords that may follow the words of a line. Tells whether the value could end there.
pub(crate) fn follow(
    value: &'static Value,
    words: &mut Cursor<'_>,
    out: &mut Vec<&'static Choice>,
) -> bool {
    match value {
        Value::Sequence(values) => {
            for value in *values {
                if !follow(value, words, out) {
                    return false;
                }
            }
            true
        }
        Value::Optional(inner) => match words.peek() {
            Some((word, _)) if inner.fits(word) => follow(inner, words, out),
            Some(_) => true,
            None => {
                follow(inner, words, out);
                true
            }
        },
        Value::OneOf(values) => match words.peek() {
            Some((word, _)) => values
                .iter()
                .find(|v| v.fits(word))
                .is_some_and(|v| follow(v, words, out)),
            None => {
                values.iter().for_each(|v| {
                    follow(v, words, out);
                });
                false
            }
        },
        Value::Choice(list) => match words.next() {
            Some((word, _)) => list
                .iter()
                .find(|c| c.is(word))
                .is_some_and(|c| follow(c.then, words, out)),
            None => {
                out.extend(list.iter());
                false
            }
        },
        Value::Nothing => true,
        _ => words.next().is_some(),
    }
}
