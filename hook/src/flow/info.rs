//! What observers are told of a flow.

use super::{FlowId, FlowKey};
use crate::ident::{InterfaceId, JobId, SaId, UserId};
use crate::meta::{Direction, Meta};
use crate::time::Now;

/// Packets and bytes of one side of a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "hosts with their own connection table fill it in"
)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes of IP packets, headers included.
    pub bytes: u64,
}

/// A flow as observers see it: addresses with the initiator first, when and how it began, how much
/// it has carried, who owns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowInfo {
    /// The flow's entry.
    pub id: FlowId,
    /// Addresses and ports, the initiator's first.
    pub key: FlowKey,
    /// When the first packet was seen.
    pub opened: Now,
    /// When the latest packet was seen.
    pub last: Now,
    /// Number of the first packet in the guard's count.
    pub first_packet: u64,
    /// Whether the opening packet came in or went out: tells which side is local.
    pub direction: Direction,
    /// The beginning was not seen (no SYN): initiator and responder are a guess.
    pub midstream: bool,
    /// What the initiator sent.
    pub initiator: Counters,
    /// What the responder sent.
    pub responder: Counters,
    /// Interface of the opening packet.
    pub interface: InterfaceId,
    /// The security association that carries the flow.
    pub sa: Option<SaId>,
    /// Owner of the local socket, as far as known.
    pub user: UserId,
    /// Job of the local socket, as far as known.
    pub job: JobId,
}

impl FlowInfo {
    /// A flow that begins with a packet of this key and metadata.
    #[must_use]
    pub const fn new(id: FlowId, key: FlowKey, meta: &Meta, first_packet: u64) -> Self {
        const NONE: Counters = Counters {
            packets: 0,
            bytes: 0,
        };
        Self {
            id,
            key,
            opened: meta.now,
            last: meta.now,
            first_packet,
            direction: meta.direction(),
            midstream: false,
            initiator: NONE,
            responder: NONE,
            interface: meta.interface,
            sa: meta.sa,
            user: meta.user,
            job: meta.job,
        }
    }

    /// Packets of both sides.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.initiator.packets + self.responder.packets
    }

    /// Bytes of both sides.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.initiator.bytes + self.responder.bytes
    }
}
