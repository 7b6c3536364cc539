//! Reads what `iptables-save` and `ip6tables-save` write.

mod rule;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::cond::Cond;
use super::flow::{Base, Chain};
use super::{Findings, ImportError, Kind, Source};
use rule::Line;

/// The most words on a line.
const MOST_WORDS: usize = 1_000;

/// The order in which packets come by the tables at one hook.
const TABLES: [&str; 5] = ["raw", "mangle", "nat", "filter", "security"];

struct Reader {
    v6: bool,
    table: Rc<str>,
    /// Tables that were there already.
    tables: HashSet<Rc<str>>,
    chains: Vec<Chain>,
    numbers: HashMap<(Rc<str>, Rc<str>), usize>,
    /// Policies of built-in chains: whether they accept, and where that stands.
    policies: HashMap<(Rc<str>, Rc<str>), (bool, u64)>,
    findings: Findings,
}

/// Reads a dump.
pub(super) fn read(text: &str, v6: bool) -> Result<Source, ImportError> {
    let mut reader = Reader {
        v6: v6 || is_v6(text),
        table: "filter".into(),
        tables: HashSet::new(),
        chains: Vec::new(),
        numbers: HashMap::new(),
        policies: HashMap::new(),
        findings: Findings::default(),
    };
    let mut any = false;
    for (line, n) in text.lines().zip(1_u64..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line == "COMMIT" {
            continue;
        }
        any = true;
        reader.line(line, n)?;
    }
    if !any {
        return Err(ImportError::Line {
            line: 1,
            why: "there is no table and no rule",
        });
    }
    Ok(reader.finish())
}

/// Whether a dump is one of ip6tables.
fn is_v6(text: &str) -> bool {
    let head = text.lines().find(|l| l.contains("tables-save"));
    if let Some(head) = head.filter(|l| l.starts_with('#')) {
        return head.contains("ip6tables");
    }
    // Without a head: addresses and protocols tell.
    let mut rules = text.lines().filter(|l| l.contains("-A "));
    rules.any(|l| {
        let words = || l.split_whitespace();
        words().any(|w| matches!(w, "ipv6-icmp" | "icmp6" | "icmp6-port-unreachable"))
            || words().zip(words().skip(1)).any(|(key, value)| {
                matches!(key, "-s" | "-d" | "--source" | "--destination") && value.contains(':')
            })
    })
}

/// The words of a line; what stands in quotes is one.
fn words(line: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.peek().is_none() {
            return Some(out);
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = chars.next_if(|c| quote.is_some() || !c.is_whitespace()) {
            match (c, quote) {
                ('\\', Some('"') | None) => word.push(chars.next()?),
                (c, Some(q)) if c == q => quote = None,
                ('"' | '\'', None) => quote = Some(c),
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() || out.len() >= MOST_WORDS {
            return None;
        }
        out.push(word);
    }
}

impl Reader {
    fn chain(&mut self, name: &str) -> usize {
        let key = (Rc::clone(&self.table), Rc::from(name));
        let next = self.chains.len();
        let n = *self.numbers.entry(key).or_insert(next);
        if n == next {
            let name = if &*self.table == "filter" {
                name.into()
            } else {
                format!("{}.{name}", self.table).into()
            };
            self.chains.push(Chain {
                name,
                rules: Vec::new(),
            });
        }
        n
    }

    fn line(&mut self, line: &str, n: u64) -> Result<(), ImportError> {
        let wrong = |why| ImportError::Line { line: n, why };
        if let Some(table) = line.strip_prefix('*') {
            self.table = table.into();
            // Of two dumps in a file, perhaps of both IP versions, neither says what holds.
            if !self.tables.insert(Rc::clone(&self.table)) {
                return Err(wrong("a table for the second time: one dump in a file"));
            }
            return Ok(());
        }
        // `iptables-save --counters`: packets and bytes in front.
        let rule = match line.strip_prefix('[') {
            Some(rest) => rest.split_once(']').ok_or(wrong("a `]` is missing"))?.1,
            None => line,
        };
        let words = words(rule).ok_or(wrong("a quote is not closed, or it has too many words"))?;
        let mut all = words.iter().map(String::as_str);
        let first = all.next().unwrap_or_default();
        if let Some(name) = first.strip_prefix(':') {
            let policy = all.next().ok_or(wrong("a chain without policy"))?;
            return self.policy(name, policy, n);
        }
        let name = all.next().ok_or(wrong("expected the name of a chain"))?;
        match first {
            "-N" | "--new-chain" => {
                self.chain(name);
                Ok(())
            }
            "-P" | "--policy" => {
                let policy = all.next().ok_or(wrong("a chain without policy"))?;
                self.policy(name, policy, n)
            }
            "-A" | "--append" => {
                let chain = self.chain(name);
                let rest: Vec<&str> = all.collect();
                let rule = Line::new(self, line, n).read(&rest);
                if let Some(chain) = self.chains.get_mut(chain) {
                    chain.rules.push(rule);
                }
                Ok(())
            }
            _ => Err(wrong(
                "expected `*table`, `:chain policy`, `-A chain rule` or `COMMIT`",
            )),
        }
    }

    fn policy(&mut self, name: &str, policy: &str, n: u64) -> Result<(), ImportError> {
        let accept = match policy {
            "-" => {
                self.chain(name);
                return Ok(());
            }
            "ACCEPT" => true,
            "DROP" => false,
            _ => {
                return Err(ImportError::Line {
                    line: n,
                    why: "a policy is ACCEPT or DROP",
                });
            }
        };
        self.chain(name);
        let key = (Rc::clone(&self.table), Rc::from(name));
        self.policies.insert(key, (accept, n));
        Ok(())
    }

    fn finish(mut self) -> Source {
        for (table, chain) in self.numbers.keys() {
            if !TABLES.contains(&&**table) {
                let reason = "a table that is not known: its rules are not looked at";
                let place = format!("chain {chain} of table {table}");
                self.findings.tell(&place, "", Kind::Note, reason);
            }
        }
        let hooks = |hooks: &[&str]| {
            let mut out = Vec::new();
            for hook in hooks {
                for table in TABLES {
                    out.extend(self.base(table, hook));
                }
            }
            out
        };
        let inbound = hooks(&["PREROUTING", "INPUT"]);
        let outbound = hooks(&["OUTPUT", "POSTROUTING"]);
        let through = hooks(&["PREROUTING", "FORWARD", "POSTROUTING"]);
        let mut all = Cond::any();
        all.version(self.v6);
        let version = if self.v6 { "IPv4" } else { "IPv6" };
        let reason = format!("{version} is not in this dump: all of it is denied");
        self.findings.tell("the whole", "", Kind::Note, reason);
        Source {
            chains: self.chains,
            inbound,
            outbound,
            through,
            findings: self.findings,
            all,
        }
    }

    fn base(&self, table: &str, hook: &str) -> Option<Base> {
        let key = (Rc::from(table), Rc::from(hook));
        let chain = *self.numbers.get(&key)?;
        let (accept, line) = self.policies.get(&key).copied().unwrap_or((true, 0));
        let place: Rc<str> = format!("line {line}").into();
        let mut cond = Cond::any();
        if table == "nat" {
            cond.doubt(
                &place,
                "a chain of nat sees the first packet of a connection only",
            );
        }
        Some(Base {
            chain,
            cond,
            accept,
            place,
        })
    }
}
