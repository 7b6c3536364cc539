//! Counts of one type of attack, and caps for windows of five minutes.

use core::time::Duration;

use hostward_hook::time::Instant;

use super::Seen;
use crate::event::Channels;
use crate::policy::{Limits, ReportSet, Statistics, StatisticsKind};

/// The window of all caps.
const WINDOW: Duration = Duration::from_secs(300);

/// A window begins with the first event after the one before is over. A clock that is set back
/// begins it anew with what was told so far: nothing is told twice and nothing is silent for long.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) seen: Seen,
    /// Begin of the window.
    begin: Option<Instant>,
    logged: u32,
    shown: u32,
    traced: u32,
    suppressed: u64,
    level: u8,
    /// Begin of the interval of statistics, and what had been seen then.
    since: Option<(Instant, Seen)>,
}

/// Takes one of a capped number; a cap of 0 is none.
fn take(used: &mut u32, cap: u32) -> bool {
    let free = cap == 0 || *used < cap;
    if free {
        *used = used.saturating_add(1);
    }
    free
}

impl Tally {
    pub(super) fn count(&mut self, discarded: bool) {
        self.seen.events = self.seen.events.saturating_add(1);
        self.seen.discarded = self.seen.discarded.saturating_add(discarded.into());
    }

    /// Who may be told; [`over`](Self::over) was asked before.
    pub(super) fn admit(
        &mut self,
        reports: &ReportSet,
        limits: &Limits,
        traced: bool,
        now: Instant,
    ) -> Channels {
        self.begin.get_or_insert(now);
        let mut channels = Channels::default();
        if let Some(level) = reports.log {
            self.level = level.min(7);
            if take(&mut self.logged, limits.log) {
                channels.log = Some(self.level);
            } else {
                self.suppressed = self.suppressed.saturating_add(1);
            }
        }
        channels.console = reports
            .console
            .is_some_and(|cap| take(&mut self.shown, cap));
        if traced && take(&mut self.traced, limits.trace) {
            channels.trace = reports.trace;
        }
        channels
    }

    /// Ends the window if its time is over, and gives the number of suppressed messages and their
    /// severity if there are any.
    pub(super) fn over(&mut self, now: Instant) -> Option<(u64, u8)> {
        let begin = self.begin?;
        if now < begin {
            self.begin = Some(now);
            return None;
        }
        if now < begin.saturating_add(WINDOW) {
            return None;
        }
        self.begin = None;
        (self.logged, self.shown, self.traced) = (0, 0, 0);
        let count = core::mem::take(&mut self.suppressed);
        (count > 0).then_some((count, self.level))
    }

    /// When the number of suppressed messages can be told.
    pub(super) fn summary_due(&self) -> Option<Instant> {
        let begin = self.begin.filter(|_| self.suppressed > 0)?;
        Some(begin.saturating_add(WINDOW))
    }

    fn interval(s: &Statistics) -> Duration {
        Duration::from_secs(u64::from(s.minutes.max(1)) * 60)
    }

    /// When statistics are to be told, or to begin.
    pub(super) fn statistics_due(&self, s: &Statistics) -> Instant {
        self.since.map_or(Instant::ZERO, |(begin, _)| {
            begin.saturating_add(Self::interval(s))
        })
    }

    /// What was seen in an interval that is over, and its seconds, if it is to be told.
    pub(super) fn statistics(&mut self, s: &Statistics, now: Instant) -> Option<(Seen, u64)> {
        let (begin, before) = self.since.get_or_insert((now, self.seen));
        if now < *begin {
            *begin = now;
        }
        if now < begin.saturating_add(Self::interval(s)) {
            return None;
        }
        let seen = Seen {
            events: self.seen.events.saturating_sub(before.events),
            discarded: self.seen.discarded.saturating_sub(before.discarded),
        };
        let seconds = now.saturating_since(*begin).as_secs();
        self.since = Some((now, self.seen));
        let quiet = s.kind == StatisticsKind::Exception && seen.events == 0;
        (!quiet).then_some((seen, seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Instant {
        Instant::from_secs(s)
    }

    #[test]
    fn caps_count_what_they_suppress() {
        let mut t = Tally::default();
        let reports = ReportSet {
            console: Some(5),
            trace: Some(crate::policy::Trace::Full),
            ..ReportSet::log()
        };
        let limits = Limits { log: 100, trace: 7 };
        let (mut log, mut console, mut trace) = (0, 0, 0);
        for n in 0..101 {
            assert_eq!(t.over(at(n)), None);
            let c = t.admit(&reports, &limits, true, at(n));
            log += u32::from(c.log == Some(4));
            console += u32::from(c.console);
            trace += u32::from(c.trace.is_some());
        }
        assert_eq!((log, console, trace), (100, 5, 7));
        assert_eq!(t.summary_due(), Some(at(300)));
        assert_eq!(t.over(at(299)), None);
        assert_eq!(t.over(at(300)), Some((1, 4)));
        assert_eq!(t.over(at(300)), None);
        assert!(t.admit(&reports, &limits, false, at(301)).console);
    }

    #[test]
    fn a_clock_set_back_silences_nothing_for_long() {
        let mut t = Tally::default();
        let (reports, limits) = (ReportSet::log(), Limits { log: 1, trace: 1 });
        assert!(t.admit(&reports, &limits, false, at(1_000_000)).any());
        assert!(!t.admit(&reports, &limits, false, at(1_000_000)).any());
        assert_eq!(t.over(at(10)), None);
        assert!(!t.admit(&reports, &limits, false, at(10)).any());
        assert_eq!(t.over(at(310)), Some((2, 4)));
        assert!(t.admit(&reports, &limits, false, at(310)).any());
    }

    #[test]
    fn no_cap_is_none() {
        let mut t = Tally::default();
        let limits = Limits { log: 0, trace: 0 };
        for _ in 0..1000 {
            assert!(t.admit(&ReportSet::log(), &limits, false, at(1)).any());
        }
    }

    #[test]
    fn exceptions_are_told_if_there_were_any() {
        let mut t = Tally::default();
        let s = Statistics {
            kind: StatisticsKind::Exception,
            minutes: 1,
        };
        assert_eq!(t.statistics_due(&s), Instant::ZERO);
        assert_eq!(t.statistics(&s, at(5)), None);
        assert_eq!(t.statistics_due(&s), at(65));
        assert_eq!(t.statistics(&s, at(65)), None);
        t.count(true);
        t.count(false);
        let seen = Seen {
            events: 2,
            discarded: 1,
        };
        assert_eq!(t.statistics(&s, at(125)), Some((seen, 60)));
        let normal = Statistics {
            kind: StatisticsKind::Normal,
            minutes: 1,
        };
        assert_eq!(t.statistics(&normal, at(185)), Some((Seen::default(), 60)));
    }
}
