//! Key exchange and dynamic tunnels: from the statements of an IPSec policy to the model of
//! [`hostward_ike::policy`].

mod endpoint;
mod offer;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::ops::RangeInclusive;

use hostward_crypto::Provider;
use hostward_crypto::fips::Fips;
use hostward_ike::auth::HowToAuthMe;
use hostward_ike::certificate::Revocation;
use hostward_ike::identity::Addresses;
use hostward_ike::policy as model;

use crate::codes;
use crate::diagnostic::{CodeInfo, Diagnostic, Diagnostics};
use crate::policy::{Object, Policy, Setting};
use crate::schema::ParameterId;
use crate::source::Span;
use crate::tables::ipsec::YesNo;
use crate::tables::ipsec::filter::{IP_FILTER_POLICY, ip_filter_policy};
use crate::tables::ipsec::key_exchange as k;
use crate::tables::ipsec::vpn as v;
use crate::value::Atom;

/// Compiles key exchange, dynamic VPN actions and local dynamic VPN policy. Nothing when the policy has an error, be it
/// from reading or found here: all or nothing is installed. `FIPS140 Yes`, of the filter policy or the daemon, turns on
/// FIPS mode for the algorithms.
///
/// Linear in the statements, once for each place a statement is used in.
#[must_use]
pub fn compile(
    policy: &Policy<'_>,
    provider: &Provider,
    out: &mut Diagnostics,
) -> Option<model::Policy> {
    let provider = provider_for(policy, provider);
    let mut compiler = Compiler {
        out,
        provider: &provider,
        offers: BTreeMap::new(),
        actions: BTreeMap::new(),
        data_offers: BTreeMap::new(),
        locals: BTreeMap::new(),
        remotes: BTreeMap::new(),
        places: BTreeMap::new(),
    };
    let parts = compiler.parts(policy);
    let places = compiler.places;
    if out.has_errors() || policy.has_errors() {
        return None;
    }
    match model::Policy::new(parts?, &provider) {
        Ok(policy) => Some(policy),
        Err(error) => {
            let name = error.name.to_string();
            let place = places.get(&(error.kind, name)).copied();
            // Every object of the model was a statement.
            let place = place.or_else(|| policy.objects().next().map(|o| o.name_span()))?;
            out.push(
                Diagnostic::new(
                    &codes::IKE_INCONSISTENT,
                    place,
                    format!("{} {} does not hold together", error.kind, error.name),
                )
                .label(format!(
                    "`{}`: expected {}",
                    error.parameter, error.expected
                ))
                .help("change the parameter, or what it depends on"),
            );
            None
        }
    }
}

/// The provider in the FIPS mode that the policy asks for.
fn provider_for(policy: &Policy<'_>, provider: &Provider) -> Provider {
    let yes = |object: Option<Object<'_>>, parameter| {
        object.and_then(|o| o.choice::<YesNo>(parameter)) == Some(YesNo::Yes)
    };
    let asked = yes(
        policy.statement(&IP_FILTER_POLICY),
        ip_filter_policy::FIPS140,
    ) || yes(policy.statement(&k::IKE_CONFIG), k::ike_config::FIPS140);
    if asked && provider.fips() == Fips::Off {
        provider.clone().with_fips(Fips::Algorithms)
    } else {
        provider.clone()
    }
}

/// What was made of statements that several others share; nothing for one with an error, which is told once.
type Shared<T> = BTreeMap<u32, Option<T>>;

struct Compiler<'d> {
    out: &'d mut Diagnostics,
    provider: &'d Provider,
    offers: Shared<model::KeyExchangeOffer>,
    actions: Shared<Arc<model::KeyExchangeAction>>,
    data_offers: Shared<model::IpDataOffer>,
    locals: Shared<model::LocalEndpoint>,
    remotes: Shared<model::RemoteEndpoint>,
    /// Where the objects of the model stand.
    places: BTreeMap<(&'static str, String), Span>,
}

