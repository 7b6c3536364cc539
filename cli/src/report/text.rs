//! A report to read: who talked to whom, how it was protected, what was dropped and why, what
//! was detected.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

use hostward::zert::record::PqClass;
use hostward::zert::{Field, Protocol, Record};
use hostward_hook::event::Value;

use super::line::{DecisionLine, EventLine, RuleLine, SummaryLine, Timestamp, ZertEventLine};
use super::{InputFacts, Output};
use crate::escape::escaped;

/// Rows kept of each table; what comes beyond is counted in one sum.
const MAX_KEPT: usize = 20_000;
/// Rows shown of each table.
const MAX_SHOWN: usize = 40;
/// Characters shown of one text from the network.
const MAX_TEXT: usize = 60;
/// Tables are not made narrower: a narrower terminal breaks their lines.
const MIN_WIDTH: u16 = 80;
/// How far columns of text give way when a table is wider than the terminal.
const ELASTIC_WIDTH: u16 = 16;

/// What a code means, if anyone knows.
pub type Meaning = fn(u16) -> Option<&'static str>;

/// Collects lines and writes tables at the end. Events and decisions are written as they come if
/// the user asked for them.
pub struct TextReport<W> {
    out: W,
    events: bool,
    decisions: bool,
    width: Option<u16>,
    meaning: Meaning,
    connections: Bounded<Connection, Traffic>,
    protection: BTreeMap<String, Traffic>,
    detected: Bounded<(String, Option<IpAddr>), Seen>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Connection {
    client: IpAddr,
    server: IpAddr,
    port: u16,
    protection: String,
    name: String,
}

#[derive(Clone, Copy, Default)]
struct Traffic {
    sessions: u64,
    failed: u64,
    packets: u64,
    bytes: u64,
}

impl Traffic {
    fn add(&mut self, record: &Record) {
        self.sessions += 1;
        self.failed += u64::from(record.failed);
        self.packets = self.packets.saturating_add(record.packets);
        self.bytes = self.bytes.saturating_add(record.bytes);
    }
}

#[derive(Clone, Copy, Default)]
struct Seen {
    times: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Seen {
    fn add(&mut self, at: Timestamp) {
        if self.times == 0 {
            self.first = at;
        }
        self.times += 1;
        self.last = at;
    }
}

/// A map that takes no new key once it is full; those go to `others` together.
struct Bounded<K, V> {
    map: BTreeMap<K, V>,
    others: V,
    refused: u64,
}

impl<K, V: Default> Default for Bounded<K, V> {
    fn default() -> Self {
        Self {
            map: BTreeMap::new(),
            others: V::default(),
            refused: 0,
        }
    }
}

impl<K: Ord, V: Default> Bounded<K, V> {
    fn entry(&mut self, key: K) -> &mut V {
        if self.map.len() >= MAX_KEPT && !self.map.contains_key(&key) {
            self.refused += 1;
            return &mut self.others;
        }
        self.map.entry(key).or_default()
    }
}

impl<W: Write> TextReport<W> {
    /// Writes to `out`, with lines for events and decisions on demand. `width` is that of the
    /// terminal, if there is one.
    pub fn new(
        out: W,
        events: bool,
        decisions: bool,
        width: Option<u16>,
        meaning: Meaning,
    ) -> Self {
        Self {
            out,
            events,
            decisions,
            width,
            meaning,
            connections: Bounded::default(),
            protection: BTreeMap::new(),
            detected: Bounded::default(),
        }
    }

    fn table(&self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(header.iter().copied());
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width.max(MIN_WIDTH));
        }
        table
    }

    fn print(
        &mut self,
        title: &str,
        mut table: Table,
        elastic: std::ops::Range<usize>,
        numbers: std::ops::RangeFrom<usize>,
        left_out: usize,
    ) -> io::Result<()> {
        let widths = table.column_max_content_widths();
        for (i, (column, width)) in table.column_iter_mut().zip(widths).enumerate() {
            if numbers.contains(&i) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            column.set_constraint(if elastic.contains(&i) {
                ColumnConstraint::LowerBoundary(Width::Fixed(width.min(ELASTIC_WIDTH)))
            } else {
                ColumnConstraint::ContentWidth
            });
        }
        writeln!(self.out, "{title}\n{table}")?;
        if left_out > 0 {
            writeln!(
                self.out,
                "… and {left_out} more rows (all of them with --json)"
            )?;
        }
        writeln!(self.out)
    }

