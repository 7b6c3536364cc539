//! All detectors: any packets with any facts of a host, single and batched, at any times; equal
//! answers, nothing that panics, and every line of the log can be written.
//!
//! The input is a list of packets: two bytes of length, one of flags (out, raw, routed, known flow,
//! two bits of a fact), two of time in seconds, forwards or, with the highest bit, backwards.
#![no_main]

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use hostward::hook::action::{ActionQueue, Cx};
use hostward::hook::event::{Class, Event, EventSink, OwnedEvent};
use hostward::hook::flow::FlowKey;
use hostward::hook::ident::{InterfaceId, JobId};
use hostward::hook::meta::Routing;
use hostward::hook::{Instant, Meta, Now, Packet, PacketHook, Point, Timers, UnixTime, Verdict};
use hostward::ids::detect::{ConnectionFact, Discard, Queue, QueueFact, UdpQueue};
use hostward::ids::message::{Message, console};
use hostward::ids::policy::{
    Attack, AttackRule, Defense, NumberSet, Policy, QueueSize, ReportSet, Statistics,
    TcpRegulation, Trace, UdpRegulation,
};
use hostward::ids::scans::ScanConfig;
use hostward::ids::{Config, Ids, Slot};
use libfuzzer_sys::fuzz_target;

/// Writes all that can be written about events, and keeps them.
#[derive(Default)]
struct Sink(Vec<OwnedEvent>);

impl EventSink for Sink {
    fn wants(&self, _: Class) -> bool {
        true
    }

    fn emit(&mut self, event: &Event<'_>) {
        let line = Message::of(event, &(), "host").expect("every event has a line");
        assert!(line.text.len() < 1000);
        let _ = console(event, &(), "TCPIP");
        self.0.push(event.into());
    }
}

fn policy() -> Policy {
    let mut policy = Policy::standard();
    let low: NumberSet = (0..128).collect();
    let more = [
        Attack::OutboundRaw { protocols: low },
        Attack::OutboundRawIpv6 { next_headers: low },
        Attack::RestrictedIpOptions(low),
        Attack::RestrictedIpProtocol((100..=255).collect()),
        Attack::RestrictedIpv6NextHeader((100..=255).collect()),
        Attack::RestrictedIpv6DestinationOptions(low),
        Attack::RestrictedIpv6HopOptions(low),
        Attack::EeLdlcCheck,
        Attack::EeMalformedPacket,
        Attack::EePortCheck,
        Attack::EeXidFlood { timeouts: 2 },
    ];
    policy
        .attacks
        .extend(more.map(|a| AttackRule::new("more", a)));
    for rule in &mut policy.attacks {
        if let Attack::Flood { minimum, .. } = &mut rule.attack {
            *minimum = 3;
        }
        rule.rule.reports = ReportSet {
            console: Some(2),
            detail: true,
            trace: Some(Trace::Full),
            statistics: Some(Statistics::default()),
            ..ReportSet::log()
        };
        rule.defense = Some(Defense {
            lifetime: Duration::from_secs(60),
            spoofable: true,
        });
    }
    policy.tcp = vec![TcpRegulation {
        total: 2,
        percentage: 50,
        limit: true,
        ..TcpRegulation::new("tcp")
    }];
    policy.udp = vec![UdpRegulation {
        size: QueueSize::VeryShort,
        limit: true,
        ..UdpRegulation::new("udp")
    }];
    policy
}

struct Rig {
    ids: Ids,
    events: Sink,
    actions: ActionQueue<8>,
}

