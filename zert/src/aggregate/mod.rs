//! Aggregation: what protected how many connections, counted by security session over an interval
//! (z/OS: zERT aggregation, SMF 119 subtype 12).
//!
//! A *session* is seen from the server: who serves whom under which port, for which local owner,
//! protected how. Connections of equal sessions are counted together; a connection that is
//! protected twice (TLS in a tunnel) counts in both sessions, one without protection in a session
//! that says so. Ephemeral ports, session ids, lifetimes and the like do not tell sessions apart.
//!
//! An [`Aggregator`] is fed with the events of discovery — it is an
//! [`EventSink`], and [`Aggregator::record`] takes the same by
//! hand — and with the counters of connections that go on ([`Aggregator::traffic`]). At the end of
//! an interval [`Aggregator::interval`] gives a [`Summary`] of each session that was in use.
//!
//! # Bounds
//!
//! | what | bound | there |
//! |---|---|---|
//! | sessions | [`Config::sessions`] | counted in the overflow session of their protocol and view: addresses unspecified, port 0 |
//! | sets of attributes | [`Config::attributes`] | the same |
//! | connections followed at once | [`Config::connections`] | counted whole at their end, under the protection they have then |
//!
//! What met a bound is counted ([`Aggregator::counts`]) and told once an interval by an event of
//! class [`Capacity`](hostward_hook::Class::Capacity).

mod attributes;
mod counters;
mod interval;
mod port;
mod session;
mod table;

use core::time::Duration;

use alloc::boxed::Box;
use alloc::vec::Vec;

use hostward_hook::action::Cx;
use hostward_hook::event::{Class, Event, EventSink};
use hostward_hook::flow::{FlowId, HashKey};
use hostward_hook::reason::Code;
use hostward_hook::time::Now;

use crate::code;
use crate::discovery::SETTLE;
use crate::record::{Protocol, Record, Traffic};

pub use attributes::{Attributes, Detail, Facts};
pub use counters::Counters;
pub use interval::boundary;
pub use port::{ServerEnd, ServerPortClassifier, UsualPorts};
pub use session::{SessionId, SessionKey};

use attributes::Part;
use table::{Connection, Connections, Link, Sessions};

/// The IP protocol of a connection: by what protects it, and UDP for Enterprise Extender, which is
/// known by its ports.
#[must_use]
pub fn ip_protocol(record: &Record) -> u8 {
    const EXTENDER: core::ops::RangeInclusive<u16> = 12_000..=12_004;
    match record.protocol {
        Protocol::Dtls | Protocol::Quic | Protocol::Ike | Protocol::Wireguard => 17,
        Protocol::Esp => 50,
        Protocol::Ah => 51,
        Protocol::None | Protocol::Tls | Protocol::Ssh | Protocol::Ipsec => {
            let both = [record.client.port(), record.server.port()];
            if both.iter().all(|p| EXTENDER.contains(p)) {
                17
            } else {
                6
            }
        }
    }
}

/// Bounds and choices.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made to be written with update syntax"
)]
pub struct Config {
    /// Sessions of an interval.
    pub sessions: usize,
    /// Different sets of significant attributes.
    pub attributes: usize,
    /// Connections followed at once.
    pub connections: usize,
    /// Which attributes tell sessions apart.
    pub detail: Detail,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sessions: 1 << 20,
            attributes: 1 << 16,
            connections: 1 << 20,
            detail: Detail::Base,
        }
    }
}

/// How much met a bound, since the aggregator was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections that were counted in an overflow session.
    pub overflowed: u64,
    /// Connections that were not followed, but counted at their end.
    pub unfollowed: u64,
    /// Events of connections older than aggregation, which are not counted.
    pub older: u64,
}

/// Why a summary is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The interval is over.
    Interval,
    /// Aggregation is being switched off.
    EndOfStatistics,
    /// The stack is ending.
    Shutdown,
    /// Aggregation was switched on; there is no session.
    Enabled,
    /// Aggregation was switched off; there is no session.
    Disabled,
}

/// One session over one interval, or that aggregation was switched.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Summary<'a> {
    /// Why it is written.
    pub reason: Reason,
    /// When.
    pub now: Now,
    /// Length of the interval.
    pub interval: Duration,
    /// No more summaries of this set follow.
    pub is_last: bool,
    /// The session; `None` if aggregation was switched.
    pub session: Option<Session<'a>>,
}

