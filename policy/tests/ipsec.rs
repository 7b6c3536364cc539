//! Manual tunnels: from text to the model, what is told about tunnels that cannot be, and the mistakes made most
//! often. `UPDATE_SNAPSHOTS=1` writes `snapshots/ipsec/`.
#![cfg(feature = "ipsec")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::net::IpAddr;
use std::path::Path;

use hostward_hook::ident::TunnelId;
use hostward_hook::protection::Encapsulation;
use hostward_ipsec::Suite;
use hostward_ipsec::sa::{Df, Dscp};
use hostward_policy::ipsec::{IpsecPolicy, compile};
use hostward_policy::{Diagnostics, Language, Policy, Sources, Style, filter, render_all};

const GOOD: &str = include_str!("../../examples/manual-tunnel.conf");

fn read(text: &str) -> (Option<IpsecPolicy>, Vec<String>, String) {
    let language = Language::full().unwrap();
    let mut sources = Sources::new();
    sources.add("tunnel.conf", text.as_bytes()).unwrap();
    let mut out = Diagnostics::default();
    let policy = Policy::read(&language, &sources, &mut out);
    let rules = filter::compile(&policy, &filter::Options::default(), &mut out);
    let rules = rules.map(|f| f.rule_set).unwrap_or_default();
    let made = compile(&policy, &rules, &mut out);
    out.sort();
    let codes = out.iter().map(|d| d.code.to_string()).collect();
    (made, codes, render_all(&out, &sources, Style::Plain))
}

fn good(text: &str) -> IpsecPolicy {
    let (made, codes, told) = read(text);
    assert!(codes.is_empty(), "{told}");
    made.unwrap()
}

fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn the_example_becomes_a_tunnel() {
    let made = good(GOOD);
    let [manual] = &made.manual[..] else {
        panic!("one tunnel")
    };
    let t = &manual.tunnel;
    assert_eq!((&*t.name, t.id, t.active), ("Branch", TunnelId(0), true));
    assert_eq!((t.local, t.remote), (ip("192.0.2.1"), ip("192.0.2.2")));
    assert_eq!(t.mode, Encapsulation::Tunnel);
    assert_eq!(t.suite, Suite::esp(12, 128, 12).unwrap());
    assert_eq!((t.inbound.spi, t.outbound.spi), (1001, 1002));
    // Encryption first, then integrity.
    assert_eq!(t.inbound.keys.expose()[..3], [0, 0x11, 0x22]);
    assert_eq!(t.inbound.keys.expose()[16..19], [0, 1, 2]);
    assert_eq!(t.outbound.keys.expose().len(), 48);
    assert_eq!((t.outer.dscp, t.outer.df), (Dscp::Copy, Df::Copy));
    assert!(manual.used && manual.times.is_empty() && made.dynamic.is_empty());
    assert!(!format!("{made:?}").contains("11, 22") && !format!("{made:?}").contains("17, 34"));
}

#[test]
fn parameters_become_what_they_say() {
    let text = with(
        "  HowToEncap Tunnel\n",
        "  Active No\n  HowToEncap Transport\n  PassthroughDF No Set\n  PassthroughDSCP No\n",
    );
    let t = &good(&text).manual[0].tunnel;
    assert!(!t.active);
    assert_eq!(
        (t.mode, t.outer.dscp, t.outer.df),
        (Encapsulation::Transport, Dscp::Fixed(0), Df::Set)
    );
    let text = with(
        "  HowToEncap Tunnel\n",
        "  PassthroughDF No\n  IpTimeCondition\n  {\n    TimeOfDayRange 08:00-12:00\n  }\n",
    );
    let manual = &good(&text).manual[0];
    assert_eq!((manual.tunnel.outer.df, manual.times.len()), (Df::Clear, 1));
    // An end may be named.
    let text = with(
        "LocalSecurityEndpointAddr 192.0.2.1",
        "LocalSecurityEndpointAddrRef Here",
    ) + "IpAddr Here\n{\n  Addr 192.0.2.77\n}\n";
    assert_eq!(good(&text).manual[0].tunnel.local, ip("192.0.2.77"));
    // AH, and encryption without a key.
    let auth_only = |how: &str| {
        with("HowToEncrypt AES_CBC KeyLength 128", "HowToEncrypt DoNot")
            .replace("HowToAuth ESP HMAC_SHA2_256_128", how)
            .lines()
            .filter(|l| !l.contains("EncryptInboundSA") && !l.contains("EncryptOutboundSA"))
            .map(|l| format!("{l}\n"))
            .collect::<String>()
    };
    let suite = |how| good(&auth_only(how)).manual[0].tunnel.suite;
    assert_eq!(
        suite("HowToAuth AH HMAC_SHA2_256_128"),
        Suite::ah(12).unwrap()
    );
    assert_eq!(
        suite("HowToAuth ESP HMAC_SHA2_256_128"),
        Suite::esp(11, 0, 12).unwrap()
    );
}

