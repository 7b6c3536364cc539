//! Events as log lines.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test may panic"
)]

use std::net::IpAddr;
use std::sync::Arc;

use hostward_filter::defensive::{
    Changes, Defense, DefenseConfig, DefensiveFilter, DefensiveMode, Request, Selection, Target,
};
use hostward_filter::{
    Action, AddressSpec, Discard, Edits, Filter, Logging, Message, Rule, RuleSet, Tunnel,
    TunnelKind, Tunnels, Upper,
};
use hostward_hook::action::Cx;
use hostward_hook::event::{Class, Event, EventSink};
use hostward_hook::ident::{InterfaceId, Names, SaId, TunnelId};
use hostward_hook::meta::{Meta, Point, Routing};
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_hook::{Packet, PacketFilter, Timers};

struct Links;

impl Names for Links {
    fn interface(&self, id: InterfaceId) -> Option<&str> {
        matches!(id, InterfaceId(3 | 4)).then_some("OSA3")
    }

    fn interface_address(&self, id: InterfaceId) -> Option<IpAddr> {
        (id == InterfaceId(4)).then_some([192, 0, 2, 1].into())
    }
}

#[derive(Default)]
struct Lines(Vec<String>);

impl EventSink for Lines {
    fn wants(&self, _: Class) -> bool {
        true
    }

    fn emit(&mut self, e: &Event<'_>) {
        self.0.extend(Message::of(e, &Links).map(|m| m.to_string()));
    }
}

fn at(seconds: u64) -> Now {
    Now::new(
        Instant::from_secs(seconds),
        UnixTime::from_secs(1_790_000_000 + seconds),
    )
}

fn ipv4(protocol: u8, upper: &[u8]) -> Vec<u8> {
    let mut p = vec![
        0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 9, 192, 0, 2, 1,
    ];
    p.extend_from_slice(upper);
    p[3] = p.len() as u8;
    p
}

const TCP: [u8; 20] = [
    0xc0, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0,
];

fn decide(filter: &mut Filter, bytes: &[u8], meta: Meta, lines: &mut Lines) {
    let _ = filter.decide(
        &mut Cx::new(meta.now, lines, &mut ()),
        &Packet::parse(bytes, meta),
        None,
    );
}

#[test]
fn decisions_have_the_ids_and_fields_of_zos() {
    let mut implied = Lines::default();
    let rules = vec![
        Rule::new("web", Action::Permit)
            .upper(Upper::Ports {
                protocol: 6,
                source: 80..=80,
                destination: 0..=65_535,
            })
            .logging(Logging::Yes),
        Rule::new("ping", Action::Deny)
            .upper(Upper::Icmp {
                protocol: 1,
                types: 8..=8,
                codes: 0..=255,
            })
            .logging(Logging::Yes),
        Rule::new("vpn", Action::Ipsec(TunnelId(0)))
            .upper(Upper::Protocol(17))
            .logging(Logging::Deny),
    ];
    let set = RuleSet::new(rules, 1)
        .implicit(true, Discard::Silent)
        .with_tunnels(vec![Tunnel::new("Gold", TunnelKind::Dynamic)]);
    let mut filter = Filter::new(Arc::new(set));
    let meta = Meta::new(Point::LocalIn, at(0))
        .with_interface(InterfaceId(3))
        .with_security_class(7);
    let mut lines = Lines::default();
    decide(&mut filter, &ipv4(6, &TCP), meta, &mut lines);
    decide(
        &mut filter,
        &ipv4(1, &[8, 0, 0, 0, 0, 0, 0, 0]),
        meta,
        &mut lines,
    );
    decide(
        &mut filter,
        &ipv4(17, &[0, 53, 0, 53, 0, 8, 0, 0]),
        meta,
        &mut lines,
    );
    let mut later = ipv4(6, &TCP);
    later[7] = 9;
    let routed = meta.with_routing(Routing::Routed);
    decide(&mut filter, &later, routed, &mut implied);
    assert_eq!(
        lines.0,
        [
            "EZD0814I 2026-09-21T14:13:20.000000Z filter rule= web ext= 2 sipaddr= 10.0.0.9 dipaddr= 192.0.2.1 proto= TCP(6) sport= 49152 dport= 80 Interface= OSA3 ( I ) secclass= 7 dest= local len= 40 vpnaction= N/A tunnelID= N/A ifcname= OSA3 fragment= N",
            "EZD0815I 2026-09-21T14:13:20.000000Z filter rule= ping ext= 2 sipaddr= 10.0.0.9 dipaddr= 192.0.2.1 proto= ICMP(1) type= 8 code= 0 Interface= OSA3 ( I ) secclass= 7 dest= local len= 28 vpnaction= N/A tunnelID= N/A ifcname= OSA3 fragment= N",
            "EZD0833I 2026-09-21T14:13:20.000000Z filter rule= vpn ext= 2 sipaddr= 10.0.0.9 dipaddr= 192.0.2.1 proto= UDP(17) sport= 53 dport= 53 Interface= OSA3 ( I ) dest= local len= 28 tunnelID= Gold decap_tunnelID= N/A ifcname= OSA3 fragment= N",
        ]
    );
    assert_eq!(
        implied.0,
        [
            "EZD0815I 2026-09-21T14:13:20.000000Z filter rule=  ext= 0 sipaddr= 10.0.0.9 dipaddr= 192.0.2.1 proto= TCP(6) sport= Unknown dport= Unknown Interface= OSA3 ( I ) secclass= 7 dest= routed len= 40 vpnaction= N/A tunnelID= N/A ifcname= OSA3 fragment= Y"
        ]
    );
}

