//! `hostward policy show`.

use std::io::{self, BufWriter, Write};

use clap::Args;
use hostward::filter::RuleSet;
use hostward::ike::policy::PeerProof;
use hostward_policy::Severity;
use serde::Serialize;

use super::super::Outcome;
use super::ready::Ready;
use super::tell::{colours, messages, number};
use super::words::{At, RuleJson, SettingsJson, filters_text, rule_text, settings_text};
use super::zert::{ZertRuleJson, zert_text};
use super::{EXIT_CODES, PolicyFiles, not_ready};
use crate::escape::escaped;
use crate::report::json::write_line;

/// Arguments of `policy show`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
#[non_exhaustive]
pub struct Show {
    /// The files.
    #[command(flatten)]
    pub policy: PolicyFiles,

    /// Tell the simple filters each rule stands for, numbered as events number them
    #[arg(long)]
    pub expand: bool,

    /// Write one JSON object instead of a text to read
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct SetJson<'a> {
    file: Option<&'a str>,
    settings: SettingsJson,
    rules: Vec<RuleJson<'a>>,
}

#[derive(Serialize)]
struct ShowJson<'a> {
    r#type: &'static str,
    stack: Option<&'a str>,
    in_force: &'static str,
    policy: Option<SetJson<'a>>,
    defaults: Option<SetJson<'a>>,
    zert: Option<Vec<ZertRuleJson<'a>>>,
}

impl Show {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Those of writing to standard output.
    pub fn run(self) -> io::Result<Outcome> {
        let ready = match Ready::new(self.policy.wanted(), None) {
            Ok(ready) => ready,
            Err(error) => return Ok(not_ready(&error)),
        };
        if ready.diagnostics.has_errors() {
            let text = messages(&ready, colours(&io::stderr()), Severity::Error);
            // A closed standard error is no reason for another exit code.
            let _ = io::stderr().write_all(text.as_bytes());
            return Ok(Outcome::Failed);
        }
        let mut out = BufWriter::new(io::stdout().lock());
        if self.json {
            self.json(&ready, &mut out)?;
        } else {
            out.write_all(self.text(&ready).as_bytes())?;
        }
        out.flush()?;
        Ok(Outcome::Done)
    }

    fn json(&self, ready: &Ready, out: &mut impl Write) -> io::Result<()> {
        let policy = ready.policy.as_ref().map(|p| &p.rule_set);
        let defaults = ready.defaults.as_ref().map(|(set, _)| set);
        write_line(
            out,
            &ShowJson {
                r#type: "policy",
                stack: ready.stack.as_deref(),
                in_force: match (policy, defaults) {
                    (Some(_), _) => "policy",
                    (None, _) => "defaults",
                },
                policy: policy.map(|set| SetJson {
                    file: None,
                    settings: SettingsJson::of(set.settings()),
                    rules: self.rules_json(set, |i| At::of(ready.place(i))),
                }),
                defaults: defaults.map(|set| SetJson {
                    file: ready.profile_name(),
                    settings: SettingsJson::of(set.settings()),
                    rules: self.rules_json(set, |_| At::default()),
                }),
                zert: ready.zert.as_ref().map(|zert| {
                    let rules = zert.rule_set.rules().iter().enumerate();
                    rules
                        .map(|(i, rule)| ZertRuleJson::of(i + 1, rule, At::of(ready.zert_place(i))))
                        .collect()
                }),
            },
        )
    }

    fn rules_json<'a>(&self, set: &'a RuleSet, at: impl Fn(usize) -> At<'a>) -> Vec<RuleJson<'a>> {
        let rules = set.rules().iter().enumerate();
        rules
            .map(|(i, rule)| RuleJson::of(i + 1, rule, set, at(i), self.expand))
            .collect()
    }

    fn text(&self, ready: &Ready) -> String {
        let mut out = String::new();
        let stack = ready.stack.as_deref();
        let of_stack = stack.map_or_else(String::new, |s| format!(" of stack {}", escaped(s)));
        if let Some(policy) = &ready.policy {
            let set = &policy.rule_set;
            let rules = number(set.rules().len() as u64, "rule");
            out +=
                &format!("IP filter policy{of_stack}: {rules}, the first that matches decides\n");
            self.set(&mut out, set, |i| At::of(ready.place(i)));
        } else if ready.zert.is_none() || ready.defaults.is_some() {
            out += &format!("No IP filter policy{of_stack}: the default rules are in force\n");
        }
        if let Some((set, _)) = &ready.defaults {
            let when = if ready.policy.is_some() {
                ", in force while there is no policy"
            } else {
                ""
            };
            let file = escaped(ready.profile_name().unwrap_or_default());
            out += &format!("\nDefault rules of {file}{when}\n");
            self.set(&mut out, set, |_| At::default());
        }
        if let Some(ike) = ready.ike.as_ref().filter(|ike| !is_empty(ike)) {
            let rules = number(ike.rules().len() as u64, "rule");
            out += &format!(
                "\nKey exchange policy{of_stack}: {rules}, the first that matches decides\n"
            );
            for (i, rule) in ike.rules().iter().enumerate() {
                let offers = number(rule.action.offers.len() as u64, "offer");
                let peer = match rule.peer_proof() {
                    PeerProof::SharedKey => "a shared key",
                    PeerProof::Certificate => "a certificate",
                };
                out += &format!(
                    "{:5} {}: by {} with {offers}; this host proves itself by {}, the peer by {peer}\n",
                    i + 1,
                    escaped(&rule.name),
                    escaped(&rule.action.name),
                    rule.action.auth_me.name(),
                );
            }
            for action in ike.actions() {
                let offers = number(action.offers.len() as u64, "offer");
                out += &format!(
                    "      dynamic tunnels {}: {offers}\n",
                    escaped(&action.name)
                );
            }
            for rule in ike.auto_activate() {
                out += &format!("      started by itself: {}\n", escaped(&rule.name));
            }
        }
        if let Some(zert) = &ready.zert {
            if !out.is_empty() {
                out.push('\n');
            }
            let rules = number(zert.rule_set.rules().len() as u64, "rule");
            out += &format!("zERT policy{of_stack}: {rules}, the first that matches decides\n\n");
            for (i, rule) in zert.rule_set.rules().iter().enumerate() {
                for line in zert_text(i + 1, rule, At::of(ready.zert_place(i))).lines() {
                    out += &escaped(line);
                    out.push('\n');
                }
                out.push('\n');
            }
            out += "      everything else is permitted\n";
        }
        out
    }

    fn set<'a>(&self, out: &mut String, set: &'a RuleSet, at: impl Fn(usize) -> At<'a>) {
        *out += &format!("Settings: {}\n\n", settings_text(set.settings()));
        for (i, rule) in set.rules().iter().enumerate() {
            let mut text = String::new();
            rule_text(&mut text, i + 1, rule, set, at(i));
            if self.expand {
                filters_text(&mut text, rule);
            }
            // Names of files may hold anything; what comes from policies may not.
            for line in text.lines() {
                *out += &escaped(line);
                out.push('\n');
            }
            out.push('\n');
        }
        *out += "      everything else is denied\n";
    }
}

/// Whether a policy says nothing of key exchange.
fn is_empty(ike: &hostward::ike::policy::Policy) -> bool {
    ike.rules().is_empty() && ike.actions().is_empty()
}
