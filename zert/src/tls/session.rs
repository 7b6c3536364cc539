//! One TLS session: what its messages say, and whether the handshake was completed.

use hostward_hook::Side;
use hostward_hook::protection::Handshake;

use super::hello::{ClientHello, ServerHello, ext};
use crate::cert;
use crate::conn::Env;
use crate::fingerprint;
use crate::names::tls_class;
use crate::pair::Pair;
use crate::reader::Reader;
use crate::record::{
    Alert, Certificate, CipherSuite, Group, PqClass, Record, SessionId, TlsFacts, TlsVersion,
};
use crate::text::Hex;

pub(crate) const CLIENT_HELLO: u8 = 1;
pub(crate) const SERVER_HELLO: u8 = 2;
const HELLO_RETRY_DRAFT: u8 = 6;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_HELLO_DONE: u8 = 14;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// The longest record that can hold nothing but an alert: 2 bytes, the inner content type, and 16
/// bytes of tag, or as much with an explicit nonce (RFC 8446 §5.2).
const ALERT_SIZED: u16 = 24;

/// Longest server name (RFC 1035 §2.3.4) and application protocol (RFC 7301 §3.1) kept, in bytes.
const NAME: usize = 255;

/// After so many protected records of a TLS 1.3 session, or others than application data of an
/// earlier one, no more is learnt.
pub(super) const ENOUGH_RECORDS: u16 = 32;

/// In which form a side goes on after a message of SSL 2.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ssl2Next {
    /// In records of SSL 3 or TLS.
    Tls,
    /// In records of SSL 2.0.
    Ssl2,
    /// Nothing that could be read.
    Nothing,
}

/// What has been seen so far, apart from what stands in the record.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Who sent the client hello.
    pub(crate) client: Option<Side>,
    /// A client hello was seen.
    client_hello: bool,
    /// A server hello that is no retry was seen.
    server_hello: bool,
    /// The server sent messages that only a full handshake has.
    full: bool,
    ccs: Pair<bool>,
    /// An alert ended the session before it was protected.
    fatal: bool,
    /// Protected TLS 1.3 records of the server, of the client after the server hello.
    server_records: u16,
    client_records: u16,
    /// The client has sent enough for its `Finished`.
    client_flight: bool,
    /// Since then: records of the server and the length of the longest.
    server_after: u16,
    server_longest: u16,
    /// The client had sent its last byte before that.
    client_finished: bool,
    /// SSL 2.0: the client has chosen a cipher, and the server has answered.
    ssl2_key: bool,
    ssl2_answer: bool,
    /// Records of a protected session up to TLS 1.2 that were no application data.
    pub(crate) other_records: u16,
    /// Nothing more is to be learnt.
    pub(crate) done: bool,
}

impl Session {
    /// Whether a handshake message is read in full.
    pub(crate) const fn wants(kind: u8) -> bool {
        matches!(
            kind,
            CLIENT_HELLO | SERVER_HELLO | HELLO_RETRY_DRAFT | CERTIFICATE | SERVER_KEY_EXCHANGE
        )
    }

    fn sent_by_client(&self, from: Side) -> bool {
        self.client == Some(from)
    }

    /// An alert has ended the session before it was protected.
    pub(crate) const fn fatal(&self) -> bool {
        self.fatal
    }

    /// The head of a handshake message was read.
    pub(crate) fn message_begins(&mut self, from: Side, kind: u8, record: &mut Record) {
        let client = self.sent_by_client(from);
        match kind {
            CERTIFICATE | SERVER_KEY_EXCHANGE | SERVER_HELLO_DONE if !client => self.full = true,
            CERTIFICATE_REQUEST if !client => record.tls.client_cert_requested = Some(true),
            CLIENT_KEY_EXCHANGE if client => self.full = true,
            _ => {}
        }
    }

    /// A handshake message was read in full.
    pub(crate) fn message(
        &mut self,
        from: Side,
        kind: u8,
        body: &[u8],
        record: &mut Record,
        env: &mut Env<'_>,
    ) {
        let read = match kind {
            CLIENT_HELLO => match ClientHello::parse(body) {
                Some(hello) => {
                    self.client_hello(from, &hello, record, env);
                    true
                }
                None => false,
            },
            SERVER_HELLO => match ServerHello::parse(body) {
                Some(hello) => {
                    self.server_hello(from, &hello, record);
                    true
                }
                None => false,
            },
            HELLO_RETRY_DRAFT => match ServerHello::parse_draft_retry(body) {
                Some(hello) => {
                    self.server_hello(from, &hello, record);
                    true
                }
                None => false,
            },
            CERTIFICATE => self.certificates(from, body, record),
            SERVER_KEY_EXCHANGE => {
                server_key_exchange(body, &mut record.tls);
                true
            }
            _ => true,
        };
        record.malformed |= !read;
    }

