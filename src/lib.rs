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
#[cfg(all(feature = "ipsec", feature = "smf"))]
mod records;
#[cfg(feature = "ipsec")]
mod tunnels;

pub use codes::codes;
pub use config::{GuardConfig, Mode};
pub use counters::Counters;
pub use detail::Detail;
pub use guard::{Guard, Slots};
#[cfg(all(feature = "ipsec", feature = "smf"))]
pub use records::TunnelRecords;
#[cfg(feature = "ipsec")]
pub use tunnels::Associations;

pub use hostward_crypto as crypto;
pub use hostward_filter as filter;
pub use hostward_hook as hook;
pub use hostward_ids as ids;
#[cfg(feature = "ike")]
pub use hostward_ike as ike;
#[cfg(feature = "ipsec")]
pub use hostward_ipsec as ipsec;
pub use hostward_policy as policy;
#[cfg(feature = "smf")]
pub use hostward_smf as smf;
pub use hostward_zert as zert;

/// Runs the examples of the manual.
#[cfg(doctest)]
#[doc = include_str!("../docs/manual/defensive-filters.md")]
mod manual {}

/// Runs the examples of the manual.
#[cfg(all(doctest, feature = "ipsec"))]
#[doc = include_str!("../docs/manual/ipsec.md")]
mod manual_ipsec {}
