//! What an attacker sends, and what must not come of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use std::sync::Arc;

use hostward::filter::defensive::{Defense, DefenseConfig, DefensiveFilter, Request, Target};
use hostward::filter::{
    Action, DEFENSIVE_BLOCKED, Filter, NOT_THROUGH_TUNNEL, Rule, RuleSet, Settings, Tunnels,
    UNEXPECTED_TUNNEL, Upper,
};
use hostward::hook::action::Cx;
use hostward::hook::event::{Class, EventQueue, OwnedValue};
use hostward::hook::flow::{FlowConfig, FlowState, HashKey};
use hostward::hook::frame::VecFrame;
use hostward::hook::ident::{RuleId, SaId, TunnelId};
use hostward::hook::reason::NESTING_TOO_DEEP;
use hostward::hook::{
    FrameBuf, Instant, Layout, Meta, Now, Opened, Packet, PacketTransform, Point, Timers, UnixTime,
    Verdict,
};
use hostward::zert::Zert;
use hostward::{Guard, GuardConfig, ids::Ids};
use support::{End, conversation, fragments, tcp};

const CLIENT: End = ([10, 0, 0, 9], 40_000);
const SERVER: End = ([192, 0, 2, 1], 80);

fn at(ms: u64) -> Now {
    Now::new(Instant::from_millis(ms), UnixTime::from_secs(1_700_000_000))
}

fn meta(packet: &[u8], now: Now) -> Meta {
    let out = packet.get(12..16) == Some(&SERVER.0);
    Meta::new(if out { Point::LocalOut } else { Point::LocalIn }, now)
}

fn frame(packet: &[u8]) -> VecFrame {
    let mut f = VecFrame::new(32, 65_535);
    f.set(packet);
    f
}

/// Permits the server's port 80 and nothing else.
fn web() -> Filter {
    let web = Rule::new("web", Action::Permit).upper(Upper::Ports {
        protocol: 6,
        source: 80..=80,
        destination: 0..=u16::MAX,
    });
    Filter::new(Arc::new(RuleSet::new(vec![web], 1)))
}

fn config() -> GuardConfig {
    GuardConfig {
        flows: FlowConfig {
            capacity: 256,
            ..FlowConfig::default()
        },
        ..GuardConfig::default()
    }
}

fn judge<T: PacketTransform>(g: &mut Guard<T>, packet: &[u8], ms: u64) -> Verdict {
    g.packet(&mut frame(packet), meta(packet, at(ms)), &mut ())
}

fn only_state(g: &Guard) -> Option<FlowState> {
    let mut ids = g.flows().ids();
    let id = ids.next()?;
    assert!(ids.next().is_none());
    g.flows().state(id)
}

/// RFC 5961 section 3: resets that the server ignores. What the client then sends is observed.
#[test]
fn ignored_resets_do_not_blind_the_observers() {
    let all = conversation(CLIENT, SERVER, b"SSH-2.0-hidden\r\n", b"SSH-2.0-found\r\n");
    let tricks: [Vec<Vec<u8>>; 4] = [
        vec![tcp(CLIENT, SERVER, "R", 1000, 0, b"")],
        vec![
            tcp(CLIENT, SERVER, "A", 1001 + (1 << 29), 5001, b"x"),
            tcp(CLIENT, SERVER, "R", 1002 + (1 << 29), 0, b""),
        ],
        vec![
            tcp(CLIENT, SERVER, "A", 1101, 5001, b"x"),
            tcp(CLIENT, SERVER, "R", 1102, 0, b""),
        ],
        vec![
            tcp(CLIENT, SERVER, "FA", 1001 + (1 << 29), 5001, b""),
            tcp(CLIENT, SERVER, "R", 1002 + (1 << 29), 0, b""),
        ],
    ];
    for (n, trick) in tricks.iter().enumerate() {
        let mut g = Guard::new(config(), HashKey::new([3; 16])).zert(Zert::default());
        let mut events = EventQueue::new(100);
        let packets = all[..3].iter().chain(trick).chain(&all[3..]);
        for (i, p) in packets.enumerate() {
            let _ = g.packet(&mut frame(p), meta(p, at(i as u64)), &mut events);
        }
        g.finish(at(1_000), &mut events);
        let records: Vec<_> = events.iter().filter(|e| e.class == Class::Record).collect();
        assert_eq!(records.len(), 1, "trick {n}");
        assert_eq!(
            records[0].field("proto"),
            Some(&OwnedValue::Str("ssh".into())),
            "trick {n}"
        );
    }
}

