//! What reassembly keeps for each flow.

use super::buffer::Handle;
use crate::hooks::Side;

/// How many of the bytes delivered last each side remembers, so that retransmissions can be
/// compared with them.
pub const REMEMBERED: usize = 16;

/// `a - b` in sequence space: negative when `a` lies before `b` (RFC 9293 section 3.4).
#[inline]
pub(super) const fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

/// Facts about a side, as bits.
pub(super) mod fact {
    /// Its next sequence number is known.
    pub(in super::super) const STARTED: u16 = 1 << 0;
    /// Its SYN was seen.
    pub(in super::super) const SYN: u16 = 1 << 1;
    /// Its beginning was not seen.
    pub(in super::super) const MIDSTREAM: u16 = 1 << 2;
    /// Its FIN was seen; `fin` is valid.
    pub(in super::super) const FIN: u16 = 1 << 3;
    /// Everything up to its FIN was delivered.
    pub(in super::super) const FINISHED: u16 = 1 << 4;
    /// Nothing more is wanted from it.
    pub(in super::super) const IGNORED: u16 = 1 << 5;
    /// It has acknowledged something; `ack` is valid.
    pub(in super::super) const ACKED: u16 = 1 << 6;
    /// It has announced a window; `edge` is valid.
    pub(in super::super) const EDGE: u16 = 1 << 7;
    /// Its window scale is known.
    pub(in super::super) const SCALE: u16 = 1 << 8;
    /// Only the peer's acknowledgment tells where it begins, and nothing was delivered yet.
    pub(in super::super) const GUESSED: u16 = 1 << 9;
    /// Its SYN had data with it, and whether the receiver takes that is not known yet.
    pub(in super::super) const SYN_DATA: u16 = 1 << 10;
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Half {
    /// Next sequence number to be delivered.
    pub(super) next: u32,
    /// Highest believable acknowledgment number this side has sent.
    pub(super) ack: u32,
    /// Highest sequence number, exclusive, this side has said it will accept.
    pub(super) edge: u32,
    /// Sequence number of this side's FIN.
    pub(super) fin: u32,
    /// Last acknowledgment number this side sent for data that was never seen.
    pub(super) claim: u32,
    /// Where this side's waiting data is.
    pub(super) waiting: Handle,
    pub(super) facts: u16,
    /// Successive acknowledgments of data that was never seen.
    pub(super) claims: u8,
    /// Segments that passed since the hole was acknowledged.
    pub(super) votes: u8,
    pub(super) scale: u8,
    /// How many bytes of `tail` are valid, at its end.
    tail_len: u8,
    /// The bytes delivered last.
    tail: [u8; REMEMBERED],
}

impl Half {
    const NEW: Self = Self {
        next: 0,
        ack: 0,
        edge: 0,
        fin: 0,
        claim: 0,
        waiting: Handle::NONE,
        facts: 0,
        claims: 0,
        votes: 0,
        scale: 0,
        tail_len: 0,
        tail: [0; REMEMBERED],
    };

    #[inline]
    pub(super) const fn is(&self, facts: u16) -> bool {
        self.facts & facts == facts
    }

    #[inline]
    pub(super) const fn any(&self, facts: u16) -> bool {
        self.facts & facts != 0
    }

    #[inline]
    pub(super) const fn set(&mut self, facts: u16) {
        self.facts |= facts;
    }

    /// Counts bytes as delivered and remembers the last of them.
    #[inline]
    pub(super) fn advance(&mut self, data: &[u8]) {
        self.facts &= !fact::GUESSED;
        self.next = self.next.wrapping_add(data.len() as u32);
        if let Some(last) = data.last_chunk::<REMEMBERED>() {
            self.tail = *last;
            self.tail_len = REMEMBERED as u8;
        } else {
            self.tail.rotate_left(data.len());
            let at = REMEMBERED - data.len();
            if let Some(end) = self.tail.get_mut(at..) {
                end.copy_from_slice(data);
            }
            let known = usize::from(self.tail_len) + data.len();
            self.tail_len = known.min(REMEMBERED) as u8;
        }
    }

