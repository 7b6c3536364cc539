//! The simple filters a rule stands for: one source, one destination, one service, one
//! orientation.
//!
//! A rule with sets and groups is a conjunction of alternatives. Displays and compiled classifiers
//! want it taken apart; [`Rule::simple_filters`](crate::Rule::simple_filters) does that lazily and
//! in a fixed order, so that the number of each, its *extension*, is a stable name.

use core::ops::RangeInclusive;

use hostward_hook::meta::{Direction, Routing};

use crate::address::AddressSpec;
use crate::rule::Rule;
use crate::selectors::{Opening, Selectors};
use crate::service::{Orientation, Service, Upper};

/// Everything about a packet that is not an address, a protocol, a number of its header or a
/// security class: direction, routing, fragment or not, and what it does to a TCP connection.
///
/// One of [`Context::COUNT`], so that a set of them is a mask in a `u32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Context(u8);

impl Context {
    /// How many there are.
    pub const COUNT: u8 = 24;

    /// The context of a packet.
    #[must_use]
    pub const fn of(p: &Selectors) -> Self {
        Self::from_parts(p.direction, p.routing, p.fragment, p.opening)
    }

    /// The context with these parts.
    #[inline]
    #[must_use]
    pub const fn from_parts(
        direction: Direction,
        routing: Routing,
        fragment: bool,
        opening: Opening,
    ) -> Self {
        let direction = match direction {
            Direction::Inbound => 0,
            Direction::Outbound => 1,
        };
        let routing = match routing {
            Routing::Local => 0,
            Routing::Routed => 2,
        };
        let opening = match opening {
            Opening::Unknown => 0,
            Opening::Opens => 8,
            Opening::Continues => 16,
        };
        let fragment = if fragment { 4 } else { 0 };
        Self(direction | routing | fragment | opening)
    }

    /// Its number, less than [`COUNT`](Self::COUNT).
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0
    }

    /// All contexts.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Direction.
    #[must_use]
    pub const fn direction(self) -> Direction {
        if self.0 & 1 == 0 {
            Direction::Inbound
        } else {
            Direction::Outbound
        }
    }

    /// Local or forwarded.
    #[must_use]
    pub const fn routing(self) -> Routing {
        if self.0 & 2 == 0 {
            Routing::Local
        } else {
            Routing::Routed
        }
    }

    /// Fragment or not.
    #[must_use]
    pub const fn fragment(self) -> bool {
        self.0 & 4 != 0
    }

    /// What the packet does to a TCP connection.
    #[must_use]
    pub const fn opening(self) -> Opening {
        match self.0 >> 3 {
            0 => Opening::Unknown,
            1 => Opening::Opens,
            _ => Opening::Continues,
        }
    }
}

/// One simple filter of a rule, everything in the packet's own orientation.
#[derive(Clone, Copy, Debug)]
pub struct SimpleFilter<'a> {
    /// Number within the rule, from 1 (`FilterNameExtension`).
    pub(crate) extension: u32,
    pub(crate) source: AddressSpec,
    pub(crate) destination: AddressSpec,
    pub(crate) service: &'a Service,
    pub(crate) orientation: Orientation,
}

impl<'a> SimpleFilter<'a> {
    /// Number within the rule, from 1 (`FilterNameExtension`).
    #[must_use]
    pub const fn extension(&self) -> u32 {
        self.extension
    }

    /// Source of matching packets.
    #[must_use]
    pub const fn source(&self) -> AddressSpec {
        self.source
    }

    /// Destination of matching packets.
    #[must_use]
    pub const fn destination(&self) -> AddressSpec {
        self.destination
    }

    /// The service it comes from.
    #[must_use]
    pub const fn service(&self) -> &'a Service {
        self.service
    }

    /// How the rule's ends stand to a packet's.
    #[must_use]
    pub const fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// The protocol matching packets must have: any ([`Upper::Any`]), one that cannot be told
    /// ([`Upper::Opaque`]), or a number.
    #[must_use]
    pub const fn upper(&self) -> &'a Upper {
        &self.service.upper
    }

    /// What the two numbers of [`Header::values`](crate::Header::values) must lie in. Both over
    /// all of `u16` ask nothing and match a header that cannot be read; anything else does not.
    #[must_use]
    pub fn ranges(&self) -> (RangeInclusive<u16>, RangeInclusive<u16>) {
        let (a, b) = self.service.upper.ranges();
        match (self.orientation, &self.service.upper) {
            (Orientation::Swapped, Upper::Ports { .. }) => (b, a),
            _ => (a, b),
        }
    }

    /// The contexts it matches in, bit [`Context::index`] for each.
    #[must_use]
    pub fn contexts(&self) -> u32 {
        Context::all()
            .filter(|c| {
                let s = self.service;
                s.routes(c.routing())
                    && (!s.fragments_only || c.fragment())
                    && s.lets_open(c.direction(), c.opening())
                    && s.orients(c.direction(), c.routing(), self.orientation)
            })
            .fold(0, |mask, c| mask | 1 << c.index())
    }

    /// Security class of the interface; 0 stands for any.
    #[must_use]
    pub const fn security_class(&self) -> u8 {
        self.service.security_class
    }

    /// Whether a packet matches: exactly when the rule does through this one of its filters.
    #[must_use]
    pub fn matches(&self, p: &Selectors) -> bool {
        self.source.contains(p.source)
            && self.destination.contains(p.destination)
            && self.service.matches(p, self.orientation)
    }
}

impl Rule {
    /// Its simple filters in order: by source, then destination, then service, then orientation.
    ///
    /// A service that looks one way only gives one, a bidirectional one two.
    pub fn simple_filters(&self) -> impl Iterator<Item = SimpleFilter<'_>> {
        let mut extension = 0_u32;
        self.source
            .iter()
            .flat_map(move |source| {
                self.destination.iter().flat_map(move |destination| {
                    self.services.iter().flat_map(move |service| {
                        service
                            .orientations()
                            .iter()
                            .map(move |orientation| (source, destination, service, *orientation))
                    })
                })
            })
            .map(move |(source, destination, service, orientation)| {
                extension = extension.saturating_add(1);
                let (source, destination) = match orientation {
                    Orientation::AsWritten => (*source, *destination),
                    Orientation::Swapped => (*destination, *source),
                };
                SimpleFilter {
                    extension,
                    source,
                    destination,
                    service,
                    orientation,
                }
            })
    }

    /// How many simple filters it stands for, without making them; saturates.
    #[must_use]
    pub fn expansion(&self) -> usize {
        let services = self
            .services
            .iter()
            .map(|s| s.orientations().len())
            .fold(0_usize, usize::saturating_add);
        let sources = self.source.as_slice().len();
        let destinations = self.destination.as_slice().len();
        sources
            .saturating_mul(destinations)
            .saturating_mul(services)
    }
}
