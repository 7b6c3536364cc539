//! When a rule is in force (`IpTimeCondition`).
//!
//! A rule outside its time does not exist: packets are compared with the rules below it. Nobody
//! here reads a clock: the wall time comes with the packet, and what "local" means the host tells
//! through [`LocalTime`].

use alloc::vec::Vec;
use core::fmt;

use hostward_hook::time::UnixTime;
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::Offset;

/// Tells the host's offset from UTC, for conditions in local time.
///
/// Asked once a minute at most, off the packet path's fast part.
pub trait LocalTime: fmt::Debug + Send + Sync {
    /// Seconds east of UTC at this time, daylight saving included.
    fn utc_offset(&self, at: UnixTime) -> i32;
}

/// Local time is UTC.
impl LocalTime for () {
    fn utc_offset(&self, _: UnixTime) -> i32 {
        0
    }
}

/// A fixed offset from UTC in seconds, east positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is one number")]
pub struct FixedOffset(pub i32);

impl LocalTime for FixedOffset {
    fn utc_offset(&self, _: UnixTime) -> i32 {
        self.0
    }
}

/// Which clock the parts of a condition are read from (`TimeZone`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Zone {
    /// The host's local time.
    #[default]
    Local,
    /// UTC.
    Utc,
}

/// A date and a time of day to the second, without a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime(u64);

/// A date or time that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// Not a date and time of the calendar.
    #[error("no such date and time: expected yyyymmddhhmmss")]
    DateTime,
    /// A range that ends before it begins.
    #[error("the range runs backwards")]
    BackwardRange,
    /// A time of day beyond 24:00, or one that begins where it ends.
    #[error("no such time of day: expected hh:mm-hh:mm, at most 24:00, not empty")]
    TimeOfDay,
}

impl DateTime {
    /// From its decimal digits `yyyymmddhhmmss`. Midnight at the end of a day, 240000, is that at
    /// the beginning of the next.
    ///
    /// # Errors
    /// [`TimeError::DateTime`].
    pub fn from_digits(digits: u64) -> Result<Self, TimeError> {
        let part = |scale: u64| i8::try_from(digits / scale % 100).ok();
        let read = || {
            let year = i16::try_from(digits / 10_000_000_000).ok()?;
            let date = civil::Date::new(year, part(100_000_000)?, part(1_000_000)?).ok()?;
            let (hour, minute, second) = (part(10_000)?, part(100)?, part(1)?);
            if (hour, minute, second) == (24, 0, 0) {
                return Some(date.tomorrow().ok()?.at(0, 0, 0, 0));
            }
            let time = civil::Time::new(hour, minute, second, 0).ok()?;
            Some(date.to_datetime(time))
        };
        read().map(|t| Self(packed(t))).ok_or(TimeError::DateTime)
    }

    /// Its decimal digits `yyyymmddhhmmss`.
    #[must_use]
    pub const fn digits(self) -> u64 {
        self.0
    }
}

/// Minutes of a day from the first to the one before the last; over midnight when it begins
/// after it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeOfDay {
    from: u16,
    to: u16,
}

impl TimeOfDay {
    /// From minute `from` to before minute `to` of the day; 1440 is midnight at its end.
    ///
    /// # Errors
    /// [`TimeError::TimeOfDay`] when a minute is beyond the day or the range is empty.
    pub const fn new(from: u16, to: u16) -> Result<Self, TimeError> {
        if from >= 24 * 60 || to > 24 * 60 || from == to {
            return Err(TimeError::TimeOfDay);
        }
        Ok(Self { from, to })
    }

    /// First minute, and the minute after the last.
    #[must_use]
    pub const fn ends(self) -> (u16, u16) {
        (self.from, self.to)
    }

    const fn contains(self, minute: u16) -> bool {
        if self.from < self.to {
            self.from <= minute && minute < self.to
        } else {
            self.from <= minute || minute < self.to
        }
    }
}

/// When a rule is in force. Every part must hold; a new condition always does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TimeCondition {
    /// First and last second (`ConditionTimeRange`); always when `None`.
    pub range: Option<(DateTime, DateTime)>,
    /// Months, January in bit 0 (`MonthOfYearMask`).
    pub months: u16,
    /// Days of the month, the first in bit 0 (`DayOfMonthMask`, first 31 digits).
    pub days: u32,
    /// Days from the end of the month, the last in bit 0 (`DayOfMonthMask`, second 31 digits).
    /// A day that either mask names will do.
    pub days_from_end: u32,
    /// Days of the week, Sunday in bit 0 (`DayOfWeekMask`).
    pub weekdays: u8,
    /// Times of day, any of which will do; the whole day when empty (`TimeOfDayRange`). What runs
    /// over midnight belongs to the day of each of its minutes, not to the day it began.
    pub times: Vec<TimeOfDay>,
    /// The clock it is read from (`TimeZone`).
    pub zone: Zone,
}

