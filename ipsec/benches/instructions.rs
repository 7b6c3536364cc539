//! Instructions of one association above its cryptography, by callgrind: sealing and opening 64 octets with AES-128-GCM of
//! ring, which are 68 with padding and trailer. At most 350 above the library's own call, which is measured beside them.
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
use hostward_hook::Instant;
use hostward_hook::frame::{FrameBuf, SliceFrame};
use hostward_hook::ident::SaId;
use hostward_hook::protection::Encapsulation::Tunnel;
use hostward_ipsec::{Inbound, Outbound, Parameters, Suite};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Packets of one benchmark; counts are for all of them.
const N: u64 = 100;
/// What an association may add to a packet's cryptography.
const ABOVE: u64 = 350;
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
    Parameters::new(SaId(1), 0x1000, Suite::AES_128_GCM, Tunnel, keys, ends).with_esn()
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
#[bench::ring(args = (false), setup = inbound, config = limit(RING_OPEN, ABOVE))]
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
    benchmarks = seal, seal_tunnel, open, open_tunnel, raw_seal, raw_open
);
main!(library_benchmark_groups = association);
