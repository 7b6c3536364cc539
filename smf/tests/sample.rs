//! The sample file and every field of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::wildcard_enum_match_arm,
    clippy::wildcard_imports,
    reason = "a failing test may panic"
)]

mod support;

use std::path::Path;

use hostward_smf::file::FileReader;
use hostward_smf::layout::RECORDS;
use hostward_smf::{Item, Kind, Level, Record, RecordView, visit};
use support::sample;

/// The shipped file is what the encoder writes. `UPDATE_SAMPLES=1` writes it anew.
#[test]
fn the_sample_file_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/records.smf");
    let file = sample().concat();
    if std::env::var_os("UPDATE_SAMPLES").is_some_and(|v| v == "1") {
        std::fs::write(&path, &file).unwrap();
    }
    let found = std::fs::read(&path).unwrap();
    assert!(
        found == file,
        "UPDATE_SAMPLES=1 cargo test -p hostward-smf --test sample writes it"
    );
    let mut reader = FileReader::new(std::fs::File::open(&path).unwrap());
    let mut kinds = std::collections::BTreeSet::new();
    while let Some(record) = reader.next_record().unwrap() {
        let view = RecordView::parse(record.bytes).unwrap();
        kinds.insert((view.header().record_type, view.subtype()));
        let record_again = Record::decode(record.bytes).unwrap();
        let levels = [Level::Base, Level::Extended];
        assert!(
            levels
                .iter()
                .any(|l| record_again.to_vec(*l).unwrap() == record.bytes)
        );
    }
    assert_eq!(kinds.len(), 9);
}

fn items(record: &[u8]) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    visit(record, &mut |item| items.push(item.unwrap()));
    items
}

#[test]
fn every_byte_is_shown_once_and_in_order() {
    for record in sample() {
        let mut at = 0;
        for item in items(&record) {
            // Between the number of triplets and the first are two reserved bytes.
            let gap = if item.offset == 28 && record[5] != 109 {
                2
            } else {
                0
            };
            assert_eq!(
                item.offset,
                at + gap,
                "{} {}",
                item.section,
                item.field.name
            );
            at = item.offset + item.bytes.len();
            assert!(!item.field.name.is_empty() && item.field.text.ends_with('.'));
        }
        assert_eq!(at, record.len());
    }
}

#[test]
fn fields_are_shown_with_what_they_mean() {
    let record = &sample()[2];
    let shown: Vec<String> = items(record)
        .iter()
        .map(|i| {
            let name = [i.section, i.group, i.field.name].join("/");
            let value = i.value();
            let meaning = value.meaning().map(|m| format!(" ({m})"));
            format!("{name} = {value}{}", meaning.unwrap_or_default())
        })
        .collect();
    for line in [
        "header//date = 2026-11-22",
        "header//subtype = 11",
        "self-defining section//triplets = 8",
        "TCP/IP identification//reason = 8 (event)",
        "zERT connection detail//protocols = 0xa0 (TLS/SSL, IPsec)",
        "zERT connection detail//end_date = none",
        "zERT connection detail//remote_ip = 2001:db8::77",
        "IP filter//out_rule = PartnerVpn",
        "TLS//encryption = 19 (AES GCM 256)",
        "TLS/server_certificate/serial = 1234567800000000000000000000000000000000",
        "IPsec//local_endpoint = 2001:db8::10",
        "certificate distinguished names//name = CN=Example CA",
    ] {
        assert!(
            shown.iter().any(|l| l == line),
            "{line} in\n{}",
            shown.join("\n")
        );
    }
}

#[test]
fn what_is_not_known_is_shown_as_bytes() {
    let unknown = |r: &[u8]| {
        let all = items(r);
        let some = all.iter().filter(|i| i.field.kind == Kind::Unknown);
        some.map(|i| (i.section, i.bytes.len())).collect::<Vec<_>>()
    };
    let samples = sample();
    let other = samples.iter().find(|r| r[5] == 119 && r[23] == 5).unwrap();
    assert_eq!(
        unknown(other),
        [("unknown section", 208), ("unknown section", 36)]
    );
    let tunnel = samples.iter().find(|r| r.get(23) == Some(&76)).unwrap();
    assert_eq!(unknown(tunnel).len(), 4);
    // Another type, with and without subtypes.
    let mut other = other.clone();
    other[5] = 30;
    assert_eq!(unknown(&other), [("data", other.len() - 24)]);
    other[4] = 0x1e;
    assert_eq!(unknown(&other), [("data", other.len() - 18)]);
}

#[test]
fn a_wrong_triplet_does_not_hide_the_other_sections() {
    let mut record = sample()[2].clone();
    // The TLS section's offset.
    record[52] = 1;
    let (mut errors, mut sections) = (Vec::new(), std::collections::BTreeSet::new());
    visit(&record, &mut |item| match item {
        Ok(item) => {
            sections.insert(item.section);
        }
        Err(error) => errors.push(error.to_string()),
    });
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].starts_with("end of section 3 at offset 52: "),
        "{errors:?}"
    );
    assert!(sections.contains("IPsec") && !sections.contains("TLS"));
    // Two sections in one place are both shown, and told.
    let mut record = sample()[2].clone();
    let tls = record[52..56].to_vec();
    record[44..48].copy_from_slice(&tls);
    let mut errors = Vec::new();
    visit(&record, &mut |item| {
        errors.extend(item.err().map(|e| e.to_string()))
    });
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].contains("a place apart from section"),
        "{errors:?}"
    );
}

#[test]
fn the_work_for_a_record_is_bounded_by_its_length() {
    // All triplets point at the same section, with as many instances as fit.
    let mut record = vec![0; 32_756];
    record[..2].copy_from_slice(&32_756_u16.to_be_bytes());
    record[4..6].copy_from_slice(&[0x5e, 119]);
    record[13] = 0xf;
    for subtype in [11, 12, 73, 5] {
        record[23] = subtype;
        record[25] = 64;
        for place in (28..28 + 64 * 8).step_by(8) {
            record[place..place + 8].copy_from_slice(&[0, 0, 0x02, 0x1c, 0, 1, 0x7d, 0]);
        }
        let mut calls = 0_usize;
        visit(&record, &mut |_| calls += 1);
        assert!(calls < 64 * 32_756, "{calls}");
        assert!(Record::decode(&record).is_err() || subtype == 5);
    }
}

/// Every layout is known by some record, and every record has a title.
#[test]
fn known_records_have_titles() {
    for record in RECORDS {
        assert!(!record.title.is_empty());
        let first = record.sections.first().map(|s| s.title);
        assert!(record.subtype.is_none() || first == Some("TCP/IP identification"));
    }
}
