//! A rule set in the form in which the first match is found fast.
//!
//! The classifier is asked with the local end of a packet first, whichever way it moves: so a
//! bidirectional service for local traffic is one pattern, not two. Rules with the same time
//! conditions exist together or not at all and share a classifier; the answer is the first of those
//! of all that exist.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::RangeInclusive;

use hostward_hook::meta::Direction;

use crate::address::AddressSpec;
use crate::classifier::{
    Address, Classifier, HIDDEN_PROTOCOL, Key, MOST_WORK, NONE, Pattern, Protocol, Service,
};
use crate::rule::Rule;
use crate::rule_set::InForce;
use crate::selectors::{Header, Selectors};
use crate::service::{Orientation, Upper};
use crate::simple::{Context, SimpleFilter};
use crate::time::TimeCondition;

/// So many sets of time conditions get a classifier of their own.
const GROUPS: usize = 8;
/// Rule sets that stand for more simple filters than this are not compiled but scanned: a million
/// take up to two gibibytes while they are compiled, whatever budget of work there is.
const MOST: usize = 1 << 17;
/// Packets that are looked at together.
const BATCH: usize = 128;

/// The compiled form of the rules of one set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compiled {
    /// The set is too large; nothing else is filled then.
    scans: bool,
    /// Rules without time conditions, then one group for each of the first conditions.
    groups: Vec<Group>,
    /// Rules with still other conditions: those that exist are searched in order when the first
    /// that matches does not.
    others: Option<Group>,
    /// Their positions.
    other_rules: Vec<u32>,
}

/// Rules that exist at the same times.
#[derive(Clone, Debug)]
struct Group {
    /// One of them, to ask whether they exist; `None` when they always do.
    witness: Option<usize>,
    v4: Part<u32>,
    v6: Part<u128>,
}

/// The patterns of one IP version and the rules they come from.
#[derive(Clone, Debug)]
struct Part<A: Address> {
    classifier: Classifier<A>,
    owners: Vec<u32>,
}

#[derive(Default)]
struct Patterns {
    witness: Option<usize>,
    v4: Vec<(Pattern<u32>, u32)>,
    v6: Vec<(Pattern<u128>, u32)>,
}

impl Compiled {
    pub(crate) fn new(rules: &[Rule]) -> Self {
        let filters = rules.iter().map(Rule::expansion);
        if filters.fold(0, usize::saturating_add) > MOST {
            return Self {
                scans: true,
                ..Self::default()
            };
        }
        let mut lists = Vec::new();
        lists.resize_with(1, Patterns::default);
        let mut others = Patterns::default();
        let mut other_rules = Vec::new();
        let mut known: BTreeMap<Vec<*const TimeCondition>, usize> = BTreeMap::new();
        for (at, rule) in rules.iter().enumerate() {
            let list = if rule.times.is_empty() {
                lists.first_mut()
            } else {
                // Conditions are mostly shared; equal ones that are not only cost a group.
                let times: Vec<_> = rule.times.iter().map(Arc::as_ptr).collect();
                let next = lists.len();
                let group = *known.entry(times).or_insert(next);
                if group == next && next <= GROUPS {
                    lists.push(Patterns {
                        witness: Some(at),
                        ..Patterns::default()
                    });
                }
                lists.get_mut(group)
            };
            match list {
                Some(list) => list.add(at, rule),
                None => {
                    other_rules.push(at as u32);
                    others.add(at, rule);
                }
            }
        }
        // All classifiers of the set share the work there is.
        let mut work = MOST_WORK;
        let groups = lists.into_iter().map(|list| list.compile(&mut work));
        Self {
            scans: false,
            groups: groups.collect(),
            others: (!other_rules.is_empty()).then(|| others.compile(&mut work)),
            other_rules,
        }
    }

    /// The position of the first rule in force that matches.
    #[inline]
    pub(crate) fn first_match(
        &self,
        rules: &[Rule],
        p: &Selectors,
        in_force: &InForce,
    ) -> Option<usize> {
        if self.scans || p.source.is_ipv4() != p.destination.is_ipv4() {
            return scan(rules, p, in_force);
        }
        let mut best = u32::MAX;
        for group in &self.groups {
            if group.witness.is_none_or(|w| in_force.contains(w)) {
                best = best.min(group.first_match(p));
            }
        }
        if let Some(others) = &self.others {
            best = best.min(self.first_other(others, rules, p, in_force, best));
        }
        (best != u32::MAX).then_some(best as usize)
    }

