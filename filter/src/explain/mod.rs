//! Why a packet is decided as it is: every rule that was tried and what of it did not fit.
//!
//! For people who ask, not for the packet path: it takes time in proportion to the rules and
//! allocates.

mod failed;
mod question;

use alloc::vec::Vec;
use core::cmp::Reverse;

use hostward_hook::time::{Instant, Now};

use crate::address::AddressSpec;
use crate::defensive::{DefensiveMode, DefensiveTable, Entry};
use crate::edits::Edits;
use crate::filter::Filter;
use crate::rule::Rule;
use crate::rule_set::{InForce, RuleSet};
use crate::selectors::Selectors;
use crate::service::Orientation;
use crate::tunnels::Outcome;

pub use failed::Failed;
pub use question::Question;

use failed::compare;

/// What came of comparing a packet with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it fits or it does not")]
pub enum Fit {
    /// It matches.
    Matched {
        /// The number of the first of the rule's simple filters that matches, from 1.
        extension: u32,
    },
    /// It does not.
    Failed {
        /// The first condition that the packet does not fulfil.
        by: Failed,
        /// The number of the simple filter that got furthest, the first of several; 0 where
        /// none was looked at.
        extension: u32,
    },
}

/// A rule that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tried<'a> {
    /// Its position in the rule set, from 0; for a rule that an edit added its number, see
    /// [`Edits::added`].
    pub position: usize,
    /// The rule.
    pub rule: &'a Rule,
    /// What came of it.
    pub fit: Fit,
}

/// How a rule set decides a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation<'a> {
    /// The rules that were tried, in order, up to and with the one that matched.
    pub tried: Vec<Tried<'a>>,
    /// For an ICMP error that no rule matches: the rule that permits it, since the packet it
    /// quotes matches that one.
    pub excused_by: Option<Tried<'a>>,
    /// What comes of the packet.
    pub outcome: Outcome,
}

impl<'a> Explanation<'a> {
    /// The rule that decides; `None` is the implied deny.
    #[must_use]
    pub fn decided_by(&self) -> Option<&Tried<'a>> {
        let last = self.tried.last();
        last.filter(|t| matches!(t.fit, Fit::Matched { .. }))
    }
}

/// What came of comparing a packet with a defensive filter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DefensiveFit {
    /// It matches and discards the packet.
    Blocked,
    /// It matches and tells what it would have done.
    Simulated,
    /// It simulates, and a newer filter that simulates was told already: it was not compared.
    AlreadySimulated,
    /// Its lifetime is over.
    Expired,
    /// It does not match.
    Failed(Failed),
}

/// A defensive filter that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DefensiveTried<'a> {
    /// The filter as it is installed.
    pub entry: &'a Entry,
    /// What came of it.
    pub fit: DefensiveFit,
}

/// What the defensive filters say about a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DefensiveExplanation<'a> {
    /// The exclusion that the packet's source or destination is in: no filter was tried.
    pub excluded: Option<AddressSpec>,
    /// The filters that were tried, newest first, up to and with the one that discards.
    pub tried: Vec<DefensiveTried<'a>>,
}

impl DefensiveExplanation<'_> {
    /// Whether the packet goes no further.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        let last = self.tried.last();
        last.is_some_and(|t| t.fit == DefensiveFit::Blocked)
    }
}

/// How a filter decides a packet: what stands in front, then the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterExplanation<'a> {
    /// The defensive filters.
    pub defensive: DefensiveExplanation<'a>,
    /// The rules; `None` when a defensive filter discards the packet.
    pub rules: Option<Explanation<'a>>,
}

impl Filter {
    /// How a packet would be decided by what is in force, edits included, without counting it or
    /// telling of it. O(rules), allocates.
    #[must_use]
    pub fn explain(&self, asked: impl Into<Question>, now: Now) -> FilterExplanation<'_> {
        let asked = asked.into();
        let defensive = self.defensive().explain(&asked.selectors, now.mono);
        let rules = (!defensive.is_blocked()).then(|| {
            let set = self.rules();
            explain(
                set,
                self.edits(),
                &asked,
                &set.in_force(now.wall, self.local()),
            )
        });
        FilterExplanation { defensive, rules }
    }
}

impl RuleSet {
    /// Tries one rule after the other and tells what of each does not fit; the last one is that of
    /// [`scan`](Self::scan). O(rules), allocates.
    #[must_use]
    pub fn explain(&self, asked: impl Into<Question>, in_force: &InForce) -> Explanation<'_> {
        const NONE: &Edits = &Edits::NONE;
        explain(self, NONE, &asked.into(), in_force)
    }
}

fn explain<'a>(
    set: &'a RuleSet,
    edits: &'a Edits,
    asked: &Question,
    in_force: &InForce,
) -> Explanation<'a> {
    let tried = try_rules(set, edits, &asked.selectors, in_force);
    let matches = |t: &Tried<'_>| matches!(t.fit, Fit::Matched { .. });
    let direction = asked.selectors.direction;
    if let Some(decided) = tried.last().filter(|t| matches(t)) {
        let outcome = Outcome::of(decided.rule.action, direction, asked.arrival);
        return Explanation {
            tried,
            excused_by: None,
            outcome,
        };
    }
    let excused = asked.quoted.and_then(|quoted| {
        let last = try_rules(set, edits, &quoted, in_force).pop();
        let last = last.filter(matches)?;
        let action = last.rule.action;
        action.tunnel_of_error(direction, asked.arrival)?;
        Some((last, Outcome::of(action, direction, asked.arrival)))
    });
    let (excused_by, outcome) = match excused {
        Some((rule, outcome)) => (Some(rule), outcome),
        None => (None, Outcome::Deny),
    };
    Explanation {
        tried,
        excused_by,
        outcome,
    }
}

