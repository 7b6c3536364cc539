//! Finding flows that have been silent for too long.

use core::time::Duration;

use super::super::{FlowId, FlowState};
use super::{FlowTable, Hot, WAYS};
use crate::layout::proto;
use crate::time::Instant;

/// How often idle flows are looked for, and in how many steps the whole table is covered.
const SWEEP_EVERY: Duration = Duration::from_millis(250);
const SWEEP_STEPS: usize = 32;

/// A step of the search for idle flows, see [`FlowTable::sweep`].
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    bucket: usize,
    end: usize,
    way: usize,
    now: u32,
}

impl<S: Default> FlowTable<S> {
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
    /// earlier finds it [expired](super::Belongs::Expired).
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
            if sweep.way == 0 {
                // A table is mostly empty: its tags are passed over several at a time.
                let rest = self.tags.get(sweep.bucket..sweep.end).unwrap_or_default();
                let (groups, _) = rest.as_chunks::<8>();
                let empty = |group: &&[u64; 8]| group.iter().fold(0, |all, t| all | t) == 0;
                let skip = groups.iter().take_while(empty).count() * 8;
                let rest = rest.get(skip..).unwrap_or_default();
                sweep.bucket += skip + rest.iter().take_while(|t| **t == 0).count();
                if sweep.bucket >= sweep.end {
                    break;
                }
            }
            while sweep.way < WAYS {
                let slot = sweep.bucket * WAYS + sweep.way;
                sweep.way += 1;
                if let Some(h) = self
                    .slots
                    .get(slot)
                    .filter(|h| h.used && self.is_idle(h, sweep.now))
                {
                    return Some(FlowId::new(slot, h.epoch));
                }
            }
            sweep.bucket += 1;
            sweep.way = 0;
        }
        None
    }

    pub(super) fn is_idle(&self, hot: &Hot, ms: u32) -> bool {
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
