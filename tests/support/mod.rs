//! Packets for tests, made with etherparse.
#![allow(unreachable_pub, dead_code, reason = "each test takes what it needs")]

use etherparse::{PacketBuilder, TcpHeader};

/// One endpoint.
pub type End = ([u8; 4], u16);

/// An IPv4 TCP segment.
pub fn tcp(src: End, dst: End, flags: &str, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    let mut h = TcpHeader::new(src.1, dst.1, seq, 60_000);
    for f in flags.chars() {
        match f {
            'S' => h.syn = true,
            'F' => h.fin = true,
            'R' => h.rst = true,
            'P' => h.psh = true,
            'A' => {
                h.ack = true;
                h.acknowledgment_number = ack;
            }
            _ => panic!("no flag {f}"),
        }
    }
    let mut out = Vec::new();
    PacketBuilder::ipv4(src.0, dst.0, 64)
        .tcp_header(h)
        .write(&mut out, payload)
        .unwrap();
    out
}

/// An IPv4 UDP datagram.
pub fn udp(src: End, dst: End, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv4(src.0, dst.0, 64)
        .udp(src.1, dst.1)
        .write(&mut out, payload)
        .unwrap();
    out
}

/// Cuts an IPv4 packet into fragments of at most `size` bytes of data, a multiple of eight.
pub fn fragments(packet: &[u8], id: u16, size: usize) -> Vec<Vec<u8>> {
    let (header, data) = packet.split_at(20);
    let n = data.len().div_ceil(size);
    data.chunks(size)
        .enumerate()
        .map(|(i, chunk)| {
            let mut f = header.to_vec();
            f.extend(chunk);
            let length = f.len() as u16;
            f[2..4].copy_from_slice(&length.to_be_bytes());
            f[4..6].copy_from_slice(&id.to_be_bytes());
            let more = if i + 1 < n { 0x2000 } else { 0 };
            let word = more | (i * size / 8) as u16;
            f[6..8].copy_from_slice(&word.to_be_bytes());
            fix_checksum(&mut f);
            f
        })
        .collect()
}

/// Puts the IPv4 header checksum right.
pub fn fix_checksum(packet: &mut [u8]) {
    packet[10..12].fill(0);
    let header = usize::from(packet[0] & 0x0f) * 4;
    let sum = hostward::hook::checksum::checksum(&packet[..header]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// A whole conversation: handshake, one message each way, orderly close.
pub fn conversation(client: End, server: End, request: &[u8], response: &[u8]) -> Vec<Vec<u8>> {
    let (q, r) = (request.len() as u32, response.len() as u32);
    vec![
        tcp(client, server, "S", 1000, 0, b""),
        tcp(server, client, "SA", 5000, 1001, b""),
        tcp(client, server, "A", 1001, 5001, b""),
        tcp(client, server, "PA", 1001, 5001, request),
        tcp(server, client, "PA", 5001, 1001 + q, response),
        tcp(client, server, "FA", 1001 + q, 5001 + r, b""),
        tcp(server, client, "FA", 5001 + r, 1002 + q, b""),
        tcp(client, server, "A", 1002 + q, 5002 + r, b""),
    ]
}
