//! Protection beyond TCP: QUIC, DTLS and WireGuard in UDP flows; IKE, ESP and AH seen passing.
//!
//! [`Datagrams`] reads what these protocols show to anybody on the path and emits one
//! [`Record`] for each flow or association, with the code of the records of connections
//! ([`RECORD`](crate::code::RECORD)), when it ends. Flows of UDP in which none of these is found
//! have no record.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use hostward_hook::Side;
use hostward_hook::action::Cx;
use hostward_hook::event::Class;
use hostward_hook::flow::FlowInfo;
use hostward_hook::hooks::{CloseCause, DatagramObserver, Interest, Timers};
use hostward_hook::meta::Direction;
use hostward_hook::packet::Packet;
use hostward_hook::reason::Code;
use hostward_hook::time::Instant;

use crate::code;
use crate::config::Config;
use crate::conn::{Env, Hits};
use crate::pool::Pool;
use crate::record::{PqClass, Protocol, Record, Role};
use crate::tls::session::Session;

mod assemble;
mod association;
mod dtls;
mod ike;
#[cfg(feature = "quic")]
mod quic;
mod wireguard;

use association::Associations;
pub use association::udp_payload;
use dtls::Dtls;
#[cfg(feature = "quic")]
use quic::{Look, Quic};
use wireguard::Wireguard;

/// Initial packets of a flow that did not open, after which it is not tried again.
#[cfg(feature = "quic")]
const SEALED: u8 = 4;

/// The bounds of [`Datagrams`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made to be written with update syntax"
)]
pub struct DatagramConfig {
    /// Flows of QUIC, DTLS and WireGuard watched at once. One more is counted, reported as
    /// [`CONNECTIONS_FULL`](crate::code::CONNECTIONS_FULL), and its record says that it was cut.
    pub flows: usize,
    /// Datagrams of a flow in which the beginning of protection is looked for.
    pub probe: u16,
    /// Associations of IKE, and directions of ESP and AH, watched at once. More are counted and,
    /// when that begins, reported as [`CONNECTIONS_FULL`](crate::code::CONNECTIONS_FULL); they have
    /// no record.
    pub associations: usize,
    /// After so long without a packet an association has ended.
    pub association_idle: Duration,
    /// Longest handshake message, and for QUIC all of a side, in bytes.
    pub handshake_limit: usize,
    /// Bytes of all handshake messages in progress together.
    pub buffer_memory: usize,
}

impl Default for DatagramConfig {
    fn default() -> Self {
        Self {
            flows: 65_536,
            probe: 64,
            associations: 16_384,
            association_idle: Duration::from_secs(600),
            handshake_limit: 64 << 10,
            buffer_memory: 16 << 20,
        }
    }
}

/// What all flows share.
#[derive(Debug)]
struct Tools {
    config: Config,
    pool: Pool,
    scratch: Vec<u16>,
    /// An opened packet.
    #[cfg(feature = "quic")]
    plain: Vec<u8>,
    hits: Hits,
}

