//! The counters of a session.

use crate::record::Traffic;

/// Counters of a session since it was first seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections that were ever counted in it.
    pub connections: u32,
    /// Those it protected for a part of their life only.
    pub partial: u32,
    /// Those that lived less than ten seconds.
    pub short: u32,
    /// Connections that are open at this moment; the only counter that falls.
    pub active: u32,
    /// Handshakes that failed.
    pub failed: u32,
    /// Bytes the local end received.
    pub in_bytes: u64,
    /// Bytes the local end sent.
    pub out_bytes: u64,
    /// Packets the local end received.
    pub in_packets: u64,
    /// Packets the local end sent.
    pub out_packets: u64,
}

impl Counters {
    /// Adds traffic; swapped, as the other end counts it.
    pub(super) fn add(&mut self, t: Traffic, swapped: bool) {
        let (input, output) = ((t.in_bytes, t.in_packets), (t.out_bytes, t.out_packets));
        let (input, output) = if swapped {
            (output, input)
        } else {
            (input, output)
        };
        self.in_bytes = self.in_bytes.saturating_add(input.0);
        self.in_packets = self.in_packets.saturating_add(input.1);
        self.out_bytes = self.out_bytes.saturating_add(output.0);
        self.out_packets = self.out_packets.saturating_add(output.1);
    }
}
