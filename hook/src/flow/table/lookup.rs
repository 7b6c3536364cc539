//! Finding flows, one and many at a time.

use super::super::canonical::Canonical;
use super::super::{FlowId, FlowKey};
use super::{FlowTable, Found, Hot, WAYS};
use crate::hooks::Side;

/// Packets whose memory accesses overlap in the batched look-up, with 4 KiB of stack. Over a
/// million flows 64 at a time took some 3 ns a packet more than 128.
const BATCH: usize = 128;

/// One packet of a batched look-up between the stages.
#[derive(Clone, Copy, Default)]
struct Probe {
    hash: u64,
    /// The canonical key of IPv4; that of IPv6 is made again when it is compared.
    addrs: u64,
    tail: u64,
    /// The first place whose tag fits, [`NOWHERE`] if there is none.
    slot: u32,
    swapped: bool,
}

const NOWHERE: u32 = u32::MAX;

/// Compares a canonical IPv4 key: the version in `tail` says that there is no more of it.
#[inline(always)]
const fn is_v4(hot: &Hot, addrs: u64, tail: u64) -> bool {
    let [first, ..] = hot.addrs;
    (first ^ addrs) | (hot.tail ^ tail) == 0
}

impl Hot {
    /// The answer that this entry is the flow; `swapped` is the packet's canonical order.
    #[inline(always)]
    const fn found(&self, slot: usize, swapped: bool) -> Found {
        let from = if self.swapped == swapped {
            Side::Initiator
        } else {
            Side::Responder
        };
        Found {
            id: FlowId::new(slot, self.epoch),
            from,
        }
    }
}

impl<S: Default> FlowTable<S> {
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
                let mut bucket = self.first(p.hash);
                let mut matches = self.matches(bucket, p.hash);
                if matches == 0 {
                    bucket = self.second(p.hash);
                    matches = self.matches(bucket, p.hash);
                }
                p.slot = match matches {
                    0 => NOWHERE,
                    _ => slot_of(bucket, matches) as u32,
                };
            }
            // The sum keeps the loads.
            let touched = probes.iter().zip(keys).fold(0, |sum, (p, _)| {
                sum ^ self.slots.get(p.slot as usize).map_or(0, |h| h.tail)
            });
            core::hint::black_box(touched);
            for ((key, p), found) in keys.iter().zip(&probes).zip(found) {
                let (Some(key), Some(hot)) = (key, self.slots.get(p.slot as usize)) else {
                    *found = None;
                    continue;
                };
                *found = if !key.is_v6() && is_v4(hot, p.addrs, p.tail) {
                    Some(hot.found(p.slot as usize, p.swapped))
                } else {
                    // IPv6, or a tag that only looked alike: the other places are still to be
                    // asked.
                    self.lookup(key)
                };
            }
        }
    }

    /// Reads the state of several flows, so that whoever looks at it next finds it in the cache:
    /// the memory accesses overlap, as those of [`lookup_batch`](Self::lookup_batch) do.
    pub fn touch(&self, found: &[Option<Found>]) {
        for found in found.chunks(BATCH) {
            let touched = found.iter().flatten().fold(0, |sum, f| {
                let hot = self.slots.get(f.id.slot());
                let cold = hot.and_then(|h| self.cold.get(h.cold as usize));
                sum ^ cold.map_or(0, |c| c.charged.map_or(1, Side::index))
            });
            core::hint::black_box(touched);
        }
    }

    /// The bucket a flow stands in if it can.
    #[inline(always)]
    pub(super) fn first(&self, hash: u64) -> usize {
        // Multiply-shift: any number of buckets, no division.
        (((hash & 0xffff_ffff) * self.buckets as u64) >> 32) as usize
    }

    /// The bucket a flow stands in if the first was full.
    #[inline(always)]
    pub(super) fn second(&self, hash: u64) -> usize {
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
            let slot = slot_of(bucket, matches);
            let hot = self.slots.get(slot)?;
            if is(hot) {
                return Some(hot.found(slot, swapped));
            }
            matches &= matches - 1;
        }
        None
    }
}

/// The place of the first match in a bucket.
#[inline(always)]
const fn slot_of(bucket: usize, matches: u64) -> usize {
    bucket * WAYS + (matches.trailing_zeros() / 8) as usize
}

/// The byte by which a bucket tells its flows apart; 0 marks a free place. Its bits choose neither
/// bucket.
#[inline(always)]
pub(super) const fn tag(hash: u64) -> u8 {
    let tag = (hash >> 32) as u8;
    if tag == 0 { 1 } else { tag }
}

/// The bytes of `tags` that equal `tag`, as their top bits. A byte above a true match can be a
/// false one; the full key decides.
#[inline(always)]
pub(super) const fn matching(tags: u64, tag: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let x = tags ^ (ONES * tag as u64);
    x.wrapping_sub(ONES) & !x & (ONES << 7)
}
