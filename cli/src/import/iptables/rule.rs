//! One rule: its options and its target.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use super::Reader;
use crate::import::cond::{Cond, Field, Numbers};
use crate::import::flow::{Branch, SourceRule, Verdict};
use crate::import::ranges::Ranges;
use crate::import::{Kind, names};

const PORT: u128 = u16::MAX as u128;
const BYTE: u128 = u8::MAX as u128;

/// Targets after which the next rule is looked at.
const GOES_ON: [&str; 25] = [
    "LOG",
    "NFLOG",
    "ULOG",
    "MARK",
    "CONNMARK",
    "SECMARK",
    "CONNSECMARK",
    "CLASSIFY",
    "DSCP",
    "TOS",
    "TTL",
    "HL",
    "TCPMSS",
    "TCPOPTSTRIP",
    "SET",
    "TRACE",
    "AUDIT",
    "CHECKSUM",
    "CT",
    "NOTRACK",
    "RATEEST",
    "LED",
    "IDLETIMER",
    "TEE",
    "HMARK",
];

/// Targets that translate addresses and accept.
const TRANSLATES: [&str; 6] = ["DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP", "SAME"];

/// Reads one rule.
pub(super) struct Line<'r> {
    reader: &'r mut Reader,
    place: Rc<str>,
    number: u64,
    text: Rc<str>,
    cond: Cond,
    /// Alternatives beside the condition: one of them must hold, too.
    any_of: Vec<Cond>,
    /// The options belong to a module that is not known, which was told.
    foreign: bool,
}

impl<'r> Line<'r> {
    pub(super) fn new(reader: &'r mut Reader, text: &str, number: u64) -> Self {
        let mut cond = Cond::any();
        cond.version(reader.v6);
        Self {
            reader,
            place: format!("line {number}").into(),
            number,
            text: text.into(),
            cond,
            any_of: vec![Cond::any()],
            foreign: false,
        }
    }

    fn tell(&mut self, kind: Kind, reason: impl Into<String>) {
        let (place, text) = (&*self.place, &*self.text);
        self.reader.findings.tell(place, text, kind, reason);
    }

    fn doubt(&mut self, reason: impl Into<Rc<str>>) {
        self.cond.doubt(&self.place, reason);
    }

    pub(super) fn read(mut self, words: &[&str]) -> SourceRule {
        self.reader.findings.place(&self.place);
        let mut verdict = None;
        let mut rest = words;
        while let [word, more @ ..] = rest {
            let (not, word, more) = match (*word, more) {
                ("!", [word, more @ ..]) => (true, *word, more),
                (word, more) => (false, word, more),
            };
            // What belongs to an option: up to the next one.
            let end = |w: &&str| w.starts_with('-') && w.len() > 1 || *w == "!";
            let length = more.iter().position(end).unwrap_or(more.len());
            let (mut values, mut behind) = more.split_at(length);
            // A value may begin with a hyphen where there must be one.
            if values.is_empty()
                && matches!(word, "--comment" | "--log-prefix" | "--nflog-prefix")
                && let Some((value, after)) = more.split_at_checked(1)
            {
                (values, behind) = (value, after);
            }
            rest = behind;
            if matches!(word, "-j" | "--jump" | "-g" | "--goto") {
                if not || verdict.is_some() || values.len() != 1 {
                    self.doubt("its target is not clear");
                }
                verdict = self.target(word, values, behind);
                // What follows belongs to such a target. The others have no options, or one: what
                // the rule asks of packets may stand behind them, too.
                if matches!(verdict, None | Some(Verdict::Unknown(_))) {
                    break;
                }
                continue;
            }
            if word == "--reject-with" && verdict == Some(Verdict::Reject) {
                continue;
            }
            self.option(not, word, values);
        }
        let any_of: Vec<Cond> = self.any_of.iter().map(|c| self.cond.and(c)).collect();
        let branches = verdict.map(|verdict| Branch { any_of, verdict });
        SourceRule {
            place: self.place,
            number: self.number,
            text: self.text,
            branches: branches.into_iter().collect(),
        }
    }

