//! Fragment reassembly through the public API: rules one by one, and random cuts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use core::time::Duration;

use arbtest::arbitrary::{self, Unstructured};
use hostward_hook::checksum::{ChecksumState, verify};
use hostward_hook::event::{EventQueue, OwnedValue};
use hostward_hook::fragment::{Config, FragmentReassembler, Ipv4Overlap, Outcome};
use hostward_hook::ident::SaId;
use hostward_hook::reason::{self, Code};
use hostward_hook::{Cx, Instant, Meta, Now, Packet, Point, Timers, UnixTime};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// An IPv4 packet; `word` is flags and offset.
fn ipv4(source: u8, id: u16, proto: u8, word: u16, data: &[u8]) -> Vec<u8> {
    let total = (20 + data.len()) as u16;
    let mut p = vec![0x45, 0];
    p.extend_from_slice(&total.to_be_bytes());
    p.extend_from_slice(&id.to_be_bytes());
    p.extend_from_slice(&word.to_be_bytes());
    p.extend_from_slice(&[64, proto, 0, 0, 10, 0, 0, source, 10, 0, 0, 99]);
    let sum = hostward_hook::checksum::checksum(&p);
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    p.extend_from_slice(data);
    p
}

/// A fragment of an IPv4 datagram at a byte offset.
fn frag4(id: u16, at: usize, more: bool, data: &[u8]) -> Vec<u8> {
    ipv4(1, id, UDP, (at / 8) as u16 | u16::from(more) << 13, data)
}

/// An IPv6 packet whose extension headers, fragment header included, are given as (next header
/// of that header, bytes without their first).
fn ipv6(first: u8, headers: &[u8], data: &[u8]) -> Vec<u8> {
    let mut p = vec![0x60, 0, 0, 0];
    p.extend_from_slice(&((headers.len() + data.len()) as u16).to_be_bytes());
    p.extend_from_slice(&[first, 64]);
    p.extend_from_slice(&[0xfd; 16]);
    p.extend_from_slice(&[0xfe; 16]);
    p.extend_from_slice(headers);
    p.extend_from_slice(data);
    p
}

fn frag6(next: u8, id: u32, at: usize, more: bool, data: &[u8]) -> Vec<u8> {
    let word = at as u16 | u16::from(more);
    let mut h = vec![next, 0];
    h.extend_from_slice(&word.to_be_bytes());
    h.extend_from_slice(&id.to_be_bytes());
    ipv6(44, &h, data)
}

/// A UDP datagram of this payload length with a right checksum in neither version (zero).
fn udp(payload: usize) -> Vec<u8> {
    let mut d = vec![0x12, 0x34, 0x56, 0x78];
    d.extend_from_slice(&((8 + payload) as u16).to_be_bytes());
    d.extend_from_slice(&[0, 0]);
    d.extend((0..payload).map(|i| (i * 31 + i / 251) as u8));
    d
}

#[derive(Debug, PartialEq)]
enum Got {
    Whole,
    Pending,
    Complete(Vec<u8>, Vec<u64>),
    Dropped(Code),
}

