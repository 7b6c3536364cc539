//! `hostward classify`: plain rule sets and header traces through the filter's classifier.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use hostward::filter::classifier::tuples::{self, Header, TupleAddress, TupleError};
use hostward::filter::classifier::{Classifier, Key, NONE, Pattern};
use serde::Serialize;

use super::Outcome;

const AFTER: &str = "A rule is a line `@SRC/LEN DST/LEN LO : HI LO : HI 0xPP/0xMM FLAGS`, a header a line
`SRC DST SPORT DPORT PROTO … MATCH`, columns separated by tabs; the two ports constrain every protocol.
Files that end in .xz are unpacked. At most 256 MiB of text and 16777216 headers are taken.

Exit codes:
  0  everything was done
  1  the output could not be written
  2  the command line is wrong, or a file on it cannot be read";

/// Keys that are handed over together.
const BATCH: usize = 256;

/// Headers that are compared with all rules one by one: enough for a median.
const SAMPLE: usize = 500;

/// The longest text that is read, packed or not.
const LARGEST: u64 = 1 << 28;

/// The most headers that are taken: a line of an order takes ten times its length in memory.
const MOST_HEADERS: usize = 1 << 24;

/// Arguments of `classify`.
#[derive(Args, Debug)]
#[command(after_help = AFTER)]
#[non_exhaustive]
pub struct Classify {
    /// Rules, one a line, the first that matches decides
    #[arg(long, value_name = "FILE")]
    pub rules: PathBuf,

    /// Headers to classify, one a line
    #[arg(long, value_name = "FILE")]
    pub trace: PathBuf,

    /// The order in which headers are taken: numbers of lines of the trace, from 0
    #[arg(long, value_name = "FILE")]
    pub order: Option<PathBuf>,

    /// How many rounds are timed
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub repeat: u32,

    /// Print figures as one JSON object instead of the position of each header's first rule
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints. Times are thread CPU nanoseconds a header: medians of rounds taken in turn,
/// the first one left out, nothing cached between headers.
#[derive(Debug, Serialize)]
struct Figures {
    rules: usize,
    headers: usize,
    build_ms: f64,
    memory_bytes: usize,
    batch: usize,
    kernel: &'static str,
    repeat: u32,
    ns_single: f64,
    ns_batch: f64,
    ns_linear: f64,
    /// Headers whose answer is not the one of the trace.
    mismatches: usize,
}

/// Why a file is of no use.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{0}")]
    Read(#[from] io::Error),
    #[error("{0}")]
    Tuple(#[from] TupleError),
    #[error("line {line}: number of a header expected, 0 to {}", headers.saturating_sub(1))]
    Order { line: usize, headers: usize },
    #[error("line {line}: more than {MOST_HEADERS} headers", line = MOST_HEADERS + 1)]
    Many,
    #[error("its text is longer than {} MiB", LARGEST >> 20)]
    Large,
}

impl Classify {
    pub(super) fn run(self) -> io::Result<Outcome> {
        let Some(rules) = told(&self.rules, text(&self.rules)) else {
            return Ok(Outcome::Usage);
        };
        if tuples::is_ipv6(&rules) {
            self.family::<u128>(&rules)
        } else {
            self.family::<u32>(&rules)
        }
    }

    fn family<A: TupleAddress>(&self, rules: &str) -> io::Result<Outcome> {
        let rules = told(
            &self.rules,
            tuples::rules::<A>(rules).map_err(Unusable::from),
        );
        let Some(rules) = rules else {
            return Ok(Outcome::Usage);
        };
        let read = || {
            let text = text(&self.trace)?;
            few(&text)?;
            Ok(tuples::headers::<A>(&text)?)
        };
        let Some(mut headers) = told(&self.trace, read()) else {
            return Ok(Outcome::Usage);
        };
        if let Some(file) = &self.order {
            let Some(ordered) = told(file, order(file, &headers)) else {
                return Ok(Outcome::Usage);
            };
            headers = ordered;
        }
        let (keys, expect): (Vec<Key<A>>, Vec<Option<u32>>) = headers.into_iter().unzip();
        let count = rules.len();
        let start = thread_time();
        let classifier = Classifier::new(rules);
        let build = thread_time() - start;
        let mut answers = vec![NONE; keys.len()];
        for (keys, answers) in keys.chunks(BATCH).zip(answers.chunks_mut(BATCH)) {
            classifier.first_match_batch(keys, answers);
        }
        let mut out = BufWriter::new(io::stdout().lock());
        if !self.json {
            for answer in &answers {
                match *answer {
                    NONE => writeln!(out, "-1")?,
                    n => writeln!(out, "{n}")?,
                }
            }
            out.flush()?;
            return Ok(Outcome::Done);
        }
        let agrees = |answer: u32, expect: &Option<u32>| answer == expect.unwrap_or(NONE);
        // Both entries are compared with the trace.
        let mismatches = keys
            .iter()
            .zip(&answers)
            .zip(&expect)
            .filter(|((key, answer), expect)| {
                let single = classifier.first_match(key).unwrap_or(NONE);
                !agrees(**answer, expect) || !agrees(single, expect)
            })
            .count();
        let times = measure(&classifier, &keys, &mut answers, self.repeat);
        let figures = Figures {
            rules: count,
            headers: keys.len(),
            build_ms: build / 1e6,
            memory_bytes: classifier.bytes(),
            batch: BATCH,
            kernel: classifier.kernel(),
            repeat: self.repeat,
            ns_single: times[0],
            ns_batch: times[1],
            ns_linear: times[2],
            mismatches,
        };
        serde_json::to_writer(&mut out, &figures)?;
        writeln!(out)?;
        out.flush()?;
        Ok(Outcome::Done)
    }
}

/// Nanoseconds a header: one by one, in batches, by comparing with all rules.
fn measure<A: TupleAddress>(
    classifier: &Classifier<A>,
    keys: &[Key<A>],
    answers: &mut [u32],
    repeat: u32,
) -> [f64; 3] {
    let sample = keys.get(..keys.len().min(SAMPLE)).unwrap_or_default();
    let patterns: &[Pattern<A>] = classifier.patterns();
    let mut rounds = [const { Vec::new() }; 3];
    for round in 0..=repeat {
        let mut took = [0.0; 3];
        let start = thread_time();
        let mut sum = 0_u64;
        for key in keys {
            let found = black_box(classifier).first_match(black_box(key));
            sum = sum.wrapping_add(u64::from(found.unwrap_or(NONE)));
        }
        black_box(sum);
        took[0] = (thread_time() - start) / keys.len().max(1) as f64;
        let start = thread_time();
        for (keys, answers) in keys.chunks(BATCH).zip(answers.chunks_mut(BATCH)) {
            black_box(classifier).first_match_batch(black_box(keys), answers);
        }
        black_box(&answers);
        took[1] = (thread_time() - start) / keys.len().max(1) as f64;
        let start = thread_time();
        for key in sample {
            black_box(black_box(patterns).iter().position(|p| p.matches(key)));
        }
        took[2] = (thread_time() - start) / sample.len().max(1) as f64;
        // The first round touches everything for the first time.
        if round > 0 {
            for (times, took) in rounds.iter_mut().zip(took) {
                times.push(took);
            }
        }
    }
    rounds.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(0.0)
    })
}

