//! The pass through all controls.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use std::sync::Arc;

use hostward::filter::{
    Action, AddressSpec, DENIED, Filter, IMPLIED_DENY, Logging, Rule, RuleRouting, RuleSet, Upper,
};
use hostward::hook::event::{Class, EventQueue, OwnedEvent, OwnedValue};
use hostward::hook::flow::{FlowConfig, HashKey};
use hostward::hook::frame::VecFrame;
use hostward::hook::hooks::Interest;
use hostward::hook::meta::Routing;
use hostward::hook::reason::{FRAGMENT_OVERLAP, NOT_IP};
use hostward::hook::{Control, FlowKey, FrameBuf, Instant, Meta, Now, Point, UnixTime, Verdict};
use hostward::ids::Ids;
use hostward::zert::{Datagrams, Zert};
use hostward::{Guard, GuardConfig, Mode};
use support::{End, conversation, fix_checksum, fragments, tcp, udp};

const CLIENT: End = ([10, 0, 0, 9], 40_000);
const SERVER: End = ([192, 0, 2, 1], 80);

fn at(ms: u64) -> Now {
    Now::new(Instant::from_millis(ms), UnixTime::from_secs(1_700_000_000))
}

fn rules() -> Arc<RuleSet> {
    let server: AddressSpec = "192.0.2.1".parse().unwrap();
    let web = Rule::new("web", Action::Permit)
        .source(server)
        .upper(Upper::Ports {
            protocol: 6,
            source: 80..=80,
            destination: 0..=u16::MAX,
        });
    let dns = Rule::new("dns", Action::Permit).upper(Upper::Protocol(17));
    let mut rest = Rule::new("rest", Action::Deny);
    rest.logging = Logging::Yes;
    Arc::new(RuleSet::new(vec![web, dns, rest], 7))
}

fn guard(mode: Mode) -> Guard {
    let config = GuardConfig {
        mode,
        flows: FlowConfig {
            capacity: 256,
            ..FlowConfig::default()
        },
        ..GuardConfig::default()
    };
    Guard::new(config, HashKey::new([3; 16]))
        .filter(Filter::new(rules()))
        .ids(Ids::default())
        .zert(Zert::default())
}

/// Inbound unless the server sends.
fn meta(packet: &[u8], now: Now) -> Meta {
    let out = packet.get(12..16) == Some(&SERVER.0);
    Meta::new(if out { Point::LocalOut } else { Point::LocalIn }, now)
}

fn frame(packet: &[u8]) -> VecFrame {
    let mut f = VecFrame::new(32, 65_535);
    f.set(packet);
    f
}

fn run(guard: &mut Guard, packets: &[Vec<u8>], events: &mut EventQueue) -> Vec<Verdict> {
    packets
        .iter()
        .enumerate()
        .map(|(i, p)| guard.packet(&mut frame(p), meta(p, at(i as u64)), events))
        .collect()
}

fn records(events: &EventQueue) -> Vec<&OwnedEvent> {
    events.iter().filter(|e| e.class == Class::Record).collect()
}

fn text<'e>(event: &'e OwnedEvent, field: &str) -> Option<&'e str> {
    match event.field(field) {
        Some(OwnedValue::Str(s)) => Some(s),
        _ => None,
    }
}

#[test]
fn a_clear_text_connection_passes_and_is_recorded_at_its_end() {
    let mut guard = guard(Mode::Enforce);
    let mut events = EventQueue::new(100);
    let packets = conversation(
        CLIENT,
        SERVER,
        b"GET / HTTP/1.0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
    );
    let verdicts = run(&mut guard, &packets, &mut events);
    assert!(verdicts.iter().all(|v| v.is_continue()), "{verdicts:?}");
    let told = records(&events);
    assert_eq!(told.len(), 1);
    assert_eq!(text(told[0], "proto"), Some("none"));
    assert_eq!(told[0].field("packets"), Some(&OwnedValue::U64(8)));
    guard.finish(at(100), &mut events);
    assert_eq!(records(&events).len(), 1, "one record a connection");
    assert_eq!(guard.counters().delivered, 8);
}

