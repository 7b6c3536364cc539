//! `hostward classify` as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const RULES: &str = "@192.0.2.0/24\t0.0.0.0/0\t0 : 65535\t80 : 88\t0x06/0xFF\t0x0000/0x0000\n\
                     @0.0.0.0/0\t198.51.100.7/32\t0 : 65535\t53 : 53\t0x00/0x00\t0x0000/0x0000\n";
/// The third says something wrong: the first rule matches.
const TRACE: &str = "3221225985\t1\t9\t80\t6\t0\t0\n1\t3325256711\t3\t53\t1\t0\t1\n\
                     3221225985\t1\t9\t80\t6\t0\t1\n3221225985\t1\t9\t80\t17\t0\t-1\n";

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hostward"))
        .arg("classify")
        .args(args)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("r"), RULES).unwrap();
    fs::write(folder.path().join("t"), TRACE).unwrap();
    fs::write(folder.path().join("o"), "3\n0\n0\n1\n").unwrap();
    folder
}

#[test]
fn positions_are_printed_in_the_order_of_the_trace_or_another() {
    let folder = folder();
    let out = run(folder.path(), &["--rules", "r", "--trace", "t"]);
    assert!(out.status.success());
    assert_eq!(String::from_utf8(out.stdout).unwrap(), "0\n1\n0\n-1\n");
    let out = run(
        folder.path(),
        &["--rules", "r", "--trace", "t", "--order", "o"],
    );
    assert_eq!(String::from_utf8(out.stdout).unwrap(), "-1\n0\n0\n1\n");
}

#[test]
fn figures_are_one_object_and_differences_are_counted() {
    let folder = folder();
    let args = ["--rules", "r", "--trace", "t", "--repeat", "3", "--json"];
    let out = run(folder.path(), &args);
    assert!(out.status.success());
    let figures: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(figures["rules"], 2);
    assert_eq!(figures["headers"], 4);
    assert_eq!(figures["mismatches"], 1);
    assert_eq!(figures["repeat"], 3);
    for time in ["ns_single", "ns_batch", "ns_linear", "build_ms"] {
        assert!(figures[time].as_f64().unwrap() > 0.0, "{time}");
    }
    assert!(figures["memory_bytes"].as_u64().unwrap() > 0);
    assert!(["portable", "avx2", "avx512"].contains(&figures["kernel"].as_str().unwrap()));
}

#[test]
fn ipv6_is_told_by_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let mut rules = String::new();
    for n in 0..40 {
        writeln!(
            rules,
            "@2001:db8:{n:x}::/48\t::/0\t0 : 65535\t{n} : {n}\t0x06/0xFF\t0/0"
        )
        .unwrap();
    }
    fs::write(folder.path().join("r"), rules).unwrap();
    fs::write(
        folder.path().join("t"),
        "2001:db8:27::1\t::1\t5\t39\t6\t0\t39\n::1\t::1\t1\t1\t6\t0\t-1\n",
    )
    .unwrap();
    let out = run(folder.path(), &["--rules", "r", "--trace", "t"]);
    assert_eq!(String::from_utf8(out.stdout).unwrap(), "39\n-1\n");
}

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    let folder = folder();
    fs::write(folder.path().join("bad"), format!("{RULES}@nonsense\n")).unwrap();
    fs::write(folder.path().join("order"), "0\n4\n").unwrap();
    fs::write(folder.path().join("packed.xz"), "not packed").unwrap();
    for (args, told) in [
        (["bad", "t", "o"], "bad: line 3: source prefix expected"),
        (["r", "r", "o"], "r: line 1: source address expected"),
        (
            ["r", "t", "order"],
            "order: line 2: number of a header expected, 0 to 3",
        ),
        (["missing", "t", "o"], "missing: "),
        (["packed.xz", "t", "o"], "packed.xz: "),
    ] {
        let [rules, trace, order] = args;
        let out = run(
            folder.path(),
            &["--rules", rules, "--trace", trace, "--order", order],
        );
        assert_eq!(out.status.code(), Some(2), "{told}");
        let message = String::from_utf8(out.stderr).unwrap();
        assert!(message.contains(told), "{message}");
        assert!(out.stdout.is_empty());
    }
}

#[test]
fn what_would_fill_the_memory_is_refused() {
    let folder = folder();
    fs::write(folder.path().join("long"), "0\n".repeat((1 << 24) + 1)).unwrap();
    let most = "long: line 16777217: more than 16777216 headers";
    for (args, told) in [
        (["r", "t", "long"], most),
        (["r", "long", "o"], most),
        #[cfg(unix)]
        (
            ["/dev/zero", "t", "o"],
            "/dev/zero: its text is longer than 256 MiB",
        ),
    ] {
        let [rules, trace, order] = args;
        let out = run(
            folder.path(),
            &["--rules", rules, "--trace", trace, "--order", order],
        );
        assert_eq!(out.status.code(), Some(2), "{told}");
        let message = String::from_utf8(out.stderr).unwrap();
        assert!(message.contains(told), "{message}");
    }
}
