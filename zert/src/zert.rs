//! The observer itself.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_hook::Side;
use hostward_hook::action::Cx;
use hostward_hook::event::Class;
use hostward_hook::flow::FlowInfo;
use hostward_hook::hooks::{CloseCause, Interest, StreamObserver, Timers};
use hostward_hook::reason::Code;
use hostward_hook::time::Instant;

use crate::code;
use crate::config::Config;
use crate::conn::{Conn, Env, Hits, Stage};
use crate::discovery::{Discovery, Kind, Steps};
use crate::enforce::{Cause, Enforcement, Mapped, RuleSet};
use crate::pool::Pool;
use crate::record::Record;

/// Connections that one call of [`Timers::handle_deadline`] looks at.
const TIMER_BATCH: usize = 64;

/// No place.
const NIL: u32 = u32::MAX;

/// What the observer keeps in a flow's entry: the name of its own state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(State);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Not opened yet.
    #[default]
    New,
    /// Watched in this place, if it still has this epoch.
    Watched { place: u32, epoch: u32 },
    /// Not watched: there was no room.
    Refused,
}

#[derive(Debug)]
struct Entry {
    conn: Conn,
    epoch: u32,
    /// Neighbours among those that settle, or the next free place.
    prev: u32,
    next: u32,
    settling: bool,
    used: bool,
    mapped: Mapped,
}

/// How much the observer has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections opened.
    pub connections: u64,
    /// Connections that were not watched because there was no room.
    pub refused: u64,
    /// Handshake messages that were longer than allowed.
    pub too_long: u64,
    /// Handshakes that were not read on because memory was used up.
    pub memory: u64,
}

/// The cryptographic-protection observer. See the [crate documentation](crate).
#[derive(Debug)]
pub struct Zert {
    config: Config,
    enabled: bool,
    #[expect(
        clippy::vec_box,
        reason = "growing must not move states of several hundred bytes"
    )]
    entries: Vec<Box<Entry>>,
    free: u32,
    /// Those that settle, the oldest first.
    oldest: u32,
    newest: u32,
    watched: usize,
    pool: Pool,
    scratch: Vec<u16>,
    spare: Record,
    counts: Counts,
    enforcement: Option<Box<Enforcement>>,
}

impl Default for Zert {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Zert {
    /// An observer with these bounds, switched on.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let pool = Pool::new(config.buffer_memory);
        Self {
            config,
            enabled: true,
            entries: Vec::new(),
            free: NIL,
            oldest: NIL,
            newest: NIL,
            watched: 0,
            pool,
            scratch: Vec::new(),
            spare: Record::default(),
            counts: Counts::default(),
            enforcement: None,
        }
    }

    /// The same with rules about how connections must be protected.
    #[must_use]
    pub fn with_enforcement(mut self, enforcement: Enforcement) -> Self {
        self.enforcement = Some(Box::new(enforcement));
        self
    }

    /// Enforcement: its rules, and what it did so far.
    #[must_use]
    pub fn enforcement(&self) -> Option<&Enforcement> {
        self.enforcement.as_deref()
    }

    /// Installs other rules: for new connections and later changes of those there are.
    pub fn set_rules(&mut self, cx: &mut Cx<'_>, rules: Arc<RuleSet>) {
        let enforcement = self.enforcement.get_or_insert_default();
        enforcement.set_rules(cx, rules, self.enabled);
    }

    /// Evaluates every connection that was evaluated before by the rules in force now: on request, after other rules
    /// were installed.
    pub fn enforce_all(&mut self, cx: &mut Cx<'_>) {
        for place in 0..self.entries.len() {
            let entry = self.entries.get(place).filter(|e| e.used);
            if entry.is_some_and(|e| e.mapped.is_evaluated()) {
                self.enforce(cx, place as u32, Cause::Request);
            }
        }
    }

    /// Has a connection evaluated; its record is brought up to date first.
    fn enforce(&mut self, cx: &mut Cx<'_>, place: u32, cause: Cause) {
        if self.enforcement.is_none() {
            return;
        }
        if cause != Cause::Ended {
            self.with(place, |conn, env| conn.conclude(false, env));
        }
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        let first = cause == Cause::Change && !entry.mapped.is_evaluated();
        let cause = if first { Cause::Initial } else { cause };
        if let Some(enforcement) = &mut self.enforcement {
            let record = &mut entry.conn.record;
            let reset = enforcement.evaluate(cx, record, &mut entry.mapped, cause);
            record.reset_by = reset.or_else(|| record.reset_by.take());
        }
    }

    /// The bounds.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// How much was seen since the observer was made.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Connections that are watched now.
    #[must_use]
    pub const fn watched(&self) -> usize {
        self.watched
    }

    /// Bytes held in handshake buffers now, used or kept for use.
    #[must_use]
    pub const fn buffer_memory(&self) -> usize {
        self.pool.held()
    }

