//! Arbitrary dumps of iptables and nft, by the first byte: what is imported is a policy without
//! errors that is laid out already.
//!
//! `cargo +nightly fuzz run rules_import -- -dict=rules_import.dict`

#![no_main]

use std::sync::LazyLock;

use hostward_cli::import::{Format, Options, import};
use hostward_policy::filter::compile;
use hostward_policy::{Diagnostics, Language, Policy, Sources, Style, format, render_all};
use libfuzzer_sys::fuzz_target;

static LANGUAGE: LazyLock<Language> =
    LazyLock::new(|| Language::full().expect("the tables are in order"));

fuzz_target!(|input: &[u8]| {
    let Some((first, dump)) = input.split_first() else {
        return;
    };
    let from = if first & 1 == 0 {
        Format::IptablesSave
    } else {
        Format::NftJson
    };
    let options = Options::default()
        .ipv6(first & 2 != 0)
        .skip_denies(first & 4 != 0);
    let Ok(imported) = import(dump, from, &options) else {
        return;
    };
    if imported.policy.len() > 100_000 {
        return;
    }
    let mut sources = Sources::new();
    let id = sources
        .add("imported", imported.policy.as_bytes())
        .expect("small");
    let mut out = Diagnostics::new(20);
    let read = Policy::read(&LANGUAGE, &sources, &mut out);
    let compiled = compile(
        &read,
        &hostward_policy::filter::Options::default(),
        &mut out,
    );
    assert!(
        !out.has_errors(),
        "{}",
        render_all(&out, &sources, Style::Plain)
    );
    let rules = compiled.expect("no error").rule_set;
    assert_eq!(rules.rules().len(), imported.rules);
    let laid_out = format(&LANGUAGE, &sources, id).expect("it has no error");
    assert_eq!(laid_out, imported.policy, "it is laid out");
});
