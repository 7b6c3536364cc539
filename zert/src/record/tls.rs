//! What a record shows of TLS.

use core::fmt;

use hostward_hook::protection::{self, Fips, Handshake};

use crate::cert;
use crate::names::{Suite, alert_name, group_name, scheme_name};
use crate::text::{CertTime, Hex, Ja4, Text};

/// A protocol version by its number on the wire, shown as `SSLv2`, `SSLv3`, `TLSv1.0` to `TLSv1.3`,
/// `TLSv1.3-draft(0x7f12)`, `DTLSv1.0`, `DTLSv1.2` and `DTLSv1.3`, and `DTLSv0.9` for what OpenSSL had
/// before there was a standard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number is all there ever is")]
pub struct TlsVersion(pub u16);

impl TlsVersion {
    /// SSL 2.0.
    pub const SSL_2: Self = Self(0x0002);

    pub(crate) const DTLS_OLD: Self = Self(0x0100);

    /// TLS 1.3, one of its drafts, or DTLS 1.3: the handshake is encrypted from the server hello on.
    #[must_use]
    pub const fn is_1_3(self) -> bool {
        // RFC 6347 §4.1: the versions of DTLS are counted downwards, from 0xFEFF for 1.0.
        matches!(self.0, 0x0304..0xFE00 | 0xFEFC)
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0x0002 => f.write_str("SSLv2"),
            0x0300 => f.write_str("SSLv3"),
            v @ 0x0301..=0x0304 => write!(f, "TLSv1.{}", v - 0x0301),
            0x0100 => f.write_str("DTLSv0.9"),
            0xFEFC => f.write_str("DTLSv1.3"),
            0xFEFD => f.write_str("DTLSv1.2"),
            0xFEFF => f.write_str("DTLSv1.0"),
            v @ (0x7F00..=0x7FFF | 0xFB00..=0xFBFF) => write!(f, "TLSv1.3-draft({v:#06x})"),
            v => write!(f, "{v:#06x}"),
        }
    }
}

impl fmt::Debug for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The key exchange group of a TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Group {
    /// A named group, by its number on the wire.
    Named(u16),
    /// Finite-field Diffie-Hellman with a prime of this many bits.
    Dh(u16),
    /// A curve the server described itself instead of naming it.
    Explicit,
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(id) => match group_name(*id) {
                Some(name) => f.write_str(name),
                None => write!(f, "{id:#06x}"),
            },
            Self::Dh(bits) => write!(f, "dh{bits}"),
            Self::Explicit => f.write_str("explicit"),
        }
    }
}

/// A cipher suite by its number on the wire, shown by its IANA name or as `0x1301`. Those of SSL 2.0
/// have three bytes and are shown as `SSL_CK_RC4_128_WITH_MD5` or `0x010080`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number is all there ever is")]
pub struct CipherSuite(pub u32);

impl CipherSuite {
    /// What the suite stands for, if it is registered with IANA.
    #[must_use]
    pub fn suite(self) -> Option<&'static Suite> {
        Suite::of(u16::try_from(self.0).ok()?)
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(suite) = self.suite() {
            return f.write_str(suite.name);
        }
        f.write_str(match self.0 {
            0x01_0080 => "SSL_CK_RC4_128_WITH_MD5",
            0x02_0080 => "SSL_CK_RC4_128_EXPORT40_WITH_MD5",
            0x03_0080 => "SSL_CK_RC2_128_CBC_WITH_MD5",
            0x04_0080 => "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5",
            0x05_0080 => "SSL_CK_IDEA_128_CBC_WITH_MD5",
            0x06_0040 => "SSL_CK_DES_64_CBC_WITH_MD5",
            0x07_00C0 => "SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
            other if other > 0xFFFF => return write!(f, "{other:#08x}"),
            other => return write!(f, "{other:#06x}"),
        })
    }
}

