//! What was tampered with does not open, and what does not open changes nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use common::*;
use hostward_hook::frame::FrameBuf;
use hostward_hook::protection::Encapsulation::{Transport, Tunnel};
use hostward_ipsec::sa::{Refused, Window};
use hostward_ipsec::suite::Protocol;
use hostward_ipsec::{Inbound, Suite};

fn open(into: &mut Inbound, wire: &[u8]) -> Result<Vec<u8>, Refused> {
    let mut frame = frame(wire);
    into.open(NOW, &mut frame)?;
    Ok(frame.bytes().to_vec())
}

// RFC 4303 §3.4: whatever bit of the protected part changes, the packet is refused; RFC 4303 §3.4.3: and the window stays.
#[test]
fn every_bit_counts() {
    let mut flips = 0;
    for suite in Suite::all() {
        for (mode, v6, esn) in [(Tunnel, false, true), (Transport, true, false)] {
            let mut p = parameters(suite, mode, outer(v6));
            p.esn = esn;
            let (mut out, mut into) = pair(p);
            let plain = packet(outer(v6), 0, b"some payload");
            let wire = seal(&mut out, &plain);
            let from = if v6 { 40 } else { 20 };
            for at in from..wire.len() {
                for bit in 0..8 {
                    let mut bad = wire.clone();
                    bad[at] ^= 1 << bit;
                    let refused = open(&mut into, &bad).expect_err("it opened");
                    // A changed SPI is another association's. A number beyond the window of none is stale.
                    assert!(
                        matches!(
                            refused,
                            Refused::BadIcv
                                | Refused::NotOurs
                                | Refused::Malformed
                                | Refused::Stale
                        ),
                        "{suite} {at} {bit} {refused:?}"
                    );
                    flips += 1;
                }
            }
            assert_eq!(into.window().top(), 0);
            assert_eq!(into.counters().packets, 0);
            assert_eq!(open(&mut into, &wire).unwrap(), plain);
            assert_eq!(open(&mut into, &wire), Err(Refused::Replay));
        }
    }
    println!("{flips} bits");
}

// RFC 4302 §3.3.3.1.1: AH covers the immutable fields of the IP header too.
#[test]
fn ah_covers_the_addresses() {
    for suite in suites(Protocol::Ah) {
        for v6 in [false, true] {
            let (mut out, mut into) = pair(parameters(suite, Transport, outer(v6)));
            let wire = seal(&mut out, &packet(outer(v6), 0, b"some payload"));
            // The network may change these: class, flow label, hop limit; TOS, DF, TTL, checksum. An offset makes it
            // a fragment.
            let mutable: &[usize] = if v6 {
                &[0, 1, 2, 3, 7]
            } else {
                &[1, 6, 8, 10, 11]
            };
            for at in 0..if v6 { 40 } else { 20 } {
                let mut changed = wire.clone();
                changed[at] ^= if at == 0 || at == 6 { 0x40 } else { 4 };
                let opened = open(&mut into, &changed);
                if mutable.contains(&at) && at != 0 {
                    assert!(opened.is_ok(), "{suite} {v6} {at} {opened:?}");
                    (_, into) = pair(parameters(suite, Transport, outer(v6)));
                } else {
                    assert!(opened.is_err(), "{suite} {v6} {at}");
                }
            }
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for suite in Suite::all() {
        for (mode, v6, udp) in [
            (Tunnel, false, true),
            (Transport, true, false),
            (Tunnel, true, false),
        ] {
            let mut p = parameters(suite, mode, outer(v6));
            if udp && suite.protocol() == Protocol::Esp {
                p = p.with_udp(4500, 4500);
            }
            let (mut out, mut into) = pair(p);
            let wire = seal(&mut out, &packet(outer(v6), 0, b"some payload"));
            for len in 0..wire.len() {
                assert!(open(&mut into, &wire[..len]).is_err());
                // The IP header may say so.
                let mut short = wire[..len].to_vec();
                if !v6 && len >= 20 {
                    short[2..4].copy_from_slice(&(len as u16).to_be_bytes());
                    if udp && len >= 26 {
                        short[24..26].copy_from_slice(&(len as u16 - 20).to_be_bytes());
                    }
                } else if v6 && len >= 40 {
                    short[4..6].copy_from_slice(&(len as u16 - 40).to_be_bytes());
                }
                assert!(open(&mut into, &short).is_err(), "{suite} {mode:?} {len}");
            }
            assert!(open(&mut into, &wire).is_ok());
        }
    }
}

#[test]
fn other_packets_are_not_ours() {
    let (mut out, mut into) = pair(parameters(Suite::AES_128_GCM, Tunnel, outer(false)));
    let plain = packet(inner(false), 0, b"abc");
    assert_eq!(open(&mut into, &plain), Err(Refused::NotOurs));
    assert_eq!(open(&mut into, b""), Err(Refused::Malformed));
    assert_eq!(open(&mut into, &[0x75; 60]), Err(Refused::Malformed));
    let mut fragment = seal(&mut out, &plain);
    fragment[6] = 0x20;
    assert_eq!(open(&mut into, &fragment), Err(Refused::Fragment));
    let mut udp = parameters(Suite::AES_128_GCM, Tunnel, outer(false)).with_udp(4500, 4500);
    udp.spi = 0x9999;
    let wire = seal(&mut pair(udp).0, &plain);
    assert_eq!(open(&mut into, &wire), Err(Refused::NotOurs));
}

// RFC 4303 §3.4.3, appendix A2: against a list of what was received, with reordering, doubling, loss and forgery, across
// the edge of 2^32.
#[test]
fn windows_agree_with_a_list() {
    arbtest::arbtest(|u| {
        let size = u.int_in_range(64..=5000)?;
        let extended = u.arbitrary()?;
        let mut window = Window::new(size, extended);
        let mut top: u64 = if extended {
            u.int_in_range((1 << 32) - 200..=(1 << 32) + 200)?
        } else {
            u.int_in_range(1..=u64::from(u32::MAX) - 20_000)?
        };
        window.mark(top);
        let mut seen = vec![top];
        for _ in 0..u.int_in_range(1..=60)? {
            let number = if u.arbitrary()? {
                top + u.int_in_range(1..=200)?
            } else {
                top.saturating_sub(u.int_in_range(0..=u64::from(size) + 20)?)
            };
            let inside = number > top || top - number < u64::from(size);
            let fresh = number > 0 && inside && !seen.contains(&number);
            let looked = window.look(number as u32);
            if fresh {
                assert_eq!(looked, Ok(number));
                // A forged one is not marked.
                if u.ratio(4, 5)? {
                    window.mark(number);
                    seen.push(number);
                    top = top.max(number);
                }
            } else {
                // With extended numbers one from before the window is taken for one far ahead, which no ICV fits.
                assert!(looked.is_err() || (extended && looked != Ok(number)));
            }
            assert_eq!(window.top(), top);
        }
        Ok(())
    });
}
