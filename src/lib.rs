#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::std_instead_of_core,
        clippy::std_instead_of_alloc,
        clippy::alloc_instead_of_core
    )
)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod codes;
mod config;
mod counters;
mod detail;
mod guard;

pub use codes::codes;
pub use config::{GuardConfig, Mode};
pub use counters::Counters;
pub use detail::Detail;
pub use guard::{Guard, Slots};

pub use hostward_crypto as crypto;
pub use hostward_filter as filter;
pub use hostward_hook as hook;
pub use hostward_ids as ids;
pub use hostward_ike as ike;
pub use hostward_policy as policy;
#[cfg(feature = "smf")]
pub use hostward_smf as smf;
pub use hostward_zert as zert;

/// Runs the examples of the manual.
#[cfg(doctest)]
#[doc = include_str!("../docs/manual/defensive-filters.md")]
mod manual {}
