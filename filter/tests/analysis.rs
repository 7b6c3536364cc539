//! Shadowed rules and rules that nothing can match.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test may panic"
)]

use std::sync::Arc;

use hostward_filter::{
    Action, AddressSpec, Connect, DateTime, Group, Never, Oddity, Rule, RuleDirection, RuleRouting,
    RuleSet, Service, SimpleFilter, TimeCondition, Upper, analyze,
};
use hostward_hook::time::UnixTime;

fn spec(s: &str) -> AddressSpec {
    s.parse().unwrap()
}

fn rule(source: &str, destination: &str) -> Rule {
    Rule::new("r", Action::Permit)
        .source(spec(source))
        .destination(spec(destination))
}

fn oddities(rules: Vec<Rule>) -> Vec<Oddity> {
    let analysis = analyze(&RuleSet::new(rules, 1), None);
    assert!(analysis.complete);
    analysis.oddities
}

#[test]
fn a_wider_rule_before_it_hides_a_rule() {
    let shadowed = |rule, by| vec![Oddity::Shadowed { rule, by }];
    assert_eq!(
        oddities(vec![
            rule("10.0.0.0/8", "All"),
            rule("10.1.1.1", "192.0.2.0/24")
        ]),
        shadowed(1, 0)
    );
    assert_eq!(
        oddities(vec![
            rule("10.0.0.0/8", "All").upper(Upper::tcp(0..=1023)),
            rule("10.1.1.1", "All").upper(Upper::tcp(80..=80)),
            rule("10.1.1.1", "All").upper(Upper::tcp(80..=1024)),
            rule("10.1.1.1", "All").upper(Upper::udp(80..=80)),
        ]),
        shadowed(1, 0)
    );
    // The order matters, and so do direction, routing, class and connect.
    let wide = || rule("All", "All");
    assert_eq!(oddities(vec![rule("10.1.1.1", "All"), wide()]), []);
    assert_eq!(
        oddities(vec![wide().direction(RuleDirection::Inbound), wide()]),
        []
    );
    assert_eq!(
        oddities(vec![wide(), wide().direction(RuleDirection::Inbound)]),
        shadowed(1, 0)
    );
    assert_eq!(
        oddities(vec![wide(), wide().routing(RuleRouting::Either)]),
        []
    );
    assert_eq!(oddities(vec![wide().security_class(3), wide()]), []);
    assert_eq!(
        oddities(vec![wide(), wide().security_class(3)]),
        shadowed(1, 0)
    );
    assert_eq!(
        oddities(vec![
            wide().upper(Upper::tcp(0..=65_535)),
            wide().upper(Upper::tcp(1..=9)).connect(Connect::Inbound)
        ]),
        shadowed(1, 0)
    );
    // A bidirectional rule hides an inbound one the other way round.
    assert_eq!(
        oddities(vec![
            rule("192.0.2.1", "10.0.0.0/8"),
            rule("10.0.0.9", "192.0.2.1").direction(RuleDirection::Inbound)
        ]),
        shadowed(1, 0)
    );
}

#[test]
fn sets_are_hidden_as_a_whole_by_one_rule() {
    let group =
        |members: &[&str]| Arc::new(Group::new("g", members.iter().map(|s| spec(s)).collect()));
    let narrow = rule("All", "All").source(group(&["10.0.0.1", "10.9.0.0-10.9.0.7"]));
    let wide = rule("All", "All").source(group(&["10.9.0.0/28", "10.0.0.0/16"]));
    let half = rule("All", "All").source(group(&["10.9.0.0/28", "10.0.0.2"]));
    assert_eq!(
        oddities(vec![half.clone(), wide, narrow.clone()]),
        [Oddity::Shadowed { rule: 2, by: 1 }]
    );
    assert_eq!(oddities(vec![half, narrow]), []);
}

#[test]
fn a_rule_hides_only_while_it_exists() {
    let mut office = TimeCondition::default();
    office.weekdays = 0b011_1110;
    let mut sunday = TimeCondition::default();
    sunday.weekdays = 1;
    let timed = |t: &TimeCondition| rule("10.0.0.0/8", "All").during(t.clone());
    assert_eq!(oddities(vec![timed(&office), rule("10.0.0.1", "All")]), []);
    assert_eq!(oddities(vec![timed(&office), timed(&sunday)]), []);
    assert_eq!(
        oddities(vec![timed(&office).during(sunday.clone()), timed(&sunday)]),
        [Oddity::Shadowed { rule: 1, by: 0 }]
    );
}

#[test]
fn rules_that_nothing_can_match() {
    let never = |rule: Rule, now: Option<u64>| {
        let now = now.map(UnixTime::from_secs);
        let set = RuleSet::new(vec![rule], 1);
        let local: &dyn hostward_filter::LocalTime = &();
        let found = analyze(&set, now.map(|n| (n, local))).oddities;
        match found[..] {
            [Oddity::NeverMatches { why, .. }] => Some(why),
            _ => None,
        }
    };
    assert_eq!(never(rule("All", "All"), None), None);
    assert_eq!(
        never(rule("10.0.0.1", "::1"), None),
        Some(Never::MixedVersions)
    );
    assert_eq!(
        never(rule("All4", "All6"), None),
        Some(Never::MixedVersions)
    );
    let empty = Arc::new(Group::new("nobody", vec![]));
    assert_eq!(
        never(rule("All", "All").source(empty), None),
        Some(Never::EmptyGroup)
    );
    let opaque = || rule("All", "All").upper(Upper::Opaque);
    assert_eq!(never(opaque(), None), None);
    assert_eq!(
        never(opaque().source(AddressSpec::AnyV4), None),
        Some(Never::OpaqueIpv4)
    );
    #[expect(clippy::reversed_empty_ranges, reason = "that is the point")]
    let backwards = rule("All", "All").upper(Upper::tcp(9..=1));
    assert_eq!(never(backwards, None), Some(Never::EmptyRange));
    let mut past = TimeCondition::default();
    past.range = Some((
        DateTime::from_digits(20200101000000).unwrap(),
        DateTime::from_digits(20200102000000).unwrap(),
    ));
    let timed = rule("All", "All").during(past);
    assert_eq!(never(timed.clone(), None), None);
    assert_eq!(never(timed.clone(), Some(1_500_000_000)), None);
    assert_eq!(never(timed, Some(1_800_000_000)), Some(Never::TimeIsOver));
    let mut none = TimeCondition::default();
    none.months = 0;
    assert_eq!(
        never(rule("All", "All").during(none), None),
        Some(Never::NoTime)
    );
}

