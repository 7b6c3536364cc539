//! The control: packets in, verdicts and events out.

use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_hook::action::Cx;
use hostward_hook::event::{Class, EventSink};
use hostward_hook::flow::Note;
use hostward_hook::hooks::earlier;
use hostward_hook::ident::{RuleId, SaId, TunnelId};
use hostward_hook::meta::Direction;
use hostward_hook::packet::Packet;
use hostward_hook::reason::Reason;
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_hook::verdict::Verdict;
use hostward_hook::{PacketFilter, Side, Timers};

use crate::defensive::{DefensiveTable, EntryId, Watch};
use crate::edits::Edits;
use crate::flow::{Circumstances, Recalled, Remembered};
use crate::rule::{Action, Discard, Rule};
use crate::rule_set::{InForce, RuleSet};
use crate::selectors::Selectors;
use crate::tally::Tally;
use crate::time::LocalTime;
use crate::told::{About, Decision};

hostward_hook::codes! {
    /// Codes of the IP filter.
    pub static CODES;
    /// A rule permitted the packet.
    PERMITTED = 2001, "filter-permitted";
    /// A rule denied the packet.
    DENIED = 2002, "filter-denied";
    /// No rule matched, which denies.
    IMPLIED_DENY = 2003, "filter-implied-deny";
    /// A rule demands a tunnel that the packet did not come through.
    NOT_THROUGH_TUNNEL = 2004, "filter-not-through-tunnel";
    /// A defensive filter discarded the packet.
    DEFENSIVE_BLOCKED = 2005, "filter-defensive-blocked";
    /// A defensive filter that simulates would have discarded the packet.
    DEFENSIVE_SIMULATED = 2006, "filter-defensive-simulated";
    /// Messages about a defensive filter were not told because of its log limit; their number.
    DEFENSIVE_SUPPRESSED = 2007, "filter-defensive-suppressed";
    /// Messages about a rule were not told because of the log limit; their number.
    LOG_SUPPRESSED = 2008, "filter-log-suppressed";
    /// A defensive filter was added.
    DEFENSIVE_ADDED = 2011, "filter-defensive-added";
    /// A defensive filter was changed.
    DEFENSIVE_UPDATED = 2012, "filter-defensive-updated";
    /// A defensive filter was taken out.
    DEFENSIVE_DELETED = 2013, "filter-defensive-deleted";
    /// The lifetime of a defensive filter is over.
    DEFENSIVE_EXPIRED = 2014, "filter-defensive-expired";
}

/// Tells which tunnel a security association belongs to, for packets that came through one.
pub trait Tunnels {
    /// The tunnel of an association.
    fn tunnel_of(&self, sa: SaId) -> Option<TunnelId>;
}

/// No tunnels: nothing ever came through one.
impl Tunnels for () {
    fn tunnel_of(&self, _: SaId) -> Option<TunnelId> {
        None
    }
}

/// The IP filter of one worker: shared rule sets and what is in force of them.
///
/// Until a policy is installed the default rules are in force; without default rules that is the
/// implied deny for everything.
#[derive(Clone, Debug)]
pub struct Filter<T = ()> {
    /// The set in force, and what was changed of it since.
    rules: Arc<RuleSet>,
    edits: Arc<Edits>,
    defaults: Arc<RuleSet>,
    policy: Option<Arc<RuleSet>>,
    /// The operator wants the default rules although there is a policy.
    defaults_wanted: bool,
    in_force: InForce,
    /// Greater with every change of what is in force; what flows remember counts for one.
    epoch: u64,
    tally: Tally,
    local: Arc<dyn LocalTime>,
    /// What stands in front of the rules.
    defensive: Watch,
    tunnels: T,
}

impl Filter {
    /// A filter with a policy in force.
    #[must_use]
    pub fn new(policy: Arc<RuleSet>) -> Self {
        Self::with_tunnels(policy, ())
    }

    /// A filter with default rules and no policy yet.
    #[must_use]
    pub fn with_defaults(defaults: Arc<RuleSet>) -> Self {
        let mut filter = Self::new(Arc::clone(&defaults));
        filter.defaults = defaults;
        filter.policy = None;
        filter
    }
}

