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

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::hash::{Canonical, HashKey};
use super::source::SourceSketch;
use super::tcp::{FlowState, TcpSegment, Track};
use super::{FlowId, FlowInfo, FlowKey};
use crate::hooks::Side;
use crate::ident::SaId;
use crate::layout::proto;
use crate::meta::{Direction, Meta};
use crate::reason::{FLOW_SHARE_EXCEEDED, FLOW_TABLE_FULL, Reason};
use crate::time::{Instant, Now};

const WAYS: usize = 8;
/// Packets whose memory accesses overlap in the batched look-up, with 5 KiB of stack. Over a
/// million flows 64 at a time took 33 to 37 ns a packet, 128 took 31 to 34.
const BATCH: usize = 128;

/// How long a flow may be silent, by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct Timeouts {
    /// TCP before the handshake is complete. 30 s.
    pub half_open: Duration,
    /// TCP, established. 7,440 s (RFC 5382 section 5).
    pub established: Duration,
    /// TCP after the first FIN. 240 s (RFC 5382: transitory).
    pub closing: Duration,
    /// TCP after both FINs or a reset. 10 s.
    pub over: Duration,
    /// UDP and others, one side has sent. 60 s.
    pub one_way: Duration,
    /// UDP and others, both sides have sent. 300 s (RFC 4787 section 4.3).
    pub two_way: Duration,
    /// ICMP. 30 s.
    pub icmp: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            half_open: Duration::from_secs(30),
            established: Duration::from_secs(7_440),
            closing: Duration::from_secs(240),
            over: Duration::from_secs(10),
            one_way: Duration::from_secs(60),
            two_way: Duration::from_secs(300),
            icmp: Duration::from_secs(30),
        }
    }
}

/// Bounds of a flow table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct FlowConfig {
    /// The most flows; memory for the hot halves (about 103 bytes a flow) is taken at once.
    /// 65,536. At least 8 and at most 2³⁰ are used.
    pub capacity: usize,
    /// The most flows one source may open while the table is crowded (IPv6: one /64). An eighth
    /// of the capacity when `None`.
    pub source_share: Option<usize>,
    /// Idle time-outs.
    pub timeouts: Timeouts,
}

impl Default for FlowConfig {
    fn default() -> Self {
        Self {
            capacity: 65_536,
            source_share: None,
            timeouts: Timeouts::default(),
        }
    }
}

/// The half of an entry that every packet touches: one cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Hot {
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
#[derive(Debug)]
struct Cold<S> {
    info: FlowInfo,
    /// A SYN that would begin a new connection if the other side answers it: the acknowledgment
    /// it needs and who sent it.
    pending_syn: Option<(u32, Side)>,
    /// The side whose share of the table it counts against.
    charged: Option<Side>,
    slot: S,
}

/// A flow that was found, and which side of it the packet is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The entry.
    pub id: FlowId,
    /// The side that sent the packet.
    pub from: Side,
}

impl Found {
    /// A packet from one side of a flow.
    #[must_use]
    pub const fn new(id: FlowId, from: Side) -> Self {
        Self { id, from }
    }
}

/// Whether there is a place for a new flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every case")]
pub enum Room {
    /// There is.
    Free,
    /// There is once this flow is removed.
    Evict(FlowId),
    /// There is none: the packet goes without flow state.
    Refused(Reason),
}

/// What a packet means to the flow its key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every case")]
pub enum Belongs {
    /// It is part of it.
    Yes,
    /// The flow was idle for longer than its state allows: it is over, and the packet begins
    /// another.
    Expired,
    /// The packet begins a new connection between the same endpoints, or shows that one that
    /// seemed reset goes on; who opens it.
    Reused(Side),
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

/// One packet of a batched look-up between the stages.
#[derive(Clone, Copy, Default)]
struct Probe {
    hash: u64,
    matches: u64,
    /// The canonical key of IPv4; that of IPv6 is made again when it is compared.
    addrs: u64,
    tail: u64,
    bucket: u32,
    swapped: bool,
}

/// Compares a canonical IPv4 key: the version in `tail` says that there is no more of it.
#[inline(always)]
const fn is_v4(hot: &Hot, addrs: u64, tail: u64) -> bool {
    let [first, ..] = hot.addrs;
    (first ^ addrs) | (hot.tail ^ tail) == 0
}

/// How often idle flows are looked for, and in how many steps the whole table is covered.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
const SWEEP_STEPS: usize = 32;

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

