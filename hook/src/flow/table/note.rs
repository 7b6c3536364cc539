//! Notes of flows: see [`Note`].

use core::hint::select_unpredictable;

use super::super::Note;
use super::super::canonical::is_v4;
use super::{FlowTable, Found};
use crate::hooks::Side;

impl<S: Default> FlowTable<S> {
    /// What was noted for packets of this side; nothing for flows of IPv6 and for one that is gone.
    #[inline]
    #[must_use]
    pub fn note(&self, found: Found) -> Note {
        let Some(hot) = self.hot(found.id).filter(|h| is_v4(h.tail)) else {
            return Note::default();
        };
        let [_, initiator, responder, halves] = hot.addrs;
        // Who sends next nobody can predict: no branch.
        let answers = found.from == Side::Responder;
        Note {
            word: select_unpredictable(answers, responder, initiator),
            half: (halves >> (u32::from(answers) * 32)) as u32,
        }
    }

    /// Notes something for packets of this side, in place of what was noted. Nothing happens for flows
    /// of IPv6, whose keys leave no room, and for one that is gone.
    #[inline]
    pub fn set_note(&mut self, found: Found, note: Note) {
        let Some(hot) = self.hot_mut(found.id).filter(|h| is_v4(h.tail)) else {
            return;
        };
        let [_, initiator, responder, halves] = &mut hot.addrs;
        let half = u64::from(note.half);
        match found.from {
            Side::Initiator => {
                *initiator = note.word;
                *halves = *halves & !0xffff_ffff | half;
            }
            Side::Responder => {
                *responder = note.word;
                *halves = *halves & 0xffff_ffff | half << 32;
            }
        }
    }
}
