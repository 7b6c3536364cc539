//! One fragment, read from its packet.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ident::SaId;
use crate::layout::{Anomalies, Anomaly, Fragment, IpVersion, proto};
use crate::packet::Packet;
use crate::reason::{self, Reason};

/// What tells datagrams apart: RFC 791 section 3.2 for IPv4; RFC 8200 section 4.5 for IPv6,
/// where the protocol does not count; for both, how they came. Sources sort together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) id: u32,
    protocol: u8,
    /// RFC 4301 section 5.2: what came through an association is checked against it. What came
    /// otherwise must not become part of it.
    sa: Option<SaId>,
}

impl Key {
    /// The first and the last key a source can have.
    pub(super) const fn range(source: IpAddr) -> (Self, Self) {
        let least = Self {
            source,
            destination: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            id: 0,
            protocol: 0,
            sa: None,
        };
        let most = Self {
            source,
            destination: IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
            id: u32::MAX,
            protocol: u8::MAX,
            sa: Some(SaId(u32::MAX)),
        };
        (least, most)
    }

    pub(super) const fn version(&self) -> IpVersion {
        match self.source {
            IpAddr::V4(_) => IpVersion::V4,
            IpAddr::V6(_) => IpVersion::V6,
        }
    }
}

/// A fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) key: Key,
    /// Everything in front of the fragment's data, the IPv6 fragment header left out.
    pub(super) header: &'a [u8],
    /// What the whole's header names as next, and where that stands in `header`.
    pub(super) protocol: u8,
    pub(super) protocol_at: usize,
    pub(super) offset: u16,
    pub(super) more: bool,
    pub(super) data: &'a [u8],
    /// The ECN field.
    pub(super) ecn: u8,
}

impl Piece<'_> {
    /// Offset behind the last byte.
    pub(super) const fn end(&self) -> u32 {
        self.offset as u32 + self.data.len() as u32
    }
}

/// What a packet is to reassembly.
#[derive(Debug)]
pub(super) enum Reading<'a> {
    /// Not a fragment.
    Whole,
    /// A fragment that can be used.
    Piece(Piece<'a>),
    /// A fragment that cannot; the piece is for the report.
    Bad(Reason, Option<Piece<'a>>),
}

/// Reads a packet.
pub(super) fn read<'a>(packet: &Packet<'a>, discard_tiny4: bool) -> Reading<'a> {
    const BROKEN: Anomalies = Anomalies::of(&[
        Anomaly::Ip4HeaderLength,
        Anomaly::Ip4TotalLength,
        Anomaly::IpLengthBeyondBuffer,
    ]);
    let layout = packet.layout();
    let whole = layout.fragment() == Fragment::Whole;
    if whole && layout.fragment_header_offset().is_none() {
        return Reading::Whole;
    }
    let piece = match layout.ip_version() {
        Some(IpVersion::V4) => ipv4(packet),
        Some(IpVersion::V6) => match ipv6(packet) {
            Ok(piece) => piece,
            Err(nested) => return Reading::Bad(nested, None),
        },
        None => return Reading::Whole,
    };
    if whole {
        return Reading::Whole;
    }
    let anomalies = layout.anomalies();
    let Some(piece) = piece else {
        return Reading::Bad(reason::FRAGMENT_BAD_LENGTH, None);
    };
    if !anomalies.intersection(BROKEN).is_empty()
        || piece.data.is_empty()
        // RFC 8200 §4.5: all but the last are a multiple of eight bytes long.
        || piece.more && !piece.data.len().is_multiple_of(8)
    {
        return Reading::Bad(reason::FRAGMENT_BAD_LENGTH, Some(piece));
    }
    // RFC 791 §3.1, RFC 8200 §4.5: no datagram is longer than 65,535 bytes, which for IPv6
    // leaves the fixed header out.
    if piece.end() as usize + counted(&piece) > 65_535 {
        return Reading::Bad(reason::FRAGMENT_TOO_LONG, Some(piece));
    }
    let refuses_tiny = discard_tiny4 || layout.ip_version() == Some(IpVersion::V6);
    if refuses_tiny && piece.offset == 0 && anomalies.contains(Anomaly::FragmentTiny) {
        return Reading::Bad(reason::FRAGMENT_TINY, Some(piece));
    }
    Reading::Piece(piece)
}