    /// Finds the flow of a packet. One or two cache misses when the flow is cold, no allocation.
    #[inline]
    #[must_use]
    pub fn lookup(&self, key: &FlowKey) -> Option<Found> {
        if !key.is_v6() {
            let (addrs, tail, swapped, hash) = Canonical::hashed_v4(key, &self.key);
            let first = self.first(hash);
            let is = |h: &Hot| is_v4(h, addrs, tail);
            return self
                .find_in(first, self.matches(first, hash), swapped, is)
                .or_else(|| self.find_second(hash, swapped, is));
        }
        let (c, swapped, hash) = Canonical::hashed(key, &self.key);
        let first = self.first(hash);
        let is = |h: &Hot| c.is(&h.addrs, h.tail);
        self.find_in(first, self.matches(first, hash), swapped, is)
            .or_else(|| self.find_second(hash, swapped, is))
    }

    /// Finds the flows of several packets: the same answers as [`lookup`](Self::lookup) one by
    /// one, with the memory accesses of up to 128 packets overlapped. `None` keys are passed over.
    ///
    /// The stages touch what the next one needs and do not depend on each other, so the processor
    /// has many loads in flight: this is prefetching with ordinary loads.
    pub fn lookup_batch(&self, keys: &[Option<FlowKey>], found: &mut [Option<Found>]) {
        let mut probes = [Probe::default(); BATCH];
        for (keys, found) in keys.chunks(BATCH).zip(found.chunks_mut(BATCH)) {
            for (p, key) in probes.iter_mut().zip(keys) {
                let Some(key) = key else { continue };
                (p.addrs, p.tail, p.swapped, p.hash) = if key.is_v6() {
                    let (c, swapped, hash) = Canonical::hashed(key, &self.key);
                    (0, c.tail, swapped, hash)
                } else {
                    Canonical::hashed_v4(key, &self.key)
                };
            }
            for (p, _) in probes.iter_mut().zip(keys) {
                let first = self.first(p.hash);
                (p.bucket, p.matches) = (first as u32, self.matches(first, p.hash));
                if p.matches == 0 {
                    let second = self.second(p.hash);
                    (p.bucket, p.matches) = (second as u32, self.matches(second, p.hash));
                }
            }
            // Only the first match is touched; a second one is rare. The sum keeps the loads.
            let touched = probes.iter().zip(keys).fold(0, |sum, (p, _)| {
                let slot = p.bucket as usize * WAYS + (p.matches.trailing_zeros() / 8) as usize;
                sum ^ self.slots.get(slot).map_or(0, |h| h.tail)
            });
            core::hint::black_box(touched);
            for ((key, p), found) in keys.iter().zip(&probes).zip(found) {
                let Some(key) = key else {
                    *found = None;
                    continue;
                };
                if key.is_v6() {
                    *found = self.lookup(key);
                    continue;
                }
                let is = |h: &Hot| is_v4(h, p.addrs, p.tail);
                // A tag that only looked alike: the other bucket is still to be asked.
                *found = self
                    .find_in(p.bucket as usize, p.matches, p.swapped, is)
                    .or_else(|| self.find_second(p.hash, p.swapped, is));
            }
        }
    }

    /// The bucket a flow stands in if it can.
    #[inline(always)]
    fn first(&self, hash: u64) -> usize {
        // Multiply-shift: any number of buckets, no division.
        (((hash & 0xffff_ffff) * self.buckets as u64) >> 32) as usize
    }

    /// The bucket a flow stands in if the first was full.
    #[inline(always)]
    fn second(&self, hash: u64) -> usize {
        let (first, other) = (self.first(hash), self.first(hash.rotate_left(24)));
        if other != first {
            other
        } else if first + 1 < self.buckets {
            first + 1
        } else {
            0
        }
    }

    #[inline(always)]
    fn matches(&self, bucket: usize, hash: u64) -> u64 {
        matching(self.tags.get(bucket).copied().unwrap_or(0), tag(hash))
    }

    #[cold]
    #[inline(never)]
    fn find_second(&self, hash: u64, swapped: bool, is: impl Fn(&Hot) -> bool) -> Option<Found> {
        let second = self.second(hash);
        self.find_in(second, self.matches(second, hash), swapped, is)
    }

