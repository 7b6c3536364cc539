//! Defensive filters: short-lived denies that automation puts in front of all other filters.
//!
//! They only discard, or tell what they would have discarded. [`Defense`] is the manager (the
//! Defense Manager daemon of z/OS) of one or several stacks in a process: it takes typed
//! [`Request`]s, keeps lifetimes, and hands every stack a [`DefensiveTable`], an immutable value
//! that the stack's [`Filter`](crate::Filter)s look at before their rules. A [`Store`] keeps them over
//! a restart, so that a stack is protected from its first packet.

mod limit;
mod manager;
mod record;
mod request;
mod store;
mod table;
mod watch;

use alloc::string::String;
use alloc::sync::Arc;

pub use limit::{LogLimiter, Logged};
pub use manager::Defense;
pub use record::{Damage, Record, decode, encode};
pub use request::{
    Answer, Changes, DefenseConfig, DefenseError, Displayed, Request, Selection, Target,
};
#[cfg(feature = "std")]
pub use store::FileStore;
pub use store::{MemoryStore, Store, StoreError};
pub use table::{DefensiveTable, Entry, EntryId, Hit};
pub(crate) use watch::Watch;

use crate::address::AddressSpec;
use crate::service::{RuleRouting, Service, Upper};

/// The longest lifetime there is, in minutes: two weeks.
pub const LIFETIME_MAX: u32 = 20_160;
/// The greatest log limit, in messages for five minutes.
pub const LOG_LIMIT_MAX: u32 = 9_999;
/// The most addresses or prefixes that one stack may exclude.
pub const EXCLUSIONS_MAX: usize = 10;
/// The longest name of a filter, in characters.
pub const NAME_MAX: usize = 32;

/// What happens to a packet that a defensive filter matches (`mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it discards, or it tells")]
pub enum DefensiveMode {
    /// It is discarded.
    #[default]
    Block,
    /// It goes on; that it would have been discarded is told.
    Simulate,
}

impl DefensiveMode {
    /// Its name in log lines and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Simulate => "simulate",
        }
    }
}

/// What all defensive filters of a stack may do (`Mode` of `DmStackConfig`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "z/OS has these three")]
pub enum StackMode {
    /// Each filter does what its own mode says.
    #[default]
    Active,
    /// All of them simulate.
    Simulate,
    /// There are none, and none can be added.
    Inactive,
}

/// Which way packets of a defensive filter move (`dir`). Source and destination are always the
/// packet's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "in, out or both")]
pub enum DefensiveDirection {
    /// Into the host.
    #[default]
    Inbound,
    /// Out of it.
    Outbound,
    /// Either way.
    Both,
}

/// A defensive filter as it is asked for (`ipsec -F add`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DefensiveFilter {
    /// Its name, 1 to 32 characters; several filters may have the same.
    pub name: Arc<str>,
    /// Source of the packets (`srcip`).
    pub source: AddressSpec,
    /// Destination of the packets (`destip`).
    pub destination: AddressSpec,
    /// Protocol, ports, type and code (`prot`, `srcport`, `destport`, `type`, `code`).
    pub upper: Upper,
    /// Only fragments (`fragmentsonly`).
    pub fragments_only: bool,
    /// Direction (`dir`).
    pub direction: DefensiveDirection,
    /// Traffic of this host, forwarded traffic, or both (`routing`).
    pub routing: RuleRouting,
    /// Discards, or tells only (`mode`).
    pub mode: DefensiveMode,
    /// Whether matches are told (`log`); what simulates always is.
    pub log: bool,
    /// Messages for five minutes, 0 for any number (`loglimit`); the stack's default when `None`.
    pub log_limit: Option<u32>,
    /// Minutes until it goes away by itself (`lifetime`).
    pub lifetime: u32,
}

impl DefensiveFilter {
    /// A filter that blocks all inbound local traffic for 30 minutes and tells of it; each field
    /// narrows it.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            source: AddressSpec::Any,
            destination: AddressSpec::Any,
            upper: Upper::Any,
            fragments_only: false,
            direction: DefensiveDirection::Inbound,
            routing: RuleRouting::Local,
            mode: DefensiveMode::Block,
            log: true,
            log_limit: None,
            lifetime: 30,
        }
    }

    /// The same filter for packets from these addresses.
    #[must_use]
    pub const fn source(mut self, source: AddressSpec) -> Self {
        self.source = source;
        self
    }

    /// The same filter for packets to these addresses.
    #[must_use]
    pub const fn destination(mut self, destination: AddressSpec) -> Self {
        self.destination = destination;
        self
    }

    /// The same filter for one kind of traffic.
    #[must_use]
    pub fn upper(mut self, upper: Upper) -> Self {
        self.upper = upper;
        self
    }

    /// The same filter for fragments only.
    #[must_use]
    pub const fn fragments_only(mut self) -> Self {
        self.fragments_only = true;
        self
    }

    /// The same filter for another direction.
    #[must_use]
    pub const fn direction(mut self, direction: DefensiveDirection) -> Self {
        self.direction = direction;
        self
    }

    /// The same filter for other routing.
    #[must_use]
    pub const fn routing(mut self, routing: RuleRouting) -> Self {
        self.routing = routing;
        self
    }

    /// The same filter in another mode.
    #[must_use]
    pub const fn mode(mut self, mode: DefensiveMode) -> Self {
        self.mode = mode;
        self
    }

    /// The same filter, telling of its matches or not, at most so many times in five minutes.
    #[must_use]
    pub const fn log(mut self, log: bool, limit: Option<u32>) -> Self {
        self.log = log;
        self.log_limit = limit;
        self
    }

    /// The same filter with another lifetime in minutes.
    #[must_use]
    pub const fn lifetime(mut self, minutes: u32) -> Self {
        self.lifetime = minutes;
        self
    }

    /// Whether it can be installed on a stack.
    ///
    /// # Errors
    /// What is wrong with it: its name, mixed IP versions, selectors that forwarded fragments do
    /// not show, an empty range, a code without one type, a lifetime or log limit out of range.
    pub fn check(&self, lifetime_max: u32) -> Result<(), DefenseError> {
        check_name(&self.name)?;
        if let (Some(s), Some(d)) = (self.source.bounds(), self.destination.bounds())
            && s.0.is_ipv4() != d.0.is_ipv4()
        {
            return Err(DefenseError::MixedVersions {
                from: self.source,
                to: self.destination,
            });
        }
        Service::new(self.upper.clone())
            .routing(self.routing)
            .check()?;
        check_lifetime(self.lifetime, lifetime_max)?;
        check_log_limit(self.log_limit)
    }
}

/// Blanks, commas and hyphens in front are how the command separates and selects names.
fn check_name(name: &str) -> Result<(), DefenseError> {
    let bad = |c: char| c == ',' || c.is_whitespace() || c.is_control();
    if name.is_empty() || name.chars().count() > NAME_MAX || name.starts_with('-') {
        return Err(DefenseError::Name(String::from(name)));
    }
    if name.chars().any(bad) {
        return Err(DefenseError::Name(String::from(name)));
    }
    Ok(())
}

const fn check_lifetime(minutes: u32, max: u32) -> Result<(), DefenseError> {
    if minutes == 0 || minutes > max {
        return Err(DefenseError::Lifetime { minutes, max });
    }
    Ok(())
}

const fn check_log_limit(limit: Option<u32>) -> Result<(), DefenseError> {
    match limit {
        Some(limit) if limit > LOG_LIMIT_MAX => Err(DefenseError::LogLimit { limit }),
        Some(_) | None => Ok(()),
    }
}
