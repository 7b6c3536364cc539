//! The whole model: sets and groups, every protocol's selectors, times, default rules, and that a
//! rule equals the simple filters it stands for.
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
use hostward_filter::{
    Action, AddressSpec, Connect, Context, DENIED, DateTime, Decision, Filter, FixedOffset, Group,
    Header, IMPLIED_DENY, InForce, Logging, Members, Opening, Orientation, Origin, Rule,
    RuleDirection, RuleRouting, RuleSet, Selectors, Service, Settings, TimeCondition, TimeOfDay,
    Tunnel, TunnelKind, Upper, Zone,
};
use hostward_hook::action::Cx;
use hostward_hook::event::{Detail, Event, EventSink};
use hostward_hook::ident::TunnelId;
use hostward_hook::meta::{Direction, Meta, Point, Routing};
use hostward_hook::time::{Now, UnixTime};
use hostward_hook::{Packet, PacketFilter, Verdict};

fn spec(s: &str) -> AddressSpec {
    s.parse().unwrap()
}

fn set(members: &[&str]) -> Members<AddressSpec> {
    Arc::new(Group::new(
        "branches",
        members.iter().map(|s| spec(s)).collect(),
    ))
    .into()
}

/// A packet that is going out, local, from one address to another.
fn out(source: &str, destination: &str, protocol: u8, header: Header) -> Selectors {
    Selectors {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol: Some(protocol),
        header,
        fragment: false,
        opening: Opening::Unknown,
        direction: Direction::Outbound,
        routing: Routing::Local,
        security_class: 0,
    }
}

#[test]
fn any_member_of_a_set_will_do() {
    let rule = Rule::new("r", Action::Permit)
        .source(set(&["10.1.0.0/16", "10.2.0.5-10.2.0.9", "2001:db8::/32"]))
        .destination(set(&["192.0.2.1", "All6"]))
        .services(vec![
            Service::new(Upper::tcp(80..=80)),
            Service::new(Upper::udp(53..=53)).direction(RuleDirection::Outbound),
        ]);
    let tcp = Header::Ports(1024, 80);
    let udp = Header::Ports(1024, 53);
    assert!(rule.matches(&out("10.1.9.9", "192.0.2.1", 6, tcp)));
    assert!(rule.matches(&out("10.2.0.9", "192.0.2.1", 17, udp)));
    assert!(rule.matches(&out("2001:db8::1", "::1", 6, tcp)));
    assert!(!rule.matches(&out("10.2.0.10", "192.0.2.1", 6, tcp)));
    assert!(!rule.matches(&out("10.1.9.9", "192.0.2.2", 6, tcp)));
    assert!(!rule.matches(&out("10.1.9.9", "192.0.2.1", 17, tcp)));
    // 3 sources × 2 destinations × (two orientations + one).
    assert_eq!(rule.expansion(), 18);
    assert_eq!(rule.simple_filters().count(), 18);
    // Second source, first destination, second service.
    assert_eq!(
        rule.extension(&out("10.2.0.9", "192.0.2.1", 17, udp)),
        Some(9)
    );
    assert_eq!(rule.source.group_name(), Some("branches"));
    let nobody = Rule::new("r", Action::Permit).source(set(&[]));
    assert!(!nobody.matches(&out("10.1.9.9", "192.0.2.1", 6, tcp)));
    assert_eq!(nobody.expansion(), 0);
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![
        0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 9, 192, 0, 2, 1,
    ];
    p.extend_from_slice(payload);
    p[3] = p.len() as u8;
    p
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![0x60, 0, 0, 0, 0, payload.len() as u8, next, 64];
    let address = |last: u8| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    p.extend_from_slice(&address(9));
    p.extend_from_slice(&address(1));
    p.extend_from_slice(payload);
    p
}

fn read(bytes: &[u8]) -> Selectors {
    let meta = Meta::new(Point::LocalIn, Now::default());
    Selectors::of(&Packet::parse(bytes, meta)).unwrap()
}