    fn option(&mut self, not: bool, word: &str, values: &[&str]) {
        let bang = if not { "! " } else { "" };
        let said = || format!("`{bang}{word} {}`", values.join(" "));
        let value = match values {
            [one] => *one,
            [] | [_, ..] => "",
        };
        let known = match word {
            "-s" | "--source" | "--src" => self.address(not, value, true),
            "-d" | "--destination" | "--dst" => self.address(not, value, false),
            "--src-range" => self.address_range(not, value, true),
            "--dst-range" => self.address_range(not, value, false),
            "-p" | "--protocol" => self.protocol(not, value),
            "-f" | "--fragment" => {
                self.fragment(not);
                values.is_empty()
            }
            "-m" | "--match" => {
                self.module(value);
                true
            }
            "--sport" | "--source-port" | "--sports" | "--source-ports" => {
                self.ports(not, value, Some(true))
            }
            "--dport" | "--destination-port" | "--dports" | "--destination-ports" => {
                self.ports(not, value, Some(false))
            }
            "--port" | "--ports" => self.ports(not, value, None),
            "--icmp-type" | "--icmpv6-type" => self.icmp(not, value),
            "--syn" if values.is_empty() => {
                self.flags(not, "FIN,SYN,RST,ACK", "SYN", &said());
                true
            }
            "--tcp-flags" => {
                let flags = if let [mask, set] = values {
                    Some((*mask, *set))
                } else {
                    None
                };
                if let Some((mask, set)) = flags {
                    self.flags(not, mask, set, &said());
                }
                flags.is_some()
            }
            "--comment" => true,
            "-i" | "--in-interface" | "-o" | "--out-interface" => {
                self.doubt(format!(
                    "{}: rules know security classes, not interfaces",
                    said()
                ));
                true
            }
            "--state" | "--ctstate" => {
                self.doubt(format!("{}: rules know no connections", said()));
                true
            }
            "-c" | "--set-counters" => true,
            _ => false,
        };
        if !known && !self.foreign {
            self.doubt(format!("{} cannot be expressed", said()));
        }
    }

    /// A match module: those whose options are known, and others.
    fn module(&mut self, name: &str) {
        self.foreign = false;
        match name {
            "tcp" => self.header_shown(6),
            "udp" => self.header_shown(17),
            "udplite" => self.header_shown(136),
            "sctp" => self.header_shown(132),
            "dccp" => self.header_shown(33),
            "icmp" => self.type_shown(1),
            "icmp6" => self.type_shown(58),
            // What these ask is told with their options.
            "multiport" | "iprange" | "comment" | "state" | "conntrack" => {}
            name => {
                self.foreign = true;
                self.doubt(format!("`-m {name}` cannot be expressed"));
            }
        }
    }

    /// A packet that does not show its ports does not match.
    fn header_shown(&mut self, protocol: u8) {
        self.cond.only_protocol(protocol);
        let all = Ranges::all(PORT);
        self.cond.numbers(Numbers::Ports, &all, &all);
    }

    fn type_shown(&mut self, protocol: u8) {
        self.cond.only_protocol(protocol);
        let all = Ranges::all(BYTE);
        self.cond.numbers(Numbers::Icmp, &all, &all);
    }

    fn ends(&mut self, ranges: &Ranges, not: bool, source: bool) {
        let field = match (self.reader.v6, source) {
            (false, true) => Field::SourceV4,
            (false, false) => Field::DestinationV4,
            (true, true) => Field::SourceV6,
            (true, false) => Field::DestinationV6,
        };
        let ranges = if not { ranges.not() } else { ranges.clone() };
        self.cond.field(field, &ranges);
    }

    const fn most(&self) -> u128 {
        if self.reader.v6 {
            u128::MAX
        } else {
            u32::MAX as u128
        }
    }