/// A reset with the right number may still be ignored, for an option the receiver does not like.
/// A connection that goes on is seen going on.
#[test]
fn a_connection_that_survives_its_reset_is_followed_again() {
    let all = conversation(
        CLIENT,
        SERVER,
        b"GET / HTTP/1.0\r\n\r\n",
        b"HTTP/1.0 200\r\n",
    );
    let mut g = Guard::new(config(), HashKey::new([3; 16])).zert(Zert::default());
    for p in &all[..3] {
        let _ = judge(&mut g, p, 0);
    }
    let _ = judge(&mut g, &tcp(CLIENT, SERVER, "R", 1001, 0, b""), 1);
    assert_eq!(only_state(&g), Some(FlowState::Reset));
    // On its way when the reset came: no new connection.
    let _ = judge(&mut g, &tcp(SERVER, CLIENT, "A", 5001, 1001, b"late"), 1);
    assert_eq!(only_state(&g), Some(FlowState::Reset));
    let _ = judge(&mut g, &all[3], 2);
    assert_eq!(only_state(&g), Some(FlowState::Established));
    let id = g.flows().ids().next().unwrap();
    let info = g.flows().info(id).unwrap();
    assert_eq!((info.midstream, info.key.destination_port()), (true, 80));
}

#[test]
fn refused_packets_change_no_flow() {
    // The rules change under a connection that was permitted.
    let mut g = Guard::new(config(), HashKey::new([3; 16]))
        .filter(web())
        .zert(Zert::default());
    let all = conversation(CLIENT, SERVER, b"GET", b"200");
    for p in &all[..3] {
        assert_eq!(judge(&mut g, p, 0), Verdict::Continue);
    }
    let id = g.flows().ids().next().unwrap();
    let before = format!("{:?}", g.flows().info(id));
    *g.filter_mut().unwrap() = Filter::new(Arc::new(RuleSet::new(vec![], 2)));
    for p in [
        tcp(CLIENT, SERVER, "R", 1001, 0, b""),
        tcp(CLIENT, SERVER, "FA", 1001, 5001, b""),
        tcp(CLIENT, SERVER, "S", 77, 0, b""),
        tcp(SERVER, CLIENT, "SA", 9, 78, b""),
        tcp(CLIENT, SERVER, "A", 1001, 5001, b"data"),
    ] {
        assert!(judge(&mut g, &p, 5).is_refused());
    }
    // Not even after its time: only a permitted packet ends a flow.
    assert!(judge(&mut g, &all[3], 9_000_000).is_refused());
    assert_eq!(format!("{:?}", g.flows().info(id)), before);
    // A refused SYN has left nothing that an answer could complete.
    *g.filter_mut().unwrap() = web();
    let _ = judge(&mut g, &tcp(SERVER, CLIENT, "SA", 9, 78, b""), 6);
    assert_eq!(only_state(&g), Some(FlowState::Established));
    assert!(g.flows().contains(id));
}

