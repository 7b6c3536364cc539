//! The details of stream events.

use core::any::Any;

use crate::event::{Detail, FieldVisitor, Value};
use crate::hooks::Side;

/// What the events of stream reassembly tell beside the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamDetail {
    /// Who sent the segment, or whose data it is about.
    pub from: Side,
    /// The sequence number the event is about.
    pub seq: u32,
    /// The sequence number that was expected next.
    pub expected: u32,
    /// Number of bytes concerned: of the overlap, the gap, the data beyond the end, or those that
    /// were waiting.
    pub length: u32,
}

impl Detail for StreamDetail {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        let from = match self.from {
            Side::Initiator => "initiator",
            Side::Responder => "responder",
        };
        v.field("from", Value::Str(from));
        v.field("seq", Value::U64(self.seq.into()));
        v.field("expected", Value::U64(self.expected.into()));
        v.field("length", Value::U64(self.length.into()));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
