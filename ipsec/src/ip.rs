//! IP headers as far as ESP and AH touch them.

use core::net::IpAddr;

use hostward_hook::checksum::{self, Sum};
use hostward_hook::layout::proto;

use crate::sa::{Dscp, Ecn, Refused, UdpEncapsulation};

/// The most IPv6 extension headers that are followed.
const MAX_EXTENSIONS: usize = 16;

/// What is needed of the packet that is to be sealed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inner {
    pub(crate) v6: bool,
    /// Length of the packet by its header.
    pub(crate) len: usize,
    /// DSCP and ECN.
    pub(crate) traffic_class: u8,
    /// It must not be fragmented: DF is set, or it is IPv6.
    pub(crate) whole: bool,
}

impl Inner {
    /// Reads the header; nothing when it is no whole IP packet.
    #[inline]
    pub(crate) fn of(packet: &[u8]) -> Option<Self> {
        let head = packet.first_chunk::<20>()?;
        match head[0] >> 4 {
            4 => {
                let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
                let header = usize::from(head[0] & 0x0f) * 4;
                (header >= 20 && header <= len && len <= packet.len()).then_some(Self {
                    v6: false,
                    len,
                    traffic_class: head[1],
                    whole: head[6] & 0x40 != 0,
                })
            }
            6 => {
                let len = 40 + usize::from(u16::from_be_bytes([head[4], head[5]]));
                (len <= packet.len()).then_some(Self {
                    v6: true,
                    len,
                    traffic_class: head[0] << 4 | head[1] >> 4,
                    whole: true,
                })
            }
            _ => None,
        }
    }
}

/// A place in a packet's chain of headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) v6: bool,
    /// Offset of the header in question.
    pub(crate) at: usize,
    /// Offset of the field that names it.
    pub(crate) named_at: usize,
    /// What that field says.
    pub(crate) named: u8,
    /// End of the packet by its IP header.
    pub(crate) end: usize,
}

impl Place {
    /// Where ESP or AH stands.
    ///
    /// # Errors
    /// [`Refused::Malformed`], [`Refused::Fragment`]; [`Refused::NotOurs`] when the chain ends in
    /// something else.
    #[inline]
    pub(crate) fn find(packet: &[u8], protocol: u8) -> Result<Self, Refused> {
        let place = Self::walk(packet, |named, _| named == protocol)?;
        if place.named == protocol {
            Ok(place)
        } else {
            Err(Refused::NotOurs)
        }
    }

    /// Where ESP stands, by itself or in UDP.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    #[inline]
    pub(crate) fn find_esp(packet: &[u8]) -> Result<Self, Refused> {
        let esp = |named| matches!(named, proto::ESP | proto::UDP);
        let place = Self::walk(packet, |named, _| esp(named))?;
        if esp(place.named) {
            Ok(place)
        } else {
            Err(Refused::NotOurs)
        }
    }

    /// Where ESP or AH is put in transport mode.
    ///
    /// RFC 4303 §3.1.1: behind the headers that are looked at on the way (hop-by-hop, routing, destination
    /// options in front of routing); destination options for the last node are protected.
    pub(crate) fn insertion(packet: &[u8]) -> Result<Self, Refused> {
        Self::walk(packet, |named, next| {
            named == proto::DESTINATION && next != Some(proto::ROUTING)
        })
    }

    /// Walks until `here` says so, of a header's number and the next one's, or the chain ends.
    #[inline]
    fn walk(packet: &[u8], here: impl Fn(u8, Option<u8>) -> bool) -> Result<Self, Refused> {
        let head = packet.first_chunk::<20>().ok_or(Refused::Malformed)?;
        match head[0] >> 4 {
            4 => {
                let end = usize::from(u16::from_be_bytes([head[2], head[3]]));
                let at = usize::from(head[0] & 0x0f) * 4;
                if at < 20 || at > end || end > packet.len() {
                    return Err(Refused::Malformed);
                }
                // RFC 4303 §3.3.4, §3.4.1: fragments come after protection and go before it is taken off.
                if u16::from_be_bytes([head[6], head[7]]) & 0x3fff != 0 {
                    return Err(Refused::Fragment);
                }
                Ok(Self {
                    v6: false,
                    at,
                    named_at: 9,
                    named: head[9],
                    end,
                })
            }
            6 => Self::walk6(packet, here),
            _ => Err(Refused::Malformed),
        }
    }

