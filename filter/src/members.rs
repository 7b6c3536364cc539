//! One of something, or a named group of them, kept as such.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::slice;

/// A named list that several rules can share (`IpAddrGroup`, `IpServiceGroup`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group<T> {
    name: Arc<str>,
    members: Box<[T]>,
}

impl<T> Group<T> {
    /// A group of these members, in this order. The name is empty for a list written in the rule.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, members: Vec<T>) -> Self {
        Self {
            name: name.into(),
            members: members.into(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its members, in order.
    #[must_use]
    pub const fn members(&self) -> &[T] {
        &self.members
    }
}

/// What a rule names in one place: one thing, or a group any member of which will do.
///
/// An empty group matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is one, or there are several"
)]
pub enum Members<T> {
    /// One.
    One(T),
    /// Several, possibly shared with other rules.
    Group(Arc<Group<T>>),
}

impl<T> Members<T> {
    /// All of them, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => slice::from_ref(one),
            Self::Group(group) => group.members(),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> slice::Iter<'_, T> {
        self.as_slice().iter()
    }

    /// The name of the group, if it is one and has a name.
    #[must_use]
    pub fn group_name(&self) -> Option<&str> {
        match self {
            Self::One(_) => None,
            Self::Group(group) => Some(group.name()).filter(|n| !n.is_empty()),
        }
    }
}

impl<'a, T> IntoIterator for &'a Members<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> From<T> for Members<T> {
    fn from(one: T) -> Self {
        Self::One(one)
    }
}

impl<T> From<Arc<Group<T>>> for Members<T> {
    fn from(group: Arc<Group<T>>) -> Self {
        Self::Group(group)
    }
}

impl<T> From<Vec<T>> for Members<T> {
    /// A list without a name.
    fn from(mut members: Vec<T>) -> Self {
        match members.pop() {
            Some(one) if members.is_empty() => Self::One(one),
            Some(last) => {
                members.push(last);
                Self::Group(Arc::new(Group::new("", members)))
            }
            None => Self::Group(Arc::new(Group::new("", members))),
        }
    }
}