    /// Remembers no delivered bytes.
    pub(super) const fn forget(&mut self) {
        self.tail_len = 0;
    }

    /// Counts `n` bytes as lost.
    pub(super) const fn skip(&mut self, n: u32) {
        self.facts &= !fact::GUESSED;
        self.next = self.next.wrapping_add(n);
        self.tail_len = 0;
    }

    /// Whether `old`, whose first byte lies `back` before the next expected one, differs from
    /// what was delivered, as far as that is remembered.
    pub(super) fn differs(&self, back: u32, old: &[u8]) -> bool {
        let known = usize::from(self.tail_len);
        let back = back as usize;
        let tail = self.tail.get(REMEMBERED - known..).unwrap_or_default();
        let (old, tail) = if back > known {
            (old.get(back - known..).unwrap_or_default(), tail)
        } else {
            (old, tail.get(known - back..).unwrap_or_default())
        };
        old.iter().zip(tail).any(|(a, b)| a != b)
    }
}

/// The state of one connection's reassembly: plain data for the flow's slot.
///
/// It owns memory of the [`Reassembler`](super::Reassembler) while data waits behind a hole, so
/// call [`Reassembler::finish`](super::Reassembler::finish) before it is thrown away. A state
/// that was thrown away without costs memory until the hole times out twice.
#[derive(Clone, Debug)]
pub struct StreamState {
    pub(super) sides: [Half; 2],
    pub(super) reset: bool,
}

const _: () = assert!(size_of::<StreamState>() <= 128);

impl Default for StreamState {
    fn default() -> Self {
        Self {
            sides: [Half::NEW, Half::NEW],
            reset: false,
        }
    }
}

impl StreamState {
    #[inline]
    pub(super) const fn half(&self, side: Side) -> &Half {
        let [initiator, responder] = &self.sides;
        match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        }
    }

    #[inline]
    pub(super) const fn half_mut(&mut self, side: Side) -> &mut Half {
        let [initiator, responder] = &mut self.sides;
        match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        }
    }

    /// The next sequence number expected from a side; `None` before anything was seen of it.
    #[must_use]
    pub const fn expected(&self, side: Side) -> Option<u32> {
        let half = self.half(side);
        if half.is(fact::STARTED) {
            Some(half.next)
        } else {
            None
        }
    }

    /// Whether the beginning of this side's stream was missed.
    #[must_use]
    pub const fn is_midstream(&self, side: Side) -> bool {
        self.half(side).is(fact::MIDSTREAM)
    }

    /// Whether the side's FIN was reached.
    #[must_use]
    pub const fn is_finished(&self, side: Side) -> bool {
        self.half(side).is(fact::FINISHED)
    }

    /// Whether nothing more is wanted from the side.
    #[must_use]
    pub const fn is_ignored(&self, side: Side) -> bool {
        self.half(side).is(fact::IGNORED)
    }

    /// Whether a believable reset ended the connection; further segments are ignored.
    #[must_use]
    pub const fn is_reset(&self) -> bool {
        self.reset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 9293 §3.4: all arithmetic on sequence numbers is modulo 2**32.
    #[test]
    fn numbers_wrap() {
        assert_eq!(distance(5, u32::MAX - 4), 10);
        assert_eq!(distance(u32::MAX - 4, 5), -10);
    }

    #[test]
    fn the_tail_is_compared() {
        let mut h = Half::NEW;
        h.advance(b"abc");
        h.advance(b"defg");
        assert!(!h.differs(7, b"abcdefg"));
        assert!(!h.differs(3, b"efgXX"));
        assert!(!h.differs(9, b"??abcdefg"));
        assert!(h.differs(2, b"fh"));
        assert!(h.differs(9, b"??abcdXfg"));
        h.advance(b"0123456789abcdefghij");
        assert!(!h.differs(20, b"????456789abcdefghij"));
        assert!(h.differs(16, b"?"));
        h.skip(3);
        assert!(!h.differs(4, b"anyt"));
        h.advance(b"xy");
        assert!(h.differs(1, b"z") && !h.differs(3, b"?xy"));
    }
}
