//! `docs/codes.md` and `docs/conformance.md` are what the code says. `UPDATE_DOCS=1` writes them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a failing test may panic"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a file of `docs/` with what it should be, or writes it.
fn is_current(name: &str, text: &str) {
    let file = root().join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        return;
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = found
        .lines()
        .zip(text.lines())
        .find(|(a, b)| a != b)
        .map(|(a, b)| format!("\n  is      {a}\n  should  {b}"));
    assert!(
        found == text,
        "docs/{name} is out of date{}; UPDATE_DOCS=1 cargo test --test docs writes it",
        differs.unwrap_or_default()
    );
}

#[test]
fn codes_are_listed() {
    let mut text = String::from(
        "# Codes\n\n\
         Why a packet was refused, and what an event is about: the same number in counters, log\n\
         lines and records. A code that was once published keeps its number and meaning. Each\n\
         control owns a thousand. Written by `tests/docs.rs` from `hostward::codes()`.\n\n\
         | code | control | name | meaning |\n|---|---|---|---|\n",
    );
    let mut last = 0;
    let mut names = BTreeSet::new();
    for info in hostward::codes() {
        let code = info.code.get();
        assert!(code > last, "{code} comes after {last}");
        last = code;
        let control = info.code.control().expect("somebody owns every code");
        assert!(names.insert((control, info.name)), "{} twice", info.name);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(info.name.chars().all(plain), "{}", info.name);
        let meaning = info.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            meaning.ends_with('.') && !meaning.contains('|'),
            "{meaning}"
        );
        writeln!(text, "| {code} | {control} | {} | {meaning} |", info.name).unwrap();
    }
    is_current("codes.md", &text);
}

/// A section of an RFC: its number and the section as it is written.
type Section = (u32, String);

/// The sections that a text of comments cites: `RFC 9293 §3.1, §3.4`, `RFC 4861 sections 6.1, 7.1
/// and 8.1`, `RFC 7323 appendix A`. A citation without section is none.
fn sections(text: &str) -> BTreeSet<Section> {
    let mut found = BTreeSet::new();
    for rest in text.split("RFC ").skip(1) {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let Ok(number_of_rfc) = rest[..end].parse::<u32>() else {
            continue;
        };
        // Whether the next number is a section for certain, or may be one of a list.
        let (mut named, mut list) = (false, false);
        for word in rest[end..].replace('§', " § ").split_whitespace() {
            let bare = word.trim_matches(|c: char| "(),;:.|*`".contains(c));
            match bare {
                "§" | "section" | "sections" | "appendix" => named = true,
                "" | "and" | "or" => {}
                // `(e)` and the like name a paragraph of the section before.
                _ if word.starts_with('(') && bare.len() == 1 => {}
                _ => {
                    let (first, others) = bare.split_once('.').unwrap_or((bare, ""));
                    let number = |p: &str| !p.is_empty() && p.chars().all(|c| c.is_ascii_digit());
                    let letter = first.len() == 1 && first.chars().all(|c| c.is_ascii_uppercase());
                    let is_section = (number(first) || letter && named)
                        && (others.is_empty() || others.split('.').all(number));
                    if !is_section || !(named || list && !others.is_empty()) {
                        break;
                    }
                    found.insert((number_of_rfc, bare.to_owned()));
                    (named, list) = (false, !word.ends_with([':', ';', '.', ')']));
                }
            }
        }
    }
    found
}

#[test]
fn citations_are_read_as_they_are_written() {
    for (text, expected) in [
        (
            "as RFC 9293 §3.10.7: every segment 2",
            &[(9293, "3.10.7")][..],
        ),
        ("(RFC 4861 section 4.6).", &[(4861, "4.6")]),
        ("RFC 8446 §5.1, §4: a record", &[(8446, "4"), (8446, "5.1")]),
        (
            "RFC 4861 sections 6.1, 7.1 and 8.1).",
            &[(4861, "6.1"), (4861, "7.1"), (4861, "8.1")],
        ),
        (
            "RFC 791 §3.2 and RFC 8200 §4.5",
            &[(791, "3.2"), (8200, "4.5")],
        ),
        ("RFC 791, RFC 8200 section 4.5: 60 s", &[(8200, "4.5")]),
        ("RFC 7323 appendix A recommends", &[(7323, "A")]),
        ("RFC 9542 appendix B.1).", &[(9542, "B.1")]),
        ("RFC 4443 §2.4 (e): the same 3", &[(4443, "2.4")]),
        ("RFC 2003, 20 bytes; RFC 792.", &[]),
        (
            "RFC 6101 §5.6.1, appendix E: two",
            &[(6101, "5.6.1"), (6101, "E")],
        ),
    ] {
        let expected: BTreeSet<Section> = expected
            .iter()
            .map(|(n, s)| (*n, (*s).to_owned()))
            .collect();
        assert_eq!(sections(text), expected, "{text}");
    }
}

