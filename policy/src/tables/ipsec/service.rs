//! Kinds of traffic.

use crate::schema::{Keyword, Parameter, Value};

use super::YES_NO;

crate::choices! {
    /// Protocols with a name; the number of each is its code.
    pub enum Protocol: PROTOCOL_NAMES {
        /// ICMP.
        Icmp(1) = "Icmp" | "1",
        /// IGMP.
        Igmp(2) = "Igmp" | "2",
        /// IPv4 in IP.
        Ip(4) = "Ip" | "4",
        /// TCP.
        Tcp(6) = "Tcp" | "6",
        /// UDP.
        Udp(17) = "Udp" | "17",
        /// ESP.
        Esp(50) = "Esp" | "50",
        /// AH.
        Ah(51) = "Ah" | "51",
        /// ICMPv6.
        Icmpv6(58) = "Icmpv6" | "58",
        /// OSPF.
        Ospf(89) = "Ospf" | "89",
        /// IP in IP.
        Ipip(94) = "Ipip" | "94",
        /// The mobility header of IPv6.
        Mipv6(135) = "MIPv6" | "135",
        /// Every protocol.
        All(256) = "All",
        /// A protocol that cannot be seen, in an IPv6 fragment.
        Opaque(257) = "Opaque",
    }
}

/// A protocol by name or number.
pub static PROTOCOL: Value = Value::OneOf(&[
    PROTOCOL_NAMES,
    Value::Number {
        min: 0,
        max: 255,
        unit: "",
    },
]);

/// A port or ports.
pub static PORTS: Value = Value::Range {
    min: 0,
    max: 65535,
    unit: "port",
};

crate::choices! {
    /// Any number.
    pub enum Any: ANY {
        /// Any number.
        Any = "Any",
    }
}

/// A type or code.
pub static TYPES: Value = Value::OneOf(&[
    ANY,
    Value::Range {
        min: 0,
        max: 255,
        unit: "number",
    },
]);

crate::choices! {
    /// Which side may open a TCP connection.
    pub enum Connect: CONNECT {
        /// Only the remote side: outbound SYN segments without ACK do not match.
        InboundConnect = "InboundConnect",
        /// Only the local side: inbound SYN segments without ACK do not match.
        OutboundConnect = "OutboundConnect",
    }
}

crate::choices! {
    /// Which way packets move.
    pub enum Direction: DIRECTION {
        /// Outbound as written, inbound with the two ends swapped.
        Bidirectional = "Bidirectional" => &Value::Optional(&CONNECT),
        /// Inbound, as written.
        Inbound = "Inbound" => &Value::Optional(&CONNECT),
        /// Outbound, as written.
        Outbound = "Outbound" => &Value::Optional(&CONNECT),
    }
}

crate::choices! {
    /// Whose traffic.
    pub enum Routing: ROUTING {
        /// To or from this host.
        Local = "Local",
        /// Forwarded by this host.
        Routed = "Routed",
        /// Both.
        Either = "Either",
    }
}

static SECURITY_CLASS: Value = Value::Number {
    min: 0,
    max: 255,
    unit: "",
};

crate::statements! {
    /// `IpService`.
    ip_service: IP_SERVICE = Statement::new("IpService", "A kind of traffic.").text(
        "With `Routing` `Routed` or `Either` ports, types and codes must not be narrowed: fragments that are \
         forwarded do not show them.",
    ) {
        PROTOCOL = Parameter::new(&[Keyword::line("Protocol", &PROTOCOL)],
            "The protocol, by name or number.").default("All"),
        SOURCE_PORT_RANGE = Parameter::new(&[Keyword::line("SourcePortRange", &PORTS)],
            "Source ports, 0 for all; only for TCP and UDP.").default("0"),
        DESTINATION_PORT_RANGE = Parameter::new(&[Keyword::line("DestinationPortRange", &PORTS)],
            "Destination ports, 0 for all; only for TCP and UDP.").default("0"),
        TYPE = Parameter::new(&[Keyword::line("Type", &TYPES)],
            "Types of ICMP or ICMPv6, OSPF packet types, or types of the mobility header, by the protocol.")
            .default("Any").unconfirmed(),
        CODE = Parameter::new(&[Keyword::line("Code", &TYPES)],
            "Codes of ICMP or ICMPv6; they ask for one type.").default("Any").unconfirmed(),
        DIRECTION = Parameter::new(&[Keyword::line("Direction", &DIRECTION)],
            "Which way packets move and, for TCP, which side may open the connection.").default("Bidirectional"),
        ROUTING = Parameter::new(&[Keyword::line("Routing", &ROUTING)],
            "Traffic of this host or traffic that it forwards.").default("Local"),
        FRAGMENTS_ONLY = Parameter::new(&[Keyword::line("FragmentsOnly", &YES_NO)],
            "Whether only fragments match.").default("No").unconfirmed(),
        SECURITY_CLASS = Parameter::new(&[Keyword::line("SecurityClass", &SECURITY_CLASS)],
            "The security class of the interface, 0 for every one.").default("0"),
    }

    /// `IpServiceGroup`.
    ip_service_group: IP_SERVICE_GROUP = Statement::new("IpServiceGroup", "Kinds of traffic.") {
        MEMBERS = Parameter::new(
            &[Keyword::block("IpService", &IP_SERVICE), Keyword::reference("IpServiceRef", &IP_SERVICE)],
            "The members, in order.",
        ).list_not_empty(),
    }
}
