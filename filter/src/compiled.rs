//! Rule sets compiled for the classifier.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::RangeInclusive;

use crate::address::AddressSpec;
use crate::classifier::{Address, Classifier, Key, NONE, Pattern, Protocol, Service};
use crate::rule_set::{InForce, RuleSet};
use crate::selectors::{Header, Selectors};
use crate::service::Upper;
use crate::simple::{Context, SimpleFilter};

/// A rule set and its compiled form: the first rule that matches a packet, without trying all.
///
/// Each rule stands for its [simple filters](crate::Rule::simple_filters), each of which is one
/// pattern of the [classifier](crate::classifier) of its address family. A set whose rules stand for
/// more than [`MAX_FILTERS`](Self::MAX_FILTERS) filters is not compiled and answers by trying its
/// rules, as [`RuleSet::first_match`] does. All answers equal that method's.
#[derive(Clone, Debug)]
pub struct CompiledRules {
    set: Arc<RuleSet>,
    /// IPv4 and IPv6; nothing where the set is too large.
    families: Option<(Family<u32>, Family<u128>)>,
}

/// What is compiled of one address family.
#[derive(Clone, Debug)]
struct Family<A: Address> {
    classifier: Classifier<A>,
    /// For each pattern the position of its rule.
    rules: Arc<[u32]>,
}

impl CompiledRules {
    /// Sets that stand for more simple filters than this are not compiled.
    pub const MAX_FILTERS: usize = 1 << 20;

    /// Compiles a set. Takes a few milliseconds for a thousand filters, about 0.1 s for a hundred
    /// thousand; to be done where no packet waits.
    #[must_use]
    pub fn new(set: Arc<RuleSet>) -> Self {
        let filters = set
            .rules()
            .iter()
            .fold(0_usize, |n, r| n.saturating_add(r.expansion()));
        let families =
            (filters <= Self::MAX_FILTERS && set.rules().len() < NONE as usize).then(|| {
                (
                    Family::new(&set, |s| ranges(s, v4)),
                    Family::new(&set, |s| ranges(s, v6)),
                )
            });
        Self { set, families }
    }

    /// The set.
    #[must_use]
    pub const fn set(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// Whether it is compiled.
    #[must_use]
    pub const fn is_compiled(&self) -> bool {
        self.families.is_some()
    }

    /// Bytes of heap that the compiled form takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.families
            .as_ref()
            .map_or(0, |(a, b)| a.bytes() + b.bytes())
    }

    /// The position of the first rule in force that matches, `None` for the implied deny: as
    /// [`RuleSet::first_match`]. No allocation.
    ///
    /// Where the first rule that matches is not in force, the ones behind it are tried one by one.
    #[must_use]
    pub fn first_match(&self, p: &Selectors, in_force: &InForce) -> Option<usize> {
        match (&self.families, p.source, p.destination) {
            (Some((family, _)), IpAddr::V4(s), IpAddr::V4(d)) => {
                family.first_match(&key(p, s.to_bits(), d.to_bits()), in_force)
            }
            (Some((_, family)), IpAddr::V6(s), IpAddr::V6(d)) => {
                family.first_match(&key(p, s.to_bits(), d.to_bits()), in_force)
            }
            _ => self.set.first_match(p, in_force).map(|(at, _)| at),
        }
    }

    /// The same for many packets, several times faster: `out` has for each packet what
    /// [`first_match`](Self::first_match) answers. Stops at the shorter of the two. No allocation.
    pub fn first_match_batch(
        &self,
        packets: &[Selectors],
        in_force: &InForce,
        out: &mut [Option<usize>],
    ) {
        for (packets, out) in packets.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
            let Some((four, six)) = &self.families else {
                for (p, out) in packets.iter().zip(out) {
                    *out = self.first_match(p, in_force);
                }
                continue;
            };
            let mut keys4 = Keys::new();
            let mut keys6 = Keys::new();
            for ((p, out), at) in packets.iter().zip(out.iter_mut()).zip(0_u8..) {
                match (p.source, p.destination) {
                    (IpAddr::V4(s), IpAddr::V4(d)) => {
                        keys4.push(key(p, s.to_bits(), d.to_bits()), at);
                    }
                    (IpAddr::V6(s), IpAddr::V6(d)) => {
                        keys6.push(key(p, s.to_bits(), d.to_bits()), at);
                    }
                    _ => *out = self.first_match(p, in_force),
                }
            }
            four.first_match_batch(&keys4, in_force, out);
            six.first_match_batch(&keys6, in_force, out);
        }
    }
}

/// Packets that are looked at together.
const BATCH: usize = 128;

/// The packets of one family in a batch and where they stand in it.
struct Keys<A> {
    keys: [Key<A>; BATCH],
    places: [u8; BATCH],
    len: usize,
}

impl<A: Address> Keys<A> {
    fn new() -> Self {
        Self {
            keys: [Key::default(); BATCH],
            places: [0; BATCH],
            len: 0,
        }
    }

