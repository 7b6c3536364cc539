//! What lasts: floods, queues, stalls, traffic regulation; exact transitions, bounds, clocks that
//! jump.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

#[path = "../../hook/tests/packets/mod.rs"]
mod packets;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hostward_hook::action::{Action, ActionQueue, Cx};
use hostward_hook::event::{EventQueue, OwnedEvent, OwnedValue};
use hostward_hook::flow::FlowKey;
use hostward_hook::ident::{InterfaceId, JobId};
use hostward_hook::meta::{Checksums, Meta, Point};
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_hook::{Packet, PacketHook, Timers, Verdict};
use hostward_ids::codes::*;
use hostward_ids::detect::*;
use hostward_ids::policy::*;
use hostward_ids::{Config, Ids, Slot};
use packets::*;

fn ms(n: u64) -> Now {
    Now::from_wall(UnixTime::from_micros(n * 1000))
}

/// Detection with a clock, its events and its actions.
struct Rig {
    ids: Ids,
    now: u64,
    events: EventQueue,
    actions: ActionQueue<4096>,
}

impl Rig {
    fn new(config: Config) -> Self {
        config.policy.check().unwrap();
        Self {
            ids: Ids::new(config),
            now: 1_000_000,
            events: EventQueue::new(100_000),
            actions: ActionQueue::new(),
        }
    }

    fn of(rules: Vec<AttackRule>) -> Self {
        let policy = Policy {
            attacks: rules,
            ..Policy::none()
        };
        Self::new(Config {
            policy,
            ..Config::default()
        })
    }

    fn tr(rule: TcpRegulation) -> Self {
        let policy = Policy {
            tcp: vec![rule],
            ..Policy::none()
        };
        Self::new(Config {
            policy,
            ..Config::default()
        })
    }

    fn run<R>(&mut self, f: impl FnOnce(&mut Ids, &mut Cx<'_>) -> R) -> R {
        let mut cx = Cx::new(ms(self.now), &mut self.events, &mut self.actions);
        f(&mut self.ids, &mut cx)
    }

    fn codes(&mut self) -> Vec<u16> {
        let mut codes = Vec::new();
        while let Some(e) = self.events.pop() {
            codes.push(e.code.get());
        }
        codes
    }

    fn event(&mut self) -> OwnedEvent {
        self.events.pop().unwrap()
    }

    /// Lets time pass as a host with timers would.
    fn sleep(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(next) = self.ids.next_deadline() {
            if next.as_millis() > end {
                break;
            }
            self.now = self.now.max(next.as_millis() + 1);
            self.run(|ids, cx| ids.handle_deadline(cx));
        }
        self.now = end;
    }

    fn after(&mut self, bytes: &[u8], point: Point, slot: Option<&mut Slot>) -> Verdict {
        let meta = Meta::new(point, ms(self.now)).with_checksums(Checksums::Verified);
        let packet = Packet::parse(bytes, meta);
        self.run(|ids, cx| {
            let before = ids.before(cx, &packet);
            assert!(before.is_continue());
            ids.after(cx, &packet, slot, Verdict::Continue)
        })
    }
}

fn n(e: &OwnedEvent, name: &str) -> u64 {
    match e.field(name) {
        Some(OwnedValue::U64(n)) => *n,
        other => panic!("{name}: {other:?} in {e:?}"),
    }
}

/// A segment between a client and port 80 of 198.51.100.2.
fn segment(client: u32, port: u16, flags: u8, out: bool, numbers: (u32, u32)) -> Vec<u8> {
    let mut t = tcp(flags, &[], &[]);
    t[..2].copy_from_slice(&port.to_be_bytes());
    t[2..4].copy_from_slice(&80_u16.to_be_bytes());
    if out {
        t[..2].copy_from_slice(&80_u16.to_be_bytes());
        t[2..4].copy_from_slice(&port.to_be_bytes());
    }
    t[4..8].copy_from_slice(&numbers.0.to_be_bytes());
    t[8..12].copy_from_slice(&numbers.1.to_be_bytes());
    let mut p = v4(6, &[], &t);
    p[12..16].copy_from_slice(&client.to_be_bytes());
    if out {
        p[12..16].copy_from_slice(&[198, 51, 100, 2]);
        p[16..20].copy_from_slice(&client.to_be_bytes());
    }
    p
}

const SYN: u8 = 2;
const SYN_ACK: u8 = 0x12;
const ACK: u8 = 0x10;

fn flood() -> AttackRule {
    AttackRule::new(
        "flood",
        Attack::Flood {
            percentage: 10,
            minimum: 100,
        },
    )
}

fn server() -> (IpAddr, u16) {
    ("198.51.100.2".parse().unwrap(), 80)
}

/// A client that completes its handshake.
fn connect(rig: &mut Rig, client: u32, port: u16) -> (Verdict, Slot) {
    let mut slot = Slot::default();
    let _ = rig.after(
        &segment(client, port, SYN, false, (5, 0)),
        Point::LocalIn,
        None,
    );
    let answer = segment(client, port, SYN_ACK, true, (1000, 6));
    let _ = rig.after(&answer, Point::LocalOut, Some(&mut slot));
    let last = segment(client, port, ACK, false, (6, 1001));
    let verdict = rig.after(&last, Point::LocalIn, Some(&mut slot));
    (verdict, slot)
}

/// T-13: 20,000 SYNs from random sources: a flood that begins once and ends once.
#[test]
fn a_syn_flood_begins_and_ends_once() {
    let mut rig = Rig::of(vec![flood()]);
    let (address, port) = server();
    let mut source: u32 = 0x0b00_0001;
    for i in 0..20_000_u32 {
        source = source.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) | 0x0100_0000;
        let client = source & 0x3fff_ffff | 0x0100_0000;
        let mut slot = Slot::default();
        let _ = rig.after(
            &segment(client, 1024, SYN, false, (i, 0)),
            Point::LocalIn,
            None,
        );
        let _ = rig.after(
            &segment(client, 1024, SYN_ACK, true, (i, i + 1)),
            Point::LocalOut,
            Some(&mut slot),
        );
        if i % 10 == 0 {
            rig.now += 1;
        }
    }
    assert!(rig.ids.is_flooded(address, port));
    assert_eq!(
        rig.codes(),
        [ACCEPT_QUEUE_EXPANDED.get(), SYN_FLOOD_STARTED.get()]
    );
    // A genuine client meanwhile.
    let _ = connect(&mut rig, 0xc000_0263, 2000);
    rig.sleep(100_000);
    assert!(!rig.ids.is_flooded(address, port));
    let end = rig.event();
    assert_eq!(end.code, SYN_FLOOD_ENDED);
    assert!(n(&end, "syns") > 17_000 && n(&end, "first_acks") == 1);
    assert!(n(&end, "timed_out") > 17_000, "{end:?}");
    assert!((60..=90).contains(&n(&end, "duration")));
    assert_eq!(rig.codes(), []);
    assert_eq!(rig.ids.next_deadline(), None);
}

