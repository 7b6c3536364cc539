//! The record: how one connection was protected.

use core::any::Any;
use core::fmt::{self, Write as _};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use alloc::boxed::Box;
use alloc::sync::Arc;
use hostward_hook::event::{Detail, FieldVisitor, Value};

use hostward_hook::flow::{FlowId, FlowInfo, FlowKey};
use hostward_hook::ident::{JobId, UserId};
use hostward_hook::layout::proto;
use hostward_hook::meta::Direction;
use hostward_hook::time::Now;

use crate::names::ike as numbers;
use crate::text::{Hex, Inline, Text};

mod ike;
mod ipsec;
mod ssh;
mod tls;

use ike::Named;
use tls::Scheme;

pub use ike::{Few, IkeChosen, IkeSeen, SpiSeen};
pub use ipsec::{FilterFacts, IkeFacts, IpsecFacts, RuleFacts};
pub use ssh::{SshDirection, SshFacts};
pub use tls::{
    Alert, Alerts, Certificate, CipherSuite, Group, Oid, SessionId, TlsFacts, TlsVersion,
};

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
    /// TLS over datagrams.
    Dtls,
    /// QUIC, which carries TLS 1.3.
    Quic,
    /// IKE.
    Ike,
    /// ESP, seen on the way.
    Esp,
    /// AH, seen on the way.
    Ah,
    /// WireGuard.
    Wireguard,
    /// IPsec, as the stack says, of a connection that nothing else protects.
    Ipsec,
}

impl Protocol {
    /// The name in machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tls => "tls",
            Self::Ssh => "ssh",
            Self::Dtls => "dtls",
            Self::Quic => "quic",
            Self::Ike => "ike",
            Self::Esp => "esp",
            Self::Ah => "ah",
            Self::Wireguard => "wireguard",
            Self::Ipsec => "ipsec",
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
    /// Read from the stream (z/OS: 1).
    #[default]
    Observed,
    /// Told by the library that negotiated them (z/OS: 2).
    Advised,
}

impl Source {
    /// The name in machine-readable output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Advised => "advised",
        }
    }
}

/// What went over a connection, as the local host counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "both directions of both counts")]
pub struct Traffic {
    /// Bytes received, IP headers included.
    pub in_bytes: u64,
    /// Bytes sent, IP headers included.
    pub out_bytes: u64,
    /// Packets received.
    pub in_packets: u64,
    /// Packets sent.
    pub out_packets: u64,
}

/// What a field of a record holds.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Field<'a> {
    /// Nothing: it is not known, or it was not there.
    Absent,
    /// One value.
    One(Value<'a>),
    /// Whether each side did it.
    Sides {
        /// The client did.
        client: bool,
        /// The server did.
        server: bool,
    },
    /// A list of alerts, which may be empty.
    Alerts(&'a Alerts),
    /// A list of names, which may be empty.
    Names(&'a [&'a str]),
    /// Several values with names of their own.
    Group(&'a [(&'static str, Option<Value<'a>>)]),
}

impl<'a> Field<'a> {
    fn of(value: Option<Value<'a>>) -> Self {
        value.map_or(Self::Absent, Self::One)
    }
}

/// Receives the fields of a record.
type Visit<'v> = &'v mut dyn FnMut(&'static str, Field<'_>);

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
    /// The same by direction, as the local host counts.
    pub traffic: Traffic,
    /// The local side is the client (by its part in the handshake, else by who opened the connection).
    pub local_is_client: bool,
    /// The local side opened the connection.
    pub local_opened: bool,
    /// Owner of the local socket, as far as known.
    pub user: UserId,
    /// Job of the local socket, as far as known.
    pub job: JobId,
    /// The tunnel the connection goes through, whatever else protects it.
    pub ipsec: Option<Box<IpsecFacts>>,
    /// The filter rules the connection is under, where they are told.
    pub filter: Option<Box<FilterFacts>>,
    /// TLS facts; empty unless `protocol` is [`Protocol::Tls`], [`Protocol::Dtls`] or
    /// [`Protocol::Quic`].
    pub tls: TlsFacts,
    /// SSH facts; empty unless `protocol` is [`Protocol::Ssh`].
    pub ssh: SshFacts,
    /// What was read from the stream, when a provider told more ([`Source::Advised`]). See
    /// [`observed`](Self::observed).
    pub observation: Option<Box<Observation>>,
    /// The rule of enforcement that had the connection reset.
    pub reset_by: Option<Arc<str>>,
    /// IKE messages seen; `None` unless `protocol` is [`Protocol::Ike`].
    pub ike: Option<Box<IkeSeen>>,
    /// Protected packets seen; `None` unless `protocol` is [`Protocol::Esp`] or [`Protocol::Ah`].
    pub spi: Option<SpiSeen>,
}

