//! What comes through tunnels, what should have, and ICMP errors about it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test may panic"
)]

use std::sync::Arc;

use arbtest::arbitrary::Unstructured;
use hostward_filter::defensive::{Defense, DefenseConfig, DefensiveFilter, Request, Target};
use hostward_filter::{
    Action, Arrival, DEFENSIVE_BLOCKED, DENIED, Edits, Filter, Header, ICMP_ERROR_PERMITTED,
    IMPLIED_DENY, NOT_THROUGH_TUNNEL, Opening, Outcome, PERMITTED, Question, Remembered, Rule,
    RuleDirection, RuleRouting, RuleSet, Selectors, Settings, Tunnels, UNEXPECTED_TUNNEL, Upper,
};
use hostward_hook::action::Cx;
use hostward_hook::event::EventQueue;
use hostward_hook::ident::{RuleId, SaId, TunnelId};
use hostward_hook::meta::{Direction, Meta, Point, Routing};
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_hook::{Packet, PacketFilter, Side, Verdict};

const HERE: [u8; 4] = [10, 1, 1, 1];
/// Behind the tunnel.
const THERE: [u8; 4] = [10, 2, 0, 9];
/// A router on the way behind the tunnel: no rule names it.
const ROUTER: [u8; 4] = [192, 0, 2, 1];

/// Association 1 is of tunnel 0, 2 of tunnel 1, 3 of a tunnel no rule can name, and 9 is none
/// of the policy's.
#[derive(Debug)]
struct Known;

impl Tunnels for Known {
    fn tunnel_of(&self, sa: SaId) -> Option<TunnelId> {
        matches!(sa, SaId(1 | 2)).then(|| TunnelId(sa.0 - 1))
    }

    fn concerns_rules(&self, sa: SaId) -> bool {
        sa != SaId(9)
    }
}

fn filter(rules: Vec<Rule>) -> Filter {
    Filter::new(Arc::new(RuleSet::new(rules, 1))).tunnels(Arc::new(Known))
}

fn ipv4(from: [u8; 4], to: [u8; 4], protocol: u8, upper: &[u8]) -> Vec<u8> {
    let mut p = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    p.extend(from);
    p.extend(to);
    p.extend(upper);
    p[3] = p.len() as u8;
    p
}

fn tcp(from: [u8; 4], to: [u8; 4], ports: [u8; 2], flags: u8) -> Vec<u8> {
    let [s, d] = ports;
    let upper = [
        0, s, 0, d, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0,
    ];
    ipv4(from, to, 6, &upper)
}

/// An error from `from` about a packet, which goes to the source of it.
fn error(from: [u8; 4], kind: u8, quoted: &[u8]) -> Vec<u8> {
    let mut upper = vec![kind, 1, 0, 0, 0, 0, 0, 0];
    upper.extend(quoted);
    let to = quoted[12..16].try_into().unwrap();
    ipv4(from, to, 1, &upper)
}

fn inbound() -> Meta {
    let now = Now::new(Instant::from_secs(1), UnixTime::from_secs(1_790_000_000));
    Meta::new(Point::LocalIn, now)
}

fn outbound() -> Meta {
    Meta::new(Point::LocalOut, inbound().now)
}

/// What comes of a packet; explained and decided alike.
fn decide(filter: &mut Filter, bytes: &[u8], meta: Meta) -> Verdict {
    let packet = Packet::parse(bytes, meta);
    let explained =
        Question::of(&packet, &Known).map(|q| filter.explain(q, meta.now).rules.map(|r| r.outcome));
    let verdict = filter.decide(&mut Cx::new(meta.now, &mut (), &mut ()), &packet, None);
    match (verdict, explained.flatten()) {
        (Verdict::Continue, said) => assert_eq!(said, Some(Outcome::Permit)),
        (Verdict::Protect { tunnel, .. }, said) => assert_eq!(said, Some(Outcome::Protect(tunnel))),
        (Verdict::Drop(NOT_THROUGH_TUNNEL), said) => {
            assert_eq!(said, Some(Outcome::NotThroughTunnel));
        }
        (Verdict::Drop(UNEXPECTED_TUNNEL), said) => {
            assert_eq!(said, Some(Outcome::UnexpectedTunnel));
        }
        (Verdict::Drop(DENIED | IMPLIED_DENY), said) => {
            assert!(said.is_none_or(|o| o == Outcome::Deny));
        }
        (other, _) => assert_eq!(other, Verdict::Drop(DEFENSIVE_BLOCKED)),
    }
    verdict
}