    fn bits(&self, text: &str) -> Option<u128> {
        bits(text, self.reader.v6)
    }

    fn address(&mut self, not: bool, value: &str, source: bool) -> bool {
        let (address, mask) = value.split_once('/').unwrap_or((value, ""));
        let Some(address) = self.bits(address) else {
            return false;
        };
        let width: u32 = if self.reader.v6 { 128 } else { 32 };
        let length = match mask {
            "" => Some(width),
            mask => match mask.parse::<u32>() {
                Ok(length) => Some(length).filter(|l| *l <= width),
                Err(_) => self.bits(mask).and_then(|mask| {
                    let host = !mask & self.most();
                    (host & host.wrapping_add(1) == 0).then(|| width - host.count_ones())
                }),
            },
        };
        let Some(length) = length else {
            return false;
        };
        let host = self.most().checked_shr(length).unwrap_or(0);
        let ranges = Ranges::of(self.most(), vec![(address & !host, address | host)]);
        self.ends(&ranges, not, source);
        true
    }

    fn address_range(&mut self, not: bool, value: &str, source: bool) -> bool {
        let (first, last) = value.split_once('-').unwrap_or((value, value));
        let (Some(first), Some(last)) = (self.bits(first), self.bits(last)) else {
            return false;
        };
        let ranges = Ranges::of(self.most(), vec![(first, last)]);
        self.ends(&ranges, not, source);
        true
    }

    fn protocol(&mut self, not: bool, value: &str) -> bool {
        if matches!(value, "all" | "0" | "ip") {
            if not {
                self.cond.protocol(&Ranges::none(BYTE));
            }
            return true;
        }
        let Some(n) = names::protocol(value) else {
            return false;
        };
        let ranges = Ranges::of(BYTE, vec![(n.into(), n.into())]);
        self.cond.protocol(&if not { ranges.not() } else { ranges });
        true
    }

    /// Later fragments, or anything else.
    fn fragment(&mut self, not: bool) {
        if not {
            self.doubt("`! -f`: rules cannot ask for packets that are no later fragments");
        } else {
            self.cond.fragments = true;
            self.doubt("`-f`: rules cannot tell later fragments from first ones");
        }
    }

    /// Ports of the source, of the destination, or of either.
    fn ports(&mut self, not: bool, value: &str, source: Option<bool>) -> bool {
        let mut list = Vec::new();
        for part in value.split(',') {
            let (first, last) = part.split_once(':').unwrap_or((part, part));
            let first = if first.is_empty() && part.contains(':') {
                Some(0)
            } else {
                names::port(first)
            };
            let last = if last.is_empty() && part.contains(':') {
                Some(u16::MAX)
            } else {
                names::port(last)
            };
            let (Some(first), Some(last)) = (first, last) else {
                return false;
            };
            list.push((first.into(), last.into()));
        }
        let ranges = Ranges::of(PORT, list);
        let ranges = if not { ranges.not() } else { ranges };
        let all = Ranges::all(PORT);
        match source {
            Some(true) => self.cond.numbers(Numbers::Ports, &ranges, &all),
            Some(false) => self.cond.numbers(Numbers::Ports, &all, &ranges),
            // Neither port is one of them.
            None if not => self.cond.numbers(Numbers::Ports, &ranges, &ranges),
            None => {
                let mut either = [Cond::any(), Cond::any()];
                let [a, b] = &mut either;
                a.numbers(Numbers::Ports, &ranges, &all);
                b.numbers(Numbers::Ports, &all, &ranges);
                self.alternatives(&either);
            }
        }
        true
    }

