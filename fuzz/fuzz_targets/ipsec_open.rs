//! Arbitrary packets, and sealed ones that were tampered with, into associations of every suite: nothing panics, and
//! what opens is what was sealed.
#![no_main]

use std::net::IpAddr;

use hostward_crypto::{Provider, Secret, backend};
use hostward_hook::Instant;
use hostward_hook::frame::{FrameBuf, VecFrame};
use hostward_hook::ident::SaId;
use hostward_hook::protection::Encapsulation::{Transport, Tunnel};
use hostward_ipsec::sa::UdpEncapsulation;
use hostward_ipsec::suite::Protocol;
use hostward_ipsec::{Inbound, Outbound, Parameters, Suite};
use libfuzzer_sys::fuzz_target;

const SPI: u32 = 0x0101_0101;

thread_local! {
    static SUITES: Vec<Suite> = Suite::all().collect();
}

/// A packet between the ends with this payload behind some headers.
fn packet(v6: bool, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = if v6 {
        let mut head = vec![
            0x60,
            0,
            0,
            0,
            (payload.len() >> 8) as u8,
            payload.len() as u8,
            protocol,
            64,
        ];
        head.extend([1; 32]);
        head
    } else {
        let len = payload.len() + 20;
        vec![
            0x45,
            0,
            (len >> 8) as u8,
            len as u8,
            0,
            0,
            0,
            0,
            64,
            protocol,
            0,
            0,
            1,
            1,
            1,
            1,
            1,
            1,
            1,
            1,
        ]
    };
    packet.extend(payload);
    packet
}

fn frame(packet: &[u8]) -> VecFrame {
    let mut frame = VecFrame::new(128, 70_000);
    frame.set(packet);
    frame
}

fuzz_target!(|data: &[u8]| {
    let Some(([suite, flags, kind], data)) = data.split_first_chunk::<3>() else {
        return;
    };
    let data = &data[..data.len().min(4000)];
    let suite = SUITES.with(|all| all[usize::from(*suite) % all.len()]);
    let (tunnel, outer6, inner6) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
    let ends: (IpAddr, IpAddr) = if outer6 {
        ([1; 16].into(), [1; 16].into())
    } else {
        ([1; 4].into(), [1; 4].into())
    };
    let keys = Secret::new(vec![7; suite.key_material_len()]);
    let mode = if tunnel { Tunnel } else { Transport };
    let mut p = Parameters::new(SaId(1), SPI, suite, mode, keys, ends);
    p.esn = flags & 8 != 0;
    if flags & 16 != 0 && suite.protocol() == Protocol::Esp {
        p.udp = Some(UdpEncapsulation {
            local: 4500,
            remote: 4500,
        });
        p.original = Some(ends);
    }
    let provider = Provider::of([backend::RUST_CRYPTO]);
    let now = Instant::ZERO;
    let mut into = Inbound::new(&provider, p.clone(), now).expect("they fit");
    match kind % 3 {
        // Anything.
        0 => {
            let mut frame = frame(data);
            let _ = into.open(now, &mut frame);
        }
        // Anything behind a header that leads to the association.
        1 => {
            let mut inside = Vec::new();
            if p.udp.is_some() {
                let len = data.len() + 12;
                inside.extend([0x11, 0x94, 0x11, 0x94, (len >> 8) as u8, len as u8, 0, 0]);
            }
            if suite.protocol() == Protocol::Ah {
                inside.extend([6, data.first().copied().unwrap_or(4), 0, 0]);
            }
            inside.extend(SPI.to_be_bytes());
            inside.extend(data);
            let named = if p.udp.is_some() {
                17
            } else {
                suite.protocol().number()
            };
            let mut frame = frame(&packet(outer6, named, &inside));
            assert!(into.open(now, &mut frame).is_err());
        }
        // A sealed packet that was tampered with.
        _ => {
            let (changes, payload) = data.split_at(data.len().min(8));
            let mut out = Outbound::new(&provider, p, now).expect("they fit");
            let plain = packet(if tunnel { inner6 } else { outer6 }, 17, payload);
            let mut frame = frame(&plain);
            out.seal(now, &mut frame).expect("there is room");
            for change in changes.as_chunks::<4>().0 {
                let [high, low, xor, cut] = *change;
                let bytes = frame.bytes_mut();
                let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len();
                bytes[at] ^= xor;
                if cut == 1 {
                    frame.trim(0, 1);
                }
            }
            if let Ok(opened) = into.open(now, &mut frame) {
                assert!(!opened.dummy);
                let bytes = frame.bytes();
                assert_eq!(bytes.len(), plain.len());
                // Congestion may have been told on; in transport mode the header is the network's.
                let from = match (tunnel, outer6) {
                    (true, _) => 12,
                    (false, false) => 20,
                    (false, true) => 40,
                };
                assert_eq!(bytes[..1], plain[..1]);
                // With a NAT the UDP checksum is put right.
                let nat = flags & 16 != 0 && !tunnel;
                let same = |at: &usize| !nat || !(from + 6..from + 8).contains(at);
                assert!(
                    (from..bytes.len())
                        .filter(same)
                        .all(|at| bytes[at] == plain[at])
                );
            }
        }
    }
});