#[test]
fn segments_without_a_whole_header_change_no_flow() {
    let mut g = Guard::new(config(), HashKey::new([3; 16])).zert(Zert::default());
    let all = conversation(CLIENT, SERVER, b"GET", b"200");
    let mut broken = tcp(SERVER, CLIENT, "RA", 5001, 1001, b"");
    broken[32] = 0x20; // a data offset of eight bytes
    let _ = judge(&mut g, &broken, 0);
    assert!(g.flows().is_empty());
    for p in &all[..3] {
        let _ = judge(&mut g, p, 0);
    }
    let _ = judge(&mut g, &broken, 1);
    let _ = judge(&mut g, &broken[..30], 1);
    assert_eq!(only_state(&g), Some(FlowState::Established));
}

/// Opens by taking four bytes of a made-up header off; 0 in the first one says "not mine".
struct Peel;

impl Timers for Peel {}

impl PacketTransform for Peel {
    fn max_overhead(&self) -> usize {
        4
    }

    fn wants_open(&self, packet: &Packet<'_>) -> bool {
        packet.layout().protocol() == 50
    }

    fn select(
        &mut self,
        _: &mut Cx<'_>,
        _: &Packet<'_>,
        tunnel: TunnelId,
        rule: RuleId,
    ) -> Result<SaId, Verdict> {
        Err(Verdict::Protect { tunnel, rule })
    }

    fn seal(&mut self, _: &mut Cx<'_>, _: SaId, _: &mut dyn FrameBuf) -> Verdict {
        Verdict::Continue
    }

    fn open(
        &mut self,
        _: &mut Cx<'_>,
        _: &Layout,
        frame: &mut dyn FrameBuf,
    ) -> Result<Opened, Verdict> {
        let inner = frame.bytes()[20..].to_vec();
        if inner[..4] == [0; 4] {
            return Err(Verdict::Continue);
        }
        frame.replace(&inner[4..]).unwrap();
        Ok(Opened::new(SaId(1)))
    }
}

/// What [`Peel`] opens is a tunnel of the host's own, of which rules say nothing.
#[derive(Debug)]
struct Aside;

impl Tunnels for Aside {
    fn tunnel_of(&self, _: SaId) -> Option<TunnelId> {
        None
    }

    fn concerns_rules(&self, _: SaId) -> bool {
        false
    }
}

/// What [`Peel`] opens came through tunnel 0.
#[derive(Debug)]
struct Zero;

impl Tunnels for Zero {
    fn tunnel_of(&self, sa: SaId) -> Option<TunnelId> {
        (sa == SaId(1)).then_some(TunnelId(0))
    }
}

fn wrap(inner: &[u8], mine: u8) -> Vec<u8> {
    let mut p = tcp(CLIENT, SERVER, "S", 1, 0, b"");
    p.truncate(20);
    p[9] = 50;
    p.extend([mine; 4]);
    p.extend(inner);
    let length = p.len() as u16;
    p[2..4].copy_from_slice(&length.to_be_bytes());
    support::fix_checksum(&mut p);
    p
}

#[test]
fn what_is_not_opened_is_judged_as_it_stands() {
    let mut g = Guard::with_ipsec(config(), HashKey::new([3; 16]), Peel)
        .filter(web().tunnels(Arc::new(Aside)));
    let syn = tcp(CLIENT, SERVER, "S", 1, 0, b"");
    assert!(
        judge(&mut g, &wrap(&syn, 0), 0).is_refused(),
        "no rule permits it"
    );
    assert_eq!(judge(&mut g, &wrap(&syn, 1), 0), Verdict::Continue);
    let mut deep = syn;
    for _ in 0..4 {
        deep = wrap(&deep, 1);
    }
    assert_eq!(judge(&mut g, &deep, 0), Verdict::Continue);
    assert_eq!(
        judge(&mut g, &wrap(&deep, 1), 0),
        Verdict::Drop(NESTING_TOO_DEEP)
    );
}

