//! What a control wants done outside the packet in hand.
//!
//! Controls put actions into a bounded queue; the host drains it with
//! [`ActionQueue::poll`] when it has time. Nothing calls back into the host.

use core::net::IpAddr;
use core::time::Duration;

use crate::event::EventSink;
use crate::flow::FlowKey;
use crate::ident::{RuleId, SaId, Ticket, TunnelId};
use crate::reason::Code;

/// One wish of a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Reset the TCP connection of this flow.
    ResetFlow {
        /// The connection.
        key: FlowKey,
        /// Why.
        reason: Code,
    },
    /// Install a defensive filter against a source for some time.
    DefensiveFilter {
        /// The hostile source.
        source: IpAddr,
        /// How long the filter lives.
        lifetime: Duration,
        /// Why.
        reason: Code,
    },
    /// Negotiate a security association for a tunnel.
    AcquireSa {
        /// The tunnel.
        tunnel: TunnelId,
        /// The rule that needs it.
        rule: RuleId,
        /// A packet of the traffic that needs it.
        key: FlowKey,
    },
    /// Negotiate a successor for a security association that grows old.
    RefreshSa {
        /// The association.
        sa: SaId,
    },
    /// Submit the held packet again.
    Release(Ticket),
    /// Throw the held packet away.
    Discard(Ticket),
}

/// Where a control puts its actions.
pub trait ActionSink {
    /// Takes an action; `false` says that it was lost because the host has not drained the queue.
    fn act(&mut self, action: Action) -> bool;
}

/// Forgets every action: for hosts that carry none out.
impl ActionSink for () {
    fn act(&mut self, _: Action) -> bool {
        false
    }
}

/// A ring of at most `N` actions; when it is full new ones are lost and counted.
#[derive(Clone, Debug)]
pub struct ActionQueue<const N: usize> {
    ring: [Option<Action>; N],
    head: usize,
    len: usize,
    lost: u64,
}

impl<const N: usize> Default for ActionQueue<N> {
    fn default() -> Self {
        Self {
            ring: [None; N],
            head: 0,
            len: 0,
            lost: 0,
        }
    }
}

impl<const N: usize> ActionQueue<N> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the oldest action out.
    pub fn poll(&mut self) -> Option<Action> {
        if self.len == 0 {
            return None;
        }
        let action = self.ring.get_mut(self.head).and_then(Option::take);
        self.head = (self.head + 1) % N;
        self.len -= 1;
        action
    }

    /// Number of waiting actions.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether no action waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many actions were lost because the queue was full.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }
}

impl<const N: usize> ActionSink for ActionQueue<N> {
    fn act(&mut self, action: Action) -> bool {
        if self.len == N {
            self.lost = self.lost.saturating_add(1);
            return false;
        }
        let at = (self.head + self.len) % N;
        if let Some(slot) = self.ring.get_mut(at) {
            *slot = Some(action);
            self.len += 1;
        }
        true
    }
}

/// What the guard lends a control for one packet, one stream chunk or one timer.
pub struct Cx<'c> {
    /// Time of the packet or timer.
    pub now: crate::time::Now,
    /// Number of the packet in the guard's count, 0 when no packet is in hand.
    pub packet: u64,
    /// Generation of the rule sets in force.
    pub generation: u64,
    /// The filter's rule that decided about the packet in hand; `None` before that and for the
    /// implied deny.
    pub rule: Option<RuleId>,
    /// Where events go.
    pub events: &'c mut dyn EventSink,
    /// Where actions go.
    pub actions: &'c mut dyn ActionSink,
}

impl<'c> Cx<'c> {
    /// A context outside any packet.
    pub fn new(
        now: crate::time::Now,
        events: &'c mut dyn EventSink,
        actions: &'c mut dyn ActionSink,
    ) -> Self {
        Self {
            now,
            packet: 0,
            generation: 0,
            rule: None,
            events,
            actions,
        }
    }

    /// Starts an event: the envelope is filled with what the context knows.
    #[must_use]
    pub fn event<'a>(
        &self,
        code: Code,
        class: crate::event::Class,
        detail: &'a dyn crate::event::Detail,
    ) -> crate::event::Event<'a> {
        let mut e = crate::event::Event::new(code, class, self.now, detail);
        e.packet = self.packet;
        e.generation = self.generation;
        e
    }
}
