//! Imported policies decide as their sources do: both are asked about packets made at random.
//!
//! The sources are asked by interpreters of this file's own, which walk chains as the kernel does.
//! A condition that cannot be expressed is either taken as the import takes it (a permit under it
//! never applies, a deny under it always), and then both must agree; or it is true or false at
//! random, and then the policy must permit nothing that the source denies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

mod common;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::LazyLock;

use arbtest::arbitrary::{Result as Arbitrary, Unstructured};
use common::{command, feed, text};
use hostward::filter::{Action, Header, InForce, Opening, RuleSet, Selectors};
use hostward_cli::import::{Format, ImportError, Imported, Kind, Options, import};
use hostward_hook::meta::{Direction, Routing};
use hostward_policy::filter::compile;
use hostward_policy::{Diagnostics, Language, Policy, Sources, Style, format, render_all};
use serde_json::Value;

fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/import")
        .join(name);
    fs::read_to_string(path).unwrap()
}

fn imported(source: &str, format: Format) -> Imported {
    import(source.as_bytes(), format, &Options::default())
        .unwrap_or_else(|e| panic!("{e}: {source}"))
}

static LANGUAGE: LazyLock<Language> = LazyLock::new(|| Language::full().unwrap());

/// The rules of a policy, which has no error and is laid out.
fn rules(policy: &str) -> RuleSet {
    let language = &*LANGUAGE;
    let mut sources = Sources::new();
    let id = sources.add("imported", policy.as_bytes()).unwrap();
    let mut out = Diagnostics::default();
    let read = Policy::read(language, &sources, &mut out);
    let compiled = compile(
        &read,
        &hostward_policy::filter::Options::default(),
        &mut out,
    );
    assert!(
        !out.has_errors(),
        "{}\n{policy}",
        render_all(&out, &sources, Style::Plain)
    );
    assert_eq!(format(language, &sources, id).unwrap(), policy);
    compiled.unwrap().rule_set
}

fn permits(set: &RuleSet, p: &Selectors) -> bool {
    set.scan(p, &InForce::default())
        .is_some_and(|(_, rule)| rule.action == Action::Permit)
}

/// How conditions are taken that cannot be expressed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    AsImported,
    /// True or false, as the bits of this number say for each place.
    Guessed(u64),
}

/// Whether something holds: for sure, or only if what cannot be expressed does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holds {
    No,
    Yes,
    /// Packets that open no connection match for sure.
    NotOpening,
    Perhaps,
}

impl Holds {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Perhaps, _) | (_, Self::Perhaps) => Self::Perhaps,
            (Self::NotOpening, _) | (_, Self::NotOpening) => Self::NotOpening,
            (Self::Yes, Self::Yes) => Self::Yes,
        }
    }

    fn known(is: bool) -> Self {
        if is { Self::Yes } else { Self::No }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Accept,
    Drop,
}

/// A rule for the interpreter: what it asks, what it does.
#[derive(Clone, Debug)]
enum Does {
    Accept,
    Drop,
    Return,
    Jump(String),
    Goto(String),
    GoesOn,
}

/// Something that tells of each rule whether it matches and what it does then.
trait Program {
    /// Rules of a chain: for a packet, whether each matches and what it does.
    fn chain(&self, name: &str, p: &Selectors, mode: Mode) -> Vec<(Holds, Does)>;
}

/// What came of a chain.
enum Came {
    End(End),
    /// Packets come to its end or return.
    Back,
}

/// Walks a chain as the kernel does. `perhaps`: it is not known whether packets come here.
fn walk(program: &dyn Program, name: &str, p: &Selectors, mode: Mode, perhaps: Holds) -> Came {
    for (holds, does) in program.chain(name, p, mode) {
        if holds == Holds::No {
            continue;
        }
        let sure = holds.and(perhaps);
        match does {
            Does::GoesOn => {}
            Does::Accept => {
                let narrow = sure == Holds::NotOpening && p.opening == Opening::Continues;
                if sure == Holds::Yes || narrow {
                    return Came::End(End::Accept);
                }
            }
            Does::Drop => return Came::End(End::Drop),
            Does::Return if holds == Holds::Yes => return Came::Back,
            Does::Return => return Came::End(End::Drop),
            Does::Jump(to) => {
                if let Came::End(end) = walk(program, &to, p, mode, sure) {
                    return Came::End(end);
                }
            }
            Does::Goto(to) => {
                if let Came::End(end) = walk(program, &to, p, mode, sure) {
                    return Came::End(end);
                }
                assert!(holds == Holds::Yes, "not generated");
                return Came::Back;
            }
        }
    }
    Came::Back
}

fn guess(mode: Mode, place: usize) -> Holds {
    match mode {
        Mode::AsImported => Holds::Perhaps,
        Mode::Guessed(bits) => Holds::known(bits.rotate_right(place as u32 * 7) & 1 == 1),
    }
}

fn ports(p: &Selectors) -> Option<(u16, u16)> {
    match p.header {
        Header::Ports(x, y) => Some((x, y)),
        _ => None,
    }
}

/// An `iptables-save` dump, line by line.
struct Iptables {
    chains: HashMap<String, Vec<(usize, Vec<String>)>>,
    policies: HashMap<String, bool>,
    v6: bool,
}

fn split(line: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.last_mut().unwrap().push(chars.next().unwrap()),
            '"' => quoted = !quoted,
            ' ' if !quoted => out.push(String::new()),
            c => out.last_mut().unwrap().push(c),
        }
    }
    out
}

impl Iptables {
    /// One table of a dump.
    fn new(dump: &str, table: &str, v6: bool) -> Self {
        let mut this = Self {
            chains: HashMap::new(),
            policies: HashMap::new(),
            v6,
        };
        let mut here = false;
        for (n, line) in dump.lines().enumerate() {
            if let Some(name) = line.strip_prefix('*') {
                here = name == table;
            }
            if !here {
                continue;
            }
            if let Some(rest) = line.strip_prefix(':') {
                let words = split(rest);
                this.chains.insert(words[0].clone(), Vec::new());
                this.policies.insert(words[0].clone(), words[1] == "ACCEPT");
            } else if line.starts_with("-A") {
                let words = split(line);
                let rule = words[2..].to_vec();
                this.chains.get_mut(&words[1]).unwrap().push((n, rule));
            }
        }
        this
    }

