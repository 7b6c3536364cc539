//! Instructions of one association above its cryptography, by callgrind: sealing and opening 64 octets with AES-128-GCM of
//! ring, which are 68 with padding and trailer, beside the library's own call. An association may add 350 (365 where it opens);
//! the whole path (headers, look-up, association, outer header, check of what was inside) has a gate at what it takes now,
//! which is more than the 650 it should.
//!
//!     cargo bench -p hostward-ipsec --bench instructions
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "a bench may panic"
)]

use std::hint::black_box;

use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use hostward_crypto::{Provider, Secret, backend};
use hostward_hook::flow::HashKey;
use hostward_hook::frame::{FrameBuf, SliceFrame};
use hostward_hook::ident::{SaId, TunnelId};
use hostward_hook::protection::Encapsulation;
use hostward_hook::{Cx, Instant, Layout, Meta, Now, Packet, PacketTransform, Point, Verdict};
use hostward_ipsec::{
    Addresses, Directory, Entry, Inbound, Install, Ipsec, IpsecConfig, Outbound, Parameters,
    Processing, Selectors, Spd, Suite, Tunnel,
};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Packets of one benchmark; counts are for all of them.
const N: u64 = 100;
/// What an association may add to a packet's cryptography.
const ABOVE: u64 = 350;
/// The same for opening.
const ABOVE_OPEN: u64 = 365;
/// Ring's own counts for `N` times 68 octets, as measured with the version of the lock file.
const RING_SEAL: u64 = 95_814;
const RING_OPEN: u64 = 99_615;

const NOW: Instant = Instant::from_secs(1);
const SIZE: usize = 64;
const ROOM: usize = 64;
/// Octets that are encrypted: with padding and trailer.
const ENCRYPTED: usize = SIZE + 4;
const PLACE: usize = SIZE + 2 * ROOM;

/// With the outer header.
const ABOVE_TUNNEL: u64 = 520;
/// With headers, look-up and, where it is opened, the check of what was inside: 650 is the aim.
const ABOVE_SEAL_PATH: u64 = 1_610;
const ABOVE_OPEN_PATH: u64 = 1_160;

fn limit(raw: u64, above: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(
        Callgrind::default()
            .hard_limits([(EventKind::Ir, raw + N * above)])
            .clone(),
    );
    config
}

fn parameters() -> Parameters {
    let ends = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
    let keys = Secret::new(vec![3; 20]);
    Parameters::new(
        SaId(1),
        0x1000,
        Suite::AES_128_GCM,
        Encapsulation::Tunnel,
        keys,
        ends,
    )
    .with_esn()
}

/// An inner packet with room around it.
fn place() -> Vec<u8> {
    let mut memory = vec![0; PLACE];
    memory[ROOM..ROOM + 4].copy_from_slice(&[0x45, 0, 0, SIZE as u8]);
    memory
}

fn outbound() -> (Outbound, Vec<u8>) {
    let provider = Provider::of([backend::RING]);
    let out = Outbound::new(&provider, parameters(), NOW).unwrap();
    (out, place().repeat(N as usize))
}

/// Sealed packets, how long they are, and where they begin.
fn inbound(whole: bool) -> (Inbound, Vec<u8>, usize, usize) {
    let provider = Provider::of([backend::RING]);
    let into = Inbound::new(&provider, parameters(), NOW).unwrap();
    let (mut out, mut all) = outbound();
    let mut len = 0;
    for memory in all.chunks_exact_mut(PLACE) {
        let mut frame = SliceFrame::new(memory, ROOM, ROOM + SIZE);
        if whole {
            out.seal(NOW, &mut frame).unwrap();
        } else {
            out.seal_payload(NOW, &mut frame, 4).unwrap();
        }
        len = frame.bytes().len();
    }
    (into, all, len, if whole { ROOM - 36 } else { ROOM - 16 })
}