#[test]
fn a_denied_packet_leaves_no_trace_but_its_event() {
    let ssh = (SERVER.0, 22);
    let packets = conversation(CLIENT, ssh, b"SSH-2.0-x\r\n", b"SSH-2.0-y\r\n");
    let mut events = EventQueue::new(100);
    let mut g = guard(Mode::Enforce);
    let verdicts = run(&mut g, &packets, &mut events);
    assert!(verdicts.iter().all(|v| v.is_refused()));
    assert!(g.flows().is_empty());
    assert_eq!(g.counters().control(Control::Filter), 8);
    assert_eq!(
        events
            .iter()
            .filter(|e| text(e, "rule") == Some("rest"))
            .count(),
        8
    );
    assert!(events.iter().all(|e| e.generation == 7));
    g.finish(at(100), &mut events);
    assert!(records(&events).is_empty());

    // Observing tells the same and hides nothing from the record.
    let mut g = guard(Mode::Observe);
    let mut events = EventQueue::new(100);
    assert_eq!(run(&mut g, &packets, &mut events), verdicts);
    g.finish(at(100), &mut events);
    assert_eq!(records(&events).len(), 1);
    assert_eq!(text(records(&events)[0], "proto"), Some("ssh"));
}

#[test]
fn malformed_packets_end_before_anything_trusts_them() {
    let mut guard = guard(Mode::Enforce);
    let mut events = EventQueue::new(100);
    let good = tcp(CLIENT, SERVER, "S", 1, 0, b"");
    let mut land = tcp(SERVER, SERVER, "S", 1, 0, b"");
    fix_checksum(&mut land);
    let mut checksum = good.clone();
    checksum[10] ^= 1;
    let mut flags = good.clone();
    flags[33] = 0x03;
    let packets = [
        vec![],
        vec![0x45; 10],
        good[..30].to_vec(),
        tcp(CLIENT, SERVER, "SF", 1, 0, b""),
        checksum,
        flags,
        tcp(([127, 0, 0, 1], 5), SERVER, "S", 1, 0, b""),
    ];
    for p in packets {
        let meta = Meta::new(Point::Ingress, at(0));
        let verdict = guard.packet(&mut frame(&p), meta, &mut events);
        assert!(verdict.is_refused(), "{p:02x?}");
    }
    assert!(guard.flows().is_empty());
    assert_eq!(guard.counters().control(Control::Ids), 7);
    let meta = Meta::new(Point::Ingress, at(0));
    assert!(
        guard
            .packet(&mut frame(&land), meta, &mut events)
            .is_refused()
    );
    assert!(events.iter().any(|e| text(e, "name") == Some("land")));
}

#[test]
fn what_is_no_ip_is_refused_without_intrusion_detection_too() {
    let mut guard = Guard::new(GuardConfig::default(), HashKey::new([0; 16]));
    let meta = Meta::new(Point::Ingress, at(0));
    for bytes in [&[][..], &[0x70; 60], &[0x45, 0, 0]] {
        assert_eq!(
            guard.packet(&mut frame(bytes), meta, &mut ()),
            Verdict::Drop(NOT_IP)
        );
    }
}

#[test]
fn fragments_are_judged_as_the_datagram_they_make() {
    let mut guard = guard(Mode::Enforce);
    let whole = tcp(CLIENT, (SERVER.0, 23), "S", 1, 0, &[7; 100]);
    let verdicts = run(
        &mut guard,
        &fragments(&whole, 9, 40),
        &mut EventQueue::new(10),
    );
    assert_eq!(verdicts[..2], [Verdict::Consumed; 2]);
    assert!(
        verdicts[2].is_refused(),
        "the datagram goes to a denied port"
    );

    let query = udp(CLIENT, (SERVER.0, 53), &[7; 100]);
    let parts = fragments(&query, 10, 48);
    for (i, part) in parts.iter().enumerate() {
        let mut f = frame(part);
        let verdict = guard.packet(&mut f, meta(part, at(1)), &mut ());
        if i + 1 < parts.len() {
            assert_eq!(verdict, Verdict::Consumed);
        } else {
            assert_eq!(verdict, Verdict::Continue);
            assert_eq!(
                f.bytes()[20..],
                query[20..],
                "the frame holds the whole datagram"
            );
        }
    }
    // RFC 5722: overlapping fragments end the datagram, whatever they carry.
    let mut parts = fragments(&query, 11, 48);
    parts[1][7] = 3; // offset 24, inside the first fragment
    fix_checksum(&mut parts[1]);
    let verdicts = run(&mut guard, &parts, &mut EventQueue::new(10));
    assert_eq!(verdicts[1], Verdict::Drop(FRAGMENT_OVERLAP));
    assert!(verdicts[2].is_refused());
}

