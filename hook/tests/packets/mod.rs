//! Packets made byte by byte, with right lengths unless they are patched.
#![allow(dead_code, reason = "each test takes what it needs")]

use hostward_hook::layout::proto;

/// An IPv4 packet without checksum: header, options (a multiple of four bytes) and the rest.
pub(crate) fn v4(protocol: u8, options: &[u8], rest: &[u8]) -> Vec<u8> {
    assert!(options.len().is_multiple_of(4) && options.len() <= 40);
    let total = (20 + options.len() + rest.len()) as u16;
    let mut p = vec![0x45 + (options.len() / 4) as u8, 0];
    p.extend(total.to_be_bytes());
    p.extend([0x12, 0x34, 0, 0, 64, protocol, 0, 0]);
    p.extend([192, 0, 2, 1, 198, 51, 100, 2]);
    p.extend(options);
    p.extend(rest);
    p
}

/// An IPv4 fragment: flags and offset word as it stands in the header.
pub(crate) fn v4_fragment(protocol: u8, word: u16, rest: &[u8]) -> Vec<u8> {
    patch(v4(protocol, &[], rest), 6, &word.to_be_bytes())
}

/// An IPv6 packet.
pub(crate) fn v6(next: u8, rest: &[u8]) -> Vec<u8> {
    let mut p = vec![0x60, 0, 0, 0];
    p.extend((rest.len() as u16).to_be_bytes());
    p.extend([next, 64]);
    p.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    p.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    p.extend(rest);
    p
}

/// A segment from port 1000 to port 80; ACK brings an acknowledgment number.
pub(crate) fn tcp(flags: u8, options: &[u8], data: &[u8]) -> Vec<u8> {
    assert!(options.len().is_multiple_of(4));
    let mut p = vec![0x03, 0xe8, 0, 80, 0, 0, 0, 7];
    p.extend(if flags & 0x10 == 0 {
        [0; 4]
    } else {
        [0, 0, 0, 9]
    });
    p.extend([0x50 + (options.len() << 2) as u8, flags, 0x10, 0, 0, 0]);
    p.extend([0, 0]);
    p.extend(options);
    p.extend(data);
    p
}

/// A datagram from port 1000 to port 53 with some checksum.
pub(crate) fn udp(data: &[u8]) -> Vec<u8> {
    let mut p = vec![0x03, 0xe8, 0, 53];
    p.extend((8 + data.len() as u16).to_be_bytes());
    p.extend([0xab, 0xcd]);
    p.extend(data);
    p
}

/// An ICMP or ICMPv6 message.
pub(crate) fn icmp(kind: u8, code: u8, data: &[u8]) -> Vec<u8> {
    let mut p = vec![kind, code, 0xab, 0xcd, 0, 0, 0, 0];
    p.extend(data);
    p
}

/// An extension header: next header, then a body of 6, 14, 22 … bytes.
pub(crate) fn extension(next: u8, body: &[u8]) -> Vec<u8> {
    assert!((body.len() + 2).is_multiple_of(8));
    let mut p = vec![next, ((body.len() + 2) / 8 - 1) as u8];
    p.extend(body);
    p
}

/// An extension header whose options are one PadN.
pub(crate) fn padding(next: u8) -> Vec<u8> {
    extension(next, &[1, 4, 0, 0, 0, 0])
}

/// An IPv6 fragment header: offset in bytes with the more-fragments flag in bit 0.
pub(crate) fn fragment_header(next: u8, word: u16) -> Vec<u8> {
    let mut p = vec![next, 0];
    p.extend(word.to_be_bytes());
    p.extend([0xca, 0xfe, 0xba, 0xbe]);
    p
}

/// An authentication header with an integrity check value of twelve bytes.
pub(crate) fn ah(next: u8) -> Vec<u8> {
    let mut p = vec![next, 4, 0, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 1];
    p.extend([0x55; 12]);
    p
}

/// Parts in a row.
pub(crate) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// The packet with other bytes at one place.
pub(crate) fn patch(mut p: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    p[at..at + bytes.len()].copy_from_slice(bytes);
    p
}

/// The packet without its last bytes.
pub(crate) fn cut(mut p: Vec<u8>, len: usize) -> Vec<u8> {
    p.truncate(len);
    p
}

/// A UDP datagram in an IPv6 jumbogram of 65,600 bytes behind the IPv6 header.
pub(crate) fn jumbogram(announced: u32) -> Vec<u8> {
    let mut option = vec![0xc2, 4];
    option.extend(announced.to_be_bytes());
    let mut rest = extension(proto::UDP, &option);
    let mut datagram = udp(&[]);
    datagram[4..6].fill(0);
    rest.extend(datagram);
    rest.resize(65_600, 0);
    patch(v6(proto::HOP_BY_HOP, &rest), 4, &[0, 0])
}
