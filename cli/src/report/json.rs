//! JSON lines.

use std::io::{self, Write};

use hostward::zert::Record;
use serde_json::ser::{Formatter, Serializer};

use super::line::{DecisionLine, EventLine, Line, SummaryLine, ZertEventLine, ZertLine};
use super::{InputFacts, Output};
use crate::escape::acts;

/// Writes one JSON object a line.
pub struct JsonReport<W> {
    out: W,
    events: bool,
    decisions: bool,
}

impl<W: Write> JsonReport<W> {
    /// Writes to `out`; `events` are the steps in the life of security sessions, which like
    /// decisions come on demand. Events of controls always do.
    pub fn new(out: W, events: bool, decisions: bool) -> Self {
        Self {
            out,
            events,
            decisions,
        }
    }

    fn line(&mut self, line: &Line<'_>) -> io::Result<()> {
        write_line(&mut self.out, line)
    }
}

/// Writes one JSON object and a line feed.
pub(crate) fn write_line(out: &mut impl Write, line: &impl serde::Serialize) -> io::Result<()> {
    line.serialize(&mut Serializer::with_formatter(&mut *out, Safe))?;
    out.write_all(b"\n")
}

impl<W: Write> Output for JsonReport<W> {
    fn wants_decisions(&self) -> bool {
        self.decisions
    }

    fn wants_events(&self) -> bool {
        self.events
    }

    fn zert(&mut self, record: &Record) -> io::Result<()> {
        self.line(&Line::Zert(ZertLine(record)))
    }

    fn zert_event(&mut self, line: &ZertEventLine<'_>) -> io::Result<()> {
        if !self.events {
            return Ok(());
        }
        self.line(&Line::ZertEvent(*line))
    }

    fn event(&mut self, line: &EventLine) -> io::Result<()> {
        self.line(&Line::Event(line))
    }

    fn decision(&mut self, line: &DecisionLine) -> io::Result<()> {
        if !self.decisions {
            return Ok(());
        }
        self.line(&Line::Decision(line))
    }

    fn summary(&mut self, line: &SummaryLine, _: &InputFacts) -> io::Result<()> {
        self.line(&Line::Summary(line))?;
        self.out.flush()
    }
}

