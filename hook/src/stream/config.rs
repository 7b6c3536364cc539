//! Bounds and choices of stream reassembly.

use core::time::Duration;

/// Which bytes count when segments that wait behind a hole, or close it, carry different bytes
/// for the same sequence numbers.
///
/// Hosts differ, and no policy here equals one host in every case. As far as published studies
/// of target-based reassembly go, most systems (Linux, Windows, the BSDs) keep the first copy of
/// a range that is sent again and, where segments overlap in part, favour the one that begins
/// lower; some (Solaris, old routers) take the last.
/// Whatever the policy, bytes that were delivered stay as they were, and differing bytes raise
/// [`STREAM_OVERLAP_DIFFERS`](crate::reason::STREAM_OVERLAP_DIFFERS), which is the reliable sign
/// of somebody who wants an observer to read something else than the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OverlapPolicy {
    /// What came first counts.
    #[default]
    FirstWins,
    /// What came last counts, as long as it was not delivered.
    LastWins,
}

/// Bounds and choices of a [`Reassembler`](super::Reassembler).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Bytes of one block of the pool; at least 1. A waiting segment occupies whole blocks, but
    /// adjacent segments share one.
    pub block_size: u16,
    /// The most blocks all flows together may occupy: `blocks × block_size` bytes. At the bound
    /// the side that has waited longest loses what it has.
    pub blocks: u32,
    /// The most bytes one side of a flow may have waiting. At the bound its first hole is
    /// skipped.
    pub side_bytes: u32,
    /// The most blocks one side of a flow may have waiting; also bounds the work of finding a
    /// place for a segment.
    pub side_blocks: u32,
    /// How long a hole may stay open.
    pub hole_timeout: Duration,
    /// How many further segments of the connection may pass after the receiver acknowledged the
    /// missing bytes before they are taken for lost to the observer. Captures often hold the two
    /// directions a little out of order.
    pub ack_segments: u8,
    /// How long after such an acknowledgment the missing bytes are waited for, however few
    /// segments pass.
    pub ack_delay: Duration,
    /// The farthest from the expected number that a segment may begin or end, at most 2³⁰
    /// (the largest window, RFC 7323 section 2.3).
    pub max_distance: u32,
    /// How far beyond the window that the receiver has announced a segment may end. An observer
    /// may miss window updates or see them late.
    pub window_slack: u32,
    /// Which bytes count where segments overlap.
    pub overlap: OverlapPolicy,
}

impl Default for Config {
    /// 16 MiB in all, 512 KiB for a side, holes skipped after 10 seconds or 8 segments or 500 ms
    /// behind the acknowledgment, first wins.
    fn default() -> Self {
        Self {
            block_size: 2048,
            blocks: 8192,
            side_bytes: 512 * 1024,
            side_blocks: 512,
            hole_timeout: Duration::from_secs(10),
            ack_segments: 8,
            ack_delay: Duration::from_millis(500),
            max_distance: 1 << 30,
            window_slack: 256 * 1024,
            overlap: OverlapPolicy::FirstWins,
        }
    }
}