    /// The same for many packets, several times faster: `out` has for each what
    /// [`first_match`](Self::first_match) answers.
    pub(crate) fn first_match_batch(
        &self,
        rules: &[Rule],
        packets: &[Selectors],
        in_force: &InForce,
        out: &mut [Option<usize>],
    ) {
        let mut groups = self.groups.iter();
        let (Some(always), None, None, false) =
            (groups.next(), groups.next(), &self.others, self.scans)
        else {
            for (p, out) in packets.iter().zip(out) {
                *out = self.first_match(rules, p, in_force);
            }
            return;
        };
        for (packets, out) in packets.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
            let (mut four, mut six) = (Keys::new(), Keys::new());
            for ((p, out), at) in packets.iter().zip(out.iter_mut()).zip(0_u8..) {
                match (p.source, p.destination) {
                    (IpAddr::V4(s), IpAddr::V4(d)) => {
                        four.push(key(p, s.to_bits(), d.to_bits()), at)
                    }
                    (IpAddr::V6(s), IpAddr::V6(d)) => {
                        six.push(key(p, s.to_bits(), d.to_bits()), at)
                    }
                    _ => *out = scan(rules, p, in_force),
                }
            }
            always.v4.first_match_batch(&four, out);
            always.v6.first_match_batch(&six, out);
        }
    }

    #[cold]
    fn first_other(
        &self,
        others: &Group,
        rules: &[Rule],
        p: &Selectors,
        in_force: &InForce,
        best: u32,
    ) -> u32 {
        let first = others.first_match(p);
        if first >= best || in_force.contains(first as usize) {
            return first;
        }
        let behind = self.other_rules.partition_point(|r| *r <= first);
        let rest = self.other_rules.iter().skip(behind);
        rest.copied()
            .take_while(|r| *r < best)
            .find(|r| {
                let at = *r as usize;
                in_force.contains(at) && rules.get(at).is_some_and(|rule| rule.matches(p))
            })
            .unwrap_or(u32::MAX)
    }

    /// Bytes of heap.
    pub(crate) fn bytes(&self) -> usize {
        let groups = self.groups.iter().chain(&self.others);
        groups.map(|g| g.v4.bytes() + g.v6.bytes()).sum()
    }
}

impl Group {
    #[inline]
    fn first_match(&self, p: &Selectors) -> u32 {
        match (p.source, p.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                self.v4
                    .first_match(&key(p, source.to_bits(), destination.to_bits()))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                self.v6
                    .first_match(&key(p, source.to_bits(), destination.to_bits()))
            }
            // No packet has one of each.
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => u32::MAX,
        }
    }
}

impl<A: Address> Part<A> {
    fn new(list: Vec<(Pattern<A>, u32)>, work: &mut usize) -> Self {
        let (patterns, owners) = list.into_iter().unzip();
        Self {
            classifier: Classifier::within(patterns, work),
            owners,
        }
    }

    #[inline]
    fn first_match(&self, key: &Key<A>) -> u32 {
        let found = self.classifier.first_match(key);
        found
            .and_then(|n| self.owners.get(n as usize))
            .copied()
            .unwrap_or(u32::MAX)
    }

