//! A filter rule and what it asks of a packet (`IpFilterRule`, `IpService`,
//! `IpGenericFilterAction`).

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use hostward_hook::ident::TunnelId;
use hostward_hook::layout::{Fragment, Layout, proto, tcp_flags};
use hostward_hook::meta::{Direction, Meta, Routing};

use crate::address::AddressSpec;

/// What happens to a packet that matches (`IpFilterAction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Let it pass.
    Permit,
    /// Discard it.
    Deny,
    /// It must go, or must have come, through this tunnel.
    Ipsec(TunnelId),
}

/// Which outcomes of a rule are told (`IpFilterLogging`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Logging {
    /// None.
    #[default]
    No,
    /// Both.
    Yes,
    /// Packets that pass.
    Permit,
    /// Packets that are discarded.
    Deny,
}

/// What the sender of a denied packet learns (`DiscardAction`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Discard {
    /// Nothing.
    #[default]
    Silent,
    /// ICMP: administratively prohibited.
    Icmp,
}

/// Which way packets of a rule move (`Direction`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RuleDirection {
    /// Outbound as written; inbound with source and destination swapped.
    #[default]
    Bidirectional,
    /// Inbound only; the rule's source is the packet's source.
    Inbound,
    /// Outbound only.
    Outbound,
}

/// Which traffic a rule is for (`Routing`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RuleRouting {
    /// To or from this host.
    #[default]
    Local,
    /// Forwarded.
    Routed,
    /// Both.
    Either,
}

/// Who may open a TCP connection (`InboundConnect`, `OutboundConnect`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Connect {
    /// Either side.
    #[default]
    Any,
    /// Only the remote side: an outbound SYN without ACK does not match.
    Inbound,
    /// Only this host: an inbound SYN without ACK does not match.
    Outbound,
}

/// The upper layer a rule is about (`Protocol` and what goes with it).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Upper {
    /// Every protocol.
    #[default]
    Any,
    /// One protocol, nothing asked of its header.
    Protocol(u8),
    /// A protocol with ports (TCP, UDP, SCTP, DCCP, UDP-Lite) and the ports.
    Ports {
        /// The protocol.
        protocol: u8,
        /// Source ports.
        source: RangeInclusive<u16>,
        /// Destination ports.
        destination: RangeInclusive<u16>,
    },
    /// ICMP or ICMPv6 with type and code.
    Icmp {
        /// The protocol, 1 or 58.
        protocol: u8,
        /// Types.
        types: RangeInclusive<u8>,
        /// Codes.
        codes: RangeInclusive<u8>,
    },
}

impl Upper {
    /// TCP to these destination ports, from any source port.
    #[must_use]
    pub const fn tcp(destination: RangeInclusive<u16>) -> Self {
        Self::Ports {
            protocol: proto::TCP,
            source: 0..=u16::MAX,
            destination,
        }
    }

    /// UDP to these destination ports, from any source port.
    #[must_use]
    pub const fn udp(destination: RangeInclusive<u16>) -> Self {
        Self::Ports {
            protocol: proto::UDP,
            source: 0..=u16::MAX,
            destination,
        }
    }

    /// A header that cannot be read (later fragment, cut off, malformed) matches only a rule that
    /// asks nothing of it.
    fn matches(&self, l: &Layout, swapped: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Protocol(p) => known_protocol(l) == Some(*p),
            Self::Ports {
                protocol,
                source,
                destination,
            } => {
                known_protocol(l) == Some(*protocol)
                    && match l.ports() {
                        Some((s, d)) => {
                            let (s, d) = if swapped { (d, s) } else { (s, d) };
                            source.contains(&s) && destination.contains(&d)
                        }
                        None => *source == (0..=u16::MAX) && *destination == (0..=u16::MAX),
                    }
            }
            Self::Icmp {
                protocol,
                types,
                codes,
            } => {
                known_protocol(l) == Some(*protocol)
                    && match l.icmp() {
                        Some((t, c)) => types.contains(&t) && codes.contains(&c),
                        None => *types == (0..=u8::MAX) && *codes == (0..=u8::MAX),
                    }
            }
        }
    }
}