    /// A client hello in either form.
    pub(crate) fn client_hello(
        &mut self,
        from: Side,
        hello: &ClientHello<'_>,
        record: &mut Record,
        env: &mut Env<'_>,
    ) {
        // The answer to a retry request offers the same again (RFC 8446 §4.1.2), and a
        // renegotiation in clear is not the session that is recorded.
        if self.client_hello || self.server_hello && self.client != Some(from) {
            return;
        }
        self.client = Some(from);
        self.client_hello = true;
        record.malformed |= !hello.whole;
        let tls = &mut record.tls;
        tls.ssl2_client_hello = hello.ssl2;
        tls.client_hello_max_version = Some(TlsVersion(hello.highest_version()));
        tls.client_random = Some(Hex(hello.random));
        if let Some(name) = hello.server_name() {
            record.cut |= !tls.sni.set(name, NAME);
        }
        tls.ja3 = Some(fingerprint::ja3(hello));
        tls.ja4 = Some(fingerprint::ja4(hello, env.scratch));
        tls.early_data_offered = hello.extension(ext::EARLY_DATA).is_some();
        tls.ech_extension = hello.extension(ext::ENCRYPTED_CLIENT_HELLO).is_some()
            || hello.extension(ext::ENCRYPTED_SNI).is_some();
    }

    fn server_hello(&mut self, from: Side, hello: &ServerHello<'_>, record: &mut Record) {
        if self.server_hello || self.sent_by_client(from) {
            return;
        }
        self.client = Some(from.other());
        let tls = &mut record.tls;
        if hello.retry {
            tls.hello_retry = true;
            return;
        }
        self.server_hello = true;
        let version = TlsVersion(hello.version);
        if !version.is_1_3() {
            tls.session_id = SessionId::of(hello.session_id);
        }
        tls.version = Some(version);
        tls.cipher = Some(CipherSuite(hello.suite.into()));
        tls.encrypt_then_mac = hello.extension(ext::ENCRYPT_THEN_MAC).is_some();
        tls.extended_master_secret = hello.extension(ext::EXTENDED_MASTER_SECRET).is_some();
        if let Some(name) = hello.alpn() {
            record.cut |= !tls.alpn.set(name, NAME);
        }
        if version.is_1_3() {
            tls.group = hello.group().map(Group::Named);
            // RFC 8446 §4.2.11: the server has taken one of the offered keys.
            tls.resumed = Some(hello.extension(ext::PRE_SHARED_KEY).is_some());
        } else {
            tls.client_cert_requested = Some(false);
            tls.client_cert_sent = Some(false);
        }
    }

    /// RFC 5246 §7.4.2: the chain, leaf first. Says whether it could be read.
    fn certificates(&mut self, from: Side, body: &[u8], record: &mut Record) -> bool {
        // In TLS 1.3 no certificate is readable.
        if record.tls.version.is_some_and(TlsVersion::is_1_3) {
            return true;
        }
        let client = self.sent_by_client(from);
        let place = if client {
            &mut record.tls.client_cert
        } else {
            &mut record.tls.server_cert
        };
        if place.chain_len.is_some() {
            return true;
        }
        let Some(list) = Reader(body).vec24() else {
            return false;
        };
        let mut rest = Reader(list);
        let mut count = 0u16;
        let mut good = true;
        while !rest.is_empty() {
            let Some(der) = rest.vec24() else {
                good = false;
                break;
            };
            if count == 0 {
                record.cut |= !leaf(der, place, &mut good);
            }
            count = count.saturating_add(1);
        }
        place.chain_len = Some(count);
        if client {
            record.tls.client_cert_sent = Some(count > 0);
        }
        good
    }

    pub(crate) fn change_cipher_spec(&mut self, from: Side, record: &mut Record) {
        *self.ccs.of_mut(from) = true;
        let tls = &mut record.tls;
        let Some(version) = tls.version else { return };
        if version.is_1_3() {
            return;
        }
        // RFC 5246 §7.3: an abbreviated handshake goes from the server hello to this at once.
        if tls.resumed.is_none() && !record.gap {
            tls.resumed = Some(!self.full);
        }
    }