#[test]
fn a_deny_for_fragments_meets_them_before_they_are_put_together() {
    let no_fragments = Rule::new("no fragments", Action::Deny).fragments_only();
    let rules = vec![no_fragments, Rule::new("all", Action::Permit)];
    for (mode, last) in [
        (Mode::Enforce, Verdict::Drop(DENIED)),
        (Mode::Observe, Verdict::Drop(DENIED)),
    ] {
        let config = GuardConfig {
            mode,
            ..GuardConfig::default()
        };
        let mut guard = Guard::new(config, HashKey::new([3; 16]))
            .filter(Filter::new(Arc::new(RuleSet::new(rules.clone(), 1))));
        let whole = udp(CLIENT, (SERVER.0, 53), &[7; 100]);
        let parts = fragments(&whole, 9, 48);
        for part in &parts {
            let verdict = guard.packet(&mut frame(part), meta(part, at(1)), &mut ());
            assert_eq!(verdict, last, "{mode:?}");
            assert_eq!(guard.last_rule(), Some(hostward::hook::ident::RuleId(0)));
        }
        let verdict = guard.packet(&mut frame(&whole), meta(&whole, at(2)), &mut ());
        assert_eq!(verdict, Verdict::Continue);
    }
}

// Routed fragments are passed on as they came, so each is judged by what it shows: only the first
// has ports, and a rule that asks for ports matches no other.
#[test]
fn fragments_that_are_forwarded_are_judged_one_by_one() {
    let either = |rule: Rule| rule.routing(RuleRouting::Either);
    let permit = |name: &str| either(Rule::new(name, Action::Permit));
    let query = udp(CLIENT, (SERVER.0, 53), &[7; 100]);
    let parts = fragments(&query, 10, 48);
    let (no, ok) = (Verdict::Drop(IMPLIED_DENY), Verdict::Continue);
    let deny = Verdict::Drop(DENIED);
    let port = Upper::udp(53..=53);
    let fragments_only = either(Rule::new("f", Action::Deny).fragments_only());
    for (rules, wanted) in [
        (vec![permit("all")], [ok, ok, ok]),
        (
            vec![permit("udp").upper(Upper::udp(0..=65_535))],
            [ok, ok, ok],
        ),
        // The classifier takes such rules, though the policy language does not.
        (vec![permit("dns").upper(port.clone())], [ok, no, no]),
        (
            vec![
                either(Rule::new("dns", Action::Deny).upper(port)),
                permit("all"),
            ],
            [deny, ok, ok],
        ),
        (vec![fragments_only.clone(), permit("all")], [deny; 3]),
        (vec![permit("all"), fragments_only], [ok, ok, ok]),
        (vec![Rule::new("local", Action::Permit)], [no, no, no]),
        (
            vec![permit("tcp").upper(Upper::tcp(0..=65_535))],
            [no, no, no],
        ),
    ] {
        let set = Arc::new(RuleSet::new(rules, 1));
        let mut g = Guard::new(GuardConfig::default(), HashKey::new([3; 16]))
            .filter(Filter::new(Arc::clone(&set)));
        let mut frames: Vec<_> = parts.iter().map(|p| frame(p)).collect();
        let meta = Meta::new(Point::Forward, at(1)).with_routing(Routing::Routed);
        let verdicts: Vec<_> = frames
            .iter_mut()
            .map(|f| g.packet(f, meta, &mut ()))
            .collect();
        assert_eq!(verdicts, wanted, "{set:?}");
        for (frame, part) in frames.iter().zip(&parts) {
            assert_eq!(frame.bytes(), part, "each goes on as it came");
        }
        assert_eq!(g.flows().len(), 0, "fragments show no flow");
    }
    // An IPv6 fragment behind which extension headers go on does not even show its protocol.
    let v6 = |more: u8, offset: u8| {
        let mut p = vec![0x60, 0, 0, 0, 0, 24, 44, 64];
        p.extend([0x20; 16]);
        p.extend([0x30; 16]);
        p.extend([60, 0, 0, offset << 3 | more, 0, 0, 0, 1]);
        p.extend([17, 0, 1, 4, 0, 0, 0, 0]);
        p.extend([0, 9, 0, 53, 0, 8, 0, 0]);
        p
    };
    for (upper, wanted) in [
        (Upper::udp(0..=65_535), [ok, no]),
        (Upper::Opaque, [no, ok]),
        (Upper::Any, [ok, ok]),
    ] {
        let set = Arc::new(RuleSet::new(vec![permit("r").upper(upper)], 1));
        let mut g =
            Guard::new(GuardConfig::default(), HashKey::new([3; 16])).filter(Filter::new(set));
        let meta = Meta::new(Point::Forward, at(1)).with_routing(Routing::Routed);
        let verdicts = [v6(1, 0), v6(0, 3)].map(|p| g.packet(&mut frame(&p), meta, &mut ()));
        assert_eq!(verdicts, wanted);
    }
}

