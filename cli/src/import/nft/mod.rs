//! Reads what `nft --json list ruleset` writes.

mod expression;
mod statement;
mod value;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use serde_json::Value;

use super::cond::Cond;
use super::flow::{Base, Chain, SourceRule};
use super::{Findings, ImportError, Kind, Source};
use statement::Statements;
use value::named_flags;

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
    /// Family and name of the tables that are there and not in force.
    dormant: HashSet<(&'v str, &'v str)>,
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
    for table in objects.iter().filter_map(|o| o.get("table")) {
        reader.table(table);
    }
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

    /// A table with the flag `dormant` hooks none of its chains: it decides nothing.
    fn table(&mut self, value: &'v Value) {
        let mut flags = value.get("flags").into_iter().flat_map(named_flags);
        if flags.any(|f| f == "dormant") {
            let (family, name) = (text(value, "family"), text(value, "name"));
            self.dormant.insert((family, name));
            let place = format!("table {family} {name}");
            let reason = "it is dormant, so it decides nothing: none of its rules is imported";
            self.findings.tell(&place, "", Kind::Note, reason);
        }
    }

    fn is_dormant(&self, object: &Value) -> bool {
        self.dormant
            .contains(&(text(object, "family"), text(object, "table")))
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
        let hook = value.get("hook").and_then(Value::as_str);
        let Some(hook) = hook.filter(|_| !self.is_dormant(value)) else {
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
        if self.is_dormant(rule) {
            return;
        }
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
