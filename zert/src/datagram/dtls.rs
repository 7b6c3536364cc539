//! DTLS (RFC 4347, RFC 6347, RFC 9147): records in datagrams, handshake messages in fragments.

use alloc::vec::Vec;

use hostward_hook::Side;

use super::Tools;
use super::assemble::{Assembler, Insert};
use crate::pair::Pair;
use crate::reader::Reader;
use crate::record::{Record, TlsVersion};
use crate::tls::hello::{ClientHello, Transport};
use crate::tls::session::{CLIENT_HELLO, SERVER_HELLO, Session};

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HEARTBEAT: u8 = 24;
/// Protected records with a connection ID (RFC 9146 §4), whose length nobody else knows.
const WITH_CID: u8 = 25;
const ACK: u8 = 26;

const HELLO_VERIFY_REQUEST: u8 = 3;

/// Messages of one side that wait for those before them, at most.
const WAITING: usize = 8;

/// A record in clear or with an epoch, as DTLS 1.2 has them.
struct Plain<'a> {
    kind: u8,
    epoch: u16,
    body: &'a [u8],
}

/// Takes a record off a datagram.
fn plain<'a>(rest: &mut &'a [u8]) -> Option<Plain<'a>> {
    let mut r = Reader(rest);
    let kind = r.u8()?;
    let version = r.u16()?;
    // 0x0100 is what an early OpenSSL called it.
    if !(CHANGE_CIPHER_SPEC..=ACK).contains(&kind)
        || !(version >> 8 == 0xFE || version == TlsVersion::DTLS_OLD.0)
    {
        return None;
    }
    let epoch = r.u16()?;
    r.take(6)?; // sequence number
    let body = r.vec16()?;
    *rest = r.0;
    Some(Plain { kind, epoch, body })
}

/// A fragment of a handshake message (RFC 6347 §4.2.2).
struct Fragment<'a> {
    kind: u8,
    len: usize,
    seq: u16,
    offset: usize,
    data: &'a [u8],
}

fn fragment<'a>(r: &mut Reader<'a>) -> Option<Fragment<'a>> {
    let kind = r.u8()?;
    let len = r.u24()? as usize;
    let seq = r.u16()?;
    let offset = r.u24()? as usize;
    let data = r.vec24()?;
    (offset + data.len() <= len).then_some(Fragment {
        kind,
        len,
        seq,
        offset,
        data,
    })
}

/// A message that is not read yet.
#[derive(Debug)]
struct Message {
    seq: u16,
    kind: u8,
    len: usize,
    body: Assembler,
    /// It is not wanted, or cannot be read: it only counts.
    skipped: bool,
}

impl Message {
    fn whole(&self) -> bool {
        self.skipped || self.body.ready().len() == self.len
    }
}

#[derive(Debug, Default)]
struct End {
    /// Number of the message that is read next; `None` before the first hello.
    next: Option<u16>,
    waiting: Vec<Message>,
}

/// A flow of DTLS.
#[derive(Debug, Default)]
pub(crate) struct Dtls {
    ends: Pair<End>,
}

impl Dtls {
    /// Whether a datagram begins with a hello, of whichever side.
    pub(crate) fn look(payload: &[u8]) -> bool {
        let mut rest = payload;
        let Some(record) = plain(&mut rest) else {
            return false;
        };
        record.kind == HANDSHAKE
            && record.epoch == 0
            && fragment(&mut Reader(record.body)).is_some_and(|f| {
                // Version, random, and one length at least; a request to verify has less.
                let least = match f.kind {
                    CLIENT_HELLO | SERVER_HELLO => 38,
                    HELLO_VERIFY_REQUEST => 3,
                    _ => return false,
                };
                f.len >= least && !f.data.is_empty()
            })
    }

    /// Gives memory back.
    pub(crate) fn clear(&mut self, tools: &mut Tools) {
        for end in [&mut self.ends.initiator, &mut self.ends.responder] {
            for message in &mut end.waiting {
                message.body.clear(&mut tools.pool);
            }
            end.waiting = Vec::new();
        }
    }

    /// A datagram of the flow.
    pub(crate) fn datagram(
        &mut self,
        from: Side,
        payload: &[u8],
        session: &mut Session,
        record: &mut Record,
        tools: &mut Tools,
    ) {
        let mut rest = payload;
        while let Some(first) = rest.first() {
            // RFC 9147 §4: three bits say that it is protected. How long a connection ID in it is
            // only the ends know, so the rest of the datagram counts as one record.
            if first >> 5 == 1 {
                let len = u16::try_from(rest.len()).unwrap_or(u16::MAX);
                if record.tls.version.is_some_and(TlsVersion::is_1_3) {
                    session.protected(from, len, record);
                }
                return;
            }
            let Some(found) = plain(&mut rest) else {
                return;
            };
            match (found.kind, found.epoch) {
                (HANDSHAKE, 0) => self.handshake(from, found.body, session, record, tools),
                (ALERT, 0) => {
                    if let [level, description] = *found.body {
                        session.alert(from, [level, description], record);
                    }
                }
                (CHANGE_CIPHER_SPEC, _) => {
                    // What came before it has come; what has not was lost.
                    self.deliver(from, true, session, record, tools);
                    session.change_cipher_spec(from, record);
                }
                (APPLICATION_DATA | WITH_CID, 1..) => {
                    let len = u16::try_from(found.body.len()).unwrap_or(u16::MAX);
                    session.protected(from, len, record);
                }
                (HANDSHAKE | ALERT | HEARTBEAT, 1..) => session.other(record),
                _ => {}
            }
        }
    }