    fn in_list(list: &str, n: u16) -> bool {
        list.split(',').any(|part| match part.split_once(':') {
            Some((a, b)) => {
                let a = if a.is_empty() { 0 } else { a.parse().unwrap() };
                let b = if b.is_empty() {
                    u16::MAX
                } else {
                    b.parse().unwrap()
                };
                (a..=b).contains(&n)
            }
            None => part.parse::<u16>().unwrap() == n,
        })
    }

    fn in_prefix(prefix: &str, address: IpAddr) -> bool {
        prefix
            .parse::<hostward::filter::AddressSpec>()
            .unwrap()
            .contains(address)
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each option")]
    fn holds(&self, n: usize, words: &[String], p: &Selectors, mode: Mode) -> Holds {
        if p.source.is_ipv6() != self.v6 {
            return Holds::No;
        }
        let routed = p.routing == Routing::Routed;
        let mut holds = Holds::Yes;
        let mut at = 0;
        let mut not = false;
        while at < words.len() {
            let word = words[at].as_str();
            let value = words.get(at + 1).map_or("", String::as_str);
            let mut took = 2;
            let said = |is: bool| Holds::known(is != not);
            let later = p.fragment && p.header == Header::Unknown;
            // Ports of forwarded packets cannot be asked for.
            let port = |is: Option<bool>| match (is, mode) {
                (Some(_), Mode::AsImported) if routed => Holds::Perhaps,
                (None, Mode::AsImported) if routed => Holds::Perhaps,
                (Some(is), _) => Holds::known(is != not),
                (None, _) => Holds::No,
            };
            let one = match word {
                "!" => {
                    not = true;
                    at += 1;
                    continue;
                }
                "-s" => said(Self::in_prefix(value, p.source)),
                "-d" => said(Self::in_prefix(value, p.destination)),
                "--src-range" | "--dst-range" => {
                    let (a, b) = value.split_once('-').unwrap();
                    let (a, b): (IpAddr, IpAddr) = (a.parse().unwrap(), b.parse().unwrap());
                    let x = if word == "--src-range" {
                        p.source
                    } else {
                        p.destination
                    };
                    said(a <= x && x <= b)
                }
                "-p" => {
                    let number = match value {
                        "tcp" => 6,
                        "udp" => 17,
                        "icmp" => 1,
                        "ipv6-icmp" => 58,
                        "gre" => 47,
                        "esp" => 50,
                        "sctp" => 132,
                        n => n.parse().unwrap(),
                    };
                    p.protocol.map_or(Holds::No, |n| said(n == number))
                }
                "--dport" | "--dports" => port(ports(p).map(|(_, y)| Self::in_list(value, y))),
                "--sport" | "--sports" => port(ports(p).map(|(x, _)| Self::in_list(value, x))),
                "--ports" => {
                    port(ports(p).map(|(x, y)| Self::in_list(value, x) || Self::in_list(value, y)))
                }
                "--icmp-type" | "--icmpv6-type" => {
                    let (t, c) = value.split_once('/').unwrap_or((value, ""));
                    match p.header {
                        _ if routed && mode == Mode::AsImported => Holds::Perhaps,
                        Header::Icmp(x, y) => {
                            said(x.to_string() == t && (c.is_empty() || y.to_string() == c))
                        }
                        _ => Holds::No,
                    }
                }
                "-f" => {
                    took = 1;
                    match mode {
                        Mode::AsImported if p.fragment => Holds::Perhaps,
                        Mode::AsImported => Holds::No,
                        Mode::Guessed(_) => said(later),
                    }
                }
                "--tcp-flags" => {
                    assert_eq!(value, "FIN,SYN,RST,ACK");
                    took = 3;
                    match (p.opening, mode) {
                        _ if ports(p).is_none() && !(routed && mode == Mode::AsImported) => {
                            Holds::No
                        }
                        (_, Mode::AsImported) if not && !routed => Holds::NotOpening,
                        (_, Mode::AsImported) => Holds::Perhaps,
                        // Other flags may stand beside SYN.
                        (Opening::Opens, mode) => guess(mode, n),
                        (_, _) => said(false),
                    }
                }
                "-m" => match (value, mode) {
                    ("tcp" | "udp" | "icmp" | "icmp6" | "multiport" | "sctp", Mode::AsImported)
                        if routed =>
                    {
                        Holds::Perhaps
                    }
                    ("tcp" | "udp" | "multiport", _) => Holds::known(ports(p).is_some()),
                    ("icmp" | "icmp6", _) => Holds::known(matches!(p.header, Header::Icmp(..))),
                    ("sctp", Mode::AsImported) => Holds::Perhaps,
                    ("sctp", mode) => guess(mode, n),
                    (
                        "iprange" | "comment" | "limit" | "conntrack" | "state" | "mark"
                        | "pkttype" | "hl" | "frag" | "connlimit",
                        _,
                    ) => Holds::Yes,
                    (other, _) => panic!("{other}"),
                },
                "--comment" => Holds::Yes,
                "-j" | "-g" => break,
                _ if word.starts_with('-') => {
                    // Whatever it is: its values are skipped below.
                    guess(mode, n)
                }
                _ => {
                    took = 1;
                    Holds::Yes
                }
            };
            // The import takes ports of SCTP for unknown.
            let one = match (mode, word) {
                (Mode::AsImported, "--dport" | "--sport") if p.protocol == Some(132) => {
                    Holds::Perhaps
                }
                _ => one,
            };
            holds = holds.and(one);
            not = false;
            at += took;
        }
        holds
    }

    fn does(&self, words: &[String]) -> Does {
        let Some(at) = words.iter().position(|w| w == "-j" || w == "-g") else {
            return Does::GoesOn;
        };
        let to = words[at + 1].clone();
        match (&*words[at], &*to) {
            ("-g", _) => Does::Goto(to),
            (_, "ACCEPT") => Does::Accept,
            (_, "DROP" | "REJECT") => Does::Drop,
            (_, "RETURN") => Does::Return,
            (_, "LOG" | "CT") => Does::GoesOn,
            _ => {
                assert!(self.chains.contains_key(&to), "{to}");
                Does::Jump(to)
            }
        }
    }

    fn base(&self, name: &str, p: &Selectors, mode: Mode) -> bool {
        let Some(policy) = self.policies.get(name) else {
            return true;
        };
        match walk(self, name, p, mode, Holds::Yes) {
            Came::End(end) => end == End::Accept,
            Came::Back => *policy,
        }
    }
}

impl Program for Iptables {
    fn chain(&self, name: &str, p: &Selectors, mode: Mode) -> Vec<(Holds, Does)> {
        let rules = self.chains[name].iter();
        rules
            .map(|(n, words)| (self.holds(*n, words, p, mode), self.does(words)))
            .collect()
    }
}

/// Whether a dump lets a packet pass: all chains of all tables that it comes by.
fn iptables_permits(tables: &[Iptables], p: &Selectors, mode: Mode) -> bool {
    if p.source.is_ipv6() != tables[0].v6 {
        return false; // the dump says nothing of it, the import denies it
    }
    let hooks: &[&str] = match (p.routing, p.direction) {
        (Routing::Routed, _) => &["PREROUTING", "FORWARD", "POSTROUTING"],
        (Routing::Local, Direction::Inbound) => &["PREROUTING", "INPUT"],
        (Routing::Local, Direction::Outbound) => &["OUTPUT", "POSTROUTING"],
    };
    let mut tables = tables.iter();
    tables.all(|table| hooks.iter().all(|hook| table.base(hook, p, mode)))
}

/// The tables of a dump.
fn tables(dump: &str, v6: bool) -> Vec<Iptables> {
    let tables = ["raw", "filter"].iter();
    tables.map(|t| Iptables::new(dump, t, v6)).collect()
}

/// Addresses, numbers and what lies beside them, as they stand in a text.
struct Interesting {
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
    ports: Vec<u16>,
}

fn interesting(source: &str) -> Interesting {
    let mut all = Interesting {
        v4: vec![[10, 0, 0, 1].into(), [8, 8, 8, 8].into()],
        v6: vec!["2001:db8::1".parse().unwrap(), "::1".parse().unwrap()],
        ports: vec![1, 22, 1023, 1024, 65535],
    };
    let word = |c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':');
    for word in source.split(word) {
        for part in [word, word.trim_matches(':')]
            .into_iter()
            .chain(word.split(':'))
        {
            match part.parse::<IpAddr>() {
                Ok(IpAddr::V4(a)) => {
                    let n = a.to_bits();
                    for n in [
                        n,
                        n.wrapping_add(1),
                        n.wrapping_sub(1),
                        n | 0xff,
                        n | 0xffff,
                    ] {
                        all.v4.push(IpAddr::V4(n.into()));
                    }
                }
                Ok(IpAddr::V6(a)) => {
                    let n = a.to_bits();
                    for n in [n, n.wrapping_add(1), n.wrapping_sub(1)] {
                        all.v6.push(IpAddr::V6(n.into()));
                    }
                }
                Err(_) => {
                    if let Ok(n) = part.parse::<u16>() {
                        all.ports
                            .extend([n, n.saturating_sub(1), n.saturating_add(1)]);
                    }
                }
            }
        }
    }
    all.ports.retain(|n| *n != 0);
    all
}

