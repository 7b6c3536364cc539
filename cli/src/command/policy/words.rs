//! Rules in words and as JSON.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use hostward::filter::{
    Action, AddressSpec, Connect, Discard, Logging, Members, Opening, Rule, RuleDirection,
    RuleRouting, RuleSet, Service, Settings, SimpleFilter, TimeCondition, TunnelKind, Upper, Zone,
};
use hostward_hook::layout::proto;
use hostward_hook::meta::{Direction, Routing};
use serde::Serialize;

use crate::guarded::action_name;

const fn logging(logging: Logging) -> &'static str {
    match logging {
        Logging::No => "no",
        Logging::Yes => "yes",
        Logging::Permit => "permit",
        Logging::Deny | _ => "deny",
    }
}

pub(super) const fn discard(discard: Discard) -> &'static str {
    match discard {
        Discard::Icmp => "icmp",
        Discard::Silent | _ => "silent",
    }
}

pub(super) const fn direction(direction: RuleDirection) -> &'static str {
    match direction {
        RuleDirection::Inbound => "inbound",
        RuleDirection::Outbound => "outbound",
        RuleDirection::Bidirectional | _ => "bidirectional",
    }
}

pub(super) const fn routing(routing: RuleRouting) -> &'static str {
    match routing {
        RuleRouting::Routed => "routed",
        RuleRouting::Either => "either",
        RuleRouting::Local | _ => "local",
    }
}

pub(super) const fn connect(connect: Connect) -> &'static str {
    match connect {
        Connect::Inbound => "inbound",
        Connect::Outbound => "outbound",
        Connect::Any | _ => "any",
    }
}

fn protocol(upper: &Upper) -> String {
    match (upper, upper.protocol()) {
        (Upper::Opaque, _) => "opaque".into(),
        (_, None) => "all".into(),
        (_, Some(n)) => protocol_name(n),
    }
}

/// The name of a protocol, or its number.
pub(super) fn protocol_name(n: u8) -> String {
    match n {
        proto::ICMP => "icmp".into(),
        2 => "igmp".into(),
        proto::TCP => "tcp".into(),
        proto::UDP => "udp".into(),
        proto::ICMPV6 => "icmpv6".into(),
        89 => "ospf".into(),
        135 => "mipv6".into(),
        n => n.to_string(),
    }
}

/// A number or a range.
pub(super) fn range<T: Copy + PartialEq + std::fmt::Display>(r: &RangeInclusive<T>) -> String {
    if r.start() == r.end() {
        r.start().to_string()
    } else {
        format!("{}-{}", r.start(), r.end())
    }
}

pub(super) fn ports(r: &RangeInclusive<u16>) -> String {
    if *r == (0..=u16::MAX) {
        "any".into()
    } else {
        range(r)
    }
}

fn joined<'m, T: 'm>(members: &Members<T>, text: impl Fn(&T) -> String) -> String {
    let list: Vec<String> = members.iter().map(text).collect();
    let list = list.join(", ");
    match members.group_name() {
        Some(name) if !name.is_empty() => format!("{list} (group {name})"),
        _ => list,
    }
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct At<'a> {
    pub(super) file: Option<&'a str>,
    pub(super) line: Option<u32>,
}

