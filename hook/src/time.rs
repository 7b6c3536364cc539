//! Time as plain values.
//!
//! No crate of the suite reads a clock: the host takes [`Now`] once per packet or per batch and
//! hands it in. The monotonic half drives timers and rate limits, the wall half goes into records
//! and time-of-day rules.

use core::time::Duration;

/// A point on the host's monotonic clock, in microseconds from an origin the host chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);

    /// Makes an instant from microseconds since the host's origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Makes an instant from milliseconds since the host's origin; saturates.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Makes an instant from seconds since the host's origin; saturates.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the host's origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Milliseconds since the host's origin.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// This instant moved forward, saturating at the end of the clock.
    #[must_use]
    pub const fn saturating_add(self, d: Duration) -> Self {
        Self(self.0.saturating_add(micros_of(d)))
    }

    /// The time since `earlier`, zero when `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Wall-clock time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// 1970-01-01T00:00:00Z, which also stands for "not known".
    pub const EPOCH: Self = Self(0);

    /// Makes a wall time from microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Makes a wall time from whole seconds since the epoch; saturates.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }
}

/// The time of a packet or batch on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Now {
    /// Monotonic time: timers, ages, rates.
    pub mono: Instant,
    /// Wall time: records and time-of-day conditions.
    pub wall: UnixTime,
}

impl Now {
    /// Both clocks at once.
    #[must_use]
    pub const fn new(mono: Instant, wall: UnixTime) -> Self {
        Self { mono, wall }
    }

    /// Both clocks from one wall time, as a capture file gives it.
    #[must_use]
    pub const fn from_wall(wall: UnixTime) -> Self {
        Self {
            mono: Instant::from_micros(wall.as_micros()),
            wall,
        }
    }
}

const fn micros_of(d: Duration) -> u64 {
    let micros = d.as_micros();
    if micros > u64::MAX as u128 {
        u64::MAX
    } else {
        micros as u64
    }
}
