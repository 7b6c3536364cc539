//! Who is told how often: what is done about a finding, the same for all detectors.
//!
//! Detection, response and report are apart: what is counted does not depend on what is told, and
//! neither on what is done.

mod defense;
mod tally;

use alloc::sync::Arc;
use core::net::IpAddr;

use hostward_hook::action::{Action, Cx};
use hostward_hook::event::{Class, Detail, Event};
use hostward_hook::flow::FlowKey;
use hostward_hook::hooks::earlier;
use hostward_hook::meta::Direction;
use hostward_hook::packet::Packet;
use hostward_hook::reason::Code;
use hostward_hook::time::Instant;
use hostward_hook::verdict::Verdict;

use crate::codes::{LOG_SUPPRESSED, STATISTICS};
use crate::event::{AttackPacket, AttackStatistics, Channels, Finding, ProbeId, Suppressed, Told};
use crate::policy::{Attack, AttackRule, AttackType, Defense, Exclusion, Limits, Policy, Rule};
use defense::Asked;
use tally::Tally;

/// What is counted and capped together: each type of attack, scans, regulation of TCP and of UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Attack(AttackType),
    Scan,
    Tcp,
    Udp,
}

/// One more than the greatest number of a type, and three.
const CATEGORIES: usize = 0x13 + 1 + 3;

impl Category {
    const fn index(self) -> usize {
        match self {
            Self::Attack(kind) => kind as usize,
            Self::Scan => CATEGORIES - 3,
            Self::Tcp => CATEGORIES - 2,
            Self::Udp => CATEGORIES - 1,
        }
    }

    const fn attack(self) -> Option<AttackType> {
        match self {
            Self::Attack(kind) => Some(kind),
            Self::Scan | Self::Tcp | Self::Udp => None,
        }
    }
}

/// What was seen of a type of attack since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// Events.
    pub events: u64,
    /// How many of them discarded a packet or reset a connection.
    pub discarded: u64,
}

/// The rules in force, what was told, and the correlators.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    rules: [Option<Arc<AttackRule>>; CATEGORIES],
    /// A bit for each type of attack that has a rule.
    armed: u32,
    limits: Limits,
    tallies: [Tally; CATEGORIES],
    correlator: u32,
    asked: Asked,
    /// The number of statistics to be told or to begin.
    statistics: bool,
}

impl Desk {
    pub(crate) fn new(policy: &Policy, limits: Limits) -> Self {
        let mut desk = Self {
            rules: [const { None }; CATEGORIES],
            armed: 0,
            limits,
            tallies: [Tally::default(); CATEGORIES],
            correlator: 0,
            asked: Asked::default(),
            statistics: false,
        };
        desk.install(policy);
        desk
    }

    /// Other rules from now on; what was counted stays.
    pub(crate) fn install(&mut self, policy: &Policy) {
        self.armed = 0;
        self.statistics = false;
        self.rules = [const { None }; CATEGORIES];
        for kind in AttackType::ALL {
            let rule = policy.attack(*kind).cloned().map(Arc::new);
            if let Some(rule) = &rule {
                self.armed |= 1 << *kind as u32;
                self.statistics |= rule.rule.reports.statistics.is_some();
            }
            if let Some(slot) = self.rules.get_mut(*kind as usize) {
                *slot = rule;
            }
        }
    }

    /// Whether any of these types has a rule; a bit each, by its number.
    #[inline]
    pub(crate) const fn is_armed(&self, types: u32) -> bool {
        self.armed & types != 0
    }

    pub(crate) fn rule(&self, kind: AttackType) -> Option<&Arc<AttackRule>> {
        self.rules.get(kind as usize)?.as_ref()
    }

    pub(crate) fn attack(&self, kind: AttackType) -> Option<&Attack> {
        self.rule(kind).map(|r| &r.attack)
    }

    pub(crate) fn seen(&self, category: Category) -> Seen {
        self.tallies
            .get(category.index())
            .map_or(Seen::default(), |t| t.seen)
    }

    /// A correlator for a new occurrence.
    pub(crate) fn correlator(&mut self) -> u32 {
        self.correlator = self.correlator.checked_add(1).unwrap_or(1);
        self.correlator
    }

    /// Counts an event and says who is to be told. `packet` says that one is in hand to be traced.
    pub(crate) fn admit(
        &mut self,
        category: Category,
        rule: &Rule,
        (discarded, packet): (bool, bool),
        now: Instant,
    ) -> Channels {
        let limits = self.limits;
        let Some(tally) = self.tallies.get_mut(category.index()) else {
            return Channels::default();
        };
        tally.count(discarded);
        let traced = packet && category.attack().is_none_or(AttackType::is_traced);
        tally.admit(&rule.reports, &limits, traced, now)
    }

    /// What an event has that a rule makes known.
    pub(crate) fn told(rule: &Rule, correlator: u32, probe: ProbeId, channels: Channels) -> Told {
        Told {
            correlator,
            probe,
            rule: Arc::clone(&rule.name),
            action: Arc::clone(&rule.action),
            channels,
        }
    }

