//! Policy databases of arbitrary entries: look-ups are those of a naive model, and what is made for a packet
//! means the packet.
//!
//! `cargo +nightly fuzz run spd`

#![no_main]

use std::net::IpAddr;

use hostward::hook::ident::TunnelId;
use hostward::hook::{Direction, Instant, Meta, Now, Packet, Point, UnixTime};
use hostward::ipsec::{
    Addresses, Entry, FromPacket, Policy as _, Ports, Processing, Selectors, Spd, Traffic, Upper,
    Way,
};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

const PROTOCOLS: [u8; 8] = [6, 17, 1, 58, 50, 132, 135, 0];

fn address(u: &mut Unstructured<'_>) -> Result<IpAddr> {
    Ok(match u.int_in_range(0..=7u8)? {
        0 => IpAddr::from(u.arbitrary::<[u8; 4]>()?),
        1 => IpAddr::from(u.arbitrary::<[u8; 16]>()?),
        2..=5 => IpAddr::from([10, 0, 0, u.int_in_range(0..=7u8)?]),
        _ => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u.int_in_range(0..=7u16)?]),
    })
}

fn addresses(u: &mut Unstructured<'_>) -> Result<Addresses> {
    let (a, b) = (address(u)?, address(u)?);
    Ok(match u.int_in_range(0..=4u8)? {
        0 => Addresses::ANY_V4,
        1 => Addresses::ANY_V6,
        2 => Addresses::one(a),
        3 => Addresses::prefix(a, u.arbitrary()?).unwrap_or(Addresses::one(b)),
        _ => Addresses::range(a, b).unwrap_or(Addresses::one(b)),
    })
}

fn ports(u: &mut Unstructured<'_>) -> Result<Ports> {
    let (a, b) = (u.int_in_range(0..=6u16)?, u.arbitrary::<u16>()?);
    Ok(match u.int_in_range(0..=4u8)? {
        0 => Ports::Opaque,
        1 => Ports::one(a),
        2 => Ports::Range(a.min(b), a.max(b)),
        _ => Ports::Any,
    })
}

fn selectors(u: &mut Unstructured<'_>) -> Result<Selectors> {
    Ok(Selectors {
        local: addresses(u)?,
        remote: addresses(u)?,
        upper: match u.int_in_range(0..=4u8)? {
            0 => Upper::Opaque,
            1 | 2 => Upper::Number(*u.choose(&PROTOCOLS)?),
            _ => Upper::Any,
        },
        local_ports: ports(u)?,
        remote_ports: ports(u)?,
    })
}

fn port(u: &mut Unstructured<'_>) -> Result<Option<u16>> {
    Ok(u.ratio(3, 4)?.then_some(u.int_in_range(0..=8u16)?))
}

fn naive(entries: &[Entry], t: &Traffic, direction: Direction) -> Option<usize> {
    let within =
        |a: &Addresses, x: IpAddr| a.is_v6() == x.is_ipv6() && a.first() <= x && x <= a.last();
    let port = |p: Ports, x: Option<u16>| match p {
        Ports::Any => true,
        Ports::Opaque => x.is_none(),
        Ports::Range(a, b) => x.is_some_and(|x| (a..=b).contains(&x)),
    };
    entries.iter().position(|e| {
        let way = match e.way {
            Way::Both => true,
            Way::Inbound => direction == Direction::Inbound,
            Way::Outbound => direction == Direction::Outbound,
        };
        way && e.selectors.iter().any(|s| {
            within(&s.local, t.local)
                && within(&s.remote, t.remote)
                && match s.upper {
                    Upper::Any => true,
                    Upper::Opaque => t.protocol.is_none(),
                    Upper::Number(n) => t.protocol == Some(n),
                }
                && port(s.local_ports, t.local_port)
                && port(s.remote_ports, t.remote_port)
        })
    })
}

fn run(u: &mut Unstructured<'_>) -> Result<()> {
    let mut entries = Vec::new();
    for n in 0..u.int_in_range(0..=24u32)? {
        let mut all = Vec::new();
        for _ in 0..u.int_in_range(0..=4u8)? {
            all.push(selectors(u)?);
        }
        let processing = *u.choose(&[
            Processing::Discard,
            Processing::Bypass,
            Processing::Protect(TunnelId(n)),
        ])?;
        let flags = FromPacket {
            local: u.arbitrary()?,
            remote: u.arbitrary()?,
            upper: u.arbitrary()?,
            local_port: u.arbitrary()?,
            remote_port: u.arbitrary()?,
        };
        let way = *u.choose(&[Way::Both, Way::Inbound, Way::Outbound])?;
        entries.push(Entry::new("e", all, processing).way(way).from_packet(flags));
    }
    let spd = Spd::new(entries.clone());
    while !u.is_empty() {
        let direction = *u.choose(&[Direction::Inbound, Direction::Outbound])?;
        let traffic = if u.ratio(1, 4)? {
            // What a packet shows, whatever it is.
            let point = match direction {
                Direction::Inbound => Point::LocalIn,
                Direction::Outbound => Point::LocalOut,
            };
            let now = Now::new(Instant::ZERO, UnixTime::EPOCH);
            let length = u.arbitrary_len::<u8>()?.min(120);
            match Traffic::of(&Packet::parse(u.bytes(length)?, Meta::new(point, now))) {
                Some(traffic) => traffic,
                None => continue,
            }
        } else {
            Traffic {
                local: address(u)?,
                remote: address(u)?,
                protocol: u.ratio(5, 6)?.then_some(*u.choose(&PROTOCOLS)?),
                local_port: port(u)?,
                remote_port: port(u)?,
            }
        };
        let found = naive(&entries, &traffic, direction);
        assert_eq!(spd.first_match(&traffic, direction), found, "{traffic:?}");
        let decision = spd.decide(&traffic, direction);
        let expected = found.map_or(Processing::Discard, |at| entries[at].processing);
        assert_eq!(decision.processing, expected);
        let made = spd.narrow(&traffic, &decision);
        assert!(made.matches(&traffic), "{made:?} {traffic:?}");
        // An association means no more than its entry, unless the packet shows what the entry does not
        // distinguish.
        if let Some(entry) = found.map(|at| &entries[at])
            && entry.from_packet == FromPacket::default()
        {
            assert!(entry.selectors.contains(&made));
        }
        for s in entries.iter().flat_map(|e| &e.selectors) {
            if s.covers(&traffic.selectors()) {
                assert!(s.matches(&traffic), "{s:?} {traffic:?}");
            }
        }
    }
    Ok(())
}

fuzz_target!(|input: &[u8]| {
    let _ = run(&mut Unstructured::new(input));
});
