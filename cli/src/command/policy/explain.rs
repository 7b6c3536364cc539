//! `hostward policy explain`.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;

use clap::Args;
use hostward::filter::{
    Action, Arrival, Explanation, Failed, Fit, Header, Opening, Outcome as Decided, PacketText,
    PacketTextError, Question, RuleSet, Selectors, Tried,
};
use hostward_hook::ident::TunnelId;
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::time::UnixTime;
use hostward_policy::Severity;
use jiff::Timestamp;
use serde::Serialize;

use super::super::Outcome;
use super::ready::Ready;
use super::tell::{colours, messages, number};
use super::words::{At, connect, direction, discard, ports, protocol_name, range, routing};
use super::{EXIT_CODES, PolicyFiles, not_ready};
use crate::clock::{SystemZone, now};
use crate::escape::escaped;
use crate::guarded::action_name;
use crate::report::json::write_line;

/// So many rules are shown one by one, whatever failed.
const FEW: usize = 20;

/// Arguments of `policy explain`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
#[non_exhaustive]
pub struct Explain {
    /// The packet, as in `in tcp 10.1.1.7:2000 > 10.1.1.1:80 syn`
    #[arg(long, value_name = "PACKET")]
    pub packet: String,

    /// The files.
    #[command(flatten)]
    pub policy: PolicyFiles,

    /// Show every rule that was tried; else, when there are more than 20, only those whose
    /// addresses, direction and time fit
    #[arg(long)]
    pub all: bool,

    /// Write one JSON object, with every rule that was tried
    #[arg(long)]
    pub json: bool,
}

impl Explain {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Those of writing to standard output.
    pub fn run(self) -> io::Result<Outcome> {
        let packet: PacketText = match self.packet.parse() {
            Ok(packet) => packet,
            Err(error) => {
                let error: PacketTextError = error;
                // A closed standard error is no reason for another exit code.
                let _ = writeln!(
                    io::stderr(),
                    "error: --packet: {}",
                    escaped(&error.to_string())
                );
                return Ok(Outcome::Usage);
            }
        };
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
        let none = RuleSet::defaults(Vec::new(), 0);
        let set = match (&ready.policy, &ready.defaults) {
            (Some(policy), _) => &policy.rule_set,
            (None, Some((defaults, _))) => defaults,
            (None, None) => &none,
        };
        let through = packet.through.as_deref();
        let Ok(arrival) = arrival(set, through) else {
            let _ = writeln!(
                io::stderr(),
                "error: --packet: no rule names a tunnel `{}`; `*` stands for one that none names",
                escaped(through.unwrap_or_default())
            );
            return Ok(Outcome::Usage);
        };
        let mut asked = Question::from(packet.selectors).arrival(arrival);
        asked.quoted = packet.quoted;
        let at = packet.at.unwrap_or_else(now);
        let explained = Explained {
            ready: &ready,
            set,
            packet: &packet,
            at,
            explanation: set.explain(asked, &set.in_force(at, &SystemZone::new())),
        };
        let mut out = BufWriter::new(io::stdout().lock());
        if self.json {
            write_line(&mut out, &explained.json())?;
        } else {
            for line in explained.text(self.all).lines() {
                writeln!(out, "{}", escaped(line))?;
            }
        }
        out.flush()?;
        Ok(Outcome::Done)
    }
}

/// How a packet came that is said to have come through a tunnel.
fn arrival(set: &RuleSet, through: Option<&str>) -> Result<Arrival, NoTunnel> {
    Ok(match through {
        None => Arrival::Clear,
        Some("*") => Arrival::Opened(None),
        Some(name) => {
            let at = set.tunnels().iter().position(|t| *t.name == *name);
            let id = at.and_then(|at| u32::try_from(at).ok()).ok_or(NoTunnel)?;
            Arrival::Opened(Some(TunnelId(id)))
        }
    })
}

/// No rule names the tunnel.
struct NoTunnel;

/// What there is to tell.
struct Explained<'a> {
    ready: &'a Ready,
    set: &'a RuleSet,
    packet: &'a PacketText,
    at: UnixTime,
    explanation: Explanation<'a>,
}

