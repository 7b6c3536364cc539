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
mod analysis;
pub mod classifier;
mod compiled;
mod filter;
mod members;
mod rule;
mod rule_set;
mod selectors;
mod service;
mod simple;
mod time;

pub use address::{AddressError, AddressSpec, Prefix, Range};
pub use analysis::{Analysis, Never, Oddity, analyze};
pub use compiled::CompiledRules;
pub use filter::{
    CODES, DENIED, Decision, Filter, IMPLIED_DENY, NOT_THROUGH_TUNNEL, PERMITTED, Tunnels,
};
pub use members::{Group, Members};
pub use rule::{Action, Discard, Logging, Rule};
pub use rule_set::{InForce, Origin, RuleSet, Settings, Tunnel, TunnelKind};
pub use selectors::{Header, Opening, Selectors};
pub use service::{Connect, Orientation, RuleDirection, RuleRouting, Service, Upper};
pub use simple::{Context, SimpleFilter};
pub use time::{DateTime, FixedOffset, LocalTime, TimeCondition, TimeError, TimeOfDay, Zone};
