//! The parts of the `hostward` command.
//!
//! The command runs the guard over capture files. What it needs around the guard lives here, each
//! part usable and testable on its own:
//!
//! - [`capture`] turns a capture file of any usual format and link type into IP packets.
//!
//! Nothing a capture file says can make these parts panic or grow without bound.

#![forbid(unsafe_code)]
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "the command needs an operating system anyway"
)]

pub mod capture;
pub mod escape;