impl<'a> Explained<'a> {
    fn place(&self, tried: &Tried<'_>) -> At<'a> {
        // Default rules have no place.
        At::of(self.ready.place(tried.position))
    }

    fn text(&self, all: bool) -> String {
        let mut out = format!("Packet: {}\n", packet_text(&self.packet.selectors));
        if let Some(through) = self.packet.through.as_deref() {
            let _ = writeln!(out, "        came through tunnel {through}");
        }
        if let Some(quoted) = &self.packet.quoted {
            let _ = writeln!(out, "        about {}", packet_text(quoted));
        }
        let _ = writeln!(out, "Time:   {}", time_text(self.at));
        let stack = self.ready.stack.as_deref();
        let of_stack = stack.map_or_else(String::new, |s| format!(" of stack {s}"));
        out += &match (&self.ready.policy, self.ready.profile_name()) {
            (Some(_), _) => format!("Rules:  IP filter policy{of_stack}\n\n"),
            (None, Some(file)) => {
                format!("Rules:  default rules of {file}, there is no policy\n\n")
            }
            (None, None) => "Rules:  no policy and no profile: built-in default rules\n\n".into(),
        };
        let tried = &self.explanation.tried;
        let is_near = |t: &Tried<'_>| match &t.fit {
            Fit::Matched { .. } => true,
            Fit::Failed { by, .. } => by.is_behind_addresses(),
        };
        let show_all = all || tried.len() <= FEW;
        let mut hidden = 0;
        for tried in tried {
            if !show_all && !is_near(tried) {
                hidden += 1;
                continue;
            }
            let _ = write!(out, "{:>4}  {}", tried.position + 1, tried.rule.name);
            if let (Some(file), Some(line)) = (self.place(tried).file, self.place(tried).line) {
                let _ = write!(out, "  {file}:{line}");
            }
            let _ = writeln!(out, "\n      {}", fit_text(tried));
        }
        if hidden > 0 {
            let rules = number(hidden, "rule");
            let _ = writeln!(
                out,
                "      {rules} more: for other addresses, another direction or another time; --all \
                 shows them"
            );
        }
        let _ = writeln!(out, "\nDecision: {}", self.decision_text());
        out
    }

    fn decision_text(&self) -> String {
        let may = self.packet.selectors.may_be_answered();
        let told = |of: &str| match of {
            "icmp" if may => "; the sender is told (ICMP)",
            "icmp" => "; ICMP never answers such a packet",
            _ => "",
        };
        let outcome = self.explanation.outcome;
        let Some(decided) = self.explanation.decided_by() else {
            let Some(excused) = &self.explanation.excused_by else {
                let told = told(discard(self.set.settings().implicit_discard));
                return format!("deny, no rule matches{told}");
            };
            let what = match outcome {
                Decided::Protect(id) => format!("send it through tunnel {}", self.tunnel(id)),
                Decided::Permit
                | Decided::Deny
                | Decided::NotThroughTunnel
                | Decided::UnexpectedTunnel => "permit".into(),
            };
            return format!(
                "{what}: no rule matches, but what this error is about matches rule {} {}, whose \
                 tunnel it belongs to",
                excused.position + 1,
                excused.rule.name
            );
        };
        let rule = decided.rule;
        let by = format!("by rule {} {}", decided.position + 1, rule.name);
        let told = told(discard(rule.discard));
        let demanded = match rule.action {
            Action::Ipsec(id) => self.tunnel(id),
            Action::Permit | Action::Deny | _ => "",
        };
        match outcome {
            Decided::Permit if demanded.is_empty() => format!("permit, {by}"),
            Decided::Permit => format!("permit, it came through tunnel {demanded}, {by}"),
            Decided::Protect(_) => format!("send it through tunnel {demanded}, {by}"),
            Decided::Deny => format!("deny, {by}{told}"),
            Decided::NotThroughTunnel => {
                let how = match self.packet.through.as_deref() {
                    Some(_) => "through another tunnel",
                    None => "in the clear",
                };
                format!("deny, it came {how} and not through tunnel {demanded}, {by}{told}")
            }
            Decided::UnexpectedTunnel => format!(
                "deny, it came through a tunnel and the rule is not for tunnels, {by}{told}"
            ),
        }
    }

