//! Bounds of a flow table.

use core::time::Duration;

/// How long a flow may be silent, by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct Timeouts {
    /// TCP before the handshake is complete. 30 s.
    pub half_open: Duration,
    /// TCP, established. 7,440 s (RFC 5382 section 5).
    pub established: Duration,
    /// TCP after the first FIN. 240 s (RFC 5382: transitory).
    pub closing: Duration,
    /// TCP after both FINs or a reset. 10 s.
    pub over: Duration,
    /// UDP and others, one side has sent. 60 s.
    pub one_way: Duration,
    /// UDP and others, both sides have sent. 300 s (RFC 4787 section 4.3).
    pub two_way: Duration,
    /// ICMP. 30 s.
    pub icmp: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            half_open: Duration::from_secs(30),
            established: Duration::from_secs(7_440),
            closing: Duration::from_secs(240),
            over: Duration::from_secs(10),
            one_way: Duration::from_secs(60),
            two_way: Duration::from_secs(300),
            icmp: Duration::from_secs(30),
        }
    }
}

/// Bounds of a flow table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct FlowConfig {
    /// The most flows; memory for the hot halves (about 103 bytes a flow) is taken at once.
    /// 65,536. At least 8 and at most 2³⁰ are used.
    pub capacity: usize,
    /// The most flows one source may open while the table is crowded (IPv6: one /64). An eighth
    /// of the capacity when `None`.
    pub source_share: Option<usize>,
    /// Idle time-outs.
    pub timeouts: Timeouts,
}

impl Default for FlowConfig {
    fn default() -> Self {
        Self {
            capacity: 65_536,
            source_share: None,
            timeouts: Timeouts::default(),
        }
    }
}
