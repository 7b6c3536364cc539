//! Records and events of the project's own captures, compared with what is expected of them: the
//! rule stands in `tests/captures/README.md`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::{captures_below, folder, gzip, lines, run, run_with_input, temporary, text};
use serde_json::Value;

/// Whether a line has everything that is expected of it.
fn meets(line: &Value, expected: &Value) -> bool {
    let expected = expected.as_object().unwrap();
    expected
        .iter()
        .all(|(key, value)| line.get(key) == Some(value))
}

/// Whether a line needs to be expected.
fn tells(line: &Value) -> bool {
    match line["type"].as_str().unwrap() {
        "zert" => line["proto"] != "none",
        "event" => {
            let kind = line["kind"].as_str().unwrap();
            kind.starts_with("attack.") || kind.starts_with("scan.")
        }
        _ => false,
    }
}

/// Each expected line is met by exactly one line, and nothing else is told.
fn compare(lines: &[Value], expected: &[Value]) -> Result<(), String> {
    let mut met = vec![false; lines.len()];
    for want in expected {
        let mut found = (0..lines.len()).filter(|i| meets(&lines[*i], want));
        match (found.next(), found.next()) {
            (Some(i), None) if !met[i] => met[i] = true,
            (Some(_), _) => return Err(format!("met more than once: {want}")),
            (None, _) => return Err(format!("not met: {want}")),
        }
    }
    match lines
        .iter()
        .zip(met)
        .find(|(line, met)| !met && tells(line))
    {
        Some((line, _)) => Err(format!("not expected: {line}")),
        None => Ok(()),
    }
}

fn expected_of(capture: &Path) -> Vec<Value> {
    fs::read_to_string(capture.with_extension("expected.jsonl"))
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

fn check(output: &Output, capture: &Path, how: &str) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    if let Err(why) = compare(&lines(output), &expected_of(capture)) {
        panic!("{} as {how}: {why}", capture.display());
    }
}

#[test]
fn every_capture_says_what_is_expected_of_it() {
    let captures = captures_below(&folder());
    assert!(captures.len() >= 17, "the captures are in the repository");
    let args = ["--json", "--events"];
    for capture in captures {
        let path = capture.to_str().unwrap();
        check(&run(&[args[0], args[1], path]), &capture, "a file");
        let plain = fs::read(&capture).unwrap();
        let zipped = gzip(&plain);
        let name = capture.file_name().unwrap().to_str().unwrap();
        let file = temporary(&format!("{name}.gz"), &zipped);
        let path = file.to_str().unwrap();
        check(&run(&[args[0], args[1], path]), &capture, "a gzip file");
        for (input, how) in [
            (plain, "standard input"),
            (zipped, "gzip on standard input"),
        ] {
            let output = run_with_input(&[args[0], args[1], "-"], &input);
            check(&output, &capture, how);
        }
    }
}

#[test]
fn the_comparison_can_fail() {
    let json = |s: &str| serde_json::from_str::<Value>(s).unwrap();
    let line = json(r#"{"type":"zert","proto":"tls","version":"TLSv1.2","sni":null}"#);
    let good = json(r#"{"type":"zert","version":"TLSv1.2","sni":null}"#);
    let one = std::slice::from_ref(&line);
    assert_eq!(compare(one, std::slice::from_ref(&good)), Ok(()));
    for (lines, expected) in [
        (vec![line.clone()], vec![]),
        (vec![], vec![good.clone()]),
        (vec![line.clone()], vec![json(r#"{"version":"TLSv1.3"}"#)]),
        (vec![line.clone()], vec![json(r#"{"group":null}"#)]),
        (vec![line.clone(), line.clone()], vec![good.clone()]),
        (vec![line.clone()], vec![good.clone(), good]),
        (vec![json(r#"{"type":"event","kind":"attack.x"}"#)], vec![]),
    ] {
        assert!(
            compare(&lines, &expected).is_err(),
            "{lines:?} {expected:?}"
        );
    }
}