    fn print_connections(&mut self) -> io::Result<()> {
        let kept = std::mem::take(&mut self.connections);
        if kept.map.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<(Connection, Traffic)> = kept.map.into_iter().collect();
        rows.sort_by_key(|(_, traffic)| std::cmp::Reverse(traffic.bytes));
        let mut table = self.table(&[
            "Client",
            "Server",
            "Port",
            "Protection",
            "Name",
            "Sessions",
            "Failed",
            "Packets",
            "Bytes",
        ]);
        let left_out = rows.len().saturating_sub(MAX_SHOWN);
        for (connection, traffic) in rows.iter().take(MAX_SHOWN) {
            table.add_row([
                connection.client.to_string(),
                connection.server.to_string(),
                connection.port.to_string(),
                connection.protection.clone(),
                connection.name.clone(),
                traffic.sessions.to_string(),
                traffic.failed.to_string(),
                traffic.packets.to_string(),
                traffic.bytes.to_string(),
            ]);
        }
        if kept.refused > 0 {
            let t = kept.others;
            table.add_row([
                "others".into(),
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                t.sessions.to_string(),
                t.failed.to_string(),
                t.packets.to_string(),
                t.bytes.to_string(),
            ]);
        }
        self.print("Who talked to whom", table, 3..5, 5.., left_out)
    }

    fn print_protection(&mut self) -> io::Result<()> {
        let kept = std::mem::take(&mut self.protection);
        if kept.is_empty() {
            return Ok(());
        }
        let mut table = self.table(&["Protection", "Sessions", "Failed", "Packets", "Bytes"]);
        for (name, t) in &kept {
            table.add_row([
                name.clone(),
                t.sessions.to_string(),
                t.failed.to_string(),
                t.packets.to_string(),
                t.bytes.to_string(),
            ]);
        }
        self.print("How it was protected", table, 0..1, 1.., 0)
    }

    fn print_dropped(&mut self, dropped: &BTreeMap<u16, u64>) -> io::Result<()> {
        if dropped.is_empty() {
            return Ok(());
        }
        let mut table = self.table(&["Reason", "Code", "Packets"]);
        for (&code, count) in dropped {
            let meaning = (self.meaning)(code).unwrap_or("unknown");
            table.add_row([meaning.to_owned(), code.to_string(), count.to_string()]);
        }
        // The guard of this command only observes.
        self.print("What would be dropped", table, 0..1, 1.., 0)
    }

    /// What the rules of the policy decided, in their order; of too many, those that decided most.
    fn print_rules(&mut self, rules: &[RuleLine]) -> io::Result<()> {
        let mut hit: Vec<(usize, &RuleLine)> = rules
            .iter()
            .enumerate()
            .filter(|(_, r)| r.packets > 0)
            .collect();
        let left_out = hit.len().saturating_sub(MAX_SHOWN);
        hit.sort_by_key(|(_, r)| std::cmp::Reverse(r.packets));
        hit.truncate(MAX_SHOWN);
        hit.sort_by_key(|(at, _)| *at);
        let mut table = self.table(&[
            "Rule",
            "Group",
            "Where",
            "Action",
            "Permitted",
            "Bytes",
            "Denied",
            "Bytes",
        ]);
        let last = rules.len().saturating_sub(1);
        for (at, rule) in hit {
            let place = rule.file.as_deref().zip(rule.line);
            table.add_row([
                rule_name(rule, at == last),
                rule.group.as_deref().map_or_else(String::new, shown),
                place.map_or_else(String::new, |(file, line)| {
                    format!("{}:{line}", shown(file))
                }),
                rule.action.into(),
                (rule.packets - rule.denied_packets).to_string(),
                (rule.bytes - rule.denied_bytes).to_string(),
                rule.denied_packets.to_string(),
                rule.denied_bytes.to_string(),
            ]);
        }
        self.print("What the policy decided", table, 0..3, 4.., left_out)?;
        let unused: Vec<String> = rules
            .iter()
            .enumerate()
            .filter(|(at, r)| r.packets == 0 && *at != last)
            .map(|(_, r)| rule_name(r, false))
            .collect();
        if unused.is_empty() {
            return Ok(());
        }
        let more = match unused.len().saturating_sub(MAX_SHOWN) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let names = unused.iter().take(MAX_SHOWN).cloned().collect::<Vec<_>>();
        let names = names.join(", ");
        writeln!(self.out, "Rules that decided no packet: {names}{more}\n")
    }

