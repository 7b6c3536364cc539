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

mod check;
pub mod codes;
mod complete;
mod diagnostic;
#[cfg(feature = "filter")]
pub mod filter;
mod format;
#[cfg(feature = "ike")]
pub mod ike;
pub mod load;
mod model;
mod page;
mod parse;
mod policy;
#[cfg(feature = "filter")]
pub mod profile;
#[cfg(feature = "std")]
mod render;
mod schema;
mod source;
mod suggest;
pub mod tables;
mod tree;
mod value;
#[cfg(feature = "zert")]
pub mod zert;

pub use complete::{Completion, complete};
pub use diagnostic::{Code, CodeInfo, Diagnostic, Diagnostics, Label, Severity, Step};
pub use format::{FormatError, format};
pub use page::{codes_page, page, words};
pub use policy::{Object, Policy, Setting};
#[cfg(feature = "std")]
pub use render::{Style, render, render_all};
pub use schema::{
    Body, Choice, Choices, Discipline, Family, Form, Keyword, Language, Multiplicity, Naming,
    Parameter, ParameterId, Place, SchemaError, Statement, Value,
};
pub use source::{FileKind, Location, Source, SourceError, SourceId, Sources, Span};
pub use tree::{ItemKind, Token, TokenKind, Tree};
pub use value::{Atom, DateTime, Placed};
