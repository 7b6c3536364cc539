//! `hostward policy`: what an administrator does with policy files.

mod check;
mod explain;
mod format;
mod ready;
mod show;
mod tell;
pub(crate) mod tunnels;
mod words;
mod zert;

use std::io::{self, Write as _};

use clap::{Args, Subcommand};

use super::Outcome;
use crate::escape::escaped;

pub use check::Check;
pub use explain::Explain;
pub use format::Format;
pub(crate) use ready::{NotReady, Ready, Wanted};
pub use show::Show;
pub(crate) use tell::{colours, messages, number};

const EXIT_CODES: &str = "Exit codes:
  0  the policy can be installed
  1  it has errors (with --strict: or warnings), or the output could not be written
  2  the command line is wrong, or a file on it cannot be read";

/// Tells why nothing can be said about a policy.
pub(crate) fn not_ready(error: &NotReady) -> Outcome {
    // A closed standard error is no reason to stop.
    let _ = writeln!(io::stderr(), "error: {}", escaped(&error.to_string()));
    Outcome::Usage
}

/// Arguments of `policy`.
#[derive(Args, Debug)]
#[non_exhaustive]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// What can be done with policy files.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum PolicyCommand {
    /// Tell all that is wrong with a policy, and what is probably not meant
    Check(Check),
    /// Lay policy files out in the canonical way
    Format(Format),
    /// Tell the IP filter rules, the tunnels and the zERT rules as they are in force, in the order in which they are
    /// tried
    Show(Show),
    /// Tell what the rules do with one packet, and why those before the one that decides do not
    Explain(Explain),
}

impl PolicyArgs {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Those of writing to standard output.
    pub fn run(self) -> io::Result<Outcome> {
        match self.command {
            PolicyCommand::Check(check) => check.run(),
            PolicyCommand::Format(format) => format.run(),
            PolicyCommand::Show(show) => show.run(),
            PolicyCommand::Explain(explain) => explain.run(),
        }
    }
}

/// The files of a policy as a user names them.
#[derive(Args, Clone, Debug)]
#[non_exhaustive]
pub struct PolicyFiles {
    /// The Policy Agent's main file, the file of a stack, or policy files, of which a later one
    /// overrides an earlier one; `-` is standard input. What each is, is told from its statements
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,

    /// The TCP/IP profile whose `IPSEC` block has the default rules
    #[arg(long, value_name = "FILE")]
    pub profile: Option<String>,

    /// The stack whose policy it is, by the name on its `TcpImage`; else the first one
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
}

impl PolicyFiles {
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            files: &self.files,
            profile: self.profile.as_deref(),
            stack: self.stack.as_deref(),
        }
    }
}
