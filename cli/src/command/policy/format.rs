//! `hostward policy format`.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use clap::Args;
use hostward_policy::load::{Disk, Files as _};
use hostward_policy::{Language, Sources, format};

use super::super::Outcome;
use crate::escape::escaped;

const EXIT_CODES: &str = "Lines that cannot be read stay as they are; a file whose braces do not match, or that is not UTF-8, is
left alone.

Exit codes:
  0  everything was done; with --check, all files are laid out so
  1  a file cannot be laid out or written; with --check, a file would change
  2  the command line is wrong, or a file cannot be read";

/// Arguments of `policy format`.
#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
#[non_exhaustive]
pub struct Format {
    /// Files of the Policy Agent; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,

    /// Write nothing but the names of the files that would change
    #[arg(long, conflicts_with = "write")]
    pub check: bool,

    /// Write each file back, if it changes, instead of to standard output
    #[arg(long)]
    pub write: bool,
}

impl Format {
    /// Runs it.
    ///
    /// # Errors
    ///
    /// Those of writing to standard output.
    pub fn run(self) -> io::Result<Outcome> {
        let complain = |file: &str, error: &dyn std::fmt::Display| {
            // A closed standard error is no reason to stop.
            let _ = writeln!(io::stderr(), "error: {}: {error}", escaped(file));
        };
        let language = match Language::full() {
            Ok(language) => language,
            Err(error) => {
                complain("tables", &error);
                return Ok(Outcome::Failed);
            }
        };
        if self.write && self.files.iter().any(|f| f == "-") {
            complain("-", &"standard input cannot be written back");
            return Ok(Outcome::Usage);
        }
        let mut outcome = Outcome::Done;
        let mut stdout = io::stdout().lock();
        for file in &self.files {
            let bytes = match Disk::default().read(file) {
                Ok(bytes) => bytes,
                Err(error) => {
                    complain(file, &error);
                    outcome = Outcome::Usage;
                    continue;
                }
            };
            let mut sources = Sources::new();
            let id = match sources.add(file.as_str(), &*bytes) {
                Ok(id) => id,
                Err(error) => {
                    complain(file, &error);
                    outcome = worse(outcome);
                    continue;
                }
            };
            let text = match format(&language, &sources, id) {
                Ok(text) => text,
                Err(error) => {
                    complain(file, &error);
                    outcome = worse(outcome);
                    continue;
                }
            };
            let changes = text.as_bytes() != bytes;
            if self.check {
                if changes {
                    writeln!(stdout, "{}", escaped(file))?;
                    outcome = worse(outcome);
                }
            } else if !self.write {
                stdout.write_all(text.as_bytes())?;
            } else if changes && let Err(error) = replace(Path::new(file), text.as_bytes()) {
                complain(file, &error);
                outcome = worse(outcome);
            }
        }
        stdout.flush()?;
        Ok(outcome)
    }
}

/// Something failed; that a file cannot be read is told in preference.
const fn worse(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Usage => Outcome::Usage,
        Outcome::Done | Outcome::Failed => Outcome::Failed,
    }
}

/// Writes a file anew: whole or not at all, with the permissions and owner it had.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link stays a link.
    let file = fs::canonicalize(file)?;
    let before = fs::metadata(&file)?;
    if !before.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if before.permissions().readonly() {
        return Err(io::Error::other("it is write-protected"));
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new()
        .prefix(".hostward-")
        .tempfile_in(folder)?;
    new.write_all(bytes)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let now = new.as_file().metadata()?;
        if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
            fchown(new.as_file(), Some(before.uid()), Some(before.gid()))?;
        }
    }
    new.as_file().set_permissions(before.permissions())?;
    new.as_file().sync_all()?;
    new.persist(&file).map_err(|e| e.error)?;
    Ok(())
}
