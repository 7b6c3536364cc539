//! ICMP errors: the packet that one is about, as far as it quotes it, and what must not be answered
//! with one.
//!
//! Everything in a quote was written by whoever sent the error. It is read by the parser of all
//! packets, bounded and once: a quote in a quote is never looked at.

use core::net::{IpAddr, Ipv4Addr};

use hostward_hook::Packet;
use hostward_hook::layout::{Anomaly, Fragment, Layout, proto};
use hostward_hook::meta::Direction;

use crate::selectors::{Header, Opening, Selectors};

/// Bytes of an ICMP error before the quote.
const ICMP_HEADER: usize = 8;

impl Selectors {
    /// What an ICMP error quotes, as it was when it passed here: a packet of the other direction,
    /// with source and destination as it had them, on the same kind of way and over the same
    /// interface as the error. `None` when the packet is no whole ICMP error, or quotes nothing
    /// that an error can be about.
    ///
    /// Errors are destination unreachable, source quench, time exceeded and parameter problem
    /// (RFC 792), and types 1 to 4 of ICMPv6 (RFC 4443). A redirect is none here, in either
    /// version: it asks for another route. An error goes to the source of what it is about, and is
    /// never about another error (RFC 1122 section 3.2.2, RFC 4443 section 2.4).
    ///
    /// Of a quote that is cut off in its transport header the ports are still told; other
    /// numbers that it does not show are hidden as in any packet.
    #[must_use]
    pub fn quoted_by(packet: &Packet<'_>) -> Option<Self> {
        let error = Self::of(packet)?;
        if !error.is_whole_error() {
            return None;
        }
        let quote = packet.upper().get(ICMP_HEADER..)?;
        let packet = Packet::parse(quote, packet.meta);
        let broken = packet.layout().anomalies();
        if broken.contains(Anomaly::Ip4HeaderLength) || broken.contains(Anomaly::Ip4TotalLength) {
            return None;
        }
        let mut quoted = Self::of(&packet)?;
        quoted.direction = match error.direction {
            Direction::Inbound => Direction::Outbound,
            Direction::Outbound => Direction::Inbound,
        };
        if quoted.header == Header::Unknown {
            quoted.read_beginning(packet.layout(), packet.upper());
        }
        error.can_quote(&quoted).then_some(quoted)
    }

    /// Whether the sender of a packet may be told that it was discarded.
    ///
    /// RFC 1122 section 3.2.2, RFC 4443 section 2.4: no error answers an error or a redirect, a
    /// later fragment, what went to many, or what names no single sender. What hides that it is one
    /// of those is not answered either.
    #[must_use]
    pub fn may_be_answered(&self) -> bool {
        let hidden = self.header == Header::Unknown;
        let error = match (self.protocol, self.header) {
            (Some(proto::ICMP), Header::Icmp(5, _))
            | (Some(proto::ICMPV6), Header::Icmp(137, _)) => true,
            (Some(proto::ICMP | proto::ICMPV6), _) => hidden || self.is_icmp_error() != Some(false),
            _ => false,
        };
        let many = |a: IpAddr| a.is_multicast() || a == IpAddr::V4(Ipv4Addr::BROADCAST);
        let many = many(self.destination) || many(self.source);
        let unanswerable = error || self.fragment && hidden || many;
        !unanswerable && !self.source.is_unspecified()
    }

    /// Whether this is an ICMP error that can be about that packet.
    pub(crate) fn can_quote(&self, quoted: &Self) -> bool {
        let icmp = matches!(quoted.protocol, Some(proto::ICMP | proto::ICMPV6));
        self.is_whole_error()
            && quoted.source == self.destination
            && quoted.is_icmp_error() != Some(true)
            // What hides that it is an error may be one.
            && !(icmp && quoted.header == Header::Unknown)
    }

    fn is_whole_error(&self) -> bool {
        !self.fragment && self.is_icmp_error() == Some(true)
    }

    /// Whether a packet is an ICMP error; `None` when it is no ICMP at all or does not show.
    const fn is_icmp_error(&self) -> Option<bool> {
        match (self.protocol, self.header, self.source.is_ipv4()) {
            (Some(proto::ICMP), Header::Icmp(kind, _), true) => {
                Some(matches!(kind, 3 | 4 | 11 | 12))
            }
            (Some(proto::ICMPV6), Header::Icmp(kind, _), false) => Some(matches!(kind, 1..=4)),
            _ => None,
        }
    }

    /// RFC 792: an error quotes 64 bits of the transport header, enough for ports.
    fn read_beginning(&mut self, layout: &Layout, upper: &[u8]) {
        let ported = matches!(
            self.protocol,
            Some(proto::TCP | proto::UDP | proto::SCTP | proto::DCCP | proto::UDP_LITE)
        );
        if !ported || layout.fragment() == Fragment::Later {
            return;
        }
        if let Some([a, b, c, d]) = upper.first_chunk() {
            let ports = [[*a, *b], [*c, *d]].map(u16::from_be_bytes);
            self.header = Header::Ports(ports[0], ports[1]);
        }
        self.opening = match upper.get(13) {
            Some(flags) if self.protocol == Some(proto::TCP) => Opening::of_flags(*flags),
            Some(_) | None => Opening::Unknown,
        };
    }
}
