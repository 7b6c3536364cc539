//! Key exchange and dynamic tunnels: from text to the model, and the mistakes made most often.
//! `UPDATE_SNAPSHOTS=1` writes `snapshots/ike/`.
#![cfg(feature = "ike")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::path::Path;

use hostward_crypto::algorithm::{Aead, AesKey, Cipher, Group, Hash, Mac, Prf};
use hostward_crypto::{Provider, Secret, backend};
use hostward_ike::auth::{HowToAuthMe, SharedKey};
use hostward_ike::certificate::Revocation;
use hostward_ike::identity::{Addresses, Identity, IdentityPattern};
use hostward_ike::policy::{
    CertificateUrlLookup, DataProtection, DontFragment, Encapsulation, EncapsulationChoice,
    Granularity, HowToInitiate, IkeProtection, Initiation, PeerProof, Pfs, Policy as Model,
};
use hostward_policy::ike::compile;
use hostward_policy::{Diagnostics, Language, Policy, Sources, Style, render_all};

const GOOD: &str = include_str!("../../examples/dynamic-tunnel.conf");

fn provider() -> Provider {
    Provider::of([backend::RUST_CRYPTO])
}

fn read_with(text: &str, provider: &Provider) -> (Option<Model>, usize, String) {
    let language = Language::full().unwrap();
    let mut sources = Sources::new();
    sources.add("policy.conf", text.as_bytes()).unwrap();
    let mut out = Diagnostics::default();
    let policy = Policy::read(&language, &sources, &mut out);
    let made = compile(&policy, provider, &mut out);
    out.sort();
    let count = out.iter().count();
    (made, count, render_all(&out, &sources, Style::Plain))
}

fn read(text: &str) -> (Option<Model>, usize, String) {
    read_with(text, &provider())
}

fn good(text: &str) -> Model {
    let (made, count, told) = read(text);
    assert_eq!(count, 0, "{told}");
    made.unwrap()
}

