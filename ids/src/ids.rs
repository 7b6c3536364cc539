//! The control: the detectors behind one packet hook.

use hostward_hook::PacketHook;
use hostward_hook::action::Cx;
use hostward_hook::flow::HashKey;
use hostward_hook::hooks::Timers;
use hostward_hook::packet::Packet;
use hostward_hook::time::Instant;
use hostward_hook::verdict::Verdict;

use crate::host::Host;
use crate::malformed;
use crate::policy::{AttackType, Limits, Policy};
use crate::report::{Category, Desk, Seen};

/// What intrusion detection looks for, and what it may keep.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct Config {
    /// Malformed packets (`MALFORMED_PACKET`).
    pub malformed: malformed::Config,
    /// The rules: [`Policy::standard`].
    pub policy: Policy,
    /// How often is told.
    pub limits: Limits,
    /// What makes the hashes of all tables unpredictable: sixteen bytes from a good random source.
    /// A guard lends the key of its flow table if there is none; without one sources can be made up
    /// that crowd each other out of the tables.
    pub key: Option<HashKey>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            malformed: malformed::Config::default(),
            policy: Policy::standard(),
            limits: Limits::default(),
            key: None,
        }
    }
}

/// What detection keeps for each flow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slot {}

/// Intrusion detection of one worker.
#[derive(Clone, Debug)]
pub struct Ids {
    malformed: malformed::Config,
    policy: Policy,
    desk: Desk,
    host: Host,
    key: Option<HashKey>,
}

impl Default for Ids {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Ids {
    /// Intrusion detection as configured. All tables are made now.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let desk = Desk::new(&config.policy, config.limits);
        Self {
            malformed: config.malformed,
            policy: config.policy,
            desk,
            host: Host::default(),
            key: config.key,
        }
    }

    /// Lends a key for the hashes of all tables if none was configured; for the guard, before the
    /// first packet.
    pub const fn lend_key(&mut self, key: HashKey) {
        if self.key.is_none() {
            self.key = Some(key);
        }
    }

    /// Puts other rules in force. What is counted and watched stays.
    pub fn install(&mut self, policy: Policy) {
        self.desk.install(&policy);
        self.policy = policy;
    }

    /// The rules in force.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What the host has told.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// For the host to tell what it knows.
    pub const fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    /// What was seen of a type of attack since the start.
    #[must_use]
    pub fn seen(&self, kind: AttackType) -> Seen {
        self.desk.seen(Category::Attack(kind))
    }
}

impl PacketHook for Ids {
    type Slot = Slot;

    #[inline]
    fn before(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
        malformed::check(&self.malformed, &mut self.desk, cx, packet)
    }
}

impl Timers for Ids {
    fn next_deadline(&self) -> Option<Instant> {
        self.desk.next_deadline()
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        self.desk.handle_deadline(cx);
    }
}
