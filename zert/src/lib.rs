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

mod cert;
pub mod code;
mod config;
mod conn;
pub mod discovery;
pub mod enforce;
mod fingerprint;
mod names;
pub mod nmi;
mod pair;
mod pool;
mod reader;
pub mod record;
mod ssh;
mod text;
mod tls;
mod watch;
mod zert;

pub use config::Config;
pub use names::{SUITES, Suite};
pub use record::{Field, Protocol, Record};
pub use text::{CertTime, Hex, Ja4, KeyFingerprint, Text};
pub use zert::{Counts, Slot, Zert};
