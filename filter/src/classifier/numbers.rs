//! Lists of numbers in as few bytes as the largest of them permits.

use alloc::vec::Vec;
use core::fmt::Debug;
use core::hint::select_unpredictable;

/// Numbers of two or of four bytes each.
///
/// One number more than was put in stands at the end, so that four bytes can be read at every
/// place.
#[derive(Clone, Debug)]
pub(super) enum Numbers {
    /// All fit sixteen bits.
    Short(Vec<u16>),
    /// Some do not.
    Long(Vec<u32>),
    /// Each place has itself.
    Same,
}

impl Default for Numbers {
    fn default() -> Self {
        Self::Short(Vec::new())
    }
}

impl Numbers {
    pub(super) fn new(mut numbers: Vec<u32>) -> Self {
        if numbers.iter().all(|n| *n <= u32::from(u16::MAX)) {
            Self::Short(numbers.into_iter().chain([0]).map(|n| n as u16).collect())
        } else {
            numbers.reserve_exact(1);
            numbers.push(0);
            numbers.shrink_to_fit();
            Self::Long(numbers)
        }
    }

    /// The number at a place, 0 where there is none.
    #[inline]
    pub(super) fn get(&self, place: u32) -> u32 {
        match self {
            Self::Short(n) => n.get(place as usize).map_or(0, |n| u32::from(*n)),
            Self::Long(n) => n.get(place as usize).copied().unwrap_or(0),
            Self::Same => place,
        }
    }

    /// The number at a place. `missing` stands for one that is not there; where none ever is, a
    /// variable keeps the compiler from making a branch out of a comparison that follows.
    #[inline]
    pub(super) fn get_or(&self, place: u32, missing: u32) -> u32 {
        match self {
            Self::Short(n) => n.get(place as usize).map_or(missing, |n| u32::from(*n)),
            Self::Long(n) => n.get(place as usize).copied().unwrap_or(missing),
            Self::Same => place,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Short(n) => n.len() * 2,
            Self::Long(n) => n.len() * 4,
            Self::Same => 0,
        }
    }
}

/// An entry of a tree that is a number.
pub(super) const fn leaf(number: u32) -> u32 {
    number << 1 | 1
}

/// An entry of a tree that is the number of a node below.
pub(super) const fn node(number: u32) -> u32 {
    number << 1
}

/// All bits set for an entry that is a number, else none.
#[inline]
pub(super) const fn ones_if_leaf(entry: u32) -> u32 {
    (entry & 1).wrapping_neg()
}

/// A width of numbers.
pub trait Number: Copy + Debug + Default + Into<u32> + Send + Sync + 'static {
    /// These numbers, and if there are any one more, so that four bytes can be read at every place;
    /// `None` where one is too large.
    fn list(numbers: &[u32]) -> Option<Vec<Self>>;
}

impl Number for u16 {
    fn list(numbers: &[u32]) -> Option<Vec<Self>> {
        if numbers.iter().any(|n| *n > u32::from(Self::MAX)) {
            return None;
        }
        let mut list = Vec::with_capacity(numbers.len() + 1);
        list.extend(numbers.iter().map(|n| *n as Self));
        list.extend(numbers.first().map(|_| 0));
        Some(list)
    }
}

impl Number for u32 {
    fn list(numbers: &[u32]) -> Option<Vec<Self>> {
        let end = numbers.first().map(|_| 0);
        Some(numbers.iter().copied().chain(end).collect())
    }
}

/// The number at a place, 0 where there is none.
#[inline(always)]
pub(super) fn number<T: Number>(list: &[T], place: u32) -> u32 {
    list.get(place as usize).copied().unwrap_or_default().into()
}

/// One step down a tree: `nodes` has `2^bits` entries for each node. An entry that is a number
/// stays what it is; there is no branch, place 0 is read for it.
#[inline(always)]
pub(super) fn descend<T: Number>(nodes: &[T], entry: u32, bits: u32, digit: u32) -> u32 {
    let leaf = entry & 1 != 0;
    // The entry of a node has a zero below its number.
    let place = (entry << (bits - 1)).wrapping_add(digit);
    let below = number(nodes, select_unpredictable(leaf, 0, place));
    select_unpredictable(leaf, entry, below)
}
