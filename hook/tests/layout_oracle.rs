//! The layout against another parser: etherparse reads the same bytes and both must agree on
//! versions, addresses, protocol, ports, offsets, TCP options and fragments.
//!
//! Where the two rightly differ, and what is compared there:
//!
//! * **Later fragments**: etherparse goes on to read extension headers behind a fragment header
//!   with an offset, though what stands there is data. Compared as far as the IP header and the
//!   fragment's offset.
//! * **Extension headers**: etherparse does not follow mobility, HIP and Shim6, follows a single
//!   AH in IPv4, any number of headers in IPv6, and stops at a hop-by-hop header that is not the
//!   first. Where it stops early, the layout must not have stopped before; where the layout stops
//!   at its bound, it must say so.
//! * **First fragments**: etherparse reads no transport header in them. Its readers of transport
//!   headers are asked directly.
//! * **Total length inside the IPv4 header**: etherparse takes what is behind the header for
//!   payload. The layout shows no ports, except for zero, which segmentation offload leaves.
//! * **Header length beyond the packet**: etherparse gives up; the layout keeps the addresses.
//! * **UDP length**: etherparse cuts the payload at the UDP length; the layout ends it where IP
//!   does and notes the difference.
//! * **TCP data offset**: with an impossible one etherparse reads nothing; the layout keeps ports
//!   and flags and notes it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::net::IpAddr;

use arbtest::arbitrary::{Result as Arbitrary, Unstructured};
use arbtest::arbtest;
use etherparse::{
    Icmpv4Slice, Icmpv6Slice, Icmpv6Type, IpFragOffset, IpNumber, Ipv4Header, Ipv6ExtensionsSlice,
    Ipv6FragmentHeader, Ipv6FragmentHeaderSlice, LaxIpPayloadSlice, LaxIpv4Slice, LaxIpv6Slice,
    PacketBuilder, TcpOptionElement, TcpSlice, UdpSlice,
};
use hostward_hook::layout::{Anomalies, Anomaly, Fragment, IpVersion, TcpOptions, proto, seen};
use hostward_hook::link::Ethernet;
use hostward_hook::{Meta, Packet};

/// Offset of a part of a packet.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// Compares the layout of `bytes` with what etherparse says. Tells how deep the comparison went.
fn compare(bytes: &[u8]) -> Depth {
    let packet = Packet::parse(bytes, Meta::default());
    let l = packet.layout();
    match bytes.first().map(|b| b >> 4) {
        Some(4) => {
            let Ok((ip, stopped)) = LaxIpv4Slice::from_slice(bytes) else {
                let hopeless = [Anomaly::IpTruncated, Anomaly::Ip4HeaderLength];
                assert!(
                    !l.anomalies()
                        .intersection(Anomalies::of(&hopeless))
                        .is_empty()
                );
                assert_eq!((l.ports(), l.icmp()), (None, None));
                return Depth::None;
            };
            let h = ip.header();
            assert_eq!(l.ip_version(), Some(IpVersion::V4));
            assert_eq!(packet.source(), Some(IpAddr::V4(h.source_addr())));
            assert_eq!(packet.destination(), Some(IpAddr::V4(h.destination_addr())));
            assert_eq!(packet.ip_options(), h.options());
            assert_eq!(packet.fragment_id(), Some(h.identification().into()));
            assert_eq!(l.fragment_offset(), h.fragments_offset().value() << 3);
            assert_eq!(l.more_fragments(), h.more_fragments());
            let total = usize::from(h.total_len());
            let header = h.slice().len();
            assert_eq!(
                l.anomalies().contains(Anomaly::Ip4TotalLength),
                total < header
            );
            if total < header && total != 0 {
                assert_eq!((l.ports(), l.icmp()), (None, None));
                return Depth::Ip;
            }
            if l.fragment() == Fragment::Later {
                assert_eq!((l.upper_offset(), l.protocol()), (header, bytes[9]));
                return Depth::Ip;
            }
            compare_payload(&packet, ip.payload(), stopped.is_some())
        }
        Some(6) => {
            let Ok((ip, stopped)) = LaxIpv6Slice::from_slice(bytes) else {
                assert!(l.anomalies().contains(Anomaly::IpTruncated));
                return Depth::None;
            };
            let h = ip.header();
            assert_eq!(l.ip_version(), Some(IpVersion::V6));
            assert_eq!(packet.source(), Some(IpAddr::V6(h.source_addr())));
            assert_eq!(packet.destination(), Some(IpAddr::V6(h.destination_addr())));
            let first = fragment_header(ip.extensions());
            if l.anomalies().contains(Anomaly::Ip6ExtensionTooMany) {
                assert_eq!((l.ports(), l.icmp()), (None, None));
                return Depth::Ip;
            }
            if let Some(f) = first {
                assert!(l.has(seen::FRAGMENT));
                // Of two, the layout tells where the last one is.
                if !l.anomalies().contains(Anomaly::Ip6ExtensionDuplicate) {
                    assert_eq!(packet.fragment_id(), Some(f.identification));
                }
                assert_eq!(l.fragment_offset(), f.fragment_offset.value() << 3);
                assert_eq!(l.more_fragments(), f.more_fragments);
            }
            if l.fragment() == Fragment::Later {
                assert_eq!((l.ports(), l.icmp()), (None, None));
                return Depth::Ip;
            }
            compare_payload(&packet, ip.payload(), stopped.is_some())
        }
        _ => {
            assert_eq!(l.ip_version(), None);
            Depth::None
        }
    }
}