/// A session and its counters.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Session<'a> {
    /// Who talks to whom.
    pub key: &'a SessionKey,
    /// Names the session among all.
    pub id: SessionId,
    /// How it is protected.
    pub attributes: &'a Attributes,
    /// It stands for sessions that had no place.
    pub is_overflow: bool,
    /// Counters at the beginning of the interval.
    pub init: &'a Counters,
    /// Counters at its end.
    pub end: &'a Counters,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It was counted.
    Counted,
    /// It was counted, in an overflow session.
    Overflowed,
    /// The connection is not followed: it will be counted at its end.
    Unfollowed,
    /// It says nothing to be counted: aggregation is off, the connection is older, or the event is
    /// of another kind.
    Ignored,
}

/// Counts connections by security session. See the [module](self).
pub struct Aggregator {
    config: Config,
    ports: Box<dyn ServerPortClassifier + Send>,
    /// Since when; `None` while switched off.
    enabled: Option<Now>,
    /// Beginning of the interval.
    began: Now,
    sessions: Sessions,
    connections: Connections,
    scratch: Vec<u8>,
    counts: Counts,
    /// What is to be told of bounds in this interval, and what was.
    told: Told,
}

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    overflow: Option<bool>,
    unfollowed: Option<bool>,
}

impl core::fmt::Debug for Aggregator {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Aggregator")
            .field("config", &self.config)
            .field("enabled", &self.enabled)
            .field("sessions", &self.sessions.len())
            .field("connections", &self.connections.len())
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Aggregator {
    /// An aggregator with these bounds, switched on now. The key must come from a good random
    /// source: addresses and ports of sessions are chosen by others.
    #[must_use]
    pub fn new(config: Config, key: HashKey, now: Now) -> Self {
        Self {
            sessions: Sessions::new(&config, key.derive(1)),
            connections: Connections::new(config.connections, key.derive(2)),
            config,
            ports: Box::new(UsualPorts::default()),
            enabled: Some(now),
            began: now,
            scratch: Vec::new(),
            counts: Counts::default(),
            told: Told::default(),
        }
    }

    /// The same with another rule for server ports.
    #[must_use]
    pub fn ports(mut self, ports: impl ServerPortClassifier + Send + 'static) -> Self {
        self.ports = Box::new(ports);
        self
    }

    /// Whether it is switched on.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled.is_some()
    }

    /// Sessions that are held, overflow sessions included.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Connections that are followed.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// How much met a bound.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes an event of discovery about a connection: initiation, change, termination or short
    /// termination, and the record as it stands.
    pub fn record(&mut self, event: Code, record: &Record, now: Now) -> Outcome {
        let Some(enabled) = self.enabled else {
            return Outcome::Ignored;
        };
        let Some(flow) = record.flow else {
            return Outcome::Ignored;
        };
        let ended = match event {
            code::INITIATION | code::CHANGE => false,
            code::TERMINATION | code::SHORT_TERMINATION => true,
            _ => return Outcome::Ignored,
        };
        if record.opened.mono < enabled.mono {
            self.counts.older = self.counts.older.saturating_add(1);
            return Outcome::Ignored;
        }
        match self.connections.get_mut(flow) {
            Some(connection) => {
                advance(&mut self.sessions, connection, record.traffic);
                if event == code::CHANGE {
                    return self.changed(flow, record);
                }
                if ended {
                    self.ended(flow, record, now);
                }
                Outcome::Counted
            }
            None if ended => self.whole(record, now),
            None => self.begun(flow, record),
        }
    }

    /// Counters of a connection that goes on. A host calls it for open connections before it ends
    /// an interval, and as often as it likes in between. Says whether the connection is followed.
    pub fn traffic(&mut self, flow: FlowId, traffic: Traffic) -> bool {
        let Some(connection) = self.connections.get_mut(flow) else {
            return false;
        };
        advance(&mut self.sessions, connection, traffic);
        true
    }

