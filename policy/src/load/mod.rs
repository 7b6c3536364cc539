//! From the names of files to the texts of one stack's policy: the agent's main file, the file of
//! a stack, the common file of all stacks, the stack's own.
//!
//! Nothing here reads a disk: [`Files`] does, for which there is [`Disk`] where there is an operating system.

#[cfg(feature = "std")]
mod disk;
mod files;
mod hierarchy;

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use crate::diagnostic::Diagnostics;
use crate::schema::Language;
use crate::source::{SourceError, Sources, Span};
use crate::tables::files::{Flush, Purge};

#[cfg(feature = "std")]
pub use disk::Disk;
pub use files::{FileError, Files, relative_to};

/// How often a file is read again when its `TcpImage` does not say, in seconds.
pub const INTERVAL: u32 = 1800;

/// What to load.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Options<'o> {
    /// The stack whose policy is wanted; the first one when there is no name.
    pub stack: Option<&'o str>,
}

impl<'o> Options<'o> {
    /// The same for a stack by its name.
    #[must_use]
    pub const fn stack(mut self, name: &'o str) -> Self {
        self.stack = Some(name);
        self
    }
}

/// A file that was to be loaded, not one that another file names.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}: {error}")]
#[non_exhaustive]
pub struct LoadError {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub error: FileError,
}

impl LoadError {
    fn new(file: &str, error: FileError) -> Self {
        Self {
            file: file.into(),
            error,
        }
    }
}

impl From<SourceError> for FileError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::TooLong => Self::TooLong(u64::from(u32::MAX)),
            SourceError::TooMany => Self::TooMany,
        }
    }
}

/// A stack as the main file describes it (`TcpImage`, `PEPInstance`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its file, as it is to be read; without one the main file is its file.
    pub image: Option<String>,
    /// What becomes of installed policies when they are read at the start, if it says.
    pub flush: Option<Flush>,
    /// What becomes of installed policies when the agent ends, if it says.
    pub purge: Option<Purge>,
    /// After how many seconds its files are read again ([`INTERVAL`] if it does not say).
    pub interval: u32,
    /// Where it is described.
    pub place: Span,
}

/// The texts of one stack's policy.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Loaded {
    /// All texts that were read: main file, file of the stack, then the policy files in the order
    /// of their precedence, the common one first. To be read together by [`Policy::read`](crate::Policy::read).
    pub sources: Sources,
    /// The stack whose policy it is; none for the default stack, and where the files do not say.
    pub stack: Option<String>,
    /// All stacks of the main file, in the order of their first mention.
    pub stacks: Vec<Stack>,
    /// How many of the texts are policy files: with none, there is no policy to install and the
    /// default rules stay in force.
    pub policy_files: usize,
}

impl Loaded {
    /// After how many seconds the main file is read again: the smallest interval of all stacks,
    /// [`INTERVAL`] without any.
    #[must_use]
    pub fn interval(&self) -> u32 {
        let intervals = self.stacks.iter().map(|s| s.interval);
        intervals.min().unwrap_or(INTERVAL)
    }
}

/// Loads the IPSec policy of a stack, starting from some files: the agent's main file, the file of a stack,
/// or policy files. What each is, is told from its statements. Several policy files are one set:
/// a later one overrides an earlier one.
///
/// What is wrong with files that other files name is told in `out`, at the statement that names them. Messages
/// of this kind are about the texts of [`Loaded::sources`]; reading these tells the rest.
///
/// Names of files are relative to the file that has them. Each file is read once; at most the
/// given files and three more for a main file are.
///
/// # Errors
/// [`LoadError`] for a file of `start` that cannot be read.
pub fn load(
    language: &Language,
    files: &mut dyn Files,
    start: &[&str],
    options: &Options<'_>,
    out: &mut Diagnostics,
) -> Result<Loaded, LoadError> {
    hierarchy::load(language, files, start, options, out)
}
