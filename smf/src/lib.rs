#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::std_instead_of_core,
        clippy::std_instead_of_alloc,
        clippy::alloc_instead_of_core
    )
)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod codes;
mod dump;
pub mod ebcdic;
mod error;
pub mod field;
pub mod file;
pub mod layout;
mod record;
pub mod time;
mod value;
mod view;

pub use dump::{Item, visit};
pub use ebcdic::{CodePage, Text};
pub use error::{Expected, Malformed, NoRoom};
pub use field::{Address, Bytes, Confidence, FieldInfo, Kind, Level, Reserved};
pub use record::{
    Detail, DistinguishedName, DumpFrame, EXTENSION_TYPE, Extended, Extension, ExtensionValue,
    RawSection, Record, Stamp, Summary, Syslog, Tunnel, TunnelHead,
};
pub use time::{Etod, SmfDate, SmfTime, Tod, TodDuration};
pub use value::Value;
pub use view::{MAX_RECORD, MAX_TRIPLETS, Name, RecordView, Triplet};