fn packet(u: &mut Unstructured<'_>, from: &Interesting) -> Arbitrary<Selectors> {
    let list = if u.ratio(from.v6.len().min(9) as u8, 18)? && from.v6.len() > 2 {
        &from.v6
    } else {
        &from.v4
    };
    let (source, destination) = (*u.choose(list)?, *u.choose(list)?);
    let protocol = *u.choose(&[6, 6, 6, 17, 17, 1, 58, 47, 50, 99, 132])?;
    let hidden = u.ratio(1, 8)?;
    let header = match protocol {
        _ if hidden => Header::Unknown,
        6 | 17 | 132 => Header::Ports(*u.choose(&from.ports)?, *u.choose(&from.ports)?),
        1 | 58 => Header::Icmp(
            *u.choose(&[0, 1, 3, 4, 5, 8, 11, 128, 133, 135])?,
            u.int_in_range(0..=5)?,
        ),
        _ => Header::Unknown,
    };
    let opening = match header {
        Header::Ports(..) if protocol == 6 => *u.choose(&[Opening::Opens, Opening::Continues])?,
        _ => Opening::Unknown,
    };
    let (direction, routing) = *u.choose(&[
        (Direction::Inbound, Routing::Local),
        (Direction::Inbound, Routing::Local),
        (Direction::Outbound, Routing::Local),
        (Direction::Inbound, Routing::Routed),
        (Direction::Outbound, Routing::Routed),
    ])?;
    Ok(Selectors {
        source,
        destination,
        protocol: (!(source.is_ipv6() && u.ratio(1, 30)? && hidden)).then_some(protocol),
        header,
        fragment: hidden || u.ratio(1, 10)?,
        opening,
        direction,
        routing,
        security_class: 0,
    })
}

/// What stands above dumps made at random.
const RANDOM: &str = "# made at random";

/// Asks both about a packet.
fn agree(set: &RuleSet, said: &str, p: &Selectors, bits: u64, source: &dyn Fn(Mode) -> bool) {
    let permits = permits(set, p);
    let by = || {
        let said = set.explain(p, &InForce::default());
        said.decided_by().map(|t| t.rule.name.to_string())
    };
    // A chain that is perhaps entered, and whose end nobody comes to, is taken for what it is,
    // closer than by these interpreters.
    let perhaps = said.contains("-m mark") || said.contains("--tcp-flags");
    let asks = said.contains("--") && p.routing == Routing::Routed;
    let closer = said.contains(RANDOM) && (perhaps || asks);
    let want = source(Mode::AsImported);
    assert!(
        permits == want || (permits && closer),
        "{p:?} by {:?} {said}",
        by()
    );
    if permits {
        for n in 0..4 {
            let bits = bits.rotate_left(n * 13);
            let guessed = source(Mode::Guessed(bits));
            assert!(guessed, "{p:?} by {:?} with {bits} {said}", by());
        }
    }
}

#[test]
fn dumps_of_iptables_decide_as_before() {
    for (name, v6) in [("mixed.iptables", false), ("hosts.ip6tables", true)] {
        let dump = sample(name);
        let set = rules(&imported(&dump, Format::IptablesSave).policy);
        let from = interesting(&dump);
        let tables = tables(&dump, v6);
        let mut asked = [0_u32; 2];
        arbtest::arbtest(|u| {
            let p = packet(u, &from)?;
            asked[usize::from(permits(&set, &p))] += 1;
            agree(&set, &dump, &p, u.arbitrary()?, &|mode| {
                iptables_permits(&tables, &p, mode)
            });
            Ok(())
        })
        .budget_ms(3_000);
        assert!(asked.iter().all(|n| *n > 50), "{name}: {asked:?}");
    }
}

