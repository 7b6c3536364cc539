//! The classes of everything but the addresses.
//!
//! Each field is cut into classes that no rule tells apart; a table over the classes of all fields
//! gives one number for the whole: the *service class*, the set of services that the packet fits.

use alloc::vec;
use alloc::vec::Vec;

use super::build::spend;
use super::intern::Interner;
use super::key::{ENVIRONMENTS, FULL, HIDDEN_NUMBERS, HIDDEN_PROTOCOL, Key, Protocol, Service};
use super::{at, at16};

/// The table over all classes has at most this many entries.
const MAX_TABLE: usize = 1 << 18;
/// And takes at most this much work: entries times words of a set of services.
const MAX_WORK: usize = 1 << 22;

/// How the service of a rule is compared with a key.
#[derive(Clone, Debug)]
pub(super) enum Classes {
    /// By the key's service class.
    Table(Services),
    /// Field by field: the services tell apart too many classes.
    Direct(Vec<Service>),
}

impl Classes {
    pub(super) fn build(services: &[Service], left: &mut usize) -> Self {
        Services::build(services, left).map_or_else(|| Self::Direct(services.into()), Self::Table)
    }

    /// The service class of a key, where there are any.
    #[inline]
    pub(super) fn get<A>(&self, key: &Key<A>) -> u32 {
        match self {
            Self::Table(t) => t.get(key),
            Self::Direct(_) => 0,
        }
    }

    /// Whether the key, whose class is `class`, fits a service. The service after the last one
    /// fits everything.
    #[inline]
    pub(super) fn fits<A>(&self, class: u32, service: u32, key: &Key<A>) -> bool {
        match self {
            Self::Table(t) => t.has(class, service),
            Self::Direct(s) => s.get(service as usize).is_none_or(|s| s.matches(key)),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Table(t) => t.bytes(),
            Self::Direct(s) => size_of_val(s.as_slice()),
        }
    }
}

/// From the fields of a key to its service class.
#[derive(Clone, Debug, Default)]
pub(super) struct Services {
    /// By [`Key::a`]; entry 65,536 is for hidden numbers. Empty where no rule asks for `a`.
    pub(super) a: Vec<u16>,
    pub(super) b: Vec<u16>,
    /// The protocols that are asked for, in order: from 1 on their classes in `protocol`.
    pub(super) asked: Vec<u8>,
    /// By protocol, 256 more for a hidden one.
    pub(super) protocol: Vec<u16>,
    /// By environment and class. Empty where no rule asks for either.
    pub(super) environment: Vec<u16>,
    pub(super) class: Vec<u16>,
    pub(super) classes_a: u32,
    pub(super) classes_b: u32,
    pub(super) protocols: u32,
    /// By the classes of protocol (and environment and security class), `a` and `b`.
    pub(super) table: Vec<u16>,
    /// How many service classes there are.
    pub(super) count: u32,
    /// For each service class the set of services, as words; the bit after the last service is
    /// always set.
    pub(super) members: Vec<u32>,
    /// Words in a set.
    pub(super) words: u32,
}

