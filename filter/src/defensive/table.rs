//! The defensive filters of one stack as its filters look at them: immutable, newest first.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_hook::time::Instant;

use super::{DefensiveDirection, DefensiveFilter, DefensiveMode, StackMode};
use crate::address::AddressSpec;
use crate::selectors::Selectors;
use crate::service::{Orientation, RuleDirection, Service};

/// The number of an installed filter, its own in a [`Defense`](super::Defense) for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "it is one number")]
pub struct EntryId(pub u64);

/// An installed filter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its number.
    pub id: EntryId,
    /// What it was asked to be.
    pub filter: Arc<DefensiveFilter>,
    /// Tells filters of the same name apart (`FilterNameExtension`), from 1.
    pub extension: u32,
    /// It is a copy of one for all stacks.
    pub global: bool,
    /// The log limit in force, its own or the stack's.
    pub log_limit: u32,
    /// What it does, its own mode or the stack's.
    pub mode: DefensiveMode,
    /// When it goes away; from then on it matches nothing, whether or not anybody took it out.
    pub expires: Instant,
    service: [Option<Service>; 2],
}

impl Entry {
    pub(super) fn new(
        id: EntryId,
        filter: Arc<DefensiveFilter>,
        extension: u32,
        expires: Instant,
    ) -> Self {
        let service = |direction| {
            let mut service = Service::new(filter.upper.clone())
                .routing(filter.routing)
                .direction(direction);
            service.fragments_only = filter.fragments_only;
            Some(service)
        };
        let service = match filter.direction {
            DefensiveDirection::Inbound => [service(RuleDirection::Inbound), None],
            DefensiveDirection::Outbound => [service(RuleDirection::Outbound), None],
            DefensiveDirection::Both => [
                service(RuleDirection::Inbound),
                service(RuleDirection::Outbound),
            ],
        };
        Self {
            id,
            extension,
            global: false,
            log_limit: filter.log_limit.unwrap_or(0),
            mode: filter.mode,
            expires,
            service,
            filter,
        }
    }

    /// Whether a packet matches, lifetime aside.
    #[must_use]
    pub fn matches(&self, p: &Selectors) -> bool {
        self.filter.source.contains(p.source)
            && self.filter.destination.contains(p.destination)
            && self
                .service
                .iter()
                .flatten()
                .any(|s| s.matches(p, Orientation::AsWritten))
    }

    /// Its services, each for one direction.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> {
        self.service.iter().flatten()
    }

    /// Whether a match is told: what simulates always is.
    #[must_use]
    pub fn logs(&self) -> bool {
        self.filter.log || self.mode == DefensiveMode::Simulate
    }
}

/// What the table says about a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hit {
    /// The first filter that would have discarded it; at most one a packet is told.
    pub simulated: Option<usize>,
    /// The filter that discards it.
    pub blocked: Option<usize>,
}

impl Hit {
    /// Whether no filter matched.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.simulated.is_none() && self.blocked.is_none()
    }
}

/// The defensive filters of one stack, newest first; immutable, shared by its workers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefensiveTable {
    entries: Vec<Entry>,
    exclusions: Vec<AddressSpec>,
    mode: StackMode,
    generation: u64,
}

impl DefensiveTable {
    pub(super) const fn new(
        entries: Vec<Entry>,
        exclusions: Vec<AddressSpec>,
        mode: StackMode,
        generation: u64,
    ) -> Self {
        Self {
            entries,
            exclusions,
            mode,
            generation,
        }
    }

    /// The filters, newest first.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Addresses whose packets are never discarded (`Exclude`).
    #[must_use]
    pub fn exclusions(&self) -> &[AddressSpec] {
        &self.exclusions
    }

    /// The stack's mode.
    #[must_use]
    pub const fn mode(&self) -> StackMode {
        self.mode
    }

    /// Which table it is: greater with every change.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it can match nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When the next filter's life ends.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Instant> {
        self.entries.iter().map(|e| e.expires).min()
    }

    /// What happens to a packet. O(filters).
    ///
    /// The newest filter that matches decides. One that simulates lets the packet go on to older
    /// filters, of which only those that block count any more.
    #[must_use]
    pub fn look_up(&self, p: &Selectors, now: Instant) -> Hit {
        let mut hit = Hit::default();
        if self.entries.is_empty() || self.is_excluded(p.source) || self.is_excluded(p.destination)
        {
            return hit;
        }
        for (at, entry) in self.entries.iter().enumerate() {
            if now >= entry.expires
                || (entry.mode == DefensiveMode::Simulate && hit.simulated.is_some())
                || !entry.matches(p)
            {
                continue;
            }
            match entry.mode {
                DefensiveMode::Simulate => hit.simulated = Some(at),
                DefensiveMode::Block => {
                    hit.blocked = Some(at);
                    break;
                }
            }
        }
        hit
    }

    fn is_excluded(&self, address: IpAddr) -> bool {
        self.exclusions.iter().any(|e| e.contains(address))
    }
}