impl Tools {
    fn with_env(&mut self, f: impl FnOnce(&mut Env<'_>)) {
        let mut env = Env {
            config: &self.config,
            pool: &mut self.pool,
            scratch: &mut self.scratch,
            hits: self.hits,
        };
        f(&mut env);
        self.hits = env.hits;
    }
}

/// What the observer keeps in a flow's entry: the name of its own state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramSlot(State);

impl Default for DatagramSlot {
    fn default() -> Self {
        Self(State::Looking { seen: 0, sealed: 0 })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was found so far.
    Looking { seen: u16, sealed: u8 },
    /// Watched in this place, if it still has this epoch.
    Watched { place: u32, epoch: u32 },
    /// Not watched: there was no room.
    Refused(Protocol),
    /// There is nothing to be found.
    Nothing,
}

#[derive(Debug)]
enum Flow {
    #[cfg(feature = "quic")]
    Quic(Box<Quic>),
    Dtls(Dtls),
    Wireguard(Wireguard),
}

impl Flow {
    const fn protocol(&self) -> Protocol {
        match self {
            #[cfg(feature = "quic")]
            Self::Quic(_) => Protocol::Quic,
            Self::Dtls(_) => Protocol::Dtls,
            Self::Wireguard(_) => Protocol::Wireguard,
        }
    }
}

#[derive(Debug)]
struct Entry {
    flow: Flow,
    session: Session,
    record: Record,
}

/// A place for an entry.
#[derive(Debug, Default)]
struct Place {
    entry: Option<Box<Entry>>,
    epoch: u32,
}

/// How much the observer has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramCounts {
    /// Flows of QUIC, DTLS and WireGuard.
    pub flows: u64,
    /// Flows that were not watched because there was no room.
    pub refused: u64,
    /// Associations of IKE, and directions of ESP and AH.
    pub associations: u64,
    /// Packets of associations that were not watched because there was no room.
    pub associations_refused: u64,
    /// Handshake messages that were longer than allowed.
    pub too_long: u64,
    /// Handshakes that were not read on because memory was used up.
    pub memory: u64,
}

/// The observer of protection beyond TCP.
///
/// Memory is bounded by [`DatagramConfig`]: about 3 KiB for each flow of a protocol that was found,
/// 512 bytes for each association, and [`buffer_memory`](DatagramConfig::buffer_memory). A flow
/// ends when its owner says so ([`DatagramObserver::closed`]), an association after
/// [`association_idle`](DatagramConfig::association_idle) or with [`finish`](Self::finish).
#[derive(Debug)]
pub struct Datagrams {
    config: DatagramConfig,
    #[cfg(feature = "quic")]
    provider: Option<hostward_crypto::Provider>,
    places: Vec<Place>,
    free: Vec<u32>,
    watched: usize,
    tools: Tools,
    associations: Associations,
    spare: Record,
    counts: DatagramCounts,
}

impl Default for Datagrams {
    fn default() -> Self {
        Self::new(DatagramConfig::default())
    }
}

impl Datagrams {
    /// An observer with these bounds, without QUIC.
    #[must_use]
    pub fn new(config: DatagramConfig) -> Self {
        let tools = Tools {
            config: Config {
                handshake_limit: config.handshake_limit,
                buffer_memory: config.buffer_memory,
                ..Config::default()
            },
            pool: Pool::new(config.buffer_memory),
            scratch: Vec::new(),
            #[cfg(feature = "quic")]
            plain: Vec::new(),
            hits: Hits::default(),
        };
        Self {
            associations: Associations::new(config.associations, config.association_idle),
            config,
            #[cfg(feature = "quic")]
            provider: None,
            places: Vec::new(),
            free: Vec::new(),
            watched: 0,
            tools,
            spare: Record::default(),
            counts: DatagramCounts::default(),
        }
    }

