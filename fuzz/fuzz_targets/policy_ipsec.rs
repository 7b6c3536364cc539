//! Arbitrary texts compiled into tunnels: never tunnels from a text with errors, every tunnel that was made can be
//! installed, and no message tells a key.
//!
//! `cargo +nightly fuzz run policy_ipsec -- -dict=fuzz/policy.dict`

#![no_main]

use std::sync::{Arc, LazyLock};

use hostward::crypto::{Provider, backend};
use hostward::hook::flow::HashKey;
use hostward::hook::{Cx, Now};
use hostward::ipsec::{Directory, Ipsec, IpsecConfig};
use hostward_policy::ipsec::compile;
use hostward_policy::{
    Diagnostics, Language, Policy, Severity, Sources, Style, filter, render_all,
};
use libfuzzer_sys::fuzz_target;

static LANGUAGE: LazyLock<Language> =
    LazyLock::new(|| Language::full().expect("the tables are in order"));

fuzz_target!(|input: &[u8]| {
    let mut sources = Sources::new();
    if sources.add("text", input).is_err() {
        return;
    }
    let mut out = Diagnostics::default();
    let policy = Policy::read(&LANGUAGE, &sources, &mut out);
    let rules = filter::compile(&policy, &filter::Options::default(), &mut out);
    let rules = rules.map(|f| f.rule_set).unwrap_or_default();
    let made = compile(&policy, &rules, &mut out);
    assert_eq!(made.is_none(), out.count(Severity::Error) > 0);
    let told = render_all(&out, &sources, Style::Plain);
    assert!(!told.contains("00112233445566778899"), "{told}");
    let Some(made) = made else { return };
    let directory = Arc::new(Directory::new(64, HashKey::new([1; 16])));
    let provider = Provider::of([backend::RUST_CRYPTO]);
    let mut ipsec = Ipsec::new(IpsecConfig::default(), directory, provider);
    let mut actions = ();
    let mut events = ();
    let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
    for manual in made.manual.iter().filter(|m| m.used).take(32) {
        ipsec
            .add_manual(&mut cx, &manual.tunnel, 7)
            .expect("what was compiled can be installed");
        assert_eq!(
            manual.tunnel.active,
            ipsec
                .manual_tunnels(Now::default())
                .any(|d| d.id.tunnel == manual.tunnel.id)
        );
    }
});
