//! Single words: numbers, addresses, times, names.

use core::net::{IpAddr, Ipv6Addr};

use super::DateTime;
use super::read::MistakeKind;
use crate::schema::Family;

pub(super) fn number(word: &str, min: u32, max: u32) -> Result<u32, MistakeKind> {
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

pub(super) fn address(word: &str, family: Family) -> Result<IpAddr, MistakeKind> {
    let address: IpAddr = word.parse().map_err(|_| MistakeKind::Bad)?;
    match (family, address) {
        (Family::V4, IpAddr::V6(_)) | (Family::V6, IpAddr::V4(_)) => Err(MistakeKind::Family),
        (Family::Unmapped, a) if is_mapped(a) => Err(MistakeKind::Mapped),
        (Family::Any | Family::Unmapped | Family::V4 | Family::V6, a) => Ok(a),
    }
}

pub(super) fn prefix(word: &str, family: Family) -> Result<(IpAddr, u8), MistakeKind> {
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

pub(super) fn addresses(
    first: &str,
    last: &str,
    family: Family,
) -> Result<(IpAddr, IpAddr), MistakeKind> {
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

pub(super) fn instants(word: &str) -> Result<(DateTime, DateTime), MistakeKind> {
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

pub(super) fn time_of_day(text: &str) -> Result<u16, MistakeKind> {
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