impl<'a> At<'a> {
    pub(super) fn of(place: Option<(&'a str, u32)>) -> Self {
        Self {
            file: place.map(|(file, _)| file),
            line: place.map(|(_, line)| line),
        }
    }
}

/// Writes what a rule set says beside its rules.
pub(super) fn settings_text(s: &Settings) -> String {
    let on = |b| if b { "on" } else { "off" };
    let yes = |b| if b { "yes" } else { "no" };
    format!(
        "logging {}, implied deny logged {}, implied deny {}, filtered before IPsec opens {}, \
         tunnels on demand {}, FIPS 140 {}",
        on(s.logging),
        yes(s.log_implicit),
        discard(s.implicit_discard),
        yes(s.pre_decap),
        yes(s.allow_on_demand),
        yes(s.fips140),
    )
}

fn service_text(s: &Service) -> String {
    let mut text = protocol(&s.upper);
    match &s.upper {
        Upper::Ports {
            source,
            destination,
            ..
        } => {
            let _ = write!(
                text,
                " port {} to port {}",
                ports(source),
                ports(destination)
            );
        }
        Upper::Icmp { types, codes, .. } => {
            if *types != (0..=u8::MAX) {
                let _ = write!(text, " type {}", range(types));
            }
            if *codes != (0..=u8::MAX) {
                let _ = write!(text, " code {}", range(codes));
            }
        }
        Upper::Type { types, .. } if *types != (0..=u8::MAX) => {
            let _ = write!(text, " type {}", range(types));
        }
        Upper::Any | Upper::Opaque | Upper::Protocol(_) | Upper::Type { .. } | _ => {}
    }
    let _ = write!(text, ", {}", direction(s.direction));
    match s.connect {
        Connect::Inbound => text += ", connections opened inbound",
        Connect::Outbound => text += ", connections opened outbound",
        Connect::Any | _ => {}
    }
    text += match s.routing {
        RuleRouting::Routed => ", routed traffic",
        RuleRouting::Either => ", local and routed traffic",
        RuleRouting::Local | _ => ", local traffic",
    };
    if s.security_class != 0 {
        let _ = write!(text, ", security class {}", s.security_class);
    }
    if s.fragments_only {
        text += ", fragments only";
    }
    text
}

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const ALL_DAYS: u32 = 0x7fff_ffff;

fn chosen<'n>(names: &'n [&'n str], mask: u32) -> Vec<&'n str> {
    let set = |(i, name): (usize, &&'n str)| (mask >> i & 1 == 1).then_some(*name);
    names.iter().enumerate().filter_map(set).collect()
}

fn numbers(mask: u32) -> Vec<u32> {
    (0..31)
        .filter(|i| mask >> i & 1 == 1)
        .map(|i| i + 1)
        .collect()
}

fn date_time(digits: u64) -> String {
    let part = |scale: u64| digits / scale % 100;
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        digits / 10_000_000_000,
        part(100_000_000),
        part(1_000_000),
        part(10_000),
        part(100),
        part(1)
    )
}

fn minute(m: u16) -> String {
    format!("{:02}:{:02}", m / 60, m % 60)
}

fn list<T: ToString>(all: &[T]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    all.join(" ")
}

fn time_text(t: &TimeCondition) -> String {
    let mut parts = Vec::new();
    if let Some((from, to)) = t.range {
        parts.push(format!(
            "from {} to {}",
            date_time(from.digits()),
            date_time(to.digits())
        ));
    }
    if t.months & 0xfff != 0xfff {
        parts.push(format!(
            "months {}",
            list(&chosen(&MONTHS, t.months.into()))
        ));
    }
    if t.days & ALL_DAYS != ALL_DAYS {
        let mut days = Vec::new();
        if t.days != 0 {
            days.push(format!("days {} of the month", list(&numbers(t.days))));
        }
        if t.days_from_end != 0 {
            let days_from_end = list(&numbers(t.days_from_end));
            days.push(format!("days {days_from_end} counted from its end"));
        }
        parts.push(if days.is_empty() {
            "no day of the month".into()
        } else {
            days.join(" or ")
        });
    }
    if t.weekdays & 0x7f != 0x7f {
        parts.push(list(&chosen(&DAYS, t.weekdays.into())));
    }
    if !t.times.is_empty() {
        let times = t.times.iter().map(|t| {
            let (from, to) = t.ends();
            format!("{}-{}", minute(from), minute(to))
        });
        parts.push(times.collect::<Vec<_>>().join(" "));
    }
    if parts.is_empty() {
        parts.push("always".into());
    }
    let zone = match t.zone {
        Zone::Utc => "UTC",
        Zone::Local | _ => "local time",
    };
    format!("{} ({zone})", parts.join(", "))
}

/// Writes a rule over several lines.
pub(super) fn rule_text(out: &mut String, number: usize, rule: &Rule, set: &RuleSet, at: At<'_>) {
    let _ = write!(out, "{number:>4}  {}", rule.name);
    if let Some(group) = &rule.group {
        let _ = write!(out, "  (group {group})");
    }
    if let (Some(file), Some(line)) = (at.file, at.line) {
        let _ = write!(out, "  {file}:{line}");
    }
    let _ = write!(out, "\n      {}", action_name(rule.action));
    if let Action::Ipsec(id) = rule.action
        && let Some(tunnel) = set.tunnel(id)
    {
        let kind = match tunnel.kind {
            TunnelKind::Manual => "manual",
            TunnelKind::Dynamic | _ => "dynamic",
        };
        let _ = write!(out, " through {kind} tunnel {}", tunnel.name);
        if let Some(start) = &tunnel.local_start {
            let _ = write!(out, ", started as {start}");
        }
    }
    let _ = match rule.logging {
        Logging::No => write!(out, ", not logged"),
        Logging::Yes => write!(out, ", logged"),
        Logging::Permit => write!(out, ", logged when permitted"),
        Logging::Deny | _ => write!(out, ", logged when denied"),
    };
    if rule.discard == Discard::Icmp {
        *out += ", the sender is told (ICMP)";
    }
    let address = |a: &AddressSpec| a.to_string();
    let _ = write!(out, "\n      from {}", joined(&rule.source, address));
    let _ = write!(out, "\n      to   {}", joined(&rule.destination, address));
    if let Some(name) = rule.services.group_name().filter(|n| !n.is_empty()) {
        let _ = write!(out, "\n      services of group {name}");
    }
    for service in rule.services.iter() {
        let _ = write!(out, "\n      for  {}", service_text(service));
    }
    for time in &rule.times {
        let _ = write!(out, "\n      when {}", time_text(time));
    }
    out.push('\n');
}

/// In which directions a simple filter matches, and what it does not let open.
struct Contexts {
    directions: Vec<&'static str>,
    routings: Vec<&'static str>,
    opens: bool,
}

fn contexts(filter: &SimpleFilter<'_>) -> Contexts {
    let mask = filter.contexts();
    let any = |wanted: &dyn Fn(hostward::filter::Context) -> bool| {
        hostward::filter::Context::all().any(|c| mask >> c.index() & 1 == 1 && wanted(c))
    };
    let pick = |all: [(&'static str, bool); 2]| {
        all.into_iter()
            .filter(|(_, is)| *is)
            .map(|(n, _)| n)
            .collect()
    };
    Contexts {
        directions: pick([
            ("inbound", any(&|c| c.direction() == Direction::Inbound)),
            ("outbound", any(&|c| c.direction() == Direction::Outbound)),
        ]),
        routings: pick([
            ("local", any(&|c| c.routing() == Routing::Local)),
            ("routed", any(&|c| c.routing() == Routing::Routed)),
        ]),
        opens: any(&|c| c.opening() == Opening::Opens),
    }
}

/// Writes the simple filters of a rule, a line each.
pub(super) fn filters_text(out: &mut String, rule: &Rule) {
    for filter in rule.simple_filters() {
        let c = contexts(&filter);
        let (a, b) = filter.ranges();
        let mut what = protocol(filter.upper());
        match filter.upper() {
            Upper::Ports { .. } => {
                let _ = write!(what, " port {} to port {}", ports(&a), ports(&b));
            }
            Upper::Any | Upper::Opaque | Upper::Protocol(_) => {}
            Upper::Icmp { .. } | Upper::Type { .. } | _ => {
                if a != (0..=u16::MAX) {
                    let _ = write!(what, " type {}", range(&a));
                }
                if b != (0..=u16::MAX) {
                    let _ = write!(what, " code {}", range(&b));
                }
            }
        }
        let _ = write!(
            out,
            "      .{}  {} to {}, {what}, {}, {}",
            filter.extension(),
            filter.source(),
            filter.destination(),
            c.directions.join(" and "),
            c.routings.join(" and "),
        );
        if !c.opens {
            *out += ", opens no connection";
        }
        if filter.service().fragments_only {
            *out += ", fragments only";
        }
        if filter.security_class() != 0 {
            let _ = write!(out, ", security class {}", filter.security_class());
        }
        out.push('\n');
    }
}

/// Settings as JSON.
#[derive(Serialize)]
pub(super) struct SettingsJson {
    logging: bool,
    log_implicit: bool,
    implicit_discard: &'static str,
    pre_decap: bool,
    allow_on_demand: bool,
    fips140: bool,
}

impl SettingsJson {
    pub(super) const fn of(s: &Settings) -> Self {
        Self {
            logging: s.logging,
            log_implicit: s.log_implicit,
            implicit_discard: discard(s.implicit_discard),
            pre_decap: s.pre_decap,
            allow_on_demand: s.allow_on_demand,
            fips140: s.fips140,
        }
    }
}

#[derive(Serialize)]
struct TunnelJson {
    name: String,
    kind: &'static str,
    local_start: Option<String>,
}

type Pair<T> = Option<[T; 2]>;

const fn pair<T: Copy>(r: &RangeInclusive<T>) -> Pair<T> {
    Some([*r.start(), *r.end()])
}

#[derive(Serialize)]
struct ServiceJson {
    protocol: String,
    protocol_number: Option<u8>,
    source_ports: Pair<u16>,
    destination_ports: Pair<u16>,
    types: Pair<u8>,
    codes: Pair<u8>,
    direction: &'static str,
    connect: &'static str,
    routing: &'static str,
    security_class: u8,
    fragments_only: bool,
}

impl ServiceJson {
    fn of(s: &Service) -> Self {
        let (mut source_ports, mut destination_ports, mut types, mut codes) =
            (None, None, None, None);
        match &s.upper {
            Upper::Ports {
                source,
                destination,
                ..
            } => {
                source_ports = pair(source);
                destination_ports = pair(destination);
            }
            Upper::Icmp {
                types: t, codes: c, ..
            } => {
                types = pair(t);
                codes = pair(c);
            }
            Upper::Type { types: t, .. } => types = pair(t),
            Upper::Any | Upper::Opaque | Upper::Protocol(_) | _ => {}
        }
        Self {
            protocol: protocol(&s.upper),
            protocol_number: s.upper.protocol(),
            source_ports,
            destination_ports,
            types,
            codes,
            direction: direction(s.direction),
            connect: connect(s.connect),
            routing: routing(s.routing),
            security_class: s.security_class,
            fragments_only: s.fragments_only,
        }
    }
}

#[derive(Serialize)]
struct TimeJson {
    from: Option<String>,
    to: Option<String>,
    months: Vec<&'static str>,
    days: Vec<u32>,
    days_from_end: Vec<u32>,
    weekdays: Vec<&'static str>,
    times: Vec<[String; 2]>,
    zone: &'static str,
}

impl TimeJson {
    fn of(t: &TimeCondition) -> Self {
        Self {
            from: t.range.map(|(from, _)| date_time(from.digits())),
            to: t.range.map(|(_, to)| date_time(to.digits())),
            months: chosen(&MONTHS, t.months.into()),
            days: numbers(t.days),
            days_from_end: numbers(t.days_from_end),
            weekdays: chosen(&DAYS, t.weekdays.into()),
            times: t
                .times
                .iter()
                .map(|t| {
                    let (from, to) = t.ends();
                    [minute(from), minute(to)]
                })
                .collect(),
            zone: match t.zone {
                Zone::Utc => "utc",
                Zone::Local | _ => "local",
            },
        }
    }
}

#[derive(Serialize)]
struct FilterJson {
    extension: u32,
    source: String,
    destination: String,
    protocol: String,
    protocol_number: Option<u8>,
    source_ports: Pair<u16>,
    destination_ports: Pair<u16>,
    types: Pair<u16>,
    codes: Pair<u16>,
    directions: Vec<&'static str>,
    routings: Vec<&'static str>,
    opens_connections: bool,
    security_class: u8,
    fragments_only: bool,
}

impl FilterJson {
    fn of(f: &SimpleFilter<'_>) -> Self {
        let c = contexts(f);
        let (a, b) = f.ranges();
        let is_ports = matches!(f.upper(), Upper::Ports { .. });
        let is_icmp = matches!(f.upper(), Upper::Icmp { .. });
        let is_type = is_icmp || matches!(f.upper(), Upper::Type { .. });
        // Types and codes are bytes; all of them are asked for with a wider range.
        let byte = |r: &RangeInclusive<u16>| Some([*r.start(), (*r.end()).min(255)]);
        Self {
            extension: f.extension(),
            source: f.source().to_string(),
            destination: f.destination().to_string(),
            protocol: protocol(f.upper()),
            protocol_number: f.upper().protocol(),
            source_ports: is_ports.then(|| pair(&a)).flatten(),
            destination_ports: is_ports.then(|| pair(&b)).flatten(),
            types: is_type.then(|| byte(&a)).flatten(),
            codes: is_icmp.then(|| byte(&b)).flatten(),
            directions: c.directions,
            routings: c.routings,
            opens_connections: c.opens,
            security_class: f.security_class(),
            fragments_only: f.service().fragments_only,
        }
    }
}

/// A rule as JSON.
#[derive(Serialize)]
pub(super) struct RuleJson<'a> {
    number: usize,
    name: &'a str,
    group: Option<&'a str>,
    file: Option<&'a str>,
    line: Option<u32>,
    action: &'static str,
    tunnel: Option<TunnelJson>,
    logging: &'static str,
    discard: &'static str,
    sources: Vec<String>,
    source_group: Option<&'a str>,
    destinations: Vec<String>,
    destination_group: Option<&'a str>,
    services: Vec<ServiceJson>,
    service_group: Option<&'a str>,
    times: Vec<TimeJson>,
    simple_filters: usize,
    filters: Option<Vec<FilterJson>>,
}

impl<'a> RuleJson<'a> {
    pub(super) fn of(
        number: usize,
        rule: &'a Rule,
        set: &RuleSet,
        at: At<'a>,
        expand: bool,
    ) -> Self {
        let tunnel = match rule.action {
            Action::Ipsec(id) => set.tunnel(id),
            Action::Permit | Action::Deny | _ => None,
        };
        let addresses = |m: &Members<AddressSpec>| m.iter().map(ToString::to_string).collect();
        let named = |name: Option<&'a str>| name.filter(|n| !n.is_empty());
        Self {
            number,
            name: &rule.name,
            group: rule.group.as_deref(),
            file: at.file,
            line: at.line,
            action: action_name(rule.action),
            tunnel: tunnel.map(|t| TunnelJson {
                name: t.name.to_string(),
                kind: match t.kind {
                    TunnelKind::Manual => "manual",
                    TunnelKind::Dynamic | _ => "dynamic",
                },
                local_start: t.local_start.as_deref().map(Into::into),
            }),
            logging: logging(rule.logging),
            discard: discard(rule.discard),
            sources: addresses(&rule.source),
            source_group: named(rule.source.group_name()),
            destinations: addresses(&rule.destination),
            destination_group: named(rule.destination.group_name()),
            services: rule.services.iter().map(ServiceJson::of).collect(),
            service_group: named(rule.services.group_name()),
            times: rule.times.iter().map(|t| TimeJson::of(t)).collect(),
            simple_filters: rule.expansion(),
            filters: expand.then(|| rule.simple_filters().map(|f| FilterJson::of(&f)).collect()),
        }
    }
}
