//! A bounded window over a byte stream.

use std::io::{self, Read};

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// The part of a stream that is in memory. It grows to the largest record asked for, which the
/// callers bound, and never shrinks.
pub(super) struct Window {
    input: Box<dyn Read + Send>,
    buf: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    eof: bool,
    cut: bool,
}

impl Window {
    pub(super) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            input,
            buf: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            eof: false,
            cut: false,
        }
    }

    /// What is in memory from the current position on.
    pub(super) fn data(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// Position in the stream.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the stream ended in the middle of its compressed form.
    pub(super) const fn was_cut(&self) -> bool {
        self.cut
    }

    /// Reads until `n` bytes are in memory; `false` when the stream ends before.
    pub(super) fn ensure(&mut self, n: usize) -> io::Result<bool> {
        while self.end - self.start < n && !self.eof {
            if self.buf.len() - self.start < n.max(CHUNK / 2) {
                self.buf.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
                if self.buf.len() < n.max(CHUNK) {
                    self.buf.resize(n.max(CHUNK), 0);
                }
            }
            let space = self.buf.get_mut(self.end..).unwrap_or_default();
            match self.input.read(space) {
                Ok(0) => self.eof = true,
                Ok(got) => self.end = self.end.saturating_add(got).min(self.buf.len()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // The decompressor wants more than there is: what was decompressed so far counts.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    self.eof = true;
                    self.cut = true;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(self.end - self.start >= n)
    }

    /// Moves the position forward over bytes in memory.
    pub(super) fn consume(&mut self, n: usize) {
        let n = n.min(self.end - self.start);
        self.start += n;
        self.offset = self.offset.saturating_add(n as u64);
    }

    /// Moves the position forward over bytes that need not be in memory; `false` when the stream
    /// ends before.
    pub(super) fn skip(&mut self, mut n: u64) -> io::Result<bool> {
        while n > 0 {
            if !self.ensure(1)? {
                return Ok(false);
            }
            let have = (self.end - self.start) as u64;
            let step = have.min(n);
            self.consume(usize::try_from(step).unwrap_or(usize::MAX));
            n -= step;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time and an interruption before each.
    struct Drip(Vec<u8>, bool);
    impl Read for Drip {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.0.is_empty() {
                return Ok(0);
            }
            out[0] = self.0.remove(0);
            Ok(1)
        }
    }

    #[test]
    fn short_reads_and_interruptions_do_not_matter() {
        let mut w = Window::new(Box::new(Drip((0..100).collect(), false)));
        assert!(w.ensure(10).unwrap());
        assert_eq!(w.data(), (0..10).collect::<Vec<u8>>());
        w.consume(4);
        assert_eq!(w.offset(), 4);
        assert!(w.skip(50).unwrap());
        assert!(w.ensure(46).unwrap());
        assert_eq!(w.data(), (54..100).collect::<Vec<u8>>());
        assert!(!w.ensure(47).unwrap());
        assert!(!w.skip(47).unwrap());
        assert_eq!(w.offset(), 100);
        assert!(!w.was_cut());
    }

    #[test]
    fn a_record_larger_than_a_chunk_fits() {
        let bytes: Vec<u8> = (0..3 * CHUNK).map(|i| i as u8).collect();
        let mut w = Window::new(Box::new(io::Cursor::new(bytes.clone())));
        assert!(w.ensure(10).unwrap());
        w.consume(7);
        assert!(w.ensure(2 * CHUNK).unwrap());
        assert_eq!(w.data()[..2 * CHUNK], bytes[7..7 + 2 * CHUNK]);
    }
}
