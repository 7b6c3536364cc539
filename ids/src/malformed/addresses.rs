//! Addresses that cannot be right (RFC 1122 section 3.2.1.3, RFC 4291, RFC 6890).

use core::net::IpAddr;

use hostward_hook::layout::proto;
use hostward_hook::packet::Packet;
use hostward_hook::reason::Code;

use super::{DESTINATION_ADDRESS, LAND, SOURCE_ADDRESS, TCP_TO_GROUP};
use crate::event::Finding;

const fn found(
    code: Code,
    name: &'static str,
    field: &'static str,
    offset: u16,
) -> Option<Finding> {
    Some(Finding {
        code,
        name,
        field,
        offset: Some(offset),
        value: None,
        discard: true,
    })
}

#[inline]
pub(super) fn check(packet: &Packet<'_>) -> Option<Finding> {
    let (source, destination) = (packet.source()?, packet.destination()?);
    match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            // Traffic inside a host may be anything.
            if s.is_loopback() && d.is_loopback() {
                return None;
            }
            let dhcp = match packet.layout().ports() {
                Some(ports) => ports == (68, 67),
                None => packet.meta.cut && packet.layout().protocol() == proto::UDP,
            };
            let first = s.octets()[0];
            // 0/8 is "this network", 240/4 is class E and limited broadcast.
            if first == 0 && !dhcp && !is_membership(packet) || first == 127 || first >= 224 {
                return found(SOURCE_ADDRESS, "source-address", "source address", 12);
            }
            if d.is_unspecified() || d.is_loopback() {
                return found(
                    DESTINATION_ADDRESS,
                    "destination-address",
                    "destination address",
                    16,
                );
            }
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => {
            if s.is_loopback() && d.is_loopback() {
                return None;
            }
            let mapped = |a: core::net::Ipv6Addr| a.to_ipv4_mapped().is_some();
            if s.is_multicast() || s.is_loopback() || mapped(s) {
                return found(SOURCE_ADDRESS, "source-address", "source address", 8);
            }
            if d.is_unspecified() || d.is_loopback() || mapped(d) {
                return found(
                    DESTINATION_ADDRESS,
                    "destination-address",
                    "destination address",
                    24,
                );
            }
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
    }
    let (source_at, destination_at) = if source.is_ipv4() { (12, 16) } else { (8, 24) };
    if source == destination && packet.layout().ports().is_some_and(|(s, d)| s == d) {
        return found(LAND, "land", "source address", source_at);
    }
    if packet.layout().protocol() == proto::TCP {
        let group = match destination {
            IpAddr::V4(d) => d.is_multicast() || d.is_broadcast(),
            IpAddr::V6(d) => d.is_multicast(),
        };
        if group {
            return found(
                TCP_TO_GROUP,
                "tcp-to-group",
                "destination address",
                destination_at,
            );
        }
    }
    None
}

/// IGMP may come from 0.0.0.0 before a host has an address (RFC 4541 section 2.1.1).
fn is_membership(packet: &Packet<'_>) -> bool {
    packet.layout().protocol() == proto::IGMP
}
