//! Blocks out of records.

use alloc::vec::Vec;

use thiserror::Error;

use crate::view::RDW;

/// Puts records into blocks with block descriptor words (VB), or spans them over blocks (VBS).
///
/// ```
/// use hostward_smf::file::BlockWriter;
/// let mut file = Vec::new();
/// let mut writer = BlockWriter::new(27_998, true);
/// // writer.push(record, &mut file)? for each record
/// writer.finish(&mut file);
/// assert!(file.is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct BlockWriter {
    size: usize,
    spanned: bool,
    /// The block's records or segments, without its descriptor word.
    block: Vec<u8>,
}

/// A record cannot be put into blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unblockable {
    /// It is longer than a block, and not to be spanned.
    #[error("a record of {record} bytes does not fit into a block of {block}")]
    Long {
        /// Length of the record.
        record: usize,
        /// Length of a block.
        block: usize,
    },
    /// It does not begin with its length.
    #[error("the record does not begin with a record descriptor word of its length")]
    NoRecord,
}

/// Bytes of the block descriptor word.
const BDW: usize = 4;

impl BlockWriter {
    /// Blocks of at most `size` bytes, their descriptor words included; 64 to 32,760, what is
    /// outside is taken as the nearest of both. With `spanned` a block is filled to its end, and
    /// records go on in the next.
    #[must_use]
    pub fn new(size: usize, spanned: bool) -> Self {
        Self {
            size: size.clamp(64, 32_760),
            spanned,
            block: Vec::new(),
        }
    }

    /// Takes a record and appends blocks that are full to the file.
    ///
    /// # Errors
    ///
    /// [`Unblockable`] if the record is none, or too long for a block and not to be spanned.
    pub fn push(&mut self, record: &[u8], file: &mut Vec<u8>) -> Result<(), Unblockable> {
        let len = record.len();
        let word = u16::try_from(len).map(u16::to_be_bytes);
        let (Some((&[a, b, 0, 0], mut rest)), Ok(word)) = (record.split_first_chunk::<RDW>(), word)
        else {
            return Err(Unblockable::NoRecord);
        };
        if word != [a, b] {
            return Err(Unblockable::NoRecord);
        }
        let room = self.size - BDW;
        if len > room && !self.spanned {
            return Err(Unblockable::Long {
                record: len,
                block: self.size,
            });
        }
        // A whole record, if the block has room for it or it would not be spanned.
        if len > room - self.block.len() && !self.spanned {
            self.finish(file);
        }
        if len <= room - self.block.len() {
            self.block.extend_from_slice(record);
            return Ok(());
        }
        let mut is_first = true;
        while !rest.is_empty() {
            let free = room - self.block.len();
            // A segment carries something.
            if free <= RDW {
                self.finish(file);
                continue;
            }
            let (now, later) = rest.split_at_checked(free - RDW).unwrap_or((rest, &[]));
            let control = match (is_first, later.is_empty()) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            let [high, low] = ((now.len() + RDW) as u16).to_be_bytes();
            self.block.extend([high, low, control, 0]);
            self.block.extend_from_slice(now);
            (rest, is_first) = (later, false);
        }
        Ok(())
    }

    /// Appends the last block to the file, if there is anything in it.
    pub fn finish(&mut self, file: &mut Vec<u8>) {
        if self.block.is_empty() {
            return;
        }
        let [high, low] = ((self.block.len() + BDW) as u16).to_be_bytes();
        file.extend([high, low, 0, 0]);
        file.append(&mut self.block);
    }
}
