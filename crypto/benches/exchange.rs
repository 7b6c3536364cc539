//! What key exchanges and signatures cost on each backend: thread CPU time, medians of interleaved rounds.
//!
//! `cargo bench -p hostward-crypto --features ring,aws-lc-rs,system-random,x448 --bench exchange`
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench may panic"
)]

use std::time::Duration;

use cpu_time::ThreadTime;
use hostward_crypto::random::SystemRandom;
use hostward_crypto::signature::Signing;
use hostward_crypto::{Algorithm, Backend, Group, Provider, backend};

const ROUNDS: usize = 9;

/// One thing to measure: does it so many times.
struct Way {
    name: String,
    run: Box<dyn FnMut(usize)>,
    times: Vec<Duration>,
}

const KEYS: [(&str, &[u8]); 6] = [
    ("rsa2048", include_bytes!("../tests/data/keys/rsa2048.der")),
    ("rsa4096", include_bytes!("../tests/data/keys/rsa4096.der")),
    ("p256", include_bytes!("../tests/data/keys/p-256.der")),
    ("p384", include_bytes!("../tests/data/keys/p-384.der")),
    ("p521", include_bytes!("../tests/data/keys/p-521.der")),
    ("ed25519", include_bytes!("../tests/data/keys/ed25519.der")),
];

fn ways(backend: &'static dyn Backend) -> Vec<Way> {
    let mut ways = Vec::new();
    let mut way = |name: String, run: Box<dyn FnMut(usize)>| {
        ways.push(Way {
            name: format!("{name:32} {}", backend.name()),
            run,
            times: Vec::new(),
        });
    };
    for group in Group::ALL {
        let provider = Provider::of([backend]);
        if !provider.supports(Algorithm::Exchange(group)) {
            continue;
        }
        let (one, two) = (provider.clone(), provider);
        let begin = move || one.exchange(group, &mut SystemRandom).unwrap().unwrap();
        let first = begin();
        let public = first.public().to_vec();
        let own = begin.clone();
        way(
            format!("{group}: begin"),
            Box::new(move |times| (0..times).for_each(|_| drop(own()))),
        );
        let (answer, other) = (two.clone(), public.clone());
        way(
            format!("{group}: answer"),
            Box::new(move |times| {
                for _ in 0..times {
                    answer
                        .answer(group, &other, &mut SystemRandom)
                        .unwrap()
                        .unwrap();
                }
            }),
        );
        // Both halves of what the initiator does; the first is above.
        let peer = two
            .answer(group, &public, &mut SystemRandom)
            .unwrap()
            .unwrap();
        way(
            format!("{group}: begin and finish"),
            Box::new(move |times| {
                for _ in 0..times {
                    begin().finish(&peer.public).unwrap();
                }
            }),
        );
    }
    for (name, pkcs8) in KEYS {
        let Some(Ok(key)) = backend.signer(pkcs8) else {
            continue;
        };
        let scheme = key.schemes()[0];
        let public = key.public_key().to_vec();
        let sign = move || match key.sign(scheme, b"octets", &mut SystemRandom).unwrap() {
            Signing::Done(signature) => signature,
            Signing::Later(_) => Vec::new(),
        };
        let signature = sign();
        way(
            format!("{name} {scheme}: sign"),
            Box::new(move |times| (0..times).for_each(|_| drop(sign()))),
        );
        way(
            format!("{name} {scheme}: verify"),
            Box::new(move |times| {
                for _ in 0..times {
                    backend
                        .verify(scheme, &public, b"octets", &signature)
                        .unwrap()
                        .unwrap();
                }
            }),
        );
    }
    ways
}

fn main() {
    let mut all = ways(backend::RUST_CRYPTO);
    #[cfg(feature = "ring")]
    all.extend(ways(backend::RING));
    #[cfg(feature = "aws-lc-rs")]
    all.extend(ways(backend::AWS_LC));
    // As many as take about 5 ms.
    let counts: Vec<usize> = all
        .iter_mut()
        .map(|way| {
            let start = ThreadTime::now();
            (way.run)(1);
            (5_000 / start.elapsed().as_micros().max(1)).max(1) as usize
        })
        .collect();
    for _ in 0..ROUNDS {
        for (way, count) in all.iter_mut().zip(&counts) {
            let start = ThreadTime::now();
            (way.run)(*count);
            way.times.push(start.elapsed() / *count as u32);
        }
    }
    for way in &mut all {
        way.times.sort();
        println!(
            "{:48} {:>9.1} µs",
            way.name,
            way.times[ROUNDS / 2].as_secs_f64() * 1e6
        );
    }
}
