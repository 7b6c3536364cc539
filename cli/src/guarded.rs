//! The guard as the engine of `inspect`.

use std::io;
use std::sync::Arc;

use hostward::crypto::Provider;
use hostward::crypto::backend::RUST_CRYPTO;
use hostward::filter::{Action, Filter, IMPLIED_DENY, RuleSet};
use hostward::hook::event::{Class, Event, EventSink, FieldVisitor, Value};
use hostward::hook::flow::HashKey;
use hostward::hook::frame::LentFrame;
use hostward::hook::ident::RuleId;
use hostward::hook::layout::proto;
use hostward::hook::meta::{Checksums, Routing};
use hostward::hook::reason::Control;
use hostward::hook::{Code, Direction, FrameBuf, Instant, Meta, Now, Point, Verdict};
use hostward::ids::{self, Ids, malformed};
use hostward::zert::enforce::{Enforced, Enforcement, RuleSet as ZertRules};
use hostward::zert::{self, DatagramConfig, Datagrams, Zert, code};
use hostward::{Detail, Guard, GuardConfig, Mode};

use crate::capture::decapsulate;
use crate::engine::{Engine, Input, Totals};
use crate::report::Output;
use crate::report::line::{DecisionLine, EventLine, RuleLine, Timestamp, ZertEventLine, ZertLine};

/// Calls of the guard's timers between two packets, enough to look at every flow a few times; what is
/// due beyond that is done at once, so that a capture with long silences costs no time.
const TIMER_STEPS: usize = 128;

/// The longest packet: a header and 64 KiB.
const LONGEST: usize = 65_575;

/// A guard that observes: it tells what it would refuse and looks at everything all the same.
#[derive(Debug)]
pub struct Guarded {
    guard: Guard,
    checksums: bool,
    /// There are rules about protection.
    enforced: bool,
    depth: usize,
    /// What the rules of the filter decided.
    rules: Option<Rules>,
    /// The latest time so far; captures step back now and then, the guard's clock does not.
    now: Instant,
    last: Now,
}

impl Guarded {
    /// A guard without filter. `checksums` has wrong ones told: captures taken on the sending
    /// host have them not filled in yet. Tunnels are opened to `depth`.
    #[must_use]
    pub fn new(config: GuardConfig, key: HashKey, checksums: bool, depth: usize) -> Self {
        let config = GuardConfig {
            mode: Mode::Observe,
            ..config
        };
        let detection = ids::Config {
            malformed: malformed::Config {
                outbound: true,
                ..malformed::Config::default()
            },
            // A report about a capture tells everything.
            limits: ids::policy::Limits { log: 0, trace: 0 },
            ..ids::Config::default()
        };
        // Every flow that has an entry is watched.
        let zert = Zert::new(zert::Config {
            connections: config.flows.capacity,
            ..zert::Config::default()
        });
        let datagrams = Datagrams::new(DatagramConfig {
            flows: config.flows.capacity,
            ..DatagramConfig::default()
        })
        .quic(Provider::of([RUST_CRYPTO]));
        Self {
            guard: Guard::new(config, key)
                .ids(Ids::new(detection))
                .zert(zert)
                .datagrams(datagrams),
            checksums,
            enforced: false,
            depth,
            rules: None,
            now: Instant::ZERO,
            last: Now::default(),
        }
    }

    /// The same guard with an IP filter. It tells what it decides and hides nothing from the other
    /// controls. `place` tells the file and line of a rule by its position.
    #[must_use]
    pub fn filter(
        mut self,
        filter: Filter,
        place: impl Fn(usize) -> Option<(String, u32)>,
    ) -> Self {
        self.rules = Some(Rules::new(filter.rules(), place));
        self.guard = self.guard.filter(filter);
        self
    }

    /// The same guard with rules about how connections must be protected. Nothing is reset: a capture cannot be.
    #[must_use]
    pub fn enforce(mut self, rules: &ZertRules) -> Self {
        self.enforced = true;
        if let Some(zert) = self.guard.zert_mut() {
            // Everything is told: a report counts what is alike.
            let config = zert::enforce::Config {
                messages: u32::MAX,
                ..zert::enforce::Config::default()
            };
            let rules = Arc::new(rules.clone().simulate(true));
            *zert = std::mem::take(zert).with_enforcement(Enforcement::new(config).rules(rules));
        }
        self
    }

