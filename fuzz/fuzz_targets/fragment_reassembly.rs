//! Any fragments: the bounds hold, a whole that comes out parses as one packet whose length and
//! checksum are right and whose every byte was sent for its place, and time clears everything.
//! One datagram cut without overlap, in any order, comes out as it was.
#![no_main]

use hostward_hook::checksum;
use hostward_hook::fragment::{Config, FragmentReassembler, Ipv4Overlap, Outcome};
use hostward_hook::layout::{Fragment, Layout};
use hostward_hook::{Cx, Instant, Meta, Now, Packet, Point, Timers, UnixTime};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

const UDP: u8 = 17;

fn ipv4(source: u8, id: u16, at: usize, more: bool, tos: u8, data: &[u8]) -> Vec<u8> {
    let word = (at / 8) as u16 | u16::from(more) << 13;
    let mut p = vec![0x45, tos];
    p.extend_from_slice(&((20 + data.len()) as u16).to_be_bytes());
    p.extend_from_slice(&id.to_be_bytes());
    p.extend_from_slice(&word.to_be_bytes());
    p.extend_from_slice(&[64, UDP, 0, 0, 10, 0, 0, source, 10, 0, 0, 99]);
    let sum = checksum::checksum(&p);
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    p.extend_from_slice(data);
    p
}

fn ipv6(source: u8, id: u32, at: usize, more: bool, next: u8, data: &[u8]) -> Vec<u8> {
    let mut p = vec![0x60, 0, 0, 0];
    p.extend_from_slice(&((8 + data.len()) as u16).to_be_bytes());
    p.extend_from_slice(&[44, 64]);
    p.extend_from_slice(&[source; 16]);
    p.extend_from_slice(&[0xfe; 16]);
    p.extend_from_slice(&[next, 0]);
    p.extend_from_slice(&(at as u16 | u16::from(more)).to_be_bytes());
    p.extend_from_slice(&id.to_be_bytes());
    p.extend_from_slice(data);
    p
}

/// What every whole must be.
fn check(whole: &[u8], packets: &[u64]) {
    assert!(!packets.is_empty());
    let layout = Layout::parse(whole);
    assert_eq!(layout.fragment(), Fragment::Whole);
    assert_eq!(layout.end(), whole.len());
    if whole[0] >> 4 == 4 {
        let header = usize::from(whole[0] & 15) * 4;
        assert_eq!(checksum::checksum(&whole[..header]), 0);
        assert_eq!(
            usize::from(u16::from_be_bytes([whole[2], whole[3]])),
            whole.len()
        );
    } else {
        let length = usize::from(u16::from_be_bytes([whole[4], whole[5]]));
        assert_eq!(length + 40, whole.len());
    }
}

fn push(r: &mut FragmentReassembler, bytes: &[u8], secs: u64, number: u64) -> Option<Vec<u8>> {
    let now = Now::new(Instant::from_secs(secs), UnixTime::EPOCH);
    let mut packet = Packet::parse(bytes, Meta::new(Point::Ingress, now));
    packet.number = number;
    let (mut events, mut actions) = ((), ());
    let mut cx = Cx::new(now, &mut events, &mut actions);
    match r.push(&packet, &mut cx) {
        Outcome::Complete(d) => {
            check(d.bytes, d.packets);
            assert!(d.packets.iter().all(|n| (1..=number).contains(n)));
            Some(d.bytes.to_vec())
        }
        Outcome::Whole | Outcome::Pending | Outcome::Dropped(_) => None,
    }
}

fn drained(r: &mut FragmentReassembler, secs: u64) {
    let now = Now::new(Instant::from_secs(secs), UnixTime::EPOCH);
    let (mut events, mut actions) = ((), ());
    let mut cx = Cx::new(now, &mut events, &mut actions);
    while r.next_deadline().is_some_and(|d| d <= now.mono) {
        r.handle_deadline(&mut cx);
    }
    assert_eq!((r.blocks_in_use(), r.datagrams()), (0, 0));
    assert_eq!(r.next_deadline(), None);
}