#[library_benchmark]
#[bench::ring(setup = outbound, config = limit(RING_SEAL, ABOVE))]
fn seal((mut out, mut all): (Outbound, Vec<u8>)) -> (Outbound, Vec<u8>) {
    for memory in all.chunks_exact_mut(PLACE) {
        let mut frame = SliceFrame::new(memory, ROOM, ROOM + SIZE);
        black_box(out.seal_payload(NOW, black_box(&mut frame), 4).unwrap());
    }
    (out, all)
}

#[library_benchmark]
#[bench::ring(setup = outbound, config = limit(RING_SEAL, ABOVE_TUNNEL))]
fn seal_tunnel((mut out, mut all): (Outbound, Vec<u8>)) -> (Outbound, Vec<u8>) {
    for memory in all.chunks_exact_mut(PLACE) {
        let mut frame = SliceFrame::new(memory, ROOM, ROOM + SIZE);
        black_box(out.seal(NOW, black_box(&mut frame)).unwrap());
    }
    (out, all)
}

#[library_benchmark]
#[bench::ring(args = (false), setup = inbound, config = limit(RING_OPEN, ABOVE_OPEN))]
fn open((mut into, mut all, len, begin): (Inbound, Vec<u8>, usize, usize)) -> (Inbound, Vec<u8>) {
    for memory in all.chunks_exact_mut(PLACE) {
        let mut frame = SliceFrame::new(memory, begin, begin + len);
        black_box(into.open_payload(NOW, black_box(&mut frame)).unwrap());
    }
    (into, all)
}

#[library_benchmark]
#[bench::ring(args = (true), setup = inbound, config = limit(RING_OPEN, ABOVE_TUNNEL))]
fn open_tunnel(
    (mut into, mut all, len, begin): (Inbound, Vec<u8>, usize, usize),
) -> (Inbound, Vec<u8>) {
    for memory in all.chunks_exact_mut(PLACE) {
        let mut frame = SliceFrame::new(memory, begin, begin + len);
        black_box(into.open(NOW, black_box(&mut frame)).unwrap());
    }
    (into, all)
}

const T: TunnelId = TunnelId(0);

/// A host with one tunnel, and its policy; `far` is the other one.
fn host(far: bool) -> (Ipsec, Spd) {
    let directory = std::sync::Arc::new(Directory::new(1, HashKey::new([9; 16])));
    let provider = Provider::of([backend::RING]);
    let mut ipsec = Ipsec::new(IpsecConfig::default(), directory, provider);
    ipsec.set_tunnel(Tunnel::dynamic(T, "t")).unwrap();
    let net = |of: [u8; 4]| Addresses::prefix(of.into(), 16).unwrap();
    let (near, away) = (net([10, 1, 0, 0]), net([10, 2, 0, 0]));
    let (local, remote) = if far { (away, near) } else { (near, away) };
    let selectors = Selectors::between(local, remote);
    let half = |spi| {
        let mut p = parameters();
        p.spi = spi;
        if far {
            (p.local, p.remote) = (p.remote, p.local);
        }
        p
    };
    let (mine, theirs) = if far {
        (0x1000, 0x1001)
    } else {
        (0x1001, 0x1000)
    };
    let install = Install::new(T, [selectors], half(mine), half(theirs));
    let (mut events, mut actions) = ((), ());
    let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
    ipsec.install(&mut cx, install).unwrap();
    let entry = Entry::new("all", [selectors], Processing::Protect(T));
    (ipsec, Spd::new([entry]))
}

fn sender() -> (Ipsec, Spd, Vec<u8>) {
    let (ipsec, policy) = host(false);
    let mut memory = place();
    memory[ROOM + 8..ROOM + 20].copy_from_slice(&[64, 17, 0, 0, 10, 1, 0, 1, 10, 2, 0, 1]);
    (ipsec, policy, memory.repeat(N as usize))
}

