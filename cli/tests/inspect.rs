//! The command as a user runs it, over the captures of the project's own making.
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
use std::io::Read as _;
use std::process::Stdio;

use common::{capture, folder, gzip, hostward, lines, run, run_with_input, temporary, text};

#[test]
fn every_capture_is_read_and_ends_with_a_summary() {
    let mut seen = 0;
    for entry in fs::read_dir(folder()).unwrap() {
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
    let expected = lines(&run(&["--json", &capture("ssh")])).pop().unwrap();
    for input in [gzip(&plain), plain] {
        let output = run_with_input(&["--json", "-"], &input);
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

#[test]
fn what_cannot_be_read_is_named_and_ends_with_1() {
    let folder = folder();
    let empty = temporary("empty.pcap", &[]);
    let words = temporary(
        "words.pcap",
        b"This is no capture, but it is long enough for a header.",
    );
    for (file, why) in [
        ("no such file", "cannot be opened: "),
        (folder.to_str().unwrap(), "cannot be opened: is a directory"),
        (
            empty.to_str().unwrap(),
            "ends at offset 0, within the 24-byte capture header",
        ),
        (
            words.to_str().unwrap(),
            "offset 0: expected a pcap or pcapng magic number, found [54, 68, 69, 73]",
        ),
    ] {
        for args in [&["--json", file][..], &[file]] {
            let output = run(args);
            assert_eq!(output.status.code(), Some(1), "{args:?}");
            let stderr = text(&output.stderr);
            assert!(
                stderr.starts_with(&format!("error: {file}: {why}")),
                "{stderr}"
            );
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
        }
        let summary = lines(&run(&["--json", file])).pop().unwrap();
        assert_eq!(
            (&summary["type"], &summary["packets"]),
            (&"summary".into(), &0.into())
        );
    }
    for input in [&b""[..], b"words words words words words"] {
        let output = run_with_input(&["-"], input);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).starts_with("error: standard input: "));
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let file = temporary("forbidden.pcap", &fs::read(capture("http")).unwrap());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    let may = fs::File::open(&file).is_ok();
    let output = run(&[file.to_str().unwrap()]);
    fs::remove_file(&file).unwrap();
    // Nothing is forbidden to root.
    assert_eq!(output.status.code(), Some(i32::from(!may)));
    assert_eq!(text(&output.stderr).contains("Permission denied"), !may);
}

#[test]
fn a_capture_cut_off_anywhere_is_read_up_to_there() {
    let whole = fs::read(capture("malformed")).unwrap();
    let mut ends = vec![24];
    while let Some(head) = whole
        .get(ends[ends.len() - 1] + 8..)
        .and_then(|h| h.first_chunk())
    {
        ends.push(ends[ends.len() - 1] + 16 + u32::from_le_bytes(*head) as usize);
    }
    // Three packets show all there is to see.
    ends.truncate(4);
    for length in 0..=ends[3] {
        let output = run_with_input(&["--json", "-"], &whole[..length]);
        let stderr = text(&output.stderr);
        let summary = lines(&output).pop().unwrap();
        if length < 24 {
            assert_eq!(output.status.code(), Some(1), "{length}");
            assert!(stderr.starts_with("error: standard input: ends at offset "));
            continue;
        }
        assert_eq!(output.status.code(), Some(0), "{length}: {stderr}");
        let packets = ends.iter().filter(|end| **end <= length).count() - 1;
        assert_eq!(summary["packets"], packets, "{length}");
        let warned = stderr.contains("warning: standard input: cut off at offset");
        // Between two packets nothing can be missed.
        assert_eq!(warned, !ends.contains(&length), "{length}: {stderr}");
    }
}

#[test]
fn a_wrong_command_line_is_explained_and_ends_with_2() {
    for (args, why) in [
        (&[][..], "<FILE>..."),
        (
            &["--local", "nonsense", "x"],
            "expected an IPv4 or IPv6 address",
        ),
        (
            &["--local", "10.0.0.0/33", "x"],
            "`33` is not a prefix length",
        ),
        (&["--tunnels=-1", "x"], "--tunnels <DEPTH>"),
        (&["--no-such-option", "x"], "unexpected argument"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(output.stdout.is_empty());
        let stderr = text(&output.stderr);
        assert!(
            stderr.starts_with("error: ") && stderr.contains(why),
            "{stderr}"
        );
    }
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_hostward"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("Usage: hostward <COMMAND>"));
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_ends_with_1() {
    for args in [&["--json"][..], &["--json", "--decisions"], &[]] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let output = hostward(args)
            .arg(capture("http"))
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("error: output cannot be written: "));
    }
}
