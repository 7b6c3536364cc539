//! Reads what `nft --json list ruleset` writes.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use serde_json::Value;

use super::cond::{Cond, Field, Numbers};
use super::flow::{Base, Branch, Chain, SourceRule, Verdict};
use super::names;
use super::ranges::Ranges;
use super::{Findings, ImportError, Kind, Source};

const PORT: u128 = u16::MAX as u128;
const BYTE: u128 = u8::MAX as u128;
/// The most conditions that the elements of sets come to in one rule.
const MOST_ALTERNATIVES: usize = 5_000;

/// The most work for the conditions of all rules; what comes behind is not looked at.
const MOST_WORK: usize = 5_000_000;

/// Family, table and name.
type Key = (Rc<str>, Rc<str>, Rc<str>);

#[derive(Debug)]
struct Hooked {
    hook: Rc<str>,
    prio: i64,
    chain: usize,
    base: Base,
}

#[derive(Default)]
struct Reader<'v> {
    chains: Vec<Chain>,
    numbers: HashMap<Key, usize>,
    sets: HashMap<Key, &'v Value>,
    hooked: Vec<Hooked>,
    findings: Findings,
    /// What was done for all rules so far.
    work: Cell<usize>,
}

/// Reads a rule set.
pub(super) fn read(text: &str) -> Result<Source, ImportError> {
    let json = |why: &str| ImportError::Json(why.to_owned());
    let value: Value = serde_json::from_str(text)
        .map_err(|e| ImportError::Json(format!("not the JSON of nft: {e}")))?;
    let objects = value
        .get("nftables")
        .and_then(Value::as_array)
        .ok_or(json("not the JSON of nft: there is no array `nftables`"))?;
    let mut reader = Reader::default();
    // Rules name sets and chains that may come later.
    for object in objects {
        reader.named(object);
    }
    for object in objects {
        if let Some(rule) = object.get("rule") {
            reader.rule(rule);
        }
        if reader.work.get() > MOST_WORK {
            return Err(ImportError::TooMuch);
        }
    }
    if reader.chains.is_empty() {
        return Err(json("there is no chain"));
    }
    Ok(reader.finish())
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn key(value: &Value, name: &str) -> Key {
    (
        text(value, "family").into(),
        text(value, "table").into(),
        text(value, name).into(),
    )
}

/// The only field of an object.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let mut fields = value.as_object()?.iter();
    match (fields.next(), fields.next()) {
        (Some((name, value)), None) => Some((name, value)),
        _ => None,
    }
}

impl<'v> Reader<'v> {
    fn works(&self, work: usize) {
        self.work.set(self.work.get().saturating_add(work));
    }

    fn named(&mut self, object: &'v Value) {
        let Some((kind, value)) = only(object) else {
            return;
        };
        match kind {
            "chain" => self.chain(value),
            "set" | "map" => {
                self.sets.insert(key(value, "name"), value);
            }
            "metainfo" | "table" | "rule" | "counter" | "ct helper" | "ct timeout"
            | "ct expectation" | "secmark" | "quota" | "limit" | "synproxy" => {}
            other => {
                let place = format!("{other} {}", text(value, "name"));
                let reason = "an object that is not known";
                self.findings.tell(&place, "", Kind::Note, reason);
            }
        }
    }

    fn chain(&mut self, value: &Value) {
        let (family, table, name) = key(value, "name");
        let place: Rc<str> = format!("chain {family} {table} {name}").into();
        let number = self.chains.len();
        let shown: Rc<str> = if &*table == "filter" {
            Rc::clone(&name)
        } else {
            format!("{table}.{name}").into()
        };
        self.chains.push(Chain {
            name: shown,
            rules: Vec::new(),
        });
        self.numbers
            .insert((Rc::clone(&family), table, name), number);
        let Some(hook) = value.get("hook").and_then(Value::as_str) else {
            return;
        };
        let mut cond = Cond::any();
        match &*family {
            "ip" => cond.version(false),
            "ip6" => cond.version(true),
            "inet" => {}
            "netdev" => cond.doubt(&place, "a chain of one device"),
            _ => {
                let reason = "not a family of IP traffic: its rules are not looked at";
                self.findings.tell(&place, "", Kind::Note, reason);
                return;
            }
        }
        if hook == "ingress" && &*family == "inet" {
            cond.doubt(&place, "a chain of one device");
        }
        if text(value, "type") == "nat" {
            cond.doubt(
                &place,
                "a chain of type nat sees the first packet of a connection only",
            );
        }
        self.hooked.push(Hooked {
            hook: hook.into(),
            prio: value.get("prio").and_then(Value::as_i64).unwrap_or(0),
            chain: number,
            base: Base {
                chain: number,
                cond,
                accept: text(value, "policy") != "drop",
                place,
            },
        });
    }

