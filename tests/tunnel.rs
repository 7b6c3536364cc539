//! Two guarded hosts with a tunnel between them: the filter decides, IPsec protects, the record
//! knows how.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

mod support;

use std::net::IpAddr;
use std::sync::Arc;

use hostward::crypto::{Provider, Secret, backend};
use hostward::filter::{Action, AddressSpec, Filter, Rule, RuleSet, Tunnel as Named, TunnelKind};
use hostward::hook::event::{Class, EventQueue, OwnedEvent, OwnedValue};
use hostward::hook::flow::HashKey;
use hostward::hook::frame::VecFrame;
use hostward::hook::hold::HoldQueue;
use hostward::hook::ident::{SaId, TunnelId};
use hostward::hook::protection::Encapsulation;
use hostward::hook::{
    Action as Wish, FrameBuf, Instant, Meta, Now, Point, Routing, UnixTime, Verdict,
};
use hostward::ipsec::manual::Half;
use hostward::ipsec::{
    Addresses, Directory, IkeFacts, Install, Ipsec, IpsecConfig, LocalAddresses, ManualTunnel,
    Parameters, Selectors, Sending, Suite, Tunnel,
};
use hostward::zert::Zert;
use hostward::{Associations, Guard, GuardConfig};
use support::{End, tcp};

const CLIENT: End = ([10, 1, 0, 9], 40_000);
const SERVER: End = ([10, 2, 0, 1], 443);
const T: TunnelId = TunnelId(0);
const GATES: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]];

fn at(ms: u64) -> Now {
    let wall = UnixTime::from_micros(1_700_000_000_000_000 + ms * 1_000);
    Now::new(Instant::from_millis(ms), wall)
}

struct Host {
    guard: Guard<Ipsec>,
    events: EventQueue,
    held: HoldQueue<Vec<u8>>,
    /// Whether packets end here, or at a host behind.
    routing: Routing,
}

fn net(a: u8) -> AddressSpec {
    format!("10.{a}.0.0/24").parse().unwrap()
}

/// The addresses of a network are this host's.
#[derive(Debug)]
struct Own(u8);

impl LocalAddresses for Own {
    fn is_local(&self, address: IpAddr) -> bool {
        net(self.0).contains(address)
    }
}

/// A gate whose own network is `10.own.0.0/24`.
fn host(own: u8, other: u8) -> Host {
    let directory = Arc::new(Directory::new(64, HashKey::new([own; 16])));
    let rule = Rule::new("to branch", Action::Ipsec(T))
        .source(net(own))
        .destination(net(other));
    let rules =
        RuleSet::new(vec![rule], 1).with_tunnels(vec![Named::new("gold", TunnelKind::Dynamic)]);
    let tunnels = Arc::new(Associations(Arc::clone(&directory)));
    let filter = Filter::new(Arc::new(rules)).tunnels(tunnels);
    let provider = Provider::of([backend::RUST_CRYPTO]);
    let config = IpsecConfig {
        local: Some(Arc::new(Own(own))),
        ..IpsecConfig::default()
    };
    let mut ipsec = Ipsec::new(config, directory, provider);
    ipsec.set_tunnel(Tunnel::dynamic(T, "gold")).unwrap();
    let guard = Guard::with_ipsec(GuardConfig::default(), HashKey::new([3; 16]), ipsec);
    Host {
        guard: guard.filter(filter).zert(Zert::default()),
        events: EventQueue::new(1_000),
        held: HoldQueue::new(16, 100_000),
        routing: Routing::Local,
    }
}

impl Host {
    fn judge(&mut self, ms: u64, packet: &[u8], point: Point) -> (Verdict, Vec<u8>) {
        while let Some(due) = self.guard.next_deadline().filter(|d| *d <= at(ms).mono) {
            self.guard
                .handle_deadline(at(due.as_millis()), &mut self.events);
        }
        let meta = Meta::new(point, at(ms)).with_routing(self.routing);
        let mut frame = VecFrame::new(128, 65_535);
        frame.set(packet);
        let verdict = self.guard.packet(&mut frame, meta, &mut self.events);
        (verdict, frame.bytes().to_vec())
    }