    /// The same observer with QUIC: `provider` makes the keys of Initial packets (HMAC with SHA-256,
    /// AES-128-GCM and single AES-128 blocks).
    #[cfg(feature = "quic")]
    #[must_use]
    pub fn quic(mut self, provider: hostward_crypto::Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// The bounds.
    #[must_use]
    pub const fn config(&self) -> &DatagramConfig {
        &self.config
    }

    /// How much was seen since the observer was made.
    #[must_use]
    pub const fn counts(&self) -> DatagramCounts {
        self.counts
    }

    /// Flows that are watched now.
    #[must_use]
    pub const fn watched(&self) -> usize {
        self.watched
    }

    /// Associations that are watched now.
    #[must_use]
    pub fn associations(&self) -> usize {
        self.associations.len()
    }

    /// Bytes held in handshake buffers now, used or kept for use.
    #[must_use]
    pub const fn buffer_memory(&self) -> usize {
        self.tools.pool.held()
    }

    /// A packet that may be of ESP, AH, or UDP of port 500 or 4500. Others are left alone.
    pub fn packet(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) {
        use association::Seen;
        match self.associations.packet(cx.now, packet) {
            Seen::Known => {}
            Seen::New => {
                self.counts.associations = self.counts.associations.saturating_add(1);
            }
            Seen::Refused { first } => {
                let refused = &mut self.counts.associations_refused;
                *refused = refused.saturating_add(1);
                if first && cx.events.wants(Class::Capacity) {
                    let mut event = cx.event(code::CONNECTIONS_FULL, Class::Capacity, &());
                    event.key = packet.key();
                    cx.events.emit(&event);
                }
            }
        }
    }

    /// Ends all associations: the input is over or the host shuts down.
    pub fn finish(&mut self, cx: &mut Cx<'_>) {
        while self.associations.end(None, &mut self.spare) {
            self.emit_spare(cx);
        }
    }

    fn emit_spare(&mut self, cx: &mut Cx<'_>) {
        if cx.events.wants(Class::Record) {
            emit(cx, &self.spare);
        }
    }

    /// What a datagram of a flow that is not watched begins.
    fn look(
        &mut self,
        from: Side,
        payload: &[u8],
        #[cfg_attr(not(feature = "quic"), expect(unused, reason = "only QUIC is tried"))]
        sealed: &mut u8,
    ) -> Option<Flow> {
        // Most datagrams are told apart by their first byte.
        match *payload.first()? {
            1 => {
                let message = wireguard::message(payload)?;
                Wireguard::of(from, message).map(Flow::Wireguard)
            }
            22 => Dtls::look(payload).then(|| Flow::Dtls(Dtls::default())),
            #[cfg(feature = "quic")]
            0x80.. => match Quic::look(from, payload, self.provider.as_ref()?, &mut self.tools) {
                Look::Quic(quic) => Some(Flow::Quic(quic)),
                Look::Sealed => {
                    *sealed = sealed.saturating_add(1);
                    None
                }
                Look::Other => None,
            },
            _ => None,
        }
    }

    /// Makes an entry for a flow.
    fn open(&mut self, cx: &mut Cx<'_>, info: &FlowInfo, mut flow: Flow) -> State {
        self.counts.flows = self.counts.flows.saturating_add(1);
        let place = match self.free.pop() {
            Some(place) => place,
            None if self.places.len() < self.config.flows.min(u32::MAX as usize) => {
                self.places.push(Place::default());
                (self.places.len() - 1) as u32
            }
            None => {
                self.counts.refused = self.counts.refused.saturating_add(1);
                bound(cx, info, code::CONNECTIONS_FULL);
                let protocol = flow.protocol();
                clear(&mut flow, &mut self.tools);
                return State::Refused(protocol);
            }
        };
        let Some(at) = self.places.get_mut(place as usize) else {
            return State::Nothing;
        };
        let record = Record {
            protocol: flow.protocol(),
            ..Record::default()
        };
        at.epoch = at.epoch.wrapping_add(1);
        at.entry = Some(Box::new(Entry {
            flow,
            session: Session::default(),
            record,
        }));
        self.watched += 1;
        State::Watched {
            place,
            epoch: at.epoch,
        }
    }

    fn take(&mut self, place: u32, epoch: u32) -> Option<Box<Entry>> {
        let at = self.places.get_mut(place as usize)?;
        if at.epoch != epoch {
            return None;
        }
        let mut entry = at.entry.take()?;
        self.free.push(place);
        self.watched -= 1;
        clear(&mut entry.flow, &mut self.tools);
        Some(entry)
    }

    /// Counts bounds that were reached.
    fn after(&mut self, cx: &mut Cx<'_>, info: &FlowInfo) {
        let hits = core::mem::take(&mut self.tools.hits);
        if hits.too_long {
            self.counts.too_long = self.counts.too_long.saturating_add(1);
            bound(cx, info, code::MESSAGE_TOO_LONG);
        }
        if hits.memory {
            self.counts.memory = self.counts.memory.saturating_add(1);
            bound(cx, info, code::MEMORY_FULL);
        }
    }
}

// What a watched flow costs, apart from its texts and keys.
const _: () = assert!(size_of::<Entry>() <= 2048);

fn clear(flow: &mut Flow, tools: &mut Tools) {
    match flow {
        #[cfg(feature = "quic")]
        Flow::Quic(quic) => quic.clear(tools),
        Flow::Dtls(dtls) => dtls.clear(tools),
        Flow::Wireguard(_) => {}
    }
}

fn bound(cx: &mut Cx<'_>, info: &FlowInfo, code: Code) {
    if cx.events.wants(Class::Capacity) {
        let mut event = cx.event(code, Class::Capacity, &());
        event.flow = Some(info.id);
        event.key = Some(info.key);
        cx.events.emit(&event);
    }
}

fn emit(cx: &mut Cx<'_>, record: &Record) {
    let mut event = cx.event(code::RECORD, Class::Record, record);
    event.flow = record.flow;
    event.key = record.key();
    cx.events.emit(&event);
}

/// Brings a record up to date. `over`: the flow has ended by itself.
fn conclude(entry: &mut Entry, info: &FlowInfo, over: bool) {
    let Entry {
        flow,
        session,
        record,
    } = entry;
    let client = match flow {
        Flow::Wireguard(wireguard) => wireguard.client,
        #[cfg(feature = "quic")]
        Flow::Quic(quic) => session.client.unwrap_or(quic.client()),
        Flow::Dtls(_) => session.client.unwrap_or(Side::Initiator),
    };
    record.set_flow(info, client == Side::Initiator);
    record.open_at_end = !over;
    if let Flow::Wireguard(wireguard) = flow {
        record.established = Some(wireguard.established);
        record.failed = over && !wireguard.established;
        record.pq = if wireguard.established {
            PqClass::Classical
        } else {
            PqClass::None
        };
    } else {
        session.conclude(record, over);
        // A flow of datagrams ends by silence alone: nothing was resumed when there never was an
        // answer.
        if matches!(flow, Flow::Dtls(_)) && record.tls.version.is_none() && !record.gap {
            record.tls.resumed = Some(false);
        }
    }
    let local = match info.direction {
        Direction::Outbound => Side::Initiator,
        Direction::Inbound => Side::Responder,
    };
    record.role = if local == client {
        Role::Client
    } else if record.tls.client_cert_sent == Some(true) {
        Role::ServerClientAuth
    } else {
        Role::Server
    };
}

impl DatagramObserver for Datagrams {
    type Slot = DatagramSlot;

