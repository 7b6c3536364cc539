//! What the host wants of SAs that are there.

use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_hook::time::Now;

use super::Ike;
use super::context::Context;
use super::event::{ChildId, Event, Failure, Path, SaId};
use super::sa::{ChildState, IkeSa, Task};

impl Ike {
    fn with(&mut self, now: Now, id: SaId, work: impl FnOnce(&mut IkeSa, &mut Context)) {
        self.cx.now = now;
        let Some(spi) = self.index.by_id(id) else {
            return;
        };
        if let Some(sa) = self.sas.get_mut(&spi) {
            work(sa, &mut self.cx);
            sa.pump(&mut self.cx);
        }
        self.touched(spi);
        self.settle();
    }

    fn owner(&self, child: ChildId) -> Option<SaId> {
        let spi = self.cx.owners.get(&child)?;
        self.sas.get(spi).map(|sa| sa.id)
    }

    /// Renews a child: its volume is used up, or the host wants it.
    pub fn rekey_child(&mut self, now: Now, child: ChildId) {
        let Some(owner) = self.owner(child) else {
            return;
        };
        self.with(now, owner, |sa, cx| {
            if let Some(found) = sa.child(child)
                && found.state == ChildState::Live
            {
                found.state = ChildState::Rekeying;
                sa.enqueue(cx, Task::Rekey(child));
            }
        });
    }

    /// Packets came in with a child that took the place of another: sending may change over too.
    pub fn child_used(&mut self, now: Now, child: ChildId) {
        let Some(owner) = self.owner(child) else {
            return;
        };
        self.with(now, owner, |sa, cx| {
            let replaced = ChildState::Replaced(child);
            if sa.children.iter().any(|one| one.state == replaced) {
                cx.event(Event::ChildSwitch(child));
            }
        });
    }

    /// Deletes a child (`ipsec -y deactivate`).
    pub fn delete_child(&mut self, now: Now, child: ChildId) {
        let Some(owner) = self.owner(child) else {
            return;
        };
        self.with(now, owner, |sa, cx| {
            if let Some(found) = sa.child(child)
                && found.state != ChildState::Deleting
            {
                found.state = ChildState::Deleting;
                sa.enqueue(cx, Task::Delete(child));
            }
        });
    }

    /// Renews an IKE SA.
    pub fn rekey_ike(&mut self, now: Now, id: SaId) {
        self.with(now, id, |sa, cx| {
            if sa.is_live() && !sa.is_rekeying_ike() {
                sa.enqueue(cx, Task::RekeyIke);
            }
        });
    }

    /// Deletes an IKE SA with its children (`ipsec -k deactivate`).
    pub fn delete_ike(&mut self, now: Now, id: SaId) {
        self.cx.now = now;
        if let Some(spi) = self.index.by_id(id) {
            self.delete_spi(spi, Failure::Local);
            self.settle();
        }
    }

    /// Asks a peer whether it is there.
    pub fn probe(&mut self, now: Now, id: SaId) {
        self.with(now, id, |sa, cx| sa.enqueue(cx, Task::Liveness));
    }

    /// This host has another address, or another way to the peer (RFC 4555 §3.5); only for SAs that it began,
    /// and with a peer that can do it. Otherwise nothing happens, and the answer is no.
    pub fn move_to(&mut self, now: Now, id: SaId, path: Path) -> bool {
        let mut done = false;
        self.with(now, id, |sa, cx| {
            if sa.agreed.mobike && sa.role == crate::keys::Side::Initiator && sa.is_live() {
                sa.path = path;
                sa.enqueue(cx, Task::Update);
                done = true;
            }
        });
        done
    }

    /// As gateway: sends an established client elsewhere (RFC 5685 §5); only clients that follow. Otherwise nothing
    /// happens, and the answer is no.
    pub fn send_elsewhere(&mut self, now: Now, id: SaId, to: IpAddr) -> bool {
        let mut done = false;
        self.with(now, id, |sa, cx| {
            if sa.agreed.redirect && sa.role == crate::keys::Side::Responder && sa.is_live() {
                sa.enqueue(cx, Task::Redirect(to));
                done = true;
            }
        });
        done
    }

    /// Ends everything: peers are told. What is begun is given up.
    pub fn shutdown(&mut self, now: Now) {
        self.cx.now = now;
        for spi in self.sas.keys().copied().collect::<Vec<_>>() {
            self.delete_spi(spi, Failure::Local);
        }
        self.settle();
    }
}
