//! Tunnels over UDP, known by port and then by their headers.

use super::super::bytes::{be16, be24, be32, byte, rest, up_to};
use super::super::layers::{LayerKind, Miss};
use super::super::link::Next;
use super::{Inside, ip};

pub(super) fn inside(source: u16, destination: u16, d: &[u8]) -> Option<Inside<'_>> {
    // VXLAN and its like answer to the well-known port from any other one; the older ones use
    // theirs on both sides or either.
    let found = match destination {
        4789 | 8472 => vxlan(d),
        4790 => vxlan_gpe(d),
        6081 => geneve(d),
        4754 => ip::gre(d),
        6635 => Ok(Inside {
            kind: LayerKind::IpInIp,
            id: 0,
            next: Next::Mpls(d),
        }),
        _ => Err(Miss::NotIp(destination)),
    };
    let either = |port| source == port || destination == port;
    found
        .or_else(|miss| {
            if either(2152) {
                gtp_u(d)
            } else if either(5247) {
                capwap(d)
            } else if either(3544) {
                teredo(d)
            } else if either(1701) {
                l2tp(d)
            } else if either(5072) {
                ayiya(d)
            } else {
                Err(miss)
            }
        })
        .ok()
}

const NO: Miss = Miss::NotIp(0);

/// VXLAN (RFC 7348 §5). Reserved bits are to be ignored, but traffic that sets the last byte is
/// not VXLAN; the first byte may have the group policy bit.
fn vxlan(d: &[u8]) -> Result<Inside<'_>, Miss> {
    if byte(d, 0)? & 0x7f != 0x08 || byte(d, 7)? != 0 {
        return Err(NO);
    }
    Ok(Inside {
        kind: LayerKind::Vxlan,
        id: be24(d, 4)?,
        next: Next::Ethernet(rest(d, 8)?),
    })
}

/// VXLAN's generic protocol extension (draft-ietf-nvo3-vxlan-gpe §3).
fn vxlan_gpe(d: &[u8]) -> Result<Inside<'_>, Miss> {
    if byte(d, 0)? & 0xfe != 0x0c || byte(d, 7)? != 0 {
        return Err(NO);
    }
    let packet = rest(d, 8)?;
    Ok(Inside {
        kind: LayerKind::Vxlan,
        id: be24(d, 4)?,
        next: match byte(d, 3)? {
            1 | 2 => Next::Ip(packet),
            3 => Next::Ethernet(packet),
            _ => return Err(NO),
        },
    })
}

/// Geneve (RFC 8926 §3.4): version 0, options of the length it says, reserved bits zero.
fn geneve(d: &[u8]) -> Result<Inside<'_>, Miss> {
    let first = byte(d, 0)?;
    if first >> 6 != 0 || byte(d, 1)? & 0x3f != 0 || byte(d, 7)? != 0 {
        return Err(NO);
    }
    let protocol = be16(d, 2)?;
    let packet = rest(d, 8 + usize::from(first & 0x3f) * 4)?;
    Ok(Inside {
        kind: LayerKind::Geneve,
        id: be24(d, 4)?,
        next: match protocol {
            ..0x0600 => return Err(NO),
            _ => Next::EtherType(protocol, packet),
        },
    })
}

/// GTP-U (3GPP TS 29.281 §5.1): version 1, a G-PDU, extension headers skipped.
fn gtp_u(d: &[u8]) -> Result<Inside<'_>, Miss> {
    let flags = byte(d, 0)?;
    if flags & 0xf8 != 0x30 || byte(d, 1)? != 0xff {
        return Err(NO);
    }
    let teid = be32(d, 4)?;
    let length = usize::from(be16(d, 2)?);
    let d = rest(d, 8)?;
    if length > d.len() {
        return Err(NO);
    }
    let mut d = up_to(d, length);
    if flags & 7 != 0 {
        let mut extension = byte(d, 3)?;
        d = rest(d, 4)?;
        while flags & 4 != 0 && extension != 0 {
            let length = usize::from(byte(d, 0)?) * 4;
            if length == 0 {
                return Err(NO);
            }
            extension = byte(d, length - 1)?;
            d = rest(d, length)?;
        }
    }
    Ok(Inside {
        kind: LayerKind::GtpU,
        id: teid,
        next: Next::Ip(d),
    })
}

