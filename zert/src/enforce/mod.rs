//! Enforcement: ordered rules about how connections are protected, and what is done with those that match.
//!
//! A connection is evaluated when its initial state is established — a handshake completed or failed, clear text beyond
//! the bound in which a handshake may begin, ten seconds, or its end — and again at each significant change. Each of its
//! sessions (TLS or SSH, IPsec) is matched on its own, one that has none as unprotected; the first rule in order that
//! matches decides, and none means that the connection is permitted silently. A connection that maps to the rule it
//! mapped to before does not repeat its actions. What is not known matches nothing: a rule that needs it is passed over,
//! and a connection whose beginning was not seen is never called unprotected.
//!
//! For TLS and SSH only what was observed on the stream is looked at; IPsec is what the stack tells.

mod algorithms;
mod message;
mod protection;
mod rule;
pub mod weak;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use hostward_hook::action::{Action as HostAction, Cx};
use hostward_hook::event::Class;
use hostward_hook::ident::{Names, RuleId};
use hostward_hook::reason::Code;
use hostward_hook::time::Instant;

use crate::code;
use crate::record::{Protocol, Record};

pub use message::{Enforced, Notice, Outcome};
pub use protection::{Condition, Kind, Match, Observed, Pattern, Protection, Truth};
pub use rule::{Action, Addresses, Connection, NamePattern, Opened, Rule, RuleSet};

/// Why a connection is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Its initial state is established.
    Initial,
    /// Its protection has changed.
    Change,
    /// It has ended before it was evaluated; there is nothing left to reset.
    Ended,
    /// The host asked for it, after other rules were installed.
    Request,
}

/// What enforcement keeps of a connection: the rules its sessions map to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// Identities of rules, 0 for none.
    rules: [u32; 2],
    evaluated: bool,
    reset: bool,
}

impl Mapped {
    /// Whether the connection was evaluated at all.
    #[must_use]
    pub const fn is_evaluated(&self) -> bool {
        self.evaluated
    }

    /// Whether a rule has had the connection reset.
    #[must_use]
    pub const fn is_reset(&self) -> bool {
        self.reset
    }
}

/// Bounds and choices.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made to be written with update syntax"
)]
pub struct Config {
    /// Messages of one rule in one interval, those to log and console counted separately. More are counted, and the
    /// next message of the rule tells how many.
    pub messages: u32,
    /// The interval.
    pub interval: Duration,
    /// A destination of records takes those that policy asks for (`ZERTDETAILBYPOLICY` or `ZERTSERVICEBYPOLICY`).
    /// Without one no audit record is made.
    pub audit: bool,
}

impl Default for Config {
    /// Ten messages of a rule in ten seconds; audit records are taken.
    fn default() -> Self {
        Self {
            messages: 10,
            interval: Duration::from_secs(10),
            audit: true,
        }
    }
}

/// What was done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Evaluations.
    pub evaluated: u64,
    /// Sessions that mapped to another rule than before.
    pub mapped: u64,
    /// Messages to log and console.
    pub messages: u64,
    /// Messages left out because their rule gave too many.
    pub suppressed: u64,
    /// Audit records.
    pub audits: u64,
    /// Connections that were reset; simulated ones do not count.
    pub resets: u64,
    /// Resets that were lost because the host had not drained its actions. They are tried again when the connection is
    /// evaluated again.
    pub resets_lost: u64,
}

/// How many messages a rule gave lately: one for the log, one for the console.
#[derive(Clone, Copy, Debug, Default)]
struct Meter {
    since: Instant,
    given: u32,
    /// Left out since the last message.
    suppressed: u64,
}

