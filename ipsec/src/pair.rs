//! A pair of security associations and what is known of it.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use hostward_hook::ident::{SaId, TunnelId};
use hostward_hook::protection::{
    Certificate, Encapsulation, Fips, IkeAssociation, IpsecTunnel, Transforms, TunnelKind,
};
use hostward_hook::time::{Now, UnixTime};

use crate::sa::{Inbound, Lifetimes, Outbound, Parameters};
use crate::selector::{Addresses, Selectors, Traffic};
use crate::told::{Count, Limiter, TunnelEvent};

/// A tunnel that rules can name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tunnel {
    /// Its number, the one that rules have.
    pub id: TunnelId,
    /// Its name: that of the VPN action.
    pub name: Arc<str>,
    /// Where its keys come from.
    pub kind: TunnelKind,
    /// Whether an outbound packet without an association asks for one.
    pub on_demand: bool,
}

impl Tunnel {
    /// A tunnel whose keys are configured.
    #[must_use]
    pub fn manual(id: TunnelId, name: impl Into<Arc<str>>) -> Self {
        Self {
            id,
            name: name.into(),
            kind: TunnelKind::Manual,
            on_demand: false,
        }
    }

    /// A tunnel that is negotiated when a packet needs it.
    #[must_use]
    pub fn dynamic(id: TunnelId, name: impl Into<Arc<str>>) -> Self {
        Self {
            id,
            name: name.into(),
            kind: TunnelKind::Dynamic,
            on_demand: true,
        }
    }

    /// The same, negotiated only when somebody else asks.
    #[must_use]
    pub const fn without_demand(mut self) -> Self {
        self.on_demand = false;
        self
    }
}

/// What is known of the IKE association behind a pair: facts for records, no keys. Shared by all
/// pairs that one association negotiated.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct IkeFacts {
    /// Number of the association at its owner.
    pub id: u32,
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Name of the key-exchange rule.
    pub rule: Arc<str>,
    /// Transforms.
    pub transforms: Transforms,
    /// How this host authenticated itself (IKEv2 authentication method).
    pub local_method: Option<u8>,
    /// How the peer authenticated itself (IKEv2 authentication method).
    pub remote_method: Option<u8>,
    /// This host's certificate in DER.
    pub local_certificate: Option<Arc<[u8]>>,
    /// The peer's certificate in DER.
    pub remote_certificate: Option<Arc<[u8]>>,
    /// Bytes after which it is renewed, 0 for no limit.
    pub life_bytes: u64,
    /// Time after which it is renewed.
    pub life_time: Option<Duration>,
    /// Time after which the peers authenticate again.
    pub reauthentication: Option<Duration>,
}

impl IkeFacts {
    /// The facts as they are told.
    #[must_use]
    pub fn association(&self) -> IkeAssociation<'_> {
        let certificate = |der: &'_ Option<Arc<[u8]>>| der.is_some();
        let mut ike = IkeAssociation::default();
        ike.id = self.id;
        ike.major = self.major;
        ike.minor = self.minor;
        ike.rule = &self.rule;
        ike.transforms = self.transforms;
        ike.local_method = self.local_method;
        ike.remote_method = self.remote_method;
        if certificate(&self.local_certificate) {
            let mut c = Certificate::default();
            c.der = self.local_certificate.as_deref();
            ike.local_certificate = Some(c);
        }
        if certificate(&self.remote_certificate) {
            let mut c = Certificate::default();
            c.der = self.remote_certificate.as_deref();
            ike.remote_certificate = Some(c);
        }
        ike.life_bytes = self.life_bytes;
        ike.life_time = self.life_time;
        ike.reauthentication = self.reauthentication;
        ike
    }
}

/// When a new pair begins to seal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "at once or not")]
pub enum Sending {
    /// At once.
    #[default]
    Now,
    /// When a packet came through its inbound half, or the host says so: for the side that answers
    /// a rekeying, which cannot know whether the peer has its half already (RFC 7296 section 2.8).
    WhenReceived,
}

/// A pair of associations to be installed: what they need, what they are for, where they come
/// from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Install {
    /// The tunnel they belong to.
    pub tunnel: TunnelId,
    /// The traffic they are for; any of these.
    pub selectors: Vec<Selectors>,
    /// The inbound half.
    pub inbound: Option<Parameters>,
    /// The outbound half.
    pub outbound: Option<Parameters>,
    /// The pair whose place it takes. That one stays until it is removed: packets of the peer may
    /// still be on their way.
    pub replaces: Option<SaId>,
    /// When it begins to seal.
    pub sending: Sending,
    /// Key-exchange method of its own keys, and further ones: perfect forward secrecy.
    pub groups: Transforms,
    /// When the tunnel ends for good, renewed or not (`VpnLife`).
    pub expires: Option<UnixTime>,
    /// Whether validated cryptography does the work.
    pub fips: Fips,
    /// The IKE association that negotiated it.
    pub ike: Option<Arc<IkeFacts>>,
}

impl Install {
    /// Both halves of a pair. The numbers in the parameters do not count: the pair gets one.
    #[must_use]
    pub fn new(
        tunnel: TunnelId,
        selectors: impl IntoIterator<Item = Selectors>,
        inbound: Parameters,
        outbound: Parameters,
    ) -> Self {
        Self {
            tunnel,
            selectors: selectors.into_iter().collect(),
            inbound: Some(inbound),
            outbound: Some(outbound),
            replaces: None,
            sending: Sending::Now,
            groups: Transforms::default(),
            expires: None,
            fips: Fips::Unknown,
            ike: None,
        }
    }

    /// The same in the place of an older pair.
    #[must_use]
    pub const fn replacing(mut self, old: SaId, sending: Sending) -> Self {
        self.replaces = Some(old);
        self.sending = sending;
        self
    }

