//! Types of attacks and what a rule says about each.

use alloc::vec::Vec;

use super::number::NumberSet;
use super::rule::PortRange;

/// The name of a type in policies, in log lines and in reports, and its number.
struct Names {
    policy: &'static str,
    kind: &'static str,
    log: &'static str,
    column: &'static str,
}

macro_rules! types {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal, $policy:literal, $kind:literal, $log:literal, $column:literal;)+) => {
        /// A type of attack (`AttackType`). Its number is the second byte of a probe id.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum AttackType {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl AttackType {
            /// All types, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            const fn names(self) -> Names {
                match self {
                    $(Self::$name => Names { policy: $policy, kind: $kind, log: $log, column: $column },)+
                }
            }
        }
    };
}

types! {
    /// Headers that no correct sender makes.
    MalformedPacket = 0x01, "MALFORMED_PACKET", "attack.malformed_packet", "Malformed", "Malform";
    /// A packet that an application made by hand, over IPv4.
    OutboundRaw = 0x02, "OUTBOUND_RAW", "attack.outbound_raw", "OutboundRaw", "OutRaw4";
    /// Fragments that overlap, or that cut headers apart.
    IpFragment = 0x03, "IP_FRAGMENT", "attack.ip_fragment", "IPFragment", "Fragment";
    /// An ICMP or ICMPv6 redirect.
    IcmpRedirect = 0x04, "ICMP_REDIRECT", "attack.icmp_redirect", "ICMP", "Redirect";
    /// An IPv4 option of the list.
    RestrictedIpOptions = 0x05, "RESTRICTED_IP_OPTIONS", "attack.restricted_ip_options", "IPOPT", "IPOption";
    /// A protocol of the list, over IPv4.
    RestrictedIpProtocol = 0x06, "RESTRICTED_IP_PROTOCOL", "attack.restricted_ip_protocol", "IPPROTO", "IPProto";
    /// A flood of SYNs, or of packets that an interface must discard.
    Flood = 0x07, "FLOOD", "attack.flood", "Flood", "Flood";
    /// UDP between two services that both answer everything.
    PerpetualEcho = 0x08, "PERPETUAL_ECHO", "attack.perpetual_echo", "PerpEcho", "PerpEcho";
    /// Data where padding or a quoted packet should be.
    DataHiding = 0x09, "DATA_HIDING", "attack.data_hiding", "DataHiding", "DataHide";
    /// A TCP queue that does not drain.
    TcpQueueSize = 0x0a, "TCP_QUEUE_SIZE", "attack.tcp_queue_size", "TCPQueueSize", "TCPQueSz";
    /// Most TCP connections are stalled.
    GlobalTcpStall = 0x0b, "GLOBAL_TCP_STALL", "attack.global_tcp_stall", "GlobalTCPStall", "TCPStall";
    /// A packet that an application made by hand, over IPv6.
    OutboundRawIpv6 = 0x0c, "OUTBOUND_RAW_IPV6", "attack.outbound_raw_ipv6", "OutboundRaw6", "OutRaw6";
    /// A next header of the list, anywhere in the chain.
    RestrictedIpv6NextHeader = 0x0d, "RESTRICTED_IPV6_NEXT_HDR", "attack.restricted_ipv6_next_hdr", "IPv6NextHeader", "NextHdrs";
    /// An IPv6 destination option of the list.
    RestrictedIpv6DestinationOptions = 0x0e, "RESTRICTED_IPV6_DST_OPTIONS", "attack.restricted_ipv6_dst_options", "IPv6DestOptions", "DestOpts";
    /// An IPv6 hop-by-hop option of the list.
    RestrictedIpv6HopOptions = 0x0f, "RESTRICTED_IPV6_HOP_OPTIONS", "attack.restricted_ipv6_hop_options", "IPv6HopOptions", "HopOpts";
    /// Enterprise Extender: a command on the port of another priority.
    EeLdlcCheck = 0x10, "EE_LDLC_CHECK", "attack.ee_ldlc_check", "EELDLCCheck", "EELDLC";
    /// Enterprise Extender: headers that no partner sends.
    EeMalformedPacket = 0x11, "EE_MALFORMED_PACKET", "attack.ee_malformed_packet", "EEMalformed", "EEMalfmd";
    /// Enterprise Extender: from another port than that of Enterprise Extender.
    EePortCheck = 0x12, "EE_PORT_CHECK", "attack.ee_port_check", "EEPortCheck", "EEPort";
    /// Enterprise Extender: activations that nobody completes.
    EeXidFlood = 0x13, "EE_XID_FLOOD", "attack.ee_xid_flood", "EEXIDFlood", "XIDFlood";
}

