//! Intrusion detection: attacks, scans, traffic regulation.

use crate::schema::{Discipline, Family, Keyword, Parameter, Value};

use super::ipsec::YES_NO;
use super::ipsec::address::{IP_ADDR, IP_ADDR_GROUP, IP_ADDR_SET};
use super::ipsec::time::IP_TIME_CONDITION;

crate::choices! {
    /// What a rule is about.
    pub enum ConditionType: CONDITION_TYPE {
        /// A type of attack.
        Attack = "Attack",
        /// How scans are recognised.
        ScanGlobal = "ScanGlobal",
        /// What counts towards a scan.
        ScanEvent = "ScanEvent",
        /// Traffic regulation of a port.
        Tr = "TR",
    }
}

crate::choices! {
    /// Types of attacks; the numbers are those of probe ids.
    pub enum AttackType: ATTACK_TYPE {
        /// Headers that no correct sender makes.
        MalformedPacket(0x01) = "MALFORMED_PACKET",
        /// Packets that applications make by hand, over IPv4.
        OutboundRaw(0x02) = "OUTBOUND_RAW",
        /// Fragments that overlap or cut headers.
        IpFragment(0x03) = "IP_FRAGMENT",
        /// Redirects.
        IcmpRedirect(0x04) = "ICMP_REDIRECT",
        /// IPv4 options of a list.
        RestrictedIpOptions(0x05) = "RESTRICTED_IP_OPTIONS",
        /// Protocols over IPv4 of a list.
        RestrictedIpProtocol(0x06) = "RESTRICTED_IP_PROTOCOL",
        /// Floods of SYNs and of interfaces.
        Flood(0x07) = "FLOOD",
        /// UDP between two services that answer everything.
        PerpetualEcho(0x08) = "PERPETUAL_ECHO",
        /// Data where padding or a quoted packet should be.
        DataHiding(0x09) = "DATA_HIDING",
        /// TCP queues that do not drain.
        TcpQueueSize(0x0a) = "TCP_QUEUE_SIZE",
        /// Most TCP connections are stalled.
        GlobalTcpStall(0x0b) = "GLOBAL_TCP_STALL",
        /// Packets that applications make by hand, over IPv6.
        OutboundRawIpv6(0x0c) = "OUTBOUND_RAW_IPV6",
        /// IPv6 next headers of a list.
        RestrictedIpv6NextHdr(0x0d) = "RESTRICTED_IPV6_NEXT_HDR",
        /// IPv6 destination options of a list.
        RestrictedIpv6DstOptions(0x0e) = "RESTRICTED_IPV6_DST_OPTIONS",
        /// IPv6 hop-by-hop options of a list.
        RestrictedIpv6HopOptions(0x0f) = "RESTRICTED_IPV6_HOP_OPTIONS",
        /// Enterprise Extender commands on the wrong port.
        EeLdlcCheck(0x10) = "EE_LDLC_CHECK",
        /// Malformed Enterprise Extender packets.
        EeMalformedPacket(0x11) = "EE_MALFORMED_PACKET",
        /// Enterprise Extender packets from another port.
        EePortCheck(0x12) = "EE_PORT_CHECK",
        /// Abandoned Enterprise Extender activations.
        EeXidFlood(0x13) = "EE_XID_FLOOD",
    }
}

crate::choices! {
    /// How much may wait.
    pub enum QueueSize: QUEUE_SIZE {
        /// UDP: 16 datagrams. TCP: 32 KiB.
        VeryShort = "VERY_SHORT",
        /// UDP: 256 datagrams. TCP: 256 KiB.
        Short = "SHORT",
        /// UDP: 2,048 datagrams. TCP: 512 KiB.
        Long = "LONG",
        /// UDP: 8,192 datagrams. TCP: 2 MiB.
        VeryLong = "VERY_LONG",
    }
}

crate::choices! {
    /// Whether something is looked for.
    pub enum Switch: SWITCH {
        /// It is.
        Enable = "Enable",
        /// It is not.
        Disable = "Disable",
    }
}