#[test]
fn an_office_that_comes_to_work_is_no_flood() {
    let mut rig = Rig::of(vec![flood()]);
    // Five hundred clients send their SYNs before the first handshake is complete.
    let mut slots = vec![Slot::default(); 500];
    for (i, slot) in (0_u16..).zip(&mut slots) {
        let _ = rig.after(
            &segment(0xc000_0207, 2000 + i, SYN, false, (5, 0)),
            Point::LocalIn,
            None,
        );
        let answer = segment(0xc000_0207, 2000 + i, SYN_ACK, true, (9, 6));
        let _ = rig.after(&answer, Point::LocalOut, Some(slot));
    }
    rig.now += 300;
    for (i, slot) in (0_u16..).zip(&mut slots) {
        let last = segment(0xc000_0207, 2000 + i, ACK, false, (6, 10));
        let _ = rig.after(&last, Point::LocalIn, Some(slot));
    }
    rig.sleep(100_000);
    assert_eq!(rig.codes(), []);
}

#[test]
fn who_did_not_see_the_answer_completes_nothing() {
    let mut rig = Rig::of(vec![flood()]);
    for i in 0..3000_u32 {
        let mut slot = Slot::default();
        let client = 0x0b00_0000 + i;
        let _ = rig.after(
            &segment(client, 9, SYN, false, (i, 0)),
            Point::LocalIn,
            None,
        );
        let _ = rig.after(
            &segment(client, 9, SYN_ACK, true, (0xaaaa_0000, i + 1)),
            Point::LocalOut,
            Some(&mut slot),
        );
        let _ = rig.after(
            &segment(client, 9, ACK, false, (i + 1, 77)),
            Point::LocalIn,
            Some(&mut slot),
        );
    }
    assert!(rig.codes().contains(&SYN_FLOOD_STARTED.get()));
}

