//! What a peer with the right keys, or anybody without, must not be able to do: each fault that other programs had
//! and that is the machine's business.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod pair;

use hostward_crypto::algorithm::Group;
use hostward_hook::ident::TunnelId;
use hostward_ike::keys::Side;
use hostward_ike::machine::*;
use hostward_ike::message::{
    ExchangeType, Flags, Header, Limits, Message, NotifyType, PayloadType, PayloadWriter,
    ProtocolId, plain,
};
use hostward_ike::policy::Pfs;
use hostward_ike::protect::{Opener, Sealer};

use pair::{Pair, Setup};

/// Sends the second host something under the first one's keys; gives the notifications of the answer.
fn send(
    pair: &mut Pair,
    exchange: ExchangeType,
    id: u32,
    payloads: &PayloadWriter,
) -> Vec<(NotifyType, Vec<u8>, Vec<u8>)> {
    let sa = pair.b.ike.sas().next().unwrap();
    let (keys, suite) = pair.b.ike.keys(sa.id).unwrap();
    let (e, a) = keys.of(Side::Initiator);
    let mut sealer = Sealer::new(&pair::provider(), suite, e, a).unwrap();
    let (e, a) = keys.of(Side::Responder);
    let opener = Opener::new(&pair::provider(), suite, e, a).unwrap();
    let header = Header {
        spi_i: sa.spis.initiator,
        spi_r: sa.spis.responder,
        exchange,
        flags: Flags {
            initiator: true,
            version: false,
            response: false,
        },
        message_id: id,
    };
    let bytes = sealer
        .seal(&header, payloads, &mut pair::Seeded(1))
        .unwrap();
    pair.b.ike.receive(pair.now, sa.path, &marked(&sa, bytes));
    pair.b.take_events();
    let mut told = Vec::new();
    while let Some(sent) = pair.b.ike.transmit() {
        let octets = if sent.path.local.port() == 4500 {
            &sent.bytes[4..]
        } else {
            &sent.bytes
        };
        let message = Message::parse(octets, &Limits::default()).unwrap();
        assert_eq!(message.header.message_id, id);
        let opened = opener.open(&message).unwrap();
        for notify in opened.payloads(&Limits::default()).unwrap().notifies() {
            told.push((notify.kind, notify.spi.to_vec(), notify.data.to_vec()));
        }
    }
    told
}

fn marked(sa: &SaDisplay, bytes: Vec<u8>) -> Vec<u8> {
    if sa.path.local.port() == 4500 {
        hostward_ike::message::Encapsulated::mark(&bytes)
    } else {
        bytes
    }
}

fn half_open() -> Pair {
    let mut pair = Setup::default().pair();
    pair.a.ike.initiate(pair.now, TunnelId(1)).unwrap();
    pair.collect();
    let first = pair.wire.pop_front().unwrap();
    pair.deliver(first);
    while pair.b.ike.transmit().is_some() {}
    pair
}

fn up(setup: &Setup) -> Pair {
    let mut pair = setup.pair();
    pair.start();
    pair
}

// CVE-2014-2338: renewing an SA that nobody has proven anything for must not make it one. RFC 7296 §1.3.
#[test]
fn create_child_sa_before_authentication() {
    for exchange in [ExchangeType::CREATE_CHILD_SA, ExchangeType::IKE_FOLLOWUP_KE] {
        let mut pair = half_open();
        let mut payloads = PayloadWriter::new(1000);
        payloads.nonce(&[1; 32]).unwrap();
        let told = send(&mut pair, exchange, 1, &payloads);
        assert_eq!(told[0].0, NotifyType::INVALID_SYNTAX);
        assert!(pair.b.established.is_empty() && pair.b.children.is_empty());
        assert_eq!(pair.b.closed.len(), 1);
    }
}

// RFC 7296 §2.15: without AUTH a peer wants EAP, which is not done; it is refused.
#[test]
fn without_auth() {
    let mut pair = half_open();
    let mut payloads = PayloadWriter::new(1000);
    payloads
        .payload(PayloadType::ID_I, &[&[1, 0, 0, 0, 192, 0, 2, 1]])
        .unwrap();
    let told = send(&mut pair, ExchangeType::IKE_AUTH, 1, &payloads);
    assert_eq!(told[0].0, NotifyType::AUTHENTICATION_FAILED);
    assert!(pair.b.established.is_empty());
}

