//! QUIC (RFC 9000, RFC 9001, RFC 9369): the hellos are in Initial packets, which anybody on the
//! path can open; everything else is seen from outside.

use hostward_crypto::Provider;
use hostward_hook::Side;

use super::Tools;
use super::assemble::{Assembler, Insert};
use crate::pair::Pair;
use crate::reader::Reader;
use crate::record::{Record, TlsFacts};
use crate::tls::hello::{ClientHello, Transport};
use crate::tls::session::{CLIENT_HELLO, SERVER_HELLO, Session};

mod header;
mod keys;

use header::{ConnectionId, Kind, Long, Version, varint};
use keys::KeyPair;

/// Sets of keys made for one flow at most: the first, after a retry, after a change of version,
/// and a few more for connection attempts that follow each other on the same ports.
const KEYS: u8 = 8;

/// The first code of those that carry a TLS alert (RFC 9000 §20.1).
const CRYPTO_ERROR: u64 = 0x100;

/// A packet far longer than an alert, to the rules for TLS 1.3 records.
const LONG: u16 = 1024;

/// What a side has sent of the TLS handshake.
#[derive(Debug, Default)]
struct Crypto {
    stream: Assembler,
    /// How much of it was read.
    read: usize,
    /// Nothing more is read.
    over: bool,
}

/// A flow of QUIC.
#[derive(Debug)]
pub(crate) struct Quic {
    /// Who sent the first Initial packet.
    client: Side,
    keys: KeyPair,
    version: u32,
    /// What the client first called the server.
    dcid: ConnectionId,
    /// Sets of keys made.
    made: u8,
    crypto: Pair<Crypto>,
}

/// What the first datagrams of a flow are to this protocol.
pub(crate) enum Look {
    /// Not of this protocol.
    Other,
    /// They look like it, and the keys do not fit.
    Sealed,
    Quic(alloc::boxed::Box<Quic>),
}

impl Quic {
    /// Whether a datagram begins a connection: an Initial packet that opens with the client's
    /// keys, or one that was cut off, so that nobody can tell.
    pub(crate) fn look(from: Side, payload: &[u8], provider: &Provider, tools: &mut Tools) -> Look {
        let mut rest = payload;
        let Some(packet) = header::long(&mut rest) else {
            return Look::Other;
        };
        if packet.kind != Kind::Initial {
            return Look::Other;
        }
        // RFC 9000 §7.2: the client's first choice has at least 8 bytes.
        let likely = packet.cut && packet.dcid.bytes().len() >= 8;
        let mut version = Some(packet.version);
        while let Some(tried) = version {
            let Some(mut keys) = KeyPair::derive(provider, tried, &packet.dcid) else {
                return Look::Other;
            };
            if likely || keys.client.open(&packet, &mut tools.plain).is_some() {
                return Look::Quic(alloc::boxed::Box::new(Self {
                    client: from,
                    keys,
                    version: packet.version.number,
                    dcid: packet.dcid,
                    made: 1,
                    crypto: Pair::default(),
                }));
            }
            version = tried.otherwise();
        }
        Look::Sealed
    }

    /// Who sent the first Initial packet.
    pub(crate) const fn client(&self) -> Side {
        self.client
    }

    /// Gives memory back.
    pub(crate) fn clear(&mut self, tools: &mut Tools) {
        self.crypto.initiator.stream.clear(&mut tools.pool);
        self.crypto.responder.stream.clear(&mut tools.pool);
    }

    /// A datagram of the flow.
    pub(crate) fn datagram(
        &mut self,
        from: Side,
        payload: &[u8],
        provider: &Provider,
        session: &mut Session,
        record: &mut Record,
        tools: &mut Tools,
    ) {
        let mut rest = payload;
        while let Some(packet) = header::long(&mut rest) {
            match packet.kind {
                Kind::Initial => self.initial(from, &packet, provider, session, record, tools),
                // RFC 9001 §4.1.4: the server sends its flight under these keys. The client's own
                // may hold no more than an acknowledgment.
                Kind::Handshake if from != self.client => session.protected(from, LONG, record),
                Kind::Handshake | Kind::ZeroRtt | Kind::Retry => {}
            }
        }
        // RFC 9001 §5.7: short headers of the client mean that it has sent its Finished.
        if payload.first().is_some_and(|first| first & 0xC0 == 0x40) && record.tls.version.is_some()
        {
            session.protected(from, LONG, record);
        }
    }

    fn initial(
        &mut self,
        from: Side,
        packet: &Long<'_>,
        provider: &Provider,
        session: &mut Session,
        record: &mut Record,
        tools: &mut Tools,
    ) {
        if self.crypto.of(from).over {
            return;
        }
        if packet.cut {
            record.gap = true;
            return;
        }
        // RFC 9369 §4.1: the server may go on in another version, with the client's first choice.
        if packet.version.number != self.version {
            if !self.renew(packet, self.dcid, provider) {
                return;
            }
            self.version = packet.version.number;
        }
        let mut plain = core::mem::take(&mut tools.plain);
        let mut opened = self.open(from, packet, &mut plain);
        // RFC 9001 §5.2: after a Retry the keys follow from what the server has chosen; and a new
        // connection between the same ports has its own.
        if opened.is_none() && from == self.client && self.renew(packet, packet.dcid, provider) {
            self.dcid = packet.dcid;
            opened = self.open(from, packet, &mut plain);
            if opened.is_some() && record.tls.version.is_none() {
                *session = Session::default();
                record.tls = TlsFacts::default();
                for side in [Side::Initiator, Side::Responder] {
                    let crypto = self.crypto.of_mut(side);
                    crypto.stream.clear(&mut tools.pool);
                    *crypto = Crypto::default();
                }
            }
        }
        if let Some(range) = opened
            && let Some(frames) = plain.get(range)
        {
            self.frames(from, frames, packet.version, session, record, tools);
        }
        tools.plain = plain;
        record.tls.quic_version = Some(self.version);
    }

