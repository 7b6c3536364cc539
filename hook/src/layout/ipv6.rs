//! The IPv6 header and the walk over extension headers (RFC 8200), which AH makes common to both
//! versions.

use super::anomaly::{Anomaly, Recorder};
use super::options::{Ip6Option, Ip6Options};
use super::{Layout, MAX_EXTENSIONS, Position, be16, ipv4, proto, seen, transport};

#[inline(always)]
pub(super) fn walk<R: Recorder>(packet: &[u8], l: &mut Layout, r: &mut R) {
    let Some(h) = packet.first_chunk::<40>() else {
        return super::unreadable(packet, l, r, Anomaly::IpTruncated, packet.len() as u32);
    };
    l.version = 6;
    let received = packet.len().min(u32::MAX as usize);
    let payload = usize::from(be16(h[4], h[5]));
    let end = if payload == 0 && h[6] != proto::NO_NEXT {
        // Zero announces a jumbogram (RFC 2675); without its option the length is the buffer's,
        // which the hop-by-hop walk checks. Offload engines write zero as well.
        if h[6] != proto::HOP_BY_HOP {
            r.note(Anomaly::Ip6Jumbo, 4, 0);
        }
        received
    } else if 40 + payload > received {
        r.note(Anomaly::IpLengthBeyondBuffer, 4, payload as u32);
        received
    } else {
        40 + payload
    };
    let mut p = Position {
        at: 40,
        end,
        proto: h[6],
        seen: 0,
    };
    if matches!(p.proto, proto::HOP_BY_HOP | proto::DESTINATION) && payload != 0 {
        plain_options(packet, &mut p);
    }
    upper(packet, p, l, r);
}

/// Passes the option headers that carry what they carry nearly always: eight bytes of padding, or
/// the router alert of MLD with its padding. The general walk goes on from there.
#[inline(always)]
fn plain_options(packet: &[u8], p: &mut Position) {
    while let Some(h) = packet.get(p.at..p.end).and_then(|b| b.first_chunk::<8>()) {
        let bit = match p.proto {
            proto::HOP_BY_HOP if p.at == 40 => seen::HOP_BY_HOP,
            proto::DESTINATION if p.seen & seen::DESTINATION == 0 => seen::DESTINATION,
            _ => return,
        };
        let word = u64::from_be_bytes(*h) & 0x00ff_ffff_ffff_ffff;
        let padding = word == 0x0000_0104_0000_0000;
        let router_alert = word & 0x00ff_ffff_0000_ffff == 0x0000_0502_0000_0100;
        if !(padding || router_alert) {
            return;
        }
        p.seen |= bit;
        p.proto = h[0];
        p.at += 8;
    }
}

/// From the end of the IP header to the payload.
#[inline(always)]
pub(super) fn upper<R: Recorder>(packet: &[u8], p: Position, l: &mut Layout, r: &mut R) {
    if l.fragment & !7 == 0 {
        match p.proto {
            proto::TCP => return transport::tcp(packet, p, l, r),
            proto::UDP => return transport::udp(packet, p, l, r),
            _ => {}
        }
    }
    extensions(packet, p, l, r);
}

