//! Times, dates and the TOD clock.
//!
//! Local times are hundredths of a second since midnight with a packed date; the clock of the
//! machine counts from 1900 in units of which bit 51 (from the left, 0 first) is a microsecond.
//! Leap seconds are left out of account, as on a system that is not told of them: a TOD value and
//! a UNIX time differ by a constant.

use core::fmt;

use crate::field::{Field, Kind};

/// Microseconds from 1900-01-01 to 1970-01-01.
const EPOCH: i64 = 2_208_988_800_000_000;

const DAY_MICROS: i64 = 86_400_000_000;

/// Hundredths of a second since local midnight: 0 to 8,639,999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "the number in the record")]
pub struct SmfTime(pub u32);

impl SmfTime {
    /// The last value of a day.
    pub const LAST: Self = Self(8_639_999);

    /// The time of day; `None` if one of the parts is out of range.
    ///
    /// ```
    /// use hostward_smf::SmfTime;
    /// assert_eq!(SmfTime::new(14, 30, 15, 25), Some(SmfTime(0x004f_ac95)));
    /// ```
    #[must_use]
    pub const fn new(hour: u8, minute: u8, second: u8, hundredths: u8) -> Option<Self> {
        if hour > 23 || minute > 59 || second > 59 || hundredths > 99 {
            return None;
        }
        let seconds = (hour as u32 * 60 + minute as u32) * 60 + second as u32;
        Some(Self(seconds * 100 + hundredths as u32))
    }

    /// Hour, minute, second, hundredths; `None` if the value is beyond the end of the day.
    #[must_use]
    pub const fn parts(self) -> Option<(u8, u8, u8, u8)> {
        if self.0 > Self::LAST.0 {
            return None;
        }
        let seconds = self.0 / 100;
        Some((
            (seconds / 3600) as u8,
            (seconds / 60 % 60) as u8,
            (seconds % 60) as u8,
            (self.0 % 100) as u8,
        ))
    }
}

/// `14:30:15.25`, or the number if it is no time of day.
impl fmt::Display for SmfTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            Some((h, m, s, c)) => write!(f, "{h:02}:{m:02}:{s:02}.{c:02}"),
            None => write!(f, "{} (no time of day)", self.0),
        }
    }
}

/// A local date as packed decimal digits `0cyydddF`: century from 1900, year, day of the year.
///
/// The default is [`NONE`](Self::NONE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "the number in the record")]
pub struct SmfDate(pub u32);

impl SmfDate {
    /// No date: `0000000F`.
    pub const NONE: Self = Self(0xf);

    /// The day of a year (1 is January 1st); `None` if there is no such day, or the year is not
    /// one of 1900 to 2899.
    #[must_use]
    pub const fn from_year_day(year: u16, day: u16) -> Option<Self> {
        if year < 1900 || year > 2899 || day == 0 || day > days_of(year as i64) as u16 {
            return None;
        }
        let (mut digits, mut packed, mut shift) =
            ((year as u32 - 1900) * 1000 + day as u32, 0xf, 4);
        while digits > 0 {
            packed |= (digits % 10) << shift;
            digits /= 10;
            shift += 4;
        }
        Some(Self(packed))
    }

    /// The date of the calendar; `None` as for [`from_year_day`](Self::from_year_day).
    ///
    /// ```
    /// use hostward_smf::SmfDate;
    /// assert_eq!(SmfDate::new(2026, 11, 22), Some(SmfDate(0x0126_326f)));
    /// assert_eq!(SmfDate::new(2026, 2, 29), None);
    /// ```
    #[must_use]
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        if month == 0 || month > 12 {
            return None;
        }
        let first = days_from_civil(year as i64, month, 1);
        let next = if month == 12 {
            days_from_civil(year as i64 + 1, 1, 1)
        } else {
            days_from_civil(year as i64, month + 1, 1)
        };
        if day == 0 || day as i64 > next - first {
            return None;
        }
        let of_year = first - days_from_civil(year as i64, 1, 1) + day as i64;
        Self::from_year_day(year, of_year as u16)
    }

    /// Year and day of the year; `None` if it is no date.
    #[must_use]
    pub const fn year_day(self) -> Option<(u16, u16)> {
        let (mut digits, mut shift) = (0, 28);
        if self.0 & 0xf != 0xf || self.0 >> 28 != 0 {
            return None;
        }
        while shift > 0 {
            let digit = self.0 >> shift & 0xf;
            if digit > 9 {
                return None;
            }
            digits = digits * 10 + digit;
            shift -= 4;
        }
        let (year, day) = ((digits / 1000) as u16 + 1900, (digits % 1000) as u16);
        if day == 0 || day > days_of(year as i64) as u16 {
            return None;
        }
        Some((year, day))
    }

    /// Year, month and day of the month; `None` if it is no date.
    #[must_use]
    pub const fn ymd(self) -> Option<(u16, u8, u8)> {
        let Some((year, day)) = self.year_day() else {
            return None;
        };
        let (y, m, d) = civil_from_days(days_from_civil(year as i64, 1, 1) + day as i64 - 1);
        Some((y as u16, m, d))
    }
}

