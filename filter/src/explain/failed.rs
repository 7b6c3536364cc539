//! Conditions, and the first that a packet does not fulfil.

use core::net::IpAddr;
use core::ops::RangeInclusive;

use hostward_hook::meta::{Direction, Routing};

use crate::address::AddressSpec;
use crate::selectors::{Header, Opening, Selectors};
use crate::service::{Connect, EVERY, Orientation, RuleDirection, RuleRouting, Service, Upper};

/// A condition of a rule that a packet does not fulfil: what the rule asks for and what the packet
/// has.
///
/// In the order in which they are compared. Source and destination are the packet's: what a
/// bidirectional rule asks of them is turned round where it is compared so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failed {
    /// None of its time conditions holds: the rule does not exist now.
    Time,
    /// A group of it has no member.
    EmptyGroup,
    /// It is for traffic that moves the other way.
    Direction {
        /// What it asks for.
        rule: RuleDirection,
        /// What the packet has.
        packet: Direction,
    },
    /// It is for local traffic and this is forwarded, or the other way round.
    Routing {
        /// What it asks for.
        rule: RuleRouting,
        /// What the packet has.
        packet: Routing,
    },
    /// It is for interfaces of another security class.
    SecurityClass {
        /// What it asks for.
        rule: u8,
        /// What the packet has, 0 for none.
        packet: u8,
    },
    /// It is for fragments only, and this is none.
    FragmentsOnly,
    /// The packet opens a connection that it does not let open, or does not show what it does to
    /// one.
    Connect {
        /// What it asks for.
        rule: Connect,
        /// What the packet has.
        packet: Opening,
    },
    /// No source of it has the packet's source address; the first one stands here.
    Source {
        /// What it asks for.
        rule: AddressSpec,
        /// What the packet has.
        packet: IpAddr,
    },
    /// No destination of it has the packet's destination address; the first one stands here.
    Destination {
        /// What it asks for.
        rule: AddressSpec,
        /// What the packet has.
        packet: IpAddr,
    },
    /// It is for another protocol; `None` stands for one that cannot be told.
    Protocol {
        /// What it asks for.
        rule: Option<u8>,
        /// What the packet has.
        packet: Option<u8>,
    },
    /// It is for other source ports; the packet's is `None` when it cannot be read.
    SourcePort {
        /// What it asks for.
        rule: RangeInclusive<u16>,
        /// What the packet has.
        packet: Option<u16>,
    },
    /// It is for other destination ports.
    DestinationPort {
        /// What it asks for.
        rule: RangeInclusive<u16>,
        /// What the packet has.
        packet: Option<u16>,
    },
    /// It is for other types of ICMP, OSPF or mobility messages.
    Type {
        /// What it asks for.
        rule: RangeInclusive<u8>,
        /// What the packet has.
        packet: Option<u8>,
    },
    /// It is for other codes of ICMP.
    Code {
        /// What it asks for.
        rule: RangeInclusive<u8>,
        /// What the packet has.
        packet: Option<u8>,
    },
}

impl Failed {
    /// Its name, as JSON has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::EmptyGroup => "empty_group",
            Self::Direction { .. } => "direction",
            Self::Routing { .. } => "routing",
            Self::SecurityClass { .. } => "security_class",
            Self::FragmentsOnly => "fragments_only",
            Self::Connect { .. } => "connect",
            Self::Source { .. } => "source",
            Self::Destination { .. } => "destination",
            Self::Protocol { .. } => "protocol",
            Self::SourcePort { .. } => "source_port",
            Self::DestinationPort { .. } => "destination_port",
            Self::Type { .. } => "type",
            Self::Code { .. } => "code",
        }
    }

    /// Whether both addresses fitted: what failed is compared after them.
    #[must_use]
    pub const fn is_behind_addresses(&self) -> bool {
        self.step() > Self::ADDRESSES
    }

    /// The step of the destination.
    const ADDRESSES: u8 = 8;

    /// At which step of the comparison it fails.
    pub(super) const fn step(&self) -> u8 {
        match self {
            Self::Time => 0,
            Self::EmptyGroup => 1,
            Self::Direction { .. } => 2,
            Self::Routing { .. } => 3,
            Self::SecurityClass { .. } => 4,
            Self::FragmentsOnly => 5,
            Self::Connect { .. } => 6,
            Self::Source { .. } => 7,
            Self::Destination { .. } => Self::ADDRESSES,
            Self::Protocol { .. } => 9,
            Self::SourcePort { .. } | Self::Type { .. } => 10,
            Self::DestinationPort { .. } | Self::Code { .. } => 11,
        }
    }
}