/// An alert that was readable on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Alert {
    /// The client sent it (the server otherwise).
    pub from_client: bool,
    /// It ends the session (`fatal`; otherwise `warning`).
    pub fatal: bool,
    /// Description number.
    pub description: u8,
    /// Its sender had sent a `ChangeCipherSpec` before.
    pub post_ccs: bool,
}

impl Alert {
    /// IANA name of the description, `None` for an unregistered number.
    #[must_use]
    pub const fn name(&self) -> Option<&'static str> {
        alert_name(self.description)
    }
}

/// The alerts of a handshake: the first few, and how many more there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Alerts {
    list: [Alert; Self::KEPT],
    count: u32,
}

impl Alerts {
    /// How many alerts are kept.
    pub const KEPT: usize = 4;

    pub(crate) fn push(&mut self, alert: Alert) {
        if let Some(place) = self.list.get_mut(self.count as usize) {
            *place = alert;
        }
        self.count = self.count.saturating_add(1);
    }

    /// The alerts that were kept, oldest first.
    #[must_use]
    pub fn as_slice(&self) -> &[Alert] {
        self.list
            .get(..self.count as usize)
            .unwrap_or(self.list.as_slice())
    }

    /// How many alerts there were.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }
}

/// What was seen of a certificate chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Certificate {
    /// Subject in RFC 4514 form, the most specific part first.
    pub subject: Text,
    /// Issuer in RFC 4514 form, the most specific part first.
    pub issuer: Text,
    /// Serial number in upper-case hexadecimal.
    pub serial: Text,
    /// End of validity.
    pub not_after: Option<CertTime>,
    /// SHA-256 of the encoded certificate.
    pub sha256: Option<Hex<32>>,
    /// Algorithm of the signature on the certificate.
    pub signature: Option<Oid>,
    /// Algorithm of the certificate's key.
    pub key: Option<Oid>,
    /// Curve of the key, for keys on named curves.
    pub curve: Option<Oid>,
    /// Length of the key in bits, 0 when not known.
    pub key_bits: u16,
    /// Certificates in the message; `None` when no such message was readable.
    pub chain_len: Option<u16>,
}

/// An object identifier by its content octets (X.690 §8.19), cut after 15.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Oid {
    octets: [u8; 15],
    len: u8,
}

impl Oid {
    /// Of content octets; nothing for none.
    #[must_use]
    pub fn of(content: &[u8]) -> Option<Self> {
        let mut oid = Self::default();
        for (to, from) in oid.octets.iter_mut().zip(content) {
            *to = *from;
            oid.len += 1;
        }
        (oid.len > 0).then_some(oid)
    }

    /// The content octets.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

/// In dotted form.
impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arc = 0_u64;
        let mut first = true;
        for octet in self.content() {
            arc = arc.saturating_mul(128) | u64::from(octet & 0x7F);
            if octet & 0x80 != 0 {
                continue;
            }
            if first {
                // The first two arcs share a number; the first is at most 2.
                let root = (arc / 40).min(2);
                write!(f, "{root}.{}", arc - root * 40)?;
                first = false;
            } else {
                write!(f, ".{arc}")?;
            }
            arc = 0;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Certificate {
    /// Owned, from what a provider told. What is not told is read from the encoding, if that
    /// is there.
    #[must_use]
    pub fn of(told: &protection::Certificate<'_>) -> Self {
        let text = |text: Option<&str>| text.map(Text::from).unwrap_or_default();
        let mut serial = Text::default();
        for octet in told.serial {
            // What is too long is cut.
            let _ = fmt::Write::write_fmt(&mut serial, format_args!("{octet:02X}"));
        }
        let mut me = Self {
            subject: text(told.subject),
            issuer: text(told.issuer),
            serial,
            not_after: told.not_after.map(CertTime::from),
            signature: Oid::of(told.signature),
            key: Oid::of(told.key),
            key_bits: told.key_bits,
            ..Self::default()
        };
        if let Some(der) = told.der {
            cert::fill(der, &mut me);
        }
        me
    }

    /// The same as the other, in the memory that is there.
    pub(crate) fn assign(&mut self, from: &Self) {
        let Self {
            subject,
            issuer,
            serial,
            not_after,
            sha256,
            signature,
            key,
            curve,
            key_bits,
            chain_len,
        } = from;
        self.subject.assign(subject);
        self.issuer.assign(issuer);
        self.serial.assign(serial);
        self.not_after = *not_after;
        self.sha256 = *sha256;
        self.signature = *signature;
        self.key = *key;
        self.curve = *curve;
        self.key_bits = *key_bits;
        self.chain_len = *chain_len;
    }

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn clear(&mut self) {
        self.subject.clear();
        self.issuer.clear();
        self.serial.clear();
        self.signature = None;
        self.key = None;
        self.curve = None;
        self.key_bits = 0;
        self.not_after = None;
        self.sha256 = None;
        self.chain_len = None;
    }
}

/// A TLS session identifier: at most 32 octets (RFC 5246 §7.4.1.2).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SessionId {
    octets: [u8; 32],
    len: u8,
}

impl SessionId {
    /// Of so many octets, cut after 32.
    #[must_use]
    pub fn of(octets: &[u8]) -> Self {
        let mut id = Self::default();
        for (to, from) in id.octets.iter_mut().zip(octets) {
            *to = *from;
            id.len += 1;
        }
        id
    }

