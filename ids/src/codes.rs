//! Codes of intrusion detection but for those of malformed packets.

use hostward_hook::reason::CodeInfo;

hostward_hook::codes! {
    /// Codes of the frame that all detectors share.
    pub static FRAME;
    /// Log messages about a type of attack were not told because there were too many in five minutes.
    LOG_SUPPRESSED = 3001, "attack-log-suppressed";
    /// How often a type of attack was seen in an interval.
    STATISTICS = 3002, "attack-statistics";
}

hostward_hook::codes! {
    /// Codes of attacks but for malformed packets.
    pub static ATTACKS;
    /// A fragment overlaps another one of its datagram and carries other bytes there.
    OVERLAP_DIFFERS = 3401, "fragment-overlap-differs";
    /// A fragment overlaps another one of its datagram with the same bytes, and is not that fragment once more.
    OVERLAP_SAME = 3402, "fragment-overlap-same";
    /// A fragment changes the length that its datagram was known to have.
    OVERLAP_LENGTH = 3403, "fragment-changes-length";
    /// A datagram is cut into fragments inside of its first 256 bytes.
    FRAGMENT_EARLY = 3404, "fragment-early";
    /// An ICMP or ICMPv6 redirect.
    REDIRECT = 3405, "icmp-redirect";
    /// An IPv4 option that the policy restricts.
    RESTRICTED_OPTION = 3406, "restricted-ip-option";
    /// A protocol over IPv4 that the policy restricts.
    RESTRICTED_PROTOCOL = 3407, "restricted-ip-protocol";
    /// An IPv6 next header that the policy restricts.
    RESTRICTED_NEXT_HEADER = 3408, "restricted-ipv6-next-header";
    /// An IPv6 destination option that the policy restricts.
    RESTRICTED_DESTINATION_OPTION = 3409, "restricted-ipv6-destination-option";
    /// An IPv6 hop-by-hop option that the policy restricts.
    RESTRICTED_HOP_OPTION = 3410, "restricted-ipv6-hop-option";
    /// UDP from one service that answers everything to another one.
    PERPETUAL_ECHO = 3411, "perpetual-echo";
    /// Padding of options that is not zero.
    PADDING_CONTENT = 3412, "padding-content";
    /// More padding in IPv6 options than any alignment needs.
    PADDING_LENGTH = 3413, "padding-length";
    /// An ICMP error quotes what this host cannot have sent.
    QUOTE_IMPLAUSIBLE = 3414, "quote-implausible";
    /// An application sends a protocol from a raw socket that the policy restricts.
    RAW_PROTOCOL = 3420, "raw-protocol";
    /// An application sends from an address that is not the host's.
    RAW_SOURCE = 3421, "raw-source";
    /// An application sends a fragment that it made itself.
    RAW_FRAGMENT = 3422, "raw-fragment";
    /// An application sends an ICMP redirect.
    RAW_REDIRECT = 3423, "raw-redirect";
    /// An application sends an IP header whose lengths do not fit the packet.
    RAW_HEADER = 3424, "raw-header";
    /// More connections to a port are half-open than its queue holds, even grown: a SYN flood.
    SYN_FLOOD_STARTED = 3430, "syn-flood-started";
    /// A SYN flood is over.
    SYN_FLOOD_ENDED = 3431, "syn-flood-ended";
    /// The half-open connections to a port fill its queue, which must grow.
    ACCEPT_QUEUE_EXPANDED = 3432, "accept-queue-expanded";
    /// An interface discards a great share of what it receives.
    INTERFACE_FLOOD_STARTED = 3435, "interface-flood-started";
    /// The flood of an interface goes on.
    INTERFACE_FLOOD_CONTINUES = 3436, "interface-flood-continues";
    /// The flood of an interface is over.
    INTERFACE_FLOOD_ENDED = 3437, "interface-flood-ended";
    /// There is no room to watch another interface for floods.
    INTERFACE_FLOOD_DISABLED = 3438, "interface-flood-disabled";
    /// A TCP queue holds old data, or too much for too long.
    QUEUE_CONSTRAINED = 3440, "tcp-queue-constrained";
    /// A TCP queue has drained.
    QUEUE_UNCONSTRAINED = 3441, "tcp-queue-unconstrained";
    /// A connection is reset because of its queue.
    QUEUE_RESET = 3442, "tcp-queue-reset";
    /// Half of at least a thousand TCP connections are stalled.
    STALL_ENTERED = 3445, "tcp-stall-entered";
    /// Few TCP connections are stalled again.
    STALL_LEFT = 3446, "tcp-stall-left";
    /// A connection that was stalled when the stall of all began.
    STALL_CONNECTION = 3447, "tcp-stall-connection";
    /// An Enterprise Extender command on the port of another priority.
    EE_LDLC = 3450, "ee-ldlc";
    /// An Enterprise Extender packet too short for its headers, or of an unknown command.
    EE_MALFORMED = 3451, "ee-malformed";
    /// An Enterprise Extender packet from a port that is not Enterprise Extender's.
    EE_PORT = 3452, "ee-port";
    /// Many Enterprise Extender activations were abandoned within a minute.
    EE_XID_FLOOD_STARTED = 3455, "ee-xid-flood-started";
    /// The flood of Enterprise Extender activations is over.
    EE_XID_FLOOD_ENDED = 3456, "ee-xid-flood-ended";
}

