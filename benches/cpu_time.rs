//! Thread CPU time of the packet path's steps, beside peers, in one run.
//!
//! Times on shared machines are noisy: rounds of all candidates are interleaved, the median is
//! printed, and only ratios inside one run mean something. The gate is `instructions`.
//!
//!     cargo bench --bench cpu_time

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench may panic"
)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cpu_time::ThreadTime;
use hostward::filter::{Action, Filter, Rule, RuleSet};
use hostward::hook::flow::{FlowConfig, FlowKey, FlowTable, Found, HashKey};
use hostward::hook::frame::VecFrame;
use hostward::hook::layout::Layout;
use hostward::hook::link::Ethernet;
use hostward::hook::{Checksums, Meta, Now, Point, Verdict};
use hostward::ids::Ids;
use hostward::zert::Zert;
use hostward::{Guard, GuardConfig};

mod packets;

const ROUNDS: usize = 15;

struct Row<'a> {
    name: &'a str,
    per_round: u64,
    run: Box<dyn FnMut() + 'a>,
    times: Vec<Duration>,
}

fn row<'a>(name: &'a str, per_round: usize, run: impl FnMut() + 'a) -> Row<'a> {
    Row {
        name,
        per_round: per_round as u64,
        run: Box::new(run),
        times: Vec::new(),
    }
}

fn table(title: &str, mut rows: Vec<Row<'_>>) {
    for round in 0..=ROUNDS {
        for r in &mut rows {
            let start = ThreadTime::now();
            (r.run)();
            let took = start.elapsed();
            if round > 0 {
                r.times.push(took);
            }
        }
    }
    println!("\n{title}");
    for r in &mut rows {
        r.times.sort();
        let median = r.times[r.times.len() / 2].as_nanos() as f64 / r.per_round as f64;
        let least = r.times[0].as_nanos() as f64 / r.per_round as f64;
        println!("  {:<44} {median:8.1} ns  (least {least:.1})", r.name);
    }
}

fn layout() {
    let hot = 2_000;
    let repeat = 50;
    for (title, frames) in [
        (
            "TCP/IPv4 in Ethernet",
            packets::frames(hot, packets::Kind::Tcp4),
        ),
        (
            "TCP/IPv4 in Ethernet with VLAN",
            packets::frames(hot, packets::Kind::Tcp4Vlan),
        ),
        (
            "TCP/IPv6 with two extension headers",
            packets::frames(hot, packets::Kind::Tcp6Extensions),
        ),
        ("UDP/IPv4", packets::frames(hot, packets::Kind::Udp4)),
    ] {
        let frames = &frames;
        let each = move |f: &mut dyn FnMut(&[u8])| {
            for _ in 0..repeat {
                for frame in frames {
                    f(black_box(frame));
                }
            }
        };
        let n = hot * repeat;
        table(
            &format!("header parse, {title}, hot, per packet"),
            vec![
                row("hostward: Ethernet and Layout", n, move || {
                    each(&mut |f| {
                        let e = Ethernet::parse(f).unwrap();
                        black_box(Layout::parse(&f[e.payload..]));
                    });
                }),
                row("hostward: Layout alone", n, move || {
                    each(&mut |f| {
                        let at = if f[12] == 0x81 { 18 } else { 14 };
                        black_box(Layout::parse(&f[at..]));
                    });
                }),
                row("etherparse: SlicedPacket", n, move || {
                    each(&mut |f| {
                        let _ = black_box(etherparse::SlicedPacket::from_ethernet(f));
                    });
                }),
                row("etherparse: LaxSlicedPacket", n, move || {
                    each(&mut |f| {
                        let _ = black_box(etherparse::LaxSlicedPacket::from_ethernet(f));
                    });
                }),
            ],
        );
    }
}