crate::choices! {
    /// The protocol of scan events.
    pub enum ScanProtocol: SCAN_PROTOCOL {
        /// TCP.
        Tcp(6) = "Tcp",
        /// UDP.
        Udp(17) = "Udp",
        /// ICMP.
        Icmp(1) = "Icmp",
        /// ICMPv6.
        Icmpv6(58) = "Icmpv6",
    }
}

crate::choices! {
    /// The protocol of traffic regulation.
    pub enum TrProtocol: TR_PROTOCOL {
        /// TCP.
        Tcp(6) = "Tcp",
        /// UDP.
        Udp(17) = "Udp",
    }
}

crate::choices! {
    /// Which events count.
    pub enum Sensitivity: SENSITIVITY {
        /// None.
        None = "None",
        /// Very suspicious ones.
        Low = "Low",
        /// Very and possibly suspicious ones.
        Medium = "Medium",
        /// All, normal ones as well.
        High = "High",
    }
}

crate::choices! {
    /// What shares a number of connections.
    pub enum LimitScope: LIMIT_SCOPE {
        /// All sockets of a port.
        Port = "PORT",
        /// Each listening socket has its own.
        PortInstance = "PORT_INSTANCE",
    }
}

crate::choices! {
    /// What is done about an attack.
    pub enum AttackResponse: ATTACK_RESPONSE {
        /// Packets are discarded.
        Discard = "discard",
        /// They are not.
        NoDiscard = "nodiscard",
        /// Connections are reset.
        ResetConn = "resetconn",
        /// They are not.
        NoResetConn = "noresetconn",
    }
}

crate::choices! {
    /// What is done about an event of a scan.
    pub enum ScanResponse: SCAN_RESPONSE {
        /// It counts.
        Count = "count",
    }
}

crate::choices! {
    /// What is done about traffic above what is regulated.
    pub enum TrResponse: TR_RESPONSE {
        /// It is refused.
        Limit = "limit",
        /// It is only told.
        NoLimit = "nolimit",
    }
}

crate::choices! {
    /// What an action is for, and what is done.
    pub enum ActionType: ACTION_TYPE {
        /// Attacks.
        Attack = "Attack" => &Value::Optional(&ATTACK_RESPONSE),
        /// How scans are recognised.
        ScanGlobal = "ScanGlobal",
        /// What counts towards a scan.
        ScanEvent = "ScanEvent" => &Value::Optional(&SCAN_RESPONSE),
        /// Traffic regulation.
        Tr = "TR" => &Value::Optional(&TR_RESPONSE),
    }
}

crate::choices! {
    /// Who is told.
    pub enum TypeAction: TYPE_ACTION {
        /// The console.
        Console = "CONSOLE",
        /// The log.
        Log = "LOG",
        /// Counts at intervals.
        Statistics = "STATISTICS",
        /// A trace of the packets.
        Trace = "TRACE",
    }
}

crate::choices! {
    /// When statistics are told.
    pub enum StatType: STAT_TYPE {
        /// After every interval.
        Normal = "Normal",
        /// After an interval in which something happened.
        Exception = "Exception",
    }
}

crate::choices! {
    /// How much of a packet is traced.
    pub enum TraceData: TRACE_DATA {
        /// Its headers.
        Header = "HEADER",
        /// All of it.
        Full = "FULL",
        /// Its first bytes.
        RecordSize = "RECORDSIZE",
    }
}

