//! Selectors as sets of packets: intersection and containment.

use alloc::vec::Vec;

use super::{AddressRange, Ports, Selector};

/// What both let through.
pub(super) fn intersection(a: &Selector, b: &Selector) -> Option<Selector> {
    let protocol = match (a.protocol, b.protocol) {
        (0, other) | (other, 0) => other,
        (one, other) if one == other => one,
        _ => return None,
    };
    let ports = match (a.ports, b.ports) {
        // RFC 4301 §4.4.1.1: ANY contains OPAQUE; a range of ports does not.
        (Ports::Opaque, Ports::Opaque | Ports::ANY) | (Ports::ANY, Ports::Opaque) => Ports::Opaque,
        (Ports::Opaque, Ports::Range(..)) | (Ports::Range(..), Ports::Opaque) => return None,
        (Ports::Range(a, b), Ports::Range(c, d)) => {
            let (from, to) = (a.max(c), b.min(d));
            if from > to {
                return None;
            }
            Ports::Range(from, to)
        }
    };
    let addresses = match (a.addresses, b.addresses) {
        (AddressRange::V4(a, b), AddressRange::V4(c, d)) => {
            AddressRange::of(a.max(c).into(), b.min(d).into())
        }
        (AddressRange::V6(a, b), AddressRange::V6(c, d)) => {
            AddressRange::of(a.max(c).into(), b.min(d).into())
        }
        (AddressRange::V4(..), AddressRange::V6(..))
        | (AddressRange::V6(..), AddressRange::V4(..)) => None,
    }?;
    Some(Selector {
        protocol,
        ports,
        addresses,
    })
}

/// What both lists let through, without selectors that others contain, in the order of the first list.
/// Nothing beyond `limit` selectors: what is over is left out, so the result only ever lets less through.
#[must_use]
pub fn intersect(a: &[Selector], b: &[Selector], limit: usize) -> Vec<Selector> {
    let mut found: Vec<Selector> = Vec::new();
    for one in a {
        for other in b {
            let Some(both) = intersection(one, other) else {
                continue;
            };
            if found.iter().any(|has| has.contains(&both)) {
                continue;
            }
            found.retain(|has| !both.contains(has));
            if found.len() < limit {
                found.push(both);
            }
        }
    }
    found
}

/// Pieces into which a selector may fall while it is looked at; beyond them it counts as not contained.
const PIECES: usize = 1024;

/// Whether the list lets everything through that the others do, also where only several of its selectors
/// together do. It answers no where telling would take too long (a selector in more than 1024 pieces),
/// and where one of any protocol would have to be put together from 255 single ones.
#[must_use]
pub fn contains_all(list: &[Selector], others: &[Selector]) -> bool {
    others.iter().all(|other| covers(list, other))
}

fn covers(list: &[Selector], other: &Selector) -> bool {
    if list.iter().any(|one| one.contains(other)) {
        return true;
    }
    let mut pieces = alloc::vec![*other];
    for one in list {
        let mut left = Vec::new();
        for piece in &pieces {
            subtract(piece, one, &mut left);
            if left.len() > PIECES {
                return false;
            }
        }
        pieces = left;
        if pieces.is_empty() {
            return true;
        }
    }
    false
}

/// The rest of `from` without `what`, in pieces that do not overlap.
fn subtract(from: &Selector, what: &Selector, left: &mut Vec<Selector>) {
    let Some(both) = intersection(from, what) else {
        left.push(*from);
        return;
    };
    // The rest of all other protocols cannot be told in selectors; leaving it whole is on the safe side.
    if both.protocol != from.protocol {
        left.push(*from);
        return;
    }
    let mut addresses = |range: Option<AddressRange>| {
        left.extend(range.map(|addresses| Selector { addresses, ..*from }));
    };
    match (from.addresses, both.addresses) {
        (AddressRange::V4(a, d), AddressRange::V4(b, c)) => {
            if let Some(before) = b.to_bits().checked_sub(1) {
                addresses(AddressRange::of(
                    a.into(),
                    core::net::Ipv4Addr::from(before).into(),
                ));
            }
            if let Some(after) = c.to_bits().checked_add(1) {
                addresses(AddressRange::of(
                    core::net::Ipv4Addr::from(after).into(),
                    d.into(),
                ));
            }
        }
        (AddressRange::V6(a, d), AddressRange::V6(b, c)) => {
            if let Some(before) = b.to_bits().checked_sub(1) {
                addresses(AddressRange::of(
                    a.into(),
                    core::net::Ipv6Addr::from(before).into(),
                ));
            }
            if let Some(after) = c.to_bits().checked_add(1) {
                addresses(AddressRange::of(
                    core::net::Ipv6Addr::from(after).into(),
                    d.into(),
                ));
            }
        }
        (AddressRange::V4(..), AddressRange::V6(..))
        | (AddressRange::V6(..), AddressRange::V4(..)) => {}
    }
    let mut ports = |ports: Ports| {
        left.push(Selector {
            ports,
            addresses: both.addresses,
            protocol: from.protocol,
        });
    };
    match (from.ports, both.ports) {
        (Ports::Range(a, d), Ports::Range(b, c)) => {
            if a < b {
                ports(Ports::Range(a, b.saturating_sub(1)));
            }
            if c < d {
                ports(Ports::Range(c.saturating_add(1), d));
            }
            // Of ANY, ranges leave the packets without ports.
            if from.ports == Ports::ANY && both.ports != Ports::ANY {
                ports(Ports::Opaque);
            }
        }
        // What is left of ANY is every port. As a range it would be ANY again, so in two.
        (Ports::ANY, Ports::Opaque) => {
            ports(Ports::Range(0, 0x7fff));
            ports(Ports::Range(0x8000, u16::MAX));
        }
        (Ports::Opaque, _) | (Ports::Range(..), Ports::Opaque) => {}
    }
}
