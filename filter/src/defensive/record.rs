//! Filters as text: one a line, each with a checksum of its own.
//!
//! ```text
//! hostward defensive filters 1
//! 0a1b2c3d stack=TCPIP id=7 ext=1 global=no … lifetime=30 name=scan
//! end 1
//! ```
//!
//! A line that is damaged takes only itself away, and that is told.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::ops::RangeInclusive;
use core::str::FromStr;

use hostward_hook::time::UnixTime;

use super::{DefensiveDirection, DefensiveFilter, DefensiveMode, check_name};
use crate::address::AddressSpec;
use crate::service::{RuleRouting, Upper};

const HEAD: &str = "hostward defensive filters 1";

/// The greatest number of a filter that is read.
const ID_MAX: u64 = u64::MAX / 2;

/// A filter as it is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The stack; `None` for a master copy.
    pub(super) stack: Option<Arc<str>>,
    pub(super) id: u64,
    pub(super) extension: u32,
    pub(super) global: bool,
    pub(super) created: UnixTime,
    pub(super) updated: UnixTime,
    pub(super) expires: UnixTime,
    pub(super) filter: DefensiveFilter,
}

/// Something in a saved text that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The first line is not that of such a text, or of another version.
    #[error("line 1: expected `{HEAD}`")]
    Head,
    /// A line is not as it was written: its checksum is wrong or its content cannot be read.
    #[error("line {line}: {why}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// The last line is missing or counts other filters: the text was cut off.
    #[error("the text is cut off: expected a last line `end {found}` behind {found} filters")]
    Cut {
        /// How many lines with filters there were.
        found: usize,
    },
}

/// Filters as text.
#[must_use]
pub fn encode(records: &[Record]) -> Vec<u8> {
    let mut text = format!("{HEAD}\n");
    for record in records {
        let line = line(record);
        let _ = writeln!(text, "{:08x} {line}", crc32fast::hash(line.as_bytes()));
    }
    let _ = writeln!(text, "end {}", records.len());
    text.into_bytes()
}

/// Filters from text: all lines that are whole, and what is wrong with the others. Linear, and
/// never more filters than lines.
#[must_use]
pub fn decode(bytes: &[u8]) -> (Vec<Record>, Vec<Damage>) {
    let mut records = Vec::new();
    let mut damage = Vec::new();
    let mut lines = bytes.split(|b| *b == b'\n').enumerate();
    if lines.next().is_none_or(|(_, l)| l != HEAD.as_bytes()) {
        damage.push(Damage::Head);
    }
    let mut found = 0;
    let mut ended = false;
    for (at, bytes) in lines {
        if bytes.is_empty() {
            continue;
        }
        let text = core::str::from_utf8(bytes).ok();
        if let Some(count) = text.and_then(|t| t.strip_prefix("end ")) {
            ended = count.parse() == Ok(found);
            continue;
        }
        found += 1;
        ended = false;
        let whole = text
            .and_then(|t| t.split_once(' '))
            .filter(|(sum, l)| u32::from_str_radix(sum, 16) == Ok(crc32fast::hash(l.as_bytes())));
        let why = match whole {
            None => "its checksum is wrong",
            Some((_, line)) => match read(line) {
                Some(record) => {
                    records.push(record);
                    continue;
                }
                None => "it cannot be read",
            },
        };
        damage.push(Damage::Line { line: at + 1, why });
    }
    if !ended {
        damage.push(Damage::Cut { found });
    }
    (records, damage)
}

fn line(r: &Record) -> String {
    let f = &r.filter;
    let mut out = String::new();
    if let Some(stack) = &r.stack {
        let _ = write!(out, "stack={stack} ");
    }
    let direction = match f.direction {
        DefensiveDirection::Inbound => "in",
        DefensiveDirection::Outbound => "out",
        DefensiveDirection::Both => "both",
    };
    let routing = match f.routing {
        RuleRouting::Local => "local",
        RuleRouting::Routed => "routed",
        RuleRouting::Either => "either",
    };
    let mode = match f.mode {
        DefensiveMode::Block => "block",
        DefensiveMode::Simulate => "simulate",
    };
    let _ = write!(
        out,
        "id={} ext={} global={} created={} updated={} expires={} source={} destination={} \
         upper={} fragments={} direction={direction} routing={routing} mode={mode} log={}",
        r.id,
        r.extension,
        yes(r.global),
        r.created.as_micros(),
        r.updated.as_micros(),
        r.expires.as_micros(),
        f.source,
        f.destination,
        upper(&f.upper),
        yes(f.fragments_only),
        yes(f.log),
    );
    if let Some(limit) = f.log_limit {
        let _ = write!(out, " limit={limit}");
    }
    let _ = write!(out, " lifetime={} name={}", f.lifetime, f.name);
    out
}

