//! The chain of next headers of an IPv6 packet, each with the place that names it.

use hostward_hook::layout::{IpVersion, MAX_EXTENSIONS, proto};
use hostward_hook::packet::Packet;

/// A next header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link<'a> {
    /// Which.
    pub(super) kind: u8,
    /// Offset of the octet that names it.
    pub(super) named_at: usize,
    /// Offset of the header.
    pub(super) at: usize,
    /// The header's bytes, if it is an extension header with options that is there as a whole.
    pub(super) bytes: Option<&'a [u8]>,
}

/// All next headers, the upper-layer protocol last. Ends where the packet does, at what is
/// encrypted, and in later fragments at the fragment header. Nothing for IPv4.
pub(super) fn links<'a>(packet: &Packet<'a>) -> impl Iterator<Item = Link<'a>> + use<'a> {
    let bytes = packet
        .bytes()
        .get(..packet.layout().end())
        .unwrap_or(packet.bytes());
    let v6 = packet.layout().ip_version() == Some(IpVersion::V6);
    let first = bytes.get(6).filter(|_| v6).map(|kind| (*kind, 6, 40));
    let mut next = first;
    let mut step = 0;
    core::iter::from_fn(move || {
        let (kind, named_at, at) = next.take()?;
        let mut link = Link {
            kind,
            named_at,
            at,
            bytes: None,
        };
        let rest = bytes.get(at..).unwrap_or_default();
        step += 1;
        let length = match (kind, rest) {
            _ if step > MAX_EXTENSIONS => return Some(link),
            (
                proto::HOP_BY_HOP | proto::DESTINATION | proto::ROUTING | proto::MOBILITY,
                [_, n, ..],
            )
            | (proto::HIP | proto::SHIM6, [_, n, ..]) => (usize::from(*n) + 1) * 8,
            (proto::AH, [_, n, ..]) => (usize::from(*n) + 2) * 4,
            (proto::FRAGMENT, [_, _, high, low, ..]) => {
                // Behind a later fragment's header stands data.
                if u16::from_be_bytes([*high, *low]) >> 3 != 0 {
                    return Some(link);
                }
                8
            }
            _ => return Some(link),
        };
        link.bytes = rest.get(..length);
        if let (Some(_), Some(kind)) = (link.bytes, rest.first()) {
            next = Some((*kind, at, at + length));
        }
        Some(link)
    })
}