    /// Lets the guard do what was due up to now.
    fn timers(&mut self, until: Now, sink: &mut Sink<'_>) {
        for step in 0.. {
            let Some(next) = self.guard.next_deadline().filter(|n| *n <= until.mono) else {
                return;
            };
            let at = if step < TIMER_STEPS {
                next.max(self.last.mono)
            } else {
                until.mono
            };
            let behind = until.mono.as_micros().saturating_sub(at.as_micros());
            let wall = until.wall.as_micros().saturating_sub(behind);
            let now = Now::new(at, hostward::hook::UnixTime::from_micros(wall));
            self.guard.handle_deadline(now, sink);
            self.last = now;
            if step >= TIMER_STEPS {
                return;
            }
        }
    }

    fn judge(
        &mut self,
        frame: &mut LentFrame<'_>,
        meta: Meta,
        out: &mut dyn Output,
    ) -> io::Result<Verdict> {
        let mut sink = Sink::new(out, self.enforced);
        let verdict = self.guard.packet(frame, meta, &mut sink);
        sink.done()?;
        if let Some(rules) = &mut self.rules {
            rules.count(verdict, self.guard.last_rule(), frame.bytes().len());
        }
        if out.wants_decisions() {
            let rule = self.guard.last_rule().and_then(|id| {
                let rule = self.guard.filter_ref()?.rule(id)?;
                Some(rule.name.to_string())
            });
            out.decision(&DecisionLine {
                packet: meta.number,
                verdict: verdict.name(),
                control: verdict.reason().and_then(Code::control).map(|c| c.name()),
                rule,
                code: verdict.reason().map(Code::get),
            })?;
        }
        Ok(verdict)
    }
}

impl Engine for Guarded {
    fn packet(&mut self, input: &Input<'_>, out: &mut dyn Output) -> io::Result<()> {
        self.now = self.now.max(Instant::from_micros(input.time.as_micros()));
        let now = Now::new(self.now, input.time);
        let mut sink = Sink::new(out, self.enforced);
        self.timers(now, &mut sink);
        sink.done()?;
        self.last = now;
        let point = match (input.routing, input.direction) {
            // Whether it was just received or is about to be sent, a capture does not say.
            (Routing::Routed, _) => Point::Forward,
            (Routing::Local, Direction::Inbound) => Point::LocalIn,
            (Routing::Local, Direction::Outbound) => Point::LocalOut,
        };
        let checksums = if self.checksums {
            Checksums::Unchecked
        } else {
            Checksums::Offloaded
        };
        let meta = Meta::new(point, now)
            .with_checksums(checksums)
            .with_cut(input.truncated)
            .with_routing(input.routing)
            .with_number(input.number);
        // Most packets are only looked at: they stay where they were read.
        let mut frame = LentFrame::new(input.packet, 0, LONGEST);
        let verdict = self.judge(&mut frame, meta, out)?;
        // A tunnel whose outer packet came in fragments opens only now.
        if input.fragment && verdict != Verdict::Consumed {
            let depth = self.depth.saturating_sub(input.layers.tunnels());
            let inner = decapsulate(frame.bytes(), depth);
            if inner.layers.tunnels() > 0 {
                let mut inner = LentFrame::new(inner.packet, 0, LONGEST);
                let _ = self.judge(&mut inner, meta, out)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Output) -> io::Result<Totals> {
        let mut sink = Sink::new(out, self.enforced);
        self.guard.finish(self.last, &mut sink);
        sink.done()?;
        let reasons = self.guard.counters().reasons();
        Ok(Totals {
            flows: self.guard.flows().insertions(),
            dropped: reasons.map(|(code, n)| (code.get(), n)).collect(),
            rules: self.rules.take().map(|r| r.lines),
        })
    }
}

/// What each rule decided.
#[derive(Debug)]
struct Rules {
    /// The rules in order, then the implied deny.
    lines: Vec<RuleLine>,
}

impl Rules {
    fn new(set: &RuleSet, place: impl Fn(usize) -> Option<(String, u32)>) -> Self {
        let mut lines = Vec::with_capacity(set.rules().len() + 1);
        for (i, rule) in set.rules().iter().enumerate() {
            let (file, line) = place(i).unzip();
            lines.push(RuleLine {
                name: Some(rule.name.to_string()),
                group: rule.group.as_deref().map(Into::into),
                file,
                line,
                action: action_name(rule.action),
                ..RuleLine::default()
            });
        }
        let implied = set.implied_deny_name();
        lines.push(RuleLine {
            name: (!implied.is_empty()).then(|| implied.into()),
            action: "deny",
            ..RuleLine::default()
        });
        Self { lines }
    }

    /// Counts a packet that the filter decided: not one that another control refused, which would
    /// not have come to the filter or not have passed all the same, and no fragment that waits.
    fn count(&mut self, verdict: Verdict, rule: Option<RuleId>, bytes: usize) {
        let reason = verdict.reason();
        if verdict == Verdict::Consumed
            || reason.is_some_and(|r| r.control() != Some(Control::Filter))
        {
            return;
        }
        let implied = self.lines.len().saturating_sub(1);
        let at = match rule {
            Some(id) => id.0 as usize,
            None if reason == Some(IMPLIED_DENY) => implied,
            None => return,
        };
        if let Some(line) = self.lines.get_mut(at) {
            let bytes = bytes as u64;
            line.packets += 1;
            line.bytes = line.bytes.saturating_add(bytes);
            if reason.is_some() {
                line.denied_packets += 1;
                line.denied_bytes = line.denied_bytes.saturating_add(bytes);
            }
        }
    }
}

/// Turns events into lines; the first error of writing ends it.
struct Sink<'a> {
    out: &'a mut dyn Output,
    /// There are rules about protection.
    enforced: bool,
    result: io::Result<()>,
}

impl<'a> Sink<'a> {
    fn new(out: &'a mut dyn Output, enforced: bool) -> Self {
        Self {
            out,
            enforced,
            result: Ok(()),
        }
    }

