//! Options of a list: of IPv4 (`RESTRICTED_IP_OPTIONS`), and of IPv6 in hop-by-hop and destination
//! headers (`RESTRICTED_IPV6_HOP_OPTIONS`, `RESTRICTED_IPV6_DST_OPTIONS`).

use hostward_hook::layout::{Ip6Options, IpOptions, proto};
use hostward_hook::packet::Packet;
use hostward_hook::reason::Code;

use super::chain::links;
use crate::codes::{RESTRICTED_DESTINATION_OPTION, RESTRICTED_HOP_OPTION, RESTRICTED_OPTION};
use crate::event::Finding;
use crate::policy::NumberSet;

/// The first option that is in the list. No-operation (1) and end of list (0) can be in it as well.
pub(super) fn restricted(packet: &Packet<'_>, set: &NumberSet) -> Option<Finding> {
    let bytes = packet.ip_options();
    let single = |value: u8| {
        let place = bytes.iter().position(|b| *b == value);
        place.filter(|_| set.contains(value) && leads_to(bytes, value))
    };
    let found = IpOptions::new(bytes)
        .map_while(Result::ok)
        .find(|o| set.contains(o.kind))
        .map(|o| (o.offset, o.kind));
    let found = found.or_else(|| single(1).map(|at| (at, 1)));
    let (at, kind) = found.or_else(|| single(0).map(|at| (at, 0)))?;
    Some(Finding::at(
        RESTRICTED_OPTION,
        "restricted-ip-option",
        "option type",
        20 + at,
        kind.into(),
    ))
}

/// Whether a one-byte option stands among the options, not only in the data of one.
fn leads_to(bytes: &[u8], value: u8) -> bool {
    let mut at = 0;
    while let Some(kind) = bytes.get(at) {
        if *kind == value {
            return true;
        }
        at += match kind {
            0 => return false,
            1 => 1,
            _ => bytes.get(at + 1).map_or(1, |l| usize::from(*l)).max(2),
        };
    }
    false
}

/// Destination options.
pub(super) fn destination(packet: &Packet<'_>, set: &NumberSet) -> Option<Finding> {
    v6(
        packet,
        set,
        proto::DESTINATION,
        (
            RESTRICTED_DESTINATION_OPTION,
            "restricted-ipv6-destination-option",
        ),
    )
}

/// Hop-by-hop options.
pub(super) fn hop_by_hop(packet: &Packet<'_>, set: &NumberSet) -> Option<Finding> {
    v6(
        packet,
        set,
        proto::HOP_BY_HOP,
        (RESTRICTED_HOP_OPTION, "restricted-ipv6-hop-option"),
    )
}

fn v6(
    packet: &Packet<'_>,
    set: &NumberSet,
    header: u8,
    (code, name): (Code, &'static str),
) -> Option<Finding> {
    let mut headers = links(packet)
        .filter(|l| l.kind == header)
        .filter_map(|l| Some((l.at + 2, l.bytes?.get(2..)?)));
    headers.find_map(|(at, options)| {
        let found = Ip6Options::new(options)
            .map_while(Result::ok)
            .find(|o| set.contains(o.kind))
            .map(|o| (o.offset, o.kind));
        let pad1 = || {
            options
                .first()
                .filter(|b| **b == 0 && set.contains(0))
                .map(|_| (0, 0))
        };
        let (offset, kind) = found.or_else(pad1)?;
        Some(Finding::at(
            code,
            name,
            "option type",
            at + offset,
            kind.into(),
        ))
    })
}
