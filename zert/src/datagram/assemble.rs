//! Puts a sequence of bytes together from pieces that come in any order, more than once or
//! overlapping.

use alloc::vec::Vec;

use crate::pool::Pool;

/// Pieces with holes between them that are kept at most. Clients that scatter their hello on
/// purpose use some twenty.
const PIECES: usize = 64;

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insert {
    /// It is kept, or was there already.
    Kept,
    /// It goes beyond the longest sequence that is read, or there are too many holes.
    TooLong,
    /// The common bound of all buffers stands against it.
    NoMemory,
}

/// A sequence in progress.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    buf: Vec<u8>,
    /// What is there: `[from, to)`, in order, with holes between them.
    have: Vec<(usize, usize)>,
}

impl Assembler {
    /// Takes a piece. Where pieces overlap the first one counts.
    pub(crate) fn insert(
        &mut self,
        offset: usize,
        data: &[u8],
        limit: usize,
        pool: &mut Pool,
    ) -> Insert {
        let Some(end) = offset.checked_add(data.len()).filter(|end| *end <= limit) else {
            return Insert::TooLong;
        };
        if data.is_empty() {
            return Insert::Kept;
        }
        let touching = |(from, to): &(usize, usize)| *from <= end && offset <= *to;
        let joined = self.have.iter().filter(|h| touching(h)).count();
        if joined == 0 && self.have.len() >= PIECES {
            return Insert::TooLong;
        }
        while self.buf.len() < end {
            const ZEROS: [u8; 1024] = [0; 1024];
            let n = (end - self.buf.len()).min(ZEROS.len());
            let zeros = ZEROS.get(..n).unwrap_or(&ZEROS);
            if !pool.append(&mut self.buf, zeros) {
                return Insert::NoMemory;
            }
        }
        // The holes that this piece fills.
        let mut at = offset;
        let (mut from, mut to) = (offset, end);
        for (a, b) in self.have.iter().copied().filter(touching) {
            copy(&mut self.buf, at, a.min(end), offset, data);
            at = at.max(b);
            from = from.min(a);
            to = to.max(b);
        }
        copy(&mut self.buf, at, end, offset, data);
        let place = self.have.partition_point(|h| h.1 < offset);
        self.have.drain(place..place + joined);
        self.have.insert(place, (from, to));
        Insert::Kept
    }

    /// The bytes from the beginning up to the first hole.
    pub(crate) fn ready(&self) -> &[u8] {
        match self.have.first() {
            Some((0, to)) => self.buf.get(..*to).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Gives the memory back.
    pub(crate) fn clear(&mut self, pool: &mut Pool) {
        pool.give(&mut self.buf);
        self.have = Vec::new();
    }
}

/// Copies what `data`, which stands at `offset`, has for `[from, to)`.
fn copy(buf: &mut [u8], from: usize, to: usize, offset: usize, data: &[u8]) {
    if from < to
        && let Some(place) = buf.get_mut(from..to)
        && let Some(source) = data.get(from - offset..to - offset)
    {
        place.copy_from_slice(source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_give_the_whole() {
        let whole: Vec<u8> = (0..200).map(|i| i as u8).collect();
        arbtest::arbtest(|u| {
            let mut pool = Pool::new(1 << 16);
            let mut a = Assembler::default();
            let mut seen = [false; 200];
            for _ in 0..u.int_in_range(1..=60)? {
                let from = u.int_in_range(0..=199_usize)?;
                let to = u.int_in_range(from..=200)?;
                let piece = whole.get(from..to).unwrap();
                assert_eq!(a.insert(from, piece, 200, &mut pool), Insert::Kept);
                seen[from..to].fill(true);
                let ready = seen.iter().take_while(|s| **s).count();
                assert_eq!(a.ready(), &whole[..ready]);
                assert!(a.have.windows(2).all(|w| w[0].1 < w[1].0));
            }
            a.clear(&mut pool);
            Ok(())
        });
    }

    #[test]
    fn the_first_of_overlapping_pieces_counts_and_bounds_hold() {
        let mut pool = Pool::new(4096);
        let mut a = Assembler::default();
        assert_eq!(a.insert(2, b"cd", 8, &mut pool), Insert::Kept);
        assert_eq!(a.insert(0, b"......", 8, &mut pool), Insert::Kept);
        assert_eq!(a.ready(), b"..cd..");
        assert_eq!(a.insert(6, b"123", 8, &mut pool), Insert::TooLong);
        assert_eq!(a.insert(usize::MAX, b"1", 8, &mut pool), Insert::TooLong);
        assert_eq!(a.insert(5000, b"1", 9000, &mut pool), Insert::NoMemory);
        a.clear(&mut pool);
        for i in 0..PIECES {
            assert_eq!(a.insert(i * 2, b"x", 1000, &mut pool), Insert::Kept);
        }
        assert_eq!(a.insert(PIECES * 2, b"x", 1000, &mut pool), Insert::TooLong);
        assert_eq!(a.insert(1, b"x", 1000, &mut pool), Insert::Kept);
    }
}