/// What was read from the stream of a connection of which a provider told more.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Observation {
    /// What was seen to protect the connection.
    pub protocol: Protocol,
    /// The handshake was seen to be completed; `None` without one.
    pub established: Option<bool>,
    /// TLS facts; empty unless `protocol` is [`Protocol::Tls`].
    pub tls: TlsFacts,
    /// SSH facts; empty unless `protocol` is [`Protocol::Ssh`].
    pub ssh: SshFacts,
}

/// What can be said of a connection without any provider's word: see [`Record::observed`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Observed<'a> {
    /// Neither TLS nor SSH was seen.
    Nothing,
    /// TLS, as it was seen.
    Tls(&'a TlsFacts),
    /// SSH, as it was seen.
    Ssh(&'a SshFacts),
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
            traffic: Traffic::default(),
            local_is_client: false,
            local_opened: false,
            user: UserId::default(),
            job: JobId::default(),
            ipsec: None,
            filter: None,
            tls: TlsFacts::default(),
            ssh: SshFacts::default(),
            observation: None,
            ike: None,
            spi: None,
            reset_by: None,
        }
    }
}

impl Record {
    /// What was read from the stream itself, whoever told more: rules about TLS and SSH go by
    /// this alone. Datagram protocols are always observed and not shown here.
    #[must_use]
    pub fn observed(&self) -> Observed<'_> {
        let (protocol, tls, ssh) = match &self.observation {
            Some(o) => (o.protocol, &o.tls, &o.ssh),
            None => (self.protocol, &self.tls, &self.ssh),
        };
        if self.source == Source::Advised && self.observation.is_none() {
            return Observed::Nothing;
        }
        match protocol {
            Protocol::Tls => Observed::Tls(tls),
            Protocol::Ssh => Observed::Ssh(ssh),
            Protocol::None
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard
            | Protocol::Ipsec => Observed::Nothing,
        }
    }

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

    /// Takes over what was read of a handshake.
    pub(crate) fn assign_seen(&mut self, from: &Self) {
        self.protocol = from.protocol;
        self.established = from.established;
        self.failed = from.failed;
        self.inferred = from.inferred;
        self.pq = from.pq;
        self.cut = from.cut;
        self.gap = from.gap;
        self.malformed = from.malformed;
        self.clear_text = from.clear_text;
        match from.protocol {
            Protocol::Tls => self.tls.assign(&from.tls),
            Protocol::Ssh => self.ssh.assign(&from.ssh),
            Protocol::None
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard
            | Protocol::Ipsec => {}
        }
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
        self.local_opened = flow.direction == Direction::Outbound;
        self.local_is_client = self.local_opened == client_is_initiator;
        let (sent, received) = if self.local_opened {
            (flow.initiator, flow.responder)
        } else {
            (flow.responder, flow.initiator)
        };
        self.traffic = Traffic {
            in_bytes: received.bytes,
            out_bytes: sent.bytes,
            in_packets: received.packets,
            out_packets: sent.packets,
        };
        self.user = flow.user;
        self.job = flow.job;
    }

    /// The local end.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        if self.local_is_client {
            self.client
        } else {
            self.server
        }
    }

    /// The other end.
    #[must_use]
    pub const fn remote(&self) -> SocketAddr {
        if self.local_is_client {
            self.server
        } else {
            self.client
        }
    }

    /// The connection's addresses and ports, client first.
    #[must_use]
    pub fn key(&self) -> Option<FlowKey> {
        FlowKey::new(self.client, self.server, self.ip_protocol())
    }

    /// The number of the protocol over IP that carries the connection. What goes through a tunnel
    /// unprotected by anything else counts as TCP.
    #[must_use]
    pub const fn ip_protocol(&self) -> u8 {
        match self.protocol {
            Protocol::None | Protocol::Tls | Protocol::Ssh | Protocol::Ipsec => proto::TCP,
            Protocol::Dtls | Protocol::Quic | Protocol::Ike | Protocol::Wireguard => proto::UDP,
            Protocol::Ah => proto::AH,
            Protocol::Esp => match self.spi {
                Some(SpiSeen {
                    udp_encapsulated: true,
                    ..
                }) => proto::UDP,
                _ => proto::ESP,
            },
        }
    }

    /// What the stack tells and does: the tunnel, the filter rules, and the rule that ended it.
    fn stack_fields(&self, f: Visit<'_>) {
        let ipsec = self.ipsec.as_deref();
        let transforms = ipsec.map(|i| &i.transforms);
        number(f, "tunnel", ipsec.map(|i| i.tunnel.0));
        number(
            f,
            "tunnel_protocol",
            ipsec.map(|i| i.protocol).filter(|p| *p > 0),
        );
        number(
            f,
            "tunnel_encryption",
            transforms.and_then(|t| t.encryption),
        );
        number(f, "tunnel_integrity", transforms.and_then(|t| t.integrity));
        number(f, "tunnel_group", transforms.and_then(|t| t.group));
        let rules = self.filter.as_deref();
        for (name, rule) in [
            ("filter_in", rules.and_then(|r| r.inbound.as_ref())),
            ("filter_out", rules.and_then(|r| r.outbound.as_ref())),
        ] {
            f(
                name,
                Field::of(rule.and_then(|r| r.name.get()).map(Value::Str)),
            );
        }
        f(
            "reset_by",
            Field::of(self.reset_by.as_deref().map(Value::Str)),
        );
    }

    /// Shows every field of the record's protocol, absent ones too, in the order of
    /// machine-readable output. Names are those of the JSON output.
    pub fn fields(&self, f: &mut dyn FnMut(&'static str, Field<'_>)) {
        f("proto", Field::One(Value::Str(self.protocol.name())));
        f("src", Field::One(Value::Addr(self.client.ip())));
        let ports = !matches!(self.ip_protocol(), proto::ESP | proto::AH);
        number(f, "sport", ports.then_some(self.client.port()));
        f("dst", Field::One(Value::Addr(self.server.ip())));
        number(f, "dport", ports.then_some(self.server.port()));
        match self.protocol {
            Protocol::None => {}
            Protocol::Tls | Protocol::Dtls => tls_fields(&self.tls, f),
            Protocol::Quic => {
                let version = self.tls.quic_version.map(|v| HexNumber(v.into(), 10));
                shown(f, "quic_version", version);
                tls_fields(&self.tls, f);
            }
            Protocol::Ssh => ssh_fields(&self.ssh, f),
            Protocol::Ike => ike_fields(self.ike.as_deref().unwrap_or(&IkeSeen::default()), f),
            Protocol::Esp | Protocol::Ah => {
                let seen = self.spi.unwrap_or_default();
                shown(f, "spi", Some(HexNumber(seen.spi.into(), 10)));
                flag(f, "udp_encapsulated", Some(seen.udp_encapsulated));
            }
            Protocol::Wireguard | Protocol::Ipsec => {}
        }
        flag(f, "failed", Some(self.failed));
        flag(f, "established", self.established);
        flag(f, "inferred", Some(self.inferred));
        f("pq", Field::One(Value::Str(self.pq.name())));
        f("role", Field::One(Value::Str(self.role.name())));
        f("source", Field::One(Value::Str(self.source.name())));
        let provider = match self.protocol {
            Protocol::Ssh => &self.ssh.provider,
            Protocol::None
            | Protocol::Tls
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard
            | Protocol::Ipsec => &self.tls.provider,
        };
        text(f, "provider", provider);
        self.stack_fields(f);
        flag(f, "midstream", Some(self.midstream));
        flag(f, "cut", Some(self.cut));
        flag(f, "gap", Some(self.gap));
        flag(f, "malformed", Some(self.malformed));
        number(f, "clear_text", Some(self.clear_text));
        number(f, "first_packet", Some(self.first_packet));
        number(f, "packets", Some(self.packets));
        number(f, "bytes", Some(self.bytes));
        flag(f, "open_at_end", Some(self.open_at_end));
    }
}

