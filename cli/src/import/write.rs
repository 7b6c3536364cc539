//! The list as a policy.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use super::ImportError;
use super::cond::{Cond, Doubt, Instead, Numbers};
use super::flow::{Entry, Way};
use super::ranges::Ranges;
use crate::escape::escaped;

/// The longest policy, in bytes.
const MOST_TEXT: usize = 16 << 20;
/// The longest name of a rule.
const MOST_NAME: usize = 32;
/// The most combinations of address and service that one rule may stand for.
const MOST_FILTERS: usize = 200_000;

/// The most services of one rule.
const MOST_SERVICES: usize = 20_000;

const BYTE: u128 = u8::MAX as u128;
const PORT: u128 = u16::MAX as u128;

/// The part of a condition that a rule for this way can ask for, and what it cannot.
pub(super) fn sayable(cond: &Cond, way: Way, place: &Rc<str>) -> (Cond, Vec<Doubt>) {
    let mut cond = cond.clone();
    let mut more = Vec::new();
    let only = |wanted: &[u8]| {
        cond.protocol.as_ref().is_some_and(|p| {
            let mut all = p.list().iter();
            all.all(|(first, last)| {
                last - first <= 1
                    && (*first..=*last).all(|n| wanted.iter().any(|w| u128::from(*w) == n))
            })
        })
    };
    let refused = match (cond.numbers, way) {
        (Numbers::None, _) => None,
        (Numbers::Ports, Way::Through) => Some("ports of forwarded traffic cannot be asked for"),
        (Numbers::Icmp, Way::Through) => Some("types of forwarded traffic cannot be asked for"),
        (Numbers::Ports, _) if !only(&[6, 17]) => {
            Some("ports can be asked for with TCP and UDP only")
        }
        (Numbers::Icmp, _) if !only(&[1, 58]) => {
            Some("types can be asked for with ICMP and ICMPv6 only")
        }
        (Numbers::Ports | Numbers::Icmp, _) => None,
    };
    if let Some(reason) = refused {
        more.push(Doubt {
            place: Rc::clone(place),
            reason: reason.into(),
            instead: Instead::Nothing,
        });
        cond.numbers = Numbers::None;
        cond.a = Ranges::all(PORT);
        cond.b = Ranges::all(PORT);
    }
    (cond, more)
}

/// Port 0 alone cannot be asked for, since `0` stands for every port: a permit asks for the other
/// ports only, a deny for port 1 also.
pub(super) fn port_zero(cond: &Cond, permit: bool, place: &Rc<str>) -> (Cond, Vec<Doubt>) {
    let mut cond = cond.clone();
    let mut more = Vec::new();
    if cond.numbers != Numbers::Ports {
        return (cond, more);
    }
    for ports in [&mut cond.a, &mut cond.b] {
        if ports.list().first() != Some(&(0, 0)) {
            continue;
        }
        let without = ports.list().get(1..).unwrap_or_default().to_vec();
        let (list, instead) = if permit && !without.is_empty() {
            (without, Instead::Narrowed)
        } else {
            let list = ports.list().iter().copied().chain([(0, 1)]).collect();
            (list, Instead::Nothing)
        };
        more.push(Doubt {
            place: Rc::clone(place),
            reason: "port 0 alone cannot be asked for".into(),
            instead,
        });
        *ports = Ranges::of(PORT, list);
    }
    (cond, more)
}

/// Writes policies.
#[derive(Debug, Default)]
pub(super) struct Writer {
    refs: String,
    rules: String,
    names: BTreeSet<String>,
    pub(super) count: usize,
}

impl Writer {
    pub(super) fn entry(&mut self, entry: &Entry) -> Result<(), ImportError> {
        let cond = &entry.cond;
        let ends = [&cond.source, &cond.destination];
        let both = cond.has_version(false) && cond.has_version(true);
        let all = ends.iter().all(|e| e.iter().all(Ranges::is_all));
        if both && all {
            return self.rule(entry, None);
        }
        for v6 in [false, true] {
            if cond.has_version(v6) {
                self.rule(entry, Some(v6))?;
            }
        }
        Ok(())
    }

