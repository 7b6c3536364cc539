//! Rules that an administrator already has, turned into a policy.
//!
//! `iptables-save` and `nft --json list ruleset` are read; user chains are taken into their callers.
//! What the policy permits the source permits: a permit that cannot be said exactly is left out, a
//! deny that cannot is widened, and each of these is told.
//! `docs/formats/rules-import.md` has what becomes of what.

mod cond;
mod flow;
mod iptables;
mod names;
mod nft;
mod ranges;
mod write;

use std::collections::BTreeMap;
use std::fmt;

use cond::Cond;
use flow::{Base, Chain, Entry, Walk, Way};

/// The longest file that is read, in bytes.
pub const MOST_BYTES: usize = 16 << 20;
/// The most findings; a file with more is refused.
const MOST_FINDINGS: usize = 100_000;

/// Where rules come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// `iptables-save` or `ip6tables-save`.
    IptablesSave,
    /// `nft --json list ruleset`.
    NftJson,
}

/// How to import.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// A dump of `ip6tables-save`, also where nothing in it says so.
    pub ipv6: bool,
    /// Denies that cannot be said exactly are left out instead of widened: the policy may permit
    /// more than the source.
    pub skip_denies: bool,
}

impl Options {
    /// The same for a dump of `ip6tables-save`.
    #[must_use]
    pub const fn ipv6(mut self, ipv6: bool) -> Self {
        self.ipv6 = ipv6;
        self
    }

    /// The same, leaving out denies that cannot be said exactly.
    #[must_use]
    pub const fn skip_denies(mut self, skip: bool) -> Self {
        self.skip_denies = skip;
        self
    }
}

/// Why nothing can be imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file is longer than [`MOST_BYTES`].
    #[error("the file is longer than {} MiB", MOST_BYTES >> 20)]
    TooLong,
    /// A line that is none of `iptables-save`.
    #[error("line {line}: {why}")]
    Line {
        /// The line.
        line: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// Not the JSON of nft.
    #[error("{0}")]
    Json(String),
    /// Chains call each other in circles, or too deep.
    #[error("chains call each other in circles or too deep")]
    TooDeep,
    /// The rules come to more than can be written.
    #[error("the rules come to too many once their chains are taken into each other")]
    TooMuch,
}

/// What became of a rule that is not in the policy as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A permit that is left out: the policy denies what it alone permitted.
    LeftOut,
    /// A deny that is left out on request: the policy may permit what it denied.
    DenyLeftOut,
    /// A deny that denies more than it did.
    Wider,
    /// A permit that permits less than it did.
    Narrower,
    /// Something it does beside deciding is not done: logging, marks, address translation.
    NotDone,
    /// Something to know.
    Note,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeftOut => "left out",
            Self::DenyLeftOut => "deny left out",
            Self::Wider => "denies more",
            Self::Narrower => "permits less",
            Self::NotDone => "not done",
            Self::Note => "note",
        }
    }
}

/// Something that could not be expressed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Line or handle.
    pub place: String,
    /// The rule, as its file has it.
    pub text: String,
    /// What became of it.
    pub kind: Kind,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            text,
            kind,
            reason,
        } = self;
        write!(f, "{place}: {}: {reason}", kind.name())?;
        if !text.is_empty() {
            write!(f, ": {text}")?;
        }
        Ok(())
    }
}

/// A policy and what is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// The policy.
    pub policy: String,
    /// How many rules it has.
    pub rules: usize,
    /// What could not be expressed, in the order of the source.
    pub findings: Vec<Finding>,
}

/// Each finding once, in the order of places.
#[derive(Debug, Default)]
struct Findings {
    order: BTreeMap<String, usize>,
    list: BTreeMap<(usize, Kind, String), (String, String)>,
    full: bool,
}

impl Findings {
    /// Makes a place known; findings are told in the order in which places become known.
    fn place(&mut self, place: &str) -> usize {
        if let Some(n) = self.order.get(place) {
            return *n;
        }
        let n = self.order.len();
        self.order.insert(place.to_owned(), n);
        n
    }

    fn tell(&mut self, place: &str, text: &str, kind: Kind, reason: impl Into<String>) {
        if self.list.len() >= MOST_FINDINGS {
            self.full = true;
            return;
        }
        let n = self.place(place);
        let cut = |s: &str| -> String { s.chars().take(300).collect() };
        let (text, reason) = (cut(text), cut(&reason.into()));
        self.list
            .entry((n, kind, reason))
            .or_insert_with(|| (place.to_owned(), text));
    }
}

/// Chains as a file has them.
#[derive(Debug)]
struct Source {
    chains: Vec<Chain>,
    /// Base chains in the order in which packets come by.
    inbound: Vec<Base>,
    outbound: Vec<Base>,
    through: Vec<Base>,
    findings: Findings,
    /// What the dump is about: packets of one IP version, or all.
    all: Cond,
}

/// Turns rules into a policy.
///
/// Memory and time are bounded: by the length of the file and by the number of rules that it comes
/// to once its chains are taken into each other.
///
/// # Errors
/// The file is too long or is none of the format, its chains run in circles, or the policy would
/// be too large.
pub fn import(bytes: &[u8], format: Format, options: &Options) -> Result<Imported, ImportError> {
    if bytes.len() > MOST_BYTES {
        return Err(ImportError::TooLong);
    }
    let text = String::from_utf8_lossy(bytes);
    let (source, name) = match format {
        Format::IptablesSave => (iptables::read(&text, options.ipv6)?, "iptables-save"),
        Format::NftJson => (nft::read(&text)?, "nft --json list ruleset"),
    };
    let Source {
        chains,
        inbound,
        outbound,
        through,
        mut findings,
        all,
    } = source;
    let mut entries = Vec::new();
    let ways = [
        (Way::In, &inbound),
        (Way::Out, &outbound),
        (Way::Through, &through),
    ];
    for (way, bases) in ways {
        let first = entries.len();
        Walk {
            chains: &chains,
            bases,
            way,
            skip_denies: options.skip_denies,
            entries: &mut entries,
            findings: &mut findings,
            steps: 0,
        }
        .run(&all)?;
        // What no rule matches is denied anyway.
        while entries.len() > first && entries.last().is_some_and(|e| !e.permit && !e.tell) {
            entries.pop();
        }
    }
    if entries.is_empty() {
        // A policy has a rule.
        entries.push(Entry::nothing());
    }
    if findings.full {
        return Err(ImportError::TooMuch);
    }
    let mut writer = write::Writer::default();
    for entry in &entries {
        writer.entry(entry)?;
    }
    let findings: Vec<Finding> = findings
        .list
        .into_iter()
        .map(|((_, kind, reason), (place, text))| Finding {
            place,
            text,
            kind,
            reason,
        })
        .collect();
    let rules = writer.count;
    Ok(Imported {
        policy: writer.finish(&head(name, &findings)),
        rules,
        findings,
    })
}

/// What stands above the policy: what is not in it.
fn head(name: &str, findings: &[Finding]) -> String {
    let mut out = format!("# Imported from the output of {name}.\n");
    if !findings.is_empty() {
        out += "#\n# Not as in the source:\n";
    }
    for finding in findings {
        let line = finding.to_string();
        out += &write::comment("#   ", &line);
    }
    out.push('\n');
    out
}
