//! Policies that hold together and policies that do not: each fault names object, parameter and what was expected.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::sync::Arc;

use hostward_crypto::algorithm::{Aead, AesKey, Cipher, Group, Hash, Mac, Prf};
use hostward_crypto::fips::Fips;
use hostward_crypto::{Provider, Secret, backend};
use hostward_ike::auth::{HowToAuthMe, SharedKey};
use hostward_ike::identity::{Addresses, Identity, IdentityPattern};
use hostward_ike::policy::{
    AdditionalKeyExchange, DataProtection, DynVpnAction, EncapsulationChoice, IkeProtection,
    IpDataOffer, KeyExchangeAction, KeyExchangeOffer, KeyExchangeRule, Life, LocalDynVpnRule,
    LocalEndpoint, PeerProof, Pfs, Policy, PolicyError, PolicyParts, RemoteEndpoint,
};

fn provider() -> Provider {
    Provider::of([backend::RUST_CRYPTO])
}

fn offer() -> KeyExchangeOffer {
    let protection = IkeProtection::Cipher(Cipher::AesCbc(AesKey::Aes256), Mac::Hmac(Hash::Sha256));
    KeyExchangeOffer::new(protection, Prf::Hmac(Hash::Sha256), Group::P256)
}

fn rule(name: &str, identity: IdentityPattern, action: KeyExchangeAction) -> KeyExchangeRule {
    let local = LocalEndpoint {
        identity: None,
        location: Addresses::V4,
    };
    let remote = RemoteEndpoint {
        identity,
        location: Addresses::prefix("192.0.2.0".parse().unwrap(), 24).unwrap(),
        authorities: Vec::new(),
    };
    KeyExchangeRule::new(name, local, remote, Arc::new(action))
}

fn action() -> KeyExchangeAction {
    KeyExchangeAction::new("Action", vec![offer()])
}

fn policy(rules: Vec<KeyExchangeRule>) -> Result<Policy, PolicyError> {
    let parts = PolicyParts {
        rules,
        ..PolicyParts::default()
    };
    Policy::new(parts, &provider())
}

/// What is said of one offer.
fn fault(change: impl FnOnce(&mut KeyExchangeOffer)) -> Option<(&'static str, &'static str)> {
    let mut offer = offer();
    change(&mut offer);
    let action = KeyExchangeAction::new("Action", vec![offer]);
    let error = policy(vec![rule("Rule", IdentityPattern::Any, action)]).err()?;
    assert!(!error.expected.is_empty() && error.to_string().contains("Action"));
    Some((error.kind, error.parameter))
}

#[test]
fn offers_that_do_not_hold_together() {
    let of = |parameter| Some(("KeyExchangeAction", parameter));
    let additional = |groups: &[Group]| AdditionalKeyExchange {
        groups: groups.to_vec(),
        optional: false,
    };
    assert_eq!(fault(|_| {}), None);
    assert_eq!(fault(|o| o.group = Group::X25519MlKem768), of("DHGroup"));
    assert_eq!(fault(|o| o.group = Group::MlKem1024), of("DHGroup"));
    assert_eq!(fault(|o| o.group = Group::MlKem768), None);
    // RFC 9370 §2.2.2: never the same twice.
    assert_eq!(
        fault(|o| o.additional = vec![additional(&[Group::MlKem1024])]),
        None
    );
    for bad in [
        vec![additional(&[])],
        vec![additional(&[Group::P256])],
        vec![
            additional(&[Group::MlKem768]),
            additional(&[Group::MlKem768]),
        ],
        vec![additional(&[Group::MlKem768, Group::MlKem768])],
        vec![additional(&[Group::X25519MlKem768])],
        vec![additional(&[Group::MlKem768, Group::MlKem512]); 8],
    ] {
        assert_eq!(
            fault(|o| o.additional = bad.clone()),
            of("AdditionalKeyExchange"),
            "{bad:?}"
        );
    }
    assert_eq!(
        fault(|o| o.additional = vec![additional(&[Group::P256, Group::P384])]),
        None
    );
    assert_eq!(
        fault(|o| o.life = Life::of(60, 120..=480)),
        of("RefreshLifetimeProposed")
    );
    assert_eq!(
        fault(|o| o.life = Life::of(0, 0..=480)),
        of("RefreshLifetimeProposed")
    );
    assert_eq!(
        fault(|o| {
            o.life.kilobytes = Some(1);
            o.life.accepted_kilobytes = Some(2..=3);
        }),
        of("RefreshLifesizeProposed")
    );
}

