//! Packets that wait for a decision: bounded, each with a deadline.
//!
//! A control answers [`Verdict::Hold`](crate::Verdict::Hold) with a ticket when it cannot decide
//! yet, such as IPsec while a security association is being negotiated. The host puts the packet
//! into a [`HoldQueue`] and gets it back when an action [releases](crate::Action::Release) the
//! ticket or its deadline passes.

use alloc::collections::{BTreeMap, BTreeSet};
use core::iter::FusedIterator;

use crate::ident::Ticket;
use crate::reason::{self, Reason};
use crate::time::Instant;

/// Why a packet cannot be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the hold queue is full")]
#[expect(
    clippy::exhaustive_structs,
    reason = "there is one reason, and the packet comes back"
)]
pub struct HoldQueueFull<F> {
    /// The packet, given back.
    pub frame: F,
}

impl<F> HoldQueueFull<F> {
    /// The code for the drop: [`HOLD_QUEUE_FULL`](reason::HOLD_QUEUE_FULL).
    #[must_use]
    pub const fn reason(&self) -> Reason {
        reason::HOLD_QUEUE_FULL
    }
}

#[derive(Debug)]
struct Held<F> {
    frame: F,
    bytes: usize,
    deadline: Instant,
}

/// A bounded queue of held packets of any type.
///
/// At the bound new packets are refused: what waits has waited longer. A ticket is good for one
/// packet; once that was taken or has expired it finds nothing (until 2³² others have been
/// given out). Each operation takes time logarithmic in the number of packets held.
#[derive(Debug)]
pub struct HoldQueue<F> {
    held: BTreeMap<Ticket, Held<F>>,
    due: BTreeSet<(Instant, Ticket)>,
    next: u32,
    bytes: usize,
    max_packets: usize,
    max_bytes: usize,
}

impl<F> HoldQueue<F> {
    /// A queue of at most `max_packets` packets with at most `max_bytes` bytes together.
    #[must_use]
    pub const fn new(max_packets: usize, max_bytes: usize) -> Self {
        Self {
            held: BTreeMap::new(),
            due: BTreeSet::new(),
            next: 0,
            bytes: 0,
            max_packets,
            max_bytes,
        }
    }

    /// The ticket the next packet will get, for a control that has to name it before the host
    /// holds the packet.
    #[must_use]
    pub const fn next_ticket(&self) -> Ticket {
        Ticket(self.next)
    }

    /// Holds a packet of `bytes` bytes until `deadline`.
    ///
    /// # Errors
    /// [`HoldQueueFull`] with the packet when either bound would be exceeded.
    pub fn hold(
        &mut self,
        frame: F,
        bytes: usize,
        deadline: Instant,
    ) -> Result<Ticket, HoldQueueFull<F>> {
        let ticket = Ticket(self.next);
        // A packet that still waits after 2³² others keeps its ticket.
        let taken = self.held.contains_key(&ticket);
        if taken
            || self.held.len() >= self.max_packets
            || bytes > self.max_bytes.saturating_sub(self.bytes)
        {
            if taken {
                self.next = self.next.wrapping_add(1);
            }
            return Err(HoldQueueFull { frame });
        }
        self.next = self.next.wrapping_add(1);
        self.bytes += bytes;
        self.due.insert((deadline, ticket));
        self.held.insert(
            ticket,
            Held {
                frame,
                bytes,
                deadline,
            },
        );
        Ok(ticket)
    }

    /// Holds a packet under the ticket that a control gave it in
    /// [`Verdict::Hold`](crate::Verdict::Hold).
    ///
    /// Let one party name the tickets of a queue: either this, or [`hold`](Self::hold).
    ///
    /// # Errors
    /// [`HoldQueueFull`] with the packet when either bound would be exceeded or the ticket is in use.
    pub fn hold_as(
        &mut self,
        ticket: Ticket,
        frame: F,
        bytes: usize,
        deadline: Instant,
    ) -> Result<(), HoldQueueFull<F>> {
        if self.held.contains_key(&ticket)
            || self.held.len() >= self.max_packets
            || bytes > self.max_bytes.saturating_sub(self.bytes)
        {
            return Err(HoldQueueFull { frame });
        }
        self.bytes += bytes;
        self.due.insert((deadline, ticket));
        self.held.insert(
            ticket,
            Held {
                frame,
                bytes,
                deadline,
            },
        );
        Ok(())
    }

    /// Takes a packet out; `None` for a ticket that is not, or no more, in the queue.
    pub fn take(&mut self, ticket: Ticket) -> Option<F> {
        let held = self.held.remove(&ticket)?;
        self.due.remove(&(held.deadline, ticket));
        self.bytes = self.bytes.saturating_sub(held.bytes);
        Some(held.frame)
    }

