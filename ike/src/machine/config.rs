//! What a host sets beside its policy, and every bound on what peers can make this side keep or do.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use hostward_crypto::Secret;
use hostward_hook::ident::TunnelId;

use crate::certificate::{self, Credential, TrustStore};
use crate::message;
use crate::policy::{DynVpnAction, LocalStartAction};
use crate::proposal::Preference;
use crate::protect::FragmentLimits;
use crate::selector::Selector;

/// Bounds. Each one that is reached is counted in [`Counters`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a host sets all it wants by name over the defaults"
)]
pub struct Limits {
    /// What one message may contain.
    pub message: message::Limits,
    /// What a peer's certificates may cost.
    pub certificates: certificate::Limits,
    /// A message that comes in fragments.
    pub fragments: FragmentLimits,
    /// IKE SAs of all kinds.
    pub sas: usize,
    /// IKE SAs that peers began and that are not authenticated. Beyond it new ones are dropped.
    pub half_open: usize,
    /// Those of one source: an IPv4 address, or 64 bits of an IPv6 address.
    pub half_open_per_source: usize,
    /// Half-open SAs from which on cookies are asked for (RFC 7296 §2.6).
    pub cookies_from: usize,
    /// Half-open SAs below which that ends.
    pub cookies_until: usize,
    /// How long a peer has to authenticate itself.
    pub half_open_time: Duration,
    /// Answers to IKE_SA_INIT that make an initiator begin anew: cookies, other groups.
    pub retries: u32,
    /// Redirections that are followed in [`redirect_time`](Self::redirect_time) (RFC 5685 §7).
    pub redirects: u32,
    /// See [`redirects`](Self::redirects).
    pub redirect_time: Duration,
    /// Child SAs of an IKE SA.
    pub children: usize,
    /// Exchanges of this side that wait for their turn on one IKE SA.
    pub queue: usize,
    /// Answers outside of any SA (INVALID_IKE_SPI, INVALID_MAJOR_VERSION) in a second.
    pub answers_per_second: u32,
    /// Questions to the host that are open.
    pub questions: usize,
    /// How long TEMPORARY_FAILURE is borne before the IKE SA is given up (RFC 7296 §2.25).
    pub patience: Duration,
    /// Octets of payloads in one message of this side.
    pub sent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: message::Limits::default(),
            certificates: certificate::Limits::default(),
            fragments: FragmentLimits::default(),
            sas: 100_000,
            half_open: 4_000,
            half_open_per_source: 16,
            cookies_from: 100,
            cookies_until: 50,
            half_open_time: Duration::from_secs(30),
            retries: 6,
            redirects: 5,
            redirect_time: Duration::from_secs(300),
            children: 32,
            queue: 64,
            answers_per_second: 10,
            questions: 1_000,
            patience: Duration::from_secs(300),
            sent: 60_000,
        }
    }
}

/// A post-quantum preshared key (RFC 8784).
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "RFC 8784 §3 has these")]
pub struct Ppk {
    /// Its identity, without the octet for its type.
    pub identity: Vec<u8>,
    /// The key: 32 octets of randomness or more.
    pub key: Secret,
    /// Peers it is for by address; nothing for all.
    pub peer: Option<IpAddr>,
    /// Whether there is no IKE SA without it.
    pub mandatory: bool,
}

/// What a host sets beside its policy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Bounds.
    pub limits: Limits,
    /// The port of IKE.
    pub port: u16,
    /// The port of IKE and ESP in UDP, where messages have the non-ESP marker (RFC 3948).
    pub nat_port: u16,
    /// Whether to begin on [`nat_port`](Self::nat_port) (RFC 7296 §2.23).
    pub start_on_nat_port: bool,
    /// Octets of an IP datagram beyond which messages are sent in fragments, IPv4 and IPv6
    /// (RFC 7383 §2.5.1); nothing to do without fragmentation.
    pub fragments: Option<(usize, usize)>,
    /// Requests that a peer may have outstanding here (SET_WINDOW_SIZE).
    pub window: u32,
    /// Whose order decides among acceptable proposals.
    pub preference: Preference,
    /// Whether a peer may authenticate without a child (RFC 6023).
    pub childless: bool,
    /// Whether addresses of an IKE SA may change (RFC 4555).
    pub mobike: bool,
    /// Whether redirections are followed (RFC 5685).
    pub follow_redirects: bool,
    /// Where peers are sent that want to begin here; nothing to take them.
    pub redirect_to: Option<IpAddr>,
    /// Whether they are sent there only when they are authenticated (RFC 5685 §6), and nobody else is told where.
    pub redirect_authenticated: bool,
    /// Whether this host tells a peer that it knows of no other SA with it.
    pub initial_contact: bool,
    /// Whether this host asks its peers for an address (RFC 7296 §2.19).
    pub ask_address: bool,
    /// Whether the host is asked for addresses of peers; else they are refused.
    pub give_addresses: bool,
    /// Whether a peer that began here has no child without an address from here (FAILED_CP_REQUIRED).
    pub require_address: bool,
    /// Post-quantum preshared keys.
    pub ppks: Vec<Ppk>,
    /// By how many percent of its life an SA is renewed earlier, at random, up to.
    pub jitter_percent: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            port: 500,
            nat_port: 4500,
            start_on_nat_port: false,
            fragments: Some((576, 1280)),
            window: 1,
            preference: Preference::Peer,
            childless: true,
            mobike: true,
            follow_redirects: true,
            redirect_to: None,
            redirect_authenticated: false,
            initial_contact: true,
            ask_address: false,
            give_addresses: false,
            require_address: false,
            ppks: Vec::new(),
            jitter_percent: 10,
        }
    }
}

