//! The machine as two hosts see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod pair;

use std::time::Duration;

use hostward_crypto::algorithm::{Aead, AesKey, Cipher, Group, Hash, Mac, Prf};
use hostward_hook::ident::TunnelId;
use hostward_ike::machine::*;
use hostward_ike::message::NotifyType;
use hostward_ike::policy::*;

use pair::{Pair, Setup, gcm};

fn up() -> Pair {
    let mut pair = Setup::default().pair();
    pair.start();
    pair
}

// RFC 7296 §1.2, §2.2: four messages, numbered by exchange, an IKE SA and a child.
#[test]
fn four_messages() {
    let pair = up();
    assert_eq!(pair.sent.len(), 4);
    for (n, sent) in pair.sent.iter().enumerate() {
        let marker = if sent.path.local.port() == 4500 { 4 } else { 0 };
        assert_eq!(sent.bytes[marker + 20..][..4], [0, 0, 0, n as u8 / 2]);
    }
    pair.assert_agreement();
    assert_eq!((pair.a.children.len(), pair.a.sending.len()), (1, 1));
    assert!(pair.a.established[0].initiator && !pair.b.established[0].initiator);
    assert_eq!(pair.a.established[0].spis, pair.b.established[0].spis);
    assert_eq!(pair.b.ike.load(), (0, false));
}

// RFC 7296 §1.3.1: further children, from either side.
#[test]
fn more_children() {
    let mut pair = up();
    pair.b.ike.initiate(pair.now, TunnelId(2)).unwrap();
    pair.run();
    pair.assert_agreement();
    assert_eq!(pair.a.children.len(), 2);
    pair.a.ike.initiate(pair.now, TunnelId(2)).unwrap();
    pair.run();
    pair.assert_agreement();
    assert_eq!((pair.a.children.len(), pair.a.sending.len()), (3, 2));
}

// RFC 7296 §1.3.3, §2.8: a child is renewed from either side, and sending never stops.
#[test]
fn children_are_renewed() {
    let mut pair = up();
    for turn in 0..6 {
        let old = pair.a.children.values().next().unwrap().clone();
        if turn % 2 == 0 {
            let id = pair.a.only_child();
            pair.a.ike.rekey_child(pair.now, id);
        } else {
            let id = pair.b.only_child();
            pair.b.ike.rekey_child(pair.now, id);
        }
        pair.run();
        pair.assert_agreement();
        assert_eq!((pair.a.children.len(), pair.a.sending.len()), (1, 1));
        let new = pair.a.children.values().next().unwrap();
        assert_ne!(new.inbound.spi, old.inbound.spi);
        assert_ne!(new.inbound.keys, old.inbound.keys);
        assert_eq!(new.generation, turn + 1);
        assert_eq!(new.replaces, Some(old.id));
    }
}

// RFC 7296 §2.8.1: both renew the same child in the same moment; one of the new ones stays.
#[test]
fn both_renew_a_child() {
    for seed in 0..32 {
        let setup = Setup {
            seed,
            ..Setup::default()
        };
        let mut pair = setup.pair();
        pair.start();
        let (a, b) = (pair.a.only_child(), pair.b.only_child());
        pair.a.ike.rekey_child(pair.now, a);
        pair.b.ike.rekey_child(pair.now, b);
        pair.run();
        pair.assert_agreement();
        assert_eq!(pair.a.children.len(), 1, "{:#?}", pair.a.log);
        assert_eq!(pair.a.sending.len(), 1);
    }
}

// RFC 7296 §1.3.2, §2.18: the IKE SA is renewed; children stay, message ids begin anew.
#[test]
fn the_ike_sa_is_renewed() {
    let mut pair = up();
    for turn in 0..4 {
        let old = pair.a.live()[0].spis;
        if turn % 2 == 0 {
            let id = pair.a.only_sa();
            pair.a.ike.rekey_ike(pair.now, id);
        } else {
            let id = pair.b.only_sa();
            pair.b.ike.rekey_ike(pair.now, id);
        }
        pair.run();
        pair.assert_agreement();
        assert_ne!(pair.a.live()[0].spis, old);
        assert_eq!(pair.a.live()[0].children.len(), 1);
        let child = pair.a.only_child();
        pair.a.ike.rekey_child(pair.now, child);
        pair.run();
        pair.assert_agreement();
    }
    pair.pass(Duration::from_secs(25));
    assert_eq!(pair.a.ike.sas().count(), 1);
    assert_eq!(pair.b.ike.sas().count(), 1);
}