    fn tunnel(&self, id: TunnelId) -> &'a str {
        self.set.tunnel(id).map_or("", |t| &t.name)
    }

    fn json(&self) -> ExplanationJson<'_> {
        let decided = self.explanation.decided_by();
        let implicit = discard(self.set.settings().implicit_discard);
        let named = decided.or(self.explanation.excused_by.as_ref());
        let tunnel = named.and_then(|t| match t.rule.action {
            Action::Ipsec(id) => self.set.tunnel(id).map(|t| &*t.name),
            Action::Permit | Action::Deny | _ => None,
        });
        ExplanationJson {
            r#type: "explanation",
            stack: self.ready.stack.as_deref(),
            in_force: if self.ready.policy.is_some() {
                "policy"
            } else {
                "defaults"
            },
            at: time_text(self.at),
            packet: PacketJson::of(&self.packet.selectors),
            through: self.packet.through.as_deref(),
            quoted: self.packet.quoted.as_ref().map(PacketJson::of),
            tried: self
                .explanation
                .tried
                .iter()
                .map(|t| self.tried_json(t))
                .collect(),
            decision: decided_name(self.explanation.outcome),
            excused_by: self.explanation.excused_by.as_ref().map(|t| ExcusedJson {
                number: t.position + 1,
                name: &t.rule.name,
            }),
            rule: decided.map(|t| t.position + 1),
            rule_name: decided.map(|t| &*t.rule.name),
            tunnel,
            discard: decided.map_or(implicit, |t| discard(t.rule.discard)),
        }
    }

    fn tried_json<'t>(&self, tried: &'t Tried<'_>) -> TriedJson<'t>
    where
        'a: 't,
    {
        let at = self.place(tried);
        let (extension, failed) = match &tried.fit {
            Fit::Matched { extension } => (*extension, None),
            Fit::Failed { by, extension } => {
                let [rule, packet] = sides(by);
                let condition = by.name();
                (
                    *extension,
                    Some(FailedJson {
                        condition,
                        rule,
                        packet,
                    }),
                )
            }
        };
        TriedJson {
            number: tried.position + 1,
            name: &tried.rule.name,
            group: tried.rule.group.as_deref(),
            file: at.file,
            line: at.line,
            action: action_name(tried.rule.action),
            matched: failed.is_none(),
            extension: Some(extension).filter(|e| *e != 0),
            failed,
        }
    }
}

const fn decided_name(outcome: Decided) -> &'static str {
    match outcome {
        Decided::Permit => "permit",
        Decided::Deny => "deny",
        Decided::Protect(_) => "protect",
        Decided::NotThroughTunnel => "not_through_tunnel",
        Decided::UnexpectedTunnel => "unexpected_tunnel",
    }
}

const fn direction_name(d: Direction) -> &'static str {
    match d {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

const fn routing_name(r: Routing) -> &'static str {
    match r {
        Routing::Local => "local",
        Routing::Routed => "routed",
    }
}

const fn opening_name(o: Opening) -> Option<&'static str> {
    match o {
        Opening::Unknown => None,
        Opening::Opens => Some("opens"),
        Opening::Continues => Some("continues"),
    }
}

fn time_text(at: UnixTime) -> String {
    let micros = i64::try_from(at.as_micros()).ok();
    let at = micros.and_then(|m| Timestamp::from_microsecond(m).ok());
    at.map_or_else(|| "unknown".into(), |at| at.to_string())
}

/// The packet in words.
fn packet_text(p: &Selectors) -> String {
    let mut out = format!("{}, ", direction_name(p.direction));
    out += &p.protocol.map_or_else(|| "opaque".into(), protocol_name);
    let end = |address: IpAddr, port: u16| match address {
        IpAddr::V4(a) => format!("{a}:{port}"),
        IpAddr::V6(a) => format!("[{a}]:{port}"),
    };
    let _ = match p.header {
        Header::Ports(x, y) => write!(out, " {} > {}", end(p.source, x), end(p.destination, y)),
        Header::Icmp(kind, code) => write!(
            out,
            " {} > {} type {kind} code {code}",
            p.source, p.destination
        ),
        Header::Type(kind) => write!(out, " {} > {} type {kind}", p.source, p.destination),
        Header::Unknown => write!(out, " {} > {}", p.source, p.destination),
    };
    match p.opening {
        Opening::Opens => out += ", opens a connection",
        Opening::Continues => out += ", part of a connection",
        Opening::Unknown => {}
    }
    if p.fragment {
        out += ", fragment";
    }
    let _ = write!(out, ", {} traffic", routing_name(p.routing));
    if p.security_class != 0 {
        let _ = write!(out, ", security class {}", p.security_class);
    }
    out
}

/// What a rule asks for and what the packet has.
fn sides(by: &Failed) -> [Option<String>; 2] {
    let shown = |n: Option<String>| n.or_else(|| Some("unknown".into()));
    let text = |s: &str| Some(s.to_owned());
    match by {
        Failed::Direction { rule, packet } => {
            [text(direction(*rule)), text(direction_name(*packet))]
        }
        Failed::Routing { rule, packet } => [text(routing(*rule)), text(routing_name(*packet))],
        Failed::SecurityClass { rule, packet } => {
            [Some(rule.to_string()), Some(packet.to_string())]
        }
        Failed::Connect { rule, packet } => [
            text(connect(*rule)),
            shown(opening_name(*packet).map(Into::into)),
        ],
        Failed::Source { rule, packet } | Failed::Destination { rule, packet } => {
            [Some(rule.to_string()), Some(packet.to_string())]
        }
        Failed::Protocol { rule, packet } => {
            [*rule, *packet].map(|n| n.map_or_else(|| text("opaque"), |n| Some(protocol_name(n))))
        }
        Failed::SourcePort { rule, packet } | Failed::DestinationPort { rule, packet } => {
            [Some(ports(rule)), shown(packet.map(|n| n.to_string()))]
        }
        Failed::Type { rule, packet } | Failed::Code { rule, packet } => {
            [Some(range(rule)), shown(packet.map(|n| n.to_string()))]
        }
        Failed::Time | Failed::EmptyGroup | Failed::FragmentsOnly | _ => [None, None],
    }
}

