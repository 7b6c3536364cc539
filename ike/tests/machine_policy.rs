//! What policy chooses: modes, keys of certificates, rules, groups, certificates that are fetched; and fragments.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod pair;
mod support;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hostward_crypto::algorithm::{Aead, Group, Hash, Prf};
use hostward_crypto::{Secret, Signer};
use hostward_hook::ident::TunnelId;
use hostward_ike::auth::{AuthMethod, HowToAuthMe, SharedKey};
use hostward_ike::certificate::{Credential, TrustStore};
use hostward_ike::identity::{Addresses, Identity, IdentityPattern};
use hostward_ike::machine::*;
use hostward_ike::message::NotifyType;
use hostward_ike::policy::*;
use hostward_ike::selector::{AddressRange, Selector};

use pair::{Host, Pair, Setup, address};
use support::{Authority, fixture, gateway_params};

/// The only tunnel is between two hosts.
fn between(host: &mut Host, setup: &Setup, own: IpAddr, peer: IpAddr) {
    let one = |address| vec![Selector::of(AddressRange::one(address))];
    let vpn = Arc::new(setup.vpn.clone());
    let tunnel = Tunnel::new(TunnelId(1), "t", vpn, one(own), one(peer));
    host.ike.set_tunnels(vec![tunnel]);
}

fn transport() -> Setup {
    let mut setup = Setup::default();
    setup.action.bypass_ip_validation = true;
    setup.vpn.offers[0].encapsulation = Encapsulation::Transport;
    setup
}

// RFC 7296 §1.3.1: transport mode is asked for and agreed on; a responder that wants tunnels declines, and an initiator
// that can do with that has a tunnel, while another deletes the child.
#[test]
fn transport_mode() {
    for (ours, theirs, mode) in [
        (
            EncapsulationChoice::Either,
            EncapsulationChoice::Either,
            Some(Encapsulation::Transport),
        ),
        (
            EncapsulationChoice::Either,
            EncapsulationChoice::Tunnel,
            Some(Encapsulation::Tunnel),
        ),
        (
            EncapsulationChoice::Transport,
            EncapsulationChoice::Tunnel,
            None,
        ),
    ] {
        let (mut a, mut b) = (transport(), transport());
        a.vpn.encapsulation = ours;
        b.vpn.encapsulation = theirs;
        let mut tunnel = b.vpn.offers[0].clone();
        tunnel.encapsulation = Encapsulation::Tunnel;
        b.vpn.offers.push(tunnel);
        let mut pair = Pair::of(
            a.host(1, 2, Credentials::default()),
            b.host(2, 1, Credentials::default()),
        );
        between(&mut pair.a, &a, address(1), address(2));
        between(&mut pair.b, &b, address(2), address(1));
        pair.start();
        pair.assert_agreement();
        let made = pair.a.children.values().next();
        assert_eq!(made.map(|child| child.mode), mode);
        assert_eq!(made.and_then(|child| child.original), None);
        assert_eq!(pair.a.live().len(), 1);
        if let Some(mode) = mode {
            let id = pair.b.only_child();
            pair.b.ike.rekey_child(pair.now, id);
            pair.run();
            pair.assert_agreement();
            assert_eq!(pair.a.children.values().next().unwrap().mode, mode);
        }
    }
}

// RFC 7296 §2.23.1: through a NAT the responder's selectors have the address that it sees, the initiator's its own, and
// both know the original one for checksums.
#[test]
fn transport_mode_through_a_nat() {
    let setup = transport();
    let mut pair = setup.pair();
    between(&mut pair.a, &setup, address(1), address(2));
    between(&mut pair.b, &setup, address(2), address(77));
    pair.nat = Some(SocketAddr::new(address(77), 20_000));
    pair.start();
    let a = pair.a.children.values().next().unwrap();
    let b = pair.b.children.values().next().unwrap();
    assert_eq!(
        (a.mode, b.mode),
        (Encapsulation::Transport, Encapsulation::Transport)
    );
    assert!(a.udp && b.udp);
    assert_eq!(a.local[0].addresses.single(), Some(address(1)));
    assert_eq!(b.remote[0].addresses.single(), Some(address(77)));
    assert_eq!(b.original, Some((address(2), address(1))));
    assert_eq!(a.inbound, b.outbound);
}

/// With the certificate and key of that name, which another program made.
fn by_fixture(name: &str) -> (Setup, Credentials) {
    let mut setup = Setup::default();
    setup.action.auth_me = HowToAuthMe::DigitalSignature;
    setup.identity = Some(Identity::fqdn(&format!("{name}.example.com")).unwrap());
    let mut trust = TrustStore::new();
    let provider = pair::provider();
    trust.add(&provider, "root", &fixture("root.der")).unwrap();
    let key = fixture(&format!("{name}.pk8"));
    let signer: Arc<dyn Signer> = Arc::from(provider.signer(&key).unwrap());
    let certificate = fixture(&format!("{name}.der"));
    let own = Credential::new(&provider, name, &[&certificate], signer, &trust).unwrap();
    let own = vec![own];
    (setup, Credentials { own, trust })
}

