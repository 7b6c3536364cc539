//! The manager: which filters are on which stack, for how long.

mod saved;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use hostward_hook::event::{Class, Event, EventSink};
use hostward_hook::reason::Reason;
use hostward_hook::time::{Instant, Now, UnixTime};

use super::request::{
    Answer, Changes, DefenseConfig, DefenseError, Displayed, Request, Selection, Target,
};
use super::table::{DefensiveTable, Entry, EntryId};
use super::{DefensiveFilter, DefensiveMode, StackMode, check_lifetime, check_log_limit};
use crate::filter::{
    DEFENSIVE_ADDED, DEFENSIVE_DELETED, DEFENSIVE_EXPIRED, DEFENSIVE_OVERFULL, DEFENSIVE_UPDATED,
};
use crate::told::{DefenseEvent, Happened, Overfull};

const fn code(happened: Happened) -> Reason {
    match happened {
        Happened::Added => DEFENSIVE_ADDED,
        Happened::Updated => DEFENSIVE_UPDATED,
        Happened::Deleted => DEFENSIVE_DELETED,
        Happened::Expired => DEFENSIVE_EXPIRED,
    }
}

/// A filter on a stack, or a master copy.
#[derive(Clone, Debug)]
struct Installed {
    id: EntryId,
    filter: Arc<DefensiveFilter>,
    extension: u32,
    global: bool,
    created: UnixTime,
    updated: UnixTime,
    expires: Instant,
    expires_wall: UnixTime,
    matches: u64,
}

impl Installed {
    fn live(&mut self, now: Now, minutes: u32) {
        let life = Duration::from_secs(u64::from(minutes) * 60);
        self.expires = now.mono.saturating_add(life);
        let wall = now.wall.as_micros();
        self.expires_wall = UnixTime::from_micros(wall.saturating_add(micros(life)));
    }

    fn change(&mut self, changes: &Changes, now: Now) {
        let mut filter = DefensiveFilter::clone(&self.filter);
        if let Some(mode) = changes.mode {
            filter.mode = mode;
        }
        if let Some(log) = changes.log {
            filter.log = log;
        }
        if let Some(limit) = changes.log_limit {
            filter.log_limit = Some(limit);
        }
        if let Some(minutes) = changes.lifetime {
            filter.lifetime = minutes;
            self.live(now, minutes);
        }
        self.filter = Arc::new(filter);
        self.updated = now.wall;
    }
}

#[derive(Debug, Default)]
struct Stack {
    /// Nothing as long as no configuration ever named the stack.
    config: Option<DefenseConfig>,
    /// The configuration does not name it any more: what it has stays as it is until it expires, under
    /// the last word on its mode and exclusions.
    retired: bool,
    /// Newest first.
    filters: Vec<Installed>,
    table: Arc<DefensiveTable>,
}

impl Stack {
    /// Whether filters can be added.
    fn is_eligible(&self) -> bool {
        !self.retired
            && self
                .config
                .as_ref()
                .is_some_and(|c| c.mode != StackMode::Inactive)
    }

    fn mode(&self) -> StackMode {
        self.config.as_ref().map_or(StackMode::Active, |c| c.mode)
    }

    fn default_log_limit(&self) -> u32 {
        self.config.as_ref().map_or(0, |c| c.default_log_limit)
    }

    fn mode_of(&self, filter: &DefensiveFilter) -> DefensiveMode {
        match self.mode() {
            StackMode::Simulate => DefensiveMode::Simulate,
            StackMode::Active | StackMode::Inactive => filter.mode,
        }
    }

    fn publish(&mut self, generation: u64) {
        let entries = self.filters.iter().map(|f| {
            let mut entry = Entry::new(f.id, Arc::clone(&f.filter), f.extension, f.expires);
            entry.global = f.global;
            entry.mode = self.mode_of(&f.filter);
            entry.log_limit = f.filter.log_limit.unwrap_or(self.default_log_limit());
            entry
        });
        let excluded = self.config.as_ref().map(|c| c.exclude.clone());
        self.table = Arc::new(DefensiveTable::new(
            entries.collect(),
            excluded.unwrap_or_default(),
            self.mode(),
            generation,
        ));
    }
}

