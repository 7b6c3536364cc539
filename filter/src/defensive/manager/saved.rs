//! Into a store and out of it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use hostward_hook::event::EventSink;
use hostward_hook::time::{Now, UnixTime};

use super::{Defense, Installed};
use crate::defensive::record::{self, Damage, Record};
use crate::defensive::store::{Store, StoreError};
use crate::defensive::{DefensiveFilter, EntryId};

impl Defense {
    /// Writes all filters into a store, if any of them changed since the last time; a configuration
    /// alone changes none. What the store has is replaced, so a store is to be
    /// [restored](Self::restore) from before anything is asked that changes filters.
    ///
    /// # Errors
    /// What the store says. The filters stay in force, and the next call tries again.
    pub fn persist(&mut self, store: &mut dyn Store) -> Result<(), StoreError> {
        if self.changed {
            store.save(&record::encode(&self.records()))?;
            self.changed = false;
        }
        Ok(())
    }

    /// Takes in what a store has, on top of what there is: to be called after the first
    /// configuration. What is damaged is reported, and everything that can be read is put in force:
    /// damage never takes protection away that is still there to be read, nor does a bound
    /// ([`DefenseConfig::max_filters`](crate::defensive::DefenseConfig::max_filters)) that is lower than when it was saved. Which stacks are beyond
    /// theirs is told, and [`overfull`](Self::overfull) says it.
    ///
    /// # Errors
    /// The store could not be read at all: try again, or keep what is there elsewhere, before the next
    /// [`persist`](Self::persist) replaces it. A store that never was written is empty, not an error.
    pub fn restore(
        &mut self,
        store: &mut dyn Store,
        now: Now,
        events: &mut dyn EventSink,
    ) -> Result<Vec<Damage>, StoreError> {
        let Some(bytes) = store.load()? else {
            return Ok(Vec::new());
        };
        let (records, damage) = record::decode(&bytes);
        for record in records {
            self.take_in(record, now);
        }
        // Once for all: a text may have very many. Newest first, of equal numbers those that were
        // there before.
        let stacks = self.stacks.values_mut().map(|s| &mut s.filters);
        for list in stacks.chain([&mut self.masters]) {
            list.sort_by_key(|f| core::cmp::Reverse(f.id));
            list.dedup_by_key(|f| f.id);
        }
        let _ = self.copy_masters();
        self.drop_inactive(now, events);
        self.changed();
        self.handle_deadline(now, events);
        self.tell_overfull(now, events);
        Ok(damage)
    }

    fn take_in(&mut self, record: Record, now: Now) {
        let Record {
            stack,
            id,
            extension,
            global,
            created,
            updated,
            expires,
            filter,
        } = record;
        // A clock that was set back must not make a filter live longer than it was made for.
        let life = u64::from(filter.lifetime).saturating_mul(60_000_000);
        let left = expires
            .as_micros()
            .saturating_sub(now.wall.as_micros())
            .min(life);
        if left == 0 {
            return;
        }
        self.last_id = self.last_id.max(id);
        let installed = Installed {
            id: EntryId(id),
            filter: Arc::new(filter),
            extension,
            global,
            created,
            updated,
            expires: now.mono.saturating_add(Duration::from_micros(left)),
            expires_wall: UnixTime::from_micros(now.wall.as_micros().saturating_add(left)),
            matches: 0,
        };
        let list = match stack {
            None => &mut self.masters,
            Some(name) => &mut self.stacks.entry(name).or_default().filters,
        };
        list.push(installed);
    }

    fn records(&self) -> Vec<Record> {
        let record = |stack: Option<&Arc<str>>, f: &Installed| Record {
            stack: stack.cloned(),
            id: f.id.0,
            extension: f.extension,
            global: f.global,
            created: f.created,
            updated: f.updated,
            expires: f.expires_wall,
            filter: DefensiveFilter::clone(&f.filter),
        };
        let masters = self.masters.iter().map(|f| record(None, f));
        let stacks = self.stacks.iter();
        let copies = stacks.flat_map(|(n, s)| s.filters.iter().map(move |f| record(Some(n), f)));
        masters.chain(copies).collect()
    }
}