    fn finish(mut self) -> Source {
        let known = [
            "ingress",
            "prerouting",
            "input",
            "forward",
            "output",
            "postrouting",
            "egress",
        ];
        for hooked in &self.hooked {
            if !known.contains(&&*hooked.hook) {
                let reason = "a hook that is not known: its rules are not looked at";
                self.findings
                    .tell(&hooked.base.place, "", Kind::Note, reason);
            }
        }
        self.hooked.sort_by_key(|h| (h.prio, h.chain));
        let hooks = |hooks: &[&str]| {
            let at = |hook: &&str| {
                let hook = (*hook).to_owned();
                self.hooked.iter().filter(move |h| *h.hook == *hook)
            };
            hooks.iter().flat_map(at).map(|h| h.base.clone()).collect()
        };
        let inbound = hooks(&["ingress", "prerouting", "input"]);
        let outbound = hooks(&["output", "postrouting", "egress"]);
        let through = hooks(&["ingress", "prerouting", "forward", "postrouting", "egress"]);
        let any = |v6| self.hooked.iter().any(|h| h.base.cond.has_version(v6));
        for (v6, version) in [(false, "IPv4"), (true, "IPv6")] {
            if !any(v6) {
                let reason = format!("no chain sees {version}: all of it is permitted, as it was");
                self.findings.tell("the whole", "", Kind::Note, reason);
            }
        }
        Source {
            chains: self.chains,
            inbound,
            outbound,
            through,
            findings: self.findings,
            all: Cond::any(),
        }
    }

    fn rule(&mut self, rule: &'v Value) {
        let (family, table, chain) = key(rule, "chain");
        let handle = rule.get("handle").and_then(Value::as_u64).unwrap_or(0);
        let place: Rc<str> = format!("handle {handle} of {family} {table} {chain}").into();
        let Some(at) = self
            .numbers
            .get(&(Rc::clone(&family), Rc::clone(&table), chain))
        else {
            let reason = "a rule of a chain that is not there";
            self.findings.tell(&place, "", Kind::Note, reason);
            return;
        };
        let at = *at;
        self.findings.place(&place);
        let expr = rule.get("expr").unwrap_or(&Value::Null);
        let text: String = expr.to_string().chars().take(300).collect();
        let mut statements = Statements {
            reader: self,
            family,
            table,
            place: Rc::clone(&place),
            text: text.into(),
            any_of: vec![Cond::any()],
            branches: Vec::new(),
        };
        for statement in expr.as_array().map(Vec::as_slice).unwrap_or_default() {
            if !statements.statement(statement) {
                break;
            }
        }
        let Statements { branches, text, .. } = statements;
        if let Some(chain) = self.chains.get_mut(at) {
            chain.rules.push(SourceRule {
                place,
                number: handle,
                text,
                branches,
            });
        }
    }
}

/// Reads the statements of a rule, one after the other.
struct Statements<'r, 'v> {
    reader: &'r mut Reader<'v>,
    family: Rc<str>,
    table: Rc<str>,
    place: Rc<str>,
    text: Rc<str>,
    /// What the statements so far ask for: one of these.
    any_of: Vec<Cond>,
    branches: Vec<Branch>,
}

/// What an expression reads of a packet, and what reading it asks for.
struct Left {
    field: Option<Field>,
    cond: Cond,
    /// Names of values belong to this.
    names: Names,
}

#[derive(Clone, Copy)]
enum Names {
    Protocol,
    Port,
    Icmp,
    Icmpv6,
    Version,
}

