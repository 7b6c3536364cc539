//! A TCP segment as reassembly needs it.

use crate::layout::{Anomaly, Fragment, IpVersion, TcpOptions, tcp_flags};
use crate::packet::Packet;

/// A TCP segment: header fields in host order and the payload where it lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "hosts with their own parser fill it in"
)]
pub struct Segment<'a> {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number; counts only with the ACK flag.
    pub ack: u32,
    /// Flags ([`tcp_flags`]).
    pub flags: u8,
    /// Window as it stands in the header.
    pub window: u16,
    /// Window scale option of a SYN.
    pub scale: Option<u8>,
    /// Payload.
    pub payload: &'a [u8],
    /// Bytes of payload that followed on the wire but were cut off by the capture, as far as the
    /// IP header can be believed; a hole in the stream.
    pub cut: u32,
}

impl<'a> Segment<'a> {
    /// The segment in a packet; `None` when the packet is a fragment or has no whole TCP header
    /// (one that the capture cut among its options will do).
    #[must_use]
    pub fn of(packet: &Packet<'a>) -> Option<Self> {
        let layout = packet.layout();
        let flags = layout.tcp_flags()?;
        let broken = layout.anomalies().contains(Anomaly::TcpDataOffset) && !packet.meta.cut;
        if broken || layout.fragment() != Fragment::Whole {
            return None;
        }
        let (seq, ack, window) = packet.tcp_numbers()?;
        let scale = if flags & tcp_flags::SYN == 0 {
            None
        } else {
            TcpOptions::new(packet.tcp_options())
                .filter_map(Result::ok)
                .find(|o| o.kind == 3)
                .and_then(|o| o.data.first().copied())
        };
        Some(Self {
            seq,
            ack,
            flags,
            window,
            scale,
            payload: packet.payload(),
            cut: cut(packet),
        })
    }

    /// Number of payload bytes on the wire.
    #[must_use]
    pub fn length(&self) -> u32 {
        u32::try_from(self.payload.len())
            .unwrap_or(u32::MAX)
            .saturating_add(self.cut)
    }

    /// Whether all of these flags are set.
    #[must_use]
    pub const fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }
}

/// How many bytes the IP header announces beyond the buffer.
fn cut(packet: &Packet<'_>) -> u32 {
    let bytes = packet.bytes();
    let announced = match packet.layout().ip_version() {
        Some(IpVersion::V4) => bytes.get(2..4).map_or(0, be16),
        Some(IpVersion::V6) => bytes.get(4..6).map_or(0, |b| 40 + be16(b)),
        None => 0,
    };
    announced.saturating_sub(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
}

fn be16(b: &[u8]) -> u32 {
    b.first_chunk::<2>()
        .map_or(0, |b| u32::from(u16::from_be_bytes(*b)))
}
