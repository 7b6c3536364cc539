//! One association beside its cryptography alone, in one run: thread CPU time, medians of interleaved rounds, AES-128-GCM.
//!
//! `cargo bench -p hostward-ipsec --bench cpu_time` (`--features ipsec-mb` for that library too)
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench may panic"
)]

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use hostward_crypto::{Aead, Backend, Provider, Secret, backend};
use hostward_hook::Instant;
use hostward_hook::frame::{FrameBuf, SliceFrame};
use hostward_hook::ident::SaId;
use hostward_hook::protection::Encapsulation::Tunnel;
use hostward_ipsec::{Inbound, Outbound, Parameters, Suite};

const ROUNDS: usize = 41;
const NOW: Instant = Instant::from_secs(1);
const ROOM: usize = 64;
/// Packets that are worked on together.
const MANY: usize = 32;

struct Way {
    name: &'static str,
    /// Does `MANY` packets so many times and tells how long that took.
    run: Box<dyn FnMut(usize) -> Duration>,
    times: Vec<Duration>,
}

fn way(name: &'static str, run: impl FnMut(usize) -> Duration + 'static) -> Way {
    Way {
        name,
        run: Box::new(run),
        times: Vec::new(),
    }
}

fn parameters() -> Parameters {
    let ends = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let keys = Secret::new(vec![3; 20]);
    Parameters::new(SaId(1), 0x1000, Suite::AES_128_GCM, Tunnel, keys, ends).with_esn()
}

/// An inner packet.
fn inner(size: usize) -> Vec<u8> {
    let mut packet = vec![0x5a; size];
    packet[..4].copy_from_slice(&[0x45, 0, (size >> 8) as u8, size as u8]);
    packet[6..8].fill(0);
    packet
}

fn ways(backend: &'static dyn Backend, size: usize) -> Vec<Way> {
    let provider = Provider::of([backend]);
    let out = || Outbound::new(&provider, parameters(), NOW).unwrap();
    let into = || Inbound::new(&provider, parameters(), NOW).unwrap();
    let place = size + 2 * ROOM;
    // The octets of the inner packet, what becomes of them with padding and trailer, and whole blocks.
    let mut ways = vec![
        raw("raw", backend, size),
        raw("raw padded", backend, (size + 2).next_multiple_of(4)),
        raw("raw blocks", backend, (size + 2).next_multiple_of(16)),
    ];
    let blocks = || Outbound::new(&provider, parameters().with_whole_blocks(), NOW).unwrap();
    let forms: [(_, _, &dyn Fn() -> Outbound); 2] = [
        ("seal", "open", &out),
        ("seal blocks", "open blocks", &blocks),
    ];
    for (seal, open, make) in forms {
        let (mut one, mut memory) = (make(), vec![0x5a; place * MANY]);
        ways.push(way(seal, move |times| {
            let start = ThreadTime::now();
            for _ in 0..times {
                for memory in memory.chunks_exact_mut(place) {
                    let mut frame = SliceFrame::new(black_box(memory), ROOM, ROOM + size);
                    black_box(one.seal_payload(NOW, &mut frame, 4).unwrap());
                }
            }
            start.elapsed()
        }));
        let (mut one, mut other, mut memory) = (make(), into(), vec![0x5a; place * MANY]);
        ways.push(way(open, move |times| {
            let mut taken = Duration::ZERO;
            for _ in 0..times {
                let mut len = 0;
                for memory in memory.chunks_exact_mut(place) {
                    let mut frame = SliceFrame::new(memory, ROOM, ROOM + size);
                    one.seal_payload(NOW, &mut frame, 4).unwrap();
                    len = frame.bytes().len();
                }
                let start = ThreadTime::now();
                for memory in memory.chunks_exact_mut(place) {
                    let mut frame = SliceFrame::new(black_box(memory), ROOM - 16, ROOM - 16 + len);
                    black_box(other.open_payload(NOW, &mut frame).unwrap());
                }
                taken += start.elapsed();
            }
            taken
        }));
    }
    let (mut one, mut memory, packet) = (out(), vec![0; place * MANY], inner(size));
    ways.push(way("seal tunnel", move |times| {
        let mut taken = Duration::ZERO;
        for _ in 0..times {
            for memory in memory.chunks_exact_mut(place) {
                memory[ROOM..ROOM + size].copy_from_slice(&packet);
            }
            let start = ThreadTime::now();
            for memory in memory.chunks_exact_mut(place) {
                let mut frame = SliceFrame::new(black_box(memory), ROOM, ROOM + size);
                black_box(one.seal(NOW, &mut frame).unwrap());
            }
            taken += start.elapsed();
        }
        taken
    }));
    let (mut one, mut other) = (out(), into());
    let (mut memory, packet) = (vec![0; place * MANY], inner(size));
    ways.push(way("open tunnel", move |times| {
        let mut taken = Duration::ZERO;
        for _ in 0..times {
            let mut len = 0;
            for memory in memory.chunks_exact_mut(place) {
                memory[ROOM..ROOM + size].copy_from_slice(&packet);
                let mut frame = SliceFrame::new(memory, ROOM, ROOM + size);
                one.seal(NOW, &mut frame).unwrap();
                len = frame.bytes().len();
            }
            let start = ThreadTime::now();
            for memory in memory.chunks_exact_mut(place) {
                let mut frame = SliceFrame::new(black_box(memory), ROOM - 36, ROOM - 36 + len);
                black_box(other.open(NOW, &mut frame).unwrap());
            }
            taken += start.elapsed();
        }
        taken
    }));
    ways
}

