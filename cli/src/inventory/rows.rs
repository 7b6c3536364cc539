//! The inventory as JSON lines and as CSV.
//!
//! Serialized, a row is one JSON object with a `type`; `docs/formats/zert-report.schema.json` in the
//! repository is its schema.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use super::{Grade, Inventory, State};
use crate::escape::escaped;
use crate::report::line::Timestamp;

/// A line of the report.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Row<'a> {
    Service(Box<Service<'a>>),
    Failure(Failure<'a>),
    Certificate(Box<Certificate<'a>>),
    Summary(Summary),
}

/// A service and one of its protections.
#[derive(Debug, Serialize)]
struct Service<'a> {
    server: IpAddr,
    port: u16,
    transport: &'static str,
    grade: Grade,
    quantum_safe: Option<bool>,
    protocol: &'static str,
    state: &'static str,
    version: Option<&'a str>,
    cipher: Option<&'a str>,
    mac: Option<&'a str>,
    key_exchange: Option<&'a str>,
    ipsec: bool,
    source: &'static str,
    reasons: &'a [&'static str],
    names: Vec<&'a str>,
    clients: Vec<IpAddr>,
    connections: u64,
    bytes: u64,
    first: Timestamp,
    last: Timestamp,
}

/// Handshakes of a service that failed.
#[derive(Debug, Serialize)]
struct Failure<'a> {
    server: IpAddr,
    port: u16,
    transport: &'static str,
    protocol: &'static str,
    version: Option<&'a str>,
    cipher: Option<&'a str>,
    alerts: Vec<&'a str>,
    names: Vec<&'a str>,
    clients: Vec<IpAddr>,
    connections: u64,
    first: Timestamp,
    last: Timestamp,
}

/// A certificate.
#[derive(Debug, Serialize)]
struct Certificate<'a> {
    subject: Option<&'a str>,
    issuer: Option<&'a str>,
    serial: Option<&'a str>,
    not_after: Option<String>,
    days_left: Option<i64>,
    expiring: bool,
    sha256: Option<&'a str>,
    signature: Option<&'a str>,
    key: Option<&'a str>,
    key_bits: Option<u16>,
    is_client: bool,
    places: Vec<String>,
    connections: u64,
}

/// The last line.
#[derive(Debug, Serialize)]
struct Summary {
    connections: u64,
    grades: BTreeMap<&'static str, u64>,
    failed: u64,
    left_out: u64,
    first: Option<Timestamp>,
    last: Timestamp,
}

const fn state_name(state: State) -> &'static str {
    match state {
        State::Clear => "clear",
        State::Established => "established",
        State::Failed => "failed",
        State::Unfinished => "unfinished",
    }
}

