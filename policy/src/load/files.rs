//! Files as the loader sees them: names and bytes.

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is none of this name.
    #[error("there is no such file")]
    NotFound,
    /// It may not be read.
    #[error("it may not be read: permission denied")]
    Denied,
    /// It is a directory.
    #[error("it is a directory")]
    Directory,
    /// It is a device, a pipe or the like.
    #[error("it is not an ordinary file")]
    Special,
    /// It is longer than this many bytes.
    #[error("it is longer than {0} bytes")]
    TooLong(u64),
    /// There are too many files.
    #[error("there are too many files")]
    TooMany,
    /// An MVS data set is named.
    #[error("MVS data sets cannot be read here; copy it into a file")]
    DataSet,
    /// Something else, in the words of the system.
    #[error("{0}")]
    Other(String),
}

/// Reads files.
pub trait Files {
    /// The bytes of a file.
    ///
    /// # Errors
    /// [`FileError`]. An implementation must bound what it reads.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, FileError>;

    /// The bytes of a file that another file names: nothing but an ordinary file should be read
    /// then. The same as [`read`](Self::read) unless implemented.
    ///
    /// # Errors
    /// [`FileError`].
    fn read_named(&mut self, path: &str) -> Result<Vec<u8>, FileError> {
        self.read(path)
    }
}

/// A file's name as it is written in another file: relative to that file's folder unless it begins
/// with a slash. What is named by standard input (`-`) is relative to the current folder.
#[must_use]
pub fn relative_to(file: &str, path: &str) -> String {
    let path = plain(path);
    let folder = match file.rfind('/') {
        Some(at) if !path.starts_with('/') => file.get(..=at).unwrap_or_default(),
        _ => "",
    };
    let mut out = String::from(plain(folder));
    out.push_str(path);
    out
}

/// Without `./` at the beginning.
pub(super) fn plain(mut path: &str) -> &str {
    while let Some(rest) = path.strip_prefix("./") {
        path = rest.trim_start_matches('/');
    }
    path
}

/// Whether it is an MVS data set: `//'A.B(C)'` or `//A.B`.
pub(super) fn is_data_set(path: &str) -> bool {
    path.starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_to_the_file_that_has_them() {
        for (file, path, whole) in [
            ("/etc/pagent.conf", "/etc/policy/a", "/etc/policy/a"),
            ("/etc/pagent.conf", "policy/a", "/etc/policy/a"),
            ("/etc/pagent.conf", "./a.b", "/etc/a.b"),
            ("pagent.conf", "policy/a", "policy/a"),
            ("./pagent.conf", "./a.b", "a.b"),
            ("x/pagent.conf", "../a.b", "x/../a.b"),
            ("-", "policy/a", "policy/a"),
        ] {
            assert_eq!(relative_to(file, path), whole);
        }
        assert_eq!(plain(".//x"), "x");
        assert!(is_data_set("//'A.B(C)'") && !is_data_set("/a"));
    }
}
