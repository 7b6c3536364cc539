//! Arbitrary datagrams of both sides, packets of IPsec, and time, into a small observer. Initial
//! packets of QUIC are sealed here first, so that what is inside gets behind the keys.

#![no_main]

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use hostward::crypto::Provider;
use hostward::crypto::algorithm::{Aead, AesKey, Hash};
use hostward::crypto::backend::RUST_CRYPTO;
use hostward::crypto::hkdf::Hkdf;
use hostward_hook::event::EventQueue;
use hostward_hook::flow::{FlowId, FlowInfo, FlowKey};
use hostward_hook::hooks::{CloseCause, DatagramObserver, Timers};
use hostward_hook::{Cx, Instant, Meta, Now, Packet, Point, Side, UnixTime};
use hostward_zert::{DatagramConfig, DatagramSlot, Datagrams};
use libfuzzer_sys::fuzz_target;

const MEMORY: usize = 32 << 10;
const SALT: [u8; 20] = [
    0x38, 0x76, 0x2C, 0xF7, 0xF5, 0x59, 0x34, 0xB3, 0x4D, 0x17, 0x9A, 0xE6, 0xA4, 0xC8, 0x0C, 0xAD,
    0xCC, 0xBB, 0x7F, 0x0A,
];

/// An Initial packet of QUIC version 1 with these frames.
fn sealed(provider: &Provider, from: Side, frames: &[u8]) -> Option<Vec<u8>> {
    const ID: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
    let label: &[u8] = match from {
        Side::Initiator => b"client in",
        Side::Responder => b"server in",
    };
    let (initial, _) = Hkdf::extract(provider, Hash::Sha256, &SALT, &ID).ok()?;
    let mut secret = [0; 32];
    initial.expand_label(label, &[], &mut secret).ok()?;
    let hkdf = Hkdf::of(provider, Hash::Sha256, &secret).ok()?;
    let (mut key, mut iv, mut hp) = ([0; 16], [0; 12], [0; 16]);
    hkdf.expand_label(b"quic key", &[], &mut key).ok()?;
    hkdf.expand_label(b"quic iv", &[], &mut iv).ok()?;
    hkdf.expand_label(b"quic hp", &[], &mut hp).ok()?;
    let mut body = frames.to_vec();
    body.resize(body.len().max(20), 0);
    let mut packet = vec![0xC0, 0, 0, 0, 1, 8];
    packet.extend(ID);
    packet.extend([0, 0]);
    packet.extend((0x4000 | (body.len() + 17) as u16).to_be_bytes());
    let at = packet.len();
    packet.push(0);
    let mut tag = [0; 16];
    provider
        .aead(Aead::AES_128_GCM, &key)
        .ok()?
        .seal(&iv, &packet, &mut body, &mut tag)
        .ok()?;
    packet.extend(body);
    packet.extend(tag);
    let mut mask: [u8; 16] = packet.get(at + 4..at + 20)?.try_into().ok()?;
    provider.block(AesKey::Aes128, &hp).ok()?.encrypt(&mut mask);
    packet[0] ^= mask[0] & 0x0F;
    packet[at] ^= mask[1];
    Some(packet)
}

// Each step: one byte that says what is done and who does it, two of length, the bytes.
fuzz_target!(|input: &[u8]| {
    let provider = Provider::of([RUST_CRYPTO]);
    let mut observer = Datagrams::new(DatagramConfig {
        flows: 1,
        probe: 8,
        associations: 3,
        association_idle: Duration::from_secs(5),
        handshake_limit: 8192,
        buffer_memory: MEMORY,
    })
    .quic(provider.clone());
    let end = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Some(key) = FlowKey::new(end(50_000), end(443), 17) else {
        return;
    };
    let meta = Meta::new(Point::Ingress, Now::default());
    let flow = FlowInfo::new(FlowId::from_u64(1), key, &meta, 1);
    let mut events = EventQueue::new(64);
    let mut actions = ();
    let mut slot = DatagramSlot::default();
    let mut seconds = 0;
    let mut rest = input;
    while let [what, high, low, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([high & 0x07, *low]));
        let (data, tail) = tail.split_at(tail.len().min(len));
        rest = tail;
        let from = if what & 1 == 0 {
            Side::Initiator
        } else {
            Side::Responder
        };
        let now = Now::new(Instant::from_secs(seconds), UnixTime::EPOCH);
        let mut cx = Cx::new(now, &mut events, &mut actions);
        match what >> 5 {
            0 => {
                seconds += 3;
                observer.handle_deadline(&mut cx);
            }
            1 => {
                observer.closed(&mut cx, &flow, &mut slot, CloseCause::Idle);
                assert_eq!(observer.watched(), 0);
                slot = DatagramSlot::default();
            }
            2 | 3 => {
                let packet = Packet::parse(data, Meta::new(Point::LocalIn, now));
                observer.packet(&mut cx, &packet);
                assert!(observer.associations() <= 3);
            }
            4 | 5 => {
                if let Some(packet) = sealed(&provider, from, data) {
                    observer.datagram(&mut cx, &flow, &mut slot, from, &packet);
                }
            }
            _ => {
                observer.datagram(&mut cx, &flow, &mut slot, from, data);
            }
        }
        assert!(observer.buffer_memory() <= MEMORY);
    }
    let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
    observer.closed(&mut cx, &flow, &mut slot, CloseCause::EndOfInput);
    observer.finish(&mut cx);
    assert_eq!(observer.associations(), 0);
});
