//! NAT, fragments, certificates, addresses, and whatever else the machine can beside the plain exchanges.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod pair;
mod support;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostward_crypto::algorithm::{Aead, Curve, Group, Hash, Prf, Scheme};
use hostward_crypto::signature::{Remote, SignRequest, Signing, Ticket};
use hostward_crypto::{Secret, Signer};
use hostward_hook::ident::TunnelId;
use hostward_ike::auth::{AuthMethod, HowToAuthMe};
use hostward_ike::certificate::{Credential, TrustStore};
use hostward_ike::identity::Identity;
use hostward_ike::machine::*;
use hostward_ike::message::{ExchangeType, Flags, Header, IkeSpi, NotifyType, PayloadType};
use hostward_ike::policy::*;

use pair::{Pair, Setup, address, gcm};
use support::{Authority, gateway_params};

/// Two hosts with certificates of one authority.
fn certified(how: HowToAuthMe) -> (Setup, Setup, Authority) {
    let root = Authority::root("Root");
    let mut a = Setup::default();
    a.action.auth_me = how;
    let mut b = a.clone();
    a.identity = Some(Identity::fqdn("a.example.com").unwrap());
    b.identity = Some(Identity::fqdn("b.example.com").unwrap());
    (a, b, root)
}

fn credentials(root: &Authority, host: &str) -> Credentials {
    let (certificate, key) = root.issue(gateway_params(host));
    let mut trust = TrustStore::new();
    trust.add(&pair::provider(), "root", &root.der).unwrap();
    let signer: Arc<dyn Signer> = Arc::from(pair::provider().signer(&key.serialize_der()).unwrap());
    let own = Credential::new(&pair::provider(), host, &[&certificate], signer, &trust).unwrap();
    Credentials {
        own: vec![own],
        trust,
    }
}

// RFC 7296 §2.15, RFC 7427 §3, RFC 4754 §7: certificates, by the new method and the old one.
#[test]
fn certificates() {
    for (how, method) in [
        (HowToAuthMe::DigitalSignature, AuthMethod::DigitalSignature),
        (HowToAuthMe::Ecdsa256, AuthMethod::Ecdsa256),
    ] {
        let (a, b, root) = certified(how);
        let mut pair = Pair::of(
            a.host(1, 2, credentials(&root, "a.example.com")),
            b.host(2, 1, credentials(&root, "b.example.com")),
        );
        pair.start();
        pair.assert_agreement();
        let facts = &pair.b.established[0];
        assert_eq!(facts.remote.to_string(), "a.example.com");
        assert_eq!((facts.local_method, facts.remote_method), (method, method));
        assert!(facts.remote_certificate.is_some());
        assert_eq!(facts.local_certificate.as_deref(), Some("b.example.com"));
        // RFC 7383 §2.5: IKE_AUTH with certificates goes in fragments of at most 576 octets of IP.
        assert!(pair.sent.len() > 4);
        assert!(pair.sent.iter().all(|sent| sent.bytes.len() <= 576 - 28));
    }
}

// RFC 7296 §2.15: a certificate of an authority that is not believed.
#[test]
fn another_authority() {
    let (a, b, root) = certified(HowToAuthMe::DigitalSignature);
    let other = Authority::root("Other");
    let mut pair = Pair::of(
        a.host(1, 2, credentials(&root, "a.example.com")),
        b.host(2, 1, credentials(&other, "b.example.com")),
    );
    pair.start();
    assert!(pair.a.established.is_empty() && pair.b.established.is_empty());
    assert!(matches!(pair.b.closed[0].1, Failure::NotAuthenticated(_)));
    pair.pass(Duration::from_secs(60));
    assert!(pair.a.ike.is_empty() && pair.b.ike.is_empty());
}

