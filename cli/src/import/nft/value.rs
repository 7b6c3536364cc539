//! Values on the right of a comparison: numbers, names, ranges, sets.

use std::net::IpAddr;
use std::rc::Rc;

use serde_json::Value;

use super::statement::Statements;
use crate::import::cond::Field;
use crate::import::ranges::Ranges;
use crate::import::{Kind, names};

/// Whose names values may have.
#[derive(Clone, Copy)]
pub(super) enum Names {
    Protocol,
    Port,
    Icmp,
    Icmpv6,
    Version,
}

impl<'v> Statements<'_, 'v> {
    /// The elements of a set, be it written out or named; none when it may change at run time.
    pub(super) fn elements(&self, value: &'v Value) -> Option<Vec<&'v Value>> {
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
    pub(super) fn values(&self, right: &'v Value, field: Field, names: Names) -> Option<Ranges> {
        let mut list = Vec::new();
        for element in self.elements(right)? {
            list.push(bounds(element, field, names)?);
        }
        Some(Ranges::of(field.most(), list))
    }

    pub(super) fn note_set(&mut self, value: &Value) {
        if let Some(name) = value.as_str().filter(|s| s.starts_with('@')) {
            self.tell(Kind::Note, format!("{name} with the elements it has now"));
        }
    }
}

/// Names in a list, or a single one.
pub(super) fn named_flags(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map(Vec::as_slice);
    let list = list.unwrap_or(std::slice::from_ref(value));
    list.iter().filter_map(Value::as_str)
}

/// Numbers that are less or greater than one.
pub(super) fn compared(op: &str, ranges: &Ranges, most: u128) -> Option<Ranges> {
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
pub(super) fn bounds(element: &Value, field: Field, names: Names) -> Option<(u128, u128)> {
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
