//! What a host wants of its peers, as typed values: the key exchange and dynamic VPN policy of z/OS.
//!
//! A [`Policy`] is built whole and checked when it is built; what is in it is consistent, and the crypto provider can
//! do it in the provider's FIPS mode. Names of z/OS are in the docs of each item.
//!
//! ```
//! use std::sync::Arc;
//! use hostward_crypto::algorithm::{Aead, Group, Hash, Prf};
//! use hostward_crypto::{Provider, Secret, backend};
//! use hostward_ike::auth::{HowToAuthMe, SharedKey};
//! use hostward_ike::identity::{Addresses, Identity, IdentityPattern};
//! use hostward_ike::policy::*;
//!
//! let provider = Provider::of([backend::RUST_CRYPTO]);
//! let gcm = IkeProtection::Aead(Aead::AES_256_GCM);
//! let offer = KeyExchangeOffer::new(gcm, Prf::Hmac(Hash::Sha384), Group::X25519)
//!     .and(AdditionalKeyExchange::required(Group::MlKem768));
//! let mut action = KeyExchangeAction::new("Strong", vec![offer]);
//! action.auth_me = HowToAuthMe::PresharedKey;
//! let local = LocalEndpoint {
//!     identity: Some(Identity::fqdn("gw.example.com").unwrap()),
//!     location: Addresses::All,
//! };
//! let remote = RemoteEndpoint {
//!     identity: IdentityPattern::fqdn("*.branch.example.com").unwrap(),
//!     location: Addresses::prefix("192.0.2.0".parse().unwrap(), 24).unwrap(),
//!     authorities: Vec::new(),
//! };
//! let mut rule = KeyExchangeRule::new("Branch", local, remote, Arc::new(action));
//! rule.shared_key = Some(SharedKey::new(Secret::copy(b"a long secret")).unwrap());
//! let parts = PolicyParts { rules: vec![rule], ..PolicyParts::default() };
//! let policy = Policy::new(parts, &provider)?;
//!
//! let (here, there) = ("198.51.100.1".parse().unwrap(), "192.0.2.7".parse().unwrap());
//! assert_eq!(&*policy.tentative(here, there).unwrap().name, "Branch");
//! let peer = Identity::fqdn("gw.oslo.branch.example.com").unwrap();
//! assert!(policy.rule(here, there, None, &peer).is_some());
//! # Ok::<(), PolicyError>(())
//! ```

mod action;
mod offer;
mod rule;
pub mod transform;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use hostward_crypto::fips::Purpose;
use hostward_crypto::{Algorithm, Provider};

pub use action::{
    CertificateUrlLookup, DontFragment, DynVpnAction, EncapsulationChoice, Granularity,
    HowToInitiate, Initiation, KeyExchangeAction, LocalStartAction, PeerProof, Pfs,
};
pub use offer::{
    AdditionalKeyExchange, DataProtection, Encapsulation, IkeProtection, IpDataOffer,
    KeyExchangeOffer, Life,
};
pub use rule::{KeyExchangeRule, LocalDynVpnRule, LocalEndpoint, RemoteEndpoint};

use crate::certificate::Label;
use crate::identity::Identity;

/// What is wrong inside an object.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    parameter: &'static str,
    expected: String,
}

impl Fault {
    fn new(parameter: &'static str, expected: &str) -> Self {
        Self {
            parameter,
            expected: expected.to_owned(),
        }
    }

    /// Whether the provider may do an algorithm.
    fn ask(
        provider: &Provider,
        purpose: Purpose,
        parameter: &'static str,
        algorithm: Algorithm,
    ) -> Result<(), Self> {
        provider.check(purpose, algorithm).map_err(|refusal| Self {
            parameter,
            expected: alloc::format!("an algorithm that can be used: {refusal}"),
        })
    }

    fn of(self, kind: &'static str, name: &str) -> PolicyError {
        PolicyError {
            kind,
            name: name.into(),
            parameter: self.parameter,
            expected: self.expected,
        }
    }
}

