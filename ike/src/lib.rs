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

pub mod auth;
pub mod certificate;
pub mod cookie;
mod der;
pub mod identity;
pub mod keys;
pub mod loopback;
pub mod machine;
pub mod message;
pub mod policy;
pub mod proposal;
pub mod protect;
pub mod selector;
#[cfg(test)]
mod testing;
