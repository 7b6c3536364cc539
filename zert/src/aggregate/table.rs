//! The tables: sessions, their attributes, connections. All bounded, all found by a keyed hash.

use alloc::boxed::Box;
use alloc::vec::Vec;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use hostward_hook::flow::{FlowId, HashKey};

use super::attributes::{Attributes, Facts};
use super::counters::Counters;
use super::session::{SessionId, SessionKey};
use super::{Config, Session};
use crate::record::{Protocol, Traffic};

/// A session that a connection is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its place.
    pub(super) session: u32,
    /// Seen from the other end.
    pub(super) swapped: bool,
    /// It is that of a tunnel below.
    pub(super) is_tunnel: bool,
}

/// A connection that is followed.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) flow: FlowId,
    pub(super) links: [Option<Link>; 4],
    /// Its traffic when it was last looked at.
    pub(super) last: Traffic,
    /// Its failed handshake has been counted.
    pub(super) failed: bool,
}

impl Connection {
    pub(super) fn links(&self) -> impl Iterator<Item = Link> + use<> {
        self.links.into_iter().flatten()
    }
}

/// The connections that are followed.
pub(super) struct Connections {
    table: HashTable<Connection>,
    most: usize,
    key: HashKey,
}

impl Connections {
    pub(super) const fn new(most: usize, key: HashKey) -> Self {
        Self {
            table: HashTable::new(),
            most,
            key,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.table.len() >= self.most
    }

    fn hash(&self, flow: FlowId) -> u64 {
        self.key.hash([flow.as_u64()], 0)
    }

    pub(super) fn get_mut(&mut self, flow: FlowId) -> Option<&mut Connection> {
        let hash = self.hash(flow);
        self.table.find_mut(hash, |c| c.flow == flow)
    }

    /// Adds a connection that is not there; the caller has looked for room.
    pub(super) fn insert(&mut self, connection: Connection) {
        let hash = self.hash(connection.flow);
        let key = self.key;
        self.table
            .insert_unique(hash, connection, |c| key.hash([c.flow.as_u64()], 0));
    }

    pub(super) fn remove(&mut self, flow: FlowId) -> Option<Connection> {
        let hash = self.hash(flow);
        let found = self.table.find_entry(hash, |c| c.flow == flow).ok()?;
        Some(found.remove().0)
    }

    pub(super) fn clear(&mut self) {
        self.table = HashTable::new();
    }
}

/// A set of attributes that sessions share.
struct Set {
    canonical: Box<[u8]>,
    attributes: Attributes,
    hash: u64,
    /// Sessions that have it.
    users: u32,
}

struct Entered {
    key: SessionKey,
    id: SessionId,
    set: u32,
    init: Counters,
    now: Counters,
    /// Something happened in this interval.
    used: bool,
    is_overflow: bool,
}

/// A place of a vector with free places.
struct Places<T> {
    all: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Places<T> {
    const fn new() -> Self {
        Self {
            all: Vec::new(),
            free: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }

    fn get(&self, at: u32) -> Option<&T> {
        self.all.get(at as usize)?.as_ref()
    }

    fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.all.get_mut(at as usize)?.as_mut()
    }

    fn add(&mut self, value: T) -> u32 {
        if let Some(at) = self.free.pop() {
            if let Some(place) = self.all.get_mut(at as usize) {
                *place = Some(value);
            }
            return at;
        }
        self.all.push(Some(value));
        (self.all.len() - 1) as u32
    }

    fn remove(&mut self, at: u32) -> Option<T> {
        let value = self.all.get_mut(at as usize)?.take()?;
        self.free.push(at);
        Some(value)
    }
}

/// The sessions and their attributes.
pub(super) struct Sessions {
    key: HashKey,
    most: usize,
    most_sets: usize,
    sets: Places<Set>,
    by_canonical: HashTable<u32>,
    sessions: Places<Entered>,
    by_key: HashTable<u32>,
    /// Overflow sessions by protocol and view.
    overflow: Vec<(Protocol, bool, u32)>,
}

impl Sessions {
    pub(super) const fn new(config: &Config, key: HashKey) -> Self {
        Self {
            key,
            most: config.sessions,
            most_sets: config.attributes,
            sets: Places::new(),
            by_canonical: HashTable::new(),
            sessions: Places::new(),
            by_key: HashTable::new(),
            overflow: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(super) fn clear(&mut self) {
        self.sets = Places::new();
        self.by_canonical = HashTable::new();
        self.sessions = Places::new();
        self.by_key = HashTable::new();
        self.overflow = Vec::new();
    }

    /// The place of a session, made if it is not there; its overflow session and `true` if there is
    /// no room.
    pub(super) fn find(
        &mut self,
        key: &SessionKey,
        protocol: Protocol,
        canonical: &[u8],
        attributes: impl FnOnce() -> Attributes,
    ) -> (u32, bool) {
        let Some(set) = self.set(canonical, attributes) else {
            return (self.overflow(protocol, key.is_server), true);
        };
        let full = self.sessions.len() >= self.most + self.overflow.len();
        let hash = session_hash(&self.key, key, set);
        let sessions = &self.sessions;
        let same = |at: &u32| {
            sessions
                .get(*at)
                .is_some_and(|s| s.set == set && s.key == *key)
        };
        if let Some(at) = self.by_key.find(hash, same) {
            return (*at, false);
        }
        if full {
            self.forget(set);
            return (self.overflow(protocol, key.is_server), true);
        }
        let failed = self.sets.get(set).is_some_and(|s| s.attributes.failed);
        let id = SessionId::of(key, protocol, failed, canonical);
        let at = self.sessions.add(Entered {
            key: *key,
            id,
            set,
            init: Counters::default(),
            now: Counters::default(),
            used: true,
            is_overflow: false,
        });
        if let Some(set) = self.sets.get_mut(set) {
            set.users += 1;
        }
        let (sessions, siphash) = (&self.sessions, &self.key);
        self.by_key.insert_unique(hash, at, |at| {
            sessions
                .get(*at)
                .map_or(0, |s| session_hash(siphash, &s.key, s.set))
        });
        (at, false)
    }

    /// The place of a set of attributes, `None` if there is no room.
    fn set(&mut self, canonical: &[u8], attributes: impl FnOnce() -> Attributes) -> Option<u32> {
        let hash = bytes_hash(&self.key, canonical);
        let sets = &mut self.sets;
        let most = self.most_sets;
        // The closures share the table of sets, so that what they need is looked up first.
        if let Some(at) = self.by_canonical.find(hash, |at| {
            sets.get(*at).is_some_and(|s| *s.canonical == *canonical)
        }) {
            return Some(*at);
        }
        if sets.len() >= most {
            return None;
        }
        let at = sets.add(Set {
            canonical: canonical.into(),
            attributes: attributes(),
            hash,
            users: 0,
        });
        let rehash = |at: &u32| sets.get(*at).map_or(0, |s| s.hash);
        if let Entry::Vacant(place) = self.by_canonical.entry(hash, |_| false, rehash) {
            place.insert(at);
        }
        Some(at)
    }

    /// Gives a set up that no session has.
    fn forget(&mut self, at: u32) {
        let Some(set) = self.sets.get(at).filter(|s| s.users == 0) else {
            return;
        };
        if let Ok(found) = self.by_canonical.find_entry(set.hash, |a| *a == at) {
            found.remove();
        }
        self.sets.remove(at);
    }

    fn overflow(&mut self, protocol: Protocol, is_server: bool) -> u32 {
        let found = self
            .overflow
            .iter()
            .find(|(p, s, _)| (*p, *s) == (protocol, is_server));
        if let Some((_, _, at)) = found {
            return *at;
        }
        let attributes = Attributes {
            protocol,
            facts: Facts::None,
            ..Attributes::default()
        };
        let set = self.sets.add(Set {
            canonical: Box::default(),
            attributes,
            hash: 0,
            users: 1,
        });
        let key = SessionKey::overflow(is_server);
        let at = self.sessions.add(Entered {
            key,
            id: SessionId::of(&key, protocol, false, protocol.name().as_bytes()),
            set,
            init: Counters::default(),
            now: Counters::default(),
            used: true,
            is_overflow: true,
        });
        self.overflow.push((protocol, is_server, at));
        at
    }

    /// Changes the counters of a session.
    pub(super) fn count(&mut self, at: u32, change: impl FnOnce(&mut Counters)) {
        if let Some(session) = self.sessions.get_mut(at) {
            session.used = true;
            change(&mut session.now);
        }
    }

    /// Shows every session that was in use, the last one as such, and begins the next interval.
    pub(super) fn interval(&mut self, show: &mut dyn FnMut(Session<'_>, bool)) {
        let mut left = self
            .sessions
            .all
            .iter()
            .flatten()
            .filter(|s| s.used)
            .count();
        for at in 0..self.sessions.all.len() as u32 {
            let Some(session) = self.sessions.get_mut(at).filter(|s| s.used) else {
                continue;
            };
            left -= 1;
            if let Some(set) = self.sets.get(session.set) {
                let shown = Session {
                    key: &session.key,
                    id: session.id,
                    attributes: &set.attributes,
                    is_overflow: session.is_overflow,
                    init: &session.init,
                    end: &session.now,
                };
                show(shown, left == 0);
            }
            session.init = session.now;
            session.used = session.now.active > 0;
            if !session.used {
                self.remove(at);
            }
        }
    }

    fn remove(&mut self, at: u32) {
        let Some(session) = self.sessions.remove(at) else {
            return;
        };
        if session.is_overflow {
            self.overflow.retain(|(_, _, place)| *place != at);
        } else {
            let hash = session_hash(&self.key, &session.key, session.set);
            if let Ok(found) = self.by_key.find_entry(hash, |a| *a == at) {
                found.remove();
            }
        }
        let set = session.set;
        if let Some(set) = self.sets.get_mut(set) {
            set.users = set.users.saturating_sub(1);
        }
        if session.is_overflow {
            self.sets.remove(set);
        } else {
            self.forget(set);
        }
    }
}

fn session_hash(siphash: &HashKey, key: &SessionKey, set: u32) -> u64 {
    siphash.hash(key.words(), set.into())
}

/// A hash of any bytes, made of those of its words.
fn bytes_hash(siphash: &HashKey, bytes: &[u8]) -> u64 {
    let mut hash = bytes.len() as u64;
    for chunk in bytes.chunks(56) {
        let mut words = [0; 8];
        let mut parts = words.iter_mut();
        if let Some(first) = parts.next() {
            *first = hash;
        }
        for (word, part) in parts.zip(chunk.chunks(8)) {
            let mut eight = [0; 8];
            for (to, from) in eight.iter_mut().zip(part) {
                *to = *from;
            }
            *word = u64::from_le_bytes(eight);
        }
        hash = siphash.hash(words, 0);
    }
    hash
}
