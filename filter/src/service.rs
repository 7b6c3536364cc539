//! Which traffic between its addresses a rule is for (`IpService`).

use core::ops::RangeInclusive;

use hostward_hook::layout::proto;
use hostward_hook::meta::{Direction, Routing};

use crate::selectors::{Header, Opening, Selectors};

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
///
/// A range over every value asks nothing, so a header that cannot be read matches it too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Upper {
    /// Every protocol.
    #[default]
    Any,
    /// Packets whose protocol cannot be told (`Opaque`): IPv6 fragments that do not show it.
    Opaque,
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
    /// OSPF or mobility header with its type.
    Type {
        /// The protocol, 89 or 135.
        protocol: u8,
        /// Types.
        types: RangeInclusive<u8>,
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

    /// The protocol, if it is about one.
    #[must_use]
    pub const fn protocol(&self) -> Option<u8> {
        match self {
            Self::Any | Self::Opaque => None,
            Self::Protocol(protocol)
            | Self::Ports { protocol, .. }
            | Self::Icmp { protocol, .. }
            | Self::Type { protocol, .. } => Some(*protocol),
        }
    }

    /// Whether its ranges and codes make sense.
    ///
    /// # Errors
    /// [`ServiceError::EmptyRange`], [`ServiceError::CodeWithoutType`].
    pub fn check(&self) -> Result<(), ServiceError> {
        let (a, b) = self.ranges();
        if a.is_empty() || b.is_empty() {
            return Err(ServiceError::EmptyRange);
        }
        if let Self::Icmp { types, codes, .. } = self
            && *codes != (0..=u8::MAX)
            && types.start() != types.end()
        {
            return Err(ServiceError::CodeWithoutType);
        }
        Ok(())
    }

    /// Whether a later fragment of matching traffic would match too: nothing is asked that only
    /// the first fragment shows.
    #[must_use]
    pub fn fits_fragments(&self) -> bool {
        let (a, b) = self.ranges();
        a == EVERY && b == EVERY
    }

    /// What is asked of the two numbers of [`Header::values`].
    pub(crate) fn ranges(&self) -> (RangeInclusive<u16>, RangeInclusive<u16>) {
        match self {
            Self::Any | Self::Opaque | Self::Protocol(_) => (EVERY, EVERY),
            Self::Ports {
                source,
                destination,
                ..
            } => (source.clone(), destination.clone()),
            Self::Icmp { types, codes, .. } => (widen(types), widen(codes)),
            Self::Type { types, .. } => (widen(types), EVERY),
        }
    }

    fn matches(&self, p: &Selectors, orientation: Orientation) -> bool {
        let protocol = match self {
            Self::Any => return true,
            Self::Opaque => return p.protocol.is_none(),
            Self::Protocol(protocol)
            | Self::Ports { protocol, .. }
            | Self::Icmp { protocol, .. }
            | Self::Type { protocol, .. } => *protocol,
        };
        if p.protocol != Some(protocol) {
            return false;
        }
        match (self, p.header) {
            (
                Self::Ports {
                    source,
                    destination,
                    ..
                },
                Header::Ports(x, y),
            ) => {
                let (x, y) = match orientation {
                    Orientation::AsWritten => (x, y),
                    Orientation::Swapped => (y, x),
                };
                source.contains(&x) && destination.contains(&y)
            }
            (Self::Icmp { types, codes, .. }, Header::Icmp(x, y)) => {
                types.contains(&x) && codes.contains(&y)
            }
            (Self::Type { types, .. }, Header::Type(x)) => types.contains(&x),
            (Self::Any | Self::Opaque | Self::Protocol(_), _) => true,
            (Self::Ports { .. } | Self::Icmp { .. } | Self::Type { .. }, _) => {
                self.fits_fragments()
            }
        }
    }
}

/// The range that asks nothing.
pub(crate) const EVERY: RangeInclusive<u16> = 0..=u16::MAX;

/// A range of one-byte values; all of them ask nothing.
fn widen(r: &RangeInclusive<u8>) -> RangeInclusive<u16> {
    if *r == (0..=u8::MAX) {
        EVERY
    } else {
        u16::from(*r.start())..=u16::from(*r.end())
    }
}

/// Which traffic between its addresses a rule is for.
///
/// A new service is all local traffic in both directions; each field narrows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Service {
    /// Upper-layer selectors.
    pub upper: Upper,
    /// Direction.
    pub direction: RuleDirection,
    /// Local or forwarded traffic.
    pub routing: RuleRouting,
    /// Who may open a TCP connection. Only TCP segments whose flags can be read match anything
    /// but [`Connect::Any`].
    pub connect: Connect,
    /// Security class of the interface; 0 stands for any.
    pub security_class: u8,
    /// Matches only fragments, the first as well as later ones.
    pub fragments_only: bool,
}