    fn push(&mut self, key: Key<A>, place: u8) {
        if let (Some(k), Some(p)) = (self.keys.get_mut(self.len), self.places.get_mut(self.len)) {
            (*k, *p) = (key, place);
            self.len += 1;
        }
    }
}

impl<A: Address> Family<A> {
    fn new(set: &RuleSet, ranges: impl Fn(&SimpleFilter<'_>) -> Option<[(A, A); 2]>) -> Self {
        let mut patterns = Vec::new();
        let mut rules = Vec::new();
        for (rule, at) in set.rules().iter().zip(0_u32..) {
            for filter in rule.simple_filters() {
                let Some([source, destination]) = ranges(&filter) else {
                    continue;
                };
                let service = service(&filter);
                if service.environments != 0 {
                    patterns.push(Pattern {
                        source,
                        destination,
                        service,
                    });
                    rules.push(at);
                }
            }
        }
        Self {
            classifier: Classifier::new(patterns),
            rules: rules.into(),
        }
    }

    fn rule(&self, pattern: u32) -> usize {
        self.rules
            .get(pattern as usize)
            .map_or(usize::MAX, |r| *r as usize)
    }

    fn first_match(&self, key: &Key<A>, in_force: &InForce) -> Option<usize> {
        let alive = |n| in_force.contains(self.rule(n));
        self.classifier
            .first_alive(key, alive)
            .map(|n| self.rule(n))
    }

    fn first_match_batch(&self, keys: &Keys<A>, in_force: &InForce, out: &mut [Option<usize>]) {
        let mut found = [NONE; BATCH];
        let Some(all) = keys.keys.get(..keys.len) else {
            return;
        };
        self.classifier.first_match_batch(all, &mut found);
        for ((key, place), n) in all.iter().zip(keys.places).zip(found) {
            let Some(out) = out.get_mut(usize::from(place)) else {
                return;
            };
            *out = match n {
                NONE => None,
                n if in_force.contains(self.rule(n)) => Some(self.rule(n)),
                _ => self.first_match(key, in_force),
            };
        }
    }

    fn bytes(&self) -> usize {
        self.classifier.bytes() + self.rules.len() * 4
    }
}

/// The addresses of one family in a specification.
fn v4(spec: &AddressSpec) -> Option<(u32, u32)> {
    match spec.bounds() {
        None => Some((u32::MIN, u32::MAX)),
        Some((IpAddr::V4(first), IpAddr::V4(last))) => Some((first.to_bits(), last.to_bits())),
        Some(_) => None,
    }
}

fn v6(spec: &AddressSpec) -> Option<(u128, u128)> {
    match spec.bounds() {
        None => Some((u128::MIN, u128::MAX)),
        Some((IpAddr::V6(first), IpAddr::V6(last))) => Some((first.to_bits(), last.to_bits())),
        Some(_) => None,
    }
}

fn ranges<A>(
    filter: &SimpleFilter<'_>,
    of: impl Fn(&AddressSpec) -> Option<(A, A)>,
) -> Option<[(A, A); 2]> {
    Some([of(&filter.source())?, of(&filter.destination())?])
}

/// Kinds of headers, as many as [`Header`] has; a kind and a [`Context`] make the environment.
const KINDS: u8 = 4;
/// Above the number of a context.
const KIND: u8 = 5;

/// A rule about ports does not match a header of another kind, unless it asks nothing of it.
fn service(filter: &SimpleFilter<'_>) -> Service {
    let (protocol, kind) = match filter.upper() {
        Upper::Any => (Protocol::Any, None),
        Upper::Opaque => (Protocol::Opaque, None),
        Upper::Protocol(p) => (Protocol::Is(*p), None),
        Upper::Ports { protocol, .. } => (Protocol::Is(*protocol), Some(1)),
        Upper::Icmp { protocol, .. } => (Protocol::Is(*protocol), Some(2)),
        Upper::Type { protocol, .. } => (Protocol::Is(*protocol), Some(3)),
    };
    let kind = kind.filter(|_| !filter.upper().fits_fragments());
    let contexts = u128::from(filter.contexts());
    let environments = (0..KINDS)
        .filter(|k| kind.is_none_or(|kind| kind == *k))
        .fold(0, |mask, k| mask | contexts << (k << KIND));
    let (a, b) = filter.ranges();
    let ends = |r: RangeInclusive<u16>| (*r.start(), *r.end());
    Service {
        protocol,
        a: ends(a),
        b: ends(b),
        environments,
        class: filter.security_class(),
    }
}

fn key<A>(p: &Selectors, source: A, destination: A) -> Key<A> {
    let kind = match p.header {
        Header::Unknown => 0,
        Header::Ports(..) => 1,
        Header::Icmp(..) => 2,
        Header::Type(_) => 3,
    };
    let (a, b) = p.header.values().unwrap_or_default();
    Key {
        source,
        destination,
        a,
        b,
        protocol: p.protocol.unwrap_or(0),
        environment: Context::of(p).index() | kind << KIND,
        class: p.security_class,
        hidden: if p.protocol.is_none() {
            crate::classifier::HIDDEN_PROTOCOL
        } else {
            0
        },
    }
}
