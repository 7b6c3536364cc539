#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)] // classifier::simd is the one exception
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

mod address;
pub mod classifier;
mod filter;
mod rule;

pub use address::{AddressError, AddressSpec, Prefix, Range};
pub use filter::{
    CODES, DENIED, Decision, Filter, IMPLIED_DENY, NOT_THROUGH_TUNNEL, PERMITTED, Tunnels,
};
pub use rule::{
    Action, Connect, Discard, Logging, Rule, RuleDirection, RuleRouting, RuleSet, Selectors, Upper,
};
