//! What can be wrong with a capture file.

use std::io;

/// Why a capture could not be read, or not be read further.
///
/// Every variant names the file, and the place in it where there is one: an offset counts from
/// the start of the capture itself, after decompression. File names are already fit for a
/// terminal (control characters escaped).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file could not be opened.
    #[error("{file}: cannot be opened: {source}")]
    Open {
        /// The file.
        file: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Reading failed in the middle, or the gzip data is damaged.
    #[error("{file}: reading failed at offset {offset}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Where.
        offset: u64,
        /// What the operating system or the decompressor said.
        source: io::Error,
    },
    /// The file is empty or ends before its header does.
    #[error("{file}: ends at offset {offset}, within the {expected}-byte capture header")]
    Short {
        /// The file.
        file: String,
        /// Its whole length.
        offset: u64,
        /// Length of the header.
        expected: usize,
    },
    /// The first bytes are not those of pcap, pcapng or gzip.
    #[error(
        "{file}: offset 0: expected a pcap or pcapng magic number, found {found:02x?}{}",
        format_hint(hint)
    )]
    NotACapture {
        /// The file.
        file: String,
        /// The first bytes.
        found: [u8; 4],
        /// What the bytes look like, if they are known.
        hint: Option<&'static str>,
    },
    /// A packet or block claims to be longer than any can be.
    #[error(
        "{file}: offset {offset}: {what} claims {length} bytes, expected at most {limit}: the file is damaged or not a capture"
    )]
    TooLong {
        /// The file.
        file: String,
        /// Where the packet or block begins.
        offset: u64,
        /// Packet or block.
        what: &'static str,
        /// The claim.
        length: u64,
        /// The bound.
        limit: u64,
    },
    /// A block contradicts itself.
    #[error("{file}: offset {offset}: {what}: expected {expected}")]
    BadBlock {
        /// The file.
        file: String,
        /// Where the block begins.
        offset: u64,
        /// What the block is.
        what: &'static str,
        /// What would have been right.
        expected: &'static str,
    },
}

fn format_hint(hint: &Option<&'static str>) -> String {
    hint.map_or_else(String::new, |h| format!(" ({h})"))
}

/// The end of a capture that was cut off in the middle of a packet or block.
///
/// Not an error: everything before it was read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: cut off at offset {end}, within the packet or block that begins at {offset}")]
#[non_exhaustive]
pub struct CutOff {
    /// The file.
    pub file: String,
    /// Where the incomplete packet or block begins.
    pub offset: u64,
    /// Where the file ends.
    pub end: u64,
}
