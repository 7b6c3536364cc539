//! How many flows a source holds, in fixed memory: a count-min sketch with exact removal.
//!
//! An estimate is never too low, so a greedy source is always recognised; with a table of random
//! flows it is too high by a small share of the capacity. The rows are keyed, so nobody can choose
//! addresses that count against somebody else.

use alloc::vec;
use alloc::vec::Vec;

use super::FlowKey;
use super::hash::HashKey;

const ROWS: usize = 4;
const WIDTH: usize = 4096;

#[derive(Debug)]
pub(super) struct SourceSketch {
    key: HashKey,
    counts: Vec<u32>,
}

impl SourceSketch {
    pub(super) fn new(key: HashKey) -> Self {
        Self {
            key,
            counts: vec![0; ROWS * WIDTH],
        }
    }

    pub(super) fn add(&mut self, key: &FlowKey) {
        self.each(key, |c| *c = c.saturating_add(1));
    }

    pub(super) fn remove(&mut self, key: &FlowKey) {
        self.each(key, |c| *c = c.saturating_sub(1));
    }

    pub(super) fn estimate(&mut self, key: &FlowKey) -> u32 {
        let mut least = u32::MAX;
        self.each(key, |c| least = least.min(*c));
        least
    }

    fn each(&mut self, key: &FlowKey, mut f: impl FnMut(&mut u32)) {
        // The first 64 bits: a whole IPv4 address, the network part of an IPv6 one.
        let prefix = key
            .addrs
            .first_chunk::<8>()
            .map_or(0, |b| u64::from_le_bytes(*b));
        let hash = self.key.hash([prefix], u64::from(key.version));
        for (row, counts) in self.counts.chunks_exact_mut(WIDTH).enumerate() {
            let at = (hash >> (row * 16)) as usize % WIDTH;
            if let Some(c) = counts.get_mut(at) {
                f(c);
            }
        }
    }
}