    /// The octets; none when there is no identifier.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.octets()
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// What was seen of a TLS handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TlsFacts {
    /// Negotiated version; `None` without a server hello.
    pub version: Option<TlsVersion>,
    /// Negotiated cipher suite.
    pub cipher: Option<CipherSuite>,
    /// Key exchange group; `None` also for RSA or PSK key transport.
    pub group: Option<Group>,
    /// Server name indication as the client sent it.
    pub sni: Text,
    /// Application protocol the server chose in clear text.
    pub alpn: Text,
    /// The server's certificate; unreadable in TLS 1.3.
    pub server_cert: Certificate,
    /// The client's certificate; unreadable in TLS 1.3.
    pub client_cert: Certificate,
    /// The server asked for a client certificate; `None` where that is encrypted or unknown.
    pub client_cert_requested: Option<bool>,
    /// The client showed a certificate; `None` where that is encrypted or unknown.
    pub client_cert_sent: Option<bool>,
    /// The session continues an earlier one (up to TLS 1.2: abbreviated handshake; 1.3: a
    /// pre-shared key was accepted, which may also be an external one).
    pub resumed: Option<bool>,
    /// A `HelloRetryRequest` was seen.
    pub hello_retry: bool,
    /// JA3 client fingerprint.
    pub ja3: Option<Hex<16>>,
    /// JA4 client fingerprint.
    pub ja4: Option<Ja4>,
    /// Highest version the client offered.
    pub client_hello_max_version: Option<TlsVersion>,
    /// Random value of the client hello, by which key logs name a session.
    pub client_random: Option<Hex<32>>,
    /// Scheme of the server's key exchange signature (TLS 1.2 only).
    pub signature_scheme: Option<u16>,
    /// Scheme of the client's signature, where a provider told.
    pub client_signature_scheme: Option<u16>,
    /// Name of the library that told; absent when observed.
    pub provider: Text,
    /// Kind of handshake.
    pub handshake: Handshake,
    /// Session identifier: the server's, up to TLS 1.2; what a provider told else.
    pub session_id: SessionId,
    /// Whether raw public keys stand in place of certificates (RFC 7250), where a provider told.
    pub raw_public_key: Option<bool>,
    /// Validated cryptography, where a provider told.
    pub fips: Fips,
    /// Version of QUIC, when it carries this handshake.
    pub quic_version: Option<u32>,
    /// The client hello had SSL 2.0 form.
    pub ssl2_client_hello: bool,
    /// The client offered early data.
    pub early_data_offered: bool,
    /// The client hello carried an `encrypted_client_hello` extension, genuine or GREASE.
    pub ech_extension: bool,
    /// Encrypt-then-MAC was negotiated (RFC 7366).
    pub encrypt_then_mac: bool,
    /// The extended master secret was negotiated (RFC 7627).
    pub extended_master_secret: bool,
    /// Readable alerts.
    pub alerts: Alerts,
    /// The client has sent a record of type application data. In TLS 1.3 that is any encrypted
    /// record, so that the client's `Finished` counts.
    pub app_data_client: bool,
    /// The server has sent a record of type application data.
    pub app_data_server: bool,
}

impl TlsFacts {
    /// The same as the other, in the memory that is there.
    pub(crate) fn assign(&mut self, from: &Self) {
        let Self {
            version,
            cipher,
            group,
            sni,
            alpn,
            server_cert,
            client_cert,
            client_cert_requested,
            client_cert_sent,
            resumed,
            hello_retry,
            ja3,
            ja4,
            client_hello_max_version,
            client_random,
            signature_scheme,
            client_signature_scheme,
            provider,
            handshake,
            session_id,
            raw_public_key,
            fips,
            quic_version,
            ssl2_client_hello,
            early_data_offered,
            ech_extension,
            encrypt_then_mac,
            extended_master_secret,
            alerts,
            app_data_client,
            app_data_server,
        } = from;
        self.version = *version;
        self.cipher = *cipher;
        self.group = *group;
        self.sni.assign(sni);
        self.alpn.assign(alpn);
        self.server_cert.assign(server_cert);
        self.client_cert.assign(client_cert);
        self.client_cert_requested = *client_cert_requested;
        self.client_cert_sent = *client_cert_sent;
        self.resumed = *resumed;
        self.hello_retry = *hello_retry;
        self.ja3 = *ja3;
        self.ja4 = *ja4;
        self.client_hello_max_version = *client_hello_max_version;
        self.client_random = *client_random;
        self.signature_scheme = *signature_scheme;
        self.client_signature_scheme = *client_signature_scheme;
        self.provider.assign(provider);
        self.handshake = *handshake;
        self.session_id = *session_id;
        self.raw_public_key = *raw_public_key;
        self.fips = *fips;
        self.quic_version = *quic_version;
        self.ssl2_client_hello = *ssl2_client_hello;
        self.early_data_offered = *early_data_offered;
        self.ech_extension = *ech_extension;
        self.encrypt_then_mac = *encrypt_then_mac;
        self.extended_master_secret = *extended_master_secret;
        self.alerts = *alerts;
        self.app_data_client = *app_data_client;
        self.app_data_server = *app_data_server;
    }

