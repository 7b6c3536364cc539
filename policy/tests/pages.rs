//! The pages under `docs/formats/` and the fuzzer's dictionary are what the tables say.
//! `UPDATE_DOCS=1` writes them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::fmt::Write as _;
use std::path::Path;

use hostward_policy::{codes, codes_page, page, tables, words};

fn is_current(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::write(&file, text).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == text,
        "{name} is out of date; UPDATE_DOCS=1 cargo test -p hostward-policy --test pages writes it"
    );
}

#[test]
fn the_page_of_ip_security_is_current() {
    is_current(
        "docs/formats/ipsec-policy.md",
        &page(&tables::ipsec::DISCIPLINE),
    );
}

#[test]
fn the_page_of_zert_is_current() {
    is_current(
        "docs/formats/zert-policy.md",
        &page(&tables::zert::DISCIPLINE),
    );
}

#[test]
fn the_page_of_intrusion_detection_is_current() {
    is_current(
        "docs/formats/ids-policy.md",
        &page(&tables::ids::DISCIPLINE),
    );
}

#[test]
fn the_page_of_the_agents_files_is_current() {
    is_current(
        "docs/formats/policy-agent.md",
        &page(&tables::files::DISCIPLINE),
    );
}

#[test]
fn the_page_of_messages_is_current() {
    is_current(
        "docs/formats/policy-diagnostics.md",
        &codes_page(codes::CODES),
    );
}

#[test]
fn the_dictionary_of_the_fuzzer_is_current() {
    let mut text = String::from("# The words of the language; written by policy/tests/pages.rs.\n");
    for word in words(tables::ALL) {
        writeln!(text, "\"{word}\"").unwrap();
    }
    for piece in [
        "{\\x0a",
        "}\\x0a",
        "\\x0a{\\x0a",
        "\\x0a}\\x0a",
        "# @host ",
        "\\x0d\\x0a",
        "10.1.1.1",
        "10.0.0.0/8",
        "10.0.0.1-10.0.0.9",
        "2001:db8::/32",
        "::ffff:1.2.3.4",
        "20260101000000:20261231235959",
        "08:00-17:30",
        "1024 65535",
    ] {
        writeln!(text, "\"{piece}\"").unwrap();
    }
    is_current("fuzz/policy.dict", &text);
}