fn vpn() -> Rule {
    Rule::new("vpn", Action::Ipsec(TunnelId(0)))
        .destination(
            "10.2.0.0/16"
                .parse::<hostward_filter::AddressSpec>()
                .unwrap(),
        )
        .upper(Upper::tcp(0..=65_535))
}

// RFC 4301 §5.2: what arrives was protected exactly as the rule says, or it is discarded.
#[test]
fn what_arrives_came_as_its_rule_says() {
    let data = tcp(THERE, HERE, [4, 80], 0x18);
    let drop = Verdict::Drop;
    for (action, came) in [
        (
            Action::Ipsec(TunnelId(0)),
            [
                drop(NOT_THROUGH_TUNNEL),
                Verdict::Continue,
                drop(NOT_THROUGH_TUNNEL),
                drop(NOT_THROUGH_TUNNEL),
                drop(NOT_THROUGH_TUNNEL),
            ],
        ),
        (
            Action::Permit,
            [
                Verdict::Continue,
                drop(UNEXPECTED_TUNNEL),
                drop(UNEXPECTED_TUNNEL),
                drop(UNEXPECTED_TUNNEL),
                Verdict::Continue,
            ],
        ),
        (
            Action::Deny,
            [
                drop(DENIED),
                drop(UNEXPECTED_TUNNEL),
                drop(UNEXPECTED_TUNNEL),
                drop(UNEXPECTED_TUNNEL),
                drop(DENIED),
            ],
        ),
    ] {
        let mut f = filter(vec![Rule::new("r", action)]);
        for (sa, came) in [None, Some(1), Some(2), Some(3), Some(9)].iter().zip(came) {
            let mut meta = inbound();
            meta.sa = sa.map(SaId);
            assert_eq!(decide(&mut f, &data, meta), came, "{action:?} {sa:?}");
            // What leaves does not come through anything.
            let out = tcp(HERE, THERE, [80, 4], 0x18);
            let mut meta = outbound();
            meta.sa = sa.map(SaId);
            let expected = match action {
                Action::Permit => Verdict::Continue,
                Action::Ipsec(tunnel) => Verdict::Protect {
                    tunnel,
                    rule: RuleId(0),
                },
                Action::Deny | _ => drop(DENIED),
            };
            assert_eq!(decide(&mut f, &out, meta), expected, "{action:?} {sa:?}");
        }
    }
    // Nobody told this filter of tunnels: what came through one is a mismatch.
    let mut f = Filter::new(Arc::new(RuleSet::new(
        vec![Rule::new("r", Action::Permit)],
        1,
    )));
    let packet = Packet::parse(&data, inbound().with_sa(SaId(9)));
    assert_eq!(f.arrival(&packet), Arrival::Opened(None));
    let (mut none, mut no_actions) = ((), ());
    let mut cx = Cx::new(inbound().now, &mut none, &mut no_actions);
    assert_eq!(f.decide(&mut cx, &packet, None), drop(UNEXPECTED_TUNNEL));
}

/// Default rules only permit, so nothing that came through a tunnel passes them: tunnels are not
/// used while they are in force.
#[test]
fn default_rules_let_nothing_through_tunnels() {
    let set = RuleSet::defaults(vec![Rule::new("x", Action::Permit)], 1);
    let mut f = Filter::with_defaults(Arc::new(set)).tunnels(Arc::new(Known));
    let data = tcp(THERE, HERE, [4, 80], 0x18);
    assert_eq!(decide(&mut f, &data, inbound()), Verdict::Continue);
    for sa in [1, 2, 3] {
        let verdict = decide(&mut f, &data, inbound().with_sa(SaId(sa)));
        assert_eq!(verdict, Verdict::Drop(UNEXPECTED_TUNNEL));
    }
}

