//! Writing proposals.

use alloc::vec::Vec;

use super::{Proposal, Spi, Transform};

/// The body of an SA payload; nothing when counts or lengths do not fit their fields, or a transform has
/// no number.
pub(crate) fn write(proposals: &[Proposal]) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let last = proposals.len().checked_sub(1)?;
    for (at, proposal) in proposals.iter().enumerate() {
        let number = if last == 0 {
            proposal.number
        } else {
            u8::try_from(at + 1).ok()?
        };
        let body = transforms(&proposal.transforms)?;
        let child;
        let spi: &[u8] = match &proposal.spi {
            Spi::None => &[],
            Spi::Ike(spi) => &spi.0,
            Spi::Child(spi) => {
                child = spi.to_be_bytes();
                &child
            }
        };
        let length = u16::try_from(8 + spi.len() + body.len()).ok()?;
        let count = u8::try_from(proposal.transforms.len()).ok()?;
        // RFC 7296 §3.3.1: 2 when another proposal follows, 0 in the last one.
        octets.extend_from_slice(&[if at == last { 0 } else { 2 }, 0]);
        octets.extend_from_slice(&length.to_be_bytes());
        octets.extend_from_slice(&[number, proposal.protocol.id().0, spi.len() as u8, count]);
        octets.extend_from_slice(spi);
        octets.extend_from_slice(&body);
    }
    Some(octets)
}

fn transforms(transforms: &[Transform]) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(transforms.len() * 12);
    for (left, transform) in (0..transforms.len()).rev().zip(transforms) {
        let bits = transform.key_bits();
        let length: u8 = if bits.is_some() { 12 } else { 8 };
        // RFC 7296 §3.3.2: 3 when another transform follows, 0 in the last one.
        octets.extend_from_slice(&[if left == 0 { 0 } else { 3 }, 0, 0, length]);
        octets.extend_from_slice(&[transform.kind().0, 0]);
        octets.extend_from_slice(&transform.id()?.to_be_bytes());
        if let Some(bits) = bits {
            // RFC 7296 §3.3.5: Key Length, in the short format.
            octets.extend_from_slice(&[0x80, 14]);
            octets.extend_from_slice(&bits.to_be_bytes());
        }
    }
    Some(octets)
}
