//! Puts a record with a self-defining section together, front to back.

use super::names::{self, DistinguishedName};
use crate::ebcdic::BLANK;
use crate::error::NoRoom;
use crate::field::{Field as _, Level, Section};
use crate::layout::{Header, NamePrefix, Rdw, TripletLayout};
use crate::view::{MAX_RECORD, RDW, SELF_DEFINING, TRIPLETS};

/// Sections are written one after another in the order of their triplets.
pub(super) struct Writer<'o> {
    out: &'o mut [u8],
    error: NoRoom,
    /// Where the next triplet goes.
    triplet: usize,
    /// Where the next section goes.
    at: usize,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut [u8], header: &Header, triplets: u16) -> Result<Self, NoRoom> {
        let error = NoRoom { have: out.len() };
        let end = out.len().min(MAX_RECORD);
        let mut writer = Self {
            out: out.get_mut(..end).ok_or(error)?,
            error,
            triplet: TRIPLETS,
            at: TRIPLETS + TripletLayout::LEN * usize::from(triplets),
        };
        if writer.at > end {
            return Err(error);
        }
        header.write(writer.chunk(RDW)?);
        triplets.write(writer.chunk(SELF_DEFINING)?);
        0_u16.write(writer.chunk(SELF_DEFINING + 2)?);
        Ok(writer)
    }

    fn chunk<const N: usize>(&mut self, at: usize) -> Result<&mut [u8; N], NoRoom> {
        let place = self.out.get_mut(at..).and_then(|b| b.first_chunk_mut());
        place.ok_or(self.error)
    }

    /// Writes the next triplet for what stands at the end.
    fn place(&mut self, length: usize, count: usize) -> Result<(), NoRoom> {
        let triplet = if count == 0 {
            TripletLayout::default()
        } else {
            TripletLayout {
                offset: self.at as u32,
                length: u16::try_from(length).map_err(|_| self.error)?,
                count: u16::try_from(count).map_err(|_| self.error)?,
            }
        };
        let at = self.triplet;
        triplet.write(self.chunk(at)?);
        self.triplet += TripletLayout::LEN;
        self.at += length * count;
        Ok(())
    }

    pub(super) fn section<S: Section>(&mut self, level: Level, s: &S) -> Result<(), NoRoom> {
        let rest = self.out.get_mut(self.at..).ok_or(self.error)?;
        let length = s.put(level, rest).ok_or(self.error)?;
        self.place(length, 1)
    }

    pub(super) fn optional<S: Section>(
        &mut self,
        level: Level,
        section: Option<&S>,
    ) -> Result<(), NoRoom> {
        match section {
            Some(section) => self.section(level, section),
            None => self.place(0, 0),
        }
    }

    /// A section as bytes: instances of one length, one after another.
    pub(super) fn bytes(&mut self, length: usize, bytes: &[u8]) -> Result<(), NoRoom> {
        if length == 0 || bytes.is_empty() {
            return self.place(0, 0);
        }
        let rest = self.out.get_mut(self.at..).ok_or(self.error)?;
        rest.get_mut(..bytes.len())
            .ok_or(self.error)?
            .copy_from_slice(bytes);
        self.place(length, bytes.len() / length)
    }

    /// A section whose head is known, and bytes behind it.
    pub(super) fn with_tail<S: Section>(
        &mut self,
        level: Level,
        section: &S,
        tail: &[u8],
    ) -> Result<(), NoRoom> {
        if tail.is_empty() {
            return self.section(level, section);
        }
        let rest = self.out.get_mut(self.at..).ok_or(self.error)?;
        let length = section.put(Level::Base, rest).ok_or(self.error)?;
        let end = length + tail.len();
        rest.get_mut(length..end)
            .ok_or(self.error)?
            .copy_from_slice(tail);
        self.place(end, 1)
    }

    /// Distinguished names, each filled up with blanks to the length of the longest, so that it
    /// does not matter by which length a reader goes on. Those that would make the record too
    /// long, with `after` bytes still to come, are left out, the last ones first.
    pub(super) fn names(
        &mut self,
        names: &[DistinguishedName],
        after: usize,
    ) -> Result<(), NoRoom> {
        let room = MAX_RECORD.saturating_sub(self.at + after);
        let (count, length) = names::fitting(names, room);
        let rest = self.out.get_mut(self.at..).ok_or(self.error)?;
        let entries = rest.get_mut(..length * count).ok_or(self.error)?;
        for (entry, name) in entries.chunks_exact_mut(length.max(1)).zip(names) {
            let Some((prefix, text)) = entry.split_first_chunk_mut() else {
                return Err(self.error);
            };
            NamePrefix {
                length: names::written_length(length),
                kind: name.kind(),
            }
            .write(prefix);
            text.fill(BLANK);
            for (to, from) in text.iter_mut().zip(name.text()) {
                *to = *from;
            }
        }
        self.place(length, count)
    }

    /// Writes the record descriptor word and tells the length.
    pub(super) fn finish(mut self) -> Result<usize, NoRoom> {
        let length = u16::try_from(self.at).map_err(|_| self.error)?;
        Rdw { length, segment: 0 }.write(self.chunk(0)?);
        Ok(self.at)
    }
}
