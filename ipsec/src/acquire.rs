//! Associations that are asked for, and the packets that wait for them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use hostward_hook::action::{Action, ActionSink};
use hostward_hook::flow::FlowKey;
use hostward_hook::ident::{RuleId, Ticket, TunnelId};
use hostward_hook::reason::Reason;
use hostward_hook::time::Instant;

use crate::told::{ACQUIRE_FAILED, TOO_MANY_ACQUIRES, TOO_MANY_HELD};

/// How packets wait for associations.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct HoldConfig {
    /// How many associations may be asked for at a time. 256.
    pub acquires: usize,
    /// How many packets may wait for one of them; 0 drops them while it is negotiated. 4.
    pub packets: usize,
    /// How long an association is waited for. 30 seconds.
    pub wait: Duration,
    /// How long none is asked for after that failed. 5 seconds.
    pub pause: Duration,
}

impl Default for HoldConfig {
    fn default() -> Self {
        Self {
            acquires: 256,
            packets: 4,
            wait: Duration::from_secs(30),
            pause: Duration::from_secs(5),
        }
    }
}

/// What an association is asked for: one for each tunnel and pair of addresses.
type Want = (TunnelId, IpAddr, IpAddr);

#[derive(Debug)]
struct Acquire {
    tickets: Vec<Ticket>,
    until: Instant,
    failed: bool,
}

#[derive(Debug)]
pub(crate) struct Acquires {
    config: HoldConfig,
    wanted: BTreeMap<Want, Acquire>,
    next_ticket: u32,
    /// No later than the first deadline.
    due: Option<Instant>,
}

impl Acquires {
    pub(crate) const fn new(config: HoldConfig) -> Self {
        Self {
            config,
            wanted: BTreeMap::new(),
            next_ticket: 0,
            due: None,
        }
    }

    /// Asks for an association, unless that was done already, and gives the packet a ticket.
    pub(crate) fn want(
        &mut self,
        now: Instant,
        actions: &mut dyn ActionSink,
        tunnel: TunnelId,
        rule: RuleId,
        key: FlowKey,
    ) -> Result<Ticket, Reason> {
        let want = (tunnel, key.source(), key.destination());
        if let Some(known) = self.wanted.get(&want)
            && known.until <= now
        {
            self.forget(&want, actions);
        }
        if !self.wanted.contains_key(&want) {
            if self.wanted.len() >= self.config.acquires {
                return Err(TOO_MANY_ACQUIRES);
            }
            if !actions.act(Action::AcquireSa { tunnel, rule, key }) {
                // The host has not fetched the wishes before: the next packet asks again.
                return Err(TOO_MANY_ACQUIRES);
            }
            let until = now.saturating_add(self.config.wait);
            self.wanted.insert(
                want,
                Acquire {
                    tickets: Vec::new(),
                    until,
                    failed: false,
                },
            );
            self.due = Some(self.due.map_or(until, |due| due.min(until)));
        }
        let Some(acquire) = self.wanted.get_mut(&want) else {
            return Err(TOO_MANY_ACQUIRES);
        };
        if acquire.failed {
            return Err(ACQUIRE_FAILED);
        }
        if acquire.tickets.len() >= self.config.packets {
            return Err(TOO_MANY_HELD);
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        acquire.tickets.push(ticket);
        Ok(ticket)
    }

    /// An association came: what waited for it, by the tunnel and addresses that `fits` accepts, is
    /// submitted again. What it does not carry after all asks again.
    pub(crate) fn installed(
        &mut self,
        tunnel: TunnelId,
        actions: &mut dyn ActionSink,
        fits: impl Fn(IpAddr, IpAddr) -> bool,
    ) {
        let first = (tunnel, IpAddr::from([0; 4]), IpAddr::from([0; 4]));
        let of_tunnel = self.wanted.range(first..);
        let served: Vec<Want> = of_tunnel
            .map(|(want, _)| *want)
            .take_while(|want| want.0 == tunnel)
            .filter(|want| fits(want.1, want.2))
            .collect();
        for want in served {
            if let Some(acquire) = self.wanted.remove(&want) {
                for ticket in acquire.tickets {
                    actions.act(Action::Release(ticket));
                }
            }
        }
    }

    /// The negotiation failed: what waited is discarded, and for a while nothing is asked for.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        actions: &mut dyn ActionSink,
        tunnel: TunnelId,
        key: &FlowKey,
    ) {
        let want = (tunnel, key.source(), key.destination());
        let Some(acquire) = self.wanted.get_mut(&want) else {
            return;
        };
        for ticket in acquire.tickets.drain(..) {
            actions.act(Action::Discard(ticket));
        }
        acquire.failed = true;
        acquire.until = now.saturating_add(self.config.pause);
        let until = acquire.until;
        self.due = Some(self.due.map_or(until, |due| due.min(until)));
    }