impl Default for TimeCondition {
    fn default() -> Self {
        Self {
            range: None,
            months: 0xfff,
            days: 0x7fff_ffff,
            days_from_end: 0,
            weekdays: 0x7f,
            times: Vec::new(),
            zone: Zone::Local,
        }
    }
}

impl TimeCondition {
    /// Whether it holds at a wall time. Seconds are whole; what the clock cannot say (a time
    /// beyond the year 9999) does not hold.
    #[must_use]
    pub fn holds(&self, at: UnixTime, local: &dyn LocalTime) -> bool {
        let offset = match self.zone {
            Zone::Utc => 0,
            Zone::Local => local.utc_offset(at),
        };
        self.holds_at(at, offset)
    }

    fn holds_at(&self, at: UnixTime, offset: i32) -> bool {
        let Some(t) = civil_time(at, offset) else {
            return false;
        };
        let bit = |n: i8| 1_u32 << (n.clamp(1, 32) - 1);
        let in_range = self.range.is_none_or(|(first, last)| {
            let now = packed(t);
            first.0 <= now && now <= last.0
        });
        let day = self.days & bit(t.day()) != 0
            || self.days_from_end & bit(t.days_in_month() - t.day() + 1) != 0;
        let minute = u16::from(t.hour().unsigned_abs()) * 60 + u16::from(t.minute().unsigned_abs());
        in_range
            && u32::from(self.months) & bit(t.month()) != 0
            && day
            && u32::from(self.weekdays) & bit(t.weekday().to_sunday_zero_offset() + 1) != 0
            && (self.times.is_empty() || self.times.iter().any(|r| r.contains(minute)))
    }

    /// Whether its range of dates is over at a wall time: it will never hold again.
    #[must_use]
    pub fn is_over(&self, at: UnixTime, local: &dyn LocalTime) -> bool {
        let offset = match self.zone {
            Zone::Utc => 0,
            Zone::Local => local.utc_offset(at),
        };
        self.range
            .is_some_and(|(_, last)| civil_time(at, offset).is_none_or(|t| packed(t) > last.0))
    }

    /// Whether no time at all can fulfil it: no month, no day, or only days that its months do
    /// not have.
    #[must_use]
    pub fn never_holds(&self) -> bool {
        // The longest each month gets.
        const LENGTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let a_day_exists = LENGTHS.iter().enumerate().any(|(month, length)| {
            let every_day = u32::MAX >> (32 - length);
            self.months & 1 << month != 0 && (self.days | self.days_from_end) & every_day != 0
        });
        let backwards = self.range.is_some_and(|(first, last)| first > last);
        !a_day_exists || self.weekdays & 0x7f == 0 || backwards
    }

    /// Until when [`holds`](Self::holds) cannot change: the end of the minute, or of the second
    /// where a range of dates begins or ends within the minute.
    ///
    /// The masks and times of day change at full minutes only, in every zone whose offset is in
    /// whole minutes, as all are today.
    pub(crate) fn steady_until(&self, at: UnixTime, local: &dyn LocalTime) -> UnixTime {
        let seconds = at.as_secs();
        let offset = match self.zone {
            Zone::Utc => 0,
            Zone::Local => local.utc_offset(at),
        };
        let minute_of = |digits: u64| digits / 100;
        let soon = match (self.range, civil_time(at, offset)) {
            (Some((first, last)), Some(t)) => {
                let now = minute_of(packed(t));
                now == minute_of(first.0) || now == minute_of(last.0)
            }
            (None, _) | (_, None) => false,
        } || offset % 60 != 0;
        UnixTime::from_secs(if soon {
            seconds.saturating_add(1)
        } else {
            (seconds / 60).saturating_add(1).saturating_mul(60)
        })
    }
}

fn civil_time(at: UnixTime, offset: i32) -> Option<civil::DateTime> {
    let at = Timestamp::from_second(i64::try_from(at.as_secs()).ok()?).ok()?;
    Some(Offset::from_seconds(offset).ok()?.to_datetime(at))
}

fn packed(t: civil::DateTime) -> u64 {
    [t.month(), t.day(), t.hour(), t.minute(), t.second()]
        .into_iter()
        .fold(u64::from(t.year().unsigned_abs()), |digits, part| {
            digits * 100 + u64::from(part.unsigned_abs())
        })
}