/// The fragment header that counts: the first.
///
/// A walk of our own over the bytes etherparse takes for extension headers: its iterator over
/// them reads out of bounds where a header follows that it does not know.
fn fragment_header(extensions: &Ipv6ExtensionsSlice<'_>) -> Option<Ipv6FragmentHeader> {
    let mut rest = extensions.slice();
    let mut next = extensions.first_header()?.0;
    while rest.len() >= 8 {
        let length = match next {
            proto::FRAGMENT => {
                let f = Ipv6FragmentHeaderSlice::from_slice(rest).unwrap();
                return Some(f.to_header());
            }
            proto::AH => (usize::from(rest[1]) + 2) * 4,
            _ => (usize::from(rest[1]) + 1) * 8,
        };
        next = rest[0];
        rest = &rest[length..];
    }
    None
}

/// How much of a packet was compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    None,
    Ip,
    Protocol,
    Transport,
}

fn compare_payload(packet: &Packet<'_>, payload: &LaxIpPayloadSlice<'_>, stopped: bool) -> Depth {
    let l = packet.layout();
    let number = payload.ip_number.0;
    let upper = offset(packet.bytes(), payload.payload);
    assert_eq!(l.end(), upper + payload.payload.len());
    let follows = match l.ip_version() {
        Some(IpVersion::V6) => matches!(
            number,
            proto::HOP_BY_HOP | proto::MOBILITY | proto::HIP | proto::SHIM6
        ),
        _ => number == proto::AH,
    };
    if stopped || follows {
        assert!(l.upper_offset() >= upper);
        return Depth::Ip;
    }
    assert_eq!((l.protocol(), l.upper_offset()), (number, upper));
    assert_eq!(packet.upper(), payload.payload);
    let body = payload.payload;
    match number {
        proto::TCP => compare_tcp(packet, body),
        proto::UDP => {
            let udp = UdpSlice::from_slice_lax(body).ok();
            let short = body.len() < 8;
            assert_eq!(l.anomalies().contains(Anomaly::UdpTruncated), short);
            assert_eq!(l.ports().is_none(), short);
            let Some(udp) = udp else {
                return Depth::Protocol;
            };
            assert_eq!(l.ports(), Some((udp.source_port(), udp.destination_port())));
            assert_eq!(l.payload_offset(), offset(packet.bytes(), udp.payload()));
            if usize::from(udp.length()) == body.len() {
                assert_eq!(packet.payload(), udp.payload());
                let wrong = [Anomaly::UdpLength, Anomaly::UdpTrailing];
                assert!(l.anomalies().intersection(Anomalies::of(&wrong)).is_empty());
            }
            Depth::Transport
        }
        proto::ICMP | proto::ICMPV6 => {
            let found = if number == proto::ICMP {
                // etherparse wants 20 bytes of timestamp messages.
                Icmpv4Slice::from_slice(body)
                    .ok()
                    .map(|i| (i.type_u8(), i.code_u8()))
            } else {
                Icmpv6Slice::from_slice(body)
                    .ok()
                    .map(|i| (i.type_u8(), i.code_u8()))
            };
            assert_eq!(l.icmp().is_none(), body.len() < 8);
            if let Some(found) = found {
                assert_eq!(l.icmp(), Some(found));
                assert_eq!(l.payload_offset(), l.upper_offset() + 8);
                return Depth::Transport;
            }
            Depth::Protocol
        }
        _ => Depth::Protocol,
    }
}

