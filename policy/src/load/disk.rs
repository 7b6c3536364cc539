//! Files of the operating system.

use alloc::string::ToString;
use alloc::vec::Vec;
use std::io::{self, Read};

use super::files::{FileError, Files};

/// Reads files of the system; `-` is standard input.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    most: u64,
}

impl Disk {
    /// How many bytes of one file are read if nothing else is said: 128 MiB.
    pub const MOST: u64 = 128 * 1024 * 1024;

    /// Reads files of at most this many bytes.
    #[must_use]
    pub const fn new(most: u64) -> Self {
        Self { most }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new(Self::MOST)
    }
}

impl Files for Disk {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, FileError> {
        if path == "-" {
            return bounded(io::stdin().lock(), self.most);
        }
        let file = std::fs::File::open(path).map_err(|e| told(&e))?;
        if file.metadata().is_ok_and(|m| m.is_dir()) {
            return Err(FileError::Directory);
        }
        bounded(file, self.most)
    }

    /// Opening a pipe or a device could wait for ever, so what it is is asked before.
    fn read_named(&mut self, path: &str) -> Result<Vec<u8>, FileError> {
        let kind = std::fs::metadata(path).map_err(|e| told(&e))?;
        if kind.is_dir() {
            return Err(FileError::Directory);
        }
        if !kind.is_file() {
            return Err(FileError::Special);
        }
        bounded(std::fs::File::open(path).map_err(|e| told(&e))?, self.most)
    }
}

fn bounded(from: impl Read, most: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|e| told(&e))?;
    if bytes.len() as u64 > most {
        return Err(FileError::TooLong(most));
    }
    Ok(bytes)
}

fn told(error: &io::Error) -> FileError {
    let kind = error.kind();
    if kind == io::ErrorKind::NotFound {
        FileError::NotFound
    } else if kind == io::ErrorKind::PermissionDenied {
        FileError::Denied
    } else if kind == io::ErrorKind::IsADirectory {
        FileError::Directory
    } else {
        FileError::Other(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_bounded() {
        assert_eq!(bounded(&b"abc"[..], 3), Ok(b"abc".to_vec()));
        assert_eq!(bounded(&b"abcd"[..], 3), Err(FileError::TooLong(3)));
        assert_eq!(bounded(io::repeat(7), 9), Err(FileError::TooLong(9)));
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let mut disk = Disk::default();
        let here = env!("CARGO_MANIFEST_DIR");
        assert_eq!(disk.read(here), Err(FileError::Directory));
        let none = [here, "/no such file"].concat();
        assert_eq!(disk.read(&none), Err(FileError::NotFound));
        #[cfg(unix)]
        assert_eq!(disk.read_named("/dev/null"), Err(FileError::Special));
        assert_eq!(disk.read_named("-"), Err(FileError::NotFound));
        let manifest = [here, "/Cargo.toml"].concat();
        assert!(disk.read(&manifest).unwrap().starts_with(b"[package]"));
    }
}
