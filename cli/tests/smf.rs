//! `hostward smf dump` as a user runs it.
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

use common::{command, feed, lines, temporary, text};
use serde_json::{Value, json};

fn sample() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../smf/samples/records.smf");
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_record_is_shown_field_by_field() {
    let out = command(&["smf", "dump", &sample()]).output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    let shown = text(&out.stdout);
    for line in [
        "record 2 at byte 18: type 119 subtype 11, zERT connection detail, 444 bytes",
        "  section 1: zERT connection detail",
        "    156   1 P event                                3  connection termination",
        "    204  16 P remote_ip                            192.0.2.77",
        "    342   2 P key_exchange                         28  ECDHE (TLSv1.3)",
        "     10   4 C date                                 2026-11-22",
        "  section 6: certificate distinguished names, number 2",
        "15 records, 0 errors; records with record descriptor words",
    ] {
        assert!(shown.lines().any(|l| l == line), "{line}\n{shown}");
    }
    // A message with a line end and a backslash cannot disturb the terminal.
    assert!(shown.contains("www.example.com ^ 192.0.2.77\\u{a}"));
    assert!(!shown.contains("reserved"));
    let page = command(&["smf", "dump", "--code-page", "037", &sample()])
        .output()
        .unwrap();
    assert!(text(&page.stdout).contains("¬ 192.0.2.77"));
}

#[test]
fn programs_get_one_object_a_record() {
    let out = command(&["smf", "dump", "--json", &sample()])
        .output()
        .unwrap();
    let lines = lines(&out);
    assert_eq!(lines.len(), 16);
    let detail = &lines[1];
    assert_eq!(
        (
            &detail["type"],
            &detail["record"],
            &detail["position"],
            &detail["length"]
        ),
        (&json!("record"), &json!(2), &json!(18), &json!(444))
    );
    assert_eq!(
        (&detail["smf_type"], &detail["subtype"]),
        (&json!(119), &json!(11))
    );
    assert_eq!(detail["errors"], json!([]));
    let fields = detail["fields"].as_array().unwrap();
    let field = |name: &str| fields.iter().find(|f| f["field"] == name).unwrap();
    assert_eq!(
        *field("event"),
        json!({"section": "zERT connection detail", "triplet": 1, "instance": 0, "field": "event",
               "zos": "SAEvent_Type", "offset": 156, "length": 1, "mark": "P", "value": 3,
               "meaning": "connection termination"})
    );
    assert_eq!(field("remote_ip")["value"], "192.0.2.77");
    assert_eq!(field("server_certificate.serial_len")["value"], 0);
    assert_eq!(
        lines[15],
        json!({"type": "summary", "form": "records with record descriptor words",
               "records": 15, "errors": 0, "failed": null})
    );
}

#[test]
fn errors_are_named_and_the_rest_is_shown() {
    let mut file = std::fs::read(sample()).unwrap();
    // The second record's TLS section is said to lie beyond its end.
    file[18 + 52] = 1;
    let path = temporary("lying.smf", &file);
    let out = command(&["smf", "dump", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    let shown = text(&out.stdout);
    assert!(shown.contains("\n  error: end of section 3 at offset 52: 16777660 found, an end within the record's 444 bytes expected\n"), "{shown}");
    assert!(shown.ends_with("15 records, 1 errors; records with record descriptor words\n"));
    // Cut, from standard input.
    let out = feed(
        &mut command(&["smf", "dump", "--json", "-"]),
        &file[..file.len() - 7],
    );
    assert_eq!(out.status.code(), Some(1));
    let at = file.len() - 18;
    let expected =
        format!("record 15 at byte {at} of the file: the file ends after 11 bytes, 18 expected");
    assert_eq!(text(&out.stderr), format!("error: -: {expected}\n"));
    assert_eq!(
        lines(&out).last().unwrap()["failed"],
        Value::String(expected)
    );
}

#[test]
fn files_that_cannot_be_read_or_are_something_else_are_said_to_be() {
    let out = command(&["smf", "dump", "no-such-file"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).starts_with("error: no-such-file: "));
    let out = feed(
        &mut command(&["smf", "dump", "-"]),
        b"this is plain text, not SMF",
    );
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("no record in sight"));
    let out = feed(&mut command(&["smf", "dump", "-"]), b"");
    assert_eq!(
        (out.status.code(), text(&out.stdout).as_str()),
        (Some(0), "0 records, 0 errors; no form\n")
    );
}