fn compare_tcp(packet: &Packet<'_>, body: &[u8]) -> Depth {
    let l = packet.layout();
    assert_eq!(
        l.anomalies().contains(Anomaly::TcpTruncated),
        body.len() < 20
    );
    assert_eq!(l.ports().is_none(), body.len() < 20);
    let Ok(tcp) = TcpSlice::from_slice(body) else {
        let wrong = [Anomaly::TcpTruncated, Anomaly::TcpDataOffset];
        assert!(!l.anomalies().intersection(Anomalies::of(&wrong)).is_empty());
        return Depth::Protocol;
    };
    assert!(!l.anomalies().contains(Anomaly::TcpDataOffset));
    assert_eq!(l.ports(), Some((tcp.source_port(), tcp.destination_port())));
    let flags = [
        tcp.fin(),
        tcp.syn(),
        tcp.rst(),
        tcp.psh(),
        tcp.ack(),
        tcp.urg(),
        tcp.ece(),
        tcp.cwr(),
    ];
    let bits = flags
        .iter()
        .enumerate()
        .fold(0, |b, (i, on)| b | u8::from(*on) << i);
    assert_eq!(l.tcp_flags(), Some(bits));
    assert_eq!(
        packet.tcp_numbers(),
        Some((
            tcp.sequence_number(),
            tcp.acknowledgment_number(),
            tcp.window_size()
        ))
    );
    assert_eq!(packet.payload(), tcp.payload());
    assert_eq!(packet.tcp_options(), tcp.options());
    assert_eq!(l.has(seen::TCP_OPTIONS), !tcp.options().is_empty());
    // The options one by one, as long as both know what they read.
    let mut ours = TcpOptions::new(packet.tcp_options());
    for theirs in tcp.options_iterator() {
        use TcpOptionElement as E;
        let Ok(theirs) = theirs else { break };
        if theirs == E::Noop {
            continue;
        }
        let o = ours
            .next()
            .expect("as many options")
            .expect("whole options");
        let number = |at: usize| u32::from_be_bytes(*o.data[at..].first_chunk().unwrap());
        match theirs {
            E::Noop => {}
            E::MaximumSegmentSize(s) => assert_eq!((o.kind, o.data), (2, &s.to_be_bytes()[..])),
            E::WindowScale(s) => {
                assert_eq!((o.kind, o.data), (3, &[s][..]));
                assert_eq!(
                    l.anomalies().contains(Anomaly::TcpWindowScale),
                    s > 14 || {
                        // Another one may be above.
                        TcpOptions::new(packet.tcp_options())
                            .flatten()
                            .any(|o| o.kind == 3 && o.data.first().is_some_and(|s| *s > 14))
                    }
                );
            }
            E::SelectiveAcknowledgementPermitted => assert_eq!((o.kind, o.data), (4, &[][..])),
            E::SelectiveAcknowledgement(first, _) => {
                assert_eq!((o.kind, number(0), number(4)), (5, first.0, first.1));
            }
            E::Timestamp(a, b) => assert_eq!((o.kind, number(0), number(4)), (8, a, b)),
        }
    }
    Depth::Transport
}