static PORTS: Value = Value::Range {
    min: 1,
    max: 65_535,
    unit: "port",
};
static PROTOCOLS: Value = Value::Range {
    min: 0,
    max: 255,
    unit: "protocol",
};
static OPTIONS: Value = Value::Range {
    min: 1,
    max: 255,
    unit: "option type",
};
static NEXT_HEADERS: Value = Value::Range {
    min: 0,
    max: 255,
    unit: "next header",
};
static OPTIONS6: Value = Value::Range {
    min: 0,
    max: 255,
    unit: "option type",
};
static PRIORITY: Value = Value::Number {
    min: 1,
    max: 2_000_000_000,
    unit: "",
};
static PERCENT: Value = Value::Number {
    min: 1,
    max: 100,
    unit: "percent",
};
static SHARE: Value = Value::Number {
    min: 0,
    max: 100,
    unit: "percent",
};
static DISCARDS: Value = Value::Number {
    min: 1,
    max: 999_999_999,
    unit: "packets",
};
static TIMEOUTS: Value = Value::Number {
    min: 1,
    max: u32::MAX,
    unit: "time-outs",
};
static FAST_MINUTES: Value = Value::Number {
    min: 1,
    max: 1440,
    unit: "minutes",
};
static SLOW_MINUTES: Value = Value::Number {
    min: 0,
    max: 1440,
    unit: "minutes",
};
static EVENTS: Value = Value::Number {
    min: 1,
    max: 64,
    unit: "events",
};
static CONNECTIONS: Value = Value::Number {
    min: 1,
    max: 65_535,
    unit: "connections",
};
static MESSAGES: Value = Value::Number {
    min: 0,
    max: u32::MAX,
    unit: "messages",
};
static LEVEL: Value = Value::Number {
    min: 0,
    max: 7,
    unit: "",
};
static MINUTES: Value = Value::Number {
    min: 1,
    max: 1_000_000,
    unit: "minutes",
};
static LIFETIME: Value = Value::Number {
    min: 1,
    max: 1440,
    unit: "minutes",
};
static BYTES: Value = Value::Number {
    min: 1,
    max: 65_535,
    unit: "bytes",
};
static ANY_PORT: Value = Value::Number {
    min: 0,
    max: 65_535,
    unit: "",
};
static LOCAL: Value = Value::OneOf(&[
    Value::Prefix(Family::Unmapped),
    Value::Addresses(Family::Unmapped),
    Value::Address(Family::Unmapped),
]);
static EXCLUDED: Value = Value::OneOf(&[
    Value::Sequence(&[Value::Prefix(Family::Unmapped), Value::Optional(&ANY_PORT)]),
    Value::Sequence(&[
        Value::Addresses(Family::Unmapped),
        Value::Optional(&ANY_PORT),
    ]),
    Value::Sequence(&[Value::Address(Family::Unmapped), Value::Optional(&ANY_PORT)]),
    ANY_PORT,
]);

