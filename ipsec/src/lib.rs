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

mod directory;
mod selector;
mod spd;
mod table;

pub use directory::{Directory, DirectoryError};
pub use selector::{Addresses, Ports, Selectors, Traffic, Upper};
pub use spd::{Decision, Entry, FromPacket, Policy, Processing, Spd, Way, everything};
