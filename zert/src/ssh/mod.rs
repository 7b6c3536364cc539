//! SSH: identification lines, key exchange negotiation, host key (RFC 4253).

mod kex;

use alloc::vec::Vec;

use hostward_hook::Side;

use crate::conn::Env;
use crate::fingerprint::{hassh, sha256};
use crate::pair::Pair;
use crate::reader::Reader;
use crate::record::{PqClass, Record};
use crate::text::{Hex, KeyFingerprint, Text};
use kex::KexInit;

const DISCONNECT: u8 = 1;
const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
/// RFC 4253 §8, RFC 5656 §4: the client's half of the exchange; RFC 4419 §5: an old request.
const KEXDH_INIT: u8 = 30;
/// The server's half with the host key; for group exchange the group instead.
const KEXDH_REPLY: u8 = 31;
const GEX_INIT: u8 = 32;
const GEX_REPLY: u8 = 33;
const GEX_REQUEST: u8 = 34;

/// RFC 4253 §4.2: the identification line, line end included.
const LONGEST_LINE: usize = 255;
/// RFC 4251 §6: the longest name of an algorithm.
const LONGEST_NAME: usize = 64;
/// RFC 4253 §6.1: the longest packet everyone must accept.
const LONGEST_PACKET: u32 = 35_000;

