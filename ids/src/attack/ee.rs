//! Enterprise Extender: SNA over UDP (RFC 2353). Outside of an SNA product these checks show how a
//! protocol of an application is watched.
//!
//! Port 12000 carries the commands of the logical link, 12001 to 12004 carry data by priority:
//! network, high, medium, low. A packet begins with destination and source service access points and
//! the command; data goes on with a network-layer header whose first three bits are 110 and whose
//! next but two tell the priority.

use hostward_hook::layout::{Fragment, proto};
use hostward_hook::packet::Packet;

use crate::codes::{EE_LDLC, EE_MALFORMED, EE_PORT};
use crate::event::Finding;

/// Signalling.
pub(super) const FIRST_PORT: u16 = 12_000;
/// Low priority.
pub(super) const LAST_PORT: u16 = 12_004;

/// The bit of a command that asks for, or is, an answer.
const POLL: u8 = 0x10;

/// The commands, without that bit.
const UI: u8 = 0x03;
const DM: u8 = 0x0f;
const DISC: u8 = 0x43;
const XID: u8 = 0xaf;
const TEST: u8 = 0xe3;

/// Ports of a packet to Enterprise Extender, and its payload. Of a fragment nothing can be said.
fn payload<'a>(packet: &Packet<'a>) -> Option<((u16, u16), &'a [u8])> {
    let l = packet.layout();
    let ports = l.ports().filter(|_| l.protocol() == proto::UDP)?;
    let ours = (FIRST_PORT..=LAST_PORT).contains(&ports.1);
    (ours && l.fragment() == Fragment::Whole && !packet.meta.cut).then(|| (ports, packet.payload()))
}

/// From another port than that of the same priority.
pub(super) fn port(packet: &Packet<'_>) -> Option<Finding> {
    let ((source, _), _) = payload(packet)?;
    let at = packet.layout().upper_offset();
    (!(FIRST_PORT..=LAST_PORT).contains(&source))
        .then(|| Finding::at(EE_PORT, "ee-port", "source port", at, source.into()))
}

/// Too short, or of an unknown command, or data without a network-layer header.
pub(super) fn malformed(packet: &Packet<'_>) -> Option<Finding> {
    let (_, bytes) = payload(packet)?;
    let at = packet.layout().payload_offset();
    let found = |field, offset, value: u32| {
        Some(Finding::at(
            EE_MALFORMED,
            "ee-malformed",
            field,
            at + offset,
            value,
        ))
    };
    let [to, from, command, rest @ ..] = bytes else {
        return found("LDLC header", 0, bytes.len().try_into().unwrap_or(u32::MAX));
    };
    // Service access points are multiples of four; the last bit of the source tells answers.
    if to & 3 != 0 || from & 2 != 0 {
        return found(
            "service access point",
            0,
            u32::from(*to) << 8 | u32::from(*from),
        );
    }
    match command & !POLL {
        DM | DISC | TEST => None,
        XID if rest.is_empty() => found("XID", 3, 0),
        XID => None,
        UI => match rest {
            [h, _, ..] if h >> 5 == 0b110 => None,
            [h, _, ..] => found("network-layer header", 3, (*h).into()),
            _ => found("network-layer header", 3, 0),
        },
        _ => found("command", 2, (*command).into()),
    }
}

/// A command on the port of another priority.
pub(super) fn ldlc(packet: &Packet<'_>) -> Option<Finding> {
    let ((_, port), bytes) = payload(packet)?;
    let [_, _, command, rest @ ..] = bytes else {
        return None;
    };
    let expected = match (command & !POLL, rest) {
        (XID | TEST | DISC | DM, _) => FIRST_PORT,
        // The transmission priority: low, medium, high, network.
        (UI, [h, ..]) => LAST_PORT - u16::from(h >> 1 & 3),
        _ => return None,
    };
    let at = packet.layout().payload_offset() + 2;
    (port != expected).then(|| Finding::at(EE_LDLC, "ee-ldlc", "command", at, (*command).into()))
}
