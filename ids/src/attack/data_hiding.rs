//! Data where padding or a copy of a packet should be (`DATA_HIDING`): a channel past filters that
//! look at neither.

use core::net::IpAddr;

use hostward_hook::layout::{Anomaly, Ip6Options, IpVersion, Layout, proto, seen};
use hostward_hook::meta::Routing;
use hostward_hook::packet::Packet;

use super::chain::links;
use crate::codes::{PADDING_CONTENT, PADDING_LENGTH, QUOTE_IMPLAUSIBLE};
use crate::event::Finding;

/// The most padding in a row that an option needs: options are aligned to eight bytes at most.
const MOST_PADDING: usize = 7;

/// Padding of options that holds something, or is too long.
pub(super) fn padding(packet: &Packet<'_>) -> Option<Finding> {
    let l = packet.layout();
    let content = [Anomaly::Ip4OptionPadding, Anomaly::Ip6OptionPadding];
    if content.into_iter().any(|a| l.anomalies().contains(a)) {
        let evidence = Layout::evidence(packet.bytes());
        let e = content.into_iter().find_map(|a| evidence.of(a))?;
        return Some(Finding::at(
            PADDING_CONTENT,
            "padding-content",
            "option padding",
            e.offset.into(),
            e.value,
        ));
    }
    if l.seen() & (seen::HOP_BY_HOP | seen::DESTINATION) == 0 {
        return None;
    }
    let mut headers = links(packet)
        .filter(|h| matches!(h.kind, proto::HOP_BY_HOP | proto::DESTINATION))
        .filter_map(|h| Some((h.at + 2, h.bytes?.get(2..)?)));
    headers.find_map(|(at, options)| {
        let (begin, length) = longest_padding(options)?;
        Some(Finding::at(
            PADDING_LENGTH,
            "padding-length",
            "option padding",
            at + begin,
            u32::try_from(length).unwrap_or(u32::MAX),
        ))
    })
}

/// Begin and length of the first run of padding that is too long.
fn longest_padding(options: &[u8]) -> Option<(usize, usize)> {
    let mut begin = 0;
    let mut ends = Ip6Options::new(options)
        .map_while(Result::ok)
        .filter(|o| o.kind != 1)
        .map(|o| (o.offset, o.offset + 2 + o.data.len()))
        .chain([(options.len(), options.len())]);
    ends.find_map(|(end, after)| {
        let run = (begin, end.saturating_sub(begin));
        begin = after;
        (run.1 > MOST_PADDING).then_some(run)
    })
}

/// An ICMP error that quotes what this host cannot have sent: another source than the address that
/// the error is sent to, or a header that does not hold together. Only where the packet ends here: on
/// its way through a router or a translator of addresses nothing can be said.
pub(super) fn quote(packet: &Packet<'_>) -> Option<Finding> {
    let l = packet.layout();
    let (kind, _) = l.icmp()?;
    let v6 = l.protocol() == proto::ICMPV6;
    let is_error = if v6 {
        matches!(kind, 1..=4)
    } else {
        matches!(kind, 3 | 4 | 5 | 11 | 12)
    };
    if !is_error || packet.meta.routing == Routing::Routed {
        return None;
    }
    let at = l.payload_offset();
    let quoted = packet.payload();
    let version = if v6 { IpVersion::V6 } else { IpVersion::V4 };
    let found = |field, offset: usize, value| {
        Some(Finding::at(
            QUOTE_IMPLAUSIBLE,
            "quote-implausible",
            field,
            at + offset,
            value,
        ))
    };
    match version {
        IpVersion::V4 => {
            // Too short a quote is a malformed packet.
            let h = quoted.first_chunk::<20>()?;
            if h[0] >> 4 != 4 {
                return None;
            }
            let header = u16::from(h[0] & 15) * 4;
            let total = u16::from_be_bytes([h[2], h[3]]);
            // Some stacks quote the length in their own byte order, or less the header; none makes
            // it less than a header or nothing.
            if header < 20 || total < header && total.swap_bytes() < header {
                return found("quoted length", 2, total.into());
            }
            let source = IpAddr::from([h[12], h[13], h[14], h[15]]);
            if packet.destination() != Some(source) {
                return found(
                    "quoted source",
                    12,
                    u32::from_be_bytes([h[12], h[13], h[14], h[15]]),
                );
            }
        }
        IpVersion::V6 => {
            let h = quoted.first_chunk::<40>()?;
            if h[0] >> 4 != 6 {
                return None;
            }
            let (_, rest) = h.split_first_chunk::<8>()?;
            let source = IpAddr::from(*rest.first_chunk::<16>()?);
            if packet.destination() != Some(source) {
                return found("quoted source", 8, 0);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_padding_are_measured_across_options() {
        // PadN of six, Pad1: seven together, which an option may need.
        assert_eq!(longest_padding(&[1, 4, 0, 0, 0, 0, 0, 5, 2, 0, 0]), None);
        // PadN of six, two Pad1.
        assert_eq!(
            longest_padding(&[1, 4, 0, 0, 0, 0, 0, 0, 5, 2, 0, 0]),
            Some((0, 8))
        );
        // Behind an option.
        assert_eq!(
            longest_padding(&[5, 2, 0, 0, 1, 6, 0, 0, 0, 0, 0, 0]),
            Some((4, 8))
        );
        assert_eq!(longest_padding(&[]), None);
    }
}
