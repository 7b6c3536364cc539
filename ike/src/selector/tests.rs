#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test looks at what it is about"
)]

use super::*;
use crate::message::{Limits, NotifyType, Payload, PayloadWriter, Payloads};
use alloc::vec;
use arbtest::arbitrary::{Result, Unstructured};

fn v4(text: &str) -> AddressRange {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    AddressRange::of(from.parse().unwrap(), to.parse().unwrap()).unwrap()
}

fn tcp(addresses: &str, from: u16, to: u16) -> Selector {
    Selector {
        protocol: 6,
        ports: Ports::Range(from, to),
        addresses: v4(addresses),
    }
}

fn all(addresses: &str) -> Selector {
    Selector::of(v4(addresses))
}

/// A world small enough to count: three protocols, ports at the edges and no port, addresses of both families.
fn world() -> impl Iterator<Item = (u8, Option<u16>, IpAddr)> {
    let ports = [0, 1, 2, 3, 0x7fff, 0x8000, 65_534, 65_535].map(Some);
    let ports = ports.into_iter().chain([None]);
    [6, 17, 99].into_iter().flat_map(move |protocol| {
        ports.clone().flat_map(move |port| {
            (0..5_u8).flat_map(move |last| {
                [
                    (protocol, port, IpAddr::from([10, 0, 0, last])),
                    (
                        protocol,
                        port,
                        IpAddr::from([0, 0, 0, 0, 0, 0, 0, u16::from(last)]),
                    ),
                ]
            })
        })
    })
}

/// What the words of RFC 4301 §4.4.1.1 say of one packet.
fn lets(selector: &Selector, (protocol, port, address): (u8, Option<u16>, IpAddr)) -> bool {
    let ports = match (selector.ports, port) {
        (Ports::Range(0, u16::MAX), _) | (Ports::Opaque, None) => true,
        (Ports::Range(from, to), Some(port)) => (from..=to).contains(&port),
        (Ports::Range(..), None) | (Ports::Opaque, Some(_)) => false,
    };
    let (from, to) = selector.addresses.ends();
    (selector.protocol == 0 || selector.protocol == protocol)
        && ports
        && from.is_ipv4() == address.is_ipv4()
        && from <= address
        && address <= to
}

fn selector(u: &mut Unstructured<'_>) -> Result<Selector> {
    let ends = [0, 1, 2, 3, 0x7fff, 0x8000, 65_534, 65_535];
    let (a, b) = (*u.choose(&ends)?, *u.choose(&ends)?);
    let (c, d) = (u.int_in_range(0..=4_u8)?, u.int_in_range(0..=4_u8)?);
    let (c, d) = (c.min(d), c.max(d));
    Ok(Selector {
        protocol: *u.choose(&[0, 6, 17])?,
        ports: match u.int_in_range(0..=4)? {
            0 => Ports::Opaque,
            1 => Ports::ANY,
            _ => Ports::Range(a.min(b), a.max(b)),
        },
        addresses: if u.ratio(1, 4)? {
            AddressRange::V6(Ipv6Addr::from_bits(c.into()), Ipv6Addr::from_bits(d.into()))
        } else {
            AddressRange::V4([10, 0, 0, c].into(), [10, 0, 0, d].into())
        },
    })
}

fn list(u: &mut Unstructured<'_>) -> Result<Vec<Selector>> {
    (0..u.int_in_range(1..=4)?).map(|_| selector(u)).collect()
}

fn any(list: &[Selector], packet: (u8, Option<u16>, IpAddr)) -> bool {
    list.iter().any(|selector| lets(selector, packet))
}

#[test]
fn sets_are_what_the_model_says() {
    arbtest::arbtest(|u| {
        let (a, b) = (list(u)?, list(u)?);
        let both = intersect(&a, &b, 255);
        for packet in world() {
            assert_eq!(
                any(&both, packet),
                any(&a, packet) && any(&b, packet),
                "{packet:?}"
            );
        }
        // The world has an inner point for each piece there can be, but ports between the ends: where all of
        // the world is let through and containment is denied, a port outside of it is the reason, or a
        // protocol. Never the other way.
        let model = world().all(|packet| !any(&b, packet) || any(&a, packet));
        let found = contains_all(&a, &b);
        assert!(!found || model, "{a:?} {b:?}");
        if found {
            assert!(contains_all(&a, &both) && contains_all(&both, &b));
        }
        assert!(contains_all(&a, &a) && contains_all(&a, &both));
        let mut together = a.clone();
        together.extend(&b);
        assert!(contains_all(&together, &a) && contains_all(&together, &b));
        Ok(())
    });
}