/// A dump with jumps, returns, negations and conditions that cannot be expressed.
fn dump(u: &mut Unstructured<'_>) -> Arbitrary<String> {
    let mut out = format!("{RANDOM}\n*filter\n");
    for chain in ["INPUT", "FORWARD", "OUTPUT"] {
        let policy = u.choose(&["ACCEPT", "DROP"])?;
        writeln!(out, ":{chain} {policy} [0:0]").unwrap();
    }
    out += ":A - [0:0]\n:B - [0:0]\n:C - [0:0]\n";
    let doubts = u.arbitrary()?;
    for n in 0..u.int_in_range(2..=14_u8)? {
        let chain = *u.choose(&["INPUT", "INPUT", "FORWARD", "OUTPUT", "A", "A", "B", "C"])?;
        write!(out, "-A {chain}").unwrap();
        let not = |u: &mut Unstructured<'_>| Ok(if u.ratio(1, 4)? { " !" } else { "" });
        if u.ratio(1, 3)? {
            let s = u.choose(&["10.0.0.0/8", "10.0.0.1/32", "10.0.0.0/31", "10.1.0.0/16"])?;
            write!(out, "{} -s {s}", not(u)?).unwrap();
        }
        if u.ratio(1, 5)? {
            let d = u.choose(&["10.0.0.0/30", "10.0.0.2/32"])?;
            write!(out, "{} -d {d}", not(u)?).unwrap();
        }
        match u.int_in_range(0..=7_u8)? {
            0 => {
                let p = u.choose(&["tcp", "gre", "icmp"])?;
                write!(out, "{} -p {p}", not(u)?).unwrap();
            }
            1 | 2 => {
                let p = *u.choose(&["tcp", "udp"])?;
                let list = u.choose(&["22", "22,80:90", ":1023", "1024:"])?;
                let what = u.choose(&["--dports", "--sports", "--ports"])?;
                write!(out, " -p {p} -m multiport{} {what} {list}", not(u)?).unwrap();
            }
            3 => {
                let t = u.choose(&["8", "3/1", "3"])?;
                write!(out, " -p icmp -m icmp{} --icmp-type {t}", not(u)?).unwrap();
            }
            4 if doubts => {
                write!(
                    out,
                    " -p tcp -m tcp{} --tcp-flags FIN,SYN,RST,ACK SYN",
                    not(u)?
                )
                .unwrap();
            }
            _ => {}
        }
        let mut sure = true;
        if doubts && u.ratio(1, 4)? {
            out += " -m mark --mark 0x1";
            sure = false;
        }
        let deeper: &[&str] = match chain {
            "A" => &["B", "C"],
            "B" => &["C"],
            "C" => &[],
            _ => &["A", "B", "C"],
        };
        let target = u.int_in_range(0..=9_u8)?;
        match target {
            0..=2 => out += " -j ACCEPT",
            3 | 4 => out += " -j DROP",
            5 => out += " -j REJECT --reject-with icmp-admin-prohibited",
            6 => out += " -j RETURN",
            7 | 8 if !deeper.is_empty() => write!(out, " -j {}", u.choose(deeper)?).unwrap(),
            9 if !deeper.is_empty() && sure && !out.lines().last().unwrap().contains("--") => {
                write!(out, " -g {}", u.choose(deeper)?).unwrap();
            }
            _ => write!(out, " -m comment --comment \"rule {n}\"").unwrap(),
        }
        out.push('\n');
    }
    Ok(out + "COMMIT\n")
}

#[test]
fn dumps_made_at_random_decide_as_before() {
    let mut dumps = 0_u32;
    arbtest::arbtest(|u| {
        let dump = dump(u)?;
        let set = rules(&imported(&dump, Format::IptablesSave).policy);
        let from = interesting(&dump);
        let tables = tables(&dump, false);
        dumps += 1;
        for _ in 0..100 {
            let p = packet(u, &from)?;
            agree(&set, &dump, &p, u.arbitrary()?, &|mode| {
                iptables_permits(&tables, &p, mode)
            });
        }
        Ok(())
    })
    .size_min(200)
    .size_max(20_000)
    .budget_ms(8_000);
    assert!(dumps > 20, "{dumps}");
}

/// A rule set of nft: its objects.
struct Nft(Vec<Value>);

impl Nft {
    fn new(text: &str) -> Self {
        let all: Value = serde_json::from_str(text).unwrap();
        Self(all["nftables"].as_array().unwrap().clone())
    }

    fn element<'v>(&'v self, value: &'v Value, kind: &str) -> Vec<&'v Value> {
        if let Some(name) = value.as_str().and_then(|s| s.strip_prefix('@')) {
            let of = |o: &&Value| o[kind]["name"] == name;
            let set = &self.0.iter().find(of).unwrap()[kind];
            return set["elem"]
                .as_array()
                .map(|l| l.iter().collect())
                .unwrap_or_default();
        }
        match &value["set"] {
            Value::Array(list) => list.iter().collect(),
            _ => vec![value],
        }
    }

    /// What the packet has in a field; `Err` for one that cannot be asked for.
    fn field(left: &Value, p: &Selectors) -> Result<Option<Value>, ()> {
        let ports = |of: Option<u8>, first: bool| {
            let fits = of.is_none() || p.protocol == of;
            let picked = ports(p).map(|(x, y)| if first { x } else { y });
            picked.filter(|_| fits).map(Value::from)
        };
        let address = |a: IpAddr, v6: bool| (a.is_ipv6() == v6).then(|| Value::from(a.to_string()));
        let icmp = |of: u8, v6: bool, first: bool| match p.header {
            Header::Icmp(x, y) if p.protocol == Some(of) && p.source.is_ipv6() == v6 => {
                Some(Value::from(if first { x } else { y }))
            }
            _ => None,
        };
        let payload = &left["payload"];
        let at = |name: &str| payload[name].as_str().unwrap_or("").to_owned();
        Ok(match (&*at("protocol"), &*at("field")) {
            ("ip", "saddr") => address(p.source, false),
            ("ip", "daddr") => address(p.destination, false),
            ("ip6", "saddr") => address(p.source, true),
            ("ip6", "daddr") => address(p.destination, true),
            ("ip", "protocol") if p.source.is_ipv4() => p.protocol.map(Value::from),
            ("ip", "protocol") => None,
            ("tcp", "sport") => ports(Some(6), true),
            ("tcp", "dport") => ports(Some(6), false),
            ("udp", "sport") => ports(Some(17), true),
            ("udp", "dport") => ports(Some(17), false),
            ("icmp", "type") => icmp(1, false, true),
            ("icmp", "code") => icmp(1, false, false),
            ("icmpv6", "type") => icmp(58, true, true),
            ("icmpv6", "code") => icmp(58, true, false),
            _ if left["meta"]["key"] == "l4proto" => p.protocol.map(Value::from),
            _ if left["meta"]["key"] == "nfproto" => Some(Value::from(if p.source.is_ipv6() {
                "ipv6"
            } else {
                "ipv4"
            })),
            _ => return Err(()),
        })
    }

