//! Malformed packets: headers that no correct sender produces and that would confuse a weaker
//! stack (`MALFORMED_PACKET`).
//!
//! IBM does not publish z/OS's list. This one follows the RFCs: each finding has a code of its
//! own, whether it is an [`Anomaly`] of the layout (3100 plus its number) or something that needs
//! more than header structure (3200 and above). A finding is either *malformed*, and the packet is
//! discarded as z/OS discards it whatever the policy says, or *odd*: told, and the packet passes.

mod addresses;
mod header;
mod icmp;
mod igmp;

use hostward_hook::action::Cx;
use hostward_hook::checksum::{self, ChecksumState};
use hostward_hook::layout::{Anomalies, Anomaly, Evidence, Layout};
use hostward_hook::meta::{Checksums, Direction};
use hostward_hook::packet::Packet;
use hostward_hook::reason::{Code, CodeInfo};
use hostward_hook::verdict::Verdict;

use crate::event::Finding;
use crate::policy::{Attack, AttackType};
use crate::report::Desk;

hostward_hook::codes! {
    /// Codes of findings that are no anomaly of the layout.
    pub static CODES;
    /// Source and destination are the same address and port (LAND, CERT CA-1997-28).
    LAND = 3201, "land";
    /// The source address cannot be a sender's: multicast, broadcast, unspecified, loopback or reserved (RFC 1122 section 3.2.1.3).
    SOURCE_ADDRESS = 3202, "source-address";
    /// The destination address cannot be a receiver's: unspecified, or loopback or mapped on the wire (RFC 4291).
    DESTINATION_ADDRESS = 3203, "destination-address";
    /// The IPv4 header checksum is wrong (RFC 1122 section 3.2.1.2).
    IP_CHECKSUM = 3204, "ip-checksum";
    /// The TCP, UDP or ICMP checksum is wrong.
    TRANSPORT_CHECKSUM = 3205, "transport-checksum";
    /// TCP is sent to a multicast or broadcast address (RFC 1122 section 4.2.3.10).
    TCP_TO_GROUP = 3206, "tcp-to-group";
    /// The ICMP type or code is not assigned.
    ICMP_TYPE = 3207, "icmp-type";
    /// An ICMP error about an ICMP error (RFC 1122 section 3.2.2).
    ICMP_ERROR_ABOUT_ERROR = 3208, "icmp-error-about-error";
    /// An ICMP error about a packet sent to a group, or sent to a group itself (RFC 1122 section 3.2.2).
    ICMP_ERROR_ABOUT_GROUP = 3209, "icmp-error-about-group";
    /// An ICMP echo request to a broadcast address (RFC 1122 section 3.2.2.6).
    ICMP_ECHO_BROADCAST = 3210, "icmp-echo-broadcast";
    /// An ICMP echo with more than 1,024 bytes of data.
    ICMP_ECHO_LARGE = 3211, "icmp-echo-large";
    /// Neighbour discovery from beyond the link: hop limit is not 255, or the source of an advertisement or redirect is not link-local (RFC 4861 section 6.1).
    ND_NOT_LOCAL = 3212, "nd-not-local";
    /// A neighbour discovery option of length zero, or one that runs past the message (RFC 4861 section 4.6).
    ND_OPTION = 3213, "nd-option";
    /// A multicast listener message whose hop limit is not 1 (RFC 3810 section 5).
    MLD_HOP_LIMIT = 3214, "mld-hop-limit";
    /// The ICMP type is one for experiments.
    ICMP_EXPERIMENT = 3215, "icmp-experiment";
    /// Neighbour discovery in a packet with a fragment header (RFC 6980 section 5).
    ND_FRAGMENTED = 3216, "nd-fragmented";
    /// A neighbour discovery message shorter than its fixed part (RFC 4861 sections 6.1, 7.1 and 8.1).
    ND_LENGTH = 3217, "nd-length";
    /// Addresses in neighbour discovery that do not fit together: a multicast target, a solicitation from nowhere to another address than the solicited-node group, or an answer to everybody that says it was asked for (RFC 4861 section 7.1).
    ND_ADDRESS = 3218, "nd-address";
    /// An IP protocol nobody has assigned, or one of IPv6's extension headers in IPv4.
    IP_PROTOCOL = 3219, "ip-protocol";
    /// A time to live or hop limit of zero, which no host sends (RFC 1122 section 3.2.1.7).
    TTL_ZERO = 3220, "ttl-zero";
    /// An IGMP message that is shorter than its type or its own counts say (RFC 3376 section 4).
    IGMP_LENGTH = 3221, "igmp-length";
}

/// The code of an anomaly of the layout.
#[must_use]
pub const fn code_of(anomaly: Anomaly) -> Code {
    Code::new(3100 + anomaly as u16)
}

/// All codes of this detector with their meaning, anomalies first.
pub fn codes() -> impl Iterator<Item = CodeInfo> {
    let anomalies = Anomaly::ALL
        .iter()
        .map(|a| CodeInfo::new(code_of(*a), a.name(), a.text()));
    anomalies.chain(CODES.iter().copied())
}

