//! Showing a connection, and telling its events.

use core::net::SocketAddr;

use hostward_hook::action::Cx;
use hostward_hook::event::Class;
use hostward_hook::reason::Code;

use super::Zert;
use crate::code;
use crate::conn::{Env, Hits, Track};
use crate::discovery::{Kind, Steps};
use crate::enforce::Cause;
use crate::entry::{Entry, State};

impl Zert {
    /// Runs something on a handshake with what all connections share.
    pub(super) fn with<T>(
        &mut self,
        place: u32,
        f: impl FnOnce(&mut Track, &mut Env<'_>) -> T,
    ) -> Option<(T, Hits)> {
        let entry = self.entries.get_mut(place as usize)?;
        let State::Tracking(track) = &mut entry.state else {
            return None;
        };
        let mut env = Env {
            config: &self.config,
            pool: &mut self.pool,
            scratch: &mut self.scratch,
            hits: Hits::default(),
        };
        let out = f(track, &mut env);
        Some((out, env.hits))
    }

    /// Writes a connection into the spare record.
    pub(crate) fn show(&mut self, place: u32, over: bool) {
        if let Some(entry) = self.entries.get_mut(place as usize) {
            let mut env = Env {
                config: &self.config,
                pool: &mut self.pool,
                scratch: &mut self.scratch,
                hits: Hits::default(),
            };
            entry.show(&mut self.spare, &mut self.told, over, &mut env);
        }
    }

    /// Tells the spare record.
    pub(super) fn emit(&self, cx: &mut Cx<'_>, place: u32, code: Code, class: Class) {
        let Some(flow) = self.entries.get(place as usize).and_then(|e| e.flow) else {
            return;
        };
        let mut event = cx.event(code, class, &self.spare);
        event.flow = Some(flow.id);
        let initiator = SocketAddr::new(flow.key.source(), flow.key.source_port());
        event.key = Some(if self.spare.client == initiator {
            flow.key
        } else {
            flow.key.reversed()
        });
        cx.events.emit(&event);
    }

    pub(super) fn tell(&mut self, cx: &mut Cx<'_>, place: u32, kind: Kind) {
        let code = match kind {
            Kind::Initiation => code::INITIATION,
            Kind::Change => code::CHANGE,
            Kind::Termination => code::TERMINATION,
            Kind::ShortTermination => code::SHORT_TERMINATION,
        };
        self.emit(cx, place, code, Class::Progress);
    }

    /// Tells what is due with the connection as it stands.
    pub(crate) fn steps(&mut self, cx: &mut Cx<'_>, place: u32, steps: Steps) {
        self.transition(cx, place, steps, |_| {});
    }

    /// Changes what protects a connection and tells what is due: of two events the first shows
    /// what was, the second what is.
    pub(crate) fn transition(
        &mut self,
        cx: &mut Cx<'_>,
        place: u32,
        steps: Steps,
        apply: impl FnOnce(&mut Self),
    ) {
        let wanted = cx.events.wants(Class::Progress);
        let [first, second] = steps;
        if let (Some(kind), Some(_), true) = (first, second, wanted) {
            self.show(place, false);
            self.tell(cx, place, kind);
        }
        apply(self);
        if let (Some(kind), true) = (second.or(first), wanted) {
            self.show(place, false);
            self.tell(cx, place, kind);
        }
        if self
            .entries
            .get(place as usize)
            .is_some_and(|e| e.discovery.is_reported())
        {
            self.settled(place);
        }
        // An initiation alone is no change of what was evaluated before.
        let initiation = steps == [Some(Kind::Initiation), None];
        let evaluated = self.entries.get(place as usize);
        let evaluated = evaluated.is_some_and(Entry::is_evaluated);
        if !(initiation && evaluated) {
            self.enforce(cx, place, Cause::Change);
        }
    }
}
