//! One connection: which bytes go where.

use alloc::vec::Vec;

use hostward_hook::Side;
use hostward_hook::flow::FlowInfo;
use hostward_hook::hooks::Interest;
use hostward_hook::meta::Direction;

use crate::config::Config;
use crate::discovery::Discovery;
use crate::pair::Pair;
use crate::pool::Pool;
use crate::record::{Protocol, Record, Role};
use crate::ssh::Ssh;
use crate::tls::records::{Records, Sync};
use crate::tls::session::{Session, Ssl2Next};
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

#[derive(Debug)]
struct End {
    mode: Mode,
    watch: Watch,
    records: Records,
    /// Head of a packet of a Tabular Data Stream, and how much of the packet is to come.
    tds: [u8; 8],
    tds_len: u8,
    tds_left: u16,
    /// Bytes of clear text.
    clear: u32,
    /// TLS or SSH was found on this side, also if it is not followed any more.
    found: Option<Found>,
}

impl End {
    fn new() -> Self {
        Self {
            mode: Mode::Watch,
            watch: Watch::new(),
            records: Records::default(),
            tds: [0; 8],
            tds_len: 0,
            tds_left: 0,
            clear: 0,
            found: None,
        }
    }

    fn clear(&mut self, env: &mut Env<'_>) {
        self.records.clear(env);
        *self = Self::new();
    }
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Conn {
    ends: Pair<End>,
    spoke: Option<Side>,
    tls: Session,
    ssh: Ssh,
    pub(crate) record: Record,
    pub(crate) flow: Option<FlowInfo>,
    pub(crate) discovery: Discovery,
    pub(crate) stage: Stage,
}

impl Conn {
    pub(crate) fn new() -> Self {
        Self {
            ends: Pair {
                initiator: End::new(),
                responder: End::new(),
            },
            spoke: None,
            tls: Session::default(),
            ssh: Ssh::default(),
            record: Record::default(),
            flow: None,
            discovery: Discovery::default(),
            stage: Stage::Clear,
        }
    }

    /// Makes the state fit for another connection; buffers go back, texts keep their memory.
    pub(crate) fn clear(&mut self, env: &mut Env<'_>) {
        self.ends.initiator.clear(env);
        self.ends.responder.clear(env);
        self.spoke = None;
        self.tls = Session::default();
        self.ssh.clear(env);
        self.record.clear();
        self.flow = None;
        self.discovery = Discovery::default();
        self.stage = Stage::Clear;
    }

    /// The next bytes of one side.
    pub(crate) fn bytes(&mut self, from: Side, data: &[u8], env: &mut Env<'_>) -> Interest {
        if self.spoke != Some(from) {
            self.spoke = Some(from);
            self.ends.of_mut(from).watch.turn();
        }
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
                end.clear = end.clear.saturating_add(missing);
                end.watch = Watch::new();
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
            None if other.clear > 0 || !other.watch.head().is_empty() => Other::Clear,
            None => Other::Silent,
        }
    }

    fn watch<'d>(&mut self, from: Side, data: &'d [u8], env: &mut Env<'_>) -> &'d [u8] {
        let other = self.other(from);
        let end = self.ends.of_mut(from);
        let room = env.config.prefix.saturating_sub(end.clear as usize);
        let (mut part, later) = data.split_at_checked(room).unwrap_or((data, &[]));
        let before = part.len();
        let found = end.watch.feed(&mut part, other);
        let used = before - part.len();
        end.clear = end
            .clear
            .saturating_add(u32::try_from(used).unwrap_or(u32::MAX));
        let Some(found) = found else {
            if !later.is_empty() || end.clear as usize >= env.config.prefix {
                end.mode = Mode::Done;
                if self.record.protocol == Protocol::None {
                    // Nobody begins a handshake so late.
                    self.ends.of_mut(from.other()).mode = Mode::Done;
                }
            }
            return &[];
        };
        let mut head = [0; HEAD];
        let n = end.watch.head().len();
        if let Some(place) = head.get_mut(..n) {
            place.copy_from_slice(end.watch.head());
        }
        end.clear = end.clear.saturating_sub(n as u32);
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

    /// Brings the record up to date. `over`: the connection has ended by itself.
    pub(crate) fn conclude(&mut self, over: bool, env: &mut Env<'_>) {
        let Some(flow) = self.flow else { return };
        // Of a connection whose beginning was not seen, the well-known port tells the server.
        let swapped =
            flow.midstream && flow.key.source_port() == 22 && flow.key.destination_port() != 22;
        let usual = if swapped {
            Side::Responder
        } else {
            Side::Initiator
        };
        let client = match self.record.protocol {
            Protocol::Tls => self.tls.client.unwrap_or(usual),
            Protocol::Ssh => self.ssh.client().unwrap_or(usual),
            Protocol::None
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard
            | Protocol::Ipsec => Side::Initiator,
        };
        self.record.set_flow(&flow, client == Side::Initiator);
        self.record.clear_text = self
            .ends
            .initiator
            .clear
            .saturating_add(self.ends.responder.clear);
        match self.record.protocol {
            Protocol::Tls => self.tls.conclude(&mut self.record, over),
            Protocol::Ssh => self.ssh.conclude(usual, over, &mut self.record, env),
            Protocol::None
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard
            | Protocol::Ipsec => {}
        }
        let local = match flow.direction {
            Direction::Outbound => Side::Initiator,
            Direction::Inbound => Side::Responder,
        };
        self.record.role = if self.record.protocol == Protocol::None {
            Role::Unknown
        } else if local == client {
            Role::Client
        } else if self.record.tls.client_cert_sent == Some(true) {
            Role::ServerClientAuth
        } else {
            Role::Server
        };
    }
}
