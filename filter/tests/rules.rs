//! Rules on packets: order, directions, fragments, hidden ports, tunnels, events.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unreachable,
    reason = "a failing test may panic"
)]

use std::net::IpAddr;
use std::sync::Arc;

use etherparse::PacketBuilder;
use hostward_filter::{
    Action, AddressSpec, Connect, DENIED, Discard, Filter, Header, IMPLIED_DENY, Logging,
    NOT_THROUGH_TUNNEL, Opening, Rule, RuleDirection, RuleRouting, RuleSet, Selectors, Upper,
};
use hostward_hook::action::Cx;
use hostward_hook::event::EventQueue;
use hostward_hook::ident::{RuleId, SaId, TunnelId};
use hostward_hook::meta::{Direction, Meta, Point, Routing};
use hostward_hook::time::Now;
use hostward_hook::{Packet, PacketFilter, Verdict};

fn tcp(src: ([u8; 4], u16), dst: ([u8; 4], u16), syn: bool) -> Vec<u8> {
    let b = PacketBuilder::ipv4(src.0, dst.0, 64).tcp(src.1, dst.1, 1, 1000);
    let b = if syn { b.syn() } else { b.ack(1) };
    let mut out = Vec::new();
    b.write(&mut out, b"data").unwrap();
    out
}

fn decide(rules: Vec<Rule>, bytes: &[u8], meta: Meta) -> Verdict {
    let mut filter = Filter::new(Arc::new(RuleSet::new(rules, 1)));
    filter.decide(
        &mut Cx::new(meta.now, &mut (), &mut ()),
        &Packet::parse(bytes, meta),
        None,
    )
}

fn inbound() -> Meta {
    Meta::new(Point::LocalIn, Now::default())
}

fn outbound() -> Meta {
    Meta::new(Point::LocalOut, Now::default())
}

fn spec(s: &str) -> AddressSpec {
    s.parse().unwrap()
}

const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 9], 40_000);
const SERVER: ([u8; 4], u16) = ([192, 0, 2, 1], 80);

fn web_server() -> Rule {
    // Local side first, as a bidirectional rule is written.
    Rule::new("web", Action::Permit)
        .source(spec("192.0.2.1"))
        .destination(spec("10.0.0.0/8"))
        .upper(Upper::Ports {
            protocol: 6,
            source: 80..=80,
            destination: 1024..=65_535,
        })
}

#[test]
fn without_a_match_everything_is_denied() {
    assert_eq!(
        decide(vec![], &tcp(CLIENT, SERVER, true), inbound()),
        Verdict::Drop(IMPLIED_DENY)
    );
}

#[test]
fn the_first_match_decides() {
    let packet = tcp(CLIENT, SERVER, true);
    let deny = Rule::new("deny", Action::Deny).source(spec("192.0.2.1"));
    let both = |first: &Rule, second: &Rule| {
        decide(vec![first.clone(), second.clone()], &packet, inbound())
    };
    assert_eq!(both(&deny, &web_server()), Verdict::Drop(DENIED));
    assert_eq!(both(&web_server(), &deny), Verdict::Continue);
}

#[test]
fn a_bidirectional_rule_is_mirrored_for_inbound_packets() {
    let rules = || vec![web_server()];
    assert_eq!(
        decide(rules(), &tcp(CLIENT, SERVER, true), inbound()),
        Verdict::Continue
    );
    assert_eq!(
        decide(rules(), &tcp(SERVER, CLIENT, false), outbound()),
        Verdict::Continue
    );
    // The same packets the other way are somebody else's traffic.
    assert!(decide(rules(), &tcp(CLIENT, SERVER, true), outbound()).is_refused());
    assert!(decide(rules(), &tcp(SERVER, CLIENT, false), inbound()).is_refused());
}

#[test]
fn one_way_rules_are_read_as_written() {
    let rule = |d| {
        Rule::new("in", Action::Permit)
            .source(spec("10.0.0.9"))
            .upper(Upper::tcp(80..=80))
            .direction(d)
    };
    let packet = tcp(CLIENT, SERVER, true);
    assert_eq!(
        decide(vec![rule(RuleDirection::Inbound)], &packet, inbound()),
        Verdict::Continue
    );
    assert!(decide(vec![rule(RuleDirection::Inbound)], &packet, outbound()).is_refused());
    assert!(decide(vec![rule(RuleDirection::Outbound)], &packet, inbound()).is_refused());
}