    fn fits(left: &Value, has: &Value, wanted: &Value) -> bool {
        let ip = |v: &Value| v.as_str().and_then(|s| s.parse::<IpAddr>().ok());
        let number = |v: &Value| {
            v.as_u64().or_else(|| {
                let of = left["payload"]["protocol"].as_str().unwrap_or("");
                Some(match (of, v.as_str()?) {
                    (_, "icmp") => 1,
                    (_, "tcp") => 6,
                    (_, "udp") => 17,
                    (_, "gre") => 47,
                    (_, "esp") => 50,
                    ("icmp", "destination-unreachable") => 3,
                    ("icmp", "echo-request") => 8,
                    ("icmp", "time-exceeded") => 11,
                    ("icmp", "net-unreachable") => 0,
                    ("icmpv6", "echo-request") => 128,
                    ("icmpv6", "nd-router-advert") => 134,
                    ("icmpv6", "nd-neighbor-solicit") => 135,
                    ("icmpv6", "nd-neighbor-advert") => 136,
                    other => panic!("{other:?}"),
                })
            })
        };
        if let Some([a, b]) = wanted["range"].as_array().map(Vec::as_slice) {
            return match ip(has) {
                Some(has) => ip(a).unwrap() <= has && has <= ip(b).unwrap(),
                None => number(a) <= number(has) && number(has) <= number(b),
            };
        }
        if let Some(address) = wanted["prefix"]["addr"].as_str() {
            let prefix = format!("{address}/{}", wanted["prefix"]["len"]);
            return Iptables::in_prefix(&prefix, ip(has).unwrap());
        }
        match ip(has) {
            Some(has) => Some(has) == ip(wanted),
            None if has.is_string() => has == wanted,
            None => number(has) == number(wanted),
        }
    }

    /// Whether what an expression reads is one of some elements.
    fn one_of(left: &Value, p: &Selectors, wanted: &Value) -> Result<Option<bool>, ()> {
        let Some(parts) = left["concat"].as_array() else {
            let has = Self::field(left, p)?;
            return Ok(has.map(|has| Self::fits(left, &has, wanted)));
        };
        let mut all = true;
        for (part, wanted) in parts.iter().zip(wanted["concat"].as_array().unwrap()) {
            match Self::field(part, p)? {
                Some(has) => all &= Self::fits(part, &has, wanted),
                None => return Ok(None),
            }
        }
        Ok(Some(all))
    }

    /// Whether a match holds, as far as it can be asked for.
    fn matches(&self, m: &Value, p: &Selectors, mode: Mode, place: usize) -> Holds {
        let left = &m["left"];
        let routed = p.routing == Routing::Routed && mode == Mode::AsImported;
        let flags = if left["&"].is_array() {
            &left["&"][0]
        } else {
            left
        };
        let payload = &flags["payload"];
        match (payload["protocol"].as_str(), payload["field"].as_str()) {
            (Some("tcp"), Some("flags")) if p.protocol != Some(6) => return Holds::No,
            (Some("tcp"), Some("flags")) if ports(p).is_none() && !routed => return Holds::No,
            (Some("tcp"), Some("flags")) => {
                return match (mode, p.opening) {
                    (Mode::Guessed(_), Opening::Continues) => Holds::No,
                    (mode, _) => guess(mode, place),
                };
            }
            (Some("ip"), Some("frag-off")) if p.source.is_ipv6() || !p.fragment => {
                return Holds::No;
            }
            (Some("ip"), Some("frag-off")) => {
                return match mode {
                    Mode::AsImported => Holds::Perhaps,
                    Mode::Guessed(_) => Holds::known(p.header == Header::Unknown),
                };
            }
            (Some("ip"), Some("ttl" | "dscp")) if p.source.is_ipv6() => return Holds::No,
            (Some("ip6"), Some("nexthdr")) if p.source.is_ipv4() => return Holds::No,
            // Whatever its protocol is, the import denies or permits nothing by such ports.
            (Some("th"), _) if mode == Mode::AsImported => return Holds::Perhaps,
            (Some("th"), _) if ports(p).is_none() => return guess(mode, place),
            (Some("th"), _) => {
                let y = ports(p).unwrap().1;
                return Holds::known(m["right"] == y);
            }
            (Some(of @ ("tcp" | "udp")), _) if routed => {
                return match (of, p.protocol) {
                    ("tcp", Some(6)) | ("udp", Some(17)) => Holds::Perhaps,
                    _ => Holds::No,
                };
            }
            _ => {}
        }
        let dynamic = m["right"] == "@banned";
        let mut any = false;
        for element in self.element(&m["right"], "set") {
            match Self::one_of(left, p, element) {
                Err(()) => return guess(mode, place),
                Ok(None) => return Holds::No,
                Ok(Some(is)) => any |= is,
            }
        }
        if dynamic {
            return if p.source.is_ipv6() {
                Holds::No
            } else {
                guess(mode, place)
            };
        }
        Holds::known(any == (m["op"] == "=="))
    }

    fn does(value: &Value) -> Option<Does> {
        let (name, value) = value.as_object()?.iter().next()?;
        let to = || value["target"].as_str().unwrap().to_owned();
        Some(match &**name {
            "accept" => Does::Accept,
            "drop" | "reject" => Does::Drop,
            "return" => Does::Return,
            "jump" => Does::Jump(to()),
            "goto" => Does::Goto(to()),
            _ => return None,
        })
    }

