//! Where a flow stands, and the numbers of a TCP segment that tell.

use crate::layout::tcp_flags::{ACK, FIN, RST, SYN};

/// Where a flow stands. For protocols without connections it tells whether both sides have
/// spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum FlowState {
    /// No TCP; only one side has sent.
    #[default]
    OneWay,
    /// No TCP; both sides have sent.
    TwoWay,
    /// TCP: a SYN, no answer yet (half-open).
    SynSent,
    /// TCP: SYN and SYN-ACK, the handshake is not complete (half-open).
    SynReceived,
    /// TCP: the handshake is complete, or the flow was met in the middle.
    Established,
    /// TCP: one side has sent FIN.
    HalfClosed,
    /// TCP: both sides have sent FIN.
    Closing,
    /// TCP: both FINs are acknowledged.
    Closed,
    /// TCP: a believable reset ended it.
    Reset,
}

impl FlowState {
    /// Whether a TCP handshake has begun and not ended.
    #[must_use]
    pub const fn is_half_open(self) -> bool {
        matches!(self, Self::SynSent | Self::SynReceived)
    }

    /// Whether the connection is over: a new SYN begins a new one.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Reset)
    }

    /// The state's name as it stands in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one-way",
            Self::TwoWay => "two-way",
            Self::SynSent => "syn-sent",
            Self::SynReceived => "syn-received",
            Self::Established => "established",
            Self::HalfClosed => "half-closed",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Reset => "reset",
        }
    }
}

/// The numbers of a TCP segment that matter to connection tracking and stream reassembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "these are the fields of a segment; hosts build it"
)]
pub struct TcpSegment {
    /// Flag bits, see [`tcp_flags`](crate::layout::tcp_flags).
    pub flags: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number, meaningful with ACK.
    pub ack: u32,
    /// Window as it stands in the header, not scaled.
    pub window: u16,
    /// Length of the payload.
    pub len: u32,
}

impl TcpSegment {
    /// What of a segment that [stream reassembly](crate::stream::Segment::of) reads from a packet
    /// connection tracking looks at.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn of_stream(s: &crate::stream::Segment<'_>) -> Self {
        Self {
            flags: s.flags,
            seq: s.seq,
            ack: s.ack,
            window: s.window,
            len: s.length(),
        }
    }

    /// Whether all of these flags are set.
    #[must_use]
    pub const fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Whether it opens a connection: SYN without ACK or RST.
    #[must_use]
    pub const fn is_syn(&self) -> bool {
        self.flags & (SYN | ACK | RST) == SYN
    }

    /// Whether it answers a SYN.
    #[must_use]
    pub const fn is_syn_ack(&self) -> bool {
        self.flags & (SYN | ACK | RST) == SYN | ACK
    }

    /// The sequence number after it: SYN and FIN count as one each.
    #[must_use]
    pub const fn end(&self) -> u32 {
        let extra = (self.flags & SYN != 0) as u32 + (self.flags & FIN != 0) as u32;
        self.seq.wrapping_add(self.len).wrapping_add(extra)
    }
}