/// How much of the header counts towards the length field of the whole.
pub(super) const fn counted(piece: &Piece<'_>) -> usize {
    match piece.key.version() {
        IpVersion::V4 => piece.header.len(),
        IpVersion::V6 => piece.header.len().saturating_sub(40),
    }
}

fn ipv4<'a>(packet: &Packet<'a>) -> Option<Piece<'a>> {
    let layout = packet.layout();
    let bytes = packet.bytes();
    let h = bytes.first_chunk::<20>()?;
    let length = usize::from(h[0] & 0x0f) * 4;
    Some(Piece {
        key: Key {
            source: packet.source()?,
            destination: packet.destination()?,
            id: packet.fragment_id()?,
            protocol: h[9],
            sa: packet.meta.sa,
        },
        header: bytes.get(..length)?,
        protocol: h[9],
        protocol_at: 9,
        offset: layout.fragment_offset(),
        more: layout.more_fragments(),
        data: bytes.get(length..layout.end())?,
        ecn: h[1] & 3,
    })
}

/// `Ok(None)` when lengths do not fit; an error when there are two fragment headers.
fn ipv6<'a>(packet: &Packet<'a>) -> Result<Option<Piece<'a>>, Reason> {
    let layout = packet.layout();
    let bytes = packet.bytes();
    let Some(at) = layout.fragment_header_offset() else {
        return Ok(None);
    };
    let Some(protocol_at) = predecessor(bytes, at) else {
        return Err(reason::FRAGMENT_NESTED);
    };
    if layout.fragment_offset() == 0 && another(bytes, at, layout.end()) {
        return Err(reason::FRAGMENT_NESTED);
    }
    let piece = || {
        let h = bytes.first_chunk::<40>()?;
        let fragment = bytes.get(at..)?.first_chunk::<8>()?;
        // RFC 2675 §4: jumbograms are not fragmented.
        if h[4] | h[5] == 0 {
            return None;
        }
        Some(Piece {
            key: Key {
                source: packet.source()?,
                destination: packet.destination()?,
                id: packet.fragment_id()?,
                protocol: 0,
                sa: packet.meta.sa,
            },
            header: bytes.get(..at)?,
            protocol: fragment[0],
            protocol_at,
            offset: layout.fragment_offset(),
            more: layout.more_fragments(),
            data: bytes.get(at + 8..layout.end())?,
            ecn: h[1] >> 4 & 3,
        })
    };
    Ok(piece())
}

/// Where the next-header field stands that names the header at `target`; `None` when another
/// fragment header comes before it.
fn predecessor(bytes: &[u8], target: usize) -> Option<usize> {
    let mut field = 6;
    let mut at = 40;
    while at < target {
        let next = *bytes.get(field)?;
        let length = usize::from(*bytes.get(at + 1)?);
        let length = match next {
            proto::FRAGMENT => return None,
            proto::AH => (length + 2) * 4,
            _ => (length + 1) * 8,
        };
        field = at;
        at += length;
    }
    Some(field)
}

/// Whether another fragment header follows the one at `at`, behind extension headers at most.
fn another(bytes: &[u8], mut at: usize, end: usize) -> bool {
    let mut length = 8;
    // Each round goes on by eight bytes at least.
    while let Some(&next) = bytes.get(at) {
        at += length;
        if at >= end {
            return false;
        }
        let units = bytes.get(at + 1).map_or(0, |l| usize::from(*l));
        length = match next {
            proto::FRAGMENT => return true,
            proto::AH => (units + 2) * 4,
            proto::HOP_BY_HOP | proto::ROUTING | proto::DESTINATION => (units + 1) * 8,
            _ => return false,
        };
    }
    false
}