    fn walk6(packet: &[u8], here: impl Fn(u8, Option<u8>) -> bool) -> Result<Self, Refused> {
        let head = packet.first_chunk::<40>().ok_or(Refused::Malformed)?;
        let end = 40 + usize::from(u16::from_be_bytes([head[4], head[5]]));
        let packet = packet.get(..end).ok_or(Refused::Malformed)?;
        let mut place = Self {
            v6: true,
            at: 40,
            named_at: 6,
            named: head[6],
            end,
        };
        for _ in 0..MAX_EXTENSIONS {
            let next = packet.get(place.at).copied();
            if here(place.named, next) {
                return Ok(place);
            }
            match place.named {
                proto::HOP_BY_HOP | proto::ROUTING | proto::DESTINATION => {
                    let &[next, len] = packet
                        .get(place.at..)
                        .and_then(|header| header.first_chunk::<2>())
                        .ok_or(Refused::Malformed)?;
                    place.named_at = place.at;
                    place.named = next;
                    place.at += (usize::from(len) + 1) * 8;
                    if place.at > end {
                        return Err(Refused::Malformed);
                    }
                }
                proto::FRAGMENT => return Err(Refused::Fragment),
                _ => return Ok(place),
            }
        }
        Err(Refused::Malformed)
    }
}

/// Puts a packet's length into its IP header, and for IPv4 the protocol's number and the checksum.
/// `named_at` and `named` as in [`Place`].
///
/// # Errors
/// [`Refused::Malformed`] when the length does not fit the header.
#[inline]
pub(crate) fn fix(packet: &mut [u8], v6: bool, named_at: usize, named: u8) -> Result<(), Refused> {
    let len = packet.len();
    *packet.get_mut(named_at).ok_or(Refused::Malformed)? = named;
    if v6 {
        let payload = len.checked_sub(40).ok_or(Refused::Malformed)?;
        let payload = u16::try_from(payload).map_err(|_| Refused::Malformed)?;
        let head = packet.first_chunk_mut::<6>().ok_or(Refused::Malformed)?;
        [head[4], head[5]] = payload.to_be_bytes();
    } else {
        let len = u16::try_from(len).map_err(|_| Refused::Malformed)?;
        let head = packet.first_chunk_mut::<20>().ok_or(Refused::Malformed)?;
        [head[2], head[3]] = len.to_be_bytes();
        [head[10], head[11]] = [0, 0];
        let header = usize::from(head[0] & 0x0f) * 4;
        let sum = checksum::checksum(packet.get(..header).ok_or(Refused::Malformed)?);
        if let Some(head) = packet.first_chunk_mut::<12>() {
            [head[10], head[11]] = sum.to_be_bytes();
        }
    }
    Ok(())
}

/// The outer header, ready but for what each packet changes.
#[derive(Clone, Debug)]
pub(crate) struct Outer {
    /// IP and UDP header.
    template: [u8; 48],
    /// Octets of it.
    pub(crate) len: usize,
    pub(crate) v6: bool,
    udp: bool,
    /// The sum over IPv4's template.
    sum: u32,
    dscp: Dscp,
    ecn: Ecn,
}