    /// Both sides have switched to what was negotiated (up to TLS 1.2).
    pub(crate) const fn switched(&self) -> bool {
        self.ccs.initiator && self.ccs.responder
    }

    /// Whether nothing more is to be learnt from a side. Up to TLS 1.2 a side is followed until
    /// its first application data, but not through any number of other records.
    pub(crate) fn side_done(&self, from: Side, tls: &TlsFacts) -> bool {
        let app_data = if self.sent_by_client(from) {
            tls.app_data_client
        } else {
            tls.app_data_server
        };
        self.done || self.switched() && !tls.version.is_some_and(TlsVersion::is_1_3) && app_data
    }

    /// A record that is no application data begins.
    pub(crate) fn other(&mut self, record: &Record) {
        if self.switched() && !record.tls.version.is_some_and(TlsVersion::is_1_3) {
            self.other_records = self.other_records.saturating_add(1);
            self.done |= self.other_records > ENOUGH_RECORDS;
        }
    }

    pub(crate) fn alert(&mut self, from: Side, [level, description]: [u8; 2], record: &mut Record) {
        if !matches!(level, 1 | 2) {
            return;
        }
        let post_ccs = *self.ccs.of(from);
        record.tls.alerts.push(Alert {
            from_client: self.sent_by_client(from),
            fatal: level == 2,
            description,
            post_ccs,
        });
        // What comes later ends a session that was established.
        if level == 2 && !self.switched() {
            self.fatal = true;
        }
    }

    /// A record of application data, or in TLS 1.3 of anything encrypted, begins.
    pub(crate) fn protected(&mut self, from: Side, len: u16, record: &mut Record) {
        if self.sent_by_client(from) {
            record.tls.app_data_client = true;
        } else if self.client.is_some() {
            record.tls.app_data_server = true;
        }
        if !record.tls.version.is_some_and(TlsVersion::is_1_3) {
            // The server hello was missed, or could not be read: it does not come any more.
            if record.tls.version.is_none() && record.tls.app_data_server {
                self.other_records = self.other_records.saturating_add(1);
                self.done |= self.other_records > ENOUGH_RECORDS;
            }
            return;
        }
        if self.sent_by_client(from) {
            // An alert instead of the Finished means failure; so does silence. After early data an
            // EndOfEarlyData, which is as short, comes first (RFC 8446 §4.5).
            self.client_records = self.client_records.saturating_add(1);
            self.client_flight |= len > ALERT_SIZED;
        } else {
            self.server_records = self.server_records.saturating_add(1);
            if self.client_flight {
                self.server_after = self.server_after.saturating_add(1);
                self.server_longest = self.server_longest.max(len);
            }
        }
        self.done = self.client_flight
            && (self.server_longest > ALERT_SIZED
                || self.server_records.saturating_add(self.client_records) > ENOUGH_RECORDS);
    }

    /// Whether the handshake is completed as far as one can see; `None` when it has not got far
    /// enough to say.
    pub(crate) fn established(&self, record: &Record) -> bool {
        let Some(version) = record.tls.version else {
            return false;
        };
        if self.fatal {
            return false;
        }
        if version.is_1_3() {
            // The server's only answer to the client's Finished was an alert, although the client
            // had not closed: it refused it.
            let refused = self.server_after == 1
                && self.server_longest <= ALERT_SIZED
                && !self.client_finished;
            self.server_records > 0 && self.client_flight && !refused
        } else if version == TlsVersion::SSL_2 {
            self.ssl2_key && self.ssl2_answer
        } else {
            self.switched()
        }
    }

    /// A side has sent all it will send.
    pub(crate) fn finished(&mut self, from: Side) {
        if self.sent_by_client(from) && self.server_after == 0 {
            self.client_finished = true;
        }
    }