/// The text of a file, unpacked if it ends in `.xz`.
fn text(path: &Path) -> Result<String, Unusable> {
    let file = BufReader::new(File::open(path)?);
    if path.extension().is_none_or(|e| e != "xz") {
        return bounded(file);
    }
    bounded(lzma_rust2::XzReader::new(file, true))
}

/// A text that is not too long.
fn bounded(from: impl Read) -> Result<String, Unusable> {
    let mut text = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(Unusable::Large);
    }
    String::from_utf8(text)
        .map_err(|e| Unusable::Read(io::Error::new(io::ErrorKind::InvalidData, e.utf8_error())))
}

/// Whether a text has no more lines than headers are taken.
fn few(text: &str) -> Result<(), Unusable> {
    match text.lines().nth(MOST_HEADERS) {
        Some(_) => Err(Unusable::Many),
        None => Ok(()),
    }
}

/// The headers in the order that a file says.
fn order<A: TupleAddress>(path: &Path, headers: &[Header<A>]) -> Result<Vec<Header<A>>, Unusable> {
    let text = text(path)?;
    few(&text)?;
    (1..)
        .zip(text.lines())
        .map(|(line, n)| {
            let n = n.trim().parse::<usize>().ok();
            n.and_then(|n| headers.get(n).copied())
                .ok_or(Unusable::Order {
                    line,
                    headers: headers.len(),
                })
        })
        .collect()
}

/// What was read, or nothing and a message.
fn told<T>(path: &Path, read: Result<T, Unusable>) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = writeln!(io::stderr(), "error: {}: {error}", path.display());
            None
        }
    }
}

/// Nanoseconds this thread has run.
#[cfg(unix)]
fn thread_time() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    t.tv_sec as f64 * 1e9 + t.tv_nsec as f64
}

/// Nanoseconds since the first call: there is no better clock here.
#[cfg(not(unix))]
fn thread_time() -> f64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START
        .get_or_init(std::time::Instant::now)
        .elapsed()
        .as_nanos() as f64
}