/// Association 1 is of tunnel 0, 2 of tunnel 1 without name.
#[derive(Debug)]
struct Known;

impl Tunnels for Known {
    fn tunnel_of(&self, sa: SaId) -> Option<TunnelId> {
        sa.0.checked_sub(1).map(TunnelId)
    }
}

#[test]
fn tunnels_are_named() {
    let rules = vec![
        Rule::new("web", Action::Permit)
            .upper(Upper::Protocol(6))
            .logging(Logging::Deny),
        Rule::new("vpn", Action::Ipsec(TunnelId(0)))
            .upper(Upper::udp(0..=65_535))
            .logging(Logging::Yes),
    ];
    let set = RuleSet::new(rules, 1).with_tunnels(vec![Tunnel::new("Gold", TunnelKind::Dynamic)]);
    let mut filter = Filter::new(Arc::new(set)).tunnels(Arc::new(Known));
    let meta = Meta::new(Point::LocalIn, at(0))
        .with_interface(InterfaceId(3))
        .with_security_class(7);
    let mut lines = Lines::default();
    let datagram = ipv4(17, &[0, 53, 0, 53, 0, 8, 0, 0]);
    decide(
        &mut filter,
        &ipv4(6, &TCP),
        meta.with_sa(SaId(1)),
        &mut lines,
    );
    decide(
        &mut filter,
        &ipv4(6, &TCP),
        meta.with_sa(SaId(2)),
        &mut lines,
    );
    decide(&mut filter, &datagram, meta.with_sa(SaId(2)), &mut lines);
    decide(&mut filter, &datagram, meta.with_sa(SaId(1)), &mut lines);
    // 192.0.2.1 sent the datagram that this error is about.
    let mut error = vec![3, 1, 0, 0, 0, 0, 0, 0];
    let mut quoted = datagram;
    quoted[12..16].copy_from_slice(&[192, 0, 2, 1]);
    quoted[16..20].copy_from_slice(&[10, 9, 9, 9]);
    error.extend(quoted);
    decide(
        &mut filter,
        &ipv4(1, &error),
        meta.with_sa(SaId(1)),
        &mut lines,
    );
    assert_eq!(
        lines.0,
        [
            "EZD0833I 2026-09-21T14:13:20.000000Z filter rule= web ext= 2 sipaddr= 10.0.0.9 dipaddr= 192.0.2.1 proto= TCP(6) sport= 49152 dport= 80 Interface= OSA3 ( I ) dest= local len= 40 tunnelID= N/A decap_tunnelID= Gold ifcname= OSA3 fragment= N",
            "EZD0833I 2026-09-21T14:13:20.000000Z filter rule= web ext= 2 sipaddr= 10.0.0.9 dipaddr= 192.0.2.1 proto= TCP(6) sport= 49152 dport= 80 Interface= OSA3 ( I ) dest= local len= 40 tunnelID= N/A decap_tunnelID= Unknown ifcname= OSA3 fragment= N",
            "EZD0833I 2026-09-21T14:13:20.000000Z filter rule= vpn ext= 2 sipaddr= 10.0.0.9 dipaddr= 192.0.2.1 proto= UDP(17) sport= 53 dport= 53 Interface= OSA3 ( I ) dest= local len= 28 tunnelID= Gold decap_tunnelID= Unknown ifcname= OSA3 fragment= N",
            "EZD0814I 2026-09-21T14:13:20.000000Z filter rule= vpn ext= 2 sipaddr= 10.0.0.9 dipaddr= 192.0.2.1 proto= UDP(17) sport= 53 dport= 53 Interface= OSA3 ( I ) secclass= 7 dest= local len= 28 vpnaction= Gold tunnelID= N/A ifcname= OSA3 fragment= N",
            "EZD0836I 2026-09-21T14:13:20.000000Z sipaddr= 10.0.0.9 dipaddr= 192.0.2.1 proto= ICMP(1) type= 3 code= 1 Interface= OSA3 ( I ) secclass= 7 dest= local len= 56 tunnelID= Gold ifcname= OSA3 embsipaddr= 192.0.2.1 embdipaddr= 10.9.9.9 embproto= UDP(17) sport= 53 dport= 53",
        ]
    );
}