/// The upper-layer protocol where it is certain: behind an IPv6 fragment header of a later
/// fragment only the next header is known, which may be another extension header.
fn known_protocol(l: &Layout) -> Option<u8> {
    let p = l.protocol();
    let extension = matches!(
        p,
        proto::HOP_BY_HOP | proto::ROUTING | proto::FRAGMENT | proto::AH | proto::DESTINATION
    );
    if extension && l.fragment() == Fragment::Later {
        None
    } else {
        Some(p)
    }
}

/// One rule.
///
/// A new rule matches everything local in both directions; each field narrows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// The name under which it is logged.
    pub name: String,
    /// Source; for a bidirectional rule the local side.
    pub source: AddressSpec,
    /// Destination; for a bidirectional rule the remote side.
    pub destination: AddressSpec,
    /// Upper-layer selectors.
    pub upper: Upper,
    /// Direction.
    pub direction: RuleDirection,
    /// Local or forwarded traffic.
    pub routing: RuleRouting,
    /// Who may open a TCP connection.
    pub connect: Connect,
    /// Security class of the interface; 0 stands for any.
    pub security_class: u8,
    /// Matches only fragments, the first as well as later ones.
    pub fragments_only: bool,
    /// What happens on a match.
    pub action: Action,
    /// What is told of a match.
    pub logging: Logging,
    /// What the sender of a denied packet learns.
    pub discard: Discard,
}

impl Rule {
    /// A rule for all local traffic.
    #[must_use]
    pub fn new(name: impl Into<String>, action: Action) -> Self {
        Self {
            name: name.into(),
            source: AddressSpec::Any,
            destination: AddressSpec::Any,
            upper: Upper::Any,
            direction: RuleDirection::Bidirectional,
            routing: RuleRouting::Local,
            connect: Connect::Any,
            security_class: 0,
            fragments_only: false,
            action,
            logging: Logging::No,
            discard: Discard::Silent,
        }
    }

    /// The same rule for one source.
    #[must_use]
    pub fn source(mut self, source: AddressSpec) -> Self {
        self.source = source;
        self
    }

    /// The same rule for one destination.
    #[must_use]
    pub fn destination(mut self, destination: AddressSpec) -> Self {
        self.destination = destination;
        self
    }

    /// The same rule for one kind of traffic.
    #[must_use]
    pub fn upper(mut self, upper: Upper) -> Self {
        self.upper = upper;
        self
    }

    /// The same rule for one direction.
    #[must_use]
    pub fn direction(mut self, direction: RuleDirection) -> Self {
        self.direction = direction;
        self
    }

    /// The same rule for other routing.
    #[must_use]
    pub fn routing(mut self, routing: RuleRouting) -> Self {
        self.routing = routing;
        self
    }

    /// The same rule with a say in who opens connections.
    #[must_use]
    pub fn connect(mut self, connect: Connect) -> Self {
        self.connect = connect;
        self
    }

    /// The same rule for interfaces of one security class.
    #[must_use]
    pub fn security_class(mut self, class: u8) -> Self {
        self.security_class = class;
        self
    }

    /// The same rule for fragments only.
    #[must_use]
    pub fn fragments_only(mut self) -> Self {
        self.fragments_only = true;
        self
    }

    /// The same rule with other logging.
    #[must_use]
    pub fn logging(mut self, logging: Logging) -> Self {
        self.logging = logging;
        self
    }

    /// The same rule with an answer to the sender of denied packets.
    #[must_use]
    pub fn discard(mut self, discard: Discard) -> Self {
        self.discard = discard;
        self
    }

