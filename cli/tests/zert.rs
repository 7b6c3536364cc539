//! `hostward zert report` as a user runs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use common::{capture, captures_below, command, folder, lines, temporary, text};
use hostward::smf::file::Reader;
use hostward::smf::{Level, Record};
use serde_json::{Value, json};

const NAMES: [&str; 6] = [
    "http",
    "starttls-smtp",
    "ssh",
    "tls12",
    "tls13",
    "tls-failed",
];

fn report(options: &[&str], files: &[String]) -> std::process::Output {
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let args = [&["zert", "report"][..], options, &files].concat();
    let output = command(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    output
}

fn six() -> Vec<String> {
    NAMES.iter().map(|n| capture(n)).collect()
}

fn schema(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn services_are_told_worst_first() {
    let out = lines(&report(&["--json"], &six()));
    let services: Vec<_> = out
        .iter()
        .filter(|l| l["type"] == "service")
        .map(|l| (l["port"].as_u64().unwrap(), l["grade"].as_str().unwrap()))
        .collect();
    assert_eq!(
        services,
        [
            (8080, "none"),
            (2222, "classical"),
            (25, "classical"),
            (4431, "classical"),
            (4432, "classical"),
            (2222, "hybrid")
        ]
    );
    let failures: Vec<_> = out
        .iter()
        .filter(|l| l["type"] == "failure")
        .map(|l| l["alerts"].clone())
        .collect();
    assert_eq!(
        failures,
        [
            json!(["server: protocol_version"]),
            json!(["client: unknown_ca"])
        ]
    );
    let summary = out.last().unwrap();
    assert_eq!(
        (&summary["connections"], &summary["failed"]),
        (&json!(8), &json!(2))
    );
    assert_eq!(summary["grades"]["classical"], 4);
}

#[test]
fn certificates_that_expire_are_listed() {
    // The certificate of the captures ends twenty years after them.
    let shown = text(&report(&[], &[capture("tls12")]).stdout);
    assert!(shown.contains("Certificates that expire within 90 days (1 seen)\n  none\n"));
    let shown = text(&report(&["--days", "8000"], &[capture("tls12")]).stdout);
    let line = shown.lines().find(|l| l.contains("2046-11-17T")).unwrap();
    assert!(
        line.contains(" days left  CN=www.lab.example,O=Capture Lab  10.77.0.2:4431/tcp"),
        "{line}"
    );
    let out = lines(&report(&["--json", "--days", "7000"], &[capture("tls12")]));
    let certificate = out.iter().find(|l| l["type"] == "certificate").unwrap();
    assert_eq!(certificate["days_left"], 7_300);
    assert_eq!(certificate["expiring"], false);
}

#[test]
fn every_line_is_as_the_schema_says() {
    let validator =
        jsonschema::validator_for(&schema("../docs/formats/zert-report.schema.json")).unwrap();
    let mut seen = BTreeSet::new();
    for file in captures_below(&folder()) {
        for line in lines(&report(&["--json"], &[file.to_str().unwrap().to_owned()])) {
            if let Err(error) = validator.validate(&line) {
                panic!("{}: {error}\n{line}", file.display());
            }
            seen.insert(line["type"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(
        seen.iter().map(String::as_str).collect::<Vec<_>>(),
        ["certificate", "failure", "service", "summary"]
    );
    // The schema can say no.
    let good = lines(&report(&["--json"], &[capture("http")]))[0].clone();
    for (field, value) in [
        ("grade", json!("good")),
        ("port", json!("80")),
        ("more", json!(1)),
        ("first", json!("yesterday")),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(!validator.is_valid(&bad), "{field}");
    }
    let mut bad = good;
    bad.as_object_mut().unwrap().remove("version");
    assert!(!validator.is_valid(&bad));
}

fn cyclonedx() -> jsonschema::Validator {
    let mut registry = jsonschema::Registry::new();
    for name in ["spdx", "jsf-0.82"] {
        let uri = format!("http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json");
        let mut schema = schema(&format!("tests/data/cyclonedx/{name}.schema.json"));
        schema["$id"] = json!(uri);
        registry = registry.add(uri, schema).unwrap();
    }
    let registry = registry.prepare().unwrap();
    jsonschema::options()
        .with_registry(&registry)
        .build(&schema("tests/data/cyclonedx/bom-1.6.schema.json"))
        .unwrap()
}

#[test]
fn the_bill_of_materials_is_as_published() {
    let validator = cyclonedx();
    let mut all: Vec<Vec<String>> = captures_below(&folder())
        .into_iter()
        .map(|p| vec![p.to_str().unwrap().to_owned()])
        .collect();
    all.push(six());
    for files in all {
        let bom: Value = serde_json::from_slice(&report(&["--cbom"], &files).stdout).unwrap();
        if let Some(error) = validator.iter_errors(&bom).next() {
            panic!("{files:?}: {} {error}", error.instance_path());
        }
        // Everything that is referred to is there, once.
        let components = bom["components"].as_array().unwrap();
        let mut refs = BTreeSet::new();
        for c in components {
            assert!(refs.insert(c["bom-ref"].as_str().unwrap()), "{c}");
        }
        for dependency in bom["dependencies"].as_array().unwrap() {
            assert!(refs.contains(dependency["ref"].as_str().unwrap()));
            for on in dependency["dependsOn"].as_array().unwrap() {
                assert!(refs.contains(on.as_str().unwrap()), "{on}");
            }
        }
    }
    let bom: Value = serde_json::from_slice(&report(&["--cbom"], &six()).stdout).unwrap();
    let find = |name: &str| {
        let all = bom["components"].as_array().unwrap();
        all.iter().find(|c| c["bom-ref"] == name).unwrap().clone()
    };
    let tls = find("crypto/protocol/tls@1.3");
    let properties = &tls["cryptoProperties"]["protocolProperties"];
    assert_eq!(properties["type"], "tls");
    assert_eq!(
        properties["cipherSuites"][0]["identifiers"],
        json!(["0x13", "0x02"])
    );
    assert_eq!(
        tls["evidence"]["occurrences"],
        json!([{"location": "tcp://10.77.0.2:4432"}])
    );
    let hybrid = find("crypto/algorithm/sntrup761x25519-sha512");
    assert_eq!(
        hybrid["cryptoProperties"]["algorithmProperties"]["primitive"],
        "combiner"
    );
    let aes = find("crypto/algorithm/aes-256-gcm");
    let aes = &aes["cryptoProperties"]["algorithmProperties"];
    assert_eq!(aes["nistQuantumSecurityLevel"], 5);
    // The check can fail.
    let mut bad = bom;
    bad["components"][0]["cryptoProperties"]["assetType"] = json!("thing");
    assert!(!validator.is_valid(&bad));
}

#[test]
fn csv_has_a_line_for_each_service() {
    let out = text(&report(&["--csv"], &six()).stdout);
    let rows: Vec<Vec<&str>> = out
        .split_terminator("\r\n")
        .map(|l| l.split(',').collect())
        .collect();
    assert_eq!(rows.len(), 9);
    assert!(rows.iter().all(|r| r.len() == rows[0].len()));
    assert_eq!(rows[1][..4], ["none", "", "10.77.0.2", "8080"]);
    assert_eq!(rows[8][..4], ["hybrid", "yes", "10.77.0.2", "2222"]);
}

#[test]
fn events_as_suricata_writes_them() {
    let out = lines(&report(&["--eve"], &six()));
    let kinds: Vec<_> = out
        .iter()
        .map(|l| l["event_type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds.iter().filter(|k| **k == "ssh").count(), 2);
    assert_eq!(kinds.iter().filter(|k| **k == "tls").count(), 5);
    let tls = out.iter().find(|l| l["dest_port"] == 4431).unwrap();
    assert_eq!(tls["tls"]["version"], "TLS 1.2");
    assert_eq!(tls["tls"]["sni"], "www.lab.example");
    assert_eq!(tls["tls"]["subject"], "CN=www.lab.example,O=Capture Lab");
    assert!(
        tls["tls"]["notafter"]
            .as_str()
            .unwrap()
            .starts_with("2046-11-17T")
    );
    assert!(tls["timestamp"].as_str().unwrap().ends_with("+0000"));
    let ssh = out.iter().find(|l| l["event_type"] == "ssh").unwrap();
    assert_eq!(ssh["ssh"]["client"]["proto_version"], "2.0");
    assert!(
        ssh["ssh"]["server"]["software_version"]
            .as_str()
            .unwrap()
            .starts_with("OpenSSH_")
    );
}

#[test]
fn events_in_leef() {
    let out = text(&report(&["--leef"], &[capture("tls12")]).stdout);
    let (head, fields) = out.trim_end().rsplit_once('|').unwrap();
    assert!(head.starts_with("LEEF:1.0|hostward|hostward|") && head.ends_with("|119-11"));
    let fields: BTreeMap<_, _> = fields
        .split('\t')
        .map(|f| f.split_once('=').unwrap())
        .collect();
    for (key, value) in [
        ("tlsProtVer", "TLSv1.2"),
        ("tlsNegCipher", "C02C"),
        ("tlsalg", "AES"),
        ("tlskeylen", "256"),
        ("tlschn", "GCM"),
        ("tlsKexAlg", "ECDHE-ECDSA"),
        ("tlsMsgAuth", "AEAD"),
        ("dstPort", "4431"),
        ("IPproto", "6"),
    ] {
        assert_eq!(fields[key], value, "{key}");
    }
}

fn with_smf(name: &str, options: &[&str], files: &[String]) -> PathBuf {
    let path = temporary(name, &[]);
    let options = [&["--json", "--smf", path.to_str().unwrap()], options].concat();
    report(&options, files);
    path
}

fn records(path: &Path) -> Vec<Record> {
    let bytes = std::fs::read(path).unwrap();
    let mut reader = Reader::new();
    assert_eq!(reader.feed(&bytes), bytes.len());
    reader.end();
    let mut all = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        all.push(Record::decode(record.bytes).unwrap());
    }
    all
}

/// What of a report does not depend on what records lack: times to the microsecond, alerts, fingerprints.
fn essence(report: &[Value]) -> Vec<Value> {
    let kept = [
        "server",
        "port",
        "grade",
        "quantum_safe",
        "protocol",
        "version",
        "cipher",
        "mac",
        "key_exchange",
        "reasons",
        "connections",
        "bytes",
        "names",
    ];
    report
        .iter()
        .filter(|l| l["type"] == "service")
        .map(|l| kept.iter().map(|k| l[*k].clone()).collect())
        .collect()
}

#[test]
fn smf_records_tell_the_same() {
    let path = with_smf("same.smf", &[], &six());
    let direct = lines(&report(&["--json"], &six()));
    let read = lines(&report(&["--json"], &[path.to_str().unwrap().to_owned()]));
    assert_eq!(essence(&read), essence(&direct));
    let failures = |l: &[Value]| l.iter().filter(|l| l["type"] == "failure").count();
    assert_eq!(failures(&read), failures(&direct));
    assert_eq!(read.last().unwrap()["connections"], 8);
    let (mut details, mut summaries, mut lasts) = (0, 0, 0);
    for record in records(&path) {
        match record {
            Record::Detail(_) => details += 1,
            Record::Summary(s) => {
                summaries += 1;
                lasts +=
                    u32::from(s.identification.reason == hostward::smf::codes::Reason::SHUTDOWN);
                assert_eq!(s.common.end.connections, 1);
                assert_eq!(s.common.end.short_connections, 1);
                // From the first packet of the captures to their last one.
                assert_eq!(s.common.interval.micros(), 17_087_150);
            }
            _ => {}
        }
    }
    assert_eq!((details, summaries, lasts), (8, 8, 1));
}

#[test]
fn without_extensions_only_the_group_is_missing() {
    let path = with_smf("pure.smf", &["--no-extensions"], &six());
    let all = records(&path);
    assert!(
        all.iter()
            .all(|r| matches!(r, Record::Detail(_) | Record::Summary(_)))
    );
    let read = lines(&report(&["--json"], &[path.to_str().unwrap().to_owned()]));
    let by_port: BTreeMap<u64, &str> = read
        .iter()
        .filter(|l| l["type"] == "service")
        .map(|l| (l["port"].as_u64().unwrap(), l["grade"].as_str().unwrap()))
        .collect();
    // The codes do not say with which group TLS 1.3 agreed on keys, nor newer methods of SSH.
    assert_eq!(
        by_port.into_iter().collect::<Vec<_>>(),
        [
            (25, "classical"),
            (2222, "unknown"),
            (4431, "classical"),
            (4432, "unknown"),
            (8080, "none")
        ]
    );
}

#[test]
fn summaries_count_where_nothing_else_does() {
    let path = with_smf("whole.smf", &["--extended"], &six());
    let mut only = Vec::new();
    let mut is_summary = false;
    for record in records(&path) {
        // An extension belongs to the record before it.
        is_summary = match record {
            Record::Summary(_) => true,
            Record::Detail(_) => false,
            _ => is_summary,
        };
        if is_summary {
            let mut buffer = vec![0; hostward::smf::MAX_RECORD];
            let len = record.encode(Level::Extended, &mut buffer).unwrap();
            only.extend_from_slice(&buffer[..len]);
        }
    }
    let path = temporary("summaries.smf", &only);
    let read = lines(&report(&["--json"], &[path.to_str().unwrap().to_owned()]));
    let grades: Vec<_> = read
        .iter()
        .filter(|l| l["type"] == "service")
        .map(|l| {
            (
                l["port"].as_u64().unwrap(),
                l["grade"].as_str().unwrap(),
                l["connections"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        grades,
        [
            (8080, "none", 1),
            (2222, "classical", 1),
            (25, "classical", 1),
            (4431, "classical", 1),
            (4432, "classical", 1),
            (2222, "hybrid", 1)
        ]
    );
    assert_eq!(read.last().unwrap()["failed"], 2);
    let certificate = read.iter().find(|l| l["type"] == "certificate").unwrap();
    assert!(
        certificate["not_after"]
            .as_str()
            .unwrap()
            .starts_with("2046-11-17T")
    );
}

#[test]
fn files_that_cannot_be_read_are_told_and_the_rest_is_reported() {
    let bad = temporary(
        "not-smf.bin",
        b"neither a capture nor a file of records, but long enough",
    );
    let out = command(&[
        "zert",
        "report",
        "--json",
        bad.to_str().unwrap(),
        &capture("http"),
    ])
    .output()
    .unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out.stderr).contains("not-smf.bin"),
        "{}",
        text(&out.stderr)
    );
    assert_eq!(lines(&out).last().unwrap()["connections"], 1);
    // A file of no records says nothing.
    let empty = temporary("empty.smf", b"");
    let out = lines(&report(&["--json"], &[empty.to_str().unwrap().to_owned()]));
    assert_eq!((out.len(), &out[0]["connections"]), (1, &json!(0)));
    let out = command(&["zert", "report", "no-such-file"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(1));
    let out = command(&["zert", "report", "--json", "--csv", "x"])
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_file_is_not_overwritten_that_is_to_be_read() {
    let bytes = std::fs::read(capture("tls12")).unwrap();
    let file = temporary("both.pcap", &bytes);
    let name = file.to_str().unwrap();
    // The same file by another name.
    let other = format!("{}/./both.pcap", file.parent().unwrap().display());
    for output in [name, &other] {
        let out = command(&["zert", "report", "--smf", output, name])
            .output()
            .unwrap();
        assert_eq!(out.status.code(), Some(2));
        assert!(text(&out.stderr).contains("read and written"));
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_from_its_beginning() {
    // What stands behind a file descriptor of a pipe cannot be looked at and read again.
    let bytes = std::fs::read(capture("tls12")).unwrap();
    let mut command = command(&["zert", "report", "--csv", "/dev/stdin"]);
    let out = common::feed(&mut command, &bytes);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout).lines().count(), 2);
}

#[test]
fn rsa_key_transport_is_in_the_bill_of_materials() {
    // A summary of RFC 5246 TLS_RSA_WITH_AES_128_CBC_SHA: no group tells the key exchange.
    use hostward::zert::Record;
    use hostward::zert::record::{CipherSuite, Protocol, TlsVersion};
    use hostward_cli::inventory::{Inventory, cbom};
    let mut all = Inventory::default();
    for suite in [0x002F, 0x1301, 0x00A8] {
        let mut r = Record::default();
        r.protocol = Protocol::Tls;
        r.established = Some(true);
        r.tls.version = Some(TlsVersion(0x0303));
        r.tls.cipher = Some(CipherSuite(suite));
        all.add(&r, 1);
    }
    let bom = cbom::document(&all);
    assert!(cyclonedx().is_valid(&bom), "{bom:#}");
    let algorithms: Vec<&str> = bom["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["cryptoProperties"]["assetType"] == "algorithm")
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        algorithms,
        ["AES-128-CBC", "AES-128-GCM", "hmac-sha1", "RSA"]
    );
}

#[test]
fn ml_kem_of_ike_is_in_the_bill_of_materials() {
    use hostward::zert::Record;
    use hostward::zert::record::{IkeChosen, IkeSeen, PqClass, Protocol};
    use hostward_cli::inventory::{Inventory, cbom};
    let mut chosen = IkeChosen::default();
    chosen.encr = 20;
    chosen.ke = Some(31);
    chosen.additional[0] = 36;
    let mut seen = IkeSeen::default();
    (seen.major, seen.chosen) = (2, Some(chosen));
    let mut r = Record::default();
    r.protocol = Protocol::Ike;
    r.established = Some(true);
    r.pq = PqClass::Hybrid;
    r.ike = Some(Box::new(seen));
    let mut all = Inventory::default();
    all.add(&r, 1);
    let bom = cbom::document(&all);
    assert!(cyclonedx().is_valid(&bom), "{bom:#}");
    let of = |name: &str| {
        let all = bom["components"].as_array().unwrap();
        let found = all.iter().find(|c| c["name"] == name);
        found.map(|c| c["cryptoProperties"]["algorithmProperties"].clone())
    };
    assert_eq!(
        of("curve25519,ml-kem-768").unwrap()["primitive"],
        "combiner"
    );
    assert_eq!(of("ML-KEM-768").unwrap()["nistQuantumSecurityLevel"], 3);
    assert_eq!(of("x25519").unwrap()["primitive"], "key-agree");
}
