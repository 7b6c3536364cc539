//! `hostward speed`: what things take on this machine.

pub mod crypto;
pub mod esp;
mod measure;
mod raw;

use std::io;

use clap::{Args, Subcommand};

use super::Outcome;

/// Arguments of `speed`.
#[derive(Args, Debug)]
#[non_exhaustive]
pub struct SpeedArgs {
    /// What to measure
    #[command(subcommand)]
    pub what: What,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum What {
    /// Cryptography: every backend, through the interface and by the library's own call
    Crypto(crypto::Crypto),
    /// ESP: sealing and opening packets, beside the cryptography alone
    Esp(esp::Esp),
}

impl SpeedArgs {
    pub(super) fn run(self) -> io::Result<Outcome> {
        match self.what {
            What::Crypto(crypto) => crypto.run(),
            What::Esp(esp) => esp.run(),
        }
    }
}
