#![doc = include_str!("../README.md")]
#![no_std]
#![deny(unsafe_code)] // classifier::simd is the one exception
#![cfg_attr(
    not(test),
    deny(
        clippy::std_instead_of_core,
        clippy::std_instead_of_alloc,
        clippy::alloc_instead_of_core
    )
)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

mod address;
mod analysis;
pub mod classifier;
mod compiled;
pub mod defensive;
mod edits;
mod explain;
mod filter;
mod flow;
mod icmp;
mod members;
mod message;
mod packet_text;
mod rule;
mod rule_set;
mod selectors;
mod service;
mod simple;
mod tally;
mod time;
mod told;
mod tunnels;

pub use address::{AddressError, AddressSpec, Prefix, Range};
pub use analysis::{Analysis, Never, Oddity, analyze};
pub use edits::{EditError, Edits};
pub use explain::{
    DefensiveExplanation, DefensiveFit, DefensiveTried, Explanation, Failed, FilterExplanation,
    Fit, Question, Tried,
};
pub use filter::{
    CODES, DEFENSIVE_ADDED, DEFENSIVE_BLOCKED, DEFENSIVE_DELETED, DEFENSIVE_EXPIRED,
    DEFENSIVE_OVERFULL, DEFENSIVE_SIMULATED, DEFENSIVE_SUPPRESSED, DEFENSIVE_UPDATED, DENIED,
    Filter, ICMP_ERROR_PERMITTED, IMPLIED_DENY, LOG_SUPPRESSED, NOT_THROUGH_TUNNEL, PERMITTED,
    UNEXPECTED_TUNNEL,
};
pub use flow::Remembered;
pub use members::{Group, Members};
pub use message::Message;
pub use packet_text::{PacketProblem, PacketText, PacketTextError};
pub use rule::{Action, Discard, Logging, Rule};
pub use rule_set::{InForce, Origin, RuleSet, Settings, Tunnel, TunnelKind};
pub use selectors::{Header, Opening, Selectors};
pub use service::{Connect, Orientation, RuleDirection, RuleRouting, Service, ServiceError, Upper};
pub use simple::{Context, SimpleFilter};
pub use time::{DateTime, FixedOffset, LocalTime, TimeCondition, TimeError, TimeOfDay, Zone};
pub use told::{
    About, Decision, DefenseEvent, DefensiveMatch, ErrorPermitted, Happened, Overfull,
    RuleSuppressed, Suppressed,
};
pub use tunnels::{Arrival, Outcome, Tunnels};
