//! The crates need no operating system: builds and runs `checks/no-std`, and makes sure that it
//! names every crate of the workspace that promises it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folders of the workspace's packages whose crate root says `no_std`.
fn no_std_packages() -> Vec<(String, PathBuf)> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|l| l.starts_with("members")).unwrap();
    let folders = members.split('"').skip(1).step_by(2).chain(["."]);
    folders
        .map(|f| root().join(f))
        .filter(|f| {
            let lib = std::fs::read_to_string(f.join("src/lib.rs")).unwrap_or_default();
            lib.lines().any(|l| l.trim() == "#![no_std]")
        })
        .map(|f| {
            let manifest = std::fs::read_to_string(f.join("Cargo.toml")).unwrap();
            let package = manifest.split("[package]").nth(1).unwrap();
            let name = package
                .lines()
                .find_map(|l| l.strip_prefix("name = "))
                .unwrap();
            (name.trim_matches('"').to_owned(), f)
        })
        .collect()
}

#[test]
fn the_check_names_every_crate_that_needs_no_operating_system() {
    let main = std::fs::read_to_string(root().join("checks/no-std/src/main.rs")).unwrap();
    let manifest = std::fs::read_to_string(root().join("checks/no-std/Cargo.toml")).unwrap();
    let packages = no_std_packages();
    assert!(packages.len() >= 5, "{packages:?}");
    for (name, _) in packages {
        let ident = name.replace('-', "_");
        let named = format!("{ident} as ");
        assert!(
            main.contains(&named),
            "checks/no-std/src/main.rs does not use {ident}"
        );
        let dependency = format!("\n{name} = {{ path = ");
        let line = manifest
            .split(&dependency)
            .nth(1)
            .and_then(|l| l.lines().next());
        let line = line.unwrap_or_else(|| panic!("checks/no-std does not depend on {name}"));
        assert!(line.contains("default-features = false"), "{name}: {line}");
    }
}

/// Builds in a target folder of its own, since a build inside a build would wait for the lock.
fn run(features: &[&str]) {
    let target = root().join("target/no-std");
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--manifest-path"])
        .arg(root().join("checks/no-std/Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .args(features)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn all_crates_build_and_run_without_an_operating_system() {
    run(&["--features", "alloc"]);
}

#[test]
fn hook_builds_and_runs_without_an_allocator() {
    run(&[]);
}