/// What came of a rule, in words.
fn fit_text(tried: &Tried<'_>) -> String {
    let (by, extension) = match &tried.fit {
        Fit::Matched { extension } => {
            let action = action_name(tried.rule.action);
            return format!("matches through simple filter {extension}: {action}");
        }
        Fit::Failed { by, extension } => (by, *extension),
    };
    let [rule, packet] = sides(by).map(Option::unwrap_or_default);
    let (sources, destinations) = (
        tried.rule.source.as_slice(),
        tried.rule.destination.as_slice(),
    );
    let several = if sources.len().max(destinations.len()) > 1 {
        " and others of a set"
    } else {
        ""
    };
    let mut text = match by {
        Failed::Time => "it is not in force at that time".into(),
        Failed::EmptyGroup => "a group of it is empty".into(),
        Failed::Direction { .. } => format!("it is for {rule} packets, this one is {packet}"),
        Failed::Routing { .. } => format!("it is for {rule} traffic, this is {packet}"),
        Failed::SecurityClass { .. } => {
            format!("it is for security class {rule}, the packet has {packet}")
        }
        Failed::FragmentsOnly => "it is for fragments only, this is none".into(),
        Failed::Connect { packet, .. } => match packet {
            Opening::Opens => format!("only {rule} connections are its, this packet opens another"),
            Opening::Unknown | Opening::Continues => {
                format!("only {rule} connections are its, the packet does not show who opens")
            }
        },
        Failed::Source { .. } => format!("source {packet} is not in {rule}{several}"),
        Failed::Destination { .. } => format!("destination {packet} is not in {rule}{several}"),
        Failed::Protocol { .. } => format!("it is for protocol {rule}, the packet is {packet}"),
        Failed::SourcePort { .. } => format!("source port {packet} is not {rule}"),
        Failed::DestinationPort { .. } => format!("destination port {packet} is not {rule}"),
        Failed::Type { .. } => format!("type {packet} is not {rule}"),
        Failed::Code { .. } => format!("code {packet} is not {rule}"),
        other => other.name().replace('_', " "),
    };
    if tried.rule.expansion() > 1 && extension != 0 {
        let _ = write!(text, " (simple filter {extension})");
    }
    text
}

#[derive(Serialize)]
struct PacketJson {
    direction: &'static str,
    routing: &'static str,
    protocol: Option<u8>,
    source: String,
    destination: String,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    r#type: Option<u8>,
    code: Option<u8>,
    connection: Option<&'static str>,
    fragment: bool,
    security_class: u8,
}

impl PacketJson {
    fn of(p: &Selectors) -> Self {
        let (mut ports, mut kind, mut code) = (None, None, None);
        match p.header {
            Header::Unknown => {}
            Header::Ports(x, y) => ports = Some((x, y)),
            Header::Icmp(x, y) => (kind, code) = (Some(x), Some(y)),
            Header::Type(x) => kind = Some(x),
        }
        Self {
            direction: direction_name(p.direction),
            routing: routing_name(p.routing),
            protocol: p.protocol,
            source: p.source.to_string(),
            destination: p.destination.to_string(),
            source_port: ports.map(|(x, _)| x),
            destination_port: ports.map(|(_, y)| y),
            r#type: kind,
            code,
            connection: opening_name(p.opening),
            fragment: p.fragment,
            security_class: p.security_class,
        }
    }
}

#[derive(Serialize)]
struct FailedJson {
    condition: &'static str,
    rule: Option<String>,
    packet: Option<String>,
}

#[derive(Serialize)]
struct TriedJson<'a> {
    number: usize,
    name: &'a str,
    group: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    action: &'static str,
    matched: bool,
    extension: Option<u32>,
    failed: Option<FailedJson>,
}

#[derive(Serialize)]
struct ExcusedJson<'a> {
    number: usize,
    name: &'a str,
}

#[derive(Serialize)]
struct ExplanationJson<'a> {
    r#type: &'static str,
    stack: Option<&'a str>,
    in_force: &'static str,
    at: String,
    packet: PacketJson,
    through: Option<&'a str>,
    quoted: Option<PacketJson>,
    tried: Vec<TriedJson<'a>>,
    decision: &'static str,
    excused_by: Option<ExcusedJson<'a>>,
    rule: Option<usize>,
    rule_name: Option<&'a str>,
    tunnel: Option<&'a str>,
    discard: &'static str,
}
