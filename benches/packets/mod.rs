//! Packets for benches, made with etherparse.
#![allow(unreachable_pub, dead_code, reason = "each bench takes what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the packets are made to be right"
)]

use etherparse::PacketBuilder;

/// What the packets are.
#[derive(Clone, Copy)]
pub enum Kind {
    Tcp4,
    Tcp4Vlan,
    Tcp6Extensions,
    Udp4,
}

/// `n` different Ethernet frames.
pub fn frames(n: usize, kind: Kind) -> Vec<Vec<u8>> {
    (0..n).map(|i| frame(i as u32, kind)).collect()
}

fn frame(i: u32, kind: Kind) -> Vec<u8> {
    let [_, a, b, c] = i.to_be_bytes();
    let payload = [0x5a; 64];
    let port = 1024 + (i % 60_000) as u16;
    let mut out = Vec::new();
    let eth = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let options = [
        etherparse::TcpOptionElement::Noop,
        etherparse::TcpOptionElement::Noop,
        etherparse::TcpOptionElement::Timestamp(i, 7),
    ];
    match kind {
        Kind::Tcp4 => eth
            .ipv4([10, a, b, c], [192, 0, 2, 1], 64)
            .tcp(port, 443, i, 1000)
            .ack(i)
            .options(&options)
            .unwrap()
            .write(&mut out, &payload)
            .unwrap(),
        Kind::Tcp4Vlan => eth
            .single_vlan(etherparse::VlanId::try_new(7).unwrap())
            .ipv4([10, a, b, c], [192, 0, 2, 1], 64)
            .tcp(port, 443, i, 1000)
            .ack(i)
            .options(&options)
            .unwrap()
            .write(&mut out, &payload)
            .unwrap(),
        Kind::Udp4 => eth
            .ipv4([10, a, b, c], [192, 0, 2, 1], 64)
            .udp(port, 53)
            .write(&mut out, &payload)
            .unwrap(),
        Kind::Tcp6Extensions => {
            let mut tcp = Vec::new();
            let mut h = etherparse::TcpHeader::new(port, 443, i, 1000);
            h.ack = true;
            h.write(&mut tcp).unwrap();
            tcp.extend(payload);
            let mut src = [0x20; 16];
            src[13..].copy_from_slice(&[a, b, c]);
            // Hop-by-hop with a router alert, destination options with padding.
            let ext = [60, 0, 5, 2, 0, 0, 1, 0, 6, 0, 1, 4, 0, 0, 0, 0];
            out.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd]);
            out.extend([0x60, 0, 0, 0]);
            out.extend(((ext.len() + tcp.len()) as u16).to_be_bytes());
            out.extend([0, 64]);
            out.extend(src);
            out.extend([0x20; 16]);
            out.extend(ext);
            out.extend(tcp);
        }
    }
    out
}

/// `n` TCP connections in IP packets: first all their handshakes, then `rounds` packets of each in
/// turn, requests and responses alternating.
pub fn conversations(n: u16, rounds: usize) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let segment =
        |i: u16, from_client: bool, syn: bool, ack: bool, seq: u32, ackn: u32, len: usize| {
            let client = ([10, 0, (i >> 8) as u8, i as u8], 40_000 + i);
            let server = ([192, 0, 2, 1], 443);
            let (src, dst) = if from_client {
                (client, server)
            } else {
                (server, client)
            };
            let mut h = etherparse::TcpHeader::new(src.1, dst.1, seq, 60_000);
            h.syn = syn;
            h.ack = ack;
            h.acknowledgment_number = ackn;
            let mut packet = Vec::new();
            PacketBuilder::ipv4(src.0, dst.0, 64)
                .tcp_header(h)
                .write(&mut packet, &vec![0x5a; len])
                .unwrap();
            packet
        };
    for i in 0..n {
        out.push(segment(i, true, true, false, 999, 0, 0));
        out.push(segment(i, false, true, true, 4_999, 1_000, 0));
        out.push(segment(i, true, false, true, 1_000, 5_000, 0));
    }
    let (mut c, mut s) = (1_000, 5_000);
    for round in 0..rounds {
        for i in 0..n {
            let from_client = round % 2 == 0;
            let (seq, ack, len) = if from_client {
                (c, s, 300)
            } else {
                (s, c, 900)
            };
            out.push(segment(i, from_client, false, true, seq, ack, len));
        }
        if round % 2 == 0 {
            c += 300;
        } else {
            s += 900;
        }
    }
    out
}

/// A classic little-endian pcap file of Ethernet frames, as IP packets.
pub fn capture(path: String) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(
        bytes[..4],
        0xa1b2_c3d4_u32.to_le_bytes(),
        "a classic little-endian pcap"
    );
    let mut packets = Vec::new();
    let mut rest = &bytes[24..];
    while let Some((header, tail)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes(header[8..12].try_into().unwrap()) as usize;
        let Some((frame, next)) = tail.split_at_checked(length) else {
            break;
        };
        packets.extend(hostward::hook::link::Ethernet::ip_packet(frame).map(<[u8]>::to_vec));
        rest = next;
    }
    packets
}

/// The packets of a TLS 1.2 connection with certificates of both sides.
pub fn own_capture() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/");
    capture(format!("{folder}tls12-client-certificate.pcap"))
}

/// UDP datagrams of three fragments each.
pub fn fragments(datagrams: usize) -> Vec<Vec<u8>> {
    let mut list = Vec::new();
    for (i, frame) in frames(datagrams, Kind::Udp4).iter().enumerate() {
        let (header, data) = frame[14..].split_at(20);
        for (j, part) in data.chunks(24).enumerate() {
            let last = (j + 1) * 24 >= data.len();
            let mut f = header.to_vec();
            f.extend(part);
            let length = f.len() as u16;
            f[2..4].copy_from_slice(&length.to_be_bytes());
            f[4..6].copy_from_slice(&(i as u16).to_be_bytes());
            let word = (j * 3) as u16 | if last { 0 } else { 0x2000 };
            f[6..8].copy_from_slice(&word.to_be_bytes());
            list.push(f);
        }
    }
    list
}
