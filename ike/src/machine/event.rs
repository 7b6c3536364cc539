//! What the machine tells its host, and asks it.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, SocketAddr};

use hostward_crypto::signature::Ticket;
use hostward_hook::ident::TunnelId;
use hostward_hook::time::Instant;

use crate::auth::AuthMethod;
use crate::certificate::HashAndUrl;
use crate::identity::Identity;
use crate::keys::{DirectionKeys, Spis};
use crate::message::NotifyType;
use crate::policy::{DynVpnAction, Encapsulation};
use crate::proposal::{ChildSuite, IkeSuite, Protocol};
use crate::selector::Selector;

/// Between which addresses and ports messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "two ends")]
pub struct Path {
    /// This host's end.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
}

/// A datagram to be sent. On the port for NAT traversal it has its non-ESP marker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what, from where, to where")]
pub struct Transmit {
    /// From where to where.
    pub path: Path,
    /// The payload of UDP.
    pub bytes: Vec<u8>,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 3948 §2 knows three kinds")]
pub enum Received<'a> {
    /// It was IKE, and the machine dealt with it or dropped it.
    Ike,
    /// It is an ESP packet in UDP, for the host.
    Esp(&'a [u8]),
    /// It was a NAT keepalive, or nothing.
    Nothing,
}

/// Names an IKE SA as long as there is this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct SaId(pub u32);

/// Names a child SA likewise; one that replaces another has a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct ChildId(pub u32);

/// Names a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a number")]
pub struct QuestionId(pub u32);

/// What is known of an IKE SA: for displays, records, and zert's tunnels.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IkeFacts {
    /// Its number.
    pub id: SaId,
    /// Its SPIs.
    pub spis: Spis,
    /// Whether this host began it.
    pub initiator: bool,
    /// The `KeyExchangeRule`.
    pub rule: Box<str>,
    /// Its algorithms.
    pub suite: IkeSuite,
    /// Who this host said it is.
    pub local: Identity,
    /// Who the peer has proven it is.
    pub remote: Identity,
    /// How this host proved itself.
    pub local_method: AuthMethod,
    /// How the peer did.
    pub remote_method: AuthMethod,
    /// SHA-256 of the peer's certificate.
    pub remote_certificate: Option<[u8; 32]>,
    /// The label of this host's certificate.
    pub local_certificate: Option<String>,
    /// Whether a post-quantum preshared key is in the keys.
    pub ppk: bool,
    /// Whether the local or remote end is behind a NAT.
    pub nat: (bool, bool),
    /// Since when there are these keys.
    pub since: Instant,
    /// When it is renewed, and when it ends.
    pub renewed: Instant,
    /// When it ends, if it is not renewed.
    pub ends: Instant,
    /// When the peers authenticate again.
    pub reauthenticated: Option<Instant>,
}

/// One direction of a child SA.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an SPI and its keys")]
pub struct Direction {
    /// The SPI.
    pub spi: u32,
    /// The keys.
    pub keys: DirectionKeys,
}

/// A child SA to be installed: the parameters of both directions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChildSa {
    /// Its number.
    pub id: ChildId,
    /// The one it takes the place of.
    pub replaces: Option<ChildId>,
    /// What it is for.
    pub tunnel: TunnelId,
    /// How often it was renewed.
    pub generation: u32,
    /// Whether this host began the exchange that made it.
    pub initiator: bool,
    /// Algorithms.
    pub suite: ChildSuite,
    /// Tunnel or transport.
    pub mode: Encapsulation,
    /// What is received with.
    pub inbound: Direction,
    /// What is sent with. Until [`Event::ChildSwitch`] the older SA of the tunnel goes on sending, if there is one.
    pub outbound: Direction,
    /// This host's side of the traffic.
    pub local: Vec<Selector>,
    /// The peer's side.
    pub remote: Vec<Selector>,
    /// The ends of the tunnel; the ports matter with [`udp`](Self::udp).
    pub path: Path,
    /// Whether packets go in UDP (RFC 3948).
    pub udp: bool,
    /// In transport mode behind a NAT the addresses that both hosts know themselves by, local and remote, for
    /// checksums (RFC 7296 §2.23.1).
    pub original: Option<(IpAddr, IpAddr)>,
    /// Whether the peer takes padding beyond the least (no ESP_TFC_PADDING_NOT_SUPPORTED).
    pub tfc_padding: bool,
    /// When it is renewed, unless the volume is reached earlier.
    pub renewed: Instant,
    /// When it must not be used any more.
    pub ends: Instant,
    /// Kilobytes after which the host calls [`Ike::rekey_child`](super::Ike::rekey_child).
    pub kilobytes: Option<u32>,
    /// The `IpDynVpnAction`.
    pub action: Arc<DynVpnAction>,
    /// The IKE SA.
    pub ike: Arc<IkeFacts>,
}

