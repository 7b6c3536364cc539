//! What a rule asks of packets: matches and verdict maps.

use serde_json::Value;

use super::statement::{MOST_ALTERNATIVES, Statements};
use super::value::{Names, bounds, compared, named_flags};
use super::{only, text};
use crate::import::cond::{Cond, Field, Numbers};
use crate::import::flow::{Branch, Verdict};
use crate::import::ranges::Ranges;

const PORT: u128 = u16::MAX as u128;
const BYTE: u128 = u8::MAX as u128;

/// What an expression reads of a packet, and what reading it asks for.
struct Left {
    field: Option<Field>,
    cond: Cond,
    /// Names of values belong to this.
    names: Names,
}

impl<'v> Statements<'_, 'v> {
    pub(super) fn matches(&mut self, value: &'v Value) {
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

    /// A verdict for each value; whether the next statement is looked at, which is so for
    /// values whose verdict is `continue`.
    pub(super) fn map(&mut self, value: &'v Value) -> bool {
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