// RFC 7296 §2.8.2: both renew the IKE SA in the same moment; the survivor has the children.
#[test]
fn both_renew_the_ike_sa() {
    for seed in 0..32 {
        let setup = Setup {
            seed,
            ..Setup::default()
        };
        let mut pair = setup.pair();
        pair.start();
        let (a, b) = (pair.a.only_sa(), pair.b.only_sa());
        pair.a.ike.rekey_ike(pair.now, a);
        pair.b.ike.rekey_ike(pair.now, b);
        pair.run();
        pair.pass(Duration::from_secs(100));
        pair.assert_agreement();
        assert_eq!(pair.a.ike.sas().count(), 1);
        assert_eq!(pair.a.live()[0].children.len(), 1);
        assert_eq!(pair.b.live()[0].children.len(), 1);
    }
}

// RFC 7296 §1.4, §1.4.1: a Delete is answered with the SPI of the other direction.
#[test]
fn deletion() {
    let mut pair = up();
    let id = pair.b.only_child();
    pair.b.ike.delete_child(pair.now, id);
    pair.run();
    pair.assert_agreement();
    assert!(pair.a.children.is_empty());
    assert_eq!(pair.a.live().len(), 1);
    pair.a.ike.initiate(pair.now, TunnelId(1)).unwrap();
    pair.run();
    assert_eq!(pair.a.children.len(), 1);
    let sa = pair.a.only_sa();
    pair.a.ike.delete_ike(pair.now, sa);
    pair.run();
    pair.pass(Duration::from_secs(30));
    assert!(pair.a.ike.is_empty() && pair.b.ike.is_empty());
    assert!(pair.a.children.is_empty() && pair.b.children.is_empty());
    assert_eq!(pair.a.closed[0].1, Failure::Local);
    assert_eq!(pair.b.closed[0].1, Failure::Peer);
}

// RFC 7296 §2.25.1, §2.25.2: both delete the same child, or the IKE SA.
#[test]
fn both_delete() {
    let mut pair = up();
    let (a, b) = (pair.a.only_child(), pair.b.only_child());
    pair.a.ike.delete_child(pair.now, a);
    pair.b.ike.delete_child(pair.now, b);
    pair.run();
    pair.assert_agreement();
    assert!(pair.a.children.is_empty());
    let (a, b) = (pair.a.only_sa(), pair.b.only_sa());
    pair.a.ike.delete_ike(pair.now, a);
    pair.b.ike.delete_ike(pair.now, b);
    pair.run();
    pair.pass(Duration::from_secs(30));
    assert!(pair.a.ike.is_empty() && pair.b.ike.is_empty());
}

// RFC 7296 §2.25.1: one renews what the other deletes.
#[test]
fn renewed_and_deleted() {
    let mut pair = up();
    let (a, b) = (pair.a.only_child(), pair.b.only_child());
    pair.a.ike.rekey_child(pair.now, a);
    pair.b.ike.delete_child(pair.now, b);
    pair.run();
    pair.pass(Duration::from_secs(60));
    pair.assert_agreement();
    assert!(pair.a.children.is_empty());
}

// RFC 7296 §2.25.2: the IKE SA and a child of it are renewed in the same moment.
#[test]
fn ike_and_child_renewed() {
    let mut pair = up();
    let (a, b) = (pair.a.only_sa(), pair.b.only_child());
    pair.a.ike.rekey_ike(pair.now, a);
    pair.b.ike.rekey_child(pair.now, b);
    pair.run();
    pair.pass(Duration::from_secs(200));
    pair.assert_agreement();
    let child = pair.a.only_child();
    assert_eq!(pair.a.children[&child].generation, 1);
}

