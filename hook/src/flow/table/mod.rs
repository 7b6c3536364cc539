//! The flow table: bounded memory, one cache line to find a flow.
//!
//! Entries stand in buckets of eight. A flow's keyed hash names two buckets and a one-byte tag;
//! the tags of a bucket are one word, so a look-up reads that word and then, nearly always, one
//! 64-byte entry. Entries never move. What only observers need (counters, per-flow state of the
//! controls) stands apart.
//!
//! **At the bound.** A new flow that finds no free place, or a table that holds `capacity` flows
//! already, may only replace one of the at most sixteen flows in its own two buckets, in this
//! order: idle beyond its time-out, over, half-open or heard from one side only, closing, two-way
//! without connection; the oldest of the first kind found. Established connections are never
//! replaced, and only who sees the answers of the other side can make one: the new flow goes
//! without state instead ([`FLOW_TABLE_FULL`]). Since the hash is keyed, nobody can choose whom to
//! displace. From three quarters of the capacity on, a source that holds more
//! than its share gets no more entries ([`FLOW_SHARE_EXCEEDED`]); flows that begin with a packet of
//! this host are exempt.

mod answer;
mod config;
mod lookup;
mod note;
mod sweep;

pub use answer::{Belongs, Found, Room};
pub use config::{FlowConfig, Timeouts};
pub use sweep::Sweep;

use lookup::{matching, tag};

use alloc::vec;
use alloc::vec::Vec;

use super::canonical::Canonical;
use super::source::SourceSketch;
use super::track::Track;
use super::{FlowId, FlowInfo, FlowKey, FlowState, HashKey, TcpSegment};
use crate::hooks::Side;
use crate::ident::SaId;
use crate::layout::proto;
use crate::meta::{Direction, Meta};
use crate::reason::{FLOW_SHARE_EXCEEDED, FLOW_TABLE_FULL, Reason};
use crate::time::{Instant, Now};

const WAYS: usize = 8;

/// The half of an entry that every packet touches: one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Hot {
    /// The canonical key's; behind those of IPv4, which fill one word, stand the notes of both
    /// sides (see [`Note`](super::Note)).
    addrs: [u64; 4],
    tail: u64,
    /// Milliseconds since the table's origin, wrapping.
    last: u32,
    epoch: u32,
    cold: u32,
    next: [u32; 2],
    state: FlowState,
    tcp_bits: u8,
    /// The initiator is the higher endpoint.
    swapped: bool,
    used: bool,
}

const _: () = assert!(size_of::<Hot>() == 64);

impl Hot {
    const EMPTY: Self = Self {
        addrs: [0; 4],
        tail: 0,
        last: 0,
        epoch: 0,
        cold: 0,
        next: [0; 2],
        state: FlowState::OneWay,
        tcp_bits: 0,
        swapped: false,
        used: false,
    };

    fn track(&self) -> Track {
        Track {
            next: self.next,
            state: self.state,
            bits: self.tcp_bits,
        }
    }
}

/// The half of an entry that observers and reports need.
///
/// The state of the controls stands in the first cache line: they ask it for every packet.
#[derive(Debug)]
#[repr(C, align(64))]
struct Cold<S> {
    /// The side whose share of the table it counts against.
    charged: Option<Side>,
    /// A SYN that would begin a new connection if the other side answers it: the acknowledgment
    /// it needs and who sent it.
    pending_syn: Option<(u32, Side)>,
    slot: S,
    info: FlowInfo,
}

/// A bounded table of flows with state `S` for each.
///
/// `S` is assembled by whoever composes the controls. Nothing here locks: a table belongs to one
/// core.
#[derive(Debug)]
pub struct FlowTable<S> {
    key: HashKey,
    config: FlowConfig,
    buckets: usize,
    tags: Vec<u64>,
    slots: Vec<Hot>,
    cold: Vec<Cold<S>>,
    free: Vec<u32>,
    sources: SourceSketch,
    share: u32,
    len: usize,
    insertions: u64,
    origin: Option<Instant>,
    hand: usize,
    next_sweep: Option<Instant>,
}

impl core::fmt::Debug for Hot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Hot")
            .field("state", &self.state)
            .field("used", &self.used)
            .finish()
    }
}

