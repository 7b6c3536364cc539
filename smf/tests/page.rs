//! `docs/formats/smf-records.md` is what the tables say. `UPDATE_DOCS=1` writes it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use hostward_smf::layout::{RECORDS, Shape};
use hostward_smf::{FieldInfo, Kind, codes};

const HEAD: &str = "# SMF records

What `hostward-smf` writes and reads, byte for byte. Written by `smf/tests/page.rs` from the tables
of the crate; how to read a file, and what the marks mean, is in the
[manual](../manual/smf-records.md).

All numbers are big-endian, all texts EBCDIC (IBM-1047) filled up with blanks. Offsets of sections
count from the first byte of the record descriptor word. Marks: **C** confirmed, **P** probable,
**R** recollected, **U** unconfirmed. Fields behind *extended* are this project's own.
";

fn rows(page: &mut String, fields: &[FieldInfo], base: Option<usize>, prefix: &str, start: usize) {
    for field in fields {
        if base == Some(field.offset) {
            writeln!(page, "| | | | *extended* | | |").unwrap();
        }
        if let Kind::Group(inner) = field.kind {
            let name = format!("{}.", field.name);
            rows(page, inner, None, &name, start + field.offset);
            continue;
        }
        let zos = if field.zos.is_empty() {
            String::new()
        } else {
            format!("`{}`", field.zos)
        };
        writeln!(
            page,
            "| {} | {} | {} | `{prefix}{}` | {zos} | {} |",
            start + field.offset,
            field.len,
            field.confidence.letter(),
            field.name,
            field.text
        )
        .unwrap();
    }
}

#[test]
fn the_page_is_current() {
    let mut page = HEAD.to_owned();
    let mut written: BTreeSet<(&str, usize)> = BTreeSet::new();
    for record in RECORDS {
        let subtype = record.subtype.map(|s| format!(", subtype {s}"));
        let subtype = subtype.unwrap_or_default();
        writeln!(
            page,
            "\n## Type {}{subtype}: {}",
            record.record_type, record.title
        )
        .unwrap();
        if record.sections.is_empty() {
            let data = if record.record_type == 109 {
                ", then the message"
            } else {
                ""
            };
            writeln!(page, "\nHeader of 18 bytes (no subtype){data}.").unwrap();
        }
        for (number, section) in record.sections.iter().enumerate() {
            let Shape::Fields {
                fields, base, all, ..
            } = section.shape
            else {
                let data = match section.shape {
                    Shape::Names => "entries of length, type and name",
                    _ => "not known, kept as bytes",
                };
                writeln!(page, "\n### {number}: {} ({data})", section.title).unwrap();
                continue;
            };
            let extended = if all > base {
                format!(", {all} extended")
            } else {
                String::new()
            };
            writeln!(
                page,
                "\n### {number}: {} ({base} bytes{extended})\n",
                section.title
            )
            .unwrap();
            if written.insert((section.title, base)) {
                writeln!(
                    page,
                    "| offset | length | mark | field | z/OS | meaning |\n|---|---|---|---|---|---|"
                )
                .unwrap();
                rows(&mut page, fields, Some(base), "", 0);
            } else {
                writeln!(page, "As above.").unwrap();
            }
        }
    }
    writeln!(page, "\n## Codes and flags").unwrap();
    for table in codes::tables() {
        let kind = if table.is_flags { "flags" } else { "code" };
        writeln!(
            page,
            "\n### {} ({kind} of {} bytes, mark {})\n\n| value | meaning |\n|---|---|",
            table.name,
            table.len,
            table.confidence.letter()
        )
        .unwrap();
        for code in table.names {
            let width = 2 * table.len;
            writeln!(page, "| {:0width$X} | {} |", code.value, code.name).unwrap();
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats/smf-records.md");
    if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
        std::fs::write(&file, &page).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == page,
        "UPDATE_DOCS=1 cargo test -p hostward-smf --test page writes it"
    );
}
