//! The statements of a rule: what it does with a packet.

use std::rc::Rc;

use serde_json::Value;

use super::{MOST_WORK, Reader, only, text};
use crate::import::Kind;
use crate::import::cond::Cond;
use crate::import::flow::{Branch, Verdict};

/// The most conditions that the elements of sets come to in one rule.
pub(super) const MOST_ALTERNATIVES: usize = 5_000;

/// Reads the statements of a rule, one after the other.
pub(super) struct Statements<'r, 'v> {
    pub(super) reader: &'r mut Reader<'v>,
    pub(super) family: Rc<str>,
    pub(super) table: Rc<str>,
    pub(super) place: Rc<str>,
    pub(super) text: Rc<str>,
    /// What the statements so far ask for: one of these.
    pub(super) any_of: Vec<Cond>,
    pub(super) branches: Vec<Branch>,
}

impl<'v> Statements<'_, 'v> {
    pub(super) fn tell(&mut self, kind: Kind, reason: impl Into<String>) {
        let (place, text) = (&*self.place, &*self.text);
        self.reader.findings.tell(place, text, kind, reason);
    }

    pub(super) fn doubt(&mut self, reason: &str) {
        let reason: Rc<str> = reason.into();
        for cond in &mut self.any_of {
            cond.doubt(&self.place, Rc::clone(&reason));
        }
    }

    pub(super) fn and(&mut self, conds: &[Cond]) {
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

    pub(super) fn verdict(&mut self, verdict: Verdict) {
        self.branches.push(Branch {
            any_of: self.any_of.clone(),
            verdict,
        });
    }

    /// Takes a statement; whether the next one is looked at.
    pub(super) fn statement(&mut self, statement: &'v Value) -> bool {
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
    pub(super) fn verdict_of(&self, value: &Value) -> Result<Option<Verdict>, ()> {
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
}