#[test]
fn a_flow_answers_for_packets_that_came_the_same_way() {
    let mut f = filter(vec![vpn(), Rule::new("all", Action::Permit)]);
    let data = tcp([10, 3, 0, 1], HERE, [4, 80], 0x18);
    let mut slot = Remembered::default();
    let mut ask = |f: &mut Filter, meta: Meta| {
        let slot = Some((Side::Initiator, &mut slot));
        let (mut none, mut no_actions) = ((), ());
        let mut cx = Cx::new(meta.now, &mut none, &mut no_actions);
        f.decide(&mut cx, &Packet::parse(&data, meta), slot)
    };
    for _ in 0..2 {
        for _ in 0..2 {
            assert_eq!(ask(&mut f, inbound()), Verdict::Continue);
        }
        for sa in [1, 3, 1] {
            let verdict = ask(&mut f, inbound().with_sa(SaId(sa)));
            assert_eq!(verdict, Verdict::Drop(UNEXPECTED_TUNNEL));
        }
    }
    assert_eq!(f.hits(), [0, 10], "every packet is counted");
}

/// Defensive filters stand in front of everything, opening included.
#[test]
fn defensive_filters_come_first() {
    let mut defense = Defense::new();
    let now = inbound().now;
    let configs = [("A".into(), DefenseConfig::default())].into();
    let add = |prefix: &str, protocol| Request::Add {
        target: Target::Stack("A".into()),
        filter: DefensiveFilter::new("f")
            .source(prefix.parse().unwrap())
            .upper(Upper::Protocol(protocol)),
    };
    for request in [
        Request::Refresh(configs),
        add("10.2.0.0/24", 6),
        add("192.0.2.0/24", 50),
    ] {
        defense.handle(request, now, &mut ()).unwrap();
    }
    let mut f = filter(vec![vpn()]);
    f.install_defensive(defense.table("A").unwrap(), now, &mut ());
    let blocked = Verdict::Drop(DEFENSIVE_BLOCKED);
    let data = tcp(THERE, HERE, [4, 80], 0x18);
    assert_eq!(decide(&mut f, &data, inbound().with_sa(SaId(1))), blocked);
    let mut before = |from| {
        let esp = ipv4(from, HERE, 50, &[0, 0, 1, 0, 0, 0, 0, 1]);
        let packet = Packet::parse(&esp, inbound());
        f.before_opening(&mut Cx::new(now, &mut (), &mut ()), &packet)
    };
    assert_eq!(before(ROUTER), blocked);
    assert_eq!(before([192, 0, 3, 1]), Verdict::Continue);
}

/// With `PreDecap` the rules judge what is still protected as they would in the clear, also when it
/// came inside another tunnel.
#[test]
fn protected_packets_are_no_mismatch() {
    let rules = vec![Rule::new("esp", Action::Permit).upper(Upper::Protocol(50))];
    let mut settings = Settings::default();
    settings.pre_decap = true;
    let set = RuleSet::new(rules, 1).with_settings(settings);
    let mut f = Filter::new(Arc::new(set)).tunnels(Arc::new(Known));
    let now = inbound().now;
    for (protocol, verdict) in [(50, Verdict::Continue), (51, Verdict::Drop(IMPLIED_DENY))] {
        let bytes = ipv4(THERE, HERE, protocol, &[50, 4, 1, 0, 0, 0, 0, 1]);
        for meta in [inbound(), inbound().with_sa(SaId(1))] {
            let packet = Packet::parse(&bytes, meta);
            let (mut none, mut no_actions) = ((), ());
            let mut cx = Cx::new(now, &mut none, &mut no_actions);
            assert_eq!(f.before_opening(&mut cx, &packet), verdict, "{meta:?}");
        }
    }
}

