//! The record layer of one side (RFC 8446 §5, RFC 5246 §6.2): finds records, puts handshake
//! messages together, skips everything else.

use alloc::vec::Vec;

use hostward_hook::Side;

use super::session::Session;
use crate::conn::Env;
use crate::record::Record;

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;
pub(super) const HEARTBEAT: u8 = 24;

/// 2^14 bytes and what compression and encryption may add (RFC 5246 §6.2.3).
pub(super) const LONGEST: u16 = 16384 + 2048;

/// Whether record parsing can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// The bytes were records.
    Good,
    /// They were not: this side cannot be followed any more.
    Lost,
}

/// A place within records.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Position {
    pub(super) head: [u8; 5],
    pub(super) head_len: u8,
    /// Type and length of the record in progress, and how much of it is still to come.
    pub(super) kind: u8,
    pub(super) len: u16,
    pub(super) left: u16,
    /// First two bytes of an alert.
    pub(super) alert: [u8; 2],
}

/// The state of one side.
#[derive(Debug, Default)]
pub(crate) struct Records {
    pub(crate) at: Position,
    /// A handshake message in progress, its four-byte head included.
    pub(crate) message: Vec<u8>,
    /// Rest of a handshake message that nobody wants.
    skip: u32,
    /// Handshake records of this side are encrypted.
    pub(crate) encrypted: bool,
    /// A `ChangeCipherSpec` came while it was not known what version is spoken.
    unsure: bool,
    /// Bytes are missing within handshake messages: nothing more is read from them.
    pub(crate) broken: bool,
}

impl Records {
    pub(crate) fn clear(&mut self, env: &mut Env<'_>) {
        env.pool.give(&mut self.message);
        *self = Self::default();
    }

    /// The next bytes of the side.
    pub(crate) fn feed(
        &mut self,
        mut data: &[u8],
        from: Side,
        session: &mut Session,
        record: &mut Record,
        env: &mut Env<'_>,
    ) -> Sync {
        loop {
            if self.at.left > 0 {
                let n = data.len().min(self.at.left.into());
                let (body, rest) = data.split_at_checked(n).unwrap_or((data, &[]));
                let offset = self.at.len - self.at.left;
                self.at.left -= n as u16;
                data = rest;
                self.body(body, offset, from, session, record, env);
            }
            if data.is_empty() || session.side_done(from, &record.tls) {
                return Sync::Good;
            }
            let have = usize::from(self.at.head_len);
            let n = (5 - have).min(data.len());
            let (head, rest) = data.split_at_checked(n).unwrap_or((data, &[]));
            if let Some(place) = self.at.head.get_mut(have..have + n) {
                place.copy_from_slice(head);
            }
            self.at.head_len += n as u8;
            data = rest;
            if self.at.head_len < 5 {
                return Sync::Good;
            }
            self.at.head_len = 0;
            let [kind, major, _, a, b] = self.at.head;
            let len = u16::from_be_bytes([a, b]);
            if !(CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&kind) || major != 3 || len > LONGEST {
                return Sync::Lost;
            }
            self.at.kind = kind;
            self.at.len = len;
            self.at.left = len;
            if kind == APPLICATION_DATA {
                session.protected(from, len, record);
            } else {
                session.other(record);
            }
            if kind == CHANGE_CIPHER_SPEC {
                self.change_cipher_spec(from, session, record);
            }
        }
    }

    /// `missing` bytes will never come. Inside a record that is skipped anyway this does no harm.
    pub(crate) fn gap(&mut self, missing: u32) -> Sync {
        if self.at.kind == HANDSHAKE && !self.encrypted && self.at.left > 0
            || !self.message.is_empty()
        {
            self.broken = true;
        }
        if self.at.head_len == 0 && missing <= u32::from(self.at.left) {
            self.at.left -= missing as u16;
            return Sync::Good;
        }
        // A new record may begin right after the gap; the next header tells.
        self.broken |= !self.encrypted;
        self.at.left = 0;
        self.at.head_len = 0;
        Sync::Good
    }

