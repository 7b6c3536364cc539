//! What a record shows of IPsec and of the filter rules of a connection. It is never read from packets: the stack
//! knows which rule and which association each connection uses, and tells (`hostward_hook::protection`).

use core::net::IpAddr;
use core::time::Duration;

use hostward_hook::ident::{RuleId, SaId, TunnelId};
use hostward_hook::protection::{
    self, Encapsulation, FilterAction, Fips, IkeAssociation, IpsecTunnel, Transforms, TunnelKind,
};
use hostward_hook::time::UnixTime;

use super::tls::Certificate;
use crate::names::ike as numbers;
use crate::text::Text;

/// The tunnel a connection goes through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IpsecFacts {
    /// The tunnel.
    pub tunnel: TunnelId,
    /// Association of received packets; `None` when they come unprotected.
    pub inbound: Option<SaId>,
    /// Association of sent packets; `None` when they go unprotected.
    pub outbound: Option<SaId>,
    /// Configured, or negotiated by IKE.
    pub kind: Option<TunnelKind>,
    /// This host's end.
    pub local: Option<IpAddr>,
    /// The peer's end.
    pub remote: Option<IpAddr>,
    /// 50 for ESP, 51 for AH, 0 when not known.
    pub protocol: u8,
    /// How packets are enclosed.
    pub encapsulation: Option<Encapsulation>,
    /// Whether ESP travels in UDP.
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
    /// The IKE association behind it.
    pub ike: Option<IkeFacts>,
}

/// The IKE association behind a tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IkeFacts {
    /// Number of the association at its owner.
    pub id: u32,
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Name of the key-exchange rule.
    pub rule: Text,
    /// Transforms.
    pub transforms: Transforms,
    /// How this host authenticated itself (IKEv2 authentication method number).
    pub local_method: Option<u8>,
    /// How the peer authenticated itself (IKEv2 authentication method number).
    pub remote_method: Option<u8>,
    /// This host's certificate.
    pub local_cert: Option<Certificate>,
    /// The peer's certificate.
    pub remote_cert: Option<Certificate>,
    /// Bytes after which it is renewed, 0 for no limit.
    pub life_bytes: u64,
    /// Time after which it is renewed.
    pub life_time: Option<Duration>,
    /// Time after which the peers authenticate again.
    pub reauthentication: Option<Duration>,
}

impl IpsecFacts {
    /// Name of the encryption of its packets, by the registry of IKEv2.
    #[must_use]
    pub fn encryption_name(&self) -> Option<&'static str> {
        numbers::encryption(2, self.transforms.encryption?)
    }

    /// Name of the integrity protection of its packets, by the registry of IKEv2.
    #[must_use]
    pub fn integrity_name(&self) -> Option<&'static str> {
        numbers::integrity(self.transforms.integrity?)
    }

    /// Name of the key exchange of the associations themselves, else of the IKE association behind
    /// them, by the registry of IKEv2.
    #[must_use]
    pub fn key_exchange_name(&self) -> Option<&'static str> {
        let behind = self.ike.as_ref().and_then(|ike| ike.transforms.group);
        numbers::key_exchange(self.transforms.group.or(behind)?)
    }

    /// Owned, from what was told.
    #[must_use]
    pub fn of(told: &IpsecTunnel<'_>) -> Self {
        Self {
            tunnel: told.tunnel,
            inbound: told.inbound,
            outbound: told.outbound,
            kind: told.kind,
            local: told.local,
            remote: told.remote,
            protocol: told.protocol,
            encapsulation: told.encapsulation,
            udp_encapsulation: told.udp_encapsulation,
            transforms: told.transforms,
            life_bytes: told.life_bytes,
            life_time: told.life_time,
            expires: told.expires,
            fips: told.fips,
            ike: told.ike.as_ref().map(IkeFacts::of),
        }
    }
}

impl IkeFacts {
    /// Owned, from what was told.
    #[must_use]
    pub fn of(told: &IkeAssociation<'_>) -> Self {
        Self {
            id: told.id,
            major: told.major,
            minor: told.minor,
            rule: Text::from(told.rule),
            transforms: told.transforms,
            local_method: told.local_method,
            remote_method: told.remote_method,
            local_cert: told.local_certificate.as_ref().map(Certificate::of),
            remote_cert: told.remote_certificate.as_ref().map(Certificate::of),
            life_bytes: told.life_bytes,
            life_time: told.life_time,
            reauthentication: told.reauthentication,
        }
    }
}

/// The filter rules a connection is under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilterFacts {
    /// The rule for received packets.
    pub inbound: Option<RuleFacts>,
    /// The rule for sent packets.
    pub outbound: Option<RuleFacts>,
}

/// One filter rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleFacts {
    /// Its place in the set of the generation in force.
    pub rule: RuleId,
    /// Its name.
    pub name: Text,
    /// The name's extension.
    pub extension: Text,
    /// What it does.
    pub action: FilterAction,
}

impl FilterFacts {
    /// Owned, from what was told.
    #[must_use]
    pub fn of(told: &protection::FilterRules<'_>) -> Self {
        let rule = |told: &protection::FilterRule<'_>| RuleFacts {
            rule: told.rule,
            name: Text::from(told.name),
            extension: Text::from(told.extension),
            action: told.action,
        };
        Self {
            inbound: told.inbound.as_ref().map(rule),
            outbound: told.outbound.as_ref().map(rule),
        }
    }
}