impl<T> Filter<T> {
    /// A filter that can tell which tunnel a packet came through.
    #[must_use]
    pub fn with_tunnels(policy: Arc<RuleSet>, tunnels: T) -> Self {
        Self {
            in_force: InForce::outdated(),
            epoch: 1,
            tally: Tally::new(&policy),
            rules: Arc::clone(&policy),
            edits: Arc::default(),
            defaults: Arc::new(RuleSet::defaults(Vec::new(), 0)),
            policy: Some(policy),
            defaults_wanted: false,
            local: Arc::new(()),
            defensive: Watch::default(),
            tunnels,
        }
    }

    /// The same filter where conditions in local time mean the host's.
    #[must_use]
    pub fn local_time(mut self, local: Arc<dyn LocalTime>) -> Self {
        self.local = local;
        self.in_force = InForce::outdated();
        self.epoch += 1;
        self
    }

    /// The same filter with default rules, in force while there is no policy or the operator
    /// wants them.
    #[must_use]
    pub fn defaults(mut self, defaults: Arc<RuleSet>) -> Self {
        self.defaults = defaults;
        self.choose();
        self
    }

    /// The rules in force, be they a policy's or the default ones.
    #[must_use]
    pub const fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The same filter with a log limit: so many messages about each rule in five minutes on
    /// average and at once, 0 (as at first) for any number. What is suppressed is counted and told.
    #[must_use]
    pub fn log_limit(mut self, messages: u32) -> Self {
        self.tally.limit_to(messages);
        self
    }

    /// How many packets each rule in force decided here, in the order of the rules, then those that
    /// edits added. Rules that are the same in the next set, name and content, keep their counts.
    #[must_use]
    pub fn hits(&self) -> &[u64] {
        self.tally.hits()
    }

    /// How many packets no rule matched.
    #[must_use]
    pub fn implied_denies(&self) -> u64 {
        self.tally.implied()
    }

    /// Installs a policy, between two packets. It is in force at once, unless the operator
    /// [wants the default rules](Self::use_defaults).
    pub fn install(&mut self, policy: Arc<RuleSet>) {
        self.policy = Some(policy);
        self.choose();
    }

    /// Puts edits of the rule set in force, in place of those before: they hold from the next packet
    /// on, until another set is installed.
    pub fn edit(&mut self, edits: Arc<Edits>) {
        self.tally.make_room(&self.rules, &edits);
        self.edits = edits;
        self.epoch += 1;
    }

    /// The edits in force.
    #[must_use]
    pub const fn edits(&self) -> &Arc<Edits> {
        &self.edits
    }

    /// The rule of a number as events and verdicts name it: one of the set's, or one that was
    /// added.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.edits.rule(&self.rules, id.0 as usize)
    }

    /// Puts the default rules in force whatever policy there is (`ipsec -f default`), or the
    /// policy again (`ipsec -f reload`). A host that restarts remembers the choice.
    pub fn use_defaults(&mut self, wanted: bool) {
        self.defaults_wanted = wanted;
        self.choose();
    }

    /// Puts other defensive filters in force, between two packets: a newer
    /// [`table`](crate::defensive::Defense::table) of this stack. Filters that stay keep their
    /// counts; what was suppressed about those that go is told.
    pub fn install_defensive(
        &mut self,
        table: Arc<DefensiveTable>,
        now: Now,
        events: &mut dyn EventSink,
    ) {
        self.defensive.install(table, now, events);
        self.epoch += 1;
    }

    /// The number of what is in force: rules, times, defensive filters. What flows remember counts
    /// for one.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Counts epochs from beyond another filter's, whose flow entries this one goes on with.
    pub fn begin_after(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch.saturating_add(1));
    }

    /// The defensive filters in force.
    #[must_use]
    pub const fn defensive(&self) -> &Arc<DefensiveTable> {
        self.defensive.table()
    }

    /// How many packets each defensive filter matched here since it was installed.
    pub fn defensive_counts(&self) -> impl Iterator<Item = (EntryId, u64)> {
        self.defensive.counts()
    }

    /// What conditions in local time mean.
    pub(crate) fn local(&self) -> &dyn LocalTime {
        &*self.local
    }

    fn choose(&mut self) {
        let policy = self.policy.as_ref().filter(|_| !self.defaults_wanted);
        let rules = Arc::clone(policy.unwrap_or(&self.defaults));
        if !Arc::ptr_eq(&rules, &self.rules) {
            self.tally.carry(&self.rules, &self.edits, &rules);
            self.rules = rules;
            self.edits = Arc::default();
        }
        self.in_force = InForce::outdated();
        self.epoch += 1;
    }

    /// Notices which rules came into force or went out of it since the last packet.
    #[inline]
    fn refresh(&mut self, at: UnixTime) {
        if !self.in_force.is_valid_at(at) {
            self.update_in_force(at);
        }
    }

    #[cold]
    fn update_in_force(&mut self, at: UnixTime) {
        if self.in_force.update(&self.rules, at, &*self.local) {
            self.epoch += 1;
        }
    }

    /// Whether AH and ESP packets for this host are filtered before they are opened, too.
    #[must_use]
    pub fn pre_decap(&self) -> bool {
        self.rules.settings().pre_decap
    }

    /// What the rules say about a packet at a wall time, without telling anyone: the position and
    /// the first rule that matches, `None` for the implied deny.
    pub fn first_match(&mut self, p: &Selectors, at: UnixTime) -> Option<(RuleId, &Rule)> {
        self.refresh(at);
        let at = self.edits.first_match(&self.rules, p, &self.in_force)?;
        Some((RuleId(at as u32), self.edits.rule(&self.rules, at)?))
    }
}