#[inline(never)]
fn extensions<R: Recorder>(packet: &[u8], mut p: Position, l: &mut Layout, r: &mut R) {
    let bytes = packet.get(..p.end).unwrap_or(packet);
    let v6 = l.version == 6;
    let mut destinations = u8::from(p.seen & seen::DESTINATION != 0);
    let mut step = if v6 { (p.at - 40) / 8 } else { 0 };
    loop {
        let known = match p.proto {
            proto::HOP_BY_HOP
            | proto::DESTINATION
            | proto::ROUTING
            | proto::FRAGMENT
            | proto::MOBILITY
            | proto::HIP
            | proto::SHIM6 => v6,
            proto::AH => true,
            _ => false,
        };
        if !known || l.fragment & !7 != 0 {
            break;
        }
        if step == MAX_EXTENSIONS {
            r.note(Anomaly::Ip6ExtensionTooMany, p.at, u32::from(p.proto));
            return stop(p, l);
        }
        let rest = bytes.get(p.at..).unwrap_or_default();
        let Some(header) = rest.first_chunk::<8>() else {
            note_truncated(l, p, rest.len(), r);
            return stop(p, l);
        };
        let length = match p.proto {
            proto::FRAGMENT => 8,
            proto::AH => (usize::from(header[1]) + 2) * 4,
            _ => (usize::from(header[1]) + 1) * 8,
        };
        // RFC 4302 section 2.2: AH is at least its fixed 12 bytes.
        let Some(body) = rest
            .get(2..length)
            .filter(|_| p.proto != proto::AH || length >= 12)
        else {
            note_truncated(l, p, length, r);
            return stop(p, l);
        };
        let bit = match p.proto {
            proto::HOP_BY_HOP => {
                if step != 0 {
                    r.note(Anomaly::Ip6HopByHopNotFirst, p.at, u32::from(p.proto));
                }
                options(body, p.at + 2, Some(packet), r);
                seen::HOP_BY_HOP
            }
            proto::DESTINATION => {
                destinations += 1;
                options(body, p.at + 2, None, r);
                // RFC 8200 §4.1: twice at most, before a routing header and at the end; a receiver
                // has to cope with any number.
                if destinations == 3 {
                    r.note(Anomaly::Ip6DestinationOptions, p.at, u32::from(p.proto));
                }
                p.seen &= !seen::DESTINATION;
                seen::DESTINATION
            }
            proto::ROUTING => {
                if header[2] == 0 {
                    r.note(Anomaly::Ip6RoutingType0, p.at + 2, 0);
                }
                seen::ROUTING
            }
            proto::FRAGMENT => {
                // A second one does not make a fragment whole again.
                if p.seen & seen::FRAGMENT == 0 {
                    fragment(l, header, p.at, bytes.len(), r);
                }
                seen::FRAGMENT
            }
            proto::AH => {
                l.ah = u16::try_from(p.at).unwrap_or(u16::MAX);
                // RFC 4302 §2.3: a receiver ignores them.
                let reserved = be16(header[2], header[3]);
                if reserved != 0 {
                    r.note(Anomaly::AhReserved, p.at + 2, reserved.into());
                }
                seen::AH
            }
            proto::MOBILITY => seen::MOBILITY,
            proto::HIP => seen::HIP,
            _ => seen::SHIM6,
        };
        if p.seen & bit != 0 && (bit != seen::FRAGMENT || v6) {
            r.note(Anomaly::Ip6ExtensionDuplicate, p.at, u32::from(p.proto));
            // Where the last one stands tells whoever reassembles that there are two.
            if bit == seen::FRAGMENT {
                l.fragment_header = u16::try_from(p.at).unwrap_or(u16::MAX);
            }
        }
        p.seen |= bit;
        // RFC 2675 §3: a jumbogram has no fragment header.
        if bit == seen::FRAGMENT && packet.get(4..6) == Some(&[0, 0]) {
            r.note(Anomaly::Ip6Jumbo, p.at, u32::from(p.proto));
        }
        // Mobility and HIP headers say 59 and end the packet; others go on.
        if matches!(p.proto, proto::MOBILITY | proto::HIP) && header[0] == proto::NO_NEXT {
            p.seen |= seen::UPPER;
            stop(p, l);
            l.payload = (p.at + length) as u32;
            return;
        }
        p.proto = header[0];
        p.at += length;
        step += 1;
    }
    if l.fragment & !7 != 0 {
        return stop(p, l);
    }
    match p.proto {
        proto::TCP => transport::tcp(packet, p, l, r),
        proto::UDP => transport::udp(packet, p, l, r),
        _ => transport::upper(packet, p, l, r),
    }
}

/// Ends the walk where it stands.
fn stop(p: Position, l: &mut Layout) {
    l.proto = p.proto;
    l.seen = p.seen;
    l.end = p.end as u32;
    l.upper = p.at.min(p.end) as u32;
    l.payload = l.upper;
}