const fn yes(b: bool) -> &'static str {
    if b { "yes" } else { "no" }
}

fn upper(u: &Upper) -> String {
    match u {
        Upper::Any => "any".into(),
        Upper::Opaque => "opaque".into(),
        Upper::Protocol(p) => format!("{p}"),
        Upper::Ports {
            protocol,
            source,
            destination,
        } => format!("{protocol}/ports/{}/{}", range(source), range(destination)),
        Upper::Icmp {
            protocol,
            types,
            codes,
        } => format!("{protocol}/icmp/{}/{}", range(types), range(codes)),
        Upper::Type { protocol, types } => format!("{protocol}/type/{}", range(types)),
    }
}

fn range<T: core::fmt::Display>(r: &RangeInclusive<T>) -> String {
    format!("{}-{}", r.start(), r.end())
}

fn read(line: &str) -> Option<Record> {
    let field = |name: &str| {
        line.split(' ')
            .find_map(|f| f.strip_prefix(name)?.strip_prefix('='))
    };
    let number = |name| field(name)?.parse::<u64>().ok();
    let small = |name| field(name)?.parse::<u32>().ok();
    let flag = |name| match field(name)? {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    let name = field("name")?;
    check_name(name).ok()?;
    let mut filter = DefensiveFilter::new(name)
        .source(field("source")?.parse::<AddressSpec>().ok()?)
        .destination(field("destination")?.parse::<AddressSpec>().ok()?)
        .upper(read_upper(field("upper")?)?)
        .lifetime(small("lifetime")?);
    filter.fragments_only = flag("fragments")?;
    filter.log = flag("log")?;
    filter.log_limit = match field("limit") {
        Some(_) => Some(small("limit")?),
        None => None,
    };
    filter.direction = match field("direction")? {
        "in" => DefensiveDirection::Inbound,
        "out" => DefensiveDirection::Outbound,
        "both" => DefensiveDirection::Both,
        _ => return None,
    };
    filter.routing = match field("routing")? {
        "local" => RuleRouting::Local,
        "routed" => RuleRouting::Routed,
        "either" => RuleRouting::Either,
        _ => return None,
    };
    filter.mode = match field("mode")? {
        "block" => DefensiveMode::Block,
        "simulate" => DefensiveMode::Simulate,
        _ => return None,
    };
    filter.check(super::LIFETIME_MAX).ok()?;
    Some(Record {
        stack: field("stack").map(Into::into),
        // Numbers count up from what is read: nobody ever wrote one near the end.
        id: number("id").filter(|id| *id <= ID_MAX)?,
        extension: small("ext")?,
        global: flag("global")?,
        created: UnixTime::from_micros(number("created")?),
        updated: UnixTime::from_micros(number("updated")?),
        expires: UnixTime::from_micros(number("expires")?),
        filter,
    })
}

fn read_upper(text: &str) -> Option<Upper> {
    match text {
        "any" => return Some(Upper::Any),
        "opaque" => return Some(Upper::Opaque),
        _ => {}
    }
    let mut parts = text.split('/');
    let protocol = parts.next()?.parse().ok()?;
    let upper = match parts.next() {
        None => Upper::Protocol(protocol),
        Some("ports") => Upper::Ports {
            protocol,
            source: read_range(parts.next()?)?,
            destination: read_range(parts.next()?)?,
        },
        Some("icmp") => Upper::Icmp {
            protocol,
            types: read_range(parts.next()?)?,
            codes: read_range(parts.next()?)?,
        },
        Some("type") => Upper::Type {
            protocol,
            types: read_range(parts.next()?)?,
        },
        Some(_) => return None,
    };
    parts.next().is_none().then_some(upper)
}

fn read_range<T: FromStr>(text: &str) -> Option<RangeInclusive<T>> {
    let (first, last) = text.split_once('-')?;
    Some(first.parse().ok()?..=last.parse().ok()?)
}
