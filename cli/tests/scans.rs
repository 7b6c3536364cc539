//! Scans in a corpus of captures that is not part of the repository: those that `scans.txt` names are
//! told, and nothing else is taken for one.
//!
//! The folder is named by the environment variable `HOSTWARD_CAPTURES`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;

use common::{captures_below, hostward};
use serde_json::Value;

/// File and kinds of a line, without comment.
fn expected() -> BTreeMap<&'static str, BTreeSet<String>> {
    let lines = include_str!("scans.txt").lines();
    let entries = lines.filter(|l| !l.starts_with('#')).map(|l| {
        let mut words = l.split_whitespace();
        let name = words.next().expect("a file");
        let kinds = words.next().expect("kinds of events");
        assert!(words.next().is_some(), "{name}: why");
        (name, kinds.split(',').map(str::to_owned).collect())
    });
    entries.collect()
}

#[test]
fn scans_are_told_and_nothing_else_is() {
    let expected = expected();
    assert!(expected.len() > 10);
    let Some(folder) = std::env::var_os("HOSTWARD_CAPTURES").map(PathBuf::from) else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: HOSTWARD_CAPTURES names no folder of captures"
        );
        return;
    };
    let captures = captures_below(&folder);
    assert!(!captures.is_empty());
    let mut wrong = Vec::new();
    let mut met = BTreeSet::new();
    for path in captures {
        let name = path.file_name().unwrap().to_str().unwrap();
        let name = name.split(".pcap").next().unwrap().to_owned();
        let mut args = vec!["inspect", "--json"];
        if name.starts_with("scan-") {
            args.extend(["--local", "10.77.0.2/32"]);
        }
        let output = hostward(&args).arg(&path).output().unwrap();
        let mut found = BTreeSet::new();
        for line in output.stdout.split(|b| *b == b'\n') {
            if let Ok(event) = serde_json::from_slice::<Value>(line)
                && let Some(kind) = event["kind"].as_str()
                && kind.starts_with("scan.")
            {
                found.insert(kind.to_owned());
            }
        }
        let should = expected.get(&*name).cloned().unwrap_or_default();
        if found != should {
            wrong.push(format!("{name}: {found:?}, not {should:?}"));
        }
        met.insert(name);
    }
    let missing = expected.keys().filter(|n| !met.contains(**n));
    wrong.extend(missing.map(|n| format!("{n}: no such capture")));
    assert!(wrong.is_empty(), "{wrong:#?}");
}
