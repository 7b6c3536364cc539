//! What the user gets: JSON lines, or a report to read.
//!
//! [`mod@line`] has the plain structs of which both are made; an engine fills them in and hands them
//! to an [`Output`].

pub mod json;
pub mod line;
pub mod text;

use std::io;

use hostward::zert::Record;
use line::{DecisionLine, EventLine, SummaryLine, ZertEventLine};

use crate::capture::{CaptureError, CutOff, LayerKind, LinkType};

pub use json::JsonReport;
pub use text::TextReport;

/// Receives what an engine finds.
///
/// An implementation decides what it shows of it. Errors are those of writing; after one, nothing
/// more is worth saying.
pub trait Output {
    /// Whether each packet's decision is wanted; asked before lines are made.
    fn wants_decisions(&self) -> bool;

    /// Whether the steps in the life of security sessions are wanted; asked before lines are
    /// made. Events of controls always are.
    fn wants_events(&self) -> bool;

    /// The record of a connection and security session.
    ///
    /// # Errors
    ///
    /// Those of writing.
    fn zert(&mut self, record: &Record) -> io::Result<()>;

    /// A step in the life of a security session.
    ///
    /// # Errors
    ///
    /// Those of writing.
    fn zert_event(&mut self, line: &ZertEventLine<'_>) -> io::Result<()>;

    /// An event of any control.
    ///
    /// # Errors
    ///
    /// Those of writing.
    fn event(&mut self, line: &EventLine) -> io::Result<()>;

    /// The decision about one packet.
    ///
    /// # Errors
    ///
    /// Those of writing.
    fn decision(&mut self, line: &DecisionLine) -> io::Result<()>;

    /// The end: nothing comes after it.
    ///
    /// # Errors
    ///
    /// Those of writing.
    fn summary(&mut self, line: &SummaryLine, input: &InputFacts) -> io::Result<()>;
}

/// What is to be told of the input, beside what the engine found in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputFacts {
    /// Which side was taken as local and why, if any packet was seen.
    pub local: Option<String>,
    /// Frames read, with IP in them or not.
    pub frames: u64,
    /// Frames without an IP packet, by reason; few reasons, since protocols are not told apart.
    pub not_ip: u64,
    /// Frames of links nobody knows, by type.
    pub unknown_links: Vec<(LinkType, u64)>,
    /// Frames whose headers were cut off, encrypted, in parts or too deep.
    pub unreadable: u64,
    /// Packets in tunnels, by the kinds of tunnel.
    pub tunnels: Vec<(LayerKind, u64)>,
    /// Packets that the capture holds only the beginning of.
    pub truncated: u64,
}

/// A remark about the input, for standard error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Remark {
    /// A file could not be read, or not to its end.
    #[error("error: {0}")]
    Error(CaptureError),
    /// A file was cut off.
    #[error("warning: {0}; everything before it was read")]
    CutOff(CutOff),
    /// A file has frames of a link nobody knows.
    #[error("warning: {file}: link type {} is not supported: {frames} frames skipped", .link.0)]
    UnknownLink {
        /// The file.
        file: String,
        /// The type.
        link: LinkType,
        /// How many frames.
        frames: u64,
    },
    /// Which side was taken as local.
    #[error("local side: {0}")]
    Local(String),
}