    fn rule(&mut self, entry: &Entry, v6: Option<bool>) -> Result<(), ImportError> {
        let cond = &entry.cond;
        let pick = |[four, six]: &[Ranges; 2]| match v6 {
            None => (None, 1),
            Some(false) => (Some(four.clone()), four.list().len()),
            Some(true) => (Some(six.clone()), six.list().len()),
        };
        let ((source, m), (destination, n)) = (pick(&cond.source), pick(&cond.destination));
        if service_count(cond) > MOST_SERVICES {
            return Err(ImportError::TooMuch);
        }
        let services = services(entry);
        if m.saturating_mul(n).saturating_mul(services.len()) > MOST_FILTERS {
            return Err(ImportError::TooMuch);
        }
        let name = self.name(&entry.name);
        // Writing into a String cannot fail.
        let _ = writeln!(self.refs, "  IpFilterRuleRef {name}");
        let out = &mut self.rules;
        let text: String = entry.text.chars().take(300).collect();
        let text = comment("# ", &text);
        let _ = write!(out, "\n{text}IpFilterRule {name}\n{{\n");
        address(out, "IpSourceAddr", source.as_ref(), v6);
        address(out, "IpDestAddr", destination.as_ref(), v6);
        if let [service] = &services[..] {
            block(out, "  ", "IpService", service);
        } else {
            out.push_str("  IpServiceGroup\n  {\n");
            for service in &services {
                block(out, "    ", "IpService", service);
            }
            out.push_str("  }\n");
        }
        let action = if entry.permit { "Permit" } else { "Deny" };
        let mut lines = vec![format!("IpFilterAction {action}")];
        if entry.tell {
            lines.push("DiscardAction ICMP".into());
        }
        block(out, "  ", "IpGenericFilterAction", &lines);
        out.push_str("}\n");
        self.count += 1;
        if self.rules.len() > MOST_TEXT {
            return Err(ImportError::TooMuch);
        }
        Ok(())
    }

    /// A name of its own for a rule.
    fn name(&mut self, wanted: &str) -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let clean = wanted.chars().map(|c| if fits(c) { c } else { '_' });
        let mut clean: String = clean.collect();
        if !clean.starts_with(|c: char| c.is_ascii_alphabetic()) {
            clean.insert(0, 'R');
        }
        let shortened = |room: usize| {
            // What tells rules apart stands at the end.
            let (chain, number) = clean.rsplit_once('.').unwrap_or((&clean, ""));
            let room = room.saturating_sub(number.len() + 1);
            let chain: String = chain.chars().take(room).collect();
            format!("{chain}.{number}")
        };
        let mut name = shortened(MOST_NAME);
        for n in 2_u32.. {
            if self.names.insert(name.clone()) {
                break;
            }
            let suffix = format!("-{n}");
            name = shortened(MOST_NAME - suffix.len()) + &suffix;
        }
        name
    }

    /// The whole policy.
    pub(super) fn finish(self, head: &str) -> String {
        format!("{head}IpFilterPolicy\n{{\n{}}}\n{}", self.refs, self.rules)
    }
}