/// Length of a public key, also within a certificate of OpenSSH, where a nonce stands before it.
fn key_bits(blob: &[u8]) -> Option<u16> {
    let mut r = Reader(blob);
    let name = r.vec32()?;
    let (base, certificate) = match name.iter().position(|b| *b == b'@') {
        Some(at) if name.ends_with(b"-cert-v01@openssh.com") => {
            (name.get(..at)?.strip_suffix(b"-cert-v01")?, true)
        }
        _ => (name, false),
    };
    if certificate {
        r.vec32()?;
    }
    let bits = |integer: &[u8]| {
        let zeros = integer.iter().take_while(|b| **b == 0).count();
        let first = integer.get(zeros)?;
        u16::try_from((integer.len() - zeros) * 8 - first.leading_zeros() as usize).ok()
    };
    match base {
        // RFC 4253 §6.6: exponent and modulus; prime and others.
        b"ssh-rsa" | b"rsa-sha2-256" | b"rsa-sha2-512" => {
            r.vec32()?;
            bits(r.vec32()?)
        }
        b"ssh-dss" => bits(r.vec32()?),
        // RFC 8709 §4.
        b"ssh-ed25519" | b"sk-ssh-ed25519" | b"sk-ssh-ed25519@openssh.com" => Some(256),
        b"ssh-ed448" => Some(456),
        // RFC 5656 §3.1, §10.1: the curve's name.
        _ if base.starts_with(b"ecdsa-sha2-") || base.starts_with(b"sk-ecdsa-sha2-") => {
            match r.vec32()? {
                b"nistp256" => Some(256),
                b"nistp384" => Some(384),
                b"nistp521" => Some(521),
                _ => None,
            }
        }
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Within the identification line.
    #[default]
    Line,
    /// Within binary packets.
    Packets,
    /// Nothing more can be learnt.
    Done,
}

/// One side.
#[derive(Debug, Default)]
struct End {
    state: State,
    /// Line or packet in progress.
    buf: Vec<u8>,
    skip: u32,
    banner: Text,
    /// Payload of `KEXINIT`, until both are known and compared.
    kexinit: Vec<u8>,
    /// The digest if this is the client, if it is the server.
    hassh: Option<(Hex<16>, Hex<16>)>,
    /// The role that only one kind of offer has.
    says_client: Option<bool>,
    /// It has sent the client's half of the exchange, the server's.
    init: bool,
    reply: bool,
    newkeys: bool,
}

impl End {
    fn clear(&mut self, env: &mut Env<'_>) {
        env.pool.give(&mut self.buf);
        env.pool.give(&mut self.kexinit);
        let mut banner = core::mem::take(&mut self.banner);
        banner.clear();
        *self = Self {
            banner,
            ..Self::default()
        };
    }

    /// Version 1 and nothing else (`1.99` means both, RFC 4253 §5.1).
    fn only_version_1(&self) -> bool {
        self.banner
            .get()
            .is_some_and(|b| b.starts_with("SSH-1.") && !b.starts_with("SSH-1.99"))
    }
}

/// The SSH part of a connection.
#[derive(Debug, Default)]
pub(crate) struct Ssh {
    ends: Pair<End>,
    negotiated: bool,
    /// RFC 4432 is the method that both want.
    rsa: bool,
    disconnected: bool,
}

impl Ssh {
    pub(crate) fn clear(&mut self, env: &mut Env<'_>) {
        self.ends.initiator.clear(env);
        self.ends.responder.clear(env);
        self.negotiated = false;
        self.rsa = false;
        self.disconnected = false;
    }

    /// Gives back the buffer of a side that is not read on.
    pub(crate) fn release(&mut self, side: Side, env: &mut Env<'_>) {
        env.pool.give(&mut self.ends.of_mut(side).buf);
    }

    /// Who is the client: as the key exchange proves, else as the offers say, unless they
    /// contradict each other.
    pub(crate) fn client(&self) -> Option<Side> {
        let (a, b) = (&self.ends.initiator, &self.ends.responder);
        self.proven().or(match (a.says_client, b.says_client) {
            (Some(x), Some(y)) if x == y => None,
            (Some(true), _) | (_, Some(false)) => Some(Side::Initiator),
            (Some(false), _) | (_, Some(true)) => Some(Side::Responder),
            (None, None) => None,
        })
    }

    /// Who is the client by what the exchange cannot do without. A peer may add messages of the
    /// other role, but must send its own too, and an honest one sends no others.
    fn proven(&self) -> Option<Side> {
        let (a, b) = (&self.ends.initiator, &self.ends.responder);
        match (a.init, b.init, a.reply, b.reply) {
            (true, false, _, _) => Some(Side::Initiator),
            (false, true, _, _) => Some(Side::Responder),
            (_, _, false, true) => Some(Side::Initiator),
            (_, _, true, false) => Some(Side::Responder),
            _ => None,
        }
    }

    pub(crate) fn done(&self, side: Side) -> bool {
        self.ends.of(side).state == State::Done
    }

    /// Bytes of one side are missing: its packets cannot be found any more.
    pub(crate) fn gap(&mut self, from: Side) {
        self.ends.of_mut(from).state = State::Done;
    }

    /// The next bytes of one side, from its identification line on.
    pub(crate) fn feed(
        &mut self,
        from: Side,
        mut data: &[u8],
        record: &mut Record,
        env: &mut Env<'_>,
    ) {
        while !data.is_empty() {
            let old = self.ends.of(from.other()).only_version_1();
            let end = self.ends.of_mut(from);
            match end.state {
                State::Done => return,
                State::Line => {
                    let n = data.iter().position(|b| *b == b'\n').map(|i| i + 1);
                    let (part, rest) = data
                        .split_at_checked(n.unwrap_or(data.len()))
                        .unwrap_or((data, &[]));
                    data = rest;
                    let part = part
                        .get(..part.len().min(LONGEST_LINE + 1 - end.buf.len()))
                        .unwrap_or_default();
                    if !env.pool.append(&mut end.buf, part) {
                        env.hits.memory = true;
                        record.cut = true;
                        end.state = State::Done;
                    } else if end.buf.len() > LONGEST_LINE {
                        record.malformed = true;
                        end.state = State::Done;
                    } else if n.is_some() {
                        let mut line = end.buf.as_slice();
                        while let [head @ .., b'\r' | b'\n'] = line {
                            line = head;
                        }
                        // No zero byte may stand here; where one does, the text ends.
                        let text = line.split(|b| *b == 0).next();
                        end.banner.set(text.unwrap_or_default(), LONGEST_LINE);
                        end.buf.clear();
                        end.state = if end.only_version_1() {
                            // Version 1 negotiates in another form, which is not followed.
                            State::Done
                        } else {
                            State::Packets
                        };
                    }
                }
                State::Packets if old => end.state = State::Done,
                State::Packets => {
                    data = self.packet(from, data, record, env);
                }
            }
        }
        let end = self.ends.of_mut(from);
        if end.buf.is_empty() {
            env.pool.give(&mut end.buf);
        }
    }

    /// Takes a part of a packet and returns the rest of the bytes.
    fn packet<'d>(
        &mut self,
        from: Side,
        data: &'d [u8],
        record: &mut Record,
        env: &mut Env<'_>,
    ) -> &'d [u8] {
        let end = self.ends.of_mut(from);
        if end.skip > 0 {
            let n = data.len().min(end.skip as usize);
            end.skip -= n as u32;
            return data.get(n..).unwrap_or_default();
        }
        let have = end.buf.len();
        // Length, padding length, message number.
        let want = match end.buf.first_chunk::<6>() {
            None => 6,
            Some([a, b, c, d, ..]) => 4 + u32::from_be_bytes([*a, *b, *c, *d]) as usize,
        };
        let n = data.len().min(want - have);
        let (part, rest) = data.split_at_checked(n).unwrap_or((data, &[]));
        if !env.pool.append(&mut end.buf, part) {
            env.hits.memory = true;
            record.cut = true;
            end.state = State::Done;
            env.pool.give(&mut end.buf);
            return rest;
        }
        if end.buf.len() < want {
            return rest;
        }
        let Some([a, b, c, d, padding, kind]) = end.buf.first_chunk::<6>().copied() else {
            return rest;
        };
        if want == 6 {
            let len = u32::from_be_bytes([a, b, c, d]);
            if !(6..=LONGEST_PACKET).contains(&len) || u32::from(padding) + 2 > len {
                record.malformed = true;
                end.state = State::Done;
                return rest;
            }
            if !matches!(kind, KEXINIT | KEXDH_REPLY | GEX_REPLY) {
                end.skip = len - 2;
                end.buf.clear();
                self.message(from, kind, record);
                if kind == NEWKEYS {
                    self.negotiate(None, record, env);
                }
            }
            return rest;
        }
        let whole = core::mem::take(&mut end.buf);
        let payload = whole
            .get(5..want.saturating_sub(padding.into()))
            .unwrap_or_default();
        match kind {
            KEXINIT => self.kexinit(from, payload, record, env),
            _ => {
                self.message(from, kind, record);
                self.host_key(from, payload, record);
            }
        }
        let end = self.ends.of_mut(from);
        end.buf = whole;
        end.buf.clear();
        rest
    }

    /// The number of a message.
    fn message(&mut self, from: Side, kind: u8, record: &mut Record) {
        match kind {
            KEXDH_INIT | GEX_INIT | GEX_REQUEST if !self.rsa => {
                self.ends.of_mut(from).init = true;
                if self.proven() == Some(from) {
                    // A key that the client showed is none of the server's.
                    record.ssh.host_key_type.clear();
                    record.ssh.host_key_fingerprint = None;
                }
            }
            KEXDH_REPLY | GEX_REPLY if !self.rsa => self.ends.of_mut(from).reply = true,
            NEWKEYS => {
                let end = self.ends.of_mut(from);
                end.newkeys = true;
                end.state = State::Done;
            }
            DISCONNECT => {
                self.disconnected = true;
                self.ends.of_mut(from).state = State::Done;
            }
            _ => {}
        }
    }

    /// RFC 4432 gives the numbers 30 to 32 other senders: whether its method is the one both want.
    fn wants_rsa(&self) -> bool {
        let (a, b) = (&self.ends.initiator, &self.ends.responder);
        let (Some(a), Some(b)) = (KexInit::parse(&a.kexinit), KexInit::parse(&b.kexinit)) else {
            return false;
        };
        let wants = |x: &KexInit<'_>, y: &KexInit<'_>| {
            let first = x.kex.split(|c| *c == b',').next().unwrap_or_default();
            first.starts_with(b"rsa") && y.kex.split(|c| *c == b',').any(|n| n == first)
        };
        wants(&a, &b) || wants(&b, &a)
    }

    fn kexinit(&mut self, from: Side, payload: &[u8], record: &mut Record, env: &mut Env<'_>) {
        let end = self.ends.of_mut(from);
        if !end.kexinit.is_empty() || self.negotiated {
            return;
        }
        let Some(kex) = KexInit::parse(payload) else {
            record.malformed = true;
            return;
        };
        end.hassh = Some((
            hassh(kex.kex, kex.cipher_c2s, kex.mac_c2s, kex.compression_c2s),
            hassh(kex.kex, kex.cipher_s2c, kex.mac_s2c, kex.compression_s2c),
        ));
        end.says_client = kex.says_client();
        if !env.pool.append(&mut end.kexinit, payload) {
            env.hits.memory = true;
            record.cut = true;
        }
        self.rsa = self.wants_rsa();
    }

    /// The host key in the server's reply: a string that begins with the string of its type.
    fn host_key(&self, from: Side, payload: &[u8], record: &mut Record) {
        if self.proven() == Some(from) {
            return;
        }
        let Some(blob) = Reader(payload.get(1..).unwrap_or_default()).vec32() else {
            return;
        };
        let Some(kind) = Reader(blob).vec32() else {
            return;
        };
        // The group of a group exchange stands in the same place and is no such thing.
        let is_name =
            !kind.is_empty() && kind.len() <= LONGEST_NAME && kind.iter().all(u8::is_ascii_graphic);
        if is_name && !record.ssh.host_key_type.is_known() {
            record.ssh.host_key_type.set(kind, LONGEST_NAME);
            record.ssh.host_key_fingerprint = Some(KeyFingerprint(sha256(blob)));
            record.ssh.host_key_bits = key_bits(blob).unwrap_or(0);
        }
    }

    /// Compares both offers. With the first `NEWKEYS` it is settled whose is whose, and they are
    /// not needed any more.
    fn negotiate(&mut self, assumed: Option<Side>, record: &mut Record, env: &mut Env<'_>) {
        let Some(client) = self.client().or(assumed) else {
            return;
        };
        let (c, s) = (self.ends.of(client), self.ends.of(client.other()));
        if self.negotiated || c.kexinit.is_empty() || s.kexinit.is_empty() {
            return;
        }
        if let (Some(a), Some(b)) = (KexInit::parse(&c.kexinit), KexInit::parse(&s.kexinit)) {
            record.cut |= !a.negotiate(&b, &mut record.ssh);
        }
        if self.ends.initiator.newkeys || self.ends.responder.newkeys {
            self.negotiated = true;
            env.pool.give(&mut self.ends.initiator.kexinit);
            env.pool.give(&mut self.ends.responder.kexinit);
        }
    }

    /// Both sides have changed to the new keys.
    pub(crate) fn established(&self) -> bool {
        self.ends.initiator.newkeys && self.ends.responder.newkeys
    }

    /// The handshake cannot be completed any more.
    pub(crate) fn failed(&self) -> bool {
        self.disconnected && !self.established()
    }

    /// Puts the conclusions into the record. `usual` is the client if nothing has shown it;
    /// `over`: the connection has ended by itself.
    pub(crate) fn conclude(
        &mut self,
        usual: Side,
        over: bool,
        record: &mut Record,
        env: &mut Env<'_>,
    ) {
        self.negotiate(Some(usual), record, env);
        let client = self.client().unwrap_or(usual);
        let (c, s) = (self.ends.of(client), self.ends.of(client.other()));
        let facts = &mut record.ssh;
        for (from, to) in [
            (&c.banner, &mut facts.client_version),
            (&s.banner, &mut facts.server_version),
        ] {
            to.clear();
            if let Some(text) = from.get() {
                to.push_str(text);
            }
        }
        facts.protocol = match (c.banner.is_known(), s.banner.is_known()) {
            (true, true) if c.only_version_1() || s.only_version_1() => Some(1),
            (true, true) => Some(2),
            _ => None,
        };
        facts.hassh = c.hassh.map(|h| h.0);
        facts.hassh_server = s.hassh.map(|h| h.1);
        facts.newkeys_client = c.newkeys;
        facts.newkeys_server = s.newkeys;
        let both = c.banner.is_known() && s.banner.is_known();
        // Of version 1 the end of the handshake is not followed.
        let followed = both && facts.protocol != Some(1);
        record.established = if self.established() {
            Some(true)
        } else {
            followed.then_some(false)
        };
        record.failed = record.established == Some(false) && (self.failed() || over && !record.gap);
        record.pq = match record.ssh.kex.get() {
            Some(kex) => crate::names::ssh_kex_class(kex),
            None => PqClass::None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn blob(parts: &[&[u8]]) -> Vec<u8> {
        let mut all = Vec::new();
        for part in parts {
            all.extend((part.len() as u32).to_be_bytes());
            all.extend_from_slice(part);
        }
        all
    }

    // RFC 4253 §6.6, RFC 5656 §3.1, §10.1, RFC 8709 §4: what each kind of key is made of.
    #[test]
    fn lengths_of_host_keys() {
        let mut modulus = [0xff; 257];
        modulus[0] = 0;
        let cases: [(&[&[u8]], Option<u16>); 10] = [
            (&[b"ssh-rsa", &[1, 0, 1], &modulus], Some(2048)),
            (&[b"ssh-rsa", &[1, 0, 1], &[0x7f, 0xff]], Some(15)),
            (
                &[b"ssh-rsa-cert-v01@openssh.com", b"nonce", &[3], &modulus],
                Some(2048),
            ),
            (&[b"ssh-dss", &[0, 0x80, 0]], Some(16)),
            (&[b"ssh-ed25519", &[1; 32]], Some(256)),
            (&[b"ssh-ed448", &[1; 57]], Some(456)),
            (&[b"ecdsa-sha2-nistp384", b"nistp384", &[4; 97]], Some(384)),
            (
                &[b"sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256"],
                Some(256),
            ),
            (&[b"ecdsa-sha2-nistp999", b"nistp999"], None),
            (&[b"unheard-of", &[1; 32]], None),
        ];
        for (parts, bits) in cases {
            let whole = blob(parts);
            assert_eq!(key_bits(&whole), bits);
            // Only what the answer needs must be there.
            for cut in 0..whole.len() {
                let found = key_bits(whole.get(..cut).unwrap_or(&[]));
                assert!(found.is_none() || found == bits);
            }
        }
    }
}
