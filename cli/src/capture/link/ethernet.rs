//! What EtherTypes and LLC lead to.

use super::super::bytes::{be16, be32, byte, rest, up_to};
use super::super::layers::{LayerKind, Layers, Miss};
use super::Next;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

pub(super) fn ether_type<'a>(
    kind: u16,
    d: &'a [u8],
    layers: &mut Layers,
) -> Result<Next<'a>, Miss> {
    Ok(match kind {
        IPV4 | IPV6 => Next::Ip(d),
        // IEEE 802.1Q, 802.1ad, and the numbers that were used before it.
        0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
            layers.push(LayerKind::Vlan, u32::from(be16(d, 0)? & 0x0fff))?;
            Next::EtherType(be16(d, 2)?, rest(d, 4)?)
        }
        0x88e7 => {
            layers.push(LayerKind::BackboneBridge, be32(d, 0)? & 0x00ff_ffff)?;
            Next::Ethernet(rest(d, 4)?)
        }
        0x8847 | 0x8848 => Next::Mpls(d),
        0x8864 => Next::Pppoe(d),
        // Transparent Ethernet bridging (RFC 1701).
        0x6558 => Next::Ethernet(d),
        // PPP (RFC 9542 appendix B.1).
        0x880b => Next::Ppp(d),
        // Cisco metadata: version, length in words, options, EtherType.
        0x8909 => {
            let header = 2 + usize::from(byte(d, 1)?) * 4;
            Next::EtherType(be16(d, header)?, rest(d, header + 2)?)
        }
        0x88e5 => macsec(d)?,
        // IEEE 802.3: the number is the length of what follows.
        ..0x0600 => Next::Llc(up_to(d, kind.into())),
        _ => return Err(Miss::NotIp(kind)),
    })
}

/// MACsec (IEEE 802.1AE §9.3) that protects integrity only.
fn macsec(d: &[u8]) -> Result<Next<'_>, Miss> {
    const CHANNEL: u8 = 0x20;
    const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
    const CHECK: usize = 16;
    let control = byte(d, 0)?;
    if control & ENCRYPTED_OR_CHANGED != 0 {
        return Err(Miss::Encrypted);
    }
    let header = if control & CHANNEL != 0 { 14 } else { 6 };
    let data = rest(d, header)?;
    let data = up_to(data, data.len().saturating_sub(CHECK));
    Ok(Next::EtherType(be16(data, 0)?, rest(data, 2)?))
}

/// LLC (IEEE 802.2), with SNAP (RFC 1042) or without.
pub(super) fn llc(d: &[u8]) -> Result<Next<'_>, Miss> {
    match d {
        // Organization zero, and that of bridge tunnels, number by EtherType.
        [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, a, b, d @ ..] => {
            Ok(match u16::from_be_bytes([*a, *b]) {
                // SNAP within SNAP would be a length again.
                kind @ ..0x0600 => return Err(Miss::NotIp(kind)),
                kind => Next::EtherType(kind, d),
            })
        }
        // RFC 2684 §5.2: a bridged Ethernet frame, with or without its check sequence.
        [0xaa, 0xaa, 0x03, 0, 0x80, 0xc2, 0, 1 | 7, 0, 0, d @ ..] => Ok(Next::Ethernet(d)),
        [0x06, 0x06, 0x03, d @ ..] => Ok(Next::Ip(d)),
        // RFC 2684: ISO network protocols by their NLPID.
        [0xfe, 0xfe, 0x03, 0xcc | 0x8e, d @ ..] => Ok(Next::Ip(d)),
        [a, b, _, ..] => Err(Miss::NotIp(u16::from_be_bytes([*a, *b]))),
        _ => Err(Miss::CutOff),
    }
}

/// A stack of MPLS labels (RFC 3032). It does not say what it carries: an IP version, or a
/// pseudowire of Ethernet with its control word (RFC 4385) or without.
pub(super) fn mpls<'a>(mut d: &'a [u8], layers: &mut Layers) -> Result<Next<'a>, Miss> {
    loop {
        let entry = be32(d, 0)?;
        layers.push(LayerKind::Mpls, entry >> 12)?;
        d = rest(d, 4)?;
        if entry & 0x100 != 0 {
            break;
        }
    }
    match d {
        [first, ..] if matches!(first >> 4, 4 | 6) && !is_bridged(d) => Ok(Next::Ip(d)),
        [0x00..=0x0f, _, _, _, frame @ ..] if is_bridged(frame) => Ok(Next::Ethernet(frame)),
        _ if is_bridged(d) => Ok(Next::Ethernet(d)),
        [_, ..] => Err(Miss::NotIp(0x8847)),
        [] => Err(Miss::CutOff),
    }
}

/// Whether these are plausibly the addresses and the EtherType of a frame with IP in it, perhaps
/// behind a VLAN tag, whose IP version agrees.
fn is_bridged(d: &[u8]) -> bool {
    let kind = match (be16(d, 12), be16(d, 16)) {
        (Ok(0x8100), Ok(kind)) => (kind, d.get(18)),
        (Ok(kind), _) => (kind, d.get(14)),
        (Err(_), _) => return false,
    };
    match kind {
        (IPV4, Some(first)) => first >> 4 == 4 && first & 15 >= 5,
        (IPV6, Some(first)) => first >> 4 == 6,
        _ => false,
    }
}