/// The manager of the defensive filters of all stacks in a process.
///
/// It keeps no clock and no thread: time comes with every call, and [`next_deadline`] says when
/// [`handle_deadline`] wants to be called. After any call that may have changed something a
/// host gives each stack's filters their [`table`](Self::table) and calls
/// [`persist`](Self::persist).
///
/// [`next_deadline`]: Self::next_deadline
/// [`handle_deadline`]: Self::handle_deadline
#[derive(Debug, Default)]
pub struct Defense {
    stacks: BTreeMap<Arc<str>, Stack>,
    /// Master copies of global filters, newest first.
    masters: Vec<Installed>,
    last_id: u64,
    generation: u64,
    changed: bool,
}

impl Defense {
    /// A manager without stacks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Does what is asked for, or refuses it and changes nothing.
    ///
    /// # Errors
    /// [`DefenseError`]: an unknown or inactive stack, an unknown filter, a value out of range, a
    /// full table.
    pub fn handle(
        &mut self,
        request: Request,
        now: Now,
        events: &mut dyn EventSink,
    ) -> Result<Answer, DefenseError> {
        self.handle_deadline(now, events);
        match request {
            Request::Add { target, filter } => self.add(&target, filter, now, events),
            Request::Update {
                target,
                selection,
                changes,
            } => self.update(&target, &selection, &changes, now, events),
            Request::Delete { target, selection } => self.delete(&target, &selection, now, events),
            Request::Display { target, selection } => self.display(&target, &selection),
            Request::Refresh(config) => self.refresh(config, now, events),
            Request::ForceInactive(stack) => self.force_inactive(&stack, now, events),
        }
    }

    fn add(
        &mut self,
        target: &Target,
        filter: DefensiveFilter,
        now: Now,
        events: &mut dyn EventSink,
    ) -> Result<Answer, DefenseError> {
        let eligible: Vec<_> = match target {
            Target::Stack(name) => alloc::vec![Arc::clone(self.eligible(name)?)],
            Target::Global => {
                let names = self.stacks.iter().filter(|(_, s)| s.is_eligible());
                names.map(|(n, _)| Arc::clone(n)).collect()
            }
        };
        filter.check(super::LIFETIME_MAX)?;
        for name in &eligible {
            let Some((stack, config)) = self.stack(name) else {
                continue;
            };
            check_lifetime(filter.lifetime, config.max_lifetime)?;
            if stack.filters.len() >= config.max_filters {
                return Err(DefenseError::Full {
                    stack: name.to_string(),
                    max: config.max_filters,
                });
            }
        }
        let global = *target == Target::Global;
        // Global filters wait for stacks that start later, so they are bounded by themselves.
        let most = DefenseConfig::default().max_filters;
        if global && self.masters.len() >= most {
            return Err(DefenseError::Full {
                stack: String::from("*ALL*"),
                max: most,
            });
        }
        self.last_id += 1;
        let mut installed = Installed {
            id: EntryId(self.last_id),
            extension: self.extension(&filter.name),
            global,
            created: now.wall,
            updated: now.wall,
            expires: now.mono,
            expires_wall: now.wall,
            matches: 0,
            filter: Arc::new(filter),
        };
        installed.live(now, installed.filter.lifetime);
        if global {
            self.masters.insert(0, installed.clone());
            tell(events, now, Happened::Added, None, &installed, 0);
        }
        for name in &eligible {
            if let Some(stack) = self.stacks.get_mut(name) {
                stack.filters.insert(0, installed.clone());
                let limit = stack.default_log_limit();
                tell(events, now, Happened::Added, Some(name), &installed, limit);
            }
        }
        self.changed();
        Ok(Answer::Added {
            id: installed.id,
            extension: installed.extension,
        })
    }