#[test]
fn a_flood_that_nobody_answers_or_everybody_gives_up_is_one() {
    // A port of which nothing is known, 3,000 SYNs within a second.
    let mut rig = Rig::of(vec![flood()]);
    for i in 0..3000_u32 {
        let syn = segment(0x0b00_0000 + i, 9, SYN, false, (i, 0));
        let _ = rig.after(&syn, Point::LocalIn, None);
        rig.now = 1_000_000 + u64::from(i) / 3;
    }
    let begun = [ACCEPT_QUEUE_EXPANDED.get(), SYN_FLOOD_STARTED.get()];
    assert_eq!(rig.codes(), begun);
    rig.sleep(20_000);
    assert_eq!(rig.codes(), [SYN_FLOOD_ENDED.get()]);
    // The same with resets for every answer; and health checks that do so ten times a second.
    for (count, each, expected) in [(3000_u32, 0, true), (1000, 100, false)] {
        let mut rig = Rig::of(vec![flood()]);
        for i in 0..count {
            let mut slot = Slot::default();
            let client = 0x0b00_0000 + i;
            let syn = segment(client, 9, SYN, false, (i, 0));
            let _ = rig.after(&syn, Point::LocalIn, None);
            let answer = segment(client, 9, SYN_ACK, true, (7, i + 1));
            let _ = rig.after(&answer, Point::LocalOut, Some(&mut slot));
            let reset = segment(client, 9, 4, false, (i + 1, 0));
            let _ = rig.after(&reset, Point::LocalIn, Some(&mut slot));
            rig.now += each;
        }
        let codes = rig.codes();
        assert_eq!(codes == begun, expected, "{codes:?}");
        assert!(expected || codes.is_empty());
    }
    // A server that is down while its clients try again is not flooded.
    let mut rig = Rig::of(vec![flood()]);
    for i in 0..10_000_u32 {
        let syn = segment(0x0b00_0000 + i % 500, 9, SYN, false, (i, 0));
        let _ = rig.after(&syn, Point::LocalIn, None);
        rig.now += 10;
    }
    assert_eq!(rig.codes(), []);
}

/// 65,535 ports scanned within two seconds: the listening one is watched all the same.
#[test]
fn a_scan_leaves_room_for_those_that_listen() {
    let mut rig = Rig::of(vec![flood()]);
    for port in 1..=65_535_u16 {
        let mut syn = segment(0x0b00_0001, 9, SYN, false, (1, 0));
        syn[22..24].copy_from_slice(&port.to_be_bytes());
        let _ = rig.after(&syn, Point::LocalIn, None);
        rig.now = 1_000_000 + u64::from(port) / 32;
    }
    assert_eq!(rig.codes(), []);
    let _ = connect(&mut rig, 0xc000_0201, 1);
    for i in 0..3000 {
        let syn = segment(0x0b00_0000 + i, 9, SYN, false, (i, 0));
        let _ = rig.after(&syn, Point::LocalIn, None);
    }
    assert!(rig.ids.is_flooded(server().0, 80));
}

#[test]
fn a_small_queue_fills_soon() {
    let mut rig = Rig::of(vec![flood()]);
    let (address, port) = server();
    rig.run(|ids, cx| ids.tcp_backlog(cx, address, port, 10));
    // One a second: after twenty of more than three seconds the doubled queue is full.
    for i in 0..30_u32 {
        let _ = rig.after(
            &segment(0x0b00_0000 + i, 9, SYN, false, (i, 0)),
            Point::LocalIn,
            None,
        );
        rig.now += 1000;
    }
    assert_eq!(
        rig.codes(),
        [ACCEPT_QUEUE_EXPANDED.get(), SYN_FLOOD_STARTED.get()]
    );
    rig.run(|ids, _| ids.syns_discarded(address, port, 7));
    rig.sleep(200_000);
    assert_eq!(n(&rig.event(), "discarded"), 7);
}

#[test]
fn an_interface_is_flooded_by_number_and_share() {
    let id = InterfaceId(3);
    // 99 discards of 990: too few. 100 of 1,001: too small a share. 100 of 1,000: a flood.
    for (received, discarded, flooded) in [(891, 99, false), (901, 100, false), (900, 100, true)] {
        let mut rig = Rig::of(vec![flood()]);
        let good = v4(17, &[], &udp(b"x"));
        for _ in 0..received {
            let meta = Meta::new(Point::LocalIn, ms(rig.now))
                .with_interface(id)
                .with_checksums(Checksums::Verified);
            let v = rig.run(|ids, cx| ids.before(cx, &Packet::parse(&good, meta)));
            assert!(v.is_continue());
        }
        rig.run(|ids, cx| ids.interface_discards(cx, id, discarded, Discard::Storage));
        let codes = rig.codes();
        assert_eq!(
            codes == [INTERFACE_FLOOD_STARTED.get()],
            flooded,
            "{received} {codes:?}"
        );
        if !flooded {
            continue;
        }
        // Six percent in the next minute: still more than half. Then five: over.
        for (received, discarded) in [(9_400, 600), (9_500, 500)] {
            rig.now += 60_000;
            rig.run(|ids, cx| ids.handle_deadline(cx));
            for _ in 0..received {
                let meta = Meta::new(Point::LocalIn, ms(rig.now))
                    .with_interface(id)
                    .with_checksums(Checksums::Verified);
                let _ = rig.run(|ids, cx| ids.before(cx, &Packet::parse(&good, meta)));
            }
            rig.run(|ids, cx| ids.interface_discards(cx, id, discarded, Discard::Storage));
        }
        rig.sleep(60_001);
        let continues = INTERFACE_FLOOD_CONTINUES.get();
        let mut events = Vec::new();
        while let Some(e) = rig.events.pop() {
            events.push(e);
        }
        let codes: Vec<u16> = events.iter().map(|e| e.code.get()).collect();
        assert_eq!(codes, [continues, continues, INTERFACE_FLOOD_ENDED.get()]);
        let end = &events[2];
        assert_eq!(n(end, "discarded"), 1200);
        assert_eq!(
            end.field("category"),
            Some(&OwnedValue::Str("Storage".into()))
        );
        assert_eq!(rig.ids.next_deadline(), None);
    }
}

