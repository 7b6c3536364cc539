//! What every test of the crate shares: packets, associations, numbers.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test program uses a part of it, and a failing test may panic"
)]

use std::net::IpAddr;

use hostward_crypto::{Provider, Secret, backend};
use hostward_hook::Instant;
use hostward_hook::checksum::{checksum, pseudo_header};
use hostward_hook::frame::{FrameBuf, VecFrame};
use hostward_hook::ident::SaId;
use hostward_hook::protection::Encapsulation;
use hostward_ipsec::suite::Protocol;
use hostward_ipsec::{Inbound, Outbound, Parameters, Suite};

pub const NOW: Instant = Instant::from_secs(1_000);

pub fn provider() -> Provider {
    Provider::of([backend::RUST_CRYPTO])
}

/// A reproducible stream of numbers: splitmix64.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn octets(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// A frame with room at both ends.
pub fn frame(packet: &[u8]) -> VecFrame {
    let mut frame = VecFrame::new(128, 70_000);
    frame.set(packet);
    frame
}

/// UDP from port 1000 to 2000.
pub fn udp(source: IpAddr, destination: IpAddr, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len();
    let mut udp = vec![0x03, 0xe8, 0x07, 0xd0, (len >> 8) as u8, len as u8, 0, 0];
    udp.extend(payload);
    let sum = pseudo_header(&addresses(source, destination), 17, len as u32)
        .with(&udp)
        .finish();
    udp[6..8].copy_from_slice(&if sum == 0 { 0xffff } else { sum }.to_be_bytes());
    udp
}

pub fn addresses(source: IpAddr, destination: IpAddr) -> Vec<u8> {
    [source, destination]
        .into_iter()
        .flat_map(|address| match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        })
        .collect()
}

/// An IPv4 packet with these options, or an IPv6 packet with these extension headers, whose last names
/// `protocol`; `first` is what the IPv6 header names.
pub fn ip(
    (source, destination): (IpAddr, IpAddr),
    class: u8,
    (first, between): (u8, &[u8]),
    protocol: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet;
    if source.is_ipv4() {
        assert_eq!(between.len() % 4, 0);
        let len = 20 + between.len() + payload.len();
        packet = vec![
            0x45 + (between.len() / 4) as u8,
            class,
            (len >> 8) as u8,
            len as u8,
        ];
        packet.extend([0x12, 0x34, 0, 0, 63, protocol, 0, 0]);
        packet.extend(addresses(source, destination));
        packet.extend(between);
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        let len = between.len() + payload.len();
        packet = vec![0x60 | class >> 4, class << 4 | 5, 0x67, 0x89];
        let named = if between.is_empty() { protocol } else { first };
        packet.extend([(len >> 8) as u8, len as u8, named, 63]);
        packet.extend(addresses(source, destination));
        packet.extend(between);
    }
    packet.extend(payload);
    packet
}

/// A UDP packet.
pub fn packet(pair: (IpAddr, IpAddr), class: u8, payload: &[u8]) -> Vec<u8> {
    ip(pair, class, (0, &[]), 17, &udp(pair.0, pair.1, payload))
}

pub fn inner(v6: bool) -> (IpAddr, IpAddr) {
    if v6 {
        (
            "2001:db8:1::1".parse().unwrap(),
            "2001:db8:2::2".parse().unwrap(),
        )
    } else {
        ("10.1.0.1".parse().unwrap(), "10.2.0.2".parse().unwrap())
    }
}

pub fn outer(v6: bool) -> (IpAddr, IpAddr) {
    if v6 {
        (
            "2001:db8::a".parse().unwrap(),
            "2001:db8::b".parse().unwrap(),
        )
    } else {
        (
            "192.0.2.1".parse().unwrap(),
            "198.51.100.2".parse().unwrap(),
        )
    }
}

/// Parameters as the sender has them.
pub fn parameters(suite: Suite, mode: Encapsulation, ends: (IpAddr, IpAddr)) -> Parameters {
    let keys = (0..suite.key_material_len())
        .map(|n| (n * 7 + 3) as u8)
        .collect();
    Parameters::new(SaId(1), 0xc0de_1234, suite, mode, Secret::new(keys), ends)
}

/// The same association as the receiver has it.
pub fn mirrored(mut p: Parameters) -> Parameters {
    (p.local, p.remote) = (p.remote, p.local);
    p.udp = p.udp.map(|udp| hostward_ipsec::sa::UdpEncapsulation {
        local: udp.remote,
        remote: udp.local,
    });
    p
}

pub fn pair(p: Parameters) -> (Outbound, Inbound) {
    let provider = provider();
    (
        Outbound::new(&provider, p.clone(), NOW).unwrap(),
        Inbound::new(&provider, mirrored(p), NOW).unwrap(),
    )
}

/// Seals a packet and gives what is on the wire.
pub fn seal(out: &mut Outbound, packet: &[u8]) -> Vec<u8> {
    let mut frame = frame(packet);
    out.seal(NOW, &mut frame).unwrap();
    frame.bytes().to_vec()
}

/// Every suite of ESP or AH.
pub fn suites(protocol: Protocol) -> impl Iterator<Item = Suite> {
    Suite::all().filter(move |suite| suite.protocol() == protocol)
}