    /// A message of SSL 2.0, from its type on. Says whether more of that form follow from this
    /// side.
    pub(crate) fn ssl2(
        &mut self,
        from: Side,
        body: &[u8],
        record: &mut Record,
        env: &mut Env<'_>,
    ) -> Ssl2Next {
        let mut r = Reader(body);
        match (r.u8(), self.sent_by_client(from)) {
            (Some(1), _) if !self.client_hello => {
                match ClientHello::parse_ssl2(body) {
                    Some(hello) => self.client_hello(from, &hello, record, env),
                    None => record.malformed = true,
                }
                // Mostly the form is only for the sake of old servers.
                return Ssl2Next::Tls;
            }
            // CLIENT-MASTER-KEY: the cipher, three bytes.
            (Some(2), true) if self.server_hello && !self.ssl2_key => {
                if let Some([a, b, c]) = r.array() {
                    record.tls.cipher = Some(CipherSuite(u32::from_be_bytes([0, *a, *b, *c])));
                    self.ssl2_key = true;
                }
            }
            // SERVER-HELLO: session id hit, certificate type, version, three lengths, certificate.
            (Some(4), false) if !self.server_hello => {
                let mut hello = || {
                    let hit = r.u8()? != 0;
                    r.u8()?;
                    let version = r.u16()?;
                    let certificate = r.u16()?;
                    r.array::<4>()?;
                    Some((hit, version, r.take(certificate.into())?))
                };
                let Some((hit, version, certificate)) = hello() else {
                    record.malformed = true;
                    return Ssl2Next::Nothing;
                };
                self.server_hello = true;
                record.tls.version = Some(TlsVersion(version));
                record.tls.resumed = Some(hit);
                if !certificate.is_empty() {
                    let mut good = true;
                    let place = &mut record.tls.server_cert;
                    place.chain_len = Some(1);
                    record.cut |= !leaf(certificate, place, &mut good);
                    record.malformed |= !good;
                }
            }
            // Anything of the server after the key is encrypted with it.
            (_, false) if self.ssl2_key => {
                self.ssl2_answer = true;
                self.done = true;
            }
            _ => {}
        }
        Ssl2Next::Ssl2
    }

    /// Puts the conclusions into the record. `over`: the connection has ended by itself.
    pub(crate) fn conclude(&self, record: &mut Record, over: bool) {
        let established = self.established(record);
        record.established = Some(established);
        record.inferred = established
            && record
                .tls
                .version
                .is_some_and(|v| v.is_1_3() || v == TlsVersion::SSL_2);
        record.failed = !established && (self.fatal || over && !record.gap);
        let t = &record.tls;
        record.pq = match t.version {
            None => PqClass::None,
            version => tls_class(version, t.cipher.and_then(|c| c.suite()), t.group),
        };
        // Nothing was resumed when there never was an answer.
        if record.tls.version.is_none() && record.failed {
            record.tls.resumed = Some(false);
        }
        if record.tls.resumed.is_none() && self.full {
            record.tls.resumed = Some(false);
        }
        record.tls.handshake = match record.tls.resumed {
            Some(true) => Handshake::Resumed,
            Some(false) if record.tls.version.is_some() => Handshake::Full,
            _ => Handshake::Unknown,
        };
    }
}

fn leaf(der: &[u8], place: &mut Certificate, good: &mut bool) -> bool {
    let filled = cert::fill(der, place);
    *good &= filled.read;
    filled.whole
}

/// RFC 5246 §7.4.3, RFC 8422 §5.4: the ephemeral group, and how it is signed.
fn server_key_exchange(body: &[u8], tls: &mut TlsFacts) {
    let Some(suite) = tls.cipher.and_then(CipherSuite::suite) else {
        return;
    };
    let kex = suite.key_exchange;
    let mut r = Reader(body);
    if kex.ends_with("PSK") && r.vec16().is_none() {
        return; // identity hint
    }
    let signed = if kex.starts_with("ECDHE") || kex.starts_with("ECDH_ANON") {
        match r.u8() {
            Some(3) => tls.group = r.u16().map(Group::Named),
            Some(1 | 2) => {
                tls.group = Some(Group::Explicit);
                return;
            }
            _ => return,
        }
        r.vec8().is_some()
    } else if kex.starts_with("DHE") || kex.starts_with("DH_ANON") {
        let Some(p) = r.vec16() else { return };
        let zeros = p.iter().take_while(|b| **b == 0).count();
        let bits = p
            .get(zeros)
            .map_or(0, |b| (p.len() - zeros) * 8 - b.leading_zeros() as usize);
        tls.group = u16::try_from(bits).ok().map(Group::Dh);
        r.vec16().is_some() && r.vec16().is_some()
    } else {
        false
    };
    let schemes = matches!(tls.version, Some(TlsVersion(0x0303 | 0xFEFD)));
    if signed && schemes && !r.is_empty() && !kex.ends_with("PSK") {
        tls.signature_scheme = r.u16();
    }
}