    /// Whether a packet matches: the executable specification that faster classifiers must equal.
    #[must_use]
    pub fn matches(&self, p: &Selectors<'_>) -> bool {
        let l = p.layout;
        let routing = match self.routing {
            RuleRouting::Local => p.meta.routing == Routing::Local,
            RuleRouting::Routed => p.meta.routing == Routing::Routed,
            RuleRouting::Either => true,
        };
        if !routing
            || (self.security_class != 0 && self.security_class != p.meta.security_class)
            || (self.fragments_only && l.fragment() == Fragment::Whole)
        {
            return false;
        }
        if self.connect != Connect::Any && !self.may_open(p) {
            return false;
        }
        let as_written = || {
            self.source.contains(p.source)
                && self.destination.contains(p.destination)
                && self.upper.matches(l, false)
        };
        let swapped = || {
            self.source.contains(p.destination)
                && self.destination.contains(p.source)
                && self.upper.matches(l, true)
        };
        match (self.direction, p.meta.direction()) {
            (RuleDirection::Inbound, Direction::Inbound)
            | (RuleDirection::Outbound, Direction::Outbound) => as_written(),
            (RuleDirection::Inbound, Direction::Outbound)
            | (RuleDirection::Outbound, Direction::Inbound) => false,
            // Forwarded traffic has no local side: both orientations are meant.
            (RuleDirection::Bidirectional, _) if p.meta.routing == Routing::Routed => {
                as_written() || swapped()
            }
            (RuleDirection::Bidirectional, Direction::Outbound) => as_written(),
            (RuleDirection::Bidirectional, Direction::Inbound) => swapped(),
        }
    }

    fn may_open(&self, p: &Selectors<'_>) -> bool {
        let Some(flags) = p.layout.tcp_flags() else {
            return false;
        };
        let opens = flags & (tcp_flags::SYN | tcp_flags::ACK) == tcp_flags::SYN;
        match (self.connect, p.meta.direction()) {
            (Connect::Inbound, Direction::Outbound) | (Connect::Outbound, Direction::Inbound) => {
                !opens
            }
            (Connect::Any | Connect::Inbound | Connect::Outbound, _) => true,
        }
    }
}

/// What of a packet rules look at.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers build it to ask about a packet"
)]
pub struct Selectors<'a> {
    /// Source address.
    pub source: core::net::IpAddr,
    /// Destination address.
    pub destination: core::net::IpAddr,
    /// Headers.
    pub layout: &'a Layout,
    /// What the host knows.
    pub meta: &'a Meta,
}

/// A set of rules in the order in which they are tried, immutable once built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    rules: Vec<Rule>,
    generation: u64,
    log_implicit: bool,
    implicit: Discard,
}

impl RuleSet {
    /// The rules of a policy, first to last. `generation` tells this set from the ones before and
    /// after it.
    #[must_use]
    pub const fn new(rules: Vec<Rule>, generation: u64) -> Self {
        Self {
            rules,
            generation,
            log_implicit: false,
            implicit: Discard::Silent,
        }
    }

    /// The same set, telling of packets that no rule matched (`IpFilterLogImplicit`) and
    /// answering their senders.
    #[must_use]
    pub const fn implicit(mut self, log: bool, discard: Discard) -> Self {
        self.log_implicit = log;
        self.implicit = discard;
        self
    }

    /// The rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Which set it is.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether packets that no rule matched are told of.
    #[must_use]
    pub const fn logs_implicit(&self) -> bool {
        self.log_implicit
    }

    /// What the sender of a packet that no rule matched learns.
    #[must_use]
    pub const fn implicit_discard(&self) -> Discard {
        self.implicit
    }

    /// The first rule that matches and its position; `None` is the implied deny. O(rules).
    #[must_use]
    pub fn first_match(&self, p: &Selectors<'_>) -> Option<(usize, &Rule)> {
        self.rules.iter().enumerate().find(|(_, r)| r.matches(p))
    }
}