/// Compares a packet with a service in one orientation and the ends that go with it, in the
/// packet's orientation. Positions of the source and the destination that fit, or those that were
/// looked at last, and what failed.
pub(super) fn compare(
    service: &Service,
    orientation: Orientation,
    sources: &[AddressSpec],
    destinations: &[AddressSpec],
    p: &Selectors,
) -> (usize, usize, Option<Failed>) {
    let (Some(first_source), Some(first_destination)) = (sources.first(), destinations.first())
    else {
        return (0, 0, Some(Failed::EmptyGroup));
    };
    if let Some(by) = around(service, orientation, p) {
        return (0, 0, Some(by));
    }
    let Some(source) = sources.iter().position(|a| a.contains(p.source)) else {
        let by = Failed::Source {
            rule: *first_source,
            packet: p.source,
        };
        return (0, 0, Some(by));
    };
    let fits = |a: &AddressSpec| a.contains(p.destination);
    let Some(destination) = destinations.iter().position(fits) else {
        let by = Failed::Destination {
            rule: *first_destination,
            packet: p.destination,
        };
        return (source, 0, Some(by));
    };
    (
        source,
        destination,
        upper(&service.upper, orientation, p).err(),
    )
}

/// What a service asks for apart from protocol and ports.
fn around(service: &Service, orientation: Orientation, p: &Selectors) -> Option<Failed> {
    if !service.orients(p.direction, p.routing, orientation) {
        return Some(Failed::Direction {
            rule: service.direction,
            packet: p.direction,
        });
    }
    if !service.routes(p.routing) {
        return Some(Failed::Routing {
            rule: service.routing,
            packet: p.routing,
        });
    }
    if service.security_class != 0 && service.security_class != p.security_class {
        return Some(Failed::SecurityClass {
            rule: service.security_class,
            packet: p.security_class,
        });
    }
    if service.fragments_only && !p.fragment {
        return Some(Failed::FragmentsOnly);
    }
    (!service.lets_open(p.direction, p.opening)).then_some(Failed::Connect {
        rule: service.connect,
        packet: p.opening,
    })
}

/// Protocol, then ports or type and code.
fn upper(upper: &Upper, orientation: Orientation, p: &Selectors) -> Result<(), Failed> {
    let asked = upper.protocol();
    let fits = match upper {
        Upper::Any => true,
        Upper::Opaque => p.protocol.is_none(),
        Upper::Protocol(_) | Upper::Ports { .. } | Upper::Icmp { .. } | Upper::Type { .. } => {
            p.protocol == asked
        }
    };
    if !fits {
        return Err(Failed::Protocol {
            rule: asked,
            packet: p.protocol,
        });
    }
    match upper {
        Upper::Any | Upper::Opaque | Upper::Protocol(_) => Ok(()),
        Upper::Ports {
            source,
            destination,
            ..
        } => {
            let (source, destination) = match orientation {
                Orientation::AsWritten => (source, destination),
                Orientation::Swapped => (destination, source),
            };
            let (x, y) = match p.header {
                Header::Ports(x, y) => (Some(x), Some(y)),
                Header::Unknown | Header::Icmp(..) | Header::Type(_) => (None, None),
            };
            if lacks(source, &EVERY, x) {
                return Err(Failed::SourcePort {
                    rule: source.clone(),
                    packet: x,
                });
            }
            if lacks(destination, &EVERY, y) {
                return Err(Failed::DestinationPort {
                    rule: destination.clone(),
                    packet: y,
                });
            }
            Ok(())
        }
        Upper::Icmp { types, codes, .. } => {
            let (x, y) = match p.header {
                Header::Icmp(x, y) => (Some(x), Some(y)),
                Header::Unknown | Header::Ports(..) | Header::Type(_) => (None, None),
            };
            kind(types, x)?;
            if lacks(codes, &EVERY_BYTE, y) {
                return Err(Failed::Code {
                    rule: codes.clone(),
                    packet: y,
                });
            }
            Ok(())
        }
        Upper::Type { types, .. } => {
            let x = match p.header {
                Header::Type(x) => Some(x),
                Header::Unknown | Header::Ports(..) | Header::Icmp(..) => None,
            };
            kind(types, x)
        }
    }
}

fn kind(types: &RangeInclusive<u8>, packet: Option<u8>) -> Result<(), Failed> {
    if lacks(types, &EVERY_BYTE, packet) {
        return Err(Failed::Type {
            rule: types.clone(),
            packet,
        });
    }
    Ok(())
}

const EVERY_BYTE: RangeInclusive<u8> = 0..=u8::MAX;

/// Whether a value is not in a range; one that cannot be read is in the range of all only.
fn lacks<T: PartialOrd>(
    range: &RangeInclusive<T>,
    all: &RangeInclusive<T>,
    value: Option<T>,
) -> bool {
    value.map_or(range != all, |v| !range.contains(&v))
}
