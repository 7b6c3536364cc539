//! What is odd about a rule set: rules that an earlier one hides, rules that nothing can match.
//!
//! For the writer of a policy, before it is installed; the packet path never comes here.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::RangeInclusive;

use hostward_hook::time::UnixTime;

use crate::address::AddressSpec;
use crate::rule::Rule;
use crate::rule_set::RuleSet;
use crate::service::{Service, Upper};
use crate::simple::SimpleFilter;
use crate::time::LocalTime;

/// One oddity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// An earlier rule matches every packet that this rule could, whenever it is in force: this
    /// one decides nothing.
    Shadowed {
        /// Position of the hidden rule.
        rule: usize,
        /// Position of the first rule that hides it.
        by: usize,
    },
    /// No packet at all can match the rule.
    NeverMatches {
        /// Position of the rule.
        rule: usize,
        /// Why.
        why: Never,
    },
}

/// Why nothing can match a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Never {
    /// It names an empty group of addresses or services.
    EmptyGroup,
    /// Its sources are all of one IP version and its destinations of the other.
    MixedVersions,
    /// A range of ports, types or codes runs backwards.
    EmptyRange,
    /// It asks for packets that hide their protocol between IPv4 addresses: only IPv6 can.
    OpaqueIpv4,
    /// No time fulfils its conditions.
    NoTime,
    /// Its conditions ended in the past.
    TimeIsOver,
}

/// What [`analyze`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Analysis {
    /// The oddities, in the order of the rules.
    pub oddities: Vec<Oddity>,
    /// Every pair of rules that could hide one another was compared. False for sets beyond the
    /// bounds of [`analyze`]; then some shadowed rules may not have been found.
    pub complete: bool,
}

/// The most simple filters that are compared.
const FILTERS: usize = 1 << 20;
/// Comparisons allowed for each simple filter, on average.
const COMPARISONS: usize = 512;

/// Looks for rules that decide nothing. With the time of day also those whose time is over.
///
/// Takes O(n log n) for rule sets as people write them, where a rule's addresses lie within those
/// of few earlier rules; work is bounded at 512 comparisons for each simple filter, and
/// [`Analysis::complete`] tells when that was not enough.
#[must_use]
pub fn analyze(set: &RuleSet, now: Option<(UnixTime, &dyn LocalTime)>) -> Analysis {
    let rules = set.rules();
    let mut earlier = Earlier::default();
    let mut oddities = Vec::new();
    let mut complete = true;
    let mut budget = 0_usize;
    for (position, rule) in rules.iter().enumerate() {
        if let Some(why) = never(rule, now) {
            oddities.push(Oddity::NeverMatches {
                rule: position,
                why,
            });
            continue;
        }
        let expansion = rule.expansion();
        if earlier.len().saturating_add(expansion) > FILTERS {
            complete = false;
            continue;
        }
        budget = budget.saturating_add(expansion.saturating_mul(COMPARISONS));
        match earlier.shadow(rules, rule, &mut budget) {
            Some(Shadow::By(by)) => {
                oddities.push(Oddity::Shadowed { rule: position, by });
                // Whatever it hides, the rule that hides it does too.
                continue;
            }
            Some(Shadow::GaveUp) => complete = false,
            None => {}
        }
        for filter in rule.simple_filters() {
            earlier.insert(position, &filter);
        }
    }
    Analysis { oddities, complete }
}

fn never(rule: &Rule, now: Option<(UnixTime, &dyn LocalTime)>) -> Option<Never> {
    if rule.expansion() == 0 {
        return Some(Never::EmptyGroup);
    }
    if !rule.times.is_empty() {
        if rule.times.iter().all(|t| t.never_holds()) {
            return Some(Never::NoTime);
        }
        if let Some((at, local)) = now
            && rule
                .times
                .iter()
                .all(|t| t.never_holds() || t.is_over(at, local))
        {
            return Some(Never::TimeIsOver);
        }
    }
    if rule.services.iter().all(has_empty_range) {
        return Some(Never::EmptyRange);
    }
    let versions = |specs: &[AddressSpec]| {
        let v4 = specs
            .iter()
            .any(|s| s.bounds().is_none_or(|b| b.0.is_ipv4()));
        let v6 = specs
            .iter()
            .any(|s| s.bounds().is_none_or(|b| b.0.is_ipv6()));
        (v4, v6)
    };
    let source = versions(rule.source.as_slice());
    let destination = versions(rule.destination.as_slice());
    let (v4, v6) = (source.0 && destination.0, source.1 && destination.1);
    if !v4 && !v6 {
        return Some(Never::MixedVersions);
    }
    if !v6 && rule.services.iter().all(|s| s.upper == Upper::Opaque) {
        return Some(Never::OpaqueIpv4);
    }
    None
}

