//! What one worker counts for each rule: hits, and messages that its log limit suppressed.
//!
//! Each worker has its own, so the packet path shares no cache line; whoever wants sums adds them.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use hostward_hook::event::{Class, Event, EventSink};
use hostward_hook::ident::RuleId;
use hostward_hook::time::{Instant, Now};

use crate::defensive::{LogLimiter, Logged};
use crate::edits::Edits;
use crate::filter::LOG_SUPPRESSED;
use crate::rule_set::RuleSet;
use crate::told::RuleSuppressed;

/// Counts of one rule set and its edits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// First for the implied deny, then for each rule of the set, then for each added one.
    hits: Vec<u64>,
    /// The same, when there is a limit at all.
    limiters: Vec<LogLimiter>,
    limit: u32,
    /// What was suppressed about rules of a set that is gone, to be told.
    gone: Vec<RuleSuppressed>,
}

impl Tally {
    pub(crate) fn new(set: &RuleSet) -> Self {
        Self {
            hits: vec![0; set.rules().len() + 1],
            ..Self::default()
        }
    }

    /// Counts for another set with edits of its own; rules that are the same in both sets, name and
    /// content, keep theirs.
    pub(crate) fn carry(&mut self, from: &RuleSet, edits: &Edits, to: &RuleSet, new: &Edits) {
        self.give_up(from, edits, 0);
        let mut hits = vec![0; to.rules().len() + 1];
        if let Some(implied) = hits.first_mut() {
            *implied = self.implied();
        }
        let known: BTreeMap<&str, usize> = (0..)
            .zip(from.rules())
            .map(|(at, rule)| (&*rule.name, at))
            .collect();
        for (rule, hits) in to.rules().iter().zip(hits.iter_mut().skip(1)) {
            let before = known.get(&*rule.name).copied();
            if let Some(at) = before
                && from.rules().get(at) == Some(rule)
            {
                *hits = self.hits.get(at + 1).copied().unwrap_or(0);
            }
        }
        hits.resize(hits.len() + new.added().count(), 0);
        self.hits = hits;
        self.limit_to(self.limit);
    }

    /// Sets what was suppressed about the rules at these places and behind them aside, to be told.
    pub(crate) fn give_up(&mut self, set: &RuleSet, edits: &Edits, from: usize) {
        for (at, limiter) in self.limiters.iter_mut().enumerate().skip(from) {
            if let Some(count) = limiter.take() {
                let rule = name(set, edits, at);
                self.gone.push(RuleSuppressed { rule, count });
            }
        }
    }

    /// Sets the log limit of every rule: messages in five minutes, 0 for any number.
    pub(crate) fn limit_to(&mut self, limit: u32) {
        self.limit = limit;
        self.limiters.clear();
        if limit > 0 {
            let limiter = LogLimiter::new(limit, Instant::ZERO);
            self.limiters.resize(self.hits.len(), limiter);
        }
    }

    /// Makes room for the rules that edits add in place of those before: they begin anew, and what
    /// was suppressed about those before is told.
    pub(crate) fn make_room(&mut self, set: &RuleSet, before: &Edits, edits: &Edits) {
        let own = set.rules().len() + 1;
        self.give_up(set, before, own);
        self.hits.truncate(own);
        self.hits.resize(own + edits.added().count(), 0);
        if self.limit > 0 {
            self.limiters.truncate(own);
            let limiter = LogLimiter::new(self.limit, Instant::ZERO);
            self.limiters.resize(self.hits.len(), limiter);
        }
    }

    fn place(rule: Option<RuleId>) -> usize {
        rule.map_or(0, |r| r.0 as usize + 1)
    }

    #[inline]
    pub(crate) fn hit(&mut self, rule: Option<RuleId>) {
        let at = Self::place(rule);
        if let Some(hits) = self.hits.get_mut(at) {
            *hits += 1;
        }
    }

    /// Whether a message about a rule, or the implied deny, may be told.
    pub(crate) fn admit(&mut self, rule: Option<RuleId>, now: Instant) -> bool {
        let at = Self::place(rule);
        self.limiters
            .get_mut(at)
            .is_none_or(|l| l.admit(now) == Logged::Yes)
    }

    /// Hits of each rule, in order.
    pub(crate) fn hits(&self) -> &[u64] {
        self.hits.get(1..).unwrap_or_default()
    }

    /// Packets that no rule matched.
    pub(crate) fn implied(&self) -> u64 {
        self.hits.first().copied().unwrap_or(0)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if !self.gone.is_empty() {
            return Some(Instant::ZERO);
        }
        let due = self.limiters.iter().filter_map(LogLimiter::summary_due);
        due.min()
    }

    /// Tells the counts of suppressed messages whose interval or rule set is over.
    pub(crate) fn summarize(
        &mut self,
        set: &RuleSet,
        edits: &Edits,
        now: Now,
        events: &mut dyn EventSink,
    ) {
        for detail in self.gone.drain(..) {
            tell(&detail, None, now, events);
        }
        for (at, limiter) in self.limiters.iter_mut().enumerate() {
            let Some(count) = limiter.summary(now.mono) else {
                continue;
            };
            let rule = name(set, edits, at);
            let id = at.checked_sub(1).map(|n| RuleId(n as u32));
            tell(&RuleSuppressed { rule, count }, id, now, events);
        }
    }
}

fn tell(detail: &RuleSuppressed, rule: Option<RuleId>, now: Now, events: &mut dyn EventSink) {
    if events.wants(Class::Decision) {
        let mut event = Event::new(LOG_SUPPRESSED, Class::Decision, now, detail);
        event.rule = rule;
        events.emit(&event);
    }
}

/// The name of the implied deny at 0, else that of a rule.
fn name(set: &RuleSet, edits: &Edits, at: usize) -> Arc<str> {
    match at.checked_sub(1).and_then(|n| edits.rule(set, n)) {
        Some(rule) => Arc::clone(&rule.name),
        None => set.implied_deny_name().into(),
    }
}