// CVE-2013-2944 and its like: an empty proof, and one of zeros.
#[test]
fn empty_proofs() {
    for proof in [&[][..], &[0; 48], &[0; 32]] {
        let mut pair = half_open();
        let mut payloads = PayloadWriter::new(1000);
        payloads
            .payload(PayloadType::ID_I, &[&[1, 0, 0, 0, 192, 0, 2, 1]])
            .unwrap();
        payloads
            .payload(PayloadType::AUTH, &[&[2, 0, 0, 0], proof])
            .unwrap();
        let told = send(&mut pair, ExchangeType::IKE_AUTH, 1, &payloads);
        assert_eq!(told[0].0, NotifyType::AUTHENTICATION_FAILED);
        assert!(pair.b.established.is_empty());
    }
}

// RFC 9242 §3.2: IKE_INTERMEDIATE after IKE_AUTH.
#[test]
fn intermediate_after_authentication() {
    let mut pair = up(&Setup::default());
    let payloads = PayloadWriter::new(0);
    let told = send(&mut pair, ExchangeType::IKE_INTERMEDIATE, 2, &payloads);
    assert_eq!(told[0].0, NotifyType::INVALID_SYNTAX);
    assert!(pair.b.children.is_empty());
}

// CVE-2019-10155: nothing without protection is taken for an SA.
#[test]
fn informational_in_clear() {
    let mut pair = up(&Setup::default());
    let sa = pair.b.live().remove(0);
    let header = Header {
        spi_i: sa.spis.initiator,
        spi_r: sa.spis.responder,
        exchange: ExchangeType::INFORMATIONAL,
        flags: Flags {
            initiator: true,
            version: false,
            response: false,
        },
        message_id: 2,
    };
    let mut payloads = PayloadWriter::new(100);
    payloads.delete_ike().unwrap();
    let message = marked(&sa, plain(&header, &payloads).unwrap());
    pair.b.ike.receive(pair.now, sa.path, &message);
    assert!(pair.b.ike.transmit().is_none());
    assert_eq!(pair.b.live().len(), 1);
    assert_eq!(pair.b.ike.counters().not_authentic, 1);
}

// CVE-2023-38710: REKEY_SA with a protocol that is none is malformed. RFC 7296 §2.25.1: with an SPI that is not
// there the answer has protocol and SPI as they came.
#[test]
fn renewing_what_is_not_there() {
    for protocol in [0, 1, 4] {
        let mut pair = up(&Setup::default());
        let mut payloads = PayloadWriter::new(1000);
        payloads
            .payload(
                PayloadType::NOTIFY,
                &[&[protocol, 4], &16393_u16.to_be_bytes(), &[9; 4]],
            )
            .unwrap();
        let told = send(&mut pair, ExchangeType::CREATE_CHILD_SA, 2, &payloads);
        assert_eq!(told[0].0, NotifyType::INVALID_SYNTAX);
    }
    let mut pair = up(&Setup::default());
    let mut payloads = PayloadWriter::new(1000);
    payloads
        .notify_child(NotifyType::REKEY_SA, ProtocolId::ESP, 0x0909_0909, &[])
        .unwrap();
    payloads.nonce(&[1; 32]).unwrap();
    let told = send(&mut pair, ExchangeType::CREATE_CHILD_SA, 2, &payloads);
    assert_eq!(told, [(NotifyType::CHILD_SA_NOT_FOUND, vec![9; 4], vec![])]);
    assert_eq!(pair.b.live().len(), 1);
}

