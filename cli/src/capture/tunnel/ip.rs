//! Tunnels that have an IP protocol number of their own.

use hostward_hook::layout::proto;

use super::super::bytes::{be16, be32, byte, rest, up_to};
use super::super::layers::{LayerKind, Miss};
use super::super::link::Next;
use super::Inside;

pub(super) fn inside(protocol: u8, d: &[u8]) -> Option<Inside<'_>> {
    let plain = |kind, next| Inside { kind, id: 0, next };
    match protocol {
        proto::IPV4 => (byte(d, 0).ok()? >> 4 == 4).then(|| plain(LayerKind::IpInIp, Next::Ip(d))),
        proto::IPV6 => (byte(d, 0).ok()? >> 4 == 6).then(|| plain(LayerKind::IpInIp, Next::Ip(d))),
        proto::GRE => gre(d).ok(),
        proto::ETHERIP => match d {
            // RFC 3378 §3: version 3, reserved bits zero.
            [0x30, 0, frame @ ..] => Some(plain(LayerKind::EtherIp, Next::Ethernet(frame))),
            _ => None,
        },
        proto::MPLS_IN_IP => Some(plain(LayerKind::IpInIp, Next::Mpls(d))),
        _ => None,
    }
}

/// GRE (RFC 2784, RFC 2890), its version 1 (RFC 2637) and ERSPAN.
pub(super) fn gre(d: &[u8]) -> Result<Inside<'_>, Miss> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGMENT: u16 = 0x0080;
    const PPP: u16 = 0x880b;
    let flags = be16(d, 0)?;
    let protocol = be16(d, 2)?;
    let mut at = 4;
    match flags & 7 {
        0 => {
            // RFC 2784 §2.3: a packet with source routes is discarded.
            if flags & ROUTING != 0 {
                return Err(Miss::NotIp(protocol));
            }
            if flags & CHECKSUM != 0 {
                at += 4;
            }
            let id = if flags & KEY != 0 {
                at += 4;
                be32(d, at - 4)?
            } else {
                0
            };
            let sequenced = flags & SEQUENCE != 0;
            if sequenced {
                at += 4;
            }
            let d = rest(d, at)?;
            erspan(protocol, sequenced, d).unwrap_or(Ok(Inside {
                kind: LayerKind::Gre,
                id,
                next: match protocol {
                    // Cisco metadata, within GRE with the EtherType in front.
                    0x8909 => {
                        let options = usize::from(byte(d, 3)?) * 4;
                        Next::EtherType(be16(d, 0)?, rest(d, 4 + options)?)
                    }
                    // Not a length.
                    ..0x0600 => return Err(Miss::NotIp(protocol)),
                    _ => Next::EtherType(protocol, d),
                },
            }))
        }
        1 if protocol == PPP && flags & KEY != 0 => {
            // The key field holds the length of the payload and the call.
            let length = be16(d, 4)?;
            let call = be16(d, 6)?;
            at += 4;
            if flags & SEQUENCE != 0 {
                at += 4;
            }
            if flags & ACKNOWLEDGMENT != 0 {
                at += 4;
            }
            Ok(Inside {
                kind: LayerKind::Pptp,
                id: call.into(),
                next: Next::Ppp(up_to(rest(d, at)?, length.into())),
            })
        }
        _ => Err(Miss::NotIp(protocol)),
    }
}

/// ERSPAN (draft-foschiano-erspan): type I has no header, type II has one of 8 bytes, type III one
/// of 12 and perhaps a subheader of 8.
fn erspan(protocol: u16, sequenced: bool, d: &[u8]) -> Option<Result<Inside<'_>, Miss>> {
    let header = match protocol {
        0x88be if !sequenced => 0,
        0x88be => 8,
        0x22eb => match byte(d, 11) {
            Ok(last) => 12 + if last & 1 != 0 { 8 } else { 0 },
            Err(e) => return Some(Err(e)),
        },
        _ => return None,
    };
    let session = if header == 0 {
        Ok(0)
    } else {
        be16(d, 2).map(|s| u32::from(s & 0x03ff))
    };
    Some(session.and_then(|id| {
        Ok(Inside {
            kind: LayerKind::Erspan,
            id,
            next: Next::Ethernet(rest(d, header)?),
        })
    }))
}