impl Outer {
    pub(crate) fn new(
        (source, destination): (IpAddr, IpAddr),
        protocol: u8,
        udp: Option<UdpEncapsulation>,
        (dscp, ecn, hop_limit): (Dscp, Ecn, u8),
    ) -> Self {
        let mut template = [0; 48];
        let named = if udp.is_some() { proto::UDP } else { protocol };
        let (v6, ip) = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let head = [0x45, 0, 0, 0, 0, 0, 0, 0, hop_limit, named, 0, 0];
                let octets = head
                    .into_iter()
                    .chain(source.octets())
                    .chain(destination.octets());
                for (to, octet) in template.iter_mut().zip(octets) {
                    *to = octet;
                }
                (false, 20)
            }
            (source, destination) => {
                let octets = |address| match address {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                    IpAddr::V6(v6) => v6.octets(),
                };
                let head = [0x60, 0, 0, 0, 0, 0, named, hop_limit];
                let octets = head
                    .into_iter()
                    .chain(octets(source))
                    .chain(octets(destination));
                for (to, octet) in template.iter_mut().zip(octets) {
                    *to = octet;
                }
                (true, 40)
            }
        };
        let sum = Sum::new().with(template.get(..20).unwrap_or_default());
        if let (Some(udp), Some(to)) = (
            udp,
            template
                .get_mut(ip..)
                .and_then(|to| to.first_chunk_mut::<4>()),
        ) {
            [to[0], to[1]] = udp.local.to_be_bytes();
            [to[2], to[3]] = udp.remote.to_be_bytes();
        }
        Self {
            template,
            len: if udp.is_some() { ip + 8 } else { ip },
            v6,
            udp: udp.is_some(),
            sum: u32::from(sum.fold()),
            dscp,
            ecn,
        }
    }

    /// The outer traffic class for an inner one.
    #[inline]
    fn traffic_class(&self, inner: u8) -> u8 {
        let dscp = match self.dscp {
            Dscp::Copy => inner & 0xfc,
            Dscp::Fixed(dscp) => dscp << 2,
        };
        // RFC 6040 §4.1: the normal mode copies, the compatibility mode says not ECN-capable.
        match self.ecn {
            Ecn::Normal => dscp | inner & 3,
            Ecn::Compatibility => dscp,
        }
    }

    /// Writes the header to the front of a finished packet. `df` and `id` are IPv4's.
    #[inline]
    pub(crate) fn write(
        &self,
        packet: &mut [u8],
        inner_class: u8,
        df: bool,
        id: u16,
    ) -> Result<(), Refused> {
        let len = packet.len();
        let class = self.traffic_class(inner_class);
        if self.v6 {
            let payload = u16::try_from(len.wrapping_sub(40)).map_err(|_| Refused::Malformed)?;
            let head = packet.first_chunk_mut::<40>().ok_or(Refused::Malformed)?;
            *head = *self
                .template
                .first_chunk::<40>()
                .ok_or(Refused::Malformed)?;
            [head[0], head[1]] = [0x60 | class >> 4, class << 4];
            [head[4], head[5]] = payload.to_be_bytes();
        } else {
            let total = u16::try_from(len).map_err(|_| Refused::Malformed)?;
            let head = packet.first_chunk_mut::<20>().ok_or(Refused::Malformed)?;
            *head = *self
                .template
                .first_chunk::<20>()
                .ok_or(Refused::Malformed)?;
            // RFC 6864 §4: an atomic datagram's identification says nothing.
            let (id, flags) = if df { (0, 0x4000) } else { (id, 0) };
            head[1] = class;
            [head[2], head[3]] = total.to_be_bytes();
            [head[4], head[5]] = u16::to_be_bytes(id);
            [head[6], head[7]] = u16::to_be_bytes(flags);
            let sum =
                self.sum + u32::from(class) + u32::from(total) + u32::from(id) + u32::from(flags);
            let sum = (sum >> 16) + (sum & 0xffff);
            let sum = !(((sum >> 16) + sum) as u16);
            [head[10], head[11]] = sum.to_be_bytes();
        }
        if self.udp {
            let ip = self.len - 8;
            let ports = self.template.get(ip..).and_then(|t| t.first_chunk::<4>());
            udp_header(packet, ip, *ports.ok_or(Refused::Malformed)?, self.v6)?;
        }
        Ok(())
    }

    pub(crate) fn ports(&self) -> Option<[u8; 4]> {
        let at = if self.v6 { 40 } else { 20 };
        let ports = self.template.get(at..)?.first_chunk::<4>()?;
        self.udp.then_some(*ports)
    }
}

/// Writes the UDP header at `at` of a finished packet.
///
/// RFC 3948 §2.1: the checksum is zero over IPv4. Over IPv6 it is made (RFC 8200 §8.1).
pub(crate) fn udp_header(
    packet: &mut [u8],
    at: usize,
    [a, b, c, d]: [u8; 4],
    v6: bool,
) -> Result<(), Refused> {
    let len = packet.len().checked_sub(at).ok_or(Refused::Malformed)?;
    let [high, low] = u16::try_from(len)
        .map_err(|_| Refused::Malformed)?
        .to_be_bytes();
    let header = packet
        .get_mut(at..)
        .and_then(|rest| rest.first_chunk_mut::<8>())
        .ok_or(Refused::Malformed)?;
    *header = [a, b, c, d, high, low, 0, 0];
    if v6 {
        let addresses = packet.get(8..40).ok_or(Refused::Malformed)?;
        let body = packet.get(at..).ok_or(Refused::Malformed)?;
        let sum = checksum::pseudo_header(addresses, proto::UDP, len as u32)
            .with(body)
            .finish();
        let sum = if sum == 0 { 0xffff } else { sum };
        if let Some(to) = packet.get_mut(at + 6..).and_then(|to| to.first_chunk_mut()) {
            *to = sum.to_be_bytes();
        }
    }
    Ok(())
}