/// Traffic that negotiated tunnels may carry: a filter rule with an `IpDynVpnAction`, as a host's filter policy
/// has it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tunnel {
    /// Its number in filter rules, displays and records.
    pub id: TunnelId,
    /// Its name.
    pub name: Box<str>,
    /// How it is protected.
    pub action: Arc<DynVpnAction>,
    /// What is proposed when a packet starts it; nothing for the rule's own selectors.
    pub start: Option<Arc<LocalStartAction>>,
    /// This host's side of the traffic.
    pub local: Vec<Selector>,
    /// The peer's side.
    pub remote: Vec<Selector>,
    /// Where IKE speaks from; nothing for the address of the traffic.
    pub local_endpoint: Option<IpAddr>,
    /// Where the peer is; nothing for the address of the traffic.
    pub remote_endpoint: Option<IpAddr>,
}

impl Tunnel {
    /// A tunnel between these.
    #[must_use]
    pub fn new(
        id: TunnelId,
        name: &str,
        action: Arc<DynVpnAction>,
        local: Vec<Selector>,
        remote: Vec<Selector>,
    ) -> Self {
        Self {
            id,
            name: name.into(),
            action,
            start: None,
            local,
            remote,
            local_endpoint: None,
            remote_endpoint: None,
        }
    }

    /// The same between these security endpoints.
    #[must_use]
    pub const fn between(mut self, local: IpAddr, remote: IpAddr) -> Self {
        self.local_endpoint = Some(local);
        self.remote_endpoint = Some(remote);
        self
    }
}

/// With what this host proves who it is, and whom it believes. Shared keys are in the rules of policy.
#[derive(Default)]
#[expect(clippy::exhaustive_structs, reason = "own and others'")]
pub struct Credentials {
    /// Its own certificates.
    pub own: Vec<Credential>,
    /// Authorities of its peers.
    pub trust: TrustStore,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("own", &self.own.len())
            .finish_non_exhaustive()
    }
}

/// How often things happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Datagrams that were taken for IKE.
    pub received: u64,
    /// Datagrams sent, retransmissions included.
    pub sent: u64,
    /// Requests that were sent again.
    pub retransmitted: u64,
    /// Requests that came again and got their stored answer.
    pub answered_again: u64,
    /// Messages of IKEv1, dropped.
    pub version_1: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Messages for no SA.
    pub no_sa: u64,
    /// Messages that were not authentic.
    pub not_authentic: u64,
    /// Messages outside of the window.
    pub outside_window: u64,
    /// Messages that have no place in the state of their SA.
    pub unexpected: u64,
    /// Cookies that were asked for.
    pub cookies_asked: u64,
    /// Cookies that were not good.
    pub cookies_bad: u64,
    /// Beginnings dropped since there are too many half-open SAs.
    pub half_open_refused: u64,
    /// Beginnings dropped since their source has too many.
    pub source_refused: u64,
    /// Half-open SAs whose time was over.
    pub half_open_expired: u64,
    /// Fragments that were dropped.
    pub fragments_dropped: u64,
    /// Answers not sent since there were too many in a second.
    pub answers_held_back: u64,
    /// Answers to IKE_SA_INIT that were not taken.
    pub init_ignored: u64,
    /// Child SAs refused since an IKE SA has too many.
    pub children_refused: u64,
    /// Exchanges not begun since too many wait.
    pub queue_refused: u64,
    /// Questions that could not be asked since too many are open.
    pub questions_refused: u64,
    /// IKE SAs not begun since there are too many.
    pub sas_refused: u64,
    /// Key exchanges computed as responder.
    pub exchanges_answered: u64,
}