impl AttackType {
    /// The name in a policy, such as `MALFORMED_PACKET`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.names().policy
    }

    /// The kind of its events, such as `attack.malformed_packet`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        self.names().kind
    }

    /// The name in log lines (`type=`), such as `Malformed`.
    #[must_use]
    pub const fn log_name(self) -> &'static str {
        self.names().log
    }

    /// The column of summaries, such as `Malform`.
    #[must_use]
    pub const fn column(self) -> &'static str {
        self.names().column
    }

    /// The type of that name in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|t| t.name().eq_ignore_ascii_case(name))
    }

    /// Whether its response is to reset connections, not to discard packets.
    #[must_use]
    pub const fn resets(self) -> bool {
        matches!(self, Self::TcpQueueSize | Self::GlobalTcpStall)
    }

    /// Whether one packet makes an event of its own, so that it can be traced: not for queues,
    /// stalls and XID floods; of floods the discarded packets are traced.
    #[must_use]
    pub const fn is_traced(self) -> bool {
        !matches!(
            self,
            Self::TcpQueueSize | Self::GlobalTcpStall | Self::EeXidFlood
        )
    }
}

/// How much may wait on a TCP queue (`TCPQueueSize`) or on a UDP socket (`TRudpQueueSize`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are four names")]
pub enum QueueSize {
    /// `VERY_SHORT`.
    VeryShort,
    /// `SHORT`.
    Short,
    /// `LONG`.
    Long,
    /// `VERY_LONG`.
    #[default]
    VeryLong,
}

impl QueueSize {
    /// Bytes of a TCP queue: 32 KiB, 256 KiB, 512 KiB, 2 MiB. IBM does not publish its numbers.
    #[must_use]
    pub const fn tcp_bytes(self) -> u64 {
        match self {
            Self::VeryShort => 32 << 10,
            Self::Short => 256 << 10,
            Self::Long => 512 << 10,
            Self::VeryLong => 2 << 20,
        }
    }

    /// Datagrams of a UDP socket's queue: 16, 256, 2,048, 8,192.
    #[must_use]
    pub const fn datagrams(self) -> u64 {
        match self {
            Self::VeryShort => 16,
            Self::Short => 256,
            Self::Long => 2048,
            Self::VeryLong => 8192,
        }
    }

    /// Bytes of a UDP socket's queue: 2 KiB for each datagram.
    #[must_use]
    pub const fn udp_bytes(self) -> u64 {
        self.datagrams() * 2048
    }

    /// The name in a policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::VeryShort => "VERY_SHORT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::VeryLong => "VERY_LONG",
        }
    }
}

