//! What was read, in flat lists: statements, what they were told, values.

use alloc::vec::Vec;

use crate::schema::StatementId;
use crate::value::Placed;

/// No object, no place.
pub(crate) const NONE: u32 = u32::MAX;

/// The statement was read with errors inside.
pub(crate) const BROKEN: u8 = 1;
/// Another one of the same name, or of a kind that counts once, takes its place.
pub(crate) const OVERRIDDEN: u8 = 2;
/// Something refers to it.
pub(crate) const REFERENCED: u8 = 4;

/// A statement that was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectData {
    pub(crate) source: u32,
    pub(crate) statement: StatementId,
    pub(crate) flags: u8,
    /// The object it is written inside of.
    pub(crate) parent: u32,
    /// Keyword to name.
    pub(crate) head: (u32, u32),
    /// Empty when there is none.
    pub(crate) name: (u32, u32),
    pub(crate) first_entry: u32,
    pub(crate) entries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// `a` is the first atom, `b` their number.
    Atoms,
    /// `a` is the object written inline.
    Inline,
    /// `a` is the object referred to, [`NONE`] until it is found.
    Reference,
}

/// Something a statement was told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: EntryKind,
    pub(crate) parameter: u8,
    pub(crate) keyword: u8,
    /// Where the keyword begins.
    pub(crate) at: u32,
    /// The value.
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
}

/// The lists of all texts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model<'a> {
    pub(crate) objects: Vec<ObjectData>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) atoms: Vec<Placed<'a>>,
}

impl Model<'_> {
    pub(crate) fn entries_of(&self, object: &ObjectData) -> &[Entry] {
        let first = object.first_entry as usize;
        self.entries
            .get(first..first + object.entries as usize)
            .unwrap_or_default()
    }
}
