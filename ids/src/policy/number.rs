//! Sets of octet values: protocols, option types, next headers.

use core::fmt;
use core::ops::RangeInclusive;

/// A set of values from 0 to 255.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct NumberSet([u64; 4]);

impl NumberSet {
    /// Nothing.
    pub const EMPTY: Self = Self([0; 4]);

    /// Adds a value.
    #[must_use]
    pub fn with(mut self, value: u8) -> Self {
        if let Some(word) = self.0.get_mut(usize::from(value >> 6)) {
            *word |= 1 << (value & 63);
        }
        self
    }

    /// Adds all values of a range.
    #[must_use]
    pub fn with_range(self, range: RangeInclusive<u8>) -> Self {
        range.fold(self, Self::with)
    }

    /// Whether the value is among them.
    #[inline]
    #[must_use]
    pub fn contains(&self, value: u8) -> bool {
        self.0
            .get(usize::from(value >> 6))
            .is_some_and(|word| word >> (value & 63) & 1 != 0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// The values, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u8> + use<> {
        let set = *self;
        (0..=u8::MAX).filter(move |v| set.contains(*v))
    }
}

impl FromIterator<u8> for NumberSet {
    fn from_iter<T: IntoIterator<Item = u8>>(iter: T) -> Self {
        iter.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for NumberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in() {
        let set = NumberSet::EMPTY.with(0).with(255).with_range(63..=65);
        assert_eq!(
            set.iter().collect::<alloc::vec::Vec<_>>(),
            [0, 63, 64, 65, 255]
        );
        assert!(!set.contains(1) && !set.is_empty() && NumberSet::EMPTY.is_empty());
    }
}
