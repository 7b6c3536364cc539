//! What `explain` says is so: the rule it names is the one that decides, and what it says does not
//! fit would fit if the rule asked nothing there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

use std::net::IpAddr;
use std::sync::Arc;

use arbtest::arbitrary::{Result as Arbitrary, Unstructured};
use hostward_filter::defensive::{
    Defense, DefenseConfig, DefensiveDirection, DefensiveFilter, DefensiveMode, Request, Target,
};
use hostward_filter::{
    Action, AddressSpec, Connect, DefensiveFit, Failed, Filter, Fit, Header, Members, Opening,
    Orientation, Rule, RuleDirection, RuleRouting, RuleSet, Selectors, Service, TimeCondition,
    Upper,
};
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::time::{Instant, Now, UnixTime};

fn address(u: &mut Unstructured<'_>) -> Arbitrary<IpAddr> {
    let last = u.int_in_range(0..=3_u8)?;
    Ok(if u.ratio(1, 4)? {
        format!("2001:db8::{last}").parse().unwrap()
    } else {
        IpAddr::from([10, 0, 0, last])
    })
}

fn spec(u: &mut Unstructured<'_>) -> Arbitrary<AddressSpec> {
    Ok(match u.int_in_range(0..=5_u8)? {
        0 => AddressSpec::Any,
        1 => AddressSpec::AnyV4,
        2 => AddressSpec::AnyV6,
        3 => AddressSpec::prefix(address(u)?, 31).unwrap(),
        _ => AddressSpec::host(address(u)?),
    })
}

fn specs(u: &mut Unstructured<'_>) -> Arbitrary<Members<AddressSpec>> {
    let n = u.int_in_range(0..=8_u8)?;
    if n > 3 {
        return Ok(spec(u)?.into());
    }
    let list: Arbitrary<Vec<_>> = (0..n).map(|_| spec(u)).collect();
    Ok(list?.into())
}

fn range<T: Copy + PartialOrd>(
    u: &mut Unstructured<'_>,
    few: [T; 2],
    all: [T; 2],
) -> Arbitrary<std::ops::RangeInclusive<T>> {
    Ok(match u.int_in_range(0..=3_u8)? {
        0 => all[0]..=all[1],
        1 => few[0]..=few[0],
        2 => few[1]..=few[1],
        _ => few[0]..=few[1],
    })
}

fn upper(u: &mut Unstructured<'_>) -> Arbitrary<Upper> {
    Ok(match u.int_in_range(0..=6_u8)? {
        0 => Upper::Any,
        1 => Upper::Opaque,
        2 => Upper::Protocol(*u.choose(&[1, 6, 17])?),
        3 => Upper::Icmp {
            protocol: 1,
            types: range(u, [0, 8], [0, 255])?,
            codes: range(u, [0, 1], [0, 255])?,
        },
        4 => Upper::Type {
            protocol: 89,
            types: range(u, [1, 2], [0, 255])?,
        },
        _ => Upper::Ports {
            protocol: *u.choose(&[6, 17])?,
            source: range(u, [1, 2], [0, u16::MAX])?,
            destination: range(u, [1, 2], [0, u16::MAX])?,
        },
    })
}

fn service(u: &mut Unstructured<'_>) -> Arbitrary<Service> {
    let mut s = Service::new(upper(u)?);
    s.direction = *u.choose(&[
        RuleDirection::Bidirectional,
        RuleDirection::Inbound,
        RuleDirection::Outbound,
    ])?;
    s.routing = *u.choose(&[RuleRouting::Local, RuleRouting::Routed, RuleRouting::Either])?;
    s.connect = *u.choose(&[
        Connect::Any,
        Connect::Any,
        Connect::Inbound,
        Connect::Outbound,
    ])?;
    s.security_class = u.int_in_range(0..=3_u8)? / 2;
    s.fragments_only = u.ratio(1, 5)?;
    Ok(s)
}

fn rule(u: &mut Unstructured<'_>) -> Arbitrary<Rule> {
    let n = u.int_in_range(0..=4_u8)?;
    let services: Arbitrary<Vec<_>> = (0..n).map(|_| service(u)).collect();
    let rule = Rule::new("r", Action::Permit)
        .source(specs(u)?)
        .destination(specs(u)?)
        .services(services?);
    if u.ratio(1, 8)? {
        // 1970-01-01 was a Thursday.
        let mut sundays = TimeCondition::default();
        sundays.weekdays = 1;
        return Ok(rule.during(sundays));
    }
    Ok(rule)
}