#[test]
fn what_the_filter_refuses_floods_an_interface() {
    let mut rig = Rig::of(vec![flood()]);
    let good = v4(17, &[], &udp(b"x"));
    for _ in 0..100 {
        let meta = Meta::new(Point::LocalIn, ms(rig.now)).with_checksums(Checksums::Verified);
        let packet = Packet::parse(&good, meta);
        let _ = rig.run(|ids, cx| ids.before(cx, &packet));
        let _ = rig.run(|ids, cx| ids.after(cx, &packet, None, Verdict::Drop(REDIRECT)));
    }
    let e = rig.event();
    assert_eq!(e.code, INTERFACE_FLOOD_STARTED);
    assert_eq!(
        e.field("category"),
        Some(&OwnedValue::Str("Firewall".into()))
    );
    assert_eq!((n(&e, "protocol"), n(&e, "protocol_share")), (17, 100));
}

#[test]
fn without_room_an_interface_is_not_watched_and_that_is_told() {
    let policy = Policy {
        attacks: vec![flood()],
        ..Policy::none()
    };
    let mut rig = Rig::new(Config {
        policy: policy.clone(),
        interfaces: 1,
        ..Config::default()
    });
    for id in [1, 2, 3] {
        rig.run(|ids, cx| ids.interface_discards(cx, InterfaceId(id), 1, Discard::Other));
    }
    let e = rig.event();
    assert_eq!(
        (e.code, n(&e, "probe_id")),
        (INTERFACE_FLOOD_DISABLED, 0x0407_0015)
    );
    assert_eq!(rig.codes(), []);
    rig.run(|ids, _| ids.install(policy));
    rig.run(|ids, cx| ids.interface_discards(cx, InterfaceId(2), 1, Discard::Other));
    assert_eq!(rig.codes(), [INTERFACE_FLOOD_DISABLED.get()]);
}

fn key(client: u32, port: u16) -> FlowKey {
    let client = SocketAddr::new(Ipv4Addr::from_bits(client).into(), port);
    let (address, port) = server();
    FlowKey::new(client, SocketAddr::new(address, port), 6).unwrap()
}

fn queue(bytes: u64, age: u64) -> QueueFact {
    QueueFact {
        connection: 7,
        key: key(0xc000_0201, 9),
        job: JobId(1),
        queue: Queue::Receive,
        bytes,
        age: Duration::from_millis(age),
    }
}

/// T-18: 59.9 and 60 seconds of age, 29.9 and 30 of size.
#[test]
fn queues_are_constrained_exactly_when_they_should_be() {
    let rule = || AttackRule::new("q", Attack::TcpQueueSize(QueueSize::VeryShort));
    let mut rig = Rig::of(vec![rule()]);
    let mut tell = |at: u64, bytes, age| {
        rig.now = 1_000_000 + at;
        let reset = rig.run(|ids, cx| ids.tcp_queue(cx, queue(bytes, age)));
        assert!(!reset);
        rig.codes()
    };
    let (entered, left) = (QUEUE_CONSTRAINED.get(), QUEUE_UNCONSTRAINED.get());
    assert_eq!(tell(0, 1, 59_900), []);
    assert_eq!(tell(100, 1, 60_000), [entered]);
    assert_eq!(tell(200, 1, 60_100), []);
    assert_eq!(tell(300, 1, 59_999), [left]);
    // By size: 32 KiB are not more than 32 KiB.
    assert_eq!(tell(1_000, 32_768, 1), []);
    assert_eq!(tell(2_000, 32_769, 1), []);
    assert_eq!(tell(31_900, 32_769, 1), []);
    assert_eq!(tell(32_000, 32_769, 1), [entered]);
    assert_eq!(tell(33_000, 32_768, 1), [left]);
    // Once below, the thirty seconds begin anew.
    assert_eq!(tell(40_000, 40_000, 1), []);
    assert_eq!(tell(50_000, 100, 1), []);
    assert_eq!(tell(70_000, 40_000, 1), []);
    // Nothing on it is never old.
    assert_eq!(tell(71_000, 0, 99_000), []);

    let mut rig = Rig::of(vec![AttackRule {
        respond: true,
        ..rule()
    }]);
    assert!(rig.run(|ids, cx| ids.tcp_queue(cx, queue(1, 60_000))));
    assert_eq!(rig.codes(), [QUEUE_RESET.get()]);
    let expected = Action::ResetFlow {
        key: queue(0, 0).key,
        reason: QUEUE_RESET,
    };
    assert_eq!(rig.actions.poll(), Some(expected));
    // A connection that ends is no longer constrained.
    let mut rig = Rig::of(vec![rule()]);
    rig.run(|ids, cx| ids.tcp_queue(cx, queue(1, 60_000)));
    rig.run(|ids, cx| ids.tcp_queues_gone(cx, 7));
    assert_eq!(rig.codes(), [entered, left]);
}

