//! What is told of connections reaches their records through the guard: facts by addresses and
//! ports, associations by the packets that come through them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::field_reassign_with_default,
    reason = "a failing test may panic"
)]

mod support;

use hostward::hook::action::Cx;
use hostward::hook::event::{Class, EventQueue, OwnedEvent, OwnedValue};
use hostward::hook::flow::HashKey;
use hostward::hook::frame::VecFrame;
use hostward::hook::ident::{RuleId, SaId, TunnelId};
use hostward::hook::layout::proto;
use hostward::hook::protection::{
    Fact, FilterAction, FilterRule, FilterRules, IpsecTunnel, Protocol, TlsSession,
};
use hostward::hook::{
    FlowKey, FrameBuf, Instant, Layout, Meta, Now, Opened, Packet, PacketTransform, Point, Timers,
    UnixTime, Verdict,
};
use hostward::zert::Zert;
use hostward::{Guard, GuardConfig};
use support::{End, tcp, udp};

const CLIENT: End = ([10, 0, 0, 9], 40_000);
const SERVER: End = ([192, 0, 2, 1], 443);

fn at(ms: u64) -> Now {
    Now::new(Instant::from_millis(ms), UnixTime::from_secs(1_700_000_000))
}

/// Opens packets of protocol 50: the association's number, then the packet, in clear.
#[derive(Debug)]
struct Double;

impl Timers for Double {}

impl PacketTransform for Double {
    fn max_overhead(&self) -> usize {
        24
    }

    fn wants_open(&self, packet: &Packet<'_>) -> bool {
        packet.layout().protocol() == proto::ESP
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
        let (number, inner) = frame.bytes()[20..].split_first_chunk::<4>().unwrap();
        let (sa, inner) = (u32::from_be_bytes(*number), inner.to_vec());
        frame.replace(&inner).unwrap();
        Ok(Opened::new(SaId(sa)))
    }
}

/// A packet as it comes through an association.
fn through(sa: u32, packet: &[u8]) -> Vec<u8> {
    let length = (24 + packet.len()) as u16;
    let mut p = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, proto::ESP, 0, 0];
    p.extend([CLIENT.0, SERVER.0].concat());
    p[2..4].copy_from_slice(&length.to_be_bytes());
    support::fix_checksum(&mut p);
    p.extend(sa.to_be_bytes());
    p.extend(packet);
    p
}

struct Play<T> {
    guard: Guard<T>,
    events: EventQueue,
}

impl<T: PacketTransform> Play<T> {
    fn new(ipsec: T) -> Self {
        let guard = Guard::with_ipsec(GuardConfig::default(), HashKey::new([3; 16]), ipsec);
        Self {
            guard: guard.zert(Zert::default()),
            events: EventQueue::new(100),
        }
    }

    fn time(&mut self, ms: u64) {
        while self
            .guard
            .next_deadline()
            .is_some_and(|due| due <= at(ms).mono)
        {
            let due = self.guard.next_deadline().unwrap();
            self.guard
                .handle_deadline(at(due.as_millis()), &mut self.events);
        }
    }

    fn packet(&mut self, ms: u64, packet: &[u8]) {
        self.time(ms);
        let out = packet.get(12..16) == Some(&SERVER.0);
        let meta = Meta::new(if out { Point::LocalOut } else { Point::LocalIn }, at(ms));
        let mut frame = VecFrame::new(64, 65_535);
        frame.set(packet);
        let verdict = self.guard.packet(&mut frame, meta, &mut self.events);
        assert!(verdict.is_continue(), "{verdict:?}");
    }

    fn told(&mut self, ms: u64, fact: &Fact<'_>) {
        let end = |e: End| std::net::SocketAddr::from(e);
        let key = FlowKey::new(end(SERVER), end(CLIENT), 6).unwrap();
        self.guard.protection(&key, fact, at(ms), &mut self.events);
    }

    /// Discovery events by time and number, and the record at the end.
    fn end(mut self, ms: u64) -> (Vec<(u64, u16)>, OwnedEvent) {
        self.time(ms);
        self.guard.finish(at(ms), &mut self.events);
        let progress = self.events.iter().filter(|e| e.class == Class::Progress);
        let progress = progress
            .map(|e| (e.now.mono.as_millis(), e.code.get() - 6010))
            .collect();
        let record = self.events.iter().find(|e| e.class == Class::Record);
        (progress, record.unwrap().clone())
    }
}

fn text<'e>(event: &'e OwnedEvent, field: &str) -> Option<&'e str> {
    match event.field(field) {
        Some(OwnedValue::Str(s)) => Some(s),
        _ => None,
    }
}

fn open() -> [Vec<u8>; 3] {
    [
        tcp(CLIENT, SERVER, "S", 99, 0, &[]),
        tcp(SERVER, CLIENT, "SA", 199, 100, &[]),
        tcp(CLIENT, SERVER, "A", 100, 200, &[]),
    ]
}

fn tunnel(encryption: u16) -> IpsecTunnel<'static> {
    let mut t = IpsecTunnel::default();
    t.tunnel = TunnelId(5);
    t.protocol = 50;
    t.transforms.encryption = Some(encryption);
    t
}