impl<'v> Statements<'_, 'v> {
    fn tell(&mut self, kind: Kind, reason: impl Into<String>) {
        let (place, text) = (&*self.place, &*self.text);
        self.reader.findings.tell(place, text, kind, reason);
    }

    fn doubt(&mut self, reason: &str) {
        let reason: Rc<str> = reason.into();
        for cond in &mut self.any_of {
            cond.doubt(&self.place, Rc::clone(&reason));
        }
    }

    fn and(&mut self, conds: &[Cond]) {
        let alternatives = self.any_of.len().saturating_mul(conds.len());
        let size: usize = conds.iter().map(Cond::size).sum();
        self.reader.works(alternatives.saturating_add(size));
        if alternatives > MOST_ALTERNATIVES || self.reader.work.get() > MOST_WORK {
            self.doubt("too many alternatives");
            return;
        }
        let before = std::mem::take(&mut self.any_of);
        for one in &before {
            for other in conds {
                let both = one.and(other);
                if !both.is_empty() {
                    self.any_of.push(both);
                }
            }
        }
    }

    fn verdict(&mut self, verdict: Verdict) {
        self.branches.push(Branch {
            any_of: self.any_of.clone(),
            verdict,
        });
    }

    /// Takes a statement; whether the next one is looked at.
    fn statement(&mut self, statement: &'v Value) -> bool {
        let Some((name, value)) = only(statement) else {
            self.verdict(Verdict::Unknown("a statement that is not known".into()));
            return false;
        };
        match name {
            "match" => self.matches(value),
            "vmap" => return self.map(value),
            "counter" | "last" => {}
            "log" | "notrack" | "flow" | "dup" | "secmark" | "ct helper" | "ct timeout"
            | "ct expectation" => {
                self.tell(Kind::NotDone, format!("statement {name}"));
            }
            "mangle" => self.mangle(value),
            "limit" | "quota" | "ct count" | "set" | "map" | "meter" => {
                self.doubt(&format!("statement {name} cannot be expressed"));
            }
            "xt" => return self.xt(value),
            "dnat" | "snat" | "masquerade" | "redirect" => {
                self.tell(
                    Kind::NotDone,
                    format!("statement {name}: rules translate no addresses"),
                );
                return false;
            }
            "reject" => {
                let with = (text(value, "type"), text(value, "expr"));
                if !matches!(with.1, "admin-prohibited") {
                    let with = if with.0 == "tcp reset" {
                        "tcp reset"
                    } else {
                        "port-unreachable or another"
                    };
                    self.tell(
                        Kind::NotDone,
                        format!("the sender is told that it is prohibited, not {with}"),
                    );
                }
                self.verdict(Verdict::Reject);
                return false;
            }
            _ => match self.verdict_of(statement) {
                Ok(Some(verdict)) => {
                    self.verdict(verdict);
                    return false;
                }
                // `continue` ends the rule.
                Ok(None) => return false,
                Err(()) => {
                    let what = format!("statement {name} is not known");
                    self.verdict(Verdict::Unknown(what));
                    return false;
                }
            },
        }
        true
    }

    /// A verdict; none for `continue`.
    fn verdict_of(&self, value: &Value) -> Result<Option<Verdict>, ()> {
        let (name, value) = only(value).ok_or(())?;
        let chain = || {
            let name = text(value, "target");
            let key = (
                Rc::clone(&self.family),
                Rc::clone(&self.table),
                Rc::from(name),
            );
            self.reader.numbers.get(&key).copied()
        };
        let to = |verdict: fn(usize) -> Verdict| {
            chain().map_or_else(
                || Verdict::Unknown("a chain that is not there".into()),
                verdict,
            )
        };
        Ok(match name {
            "accept" => Some(Verdict::Accept),
            "drop" => Some(Verdict::Drop),
            "return" => Some(Verdict::Return),
            "continue" => None,
            "jump" => Some(to(Verdict::Jump)),
            "goto" => Some(to(Verdict::Goto)),
            _ => return Err(()),
        })
    }

    /// A statement that changes packets. What changes nothing that rules look at goes on.
    fn mangle(&mut self, value: &Value) {
        let key = value.get("key").unwrap_or(&Value::Null);
        let (name, what) = only(key).unwrap_or(("", &Value::Null));
        let field = text(what, "field");
        let harmless = matches!(name, "meta" | "ct")
            || (name == "payload"
                && matches!(field, "dscp" | "ttl" | "hoplimit" | "ecn" | "flowlabel"))
            || (name == "tcp option");
        if harmless {
            self.tell(
                Kind::NotDone,
                "a statement that changes a packet or its marks",
            );
        } else {
            let what = "a statement that changes what rules look at";
            self.verdict(Verdict::Unknown(what.into()));
        }
    }

    /// What nft shows of iptables' modules: only their names.
    fn xt(&mut self, value: &Value) -> bool {
        let name = text(value, "name");
        if text(value, "type") == "match" && name == "comment" {
            return true;
        }
        if text(value, "type") == "match" {
            self.doubt(&format!("iptables' match {name} is not shown by nft"));
            return true;
        }
        match name {
            "LOG" | "NFLOG" | "MARK" | "CONNMARK" | "CT" | "TCPMSS" | "CLASSIFY" | "TRACE"
            | "SET" | "CHECKSUM" | "DSCP" | "TOS" | "AUDIT" | "SECMARK" | "CONNSECMARK" => {
                self.tell(Kind::NotDone, format!("iptables' target {name}"));
                true
            }
            "DNAT" | "SNAT" | "MASQUERADE" | "REDIRECT" | "NETMAP" => {
                self.tell(
                    Kind::NotDone,
                    format!("iptables' target {name}: rules translate no addresses"),
                );
                false
            }
            "REJECT" => {
                self.tell(
                    Kind::NotDone,
                    "the sender is told that it is prohibited, whatever it was",
                );
                self.verdict(Verdict::Reject);
                false
            }
            name => {
                let what = format!("iptables' target {name} is not known");
                self.verdict(Verdict::Unknown(what));
                false
            }
        }
    }

    fn matches(&mut self, value: &'v Value) {
        let null = &Value::Null;
        let left = value.get("left").unwrap_or(null);
        let right = value.get("right").unwrap_or(null);
        let op = text(value, "op");
        if self.flags(left, op, right) || self.later_fragments(left, op, right) {
            return;
        }
        if let Some(parts) = left.get("concat").and_then(Value::as_array) {
            match self.concat(parts, right) {
                Some(conds) if op == "==" => {
                    self.note_set(right);
                    self.and(&conds);
                }
                _ => self.unsaid(left),
            }
            return;
        }
        let Some(Left { field, cond, names }) = self.left(left) else {
            self.unsaid(left);
            return;
        };
        self.and(&[cond]);
        let Some(field) = field else {
            self.unsaid(left);
            return;
        };
        let ranges = self.values(right, field, names);
        if ranges.is_some() {
            self.note_set(right);
        }
        let ranges = match (op, ranges) {
            ("==", Some(ranges)) => Some(ranges),
            ("!=", Some(ranges)) => Some(ranges.not()),
            ("<" | "<=" | ">" | ">=", Some(ranges)) => compared(op, &ranges, field.most()),
            _ => None,
        };
        match ranges {
            Some(ranges) => {
                let mut cond = Cond::any();
                cond.field(field, &ranges);
                self.and(&[cond]);
            }
            None if right.as_str().is_some_and(|s| s.starts_with('@')) => {
                let name = right.as_str().unwrap_or_default();
                self.doubt(&format!("the elements of {name} are not known"));
            }
            None => {
                let what = right.to_string().chars().take(80).collect::<String>();
                self.doubt(&format!("`{op} {what}` cannot be expressed"));
            }
        }
    }

    fn unsaid(&mut self, left: &Value) {
        let what: String = left.to_string().chars().take(80).collect();
        let why = match only(left) {
            Some(("ct", _)) => ": rules know no connections",
            Some(("meta", _)) if what.contains("if") => {
                ": rules know security classes, not interfaces"
            }
            _ => "",
        };
        self.doubt(&format!("{what} cannot be asked for{why}"));
    }

    /// What an expression on the left reads; none when it cannot be said, not even what it needs.
    fn left(&self, left: &Value) -> Option<Left> {
        let (kind, value) = only(left)?;
        let mut cond = Cond::any();
        let (field, names) = match (kind, text(value, "key")) {
            ("meta", "l4proto") => (Some(Field::Protocol), Names::Protocol),
            ("meta", "nfproto" | "protocol") => (Some(Field::Version), Names::Version),
            // Another field beside these says where the header is: inside a tunnel (`vxlan ip saddr`).
            ("payload", _) if value.as_object().is_some_and(|v| v.len() == 2) => {
                let (of, field) = (text(value, "protocol"), text(value, "field"));
                return Some(self.payload(of, field, cond));
            }
            _ => return None,
        };
        // A protocol that cannot be told is compared with none.
        if field == Some(Field::Protocol) {
            cond.protocol(&Ranges::all(BYTE));
        }
        Some(Left { field, cond, names })
    }

    fn payload(&self, of: &str, field: &str, mut cond: Cond) -> Left {
        let all = Ranges::all(PORT);
        let ports = |field: &str| match field {
            "sport" => Some(Field::SourcePort),
            "dport" => Some(Field::DestinationPort),
            _ => None,
        };
        let transport = match of {
            "tcp" => Some(6),
            "udp" => Some(17),
            "udplite" => Some(136),
            "sctp" => Some(132),
            "dccp" => Some(33),
            _ => None,
        };
        if let Some(protocol) = transport {
            cond.only_protocol(protocol);
            cond.numbers(Numbers::Ports, &all, &all);
            return Left {
                field: ports(field),
                cond,
                names: Names::Port,
            };
        }
        let (field, names) = match (of, field) {
            ("ip" | "ip6", _) => {
                cond.version(of == "ip6");
                let field = match (of, field) {
                    ("ip", "saddr") => Some(Field::SourceV4),
                    ("ip", "daddr") => Some(Field::DestinationV4),
                    ("ip6", "saddr") => Some(Field::SourceV6),
                    ("ip6", "daddr") => Some(Field::DestinationV6),
                    ("ip", "protocol") => Some(Field::Protocol),
                    _ => None,
                };
                (field, Names::Protocol)
            }
            ("icmp" | "icmpv6", _) => {
                let v6 = of == "icmpv6";
                cond.version(v6);
                cond.only_protocol(if v6 { 58 } else { 1 });
                cond.numbers(Numbers::Icmp, &all, &all);
                let field = match field {
                    "type" => Some(Field::Type),
                    "code" => Some(Field::Code),
                    _ => None,
                };
                (field, if v6 { Names::Icmpv6 } else { Names::Icmp })
            }
            ("th", _) => {
                if let Some(field) = ports(field) {
                    cond.numbers(Numbers::Ports, &all, &all);
                    (Some(field), Names::Port)
                } else {
                    (None, Names::Port)
                }
            }
            _ => (None, Names::Port),
        };
        Left { field, cond, names }
    }

    /// Flags of TCP; whether it was about them.
    fn flags(&mut self, left: &Value, op: &str, right: &Value) -> bool {
        let is = |v: &Value| {
            v.get("payload")
                .filter(|p| p.get("tunnel").is_none())
                .is_some_and(|p| (text(p, "protocol"), text(p, "field")) == ("tcp", "flags"))
        };
        let masked = left.get("&").and_then(Value::as_array);
        let mask = match masked.map(Vec::as_slice) {
            Some([flags, mask]) if is(flags) => Some(mask),
            None if is(left) => None,
            Some(_) | None => return false,
        };
        let has = |flag: &str| mask.is_none_or(|m| named_flags(m).any(|f| f == flag));
        let syn = named_flags(right).eq(["syn"]);
        let mut cond = Cond::any();
        cond.only_protocol(6);
        let all = Ranges::all(PORT);
        cond.numbers(Numbers::Ports, &all, &all);
        let reason = "rules ask who may open a connection, not for flags";
        if op == "!=" && syn && has("syn") && has("ack") {
            cond.not_opening(&self.place, reason);
        } else {
            cond.doubt(&self.place, reason);
        }
        self.and(&[cond]);
        true
    }

    /// `ip frag-off & 0x1fff != 0` and the like; whether it was about them.
    fn later_fragments(&mut self, left: &Value, op: &str, right: &Value) -> bool {
        let is = |v: &Value| {
            v.get("payload")
                .filter(|p| p.get("tunnel").is_none())
                .is_some_and(|p| (text(p, "protocol"), text(p, "field")) == ("ip", "frag-off"))
        };
        let masked = left.get("&").and_then(Value::as_array).map(Vec::as_slice);
        let Some([field, mask]) = masked.filter(|m| m.first().is_some_and(is)) else {
            return false;
        };
        let _ = field;
        if op != "!=" || right.as_u64() != Some(0) || mask.as_u64() != Some(0x1fff) {
            return false;
        }
        let mut cond = Cond::any();
        cond.version(false);
        cond.fragments = true;
        cond.doubt(
            &self.place,
            "rules cannot tell later fragments from first ones",
        );
        self.and(&[cond]);
        true
    }

    /// Several fields that are compared with elements of several values.
    fn concat(&self, parts: &[Value], right: &'v Value) -> Option<Vec<Cond>> {
        let parts: Option<Vec<Left>> = parts.iter().map(|p| self.left(p)).collect();
        let parts = parts?;
        let mut conds = Vec::new();
        for element in self.elements(right)? {
            conds.push(self.concat_element(&parts, element)?);
        }
        Some(conds)
    }

    fn concat_element(&self, parts: &[Left], element: &'v Value) -> Option<Cond> {
        let values = element.get("concat").and_then(Value::as_array)?;
        if values.len() != parts.len() {
            return None;
        }
        let mut cond = Cond::any();
        for (part, value) in parts.iter().zip(values) {
            cond = cond.and(&part.cond);
            let field = part.field?;
            cond.field(field, &self.values(value, field, part.names)?);
        }
        Some(cond)
    }

    /// The elements of a set, be it written out or named; none when it may change at run time.
    fn elements(&self, value: &'v Value) -> Option<Vec<&'v Value>> {
        let list = if let Some(name) = value.as_str().and_then(|s| s.strip_prefix('@')) {
            let key = (
                Rc::clone(&self.family),
                Rc::clone(&self.table),
                Rc::from(name),
            );
            let set = self.reader.sets.get(&key)?;
            let flags = set.get("flags").map(named_flags);
            let changes = |f: &str| matches!(f, "dynamic" | "timeout");
            if flags.is_some_and(|mut all| all.any(changes)) || set.get("timeout").is_some() {
                return None;
            }
            match set.get("elem") {
                None => &[],
                Some(list) => list.as_array()?.as_slice(),
            }
        } else {
            match value.get("set") {
                Some(Value::Array(list)) => list.as_slice(),
                Some(one) => std::slice::from_ref(one),
                None => std::slice::from_ref(value),
            }
        };
        self.reader.works(list.len());
        let inner = |e: &'v Value| e.get("elem").and_then(|e| e.get("val")).unwrap_or(e);
        Some(list.iter().map(inner).collect())
    }

    /// The values of a field that an expression on the right stands for.
    fn values(&self, right: &'v Value, field: Field, names: Names) -> Option<Ranges> {
        let mut list = Vec::new();
        for element in self.elements(right)? {
            list.push(bounds(element, field, names)?);
        }
        Some(Ranges::of(field.most(), list))
    }

    /// A verdict for each value; whether the next statement is looked at, which is so for
    /// values whose verdict is `continue`.
    fn map(&mut self, value: &'v Value) -> bool {
        let null = &Value::Null;
        let (key, data) = (
            value.get("key").unwrap_or(null),
            value.get("data").unwrap_or(null),
        );
        self.note_set(data);
        let Some(go_on) = self.mapped(key, data) else {
            self.verdict(Verdict::Unknown(
                "a verdict map that cannot be expressed".into(),
            ));
            return false;
        };
        self.and(&go_on);
        !go_on.is_empty()
    }

    fn note_set(&mut self, value: &Value) {
        if let Some(name) = value.as_str().filter(|s| s.starts_with('@')) {
            self.tell(Kind::Note, format!("{name} with the elements it has now"));
        }
    }

    fn mapped(&mut self, key: &Value, data: &'v Value) -> Option<Vec<Cond>> {
        let parts: Vec<Left> = match key.get("concat").and_then(Value::as_array) {
            Some(parts) => parts.iter().map(|p| self.left(p)).collect::<Option<_>>()?,
            None => vec![self.left(key)?],
        };
        let mut pairs = Vec::new();
        let mut rest = None;
        let mut said = Vec::new();
        for element in self.elements(data)? {
            let [value, verdict] = element.as_array()?.as_slice() else {
                return None;
            };
            let value = value
                .get("elem")
                .and_then(|e| e.get("val"))
                .unwrap_or(value);
            let verdict = self.verdict_of(verdict).ok()?;
            if value.as_str() == Some("*") {
                rest = Some(verdict);
                continue;
            }
            let cond = match &parts[..] {
                [one] => {
                    let field = one.field?;
                    let range = bounds(value, field, one.names)?;
                    said.push(range);
                    let mut cond = one.cond.clone();
                    cond.field(field, &Ranges::of(field.most(), vec![range]));
                    cond
                }
                parts => self.concat_element(parts, value)?,
            };
            pairs.push((cond, verdict));
        }
        if let Some(verdict) = rest {
            let [one] = &parts[..] else {
                return None;
            };
            let field = one.field?;
            let mut cond = one.cond.clone();
            cond.field(field, &Ranges::of(field.most(), said).not());
            pairs.push((cond, verdict));
        }
        if pairs.len().saturating_mul(self.any_of.len()) > MOST_ALTERNATIVES {
            return None;
        }
        let mut go_on = Vec::new();
        for (cond, verdict) in pairs {
            let Some(verdict) = verdict else {
                go_on.push(cond);
                continue;
            };
            let any_of = self.any_of.iter().map(|c| c.and(&cond)).collect();
            self.branches.push(Branch { any_of, verdict });
        }
        Some(go_on)
    }
}