// RFC 4301 §6.2: an error that no rule matches stays with the traffic of a tunnel that it is about.
#[test]
fn errors_about_traffic_of_a_tunnel_pass_through_that_tunnel_only() {
    let mut f = filter(vec![vpn()]);
    let ours = tcp(HERE, THERE, [4, 80], 0x02);
    let sas = [None, Some(1), Some(2), Some(3), Some(9)];
    for kind in 0..=255 {
        let bytes = error(ROUTER, kind, &ours);
        let is_error = matches!(kind, 3 | 4 | 11 | 12);
        for sa in sas {
            let mut meta = inbound();
            meta.sa = sa.map(SaId);
            let passes = is_error && sa == Some(1);
            let verdict = decide(&mut f, &bytes, meta);
            assert_eq!(verdict.is_continue(), passes, "{kind} {sa:?}");
            assert!(passes || verdict == Verdict::Drop(IMPLIED_DENY));
        }
    }
    assert_eq!((f.hits(), f.implied_denies()), (&[4][..], 256 * 5 - 4));
    // What had to come through the tunnel: an error about it leaves through the tunnel.
    let theirs = tcp(THERE, HERE, [4, 81], 0x02);
    let protect = Verdict::Protect {
        tunnel: TunnelId(0),
        rule: RuleId(0),
    };
    assert_eq!(
        decide(&mut f, &error(HERE, 3, &theirs), outbound()),
        protect
    );
    // A packet of the other direction, or of other ends, is none of the tunnel's.
    let denied = Verdict::Drop(IMPLIED_DENY);
    let through = inbound().with_sa(SaId(1));
    assert_eq!(decide(&mut f, &error(ROUTER, 3, &theirs), through), denied);
    assert_eq!(decide(&mut f, &error(HERE, 3, &ours), outbound()), denied);
    let other = tcp(HERE, [10, 3, 0, 9], [4, 80], 0x02);
    assert_eq!(decide(&mut f, &error(ROUTER, 3, &other), through), denied);
    // A rule that matches the error itself decides it.
    let deny = Rule::new("no icmp", Action::Deny).upper(Upper::Protocol(1));
    let mut f = filter(vec![vpn(), deny]);
    let verdict = decide(&mut f, &error(ROUTER, 3, &ours), through);
    assert_eq!(verdict, Verdict::Drop(UNEXPECTED_TUNNEL));
    // As does a rule in front for what is quoted: it does not go through the tunnel.
    let front = Rule::new("clear", Action::Permit).upper(Upper::tcp(80..=80));
    let mut f = filter(vec![front, vpn()]);
    assert_eq!(decide(&mut f, &error(ROUTER, 3, &ours), through), denied);
    // The error goes to the source of what it quotes.
    let mut misdirected = error(ROUTER, 3, &ours);
    misdirected[19] = 2;
    let mut f = filter(vec![vpn()]);
    assert_eq!(decide(&mut f, &misdirected, through), denied);
}

#[test]
fn errors_of_forwarded_traffic_pass_as_well() {
    let routed = vpn().routing(RuleRouting::Either).upper(Upper::Protocol(6));
    let mut f = filter(vec![routed]);
    let behind = [10, 7, 0, 1];
    let bytes = error(ROUTER, 11, &tcp(behind, THERE, [4, 80], 0x10));
    let forward = Meta::new(Point::Forward, inbound().now).with_routing(Routing::Routed);
    assert_eq!(
        decide(&mut f, &bytes, forward.with_sa(SaId(1))),
        Verdict::Continue
    );
    assert_eq!(decide(&mut f, &bytes, forward), Verdict::Drop(IMPLIED_DENY));
}