    fn change_cipher_spec(&mut self, from: Side, session: &mut Session, record: &mut Record) {
        session.change_cipher_spec(from, record);
        // RFC 8446 appendix D.4: in TLS 1.3 it means nothing.
        match record.tls.version {
            Some(v) => self.encrypted = !v.is_1_3(),
            None => self.unsure = !record.tls.hello_retry,
        }
    }

    fn body(
        &mut self,
        body: &[u8],
        offset: u16,
        from: Side,
        session: &mut Session,
        record: &mut Record,
        env: &mut Env<'_>,
    ) {
        match self.at.kind {
            ALERT => {
                for (i, b) in body.iter().take(2).enumerate() {
                    if let Some(place) = self.at.alert.get_mut(usize::from(offset) + i) {
                        *place = *b;
                    }
                }
                // RFC 8446 §6, RFC 5246 §7.2: two bytes when they are not encrypted.
                if self.at.left == 0 && self.at.len == 2 {
                    session.alert(from, self.at.alert, record);
                }
            }
            HANDSHAKE if !self.encrypted && !self.broken => {
                self.handshake(body, from, session, record, env);
            }
            _ => {}
        }
    }

    fn handshake(
        &mut self,
        mut body: &[u8],
        from: Side,
        session: &mut Session,
        record: &mut Record,
        env: &mut Env<'_>,
    ) {
        if self.unsure {
            // Only a second client hello is readable after a ChangeCipherSpec.
            self.unsure = false;
            if body.first() != Some(&1) {
                self.encrypted = true;
                return;
            }
        }
        while !body.is_empty() {
            if self.skip > 0 {
                let n = body
                    .len()
                    .min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                self.skip -= n as u32;
                body = body.get(n..).unwrap_or_default();
                continue;
            }
            // A message that lies whole in what is at hand is read where it lies, without a buffer.
            if self.message.is_empty()
                && let Some(rest) = self.whole(body, from, session, record, env)
            {
                body = rest;
                continue;
            }
            let have = self.message.len();
            let want = match self.message.first_chunk::<4>() {
                None => 4,
                Some([_, a, b, c]) => 4 + u32::from_be_bytes([0, *a, *b, *c]) as usize,
            };
            let n = body.len().min(want - have);
            let (part, rest) = body.split_at_checked(n).unwrap_or((body, &[]));
            body = rest;
            if !env.pool.append(&mut self.message, part) {
                env.hits.memory = true;
                record.cut = true;
                self.broken = true;
                env.pool.give(&mut self.message);
                return;
            }
            if self.message.len() < want {
                continue;
            }
            let Some([kind, a, b, c]) = self.message.first_chunk::<4>().copied() else {
                continue;
            };
            let len = u32::from_be_bytes([0, a, b, c]);
            if want == 4 {
                session.message_begins(from, kind, record);
                let wanted = Session::wants(kind);
                if len == 0 || !wanted {
                    self.skip = len;
                    self.message.clear();
                } else if len as usize > env.config.handshake_limit {
                    env.hits.too_long = true;
                    record.cut = true;
                    self.skip = len;
                    self.message.clear();
                }
                continue;
            }
            let message = core::mem::take(&mut self.message);
            let body_of = message.get(4..).unwrap_or_default();
            session.message(from, kind, body_of, record, env);
            self.message = message;
            self.message.clear();
        }
        if self.message.is_empty() {
            env.pool.give(&mut self.message);
        }
    }

    /// Reads the message that the bytes begin with if they hold all of it; gives what follows.
    fn whole<'b>(
        &self,
        body: &'b [u8],
        from: Side,
        session: &mut Session,
        record: &mut Record,
        env: &mut Env<'_>,
    ) -> Option<&'b [u8]> {
        let ([kind, a, b, c], rest) = body.split_first_chunk::<4>()?;
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let (message, rest) = rest.split_at_checked(len)?;
        if len > env.config.handshake_limit {
            return None;
        }
        session.message_begins(from, *kind, record);
        if len > 0 && Session::wants(*kind) {
            session.message(from, *kind, message, record, env);
        }
        Some(rest)
    }
}