/// 0 is "not known".
fn known(n: u16) -> Option<u16> {
    (n > 0).then_some(n)
}

fn text(f: Visit<'_>, name: &'static str, t: &Text) {
    f(name, Field::of(t.get().map(Value::Str)));
}

fn shown(f: Visit<'_>, name: &'static str, v: Option<impl fmt::Display>) {
    let v = v.map(Inline::<96>::of);
    f(name, Field::of(v.as_ref().map(|v| Value::Str(v.as_str()))));
}

fn flag(f: Visit<'_>, name: &'static str, b: Option<bool>) {
    f(name, Field::of(b.map(Value::Bool)));
}

fn number(f: Visit<'_>, name: &'static str, n: Option<impl Into<u64>>) {
    f(name, Field::of(n.map(|n| Value::U64(n.into()))));
}

/// A number in hexadecimal with `0x`, so many characters wide.
struct HexNumber(u64, usize);

impl fmt::Display for HexNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#0width$x}", self.0, width = self.1)
    }
}

/// Shows numbers by their names.
fn names<const N: usize>(
    f: Visit<'_>,
    name: &'static str,
    numbers: &Few<N>,
    of: impl Fn(u16) -> Option<&'static str>,
) {
    let shown = numbers.list().map(|n| Inline::<40>::of(Named(of(n), n)));
    let mut list = [""; N];
    for (place, text) in list.iter_mut().zip(&shown) {
        *place = text.as_str();
    }
    f(
        name,
        Field::Names(list.get(..numbers.as_slice().len()).unwrap_or(&list)),
    );
}