struct Bench {
    r: FragmentReassembler,
    events: EventQueue,
    now: Instant,
    number: u64,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self {
            r: FragmentReassembler::new(config),
            events: EventQueue::new(1000),
            now: Instant::from_secs(1000),
            number: 0,
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Got {
        self.number += 1;
        let now = Now::new(self.now, UnixTime::EPOCH);
        let mut packet = Packet::parse(bytes, Meta::new(Point::Ingress, now));
        packet.number = self.number;
        let mut actions = ();
        let mut cx = Cx::new(now, &mut self.events, &mut actions);
        cx.packet = self.number;
        let got = match self.r.push(&packet, &mut cx) {
            Outcome::Whole => Got::Whole,
            Outcome::Pending => Got::Pending,
            Outcome::Complete(d) => Got::Complete(d.bytes.to_vec(), d.packets.to_vec()),
            Outcome::Dropped(why) => Got::Dropped(why),
        };
        let config = self.r.config();
        assert!(self.r.blocks_in_use() <= config.blocks);
        assert!(self.r.datagrams() <= config.datagrams as usize);
        got
    }

    fn tick(&mut self) {
        let now = Now::new(self.now, UnixTime::EPOCH);
        let mut actions = ();
        let mut cx = Cx::new(now, &mut self.events, &mut actions);
        self.r.handle_deadline(&mut cx);
    }

    fn codes(&self) -> Vec<Code> {
        self.events.iter().map(|e| e.code).collect()
    }
}

#[test]
fn whole_packets_pass() {
    let mut b = Bench::new(Config::default());
    assert_eq!(b.push(&ipv4(1, 7, UDP, 0x4000, &udp(10))), Got::Whole);
    assert_eq!(b.push(&ipv6(UDP, &[], &udp(10))), Got::Whole);
    assert_eq!(b.push(b"junk"), Got::Whole);
    assert_eq!(b.push(&[]), Got::Whole);
    // RFC 6946 §4: an atomic fragment stands for itself, also beside others of its id.
    assert_eq!(b.push(&frag6(UDP, 5, 0, true, &udp(32))), Got::Pending);
    assert_eq!(b.push(&frag6(UDP, 5, 0, false, &udp(8))), Got::Whole);
    assert_eq!(b.r.datagrams(), 1);
}

// RFC 791 §3.2: the whole has the first fragment's header, without flags and offset.
#[test]
fn ipv4_is_put_together() {
    let data = udp(100);
    let mut b = Bench::new(Config::default());
    assert_eq!(b.push(&frag4(7, 48, false, &data[48..])), Got::Pending);
    assert_eq!(b.push(&frag4(7, 0, true, &data[..24])), Got::Pending);
    let got = b.push(&frag4(7, 24, true, &data[24..48]));
    let Got::Complete(whole, packets) = got else {
        panic!("{got:?}")
    };
    assert_eq!(whole, ipv4(1, 7, UDP, 0, &data));
    assert_eq!(packets, [2, 3, 1]);
    let packet = Packet::parse(&whole, Meta::default());
    assert_eq!(verify(&packet), ChecksumState::Right);
    assert!(packet.layout().anomalies().is_empty());
    assert_eq!((b.r.blocks_in_use(), b.r.datagrams()), (0, 0));
    assert!(b.codes().is_empty());
}

// RFC 8200 §4.5: the fragment header goes, the header before it names what followed.
#[test]
fn ipv6_is_put_together_behind_extension_headers() {
    let data = udp(100);
    let options = [60, 0, 1, 4, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0];
    let part = |at: usize, more: bool, data: &[u8]| {
        let mut h = options.to_vec();
        h.extend_from_slice(&[UDP, 0]);
        h.extend_from_slice(&(at as u16 | u16::from(more)).to_be_bytes());
        h.extend_from_slice(&[0, 0, 0, 9]);
        ipv6(0, &h, data)
    };
    let mut b = Bench::new(Config::default());
    assert_eq!(b.push(&part(56, false, &data[56..])), Got::Pending);
    let got = b.push(&part(0, true, &data[..56]));
    let mut headers = options;
    headers[8] = UDP;
    assert_eq!(got, Got::Complete(ipv6(0, &headers, &data), vec![2, 1]));
}

// RFC 8200 §4.5: protocol does not tell IPv6 datagrams apart; for IPv4 it does (RFC 791 §3.2).
#[test]
fn datagrams_are_told_apart() {
    let mut b = Bench::new(Config::default());
    for (source, id, proto) in [(1, 7, UDP), (2, 7, UDP), (1, 8, UDP), (1, 7, TCP)] {
        assert_eq!(
            b.push(&ipv4(source, id, proto, 0x2000, &udp(16))),
            Got::Pending
        );
    }
    assert_eq!(b.r.datagrams(), 4);
    let data = udp(16);
    assert_eq!(b.push(&frag6(60, 7, 8, false, &data[8..])), Got::Pending);
    let Got::Complete(whole, _) = b.push(&frag6(UDP, 7, 0, true, &data[..8])) else {
        panic!("incomplete")
    };
    assert_eq!(whole, ipv6(UDP, &[], &data));
}

// RFC 4301 §5.2: a datagram that came through an association holds nothing that did not.
#[test]
fn fragments_that_came_otherwise_do_not_mix() {
    let data = udp(16);
    let (first, last) = (
        frag4(7, 0, true, &data[..8]),
        frag4(7, 8, false, &data[8..]),
    );
    let mut r = FragmentReassembler::new(Config::default());
    let mut push = |bytes: &[u8], sa: Option<u32>| {
        let mut meta = Meta::new(Point::LocalIn, Now::default());
        meta.sa = sa.map(SaId);
        let packet = Packet::parse(bytes, meta);
        let outcome = r.push(&packet, &mut Cx::new(meta.now, &mut (), &mut ()));
        matches!(outcome, Outcome::Complete(_))
    };
    assert!(!push(&first, None));
    assert!(!push(&last, Some(1)));
    assert!(!push(&last, Some(2)));
    assert!(push(&first, Some(2)));
    assert!(push(&last, None));
    assert!(push(&first, Some(1)));
}

// RFC 8200 §4.5: exact duplicates may be ignored.
#[test]
fn exact_duplicates_are_ignored() {
    let data = udp(6000);
    for block in [7, 64, 2048] {
        let mut config = Config::default();
        config.block_size = block;
        config.blocks = 10_000;
        config.source_blocks = 10_000;
        let mut b = Bench::new(config);
        let first = frag4(7, 0, true, &data[..3000]);
        let last = frag4(7, 3000, false, &data[3000..]);
        assert_eq!(b.push(&first), Got::Pending);
        assert_eq!(b.push(&first), Got::Pending);
        let got = b.push(&last);
        assert_eq!(got, Got::Complete(ipv4(1, 7, UDP, 0, &data), vec![1, 3]));
        assert!(b.codes().is_empty());
    }
}

// RFC 5722 §4: overlap discards the datagram, fragments still to come included.
#[test]
fn overlap_discards_the_datagram() {
    let data = udp(100);
    for v6 in [false, true] {
        let part = |at: usize, more: bool, data: &[u8]| {
            if v6 {
                frag6(UDP, 7, at, more, data)
            } else {
                frag4(7, at, more, data)
            }
        };
        for (at, end, flip, same) in [
            (24, 56, false, true),
            (24, 56, true, false),
            (48, 72, true, false),
            (40, 64, false, true),
        ] {
            let mut b = Bench::new(Config::default());
            assert_eq!(b.push(&part(0, true, &data[..32])), Got::Pending);
            assert_eq!(b.push(&part(48, true, &data[48..72])), Got::Pending);
            let mut evil = data[at..end].to_vec();
            if flip {
                evil.iter_mut().for_each(|b| *b ^= 1);
            }
            let dropped = Got::Dropped(reason::FRAGMENT_OVERLAP);
            assert_eq!(b.push(&part(at, true, &evil)), dropped);
            assert_eq!(b.push(&part(32, true, &data[32..48])), dropped);
            assert_eq!(b.push(&part(72, false, &data[72..])), dropped);
            assert_eq!(b.codes(), [reason::FRAGMENT_OVERLAP]);
            let event = b.events.pop().unwrap();
            assert_eq!(event.field("same_data"), Some(&OwnedValue::Bool(same)));
            assert_eq!(event.field("first_packet"), Some(&OwnedValue::U64(1)));
            assert_eq!(event.packet, 3);
            assert_eq!(b.r.blocks_in_use(), 0);
            // When the time is up the identification may be used again.
            b.now = b.now.saturating_add(Duration::from_secs(61));
            assert_eq!(b.push(&part(0, true, &data[..56])), Got::Pending);
            assert!(matches!(
                b.push(&part(56, false, &data[56..])),
                Got::Complete(..)
            ));
        }
    }
}

#[test]
fn the_same_place_with_other_bytes_is_an_overlap() {
    let mut b = Bench::new(Config::default());
    assert_eq!(b.push(&frag4(7, 8, true, b"aaaaaaaa")), Got::Pending);
    assert_eq!(
        b.push(&frag4(7, 8, true, b"aaaaaaab")),
        Got::Dropped(reason::FRAGMENT_OVERLAP)
    );
}

#[test]
fn first_wins_keeps_what_came_first() {
    let mut config = Config::default();
    config.ipv4_overlap = Ipv4Overlap::FirstWins;
    let mut b = Bench::new(config);
    let mut data = udp(40);
    assert_eq!(b.push(&frag4(7, 16, true, &data[16..24])), Got::Pending);
    let mut evil = data[8..40].to_vec();
    evil[8..16].fill(0xee);
    assert_eq!(b.push(&frag4(7, 8, true, &evil)), Got::Pending);
    assert_eq!(b.codes(), [reason::FRAGMENT_OVERLAP]);
    assert_eq!(b.push(&frag4(7, 40, false, &data[40..])), Got::Pending);
    let got = b.push(&frag4(7, 0, true, &data[..8]));
    assert_eq!(
        got,
        Got::Complete(ipv4(1, 7, UDP, 0, &data), vec![4, 2, 1, 2, 3])
    );
    // Not for IPv6.
    data.truncate(16);
    assert_eq!(b.push(&frag6(UDP, 7, 0, true, &data)), Got::Pending);
    assert_eq!(
        b.push(&frag6(UDP, 7, 8, true, &data)),
        Got::Dropped(reason::FRAGMENT_OVERLAP)
    );
}

#[test]
fn contradictions_about_the_end_discard_the_datagram() {
    let data = udp(100);
    let bad = Got::Dropped(reason::FRAGMENT_BAD_END);
    // Another end, before or behind; data behind the end; an end before data.
    for (first, second) in [
        ((48, false, 60), (48, false, 56)),
        ((48, false, 60), (56, false, 64)),
        ((48, false, 60), (64, true, 72)),
        ((64, true, 72), (48, false, 60)),
    ] {
        let mut b = Bench::new(Config::default());
        let (at, more, end) = first;
        assert_eq!(b.push(&frag4(7, at, more, &data[at..end])), Got::Pending);
        let (at, more, end) = second;
        assert_eq!(b.push(&frag4(7, at, more, &data[at..end])), bad);
        assert_eq!(b.codes(), [reason::FRAGMENT_BAD_END]);
    }
}

// RFC 8200 §4.5: lengths.
#[test]
fn bad_lengths_are_discarded() {
    let mut b = Bench::new(Config::default());
    let bad = Got::Dropped(reason::FRAGMENT_BAD_LENGTH);
    assert_eq!(b.push(&frag4(7, 0, true, &udp(10))), bad);
    assert_eq!(b.push(&frag4(7, 0, true, &[])), bad);
    assert_eq!(b.push(&frag4(7, 8, false, &[])), bad);
    assert_eq!(b.push(&frag6(UDP, 7, 0, true, &udp(10))), bad);
    // Cut off by the capture.
    let cut = frag4(7, 0, true, &udp(56));
    assert_eq!(b.push(&cut[..60]), bad);
    let long = Got::Dropped(reason::FRAGMENT_TOO_LONG);
    assert_eq!(b.push(&frag4(7, 65_528, false, &[0; 8])), long);
    assert_eq!(b.push(&frag6(UDP, 7, 65_528, false, &[0; 8])), long);
    assert_eq!(b.push(&frag6(UDP, 7, 65_528, false, &[0; 7])), Got::Pending);
    assert_eq!(b.r.datagrams(), 1);
}

// RFC 7112 §5, RFC 8200 §4.5: the first fragment holds the whole header chain.
#[test]
fn a_first_fragment_without_its_headers_is_discarded() {
    let tiny = Got::Dropped(reason::FRAGMENT_TINY);
    let mut b = Bench::new(Config::default());
    assert_eq!(b.push(&frag6(TCP, 7, 0, true, &[0; 16])), tiny);
    // For IPv4 it is the sender's right, if a strange one.
    let tcp4 = ipv4(1, 7, TCP, 0x2000, &[0; 8]);
    assert_eq!(b.push(&tcp4), Got::Pending);
    let mut config = Config::default();
    config.ipv4_discard_tiny = true;
    let mut b = Bench::new(config);
    assert_eq!(b.push(&tcp4), tiny);
}

#[test]
fn nested_fragment_headers_are_discarded() {
    let mut b = Bench::new(Config::default());
    for (outer, inner) in [(1_u8, 0_u8), (0, 1), (1, 1)] {
        let h = [44, 0, 0, outer, 0, 0, 0, 1, UDP, 0, 0, inner, 0, 0, 0, 2];
        let got = b.push(&ipv6(44, &h, &udp(8)));
        assert_eq!(got, Got::Dropped(reason::FRAGMENT_NESTED));
    }
    assert_eq!(b.codes(), [reason::FRAGMENT_NESTED; 3]);
}

// RFC 3168 §5.3: congestion met by a fragment is not lost.
#[test]
fn congestion_marks_are_kept() {
    let data = udp(40);
    for (first, second, expect) in [
        (2, 3, Some(3)),
        (3, 2, Some(3)),
        (2, 2, Some(2)),
        (0, 0, Some(0)),
        (0, 3, None),
        (3, 0, None),
    ] {
        let mut b = Bench::new(Config::default());
        let mut one = frag4(7, 0, true, &data[..24]);
        one[1] |= first;
        let mut two = frag4(7, 24, false, &data[24..]);
        two[1] |= second;
        assert_eq!(b.push(&one), Got::Pending);
        match (b.push(&two), expect) {
            (Got::Complete(whole, _), Some(ecn)) => {
                assert_eq!(whole[1], ecn);
                assert_eq!(
                    verify(&Packet::parse(&whole, Meta::default())),
                    ChecksumState::Right
                );
            }
            (Got::Dropped(why), None) => assert_eq!(why, reason::FRAGMENT_ECN),
            other => panic!("{other:?}"),
        }
    }
}

// RFC 791 §3.2 and RFC 8200 §4.5: reassembly has a time limit from the first fragment on.
#[test]
fn time_runs_out() {
    let mut b = Bench::new(Config::default());
    let start = b.now;
    assert_eq!(b.push(&frag6(UDP, 7, 0, true, &udp(16))), Got::Pending);
    b.now = start.saturating_add(Duration::from_secs(1));
    assert_eq!(b.push(&frag4(7, 0, true, &udp(16))), Got::Pending);
    let due4 = start.saturating_add(Duration::from_secs(31));
    let due6 = start.saturating_add(Duration::from_secs(60));
    assert_eq!(b.r.next_deadline(), Some(due4));
    b.tick();
    assert_eq!(b.r.datagrams(), 2);
    b.now = due4;
    b.tick();
    assert_eq!(b.r.next_deadline(), Some(due6));
    b.now = due6;
    b.tick();
    assert_eq!(b.r.next_deadline(), None);
    assert_eq!(b.codes(), [reason::FRAGMENT_TIMEOUT; 2]);
    assert_eq!((b.r.blocks_in_use(), b.r.datagrams()), (0, 0));
}

#[test]
fn too_many_fragments_discard_the_datagram() {
    let mut config = Config::default();
    config.fragments = 3;
    let mut b = Bench::new(config);
    for i in 0..3 {
        assert_eq!(b.push(&frag4(7, 16 * i, true, &[0; 8])), Got::Pending);
    }
    let many = Got::Dropped(reason::FRAGMENT_TOO_MANY);
    assert_eq!(b.push(&frag4(7, 8, true, &[0; 8])), many);
    assert_eq!(b.r.blocks_in_use(), 0);
}

#[test]
fn a_source_cannot_take_more_than_its_share() {
    let mut config = Config::default();
    config.source_datagrams = 3;
    config.source_blocks = 6;
    config.block_size = 16;
    let mut b = Bench::new(config);
    // The quiet source's datagram survives the noise of the other.
    assert_eq!(b.push(&ipv4(2, 1, UDP, 0x2000, &udp(8))), Got::Pending);
    for id in 0..50 {
        assert_eq!(b.push(&frag4(id, 16, true, &[0; 8])), Got::Pending);
    }
    assert_eq!(b.r.datagrams(), 4);
    assert_eq!(b.codes(), [reason::FRAGMENT_MEMORY; 47]);
    // Bytes too: six blocks, of which a datagram that needs five leaves one.
    assert_eq!(b.push(&frag4(100, 16, true, &[0; 80])), Got::Pending);
    assert_eq!(b.r.datagrams(), 3);
    // More than the share for one datagram ends that.
    let memory = Got::Dropped(reason::FRAGMENT_MEMORY);
    assert_eq!(b.push(&frag4(100, 96, true, &[0; 80])), memory);
    assert_eq!(b.push(&frag4(100, 176, true, &[0; 80])), memory);
    assert_eq!(
        b.push(&ipv4(2, 1, UDP, 2, &udp(8)[..8])),
        Got::Complete(
            ipv4(2, 1, UDP, 0, &[udp(8), udp(8)[..8].to_vec()].concat()),
            vec![1, b.number]
        )
    );
}

#[test]
fn all_memory_used_up_discards_the_oldest() {
    let mut config = Config::default();
    config.blocks = 4;
    let mut b = Bench::new(config);
    for source in 1..=4 {
        assert_eq!(b.push(&ipv4(source, 1, UDP, 1, &[0; 8])), Got::Pending);
    }
    assert_eq!(b.push(&ipv4(5, 1, UDP, 1, &[0; 8])), Got::Pending);
    assert_eq!(b.codes(), [reason::FRAGMENT_MEMORY]);
    assert_eq!(b.r.datagrams(), 4);
    let mut config = Config::default();
    config.datagrams = 2;
    let mut b = Bench::new(config);
    for source in 1..=3 {
        assert_eq!(b.push(&ipv4(source, 1, UDP, 1, &[0; 8])), Got::Pending);
    }
    assert_eq!(b.codes(), [reason::FRAGMENT_MEMORY]);
    // Without any memory nothing is kept.
    let mut config = Config::default();
    config.blocks = 0;
    let mut b = Bench::new(config);
    let memory = Got::Dropped(reason::FRAGMENT_MEMORY);
    assert_eq!(b.push(&frag4(1, 8, true, &[0; 8])), memory);
    let mut config = Config::default();
    config.datagrams = 0;
    let mut b = Bench::new(config);
    assert_eq!(b.push(&frag4(1, 8, true, &[0; 8])), memory);
}

/// Cuts a datagram at multiples of eight.
fn cut(u: &mut Unstructured<'_>, len: usize) -> arbitrary::Result<Vec<(usize, usize)>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < len {
        let end = (at + 8 * u.int_in_range(1..=10)?).min(len);
        parts.push((at, end));
        at = end;
    }
    Ok(parts)
}

