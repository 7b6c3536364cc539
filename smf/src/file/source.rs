//! Records out of anything that can be read.

use std::io::{self, Read};

use alloc::boxed::Box;
use alloc::vec;

use thiserror::Error;

use super::form::Form;
use super::reader::{FileError, FileRecord, Reader};

/// Reads the records of a file, a pipe or the like.
#[derive(Debug)]
pub struct FileReader<R> {
    source: R,
    reader: Reader,
    buffer: Box<[u8]>,
}

/// Why reading ends before the file does.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The file is damaged, or no file of records.
    #[error("{0}")]
    File(#[from] FileError),
}

impl<R: Read> FileReader<R> {
    /// A reader that finds out the form by itself.
    pub fn new(source: R) -> Self {
        Self::of(source, Reader::new())
    }

    /// A reader of a file whose form is known.
    pub fn with_form(source: R, form: Form) -> Self {
        Self::of(source, Reader::with_form(form))
    }

    fn of(source: R, reader: Reader) -> Self {
        Self {
            source,
            reader,
            buffer: vec![0; 1 << 16].into(),
        }
    }

    /// The form of the file, as soon as it is known.
    #[must_use]
    pub const fn form(&self) -> Option<Form> {
        self.reader.form()
    }

    /// The next record, `None` at the end.
    ///
    /// # Errors
    ///
    /// [`ReadError`] once; then there are no more records.
    pub fn next_record(&mut self) -> Result<Option<FileRecord<'_>>, ReadError> {
        while self.reader.advance()? {
            let have = loop {
                match self.source.read(&mut self.buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => break result?,
                }
            };
            if have == 0 {
                self.reader.end();
                continue;
            }
            // A reader that needs bytes has room for a buffer of them.
            let mut bytes = self.buffer.get(..have).unwrap_or(&[]);
            while !bytes.is_empty() {
                let taken = self.reader.feed(bytes);
                bytes = bytes.get(taken.max(1)..).unwrap_or(&[]);
            }
        }
        Ok(self.reader.take_found())
    }
}
