//! Arbitrary texts compiled into filter rules, as policies and as profiles: never a rule set
//! from a text with errors, and the compiled form equals the scan.
//!
//! `cargo +nightly fuzz run policy_filter -- -dict=fuzz/policy.dict`

#![no_main]

use std::sync::LazyLock;

use hostward::filter::{Header, Opening, RuleSet, Selectors};
use hostward::hook::meta::{Direction, Routing};
use hostward::hook::time::UnixTime;
use hostward_policy::filter::{Options, compile};
use hostward_policy::profile::Profile;
use hostward_policy::{Diagnostics, Language, Policy, Severity, Sources};
use libfuzzer_sys::fuzz_target;

static LANGUAGE: LazyLock<Language> =
    LazyLock::new(|| Language::full().expect("the tables are in order"));

/// Asks for packets at the corners of what the rules name.
fn ask(set: &RuleSet) {
    let in_force = set.in_force(UnixTime::from_secs(1_790_000_000), &());
    let mut addresses = vec![[0, 0, 0, 0].into(), [10, 1, 1, 1].into()];
    let mut ports = vec![0, 80, 65_535];
    for rule in set.rules().iter().take(8) {
        for filter in rule.simple_filters().take(4) {
            for spec in [filter.source(), filter.destination()] {
                addresses.extend(spec.bounds().map(|b| b.0));
                addresses.extend(spec.bounds().map(|b| b.1));
            }
            let (a, b) = filter.ranges();
            ports.extend([*a.start(), *a.end(), *b.start(), *b.end()]);
        }
    }
    addresses.truncate(12);
    ports.truncate(8);
    for (n, source) in addresses.iter().enumerate() {
        for (m, port) in ports.iter().enumerate() {
            let destination = addresses[(n + m) % addresses.len()];
            let other = ports[(n * 3 + m) % ports.len()];
            let (protocol, header) = match (n + m) % 4 {
                0 => (Some(17), Header::Ports(*port, other)),
                1 => (Some(1), Header::Icmp(*port as u8, other as u8)),
                2 => (None, Header::Unknown),
                _ => (Some(6), Header::Ports(*port, other)),
            };
            let p = Selectors {
                source: *source,
                destination,
                protocol,
                header,
                fragment: m % 5 == 0,
                opening: [Opening::Unknown, Opening::Opens, Opening::Continues][m % 3],
                direction: [Direction::Inbound, Direction::Outbound][n % 2],
                routing: [Routing::Local, Routing::Routed][m / 4 % 2],
                security_class: (n % 3) as u8,
            };
            let compiled = set.first_match(&p, &in_force).map(|(at, _)| at);
            let scanned = set.scan(&p, &in_force).map(|(at, _)| at);
            assert_eq!(compiled, scanned, "{p:?}");
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut sources = Sources::new();
    let Ok(id) = sources.add("text", input) else {
        return;
    };
    let mut out = Diagnostics::default();
    let policy = Policy::read(&LANGUAGE, &sources, &mut out);
    let options = Options::default()
        .now(UnixTime::from_secs(1_790_000_000), &())
        .most_filters(10_000);
    let made = compile(&policy, &options, &mut out);
    assert_eq!(made.is_none(), out.count(Severity::Error) > 0);
    if let Some(made) = made {
        assert_eq!(made.rule_set.rules().len(), made.places.len());
        ask(&made.rule_set);
    }
    let mut out = Diagnostics::default();
    if let Some(profile) = Profile::read(&sources, id, &mut out) {
        assert_eq!(out.count(Severity::Error), 0);
        ask(&profile.rule_set(1));
    }
});