impl<S: Default> FlowTable<S> {
    /// A table with its memory, keyed by random bytes of the host.
    #[must_use]
    pub fn new(config: FlowConfig, key: HashKey) -> Self {
        let capacity = config.capacity.clamp(8, 1 << 30);
        // Five of eight places taken on average: the chance that a bucket overflows into the
        // second choice is about one in eight, that both are full about one in a hundred.
        let buckets = capacity.div_ceil(5).max(2);
        let share = config
            .source_share
            .unwrap_or(capacity / 8)
            .clamp(1, capacity);
        Self {
            key: key.derive(0x666c_6f77),
            config: FlowConfig { capacity, ..config },
            buckets,
            tags: vec![0; buckets],
            slots: vec![Hot::EMPTY; buckets * WAYS],
            cold: Vec::with_capacity(capacity),
            free: Vec::with_capacity(capacity),
            sources: SourceSketch::new(key.derive(0x736f_7572)),
            share: u32::try_from(share).unwrap_or(u32::MAX),
            len: 0,
            insertions: 0,
            origin: None,
            hand: 0,
            next_sweep: None,
        }
    }

    /// Number of flows.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no flow.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The most flows there can be.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.config.capacity
    }

    /// Whether a packet that was found to name this flow is really part of it. Nothing changes
    /// yet: the packet may still be refused.
    pub fn belongs(&self, found: Found, segment: Option<&TcpSegment>, now: Instant) -> Belongs {
        let Some(hot) = self.hot(found.id) else {
            return Belongs::Expired;
        };
        if self.is_idle(hot, self.age_base(now)) {
            return Belongs::Expired;
        }
        let Some(s) = segment else {
            return Belongs::Yes;
        };
        let track = hot.track();
        if s.is_syn() {
            let over = matches!(
                track.state,
                FlowState::Closing | FlowState::Closed | FlowState::Reset
            );
            if over && s.seq.wrapping_add(1) != track.next_of(found.from) {
                return Belongs::Reused(found.from);
            }
        } else if s.is_syn_ack() {
            // RFC 5961 section 4: a SYN inside a connection proves nothing. If the other side
            // answers it, the old connection was gone.
            let pending = self.cold.get(hot.cold as usize).and_then(|c| c.pending_syn);
            if let Some((ack, by)) = pending
                && by == found.from.other()
                && s.ack == ack
            {
                return Belongs::Reused(by);
            }
        } else if track.survives(found.from, s) {
            return Belongs::Reused(Side::Initiator);
        }
        Belongs::Yes
    }

    /// Whether a new flow of this key can have an entry, and what must go for it. The arguments
    /// are those of [`insert`](Self::insert).
    pub fn room(&mut self, key: &FlowKey, meta: &Meta, opening: Direction) -> Room {
        let crowded = self.len >= self.config.capacity - self.config.capacity / 4;
        if crowded
            && let Some(side) = charged(meta, opening)
            && self.sources.estimate(&end_of(key, side)) >= self.share
        {
            return Room::Refused(FLOW_SHARE_EXCEEDED);
        }
        let full = self.len >= self.config.capacity;
        let (_, _, hash) = Canonical::hashed(key, &self.key);
        if !full && self.free_slot(hash).is_some() {
            return Room::Free;
        }
        let ms = self.millis(meta.now.mono);
        let mut victim: Option<((u8, u32), FlowId)> = None;
        for bucket in [self.first(hash), self.second(hash)] {
            for slot in bucket * WAYS..bucket * WAYS + WAYS {
                let Some(hot) = self.slots.get(slot).filter(|h| h.used) else {
                    continue;
                };
                let rank = match hot.state {
                    _ if self.is_idle(hot, ms) => 0,
                    FlowState::Closed | FlowState::Reset => 1,
                    FlowState::OneWay | FlowState::SynSent | FlowState::SynReceived => 2,
                    FlowState::Closing | FlowState::HalfClosed => 3,
                    FlowState::TwoWay => 4,
                    FlowState::Established if !hot.track().is_mutual() => 2,
                    FlowState::Established => continue,
                };
                let age = u32::MAX - ms.wrapping_sub(hot.last);
                let id = FlowId::new(slot, hot.epoch);
                if victim.is_none_or(|(worst, _)| (rank, age) < worst) {
                    victim = Some(((rank, age), id));
                }
            }
        }
        victim.map_or(Room::Refused(FLOW_TABLE_FULL), |(_, id)| Room::Evict(id))
    }

    /// Makes an entry for a new flow. The key's source is the initiator; `opening` tells whether
    /// the initiator's packets come in or go out.
    ///
    /// # Errors
    /// [`FLOW_TABLE_FULL`] when there is no place; [`room`](Self::room) tells beforehand and what
    /// to remove.
    pub fn insert(
        &mut self,
        key: &FlowKey,
        meta: &Meta,
        opening: Direction,
        packet: u64,
    ) -> Result<FlowId, Reason> {
        let (c, swapped, hash) = Canonical::hashed(key, &self.key);
        if self.len >= self.config.capacity {
            return Err(FLOW_TABLE_FULL);
        }
        let (bucket, way) = self.free_slot(hash).ok_or(FLOW_TABLE_FULL)?;
        let ms = self.millis(meta.now.mono);
        let slot = bucket * WAYS + way;
        let before = self.slots.get(slot).ok_or(FLOW_TABLE_FULL)?.epoch;
        let id = FlowId::new(slot, before.wrapping_add(1).max(1));
        let mut info = FlowInfo::new(id, *key, meta, packet);
        info.direction = opening;
        let charged = charged(meta, opening);
        let fresh = Cold {
            info,
            pending_syn: None,
            charged,
            slot: S::default(),
        };
        let at = match self.free.pop() {
            Some(at) => {
                *self.cold.get_mut(at as usize).ok_or(FLOW_TABLE_FULL)? = fresh;
                at
            }
            None => {
                self.cold.push(fresh);
                (self.cold.len() - 1) as u32
            }
        };
        let hot = self.slots.get_mut(slot).ok_or(FLOW_TABLE_FULL)?;
        *hot = Hot {
            addrs: c.addrs,
            tail: c.tail,
            last: ms,
            epoch: id.epoch(),
            cold: at,
            swapped,
            used: true,
            ..Hot::EMPTY
        };
        if let Some(tags) = self.tags.get_mut(bucket) {
            *tags |= u64::from(tag(hash)) << (way * 8);
        }
        self.len += 1;
        self.insertions += 1;
        if let Some(side) = charged {
            self.sources.add(&end_of(key, side));
        }
        Ok(id)
    }

    /// Takes a flow out and gives what was known of it.
    pub fn remove(&mut self, id: FlowId) -> Option<(FlowInfo, S)> {
        let hot = *self.hot(id)?;
        let slot = id.slot();
        if let Some(tags) = self.tags.get_mut(slot / WAYS) {
            *tags &= !(0xff << (slot % WAYS * 8));
        }
        *self.slots.get_mut(slot)? = Hot {
            epoch: hot.epoch,
            ..Hot::EMPTY
        };
        let cold = self.cold.get_mut(hot.cold as usize)?;
        let (info, charged) = (cold.info, cold.charged);
        let state = core::mem::take(&mut cold.slot);
        self.free.push(hot.cold);
        self.len -= 1;
        if let Some(side) = charged {
            self.sources.remove(&end_of(&info.key, side));
        }
        Some((info, state))
    }

    /// Counts a packet into its flow and follows its TCP state. `false` when a segment's numbers
    /// did not fit and it changed nothing.
    pub fn update(
        &mut self,
        found: Found,
        segment: Option<&TcpSegment>,
        bytes: u64,
        now: Now,
        sa: Option<SaId>,
    ) -> bool {
        let ms = self.millis(now.mono);
        let Some(hot) = self.hot_mut(found.id) else {
            return false;
        };
        let mut fits = true;
        let mut pending_syn = None;
        if let Some(s) = segment {
            let mut track = hot.track();
            fits = track.segment(found.from, s);
            (hot.next, hot.state, hot.tcp_bits) = (track.next, track.state, track.bits);
            if !fits && s.is_syn() {
                pending_syn = Some((s.seq.wrapping_add(1), found.from));
            }
        } else if (hot.tail >> 32) as u8 == proto::TCP {
            // Without a whole header nobody accepts it.
            fits = false;
        } else if found.from == Side::Responder {
            hot.state = FlowState::TwoWay;
        }
        if fits {
            hot.last = ms;
        }
        let at = hot.cold as usize;
        if let Some(cold) = self.cold.get_mut(at) {
            let info = &mut cold.info;
            let side = match found.from {
                Side::Initiator => &mut info.initiator,
                Side::Responder => &mut info.responder,
            };
            side.packets += 1;
            side.bytes += bytes;
            info.last = now;
            info.sa = sa;
            if pending_syn.is_some() {
                cold.pending_syn = pending_syn;
            }
        }
        fits
    }

    /// Notes that the beginning of a flow was not seen.
    pub fn set_midstream(&mut self, id: FlowId) {
        if let Some(at) = self.hot(id).map(|h| h.cold as usize)
            && let Some(cold) = self.cold.get_mut(at)
        {
            cold.info.midstream = true;
        }
    }

    /// The two buckets in which a flow of this key can stand: for tests of the hash.
    #[doc(hidden)]
    #[must_use]
    pub fn buckets_of(&self, key: &FlowKey) -> (usize, usize) {
        let (_, _, hash) = Canonical::hashed(key, &self.key);
        (self.first(hash), self.second(hash))
    }

    /// Whether the flow is still in the table.
    #[inline]
    #[must_use]
    pub fn contains(&self, id: FlowId) -> bool {
        self.hot(id).is_some()
    }

    /// How many flows were ever put in: tells whether an earlier look-up that found nothing still
    /// counts.
    #[must_use]
    pub const fn insertions(&self) -> u64 {
        self.insertions
    }

    /// The state of a flow.
    #[must_use]
    pub fn state(&self, id: FlowId) -> Option<FlowState> {
        self.hot(id).map(|h| h.state)
    }

    /// What is known of a flow.
    #[must_use]
    pub fn info(&self, id: FlowId) -> Option<&FlowInfo> {
        let cold = self.hot(id)?.cold as usize;
        self.cold.get(cold).map(|c| &c.info)
    }

    /// What is known of a flow and the controls' state of it.
    pub fn slot_mut(&mut self, id: FlowId) -> Option<(&FlowInfo, &mut S)> {
        let cold = self.hot(id)?.cold as usize;
        self.cold.get_mut(cold).map(|c| (&c.info, &mut c.slot))
    }

    /// All flows, in no order: for reports and for closing everything.
    pub fn ids(&self) -> impl Iterator<Item = FlowId> {
        // Empty buckets are passed over by their tags: a table is mostly empty.
        let buckets = self
            .tags
            .iter()
            .zip(self.slots.chunks_exact(WAYS))
            .enumerate();
        buckets
            .filter(|(_, (tags, _))| **tags != 0)
            .flat_map(|(bucket, (_, slots))| {
                let used = slots.iter().enumerate().filter(|(_, h)| h.used);
                used.map(move |(way, h)| FlowId::new(bucket * WAYS + way, h.epoch))
            })
    }

    fn free_slot(&self, hash: u64) -> Option<(usize, usize)> {
        [self.first(hash), self.second(hash)]
            .into_iter()
            .find_map(|bucket| {
                let empty = matching(self.tags.get(bucket).copied()?, 0);
                (empty != 0).then(|| (bucket, (empty.trailing_zeros() / 8) as usize))
            })
    }

    fn hot(&self, id: FlowId) -> Option<&Hot> {
        self.slots
            .get(id.slot())
            .filter(|h| h.used && h.epoch == id.epoch())
    }

    fn hot_mut(&mut self, id: FlowId) -> Option<&mut Hot> {
        self.slots
            .get_mut(id.slot())
            .filter(|h| h.used && h.epoch == id.epoch())
    }

    /// Wrapping milliseconds, so that ages up to 24 days compare right.
    fn millis(&mut self, now: Instant) -> u32 {
        self.origin.get_or_insert(now);
        self.age_base(now)
    }

    fn age_base(&self, now: Instant) -> u32 {
        let origin = self.origin.unwrap_or(now);
        now.as_millis().wrapping_sub(origin.as_millis()) as u32
    }
}

/// Whose share of the table a flow counts against: that of the host whose packet came in. Who
/// opened a flow that was met in the middle is a guess, which must not be what counts.
fn charged(meta: &Meta, opening: Direction) -> Option<Side> {
    (meta.direction() == Direction::Inbound).then_some(match opening {
        Direction::Inbound => Side::Initiator,
        Direction::Outbound => Side::Responder,
    })
}

/// The key with this side as its source.
fn end_of(key: &FlowKey, side: Side) -> FlowKey {
    match side {
        Side::Initiator => *key,
        Side::Responder => key.reversed(),
    }
}