impl Services {
    /// Classes for these different services; `None` where the table would be too large or take more
    /// work than is left.
    pub(super) fn build(services: &[Service], left: &mut usize) -> Option<Self> {
        // One bit more than services.
        let words = services.len() / 32 + 1;
        let a = Numbers::build(services.iter().map(|s| s.a).collect());
        let b = Numbers::build(services.iter().map(|s| s.b).collect());
        let mut out = Self {
            classes_a: a.starts.len() as u32 + 1,
            classes_b: b.starts.len() as u32 + 1,
            ..Self::default()
        };
        if a.starts.len() > 1 {
            out.a = a.table();
        } else {
            out.classes_a = 1;
        }
        if b.starts.len() > 1 {
            out.b = b.table();
        } else {
            out.classes_b = 1;
        }
        // Protocols: one class for each that is asked for, one for the others, one for opaque.
        let mut asked: Vec<u8> = services
            .iter()
            .filter_map(|s| match s.protocol {
                Protocol::Is(p) => Some(p),
                Protocol::Any | Protocol::Opaque => None,
            })
            .collect();
        asked.sort_unstable();
        asked.dedup();
        out.protocols = asked.len() as u32 + 2;
        // Refused before any work where environments do not matter yet.
        let least = (out.protocols * out.classes_a) as usize * out.classes_b as usize;
        if least > MAX_TABLE || least * words > MAX_WORK {
            return None;
        }
        let classes = out.classes_a + out.classes_b + out.protocols + 512;
        spend(left, classes as usize * services.len() / 2)?;
        let sets_a = sets(out.classes_a, services, |s, class| a.fits(s.a, class));
        let sets_b = sets(out.classes_b, services, |s, class| b.fits(s.b, class));

        let opaque = asked.len() as u16 + 1;
        out.protocol = vec![opaque; 512];
        for (p, class) in (0..=255u8).zip(out.protocol.iter_mut()) {
            *class = asked.binary_search(&p).map_or(0, |n| n as u16 + 1);
        }
        let sets_protocol = sets(out.protocols, services, |s, class| match s.protocol {
            Protocol::Any => true,
            Protocol::Opaque => class == u32::from(opaque),
            Protocol::Is(p) => asked.binary_search(&p).is_ok_and(|n| class == n as u32 + 1),
        });

        out.asked = asked;

        // Environments and security classes.
        let contextual = services
            .iter()
            .any(|s| s.environments != u128::MAX || s.class != 0);
        let (mut sets_environment, mut sets_class) = (Interner::default(), Interner::default());
        if contextual {
            for e in 0..ENVIRONMENTS {
                let set = set(words, services, |s| (s.environments >> e) & 1 != 0);
                out.environment.push(sets_environment.intern(&set) as u16);
            }
            for c in 0..=255u8 {
                let set = set(words, services, |s| s.class == 0 || s.class == c);
                out.class.push(sets_class.intern(&set) as u16);
            }
        } else {
            let all = vec![u32::MAX; words];
            sets_environment.intern(&all);
            sets_class.intern(&all);
        }

        let contexts = sets_environment.len() * sets_class.len() * out.protocols as usize;
        let size = contexts
            .checked_mul(out.classes_a as usize)?
            .checked_mul(out.classes_b as usize)?;
        if size > MAX_TABLE || size.saturating_mul(words) > MAX_WORK {
            return None;
        }
        spend(left, size * words / 2)?;
        out.table.reserve_exact(size + 1);
        let mut members = Interner::default();
        let mut kind = vec![0u32; words];
        let mut with_a = vec![0u32; words];
        let mut whole = vec![0u32; words];
        // The order is the one in which `get` computes the place.
        for e in 0..sets_environment.len() as u32 {
            for c in 0..sets_class.len() as u32 {
                for p in 0..out.protocols {
                    and(&mut kind, sets_environment.get(e), sets_class.get(c));
                    and_with(&mut kind, sets_protocol.get(p));
                    for ca in 0..out.classes_a {
                        and(&mut with_a, &kind, sets_a.get(ca));
                        for cb in 0..out.classes_b {
                            and(&mut whole, &with_a, sets_b.get(cb));
                            let class = u16::try_from(members.intern(&whole)).ok()?;
                            out.table.push(class);
                        }
                    }
                }
            }
        }
        out.count = members.len() as u32;
        out.words = words as u32;
        out.members = members.into_data();
        for set in out.members.chunks_mut(words) {
            if let Some(last) = set.last_mut() {
                *last |= 1 << (services.len() % 32);
            }
        }
        // Vector code reads four bytes at every place.
        for list in [&mut out.a, &mut out.b, &mut out.protocol, &mut out.table] {
            if !list.is_empty() {
                list.push(0);
            }
        }
        // The context's classes become places in the table of contexts.
        let classes = sets_class.len() as u16;
        for e in &mut out.environment {
            *e = e.checked_mul(classes)?;
        }
        if contextual {
            out.environment.push(0);
            out.class.push(0);
        }
        Some(out)
    }

