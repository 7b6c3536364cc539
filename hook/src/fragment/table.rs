//! The datagrams that are being put together, found by key, by age and by source.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::piece::Key;
use crate::layout::IpVersion;
use crate::pool::NIL;
use crate::reason::Reason;
use crate::time::Instant;

/// One datagram.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) opened: Instant,
    pub(super) deadline: Instant,
    /// Why it was discarded; `None` while it is being put together.
    pub(super) dead: Option<Reason>,
    /// Blocks of the data, sorted by offset, and of the first fragment's header.
    pub(super) data: u32,
    pub(super) header: u32,
    pub(super) blocks: u32,
    /// Bytes that have arrived, and how many there are once the last fragment is known.
    pub(super) received: u32,
    pub(super) end: Option<u32>,
    pub(super) fragments: u16,
    pub(super) protocol: u8,
    pub(super) protocol_at: usize,
    pub(super) first_packet: u64,
    /// The ECN fields seen, one bit each.
    pub(super) ecn: u8,
    older: u32,
    newer: u32,
}

#[derive(Clone, Copy, Debug)]
struct List {
    oldest: u32,
    newest: u32,
}

/// What one source uses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    pub(super) datagrams: u32,
    pub(super) blocks: u32,
}

#[derive(Debug)]
pub(super) struct Table {
    keys: BTreeMap<Key, u32>,
    sources: BTreeMap<IpAddr, Share>,
    entries: Vec<Entry>,
    free: u32,
    /// By age: IPv4 and IPv6 being put together, IPv4 and IPv6 discarded. Within each the
    /// time-out is the same, so the oldest is due first.
    lists: [List; 4],
}

/// The list an entry belongs to.
const fn list_of(entry: &Entry) -> usize {
    let version = match entry.key.version() {
        IpVersion::V4 => 0,
        IpVersion::V6 => 1,
    };
    version + if entry.dead.is_some() { 2 } else { 0 }
}

impl Table {
    pub(super) const fn new() -> Self {
        const EMPTY: List = List {
            oldest: NIL,
            newest: NIL,
        };
        Self {
            keys: BTreeMap::new(),
            sources: BTreeMap::new(),
            entries: Vec::new(),
            free: NIL,
            lists: [EMPTY; 4],
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn find(&self, key: &Key) -> Option<u32> {
        self.keys.get(key).copied()
    }

    pub(super) fn entry(&self, index: u32) -> Option<&Entry> {
        self.entries.get(index as usize)
    }

    pub(super) fn entry_mut(&mut self, index: u32) -> Option<&mut Entry> {
        self.entries.get_mut(index as usize)
    }

    pub(super) fn share(&self, source: IpAddr) -> Share {
        self.sources.get(&source).copied().unwrap_or_default()
    }

    /// Opens an entry. The caller has made room and there is none of this key.
    pub(super) fn open(&mut self, key: Key, now: Instant, timeout: Duration, packet: u64) -> u32 {
        let entry = Entry {
            key,
            opened: now,
            deadline: now.saturating_add(timeout),
            dead: None,
            data: NIL,
            header: NIL,
            blocks: 0,
            received: 0,
            end: None,
            fragments: 0,
            protocol: 0,
            protocol_at: 0,
            first_packet: packet,
            ecn: 0,
            older: NIL,
            newer: NIL,
        };
        let index = if let Some(slot) = self.entries.get_mut(self.free as usize) {
            let index = self.free;
            self.free = slot.newer;
            *slot = entry;
            index
        } else {
            let index = u32::try_from(self.entries.len()).unwrap_or(NIL);
            self.entries.push(entry);
            index
        };
        self.keys.insert(key, index);
        self.sources.entry(key.source).or_default().datagrams += 1;
        self.link(index);
        index
    }

    /// Forgets an entry. Its blocks must have been given back.
    pub(super) fn close(&mut self, index: u32) {
        self.unlink(index);
        let free = self.free;
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return;
        };
        let key = entry.key;
        entry.newer = free;
        self.free = index;
        self.keys.remove(&key);
        if let Some(share) = self.sources.get_mut(&key.source) {
            share.datagrams = share.datagrams.saturating_sub(1);
            if share.datagrams == 0 {
                self.sources.remove(&key.source);
            }
        }
    }

    /// Remembers an entry as discarded from now on. Its blocks must have been given back.
    pub(super) fn bury(&mut self, index: u32, why: Reason, now: Instant, timeout: Duration) {
        self.unlink(index);
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.dead = Some(why);
            entry.deadline = now.saturating_add(timeout);
        }
        self.link(index);
    }