/// An address that a peer was given, or gave (RFC 7296 §2.19).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what is given")]
pub struct Assigned {
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// Name servers.
    pub name_servers: Vec<IpAddr>,
}

/// Why an IKE SA or a child is not, or no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The host wanted it.
    #[error("ended by this host")]
    Local,
    /// The peer wanted it.
    #[error("ended by the peer")]
    Peer,
    /// The peer did not answer.
    #[error("no answer from the peer")]
    NoAnswer,
    /// The peer told an error.
    #[error("the peer answers {0}")]
    Told(NotifyType),
    /// This host told the peer an error.
    #[error("refused with {0}: {1}")]
    Refused(NotifyType, String),
    /// What the peer sent cannot be an answer.
    #[error("the answer of the peer is not acceptable: {0}")]
    Answer(String),
    /// No `KeyExchangeRule` is for this peer.
    #[error("no key exchange rule is for this peer")]
    NoRule,
    /// EZD1785I: the rule for the peer's identity does not take what was agreed on with the tentative one.
    #[error("the rule for the peer's identity does not accept the proposal that was chosen")]
    RuleChanged,
    /// The peer could not prove who it is.
    #[error("the peer could not prove who it is: {0}")]
    NotAuthenticated(String),
    /// This host could not prove who it is.
    #[error("this host has nothing to prove who it is with: {0}")]
    NoProof(String),
    /// Its life is over.
    #[error("its life is over")]
    Expired,
    /// Another one took its place.
    #[error("replaced")]
    Replaced,
    /// The peer says it has no other SA (INITIAL_CONTACT).
    #[error("the peer has begun anew")]
    InitialContact,
    /// The peer did not end a collision as it should have.
    #[error("the IKE SA ended with it")]
    WithIke,
    /// The crypto provider failed, or there were no random numbers.
    #[error("the crypto provider failed")]
    Crypto,
}

/// What happened. In the order of the events a child is installed before it is used, and removed after.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Both sides have proven who they are.
    Established(Arc<IkeFacts>),
    /// Install the child: inbound first, then outbound.
    ChildInstall(Box<ChildSa>),
    /// From now on send with this child.
    ChildSwitch(ChildId),
    /// Take the child away.
    ChildRemove(ChildId, Failure),
    /// There is no child for this tunnel.
    ChildFailed(TunnelId, Failure),
    /// The first IKE SA was replaced by the second, which has its children now.
    Rekeyed(SaId, Arc<IkeFacts>),
    /// The IKE SA is no more, and its children neither; each was taken away before.
    Closed(SaId, Failure),
    /// The other end is somewhere else: these children have another path.
    PeerMoved(SaId, Path, Vec<ChildId>),
    /// An address was given to this host, or to a peer.
    Address(SaId, Assigned),
    /// An exchange with a peer that could not even begin.
    Refused(Path, Failure),
}

/// What the host is asked; it answers with [`Ike::answer`](super::Ike::answer) when it can.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Question {
    /// A signature that its [`Signer`](hostward_crypto::Signer) makes later: by this ticket.
    Sign(SaId, Ticket),
    /// A certificate that is to be had at an address.
    Certificate(SaId, HashAndUrl),
    /// An address for this peer, which would like these ones.
    Address(SaId, Identity, Vec<IpAddr>),
}

/// What the host answers.
#[derive(Clone)]
#[non_exhaustive]
pub enum Answer {
    /// The signature, or none.
    Signature(Option<Vec<u8>>),
    /// What is at the address, or nothing.
    Certificate(Option<Vec<u8>>),
    /// The addresses, or none.
    Address(Option<Assigned>),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature(_) => "Signature",
            Self::Certificate(_) => "Certificate",
            Self::Address(_) => "Address",
        })
    }
}

/// Two protocols have SPIs of their own; together they name a child of an IKE SA.
pub(super) type ChildSpi = (Protocol, u32);