// RFC 7296 §2.4: silence is looked into, and who does not answer is given up.
#[test]
fn liveness() {
    let mut pair = up();
    pair.pass(Duration::from_secs(120));
    assert_eq!(pair.a.live().len(), 1);
    assert!(pair.sent.len() >= 8, "{}", pair.sent.len());
    pair.deaf[1] = true;
    pair.pass(Duration::from_secs(600));
    assert!(pair.a.ike.is_empty());
    assert!(pair.a.children.is_empty());
    assert_eq!(pair.a.closed[0].1, Failure::NoAnswer);
}

// RFC 7296 §2.1: a request that is lost, or its answer, goes out again octet by octet, and is executed once.
#[test]
fn lost_answers() {
    let mut pair = up();
    let before = pair.sent.len();
    let id = pair.a.only_child();
    pair.a.ike.rekey_child(pair.now, id);
    pair.collect();
    let request = pair.wire.pop_front().unwrap();
    pair.deliver(request.clone());
    pair.collect();
    let answer = pair.wire.pop_front().unwrap();
    assert_eq!(pair.b.children.len(), 2);
    pair.deliver(request);
    pair.collect();
    assert_eq!(pair.wire.pop_front().unwrap(), answer);
    assert_eq!(pair.b.children.len(), 2);
    assert_eq!(pair.b.ike.counters().answered_again, 1);
    pair.pass(Duration::from_secs(3));
    pair.assert_agreement();
    assert_eq!(pair.sent[before], pair.sent[before + 3]);
    assert_eq!(pair.a.children.len(), 1);
}

// RFC 7296 §2.6, §2.6.1: cookies under load, and a group that must be asked for anew, in one beginning.
#[test]
fn cookie_and_group() {
    let mut setup = Setup::default();
    setup.config.limits.cookies_from = 0;
    let mut a = setup.clone();
    let second = KeyExchangeOffer::new(
        IkeProtection::Aead(Aead::AES_256_GCM),
        Prf::Hmac(Hash::Sha384),
        Group::P256,
    );
    a.offers.push(second.clone());
    setup.offers = vec![second];
    let host = setup.host(2, 1, Credentials::default());
    let mut pair = Pair::of(a.host(1, 2, Credentials::default()), host);
    pair.start();
    pair.assert_agreement();
    assert_eq!(pair.a.established[0].suite.group, Group::P256);
    // Cookie, group, and then what it is about: three round trips and IKE_AUTH.
    assert_eq!(pair.sent.len(), 8);
    let counters = pair.b.ike.counters();
    assert_eq!(
        (counters.cookies_asked, counters.exchanges_answered),
        (1, 1)
    );
}

// RFC 7296 §2.6: nothing is computed or kept for who does not come back with the cookie.
#[test]
fn a_flood() {
    let mut setup = Setup::default();
    setup.config.limits.cookies_from = 10;
    setup.config.limits.cookies_until = 5;
    setup.config.limits.half_open_per_source = 1000;
    let mut pair = setup.pair();
    for seed in 0..50 {
        let one = Setup {
            seed: 100 + seed,
            ..Setup::default()
        };
        let mut other = one.host(1, 2, Credentials::default());
        other.ike.initiate(pair.now, TunnelId(1)).unwrap();
        let first = other.ike.transmit().unwrap();
        pair.deliver(first);
    }
    assert_eq!(pair.b.ike.load(), (10, true));
    assert_eq!(pair.b.ike.counters().exchanges_answered, 10);
    assert_eq!(pair.b.ike.counters().cookies_asked, 40);
    pair.b.take_events();
    while pair.b.ike.transmit().is_some() {}
    // Who answers the cookie gets in.
    pair.start();
    pair.assert_agreement();
    // Half-open SAs go after their time, and cookies are asked for no longer.
    pair.pass(Duration::from_secs(31));
    assert_eq!(pair.b.ike.load().0, 0);
    assert_eq!(pair.b.ike.counters().half_open_expired, 10);
}

