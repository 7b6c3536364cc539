//! SYN floods: connections to a port that stay half-open.
//!
//! A port counts from the first SYN-ACK this host sends from it, or from the first SYN if the host
//! has told that it listens; one of which neither is known counts from 64 SYNs a second on, and then
//! only what is younger than three seconds. What completes a handshake is an acknowledgment of that SYN-ACK's very
//! number, which nobody can send who did not receive it. IBM does not publish when a flood begins;
//! here the queue is a number (128, or what the host tells). Connections half-open for more than
//! three seconds fill it; of younger ones, which may be a crowd of clients that are about to answer,
//! every eighth, and of those that were given up by a reset as well. A full queue is told once as expanded; when twice the number is reached a flood
//! begins, and it ends when less than half of it is left.

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use hostward_hook::action::Cx;
use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::flow::HashKey;
use hostward_hook::time::Instant;

use crate::codes::{ACCEPT_QUEUE_EXPANDED, SYN_FLOOD_ENDED, SYN_FLOOD_STARTED};
use crate::event::{ProbeId, Told};
use crate::policy::AttackType;
use crate::report::{Category, Desk};
use crate::table::{FixedMap, Key as _};

/// Seconds until a half-open connection is given up.
const LIFE: usize = 75;

/// Seconds within which ordinary clients answer.
const YOUNG: usize = 3;

/// Places for SYNs to ports of which nothing is known.
const UNKNOWN: usize = 4096;

/// How many of them in a second make a port worth watching: more than a scan of all ports sends to
/// those that share a place.
const BUSY: u8 = 64;

/// How often the end of a flood is looked for.
const STEP: Duration = Duration::from_secs(5);

/// What happened to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SynFloodStep {
    /// Its queue is full and grows.
    Expanded,
    /// The flood began.
    Started,
    /// The flood is over.
    Ended,
}

/// A SYN flood, or what leads to one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SynFlood {
    /// What happened.
    pub step: SynFloodStep,
    /// Local address.
    pub address: IpAddr,
    /// Local port.
    pub port: u16,
    /// Half-open connections now.
    pub half_open: u32,
    /// SYNs received since the flood began.
    pub syns: u64,
    /// Handshakes completed since.
    pub first_acks: u64,
    /// SYNs discarded since.
    pub discarded: u64,
    /// SYNs given up since.
    pub timed_out: u64,
    /// Seconds since.
    pub duration: u64,
    /// Who is told.
    pub told: Told,
}

impl Detail for SynFlood {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str(AttackType::Flood.kind()));
        let name = match self.step {
            SynFloodStep::Expanded => "accept-queue-expanded",
            SynFloodStep::Started => "syn-flood-started",
            SynFloodStep::Ended => "syn-flood-ended",
        };
        v.field("name", Value::Str(name));
        v.field("action", Value::Str("report"));
        v.field("address", Value::Addr(self.address));
        v.field("port", Value::U64(self.port.into()));
        v.field("half_open", Value::U64(self.half_open.into()));
        v.field("syns", Value::U64(self.syns));
        v.field("first_acks", Value::U64(self.first_acks));
        v.field("discarded", Value::U64(self.discarded));
        v.field("timed_out", Value::U64(self.timed_out));
        v.field("duration", Value::U64(self.duration));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Quiet,
    Expanded,
    Flooded,
}

#[derive(Clone, Debug)]
struct Listener {
    /// Opened less completed for each second, the latest at `second`.
    ring: [i32; LIFE],
    second: u64,
    total: i64,
    /// Given up by resets in each of the latest seconds.
    resets: [u32; YOUNG + 1],
    /// It listens, as far as is known.
    known: bool,
    backlog: u32,
    state: State,
    correlator: u32,
    since: Instant,
    syns: u64,
    acks: u64,
    discarded: u64,
}

impl Listener {
    fn new(now: Instant, backlog: u32) -> Self {
        Self {
            ring: [0; LIFE],
            second: now.as_micros() / 1_000_000,
            total: 0,
            resets: [0; YOUNG + 1],
            known: true,
            backlog,
            state: State::Quiet,
            correlator: 0,
            since: now,
            syns: 0,
            acks: 0,
            discarded: 0,
        }
    }

    /// Forgets what is older than a half-open connection gets. A clock that is set back stands
    /// still until it is where it was, or begins anew when it was far ahead.
    fn advance(&mut self, now: Instant) {
        let second = now.as_micros() / 1_000_000;
        let life = LIFE as u64;
        if second + life < self.second || second >= self.second.saturating_add(life) {
            self.ring = [0; LIFE];
            self.resets = [0; YOUNG + 1];
            self.total = 0;
            self.second = second;
        }
        while self.second < second {
            self.second += 1;
            if let Some(slot) = self.ring.get_mut((self.second % life) as usize) {
                self.total -= i64::from(core::mem::take(slot));
            }
            if let Some(slot) = self.resets.get_mut(self.second as usize % (YOUNG + 1)) {
                *slot = 0;
            }
        }
    }

