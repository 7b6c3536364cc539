//! Whatever a peer sends as certificates, requests, identity and proof: nothing but a certificate that an authority has
//! really signed binds a key, and nothing is a proof over octets that nobody signed.
#![no_main]

use std::sync::LazyLock;

use hostward_crypto::{Prf, Provider, Secret, backend};
use hostward_hook::time::UnixTime;
use hostward_ike::auth::{Proof, SharedKey, SignatureHashes};
use hostward_ike::certificate::{
    BoundKey, Check, ExtendedKeyUsage, Limits, Received, Request, Revocation, Taken, TrustStore,
};
use hostward_ike::identity::Identity;
use libfuzzer_sys::fuzz_target;

const ROOT: &[u8] = include_bytes!("../../ike/tests/data/root.der");
const GENUINE: [(&str, &[u8]); 5] = [
    ("rsa", include_bytes!("../../ike/tests/data/rsa.der")),
    ("p256", include_bytes!("../../ike/tests/data/p256.der")),
    ("p384", include_bytes!("../../ike/tests/data/p384.der")),
    ("p521", include_bytes!("../../ike/tests/data/p521.der")),
    ("ed25519", include_bytes!("../../ike/tests/data/ed25519.der")),
];

struct World {
    provider: Provider,
    trust: TrustStore,
    keys: Vec<BoundKey>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let provider = Provider::of([backend::RING, backend::RUST_CRYPTO]);
    let mut trust = TrustStore::new();
    trust.add(&provider, "root", ROOT).unwrap();
    let mut keys = Vec::new();
    for (name, certificate) in GENUINE {
        let mut received = Received::new(Limits::default());
        received.payload(4, certificate, false).unwrap();
        let identity = Identity::fqdn(&format!("{name}.example.com")).unwrap();
        keys.push(check(&provider, &trust, 0).bind(&received, &identity).unwrap());
    }
    World {
        provider,
        trust,
        keys,
    }
});

fn check<'c>(provider: &'c Provider, trust: &'c TrustStore, how: u8) -> Check<'c> {
    Check {
        provider,
        trust,
        authorities: None,
        time: UnixTime::from_secs(1_893_456_000),
        revocation: match how % 3 {
            0 => Revocation::Loose,
            1 => Revocation::None,
            _ => Revocation::Strict,
        },
        extended_key_usage: ExtendedKeyUsage::Checked,
    }
}

/// The octets up to a length that stands before them.
fn part<'a>(data: &mut &'a [u8]) -> &'a [u8] {
    let Some(([high, low], rest)) = data.split_first_chunk::<2>() else {
        return std::mem::take(data);
    };
    let len = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (part, rest) = rest.split_at(len);
    *data = rest;
    part
}

fuzz_target!(|data: &[u8]| {
    let World {
        provider,
        trust,
        keys,
    } = &*WORLD;
    let limits = Limits::default();
    let mut received = Received::new(limits);
    let mut waiting = None;
    let mut data = data;
    while let Some((&kind, rest)) = data.split_first() {
        data = rest;
        let body = part(&mut data);
        let (first, octets) = body.split_first().unwrap_or((&0, &[]));
        match kind % 6 {
            0 | 1 => {
                if let Ok(Taken::Fetch(number, place)) = received.payload(*first, octets, true) {
                    assert!(place.url().bytes().all(|c| c.is_ascii_graphic()));
                    waiting = Some(number);
                }
            }
            2 => {
                if let Some(number) = waiting.take() {
                    let _ = received.answer(provider, number, Some(body));
                }
            }
            3 => {
                if let Ok(request) = Request::read(*first, octets, &limits) {
                    assert!(request.hashes().len() <= limits.requested);
                }
            }
            4 => {
                if let Ok(identity) = Identity::read_body(octets)
                    && check(provider, trust, *first).bind(&received, &identity).is_ok()
                {
                    let own = received.certificates().next().unwrap();
                    assert!(GENUINE.iter().any(|(_, genuine)| *genuine == own));
                }
            }
            _ => {
                let Some((&method, proof)) = octets.split_first() else {
                    continue;
                };
                let key = &keys[usize::from(*first) % keys.len()];
                let by_key = Proof::Signature(key, SignatureHashes::ALL);
                let octets = b"octets that nobody has signed";
                assert!(by_key.verify(provider, method, proof, octets).is_err());
                let secret = SharedKey::new(Secret::copy(b"a secret that nobody knows")).unwrap();
                let identity = key.identity();
                let shared = Proof::SharedKey(&secret, Prf::AesCmac, identity);
                assert!(shared.verify(provider, method, proof, octets).is_err());
            }
        }
        assert!(received.certificates().count() <= limits.certificates);
        assert!(received.crls().count() <= limits.crls);
    }
});