impl Compiler<'_> {
    fn parts(&mut self, policy: &Policy<'_>) -> Option<model::PolicyParts> {
        let config = self.config(policy.statement(&k::IKE_CONFIG));
        let mut rules = Some(Vec::new());
        if let Some(root) = policy.statement(&k::KEY_EXCHANGE_POLICY) {
            let list = members(
                root,
                k::key_exchange_policy::RULES,
                &k::KEY_EXCHANGE_GROUP,
                k::key_exchange_group::RULES,
            );
            for object in list {
                let rule = self.rule(object, root);
                push(&mut rules, rule);
            }
        }
        let mut actions = Some(Vec::new());
        let mut starts = Some(Vec::new());
        for object in policy.objects().filter(|o| !o.is_overridden()) {
            if object.is(&v::IP_DYN_VPN_ACTION) {
                let action = self.dyn_vpn_action(object);
                push(&mut actions, action.map(Arc::new));
            } else if object.is(&v::IP_LOCAL_START_ACTION) {
                let start = self.local_start(object);
                push(&mut starts, start.map(Arc::new));
            }
        }
        let mut local = Some(Vec::new());
        if let Some(root) = policy.statement(&v::LOCAL_DYN_VPN_POLICY) {
            let list = members(
                root,
                v::local_dyn_vpn_policy::RULES,
                &v::LOCAL_DYN_VPN_GROUP,
                v::local_dyn_vpn_group::RULES,
            );
            for object in list {
                let rule = self.local_rule(object);
                push(&mut local, rule);
            }
        }
        Some(model::PolicyParts {
            config: config?,
            rules: rules?,
            actions: actions?,
            starts: starts?,
            local: local?,
        })
    }

    /// Remembers where an object of the model stands.
    fn place(&mut self, kind: &'static str, object: Object<'_>) {
        self.places
            .insert((kind, object.name().into_owned()), object.name_span());
    }

    fn tell(
        &mut self,
        code: &'static CodeInfo,
        span: Span,
        title: impl FnOnce() -> String,
        label: impl FnOnce() -> String,
        help: &'static str,
    ) {
        self.out.push_with(code, || {
            Diagnostic::new(code, span, title())
                .label(label())
                .help(help)
        });
    }

    fn config(&self, object: Option<Object<'_>>) -> Option<model::IkeConfig> {
        let mut config = model::IkeConfig::default();
        if let Some(object) = object {
            config.retries = object.number(k::ike_config::RETRIES)?;
            config.init_wait = object.number(k::ike_config::INIT_WAIT)?;
            config.authorities = texts(object, k::ike_config::AUTHORITIES);
        }
        Some(config)
    }

    fn rule(&mut self, object: Object<'_>, root: Object<'_>) -> Option<model::KeyExchangeRule> {
        use k::key_exchange_rule as p;
        self.place("KeyExchangeRule", object);
        let child = |parameter| object.one(parameter).and_then(|s| s.object());
        let local = child(p::LOCAL).and_then(|o| self.local_endpoint(o));
        let remote = child(p::REMOTE).and_then(|o| self.remote_endpoint(o));
        let action = child(p::ACTION).and_then(|o| self.action(o, root));
        let key = match object.one(p::SHARED_KEY) {
            Some(setting) => Some(self.shared_key(&setting, object.name_span())?),
            None => None,
        };
        let mut rule = model::KeyExchangeRule::new(&object.name(), local?, remote?, action?);
        rule.certificate = texts(object, p::CERTIFICATE).pop();
        rule.shared_key = key;
        if rule.shared_key.is_none() && rule.action.auth_me == HowToAuthMe::PresharedKey {
            self.tell(
                &codes::IKE_SHARED_KEY,
                object.name_span(),
                || format!("key exchange rule {} has no `SharedKey`", rule.name),
                || format!("{} says `HowToAuthMe PresharedKey`", rule.action.name),
                "add `SharedKey Ascii` and the key, or let the action sign with a certificate",
            );
            return None;
        }
        Some(rule)
    }

    fn action(
        &mut self,
        object: Object<'_>,
        root: Object<'_>,
    ) -> Option<Arc<model::KeyExchangeAction>> {
        if let Some(known) = self.actions.get(&object.index()) {
            return known.clone();
        }
        let made = self.action_of(object, root).map(Arc::new);
        self.actions.insert(object.index(), made.clone());
        made
    }

    fn action_of(
        &mut self,
        object: Object<'_>,
        root: Object<'_>,
    ) -> Option<model::KeyExchangeAction> {
        use k::key_exchange_action as p;
        use k::key_exchange_policy as d;
        self.place("KeyExchangeAction", object);
        let mut offers = Some(Vec::new());
        for offer in object.objects(p::OFFERS) {
            let offer = self.key_exchange_offer(offer);
            push(&mut offers, offer);
        }
        let initiate = self.initiate(object);
        let mut action = model::KeyExchangeAction::new(&object.name(), offers?);
        action.initiate = initiate?;
        action.auth_me = match object.choice::<k::AuthMe>(p::HOW_TO_AUTH_ME)? {
            k::AuthMe::PresharedKey => HowToAuthMe::PresharedKey,
            k::AuthMe::RsaSignature => HowToAuthMe::RsaSignature,
            k::AuthMe::Ecdsa256 => HowToAuthMe::Ecdsa256,
            k::AuthMe::Ecdsa384 => HowToAuthMe::Ecdsa384,
            k::AuthMe::Ecdsa521 => HowToAuthMe::Ecdsa521,
            k::AuthMe::DigitalSignature => HowToAuthMe::DigitalSignature,
        };
        // What the action does not say the policy says, or its default.
        let either = |own, general| object.one(own).or_else(|| root.one(general));
        let yes = |own, general| {
            let setting: Option<Setting<'_>> = either(own, general);
            setting
                .and_then(|s| s.choice::<YesNo>())
                .map(|c| c == YesNo::Yes)
        };
        let number = |setting: Option<Setting<'_>>| setting?.atom()?.number();
        action.allow_nat = yes(p::ALLOW_NAT, d::ALLOW_NAT)?;
        action.nat_keep_alive = NonZeroU32::new(root.number(d::NAT_KEEP_ALIVE_INTERVAL)?);
        action.reauth_minutes = NonZeroU32::new(object.number(p::REAUTH_INTERVAL)?);
        action.liveness_seconds =
            NonZeroU32::new(number(either(p::LIVENESS_INTERVAL, d::LIVENESS_INTERVAL))?);
        let revocation = either(p::REVOCATION_CHECKING, d::REVOCATION_CHECKING);
        action.revocation = match revocation?.choice::<k::Revocation>()? {
            k::Revocation::None => Revocation::None,
            k::Revocation::Loose => Revocation::Loose,
            k::Revocation::Strict => Revocation::Strict,
        };
        let url = either(p::CERTIFICATE_URL, d::CERTIFICATE_URL);
        action.certificate_url = match url?.choice::<k::CertificateUrl>()? {
            k::CertificateUrl::Allow => model::CertificateUrlLookup::Allow,
            k::CertificateUrl::Disallow => model::CertificateUrlLookup::Disallow,
            k::CertificateUrl::Tolerate => model::CertificateUrlLookup::Tolerate,
        };
        action.bypass_ip_validation = yes(p::BYPASS_IP_VALIDATION, d::BYPASS_IP_VALIDATION)?;
        action.filter_by_identity = yes(p::FILTER_BY_IDENTITY, d::FILTER_BY_IDENTITY)?;
        Some(action)
    }

    fn initiate(&mut self, object: Object<'_>) -> Option<model::HowToInitiate> {
        let setting = object.one(k::key_exchange_action::HOW_TO_INITIATE)?;
        match setting.choice::<k::Initiate>()? {
            k::Initiate::IkeV2 => Some(model::HowToInitiate::IkeV2),
            k::Initiate::DoNot => Some(model::HowToInitiate::DoNot),
            k::Initiate::Main | k::Initiate::Aggressive => {
                self.tell(
                    &codes::IKE_VERSION_1,
                    setting.span(),
                    || "IKEv1 is not spoken".into(),
                    || "is a mode of IKEv1".into(),
                    "write `HowToInitiate IKEv2`, or `DoNot` to answer only",
                );
                None
            }
        }
    }

    fn dyn_vpn_action(&mut self, object: Object<'_>) -> Option<model::DynVpnAction> {
        use v::ip_dyn_vpn_action as p;
        self.place("IpDynVpnAction", object);
        let mut offers = Some(Vec::new());
        for offer in object.objects(p::OFFERS) {
            let offer = self.data_offer(offer);
            push(&mut offers, offer);
        }
        let additional: Vec<_> = object
            .all(p::ADDITIONAL)
            .filter_map(|s| offer::later(&s))
            .collect();
        let mut pfs = |setting: &Setting<'_>| -> Option<model::Pfs> {
            match setting.atom()?.number()? {
                0 => Some(model::Pfs::NONE),
                number => Some(model::Pfs {
                    group: Some(self.group(setting, number)?),
                    additional: additional.clone(),
                }),
            }
        };
        // `Pfs` is the older form of both.
        let (initiate, acceptable) = match object.one(p::PFS) {
            Some(old) => {
                let old = pfs(&old)?;
                (old.clone(), alloc::vec![old])
            }
            None => {
                let initiate = pfs(&object.one(p::INITIATE_WITH_PFS)?)?;
                let list: Vec<Setting<'_>> = object.all(p::ACCEPTABLE_PFS).collect();
                let mut acceptable = Some(Vec::new());
                for setting in &list {
                    let one = pfs(setting);
                    push(&mut acceptable, one);
                }
                let mut acceptable = acceptable?;
                if acceptable.is_empty() {
                    acceptable.push(model::Pfs::NONE);
                }
                (initiate, acceptable)
            }
        };
        let mut action = model::DynVpnAction::new(&object.name(), offers?);
        action.initiate_pfs = initiate;
        action.acceptable_pfs = acceptable;
        action.initiation = match object.choice::<v::Initiation>(p::INITIATION)? {
            v::Initiation::LocalOnly => model::Initiation::LocalOnly,
            v::Initiation::RemoteOnly => model::Initiation::RemoteOnly,
            v::Initiation::Either => model::Initiation::Either,
        };
        action.life_minutes = NonZeroU32::new(object.number(p::VPN_LIFE)?);
        action.encapsulation =
            match object.choice::<v::EncapsulationChoice>(p::HOW_TO_ENCAP_IKEV2)? {
                v::EncapsulationChoice::Tunnel => model::EncapsulationChoice::Tunnel,
                v::EncapsulationChoice::Transport => model::EncapsulationChoice::Transport,
                v::EncapsulationChoice::Either => model::EncapsulationChoice::Either,
            };
        let flag = object.one(p::PASSTHROUGH_DF)?;
        action.dont_fragment = match flag.choice::<v::PassthroughDf>()? {
            v::PassthroughDf::Yes => model::DontFragment::Copy,
            v::PassthroughDf::No => match flag.qualifier::<v::DontFragment>() {
                Some(v::DontFragment::Set) => model::DontFragment::Set,
                Some(v::DontFragment::Clear) | None => model::DontFragment::Clear,
            },
        };
        action.passthrough_dscp = object.choice::<YesNo>(p::PASSTHROUGH_DSCP)? == YesNo::Yes;
        Some(action)
    }

    fn local_start(&mut self, object: Object<'_>) -> Option<model::LocalStartAction> {
        use v::ip_local_start_action as p;
        self.place("IpLocalStartAction", object);
        let mut start = model::LocalStartAction::new(&object.name());
        start.allow_on_demand = object
            .choice::<YesNo>(p::ALLOW_ON_DEMAND)
            .map(|c| c == YesNo::Yes);
        let child = |parameter| object.one(parameter).and_then(|s| s.object());
        if let Some(local) = child(p::LOCAL) {
            start.local = Some(self.local_endpoint(local)?);
        }
        if let Some(remote) = child(p::REMOTE) {
            start.remote = Some(self.remote_endpoint(remote)?);
        }
        let granularity = |parameter| {
            Some(match object.choice::<v::Granularity>(parameter)? {
                v::Granularity::Packet => model::Granularity::Packet,
                v::Granularity::Rule => model::Granularity::Rule,
            })
        };
        start.local_ip = granularity(p::LOCAL_IP_GRANULARITY)?;
        start.remote_ip = granularity(p::REMOTE_IP_GRANULARITY)?;
        start.local_port = granularity(p::LOCAL_PORT_GRANULARITY)?;
        start.remote_port = granularity(p::REMOTE_PORT_GRANULARITY)?;
        start.protocol = granularity(p::PROTOCOL_GRANULARITY)?;
        start.icmp_type = granularity(p::ICMP_TYPE_GRANULARITY)?;
        start.icmp_code = granularity(p::ICMP_CODE_GRANULARITY)?;
        start.icmpv6_type = granularity(p::ICMPV6_TYPE_GRANULARITY)?;
        start.icmpv6_code = granularity(p::ICMPV6_CODE_GRANULARITY)?;
        start.mipv6_type = granularity(p::MIPV6_TYPE_GRANULARITY)?;
        Some(start)
    }

    fn local_rule(&mut self, object: Object<'_>) -> Option<model::LocalDynVpnRule> {
        use v::local_dyn_vpn_rule as p;
        self.place("LocalDynVpnRule", object);
        let end = |parameter| {
            object
                .one(parameter)
                .and_then(|s| endpoint::addresses_of(&s))
        };
        let mut rule = model::LocalDynVpnRule::new(&object.name(), end(p::LOCAL)?, end(p::REMOTE)?);
        let range = |parameter| -> Option<Option<(u32, u32)>> {
            let Some(Atom::Range { first, last }) = object.one(parameter)?.atom() else {
                return Some(None);
            };
            Some(Some((first, last)))
        };
        let ports = |parameter| -> Option<RangeInclusive<u16>> {
            Some(match range(parameter)? {
                None | Some((0, 0)) => 0..=65535,
                Some((first, last)) => u16::try_from(first).ok()?..=u16::try_from(last).ok()?,
            })
        };
        let octets = |parameter| -> Option<Option<RangeInclusive<u8>>> {
            Some(match range(parameter)? {
                None => None,
                Some((first, last)) => Some(u8::try_from(first).ok()?..=u8::try_from(last).ok()?),
            })
        };
        rule.local_ports = ports(p::LOCAL_DATA_PORT)?;
        rule.remote_ports = ports(p::REMOTE_DATA_PORT)?;
        // Over 255: `All`, and `Opaque`, which no negotiation can tell from it.
        rule.protocol = u8::try_from(object.number(p::PROTOCOL)?).ok();
        rule.types = octets(p::TYPE)?;
        rule.codes = octets(p::CODE)?;
        rule.auto_activate = object.choice::<YesNo>(p::AUTO_ACTIVATE)? == YesNo::Yes;
        Some(rule)
    }
}