/// Anomalies that are told but do not make a packet malformed.
///
/// Some are sent by correct stacks (atomic fragments, RFC 6946; UDP without checksum through
/// tunnels, RFC 6935), some only by scanners whose packets still are well formed, and some a
/// receiver has to accept: reserved fields it must ignore (RFC 8200 section 4.5, RFC 4302 section
/// 2.3), a window scale above 14, which counts as 14 (RFC 7323 section 2.3), options nobody has
/// assigned (RFC 1122 section 3.2.1.8), any number of destination options (RFC 8200 section 4.1).
pub const ODD: Anomalies = Anomalies::of(&[
    Anomaly::FragmentAtomic,
    Anomaly::FragmentReserved,
    Anomaly::AhReserved,
    Anomaly::IpOptionUnassigned,
    Anomaly::Ip6DestinationOptions,
    Anomaly::TcpWindowScale,
    Anomaly::Ip4OptionPadding,
    Anomaly::Ip6OptionPadding,
    Anomaly::Ip6DataAfterNoNext,
    Anomaly::TcpUrgentPointer,
    Anomaly::TcpAckNumber,
    Anomaly::TcpReserved,
    Anomaly::UdpTrailing,
    Anomaly::UdpNoChecksum,
]);

/// Anomalies that a packet cut off by its capture shows through no fault of its sender.
const CUT: Anomalies = Anomalies::of(&[
    Anomaly::IpTruncated,
    Anomaly::IpLengthBeyondBuffer,
    Anomaly::Ip4HeaderLength,
    Anomaly::Ip6ExtensionLength,
    Anomaly::TcpTruncated,
    Anomaly::TcpDataOffset,
    Anomaly::TcpUrgentPointer,
    Anomaly::UdpTruncated,
    Anomaly::UdpLength,
    Anomaly::IcmpTruncated,
    Anomaly::IcmpQuoteTruncated,
    Anomaly::IpsecTruncated,
    Anomaly::TransportTruncated,
    Anomaly::TunnelInner,
    Anomaly::FragmentTiny,
    Anomaly::FragmentLength,
]);

/// Anomalies that [data hiding](AttackType::DataHiding) tells of.
const PADDING: Anomalies = Anomalies::of(&[Anomaly::Ip4OptionPadding, Anomaly::Ip6OptionPadding]);

/// What is done about malformed packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct Config {
    /// Look at all. On.
    pub enabled: bool,
    /// Look at packets this host sends as well. Off, as in z/OS.
    pub outbound: bool,
    /// Tell of ICMP echoes with more than 1,024 bytes of data. Off: `ping` sends them to measure.
    pub large_echo: bool,
    /// Verify checksums nobody has verified yet ([`Checksums::Unchecked`]). On.
    pub checksums: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            outbound: false,
            large_echo: false,
            checksums: true,
        }
    }
}

/// Looks at one packet. A few comparisons when nothing is wrong (and the checksums, if they are
/// to be verified); no allocation.
#[inline]
pub(crate) fn check(
    config: &Config,
    desk: &mut Desk,
    cx: &mut Cx<'_>,
    packet: &Packet<'_>,
) -> Verdict {
    if !config.enabled || (packet.meta.direction() == Direction::Outbound && !config.outbound) {
        return Verdict::Continue;
    }
    let l = packet.layout();
    let structure = l.anomalies();
    let address = addresses::check(packet);
    let message = if l.icmp().is_some() {
        icmp::check(packet, config.large_echo)
    } else {
        igmp::check(packet)
    };
    let sum = if config.checksums && packet.meta.checksums == Checksums::Unchecked {
        checksums(packet)
    } else {
        None
    };
    if structure.is_empty()
        && address.is_none()
        && message.is_none()
        && sum.is_none()
        && !header::is_odd(packet)
    {
        return Verdict::Continue;
    }
    report(desk, cx, packet, structure, [address, message, sum])
}

fn checksums(packet: &Packet<'_>) -> Option<Finding> {
    let found = |code, name, field| Finding {
        code,
        name,
        field,
        offset: None,
        value: None,
        discard: true,
    };
    match checksum::verify(packet) {
        ChecksumState::Right => None,
        ChecksumState::WrongIp => Some(found(IP_CHECKSUM, "ip-checksum", "header checksum")),
        ChecksumState::WrongUpper => {
            Some(found(TRANSPORT_CHECKSUM, "transport-checksum", "checksum"))
        }
    }
}

/// Whether the host's network card has still to write lengths and checksums.
fn offloaded(packet: &Packet<'_>) -> bool {
    packet.meta.checksums == Checksums::Offloaded
}

/// The length of zero that segmentation offload leaves in the header.
fn is_left_zero(e: Evidence) -> bool {
    e.value == 0
        && (e.anomaly == Anomaly::Ip4TotalLength || e.anomaly == Anomaly::Ip6Jumbo && e.offset == 4)
}

#[cold]
fn report(
    desk: &mut Desk,
    cx: &mut Cx<'_>,
    packet: &Packet<'_>,
    structure: Anomalies,
    others: [Option<Finding>; 3],
) -> Verdict {
    let mut verdict = Verdict::Continue;
    let evidence = Layout::evidence(packet.bytes());
    // What is hidden in padding is the business of a detector of its own, if there is one.
    let padding = matches!(
        desk.attack(AttackType::DataHiding),
        Some(Attack::DataHiding { options: true, .. })
    );
    let anomalies = structure
        .iter()
        .filter(|a| !(packet.meta.cut && CUT.contains(*a)))
        .filter(|a| !(padding && PADDING.contains(*a)))
        .filter(|a| !(offloaded(packet) && evidence.of(*a).is_some_and(is_left_zero)))
        .map(|a| {
            let e = evidence.of(a);
            Finding {
                code: code_of(a),
                name: a.name(),
                field: a.field(),
                offset: e.map(|e| e.offset),
                value: e.map(|e| e.value),
                discard: !ODD.contains(a),
            }
        });
    let header = header::findings(packet);
    for finding in anomalies.chain(header.into_iter().chain(others).flatten()) {
        let judged = desk.packet(cx, packet, AttackType::MalformedPacket, finding);
        if verdict.is_continue() {
            verdict = judged;
        }
    }
    verdict
}
