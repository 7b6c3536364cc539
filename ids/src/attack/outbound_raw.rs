//! Packets that applications make by hand (`OUTBOUND_RAW`, `OUTBOUND_RAW_IPV6`): so that the host is
//! not where attacks on others begin. IBM does not publish its criteria; these are ours.

use hostward_hook::layout::{Anomalies, Anomaly, Fragment, proto};
use hostward_hook::packet::Packet;

use super::chain::links;
use crate::codes::{RAW_FRAGMENT, RAW_HEADER, RAW_PROTOCOL, RAW_REDIRECT, RAW_SOURCE};
use crate::event::Finding;
use crate::host::Host;
use crate::policy::NumberSet;

/// Lengths that do not fit the packet.
const HEADER: Anomalies = Anomalies::of(&[
    Anomaly::IpTruncated,
    Anomaly::IpVersion,
    Anomaly::Ip4HeaderLength,
    Anomaly::Ip4TotalLength,
    Anomaly::IpLengthBeyondBuffer,
    Anomaly::Ip6ExtensionLength,
]);

/// The first thing that an application has no business to send. The source address counts if the
/// host has told its own; the unspecified one is for hosts that have none yet.
pub(super) fn check(packet: &Packet<'_>, set: &NumberSet, host: &Host) -> Option<Finding> {
    let l = packet.layout();
    let v6 = l
        .ip_version()
        .is_some_and(|v| v == hostward_hook::layout::IpVersion::V6);
    if !l.anomalies().intersection(HEADER).is_empty() && !packet.meta.cut {
        let length = u32::try_from(packet.bytes().len()).unwrap_or(u32::MAX);
        return Some(Finding::at(
            RAW_HEADER,
            "raw-header",
            "length",
            if v6 { 4 } else { 2 },
            length,
        ));
    }
    let restricted = if v6 {
        links(packet)
            .find(|x| set.contains(x.kind))
            .map(|x| (x.named_at, x.kind))
    } else {
        let kind = packet.bytes().get(9).copied();
        kind.filter(|k| set.contains(*k)).map(|k| (9, k))
    };
    if let Some((at, kind)) = restricted {
        return Some(Finding::at(
            RAW_PROTOCOL,
            "raw-protocol",
            "protocol",
            at,
            kind.into(),
        ));
    }
    let source = packet.source()?;
    if !source.is_unspecified() && host.is_home(source) == Some(false) {
        let at = if v6 { 8 } else { 12 };
        return Some(Finding::at(
            RAW_SOURCE,
            "raw-source",
            "source address",
            at,
            0,
        ));
    }
    if l.fragment() != Fragment::Whole {
        let at = l.fragment_header_offset().map_or(6, |at| at + 2);
        let offset = l.fragment_offset().into();
        return Some(Finding::at(
            RAW_FRAGMENT,
            "raw-fragment",
            "fragment offset",
            at,
            offset,
        ));
    }
    let redirect = match (l.protocol(), l.icmp()) {
        (proto::ICMP, Some((5, _))) => 5,
        (proto::ICMPV6, Some((137, _))) => 137,
        _ => return None,
    };
    let at = l.upper_offset();
    Some(Finding::at(
        RAW_REDIRECT,
        "raw-redirect",
        "type",
        at,
        redirect,
    ))
}
