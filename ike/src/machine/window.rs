//! Message ids (RFC 7296 §2.1 to §2.3): which requests are outstanding, which ones came, and what was
//! answered.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use hostward_hook::time::Instant;

use super::sa::Request;
use crate::protect::Reassembly;

/// A request that waits for its answer.
pub(super) struct Outstanding {
    pub(super) id: u32,
    pub(super) datagrams: Vec<Vec<u8>>,
    /// How often it was sent again.
    pub(super) sent: u32,
    pub(super) due: Instant,
    pub(super) request: Request,
}

/// Own requests.
pub(super) struct Sending {
    pub(super) next: u32,
    /// How many may be outstanding, as the peer says.
    pub(super) window: u32,
    pub(super) outstanding: Vec<Outstanding>,
}

impl Sending {
    pub(super) const fn new(next: u32) -> Self {
        Self {
            next,
            window: 1,
            outstanding: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, id: u32) -> Option<Outstanding> {
        let at = self.outstanding.iter().position(|one| one.id == id)?;
        Some(self.outstanding.remove(at))
    }

    pub(super) fn requests(&self) -> impl Iterator<Item = &Request> {
        self.outstanding.iter().map(|one| &one.request)
    }

    pub(super) fn has_room(&self) -> bool {
        let oldest = self.outstanding.iter().map(|one| one.id).min();
        // RFC 7296 §2.3: from the oldest that has no answer.
        oldest.is_none_or(|oldest| self.next.wrapping_sub(oldest) < self.window)
    }
}

/// An answer that was given, or will be when the host has answered a question.
struct Stored {
    id: u32,
    datagrams: Vec<Vec<u8>>,
    /// How long it is kept; nothing when there is nothing to keep.
    until: Option<Instant>,
}

/// What the id of a request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    New,
    /// It came already.
    Again,
    /// It is too old or too new.
    Outside,
}

/// Requests of the peer.
pub(super) struct Receiving {
    /// The lowest id that has not come.
    pub(super) base: u32,
    /// How many may be outstanding, as this side said.
    pub(super) window: u32,
    stored: VecDeque<Stored>,
    /// Messages that come in fragments, by id and whether they are responses.
    parts: Vec<(u32, bool, Reassembly)>,
}

impl Receiving {
    pub(super) const fn new(base: u32) -> Self {
        Self {
            base,
            window: 1,
            stored: VecDeque::new(),
            parts: Vec::new(),
        }
    }

    pub(super) fn place(&self, id: u32) -> Place {
        if self.stored.iter().any(|one| one.id == id) {
            Place::Again
        } else if id.wrapping_sub(self.base) < self.window && id >= self.base {
            Place::New
        } else {
            Place::Outside
        }
    }

    /// The request with this id is being executed, and never again.
    pub(super) fn begin(&mut self, id: u32) {
        self.stored.reserve_exact(1);
        self.stored.push_back(Stored {
            id,
            datagrams: Vec::new(),
            until: None,
        });
        while self.stored.iter().any(|one| one.id == self.base) {
            self.base = self.base.saturating_add(1);
        }
        // RFC 7296 §2.3: the last answers are kept, as many as the window has.
        let window = self.window as usize;
        while self.stored.len() > window {
            let Some(oldest) = self.stored.iter().map(|one| one.id).min() else {
                break;
            };
            if oldest >= self.base {
                break;
            }
            self.stored.retain(|one| one.id != oldest);
        }
        self.parts
            .retain(|(part, response, _)| *response || *part != id);
        self.free_parts();
    }

    pub(super) fn store(&mut self, id: u32, datagrams: Vec<Vec<u8>>, until: Instant) {
        if let Some(one) = self.stored.iter_mut().find(|one| one.id == id) {
            one.datagrams = datagrams;
            one.until = Some(until);
        }
    }

    /// When the next answer is not kept any more.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.stored.iter().filter_map(|one| one.until).min()
    }

    /// RFC 7296 §2.1: after several minutes nobody asks for an answer again; that there was one is still known.
    pub(super) fn forget(&mut self, now: Instant) {
        for one in &mut self.stored {
            if one.until.is_some_and(|until| until <= now) {
                one.datagrams = Vec::new();
                one.until = None;
            }
        }
    }

    pub(super) fn answer(&self, id: u32) -> &[Vec<u8>] {
        let found = self.stored.iter().find(|one| one.id == id);
        found.map_or(&[], |one| one.datagrams.as_slice())
    }

    /// Where the fragments of a message are gathered. As many messages as the windows allow, the oldest is
    /// forgotten.
    pub(super) fn parts(
        &mut self,
        id: u32,
        response: bool,
        make: impl FnOnce() -> Reassembly,
    ) -> Option<&mut Reassembly> {
        let at = self
            .parts
            .iter()
            .position(|one| one.0 == id && one.1 == response);
        let at = if let Some(at) = at {
            at
        } else {
            if self.parts.len() > self.window as usize {
                self.parts.remove(0);
            }
            self.parts.push((id, response, make()));
            self.parts.len() - 1
        };
        self.parts.get_mut(at).map(|one| &mut one.2)
    }

    /// Fragments are rare; no room is kept for them.
    fn free_parts(&mut self) {
        if self.parts.is_empty() {
            self.parts = Vec::new();
        }
    }

    pub(super) fn forget_parts(&mut self, id: u32, response: bool) {
        self.parts.retain(|one| one.0 != id || one.1 != response);
        self.free_parts();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7296 §2.3: requests within the window, answers kept for as many.
    #[test]
    fn windows() {
        let mut one = Receiving::new(0);
        assert_eq!(one.place(0), Place::New);
        assert_eq!(one.place(1), Place::Outside);
        one.begin(0);
        assert_eq!(one.place(0), Place::Again);
        one.store(0, alloc::vec![alloc::vec![7]], Instant::from_secs(9));
        assert_eq!(one.answer(0), [[7]]);
        assert_eq!(one.deadline(), Some(Instant::from_secs(9)));
        // RFC 7296 §2.1: the answer goes after some minutes, and the request is not executed again.
        one.forget(Instant::from_secs(8));
        assert_eq!(one.answer(0).len(), 1);
        one.forget(Instant::from_secs(9));
        assert!(one.answer(0).is_empty());
        assert_eq!((one.place(0), one.deadline()), (Place::Again, None));
        one.begin(1);
        assert_eq!(one.place(0), Place::Outside);
        assert_eq!(one.place(u32::MAX), Place::Outside);

        let mut three = Receiving::new(5);
        three.window = 3;
        assert_eq!(three.place(7), Place::New);
        three.begin(7);
        assert_eq!(three.place(8), Place::Outside);
        three.begin(5);
        assert_eq!(three.place(6), Place::New);
        assert_eq!(three.place(8), Place::New);
        three.begin(6);
        assert_eq!(three.base, 8);
        assert_eq!(three.place(5), Place::Again);
        three.begin(8);
        assert_eq!(three.place(5), Place::Outside);
    }
}