    fn print_detected(&mut self) -> io::Result<()> {
        let kept = std::mem::take(&mut self.detected);
        if kept.map.is_empty() {
            return Ok(());
        }
        let mut rows: Vec<_> = kept.map.into_iter().collect();
        rows.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.times));
        let left_out = rows.len().saturating_sub(MAX_SHOWN);
        let mut table = self.table(&["What", "From", "First", "Last", "Times"]);
        for ((kind, source), seen) in rows.into_iter().take(MAX_SHOWN) {
            table.add_row([
                kind,
                source.map_or_else(String::new, |s| s.to_string()),
                seen.first.to_string(),
                seen.last.to_string(),
                seen.times.to_string(),
            ]);
        }
        if kept.refused > 0 {
            table.add_row([
                "others".into(),
                String::new(),
                kept.others.first.to_string(),
                kept.others.last.to_string(),
                kept.others.times.to_string(),
            ]);
        }
        self.print("What was detected", table, 0..1, 4.., left_out)
    }

    fn print_input(&mut self, summary: &SummaryLine, input: &InputFacts) -> io::Result<()> {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = writeln!(
            text,
            "{} frames, {} IP packets, {} bytes, {} flows",
            input.frames, summary.packets, summary.bytes, summary.flows
        );
        if let Some(local) = &input.local {
            let _ = writeln!(text, "Local side: {local}");
        }
        if input.not_ip > 0 {
            let _ = writeln!(text, "Frames of other protocols than IP: {}", input.not_ip);
        }
        if input.unreadable > 0 {
            let _ = writeln!(
                text,
                "Frames whose link header was cut off, encrypted or in parts: {}",
                input.unreadable
            );
        }
        for (link, frames) in &input.unknown_links {
            let _ = writeln!(text, "Frames of unsupported link type {}: {frames}", link.0);
        }
        if input.truncated > 0 {
            let _ = writeln!(
                text,
                "Packets of which the capture has only the beginning: {}",
                input.truncated
            );
        }
        for (kind, packets) in &input.tunnels {
            let _ = writeln!(text, "Packets in {} tunnels: {packets}", kind.name());
        }
        let _ = write!(text, "Took {:.3} s", summary.elapsed_s);
        if let Some(cpu) = summary.cpu_s {
            let _ = write!(text, ", {cpu:.3} s of processor time");
        }
        if let Some(rate) = summary.packets_per_s.filter(|_| summary.packets > 0) {
            let _ = write!(text, ", {rate:.0} packets a second");
        }
        writeln!(self.out, "{text}")
    }
}

impl<W: Write> Output for TextReport<W> {
    fn wants_decisions(&self) -> bool {
        self.decisions
    }

    fn wants_events(&self) -> bool {
        self.events
    }

    fn zert(&mut self, record: &Record) -> io::Result<()> {
        let key = Connection {
            client: record.client.ip(),
            server: record.server.ip(),
            port: record.server.port(),
            protection: protection(record),
            name: name(record),
        };
        self.connections.entry(key).add(record);
        self.protection
            .entry(family(record))
            .or_default()
            .add(record);
        Ok(())
    }

    fn zert_event(&mut self, line: &ZertEventLine<'_>) -> io::Result<()> {
        if !self.events {
            return Ok(());
        }
        let record = line.session.0;
        writeln!(
            self.out,
            "{} session event {}: {} to {}: {}",
            line.ts,
            line.event,
            record.client,
            record.server,
            protection(record)
        )
    }

    fn event(&mut self, line: &EventLine) -> io::Result<()> {
        let kind = shown(&line.kind);
        if !kind.starts_with("filter.") {
            self.detected.entry((kind.clone(), line.src)).add(line.ts);
        }
        if !self.events {
            return Ok(());
        }
        write!(self.out, "{} ", line.ts)?;
        if let Some(packet) = line.packet {
            write!(self.out, "packet {packet} ")?;
        }
        write!(self.out, "{kind} ({})", line.code)?;
        if let Some(src) = line.src {
            write!(self.out, " from {}", endpoint(src, line.sport))?;
        }
        if let Some(dst) = line.dst {
            write!(self.out, " to {}", endpoint(dst, line.dport))?;
        }
        if let Some(rule) = &line.rule {
            write!(self.out, ", rule {}", shown(rule))?;
        }
        if let Some(action) = &line.action {
            write!(self.out, ", {}", shown(action))?;
        }
        writeln!(self.out)
    }