#[test]
fn an_interface_shows_its_address() {
    let all = Rule::new("all", Action::Permit).logging(Logging::Yes);
    let mut filter = Filter::new(Arc::new(RuleSet::new(vec![all], 1)));
    let mut lines = Lines::default();
    let meta = Meta::new(Point::LocalIn, at(0)).with_interface(InterfaceId(4));
    decide(&mut filter, &ipv4(6, &TCP), meta, &mut lines);
    let line = lines.0.concat();
    assert!(line.contains(" Interface= 192.0.2.1 ( I ) "), "{line}");
    assert!(line.contains(" ifcname= OSA3 "), "{line}");
}

#[test]
fn what_was_suppressed_about_an_added_rule_is_told_when_it_goes() {
    let set = Arc::new(RuleSet::new(Vec::new(), 1));
    let mut filter = Filter::new(Arc::clone(&set)).log_limit(1);
    let noisy = Rule::new("noisy", Action::Deny).logging(Logging::Yes);
    let edits = Edits::default().insert(&set, 0, noisy).unwrap();
    filter.edit(Arc::new(edits)).unwrap();
    let meta = Meta::new(Point::LocalIn, at(0));
    for _ in 0..4 {
        decide(&mut filter, &ipv4(6, &TCP), meta, &mut Lines::default());
    }
    filter.edit(Arc::default()).unwrap();
    let mut lines = Lines::default();
    assert!(filter.next_deadline().is_some());
    filter.handle_deadline(&mut Cx::new(at(1), &mut lines, &mut ()));
    assert_eq!(
        lines.0,
        ["HWF2008I 2026-09-21T14:13:21.000000Z filter rule= noisy suppressed_count= 3"]
    );
}

#[test]
fn log_limits_of_rules_count_what_they_suppress() {
    let rule = Rule::new("all", Action::Deny).logging(Logging::Yes);
    let set = Arc::new(RuleSet::new(vec![rule], 1));
    let mut filter = Filter::new(set).log_limit(2);
    let mut lines = Lines::default();
    for _ in 0..5 {
        decide(
            &mut filter,
            &ipv4(6, &TCP),
            Meta::new(Point::LocalIn, at(0)),
            &mut lines,
        );
    }
    assert_eq!(lines.0.len(), 2);
    assert_eq!(filter.hits(), [5], "every packet is counted");
    let mut lines = Lines::default();
    assert_eq!(filter.next_deadline(), Some(at(300).mono));
    filter.handle_deadline(&mut Cx::new(at(300), &mut lines, &mut ()));
    assert_eq!(
        lines.0,
        ["HWF2008I 2026-09-21T14:18:20.000000Z filter rule= all suppressed_count= 3"]
    );
    // What was suppressed about a rule that goes is told, too.
    for _ in 0..5 {
        decide(
            &mut filter,
            &ipv4(6, &TCP),
            Meta::new(Point::LocalIn, at(300)),
            &mut Lines::default(),
        );
    }
    filter.install(Arc::new(RuleSet::new(vec![], 2)));
    let mut lines = Lines::default();
    filter.handle_deadline(&mut Cx::new(at(300), &mut lines, &mut ()));
    assert_eq!(
        lines.0,
        ["HWF2008I 2026-09-21T14:18:20.000000Z filter rule= all suppressed_count= 3"]
    );
}