/// A packet of any kind that etherparse can build.
fn built(u: &mut Unstructured<'_>) -> Arbitrary<Vec<u8>> {
    let payload = u.bytes(u.len().min(60) / 2)?.to_vec();
    let step = if u.ratio(1, 3)? {
        let mut h = Ipv4Header::new(
            payload.len() as u16,
            u.arbitrary()?,
            IpNumber::UDP,
            u.arbitrary()?,
            u.arbitrary()?,
        )
        .unwrap();
        let options = u.int_in_range(0..=10)? * 4;
        let bytes: [u8; 40] = u.arbitrary()?;
        h.options = bytes[..options].try_into().unwrap();
        h.identification = u.arbitrary()?;
        h.more_fragments = u.ratio(1, 4)?;
        if u.ratio(1, 4)? {
            h.fragment_offset = IpFragOffset::try_new(u.int_in_range(0..=8191)?).unwrap();
        }
        PacketBuilder::ip(etherparse::IpHeaders::Ipv4(h, Default::default()))
    } else if u.ratio(1, 2)? {
        PacketBuilder::ipv4(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?)
    } else {
        PacketBuilder::ipv6(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?)
    };
    let mut out = Vec::new();
    match u.int_in_range(0..=4)? {
        0 => {
            let mut step = step.tcp(
                u.arbitrary()?,
                u.arbitrary()?,
                u.arbitrary()?,
                u.arbitrary()?,
            );
            if u.arbitrary()? {
                step = step.ack(u.arbitrary()?);
            }
            for on in 0..5 {
                if u.arbitrary()? {
                    step = match on {
                        0 => step.syn(),
                        1 => step.fin(),
                        2 => step.psh(),
                        3 => step.rst(),
                        _ => step.ece(),
                    };
                }
            }
            let all = [
                TcpOptionElement::MaximumSegmentSize(u.arbitrary()?),
                TcpOptionElement::WindowScale(u.arbitrary()?),
                TcpOptionElement::SelectiveAcknowledgementPermitted,
                TcpOptionElement::Timestamp(u.arbitrary()?, u.arbitrary()?),
                TcpOptionElement::Noop,
                TcpOptionElement::SelectiveAcknowledgement(u.arbitrary()?, [None; 3]),
            ];
            let from = u.int_in_range(0..=5)?;
            let to = u.int_in_range(from..=5)?;
            step.options(&all[from..=to])
                .unwrap()
                .write(&mut out, &payload)
                .unwrap();
        }
        1 => step
            .udp(u.arbitrary()?, u.arbitrary()?)
            .write(&mut out, &payload)
            .unwrap(),
        2 => step
            .icmpv4_echo_request(u.arbitrary()?, u.arbitrary()?)
            .write(&mut out, &payload)
            .unwrap(),
        3 => {
            let kind = Icmpv6Type::Unknown {
                type_u8: u.arbitrary()?,
                code_u8: u.arbitrary()?,
                bytes5to8: u.arbitrary()?,
            };
            let written = step.icmpv6(kind).write(&mut out, &payload);
            if written.is_err() {
                // ICMPv6 in IPv4 has no checksum.
                out.clear();
            }
        }
        _ => {
            let mut number: u8 = u.arbitrary()?;
            if matches!(number, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140) {
                number = 89;
            }
            step.write(&mut out, IpNumber(number), &payload).unwrap();
        }
    }
    // Extension headers in front of what is there.
    if out.first().is_some_and(|b| b >> 4 == 6) {
        for _ in 0..u.int_in_range(0..=3)? {
            let kind = *u.choose(&[0_u8, 60, 60, 43, 44, 51, 135, 139, 140])?;
            let mut header: [u8; 8] = u.arbitrary()?;
            header[0] = out[6];
            let mut header = header.to_vec();
            match kind {
                51 => {
                    header[1] = 2;
                    header.extend([0; 8]);
                }
                44 => header[2..4].copy_from_slice(&[0, 0]),
                _ => header[1] = 0,
            }
            out[6] = kind;
            out.splice(40..40, header);
            let length = (out.len() - 40) as u16;
            out[4..6].copy_from_slice(&length.to_be_bytes());
        }
    }
    Ok(out)
}