#[cold]
fn note_truncated<R: Recorder>(l: &Layout, p: Position, length: usize, r: &mut R) {
    let at = p.at;
    let anomaly = if p.proto == proto::AH {
        Anomaly::IpsecTruncated
    } else {
        Anomaly::Ip6ExtensionLength
    };
    // The first fragment must hold the whole header chain (RFC 7112).
    if l.fragment != 0 {
        r.note(Anomaly::FragmentTiny, at, length as u32);
    }
    r.note(anomaly, at, length as u32);
}

fn fragment<R: Recorder>(l: &mut Layout, h: &[u8; 8], at: usize, end: usize, r: &mut R) {
    let word = be16(h[2], h[3]);
    l.fragment_header = u16::try_from(at).unwrap_or(u16::MAX);
    if h[1] != 0 || word & 0x6 != 0 {
        let value = u32::from(h[1]) << 8 | u32::from(word & 0x6);
        r.note(Anomaly::FragmentReserved, at + 1, value);
    }
    l.fragment = word & !0x6;
    if l.fragment == 0 {
        r.note(Anomaly::FragmentAtomic, at, 0);
        return;
    }
    // The payload length of the whole may reach 65,535 with everything between the fixed header
    // and the fragment header counted in (RFC 8200 section 4.5).
    if l.fragment & !7 == 8 && h[0] == proto::TCP {
        r.note(Anomaly::FragmentTiny, at + 2, 8);
    }
    let before = at.saturating_sub(40);
    let data = end.saturating_sub(at + 8);
    ipv4::check_fragment(word & !7, word & 1 != 0, data, before, 4, at + 2, r);
}

/// Options of a hop-by-hop or destination header. `jumbo` is the packet where the jumbo payload
/// option may stand.
fn options<R: Recorder>(body: &[u8], base: usize, jumbo: Option<&[u8]>, r: &mut R) {
    let mut jumbo_seen = false;
    for option in Ip6Options::new(body) {
        let Ip6Option { kind, offset, data } = match option {
            Ok(o) => o,
            Err(at) => {
                let length = body.get(at + 1).copied().unwrap_or_default();
                r.note(Anomaly::Ip6OptionLength, base + at + 1, length.into());
                return;
            }
        };
        let at = base + offset;
        let length = data.len();
        let fits = match kind {
            // PadN
            1 => {
                if data.iter().any(|b| *b != 0) {
                    r.note(Anomaly::Ip6OptionPadding, at + 2, length as u32);
                }
                true
            }
            0x04 => length == 1,  // tunnel limit, RFC 2473
            0x05 => length == 2,  // router alert, RFC 2711
            0x26 => length == 6,  // quick-start, RFC 4782
            0xc9 => length == 16, // home address, RFC 6275
            0xc2 if jumbo.is_some() => {
                jumbo_seen = true;
                let value = data
                    .first_chunk::<4>()
                    .map_or(0, |b| u32::from_be_bytes(*b));
                let header = jumbo.and_then(|p| p.get(4..6)).unwrap_or_default();
                if header != [0, 0] || value < 65_536 {
                    r.note(Anomaly::Ip6Jumbo, at + 2, value);
                }
                length == 4
            }
            // The others of the registry whose length is not fixed.
            0x07 | 0x08 | 0x11 | 0x12 | 0x1e | 0x30 | 0x31 | 0x32 | 0x3e | 0x63 | 0x6d | 0x8a
            | 0x8b | 0x8c | 0xee => true,
            // RFC 8200 section 4.2: the two highest bits say what to do with an unknown option;
            // 00 is to skip it.
            _ => {
                if kind & 0xc0 != 0 {
                    r.note(Anomaly::Ip6OptionUnknown, at, u32::from(kind));
                } else {
                    r.note(Anomaly::IpOptionUnassigned, at, u32::from(kind));
                }
                true
            }
        };
        if !fits {
            r.note(Anomaly::Ip6OptionLength, at + 1, length as u32);
        }
    }
    if let Some(packet) = jumbo
        && !jumbo_seen
        && packet.get(4..6) == Some(&[0, 0])
    {
        r.note(Anomaly::Ip6Jumbo, 4, 0);
    }
}
