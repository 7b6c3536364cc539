//! Byte buffers with one common bound, used again and again.

use alloc::vec::Vec;

/// Smallest buffer that is made.
const SMALLEST: usize = 1024;
/// Capacity up to which a buffer is a small one: most messages fit.
const SMALL: usize = 8192;
/// How many unused buffers are kept.
const KEPT: usize = 32;

/// Hands out buffers and takes them back; together they never hold more than a set number of
/// bytes.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Vec<Vec<u8>>,
    /// Bytes of capacity in all buffers, lent and unused.
    held: usize,
    max: usize,
}

impl Pool {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            free: Vec::with_capacity(KEPT),
            held: 0,
            max,
        }
    }

    pub(crate) const fn held(&self) -> usize {
        self.held
    }

    /// Appends to a lent buffer (an empty one needs no lending). `false` when the common bound
    /// stands against it; then nothing was appended.
    pub(crate) fn append(&mut self, buf: &mut Vec<u8>, data: &[u8]) -> bool {
        if data.is_empty() {
            return true;
        }
        if buf.capacity() == 0
            && let Some(used) = self.free.pop()
        {
            *buf = used;
        }
        let need = buf.len() + data.len();
        if need > buf.capacity() {
            // Doubling a long one would hold up to twice what is needed.
            let capacity = if need > 4 * SMALL {
                need.next_multiple_of(SMALL)
            } else {
                need.next_power_of_two().max(SMALLEST)
            };
            let more = capacity - buf.capacity();
            // A quarter is for small ones: few connections with long messages that never end
            // must not keep all others from being read.
            let max = if capacity > SMALL {
                self.max - self.max / 4
            } else {
                self.max
            };
            while self.held + more > max {
                let Some(unused) = self.free.pop() else {
                    return false;
                };
                self.held -= unused.capacity();
            }
            let before = buf.capacity();
            buf.reserve_exact(capacity - buf.len());
            self.held += buf.capacity() - before;
        }
        buf.extend_from_slice(data);
        true
    }

    /// Takes a buffer back.
    pub(crate) fn give(&mut self, buf: &mut Vec<u8>) {
        let mut buf = core::mem::take(buf);
        if buf.capacity() == 0 {
            return;
        }
        if self.free.len() < KEPT {
            buf.clear();
            self.free.push(buf);
        } else {
            self.held -= buf.capacity();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_and_buffers_come_back() {
        let mut pool = Pool::new(4096);
        let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
        assert!(pool.append(&mut a, &[1; 2000]));
        assert!(pool.append(&mut b, &[1; 2000]));
        assert!(!pool.append(&mut c, &[1]));
        assert!(!pool.append(&mut a, &[1; 2000]));
        assert_eq!(a.len(), 2000);
        let held = pool.held();
        pool.give(&mut a);
        assert!(pool.append(&mut c, &[1]));
        assert_eq!(pool.held(), held);
        pool.give(&mut b);
        pool.give(&mut c);
        assert!(pool.append(&mut a, &[1; 4000]));
        assert!(pool.held() <= 4096);
    }
}
