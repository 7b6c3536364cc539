//! `hostward speed`: what things take on this machine.

pub mod crypto;
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
}

impl SpeedArgs {
    pub(super) fn run(self) -> io::Result<Outcome> {
        match self.what {
            What::Crypto(crypto) => crypto.run(),
        }
    }
}