crate::statements! {
    /// `IDSRule`.
    ids_rule: IDS_RULE = Statement::new("IDSRule", "What is looked for, and what is done.")
        .effective()
        .text("Of several attack rules of one type, and of several rules that fit a port, the one with the greatest priority \
               counts, of equal ones the first. Scans are looked for if there are a rule `ScanGlobal` and at least one \
               `ScanEvent`.") {
        CONDITION_TYPE = Parameter::new(&[Keyword::line("ConditionType", &CONDITION_TYPE)], "What the rule is about.").required(),
        PRIORITY = Parameter::new(&[Keyword::line("Priority", &PRIORITY)], "Greater ones count first.")
            .default("1").unconfirmed(),
        ATTACK = Parameter::new(
            &[
                Keyword::reference("IDSAttackConditionRef", &IDS_ATTACK_CONDITION),
                Keyword::block("IDSAttackCondition", &IDS_ATTACK_CONDITION),
            ],
            "The attack; for `Attack`.",
        ),
        SCAN_GLOBAL = Parameter::new(
            &[
                Keyword::reference("IDSScanGlobalConditionRef", &IDS_SCAN_GLOBAL_CONDITION),
                Keyword::block("IDSScanGlobalCondition", &IDS_SCAN_GLOBAL_CONDITION),
            ],
            "How scans are recognised; for `ScanGlobal`.",
        ),
        SCAN_EVENT = Parameter::new(
            &[
                Keyword::reference("IDSScanEventConditionRef", &IDS_SCAN_EVENT_CONDITION),
                Keyword::block("IDSScanEventCondition", &IDS_SCAN_EVENT_CONDITION),
            ],
            "What counts; for `ScanEvent`.",
        ),
        TR = Parameter::new(
            &[
                Keyword::reference("IDSTRConditionRef", &IDS_TR_CONDITION),
                Keyword::block("IDSTRCondition", &IDS_TR_CONDITION),
            ],
            "What is regulated; for `TR`.",
        ),
        ACTION = Parameter::new(
            &[
                Keyword::reference("IDSActionRef", &IDS_ACTION),
                Keyword::block("IDSAction", &IDS_ACTION),
            ],
            "What is done; of the same type as the rule.",
        ).required(),
        TIME = Parameter::new(
            &[
                Keyword::reference("IpTimeConditionRef", &IP_TIME_CONDITION),
                Keyword::block("IpTimeCondition", &IP_TIME_CONDITION),
            ],
            "When the rule is in force.",
        ).absent("always"),
    }

    /// `IDSAttackCondition`.
    ids_attack_condition: IDS_ATTACK_CONDITION = Statement::new("IDSAttackCondition", "An attack.")
        .text("Lists go with the types that need them: ports with `PERPETUAL_ECHO`, protocols with `RESTRICTED_IP_PROTOCOL` and \
               `OUTBOUND_RAW`, options with `RESTRICTED_IP_OPTIONS`, next headers with `RESTRICTED_IPV6_NEXT_HDR` and \
               `OUTBOUND_RAW_IPV6`, IPv6 options with `RESTRICTED_IPV6_DST_OPTIONS` and `RESTRICTED_IPV6_HOP_OPTIONS`.") {
        TYPE = Parameter::new(&[Keyword::line("AttackType", &ATTACK_TYPE)], "The type of attack.").required(),
        LOCAL_PORTS = Parameter::new(
            &[
                Keyword::line("LocalPortRange", &PORTS),
                Keyword::reference("LocalPortRangeRef", &PORT_RANGE),
                Keyword::reference("LocalPortGroupRef", &PORT_GROUP),
            ],
            "Local ports, for `PERPETUAL_ECHO`.",
        ).list(),
        REMOTE_PORTS = Parameter::new(
            &[
                Keyword::line("RemotePortRange", &PORTS),
                Keyword::reference("RemotePortRangeRef", &PORT_RANGE),
                Keyword::reference("RemotePortGroupRef", &PORT_GROUP),
            ],
            "Remote ports, for `PERPETUAL_ECHO`.",
        ).list(),
        PROTOCOLS = Parameter::new(
            &[
                Keyword::line("ProtocolRange", &PROTOCOLS),
                Keyword::reference("IpProtocolRangeRef", &IP_PROTOCOL_RANGE),
                Keyword::reference("IpProtocolGroupRef", &IP_PROTOCOL_GROUP),
            ],
            "Protocols over IPv4.",
        ).list(),
        OPTIONS = Parameter::new(
            &[
                Keyword::line("RestrictedIpOptionRange", &OPTIONS),
                Keyword::reference("IpOptionRangeRef", &IP_OPTION_RANGE),
                Keyword::reference("IpOptionGroupRef", &IP_OPTION_GROUP),
            ],
            "IPv4 options, by the octet of their type.",
        ).list(),
        NEXT_HEADERS = Parameter::new(
            &[
                Keyword::line("IPv6NextHdrRange", &NEXT_HEADERS),
                Keyword::reference("IPv6NextHdrRangeRef", &IPV6_NEXT_HDR_RANGE),
                Keyword::reference("IPv6NextHdrGroupRef", &IPV6_NEXT_HDR_GROUP),
            ],
            "IPv6 next headers.",
        ).list(),
        OPTIONS6 = Parameter::new(
            &[
                Keyword::line("RestrictedIpv6OptionRange", &OPTIONS6),
                Keyword::reference("Ipv6OptionRangeRef", &IPV6_OPTION_RANGE),
                Keyword::reference("Ipv6OptionGroupRef", &IPV6_OPTION_GROUP),
            ],
            "IPv6 options, by the octet of their type.",
        ).list().unconfirmed(),
        PERCENTAGE = Parameter::new(&[Keyword::line("IfcFloodPercentage", &PERCENT)],
            "The share of received packets that is discarded when an interface is flooded, for `FLOOD`.").default("10").unconfirmed(),
        MINIMUM = Parameter::new(&[Keyword::line("IfcFloodMinDiscard", &DISCARDS)],
            "The least number of discarded packets in a minute, for `FLOOD`.").default("1000").unconfirmed(),
        XID_TIMEOUTS = Parameter::new(&[Keyword::line("EEXIDTimeout", &TIMEOUTS)],
            "How many activations time out in a minute, for `EE_XID_FLOOD`.").default("100").unconfirmed(),
        QUEUE_SIZE = Parameter::new(&[Keyword::line("TCPQueueSize", &QUEUE_SIZE)],
            "How much a queue may hold for 30 seconds, for `TCP_QUEUE_SIZE`.").default("VERY_LONG").unconfirmed(),
        OPTION_PADDING = Parameter::new(&[Keyword::line("OptionPadChk", &SWITCH)],
            "Padding of options is looked at, for `DATA_HIDING`.").default("Enable").unconfirmed(),
        QUOTES = Parameter::new(&[Keyword::line("IcmpEmbedPktChk", &SWITCH)],
            "What ICMP errors quote is looked at, for `DATA_HIDING`.").default("Enable").unconfirmed(),
        EARLY = Parameter::new(&[Keyword::line("FragmentEarlyChk", &SWITCH)],
            "A datagram cut inside of its first 256 bytes is an attack, for `IP_FRAGMENT`. z/OS has no such switch.")
            .default("Disable").unconfirmed(),
        EXCLUSION = Parameter::new(
            &[
                Keyword::reference("IDSExclusionRef", &IDS_EXCLUSION),
                Keyword::block("IDSExclusion", &IDS_EXCLUSION),
            ],
            "Who is left out.",
        ).list(),
    }

    /// `IDSScanGlobalCondition`.
    ids_scan_global_condition: IDS_SCAN_GLOBAL_CONDITION = Statement::new("IDSScanGlobalCondition", "How scans are recognised.") {
        FAST_INTERVAL = Parameter::new(&[Keyword::line("FSInterval", &FAST_MINUTES)],
            "The interval of fast scans.").default("1"),
        FAST_THRESHOLD = Parameter::new(&[Keyword::line("FSThreshold", &EVENTS)],
            "Different events of one source that make a fast scan.").default("5"),
        SLOW_INTERVAL = Parameter::new(&[Keyword::line("SSInterval", &SLOW_MINUTES)],
            "The interval of slow scans; 0 looks for none.").default("120"),
        SLOW_THRESHOLD = Parameter::new(&[Keyword::line("SSThreshold", &EVENTS)],
            "Different events of one source that make a slow scan.").default("10"),
    }

    /// `IDSScanEventCondition`.
    ids_scan_event_condition: IDS_SCAN_EVENT_CONDITION = Statement::new("IDSScanEventCondition", "What counts towards a scan.") {
        PROTOCOL = Parameter::new(&[Keyword::line("Protocol", &SCAN_PROTOCOL)], "The protocol.").required(),
        LOCAL = Parameter::new(
            &[
                Keyword::line("LocalHostAddr", &LOCAL),
                Keyword::reference("LocalHostAddrRef", &IP_ADDR),
                Keyword::reference("LocalHostAddrSetRef", &IP_ADDR_SET),
                Keyword::reference("LocalHostAddrGroupRef", &IP_ADDR_GROUP),
            ],
            "Local addresses.",
        ).list().absent("all").unconfirmed(),
        PORTS = Parameter::new(
            &[
                Keyword::line("LocalPortRange", &PORTS),
                Keyword::reference("LocalPortRangeRef", &PORT_RANGE),
                Keyword::reference("LocalPortGroupRef", &PORT_GROUP),
            ],
            "Local ports; for TCP and UDP.",
        ).list().absent("all"),
        SENSITIVITY = Parameter::new(&[Keyword::line("Sensitivity", &SENSITIVITY)], "Which events count.")
            .default("Medium").unconfirmed(),
        EXCLUSION = Parameter::new(
            &[
                Keyword::reference("IDSScanExclusionRef", &IDS_SCAN_EXCLUSION),
                Keyword::block("IDSScanExclusion", &IDS_SCAN_EXCLUSION),
            ],
            "Sources that are not counted.",
        ).list(),
    }

    /// `IDSScanExclusion`.
    ids_scan_exclusion: IDS_SCAN_EXCLUSION = Statement::new("IDSScanExclusion", "Sources that are not counted.") {
        EXCLUDED = Parameter::new(&[Keyword::line("ExcludedAddrPort", &EXCLUDED)],
            "A source address, prefix or range and a source port; without a port, or with port 0, any. A port alone is for any address.")
            .list_not_empty(),
    }

    /// `IDSExclusion`.
    ids_exclusion: IDS_EXCLUSION = Statement::new("IDSExclusion", "Who is left out of an attack rule.").unconfirmed() {
        EXCLUDED = Parameter::new(&[Keyword::line("ExcludedAddrPort", &EXCLUDED)],
            "Remote addresses and port, as in `IDSScanExclusion`.").list_not_empty().unconfirmed(),
        LOCAL_PORTS = Parameter::new(&[Keyword::line("LocalPortRange", &PORTS)], "Only for these local ports.")
            .absent("all").unconfirmed(),
    }

    /// `IDSTRCondition`.
    ids_tr_condition: IDS_TR_CONDITION = Statement::new("IDSTRCondition", "What is regulated.") {
        PROTOCOL = Parameter::new(&[Keyword::line("Protocol", &TR_PROTOCOL)], "The protocol.").required(),
        LOCAL = Parameter::new(
            &[
                Keyword::line("LocalHostAddr", &LOCAL),
                Keyword::reference("LocalHostAddrRef", &IP_ADDR),
                Keyword::reference("LocalHostAddrSetRef", &IP_ADDR_SET),
                Keyword::reference("LocalHostAddrGroupRef", &IP_ADDR_GROUP),
            ],
            "Local addresses.",
        ).list().absent("all"),
        PORTS = Parameter::new(
            &[
                Keyword::line("LocalPortRange", &PORTS),
                Keyword::reference("LocalPortRangeRef", &PORT_RANGE),
                Keyword::reference("LocalPortGroupRef", &PORT_GROUP),
            ],
            "Local ports.",
        ).list().absent("all"),
        TOTAL = Parameter::new(&[Keyword::line("TRtcpTotalConnections", &CONNECTIONS)],
            "Connections that a port takes, for TCP.").default("65535").unconfirmed(),
        PERCENTAGE = Parameter::new(&[Keyword::line("TRtcpPercentage", &SHARE)],
            "How much of what is available one host may hold, for TCP.").default("100").unconfirmed(),
        SCOPE = Parameter::new(&[Keyword::line("TRtcpLimitScope", &LIMIT_SCOPE)],
            "What shares the connections, for TCP.").default("PORT_INSTANCE").unconfirmed(),
        SIZE = Parameter::new(&[Keyword::line("TRudpQueueSize", &QUEUE_SIZE)],
            "How much may wait on a port, for UDP.").default("VERY_LONG").unconfirmed(),
    }

    /// `IDSAction`.
    ids_action: IDS_ACTION = Statement::new("IDSAction", "What is done.") {
        TYPE = Parameter::new(&[Keyword::line("ActionType", &ACTION_TYPE)],
            "What the action is for, and what is done: `discard` or `nodiscard`, `resetconn` or `noresetconn`; `count`; `limit` or \
             `nolimit`. Nothing said is nothing done.").required(),
        REPORTS = Parameter::new(
            &[
                Keyword::reference("IDSReportSetRef", &IDS_REPORT_SET),
                Keyword::block("IDSReportSet", &IDS_REPORT_SET),
            ],
            "Who is told.",
        ).absent("nobody"),
        LIFETIME = Parameter::new(&[Keyword::line("DefensiveFilterLifetime", &LIFETIME)],
            "A defensive filter that lives so long is asked for against the source. Not of z/OS.")
            .absent("none is").unconfirmed(),
        SPOOFABLE = Parameter::new(&[Keyword::line("DefensiveFilterSpoofable", &YES_NO)],
            "It is asked for even if the source may be forged, so that an attacker can have others locked out. Not of z/OS.")
            .default("No").unconfirmed(),
    }

    /// `IDSReportSet`.
    ids_report_set: IDS_REPORT_SET = Statement::new("IDSReportSet", "Who is told.") {
        TYPES = Parameter::new(&[Keyword::line("TypeActions", &TYPE_ACTION)], "Who is told; one a line.").list(),
        MAX_MESSAGES = Parameter::new(&[Keyword::line("MaxEventMessage", &MESSAGES)],
            "Messages to the console about a type of attack in five minutes; 0 for any number.").default("5"),
        DETAIL = Parameter::new(&[Keyword::line("LogDetail", &YES_NO)], "The log is told of each item of an event.").default("No"),
        LEVEL = Parameter::new(&[Keyword::line("LoggingLevel", &LEVEL)], "The severity, as in syslog.").default("4"),
        STAT_TYPE = Parameter::new(&[Keyword::line("StatType", &STAT_TYPE)], "When statistics are told.").default("Normal"),
        STAT_INTERVAL = Parameter::new(&[Keyword::line("StatInterval", &MINUTES)], "The interval of statistics.").default("60"),
        TRACE_DATA = Parameter::new(&[Keyword::line("TraceData", &TRACE_DATA)], "How much is traced.").default("HEADER"),
        TRACE_SIZE = Parameter::new(&[Keyword::line("TraceRecordSize", &BYTES)], "Bytes, for `RECORDSIZE`.")
            .default("100").unconfirmed(),
    }

    /// `PortRange`.
    port_range: PORT_RANGE = Statement::new("PortRange", "Ports.").unconfirmed() {
        PORTS = Parameter::new(&[Keyword::line("Port", &PORTS)], "The ports.").list_not_empty().unconfirmed(),
    }

    /// `PortGroup`.
    port_group: PORT_GROUP = Statement::new("PortGroup", "Ranges of ports.").unconfirmed() {
        MEMBERS = Parameter::new(
            &[Keyword::block("PortRange", &PORT_RANGE), Keyword::reference("PortRangeRef", &PORT_RANGE)],
            "The ranges.",
        ).list_not_empty().unconfirmed(),
    }

    /// `IpProtocolRange`.
    ip_protocol_range: IP_PROTOCOL_RANGE = Statement::new("IpProtocolRange", "Protocols.").unconfirmed() {
        PROTOCOLS = Parameter::new(&[Keyword::line("Protocol", &PROTOCOLS)], "The protocols.").list_not_empty().unconfirmed(),
    }

    /// `IpProtocolGroup`.
    ip_protocol_group: IP_PROTOCOL_GROUP = Statement::new("IpProtocolGroup", "Ranges of protocols.").unconfirmed() {
        MEMBERS = Parameter::new(
            &[Keyword::block("IpProtocolRange", &IP_PROTOCOL_RANGE), Keyword::reference("IpProtocolRangeRef", &IP_PROTOCOL_RANGE)],
            "The ranges.",
        ).list_not_empty().unconfirmed(),
    }

    /// `IpOptionRange`.
    ip_option_range: IP_OPTION_RANGE = Statement::new("IpOptionRange", "IPv4 options.").unconfirmed() {
        OPTIONS = Parameter::new(&[Keyword::line("Option", &OPTIONS)], "The types.").list_not_empty().unconfirmed(),
    }

    /// `IpOptionGroup`.
    ip_option_group: IP_OPTION_GROUP = Statement::new("IpOptionGroup", "Ranges of IPv4 options.").unconfirmed() {
        MEMBERS = Parameter::new(
            &[Keyword::block("IpOptionRange", &IP_OPTION_RANGE), Keyword::reference("IpOptionRangeRef", &IP_OPTION_RANGE)],
            "The ranges.",
        ).list_not_empty().unconfirmed(),
    }

    /// `IPv6NextHdrRange` as a statement.
    ipv6_next_hdr_range: IPV6_NEXT_HDR_RANGE = Statement::new("Ipv6NextHdrSet", "IPv6 next headers.").unconfirmed() {
        NEXT_HEADERS = Parameter::new(&[Keyword::line("NextHdr", &NEXT_HEADERS)], "The next headers.").list_not_empty().unconfirmed(),
    }

    /// `IPv6NextHdrGroup`.
    ipv6_next_hdr_group: IPV6_NEXT_HDR_GROUP = Statement::new("IPv6NextHdrGroup", "Ranges of IPv6 next headers.").unconfirmed() {
        MEMBERS = Parameter::new(
            &[Keyword::block("Ipv6NextHdrSet", &IPV6_NEXT_HDR_RANGE), Keyword::reference("Ipv6NextHdrSetRef", &IPV6_NEXT_HDR_RANGE)],
            "The ranges.",
        ).list_not_empty().unconfirmed(),
    }

    /// `Ipv6OptionRange`.
    ipv6_option_range: IPV6_OPTION_RANGE = Statement::new("Ipv6OptionRange", "IPv6 options.").unconfirmed() {
        OPTIONS = Parameter::new(&[Keyword::line("Option", &OPTIONS6)], "The types.").list_not_empty().unconfirmed(),
    }

    /// `Ipv6OptionGroup`.
    ipv6_option_group: IPV6_OPTION_GROUP = Statement::new("Ipv6OptionGroup", "Ranges of IPv6 options.").unconfirmed() {
        MEMBERS = Parameter::new(
            &[Keyword::block("Ipv6OptionRange", &IPV6_OPTION_RANGE), Keyword::reference("Ipv6OptionRangeRef", &IPV6_OPTION_RANGE)],
            "The ranges.",
        ).list_not_empty().unconfirmed(),
    }
}