#[test]
fn connect_qualifiers_look_at_the_opening_segment() {
    let rules = || vec![web_server().connect(Connect::Inbound)];
    assert_eq!(
        decide(rules(), &tcp(CLIENT, SERVER, true), inbound()),
        Verdict::Continue
    );
    assert_eq!(
        decide(rules(), &tcp(SERVER, CLIENT, false), outbound()),
        Verdict::Continue
    );
    assert!(decide(rules(), &tcp(SERVER, CLIENT, true), outbound()).is_refused());
    let rules = || vec![web_server().connect(Connect::Outbound)];
    assert!(decide(rules(), &tcp(CLIENT, SERVER, true), inbound()).is_refused());
}

#[test]
fn routing_and_security_class_narrow_a_rule() {
    let packet = tcp(CLIENT, SERVER, true);
    let routed = inbound().with_routing(Routing::Routed);
    assert!(decide(vec![web_server()], &packet, routed).is_refused());
    let either = web_server().routing(RuleRouting::Either);
    assert_eq!(decide(vec![either], &packet, routed), Verdict::Continue);
    let classed = || vec![web_server().security_class(7)];
    assert!(decide(classed(), &packet, inbound()).is_refused());
    assert_eq!(
        decide(classed(), &packet, inbound().with_security_class(7)),
        Verdict::Continue
    );
}

#[test]
fn hidden_ports_match_only_rules_that_ask_for_none() {
    let mut later = tcp(CLIENT, SERVER, false);
    later[6..8].copy_from_slice(&[0x20, 0x10]); // offset 128, more fragments
    assert!(decide(vec![web_server()], &later, inbound()).is_refused());
    let any_tcp = Rule::new("tcp", Action::Permit).upper(Upper::Protocol(6));
    assert_eq!(decide(vec![any_tcp], &later, inbound()), Verdict::Continue);
    let fragments = Rule::new("frag", Action::Deny).fragments_only();
    let permit = Rule::new("all", Action::Permit);
    let rules = || vec![fragments.clone(), permit.clone()];
    assert_eq!(decide(rules(), &later, inbound()), Verdict::Drop(DENIED));
    assert_eq!(
        decide(rules(), &tcp(CLIENT, SERVER, false), inbound()),
        Verdict::Continue
    );
    // A packet cut off inside its TCP header hides its ports as well.
    let cut = &tcp(CLIENT, SERVER, false)[..30];
    assert!(decide(vec![web_server()], cut, inbound()).is_refused());
}

// RFC 4301 §5.2: inbound traffic that must be protected has to have come through the tunnel.
#[test]
fn traffic_that_must_be_protected_is() {
    #[derive(Debug)]
    struct One;
    impl hostward_filter::Tunnels for One {
        fn tunnel_of(&self, sa: SaId) -> Option<TunnelId> {
            (sa == SaId(5)).then_some(TunnelId(9))
        }
    }
    let mut rule = web_server();
    rule.action = Action::Ipsec(TunnelId(9));
    let mut filter = Filter::new(Arc::new(RuleSet::new(vec![rule], 1))).tunnels(Arc::new(One));
    let mut decide = |bytes: &[u8], meta: Meta| {
        filter.decide(
            &mut Cx::new(meta.now, &mut (), &mut ()),
            &Packet::parse(bytes, meta),
            None,
        )
    };
    let (to, from) = (tcp(SERVER, CLIENT, false), tcp(CLIENT, SERVER, true));
    let protect = Verdict::Protect {
        tunnel: TunnelId(9),
        rule: RuleId(0),
    };
    assert_eq!(decide(&to, outbound()), protect);
    assert_eq!(decide(&from, inbound()), Verdict::Drop(NOT_THROUGH_TUNNEL));
    assert_eq!(
        decide(&from, inbound().with_sa(SaId(4))),
        Verdict::Drop(NOT_THROUGH_TUNNEL)
    );
    assert_eq!(decide(&from, inbound().with_sa(SaId(5))), Verdict::Continue);
}