impl Rig {
    fn new() -> Self {
        let config = Config {
            policy: policy(),
            listeners: 2,
            backlog: 1,
            interfaces: 2,
            queues: 2,
            tcp_ports: 2,
            tcp_hosts: 2,
            udp_ports: 2,
            scans: ScanConfig {
                sources: 8,
                ..ScanConfig::default()
            },
            ..Config::default()
        };
        let mut ids = Ids::new(config);
        ids.host_mut()
            .set_home([IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1))]);
        Self {
            ids,
            events: Sink::default(),
            actions: ActionQueue::new(),
        }
    }

    fn run<R>(&mut self, now: Now, f: impl FnOnce(&mut Ids, &mut Cx<'_>) -> R) -> R {
        let mut cx = Cx::new(now, &mut self.events, &mut self.actions);
        f(&mut self.ids, &mut cx)
    }

    /// A fact of the host, made of a packet's bytes.
    fn fact(&mut self, now: Now, which: u8, key: FlowKey, bytes: &[u8]) {
        let n = bytes.len() as u64;
        let small = bytes.first().copied().unwrap_or(0);
        let local = key.destination();
        match which {
            0 => {
                let queue = QueueFact {
                    connection: n & 3,
                    key,
                    job: JobId(1),
                    queue: Queue::Send,
                    bytes: n << 12,
                    age: Duration::from_secs(small.into()),
                };
                self.run(now, |ids, cx| ids.tcp_queue(cx, queue));
                self.run(now, |ids, cx| ids.ee_xid_timeout(cx, local));
            }
            1 => {
                let id = InterfaceId(u32::from(small & 3));
                self.run(now, |ids, cx| {
                    ids.interface_discards(cx, id, n, Discard::Media)
                });
                let _ = self.run(now, |ids, cx| ids.tcp_opened(cx, &key, None));
            }
            2 => {
                let queue = UdpQueue {
                    address: local,
                    port: key.destination_port(),
                    datagrams: n,
                    bytes: n * 100,
                    bytes_only: small & 1 == 1,
                };
                let _ = self.run(now, |ids, cx| ids.udp_datagram(cx, &queue, n));
                self.run(now, |ids, cx| ids.udp_read(cx, &queue));
            }
            _ => {
                let fact = ConnectionFact {
                    connection: 1,
                    key,
                    job: JobId(0),
                    window: small.into(),
                    largest_window: 9,
                    queued: n,
                    full: true,
                    retransmitting: false,
                };
                let facts = vec![fact; 1000];
                self.run(now, |ids, cx| ids.tcp_connections(cx, facts.iter()));
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let (mut one, mut many) = (Rig::new(), Rig::new());
    let mut seconds: u64 = 1_000_000;
    let mut rest = data;
    let mut batch: Vec<(Vec<u8>, Meta, u8)> = Vec::new();
    while let [a, b, flags, t, u, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*a, *b]))
            .min(tail.len())
            .min(4096);
        let (bytes, after) = tail.split_at(length);
        rest = after;
        let time = u64::from(u16::from_be_bytes([*t, *u]));
        seconds = if time & 0x8000 == 0 {
            seconds + time
        } else {
            seconds.saturating_sub(time & 0x7fff)
        };
        let now = Now::new(Instant::from_secs(seconds), UnixTime::from_secs(seconds));
        let point = if flags & 1 == 0 {
            Point::LocalIn
        } else {
            Point::LocalOut
        };
        let routing = if flags & 4 == 0 {
            Routing::Local
        } else {
            Routing::Routed
        };
        let meta = Meta::new(point, now)
            .with_raw(flags & 2 != 0)
            .with_routing(routing)
            .with_interface(InterfaceId(u32::from(flags >> 6)));
        batch.push((bytes.to_vec(), meta, *flags));
        if batch.len() == 8 {
            both(&mut one, &mut many, &batch);
            batch.clear();
        }
    }
    both(&mut one, &mut many, &batch);
    assert_eq!(one.events.0, many.events.0);
});

/// Judges packets one by one and all at once, at the time of the first.
fn both(one: &mut Rig, many: &mut Rig, batch: &[(Vec<u8>, Meta, u8)]) {
    let Some((_, first, _)) = batch.first() else {
        return;
    };
    let now = first.now;
    let packets: Vec<Packet<'_>> = batch
        .iter()
        .map(|(bytes, meta, _)| {
            let mut meta = *meta;
            meta.now = now;
            Packet::parse(bytes, meta)
        })
        .collect();
    let alone: Vec<Verdict> = packets
        .iter()
        .map(|p| one.run(now, |ids, cx| ids.before(cx, p)))
        .collect();
    let mut verdicts = vec![Verdict::Continue; packets.len()];
    many.run(now, |ids, cx| ids.before_batch(cx, &packets, &mut verdicts));
    assert_eq!(alone, verdicts);
    for rig in [one, many] {
        for (packet, (bytes, _, flags)) in packets.iter().zip(batch) {
            let mut slot = Slot::default();
            for _ in 0..2 {
                let known = (flags & 8 != 0).then_some(&mut slot);
                let _ = rig.run(now, |ids, cx| {
                    ids.after(cx, packet, known, Verdict::Continue)
                });
            }
            if let Some(key) = packet.key() {
                rig.fact(now, flags >> 4 & 3, key, bytes);
            }
        }
        rig.run(now, |ids, cx| ids.handle_deadline(cx));
        while rig.actions.poll().is_some() {}
    }
}