fn connections(total: u64, stalled: u64) -> Vec<ConnectionFact> {
    let make = |connection| ConnectionFact {
        connection,
        key: key(connection as u32, 9),
        job: JobId(0),
        window: if connection < stalled { 100 } else { 65_535 },
        largest_window: 65_535,
        queued: 10,
        full: false,
        retransmitting: false,
    };
    (0..total).map(make).collect()
}

/// T-17: 999 and 1,000 connections, 49.9 and 50 percent; over at less than 25 percent or at 450.
#[test]
fn a_stall_begins_and_ends_exactly_when_it_should() {
    let rule = AttackRule::new("s", Attack::GlobalTcpStall);
    let mut rig = Rig::of(vec![rule.clone()]);
    let mut tell = |total, stalled| {
        let facts = connections(total, stalled);
        let reset = rig.run(|ids, cx| ids.tcp_connections(cx, facts.iter()));
        assert_eq!(reset, 0);
        (rig.codes(), rig.ids.is_stalled())
    };
    let (entered, left) = (STALL_ENTERED.get(), STALL_LEFT.get());
    assert_eq!(tell(999, 999), (vec![], false));
    assert_eq!(tell(1000, 499), (vec![], false));
    assert_eq!(tell(1000, 500), (vec![entered], true));
    assert_eq!(tell(1000, 451), (vec![], true));
    assert_eq!(tell(1000, 450), (vec![left], false));
    assert_eq!(tell(4000, 2000), (vec![entered], true));
    assert_eq!(tell(4000, 1000), (vec![], true));
    assert_eq!(tell(4000, 999), (vec![left], false));

    let mut rule = AttackRule {
        respond: true,
        ..rule
    };
    rule.rule.reports.detail = true;
    let mut rig = Rig::of(vec![rule]);
    let facts = connections(1000, 600);
    assert_eq!(
        rig.run(|ids, cx| ids.tcp_connections(cx, facts.iter())),
        600
    );
    assert_eq!(rig.actions.len(), 600);
    let codes = rig.codes();
    assert_eq!(codes[0], entered);
    assert_eq!(codes.len(), 100, "99 connections and the event itself");
}

#[test]
fn windows_count_as_scaled() {
    let mut fact = connections(1, 0)[0];
    let stalled = |f: &ConnectionFact, window, largest| {
        let f = ConnectionFact {
            window,
            largest_window: largest,
            ..*f
        };
        f.is_stalled()
    };
    assert!(stalled(&fact, 255, 255));
    assert!(!stalled(&fact, 256, 256));
    assert!(stalled(&fact, 300, 65_535));
    assert!(stalled(&fact, 575, 576));
    assert!(!stalled(&fact, 576, 1 << 20));
    fact.key = FlowKey::new(
        "[2001:db8::1]:9".parse().unwrap(),
        "[2001:db8::2]:80".parse().unwrap(),
        6,
    )
    .unwrap();
    assert!(stalled(&fact, 1279, 4000));
    assert!(!stalled(&fact, 1280, 4000));
    fact.window = 65_535;
    fact.full = true;
    assert!(fact.is_stalled());
    fact.retransmitting = true;
    assert!(!fact.is_stalled());
}

#[test]
fn abandoned_activations_are_a_flood_from_their_number_on() {
    let mut rig = Rig::of(vec![AttackRule::new(
        "x",
        Attack::EeXidFlood { timeouts: 5 },
    )]);
    let local = server().0;
    let time_out = |rig: &mut Rig, n| {
        for _ in 0..n {
            rig.run(|ids, cx| ids.ee_xid_timeout(cx, local));
        }
        rig.codes()
    };
    assert_eq!(time_out(&mut rig, 4), []);
    rig.now += 60_000;
    assert_eq!(time_out(&mut rig, 4), [], "in another minute");
    assert_eq!(time_out(&mut rig, 1), [EE_XID_FLOOD_STARTED.get()]);
    rig.sleep(60_001);
    assert_eq!(time_out(&mut rig, 2), []);
    rig.sleep(60_001);
    let end = rig.event();
    assert_eq!((end.code, n(&end, "timeouts")), (EE_XID_FLOOD_ENDED, 7));
}

