//! Connections in the formats of others: one line each.
//!
//! [`eve`] is Suricata's EVE JSON: events of type `tls`, `ssh` and `quic` with the keys that a record
//! has values for. [`leef`] is LEEF 1.0 with the keys that z/OS records have there.

use std::io::{self, Write};

use hostward::zert::Record;
use hostward::zert::record::{Protocol, TlsFacts, TlsVersion};
use serde_json::{Map, Value, json};

use crate::escape::acts;
use crate::report::line::Timestamp;

/// Versions as Suricata writes them.
fn version(v: TlsVersion) -> String {
    match v.0 {
        0x0002 => "SSLv2".into(),
        0x0300 => "SSLv3".into(),
        0x0301 => "TLSv1".into(),
        0x0302 => "TLS 1.1".into(),
        0x0303 => "TLS 1.2".into(),
        0x0304 => "TLS 1.3".into(),
        other => format!("0x{other:04x}"),
    }
}

fn put(map: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        map.insert(name.into(), value.into());
    }
}

fn tls(t: &TlsFacts) -> Map<String, Value> {
    let mut map = Map::new();
    let cert = &t.server_cert;
    put(&mut map, "subject", cert.subject.get());
    put(&mut map, "issuerdn", cert.issuer.get());
    let serial = cert.serial.get().map(|s| {
        let pairs: Vec<String> = s
            .as_bytes()
            .chunks(2)
            .map(|p| String::from_utf8_lossy(p).into_owned())
            .collect();
        pairs.join(":")
    });
    put(&mut map, "serial", serial);
    if t.resumed == Some(true) {
        map.insert("session_resumed".into(), true.into());
    }
    put(&mut map, "sni", t.sni.get());
    put(&mut map, "version", t.version.map(version));
    let not_after = cert.not_after.map(|n| n.to_string());
    put(
        &mut map,
        "notafter",
        not_after.map(|n| n.trim_end_matches('Z').to_owned()),
    );
    put(
        &mut map,
        "ja3",
        t.ja3.map(|h| json!({"hash": h.to_string()})),
    );
    put(&mut map, "ja4", t.ja4.map(|j| j.to_string()));
    put(&mut map, "server_alpns", t.alpn.get().map(|a| json!([a])));
    if let Some(subject) = t.client_cert.subject.get() {
        let mut client = Map::new();
        client.insert("subject".into(), subject.into());
        put(&mut client, "issuerdn", t.client_cert.issuer.get());
        map.insert("client".into(), client.into());
    }
    map
}

/// An identification line's parts: protocol version and software.
fn banner(line: Option<&str>) -> Option<(&str, &str)> {
    line?.strip_prefix("SSH-")?.split_once('-')
}