// RFC 7296 §2.21.2: the initiator does not take the responder's proof; the responder is told.
#[test]
fn the_responder_is_not_believed() {
    let (a, b, root) = certified(HowToAuthMe::DigitalSignature);
    let other = Authority::root("Other");
    let mut theirs = credentials(&other, "b.example.com");
    theirs
        .trust
        .add(&pair::provider(), "root", &root.der)
        .unwrap();
    let mut pair = Pair::of(
        a.host(1, 2, credentials(&root, "a.example.com")),
        b.host(2, 1, theirs),
    );
    pair.start();
    assert!(pair.a.established.is_empty());
    assert!(matches!(pair.a.closed[0].1, Failure::NotAuthenticated(_)));
    assert_eq!(
        pair.b.closed[0].1,
        Failure::Told(NotifyType::AUTHENTICATION_FAILED)
    );
    assert!(pair.b.children.is_empty());
}

// A key that is elsewhere: nothing waits, and both exchanges go on when the signatures are there.
#[test]
fn signatures_later() {
    let (a, b, root) = certified(HowToAuthMe::DigitalSignature);
    type Queue = Arc<Mutex<Vec<(Ticket, Vec<u8>)>>>;
    let mut keys = Vec::new();
    let mut hosts = Vec::new();
    for (setup, name, own, peer) in [(a, "a.example.com", 1, 2), (b, "b.example.com", 2, 1)] {
        let (certificate, key) = root.issue(gateway_params(name));
        let real = pair::provider().signer(&key.serialize_der()).unwrap();
        let queue = Queue::default();
        let put = Arc::clone(&queue);
        let remote = Remote::new(
            real.public_key().to_vec(),
            vec![Scheme::Ecdsa(Curve::P256, Hash::Sha256)],
            move |request: SignRequest<'_>| {
                put.lock()
                    .unwrap()
                    .push((request.ticket, request.message.to_vec()));
                Ok(())
            },
        );
        let mut trust = TrustStore::new();
        trust.add(&pair::provider(), "root", &root.der).unwrap();
        let signer: Arc<dyn Signer> = Arc::new(remote);
        let own_one =
            Credential::new(&pair::provider(), name, &[&certificate], signer, &trust).unwrap();
        hosts.push(setup.host(
            own,
            peer,
            Credentials {
                own: vec![own_one],
                trust,
            },
        ));
        keys.push((real, queue));
    }
    let b = hosts.pop().unwrap();
    let a = hosts.pop().unwrap();
    let mut pair = Pair::of(a, b);
    pair.start();
    for (at, (real, queue)) in keys.iter().enumerate() {
        assert!(pair.a.established.is_empty());
        let host = if at == 0 { &mut pair.a } else { &mut pair.b };
        let (id, question) = host.ike.question().unwrap();
        let Question::Sign(_, ticket) = question else {
            panic!("{question:?}");
        };
        let (asked, message) = queue.lock().unwrap().pop().unwrap();
        assert_eq!(asked, ticket);
        let scheme = Scheme::Ecdsa(Curve::P256, Hash::Sha256);
        let Signing::Done(signature) = real.sign(scheme, &message, &mut support::random()).unwrap()
        else {
            panic!();
        };
        host.ike
            .answer(pair.now, id, Answer::Signature(Some(signature)));
        pair.run();
    }
    pair.assert_agreement();
    assert_eq!(pair.a.children.len(), 1);
}

