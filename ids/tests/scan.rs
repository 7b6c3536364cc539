//! Scans as nmap makes them, against a model of a host that answers as RFC 9293 and RFC 1122 say;
//! ordinary traffic that is none; bounds, clocks that jump.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

#[path = "../../hook/tests/packets/mod.rs"]
mod packets;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use hostward_hook::action::{Action, ActionQueue, Cx};
use hostward_hook::event::{Event, EventSink, OwnedEvent, OwnedValue};
use hostward_hook::flow::{FlowId, FlowInfo};
use hostward_hook::layout::proto;
use hostward_hook::meta::{Checksums, Direction, Meta, Point};
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_hook::{Packet, PacketHook, Timers, Verdict};
use hostward_ids::codes::*;
use hostward_ids::host::PortState;
use hostward_ids::malformed;
use hostward_ids::message::{Message, console};
use hostward_ids::policy::*;
use hostward_ids::scans::{ScanConfig, Window};
use hostward_ids::{Config, Ids, Slot};
use packets::*;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;

/// A minute, in milliseconds.
const MINUTE: u64 = 60_000;

/// Keeps events and the lines written about them.
#[derive(Default)]
struct Sink {
    events: Vec<OwnedEvent>,
    lines: Vec<String>,
    shown: Vec<String>,
}

impl EventSink for Sink {
    fn wants(&self, _: hostward_hook::event::Class) -> bool {
        true
    }

    fn emit(&mut self, event: &Event<'_>) {
        self.events.push(event.into());
        self.lines
            .push(Message::of(event, &(), "host").unwrap().to_string());
        self.shown.extend(console(event, &(), "TCPIP"));
    }
}

/// A host with intrusion detection, a flow table and sockets.
struct Sim {
    ids: Ids,
    now: u64,
    sink: Sink,
    actions: ActionQueue<64>,
    flows: BTreeMap<(IpAddr, u16, u16, u8), (Slot, FlowInfo)>,
    connections: BTreeSet<(IpAddr, u16, u16)>,
    listening: BTreeSet<u16>,
    bound: BTreeSet<u16>,
    filtered: BTreeSet<u16>,
    /// Numbers of TCP.
    seq: u32,
    ack: u32,
    options: Vec<u8>,
    /// All sources choose the same sequence number.
    same: bool,
}

const HOST: u32 = 0xc633_6402;

fn v4_of(n: u32) -> IpAddr {
    IpAddr::V4(n.into())
}

impl Sim {
    fn with(policy: Policy, scans: ScanConfig) -> Self {
        policy.check().unwrap();
        Self {
            ids: Ids::new(Config {
                policy,
                scans,
                ..Config::default()
            }),
            // In the middle of a minute and at the beginning of a slow interval.
            now: 7200 * 1000 * 1000 + 5_000,
            sink: Sink::default(),
            actions: ActionQueue::new(),
            flows: BTreeMap::new(),
            connections: BTreeSet::new(),
            listening: [22, 80].into(),
            bound: [53].into(),
            filtered: BTreeSet::new(),
            seq: 7,
            ack: 0,
            options: vec![2, 4, 5, 0xb4],
            same: false,
        }
    }

    /// Scans only, at a sensitivity.
    fn at(sensitivity: Sensitivity) -> Self {
        Self::with(policy(sensitivity), ScanConfig::default())
    }

    fn medium() -> Self {
        Self::at(Sensitivity::Medium)
    }

    fn one(&mut self, bytes: &[u8], point: Point) -> Verdict {
        let now = Now::from_wall(UnixTime::from_micros(self.now * 1000));
        let meta = Meta::new(point, now).with_checksums(Checksums::Verified);
        let packet = Packet::parse(bytes, meta);
        let mut cx = Cx::new(now, &mut self.sink, &mut self.actions);
        let before = self.ids.before(&mut cx, &packet);
        if !before.is_continue() {
            let expected = malformed::code_of(hostward_hook::Anomaly::TcpFlags);
            assert_eq!(before, Verdict::Drop(expected), "a mistake in a test");
            return before;
        }
        let key = packet.key();
        let inbound = meta.direction() == Direction::Inbound;
        let ported = packet.layout().ports().is_some();
        let place = key.filter(|_| ported).map(|k| {
            let k = if inbound { k } else { k.reversed() };
            (
                k.source(),
                k.source_port(),
                k.destination_port(),
                k.protocol(),
            )
        });
        let filter = match key {
            Some(k) if inbound && self.filtered.contains(&k.destination_port()) => {
                Verdict::Drop(hostward_hook::reason::Code::new(1))
            }
            _ => Verdict::Continue,
        };
        let slot = place.and_then(|p| self.flows.get_mut(&p)).map(|(s, _)| s);
        let after = self.ids.after(&mut cx, &packet, slot, filter);
        if let (Some(place), Some(key)) = (place, key)
            && filter.is_continue()
        {
            self.flows.entry(place).or_insert_with(|| {
                let info = FlowInfo::new(FlowId::from_u64(1), key, &meta, 1);
                (Slot::default(), info)
            });
        }
        if filter.is_continue() { after } else { filter }
    }

