//! From an IP packet to the innermost packet it carries.
//!
//! Only captures need this: a host sees a tunnel's packets on the tunnel's interface. Recognized
//! are IP in IP, GRE (with PPTP and ERSPAN), MPLS in IP, EtherIP, and over UDP VXLAN, Geneve,
//! GTP-U, CAPWAP data, Teredo, AYIYA, L2TP, GRE (RFC 8086) and MPLS (RFC 7510), in any order and
//! up to a bounded depth. What is encrypted (ESP) or authenticated (AH) stays as it is: that is
//! for the guard to see.
//!
//! A port number proves little, so a tunnel is only believed when its header is consistent and
//! what it carries leads to a well-formed IP header. Otherwise, and for a carried packet that is
//! not IP, the packet that carries it stands.
//!
//! A fragment is left alone. Who puts datagrams together calls [`decapsulate`] again with the
//! whole.

mod ip;
mod udp;

use hostward_hook::layout::{Fragment, Layout, proto};

use super::layers::{LayerKind, Layers};
use super::link::{Next, to_ip};

/// Depth to which tunnels are opened unless the user says otherwise.
pub const DEFAULT_DEPTH: usize = 8;

/// The innermost IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decap<'a> {
    /// Its bytes; those that were handed in if there is no tunnel.
    pub packet: &'a [u8],
    /// What was taken off, outermost first.
    pub layers: Layers,
}

/// What a tunnel's header says.
struct Inside<'a> {
    kind: LayerKind,
    id: u32,
    next: Next<'a>,
}

/// Opens the tunnels in an IP packet, `depth` of them at most.
///
/// Never fails: where nothing, or nothing more, can be opened, the packet reached so far is the
/// innermost one. `packet` may be any IP packet: one from a frame, or a datagram that was put
/// together from fragments.
#[must_use]
pub fn decapsulate(packet: &[u8], depth: usize) -> Decap<'_> {
    let mut decap = Decap {
        packet,
        layers: Layers::default(),
    };
    for _ in 0..depth {
        let Some((packet, layers)) = step(decap.packet) else {
            break;
        };
        if decap.layers.append(&layers).is_err() {
            break;
        }
        decap.packet = packet;
    }
    decap
}

/// Opens one tunnel.
fn step(packet: &[u8]) -> Option<(&[u8], Layers)> {
    let layout = Layout::parse(packet);
    // A host looks at the destination of a tunnel packet before it opens it; a fragment shows
    // only part of what it carries.
    if layout.ip_version().is_none() || layout.fragment() != Fragment::Whole {
        return None;
    }
    let inside = match layout.protocol() {
        proto::UDP => {
            let (source, destination) = layout.ports()?;
            let payload = packet.get(layout.payload_offset()..layout.end())?;
            udp::inside(source, destination, payload)
        }
        protocol => ip::inside(protocol, packet.get(layout.upper_offset()..layout.end())?),
    }?;
    let mut layers = Layers::default();
    layers.push(inside.kind, inside.id).ok()?;
    let inner = to_ip(inside.next, &mut layers).ok()?;
    is_plausible(inner).then_some((inner, layers))
}

/// Whether bytes begin with a whole IP header that does not contradict itself.
fn is_plausible(packet: &[u8]) -> bool {
    match packet {
        [first, _, a, b, ..] if first >> 4 == 4 => {
            let header = usize::from(first & 15) * 4;
            let total = usize::from(u16::from_be_bytes([*a, *b]));
            // A total length of zero is that of segmentation offload.
            header >= 20 && packet.len() >= header && (total >= header || total == 0)
        }
        [first, ..] if first >> 4 == 6 => packet.len() >= 40,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