    fn add(&mut self, n: i32) {
        if let Some(slot) = self.ring.get_mut((self.second % LIFE as u64) as usize) {
            *slot = slot.saturating_add(n);
            self.total += i64::from(n);
        }
    }

    fn half_open(&self) -> u32 {
        u32::try_from(self.total.max(0)).unwrap_or(u32::MAX)
    }

    /// How full the queue is.
    fn fill(&self) -> u64 {
        let mut young = 0;
        for ago in 0..=YOUNG as u64 {
            let at = (self.second + LIFE as u64 - ago) % LIFE as u64;
            young += i64::from(self.ring.get(at as usize).copied().unwrap_or(0));
        }
        let young = young.clamp(0, self.total.max(0));
        let old = if self.known {
            self.total.max(0) - young
        } else {
            0
        };
        let resets: u64 = self.resets.iter().map(|n| u64::from(*n)).sum();
        old as u64 + (young as u64).saturating_add(resets) / 8
    }
}

/// Ports that are watched.
#[derive(Clone, Debug)]
pub(crate) struct SynFloods {
    listeners: FixedMap<(IpAddr, u16), Listener>,
    /// SYNs of this second to ports of which nothing is known, by hash.
    unknown: Vec<u8>,
    second: u64,
    key: HashKey,
    backlog: u32,
    /// Ports that are not quiet.
    active: u32,
    next: Option<Instant>,
}

impl SynFloods {
    pub(crate) fn new(listeners: usize, backlog: u32) -> Self {
        Self {
            listeners: FixedMap::new(listeners),
            unknown: vec![0; UNKNOWN],
            second: 0,
            key: HashKey::new([0; 16]),
            backlog: backlog.max(1),
            active: 0,
            next: None,
        }
    }

    pub(crate) fn set_key(&mut self, key: HashKey) {
        self.key = key.derive(1);
        self.listeners.set_key(key);
    }

    /// Whether so many SYNs come to a port of which nothing is known that it is to be watched.
    fn is_busy(&mut self, at: (IpAddr, u16), now: Instant) -> bool {
        let second = now.as_micros() / 1_000_000;
        if second != self.second {
            self.second = second;
            self.unknown.fill(0);
        }
        let place = self.key.hash(at.words(), 0) as usize % UNKNOWN;
        self.unknown.get_mut(place).is_some_and(|n| {
            *n = n.saturating_add(1);
            *n >= BUSY
        })
    }

    /// The host tells how long the queue of a port is.
    pub(crate) fn set_backlog(&mut self, at: (IpAddr, u16), backlog: u32, now: Instant) {
        let backlog = backlog.max(1);
        if let Some(l) = self.listeners.entry(&at, || Listener::new(now, backlog)) {
            l.backlog = backlog;
        }
    }

    /// The port is not listened on any more.
    pub(crate) fn forget(&mut self, at: (IpAddr, u16)) {
        if let Some(l) = self.listeners.remove(&at)
            && l.state != State::Quiet
        {
            self.active = self.active.saturating_sub(1);
        }
    }

    pub(crate) fn is_flooded(&self, at: (IpAddr, u16)) -> bool {
        let listener = self.listeners.get(&at);
        listener.is_some_and(|l| l.state == State::Flooded)
    }

    /// A SYN that opens a connection came in.
    pub(crate) fn syn(&mut self, desk: &mut Desk, cx: &mut Cx<'_>, at: (IpAddr, u16), bound: bool) {
        let (now, backlog) = (cx.now.mono, self.backlog);
        let listener = if bound {
            self.listeners.entry(&at, || Listener::new(now, backlog))
        } else if self.listeners.get(&at).is_some() {
            self.listeners.get_mut(&at)
        } else if self.is_busy(at, now) {
            self.listeners.entry(&at, || Listener {
                known: false,
                ..Listener::new(now, backlog)
            })
        } else {
            None
        };
        if let Some(l) = listener {
            l.advance(now);
            l.add(1);
            l.syns = l.syns.saturating_add(1);
            self.judge(desk, cx, at);
        }
    }