/// The batch form equals the single form in verdicts, events, frames and counters.
#[test]
fn a_batch_is_the_packets_one_by_one() {
    arbtest::arbtest(|u| {
        let mut packets: Vec<Vec<u8>> = Vec::new();
        let mut queues: Vec<Vec<Vec<u8>>> = Vec::new();
        for i in 0..u.int_in_range(1..=6_u16)? {
            let client = ([10, 0, 0, u.int_in_range(1..=2)?], 40_000 + i % 3);
            let server = (SERVER.0, *u.choose(&[80, 80, 22, 443])?);
            let mut q = conversation(client, server, b"request", b"a longer response");
            if u.arbitrary()? {
                let at = u.int_in_range(0..=q.len() - 1)?;
                let parts = fragments(&q[at], i, 24);
                q.splice(at..=at, parts);
            }
            if u.arbitrary()? {
                let at = u.int_in_range(0..=q.len() - 1)?;
                let byte = u.int_in_range(0..=q[at].len() - 1)?;
                q[at][byte] ^= 1 << u.int_in_range(0..=7)?;
            }
            q.reverse();
            queues.push(q);
        }
        while !queues.is_empty() {
            let at = u.int_in_range(0..=queues.len() - 1)?;
            match queues[at].pop() {
                Some(p) => packets.push(p),
                None => drop(queues.remove(at)),
            }
        }
        let mode = if u.arbitrary()? {
            Mode::Enforce
        } else {
            Mode::Observe
        };
        let step = u.int_in_range(0..=20_000)?;
        let metas: Vec<Meta> = packets
            .iter()
            .enumerate()
            .map(|(i, p)| meta(p, at(i as u64 * step)))
            .collect();

        let (mut one, mut many) = (guard(mode), guard(mode));
        let (mut events_one, mut events_many) = (EventQueue::new(500), EventQueue::new(500));
        let mut frames_one: Vec<_> = packets.iter().map(|p| frame(p)).collect();
        let mut frames_many: Vec<_> = packets.iter().map(|p| frame(p)).collect();
        let single: Vec<_> = frames_one
            .iter_mut()
            .zip(&metas)
            .map(|(f, m)| one.packet(f, *m, &mut events_one))
            .collect();
        let mut batched = vec![Verdict::Continue; packets.len()];
        let mut from = 0;
        while from < packets.len() {
            let to = (from + u.int_in_range(1..=100)?).min(packets.len());
            many.batch(
                &mut frames_many[from..to],
                &metas[from..to],
                &mut batched[from..to],
                &mut events_many,
            );
            from = to;
        }
        one.finish(at(1_000_000), &mut events_one);
        many.finish(at(1_000_000), &mut events_many);
        assert_eq!(single, batched);
        let (a, b): (Vec<_>, Vec<_>) = (events_one.iter().collect(), events_many.iter().collect());
        assert_eq!(a, b);
        for (a, b) in frames_one.iter().zip(&frames_many) {
            assert_eq!(a.bytes(), b.bytes());
        }
        assert_eq!(
            format!("{:?}", one.counters()),
            format!("{:?}", many.counters())
        );
        Ok(())
    })
    .budget_ms(5_000);
}

/// A host with a TCP of its own feeds the observers itself.
#[test]
fn streams_from_the_host_are_recorded_like_reassembled_ones() {
    let config = GuardConfig {
        streams: None,
        ..GuardConfig::default()
    };
    let mut guard = Guard::new(config, HashKey::new([3; 16])).zert(Zert::default());
    let mut events = EventQueue::new(100);
    let packets = conversation(CLIENT, (SERVER.0, 22), b"ignored", b"ignored");
    run(&mut guard, &packets[..5], &mut events);
    let end = |e: End| std::net::SocketAddr::from(e);
    let to = FlowKey::new(end(CLIENT), end((SERVER.0, 22)), 6).unwrap();
    let from = to.reversed();
    guard.stream_bytes(&from, b"SSH-2.0-server\r\n", at(1), &mut events);
    guard.stream_bytes(&to, b"SSH-2.0-client\r\n", at(1), &mut events);
    guard.stream_finished(&to, at(2), &mut events);
    let nobody = FlowKey::new(end(CLIENT), end((SERVER.0, 23)), 6).unwrap();
    assert_eq!(
        guard.stream_bytes(&nobody, b"x", at(1), &mut events),
        Interest::Enough
    );
    guard.finish(at(3), &mut events);
    let told = records(&events);
    assert_eq!(told.len(), 1);
    assert_eq!(text(told[0], "client_version"), Some("SSH-2.0-client"));
    assert_eq!(text(told[0], "server_version"), Some("SSH-2.0-server"));
}