    fn datagram(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut DatagramSlot,
        from: Side,
        payload: &[u8],
    ) -> Interest {
        if let State::Looking { seen, sealed } = &mut slot.0 {
            let found = self.look(from, payload, sealed);
            match found {
                Some(found) => slot.0 = self.open(cx, flow, found),
                None => {
                    // A tunnel that was there before is recognised at its next handshake, which
                    // comes within two minutes of traffic.
                    let tunnel = wireguard::message(payload) == Some(wireguard::Message::Data);
                    *seen = seen.saturating_add(u16::from(!tunnel));
                    #[cfg(feature = "quic")]
                    let sealed = *sealed >= SEALED;
                    #[cfg(not(feature = "quic"))]
                    let sealed = false;
                    if sealed || *seen >= self.config.probe {
                        slot.0 = State::Nothing;
                    }
                }
            }
        }
        let State::Watched { place, epoch } = slot.0 else {
            return match slot.0 {
                State::Looking { .. } => Interest::More,
                State::Watched { .. } | State::Refused(_) | State::Nothing => Interest::Enough,
            };
        };
        let Some(at) = self.places.get_mut(place as usize) else {
            return Interest::Enough;
        };
        let Some(entry) = at.entry.as_mut().filter(|_| at.epoch == epoch) else {
            return Interest::Enough;
        };
        let Entry {
            flow: watched,
            session,
            record,
        } = &mut **entry;
        let done = match watched {
            #[cfg(feature = "quic")]
            Flow::Quic(quic) => {
                if let Some(provider) = &self.provider {
                    let tools = &mut self.tools;
                    quic.datagram(from, payload, provider, session, record, tools);
                }
                session.done
            }
            Flow::Dtls(dtls) => {
                dtls.datagram(from, payload, session, record, &mut self.tools);
                session.side_done(Side::Initiator, &record.tls)
                    && session.side_done(Side::Responder, &record.tls)
            }
            Flow::Wireguard(wireguard) => {
                wireguard.datagram(from, payload);
                wireguard.established
            }
        };
        self.after(cx, flow);
        if done {
            Interest::Enough
        } else {
            Interest::More
        }
    }

    fn closed(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut DatagramSlot,
        cause: CloseCause,
    ) {
        let over = cause != CloseCause::EndOfInput;
        match core::mem::replace(&mut slot.0, State::Nothing) {
            State::Watched { place, epoch } => {
                let Some(mut entry) = self.take(place, epoch) else {
                    return;
                };
                if cx.events.wants(Class::Record) {
                    conclude(&mut entry, flow, over);
                    emit(cx, &entry.record);
                }
            }
            State::Refused(protocol) => {
                self.spare.clear();
                self.spare.protocol = protocol;
                self.spare.set_flow(flow, true);
                self.spare.cut = true;
                self.spare.open_at_end = !over;
                self.emit_spare(cx);
            }
            State::Looking { .. } | State::Nothing => {}
        }
    }
}

impl Timers for Datagrams {
    fn next_deadline(&self) -> Option<Instant> {
        self.associations.next_deadline()
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..association::BATCH {
            if !self.associations.end(Some(cx.now.mono), &mut self.spare) {
                return;
            }
            self.emit_spare(cx);
        }
    }
}
