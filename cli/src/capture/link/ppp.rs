//! PPP and its relatives on serial lines.

use super::super::bytes::{be16, byte, rest, up_to};
use super::super::layers::{LayerKind, Layers, Miss};
use super::Next;

/// PPP (RFC 1661), with HDLC framing (RFC 1662) or without, protocol field compressed or not.
pub(super) fn ppp(d: &[u8]) -> Result<Next<'_>, Miss> {
    let d = d.strip_prefix(&[0xff, 0x03]).unwrap_or(d);
    // RFC 1661 §2: the last byte of the protocol field is odd, all before it are even.
    let first = byte(d, 0)?;
    let (protocol, d) = if first & 1 == 1 {
        (first.into(), rest(d, 1)?)
    } else {
        (be16(d, 0)?, rest(d, 2)?)
    };
    match protocol {
        0x0021 | 0x0057 => Ok(Next::Ip(d)),
        0x0281 | 0x0283 => Ok(Next::Mpls(d)),
        // Compressed and encrypted datagrams (RFC 1962, RFC 1968).
        0x0053 | 0x00fd => Err(Miss::Encrypted),
        _ => Err(Miss::NotIp(protocol)),
    }
}

/// PPP or Cisco HDLC, told apart by the address byte.
pub(super) fn serial(d: &[u8]) -> Result<Next<'_>, Miss> {
    match byte(d, 0)? {
        0x0f | 0x8f => cisco_hdlc(d),
        _ => Ok(Next::Ppp(d)),
    }
}

/// Cisco HDLC: address, control, EtherType (RFC 1547 §4.3.1).
pub(super) fn cisco_hdlc(d: &[u8]) -> Result<Next<'_>, Miss> {
    match byte(d, 0)? {
        0x0f | 0x8f => match be16(d, 2)? {
            // Not a length: HDLC has none.
            kind @ ..0x0600 => Err(Miss::NotIp(kind)),
            kind => Ok(Next::EtherType(kind, rest(d, 4)?)),
        },
        _ => Ok(Next::Ppp(d)),
    }
}

/// A PPPoE header (RFC 2516 §4). Only sessions carry packets.
pub(super) fn pppoe<'a>(d: &'a [u8], layers: &mut Layers) -> Result<Next<'a>, Miss> {
    if byte(d, 0)? != 0x11 || byte(d, 1)? != 0 {
        return Err(Miss::NotIp(0x8863));
    }
    layers.push(LayerKind::Pppoe, be16(d, 2)?.into())?;
    Ok(Next::Ppp(up_to(rest(d, 6)?, be16(d, 4)?.into())))
}
