//! How keys are negotiated (`KeyExchangeAction`), and what tunnels they are for (`IpDynVpnAction`,
//! `IpLocalStartAction`).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use hostward_crypto::Provider;
use hostward_crypto::algorithm::Group;

use super::offer::{
    AdditionalKeyExchange, Encapsulation, IpDataOffer, KeyExchangeOffer, check_groups,
};
use super::rule::{LocalEndpoint, RemoteEndpoint};
use super::{Fault, check_name};
use crate::auth::HowToAuthMe;
use crate::certificate::{ExtendedKeyUsage, Revocation};

/// Whether a host starts negotiations by these rules (`HowToInitiate`). Of IKEv1 nothing is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it does or it does not")]
pub enum HowToInitiate {
    /// By IKEv2.
    IkeV2,
    /// Not at all; it answers.
    DoNot,
}

/// Whether certificates may be sent as addresses (`CertificateURLLookupPreference`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "z/OS has these three")]
pub enum CertificateUrlLookup {
    /// HTTP_CERT_LOOKUP_SUPPORTED is sent, and addresses are followed.
    Allow,
    /// Neither.
    Disallow,
    /// Addresses are followed, and not asked for.
    #[default]
    Tolerate,
}

/// How keys are negotiated with a peer (`KeyExchangeAction`; what z/OS lets it take from `KeyExchangePolicy` is already
/// taken).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyExchangeAction {
    /// Its name.
    pub name: Box<str>,
    /// `HowToInitiate`.
    pub initiate: HowToInitiate,
    /// `HowToAuthMe`.
    pub auth_me: HowToAuthMe,
    /// How the peer must prove who it is: by a shared key, or a certificate. z/OS lets the peer do either that the rule
    /// can check; here it is by shared key exactly when the rule has one and no certificate authority is
    /// named, unless this says otherwise.
    pub auth_peer: Option<PeerProof>,
    /// `AllowNat`: whether address translators on the way are dealt with.
    pub allow_nat: bool,
    /// `NatKeepAliveInterval`: seconds between packets that keep a translation; none for never.
    pub nat_keep_alive: Option<NonZeroU32>,
    /// `ReauthInterval`: minutes after which the peer must prove anew who it is; none for never.
    pub reauth_minutes: Option<NonZeroU32>,
    /// `LivenessInterval`: seconds of silence after which the peer is probed; none for never.
    pub liveness_seconds: Option<NonZeroU32>,
    /// `RevocationChecking`.
    pub revocation: Revocation,
    /// Whether extended key usage is looked at; an extension.
    pub extended_key_usage: ExtendedKeyUsage,
    /// `CertificateURLLookupPreference`.
    pub certificate_url: CertificateUrlLookup,
    /// `BypassIpValidation`: whether an address as identity may differ from the packet's source.
    pub bypass_ip_validation: bool,
    /// `FilterByIdentity`: whether what is negotiated is bound to the peer's identity.
    pub filter_by_identity: bool,
    /// The offers, the preferred one first.
    pub offers: Vec<KeyExchangeOffer>,
}

/// How a peer proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "EAP is not done")]
pub enum PeerProof {
    /// By the shared key of the rule.
    SharedKey,
    /// By a certificate.
    Certificate,
}

impl KeyExchangeAction {
    /// With the defaults of z/OS.
    #[must_use]
    pub fn new(name: &str, offers: Vec<KeyExchangeOffer>) -> Self {
        Self {
            name: name.into(),
            initiate: HowToInitiate::IkeV2,
            auth_me: HowToAuthMe::DigitalSignature,
            auth_peer: None,
            allow_nat: false,
            nat_keep_alive: NonZeroU32::new(20),
            reauth_minutes: None,
            liveness_seconds: NonZeroU32::new(30),
            revocation: Revocation::Loose,
            extended_key_usage: ExtendedKeyUsage::Checked,
            certificate_url: CertificateUrlLookup::Tolerate,
            bypass_ip_validation: false,
            filter_by_identity: false,
            offers,
        }
    }

    pub(super) fn check(&self, provider: &Provider) -> Result<(), Fault> {
        check_name(&self.name)?;
        if self.offers.is_empty() {
            return Err(Fault::new("KeyExchangeOffer", "at least one offer"));
        }
        self.offers
            .iter()
            .try_for_each(|offer| offer.check(provider))
    }
}

/// Who may start a negotiation (`Initiation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "one side, the other, or both")]
pub enum Initiation {
    /// This host.
    LocalOnly,
    /// The peer.
    RemoteOnly,
    /// Both.
    #[default]
    Either,
}

/// How packets are carried, when the peer may choose (`HowToEncapIKEv2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "one mode, the other, or both")]
pub enum EncapsulationChoice {
    /// Only whole, inside of another packet.
    Tunnel,
    /// Only with their own header.
    Transport,
    /// As the offer says when this host starts, as the peer wants otherwise.
    #[default]
    Either,
}

impl EncapsulationChoice {
    /// Whether this mode is allowed.
    #[must_use]
    pub const fn allows(self, encapsulation: Encapsulation) -> bool {
        matches!(
            (self, encapsulation),
            (Self::Either, _)
                | (Self::Tunnel, Encapsulation::Tunnel)
                | (Self::Transport, Encapsulation::Transport)
        )
    }
}

/// The don't-fragment flag of the outer header (`PassthroughDF`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4301 §8.1 knows these three")]
pub enum DontFragment {
    /// As in the packet.
    #[default]
    Copy,
    /// Cleared.
    Clear,
    /// Set.
    Set,
}

