//! `hostward policy check`.

use std::io::{self, BufWriter, Write as _};

use clap::Args;
use hostward_policy::Severity;

use super::super::Outcome;
use super::ready::Ready;
use super::tell::{Summary, colours, json, messages};
use super::{EXIT_CODES, PolicyFiles, not_ready};
use crate::clock::{SystemZone, now};

/// Arguments of `policy check`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
#[non_exhaustive]
pub struct Check {
    /// The files.
    #[command(flatten)]
    pub policy: PolicyFiles,

    /// Warnings are errors
    #[arg(long)]
    pub strict: bool,

    /// Write JSON, one message a line, instead of a text to read
    #[arg(long)]
    pub json: bool,
}

impl Check {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Those of writing to standard output.
    pub fn run(self) -> io::Result<Outcome> {
        let zone = SystemZone::new();
        let ready = match Ready::new(self.policy.wanted(), Some((now(), &zone))) {
            Ok(ready) => ready,
            Err(error) => return Ok(not_ready(&error)),
        };
        let summary = Summary {
            ready: &ready,
            strict: self.strict,
        };
        let stdout = io::stdout();
        let style = colours(&stdout);
        let mut out = BufWriter::new(stdout.lock());
        if self.json {
            for diagnostic in &ready.diagnostics {
                json(&mut out, diagnostic, &ready.sources)?;
            }
            summary.json(&mut out)?;
        } else {
            out.write_all(messages(&ready, style, Severity::Note).as_bytes())?;
            writeln!(out, "{}", summary.text())?;
        }
        out.flush()?;
        Ok(if summary.is_fine() {
            Outcome::Done
        } else {
            Outcome::Failed
        })
    }
}
