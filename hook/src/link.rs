//! Ethernet in front of IP, for hosts whose frames carry it.
//!
//! The guard wants the IP packet; this finds where it begins.

use crate::layout::be16;

/// EtherType of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;

/// The most VLAN tags that are skipped in one frame.
pub const MAX_VLAN_TAGS: usize = 4;

/// What stands in front of the network layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ethernet {
    /// Where the payload begins.
    pub payload: usize,
    /// EtherType of the payload, after all tags; below 1,536 it is an IEEE 802.3 length.
    pub ether_type: u16,
    /// The outermost VLAN tag (priority, drop-eligible bit and VLAN number), if any.
    pub vlan: Option<u16>,
    /// Number of VLAN tags.
    pub tags: u8,
}

impl Ethernet {
    /// Reads the header of an Ethernet II frame with any number of VLAN tags up to
    /// [`MAX_VLAN_TAGS`] (IEEE 802.1Q, 802.1ad and the old 0x9100).
    ///
    /// `None` when the frame ends inside it. A few nanoseconds.
    #[inline]
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let h = frame.first_chunk::<14>()?;
        let mut eth = Self {
            payload: 14,
            ether_type: be16(h[12], h[13]),
            vlan: None,
            tags: 0,
        };
        while matches!(eth.ether_type, 0x8100 | 0x88a8 | 0x9100)
            && usize::from(eth.tags) < MAX_VLAN_TAGS
        {
            let t = frame.get(eth.payload..)?.first_chunk::<4>()?;
            eth.vlan.get_or_insert(be16(t[0], t[1]));
            eth.ether_type = be16(t[2], t[3]);
            eth.payload += 4;
            eth.tags += 1;
        }
        Some(eth)
    }

    /// The IP packet of a frame; `None` when it carries something else.
    #[inline]
    #[must_use]
    pub fn ip_packet(frame: &[u8]) -> Option<&[u8]> {
        let eth = Self::parse(frame)?;
        if matches!(eth.ether_type, ETHERTYPE_IPV4 | ETHERTYPE_IPV6) {
            frame.get(eth.payload..)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn tags_are_skipped_up_to_the_bound() {
        let mut frame = vec![0_u8; 12];
        for _ in 0..MAX_VLAN_TAGS {
            frame.extend([0x81, 0, 0x20, 7]);
        }
        frame.extend([0x86, 0xdd, 0x60]);
        let eth = Ethernet::parse(&frame).unwrap();
        assert_eq!(
            (eth.ether_type, eth.vlan, eth.tags),
            (ETHERTYPE_IPV6, Some(0x2007), 4)
        );
        assert_eq!(Ethernet::ip_packet(&frame), Some(&[0x60][..]));
        frame.splice(12..12, [0x88, 0xa8, 0, 1]);
        assert_eq!(Ethernet::parse(&frame).unwrap().ether_type, 0x8100);
        for end in 0..frame.len() {
            let _ = Ethernet::parse(&frame[..end]);
        }
    }
}