/// Writes the report as JSON lines: services worst first, failures, certificates, a summary.
///
/// # Errors
///
/// Those of writing.
pub fn json(all: &Inventory, days: u32, out: &mut dyn Write) -> io::Result<()> {
    let mut line = |row: &Row<'_>| {
        serde_json::to_writer(&mut *out, row)?;
        writeln!(out)
    };
    let texts = |set: &'_ std::collections::BTreeSet<String>| -> Vec<String> {
        set.iter().cloned().collect()
    };
    for ((p, place), t) in &all.services {
        if p.state == State::Failed {
            continue;
        }
        let names = texts(&t.names);
        line(&Row::Service(Box::new(Service {
            server: place.server,
            port: place.port,
            transport: place.transport_name(),
            grade: p.grade,
            quantum_safe: p.quantum_safe,
            protocol: p.protocol,
            state: state_name(p.state),
            version: p.version.as_deref(),
            cipher: p.cipher.as_deref(),
            mac: p.mac.as_deref(),
            key_exchange: p.key_exchange.as_deref(),
            ipsec: p.ipsec,
            source: p.source,
            reasons: &p.reasons,
            names: names.iter().map(String::as_str).collect(),
            clients: t.clients.iter().copied().collect(),
            connections: t.connections,
            bytes: t.bytes,
            first: Timestamp(t.first),
            last: Timestamp(t.last),
        })))?;
    }
    for ((p, place), t) in &all.services {
        if p.state != State::Failed {
            continue;
        }
        line(&Row::Failure(Failure {
            server: place.server,
            port: place.port,
            transport: place.transport_name(),
            protocol: p.protocol,
            version: p.version.as_deref(),
            cipher: p.cipher.as_deref(),
            alerts: t.alerts.iter().map(String::as_str).collect(),
            names: t.names.iter().map(String::as_str).collect(),
            clients: t.clients.iter().copied().collect(),
            connections: t.connections,
            first: Timestamp(t.first),
            last: Timestamp(t.last),
        }))?;
    }
    for c in all.certificates.values() {
        let left = all.days_left(c);
        line(&Row::Certificate(Box::new(Certificate {
            subject: c.subject.as_deref(),
            issuer: c.issuer.as_deref(),
            serial: c.serial.as_deref(),
            not_after: c.not_after.map(|t| t.to_string()),
            days_left: left,
            expiring: left.is_some_and(|l| l <= i64::from(days)),
            sha256: c.sha256.as_deref(),
            signature: c.signature.as_deref(),
            key: c.key.as_deref(),
            key_bits: (c.key_bits > 0).then_some(c.key_bits),
            is_client: c.is_client,
            places: c.places.iter().map(ToString::to_string).collect(),
            connections: c.connections,
        })))?;
    }
    let (grades, failed) = all.by_grade();
    line(&Row::Summary(Summary {
        connections: all.connections,
        grades: Grade::ALL
            .iter()
            .map(|g| (g.name(), grades.get(g).copied().unwrap_or(0)))
            .collect(),
        failed,
        left_out: all.left_out,
        first: all.first.map(Timestamp),
        last: Timestamp(all.last),
    }))
}

const HEAD: &str = "grade,quantum_safe,server,port,transport,protocol,state,version,cipher,mac,\
                    key_exchange,ipsec,source,reasons,names,connections,bytes,first,last";

/// Writes the services as CSV (RFC 4180) with a line of names, worst first, failed handshakes among
/// them.
///
/// # Errors
///
/// Those of writing.
pub fn csv(all: &Inventory, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{HEAD}\r\n")?;
    for ((p, place), t) in &all.services {
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let names: Vec<&str> = t.names.iter().map(String::as_str).collect();
        let safe = match p.quantum_safe {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        let fields = [
            p.grade.name().to_owned(),
            safe.to_owned(),
            place.server.to_string(),
            place.port.to_string(),
            place.transport_name().to_owned(),
            p.protocol.to_owned(),
            state_name(p.state).to_owned(),
            text(&p.version),
            text(&p.cipher),
            text(&p.mac),
            text(&p.key_exchange),
            p.ipsec.to_string(),
            p.source.to_owned(),
            p.reasons.join("; "),
            names.join(" "),
            t.connections.to_string(),
            t.bytes.to_string(),
            Timestamp(t.first).to_string(),
            Timestamp(t.last).to_string(),
        ];
        let quoted: Vec<String> = fields.iter().map(|f| quoted(f)).collect();
        write!(out, "{}\r\n", quoted.join(","))?;
    }
    Ok(())
}

/// RFC 4180 §2: quoted where it must be. What a peer chose must not become a formula in a
/// spreadsheet either, nor act upon a terminal.
fn quoted(field: &str) -> String {
    let field = escaped(field);
    let formula = field.starts_with(['=', '+', '-', '@']);
    let text = if formula {
        format!("'{field}")
    } else {
        field.into_owned()
    };
    if text.contains([',', '"']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    // RFC 4180 §2: commas, quotes and line ends stand in quotes, quotes doubled.
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(
            quoted("a\x1b[2J\r\n\t=1"),
            "a\\u{1b}[2J\\u{d}\\u{a}\\u{9}=1"
        );
    }
}
