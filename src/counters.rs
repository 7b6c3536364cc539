//! What the guard has counted.

use alloc::vec::Vec;

use hostward_hook::reason::{Code, Control};
use hostward_hook::verdict::Verdict;

/// The most different reasons that are counted apart; the suite has fewer.
const REASONS: usize = 512;

/// Packets by outcome, and refusals by control and reason.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Counters {
    /// Packets judged.
    pub packets: u64,
    /// Bytes of them, from the IP header on.
    pub bytes: u64,
    /// Delivered.
    pub delivered: u64,
    /// Dropped or rejected.
    pub refused: u64,
    /// Taken over: fragments that waited for their siblings.
    pub consumed: u64,
    /// Sent into a tunnel, held, or handed to another worker.
    pub diverted: u64,
    /// Packets that went on without flow state because the table was full or the source had its
    /// share.
    pub untracked: u64,
    /// Sorted by code.
    reasons: Vec<(Code, u64)>,
    other_reasons: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            packets: 0,
            bytes: 0,
            delivered: 0,
            refused: 0,
            consumed: 0,
            diverted: 0,
            untracked: 0,
            reasons: Vec::with_capacity(REASONS),
            other_reasons: 0,
        }
    }
}

impl Counters {
    /// Refusals by reason, in the order of the codes.
    pub fn reasons(&self) -> impl Iterator<Item = (Code, u64)> {
        self.reasons.iter().copied()
    }

    /// Refusals for one reason.
    #[must_use]
    pub fn reason(&self, code: Code) -> u64 {
        self.reasons
            .binary_search_by_key(&code, |(c, _)| *c)
            .ok()
            .and_then(|at| self.reasons.get(at))
            .map_or(0, |(_, n)| *n)
    }

    /// Refusals by one control.
    #[must_use]
    pub fn control(&self, control: Control) -> u64 {
        self.reasons
            .iter()
            .filter(|(c, _)| c.control() == Some(control))
            .map(|(_, n)| n)
            .sum()
    }

    /// Refusals whose reason found no place of its own among the counters.
    #[must_use]
    pub const fn other_reasons(&self) -> u64 {
        self.other_reasons
    }

    pub(crate) fn verdict(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Continue => self.delivered += 1,
            Verdict::Consumed => self.consumed += 1,
            Verdict::Drop(code) | Verdict::Reject(code) => {
                self.refused += 1;
                self.count(code);
            }
            Verdict::Protect { .. } | Verdict::Hold(_) | Verdict::Handoff(_) | _ => {
                self.diverted += 1;
            }
        }
    }

    fn count(&mut self, code: Code) {
        match self.reasons.binary_search_by_key(&code, |(c, _)| *c) {
            Ok(at) => {
                if let Some((_, n)) = self.reasons.get_mut(at) {
                    *n += 1;
                }
            }
            Err(at) if self.reasons.len() < REASONS => self.reasons.insert(at, (code, 1)),
            Err(_) => self.other_reasons += 1,
        }
    }
}