#[test]
fn the_example_becomes_the_model() {
    let policy = good(GOOD);
    let ip = |text: &str| text.parse().unwrap();
    let (here, partner) = (ip("198.51.100.1"), ip("203.0.113.9"));
    let names: Vec<&str> = policy.rules().iter().map(|r| &*r.name).collect();
    assert_eq!(names, ["Branches", "Partner"]);

    let rule = &policy.rules()[0];
    assert_eq!(
        rule.local.identity,
        Some(Identity::fqdn("gw.example.com").unwrap())
    );
    assert_eq!(rule.local.location, Addresses::host(here));
    assert_eq!(
        rule.remote.identity,
        IdentityPattern::fqdn("*.branch.example.com").unwrap()
    );
    assert_eq!(rule.remote.authorities, ["Branch CA"]);
    assert_eq!(rule.certificate.as_deref(), Some("Gateway"));
    assert_eq!(rule.peer_proof(), PeerProof::Certificate);
    assert_eq!(policy.authorities(rule).unwrap(), ["Branch CA"]);
    let action = &rule.action;
    assert_eq!(action.initiate, HowToInitiate::IkeV2);
    assert_eq!(action.auth_me, HowToAuthMe::DigitalSignature);
    assert_eq!(action.reauth_minutes.unwrap().get(), 10080);
    // From the policy, and its defaults.
    assert!(action.allow_nat);
    assert_eq!(action.liveness_seconds.unwrap().get(), 60);
    assert_eq!(action.nat_keep_alive.unwrap().get(), 20);
    assert_eq!(action.revocation, Revocation::Loose);
    assert_eq!(action.certificate_url, CertificateUrlLookup::Tolerate);
    assert!(!action.bypass_ip_validation && !action.filter_by_identity);
    let [gcm, cbc] = &action.offers[..] else {
        panic!()
    };
    assert_eq!(gcm.protection, IkeProtection::Aead(Aead::AES_256_GCM));
    assert_eq!(
        (gcm.prf, gcm.group),
        (Prf::Hmac(Hash::Sha384), Group::X25519)
    );
    assert_eq!(gcm.additional[0].groups, [Group::MlKem768]);
    assert!(gcm.additional[0].optional);
    assert_eq!(
        cbc.protection,
        IkeProtection::Cipher(Cipher::AesCbc(AesKey::Aes256), Mac::Hmac(Hash::Sha256))
    );
    assert_eq!((cbc.life.minutes, cbc.life.kilobytes), (480, None));

    let rule = &policy.rules()[1];
    assert!(!rule.action.allow_nat);
    assert_eq!(rule.peer_proof(), PeerProof::SharedKey);
    let key = SharedKey::new(Secret::copy(b"replace this by a long secret")).unwrap();
    assert_eq!(rule.shared_key, Some(key));
    assert_eq!(
        policy.authorities(rule).unwrap(),
        ["Branch CA", "Example Root"]
    );

    // The tentative rule for the partner's address is the branches'; its identity finds the final one.
    assert_eq!(&*policy.tentative(here, partner).unwrap().name, "Branches");
    let name = Identity::dn("CN=edge,O=Partner,C=NO").unwrap();
    let found = |id: &Identity, me: Option<&Identity>| {
        policy
            .rule(here, partner, me, id)
            .map(|r| r.name.to_string())
    };
    assert_eq!(found(&name, None).as_deref(), Some("Partner"));
    assert_eq!(
        found(&name, Some(&Identity::fqdn("GW.example.com").unwrap())).as_deref(),
        Some("Partner")
    );
    assert_eq!(found(&name, Some(&Identity::fqdn("other").unwrap())), None);
    assert_eq!(found(&Identity::ip(partner), None), None);
    assert!(policy.tentative(partner, here).is_none());

    let strong = policy.action("Strong").unwrap();
    assert_eq!(strong.initiate_pfs.group, Some(Group::X25519));
    let acceptable: Vec<_> = strong
        .acceptable_pfs
        .iter()
        .map(|p| p.group.unwrap())
        .collect();
    assert_eq!(acceptable, [Group::X25519, Group::P256]);
    assert!(
        strong
            .acceptable_pfs
            .iter()
            .all(|p| p.additional[0].groups == [Group::MlKem768])
    );
    assert_eq!(strong.initiation, Initiation::Either);
    assert_eq!(strong.life_minutes.unwrap().get(), 1440);
    assert_eq!(strong.encapsulation, EncapsulationChoice::Tunnel);
    assert_eq!(
        strong.offers[0].protection,
        DataProtection::EspAead(Aead::AES_256_GCM)
    );
    assert_eq!(strong.offers[0].life.kilobytes, Some(4_000_000));
    let plain = policy.action("Plain").unwrap();
    assert_eq!(plain.offers[0].encapsulation, Encapsulation::Transport);
    assert_eq!(plain.dont_fragment, DontFragment::Copy);
    let start = policy.start("WholeRule").unwrap();
    assert_eq!(
        (start.local_ip, start.icmp_type),
        (Granularity::Rule, Granularity::Packet)
    );
    let auto: Vec<&str> = policy.auto_activate().map(|r| &*r.name).collect();
    assert_eq!(auto, ["AtOnce"]);
    assert!(policy.local("AtOnce").unwrap().needs_tunnel());
    assert_eq!((policy.config().retries, policy.config().init_wait), (5, 1));
    let waits: Vec<u64> = (0..8)
        .map_while(|n| policy.config().wait(n))
        .map(|d| d.as_secs())
        .collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32]);
}

/// The example with one piece in place of another.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