fn regulation(total: u32, percentage: u8) -> TcpRegulation {
    TcpRegulation {
        total,
        percentage,
        limit: true,
        scope: Scope::Port,
        ..TcpRegulation::new("tr")
    }
}

/// How many connections a host gets while others hold `others`.
fn reaches(total: u32, percentage: u8, others: u32) -> u32 {
    let mut rig = Rig::tr(regulation(total, percentage));
    for host in 0..others {
        let a = rig.run(|ids, cx| ids.tcp_opened(cx, &key(host, 1), None));
        assert_eq!(
            a,
            Admission::Counted(Scope::Port),
            "a host with none gets one"
        );
    }
    let mut got = 0;
    loop {
        let k = key(0xffff_0000, 1);
        match rig.run(|ids, cx| ids.tcp_opened(cx, &k, None)) {
            Admission::Counted(_) => got += 1,
            Admission::Refused(code) => {
                assert_eq!(
                    code,
                    if others + got == total {
                        TCP_TOTAL
                    } else {
                        TCP_SOURCE
                    }
                );
                return got;
            }
            Admission::Uncounted => panic!(),
        }
    }
}

/// T-16: the worked rows, and what holds for every order.
#[test]
fn shares_are_of_what_is_available() {
    for (used, reached) in [(0, 17), (50, 9), (90, 2), (96, 1), (99, 1), (100, 0)] {
        assert_eq!(reaches(100, 20, used), reached, "{used} in use");
    }
    // From an empty port: the least h that is no less than P(T-h)/100.
    for (total, percentage) in [(100, 20), (7, 50), (1, 100), (65_535, 1), (10, 0)] {
        let p = u32::from(percentage);
        let expected = (p * total).div_ceil(100 + p).max(1);
        assert_eq!(reaches(total, percentage, 0), expected);
    }
}

#[test]
fn no_order_of_connections_breaks_the_shares() {
    arbtest::arbtest(|u| {
        let (total, percentage): (u32, u8) = (u.int_in_range(1..=30)?, u.int_in_range(0..=100)?);
        let limit: bool = u.arbitrary()?;
        let mut rig = Rig::tr(TcpRegulation {
            limit,
            ..regulation(total, percentage)
        });
        let mut held: BTreeMap<u32, u32> = BTreeMap::new();
        for _ in 0..100 {
            let host = u.int_in_range(0..=9)?;
            let (used, h) = (
                held.values().sum::<u32>(),
                held.get(&host).copied().unwrap_or(0),
            );
            if h > 0 && u.arbitrary()? {
                rig.run(|ids, cx| ids.tcp_closed(cx, &key(host, 1), Scope::Port));
                held.insert(host, h - 1);
                continue;
            }
            let admission = rig.run(|ids, cx| ids.tcp_opened(cx, &key(host, 1), None));
            let available = total.saturating_sub(used);
            let free = available > 0
                && (h == 0 || u64::from(h) * 100 < u64::from(percentage) * u64::from(available));
            assert_eq!(admission == Admission::Counted(Scope::Port), free || !limit);
            if admission == Admission::Counted(Scope::Port) {
                held.insert(host, h + 1);
            }
            let used = held.values().sum::<u32>();
            assert!(!limit || used <= total);
            let address: IpAddr = Ipv4Addr::from_bits(host).into();
            let expected = (used, held.get(&host).copied().unwrap_or(0));
            assert_eq!(rig.ids.tcp_used(server().0, 80, address), expected);
        }
        Ok(())
    });
}

#[test]
fn a_port_is_constrained_with_hysteresis() {
    let mut rig = Rig::tr(regulation(100, 100));
    for host in 0..89 {
        rig.run(|ids, cx| ids.tcp_opened(cx, &key(host, 1), None));
    }
    assert_eq!(rig.codes(), []);
    rig.run(|ids, cx| ids.tcp_opened(cx, &key(89, 1), None));
    let entry = rig.event();
    assert_eq!(
        (entry.code, n(&entry, "probe_id")),
        (TCP_CONSTRAINED, 0x0100_4200)
    );
    for host in [0, 1] {
        rig.run(|ids, cx| ids.tcp_closed(cx, &key(host, 1), Scope::Port));
        assert_eq!(rig.codes(), []);
    }
    rig.run(|ids, cx| ids.tcp_closed(cx, &key(2, 1), Scope::Port));
    let exit = rig.event();
    assert_eq!(exit.code, TCP_UNCONSTRAINED);
    assert_eq!(n(&exit, "correlator"), n(&entry, "correlator"));
}