    fn permits(&self, p: &Selectors, mode: Mode) -> bool {
        let hooks: &[&str] = match (p.routing, p.direction) {
            (Routing::Routed, _) => &["prerouting", "forward"],
            (Routing::Local, Direction::Inbound) => &["prerouting", "input"],
            (Routing::Local, Direction::Outbound) => &["output"],
        };
        hooks.iter().all(|hook| {
            let chains = self.0.iter().filter_map(|o| o.get("chain"));
            let mut here = chains.filter(|c| c["hook"] == *hook && c["type"] == "filter");
            here.all(|c| {
                let family = c["family"].as_str().unwrap();
                if family == "bridge" || (family == "ip" && p.source.is_ipv6()) {
                    return true;
                }
                match walk(self, c["name"].as_str().unwrap(), p, mode, Holds::Yes) {
                    Came::End(end) => end == End::Accept,
                    Came::Back => c["policy"] == "accept",
                }
            })
        })
    }
}

impl Program for Nft {
    fn chain(&self, name: &str, p: &Selectors, mode: Mode) -> Vec<(Holds, Does)> {
        let mut out = Vec::new();
        for (place, object) in self.0.iter().enumerate() {
            let rule = &object["rule"];
            // Names of chains differ between tables, but for those of nat.
            if rule["chain"] != name || rule["table"] == "nat" {
                continue;
            }
            let mut holds = Holds::Yes;
            let mut does = Does::GoesOn;
            for statement in rule["expr"].as_array().unwrap() {
                if let Some(m) = statement.get("match") {
                    holds = holds.and(self.matches(m, p, mode, place));
                } else if let Some(map) = statement.get("vmap") {
                    let pairs = self.element(&map["data"], "map");
                    let hit = pairs
                        .iter()
                        .find(|pair| Self::one_of(&map["key"], p, &pair[0]).unwrap() == Some(true));
                    match hit {
                        Some(pair) => does = Self::does(&pair[1]).unwrap(),
                        None => holds = Holds::No,
                    }
                } else if statement.get("limit").is_some() {
                    holds = holds.and(guess(mode, place));
                } else if let Some(verdict) = Self::does(statement) {
                    does = verdict;
                }
            }
            out.push((holds, does));
        }
        out
    }
}

#[test]
fn rules_of_nft_decide_as_before() {
    for name in ["server.nft.json", "plain.nft.json"] {
        let source = sample(name);
        let set = rules(&imported(&source, Format::NftJson).policy);
        let from = interesting(&source);
        let nft = Nft::new(&source);
        let mut asked = [0_u32; 2];
        arbtest::arbtest(|u| {
            let p = packet(u, &from)?;
            asked[usize::from(permits(&set, &p))] += 1;
            agree(&set, "", &p, u.arbitrary()?, &|mode| nft.permits(&p, mode));
            Ok(())
        })
        .budget_ms(5_000);
        assert!(asked.iter().all(|n| *n > 50), "{name}: {asked:?}");
    }
}

/// What was told of a line, in short.
fn told(dump: &str, format: Format) -> Vec<(String, Kind, String)> {
    let all = imported(dump, format).findings.into_iter();
    all.map(|f| (f.place, f.kind, f.reason)).collect()
}

#[test]
fn what_cannot_be_expressed_is_told_with_its_line() {
    let dump = "*filter
:INPUT DROP [0:0]
:A - [0:0]
[1:2] -A INPUT -i lo -j ACCEPT
-A INPUT -m mark --mark 0x1 -j A
-A INPUT -p sctp -m sctp --dport 9 -j DROP
-A INPUT -p tcp -m tcp --sport 25 ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT
-A INPUT -p tcp -m multiport ! --dports 1:10 -j ACCEPT
-A INPUT -j NFQUEUE --queue-num 0
-A A -j LOG
-A A -s 10.0.0.1 -j ACCEPT
COMMIT
";
    let all = told(dump, Format::IptablesSave);
    let has = |place: &str, kind, reason: &str| {
        let fits =
            |f: &&(String, Kind, String)| f.0 == place && f.1 == kind && f.2.contains(reason);
        assert_eq!(
            all.iter().filter(fits).count(),
            1,
            "{place} {reason}: {all:#?}"
        );
    };
    has(
        "line 4",
        Kind::LeftOut,
        "`-i lo`: rules know security classes",
    );
    has(
        "line 11",
        Kind::LeftOut,
        "`-m mark` cannot be expressed (line 5)",
    );
    has("line 6", Kind::Wider, "TCP and UDP only");
    has("line 7", Kind::Narrower, "who may open a connection");
    has("line 8", Kind::Narrower, "port 0");
    has("line 9", Kind::Wider, "target NFQUEUE is not known");
    has("line 10", Kind::NotDone, "target LOG");
    has("the whole", Kind::Note, "IPv6 is not in this dump");
    assert_eq!(all.len(), 8);
    // The same stands above the policy.
    let policy = imported(dump, Format::IptablesSave).policy;
    assert!(
        policy.contains("#   line 6: denies more: ports can be asked"),
        "{policy}"
    );
}

#[test]
fn what_stands_behind_a_target_is_asked_as_well() {
    let dump = |rules: [&str; 5]| {
        let mut text = String::from(
            "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT DROP [0:0]\n:ours - [0:0]\n",
        );
        for rule in rules {
            writeln!(text, "-A {rule}").unwrap();
        }
        text + "COMMIT\n"
    };
    // As people write them by hand, and as iptables-save does.
    let by_hand = dump([
        "INPUT -j DROP -s 10.9.0.0/16",
        "INPUT -j ours -s 10.0.0.0/8",
        "INPUT -j REJECT --reject-with icmp-admin-prohibited -p udp",
        "INPUT -p udp -g ours -d 192.0.2.1",
        "ours -j ACCEPT -p tcp --dport 22",
    ]);
    let saved = dump([
        "INPUT -s 10.9.0.0/16 -j DROP",
        "INPUT -s 10.0.0.0/8 -j ours",
        "INPUT -p udp -j REJECT --reject-with icmp-admin-prohibited",
        "INPUT -p udp -d 192.0.2.1 -g ours",
        "ours -p tcp --dport 22 -j ACCEPT",
    ]);
    let decides = |dump: &str| {
        let policy = imported(dump, Format::IptablesSave).policy;
        let lines = policy.lines().filter(|l| !l.starts_with('#'));
        lines.map(|l| format!("{l}\n")).collect::<String>()
    };
    assert_eq!(decides(&by_hand), decides(&saved));
    // What cannot be expressed counts there, too, and nothing is permitted without it.
    let limited = dump(["INPUT -j ACCEPT -m limit --limit 1/sec"; 5]);
    let imported = imported(&limited, Format::IptablesSave);
    assert!(!imported.policy.contains("Permit"), "{}", imported.policy);
    assert!(imported.findings.iter().any(|f| f.kind == Kind::LeftOut));
    // Two targets, or none behind `-j`: iptables takes neither, and nothing is permitted.
    let unclear = dump([
        "INPUT -j DROP -j ACCEPT",
        "INPUT ! -j ACCEPT",
        "INPUT -j",
        "INPUT -j ACCEPT x",
        "INPUT -p tcp",
    ]);
    let policy = import(
        unclear.as_bytes(),
        Format::IptablesSave,
        &Options::default(),
    );
    assert!(!policy.unwrap().policy.contains("Permit"));
}