impl Meter {
    /// Takes a message; how many were left out before it, or nothing when it is one too many.
    fn take(&mut self, now: Instant, config: &Config) -> Option<u64> {
        if now.saturating_since(self.since) >= config.interval {
            self.since = now;
            self.given = 0;
        }
        if self.given >= config.messages {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.given += 1;
        Some(core::mem::take(&mut self.suppressed))
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Tells the rule from others, also after it moved in a later set.
    identity: u32,
    log: Meter,
    console: Meter,
}

/// Evaluates connections by rules.
pub struct Enforcement {
    config: Config,
    rules: Arc<RuleSet>,
    /// By the position of the rule.
    states: Vec<State>,
    identities: u32,
    names: Option<Box<dyn Names + Send>>,
    counts: Counts,
}

impl fmt::Debug for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Enforcement")
            .field("config", &self.config)
            .field("rules", &self.rules)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Default for Enforcement {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Enforcement {
    /// Without rules.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            rules: Arc::default(),
            states: Vec::new(),
            identities: 0,
            names: None,
            counts: Counts::default(),
        }
    }

    /// The same with names of jobs and users. Without them rules that ask for a name match nothing.
    #[must_use]
    pub fn names(mut self, names: Box<dyn Names + Send>) -> Self {
        self.names = Some(names);
        self
    }

    /// The same with rules from the start.
    #[must_use]
    pub fn rules(mut self, rules: Arc<RuleSet>) -> Self {
        self.install(rules);
        self
    }

    /// The rules in force.
    #[must_use]
    pub fn rule_set(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// What was done so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Installs other rules: for new connections and later changes of those there are. `enabled` says whether
    /// connections are observed at all; if not, and if audit records are asked for that nobody takes, an event tells.
    pub fn set_rules(&mut self, cx: &mut Cx<'_>, rules: Arc<RuleSet>, enabled: bool) {
        self.install(rules);
        self.tell_if_in_vain(cx, enabled);
    }

    /// Tells what stands against the rules in force: that connections are not observed, that nobody takes audit records.
    pub fn tell_if_in_vain(&self, cx: &mut Cx<'_>, enabled: bool) {
        if !cx.events.wants(Class::Control) {
            return;
        }
        let rules = self.rules.rules();
        let audits = !self.config.audit && rules.iter().any(|r| r.action.audit);
        let not_enabled = !rules.is_empty() && !enabled;
        for (holds, code, notice) in [
            (not_enabled, code::NOT_ENABLED, Notice::NotEnabled),
            (audits, code::NO_AUDIT, Notice::NoAudit),
        ] {
            if holds {
                let mut event = cx.event(code, Class::Control, &notice);
                event.generation = self.rules.generation();
                cx.events.emit(&event);
            }
        }
    }

    fn install(&mut self, rules: Arc<RuleSet>) {
        let before = self.rules.rules().iter().zip(&self.states);
        let before: BTreeMap<&str, (&Rule, State)> =
            before.map(|(r, s)| (&*r.name, (r, *s))).collect();
        let mut states = Vec::with_capacity(rules.rules().len());
        for rule in rules.rules() {
            // The same rule as before keeps its connections; one that was changed is another.
            let same = before.get(&*rule.name).filter(|(old, _)| *old == rule);
            states.push(same.map_or_else(
                || {
                    self.identities = self.identities.wrapping_add(1).max(1);
                    State {
                        identity: self.identities,
                        ..State::default()
                    }
                },
                |(_, state)| *state,
            ));
        }
        self.states = states;
        self.rules = rules;
    }

    /// The position of the rule that decides about a session, if any.
    fn first_match(
        &self,
        connection: &Connection<'_>,
        seen: &Observed<'_>,
        kind: Kind,
    ) -> Option<usize> {
        self.rules.rules().iter().position(|rule| {
            rule.protection.kind == kind
                && rule
                    .is_about(connection)
                    .and(rule.protection.matches(seen, kind))
                    .is_true()
        })
    }

    /// Evaluates a connection and does what the rules say that its sessions map to. Answers the name of the rule that has
    /// it reset, if one has now. O(rules).
    ///
    /// Records that are not of TCP connections are left alone.
    pub fn evaluate(
        &mut self,
        cx: &mut Cx<'_>,
        record: &Record,
        mapped: &mut Mapped,
        cause: Cause,
    ) -> Option<Arc<str>> {
        match record.protocol {
            Protocol::None | Protocol::Tls | Protocol::Ssh | Protocol::Ipsec => {}
            Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard => return None,
        }
        mapped.evaluated = true;
        if self.rules.rules().is_empty() {
            return None;
        }
        self.counts.evaluated = self.counts.evaluated.saturating_add(1);
        let seen = Observed::of(record);
        let names = self.names.as_deref();
        let connection = Connection {
            local: record.local(),
            remote: record.remote(),
            local_opened: record.local_opened,
            job: names.and_then(|n| n.job(record.job)),
            user: names.and_then(|n| n.user(record.user)),
        };
        let sessions = seen.sessions();
        let found = sessions.map(|kind| self.first_match(&connection, &seen, kind?));
        // The texts are the event's own: it may go to another thread.
        let (job, user) = (
            connection.job.map(Into::into),
            connection.user.map(Into::into),
        );
        let mut reset = None;
        for ((kind, at), place) in sessions.into_iter().zip(found).zip(0..) {
            let identity = at
                .and_then(|at| self.states.get(at))
                .map_or(0, |s| s.identity);
            let before = mapped
                .rules
                .get_mut(place)
                .map(|m| core::mem::replace(m, identity));
            let (Some(kind), Some(at)) = (kind, at) else {
                continue;
            };
            let rules = Arc::clone(&self.rules);
            let Some(rule) = rules.rules().get(at) else {
                continue;
            };
            let owed = rule.action.reset && !mapped.reset && before == Some(identity);
            if before == Some(identity) && !owed {
                continue;
            }
            if owed && (rules.is_simulated() || cause == Cause::Ended) {
                continue;
            }
            let mut told = Enforced::new(record, kind, rule, (&job, &user), rules.is_simulated());
            told.cause = cause;
            if owed {
                // Its reset was lost before.
                reset = reset.or_else(|| self.reset(cx, at, rule, &told, mapped));
                continue;
            }
            self.counts.mapped = self.counts.mapped.saturating_add(1);
            told.outcome = match (rule.action.reset, rules.is_simulated()) {
                (true, true) => Outcome::WouldReset,
                (true, false) if cause != Cause::Ended => Outcome::Reset,
                _ => Outcome::Logged,
            };
            self.tell(cx, at, rule, &mut told);
            if told.outcome == Outcome::Reset {
                reset = reset.or_else(|| self.reset(cx, at, rule, &told, mapped));
            } else if told.outcome == Outcome::WouldReset {
                self.emit(cx, at, code::ENFORCEMENT_RESET, Class::Decision, &told);
            }
        }
        reset
    }

    /// Messages and the audit record, which comes before a reset.
    fn tell(&mut self, cx: &mut Cx<'_>, at: usize, rule: &Rule, told: &mut Enforced) {
        let now = cx.now.mono;
        for (is_wanted, is_console) in [(rule.action.syslog, false), (rule.action.console, true)] {
            let Some(state) = self.states.get_mut(at).filter(|_| is_wanted) else {
                continue;
            };
            let meter = if is_console {
                &mut state.console
            } else {
                &mut state.log
            };
            match meter.take(now, &self.config) {
                Some(suppressed) => {
                    told.suppressed = suppressed;
                    self.counts.messages = self.counts.messages.saturating_add(1);
                    let code = if is_console {
                        code::ENFORCEMENT_CONSOLE
                    } else {
                        code::ENFORCEMENT_LOG
                    };
                    self.emit(cx, at, code, Class::Decision, told);
                }
                None => self.counts.suppressed = self.counts.suppressed.saturating_add(1),
            }
        }
        told.suppressed = 0;
        if rule.action.audit && self.config.audit {
            self.counts.audits = self.counts.audits.saturating_add(1);
            self.emit(cx, at, code::ENFORCEMENT, Class::Progress, told);
        }
    }

    fn reset(
        &mut self,
        cx: &mut Cx<'_>,
        at: usize,
        rule: &Rule,
        told: &Enforced,
        mapped: &mut Mapped,
    ) -> Option<Arc<str>> {
        if mapped.reset {
            return None;
        }
        let key = told.record.key()?;
        let reason = code::ENFORCEMENT_RESET;
        if !cx.actions.act(HostAction::ResetFlow { key, reason }) {
            self.counts.resets_lost = self.counts.resets_lost.saturating_add(1);
            self.emit(cx, at, code::RESET_LOST, Class::Capacity, told);
            return None;
        }
        mapped.reset = true;
        self.counts.resets = self.counts.resets.saturating_add(1);
        self.emit(cx, at, reason, Class::Decision, told);
        Some(Arc::clone(&rule.name))
    }

    fn emit(&self, cx: &mut Cx<'_>, at: usize, code: Code, class: Class, told: &Enforced) {
        if !cx.events.wants(class) {
            return;
        }
        let mut event = cx.event(code, class, told);
        event.generation = self.rules.generation();
        event.rule = u32::try_from(at).ok().map(RuleId);
        event.flow = told.record.flow;
        event.key = told.record.key();
        cx.events.emit(&event);
    }
}
