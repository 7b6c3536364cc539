//! Protection facts: what those who protect traffic tell those who record it.
//!
//! A TLS or SSH library, IPsec, IKE, AT-TLS and the IP filter know more about a connection's
//! protection than can be seen on the wire. They tell it as plain data to a [`ProtectionSink`]
//! and need not know who listens. Algorithms are named as their protocol names them — registry
//! numbers for TLS and IKEv2, names for SSH, object identifiers for certificates — so that
//! nothing is lost on the way; who records maps them to what the record wants. Everything is
//! borrowed: nothing is allocated, and keys, nonces and other secrets have no place here.
//!
//! The structs are open for new fields: start from `default()`, which says "not known"
//! throughout, and set what you know.
//!
//! ```
//! use hostward_hook::protection::{Fact, TlsSession};
//! use hostward_hook::Side;
//!
//! let mut session = TlsSession::default();
//! session.version = 0x0304;
//! session.cipher_suite = Some(0x1301);
//! session.group = Some(0x11ec);
//! session.client = Some(Side::Initiator);
//! let fact = Fact::TlsSession(session);
//! # let _ = fact;
//! ```

use core::net::IpAddr;
use core::time::Duration;

use crate::action::Cx;
use crate::flow::FlowKey;
use crate::hooks::Side;
use crate::ident::{RuleId, SaId, TunnelId};
use crate::time::UnixTime;

/// A protocol that protects connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// TLS or SSL over TCP.
    Tls,
    /// TLS over datagrams.
    Dtls,
    /// QUIC, which carries TLS 1.3.
    Quic,
    /// SSH.
    Ssh,
    /// IPsec.
    Ipsec,
}

/// One thing to be told about one connection.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fact<'a> {
    /// A handshake is about to begin in the middle of the stream (STARTTLS): look at what comes
    /// next. Told again while that handshake goes on it changes nothing.
    HandshakeHint(Protocol),
    /// A TLS, DTLS or QUIC session was established, resumed or renegotiated.
    TlsSession(TlsSession<'a>),
    /// An SSH session was established, or its keys were exchanged anew.
    SshSession(SshSession<'a>),
    /// The connection's packets go through an IPsec tunnel from now on.
    IpsecTunnel(IpsecTunnel<'a>),
    /// A handshake failed.
    HandshakeFailed(Failure<'a>),
    /// A session ended while the connection may go on.
    SessionEnded(Protocol),
    /// Which filter rules apply to the connection.
    FilterRules(FilterRules<'a>),
}

/// Whether a handshake was complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Handshake {
    /// Not known.
    #[default]
    Unknown,
    /// All of it.
    Full,
    /// An earlier session was resumed.
    Resumed,
    /// Keyed with a pre-shared key that does not come from an earlier session.
    Psk,
}

/// Whether validated cryptography was used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fips {
    /// Not known.
    #[default]
    Unknown,
    /// No.
    Off,
    /// Yes, at this FIPS 140 level.
    Level(u8),
}

/// A certificate, as far as it is known. Everything but `der` may be left to the listener when
/// `der` is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate<'a> {
    /// The whole certificate in DER.
    pub der: Option<&'a [u8]>,
    /// Subject as text (RFC 4514).
    pub subject: Option<&'a str>,
    /// Issuer as text (RFC 4514).
    pub issuer: Option<&'a str>,
    /// Content octets of the serial number; empty when not known.
    pub serial: &'a [u8],
    /// End of validity.
    pub not_after: Option<UnixTime>,
    /// Content octets of the signature algorithm's object identifier; empty when not known.
    pub signature: &'a [u8],
    /// Content octets of the key algorithm's object identifier; empty when not known.
    pub key: &'a [u8],
    /// Length of the key in bits, 0 when not known.
    pub key_bits: u16,
}

/// A TLS, DTLS or QUIC session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsSession<'a> {
    /// Name of the library.
    pub provider: &'a str,
    /// TLS over TCP when not said otherwise.
    pub protocol: Option<Protocol>,
    /// Version on the wire: 0x0304 is TLS 1.3, 0xfefd DTLS 1.2; 0 when not known.
    pub version: u16,
    /// Cipher suite (IANA number).
    pub cipher_suite: Option<u16>,
    /// Key-exchange group (IANA number).
    pub group: Option<u16>,
    /// Signature scheme the server used (IANA number).
    pub server_signature: Option<u16>,
    /// Signature scheme the client used (IANA number).
    pub client_signature: Option<u16>,
    /// Which endpoint is the TLS client; it need not be the one that opened the connection.
    pub client: Option<Side>,
    /// Kind of handshake.
    pub handshake: Handshake,
    /// Whether the client authenticated itself.
    pub client_authenticated: Option<bool>,
    /// Whether encrypt-then-MAC is in use (RFC 7366).
    pub encrypt_then_mac: Option<bool>,
    /// Whether raw public keys stand in place of certificates (RFC 7250).
    pub raw_public_key: Option<bool>,
    /// Session identifier; empty when there is none.
    pub session_id: &'a [u8],
    /// Server name the client asked for.
    pub server_name: Option<&'a str>,
    /// Application protocol that was agreed on (RFC 7301).
    pub alpn: Option<&'a [u8]>,
    /// Validated cryptography.
    pub fips: Fips,
    /// The server's certificate.
    pub server_certificate: Option<Certificate<'a>>,
    /// The client's certificate.
    pub client_certificate: Option<Certificate<'a>>,
}

