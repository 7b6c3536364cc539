//! ICMP messages that cannot be right (RFC 792, RFC 1122 section 3.2.2, RFC 4443, RFC 4861).

use core::net::IpAddr;

use hostward_hook::layout::{Layout, proto, seen};
use hostward_hook::packet::Packet;
use hostward_hook::reason::Code;

use super::{
    ICMP_ECHO_BROADCAST, ICMP_ECHO_LARGE, ICMP_ERROR_ABOUT_ERROR, ICMP_ERROR_ABOUT_GROUP,
    ICMP_EXPERIMENT, ICMP_TYPE, MLD_HOP_LIMIT, ND_ADDRESS, ND_FRAGMENTED, ND_LENGTH, ND_NOT_LOCAL,
    ND_OPTION,
};
use crate::event::Finding;

/// The largest echo that no one asks questions about.
const LARGE_ECHO: usize = 1024;

fn found(packet: &Packet<'_>, code: Code, name: &'static str, field: &'static str) -> Finding {
    let offset = u16::try_from(packet.layout().upper_offset()).ok();
    Finding {
        code,
        name,
        field,
        offset,
        value: None,
        discard: true,
    }
}

pub(super) fn check(packet: &Packet<'_>, large: bool) -> Option<Finding> {
    let (kind, code) = packet.layout().icmp()?;
    let v6 = packet.layout().protocol() == proto::ICMPV6;
    if v6 {
        check_v6(packet, kind, code)
    } else {
        check_v4(packet, kind, code)
    }
    .filter(|f| large || f.code != ICMP_ECHO_LARGE)
    .map(|mut f| {
        f.value
            .get_or_insert(u32::from(kind) << 8 | u32::from(code));
        f
    })
}

fn check_v4(packet: &Packet<'_>, kind: u8, code: u8) -> Option<Finding> {
    // IANA's registry; deprecated types are assigned all the same.
    let known = match kind {
        0 | 4 | 6 | 8 | 10 | 13..=18 | 42 => code == 0,
        3 => code <= 15,
        5 => code <= 3,
        9 => matches!(code, 0 | 16),
        11 => code <= 1,
        12 => code <= 2,
        40 => code <= 5,
        43 => code <= 4,
        30..=39 | 41 | 253 | 254 => true,
        _ => false,
    };
    if !known {
        return Some(found(packet, ICMP_TYPE, "icmp-type", "type and code"));
    }
    if matches!(kind, 3 | 4 | 5 | 11 | 12) {
        return error_v4(packet);
    }
    if matches!(kind, 41 | 253 | 254) {
        return Some(experiment(packet));
    }
    if kind == 8 {
        if matches!(packet.destination(), Some(IpAddr::V4(d)) if d.is_broadcast()) {
            let name = "icmp-echo-broadcast";
            return Some(found(
                packet,
                ICMP_ECHO_BROADCAST,
                name,
                "destination address",
            ));
        }
        return large_echo(packet);
    }
    if kind == 0 { large_echo(packet) } else { None }
}

// RFC 1122 §3.2.2: no error is sent about an ICMP error, about a packet to a group, or about one
// whose source is no single host; and none is sent to a group.
fn error_v4(packet: &Packet<'_>) -> Option<Finding> {
    let quote = Layout::parse(packet.payload());
    let quoted = Packet::with_layout(packet.payload(), quote, packet.meta, 0);
    if let Some((3 | 4 | 5 | 11 | 12, _)) = quote.icmp() {
        let name = "icmp-error-about-error";
        return Some(found(packet, ICMP_ERROR_ABOUT_ERROR, name, "quoted packet"));
    }
    let group = |a: Option<IpAddr>| matches!(a, Some(IpAddr::V4(a)) if a.is_multicast() || a.is_broadcast());
    let nobody = matches!(quoted.source(), Some(IpAddr::V4(a)) if a.octets()[0] == 0 || a.octets()[0] >= 224);
    if group(quoted.destination()) || nobody || group(packet.destination()) {
        let name = "icmp-error-about-group";
        return Some(found(packet, ICMP_ERROR_ABOUT_GROUP, name, "quoted packet"));
    }
    None
}

// RFC 4443 §2.4 (e): the same for ICMPv6, with redirects counted as errors; a packet that is too
// big and an option that asks for it may be told of even when they went to a group.
fn error_v6(packet: &Packet<'_>, kind: u8, code: u8) -> Option<Finding> {
    let quote = Layout::parse(packet.payload());
    let quoted = Packet::with_layout(packet.payload(), quote, packet.meta, 0);
    if quote.protocol() == proto::ICMPV6 && matches!(quote.icmp(), Some((1..=127 | 137, _))) {
        let name = "icmp-error-about-error";
        return Some(found(packet, ICMP_ERROR_ABOUT_ERROR, name, "quoted packet"));
    }
    let group = |a: Option<IpAddr>| matches!(a, Some(IpAddr::V6(a)) if a.is_multicast());
    let nobody =
        matches!(quoted.source(), Some(IpAddr::V6(a)) if a.is_multicast() || a.is_unspecified());
    let may = kind == 2 || (kind == 4 && code == 2);
    if (group(quoted.destination()) && !may) || nobody || group(packet.destination()) {
        let name = "icmp-error-about-group";
        return Some(found(packet, ICMP_ERROR_ABOUT_GROUP, name, "quoted packet"));
    }
    None
}