/// The discipline of intrusion detection.
pub static DISCIPLINE: Discipline = Discipline {
    name: "ids",
    title: "IDS policy",
    file: "an IDS policy file",
    text: "The statements of the files that `CommonIDSConfig` and `IDSConfig` name: what intrusion detection looks for, \
           what is done, and who is told.",
    statements: &[
        &IDS_RULE,
        &IDS_ATTACK_CONDITION,
        &IDS_SCAN_GLOBAL_CONDITION,
        &IDS_SCAN_EVENT_CONDITION,
        &IDS_TR_CONDITION,
        &IDS_SCAN_EXCLUSION,
        &IDS_EXCLUSION,
        &IDS_ACTION,
        &IDS_REPORT_SET,
        &PORT_RANGE,
        &PORT_GROUP,
        &IP_PROTOCOL_RANGE,
        &IP_PROTOCOL_GROUP,
        &IP_OPTION_RANGE,
        &IP_OPTION_GROUP,
        &IPV6_NEXT_HDR_RANGE,
        &IPV6_NEXT_HDR_GROUP,
        &IPV6_OPTION_RANGE,
        &IPV6_OPTION_GROUP,
        &IP_TIME_CONDITION,
        &IP_ADDR,
        &IP_ADDR_SET,
        &IP_ADDR_GROUP,
    ],
    codes: &[],
};