#[test]
fn built_packets() {
    let mut deep = 0_u32;
    let mut all = 0_u32;
    arbtest(|u| {
        let p = built(u)?;
        all += 1;
        deep += u32::from(compare(&p) == Depth::Transport);
        // Padding of the link layer changes nothing.
        let plain = Packet::parse(&p, Meta::default());
        let length = p.get(4..6).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]));
        if p.first().is_some_and(|b| b >> 4 == 4) || length != 0 {
            let mut padded = p.clone();
            padded.extend(u.bytes(u.len().min(20))?);
            assert_eq!(
                Packet::parse(&padded, Meta::default()).layout(),
                plain.layout()
            );
        }
        Ok(())
    })
    .budget_ms(1500);
    assert!(
        deep * 4 > all,
        "{deep} of {all} compared to the transport header"
    );
}

#[test]
fn mutated_packets() {
    let mut deep = 0_u32;
    arbtest(|u| {
        let mut p = built(u)?;
        for _ in 0..u.int_in_range(1..=4)? {
            if p.is_empty() {
                break;
            }
            // The headers, mostly.
            let last = if u.ratio(7, 8)? {
                p.len().min(72)
            } else {
                p.len()
            } - 1;
            let at = u.int_in_range(0..=last)?;
            p[at] = match u.int_in_range(0..=2)? {
                0 => u.arbitrary()?,
                1 => p[at] ^ 1 << u.int_in_range(0..=7)?,
                _ => *u.choose(&[0, 1, 4, 5, 20, 44, 51, 60, 255])?,
            };
        }
        if u.ratio(1, 4)? {
            let len = u.int_in_range(0..=p.len())?;
            p.truncate(len);
        }
        deep += u32::from(compare(&p) == Depth::Transport);
        Ok(())
    })
    .budget_ms(2500);
    assert!(deep > 100, "{deep} compared to the transport header");
}

#[test]
fn any_bytes() {
    arbtest(|u| {
        let mut p = u.bytes(u.len())?.to_vec();
        if let Some(first) = p.first_mut() {
            *first = if u.arbitrary()? { 0x45 } else { 0x60 };
        }
        compare(&p);
        Ok(())
    })
    .budget_ms(500);
}

/// The packets of a classic pcap file with Ethernet or raw IP frames; `None` for other files.
fn pcap(file: &[u8]) -> Option<Vec<&[u8]>> {
    let word = |at: usize| file.get(at..)?.first_chunk::<4>().copied();
    let big = match word(0)? {
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => true,
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => false,
        _ => return None,
    };
    let number = |at: usize| {
        let b = word(at)?;
        Some(if big {
            u32::from_be_bytes(b)
        } else {
            u32::from_le_bytes(b)
        })
    };
    let raw = match number(20)? & 0xffff {
        1 => false,
        12 | 14 | 101 | 228 | 229 => true,
        _ => return None,
    };
    let mut packets = Vec::new();
    let mut at = 24;
    while let Some(length) = number(at + 8) {
        let Some(frame) = file.get(at + 16..at + 16 + length as usize) else {
            break;
        };
        packets.extend(if raw {
            Some(frame)
        } else {
            Ethernet::ip_packet(frame)
        });
        at += 16 + length as usize;
    }
    Some(packets)
}

#[test]
fn captures() {
    let Some(folder) = std::env::var_os("HOSTWARD_CAPTURES") else {
        println!("HOSTWARD_CAPTURES names no folder: no captures were compared");
        return;
    };
    let mut folders = vec![std::path::PathBuf::from(folder)];
    let (mut files, mut packets, mut deep) = (0, 0, 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            if !entry.file_name().to_string_lossy().ends_with("cap") {
                continue;
            }
            let file = std::fs::read(entry.path()).unwrap();
            let Some(list) = pcap(&file) else { continue };
            files += 1;
            for (i, p) in list.iter().enumerate() {
                packets += 1;
                let depth = std::panic::catch_unwind(|| compare(p));
                let depth = depth.unwrap_or_else(|_| panic!("{:?} packet {i}", entry.path()));
                deep += u32::from(depth == Depth::Transport);
            }
        }
    }
    println!("{packets} packets of {files} captures agree, {deep} down to the transport header");
    assert!(packets > 0, "no capture could be read");
}
