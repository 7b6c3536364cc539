//! What time does to an IKE SA: retransmissions, renewals, probes, ends (RFC 7296 §2.4, §2.8).

use alloc::vec::Vec;
use core::time::Duration;

use hostward_hook::time::Instant;

use super::context::{Context, Effect};
use super::event::{Failure, Transmit};
use super::sa::{ChildState, IkeSa, IkeState, Phase, Task};

impl IkeSa {
    /// When something is to be done next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut at = |time: Instant| next = Some(next.map_or(time, |n| n.min(time)));
        for one in &self.sending.outstanding {
            at(one.due);
        }
        if let Some(time) = self.receiving.deadline() {
            at(time);
        }
        let begins = self.sending.has_room();
        for one in &self.queue {
            if begins && self.established().is_some() && self.may_begin(one) {
                at(one.due);
            }
        }
        match &self.phase {
            Phase::Initiating(initiating) => at(initiating.due),
            Phase::Handshake(handshake) => at(handshake.deadline),
            Phase::Closed(until) => at(*until),
            Phase::Established(own) => {
                match own.state {
                    IkeState::Replaced(until) => at(until),
                    IkeState::Live if !self.wants_ike_rekey() => at(own.renew),
                    IkeState::Live | IkeState::Deleting => {}
                }
                at(own.end);
                if let Some(time) = own.reauthenticate {
                    at(time);
                }
                if let Some(time) = own.liveness
                    && self.sending.outstanding.is_empty()
                {
                    at(self.heard.saturating_add(time));
                }
                if let Some(time) = own.keep_alive {
                    at(self.spoke.saturating_add(time));
                }
                if let Some(following) = &own.following {
                    at(following.deadline());
                }
                for child in &self.children {
                    if child.state == ChildState::Live && own.state == IkeState::Live {
                        at(child.renew);
                    }
                    at(child.end);
                }
            }
        }
        next
    }

    /// Does what is due.
    pub(super) fn handle_deadline(&mut self, cx: &mut Context) {
        let now = cx.mono();
        self.receiving.forget(now);
        self.retransmit(cx);
        match &mut self.phase {
            Phase::Initiating(initiating) => {
                if initiating.due <= now {
                    self.init_again(cx);
                }
            }
            Phase::Handshake(handshake) => {
                if handshake.deadline <= now {
                    cx.counters.half_open_expired += u64::from(self.half_open.is_some());
                    self.close_at_once(cx, Failure::NoAnswer);
                }
            }
            Phase::Closed(_) => {}
            Phase::Established(_) => {
                self.age(cx);
                self.pump(cx);
            }
        }
    }

    fn retransmit(&mut self, cx: &mut Context) {
        let now = cx.mono();
        let path = self.path;
        let mut lost = false;
        for one in &mut self.sending.outstanding {
            if one.due > now {
                continue;
            }
            one.sent += 1;
            if let Some(wait) = cx.policy.config().wait(one.sent) {
                one.due = now.saturating_add(wait);
                cx.counters.retransmitted += 1;
                // RFC 7296 §2.1: the same octets.
                for datagram in &one.datagrams {
                    cx.send(path, datagram);
                }
                self.spoke = now;
            } else {
                lost = true;
            }
        }
        if lost {
            self.close_at_once(cx, Failure::NoAnswer);
        }
    }

    /// Times of an established SA.
    fn age(&mut self, cx: &mut Context) {
        let now = cx.mono();
        let idle = self.sending.outstanding.is_empty();
        let wants_rekey = self.wants_ike_rekey();
        let heard = self.heard;
        let spoke = self.spoke;
        let local = self.local_spi();
        let Some(own) = self.established_mut() else {
            return;
        };
        if own.end <= now {
            self.close_at_once(cx, Failure::Expired);
            return;
        }
        if let IkeState::Replaced(until) = own.state
            && until <= now
        {
            // The peer did not delete it as it should have.
            own.state = IkeState::Deleting;
            self.enqueue(cx, Task::DeleteIke(Failure::Replaced));
            return;
        }
        if own.following.as_ref().is_some_and(|f| f.deadline() <= now) {
            let gone = own.following.take();
            if let Some(spi) = gone.and_then(|following| following.spi_in()) {
                cx.forget_spi(spi);
            }
        }
        let Some(own) = self.established_mut() else {
            return;
        };
        let live = own.state == IkeState::Live;
        if own.reauthenticate.is_some_and(|time| time <= now) {
            own.reauthenticate = None;
            if live {
                cx.effects.push_back(Effect::Reauthenticate(local));
            }
        }
        let probe = own
            .liveness
            .is_some_and(|time| heard.saturating_add(time) <= now);
        let keep = own
            .keep_alive
            .is_some_and(|time| spoke.saturating_add(time) <= now);
        let renew = live && own.renew <= now && !wants_rekey;
        if renew {
            own.renew = now.saturating_add(Duration::from_secs(60));
        }
        if keep {
            // RFC 3948 §2.3: one octet, without a marker.
            cx.counters.sent += 1;
            let path = self.path;
            cx.out.push_back(Transmit {
                path,
                bytes: alloc::vec![0xff],
            });
            self.spoke = now;
        }
        if renew {
            self.enqueue(cx, Task::RekeyIke);
        }
        if probe && idle && !self.queue.iter().any(|one| one.due <= now) {
            self.enqueue(cx, Task::Liveness);
        }
        let mut tasks = Vec::new();
        for child in &mut self.children {
            let action = &child.wish.action;
            if child.end <= now && child.state != ChildState::Deleting {
                child.state = ChildState::Deleting;
                tasks.push(Task::Delete(child.id));
            } else if child.renew <= now && child.state == ChildState::Live && live {
                let life = action
                    .life_minutes
                    .map(|minutes| Duration::from_secs(u64::from(minutes.get()) * 60));
                // `VpnLife`: a tunnel that is old enough is not renewed but ended.
                if life.is_some_and(|life| child.wish.since.saturating_add(life) <= now) {
                    child.state = ChildState::Deleting;
                    tasks.push(Task::Delete(child.id));
                } else {
                    child.state = ChildState::Rekeying;
                    tasks.push(Task::Rekey(child.id));
                }
            } else if child.end <= now {
                child.end = now.saturating_add(Duration::from_secs(60));
            }
        }
        for task in tasks {
            self.enqueue(cx, task);
        }
    }
}