    /// The same with what is known of the negotiation.
    #[must_use]
    pub fn with_ike(mut self, ike: Arc<IkeFacts>) -> Self {
        self.ike = Some(ike);
        self
    }

    /// The same with the key-exchange method that made its keys.
    #[must_use]
    pub const fn with_group(mut self, group: u16) -> Self {
        self.groups.group = Some(group);
        self
    }
}

/// How a pair looks from outside, whatever it has done.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    pub(crate) protocol: u8,
    pub(crate) mode: Encapsulation,
    pub(crate) transforms: Transforms,
    pub(crate) local: IpAddr,
    pub(crate) remote: IpAddr,
    pub(crate) udp: bool,
    pub(crate) manual: bool,
    pub(crate) lifetimes: Lifetimes,
}

impl Outline {
    pub(crate) fn of(p: &Parameters, groups: &Transforms) -> Self {
        let mut transforms = p.suite.transforms();
        transforms.group = groups.group;
        transforms.additional_groups = groups.additional_groups;
        Self {
            protocol: p.suite.protocol().number(),
            mode: p.mode,
            transforms,
            local: p.local,
            remote: p.remote,
            udp: p.udp.is_some(),
            manual: p.manual,
            lifetimes: p.lifetimes,
        }
    }
}

/// A pair that one worker owns.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) id: SaId,
    pub(crate) tunnel: TunnelId,
    /// The next older one of the same tunnel and remote address.
    pub(crate) next: Option<SaId>,
    pub(crate) inbound: Option<Inbound>,
    pub(crate) outbound: Option<Outbound>,
    /// It seals, or waits for a packet of the peer.
    pub(crate) sending: bool,
    pub(crate) selectors: Box<[Selectors]>,
    /// The remote address that all of its traffic has.
    pub(crate) remote: Option<IpAddr>,
    pub(crate) generation: u32,
    /// SPI and destination of the inbound half.
    pub(crate) inbound_key: Option<(u32, IpAddr)>,
    pub(crate) outline: Outline,
    pub(crate) name: Arc<str>,
    pub(crate) installed: Now,
    pub(crate) expires: Option<UnixTime>,
    pub(crate) fips: Fips,
    pub(crate) ike: Option<Arc<IkeFacts>>,
    /// One for each thing that is told of its packets.
    pub(crate) limits: [Limiter; 4],
    /// A successor was asked for.
    pub(crate) refreshing: bool,
    /// The deadline that is noted for it.
    pub(crate) due: Option<hostward_hook::Instant>,
}

impl Pair {
    pub(crate) const fn kind(&self) -> TunnelKind {
        if self.outline.manual {
            TunnelKind::Manual
        } else {
            TunnelKind::Dynamic
        }
    }

    #[inline]
    pub(crate) fn carries(&self, traffic: &Traffic) -> bool {
        self.selectors.iter().any(|s| s.matches(traffic))
    }

    /// Reads what opening reads first, to have it in the cache.
    #[inline]
    pub(crate) fn touch(&self) {
        if let Some(half) = &self.inbound {
            half.touch();
        }
        let selectors = self.selectors.first().map(|s| s.upper);
        let sending = self.sending && self.outbound.is_some();
        core::hint::black_box((self.inbound_key, sending, self.outline.mode, selectors));
    }

    /// What records want to know of it.
    pub(crate) fn facts(&self) -> IpsecTunnel<'_> {
        let o = &self.outline;
        let mut t = IpsecTunnel::default();
        t.tunnel = self.tunnel;
        t.inbound = self.inbound.is_some().then_some(self.id);
        t.outbound = self.outbound.is_some().then_some(self.id);
        t.kind = Some(self.kind());
        t.local = Some(o.local);
        t.remote = Some(o.remote);
        t.protocol = o.protocol;
        t.encapsulation = Some(o.mode);
        t.udp_encapsulation = o.udp;
        t.transforms = o.transforms;
        // Renewed at the soft limit, if there is one.
        let (soft, hard) = (&o.lifetimes.soft, &o.lifetimes.hard);
        t.life_bytes = soft.bytes.or(hard.bytes).unwrap_or(0);
        t.life_time = soft.time.or(hard.time);
        t.expires = self.expires;
        t.fips = self.fips;
        t.ike = self.ike.as_ref().map(|ike| ike.association());
        t
    }

    pub(crate) fn counts(&self) -> (Count, Count) {
        let inbound = self.inbound.as_ref().map(Inbound::counters);
        let outbound = self.outbound.as_ref().map(Outbound::counters);
        let count = |c: Option<crate::sa::Counters>| {
            c.map_or(Count::default(), |c| Count {
                packets: c.packets,
                bytes: c.bytes,
            })
        };
        (count(inbound), count(outbound))
    }

    pub(crate) fn event(&self, happened: crate::told::Happened) -> TunnelEvent {
        let (inbound, outbound) = self.counts();
        TunnelEvent {
            happened,
            tunnel: self.tunnel,
            name: Arc::clone(&self.name),
            kind: self.kind(),
            sa: self.id,
            generation: self.generation,
            protocol: self.outline.protocol,
            encapsulation: self.outline.mode,
            transforms: self.outline.transforms,
            inbound_spi: self.inbound.as_ref().map(Inbound::spi),
            outbound_spi: self.outbound.as_ref().map(Outbound::spi),
            local: self.outline.local,
            remote: self.outline.remote,
            inbound,
            outbound,
        }
    }
}

/// The one remote address that all selectors have, if there is one.
pub(crate) fn one_remote(selectors: &[Selectors]) -> Option<IpAddr> {
    let mut all = selectors.iter().map(|s| s.remote);
    let first: Addresses = all.next()?;
    let one = first.single()?;
    all.all(|other| other == first).then_some(one)
}
