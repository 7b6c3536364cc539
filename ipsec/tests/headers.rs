//! Outer and inner headers, path MTU, padding, lifetimes, NAT.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::*;
use hostward_crypto::Secret;
use hostward_hook::checksum::{self, ChecksumState, checksum};
use hostward_hook::frame::FrameBuf;
use hostward_hook::protection::Encapsulation::{Transport, Tunnel};
use hostward_hook::{Instant, Meta, Now, Packet, Point, Verdict};
use hostward_ipsec::sa::{Df, Dscp, Ecn, Lifetimes, Limits, OuterHeader, Refused, SaError, Tfc};
use hostward_ipsec::suite::{encr, integ};
use hostward_ipsec::{Outbound, Suite, codes};

const GCM: Suite = Suite::AES_128_GCM;

fn class(packet: &[u8]) -> u8 {
    if packet[0] >> 4 == 6 {
        packet[0] << 4 | packet[1] >> 4
    } else {
        packet[1]
    }
}

fn set_class(packet: &mut [u8], class: u8) {
    if packet[0] >> 4 == 6 {
        packet[0] = 0x60 | class >> 4;
        packet[1] = class << 4 | packet[1] & 15;
    } else {
        packet[1] = class;
        packet[10..12].fill(0);
        let sum = checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

fn right(packet: &[u8]) -> bool {
    let packet = Packet::parse(packet, Meta::new(Point::LocalOut, Now::default()));
    checksum::verify(&packet) == ChecksumState::Right
}

// RFC 6040 §4.1, §4.2: all sixteen combinations, in all four of families, with ESP and AH.
#[test]
fn congestion_comes_through_the_tunnel() {
    for suite in [GCM, Suite::ah(integ::HMAC_SHA2_256_128).unwrap()] {
        for (outside, inside) in [(false, false), (false, true), (true, false), (true, true)] {
            let (mut out, mut into) = pair(parameters(suite, Tunnel, outer(outside)));
            for (own, marked) in (0..4).flat_map(|own| (0..4).map(move |marked| (own, marked))) {
                let plain = packet(inner(inside), 0xb8 | own, b"abc");
                let mut frame = frame(&plain);
                out.seal(NOW, &mut frame).unwrap();
                assert_eq!(class(frame.bytes()), 0xb8 | own);
                set_class(frame.bytes_mut(), 0x20 | marked);
                let opened = into.open(NOW, &mut frame);
                let expected = match (own, marked) {
                    (0, 3) => {
                        assert_eq!(opened, Err(Refused::Ecn));
                        continue;
                    }
                    (0, _) => 0,
                    (3, _) | (_, 3) => 3,
                    (2, 1) => 1,
                    (own, _) => own,
                };
                assert_eq!(class(frame.bytes()), 0xb8 | expected);
                assert!(right(frame.bytes()));
                assert_eq!(opened.unwrap().congestion, expected == 3 && own != 3);
            }
        }
    }
}

// RFC 4301 §5.1.2: DSCP and DF as configured, the hop limit of its own. RFC 6040 §4.1: compatibility mode. RFC 6864 §4: an
// identification where the packet may be fragmented.
#[test]
fn outer_headers_are_as_configured() {
    for (df, inner_df, expected) in [
        (Df::Copy, false, false),
        (Df::Copy, true, true),
        (Df::Set, false, true),
        (Df::Clear, true, false),
    ] {
        let header = OuterHeader {
            dscp: Dscp::Fixed(10),
            ecn: Ecn::Compatibility,
            df,
            hop_limit: 99,
        };
        let p = parameters(GCM, Tunnel, outer(false)).with_outer(header);
        let mut plain = packet(inner(false), 0xbb, b"abc");
        plain[6] = if inner_df { 0x40 } else { 0 };
        let (mut out, _) = pair(p);
        for number in 1..4 {
            let wire = seal(&mut out, &plain);
            assert_eq!(wire[1], 10 << 2);
            assert_eq!(wire[6], if expected { 0x40 } else { 0 });
            assert_eq!(wire[8], 99);
            assert_eq!(wire[5], if expected { 0 } else { number });
            assert_eq!(checksum(&wire[..20]), 0);
        }
    }
    let p = parameters(GCM, Tunnel, outer(true)).with_outer(OuterHeader {
        hop_limit: 7,
        ..OuterHeader::default()
    });
    let wire = seal(&mut pair(p).0, &packet(inner(false), 0xbb, b"abc"));
    assert_eq!((class(&wire), wire[7], wire[6]), (0xbb, 7, 50));
}

// RFC 4301 §8.2: what does not fit is refused with the MTU that does, and that MTU is exact.
#[test]
fn what_is_too_big_is_told_what_fits() {
    for suite in [
        GCM,
        Suite::esp(encr::AES_CBC, 128, integ::HMAC_SHA2_256_128).unwrap(),
        Suite::ah(integ::HMAC_SHA2_256_128).unwrap(),
    ] {
        for (mode, outside, inside) in [
            (Tunnel, false, false),
            (Tunnel, false, true),
            (Tunnel, true, false),
            (Tunnel, true, true),
            (Transport, false, false),
            (Transport, true, true),
        ] {
            for mtu in 1490..1510 {
                let p = parameters(suite, mode, outer(outside)).with_path_mtu(mtu);
                let (mut out, _) = pair(p);
                let best = out.inner_mtu();
                let ends = if mode == Tunnel {
                    inner(inside)
                } else {
                    outer(outside)
                };
                let header = if inside { 48 } else { 28 };
                let mut of = |len: u16| {
                    let mut plain = packet(ends, 0, &vec![1; usize::from(len) - header]);
                    if !inside {
                        plain[6] = 0x40;
                    }
                    let mut frame = frame(&plain);
                    let sealed = out.seal(NOW, &mut frame);
                    if sealed.is_err() {
                        assert_eq!(frame.bytes(), plain);
                    }
                    (sealed, frame.bytes().len())
                };
                let (sealed, len) = of(best);
                assert!(
                    !sealed.unwrap().fragment && len <= usize::from(mtu),
                    "{suite} {mode:?}"
                );
                let told = Err(Refused::TooBig { mtu: best });
                let (sealed, _) = of(best + 1);
                if mode == Tunnel {
                    assert_eq!(sealed, told, "{suite} {mtu}");
                } else {
                    // With padding other lengths may be told, but one that fits.
                    let Err(Refused::TooBig { mtu: told }) = sealed else {
                        panic!("{sealed:?}");
                    };
                    assert!(told <= best && of(told).0.is_ok());
                }
            }
        }
    }
}

// RFC 4301 §8.2.1: packets that may be fragmented go; RFC 8200 §5: IPv6 of up to 1280 octets go.
#[test]
fn what_may_be_fragmented_goes() {
    let p = parameters(GCM, Tunnel, outer(false)).with_path_mtu(1300);
    let (mut out, _) = pair(p);
    let mut big = frame(&packet(inner(false), 0, &[1; 1300]));
    let sealed = out.seal(NOW, &mut big).unwrap();
    assert!(sealed.fragment && big.bytes()[6] == 0);
    let mut v6 = frame(&packet(inner(true), 0, &[1; 1280 - 48]));
    assert!(out.seal(NOW, &mut v6).unwrap().fragment);
    assert_eq!(v6.bytes()[6], 0);
    let mut v6 = frame(&packet(inner(true), 0, &[1; 1281 - 48]));
    assert_eq!(out.seal(NOW, &mut v6), Err(Refused::TooBig { mtu: 1280 }));
    // RFC 8201 §4, RFC 1122 §3.3.3: only what was sent lately, only downwards, and not below the floor.
    assert!(!out.learn_path_mtu(77, 1200));
    assert!(!out.learn_path_mtu(0, 1200));
    assert!(!out.learn_path_mtu(1, 1400));
    assert!(out.learn_path_mtu(1, 1200));
    assert!(out.learn_path_mtu(2, 100));
    assert_eq!(out.path_mtu(), 576);
    out.reset_path_mtu();
    assert_eq!(out.path_mtu(), 1300);
}

// RFC 4303 §2.6, §2.7: padding against traffic analysis, dummy packets.
#[test]
fn lengths_are_hidden() {
    let p = parameters(GCM, Tunnel, outer(false)).with_path_mtu(1400);
    for (tfc, short, long) in [(Tfc::Multiple(256), 256, 512), (Tfc::PathMtu, 1346, 1346)] {
        let (mut out, mut into) = pair(p.clone().with_tfc(tfc));
        for (len, expected) in [(0, short), (200, short), (300, long)] {
            let plain = packet(inner(false), 0, &vec![7; len]);
            let wire = seal(&mut out, &plain);
            let around = 20 + 16 + 16;
            assert_eq!(
                wire.len(),
                around + (expected + 2_usize).next_multiple_of(4)
            );
            let mut frame = frame(&wire);
            into.open(NOW, &mut frame).unwrap();
            assert_eq!(frame.bytes(), plain);
        }
    }
    for mode in [Tunnel, Transport] {
        let (mut out, mut into) = pair(parameters(GCM, mode, outer(false)));
        let mut frame = frame(b"left over");
        out.dummy(NOW, &mut frame, 300).unwrap();
        assert!(frame.bytes().len() > 300 && right(frame.bytes()));
        let opened = into.open(NOW, &mut frame).unwrap();
        assert!(opened.dummy && frame.bytes().is_empty());
    }
    let (mut out, _) = pair(parameters(Suite::ah(2).unwrap(), Tunnel, outer(false)));
    assert_eq!(out.dummy(NOW, &mut frame(b""), 3), Err(Refused::NotOurs));
}

// RFC 4301 §4.4.2.1: lifetimes; the hard one ends both directions.
#[test]
fn lifetimes_end_associations() {
    let limits = |packets, time| Limits {
        bytes: None,
        packets,
        time,
    };
    let p = parameters(GCM, Tunnel, outer(false)).with_lifetimes(Lifetimes {
        soft: limits(Some(2), None),
        hard: limits(Some(4), Some(Duration::from_secs(60))),
    });
    let plain = packet(inner(false), 0, b"abc");
    let (mut out, mut into) = pair(p.clone());
    for number in 1..=4 {
        let mut frame = frame(&plain);
        assert_eq!(out.seal(NOW, &mut frame).unwrap().soft, number == 2);
        assert_eq!(into.open(NOW, &mut frame).unwrap().soft, number == 2);
    }
    assert!(out.over(NOW) && into.over(NOW));
    assert_eq!(out.seal(NOW, &mut frame(&plain)), Err(Refused::Expired));
    let (mut out, mut into) = pair(p);
    let mut sealed = frame(&plain);
    out.seal(NOW, &mut sealed).unwrap();
    let late = NOW.saturating_add(Duration::from_secs(60));
    assert_eq!(out.deadline(NOW), Some(late));
    assert_eq!(into.open(late, &mut sealed), Err(Refused::Expired));
    assert_eq!(out.seal(late, &mut frame(&plain)), Err(Refused::Expired));
    assert_eq!(into.counters().refused, 1);
    let _ = Instant::ZERO;
}

// RFC 3948 §3.1.2: transport checksums are put right for what a NAT did, or are not to be looked at. RFC 3948 §2.1: over IPv4
// the datagram has no checksum. RFC 7296 §2.23: the peer may have moved.
#[test]
fn nats_are_passed() {
    let (private, public): (IpAddr, IpAddr) = (
        "192.168.1.5".parse().unwrap(),
        "203.0.113.9".parse().unwrap(),
    );
    let server: IpAddr = "198.51.100.2".parse().unwrap();
    for known in [false, true] {
        let sender = parameters(GCM, Transport, (private, server)).with_udp(4500, 4500);
        let mut receiver = parameters(GCM, Transport, (server, public)).with_udp(4500, 4500);
        if known {
            receiver = receiver.with_original_addresses(private, server);
        }
        let mut out = Outbound::new(&provider(), sender, NOW).unwrap();
        let mut into = hostward_ipsec::Inbound::new(&provider(), receiver, NOW).unwrap();
        let plain = packet((private, server), 0, b"abc");
        let mut wire = seal(&mut out, &plain);
        assert_eq!(wire[26..28], [0, 0]);
        // The NAT.
        wire[12..16].copy_from_slice(&[203, 0, 113, 9]);
        wire[20..22].copy_from_slice(&33_333_u16.to_be_bytes());
        let mut frame = frame(&wire);
        let opened = into.open(NOW, &mut frame).unwrap();
        assert_eq!(opened.moved, Some((public, 33_333)));
        assert_eq!(opened.unchecked, !known);
        assert_eq!(right(frame.bytes()), known);
        assert!(into.move_peer(public, 33_333));
        assert!(out.move_peer(server, 4501));
        assert!(!out.move_peer("::1".parse().unwrap(), 4501));
        let wire = seal(&mut out, &plain);
        assert_eq!(wire[22..24], 4501_u16.to_be_bytes());
    }
    // Over IPv6 there is a checksum (RFC 8200 §8.1).
    let p = parameters(GCM, Tunnel, outer(true)).with_udp(4500, 4500);
    assert!(right(&seal(
        &mut pair(p).0,
        &packet(inner(true), 0, b"abc")
    )));
}

// RFC 4303 §3.1.1: options stay in front, extension headers too; RFC 4303 §3.3.4: fragments are refused.
#[test]
fn transport_mode_keeps_what_is_in_front() {
    for suite in [GCM, Suite::ah(integ::HMAC_SHA2_256_128).unwrap()] {
        let options = [0x94, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0];
        let (mut out, mut into) = pair(parameters(suite, Transport, outer(false)));
        let ends = outer(false);
        let mut plain = ip(ends, 0, (0, &options), 17, &udp(ends.0, ends.1, b"abc"));
        let wire = seal(&mut out, &plain);
        assert_eq!(wire[20..32], options);
        assert_eq!(wire[9], suite.protocol().number());
        assert!(right(&wire));
        // A router on the way records itself, and the TTL shrinks.
        let mut recorded = wire.clone();
        recorded[26] = 8;
        recorded[27..31].copy_from_slice(&[9, 9, 9, 9]);
        recorded[8] -= 1;
        let mut opened = frame(&recorded);
        into.open(NOW, &mut opened).unwrap();
        assert_eq!(opened.bytes()[27..31], [9; 4]);
        assert_eq!(opened.bytes()[32..], plain[32..]);
        plain[6] = 0x20;
        assert_eq!(out.seal(NOW, &mut frame(&plain)), Err(Refused::Fragment));

        // Hop-by-hop with an option that changes on the way, a routing header of type 2, destination options.
        let ends = outer(true);
        let mut between = vec![43, 0, 0x3e, 4, 1, 2, 3, 4];
        between.extend([60, 2, 2, 1, 0, 0, 0, 0]);
        between.extend([0xaa; 16]);
        between.extend([17, 0, 1, 4, 0, 0, 0, 0]);
        let plain = ip(ends, 0, (0, &between), 17, &udp(ends.0, ends.1, b"abc"));
        let (mut out, mut into) = pair(parameters(suite, Transport, ends));
        let wire = seal(&mut out, &plain);
        assert_eq!(wire[48], suite.protocol().number());
        assert_eq!(wire[..4], plain[..4]);
        // On the way the option changes; at the destination no segments are left.
        let mut arrived = wire.clone();
        arrived[44..48].copy_from_slice(&[9, 9, 9, 9]);
        arrived[51] = 0;
        let (first, last) = (arrived[24..40].to_vec(), arrived[56..72].to_vec());
        arrived[24..40].copy_from_slice(&last);
        arrived[56..72].copy_from_slice(&first);
        let mut opened = frame(&arrived);
        into.open(NOW, &mut opened).unwrap();
        assert_eq!(opened.bytes()[72..], plain[72..]);
        assert_eq!(opened.bytes()[48], 60);
        let fragment = ip(ends, 0, (44, &[17, 0, 0, 1, 0, 0, 0, 1]), 17, b"abcdefgh");
        assert_eq!(out.seal(NOW, &mut frame(&fragment)), Err(Refused::Fragment));
    }
}

// RFC 4302 §2.2, §2.6: the header's length, in IPv6 a multiple of eight.
#[test]
fn ah_is_padded_for_its_family() {
    for (integrity, v4, v6) in [
        (integ::HMAC_SHA1_96, 24, 24),
        (integ::HMAC_SHA2_256_128, 28, 32),
        (integ::HMAC_SHA2_384_192, 36, 40),
        (integ::HMAC_SHA2_512_256, 44, 48),
        (integ::AES_128_GMAC, 36, 40),
    ] {
        for (outside, len) in [(false, v4), (true, v6)] {
            let p = parameters(Suite::ah(integrity).unwrap(), Tunnel, outer(outside));
            let plain = packet(inner(false), 0, b"abc");
            let wire = seal(&mut pair(p).0, &plain);
            let ip = if outside { 40 } else { 20 };
            assert_eq!(wire.len(), ip + len + plain.len());
            assert_eq!(usize::from(wire[ip + 1]), len / 4 - 2);
        }
    }
}

// RFC 4303 §2.1, §2.2.1; RFC 4106 §2: what there can be no association of.
#[test]
fn parameters_are_checked() {
    let p = || parameters(GCM, Tunnel, outer(false));
    let cbc = || parameters(Suite::esp(12, 128, 12).unwrap(), Tunnel, outer(false));
    let check = |change: &dyn Fn(&mut hostward_ipsec::Parameters)| {
        let mut p = p();
        change(&mut p);
        Outbound::new(&provider(), p, NOW).err()
    };
    assert_eq!(check(&|p| p.spi = 255), Some(SaError::Spi(255)));
    assert_eq!(
        check(&|p| p.keys = Secret::zeros(19)),
        Some(SaError::Keys {
            expected: 20,
            given: 19
        })
    );
    assert_eq!(
        check(&|p| p.local = "::1".parse().unwrap()),
        Some(SaError::Families)
    );
    assert_eq!(
        check(&|p| p.local = "0.0.0.0".parse().unwrap()),
        Some(SaError::Unspecified)
    );
    assert_eq!(check(&|p| p.manual = true), Some(SaError::ManualCounter));
    assert_eq!(check(&|p| p.window = 0), Some(SaError::Window(0)));
    assert_eq!(check(&|p| p.window = 63), Some(SaError::Window(63)));
    assert_eq!(check(&|p| p.window = 65_537), Some(SaError::Window(65_537)));
    assert_eq!(
        check(&|p| *p = p.clone().with_udp(0, 1)),
        Some(SaError::Port)
    );
    assert_eq!(check(&|p| p.outer.hop_limit = 0), Some(SaError::HopLimit));
    assert_eq!(
        check(&|p| p.outer.dscp = Dscp::Fixed(64)),
        Some(SaError::Dscp)
    );
    assert_eq!(
        check(&|p| {
            p.mode = Transport;
            p.tfc = Tfc::PathMtu;
        }),
        Some(SaError::Tfc)
    );
    let manual = cbc().with_manual_keys(1).with_window(0);
    assert_eq!(manual.check(), Ok(()));
    assert_eq!(manual.clone().with_esn().check(), Err(SaError::ManualEsn));
    let ah = parameters(Suite::ah(12).unwrap(), Tunnel, outer(false)).with_udp(1, 2);
    assert_eq!(ah.check(), Err(SaError::AhInUdp));
    // RFC 3602 §3: with the same manual keys another seed gives other IVs, and they are no counter.
    let iv = |seed| {
        let (mut out, _) = pair(cbc().with_manual_keys(seed));
        let plain = packet(inner(false), 0, b"abc");
        [
            seal(&mut out, &plain)[28..44].to_vec(),
            seal(&mut out, &plain)[28..44].to_vec(),
        ]
    };
    assert_ne!(iv(1), iv(2));
    assert_ne!(iv(1)[0][..8], iv(1)[1][..8]);
}

#[test]
fn every_refusal_has_its_code() {
    use Refused::*;
    let all = [
        Malformed,
        Replay,
        Stale,
        BadIcv,
        BadPadding,
        BadInner,
        Ecn,
        Expired,
        SequenceExhausted,
        NoRoom,
        TooBig { mtu: 1 },
        Fragment,
        NotOurs,
        Crypto,
    ];
    let codes: std::collections::BTreeSet<_> = all.iter().map(|refused| refused.reason()).collect();
    assert_eq!(codes.len(), all.len());
    for refused in all {
        assert!(
            codes::CODES
                .iter()
                .any(|info| info.code == refused.reason())
        );
        assert_eq!(Verdict::from(refused), Verdict::Drop(refused.reason()));
    }
}

// RFC 4303 §2.4: what is inside is looked at after the ICV.
#[test]
fn what_is_inside_must_be_a_packet() {
    let (mut out, mut into) = pair(parameters(GCM, Tunnel, outer(false)));
    let mut enclose = |plain: &[u8], next: u8| {
        let mut frame = frame(plain);
        out.seal_payload(NOW, &mut frame, next).unwrap();
        let mut wire = ip(outer(false), 0, (0, &[]), 50, frame.bytes());
        wire[1] = 0;
        frame.set(&wire);
        into.open(NOW, &mut frame)
    };
    let plain = packet(inner(false), 0, b"abc");
    assert!(enclose(&plain, 4).is_ok());
    assert_eq!(enclose(&plain, 41), Err(Refused::BadInner));
    assert_eq!(enclose(&plain, 17), Err(Refused::BadInner));
    assert_eq!(enclose(&plain[..25], 4), Err(Refused::BadInner));
    assert_eq!(enclose(b"", 4), Err(Refused::BadInner));
    assert!(enclose(b"", 59).unwrap().dummy);
}

#[test]
fn frames_without_room_stay_as_they_are() {
    let (mut out, _) = pair(parameters(GCM, Tunnel, outer(false)));
    let plain = packet(inner(false), 0, b"abc");
    for (front, back) in [(35, 100), (100, 18), (0, 0)] {
        let mut memory = vec![0; front];
        memory.extend(&plain);
        memory.extend(vec![0; back]);
        let mut frame =
            hostward_hook::frame::SliceFrame::new(&mut memory, front, front + plain.len());
        assert_eq!(out.seal(NOW, &mut frame), Err(Refused::NoRoom));
        assert_eq!(frame.bytes(), plain);
    }
    assert_eq!(out.sequence(), 0);
    // Batches do what single calls do.
    let mut frames: Vec<_> = (0..5).map(|_| frame(&plain)).collect();
    let mut refs: Vec<&mut _> = frames.iter_mut().collect();
    let mut results = vec![Err(Refused::Malformed); 5];
    out.seal_batch(NOW, &mut refs, &mut results);
    let numbers: Vec<_> = results
        .iter()
        .map(|sealed| sealed.unwrap().sequence)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}