/// Names have 1 to 32 characters, and neither a hyphen in front nor a comma.
fn check_name(name: &str) -> Result<(), Fault> {
    let good =
        (1..=32).contains(&name.chars().count()) && !name.starts_with('-') && !name.contains(',');
    if good {
        Ok(())
    } else {
        Err(Fault::new(
            "name",
            "1 to 32 characters without a comma and without a hyphen in front",
        ))
    }
}

/// Why a policy cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name}: {parameter}: expected {expected}")]
#[non_exhaustive]
pub struct PolicyError {
    /// The kind of object, by its statement.
    pub kind: &'static str,
    /// The object's name.
    pub name: Box<str>,
    /// The parameter.
    pub parameter: &'static str,
    /// What it should be.
    pub expected: String,
}

/// The daemon's part (`IkeConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IkeConfig {
    /// `IkeRetries`: retransmissions of a request, 1 to 8.
    pub retries: u32,
    /// `IkeInitWait`: seconds before the first retransmission, 1 to 15; each further one takes twice as long.
    pub init_wait: u32,
    /// `SupportedCertAuth`: labels of the authorities for rules that name none; empty for all.
    pub authorities: Vec<Label>,
}

impl Default for IkeConfig {
    fn default() -> Self {
        Self {
            retries: 6,
            init_wait: 2,
            authorities: Vec::new(),
        }
    }
}

impl IkeConfig {
    /// How long is waited for an answer after the request was sent for the `sent`-th time, counted from 0; nothing when
    /// it is not sent again and the wait is over. By default 2, 4, 8 … 128 seconds.
    #[must_use]
    pub fn wait(&self, sent: u32) -> Option<Duration> {
        (sent <= self.retries).then(|| {
            let factor = 1u64.checked_shl(sent).unwrap_or(u64::MAX);
            Duration::from_secs(u64::from(self.init_wait).saturating_mul(factor))
        })
    }

    fn check(&self) -> Result<(), Fault> {
        if !(1..=8).contains(&self.retries) {
            return Err(Fault::new("IkeRetries", "1 to 8"));
        }
        if !(1..=15).contains(&self.init_wait) {
            return Err(Fault::new("IkeInitWait", "1 to 15 seconds"));
        }
        Ok(())
    }
}

/// What a policy is made of.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a host fills in what it has")]
pub struct PolicyParts {
    /// `IkeConfig`.
    pub config: IkeConfig,
    /// Key exchange rules, in the order in which they are tried.
    pub rules: Vec<KeyExchangeRule>,
    /// Dynamic VPN actions.
    pub actions: Vec<Arc<DynVpnAction>>,
    /// Local start actions.
    pub starts: Vec<Arc<LocalStartAction>>,
    /// Tunnels that are started by command or by themselves, in no order.
    pub local: Vec<LocalDynVpnRule>,
}

/// A policy that holds together. It does not change; another one takes its place.
#[derive(Clone, Debug)]
pub struct Policy {
    parts: PolicyParts,
}

impl Policy {
    /// Checks the parts: each for itself, names that must be one object's, and every algorithm with the provider and its
    /// FIPS mode. z/OS fails a policy that asks for what the system cannot do, and does not leave out the offer.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] for the first thing that is wrong.
    pub fn new(parts: PolicyParts, provider: &Provider) -> Result<Self, PolicyError> {
        parts.config.check().map_err(|f| f.of("IkeConfig", ""))?;
        for rule in &parts.rules {
            let action = &rule.action;
            action
                .check(provider)
                .map_err(|f| f.of("KeyExchangeAction", &action.name))?;
            rule.check()
                .map_err(|f| f.of("KeyExchangeRule", &rule.name))?;
        }
        for action in &parts.actions {
            action
                .check(provider)
                .map_err(|f| f.of("IpDynVpnAction", &action.name))?;
        }
        for start in &parts.starts {
            check_name(&start.name).map_err(|f| f.of("IpLocalStartAction", &start.name))?;
        }
        for rule in &parts.local {
            rule.check()
                .map_err(|f| f.of("LocalDynVpnRule", &rule.name))?;
        }
        once("KeyExchangeRule", parts.rules.iter().map(|r| &*r.name))?;
        once("IpDynVpnAction", parts.actions.iter().map(|a| &*a.name))?;
        once("IpLocalStartAction", parts.starts.iter().map(|s| &*s.name))?;
        once("LocalDynVpnRule", parts.local.iter().map(|r| &*r.name))?;
        Ok(Self { parts })
    }