    /// A packet comes in, and the host answers it.
    fn receive(&mut self, bytes: &[u8]) {
        if self.one(bytes, Point::LocalIn).is_continue()
            && let Some(answer) = self.answer(bytes)
        {
            let _ = self.one(&answer, Point::LocalOut);
        }
    }

    fn answer(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let packet = Packet::parse(bytes, Meta::default());
        let key = packet.key()?;
        let l = packet.layout();
        let back = |kind: u8, rest: Vec<u8>| {
            let mut p = if key.is_v6() {
                v6(kind, &rest)
            } else {
                v4(kind, &[], &rest)
            };
            address(&mut p, key.destination(), key.source());
            Some(p)
        };
        let error = |message: (u8, u8)| {
            let kind = if key.is_v6() {
                proto::ICMPV6
            } else {
                proto::ICMP
            };
            back(kind, icmp(message.0, message.1, bytes))
        };
        let who = (key.source(), key.source_port(), key.destination_port());
        match l.protocol() {
            proto::TCP => {
                let (flags, (seq, ack, _)) = (l.tcp_flags()?, packet.tcp_numbers()?);
                let segment = |flags: u8, seq: u32, ack: u32| {
                    let mut t = tcp(flags, &[], &[]);
                    t[..2].copy_from_slice(&key.destination_port().to_be_bytes());
                    t[2..4].copy_from_slice(&key.source_port().to_be_bytes());
                    t[4..8].copy_from_slice(&seq.to_be_bytes());
                    t[8..12].copy_from_slice(&ack.to_be_bytes());
                    t
                };
                let listening = self.listening.contains(&key.destination_port());
                if flags & RST != 0 {
                    self.connections.remove(&who);
                    return None;
                }
                if self.connections.contains(&who) {
                    return None;
                }
                if flags & ACK != 0 {
                    return back(proto::TCP, segment(RST, ack, 0));
                }
                if flags & SYN != 0 && listening {
                    self.connections.insert(who);
                    return back(proto::TCP, segment(SYN | ACK, 1000, seq.wrapping_add(1)));
                }
                let answered = flags & SYN != 0 || !listening;
                answered
                    .then(|| back(proto::TCP, segment(RST | ACK, 0, seq.wrapping_add(1))))
                    .flatten()
            }
            proto::UDP if self.bound.contains(&key.destination_port()) => None,
            proto::UDP if key.is_v6() => error((1, 4)),
            proto::UDP => error((3, 3)),
            proto::ICMP | proto::ICMPV6 => None,
            _ if key.is_v6() => error((4, 1)),
            _ => error((3, 2)),
        }
    }

    fn probe(&mut self, source: IpAddr, port: u16, flags: u8) {
        let segment = self.segment(source, 40_000, port, flags);
        self.receive(&segment);
    }

    fn segment(&self, source: IpAddr, from: u16, port: u16, flags: u8) -> Vec<u8> {
        let options: &[u8] = if flags & SYN != 0 { &self.options } else { &[] };
        let mut t = tcp(flags, options, &[]);
        t[..2].copy_from_slice(&from.to_be_bytes());
        t[2..4].copy_from_slice(&port.to_be_bytes());
        let own = match source {
            _ if self.same => 0,
            IpAddr::V4(a) => a.to_bits(),
            IpAddr::V6(a) => a.to_bits() as u32,
        };
        let number = self.seq.wrapping_add(own.wrapping_mul(2_654_435_761));
        t[4..8].copy_from_slice(&number.to_be_bytes());
        if flags & ACK != 0 {
            t[8..12].copy_from_slice(&self.ack.to_be_bytes());
        }
        self.wrap(proto::TCP, source, &t)
    }

    fn wrap(&self, protocol: u8, source: IpAddr, rest: &[u8]) -> Vec<u8> {
        let local: IpAddr = if source.is_ipv6() {
            "2001:db8::2".parse().unwrap()
        } else {
            v4_of(HOST)
        };
        let mut p = if source.is_ipv6() {
            v6(protocol, rest)
        } else {
            v4(protocol, &[], rest)
        };
        address(&mut p, source, local);
        p
    }

    fn datagram(&mut self, source: IpAddr, from: u16, port: u16) {
        let mut d = udp(&[0; 4]);
        d[..2].copy_from_slice(&from.to_be_bytes());
        d[2..4].copy_from_slice(&port.to_be_bytes());
        let p = self.wrap(proto::UDP, source, &d);
        self.receive(&p);
    }

    /// nmap -sS: a SYN, and a reset where somebody answered.
    fn syn_scan(&mut self, source: IpAddr, ports: impl IntoIterator<Item = u16>) {
        for port in ports {
            self.probe(source, port, SYN);
            if self.listening.contains(&port) {
                self.ack = 0;
                self.probe(source, port, RST);
            }
            self.now += 10;
        }
    }