// RFC 792: 64 bits of the transport header are quoted; RFC 1122 §3.2.2: no error about an error.
#[test]
fn quotes_are_read_as_far_as_they_go() {
    let ports = Rule::new("vpn", Action::Ipsec(TunnelId(0))).upper(Upper::tcp(80..=80));
    let opens = vpn().connect(hostward_filter::Connect::Outbound);
    let through = inbound().with_sa(SaId(1));
    let ours = tcp(HERE, THERE, [4, 80], 0x02);
    for (rule, least) in [(&ports, 24), (&vpn(), 20), (&opens, 34)] {
        for length in 16..=ours.len() {
            let bytes = error(ROUTER, 3, &ours[..length]);
            let mut f = filter(vec![rule.clone()]);
            let passes = decide(&mut f, &bytes, through).is_continue();
            assert_eq!(passes, length >= least, "{rule:?} {length}");
        }
    }
    let mut f = filter(vec![vpn().upper(Upper::Any)]);
    let mut passes = |quoted: &[u8]| {
        let bytes = error(ROUTER, 3, quoted);
        decide(&mut f, &bytes, through).is_continue()
    };
    let echo = ipv4(HERE, THERE, 1, &[8, 0, 0, 0, 0, 1, 0, 1]);
    assert!(passes(&echo));
    assert!(!passes(&echo[..27]), "it may be an error");
    assert!(!passes(&error(THERE, 3, &ours)[..]), "of another source");
    let of_error = {
        let mut p = error(HERE, 3, &ours);
        p[12..16].copy_from_slice(&HERE);
        p[16..20].copy_from_slice(&THERE);
        p
    };
    assert!(!passes(&of_error), "an error about an error");
    // A header that says it is longer than what is there, or shorter than a header can be.
    for first in [0x46, 0x4f, 0x44, 0x40, 0x65, 0x05] {
        let mut bad = ours.clone();
        bad[0] = first;
        let longer = first == 0x46;
        assert_eq!(passes(&bad), longer, "{first:#x}");
    }
    let mut later = ours.clone();
    later[6..8].copy_from_slice(&[0, 9]);
    assert!(passes(&later), "the rule asks for no ports");
    let mut f = filter(vec![ports]);
    let bytes = error(ROUTER, 3, &later);
    assert!(decide(&mut f, &bytes, through).is_refused(), "it has none");
    // A fragment of an error is no error.
    let mut bytes = error(ROUTER, 3, &ours);
    bytes[6] = 0x20;
    assert!(decide(&mut f, &bytes, through).is_refused());
}

#[test]
fn errors_of_ipv6_are_types_1_to_4() {
    let here: [u8; 16] = "2001:db8::1"
        .parse::<std::net::Ipv6Addr>()
        .unwrap()
        .octets();
    let there: [u8; 16] = "2001:db8:2::9"
        .parse::<std::net::Ipv6Addr>()
        .unwrap()
        .octets();
    let v6 = |next: u8, from: [u8; 16], to: [u8; 16], upper: &[u8]| {
        let mut p = vec![0x60, 0, 0, 0, 0, upper.len() as u8, next, 64];
        p.extend(from);
        p.extend(to);
        p.extend(upper);
        p
    };
    let quoted = v6(17, here, there, &[0, 4, 0, 80, 0, 8, 0, 0]);
    let spec: hostward_filter::AddressSpec = "2001:db8:2::/48".parse().unwrap();
    let rule = vpn().destination(spec).upper(Upper::udp(80..=80));
    let mut f = filter(vec![rule]);
    let router = [0xfd; 16];
    for kind in 0..=255 {
        let mut upper = vec![kind, 0, 0, 0, 0, 0, 0, 0];
        upper.extend(&quoted);
        let bytes = v6(58, router, here, &upper);
        let verdict = decide(&mut f, &bytes, inbound().with_sa(SaId(1)));
        assert_eq!(verdict.is_continue(), (1..=4).contains(&kind), "{kind}");
        // ICMP of the other version is none.
        let bytes = v6(1, router, here, &upper);
        assert!(decide(&mut f, &bytes, inbound().with_sa(SaId(1))).is_refused());
    }
}

/// Whatever a quote holds: it is read without panic, its answer is that of the rules for a packet
/// that the quote shows, and nothing passes that came in the clear.
#[test]
fn any_quote_is_safe() {
    arbtest::arbtest(|u: &mut Unstructured<'_>| {
        let mut quoted = tcp(HERE, THERE, [4, 80], 0x02);
        for _ in 0..u.int_in_range(0..=6)? {
            let at = u.int_in_range(0..=quoted.len() - 1)?;
            quoted[at] = u.arbitrary()?;
        }
        quoted.truncate(u.int_in_range(0..=quoted.len())?);
        if u.ratio(1, 4)? {
            let inner = error(ROUTER, 3, &tcp(HERE, THERE, [4, 80], 2));
            quoted.splice(quoted.len().min(20).., inner);
        }
        let mut upper = vec![*u.choose(&[3, 11])?, 0, 0, 0, 0, 0, 0, 0];
        upper.extend(&quoted);
        let bytes = ipv4(ROUTER, HERE, 1, &upper);
        let any = Rule::new("any", Action::Ipsec(TunnelId(0)))
            .upper(Upper::tcp(0..=65_535))
            .direction(RuleDirection::Outbound);
        let mut f = filter(vec![any.clone()]);
        assert!(decide(&mut f, &bytes, inbound()).is_refused());
        let passes = decide(&mut f, &bytes, inbound().with_sa(SaId(1))).is_continue();
        let packet = Packet::parse(&bytes, inbound());
        let read = Selectors::quoted_by(&packet);
        assert_eq!(passes, read.is_some_and(|q| any.matches(&q)));
        if let Some(read) = read {
            assert_eq!(read.direction, Direction::Outbound);
            assert_eq!(read.source, std::net::IpAddr::from(HERE));
            if let Header::Ports(source, destination) = read.header {
                let words = [source.to_be_bytes(), destination.to_be_bytes()].concat();
                assert!(quoted.windows(4).any(|w| w == words), "read, not made up");
            }
            assert!(read.protocol == Some(6) || read.opening == Opening::Unknown);
        }
        Ok(())
    })
    .budget_ms(1_500);
}