/// The comments of Rust source in one line, so that a citation may be broken over two.
fn comments(source: &str) -> String {
    source
        .lines()
        .map(|line| match line.find("//") {
            Some(at) => line[at..].trim_start_matches(['/', '!']),
            // Code between two comments ends a citation.
            None => " ; code ",
        })
        .collect::<Vec<_>>()
        .join(" ")
}

/// All Rust files under a folder, sorted.
fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
    into.sort();
}

/// Reasons for sections that no test proves: `docs/exceptions/rfcNNNN.toml`, one line for each,
/// `"section" = "reason"`.
fn exceptions() -> BTreeMap<Section, String> {
    let mut all = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(root().join("docs/exceptions")) else {
        return all;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let number = name.strip_prefix("rfc").and_then(|n| n.parse().ok());
        let number: u32 = number.unwrap_or_else(|| panic!("{path:?} is named after no RFC"));
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let quoted: Vec<&str> = line.split('"').collect();
            let [_, section, " = ", reason, ""] = quoted[..] else {
                panic!("{path:?}: {line}");
            };
            assert!(reason.len() > 10, "{path:?}: a reason, please: {line}");
            all.insert((number, section.to_owned()), reason.to_owned());
        }
    }
    all
}

#[test]
fn every_section_the_code_follows_is_named_at_a_test() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.lines().find(|l| l.starts_with("members")).unwrap();
    let packages: Vec<&str> = members.split('"').skip(1).step_by(2).chain(["."]).collect();
    let mut files = Vec::new();
    for package in packages {
        rust_files(&root().join(package).join("src"), &mut files);
        rust_files(&root().join(package).join("tests"), &mut files);
    }
    let mut code: BTreeMap<Section, BTreeSet<String>> = BTreeMap::new();
    let mut tests = code.clone();
    for file in files {
        let path = file.strip_prefix(root()).unwrap();
        let name = path.to_str().unwrap().replace('\\', "/");
        let name = name.trim_start_matches("./").to_owned();
        let source = std::fs::read_to_string(&file).unwrap();
        // Unit tests stand at the end of a file, or in a file of that name.
        let all_test = name.contains("tests/") || name.ends_with("/tests.rs");
        let (plain, test) = if all_test {
            ("", &source[..])
        } else {
            source.split_once("#[cfg(test)]").unwrap_or((&source, ""))
        };
        for (part, into) in [(plain, &mut code), (test, &mut tests)] {
            for section in sections(&comments(part)) {
                into.entry(section).or_default().insert(name.clone());
            }
        }
    }
    assert!(code.len() > 50, "the code cites {} sections", code.len());
    let exceptions = exceptions();
    let mut text = String::from(
        "# Conformance\n\n\
         The sections of RFCs that the code names, where it follows them, and the tests that prove\n\
         it, or the reason why none does. Written by `tests/docs.rs` from the comments.\n\n\
         | RFC | section | code | tests |\n|---|---|---|---|\n",
    );
    let mut unproved = Vec::new();
    let list = |files: &BTreeSet<String>| files.iter().cloned().collect::<Vec<_>>().join("<br>");
    for (section, files) in &code {
        let proof = match (tests.get(section), exceptions.get(section)) {
            (Some(tests), None) => list(tests),
            (None, Some(reason)) => format!("none: {reason}"),
            (Some(_), Some(_)) => panic!("{section:?} has a test and needs no exception"),
            (None, None) => {
                unproved.push(format!(
                    "RFC {} §{} in {}",
                    section.0,
                    section.1,
                    list(files)
                ));
                continue;
            }
        };
        writeln!(
            text,
            "| {} | {} | {} | {proof} |",
            section.0,
            section.1,
            list(files)
        )
        .unwrap();
    }
    assert!(
        unproved.is_empty(),
        "no test cites, and docs/exceptions does not explain:\n{}",
        unproved.join("\n")
    );
    for section in exceptions.keys() {
        assert!(
            code.contains_key(section),
            "{section:?} is an exception to nothing"
        );
    }
    is_current("conformance.md", &text);
}
