//! What became of a packet.

use core::net::IpAddr;

use hostward_crypto::Failed;
use hostward_hook::frame::NoRoom;
use hostward_hook::{Reason, Verdict};

use crate::codes;

/// Why a packet was refused. The frame then holds nothing that may be used further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// [`codes::MALFORMED`].
    Malformed,
    /// [`codes::REPLAY`].
    Replay,
    /// [`codes::STALE`].
    Stale,
    /// [`codes::BAD_ICV`].
    BadIcv,
    /// [`codes::BAD_PADDING`].
    BadPadding,
    /// [`codes::BAD_INNER`].
    BadInner,
    /// [`codes::ECN_DROP`].
    Ecn,
    /// [`codes::EXPIRED`].
    Expired,
    /// [`codes::SEQUENCE_EXHAUSTED`].
    SequenceExhausted,
    /// [`codes::NO_ROOM`]. The frame is as it was.
    NoRoom,
    /// [`codes::TOO_BIG`]. The frame is as it was, for the ICMP message.
    TooBig {
        /// The largest inner packet that fits, for the ICMP message.
        mtu: u16,
    },
    /// [`codes::FRAGMENT`]. The frame is as it was.
    Fragment,
    /// [`codes::NOT_OURS`]. The frame is as it was.
    NotOurs,
    /// [`codes::CRYPTO`].
    Crypto,
}

impl Refused {
    /// The code under which the packet is dropped.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Malformed => codes::MALFORMED,
            Self::Replay => codes::REPLAY,
            Self::Stale => codes::STALE,
            Self::BadIcv => codes::BAD_ICV,
            Self::BadPadding => codes::BAD_PADDING,
            Self::BadInner => codes::BAD_INNER,
            Self::Ecn => codes::ECN_DROP,
            Self::Expired => codes::EXPIRED,
            Self::SequenceExhausted => codes::SEQUENCE_EXHAUSTED,
            Self::NoRoom => codes::NO_ROOM,
            Self::TooBig { .. } => codes::TOO_BIG,
            Self::Fragment => codes::FRAGMENT,
            Self::NotOurs => codes::NOT_OURS,
            Self::Crypto => codes::CRYPTO,
        }
    }
}

impl From<Refused> for Verdict {
    fn from(refused: Refused) -> Self {
        Self::Drop(refused.reason())
    }
}

impl From<NoRoom> for Refused {
    fn from(_: NoRoom) -> Self {
        Self::NoRoom
    }
}

impl From<Failed> for Refused {
    fn from(_: Failed) -> Self {
        Self::Crypto
    }
}

/// A packet that was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sealed {
    /// Its sequence number, with the high half of an extended one.
    pub sequence: u64,
    /// The soft lifetime is over, told once: a new association is to be asked for.
    pub soft: bool,
    /// The packet is larger than the path allows and may be fragmented, which the host has to do.
    pub fragment: bool,
}

/// A packet that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// Its sequence number, with the high half of an extended one.
    pub sequence: u64,
    /// The protocol of what was inside: 4 or 41 in tunnel mode.
    pub next_header: u8,
    /// It was a dummy packet (next header 59) to be thrown away; the frame is empty (RFC 4303 §2.6).
    pub dummy: bool,
    /// The soft lifetime is over, told once: a new association is to be asked for.
    pub soft: bool,
    /// The network marked congestion, and the inner packet now says so too (RFC 6040 §4.2).
    pub congestion: bool,
    /// A transport checksum could not be put right for what a NAT did to the addresses: the
    /// host must not check it. The ICV covered it (RFC 3948 §3.1.2).
    pub unchecked: bool,
    /// Address and port the packet came from, when it was in UDP and they are not the known ones: a NAT has
    /// moved the peer (RFC 7296 §2.23).
    pub moved: Option<(IpAddr, u16)>,
}
