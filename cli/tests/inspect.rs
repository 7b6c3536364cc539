//! The command as a user runs it, over the captures of the project's own making.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn hostward(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostward"));
    command.arg("inspect").args(args);
    command
}

fn run(args: &[&str]) -> Output {
    hostward(args).output().unwrap()
}

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures")
}

fn capture(name: &str) -> String {
    captures()
        .join(format!("{name}.pcap"))
        .to_str()
        .unwrap()
        .to_owned()
}

fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8(output.stdout.clone())
        .unwrap()
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_capture_is_read_and_ends_with_a_summary() {
    let mut seen = 0;
    for entry in fs::read_dir(captures()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "pcap") {
            continue;
        }
        seen += 1;
        let output = run(&["--json", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{path:?}");
        let lines = lines(&output);
        let (last, others) = lines.split_last().unwrap();
        assert_eq!(last["type"], "summary");
        assert!(others.iter().all(|l| l["type"] != "summary"));
        assert!(last["packets"].as_u64().unwrap() > 0);
        assert!(text(&output.stderr).starts_with("local side: "));
    }
    assert!(seen >= 17, "the captures are in the repository");
}

#[test]
fn what_is_around_a_connection_does_not_change_it() {
    let summary = |name: &str| {
        let output = run(&["--json", &capture(name)]);
        let last = lines(&output).pop().unwrap();
        (
            last["packets"].clone(),
            last["flows"].clone(),
            text(&output.stderr),
        )
    };
    let plain = summary("tls12");
    assert_eq!(plain.1, 1);
    for wrapped in ["tls12-vlan", "tls12-gre", "tls12-vxlan"] {
        assert_eq!(summary(wrapped), plain, "{wrapped}");
    }
    assert_eq!(
        summary("tls13-ipv6"),
        summary("tls13-ipv6-extension-headers")
    );
    // Not opened, a tunnel is a flow between its ends.
    let output = run(&["--json", "--tunnels", "0", &capture("tls12-gre")]);
    assert!(text(&output.stderr).contains("192.0.2."));
}

#[test]
fn every_packet_gets_its_decision() {
    let output = run(&["--json", "--decisions", &capture("malformed")]);
    let numbers: Vec<u64> = lines(&output)
        .iter()
        .filter(|l| l["type"] == "decision")
        .map(|l| l["packet"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=7).collect::<Vec<u64>>());
}

#[test]
fn standard_input_plain_and_gzip() {
    let plain = fs::read(capture("ssh")).unwrap();
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    zipped.write_all(&plain).unwrap();
    let expected = lines(&run(&["--json", &capture("ssh")])).pop().unwrap();
    for input in [plain, zipped.finish().unwrap()] {
        let mut child = hostward(&["--json", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&input).unwrap();
        let output = child.wait_with_output().unwrap();
        let got = lines(&output).pop().unwrap();
        for key in ["packets", "bytes", "flows"] {
            assert_eq!(got[key], expected[key]);
        }
    }
}

#[test]
fn several_files_are_one_input_and_a_bad_one_does_not_stop_the_others() {
    let (http, ssh) = (capture("http"), capture("ssh"));
    let output = run(&["--json", &http, "no such file", &ssh]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("error: no such file: cannot be opened"));
    assert_eq!(lines(&output).pop().unwrap()["flows"], 3);
}

#[test]
fn a_named_local_side_is_told_and_a_wrong_one_refused() {
    let ssh = capture("ssh");
    let output = run(&["--local", "10.77.0.1", "--local", "fd77::/64", &ssh]);
    assert_eq!(output.status.code(), Some(0));
    let report = text(&output.stdout);
    assert!(report.contains("Local side: 10.77.0.1/32, fd77::/64 (named by --local)"));
    let output = run(&["--local", "10.0.0.0/40", &ssh]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("`40` is not a prefix length"));
    assert_eq!(run(&[]).status.code(), Some(2));
    assert_eq!(run(&["--help"]).status.code(), Some(0));
}

#[test]
fn a_closed_output_ends_quietly() {
    // Enough lines to fill a pipe many times over.
    let ssh = capture("ssh");
    let mut args = vec!["--json", "--decisions"];
    args.extend(std::iter::repeat_n(ssh.as_str(), 200));
    let mut child = hostward(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut some = [0; 100];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut some).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let stderr = text(&output.stderr);
    assert_eq!(
        stderr.lines().count(),
        1,
        "only the choice of the local side: {stderr}"
    );
}
