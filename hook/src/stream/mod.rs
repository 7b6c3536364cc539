//! TCP stream reassembly for hosts that only see packets.
//!
//! One [`Reassembler`] per worker holds the configuration and the memory; each flow holds a small
//! [`StreamState`]. In-order payload goes to the [`StreamSink`] straight from the packet, without
//! a copy and without allocation; only what comes out of order is copied into a bounded pool and
//! delivered when the hole closes.
//!
//! What is decided here, and how:
//!
//! | matter | rule |
//! |---|---|
//! | sequence numbers | serial arithmetic modulo 2³² (RFC 9293 section 3.4, RFC 1982) |
//! | start without SYN | the first segment's number is adopted and the side marked [midstream](StreamState::is_midstream) |
//! | overlap | [`OverlapPolicy`]; delivered bytes are never changed; other bytes for the same numbers raise [`STREAM_OVERLAP_DIFFERS`] |
//! | hole | closed by the missing data, or skipped with a gap when the receiver acknowledged it, after a time-out, or when memory runs out |
//! | data the capture cut off | a hole |
//! | segment too far away | ignored with [`STREAM_OUT_OF_WINDOW`], unless the receiver's acknowledgments agree that the stream has moved on |
//! | acknowledgment of what was never seen | skips nothing |
//! | SYN | counts one number; data in it is delivered once the receiver has acknowledged it (RFC 7413), and forgotten if it has not |
//! | FIN | counts one number; data beyond is not delivered and raises [`STREAM_DATA_AFTER_FIN`] |
//! | RST | believed only at the next expected number, or the one the receiver has acknowledged last (RFC 5961 section 3.2) |
//! | no ACK flag | a segment with neither SYN, RST nor ACK is ignored as receivers ignore it (RFC 9293 section 3.10.7.4) |
//! | keep-alive, window probe | recognised and silent (RFC 9293 sections 3.8.4 and 3.8.6.1) |
//! | urgent data | delivered in line (RFC 6093) |
//!
//! Comparison with bytes that were already delivered is possible only for the last
//! [`REMEMBERED`] of them, which each side keeps; comparison with bytes that wait is complete.
//!
//! Not looked at: checksums (do not hand in segments that fail them, see
//! [`checksum`](crate::checksum)), timestamps (RFC 7323 PAWS), whether a segment's own
//! acknowledgment number is acceptable.
//!
//! No call here can panic, whatever the segments.
//!
//! [`STREAM_OUT_OF_WINDOW`]: crate::reason::STREAM_OUT_OF_WINDOW
//! [`STREAM_OVERLAP_DIFFERS`]: crate::reason::STREAM_OVERLAP_DIFFERS
//! [`STREAM_DATA_AFTER_FIN`]: crate::reason::STREAM_DATA_AFTER_FIN

mod admit;
mod buffer;
mod config;
mod deliver;
mod detail;
mod reassembler;
mod segment;
mod sink;
mod state;

pub use config::{Config, OverlapPolicy};
pub use detail::StreamDetail;
pub use reassembler::Reassembler;
pub use segment::Segment;
pub use sink::{Observe, StreamSink};
pub use state::{REMEMBERED, StreamState};
