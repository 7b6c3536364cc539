//! The entries of all connections, each in a place of its own.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::entry::Entry;

/// Entries without a connection that are kept for the next ones. The memory of all others goes
/// back: after a peak nothing but eight bytes a place is left of it.
const SPARE: usize = 16;

/// Entries by place. Growing moves pointers, not entries of several hundred bytes.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    places: Vec<Option<Box<Entry>>>,
    /// Places without an entry.
    free: Vec<u32>,
    #[expect(clippy::vec_box, reason = "they are lent as boxes")]
    spare: Vec<Box<Entry>>,
    /// Entries ever made: tells successive entries of one place apart.
    epoch: u32,
}

impl Entries {
    /// All places, used or not.
    pub(crate) const fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn get(&self, place: usize) -> Option<&Entry> {
        self.places.get(place)?.as_deref()
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Entry> {
        self.places.get_mut(place)?.as_deref_mut()
    }

    /// Entries in use.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.places.iter().filter_map(Option::as_deref)
    }

    /// Makes a fresh entry if there are fewer than `max`: its place and itself.
    pub(crate) fn open(&mut self, max: usize) -> Option<(u32, &mut Entry)> {
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                let len = self.places.len();
                if len >= max {
                    return None;
                }
                if len == self.places.capacity() {
                    // By an eighth: doubling would hold up to eight bytes more a connection.
                    self.places.reserve_exact(len / 8 + 64);
                }
                self.places.push(None);
                u32::try_from(len).ok()?
            }
        };
        let mut entry = self.spare.pop().unwrap_or_else(|| Box::new(Entry::new()));
        self.epoch = self.epoch.wrapping_add(1);
        entry.epoch = self.epoch;
        let at = self.places.get_mut(place as usize)?;
        Some((place, at.insert(entry)))
    }

    /// Takes an entry out; [`give`](Self::give) it back.
    pub(crate) fn close(&mut self, place: u32) -> Option<Box<Entry>> {
        let entry = self.places.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(entry)
    }

    /// Takes the memory of an entry back, emptied.
    pub(crate) fn give(&mut self, mut entry: Box<Entry>) {
        if self.spare.len() < SPARE {
            *entry = Entry::new();
            self.spare.push(entry);
        }
    }

    /// Bytes of all entries, used or spare, without what they point to.
    pub(crate) fn memory(&self) -> usize {
        let used = self.places.len() - self.free.len();
        (used + self.spare.len()) * size_of::<Entry>()
            + self.places.capacity() * size_of::<Option<Box<Entry>>>()
            + self.free.capacity() * size_of::<u32>()
    }
}