// RFC 9370 §2.2.2, RFC 9242: X25519 and ML-KEM-768 in one IKE SA, IKE_AUTH over both; RFC 9370 §2.2.4: and again
// when child and IKE SA are renewed.
#[test]
fn additional_key_exchanges() {
    let offers = vec![
        gcm()
            .and(AdditionalKeyExchange::required(Group::MlKem768))
            .and(AdditionalKeyExchange::required(Group::P256)),
    ];
    let mut setup = Setup {
        offers,
        ..Setup::default()
    };
    setup.vpn.initiate_pfs = Pfs {
        group: Some(Group::X25519),
        additional: vec![AdditionalKeyExchange::required(Group::MlKem768)],
    };
    setup.vpn.acceptable_pfs = vec![setup.vpn.initiate_pfs.clone()];
    let mut pair = setup.pair();
    pair.start();
    pair.assert_agreement();
    let suite = &pair.a.established[0].suite;
    assert_eq!(suite.additional, [Group::MlKem768, Group::P256]);
    for turn in 0..2 {
        let id = pair.a.only_child();
        pair.a.ike.rekey_child(pair.now, id);
        pair.run();
        pair.assert_agreement();
        let id = pair.a.only_child();
        assert_eq!(pair.a.children[&id].suite.additional, [Group::MlKem768]);
        assert_eq!(pair.a.children[&id].generation, turn + 1);
        let sa = pair.b.only_sa();
        pair.b.ike.rekey_ike(pair.now, sa);
        pair.run();
        pair.assert_agreement();
        assert_eq!(
            pair.a.live()[0]
                .facts
                .as_ref()
                .unwrap()
                .suite
                .additional
                .len(),
            2
        );
    }
    // Both in the same moment.
    let (a, b) = (pair.a.only_child(), pair.b.only_child());
    pair.a.ike.rekey_child(pair.now, a);
    pair.b.ike.rekey_child(pair.now, b);
    pair.run();
    pair.pass(Duration::from_secs(100));
    pair.assert_agreement();
    assert_eq!(
        pair.a.children.len(),
        1,
        "{:#?}\n{:#?}",
        pair.a.log,
        pair.b.log
    );
    let (a, b) = (pair.a.only_sa(), pair.b.only_sa());
    pair.a.ike.rekey_ike(pair.now, a);
    pair.b.ike.rekey_ike(pair.now, b);
    pair.run();
    pair.pass(Duration::from_secs(200));
    pair.assert_agreement();
    assert_eq!(pair.a.children.len(), 1);
}

// RFC 7296 §2.15: another shared key proves nothing; nothing stays, and the initiator is told.
#[test]
fn wrong_key() {
    let setup = Setup::default();
    let other = Setup {
        key: b"another",
        ..Setup::default()
    };
    let mut pair = Pair::of(
        setup.host(1, 2, Credentials::default()),
        other.host(2, 1, Credentials::default()),
    );
    pair.start();
    assert!(pair.a.established.is_empty() && pair.b.established.is_empty());
    assert_eq!(
        pair.a.closed[0].1,
        Failure::Told(NotifyType::AUTHENTICATION_FAILED)
    );
    assert!(matches!(pair.b.closed[0].1, Failure::NotAuthenticated(_)));
    pair.pass(Duration::from_secs(60));
    assert!(pair.a.ike.is_empty() && pair.b.ike.is_empty());
    assert_eq!(pair.b.ike.load().0, 0);
}

// All suites and groups of the IKE SA.
#[test]
fn suites() {
    let protections = [
        IkeProtection::Aead(Aead::AES_128_GCM),
        IkeProtection::Aead(Aead::ChaCha20Poly1305),
        IkeProtection::Cipher(Cipher::AesCbc(AesKey::Aes256), Mac::Hmac(Hash::Sha256)),
        IkeProtection::Cipher(Cipher::AesCbc(AesKey::Aes128), Mac::Hmac(Hash::Sha512)),
    ];
    let groups = [
        Group::X25519,
        Group::P256,
        Group::P384,
        Group::P521,
        Group::MlKem512,
    ];
    for (at, protection) in protections.into_iter().enumerate() {
        for group in groups {
            let prf = [Prf::Hmac(Hash::Sha256), Prf::Hmac(Hash::Sha512)][at % 2];
            let setup = Setup {
                offers: vec![KeyExchangeOffer::new(protection, prf, group)],
                ..Setup::default()
            };
            let mut pair = setup.pair();
            pair.start();
            pair.assert_agreement();
            assert_eq!(pair.a.children.len(), 1, "{protection:?} {group}");
            let sa = pair.a.only_sa();
            pair.a.ike.rekey_ike(pair.now, sa);
            pair.run();
            pair.assert_agreement();
        }
    }
}