    /// Whether the observer is switched on.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Switches the observer on or off. Switched off it forgets all connections without a
    /// record; switched on again it watches only those that are opened from then on.
    pub fn set_enabled(&mut self, cx: &mut Cx<'_>, enabled: bool) {
        if self.enabled == enabled {
            return;
        }
        self.enabled = enabled;
        if !enabled {
            for place in 0..self.entries.len() {
                self.release(place as u32);
            }
        }
        let code = if enabled {
            code::ENABLED
        } else {
            code::DISABLED
        };
        if cx.events.wants(Class::Progress) {
            let event = cx.event(code, Class::Progress, &());
            cx.events.emit(&event);
        }
        if let Some(enforcement) = &self.enforcement {
            enforcement.tell_if_in_vain(cx, enabled);
        }
    }

    /// The record of a connection as it stands now, before its end.
    pub fn snapshot(&mut self, slot: &Slot) -> Option<&Record> {
        let place = self.place(slot)?;
        self.with(place, |conn, env| conn.conclude(false, env));
        self.entries.get(place as usize).map(|e| &e.conn.record)
    }

    fn place(&self, slot: &Slot) -> Option<u32> {
        let State::Watched { place, epoch } = slot.0 else {
            return None;
        };
        let entry = self.entries.get(place as usize)?;
        (entry.used && entry.epoch == epoch).then_some(place)
    }

    /// Runs something on a connection with what all connections share.
    fn with<T>(
        &mut self,
        place: u32,
        f: impl FnOnce(&mut Conn, &mut Env<'_>) -> T,
    ) -> Option<(T, Hits)> {
        let entry = self.entries.get_mut(place as usize)?;
        let mut env = Env {
            config: &self.config,
            pool: &mut self.pool,
            scratch: &mut self.scratch,
            hits: Hits::default(),
        };
        let out = f(&mut entry.conn, &mut env);
        Some((out, env.hits))
    }

    fn open(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot) {
        if !self.enabled {
            return;
        }
        self.counts.connections = self.counts.connections.saturating_add(1);
        let place = if let Some(entry) = self.entries.get(self.free as usize) {
            let place = self.free;
            self.free = entry.next;
            place
        } else if self.entries.len() < self.config.connections.min(NIL as usize) {
            self.entries.push(Box::new(Entry {
                conn: Conn::new(),
                epoch: 0,
                prev: NIL,
                next: NIL,
                settling: false,
                used: false,
                mapped: Mapped::default(),
            }));
            (self.entries.len() - 1) as u32
        } else {
            slot.0 = State::Refused;
            self.counts.refused = self.counts.refused.saturating_add(1);
            bound(cx, flow, code::CONNECTIONS_FULL);
            return;
        };
        self.watched += 1;
        let newest = self.newest;
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.used = true;
            entry.mapped = Mapped::default();
            entry.epoch = entry.epoch.wrapping_add(1);
            entry.conn.flow = Some(*flow);
            entry.conn.discovery = Discovery::tcp(flow.opened.mono);
            entry.settling = true;
            entry.prev = newest;
            entry.next = NIL;
            slot.0 = State::Watched {
                place,
                epoch: entry.epoch,
            };
        }
        match self.entries.get_mut(newest as usize) {
            Some(last) => last.next = place,
            None => self.oldest = place,
        }
        self.newest = place;
    }

    /// Takes a connection out of the list of those that settle.
    fn settled(&mut self, place: u32) {
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
    fn release(&mut self, place: u32) {
        if !self.entries.get(place as usize).is_some_and(|e| e.used) {
            return;
        }
        self.settled(place);
        self.with(place, Conn::clear);
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.used = false;
            entry.next = self.free;
            self.free = place;
            self.watched -= 1;
        }
    }

    fn emit(&mut self, cx: &mut Cx<'_>, place: u32, code: Code, class: Class) {
        let Some(entry) = self.entries.get(place as usize) else {
            return;
        };
        let record = &entry.conn.record;
        let mut event = cx.event(code, class, record);
        event.flow = record.flow;
        event.key = record.key();
        cx.events.emit(&event);
    }

    fn steps(&mut self, cx: &mut Cx<'_>, place: u32, steps: Steps, over: bool) {
        if steps == [None, None] || !cx.events.wants(Class::Progress) {
            return;
        }
        self.with(place, |conn, env| conn.conclude(over, env));
        for kind in steps.into_iter().flatten() {
            let code = match kind {
                Kind::Initiation => code::INITIATION,
                Kind::Change => code::CHANGE,
                Kind::Termination => code::TERMINATION,
                Kind::ShortTermination => code::SHORT_TERMINATION,
            };
            self.emit(cx, place, code, Class::Progress);
        }
    }