#[test]
fn what_cannot_be_done_fails_the_policy() {
    let strict = provider().with_fips(Fips::Algorithms);
    let parts = |offer: KeyExchangeOffer, data: DataProtection| PolicyParts {
        rules: vec![rule(
            "Rule",
            IdentityPattern::Any,
            KeyExchangeAction::new("Action", vec![offer]),
        )],
        actions: vec![Arc::new(DynVpnAction::new(
            "Tunnel",
            vec![IpDataOffer::new(data)],
        ))],
        ..PolicyParts::default()
    };
    let gcm = DataProtection::EspAead(Aead::AES_256_GCM);
    Policy::new(parts(offer(), gcm), &strict).unwrap();
    let fault = |offer, data, provider: &Provider| {
        let error = Policy::new(parts(offer, data), provider).err().unwrap();
        (error.parameter, error.expected.contains("FIPS"))
    };
    let mut aead = offer();
    aead.protection = IkeProtection::Aead(Aead::AES_256_GCM);
    assert_eq!(fault(aead, gcm, &strict), ("HowToEncrypt", true));
    let mut curve = offer();
    curve.group = Group::X25519;
    assert_eq!(fault(curve, gcm, &strict), ("DHGroup", true));
    let chacha = DataProtection::EspAead(Aead::ChaCha20Poly1305);
    assert_eq!(fault(offer(), chacha, &strict), ("HowToEncrypt", true));
    let xcbc = DataProtection::Ah(Mac::AesXcbc);
    assert_eq!(fault(offer(), xcbc, &strict), ("HowToAuth", true));
    assert_eq!(
        fault(offer(), gcm, &Provider::default()),
        ("HowToEncrypt", false)
    );
}

#[test]
fn rules_are_tried_in_order() {
    let (here, there) = (
        "198.51.100.1".parse().unwrap(),
        "192.0.2.7".parse().unwrap(),
    );
    let peer = Identity::fqdn("gw.example.com").unwrap();
    let policy = policy(vec![
        rule(
            "One",
            IdentityPattern::fqdn("gw.example.com").unwrap(),
            action(),
        ),
        rule(
            "Domain",
            IdentityPattern::fqdn("*.example.com").unwrap(),
            action(),
        ),
        rule("Any", IdentityPattern::Any, action()),
    ])
    .unwrap();
    let found = |me: Option<&Identity>, id: &Identity| {
        policy.rule(here, there, me, id).map(|rule| &*rule.name)
    };
    assert_eq!(&*policy.tentative(here, there).unwrap().name, "One");
    assert_eq!(policy.tentatives(here, there).count(), 3);
    assert_eq!(found(None, &peer), Some("One"));
    assert_eq!(
        found(None, &Identity::fqdn("x.example.com").unwrap()),
        Some("Domain")
    );
    assert_eq!(found(None, &Identity::ip(there)), Some("Any"));
    // This host is its address, since the rules say nothing else.
    assert_eq!(found(Some(&Identity::ip(here)), &peer), Some("One"));
    assert_eq!(found(Some(&peer), &peer), None);
    let far = "203.0.113.1".parse().unwrap();
    assert!(policy.tentative(here, far).is_none());
    assert!(policy.rule(here, far, None, &peer).is_none());
    assert!(policy.authorities(&policy.rules()[0]).is_none());
}