// RFC 7296 §2.23: the NAT is found, IKE_AUTH goes on port 4500, ESP goes in UDP, and the peer is followed when its
// translation changes; RFC 3948 §2.3: keepalives from behind the NAT only.
#[test]
fn behind_a_nat() {
    let mut setup = Setup::default();
    setup.action.bypass_ip_validation = true;
    let mut pair = setup.pair();
    pair.nat = Some(SocketAddr::new(address(77), 20_000));
    pair.start();
    pair.assert_agreement();
    let (a, b) = (
        pair.a.children.values().next().unwrap(),
        pair.b.children.values().next().unwrap(),
    );
    assert!(a.udp && b.udp);
    assert_eq!((a.path.local.port(), a.path.remote.port()), (4500, 4500));
    assert_eq!(b.path.remote, SocketAddr::new(address(77), 20_000));
    assert_eq!(pair.a.established[0].nat, (true, false));
    assert_eq!(pair.b.established[0].nat, (false, true));
    let before = pair.sent.len();
    pair.pass(Duration::from_secs(25));
    let alive = |sent: &&Transmit| sent.bytes == [0xff];
    let kept: Vec<_> = pair.sent[before..].iter().filter(alive).collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].path.local.ip(), address(1));
}

// RFC 7296 §2.23: both begin on port 4500.
#[test]
fn start_on_4500() {
    let mut setup = Setup::default();
    setup.config.start_on_nat_port = true;
    let mut pair = setup.pair();
    pair.start();
    pair.assert_agreement();
    assert!(pair.sent.iter().all(|sent| sent.path.local.port() == 4500));
    assert!(pair.sent.iter().all(|sent| sent.bytes[..4] == [0; 4]));
    assert!(!pair.a.children.values().next().unwrap().udp);
}

// RFC 4555 §3.3, §3.5, §3.8: with MOBIKE both are on port 4500 from IKE_AUTH on, though there is no NAT; the
// initiator, and no other, has another address, and both ends of the children follow.
#[test]
fn another_address() {
    let mut pair = Setup::default().pair();
    pair.start();
    assert_eq!(pair.sent[0].path.remote.port(), 500);
    assert_eq!(pair.sent.last().unwrap().path.remote.port(), 4500);
    assert!(!pair.a.children.values().next().unwrap().udp);
    let sa = pair.a.only_sa();
    let path = Path {
        local: SocketAddr::new(address(9), 4500),
        remote: SocketAddr::new(address(2), 4500),
    };
    assert!(!pair.b.ike.move_to(pair.now, pair.b.only_sa(), path));
    assert!(pair.a.ike.move_to(pair.now, sa, path));
    pair.collect();
    let mut request = pair.wire.pop_front().unwrap();
    assert_eq!(request.path, path);
    pair.b.ike.receive(
        pair.now,
        Path {
            local: path.remote,
            remote: path.local,
        },
        &request.bytes,
    );
    pair.b.take_events();
    let answer = pair.b.ike.transmit().unwrap();
    assert_eq!(answer.path.remote, path.local);
    pair.a.ike.receive(pair.now, path, &answer.bytes);
    pair.a.take_events();
    assert_eq!(pair.a.live()[0].path, path);
    assert_eq!(pair.b.live()[0].path.remote, path.local);
    assert!(pair.b.log.last().unwrap().starts_with("PeerMoved"));
    // The request again, from the old address: it is answered from the store and moves nothing.
    request.path.local = SocketAddr::new(address(1), 4500);
    pair.deliver(request);
    assert_eq!(pair.b.live()[0].path.remote, path.local);
}

// RFC 7296 §2.19: an address for a peer; who has one speaks from it alone.
#[test]
fn addresses() {
    let mut setup = Setup::default();
    setup.config.ask_address = true;
    setup.config.give_addresses = true;
    for give in [true, false] {
        let mut pair = setup.pair();
        pair.start();
        let (id, question) = pair.b.ike.question().unwrap();
        let Question::Address(_, peer, _) = question else {
            panic!("{question:?}");
        };
        assert_eq!(peer, Identity::ip(address(1)));
        let given = Assigned {
            addresses: vec!["10.1.1.7".parse().unwrap()],
            name_servers: vec![address(53)],
        };
        pair.b
            .ike
            .answer(pair.now, id, Answer::Address(give.then_some(given)));
        pair.run();
        pair.assert_agreement();
        assert_eq!(pair.a.established.len(), 1);
        if give {
            let child = pair.a.children.values().next().unwrap();
            assert_eq!(
                child.local[0].addresses.single(),
                Some("10.1.1.7".parse().unwrap())
            );
            assert!(pair.a.log.iter().any(|line| line.contains("10.1.1.7")));
        } else {
            // RFC 7296 §3.15.4: no address, no child, and the IKE SA stays.
            let told = Failure::Told(NotifyType::INTERNAL_ADDRESS_FAILURE);
            assert_eq!(pair.a.failed, [told]);
            assert!(pair.a.children.is_empty());
        }
    }
}