/// The cryptography alone: ring by its own call, the others through the interface.
fn raw(name: &'static str, backend: &'static dyn Backend, size: usize) -> Way {
    let mut memory = vec![0x5a; (size + 2 * ROOM) * MANY];
    let mut each = move |times: usize, seal: &mut dyn FnMut(&mut [u8])| {
        let start = ThreadTime::now();
        for _ in 0..times {
            for memory in memory.chunks_exact_mut(size + 2 * ROOM) {
                seal(black_box(&mut memory[ROOM..ROOM + size]));
            }
        }
        start.elapsed()
    };
    if backend.name() == "ring" {
        use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[3; 16]).unwrap());
        return way(name, move |times| {
            each(times, &mut |data| {
                let nonce = Nonce::assume_unique_for_key(*black_box(&[7; 12]));
                let aad = Aad::from(black_box(&[9; 8][..]));
                let _ = black_box(key.seal_in_place_separate_tag(nonce, aad, data).unwrap());
            })
        });
    }
    let key = Provider::of([backend])
        .aead(Aead::AES_128_GCM, &[3; 16])
        .unwrap();
    way(name, move |times| {
        each(times, &mut |data| {
            let mut tag = [0; 16];
            let (nonce, aad) = (black_box(&[7; 12][..]), black_box(&[9; 8][..]));
            key.seal(nonce, aad, data, &mut tag).unwrap();
            black_box(tag);
        })
    })
}

fn main() {
    println!(
        "{:<12}{:>7}  {:<12}{:>8}{:>8}",
        "backend", "octets", "what", "ns", "share"
    );
    let backends = [
        backend::RING,
        backend::RUST_CRYPTO,
        #[cfg(feature = "ipsec-mb")]
        backend::IPSEC_MB,
    ];
    for backend in backends {
        for size in [64, 576, 1408] {
            let mut ways = ways(backend, size);
            let times = 20_000 / (size + 200);
            for round in 0..ROUNDS {
                for way in &mut ways {
                    let taken = (way.run)(times);
                    if round > 0 {
                        way.times.push(taken);
                    }
                }
            }
            let mut raw = None;
            for way in &mut ways {
                way.times.sort();
                let ns = way.times[way.times.len() / 2].as_nanos() as f64 / (times * MANY) as f64;
                let raw = *raw.get_or_insert(ns);
                println!(
                    "{:<12}{size:>7}  {:<12}{ns:>8.1}{:>8.2}",
                    backend.name(),
                    way.name,
                    raw / ns
                );
            }
        }
    }
}