// RFC 7427 §3, RFC 8420 §2, RFC 7296 §3.8: keys of all kinds, also of two kinds between two hosts, and RSA by the old
// method.
#[test]
fn keys_of_all_kinds() {
    let names = ["rsa", "ed25519", "p256", "p384", "p521"];
    for (at, name) in names.into_iter().enumerate() {
        let (a, ours) = by_fixture(name);
        let (b, theirs) = by_fixture(names[(at + 1) % names.len()]);
        let mut pair = Pair::of(a.host(1, 2, ours), b.host(2, 1, theirs));
        pair.start();
        pair.assert_agreement();
        assert_eq!(pair.b.children.len(), 1, "{name}: {:?}", pair.b.log);
        let facts = &pair.b.established[0];
        assert_eq!(facts.remote.to_string(), format!("{name}.example.com"));
        assert_eq!(facts.remote_method, AuthMethod::DigitalSignature);
    }
    let ((mut a, ours), (mut b, theirs)) = (by_fixture("rsa"), by_fixture("rsa"));
    a.action.auth_me = HowToAuthMe::RsaSignature;
    b.action.auth_me = HowToAuthMe::RsaSignature;
    let mut pair = Pair::of(a.host(1, 2, ours), b.host(2, 1, theirs));
    pair.start();
    pair.assert_agreement();
    assert_eq!(pair.a.established[0].local_method, AuthMethod::Rsa);
    assert_eq!(pair.a.established[0].remote_method, AuthMethod::Rsa);
}

/// A rule for peers of this name.
fn rule(name: &str, protection: IkeProtection) -> KeyExchangeRule {
    let offer = KeyExchangeOffer::new(protection, Prf::Hmac(Hash::Sha384), Group::X25519);
    let mut action = KeyExchangeAction::new(name, vec![offer]);
    action.auth_me = HowToAuthMe::PresharedKey;
    let local = LocalEndpoint {
        identity: None,
        location: Addresses::All,
    };
    let remote = RemoteEndpoint {
        identity: IdentityPattern::fqdn(name).unwrap(),
        location: Addresses::All,
        authorities: Vec::new(),
    };
    let mut rule = KeyExchangeRule::new(name, local, remote, Arc::new(action));
    let key = Secret::copy(Setup::default().key);
    rule.shared_key = Some(SharedKey::new(key).unwrap());
    rule
}

// EZD1785I: the rule is chosen by address first, and by identity when that is known; if that one does not take what
// was agreed on, there is no SA.
#[test]
fn the_rule_changes() {
    let gcm = IkeProtection::Aead(Aead::AES_256_GCM);
    let chacha = IkeProtection::Aead(Aead::ChaCha20Poly1305);
    for (name, fits) in [("one.example.com", true), ("two.example.com", false)] {
        let a = Setup {
            identity: Some(Identity::fqdn(name).unwrap()),
            ..Setup::default()
        };
        let b = Setup::default();
        let parts = PolicyParts {
            rules: vec![
                rule("one.example.com", gcm),
                rule("two.example.com", chacha),
            ],
            actions: vec![Arc::new(b.vpn.clone())],
            ..PolicyParts::default()
        };
        let policy = Arc::new(Policy::new(parts, &pair::provider()).unwrap());
        let mut pair = Pair::of(
            a.host(1, 2, Credentials::default()),
            b.host(2, 1, Credentials::default()),
        );
        pair.b.ike.set_policy(policy);
        pair.start();
        if fits {
            pair.assert_agreement();
            assert_eq!(&*pair.b.established[0].rule, name);
        } else {
            assert!(pair.b.established.is_empty() && pair.a.established.is_empty());
            assert_eq!(pair.b.closed[0].1, Failure::RuleChanged);
            let told = Failure::Told(NotifyType::AUTHENTICATION_FAILED);
            assert_eq!(pair.a.closed[0].1, told);
        }
    }
}

// RFC 3526 §3, §4: groups of modular exponentials, for the IKE SA and for a child.
#[test]
fn modular_groups() {
    for group in [Group::Modp2048, Group::Modp3072] {
        let protection = IkeProtection::Aead(Aead::AES_256_GCM);
        let mut setup = Setup {
            offers: vec![KeyExchangeOffer::new(
                protection,
                Prf::Hmac(Hash::Sha256),
                group,
            )],
            ..Setup::default()
        };
        setup.vpn.initiate_pfs = Pfs::of(group);
        setup.vpn.acceptable_pfs = vec![Pfs::of(group)];
        let mut pair = setup.pair();
        pair.start();
        let id = pair.a.only_child();
        pair.a.ike.rekey_child(pair.now, id);
        pair.run();
        pair.assert_agreement();
        let id = pair.a.only_child();
        assert_eq!(pair.a.children[&id].suite.group, Some(group));
        assert_eq!(pair.a.established[0].suite.group, group);
    }
}