/// Names in a list, or a single one.
fn named_flags(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map(Vec::as_slice);
    let list = list.unwrap_or(std::slice::from_ref(value));
    list.iter().filter_map(Value::as_str)
}

/// Numbers that are less or greater than one.
fn compared(op: &str, ranges: &Ranges, most: u128) -> Option<Ranges> {
    let [(n, last)] = ranges.list() else {
        return None;
    };
    if n != last {
        return None;
    }
    let below = |n: u128| Ranges::of(most, vec![(0, n)]);
    Some(match op {
        "<=" => below(*n),
        ">" => below(*n).not(),
        "<" => n.checked_sub(1).map_or(Ranges::none(most), below),
        _ => n
            .checked_sub(1)
            .map_or(Ranges::all(most), |n| below(n).not()),
    })
}

/// The first and the last value that an element stands for.
fn bounds(element: &Value, field: Field, names: Names) -> Option<(u128, u128)> {
    if let Some([first, last]) = element
        .get("range")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
    {
        return Some((number(first, field, names)?, number(last, field, names)?));
    }
    if let Some(prefix) = element.get("prefix") {
        let address = number(prefix.get("addr")?, field, names)?;
        let length = u32::try_from(prefix.get("len")?.as_u64()?).ok()?;
        let host = field.most().checked_shr(length).unwrap_or(0);
        return Some((address & !host, address | host));
    }
    let n = number(element, field, names)?;
    Some((n, n))
}