fn flow_lookup() {
    for flows in [1_000_usize, 1_000_000] {
        let mut t: FlowTable<[u64; 4]> = FlowTable::new(
            FlowConfig {
                capacity: flows,
                ..FlowConfig::default()
            },
            HashKey::new(*b"not so random 16"),
        );
        let meta = Meta::new(Point::LocalOut, Now::default());
        let mut keys = Vec::new();
        for i in 0..flows as u32 {
            let [a, b, c, d] = i.to_be_bytes();
            let src: SocketAddr = ([10, b, c, d], 1024 + (a as u16)).into();
            let key = FlowKey::new(src, ([192, 0, 2, 1], 443).into(), 6).unwrap();
            if t.insert(&key, &meta, meta.direction(), 0).is_ok() {
                keys.push(Some(if i % 2 == 0 { key } else { key.reversed() }));
            }
        }
        // A fixed shuffle, so that the order of look-ups has nothing to do with memory.
        let mut x = 0x9e37_79b9_7f4a_7c15_u64;
        for i in (1..keys.len()).rev() {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            keys.swap(i, (x % (i as u64 + 1)) as usize);
        }
        let repeat = (1_000_000 / flows).max(1);
        let n = keys.len() * repeat;
        let mut found: Vec<Option<Found>> = vec![None; keys.len()];
        let (t, keys) = (&t, &keys);
        table(
            &format!(
                "flow look-up, {} flows in random order, per packet",
                keys.len()
            ),
            vec![
                row("single", n, move || {
                    for _ in 0..repeat {
                        for k in keys {
                            black_box(t.lookup(black_box(k.as_ref().unwrap())));
                        }
                    }
                }),
                row("batched", n, move || {
                    for _ in 0..repeat {
                        for (k, f) in keys.chunks(256).zip(found.chunks_mut(256)) {
                            t.lookup_batch(k, f);
                        }
                        black_box(&found);
                    }
                }),
            ],
        );
    }
}

/// A capture of the project's own, or that named by `HOSTWARD_BENCH_CAPTURE` (classic pcap,
/// Ethernet), as IP packets.
fn capture() -> Vec<Vec<u8>> {
    let own = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/captures/tls12-client-certificate.pcap"
    );
    let path = std::env::var("HOSTWARD_BENCH_CAPTURE").unwrap_or_else(|_| own.into());
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
        packets.extend(Ethernet::ip_packet(frame).map(<[u8]>::to_vec));
        rest = next;
    }
    packets
}

fn guard() -> Guard {
    let rules = RuleSet::new(vec![Rule::new("all", Action::Permit)], 1);
    Guard::new(GuardConfig::default(), HashKey::new(*b"not so random 16"))
        .filter(Filter::new(Arc::new(rules)))
        .ids(Ids::default())
        .zert(Zert::default())
}

fn guard_pass() {
    let streams = packets::conversations(1_000, 40);
    let captured = capture();
    for (title, packets) in [
        (
            "1,000 TCP connections, 300 and 900 bytes a packet",
            &streams,
        ),
        ("a capture with TLS handshakes", &captured),
    ] {
        let mut frames: Vec<_> = packets
            .iter()
            .map(|p| {
                let mut f = VecFrame::new(0, 65_535);
                f.set(p);
                f
            })
            .collect();
        let mut again = frames.clone();
        let metas: Vec<_> = packets
            .iter()
            .map(|p| {
                let point = if p[12] == 192 {
                    Point::LocalOut
                } else {
                    Point::LocalIn
                };
                Meta::new(point, Now::default()).with_checksums(Checksums::Verified)
            })
            .collect();
        let mut verdicts = vec![Verdict::Continue; packets.len()];
        let (mut one, mut many) = (guard(), guard());
        let repeat = (40_000 / packets.len()).max(1);
        let n = packets.len() * repeat;
        let metas = &metas;
        table(
            &format!("guard with filter, ids and zert, {title}, per packet"),
            vec![
                row("single", n, move || {
                    for _ in 0..repeat {
                        for (f, m) in frames.iter_mut().zip(metas) {
                            let _ = black_box(one.packet(f, *m, &mut ()));
                        }
                        one.finish(Now::default(), &mut ());
                    }
                }),
                row("batched", n, move || {
                    for _ in 0..repeat {
                        many.batch(&mut again, metas, &mut verdicts, &mut ());
                        many.finish(Now::default(), &mut ());
                    }
                }),
            ],
        );
    }
}

fn main() {
    if std::env::var_os("FLOW_ONLY").is_none() {
        layout();
    }
    flow_lookup();
    guard_pass();
}
