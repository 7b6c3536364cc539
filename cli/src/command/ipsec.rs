//! `hostward ipsec`: tunnels.

use std::io::{self, BufWriter, Write as _};

use clap::{Args, Subcommand};
use hostward_policy::Severity;
use serde::Serialize;

use super::Outcome;
use super::policy::tunnels::{TunnelJson, tunnels};
use super::policy::{PolicyFiles, Ready, colours, messages, not_ready, number};
use crate::escape::escaped;
use crate::report::json::write_line;

const AFTER: &str = "Exit codes:
  0  everything was told
  1  the policy has errors, or the output could not be written
  2  the command line is wrong, or a file on it cannot be read";

/// Arguments of `ipsec`.
#[derive(Args, Debug)]
#[non_exhaustive]
pub struct IpsecArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: IpsecCommand,
}

/// The sub-commands of `ipsec`.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum IpsecCommand {
    /// Tell the tunnels of a policy: those whose keys are written down and those that rules want
    /// negotiated
    Show(Show),
}

impl IpsecArgs {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Those of writing to standard output.
    pub fn run(self) -> io::Result<Outcome> {
        match self.command {
            IpsecCommand::Show(show) => show.run(),
        }
    }
}

/// Arguments of `ipsec show`.
#[derive(Args, Debug)]
#[command(after_help = AFTER)]
#[non_exhaustive]
pub struct Show {
    /// The Policy Agent's main file, the file of a stack, or policy files; `-` is standard input
    #[arg(long = "policy", required = true, value_name = "FILE")]
    pub files: Vec<String>,

    /// The stack whose policy it is, by the name on its `TcpImage`; else the first one
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,

    /// Write JSON, one tunnel a line, instead of a text to read
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    tunnel: TunnelJson<'a>,
}

impl Show {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Those of writing to standard output.
    pub fn run(self) -> io::Result<Outcome> {
        let files = PolicyFiles {
            files: self.files,
            profile: None,
            stack: self.stack,
        };
        let ready = match Ready::new(files.wanted(), None) {
            Ok(ready) => ready,
            Err(error) => return Ok(not_ready(&error)),
        };
        if ready.diagnostics.has_errors() {
            let text = messages(&ready, colours(&io::stderr()), Severity::Error);
            // A closed standard error is no reason for another exit code.
            let _ = io::stderr().write_all(text.as_bytes());
            return Ok(Outcome::Failed);
        }
        let all = tunnels(&ready).unwrap_or_default();
        let mut out = BufWriter::new(io::stdout().lock());
        if self.json {
            for told in &all {
                write_line(
                    &mut out,
                    &Line {
                        r#type: "tunnel",
                        tunnel: TunnelJson::of(told),
                    },
                )?;
            }
        } else {
            writeln!(out, "{}\n", number(all.len() as u64, "tunnel"))?;
            for told in &all {
                for line in told.text().lines() {
                    writeln!(out, "{}", escaped(line))?;
                }
                writeln!(out)?;
            }
        }
        out.flush()?;
        Ok(Outcome::Done)
    }
}
