//! The command over a corpus of captures that is not part of the repository.
//!
//! The folder is named by the environment variable `HOSTWARD_CAPTURES`; beside each capture may lie
//! a JSON file of the same name with the number of its `packets` and its `linktype`. Without the
//! variable there is nothing to test, which the tests say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

mod common;

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use common::{captures_below, hostward, text};
use hostward_cli::capture::{CaptureReader, Miss, decapsulate, network};
use serde_json::Value;

/// Memory that no capture of the corpus may need, in kilobytes.
const MEMORY: u64 = 256 * 1024;

/// The corpus, if there is one.
fn corpus() -> Option<PathBuf> {
    static SAY: Once = Once::new();
    let folder = std::env::var_os("HOSTWARD_CAPTURES");
    if folder.is_none() {
        SAY.call_once(|| say("skipped: HOSTWARD_CAPTURES names no folder of captures"));
    }
    folder.map(Into::into)
}

/// Tells something also when the test passes.
fn say(what: &str) {
    // Not through a macro, whose output is kept back.
    let line = format!("{what}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}

#[test]
fn packets_are_as_many_as_the_truth_says() {
    let Some(folder) = corpus() else { return };
    let captures = captures_below(&folder);
    assert!(!captures.is_empty());
    let mut wrong = Vec::new();
    for path in captures {
        let Ok(truth) = std::fs::read(path.with_extension("json")) else {
            continue;
        };
        let truth: Value = serde_json::from_slice(&truth).unwrap();
        let mut reader = CaptureReader::open(&path).unwrap();
        let mut count = 0_u64;
        // A damaged file ends in an error, after all packets that can be read.
        while let Ok(Some(frame)) = reader.next_frame() {
            count += 1;
            if truth["linktype"]
                .as_u64()
                .is_some_and(|l| l != u64::from(frame.link.0))
            {
                wrong.push(format!("{path:?}: link type {}", frame.link.0));
            }
            match network(&frame) {
                Ok(net) => {
                    let inner = decapsulate(net.packet, 8);
                    assert!(inner.packet.len() <= frame.data.len());
                }
                Err(Miss::UnknownLink(link)) => wrong.push(format!("{path:?}: link {}", link.0)),
                Err(_) => {}
            }
        }
        if truth["packets"] != count {
            wrong.push(format!(
                "{path:?}: {count} packets, truth {}",
                truth["packets"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Runs the command with a bound on its memory; says what was wrong.
fn try_out(args: &[&str], capture: &Path) -> Result<String, String> {
    let mut command = hostward(args);
    command.arg(capture);
    let output = if cfg!(target_os = "linux") {
        let mut bounded = Command::new("sh");
        bounded
            .args(["-c", &format!("ulimit -v {MEMORY}; exec \"$0\" \"$@\"")])
            .arg(command.get_program())
            .args(command.get_args());
        bounded.output()
    } else {
        command.output()
    };
    let output = output.unwrap();
    let stderr = text(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(text(&output.stdout)),
        // A damaged file, which is told.
        Some(1) if stderr.contains("error: ") => Ok(text(&output.stdout)),
        code => Err(format!("{capture:?} {args:?}: {code:?} {stderr}")),
    }
}

#[test]
fn every_capture_in_every_mode() {
    let Some(folder) = corpus() else { return };
    let captures = captures_below(&folder);
    let mut wrong = Vec::new();
    for capture in &captures {
        for args in [
            &["--json", "--events", "--decisions"][..],
            &[],
            &["--events", "--decisions", "--checksums"],
            &["--json", "--local", "10.0.0.0/8,fd00::/8", "--tunnels", "0"],
        ] {
            match try_out(args, capture) {
                Err(why) => wrong.push(why),
                Ok(out) if args.contains(&"--json") => {
                    let last = out.lines().last().unwrap_or_default();
                    if !last.starts_with(r#"{"type":"summary","#) {
                        wrong.push(format!("{capture:?} {args:?}: ends with {last}"));
                    }
                }
                Ok(out) => {
                    if out.chars().any(|c| c.is_control() && c != '\n') {
                        wrong.push(format!("{capture:?} {args:?}: control characters"));
                    }
                }
            }
        }
    }
    say(&format!("{} captures in 4 modes each", captures.len()));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A figure of the script's last lines: the number before a word.
fn number_before(report: &str, word: &str) -> Option<f64> {
    let before = report.rsplit_once(word)?.0.trim_end();
    before.rsplit([' ', '\n']).next()?.parse().ok()
}

/// What differs and why, by capture and field: `docs/agreement.md`.
fn explained() -> BTreeSet<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/agreement.md");
    let page = std::fs::read_to_string(page).unwrap();
    page.lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let name = cells.next()?.trim_matches('`').to_owned();
            let (field, why) = (cells.next()?.to_owned(), cells.nth(2)?);
            assert!(!why.is_empty(), "{line}");
            Some((name, field))
        })
        .collect()
}

#[test]
fn records_agree_with_the_truth_but_for_what_is_explained() {
    let Some(folder) = corpus() else { return };
    let script = folder.join("score.py");
    if !script.exists() {
        return say("skipped: the folder has no score.py");
    }
    let output = Command::new("python3")
        .arg(&script)
        .args(["--proto", "tls,ssh,dtls,quic", "--show", "100000", "--"])
        .args([env!("CARGO_BIN_EXE_hostward"), "inspect", "--json"])
        .output();
    let Ok(output) = output else {
        return say("skipped: there is no python3");
    };
    let report = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let misses: BTreeSet<_> = report
        .lines()
        .filter_map(|line| {
            // Name, both ends, `[protocol]`, field, both values.
            let (name, rest) = line.strip_prefix("miss ")?.split_once(' ')?;
            let (name, _) = name.rsplit_once('.')?;
            let (field, _) = rest.split_once("] ")?.1.split_once(':')?;
            Some((name.to_owned(), field.to_owned()))
        })
        .collect();
    let figures: Vec<&str> = report.lines().filter(|l| !l.starts_with("miss ")).collect();
    say(&figures.join("\n"));
    assert_eq!(number_before(&report, " crashes"), Some(0.0));
    let agreement = number_before(&report, " %").unwrap();
    assert!(agreement >= 99.4, "{agreement} %");
    let explained = explained();
    let new: Vec<_> = misses.difference(&explained).collect();
    assert!(new.is_empty(), "not explained: {new:#?}");
    let gone: Vec<_> = explained.difference(&misses).collect();
    assert!(gone.is_empty(), "agrees now: {gone:#?}");
}
