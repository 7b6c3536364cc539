//! pcapng files (draft-ietf-opsawg-pcapng).

use std::ops::Range;

use hostward_hook::Direction;
use hostward_hook::time::UnixTime;
use pcap_parser::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, OptionCode, PcapNGOption, SimplePacketBlock,
    parse_enhancedpacketblock_be, parse_enhancedpacketblock_le, parse_interfacedescriptionblock_be,
    parse_interfacedescriptionblock_le, parse_sectionheaderblock, parse_simplepacketblock_be,
    parse_simplepacketblock_le,
};

use super::error::CaptureError;
use super::window::Window;
use super::{LinkType, MAX_PACKET, Record, Step};

/// First bytes of a section header block, which reads the same in both byte orders.
pub(super) const SECTION_MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// Block types (draft-ietf-opsawg-pcapng §10.1).
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
/// Type, length and the length again at the end.
const SMALLEST_BLOCK: u32 = 12;
/// Largest block that is read into memory: a packet and generous options. Blocks that hold no
/// packet and describe no interface are skipped whatever their length.
const MAX_BLOCK: u32 = MAX_PACKET as u32 + 1024 * 1024;
/// Interfaces one section may describe.
const MAX_INTERFACES: usize = 65_536;
/// Option `epb_flags`.
const EPB_FLAGS: u16 = 2;

/// One interface of the current section.
struct Interface {
    link: LinkType,
    snaplen: u32,
    clock: Clock,
}

/// The state of reading a pcapng file.
#[derive(Default)]
pub(super) struct PcapNg {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Time of the latest packet: simple packet blocks have none of their own.
    latest: UnixTime,
}

impl PcapNg {
    /// Finds the next packet.
    pub(super) fn next(&mut self, window: &mut Window, file: &str) -> Result<Step, CaptureError> {
        loop {
            let offset = window.offset();
            let read = |source| CaptureError::Read {
                file: file.to_owned(),
                offset,
                source,
            };
            let bad = |(what, expected)| CaptureError::BadBlock {
                file: file.to_owned(),
                offset,
                what,
                expected,
            };
            if !window.ensure(SMALLEST_BLOCK as usize).map_err(read)? {
                return Ok(if window.data().is_empty() && !window.was_cut() {
                    Step::End
                } else {
                    Step::Cut
                });
            }
            if window.data().starts_with(&SECTION_MAGIC) {
                self.big_endian = window.data().get(8..12) == Some(&[0x1a, 0x2b, 0x3c, 0x4d]);
                if !self.big_endian && window.data().get(8..12) != Some(&[0x4d, 0x3c, 0x2b, 0x1a]) {
                    return Err(bad(("section header", "a byte-order magic number")));
                }
            }
            let kind = self.u32(window.data(), 0);
            let length = self.u32(window.data(), 4);
            if length < SMALLEST_BLOCK || !length.is_multiple_of(4) {
                return Err(bad((
                    "block length",
                    "a multiple of 4 that is at least 12 (the file is damaged)",
                )));
            }
            let wanted = matches!(
                kind,
                SECTION_HEADER | INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET
            );
            if !wanted {
                if !window.skip(u64::from(length)).map_err(read)? {
                    return Ok(Step::Cut);
                }
                continue;
            }
            if length > MAX_BLOCK {
                return Err(CaptureError::TooLong {
                    file: file.to_owned(),
                    offset,
                    what: "a block",
                    length: length.into(),
                    limit: MAX_BLOCK.into(),
                });
            }
            let whole = length as usize;
            if !window.ensure(whole).map_err(read)? {
                return Ok(Step::Cut);
            }
            let block = window.data().get(..whole).unwrap_or_default();
            if self.u32(block, whole - 4) != length {
                return Err(bad((
                    "end of block",
                    "the block's length once more (the file is damaged)",
                )));
            }
            match kind {
                SECTION_HEADER => {
                    parse_sectionheaderblock(block)
                        .map_err(|_| bad(("section header", "a well-formed block")))?;
                    self.interfaces.clear();
                }
                INTERFACE => self.interface(block).map_err(bad)?,
                _ => {
                    let (mut record, claimed) = match kind {
                        ENHANCED_PACKET => self.enhanced(block),
                        SIMPLE_PACKET => self.simple(block),
                        _ => self.obsolete(block),
                    }
                    .map_err(bad)?;
                    if record.data.end > whole - 4 {
                        return Err(bad(claimed));
                    }
                    self.latest = record.time;
                    record.whole = whole;
                    return Ok(Step::Packet(record));
                }
            }
            window.consume(whole);
        }
    }

