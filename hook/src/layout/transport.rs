//! Transport and ICMP headers.

use super::anomaly::{Anomaly, Recorder};
use super::options::TcpOptions;
use super::{Layout, Position, be16, proto, seen, tcp_flags as f};

/// TCP (RFC 9293 section 3.1).
#[inline(always)]
pub(super) fn tcp<R: Recorder>(packet: &[u8], p: Position, l: &mut Layout, r: &mut R) {
    let at = p.at;
    l.upper = at.min(p.end) as u32;
    l.end = p.end as u32;
    l.proto = proto::TCP;
    let segment = packet.get(at..p.end).unwrap_or_default();
    let Some(h) = segment.first_chunk::<20>() else {
        return truncated(segment, p, l, Anomaly::TcpTruncated, r);
    };
    let (src, dst) = (be16(h[0], h[1]), be16(h[2], h[3]));
    l.src_port = src;
    l.dst_port = dst;
    l.tcp_flags = h[13];
    let header = usize::from(h[12] >> 4) * 4;
    let mut seen = p.seen | seen::PORTS | seen::UPPER;
    if header == 20 {
        l.payload = (at + 20) as u32;
    } else if let Some(options) = segment.get(20..header) {
        l.payload = (at + header) as u32;
        seen |= seen::TCP_OPTIONS;
        // The timestamp option alone, aligned as RFC 7323 appendix A recommends, is what nearly
        // every established segment carries: nothing to check.
        if !(options.len() == 12 && options.first_chunk() == Some(&[1_u8, 1, 8, 10])) {
            tcp_options(options, at + 20, r);
        }
    } else {
        r.note(Anomaly::TcpDataOffset, at + 12, u32::from(h[12] >> 4));
        if l.fragment != 0 {
            r.note(Anomaly::FragmentTiny, at, segment.len() as u32);
        }
        l.payload = (at + 20) as u32;
    }
    l.seen = seen;
    // One test for all that is unusual; what it was is found out off the fast path.
    let odd = UNUSUAL >> (h[13] & 0x3f) & 1 != 0
        || h[13] & f::ACK == 0
        || u32::from_be_bytes([h[12] & 0x0e, 0, h[18], h[19]]) != 0
        || src == 0
        || dst == 0;
    if odd {
        tcp_unusual(h, at, segment.len(), r);
    }
}

/// The flag combinations that no TCP sends (the six classic flags; ECE and CWR do not matter).
/// One bit for each combination.
const UNUSUAL: u64 = {
    let mut t = 0_u64;
    let mut flags = 0_u8;
    while flags < 64 {
        let syn = flags & f::SYN != 0;
        let fin = flags & f::FIN != 0;
        let rst = flags & f::RST != 0;
        let ack = flags & f::ACK != 0;
        let urg = flags & f::URG != 0;
        // RFC 9293 section 3.10.7: every segment but SYN and RST carries ACK.
        if syn && (fin || rst || urg) || fin && rst || !ack && !syn && !rst {
            t |= 1 << flags;
        }
        flags += 1;
    }
    t
};

#[cold]
fn tcp_unusual<R: Recorder>(h: &[u8; 20], at: usize, length: usize, r: &mut R) {
    let flags = h[13];
    if UNUSUAL >> (flags & 0x3f) & 1 != 0 {
        r.note(Anomaly::TcpFlags, at + 13, u32::from(flags));
    }
    if h[12] & 0x0e != 0 {
        r.note(Anomaly::TcpReserved, at + 12, u32::from(h[12] & 0x0f));
    }
    let urgent = be16(h[18], h[19]);
    let data = length.saturating_sub(usize::from(h[12] >> 4) * 4);
    if urgent != 0 && (flags & f::URG == 0 || usize::from(urgent) > data) {
        r.note(Anomaly::TcpUrgentPointer, at + 18, u32::from(urgent));
    }
    if flags & (f::ACK | f::RST) == 0 && h[8..12] != [0; 4] {
        let number = u32::from_be_bytes([h[8], h[9], h[10], h[11]]);
        r.note(Anomaly::TcpAckNumber, at + 8, number);
    }
    port_zero([h[0], h[1], h[2], h[3]], at, r);
}

