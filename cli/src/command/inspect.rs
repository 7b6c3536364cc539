//! `hostward inspect`: the guard over capture files.

use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use hostward::GuardConfig;
use hostward::filter::{Filter, RuleSet};
use hostward::hook::Code;
use hostward::hook::flow::{FlowConfig, HashKey};
use hostward_policy::Severity;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ipnet::IpNet;

use super::Outcome;
use super::policy::{Ready, Wanted, colours, messages, not_ready};
use crate::capture::tunnel::DEFAULT_DEPTH;
use crate::clock::SystemZone;
use crate::engine::Engine;
use crate::feed::{Feed, Watcher};
use crate::guarded::{Guarded, name_of};
use crate::local::{Local, parse_prefix};
use crate::report::line::SummaryLine;
use crate::report::{JsonReport, Output, Remark, TextReport};

/// Flows remembered at once unless the user says otherwise: about 100 MB when all are in use.
pub(super) const FLOWS: usize = 131_072;

/// Input from which a progress bar is worth showing.
const LARGE: u64 = 32 * 1024 * 1024;

const EXIT_CODES: &str = "Exit codes:
  0  everything was done
  1  a capture could not be read to its end, the policy has errors, or the output could not be written
  2  the command line is wrong, or a policy file on it cannot be read";

/// Arguments of `inspect`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
#[non_exhaustive]
pub struct Inspect {
    /// Captures, read one after the other: pcap or pcapng, plain or gzip; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The addresses that are this host, as a prefix; may be repeated. Without it the side that
    /// accepts connections is taken, or else the most frequent address
    #[arg(long, value_name = "PREFIX", value_parser = parse_prefix, value_delimiter = ',')]
    pub local: Vec<IpNet>,

    /// The policy that decides packets: the Policy Agent's main file, the file of a stack, or a
    /// policy file; may be repeated, a later policy file overrides an earlier one. Nothing is
    /// hidden from other controls: the report tells what would be denied, and which connections
    /// zERT rules would reset
    #[arg(long, value_name = "FILE")]
    pub policy: Vec<String>,

    /// The stack whose policy it is, by the name on its `TcpImage`; else the first one
    #[arg(long, value_name = "NAME", requires = "policy")]
    pub stack: Option<String>,

    /// The TCP/IP profile whose `IPSEC` block has the default rules; without a policy they decide
    #[arg(long, value_name = "FILE")]
    pub profile: Option<String>,

    /// Tell the steps in the life of each connection's protection as well (in a report: every
    /// event)
    #[arg(long)]
    pub events: bool,

    /// Tell the decision about every packet
    #[arg(long)]
    pub decisions: bool,

    /// Write JSON, one object a line, instead of a report to read
    #[arg(long)]
    pub json: bool,

    /// Tell wrong checksums; not for captures taken on the sending host, where they are not filled
    /// in yet
    #[arg(long)]
    pub checksums: bool,

    /// How many flows are remembered at once; of connections beyond that, and beyond those that
    /// can give way, there is no record
    #[arg(long, value_name = "NUMBER", default_value_t = FLOWS)]
    pub flows: usize,

    /// How deep tunnels are opened; 0 takes every packet as it is
    #[arg(long, value_name = "DEPTH", default_value_t = DEFAULT_DEPTH)]
    pub tunnels: usize,
}

impl Inspect {
    /// Runs it, writing to standard output and remarks to standard error.
    ///
    /// # Errors
    ///
    /// Those of writing to standard output.
    pub fn run(self) -> io::Result<Outcome> {
        let ready = if self.policy.is_empty() && self.profile.is_none() {
            None
        } else {
            match self.ready() {
                Ok(ready) => Some(ready),
                Err(outcome) => return Ok(outcome),
            }
        };
        let stdout = io::stdout();
        let out = BufWriter::with_capacity(64 * 1024, stdout.lock());
        // A random key for each run: captures are hostile input too.
        let key = HashKey::new(random()?);
        let config = GuardConfig {
            flows: FlowConfig {
                capacity: self.flows,
                ..FlowConfig::default()
            },
            ..GuardConfig::default()
        };
        let mut engine = Guarded::new(config, key, self.checksums, self.tunnels);
        if let Some(ready) = ready {
            // A policy of zERT alone leaves packets alone.
            if ready.policy.is_some() || ready.defaults.is_some() || ready.zert.is_none() {
                engine = engine.filter(filter(&ready), |rule| {
                    let (file, line) = ready.place(rule)?;
                    Some((file.to_owned(), line))
                });
            }
            if let Some(zert) = &ready.zert {
                engine = engine.enforce(&zert.rule_set);
            }
        }
        let mut watcher = Terminal::new(self.total_length());
        if self.json {
            let mut report = JsonReport::new(out, self.events, self.decisions);
            self.drive(&mut engine, &mut report, &mut watcher)
        } else {
            let width = console::Term::stdout().size_checked().map(|(_, w)| w);
            let mut report = TextReport::new(out, self.events, self.decisions, width, |code| {
                name_of(Code::new(code))
            });
            self.drive(&mut engine, &mut report, &mut watcher)
        }
    }

