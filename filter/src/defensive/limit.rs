//! How many messages: a token bucket that counts what it suppresses.

use core::time::Duration;

use hostward_hook::time::Instant;

/// The interval that limits are about.
const INTERVAL: Duration = Duration::from_secs(300);

/// Lets at most `n` messages through in five minutes on average, and no more than `n` at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimiter {
    limit: u32,
    /// What is left, in parts of [`ONE`].
    credit: u64,
    last: Instant,
    suppressed: u64,
    /// When what is suppressed began to be counted.
    since: Instant,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it is told or it is not")]
pub enum Logged {
    /// Tell it.
    Yes,
    /// Only count it.
    Suppressed,
}

/// What one message costs: in these units the limit is what a microsecond earns, exactly.
const ONE: u64 = 1_000_000 * INTERVAL.as_secs();

impl LogLimiter {
    /// At most `limit` messages for five minutes; 0 lets all through.
    #[must_use]
    pub const fn new(limit: u32, now: Instant) -> Self {
        Self {
            limit,
            credit: limit as u64 * ONE,
            last: now,
            suppressed: 0,
            since: now,
        }
    }

    /// Whether a message may be told now.
    pub fn admit(&mut self, now: Instant) -> Logged {
        if self.limit == 0 {
            return Logged::Yes;
        }
        let passed = now.saturating_since(self.last);
        if passed > Duration::ZERO {
            self.last = now;
            let most = u64::from(self.limit) * ONE;
            let earned = passed.as_micros() * u128::from(self.limit);
            let earned = u64::try_from(earned).unwrap_or(most);
            self.credit = self.credit.saturating_add(earned).min(most);
        }
        if self.credit >= ONE {
            self.credit -= ONE;
            return Logged::Yes;
        }
        if self.suppressed == 0 {
            self.since = now;
        }
        self.suppressed += 1;
        Logged::Suppressed
    }

    /// When the count of suppressed messages is to be told, if any were.
    #[must_use]
    pub fn summary_due(&self) -> Option<Instant> {
        (self.suppressed > 0).then(|| self.since.saturating_add(INTERVAL))
    }

    /// The count of suppressed messages, once their interval is over; the count begins anew.
    pub fn summary(&mut self, now: Instant) -> Option<u64> {
        if self.summary_due().is_none_or(|due| now < due) {
            return None;
        }
        self.take()
    }

    /// The count of suppressed messages at once, such as when the filter goes away.
    pub const fn take(&mut self) -> Option<u64> {
        let n = self.suppressed;
        self.suppressed = 0;
        if n == 0 { None } else { Some(n) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_average() {
        let mut now = Instant::from_secs(1_000);
        let mut limiter = LogLimiter::new(10, now);
        let told =
            |l: &mut LogLimiter, now, n| (0..n).filter(|_| l.admit(now) == Logged::Yes).count();
        assert_eq!(told(&mut limiter, now, 25), 10);
        assert_eq!(limiter.summary(now), None);
        // Ten messages in 300 seconds are one in thirty.
        now = now.saturating_add(Duration::from_secs(29));
        assert_eq!(told(&mut limiter, now, 1), 0);
        now = now.saturating_add(Duration::from_secs(1));
        assert_eq!(told(&mut limiter, now, 2), 1);
        assert_eq!(limiter.summary_due(), Some(Instant::from_secs(1_300)));
        assert_eq!(limiter.summary(Instant::from_secs(1_299)), None);
        assert_eq!(limiter.summary(Instant::from_secs(1_300)), Some(17));
        assert_eq!(limiter.summary(Instant::from_secs(9_999)), None);
        // Long silence saves up no more than one burst.
        now = Instant::from_secs(1_000_000);
        assert_eq!(told(&mut limiter, now, 25), 10);
    }

    #[test]
    fn small_steps_lose_nothing_and_zero_is_no_limit() {
        let mut limiter = LogLimiter::new(300, Instant::ZERO);
        let mut told = 0;
        for ms in 0..600_000_u64 {
            told += u32::from(limiter.admit(Instant::from_millis(ms)) == Logged::Yes);
        }
        // The first burst, and one a second for ten minutes.
        assert!((899..=900).contains(&told), "{told}");
        let mut free = LogLimiter::new(0, Instant::ZERO);
        assert!((0..10_000).all(|_| free.admit(Instant::ZERO) == Logged::Yes));
    }
}
