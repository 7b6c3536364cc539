//! The observer itself: what it is made of, and what its owner asks of it.

mod enforcing;
mod observe;
mod places;
mod progress;
mod show;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use hostward_hook::action::Cx;
use hostward_hook::event::Class;
use hostward_hook::flow::FlowInfo;
use hostward_hook::ident::SaId;
use hostward_hook::time::Instant;

use crate::code;
use crate::config::Config;
use crate::conn::Track;
use crate::discovery::Discovery;
use crate::enforce::Enforcement;
use crate::entries::Entries;
use crate::entry::{Entry, NIL, State};
use crate::intern::Handle;
use crate::pool::Pool;
use crate::record::{IpsecFacts, Record};
use crate::seen::{Seen, Stock};
use crate::tls::trail::Trail;

/// Connections that one call of [`Timers::handle_deadline`](hostward_hook::Timers) looks at.
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
    pub(crate) entries: Entries,
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
    #[expect(clippy::vec_box, reason = "they are lent as boxes")]
    trails: Vec<Box<Trail>>,
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
            entries: Entries::default(),
            oldest: NIL,
            newest: NIL,
            endings: BTreeSet::new(),
            watched: 0,
            pool: Pool::new(config.buffer_memory),
            tracks: Vec::with_capacity(TRACKS),
            trails: Vec::with_capacity(TRACKS),
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
        let boxed = self.entries.iter().map(Entry::boxed).sum::<usize>();
        Memory {
            connections: self.entries.memory() + boxed,
            handshakes: (self.tracking + self.tracks.len()) * size_of::<Track>()
                + self.trails.len() * size_of::<Trail>(),
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
    /// registration of its partner, and it is [closed] when the partner
    /// is not active any more. Its initiation is reported at once; only what the stack tells of
    /// IPsec can protect it.
    ///
    /// [closed]: hostward_hook::StreamObserver::closed
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
}