    /// The first deadline, if anything is held.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.due.first().map(|(deadline, _)| *deadline)
    }

    /// Takes the packets out whose deadline has passed, the earliest first; drop them with
    /// [`HOLD_TIMEOUT`](reason::HOLD_TIMEOUT). Packets that the iterator did not come to stay.
    pub fn expire(&mut self, now: Instant) -> Expired<'_, F> {
        Expired { queue: self, now }
    }

    /// Number of packets held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Bytes held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Packets whose deadline has passed, see [`HoldQueue::expire`].
#[derive(Debug)]
pub struct Expired<'q, F> {
    queue: &'q mut HoldQueue<F>,
    now: Instant,
}

impl<F> Iterator for Expired<'_, F> {
    type Item = (Ticket, F);

    fn next(&mut self) -> Option<Self::Item> {
        let (deadline, ticket) = *self.queue.due.first()?;
        if deadline > self.now {
            return None;
        }
        Some((ticket, self.queue.take(ticket)?))
    }
}

impl<F> FusedIterator for Expired<'_, F> {}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    const fn at(secs: u64) -> Instant {
        Instant::from_secs(secs)
    }

    #[test]
    fn a_ticket_is_good_once() {
        let mut q = HoldQueue::new(10, 1000);
        assert_eq!(q.next_ticket(), Ticket(0));
        let a = q.hold('a', 10, at(5)).unwrap();
        let b = q.hold('b', 20, at(3)).unwrap();
        assert_ne!(a, b);
        assert_eq!(
            (q.len(), q.bytes(), q.next_deadline()),
            (2, 30, Some(at(3)))
        );
        assert_eq!(q.take(b), Some('b'));
        assert_eq!(q.take(b), None);
        assert_eq!(q.take(Ticket(99)), None);
        // A new packet does not answer to an old ticket.
        let c = q.hold('c', 5, at(9)).unwrap();
        assert_eq!(q.take(b), None);
        assert_eq!(q.next_deadline(), Some(at(5)));
        assert_eq!((q.take(a), q.take(c)), (Some('a'), Some('c')));
        assert_eq!(
            (q.is_empty(), q.bytes(), q.next_deadline()),
            (true, 0, None)
        );
    }

    #[test]
    fn both_bounds_hold() {
        let mut q = HoldQueue::new(2, 100);
        assert!(q.hold(1, 60, at(1)).is_ok());
        let full = q.hold(2, 41, at(1)).unwrap_err();
        assert_eq!((full.frame, full.reason()), (2, reason::HOLD_QUEUE_FULL));
        assert!(q.hold(3, 40, at(1)).is_ok());
        assert_eq!(q.hold(4, 0, at(1)), Err(HoldQueueFull { frame: 4 }));
        assert!(HoldQueue::new(0, 100).hold((), 0, at(1)).is_err());
    }

    #[test]
    fn a_control_names_tickets_itself() {
        let mut q = HoldQueue::new(2, 100);
        assert_eq!(q.hold_as(Ticket(70), 'a', 10, at(5)), Ok(()));
        assert!(q.hold_as(Ticket(70), 'b', 10, at(5)).is_err());
        assert!(q.hold_as(Ticket(71), 'b', 91, at(5)).is_err());
        assert_eq!(q.hold_as(Ticket(3), 'b', 90, at(4)), Ok(()));
        assert!(q.hold_as(Ticket(4), 'c', 0, at(4)).is_err());
        assert_eq!((q.next_deadline(), q.bytes()), (Some(at(4)), 100));
        assert_eq!((q.take(Ticket(70)), q.take(Ticket(70))), (Some('a'), None));
    }

    #[test]
    fn what_is_due_comes_out_in_order() {
        let mut q = HoldQueue::new(10, 1000);
        for (frame, due) in [('a', 7), ('b', 2), ('c', 5), ('d', 5)] {
            q.hold(frame, 1, at(due)).unwrap();
        }
        assert_eq!(q.expire(at(1)).count(), 0);
        assert_eq!(q.expire(at(6)).next().map(|(_, f)| f), Some('b'));
        let rest: Vec<char> = q.expire(at(6)).map(|(_, f)| f).collect();
        assert_eq!(rest, ['c', 'd']);
        assert_eq!((q.len(), q.bytes()), (1, 1));
    }

    #[test]
    fn tickets_wrap_around_a_packet_that_stays() {
        let mut q = HoldQueue::new(10, 1000);
        let old = q.hold('o', 1, at(1)).unwrap();
        q.next = u32::MAX;
        assert_eq!(q.hold('p', 1, at(1)), Ok(Ticket(u32::MAX)));
        // Refused once, not confused.
        assert!(q.hold('q', 1, at(1)).is_err());
        assert_eq!(q.hold('q', 1, at(1)), Ok(Ticket(1)));
        assert_eq!(q.take(old), Some('o'));
    }
}