    /// The host answered one: it listens.
    pub(crate) fn answered(&mut self, at: (IpAddr, u16), now: Instant) {
        if let Some(l) = self.listeners.get_mut(&at) {
            l.known = true;
            return;
        }
        let backlog = self.backlog;
        if self
            .listeners
            .entry(&at, || Listener::new(now, backlog))
            .is_none()
        {
            // Make room: what is quiet and has nothing half-open.
            self.listeners.retain(|_, l| {
                l.advance(now);
                l.state != State::Quiet || l.total > 0
            });
        }
        if let Some(l) = self.listeners.entry(&at, || Listener::new(now, backlog)) {
            l.advance(now);
            l.add(1);
            l.syns = l.syns.saturating_add(1);
        }
    }

    /// A handshake was completed, or the client gave it up.
    pub(crate) fn closed(&mut self, at: (IpAddr, u16), completed: bool, now: Instant) {
        if let Some(l) = self.listeners.get_mut(&at) {
            l.advance(now);
            l.add(-1);
            if !completed && let Some(n) = l.resets.get_mut(l.second as usize % (YOUNG + 1)) {
                *n = n.saturating_add(1);
            }
            l.acks = l.acks.saturating_add(completed.into());
        }
    }

    /// The host, or somebody on its behalf, discarded SYNs.
    pub(crate) fn discarded(&mut self, at: (IpAddr, u16), count: u64) {
        if let Some(l) = self.listeners.get_mut(&at) {
            l.discarded = l.discarded.saturating_add(count);
        }
    }

    fn judge(&mut self, desk: &mut Desk, cx: &mut Cx<'_>, at: (IpAddr, u16)) {
        let Some(l) = self.listeners.get_mut(&at) else {
            return;
        };
        let (fill, backlog) = (l.fill(), u64::from(l.backlog));
        if l.state == State::Quiet && fill >= backlog {
            l.state = State::Expanded;
            l.correlator = desk.correlator();
            self.active += 1;
            self.next.get_or_insert(cx.now.mono.saturating_add(STEP));
            tell(desk, cx, at, l, SynFloodStep::Expanded);
        }
        if l.state == State::Expanded && fill >= backlog * 2 {
            l.state = State::Flooded;
            l.since = cx.now.mono;
            (l.syns, l.acks, l.discarded) = (0, 0, 0);
            tell(desk, cx, at, l, SynFloodStep::Started);
        } else if l.state != State::Quiet && fill < backlog.div_ceil(2) {
            if l.state == State::Flooded {
                tell(desk, cx, at, l, SynFloodStep::Ended);
            }
            l.state = State::Quiet;
            self.active = self.active.saturating_sub(1);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.next.filter(|_| self.active > 0)
    }

    pub(crate) fn handle_deadline(&mut self, desk: &mut Desk, cx: &mut Cx<'_>) {
        let now = cx.now.mono;
        let early = |at: Instant| now < at && at <= now.saturating_add(STEP);
        if self.active == 0 || self.next.is_some_and(early) {
            return;
        }
        self.next = Some(now.saturating_add(STEP));
        // At most as many as are not quiet, found by a walk over the table.
        let mut place = 0;
        let is_active = |l: &Listener| l.state != State::Quiet;
        while let Some((at, key)) = self.listeners.next_from(place, is_active) {
            place = at;
            if let Some(l) = self.listeners.get_mut(&key) {
                l.advance(now);
            }
            self.judge(desk, cx, key);
        }
        if self.active == 0 {
            self.next = None;
        }
    }
}

#[cold]
fn tell(desk: &mut Desk, cx: &mut Cx<'_>, at: (IpAddr, u16), l: &Listener, step: SynFloodStep) {
    let Some(rule) = desk.rule(AttackType::Flood).cloned() else {
        return;
    };
    let code = match step {
        SynFloodStep::Expanded => ACCEPT_QUEUE_EXPANDED,
        SynFloodStep::Started => SYN_FLOOD_STARTED,
        SynFloodStep::Ended => SYN_FLOOD_ENDED,
    };
    let category = Category::Attack(AttackType::Flood);
    desk.settle(cx, category);
    let channels = desk.admit(category, &rule.rule, (false, false), cx.now.mono);
    let half_open = l.half_open();
    let open = l
        .acks
        .saturating_add(l.discarded)
        .saturating_add(half_open.into());
    let detail = SynFlood {
        step,
        address: at.0,
        port: at.1,
        half_open,
        syns: l.syns,
        first_acks: l.acks,
        discarded: l.discarded,
        timed_out: l.syns.saturating_sub(open),
        duration: match step {
            SynFloodStep::Ended => cx.now.mono.saturating_since(l.since).as_secs(),
            SynFloodStep::Expanded | SynFloodStep::Started => 0,
        },
        told: Desk::told(
            &rule.rule,
            l.correlator,
            ProbeId::attack(AttackType::Flood, code),
            channels,
        ),
    };
    Desk::tell(cx, code, channels, None, &detail);
}