/// Algorithms of one direction of an SSH session, by their names (RFC 4250 section 4.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SshDirection<'a> {
    /// Encryption; empty when not known.
    pub encryption: &'a str,
    /// Message authentication; empty when not known or implied by the encryption.
    pub mac: &'a str,
    /// Compression; empty when not known.
    pub compression: &'a str,
}

/// A raw SSH key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SshKey<'a> {
    /// Name of the key's algorithm.
    pub algorithm: &'a str,
    /// Length in bits, 0 when not known.
    pub bits: u16,
    /// Fingerprint as text, such as `SHA256:…`.
    pub fingerprint: Option<&'a str>,
    /// The certificate, if it is more than a raw key.
    pub certificate: Option<Certificate<'a>>,
}

/// An SSH session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SshSession<'a> {
    /// Name of the library.
    pub provider: &'a str,
    /// Protocol version: 2, 1, or 0 when not known.
    pub version: u8,
    /// Key-exchange method.
    pub key_exchange: &'a str,
    /// What the client sends is protected by.
    pub client_to_server: SshDirection<'a>,
    /// What the server sends is protected by.
    pub server_to_client: SshDirection<'a>,
    /// The server's host key.
    pub server_key: Option<SshKey<'a>>,
    /// The client's key.
    pub client_key: Option<SshKey<'a>>,
    /// User authentication methods that succeeded, in order (RFC 4252).
    pub authentication: [Option<&'a str>; 2],
    /// Which endpoint is the SSH client.
    pub client: Option<Side>,
    /// Validated cryptography.
    pub fips: Fips,
}

/// How IPsec encloses packets (RFC 4301 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4301 knows these two")]
pub enum Encapsulation {
    /// A new IP header in front.
    Tunnel,
    /// Between the IP header and what it carries.
    Transport,
}

/// Where an IPsec tunnel comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TunnelKind {
    /// Configured with its keys.
    Manual,
    /// Negotiated by IKE.
    Dynamic,
}

/// Transforms of an association by their IKEv2 numbers (RFC 7296 section 3.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transforms {
    /// Encryption (transform type 1); `Some(11)` is NULL.
    pub encryption: Option<u16>,
    /// Key length of the encryption in bits, 0 when fixed or not known.
    pub encryption_bits: u16,
    /// Pseudo-random function (type 2); IKE only.
    pub prf: Option<u16>,
    /// Integrity (type 3); `None` also for combined-mode encryption.
    pub integrity: Option<u16>,
    /// Key-exchange method (type 4); for a child association `Some` means perfect forward
    /// secrecy.
    pub group: Option<u16>,
    /// Additional key exchanges (types 6 to 12, RFC 9370), in order.
    pub additional_groups: [Option<u16>; 7],
}

/// The IKE association behind a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IkeAssociation<'a> {
    /// Number of the association at its owner.
    pub id: u32,
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Name of the key-exchange rule.
    pub rule: &'a str,
    /// Transforms.
    pub transforms: Transforms,
    /// How this host authenticated itself (IKEv2 authentication method number).
    pub local_method: Option<u8>,
    /// How the peer authenticated itself (IKEv2 authentication method number).
    pub remote_method: Option<u8>,
    /// This host's certificate.
    pub local_certificate: Option<Certificate<'a>>,
    /// The peer's certificate.
    pub remote_certificate: Option<Certificate<'a>>,
    /// Bytes after which it is renewed, 0 for no limit.
    pub life_bytes: u64,
    /// Time after which it is renewed.
    pub life_time: Option<Duration>,
    /// Time after which the peers authenticate again.
    pub reauthentication: Option<Duration>,
}