    fn decision(&mut self, line: &DecisionLine) -> io::Result<()> {
        if !self.decisions {
            return Ok(());
        }
        write!(self.out, "packet {} {}", line.packet, line.verdict)?;
        if let Some(code) = line.code {
            let meaning = (self.meaning)(code).unwrap_or("unknown");
            write!(self.out, " ({code} {meaning})")?;
        }
        if let Some(control) = line.control {
            write!(self.out, " by {control}")?;
        }
        if let Some(rule) = &line.rule {
            write!(self.out, ", rule {}", shown(rule))?;
        }
        writeln!(self.out)
    }

    fn summary(&mut self, line: &SummaryLine, input: &InputFacts) -> io::Result<()> {
        if self.events || self.decisions {
            writeln!(self.out)?;
        }
        self.print_connections()?;
        self.print_protection()?;
        if let Some(rules) = &line.rules {
            self.print_rules(rules)?;
        }
        self.print_dropped(&line.dropped)?;
        self.print_detected()?;
        self.print_input(line, input)?;
        self.out.flush()
    }
}

fn endpoint(address: IpAddr, port: Option<u16>) -> String {
    port.map_or_else(
        || address.to_string(),
        |port| SocketAddr::new(address, port).to_string(),
    )
}

fn rule_name(rule: &RuleLine, implied: bool) -> String {
    match &rule.name {
        Some(name) => shown(name),
        None if implied => "(no rule: implied deny)".into(),
        None => String::new(),
    }
}

/// A text from the network, fit for a terminal and not too long.
fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_TEXT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    escaped(&short).into_owned()
}

/// The protocol and its version.
fn family(record: &Record) -> String {
    let mut text = match record.protocol {
        Protocol::Tls => record
            .tls
            .version
            .map_or_else(|| "TLS".into(), |v| v.to_string()),
        Protocol::Dtls => record
            .tls
            .version
            .map_or_else(|| "DTLS".into(), |v| v.to_string()),
        Protocol::Quic => match record.tls.quic_version {
            Some(1) => "QUICv1".into(),
            Some(0x6B33_43CF) => "QUICv2".into(),
            Some(v) => format!("QUIC({v:#010x})"),
            None => "QUIC".into(),
        },
        Protocol::Ike => match &record.ike {
            Some(ike) => format!("IKEv{}", ike.major),
            None => "IKE".into(),
        },
        Protocol::Esp => "ESP".into(),
        Protocol::Ah => "AH".into(),
        Protocol::Wireguard => "WireGuard".into(),
        Protocol::Ipsec => "IPsec".into(),
        Protocol::Ssh => match record.ssh.protocol {
            Some(version) => format!("SSH-{version}"),
            None => "SSH".into(),
        },
        other @ (Protocol::None | _) => other.name().into(),
    };
    if matches!(record.pq, PqClass::Hybrid | PqClass::Pq) {
        text += ", post-quantum";
    }
    text
}

/// The protocol, its version and algorithms.
fn protection(record: &Record) -> String {
    let mut text = family(record);
    let mut add = |part: &str| {
        text.push(' ');
        text.push_str(&shown(part));
    };
    match record.protocol {
        Protocol::Tls | Protocol::Dtls | Protocol::Quic => {
            let tls = &record.tls;
            tls.cipher.iter().for_each(|c| add(&c.to_string()));
            tls.group.iter().for_each(|g| add(&g.to_string()));
            if tls.resumed == Some(true) {
                add("resumed");
            }
        }
        Protocol::Ssh => {
            let ssh = &record.ssh;
            ssh.kex.get().iter().for_each(|k| add(k));
            ssh.c2s.cipher.get().iter().for_each(|c| add(c));
            if ssh.c2s.mac_implicit() == Some(false) {
                ssh.c2s.mac.get().iter().for_each(|m| add(m));
            }
        }
        Protocol::Ike => {
            // The names are the record's own.
            record.fields(&mut |name, field| {
                if let ("chosen", Field::Group(chosen)) = (name, field) {
                    let of = |name| chosen.iter().find(|(n, _)| *n == name)?.1;
                    for name in [
                        "encr",
                        "key_length",
                        "prf",
                        "hash",
                        "integ",
                        "dh",
                        "additional",
                    ] {
                        match of(name) {
                            Some(Value::Str(s)) => add(s),
                            Some(Value::U64(n)) => add(&n.to_string()),
                            _ => {}
                        }
                    }
                }
            });
        }
        Protocol::None | _ => {}
    }
    text
}