    fn update(
        &mut self,
        target: &Target,
        selection: &Selection,
        changes: &Changes,
        now: Now,
        events: &mut dyn EventSink,
    ) -> Result<Answer, DefenseError> {
        check_log_limit(changes.log_limit)?;
        let chosen = self.chosen(target, selection)?;
        if let Some(minutes) = changes.lifetime {
            check_lifetime(minutes, super::LIFETIME_MAX)?;
            for stack in self.stacks.values() {
                if let Some(config) = &stack.config
                    && stack.filters.iter().any(|f| chosen.contains(&f.id))
                    && self.applies(target, stack)
                {
                    check_lifetime(minutes, config.max_lifetime)?;
                }
            }
        }
        if *target == Target::Global {
            for f in self.masters.iter_mut().filter(|f| chosen.contains(&f.id)) {
                f.change(changes, now);
                tell(events, now, Happened::Updated, None, f, 0);
            }
        }
        for (name, stack) in &mut self.stacks {
            if !target_is(target, name) {
                continue;
            }
            let limit = stack.default_log_limit();
            for f in stack.filters.iter_mut().filter(|f| chosen.contains(&f.id)) {
                f.change(changes, now);
                tell(events, now, Happened::Updated, Some(name), f, limit);
            }
        }
        self.changed();
        Ok(Answer::Updated(chosen.len()))
    }

    fn applies(&self, target: &Target, stack: &Stack) -> bool {
        match target {
            Target::Global => true,
            Target::Stack(name) => self
                .stacks
                .get(name)
                .is_some_and(|s| core::ptr::eq(s, stack)),
        }
    }

    fn delete(
        &mut self,
        target: &Target,
        selection: &Selection,
        now: Now,
        events: &mut dyn EventSink,
    ) -> Result<Answer, DefenseError> {
        let chosen = self.chosen(target, selection)?;
        self.remove(now, events, Happened::Deleted, |stack, f| {
            chosen.contains(&f.id)
                && match (target, stack) {
                    (Target::Global, _) => true,
                    (Target::Stack(name), Some(stack)) => name == stack,
                    (Target::Stack(_), None) => false,
                }
        });
        Ok(Answer::Deleted(chosen.len()))
    }

    fn display(&self, target: &Target, selection: &Selection) -> Result<Answer, DefenseError> {
        let list = match target {
            Target::Global => {
                let masters = self.masters.iter();
                let masters = masters.filter(|f| selection.includes(&f.filter.name));
                masters
                    .map(|f| {
                        let has = |s: &&Stack| s.filters.iter().any(|x| x.id == f.id);
                        let mut shown = shown(f, f.filter.mode, f.filter.log_limit.unwrap_or(0));
                        shown.matches = None;
                        shown.stacks = Some(self.stacks.values().filter(has).count());
                        shown
                    })
                    .collect()
            }
            Target::Stack(name) => {
                let stack = self.stacks.get(name);
                let stack = stack.ok_or_else(|| DefenseError::UnknownStack(name.to_string()))?;
                let filters = stack.filters.iter();
                filters
                    .filter(|f| selection.includes(&f.filter.name))
                    .map(|f| {
                        let limit = f.filter.log_limit.unwrap_or(stack.default_log_limit());
                        shown(f, stack.mode_of(&f.filter), limit)
                    })
                    .collect()
            }
        };
        Ok(Answer::Filters(list))
    }

    fn refresh(
        &mut self,
        mut configs: BTreeMap<Arc<str>, DefenseConfig>,
        now: Now,
        events: &mut dyn EventSink,
    ) -> Result<Answer, DefenseError> {
        for (name, config) in &configs {
            super::check_name(name)?;
            config.check()?;
        }
        for (name, stack) in &mut self.stacks {
            match configs.remove(name) {
                Some(config) => {
                    stack.config = Some(config);
                    stack.retired = false;
                }
                None => stack.retired = true,
            }
        }
        for (name, config) in configs {
            let stack = Stack {
                config: Some(config),
                ..Stack::default()
            };
            self.stacks.insert(name, stack);
        }
        // A configuration alone is nothing to save: before the filters of the store are taken in, that
        // would be the end of them.
        self.changed |= self.copy_masters();
        self.drop_inactive(now, events);
        self.publish();
        self.tell_overfull(now, events);
        Ok(Answer::Done)
    }

