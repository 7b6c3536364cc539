//! Lifetimes in bytes, packets and time.

use core::time::Duration;

use hostward_hook::Instant;

/// How long something may be used. What is `None` does not end it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the three measures there are")]
pub struct Limits {
    /// Bytes that were encrypted (ESP) or authenticated (AH), padding included.
    pub bytes: Option<u64>,
    /// Packets.
    pub packets: Option<u64>,
    /// Time since the association was installed.
    pub time: Option<Duration>,
}

/// Lifetimes of an association (RFC 4301 §4.4.2.1): after the soft one a new association is asked for,
/// after the hard one this is not used any more. The first that is reached counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the two kinds there are")]
pub struct Lifetimes {
    /// When a new association is asked for.
    pub soft: Limits,
    /// When this one ends.
    pub hard: Limits,
}

/// Limits as numbers to compare with.
#[derive(Clone, Copy, Debug)]
struct At {
    bytes: u64,
    packets: u64,
    time: u64,
}

impl At {
    fn of(limits: Limits, installed: Instant) -> Self {
        Self {
            bytes: limits.bytes.unwrap_or(u64::MAX),
            packets: limits.packets.unwrap_or(u64::MAX),
            time: limits
                .time
                .map_or(u64::MAX, |time| installed.saturating_add(time).as_micros()),
        }
    }
}

/// What an association has done, and how much it may.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    /// `u64::MAX` throughout when the soft lifetime is over and was told.
    soft: At,
    hard: At,
    installed: Instant,
    /// The time limits as they were asked for.
    times: [Option<Duration>; 2],
    told: bool,
}

impl Life {
    /// `last` is how many packets there can be: a new association is asked for before they are used up.
    pub(crate) fn new(lifetimes: Lifetimes, last: u64, installed: Instant) -> Self {
        let mut soft = At::of(lifetimes.soft, installed);
        soft.packets = soft.packets.min(last - last / 16);
        Self {
            bytes: 0,
            packets: 0,
            soft,
            hard: At::of(lifetimes.hard, installed),
            installed,
            times: [lifetimes.soft.time, lifetimes.hard.time],
            told: false,
        }
    }

    /// Whether another packet of so many bytes may be worked on.
    #[inline]
    pub(crate) fn allows(&self, now: Instant, bytes: usize) -> bool {
        self.packets < self.hard.packets
            && now.as_micros() < self.hard.time
            && self.bytes.saturating_add(bytes as u64) <= self.hard.bytes
    }

    /// Counts a packet; says once that the soft lifetime is over.
    #[inline]
    pub(crate) fn count(&mut self, now: Instant, bytes: usize) -> bool {
        self.packets = self.packets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.soft(now)
    }

    /// Whether the soft lifetime is over; says so once.
    #[inline]
    pub(crate) fn soft(&mut self, now: Instant) -> bool {
        if self.packets < self.soft.packets
            && now.as_micros() < self.soft.time
            && self.bytes < self.soft.bytes
        {
            return false;
        }
        let first = !self.told;
        self.told = true;
        first
    }

    /// Whether the hard lifetime is over.
    pub(crate) fn over(&self, now: Instant) -> bool {
        !self.allows(now, 0) || self.bytes >= self.hard.bytes
    }

    /// When a time limit comes next.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let [soft, hard] = self
            .times
            .map(|time| time.map(|time| self.installed.saturating_add(time)));
        let soft = soft.filter(|soft| !self.told && *soft > now);
        match (soft, hard) {
            (Some(soft), Some(hard)) => Some(soft.min(hard)),
            (soft, hard) => soft.or(hard),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::from_secs(secs)
    }

    // RFC 4301 §4.4.2.1: bytes, packets or time, whichever comes first.
    #[test]
    fn soft_is_told_once_and_hard_ends() {
        let limits = |bytes, packets, time| Limits {
            bytes,
            packets,
            time,
        };
        let lifetimes = Lifetimes {
            soft: limits(Some(100), Some(5), Some(Duration::from_secs(10))),
            hard: limits(Some(200), Some(8), Some(Duration::from_secs(20))),
        };
        let new = || Life::new(lifetimes, u64::MAX, at(100));
        // By bytes.
        let mut life = new();
        assert!(!life.count(at(100), 99));
        assert!(life.count(at(100), 1));
        assert!(!life.count(at(100), 1));
        assert!(life.allows(at(100), 99));
        assert!(!life.allows(at(100), 100));
        // By packets.
        let mut life = new();
        for packet in 1..=8 {
            assert!(life.allows(at(100), 1));
            assert_eq!(life.count(at(100), 1), packet == 5);
        }
        assert!(!life.allows(at(100), 1));
        assert!(life.over(at(100)));
        // By time.
        let mut life = new();
        assert_eq!(life.deadline(at(100)), Some(at(110)));
        assert!(!life.soft(at(109)));
        assert!(life.soft(at(110)));
        assert!(!life.soft(at(111)));
        assert_eq!(life.deadline(at(111)), Some(at(120)));
        assert!(life.allows(at(119), 1));
        assert!(!life.allows(at(120), 1));
        assert!(life.over(at(120)));
    }

    #[test]
    fn a_new_one_is_asked_for_before_the_numbers_are_used_up() {
        let mut life = Life::new(Lifetimes::default(), 160, at(0));
        for packet in 1..=160 {
            assert_eq!(life.count(at(0), 1_000), packet == 150);
        }
        assert_eq!(life.deadline(at(0)), None);
        assert!(!life.over(at(1_000_000)));
    }
}