/// Compact JSON in which every character that a terminal would act upon is a `\u` escape: JSON
/// itself demands that of C0 only.
struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Beyond ASCII few texts go, and of ASCII only DEL is left to look for.
        if fragment.bytes().all(|b| b < 0x7F) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut plain = fragment;
        while let Some(at) = plain.find(acts) {
            let (before, rest) = plain.split_at_checked(at).unwrap_or((plain, ""));
            writer.write_all(before.as_bytes())?;
            let mut chars = rest.chars();
            if let Some(c) = chars.next() {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            plain = chars.as_str();
        }
        writer.write_all(plain.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Timestamp;
    use super::*;
    use hostward::zert::Protocol;
    use hostward::zert::record::{PqClass, TlsVersion};
    use hostward_hook::time::UnixTime;
    use serde_json::Value;

    fn zert() -> Record {
        let mut r = Record::default();
        r.protocol = Protocol::Tls;
        r.client = "10.0.0.1:40000".parse().unwrap();
        r.server = "[2001:db8::1]:443".parse().unwrap();
        r.tls.version = Some(TlsVersion(0x0304));
        r.tls.sni = "a\u{1b}[2J\u{9b}\u{202e}\"\\b".into();
        r.tls.app_data_client = true;
        r.established = Some(true);
        r.pq = PqClass::Hybrid;
        r
    }

    fn event() -> EventLine {
        EventLine {
            ts: Timestamp(UnixTime::from_secs(1)),
            packet: Some(3),
            control: Some("ids"),
            code: 3_001,
            kind: "attack.malformed".into(),
            src: Some("10.0.0.1".parse().unwrap()),
            sport: None,
            dst: None,
            dport: None,
            ip_proto: Some(6),
            rule: None,
            action: None,
        }
    }

    fn decision() -> DecisionLine {
        DecisionLine {
            packet: 3,
            verdict: "drop",
            control: Some("filter"),
            rule: Some("deny all".into()),
            code: Some(2_001),
        }
    }

    fn lines(events: bool, decisions: bool) -> Vec<String> {
        let mut out = Vec::new();
        let mut report = JsonReport::new(&mut out, events, decisions);
        assert_eq!(
            (report.wants_events(), report.wants_decisions()),
            (events, decisions)
        );
        report.zert(&zert()).unwrap();
        report
            .zert_event(&ZertEventLine {
                event: 1,
                ts: Timestamp(UnixTime::from_secs(2)),
                session: ZertLine(&zert()),
            })
            .unwrap();
        report.event(&event()).unwrap();
        report.decision(&decision()).unwrap();
        let summary = SummaryLine {
            packets: 20,
            bytes: 4_000,
            flows: 1,
            dropped: [(2_001, 5)].into(),
            rules: None,
            elapsed_s: 0.5,
            cpu_s: None,
            packets_per_s: Some(40.0),
        };
        report.summary(&summary, &InputFacts::default()).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The keys as they stand in the text, in order.
    fn keys(line: &str) -> Vec<String> {
        // Objects of this crate have no key twice, so each is found after the one before.
        let value: Value = serde_json::from_str(line).unwrap();
        let mut keys: Vec<(usize, String)> = value
            .as_object()
            .unwrap()
            .keys()
            .map(|k| (line.find(&format!("\"{k}\":")).unwrap(), k.clone()))
            .collect();
        keys.sort();
        keys.into_iter().map(|(_, k)| k).collect()
    }

    #[test]
    fn every_line_has_its_fields_in_order_and_the_summary_is_last() {
        let lines = lines(true, true);
        assert_eq!(lines.len(), 5);
        let zert = keys(&lines[0]);
        assert_eq!(zert[..6], ["type", "proto", "src", "sport", "dst", "dport"]);
        assert!(zert.contains(&"server_cert_not_after".into()));
        assert!(lines[0].contains(
            r#""alerts":[],"app_data":{"client":true,"server":false},"failed":false,"established":true,"inferred":false,"pq":"hybrid""#
        ));
        assert_eq!(
            zert[zert.len() - 4..],
            ["first_packet", "packets", "bytes", "open_at_end"]
        );
        assert_eq!(keys(&lines[1])[..4], ["type", "event", "ts", "proto"]);
        assert_eq!(
            lines[2],
            r#"{"type":"event","ts":"1970-01-01T00:00:01.000000Z","packet":3,"control":"ids","code":3001,"kind":"attack.malformed","src":"10.0.0.1","sport":null,"dst":null,"dport":null,"ip_proto":6,"rule":null,"action":null}"#
        );
        assert_eq!(
            lines[3],
            r#"{"type":"decision","packet":3,"verdict":"drop","control":"filter","rule":"deny all","code":2001}"#
        );
        assert_eq!(
            lines[4],
            r#"{"type":"summary","packets":20,"bytes":4000,"flows":1,"dropped":{"2001":5},"rules":null,"elapsed_s":0.5,"cpu_s":null,"packets_per_s":40.0}"#
        );
    }

    #[test]
    fn steps_and_decisions_only_on_demand() {
        let kinds = |events, decisions| -> Vec<String> {
            lines(events, decisions)
                .iter()
                .map(|l| {
                    let v: Value = serde_json::from_str(l).unwrap();
                    v["type"].as_str().unwrap().to_owned()
                })
                .collect()
        };
        assert_eq!(kinds(false, false), ["zert", "event", "summary"]);
        assert_eq!(
            kinds(true, false),
            ["zert", "zert_event", "event", "summary"]
        );
        assert_eq!(kinds(false, true), ["zert", "event", "decision", "summary"]);
    }

    #[test]
    fn text_from_the_network_is_harmless_and_unchanged() {
        let lines = lines(false, false);
        assert!(lines[0].is_ascii());
        assert!(!lines[0].chars().any(char::is_control));
        let value: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(value["sni"], "a\u{1b}[2J\u{9b}\u{202e}\"\\b");
        assert_eq!(value["pq"], "hybrid");
        assert_eq!(value["sport"], 40_000);
        assert_eq!(value["cipher"], Value::Null);
    }
}
