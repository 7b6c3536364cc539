//! What a packet shows the classifier, and what a rule asks of it, as plain numbers.

use core::fmt::Debug;

use super::map::{AddressMap, Map4, Map6};

/// An address as a number: `u32` for IPv4, `u128` for IPv6.
///
/// The classifier is written once over this trait; it cannot be implemented outside.
pub trait Address: Copy + Ord + Debug + Default + Send + Sync + sealed::Sealed + 'static {
    /// The lowest address.
    const MIN: Self;
    /// The highest address.
    const MAX: Self;
    #[doc(hidden)]
    type Map: AddressMap<Self>;
    /// How many words of 32 bits it has.
    #[doc(hidden)]
    const WORDS: usize;
    /// The words, the highest first, then zeros.
    #[doc(hidden)]
    fn words(self) -> [u32; 4];
    #[doc(hidden)]
    fn following(self) -> Option<Self>;
}

impl Address for u32 {
    const MIN: Self = 0;
    const MAX: Self = Self::MAX;
    type Map = Map4;
    const WORDS: usize = 1;
    #[inline]
    fn words(self) -> [u32; 4] {
        [self, 0, 0, 0]
    }
    fn following(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Address for u128 {
    const MIN: Self = 0;
    const MAX: Self = Self::MAX;
    type Map = Map6;
    const WORDS: usize = 4;
    #[inline]
    fn words(self) -> [u32; 4] {
        [96, 64, 32, 0].map(|shift| (self >> shift) as u32)
    }
    fn following(self) -> Option<Self> {
        self.checked_add(1)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for u128 {}
}

/// What of a packet the classifier looks at.
///
/// `a` and `b` are the source and destination port, or the ICMP type and code, or whatever two
/// numbers the user of the classifier puts there, rules alike.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers build it for every packet"
)]
pub struct Key<A> {
    /// Source address.
    pub source: A,
    /// Destination address.
    pub destination: A,
    /// First number of the upper header: source port, ICMP type.
    pub a: u16,
    /// Second number of the upper header: destination port, ICMP code.
    pub b: u16,
    /// Upper-layer protocol.
    pub protocol: u8,
    /// What else the user's rules tell apart (direction, routing …), as one number below
    /// [`ENVIRONMENTS`]; higher bits are ignored.
    pub environment: u8,
    /// Security class of the interface.
    pub class: u8,
    /// What cannot be read of this packet: [`HIDDEN_NUMBERS`] and [`HIDDEN_PROTOCOL`] or'ed.
    pub hidden: u8,
}

/// In [`Key::hidden`]: `a` and `b` cannot be read and match only rules that ask nothing of them.
pub const HIDDEN_NUMBERS: u8 = 1;

/// In [`Key::hidden`]: the protocol is not certain and matches only [`Protocol::Any`] and
/// [`Protocol::Opaque`].
pub const HIDDEN_PROTOCOL: u8 = 2;

/// How many environments a [`Service`] can tell apart.
pub const ENVIRONMENTS: u8 = 128;

/// What a [`Service`] asks of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the compiled form knows exactly these"
)]
pub enum Protocol {
    /// Nothing.
    #[default]
    Any,
    /// This protocol.
    Is(u8),
    /// That it cannot be told.
    Opaque,
}

/// What a rule asks of everything but the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers build it from their own rules"
)]
pub struct Service {
    /// Protocol.
    pub protocol: Protocol,
    /// Lowest and highest [`Key::a`].
    pub a: (u16, u16),
    /// Lowest and highest [`Key::b`].
    pub b: (u16, u16),
    /// Bit `e` is set where environment `e` matches.
    pub environments: u128,
    /// Security class; 0 stands for any.
    pub class: u8,
}

impl Service {
    /// Matches everything.
    pub const ANY: Self = Self {
        protocol: Protocol::Any,
        a: FULL,
        b: FULL,
        environments: u128::MAX,
        class: 0,
    };

    /// Whether the key fits.
    #[must_use]
    pub fn matches<A>(&self, key: &Key<A>) -> bool {
        let protocol = match self.protocol {
            Protocol::Any => true,
            Protocol::Is(p) => key.hidden & HIDDEN_PROTOCOL == 0 && p == key.protocol,
            Protocol::Opaque => key.hidden & HIDDEN_PROTOCOL != 0,
        };
        let numbers = if key.hidden & HIDDEN_NUMBERS == 0 {
            (self.a.0..=self.a.1).contains(&key.a) && (self.b.0..=self.b.1).contains(&key.b)
        } else {
            self.a == FULL && self.b == FULL
        };
        protocol
            && numbers
            && (self.environments >> (key.environment % ENVIRONMENTS)) & 1 != 0
            && (self.class == 0 || self.class == key.class)
    }

    /// Whether every key that fits `other` fits `self`.
    pub(super) fn covers(&self, other: &Self) -> bool {
        (self.protocol == Protocol::Any || self.protocol == other.protocol)
            && self.a.0 <= other.a.0
            && self.a.1 >= other.a.1
            && self.b.0 <= other.b.0
            && self.b.1 >= other.b.1
            && other.environments & !self.environments == 0
            && (self.class == 0 || self.class == other.class)
    }

    /// Whether some key may fit both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        (self.protocol == other.protocol
            || self.protocol == Protocol::Any
            || other.protocol == Protocol::Any)
            && self.a.0 <= other.a.1
            && other.a.0 <= self.a.1
            && self.b.0 <= other.b.1
            && other.b.0 <= self.b.1
            && self.environments & other.environments != 0
            && (self.class == 0 || other.class == 0 || self.class == other.class)
    }

    /// Whether no key at all can fit.
    pub(super) fn is_empty(&self) -> bool {
        self.a.0 > self.a.1 || self.b.0 > self.b.1 || self.environments == 0
    }
}

pub(super) const FULL: (u16, u16) = (0, u16::MAX);

/// A rule: two ranges of addresses and a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers build it from their own rules"
)]
pub struct Pattern<A> {
    /// Lowest and highest source address.
    pub source: (A, A),
    /// Lowest and highest destination address.
    pub destination: (A, A),
    /// Everything else.
    pub service: Service,
}

impl<A: Address> Pattern<A> {
    /// Matches everything.
    pub const ANY: Self = Self {
        source: (A::MIN, A::MAX),
        destination: (A::MIN, A::MAX),
        service: Service::ANY,
    };

    /// Whether the key fits: what the compiled form must equal.
    #[must_use]
    pub fn matches(&self, key: &Key<A>) -> bool {
        self.source.0 <= key.source
            && key.source <= self.source.1
            && self.destination.0 <= key.destination
            && key.destination <= self.destination.1
            && self.service.matches(key)
    }

    /// Whether no key at all can fit.
    pub(super) fn is_empty(&self) -> bool {
        self.source.0 > self.source.1
            || self.destination.0 > self.destination.1
            || self.service.is_empty()
    }
}