    /// Brings the global filters to every stack that takes filters and has them not, be it full:
    /// a bound must not take protection away that was asked for. Whether any came.
    fn copy_masters(&mut self) -> bool {
        let mut any = false;
        for stack in self.stacks.values_mut().filter(|s| s.is_eligible()) {
            let there: BTreeSet<EntryId> = stack.filters.iter().map(|f| f.id).collect();
            let missing = self.masters.iter().filter(|m| !there.contains(&m.id));
            stack.filters.extend(missing.cloned());
            any |= stack.filters.len() > there.len();
            // Newest first: numbers ascend.
            stack.filters.sort_by_key(|f| core::cmp::Reverse(f.id));
        }
        any
    }

    /// The stacks that have more filters than they may: after a [restart](Self::restore), a lower
    /// bound, or where all stacks' filters came on top of their own. All of them are in force;
    /// new ones are refused until there are fewer.
    pub fn overfull(&self) -> impl Iterator<Item = Overfull> {
        self.stacks.iter().filter_map(|(name, stack)| {
            let (count, max) = (stack.filters.len(), stack.config.as_ref()?.max_filters);
            (count > max).then(|| Overfull {
                stack: Arc::clone(name),
                count,
                max,
            })
        })
    }

    fn tell_overfull(&self, now: Now, events: &mut dyn EventSink) {
        if events.wants(Class::Control) {
            for stack in self.overfull() {
                let event = Event::new(DEFENSIVE_OVERFULL, Class::Control, now, &stack);
                events.emit(&event);
            }
        }
    }

    fn force_inactive(
        &mut self,
        name: &Arc<str>,
        now: Now,
        events: &mut dyn EventSink,
    ) -> Result<Answer, DefenseError> {
        let stack = self.stacks.get_mut(name);
        let stack = stack.ok_or_else(|| DefenseError::UnknownStack(name.to_string()))?;
        let mut config = stack.config.take().unwrap_or_default();
        config.mode = StackMode::Inactive;
        stack.config = Some(config);
        self.drop_inactive(now, events);
        self.publish();
        Ok(Answer::Done)
    }

    fn drop_inactive(&mut self, now: Now, events: &mut dyn EventSink) {
        let inactive: Vec<_> = self
            .stacks
            .iter()
            .filter(|(_, s)| s.mode() == StackMode::Inactive)
            .map(|(n, _)| Arc::clone(n))
            .collect();
        self.remove(now, events, Happened::Deleted, |stack, _| {
            stack.is_some_and(|s| inactive.contains(s))
        });
    }

    /// Takes filters out that `gone` names; the stack is `None` for master copies.
    fn remove(
        &mut self,
        now: Now,
        events: &mut dyn EventSink,
        why: Happened,
        gone: impl Fn(Option<&Arc<str>>, &Installed) -> bool,
    ) {
        let mut any = false;
        self.masters.retain(|f| {
            let goes = gone(None, f);
            if goes {
                tell(events, now, why, None, f, 0);
            }
            any |= goes;
            !goes
        });
        for (name, stack) in &mut self.stacks {
            let limit = stack.default_log_limit();
            stack.filters.retain(|f| {
                let goes = gone(Some(name), f);
                if goes {
                    tell(events, now, why, Some(name), f, limit);
                }
                any |= goes;
                !goes
            });
        }
        if any {
            self.changed();
        }
    }

    /// The filters of a target that a selection names; at least one.
    fn chosen(&self, target: &Target, selection: &Selection) -> Result<Vec<EntryId>, DefenseError> {
        let filters = match target {
            Target::Global => &self.masters,
            Target::Stack(name) => match self.stacks.get(name) {
                Some(stack) => &stack.filters,
                None => return Err(DefenseError::UnknownStack(name.to_string())),
            },
        };
        if let Selection::Names(names) = selection {
            for name in names {
                if !filters.iter().any(|f| f.filter.name == *name) {
                    return Err(DefenseError::UnknownFilter(name.to_string()));
                }
            }
        }
        let chosen = filters
            .iter()
            .filter(|f| selection.includes(&f.filter.name));
        Ok(chosen.map(|f| f.id).collect())
    }

