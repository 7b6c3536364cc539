//! The IPv6 header and the walk over extension headers (RFC 8200), which AH makes common to both
//! versions.

use super::anomaly::{Anomaly, Recorder};
use super::options::{Ip6Option, Ip6Options};
use super::{Layout, MAX_EXTENSIONS, be16, ipv4, proto, seen, transport};

#[inline(always)]
pub(super) fn walk<R: Recorder>(packet: &[u8], r: &mut R) -> Layout {
    let Some(h) = packet.first_chunk::<40>() else {
        return super::unreadable(packet, r, Anomaly::IpTruncated, packet.len() as u32);
    };
    let mut l = Layout {
        version: 6,
        proto: h[6],
        ..Layout::EMPTY
    };
    let received = packet.len().min(u32::MAX as usize);
    let payload = usize::from(be16(h[4], h[5]));
    l.end = if payload == 0 && h[6] != proto::NO_NEXT {
        // Zero announces a jumbogram (RFC 2675); without its option the length is the buffer's,
        // which the hop-by-hop walk checks. Offload engines write zero as well.
        received as u32
    } else if 40 + payload > received {
        r.note(Anomaly::IpLengthBeyondBuffer, 4, payload as u32);
        received as u32
    } else {
        40 + payload as u32
    };
    upper(packet, 40, l, r)
}

/// From the end of the IP header to the payload.
#[inline(always)]
pub(super) fn upper<R: Recorder>(packet: &[u8], at: usize, l: Layout, r: &mut R) -> Layout {
    if l.fragment & !7 == 0 {
        match l.proto {
            proto::TCP => return transport::tcp(packet, at, l, r),
            proto::UDP => return transport::udp(packet, at, l, r),
            _ => {}
        }
    }
    extensions(packet, at, l, r)
}

#[inline(never)]
fn extensions<R: Recorder>(packet: &[u8], mut at: usize, mut l: Layout, r: &mut R) -> Layout {
    let bytes = packet.get(..l.end as usize).unwrap_or(packet);
    let mut destinations = 0_u8;
    for step in 0..=MAX_EXTENSIONS {
        l.upper = at as u32;
        l.payload = at as u32;
        if l.fragment & !7 != 0 {
            return l;
        }
        let known = match l.proto {
            proto::HOP_BY_HOP
            | proto::DESTINATION
            | proto::ROUTING
            | proto::FRAGMENT
            | proto::MOBILITY
            | proto::HIP
            | proto::SHIM6
                if l.version == 6 =>
            {
                true
            }
            proto::AH => true,
            _ => false,
        };
        if !known {
            return transport::upper(packet, at, l, r);
        }
        if step == MAX_EXTENSIONS {
            r.note(Anomaly::Ip6ExtensionTooMany, at, u32::from(l.proto));
            return l;
        }
        let Some(header) = bytes.get(at..).and_then(|b| b.first_chunk::<8>()) else {
            note_truncated(l, at, bytes.len().saturating_sub(at), r);
            return l;
        };
        let length = match l.proto {
            proto::FRAGMENT => 8,
            proto::AH => (usize::from(header[1]) + 2) * 4,
            _ => (usize::from(header[1]) + 1) * 8,
        };
        // RFC 4302 section 2.2: AH is at least its fixed 12 bytes.
        if length > bytes.len() - at || (l.proto == proto::AH && length < 12) {
            note_truncated(l, at, length, r);
            return l;
        }
        let body = bytes.get(at + 2..at + length).unwrap_or_default();
        let bit = match l.proto {
            proto::HOP_BY_HOP => {
                if step != 0 {
                    r.note(Anomaly::Ip6HopByHopNotFirst, at, u32::from(l.proto));
                }
                options(body, at + 2, Some((packet, l.end)), r);
                seen::HOP_BY_HOP
            }
            proto::DESTINATION => {
                destinations += 1;
                options(body, at + 2, None, r);
                // RFC 8200 section 4.1: twice at most, before a routing header and at the end.
                if destinations == 3 {
                    r.note(Anomaly::Ip6ExtensionDuplicate, at, u32::from(l.proto));
                }
                l.seen &= !seen::DESTINATION;
                seen::DESTINATION
            }
            proto::ROUTING => {
                if header[2] == 0 {
                    r.note(Anomaly::Ip6RoutingType0, at + 2, 0);
                }
                seen::ROUTING
            }
            proto::FRAGMENT => {
                fragment(&mut l, header, at, bytes.len(), r);
                seen::FRAGMENT
            }
            proto::AH => {
                l.ah = u16::try_from(at).unwrap_or(u16::MAX);
                seen::AH
            }
            proto::MOBILITY => seen::MOBILITY,
            proto::HIP => seen::HIP,
            _ => seen::SHIM6,
        };
        if l.seen & bit != 0 && (bit != seen::FRAGMENT || l.version == 6) {
            r.note(Anomaly::Ip6ExtensionDuplicate, at, u32::from(l.proto));
        }
        l.seen |= bit;
        // Mobility and HIP headers say 59 and end the packet; others go on.
        let ended = matches!(l.proto, proto::MOBILITY | proto::HIP) && header[0] == proto::NO_NEXT;
        if ended {
            l.seen |= seen::UPPER;
            l.payload = (at + length) as u32;
            return l;
        }
        l.proto = header[0];
        at += length;
    }
    l
}

