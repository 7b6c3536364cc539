//! The IPv4 header (RFC 791).

use super::anomaly::{Anomaly, Recorder};
use super::options::{IpOption, IpOptions};
use super::{Layout, Position, be16, ipv6, proto, seen};

#[inline(always)]
pub(super) fn walk<R: Recorder>(packet: &[u8], l: &mut Layout, r: &mut R) {
    let Some(h) = packet.first_chunk::<20>() else {
        return super::unreadable(packet, l, r, Anomaly::IpTruncated, packet.len() as u32);
    };
    l.version = 4;
    let received = packet.len().min(u32::MAX as usize);
    let total = usize::from(be16(h[2], h[3]));
    let protocol = h[9];
    let flags = be16(h[6], h[7]);
    // No options, not fragmented (bit 14 is DF and usual), lengths that fit: nearly all packets.
    if h[0] == 0x45 && flags & !0x4000 == 0 && (20..=received).contains(&total) {
        return ipv6::upper(
            packet,
            Position {
                at: 20,
                end: total,
                proto: protocol,
                seen: 0,
            },
            l,
            r,
        );
    }
    careful(packet, h, l, r);
}

/// Packets with options, fragments, or lengths that do not fit.
#[inline(never)]
fn careful<R: Recorder>(packet: &[u8], h: &[u8; 20], l: &mut Layout, r: &mut R) {
    let received = packet.len().min(u32::MAX as usize);
    let total = usize::from(be16(h[2], h[3]));
    let mut header = usize::from(h[0] & 0x0f) * 4;
    let mut broken = false;
    if header != 20 {
        if header < 20 || header > received {
            r.note(Anomaly::Ip4HeaderLength, 0, u32::from(h[0] & 0x0f));
            header = 20;
            broken = true;
        } else {
            l.seen |= seen::IP_OPTIONS;
            options(packet.get(20..header).unwrap_or_default(), r);
        }
    }
    let end = if total < header {
        r.note(Anomaly::Ip4TotalLength, 2, total as u32);
        // Zero stands in packets of captures on hosts whose network card cuts segments. With
        // anything else the header ends behind the packet, and what follows is no payload.
        broken |= total != 0;
        received
    } else if total > received {
        r.note(Anomaly::IpLengthBeyondBuffer, 2, total as u32);
        received
    } else {
        total
    };
    l.proto = h[9];
    let flags = be16(h[6], h[7]);
    if flags & !0x4000 != 0 {
        fragment(l, flags, total.saturating_sub(header), header, r);
    }
    if broken {
        // Where the payload begins is unknown: reading ports at a guess would let a packet lie.
        l.end = end as u32;
        l.upper = header.min(end) as u32;
        l.payload = l.upper;
        return;
    }
    ipv6::upper(
        packet,
        Position {
            at: header,
            end,
            proto: h[9],
            seen: l.seen,
        },
        l,
        r,
    );
}

/// Flags and offset of a packet that has more set than DF.
fn fragment<R: Recorder>(l: &mut Layout, flags: u16, data: usize, header: usize, r: &mut R) {
    if flags & 0x8000 != 0 {
        r.note(Anomaly::Ip4ReservedFlag, 6, u32::from(flags >> 13));
    }
    let more = flags & 0x2000 != 0;
    let offset = (flags & 0x1fff) << 3;
    if !more && offset == 0 {
        return;
    }
    l.seen |= seen::FRAGMENT;
    l.fragment = offset | u16::from(more);
    if flags & 0x4000 != 0 {
        r.note(Anomaly::Ip4DontFragment, 6, u32::from(flags >> 13));
    }
    // RFC 3128: a fragment at offset 8 can only overwrite the flags of a TCP header.
    if offset == 8 && l.proto == proto::TCP {
        r.note(Anomaly::FragmentTiny, 6, u32::from(offset));
    }
    check_fragment(offset, more, data, header, 2, 6, r);
}

