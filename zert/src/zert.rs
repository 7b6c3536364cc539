//! The observer itself.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;

use hostward_hook::Side;
use hostward_hook::action::Cx;
use hostward_hook::event::Class;
use hostward_hook::flow::{FlowId, FlowInfo};
use hostward_hook::hooks::{CloseCause, Interest, StreamObserver, Timers, earlier};
use hostward_hook::ident::SaId;
use hostward_hook::reason::Code;
use hostward_hook::time::Instant;

use crate::code;
use crate::config::Config;
use crate::conn::{Env, Hits, Lookouts, Stage, Track, Watched};
use crate::discovery::{Discovery, Kind, Steps};
use crate::enforce::{Cause, Enforcement, Mapped, RuleSet};
use crate::entry::{Entry, NIL, State};
use crate::intern::Handle;
use crate::pool::Pool;
use crate::record::{IpsecFacts, Record};
use crate::seen::{Seen, Stock};

/// Connections that one call of [`Timers::handle_deadline`] looks at.
const TIMER_BATCH: usize = 64;

/// States of handshakes that are kept for the next ones.
const TRACKS: usize = 64;

/// What the observer keeps in a flow's entry: the name of its own state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(Place);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Not opened yet.
    #[default]
    New,
    /// Watched in this place, if it still has this epoch.
    Watched { place: u32, epoch: u32 },
    /// Not watched: there was no room.
    Refused,
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

/// What the observer holds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Memory {
    /// What connections have each for themselves.
    pub connections: usize,
    /// Handshakes that are being read, and states kept for the next ones; their messages are
    /// counted in `buffers`.
    pub handshakes: usize,
    /// Buffers of handshake messages, used or kept for use.
    pub buffers: usize,
    /// Attribute sets, certificates, tunnels and rules that connections share.
    pub shared: usize,
}

impl Memory {
    /// All of it.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.connections + self.handshakes + self.buffers + self.shared
    }
}

