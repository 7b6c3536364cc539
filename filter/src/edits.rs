//! A few rules more or less, at once: beside a compiled rule set, until it is compiled anew.
//!
//! Compiling ten thousand rules takes tens of milliseconds. One rule that is added or taken out
//! should not wait for that: [`Edits`] are made in microseconds, take effect with the next packet, and
//! [`RuleSet::with_edits`] compiles the edited set in the meantime, off the packet path.

use alloc::vec::Vec;

use crate::rule::Rule;
use crate::rule_set::{InForce, RuleSet};
use crate::selectors::Selectors;

/// Rules added to and taken out of one rule set.
///
/// Immutable once installed; each call gives a new value. Positions are those of the rule set
/// that the edits belong to, and do not change with the edits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Generation and length of the set they belong to; `None` as long as there are none.
    set: Option<(u64, u32)>,
    /// Positions, ascending.
    removed: Vec<u32>,
    /// The position of the rule it stands before, and the rule; in the order they are tried.
    added: Vec<(u32, Rule)>,
}

/// Edits that cannot be made; compile the rule set anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The rule set has no rule there.
    #[error("no rule at position {position}: the set has {count}")]
    Position {
        /// What was asked for.
        position: usize,
        /// How many rules there are.
        count: usize,
    },
    /// There are as many edits as may be looked through for each packet.
    #[error("{} edits are the most: compile the rule set anew", Edits::MOST)]
    TooMany,
    /// They belong to another rule set, whose positions mean other rules.
    #[error(
        "these edits are of another rule set: make them anew for that of generation {generation}"
    )]
    OtherSet {
        /// The set that they were to be used with.
        generation: u64,
    },
    /// The rule has time conditions, which only compiled rules can have.
    #[error("a rule with time conditions cannot be added without compiling the set anew")]
    Timed,
}

impl Edits {
    /// No edits.
    pub(crate) const NONE: Self = Self {
        set: None,
        removed: Vec::new(),
        added: Vec::new(),
    };

    /// The most rules that are added, and the most that are taken out.
    pub const MOST: usize = 64;

    /// The same edits with one more rule, tried before the one at `position` of `set` and behind
    /// those added there before; `position` may be the number of rules.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn insert(mut self, set: &RuleSet, position: usize, rule: Rule) -> Result<Self, EditError> {
        self.check(set)?;
        let count = set.rules().len();
        if position > count {
            return Err(EditError::Position { position, count });
        }
        if !rule.times.is_empty() {
            return Err(EditError::Timed);
        }
        if self.added.len() >= Self::MOST {
            return Err(EditError::TooMany);
        }
        let position = position as u32;
        let at = self.added.partition_point(|(p, _)| *p <= position);
        self.added.insert(at, (position, rule));
        self.set = Some(set.identity());
        Ok(self)
    }

    /// The same edits without the rule at `position` of `set`.
    ///
    /// Until the set is compiled anew, packets that this rule matched first are compared with
    /// the rules behind it one by one.
    ///
    /// # Errors
    /// [`EditError`].
    pub fn remove(mut self, set: &RuleSet, position: usize) -> Result<Self, EditError> {
        self.check(set)?;
        let count = set.rules().len();
        if position >= count {
            return Err(EditError::Position { position, count });
        }
        if let Err(at) = self.removed.binary_search(&(position as u32)) {
            if self.removed.len() >= Self::MOST {
                return Err(EditError::TooMany);
            }
            self.removed.insert(at, position as u32);
        }
        self.set = Some(set.identity());
        Ok(self)
    }

    /// Whether they can be used with a set: they were made for it, or there are none.
    pub(crate) fn check(&self, set: &RuleSet) -> Result<(), EditError> {
        match self.set {
            Some(own) if own != set.identity() => Err(EditError::OtherSet {
                generation: set.generation(),
            }),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.added.is_empty()
    }

    /// The added rules in the order they are tried, with the positions they stand before. The
    /// number of each, in events, is that of the rules of the set plus its place here.
    pub fn added(&self) -> impl Iterator<Item = (usize, &Rule)> {
        self.added.iter().map(|(p, r)| (*p as usize, r))
    }

    /// The rules of the edited set in the order they are tried, each with its number.
    pub fn rules<'r>(&'r self, set: &'r RuleSet) -> impl Iterator<Item = (usize, &'r Rule)> {
        let count = set.rules().len();
        let mut added = (count..).zip(&self.added).peekable();
        let mut own = set.rules().iter().enumerate().peekable();
        core::iter::from_fn(move || {
            loop {
                let next = own.peek().map_or(count, |(at, _)| *at);
                if let Some((n, (_, rule))) = added.next_if(|(_, (p, _))| *p as usize <= next) {
                    return Some((n, rule));
                }
                let (at, rule) = own.next()?;
                if self.removed.binary_search(&(at as u32)).is_err() {
                    return Some((at, rule));
                }
            }
        })
    }

    /// The positions of the rules taken out.
    pub fn removed(&self) -> impl Iterator<Item = usize> {
        self.removed.iter().map(|p| *p as usize)
    }

    /// The rule of a number: one of the set's, or an added one.
    #[inline]
    pub(crate) fn rule<'r>(&'r self, set: &'r RuleSet, number: usize) -> Option<&'r Rule> {
        match number.checked_sub(set.rules().len()) {
            None => set.rules().get(number),
            Some(added) => self.added.get(added).map(|(_, r)| r),
        }
    }

    /// The number of the first rule that matches.
    #[inline]
    pub(crate) fn first_match(
        &self,
        set: &RuleSet,
        p: &Selectors,
        in_force: &InForce,
    ) -> Option<usize> {
        let found = set.first_match(p, in_force).map(|(at, _)| at);
        if self.is_empty() {
            return found;
        }
        self.edited(set, p, in_force, found)
    }

    #[cold]
    fn edited(
        &self,
        set: &RuleSet,
        p: &Selectors,
        in_force: &InForce,
        found: Option<usize>,
    ) -> Option<usize> {
        let gone = |at: &usize| self.removed.binary_search(&(*at as u32)).is_ok();
        let found = match found {
            Some(at) if gone(&at) => {
                let behind = set.rules().iter().enumerate().skip(at + 1);
                behind
                    .filter(|(at, r)| in_force.contains(*at) && r.matches(p))
                    .map(|(at, _)| at)
                    .find(|at| !gone(at))
            }
            found => found,
        };
        let before = found.map_or(u32::MAX, |at| at as u32);
        let added = (0..)
            .zip(&self.added)
            .take_while(|(_, (p, _))| *p <= before);
        let first = added.into_iter().find(|(_, (_, rule))| rule.matches(p));
        match first {
            Some((place, _)) => Some(set.rules().len() + place),
            None => found,
        }
    }
}

impl RuleSet {
    /// Generation and length, by which edits know their set.
    fn identity(&self) -> (u64, u32) {
        (self.generation(), self.rules().len() as u32)
    }

    /// The edited set, compiled: to be installed in place of the set and its edits. Edits that were
    /// made in the meantime are not in it.
    ///
    /// # Errors
    /// [`EditError::OtherSet`] when the edits are of another set.
    pub fn with_edits(&self, edits: &Edits, generation: u64) -> Result<Self, EditError> {
        edits.check(self)?;
        let rules = edits.rules(self).map(|(_, rule)| rule.clone()).collect();
        Ok(self.with_rules(rules, generation))
    }
}