impl<T: Tunnels> PacketFilter for Filter<T> {
    type Slot = Remembered;

    fn decide(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        slot: Option<(Side, &mut Remembered)>,
    ) -> Verdict {
        cx.generation = self.rules.generation();
        self.refresh(cx.now.wall);
        let slot = slot.zip(Circumstances::of(packet));
        if let Some(((side, known), now)) = &slot
            && let Some(recalled) = known.recall(*side, self.epoch, *now)
        {
            return match recalled {
                Recalled::Quiet(rule) => {
                    self.tally.hit(Some(rule));
                    cx.rule = Some(rule);
                    Verdict::Continue
                }
                Recalled::Rule(found) => self.judge(cx, packet, found),
            };
        }
        self.look_up(cx, packet, slot)
    }

    /// Answers where the flow's note says that a rule in force now permits such packets and tells
    /// nothing of them.
    #[inline]
    fn decide_noted(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        note: Note,
    ) -> Option<Verdict> {
        self.refresh(cx.now.wall);
        let rule = Circumstances::of(packet)?.noted(self.epoch, note)?;
        cx.generation = self.rules.generation();
        cx.rule = Some(rule);
        self.tally.hit(Some(rule));
        Some(Verdict::Continue)
    }

    #[inline]
    fn note(&self, slot: &Remembered, side: Side) -> Option<Note> {
        slot.note(side)
    }

    /// A fragment that is about to be put together is refused when the first rule that matches it
    /// is a deny for fragments only; everything else is decided for the whole datagram.
    fn decide_fragment(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
        cx.generation = self.rules.generation();
        let Some(selectors) = Selectors::of(packet) else {
            return Verdict::Drop(IMPLIED_DENY);
        };
        let defended = self.defensive.look_up(cx, packet, &selectors, true);
        if let Some(refusal) = defended.filter(|v| !v.is_continue()) {
            return refusal;
        }
        self.refresh(cx.now.wall);
        let found = self
            .edits
            .first_match(&self.rules, &selectors, &self.in_force);
        let rule = found.and_then(|at| self.edits.rule(&self.rules, at));
        match rule {
            Some(rule) if rule.action == Action::Deny && rule.matches_as_fragment(&selectors) => {
                self.judge(cx, packet, found)
            }
            Some(_) | None => Verdict::Continue,
        }
    }
}

impl<T: Tunnels> Filter<T> {
    /// Decides by the defensive filters and the rules, and lets the flow remember.
    fn look_up(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        slot: Option<((Side, &mut Remembered), Circumstances)>,
    ) -> Verdict {
        let Some(selectors) = Selectors::of(packet) else {
            return Verdict::Drop(IMPLIED_DENY);
        };
        let defended = self.defensive.look_up(cx, packet, &selectors, false);
        if let Some(refusal) = defended.filter(|v| !v.is_continue()) {
            return refusal;
        }
        let found = self
            .edits
            .first_match(&self.rules, &selectors, &self.in_force);
        if let Some(((side, known), now)) = slot
            && defended.is_none()
        {
            let rule = found.and_then(|at| self.edits.rule(&self.rules, at));
            let quiet = rule.is_some_and(|r| r.action == Action::Permit && !r.logging.tells(true));
            known.remember(side, self.epoch, now, found, quiet);
        }
        self.judge(cx, packet, found)
    }

