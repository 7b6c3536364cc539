//! `docs/formats/inspect-json.md` and the lines that the command writes say the same: every line has
//! exactly the fields of its table, in that order, of that type, and null only where it may be.
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
use std::fmt;
use std::path::Path;

use common::{capture, captures_below, folder, run, text};
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;

/// A field as the document describes it.
#[derive(Clone, Debug)]
struct Field {
    name: String,
    kind: String,
    never_null: bool,
}

/// The tables of fields, by where they stand.
fn tables() -> BTreeMap<String, Vec<Field>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats/inspect-json.md");
    let document = std::fs::read_to_string(path).unwrap();
    let mut tables: BTreeMap<String, Vec<Field>> = BTreeMap::new();
    let (mut heading, mut parts, mut within) = (String::new(), vec![String::new()], false);
    for line in document.lines() {
        if let Some(title) = line
            .strip_prefix("## ")
            .or_else(|| line.strip_prefix("### "))
        {
            heading = title.trim_matches('`').to_lowercase();
            parts = vec![String::new()];
        } else if line == "| field | type | null | meaning |" {
            within = true;
        } else if within && line.starts_with('|') {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [_, name, kind, null, meaning, _] = cells[..] else {
                panic!("not four cells: {line}");
            };
            if name.starts_with('-') {
                continue;
            }
            assert!(!meaning.is_empty() && !null.is_empty(), "{line}");
            let name = name.strip_prefix('`').and_then(|n| n.strip_suffix('`'));
            for part in &parts {
                tables
                    .entry(format!("{heading}{part}"))
                    .or_default()
                    .push(Field {
                        name: name.unwrap().to_owned(),
                        kind: kind.to_owned(),
                        never_null: null == "never",
                    });
            }
        } else {
            within = false;
            if let Some(protos) = line.strip_prefix("With `proto` ") {
                // Several protocols may share a table.
                parts = protos
                    .split('`')
                    .skip(1)
                    .step_by(2)
                    .map(|p| format!(" {p}"))
                    .collect();
            } else if line == "Then:" {
                parts = vec![" end".into()];
            }
        }
    }
    tables
}

/// The fields that a line must have.
fn fields_of(tables: &BTreeMap<String, Vec<Field>>, kind: &str, proto: &str) -> Vec<Field> {
    let record = || {
        let parts = [
            "zert".to_owned(),
            format!("zert {proto}"),
            "zert end".into(),
        ];
        // `type` is the line's own.
        let fields = parts.iter().filter_map(|p| tables.get(p)).flatten();
        fields.filter(|f| f.name != "type").cloned().collect()
    };
    match kind {
        "zert" => [vec![tables["zert"][0].clone()], record()].concat(),
        "zert_event" => [tables["zert_event"].clone(), record()].concat(),
        other => tables[other].clone(),
    }
}

/// An object with its keys in the order in which they stand, twice if they stand twice.
struct Ordered(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Ordered;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Ordered(all))
            }
        }
        d.deserialize_map(Entries)
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Whether a line is as the document says; else what is wrong.
fn check(tables: &BTreeMap<String, Vec<Field>>, line: &str) -> Result<String, String> {
    let Ordered(entries) = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let get = |name: &str| {
        let value = entries.iter().find(|(n, _)| n == name);
        value.and_then(|(_, v)| v.as_str()).unwrap_or_default()
    };
    let (kind, proto) = (get("type").to_owned(), get("proto").to_owned());
    let wanted = fields_of(tables, &kind, &proto);
    compare(&wanted, entries.iter().map(|(n, v)| (n.as_str(), v)))?;
    for (name, value) in &entries {
        let parts: Vec<&Value> = match value {
            Value::Array(all) if name == "alerts" || name == "rules" => all.iter().collect(),
            Value::Object(_) if name != "dropped" => vec![value],
            _ => vec![],
        };
        let table = match name.as_str() {
            "alerts" | "rules" | "chosen" => name,
            _ => "sides",
        };
        for part in parts {
            // Within these objects serde_json sorts the keys.
            let mut wanted = tables[table].clone();
            wanted.sort_by(|a, b| a.name.cmp(&b.name));
            let entries = part.as_object().unwrap();
            compare(&wanted, entries.iter().map(|(n, v)| (n.as_str(), v)))?;
        }
        if name == "dropped" {
            let all = value.as_object().unwrap();
            if !all
                .iter()
                .all(|(k, v)| k.parse::<u16>().is_ok() && v.is_u64())
            {
                return Err(format!("dropped: {value}"));
            }
        }
    }
    Ok(format!("{kind} {proto}"))
}

fn compare<'v>(
    wanted: &[Field],
    found: impl Iterator<Item = (&'v str, &'v Value)> + Clone,
) -> Result<(), String> {
    let names: Vec<&str> = found.clone().map(|(n, _)| n).collect();
    let documented: Vec<&str> = wanted.iter().map(|f| f.name.as_str()).collect();
    if names != documented {
        return Err(format!("fields {names:?}, documented {documented:?}"));
    }
    for (field, (name, value)) in wanted.iter().zip(found) {
        let kind = type_of(value);
        let good = if value.is_null() {
            !field.never_null
        } else {
            kind == field.kind
        };
        if !good {
            return Err(format!("{name} is {kind}, documented {field:?}"));
        }
    }
    Ok(())
}