#[test]
fn proofs_fit_what_a_rule_has() {
    let key = || Some(SharedKey::new(Secret::copy(b"secret")).unwrap());
    let mut shared = action();
    shared.auth_me = HowToAuthMe::PresharedKey;
    let mut one = rule("Rule", IdentityPattern::Any, shared);
    let error = policy(vec![one.clone()]).err().unwrap();
    assert_eq!(
        (error.kind, error.parameter),
        ("KeyExchangeRule", "SharedKey")
    );
    one.shared_key = key();
    assert_eq!(one.peer_proof(), PeerProof::SharedKey);
    policy(vec![one]).unwrap();
    // A certificate on both sides; a shared key of the peer alone; a certificate of the peer, although there is a key.
    let mut one = rule("Rule", IdentityPattern::Any, action());
    assert_eq!(one.peer_proof(), PeerProof::Certificate);
    one.shared_key = key();
    assert_eq!(one.peer_proof(), PeerProof::SharedKey);
    one.remote.authorities.push("CA".into());
    assert_eq!(one.peer_proof(), PeerProof::Certificate);
    one.local.identity = Some(Identity::key_id(b"me").unwrap());
    assert_eq!(policy(vec![one]).err().unwrap().parameter, "Identity");
}

#[test]
fn tunnels_that_do_not_hold_together() {
    let offers = || vec![IpDataOffer::new(DataProtection::EspAead(Aead::AES_256_GCM))];
    let fault = |change: &dyn Fn(&mut DynVpnAction)| {
        let mut action = DynVpnAction::new("Tunnel", offers());
        change(&mut action);
        let parts = PolicyParts {
            actions: vec![Arc::new(action)],
            ..PolicyParts::default()
        };
        Policy::new(parts, &provider()).err().map(|e| e.parameter)
    };
    assert_eq!(fault(&|_| {}), None);
    assert_eq!(fault(&|a| a.offers.clear()), Some("IpDataOffer"));
    assert_eq!(fault(&|a| a.acceptable_pfs.clear()), Some("AcceptablePfs"));
    assert_eq!(
        fault(&|a| a.encapsulation = EncapsulationChoice::Transport),
        Some("HowToEncapIKEv2")
    );
    assert_eq!(
        fault(&|a| a.initiate_pfs = Pfs {
            group: None,
            additional: vec![AdditionalKeyExchange::required(Group::MlKem768)],
        }),
        Some("AdditionalKeyExchange")
    );
    assert_eq!(fault(&|a| a.name = "-x".into()), Some("name"));
    assert_eq!(fault(&|a| a.name = "a,b".into()), Some("name"));

    let ip = |text: &str| Addresses::host(text.parse().unwrap());
    let local = |change: &dyn Fn(&mut LocalDynVpnRule)| {
        let mut rule = LocalDynVpnRule::new("Local", ip("10.0.0.1"), ip("10.0.0.2"));
        change(&mut rule);
        let parts = PolicyParts {
            local: vec![rule],
            ..PolicyParts::default()
        };
        Policy::new(parts, &provider()).err().map(|e| e.parameter)
    };
    assert_eq!(local(&|_| {}), None);
    assert_eq!(local(&|r| r.remote = ip("::1")), Some("RemoteIp"));
    assert_eq!(local(&|r| r.local_ports = 80..=80), Some("Protocol"));
    assert_eq!(local(&|r| r.types = Some(8..=8)), Some("Protocol"));
    assert_eq!(
        local(&|r| {
            r.protocol = Some(1);
            r.types = Some(8..=9);
            r.codes = Some(0..=0);
        }),
        Some("Type")
    );
    let twice = policy(vec![
        rule("Same", IdentityPattern::Any, action()),
        rule("Same", IdentityPattern::Any, action()),
    ]);
    assert_eq!(twice.err().unwrap().parameter, "name");
    let mut parts = PolicyParts::default();
    parts.config.retries = 9;
    assert_eq!(
        Policy::new(parts, &provider()).err().unwrap().parameter,
        "IkeRetries"
    );
}
