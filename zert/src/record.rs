//! The record: how one connection was protected.

use core::any::Any;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::flow::{FlowId, FlowInfo, FlowKey};
use hostward_hook::time::Now;

use crate::names::{Suite, alert_name, group_name};
use crate::text::{CertTime, Hex, Inline, Ja4, KeyFingerprint, Text};

/// What protects a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// No protection that is recognised.
    #[default]
    None,
    /// TLS or SSL.
    Tls,
    /// SSH.
    Ssh,
}

impl Protocol {
    /// The name in machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tls => "tls",
            Self::Ssh => "ssh",
        }
    }
}

/// What the key exchange is worth against a quantum computer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PqClass {
    /// No key exchange took place, or it is not known.
    #[default]
    None,
    /// Classical key exchange, which a quantum computer would break.
    Classical,
    /// Classical and post-quantum key exchange combined.
    Hybrid,
    /// Post-quantum key exchange alone.
    Pq,
}

impl PqClass {
    /// The name in machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Classical => "classical",
            Self::Hybrid => "hybrid",
            Self::Pq => "pq",
        }
    }
}

/// What the local side of the connection is in the handshake, whoever opened the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// There was no handshake, or its direction is not known.
    #[default]
    Unknown,
    /// The local side is the client.
    Client,
    /// The local side is the server.
    Server,
    /// The local side is the server and the client has shown a certificate.
    ServerClientAuth,
}

impl Role {
    /// The name in machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Client => "client",
            Self::Server => "server",
            Self::ServerClientAuth => "server-client-auth",
        }
    }
}

/// Where a record's facts come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// Read from the stream.
    #[default]
    Observed,
}

impl Source {
    /// The name in machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observed => "observed",
        }
    }
}

/// A protocol version by its number on the wire, shown as `SSLv2`, `SSLv3`, `TLSv1.0` to `TLSv1.3`
/// and `TLSv1.3-draft(0x7f12)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number is all there ever is")]
pub struct TlsVersion(pub u16);

impl TlsVersion {
    /// SSL 2.0.
    pub const SSL_2: Self = Self(0x0002);

    /// TLS 1.3 or one of its drafts: the handshake is encrypted from the server hello on.
    #[must_use]
    pub const fn is_1_3(self) -> bool {
        self.0 >= 0x0304
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0x0002 => f.write_str("SSLv2"),
            0x0300 => f.write_str("SSLv3"),
            v @ 0x0301..=0x0304 => write!(f, "TLSv1.{}", v - 0x0301),
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// Subject in RFC 4514 form, the most specific part first.
    pub subject: Text,
    /// Serial number in upper-case hexadecimal.
    pub serial: Text,
    /// End of validity.
    pub not_after: Option<CertTime>,
    /// SHA-256 of the encoded certificate.
    pub sha256: Option<Hex<32>>,
    /// Certificates in the message; `None` when no such message was readable.
    pub chain_len: Option<u16>,
}

impl Certificate {
    fn clear(&mut self) {
        self.subject.clear();
        self.serial.clear();
        self.not_after = None;
        self.sha256 = None;
        self.chain_len = None;
    }
}

/// What was seen of a TLS handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// Scheme of the server's key exchange signature (TLS 1.2 only).
    pub signature_scheme: Option<u16>,
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
}

impl TlsFacts {
    fn clear(&mut self) {
        self.sni.clear();
        self.alpn.clear();
        self.server_cert.clear();
        self.client_cert.clear();
        // Everything but the texts, whose memory is kept.
        let kept = (
            core::mem::take(&mut self.sni),
            core::mem::take(&mut self.alpn),
            core::mem::take(&mut self.server_cert),
            core::mem::take(&mut self.client_cert),
        );
        *self = Self {
            sni: kept.0,
            alpn: kept.1,
            server_cert: kept.2,
            client_cert: kept.3,
            ..Self::default()
        };
    }
}

/// What was negotiated for one direction of an SSH connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SshDirection {
    /// Cipher.
    pub cipher: Text,
    /// MAC as negotiated, even if the cipher needs none.
    pub mac: Text,
    /// Compression.
    pub compression: Text,
}

impl SshDirection {
    fn clear(&mut self) {
        self.cipher.clear();
        self.mac.clear();
        self.compression.clear();
    }

    /// The cipher authenticates by itself and the negotiated MAC is not used; `None` without a
    /// cipher.
    #[must_use]
    pub fn mac_implicit(&self) -> Option<bool> {
        let cipher = self.cipher.get()?;
        Some(
            cipher.starts_with("chacha20-poly1305")
                || cipher.contains("-gcm")
                || cipher.starts_with("AEAD_"),
        )
    }
}