// RFC 2328 §A.3.1, RFC 6275 §6.1.1: where OSPF and the mobility header keep their types.
#[test]
fn ospf_and_mobility_types_are_read() {
    let hello = ipv4(89, &[2, 1, 0, 44, 0, 0, 0, 0]);
    assert_eq!(read(&hello).header, Header::Type(1));
    let binding_update = ipv6(135, &[59, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let p = read(&binding_update);
    assert_eq!((p.protocol, p.header), (Some(135), Header::Type(5)));
    let typed = |types| {
        Rule::new("r", Action::Permit).upper(Upper::Type {
            protocol: 89,
            types,
        })
    };
    assert!(typed(1..=1).matches(&read(&hello)));
    assert!(!typed(2..=5).matches(&read(&hello)));
    let cut = ipv4(89, &[2]);
    assert_eq!(read(&cut).header, Header::Unknown);
    assert!(!typed(1..=1).matches(&read(&cut)));
    assert!(typed(0..=255).matches(&read(&cut)));
}

// RFC 4301 §4.4.1.1: the protocol of a fragment that does not show it is OPAQUE.
#[test]
fn opaque_is_a_protocol_that_a_fragment_hides() {
    // A later fragment whose next header is destination options.
    let hidden = ipv6(44, &[60, 0, 0x10, 0, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8]);
    let p = read(&hidden);
    assert_eq!(
        (p.protocol, p.header, p.fragment),
        (None, Header::Unknown, true)
    );
    let rule = |upper| Rule::new("r", Action::Permit).upper(upper).matches(&p);
    assert!(rule(Upper::Opaque));
    assert!(rule(Upper::Any));
    assert!(!rule(Upper::Protocol(60)));
    // One whose next header is UDP shows the protocol but no ports.
    let p = read(&ipv6(
        44,
        &[17, 0, 0x10, 0, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8],
    ));
    assert_eq!((p.protocol, p.header), (Some(17), Header::Unknown));
    let rule = |upper| Rule::new("r", Action::Permit).upper(upper).matches(&p);
    assert!(!rule(Upper::Opaque));
    assert!(rule(Upper::udp(0..=65_535)));
    assert!(!rule(Upper::udp(0..=65_534)));
}

#[test]
fn a_packet_with_ah_that_nobody_opened_is_ah() {
    let mut ah = vec![
        6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    ah.extend_from_slice(&[
        0xc0, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0,
    ]);
    let p = read(&ipv4(51, &ah));
    assert_eq!(
        (p.protocol, p.header, p.opening),
        (Some(51), Header::Unknown, Opening::Unknown)
    );
}

fn at(text: &str) -> UnixTime {
    let t: jiff::Timestamp = text.parse().unwrap();
    UnixTime::from_secs(t.as_second() as u64)
}

#[test]
fn each_part_of_a_time_condition_narrows_it() {
    let utc = || {
        let mut c = TimeCondition::default();
        c.zone = Zone::Utc;
        c
    };
    let holds = |c: &TimeCondition, t: &str| c.holds(at(t), &());
    assert!(holds(&utc(), "2026-11-22T12:00:00Z"));

    let mut c = utc();
    c.range = Some((
        DateTime::from_digits(20261122080000).unwrap(),
        DateTime::from_digits(20261122170000).unwrap(),
    ));
    assert!(!holds(&c, "2026-11-22T07:59:59Z"));
    assert!(holds(&c, "2026-11-22T08:00:00Z"));
    assert!(holds(&c, "2026-11-22T17:00:00Z"));
    assert!(!holds(&c, "2026-11-22T17:00:01Z"));
    assert!(c.is_over(at("2026-11-22T17:00:01Z"), &()));

    let mut c = utc();
    c.weekdays = 0b000_0001; // Sunday
    assert!(holds(&c, "2026-11-22T12:00:00Z"));
    assert!(!holds(&c, "2026-11-23T12:00:00Z"));

    let mut c = utc();
    c.months = 1 << 10; // November
    assert!(holds(&c, "2026-11-30T23:59:59Z"));
    assert!(!holds(&c, "2026-12-01T00:00:00Z"));

    let mut c = utc();
    (c.days, c.days_from_end) = (0, 1); // the last day
    assert!(holds(&c, "2028-02-29T12:00:00Z"));
    assert!(!holds(&c, "2028-02-28T12:00:00Z"));
    assert!(holds(&c, "2026-02-28T12:00:00Z"));

    let mut c = utc();
    c.times = vec![
        TimeOfDay::new(22 * 60, 6 * 60).unwrap(),
        TimeOfDay::new(12 * 60, 13 * 60).unwrap(),
    ];
    for (t, expected) in [
        ("2026-11-22T22:00:00Z", true),
        ("2026-11-22T21:59:59Z", false),
        ("2026-11-22T05:59:59Z", true),
        ("2026-11-22T06:00:00Z", false),
        ("2026-11-22T12:30:00Z", true),
    ] {
        assert_eq!(holds(&c, t), expected, "{t}");
    }
    assert!(TimeOfDay::new(0, 1440).is_ok());
    assert!(TimeOfDay::new(60, 60).is_err());
    assert!(TimeOfDay::new(0, 1441).is_err());
    assert!(DateTime::from_digits(20260229000000).is_err());
    assert!(DateTime::from_digits(20260228240001).is_err());
    let midnight = DateTime::from_digits(20260228240000).unwrap();
    assert_eq!(midnight.digits(), 20260301000000);
    assert!(DateTime::from_digits(u64::MAX).is_err());

    // 30 February alone is never.
    let mut c = utc();
    (c.months, c.days) = (0b10, 1 << 29);
    assert!(c.never_holds());
    c.months = 0b11;
    assert!(!c.never_holds());
}

#[test]
fn local_time_is_what_the_host_says() {
    let mut c = TimeCondition::default();
    c.times = vec![TimeOfDay::new(8 * 60, 17 * 60).unwrap()];
    let t = at("2026-11-22T06:30:00Z");
    assert!(!c.holds(t, &()));
    assert!(c.holds(t, &FixedOffset(2 * 3600)));
    assert!(!c.holds(at("2026-11-22T16:30:00Z"), &FixedOffset(2 * 3600)));
}

fn packet(wall: UnixTime) -> (Vec<u8>, Meta) {
    let tcp = [
        0xc0, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0,
    ];
    (
        ipv4(6, &tcp),
        Meta::new(Point::LocalIn, Now::from_wall(wall)),
    )
}

fn decide(filter: &mut Filter, wall: UnixTime) -> Verdict {
    let (bytes, meta) = packet(wall);
    let packet = Packet::parse(&bytes, meta);
    filter.decide(&mut Cx::new(meta.now, &mut (), &mut ()), &packet, None)
}

#[test]
fn a_rule_outside_its_time_does_not_exist() {
    let mut office = TimeCondition::default();
    office.times = vec![TimeOfDay::new(8 * 60, 17 * 60).unwrap()];
    let mut second = TimeCondition::default();
    let noon = DateTime::from_digits(20261122190030).unwrap();
    second.range = Some((noon, noon));
    let rules = vec![
        Rule::new("office", Action::Permit)
            .during(office)
            .during(second),
        Rule::new("night", Action::Deny),
    ];
    let mut filter = Filter::new(Arc::new(RuleSet::new(rules, 1)));
    // Forward through the day, then back: the clock may be set.
    for (t, verdict) in [
        ("2026-11-22T07:59:59Z", Verdict::Drop(DENIED)),
        ("2026-11-22T08:00:00Z", Verdict::Continue),
        ("2026-11-22T16:59:59Z", Verdict::Continue),
        ("2026-11-22T17:00:00Z", Verdict::Drop(DENIED)),
        // The alternative condition, to the second.
        ("2026-11-22T19:00:29Z", Verdict::Drop(DENIED)),
        ("2026-11-22T19:00:30Z", Verdict::Continue),
        ("2026-11-22T19:00:31Z", Verdict::Drop(DENIED)),
        ("2026-11-22T12:00:00Z", Verdict::Continue),
    ] {
        assert_eq!(decide(&mut filter, at(t)), verdict, "{t}");
    }
}

#[test]
fn what_is_in_force_is_right_for_as_long_as_it_says() {
    arbtest::arbtest(|u| {
        let mut c = TimeCondition::default();
        c.weekdays = u.arbitrary()?;
        c.days = u.arbitrary()?;
        c.days_from_end = u.arbitrary()?;
        c.months = u.arbitrary()?;
        if let Ok(r) = TimeOfDay::new(u.int_in_range(0..=1439)?, u.int_in_range(0..=1440)?) {
            c.times = vec![r];
        }
        let start = 1_790_000_000 + u.int_in_range(0..=40_000_000_u64)?;
        if u.arbitrary()? {
            let digits = |s: u64| {
                let t = jiff::Timestamp::from_second(s as i64).unwrap();
                let t = t.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d%H%M%S");
                DateTime::from_digits(t.to_string().parse().unwrap()).unwrap()
            };
            c.range = Some((
                digits(start + u.int_in_range(0..=200)?),
                digits(start + u.int_in_range(200..=400)?),
            ));
        }
        let local = FixedOffset(u.int_in_range(-12..=14)? * 3600 + 1800);
        let rules = vec![Rule::new("r", Action::Permit).during(c.clone())];
        let set = RuleSet::new(rules, 1);
        let from = UnixTime::from_secs(start);
        let in_force = set.in_force(from, &local);
        let until = in_force.valid_until();
        assert!(until > from);
        for second in start..until.as_secs() {
            let now = UnixTime::from_secs(second);
            assert!(in_force.is_valid_at(now));
            assert_eq!(in_force.contains(0), c.holds(now, &local));
        }
        assert!(!in_force.is_valid_at(until));
        Ok(())
    });
}

#[test]
fn default_rules_are_in_force_until_a_policy_is() {
    let web = Rule::new("x", Action::Deny).source(spec("192.0.2.1"));
    let defaults = Arc::new(RuleSet::defaults(vec![web], 1));
    assert_eq!(defaults.origin(), Origin::Profile);
    assert_eq!(&*defaults.rules()[0].name, "SYSDEFAULTRULE.1");
    assert_eq!(defaults.rules()[0].action, Action::Permit);
    assert_eq!(defaults.implied_deny_name(), "SYSDEFAULTDENYRULE");
    let policy = Arc::new(RuleSet::new(vec![Rule::new("none", Action::Deny)], 2));
    let now = UnixTime::from_secs(1);
    let mut filter = Filter::with_defaults(defaults);
    assert_eq!(decide(&mut filter, now), Verdict::Continue);
    filter.install(policy);
    assert_eq!(decide(&mut filter, now), Verdict::Drop(DENIED));
    filter.use_defaults(true);
    assert_eq!(decide(&mut filter, now), Verdict::Continue);
    assert_eq!(filter.rules().generation(), 1);
    filter.use_defaults(false);
    assert_eq!(decide(&mut filter, now), Verdict::Drop(DENIED));
    assert_eq!(filter.rules().generation(), 2);
    // No default rules at all: everything is denied, but for neighbour discovery.
    let mut filter = Filter::with_defaults(Arc::new(RuleSet::defaults(vec![], 1)));
    assert_eq!(decide(&mut filter, now), Verdict::Drop(IMPLIED_DENY));
    let solicitation = read(&ipv6(58, &[135, 0, 0, 0, 0, 0, 0, 0]));
    let echo = read(&ipv6(58, &[128, 0, 0, 0, 0, 0, 0, 0]));
    assert!(filter.first_match(&solicitation, now).is_some());
    assert!(filter.first_match(&echo, now).is_none());
}

#[derive(Default)]
struct Told(Vec<Decision>);

impl EventSink for Told {
    fn wants(&self, _: hostward_hook::event::Class) -> bool {
        true
    }
    fn emit(&mut self, e: &Event<'_>) {
        let any = e.detail.as_any().expect("a decision");
        self.0.extend(any.downcast_ref::<Decision>().cloned());
    }
}

#[test]
fn the_master_switch_silences_and_names_are_told() {
    let rules = |logging| {
        let mut settings = Settings::default();
        settings.logging = logging;
        settings.log_implicit = true;
        let rule = Rule::new("vpn", Action::Ipsec(TunnelId(0)))
            .source(set(&["198.51.100.1", "192.0.2.1"]))
            .destination(spec("10.0.0.0/8"))
            .group("servers")
            .logging(Logging::Deny);
        Arc::new(
            RuleSet::new(vec![rule], 1)
                .with_settings(settings)
                .with_tunnels(vec![Tunnel::new("Gold", TunnelKind::Dynamic)]),
        )
    };
    let mut told = Told::default();
    let (bytes, meta) = packet(UnixTime::EPOCH);
    for logging in [true, false] {
        let mut filter = Filter::new(rules(logging));
        let mut actions = ();
        let mut cx = Cx::new(meta.now, &mut told, &mut actions);
        let _ = filter.decide(&mut cx, &Packet::parse(&bytes, meta), None);
        let mut elsewhere = bytes.clone();
        elsewhere[12] = 99;
        let _ = filter.decide(&mut cx, &Packet::parse(&elsewhere, meta), None);
    }
    let [vpn, implied] = &told.0[..] else {
        panic!("{:?}", told.0)
    };
    assert_eq!((&*vpn.rule, vpn.extension, vpn.permit), ("vpn", 4, false));
    assert_eq!(vpn.group.as_deref(), Some("servers"));
    assert_eq!(vpn.tunnel.as_deref(), Some("Gold"));
    assert_eq!((&*implied.rule, implied.extension), ("", 0));
    let mut fields = Vec::new();
    struct Names<'a>(&'a mut Vec<String>);
    impl hostward_hook::event::FieldVisitor for Names<'_> {
        fn field(&mut self, name: &'static str, value: hostward_hook::event::Value<'_>) {
            self.0.push(format!("{name}={value:?}"));
        }
    }
    vpn.visit(&mut Names(&mut fields));
    assert!(
        fields.iter().any(|f| f == "tunnel=Str(\"Gold\")"),
        "{fields:?}"
    );
}

#[test]
fn fragments_only_denies_meet_fragments_before_they_are_put_together() {
    let rules = vec![
        Rule::new("friend", Action::Permit).destination(spec("10.0.0.9")),
        Rule::new("frag", Action::Deny).fragments_only(),
        Rule::new("all", Action::Permit),
    ];
    let mut filter = Filter::new(Arc::new(RuleSet::new(rules, 1)));
    let (mut bytes, meta) = packet(UnixTime::EPOCH);
    bytes[6] = 0x20;
    let mut ask = |bytes: &[u8]| {
        let mut events = ();
        let mut actions = ();
        let mut cx = Cx::new(meta.now, &mut events, &mut actions);
        filter.decide_fragment(&mut cx, &Packet::parse(bytes, meta))
    };
    // The rule before it lets this sender's fragments through.
    assert_eq!(ask(&bytes), Verdict::Continue);
    bytes[15] = 8;
    assert_eq!(ask(&bytes), Verdict::Drop(DENIED));
    // A deny that is not about fragments waits for the whole datagram.
    let mut filter = Filter::new(Arc::new(RuleSet::new(
        vec![Rule::new("deny", Action::Deny)],
        1,
    )));
    let packet = Packet::parse(&bytes, meta);
    let verdict = filter.decide_fragment(&mut Cx::new(meta.now, &mut (), &mut ()), &packet);
    assert_eq!(verdict, Verdict::Continue);
}

fn arbitrary_rule(u: &mut Unstructured<'_>) -> Arbitrary<Rule> {
    fn address(u: &mut Unstructured<'_>) -> Arbitrary<AddressSpec> {
        Ok(match u.int_in_range(0..=5)? {
            0 => AddressSpec::Any,
            1 => AddressSpec::AnyV4,
            2 => AddressSpec::AnyV6,
            3 => AddressSpec::prefix(
                [10, 0, 0, u.int_in_range(0..=3)?].into(),
                u.int_in_range(30..=32)?,
            )
            .unwrap(),
            4 => {
                let a = IpAddr::from([0, 0, 0, 0, 0, 0, 0, u.int_in_range(0..=3_u16)?]);
                AddressSpec::prefix(a, u.int_in_range(126..=128)?).unwrap()
            }
            _ => {
                let a = u.int_in_range(0..=3)?;
                let b = u.int_in_range(a..=3)?;
                AddressSpec::range([10, 0, 0, a].into(), [10, 0, 0, b].into()).unwrap()
            }
        })
    }
    fn some<T>(
        u: &mut Unstructured<'_>,
        f: impl Fn(&mut Unstructured<'_>) -> Arbitrary<T>,
    ) -> Arbitrary<Members<T>> {
        let n = u.int_in_range(0..=2)?;
        Ok((0..=n).map(|_| f(u)).collect::<Result<Vec<_>, _>>()?.into())
    }
    let service = |u: &mut Unstructured<'_>| {
        let low = u.int_in_range(0..=2)?;
        let high = u.int_in_range(low..=3)?;
        let upper = match u.int_in_range(0..=6)? {
            0 => Upper::Any,
            1 => Upper::Opaque,
            2 => Upper::Protocol(6),
            3 => Upper::Ports {
                protocol: 6,
                source: low.into()..=high.into(),
                destination: 0..=65_535,
            },
            4 => Upper::Icmp {
                protocol: 58,
                types: low..=high,
                codes: 0..=u.int_in_range(0..=255)?,
            },
            5 => Upper::Type {
                protocol: 89,
                types: low..=high,
            },
            _ => Upper::Ports {
                protocol: 17,
                source: 0..=65_535,
                destination: low.into()..=high.into(),
            },
        };
        let mut s = Service::new(upper);
        s.direction = *u.choose(&[
            RuleDirection::Bidirectional,
            RuleDirection::Inbound,
            RuleDirection::Outbound,
        ])?;
        s.routing = *u.choose(&[RuleRouting::Local, RuleRouting::Routed, RuleRouting::Either])?;
        s.connect = *u.choose(&[Connect::Any, Connect::Inbound, Connect::Outbound])?;
        s.security_class = u.int_in_range(0..=2)?;
        s.fragments_only = u.arbitrary()?;
        Ok(s)
    };
    Ok(Rule::new("r", Action::Permit)
        .source(some(u, address)?)
        .destination(some(u, address)?)
        .services(some(u, service)?))
}

fn arbitrary_packet(u: &mut Unstructured<'_>) -> Arbitrary<Selectors> {
    fn address(u: &mut Unstructured<'_>, v4: bool) -> Arbitrary<IpAddr> {
        Ok(if v4 {
            [10, 0, 0, u.int_in_range(0..=4)?].into()
        } else {
            [0, 0, 0, 0, 0, 0, 0, u.int_in_range(0..=4_u16)?].into()
        })
    }
    let v4 = u.arbitrary()?;
    let n = |u: &mut Unstructured<'_>| u.int_in_range(0..=4_u8);
    let protocol = *u.choose(&[None, Some(6), Some(17), Some(58), Some(89)])?;
    let header = match protocol {
        Some(6 | 17) => Header::Ports(n(u)?.into(), n(u)?.into()),
        Some(58) => Header::Icmp(n(u)?, n(u)?),
        Some(89) => Header::Type(n(u)?),
        _ => Header::Unknown,
    };
    Ok(Selectors {
        source: address(u, v4)?,
        destination: address(u, v4)?,
        protocol,
        header: if u.ratio(1, 4)? {
            Header::Unknown
        } else {
            header
        },
        fragment: u.arbitrary()?,
        opening: *u.choose(&[Opening::Unknown, Opening::Opens, Opening::Continues])?,
        direction: if u.arbitrary()? {
            Direction::Inbound
        } else {
            Direction::Outbound
        },
        routing: if u.arbitrary()? {
            Routing::Local
        } else {
            Routing::Routed
        },
        security_class: u.int_in_range(0..=2)?,
    })
}

/// A rule, the simple filters it stands for, and those taken apart into numbers say the same.
#[test]
fn a_rule_equals_its_simple_filters() {
    let matched = std::cell::Cell::new(0_u64);
    arbtest::arbtest(|u| {
        let rule = arbitrary_rule(u)?;
        assert_eq!(rule.expansion(), rule.simple_filters().count());
        for _ in 0..40 {
            let p = arbitrary_packet(u)?;
            let by_rule = rule.matches(&p);
            matched.set(matched.get() + u64::from(by_rule));
            assert_eq!(rule.extension(&p).is_some(), by_rule);
            let context = Context::of(&p);
            assert_eq!(
                (
                    context.direction(),
                    context.routing(),
                    context.fragment(),
                    context.opening()
                ),
                (p.direction, p.routing, p.fragment, p.opening)
            );
            let by_numbers = rule.simple_filters().any(|f| {
                let (a, b) = f.ranges();
                let every = 0..=u16::MAX;
                let protocol = match f.upper() {
                    Upper::Any => true,
                    Upper::Opaque => p.protocol.is_none(),
                    upper => p.protocol.is_some() && p.protocol == upper.protocol(),
                };
                f.contexts() >> context.index() & 1 == 1
                    && (f.security_class() == 0 || f.security_class() == p.security_class)
                    && f.source().contains(p.source)
                    && f.destination().contains(p.destination)
                    && protocol
                    && p.header
                        .values()
                        .map_or(a == every && b == every, |(x, y)| {
                            a.contains(&x) && b.contains(&y)
                        })
            });
            assert_eq!(by_numbers, by_rule, "{rule:?}\n{p:?}");
        }
        Ok(())
    })
    .size_min(2_048)
    .budget_ms(1_000)
    .run();
    let matched = matched.get();
    assert!(matched > 100, "the packets hit the rules: {matched}");
}

#[test]
fn a_mirrored_packet_matches_the_mirrored_orientation() {
    let s = Service::new(Upper::Ports {
        protocol: 6,
        source: 80..=80,
        destination: 1024..=65_535,
    });
    let mut p = out("10.0.0.1", "10.0.0.2", 6, Header::Ports(80, 2000));
    assert!(s.matches(&p, Orientation::AsWritten));
    assert!(!s.matches(&p, Orientation::Swapped));
    p.direction = Direction::Inbound;
    p.header = p.header.reversed();
    assert!(s.matches(&p, Orientation::Swapped));
    assert!(!s.matches(&p, Orientation::AsWritten));
    assert!(InForce::default().contains(1_000_000));
}

/// The compiled form says what trying one rule after the other says: times included, headers of
/// another kind than the protocol's, and addresses of both versions in one packet.
#[test]
fn compiled_rules_equal_the_scan() {
    let matched = std::cell::Cell::new(0_u64);
    arbtest::arbtest(|u| {
        let days: Vec<Arc<TimeCondition>> = (0..12)
            .map(|n| {
                let mut c = TimeCondition::default();
                c.weekdays = 1 << (n % 7);
                c.months = if n < 7 { 0xfff } else { 0x555 };
                Arc::new(c)
            })
            .collect();
        let timed = u.arbitrary()?;
        let mut rules = Vec::new();
        for _ in 0..u.int_in_range(0..=60)? {
            let mut rule = arbitrary_rule(u)?;
            if timed && u.ratio(1, 3)? {
                rule = rule.during(Arc::clone(u.choose(&days)?));
            }
            rules.push(rule);
        }
        let set = RuleSet::new(rules, 1);
        for _ in 0..8 {
            let now = UnixTime::from_secs(u.int_in_range(0..=2_000_000_000_u64)?);
            let in_force = set.in_force(now, &());
            let mut packets = Vec::new();
            for _ in 0..20 {
                let mut p = arbitrary_packet(u)?;
                if u.ratio(1, 12)? {
                    p.header = arbitrary_packet(u)?.header;
                    p.destination = arbitrary_packet(u)?.destination;
                }
                packets.push(p);
            }
            let mut batch = vec![Some(77); packets.len()];
            set.first_match_batch(&packets, &in_force, &mut batch);
            for (p, batch) in packets.iter().zip(batch) {
                let compiled = set.first_match(p, &in_force).map(|(at, _)| at);
                let scanned = set.scan(p, &in_force).map(|(at, _)| at);
                matched.set(matched.get() + u64::from(scanned.is_some()));
                assert_eq!(compiled, scanned, "{p:?}\n{set:?}");
                assert_eq!(batch, scanned, "batch: {p:?}\n{set:?}");
            }
        }
        Ok(())
    })
    .size_min(8_192)
    .size_max(65_536)
    .budget_ms(2_000)
    .run();
    assert!(matched.get() > 200, "{}", matched.get());
}