#[test]
fn time_ends_what_nobody_ends() {
    let mut guard = guard(Mode::Enforce);
    let mut events = EventQueue::new(100);
    let packets = conversation(CLIENT, SERVER, b"GET /", b"200");
    run(&mut guard, &packets[..4], &mut events);
    let whole = udp(CLIENT, (SERVER.0, 53), &[7; 100]);
    run(&mut guard, &fragments(&whole, 1, 48)[..1], &mut events);
    assert_eq!(guard.flows().len(), 1);
    let mut calls = 0;
    while let Some(next) = guard.next_deadline() {
        assert!(
            next < Instant::from_secs(8_000),
            "nothing is left to wait for"
        );
        let now = Now::new(next, UnixTime::EPOCH);
        guard.handle_deadline(now, &mut events);
        calls += 1;
        assert!(calls < 100_000);
    }
    assert!(guard.flows().is_empty());
    assert!(
        events.iter().any(|e| e.code.get() == 1102),
        "the incomplete datagram"
    );
    assert_eq!(records(&events).len(), 1);
}

#[test]
fn every_code_stands_once_and_belongs_to_its_control() {
    let mut seen = std::collections::BTreeMap::new();
    for info in hostward::codes() {
        assert!(info.code.control().is_some(), "{info:?}");
        assert!(
            !info.name.is_empty() && info.text.ends_with('.'),
            "{info:?}"
        );
        assert!(
            info.name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        );
        assert!(
            seen.insert(info.code, info).is_none(),
            "{} stands twice",
            info.code
        );
    }
    let mut names: Vec<_> = seen.values().map(|i| i.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "a name stands twice");
}

#[test]
fn datagrams_of_flows_and_packets_of_ipsec_have_records() {
    let mut guard = guard(Mode::Enforce).datagrams(Datagrams::default());
    let mut events = EventQueue::new(100);
    let mut first = vec![0; 148];
    first[..8].copy_from_slice(&[1, 0, 0, 0, 1, 2, 3, 4]);
    let mut answer = vec![0; 92];
    answer[..12].copy_from_slice(&[2, 0, 0, 0, 5, 6, 7, 8, 1, 2, 3, 4]);
    let esp = [&[0x11; 4][..], &[0; 60]].concat();
    let nat = |end: End| (end.0, 4500);
    let packets = [
        udp(CLIENT, SERVER, &first),
        udp(SERVER, CLIENT, &answer),
        // A flow of nothing that is known.
        udp(CLIENT, (SERVER.0, 53), b"query"),
        udp(nat(CLIENT), nat(SERVER), &esp),
    ];
    let verdicts = run(&mut guard, &packets, &mut events);
    assert!(verdicts.iter().all(|v| v.is_continue()));
    assert_eq!(guard.flows().insertions(), 2, "IPsec makes no flow");
    // Flows of UDP end when they are idle, and so do associations.
    let mut now = Instant::ZERO;
    for _ in 0..10_000 {
        let Some(next) = guard.next_deadline() else {
            break;
        };
        now = now.max(next);
        guard.handle_deadline(Now::new(now, UnixTime::EPOCH), &mut events);
    }
    let told = records(&events);
    let protocols: Vec<_> = told.iter().filter_map(|e| text(e, "proto")).collect();
    assert_eq!(protocols, ["wireguard", "esp"]);
    assert_eq!(told[0].field("packets"), Some(&OwnedValue::U64(2)));
    assert_eq!(told[0].key.map(|k| k.protocol()), Some(17));
    assert_eq!(text(told[1], "spi"), Some("0x11111111"));
    guard.finish(at(0), &mut events);
    assert_eq!(records(&events).len(), 2);
}

#[test]
fn what_the_filter_denies_is_not_recorded_beyond_tcp_either() {
    let mut guard = guard(Mode::Enforce).datagrams(Datagrams::default());
    let mut events = EventQueue::new(100);
    // The rules permit UDP and no ESP.
    let mut esp = udp(CLIENT, SERVER, &[0x11; 40]);
    esp[9] = 50;
    fix_checksum(&mut esp);
    let packets = [esp, udp((CLIENT.0, 4500), (SERVER.0, 4500), &[0x11; 40])];
    run(&mut guard, &packets, &mut events);
    guard.finish(at(10), &mut events);
    let told = records(&events);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].key.map(|k| k.protocol()), Some(17));
}
