//! The record: how one connection was protected.

use core::any::Any;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::flow::{FlowId, FlowInfo, FlowKey};
use hostward_hook::time::Now;

use crate::text::{Inline, Text};

mod ssh;
mod tls;

use tls::Scheme;

pub use ssh::{SshDirection, SshFacts};
pub use tls::{Alert, Alerts, Certificate, CipherSuite, Group, TlsFacts, TlsVersion};

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
                shown(f, "alerts", (t.alerts.count() > 0).then_some(&t.alerts));
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