    fn record(mut self, ms: u64) -> (Vec<u16>, OwnedEvent) {
        self.guard.finish(at(ms), &mut self.events);
        let progress = self.events.iter().filter(|e| e.class == Class::Progress);
        let progress = progress.map(|e| e.code.get() - 6010).collect();
        let record = self.events.iter().find(|e| e.class == Class::Record);
        (progress, record.unwrap().clone())
    }
}

fn install(spi: u32, own: usize, suite: Suite) -> Install {
    let key = |spi: u32| Secret::new(vec![spi as u8; suite.key_material_len()]);
    let half = |spi| {
        let ends = (GATES[own].into(), GATES[1 - own].into());
        Parameters::new(SaId(0), spi, suite, Encapsulation::Tunnel, key(spi), ends)
    };
    let net = |a: usize| Addresses::prefix([10, a as u8 + 1, 0, 0].into(), 24).unwrap();
    let selectors = Selectors::between(net(own), net(1 - own));
    let (inbound, outbound) = (spi + own as u32, spi + 1 - own as u32);
    let mut ike = IkeFacts::default();
    ike.major = 2;
    ike.rule = "branch".into();
    ike.transforms.encryption = Some(20);
    ike.transforms.encryption_bits = 256;
    ike.transforms.prf = Some(5);
    ike.transforms.group = Some(19);
    ike.local_method = Some(2);
    ike.remote_method = Some(2);
    Install::new(T, [selectors], half(inbound), half(outbound)).with_ike(Arc::new(ike))
}

fn both(ms: u64, hosts: &mut [Host; 2], spi: u32, suite: Suite) -> [SaId; 2] {
    let mut n = 0;
    hosts.each_mut().map(|host| {
        let it = install(spi, n, suite);
        n += 1;
        host.guard
            .with_ipsec_cx(at(ms), &mut host.events, |i, cx| i.install(cx, it))
            .unwrap()
    })
}

/// From host to host through the tunnel, however that is judged.
fn carry(ms: u64, hosts: &mut [Host; 2], packet: &[u8]) -> Result<(), Verdict> {
    let from = usize::from(packet[12..16] == SERVER.0);
    let (verdict, sealed) = hosts[from].judge(ms, packet, Point::LocalOut);
    if !verdict.is_continue() {
        return Err(verdict);
    }
    assert_eq!((sealed[9], &sealed[12..16]), (50, &GATES[from][..]));
    let (verdict, opened) = hosts[1 - from].judge(ms, &sealed, Point::LocalIn);
    assert_eq!(opened[20..], packet[20..]);
    if verdict.is_continue() {
        Ok(())
    } else {
        Err(verdict)
    }
}

fn text<'e>(event: &'e OwnedEvent, field: &str) -> Option<&'e str> {
    match event.field(field) {
        Some(OwnedValue::Str(s)) => Some(s),
        _ => None,
    }
}

fn hello() -> Vec<u8> {
    let mut hello = vec![3, 3];
    hello.extend([9; 32]);
    hello.extend([0, 0, 2, 0x13, 1, 1, 0]);
    let message = [&[1, 0, 0, hello.len() as u8][..], &hello].concat();
    [&[22, 3, 1, 0, message.len() as u8][..], &message].concat()
}

fn begin(ms: u64, hosts: &mut [Host; 2]) {
    for packet in [
        tcp(CLIENT, SERVER, "S", 99, 0, &[]),
        tcp(SERVER, CLIENT, "SA", 199, 100, &[]),
        tcp(CLIENT, SERVER, "A", 100, 200, &[]),
    ] {
        carry(ms, hosts, &packet).unwrap();
    }
}

