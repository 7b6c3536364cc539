//! DTLS, WireGuard, IKE and ESP as the observer of datagrams sees them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

#[path = "common/datagrams.rs"]
mod datagrams;

use core::time::Duration;

use datagrams::{Bench, Client, Server, at, extension};
use hostward_hook::hooks::{CloseCause, Timers};
use hostward_hook::{Cx, Meta, Packet, Point, Side};
use hostward_zert::record::{PqClass, Role};
use hostward_zert::{DatagramConfig, Datagrams, Protocol, code, udp_payload};

fn bench() -> Bench {
    Bench::new(Datagrams::default())
}

/// A DTLS record.
fn record(kind: u8, epoch: u16, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u16).to_be_bytes();
    let epoch = epoch.to_be_bytes();
    [&[kind, 0xFE, 0xFD][..], &epoch, &[0; 6], &len, body].concat()
}

/// A fragment of a handshake message.
fn fragment(kind: u8, seq: u16, whole: &[u8], from: usize, to: usize) -> Vec<u8> {
    let u24 = |n: usize| (n as u32).to_be_bytes()[1..].to_vec();
    let mut body = vec![kind];
    body.extend(u24(whole.len()));
    body.extend(seq.to_be_bytes());
    body.extend(u24(from));
    body.extend(u24(to - from));
    body.extend(&whole[from..to]);
    body
}

fn handshake(kind: u8, seq: u16, body: &[u8]) -> Vec<u8> {
    record(22, 0, &fragment(kind, seq, body, 0, body.len()))
}