    fn stack(&self, name: &str) -> Option<(&Stack, &DefenseConfig)> {
        let stack = self.stacks.get(name)?;
        Some((stack, stack.config.as_ref()?))
    }

    fn eligible<'n>(&self, name: &'n Arc<str>) -> Result<&'n Arc<str>, DefenseError> {
        match self.stacks.get(name) {
            Some(stack) if stack.is_eligible() => Ok(name),
            Some(stack) if stack.config.is_some() && !stack.retired => {
                Err(DefenseError::Inactive(name.to_string()))
            }
            Some(_) | None => Err(DefenseError::UnknownStack(name.to_string())),
        }
    }

    /// One more than the greatest extension in use with a name.
    fn extension(&self, name: &str) -> u32 {
        let stacks = self.stacks.values().flat_map(|s| &s.filters);
        let all = self.masters.iter().chain(stacks);
        let used = all.filter(|f| *f.filter.name == *name);
        used.map(|f| f.extension)
            .max()
            .unwrap_or(0)
            .saturating_add(1)
    }

    /// Makes new tables of filters that have changed.
    fn changed(&mut self) {
        self.changed = true;
        self.publish();
    }

    /// Makes new tables.
    fn publish(&mut self) {
        self.generation += 1;
        for stack in self.stacks.values_mut() {
            stack.publish(self.generation);
        }
    }

    /// What the filters of a stack look at; `None` for a stack that was never configured.
    #[must_use]
    pub fn table(&self, stack: &str) -> Option<Arc<DefensiveTable>> {
        self.stacks.get(stack).map(|s| Arc::clone(&s.table))
    }

    /// Adds what a worker of a stack counted of a filter's matches, for displays.
    pub fn count(&mut self, stack: &str, id: EntryId, matches: u64) {
        let filters = self.stacks.get_mut(stack).into_iter();
        let mut filters = filters.flat_map(|s| &mut s.filters);
        if let Some(f) = filters.find(|f| f.id == id) {
            f.matches = f.matches.saturating_add(matches);
        }
    }

    /// When the next filter expires.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let stacks = self.stacks.values().flat_map(|s| &s.filters);
        self.masters.iter().chain(stacks).map(|f| f.expires).min()
    }

    /// Takes filters out whose lifetime is over.
    pub fn handle_deadline(&mut self, now: Now, events: &mut dyn EventSink) {
        if self.next_deadline().is_some_and(|at| at <= now.mono) {
            self.remove(now, events, Happened::Expired, |_, f| f.expires <= now.mono);
        }
    }
}

fn target_is(target: &Target, name: &Arc<str>) -> bool {
    match target {
        Target::Global => true,
        Target::Stack(stack) => stack == name,
    }
}

fn shown(f: &Installed, mode: DefensiveMode, log_limit: u32) -> Displayed {
    Displayed {
        id: f.id,
        filter: Arc::clone(&f.filter),
        extension: f.extension,
        global: f.global,
        mode,
        log_limit,
        created: f.created,
        updated: f.updated,
        expires: f.expires_wall,
        matches: Some(f.matches),
        stacks: None,
    }
}

fn tell(
    events: &mut dyn EventSink,
    now: Now,
    happened: Happened,
    stack: Option<&Arc<str>>,
    f: &Installed,
    default_limit: u32,
) {
    if !events.wants(Class::Control) {
        return;
    }
    let detail = DefenseEvent {
        happened,
        stack: stack.cloned(),
        filter: Arc::clone(&f.filter),
        extension: f.extension,
        global: f.global,
        log_limit: f.filter.log_limit.unwrap_or(default_limit),
    };
    events.emit(&Event::new(code(happened), Class::Control, now, &detail));
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