impl Default for SmfDate {
    fn default() -> Self {
        Self::NONE
    }
}

/// `2026-11-22`, `none`, or the digits if it is no date.
impl fmt::Display for SmfDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ymd() {
            Some((y, m, d)) => write!(f, "{y:04}-{m:02}-{d:02}"),
            None if *self == Self::NONE || self.0 == 0 => f.write_str("none"),
            None => write!(f, "{:08X} (no date)", self.0),
        }
    }
}

/// The local date and time of a UNIX time in microseconds, `None` outside of the years 1900 to
/// 2899.
///
/// ```
/// use hostward_smf::time::{SmfDate, SmfTime, local};
/// let hour = 3600; // seconds east of Greenwich
/// let expected = SmfDate::new(1970, 1, 1).zip(SmfTime::new(1, 0, 0, 1));
/// assert_eq!(local(10_000, hour), expected);
/// ```
#[must_use]
pub const fn local(unix_micros: i64, utc_offset_seconds: i32) -> Option<(SmfDate, SmfTime)> {
    let Some(micros) = unix_micros.checked_add(utc_offset_seconds as i64 * 1_000_000) else {
        return None;
    };
    let day = micros.div_euclid(DAY_MICROS);
    let (year, _, _) = civil_from_days(day);
    if year < 1900 || year > 2899 {
        return None;
    }
    let of_year = day - days_from_civil(year, 1, 1) + 1;
    match SmfDate::from_year_day(year as u16, of_year as u16) {
        Some(date) => Some((
            date,
            SmfTime((micros.rem_euclid(DAY_MICROS) / 10_000) as u32),
        )),
        None => None,
    }
}

/// The UNIX time in microseconds of a local date and time, `None` if one of them is none.
#[must_use]
pub const fn unix_micros(date: SmfDate, time: SmfTime, utc_offset_seconds: i32) -> Option<i64> {
    match (date.year_day(), time.0 <= SmfTime::LAST.0) {
        (Some((year, day)), true) => {
            let days = days_from_civil(year as i64, 1, 1) + day as i64 - 1;
            let local = days * DAY_MICROS + time.0 as i64 * 10_000;
            Some(local - utc_offset_seconds as i64 * 1_000_000)
        }
        (Some(_), false) | (None, _) => None,
    }
}

/// A TOD clock value as `STCK` stores it: since 1900-01-01 UTC, bit 51 is a microsecond.
///
/// It ends on 2042-09-17 at 23:53:47.370495 UTC and then begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "the number in the record")]
pub struct Tod(pub u64);

impl Tod {
    /// The clock at a UNIX time in microseconds; `None` before 1900 and from the wrap in 2042 on.
    ///
    /// ```
    /// use hostward_smf::Tod;
    /// assert_eq!(Tod::from_unix_micros(0), Some(Tod(0x7d91_048b_ca00_0000)));
    /// ```
    #[must_use]
    pub const fn from_unix_micros(unix_micros: i64) -> Option<Self> {
        match unix_micros.checked_add(EPOCH) {
            Some(micros) if micros >= 0 && micros < 1 << 52 => Some(Self((micros as u64) << 12)),
            Some(_) | None => None,
        }
    }

