//! The places of connections: found, opened, given back, and in which order they settle.

use alloc::boxed::Box;

use hostward_hook::action::Cx;
use hostward_hook::flow::FlowInfo;

use super::progress::bound;
use super::{Place, Slot, TRACKS, Zert};
use crate::code;
use crate::conn::{Env, Hits, Lookouts, Track};
use crate::discovery::Discovery;
use crate::entry::{NIL, State};
use crate::tls::trail::Trail;

impl Zert {
    pub(crate) fn place(&self, slot: &Slot) -> Option<u32> {
        let Place::Watched { place, epoch } = slot.0 else {
            return None;
        };
        let entry = self.entries.get(place as usize)?;
        (entry.epoch == epoch).then_some(place)
    }

    /// The place of a connection that is watched, opened now if need be, with what its flow entry
    /// says now.
    pub(crate) fn current(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Slot,
    ) -> Option<u32> {
        if slot.0 == Place::New {
            self.open(cx, flow, slot);
        }
        let place = self.place(slot)?;
        self.entries.get_mut(place as usize)?.flow = Some(*flow);
        Some(place)
    }

    pub(super) fn open(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot) {
        if !self.enabled {
            return;
        }
        self.counts.connections = self.counts.connections.saturating_add(1);
        let newest = self.newest;
        let most = self.config.connections.min(NIL as usize);
        let Some((place, entry)) = self.entries.open(most) else {
            slot.0 = Place::Refused;
            self.counts.refused = self.counts.refused.saturating_add(1);
            bound(cx, flow, code::CONNECTIONS_FULL);
            return;
        };
        self.watched += 1;
        entry.flow = Some(*flow);
        entry.discovery = Discovery::tcp(flow.opened.mono);
        entry.settling = true;
        entry.prev = newest;
        slot.0 = Place::Watched {
            place,
            epoch: entry.epoch,
        };
        match self.entries.get_mut(newest as usize) {
            Some(last) => last.next = place,
            None => self.oldest = place,
        }
        self.newest = place;
        if flow.sa.is_some() {
            self.bind(cx, place, flow.sa);
        }
    }

    /// Takes a connection out of the list of those that settle.
    pub(super) fn settled(&mut self, place: u32) {
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        if !entry.settling {
            return;
        }
        entry.settling = false;
        let (prev, next) = (entry.prev, entry.next);
        entry.prev = NIL;
        entry.next = NIL;
        match self.entries.get_mut(prev as usize) {
            Some(p) => p.next = next,
            None => self.oldest = next,
        }
        match self.entries.get_mut(next as usize) {
            Some(n) => n.prev = prev,
            None => self.newest = prev,
        }
    }

    /// Gives a place back.
    pub(super) fn release(&mut self, place: u32) {
        self.settled(place);
        let Some(mut entry) = self.entries.close(place) else {
            return;
        };
        if let Some(at) = entry.discovery.ending() {
            self.endings.remove(&(at, place));
        }
        if let Some(extra) = entry.extra.take() {
            if let Some(advised) = extra.advised {
                advised.release(&mut self.stock);
            }
            if let Some(ipsec) = extra.ipsec {
                self.stock.ipsec.release(ipsec);
            }
            if let Some(filter) = extra.filter {
                self.stock.filter.release(filter);
            }
        }
        self.watched -= 1;
        let state = core::mem::replace(&mut entry.state, State::Watching(Lookouts::new()));
        self.entries.give(entry);
        match state {
            State::Watching(_) => {}
            State::Tracking(track) => self.give_track(track),
            State::Trailing(seen, trail) => {
                seen.release(&mut self.stock);
                self.give_trail(trail);
            }
            State::Settled(seen) => seen.release(&mut self.stock),
        }
    }

    /// Notes when the end of a session is to be reported. What does not hold any more by then is
    /// passed over.
    pub(crate) fn note_ending(&mut self, place: u32) {
        let ending = self
            .entries
            .get(place as usize)
            .and_then(|e| e.discovery.ending());
        if let Some(at) = ending {
            self.endings.insert((at, place));
        }
    }

    /// A state for a handshake.
    pub(crate) fn take_track(&mut self) -> Box<Track> {
        self.tracking += 1;
        self.tracks.pop().unwrap_or_else(|| Box::new(Track::new()))
    }

    pub(super) fn take_trail(&mut self, trail: Trail) -> Box<Trail> {
        match self.trails.pop() {
            Some(mut spare) => {
                *spare = trail;
                spare
            }
            None => Box::new(trail),
        }
    }

    pub(super) fn give_trail(&mut self, trail: Box<Trail>) {
        if self.trails.len() < TRACKS {
            self.trails.push(trail);
        }
    }

    pub(crate) fn give_track(&mut self, mut track: Box<Track>) {
        self.tracking = self.tracking.saturating_sub(1);
        if let Some(previous) = track.previous.take() {
            previous.release(&mut self.stock);
        }
        let mut env = Env {
            config: &self.config,
            pool: &mut self.pool,
            scratch: &mut self.scratch,
            hits: Hits::default(),
        };
        track.clear(&mut env);
        if self.tracks.len() < TRACKS {
            self.tracks.push(track);
        }
    }
}
