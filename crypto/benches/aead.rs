//! What the interface costs above the library's own call, and what another form of it would:
//! AEAD seal and open, raw, by enum and by trait object, interleaved in one run.
//!
//! `cargo bench -p hostward-crypto --features ring,aws-lc-rs --bench aead`
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench may panic"
)]

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use hostward_crypto::{Aead, AeadKey, Backend, Provider, backend};

const ROUNDS: usize = 31;
const NONCE: [u8; 12] = [7; 12];
const AAD: [u8; 8] = [9; 8];

/// Works on the buffer so many times.
type Run = Box<dyn FnMut(usize, &mut [u8])>;

/// One way to seal.
struct Way {
    name: String,
    run: Run,
    times: Vec<Duration>,
}

fn way(name: &str, run: impl FnMut(usize, &mut [u8]) + 'static) -> Way {
    Way {
        name: name.into(),
        run: Box::new(run),
        times: Vec::new(),
    }
}

/// The interface by enum, which knows its backends: what a trait object is compared with.
enum ByEnum {
    #[cfg(feature = "ring")]
    Ring(Box<ring::aead::LessSafeKey>),
    RustCrypto(Box<aes_gcm::Aes128Gcm>),
}

impl ByEnum {
    #[inline(never)]
    fn seal(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &mut [u8]) -> Result<(), ()> {
        match self {
            #[cfg(feature = "ring")]
            Self::Ring(key) => {
                let nonce = ring::aead::Nonce::try_assume_unique_for_key(nonce).map_err(|_| ())?;
                let tag: &mut [u8; 16] = tag.try_into().map_err(|_| ())?;
                let made = key
                    .seal_in_place_separate_tag(nonce, ring::aead::Aad::from(aad), data)
                    .map_err(|_| ())?;
                tag.copy_from_slice(made.as_ref());
            }
            Self::RustCrypto(key) => {
                use aes_gcm::aead::AeadInOut;
                let made = key
                    .encrypt_inout_detached(nonce.try_into().map_err(|_| ())?, aad, data.into())
                    .map_err(|_| ())?;
                tag.copy_from_slice(&made);
            }
        }
        Ok(())
    }
}

fn sealing(key: Box<dyn AeadKey>) -> impl FnMut(usize, &mut [u8]) {
    move |times, data| {
        let mut tag = [0; 16];
        for _ in 0..times {
            black_box(&key)
                .seal(black_box(&NONCE), black_box(&AAD), data, &mut tag)
                .unwrap();
            black_box(&tag);
        }
    }
}

fn by_enum(key: ByEnum) -> impl FnMut(usize, &mut [u8]) {
    move |times, data| {
        let mut tag = [0; 16];
        for _ in 0..times {
            black_box(&key)
                .seal(black_box(&NONCE), black_box(&AAD), data, &mut tag)
                .unwrap();
            black_box(&tag);
        }
    }
}

fn ways() -> Vec<Vec<Way>> {
    let key = [3; 16];
    let of = |backend: &'static dyn Backend| {
        Provider::of([backend])
            .aead(Aead::AES_128_GCM, &key)
            .unwrap()
    };
    let mut groups = Vec::new();
    {
        use aes_gcm::KeyInit;
        use aes_gcm::aead::AeadInOut;
        let raw = aes_gcm::Aes128Gcm::new(&key.into());
        groups.push(vec![
            way("rustcrypto raw", move |times, data| {
                for _ in 0..times {
                    let tag = black_box(&raw)
                        .encrypt_inout_detached(
                            black_box(&NONCE).into(),
                            black_box(&AAD),
                            (&mut *data).into(),
                        )
                        .unwrap();
                    black_box(&tag);
                }
            }),
            way("rustcrypto dyn", sealing(of(backend::RUST_CRYPTO))),
            way(
                "rustcrypto enum",
                by_enum(ByEnum::RustCrypto(Box::new(aes_gcm::Aes128Gcm::new(
                    &key.into(),
                )))),
            ),
        ]);
    }
    #[cfg(feature = "ring")]
    {
        use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let new = || LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[3; 16]).unwrap());
        let raw = new();
        groups.push(vec![
            way("ring raw", move |times, data| {
                for _ in 0..times {
                    let nonce = Nonce::assume_unique_for_key(*black_box(&NONCE));
                    let tag = black_box(&raw)
                        .seal_in_place_separate_tag(nonce, Aad::from(black_box(&AAD)), data)
                        .unwrap();
                    black_box(&tag);
                }
            }),
            way("ring dyn", sealing(of(backend::RING))),
            way("ring enum", by_enum(ByEnum::Ring(Box::new(new())))),
        ]);
    }
    #[cfg(feature = "aws-lc-rs")]
    {
        use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
        let raw = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[3; 16]).unwrap());
        groups.push(vec![
            way("aws-lc-rs raw", move |times, data| {
                for _ in 0..times {
                    let nonce = Nonce::assume_unique_for_key(*black_box(&NONCE));
                    let tag = black_box(&raw)
                        .seal_in_place_separate_tag(nonce, Aad::from(black_box(&AAD)), data)
                        .unwrap();
                    black_box(&tag);
                }
            }),
            way("aws-lc-rs dyn", sealing(of(backend::AWS_LC))),
        ]);
    }
    #[cfg(feature = "ipsec-mb")]
    groups.push(vec![way("ipsec-mb dyn", sealing(of(backend::IPSEC_MB)))]);
    groups
}

fn main() {
    println!(
        "{:<18}{:>8}{:>12}{:>12}",
        "AES-128-GCM seal", "octets", "ns", "above raw"
    );
    for size in [64, 576, 1408, 8192] {
        let times = 2_000_000 / (size + 300);
        for mut group in ways() {
            let mut data = vec![0x5a; size];
            for round in 0..ROUNDS {
                for way in &mut group {
                    let start = ThreadTime::now();
                    (way.run)(times, &mut data);
                    if round > 0 {
                        way.times.push(start.elapsed());
                    }
                }
            }
            let mut raw = None;
            for way in &mut group {
                way.times.sort();
                let ns = way.times[way.times.len() / 2].as_nanos() as f64 / times as f64;
                let raw = *raw.get_or_insert(ns);
                println!("{:<18}{size:>8}{ns:>12.1}{:>12.1}", way.name, ns - raw);
            }
        }
    }
}
