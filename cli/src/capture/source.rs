//! Opens capture files: plain or gzip, or standard input.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use super::error::CaptureError;
use crate::escape::escaped;

/// An opened input whose decompression, if any, is settled.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) input: Box<dyn Read + Send>,
    /// Bytes taken from the file itself so far.
    pub(super) taken: Arc<AtomicU64>,
    /// Length of the file itself, if it has one.
    pub(super) length: Option<u64>,
}

impl Source {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, CaptureError> {
        if path.as_os_str() == "-" {
            return Self::new("standard input".into(), Box::new(io::stdin()), None);
        }
        let name = escaped(&path.to_string_lossy()).into_owned();
        let opened = File::open(path).and_then(|f| Ok((f.metadata()?, f)));
        match opened {
            Ok((meta, _)) if meta.is_dir() => Err(CaptureError::Open {
                file: name,
                source: io::ErrorKind::IsADirectory.into(),
            }),
            Ok((meta, file)) => {
                let length = meta.is_file().then_some(meta.len());
                Self::new(name, Box::new(file), length)
            }
            Err(source) => Err(CaptureError::Open { file: name, source }),
        }
    }

    /// Looks at the first bytes and puts a decompressor before the input if it is gzip.
    pub(super) fn new(
        name: String,
        input: Box<dyn Read + Send>,
        length: Option<u64>,
    ) -> Result<Self, CaptureError> {
        let taken = Arc::new(AtomicU64::new(0));
        let mut input = Counting {
            input,
            taken: Arc::clone(&taken),
        };
        let mut head = Vec::with_capacity(2);
        if let Err(source) = input.by_ref().take(2).read_to_end(&mut head) {
            return Err(CaptureError::Read {
                file: name,
                offset: 0,
                source,
            });
        }
        let gzip = head == [0x1f, 0x8b];
        let whole = Cursor::new(head).chain(input);
        let input: Box<dyn Read + Send> = if gzip {
            Box::new(MultiGzDecoder::new(whole))
        } else {
            Box::new(whole)
        };
        Ok(Self {
            name,
            input,
            taken,
            length,
        })
    }
}

/// Counts what is read through it.
struct Counting {
    input: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(out)?;
        self.taken.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}
