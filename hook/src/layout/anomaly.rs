//! What can be wrong with the headers of a packet, as bits, and the evidence for each bit.

use core::fmt;

macro_rules! anomalies {
    ($( $(#[doc = $doc:literal])+ $name:ident = $bit:literal, $text:literal, $field:literal; )+) => {
        /// Something in a packet's headers that no correct sender produces, or that a careful
        /// receiver wants to know of.
        ///
        /// The numbers are stable: bit positions in [`Anomalies`] and offsets of event codes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Anomaly {
            $( $(#[doc = $doc])+ $name = $bit, )+
        }

        impl Anomaly {
            /// All anomalies, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// A short stable name in kebab case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// The header field that is at fault.
            #[must_use]
            pub const fn field(self) -> &'static str {
                match self { $(Self::$name => $field,)+ }
            }

            /// What it means, one sentence.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

anomalies! {
    /// The buffer ends inside the fixed IP header.
    IpTruncated = 0, "ip-truncated", "IP header";
    /// The version is neither 4 nor 6.
    IpVersion = 1, "ip-version", "version";
    /// The IPv4 header length is below 5 words or beyond the packet.
    Ip4HeaderLength = 2, "ipv4-header-length", "IHL";
    /// The IPv4 total length is smaller than the header.
    Ip4TotalLength = 3, "ipv4-total-length", "total length";
    /// The IP header announces more bytes than were received.
    IpLengthBeyondBuffer = 4, "ip-length-beyond-buffer", "total or payload length";
    /// The reserved bit of the IPv4 flags is set.
    Ip4ReservedFlag = 5, "ipv4-reserved-flag", "flags";
    /// An IPv4 fragment forbids fragmentation: DF together with MF or an offset.
    Ip4DontFragment = 6, "ipv4-dont-fragment", "flags";
    /// An IPv4 option is shorter than two bytes, runs past the header or has a length its type does not have.
    Ip4OptionLength = 7, "ipv4-option-length", "option length";
    /// The pointer of an IPv4 route or timestamp option is out of its range or between two entries.
    Ip4OptionPointer = 8, "ipv4-option-pointer", "option pointer";
    /// An IPv4 option that may stand once stands twice.
    Ip4OptionDuplicate = 9, "ipv4-option-duplicate", "option type";
    /// Both loose and strict source routing are asked for.
    Ip4SourceRoutes = 10, "ipv4-source-routes", "option type";
    /// Bytes behind the end of the IPv4 options are not zero.
    Ip4OptionPadding = 11, "ipv4-option-padding", "option padding";
    /// A fragment that is not the last has a length that is no multiple of eight, or no payload.
    FragmentLength = 12, "fragment-length", "fragment length";
    /// A fragment would end beyond the largest possible datagram.
    FragmentBeyondEnd = 13, "fragment-beyond-end", "fragment offset";
    /// The first fragment does not hold the whole transport header, or a fragment starts inside it.
    FragmentTiny = 14, "fragment-tiny", "fragment length";
    /// An IPv6 fragment header stands in a packet that is not fragmented.
    FragmentAtomic = 15, "fragment-atomic", "fragment header";
    /// Reserved bits of the IPv6 fragment header are set.
    FragmentReserved = 16, "fragment-reserved", "reserved";
    /// An IPv6 extension header runs past the packet.
    Ip6ExtensionLength = 17, "ipv6-extension-length", "header extension length";
    /// An IPv6 hop-by-hop header does not stand first.
    Ip6HopByHopNotFirst = 18, "ipv6-hop-by-hop-not-first", "next header";
    /// An IPv6 extension header other than destination options stands more than once.
    Ip6ExtensionDuplicate = 19, "ipv6-extension-duplicate", "next header";
    /// More extension headers than are followed; what is behind them was not looked at.
    Ip6ExtensionTooMany = 20, "ipv6-extension-too-many", "next header";
    /// An IPv6 routing header of type 0.
    Ip6RoutingType0 = 21, "ipv6-routing-type-0", "routing type";
    /// An IPv6 option runs past its header, or has a length its type does not have.
    Ip6OptionLength = 22, "ipv6-option-length", "option length";
    /// An unknown IPv6 option demands that the packet be discarded.
    Ip6OptionUnknown = 23, "ipv6-option-unknown", "option type";
    /// A PadN option carries bytes that are not zero.
    Ip6OptionPadding = 24, "ipv6-option-padding", "option padding";
    /// The payload length is zero without a jumbo payload option, or such an option contradicts the payload length, is below 65,536 or stands in a fragment.
    Ip6Jumbo = 25, "ipv6-jumbo", "jumbo payload length";
    /// Bytes follow although the next header says that none do.
    Ip6DataAfterNoNext = 26, "ipv6-data-after-no-next", "next header";
    /// ICMP for IPv4 inside IPv6, or the other way round.
    IcmpWrongVersion = 27, "icmp-wrong-version", "protocol";
    /// The TCP header is cut off.
    TcpTruncated = 28, "tcp-truncated", "TCP header";
    /// The TCP data offset is below 5 words or beyond the segment.
    TcpDataOffset = 29, "tcp-data-offset", "data offset";
    /// A TCP option is shorter than two bytes, runs past the header or has a length its kind does not have.
    TcpOptionLength = 30, "tcp-option-length", "option length";
    /// A TCP option that may stand once stands twice.
    TcpOptionDuplicate = 31, "tcp-option-duplicate", "option kind";
    /// The TCP window scale is above 14.
    TcpWindowScale = 32, "tcp-window-scale", "window scale";
    /// The TCP flags are a combination that no TCP sends.
    TcpFlags = 33, "tcp-flags", "flags";
    /// Reserved bits of the TCP header are set.
    TcpReserved = 34, "tcp-reserved", "reserved";
    /// The urgent pointer is set without URG, or points past the segment.
    TcpUrgentPointer = 35, "tcp-urgent-pointer", "urgent pointer";
    /// The TCP acknowledgment number is set without ACK.
    TcpAckNumber = 36, "tcp-ack-number", "acknowledgment number";
    /// A source or destination port is zero.
    PortZero = 37, "port-zero", "port";
    /// The UDP header is cut off.
    UdpTruncated = 38, "udp-truncated", "UDP header";
    /// The UDP length is below eight or beyond the packet.
    UdpLength = 39, "udp-length", "length";
    /// The UDP length leaves bytes of the packet over.
    UdpTrailing = 40, "udp-trailing", "length";
    /// A UDP datagram over IPv6 has no checksum.
    UdpNoChecksum = 41, "udp-no-checksum", "checksum";
    /// The ICMP header is cut off.
    IcmpTruncated = 42, "icmp-truncated", "ICMP header";
    /// An ICMP error does not quote a whole IP header of its version.
    IcmpQuoteTruncated = 43, "icmp-quote-truncated", "quoted packet";
    /// The AH or ESP header is cut off or has an impossible length.
    IpsecTruncated = 44, "ipsec-truncated", "AH or ESP header";
    /// Another transport header (SCTP, DCCP, UDP-Lite) is cut off or has an impossible length.
    TransportTruncated = 45, "transport-truncated", "transport header";
    /// A third destination options header, where two have a purpose.
    Ip6DestinationOptions = 46, "ipv6-destination-options", "next header";
    /// An IP option whose type nobody has assigned, and which receivers skip.
    IpOptionUnassigned = 47, "ip-option-unassigned", "option type";
    /// Reserved bits of the AH are set.
    AhReserved = 48, "ah-reserved", "reserved";
    /// The packet inside an IP-in-IP tunnel is shorter than its header or of another version.
    TunnelInner = 49, "tunnel-inner", "inner packet";
}

/// A set of [`Anomaly`] bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Anomalies(u64);

impl Anomalies {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// A set of the given anomalies.
    #[must_use]
    pub const fn of(list: &[Anomaly]) -> Self {
        let mut bits = 0;
        let mut rest = list;
        while let [first, tail @ ..] = rest {
            bits |= 1 << (*first as u8);
            rest = tail;
        }
        Self(bits)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is among them.
    #[must_use]
    pub const fn contains(self, a: Anomaly) -> bool {
        self.0 & (1 << (a as u8)) != 0
    }

    /// Those that are in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Adds one.
    #[inline]
    pub const fn insert(&mut self, a: Anomaly) {
        self.0 |= 1 << (a as u8);
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The anomalies, in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Anomaly> {
        Anomaly::ALL
            .iter()
            .copied()
            .filter(move |a| self.contains(*a))
    }
}

impl fmt::Debug for Anomalies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Where an anomaly was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Evidence {
    /// What was found; [`Anomaly::field`] names the field.
    pub anomaly: Anomaly,
    /// Offset of the field from the start of the packet's buffer.
    pub offset: u16,
    /// The value found there (a length, a type, a set of flags).
    pub value: u32,
}

/// The most findings one packet's evidence keeps; the bits always tell of all.
pub const EVIDENCE_MAX: usize = 24;

/// The evidence of one packet: each anomaly at its first place.
#[derive(Clone, Copy, Debug)]
pub struct EvidenceList {
    items: [Option<Evidence>; EVIDENCE_MAX],
    len: usize,
    seen: Anomalies,
}

impl Default for EvidenceList {
    fn default() -> Self {
        Self {
            items: [None; EVIDENCE_MAX],
            len: 0,
            seen: Anomalies::NONE,
        }
    }
}

impl EvidenceList {
    /// The findings, in the order in which they stand in the packet.
    pub fn iter(&self) -> impl Iterator<Item = Evidence> {
        self.items.iter().copied().flatten()
    }

    /// The finding for one anomaly.
    #[must_use]
    pub fn of(&self, anomaly: Anomaly) -> Option<Evidence> {
        self.iter().find(|e| e.anomaly == anomaly)
    }
}

/// Receives what the parse finds. The packet path records bits only; the same code run again with
/// an [`EvidenceList`] tells where, so evidence costs nothing until somebody asks.
pub(crate) trait Recorder {
    fn note(&mut self, anomaly: Anomaly, offset: usize, value: u32);
}

impl Recorder for Anomalies {
    #[inline(always)]
    fn note(&mut self, anomaly: Anomaly, _: usize, _: u32) {
        self.insert(anomaly);
    }
}

impl Recorder for EvidenceList {
    fn note(&mut self, anomaly: Anomaly, offset: usize, value: u32) {
        if self.seen.contains(anomaly) {
            return;
        }
        self.seen.insert(anomaly);
        if let Some(slot) = self.items.get_mut(self.len) {
            let offset = u16::try_from(offset).unwrap_or(u16::MAX);
            *slot = Some(Evidence {
                anomaly,
                offset,
                value,
            });
            self.len += 1;
        }
    }
}

const _: () = assert!(Anomaly::ALL.len() <= 64);
