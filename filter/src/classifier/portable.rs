//! Stands for the module with vector instructions where there are none.

use super::flat::{Flat, WordLanes, Words};
use super::map::{Map4, Map6};
use super::part::Part;
use super::services::Services;
use super::table::{Block, Fields, Lane};

/// Which instructions the batch stages use: none in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Level;

impl Level {
    pub(super) const fn detect() -> Self {
        Self
    }

    pub(super) const fn narrower(self) -> Self {
        self
    }

    pub(super) const fn is_portable(self) -> bool {
        true
    }

    pub(super) const fn name(self) -> &'static str {
        "portable"
    }
}

/// Stages that do nothing and say so.
pub(super) mod stage {
    use super::*;

    pub(crate) const fn map4(_: Level, _: &Map4, _: &Lane, _: &mut Lane, _: usize) -> bool {
        false
    }

    pub(crate) const fn upper(_: Level, _: &Map6, _: &Block<u128>, _: &mut Lane, _: usize) -> bool {
        false
    }

    pub(crate) const fn joined(_: Level, _: &[u32], _: &mut Lane, _: &mut Lane, _: usize) -> bool {
        false
    }

    pub(crate) const fn flat_one<const F: usize>(
        _: Level,
        _: &Flat,
        _: &Words<F>,
        _: &mut u32,
    ) -> bool {
        false
    }

    pub(crate) const fn flat<const F: usize>(
        _: Level,
        _: &Flat,
        _: &WordLanes,
        _: &mut Lane,
        _: usize,
    ) -> bool {
        false
    }

    pub(crate) const fn services(
        _: Level,
        _: &Services,
        _: &Fields,
        _: &mut Lane,
        _: usize,
    ) -> bool {
        false
    }

    pub(crate) const fn part(
        _: Level,
        _: &Part,
        _: (&Lane, &Lane),
        _: &Lane,
        _: &Services,
        _: &mut Lane,
        _: usize,
    ) -> bool {
        false
    }
}
