//! The replay window and the inference of extended sequence numbers.

use alloc::boxed::Box;
use alloc::vec;

use super::Refused;

/// Which sequence numbers were received: a ring of bits, of which one word more is kept than the
/// window is long, so that moving on clears whole words (RFC 6479 §2).
///
/// A number is looked at before the ICV is checked and marked after it was right.
#[derive(Clone, Debug)]
pub struct Window {
    words: Box<[u64]>,
    /// The highest number that was received; 0 before the first.
    top: u64,
    /// How many numbers the window covers, 0 when replays are not looked for.
    size: u32,
    extended: bool,
}

impl Window {
    /// The largest window.
    pub const MAX: u32 = 65_536;

    /// A window of so many numbers, at most [`Window::MAX`]; 0 looks for no replays.
    #[must_use]
    pub fn new(size: u32, extended: bool) -> Self {
        let size = size.min(Self::MAX);
        // One word more than the window covers, and a power of two of them.
        let words = (size.div_ceil(64) as usize + 1).next_power_of_two();
        Self {
            words: vec![0; words].into_boxed_slice(),
            top: 0,
            size,
            extended,
        }
    }

    /// How many numbers the window covers.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// The highest number that was received, 0 before the first.
    #[must_use]
    pub const fn top(&self) -> u64 {
        self.top
    }

    /// The whole number of a packet that carries `low`, when it may be new. Nothing is changed: the
    /// packet is not known to be genuine.
    ///
    /// # Errors
    /// [`Refused::Replay`] when it was received before; [`Refused::Stale`] when it lies before
    /// the window, or is 0, which no sender uses.
    #[inline]
    pub fn look(&self, low: u32) -> Result<u64, Refused> {
        let sequence = if self.extended {
            self.infer(low).ok_or(Refused::Stale)?
        } else {
            u64::from(low)
        };
        // RFC 4303 §3.3.3: the first packet has the number 1.
        if sequence == 0 {
            return Err(Refused::Stale);
        }
        if sequence > self.top || self.size == 0 {
            return Ok(sequence);
        }
        if self.top - sequence >= u64::from(self.size) {
            return Err(Refused::Stale);
        }
        let (word, bit) = self.place(sequence);
        match self.words.get(word) {
            Some(word) if word & bit == 0 => Ok(sequence),
            _ => Err(Refused::Replay),
        }
    }