/// What covers what, without any index.
fn covers(a: &SimpleFilter<'_>, b: &SimpleFilter<'_>) -> bool {
    let ((a1, a2), (b1, b2)) = (a.ranges(), b.ranges());
    let protocol = match (a.upper(), b.upper()) {
        (Upper::Any, _) | (Upper::Opaque, Upper::Opaque) => true,
        (x, y) => x.protocol().is_some() && x.protocol() == y.protocol(),
    };
    protocol
        && a1.contains(b1.start())
        && a1.contains(b1.end())
        && a2.contains(b2.start())
        && a2.contains(b2.end())
        && a.contexts() | b.contexts() == a.contexts()
        && (a.security_class() == 0 || a.security_class() == b.security_class())
        && a.source().covers(&b.source())
        && a.destination().covers(&b.destination())
}

#[test]
fn the_index_finds_what_comparing_all_pairs_finds() {
    let found = std::cell::Cell::new(0);
    arbtest::arbtest(|u| {
        let mut rules = Vec::new();
        for _ in 0..u.int_in_range(2..=12)? {
            let mut end = || {
                Ok(match u.int_in_range(0..=6)? {
                    0 => AddressSpec::Any,
                    1 => AddressSpec::AnyV4,
                    2 => {
                        let a = u.int_in_range(0..=7_u16)?;
                        let a = std::net::IpAddr::from([0x2001, 0, 0, 0, 0, 0, 0, a]);
                        AddressSpec::prefix(a, u.int_in_range(124..=128)?).unwrap()
                    }
                    3 => {
                        let a = u.int_in_range(0..=9)?;
                        let b = u.int_in_range(a..=9)?;
                        AddressSpec::range([10, 0, 0, a].into(), [10, 0, 0, b].into()).unwrap()
                    }
                    _ => {
                        let length = u.int_in_range(0..=32)?;
                        AddressSpec::prefix([10, 0, 0, u.int_in_range(0..=9)?].into(), length)
                            .unwrap()
                    }
                })
            };
            let (source, destination) = (end()?, end()?);
            let mut service = Service::new(match u.int_in_range(0..=3)? {
                0 => Upper::Any,
                1 => Upper::tcp(0..=u.int_in_range(0..=3)?),
                2 => Upper::Protocol(6),
                _ => Upper::udp(0..=65_535),
            });
            if u.arbitrary()? {
                service.direction = RuleDirection::Inbound;
            }
            rules.push(
                Rule::new("r", Action::Deny)
                    .source(source)
                    .destination(destination)
                    .services(service),
            );
        }
        let set = RuleSet::new(rules, 1);
        let analysis = analyze(&set, None);
        assert!(analysis.complete);
        let hidden = |at: usize| {
            set.rules()[..at].iter().any(|earlier| {
                set.rules()[at]
                    .simple_filters()
                    .all(|b| earlier.simple_filters().any(|a| covers(&a, &b)))
            })
        };
        for at in 0..set.rules().len() {
            let told = analysis.oddities.iter().any(|o| match o {
                Oddity::Shadowed { rule, .. } | Oddity::NeverMatches { rule, .. } => *rule == at,
                _ => false,
            });
            let mixed = analysis.oddities.contains(&Oddity::NeverMatches {
                rule: at,
                why: Never::MixedVersions,
            });
            found.set(found.get() + u32::from(told && !mixed));
            assert_eq!(told, mixed || hidden(at), "{at} of {set:?}");
        }
        Ok(())
    })
    .size_min(512)
    .budget_ms(500)
    .run();
    assert!(found.get() > 20);
}

#[test]
fn ten_thousand_rules_on_one_pair_of_addresses_stay_bounded() {
    let rules = (0..30_000_u32).map(|n| {
        let port = n as u16;
        rule("10.0.0.1", "10.0.0.2").upper(Upper::tcp(port..=port))
    });
    let analysis = analyze(&RuleSet::new(rules.collect(), 1), None);
    // Not every pair was compared, and it says so.
    assert!(!analysis.complete);
    assert_eq!(analysis.oddities, []);
}

#[test]
fn comparing_long_lists_of_times_is_bounded() {
    let condition = |n: u64| {
        let mut time = TimeCondition::default();
        let first = DateTime::from_digits(20_260_101_000_000).unwrap();
        let last = DateTime::from_digits(99_990_101_000_000 - n * 10_000_000_000).unwrap();
        time.range = Some((first, last));
        Arc::new(time)
    };
    let times: Vec<_> = (0..5_000).map(condition).collect();
    let timed = |destination: &str| {
        let mut rule = rule("All", destination);
        rule.times = times.clone();
        rule
    };
    let analysis = analyze(
        &RuleSet::new(vec![timed("All"), timed("10.0.0.1")], 1),
        None,
    );
    assert!(!analysis.complete);
}