fn number(value: &Value, field: Field, names: Names) -> Option<u128> {
    let n = match (value, names) {
        (Value::Number(n), _) => n.as_u64()?.into(),
        (Value::String(s), _) => match (field, names) {
            (Field::SourceV4 | Field::DestinationV4, _) => match s.parse().ok()? {
                IpAddr::V4(a) => a.to_bits().into(),
                IpAddr::V6(_) => return None,
            },
            (Field::SourceV6 | Field::DestinationV6, _) => match s.parse().ok()? {
                IpAddr::V6(a) => a.to_bits(),
                IpAddr::V4(_) => return None,
            },
            (Field::Type, Names::Icmpv6) => names::icmpv6_type(s)?.into(),
            (Field::Type, _) => names::icmp_type(s)?.into(),
            (Field::Code, Names::Icmpv6) => names::icmpv6_code(s)?.into(),
            (Field::Code, _) => names::icmp_code(s)?.into(),
            (Field::Protocol, _) => names::protocol(s)?.into(),
            (Field::SourcePort | Field::DestinationPort, _) => names::port(s)?.into(),
            (Field::Version, _) => match &**s {
                "ipv4" | "ip" => 4,
                "ipv6" | "ip6" => 6,
                _ => return None,
            },
        },
        (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_), _) => return None,
    };
    (n <= field.most()).then_some(n)
}