fn ike_fields(i: &IkeSeen, f: Visit<'_>) {
    shown(f, "version", Some(format_args!("IKEv{}", i.major)));
    shown(f, "spi_i", Some(Hex(i.spi_i.to_be_bytes())));
    let answered = (i.spi_r != 0).then_some(Hex(i.spi_r.to_be_bytes()));
    shown(f, "spi_r", answered);
    names(f, "exchanges", &i.exchanges, |n| {
        numbers::exchange(i.major, n)
    });
    number(f, "messages", Some(i.messages));
    number(f, "proposals_offered", Some(i.proposals_offered));
    match &i.chosen {
        None => f("chosen", Field::Absent),
        Some(c) => {
            let named = |n: Option<u16>, of: fn(u16) -> Option<&'static str>| {
                n.map(|n| Inline::<40>::of(Named(of(n), n)))
            };
            let encr = Inline::<40>::of(Named(numbers::encryption(i.major, c.encr), c.encr));
            let prf = named(c.prf, numbers::prf);
            let integ = named(c.integ, numbers::integrity);
            let hash = named(c.hash, numbers::hash);
            let auth = named(c.auth, numbers::authentication);
            let ke = named(c.ke, numbers::key_exchange);
            let mut additional = Inline::<96>::new();
            for (n, ke) in c.additional.iter().filter(|ke| **ke != 0).enumerate() {
                let comma = if n > 0 { "," } else { "" };
                // What does not fit is cut.
                let _ = write!(
                    additional,
                    "{comma}{}",
                    Named(numbers::key_exchange(*ke), *ke)
                );
            }
            fn text<const N: usize>(t: &Option<Inline<N>>) -> Option<Value<'_>> {
                t.as_ref().map(|t| Value::Str(t.as_str()))
            }
            let more = additional.as_str();
            f(
                "chosen",
                Field::Group(&[
                    ("encr", Some(Value::Str(encr.as_str()))),
                    (
                        "key_length",
                        (c.key_length > 0).then_some(Value::U64(c.key_length.into())),
                    ),
                    ("prf", text(&prf)),
                    ("integ", text(&integ)),
                    ("hash", text(&hash)),
                    ("auth", text(&auth)),
                    ("dh", text(&ke)),
                    ("additional", (!more.is_empty()).then_some(Value::Str(more))),
                ]),
            );
        }
    }
    names(f, "notifies", &i.notifies, numbers::notify);
    flag(f, "nat_t", Some(i.nat_t));
}