/// What the server is called.
fn name(record: &Record) -> String {
    let name = match record.protocol {
        Protocol::Tls | Protocol::Dtls | Protocol::Quic => {
            let tls = &record.tls;
            tls.sni.get().or_else(|| tls.server_cert.subject.get())
        }
        Protocol::Ssh => record.ssh.server_version.get(),
        Protocol::None | _ => None,
    };
    name.map_or_else(String::new, shown)
}

#[cfg(test)]
mod tests {
    use super::super::line::ZertLine;
    use super::*;
    use hostward::zert::record::{CipherSuite, Group, TlsVersion};
    use hostward_hook::time::UnixTime;

    fn record(protocol: Protocol, n: u32) -> Record {
        let mut r = Record::default();
        r.protocol = protocol;
        let client = IpAddr::from((0x0a00_0000 + n).to_be_bytes());
        r.client = SocketAddr::new(client, 40_000);
        r.server = "10.77.0.2:443".parse().unwrap();
        r.packets = 10;
        r.bytes = 1_000 + u64::from(n);
        r
    }

    fn tls() -> Record {
        let mut r = record(Protocol::Tls, 1);
        r.tls.version = Some(TlsVersion(0x0303));
        r.tls.cipher = Some(CipherSuite(0x009C));
        r.tls.sni = "evil\u{1b}]0;name\u{7}".into();
        r.tls.resumed = Some(true);
        r
    }

    fn ssh() -> Record {
        let mut r = record(Protocol::Ssh, 2);
        r.ssh.protocol = Some(2);
        r.ssh.server_version = "SSH-2.0-x".into();
        r.ssh.kex = "curve25519-sha256".into();
        r
    }

    fn event(kind: &str, n: u8) -> EventLine {
        EventLine {
            ts: Timestamp(UnixTime::from_secs(n.into())),
            packet: Some(n.into()),
            control: Some("ids"),
            code: 3_001,
            kind: kind.into(),
            src: Some(IpAddr::from([192, 0, 2, n % 2])),
            sport: Some(1),
            dst: Some("2001:db8::1".parse().unwrap()),
            dport: Some(2),
            ip_proto: Some(6),
            rule: Some("a\nb".into()),
            action: None,
        }
    }

    fn render(feed: impl Fn(&mut TextReport<&mut Vec<u8>>), events: bool) -> String {
        render_at(None, feed, events)
    }

