//! The commands of `docs/manual/zert.md` and `zert-enforcement.md` are real: each is run, in order, and
//! what it writes is compared. `UPDATE_DOCS=1` writes the pages' outputs anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]
#![cfg(unix)]

mod common;

use std::path::Path;
use std::process::Command;

use common::text;

#[test]
fn commands_about_protection_write_what_the_page_says() {
    commands_of("zert", 6);
}

#[test]
fn commands_about_rules_write_what_the_page_says() {
    commands_of("zert-enforcement", 4);
}

/// Runs the commands of a page, of which there are so many at least.
fn commands_of(name: &str, least: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(format!("docs/manual/{name}.md"));
    let page = std::fs::read_to_string(&path).unwrap();
    // A folder of its own, in which the captures are where the page has them.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("manual-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for place in ["tests", "examples"] {
        let real = root.canonicalize().unwrap().join(place);
        std::os::unix::fs::symlink(real, folder.join(place)).unwrap();
    }
    let (mut real, mut rest, mut run) = (String::new(), page.as_str(), 0);
    while let Some((before, after)) = rest.split_once("```console\n") {
        let (block, after) = after.split_once("```").unwrap();
        let (command, _) = block.split_once('\n').unwrap();
        let line = command.strip_prefix("$ hostward ").unwrap();
        // Of a command that says much only some lines are shown.
        let (line, only) = line.split_once(" | grep ").unwrap_or((line, ""));
        let words = line.split(' ');
        let output = Command::new(env!("CARGO_BIN_EXE_hostward"))
            .args(words)
            .current_dir(&folder)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{command}");
        let told = if only.is_empty() {
            text(&output.stderr) + &text(&output.stdout).replace("\r\n", "\n")
        } else {
            let all = text(&output.stdout);
            let lines = all.lines().filter(|l| l.contains(only));
            lines.map(|l| format!("{l}\n")).collect()
        };
        real.push_str(&format!("{before}```console\n{command}\n{told}```"));
        rest = after;
        run += 1;
    }
    real.push_str(rest);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &real).unwrap();
    } else if real != page {
        let differ = real.lines().zip(page.lines()).find(|(a, b)| a != b);
        panic!("the page differs: {differ:?}");
    }
    assert!(run >= least, "there are commands");
}