#[test]
fn several_together_contain_one() {
    let halves = [
        tcp("10.0.0.0-10.0.0.9", 0, 999),
        tcp("10.0.0.0-10.0.0.9", 1000, 65_535),
    ];
    // RFC 4301 §4.4.1.1: ANY is more than all ports.
    assert!(!contains_all(&halves, &[tcp("10.0.0.1", 0, 65_535)]));
    assert!(contains_all(&halves, &[tcp("10.0.0.1", 1, 65_535)]));
    let opaque = Selector {
        ports: Ports::Opaque,
        ..halves[0]
    };
    assert!(contains_all(
        &[halves[0], opaque, halves[1]],
        &[tcp("10.0.0.1", 0, 65_535)]
    ));
    let corners = [all("10.0.0.0-10.0.0.4"), all("10.0.0.5-10.0.0.9")];
    assert!(contains_all(&corners, &[all("10.0.0.0-10.0.0.9")]));
    assert!(!contains_all(&corners, &[all("10.0.0.0-10.0.0.10")]));
}

#[test]
fn narrowing_is_what_the_model_says() {
    arbtest::arbtest(|u| {
        let allowed: Vec<Allowed> = (0..u.int_in_range(1..=3)?)
            .map(|_| {
                Ok(Allowed {
                    initiator: list(u)?,
                    responder: list(u)?,
                    single_pair: u.arbitrary()?,
                })
            })
            .collect::<Result<_>>()?;
        let (initiator, responder) = (list(u)?, list(u)?);
        let offered = Offered {
            initiator: &initiator,
            responder: &responder,
        };
        let accepts = |a: &Allowed| {
            world().any(|p| any(&a.initiator, p) && any(&initiator, p))
                && world().any(|p| any(&a.responder, p) && any(&responder, p))
        };
        match narrow(&allowed, offered) {
            Ok(found) => {
                let chosen = &allowed[found.allowed];
                assert!(contains_all(&chosen.initiator, &found.initiator));
                assert!(contains_all(&chosen.responder, &found.responder));
                let answer = Offered {
                    initiator: &found.initiator,
                    responder: &found.responder,
                };
                assert!(is_answer(offered, answer, None));
                if chosen.single_pair {
                    for side in [&found.initiator, &found.responder] {
                        let first = side[0].addresses.single();
                        assert!(
                            first.is_some() && side.iter().all(|s| s.addresses.single() == first)
                        );
                    }
                }
                // RFC 7296 §2.9: the first choice is kept if any policy takes it.
                let first = |a: &Allowed| {
                    !a.single_pair
                        && contains_all(&a.initiator, &initiator[..1])
                        && contains_all(&a.responder, &responder[..1])
                };
                if allowed.iter().any(first) {
                    assert!(contains_all(&found.initiator, &initiator[..1]));
                    assert!(contains_all(&found.responder, &responder[..1]));
                }
            }
            Err(NoSelectors::Unacceptable) => assert!(!allowed.iter().any(accepts)),
            Err(NoSelectors::SinglePairRequired) => {
                assert!(allowed.iter().any(|a| a.single_pair));
            }
        }
        Ok(())
    });
}

// RFC 7296 §2.9: the bullets, with its own example.
#[test]
fn narrowing_of_the_example() {
    let policy = |initiator: &str| Allowed {
        initiator: vec![all(initiator)],
        responder: vec![all("192.0.2.0-192.0.2.255")],
        single_pair: false,
    };
    let tsi = [
        tcp("198.51.100.43", 1000, 1000),
        all("198.51.100.0-198.51.100.255"),
    ];
    let tsr = [tcp("192.0.2.123", 80, 80), all("192.0.2.0-192.0.2.255")];
    let offered = Offered {
        initiator: &tsi,
        responder: &tsr,
    };
    // All of it: the same values.
    let found = narrow(&[policy("198.51.0.0-198.51.255.255")], offered).unwrap();
    assert_eq!(
        (&found.initiator[..], &found.responder[..]),
        (&tsi[..], &tsr[..])
    );
    assert!(!found.additional_possible);
    // The first choice decides which of two.
    let parts = [
        policy("198.51.100.128-198.51.100.255"),
        policy("198.51.100.0-198.51.100.127"),
    ];
    let found = narrow(&parts, offered).unwrap();
    assert_eq!((found.allowed, found.additional_possible), (1, true));
    assert!(contains_all(&found.initiator, &tsi[..1]));
    // Not the first choice: something acceptable.
    let found = narrow(&parts[..1], offered).unwrap();
    assert_eq!(found.initiator, [all("198.51.100.128-198.51.100.255")]);
    assert!(!found.additional_possible);
    assert_eq!(
        narrow(&[policy("203.0.113.0-203.0.113.9")], offered),
        Err(NoSelectors::Unacceptable)
    );
    assert_eq!(
        NoSelectors::Unacceptable.notify(),
        NotifyType::TS_UNACCEPTABLE
    );
    assert_eq!(narrow(&[], offered), Err(NoSelectors::Unacceptable));
    // One pair at a time: the packet tells which.
    let single = Allowed {
        single_pair: true,
        ..policy("198.51.100.0-198.51.100.255")
    };
    let found = narrow(&[single.clone()], offered).unwrap();
    assert_eq!(found.initiator, [all("198.51.100.43")]);
    assert!(found.additional_possible);
    let wide = Offered {
        initiator: &tsi[1..],
        responder: &tsr[1..],
    };
    assert_eq!(
        narrow(&[single], wide),
        Err(NoSelectors::SinglePairRequired)
    );
    assert_eq!(
        NoSelectors::SinglePairRequired.notify(),
        NotifyType::SINGLE_PAIR_REQUIRED
    );
}

