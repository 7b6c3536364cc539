//! Where filters are kept over a restart.

use alloc::string::String;
use alloc::vec::Vec;

/// Keeps one text for the manager.
pub trait Store {
    /// What was saved last; `None` when nothing ever was.
    ///
    /// # Errors
    /// It cannot be read.
    fn load(&mut self) -> Result<Option<Vec<u8>>, StoreError>;

    /// Replaces what was saved. After a crash at any moment either the old or the new text is
    /// there, whole.
    ///
    /// # Errors
    /// It could not be written; what was saved before is still there.
    fn save(&mut self, bytes: &[u8]) -> Result<(), StoreError>;
}

/// A store that does not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot {what} the defensive filters: {why}")]
#[non_exhaustive]
pub struct StoreError {
    /// What was tried.
    pub what: &'static str,
    /// Why it did not work.
    pub why: String,
}

impl StoreError {
    /// Something was tried and did not work.
    pub fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self {
            what,
            why: why.into(),
        }
    }
}

/// A store in memory, for tests and for hosts that keep state themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it is one text")]
pub struct MemoryStore(pub Option<Vec<u8>>);

impl Store for MemoryStore {
    fn load(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.clone())
    }

    fn save(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.0 = Some(bytes.to_vec());
        Ok(())
    }
}

#[cfg(feature = "std")]
pub use file::FileStore;

#[cfg(feature = "std")]
mod file {
    #![allow(
        clippy::std_instead_of_core,
        clippy::std_instead_of_alloc,
        reason = "files need the standard library"
    )]

    use std::fs::{self, File};
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::path::{Path, PathBuf};
    use std::string::ToString as _;
    use std::vec::Vec;

    use super::{Store, StoreError};

    /// The largest file that is read: more than the largest that is written.
    const LARGEST: u64 = 64 << 20;

    /// A store in a file.
    ///
    /// A new text is written beside the file, synced and moved over it, and the directory is
    /// synced: a crash leaves the old text or the new one. What a crash left beside the file is
    /// overwritten next time.
    #[derive(Clone, Debug)]
    pub struct FileStore {
        path: PathBuf,
    }

    impl FileStore {
        /// A store in a file of this name, in a directory that exists.
        pub fn new(path: impl Into<PathBuf>) -> Self {
            Self { path: path.into() }
        }

        /// The file.
        #[must_use]
        pub fn path(&self) -> &Path {
            &self.path
        }

        fn beside(&self) -> PathBuf {
            let mut name = self.path.clone().into_os_string();
            name.push(".new");
            name.into()
        }

        fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
            let beside = self.beside();
            let mut file = File::create(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            drop(file);
            fs::rename(&beside, &self.path)?;
            let folder = match self.path.parent() {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                Some(_) | None => Path::new("."),
            };
            // Without this the move itself may be lost in a crash.
            File::open(folder)?.sync_all()
        }
    }

    impl Store for FileStore {
        fn load(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
            let error = |e: std::io::Error| {
                StoreError::new("read", std::format!("{}: {e}", self.path.display()))
            };
            let file = match File::open(&self.path) {
                Ok(file) => file,
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
                Err(e) => return Err(error(e)),
            };
            let mut bytes = Vec::new();
            file.take(LARGEST + 1)
                .read_to_end(&mut bytes)
                .map_err(error)?;
            if bytes.len() as u64 > LARGEST {
                let why = std::format!("{}: larger than {LARGEST} bytes", self.path.display());
                return Err(StoreError::new("read", why));
            }
            Ok(Some(bytes))
        }

        fn save(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
            self.write(bytes).map_err(|e| {
                let path = self.path.display().to_string();
                StoreError::new("write", std::format!("{path}: {e}"))
            })
        }
    }
}