    fn handshake(
        &mut self,
        from: Side,
        body: &[u8],
        session: &mut Session,
        record: &mut Record,
        tools: &mut Tools,
    ) {
        let mut r = Reader(body);
        while !r.is_empty() {
            let Some(f) = fragment(&mut r) else {
                record.malformed = true;
                return;
            };
            self.fragment(from, &f, record, tools);
            self.deliver(from, false, session, record, tools);
        }
    }

    fn fragment(&mut self, from: Side, f: &Fragment<'_>, record: &mut Record, tools: &mut Tools) {
        let end = self.ends.of_mut(from);
        // A hello is the first of its side, or follows a request to verify.
        if end.next.is_none()
            && matches!(f.kind, CLIENT_HELLO | SERVER_HELLO | HELLO_VERIFY_REQUEST)
        {
            end.next = Some(f.seq);
        }
        // Sent again, or from far ahead.
        if end
            .next
            .is_some_and(|next| f.seq < next || f.seq - next >= WAITING as u16)
        {
            return;
        }
        let place = match end.waiting.iter().position(|m| m.seq == f.seq) {
            Some(place) => place,
            None if end.waiting.len() >= WAITING => return,
            None => {
                let too_long = f.len > tools.config.handshake_limit;
                let wanted = Session::wants(f.kind);
                if too_long && wanted {
                    tools.hits.too_long = true;
                    record.cut = true;
                }
                let place = end.waiting.partition_point(|m| m.seq < f.seq);
                end.waiting.insert(
                    place,
                    Message {
                        seq: f.seq,
                        kind: f.kind,
                        len: f.len,
                        body: Assembler::default(),
                        skipped: !wanted || too_long,
                    },
                );
                place
            }
        };
        let Some(message) = end.waiting.get_mut(place) else {
            return;
        };
        // A fragment that tells another story is not of this message.
        if message.skipped || (message.kind, message.len) != (f.kind, f.len) {
            return;
        }
        match message
            .body
            .insert(f.offset, f.data, f.len, &mut tools.pool)
        {
            Insert::Kept => {}
            Insert::TooLong => {
                record.cut = true;
                message.skipped = true;
            }
            Insert::NoMemory => {
                tools.hits.memory = true;
                record.cut = true;
                message.skipped = true;
            }
        }
        if message.skipped {
            message.body.clear(&mut tools.pool);
        }
    }

    /// Reads the messages whose turn it is; `all`: those that are whole, whatever is missing.
    fn deliver(
        &mut self,
        from: Side,
        all: bool,
        session: &mut Session,
        record: &mut Record,
        tools: &mut Tools,
    ) {
        loop {
            let end = self.ends.of_mut(from);
            let Some(first) = end.waiting.first() else {
                return;
            };
            // What waited before the hello came, and comes before it.
            if end.next.is_some_and(|next| first.seq < next) {
                end.waiting.remove(0).body.clear(&mut tools.pool);
                continue;
            }
            let turn = end.next == Some(first.seq);
            if !(all || turn && first.whole()) {
                return;
            }
            let mut message = end.waiting.remove(0);
            record.gap |= !turn || !message.whole();
            // RFC 6347 §4.2.2: the request to verify counts or does not, as the server likes.
            end.next = if message.kind == HELLO_VERIFY_REQUEST {
                None
            } else {
                message.seq.checked_add(1)
            };
            if message.whole() {
                session.message_begins(from, message.kind, record);
            }
            if message.whole() && !message.skipped {
                let body = message.body.ready();
                if message.kind == CLIENT_HELLO {
                    match ClientHello::parse_over(body, Transport::Dtls) {
                        Some(hello) => {
                            tools.with_env(|env| session.client_hello(from, &hello, record, env));
                        }
                        None => record.malformed = true,
                    }
                } else {
                    tools.with_env(|env| session.message(from, message.kind, body, record, env));
                }
            } else if message.kind == HELLO_VERIFY_REQUEST && session.client.is_none() {
                session.client = Some(from.other());
            }
            message.body.clear(&mut tools.pool);
        }
    }
}
