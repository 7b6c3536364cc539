//! `hostward rules`: rules of other programs.

use std::fs;
use std::io::{self, Read as _, Write as _};

use clap::{Args, Subcommand, ValueEnum};

use super::Outcome;
use crate::escape::escaped;
use crate::import::{Format, Imported, MOST_BYTES, Options, import};

const EXIT_CODES: &str = "Exit codes:
  0  a policy was written; what could not be expressed was told on standard error
  1  with --strict: something could not be expressed; or the output could not be written
  2  the command line is wrong, or the file cannot be read or understood";

/// Arguments of `rules`.
#[derive(Args, Debug)]
#[non_exhaustive]
pub struct RulesArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// What can be done with rules of other programs.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum RulesCommand {
    /// Turn rules of iptables or nftables into a policy, and tell what could not be expressed
    Import(Import),
}

impl RulesArgs {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Those of writing to standard output.
    pub fn run(self) -> io::Result<Outcome> {
        match self.command {
            RulesCommand::Import(import) => import.run(),
        }
    }
}

/// Where rules come from.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[non_exhaustive]
pub enum From {
    /// The output of `iptables-save` or `ip6tables-save`
    IptablesSave,
    /// The output of `nft --json list ruleset`
    NftJson,
}

/// Arguments of `rules import`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
#[non_exhaustive]
pub struct Import {
    /// Where the rules come from
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub from: From,

    /// The file; `-` is standard input
    pub file: String,

    /// Write the policy here instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub output: Option<String>,

    /// The dump is one of ip6tables-save, also where nothing in it says so
    #[arg(long)]
    pub ipv6: bool,

    /// Leave denies out that cannot be expressed exactly, instead of denying all they may be about:
    /// the policy may then permit more than the source does
    #[arg(long)]
    pub skip_denies: bool,

    /// End with 1 when something could not be expressed
    #[arg(long)]
    pub strict: bool,
}

impl Import {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Those of writing to standard output.
    pub fn run(self) -> io::Result<Outcome> {
        let file = if self.file == "-" {
            "standard input"
        } else {
            &self.file
        };
        let failed = |error: &dyn std::fmt::Display| {
            let text = format!("{file}: {error}");
            // A closed standard error is no reason for another exit code.
            let _ = writeln!(io::stderr(), "error: {}", escaped(&text));
            Ok(Outcome::Usage)
        };
        let bytes = match self.read() {
            Ok(bytes) => bytes,
            Err(error) => return failed(&error),
        };
        let format = match self.from {
            From::IptablesSave => Format::IptablesSave,
            From::NftJson => Format::NftJson,
        };
        let options = Options::default()
            .ipv6(self.ipv6)
            .skip_denies(self.skip_denies);
        let imported = match import(&bytes, format, &options) {
            Ok(imported) => imported,
            Err(error) => return failed(&error),
        };
        match &self.output {
            None => io::stdout().lock().write_all(imported.policy.as_bytes())?,
            Some(output) => {
                if let Err(error) = fs::write(output, &imported.policy) {
                    let text = format!("{output}: {error}");
                    let _ = writeln!(io::stderr(), "error: {}", escaped(&text));
                    return Ok(Outcome::Failed);
                }
            }
        }
        let _ = tell(&imported);
        Ok(if self.strict && !imported.findings.is_empty() {
            Outcome::Failed
        } else {
            Outcome::Done
        })
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // One byte more than is read tells that there is more.
        let most = MOST_BYTES as u64 + 1;
        if self.file == "-" {
            io::stdin().lock().take(most).read_to_end(&mut bytes)?;
        } else {
            fs::File::open(&self.file)?
                .take(most)
                .read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }
}

/// Tells what could not be expressed.
fn tell(imported: &Imported) -> io::Result<()> {
    let mut out = io::stderr().lock();
    for finding in &imported.findings {
        writeln!(out, "{}", escaped(&finding.to_string()))?;
    }
    let rules = imported.rules;
    match imported.findings.len() {
        0 => writeln!(out, "{rules} rules; everything was expressed"),
        n => writeln!(out, "{rules} rules; {n} things are not as in the source"),
    }
}