// RFC 7296 §2.9, §2.9.2: the answer is a subset, and a rekeyed SA is not narrower.
#[test]
fn answers() {
    let wide = [all("10.0.0.0-10.0.0.255")];
    let half = [all("10.0.0.0-10.0.0.127")];
    let both = |side| Offered {
        initiator: side,
        responder: side,
    };
    assert!(is_answer(both(&wide), both(&half), None));
    assert!(!is_answer(both(&half), both(&wide), None));
    assert!(!is_answer(both(&wide), both(&[]), None));
    assert!(!is_answer(both(&wide), both(&half), Some(both(&wide))));
    assert!(is_answer(both(&wide), both(&half), Some(both(&half))));
}

// RFC 7296 §2.23.1: transport mode has one address on each side, which is replaced by the one that is seen.
#[test]
fn transport_mode_behind_a_nat() {
    let mut tsi = [tcp("10.0.0.1", 5, 5), all("10.0.0.1")];
    let seen = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(
        substitute(&mut tsi, seen),
        Some(Replaced([10, 0, 0, 1].into()))
    );
    assert_eq!(tsi, [tcp("192.0.2.1", 5, 5), all("192.0.2.1")]);
    assert_eq!(
        substitute(&mut tsi, [10, 0, 0, 1].into()),
        Some(Replaced(seen))
    );
    for mut wrong in [
        vec![all("10.0.0.1-10.0.0.2")],
        vec![all("10.0.0.1"), all("10.0.0.2")],
        vec![Selector::of(AddressRange::one(Ipv6Addr::LOCALHOST.into()))],
        vec![],
    ] {
        let before = wrong.clone();
        assert_eq!(substitute(&mut wrong, seen), None);
        assert_eq!(wrong, before);
    }
}

// RFC 7296 §3.13, §3.13.1: ranges, OPAQUE, ICMP; RFC 7296 §2.9: unknown types are skipped.
#[test]
fn written_and_read() {
    assert_eq!(Ports::icmp(8, 0), Ports::Range(0x0800, 0x0800));
    assert_eq!(Ports::icmp_type(3), Ports::Range(0x0300, 0x03ff));
    let selectors = [
        tcp("10.0.0.1-10.0.0.9", 1, 2),
        Selector {
            ports: Ports::Opaque,
            ..all("0.0.0.0-255.255.255.255")
        },
        Selector::of(AddressRange::ALL_V6),
        Selector::of_packet([10, 0, 0, 1].into(), 17, Some(53)),
    ];
    let mut writer = PayloadWriter::new(1000);
    writer.selectors(true, &selectors).unwrap();
    let read = |octets: &[u8]| -> core::result::Result<Vec<Selector>, ParseError> {
        let payloads = Payloads::parse(writer.first(), octets, &Limits::default())?;
        match payloads.iter().next() {
            Some(Payload::TsI(found)) => Ok(found.iter().collect()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(read(writer.octets()).unwrap(), selectors);
    // The first selector begins at 8.
    let change = |at: usize, value: u8| {
        let mut octets = writer.octets().to_vec();
        octets[at] = value;
        octets
    };
    assert_eq!(read(&change(8, 77)).unwrap(), selectors[1..]);
    for (at, value) in [
        (4, 3),   // fewer than there are
        (4, 5),   // more
        (4, 0),   // none
        (8, 8),   // IPv6 with the length of IPv4
        (11, 15), // too short
        (11, 3),
        (12, 9),  // ports out of order
        (19, 99), // addresses out of order
    ] {
        let error = read(&change(at, value)).unwrap_err();
        assert_eq!(
            error.notify(),
            Some((NotifyType::INVALID_SYNTAX, None)),
            "{at} {value}"
        );
    }
}

#[test]
fn prefixes() {
    let address = IpAddr::from([10, 1, 2, 3]);
    assert_eq!(
        AddressRange::prefix(address, 8),
        Some(v4("10.0.0.0-10.255.255.255"))
    );
    assert_eq!(AddressRange::prefix(address, 0), Some(AddressRange::ALL_V4));
    assert_eq!(AddressRange::prefix(address, 32), Some(v4("10.1.2.3")));
    assert_eq!(AddressRange::prefix(address, 33), None);
    assert_eq!(
        AddressRange::prefix(Ipv6Addr::LOCALHOST.into(), 0),
        Some(AddressRange::ALL_V6)
    );
    assert_eq!(AddressRange::prefix(Ipv6Addr::LOCALHOST.into(), 129), None);
    assert_eq!(AddressRange::of([1; 4].into(), [0; 4].into()), None);
}