#[test]
fn every_combination_of_algorithms() {
    let gcm = "    HowToEncrypt AES_GCM_16 KeyLength 256\n    HowToAuth ESP Null\n";
    let offer = |encrypt: &str, auth: &str| {
        let text = with(
            gcm,
            &format!("    HowToEncrypt {encrypt}\n    HowToAuth {auth}\n"),
        );
        let (made, count, told) = read(&text);
        assert_eq!(made.is_none(), count > 0, "{told}");
        let made = made.ok_or_else(|| told.split(['[', ']']).nth(1).unwrap().to_owned());
        made.map(|p| p.action("Strong").unwrap().offers[0].protection)
    };
    let (cbc, sha2) = (Cipher::AesCbc(AesKey::Aes128), Mac::Hmac(Hash::Sha256));
    for (encrypt, auth, expected) in [
        (
            "AES",
            "ESP HMAC_SHA2_256_128",
            Ok(DataProtection::Esp(cbc, sha2)),
        ),
        (
            "AES_CBC KeyLength 128",
            "ESP HMAC_SHA",
            Ok(DataProtection::Esp(cbc, Mac::Hmac(Hash::Sha1))),
        ),
        (
            "AES_GCM_16 KeyLength 128",
            "ESP Null",
            Ok(DataProtection::EspAead(Aead::AES_128_GCM)),
        ),
        (
            "CHACHA20_POLY1305",
            "ESP Null",
            Ok(DataProtection::EspAead(Aead::ChaCha20Poly1305)),
        ),
        (
            "DoNot",
            "ESP HMAC_SHA2_256_128",
            Ok(DataProtection::EspNull(sha2)),
        ),
        (
            "DoNot",
            "ESP AES_GMAC_256",
            Ok(DataProtection::EspGmac(AesKey::Aes256)),
        ),
        (
            "DoNot",
            "AH HMAC_SHA2_256_128",
            Ok(DataProtection::Ah(sha2)),
        ),
        (
            "DoNot",
            "AH AES_GMAC_128",
            Ok(DataProtection::AhGmac(AesKey::Aes128)),
        ),
        ("DoNot", "ESP Null", Err("P0602")),
        ("DoNot", "AH Null", Err("P0602")),
        ("AES", "ESP Null", Err("P0602")),
        ("AES", "ESP AES_GMAC_128", Err("P0602")),
        ("AES_GCM_16 KeyLength 128", "ESP HMAC_SHA1", Err("P0602")),
        ("AES_GCM_16 KeyLength 128", "ESP AES_GMAC_128", Err("P0602")),
        ("AES_GCM_16 KeyLength 128", "AH HMAC_SHA1", Err("P0603")),
        ("AES", "AH HMAC_SHA2_256_128", Err("P0603")),
        ("DES", "ESP HMAC_SHA1", Err("P0601")),
        ("3DES", "ESP HMAC_SHA1", Err("P0601")),
        ("AES", "ESP HMAC_MD5", Err("P0601")),
    ] {
        assert_eq!(
            offer(encrypt, auth),
            expected.map_err(str::to_owned),
            "{encrypt} {auth}"
        );
    }
}

#[test]
fn shared_keys_in_three_forms() {
    let written = "SharedKey Ascii replace this by a long secret";
    for (form, octets) in [
        ("SharedKey Ascii secret # 1", &b"secret # 1"[..]),
        ("SharedKey Hex 00ff10AB", &[0, 0xFF, 0x10, 0xAB]),
        // "Az9 ~" in IBM-1047.
        ("SharedKey Ebcdic Az9!~", &[0xC1, 0xA9, 0xF9, 0x5A, 0xA1]),
    ] {
        let policy = good(&with(written, form));
        let expected = SharedKey::new(Secret::copy(octets)).unwrap();
        assert_eq!(policy.rules()[1].shared_key, Some(expected), "{form}");
    }
}

#[test]
fn old_form_of_pfs() {
    let pfs = "  InitiateWithPfs Group19\n  AcceptablePfs Group19\n";
    let policy = good(&with(pfs, "  Pfs Group14\n"));
    let plain = policy.action("Plain").unwrap();
    assert_eq!(plain.initiate_pfs, Pfs::of(Group::Modp2048));
    assert_eq!(plain.acceptable_pfs, [Pfs::of(Group::Modp2048)]);
    let policy = good(&with(pfs, ""));
    assert_eq!(policy.action("Plain").unwrap().acceptable_pfs, [Pfs::NONE]);
}

#[test]
fn fips_mode_and_missing_algorithms_fail_the_policy() {
    let fips = with("IkeRetries 5", "FIPS140 Yes");
    let (made, _, told) = read(&fips);
    assert!(made.is_none());
    // AES-GCM for the IKE SA, X25519, and not P-256 or CBC.
    assert!(told.contains("P0601") && told.contains("FIPS"), "{told}");
    let (made, _, told) = read_with(GOOD, &Provider::default());
    assert!(made.is_none() && told.contains("P0601"), "{told}");
}