/// What the ECN fields of outer and inner header become.
///
/// RFC 6040 §4.2, figure 4. `Err` when the packet must be dropped, else the inner field.
#[inline]
pub(crate) const fn ecn(inner: u8, outer: u8) -> Result<u8, Refused> {
    const NOT: u8 = 0;
    const ECT_1: u8 = 1;
    const ECT_0: u8 = 2;
    const CE: u8 = 3;
    match (inner & 3, outer & 3) {
        (NOT, CE) => Err(Refused::Ecn),
        (NOT, _) => Ok(NOT),
        (CE, _) | (_, CE) => Ok(CE),
        (ECT_0, ECT_1) => Ok(ECT_1),
        (inner, _) => Ok(inner),
    }
}

/// Sets the ECN field of a packet, its checksum with it.
pub(crate) fn set_ecn(packet: &mut [u8], ecn: u8) {
    let Some(head) = packet.first_chunk_mut::<20>() else {
        return;
    };
    if head[0] >> 4 == 6 {
        head[1] = head[1] & 0xcf | ecn << 4;
    } else {
        let old = u16::from_be_bytes([head[0], head[1]]);
        head[1] = head[1] & 0xfc | ecn;
        let new = u16::from_be_bytes([head[0], head[1]]);
        let sum = u16::from_be_bytes([head[10], head[11]]);
        [head[10], head[11]] = checksum::update(sum, old, new).to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 6040 §4.2, figure 4: all sixteen, in its order: rows are inner, columns outer Not-ECT, ECT(0),
    // ECT(1), CE.
    #[test]
    fn ecn_of_all_combinations() {
        const DROP: Result<u8, Refused> = Err(Refused::Ecn);
        let rows = [
            (0, [Ok(0), Ok(0), Ok(0), DROP]),
            (2, [Ok(2), Ok(2), Ok(1), Ok(3)]),
            (1, [Ok(1), Ok(1), Ok(1), Ok(3)]),
            (3, [Ok(3), Ok(3), Ok(3), Ok(3)]),
        ];
        for (inner, row) in rows {
            for (outer, expected) in [0, 2, 1, 3].into_iter().zip(row) {
                assert_eq!(ecn(inner, outer), expected, "{inner} {outer}");
            }
        }
    }

    #[test]
    fn ecn_is_set_with_the_checksum() {
        for (old, new) in (0..4).flat_map(|old| (0..4).map(move |new| (old, new))) {
            let mut v4 = [
                0x45,
                0xb8 | old,
                0,
                20,
                1,
                2,
                0x40,
                0,
                64,
                59,
                0,
                0,
                10,
                0,
                0,
                1,
                10,
                0,
                0,
                2,
            ];
            let sum = checksum::checksum(&v4);
            [v4[10], v4[11]] = sum.to_be_bytes();
            set_ecn(&mut v4, new);
            assert_eq!(v4[1], 0xb8 | new);
            assert_eq!(checksum::checksum(&v4), 0);
            let mut v6 = [0; 40];
            [v6[0], v6[1]] = [0x6b, 0x8f | old << 4];
            set_ecn(&mut v6, new);
            assert_eq!([v6[0], v6[1]], [0x6b, 0x8f | new << 4]);
        }
    }

    // RFC 4303 §3.1.1: where the header goes.
    #[test]
    fn insertion_comes_after_what_is_looked_at_on_the_way() {
        // Hop-by-hop, destination options, routing, destination options, TCP.
        let mut packet = alloc::vec![0x60, 0, 0, 0, 0, 40, 0, 64];
        packet.extend([0; 32]);
        for next in [60, 43, 60, 6] {
            packet.extend([next, 0, 0, 0, 0, 0, 0, 0]);
        }
        packet.extend([0; 8]);
        let place = Place::insertion(&packet).unwrap();
        assert_eq!((place.at, place.named_at, place.named), (64, 56, 60));
        assert_eq!(Place::find(&packet, 6).unwrap().at, 72);
        assert_eq!(Place::find(&packet, 50), Err(Refused::NotOurs));
        for cut in 0..packet.len() {
            assert_eq!(
                Place::find(&packet[..cut], 6),
                Err(Refused::Malformed),
                "{cut}"
            );
        }
        // A fragment header, and a chain without end.
        packet[64] = 44;
        assert_eq!(Place::insertion(&packet).unwrap().named, 60);
        packet[56] = 44;
        assert_eq!(Place::insertion(&packet), Err(Refused::Fragment));
        let mut long = alloc::vec![0x60, 0, 0, 0, 4, 0, 43, 64];
        long.extend([0; 32]);
        for _ in 0..128 {
            long.extend([43, 0, 0, 0, 0, 0, 0, 0]);
        }
        assert_eq!(Place::find(&long, 6), Err(Refused::Malformed));
    }
}
