//! Two hosts in one process that set up IKE SAs with each other: what a set-up takes is measured with it.
//!
//! The caller's [`Meter`] runs each piece of work of either side, and nothing else, so that it can take its time;
//! there is no clock in here. Each set-up is that of another initiator, at an address of its own, with one child.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use hostward_crypto::algorithm::Aead;
use hostward_crypto::{Provider, Random, Secret};
use hostward_hook::ident::TunnelId;
use hostward_hook::time::Now;

use crate::auth::{HowToAuthMe, SharedKey};
use crate::certificate::{Credential, TrustStore};
use crate::identity::{Addresses, Identity, IdentityPattern};
use crate::keys::Side;
use crate::machine::{Config, Credentials, Event, Ike, Path, Transmit, Tunnel};
use crate::policy::{
    DataProtection, DynVpnAction, IpDataOffer, KeyExchangeAction, KeyExchangeOffer,
    KeyExchangeRule, LocalEndpoint, Policy, PolicyParts, RemoteEndpoint,
};
use crate::selector::{AddressRange, Selector};

/// Runs a piece of work of one side: the closure must be called once.
pub type Meter<'m> = dyn FnMut(Side, &mut dyn FnMut()) + 'm;

/// What there is no pair of hosts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider cannot do it, or the certificate does not fit")]
#[expect(clippy::exhaustive_structs, reason = "there is nothing to tell apart")]
pub struct Unfit;

/// How both hosts prove who they are.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "both ways there are")]
pub enum Proof<'p> {
    /// With a shared key.
    SharedKey,
    /// With one certificate, which is for this host name and below this authority, and its key.
    Certificate {
        /// The host name in the certificate.
        host: &'p str,
        /// The certificate in DER.
        certificate: &'p [u8],
        /// Its key in PKCS#8.
        key: &'p [u8],
        /// The authority's certificate in DER.
        authority: &'p [u8],
    },
}

/// Where the responder is.
const RESPONDER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A responder, and an initiator for each set-up.
pub struct Loopback<'p> {
    provider: Provider,
    policy: Arc<Policy>,
    action: Arc<DynVpnAction>,
    proof: Proof<'p>,
    random: fn() -> Box<dyn Random>,
    now: Now,
    initiators: u32,
    responder: Ike,
}

impl fmt::Debug for Loopback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loopback")
            .field("initiators", &self.initiators)
            .finish_non_exhaustive()
    }
}

impl<'p> Loopback<'p> {
    /// With what both offer for the IKE SA; its time matters for certificates.
    ///
    /// # Errors
    ///
    /// [`Unfit`].
    pub fn new(
        provider: &Provider,
        offer: KeyExchangeOffer,
        proof: Proof<'p>,
        random: fn() -> Box<dyn Random>,
        now: Now,
    ) -> Result<Self, Unfit> {
        let mut action = KeyExchangeAction::new("Loopback", alloc::vec![offer]);
        let identity = match proof {
            Proof::SharedKey => {
                action.auth_me = HowToAuthMe::PresharedKey;
                None
            }
            Proof::Certificate { host, .. } => {
                action.auth_me = HowToAuthMe::DigitalSignature;
                Some(Identity::fqdn(host).map_err(|_| Unfit)?)
            }
        };
        let local = LocalEndpoint {
            identity,
            location: Addresses::All,
        };
        let remote = RemoteEndpoint {
            identity: IdentityPattern::Any,
            location: Addresses::All,
            authorities: Vec::new(),
        };
        let mut rule = KeyExchangeRule::new("Loopback", local, remote, Arc::new(action));
        if matches!(proof, Proof::SharedKey) {
            let key = Secret::copy(b"known to both hosts");
            rule.shared_key = Some(SharedKey::new(key).map_err(|_| Unfit)?);
        }
        let data = IpDataOffer::new(DataProtection::EspAead(Aead::AES_256_GCM));
        let action = Arc::new(DynVpnAction::new("Loopback", alloc::vec![data]));
        let parts = PolicyParts {
            rules: alloc::vec![rule],
            actions: alloc::vec![Arc::clone(&action)],
            ..PolicyParts::default()
        };
        let policy = Arc::new(Policy::new(parts, provider).map_err(|_| Unfit)?);
        let all = |network: u8| {
            let address = IpAddr::V4(Ipv4Addr::new(network, 0, 0, 0));
            AddressRange::prefix(address, 8).map(Selector::of)
        };
        let mut responder = host(provider, &policy, proof, random)?;
        let initiators = all(10).ok_or(Unfit)?;
        let here = Selector::of(AddressRange::one(RESPONDER));
        responder.set_tunnels(alloc::vec![Tunnel::new(
            TunnelId(1),
            "Loopback",
            Arc::clone(&action),
            alloc::vec![here],
            alloc::vec![initiators],
        )]);
        Ok(Self {
            provider: provider.clone(),
            policy,
            action,
            proof,
            random,
            now,
            initiators: 0,
            responder,
        })
    }

