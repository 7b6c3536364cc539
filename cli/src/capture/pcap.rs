//! Classic pcap files.

use hostward_hook::time::UnixTime;
use pcap_parser::nom::{Err as Nom, IResult, Needed};
use pcap_parser::{
    LegacyPcapBlock, PcapError, PcapHeader, parse_pcap_frame, parse_pcap_frame_be,
    parse_pcap_frame_modified, parse_pcap_header,
};

use super::error::CaptureError;
use super::window::Window;
use super::{LinkType, MAX_PACKET, Record, Step};

/// Length of the file header.
pub(super) const HEADER: usize = 24;
/// Length of a packet header; the modified format's is 24.
const PACKET_HEADER: usize = 16;
const MODIFIED_PACKET_HEADER: usize = 24;

type ParseFrame = fn(&[u8]) -> IResult<&[u8], LegacyPcapBlock<'_>, PcapError<&[u8]>>;

/// What the file header says.
pub(super) struct Pcap {
    parse: ParseFrame,
    header: usize,
    link: LinkType,
    nanoseconds: bool,
}

impl Pcap {
    /// Reads the file header; `None` when the bytes are not one.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let (_, header) = parse_pcap_header(bytes).ok()?;
        let modified = PcapHeader::is_modified_format(&header);
        let parse: ParseFrame = if modified {
            parse_pcap_frame_modified
        } else if header.is_bigendian() {
            parse_pcap_frame_be
        } else {
            parse_pcap_frame
        };
        Some(Self {
            parse,
            header: if modified {
                MODIFIED_PACKET_HEADER
            } else {
                PACKET_HEADER
            },
            link: LinkType::from_pcap(header.network.0.cast_unsigned()),
            nanoseconds: header.is_nanosecond_precision(),
        })
    }

    /// Finds the next packet.
    pub(super) fn next(&self, window: &mut Window, file: &str) -> Result<Step, CaptureError> {
        let offset = window.offset();
        let read = |source| CaptureError::Read {
            file: file.to_owned(),
            offset,
            source,
        };
        let mut need = self.header;
        loop {
            if !window.ensure(need).map_err(read)? {
                return Ok(if window.data().is_empty() && !window.was_cut() {
                    Step::End
                } else {
                    Step::Cut
                });
            }
            match (self.parse)(window.data()) {
                Ok((_, block)) => {
                    if block.data.len() > MAX_PACKET {
                        return Err(too_long(file, offset, block.data.len()));
                    }
                    let whole = self.header + block.data.len();
                    return Ok(Step::Packet(Record {
                        time: self.time(&block),
                        link: self.link,
                        interface: 0,
                        direction: None,
                        data: self.header..whole,
                        wire_len: block.origlen.max(block.caplen),
                        whole,
                    }));
                }
                Err(Nom::Incomplete(Needed::Size(more))) => {
                    need = window.data().len().saturating_add(more.get());
                    if need > self.header + MAX_PACKET {
                        return Err(too_long(file, offset, need - self.header));
                    }
                }
                Err(_) => {
                    return Err(CaptureError::BadBlock {
                        file: file.to_owned(),
                        offset,
                        what: "packet header",
                        expected: "a pcap packet header",
                    });
                }
            }
        }
    }

    fn time(&self, block: &LegacyPcapBlock<'_>) -> UnixTime {
        let fraction = u64::from(block.ts_usec);
        let micros = if self.nanoseconds {
            fraction / 1_000
        } else {
            fraction
        };
        UnixTime::from_micros(u64::from(block.ts_sec) * 1_000_000 + micros)
    }
}

/// Whether the bytes are a magic number of this format.
pub(super) fn is_magic(bytes: [u8; 4]) -> bool {
    matches!(
        u32::from_le_bytes(bytes),
        0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1 | 0xa1b2_cd34
    )
}

fn too_long(file: &str, offset: u64, length: usize) -> CaptureError {
    CaptureError::TooLong {
        file: file.to_owned(),
        offset,
        what: "a packet",
        length: length as u64,
        limit: MAX_PACKET as u64,
    }
}