    fn first_match_batch(&self, keys: &Keys<A>, out: &mut [Option<usize>]) {
        let mut found = [NONE; BATCH];
        let Some(all) = keys.keys.get(..keys.len) else {
            return;
        };
        self.classifier.first_match_batch(all, &mut found);
        for (place, n) in keys.places.iter().zip(found).take(keys.len) {
            if let Some(out) = out.get_mut(usize::from(*place)) {
                *out = self.owners.get(n as usize).map(|owner| *owner as usize);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.classifier.bytes() + self.owners.len() * size_of::<u32>()
    }
}

/// The packets of one IP version in a batch, and where they stand in it.
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

impl Patterns {
    fn compile(self, work: &mut usize) -> Group {
        Group {
            witness: self.witness,
            v4: Part::new(self.v4, work),
            v6: Part::new(self.v6, work),
        }
    }

    fn add(&mut self, at: usize, rule: &Rule) {
        for filter in rule.simple_filters() {
            let outbound = directions(Direction::Outbound);
            let inbound = directions(Direction::Inbound);
            let contexts = filter.contexts();
            // Written in the packet's orientation; outbound the packet's source is the local end,
            // inbound its destination.
            self.push(at, &filter, contexts & outbound, Orientation::AsWritten);
            self.push(at, &filter, contexts & inbound, Orientation::Swapped);
        }
    }

    /// Adds what a simple filter says in some contexts, its ends swapped or not; with the one
    /// before it if that says the same in others.
    fn push(&mut self, at: usize, f: &SimpleFilter<'_>, contexts: u32, ends: Orientation) {
        if contexts == 0 {
            return;
        }
        let (mut a, mut b) = f.ranges();
        let (mut local, mut remote) = (f.source(), f.destination());
        if ends == Orientation::Swapped {
            core::mem::swap(&mut local, &mut remote);
            if matches!(f.upper(), Upper::Ports { .. }) {
                core::mem::swap(&mut a, &mut b);
            }
        }
        let (protocol, kind) = match f.upper() {
            Upper::Any => (Protocol::Any, None),
            Upper::Opaque => (Protocol::Opaque, None),
            Upper::Protocol(p) => (Protocol::Is(*p), None),
            Upper::Ports { protocol, .. } => (Protocol::Is(*protocol), Some(1)),
            Upper::Icmp { protocol, .. } => (Protocol::Is(*protocol), Some(2)),
            Upper::Type { protocol, .. } => (Protocol::Is(*protocol), Some(3)),
        };
        // A header of another kind, or none, matches only what asks nothing of it.
        let kind = kind.filter(|_| !f.upper().fits_fragments());
        let environments = (0..KINDS)
            .filter(|k| kind.is_none_or(|kind| kind == *k))
            .fold(0, |mask, k| mask | u128::from(contexts) << (k << KIND));
        let range = |r: &RangeInclusive<u16>| (*r.start(), *r.end());
        let service = Service {
            protocol,
            a: range(&a),
            b: range(&b),
            environments,
            class: f.security_class(),
        };
        let owner = at as u32;
        if let (Some(source), Some(destination)) = (v4(&local), v4(&remote)) {
            let pattern = Pattern {
                source,
                destination,
                service,
            };
            join(&mut self.v4, pattern, owner);
        }
        if let (Some(source), Some(destination)) = (v6(&local), v6(&remote)) {
            let pattern = Pattern {
                source,
                destination,
                service,
            };
            join(&mut self.v6, pattern, owner);
        }
    }
}

/// Adds a pattern of a rule, or widens the contexts of one of the two before it, which are
/// those of the same rule's other orientation.
fn join<A: Address>(list: &mut Vec<(Pattern<A>, u32)>, pattern: Pattern<A>, owner: u32) {
    for (before, by) in list.iter_mut().rev().take(2) {
        let mut same = pattern;
        same.service.environments = before.service.environments;
        if *by == owner && same == *before {
            before.service.environments |= pattern.service.environments;
            return;
        }
    }
    list.push((pattern, owner));
}

/// Kinds of headers, as many as [`Header`] has.
const KINDS: u8 = 4;
/// A kind above the number of a [`Context`] makes an environment.
const KIND: u8 = 5;

/// Tries one rule after the other.
pub(crate) fn scan(rules: &[Rule], p: &Selectors, in_force: &InForce) -> Option<usize> {
    let mut rules = rules.iter().enumerate();
    let (at, _) = rules.find(|(at, r)| in_force.contains(*at) && r.matches(p))?;
    Some(at)
}

/// The contexts of one direction.
fn directions(direction: Direction) -> u32 {
    Context::all()
        .filter(|c| c.direction() == direction)
        .fold(0, |mask, c| mask | 1 << c.index())
}

#[inline]
fn key<A: Address>(p: &Selectors, source: A, destination: A) -> Key<A> {
    let (mut a, mut b) = p.header.values().unwrap_or((0, 0));
    let (mut local, mut remote) = (source, destination);
    if p.direction == Direction::Inbound {
        core::mem::swap(&mut local, &mut remote);
        if matches!(p.header, Header::Ports(..)) {
            core::mem::swap(&mut a, &mut b);
        }
    }
    let kind = match p.header {
        Header::Unknown => 0,
        Header::Ports(..) => 1,
        Header::Icmp(..) => 2,
        Header::Type(_) => 3,
    };
    let hidden = match p.protocol {
        None => HIDDEN_PROTOCOL,
        Some(_) => 0,
    };
    Key {
        source: local,
        destination: remote,
        a,
        b,
        protocol: p.protocol.unwrap_or(0),
        environment: Context::of(p).index() | kind << KIND,
        class: p.security_class,
        hidden,
    }
}

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