fn has_empty_range(service: &Service) -> bool {
    let (a, b) = service.upper.ranges();
    a.is_empty() || b.is_empty()
}

enum Shadow {
    By(usize),
    GaveUp,
}

/// The simple filters of earlier rules, found by the prefixes around their addresses.
///
/// What covers a filter has a source prefix around the filter's and a destination prefix around
/// the filter's: for each of the few source prefixes that exist around it, each of the few
/// destination prefixes that exist there is looked up.
#[derive(Default)]
struct Earlier {
    sources: BTreeMap<Key, u32>,
    /// For each source, which kinds of destination prefixes there are.
    kinds: Vec<Kinds>,
    /// The same for sources.
    source_kinds: Kinds,
    destinations: BTreeMap<(u32, Key), u32>,
    entries: Vec<Entry>,
}

struct Entry {
    rule: u32,
    source: AddressSpec,
    destination: AddressSpec,
    protocol: Protocol,
    a: RangeInclusive<u16>,
    b: RangeInclusive<u16>,
    contexts: u32,
    security_class: u8,
    /// The next entry with the same prefixes, or `NONE`.
    next: u32,
}

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Any,
    Opaque,
    Number(u8),
}

/// The smallest prefix around an address specification: 0 for both versions, 1 + length for IPv4,
/// 34 + length for IPv6; and its bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    kind: u8,
    bits: u128,
}

/// A set of [`Key::kind`]s.
#[derive(Clone, Copy, Default)]
struct Kinds([u64; 3]);

impl Kinds {
    fn insert(&mut self, kind: u8) {
        if let Some(word) = self.0.get_mut(usize::from(kind / 64)) {
            *word |= 1 << (kind % 64);
        }
    }

    fn contains(self, kind: u8) -> bool {
        self.0
            .get(usize::from(kind / 64))
            .is_some_and(|word| word >> (kind % 64) & 1 == 1)
    }
}

impl Key {
    const V4: u8 = 1;
    const V6: u8 = 34;

    fn around(spec: &AddressSpec) -> Self {
        match spec.bounds() {
            Some((IpAddr::V4(a), IpAddr::V4(b))) => {
                let length = (a.to_bits() ^ b.to_bits()).leading_zeros() as u8;
                Self::new(Self::V4, length, u128::from(a.to_bits()) << 96)
            }
            Some((IpAddr::V6(a), IpAddr::V6(b))) => {
                let length = (a.to_bits() ^ b.to_bits()).leading_zeros() as u8;
                Self::new(Self::V6, length, a.to_bits())
            }
            Some(_) | None => Self { kind: 0, bits: 0 },
        }
    }

    fn new(version: u8, length: u8, bits: u128) -> Self {
        let host = u128::MAX.checked_shr(length.into()).unwrap_or(0);
        Self {
            kind: version + length,
            bits: bits & !host,
        }
    }

    /// The prefixes around this one that are of these kinds, this one included.
    fn enclosing(self, kinds: Kinds) -> impl Iterator<Item = Self> {
        let (version, length) = match self.kind {
            0 => (0, None),
            k if k < Self::V6 => (Self::V4, Some(k - Self::V4)),
            k => (Self::V6, Some(k - Self::V6)),
        };
        let any = kinds.contains(0).then_some(Self { kind: 0, bits: 0 });
        let prefixes = length
            .map(|l| 0..=l)
            .into_iter()
            .flatten()
            .filter(move |l| kinds.contains(version + l))
            .map(move |l| Self::new(version, l, self.bits));
        any.into_iter().chain(prefixes)
    }
}

impl Entry {
    fn new(rule: u32, f: &SimpleFilter<'_>) -> Self {
        let (a, b) = f.ranges();
        Self {
            rule,
            source: f.source(),
            destination: f.destination(),
            protocol: match f.upper() {
                Upper::Any => Protocol::Any,
                Upper::Opaque => Protocol::Opaque,
                Upper::Protocol(protocol)
                | Upper::Ports { protocol, .. }
                | Upper::Icmp { protocol, .. }
                | Upper::Type { protocol, .. } => Protocol::Number(*protocol),
            },
            a,
            b,
            contexts: f.contexts(),
            security_class: f.security_class(),
            next: NONE,
        }
    }

