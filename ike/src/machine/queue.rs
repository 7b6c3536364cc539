//! What this side wants of the peer, and when its turn comes (RFC 7296 §2.3, §2.25.2).

use alloc::vec::Vec;

use hostward_hook::time::Instant;

use super::context::Context;
use super::event::{Event, Failure};
use super::sa::{IkeSa, Queued, Request, Task};
use crate::message::{ExchangeType, PayloadWriter};

impl IkeSa {
    /// Puts an exchange into the queue.
    pub(super) fn enqueue(&mut self, cx: &mut Context, task: Task) {
        self.enqueue_at(cx, cx.mono(), 0, task);
    }

    pub(super) fn enqueue_at(&mut self, cx: &mut Context, due: Instant, tries: u32, task: Task) {
        if self.queue.len() >= cx.config.limits.queue {
            cx.counters.queue_refused += 1;
            if let Task::Create(wish) = task {
                cx.event(Event::ChildFailed(wish.tunnel, Failure::Local));
            }
            return;
        }
        // What is under way and what ends the SA goes first.
        if matches!(task, Task::Follow(_) | Task::DeleteIke(_)) {
            self.queue.push_front(Queued { due, tries, task });
        } else {
            self.queue.push_back(Queued { due, tries, task });
        }
    }

    /// Begins exchanges as long as it is their turn.
    pub(super) fn pump(&mut self, cx: &mut Context) {
        while self.established().is_some() && self.sending.has_room() {
            let now = cx.mono();
            let next = self
                .queue
                .iter()
                .position(|one| one.due <= now && self.may_begin(one));
            let Some(at) = next else {
                return;
            };
            let Some(one) = self.queue.remove(at) else {
                return;
            };
            // RFC 7296 §2.2: message ids must not wrap.
            if self.sending.next >= u32::MAX - 16 && !matches!(one.task, Task::DeleteIke(_)) {
                self.close(cx, Failure::Expired);
                return;
            }
            match one.task {
                Task::Create(wish) => self.create(cx, *wish, None, one.tries, Vec::new()),
                Task::Rekey(id) => self.rekey_child(cx, id, one.tries),
                Task::Delete(id) => self.delete_child(cx, id),
                Task::DeleteSpi(protocol, spi) => self.delete_spi(cx, protocol, spi),
                Task::RekeyIke => self.rekey_ike(cx, one.tries, Vec::new()),
                Task::DeleteIke(why) => self.delete_ike(cx, why),
                Task::Liveness => {
                    let writer = PayloadWriter::new(0);
                    self.request(cx, ExchangeType::INFORMATIONAL, &writer, Request::Liveness);
                }
                Task::Update => self.update(cx),
                Task::Redirect(to) => self.send_elsewhere(cx, to),
                Task::Follow(leading) => self.follow(cx, leading),
            }
        }
    }

    /// Whether an exchange may begin beside those that are under way. RFC 7296 §2.25.2: nothing beside the
    /// rekeying or deletion of the IKE SA, and neither beside others.
    pub(super) fn may_begin(&self, one: &Queued) -> bool {
        let whole = |request: &Request| match request {
            Request::RekeyIke(_) | Request::DeleteIke(_) => true,
            Request::Follow(leading) => leading.is_ike(),
            Request::Intermediate
            | Request::Auth
            | Request::Create(_)
            | Request::Delete(_)
            | Request::Liveness
            | Request::Update(..)
            | Request::Farewell => false,
        };
        let led = |one: &Queued| matches!(&one.task, Task::Follow(leading) if leading.is_ike());
        let waits = self.queue.iter().any(led) && !led(one);
        if self.sending.requests().any(whole) || waits {
            return false;
        }
        match one.task {
            Task::RekeyIke | Task::DeleteIke(_) => self.sending.outstanding.is_empty(),
            Task::Follow(_)
            | Task::Create(_)
            | Task::Rekey(_)
            | Task::Delete(_)
            | Task::DeleteSpi(..)
            | Task::Liveness
            | Task::Redirect(_)
            | Task::Update => true,
        }
    }

    pub(super) fn wants_ike_rekey(&self) -> bool {
        self.queue
            .iter()
            .any(|one| matches!(one.task, Task::RekeyIke))
            || self.is_rekeying_ike()
    }

    pub(super) fn is_rekeying_ike(&self) -> bool {
        let under_way = |request: &Request| match request {
            Request::RekeyIke(_) => true,
            Request::Follow(leading) => leading.is_ike(),
            Request::Intermediate
            | Request::Auth
            | Request::Create(_)
            | Request::Delete(_)
            | Request::DeleteIke(_)
            | Request::Liveness
            | Request::Update(..)
            | Request::Farewell => false,
        };
        self.sending.requests().any(under_way)
            || self
                .queue
                .iter()
                .any(|one| matches!(&one.task, Task::Follow(l) if l.is_ike()))
    }
}