    /// A whole connection with a request.
    fn connect(&mut self, source: IpAddr, from: u16, port: u16) {
        let syn = self.segment(source, from, port, SYN);
        self.receive(&syn);
        self.ack = 1001;
        let mut next = self.segment(source, from, port, ACK);
        next[24..28].copy_from_slice(&8_u32.to_be_bytes());
        self.receive(&next);
    }

    fn sleep(&mut self, millis: u64) {
        self.now += millis;
        let now = Now::from_wall(UnixTime::from_micros(self.now * 1000));
        let due = |next: Instant| next <= now.mono;
        if self.ids.next_deadline().is_some_and(due) {
            let mut cx = Cx::new(now, &mut self.sink, &mut self.actions);
            self.ids.handle_deadline(&mut cx);
        }
    }

    /// Half-open flows time out.
    fn close_all(&mut self) {
        let now = Now::from_wall(UnixTime::from_micros(self.now * 1000));
        for (_, (mut slot, info)) in std::mem::take(&mut self.flows) {
            let mut cx = Cx::new(now, &mut self.sink, &mut self.actions);
            self.ids.closed(&mut cx, &info, &mut slot);
            self.ids.closed(&mut cx, &info, &mut slot);
        }
    }

    /// Events about scans so far.
    fn scans(&mut self) -> Vec<OwnedEvent> {
        let mut events = std::mem::take(&mut self.sink.events);
        events.retain(|e| (3500..3600).contains(&e.code.get()));
        events
    }

    fn codes(&mut self) -> Vec<u16> {
        self.scans().iter().map(|e| e.code.get()).collect()
    }

    /// The one event.
    fn scan(&mut self) -> (u16, IpAddr, [u64; 3]) {
        let events = self.scans();
        assert_eq!(events.len(), 1, "{events:?}");
        let n = |name| match events[0].field(name) {
            Some(OwnedValue::U64(n)) => *n,
            other => panic!("{name}: {other:?}"),
        };
        let Some(OwnedValue::Addr(source)) = events[0].field("source") else {
            panic!("no source");
        };
        let counts = [n("very"), n("possibly"), n("normal")];
        (events[0].code.get(), *source, counts)
    }
}

fn policy(sensitivity: Sensitivity) -> Policy {
    let mut policy = Policy {
        attacks: Vec::new(),
        ..Policy::standard()
    };
    for rule in &mut policy.scan_events {
        rule.sensitivity = sensitivity;
    }
    policy
}

/// Puts other addresses into a packet.
fn address(p: &mut [u8], source: IpAddr, destination: IpAddr) {
    match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            p[12..16].copy_from_slice(&s.octets());
            p[16..20].copy_from_slice(&d.octets());
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => {
            p[8..24].copy_from_slice(&s.octets());
            p[24..40].copy_from_slice(&d.octets());
        }
        _ => panic!("one version"),
    }
}

fn evil() -> IpAddr {
    "192.0.2.66".parse().unwrap()
}

fn friend() -> IpAddr {
    "10.0.0.9".parse().unwrap()
}

fn six() -> IpAddr {
    "2001:db8:bad::66".parse().unwrap()
}

const FAST: u16 = SCAN_FAST.get();
const SLOW: u16 = SCAN_SLOW.get();

/// T-01: a thousand ports in some seconds: told once in a fast interval.
#[test]
fn a_syn_scan_is_told_once_in_an_interval() {
    for source in [evil(), six()] {
        let mut sim = Sim::medium();
        sim.syn_scan(source, 1..=1000);
        assert_eq!(sim.scan(), (FAST, source, [0, 5, 0]));
        sim.sleep(MINUTE);
        sim.syn_scan(source, 1001..=1200);
        // Ten different events by now.
        assert_eq!(sim.codes(), [FAST, SLOW]);
        assert_eq!(sim.ids.scans_seen(), 3);
    }
}

#[test]
fn the_same_port_again_is_one_event() {
    let mut sim = Sim::medium();
    for _ in 0..100 {
        sim.probe(evil(), 81, SYN);
        sim.now += 100;
    }
    assert_eq!(sim.codes(), []);
}

/// A half-open scan of open ports: the reset after the answer gives it away.
#[test]
fn a_syn_scan_of_open_ports_is_possibly_suspicious() {
    let mut sim = Sim::medium();
    sim.listening.extend(1..=5);
    sim.syn_scan(evil(), 1..=5);
    assert_eq!(sim.scan(), (FAST, evil(), [0, 5, 0]));
}