    /// The UNIX time in microseconds, the clock taken to be in its first round (1900 to 2042).
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        (self.0 >> 12) as i64 - EPOCH
    }

    /// The same with values below `4000000000000000` (before 1935) taken to be in the second
    /// round, after 2042.
    #[must_use]
    pub const fn unix_micros_recent(self) -> i64 {
        let round = if self.0 < 0x4000_0000_0000_0000 {
            1 << 52
        } else {
            0
        };
        self.unix_micros() + round
    }
}

/// UTC, as `2026-11-22T14:30:15.250000Z`; `none` for zero.
impl fmt::Display for Tod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        show_utc(self.unix_micros_recent(), f)
    }
}

/// A difference of two TOD clock values: bit 51 is a microsecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "the number in the record")]
pub struct TodDuration(pub u64);

impl TodDuration {
    /// The duration; `None` if it is longer than the clock's 143 years.
    ///
    /// ```
    /// use hostward_smf::TodDuration;
    /// let half_an_hour = TodDuration::from_micros(1_800_000_000);
    /// assert_eq!(half_an_hour, Some(TodDuration(0x6b4_9d20_0000)));
    /// ```
    #[must_use]
    pub const fn from_micros(micros: u64) -> Option<Self> {
        if micros < 1 << 52 {
            Some(Self(micros << 12))
        } else {
            None
        }
    }

    /// Whole microseconds.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.0 >> 12
    }
}

/// Seconds, as `1800.000000 s`.
impl fmt::Display for TodDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.micros();
        write!(f, "{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
    }
}

/// An extended TOD clock value as `STCKE` stores it: epoch index, 104 bits of the clock, of which
/// the first 64 are a [`Tod`], and 16 programmable bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the bytes in the record")]
pub struct Etod(pub [u8; 16]);

impl Etod {
    /// The clock at a UNIX time in microseconds; `None` before 1900 and from the year 38000 on.
    #[must_use]
    pub const fn from_unix_micros(unix_micros: i64, programmable: u16) -> Option<Self> {
        match unix_micros.checked_add(EPOCH) {
            Some(micros) if micros >= 0 && micros < 1 << 60 => {
                let clock = (micros as u128) << 68;
                Some(Self((clock | programmable as u128).to_be_bytes()))
            }
            Some(_) | None => None,
        }
    }

    /// The UNIX time in whole microseconds.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        (u128::from_be_bytes(self.0) >> 68) as i64 - EPOCH
    }

    /// How often the 64-bit clock has wrapped.
    #[must_use]
    pub const fn epoch(self) -> u8 {
        (u128::from_be_bytes(self.0) >> 120) as u8
    }

    /// The 64-bit clock.
    #[must_use]
    pub const fn tod(self) -> Tod {
        Tod((u128::from_be_bytes(self.0) >> 56) as u64)
    }

    /// The programmable bits.
    #[must_use]
    pub const fn programmable(self) -> u16 {
        u128::from_be_bytes(self.0) as u16
    }
}

impl fmt::Display for Etod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show_utc(self.unix_micros(), f)
    }
}

fn show_utc(unix_micros: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (y, m, d) = civil_from_days(unix_micros.div_euclid(DAY_MICROS));
    let micros = unix_micros.rem_euclid(DAY_MICROS);
    let seconds = micros / 1_000_000;
    write!(
        f,
        "{y:04}-{m:02}-{d:02}T{:02}:{:02}:{:02}.{:06}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        micros % 1_000_000
    )
}

macro_rules! field {
    ($name:ty, $inner:ty, $kind:expr) => {
        impl Field for $name {
            type Raw = <$inner as Field>::Raw;
            const LEN: usize = <$inner as Field>::LEN;
            const KIND: Kind = $kind;

            #[inline]
            fn write(&self, raw: &mut Self::Raw) {
                self.0.write(raw);
            }

            #[inline]
            fn read(raw: &Self::Raw) -> Self {
                Self(<$inner>::read(raw))
            }
        }
    };
}
field!(SmfTime, u32, Kind::Time);
field!(SmfDate, u32, Kind::Date);
field!(Tod, u64, Kind::Tod);
field!(TodDuration, u64, Kind::Duration);

