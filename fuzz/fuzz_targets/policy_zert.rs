//! Arbitrary texts compiled into zERT rules: never rules from a text with errors, and rules that were made can be tried
//! and said in words.
//!
//! `cargo +nightly fuzz run policy_zert -- -dict=fuzz/policy.dict`

#![no_main]

use std::sync::{Arc, LazyLock};

use hostward::hook::{Cx, Now};
use hostward::zert::enforce::{Cause, Enforcement, Mapped};
use hostward::zert::record::{CipherSuite, PqClass, TlsVersion};
use hostward::zert::{Protocol, Record};
use hostward_policy::zert::{compile, words};
use hostward_policy::{Diagnostics, Language, Policy, Severity, Sources};
use libfuzzer_sys::fuzz_target;

static LANGUAGE: LazyLock<Language> =
    LazyLock::new(|| Language::full().expect("the tables are in order"));

/// Clear text, and an old TLS.
static RECORDS: LazyLock<[Record; 2]> = LazyLock::new(|| {
    let mut tls = Record::default();
    tls.protocol = Protocol::Tls;
    tls.established = Some(true);
    tls.tls.version = Some(TlsVersion(0x0301));
    tls.tls.cipher = Some(CipherSuite(0x000A));
    tls.pq = PqClass::Classical;
    [Record::default(), tls]
});

fuzz_target!(|input: &[u8]| {
    let mut sources = Sources::new();
    if sources.add("text", input).is_err() {
        return;
    }
    let mut out = Diagnostics::default();
    let policy = Policy::read(&LANGUAGE, &sources, &mut out);
    let made = compile(&policy, 1, &mut out);
    assert_eq!(made.is_none(), out.count(Severity::Error) > 0);
    let Some(made) = made else { return };
    assert_eq!(made.rule_set.rules().len(), made.places.len());
    for (rule, place) in made.rule_set.rules().iter().zip(&made.places) {
        assert!(!words(&rule.protection).is_empty());
        assert!(place.end > place.start, "{}", rule.name);
        assert!(rule.covers(rule));
    }
    let mut enforcement = Enforcement::default().rules(Arc::new(made.rule_set));
    for record in RECORDS.iter() {
        let mut actions = ();
        let mut events = ();
        let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
        let mut mapped = Mapped::default();
        enforcement.evaluate(&mut cx, record, &mut mapped, Cause::Initial);
        let counts = enforcement.counts();
        enforcement.evaluate(&mut cx, record, &mut mapped, Cause::Change);
        assert_eq!(
            enforcement.counts().mapped,
            counts.mapped,
            "the same rule is not repeated"
        );
    }
});