    fn done(self) -> io::Result<()> {
        self.result
    }

    fn tell(&mut self, event: &Event<'_>) -> io::Result<()> {
        let ts = Timestamp(event.now.wall);
        if let Detail::Protection(record) = Detail::of(event) {
            if event.code == code::RECORD {
                return self.out.zert(record);
            }
            if let Some(number) = code::discovery_event(event.code) {
                return self.out.zert_event(&ZertEventLine {
                    event: number,
                    ts,
                    session: ZertLine(record),
                });
            }
        }
        self.out.event(&event_line(event, ts))
    }
}

impl EventSink for Sink<'_> {
    fn wants(&self, class: Class) -> bool {
        // Audit records of enforcement are steps, too, and always told.
        self.result.is_ok()
            && (class != Class::Progress || self.out.wants_events() || self.enforced)
    }

    fn emit(&mut self, event: &Event<'_>) {
        let is_step = event.class == Class::Progress && event.code != code::ENFORCEMENT;
        if self.result.is_ok() && (!is_step || self.out.wants_events()) {
            self.result = self.tell(event);
        }
    }
}

fn event_line(event: &Event<'_>, ts: Timestamp) -> EventLine {
    let control = event.control().map(|c| c.name());
    let enforced = event
        .detail
        .as_any()
        .and_then(|d| d.downcast_ref::<Enforced>());
    let (kind, rule, action) = match Detail::of(event) {
        _ if enforced.is_some() => {
            let name = name_of(event.code).unwrap_or("other");
            let rule = enforced.map(|e| e.rule.to_string());
            let action = enforced.map(|e| e.outcome.name());
            (format!("zert.{name}"), rule, action)
        }
        Detail::Filter(d) => {
            let action = if d.permit { "permit" } else { "deny" };
            let rule = (!d.rule.is_empty()).then(|| d.rule.to_string());
            (format!("filter.{action}"), rule, Some(action))
        }
        _ if event.control() == Some(Control::Ids) => {
            let told = Told::of(event);
            let name = name_of(event.code).unwrap_or("other");
            (
                told.kind.unwrap_or_else(|| format!("ids.{name}")),
                told.rule,
                told.action,
            )
        }
        Detail::Protection(_) | Detail::Other | _ => {
            let name = name_of(event.code).unwrap_or("other");
            (format!("{}.{name}", control.unwrap_or("host")), None, None)
        }
    };
    let key = event.key;
    // Zero ports stand for "none" in a key: the protocol has none, or they were not there.
    let ports = key.filter(|k| {
        (k.source_port(), k.destination_port()) != (0, 0)
            && matches!(
                k.protocol(),
                proto::TCP | proto::UDP | proto::SCTP | proto::DCCP | proto::UDP_LITE
            )
    });
    EventLine {
        ts,
        packet: (event.packet != 0).then_some(event.packet),
        control,
        code: event.code.get(),
        kind,
        src: key.map(|k| k.source()),
        sport: ports.map(|k| k.source_port()),
        dst: key.map(|k| k.destination()),
        dport: ports.map(|k| k.destination_port()),
        ip_proto: key.map(|k| k.protocol()),
        rule,
        action: action.map(Into::into),
    }
}