    /// The service class of a key.
    #[inline]
    pub(super) fn get<A>(&self, key: &Key<A>) -> u32 {
        let mut kind = at16(
            &self.protocol,
            u32::from(key.protocol) | u32::from(key.hidden & HIDDEN_PROTOCOL) << 7,
        );
        if self.is_contextual() {
            kind += self.context(key) * self.protocols;
        }
        // Class 0 is for hidden numbers; where nothing is asked the table is empty and says 0 too.
        let (mut a, mut b) = (0, 0);
        if key.hidden & HIDDEN_NUMBERS == 0 {
            a = at16(&self.a, u32::from(key.a));
            b = at16(&self.b, u32::from(key.b));
        }
        at16(
            &self.table,
            (kind * self.classes_a + a) * self.classes_b + b,
        )
    }

    /// Whether rules look at environment and security class at all.
    #[inline]
    pub(super) fn is_contextual(&self) -> bool {
        !self.environment.is_empty()
    }

    #[inline(never)]
    fn context<A>(&self, key: &Key<A>) -> u32 {
        at16(&self.environment, u32::from(key.environment % ENVIRONMENTS))
            + at16(&self.class, u32::from(key.class))
    }

    /// Whether a service class is inside a service.
    #[inline]
    pub(super) fn has(&self, class: u32, service: u32) -> bool {
        let word = at(&self.members, class * self.words + service / 32);
        (word >> (service % 32)) & 1 != 0
    }

    /// All service classes inside a service.
    pub(super) fn inside(&self, service: u32) -> Vec<u32> {
        (0..self.count)
            .filter(|class| self.has(*class, service))
            .collect()
    }

    pub(super) fn bytes(&self) -> usize {
        [
            &self.a,
            &self.b,
            &self.protocol,
            &self.environment,
            &self.class,
            &self.table,
        ]
        .iter()
        .map(|v| v.len() * 2)
        .sum::<usize>()
            + self.members.len() * 4
    }
}

/// The elementary intervals of one number, and one class more for a hidden number.
struct Numbers {
    starts: Vec<u16>,
}

impl Numbers {
    fn build(mut ranges: Vec<(u16, u16)>) -> Self {
        ranges.sort_unstable();
        ranges.dedup();
        let mut starts = vec![0u16];
        for (low, high) in ranges {
            starts.push(low);
            starts.extend(high.checked_add(1));
        }
        starts.sort_unstable();
        starts.dedup();
        Self { starts }
    }

    /// Class 0 is for hidden numbers, interval `i` has class `i + 1`.
    fn table(&self) -> Vec<u16> {
        let mut table = Vec::with_capacity((1 << 16) + 1);
        for (i, start) in self.starts.iter().enumerate() {
            let end = self.starts.get(i + 1).map_or(1 << 16, |e| usize::from(*e));
            debug_assert_eq!(table.len(), usize::from(*start));
            table.resize(end, i as u16 + 1);
        }
        table.push(0);
        table
    }

    fn fits(&self, range: (u16, u16), class: u32) -> bool {
        if range == FULL {
            return true;
        }
        let start = class
            .checked_sub(1)
            .and_then(|i| self.starts.get(i as usize));
        start.is_some_and(|s| (range.0..=range.1).contains(s))
    }
}

fn set(words: usize, services: &[Service], fits: impl Fn(&Service) -> bool) -> Vec<u32> {
    let mut set = vec![0u32; words];
    for (chunk, word) in services.chunks(32).zip(set.iter_mut()) {
        for (bit, service) in chunk.iter().enumerate() {
            *word |= u32::from(fits(service)) << bit;
        }
    }
    set
}

/// One set for each class, by the class's number and not made equal.
struct Sets {
    words: usize,
    data: Vec<u32>,
}

impl Sets {
    fn get(&self, class: u32) -> &[u32] {
        let from = class as usize * self.words;
        self.data.get(from..from + self.words).unwrap_or_default()
    }
}

fn sets(classes: u32, services: &[Service], fits: impl Fn(&Service, u32) -> bool) -> Sets {
    let words = services.len() / 32 + 1;
    let mut data = Vec::with_capacity(words * classes as usize);
    for class in 0..classes {
        data.extend(set(words, services, |s| fits(s, class)));
    }
    Sets { words, data }
}

fn and(out: &mut [u32], x: &[u32], y: &[u32]) {
    for ((o, x), y) in out.iter_mut().zip(x).zip(y) {
        *o = x & y;
    }
}

fn and_with(out: &mut [u32], x: &[u32]) {
    for (o, x) in out.iter_mut().zip(x) {
        *o &= x;
    }
}