    fn covers(&self, other: &Self) -> bool {
        let range = |x: &RangeInclusive<u16>, y: &RangeInclusive<u16>| {
            x.start() <= y.start() && y.end() <= x.end()
        };
        (self.protocol == Protocol::Any || self.protocol == other.protocol)
            && range(&self.a, &other.a)
            && range(&self.b, &other.b)
            && self.contexts & other.contexts == other.contexts
            && (self.security_class == 0 || self.security_class == other.security_class)
            && self.source.covers(&other.source)
            && self.destination.covers(&other.destination)
    }
}

impl Earlier {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn insert(&mut self, rule: usize, filter: &SimpleFilter<'_>) {
        let mut entry = Entry::new(rule as u32, filter);
        let source = Key::around(&entry.source);
        let destination = Key::around(&entry.destination);
        self.source_kinds.insert(source.kind);
        let node = *self.sources.entry(source).or_insert_with(|| {
            self.kinds.push(Kinds::default());
            self.kinds.len() as u32 - 1
        });
        if let Some(kinds) = self.kinds.get_mut(node as usize) {
            kinds.insert(destination.kind);
        }
        let head = self.destinations.entry((node, destination)).or_insert(NONE);
        entry.next = *head;
        *head = self.entries.len() as u32;
        self.entries.push(entry);
    }

    /// The first earlier rule that covers all simple filters of `rule`.
    fn shadow(&self, rules: &[Rule], rule: &Rule, budget: &mut usize) -> Option<Shadow> {
        let mut candidates: Option<Vec<u32>> = None;
        for filter in rule.simple_filters() {
            let wanted = Entry::new(0, &filter);
            if wanted.a.is_empty() || wanted.b.is_empty() || wanted.contexts == 0 {
                // Nothing matches it, so nothing needs to cover it.
                continue;
            }
            let mut covering = Vec::new();
            if !self.covering(&wanted, &mut covering, budget) {
                return Some(Shadow::GaveUp);
            }
            covering.sort_unstable();
            covering.dedup();
            let mut gave_up = false;
            covering.retain(|r| {
                let Some(earlier) = rules.get(*r as usize) else {
                    return false;
                };
                // Long lists of conditions are compared each with each.
                let comparisons = earlier.times.len().saturating_mul(rule.times.len());
                match budget.checked_sub(comparisons) {
                    Some(left) => {
                        *budget = left;
                        exists_whenever(earlier, rule)
                    }
                    None => {
                        gave_up = true;
                        false
                    }
                }
            });
            if gave_up {
                return Some(Shadow::GaveUp);
            }
            let left = match candidates {
                None => covering,
                Some(mut before) => {
                    before.retain(|r| covering.binary_search(r).is_ok());
                    before
                }
            };
            if left.is_empty() {
                return None;
            }
            candidates = Some(left);
        }
        let by = *candidates?.first()?;
        Some(Shadow::By(by as usize))
    }

    /// Collects the rules of entries that cover one; false when the budget ran out.
    fn covering(&self, wanted: &Entry, found: &mut Vec<u32>, budget: &mut usize) -> bool {
        let source = Key::around(&wanted.source);
        let destination = Key::around(&wanted.destination);
        for source in source.enclosing(self.source_kinds) {
            let Some(&node) = self.sources.get(&source) else {
                continue;
            };
            let kinds = self.kinds.get(node as usize).copied().unwrap_or_default();
            for destination in destination.enclosing(kinds) {
                let Some(&head) = self.destinations.get(&(node, destination)) else {
                    continue;
                };
                let mut at = head;
                while let Some(entry) = self.entries.get(at as usize) {
                    if *budget == 0 {
                        return false;
                    }
                    *budget -= 1;
                    if entry.covers(wanted) {
                        found.push(entry.rule);
                    }
                    at = entry.next;
                }
            }
        }
        true
    }
}

/// Whether a rule is in force at every time at which another one is, as far as can be told from
/// their conditions being the same.
fn exists_whenever(rule: &Rule, other: &Rule) -> bool {
    rule.times.is_empty()
        || (!other.times.is_empty() && other.times.iter().all(|t| rule.times.contains(t)))
}