/// RFC 4301 §5.1, §5.2, and what is recorded of it: rekeying with the same algorithms changes
/// nothing, with others it does.
#[test]
fn a_connection_in_a_tunnel_is_recorded_and_a_rekey_is_no_change() {
    let mut hosts = [host(1, 2), host(2, 1)];
    let old = both(0, &mut hosts, 1_000, Suite::AES_128_GCM);
    begin(0, &mut hosts);
    let data = |n: u32| tcp(CLIENT, SERVER, "PA", 100 + n, 200, b"x");
    let reply = |n: u32| tcp(SERVER, CLIENT, "A", 200, 101 + n, b"");
    carry(5, &mut hosts, &data(0)).unwrap();
    carry(6, &mut hosts, &reply(0)).unwrap();
    // New keys, the same algorithms; the old associations go.
    both(11_000, &mut hosts, 2_000, Suite::AES_128_GCM);
    for (host, sa) in hosts.iter_mut().zip(old) {
        host.guard
            .with_ipsec_cx(at(11_500), &mut host.events, |i, cx| {
                assert!(i.remove(cx, sa, hostward::ipsec::Removal::Wanted));
            });
    }
    carry(12_000, &mut hosts, &data(1)).unwrap();
    carry(12_001, &mut hosts, &reply(1)).unwrap();
    // Other algorithms.
    both(13_000, &mut hosts, 3_000, Suite::AES_256_GCM);
    carry(14_000, &mut hosts, &data(2)).unwrap();
    carry(14_001, &mut hosts, &reply(2)).unwrap();
    for host in hosts {
        let (events, record) = host.record(20_000);
        // Protected from the beginning, one change, the end.
        assert_eq!(events, [1, 2]);
        assert_eq!(text(&record, "proto"), Some("ipsec"));
        assert_eq!(record.field("tunnel"), Some(&OwnedValue::U64(0)));
        assert_eq!(
            record.field("tunnel_encryption"),
            Some(&OwnedValue::U64(20))
        );
    }
}

#[test]
fn tls_inside_of_a_tunnel_is_recorded_as_both() {
    let mut hosts = [host(1, 2), host(2, 1)];
    both(0, &mut hosts, 1_000, Suite::CHACHA20_POLY1305);
    begin(0, &mut hosts);
    carry(
        5,
        &mut hosts,
        &tcp(CLIENT, SERVER, "PA", 100, 200, &hello()),
    )
    .unwrap();
    let [client, server] = hosts;
    for host in [client, server] {
        let (_, record) = host.record(20_000);
        assert_eq!(
            record.field("tunnel_encryption"),
            Some(&OwnedValue::U64(28))
        );
        assert_eq!(text(&record, "proto"), Some("tls"));
    }
}

// RFC 4301 §5.2: in clear it does not come in, and out it does not go.
#[test]
fn nothing_passes_beside_the_tunnel() {
    let mut hosts = [host(1, 2), host(2, 1)];
    both(0, &mut hosts, 1_000, Suite::AES_128_GCM);
    let syn = tcp(CLIENT, SERVER, "S", 99, 0, &[]);
    let (verdict, _) = hosts[1].judge(0, &syn, Point::LocalIn);
    assert_eq!(verdict, Verdict::Drop(hostward::filter::NOT_THROUGH_TUNNEL));
    assert!(hosts[1].guard.flows().is_empty());
    // What the tunnel is not for is not even opened for the rules.
    let stray = tcp(([10, 9, 0, 1], 1), SERVER, "S", 99, 0, &[]);
    let (verdict, _) = hosts[0].judge(0, &stray, Point::LocalOut);
    assert!(verdict.is_refused());
}

/// Without an association a packet waits: it has not been sent, so its flow does not know it.
#[test]
fn a_packet_waits_and_is_sent_later() {
    let mut hosts = [host(1, 2), host(2, 1)];
    let syn = tcp(CLIENT, SERVER, "S", 99, 0, &[]);
    let (verdict, clear) = hosts[0].judge(0, &syn, Point::LocalOut);
    let Verdict::Hold(ticket) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(clear, syn);
    assert!(hosts[0].guard.flows().is_empty());
    let host = &mut hosts[0];
    let until = host.guard.ipsec_ref().hold_until(at(0).mono);
    host.held.hold_as(ticket, clear, syn.len(), until).unwrap();
    let wish = host.guard.poll_action().unwrap();
    assert!(
        matches!(wish, Wish::AcquireSa { tunnel: T, key, .. } if key.destination() == IpAddr::from(SERVER.0))
    );
    both(1_000, &mut hosts, 1_000, Suite::AES_128_GCM);
    assert_eq!(hosts[0].guard.poll_action(), Some(Wish::Release(ticket)));
    let waited = hosts[0].held.take(ticket).unwrap();
    carry(1_001, &mut hosts, &waited).unwrap();
    assert_eq!(hosts[0].guard.flows().len(), 1);
}

