//! How a handshake goes on: under way, decided, put where others share it, settled.

use hostward_hook::Side;
use hostward_hook::action::Cx;
use hostward_hook::event::Class;
use hostward_hook::flow::{FlowId, FlowInfo};
use hostward_hook::hooks::Interest;
use hostward_hook::reason::Code;

use super::{TIMER_BATCH, Zert};
use crate::code;
use crate::conn::{Env, Hits, Stage};
use crate::entry::State;
use crate::seen::Seen;

impl Zert {
    /// After bytes or a gap: counts bounds, tells discovery how far the handshake is, and keeps no
    /// more of a handshake that is read than must be.
    pub(super) fn after(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        place: u32,
        hits: Hits,
        interest: Interest,
    ) {
        if hits.too_long {
            self.counts.too_long = self.counts.too_long.saturating_add(1);
            bound(cx, flow, code::MESSAGE_TOO_LONG);
        }
        if hits.memory {
            self.counts.memory = self.counts.memory.saturating_add(1);
            bound(cx, flow, code::MEMORY_FULL);
        }
        self.advance(cx, place);
        let entry = self.entries.get(place as usize);
        let trails = entry.is_some_and(|e| {
            e.stage == Stage::Complete
                && matches!(&e.state, State::Tracking(track) if track.trail().is_some())
        });
        if trails || interest == Interest::Enough {
            self.freeze(place, interest != Interest::Enough);
        }
    }

    pub(super) fn advance(&mut self, cx: &mut Cx<'_>, place: u32) {
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        let State::Tracking(track) = &mut entry.state else {
            return;
        };
        // What is decided stays decided: an inference that turns out wrong afterwards shows in the
        // record and is no change of protection.
        if matches!(entry.stage, Stage::Complete | Stage::Failed) {
            return;
        }
        let stage = track.look();
        if stage == entry.stage {
            return;
        }
        if entry.stage == Stage::Clear {
            entry.discovery.handshake_started();
        }
        let steps = match stage {
            Stage::Complete => {
                let same = track.previous.as_ref().is_some_and(|p| track.repeats(p));
                // What a provider told stands, until he tells something else.
                let told = entry.advised();
                if same || told.is_some_and(|a| a.established == Some(true)) {
                    entry.discovery.handshake_failed()
                } else {
                    entry.discovery.handshake_completed()
                }
            }
            Stage::Failed => entry.discovery.handshake_failed(),
            Stage::Clear | Stage::Pending => {
                entry.stage = stage;
                return;
            }
        };
        self.transition(cx, place, steps, |me| {
            if let Some(entry) = me.entries.get_mut(place as usize) {
                entry.stage = stage;
            }
        });
    }

    /// Nothing more of the stream is wanted, or (`followed`) only the heads of records: what was
    /// read is put where others share it.
    pub(super) fn freeze(&mut self, place: u32, followed: bool) {
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        let before = core::mem::replace(&mut entry.state, State::Settled(Seen::clear(0, false)));
        let mut trail = None;
        let seen = match before {
            State::Watching(look) => Seen::clear(look.clear_text(), look.gap),
            State::Settled(seen) => seen,
            State::Trailing(seen, trail) => {
                self.give_trail(trail);
                seen
            }
            State::Tracking(mut track) => {
                trail = track.trail();
                let mut env = Env {
                    config: &self.config,
                    pool: &mut self.pool,
                    scratch: &mut self.scratch,
                    hits: Hits::default(),
                };
                let client = match &entry.flow {
                    Some(flow) => track.conclude(flow, false, &mut env),
                    None => Side::Initiator,
                };
                let decided = entry.stage == Stage::Complete;
                let seen = match track.previous.take() {
                    Some(mut previous) if !decided => {
                        previous.clear_text = track.record.clear_text;
                        previous
                    }
                    previous => {
                        if let Some(previous) = previous {
                            previous.release(&mut self.stock);
                        }
                        Seen::of(&track.record, Some(client), &mut self.stock)
                    }
                };
                self.give_track(track);
                seen
            }
        };
        let state = match trail {
            Some(trail) if followed => State::Trailing(seen, self.take_trail(trail)),
            Some(_) | None => State::Settled(seen),
        };
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.state = state;
        }
    }

    /// Lets connections settle and sessions end whose time has come, as
    /// [`handle_deadline`](hostward_hook::Timers::handle_deadline) does, and looks up what their flow entries
    /// say by then; `None` for what was said with the latest bytes.
    pub fn settle(&mut self, cx: &mut Cx<'_>, info: &mut dyn FnMut(FlowId) -> Option<FlowInfo>) {
        let now = cx.now.mono;
        for _ in 0..TIMER_BATCH {
            let ended = self.endings.first().filter(|(at, _)| *at <= now).copied();
            let place = match ended {
                Some((_, place)) => place,
                None => self.oldest,
            };
            if let Some(key) = ended {
                self.endings.remove(&key);
            }
            let Some(entry) = self.entries.get_mut(place as usize) else {
                return;
            };
            if ended.is_some_and(|(at, _)| entry.discovery.ending() != Some(at)) {
                continue;
            }
            if ended.is_none() && entry.discovery.settles().is_some_and(|at| at > now) {
                return;
            }
            if let Some(flow) = entry.flow.and_then(|f| info(f.id)) {
                entry.flow = Some(flow);
            }
            let steps = entry.discovery.tick(now);
            match ended {
                Some(_) => self.transition(cx, place, steps, |me| me.unprotect(place)),
                None => {
                    self.settled(place);
                    self.steps(cx, place, steps);
                }
            }
        }
    }
}

pub(super) fn bound(cx: &mut Cx<'_>, flow: &FlowInfo, code: Code) {
    if cx.events.wants(Class::Capacity) {
        let mut event = cx.event(code, Class::Capacity, &());
        event.flow = Some(flow.id);
        event.key = Some(flow.key);
        cx.events.emit(&event);
    }
}
