//! What is sealed opens again: every suite, mode, family, with extended numbers and in UDP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use common::*;
use hostward_hook::frame::FrameBuf;
use hostward_hook::layout::Layout;
use hostward_hook::protection::Encapsulation::{self, Transport, Tunnel};
use hostward_hook::{Meta, Now, Packet, Point, checksum};
use hostward_ipsec::suite::Protocol;
use hostward_ipsec::{Parameters, Suite};

/// Suites, modes, families outside and inside, extended numbers, UDP.
fn every() -> Vec<(Parameters, bool)> {
    let mut all = Vec::new();
    for suite in Suite::all() {
        for mode in [Tunnel, Transport] {
            for (outside, inside) in [(false, false), (true, true), (false, true), (true, false)] {
                if mode == Transport && outside != inside {
                    continue;
                }
                for (esn, udp) in [(false, false), (true, false), (false, true), (true, true)] {
                    if udp && suite.protocol() == Protocol::Ah {
                        continue;
                    }
                    let mut p = parameters(suite, mode, outer(outside));
                    p.esn = esn;
                    if udp {
                        p = p.with_udp(4500, 61_234);
                    }
                    all.push((p, inside));
                }
            }
        }
    }
    all
}

fn sound(bytes: &[u8]) {
    let packet = Packet::parse(bytes, Meta::new(Point::LocalOut, Now::default()));
    assert_eq!(checksum::verify(&packet), checksum::ChecksumState::Right);
    assert_eq!(packet.layout().end(), bytes.len());
    assert!(
        packet.layout().anomalies().is_empty(),
        "{:?}",
        Layout::evidence(bytes)
    );
}

fn ends(mode: Encapsulation, p: &Parameters, inside: bool) -> (std::net::IpAddr, std::net::IpAddr) {
    match mode {
        Tunnel => inner(inside),
        Transport => (p.local, p.remote),
    }
}

#[test]
fn what_is_sealed_opens() {
    let mut numbers = Numbers(1);
    let mut done = 0;
    for (p, inside) in every() {
        let (mut out, mut into) = pair(p.clone());
        for len in [0, 1, 2, 3, 13, 14, 15, 16, 17, 64, 1400] {
            let payload = numbers.octets(len);
            let plain = packet(ends(p.mode, &p, inside), 0xb8, &payload);
            let mut frame = frame(&plain);
            // The link layer may have padded it.
            if len % 2 == 0 {
                frame.append(7).unwrap();
            }
            let overhead = out.max_overhead();
            let sealed = out.seal(NOW, &mut frame).unwrap();
            sound(frame.bytes());
            assert!(frame.bytes().len() <= plain.len() + overhead);
            if len > 16
                && p.suite.encryption_key_len() > 0
                && p.suite.to_string() != "aes128-gmac"
                && !p.suite.to_string().contains("gmac")
            {
                assert!(!frame.bytes().windows(17).any(|part| part == &payload[..17]));
            }
            if len % 2 == 1 {
                frame.append(5).unwrap();
            }
            let opened = into
                .open(NOW, &mut frame)
                .unwrap_or_else(|refused| panic!("{} {:?} {refused:?}", p.suite, p.mode));
            assert_eq!(frame.bytes(), plain, "{} {:?}", p.suite, p.mode);
            assert_eq!(opened.sequence, sealed.sequence);
            assert_eq!(opened.moved, None);
            done += 1;
        }
        assert_eq!(out.counters().packets, 11);
        assert_eq!(out.counters(), into.counters());
    }
    println!("{done} packets");
    assert!(done > 10_000);
}

#[test]
fn payloads_without_headers_open_too() {
    for suite in suites(Protocol::Esp) {
        for esn in [false, true] {
            let mut p = parameters(suite, Tunnel, outer(false));
            p.esn = esn;
            let (mut out, mut into) = pair(p);
            for len in [0, 1, 100, 1408] {
                let plain = Numbers(9).octets(len);
                let mut frame = frame(&plain);
                out.seal_payload(NOW, &mut frame, 4).unwrap();
                assert_eq!(frame.bytes()[..4], 0xc0de_1234_u32.to_be_bytes());
                let opened = into.open_payload(NOW, &mut frame).unwrap();
                assert_eq!(frame.bytes(), plain);
                assert_eq!(opened.next_header, 4);
            }
        }
    }
}

// RFC 4303 §2.4: how much is padded is the sender's choice; at most 12 octets more here, and the MTU counts them.
#[test]
fn whole_blocks_open_and_fit() {
    let mut numbers = Numbers(7);
    for suite in suites(Protocol::Esp) {
        for mode in [Tunnel, Transport] {
            let p = parameters(suite, mode, outer(false));
            let (mut least, _) = pair(p.clone());
            let (mut out, mut into) = pair(p.clone().with_whole_blocks().with_path_mtu(1400));
            for len in 0..80 {
                let payload = numbers.octets(len);
                let plain = packet(ends(mode, &p, false), 0, &payload);
                let short = seal(&mut least, &plain).len();
                let mut frame = frame(&plain);
                out.seal(NOW, &mut frame).unwrap();
                let long = frame.bytes().len();
                assert!(long <= plain.len() + out.max_overhead());
                assert!((short..=short + 12).contains(&long), "{suite}");
                into.open(NOW, &mut frame).unwrap();
                assert_eq!(frame.bytes(), plain, "{suite}");
            }
            let best = usize::from(out.inner_mtu());
            let head = packet(ends(mode, &p, false), 0, &[]).len();
            let mut length = |of: usize| {
                let plain = packet(ends(mode, &p, false), 0, &numbers.octets(of - head));
                let mut frame = frame(&plain);
                out.seal(NOW, &mut frame)
                    .map_or(usize::MAX, |_| frame.bytes().len())
            };
            assert!(length(best) <= 1400, "{suite} {mode:?}");
            assert!(length(best + 1) > 1400, "{suite} {mode:?}");
        }
    }
}