    /// Marks a number whose packet was genuine.
    #[inline]
    pub fn mark(&mut self, sequence: u64) {
        if sequence > self.top {
            let words = self.words.len() as u64;
            let (from, to) = (self.top >> 6, sequence >> 6);
            // RFC 6479 §2: words that the window has moved onto are cleared whole.
            for at in (from + 1..=to).take(words as usize) {
                if let Some(word) = self.words.get_mut((at & (words - 1)) as usize) {
                    *word = 0;
                }
            }
            self.top = sequence;
        }
        let (word, bit) = self.place(sequence);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    #[inline]
    fn place(&self, sequence: u64) -> (usize, u64) {
        let mask = self.words.len() as u64 - 1;
        (((sequence >> 6) & mask) as usize, 1 << (sequence & 63))
    }

    /// RFC 4303 appendix A2.2: the high half that puts the number into or after the window.
    #[inline]
    fn infer(&self, low: u32) -> Option<u64> {
        let (top_high, top_low) = ((self.top >> 32) as u32, self.top as u32);
        let bottom = top_low.wrapping_sub(self.size.max(1) - 1);
        let high = if top_low >= self.size.saturating_sub(1) {
            // Case A: the window lies within one subspace.
            if low >= bottom {
                top_high
            } else {
                top_high.checked_add(1)?
            }
        } else if low >= bottom {
            // Case B: the window begins in the subspace before.
            top_high.checked_sub(1)?
        } else {
            top_high
        };
        Some(u64::from(high) << 32 | u64::from(low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4303 §3.3.3, §3.4.3: numbers begin with 1, none is accepted twice or before the window.
    #[test]
    fn marks_and_refuses() {
        let mut w = Window::new(64, false);
        assert_eq!(w.look(0), Err(Refused::Stale));
        assert_eq!(w.look(1), Ok(1));
        // Looking changes nothing.
        assert_eq!(w.look(1), Ok(1));
        w.mark(1);
        assert_eq!(w.look(1), Err(Refused::Replay));
        w.mark(65);
        assert_eq!(w.look(1), Err(Refused::Stale));
        assert_eq!(w.look(2), Ok(2));
        w.mark(2);
        assert_eq!(w.look(2), Err(Refused::Replay));
        w.mark(1_000_000);
        assert_eq!(w.look(999_937), Ok(999_937));
        assert_eq!(w.look(999_936), Err(Refused::Stale));
        assert_eq!(w.look(u32::MAX), Ok(u64::from(u32::MAX)));
    }

    // RFC 6479 §2: no window size leaves a bit behind when it moves on.
    #[test]
    fn every_size_agrees_with_a_list() {
        for size in [64, 65, 100, 128, 1024, 4096, 65_536] {
            let mut w = Window::new(size, false);
            let mut seen = alloc::collections::BTreeSet::new();
            let (mut top, mut state) = (0_u64, 12_345_u64);
            for _ in 0..20_000 {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let step = state >> 33;
                let number = match step % 8 {
                    0 => top + 1 + (step >> 3) % (2 * u64::from(size)),
                    1..4 => top + 1,
                    _ => top.saturating_sub((step >> 3) % (u64::from(size) + 20)),
                };
                let fresh = number > 0
                    && (number > top || top - number < u64::from(size) && !seen.contains(&number));
                assert_eq!(w.look(number as u32).is_ok(), fresh, "{size} {number}");
                if fresh {
                    w.mark(number);
                    seen.insert(number);
                    top = top.max(number);
                }
            }
        }
    }

    // RFC 4303 appendix A2.2: both cases, at both ends of a subspace.
    #[test]
    fn high_halves_are_inferred() {
        let mut w = Window::new(64, true);
        let edge = 1_u64 << 32;
        // Case B in the first subspace: what would lie before it is none.
        assert_eq!(w.look(u32::MAX), Err(Refused::Stale));
        assert_eq!(w.look(1), Ok(1));
        w.mark(edge - 10);
        assert_eq!(w.look((edge - 9) as u32), Ok(edge - 9));
        // Case A: below the window means the next subspace.
        assert_eq!(w.look(5), Ok(edge + 5));
        assert_eq!(w.look(0), Ok(edge));
        w.mark(edge + 5);
        // Case B: the window begins in the subspace before.
        assert_eq!(w.look((edge - 9) as u32), Ok(edge - 9));
        assert_eq!(w.look((edge - 10) as u32), Err(Refused::Replay));
        assert_eq!(w.look(6), Ok(edge + 6));
        assert_eq!(w.look(5), Err(Refused::Replay));
        // Just before the window of 64: taken for the end of this subspace, far ahead.
        assert_eq!(w.look((edge - 58) as u32), Ok(edge - 58));
        assert_eq!(w.look((edge - 59) as u32), Ok(2 * edge - 59));
        // The last subspace has no next one.
        let mut w = Window::new(64, true);
        w.mark(u64::MAX - 5);
        assert_eq!(w.look(u32::MAX), Ok(u64::MAX));
        assert_eq!(w.look(3), Err(Refused::Stale));
    }

    #[test]
    fn size_nought_looks_for_no_replays() {
        let mut w = Window::new(0, false);
        w.mark(70);
        assert_eq!(w.look(70), Ok(70));
        assert_eq!(w.look(1), Ok(1));
        w.mark(1);
        assert_eq!(w.top(), 70);
        assert_eq!(w.look(0), Err(Refused::Stale));
    }
}