fn packet(u: &mut Unstructured<'_>) -> Arbitrary<Selectors> {
    let (protocol, header) = match u.int_in_range(0..=5_u8)? {
        0 => (None, Header::Unknown),
        1 => (
            Some(1),
            Header::Icmp(*u.choose(&[0, 8])?, u.int_in_range(0..=1)?),
        ),
        2 => (Some(89), Header::Type(u.int_in_range(1..=3)?)),
        3 => (Some(*u.choose(&[1, 6, 17, 89])?), Header::Unknown),
        _ => (
            Some(*u.choose(&[6, 17])?),
            Header::Ports(u.int_in_range(1..=3)?, u.int_in_range(1..=3)?),
        ),
    };
    let (source, mut destination) = (address(u)?, address(u)?);
    if source.is_ipv4() != destination.is_ipv4() {
        destination = source; // no packet has one of each
    }
    Ok(Selectors {
        source,
        destination,
        protocol,
        header,
        fragment: u.arbitrary()?,
        opening: *u.choose(&[Opening::Unknown, Opening::Opens, Opening::Continues])?,
        direction: *u.choose(&[Direction::Inbound, Direction::Outbound])?,
        routing: *u.choose(&[Routing::Local, Routing::Routed])?,
        security_class: u.int_in_range(0..=2)?,
    })
}

/// The conditions in the order in which they are compared.
const STEPS: [&[&str]; 11] = [
    &["empty_group"],
    &["direction"],
    &["routing"],
    &["security_class"],
    &["fragments_only"],
    &["connect"],
    &["source"],
    &["destination"],
    &["protocol"],
    &["source_port", "type"],
    &["destination_port", "code"],
];

fn step(by: &Failed) -> usize {
    STEPS.iter().position(|s| s.contains(&by.name())).unwrap()
}

/// The only service of a rule.
fn only(rule: &mut Rule) -> &mut Service {
    match &mut rule.services {
        Members::One(service) => service,
        Members::Group(_) => panic!("one service"),
    }
}

/// The rule, one simple filter, without the condition that failed.
fn widened(mut rule: Rule, by: &Failed, orientation: Orientation) -> Rule {
    let swapped = orientation == Orientation::Swapped;
    match by {
        Failed::Direction { .. } => only(&mut rule).direction = RuleDirection::Bidirectional,
        Failed::Routing { .. } => only(&mut rule).routing = RuleRouting::Either,
        Failed::SecurityClass { .. } => only(&mut rule).security_class = 0,
        Failed::FragmentsOnly => only(&mut rule).fragments_only = false,
        Failed::Connect { .. } => only(&mut rule).connect = Connect::Any,
        Failed::Source { .. } if swapped => rule.destination = AddressSpec::Any.into(),
        Failed::Destination { .. } if swapped => rule.source = AddressSpec::Any.into(),
        Failed::Source { .. } => rule.source = AddressSpec::Any.into(),
        Failed::Destination { .. } => rule.destination = AddressSpec::Any.into(),
        Failed::Protocol { .. } => only(&mut rule).upper = Upper::Any,
        Failed::SourcePort { .. } | Failed::DestinationPort { .. } => {
            let first = matches!(by, Failed::SourcePort { .. }) != swapped;
            match &mut only(&mut rule).upper {
                Upper::Ports { source, .. } if first => *source = 0..=u16::MAX,
                Upper::Ports { destination, .. } => *destination = 0..=u16::MAX,
                _ => panic!("it has no ports"),
            }
        }
        Failed::Type { .. } => match &mut only(&mut rule).upper {
            Upper::Icmp { types, .. } | Upper::Type { types, .. } => *types = 0..=u8::MAX,
            _ => panic!("it has no types"),
        },
        Failed::Code { .. } => match &mut only(&mut rule).upper {
            Upper::Icmp { codes, .. } => *codes = 0..=u8::MAX,
            _ => panic!("it has no codes"),
        },
        _ => panic!("{by:?}"),
    }
    rule
}

#[test]
fn what_does_not_fit_would_fit_if_nothing_were_asked_there() {
    let mut seen = [false; STEPS.len()];
    arbtest::arbtest(|u| {
        let mut rule = rule(u)?;
        // What is compared last is reached by few that ask for everything at once.
        if u.arbitrary()? {
            rule = Rule::new("r", Action::Permit).services(Service::new(upper(u)?));
        }
        let p = packet(u)?;
        match rule.explain(&p) {
            Fit::Matched { extension } => assert_eq!(rule.extension(&p), Some(extension)),
            Fit::Failed { by, extension } => {
                assert!(!rule.matches(&p));
                seen[step(&by)] = true;
                if extension == 0 {
                    assert_eq!((by, rule.expansion()), (Failed::EmptyGroup, 0));
                    return Ok(());
                }
                let f = rule
                    .simple_filters()
                    .find(|f| f.extension() == extension)
                    .unwrap();
                let ends = match f.orientation() {
                    Orientation::AsWritten => (f.source(), f.destination()),
                    Orientation::Swapped => (f.destination(), f.source()),
                };
                let alone = Rule::new("one", Action::Permit)
                    .source(ends.0)
                    .destination(ends.1)
                    .services(f.service().clone());
                let same = alone.explain(&p);
                assert!(
                    matches!(&same, Fit::Failed { by: b, .. } if *b == by),
                    "{by:?} {same:?}"
                );
                match widened(alone, &by, f.orientation()).explain(&p) {
                    Fit::Matched { .. } => {}
                    Fit::Failed { by: next, .. } => {
                        assert!(step(&next) > step(&by), "{by:?} {next:?}")
                    }
                }
            }
        }
        Ok(())
    })
    .budget_ms(2_000);
    assert!(seen.iter().all(|s| *s), "{seen:?}");
}

