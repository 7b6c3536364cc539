//! Reading numbers out of headers that may be cut off.

use super::layers::Miss;

pub(super) fn array<const N: usize>(data: &[u8], at: usize) -> Result<[u8; N], Miss> {
    data.get(at..)
        .and_then(|d| d.first_chunk::<N>())
        .copied()
        .ok_or(Miss::CutOff)
}

pub(super) fn byte(data: &[u8], at: usize) -> Result<u8, Miss> {
    data.get(at).copied().ok_or(Miss::CutOff)
}

pub(super) fn be16(data: &[u8], at: usize) -> Result<u16, Miss> {
    array(data, at).map(u16::from_be_bytes)
}

pub(super) fn be32(data: &[u8], at: usize) -> Result<u32, Miss> {
    array(data, at).map(u32::from_be_bytes)
}

/// Three bytes, as VXLAN and Geneve number their networks.
pub(super) fn be24(data: &[u8], at: usize) -> Result<u32, Miss> {
    array(data, at).map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
}

pub(super) fn le16(data: &[u8], at: usize) -> Result<u16, Miss> {
    array(data, at).map(u16::from_le_bytes)
}

pub(super) fn le32(data: &[u8], at: usize) -> Result<u32, Miss> {
    array(data, at).map(u32::from_le_bytes)
}

pub(super) fn rest(data: &[u8], at: usize) -> Result<&[u8], Miss> {
    data.get(at..).ok_or(Miss::CutOff)
}

/// The first `length` bytes, or all there are: what a length field within the frame says, without
/// the padding behind it.
pub(super) fn up_to(data: &[u8], length: usize) -> &[u8] {
    data.get(..length).unwrap_or(data)
}
