//! Bounds and choices of fragment reassembly.

use core::time::Duration;

/// What becomes of an IPv4 datagram whose fragments overlap.
///
/// RFC 791 lets the last fragment win and real hosts disagree, which is what attackers use; no
/// correct sender overlaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ipv4Overlap {
    /// It is discarded, as RFC 5722 demands for IPv6. Linux does so too.
    #[default]
    Discard,
    /// The bytes that came first count. The overlap is still reported.
    FirstWins,
}

/// Bounds and choices of a [`FragmentReassembler`](super::FragmentReassembler).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Bytes of one block of memory; at least 1. Each fragment occupies whole blocks, and each
    /// datagram one more for its header.
    pub block_size: u16,
    /// The most blocks in use: `blocks × block_size` bytes.
    pub blocks: u32,
    /// The most blocks the datagrams of one source may use.
    pub source_blocks: u32,
    /// The most datagrams, incomplete or discarded, that are remembered.
    pub datagrams: u32,
    /// The most datagrams of one source that are remembered.
    pub source_datagrams: u32,
    /// The most fragments of one datagram; with more it is discarded.
    pub fragments: u16,
    /// How long an IPv4 datagram may take.
    pub ipv4_timeout: Duration,
    /// How long an IPv6 datagram may take (RFC 8200 section 4.5: 60 seconds).
    pub ipv6_timeout: Duration,
    /// What becomes of overlapping IPv4 fragments.
    pub ipv4_overlap: Ipv4Overlap,
    /// Whether an IPv4 first fragment that does not hold its whole transport header is discarded
    /// (RFC 1858). Off by default: reassembly shows what it hid.
    pub ipv4_discard_tiny: bool,
}

impl Default for Config {
    /// 4 MiB in all, a quarter of it for one source; 1,024 datagrams, 128 of one source, of at
    /// most 256 fragments.
    fn default() -> Self {
        Self {
            block_size: 2048,
            blocks: 2048,
            source_blocks: 512,
            datagrams: 1024,
            source_datagrams: 128,
            fragments: 256,
            ipv4_timeout: Duration::from_secs(30),
            ipv6_timeout: Duration::from_secs(60),
            ipv4_overlap: Ipv4Overlap::Discard,
            ipv4_discard_tiny: false,
        }
    }
}