/// The cryptographic-protection observer. See the [crate documentation](crate).
#[derive(Debug)]
pub struct Zert {
    pub(crate) config: Config,
    enabled: bool,
    #[expect(
        clippy::vec_box,
        reason = "growing must not move states of several hundred bytes"
    )]
    pub(crate) entries: Vec<Box<Entry>>,
    free: u32,
    /// Those that settle, the oldest first.
    oldest: u32,
    newest: u32,
    /// Sessions whose end is reported then.
    pub(crate) endings: BTreeSet<(Instant, u32)>,
    watched: usize,
    pool: Pool,
    /// States of handshakes, to be used again.
    #[expect(clippy::vec_box, reason = "they are lent as boxes")]
    tracks: Vec<Box<Track>>,
    /// Handshakes that are being read.
    tracking: usize,
    scratch: Vec<u16>,
    pub(crate) stock: Stock,
    pub(crate) associations: BTreeMap<SaId, Handle<IpsecFacts>>,
    /// The record in which connections are shown, and what providers told.
    pub(crate) spare: Record,
    pub(crate) told: Record,
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
        Self {
            enabled: true,
            entries: Vec::new(),
            free: NIL,
            oldest: NIL,
            newest: NIL,
            endings: BTreeSet::new(),
            watched: 0,
            pool: Pool::new(config.buffer_memory),
            tracks: Vec::with_capacity(TRACKS),
            tracking: 0,
            scratch: Vec::new(),
            stock: Stock::new(config.shared),
            associations: BTreeMap::new(),
            spare: Record::default(),
            told: Record::default(),
            counts: Counts::default(),
            enforcement: None,
            config,
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

    /// Evaluates every connection that was evaluated before by the rules in force now: on request,
    /// after other rules were installed.
    pub fn enforce_all(&mut self, cx: &mut Cx<'_>) {
        for place in 0..self.entries.len() {
            let entry = self.entries.get(place).filter(|e| e.used);
            if entry.is_some_and(|e| e.mapped.is_evaluated()) {
                self.enforce(cx, place as u32, Cause::Request);
            }
        }
    }

    /// Has a connection evaluated as it stands; not while its handshake is under way.
    fn enforce(&mut self, cx: &mut Cx<'_>, place: u32, cause: Cause) {
        if self.enforcement.is_none() {
            return;
        }
        let Some(entry) = self.entries.get(place as usize) else {
            return;
        };
        // z/OS enforces TCP connections only, not Enterprise Extender.
        if entry
            .flow
            .is_some_and(|f| f.key.protocol() != hostward_hook::layout::proto::TCP)
        {
            return;
        }
        let undecided = entry.stage == Stage::Pending && entry.protocol_seen().is_none();
        if cause == Cause::Change && undecided && entry.advised_session().is_none() {
            return;
        }
        self.show(place, cause == Cause::Ended);
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        let first = cause == Cause::Change && !entry.mapped.is_evaluated();
        let cause = if first { Cause::Initial } else { cause };
        if let Some(enforcement) = &mut self.enforcement {
            let reset = enforcement.evaluate(cx, &self.spare, &mut entry.mapped, cause);
            entry.reset_by = reset.or_else(|| entry.reset_by.take());
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

    /// Handshakes that are being read now.
    #[must_use]
    pub const fn tracking(&self) -> usize {
        self.tracking
    }

    /// Attribute sets, certificates, tunnels and rules that are shared now.
    #[must_use]
    pub fn shared(&self) -> usize {
        self.stock.len()
    }

    /// Bytes held in handshake buffers now, used or kept for use.
    #[must_use]
    pub const fn buffer_memory(&self) -> usize {
        self.pool.held()
    }

    /// What the observer holds now. By [`watched`](Self::watched) it gives the cost of one
    /// connection. Longer server names and such within handshakes that are being read are not
    /// counted.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let used = self.entries.iter().filter(|e| e.advised.is_some()).count();
        let pointers = self.entries.capacity() * size_of::<Box<Entry>>();
        Memory {
            connections: self.entries.len() * size_of::<Entry>()
                + used * size_of::<Seen>()
                + pointers,
            handshakes: (self.tracking + self.tracks.len()) * size_of::<Track>(),
            buffers: self.pool.held(),
            shared: self.stock.held(),
        }
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
        self.show(place, false);
        Some(&self.spare)
    }

    /// An Enterprise Extender connection began (UDP ports 12000 to 12004): with the first
    /// registration of its partner, and it is [`closed`](StreamObserver::closed) when the partner
    /// is not active any more. Its initiation is reported at once; only what the stack tells of
    /// IPsec can protect it.
    pub fn enterprise_extender(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot) {
        if slot.0 != Place::New {
            return;
        }
        self.open(cx, flow, slot);
        let Some(place) = self.place(slot) else {
            return;
        };
        let (discovery, steps) = Discovery::enterprise_extender(flow.opened.mono);
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.discovery = discovery;
            entry.state = State::Settled(Seen::clear(0, false));
        }
        self.settled(place);
        self.steps(cx, place, steps);
    }

    pub(crate) fn place(&self, slot: &Slot) -> Option<u32> {
        let Place::Watched { place, epoch } = slot.0 else {
            return None;
        };
        let entry = self.entries.get(place as usize)?;
        (entry.used && entry.epoch == epoch).then_some(place)
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
            self.entries.push(Box::new(Entry::new()));
            (self.entries.len() - 1) as u32
        } else {
            slot.0 = Place::Refused;
            self.counts.refused = self.counts.refused.saturating_add(1);
            bound(cx, flow, code::CONNECTIONS_FULL);
            return;
        };
        self.watched += 1;
        let newest = self.newest;
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.used = true;
            entry.epoch = entry.epoch.wrapping_add(1);
            entry.flow = Some(*flow);
            entry.discovery = Discovery::tcp(flow.opened.mono);
            entry.settling = true;
            entry.prev = newest;
            entry.next = NIL;
            slot.0 = Place::Watched {
                place,
                epoch: entry.epoch,
            };
        }
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
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        if let Some(at) = entry.discovery.ending() {
            self.endings.remove(&(at, place));
        }
        entry.discovery = Discovery::tcp(Instant::ZERO);
        entry.used = false;
        entry.next = self.free;
        entry.flow = None;
        entry.stage = Stage::Clear;
        entry.mapped = Mapped::default();
        entry.reset_by = None;
        let state = core::mem::replace(&mut entry.state, State::Watching(Lookouts::new()));
        if let Some(advised) = entry.advised.take() {
            advised.release(&mut self.stock);
        }
        if let Some(ipsec) = entry.ipsec.take() {
            self.stock.ipsec.release(ipsec);
        }
        if let Some(filter) = entry.filter.take() {
            self.stock.filter.release(filter);
        }
        self.free = place;
        self.watched -= 1;
        match state {
            State::Watching(_) => {}
            State::Tracking(track) => self.give_track(track),
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

    /// Runs something on a handshake with what all connections share.
    fn with<T>(
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
    fn emit(&self, cx: &mut Cx<'_>, place: u32, code: Code, class: Class) {
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

    fn tell(&mut self, cx: &mut Cx<'_>, place: u32, kind: Kind) {
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
        let evaluated = evaluated.is_some_and(|e| e.mapped.is_evaluated());
        if !(initiation && evaluated) {
            self.enforce(cx, place, Cause::Change);
        }
    }

    /// After bytes or a gap: counts bounds, tells discovery how far the handshake is, and keeps no
    /// more of a handshake that is read than must be.
    fn after(
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
        if interest == Interest::Enough {
            self.freeze(place);
        }
    }

    fn advance(&mut self, cx: &mut Cx<'_>, place: u32) {
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
                let told = entry.advised.as_ref();
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

    /// Nothing more of the stream is wanted: what was read is put where others share it.
    fn freeze(&mut self, place: u32) {
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        let before = core::mem::replace(&mut entry.state, State::Settled(Seen::clear(0, false)));
        let seen = match before {
            State::Watching(look) => Seen::clear(look.clear_text(), look.gap),
            State::Settled(seen) => seen,
            State::Tracking(mut track) => {
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
        if let Some(entry) = self.entries.get_mut(place as usize) {
            entry.state = State::Settled(seen);
        }
    }

    /// Lets connections settle and sessions end whose time has come, as
    /// [`handle_deadline`](Timers::handle_deadline) does, and looks up what their flow entries
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
            State::Watching(look) => match look.bytes(from, data, self.config.prefix) {
                Watched::Wait(Interest::Enough) => {
                    self.freeze(place);
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
        if let Some(entry) = self.entries.get_mut(place as usize)
            && let State::Watching(look) = &mut entry.state
        {
            return look.gap(from, missing);
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
        if !entry.mapped.is_evaluated() && !silent {
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