    /// The sessions of a connection as it stands.
    fn links(&mut self, record: &Record) -> ([Option<Link>; 4], bool) {
        let end = self.ports.server_end(record);
        let same_host = record.client.ip() == record.server.ip();
        let mut links = [None; 4];
        let mut overflowed = false;
        let views = [Some(end.is_local), same_host.then_some(!end.is_local)];
        let mut places = links.iter_mut();
        for part in Part::of(record).into_iter().flatten() {
            part.canonical(record, self.config.detail, &mut self.scratch);
            for (i, is_server) in views.into_iter().flatten().enumerate() {
                let key = SessionKey::of(record, end, is_server);
                let detail = self.config.detail;
                let (session, full) =
                    self.sessions
                        .find(&key, part.protocol(record), &self.scratch, || {
                            part.attributes(record, detail)
                        });
                overflowed |= full;
                if let Some(place) = places.next() {
                    *place = Some(Link {
                        session,
                        swapped: i > 0,
                        is_tunnel: part == Part::Ipsec,
                    });
                }
            }
        }
        if overflowed {
            self.counts.overflowed = self.counts.overflowed.saturating_add(1);
            self.told.overflow.get_or_insert(false);
        }
        (links, overflowed)
    }

    /// A connection that is to be followed.
    fn begun(&mut self, flow: FlowId, record: &Record) -> Outcome {
        if self.connections.is_full() {
            self.counts.unfollowed = self.counts.unfollowed.saturating_add(1);
            self.told.unfollowed.get_or_insert(false);
            return Outcome::Unfollowed;
        }
        let (links, overflowed) = self.links(record);
        for link in links.into_iter().flatten() {
            self.sessions.count(link.session, |c| {
                c.connections = c.connections.saturating_add(1);
                c.active = c.active.saturating_add(1);
                c.add(record.traffic, link.swapped);
            });
        }
        let mut connection = Connection {
            flow,
            links,
            last: record.traffic,
            failed: false,
        };
        fail(&mut self.sessions, &mut connection, record);
        self.connections.insert(connection);
        if overflowed {
            Outcome::Overflowed
        } else {
            Outcome::Counted
        }
    }

    /// The protection of a followed connection has changed.
    fn changed(&mut self, flow: FlowId, record: &Record) -> Outcome {
        let (links, overflowed) = self.links(record);
        let Some(connection) = self.connections.get_mut(flow) else {
            return Outcome::Ignored;
        };
        let before = connection.links;
        for link in before.into_iter().flatten() {
            if !links.contains(&Some(link)) {
                self.sessions.count(link.session, |c| {
                    c.partial = c.partial.saturating_add(1);
                    c.active = c.active.saturating_sub(1);
                });
            }
        }
        for link in links.into_iter().flatten() {
            if !before.contains(&Some(link)) {
                self.sessions.count(link.session, |c| {
                    c.connections = c.connections.saturating_add(1);
                    c.partial = c.partial.saturating_add(1);
                    c.active = c.active.saturating_add(1);
                });
            }
        }
        connection.links = links;
        fail(&mut self.sessions, connection, record);
        if overflowed {
            Outcome::Overflowed
        } else {
            Outcome::Counted
        }
    }

    /// A followed connection has ended, in the sessions it was in: what became known of their
    /// attributes meanwhile is no other protection.
    fn ended(&mut self, flow: FlowId, record: &Record, now: Now) {
        let Some(mut connection) = self.connections.remove(flow) else {
            return;
        };
        fail(&mut self.sessions, &mut connection, record);
        let short = is_short(record, now);
        for link in connection.links() {
            self.sessions.count(link.session, |c| {
                c.active = c.active.saturating_sub(1);
                c.short = c.short.saturating_add(short.into());
            });
        }
    }

    /// A connection that was not followed has ended.
    fn whole(&mut self, record: &Record, now: Now) -> Outcome {
        let (links, overflowed) = self.links(record);
        let short = is_short(record, now);
        for link in links.into_iter().flatten() {
            self.sessions.count(link.session, |c| {
                c.connections = c.connections.saturating_add(1);
                c.short = c.short.saturating_add(short.into());
                c.add(record.traffic, link.swapped);
            });
        }
        if record.failed {
            count_failure(&mut self.sessions, links);
        }
        if overflowed {
            Outcome::Overflowed
        } else {
            Outcome::Counted
        }
    }