/// What is common to fragments of both versions. `header` counts towards the largest datagram.
pub(super) fn check_fragment<R: Recorder>(
    offset: u16,
    more: bool,
    data: usize,
    header: usize,
    length_at: usize,
    offset_at: usize,
    r: &mut R,
) {
    if (more && !data.is_multiple_of(8)) || data == 0 {
        r.note(Anomaly::FragmentLength, length_at, data as u32);
    }
    if usize::from(offset) + data + header > 65_535 {
        r.note(Anomaly::FragmentBeyondEnd, offset_at, u32::from(offset));
    }
}

// RFC 791 §3.1 and RFC 7126: lengths, pointers, repetition.
fn options<R: Recorder>(bytes: &[u8], r: &mut R) {
    let mut once = 0_u16;
    let mut routes = 0_u8;
    for option in IpOptions::new(bytes) {
        let IpOption { kind, offset, data } = match option {
            Ok(o) => o,
            Err(at) => {
                let length = bytes.get(at + 1).copied().unwrap_or_default();
                r.note(Anomaly::Ip4OptionLength, 21 + at, length.into());
                return;
            }
        };
        let at = 20 + offset;
        let length = data.len() + 2;
        let fits = match kind {
            7 | 131 | 137 => length >= 3 && (length - 3).is_multiple_of(4),
            68 => length >= 4,
            // Basic and extended security, RFC 1108.
            130 | 133 => length >= 3,
            // Commercial security: domain of interpretation, then tags that count their length.
            134 => labels(data),
            136 | 148 => length == 4, // stream id, router alert
            25 => length == 8,        // quick-start, RFC 4782
            _ => true,
        };
        if !fits {
            r.note(Anomaly::Ip4OptionLength, at + 1, length as u32);
        } else if let Some(p) = data.first().map(|p| usize::from(*p)) {
            let bad = match kind {
                // RFC 791 §3.1: a route's pointer counts from 4 in steps of 4 and is one past the
                // end when the route is used up.
                7 | 131 | 137 => p < 4 || !p.is_multiple_of(4) || p > length + 1,
                // A timestamp's counts from 5, in steps of 8 if addresses stand between.
                68 => {
                    let flag = data.get(1).map_or(0, |b| b & 0x0f);
                    let step = if matches!(flag, 1 | 3) { 8 } else { 4 };
                    p < 5 || !(p - 5).is_multiple_of(step) || p > length + 1
                }
                _ => false,
            };
            if bad {
                r.note(Anomaly::Ip4OptionPointer, at + 2, p as u32);
            }
        }
        if !assigned(kind) {
            r.note(Anomaly::IpOptionUnassigned, at, u32::from(kind));
        }
        let bit = match kind {
            7 => 1_u16,
            25 => 512,
            68 => 2,
            130 => 4,
            131 => 8,
            133 => 16,
            134 => 32,
            136 => 64,
            137 => 128,
            148 => 256,
            _ => 0,
        };
        if once & bit != 0 {
            r.note(Anomaly::Ip4OptionDuplicate, at, u32::from(kind));
        }
        once |= bit;
        routes |= u8::from(kind == 131) | u8::from(kind == 137) << 1;
        if routes == 3 {
            r.note(Anomaly::Ip4SourceRoutes, at, u32::from(kind));
        }
    }
    if let Some(at) = IpOptions::padding(bytes) {
        let value = bytes.get(at).copied().unwrap_or_default();
        r.note(Anomaly::Ip4OptionPadding, 20 + at, value.into());
    }
}

/// Whether the data of a commercial security option (FIPS 188) is a domain and whole tags.
fn labels(data: &[u8]) -> bool {
    let Some((domain, mut tags)) = data.split_first_chunk::<4>() else {
        return false;
    };
    while let [_, length, ..] = tags {
        match tags.get(usize::from(*length)..).filter(|_| *length >= 2) {
            Some(rest) => tags = rest,
            None => return false,
        }
    }
    *domain != [0; 4] && tags.is_empty()
}

/// Whether IANA has assigned the option type.
const fn assigned(kind: u8) -> bool {
    matches!(
        kind,
        7 | 10
            | 11
            | 12
            | 15
            | 25
            | 30
            | 68
            | 82
            | 94
            | 130
            | 131
            | 133
            | 134
            | 136
            | 137
            | 142
            | 144
            | 145
            | 147
            | 148
            | 149
            | 151
            | 152
            | 158
            | 205
            | 222
    )
}
