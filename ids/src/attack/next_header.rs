//! IPv6 next headers of a list (`RESTRICTED_IPV6_NEXT_HDR`).

use hostward_hook::packet::Packet;

use super::chain::links;
use crate::codes::RESTRICTED_NEXT_HEADER;
use crate::event::Finding;
use crate::policy::NumberSet;

/// The first next header of the chain that is in the list.
pub(super) fn check(packet: &Packet<'_>, set: &NumberSet) -> Option<Finding> {
    let link = links(packet).find(|l| set.contains(l.kind))?;
    Some(Finding::at(
        RESTRICTED_NEXT_HEADER,
        "restricted-ipv6-next-header",
        "next header",
        link.named_at,
        link.kind.into(),
    ))
}
