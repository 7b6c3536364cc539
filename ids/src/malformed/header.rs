//! Fields of the IP header whose values are odd, not wrong.

use hostward_hook::layout::{IpVersion, proto};
use hostward_hook::packet::Packet;

use super::{IP_PROTOCOL, TTL_ZERO};
use crate::event::Finding;

/// Whether [`findings`] would find something.
#[inline]
pub(super) fn is_odd(packet: &Packet<'_>) -> bool {
    is_unassigned(packet) || hop_limit(packet).1 == Some(0)
}

/// Both are reported only: a receiver judges neither.
pub(super) fn findings(packet: &Packet<'_>) -> [Option<Finding>; 2] {
    let found = |code, name, field, offset, value| Finding {
        code,
        name,
        field,
        offset,
        value: Some(value),
        discard: false,
    };
    let (at, limit) = hop_limit(packet);
    let ttl = (limit == Some(0)).then(|| found(TTL_ZERO, "ttl-zero", "time to live", Some(at), 0));
    let protocol = is_unassigned(packet).then(|| {
        let offset = match packet.layout().ip_version() {
            Some(IpVersion::V4) => Some(9),
            // The field stands in the header before.
            Some(IpVersion::V6) | None => None,
        };
        let value = packet.layout().protocol().into();
        found(IP_PROTOCOL, "ip-protocol", "protocol", offset, value)
    });
    [ttl, protocol]
}

// RFC 1122 §3.2.1.7: no host sends a time to live of zero, and none discards for it.
#[inline]
fn hop_limit(packet: &Packet<'_>) -> (u16, Option<u8>) {
    match packet.layout().ip_version() {
        Some(IpVersion::V4) => (8, packet.bytes().get(8).copied()),
        Some(IpVersion::V6) => (7, packet.bytes().get(7).copied()),
        None => (0, None),
    }
}

/// IANA's registry: 148 to 252 and 255 are free or reserved, 253 and 254 for experiments. Of the
/// extension headers of IPv6 only AH, ESP and HIP exist in IPv4.
#[inline]
const fn is_unassigned(packet: &Packet<'_>) -> bool {
    let l = packet.layout();
    match l.protocol() {
        148..=252 | 255 => true,
        proto::HOP_BY_HOP
        | proto::ROUTING
        | proto::FRAGMENT
        | proto::DESTINATION
        | proto::NO_NEXT
        | proto::SHIM6 => matches!(l.ip_version(), Some(IpVersion::V4)),
        _ => false,
    }
}