/// Whoever leaves handshakes half-open is very suspicious once they are given up.
#[test]
fn abandoned_handshakes_count() {
    let mut sim = Sim::at(Sensitivity::Low);
    sim.listening.extend(1..=5);
    for port in 1..=5 {
        sim.probe(evil(), port, SYN);
    }
    sim.now += 63_000;
    sim.close_all();
    assert_eq!(sim.scan(), (FAST, evil(), [5, 0, 0]));

    // Flows that had to make room have not been given up.
    let mut sim = Sim::at(Sensitivity::Low);
    sim.listening.extend(1..=5);
    for port in 1..=5 {
        sim.probe(evil(), port, SYN);
    }
    sim.close_all();
    assert_eq!(sim.codes(), []);
}

/// T-02: -sN -sF -sX -sM -sA -sW, at the lowest sensitivity, at open and closed ports.
#[test]
fn stealthy_scans_are_very_suspicious() {
    let scans = [0, FIN, FIN | PSH | URG, FIN | ACK, ACK];
    for source in [evil(), six()] {
        for flags in scans {
            let mut sim = Sim::at(Sensitivity::Low);
            if flags & ACK != 0 {
                (sim.seq, sim.ack) = (0, 0x1234_5678);
            }
            for port in 78..=83 {
                sim.probe(source, port, flags);
            }
            assert_eq!(sim.scan(), (FAST, source, [5, 0, 0]), "flags {flags:#x}");
        }
    }
}

/// T-03: -sU, without and with what the host told of its ports.
#[test]
fn udp_scans_are_seen_by_answers_or_by_ports() {
    for source in [evil(), six()] {
        for told in [false, true] {
            let mut rules = policy(Sensitivity::Medium);
            // An answer that a port is not there is under the rules of ICMP only for protocols.
            rules.scan_events.retain(|r| r.protocol == Protocol::Udp);
            let mut sim = Sim::with(rules, ScanConfig::default());
            if told {
                let ports = &mut sim.ids.host_mut().ports;
                ports.set(proto::UDP, 53, PortState::Bound);
                ports.set(proto::UDP, 101, PortState::Reserved);
                ports.set_others_unbound(proto::UDP);
            }
            for port in 100..110 {
                sim.datagram(source, 50_000, port);
                sim.datagram(source, 50_000, 53);
            }
            let very = u64::from(told);
            assert_eq!(sim.scan(), (FAST, source, [very, 5 - very, 0]));
        }
    }
}

/// T-04 and T-05: a probe every 15 seconds, and every five minutes.
#[test]
fn slow_scans_are_told_at_the_tenth_event() {
    for (gap, window) in [
        (15_010, Window::Tumbling),
        (300_000, Window::Tumbling),
        (300_000, Window::Sliding),
    ] {
        let scans = ScanConfig {
            window,
            ..ScanConfig::default()
        };
        let mut sim = Sim::with(policy(Sensitivity::Medium), scans);
        let begin = sim.now;
        for port in 1000..1012 {
            sim.probe(evil(), port, SYN);
            if port == 1009 {
                assert_eq!(sim.scan(), (SLOW, evil(), [0, 10, 0]));
                assert!(sim.now - begin < 60 * MINUTE);
            } else {
                assert_eq!(sim.codes(), [], "{port}");
            }
            sim.sleep(gap);
        }
    }
}

/// Four before and four after the end of an interval: tumbling misses it, sliding does not.
#[test]
fn a_window_that_slides_sees_what_straddles() {
    for (window, expected) in [(Window::Tumbling, vec![]), (Window::Sliding, vec![FAST])] {
        let scans = ScanConfig {
            window,
            ..ScanConfig::default()
        };
        let mut sim = Sim::with(policy(Sensitivity::Medium), scans);
        sim.sleep(54_000);
        for port in 1..=4 {
            sim.probe(evil(), port, SYN);
        }
        sim.sleep(2000);
        for port in 5..=8 {
            sim.probe(evil(), port, SYN);
        }
        assert_eq!(sim.codes(), expected);
    }
}

/// T-10: whole connections to open ports are what clients do.
#[test]
fn connections_count_only_at_high_sensitivity() {
    for (sensitivity, expected) in [
        (Sensitivity::Medium, vec![]),
        (Sensitivity::High, vec![FAST]),
    ] {
        let mut sim = Sim::at(sensitivity);
        sim.listening.extend(1..=6);
        for port in 1..=6 {
            sim.connect(evil(), 40_000 + port, port);
        }
        assert_eq!(sim.codes(), expected);
    }
}

#[test]
fn reserved_ports_are_very_suspicious() {
    let mut sim = Sim::at(Sensitivity::Low);
    for port in 1..=5 {
        let ports = &mut sim.ids.host_mut().ports;
        ports.set(proto::TCP, port, PortState::Reserved);
        sim.probe(evil(), port, SYN);
    }
    assert_eq!(sim.scan(), (FAST, evil(), [5, 0, 0]));
}