fn tls_fields(t: &TlsFacts, f: Visit<'_>) {
    shown(f, "version", t.version);
    shown(f, "cipher", t.cipher);
    shown(f, "group", t.group);
    text(f, "sni", &t.sni);
    text(f, "server_cert_subject", &t.server_cert.subject);
    shown(f, "server_cert_not_after", t.server_cert.not_after);
    text(f, "server_cert_serial", &t.server_cert.serial);
    text(f, "server_cert_issuer", &t.server_cert.issuer);
    shown(f, "server_cert_signature", t.server_cert.signature);
    shown(f, "server_cert_key", t.server_cert.key);
    shown(f, "server_cert_curve", t.server_cert.curve);
    number(f, "server_cert_key_bits", known(t.server_cert.key_bits));
    shown(f, "server_cert_sha256", t.server_cert.sha256);
    number(f, "server_cert_chain_len", t.server_cert.chain_len);
    flag(f, "client_cert_requested", t.client_cert_requested);
    flag(f, "client_cert_sent", t.client_cert_sent);
    text(f, "client_cert_subject", &t.client_cert.subject);
    flag(f, "resumed", t.resumed);
    flag(f, "hello_retry", Some(t.hello_retry));
    shown(f, "ja3", t.ja3);
    shown(f, "ja4", t.ja4);
    text(f, "alpn", &t.alpn);
    shown(f, "client_hello_max_version", t.client_hello_max_version);
    shown(f, "client_random", t.client_random);
    shown(f, "signature_scheme", t.signature_scheme.map(Scheme));
    flag(f, "ssl2_client_hello", Some(t.ssl2_client_hello));
    flag(f, "early_data_offered", Some(t.early_data_offered));
    flag(f, "ech_extension", Some(t.ech_extension));
    flag(f, "encrypt_then_mac", Some(t.encrypt_then_mac));
    flag(f, "extended_master_secret", Some(t.extended_master_secret));
    f("alerts", Field::Alerts(&t.alerts));
    let (client, server) = (t.app_data_client, t.app_data_server);
    f("app_data", Field::Sides { client, server });
}

fn ssh_fields(s: &SshFacts, f: Visit<'_>) {
    text(f, "client_version", &s.client_version);
    text(f, "server_version", &s.server_version);
    number(f, "ssh_protocol", s.protocol);
    text(f, "kex", &s.kex);
    text(f, "host_key_alg", &s.host_key_alg);
    text(f, "cipher_c2s", &s.c2s.cipher);
    text(f, "mac_c2s", &s.c2s.mac);
    text(f, "compression_c2s", &s.c2s.compression);
    flag(f, "mac_implicit_c2s", s.c2s.mac_implicit());
    text(f, "cipher_s2c", &s.s2c.cipher);
    text(f, "mac_s2c", &s.s2c.mac);
    text(f, "compression_s2c", &s.s2c.compression);
    flag(f, "mac_implicit_s2c", s.s2c.mac_implicit());
    shown(f, "hassh", s.hassh);
    shown(f, "hassh_server", s.hassh_server);
    text(f, "host_key_type_seen", &s.host_key_type);
    shown(f, "host_key_fingerprint", s.host_key_fingerprint);
    number(f, "host_key_bits", known(s.host_key_bits));
    flag(f, "strict_kex", s.strict_kex);
    let (client, server) = (s.newkeys_client, s.newkeys_server);
    f("newkeys", Field::Sides { client, server });
    // User authentication is encrypted (RFC 4252): nobody on the path can tell its outcome.
    f("auth_success", Field::Absent);
}

impl Detail for Record {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        self.fields(&mut |name, field| match field {
            Field::Absent => {}
            Field::One(value) => v.field(name, value),
            Field::Sides { client, server } => {
                let who = match (client, server) {
                    (true, true) => "both",
                    (true, false) => "client",
                    (false, true) => "server",
                    (false, false) => "none",
                };
                v.field(name, Value::Str(who));
            }
            Field::Names(names) => {
                let mut list = Inline::<256>::new();
                for (n, name) in names.iter().enumerate() {
                    let comma = if n > 0 { "," } else { "" };
                    // What does not fit is cut.
                    let _ = write!(list, "{comma}{name}");
                }
                if !names.is_empty() {
                    v.field(name, Value::Str(list.as_str()));
                }
            }
            Field::Group(fields) => {
                for (name, value) in fields {
                    if let Some(value) = value {
                        v.field(name, *value);
                    }
                }
            }
            Field::Alerts(alerts) => {
                if alerts.count() > 0 {
                    let alerts = Inline::<96>::of(alerts);
                    v.field(name, Value::Str(alerts.as_str()));
                }
            }
        });
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
