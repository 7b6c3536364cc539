//! What a new user's most likely mistakes look like, as the command prints it.
//!
//! `UPDATE_SNAPSHOTS=1` writes the texts anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn each_mistake_has_one_message_that_says_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policies/mistakes");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.ends_with(".conf"))
        .collect();
    names.sort();
    assert!(names.len() >= 10, "{names:?}");
    let update = std::env::var_os("UPDATE_SNAPSHOTS").is_some_and(|v| v == "1");
    let mut wrong = Vec::new();
    for name in &names {
        let output = Command::new(env!("CARGO_BIN_EXE_hostward"))
            .args(["policy", "check", "--strict", name])
            .current_dir(&folder)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.stderr.is_empty(), "{name}");
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        let file = folder.join(name.replace(".conf", ".txt"));
        if update {
            fs::write(&file, &text).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != text {
            wrong.push(format!("{name} is now told as\n{text}"));
        }
        // One message that counts; what it says to do is below it.
        let told = |start: &str| text.lines().filter(|l| l.starts_with(start)).count();
        assert_eq!(told("error[") + told("warning["), 1, "{name}: {text}");
        assert!(
            text.contains("= help: ") || text.contains("expected "),
            "{name}: {text}"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