#[test]
fn any_cut_and_order_gives_the_datagram_and_any_overlap_none() {
    arbtest::arbtest(|u| {
        let mut config = Config::default();
        config.block_size = u.int_in_range(1..=100)?;
        config.blocks = 10_000;
        config.source_blocks = 10_000;
        let mut b = Bench::new(config);
        let v6: bool = u.arbitrary()?;
        let data = udp(u.int_in_range(1..=1500)?);
        let mut parts = cut(u, data.len())?;
        if parts.len() < 2 {
            return Ok(());
        }
        for _ in 0..u.int_in_range(0..=3)? {
            parts.push(*u.choose(&parts)?);
        }
        let fragments = parts.len();
        let overlap = u.ratio(1, 3)?;
        if overlap {
            // Any range that is not exactly one of the cuts.
            let from = 8 * u.int_in_range(0..=(data.len() - 1) / 8)?;
            let to = (from + 8 * u.int_in_range(1..=20)?).min(data.len());
            // All of it at once would be a whole packet.
            if parts.contains(&(from, to)) || (from, to) == (0, data.len()) {
                return Ok(());
            }
            parts.push((from, to));
        }
        for i in 0..parts.len() {
            let j = u.int_in_range(i..=parts.len() - 1)?;
            parts.swap(i, j);
        }
        let whole = if v6 {
            ipv6(UDP, &[], &data)
        } else {
            ipv4(1, 9, UDP, 0, &data)
        };
        let mut complete = 0;
        let mut seen = 0;
        for (from, to) in parts {
            let more = to < data.len();
            let bytes = if v6 {
                frag6(UDP, 9, from, more, &data[from..to])
            } else {
                frag4(9, from, more, &data[from..to])
            };
            seen += 1;
            match b.push(&bytes) {
                Got::Complete(got, packets) => {
                    assert_eq!(got, whole);
                    assert!(packets.len() <= seen);
                    complete += 1;
                }
                Got::Pending => {}
                Got::Dropped(why) => {
                    assert!(overlap && why == reason::FRAGMENT_OVERLAP, "{why}");
                }
                Got::Whole => panic!("a fragment taken for a whole"),
            }
        }
        if overlap {
            // It may have been complete before the overlap came, and from duplicates once more;
            // each time takes two fragments at least.
            assert!(complete * 2 <= seen);
        } else {
            // Duplicates behind the completing fragment begin a datagram anew.
            assert!(complete >= 1, "{fragments} fragments, none complete");
        }
        b.now = b.now.saturating_add(Duration::from_secs(100));
        b.tick();
        assert_eq!((b.r.blocks_in_use(), b.r.datagrams()), (0, 0));
        Ok(())
    });
}