#[test]
fn a_tunnel_that_no_rule_names_is_checked_too() {
    let text = GOOD.replace("  IpManVpnActionRef Branch\n", "  IpDynVpnActionRef Gold\n")
        + "IpDynVpnAction Gold\n{\n  IpDataOffer\n  {\n  }\n}\n";
    let (made, codes, told) = read(&text);
    // Nothing refers to it, and nothing permits IKE.
    assert_eq!(codes, ["P0326", "P0205"], "{told}");
    let made = made.unwrap();
    assert!(!made.manual[0].used);
    assert_eq!(made.dynamic.len(), 1);
    assert!(!made.dynamic[0].on_demand, "`AllowOnDemand` is `No`");
}

#[test]
fn no_message_shows_a_key() {
    for (name, from, to) in MISTAKES {
        let (made, _, told) = read(&with(from, to));
        assert!(made.is_none(), "{name}");
        for secret in ["ccddee", "0c0d0e", "eeddcc", "fbfcfd"] {
            assert!(!told.contains(secret), "{name}:\n{told}");
        }
    }
}

const OTHER: &str = "IpManVpnAction Branch\n{\n";

/// One piece of the good policy, and what stands in its place.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "missing-key",
        "  AuthInboundSA 1001 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n",
        "",
    ),
    (
        "short-key",
        "EncryptInboundSA 1001 0011",
        "EncryptInboundSA 1001 ",
    ),
    (
        "key-that-nothing-uses",
        "HowToEncrypt AES_CBC KeyLength 128",
        "HowToEncrypt DoNot",
    ),
    ("longer-algorithm", "KeyLength 128", "KeyLength 256"),
    (
        "des",
        "HowToEncrypt AES_CBC KeyLength 128",
        "HowToEncrypt DES",
    ),
    (
        "triple-des",
        "HowToEncrypt AES_CBC KeyLength 128",
        "HowToEncrypt 3DES",
    ),
    ("md5", "HMAC_SHA2_256_128", "HMAC_MD5"),
    ("gmac", "HMAC_SHA2_256_128", "AES_GMAC_128"),
    ("gcm", "AES_CBC KeyLength 128", "AES_GCM_16 KeyLength 128"),
    ("no-authentication", "ESP HMAC_SHA2_256_128", "ESP Null"),
    ("ah-and-encryption", "HowToAuth ESP", "HowToAuth AH"),
    (
        "ends-of-two-versions",
        "RemoteSecurityEndpointAddr 192.0.2.2",
        "RemoteSecurityEndpointAddr 2001:db8::2",
    ),
    (
        "unspecified-end",
        "RemoteSecurityEndpointAddr 192.0.2.2",
        "RemoteSecurityEndpointAddr 0.0.0.0",
    ),
    (
        "missing-end",
        "  RemoteSecurityEndpointAddr 192.0.2.2\n",
        "",
    ),
    ("two-spis", "AuthOutboundSA 1002", "AuthOutboundSA 1003"),
    (
        "reserved-spi",
        "EncryptInboundSA 1001",
        "EncryptInboundSA 255",
    ),
    (
        "misspelt-parameter",
        "HowToEncap Tunnel",
        "HowToEncaps Tunnel",
    ),
    ("misspelt-value", "HowToEncap Tunnel", "HowToEncap Tunel"),
    (
        "misspelt-reference",
        "IpManVpnActionRef Branch",
        "IpManVpnActionRef Brunch",
    ),
    (
        "spi-of-another",
        OTHER,
        "IpManVpnAction Other
{
  LocalSecurityEndpointAddr 192.0.2.1
  RemoteSecurityEndpointAddr 192.0.2.9
  HowToEncrypt DoNot
  HowToAuth ESP HMAC_SHA1
  AuthInboundSA 1001 00112233445566778899001122334455667788aa
  AuthOutboundSA 1003 00112233445566778899001122334455667788aa
}
IpManVpnAction Branch
{
",
    ),
];

#[test]
fn mistakes_are_told_so_that_they_can_be_put_right() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/ipsec");
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some();
    for (name, from, to) in MISTAKES {
        let (_, _, told) = read(&with(from, to));
        let file = dir.join(format!("{name}.txt"));
        if update {
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(&file, &told).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(told, expected, "{name}");
    }
}