/// Writes a connection as an EVE event, if there is a kind of event for its protocol.
///
/// # Errors
///
/// Those of writing.
pub fn eve(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    let (kind, proto, facts) = match record.protocol {
        Protocol::Tls => ("tls", "TCP", tls(&record.tls)),
        Protocol::Ssh => {
            let s = &record.ssh;
            let mut map = Map::new();
            for (side, line, hassh) in [
                ("client", &s.client_version, s.hassh),
                ("server", &s.server_version, s.hassh_server),
            ] {
                let mut own = Map::new();
                let parts = banner(line.get());
                put(&mut own, "proto_version", parts.map(|p| p.0));
                put(&mut own, "software_version", parts.map(|p| p.1));
                put(
                    &mut own,
                    "hassh",
                    hassh.map(|h| json!({"hash": h.to_string()})),
                );
                map.insert(side.into(), own.into());
            }
            ("ssh", "TCP", map)
        }
        Protocol::Quic => {
            let mut map = Map::new();
            let t = &record.tls;
            put(
                &mut map,
                "version",
                t.quic_version.map(|v| format!("{v:x}")),
            );
            put(&mut map, "sni", t.sni.get());
            put(
                &mut map,
                "ja3",
                t.ja3.map(|h| json!({"hash": h.to_string()})),
            );
            put(&mut map, "ja4", t.ja4.map(|j| j.to_string()));
            ("quic", "UDP", map)
        }
        Protocol::None
        | Protocol::Dtls
        | Protocol::Ike
        | Protocol::Esp
        | Protocol::Ah
        | Protocol::Wireguard
        | Protocol::Ipsec
        | _ => return Ok(()),
    };
    let time = Timestamp(record.opened.wall).to_string();
    let line = json!({
        "timestamp": format!("{}+0000", time.trim_end_matches('Z')),
        "flow_id": record.flow.map_or(0, |f| f.as_u64()),
        "event_type": kind,
        "src_ip": record.client.ip(),
        "src_port": record.client.port(),
        "dest_ip": record.server.ip(),
        "dest_port": record.server.port(),
        "proto": proto,
        kind: facts,
    });
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

/// What would end a value or the line, or what a terminal would act upon, becomes a blank: events are
/// read as lines, also by people.
fn plain(text: &str) -> String {
    text.replace(acts, " ")
}

/// A name in quotes. Whoever chose it must not end them and begin a name of its own.
fn quoted(what: &str, name: &str) -> String {
    let name = name.replace('\\', "\\\\").replace('\'', "\\'");
    format!("{what}:'{name}'")
}

/// A cipher of a suite as algorithm, length of the key and mode; each but the first may be missing.
fn cipher(name: &'static str) -> (&'static str, Option<&'static str>, Option<&'static str>) {
    // Two algorithms, and no mode.
    if name.starts_with("ChaCha20") {
        return (name, Some("256"), None);
    }
    let Some((algorithm, rest)) = name.split_once('-') else {
        return (name, None, None);
    };
    let (bits, mode) = match rest.split_once('-') {
        Some((bits, mode)) if is_number(bits) => (Some(bits), Some(mode)),
        _ if is_number(rest) => (Some(rest), None),
        _ => (None, Some(rest)),
    };
    (algorithm, bits, mode)
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// Writes a connection as a LEEF event: header, then keys and values separated by tabs.
///
/// # Errors
///
/// Those of writing.
pub fn leef(record: &Record, out: &mut dyn Write) -> io::Result<()> {
    let mut fields: Vec<(&str, String)> = vec![
        ("devTime", Timestamp(record.last.wall).to_string()),
        ("devTimeFormat", "yyyy-MM-dd'T'HH:mm:ss.SSSSSS'Z'".into()),
        (
            "IPproto",
            hostward::zert::aggregate::ip_protocol(record).to_string(),
        ),
        ("src", record.client.ip().to_string()),
        ("srcPort", record.client.port().to_string()),
        ("dst", record.server.ip().to_string()),
        ("dstPort", record.server.port().to_string()),
    ];
    let (from_client, from_server) = {
        let t = record.traffic;
        let (sent, received) = ((t.out_bytes, t.out_packets), (t.in_bytes, t.in_packets));
        if record.local_is_client {
            (sent, received)
        } else {
            (received, sent)
        }
    };
    fields.push(("srcBytes", from_client.0.to_string()));
    fields.push(("dstBytes", from_server.0.to_string()));
    fields.push(("srcPackets", from_client.1.to_string()));
    fields.push(("dstPackets", from_server.1.to_string()));
    let t = &record.tls;
    if record.protocol == Protocol::Tls {
        if let Some(v) = t.version {
            fields.push(("tlsProtVer", v.to_string()));
        }
        if let Some(c) = t.cipher {
            fields.push(("tlsNegCipher", format!("{:04X}", c.0)));
            if let Some(suite) = c.suite() {
                let (algorithm, bits, mode) = cipher(suite.cipher);
                let parts = [("tlskeylen", bits), ("tlschn", mode)];
                fields.push(("tlsalg", algorithm.into()));
                fields.extend(parts.iter().filter_map(|(k, v)| Some((*k, (*v)?.into()))));
                fields.push(("tlsKexAlg", suite.key_exchange.replace('_', "-")));
                fields.push(("tlsMsgAuth", suite.mac.into()));
            }
        }
        let names: Vec<String> = [
            ("TLS_server_subject", &t.server_cert.subject),
            ("TLS_server_issuer", &t.server_cert.issuer),
            ("TLS_client_subject", &t.client_cert.subject),
            ("TLS_client_issuer", &t.client_cert.issuer),
        ]
        .iter()
        .filter_map(|(what, name)| Some(quoted(what, name.get()?)))
        .collect();
        if !names.is_empty() {
            fields.push(("dn", names.join(" ")));
        }
    }
    let protection = super::Protection::of(record);
    fields.push(("sum", protection.words()));
    let fields: Vec<String> = fields
        .iter()
        .map(|(key, value)| format!("{key}={}", plain(value)))
        .collect();
    let product = env!("CARGO_PKG_VERSION");
    writeln!(
        out,
        "LEEF:1.0|hostward|hostward|{product}|119-11|{}",
        fields.join("\t")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_are_taken_apart() {
        for (name, parts) in [
            ("AES-256-GCM", ("AES", Some("256"), Some("GCM"))),
            ("AES-128-CCM-8", ("AES", Some("128"), Some("CCM-8"))),
            ("RC4-128", ("RC4", Some("128"), None)),
            ("NULL", ("NULL", None, None)),
            (
                "ChaCha20-Poly1305",
                ("ChaCha20-Poly1305", Some("256"), None),
            ),
        ] {
            assert_eq!(cipher(name), parts);
        }
        // Nothing else stands where a length is expected.
        for suite in hostward::zert::SUITES {
            let (_, bits, mode) = cipher(suite.cipher);
            assert!(bits.is_none_or(is_number), "{}", suite.cipher);
            assert!(mode.is_none_or(|m| !is_number(m)), "{}", suite.cipher);
        }
    }

    #[test]
    fn what_a_peer_chose_stays_in_its_field() {
        let mut r = Record::default();
        r.protocol = Protocol::Tls;
        r.tls.server_cert.subject = "CN=a' TLS_server_issuer:'CN=Root\\\tsum=x\r\n\u{1b}[2J".into();
        let mut out = Vec::new();
        assert!(leef(&r, &mut out).is_ok());
        let out = String::from_utf8_lossy(&out);
        let line = out.trim_end_matches('\n');
        assert!(!line.contains(|c: char| c != '\t' && acts(c)), "{line:?}");
        let dn = line.split('\t').find(|f| f.starts_with("dn="));
        let wanted = "dn=TLS_server_subject:'CN=a\\' TLS_server_issuer:\\'CN=Root\\\\ sum=x   [2J'";
        assert_eq!(dn, Some(wanted));
        assert_eq!(
            line.split('\t').filter(|f| f.starts_with("sum=")).count(),
            1
        );
    }
}