#[test]
fn what_the_filter_refuses_counts() {
    let mut sim = Sim::medium();
    sim.filtered.extend(1..=1000);
    sim.syn_scan(evil(), 1..=3);
    sim.datagram(evil(), 9, 4);
    sim.datagram(evil(), 9, 5);
    assert_eq!(sim.scan(), (FAST, evil(), [0, 5, 0]));
    // But not what belongs to no connection, such as late segments.
    for port in 1..=10 {
        sim.probe(friend(), port, ACK);
    }
    assert_eq!(sim.codes(), []);
}

/// -sO: protocols that this host does not speak.
#[test]
fn a_protocol_scan_is_seen_by_its_answers() {
    for source in [evil(), six()] {
        let mut sim = Sim::medium();
        for protocol in [20, 21, 22, 30, 36, 38] {
            let p = sim.wrap(protocol, source, &[0; 40]);
            sim.receive(&p);
        }
        let (code, who, counts) = sim.scan();
        assert_eq!((code, who, counts), (FAST, source, [0, 5, 0]));
    }
}

#[test]
fn icmp_requests_are_events_by_type_and_address() {
    let mut sim = Sim::at(Sensitivity::High);
    for kind in [8, 13, 15, 17, 8, 13] {
        let p = sim.wrap(proto::ICMP, evil(), &icmp(kind, 0, &[0; 12]));
        sim.receive(&p);
    }
    assert_eq!(sim.codes(), []);
    let mut p = sim.wrap(proto::ICMP, evil(), &icmp(13, 0, &[0; 12]));
    p[19] = 77;
    sim.receive(&p);
    assert_eq!(sim.scan(), (FAST, evil(), [0, 2, 3]));
}

/// An exclusion by port alone is what an attacker takes for a source port; by address and port it is
/// not.
#[test]
fn exclusions_are_by_source_and_port() {
    let mut rules = policy(Sensitivity::Medium);
    rules.scan_events[0].exclusions = vec![ScanExclusion {
        source: AddressRange::host(evil()),
        port: 40_000,
    }];
    let mut sim = Sim::with(rules, ScanConfig::default());
    sim.syn_scan(evil(), 1..=100);
    assert_eq!(sim.codes(), []);
    sim.syn_scan(friend(), 1..=100);
    assert_eq!(sim.scan().1, friend());
    for port in 1..=5 {
        let p = sim.segment(evil(), 40_001, 100 + port, SYN);
        sim.receive(&p);
    }
    assert_eq!(sim.scan().1, evil());
}

/// T-14: answers to what somebody sent in this host's name are no scan of whoever answers.
#[test]
fn backscatter_is_no_scan() {
    let mut sim = Sim::at(Sensitivity::High);
    for port in 1024..1500 {
        for flags in [SYN | ACK, RST, RST | ACK] {
            sim.ack = 99;
            sim.probe(evil(), port, flags);
        }
        let quote = sim.wrap(proto::UDP, evil(), &udp(&[]));
        let p = sim.wrap(proto::ICMP, evil(), &icmp(3, 3, &quote));
        sim.receive(&p);
    }
    assert_eq!(sim.codes(), []);
}

/// Answers of a resolver to sockets that are gone.
#[test]
fn late_answers_are_no_scan() {
    let mut sim = Sim::medium();
    let resolver = v4_of(0x0808_0808);
    for port in 50_000..50_050 {
        let mut query = udp(&[1; 20]);
        query[..2].copy_from_slice(&u16::to_be_bytes(port));
        let mut p = v4(proto::UDP, &[], &query);
        address(&mut p, v4_of(HOST), resolver);
        let _ = sim.one(&p, Point::LocalOut);
        sim.now += 10_000;
        // The flow is forgotten by then.
        sim.flows.clear();
        sim.datagram(resolver, 53, port);
    }
    assert_eq!(sim.codes(), []);
    // What nobody asked for is one.
    for port in 51_000..51_005 {
        sim.datagram(resolver, 53, port);
    }
    assert_eq!(sim.scan().1, resolver);
}

/// An office of 500 behind one address, a health check, retries to a service that is down.
#[test]
fn ordinary_clients_are_no_scan() {
    let mut sim = Sim::medium();
    sim.listening.extend([25, 80, 443, 8443]);
    let office = v4_of(0x0a00_0001);
    for client in 0..500 {
        for port in [80, 443, 8443] {
            sim.connect(office, 10_000 + client, port);
        }
        sim.now += 37;
    }
    let check = v4_of(0x0a00_0002);
    for n in 0..1000 {
        // A whole handshake and a reset, and at times a half one.
        let from = 20_000 + n;
        if n % 2 == 0 {
            sim.connect(check, from, 443);
        } else {
            let syn = sim.segment(check, from, 443, SYN);
            sim.receive(&syn);
        }
        let reset = sim.segment(check, from, 443, RST);
        sim.receive(&reset);
        sim.sleep(500);
    }
    let retry = v4_of(0x0a00_0003);
    for n in 0..100 {
        for port in [3306, 5432] {
            let syn = sim.segment(retry, 30_000 + n, port, SYN);
            sim.receive(&syn);
        }
        sim.sleep(1000);
    }
    sim.now += 100_000;
    sim.close_all();
    assert_eq!(sim.codes(), []);
}