    #[inline(always)]
    fn find_in(
        &self,
        bucket: usize,
        mut matches: u64,
        swapped: bool,
        is: impl Fn(&Hot) -> bool,
    ) -> Option<Found> {
        while matches != 0 {
            let slot = bucket * WAYS + (matches.trailing_zeros() / 8) as usize;
            let hot = self.slots.get(slot)?;
            if is(hot) {
                let from = if hot.swapped == swapped {
                    Side::Initiator
                } else {
                    Side::Responder
                };
                return Some(Found {
                    id: FlowId {
                        slot: slot as u32,
                        epoch: hot.epoch,
                    },
                    from,
                });
            }
            matches &= matches - 1;
        }
        None
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
                let id = FlowId {
                    slot: slot as u32,
                    epoch: hot.epoch,
                };
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
        let id = FlowId {
            slot: slot as u32,
            epoch: before.wrapping_add(1).max(1),
        };
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
            epoch: id.epoch,
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
        let slot = id.slot as usize;
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
                used.map(move |(way, h)| FlowId {
                    slot: (bucket * WAYS + way) as u32,
                    epoch: h.epoch,
                })
            })
    }

    /// When [`expired`](Self::expired) wants to be asked next; `None` while there is no flow.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.len == 0 {
            None
        } else {
            self.next_sweep.or(Some(Instant::ZERO))
        }
    }

    /// Starts a step of the search for idle flows if one is due: a thirty-second of the table
    /// every quarter second. The caller then takes them with [`expired`](Self::expired).
    ///
    /// An idle flow is found at most eight seconds after its time-out; a packet that names it
    /// earlier finds it [expired](Belongs::Expired).
    pub fn sweep(&mut self, now: Instant) -> Option<Sweep> {
        let next = now.saturating_add(SWEEP_EVERY);
        // A step that is due far ahead is left over from a clock that was set back.
        if self.next_sweep.is_some_and(|at| now < at && at <= next) {
            return None;
        }
        self.next_sweep = Some(next);
        let from = self.hand;
        let to = (from + self.buckets.div_ceil(SWEEP_STEPS)).min(self.buckets);
        self.hand = if to == self.buckets { 0 } else { to };
        Some(Sweep {
            bucket: from,
            end: to,
            way: 0,
            now: self.millis(now),
        })
    }

    /// The next idle flow of a step of the search; the caller removes it.
    pub fn expired(&self, sweep: &mut Sweep) -> Option<FlowId> {
        while sweep.bucket < sweep.end {
            if self.tags.get(sweep.bucket).is_none_or(|t| *t == 0) {
                sweep.bucket += 1;
                sweep.way = 0;
                continue;
            }
            while sweep.way < WAYS {
                let slot = sweep.bucket * WAYS + sweep.way;
                sweep.way += 1;
                if let Some(h) = self
                    .slots
                    .get(slot)
                    .filter(|h| h.used && self.is_idle(h, sweep.now))
                {
                    return Some(FlowId {
                        slot: slot as u32,
                        epoch: h.epoch,
                    });
                }
            }
            sweep.bucket += 1;
            sweep.way = 0;
        }
        None
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
            .get(id.slot as usize)
            .filter(|h| h.used && h.epoch == id.epoch)
    }

    fn hot_mut(&mut self, id: FlowId) -> Option<&mut Hot> {
        self.slots
            .get_mut(id.slot as usize)
            .filter(|h| h.used && h.epoch == id.epoch)
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

    fn is_idle(&self, hot: &Hot, ms: u32) -> bool {
        let t = &self.config.timeouts;
        let icmp = matches!((hot.tail >> 32) as u8, proto::ICMP | proto::ICMPV6);
        let limit = match hot.state {
            FlowState::OneWay | FlowState::TwoWay if icmp => t.icmp,
            FlowState::OneWay => t.one_way,
            FlowState::TwoWay => t.two_way,
            FlowState::SynSent | FlowState::SynReceived => t.half_open,
            FlowState::Established => t.established,
            FlowState::HalfClosed | FlowState::Closing => t.closing,
            FlowState::Closed | FlowState::Reset => t.over,
        };
        let age = ms.wrapping_sub(hot.last);
        // A clock that steps back makes ages huge; those are not idle.
        age < 1 << 31 && u128::from(age) > limit.as_millis()
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

/// A step of the search for idle flows, see [`FlowTable::sweep`].
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    bucket: usize,
    end: usize,
    way: usize,
    now: u32,
}

/// The byte by which a bucket tells its flows apart; 0 marks a free place. Its bits choose neither
/// bucket.
#[inline(always)]
const fn tag(hash: u64) -> u8 {
    let tag = (hash >> 32) as u8;
    if tag == 0 { 1 } else { tag }
}

/// The bytes of `tags` that equal `tag`, as their top bits. A byte above a true match can be a
/// false one; the full key decides.
#[inline(always)]
const fn matching(tags: u64, tag: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let x = tags ^ (ONES * tag as u64);
    x.wrapping_sub(ONES) & !x & (ONES << 7)
}
