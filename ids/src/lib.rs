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

pub mod codes;
pub mod event;
pub mod host;
mod ids;
pub mod malformed;
pub mod policy;
mod report;

pub use ids::{Config, Ids, Slot};
pub use report::Seen;
