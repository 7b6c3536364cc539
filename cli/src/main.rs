//! The `hostward` command.

#![forbid(unsafe_code)]
#![allow(
    clippy::std_instead_of_core,
    reason = "the command needs an operating system anyway"
)]

use std::process::ExitCode;

fn main() -> ExitCode {
    hostward_cli::command::run(std::env::args_os()).into()
}
