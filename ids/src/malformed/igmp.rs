//! IGMP messages whose length is wrong (RFC 2236, RFC 3376).

use hostward_hook::layout::{Fragment, IpVersion, proto};
use hostward_hook::packet::Packet;

use super::IGMP_LENGTH;
use crate::event::Finding;

#[inline]
pub(super) fn check(packet: &Packet<'_>) -> Option<Finding> {
    let l = packet.layout();
    if l.protocol() != proto::IGMP
        || l.ip_version() != Some(IpVersion::V4)
        || l.fragment() != Fragment::Whole
        || packet.meta.cut
        || fits(packet.upper())
    {
        return None;
    }
    Some(Finding {
        code: IGMP_LENGTH,
        name: "igmp-length",
        field: "IGMP message",
        offset: u16::try_from(l.upper_offset()).ok(),
        value: u32::try_from(packet.upper().len()).ok(),
        discard: true,
    })
}

/// Whether the message holds all it says. More bytes than that are allowed (RFC 3376 §4.1.10).
fn fits(message: &[u8]) -> bool {
    let Some((head, rest)) = message.split_first_chunk::<8>() else {
        return false;
    };
    let count = |a: u8, b: u8| usize::from(u16::from_be_bytes([a, b]));
    match head[0] {
        // RFC 3376 §7.1: a query of eight bytes is one of version 1 or 2, one of twelve and more
        // of version 3, one between neither. Its sources are counted (§4.1).
        0x11 => match rest {
            [] => true,
            [_, _, high, low, sources @ ..] => sources.len() / 4 >= count(*high, *low),
            _ => false,
        },
        // RFC 3376 §4.2: a report of version 3 counts its group records, and each its sources
        // and the words behind them.
        0x22 => {
            let mut rest = rest;
            for _ in 0..count(head[6], head[7]) {
                let Some((record, more)) = rest.split_first_chunk::<8>() else {
                    return false;
                };
                let words = count(record[2], record[3]) + usize::from(record[1]);
                let Some(more) = more.get(words * 4..) else {
                    return false;
                };
                rest = more;
            }
            true
        }
        _ => true,
    }
}