/// What of a service does not go together, as administrators are told. A rule set takes such a
/// service, too, and it matches what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// A range runs backwards.
    #[error("a range of ports, types or codes ends before it begins")]
    EmptyRange,
    /// A code without one type.
    #[error("a code needs one type")]
    CodeWithoutType,
    /// Who may open connections, and the protocol is not TCP.
    #[error("only TCP connections are opened")]
    ConnectNotTcp,
    /// Selectors that forwarded fragments do not show.
    #[error(
        "a filter for forwarded traffic must not ask for ports, types or codes: fragments do not show them"
    )]
    RoutedSelectors,
}

/// How a rule's two ends stand to a packet's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a packet has two ends")]
pub enum Orientation {
    /// The rule's source is the packet's.
    AsWritten,
    /// The rule's source is the packet's destination.
    Swapped,
}

impl Service {
    /// Upper-layer selectors and nothing else.
    #[must_use]
    pub fn new(upper: Upper) -> Self {
        Self {
            upper,
            ..Self::default()
        }
    }

    /// The same service for one direction.
    #[must_use]
    pub const fn direction(mut self, direction: RuleDirection) -> Self {
        self.direction = direction;
        self
    }

    /// The same service for other routing.
    #[must_use]
    pub const fn routing(mut self, routing: RuleRouting) -> Self {
        self.routing = routing;
        self
    }

    /// The same service with a say in who opens connections.
    #[must_use]
    pub const fn connect(mut self, connect: Connect) -> Self {
        self.connect = connect;
        self
    }

    /// The same service for interfaces of one security class.
    #[must_use]
    pub const fn security_class(mut self, class: u8) -> Self {
        self.security_class = class;
        self
    }

    /// The same service for fragments only.
    #[must_use]
    pub const fn fragments_only(mut self) -> Self {
        self.fragments_only = true;
        self
    }

    /// Whether its parts go together.
    ///
    /// # Errors
    /// The first [`ServiceError`] there is.
    pub fn check(&self) -> Result<(), ServiceError> {
        self.upper.check()?;
        if self.connect != Connect::Any && self.upper.protocol() != Some(proto::TCP) {
            return Err(ServiceError::ConnectNotTcp);
        }
        if self.routing != RuleRouting::Local && !self.upper.fits_fragments() {
            return Err(ServiceError::RoutedSelectors);
        }
        Ok(())
    }

    /// Whether a packet is of this service when the rule's ends stand to it like that.
    #[must_use]
    pub fn matches(&self, p: &Selectors, orientation: Orientation) -> bool {
        self.routes(p.routing)
            && self.orients(p.direction, p.routing, orientation)
            && (self.security_class == 0 || self.security_class == p.security_class)
            && (!self.fragments_only || p.fragment)
            && self.lets_open(p.direction, p.opening)
            && self.upper.matches(p, orientation)
    }

    pub(crate) const fn routes(&self, routing: Routing) -> bool {
        match self.routing {
            RuleRouting::Local => matches!(routing, Routing::Local),
            RuleRouting::Routed => matches!(routing, Routing::Routed),
            RuleRouting::Either => true,
        }
    }

    /// The orientations its simple filters have, in their order.
    pub(crate) const fn orientations(&self) -> &'static [Orientation] {
        match self.direction {
            RuleDirection::Bidirectional => &[Orientation::AsWritten, Orientation::Swapped],
            RuleDirection::Inbound | RuleDirection::Outbound => &[Orientation::AsWritten],
        }
    }

    pub(crate) const fn lets_open(&self, direction: Direction, opening: Opening) -> bool {
        match (self.connect, opening, direction) {
            (Connect::Any, _, _) => true,
            (_, Opening::Unknown, _)
            | (Connect::Inbound, Opening::Opens, Direction::Outbound)
            | (Connect::Outbound, Opening::Opens, Direction::Inbound) => false,
            (Connect::Inbound | Connect::Outbound, Opening::Opens | Opening::Continues, _) => true,
        }
    }

    /// Whether a packet of this direction is compared in this orientation.
    pub(crate) const fn orients(
        &self,
        direction: Direction,
        routing: Routing,
        orientation: Orientation,
    ) -> bool {
        match (self.direction, orientation, direction) {
            (RuleDirection::Inbound, Orientation::AsWritten, Direction::Inbound)
            | (RuleDirection::Outbound, Orientation::AsWritten, Direction::Outbound)
            | (RuleDirection::Bidirectional, Orientation::AsWritten, Direction::Outbound)
            | (RuleDirection::Bidirectional, Orientation::Swapped, Direction::Inbound) => true,
            // Forwarded traffic has no local side: both orientations are meant.
            (RuleDirection::Bidirectional, _, _) => matches!(routing, Routing::Routed),
            (RuleDirection::Inbound | RuleDirection::Outbound, _, _) => false,
        }
    }
}
