//! The boundary between reading captures and judging packets.
//!
//! [`feed`](crate::feed) hands each IP packet to an [`Engine`] together with what the capture
//! knows of it; the engine hands what it finds to an [`Output`].

use std::collections::BTreeMap;
use std::io;

use hostward_hook::Direction;
use hostward_hook::meta::Routing;
use hostward_hook::time::UnixTime;

use crate::capture::{Layers, LinkType};
use crate::report::Output;
use crate::report::line::RuleLine;

/// One IP packet of a capture.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Input<'a> {
    /// Number of the frame among all that were read, from 1; frames without IP count too, so
    /// that for a single file it is the number other programs show.
    pub number: u64,
    /// When it was captured.
    pub time: UnixTime,
    /// The innermost packet, from its IP header on.
    pub packet: &'a [u8],
    /// Length of the whole frame on the wire.
    pub wire_len: u32,
    /// The capture has only the beginning of the frame, so that a packet that seems too short
    /// may not have been.
    pub truncated: bool,
    /// The packet is a fragment of a datagram.
    pub fragment: bool,
    /// Whether the packet came to or went from the local side.
    pub direction: Direction,
    /// Whether an end of the packet is on the local side, or it is only forwarded there.
    pub routing: Routing,
    /// The link type of the frame.
    pub link: LinkType,
    /// What was taken off: link layers, then tunnels.
    pub layers: &'a Layers,
}

/// What an engine tells at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct Totals {
    /// Flows that were seen.
    pub flows: u64,
    /// Packets that were dropped, by code.
    pub dropped: BTreeMap<u16, u64>,
    /// What each rule of the filter decided, the implied deny last; none without filter.
    pub rules: Option<Vec<RuleLine>>,
}

/// Judges packets.
pub trait Engine {
    /// Takes one packet. Packets come in the order of the capture; times may go backwards.
    ///
    /// # Errors
    ///
    /// Those of writing to `out`.
    fn packet(&mut self, input: &Input<'_>, out: &mut dyn Output) -> io::Result<()>;

    /// Tells what is still open; there are no more packets.
    ///
    /// # Errors
    ///
    /// Those of writing to `out`.
    fn finish(&mut self, out: &mut dyn Output) -> io::Result<Totals>;
}
