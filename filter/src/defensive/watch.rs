//! One worker's view of the defensive filters: what they matched, and what is told of it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_hook::Packet;
use hostward_hook::action::Cx;
use hostward_hook::event::{Class, Event, EventSink};
use hostward_hook::time::{Instant, Now};
use hostward_hook::verdict::Verdict;

use super::DefensiveMode;
use super::limit::{LogLimiter, Logged};
use super::table::{DefensiveTable, Entry, EntryId};
use crate::filter::{DEFENSIVE_BLOCKED, DEFENSIVE_SIMULATED, DEFENSIVE_SUPPRESSED};
use crate::selectors::Selectors;
use crate::told::{About, DefensiveMatch, Suppressed};

/// The table in force, and what this worker knows of each of its filters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    table: Arc<DefensiveTable>,
    states: Vec<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    matches: u64,
    limiter: LogLimiter,
}

impl Watch {
    pub(crate) const fn table(&self) -> &Arc<DefensiveTable> {
        &self.table
    }

    /// Puts another table in force. Filters in both keep their counts; what was suppressed about
    /// those that are gone is told.
    pub(crate) fn install(
        &mut self,
        table: Arc<DefensiveTable>,
        now: Now,
        events: &mut dyn EventSink,
    ) {
        let before = core::mem::replace(&mut self.table, table);
        let mut states = core::mem::take(&mut self.states);
        for (entry, state) in before.entries().iter().zip(&mut states) {
            if !self.table.entries().iter().any(|e| e.id == entry.id) {
                summarize(entry, state.limiter.take(), now, events);
            }
        }
        // Both lists are newest first, so their numbers fall.
        let mut known = before.entries().iter().zip(states).peekable();
        self.states.reserve(self.table.entries().len());
        for entry in self.table.entries() {
            while known.next_if(|(e, _)| e.id > entry.id).is_some() {}
            let kept = known.next_if(|(e, _)| e.id == entry.id);
            let state = match kept {
                Some((e, state)) if e.log_limit == entry.log_limit => state,
                Some((_, state)) => State {
                    matches: state.matches,
                    limiter: LogLimiter::new(entry.log_limit, now.mono),
                },
                None => State {
                    matches: 0,
                    limiter: LogLimiter::new(entry.log_limit, now.mono),
                },
            };
            self.states.push(state);
        }
    }

    /// What the filters say about a packet; tells of it. `None` when none of them matches, else
    /// whether the packet goes on.
    pub(crate) fn look_up(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        selectors: &Selectors,
        about_to_be_joined: bool,
    ) -> Option<Verdict> {
        if self.table.is_empty() {
            return None;
        }
        let hit = self.table.look_up(selectors, cx.now.mono);
        // The datagram that a fragment becomes part of is looked up too: what would have been
        // discarded is told then, but for filters that are about fragments.
        let simulated = hit.simulated.filter(|at| {
            let entry = self.table.entries().get(*at);
            !about_to_be_joined || entry.is_some_and(|e| e.filter.fragments_only)
        });
        for at in simulated.into_iter().chain(hit.blocked) {
            self.matched(at, cx, packet, selectors);
        }
        match hit.blocked {
            Some(_) => Some(Verdict::Drop(DEFENSIVE_BLOCKED)),
            None => hit.simulated.map(|_| Verdict::Continue),
        }
    }

    fn matched(&mut self, at: usize, cx: &mut Cx<'_>, packet: &Packet<'_>, p: &Selectors) {
        let (Some(entry), Some(state)) = (self.table.entries().get(at), self.states.get_mut(at))
        else {
            return;
        };
        state.matches += 1;
        if !entry.logs() || !cx.events.wants(Class::Decision) {
            return;
        }
        if state.limiter.admit(cx.now.mono) == Logged::Suppressed {
            return;
        }
        let detail = DefensiveMatch {
            id: entry.id,
            filter: Arc::clone(&entry.filter),
            extension: entry.extension,
            mode: entry.mode,
            about: About::new(packet, p),
        };
        let code = match entry.mode {
            DefensiveMode::Block => DEFENSIVE_BLOCKED,
            DefensiveMode::Simulate => DEFENSIVE_SIMULATED,
        };
        let mut event = cx.event(code, Class::Decision, &detail);
        event.key = packet.key();
        cx.events.emit(&event);
    }

    /// Matches of each filter since it was installed here.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (EntryId, u64)> {
        let entries = self.table.entries().iter();
        entries.zip(&self.states).map(|(e, s)| (e.id, s.matches))
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let due = self.states.iter().filter_map(|s| s.limiter.summary_due());
        due.min()
    }

    /// Tells the counts of suppressed messages whose interval is over.
    pub(crate) fn handle_deadline(&mut self, now: Now, events: &mut dyn EventSink) {
        for (entry, state) in self.table.entries().iter().zip(&mut self.states) {
            summarize(entry, state.limiter.summary(now.mono), now, events);
        }
    }
}

fn summarize(entry: &Entry, count: Option<u64>, now: Now, events: &mut dyn EventSink) {
    let Some(count) = count else {
        return;
    };
    if !events.wants(Class::Decision) {
        return;
    }
    let detail = Suppressed {
        id: entry.id,
        filter: Arc::clone(&entry.filter),
        extension: entry.extension,
        mode: entry.mode,
        count,
    };
    events.emit(&Event::new(
        DEFENSIVE_SUPPRESSED,
        Class::Decision,
        now,
        &detail,
    ));
}