/// What events of intrusion detection tell by these names, whatever their details are.
#[derive(Default)]
struct Told {
    kind: Option<String>,
    rule: Option<String>,
    action: Option<&'static str>,
}

impl Told {
    fn of(event: &Event<'_>) -> Self {
        let mut told = Self::default();
        event.detail.visit(&mut told);
        told
    }
}

impl FieldVisitor for Told {
    fn field(&mut self, name: &'static str, value: Value<'_>) {
        const ACTIONS: [&str; 4] = ["discard", "report", "reset", "limit"];
        let Value::Str(text) = value else { return };
        match name {
            "kind" => self.kind = Some(text.into()),
            "rule" => self.rule = Some(text.into()),
            "action" => self.action = ACTIONS.into_iter().find(|a| *a == text),
            _ => {}
        }
    }
}

/// What a rule does, in a word.
pub(crate) const fn action_name(action: Action) -> &'static str {
    match action {
        Action::Permit => "permit",
        Action::Deny => "deny",
        Action::Ipsec(_) | _ => "ipsec",
    }
}

/// The short name of a code.
#[must_use]
pub fn name_of(code: Code) -> Option<&'static str> {
    hostward::codes().find(|i| i.code == code).map(|i| i.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostward::filter::{Logging, Rule, RuleDirection, Upper};
    use std::sync::Arc;

    use crate::capture::{Layers, LinkType};
    use crate::report::JsonReport;
    use etherparse::PacketBuilder;
    use hostward::hook::UnixTime;
    use serde_json::{Value, json};

    fn run(mut engine: Guarded, packets: &[Vec<u8>]) -> (Vec<Value>, Totals) {
        let mut text = Vec::new();
        let mut out = JsonReport::new(&mut text, true, true);
        for (number, packet) in (1..).zip(packets) {
            let input = Input {
                number,
                time: UnixTime::from_secs(number),
                packet,
                wire_len: packet.len() as u32,
                truncated: false,
                fragment: false,
                direction: Direction::Inbound,
                routing: Routing::Local,
                link: LinkType(101),
                layers: &Layers::default(),
            };
            engine.packet(&input, &mut out).unwrap();
        }
        let totals = engine.finish(&mut out).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines = text.lines().map(|l| serde_json::from_str(l).unwrap());
        (lines.collect(), totals)
    }

    fn udp(port: u16) -> Vec<u8> {
        let builder = PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64).udp(4_000, port);
        let mut out = Vec::new();
        builder.write(&mut out, b"hello").unwrap();
        out
    }

    #[test]
    fn unprotected_connections_are_told_and_nothing_is_reset() {
        use hostward::zert::enforce::{Action, weak};

        let tcp = |from_client: bool, seq: u32, ack: Option<u32>, syn: bool, data: &[u8]| {
            let (a, b) = ([192, 0, 2, 1], [192, 0, 2, 2]);
            let (src, dst, sport, dport) = if from_client {
                (a, b, 40_000, 80)
            } else {
                (b, a, 80, 40_000)
            };
            let mut builder = PacketBuilder::ipv4(src, dst, 64).tcp(sport, dport, seq, 60_000);
            if syn {
                builder = builder.syn();
            }
            if let Some(ack) = ack {
                builder = builder.ack(ack);
            }
            let mut out = Vec::new();
            builder.write(&mut out, data).unwrap();
            out
        };
        let packets = [
            tcp(true, 9, None, true, b""),
            tcp(false, 99, Some(10), true, b""),
            tcp(true, 10, Some(100), false, b"GET / HTTP/1.0\r\n\r\n"),
        ];
        let action = Arc::new(Action {
            name: "Stop".into(),
            console: true,
            audit: true,
            reset: true,
            ..Action::default()
        });
        let engine = Guarded::new(GuardConfig::default(), HashKey::new([1; 16]), false, 8);
        let (lines, _) = run(engine.enforce(&weak::all(&action, 1)), &packets);
        let events: Vec<_> = lines.iter().filter(|l| l["type"] == "event").collect();
        let kinds: Vec<_> = events.iter().map(|e| e["kind"].as_str().unwrap()).collect();
        assert_eq!(
            kinds,
            [
                "zert.enforcement-console",
                "zert.enforcement-audit",
                "zert.enforcement-reset"
            ]
        );
        assert_eq!(
            (&events[2]["rule"], &events[2]["action"]),
            (&json!("Unprotected"), &json!("would-reset"))
        );
        assert_eq!(
            (&events[2]["src"], &events[2]["dport"]),
            (&json!("192.0.2.1"), &json!(80))
        );
    }

    #[test]
    fn decisions_and_events_name_the_rule() {
        let rules = vec![
            Rule::new("no discard", Action::Deny)
                .upper(Upper::udp(9..=9))
                .direction(RuleDirection::Inbound)
                .logging(Logging::Yes),
            Rule::new("quiet", Action::Permit),
        ];
        let filter = Filter::new(Arc::new(RuleSet::new(rules, 1)));
        let engine = Guarded::new(GuardConfig::default(), HashKey::new([1; 16]), false, 8);
        let (lines, totals) = run(
            engine.filter(filter, |i| (i == 0).then(|| ("f".into(), 7))),
            &[udp(9), udp(53)],
        );
        let rules = totals.rules.clone().unwrap();
        let counts = |r: &RuleLine| (r.packets, r.denied_packets, r.bytes, r.denied_bytes);
        assert_eq!(
            rules.iter().map(counts).collect::<Vec<_>>(),
            [(1, 1, 33, 33), (1, 0, 33, 0), (0, 0, 0, 0)]
        );
        assert_eq!(
            (rules[0].file.as_deref(), rules[0].line, rules[1].line),
            (Some("f"), Some(7), None)
        );
        assert_eq!(rules[2].name, None);
        let decisions: Vec<_> = lines.iter().filter(|l| l["type"] == "decision").collect();
        let [denied, passed] = decisions[..] else {
            panic!("{lines:?}");
        };
        assert_eq!(
            denied,
            &json!({"type": "decision", "packet": 1, "verdict": "drop", "control": "filter",
                "rule": "no discard", "code": 2002})
        );
        // The rule is named whether or not it is to be logged.
        assert_eq!(
            passed,
            &json!({"type": "decision", "packet": 2, "verdict": "continue", "control": null,
                "rule": "quiet", "code": null})
        );
        let events: Vec<_> = lines.iter().filter(|l| l["type"] == "event").collect();
        assert_eq!(events.len(), 1);
        assert_eq!(
            events[0],
            &json!({"type": "event", "ts": "1970-01-01T00:00:01.000000Z", "packet": 1,
                "control": "filter", "code": 2002, "kind": "filter.deny", "src": "192.0.2.1",
                "sport": 4000, "dst": "192.0.2.2", "dport": 9, "ip_proto": 17,
                "rule": "no discard", "action": "deny"})
        );
        assert_eq!(totals.dropped, [(2002, 1)].into());
        assert_eq!(totals.flows, 2, "a guard that observes follows both");
    }
}