#[cold]
fn tcp_options<R: Recorder>(options: &[u8], base: usize, r: &mut R) {
    let mut once = 0_u32;
    for option in TcpOptions::new(options) {
        let o = match option {
            Ok(o) => o,
            Err(at) => {
                let length = options.get(at + 1).copied().unwrap_or_default();
                r.note(Anomaly::TcpOptionLength, base + at + 1, length.into());
                return;
            }
        };
        let n = o.data.len();
        let (ok, single) = match o.kind {
            2 => (n == 2, true), // MSS
            3 => (n == 1, true), // window scale
            4 => (n == 0, true), // SACK permitted
            // Some stacks send a SACK that reports nothing.
            5 => (n.is_multiple_of(8) && n <= 32, true), // SACK
            8 => (n == 8, true),                         // timestamps
            19 => (n == 16, true),                       // MD5
            28 => (n == 2, true),                        // user time-out
            29 => (n >= 2, true),                        // authentication
            34 => (n == 0 || n.is_multiple_of(2) && (4..=16).contains(&n), true), // fast open
            _ => (true, false),
        };
        if !ok {
            r.note(Anomaly::TcpOptionLength, base + o.offset + 1, n as u32 + 2);
        }
        if o.kind == 3 && o.data.first().is_some_and(|s| *s > 14) {
            let scale = o.data.first().copied().unwrap_or_default();
            r.note(
                Anomaly::TcpWindowScale,
                base + o.offset + 2,
                u32::from(scale),
            );
        }
        let bit = if single && o.kind < 32 {
            1 << o.kind
        } else if single {
            1
        } else {
            0
        };
        if once & bit != 0 {
            r.note(
                Anomaly::TcpOptionDuplicate,
                base + o.offset,
                u32::from(o.kind),
            );
        }
        once |= bit;
    }
}

/// UDP (RFC 768).
#[inline(always)]
pub(super) fn udp<R: Recorder>(packet: &[u8], p: Position, l: &mut Layout, r: &mut R) {
    let at = p.at;
    l.upper = at.min(p.end) as u32;
    l.end = p.end as u32;
    l.proto = proto::UDP;
    let datagram = packet.get(at..p.end).unwrap_or_default();
    let Some(h) = datagram.first_chunk::<8>() else {
        return truncated(datagram, p, l, Anomaly::UdpTruncated, r);
    };
    let (src, dst) = (be16(h[0], h[1]), be16(h[2], h[3]));
    l.src_port = src;
    l.dst_port = dst;
    l.payload = (at + 8) as u32;
    l.seen = p.seen | seen::PORTS | seen::UPPER;
    let length = usize::from(be16(h[4], h[5]));
    if length != datagram.len() || src == 0 || dst == 0 || be16(h[6], h[7]) == 0 {
        udp_unusual(h, at, length, datagram.len(), l, r);
    }
}

#[cold]
fn udp_unusual<R: Recorder>(
    h: &[u8; 8],
    at: usize,
    length: usize,
    received: usize,
    l: &Layout,
    r: &mut R,
) {
    // The first fragment's UDP length is the whole datagram's. Length 0 over IPv6 is a jumbogram
    // (RFC 2675 §4).
    let cut = l.fragment != 0;
    let jumbo = length == 0 && l.version == 6 && received > 65_535;
    if (length < 8 && !jumbo) || (length > received && !cut) {
        r.note(Anomaly::UdpLength, at + 4, length as u32);
    } else if length < received && !jumbo {
        r.note(Anomaly::UdpTrailing, at + 4, length as u32);
    }
    if l.version == 6 && h[6] | h[7] == 0 {
        r.note(Anomaly::UdpNoChecksum, at + 6, 0);
    }
    port_zero([h[0], h[1], h[2], h[3]], at, r);
}

fn port_zero<R: Recorder>(ports: [u8; 4], at: usize, r: &mut R) {
    let [a, b, c, d] = ports;
    if a | b == 0 {
        r.note(Anomaly::PortZero, at, 0);
    } else if c | d == 0 {
        r.note(Anomaly::PortZero, at + 2, 0);
    }
}