    /// Counts blocks that were taken for an entry.
    pub(super) fn add_blocks(&mut self, index: u32, n: u32) {
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.blocks += n;
            self.sources.entry(entry.key.source).or_default().blocks += n;
        }
    }

    /// Takes an entry's blocks away: the heads of its two chains.
    pub(super) fn take_blocks(&mut self, index: u32) -> [u32; 2] {
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return [NIL; 2];
        };
        if let Some(share) = self.sources.get_mut(&entry.key.source) {
            share.blocks = share.blocks.saturating_sub(entry.blocks);
        }
        let chains = [entry.data, entry.header];
        entry.data = NIL;
        entry.header = NIL;
        entry.blocks = 0;
        chains
    }

    /// The entry whose time is up first.
    pub(super) fn next_due(&self) -> Option<(Instant, u32)> {
        self.lists
            .iter()
            .filter_map(|l| Some((self.entry(l.oldest)?.deadline, l.oldest)))
            .min()
    }

    /// The oldest entry that is being put together, or the one after it when that is `spare`.
    pub(super) fn oldest_live(&self, spare: u32) -> Option<u32> {
        let [live4, live6, ..] = &self.lists;
        [live4, live6]
            .into_iter()
            .filter_map(|l| {
                let index = if l.oldest == spare {
                    self.entry(l.oldest)?.newer
                } else {
                    l.oldest
                };
                Some((self.entry(index)?.opened, index))
            })
            .min()
            .map(|(_, index)| index)
    }

    /// The entry to go first when there are too many: discarded ones before others.
    pub(super) fn oldest(&self) -> Option<u32> {
        let [_, _, dead4, dead6] = &self.lists;
        [dead4, dead6]
            .into_iter()
            .filter_map(|l| Some((self.entry(l.oldest)?.deadline, l.oldest)))
            .min()
            .map(|(_, index)| index)
            .or_else(|| self.oldest_live(NIL))
    }

    /// A source's oldest entry, discarded ones before others unless only those with blocks
    /// count; looks at as many entries as the source has.
    pub(super) fn oldest_of(&self, source: IpAddr, with_blocks: bool, spare: u32) -> Option<u32> {
        let (least, most) = Key::range(source);
        self.keys
            .range(least..=most)
            .map(|(_, index)| *index)
            .filter(|index| *index != spare)
            .filter_map(|index| {
                let entry = self.entry(index)?;
                if with_blocks && entry.blocks == 0 {
                    return None;
                }
                Some((entry.dead.is_none(), entry.opened, index))
            })
            .min()
            .map(|(_, _, index)| index)
    }

    fn link(&mut self, index: u32) {
        let Some(which) = self.entry(index).map(list_of) else {
            return;
        };
        let Some(list) = self.lists.get_mut(which) else {
            return;
        };
        let older = list.newest;
        list.newest = index;
        if older == NIL {
            list.oldest = index;
        }
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.older = older;
            entry.newer = NIL;
        }
        if let Some(entry) = self.entries.get_mut(older as usize) {
            entry.newer = index;
        }
    }

    fn unlink(&mut self, index: u32) {
        let Some(entry) = self.entries.get(index as usize) else {
            return;
        };
        let (older, newer, which) = (entry.older, entry.newer, list_of(entry));
        let Some(list) = self.lists.get_mut(which) else {
            return;
        };
        if older == NIL {
            list.oldest = newer;
        }
        if newer == NIL {
            list.newest = older;
        }
        if let Some(entry) = self.entries.get_mut(older as usize) {
            entry.newer = newer;
        }
        if let Some(entry) = self.entries.get_mut(newer as usize) {
            entry.older = older;
        }
    }
}