    fn render_at(
        width: Option<u16>,
        feed: impl Fn(&mut TextReport<&mut Vec<u8>>),
        events: bool,
    ) -> String {
        let mut out = Vec::new();
        let meaning: Meaning = |code| (code == 2_001).then_some("no rule permits it");
        let mut report = TextReport::new(&mut out, events, events, width, meaning);
        feed(&mut report);
        let summary = SummaryLine {
            packets: 30,
            dropped: [(2_001, 7), (2_002, 1)].into(),
            ..SummaryLine::default()
        };
        let input = InputFacts {
            frames: 33,
            local: Some("10.77.0.2 (named)".into()),
            not_ip: 3,
            ..InputFacts::default()
        };
        report.summary(&summary, &input).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// The cells of the row that has this text.
    fn row<'t>(text: &'t str, has: &str) -> Vec<&'t str> {
        let line = text.lines().find(|l| l.contains(has)).unwrap();
        line.split("  ")
            .map(str::trim)
            .filter(|c| !c.is_empty())
            .collect()
    }

    #[test]
    fn the_report_tells_who_how_what_and_why() {
        let text = render(
            |r| {
                r.zert(&tls()).unwrap();
                r.zert(&tls()).unwrap();
                r.zert(&ssh()).unwrap();
                let mut failed = record(Protocol::None, 4);
                failed.failed = true;
                r.zert(&failed).unwrap();
                for n in 0..5 {
                    r.event(&event("scan.fast", n)).unwrap();
                }
                r.event(&event("filter.deny", 1)).unwrap();
            },
            false,
        );
        assert_eq!(
            row(&text, "10.0.0.1"),
            [
                "10.0.0.1",
                "10.77.0.2",
                "443",
                "TLSv1.2 TLS_RSA_WITH_AES_128_GCM_SHA256 resumed",
                "evil\\u{1b}]0;name\\u{7}",
                "2",
                "0",
                "20",
                "2002"
            ]
        );
        assert!(text.contains("SSH-2 curve25519-sha256"));
        let (_, protection) = text.split_once("How it was protected").unwrap();
        assert_eq!(row(protection, "none"), ["none", "1", "1", "10", "1004"]);
        assert_eq!(
            row(&text, "no rule permits it"),
            ["no rule permits it", "2001", "7"]
        );
        assert_eq!(row(&text, "2002  "), row(&text, "unknown"));
        assert_eq!(
            row(&text, "192.0.2.0"),
            [
                "scan.fast",
                "192.0.2.0",
                "1970-01-01T00:00:00.000000Z",
                "1970-01-01T00:00:04.000000Z",
                "3"
            ]
        );
        assert!(
            !text.contains("filter.deny"),
            "decisions are not detections"
        );
        assert!(text.contains("33 frames, 30 IP packets"));
        assert!(text.contains("Local side: 10.77.0.2 (named)"));
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    }

    #[test]
    fn algorithms_are_told_as_far_as_they_are_used() {
        let mut r = ssh();
        r.ssh.c2s.cipher = "aes128-ctr".into();
        r.ssh.c2s.mac = "hmac-sha2-256".into();
        assert_eq!(
            protection(&r),
            "SSH-2 curve25519-sha256 aes128-ctr hmac-sha2-256"
        );
        r.ssh.c2s.cipher = "chacha20-poly1305@openssh.com".into();
        r.pq = PqClass::Hybrid;
        assert_eq!(
            protection(&r),
            "SSH-2, post-quantum curve25519-sha256 chacha20-poly1305@openssh.com"
        );
        let mut r = tls();
        r.tls.group = Some(Group::Named(29));
        r.tls.resumed = None;
        assert_eq!(
            protection(&r),
            "TLSv1.2 TLS_RSA_WITH_AES_128_GCM_SHA256 x25519"
        );
        r.tls.version = None;
        assert_eq!(family(&r), "TLS");
    }

    #[test]
    fn events_and_decisions_are_lines_on_demand() {
        let feed = |r: &mut TextReport<&mut Vec<u8>>| {
            r.event(&event("scan.fast", 1)).unwrap();
            r.zert_event(&ZertEventLine {
                event: 1,
                ts: Timestamp(UnixTime::from_secs(3)),
                session: ZertLine(&ssh()),
            })
            .unwrap();
            r.decision(&DecisionLine {
                packet: 9,
                verdict: "drop",
                control: Some("filter"),
                rule: None,
                code: Some(2_001),
            })
            .unwrap();
        };
        let text = render(feed, true);
        assert!(text.contains(
            "1970-01-01T00:00:01.000000Z packet 1 scan.fast (3001) from 192.0.2.1:1 to [2001:db8::1]:2, rule a\\u{a}b\n"
        ));
        assert!(text.contains(
            "1970-01-01T00:00:03.000000Z session event 1: 10.0.0.2:40000 to 10.77.0.2:443: SSH-2 curve25519-sha256\n"
        ));
        assert!(text.contains("packet 9 drop (2001 no rule permits it) by filter\n"));
        let text = render(feed, false);
        assert!(!text.contains("packet 1 ") && !text.contains("packet 9"));
    }

    #[test]
    fn a_narrow_terminal_breaks_texts_but_neither_addresses_nor_numbers() {
        for width in [0, 40, 80, 100] {
            let text = render_at(Some(width), |r| r.zert(&tls()).unwrap(), false);
            let first = row(&text, "10.0.0.1");
            assert_eq!(first[..3], ["10.0.0.1", "10.77.0.2", "443"], "{text}");
            assert_eq!(first[5..], ["1", "0", "10", "1001"], "{text}");
            let widest = text.lines().take(8).map(|l| l.chars().count()).max();
            // As wide as what cannot give way at the least.
            assert!(widest.unwrap() <= 100, "{text}");
        }
    }

    #[test]
    fn tables_are_bounded() {
        let text = render(
            |r| {
                for n in 0..MAX_KEPT as u32 + 100 {
                    r.zert(&record(Protocol::None, n)).unwrap();
                }
            },
            false,
        );
        assert!(text.contains(&format!("… and {} more rows", MAX_KEPT - MAX_SHOWN)));
        let others = row(&text, "others");
        assert_eq!(others[..4], ["others", "100", "0", "1000"]);
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(shown(&"é".repeat(61)), "é".repeat(60) + "…");
        assert_eq!(shown(&"é".repeat(60)), "é".repeat(60));
    }
}
