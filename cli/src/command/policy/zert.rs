//! zERT rules in words.

use std::fmt::{self, Write as _};
use std::ops::RangeInclusive;

use hostward::zert::enforce::{Action, Addresses, NamePattern, Opened, Rule};
use hostward_policy::zert::words;
use serde::Serialize;

use super::words::At;

fn addresses(list: &[Addresses]) -> Vec<String> {
    let one = |a: &Addresses| match a {
        Addresses::AllV4 => "all IPv4".into(),
        Addresses::AllV6 => "all IPv6".into(),
        Addresses::Range { first, last } if first == last => first.to_string(),
        Addresses::Range { first, last } => format!("{first}-{last}"),
        Addresses::All | _ => "all".into(),
    };
    list.iter().map(one).collect()
}

fn ports(list: &[RangeInclusive<u16>]) -> Vec<[u16; 2]> {
    list.iter().map(|r| [*r.start(), *r.end()]).collect()
}

fn names(list: &[NamePattern]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

const fn opened(opened: Opened) -> &'static str {
    match opened {
        Opened::Both => "both",
        Opened::Inbound => "inbound",
        Opened::Outbound => "outbound",
    }
}

fn actions(action: &Action) -> Vec<&'static str> {
    let all = [
        (action.syslog, "syslog"),
        (action.console, "console"),
        (action.audit, "audit"),
        (action.reset, "reset"),
    ];
    all.into_iter().filter(|a| a.0).map(|a| a.1).collect()
}

/// A rule in a few lines.
pub(super) fn zert_text(number: usize, rule: &Rule, at: At<'_>) -> String {
    let mut out = format!("{number:>4}  {}", rule.name);
    if let (Some(file), Some(line)) = (at.file, at.line) {
        let _ = write!(out, "  {file}:{line}");
    }
    let _ = writeln!(out, "  priority {}", rule.priority);
    let _ = writeln!(out, "      {}", words(&rule.protection));
    let mut only = |what: &str, list: &[String]| {
        if !list.is_empty() {
            let _ = writeln!(out, "      {what} {}", list.join(", "));
        }
    };
    let range = |list: &[RangeInclusive<u16>]| -> Vec<String> {
        let shown = |[a, b]: [u16; 2]| {
            if a == b {
                a.to_string()
            } else {
                format!("{a}-{b}")
            }
        };
        ports(list).into_iter().map(shown).collect()
    };
    only("local", &addresses(&rule.local));
    only("local port", &range(&rule.local_ports));
    only("remote", &addresses(&rule.remote));
    only("remote port", &range(&rule.remote_ports));
    only("job", &names(&rule.jobs));
    only("user", &names(&rule.users));
    if rule.opened != Opened::Both {
        only("opened", &[opened(rule.opened).into()]);
    }
    let done = actions(&rule.action);
    let done = if done.is_empty() {
        "permit".into()
    } else {
        done.join(", ")
    };
    let _ = writeln!(out, "      {}: {done}", Named(&rule.action.name));
    out
}

struct Named<'n>(&'n str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "action" } else { self.0 })
    }
}

/// A rule as JSON.
#[derive(Serialize)]
pub(super) struct ZertRuleJson<'a> {
    number: usize,
    name: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    priority: u32,
    protection: String,
    local: Vec<String>,
    local_ports: Vec<[u16; 2]>,
    remote: Vec<String>,
    remote_ports: Vec<[u16; 2]>,
    jobs: Vec<String>,
    users: Vec<String>,
    opened: &'static str,
    action: &'a str,
    actions: Vec<&'static str>,
}

impl<'a> ZertRuleJson<'a> {
    pub(super) fn of(number: usize, rule: &'a Rule, at: At<'a>) -> Self {
        Self {
            number,
            name: &rule.name,
            file: at.file,
            line: at.line,
            priority: rule.priority,
            protection: words(&rule.protection),
            local: addresses(&rule.local),
            local_ports: ports(&rule.local_ports),
            remote: addresses(&rule.remote),
            remote_ports: ports(&rule.remote_ports),
            jobs: names(&rule.jobs),
            users: names(&rule.users),
            opened: opened(rule.opened),
            action: &rule.action.name,
            actions: actions(&rule.action),
        }
    }
}
