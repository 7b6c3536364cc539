//! Most connections make no progress (`GLOBAL_TCP_STALL`): many peers with windows of nearly
//! nothing keep a host busy with waiting.
//!
//! The stall begins with at least 1,000 connections of which half are stalled, and is over when less
//! than a quarter, or at most 450, are.

use hostward_hook::action::{Action, Cx};
use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::flow::FlowKey;
use hostward_hook::ident::JobId;
use hostward_hook::time::Instant;

use crate::codes::{STALL_CONNECTION, STALL_ENTERED, STALL_LEFT};
use crate::event::{ProbeId, Told};
use crate::policy::AttackType;
use crate::report::{Category, Desk, excludes};

/// An active connection, as the host tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "hosts fill it in")]
pub struct ConnectionFact {
    /// The host's own number of the connection.
    pub connection: u64,
    /// Addresses and ports, the other end first.
    pub key: FlowKey,
    /// The job that owns the socket.
    pub job: JobId,
    /// The window that the other end grants, in bytes: scaled (RFC 7323).
    pub window: u32,
    /// The largest it ever granted.
    pub largest_window: u32,
    /// Bytes on the send queue.
    pub queued: u64,
    /// Whether the send queue is full.
    pub full: bool,
    /// Whether something is being sent again.
    pub retransmitting: bool,
}

impl ConnectionFact {
    /// The window is below 256 bytes, or below both the largest it ever was and the least packet
    /// size that every network of its IP version carries (576, 1,280).
    #[must_use]
    pub fn has_small_window(&self) -> bool {
        let least = if self.key.is_v6() { 1280 } else { 576 };
        self.window < 256 || self.window < self.largest_window.min(least)
    }

    /// The send queue is full and nothing is being sent again.
    #[must_use]
    pub const fn is_blocked(&self) -> bool {
        self.full && !self.retransmitting
    }

    /// Either.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.has_small_window() || self.is_blocked()
    }
}

/// The stall of all connections began or is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpStall {
    /// It began.
    pub entered: bool,
    /// Active connections.
    pub connections: u64,
    /// How many of them are stalled.
    pub stalled: u64,
    /// How many have a small window.
    pub small_window: u64,
    /// How many cannot write.
    pub blocked: u64,
    /// Whether the stalled ones are reset.
    pub reset: bool,
    /// Seconds since it began.
    pub duration: u64,
    /// Who is told.
    pub told: Told,
}

impl TcpStall {
    /// The share of some of the connections, in percent.
    #[must_use]
    pub const fn percent(&self, some: u64) -> u64 {
        match some.saturating_mul(100).checked_div(self.connections) {
            Some(share) => share,
            None => 0,
        }
    }
}

const fn action(reset: bool) -> &'static str {
    if reset { "reset" } else { "report" }
}

impl Detail for TcpStall {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str(AttackType::GlobalTcpStall.kind()));
        let name = if self.entered {
            "tcp-stall-entered"
        } else {
            "tcp-stall-left"
        };
        v.field("name", Value::Str(name));
        v.field("action", Value::Str(action(self.reset)));
        v.field("connections", Value::U64(self.connections));
        v.field("stalled", Value::U64(self.stalled));
        v.field("small_window", Value::U64(self.small_window));
        v.field("blocked", Value::U64(self.blocked));
        v.field("duration", Value::U64(self.duration));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

/// A connection that was stalled when the stall of all began.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StalledConnection {
    /// What the host told.
    pub fact: ConnectionFact,
    /// Whether it is reset, or only would have been.
    pub reset: bool,
    /// Who is told.
    pub told: Told,
}

impl Detail for StalledConnection {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str(AttackType::GlobalTcpStall.kind()));
        v.field("name", Value::Str("tcp-stall-connection"));
        v.field("action", Value::Str(action(self.reset)));
        v.field("connection", Value::U64(self.fact.connection));
        v.field("queued", Value::U64(self.fact.queued));
        v.field("window", Value::U64(self.fact.window.into()));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

/// Whether there is a stall, since when, and its correlator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stall {
    since: Option<(Instant, u32)>,
}

impl Stall {
    pub(crate) const fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// Judges all active connections. How many are to be reset is the answer; each is asked for
    /// as an action as long as the host's queue takes it.
    pub(crate) fn facts<'f, I>(&mut self, desk: &mut Desk, cx: &mut Cx<'_>, connections: I) -> u64
    where
        I: Iterator<Item = &'f ConnectionFact> + Clone,
    {
        let Some(rule) = desk.rule(AttackType::GlobalTcpStall).cloned() else {
            self.since = None;
            return 0;
        };
        let counted = |f: &&ConnectionFact| !excludes(&rule.exclusions, &f.key, f.job);
        let (mut total, mut stalled, mut small, mut blocked) = (0_u64, 0_u64, 0_u64, 0_u64);
        for f in connections.clone().filter(counted) {
            total += 1;
            stalled += u64::from(f.is_stalled());
            small += u64::from(f.has_small_window());
            blocked += u64::from(f.is_blocked());
        }
        let now = cx.now.mono;
        let (entered, since, correlator) = match self.since {
            None if total >= 1000 && stalled * 2 >= total => {
                let correlator = desk.correlator();
                self.since = Some((now, correlator));
                (true, now, correlator)
            }
            Some((since, correlator)) if stalled * 4 < total || stalled <= 450 => {
                self.since = None;
                (false, since, correlator)
            }
            None | Some(_) => return 0,
        };
        let category = Category::Attack(AttackType::GlobalTcpStall);
        desk.settle(cx, category);
        let code = if entered { STALL_ENTERED } else { STALL_LEFT };
        let reset = rule.respond && entered;
        let channels = desk.admit(category, &rule.rule, (reset, false), now);
        let probe = ProbeId::attack(AttackType::GlobalTcpStall, code);
        let detail = TcpStall {
            entered,
            connections: total,
            stalled,
            small_window: small,
            blocked,
            reset: rule.respond,
            duration: now.saturating_since(since).as_secs(),
            told: Desk::told(&rule.rule, correlator, probe, channels),
        };
        Desk::tell(cx, code, channels, None, &detail);
        if !entered {
            return 0;
        }
        for f in connections.filter(counted).filter(|f| f.is_stalled()) {
            if rule.rule.reports.detail {
                let channels = desk.admit(category, &rule.rule, (reset, false), now);
                let probe = ProbeId::attack(AttackType::GlobalTcpStall, STALL_CONNECTION);
                let detail = StalledConnection {
                    fact: *f,
                    reset,
                    told: Desk::told(&rule.rule, correlator, probe, channels),
                };
                Desk::tell(cx, STALL_CONNECTION, channels, Some(f.key), &detail);
            }
            if reset {
                cx.actions.act(Action::ResetFlow {
                    key: f.key,
                    reason: STALL_CONNECTION,
                });
            }
        }
        if reset { stalled } else { 0 }
    }
}