    fn icmp(&mut self, not: bool, value: &str) -> bool {
        let v6 = self.reader.v6;
        if value == "any" || (!v6 && value == "255") {
            if not {
                self.cond.protocol(&Ranges::none(BYTE));
            }
            return true;
        }
        let (kind, code) = value.split_once('/').unwrap_or((value, ""));
        let kind = if v6 {
            names::icmpv6_type(kind)
        } else {
            names::icmp_type(kind)
        };
        let one = |n: u8| Ranges::of(BYTE, vec![(n.into(), n.into())]);
        let all = Ranges::all(BYTE);
        let (Some(kind), code) = (kind.map(one), code.parse().ok().map(one)) else {
            return false;
        };
        if value.contains('/') && code.is_none() {
            return false;
        }
        match (not, code) {
            (false, code) => {
                self.cond
                    .numbers(Numbers::Icmp, &kind, &code.unwrap_or(all));
            }
            (true, None) => self.cond.numbers(Numbers::Icmp, &kind.not(), &all),
            (true, Some(code)) => {
                let mut either = [Cond::any(), Cond::any()];
                let [a, b] = &mut either;
                a.numbers(Numbers::Icmp, &kind.not(), &all);
                b.numbers(Numbers::Icmp, &kind, &code.not());
                self.alternatives(&either);
            }
        }
        true
    }

    fn alternatives(&mut self, either: &[Cond]) {
        let before = std::mem::take(&mut self.any_of);
        // A rule asks once; more would only multiply.
        if before.len() > 16 {
            self.doubt("too many alternatives");
            self.any_of = before;
            return;
        }
        for one in &before {
            self.any_of.extend(either.iter().map(|e| one.and(e)));
        }
    }

    fn flags(&mut self, not: bool, mask: &str, set: &str, said: &str) {
        self.cond.only_protocol(6);
        let all = Ranges::all(PORT);
        self.cond.numbers(Numbers::Ports, &all, &all);
        let has = |list: &str, flag: &str| list == "ALL" || list.split(',').any(|f| f == flag);
        let reason = format!("{said}: rules ask who may open a connection, not for flags");
        if not && set == "SYN" && has(mask, "SYN") && has(mask, "ACK") {
            self.cond.not_opening(&self.place, reason);
        } else {
            self.doubt(reason);
        }
    }

    fn target(&mut self, word: &str, values: &[&str], options: &[&str]) -> Option<Verdict> {
        let name = values.first().copied().unwrap_or_default();
        let table = Rc::clone(&self.reader.table);
        if matches!(word, "-g" | "--goto") {
            return Some(Verdict::Goto(self.reader.chain(name)));
        }
        match name {
            "ACCEPT" => Some(Verdict::Accept),
            "DROP" => Some(Verdict::Drop),
            "RETURN" => Some(Verdict::Return),
            "REJECT" => {
                let with = options.split(|w| *w == "--reject-with").nth(1);
                let with = with.and_then(|w| w.first()).copied().unwrap_or("");
                if !matches!(with, "icmp-admin-prohibited" | "icmp6-adm-prohibited") {
                    let with = if with.is_empty() {
                        "port unreachable"
                    } else {
                        with
                    };
                    self.tell(
                        Kind::NotDone,
                        format!("the sender is told that it is prohibited, not {with}"),
                    );
                }
                Some(Verdict::Reject)
            }
            name if GOES_ON.contains(&name) => {
                self.tell(Kind::NotDone, format!("target {name}"));
                None
            }
            name if TRANSLATES.contains(&name) => {
                self.tell(
                    Kind::NotDone,
                    format!("target {name}: rules translate no addresses"),
                );
                None
            }
            name => {
                let key = (table, Rc::from(name));
                if let Some(n) = self.reader.numbers.get(&key) {
                    return Some(Verdict::Jump(*n));
                }
                Some(Verdict::Unknown(format!("target {name} is not known")))
            }
        }
    }
}

/// An address of the version as a number.
fn bits(text: &str, v6: bool) -> Option<u128> {
    match text.parse().ok()? {
        IpAddr::V4(a) if !v6 => Some(Ipv4Addr::to_bits(a).into()),
        IpAddr::V6(a) if v6 => Some(a.to_bits()),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}
