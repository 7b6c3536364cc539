//! Sets of numbers as ranges in order: addresses, ports, types, protocols.

use std::rc::Rc;

/// A set of numbers from 0 to a greatest one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranges {
    /// In order, neither overlapping nor adjacent.
    list: Rc<[(u128, u128)]>,
    most: u128,
}

impl Ranges {
    /// Every number up to the greatest.
    pub(super) fn all(most: u128) -> Self {
        Self {
            list: [(0, most)].into(),
            most,
        }
    }

    /// No number.
    pub(super) fn none(most: u128) -> Self {
        Self {
            list: [].into(),
            most,
        }
    }

    /// These ranges, in any order. What lies beyond the greatest number, or runs backwards, is not
    /// there.
    pub(super) fn of(most: u128, mut list: Vec<(u128, u128)>) -> Self {
        list.retain(|(first, last)| first <= last && *first <= most);
        list.sort_unstable();
        let mut out: Vec<(u128, u128)> = Vec::with_capacity(list.len());
        for (first, last) in list {
            let last = last.min(most);
            match out.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                Some(_) | None => out.push((first, last)),
            }
        }
        Self {
            list: out.into(),
            most,
        }
    }

    pub(super) fn list(&self) -> &[(u128, u128)] {
        &self.list
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn is_all(&self) -> bool {
        *self.list == [(0, self.most)]
    }

    /// The numbers of both.
    pub(super) fn and(&self, other: &Self) -> Self {
        if self.is_all() {
            return other.clone();
        }
        if other.is_all() {
            return self.clone();
        }
        let (mut a, mut b) = (self.list.iter().peekable(), other.list.iter().peekable());
        let mut out = Vec::new();
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let (first, last) = (x.0.max(y.0), x.1.min(y.1));
            if first <= last {
                out.push((first, last));
            }
            if x.1 <= y.1 {
                a.next();
            } else {
                b.next();
            }
        }
        Self {
            list: out.into(),
            most: self.most,
        }
    }

    /// All other numbers.
    pub(super) fn not(&self) -> Self {
        let mut out = Vec::with_capacity(self.list.len() + 1);
        let mut next = Some(0);
        for (first, last) in self.list.iter() {
            if let Some(from) = next
                && from < *first
            {
                out.push((from, first - 1));
            }
            next = last.checked_add(1);
        }
        if let Some(from) = next
            && from <= self.most
        {
            out.push((from, self.most));
        }
        Self {
            list: out.into(),
            most: self.most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_sets() {
        arbtest::arbtest(|u| {
            let mut set = || {
                let mut list = Vec::new();
                for _ in 0..u.int_in_range(0..=5)? {
                    list.push((u.int_in_range(0..=20)?, u.int_in_range(0..=20)?));
                }
                Ok((Ranges::of(15, list.clone()), list))
            };
            let ((a, x), (b, y)) = (set()?, set()?);
            let has = |l: &[(u128, u128)], n| l.iter().any(|(f, t)| *f <= n && n <= *t);
            let (both, not) = (a.and(&b), a.not());
            for n in 0..=15 {
                assert_eq!(has(a.list(), n), has(&x, n));
                assert_eq!(has(both.list(), n), has(&x, n) && has(&y, n));
                assert_eq!(has(not.list(), n), !has(&x, n));
            }
            for r in [&a, &both, &not] {
                assert!(r.list().windows(2).all(|w| w[0].1 + 1 < w[1].0));
            }
            assert_eq!(not.not(), a);
            assert_eq!(a.is_all(), not.is_empty());
            Ok(())
        });
        let all = Ranges::all(u128::MAX);
        assert!(all.not().is_empty() && Ranges::none(u128::MAX).not().is_all());
    }
}