#[test]
fn lines_are_as_documented() {
    let tables = tables();
    let mut seen = BTreeSet::new();
    let policy = folder().join("../../examples/policy.conf");
    let mut captures = captures_below(&folder());
    if let Some(corpus) = std::env::var_os("HOSTWARD_CAPTURES") {
        captures.extend(captures_below(Path::new(&corpus)));
    }
    for path in captures {
        let args = ["--json", "--events", "--decisions", path.to_str().unwrap()];
        let plain = text(&run(&args).stdout);
        let decided = [&args[..], &["--policy", policy.to_str().unwrap()]].concat();
        let decided = text(&run(&decided).stdout);
        for line in plain.lines().chain(decided.lines()) {
            match check(&tables, line) {
                Ok(kind) => {
                    seen.insert(kind);
                }
                Err(why) => panic!("{}: {why}\n{line}", path.display()),
            }
        }
    }
    let kinds = [
        "decision ",
        "event ",
        "summary ",
        "zert dtls",
        "zert esp",
        "zert ike",
        "zert none",
        "zert quic",
        "zert ssh",
        "zert tls",
        "zert wireguard",
        "zert_event none",
        "zert_event ssh",
        "zert_event tls",
    ];
    // Other captures may hold more kinds; each was found in a table.
    for kind in kinds {
        assert!(seen.contains(kind), "no `{kind}` in any capture: {seen:?}");
    }
    // No table describes what is never written.
    let described: Vec<&str> = tables.keys().map(String::as_str).collect();
    assert_eq!(
        described,
        [
            "alerts",
            "chosen",
            "decision",
            "event",
            "rules",
            "sides",
            "summary",
            "zert",
            "zert ah",
            "zert dtls",
            "zert end",
            "zert esp",
            "zert ike",
            "zert quic",
            "zert ssh",
            "zert tls",
            "zert_event"
        ]
    );
}

/// What whoever reads the lines may rely on.
#[test]
fn the_fields_that_every_line_has() {
    let tables = tables();
    for (kind, proto, names) in [
        (
            "zert",
            "none",
            "type proto src sport dst dport failed established inferred pq first_packet packets \
             bytes open_at_end",
        ),
        (
            "zert",
            "tls",
            "version cipher group sni server_cert_subject server_cert_not_after \
             server_cert_serial resumed established ja3 ja4 server_cert_sha256 \
             server_cert_chain_len client_cert_requested client_cert_sent client_cert_subject \
             alpn client_hello_max_version client_random early_data_offered ech_extension \
             ssl2_client_hello hello_retry alerts app_data",
        ),
        (
            "zert",
            "ssh",
            "client_version server_version kex host_key_alg cipher_c2s mac_c2s auth_success \
             cipher_s2c mac_s2c compression_c2s mac_implicit_c2s ssh_protocol newkeys hassh \
             hassh_server",
        ),
        ("zert_event", "none", "event ts proto src sport dst dport"),
        (
            "event",
            "",
            "ts packet control code kind src sport dst dport ip_proto rule action",
        ),
        ("decision", "", "packet verdict control rule code"),
        (
            "summary",
            "",
            "packets bytes flows dropped rules elapsed_s cpu_s packets_per_s",
        ),
    ] {
        let fields = fields_of(&tables, kind, proto);
        for name in names.split_whitespace() {
            let found = fields.iter().filter(|f| f.name == name).count();
            assert_eq!(found, 1, "{kind} {proto}: {name}");
        }
    }
}

#[test]
fn the_check_can_fail() {
    let tables = tables();
    let line =
        r#"{"type":"decision","packet":1,"verdict":"drop","control":null,"rule":null,"code":3}"#;
    assert_eq!(check(&tables, line), Ok("decision ".into()));
    for (from, to) in [
        (r#""packet":1,"#, ""),
        (r#""packet":1"#, r#""packet":null"#),
        (r#""packet":1"#, r#""packet":"1""#),
        (r#""code":3"#, r#""code":3,"more":1"#),
        (
            r#""control":null,"rule":null"#,
            r#""rule":null,"control":null"#,
        ),
    ] {
        assert!(check(&tables, &line.replace(from, to)).is_err(), "{to}");
    }
    let output = run(&["--json", &capture("tls-failed")]);
    let zert = text(&output.stdout).lines().next().unwrap().to_owned();
    assert_eq!(check(&tables, &zert), Ok("zert tls".into()));
    for (from, to) in [("\"desc\"", "\"description\""), ("\"client\":", "\"c\":")] {
        assert!(zert.contains(from));
        assert!(check(&tables, &zert.replace(from, to)).is_err());
    }
}
