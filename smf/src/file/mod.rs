//! Files of records: which form a file has, records out of bytes, blocks out of records.
//!
//! A file in the form this crate writes by default is one record after another, each with its
//! record descriptor word; there is nothing to it. [`BlockWriter`] makes the other form.

mod block;
mod form;
mod reader;
#[cfg(feature = "std")]
mod source;

pub use block::{BlockWriter, Unblockable};
pub use form::Form;
pub use reader::{DETECTION, FileError, FileRecord, Problem, Reader};
#[cfg(feature = "std")]
pub use source::{FileReader, ReadError};
