//! Runs the command as a user does.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses a part"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// `hostward inspect` with these arguments.
pub fn hostward(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostward"));
    command.arg("inspect").args(args);
    command
}

/// `hostward` with these arguments.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostward"));
    command.args(args);
    command
}

pub fn run(args: &[&str]) -> Output {
    hostward(args).output().unwrap()
}

/// The same with something to read from standard input.
pub fn run_with_input(args: &[&str], input: &[u8]) -> Output {
    feed(&mut hostward(args), input)
}

/// Runs a command with something to read from standard input.
pub fn feed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // The command may end before it has read everything.
    let _ = writer.join().unwrap();
    output
}

/// The folder of the captures of the project's own making.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/captures")
}

/// All captures of a folder and the folders in it, in order.
pub fn captures_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|e| e == "pcap" || e == "pcapng" || e == "gz")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The path of one of the project's own captures.
pub fn capture(name: &str) -> String {
    let path = folder().join(format!("{name}.pcap"));
    path.to_str().unwrap().to_owned()
}

/// The JSON lines of an output.
pub fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    zipped.write_all(bytes).unwrap();
    zipped.finish().unwrap()
}

/// A file of a test's own, in a folder for such files.
pub fn temporary(name: &str, bytes: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
