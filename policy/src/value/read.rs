//! From words to atoms.

use super::scalar::{address, addresses, instants, name, number, prefix, time_of_day};
use super::{Atom, Placed};
use crate::schema::{Choice, Shape, Value};
use alloc::vec::Vec;

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
    match value.shape() {
        Shape::Sequence(values) => {
            for value in values {
                read(value, words, out, skipped)?;
            }
            return Ok(());
        }
        Shape::Optional(inner) => {
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
        Shape::OneOf(values) => {
            let Some(word) = words.peek() else {
                return Err(missing(words, value));
            };
            return match values.iter().find(|v| v.fits(word.0)) {
                Some(v) => read(v, words, out, skipped),
                None => Err(Mistake::new(fits_none(values, word.0), word, value)),
            };
        }
        Shape::List(inner) => return read_list(value, inner, words, out, skipped),
        Shape::Plain | Shape::Choices(_) => {}
    }
    if matches!(value, Value::Nothing) {
        return Ok(());
    }
    if matches!(value, Value::Hours) {
        return read_hours(value, words, out);
    }
    if matches!(value, Value::Rest(_)) {
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
        | Value::List(_)
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
fn fits_none(values: &[Value], word: &str) -> MistakeKind {
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

fn read_list<'a>(
    value: &'static Value,
    inner: &'static Value,
    words: &mut Cursor<'a>,
    out: &mut Vec<Placed<'a>>,
    skipped: &mut Skipped,
) -> Result<(), Mistake> {
    let before = out.len();
    while let Some(word) = words.next() {
        let mut start = word.1;
        for part in word.0.split_inclusive(',') {
            let text = part.trim_end_matches(',');
            let at = start;
            start += length(part);
            if text.is_empty() {
                continue;
            }
            let mut one = Cursor::new(words.text, at, at + length(text));
            read(inner, &mut one, out, skipped)?;
        }
    }
    if out.len() == before {
        return Err(missing(words, value));
    }
    Ok(())
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

/// The choices among which a word was looked for, for a hint.
pub(crate) fn choices(value: &'static Value, out: &mut Vec<&'static Choice>) {
    match value.shape() {
        Shape::Plain => {}
        Shape::Choices(choices) => out.extend(choices),
        Shape::OneOf(values) => values.iter().for_each(|v| choices(v, out)),
        Shape::Sequence(values) => values.iter().take(1).for_each(|v| choices(v, out)),
        Shape::Optional(inner) | Shape::List(inner) => choices(inner, out),
    }
}

/// The keywords that may follow the words of a line. Tells whether the value could end there.
pub(crate) fn follow(
    value: &'static Value,
    words: &mut Cursor<'_>,
    out: &mut Vec<&'static Choice>,
) -> bool {
    match value.shape() {
        Shape::Sequence(values) => {
            for value in values {
                if !follow(value, words, out) {
                    return false;
                }
            }
            true
        }
        Shape::Optional(inner) => match words.peek() {
            Some((word, _)) if inner.fits(word) => follow(inner, words, out),
            Some(_) => true,
            None => {
                follow(inner, words, out);
                true
            }
        },
        Shape::List(inner) => {
            let mut any = false;
            while words.next().is_some() {
                any = true;
            }
            choices(inner, out);
            any
        }
        Shape::OneOf(values) => match words.peek() {
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
        Shape::Choices(list) => match words.next() {
            Some((word, _)) => list
                .iter()
                .find(|c| c.is(word))
                .is_some_and(|c| follow(c.then, words, out)),
            None => {
                out.extend(list.iter());
                false
            }
        },
        Shape::Plain => matches!(value, Value::Nothing) || words.next().is_some(),
    }
}