    /// What happens to a packet that a rule, or none, matched first.
    #[inline]
    fn judge(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>, found: Option<usize>) -> Verdict {
        let found = found.map(|at| RuleId(at as u32));
        self.tally.hit(found);
        cx.rule = found;
        let rules = &self.rules;
        let rule = found.and_then(|id| Some((id, self.edits.rule(rules, id.0 as usize)?)));
        let Some((id, rule)) = rule else {
            let settings = rules.settings();
            if settings.logging && settings.log_implicit {
                tell(rules, &mut self.tally, cx, packet, IMPLIED_DENY, None);
            }
            return refuse(settings.implicit_discard, IMPLIED_DENY);
        };
        let (code, verdict) = match rule.action {
            Action::Permit => (PERMITTED, Verdict::Continue),
            Action::Deny => (DENIED, refuse(rule.discard, DENIED)),
            Action::Ipsec(tunnel) if packet.meta.direction() == Direction::Outbound => {
                (PERMITTED, Verdict::Protect { tunnel, rule: id })
            }
            // RFC 4301 section 5.2: inbound traffic that must be protected has to have come
            // through the tunnel that the rule names.
            Action::Ipsec(tunnel) => {
                let through = packet.meta.sa.and_then(|sa| self.tunnels.tunnel_of(sa));
                if through == Some(tunnel) {
                    (PERMITTED, Verdict::Continue)
                } else {
                    (NOT_THROUGH_TUNNEL, refuse(rule.discard, NOT_THROUGH_TUNNEL))
                }
            }
        };
        if rule.logging.tells(code == PERMITTED) && rules.settings().logging {
            tell(rules, &mut self.tally, cx, packet, code, Some((id, rule)));
        }
        verdict
    }
}

/// Tells of a decision, unless nobody wants to know or the rule's log limit is reached.
#[cold]
fn tell(
    rules: &RuleSet,
    tally: &mut Tally,
    cx: &mut Cx<'_>,
    packet: &Packet<'_>,
    code: Reason,
    rule: Option<(RuleId, &Rule)>,
) {
    let Some(selectors) = Selectors::of(packet).filter(|_| cx.events.wants(Class::Decision)) else {
        return;
    };
    if !tally.admit(rule.map(|(id, _)| id), cx.now.mono) {
        return;
    }
    let tunnel = match rule.map(|(_, r)| r.action) {
        Some(Action::Ipsec(tunnel)) => rules.tunnel(tunnel),
        Some(Action::Permit | Action::Deny) | None => None,
    };
    let detail = Decision {
        rule: rule.map_or_else(
            || rules.implied_deny_name().into(),
            |(_, r)| Arc::clone(&r.name),
        ),
        extension: rule.and_then(|(_, r)| r.extension(&selectors)).unwrap_or(0),
        group: rule.and_then(|(_, r)| r.group.clone()),
        tunnel: tunnel.map(|t| Arc::clone(&t.name)),
        permit: code == PERMITTED,
        about: About::new(packet, &selectors),
    };
    let mut event = cx.event(code, Class::Decision, &detail);
    event.rule = rule.map(|(id, _)| id);
    event.key = packet.key();
    cx.events.emit(&event);
}

const fn refuse(discard: Discard, reason: Reason) -> Verdict {
    match discard {
        Discard::Silent => Verdict::Drop(reason),
        Discard::Icmp => Verdict::Reject(reason),
    }
}

/// Deadlines are those of counts of suppressed messages.
impl<T> Timers for Filter<T> {
    fn next_deadline(&self) -> Option<Instant> {
        earlier(self.defensive.next_deadline(), self.tally.next_deadline())
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        self.defensive.handle_deadline(cx.now, cx.events);
        self.tally
            .summarize(&self.rules, &self.edits, cx.now, cx.events);
    }
}