/// What an attack rule looks for (`IDSAttackCondition`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attack {
    /// Malformed packets: see [`malformed`](crate::malformed). They are discarded with or without a
    /// rule; a rule says who is told.
    MalformedPacket,
    /// Packets from raw sockets, over IPv4.
    OutboundRaw {
        /// Protocols that no application may send (`ProtocolRange`).
        protocols: NumberSet,
    },
    /// Fragments that overlap (any overlap but an exact repetition) or cut headers.
    IpFragment {
        /// A datagram cut inside of its first 256 bytes is an attack as well. Networks with small
        /// packets do that; off unless asked for.
        early: bool,
    },
    /// Any redirect that comes in.
    IcmpRedirect,
    /// IPv4 options by type octet (`RestrictedIpOptionRange`).
    RestrictedIpOptions(NumberSet),
    /// Protocols over IPv4 (`ProtocolRange`).
    RestrictedIpProtocol(NumberSet),
    /// SYN floods and floods of interfaces.
    Flood {
        /// The share of received packets that is discarded, in percent, 1–100
        /// (`IfcFloodPercentage`, 10).
        percentage: u8,
        /// The least number of discarded packets in a minute, 1–999,999,999
        /// (`IfcFloodMinDiscard`, 1,000).
        minimum: u32,
    },
    /// UDP from one of the remote ports to one of the local ports.
    PerpetualEcho {
        /// `LocalPortRange`.
        local: Vec<PortRange>,
        /// `RemotePortRange`.
        remote: Vec<PortRange>,
    },
    /// Data where there should be none.
    DataHiding {
        /// In the padding of options (`OptionPadChk`).
        options: bool,
        /// In what ICMP errors quote (`IcmpEmbedPktChk`).
        quotes: bool,
    },
    /// A TCP queue that holds more than this for 30 seconds, or anything for 60.
    TcpQueueSize(QueueSize),
    /// At least 1,000 connections, half of them stalled.
    GlobalTcpStall,
    /// Packets from raw sockets, over IPv6.
    OutboundRawIpv6 {
        /// Next headers that no application may send (`IPv6NextHdrRange`).
        next_headers: NumberSet,
    },
    /// Next headers anywhere in the chain (`IPv6NextHdrRange`).
    RestrictedIpv6NextHeader(NumberSet),
    /// Types of destination options (`RestrictedIpv6OptionRange`).
    RestrictedIpv6DestinationOptions(NumberSet),
    /// Types of hop-by-hop options (`RestrictedIpv6OptionRange`).
    RestrictedIpv6HopOptions(NumberSet),
    /// Enterprise Extender commands on the wrong port.
    EeLdlcCheck,
    /// Malformed Enterprise Extender packets.
    EeMalformedPacket,
    /// Enterprise Extender packets from another port.
    EePortCheck,
    /// Abandoned Enterprise Extender activations.
    EeXidFlood {
        /// How many in a minute (`EEXIDTimeout`, 100).
        timeouts: u32,
    },
}

impl Attack {
    /// The type.
    #[must_use]
    pub const fn kind(&self) -> AttackType {
        match self {
            Self::MalformedPacket => AttackType::MalformedPacket,
            Self::OutboundRaw { .. } => AttackType::OutboundRaw,
            Self::IpFragment { .. } => AttackType::IpFragment,
            Self::IcmpRedirect => AttackType::IcmpRedirect,
            Self::RestrictedIpOptions(_) => AttackType::RestrictedIpOptions,
            Self::RestrictedIpProtocol(_) => AttackType::RestrictedIpProtocol,
            Self::Flood { .. } => AttackType::Flood,
            Self::PerpetualEcho { .. } => AttackType::PerpetualEcho,
            Self::DataHiding { .. } => AttackType::DataHiding,
            Self::TcpQueueSize(_) => AttackType::TcpQueueSize,
            Self::GlobalTcpStall => AttackType::GlobalTcpStall,
            Self::OutboundRawIpv6 { .. } => AttackType::OutboundRawIpv6,
            Self::RestrictedIpv6NextHeader(_) => AttackType::RestrictedIpv6NextHeader,
            Self::RestrictedIpv6DestinationOptions(_) => {
                AttackType::RestrictedIpv6DestinationOptions
            }
            Self::RestrictedIpv6HopOptions(_) => AttackType::RestrictedIpv6HopOptions,
            Self::EeLdlcCheck => AttackType::EeLdlcCheck,
            Self::EeMalformedPacket => AttackType::EeMalformedPacket,
            Self::EePortCheck => AttackType::EePortCheck,
            Self::EeXidFlood { .. } => AttackType::EeXidFlood,
        }
    }
}
