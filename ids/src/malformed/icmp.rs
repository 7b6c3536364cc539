//! ICMP messages that cannot be right (RFC 792, RFC 1122 section 3.2.2, RFC 4443, RFC 4861).

use core::net::IpAddr;

use hostward_hook::layout::{Layout, proto, seen};
use hostward_hook::packet::Packet;
use hostward_hook::reason::Code;

use super::{
    Finding, ICMP_ECHO_BROADCAST, ICMP_ECHO_LARGE, ICMP_ERROR_ABOUT_ERROR, ICMP_ERROR_ABOUT_GROUP,
    ICMP_TYPE, MLD_HOP_LIMIT, ND_NOT_LOCAL, ND_OPTION,
};

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

pub(super) fn check(packet: &Packet<'_>) -> Option<Finding> {
    let (kind, code) = packet.layout().icmp()?;
    let v6 = packet.layout().protocol() == proto::ICMPV6;
    if v6 {
        check_v6(packet, kind, code)
    } else {
        check_v4(packet, kind, code)
    }
    .map(|mut f| {
        f.value
            .get_or_insert(u32::from(kind) << 8 | u32::from(code));
        f
    })
}

fn check_v4(packet: &Packet<'_>, kind: u8, code: u8) -> Option<Finding> {
    // IANA's registry; deprecated types are assigned all the same.
    let known = match kind {
        0 | 4 | 8 | 10 | 13..=18 => code == 0,
        3 => code <= 15,
        5 | 43 => code <= 4,
        9 => matches!(code, 0 | 16),
        11 => code <= 1,
        12 => code <= 2,
        40 => code <= 5,
        6 | 30..=39 | 41 | 42 | 253 | 254 => true,
        _ => false,
    };
    if !known {
        return Some(found(packet, ICMP_TYPE, "icmp-type", "type and code"));
    }
    if matches!(kind, 3 | 4 | 5 | 11 | 12) {
        let quote = Layout::parse(packet.payload());
        let quoted = Packet::with_layout(packet.payload(), quote, packet.meta, 0);
        if let Some((inner, _)) = quote.icmp()
            && matches!(inner, 3 | 4 | 5 | 11 | 12)
        {
            let name = "icmp-error-about-error";
            return Some(found(packet, ICMP_ERROR_ABOUT_ERROR, name, "quoted packet"));
        }
        let group = |a: Option<IpAddr>| matches!(a, Some(IpAddr::V4(a)) if a.is_multicast() || a.is_broadcast());
        if group(quoted.destination()) || group(packet.destination()) {
            let name = "icmp-error-about-group";
            return Some(found(packet, ICMP_ERROR_ABOUT_GROUP, name, "quoted packet"));
        }
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
        1..=4 => {
            let quote = Layout::parse(packet.payload());
            let inner_error =
                matches!(quote.icmp(), Some((1..=127, _))) && quote.protocol() == proto::ICMPV6;
            inner_error.then(|| {
                let name = "icmp-error-about-error";
                found(packet, ICMP_ERROR_ABOUT_ERROR, name, "quoted packet")
            })
        }
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
            nd_options(packet, kind)
        }
        _ => None,
    }
}

/// RFC 4861 section 4.6: options count their length in units of eight bytes and none is zero.
fn nd_options(packet: &Packet<'_>, kind: u8) -> Option<Finding> {
    // A message in fragments or cut off cannot be walked to its end.
    if packet.layout().has(seen::FRAGMENT) || packet.meta.cut {
        return None;
    }
    let fixed = match kind {
        133 => 0,
        134 => 8,
        137 => 32,
        _ => 16,
    };
    let mut rest = packet.payload().get(fixed..)?;
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