fn anything(u: &mut Unstructured<'_>) -> Result<()> {
    let mut config = Config::default();
    config.block_size = u.int_in_range(1..=64)?;
    config.blocks = u.int_in_range(0..=40)?;
    config.source_blocks = u.int_in_range(0..=40)?;
    config.datagrams = u.int_in_range(0..=8)?;
    config.source_datagrams = u.int_in_range(0..=8)?;
    config.fragments = u.int_in_range(0..=10)?;
    config.ipv4_discard_tiny = u.arbitrary()?;
    if u.arbitrary()? {
        config.ipv4_overlap = Ipv4Overlap::FirstWins;
    }
    let mut r = FragmentReassembler::new(config);
    let (mut secs, mut number) = (100, 0);
    while !u.is_empty() {
        number += 1;
        let at = if u.ratio(1, 16)? {
            8 * u.int_in_range(0..=8191)?
        } else {
            8 * u.int_in_range(0..=12)?
        };
        let more = u.arbitrary()?;
        let source = u.int_in_range(1..=4)?;
        let id = u.int_in_range(0..=3)?;
        let other = u.arbitrary()?;
        let length = u.int_in_range(0..=64)? & if more { !7 } else { !0 };
        let data = u.bytes(length.min(u.len()))?;
        let bytes = match u.int_in_range(0..=7)? {
            0..=3 => ipv4(source, id, at, more, other, data),
            4..=6 => ipv6(
                source,
                u32::from(id),
                at,
                more,
                if other & 1 == 0 { UDP } else { other },
                data,
            ),
            // Not even a packet, or one with options and extension headers by chance.
            _ => {
                let mut raw = u.bytes(u.len().min(120))?.to_vec();
                if let Some(first) = raw.first_mut() {
                    *first = *first & 15 | if other & 1 == 0 { 0x40 } else { 0x60 };
                }
                raw
            }
        };
        let _ = push(&mut r, &bytes, secs, number);
        assert!(r.blocks_in_use() <= config.blocks);
        assert!(r.datagrams() <= config.datagrams as usize);
        secs += u.int_in_range(0..=5)?;
    }
    drained(&mut r, secs + 200);
    Ok(())
}

fn one_datagram(u: &mut Unstructured<'_>) -> Result<()> {
    let mut config = Config::default();
    config.block_size = u.int_in_range(1..=300)?;
    config.blocks = 100_000;
    config.source_blocks = 100_000;
    config.fragments = u16::MAX;
    let mut r = FragmentReassembler::new(config);
    let v6: bool = u.arbitrary()?;
    let length: usize = u.int_in_range(16..=2000)?;
    let mut data = vec![
        0x12,
        0x34,
        0x56,
        0x78,
        (length >> 8) as u8,
        length as u8,
        0,
        0,
    ];
    data.extend((8..length).map(|i| (i * 31 + i / 251) as u8));
    let mut parts = Vec::new();
    let mut at = 0;
    while at < length {
        let end = (at + 8 * u.int_in_range(1..=20)?).min(length);
        parts.push((at, end));
        at = end;
    }
    if parts.len() < 2 {
        return Ok(());
    }
    for i in 0..parts.len() {
        let j = u.int_in_range(i..=parts.len() - 1)?;
        parts.swap(i, j);
    }
    let expect = if v6 {
        let mut p = ipv6(1, 0, 0, false, UDP, &data);
        p.drain(40..48);
        [p[4], p[5]] = (length as u16).to_be_bytes();
        p[6] = UDP;
        p
    } else {
        ipv4(1, 7, 0, false, 0, &data)
    };
    let last = parts.len() - 1;
    let mut fed = Vec::new();
    for (i, (from, to)) in parts.into_iter().enumerate() {
        let more = to < length;
        let bytes = if v6 {
            ipv6(1, 7, from, more, UDP, &data[from..to])
        } else {
            ipv4(1, 7, from, more, 0, &data[from..to])
        };
        // A duplicate of what came before changes nothing.
        if !fed.is_empty() && u.ratio(1, 4)? {
            let again: &Vec<u8> = u.choose(&fed)?;
            assert_eq!(push(&mut r, again, 100, 1), None);
        }
        let got = push(&mut r, &bytes, 100, 1);
        assert_eq!(got.as_ref(), (i == last).then_some(&expect));
        fed.push(bytes);
    }
    drained(&mut r, 300);
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let mut u = Unstructured::new(data);
    let _ = match u.arbitrary() {
        Ok(true) => one_datagram(&mut u),
        _ => anything(&mut u),
    };
});