#[test]
fn a_batch_is_sealed_and_opened_as_its_packets_are() {
    let packets: Vec<_> = (0..40u32)
        .map(|n| {
            tcp(
                (CLIENT.0, 40_000 + n as u16 % 7),
                SERVER,
                "S",
                99 + n,
                0,
                &[],
            )
        })
        .collect();
    let mut one = [host(1, 2), host(2, 1)];
    let mut all = [host(1, 2), host(2, 1)];
    both(0, &mut one, 1_000, Suite::AES_128_GCM);
    both(0, &mut all, 1_000, Suite::AES_128_GCM);
    let singly = |host: &mut Host, packets: &[Vec<u8>], point| -> Vec<_> {
        packets.iter().map(|p| host.judge(0, p, point)).collect()
    };
    let batched = |host: &mut Host, packets: &[Vec<u8>], point| -> Vec<_> {
        let mut frames: Vec<_> = packets
            .iter()
            .map(|p| {
                let mut f = VecFrame::new(128, 65_535);
                f.set(p);
                f
            })
            .collect();
        let metas = vec![Meta::new(point, at(0)); frames.len()];
        let mut verdicts = vec![Verdict::Continue; frames.len()];
        host.guard
            .batch(&mut frames, &metas, &mut verdicts, &mut host.events);
        let bytes = frames.iter().map(|f| f.bytes().to_vec());
        verdicts.into_iter().zip(bytes).collect()
    };
    let sealed = singly(&mut one[0], &packets, Point::LocalOut);
    assert_eq!(batched(&mut all[0], &packets, Point::LocalOut), sealed);
    let mut wire: Vec<_> = sealed.into_iter().map(|(_, bytes)| bytes).collect();
    // A replay, a forgery and something in clear among them.
    wire.insert(9, wire[3].clone());
    let mut forged = wire[20].clone();
    *forged.last_mut().unwrap() ^= 1;
    wire.insert(11, forged);
    wire.insert(30, packets[0].clone());
    let opened = singly(&mut one[1], &wire, Point::LocalIn);
    assert_eq!(batched(&mut all[1], &wire, Point::LocalIn), opened);
    assert_eq!(opened.iter().filter(|(v, _)| v.is_continue()).count(), 40);
}

/// A tunnel with keys from a configuration, in transport mode, between the hosts themselves.
#[test]
fn a_manual_tunnel_carries_a_connection() {
    let suite = Suite::esp(12, 128, 12).unwrap();
    let key = |n: u8| Secret::new(vec![n; suite.key_material_len()]);
    let mut hosts = [host(1, 2), host(2, 1)];
    for (own, host) in hosts.iter_mut().enumerate() {
        let ends = [IpAddr::from(CLIENT.0), IpAddr::from(SERVER.0)];
        let half = |n: usize| Half {
            spi: 300 + n as u32,
            keys: key(n as u8),
        };
        let tunnel = ManualTunnel::new(
            (T, "by hand"),
            Encapsulation::Transport,
            suite,
            (ends[own], ends[1 - own]),
            half(own),
            half(1 - own),
        )
        .unwrap();
        host.guard.with_ipsec_cx(at(0), &mut host.events, |i, cx| {
            i.add_manual(cx, &tunnel, own as u64).unwrap();
        });
    }
    for (n, packet) in [
        tcp(CLIENT, SERVER, "S", 99, 0, &[]),
        tcp(SERVER, CLIENT, "SA", 199, 100, &[]),
        tcp(CLIENT, SERVER, "A", 100, 200, &[]),
        tcp(CLIENT, SERVER, "PA", 100, 200, b"in clear"),
    ]
    .iter()
    .enumerate()
    {
        let from = usize::from(n == 1);
        let (verdict, sealed) = hosts[from].judge(0, packet, Point::LocalOut);
        assert_eq!((verdict, sealed[9]), (Verdict::Continue, 50));
        let (verdict, opened) = hosts[1 - from].judge(0, &sealed, Point::LocalIn);
        assert_eq!((verdict, &opened), (Verdict::Continue, packet));
    }
    let [_, server] = hosts;
    let (_, record) = server.record(20_000);
    assert_eq!(text(&record, "proto"), Some("ipsec"));
    assert_eq!(
        record.field("tunnel_encryption"),
        Some(&OwnedValue::U64(12))
    );
}