fn client_hello(cookie: &[u8], extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![0xFE, 0xFD];
    body.extend([7; 32]);
    body.push(0);
    body.push(cookie.len() as u8);
    body.extend(cookie);
    body.extend([0, 2, 0xC0, 0x2F, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    body
}

fn server_hello(suite: u16, extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![0xFE, 0xFD];
    body.extend([8; 32]);
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(0);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    body
}

/// ECDHE with x25519, signed with ecdsa_secp256r1_sha256.
const KEY_EXCHANGE: [u8; 10] = [3, 0, 29, 1, 5, 4, 3, 0, 1, 9];

#[test]
// RFC 6347 §4.1, §4.2.1: versions are counted downwards, the second hello has a cookie.
// RFC 6347 §4.2.2: fragments come in any order, more than once, overlapping, and messages before
// those they follow.
fn dtls_1_2_scattered() {
    let mut b = bench();
    let mut flow = b.open();
    b.send(&mut flow, Client, &handshake(1, 0, &client_hello(&[], &[])));
    // The request to verify has number 0; so has the server hello of some servers, or 1.
    b.send(&mut flow, Server, &handshake(3, 0, &[0xFE, 0xFF, 2, 1, 2]));
    let hello = client_hello(&[1, 2], &[]);
    b.send(
        &mut flow,
        Client,
        &record(22, 0, &fragment(1, 1, &hello, 20, hello.len())),
    );
    b.send(
        &mut flow,
        Client,
        &record(22, 0, &fragment(1, 1, &hello, 0, 30)),
    );
    let answer = server_hello(0xC02F, &[]);
    let (before, after) = (
        record(22, 0, &fragment(2, 1, &answer, 0, 10)),
        record(22, 0, &fragment(2, 1, &answer, 5, answer.len())),
    );
    // The key exchange overtakes the hello whose suite it needs.
    let key = handshake(12, 2, &KEY_EXCHANGE);
    b.send(
        &mut flow,
        Server,
        &[key, after, handshake(14, 3, &[])].concat(),
    );
    b.send(&mut flow, Server, &before);
    b.send(&mut flow, Client, &handshake(16, 2, &[5; 33]));
    for side in [Client, Server] {
        let switch = [record(20, 0, &[1]), record(22, 1, &[9; 40])].concat();
        b.send(&mut flow, side, &switch);
        assert!(!flow.enough);
        b.send(&mut flow, side, &record(23, 1, &[9; 40]));
    }
    assert!(flow.enough);
    let r = b.close(flow, CloseCause::Idle).unwrap();
    assert_eq!(r.protocol, Protocol::Dtls);
    assert_eq!(r.tls.version.unwrap().to_string(), "DTLSv1.2");
    assert_eq!(
        r.tls.cipher.unwrap().to_string(),
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    );
    assert_eq!(r.tls.group.unwrap().to_string(), "x25519");
    assert_eq!(r.tls.signature_scheme, Some(0x0403));
    assert!(r.tls.ja4.unwrap().as_str().starts_with("dd2i0100"));
    assert_eq!(r.established, Some(true));
    assert_eq!(r.tls.resumed, Some(false));
    assert_eq!(r.pq, PqClass::Classical);
    assert_eq!(r.role, Role::Client);
    assert!(!r.failed && !r.cut && !r.gap && !r.malformed && !r.inferred);
    assert_eq!(b.datagrams.watched(), 0);
}

#[test]
// RFC 9147 §4, §5.3: protected records have three leading bits; versions are in extensions.
fn dtls_1_3() {
    let mut b = bench();
    let mut flow = b.open();
    let offer = extension(43, &[2, 0xFE, 0xFC]);
    b.send(
        &mut flow,
        Client,
        &handshake(1, 0, &client_hello(&[], &offer)),
    );
    let chosen = [
        extension(51, &[0x11, 0xEC, 0, 1, 9]),
        extension(43, &[0xFE, 0xFC]),
    ]
    .concat();
    b.send(
        &mut flow,
        Server,
        &handshake(2, 0, &server_hello(0x1301, &chosen)),
    );
    let protected = [&[0x2E][..], &[3; 80]].concat();
    b.send(&mut flow, Server, &protected);
    b.send(&mut flow, Client, &protected);
    b.send(&mut flow, Server, &protected);
    assert!(flow.enough);
    let r = b.close(flow, CloseCause::Idle).unwrap();
    assert_eq!(r.tls.version.unwrap().to_string(), "DTLSv1.3");
    assert_eq!(
        r.tls.client_hello_max_version.unwrap().to_string(),
        "DTLSv1.3"
    );
    assert!(r.tls.ja4.unwrap().as_str().starts_with("dd3i"));
    assert_eq!(r.pq, PqClass::Hybrid);
    assert_eq!(r.established, Some(true));
    assert!(r.inferred);
}

#[test]
fn dtls_refused_by_an_alert_and_messages_that_lie() {
    let mut b = bench();
    let mut flow = b.open();
    b.send(&mut flow, Client, &handshake(1, 0, &client_hello(&[], &[])));
    b.send(&mut flow, Server, &record(21, 0, &[2, 40]));
    let r = b.close(flow, CloseCause::Idle).unwrap();
    assert_eq!(r.tls.alerts.to_string(), "server:handshake_failure!");
    assert!(r.failed);

    // A fragment that says it goes beyond the message.
    let mut flow = b.open();
    b.send(&mut flow, Client, &handshake(1, 0, &client_hello(&[], &[])));
    let mut bad = handshake(2, 0, &server_hello(0xC02F, &[]));
    bad[13 + 8] = 200;
    b.send(&mut flow, Server, &bad);
    let r = b.close(flow, CloseCause::Idle).unwrap();
    assert!(r.malformed && r.tls.version.is_none());
}

#[test]
fn memory_of_messages_is_bounded_and_comes_back() {
    let mut b = Bench::new(Datagrams::new(DatagramConfig {
        buffer_memory: 16 << 10,
        handshake_limit: 8 << 10,
        ..DatagramConfig::default()
    }));
    let mut flows = Vec::new();
    for _ in 0..40 {
        let mut flow = b.open();
        b.send(&mut flow, Client, &handshake(1, 0, &client_hello(&[], &[])));
        let long = vec![0; 8000];
        b.send(
            &mut flow,
            Server,
            &record(22, 0, &fragment(11, 0, &long, 4000, 5000)),
        );
        flows.push(flow);
    }
    assert!(b.datagrams.buffer_memory() <= 16 << 10);
    assert!(b.datagrams.counts().memory > 0);
    let long = vec![0; 9000];
    let flow = flows.last_mut().unwrap();
    b.send(
        flow,
        Server,
        &record(22, 0, &fragment(11, 1, &long, 0, 100)),
    );
    assert_eq!(b.datagrams.counts().too_long, 1);
    assert!(b.told.bounds.contains(&code::MEMORY_FULL));
    for flow in flows {
        assert!(b.close(flow, CloseCause::Idle).is_some());
    }
    assert_eq!(b.datagrams.watched(), 0);
}

#[test]
fn wireguard() {
    let mut b = bench();
    let mut flow = b.open();
    let mut first = vec![0; 148];
    first[..8].copy_from_slice(&[1, 0, 0, 0, 1, 2, 3, 4]);
    let mut answer = vec![0; 92];
    answer[..12].copy_from_slice(&[2, 0, 0, 0, 5, 6, 7, 8, 1, 2, 3, 4]);
    // A tunnel that was there before shows itself at its next handshake.
    for _ in 0..200 {
        let mut data = vec![0; 96];
        data[0] = 4;
        b.send(&mut flow, Server, &data);
    }
    b.send(&mut flow, Server, &first);
    b.send(&mut flow, Client, &answer);
    let r = b.close(flow, CloseCause::Idle).unwrap();
    assert_eq!(r.protocol, Protocol::Wireguard);
    assert_eq!(r.established, Some(true));
    assert_eq!(r.client.port(), 443);
    assert_eq!(r.pq, PqClass::Classical);

    let mut flow = b.open();
    b.send(&mut flow, Client, &first);
    let r = b.close(flow, CloseCause::Idle).unwrap();
    assert!(r.failed && r.established == Some(false));
}

#[test]
fn other_datagrams_have_no_record_and_are_given_up() {
    let mut b = bench();
    let mut flow = b.open();
    let mut sent = 0;
    while !flow.enough {
        b.send(&mut flow, Client, b"\x12\x34\x01\x00\x00\x01");
        sent += 1;
    }
    assert_eq!(sent, DatagramConfig::default().probe);
    assert!(b.close(flow, CloseCause::Idle).is_none());
    assert_eq!(b.datagrams.counts().flows, 0);
}

/// An IPv4 packet between 10.0.0.1 and 10.0.0.2.
fn ip(from: Side, proto: u8, body: &[u8]) -> Vec<u8> {
    let (a, b) = if from == Client { (1, 2) } else { (2, 1) };
    let len = (20 + body.len()) as u16;
    let mut p = vec![0x45, 0];
    p.extend(len.to_be_bytes());
    p.extend([0, 0, 0, 0, 64, proto, 0, 0, 10, 0, 0, a, 10, 0, 0, b]);
    p.extend(body);
    p
}

fn udp(from: Side, port: u16, body: &[u8]) -> Vec<u8> {
    let mut p = [port.to_be_bytes(), port.to_be_bytes()].concat();
    p.extend((8 + body.len() as u16).to_be_bytes());
    p.extend([0, 0]);
    p.extend(body);
    ip(from, 17, &p)
}

fn feed(b: &mut Bench, from: Side, bytes: &[u8]) {
    let point = if from == Client {
        Point::LocalOut
    } else {
        Point::LocalIn
    };
    let packet = Packet::parse(bytes, Meta::new(point, b.now));
    let mut actions = ();
    let mut cx = Cx::new(b.now, &mut b.told, &mut actions);
    b.datagrams.packet(&mut cx, &packet);
}

fn ike(exchange: u8, flags: u8, answered: bool, next: u8, body: &[u8]) -> Vec<u8> {
    let mut m = vec![0x11; 8];
    m.extend([if answered { 0x22 } else { 0 }; 8]);
    m.extend([next, 0x20, exchange, flags, 0, 0, 0, 0]);
    m.extend((28 + body.len() as u32).to_be_bytes());
    m.extend(body);
    m
}

/// A security association payload with one proposal of these transforms.
fn sa(next: u8, transforms: &[(u8, u16, u16)]) -> Vec<u8> {
    let mut list = Vec::new();
    for (n, (kind, id, key)) in transforms.iter().enumerate() {
        let more = if n + 1 < transforms.len() { 3 } else { 0 };
        let attribute = if *key > 0 { 4 } else { 0 };
        list.extend([more, 0, 0, 8 + attribute, *kind, 0]);
        list.extend(id.to_be_bytes());
        if *key > 0 {
            list.extend([0x80, 14]);
            list.extend(key.to_be_bytes());
        }
    }
    let mut p = vec![0, 0];
    p.extend((8 + list.len() as u16).to_be_bytes());
    p.extend([1, 1, 0, transforms.len() as u8]);
    p.extend(list);
    let mut payload = vec![next, 0];
    payload.extend((4 + p.len() as u16).to_be_bytes());
    payload.extend(p);
    payload
}

#[test]
// RFC 9370 §2.2.1: additional key exchanges are transforms 6 to 12.
// RFC 7296 §3.1, §3.2, §3.3, §3.3.5: header, chain of payloads, transforms, attributes.
// RFC 7296 §2.23, RFC 3948 §2.2, §2.3: port 4500, four zeros before IKE, a byte that keeps a mapping.
// RFC 4303 §2.1: an index is seen in clear.
fn ike_2_with_an_additional_exchange_that_moves_to_port_4500() {
    let mut b = bench();
    let offer = [(1, 20, 256), (2, 7, 0), (4, 31, 0), (6, 36, 0)];
    feed(
        &mut b,
        Client,
        &udp(Client, 500, &ike(34, 0x08, false, 33, &sa(0, &offer))),
    );
    let notify = [0, 0, 0, 8, 0, 0, 0x40, 0x36];
    let answer = [sa(41, &offer), notify.to_vec()].concat();
    feed(
        &mut b,
        Server,
        &udp(Server, 500, &ike(34, 0x20, true, 33, &answer)),
    );
    let natted = |m: Vec<u8>| [vec![0; 4], m].concat();
    let auth = natted(ike(35, 0x08, true, 46, &[9; 300]));
    feed(&mut b, Client, &udp(Client, 4500, &auth));
    let auth = natted(ike(35, 0x20, true, 46, &[9; 200]));
    feed(&mut b, Server, &udp(Server, 4500, &auth));
    // ESP in UDP, native ESP, a byte that keeps the mapping.
    feed(
        &mut b,
        Client,
        &udp(Client, 4500, &[&[0xAA; 4][..], &[0; 60]].concat()),
    );
    feed(
        &mut b,
        Server,
        &ip(Server, 50, &[&[0xBB; 4][..], &[0; 60]].concat()),
    );
    feed(&mut b, Client, &udp(Client, 4500, &[0xFF]));
    assert_eq!(b.datagrams.associations(), 3);

    b.now = at(599);
    let mut actions = ();
    assert_eq!(b.datagrams.next_deadline(), Some(at(600).mono));
    b.datagrams
        .handle_deadline(&mut Cx::new(b.now, &mut b.told, &mut actions));
    assert!(b.told.records.is_empty());
    b.now = at(600);
    b.datagrams
        .handle_deadline(&mut Cx::new(b.now, &mut b.told, &mut actions));
    assert_eq!(b.datagrams.next_deadline(), None);
    let [r, udp, native] = &b.told.records[..] else {
        panic!("{:?}", b.told.records)
    };
    assert_eq!(
        (r.protocol, r.client.port(), r.role),
        (Protocol::Ike, 500, Role::Client)
    );
    let seen = r.ike.as_ref().unwrap();
    assert_eq!((seen.major, seen.messages, seen.nat_t), (2, 4, true));
    assert_eq!(
        (seen.spi_i, seen.spi_r),
        (0x1111_1111_1111_1111, 0x2222_2222_2222_2222)
    );
    assert_eq!(seen.exchanges.as_slice(), [34, 35]);
    assert_eq!(seen.notifies.as_slice(), [16438]);
    assert_eq!(seen.proposals_offered, 1);
    let chosen = seen.chosen.unwrap();
    assert_eq!(
        (chosen.encr, chosen.key_length, chosen.ke),
        (20, 256, Some(31))
    );
    assert_eq!(chosen.additional, [36, 0, 0, 0, 0, 0, 0]);
    assert_eq!(r.pq, PqClass::Hybrid);
    assert_eq!(r.established, Some(true));
    assert!(r.inferred && !r.midstream && !r.failed && !r.open_at_end);
    assert_eq!((r.packets, r.traffic.out_packets), (4, 2));
    let spi = |r: &hostward_zert::Record| r.spi.map(|s| (s.spi, s.udp_encapsulated));
    assert_eq!(spi(udp), Some((0xAAAA_AAAA, true)));
    assert_eq!(spi(native), Some((0xBBBB_BBBB, false)));
    assert_eq!(native.key().unwrap().protocol(), 50);
    assert_eq!(native.client.ip().to_string(), "10.0.0.2");
}

#[test]
// RFC 7296 §2.7, §3.10.1: no proposal chosen, an error; §2.21.2: authentication failed is a short answer.
fn ike_2_that_fails() {
    let mut b = bench();
    let offer = [(1, 20, 256), (2, 7, 0), (4, 31, 0)];
    feed(
        &mut b,
        Client,
        &udp(Client, 500, &ike(34, 0x08, false, 33, &sa(0, &offer))),
    );
    let refusal = [0, 0, 0, 8, 0, 0, 0, 14];
    feed(
        &mut b,
        Server,
        &udp(Server, 500, &ike(34, 0x20, false, 41, &refusal)),
    );
    let mut actions = ();
    b.datagrams
        .finish(&mut Cx::new(b.now, &mut b.told, &mut actions));
    let r = b.told.records.remove(0);
    assert!(r.failed && r.open_at_end && r.established == Some(false));
    assert_eq!(r.pq, PqClass::None);

    feed(
        &mut b,
        Client,
        &udp(Client, 500, &ike(34, 0x08, false, 33, &sa(0, &offer))),
    );
    feed(
        &mut b,
        Server,
        &udp(Server, 500, &ike(34, 0x20, true, 33, &sa(0, &offer))),
    );
    feed(
        &mut b,
        Client,
        &udp(Client, 500, &ike(35, 0x08, true, 46, &[9; 300])),
    );
    feed(
        &mut b,
        Server,
        &udp(Server, 500, &ike(35, 0x20, true, 46, &[9; 52])),
    );
    b.datagrams
        .finish(&mut Cx::new(b.now, &mut b.told, &mut actions));
    let r = b.told.records.remove(0);
    assert_eq!(r.established, Some(false));
    assert_eq!(r.pq, PqClass::Classical);
}

#[test]
fn associations_are_bounded_and_told_once() {
    let mut b = Bench::new(Datagrams::new(DatagramConfig {
        associations: 10,
        association_idle: Duration::from_secs(5),
        ..DatagramConfig::default()
    }));
    for spi in 256..1256_u32 {
        let packet = ip(Client, 50, &[&spi.to_be_bytes()[..], &[0; 60]].concat());
        feed(&mut b, Client, &packet);
    }
    assert_eq!(b.datagrams.associations(), 10);
    assert_eq!(b.datagrams.counts().associations_refused, 990);
    assert_eq!(b.told.bounds, [code::CONNECTIONS_FULL]);
    b.now = at(5);
    let mut actions = ();
    b.datagrams
        .handle_deadline(&mut Cx::new(b.now, &mut b.told, &mut actions));
    assert_eq!(b.told.records.len(), 10);
    assert_eq!(b.datagrams.associations(), 0);
}

#[test]
// RFC 768: the length of the UDP header counts, not what else is in the packet.
fn payload_of_udp() {
    let payload = |bytes: &[u8]| {
        let packet = Packet::parse(bytes, Meta::new(Point::LocalIn, at(0)));
        udp_payload(&packet).len()
    };
    let mut packet = udp(Client, 53, &[1; 20]);
    assert_eq!(payload(&packet), 20);
    packet[25] = 8 + 5;
    assert_eq!(payload(&packet), 5);
    packet[25] = 3;
    assert_eq!(payload(&packet), 20);
    assert_eq!(payload(&ip(Client, 50, &[1; 20])), 0);
}
