//! IEEE 802.11 data frames, and what captures put before them.

use super::super::bytes::{array, be16, be32, byte, le16, le32, rest};
use super::super::layers::Miss;
use super::Next;

/// A data frame (IEEE 802.11 §9.3.2), not encrypted, not a fragment, not an aggregate.
pub(super) fn data_frame(d: &[u8]) -> Result<Next<'_>, Miss> {
    let [control, flags] = array(d, 0)?;
    frame(d, control, flags, le16(d, 22)?, false)
}

/// The same as some access points send it through CAPWAP: frame control and sequence control have
/// their bytes swapped.
pub(super) fn swapped_data_frame(d: &[u8]) -> Result<Next<'_>, Miss> {
    let [flags, control] = array(d, 0)?;
    frame(d, control, flags, be16(d, 22)?, false)
}

/// `padded`: the header is followed by padding to a multiple of four.
fn frame(d: &[u8], control: u8, flags: u8, sequence: u16, padded: bool) -> Result<Next<'_>, Miss> {
    // Version 0, type 2 (data), a subtype that has data.
    if control & 0x0f != 0x08 || control & 0x40 != 0 {
        return Err(Miss::NotIp(control.into()));
    }
    if flags & 0x40 != 0 {
        return Err(Miss::Encrypted);
    }
    let mut header = if flags & 3 == 3 { 30 } else { 24 };
    if flags & 0x04 != 0 || sequence & 0x0f != 0 {
        return Err(Miss::Partial);
    }
    if control & 0x80 != 0 {
        // A-MSDU present.
        if byte(d, header)? & 0x80 != 0 {
            return Err(Miss::Partial);
        }
        header += if flags & 0x80 != 0 { 6 } else { 2 };
    }
    if padded {
        header = header.next_multiple_of(4);
    }
    Ok(Next::Llc(rest(d, header)?))
}

/// Radiotap: a header of the length it says, with flags if it says so.
pub(super) fn radiotap(d: &[u8]) -> Result<Next<'_>, Miss> {
    let length = usize::from(le16(d, 2)?);
    let first = le32(d, 4)?;
    // Further words of presence bits, chained by bit 31.
    let mut fields = 8;
    let mut word = first;
    while word & 1 << 31 != 0 {
        word = le32(d, fields)?;
        fields += 4;
    }
    let padded = if first & 2 != 0 {
        // The time comes before the flags and is aligned to eight bytes.
        let at = if first & 1 != 0 {
            fields.next_multiple_of(8) + 8
        } else {
            fields
        };
        byte(d, at)? & 0x20 != 0
    } else {
        false
    };
    let d = rest(d, length)?;
    let [control, flags] = array(d, 0)?;
    frame(d, control, flags, le16(d, 22)?, padded)
}

/// The header of the Prism drivers, or AVS under the same number.
pub(super) fn prism(d: &[u8]) -> Result<Next<'_>, Miss> {
    if be32(d, 0)? & 0xffff_f000 == 0x8021_1000 {
        return avs(d);
    }
    // The header's own length, in the order of the capturing host.
    let length = match (le32(d, 4)?, be32(d, 4)?) {
        (n @ 8..=1024, _) | (_, n @ 8..=1024) => n,
        _ => return Err(Miss::CutOff),
    };
    Ok(Next::Wlan(rest(d, length as usize)?))
}

/// The AVS header: version, length.
pub(super) fn avs(d: &[u8]) -> Result<Next<'_>, Miss> {
    Ok(Next::Wlan(rest(d, be32(d, 4)? as usize)?))
}