/// Frames that change on their way, fragments that complete, flows that give way and times that
/// jump: a batch is still the packets one by one.
#[test]
fn a_batch_equals_its_packets_whatever_happens_inside() {
    arbtest::arbtest(|u| {
        let guard = || {
            let config = GuardConfig {
                flows: FlowConfig {
                    capacity: 8,
                    ..FlowConfig::default()
                },
                ..GuardConfig::default()
            };
            Guard::with_ipsec(config, HashKey::new([3; 16]), Peel)
                .filter(web().tunnels(Arc::new(Aside)))
                .ids(Ids::default())
                .zert(Zert::default())
        };
        let mut packets: Vec<(Vec<u8>, u64)> = Vec::new();
        let mut ms = 1_000_000_u64;
        while packets.len() < 80 && !u.is_empty() {
            let client = ([10, 0, 0, 9], 40_000 + u.int_in_range(0..=12)?);
            let server = (SERVER.0, *u.choose(&[80, 80, 80, 22])?);
            let all = conversation(client, server, b"GET", b"200");
            let mut p = all[u.int_in_range(0..=all.len() - 1)?].clone();
            if u.ratio(1, 4)? {
                p = wrap(&p, u.int_in_range(0..=1)?);
            }
            if u.ratio(1, 8)? {
                ms = ms.wrapping_add_signed(*u.choose(&[
                    9_000_000,
                    -900_000,
                    40_000,
                    u32::MAX as i64,
                ])?);
            }
            if u.ratio(1, 4)? {
                let parts = fragments(&p, u.int_in_range(0..=3)?, 16);
                packets.extend(parts.into_iter().map(|p| (p, ms)));
            } else {
                packets.push((p, ms));
            }
        }
        let metas: Vec<_> = packets.iter().map(|(p, ms)| meta(p, at(*ms))).collect();
        let (mut one, mut many) = (guard(), guard());
        let (mut events_one, mut events_many) = (EventQueue::new(500), EventQueue::new(500));
        let mut frames_one: Vec<_> = packets.iter().map(|(p, _)| frame(p)).collect();
        let mut frames_many = frames_one.clone();
        let single: Vec<_> = frames_one
            .iter_mut()
            .zip(&metas)
            .map(|(f, m)| one.packet(f, *m, &mut events_one))
            .collect();
        let mut batched = vec![Verdict::Continue; packets.len()];
        many.batch(&mut frames_many, &metas, &mut batched, &mut events_many);
        assert_eq!(single, batched);
        assert!(events_one.iter().eq(events_many.iter()));
        for (a, b) in frames_one.iter().zip(&frames_many) {
            assert_eq!(a.bytes(), b.bytes());
        }
        let c = one.counters();
        assert_eq!(format!("{c:?}"), format!("{:?}", many.counters()));
        assert_eq!(c.packets, c.delivered + c.refused + c.consumed + c.diverted);
        assert_eq!(
            c.refused,
            c.reasons().map(|(_, n)| n).sum::<u64>() + c.other_reasons()
        );
        Ok(())
    })
    .budget_ms(4_000);
}

#[test]
fn with_pre_decap_protected_packets_are_filtered_before_they_are_opened() {
    let rules = |esp: bool, pre_decap: bool| {
        let web = Action::Ipsec(TunnelId(0));
        let mut rules = vec![Rule::new("web", web).upper(Upper::Protocol(6))];
        if esp {
            rules.push(Rule::new("esp", Action::Permit).upper(Upper::Protocol(50)));
        }
        let mut settings = Settings::default();
        settings.pre_decap = pre_decap;
        let set = RuleSet::new(rules, 1).with_settings(settings);
        Filter::new(Arc::new(set)).tunnels(Arc::new(Zero))
    };
    let syn = tcp(CLIENT, SERVER, "S", 1, 0, b"");
    for (esp, pre_decap, passes) in [
        (false, false, true),
        (false, true, false),
        (true, true, true),
    ] {
        let mut g =
            Guard::with_ipsec(config(), HashKey::new([3; 16]), Peel).filter(rules(esp, pre_decap));
        let verdict = judge(&mut g, &wrap(&syn, 1), 0);
        assert_eq!(verdict.is_continue(), passes, "{esp} {pre_decap}");
        // Inside another tunnel the same.
        let verdict = judge(&mut g, &wrap(&wrap(&syn, 1), 1), 0);
        assert_eq!(verdict.is_continue(), passes, "{esp} {pre_decap}");
    }
}

