//! One connection: which bytes go where while a handshake is looked for and read.

use alloc::vec::Vec;

use hostward_hook::Side;
use hostward_hook::flow::FlowInfo;
use hostward_hook::hooks::Interest;

use crate::config::Config;
use crate::pair::Pair;
use crate::pool::Pool;
use crate::record::{Protocol, Record};
use crate::seen::Seen;
use crate::ssh::Ssh;
use crate::tls::records::{Records, Sync};
use crate::tls::session::{Session, Ssl2Next};
use crate::tls::trail::{self, Trail};
use crate::watch::{Found, HEAD, Other, TDS_PRELOGIN, Watch};

/// Bounds that were reached.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hits {
    pub(crate) too_long: bool,
    pub(crate) memory: bool,
}

/// What all connections share.
pub(crate) struct Env<'z> {
    pub(crate) config: &'z Config,
    pub(crate) pool: &'z mut Pool,
    pub(crate) scratch: &'z mut Vec<u16>,
    pub(crate) hits: Hits,
}

/// How the bytes of a side are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Watch,
    /// Records of SSL 2.0.
    Ssl2,
    /// TLS records inside packets of a Tabular Data Stream.
    Tds,
    Tls,
    Ssh,
    Done,
}

/// How far the handshake is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stage {
    #[default]
    Clear,
    Pending,
    Complete,
    Failed,
}

/// What is watched of one side before a handshake has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookout {
    watch: Watch,
    /// Bytes of clear text.
    clear: u32,
    /// Bytes in which a handshake was looked for since the last hint.
    looked: u32,
    /// No handshake is looked for any more.
    over: bool,
}

impl Lookout {
    pub(crate) const fn new() -> Self {
        Self {
            watch: Watch::new(),
            clear: 0,
            looked: 0,
            over: false,
        }
    }

    fn silent(&self) -> bool {
        self.clear == 0 && self.watch.head().is_empty()
    }

    /// Looks at the next bytes: what begins there, and how many bytes came before the end of its
    /// first ones ([`Watch::head`]).
    fn feed(&mut self, data: &[u8], other: Other, prefix: usize) -> Option<(Found, usize)> {
        let room = prefix.saturating_sub(self.looked as usize);
        let (mut part, later) = data.split_at_checked(room).unwrap_or((data, &[]));
        let before = part.len();
        let found = self.watch.feed(&mut part, other);
        let used = before - part.len();
        let n = u32::try_from(used).unwrap_or(u32::MAX);
        self.clear = self.clear.saturating_add(n);
        self.looked = self.looked.saturating_add(n);
        match found {
            Some(found) => Some((found, used)),
            None => {
                self.over = !later.is_empty() || self.looked as usize >= prefix;
                None
            }
        }
    }

    fn gap(&mut self, missing: u32) {
        self.clear = self.clear.saturating_add(missing);
        self.looked = self.looked.saturating_add(missing);
        self.watch = Watch::new();
    }
}

/// Both sides of a connection on which no handshake has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookouts {
    sides: Pair<Lookout>,
    spoke: Option<Side>,
    /// Bytes are missing.
    pub(crate) gap: bool,
}

/// What came of watching.
pub(crate) enum Watched {
    /// Nothing yet.
    Wait(Interest),
    /// A handshake begins in these bytes.
    Handshake,
}

impl Lookouts {
    pub(crate) const fn new() -> Self {
        Self {
            sides: Pair {
                initiator: Lookout::new(),
                responder: Lookout::new(),
            },
            spoke: None,
            gap: false,
        }
    }

    /// The same after so many bytes of clear text that need not be looked at.
    pub(crate) const fn after(clear: u32) -> Self {
        let mut me = Self::new();
        me.sides.initiator.clear = clear;
        me
    }

    pub(crate) const fn clear_text(&self) -> u32 {
        let (a, b) = (&self.sides.initiator, &self.sides.responder);
        a.clear.saturating_add(b.clear)
    }

    /// A handshake may begin with the next byte of either side.
    pub(crate) const fn hint(&mut self) {
        self.sides.initiator.watch.turn();
        self.sides.responder.watch.turn();
        self.sides.initiator.looked = 0;
        self.sides.responder.looked = 0;
        self.sides.initiator.over = false;
        self.sides.responder.over = false;
    }

    const fn turn(&mut self, from: Side) {
        match (self.spoke, from) {
            (Some(Side::Initiator), Side::Initiator) | (Some(Side::Responder), Side::Responder) => {
            }
            _ => {
                self.spoke = Some(from);
                self.sides.of_mut(from).watch.turn();
            }
        }
    }