/// Everything else above IP.
#[inline(never)]
pub(super) fn upper<R: Recorder>(packet: &[u8], p: Position, l: &mut Layout, r: &mut R) {
    let at = p.at;
    let bytes = packet.get(at..p.end).unwrap_or_default();
    match p.proto {
        proto::TCP => return tcp(packet, p, l, r),
        proto::UDP => return udp(packet, p, l, r),
        _ => {}
    }
    l.upper = at.min(p.end) as u32;
    l.payload = l.upper;
    l.end = p.end as u32;
    l.proto = p.proto;
    l.seen = p.seen;
    match p.proto {
        proto::ICMP | proto::ICMPV6 => {
            if (p.proto == proto::ICMP) != (l.version == 4) {
                r.note(Anomaly::IcmpWrongVersion, at, u32::from(p.proto));
            }
            icmp(bytes, p, l, r);
        }
        proto::ESP => {
            l.seen |= seen::ESP;
            if bytes.len() < 8 {
                return truncated(
                    bytes,
                    Position { seen: l.seen, ..p },
                    l,
                    Anomaly::IpsecTruncated,
                    r,
                );
            }
            l.payload = (at + 8) as u32;
            l.seen |= seen::UPPER;
        }
        proto::SCTP | proto::DCCP | proto::UDP_LITE => {
            let fixed = if p.proto == proto::UDP_LITE { 8 } else { 12 };
            let Some(h) = bytes.first_chunk::<8>().filter(|_| bytes.len() >= fixed) else {
                return truncated(bytes, p, l, Anomaly::TransportTruncated, r);
            };
            l.src_port = be16(h[0], h[1]);
            l.dst_port = be16(h[2], h[3]);
            l.payload = (at + fixed) as u32;
            l.seen |= seen::PORTS | seen::UPPER;
            if p.proto == proto::DCCP {
                // RFC 4340 §5.1: the data offset counts words from the start of the header.
                let header = usize::from(h[4]) * 4;
                if (fixed..=bytes.len()).contains(&header) {
                    l.payload = (at + header) as u32;
                } else {
                    r.note(Anomaly::TransportTruncated, at + 4, h[4].into());
                }
            }
            port_zero([h[0], h[1], h[2], h[3]], at, r);
        }
        proto::IPV4 | proto::IPV6 => {
            l.seen |= seen::TUNNEL;
            let (version, header) = if p.proto == proto::IPV4 {
                (4, 20)
            } else {
                (6, 40)
            };
            if bytes.len() < header {
                r.note(Anomaly::TunnelInner, at, bytes.len() as u32);
            } else if bytes.first().is_some_and(|b| b >> 4 != version) {
                let first = bytes.first().copied().unwrap_or_default();
                r.note(Anomaly::TunnelInner, at, u32::from(first >> 4));
            }
        }
        proto::GRE | proto::MPLS_IN_IP | proto::ETHERIP => {
            l.seen |= seen::TUNNEL;
        }
        proto::NO_NEXT => {
            l.seen |= seen::NO_NEXT;
            if l.version == 6 && !bytes.is_empty() {
                r.note(Anomaly::Ip6DataAfterNoNext, at, bytes.len() as u32);
            }
        }
        _ => {}
    }
}

/// ICMP (RFC 792) and ICMPv6 (RFC 4443). Type and code are kept where ports would stand.
fn icmp<R: Recorder>(bytes: &[u8], p: Position, l: &mut Layout, r: &mut R) {
    let Some(h) = bytes.first_chunk::<8>() else {
        return truncated(bytes, p, l, Anomaly::IcmpTruncated, r);
    };
    l.src_port = be16(h[0], h[1]);
    l.payload = (p.at + 8) as u32;
    l.seen |= seen::UPPER;
    let error = match p.proto {
        proto::ICMP => matches!(h[0], 3 | 4 | 5 | 11 | 12),
        // Redirect (137) quotes in an option and is not an error by number.
        _ => (1..=4).contains(&h[0]),
    };
    if error {
        let quote = bytes.get(8..).unwrap_or_default();
        let whole = match quote.first().map(|b| (b >> 4, usize::from(b & 0x0f) * 4)) {
            Some((4, ihl)) => p.proto == proto::ICMP && ihl >= 20 && quote.len() >= ihl,
            Some((6, _)) => p.proto == proto::ICMPV6 && quote.len() >= 40,
            _ => false,
        };
        if !whole {
            r.note(Anomaly::IcmpQuoteTruncated, p.at + 8, quote.len() as u32);
        }
    }
}

#[cold]
fn truncated<R: Recorder>(bytes: &[u8], p: Position, l: &mut Layout, anomaly: Anomaly, r: &mut R) {
    l.upper = p.at.min(p.end) as u32;
    l.payload = l.upper;
    l.end = p.end as u32;
    l.seen = p.seen;
    // A first fragment that is too small for its transport header hides the ports from filters
    // (RFC 1858); a packet that simply ends is truncated.
    if l.fragment != 0 {
        r.note(Anomaly::FragmentTiny, p.at, bytes.len() as u32);
    }
    r.note(anomaly, p.at, bytes.len() as u32);
}