/// The rules up to and with the first that matches, with what of each does not fit.
fn try_rules<'a>(
    set: &'a RuleSet,
    edits: &'a Edits,
    p: &Selectors,
    in_force: &InForce,
) -> Vec<Tried<'a>> {
    let mut tried = Vec::new();
    for (position, rule) in edits.rules(set) {
        // What an edit added has no time conditions.
        let fit = if position >= set.rules().len() || in_force.contains(position) {
            rule.explain(p)
        } else {
            Fit::Failed {
                by: Failed::Time,
                extension: 0,
            }
        };
        let last = matches!(fit, Fit::Matched { .. });
        tried.push(Tried {
            position,
            rule,
            fit,
        });
        if last {
            break;
        }
    }
    tried
}

impl Rule {
    /// What of the rule does not fit a packet while it is in force; `Matched` exactly when
    /// [`matches`](Self::matches).
    ///
    /// Of several sources, destinations and services the combination that gets furthest is told.
    /// O(sources + destinations) a service.
    #[must_use]
    pub fn explain(&self, p: &Selectors) -> Fit {
        let orientations = self.services.iter().flat_map(|service| {
            let all = service.orientations();
            all.iter().map(move |orientation| (service, *orientation))
        });
        let across = orientations.clone().count();
        let mut matched: Option<usize> = None;
        let mut furthest: Option<(Failed, usize)> = None;
        for (at, (service, orientation)) in orientations.enumerate() {
            let sources = self.source.as_slice();
            let destinations = self.destination.as_slice();
            let (first, second) = match orientation {
                Orientation::AsWritten => (sources, destinations),
                Orientation::Swapped => (destinations, sources),
            };
            let (a, b, by) = compare(service, orientation, first, second, p);
            let (source, destination) = match orientation {
                Orientation::AsWritten => (a, b),
                Orientation::Swapped => (b, a),
            };
            // As `simple_filters` counts: sources, destinations, then services.
            let filter = source
                .saturating_mul(destinations.len())
                .saturating_add(destination)
                .saturating_mul(across)
                .saturating_add(at);
            match by {
                None => matched = Some(matched.map_or(filter, |m| m.min(filter))),
                Some(by) => {
                    let further = |(f, n): &(Failed, usize)| {
                        (by.step(), Reverse(filter)) > (f.step(), Reverse(*n))
                    };
                    if furthest.as_ref().is_none_or(further) {
                        furthest = Some((by, filter));
                    }
                }
            }
        }
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        match (matched, furthest) {
            (Some(n), _) => Fit::Matched {
                extension: number(n),
            },
            (None, Some((by, n))) => Fit::Failed {
                extension: if by == Failed::EmptyGroup {
                    0
                } else {
                    number(n)
                },
                by,
            },
            (None, None) => Fit::Failed {
                by: Failed::EmptyGroup,
                extension: 0,
            },
        }
    }
}

impl DefensiveTable {
    /// Tries the filters as [`look_up`](Self::look_up) does and tells what of each does not fit.
    #[must_use]
    pub fn explain(&self, p: &Selectors, now: Instant) -> DefensiveExplanation<'_> {
        let mut tried = Vec::new();
        let mut exclusions = self.exclusions().iter();
        let excluded = exclusions.find(|e| e.contains(p.source) || e.contains(p.destination));
        let mut simulated = false;
        for entry in self.entries() {
            if excluded.is_some() {
                break;
            }
            let fit = if now >= entry.expires {
                DefensiveFit::Expired
            } else if simulated && entry.mode == DefensiveMode::Simulate {
                DefensiveFit::AlreadySimulated
            } else {
                match (entry.explain(p), entry.mode) {
                    (Some(by), _) => DefensiveFit::Failed(by),
                    (None, DefensiveMode::Block) => DefensiveFit::Blocked,
                    (None, DefensiveMode::Simulate) => DefensiveFit::Simulated,
                }
            };
            simulated |= fit == DefensiveFit::Simulated;
            let last = fit == DefensiveFit::Blocked;
            tried.push(DefensiveTried { entry, fit });
            if last {
                break;
            }
        }
        DefensiveExplanation {
            excluded: excluded.copied(),
            tried,
        }
    }
}

impl Entry {
    /// What of it does not fit a packet, lifetime aside; `None` when it matches.
    fn explain(&self, p: &Selectors) -> Option<Failed> {
        let source = &[self.filter.source];
        let destination = &[self.filter.destination];
        let mut furthest = Some(Failed::EmptyGroup);
        for service in self.services() {
            let o = Orientation::AsWritten;
            let by = compare(service, o, source, destination, p).2?;
            if furthest.as_ref().is_none_or(|f| by.step() > f.step()) {
                furthest = Some(by);
            }
        }
        furthest
    }
}