impl Field for Etod {
    type Raw = [u8; 16];
    const LEN: usize = 16;
    const KIND: Kind = Kind::Etod;

    #[inline]
    fn write(&self, raw: &mut [u8; 16]) {
        *raw = self.0;
    }

    #[inline]
    fn read(raw: &[u8; 16]) -> Self {
        Self(*raw)
    }
}

const fn days_of(year: i64) -> i64 {
    days_from_civil(year + 1, 1, 1) - days_from_civil(year, 1, 1)
}

/// Days from 1970-01-01 in the Gregorian calendar, which repeats every 400 years; years are taken
/// to begin in March, so that the leap day is the last of one.
const fn days_from_civil(year: i64, month: u8, day: u8) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month = (month as i64 + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day as i64 - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The other way round.
const fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month + 2) / 5 + 1) as u8;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + if month <= 2 { 1 } else { 0 };
    (year, month as u8, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn times_of_day() {
        for (time, value) in [
            ((0, 0, 0, 0), 0),
            ((14, 30, 15, 25), 0x004f_ac95),
            ((23, 59, 59, 99), 0x0083_d5ff),
        ] {
            let (h, m, s, c) = time;
            assert_eq!(SmfTime::new(h, m, s, c), Some(SmfTime(value)));
            assert_eq!(SmfTime(value).parts(), Some(time));
        }
        assert_eq!(SmfTime::new(24, 0, 0, 0), None);
        assert_eq!(SmfTime::new(0, 60, 0, 0), None);
        assert_eq!(SmfTime::new(0, 0, 60, 0), None);
        assert_eq!(SmfTime::new(0, 0, 0, 100), None);
        assert_eq!(SmfTime(8_640_000).parts(), None);
        assert_eq!(SmfTime(0x004f_ac95).to_string(), "14:30:15.25");
    }

    #[test]
    fn packed_dates() {
        for (date, value) in [
            ((1900, 1, 1), 0x0000_001f),
            ((1999, 12, 31), 0x0099_365f),
            ((2000, 2, 29), 0x0100_060f),
            ((2000, 12, 31), 0x0100_366f),
            ((2026, 11, 22), 0x0126_326f),
            ((2028, 12, 31), 0x0128_366f),
            ((2100, 12, 31), 0x0200_365f),
        ] {
            let (y, m, d) = date;
            assert_eq!(SmfDate::new(y, m, d), Some(SmfDate(value)), "{date:?}");
            assert_eq!(SmfDate(value).ymd(), Some(date), "{date:?}");
        }
        for (y, m, d) in [
            (2026, 2, 29),
            (2100, 2, 29),
            (2026, 13, 1),
            (2026, 0, 1),
            (2026, 1, 0),
        ] {
            assert_eq!(SmfDate::new(y, m, d), None);
        }
        assert_eq!(SmfDate::from_year_day(2026, 366), None);
        assert_eq!(SmfDate::from_year_day(1899, 1), None);
        assert_eq!(SmfDate::from_year_day(2900, 1), None);
        // No date, a digit beyond nine, day 366 of a common year, another sign.
        for value in [0xf, 0, 0x0126_3a6f, 0x0126_366f, 0x0126_326c, 0x1126_326f] {
            assert_eq!(SmfDate(value).ymd(), None, "{value:08x}");
        }
        assert_eq!(SmfDate(0x0126_326f).to_string(), "2026-11-22");
        assert_eq!(SmfDate::default().to_string(), "none");
    }

    #[test]
    fn every_day_of_a_thousand_years_goes_both_ways() {
        let mut day = days_from_civil(1900, 1, 1);
        for year in 1900..2900_u16 {
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = if leap { 366 } else { 365 };
            for of_year in 1..=last {
                let date = SmfDate::from_year_day(year, of_year).unwrap();
                assert_eq!(date.year_day(), Some((year, of_year)));
                let (y, m, d) = date.ymd().unwrap();
                assert_eq!(SmfDate::new(y, m, d), Some(date));
                let midnight = day * DAY_MICROS;
                assert_eq!(unix_micros(date, SmfTime(0), 0), Some(midnight));
                assert_eq!(local(midnight, 0), Some((date, SmfTime(0))));
                assert_eq!(
                    local(midnight + DAY_MICROS - 1, 0),
                    Some((date, SmfTime::LAST))
                );
                day += 1;
            }
            assert_eq!(SmfDate::from_year_day(year, last + 1), None);
        }
    }

    #[test]
    fn local_time_is_utc_and_an_offset() {
        // 2026-11-22T14:30:15.25Z
        let now = 1_795_357_815_250_000;
        let date = |y, m, d| SmfDate::new(y, m, d).unwrap();
        assert_eq!(
            local(now, 0),
            Some((date(2026, 11, 22), SmfTime(0x004f_ac95)))
        );
        let (day, time) = local(now, 10 * 3600).unwrap();
        assert_eq!(
            (day, time.to_string()),
            (date(2026, 11, 23), "00:30:15.25".into())
        );
        assert_eq!(unix_micros(day, time, 10 * 3600), Some(now));
        let (day, time) = local(now, -15 * 3600).unwrap();
        assert_eq!(
            (day, time.to_string()),
            (date(2026, 11, 21), "23:30:15.25".into())
        );
        assert_eq!(unix_micros(SmfDate::NONE, time, 0), None);
        assert_eq!(unix_micros(day, SmfTime(8_640_000), 0), None);
        assert_eq!(local(i64::MAX, 1), None);
        assert_eq!(local(i64::MIN, 0), None);
    }

    #[test]
    fn the_clock() {
        for (unix, tod) in [
            (0, 0x7d91_048b_ca00_0000),
            (946_684_800_000_000, 0xb361_183f_4800_0000),
            (1_795_357_815_250_000, 0xe39e_e998_f3c5_0000),
            (-EPOCH, 0),
        ] {
            assert_eq!(Tod::from_unix_micros(unix), Some(Tod(tod)));
            assert_eq!(Tod(tod).unix_micros(), unix);
        }
        assert_eq!(
            Tod(0xe39e_e998_f3c5_0000).to_string(),
            "2026-11-22T14:30:15.250000Z"
        );
        let last = Tod(u64::MAX);
        assert_eq!(last.to_string(), "2042-09-17T23:53:47.370495Z");
        let next = last.unix_micros() + 1;
        assert_eq!(Tod::from_unix_micros(next), None);
        assert_eq!(Tod::from_unix_micros(-EPOCH - 1), None);
        assert_eq!(Tod::from_unix_micros(i64::MAX), None);
        assert_eq!(Tod(0).unix_micros_recent(), next);
        assert_eq!(
            Tod(1 << 62).unix_micros_recent(),
            Tod(1 << 62).unix_micros()
        );
        assert_eq!(
            TodDuration::from_micros(1_800_000_000),
            Some(TodDuration(0x6b4_9d20_0000))
        );
        assert_eq!(TodDuration(0x6b4_9d20_0000).to_string(), "1800.000000 s");
        assert_eq!(TodDuration::from_micros(1 << 52), None);
    }

    #[test]
    fn the_extended_clock() {
        let now = 1_795_357_815_250_000;
        let clock = Etod::from_unix_micros(now, 0xbeef).unwrap();
        assert_eq!(clock.0[0], 0);
        assert_eq!(clock.0[1..9], 0xe39e_e998_f3c5_0000_u64.to_be_bytes());
        assert_eq!((clock.epoch(), clock.programmable()), (0, 0xbeef));
        assert_eq!(Some(clock.tod()), Tod::from_unix_micros(now));
        assert_eq!(clock.unix_micros(), now);
        // The first microsecond after the wrap.
        let next = Tod(u64::MAX).unix_micros() + 1;
        let clock = Etod::from_unix_micros(next, 0).unwrap();
        assert_eq!(
            (clock.epoch(), clock.tod(), clock.unix_micros()),
            (1, Tod(0), next)
        );
        assert_eq!(clock.to_string(), "2042-09-17T23:53:47.370496Z");
        assert_eq!(Etod::from_unix_micros(i64::MAX, 0), None);
        assert_eq!(Etod([0xff; 16]).epoch(), 0xff);
        assert!(Etod([0xff; 16]).to_string().len() > 20);
    }
}
