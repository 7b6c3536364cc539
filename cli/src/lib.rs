//! The parts of the `hostward` command.
//!
//! The command runs the guard over capture files. What it needs around the guard lives here, each
//! part usable and testable on its own:
//!
//! - [`capture`] turns a capture file of any usual format and link type into IP packets;
//! - [`local`] finds out which side of a capture is the host;
//! - [`feed`] hands the packets to an [`engine`], which judges them;
//! - [`report`] tells what the engine found, as JSON lines or as a text to read;
//! - [`command`] is the command line.
//!
//! Nothing a capture file says can make these parts panic or grow without bound.

#![forbid(unsafe_code)]
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "the command needs an operating system anyway"
)]

pub mod capture;
pub mod clock;
pub mod command;
pub mod engine;
pub mod escape;
pub mod feed;
pub mod guarded;
pub mod import;
pub mod inventory;
pub mod local;
pub mod report;