#[test]
fn quality_of_service_makes_exceptions() {
    let mut rig = Rig::tr(regulation(100, 1));
    let open = |rig: &mut Rig, granted| rig.run(|ids, cx| ids.tcp_opened(cx, &key(1, 1), granted));
    assert_eq!(open(&mut rig, None), Admission::Counted(Scope::Port));
    assert_eq!(open(&mut rig, Some(2)), Admission::Counted(Scope::Port));
    assert_eq!(rig.event().code, TCP_EXCEPTION);
    assert_eq!(open(&mut rig, Some(2)), Admission::Refused(TCP_SOURCE));
    assert_eq!(n(&rig.event(), "probe_id"), 0x0100_4042);
    assert_eq!(open(&mut rig, None), Admission::Refused(TCP_SOURCE));
    assert_eq!(n(&rig.event(), "probe_id"), 0x0100_4044);
}

#[test]
fn a_lowered_total_ends_nothing_and_lets_nothing_in() {
    let mut rig = Rig::tr(regulation(10, 100));
    for host in 0..8 {
        rig.run(|ids, cx| ids.tcp_opened(cx, &key(host, 1), None));
    }
    let lower = Policy {
        tcp: vec![regulation(5, 100)],
        ..Policy::none()
    };
    rig.run(|ids, _| ids.install(lower));
    for host in 0..3 {
        let a = rig.run(|ids, cx| ids.tcp_opened(cx, &key(99, 1), None));
        assert_eq!(a, Admission::Refused(TCP_TOTAL));
        rig.run(|ids, cx| ids.tcp_closed(cx, &key(host, 1), Scope::Port));
    }
    rig.run(|ids, cx| ids.tcp_closed(cx, &key(3, 1), Scope::Port));
    let a = rig.run(|ids, cx| ids.tcp_opened(cx, &key(99, 1), None));
    assert_eq!(a, Admission::Counted(Scope::Port));
}

#[test]
fn connections_are_counted_and_refused_by_their_packets() {
    let mut rig = Rig::tr(TcpRegulation {
        defense: Some(Defense {
            lifetime: Duration::from_secs(60),
            spoofable: false,
        }),
        ..regulation(10, 10)
    });
    let (first, _) = connect(&mut rig, 0xc000_0201, 1);
    assert!(first.is_continue());
    let (second, mut slot) = connect(&mut rig, 0xc000_0201, 2);
    assert_eq!(second, Verdict::Drop(TCP_SOURCE));
    // Nothing of it passes afterwards either.
    let data = segment(0xc000_0201, 2, ACK, false, (6, 1001));
    assert_eq!(
        rig.after(&data, Point::LocalIn, Some(&mut slot)),
        Verdict::Drop(TCP_SOURCE)
    );
    let actions: Vec<Action> = std::iter::from_fn(|| rig.actions.poll()).collect();
    let reset = Action::ResetFlow {
        key: key(0xc000_0201, 2),
        reason: TCP_SOURCE,
    };
    let filter = Action::DefensiveFilter {
        source: "192.0.2.1".parse().unwrap(),
        lifetime: Duration::from_secs(60),
        reason: TCP_SOURCE,
    };
    assert_eq!(
        actions,
        [filter, reset],
        "a completed handshake is no forged source"
    );
    let (other, _) = connect(&mut rig, 0xc000_0202, 1);
    assert!(other.is_continue());
}

fn udp_queue(datagrams: u64) -> UdpQueue {
    UdpQueue {
        address: server().0,
        port: 53,
        datagrams,
        bytes: datagrams * 100,
        bytes_only: false,
    }
}

#[test]
fn a_udp_queue_is_limited_and_constrained() {
    for limit in [true, false] {
        let rule = UdpRegulation {
            size: QueueSize::Short,
            limit,
            ..UdpRegulation::new("udp")
        };
        let policy = Policy {
            udp: vec![rule],
            ..Policy::none()
        };
        let mut rig = Rig::new(Config {
            policy,
            ..Config::default()
        });
        let add = |rig: &mut Rig, n| rig.run(|ids, cx| ids.udp_datagram(cx, &udp_queue(n), 100));
        // 90 percent of 256 are 230.4.
        assert!(add(&mut rig, 229).is_continue());
        assert_eq!(rig.codes(), []);
        assert!(add(&mut rig, 230).is_continue());
        assert_eq!(rig.codes(), [UDP_CONSTRAINED.get()]);
        assert!(add(&mut rig, 255).is_continue());
        let expected = if limit {
            Verdict::Drop(UDP_LIMIT)
        } else {
            Verdict::Continue
        };
        assert_eq!(add(&mut rig, 256), expected);
        // 88 percent are 225.3.
        rig.run(|ids, cx| ids.udp_read(cx, &udp_queue(226)));
        assert_eq!(rig.codes(), []);
        rig.run(|ids, cx| ids.udp_read(cx, &udp_queue(225)));
        let exit = rig.event();
        assert_eq!((exit.code, n(&exit, "discarded")), (UDP_UNCONSTRAINED, 1));
    }
}