#[library_benchmark]
#[bench::ring(setup = sender, config = limit(RING_SEAL, ABOVE_SEAL_PATH))]
fn seal_path((mut ipsec, policy, mut all): (Ipsec, Spd, Vec<u8>)) -> (Ipsec, Spd, Vec<u8>) {
    let (mut events, mut actions) = ((), ());
    let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
    let meta = Meta::new(Point::LocalOut, Now::default());
    for memory in all.chunks_exact_mut(PLACE) {
        let mut frame = SliceFrame::new(memory, ROOM, ROOM + SIZE);
        let verdict = ipsec.outbound(&mut cx, &policy, meta, black_box(&mut frame));
        assert_eq!(verdict, Verdict::Continue);
    }
    (ipsec, policy, all)
}

/// The layout is the guard's, which has parsed the packet before anything else.
fn receiver() -> (Ipsec, Layout, Vec<u8>) {
    let (mut out, policy, mut all) = sender();
    let mut layout = Layout::default();
    let (mut events, mut actions) = ((), ());
    let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
    let meta = Meta::new(Point::LocalOut, Now::default());
    for memory in all.chunks_exact_mut(PLACE) {
        let mut frame = SliceFrame::new(memory, ROOM, ROOM + SIZE);
        let verdict = out.outbound(&mut cx, &policy, meta, &mut frame);
        assert_eq!(verdict, Verdict::Continue);
        layout = *Packet::parse(frame.bytes(), meta).layout();
    }
    (host(true).0, layout, all)
}

#[library_benchmark]
#[bench::ring(setup = receiver, config = limit(RING_OPEN, ABOVE_OPEN_PATH))]
fn open_path((mut ipsec, layout, mut all): (Ipsec, Layout, Vec<u8>)) -> (Ipsec, Vec<u8>) {
    let (mut events, mut actions) = ((), ());
    let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
    for memory in all.chunks_exact_mut(PLACE) {
        let begin = ROOM - 36;
        let mut frame = SliceFrame::new(memory, begin, begin + layout.end());
        ipsec.open(&mut cx, &layout, black_box(&mut frame)).unwrap();
    }
    (ipsec, all)
}

fn key() -> (LessSafeKey, Vec<u8>) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[3; 16]).unwrap());
    (key, vec![0x5a; ENCRYPTED * N as usize])
}

#[library_benchmark]
#[bench::ring(setup = key)]
fn raw_seal((key, mut all): (LessSafeKey, Vec<u8>)) -> (LessSafeKey, Vec<u8>) {
    for data in all.chunks_exact_mut(ENCRYPTED) {
        let nonce = Nonce::assume_unique_for_key(*black_box(&[7; 12]));
        let aad = Aad::from(black_box(&[9; 8][..]));
        let tag = black_box(&key)
            .seal_in_place_separate_tag(nonce, aad, black_box(data))
            .unwrap();
        let _ = black_box(tag);
    }
    (key, all)
}

fn sealed() -> (LessSafeKey, Vec<u8>, ring::aead::Tag) {
    let (key, mut all) = key();
    let mut made = None;
    for data in all.chunks_exact_mut(ENCRYPTED) {
        let nonce = Nonce::assume_unique_for_key([7; 12]);
        made = key
            .seal_in_place_separate_tag(nonce, Aad::from(&[9; 8]), data)
            .ok();
    }
    (key, all, made.unwrap())
}

#[library_benchmark]
#[bench::ring(setup = sealed)]
fn raw_open(
    (key, mut all, tag): (LessSafeKey, Vec<u8>, ring::aead::Tag),
) -> (LessSafeKey, Vec<u8>) {
    for data in all.chunks_exact_mut(ENCRYPTED) {
        let nonce = Nonce::assume_unique_for_key(*black_box(&[7; 12]));
        let aad = Aad::from(black_box(&[9; 8][..]));
        let opened =
            black_box(&key).open_in_place_separate_tag(nonce, aad, tag, black_box(data), 0..);
        let _ = black_box(opened.unwrap());
    }
    (key, all)
}

library_benchmark_group!(
    name = association;
    benchmarks = seal, seal_tunnel, seal_path, open, open_tunnel, open_path, raw_seal, raw_open
);
main!(library_benchmark_groups = association);