    /// Ends the interval: gives every session that was in use, and begins the next one. Sessions
    /// without an open connection are forgotten then; should they come again, they count from zero.
    pub fn interval(&mut self, cx: &mut Cx<'_>, sink: &mut dyn FnMut(&Summary<'_>)) {
        if self.enabled.is_some() {
            self.write(cx, Reason::Interval, sink);
        }
    }

    /// Gives the closing set: the stack is ending. The aggregator is empty then and goes on.
    pub fn shutdown(&mut self, cx: &mut Cx<'_>, sink: &mut dyn FnMut(&Summary<'_>)) {
        if self.enabled.is_some() {
            self.write(cx, Reason::Shutdown, sink);
            self.clear();
        }
    }

    /// Switches it on or off. Switched on it tells so and counts the connections that begin from
    /// then on; switched off it gives the closing set, tells, and forgets everything.
    pub fn set_enabled(
        &mut self,
        cx: &mut Cx<'_>,
        enabled: bool,
        sink: &mut dyn FnMut(&Summary<'_>),
    ) {
        let mut switched = |reason| {
            sink(&Summary {
                reason,
                now: cx.now,
                interval: Duration::ZERO,
                is_last: true,
                session: None,
            });
        };
        match (self.enabled, enabled) {
            (None, true) => {
                self.enabled = Some(cx.now);
                self.began = cx.now;
                switched(Reason::Enabled);
            }
            (Some(_), false) => {
                self.write(cx, Reason::EndOfStatistics, sink);
                self.clear();
                self.enabled = None;
                sink(&Summary {
                    reason: Reason::Disabled,
                    now: cx.now,
                    interval: Duration::ZERO,
                    is_last: true,
                    session: None,
                });
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    fn clear(&mut self) {
        self.sessions.clear();
        self.connections.clear();
    }

    fn write(&mut self, cx: &mut Cx<'_>, reason: Reason, sink: &mut dyn FnMut(&Summary<'_>)) {
        self.tell(cx);
        self.told = Told::default();
        let interval = cx.now.mono.saturating_since(self.began.mono);
        self.began = cx.now;
        let now = cx.now;
        self.sessions.interval(&mut |session, is_last| {
            sink(&Summary {
                reason,
                now,
                interval,
                is_last,
                session: Some(session),
            });
        });
    }

    /// Tells which bounds were met since the interval began, once each.
    pub fn tell(&mut self, cx: &mut Cx<'_>) {
        if !cx.events.wants(Class::Capacity) {
            return;
        }
        for (state, code) in [
            (&mut self.told.overflow, code::SESSIONS_FULL),
            (
                &mut self.told.unfollowed,
                code::AGGREGATION_CONNECTIONS_FULL,
            ),
        ] {
            if *state == Some(false) {
                *state = Some(true);
                let event = cx.event(code, Class::Capacity, &());
                cx.events.emit(&event);
            }
        }
    }
}

/// The events of discovery; others are passed over.
impl EventSink for Aggregator {
    fn wants(&self, class: Class) -> bool {
        class == Class::Progress && self.enabled.is_some()
    }

    fn emit(&mut self, event: &Event<'_>) {
        let record = event.detail.as_any();
        if let Some(record) = record.and_then(|d| d.downcast_ref::<Record>()) {
            self.record(event.code, record, event.now);
        }
    }
}

/// Counts what went over a connection since it was last looked at.
fn advance(sessions: &mut Sessions, connection: &mut Connection, traffic: Traffic) {
    let before = core::mem::replace(&mut connection.last, traffic);
    let more = Traffic {
        in_bytes: traffic.in_bytes.saturating_sub(before.in_bytes),
        out_bytes: traffic.out_bytes.saturating_sub(before.out_bytes),
        in_packets: traffic.in_packets.saturating_sub(before.in_packets),
        out_packets: traffic.out_packets.saturating_sub(before.out_packets),
    };
    if more == Traffic::default() {
        return;
    }
    for link in connection.links() {
        sessions.count(link.session, |c| c.add(more, link.swapped));
    }
}

/// Counts a failed handshake, once a connection.
fn fail(sessions: &mut Sessions, connection: &mut Connection, record: &Record) {
    if record.failed && !connection.failed {
        connection.failed = true;
        count_failure(sessions, connection.links);
    }
}

/// Counts a failed handshake in the sessions of a connection; the tunnel below it did not fail, and
/// counts it only where there is no other.
fn count_failure(sessions: &mut Sessions, links: [Option<Link>; 4]) {
    let only_tunnels = links.iter().flatten().all(|l| l.is_tunnel);
    for link in links.into_iter().flatten() {
        if only_tunnels || !link.is_tunnel {
            sessions.count(link.session, |c| c.failed = c.failed.saturating_add(1));
        }
    }
}

fn is_short(record: &Record, now: Now) -> bool {
    now.mono.saturating_since(record.opened.mono) < SETTLE
}