    /// A packet is an attack: it is counted, told and judged by the rule of the type. What is
    /// malformed is discarded whatever the rule says.
    #[cold]
    pub(crate) fn packet(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        kind: AttackType,
        mut finding: Finding,
    ) -> Verdict {
        let refuse = |f: &Finding| {
            if f.discard {
                Verdict::Drop(f.code)
            } else {
                Verdict::Continue
            }
        };
        let Some(rule) = self.rule(kind).map(Arc::clone) else {
            return refuse(&finding);
        };
        if kind != AttackType::MalformedPacket {
            if is_excluded(&rule.exclusions, packet) {
                return Verdict::Continue;
            }
            finding.discard = rule.respond;
        }
        let now = cx.now.mono;
        self.settle(cx, Category::Attack(kind));
        let channels = self.admit(
            Category::Attack(kind),
            &rule.rule,
            (finding.discard, true),
            now,
        );
        let correlator = self.correlator();
        if channels.any() && cx.events.wants(Class::Detection) {
            let probe = ProbeId::attack(kind, finding.code);
            let told = Self::told(&rule.rule, correlator, probe, channels);
            let detail = AttackPacket::new(kind, finding, told, packet);
            let mut event = cx.event(finding.code, Class::Detection, &detail);
            event.key = packet.key();
            cx.events.emit(&event);
        }
        if let (Some(defense), Some(source)) = (rule.defense, packet.source())
            && packet.meta.direction() == Direction::Inbound
        {
            self.defend(cx, &defense, source, finding.code, false);
        }
        refuse(&finding)
    }

    /// An event of something that lasts: `told` has what [`admit`](Self::admit) answered.
    pub(crate) fn tell(
        cx: &mut Cx<'_>,
        code: Code,
        channels: Channels,
        key: Option<FlowKey>,
        detail: &dyn Detail,
    ) {
        if channels.any() && cx.events.wants(Class::Detection) {
            let mut event = cx.event(code, Class::Detection, detail);
            event.key = key;
            cx.events.emit(&event);
        }
    }

    /// Asks for a defensive filter, once for the lifetime of one. `proven` says that the source
    /// cannot have been forged: it completed a handshake.
    pub(crate) fn defend(
        &mut self,
        cx: &mut Cx<'_>,
        defense: &Defense,
        source: IpAddr,
        reason: Code,
        proven: bool,
    ) {
        if (proven || defense.spoofable) && self.asked.is_new(source, defense.lifetime, cx.now.mono)
        {
            let lost = !cx.actions.act(Action::DefensiveFilter {
                source,
                lifetime: defense.lifetime,
                reason,
            });
            if lost {
                self.asked.forget(source);
            }
        }
    }

    /// Tells of what was suppressed when its five minutes are over.
    pub(crate) fn settle(&mut self, cx: &mut Cx<'_>, category: Category) {
        let Some(tally) = self.tallies.get_mut(category.index()) else {
            return;
        };
        if let Some((count, level)) = tally.over(cx.now.mono) {
            let detail = Suppressed {
                attack: category.attack(),
                count,
                level,
            };
            if cx.events.wants(Class::Detection) {
                cx.events.emit(&Event::new(
                    LOG_SUPPRESSED,
                    Class::Detection,
                    cx.now,
                    &detail,
                ));
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let mut next = None;
        for (tally, rule) in self.tallies.iter().zip(&self.rules) {
            next = earlier(next, tally.summary_due());
            if self.statistics
                && let Some(s) = rule.as_ref().and_then(|r| r.rule.reports.statistics)
            {
                next = earlier(next, Some(tally.statistics_due(&s)));
            }
        }
        next
    }

    pub(crate) fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        for kind in AttackType::ALL {
            self.settle(cx, Category::Attack(*kind));
            if self.statistics {
                self.statistics(cx, *kind);
            }
        }
        for category in [Category::Scan, Category::Tcp, Category::Udp] {
            self.settle(cx, category);
        }
    }

    fn statistics(&mut self, cx: &mut Cx<'_>, kind: AttackType) {
        let Some(rule) = self.rule(kind).map(Arc::clone) else {
            return;
        };
        let (Some(s), Some(tally)) = (
            rule.rule.reports.statistics,
            self.tallies.get_mut(kind as usize),
        ) else {
            return;
        };
        let Some((seen, seconds)) = tally.statistics(&s, cx.now.mono) else {
            return;
        };
        if cx.events.wants(Class::Record) {
            let channels = Channels {
                log: rule
                    .rule
                    .reports
                    .log
                    .or(Some(crate::policy::ReportSet::LEVEL)),
                statistics: true,
                ..Channels::default()
            };
            let probe = ProbeId::attack(kind, STATISTICS);
            let detail = AttackStatistics {
                attack: kind,
                events: seen.events,
                discarded: seen.discarded,
                seconds,
                respond: rule.respond,
                told: Self::told(&rule.rule, 0, probe, channels),
            };
            cx.events
                .emit(&Event::new(STATISTICS, Class::Record, cx.now, &detail));
        }
    }
}

/// Whether somebody is left out of a rule.
fn is_excluded(exclusions: &[Exclusion], packet: &Packet<'_>) -> bool {
    if exclusions.is_empty() {
        return false;
    }
    let Some(key) = packet.key() else {
        return false;
    };
    let key = match packet.meta.direction() {
        Direction::Inbound => key,
        Direction::Outbound => key.reversed(),
    };
    excludes(exclusions, &key, packet.meta.job)
}

/// Whether a connection is left out; `key` has the other end first.
pub(crate) fn excludes(
    exclusions: &[Exclusion],
    key: &FlowKey,
    job: hostward_hook::ident::JobId,
) -> bool {
    exclusions.iter().any(|e| {
        e.remote.contains(key.source())
            && e.remote_ports.contains(&key.source_port())
            && e.local_ports.contains(&key.destination_port())
            && e.job.is_none_or(|j| j == job)
    })
}
