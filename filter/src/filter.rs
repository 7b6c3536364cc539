//! The control: packets in, verdicts and events out.

use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_hook::action::Cx;
use hostward_hook::event::{Class, EventSink};
use hostward_hook::flow::Note;
use hostward_hook::hooks::earlier;
use hostward_hook::ident::{RuleId, TunnelId};
use hostward_hook::layout::proto;
use hostward_hook::meta::Direction;
use hostward_hook::packet::Packet;
use hostward_hook::reason::Reason;
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_hook::verdict::Verdict;
use hostward_hook::{PacketFilter, Side, Timers};

use crate::defensive::{DefensiveTable, EntryId, Watch};
use crate::edits::{EditError, Edits};
use crate::flow::{Circumstances, Recalled, Remembered};
use crate::rule::{Action, Discard, Rule};
use crate::rule_set::{InForce, RuleSet};
use crate::selectors::Selectors;
use crate::tally::Tally;
use crate::time::LocalTime;
use crate::told::{About, Decision, ErrorPermitted};
use crate::tunnels::{Arrival, Outcome, Tunnels};

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
    /// The packet came through a tunnel, and the rule it matches demands none.
    UNEXPECTED_TUNNEL = 2009, "filter-unexpected-tunnel";
    /// No rule matched an ICMP error, and it was permitted for the packet that it quotes.
    ICMP_ERROR_PERMITTED = 2010, "filter-icmp-error-permitted";
    /// A defensive filter was added.
    DEFENSIVE_ADDED = 2011, "filter-defensive-added";
    /// A defensive filter was changed.
    DEFENSIVE_UPDATED = 2012, "filter-defensive-updated";
    /// A defensive filter was taken out.
    DEFENSIVE_DELETED = 2013, "filter-defensive-deleted";
    /// The lifetime of a defensive filter is over.
    DEFENSIVE_EXPIRED = 2014, "filter-defensive-expired";
    /// A stack has more defensive filters than it may: those of a restart or for all stacks are
    /// kept, new ones are refused.
    DEFENSIVE_OVERFULL = 2015, "filter-defensive-overfull";
}

/// The IP filter of one worker: shared rule sets and what is in force of them.
///
/// Until a policy is installed the default rules are in force; without default rules that is the
/// implied deny for everything.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The set in force, and what was changed of it since.
    rules: Arc<RuleSet>,
    edits: Arc<Edits>,
    /// Both tables, each with its edits, whichever is in force.
    defaults: Table,
    policy: Option<Table>,
    /// The operator wants the default rules although there is a policy.
    defaults_wanted: bool,
    in_force: InForce,
    /// Greater with every change of what is in force; what flows remember counts for one.
    epoch: u64,
    tally: Tally,
    local: Arc<dyn LocalTime>,
    /// What stands in front of the rules.
    defensive: Watch,
    tunnels: Arc<dyn Tunnels>,
}

/// A rule set and what was changed of it since it was installed.
#[derive(Clone, Debug)]
struct Table {
    rules: Arc<RuleSet>,
    edits: Arc<Edits>,
}

impl Table {
    fn new(rules: Arc<RuleSet>) -> Self {
        Self {
            rules,
            edits: Arc::default(),
        }
    }
}

impl Filter {
    /// A filter with a policy in force.
    #[must_use]
    pub fn new(policy: Arc<RuleSet>) -> Self {
        Self {
            in_force: InForce::outdated(),
            epoch: 1,
            tally: Tally::new(&policy),
            rules: Arc::clone(&policy),
            edits: Arc::default(),
            defaults: Table::new(Arc::new(RuleSet::defaults(Vec::new(), 0))),
            policy: Some(Table::new(policy)),
            defaults_wanted: false,
            local: Arc::new(()),
            defensive: Watch::default(),
            tunnels: Arc::new(()),
        }
    }

    /// A filter with default rules and no policy yet.
    #[must_use]
    pub fn with_defaults(defaults: Arc<RuleSet>) -> Self {
        let mut filter = Self::new(Arc::clone(&defaults));
        filter.defaults = Table::new(defaults);
        filter.policy = None;
        filter
    }