    fn interest(&self, from: Side) -> Interest {
        match (self.sides.of(from).over, self.sides.of(from.other()).over) {
            (false, _) => Interest::More,
            // Nobody begins a handshake so late.
            (true, _) => Interest::Enough,
        }
    }

    /// The next bytes of one side. With [`Watched::Handshake`] nothing has changed, so that a
    /// [`Track`] can take over with the same bytes.
    pub(crate) fn bytes(&mut self, from: Side, data: &[u8], prefix: usize) -> Watched {
        self.turn(from);
        let other = if self.sides.of(from.other()).silent() {
            Other::Silent
        } else {
            Other::Clear
        };
        let end = self.sides.of_mut(from);
        if end.over {
            return Watched::Wait(self.interest(from));
        }
        let before = *end;
        if end.feed(data, other, prefix).is_some() {
            *end = before;
            return Watched::Handshake;
        }
        Watched::Wait(self.interest(from))
    }

    pub(crate) fn gap(&mut self, from: Side, missing: u32) -> Interest {
        self.gap = true;
        self.sides.of_mut(from).gap(missing);
        self.interest(from)
    }
}

#[derive(Debug)]
struct End {
    mode: Mode,
    records: Records,
    /// Head of a packet of a Tabular Data Stream, and how much of the packet is to come.
    tds: [u8; 8],
    tds_len: u8,
    tds_left: u16,
    /// TLS or SSH was found on this side, also if it is not followed any more.
    found: Option<Found>,
}

impl End {
    fn new() -> Self {
        Self {
            mode: Mode::Watch,
            records: Records::default(),
            tds: [0; 8],
            tds_len: 0,
            tds_left: 0,
            found: None,
        }
    }

    fn clear(&mut self, env: &mut Env<'_>) {
        self.records.clear(env);
        *self = Self::new();
    }
}

/// A handshake that is read.
#[derive(Debug)]
pub(crate) struct Track {
    ends: Pair<End>,
    look: Lookouts,
    tls: Session,
    ssh: Ssh,
    pub(crate) record: Record,
    /// What protected the connection before, when this is not its first handshake.
    pub(crate) previous: Option<Seen>,
}

impl Track {
    pub(crate) fn new() -> Self {
        Self {
            ends: Pair {
                initiator: End::new(),
                responder: End::new(),
            },
            look: Lookouts::new(),
            tls: Session::default(),
            ssh: Ssh::default(),
            record: Record::default(),
            previous: None,
        }
    }

    /// Begins on a connection that was watched so far.
    pub(crate) const fn begin(&mut self, look: Lookouts) {
        self.record.gap = look.gap;
        self.look = look;
    }

    /// A handshake may begin with the next byte of either side.
    pub(crate) const fn hint(&mut self) {
        self.look.hint();
    }

    /// Makes the state fit for another connection; buffers go back, texts keep their memory.
    pub(crate) fn clear(&mut self, env: &mut Env<'_>) {
        self.ends.initiator.clear(env);
        self.ends.responder.clear(env);
        self.look = Lookouts::new();
        self.tls = Session::default();
        self.ssh.clear(env);
        self.record.clear();
        self.previous = None;
    }

    /// The next bytes of one side.
    pub(crate) fn bytes(&mut self, from: Side, data: &[u8], env: &mut Env<'_>) -> Interest {
        self.look.turn(from);
        self.read(from, data, env);
        self.interest(from, env)
    }

    fn read(&mut self, from: Side, mut data: &[u8], env: &mut Env<'_>) {
        while !data.is_empty() {
            match self.ends.of(from).mode {
                Mode::Watch => data = self.watch(from, data, env),
                Mode::Ssl2 => data = self.ssl2(from, data, env),
                Mode::Tds => data = self.tds(from, data, env),
                Mode::Tls => {
                    self.tls(from, data, env);
                    break;
                }
                Mode::Ssh => {
                    self.ssh.feed(from, data, &mut self.record, env);
                    break;
                }
                Mode::Done => break,
            }
        }
    }

    /// One side has sent all it will send.
    pub(crate) fn finished(&mut self, from: Side) {
        self.tls.finished(from);
    }

    /// Bytes of one side are missing.
    pub(crate) fn gap(&mut self, from: Side, missing: u32, env: &mut Env<'_>) -> Interest {
        let end = self.ends.of_mut(from);
        match end.mode {
            Mode::Watch => {
                self.record.gap = true;
                self.look.sides.of_mut(from).gap(missing);
            }
            Mode::Ssl2 | Mode::Tds => {
                self.record.gap = true;
                end.mode = Mode::Done;
            }
            Mode::Tls => {
                self.record.gap |= !self.tls.done && !end.records.encrypted;
                if end.records.gap(missing) == Sync::Lost {
                    end.mode = Mode::Done;
                }
                if end.records.broken {
                    env.pool.give(&mut end.records.message);
                }
            }
            Mode::Ssh => {
                self.record.gap = true;
                self.ssh.gap(from);
            }
            Mode::Done => {}
        }
        self.interest(from, env)
    }