/// T-13: random sources in a flood are no scans, the table keeps its size, and that it is full is told
/// once; who was watched before is watched after.
#[test]
fn a_flood_of_sources_is_told_once_and_hides_nobody() {
    let scans = ScanConfig {
        sources: 1024,
        ..ScanConfig::default()
    };
    let mut sim = Sim::with(policy(Sensitivity::Medium), scans);
    let memory = sim.ids.scan_memory();
    assert_eq!(memory, 1024 * 66);
    sim.syn_scan(evil(), 1..=2);
    for n in 0..100_000_u32 {
        sim.flows.clear();
        sim.probe(
            v4_of(0x0b00_0000 + n.wrapping_mul(2_654_435_761) % 0x4000_0000),
            81,
            SYN,
        );
    }
    assert_eq!(sim.codes(), [SCAN_STORAGE_CONSTRAINED.get()]);
    sim.syn_scan(evil(), 3..=6);
    assert_eq!(sim.scan(), (FAST, evil(), [0, 5, 0]));
    assert_eq!(sim.ids.scan_memory(), memory);
    sim.sleep(MINUTE - 1000);
    assert_eq!(sim.codes(), [], "a minute after the last one");
    sim.sleep(1000);
    assert_eq!(sim.codes(), [SCAN_STORAGE_UNCONSTRAINED.get()]);
    assert_eq!(sim.ids.next_deadline(), None);
}

/// A scanner that takes another address of its prefix for each probe.
#[test]
fn a_prefix_is_counted_as_one() {
    let mut sim = Sim::medium();
    for port in 1..=30_u16 {
        let source = format!("2001:db8:bad:1::{port:x}").parse().unwrap();
        sim.probe(source, port, SYN);
    }
    let events = sim.scans();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].field("prefix"), Some(&OwnedValue::U64(64)));
    let line = sim.sink.lines.last().unwrap();
    assert!(
        line.contains("sipaddr=2001:db8:bad:1::/64,scantype=F"),
        "{line}"
    );

    let scans = ScanConfig {
        prefixes: false,
        ..ScanConfig::default()
    };
    let mut sim = Sim::with(policy(Sensitivity::Medium), scans);
    for port in 1..=30_u16 {
        let source = format!("2001:db8:bad:1::{port:x}").parse().unwrap();
        sim.probe(source, port, SYN);
    }
    assert_eq!(sim.codes(), []);
}

/// The walk sees a source that fails four times more than it succeeds, and clears one that succeeds.
#[test]
fn the_walk_finds_who_mostly_fails() {
    let scans = ScanConfig {
        walk: Some(4),
        ..ScanConfig::default()
    };
    let mut sim = Sim::with(policy(Sensitivity::Medium), scans);
    for port in 1..=4 {
        sim.probe(evil(), port, SYN);
        sim.sleep(15_000);
    }
    assert_eq!(sim.scan(), (SCAN_WALK.get(), evil(), [0, 4, 0]));

    let mut sim = Sim::with(policy(Sensitivity::Medium), scans);
    sim.listening.extend(1001..=1004);
    for port in 1..=4 {
        sim.probe(friend(), port, SYN);
        sim.connect(friend(), 50_000 + port, 1000 + port);
        // The same success again is none.
        sim.connect(friend(), 51_000 + port, 1000 + port);
        sim.sleep(15_000);
    }
    assert_eq!(sim.codes(), []);
}

#[test]
fn log_lines_console_and_defense() {
    let mut rules = policy(Sensitivity::Medium);
    let global = rules.scan.as_mut().unwrap();
    global.rule.reports.detail = true;
    global.rule.reports.console = Some(5);
    global.defense = Some(Defense {
        lifetime: Duration::from_secs(60),
        spoofable: true,
    });
    let mut sim = Sim::with(rules, ScanConfig::default());
    sim.syn_scan(evil(), [81, 82, 83, 84]);
    sim.datagram(evil(), 9, 85);
    let [scan, detail] = &sim.sink.lines[..] else {
        panic!("{:?}", sim.sink.lines);
    };
    assert!(scan.starts_with("EZZ8643I TRMD SCAN threshold exceeded:"));
    let fields = ",sipaddr=192.0.2.66,scantype=F,threshold=5,interval=1,very=0,possibly=5,normal=0,\
                  correlator=1,probeid=030081F5,sensorhostname=host";
    assert!(scan.ends_with(fields), "{scan}");
    assert!(detail.starts_with("EZZ8644I TRMD SCAN detail:"));
    let items = ",sipaddr=192.0.2.66,count=5,events=6,198.51.100.2,81,P;6,198.51.100.2,82,P;\
                 6,198.51.100.2,83,P;6,198.51.100.2,84,P;17,198.51.100.2,85,P,correlator=1,";
    assert!(detail.contains(items), "{detail}");
    assert_eq!(sim.sink.shown.len(), 1, "{:?}", sim.sink.shown);
    assert!(sim.sink.shown[0].contains("EVENT TYPE: FAST SCAN DETECTED"));
    let Some(Action::DefensiveFilter { source, reason, .. }) = sim.actions.poll() else {
        panic!("a filter was asked for");
    };
    assert_eq!((source, reason), (evil(), SCAN_FAST));
}