#[test]
fn hits_stay_with_rules_that_stay() {
    let rule = |name: &str, port| {
        Rule::new(name, Action::Permit).upper(Upper::Ports {
            protocol: 6,
            source: port..=port,
            destination: 0..=65_535,
        })
    };
    let set = |rules| Arc::new(RuleSet::new(rules, 1));
    let mut filter = Filter::new(set(vec![rule("a", 1), rule("web", 80)]));
    let meta = Meta::new(Point::LocalIn, at(0));
    for _ in 0..3 {
        decide(&mut filter, &ipv4(6, &TCP), meta, &mut Lines::default());
    }
    decide(&mut filter, &ipv4(47, &[]), meta, &mut Lines::default());
    assert_eq!((filter.hits(), filter.implied_denies()), (&[0, 3][..], 1));
    filter.install(set(vec![rule("web", 80), rule("new", 9)]));
    assert_eq!(filter.hits(), [3, 0]);
    // The same name with another content is another rule.
    filter.install(set(vec![rule("web", 81)]));
    assert_eq!(filter.hits(), [0]);
}

#[test]
fn defensive_filters_have_theirs() {
    let mut defense = Defense::new();
    let mut lines = Lines::default();
    let stack = || Target::Stack("A".into());
    let config = [("A".into(), DefenseConfig::default())].into();
    defense
        .handle(Request::Refresh(config), at(0), &mut lines)
        .unwrap();
    let source: AddressSpec = "10.0.0.0/24".parse().unwrap();
    let filter = DefensiveFilter::new("scan")
        .source(source)
        .upper(Upper::tcp(80..=81))
        .log(true, Some(1));
    let requests = [
        Request::Add {
            target: stack(),
            filter,
        },
        Request::Update {
            target: stack(),
            selection: Selection::name("scan"),
            changes: Changes::default().lifetime(5).mode(DefensiveMode::Simulate),
        },
    ];
    for request in requests {
        defense.handle(request, at(0), &mut lines).unwrap();
    }
    let mut worker = Filter::new(Arc::new(RuleSet::new(
        vec![Rule::new("all", Action::Permit)],
        1,
    )));
    worker.install_defensive(defense.table("A").unwrap(), at(0), &mut lines);
    for _ in 0..3 {
        decide(
            &mut worker,
            &ipv4(6, &TCP),
            Meta::new(Point::LocalIn, at(0)),
            &mut lines,
        );
    }
    worker.handle_deadline(&mut Cx::new(at(300), &mut lines, &mut ()));
    defense.handle_deadline(at(300), &mut lines);
    assert_eq!(
        lines.0,
        [
            "EZD1723I 2026-09-21T14:13:20.000000Z filter rule= scan ext= 1 sipaddr= 10.0.0.0/24 dipaddr= ALL proto= TCP(6) sport= ALL dport= 80-81 fragmentsonly= no dir= inbound routing= local mode= block log= yes lifetime= 30 userid= N/A global= no loglimit= 1",
            "EZD1724I 2026-09-21T14:13:20.000000Z filter rule= scan ext= 1 sipaddr= 10.0.0.0/24 dipaddr= ALL proto= TCP(6) sport= ALL dport= 80-81 fragmentsonly= no dir= inbound routing= local mode= simulate log= yes lifetime= 5 userid= N/A global= no loglimit= 1",
            "EZD1722I 2026-09-21T14:13:20.000000Z filter rule= scan ext= 1 sipaddr= 10.0.0.9 dipaddr= 192.0.2.1 proto= TCP(6) sport= 49152 dport= 80 Interface= * ( I ) secclass= 0 dest= local len= 40 ifcname= * fragment= N",
            "EZD0838I 2026-09-21T14:18:20.000000Z filter_rule= scan filter_ext= 1 filter_sipaddr= 10.0.0.0/24 filter_dipaddr= ALL filter_proto= TCP(6) sport= ALL dport= 80-81 filter_fragmentsonly= no filter_dir= inbound filter_routing= local suppressed_count= 2",
            "EZD1726I 2026-09-21T14:18:20.000000Z filter rule= scan ext= 1 sipaddr= 10.0.0.0/24 dipaddr= ALL proto= TCP(6) sport= ALL dport= 80-81 fragmentsonly= no dir= inbound routing= local mode= simulate log= yes lifetime= 5 userid= N/A global= no loglimit= 1",
        ]
    );
}