    pub(crate) fn clear(&mut self) {
        self.sni.clear();
        self.alpn.clear();
        self.server_cert.clear();
        self.client_cert.clear();
        self.provider.clear();
        // Everything but the texts, whose memory is kept.
        let kept = (
            core::mem::take(&mut self.sni),
            core::mem::take(&mut self.alpn),
            core::mem::take(&mut self.server_cert),
            core::mem::take(&mut self.client_cert),
            core::mem::take(&mut self.provider),
        );
        *self = Self {
            sni: kept.0,
            alpn: kept.1,
            server_cert: kept.2,
            client_cert: kept.3,
            provider: kept.4,
            ..Self::default()
        };
    }
}

/// Shows a signature scheme by name or number.
pub(super) struct Scheme(pub(super) u16);

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match scheme_name(self.0) {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

/// `server:handshake_failure`, with `!` after fatal ones, separated by blanks.
impl fmt::Display for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, a) in self.as_slice().iter().enumerate() {
            let blank = if i > 0 { " " } else { "" };
            let from = if a.from_client { "client" } else { "server" };
            let mark = if a.fatal { "!" } else { "" };
            match a.name() {
                Some(name) => write!(f, "{blank}{from}:{name}{mark}")?,
                None => write!(f, "{blank}{from}:{}{mark}", a.description)?,
            }
        }
        Ok(())
    }
}