#[test]
fn a_permitted_error_is_told_for_the_rule_of_what_it_quotes() {
    let rule = |logging| vpn().logging(logging);
    let bytes = error(ROUTER, 3, &tcp(HERE, THERE, [4, 80], 0x02));
    let meta = inbound().with_sa(SaId(1));
    for (logging, told) in [
        (hostward_filter::Logging::No, 0),
        (hostward_filter::Logging::Permit, 1),
        (hostward_filter::Logging::Deny, 0),
    ] {
        let mut f = filter(vec![rule(logging)]);
        let mut events = EventQueue::new(4);
        let mut no_actions = ();
        let mut cx = Cx::new(meta.now, &mut events, &mut no_actions);
        let verdict = f.decide(&mut cx, &Packet::parse(&bytes, meta), None);
        assert_eq!((verdict, cx.rule), (Verdict::Continue, Some(RuleId(0))));
        let codes: Vec<_> = events.iter().map(|e| (e.code, e.rule)).collect();
        assert_eq!(codes.len(), told, "{logging:?}");
        assert!(
            codes
                .iter()
                .all(|c| *c == (ICMP_ERROR_PERMITTED, Some(RuleId(0))))
        );
    }
    assert_ne!(ICMP_ERROR_PERMITTED, PERMITTED);
}

#[test]
fn edits_wait_while_the_default_rules_are_in_force() {
    let set = Arc::new(RuleSet::new(vec![Rule::new("none", Action::Deny)], 1));
    let defaults = Arc::new(RuleSet::defaults(Vec::new(), 2));
    let mut f = Filter::new(Arc::clone(&set)).defaults(defaults);
    let data = tcp(THERE, HERE, [4, 80], 0x18);
    let all = Rule::new("all", Action::Permit);
    let edits = Edits::default().insert(&set, 0, all).unwrap();
    f.edit(Arc::new(edits.clone())).unwrap();
    assert_eq!(decide(&mut f, &data, inbound()), Verdict::Continue);
    f.use_defaults(true);
    assert!(f.edits().is_empty());
    assert_eq!(
        decide(&mut f, &data, inbound()),
        Verdict::Drop(IMPLIED_DENY)
    );
    // Those of the default rules are their own.
    let web = Rule::new("web", Action::Permit).upper(Upper::udp(9..=9));
    let rules = Arc::clone(f.rules());
    let own = Edits::default().insert(&rules, 0, web).unwrap();
    f.edit(Arc::new(own.clone())).unwrap();
    f.use_defaults(false);
    assert_eq!(**f.edits(), edits);
    assert_eq!(decide(&mut f, &data, inbound()), Verdict::Continue);
    assert_eq!(f.hits(), [0, 1], "the added rule has its count");
    f.install(Arc::clone(&set));
    assert_eq!(**f.edits(), edits, "the set that is there already");
    f.use_defaults(true);
    assert_eq!(**f.edits(), own);
    f.use_defaults(false);
    f.install(Arc::new(RuleSet::new(vec![], 3)));
    assert!(f.edits().is_empty(), "they belong to the set before");
    assert_eq!(
        decide(&mut f, &data, inbound()),
        Verdict::Drop(IMPLIED_DENY)
    );
}