#[test]
fn udp_statistics_are_told() {
    let mut rule = UdpRegulation::new("udp");
    rule.rule.reports.statistics = Some(Statistics {
        kind: StatisticsKind::Normal,
        minutes: 1,
    });
    let policy = Policy {
        udp: vec![rule],
        ..Policy::none()
    };
    let mut rig = Rig::new(Config {
        policy,
        ..Config::default()
    });
    for i in 0..3 {
        let _ = rig.run(|ids, cx| ids.udp_datagram(cx, &udp_queue(i), 100));
    }
    rig.sleep(60_001);
    let e = rig.event();
    assert_eq!(e.code, UDP_STATISTICS);
    assert_eq!(
        (n(&e, "received"), n(&e, "bytes_received"), n(&e, "peak")),
        (3, 300, 3)
    );
}

/// Packets and facts in any order, with clocks that go where they like: no panic, nothing that
/// depends on whether packets come one by one or in batches, and an end of all that began.
#[test]
fn nothing_depends_on_batches_or_breaks_with_clocks() {
    arbtest::arbtest(|u| {
        let mut policy = Policy::standard();
        policy.attacks[3] = flood();
        policy.tcp = vec![regulation(3, 50)];
        let make = || {
            Rig::new(Config {
                policy: policy.clone(),
                listeners: 2,
                backlog: 1,
                interfaces: 2,
                queues: 2,
                tcp_hosts: 2,
                ..Config::default()
            })
        };
        let (mut one, mut many) = (make(), make());
        for _ in 0..20 {
            let now: u64 = match u.int_in_range(0..=9)? {
                0 => u.arbitrary::<u64>()? / 2000,
                1 => 0,
                n => one.now.saturating_add(n * 1000),
            };
            (one.now, many.now) = (now, now);
            let mut packets = Vec::new();
            for _ in 0..u.int_in_range(0..=8)? {
                let flags = *u.choose(&[SYN, SYN_ACK, ACK, 4])?;
                let out = flags == SYN_ACK;
                packets.push((
                    segment(
                        u.int_in_range(0x0b00_0000..=0x0b00_0003)?,
                        9,
                        flags,
                        out,
                        (1, 2),
                    ),
                    out,
                    u.arbitrary::<bool>()?,
                ));
            }
            let parsed: Vec<Packet<'_>> = packets
                .iter()
                .map(|(bytes, out, _)| {
                    let point = if *out {
                        Point::LocalOut
                    } else {
                        Point::LocalIn
                    };
                    let meta = Meta::new(point, ms(now)).with_checksums(Checksums::Verified);
                    Packet::parse(bytes, meta)
                })
                .collect();
            let mut alone = Vec::new();
            for p in &parsed {
                alone.push(one.run(|ids, cx| ids.before(cx, p)));
            }
            let mut verdicts = vec![Verdict::Continue; parsed.len()];
            many.run(|ids, cx| ids.before_batch(cx, &parsed, &mut verdicts));
            assert_eq!(alone, verdicts);
            let mut slots = vec![Slot::default(); parsed.len()];
            for ((p, slot), (_, _, known)) in parsed.iter().zip(&mut slots).zip(&packets) {
                let _ =
                    one.run(|ids, cx| ids.after(cx, p, known.then_some(slot), Verdict::Continue));
            }
            let mut slots = vec![Slot::default(); parsed.len()];
            let mut lent: Vec<Option<&mut Slot>> = slots
                .iter_mut()
                .zip(&packets)
                .map(|(s, (_, _, known))| known.then_some(s))
                .collect();
            let filter = vec![Verdict::Continue; parsed.len()];
            let mut verdicts = vec![Verdict::Continue; parsed.len()];
            many.run(|ids, cx| ids.after_batch(cx, &parsed, &mut lent, &filter, &mut verdicts));
            for rig in [&mut one, &mut many] {
                let id = InterfaceId(u32::from(now as u8 & 3));
                rig.run(|ids, cx| ids.interface_discards(cx, id, 60, Discard::Media));
                rig.run(|ids, cx| ids.tcp_queue(cx, queue(now % 3_000_000, now % 70_000)));
                rig.run(|ids, cx| ids.handle_deadline(cx));
            }
        }
        let (a, b): (Vec<_>, Vec<_>) = (one.events.iter().collect(), many.events.iter().collect());
        assert_eq!(a, b);
        // Time goes on: everything comes to an end, and no deadline is left but none.
        for _ in 0..200 {
            let Some(next) = one.ids.next_deadline() else {
                break;
            };
            one.now = one.now.max(next.as_millis()).saturating_add(5001);
            one.run(|ids, cx| ids.handle_deadline(cx));
        }
        assert_eq!(one.ids.next_deadline(), None::<Instant>);
        Ok(())
    });
}