    /// Sets up one more IKE SA with a child. The answer is no when that failed, which it does when there are more
    /// than [`Limits::sas`](crate::machine::Limits::sas).
    ///
    /// # Errors
    ///
    /// [`Unfit`].
    pub fn establish(&mut self, meter: &mut Meter<'_>) -> Result<bool, Unfit> {
        self.initiators += 1;
        let [_, a, b, c] = self.initiators.to_be_bytes();
        let address = IpAddr::V4(Ipv4Addr::new(10, a, b, c));
        let mut initiator = host(&self.provider, &self.policy, self.proof, self.random)?;
        let selector = |address| alloc::vec![Selector::of(AddressRange::one(address))];
        initiator.set_tunnels(alloc::vec![
            Tunnel::new(
                TunnelId(1),
                "Loopback",
                Arc::clone(&self.action),
                selector(address),
                selector(RESPONDER),
            )
            .between(address, RESPONDER)
        ]);
        let now = self.now;
        let mut wire = Vec::new();
        let mut children = 0;
        meter(Side::Initiator, &mut || {
            if initiator.initiate(now, TunnelId(1)).is_ok() {
                drain(&mut initiator, &mut wire, &mut children);
            }
        });
        while !wire.is_empty() {
            for one in core::mem::take(&mut wire) {
                let Transmit { path, bytes } = one;
                let seen = Path {
                    local: path.remote,
                    remote: path.local,
                };
                let (side, ike) = if is_responder(path.remote) {
                    (Side::Responder, &mut self.responder)
                } else {
                    (Side::Initiator, &mut initiator)
                };
                meter(side, &mut || {
                    ike.receive(now, seen, &bytes);
                    drain(ike, &mut wire, &mut children);
                });
            }
        }
        Ok(children == 2)
    }

    /// How many IKE SAs the responder has.
    #[must_use]
    pub fn held(&self) -> usize {
        self.responder.sas().count()
    }
}

fn is_responder(address: SocketAddr) -> bool {
    address.ip() == RESPONDER
}

/// Takes what happened, and what is to be sent.
fn drain(ike: &mut Ike, wire: &mut Vec<Transmit>, children: &mut u32) {
    while let Some(event) = ike.event() {
        *children += u32::from(matches!(event, Event::ChildInstall(_)));
    }
    while let Some(datagram) = ike.transmit() {
        wire.push(datagram);
    }
}

fn host(
    provider: &Provider,
    policy: &Arc<Policy>,
    proof: Proof<'_>,
    random: fn() -> Box<dyn Random>,
) -> Result<Ike, Unfit> {
    let mut credentials = Credentials::default();
    // All certificates are of one host, and each initiator is another all the same.
    let config = Config {
        initial_contact: matches!(proof, Proof::SharedKey),
        ..Config::default()
    };
    if let Proof::Certificate {
        certificate,
        key,
        authority,
        ..
    } = proof
    {
        let mut trust = TrustStore::new();
        trust
            .add(provider, "authority", authority)
            .map_err(|_| Unfit)?;
        let signer = Arc::from(provider.signer(key).map_err(|_| Unfit)?);
        let own =
            Credential::new(provider, "host", &[certificate], signer, &trust).map_err(|_| Unfit)?;
        credentials.own.push(own);
        credentials.trust = trust;
    }
    let (provider, policy) = (provider.clone(), Arc::clone(policy));
    Ok(Ike::new(config, policy, provider, credentials, random()))
}
