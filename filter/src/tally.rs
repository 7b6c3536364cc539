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
use crate::filter::LOG_SUPPRESSED;
use crate::rule_set::RuleSet;
use crate::told::RuleSuppressed;

/// Counts of one rule set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// For each rule, and last for the implied deny.
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

    /// Counts for another set; rules that are the same in both, name and content, keep theirs.
    pub(crate) fn carry(&mut self, from: &RuleSet, to: &RuleSet) {
        for (at, limiter) in self.limiters.iter_mut().enumerate() {
            if let Some(count) = limiter.take() {
                let rule = name(from, at);
                self.gone.push(RuleSuppressed { rule, count });
            }
        }
        let mut hits = vec![0; to.rules().len() + 1];
        let known: BTreeMap<&str, usize> = (0..)
            .zip(from.rules())
            .map(|(at, rule)| (&*rule.name, at))
            .collect();
        for (rule, hits) in to.rules().iter().zip(&mut hits) {
            let before = known.get(&*rule.name).copied();
            if before.and_then(|at| from.rules().get(at)) == Some(rule) {
                *hits = before
                    .and_then(|at| self.hits.get(at))
                    .copied()
                    .unwrap_or(0);
            }
        }
        self.hits = hits;
        self.limit_to(self.limit);
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

    fn place(&self, rule: Option<RuleId>) -> usize {
        let implied = self.hits.len().saturating_sub(1);
        rule.map_or(implied, |r| r.0 as usize)
    }

    #[inline]
    pub(crate) fn hit(&mut self, rule: Option<RuleId>) {
        let at = self.place(rule);
        if let Some(hits) = self.hits.get_mut(at) {
            *hits += 1;
        }
    }

    /// Whether a message about a rule, or the implied deny, may be told.
    pub(crate) fn admit(&mut self, rule: Option<RuleId>, now: Instant) -> bool {
        let at = self.place(rule);
        self.limiters
            .get_mut(at)
            .is_none_or(|l| l.admit(now) == Logged::Yes)
    }

    /// Hits of each rule, in order.
    pub(crate) fn hits(&self) -> &[u64] {
        let implied = self.hits.len().saturating_sub(1);
        self.hits.get(..implied).unwrap_or_default()
    }

    /// Packets that no rule matched.
    pub(crate) fn implied(&self) -> u64 {
        self.hits.last().copied().unwrap_or(0)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if !self.gone.is_empty() {
            return Some(Instant::ZERO);
        }
        let due = self.limiters.iter().filter_map(LogLimiter::summary_due);
        due.min()
    }

    /// Tells the counts of suppressed messages whose interval or rule set is over.
    pub(crate) fn summarize(&mut self, set: &RuleSet, now: Now, events: &mut dyn EventSink) {
        for detail in self.gone.drain(..) {
            tell(&detail, None, now, events);
        }
        for (at, limiter) in self.limiters.iter_mut().enumerate() {
            let Some(count) = limiter.summary(now.mono) else {
                continue;
            };
            let rule = name(set, at);
            let id = u32::try_from(at).ok().filter(|_| at < set.rules().len());
            tell(&RuleSuppressed { rule, count }, id.map(RuleId), now, events);
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

/// The name of a rule, or behind the last the one of the implied deny.
fn name(set: &RuleSet, at: usize) -> Arc<str> {
    match set.rules().get(at) {
        Some(rule) => Arc::clone(&rule.name),
        None => set.implied_deny_name().into(),
    }
}