/// T-11: what nobody can have received correctly is no event.
#[test]
fn wrong_checksums_are_no_scan() {
    let mut sim = Sim::at(Sensitivity::High);
    for port in 1..=20 {
        let now = Now::from_wall(UnixTime::from_micros(sim.now * 1000));
        let mut bytes = sim.segment(evil(), 40_000, port, SYN);
        let sum = header_sum(&bytes[..20]).to_be_bytes();
        bytes[10..12].copy_from_slice(&sum);
        let meta = Meta::new(Point::LocalIn, now);
        let packet = Packet::parse(&bytes, meta);
        let mut cx = Cx::new(now, &mut sim.sink, &mut sim.actions);
        let verdict = sim.ids.before(&mut cx, &packet);
        assert_eq!(verdict, Verdict::Drop(malformed::TRANSPORT_CHECKSUM));
    }
    assert_eq!(sim.codes(), []);
}

fn header_sum(header: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for pair in header.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[test]
fn without_rules_or_room_nothing_is_looked_for() {
    let mut no_events = policy(Sensitivity::Medium);
    no_events.scan_events.clear();
    let mut no_global = policy(Sensitivity::Medium);
    no_global.scan = None;
    let none = ScanConfig {
        sources: 0,
        ..ScanConfig::default()
    };
    for (rules, scans) in [
        (no_events, ScanConfig::default()),
        (no_global, ScanConfig::default()),
        (policy(Sensitivity::None), ScanConfig::default()),
        (policy(Sensitivity::High), none),
    ] {
        let mut sim = Sim::with(rules, scans);
        sim.syn_scan(evil(), 1..=100);
        assert_eq!(sim.codes(), []);
    }
}

/// Other thresholds are in force at once, also those that need more room.
#[test]
fn a_new_policy_is_in_force_at_once() {
    let mut sim = Sim::medium();
    let mut rules = policy(Sensitivity::Medium);
    let global = rules.scan.as_mut().unwrap();
    (global.fast_threshold, global.slow_threshold) = (60, 64);
    sim.ids.install(rules);
    sim.syn_scan(evil(), 100..159);
    assert_eq!(sim.codes(), []);
    sim.syn_scan(evil(), 159..180);
    assert_eq!(sim.scan(), (FAST, evil(), [0, 60, 0]));
}

/// Clocks that go back or jump: no panic, at most a delay, and no report that nothing justifies.
#[test]
fn clocks_that_jump_do_no_harm() {
    arbtest::arbtest(|u| {
        let scans = ScanConfig {
            sources: 64,
            window: *u.choose(&[Window::Tumbling, Window::Sliding])?,
            walk: *u.choose(&[None, Some(4)])?,
            prefixes: true,
        };
        let mut sim = Sim::with(policy(Sensitivity::High), scans);
        let mut seen: BTreeMap<IpAddr, BTreeSet<u16>> = BTreeMap::new();
        for _ in 0..u.int_in_range(0..=200)? {
            sim.now = match u.int_in_range(0..=9)? {
                0 => u.int_in_range(0..=u64::MAX / 2000)?,
                1 => sim.now.saturating_sub(u.int_in_range(0..=200_000)?),
                _ => sim.now.saturating_add(u.int_in_range(0..=10_000)?),
            };
            let source = v4_of(0x0a00_0000 + u.int_in_range(0..=100)?);
            let port = u.int_in_range(1..=20)?;
            seen.entry(source).or_default().insert(port);
            sim.probe(source, port, *u.choose(&[SYN, 0, ACK])?);
            sim.sleep(0);
        }
        for event in sim.scans() {
            if let Some(OwnedValue::Addr(source)) = event.field("source") {
                let least = if event.code == SCAN_WALK { 2 } else { 5 };
                assert!(seen[source].len() >= least, "{event:?}");
            }
        }
        assert_eq!(sim.ids.scan_memory(), 64 * 66);
        // And a scan is still found.
        sim.now = 7200 * 1000 * 2000;
        sim.syn_scan(evil(), 200..=205);
        let found = sim.scans();
        assert!(found.iter().any(|e| e.code == SCAN_FAST), "{found:?}");
        Ok(())
    });
}

/// T-07: -D: the same SYN from decoys and the true source, which resets what was answered.
#[test]
fn decoys_are_recognised_and_the_true_source_among_them() {
    let mut sim = Sim::medium();
    sim.same = true;
    let sources = [
        v4_of(0x0a00_0001),
        v4_of(0x0a00_0002),
        evil(),
        v4_of(0x0a00_0003),
    ];
    for port in [81, 82, 83, 80, 84, 85] {
        for source in sources {
            sim.probe(source, port, SYN);
        }
        if port == 80 {
            sim.probe(evil(), port, RST);
        }
        sim.now += 10;
    }
    let events = sim.scans();
    let of = |code| events.iter().filter(move |e| e.code == code);
    let scanning: BTreeSet<_> = of(SCAN_FAST)
        .map(|e| e.field("source").cloned())
        .map(|s| format!("{s:?}"))
        .collect();
    assert_eq!(scanning.len(), 4, "all of them: {events:?}");
    assert_eq!(of(SCAN_DECOYS).count(), 1);
    let found: Vec<_> = of(SCAN_DECOY_SOURCE).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].field("source"), Some(&OwnedValue::Addr(evil())));
    let correlator = of(SCAN_DECOYS).next().unwrap().field("correlator");
    assert_eq!(found[0].field("correlator"), correlator);
    assert!(
        sim.sink
            .lines
            .iter()
            .any(|l| l.contains("sign=source among decoys"))
    );

    // Three clients that happen to take the same port.
    let mut sim = Sim::medium();
    for source in sources {
        sim.probe(source, 80, SYN);
    }
    assert_eq!(sim.codes(), []);
}

