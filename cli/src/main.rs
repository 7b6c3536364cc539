//! The `hostward` command.

#![forbid(unsafe_code)]

fn main() {}
