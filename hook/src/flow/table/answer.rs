//! What a flow table answers.

use super::super::FlowId;
use crate::hooks::Side;
use crate::reason::Reason;

/// A flow that was found, and which side of it the packet is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The entry.
    pub id: FlowId,
    /// The side that sent the packet.
    pub from: Side,
}

impl Found {
    /// A packet from one side of a flow.
    #[must_use]
    pub const fn new(id: FlowId, from: Side) -> Self {
        Self { id, from }
    }
}

/// Whether there is a place for a new flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every case")]
pub enum Room {
    /// There is.
    Free,
    /// There is once this flow is removed.
    Evict(FlowId),
    /// There is none: the packet goes without flow state.
    Refused(Reason),
}

/// What a packet means to the flow its key names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every case")]
pub enum Belongs {
    /// It is part of it.
    Yes,
    /// The flow was idle for longer than its state allows: it is over, and the packet begins
    /// another.
    Expired,
    /// The packet begins a new connection between the same endpoints, or shows that one that
    /// seemed reset goes on; who opens it.
    Reused(Side),
}
