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

mod acquire;
mod ah;
pub mod codes;
mod directory;
pub mod display;
mod engine;
mod ip;
mod ipsec;
pub mod manual;
mod message;
mod pair;
mod pass;
pub mod sa;
mod selector;
mod spd;
pub mod suite;
mod table;
pub mod told;
pub mod udp;

pub use acquire::HoldConfig;
pub use directory::{Directory, DirectoryError};
pub use ipsec::{InstallError, Ipsec, IpsecConfig, LocalAddresses, Released, Removal};
pub use manual::ManualTunnel;
pub use message::Message;
pub use pair::{IkeFacts, Install, Sending, Tunnel};
pub use sa::{Inbound, Outbound, Parameters, Refused};
pub use selector::{Addresses, Ports, Selectors, Traffic, Upper};
pub use spd::{Decision, Entry, FromPacket, Policy, Processing, Spd, Way, everything};
pub use suite::Suite;