/// Adds to a list, unless something of it is missing already.
fn push<T>(list: &mut Option<Vec<T>>, one: Option<T>) {
    match (list.as_mut(), one) {
        (Some(list), Some(one)) => list.push(one),
        (Some(_), None) | (None, _) => *list = None,
    }
}

/// The rules of a policy in order, those of its groups included, each once.
fn members<'p>(
    root: Object<'p>,
    rules: ParameterId,
    group: &'static crate::schema::Statement,
    inner: ParameterId,
) -> Vec<Object<'p>> {
    let mut list: Vec<Object<'p>> = Vec::new();
    let mut seen = alloc::collections::BTreeSet::new();
    for object in root.objects(rules) {
        let found: Vec<Object<'p>> = if object.is(group) {
            object.objects(inner).collect()
        } else {
            alloc::vec![object]
        };
        list.extend(found.into_iter().filter(|o| seen.insert(o.index())));
    }
    list
}

/// All texts of a parameter.
fn texts(object: Object<'_>, parameter: ParameterId) -> Vec<String> {
    object
        .all(parameter)
        .filter_map(|s| match s.atom()? {
            Atom::Text(text) | Atom::Word(text) => Some(text.to_string()),
            Atom::Keyword(_)
            | Atom::Number(_)
            | Atom::Range { .. }
            | Atom::Address(_)
            | Atom::Prefix { .. }
            | Atom::Addresses { .. }
            | Atom::Mask { .. }
            | Atom::Instants { .. }
            | Atom::Hours { .. }
            | Atom::Name(_)
            | Atom::Path(_)
            | Atom::Hex(_) => None,
        })
        .collect()
}

/// Addresses on a line.
fn addresses(setting: &Setting<'_>) -> Option<Addresses> {
    endpoint::addresses_at(setting, 0)
}