/// What was seen of an SSH handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SshFacts {
    /// Identification line of the client, without line end.
    pub client_version: Text,
    /// Identification line of the server, without line end.
    pub server_version: Text,
    /// Protocol in use: 1 or 2; `None` unless both sides have identified themselves.
    pub protocol: Option<u8>,
    /// Key exchange method.
    pub kex: Text,
    /// Host key algorithm.
    pub host_key_alg: Text,
    /// Client to server.
    pub c2s: SshDirection,
    /// Server to client.
    pub s2c: SshDirection,
    /// HASSH fingerprint of the client.
    pub hassh: Option<Hex<16>>,
    /// HASSH fingerprint of the server.
    pub hassh_server: Option<Hex<16>>,
    /// Type of the host key the server showed.
    pub host_key_type: Text,
    /// Fingerprint of the host key the server showed.
    pub host_key_fingerprint: Option<KeyFingerprint>,
    /// The client has sent `NEWKEYS`.
    pub newkeys_client: bool,
    /// The server has sent `NEWKEYS`.
    pub newkeys_server: bool,
}

impl SshFacts {
    fn clear(&mut self) {
        self.client_version.clear();
        self.server_version.clear();
        self.protocol = None;
        self.kex.clear();
        self.host_key_alg.clear();
        self.c2s.clear();
        self.s2c.clear();
        self.hassh = None;
        self.hassh_server = None;
        self.host_key_type.clear();
        self.host_key_fingerprint = None;
        self.newkeys_client = false;
        self.newkeys_server = false;
    }
}

/// How one connection was protected.
///
/// It is the detail of every event this crate emits with [`Class::Record`] or
/// [`Class::Progress`]; a sink gets at it through [`Detail::as_any`].
///
/// [`Class::Record`]: hostward_hook::Class::Record
/// [`Class::Progress`]: hostward_hook::Class::Progress
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// What protects the connection.
    pub protocol: Protocol,
    /// The client: by its part in the handshake, else by who opened the connection.
    pub client: SocketAddr,
    /// The server.
    pub server: SocketAddr,
    /// The flow's entry.
    pub flow: Option<FlowId>,
    /// When the connection was first seen.
    pub opened: Now,
    /// When its latest packet was seen.
    pub last: Now,
    /// What the local side is.
    pub role: Role,
    /// Where the facts come from.
    pub source: Source,
    /// The handshake was completed; `None` for connections without one.
    pub established: Option<bool>,
    /// A handshake began and failed: a fatal alert, or the connection ended before it was done.
    pub failed: bool,
    /// `established` is an inference: the end of a TLS 1.3 handshake is encrypted.
    pub inferred: bool,
    /// Strength of the key exchange against a quantum computer.
    pub pq: PqClass,
    /// The input ended before the connection did.
    pub open_at_end: bool,
    /// The beginning of the connection was not seen.
    pub midstream: bool,
    /// Something is missing because a bound was reached: a long message, memory, too many
    /// connections at once, a long text.
    pub cut: bool,
    /// Something is missing because bytes of the stream were.
    pub gap: bool,
    /// A handshake message could not be read.
    pub malformed: bool,
    /// Bytes of clear text before the handshake (both sides).
    pub clear_text: u32,
    /// Number of the first packet.
    pub first_packet: u64,
    /// Packets of both sides.
    pub packets: u64,
    /// Bytes of both sides, IP headers included.
    pub bytes: u64,
    /// TLS facts; empty unless `protocol` is [`Protocol::Tls`].
    pub tls: TlsFacts,
    /// SSH facts; empty unless `protocol` is [`Protocol::Ssh`].
    pub ssh: SshFacts,
}

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Default for Record {
    fn default() -> Self {
        Self {
            protocol: Protocol::None,
            client: NOWHERE,
            server: NOWHERE,
            flow: None,
            opened: Now::default(),
            last: Now::default(),
            role: Role::Unknown,
            source: Source::Observed,
            established: None,
            failed: false,
            inferred: false,
            pq: PqClass::None,
            open_at_end: false,
            midstream: false,
            cut: false,
            gap: false,
            malformed: false,
            clear_text: 0,
            first_packet: 0,
            packets: 0,
            bytes: 0,
            tls: TlsFacts::default(),
            ssh: SshFacts::default(),
        }
    }
}

