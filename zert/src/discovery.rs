//! Which discovery events one connection gives, and when: pure rules, driven by time that is
//! passed in.

use core::time::Duration;

use hostward_hook::Instant;

/// How long a connection settles before its initiation is reported.
pub const SETTLE: Duration = Duration::from_secs(10);
/// How long the end of a security session waits for the end of its connection.
pub const LINGER: Duration = Duration::from_secs(1);

/// A discovery event of one connection, by the number it has in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// 1: the connection is there, with the protection it has.
    Initiation,
    /// 2: its protection has changed.
    Change,
    /// 3: a connection that was reported has ended.
    Termination,
    /// 4: a connection has ended before it was reported.
    ShortTermination,
}

impl Kind {
    /// The event's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Initiation => 1,
            Self::Change => 2,
            Self::Termination => 3,
            Self::ShortTermination => 4,
        }
    }
}

/// Up to two events, in order.
pub type Steps = [Option<Kind>; 2];

const NOTHING: Steps = [None, None];

const fn one(kind: Kind) -> Steps {
    [Some(kind), None]
}

/// What one connection has reported so far.
///
/// Each input answers which events are due now. [`deadline`](Self::deadline) says when
/// [`tick`](Self::tick) wants to be called.
///
/// ```
/// use hostward_hook::Instant;
/// use hostward_zert::discovery::{Discovery, Kind};
///
/// let mut d = Discovery::tcp(Instant::ZERO);
/// d.handshake_started();
/// assert_eq!(d.handshake_completed(), [None, None]);
/// assert_eq!(d.tick(Instant::from_secs(10)), [Some(Kind::Initiation), None]);
/// assert_eq!(d.closed(), [Some(Kind::Termination), None]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discovery {
    opened: Instant,
    /// The initiation has been reported.
    reported: bool,
    /// A handshake is under way.
    pending: bool,
    /// The initiation is due but waits for the handshake.
    overdue: bool,
    /// The initial state is a protected one.
    protected: bool,
    /// A security session ended; the change is reported then. [`NEVER`] without one: an `Option`
    /// would make every connection eight bytes larger.
    ending: Instant,
}

const NEVER: Instant = Instant::from_micros(u64::MAX);

impl Default for Discovery {
    fn default() -> Self {
        Self::tcp(Instant::ZERO)
    }
}

impl Discovery {
    /// A TCP connection was established.
    #[must_use]
    pub const fn tcp(now: Instant) -> Self {
        Self {
            opened: now,
            reported: false,
            pending: false,
            overdue: false,
            protected: false,
            ending: NEVER,
        }
    }

    /// An Enterprise Extender connection began: its initiation is reported at once.
    #[must_use]
    pub const fn enterprise_extender(now: Instant) -> (Self, Steps) {
        let mut me = Self::tcp(now);
        me.reported = true;
        (me, one(Kind::Initiation))
    }

    /// A handshake was recognised.
    pub const fn handshake_started(&mut self) {
        self.pending = true;
    }

    /// The handshake was completed.
    pub const fn handshake_completed(&mut self) -> Steps {
        self.pending = false;
        self.ending = NEVER;
        if self.protected && !self.reported {
            return self.changed();
        }
        self.protected = true;
        if self.reported {
            one(Kind::Change)
        } else {
            self.late()
        }
    }

    /// Whether the initiation was reported.
    #[must_use]
    pub const fn is_reported(&self) -> bool {
        self.reported
    }

    /// Whether a security session is in effect, also one whose end waits to be reported.
    #[must_use]
    pub const fn is_protected(&self) -> bool {
        self.protected
    }

    /// Whether the end of a security session waits to be reported, and until when.
    #[must_use]
    pub const fn ending(&self) -> Option<Instant> {
        if self.ending.as_micros() == NEVER.as_micros() {
            None
        } else {
            Some(self.ending)
        }
    }

    /// The session that ended goes on all the same: keys were exchanged anew.
    pub const fn session_continues(&mut self) {
        self.ending = NEVER;
    }

    /// The handshake failed, or it brought what was there before: nothing has changed.
    pub const fn handshake_failed(&mut self) -> Steps {
        self.pending = false;
        self.late()
    }

    /// A significant attribute has changed after the initial state.
    pub const fn changed(&mut self) -> Steps {
        self.ending = NEVER;
        if self.reported {
            return one(Kind::Change);
        }
        self.reported = true;
        self.overdue = false;
        [Some(Kind::Initiation), Some(Kind::Change)]
    }

    /// A provider said that the security session ended. The change is held back for a second:
    /// mostly the connection ends too.
    pub const fn session_ended(&mut self, now: Instant) {
        if self.protected && self.ending().is_none() {
            self.ending = now.saturating_add(LINGER);
        }
    }

    /// Time has passed. Doing this early does nothing.
    pub fn tick(&mut self, now: Instant) -> Steps {
        if self.ending().is_some_and(|at| now >= at) {
            self.ending = NEVER;
            self.protected = false;
            return self.changed();
        }
        if self.reported || self.overdue || now < self.opened.saturating_add(SETTLE) {
            return NOTHING;
        }
        if self.pending {
            self.overdue = true;
            return NOTHING;
        }
        self.reported = true;
        one(Kind::Initiation)
    }