/// Two hosts whose certificates are published; gives these too.
fn published(lookup: CertificateUrlLookup) -> (Pair, Vec<Vec<u8>>) {
    let root = Authority::root("Root");
    let provider = pair::provider();
    let mut all = Vec::new();
    let hosts: Vec<Host> = [("a.example.com", 1, 2), ("b.example.com", 2, 1)]
        .into_iter()
        .map(|(name, own, peer)| {
            let mut setup = Setup::default();
            setup.action.auth_me = HowToAuthMe::DigitalSignature;
            setup.action.certificate_url = lookup;
            setup.identity = Some(Identity::fqdn(name).unwrap());
            let (certificate, key) = root.issue(gateway_params(name));
            let mut trust = TrustStore::new();
            trust.add(&provider, "root", &root.der).unwrap();
            let signer: Arc<dyn Signer> = Arc::from(provider.signer(&key.serialize_der()).unwrap());
            let own_one = Credential::new(&provider, name, &[&certificate], signer, &trust);
            let url = format!("http://{name}/certificate");
            let own_one = own_one.unwrap().published(&provider, &url).unwrap();
            all.push(certificate);
            let own_one = vec![own_one];
            setup.host(
                own,
                peer,
                Credentials {
                    own: own_one,
                    trust,
                },
            )
        })
        .collect();
    let [a, b]: [Host; 2] = hosts.try_into().ok().unwrap();
    (Pair::of(a, b), all)
}

// RFC 7296 §3.6: certificates that are published are told by hash and address to who asks for that, and the host is
// asked to fetch them; nothing waits, and what is not what its hash says proves nothing.
#[test]
fn certificates_are_fetched() {
    let (mut pair, all) = published(CertificateUrlLookup::Allow);
    pair.start();
    for (at, certificate) in all.iter().enumerate() {
        let host = if at == 0 { &mut pair.b } else { &mut pair.a };
        let (id, question) = host.ike.question().unwrap();
        let Question::Certificate(_, place) = question else {
            panic!("{question:?}");
        };
        let name = ["a", "b"][at];
        assert_eq!(
            place.url(),
            format!("http://{name}.example.com/certificate")
        );
        assert!(host.established.is_empty());
        let answer = Answer::Certificate(Some(certificate.clone()));
        host.ike.answer(pair.now, id, answer);
        pair.run();
    }
    pair.assert_agreement();
    assert_eq!(pair.a.children.len(), 1);

    for wrong in [None, Some(all[1].clone())] {
        let (mut pair, _) = published(CertificateUrlLookup::Allow);
        pair.start();
        let (id, _) = pair.b.ike.question().unwrap();
        pair.b.ike.answer(pair.now, id, Answer::Certificate(wrong));
        pair.run();
        assert!(pair.a.established.is_empty() && pair.b.established.is_empty());
        assert!(matches!(pair.b.closed[0].1, Failure::NotAuthenticated(_)));
    }
    // Who does not ask for it is sent the certificate.
    let (mut pair, _) = published(CertificateUrlLookup::Tolerate);
    pair.start();
    assert!(pair.b.ike.question().is_none());
    pair.assert_agreement();
    assert_eq!(pair.a.children.len(), 1);
}

// RFC 7383 §2.6.1: when a fragmented request comes again, its first fragment, and no other one, makes the answer go out
// again, all of it and octet by octet.
#[test]
fn only_the_first_fragment_is_answered_again() {
    let (a, ours) = by_fixture("rsa");
    let (b, theirs) = by_fixture("p256");
    let mut pair = Pair::of(a.host(1, 2, ours), b.host(2, 1, theirs));
    pair.start();
    pair.assert_agreement();
    let auth = |from: u8| -> Vec<Transmit> {
        let of = |sent: &&Transmit| {
            sent.path.local.ip() == address(from) && sent.path.local.port() == 4500
        };
        pair.sent.iter().filter(of).cloned().collect()
    };
    let (request, answer) = (auth(1), auth(2));
    assert!(request.len() > 2 && answer.len() > 1);
    let mut times = 0;
    for fragment in request.iter().skip(1).chain(&request) {
        pair.deliver(fragment.clone());
        let mut sent = Vec::new();
        while let Some(datagram) = pair.b.ike.transmit() {
            sent.push(datagram);
        }
        if fragment == &request[0] {
            assert_eq!(sent, answer);
            times += 1;
        } else {
            assert!(sent.is_empty());
        }
    }
    assert_eq!(times, 1);
    assert_eq!(pair.b.ike.counters().answered_again, 1);
    assert_eq!(pair.b.established.len(), 1);
}