#[test]
fn texts_of_the_source_stay_comments() {
    let dump = "*filter\n:INPUT DROP [0:0]\n-A INPUT -j ACCEPT\u{85}\u{2028}{ \u{a0}\n-A INPUT -s 10.0.0.1 -m x\u{202e} \
                --y \"a\u{b} \" -j ACCEPT\n-A INPUT -s 10.0.0.1 -j ACCEPT # }\n";
    let all = imported(dump, Format::IptablesSave);
    assert_eq!(rules(&all.policy).rules().len(), all.rules);
    assert!(all.policy.lines().all(|l| l == l.trim_end()));
    let long = format!("-A INPUT -m {} -j ACCEPT\n", "é".repeat(100_000));
    let all = imported(&long, Format::IptablesSave);
    assert!(all.policy.len() < 10_000);
}

#[test]
fn what_stands_inside_a_tunnel_is_not_asked_of_the_packet() {
    let ruleset = |tunnel: &str| {
        format!(
            r#"{{"nftables": [
            {{"chain": {{"family": "inet", "table": "filter", "name": "input", "handle": 1,
                "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}}},
            {{"rule": {{"family": "inet", "table": "filter", "chain": "input", "handle": 2, "expr": [
                {{"match": {{"op": "==", "right": "10.0.0.1", "left":
                    {{"payload": {{{tunnel} "protocol": "ip", "field": "saddr"}}}}}}}},
                {{"accept": null}}]}}}}]}}"#
        )
    };
    let p = Selectors {
        source: [10, 0, 0, 1].into(),
        destination: [10, 0, 0, 2].into(),
        protocol: Some(47),
        header: Header::Unknown,
        fragment: false,
        opening: Opening::Unknown,
        direction: Direction::Inbound,
        routing: Routing::Local,
        security_class: 0,
    };
    let plain = imported(&ruleset(""), Format::NftJson);
    assert!(permits(&rules(&plain.policy), &p));
    let inner = imported(&ruleset(r#""tunnel": "vxlan","#), Format::NftJson);
    assert!(!permits(&rules(&inner.policy), &p));
    assert!(
        inner
            .findings
            .iter()
            .any(|f| f.kind == Kind::LeftOut && f.place.starts_with("handle 2"))
    );
}

// A table with the flag `dormant` hooks no chain: it decides nothing, so nothing of it is imported.
#[test]
fn a_dormant_table_is_told_and_not_imported() {
    let ruleset = |flags: &str| {
        format!(
            r#"{{"nftables": [
            {{"chain": {{"family": "ip", "table": "off", "name": "input", "handle": 1,
                "type": "filter", "hook": "input", "prio": 0, "policy": "accept"}}}},
            {{"rule": {{"family": "ip", "table": "off", "chain": "input", "handle": 2, "expr": [
                {{"match": {{"op": "==", "right": 7, "left": {{"meta": {{"key": "mark"}}}}}}}},
                {{"accept": null}}]}}}},
            {{"rule": {{"family": "ip", "table": "off", "chain": "input", "handle": 3, "expr": [
                {{"match": {{"op": "==", "right": "10.0.0.1", "left":
                    {{"payload": {{"protocol": "ip", "field": "saddr"}}}}}}}},
                {{"drop": null}}]}}}},
            {{"table": {{"family": "ip", "name": "off", "handle": 7 {flags}}}}},
            {{"table": {{"family": "inet", "name": "off", "handle": 8}}}},
            {{"chain": {{"family": "inet", "table": "off", "name": "in", "handle": 1,
                "type": "filter", "hook": "input", "prio": 5, "policy": "accept"}}}},
            {{"rule": {{"family": "inet", "table": "off", "chain": "in", "handle": 3, "expr": [
                {{"match": {{"op": "==", "right": "10.0.0.2", "left":
                    {{"payload": {{"protocol": "ip", "field": "saddr"}}}}}}}},
                {{"drop": null}}]}}}}]}}"#
        )
    };
    let from = |last: u8| Selectors {
        source: [10, 0, 0, last].into(),
        destination: [10, 0, 0, 9].into(),
        protocol: Some(47),
        header: Header::Unknown,
        fragment: false,
        opening: Opening::Unknown,
        direction: Direction::Inbound,
        routing: Routing::Local,
        security_class: 0,
    };
    let permitted = |dump: &str| {
        let set = rules(&imported(dump, Format::NftJson).policy);
        [1, 2, 3].map(|last| permits(&set, &from(last)))
    };
    assert_eq!(permitted(&ruleset("")), [false, false, true]);
    for flags in [
        r#", "flags": "dormant""#,
        r#", "flags": ["owner", "dormant"]"#,
    ] {
        let dump = ruleset(flags);
        assert_eq!(permitted(&dump), [true, false, true], "{flags}");
        let all = told(&dump, Format::NftJson);
        let [(place, Kind::Note, reason)] = &all[..] else {
            panic!("{all:?}");
        };
        assert_eq!(place, "table ip off");
        assert!(reason.contains("dormant"), "{reason}");
    }
}

