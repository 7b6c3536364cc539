//! The examples of `cli/README.md` are real: each is run, and what it writes is compared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

mod common;

use std::path::Path;
use std::process::Command;

use common::text;

/// What differs from run to run.
fn without_times(output: &str) -> String {
    let lines = output.lines().map(|line| {
        let line = line.trim_end();
        if line.starts_with("Took ") {
            return "Took";
        }
        line.split(r#","elapsed_s":"#).next().unwrap_or(line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn examples_write_what_the_readme_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let mut run = 0;
    for block in readme.split("```console\n").skip(1) {
        let block = block.split("\n```").next().unwrap();
        let (command, output) = block.split_once('\n').unwrap();
        let words = command.strip_prefix("$ hostward ").unwrap().split(' ');
        let real = Command::new(env!("CARGO_BIN_EXE_hostward"))
            .args(words)
            .current_dir(root.join(".."))
            .output()
            .unwrap();
        let real = text(&real.stderr) + &text(&real.stdout);
        assert_eq!(without_times(&real), without_times(output), "{command}");
        run += 1;
    }
    assert!(run >= 4, "there are examples");
}
