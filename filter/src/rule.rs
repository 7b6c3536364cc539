//! A filter rule and what it asks of a packet (`IpFilterRule`, `IpGenericFilterAction`).

use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_hook::ident::TunnelId;

use crate::address::AddressSpec;
use crate::members::Members;
use crate::selectors::Selectors;
use crate::service::{Connect, Orientation, RuleDirection, RuleRouting, Service, Upper};
use crate::time::TimeCondition;

/// What happens to a packet that matches (`IpFilterAction`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Let it pass.
    Permit,
    /// Discard it.
    Deny,
    /// It must go, or must have come, through this tunnel.
    Ipsec(TunnelId),
}

/// Which outcomes of a rule are told (`IpFilterLogging`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Logging {
    /// None.
    #[default]
    No,
    /// Both.
    Yes,
    /// Packets that pass.
    Permit,
    /// Packets that are discarded.
    Deny,
}

impl Logging {
    /// Whether this outcome is told.
    #[must_use]
    pub const fn tells(self, permitted: bool) -> bool {
        match self {
            Self::No => false,
            Self::Yes => true,
            Self::Permit => permitted,
            Self::Deny => !permitted,
        }
    }
}

/// What the sender of a denied packet learns (`DiscardAction`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Discard {
    /// Nothing.
    #[default]
    Silent,
    /// ICMP: administratively prohibited, unless it must not be answered
    /// ([`Selectors::may_be_answered`]). The host that sends the answers limits their rate.
    Icmp,
}

/// One rule.
///
/// A new rule matches everything local in both directions; each field narrows it. A packet
/// matches when *one* of the sources, *one* of the destinations and *one* of the services fit,
/// and the rule exists at that time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// The name under which it is logged.
    pub name: Arc<str>,
    /// The group it stands in (`IpFilterGroup`).
    pub group: Option<Arc<str>>,
    /// Source; for a bidirectional rule the local side.
    pub source: Members<AddressSpec>,
    /// Destination; for a bidirectional rule the remote side.
    pub destination: Members<AddressSpec>,
    /// Traffic between them.
    pub services: Members<Service>,
    /// When it is in force: while any of these holds, always when there is none.
    pub times: Vec<Arc<TimeCondition>>,
    /// What happens on a match.
    pub action: Action,
    /// What is told of a match.
    pub logging: Logging,
    /// What the sender of a denied packet learns.
    pub discard: Discard,
}

impl Rule {
    /// A rule for all local traffic.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, action: Action) -> Self {
        Self {
            name: name.into(),
            group: None,
            source: Members::One(AddressSpec::Any),
            destination: Members::One(AddressSpec::Any),
            services: Members::One(Service::default()),
            times: Vec::new(),
            action,
            logging: Logging::No,
            discard: Discard::Silent,
        }
    }

    /// The same rule for one source, or for a group of sources.
    #[must_use]
    pub fn source(mut self, source: impl Into<Members<AddressSpec>>) -> Self {
        self.source = source.into();
        self
    }

    /// The same rule for one destination, or for a group of them.
    #[must_use]
    pub fn destination(mut self, destination: impl Into<Members<AddressSpec>>) -> Self {
        self.destination = destination.into();
        self
    }

    /// The same rule for one service, or for a group of them.
    #[must_use]
    pub fn services(mut self, services: impl Into<Members<Service>>) -> Self {
        self.services = services.into();
        self
    }

    /// The same rule for one kind of traffic.
    #[must_use]
    pub fn upper(self, upper: Upper) -> Self {
        self.service(|s| s.upper = upper)
    }

    /// The same rule for one direction.
    #[must_use]
    pub fn direction(self, direction: RuleDirection) -> Self {
        self.service(|s| s.direction = direction)
    }

    /// The same rule for other routing.
    #[must_use]
    pub fn routing(self, routing: RuleRouting) -> Self {
        self.service(|s| s.routing = routing)
    }

    /// The same rule with a say in who opens connections.
    #[must_use]
    pub fn connect(self, connect: Connect) -> Self {
        self.service(|s| s.connect = connect)
    }

    /// The same rule for interfaces of one security class.
    #[must_use]
    pub fn security_class(self, class: u8) -> Self {
        self.service(|s| s.security_class = class)
    }

    /// The same rule for fragments only.
    #[must_use]
    pub fn fragments_only(self) -> Self {
        self.service(|s| s.fragments_only = true)
    }

    /// The same rule while a condition holds; several are alternatives.
    #[must_use]
    pub fn during(mut self, time: impl Into<Arc<TimeCondition>>) -> Self {
        self.times.push(time.into());
        self
    }

    /// The same rule in a group.
    #[must_use]
    pub fn group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// The same rule with other logging.
    #[must_use]
    pub const fn logging(mut self, logging: Logging) -> Self {
        self.logging = logging;
        self
    }

    /// The same rule with an answer to the sender of denied packets.
    #[must_use]
    pub const fn discard(mut self, discard: Discard) -> Self {
        self.discard = discard;
        self
    }

    /// Changes its only service. A rule with a group of services gets a new one instead of it.
    fn service(mut self, change: impl FnOnce(&mut Service)) -> Self {
        let mut service = match self.services {
            Members::One(service) => service,
            Members::Group(_) => Service::default(),
        };
        change(&mut service);
        self.services = Members::One(service);
        self
    }

    /// Whether a packet matches while the rule is in force: the executable specification that
    /// faster classifiers must equal.
    #[must_use]
    pub fn matches(&self, p: &Selectors) -> bool {
        // Addresses are compared when a service fits, once in each orientation.
        let mut ends = [None; 2];
        self.services.iter().any(|s| {
            [Orientation::AsWritten, Orientation::Swapped]
                .into_iter()
                .zip(&mut ends)
                .any(|(o, ends)| s.matches(p, o) && *ends.get_or_insert_with(|| self.ends(p, o)))
        })
    }

    /// Whether a fragment matches through a service for fragments only.
    pub(crate) fn matches_as_fragment(&self, p: &Selectors) -> bool {
        self.simple_filters()
            .any(|f| f.service().fragments_only && f.matches(p))
    }

    fn ends(&self, p: &Selectors, orientation: Orientation) -> bool {
        let (source, destination) = match orientation {
            Orientation::AsWritten => (p.source, p.destination),
            Orientation::Swapped => (p.destination, p.source),
        };
        self.source.iter().any(|a| a.contains(source))
            && self.destination.iter().any(|a| a.contains(destination))
    }

    /// Which of its simple filters a packet matches first, from 1; `None` when none does.
    #[must_use]
    pub fn extension(&self, p: &Selectors) -> Option<u32> {
        self.simple_filters()
            .find(|f| f.matches(p))
            .map(|f| f.extension())
    }
}