#[test]
fn denies_are_left_out_on_request_only() {
    let dump = "*filter
:INPUT ACCEPT [0:0]
-A INPUT -s 10.0.0.1/32 -m mark --mark 0x1 -j DROP
COMMIT
";
    let p = Selectors {
        source: [10, 0, 0, 1].into(),
        destination: [10, 0, 0, 2].into(),
        protocol: Some(47),
        header: Header::Unknown,
        fragment: false,
        opening: Opening::Unknown,
        direction: Direction::Inbound,
        routing: Routing::Local,
        security_class: 0,
    };
    assert!(!permits(
        &rules(&imported(dump, Format::IptablesSave).policy),
        &p
    ));
    let options = Options::default().skip_denies(true);
    let out = import(dump.as_bytes(), Format::IptablesSave, &options).unwrap();
    assert!(permits(&rules(&out.policy), &p));
    assert!(
        out.findings
            .iter()
            .any(|f| f.kind == Kind::DenyLeftOut && f.place == "line 3")
    );
}

#[test]
fn what_is_no_dump_is_refused() {
    let error =
        |text: &str, format| import(text.as_bytes(), format, &Options::default()).unwrap_err();
    let line = |text: &str| match error(text, Format::IptablesSave) {
        ImportError::Line { line, why } => (line, why),
        other => panic!("{other:?}"),
    };
    assert_eq!(line("# nothing\n").0, 1);
    assert_eq!(line("*filter\nhello world\n").0, 2);
    assert_eq!(line("*filter\n:INPUT\n").0, 2);
    assert_eq!(line("*filter\n:INPUT KEEP [0:0]\n").0, 2);
    assert_eq!(line("-A INPUT -m comment --comment \"x\n").0, 1);
    assert_eq!(line("[1:2 -A INPUT\n").0, 1);
    // The dumps of both IP versions one behind the other: rules of one are none of the other.
    let two = "# Generated by iptables-save\n*filter\n:INPUT DROP\nCOMMIT\n\
               # Generated by ip6tables-save\n*filter\n:INPUT ACCEPT\nCOMMIT\n";
    assert_eq!(line(two).0, 6);
    let many = format!("-A INPUT {}", "x ".repeat(2_000));
    assert_eq!(line(&many).0, 1);
    for text in [
        "",
        "[]",
        "{}",
        "{\"nftables\": 1}",
        "{\"nftables\": []}",
        &"[".repeat(1_000_000),
    ] {
        assert!(
            matches!(error(text, Format::NftJson), ImportError::Json(_)),
            "{text:.20}"
        );
    }
    let long = " ".repeat(hostward_cli::import::MOST_BYTES + 1);
    assert_eq!(error(&long, Format::NftJson), ImportError::TooLong);
}

#[test]
fn chains_that_run_in_circles_or_multiply_are_refused() {
    let error = |text: &str| {
        import(text.as_bytes(), Format::IptablesSave, &Options::default()).unwrap_err()
    };
    let circle = ":INPUT ACCEPT\n:A -\n:B -\n-A INPUT -j A\n-A A -j B\n-A B -j A\n";
    assert_eq!(error(circle), ImportError::TooDeep);
    let circle = ":INPUT ACCEPT\n:A -\n-A INPUT -g A\n-A A -s 10.0.0.1 -g A\n";
    assert_eq!(error(circle), ImportError::TooDeep);
    // Each return doubles what follows.
    let mut dump = String::from(":INPUT DROP\n");
    for n in 0..40 {
        writeln!(dump, ":C{n} -").unwrap();
    }
    for n in 0..40 {
        writeln!(
            dump,
            "-A INPUT -j C{n}\n-A C{n} -p tcp -m tcp --dport {} -j RETURN",
            n + 1
        )
        .unwrap();
        writeln!(
            dump,
            "-A C{n} -s 10.0.0.{n} -j ACCEPT\n-A C{n} -d 10.0.0.{n} -j RETURN"
        )
        .unwrap();
        writeln!(dump, "-A C{n} -s 10.1.0.{n} -j ACCEPT").unwrap();
    }
    assert_eq!(error(&dump), ImportError::TooMuch);
    // Every second port of both ends.
    let list: Vec<String> = (0..1_000).map(|n| (2 * n + 1).to_string()).collect();
    let list = list.join(",");
    let ports = format!(
        ":INPUT DROP\n-A INPUT -p tcp -m multiport --sports {list} --dports {list} -j ACCEPT\n"
    );
    assert_eq!(error(&ports), ImportError::TooMuch);
    // Long chains without are no trouble.
    let mut dump = String::from(":INPUT DROP\n");
    for n in 0..5_000 {
        writeln!(dump, "-A INPUT -s 10.0.{}.{} -j ACCEPT", n / 256, n % 256).unwrap();
    }
    assert_eq!(imported(&dump, Format::IptablesSave).rules, 5_002);
}

#[test]
fn the_command_writes_the_policy_and_tells_the_rest() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("import");
    fs::create_dir_all(&folder).unwrap();
    let output = folder.join("policy.conf");
    let file = "tests/import/mixed.iptables";
    let run = |args: &[&str]| {
        let mut command = command(&["rules", "import"]);
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command.args(args).output().unwrap()
    };
    let from = ["--from", "iptables-save"];
    let done = run(&[from[0], from[1], file, "--output", output.to_str().unwrap()]);
    assert_eq!(done.status.code(), Some(0));
    assert!(done.stdout.is_empty());
    let told = text(&done.stderr);
    assert!(told.contains("line 18: left out: `-i lo`"), "{told}");
    assert!(
        told.ends_with("things are not as in the source\n"),
        "{told}"
    );
    let policy = fs::read_to_string(&output).unwrap();
    assert_eq!(
        policy,
        imported(&sample("mixed.iptables"), Format::IptablesSave).policy
    );
    let printed = feed(
        &mut command(&["rules", "import", "--from", "iptables-save", "-"]),
        sample("mixed.iptables").as_bytes(),
    );
    assert_eq!(text(&printed.stdout), policy);
    assert_eq!(
        run(&["--strict", from[0], from[1], file]).status.code(),
        Some(1)
    );
    assert_eq!(run(&[from[0], "nft-json", file]).status.code(), Some(2));
    assert_eq!(
        run(&[from[0], from[1], "no such file"]).status.code(),
        Some(2)
    );
    assert_eq!(run(&[from[0], "pf", file]).status.code(), Some(2));
    assert_eq!(
        run(&[from[0], from[1], file, "--output", "."])
            .status
            .code(),
        Some(1)
    );
    let check = command(&["policy", "check", output.to_str().unwrap()])
        .output()
        .unwrap();
    assert_eq!(check.status.code(), Some(0));
}