    /// The daemon's part.
    #[must_use]
    pub const fn config(&self) -> &IkeConfig {
        &self.parts.config
    }

    /// The key exchange rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[KeyExchangeRule] {
        &self.parts.rules
    }

    /// The rule to begin with when only addresses are known: the first for them. A responder's choice is tentative until
    /// the peer has said who it is; then [`rule`](Self::rule) is asked.
    #[must_use]
    pub fn tentative(&self, local: IpAddr, remote: IpAddr) -> Option<&KeyExchangeRule> {
        self.tentatives(local, remote).next()
    }

    /// All rules for these addresses, in order: any of them may become the final one, so a responder takes any
    /// offer of theirs.
    pub fn tentatives(
        &self,
        local: IpAddr,
        remote: IpAddr,
    ) -> impl Iterator<Item = &KeyExchangeRule> {
        let rules = self.parts.rules.iter();
        rules.filter(move |rule| rule.is_between(local, remote))
    }

    /// The rule for a peer that has said who it is (and whom it wants to speak to, when it has): the first. When it is not
    /// the tentative one, its action must accept what was already agreed on, or the negotiation fails.
    #[must_use]
    pub fn rule(
        &self,
        local: IpAddr,
        remote: IpAddr,
        local_identity: Option<&Identity>,
        remote_identity: &Identity,
    ) -> Option<&KeyExchangeRule> {
        self.tentatives(local, remote)
            .find(|rule| rule.is_for(local, local_identity, remote_identity))
    }

    /// The labels of the authorities that may have signed the certificate of a rule's peer; none for all.
    #[must_use]
    pub fn authorities<'p>(&'p self, rule: &'p KeyExchangeRule) -> Option<&'p [Label]> {
        [&rule.remote.authorities, &self.parts.config.authorities]
            .into_iter()
            .find(|labels| !labels.is_empty())
            .map(Vec::as_slice)
    }

    /// A dynamic VPN action by its name.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<&Arc<DynVpnAction>> {
        self.parts.actions.iter().find(|a| &*a.name == name)
    }

    /// All dynamic VPN actions.
    #[must_use]
    pub fn actions(&self) -> &[Arc<DynVpnAction>] {
        &self.parts.actions
    }

    /// A local start action by its name.
    #[must_use]
    pub fn start(&self, name: &str) -> Option<&Arc<LocalStartAction>> {
        self.parts.starts.iter().find(|s| &*s.name == name)
    }

    /// A tunnel to be started by command (`ipsec -y activate -l`).
    #[must_use]
    pub fn local(&self, name: &str) -> Option<&LocalDynVpnRule> {
        self.parts.local.iter().find(|r| &*r.name == name)
    }

    /// Tunnels that are started by themselves: when the host is up, and when the policy came into force.
    pub fn auto_activate(&self) -> impl Iterator<Item = &LocalDynVpnRule> {
        self.parts.local.iter().filter(|rule| rule.auto_activate)
    }
}

fn once<'n>(kind: &'static str, names: impl Iterator<Item = &'n str>) -> Result<(), PolicyError> {
    let mut seen = alloc::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Fault {
                parameter: "name",
                expected: "a name that no other has".to_string(),
            }
            .of(kind, name));
        }
    }
    Ok(())
}