    /// Notes an interface. RFC-draft §4.2.
    fn interface(&mut self, block: &[u8]) -> Result<(), Complaint> {
        let parse = if self.big_endian {
            parse_interfacedescriptionblock_be
        } else {
            parse_interfacedescriptionblock_le
        };
        let (_, idb) =
            parse(block).map_err(|_| ("interface description", "a well-formed block"))?;
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err((
                "interface description",
                "at most 65536 interfaces in a section",
            ));
        }
        self.interfaces.push(Interface {
            link: LinkType::from_pcap(idb.linktype.0.cast_unsigned()),
            snaplen: idb.snaplen,
            clock: self.clock(&idb),
        });
        Ok(())
    }

    fn clock(&self, idb: &InterfaceDescriptionBlock<'_>) -> Clock {
        // The parser crate reads this option as little-endian in either byte order.
        let offset = option::<8>(&idb.options, OptionCode::IfTsoffset.0).map_or(0, |b| {
            if self.big_endian {
                i64::from_be_bytes(b)
            } else {
                i64::from_le_bytes(b)
            }
        });
        Clock {
            resolution: idb.if_tsresol,
            offset,
        }
    }

    /// Reads an enhanced packet block (§4.3).
    fn enhanced(&self, block: &[u8]) -> Result<(Record, Complaint), Complaint> {
        let parse = if self.big_endian {
            parse_enhancedpacketblock_be
        } else {
            parse_enhancedpacketblock_le
        };
        let (_, epb): (_, EnhancedPacketBlock<'_>) =
            parse(block).map_err(|_| ("enhanced packet block", "packet and options within it"))?;
        let interface = self.known(epb.if_id)?;
        let flags = option::<4>(&epb.options, EPB_FLAGS).map_or(0, |b| self.u32(&b, 0));
        Ok((
            Record {
                time: interface.clock.time(epb.ts_high, epb.ts_low),
                link: interface.link,
                interface: epb.if_id,
                direction: match flags & 3 {
                    1 => Some(Direction::Inbound),
                    2 => Some(Direction::Outbound),
                    _ => None,
                },
                data: span(28, epb.caplen),
                wire_len: epb.origlen.max(epb.caplen),
                whole: 0,
            },
            ("enhanced packet block", "the packet within it"),
        ))
    }

    /// Reads a simple packet block (§4.4): interface 0, no time.
    fn simple(&self, block: &[u8]) -> Result<(Record, Complaint), Complaint> {
        let parse = if self.big_endian {
            parse_simplepacketblock_be
        } else {
            parse_simplepacketblock_le
        };
        let (_, spb): (_, SimplePacketBlock<'_>) =
            parse(block).map_err(|_| ("simple packet block", "a well-formed block"))?;
        let interface = self.known(0)?;
        let mut captured = spb
            .origlen
            .min(u32::try_from(spb.data.len()).unwrap_or(u32::MAX));
        if interface.snaplen != 0 {
            captured = captured.min(interface.snaplen);
        }
        Ok((
            Record {
                time: self.latest,
                link: interface.link,
                interface: 0,
                direction: None,
                data: span(12, captured),
                wire_len: spb.origlen,
                whole: 0,
            },
            ("simple packet block", "the packet within it"),
        ))
    }

    /// Reads an obsolete packet block (appendix A), which the parser crate leaves raw.
    fn obsolete(&self, block: &[u8]) -> Result<(Record, Complaint), Complaint> {
        const WHAT: &str = "obsolete packet block";
        let Some(id) = block.get(8..10).and_then(|b| b.first_chunk::<2>()) else {
            return Err((WHAT, "at least 32 bytes"));
        };
        let id = if self.big_endian {
            u16::from_be_bytes(*id)
        } else {
            u16::from_le_bytes(*id)
        };
        let interface = self.known(id.into())?;
        let captured = self.u32(block, 20);
        Ok((
            Record {
                time: interface
                    .clock
                    .time(self.u32(block, 12), self.u32(block, 16)),
                link: interface.link,
                interface: id.into(),
                direction: None,
                data: span(28, captured),
                wire_len: self.u32(block, 24).max(captured),
                whole: 0,
            },
            (WHAT, "the packet within it"),
        ))
    }

    fn known(&self, id: u32) -> Result<&Interface, Complaint> {
        usize::try_from(id)
            .ok()
            .and_then(|i| self.interfaces.get(i))
            .ok_or(("packet block", "an interface that was described before it"))
    }

    /// A number in the section's byte order; 0 beyond the end.
    fn u32(&self, bytes: &[u8], at: usize) -> u32 {
        let Some(b) = bytes.get(at..).and_then(|b| b.first_chunk::<4>()) else {
            return 0;
        };
        if self.big_endian {
            u32::from_be_bytes(*b)
        } else {
            u32::from_le_bytes(*b)
        }
    }
}

/// What is wrong, and what would have been right.
type Complaint = (&'static str, &'static str);

fn span(start: usize, length: u32) -> Range<usize> {
    start..start.saturating_add(length as usize)
}

fn option<const N: usize>(options: &[PcapNGOption<'_>], code: u16) -> Option<[u8; N]> {
    options
        .iter()
        .find(|o| o.code.0 == code)
        .and_then(|o| o.value().first_chunk::<N>().copied())
}

/// Unit and origin of an interface's time stamps (`if_tsresol`, `if_tsoffset`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clock {
    /// Power of ten, or of two with the highest bit set, by which a second is divided.
    resolution: u8,
    /// Seconds to add.
    offset: i64,
}

impl Clock {
    fn time(self, high: u32, low: u32) -> UnixTime {
        let ticks = u128::from(high) << 32 | u128::from(low);
        let exponent = u32::from(self.resolution & 0x7f);
        let micros = if self.resolution & 0x80 != 0 {
            (ticks * 1_000_000).checked_shr(exponent).unwrap_or(0)
        } else {
            // 10³² and beyond: no 64-bit count of such ticks reaches a microsecond.
            10_u128
                .checked_pow(exponent)
                .map_or(0, |per_second| ticks * 1_000_000 / per_second)
        };
        let micros = i128::try_from(micros)
            .unwrap_or(i128::MAX)
            .saturating_add(i128::from(self.offset) * 1_000_000)
            .clamp(0, i128::from(u64::MAX));
        UnixTime::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_of_any_resolution() {
        let at = |resolution, offset, ticks: u64| {
            Clock { resolution, offset }
                .time((ticks >> 32) as u32, ticks as u32)
                .as_micros()
        };
        assert_eq!(at(6, 0, 1_700_000_000_123_456), 1_700_000_000_123_456);
        assert_eq!(at(9, 0, 1_700_000_000_123_456_789), 1_700_000_000_123_456);
        assert_eq!(at(0, 0, 1_700_000_000), 1_700_000_000_000_000);
        assert_eq!(at(3, 5, 1_000), 6_000_000);
        assert_eq!(at(6, -5, 7_000_001), 2_000_001);
        assert_eq!(at(6, -5, 1), 0, "nothing lies before the epoch");
        assert_eq!(at(0x80 | 20, 0, 3 << 19), 1_500_000);
        assert_eq!(at(0x7f, 0, u64::MAX), 0);
        assert_eq!(at(0xff, 0, u64::MAX), 0);
        assert_eq!(at(0, i64::MAX, u64::MAX), u64::MAX);
    }
}