#[test]
fn bounds_hold_whatever_comes() {
    arbtest::arbtest(|u| {
        let mut config = Config::default();
        config.block_size = u.int_in_range(1..=32)?;
        config.blocks = u.int_in_range(0..=20)?;
        config.source_blocks = u.int_in_range(0..=20)?;
        config.datagrams = u.int_in_range(0..=6)?;
        config.source_datagrams = u.int_in_range(0..=6)?;
        config.fragments = u.int_in_range(0..=6)?;
        if u.arbitrary()? {
            config.ipv4_overlap = Ipv4Overlap::FirstWins;
        }
        let mut b = Bench::new(config);
        while !u.is_empty() {
            let at = 8 * u.int_in_range(0..=10)?;
            let more = u.arbitrary()?;
            let len = 8 * u.int_in_range(0..=4)? + if more { 0 } else { u.int_in_range(0..=7)? };
            let data = u.bytes(len.min(u.len()))?;
            let bytes = if u.arbitrary()? {
                frag6(UDP, u.int_in_range(0..=3)?, at, more, data)
            } else {
                let word = (at / 8) as u16 | u16::from(more) << 13;
                let source = u.int_in_range(1..=3)?;
                ipv4(source, u.int_in_range(0..=3)?, UDP, word, data)
            };
            let _ = b.push(&bytes);
            b.now = b
                .now
                .saturating_add(Duration::from_secs(u.int_in_range(0..=4)?));
        }
        b.now = b.now.saturating_add(Duration::from_secs(100));
        b.tick();
        assert_eq!((b.r.blocks_in_use(), b.r.datagrams()), (0, 0));
        Ok(())
    });
}
