//! Large rule sets of the shapes that break classifiers, made from a seed.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several tests and benches, each of which needs a part"
)]

use hostward_filter::classifier::{Key, Pattern, Protocol, Service};

/// A generator of numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    fn word(&mut self) -> u32 {
        self.next() as u32
    }

    fn number(&mut self) -> u16 {
        self.next() as u16
    }

    fn words(&mut self) -> (u32, u32) {
        let (a, b) = (self.word(), self.word());
        (a.min(b), a.max(b))
    }

    fn numbers(&mut self) -> (u16, u16) {
        let (a, b) = (self.number(), self.number());
        (a.min(b), a.max(b))
    }

    fn prefix(&mut self, len: u32) -> (u32, u32) {
        let host = u32::MAX.checked_shr(len).unwrap_or(0);
        let a = self.word();
        (a & !host, a | host)
    }
}

/// The shapes by name.
pub const SHAPES: [&str; 10] = [
    "all overlapping: ranges in four fields",
    "all overlapping: short prefixes",
    "only source addresses",
    "only destination addresses",
    "only destination ports, ranges",
    "only ports, ranges on both sides",
    "one prefix length, 16 on both sides",
    "port ranges everywhere, networks",
    "scattered hosts",
    "a chain of nested prefixes",
];

/// One rule of a shape.
fn rule(shape: usize, r: &mut Random) -> Pattern<u32> {
    let mut p = Pattern::ANY;
    let service = &mut p.service;
    match shape {
        0 => {
            p.source = r.words();
            p.destination = r.words();
            service.a = r.numbers();
            service.b = r.numbers();
        }
        1 => {
            let (s, d) = (r.below(9) as u32, r.below(9) as u32);
            p.source = r.prefix(s);
            p.destination = r.prefix(d);
            service.protocol = Protocol::Is(6);
            let port = r.below(2000) as u16;
            service.b = (port, port);
        }
        2 => {
            let len = 8 + r.below(25) as u32;
            p.source = r.prefix(len);
        }
        3 => {
            let len = 8 + r.below(25) as u32;
            p.destination = r.prefix(len);
        }
        4 => service.b = r.numbers(),
        5 => {
            service.a = r.numbers();
            service.b = r.numbers();
        }
        6 => {
            p.source = r.prefix(16);
            p.destination = r.prefix(16);
        }
        7 => {
            // A thousand networks, two thousand hosts.
            let networks = Random(r.below(1000)).next() as u32;
            p.source = (networks & !0xff, networks | 0xff);
            let host = Random(r.below(2000) + 5000).next() as u32;
            p.destination = (host, host);
            service.protocol = Protocol::Is(if r.below(2) == 0 { 6 } else { 17 });
            service.a = r.numbers();
            service.b = r.numbers();
        }
        8 => {
            p.source = r.prefix(32);
            p.destination = r.prefix(32);
            service.protocol = Protocol::Is(6);
            let port = r.below(100) as u16;
            service.b = (port, port);
        }
        _ => {
            // All prefixes of a few addresses, the long ones first.
            let (s, d) = (r.below(33) as u32, r.below(33) as u32);
            let of = |r: &mut Random, len: u32| {
                let host = u32::MAX.checked_shr(len).unwrap_or(0);
                let a = Random(r.below(4)).next() as u32;
                (a & !host, a | host)
            };
            p.source = of(r, s);
            p.destination = of(r, d);
            let port = r.below(500) as u16;
            service.b = (port, port);
        }
    }
    p
}

/// A set of a shape and headers for it: a random point of a random rule each, or noise.
pub fn set(shape: usize, rules: usize, headers: usize) -> (Vec<Pattern<u32>>, Vec<Key<u32>>) {
    let mut r = Random(shape as u64 * 1000 + 17);
    let patterns: Vec<Pattern<u32>> = (0..rules).map(|_| rule(shape, &mut r)).collect();
    let keys = (0..headers)
        .map(|_| {
            let p = &patterns[r.below(rules as u64) as usize];
            let noise = r.below(20) == 0;
            let p = if noise { Pattern::ANY } else { *p };
            let address = |r: &mut Random, (low, high): (u32, u32)| {
                low + r.below(u64::from(high - low) + 1) as u32
            };
            let number = |r: &mut Random, (low, high): (u16, u16)| {
                low + r.below(u64::from(high - low) + 1) as u16
            };
            Key {
                source: address(&mut r, p.source),
                destination: address(&mut r, p.destination),
                a: number(&mut r, p.service.a),
                b: number(&mut r, p.service.b),
                protocol: match p.service.protocol {
                    Protocol::Is(n) => n,
                    Protocol::Any | Protocol::Opaque => 6,
                },
                ..Key::default()
            }
        })
        .collect();
    (patterns, keys)
}

/// The service that asks nothing, for tests that build on a shape.
pub const ANY: Service = Service::ANY;