/// One piece of the example, and what stands in its place.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "ike-des",
        "HowToEncrypt AES_CBC KeyLength 256\n  HowToVerify",
        "HowToEncrypt DES\n  HowToVerify",
    ),
    (
        "ike-md5",
        "HowToVerifyMsgs HMAC_SHA2_256_128",
        "HowToVerifyMsgs HMAC_MD5_96",
    ),
    (
        "ike-prf-md5",
        "PseudoRandomFunction HMAC_SHA2_256",
        "PseudoRandomFunction HMAC_MD5",
    ),
    ("ike-group-1", "DHGroup Group19", "DHGroup Group1"),
    (
        "ike-pfs-group-2",
        "InitiateWithPfs Group31",
        "InitiateWithPfs Group2",
    ),
    (
        "ike-gcm-with-hmac",
        "HowToAuth ESP Null",
        "HowToAuth ESP HMAC_SHA1",
    ),
    (
        "ike-no-authentication",
        "HowToAuth ESP HMAC_SHA2_256_128",
        "HowToAuth ESP Null",
    ),
    (
        "ike-ah-and-esp",
        "HowToAuth ESP HMAC_SHA2_256_128",
        "HowToAuth AH HMAC_SHA2_256_128",
    ),
    (
        "ike-gmac-with-encryption",
        "HowToAuth ESP HMAC_SHA2_256_128",
        "HowToAuth ESP AES_GMAC_128",
    ),
    (
        "ike-lifetime",
        "RefreshLifetimeProposed 240",
        "RefreshLifetimeProposed 60",
    ),
    (
        "ike-lifesize",
        "RefreshLifesizeProposed 4000000",
        "RefreshLifesizeProposed 10\n    RefreshLifesizeAccepted 100 200",
    ),
    ("ike-main-mode", "HowToInitiate IKEv2", "HowToInitiate Main"),
    (
        "ike-identity-fqdn",
        "Identity Fqdn gw.example.com",
        "Identity Fqdn gw..example.com",
    ),
    (
        "ike-identity-dn",
        "X500dn CN=*,O=Partner,C=NO",
        "X500dn CN=*,Partner",
    ),
    (
        "ike-identity-star",
        "Fqdn *.branch.example.com",
        "Fqdn gw*.branch.example.com",
    ),
    (
        "ike-identity-user",
        "Identity Fqdn gw.example.com",
        "Identity UserAtFqdn gw.example.com",
    ),
    (
        "ike-identity-range",
        "Identity Fqdn gw.example.com",
        "Identity IpAddr 10.0.0.0/8",
    ),
    (
        "ike-no-shared-key",
        "  SharedKey Ascii replace this by a long secret\n",
        "",
    ),
    (
        "ike-shared-key-letters",
        "SharedKey Ascii replace",
        "SharedKey Ebcdic \u{fc}ber",
    ),
    (
        "ike-verify-with-gcm",
        "HowToEncrypt AES_GCM_16 KeyLength 256\n    Pseudo",
        "HowToEncrypt AES_GCM_16 KeyLength 256\n    HowToVerifyMsgs HMAC_SHA2_256_128\n    Pseudo",
    ),
    (
        "ike-large-group-first",
        "DHGroup Group31",
        "DHGroup Group37",
    ),
    (
        "ike-same-group-twice",
        "AdditionalKeyExchange Group36 Optional",
        "AdditionalKeyExchange Group31",
    ),
    (
        "ike-no-encapsulation",
        "HowToEncapIKEv2 Tunnel",
        "HowToEncapIKEv2 Transport",
    ),
    (
        "ike-local-families",
        "RemoteIp 10.2.0.0/16",
        "RemoteIp 2001:db8::/32",
    ),
    ("ike-local-ports", "AutoActivate Yes", "LocalDataPort 80"),
    (
        "ike-key-id-in-certificate",
        "Identity Fqdn gw.example.com",
        "Identity KeyId gw",
    ),
    ("ike-retries", "IkeRetries 5", "IkeRetries 9"),
];

#[test]
fn each_mistake_has_one_message_that_says_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/ike");
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|v| v == "1");
    let mut wrong = Vec::new();
    for (name, from, to) in MISTAKES {
        let (_, count, told) = read(&with(from, to));
        assert_eq!(count, 1, "{name}: {told}");
        assert!(
            told.contains("= help: ") || told.contains("expected "),
            "{name}: {told}"
        );
        assert!(!told.contains("long secret"), "{name}: {told}");
        let file = folder.join(format!("{name}.txt"));
        if update {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &told).unwrap();
        } else if std::fs::read_to_string(&file).unwrap_or_default() != told {
            wrong.push(format!("{name} is now told as\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