fn with_ppk(key: &[u8], mandatory: bool) -> Setup {
    let mut setup = Setup::default();
    setup.config.ppks = vec![Ppk {
        identity: key[..4].to_vec(),
        key: Secret::copy(key),
        peer: None,
        mandatory,
    }];
    setup
}

// RFC 8784 §3: the table of what both sides have and want.
#[test]
fn post_quantum_preshared_keys() {
    let none = Setup::default();
    let (one, must) = (with_ppk(&[7; 32], false), with_ppk(&[7; 32], true));
    let (other, other_must) = (with_ppk(&[8; 32], false), with_ppk(&[8; 32], true));
    let cases = [
        (&one, &one, Some(true)),
        (&must, &must, Some(true)),
        (&one, &must, Some(true)),
        (&none, &one, Some(false)),
        (&one, &none, Some(false)),
        (&none, &must, None),
        (&must, &none, None),
        // The responder has another key: without one if both may, else not at all.
        (&one, &other, Some(false)),
        (&must, &other, None),
        (&one, &other_must, None),
    ];
    for (at, (a, b, used)) in cases.into_iter().enumerate() {
        let mut pair = Pair::of(
            a.host(1, 2, Credentials::default()),
            b.host(2, 1, Credentials::default()),
        );
        pair.start();
        pair.pass(Duration::from_secs(400));
        let facts = pair.a.established.first().map(|facts| facts.ppk);
        assert_eq!(facts, used, "case {at}: {:#?}", pair.a.log);
        assert_eq!(
            pair.b.established.first().map(|facts| facts.ppk),
            used,
            "case {at}"
        );
        if used.is_some() {
            pair.assert_agreement();
            assert_eq!(pair.a.children.len(), 1);
        }
    }
    // The same identity with another key is no proof.
    let mut wrong = with_ppk(&[7; 32], false);
    wrong.config.ppks[0].key = Secret::copy(&[9; 32]);
    let mut pair = Pair::of(
        one.host(1, 2, Credentials::default()),
        wrong.host(2, 1, Credentials::default()),
    );
    pair.start();
    assert!(pair.a.established.is_empty() && pair.b.established.is_empty());
}

// RFC 7296 §2.8.3: authenticated again, make before break; no moment without a child.
#[test]
fn authenticated_again() {
    let mut setup = Setup::default();
    setup.action.reauth_minutes = NonZeroU32::new(10);
    let mut pair = setup.pair();
    pair.start();
    let old = pair.a.only_sa();
    for _ in 0..70 {
        pair.pass(Duration::from_secs(10));
        assert!(!pair.a.sending.is_empty());
    }
    pair.assert_agreement();
    assert_eq!(pair.a.established.len(), 2);
    assert_ne!(pair.a.only_sa(), old);
    assert_eq!(pair.a.children.len(), 1);
    assert!(pair.a.closed.contains(&(old, Failure::Replaced)));
}

// RFC 4478 §3: the responder wants it.
#[test]
fn authentication_lifetime() {
    let mut b = Setup::default();
    b.action.reauth_minutes = NonZeroU32::new(10);
    let mut pair = Pair::of(
        Setup::default().host(1, 2, Credentials::default()),
        b.host(2, 1, Credentials::default()),
    );
    pair.start();
    pair.pass(Duration::from_secs(580));
    pair.assert_agreement();
    assert_eq!((pair.a.established.len(), pair.a.children.len()), (2, 1));
}

