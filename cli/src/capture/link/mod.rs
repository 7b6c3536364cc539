//! From a frame to the IP packet in it, for every link type that can carry one.

mod ethernet;
mod other;
mod ppp;
mod wlan;

use hostward_hook::Direction;

use super::bytes::{be16, be32, byte, le16, le32, rest};
use super::layers::{Layers, Miss};
use super::{Frame, LinkType};

/// What is to be taken off next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next<'a> {
    /// An Ethernet frame.
    Ethernet(&'a [u8]),
    /// What follows an EtherType. Values below 0x600 are lengths, and LLC follows.
    EtherType(u16, &'a [u8]),
    /// LLC, perhaps with SNAP.
    Llc(&'a [u8]),
    /// PPP, with or without the HDLC address and control.
    Ppp(&'a [u8]),
    /// A PPPoE header.
    Pppoe(&'a [u8]),
    /// MPLS labels.
    Mpls(&'a [u8]),
    /// An IEEE 802.11 frame.
    Wlan(&'a [u8]),
    /// An IEEE 802.11 frame with its control fields byte-swapped.
    SwappedWlan(&'a [u8]),
    /// An IP packet, or what should be one.
    Ip(&'a [u8]),
}

/// The most steps from a frame to an IP packet.
const MAX_STEPS: usize = 32;

/// An IP packet and what the link said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network<'a> {
    /// The bytes from the IP header on, link-layer padding perhaps included. They are what the
    /// link calls IP, be they well-formed or not.
    pub packet: &'a [u8],
    /// What was taken off.
    pub layers: Layers,
    /// Whether the capturing host received or sent it, if the record or the link header says so.
    pub direction: Option<Direction>,
}

/// Finds the IP packet in a frame.
///
/// # Errors
///
/// [`Miss`] says why there is none.
pub fn network<'a>(frame: &Frame<'a>) -> Result<Network<'a>, Miss> {
    let mut found = network_of(frame.link, frame.data)?;
    found.direction = frame.direction.or(found.direction);
    Ok(found)
}

/// Finds the IP packet in the bytes of a frame that came from elsewhere than a capture.
///
/// # Errors
///
/// [`Miss`] says why there is none.
pub fn network_of(link: LinkType, data: &[u8]) -> Result<Network<'_>, Miss> {
    let mut direction = None;
    let next = strip(link, data, &mut direction)?;
    let mut layers = Layers::default();
    let packet = to_ip(next, &mut layers)?;
    Ok(Network {
        packet,
        layers,
        direction,
    })
}

/// Takes headers off until an IP packet is reached.
pub(super) fn to_ip<'a>(mut next: Next<'a>, layers: &mut Layers) -> Result<&'a [u8], Miss> {
    for _ in 0..MAX_STEPS {
        next = match next {
            Next::Ip(packet) => return Ok(packet),
            Next::Ethernet(d) => Next::EtherType(be16(d, 12)?, rest(d, 14)?),
            Next::EtherType(kind, d) => ethernet::ether_type(kind, d, layers)?,
            Next::Llc(d) => ethernet::llc(d)?,
            Next::Ppp(d) => ppp::ppp(d)?,
            Next::Pppoe(d) => ppp::pppoe(d, layers)?,
            Next::Mpls(d) => ethernet::mpls(d, layers)?,
            Next::Wlan(d) => wlan::data_frame(d)?,
            Next::SwappedWlan(d) => wlan::swapped_data_frame(d)?,
        };
    }
    Err(Miss::TooDeep)
}

/// Takes the outermost header off. The numbers are those of the tcpdump group's registry.
fn strip<'a>(
    link: LinkType,
    d: &'a [u8],
    direction: &mut Option<Direction>,
) -> Result<Next<'a>, Miss> {
    match link.0 {
        0 => other::null(d),
        1 => Ok(Next::Ethernet(d)),
        6 => other::token_ring(d),
        9 => Ok(Next::Ppp(d)),
        10 => other::fddi(d),
        // Raw IP, by every number it was given.
        12 | 14 | 101 => Ok(Next::Ip(d)),
        50 => ppp::serial(d),
        51 => Ok(Next::Pppoe(d)),
        // RFC 1483 LLC encapsulation on ATM.
        11 | 100 => Ok(Next::Llc(d)),
        104 => ppp::cisco_hdlc(d),
        105 => Ok(Next::Wlan(d)),
        107 => other::frame_relay(d),
        108 => other::family(be32(d, 0)?, rest(d, 4)?),
        // OpenBSD encapsulating interface: family in the order of the host, SPI, flags.
        109 => match other::family(le32(d, 0)?, rest(d, 12)?) {
            Err(_) => other::family(be32(d, 0)?, rest(d, 12)?),
            found => found,
        },
        113 => {
            *direction = other::cooked_direction(be16(d, 0)?);
            other::cooked(be16(d, 14)?, rest(d, 16)?)
        }
        117 => {
            // OpenBSD packet filter log: length of the header without padding, family.
            let header = usize::from(byte(d, 0)?).next_multiple_of(4);
            other::family(byte(d, 1)?.into(), rest(d, header)?)
        }
        119 => wlan::prism(d),
        127 => wlan::radiotap(d),
        // Apple's IP over FireWire: two 8-byte addresses and an EtherType.
        138 => Ok(Next::EtherType(be16(d, 16)?, rest(d, 18)?)),
        163 => wlan::avs(d),
        166 => {
            *direction = sent_flag(byte(d, 0)?);
            Ok(Next::Ppp(rest(d, 1)?.strip_prefix(&[3]).unwrap_or(d)))
        }
        192 => {
            // Per-packet information: a header around a link type of its own.
            let inner = LinkType(le32(d, 4)?);
            if inner.0 == 192 {
                return Err(Miss::TooDeep);
            }
            strip(inner, rest(d, le16(d, 2)?.into())?, direction)
        }
        204..=206 => {
            *direction = sent_flag(byte(d, 0)?);
            let d = rest(d, 1)?;
            match link.0 {
                204 => Ok(Next::Ppp(d)),
                205 => ppp::cisco_hdlc(d),
                _ => other::frame_relay(d),
            }
        }
        219 => Ok(Next::Mpls(d)),
        228 | 229 => Ok(Next::Ip(d)),
        239 => other::nflog(d),
        // IP over InfiniBand: a global routing header of 40 bytes, then EtherType and reserved.
        242 => Ok(Next::EtherType(be16(d, 40)?, rest(d, 44)?)),
        276 => {
            *direction = other::cooked_direction(byte(d, 10)?.into());
            other::cooked(be16(d, 0)?, rest(d, 20)?)
        }
        _ => Err(Miss::UnknownLink(link)),
    }
}

/// The direction byte that some types put first: 0 is received.
fn sent_flag(byte: u8) -> Option<Direction> {
    Some(if byte == 0 {
        Direction::Inbound
    } else {
        Direction::Outbound
    })
}

#[cfg(test)]
mod tests;