/// A line that is a comment, whatever the text is.
pub(super) fn comment(begin: &str, text: &str) -> String {
    let mut line = format!("{begin}{}", escaped(text));
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

fn block(out: &mut String, indent: &str, keyword: &str, lines: &[String]) {
    let _ = write!(out, "{indent}{keyword}\n{indent}{{\n");
    for line in lines {
        let _ = writeln!(out, "{indent}  {line}");
    }
    let _ = writeln!(out, "{indent}}}");
}

/// One end of a rule.
fn address(out: &mut String, keyword: &str, ranges: Option<&Ranges>, v6: Option<bool>) {
    let all = match v6 {
        None => "All",
        Some(false) => "All4",
        Some(true) => "All6",
    };
    let v6 = v6 == Some(true);
    let Some(ranges) = ranges.filter(|r| !r.is_all()) else {
        let _ = writeln!(out, "  {keyword} {all}");
        return;
    };
    if let [range] = ranges.list() {
        let _ = writeln!(out, "  {keyword} {}", spec(*range, v6).1);
        return;
    }
    let _ = write!(out, "  {keyword}Group\n  {{\n");
    for range in ranges.list() {
        let (keyword, text) = spec(*range, v6);
        if keyword == "Addr" {
            block(out, "    ", "IpAddr", &[format!("Addr {text}")]);
        } else {
            block(out, "    ", "IpAddrSet", &[format!("{keyword} {text}")]);
        }
    }
    out.push_str("  }\n");
}

/// A range of addresses: an address, a prefix where it is one, or both ends.
fn spec((first, last): (u128, u128), v6: bool) -> (&'static str, String) {
    let address = |n: u128| -> IpAddr {
        if v6 {
            Ipv6Addr::from_bits(n).into()
        } else {
            Ipv4Addr::from_bits(u32::try_from(n).unwrap_or(u32::MAX)).into()
        }
    };
    if first == last {
        return ("Addr", address(first).to_string());
    }
    let width = if v6 { 128 } else { 32 };
    let host = first ^ last;
    // The last differs from the first in low bits only, which are 0 in the first.
    if host & (host.wrapping_add(1)) == 0 && first & host == 0 {
        let length = width - (128 - host.leading_zeros());
        return ("Prefix", format!("{}/{length}", address(first)));
    }
    ("Range", format!("{}-{}", address(first), address(last)))
}

/// At most how many services a condition comes to.
fn service_count(cond: &Cond) -> usize {
    let protocols = cond.protocol.as_ref().map_or(1, |_| 256);
    match cond.numbers {
        Numbers::None => protocols,
        // TCP and UDP, or ICMP and ICMPv6; a code is one for each type.
        Numbers::Ports => 2 * (cond.a.list().len() + 1).saturating_mul(cond.b.list().len()),
        Numbers::Icmp => 2 * 256_usize.saturating_mul(cond.b.list().len()),
    }
}

/// The services of a rule, each as lines.
fn services(entry: &Entry) -> Vec<Vec<String>> {
    let cond = &entry.cond;
    let mut uppers: Vec<Vec<String>> = Vec::new();
    let protocols: Vec<u128> = match &cond.protocol {
        None => Vec::new(),
        Some(p) => p.list().iter().flat_map(|(f, l)| *f..=*l).collect(),
    };
    match (cond.numbers, &cond.protocol) {
        (_, None) => uppers.push(vec!["Protocol All".into()]),
        (Numbers::None, Some(_)) => {
            uppers.extend(protocols.iter().map(|p| vec![protocol(*p)]));
        }
        (Numbers::Ports, Some(_)) => {
            for p in &protocols {
                for source in asked(&cond.a, &cond.b, PORT) {
                    for destination in some(&cond.b) {
                        uppers.push(vec![
                            protocol(*p),
                            range("SourcePortRange", source),
                            range("DestinationPortRange", destination),
                        ]);
                    }
                }
            }
        }
        (Numbers::Icmp, Some(_)) => {
            let (types, codes) = (bytes(&cond.a), bytes(&cond.b));
            for p in &protocols {
                if codes.is_all() {
                    for kind in asked(&types, &codes, BYTE) {
                        uppers.push(vec![protocol(*p), range("Type", kind)]);
                    }
                    continue;
                }
                for kind in types.list().iter().flat_map(|(f, l)| *f..=*l) {
                    for code in codes.list() {
                        uppers.push(vec![
                            protocol(*p),
                            range("Type", (kind, kind)),
                            range("Code", *code),
                        ]);
                    }
                }
            }
        }
    }
    let ways: &[[&str; 3]] = match entry.way {
        Way::In => &[["Inbound", "OutboundConnect", "Local"]],
        Way::Out => &[["Outbound", "InboundConnect", "Local"]],
        Way::Through => &[
            ["Inbound", "OutboundConnect", "Routed"],
            ["Outbound", "InboundConnect", "Routed"],
        ],
    };
    let mut out = Vec::new();
    for upper in &uppers {
        for [direction, connect, routing] in ways {
            let mut lines = upper.clone();
            lines.retain(|line| !line.is_empty());
            lines.push(if entry.not_opening {
                format!("Direction {direction} {connect}")
            } else {
                format!("Direction {direction}")
            });
            lines.push(format!("Routing {routing}"));
            if cond.fragments {
                lines.push("FragmentsOnly Yes".into());
            }
            out.push(lines);
        }
    }
    out
}

/// The same numbers as bytes.
fn bytes(ranges: &Ranges) -> Ranges {
    Ranges::of(BYTE, ranges.list().to_vec())
}

/// Ranges of the first number. Where both are asked for and may be anything, two halves: what asks
/// for every number asks nothing, and would match packets that do not show theirs.
fn asked(a: &Ranges, b: &Ranges, most: u128) -> Vec<(u128, u128)> {
    if a.is_all() && b.is_all() {
        let half = most / 2;
        return vec![(0, half), (half + 1, most)];
    }
    some(a)
}

fn some(ranges: &Ranges) -> Vec<(u128, u128)> {
    ranges.list().to_vec()
}

/// A parameter for a range; nothing when it is every number.
fn range(keyword: &str, (first, last): (u128, u128)) -> String {
    let most = if keyword.ends_with("PortRange") {
        PORT
    } else {
        BYTE
    };
    if (first, last) == (0, most) {
        String::new()
    } else if first == last {
        format!("{keyword} {first}")
    } else {
        format!("{keyword} {first} {last}")
    }
}

fn protocol(p: u128) -> String {
    match p {
        1 => "Protocol Icmp".into(),
        6 => "Protocol Tcp".into(),
        17 => "Protocol Udp".into(),
        58 => "Protocol Icmpv6".into(),
        p => format!("Protocol {p}"),
    }
}