// RFC 5685 §3: sent elsewhere; a REDIRECT without the nonce is nobody's.
#[test]
fn redirected() {
    let mut b = Setup::default();
    b.config.redirect_to = Some(address(3));
    let mut pair = Pair::of(
        Setup::default().host(1, 2, Credentials::default()),
        b.host(2, 1, Credentials::default()),
    );
    pair.a.ike.initiate(pair.now, TunnelId(1)).unwrap();
    pair.collect();
    let request = pair.wire.pop_front().unwrap();
    pair.deliver(request);
    pair.b.take_events();
    let answer = pair.b.ike.transmit().unwrap();
    let mut forged = answer.clone();
    *forged.bytes.last_mut().unwrap() ^= 1;
    pair.deliver(forged);
    assert!(pair.a.ike.transmit().is_none());
    pair.deliver(answer);
    let next = pair.a.ike.transmit().unwrap();
    assert_eq!(next.path.remote.ip(), address(3));
}

// RFC 7296 §2.21.1: what is told before there are keys may be anybody's; the attempt waits for a better answer, and
// ends sooner if none comes.
#[test]
fn told_without_protection() {
    let b = Setup {
        offers: vec![KeyExchangeOffer::new(
            IkeProtection::Aead(Aead::ChaCha20Poly1305),
            Prf::Hmac(Hash::Sha512),
            Group::P521,
        )],
        ..Setup::default()
    };
    let mut pair = Pair::of(
        Setup::default().host(1, 2, Credentials::default()),
        b.host(2, 1, Credentials::default()),
    );
    pair.a.ike.initiate(pair.now, TunnelId(1)).unwrap();
    pair.collect();
    let request = pair.wire.pop_front().unwrap();
    pair.deliver(request);
    pair.b.take_events();
    let told = pair.b.ike.transmit().unwrap();
    pair.deliver(told);
    pair.a.take_events();
    assert!(pair.a.failed.is_empty() && !pair.a.ike.is_empty());
    pair.pass(Duration::from_secs(400));
    assert_eq!(
        pair.a.failed,
        [Failure::Told(NotifyType::NO_PROPOSAL_CHOSEN)]
    );
    assert!(pair.a.ike.is_empty());
}

// RFC 7296 §2.4: a host that has forgotten everything begins anew; the other end takes the old SA away, once
// the peer is authenticated.
#[test]
fn initial_contact() {
    let setup = Setup::default();
    let mut pair = setup.pair();
    pair.start();
    let again = Setup { seed: 99, ..setup };
    pair.a = again.host(1, 2, Credentials::default());
    pair.a.ike.initiate(pair.now, TunnelId(1)).unwrap();
    pair.run();
    pair.pass(Duration::from_secs(1));
    pair.assert_agreement();
    assert_eq!(pair.b.closed[0].1, Failure::InitialContact);
    assert_eq!(pair.b.children.len(), 1);
}

fn datagram(version: u8, exchange: ExchangeType, spi_r: IkeSpi) -> Vec<u8> {
    let header = Header {
        spi_i: IkeSpi([5; 8]),
        spi_r,
        exchange,
        flags: Flags {
            initiator: true,
            version: false,
            response: false,
        },
        message_id: 0,
    };
    let mut octets = header.octets(PayloadType::NO_NEXT_PAYLOAD, 28).to_vec();
    octets[17] = version;
    octets
}