#[test]
fn a_tunnel_is_bound_by_the_packets_that_come_through_it() {
    let mut p = Play::new(Double);
    for (sa, encryption) in [(1, 20), (2, 20), (3, 12)] {
        let t = tunnel(encryption);
        p.guard
            .association(SaId(sa), Some(&t), at(0), &mut p.events);
    }
    let [syn, answer, ack] = open();
    p.packet(0, &through(1, &syn));
    // What is sent is protected later, and says nothing.
    p.packet(1, &answer);
    p.packet(2, &through(1, &ack));
    let data = |i: u32| tcp(CLIENT, SERVER, "A", 100 + i, 200, b"x");
    let reply = |i: u32| tcp(SERVER, CLIENT, "A", 200, 101 + i, &[]);
    p.packet(3, &through(1, &data(0)));
    p.packet(4, &reply(0));
    // New keys, the same tunnel; then another one.
    p.packet(11_000, &through(2, &data(1)));
    p.packet(11_001, &reply(1));
    p.packet(12_000, &through(3, &data(2)));
    let mut rules = FilterRules::default();
    rules.inbound = Some(FilterRule::new(
        RuleId(1),
        "to branch",
        FilterAction::Protect,
    ));
    p.told(12_500, &Fact::FilterRules(rules));
    // In clear.
    p.packet(13_000, &data(3));
    p.packet(14_000, &through(3, &data(4)));
    let (events, record) = p.end(15_000);
    assert_eq!(events, [(10_000, 1), (12_000, 2), (13_000, 2), (14_000, 2)]);
    assert_eq!(text(&record, "proto"), Some("ipsec"));
    assert_eq!(record.field("tunnel"), Some(&OwnedValue::U64(5)));
    assert_eq!(
        record.field("tunnel_encryption"),
        Some(&OwnedValue::U64(12))
    );
    assert_eq!(text(&record, "filter_in"), Some("to branch"));
}

#[test]
// Enterprise Extender: an initiation with the first packet, a change when a tunnel carries it, a
// termination when nothing comes any more. Other datagrams are no such connection.
fn enterprise_extender_is_a_connection() {
    let (a, b) = ((CLIENT.0, 12_000), (SERVER.0, 12_000));
    let mut p = Play::new(Double);
    let t = tunnel(20);
    p.guard.association(SaId(1), Some(&t), at(0), &mut p.events);
    p.packet(5, &udp((CLIENT.0, 12_005), b, b"other"));
    p.packet(100, &udp(a, b, b"one"));
    p.packet(200, &udp(b, a, b"two"));
    p.packet(1_000, &through(1, &udp(a, b, b"three")));
    let (events, record) = p.end(9_000_000);
    let times: Vec<_> = events.iter().map(|(_, number)| *number).collect();
    assert_eq!(times, [1, 2, 3]);
    assert_eq!((events[0].0, events[1].0), (100, 1_000));
    assert_eq!(text(&record, "proto"), Some("ipsec"));
    assert_eq!(record.field("packets"), Some(&OwnedValue::U64(3)));
}

#[test]
fn a_library_tells_by_addresses_in_either_order() {
    let mut p = Play::new(());
    for packet in open() {
        p.packet(0, &packet);
    }
    let mut session = TlsSession::default();
    session.provider = "a library";
    session.version = 0x0304;
    session.cipher_suite = Some(0x1302);
    session.client = Some(hostward::hook::Side::Initiator);
    p.told(5, &Fact::TlsSession(session));
    let (events, record) = p.end(10_000);
    assert_eq!(events, [(10_000, 1)]);
    assert_eq!(text(&record, "cipher"), Some("TLS_AES_256_GCM_SHA384"));
    assert_eq!(text(&record, "source"), Some("advised"));
    assert_eq!(text(&record, "provider"), Some("a library"));
    assert_eq!(text(&record, "role"), Some("server"));
}

#[test]
fn a_hint_makes_the_guard_look_again() {
    let mut hello = vec![3, 3];
    hello.extend([9; 32]);
    hello.extend([0, 0, 2, 0x13, 1, 1, 0]);
    let message = [&[1, 0, 0, hello.len() as u8][..], &hello].concat();
    let hello = [&[22, 3, 1, 0, message.len() as u8][..], &message].concat();
    let play = |hint: bool| {
        let mut p = Play::new(());
        for packet in open() {
            p.packet(0, &packet);
        }
        let clear = [b'x'; 1_000];
        for i in 0..20 {
            p.packet(1, &tcp(CLIENT, SERVER, "A", 100 + i * 1_000, 200, &clear));
            p.packet(1, &tcp(SERVER, CLIENT, "A", 200, 1_100 + i * 1_000, &[]));
        }
        if hint {
            p.told(2, &Fact::HandshakeHint(Protocol::Tls));
        }
        p.packet(3, &tcp(CLIENT, SERVER, "A", 20_100, 200, &hello));
        text(&p.end(4).1, "proto").unwrap().to_owned()
    };
    assert_eq!(play(false), "none");
    assert_eq!(play(true), "tls");
}