// RFC 1122 §3.2.2, RFC 4443 §2.4: what must not be answered with an error is discarded in silence.
#[test]
fn only_what_may_be_answered_is() {
    let v4 = |source: [u8; 4], destination: [u8; 4], protocol, header, fragment| Selectors {
        source: source.into(),
        destination: destination.into(),
        protocol: Some(protocol),
        header,
        fragment,
        opening: Opening::Unknown,
        direction: Direction::Inbound,
        routing: Routing::Local,
        security_class: 0,
    };
    let (a, b, ports) = ([10, 0, 0, 9], [192, 0, 2, 1], Header::Ports(1, 2));
    let icmp = |kind| v4(a, b, 1, Header::Icmp(kind, 0), false);
    for kind in 0..=255 {
        let error = matches!(kind, 3 | 4 | 5 | 11 | 12);
        assert_eq!(icmp(kind).may_be_answered(), !error, "{kind}");
        let mut v6 = icmp(kind);
        (v6.source, v6.destination) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        v6.protocol = Some(58);
        let error = matches!(kind, 1..=4 | 137);
        assert_eq!(v6.may_be_answered(), !error, "{kind}");
    }
    for (p, answered) in [
        (v4(a, b, 17, ports, false), true),
        (v4(a, b, 17, ports, true), true),
        (v4(a, b, 17, Header::Unknown, true), false),
        (v4(a, b, 17, Header::Unknown, false), true),
        (v4(a, b, 1, Header::Unknown, false), false),
        (v4(a, [224, 0, 0, 5], 17, ports, false), false),
        (v4(a, [255; 4], 17, ports, false), false),
        (v4([224, 0, 0, 5], b, 17, ports, false), false),
        (v4([0; 4], b, 17, ports, false), false),
    ] {
        assert_eq!(p.may_be_answered(), answered, "{p:?}");
    }
    let deny = Rule::new("deny", Action::Deny).discard(Discard::Icmp);
    let mut later = tcp(CLIENT, SERVER, false);
    assert_eq!(
        decide(vec![deny.clone()], &later, inbound()),
        Verdict::Reject(DENIED)
    );
    later[6..8].copy_from_slice(&[0, 9]);
    assert_eq!(decide(vec![deny], &later, inbound()), Verdict::Drop(DENIED));
    let set = RuleSet::new(Vec::new(), 1).implicit(false, Discard::Icmp);
    let mut filter = Filter::new(Arc::new(set));
    let verdict = filter.decide(
        &mut Cx::new(inbound().now, &mut (), &mut ()),
        &Packet::parse(&later, inbound()),
        None,
    );
    assert_eq!(verdict, Verdict::Drop(IMPLIED_DENY));
}

#[test]
fn decisions_are_told_as_the_rule_asks() {
    let rules = vec![
        web_server().logging(Logging::Yes),
        Rule::new("quiet", Action::Deny).source(spec("192.0.2.7")),
        Rule::new("loud", Action::Deny)
            .logging(Logging::Deny)
            .discard(Discard::Icmp),
    ];
    let mut filter = Filter::new(Arc::new(RuleSet::new(rules, 42)));
    let mut events = EventQueue::new(10);
    let other: IpAddr = [192, 0, 2, 7].into();
    let IpAddr::V4(other) = other else {
        unreachable!()
    };
    for dst in [SERVER, (other.octets(), 80), ([192, 0, 2, 8], 80)] {
        let bytes = tcp(CLIENT, dst, true);
        let meta = inbound();
        let mut actions = ();
        let mut cx = Cx::new(meta.now, &mut events, &mut actions);
        let v = filter.decide(&mut cx, &Packet::parse(&bytes, meta), None);
        assert_eq!(matches!(v, Verdict::Reject(_)), dst.0[3] == 8);
    }
    let told: Vec<_> = events
        .iter()
        .map(|e| (e.code.get(), e.rule, e.generation))
        .collect();
    assert_eq!(
        told,
        [(2001, Some(RuleId(0)), 42), (2002, Some(RuleId(2)), 42)]
    );
}
