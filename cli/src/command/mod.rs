//! The sub-commands, one file each.
//!
//! A new one is a file here with its arguments and a `run`, a variant of [`Command`] and an arm
//! in its `run`.

pub mod classify;
pub mod inspect;
pub mod ipsec;
pub mod policy;
pub mod rules;
pub mod smf;
pub mod speed;
pub mod zert;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// How a command ended, as its exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Everything was done: 0.
    Done,
    /// A capture could not be read, or not to its end, a policy or a record has errors, or output
    /// could not be written: 1.
    Failed,
    /// The command line is wrong, or a policy file named there cannot be read: 2.
    Usage,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Failed => 1,
            Outcome::Usage => 2,
        })
    }
}

/// Security controls for any TCP/IP host.
#[derive(Debug, Parser)]
#[command(name = "hostward", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
#[non_exhaustive]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes:
  0  everything was done
  1  a capture could not be read to its end, a policy or a record has errors, or the output could not be written
  2  the command line is wrong, or a policy file on it cannot be read";

/// The sub-commands.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Run the guard over capture files and tell what it found
    Inspect(inspect::Inspect),
    /// Find the first matching rule of plain headers, and how long that takes
    Classify(classify::Classify),
    /// Check, lay out and show policies in the language of the Policy Agent
    Policy(policy::PolicyArgs),
    /// Tell about tunnels
    Ipsec(ipsec::IpsecArgs),
    /// Take over rules of other programs
    Rules(rules::RulesArgs),
    /// Look into files of SMF records
    Smf(smf::SmfArgs),
    /// Tell how connections are protected
    Zert(zert::ZertArgs),
    /// Measure what things take on this machine
    Speed(speed::SpeedArgs),
}

impl Command {
    fn run(self) -> io::Result<Outcome> {
        match self {
            Self::Inspect(inspect) => inspect.run(),
            Self::Classify(classify) => classify.run(),
            Self::Policy(policy) => policy.run(),
            Self::Ipsec(ipsec) => ipsec.run(),
            Self::Rules(rules) => rules.run(),
            Self::Smf(smf) => smf.run(),
            Self::Zert(zert) => zert.run(),
            Self::Speed(speed) => speed.run(),
        }
    }
}

/// Runs the command line.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Outcome {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a closed terminal; help and version are no errors.
            let _ = error.print();
            return if error.use_stderr() {
                Outcome::Usage
            } else {
                Outcome::Done
            };
        }
    };
    match cli.command.run() {
        Ok(outcome) => outcome,
        // Whoever reads the output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Outcome::Done,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: output cannot be written: {error}");
            Outcome::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