    /// Reads the policy. Its errors are an outcome; errors and warnings are told.
    fn ready(&self) -> Result<Ready, Outcome> {
        let wanted = Wanted {
            files: &self.policy,
            profile: self.profile.as_deref(),
            stack: self.stack.as_deref(),
        };
        // The capture has its own time: what is over now may not have been then.
        let ready = Ready::new(wanted, None).map_err(|e| not_ready(&e))?;
        let errors = ready.diagnostics.has_errors();
        let least = if errors {
            Severity::Error
        } else {
            Severity::Warning
        };
        let text = messages(&ready, colours(&io::stderr()), least);
        // A closed standard error is no reason to stop.
        let _ = io::stderr().write_all(text.as_bytes());
        if errors {
            return Err(Outcome::Failed);
        }
        Ok(ready)
    }

    /// Feeds the files to an engine and tells the summary.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn drive(
        &self,
        engine: &mut dyn Engine,
        out: &mut dyn Output,
        watcher: &mut Terminal,
    ) -> io::Result<Outcome> {
        let started = Instant::now();
        let cpu = processor_time();
        let local = (!self.local.is_empty()).then(|| Local::named(self.local.clone()));
        let mut feed = Feed::new(&mut *engine, &mut *out, watcher, self.tunnels, local);
        for file in &self.files {
            feed.file(file)?;
        }
        let fed = feed.finish()?;
        let totals = engine.finish(&mut *out)?;
        watcher.finish();
        let elapsed = started.elapsed();
        let summary = SummaryLine {
            packets: fed.packets,
            bytes: fed.bytes,
            flows: totals.flows,
            dropped: totals.dropped,
            rules: totals.rules,
            elapsed_s: elapsed.as_secs_f64(),
            cpu_s: processor_time()
                .zip(cpu)
                .map(|(end, start)| end.saturating_sub(start).as_secs_f64()),
            packets_per_s: (!elapsed.is_zero()).then(|| fed.packets as f64 / elapsed.as_secs_f64()),
        };
        out.summary(&summary, &fed.input)?;
        Ok(if fed.failed_files > 0 {
            Outcome::Failed
        } else {
            Outcome::Done
        })
    }

    /// Length of all files together, if all have one.
    fn total_length(&self) -> Option<u64> {
        self.files
            .iter()
            .map(|f| {
                std::fs::metadata(f)
                    .ok()
                    .filter(|m| m.is_file())
                    .map(|m| m.len())
            })
            .sum()
    }
}

/// The filter of a policy without errors.
fn filter(ready: &Ready) -> Filter {
    let defaults = ready.defaults.as_ref();
    let defaults = defaults.map_or_else(|| RuleSet::defaults(Vec::new(), 0), |(d, _)| d.clone());
    let defaults = Arc::new(defaults);
    let filter = match &ready.policy {
        Some(policy) => Filter::new(Arc::new(policy.rule_set.clone())).defaults(defaults),
        None => Filter::with_defaults(defaults),
    };
    filter.local_time(Arc::new(SystemZone::new()))
}

/// Sixteen bytes nobody can guess.
pub(super) fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// Processor time of the process so far.
fn processor_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let seconds = u64::try_from(t.tv_sec).ok()?;
        Some(Duration::new(seconds, u32::try_from(t.tv_nsec).ok()?))
    }
    #[cfg(not(unix))]
    None
}

/// Remarks on standard error, and a progress bar there while large files are read at a terminal.
#[derive(Debug)]
pub struct Terminal {
    bar: ProgressBar,
    before: u64,
    last: u64,
}

impl Terminal {
    /// `total` is the length of all input, if it is known.
    #[must_use]
    pub fn new(total: Option<u64>) -> Self {
        let bar = match total {
            Some(total) if total >= LARGE && io::stderr().is_terminal() => {
                let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
                if let Ok(style) = ProgressStyle::with_template(
                    "{bytes} of {total_bytes} {wide_bar} {binary_bytes_per_sec}, {eta} left",
                ) {
                    bar.set_style(style);
                }
                bar
            }
            Some(_) | None => ProgressBar::hidden(),
        };
        Self {
            bar,
            before: 0,
            last: 0,
        }
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Watcher for Terminal {
    fn remark(&mut self, remark: &Remark) {
        // A closed standard error is no reason to stop.
        self.bar.suspend(|| {
            let _ = writeln!(io::stderr(), "{remark}");
        });
    }

    fn progress(&mut self, read: u64) {
        // A count that goes back is that of the next file.
        if read < self.last {
            self.before = self.before.saturating_add(self.last);
        }
        self.last = read;
        self.bar.set_position(self.before.saturating_add(read));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn processor_time_goes_on() {
        let first = processor_time().unwrap();
        let mut x = 0_u64;
        while processor_time().unwrap() == first {
            x = std::hint::black_box(x.wrapping_add(1));
        }
        assert!(processor_time().unwrap() > first);
    }
}