impl Record {
    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        let mut tls = core::mem::take(&mut self.tls);
        let mut ssh = core::mem::take(&mut self.ssh);
        tls.clear();
        ssh.clear();
        *self = Self {
            tls,
            ssh,
            ..Self::default()
        };
    }

    /// Takes over what the flow entry knows.
    pub(crate) fn set_flow(&mut self, flow: &FlowInfo, client_is_initiator: bool) {
        let a = SocketAddr::new(flow.key.source(), flow.key.source_port());
        let b = SocketAddr::new(flow.key.destination(), flow.key.destination_port());
        (self.client, self.server) = if client_is_initiator { (a, b) } else { (b, a) };
        self.flow = Some(flow.id);
        self.opened = flow.opened;
        self.last = flow.last;
        self.midstream = flow.midstream;
        self.first_packet = flow.first_packet;
        self.packets = flow.packets();
        self.bytes = flow.bytes();
    }

    /// The connection's addresses and ports, client first.
    #[must_use]
    pub fn key(&self) -> Option<FlowKey> {
        FlowKey::new(self.client, self.server, 6)
    }

    /// Shows every field of the record's protocol, absent ones too, in the order of
    /// machine-readable output. Names are those of the JSON output.
    pub fn fields(&self, f: &mut dyn FnMut(&'static str, Option<Value<'_>>)) {
        fn text(f: &mut dyn FnMut(&'static str, Option<Value<'_>>), n: &'static str, t: &Text) {
            f(n, t.get().map(Value::Str));
        }
        fn shown(
            f: &mut dyn FnMut(&'static str, Option<Value<'_>>),
            n: &'static str,
            v: Option<impl fmt::Display>,
        ) {
            let v = v.map(Inline::<96>::of);
            f(n, v.as_ref().map(|v| Value::Str(v.as_str())));
        }
        fn flag(f: &mut dyn FnMut(&'static str, Option<Value<'_>>), n: &'static str, b: bool) {
            f(n, Some(Value::Bool(b)));
        }
        f("proto", Some(Value::Str(self.protocol.name())));
        f("src", Some(Value::Addr(self.client.ip())));
        f("sport", Some(Value::U64(self.client.port().into())));
        f("dst", Some(Value::Addr(self.server.ip())));
        f("dport", Some(Value::U64(self.server.port().into())));
        match self.protocol {
            Protocol::None => {}
            Protocol::Tls => {
                let t = &self.tls;
                shown(f, "version", t.version);
                shown(f, "cipher", t.cipher);
                shown(f, "group", t.group);
                text(f, "sni", &t.sni);
                text(f, "server_cert_subject", &t.server_cert.subject);
                shown(f, "server_cert_not_after", t.server_cert.not_after);
                text(f, "server_cert_serial", &t.server_cert.serial);
                shown(f, "server_cert_sha256", t.server_cert.sha256);
                f(
                    "server_cert_chain_len",
                    t.server_cert.chain_len.map(|n| Value::U64(n.into())),
                );
                f(
                    "client_cert_requested",
                    t.client_cert_requested.map(Value::Bool),
                );
                f("client_cert_sent", t.client_cert_sent.map(Value::Bool));
                text(f, "client_cert_subject", &t.client_cert.subject);
                f("resumed", t.resumed.map(Value::Bool));
                flag(f, "hello_retry", t.hello_retry);
                shown(f, "ja3", t.ja3);
                shown(f, "ja4", t.ja4);
                text(f, "alpn", &t.alpn);
                shown(f, "client_hello_max_version", t.client_hello_max_version);
                shown(f, "signature_scheme", t.signature_scheme.map(Scheme));
                flag(f, "ssl2_client_hello", t.ssl2_client_hello);
                flag(f, "early_data_offered", t.early_data_offered);
                flag(f, "ech_extension", t.ech_extension);
                flag(f, "encrypt_then_mac", t.encrypt_then_mac);
                flag(f, "extended_master_secret", t.extended_master_secret);
                shown(f, "alerts", (t.alerts.count > 0).then_some(&t.alerts));
            }
            Protocol::Ssh => {
                let s = &self.ssh;
                text(f, "client_version", &s.client_version);
                text(f, "server_version", &s.server_version);
                f("ssh_protocol", s.protocol.map(|p| Value::U64(p.into())));
                text(f, "kex", &s.kex);
                text(f, "host_key_alg", &s.host_key_alg);
                text(f, "cipher_c2s", &s.c2s.cipher);
                text(f, "mac_c2s", &s.c2s.mac);
                text(f, "compression_c2s", &s.c2s.compression);
                f("mac_implicit_c2s", s.c2s.mac_implicit().map(Value::Bool));
                text(f, "cipher_s2c", &s.s2c.cipher);
                text(f, "mac_s2c", &s.s2c.mac);
                text(f, "compression_s2c", &s.s2c.compression);
                f("mac_implicit_s2c", s.s2c.mac_implicit().map(Value::Bool));
                shown(f, "hassh", s.hassh);
                shown(f, "hassh_server", s.hassh_server);
                text(f, "host_key_type_seen", &s.host_key_type);
                shown(f, "host_key_fingerprint", s.host_key_fingerprint);
                flag(f, "newkeys_client", s.newkeys_client);
                flag(f, "newkeys_server", s.newkeys_server);
            }
        }
        f("established", self.established.map(Value::Bool));
        flag(f, "failed", self.failed);
        flag(f, "inferred", self.inferred);
        f("pq", Some(Value::Str(self.pq.name())));
        f("role", Some(Value::Str(self.role.name())));
        f("source", Some(Value::Str(self.source.name())));
        flag(f, "open_at_end", self.open_at_end);
        flag(f, "midstream", self.midstream);
        flag(f, "cut", self.cut);
        flag(f, "gap", self.gap);
        flag(f, "malformed", self.malformed);
        f("clear_text", Some(Value::U64(self.clear_text.into())));
        f("first_packet", Some(Value::U64(self.first_packet)));
        f("packets", Some(Value::U64(self.packets)));
        f("bytes", Some(Value::U64(self.bytes)));
    }
}

/// Shows a signature scheme by name or number.
struct Scheme(u16);

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match crate::names::scheme_name(self.0) {
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

impl Detail for Record {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        self.fields(&mut |name, value| {
            if let Some(value) = value {
                v.field(name, value);
            }
        });
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