/// T-08: -O over IPv4: three different probes within two seconds.
#[test]
fn os_detection_is_recognised() {
    let timestamp = [8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    let options = [&[3, 3, 10, 1, 2, 4, 5, 0xb4][..], &timestamp, &[4, 2]].concat();
    let series = |sim: &mut Sim, gap: u64, source: IpAddr| {
        // SEQ1: an acknowledgment number without ACK, a timestamp of all ones, a window of one.
        sim.options = options.clone();
        let mut p = sim.segment(source, 40_000, 80, SYN);
        p[28..32].copy_from_slice(&9_u32.to_be_bytes());
        p[34..36].copy_from_slice(&1_u16.to_be_bytes());
        sim.receive(&p);
        sim.now += gap;
        // T2: no flags.
        sim.probe(source, 80, 0);
        sim.now += gap;
        // IE1: an echo request of code 9.
        let echo = sim.wrap(proto::ICMP, source, &icmp(8, 9, &[0; 120]));
        let now = Now::from_wall(UnixTime::from_micros(sim.now * 1000));
        let meta = Meta::new(Point::LocalIn, now).with_checksums(Checksums::Verified);
        let mut cx = Cx::new(now, &mut sim.sink, &mut sim.actions);
        let _ = sim.ids.before(&mut cx, &Packet::parse(&echo, meta));
    };
    let mut sim = Sim::medium();
    series(&mut sim, 25, evil());
    let found = sim.scans();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code, SCAN_OS_PROBES);
    assert_eq!(found[0].field("source"), Some(&OwnedValue::Addr(evil())));
    // One at a time, each by itself, is none.
    let mut sim = Sim::medium();
    for _ in 0..3 {
        sim.now += 3000;
        sim.probe(evil(), 80, 0);
        sim.now += 3000;
        let echo = sim.wrap(proto::UDP, evil(), &udp(&[0x43; 300]));
        sim.receive(&echo);
    }
    assert_eq!(sim.codes(), []);
}

/// -sI: this host as the idle one; an answer to a forged SYN comes to a port from which hosts connect.
#[test]
fn probes_of_an_idle_scan_are_recognised() {
    let mut sim = Sim::medium();
    for n in 0..6 {
        sim.ack = 99;
        let p = sim.segment(evil(), 50_000 + n, 80, SYN | ACK);
        sim.receive(&p);
        sim.now += 100;
    }
    let events = sim.scans();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].code, SCAN_IDLE_PROBES);
}

/// Sixty sources with one port each; a flood of one port is none.
#[test]
fn many_sources_at_many_ports_are_one_scan() {
    let mut sim = Sim::medium();
    for n in 0..60_u16 {
        sim.seq = sim.seq.wrapping_add(77);
        sim.probe(v4_of(0x0a01_0000 + u32::from(n)), 1000 + n, SYN);
        sim.now += 500;
    }
    assert_eq!(sim.codes(), [SCAN_DISTRIBUTED.get()]);
    let mut sim = Sim::medium();
    for n in 0..600_u32 {
        sim.probe(v4_of(0x0a01_0000 + n), 1000, SYN);
        sim.now += 50;
    }
    assert_eq!(sim.codes(), []);
    // Slowly, as anybody's address is tried all the time.
    for n in 0..600_u16 {
        sim.probe(v4_of(0x0a02_0000 + u32::from(n)), 1000 + n, SYN);
        sim.now += 5000;
    }
    assert_eq!(sim.codes(), []);
}
