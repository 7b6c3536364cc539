//! Links that need few words.

use hostward_hook::Direction;

use super::super::bytes::{array, be16, be32, byte, le16, le32, rest};
use super::super::layers::Miss;
use super::Next;

/// BSD loopback: an address family in the byte order of the capturing host.
pub(super) fn null(d: &[u8]) -> Result<Next<'_>, Miss> {
    let packet = rest(d, 4)?;
    match family(le32(d, 0)?, packet) {
        Err(_) => family(be32(d, 0)?, packet),
        found => found,
    }
}

/// An address family. That of IPv6 differs from system to system: Linux 10, Windows 23, NetBSD and
/// OpenBSD 24, FreeBSD 28, Darwin 30.
pub(super) fn family(family: u32, packet: &[u8]) -> Result<Next<'_>, Miss> {
    match family {
        2 | 10 | 23 | 24 | 28 | 30 => Ok(Next::Ip(packet)),
        n => Err(Miss::NotIp(u16::try_from(n).unwrap_or(u16::MAX))),
    }
}

/// Linux cooked capture: the protocol field is an EtherType or one of Linux's own small numbers.
pub(super) fn cooked(protocol: u16, d: &[u8]) -> Result<Next<'_>, Miss> {
    match protocol {
        4 => Ok(Next::Llc(d)),
        ..0x0600 => Err(Miss::NotIp(protocol)),
        _ => Ok(Next::EtherType(protocol, d)),
    }
}

/// The packet type of a cooked capture.
pub(super) fn cooked_direction(kind: u16) -> Option<Direction> {
    match kind {
        0 => Some(Direction::Inbound),
        4 => Some(Direction::Outbound),
        // Broadcast and multicast are received too, but name no local address; the rest belongs
        // to other hosts.
        _ => None,
    }
}

/// FDDI: frame control, two addresses, LLC.
pub(super) fn fddi(d: &[u8]) -> Result<Next<'_>, Miss> {
    match byte(d, 0)? {
        0x50..=0x5f => Ok(Next::Llc(rest(d, 13)?)),
        control => Err(Miss::NotIp(control.into())),
    }
}

/// Token Ring (IEEE 802.5): access and frame control, two addresses, perhaps a route, LLC.
pub(super) fn token_ring(d: &[u8]) -> Result<Next<'_>, Miss> {
    if byte(d, 1)? & 0xc0 != 0x40 {
        return Err(Miss::NotIp(byte(d, 1)?.into()));
    }
    let route = if byte(d, 8)? & 0x80 != 0 {
        usize::from(byte(d, 14)? & 0x1f)
    } else {
        0
    };
    Ok(Next::Llc(rest(d, 14 + route)?))
}

/// Frame relay: an address of two to four bytes, then RFC 2427 or Cisco encapsulation.
pub(super) fn frame_relay(d: &[u8]) -> Result<Next<'_>, Miss> {
    // The lowest bit ends the address.
    let address = match array::<4>(d, 0)? {
        [a, ..] if a & 1 == 1 => return Err(Miss::NotIp(a.into())),
        [_, b, ..] if b & 1 == 1 => 2,
        [_, _, c, _] if c & 1 == 1 => 3,
        _ => 4,
    };
    match rest(d, address)? {
        // RFC 2427 §3: unnumbered information, perhaps padding, NLPID.
        [0x03, 0xcc | 0x8e, d @ ..] | [0x03, 0x00, 0xcc | 0x8e, d @ ..] => Ok(Next::Ip(d)),
        [0x03, 0x00, 0x80, d @ ..] | [0x03, 0x80, d @ ..] => snap(d),
        [0x03, kind, ..] => Err(Miss::NotIp((*kind).into())),
        d => match be16(d, 0)? {
            kind @ ..0x0600 => Err(Miss::NotIp(kind)),
            kind => Ok(Next::EtherType(kind, rest(d, 2)?)),
        },
    }
}

/// Organization and protocol without LLC.
fn snap(d: &[u8]) -> Result<Next<'_>, Miss> {
    match d {
        [0, 0, 0, a, b, d @ ..] if *a >= 6 => Ok(Next::EtherType(u16::from_be_bytes([*a, *b]), d)),
        // RFC 2427 §4.2: a bridged Ethernet frame, with or without its check sequence.
        [0, 0x80, 0xc2, 0, 1 | 7, d @ ..] => Ok(Next::Ethernet(d)),
        [_, _, _, a, b, ..] => Err(Miss::NotIp(u16::from_be_bytes([*a, *b]))),
        _ => Err(Miss::CutOff),
    }
}

/// Linux netfilter log: family, version, then attributes in the order of the capturing host.
pub(super) fn nflog(d: &[u8]) -> Result<Next<'_>, Miss> {
    const PAYLOAD: u16 = 9;
    let kind: u32 = byte(d, 0)?.into();
    let mut attributes = rest(d, 4)?;
    while !attributes.is_empty() {
        let length = usize::from(le16(attributes, 0)?);
        let data = attributes.get(4..length).ok_or(Miss::CutOff)?;
        if le16(attributes, 2)? & 0x7fff == PAYLOAD {
            return family(kind, data);
        }
        attributes = attributes
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    Err(Miss::NotIp(0))
}