    fn other(&self, from: Side) -> Other {
        let other = self.ends.of(from.other());
        match other.found {
            Some(Found::Tls | Found::Tds) => Other::Tls,
            Some(Found::Ssl2) => Other::Ssl2,
            Some(Found::Ssh) => Other::Ssh,
            None if self.look.sides.of(from.other()).silent() => Other::Silent,
            None => Other::Clear,
        }
    }

    fn watch<'d>(&mut self, from: Side, data: &'d [u8], env: &mut Env<'_>) -> &'d [u8] {
        let other = self.other(from);
        let look = self.look.sides.of_mut(from);
        let Some((found, used)) = look.feed(data, other, env.config.prefix) else {
            if look.over {
                self.ends.of_mut(from).mode = Mode::Done;
                if self.record.protocol == Protocol::None {
                    // Nobody begins a handshake so late.
                    self.ends.of_mut(from.other()).mode = Mode::Done;
                }
            }
            return &[];
        };
        let mut head = [0; HEAD];
        let n = look.watch.head().len();
        if let Some(place) = head.get_mut(..n) {
            place.copy_from_slice(look.watch.head());
        }
        look.clear = look.clear.saturating_sub(n as u32);
        let end = self.ends.of_mut(from);
        end.found = Some(found);
        let (protocol, mode) = match found {
            Found::Tls => (Protocol::Tls, Mode::Tls),
            Found::Ssl2 => (Protocol::Tls, Mode::Ssl2),
            Found::Tds => (Protocol::Tls, Mode::Tds),
            Found::Ssh => (Protocol::Ssh, Mode::Ssh),
        };
        end.mode = mode;
        if self.record.protocol == Protocol::None {
            self.record.protocol = protocol;
        }
        if found == Found::Ssl2 && self.tls.client.is_some() {
            // The server has answered in SSL 2.0, so the client goes on in it.
            let client = self.ends.of_mut(from.other());
            if client.mode == Mode::Tls {
                client.mode = Mode::Ssl2;
            }
        }
        self.read(from, head.get(..n).unwrap_or_default(), env);
        data.get(used..).unwrap_or_default()
    }

    fn tls(&mut self, from: Side, data: &[u8], env: &mut Env<'_>) {
        let end = self.ends.of_mut(from);
        let sync = end
            .records
            .feed(data, from, &mut self.tls, &mut self.record, env);
        if sync == Sync::Lost {
            end.mode = Mode::Done;
            self.record.malformed |= !self.record.gap && !self.tls.switched();
        }
    }

    /// Unwraps packets of a Tabular Data Stream; after the handshake records come without them.
    fn tds<'d>(&mut self, from: Side, mut data: &'d [u8], env: &mut Env<'_>) -> &'d [u8] {
        let end = self.ends.of_mut(from);
        if end.tds_left > 0 {
            let n = data.len().min(end.tds_left.into());
            let (part, rest) = data.split_at_checked(n).unwrap_or((data, &[]));
            end.tds_left -= n as u16;
            self.tls(from, part, env);
            return rest;
        }
        if end.tds_len == 0 && data.first() != Some(&TDS_PRELOGIN) {
            end.mode = Mode::Tls;
            return data;
        }
        if let (Some((b, rest)), Some(place)) = (
            data.split_first(),
            end.tds.get_mut(usize::from(end.tds_len)),
        ) {
            *place = *b;
            data = rest;
        }
        end.tds_len += 1;
        if usize::from(end.tds_len) == end.tds.len() {
            let [_, _, a, b, ..] = end.tds;
            end.tds_len = 0;
            end.tds_left = u16::from_be_bytes([a, b]).saturating_sub(8);
        }
        data
    }