fn experiment(packet: &Packet<'_>) -> Finding {
    Finding {
        discard: false,
        ..found(packet, ICMP_EXPERIMENT, "icmp-experiment", "type")
    }
}

fn large_echo(packet: &Packet<'_>) -> Option<Finding> {
    let length = packet.payload().len();
    (length > LARGE_ECHO).then(|| Finding {
        value: u32::try_from(length).ok(),
        discard: false,
        ..found(packet, ICMP_ECHO_LARGE, "icmp-echo-large", "data")
    })
}

fn check_v6(packet: &Packet<'_>, kind: u8, code: u8) -> Option<Finding> {
    let known = match kind {
        1 => code <= 8,
        2 => code == 0,
        3 => code <= 1,
        4 => code <= 10,
        128..=137 | 143 => code == 0,
        138 => matches!(code, 0 | 1 | 255),
        139 | 140 => code <= 2,
        100 | 101 | 127 | 141 | 142 | 144..=161 | 200 | 201 | 255 => true,
        _ => false,
    };
    if !known {
        return Some(found(packet, ICMP_TYPE, "icmp-type", "type and code"));
    }
    let hop_limit = packet.bytes().get(7).copied()?;
    let link_local = matches!(
        packet.source(), Some(IpAddr::V6(s)) if s.is_unicast_link_local()
    );
    match kind {
        1..=4 => error_v6(packet, kind, code),
        100 | 101 | 200 | 201 => Some(experiment(packet)),
        128 | 129 => large_echo(packet),
        130..=132 | 143 if hop_limit != 1 => {
            let f = found(packet, MLD_HOP_LIMIT, "mld-hop-limit", "hop limit");
            Some(Finding {
                offset: Some(7),
                value: Some(hop_limit.into()),
                ..f
            })
        }
        133..=137 => {
            // RFC 6980 §5: not even an atomic fragment may carry it.
            if packet.layout().has(seen::FRAGMENT) {
                let name = "nd-fragmented";
                return Some(found(packet, ND_FRAGMENTED, name, "fragment header"));
            }
            if hop_limit != 255 || (matches!(kind, 134 | 137) && !link_local) {
                let f = found(
                    packet,
                    ND_NOT_LOCAL,
                    "nd-not-local",
                    "hop limit or source address",
                );
                return Some(Finding {
                    offset: Some(7),
                    value: Some(hop_limit.into()),
                    ..f
                });
            }
            nd_message(packet, kind)
        }
        _ => None,
    }
}

/// What stands in a neighbour discovery message.
fn nd_message(packet: &Packet<'_>, kind: u8) -> Option<Finding> {
    // A message that was cut off cannot be walked to its end.
    if packet.meta.cut {
        return None;
    }
    // RFC 4861 §6.1, §7.1 and §8.1: the fixed part must be there …
    let fixed = match kind {
        133 => 0,
        134 => 8,
        137 => 32,
        _ => 16,
    };
    let body = packet.payload();
    let Some(mut rest) = body.get(fixed..) else {
        return Some(Finding {
            value: u32::try_from(body.len() + 8).ok(),
            ..found(packet, ND_LENGTH, "nd-length", "ICMP length")
        });
    };
    if matches!(kind, 135 | 136) && nd_addresses_wrong(packet, kind) {
        return Some(found(packet, ND_ADDRESS, "nd-address", "addresses"));
    }
    // … and options count their length in units of eight bytes and none is zero (§4.6).
    while let [_, units, ..] = rest {
        let length = usize::from(*units) * 8;
        match rest.get(length..).filter(|_| length > 0) {
            Some(next) => rest = next,
            None => {
                let f = found(packet, ND_OPTION, "nd-option", "option length");
                return Some(Finding {
                    value: Some((*units).into()),
                    ..f
                });
            }
        }
    }
    None
}

// RFC 4861 §7.1: targets are hosts; a solicitation from the unspecified address (a host that
// checks whether its own is free) goes to the solicited-node group; an advertisement to a group
// was not solicited.
fn nd_addresses_wrong(packet: &Packet<'_>, kind: u8) -> bool {
    let (Some(IpAddr::V6(source)), Some(IpAddr::V6(destination))) =
        (packet.source(), packet.destination())
    else {
        return false;
    };
    if packet.payload().first() == Some(&0xff) {
        return true;
    }
    if kind == 135 {
        let group = [0xff02, 0, 0, 0, 0, 1];
        let high = (destination.segments()[6] >> 8) == 0xff;
        source.is_unspecified() && !(destination.segments().starts_with(&group) && high)
    } else {
        let solicited = packet.upper().get(4).is_some_and(|flags| flags & 0x40 != 0);
        solicited && destination.is_multicast()
    }
}
