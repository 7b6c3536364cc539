//! What setting up an IKE SA with a child takes: thread CPU time of each side, medians of interleaved rounds, beside
//! the cryptography that cannot be left out (key generation and agreement; with certificates a signature and two
//! verifications more) on the same backend; and whether SAs that are there make it slower. (What an SA costs in memory
//! is in `tests/memory.rs`; an allocator that counts would cost time here.)
//!
//! `cargo bench -p hostward-ike --bench handshake`, or `-- ring psk` for the lines with these words only.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a bench may panic"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use hostward_crypto::algorithm::{Aead, Curve, Hash, Prf, Scheme};
use hostward_crypto::random::SystemRandom;
use hostward_crypto::signature::Signing;
use hostward_crypto::{Backend, Group, Provider, Random, backend};
use hostward_hook::time::{Instant, Now};
use hostward_ike::keys::Side;
use hostward_ike::loopback::{Loopback, Proof};
use hostward_ike::policy::{AdditionalKeyExchange, IkeProtection, KeyExchangeOffer};
use support::{Authority, THEN, gateway_params};

const ROUNDS: usize = 15;
const TIMES: u32 = 40;
const SCHEME: Scheme = Scheme::Ecdsa(Curve::P256, Hash::Sha256);

fn random() -> Box<dyn Random> {
    Box::new(SystemRandom)
}

fn now() -> Now {
    Now::new(Instant::from_secs(1000), THEN)
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_nanos() as f64 / f64::from(TIMES)
}

struct Certificate {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authority: Vec<u8>,
}

impl Certificate {
    fn new() -> Self {
        let root = Authority::root("Root");
        let (certificate, key) = root.issue(gateway_params("host.example.com"));
        Self {
            certificate,
            key: key.serialize_der(),
            authority: root.der,
        }
    }

    fn proof(&self) -> Proof<'_> {
        Proof::Certificate {
            host: "host.example.com",
            certificate: &self.certificate,
            key: &self.key,
            authority: &self.authority,
        }
    }
}

fn offer(group: Group, additional: Option<Group>) -> KeyExchangeOffer {
    let protection = IkeProtection::Aead(Aead::AES_256_GCM);
    let offer = KeyExchangeOffer::new(protection, Prf::Hmac(Hash::Sha256), group);
    match additional {
        Some(group) => offer.and(AdditionalKeyExchange::required(group)),
        None => offer,
    }
}

/// Adds up what each side takes.
fn establish(pair: &mut Loopback<'_>, taken: &mut [Duration; 2]) {
    let done = pair.establish(&mut |side, work| {
        let start = ThreadTime::now();
        work();
        taken[usize::from(side == Side::Responder)] += start.elapsed();
    });
    assert_eq!(done, Ok(true));
}

/// What cannot be left out as responder.
fn floor<'f>(
    provider: &'f Provider,
    groups: &[Group],
    certificate: Option<&'f Certificate>,
) -> impl FnMut() + use<'f> {
    let publics: Vec<(Group, Vec<u8>)> = groups
        .iter()
        .map(|group| {
            let exchange = provider.exchange(*group, &mut SystemRandom).unwrap();
            (*group, exchange.unwrap().public().to_vec())
        })
        .collect();
    let signing = certificate.map(|certificate| {
        let signer = provider.signer(&certificate.key).unwrap();
        let made = signer.sign(SCHEME, &[7; 300], &mut SystemRandom).unwrap();
        let Signing::Done(signature) = made else {
            panic!("a key in memory signs at once");
        };
        (signer, signature)
    });
    move || {
        for (group, public) in &publics {
            let _ = black_box(provider.answer(*group, public, &mut SystemRandom).unwrap());
        }
        if let Some((signer, signature)) = &signing {
            let made = signer.sign(SCHEME, &[7; 300], &mut SystemRandom);
            let _ = black_box(made.unwrap());
            for _ in 0..2 {
                provider
                    .verify(SCHEME, signer.public_key(), &[7; 300], signature)
                    .unwrap()
                    .unwrap();
            }
        }
    }
}

/// Whether all words of the command line are in this one.
fn is_wanted(line: &str) -> bool {
    std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .all(|word| line.split(' ').any(|one| one == word))
}

fn measure(backend: &'static dyn Backend) {
    let provider = Provider::of([backend]);
    let certificate = Certificate::new();
    let ways = [
        ("x25519", Group::X25519, None),
        ("p256", Group::P256, None),
        ("x25519+mlkem768", Group::X25519, Some(Group::MlKem768)),
    ];
    for (auth, certificate) in [("psk", None), ("ecdsa-p256", Some(&certificate))] {
        for (name, group, additional) in ways {
            if !is_wanted(&format!("{} {auth} {name}", backend.name())) {
                continue;
            }
            let proof = certificate.map_or(Proof::SharedKey, Certificate::proof);
            let made = Loopback::new(&provider, offer(group, additional), proof, random, now());
            let Ok(mut pair) = made else {
                continue;
            };
            let groups: Vec<Group> = [Some(group), additional].into_iter().flatten().collect();
            let mut floor = floor(&provider, &groups, certificate);
            let mut times = [Vec::new(), Vec::new(), Vec::new()];
            for round in 0..=ROUNDS {
                let mut taken = [Duration::ZERO; 2];
                (0..TIMES).for_each(|_| establish(&mut pair, &mut taken));
                let start = ThreadTime::now();
                (0..TIMES).for_each(|_| floor());
                // The first round fills tables.
                if round > 0 {
                    times[2].push(start.elapsed());
                    times[0].push(taken[0]);
                    times[1].push(taken[1]);
                }
            }
            let [initiator, responder, floor] = times.map(median);
            println!(
                "{:12} {auth:11} {name:16} responder {:8.1} us, initiator {:8.1} us, floor {:8.1} us, ratio {:.2}",
                backend.name(),
                responder / 1e3,
                initiator / 1e3,
                floor / 1e3,
                responder / floor,
            );
        }
    }
}

/// Set-ups at 100 and at 50,000 SAs, in turns.
fn held(backend: &'static dyn Backend) {
    let provider = Provider::of([backend]);
    let mut pairs: Vec<Loopback<'_>> = [100, 50_000]
        .map(|count| {
            let offer = offer(Group::X25519, None);
            let made = Loopback::new(&provider, offer, Proof::SharedKey, random, now());
            let mut pair = made.unwrap();
            (0..count).for_each(|_| establish(&mut pair, &mut [Duration::ZERO; 2]));
            pair
        })
        .into();
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (pair, times) in pairs.iter_mut().zip(&mut times) {
            let mut taken = [Duration::ZERO; 2];
            (0..TIMES).for_each(|_| establish(pair, &mut taken));
            if round > 0 {
                times.push(taken[1]);
            }
        }
    }
    let [few, many] = times.map(median);
    println!(
        "{:12} psk x25519 with {} SAs {:.1} us, with {} {:.1} us: {:.3}",
        backend.name(),
        pairs[0].held(),
        few / 1e3,
        pairs[1].held(),
        many / 1e3,
        many / few
    );
}

fn main() {
    for one in [backend::RING, backend::RUST_CRYPTO] {
        measure(one);
    }
    if is_wanted("held") {
        held(backend::RING);
    }
}