// RFC 7296 §2.5, §2.21.3: an unknown payload is skipped, a malformed one costs the SA.
#[test]
fn unknown_and_malformed() {
    let mut pair = up(&Setup::default());
    let mut octets = PayloadWriter::new(100);
    octets.payload(PayloadType(99), &[&[1]]).unwrap();
    let told = send(&mut pair, ExchangeType::INFORMATIONAL, 2, &octets);
    assert_eq!(told, []);
    assert_eq!(pair.b.live().len(), 1);
    let mut octets = PayloadWriter::new(100);
    octets
        .payload(PayloadType::TS_I, &[&[1, 0, 0, 0, 7, 0, 0, 16, 0, 0, 0]])
        .unwrap();
    let told = send(&mut pair, ExchangeType::INFORMATIONAL, 3, &octets);
    assert_eq!(told[0].0, NotifyType::INVALID_SYNTAX);
    assert!(pair.b.live().is_empty() && pair.b.children.is_empty());
}

// CVE-2015-3240: a public value of zero, in a renewal with perfect forward secrecy; RFC 7296 §1.3: missing
// payloads. The SA stays as it was.
#[test]
fn bad_public_values_of_a_child() {
    let mut setup = Setup::default();
    setup.vpn.initiate_pfs = Pfs::of(Group::X25519);
    setup.vpn.acceptable_pfs = vec![Pfs::of(Group::X25519)];
    let mut pair = up(&setup);
    let id = pair.a.only_child();
    let child = pair.a.children[&id].clone();
    let ike = pair.b.live()[0].id;
    for (at, value) in [vec![0; 32], vec![], vec![1; 31]].into_iter().enumerate() {
        let mut transforms = vec![0, 0, 0, 40, 1, 3, 4, 3];
        transforms.extend([7, 7, 7, 7 + at as u8]);
        transforms.extend([3, 0, 0, 12, 1, 0, 0, 20, 0x80, 14, 1, 0]);
        transforms.extend([3, 0, 0, 8, 4, 0, 0, 31]);
        transforms.extend([0, 0, 0, 8, 5, 0, 0, 0]);
        let mut payloads = PayloadWriter::new(1000);
        payloads.payload(PayloadType::SA, &[&transforms]).unwrap();
        payloads.nonce(&[1; 32]).unwrap();
        payloads.key_exchange(31, &value).unwrap();
        payloads.selectors(true, &child.local).unwrap();
        payloads.selectors(false, &child.remote).unwrap();
        let told = send(
            &mut pair,
            ExchangeType::CREATE_CHILD_SA,
            2 + at as u32,
            &payloads,
        );
        assert_eq!(told[0].0, NotifyType::INVALID_SYNTAX, "{value:?}");
    }
    assert_eq!(pair.b.only_sa(), ike);
    assert_eq!(pair.b.children.len(), 1);
}

// A peer that renews one child twice before it deletes it (a crash of others): TEMPORARY_FAILURE.
#[test]
fn renewed_twice() {
    let mut pair = up(&Setup::default());
    let id = pair.a.only_child();
    pair.a.ike.rekey_child(pair.now, id);
    pair.collect();
    let request = pair.wire.pop_front().unwrap();
    pair.deliver(request);
    while pair.b.ike.transmit().is_some() {}
    let old = pair.a.children[&id].inbound.spi;
    let mut payloads = PayloadWriter::new(1000);
    payloads
        .notify_child(NotifyType::REKEY_SA, ProtocolId::ESP, old, &[])
        .unwrap();
    payloads.nonce(&[1; 32]).unwrap();
    let told = send(&mut pair, ExchangeType::CREATE_CHILD_SA, 3, &payloads);
    assert_eq!(told[0].0, NotifyType::TEMPORARY_FAILURE);
    assert_eq!(pair.b.children.len(), 2);
}

// RFC 7296 §2.3: what is outside of the window, and responses that nobody asked for, change nothing.
#[test]
fn outside_the_window() {
    let mut pair = up(&Setup::default());
    let mut payloads = PayloadWriter::new(100);
    payloads.delete_ike().unwrap();
    for id in [3, 0, 1000, u32::MAX] {
        let told = send(&mut pair, ExchangeType::INFORMATIONAL, id, &payloads);
        assert_eq!(told, []);
    }
    assert_eq!(pair.b.live().len(), 1);
    assert_eq!(pair.b.ike.counters().outside_window, 4);
}