    /// After bytes or a gap: counts bounds, tells discovery how far the handshake is.
    fn after(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, place: u32, hits: Hits) {
        if hits.too_long {
            self.counts.too_long = self.counts.too_long.saturating_add(1);
            bound(cx, flow, code::MESSAGE_TOO_LONG);
        }
        if hits.memory {
            self.counts.memory = self.counts.memory.saturating_add(1);
            bound(cx, flow, code::MEMORY_FULL);
        }
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        let conn = &mut entry.conn;
        // What is decided stays decided: an inference that turns out wrong afterwards shows in the
        // record and is no change of protection.
        if matches!(conn.stage, Stage::Complete | Stage::Failed) {
            return;
        }
        let stage = conn.look();
        if stage == conn.stage {
            return;
        }
        if conn.stage == Stage::Clear {
            conn.discovery.handshake_started();
        }
        conn.stage = stage;
        let steps = match stage {
            Stage::Complete => conn.discovery.handshake_completed(),
            Stage::Failed => conn.discovery.handshake_failed(),
            Stage::Clear | Stage::Pending => return,
        };
        if conn.discovery.deadline().is_none() {
            self.settled(place);
        }
        self.steps(cx, place, steps, false);
        self.enforce(cx, place, Cause::Change);
    }

    /// After the answer that no more bytes are wanted: clear text to the bound is a decided state, too.
    fn classified(&mut self, cx: &mut Cx<'_>, place: u32, interest: Interest) {
        let clear = self.entries.get(place as usize).is_some_and(|e| {
            e.conn.record.protocol == crate::record::Protocol::None && !e.mapped.is_evaluated()
        });
        if clear && interest == Interest::Enough {
            self.enforce(cx, place, Cause::Initial);
        }
    }
}

// What a watched connection costs, apart from its texts; the README gives the figure.
const _: () = assert!(size_of::<Entry>() <= 3072);

fn bound(cx: &mut Cx<'_>, flow: &FlowInfo, code: Code) {
    if cx.events.wants(Class::Capacity) {
        let mut event = cx.event(code, Class::Capacity, &());
        event.flow = Some(flow.id);
        event.key = Some(flow.key);
        cx.events.emit(&event);
    }
}

impl StreamObserver for Zert {
    type Slot = Slot;

    fn opened(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot) {
        if slot.0 == State::New {
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
        if slot.0 == State::New {
            self.open(cx, flow, slot);
        }
        let Some(place) = self.place(slot) else {
            return Interest::Enough;
        };
        let Some((interest, hits)) = self.with(place, |conn, env| {
            conn.flow = Some(*flow);
            conn.bytes(from, data, env)
        }) else {
            return Interest::Enough;
        };
        self.after(cx, flow, place, hits);
        self.classified(cx, place, interest);
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
        let Some(place) = self.place(slot) else {
            return Interest::Enough;
        };
        let Some((interest, hits)) = self.with(place, |conn, env| {
            conn.flow = Some(*flow);
            conn.gap(from, missing, env)
        }) else {
            return Interest::Enough;
        };
        self.after(cx, flow, place, hits);
        self.classified(cx, place, interest);
        interest
    }

    fn finished(&mut self, _: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot, from: Side) {
        if let Some(place) = self.place(slot) {
            self.with(place, |conn, _| {
                conn.flow = Some(*flow);
                conn.finished(from);
            });
        }
    }

    fn closed(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot, cause: CloseCause) {
        let state = core::mem::take(&mut slot.0);
        let open = cause == CloseCause::EndOfInput;
        if state == State::Refused {
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
        self.with(place, |conn, env| {
            conn.flow = Some(*flow);
            conn.conclude(!open, env);
            conn.record.open_at_end = open;
        });
        let steps = match self.entries.get_mut(place as usize) {
            Some(entry) if !open => entry.conn.discovery.closed(),
            _ => [None, None],
        };
        let spoke = self.entries.get(place as usize).is_some_and(|e| {
            let r = &e.conn.record;
            !e.mapped.is_evaluated()
                && (r.clear_text > 0 || r.protocol != crate::record::Protocol::None)
        });
        if spoke {
            self.enforce(cx, place, Cause::Ended);
        }
        self.steps(cx, place, steps, !open);
        if cx.events.wants(Class::Record) {
            self.emit(cx, place, code::RECORD, Class::Record);
        }
        self.release(place);
    }
}

impl Timers for Zert {
    fn next_deadline(&self) -> Option<Instant> {
        let entry = self.entries.get(self.oldest as usize)?;
        entry.conn.discovery.deadline()
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..TIMER_BATCH {
            let place = self.oldest;
            let Some(entry) = self.entries.get_mut(place as usize) else {
                return;
            };
            let discovery = &mut entry.conn.discovery;
            if discovery.deadline().is_some_and(|at| at > cx.now.mono) {
                return;
            }
            let steps = discovery.tick(cx.now.mono);
            self.settled(place);
            self.steps(cx, place, steps, false);
            // An initiation alone is no change of what was evaluated before.
            let entry = self.entries.get(place as usize);
            let evaluated = entry.is_some_and(|e| e.mapped.is_evaluated());
            let due = if evaluated {
                Kind::Change
            } else {
                Kind::Initiation
            };
            if steps.contains(&Some(due)) {
                self.enforce(cx, place, Cause::Change);
            }
        }
    }
}
