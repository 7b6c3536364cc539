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
use hostward::filter::{Action, Filter, Remembered, Rule, RuleSet};
use hostward::hook::action::Cx;
use hostward::hook::flow::{FlowConfig, FlowKey, FlowTable, Found, HashKey};
use hostward::hook::fragment::FragmentReassembler;
use hostward::hook::frame::VecFrame;
use hostward::hook::hooks::Interest;
use hostward::hook::layout::Layout;
use hostward::hook::link::Ethernet;
use hostward::hook::stream::{Reassembler, Segment, StreamSink, StreamState};
use hostward::hook::{
    Checksums, FlowId, FlowInfo, Meta, Now, Packet, PacketFilter as _, Point, Side, Verdict,
};
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

/// The filter's answer for packets of flows it knows: the flow look-up and what the flow
/// remembers, counters included.
fn known_flows() {
    for flows in [1_000_usize, 1_000_000] {
        let mut t: FlowTable<Remembered> = FlowTable::new(
            FlowConfig {
                capacity: flows,
                ..FlowConfig::default()
            },
            HashKey::new(*b"not so random 16"),
        );
        let meta = Meta::new(Point::LocalIn, Now::default());
        let mut list = Vec::new();
        for i in 0..flows as u32 {
            let [a, b, c, d] = i.to_be_bytes();
            let mut p = vec![
                0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, b, c, d, 192, 0, 2, 1,
            ];
            p.extend((1024 + u16::from(a)).to_be_bytes());
            p.extend([
                1, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 4, 0, 0, 0, 0, 0,
            ]);
            let packet = Packet::parse(&p, meta);
            let key = packet.key().unwrap();
            if t.insert(&key, &meta, meta.direction(), 0).is_ok() {
                list.push((key, p));
            }
        }
        let mut x = 0x9e37_79b9_7f4a_7c15_u64;
        for i in (1..list.len()).rev() {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            list.swap(i, (x % (i as u64 + 1)) as usize);
        }
        // One packet stands for all: what a device has just received is in the cache, and nothing
        // but its flow tells a remembered answer.
        let packet = Packet::parse(&list[0].1, meta);
        let packet = &packet;
        let keys: Vec<Option<FlowKey>> = list.iter().map(|(k, _)| Some(*k)).collect();
        let rules = vec![Rule::new("all", Action::Permit)];
        let mut filter = Filter::new(Arc::new(RuleSet::new(rules, 1)));
        let mut found: Vec<Option<Found>> = vec![None; 256];
        let repeat = (1_000_000 / flows).max(1);
        let n = keys.len() * repeat;
        let (t, f) = (
            std::cell::RefCell::new(t),
            std::cell::RefCell::new(&mut filter),
        );
        let (t, f) = (&t, &f);
        let keys = &keys;
        let decide = |t: &mut FlowTable<Remembered>, found: Found, packet: &Packet<'_>| {
            let (mut events, mut actions) = ((), ());
            let mut cx = Cx::new(packet.meta.now, &mut events, &mut actions);
            let mut f = f.borrow_mut();
            let mut verdict = f.decide_noted(&mut cx, packet, t.note(found));
            if verdict.is_none()
                && let Some((_, slot)) = t.slot_mut(found.id)
            {
                verdict = Some(f.decide(&mut cx, packet, Some((found.from, &mut *slot))));
                if let Some(note) = f.note(slot, found.from) {
                    t.set_note(found, note);
                }
            }
            let _ = black_box(verdict);
        };
        table(
            &format!(
                "filter, packets of {} known flows in random order",
                keys.len()
            ),
            vec![
                row("single", n, move || {
                    let mut t = t.borrow_mut();
                    for _ in 0..repeat {
                        for k in keys {
                            let found = t.lookup(black_box(k.as_ref().unwrap())).unwrap();
                            decide(&mut t, found, black_box(packet));
                        }
                    }
                }),
                row("batched", n, move || {
                    let mut t = t.borrow_mut();
                    for _ in 0..repeat {
                        for k in keys.chunks(256) {
                            let found = &mut found[..k.len()];
                            t.lookup_batch(k, found);
                            for found in found.iter() {
                                decide(&mut t, found.unwrap(), black_box(packet));
                            }
                        }
                    }
                }),
            ],
        );
    }
}

/// A capture of the project's own, or that named by `HOSTWARD_BENCH_CAPTURE` (classic pcap,
/// Ethernet), as IP packets.
fn capture() -> Vec<Vec<u8>> {
    std::env::var("HOSTWARD_BENCH_CAPTURE")
        .map_or_else(|_| packets::own_capture(), packets::capture)
}

/// Stream and fragment reassembly.
fn reassembly() {
    const N: usize = 10_000;
    let payload = [7; 1_000];
    let key = FlowKey::v4([10, 0, 0, 1, 192, 0, 2, 1], 40_000, 443, 6);
    let flow = FlowInfo::new(FlowId::from_u64(1), key, &Meta::default(), 1);
    let flow = &flow;
    let segments = |swap: bool| -> Vec<Segment<'_>> {
        let mut list: Vec<_> = (0..N as u32)
            .map(|i| Segment {
                seq: i * 1_000,
                ack: 1,
                flags: 0x10,
                window: 60_000,
                payload: &payload,
                ..Segment::default()
            })
            .collect();
        if swap {
            list[1..]
                .chunks_exact_mut(2)
                .for_each(|pair| pair.swap(0, 1));
        }
        list
    };
    let feed = |r: &mut Reassembler, list: &[Segment<'_>]| {
        let (mut events, mut actions) = ((), ());
        let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
        let mut state = StreamState::default();
        for s in list {
            r.segment(&mut state, &mut cx, flow, Side::Initiator, s, &mut Discard);
        }
        r.finish(&mut state, &mut cx, flow, &mut Discard);
    };
    let (in_order, swapped) = (segments(false), segments(true));
    let (mut a, mut b) = (Reassembler::default(), Reassembler::default());
    let fragments = packets::fragments(N / 3);
    let mut f = FragmentReassembler::default();
    table(
        "reassembly, 1,000-byte segments and fragments of 24 bytes, per packet",
        vec![
            row("stream, in order", N, move || feed(&mut a, &in_order)),
            row("stream, every pair swapped", N, move || {
                feed(&mut b, &swapped)
            }),
            row(
                "fragments, three to a datagram",
                fragments.len(),
                move || {
                    let (mut events, mut actions) = ((), ());
                    let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
                    for p in &fragments {
                        let packet = Packet::parse(p, Meta::default());
                        let _ = black_box(f.push(&packet, &mut cx));
                    }
                },
            ),
        ],
    );
}

struct Discard;

impl StreamSink for Discard {
    fn bytes(&mut self, _: &mut Cx<'_>, _: &FlowInfo, _: Side, data: &[u8]) -> Interest {
        black_box(data);
        Interest::More
    }

    fn gap(&mut self, _: &mut Cx<'_>, _: &FlowInfo, _: Side, _: u32) -> Interest {
        Interest::More
    }
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
    known_flows();
    reassembly();
    guard_pass();
}