// RFC 4301 §5.2: what was opened has to match a rule that demands that tunnel, and only that.
#[test]
fn what_was_opened_meets_rules_for_tunnels_only() {
    let syn = tcp(CLIENT, SERVER, "S", 1, 0, b"");
    for (action, clear, opened) in [
        (
            Action::Permit,
            Verdict::Continue,
            Verdict::Drop(UNEXPECTED_TUNNEL),
        ),
        (
            Action::Ipsec(TunnelId(0)),
            Verdict::Drop(NOT_THROUGH_TUNNEL),
            Verdict::Continue,
        ),
        (
            Action::Ipsec(TunnelId(1)),
            Verdict::Drop(NOT_THROUGH_TUNNEL),
            Verdict::Drop(NOT_THROUGH_TUNNEL),
        ),
    ] {
        let set = Arc::new(RuleSet::new(vec![Rule::new("r", action)], 1));
        let mut g = Guard::with_ipsec(config(), HashKey::new([3; 16]), Peel)
            .filter(Filter::new(set).tunnels(Arc::new(Zero)));
        // In turn, so that each meets a flow that the other made, if it made one.
        for _ in 0..3 {
            assert_eq!(judge(&mut g, &syn, 0), clear, "{action:?}");
            assert_eq!(judge(&mut g, &wrap(&syn, 1), 0), opened, "{action:?}");
        }
    }
}

/// Whom a defensive filter blocks does not make the host open packets.
#[test]
fn defensive_filters_meet_protected_packets() {
    let mut defense = Defense::new();
    let configs = [("A".into(), DefenseConfig::default())].into();
    let add = Request::Add {
        target: Target::Stack("A".into()),
        filter: DefensiveFilter::new("f").source("10.0.0.9".parse().unwrap()),
    };
    for request in [Request::Refresh(configs), add] {
        defense.handle(request, at(0), &mut ()).unwrap();
    }
    let mut filter = web();
    filter.install_defensive(defense.table("A").unwrap(), at(0), &mut ());
    let mut g = Guard::with_ipsec(config(), HashKey::new([3; 16]), Peel).filter(filter);
    // Opened, it would come from somebody else.
    let mut inner = tcp(([10, 0, 0, 8], 9), SERVER, "S", 1, 0, b"");
    support::fix_checksum(&mut inner);
    let verdict = judge(&mut g, &wrap(&inner, 1), 0);
    assert_eq!(verdict, Verdict::Drop(DEFENSIVE_BLOCKED));
}

/// A datagram of which a part came through a tunnel and a part did not is none.
#[test]
fn clear_fragments_do_not_complete_what_came_through_a_tunnel() {
    let rule = Rule::new("vpn", Action::Ipsec(TunnelId(0)));
    let set = Arc::new(RuleSet::new(vec![rule], 1));
    let mut g = Guard::with_ipsec(config(), HashKey::new([3; 16]), Peel)
        .filter(Filter::new(set).tunnels(Arc::new(Zero)));
    let whole = support::udp(CLIENT, SERVER, &[7; 64]);
    let [first, last] = &fragments(&whole, 9, 40)[..] else {
        panic!("two parts")
    };
    assert_eq!(judge(&mut g, first, 0), Verdict::Consumed);
    assert_eq!(judge(&mut g, &wrap(last, 1), 0), Verdict::Consumed);
    assert_eq!(judge(&mut g, &wrap(first, 1), 0), Verdict::Continue);
    assert_eq!(judge(&mut g, last, 0), Verdict::Drop(NOT_THROUGH_TUNNEL));
}
