//! The Authentication Header: what of a packet it covers, and how.

use hostward_hook::layout::proto;

use crate::engine::Engine;
use crate::sa::Refused;

/// The longest chain of headers in front of AH that is worked on: they are copied aside while
/// their mutable fields are zero.
const MAX_FRONT: usize = 512;

/// An authentication header in a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    /// Where it begins.
    pub(crate) at: usize,
    /// Octets of it, padding included.
    pub(crate) len: usize,
    /// Octets of the ICV, without GMAC's IV.
    pub(crate) icv: usize,
    pub(crate) spi: u32,
    pub(crate) sequence: u64,
    pub(crate) next_header: u8,
    /// Where the packet ends; behind that is room for the high half of an extended number, or nothing.
    pub(crate) end: usize,
}

/// The headers in front, kept while their mutable fields are zero.
struct Kept {
    octets: [u8; MAX_FRONT],
}

impl Kept {
    fn take(all: &[u8], at: usize) -> Result<Self, Refused> {
        let mut octets = [0; MAX_FRONT];
        let front = all.get(..at).ok_or(Refused::Malformed)?;
        octets
            .get_mut(..at)
            .ok_or(Refused::Malformed)?
            .copy_from_slice(front);
        Ok(Self { octets })
    }

    fn restore(&self, all: &mut [u8], at: usize) {
        if let (Some(to), Some(from)) = (all.get_mut(..at), self.octets.get(..at)) {
            to.copy_from_slice(from);
        }
    }
}

/// Writes the header and its ICV into a packet that has room for it and is complete otherwise.
pub(crate) fn seal(engine: &Engine, all: &mut [u8], header: Header) -> Result<(), Refused> {
    let kept = Kept::take(all, header.at)?;
    prepare(all, header)?;
    let own = all
        .get_mut(header.at..header.at + header.len)
        .ok_or(Refused::Malformed)?;
    own.fill(0);
    let fixed = own.first_chunk_mut::<12>().ok_or(Refused::Malformed)?;
    let [s0, s1, s2, s3] = header.spi.to_be_bytes();
    let [n0, n1, n2, n3] = (header.sequence as u32).to_be_bytes();
    // RFC 4302 §2.2: the length in words of 32 bits, less 2.
    let words = (header.len / 4 - 2) as u8;
    *fixed = [
        header.next_header,
        words,
        0,
        0,
        s0,
        s1,
        s2,
        s3,
        n0,
        n1,
        n2,
        n3,
    ];
    let iv = engine.ah_iv_len();
    let mut icv = [0; 64];
    let icv = icv.get_mut(..header.icv).ok_or(Refused::Malformed)?;
    engine.authenticate(all, header.sequence, icv)?;
    let field = all.get_mut(header.at + 12..).ok_or(Refused::Malformed)?;
    if iv > 0 {
        *field.first_chunk_mut::<8>().ok_or(Refused::Malformed)? = header.sequence.to_be_bytes();
    }
    field
        .get_mut(iv..iv + header.icv)
        .ok_or(Refused::Malformed)?
        .copy_from_slice(icv);
    kept.restore(all, header.at);
    Ok(())
}

/// Checks the ICV. What is in front of the header is as it was afterwards, the header is destroyed.
pub(crate) fn open(engine: &Engine, all: &mut [u8], header: Header) -> Result<(), Refused> {
    let kept = Kept::take(all, header.at)?;
    prepare(all, header)?;
    let iv_len = engine.ah_iv_len();
    // RFC 4302 §3.3.3.1: the ICV field counts as zero; padding behind it is covered as it is.
    let field = all
        .get_mut(header.at + 12..header.at + 12 + iv_len + header.icv)
        .ok_or(Refused::Malformed)?;
    let mut given = [0; 64];
    let given = given.get_mut(..field.len()).ok_or(Refused::Malformed)?;
    given.copy_from_slice(field);
    field.fill(0);
    let (iv, icv) = given.split_at_checked(iv_len).ok_or(Refused::Malformed)?;
    let iv = iv
        .first_chunk()
        .map_or(header.sequence, |iv| u64::from_be_bytes(*iv));
    let verified = engine.verify(all, iv, icv);
    kept.restore(all, header.at);
    verified.map_err(|_| Refused::BadIcv)
}

/// Puts the high half of the number behind the packet and makes what may change on the way zero.
fn prepare(all: &mut [u8], header: Header) -> Result<(), Refused> {
    let high = ((header.sequence >> 32) as u32).to_be_bytes();
    if let Some(to) = all
        .get_mut(header.end..)
        .and_then(|rest| rest.first_chunk_mut())
    {
        *to = high;
    }
    let front = all.get_mut(..header.at).ok_or(Refused::Malformed)?;
    zero_mutable(front)
}

/// Makes the fields zero that may change on the way to the destination, and puts those that change predictably
/// as they arrive.
///
/// RFC 4302 §3.3.3.1, appendix A.
pub(crate) fn zero_mutable(front: &mut [u8]) -> Result<(), Refused> {
    let version = front.first().map_or(0, |first| first >> 4);
    if version == 4 {
        zero_v4(front)
    } else {
        zero_v6(front)
    }
}

