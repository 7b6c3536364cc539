//! The tables: what the language consists of.

pub mod files;
pub mod ids;
pub mod ipsec;
pub mod zert;

use crate::schema::Discipline;

/// All disciplines of this crate.
pub const ALL: &[&Discipline] = &[
    &files::DISCIPLINE,
    &ipsec::DISCIPLINE,
    &zert::DISCIPLINE,
    &ids::DISCIPLINE,
];
