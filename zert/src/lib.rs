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
#[cfg(feature = "std")]
extern crate std;

pub mod advice;
pub mod aggregate;
mod cert;
pub mod code;
mod config;
mod conn;
mod datagram;
pub mod discovery;
pub mod enforce;
mod entries;
mod entry;
mod fingerprint;
mod intern;
mod names;
pub mod nmi;
mod pair;
mod pool;
mod reader;
pub mod record;
mod seen;
mod shared;
mod significant;
#[cfg(feature = "smf")]
pub mod smf;
mod ssh;
mod text;
mod tls;
mod told;
mod watch;
mod zert;

pub use config::Config;
pub use datagram::{DatagramConfig, DatagramCounts, DatagramSlot, Datagrams, udp_payload};
pub use names::{SUITES, Suite};
pub use record::{Field, Protocol, Record};
pub use text::{CertTime, Hex, Ja4, KeyFingerprint, Text};
pub use zert::{Counts, Memory, Slot, Zert};
