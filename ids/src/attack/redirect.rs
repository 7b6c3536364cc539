//! Redirects (`ICMP_REDIRECT`): whoever is believed chooses the way that packets take.

use hostward_hook::layout::proto;
use hostward_hook::packet::Packet;

use crate::codes::REDIRECT;
use crate::event::Finding;

/// Any redirect of either version.
pub(super) fn check(packet: &Packet<'_>) -> Option<Finding> {
    let l = packet.layout();
    let kind = match (l.protocol(), l.icmp()?.0) {
        (proto::ICMP, 5) => 5,
        (proto::ICMPV6, 137) => 137,
        _ => return None,
    };
    Some(Finding::at(
        REDIRECT,
        "icmp-redirect",
        "type",
        l.upper_offset(),
        kind,
    ))
}