/// RFC 4302 §3.3.3.1.1: TOS, flags and offset, TTL, checksum; options by appendix A1.
fn zero_v4(front: &mut [u8]) -> Result<(), Refused> {
    let head = front.first_chunk_mut::<20>().ok_or(Refused::Malformed)?;
    head[1] = 0;
    [head[6], head[7], head[8]] = [0; 3];
    [head[10], head[11]] = [0; 2];
    let (head, mut rest) = front
        .split_first_chunk_mut::<20>()
        .ok_or(Refused::Malformed)?;
    loop {
        match rest {
            [] | [0, ..] => return Ok(()),
            [1, tail @ ..] => rest = tail,
            [kind, len, ..] => {
                let (kind, len) = (*kind, usize::from(*len));
                if len < 2 {
                    return Err(Refused::Malformed);
                }
                let (option, tail) = rest.split_at_mut_checked(len).ok_or(Refused::Malformed)?;
                // RFC 4302 §3.3.3.1.1.1: with a source route the destination is the one that it ends at.
                if matches!(kind & 0x7f, 3 | 9)
                    && let Some(last) = last_hop(option)
                    && let Some(to) = head.last_chunk_mut::<4>()
                {
                    *to = last;
                }
                // Security, extended and commercial security, router alert, multi-destination delivery do not change;
                // all others are zeroed whole.
                if !matches!(kind, 0x82 | 0x85 | 0x86 | 0x94 | 0x95) {
                    option.fill(0);
                }
                rest = tail;
            }
            [_] => return Err(Refused::Malformed),
        }
    }
}

/// The last address of a source route that has not been gone yet.
fn last_hop(option: &[u8]) -> Option<[u8; 4]> {
    let pointer = usize::from(*option.get(2)?);
    // RFC 791 §3.1: the pointer counts from 1 and lies behind the option when the route is gone.
    if pointer > option.len() {
        return None;
    }
    option.get(3..)?.as_chunks::<4>().0.last().copied()
}

/// RFC 4302 §3.3.3.1.2: traffic class, flow label, hop limit; options whose third bit says that they
/// change; the routing header as it arrives.
fn zero_v6(front: &mut [u8]) -> Result<(), Refused> {
    let (head, mut rest) = front
        .split_first_chunk_mut::<40>()
        .ok_or(Refused::Malformed)?;
    [head[0], head[1], head[2], head[3]] = [0x60, 0, 0, 0];
    head[7] = 0;
    let mut named = head[6];
    while let [next, words, ..] = *rest {
        let len = (usize::from(words) + 1) * 8;
        let (header, tail) = rest.split_at_mut_checked(len).ok_or(Refused::Malformed)?;
        match named {
            proto::HOP_BY_HOP | proto::DESTINATION => zero_options(header)?,
            proto::ROUTING => arrive(head, header),
            _ => return Err(Refused::Malformed),
        }
        named = next;
        rest = tail;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Refused::Malformed)
    }
}

/// RFC 4302 appendix A2: the data of options that change are zero; type and length stay.
fn zero_options(header: &mut [u8]) -> Result<(), Refused> {
    let mut rest = header.get_mut(2..).ok_or(Refused::Malformed)?;
    loop {
        match rest {
            [] => return Ok(()),
            [0, tail @ ..] => rest = tail,
            [kind, len, tail @ ..] => {
                let (data, tail) = tail
                    .split_at_mut_checked(usize::from(*len))
                    .ok_or(Refused::Malformed)?;
                // RFC 8200 §4.2: the third bit from above says that the data may change.
                if *kind & 0x20 != 0 {
                    data.fill(0);
                }
                rest = tail;
            }
            [_] => return Err(Refused::Malformed),
        }
    }
}

/// Puts a routing header of type 0 or 2 and the destination as they are where the route ends: no segments left, each
/// address moved on by one.
///
/// RFC 4302 appendix A2.
fn arrive(head: &mut [u8; 40], header: &mut [u8]) {
    let [_, _, kind, left, ..] = *header else {
        return;
    };
    let left = usize::from(left);
    let Some(addresses) = header.get_mut(8..) else {
        return;
    };
    let (addresses, _) = addresses.as_chunks_mut::<16>();
    let Some(first) = addresses.len().checked_sub(left) else {
        return;
    };
    if !matches!(kind, 0 | 2) || left == 0 {
        return;
    }
    // The destination takes the last place that is still ahead, the others move up before it.
    if let (Some(ahead), Some(destination)) =
        (addresses.get_mut(first..), head.last_chunk_mut::<16>())
    {
        ahead.rotate_right(1);
        if let Some(first) = ahead.first_mut() {
            core::mem::swap(first, destination);
        }
    }
    if let Some(left) = header.get_mut(3) {
        *left = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4302 §3.3.3.1.1.1: a source-routed packet is covered with the destination that the route ends at, whether it
    // has gone the route or not; options that change are zero, others are not.
    #[test]
    fn source_routes_are_covered_as_they_arrive() {
        let packet = |destination: u8, pointer: u8, last: u8| {
            let mut packet = alloc::vec![0x48, 7, 0, 60, 1, 2, 0x40, 0, 9, 51, 3, 3];
            packet.extend([10, 0, 0, 1, 10, 0, 0, destination]);
            packet.extend([0x83, 7, pointer, 10, 0, 0, last, 1]);
            packet.extend([0x94, 4, 0, 0]);
            packet
        };
        let (mut sent, mut arrived) = (packet(5, 4, 9), packet(9, 8, 5));
        zero_mutable(&mut sent).unwrap();
        zero_mutable(&mut arrived).unwrap();
        assert_eq!(sent, arrived);
        assert_eq!(sent[..12], [0x48, 0, 0, 60, 1, 2, 0, 0, 0, 51, 0, 0]);
        assert_eq!(sent[16..20], [10, 0, 0, 9]);
        assert_eq!(sent[20..32], [0, 0, 0, 0, 0, 0, 0, 1, 0x94, 4, 0, 0]);
        // Options that run over their end, or have no length.
        for bad in [[0x83, 13], [7, 1], [7, 0]] {
            let mut packet = packet(5, 4, 9);
            packet[20..22].copy_from_slice(&bad);
            assert_eq!(zero_mutable(&mut packet), Err(Refused::Malformed));
        }
    }
}