#[cold]
fn note_truncated<R: Recorder>(l: Layout, at: usize, length: usize, r: &mut R) {
    let anomaly = if l.proto == proto::AH {
        Anomaly::IpsecTruncated
    } else {
        Anomaly::Ip6ExtensionLength
    };
    // The first fragment must hold the whole header chain (RFC 7112).
    if l.fragment != 0 {
        r.note(Anomaly::FragmentTiny, at, length as u32);
    }
    r.note(anomaly, at + 1, length as u32);
}

fn fragment<R: Recorder>(l: &mut Layout, h: &[u8; 8], at: usize, end: usize, r: &mut R) {
    let word = be16(h[2], h[3]);
    l.fragment_header = u16::try_from(at).unwrap_or(u16::MAX);
    if h[1] != 0 || word & 0x6 != 0 {
        r.note(Anomaly::FragmentReserved, at + 1, u32::from(word & 0x6));
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

/// Options of a hop-by-hop or destination header. `jumbo` is the packet and its end where the
/// jumbo payload option may stand.
fn options<R: Recorder>(body: &[u8], base: usize, jumbo: Option<(&[u8], u32)>, r: &mut R) {
    let mut jumbo_seen = false;
    for option in Ip6Options::new(body) {
        let Ip6Option { kind, offset, data } = match option {
            Ok(o) => o,
            Err(at) => {
                r.note(Anomaly::Ip6OptionLength, base + at, 0);
                return;
            }
        };
        let at = base + offset;
        let fixed = match kind {
            0x05 => Some(2),        // router alert, RFC 2711
            0xc2 => Some(4),        // jumbo payload, RFC 2675
            0xc9 => Some(16),       // home address, RFC 6275
            0x04 | 0x26 => Some(1), // tunnel limit, quick-start carries more
            _ => None,
        };
        match kind {
            1 if data.iter().any(|b| *b != 0) => {
                r.note(Anomaly::Ip6OptionPadding, at + 2, data.len() as u32);
            }
            1 => {}
            0xc2 if jumbo.is_some() => {
                jumbo_seen = true;
                let value = data
                    .first_chunk::<4>()
                    .map_or(0, |b| u32::from_be_bytes(*b));
                let header = jumbo.and_then(|(p, _)| p.get(4..6)).unwrap_or_default();
                if header != [0, 0] || value < 65_536 {
                    r.note(Anomaly::Ip6Jumbo, at + 2, value);
                }
            }
            0x04 | 0x05 | 0x07 | 0x08 | 0x1e | 0x26 | 0x30 | 0x31 | 0x32 | 0x3e | 0x63 | 0x6d
            | 0x8a | 0x8b | 0x8c | 0xc9 | 0xee => {}
            // RFC 8200 section 4.2: the two highest bits say what to do with an unknown option;
            // 00 is to skip it.
            _ if kind & 0xc0 != 0 => r.note(Anomaly::Ip6OptionUnknown, at, u32::from(kind)),
            _ => {}
        }
        let wrong = match (kind, fixed) {
            (0x26, Some(_)) => data.len() != 6,
            (_, Some(n)) => data.len() != n,
            _ => false,
        };
        if wrong {
            r.note(Anomaly::Ip6OptionLength, at + 1, data.len() as u32);
        }
    }
    if let Some((packet, _)) = jumbo
        && !jumbo_seen
        && packet.get(4..6) == Some(&[0, 0])
    {
        r.note(Anomaly::Ip6Jumbo, 4, 0);
    }
}