#[test]
fn the_rule_that_decides_is_the_first_match() {
    arbtest::arbtest(|u| {
        let rules: Arbitrary<Vec<_>> = (0..6).map(|_| rule(u)).collect();
        let set = RuleSet::new(rules?, 1);
        let p = packet(u)?;
        let day: u8 = u.int_in_range(0..=6)?;
        let at = UnixTime::from_secs(u64::from(day) * 86_400);
        let in_force = set.in_force(at, &());
        let said = set.explain(p, &in_force);
        let found = said.decided_by().map(|t| (t.position, t.rule));
        assert_eq!(found, set.scan(&p, &in_force));
        let untold = found.map_or(set.rules().len(), |(at, _)| at + 1);
        assert_eq!(said.tried.len(), untold);
        for (n, tried) in said.tried.iter().enumerate() {
            assert_eq!(tried.position, n);
            if let Fit::Failed { by, .. } = &tried.fit {
                assert_eq!(*by == Failed::Time, !in_force.contains(n));
            }
        }
        Ok(())
    })
    .budget_ms(1_000);
}

fn defensive(u: &mut Unstructured<'_>, n: usize) -> Arbitrary<DefensiveFilter> {
    let mut f = DefensiveFilter::new(format!("d{n}"));
    let source = address(u)?;
    f.source = AddressSpec::prefix(source, if source.is_ipv4() { 31 } else { 127 }).unwrap();
    f.direction = *u.choose(&[
        DefensiveDirection::Inbound,
        DefensiveDirection::Outbound,
        DefensiveDirection::Both,
    ])?;
    f.upper = match u.int_in_range(0..=2_u8)? {
        0 => Upper::Any,
        1 => Upper::Protocol(17),
        _ => Upper::tcp(range(u, [1, 2], [0, u16::MAX])?),
    };
    f.mode = *u.choose(&[DefensiveMode::Block, DefensiveMode::Simulate])?;
    f.lifetime = u.int_in_range(1..=3)?;
    Ok(f)
}

#[test]
fn defensive_filters_are_explained_as_they_are_looked_up() {
    arbtest::arbtest(|u| {
        let now = Now::default();
        let mut config = DefenseConfig::default();
        if u.ratio(1, 3)? {
            config.exclude.push(AddressSpec::host(address(u)?));
        }
        let mut defense = Defense::new();
        let stacks = [(Arc::from("TCPIP"), config)].into();
        defense
            .handle(Request::Refresh(stacks), now, &mut ())
            .unwrap();
        for n in 0..u.int_in_range(0..=6_usize)? {
            let filter = defensive(u, n)?;
            let target = Target::Stack("TCPIP".into());
            defense
                .handle(Request::Add { target, filter }, now, &mut ())
                .unwrap();
        }
        let table = defense.table("TCPIP").unwrap();
        let p = packet(u)?;
        let later = Now {
            mono: Instant::from_secs(u.int_in_range(0..=3_u64)? * 60),
            ..now
        };
        let hit = table.look_up(&p, later.mono);
        let said = table.explain(&p, later.mono);
        let which = |fit| said.tried.iter().position(|t| t.fit == fit);
        assert_eq!(which(DefensiveFit::Simulated), hit.simulated);
        assert_eq!(which(DefensiveFit::Blocked), hit.blocked);
        assert_eq!(said.is_blocked(), hit.blocked.is_some());
        if said.excluded.is_none() && hit.blocked.is_none() {
            assert_eq!(said.tried.len(), table.entries().len());
        }
        let mut filter = Filter::new(Arc::new(RuleSet::new(vec![rule(u)?], 1)));
        filter.install_defensive(table, later, &mut ());
        let all = filter.explain(p, later);
        assert_eq!(all.rules.is_none(), hit.blocked.is_some());
        if let Some(rules) = &all.rules {
            let decided = rules.decided_by().map(|t| t.position);
            let first = filter
                .clone()
                .first_match(&p, later.wall)
                .map(|(id, _)| id.0 as usize);
            assert_eq!(decided, first);
        }
        Ok(())
    })
    .budget_ms(1_000);
}