    fn forget(&mut self, want: &Want, actions: &mut dyn ActionSink) {
        if let Some(acquire) = self.wanted.remove(want) {
            for ticket in acquire.tickets {
                actions.act(Action::Discard(ticket));
            }
        }
    }

    pub(crate) const fn next_deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Gives up what was not installed in time. As much work as there are acquires.
    pub(crate) fn handle_deadline(&mut self, now: Instant, actions: &mut dyn ActionSink) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let over: Vec<Want> = self
            .wanted
            .iter()
            .filter(|(_, a)| a.until <= now)
            .map(|(want, _)| *want)
            .collect();
        for want in over {
            self.forget(&want, actions);
        }
        self.due = self.wanted.values().map(|a| a.until).min();
    }

    /// How many associations are asked for.
    pub(crate) fn len(&self) -> usize {
        self.wanted.values().filter(|a| !a.failed).count()
    }
}

#[cfg(test)]
mod tests {
    use hostward_hook::action::ActionQueue;

    use super::*;

    fn key(n: u8) -> FlowKey {
        FlowKey::v4([10, 0, 0, 1, 192, 0, 2, n], 1_000, 23, 6)
    }

    fn at(secs: u64) -> Instant {
        Instant::from_secs(secs)
    }

    #[test]
    fn one_is_asked_for_and_packets_wait_up_to_a_bound() {
        let mut a = Acquires::new(HoldConfig {
            acquires: 2,
            packets: 2,
            ..HoldConfig::default()
        });
        let mut actions = ActionQueue::<8>::new();
        let (tunnel, rule) = (TunnelId(3), RuleId(1));
        let mut want =
            |t, n: u8, actions: &mut ActionQueue<8>| a.want(at(t), actions, tunnel, rule, key(n));
        assert_eq!(want(0, 1, &mut actions), Ok(Ticket(0)));
        assert_eq!(want(1, 1, &mut actions), Ok(Ticket(1)));
        assert_eq!(want(1, 1, &mut actions), Err(TOO_MANY_HELD));
        assert_eq!(want(1, 2, &mut actions), Ok(Ticket(2)));
        assert_eq!(want(1, 3, &mut actions), Err(TOO_MANY_ACQUIRES));
        assert_eq!(actions.len(), 2);
        while actions.poll().is_some() {}
        // Installed for the first, failed for the second.
        a.installed(tunnel, &mut actions, |_, remote| {
            remote == key(1).destination()
        });
        assert_eq!(actions.poll(), Some(Action::Release(Ticket(0))));
        assert_eq!(actions.poll(), Some(Action::Release(Ticket(1))));
        a.failed(at(2), &mut actions, tunnel, &key(2));
        assert_eq!(actions.poll(), Some(Action::Discard(Ticket(2))));
        let again = a.want(at(3), &mut actions, tunnel, rule, key(2));
        assert_eq!((again, actions.len()), (Err(ACQUIRE_FAILED), 0));
        assert_eq!((a.len(), a.next_deadline()), (0, Some(at(7))));
        // After the pause it is asked for again.
        assert!(a.want(at(7), &mut actions, tunnel, rule, key(2)).is_ok());
        assert_eq!(actions.len(), 1);
    }

    #[test]
    fn what_does_not_come_in_time_is_given_up() {
        let mut a = Acquires::new(HoldConfig::default());
        let mut actions = ActionQueue::<8>::new();
        a.want(at(0), &mut actions, TunnelId(1), RuleId(0), key(1))
            .unwrap();
        actions.poll();
        a.handle_deadline(at(29), &mut actions);
        assert!(actions.is_empty());
        a.handle_deadline(at(30), &mut actions);
        assert_eq!(actions.poll(), Some(Action::Discard(Ticket(0))));
        assert_eq!((a.len(), a.next_deadline()), (0, None));
    }

    #[test]
    fn a_wish_the_host_does_not_take_is_not_remembered() {
        let mut a = Acquires::new(HoldConfig::default());
        let refused = a.want(at(0), &mut (), TunnelId(1), RuleId(0), key(1));
        assert_eq!((refused, a.len()), (Err(TOO_MANY_ACQUIRES), 0));
    }
}