    /// Collects a message of SSL 2.0 form.
    fn ssl2<'d>(&mut self, from: Side, data: &'d [u8], env: &mut Env<'_>) -> &'d [u8] {
        let end = self.ends.of_mut(from);
        let have = end.records.message.len();
        // Two bytes of length, or three with padding (the SSL 2.0 record header).
        let (head, want) = match end.records.message.first_chunk::<2>() {
            None => (2, 2),
            Some([a, b]) if a & 0x80 != 0 => {
                (2, 2 + usize::from(u16::from_be_bytes([a & 0x7F, *b])))
            }
            Some([a, b]) => (3, 3 + usize::from(u16::from_be_bytes([a & 0x3F, *b]))),
        };
        if want > env.config.handshake_limit {
            env.hits.too_long = true;
            self.record.cut = true;
            end.mode = Mode::Done;
            return &[];
        }
        let n = data.len().min(want.saturating_sub(have));
        let (part, rest) = data.split_at_checked(n).unwrap_or((data, &[]));
        if !env.pool.append(&mut end.records.message, part) {
            env.hits.memory = true;
            self.record.cut = true;
            end.mode = Mode::Done;
            return &[];
        }
        if have + n == want && have >= 2 {
            let message = core::mem::take(&mut end.records.message);
            let body = message.get(head..).unwrap_or_default();
            let next = self.tls.ssl2(from, body, &mut self.record, env);
            let end = self.ends.of_mut(from);
            end.mode = match next {
                Ssl2Next::Tls => Mode::Tls,
                Ssl2Next::Ssl2 => Mode::Ssl2,
                Ssl2Next::Nothing => Mode::Done,
            };
            end.records.message = message;
            end.records.message.clear();
            env.pool.give(&mut end.records.message);
        }
        rest
    }

    fn interest(&mut self, from: Side, env: &mut Env<'_>) -> Interest {
        for side in [Side::Initiator, Side::Responder] {
            let end = self.ends.of_mut(side);
            if self.tls.side_done(side, &self.record.tls)
                || end.mode == Mode::Ssh && self.ssh.done(side)
            {
                end.mode = Mode::Done;
            }
            if end.mode == Mode::Done {
                env.pool.give(&mut end.records.message);
                self.ssh.release(side, env);
            }
        }
        if self.ends.of(from).mode != Mode::Done {
            Interest::More
        } else if self.ends.of(from.other()).mode != Mode::Done {
            Interest::EnoughFromSide
        } else {
            Interest::Enough
        }
    }

    /// What is left to follow when a session up to TLS 1.2 is established: handshake messages
    /// are encrypted from here on.
    pub(crate) fn trail(&self) -> Option<Trail> {
        let followed = [&self.ends.initiator, &self.ends.responder]
            .iter()
            .all(|e| e.mode == Mode::Done || e.mode == Mode::Tls && e.records.encrypted);
        let earlier = self.record.tls.version.is_some_and(|v| !v.is_1_3());
        if self.record.protocol != Protocol::Tls || !followed || !earlier || !self.tls.switched() {
            return None;
        }
        let end = |e: &End| trail::End {
            at: e.records.at,
            done: e.mode == Mode::Done,
        };
        Some(Trail {
            ends: Pair {
                initiator: end(&self.ends.initiator),
                responder: end(&self.ends.responder),
            },
            client: self.tls.client,
            other_records: self.tls.other_records,
        })
    }

    /// Whether the handshake brought the same as an earlier one.
    pub(crate) fn repeats(&self, previous: &Seen) -> bool {
        previous.established == Some(true) && previous.is_like(&self.record)
    }

    /// How far the handshake is now.
    pub(crate) fn look(&self) -> Stage {
        match self.record.protocol {
            // The rest is not read from streams.
            Protocol::None
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard
            | Protocol::Ipsec => Stage::Clear,
            Protocol::Tls if self.tls.established(&self.record) => Stage::Complete,
            Protocol::Tls if self.tls.fatal() => Stage::Failed,
            Protocol::Ssh if self.ssh.established() => Stage::Complete,
            Protocol::Ssh if self.ssh.failed() => Stage::Failed,
            Protocol::Tls | Protocol::Ssh => Stage::Pending,
        }
    }

    /// Brings the record's facts up to date and says who the client is. `over`: the connection
    /// has ended by itself.
    pub(crate) fn conclude(&mut self, flow: &FlowInfo, over: bool, env: &mut Env<'_>) -> Side {
        // Of a connection whose beginning was not seen, the well-known port tells the server.
        let swapped =
            flow.midstream && flow.key.source_port() == 22 && flow.key.destination_port() != 22;
        let usual = if swapped {
            Side::Responder
        } else {
            Side::Initiator
        };
        self.record.clear_text = self.look.clear_text();
        match self.record.protocol {
            Protocol::Tls => {
                self.tls.conclude(&mut self.record, over);
                self.tls.client.unwrap_or(usual)
            }
            Protocol::Ssh => {
                self.ssh.conclude(usual, over, &mut self.record, env);
                self.ssh.client().unwrap_or(usual)
            }
            Protocol::None
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard
            | Protocol::Ipsec => Side::Initiator,
        }
    }
}
