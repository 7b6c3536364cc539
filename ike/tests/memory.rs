//! What an IKE SA costs that is there, that what is kept for a while goes, and the hosts that set-ups are measured
//! with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod pair;
mod support;

use std::time::Duration;

use hostward_hook::ident::TunnelId;
use hostward_hook::time::{Instant, Now};
use hostward_ike::keys::Side;
use hostward_ike::loopback::{Loopback, Proof};
use hostward_ike::machine::*;
use pair::{Pair, Seeded, Setup};
use support::{Authority, THEN, gateway_params};

const SAS: usize = 256;

/// A responder with so many SAs, each of another initiator; the initiators are gone.
fn many(pair: &mut Pair, from: usize, count: usize) {
    for seed in from..from + count {
        let setup = Setup {
            seed: 1000 + seed as u64,
            ..setup()
        };
        pair.a = setup.host(1, 2, Credentials::default());
        pair.a.ike.initiate(pair.now, TunnelId(1)).unwrap();
        pair.run();
        assert_eq!(pair.a.children.len(), 1, "{:?}", pair.a.log);
        forget(pair);
    }
    pair.a = setup().host(1, 2, Credentials::default());
}

fn setup() -> Setup {
    let mut setup = Setup::default();
    setup.config.initial_contact = false;
    setup.action.liveness_seconds = None;
    setup
}

/// What the test keeps of what happened.
fn forget(pair: &mut Pair) {
    pair.sent = Vec::new();
    pair.b.children.clear();
    pair.b.sending.clear();
    pair.b.established = Vec::new();
    pair.b.log = Vec::new();
}

// At most 4 KiB for an established IKE SA with one child, authenticated with a shared key, and less once the
// answer to IKE_AUTH is no longer kept (RFC 7296 §2.1).
#[test]
fn an_established_sa() {
    let mut pair = setup().pair();
    many(&mut pair, 0, 1);
    let held = allocation_counter::measure(|| {
        many(&mut pair, 1, SAS);
    });
    assert_eq!(pair.b.ike.sas().count(), 1 + SAS);
    let fresh = held.bytes_current as usize / SAS;
    let kept = allocation_counter::measure(|| {
        pair.pass(Duration::from_secs(400));
        forget(&mut pair);
    });
    let settled = (held.bytes_current + kept.bytes_current) as usize / SAS;
    assert_eq!(pair.b.ike.sas().count(), 1 + SAS);
    assert!(fresh <= 4096 && settled < fresh, "{fresh}, {settled}");
}

// What set-ups are measured with: an SA and a child of another initiator each time, by key and by certificate.
#[test]
fn hosts_in_one_process() {
    let provider = pair::provider();
    let root = Authority::root("Root");
    let (certificate, key) = root.issue(gateway_params("host.example.com"));
    let key = key.serialize_der();
    let certificate = |host| Proof::Certificate {
        host,
        certificate: &certificate,
        key: &key,
        authority: &root.der,
    };
    let now = Now::new(Instant::from_secs(1000), THEN);
    for proof in [Proof::SharedKey, certificate("host.example.com")] {
        let mut two =
            Loopback::new(&provider, pair::gcm(), proof, || Box::new(Seeded(7)), now).unwrap();
        let mut work = [0, 0];
        for count in 1..=3_usize {
            let done = two.establish(&mut |side, run| {
                work[usize::from(side == Side::Responder)] += 1;
                run();
            });
            assert_eq!((done, two.held()), (Ok(true), count));
            assert!(work[0] >= 3 * count && work[1] >= 2 * count);
        }
    }
    // A certificate of another host proves nothing.
    let other = certificate("other.example.com");
    let mut two =
        Loopback::new(&provider, pair::gcm(), other, || Box::new(Seeded(7)), now).unwrap();
    assert_eq!(two.establish(&mut |_, run| run()), Ok(false));
}
