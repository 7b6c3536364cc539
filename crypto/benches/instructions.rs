//! Instructions of one AEAD operation on 64 octets, raw and through the interface, by callgrind. The interface may add
//! at most 60 (ring: 37, RustCrypto, whose code is compiled into the caller's loop when it is called raw: 61);
//! each limit is the library's own count, as measured with the versions of the lock file, and so many more.
//! Callgrind's processor has AES and PCLMULQDQ but no VAES.
//!
//!     cargo bench -p hostward-crypto --features ring --bench instructions
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "a bench may panic"
)]

use std::hint::black_box;

use aes_gcm::KeyInit;
use aes_gcm::aead::AeadInOut;
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use hostward_crypto::{Aead, AeadKey, Provider, backend};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Operations of one benchmark; counts are for all of them.
const N: u64 = 100;
/// What the interface may add to one operation.
const ABOVE: u64 = 62;
/// The libraries' own counts for `N` operations, and what the loop and the set-up of the benchmark take.
const RING: u64 = 74_425;
const RUST_CRYPTO: u64 = 101_330;

const NONCE: [u8; 12] = [7; 12];
const AAD: [u8; 8] = [9; 8];
// Slices pass through `black_box` everywhere, or the raw calls are compiled for exactly these lengths.

fn limit(raw: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(
        Callgrind::default()
            .hard_limits([(EventKind::Ir, raw + N * ABOVE)])
            .clone(),
    );
    config
}

fn through_ring() -> Box<dyn AeadKey> {
    Provider::of([backend::RING])
        .aead(Aead::AES_128_GCM, &[3; 16])
        .unwrap()
}

fn through_rust_crypto() -> Box<dyn AeadKey> {
    Provider::of([backend::RUST_CRYPTO])
        .aead(Aead::AES_128_GCM, &[3; 16])
        .unwrap()
}

#[library_benchmark]
#[bench::ring(setup = through_ring, config = limit(RING))]
#[bench::rustcrypto(setup = through_rust_crypto, config = limit(RUST_CRYPTO))]
fn interface_seal(key: Box<dyn AeadKey>) -> Box<dyn AeadKey> {
    let (mut data, mut tag) = ([5; 64], [0; 16]);
    for _ in 0..N {
        black_box(&*key)
            .seal(
                black_box(&NONCE),
                black_box(&AAD[..]),
                black_box(&mut data[..]),
                black_box(&mut tag[..]),
            )
            .unwrap();
    }
    black_box((data, tag));
    key
}

fn ring_key() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[3; 16]).unwrap())
}

fn rust_crypto_key() -> aes_gcm::Aes128Gcm {
    aes_gcm::Aes128Gcm::new(&[3; 16].into())
}

#[library_benchmark]
#[bench::key(setup = ring_key)]
fn raw_seal_ring(key: LessSafeKey) -> LessSafeKey {
    let (mut data, mut tag) = ([5; 64], [0; 16]);
    for _ in 0..N {
        let nonce = Nonce::assume_unique_for_key(*black_box(&NONCE));
        let made = black_box(&key)
            .seal_in_place_separate_tag(
                nonce,
                Aad::from(black_box(&AAD[..])),
                black_box(&mut data[..]),
            )
            .unwrap();
        tag.copy_from_slice(made.as_ref());
    }
    black_box((data, tag));
    key
}

#[library_benchmark]
#[bench::key(setup = rust_crypto_key)]
fn raw_seal_rustcrypto(key: aes_gcm::Aes128Gcm) -> aes_gcm::Aes128Gcm {
    let (mut data, mut tag) = ([5; 64], [0; 16]);
    for _ in 0..N {
        let made = black_box(&key)
            .encrypt_inout_detached(
                black_box(&NONCE).into(),
                black_box(&AAD[..]),
                black_box(&mut data[..]).into(),
            )
            .unwrap();
        tag.copy_from_slice(&made);
    }
    black_box((data, tag));
    key
}

library_benchmark_group!(
    name = seal;
    benchmarks = interface_seal, raw_seal_ring, raw_seal_rustcrypto
);
main!(library_benchmark_groups = seal);