/// An IPsec tunnel: a pair of security associations and what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IpsecTunnel<'a> {
    /// The tunnel.
    pub tunnel: TunnelId,
    /// Association of received packets; `None` when they come unprotected.
    pub inbound: Option<SaId>,
    /// Association of sent packets; `None` when they go unprotected.
    pub outbound: Option<SaId>,
    /// Where it comes from.
    pub kind: Option<TunnelKind>,
    /// This host's end.
    pub local: Option<IpAddr>,
    /// The peer's end.
    pub remote: Option<IpAddr>,
    /// 50 for ESP, 51 for AH, 0 when not known.
    pub protocol: u8,
    /// How packets are enclosed.
    pub encapsulation: Option<Encapsulation>,
    /// Whether ESP travels in UDP (RFC 3948).
    pub udp_encapsulation: bool,
    /// Transforms.
    pub transforms: Transforms,
    /// Bytes after which the associations are renewed, 0 for no limit.
    pub life_bytes: u64,
    /// Time after which the associations are renewed.
    pub life_time: Option<Duration>,
    /// When the tunnel ends for good.
    pub expires: Option<UnixTime>,
    /// Validated cryptography.
    pub fips: Fips,
    /// The IKE association that negotiated it.
    pub ike: Option<IkeAssociation<'a>>,
}

/// A handshake that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure<'a> {
    /// The protocol.
    pub protocol: Protocol,
    /// The TLS alert or SSH disconnect reason, if one was sent.
    pub number: Option<u32>,
    /// The library's words.
    pub text: Option<&'a str>,
}

impl Failure<'_> {
    /// A failure of which nothing more is known.
    #[must_use]
    pub const fn new(protocol: Protocol) -> Self {
        Self {
            protocol,
            number: None,
            text: None,
        }
    }
}

/// What a filter rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FilterAction {
    /// Lets pass.
    Permit,
    /// Stops.
    Deny,
    /// Lets pass through a tunnel only.
    Protect,
}

/// One filter rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterRule<'a> {
    /// Its place in the set of the generation in force.
    pub rule: RuleId,
    /// Its name.
    pub name: &'a str,
    /// The name's extension, which tells the rules made from one statement apart.
    pub extension: &'a str,
    /// What it does.
    pub action: FilterAction,
}

impl<'a> FilterRule<'a> {
    /// A rule.
    #[must_use]
    pub const fn new(rule: RuleId, name: &'a str, action: FilterAction) -> Self {
        Self {
            rule,
            name,
            extension: "",
            action,
        }
    }
}

/// The filter rules of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterRules<'a> {
    /// The rule for received packets.
    pub inbound: Option<FilterRule<'a>>,
    /// The rule for sent packets.
    pub outbound: Option<FilterRule<'a>>,
}

/// Takes protection facts. Like an event sink it must not block and cannot fail.
pub trait ProtectionSink {
    /// A fact about the connection with these addresses and ports, in either order. Sides in the
    /// fact are sides of the connection: the initiator opened it.
    fn protection(&mut self, cx: &mut Cx<'_>, flow: &FlowKey, fact: &Fact<'_>);

    /// The parameters of a security association that was installed or changed; `None` when it is
    /// gone. Which connections it carries is told by
    /// [`sa_bound`](crate::hooks::StreamObserver::sa_bound).
    fn association(&mut self, cx: &mut Cx<'_>, sa: SaId, parameters: Option<&IpsecTunnel<'_>>) {
        let _ = (cx, sa, parameters);
    }
}

/// Forgets every fact.
impl ProtectionSink for () {
    fn protection(&mut self, _: &mut Cx<'_>, _: &FlowKey, _: &Fact<'_>) {}
}

impl<T: ProtectionSink + ?Sized> ProtectionSink for &mut T {
    fn protection(&mut self, cx: &mut Cx<'_>, flow: &FlowKey, fact: &Fact<'_>) {
        (**self).protection(cx, flow, fact);
    }

    fn association(&mut self, cx: &mut Cx<'_>, sa: SaId, parameters: Option<&IpsecTunnel<'_>>) {
        (**self).association(cx, sa, parameters);
    }
}
