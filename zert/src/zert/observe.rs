//! What happens on connections: the observer's side of the hooks.

use hostward_hook::Side;
use hostward_hook::action::Cx;
use hostward_hook::event::Class;
use hostward_hook::flow::FlowInfo;
use hostward_hook::hooks::{CloseCause, Interest, StreamObserver, Timers, earlier};
use hostward_hook::ident::SaId;
use hostward_hook::time::Instant;

use super::{Place, Slot, Zert};
use crate::code;
use crate::conn::Watched;
use crate::enforce::Cause;
use crate::entry::State;

impl StreamObserver for Zert {
    type Slot = Slot;

    fn opened(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot) {
        if slot.0 == Place::New {
            self.open(cx, flow, slot);
        }
    }

    fn bytes(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Slot,
        from: Side,
        data: &[u8],
    ) -> Interest {
        let Some(place) = self.current(cx, flow, slot) else {
            return Interest::Enough;
        };
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return Interest::Enough;
        };
        match &mut entry.state {
            State::Settled(_) => return Interest::Enough,
            State::Tracking(_) => {}
            State::Trailing(seen, trail) => {
                let interest = trail.bytes(from, data, seen);
                if interest == Interest::Enough {
                    self.freeze(place, false);
                }
                return interest;
            }
            State::Watching(look) => match look.bytes(from, data, self.config.prefix) {
                Watched::Wait(Interest::Enough) => {
                    self.freeze(place, false);
                    // Clear text to the bound is a decided state, too.
                    self.enforce(cx, place, Cause::Change);
                    return Interest::Enough;
                }
                Watched::Wait(interest) => return interest,
                Watched::Handshake => {
                    let look = *look;
                    let mut track = self.take_track();
                    track.begin(look);
                    if let Some(entry) = self.entries.get_mut(place as usize) {
                        entry.state = State::Tracking(track);
                    }
                }
            },
        }
        let Some((interest, hits)) = self.with(place, |track, env| track.bytes(from, data, env))
        else {
            return Interest::Enough;
        };
        self.after(cx, flow, place, hits, interest);
        interest
    }

    fn gap(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Slot,
        from: Side,
        missing: u32,
    ) -> Interest {
        let Some(place) = self.current(cx, flow, slot) else {
            return Interest::Enough;
        };
        match self.entries.get_mut(place as usize).map(|e| &mut e.state) {
            Some(State::Watching(look)) => return look.gap(from, missing),
            Some(State::Trailing(_, trail)) => return trail.gap(from, missing),
            Some(State::Tracking(_) | State::Settled(_)) | None => {}
        }
        let Some((interest, hits)) = self.with(place, |track, env| track.gap(from, missing, env))
        else {
            return Interest::Enough;
        };
        self.after(cx, flow, place, hits, interest);
        interest
    }

    fn finished(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot, from: Side) {
        if slot.0 != Place::New
            && let Some(place) = self.current(cx, flow, slot)
        {
            self.with(place, |track, _| track.finished(from));
        }
    }

    fn closed(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot, cause: CloseCause) {
        let state = core::mem::take(&mut slot.0);
        let open = cause == CloseCause::EndOfInput;
        if state == Place::Refused {
            if cx.events.wants(Class::Record) {
                self.spare.clear();
                self.spare.set_flow(flow, true);
                self.spare.cut = true;
                self.spare.open_at_end = open;
                let mut event = cx.event(code::RECORD, Class::Record, &self.spare);
                event.flow = Some(flow.id);
                event.key = Some(flow.key);
                cx.events.emit(&event);
            }
            return;
        }
        let Some(place) = self.place(&Slot(state)) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        entry.flow = Some(*flow);
        if let Some(at) = entry.discovery.ending() {
            self.endings.remove(&(at, place));
        }
        let steps = if open {
            [None, None]
        } else {
            entry.discovery.closed()
        };
        // What was not evaluated yet and said something is evaluated now, for what can still be told.
        let silent = matches!(&entry.state, State::Watching(look) if look.clear_text() == 0);
        if !entry.is_evaluated() && !silent {
            self.enforce(cx, place, Cause::Ended);
        }
        let (progress, record) = (
            cx.events.wants(Class::Progress),
            cx.events.wants(Class::Record),
        );
        if progress || record {
            self.show(place, !open);
            self.spare.open_at_end = open;
        }
        if progress {
            for kind in steps.into_iter().flatten() {
                self.tell(cx, place, kind);
            }
        }
        if record {
            self.emit(cx, place, code::RECORD, Class::Record);
        }
        self.release(place);
    }

    fn sa_bound(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot, sa: Option<SaId>) {
        if let Some(place) = self.current(cx, flow, slot) {
            self.bind(cx, place, sa);
        }
    }
}

impl Timers for Zert {
    fn next_deadline(&self) -> Option<Instant> {
        let settles = self.entries.get(self.oldest as usize);
        let settles = settles.and_then(|e| e.discovery.settles());
        earlier(settles, self.endings.first().map(|(at, _)| *at))
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        self.settle(cx, &mut |_| None);
    }
}
