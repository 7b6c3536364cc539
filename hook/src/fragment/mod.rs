//! Reassembly of IPv4 and IPv6 fragments (RFC 791, RFC 8200 section 4.5).
//!
//! A [`FragmentReassembler`] takes packets and gives whole datagrams back, with the headers put
//! right. All its memory is bounded; no source can take more than its share.
//!
//! What is decided here, and how:
//!
//! | matter | rule |
//! |---|---|
//! | overlap | the datagram is discarded, with the fragments still to come (RFC 5722); for IPv4 [`Ipv4Overlap::FirstWins`] may be chosen |
//! | exact duplicate (same place, same bytes) | ignored, as RFC 8200 section 4.5 allows |
//! | same place, other bytes | an overlap |
//! | contradiction about the end | the datagram is discarded |
//! | length no multiple of eight, or none | the fragment is discarded |
//! | longer than 65,535 bytes | the fragment is discarded |
//! | first fragment without the whole header chain | the fragment is discarded for IPv6 (RFC 7112); accepted for IPv4 unless configured |
//! | fragment header in a whole packet (RFC 6946) | the packet is whole, nothing is kept |
//! | two fragment headers | the packet is discarded |
//! | congestion marks | the whole carries CE if a fragment does; together with a fragment that is not ECN-capable the datagram is discarded (RFC 3168 section 5.3) |
//! | time-out | 30 seconds for IPv4, 60 seconds for IPv6, from the first fragment to arrive |
//! | memory used up | the oldest incomplete datagram is discarded; a source over its share loses its own oldest |
//!
//! A discarded datagram is remembered until its time-out, so that its remaining fragments are
//! discarded without another event.
//!
//! The source address of a fragment can be forged: shares protect sources from each other's
//! load, not from an attacker who forges many of them; then the oldest go first.
//!
//! No call here can panic, whatever the packets.

mod config;
mod detail;
mod piece;
mod reassembler;
mod table;

pub use config::{Config, Ipv4Overlap};
pub use detail::{FragmentDetail, Overlap};
pub use reassembler::{FragmentReassembler, Outcome, Reassembled};