hostward_hook::codes! {
    /// Codes of scans.
    pub static SCANS;
    /// A source reached the threshold of fast scans.
    SCAN_FAST = 3501, "scan-fast";
    /// A source reached the threshold of slow scans.
    SCAN_SLOW = 3502, "scan-slow";
    /// A source failed so much more often than it succeeded that it scans.
    SCAN_WALK = 3503, "scan-walk";
    /// The events that make up a scan.
    SCAN_DETAIL = 3504, "scan-detail";
    /// There is no room for more sources without others giving way.
    SCAN_STORAGE_CONSTRAINED = 3505, "scan-storage-constrained";
    /// There is room for more sources again.
    SCAN_STORAGE_UNCONSTRAINED = 3506, "scan-storage-unconstrained";
    /// A source sends probes by which operating systems are told apart.
    SCAN_OS_PROBES = 3511, "scan-os-probes";
    /// The same SYN comes from several sources: decoys hide the one that scans.
    SCAN_DECOYS = 3512, "scan-decoys";
    /// The source among decoys that is not made up.
    SCAN_DECOY_SOURCE = 3513, "scan-decoy-source";
    /// A source measures this host's packet numbers, to scan others in its name.
    SCAN_IDLE_PROBES = 3514, "scan-idle-probes";
    /// Many sources try many closed ports.
    SCAN_DISTRIBUTED = 3515, "scan-distributed";
}

hostward_hook::codes! {
    /// Codes of traffic regulation.
    pub static REGULATION;
    /// A TCP port has all the connections it may have.
    TCP_TOTAL = 3601, "tcp-total-connections";
    /// A host holds its share of the connections that a TCP port has available.
    TCP_SOURCE = 3602, "tcp-source-connections";
    /// Few connections of a TCP port are available.
    TCP_CONSTRAINED = 3603, "tcp-port-constrained";
    /// Connections of a TCP port are available again.
    TCP_UNCONSTRAINED = 3604, "tcp-port-unconstrained";
    /// A host got a connection beyond its share because quality of service grants it.
    TCP_EXCEPTION = 3605, "tcp-exception";
    /// The queue of a UDP port is nearly full.
    UDP_CONSTRAINED = 3611, "udp-queue-constrained";
    /// The queue of a UDP port has drained.
    UDP_UNCONSTRAINED = 3612, "udp-queue-unconstrained";
    /// The queue of a UDP port is full: datagrams are discarded.
    UDP_LIMIT = 3613, "udp-queue-limit";
    /// What a UDP port received and discarded in an interval.
    UDP_STATISTICS = 3614, "udp-port-statistics";
}

/// All codes of intrusion detection with their meaning, ascending.
pub fn codes() -> impl Iterator<Item = CodeInfo> {
    FRAME
        .iter()
        .copied()
        .chain(crate::malformed::codes())
        .chain(ATTACKS.iter().copied())
        .chain(SCANS.iter().copied())
        .chain(REGULATION.iter().copied())
}