    fn open(
        &mut self,
        from: Side,
        packet: &Long<'_>,
        plain: &mut alloc::vec::Vec<u8>,
    ) -> Option<core::ops::Range<usize>> {
        let keys = if from == self.client {
            &mut self.keys.client
        } else {
            &mut self.keys.server
        };
        keys.open(packet, plain)
    }

    /// Makes other keys, if that is not too often.
    fn renew(&mut self, packet: &Long<'_>, dcid: ConnectionId, provider: &Provider) -> bool {
        if self.made >= KEYS {
            return false;
        }
        self.made += 1;
        match KeyPair::derive(provider, packet.version, &dcid) {
            Some(keys) => {
                self.keys = keys;
                true
            }
            None => false,
        }
    }

    /// RFC 9000 §12.4: what an Initial packet may hold.
    fn frames(
        &mut self,
        from: Side,
        frames: &[u8],
        version: Version,
        session: &mut Session,
        record: &mut Record,
        tools: &mut Tools,
    ) {
        let mut r = Reader(frames);
        let mut read = || {
            while !r.is_empty() {
                // A type of Google's is one byte, the others are below 64 here.
                let kind = u64::from(r.u8()?);
                match kind {
                    // PADDING, PING
                    0 | 1 => {}
                    // ACK, which has counts of ECN marks at its end when odd
                    2 | 3 => {
                        varint(&mut r)?;
                        varint(&mut r)?;
                        let ranges = varint(&mut r)?;
                        varint(&mut r)?;
                        // Each takes two bytes at least: the bytes bound the loop.
                        for _ in 0..ranges {
                            varint(&mut r)?;
                            varint(&mut r)?;
                        }
                        if kind == 3 {
                            varint(&mut r)?;
                            varint(&mut r)?;
                            varint(&mut r)?;
                        }
                    }
                    // The same of Google: one bit says that it has several blocks, the others how
                    // long numbers are.
                    _ if version.google && kind >> 6 == 1 => google_ack(kind as u8, &mut r)?,
                    // CRYPTO
                    _ if kind == if version.google { 8 } else { 6 } => {
                        let offset = usize::try_from(varint(&mut r)?).ok()?;
                        let len = usize::try_from(varint(&mut r)?).ok()?;
                        let data = r.take(len)?;
                        self.crypto(from, offset, data, session, record, tools);
                    }
                    // CONNECTION_CLOSE
                    0x1C => {
                        let code = varint(&mut r)?;
                        if (CRYPTO_ERROR..CRYPTO_ERROR + 0x100).contains(&code) {
                            session.alert(from, [2, code as u8], record);
                        }
                        return Some(());
                    }
                    _ => return None,
                }
            }
            Some(())
        };
        record.malformed |= read().is_none();
    }

    /// Handshake bytes.
    fn crypto(
        &mut self,
        from: Side,
        offset: usize,
        data: &[u8],
        session: &mut Session,
        record: &mut Record,
        tools: &mut Tools,
    ) {
        let crypto = self.crypto.of_mut(from);
        if crypto.over {
            return;
        }
        let limit = tools.config.handshake_limit;
        match crypto.stream.insert(offset, data, limit, &mut tools.pool) {
            Insert::Kept => {}
            Insert::TooLong => {
                tools.hits.too_long = true;
                crypto.over = true;
            }
            Insert::NoMemory => {
                tools.hits.memory = true;
                crypto.over = true;
            }
        }
        if crypto.over {
            record.cut = true;
            crypto.stream.clear(&mut tools.pool);
            return;
        }
        loop {
            let ready = crypto.stream.ready();
            let mut r = Reader(ready.get(crypto.read..).unwrap_or_default());
            let Some(kind) = r.u8() else { break };
            let Some(body) = r.vec24() else { break };
            crypto.read = ready.len() - r.0.len();
            session.message_begins(from, kind, record);
            match kind {
                CLIENT_HELLO => match ClientHello::parse_over(body, Transport::Quic) {
                    Some(hello) => {
                        tools.with_env(|env| session.client_hello(from, &hello, record, env));
                    }
                    None => record.malformed = true,
                },
                SERVER_HELLO => {
                    tools.with_env(|env| session.message(from, kind, body, record, env));
                    if record.tls.version.is_some() {
                        crypto.over = true;
                        break;
                    }
                }
                _ => {}
            }
        }
        // The server has answered: nothing more comes that can be read. That the client sends its
        // hello again is of no interest either.
        if record.tls.version.is_some() && record.tls.client_random.is_some() {
            for side in [Side::Initiator, Side::Responder] {
                let crypto = self.crypto.of_mut(side);
                crypto.over = true;
                crypto.stream.clear(&mut tools.pool);
            }
        }
    }
}

/// What follows the type of an ACK frame of Google's QUIC.
fn google_ack(kind: u8, r: &mut Reader<'_>) -> Option<()> {
    let width = |bits: u8| match bits & 3 {
        0 => 1,
        1 => 2,
        2 => 4,
        _ => 6,
    };
    let block = width(kind);
    r.take(width(kind >> 2))?;
    r.u16()?; // delay
    let blocks = if kind & 0x20 != 0 { r.u8()? } else { 0 };
    r.take(block)?;
    for _ in 0..blocks {
        r.take(1 + block)?;
    }
    let times = r.u8()?;
    if times > 0 {
        r.take(5 + (usize::from(times) - 1) * 3)?;
    }
    Some(())
}
