//! Between whom keys are negotiated (`KeyExchangeRule`), and which tunnels are started without a packet
//! (`LocalDynVpnRule`).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::RangeInclusive;

use super::action::{KeyExchangeAction, PeerProof};
use super::{Fault, check_name};
use crate::auth::{HowToAuthMe, SharedKey};
use crate::certificate::Label;
use crate::identity::{Addresses, Identity, IdentityPattern};

/// This host as IKE shows it (`LocalSecurityEndpoint`).
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the parameters of z/OS")]
pub struct LocalEndpoint {
    /// `Identity`; none for the address that IKE uses.
    pub identity: Option<Identity>,
    /// `Location`: the addresses that IKE uses.
    pub location: Addresses,
}

impl LocalEndpoint {
    /// Who this host is when it speaks from an address.
    #[must_use]
    pub fn identity_at(&self, address: IpAddr) -> Identity {
        self.identity
            .clone()
            .unwrap_or_else(|| Identity::ip(address.to_canonical()))
    }
}

/// A peer (`RemoteSecurityEndpoint`).
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "the parameters of z/OS")]
pub struct RemoteEndpoint {
    /// `Identity`: who it may say it is.
    pub identity: IdentityPattern,
    /// `Location`: where its packets come from.
    pub location: Addresses,
    /// `CaLabel`: authorities that may have signed its certificate; empty for `SupportedCertAuth`.
    pub authorities: Vec<Label>,
}

/// Between whom keys are negotiated, and how (`KeyExchangeRule`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyExchangeRule {
    /// Its name.
    pub name: Box<str>,
    /// This host.
    pub local: LocalEndpoint,
    /// The peer.
    pub remote: RemoteEndpoint,
    /// How.
    pub action: Arc<KeyExchangeAction>,
    /// `SharedKey`.
    pub shared_key: Option<SharedKey>,
    /// The label of this host's certificate; none for one that is for its identity. An extension.
    pub certificate: Option<Label>,
}

impl KeyExchangeRule {
    /// Without shared key and certificate label.
    #[must_use]
    pub fn new(
        name: &str,
        local: LocalEndpoint,
        remote: RemoteEndpoint,
        action: Arc<KeyExchangeAction>,
    ) -> Self {
        Self {
            name: name.into(),
            local,
            remote,
            action,
            shared_key: None,
            certificate: None,
        }
    }

    /// How the peer must prove who it is. One way only: a peer that could choose would choose the weaker.
    #[must_use]
    pub fn peer_proof(&self) -> PeerProof {
        self.action.auth_peer.unwrap_or_else(|| {
            let by_key = self.shared_key.is_some() && self.remote.authorities.is_empty();
            if by_key || self.action.auth_me == HowToAuthMe::PresharedKey {
                PeerProof::SharedKey
            } else {
                PeerProof::Certificate
            }
        })
    }

    /// Whether it is for these addresses.
    #[must_use]
    pub fn is_between(&self, local: IpAddr, remote: IpAddr) -> bool {
        self.local.location.contains(local) && self.remote.location.contains(remote)
    }

    /// Whether it is for a peer that says it is `remote` and, when it has told, wants to speak to `local`.
    #[must_use]
    pub fn is_for(&self, at: IpAddr, local: Option<&Identity>, remote: &Identity) -> bool {
        self.remote.identity.matches(remote)
            && local.is_none_or(|local| *local == self.local.identity_at(at))
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        check_name(&self.name)?;
        let needs_key = self.action.auth_me == HowToAuthMe::PresharedKey
            || self.peer_proof() == PeerProof::SharedKey;
        if needs_key && self.shared_key.is_none() {
            return Err(Fault::new(
                "SharedKey",
                "a key, since the action authenticates with a shared key",
            ));
        }
        if self.action.auth_me != HowToAuthMe::PresharedKey
            && matches!(self.local.identity, Some(Identity::KeyId(_)))
        {
            return Err(Fault::new(
                "Identity",
                "an identity that can stand in a certificate; a key id cannot",
            ));
        }
        Ok(())
    }
}

/// A tunnel that is started by command or by itself (`LocalDynVpnRule`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LocalDynVpnRule {
    /// Its name, by which it is activated.
    pub name: Box<str>,
    /// `LocalIp`.
    pub local: Addresses,
    /// `RemoteIp`.
    pub remote: Addresses,
    /// `LocalDataPort`; 0 to 65535 for all.
    pub local_ports: RangeInclusive<u16>,
    /// `RemoteDataPort`.
    pub remote_ports: RangeInclusive<u16>,
    /// `Protocol`; none for all.
    pub protocol: Option<u8>,
    /// `Type`; none for any.
    pub types: Option<RangeInclusive<u8>>,
    /// `Code`; none for any.
    pub codes: Option<RangeInclusive<u8>>,
    /// `AutoActivate`.
    pub auto_activate: bool,
}

impl LocalDynVpnRule {
    /// For all traffic between these addresses, by command.
    #[must_use]
    pub fn new(name: &str, local: Addresses, remote: Addresses) -> Self {
        Self {
            name: name.into(),
            local,
            remote,
            local_ports: 0..=65535,
            remote_ports: 0..=65535,
            protocol: None,
            types: None,
            codes: None,
            auto_activate: false,
        }
    }

    /// Whether only tunnel mode fits: more than one address on either side.
    #[must_use]
    pub fn needs_tunnel(&self) -> bool {
        self.local.single().is_none() || self.remote.single().is_none()
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        check_name(&self.name)?;
        let family = |addresses: &Addresses| match addresses {
            Addresses::V4 => Some(4),
            Addresses::V6 => Some(6),
            Addresses::Range { first, .. } => Some(if first.is_ipv4() { 4 } else { 6 }),
            Addresses::All => None,
        };
        let (local, remote) = (family(&self.local), family(&self.remote));
        if local
            .zip(remote)
            .is_some_and(|(local, remote)| local != remote)
        {
            return Err(Fault::new(
                "RemoteIp",
                "addresses of the IP version of LocalIp",
            ));
        }
        let all = 0..=65535;
        let ports = self.local_ports != all || self.remote_ports != all;
        if ports && !matches!(self.protocol, Some(6 | 17 | 132 | 136)) {
            return Err(Fault::new("Protocol", "Tcp or Udp, since ports are given"));
        }
        if self.types.is_some() && !matches!(self.protocol, Some(1 | 58 | 89 | 135)) {
            return Err(Fault::new(
                "Protocol",
                "Icmp, Icmpv6, Ospf or MIPv6, since a type is given",
            ));
        }
        if self.codes.is_some() {
            if !matches!(self.protocol, Some(1 | 58)) {
                return Err(Fault::new(
                    "Protocol",
                    "Icmp or Icmpv6, since a code is given",
                ));
            }
            if self
                .types
                .as_ref()
                .is_none_or(|types| types.start() != types.end())
            {
                return Err(Fault::new("Type", "one type, since a code is given"));
            }
        }
        Ok(())
    }
}
