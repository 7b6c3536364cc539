//! Checksums against etherparse and against a sum byte by byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use etherparse::PacketBuilder;
use hostward_hook::checksum::{ChecksumState, Sum, checksum, pseudo_header, update, verify};
use hostward_hook::{Meta, Packet};

/// RFC 1071 section 4.1, word by word.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0_u64;
    for pair in bytes.chunks(2) {
        sum += u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| u64::from(*b));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

// RFC 1071 §3: the example of the RFC.
#[test]
fn the_example_of_the_rfc() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(checksum(&bytes), !0xddf2);
}

// RFC 1071 §2: words of any width, added in any order, give the same sum.
#[test]
fn any_bytes_in_any_parts() {
    arbtest::arbtest(|u| {
        let len = u.int_in_range(0..=300)?;
        let mut bytes = vec![*u.choose(&[0, 0xff, 0x80])?; len];
        let random = u.bytes(len.min(u.len()))?;
        bytes[..random.len()].copy_from_slice(random);
        assert_eq!(checksum(&bytes), naive(&bytes));
        let at = u.int_in_range(0..=len / 2)? * 2;
        let (a, b) = bytes.split_at(at);
        assert_eq!(Sum::new().with(a).with(b).finish(), naive(&bytes));
        assert_eq!(Sum::new().with(b).with(a).finish(), naive(&bytes));
        Ok(())
    });
}

#[test]
fn long_data_wraps_often() {
    for (byte, len) in [
        (0xff, 1 << 20),
        (0xff, 65_537),
        (0x80, 65_535 + 65_536),
        (1, 131_074),
    ] {
        let bytes = vec![byte; len];
        assert_eq!(checksum(&bytes), naive(&bytes));
    }
}

// RFC 1624 §3, equation 3: updating gives what computing anew gives.
#[test]
fn an_update_equals_a_new_sum() {
    arbtest::arbtest(|u| {
        let mut bytes: [u8; 20] = u.arbitrary()?;
        // A header is not all zero, where the two zeros of one's complement would differ.
        bytes[0] = 0x45;
        let before = checksum(&bytes);
        let at = 2 * u.int_in_range(1..=9)?;
        let new: [u8; 2] = u.arbitrary()?;
        let old = [bytes[at], bytes[at + 1]];
        bytes[at..at + 2].copy_from_slice(&new);
        let updated = update(before, u16::from_be_bytes(old), u16::from_be_bytes(new));
        assert_eq!(updated, checksum(&bytes));
        Ok(())
    });
    // RFC 1624 §4: the example where the older equation gave minus zero.
    assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

fn built(u: &mut arbtest::arbitrary::Unstructured<'_>) -> arbtest::arbitrary::Result<Vec<u8>> {
    let v6: bool = u.arbitrary()?;
    let ip = if v6 {
        PacketBuilder::ipv6(u.arbitrary()?, u.arbitrary()?, 64)
    } else {
        PacketBuilder::ipv4(u.arbitrary()?, u.arbitrary()?, 64)
    };
    let len = u.int_in_range(0..=200)?;
    let payload = u.bytes(len.min(u.len()))?.to_vec();
    let mut out = Vec::new();
    match u.int_in_range(0..=3)? {
        0 => ip
            .udp(u.arbitrary()?, u.arbitrary()?)
            .write(&mut out, &payload),
        1 => ip
            .tcp(u.arbitrary()?, u.arbitrary()?, u.arbitrary()?, 1000)
            .ack(u.arbitrary()?)
            .write(&mut out, &payload),
        2 if v6 => ip.icmpv6_echo_request(1, 2).write(&mut out, &payload),
        _ if v6 => ip.icmpv6_raw(200, 1, [0; 4]).write(&mut out, &payload),
        _ => ip.icmpv4_echo_request(1, 2).write(&mut out, &payload),
    }
    .unwrap();
    Ok(out)
}

#[test]
fn what_etherparse_builds_is_right_and_a_changed_bit_is_not() {
    arbtest::arbtest(|u| {
        let mut bytes = built(u)?;
        let packet = Packet::parse(&bytes, Meta::default());
        assert_eq!(verify(&packet), ChecksumState::Right);
        let v4 = bytes[0] >> 4 == 4;
        let protocol = packet.layout().protocol();
        let upper = packet.layout().upper_offset();
        // The pseudo header gives the same sum when it is taken apart.
        if protocol == 6 {
            let addresses = if v4 { &bytes[12..20] } else { &bytes[8..40] };
            let sum = pseudo_header(addresses, 6, (bytes.len() - upper) as u32);
            assert_eq!(sum.with(&bytes[upper..]).fold(), 0xffff);
        }
        // Payload, and in IPv4 the time to live, which nothing else depends on.
        if bytes.len() > upper + 20 {
            bytes[upper + 20] ^= 1 << u.int_in_range(0..=7)?;
            let packet = Packet::parse(&bytes, Meta::default());
            assert_eq!(verify(&packet), ChecksumState::WrongUpper);
        }
        if v4 {
            bytes[8] ^= 1 << u.int_in_range(0..=7)?;
            let packet = Packet::parse(&bytes, Meta::default());
            assert_eq!(verify(&packet), ChecksumState::WrongIp);
        }
        Ok(())
    });
}

#[test]
fn what_cannot_be_checked_is_not_judged() {
    let mut udp = Vec::new();
    PacketBuilder::ipv4([1, 2, 3, 4], [5, 6, 7, 8], 9)
        .udp(10, 11)
        .write(&mut udp, b"hello")
        .unwrap();
    let judge = |bytes: &[u8]| verify(&Packet::parse(bytes, Meta::default()));
    // RFC 768: zero says that there is none.
    let mut none = udp.clone();
    none[26..28].fill(0);
    assert_eq!(judge(&none), ChecksumState::Right);
    // Cut off.
    assert_eq!(judge(&udp[..30]), ChecksumState::Right);
    // A fragment.
    let mut fragment = udp.clone();
    fragment[6] = 0x20;
    fragment[10..12].fill(0);
    let sum = checksum(&fragment[..20]);
    fragment[10..12].copy_from_slice(&sum.to_be_bytes());
    fragment[26] ^= 1;
    assert_eq!(judge(&fragment), ChecksumState::Right);
    assert_eq!(judge(b""), ChecksumState::Right);
    // Padding of the link layer does not count.
    let mut padded = udp;
    padded.extend_from_slice(&[0xaa; 9]);
    assert_eq!(judge(&padded), ChecksumState::Right);
}

#[test]
fn no_bytes_can_panic() {
    arbtest::arbtest(|u| {
        let mut bytes = u.bytes(u.len())?.to_vec();
        if let Some(first) = bytes.first_mut() {
            *first = if *first & 1 == 0 { 0x45 } else { 0x60 };
        }
        let _ = verify(&Packet::parse(&bytes, Meta::default()));
        Ok(())
    });
}