/// The key exchanges of a child (`InitiateWithPfs`, `AcceptablePfs`): none, a group, or a group and others behind it
/// (RFC 9370, an extension).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a group and what is behind it")]
pub struct Pfs {
    /// The first; none for keys without perfect forward secrecy.
    pub group: Option<Group>,
    /// Those after it.
    pub additional: Vec<AdditionalKeyExchange>,
}

impl Pfs {
    /// No key exchange.
    pub const NONE: Self = Self {
        group: None,
        additional: Vec::new(),
    };

    /// One key exchange.
    #[must_use]
    pub const fn of(group: Group) -> Self {
        Self {
            group: Some(group),
            additional: Vec::new(),
        }
    }
}

/// Tunnels that IKE negotiates (`IpDynVpnAction`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DynVpnAction {
    /// Its name.
    pub name: Box<str>,
    /// `InitiateWithPfs`.
    pub initiate_pfs: Pfs,
    /// `AcceptablePfs`, in order.
    pub acceptable_pfs: Vec<Pfs>,
    /// `Initiation`.
    pub initiation: Initiation,
    /// `VpnLife`: minutes for which a tunnel is refreshed; none for ever.
    pub life_minutes: Option<NonZeroU32>,
    /// `HowToEncapIKEv2`.
    pub encapsulation: EncapsulationChoice,
    /// `PassthroughDF`.
    pub dont_fragment: DontFragment,
    /// `PassthroughDSCP`.
    pub passthrough_dscp: bool,
    /// The offers, the preferred one first.
    pub offers: Vec<IpDataOffer>,
}

impl DynVpnAction {
    /// With the defaults of z/OS.
    #[must_use]
    pub fn new(name: &str, offers: Vec<IpDataOffer>) -> Self {
        Self {
            name: name.into(),
            initiate_pfs: Pfs::NONE,
            acceptable_pfs: alloc::vec![Pfs::NONE],
            initiation: Initiation::Either,
            life_minutes: NonZeroU32::new(1440),
            encapsulation: EncapsulationChoice::Either,
            dont_fragment: DontFragment::Copy,
            passthrough_dscp: true,
            offers,
        }
    }

    pub(super) fn check(&self, provider: &Provider) -> Result<(), Fault> {
        check_name(&self.name)?;
        if self.offers.is_empty() {
            return Err(Fault::new("IpDataOffer", "at least one offer"));
        }
        if self.acceptable_pfs.is_empty() && self.initiation != Initiation::LocalOnly {
            return Err(Fault::new("AcceptablePfs", "at least one group, or None"));
        }
        for pfs in core::iter::once(&self.initiate_pfs).chain(&self.acceptable_pfs) {
            check_groups(
                provider,
                "InitiateWithPfs or AcceptablePfs",
                pfs.group,
                &pfs.additional,
            )?;
        }
        let carried = |offer: &IpDataOffer| self.encapsulation.allows(offer.encapsulation);
        if self.initiation != Initiation::RemoteOnly && !self.offers.iter().any(carried) {
            return Err(Fault::new(
                "HowToEncapIKEv2",
                "the HowToEncap of one offer at least, since this host may start",
            ));
        }
        self.offers
            .iter()
            .try_for_each(|offer| offer.check(provider))
    }
}

/// From what one selector of a negotiation is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the one or the other")]
pub enum Granularity {
    /// From the packet that started it.
    #[default]
    Packet,
    /// From the filter rule.
    Rule,
}

/// What this host proposes when an outbound packet starts a negotiation (`IpLocalStartAction`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LocalStartAction {
    /// Its name.
    pub name: Box<str>,
    /// `AllowOnDemand`; none for what `IpFilterPolicy` says.
    pub allow_on_demand: Option<bool>,
    /// `LocalSecurityEndpoint`; none for the address of the packet or rule.
    pub local: Option<LocalEndpoint>,
    /// `RemoteSecurityEndpoint`; none for the address of the packet or rule.
    pub remote: Option<RemoteEndpoint>,
    /// `LocalIpGranularity`.
    pub local_ip: Granularity,
    /// `RemoteIpGranularity`.
    pub remote_ip: Granularity,
    /// `LocalPortGranularity`.
    pub local_port: Granularity,
    /// `RemotePortGranularity`.
    pub remote_port: Granularity,
    /// `ProtocolGranularity`.
    pub protocol: Granularity,
    /// `ICMPTypeGranularity`.
    pub icmp_type: Granularity,
    /// `ICMPCodeGranularity`.
    pub icmp_code: Granularity,
    /// `ICMPv6TypeGranularity`.
    pub icmpv6_type: Granularity,
    /// `ICMPv6CodeGranularity`.
    pub icmpv6_code: Granularity,
    /// `MIPv6TypeGranularity`.
    pub mipv6_type: Granularity,
}

impl LocalStartAction {
    /// With the defaults of z/OS: everything from the packet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            allow_on_demand: None,
            local: None,
            remote: None,
            local_ip: Granularity::Packet,
            remote_ip: Granularity::Packet,
            local_port: Granularity::Packet,
            remote_port: Granularity::Packet,
            protocol: Granularity::Packet,
            icmp_type: Granularity::Packet,
            icmp_code: Granularity::Packet,
            icmpv6_type: Granularity::Packet,
            icmpv6_code: Granularity::Packet,
            mipv6_type: Granularity::Packet,
        }
    }
}