    /// The same filter, knowing which tunnel a packet came through. Without it whatever came
    /// through a security association is discarded.
    #[must_use]
    pub fn tunnels(mut self, tunnels: Arc<dyn Tunnels>) -> Self {
        self.tunnels = tunnels;
        self.epoch += 1;
        self
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
        self.defaults = Table::new(defaults);
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
        self.tally.give_up(&self.rules, &self.edits, 0);
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
    /// [wants the default rules](Self::use_defaults). The set that is installed already keeps its
    /// edits.
    pub fn install(&mut self, policy: Arc<RuleSet>) {
        let installed = self.policy.as_ref().map(|table| &table.rules);
        if !installed.is_some_and(|rules| Arc::ptr_eq(rules, &policy)) {
            self.policy = Some(Table::new(policy));
        }
        self.choose();
    }

    /// Puts edits of a rule set in place of those before: they hold from the next packet on, until
    /// another set is installed. They belong to that set: those of the table that the operator has
    /// not in force wait, and come back with it.
    ///
    /// # Errors
    /// [`EditError::OtherSet`] when they were made for neither of the two tables, such as for a
    /// policy that another has replaced since. Nothing is changed then.
    pub fn edit(&mut self, edits: Arc<Edits>) -> Result<(), EditError> {
        let wanted = edits.check(&self.rules);
        if wanted.is_ok() {
            self.tally.make_room(&self.rules, &self.edits, &edits);
            let policy = self.policy.as_mut().filter(|_| !self.defaults_wanted);
            let table = policy.unwrap_or(&mut self.defaults);
            table.edits = Arc::clone(&edits);
            self.edits = edits;
            self.epoch += 1;
            return Ok(());
        }
        let waiting = match &mut self.policy {
            Some(policy) if self.defaults_wanted => policy,
            Some(_) => &mut self.defaults,
            None => return wanted,
        };
        edits.check(&waiting.rules).or(wanted)?;
        waiting.edits = edits;
        Ok(())
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
        let Table { rules, edits } = policy.unwrap_or(&self.defaults).clone();
        if !Arc::ptr_eq(&rules, &self.rules) || !Arc::ptr_eq(&edits, &self.edits) {
            self.tally.carry(&self.rules, &self.edits, &rules, &edits);
            self.rules = rules;
            self.edits = edits;
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

    /// What happens to a protected packet of this host before anybody opens it: defensive filters
    /// stand in front of that, too, and with [`pre_decap`](Self::pre_decap) so do the rules. They
    /// judge it as a packet in the clear, also one that came inside another: what it carries has to
    /// have come through the right tunnel, and is judged when that is known.
    pub fn before_opening(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
        let mut packet = *packet;
        packet.meta.sa = None;
        if self.pre_decap() {
            return self.decide(cx, &packet, None);
        }
        cx.generation = self.rules.generation();
        let Some(selectors) = Selectors::of(&packet) else {
            return Verdict::Drop(IMPLIED_DENY);
        };
        let defended = self.defensive.look_up(cx, &packet, &selectors, false);
        defended.unwrap_or(Verdict::Continue)
    }

    /// Through which tunnel a packet came.
    #[must_use]
    pub fn arrival(&self, packet: &Packet<'_>) -> Arrival {
        Arrival::of(&packet.meta, &*self.tunnels)
    }

    /// What the rules say about a packet at a wall time, without telling anyone: the position and
    /// the first rule that matches, `None` for the implied deny.
    pub fn first_match(&mut self, p: &Selectors, at: UnixTime) -> Option<(RuleId, &Rule)> {
        self.refresh(at);
        let at = self.edits.first_match(&self.rules, p, &self.in_force)?;
        Some((RuleId(at as u32), self.edits.rule(&self.rules, at)?))
    }
}

impl PacketFilter for Filter {
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

impl Filter {
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
            let quiet = rule.is_some_and(|r| r.action == Action::Permit && !r.logging.tells(true))
                && now.is_clear();
            known.remember(side, self.epoch, now, found, quiet);
        }
        self.judge(cx, packet, found)
    }

    /// What happens to a packet that a rule, or none, matched first.
    #[inline]
    fn judge(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>, found: Option<usize>) -> Verdict {
        let found = found.map(|at| RuleId(at as u32));
        let rules = &self.rules;
        let rule = found.and_then(|id| Some((id, self.edits.rule(rules, id.0 as usize)?)));
        let Some((id, rule)) = rule else {
            let icmp = matches!(packet.layout().protocol(), proto::ICMP | proto::ICMPV6);
            return match icmp.then(|| self.quotes_tunnel(packet)).flatten() {
                Some(quoted) => self.permit_error(cx, packet, &quoted),
                None => self.imply_deny(cx, packet),
            };
        };
        self.tally.hit(found);
        cx.rule = found;
        let arrival = Arrival::of(&packet.meta, &*self.tunnels);
        let outcome = Outcome::of(rule.action, packet.meta.direction(), arrival);
        let verdict = match outcome {
            Outcome::Permit => Verdict::Continue,
            Outcome::Protect(tunnel) => Verdict::Protect { tunnel, rule: id },
            Outcome::Deny | Outcome::NotThroughTunnel | Outcome::UnexpectedTunnel => {
                refuse(rule.discard, outcome.code(), packet)
            }
        };
        if rule.logging.tells(outcome.permits()) && rules.settings().logging {
            let matched = Some((id, rule));
            let code = outcome.code();
            tell(rules, &mut self.tally, cx, packet, code, matched, arrival);
        }
        verdict
    }

    /// No rule matched.
    fn imply_deny(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
        self.tally.hit(None);
        cx.rule = None;
        let settings = self.rules.settings();
        if settings.logging && settings.log_implicit {
            let arrival = Arrival::of(&packet.meta, &*self.tunnels);
            let (rules, tally) = (&self.rules, &mut self.tally);
            tell(rules, tally, cx, packet, IMPLIED_DENY, None, arrival);
        }
        refuse(settings.implicit_discard, IMPLIED_DENY, packet)
    }

    /// Whether a packet that no rule matches is an ICMP error about traffic of a tunnel, and stays
    /// with that traffic: what it quotes is what a rule sends into the tunnel that the error came
    /// through (RFC 4301 section 6.2), or it leaves and quotes what had to come through a tunnel.
    #[cold]
    fn quotes_tunnel(&self, packet: &Packet<'_>) -> Option<Quoted> {
        let selectors = Selectors::quoted_by(packet)?;
        let at = self
            .edits
            .first_match(&self.rules, &selectors, &self.in_force)?;
        let rule = self.edits.rule(&self.rules, at)?;
        let arrival = Arrival::of(&packet.meta, &*self.tunnels);
        Some(Quoted {
            rule: RuleId(at as u32),
            tunnel: rule
                .action
                .tunnel_of_error(packet.meta.direction(), arrival)?,
            selectors,
        })
    }

    /// Lets an ICMP error pass for what it quotes.
    #[cold]
    fn permit_error(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>, quoted: &Quoted) -> Verdict {
        let &Quoted {
            rule: id, tunnel, ..
        } = quoted;
        cx.rule = Some(id);
        self.tally.hit(Some(id));
        let rule = self.edits.rule(&self.rules, id.0 as usize);
        if let Some(rule) = rule
            && rule.logging.tells(true)
            && self.rules.settings().logging
            && cx.events.wants(Class::Decision)
            && let Some(selectors) = Selectors::of(packet)
            && self.tally.admit(Some(id), cx.now.mono)
        {
            let detail = ErrorPermitted {
                rule: Arc::clone(&rule.name),
                extension: rule.extension(&quoted.selectors).unwrap_or(0),
                tunnel: self.rules.tunnel(tunnel).map(|t| Arc::clone(&t.name)),
                about: About::new(packet, &selectors),
                quoted: quoted.selectors,
            };
            let mut event = cx.event(ICMP_ERROR_PERMITTED, Class::Decision, &detail);
            event.rule = Some(id);
            event.key = packet.key();
            cx.events.emit(&event);
        }
        match packet.meta.direction() {
            Direction::Inbound => Verdict::Continue,
            Direction::Outbound => Verdict::Protect { tunnel, rule: id },
        }
    }
}

/// The packet that an ICMP error quotes, and what the rules say about it.
struct Quoted {
    selectors: Selectors,
    /// The rule that it matches first.
    rule: RuleId,
    /// The tunnel that the rule demands.
    tunnel: TunnelId,
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
    arrival: Arrival,
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
        through: match arrival {
            Arrival::Opened(Some(through)) => rules.tunnel(through).map(|t| Arc::clone(&t.name)),
            Arrival::Opened(None) | Arrival::Clear => None,
        },
        permit: code == PERMITTED,
        about: About::new(packet, &selectors),
    };
    let mut event = cx.event(code, Class::Decision, &detail);
    event.rule = rule.map(|(id, _)| id);
    event.key = packet.key();
    cx.events.emit(&event);
}

/// A refusal, told to the sender if it is to be and may be.
fn refuse(discard: Discard, reason: Reason, packet: &Packet<'_>) -> Verdict {
    match discard {
        Discard::Icmp if Selectors::of(packet).is_some_and(|p| p.may_be_answered()) => {
            Verdict::Reject(reason)
        }
        Discard::Silent | Discard::Icmp => Verdict::Drop(reason),
    }
}

/// Deadlines are those of counts of suppressed messages.
impl Timers for Filter {
    fn next_deadline(&self) -> Option<Instant> {
        earlier(self.defensive.next_deadline(), self.tally.next_deadline())
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        self.defensive.handle_deadline(cx.now, cx.events);
        self.tally
            .summarize(&self.rules, &self.edits, cx.now, cx.events);
    }
}
