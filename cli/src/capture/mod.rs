//! Capture files as a stream of frames, and frames as IP packets.
//!
//! [`CaptureReader`] reads classic pcap (both byte orders, microseconds or nanoseconds, and the
//! modified little-endian variant) and pcapng (any number of sections and interfaces, every
//! packet block), plain or gzip, from a file or from standard input. What a file is is found from
//! its first bytes, never from its name. It streams: one record is in memory at a time, and a
//! record longer than [`MAX_PACKET`] ends the reading with an error.
//!
//! [`network`] finds the IP packet in a [`Frame`]; [`decapsulate`] opens the tunnels in an IP
//! packet.

mod bytes;
mod error;
mod layers;
pub mod link;
mod pcap;
mod pcapng;
mod source;
pub mod tunnel;
mod window;

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hostward_hook::Direction;
use hostward_hook::time::UnixTime;

pub use error::{CaptureError, CutOff};
pub use layers::{Layer, LayerKind, Layers, MAX_LAYERS, Miss};
pub use link::{Network, network};
pub use tunnel::{Decap, decapsulate};

use pcap::Pcap;
use pcapng::PcapNg;
use source::Source;
use window::Window;

/// Longest packet that is believed, in bytes. IP packets end at 64 KiB, captures of segmentation
/// offload at 512 KiB; more than this is a damaged file.
pub const MAX_PACKET: usize = 16 * 1024 * 1024;

/// A link-layer type as capture files number it (`LINKTYPE_` of the tcpdump group's registry).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u32);

impl LinkType {
    /// Takes the type out of a pcap header's field, whose upper bits tell of frame check
    /// sequences.
    const fn from_pcap(field: u32) -> Self {
        Self(field & 0x03ff_ffff)
    }
}

/// One frame of a capture, as the link had it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame<'a> {
    /// Number of the frame in its file, from 1.
    pub number: u64,
    /// Where its record begins in the file, after decompression.
    pub offset: u64,
    /// When it was captured.
    pub time: UnixTime,
    /// What its bytes begin with.
    pub link: LinkType,
    /// The interface's number within the section, 0 in classic pcap.
    pub interface: u32,
    /// Whether the capturing host received or sent it, if the record says so.
    pub direction: Option<Direction>,
    /// Its length on the wire, never less than `data.len()`.
    pub wire_len: u32,
    /// The bytes that were captured.
    pub data: &'a [u8],
}

/// What a format's reader found: positions in the window, not slices, so that the window can be
/// lent out afterwards.
struct Record {
    time: UnixTime,
    link: LinkType,
    interface: u32,
    direction: Option<Direction>,
    data: Range<usize>,
    wire_len: u32,
    /// Length of the whole record.
    whole: usize,
}

/// What comes next in a file.
enum Step {
    Packet(Record),
    End,
    Cut,
}

enum Format {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

/// Reads the frames of one capture.
///
/// After an error, and after the end, there are no more frames.
pub struct CaptureReader {
    file: String,
    window: Window,
    format: Format,
    consumed: usize,
    frames: u64,
    over: bool,
    cut_off: Option<CutOff>,
    taken: Arc<AtomicU64>,
    length: Option<u64>,
}

impl CaptureReader {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] when it cannot be opened or is not a capture.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        Self::from_source(Source::open(path)?)
    }

    /// Reads a capture from any stream; `file` is its name in errors and is escaped here.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] when it is not a capture.
    pub fn from_stream(file: &str, input: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        let name = crate::escape::escaped(file).into_owned();
        Self::from_source(Source::new(name, input, None)?)
    }

    fn from_source(source: Source) -> Result<Self, CaptureError> {
        let file = source.name;
        let mut window = Window::new(source.input);
        let full = match window.ensure(pcap::HEADER) {
            Ok(full) => full,
            Err(source) => {
                return Err(CaptureError::Read {
                    file,
                    offset: 0,
                    source,
                });
            }
        };
        let head = window.data();
        let format = if head.starts_with(&pcapng::SECTION_MAGIC) {
            Some(Format::PcapNg(PcapNg::default()))
        } else {
            Pcap::new(head).map(Format::Pcap)
        };
        let Some(format) = format else {
            let length = head.len();
            return Err(match head.first_chunk::<4>() {
                Some(found) if full || !pcap::is_magic(*found) => CaptureError::NotACapture {
                    file,
                    found: *found,
                    hint: hint(*found),
                },
                Some(_) | None => CaptureError::Short {
                    file,
                    offset: length as u64,
                    expected: pcap::HEADER,
                },
            });
        };
        if matches!(format, Format::Pcap(_)) {
            window.consume(pcap::HEADER);
        }
        Ok(Self {
            file,
            window,
            format,
            consumed: 0,
            frames: 0,
            over: false,
            cut_off: None,
            taken: source.taken,
            length: source.length,
        })
    }

    /// The next frame, or `None` at the end.
    ///
    /// # Errors
    ///
    /// [`CaptureError`] when the file cannot be read on; the frames before stand.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        if self.over {
            return Ok(None);
        }
        self.window.consume(self.consumed);
        self.consumed = 0;
        // Only a frame clears it again.
        self.over = true;
        let step = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.window, &self.file)?,
            Format::PcapNg(ng) => ng.next(&mut self.window, &self.file)?,
        };
        let offset = self.window.offset();
        match step {
            Step::End => Ok(None),
            Step::Cut => {
                self.cut_off = Some(CutOff {
                    file: self.file.clone(),
                    offset,
                    end: offset.saturating_add(self.window.data().len() as u64),
                });
                Ok(None)
            }
            Step::Packet(record) => {
                self.over = false;
                self.consumed = record.whole;
                self.frames = self.frames.saturating_add(1);
                Ok(Some(Frame {
                    number: self.frames,
                    offset,
                    time: record.time,
                    link: record.link,
                    interface: record.interface,
                    direction: record.direction,
                    wire_len: record.wire_len,
                    data: self.window.data().get(record.data).unwrap_or_default(),
                }))
            }
        }
    }

    /// The name of the file, fit for a terminal.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Where the capture was cut off, if it was; known once [`next_frame`](Self::next_frame) has
    /// given `None`.
    #[must_use]
    pub const fn cut_off(&self) -> Option<&CutOff> {
        self.cut_off.as_ref()
    }

    /// Bytes taken from the file itself (before decompression), and its length if it has one.
    #[must_use]
    pub fn progress(&self) -> (u64, Option<u64>) {
        (self.taken.load(Ordering::Relaxed), self.length)
    }
}

/// Formats that are met in place of captures.
fn hint(found: [u8; 4]) -> Option<&'static str> {
    Some(match found {
        [0x28, 0xb5, 0x2f, 0xfd] => "compressed with zstd: decompress it first",
        [0xfd, b'7', b'z', b'X'] => "compressed with xz: decompress it first",
        [b'B', b'Z', b'h', _] => "compressed with bzip2: decompress it first",
        [0x04, 0x22, 0x4d, 0x18] => "compressed with lz4: decompress it first",
        [b'P', b'K', 3, 4] => "a zip archive: unpack it first",
        [b's', b'n', b'o', b'o'] => "a snoop capture: convert it first",
        [b'G', b'M', b'B', b'U'] | [b'R', b'T', b'S', b'S'] => {
            "a Network Monitor capture: convert it first"
        }
        [0xa1, 0xb2, 0xcd, 0x34] => "a big-endian modified pcap file, which is not supported",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