// RFC 9395 §3: IKEv1 gets no answer. RFC 7296 §2.5, §2.21.4: a higher version is told which one is spoken; an
// unknown SPI is told, both at a limited rate.
#[test]
fn outside_of_any_sa() {
    let mut pair = Setup::default().pair();
    let path = Path {
        local: SocketAddr::new(address(2), 500),
        remote: SocketAddr::new(address(1), 500),
    };
    let ike = &mut pair.b.ike;
    ike.receive(
        pair.now,
        path,
        &datagram(0x10, ExchangeType(2), IkeSpi::ZERO),
    );
    assert!(ike.transmit().is_none());
    assert_eq!(ike.counters().version_1, 1);
    ike.receive(
        pair.now,
        path,
        &datagram(0x30, ExchangeType::IKE_SA_INIT, IkeSpi::ZERO),
    );
    let answer = ike.transmit().unwrap();
    assert_eq!(answer.bytes[28..], [0, 0, 0, 9, 0, 0, 0, 5, 2]);
    for _ in 0..50 {
        ike.receive(
            pair.now,
            path,
            &datagram(0x20, ExchangeType::INFORMATIONAL, IkeSpi([9; 8])),
        );
    }
    let mut answers = 0;
    while let Some(answer) = ike.transmit() {
        assert_eq!(answer.bytes[28..], [0, 0, 0, 8, 0, 0, 0, 4]);
        answers += 1;
    }
    assert_eq!(answers, 9);
    assert_eq!(ike.counters().answers_held_back, 41);
}

// RFC 7296 §1.3: with another group for a child than the peer wants, the peer says which.
#[test]
fn another_group_for_a_child() {
    let mut a = Setup::default();
    a.vpn.initiate_pfs = Pfs::of(Group::X25519);
    let mut b = Setup::default();
    b.vpn.acceptable_pfs = vec![Pfs::of(Group::X25519), Pfs::of(Group::P256)];
    let mut pair = Pair::of(
        a.host(1, 2, Credentials::default()),
        b.host(2, 1, Credentials::default()),
    );
    pair.start();
    pair.a.ike.initiate(pair.now, TunnelId(2)).unwrap();
    pair.run();
    pair.assert_agreement();
    assert_eq!(pair.a.children.len(), 2);
    // What the peer does not accept at all.
    let mut b = Setup::default();
    b.vpn.acceptable_pfs = vec![Pfs::of(Group::P256)];
    let mut pair = Pair::of(
        a.host(1, 2, Credentials::default()),
        b.host(2, 1, Credentials::default()),
    );
    pair.start();
    pair.a.ike.initiate(pair.now, TunnelId(2)).unwrap();
    pair.run();
    pair.assert_agreement();
    assert_eq!(
        pair.a.failed,
        [Failure::Told(NotifyType::NO_PROPOSAL_CHOSEN)]
    );
    assert_eq!((pair.a.children.len(), pair.a.live().len()), (1, 1));
}

// RFC 7296 §2.21.2: a first child that cannot be does not cost the IKE SA.
#[test]
fn no_first_child() {
    let b = Setup {
        tunnels: 0,
        ..Setup::default()
    };
    let mut pair = Pair::of(
        Setup::default().host(1, 2, Credentials::default()),
        b.host(2, 1, Credentials::default()),
    );
    pair.start();
    pair.assert_agreement();
    assert_eq!(pair.a.failed, [Failure::Told(NotifyType::TS_UNACCEPTABLE)]);
    assert_eq!((pair.a.live().len(), pair.b.live().len()), (1, 1));
}

// Memory: what the handshake needed is gone when it is over.
#[test]
fn nothing_is_left_of_a_beginning() {
    let setup = Setup {
        offers: vec![gcm().and(AdditionalKeyExchange::required(Group::MlKem768))],
        ..Setup::default()
    };
    let mut pair = setup.pair();
    // Lost answers all the way: the other end forgets, and nothing stays anywhere.
    pair.deaf[0] = true;
    pair.start();
    assert_eq!(pair.b.ike.load().0, 1);
    pair.pass(Duration::from_secs(400));
    assert!(pair.a.ike.is_empty() && pair.b.ike.is_empty());
    assert_eq!(pair.a.failed, [Failure::NoAnswer]);
    assert_eq!(pair.b.ike.load().0, 0);
}