/// The switch to new keys by the side that only answers.
#[test]
fn who_answers_switches_when_the_peer_does() {
    let mut hosts = [host(1, 2), host(2, 1)];
    let old = both(0, &mut hosts, 1_000, Suite::AES_128_GCM);
    begin(0, &mut hosts);
    let it = install(2_000, 1, Suite::AES_128_GCM).replacing(old[1], Sending::WhenReceived);
    let host = &mut hosts[1];
    host.guard
        .with_ipsec_cx(at(1), &mut host.events, |i, cx| i.install(cx, it))
        .unwrap();
    // The peer knows nothing of the new ones yet.
    carry(2, &mut hosts, &tcp(SERVER, CLIENT, "A", 200, 100, b"")).unwrap();
}

/// SMF type 119: subtype 11 of the connection inside, 77 to 80 of the tunnel.
#[cfg(feature = "smf")]
#[test]
fn the_tunnel_stands_in_smf_records() {
    use hostward::TunnelRecords;
    use hostward::ipsec::told::{Happened, TunnelEvent};
    use hostward::smf::codes::IpTunnelType;
    use hostward::smf::{Level, Record, TunnelHead};

    #[derive(Default)]
    struct Kept(
        Vec<(TunnelEvent, Now)>,
        Vec<(hostward::hook::Code, hostward::zert::Record)>,
    );
    impl hostward::hook::EventSink for Kept {
        fn wants(&self, _: Class) -> bool {
            true
        }
        fn emit(&mut self, event: &hostward::hook::Event<'_>) {
            match hostward::Detail::of(event) {
                hostward::Detail::Tunnel(t) => self.0.push((t.clone(), event.now)),
                hostward::Detail::Protection(r) => self.1.push((event.code, r.clone())),
                _ => {}
            }
        }
    }

    let mut kept = Kept::default();
    let mut hosts = [host(1, 2), host(2, 1)];
    let sas = both(0, &mut hosts, 1_000, Suite::AES_256_GCM);
    begin(0, &mut hosts);
    carry(5, &mut hosts, &tcp(CLIENT, SERVER, "PA", 100, 200, b"x")).unwrap();
    let host = &mut hosts[1];
    host.guard.handle_deadline(at(10_000), &mut kept);
    host.guard.with_ipsec_cx(at(20_000), &mut kept, |i, cx| {
        i.remove(cx, sas[1], hostward::ipsec::Removal::Wanted)
    });
    // The connection inside.
    let (code, record) = kept.1.first().unwrap();
    let writer = hostward::zert::smf::Writer::new("SYS1", "TCPIP", &());
    let detail = writer.detail(*code, record, at(10_000)).unwrap();
    let ipsec = detail.ipsec.unwrap();
    assert_eq!(
        (ipsec.ike_major, ipsec.protocol.0, ipsec.encapsulation.0),
        (2, 50, 1)
    );
    assert_eq!(ipsec.local_endpoint.ip(false), IpAddr::from(GATES[1]));
    assert_eq!(ipsec.key_exchange_rule, "branch".into());
    // The tunnel.
    let (event, now) = kept.0.first().unwrap();
    assert_eq!(event.happened, Happened::Removed);
    let bytes = TunnelRecords::new("SYS1", "TCPIP")
        .record(event, *now)
        .to_vec(Level::Extended)
        .unwrap();
    let Record::Tunnel(read) = Record::decode(&bytes).unwrap() else {
        panic!("a tunnel's record")
    };
    let TunnelHead::Ip(head) = read.head else {
        panic!("an IP tunnel")
    };
    assert_eq!(
        (read.subtype, head.tunnel_type),
        (78, IpTunnelType::DYNAMIC_STACK)
    );
    assert_eq!(
        (head.encryption.0, head.key_len, head.authentication.0),
        (20, 256, 0)
    );
    assert_eq!((head.in_spi, head.out_spi), (1_001, 1_000));
    assert!(head.in_packets > 0 && head.out_packets > 0);
}
