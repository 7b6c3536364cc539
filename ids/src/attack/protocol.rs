//! Protocols over IPv4 of a list (`RESTRICTED_IP_PROTOCOL`).

use hostward_hook::layout::IpVersion;
use hostward_hook::packet::Packet;

use crate::codes::RESTRICTED_PROTOCOL;
use crate::event::Finding;
use crate::policy::NumberSet;

/// The protocol that the IP header names.
pub(super) fn check(packet: &Packet<'_>, set: &NumberSet) -> Option<Finding> {
    let v4 = packet.layout().ip_version() == Some(IpVersion::V4);
    let protocol = packet.bytes().get(9).copied().filter(|_| v4)?;
    set.contains(protocol).then(|| {
        Finding::at(
            RESTRICTED_PROTOCOL,
            "restricted-ip-protocol",
            "protocol",
            9,
            protocol.into(),
        )
    })
}