    /// The connection has ended.
    pub const fn closed(&mut self) -> Steps {
        self.ending = NEVER;
        if self.reported {
            one(Kind::Termination)
        } else if self.overdue {
            self.reported = true;
            [Some(Kind::Initiation), Some(Kind::Termination)]
        } else {
            one(Kind::ShortTermination)
        }
    }

    /// When the connection has settled, if it has not yet.
    #[must_use]
    pub fn settles(&self) -> Option<Instant> {
        (!self.reported && !self.overdue).then(|| self.opened.saturating_add(SETTLE))
    }

    /// When [`tick`](Self::tick) is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        hostward_hook::hooks::earlier(self.ending(), self.settles())
    }

    const fn late(&mut self) -> Steps {
        if self.overdue {
            self.overdue = false;
            self.reported = true;
            one(Kind::Initiation)
        } else {
            NOTHING
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[derive(Clone, Copy)]
    enum Do {
        Start,
        Complete,
        Fail,
        End,
        Close,
    }

    /// Runs a script of inputs at milliseconds, with ticks whenever they are due, and says which
    /// events came when.
    fn run(script: &[(u64, Do)]) -> Vec<(u64, u8)> {
        let mut d = Discovery::tcp(Instant::ZERO);
        let mut out = Vec::new();
        let mut add = |at: u64, steps: Steps| {
            out.extend(steps.into_iter().flatten().map(|k| (at, k.number())));
        };
        for (at, what) in script {
            let now = Instant::from_millis(*at);
            while let Some(due) = d.deadline().filter(|due| *due <= now) {
                add(due.as_millis(), d.tick(due));
            }
            match what {
                Do::Start => d.handshake_started(),
                Do::Complete => add(*at, d.handshake_completed()),
                Do::Fail => add(*at, d.handshake_failed()),
                Do::End => d.session_ended(now),
                Do::Close => add(*at, d.closed()),
            }
        }
        out
    }

    fn numbers(script: &[(u64, Do)]) -> Vec<u8> {
        run(script).into_iter().map(|(_, n)| n).collect()
    }

    #[test]
    fn clear_text() {
        assert_eq!(numbers(&[(3_000, Do::Close)]), [4]);
        assert_eq!(run(&[(12_000, Do::Close)]), [(10_000, 1), (12_000, 3)]);
    }

    #[test]
    fn tls_from_the_start() {
        let s = [(0, Do::Start), (100, Do::Complete), (12_000, Do::Close)];
        assert_eq!(numbers(&s), [1, 3]);
    }

    #[test]
    fn starttls_before_and_after_settling() {
        let s = [
            (4_000, Do::Start),
            (4_100, Do::Complete),
            (12_000, Do::Close),
        ];
        assert_eq!(numbers(&s), [1, 3]);
        let s = [
            (15_000, Do::Start),
            (15_100, Do::Complete),
            (30_000, Do::Close),
        ];
        assert_eq!(run(&s), [(10_000, 1), (15_100, 2), (30_000, 3)]);
    }

    #[test]
    fn end_of_a_session() {
        let begin = [(0, Do::Start), (50, Do::Complete), (5_000, Do::End)];
        let s = [&begin[..], &[(5_500, Do::Close)]].concat();
        assert_eq!(numbers(&s), [4]);
        let s = [&begin[..], &[(8_000, Do::Close)]].concat();
        assert_eq!(run(&s), [(6_000, 1), (6_000, 2), (8_000, 3)]);
        // The same of a connection that was reported before.
        let begin = [(0, Do::Start), (50, Do::Complete), (20_000, Do::End)];
        let s = [&begin[..], &[(20_900, Do::Close)]].concat();
        assert_eq!(run(&s), [(10_000, 1), (20_900, 3)]);
        let s = [&begin[..], &[(22_000, Do::Close)]].concat();
        assert_eq!(run(&s), [(10_000, 1), (21_000, 2), (22_000, 3)]);
    }

    #[test]
    fn a_handshake_under_way_holds_the_initiation() {
        let s = [
            (9_900, Do::Start),
            (11_000, Do::Complete),
            (20_000, Do::Close),
        ];
        assert_eq!(run(&s), [(11_000, 1), (20_000, 3)]);
        let s = [(9_900, Do::Start), (11_000, Do::Fail), (20_000, Do::Close)];
        assert_eq!(run(&s), [(11_000, 1), (20_000, 3)]);
        let s = [(9_900, Do::Start), (11_000, Do::Close)];
        assert_eq!(run(&s), [(11_000, 1), (11_000, 3)]);
    }

    #[test]
    fn failure_in_a_short_connection() {
        let s = [(0, Do::Start), (200, Do::Fail), (210, Do::Close)];
        assert_eq!(numbers(&s), [4]);
    }

    #[test]
    fn a_second_session_while_settling_is_a_change() {
        let s = [
            (0, Do::Start),
            (50, Do::Complete),
            (3_000, Do::Start),
            (3_050, Do::Complete),
            (4_000, Do::Close),
        ];
        assert_eq!(numbers(&s), [1, 2, 3]);
    }

    #[test]
    fn enterprise_extender() {
        let (mut d, first) = Discovery::enterprise_extender(Instant::ZERO);
        assert_eq!(first, [Some(Kind::Initiation), None]);
        assert_eq!(d.deadline(), None);
        assert_eq!(d.closed(), [Some(Kind::Termination), None]);
    }
}
