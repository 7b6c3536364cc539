//! The clock and the time zone of the system, for conditions of time.

use hostward::filter::LocalTime;
use hostward_hook::time::UnixTime;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The system's time zone (`TZ`, or what the system is set to); UTC when it cannot be told.
#[derive(Clone, Debug)]
pub struct SystemZone(TimeZone);

impl SystemZone {
    /// Asks the system.
    #[must_use]
    pub fn new() -> Self {
        Self(TimeZone::try_system().unwrap_or(TimeZone::UTC))
    }
}

impl Default for SystemZone {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalTime for SystemZone {
    fn utc_offset(&self, at: UnixTime) -> i32 {
        let at = i64::try_from(at.as_micros()).ok();
        let at = at.and_then(|micros| Timestamp::from_microsecond(micros).ok());
        at.map_or(0, |at| self.0.to_offset(at).seconds())
    }
}

/// The time of day now.
#[must_use]
pub fn now() -> UnixTime {
    let micros = Timestamp::now().as_microsecond();
    UnixTime::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_change_with_the_season_and_have_an_end() {
        let zone = SystemZone(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        assert_eq!(zone.utc_offset(UnixTime::from_secs(1_700_000_000)), 3_600);
        assert_eq!(zone.utc_offset(UnixTime::from_secs(1_720_000_000)), 7_200);
        assert_eq!(zone.utc_offset(UnixTime::from_micros(u64::MAX)), 0);
        assert!(now() > UnixTime::from_secs(1_700_000_000));
    }
}