/// CAPWAP data (RFC 5415 §4.3), not encrypted, not a fragment, not a keep-alive.
fn capwap(d: &[u8]) -> Result<Inside<'_>, Miss> {
    const NATIVE: u32 = 0x100;
    const FRAGMENT: u32 = 0x80;
    const KEEP_ALIVE: u32 = 0x08;
    let header = be32(d, 0)?;
    // Preamble: version 0, type 0 (a CAPWAP header follows, not DTLS).
    if header >> 24 != 0 || header & (FRAGMENT | KEEP_ALIVE) != 0 {
        return Err(NO);
    }
    let length = (header >> 19 & 0x1f) as usize * 4;
    if length < 8 {
        return Err(NO);
    }
    let frame = rest(d, length)?;
    Ok(Inside {
        kind: LayerKind::Capwap,
        id: 0,
        next: if header & NATIVE == 0 {
            Next::Ethernet(frame)
        } else if byte(frame, 0)? & 0x0f == 0x08 {
            Next::Wlan(frame)
        } else {
            Next::SwappedWlan(frame)
        },
    })
}

/// Teredo (RFC 4380 §5.1.1): perhaps authentication, perhaps origin, then an IPv6 packet that
/// ends with the datagram.
fn teredo(mut d: &[u8]) -> Result<Inside<'_>, Miss> {
    if be16(d, 0)? == 1 {
        let identifiers = usize::from(byte(d, 2)?) + usize::from(byte(d, 3)?);
        d = rest(d, 4 + identifiers + 9)?;
    }
    if be16(d, 0)? == 0 {
        d = rest(d, 8)?;
    }
    if byte(d, 0)? >> 4 != 6 || usize::from(be16(d, 4)?) + 40 != d.len() {
        return Err(NO);
    }
    Ok(Inside {
        kind: LayerKind::Teredo,
        id: 0,
        next: Next::Ip(d),
    })
}

/// L2TP version 2 data (RFC 2661 §3.1).
fn l2tp(d: &[u8]) -> Result<Inside<'_>, Miss> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    // Reserved bits, which must be zero.
    const RESERVED: u16 = 0x34f0;
    let flags = be16(d, 0)?;
    if flags & (CONTROL | RESERVED) != 0 || flags & 15 != 2 {
        return Err(NO);
    }
    let mut at = 2;
    if flags & LENGTH != 0 {
        if usize::from(be16(d, at)?) != d.len() {
            return Err(NO);
        }
        at += 2;
    }
    let tunnel = be32(d, at)?;
    at += 4;
    if flags & SEQUENCE != 0 {
        at += 4;
    }
    if flags & OFFSET != 0 {
        at += 2 + usize::from(be16(d, at)?);
    }
    Ok(Inside {
        kind: LayerKind::L2tp,
        id: tunnel >> 16,
        next: Next::Ppp(rest(d, at)?),
    })
}

/// AYIYA (draft-massar-v6ops-ayiya): identity and signature skipped, IPv6 forwarded.
fn ayiya(d: &[u8]) -> Result<Inside<'_>, Miss> {
    let [identity, signature, operation, next, ..] = *d else {
        return Err(Miss::CutOff);
    };
    if operation & 15 != 1 || next != 41 {
        return Err(NO);
    }
    let at = 8 + (1_usize << (identity >> 4)) + usize::from(signature >> 4) * 4;
    Ok(Inside {
        kind: LayerKind::Ayiya,
        id: 0,
        next: Next::Ip(rest(d, at)?),
    })
}
