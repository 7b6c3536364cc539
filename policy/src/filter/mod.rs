//! IP filter rules: from the statements of an IPSec policy to the model of
//! [`hostward_filter`].

mod address;
mod meaning;
mod rule;
mod service;
mod time;

#[cfg(any(feature = "ids", feature = "ipsec"))]
pub(crate) use time::time_condition;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_filter::{
    AddressSpec, Discard, Group, LocalTime, Rule, RuleSet, Service, Settings, TimeCondition, Tunnel,
};
use hostward_hook::ident::TunnelId;
use hostward_hook::time::UnixTime;

use crate::codes;
use crate::diagnostic::{Code, CodeInfo, Diagnostic, Diagnostics, Severity};
use crate::policy::{Object, Policy};
use crate::source::{SourceId, Span};
use crate::tables::ipsec::filter::{
    DiscardAction, IP_FILTER_GROUP, IP_FILTER_POLICY, IP_FILTER_RULE, ip_filter_group,
    ip_filter_policy,
};
use crate::tables::ipsec::{OnOff, YesNo};

/// How to compile.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options<'o> {
    /// Tells the rule set from the ones before and after it.
    pub generation: u64,
    /// The time of day, to find conditions that are over; not looked for without.
    pub now: Option<(UnixTime, &'o dyn LocalTime)>,
    /// The most simple filters that all rules together may expand to.
    pub most_filters: usize,
    /// Rules are compared with each other to find those that decide nothing.
    pub compare: bool,
}

impl Default for Options<'_> {
    /// Generation 1, no time, at most a million simple filters, rules compared.
    fn default() -> Self {
        Self {
            generation: 1,
            now: None,
            most_filters: 1_000_000,
            compare: true,
        }
    }
}

impl<'o> Options<'o> {
    /// The same with another generation.
    #[must_use]
    pub const fn generation(mut self, generation: u64) -> Self {
        self.generation = generation;
        self
    }

    /// The same at a time of day.
    #[must_use]
    pub const fn now(mut self, at: UnixTime, local: &'o dyn LocalTime) -> Self {
        self.now = Some((at, local));
        self
    }

    /// The same with another bound on the expansion of rules.
    #[must_use]
    pub const fn most_filters(mut self, most: usize) -> Self {
        self.most_filters = most;
        self
    }
}

/// A rule set and where its rules stand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FilterPolicy {
    /// The rules.
    pub rule_set: RuleSet,
    /// Keyword and name of each rule, by position.
    pub places: Vec<Span>,
}

/// Compiles the IP filter policy. Nothing when the policy has an error, be it from reading or
/// found here: all or nothing is installed.
///
/// Linear in the rules but for the comparison of rules, see [`hostward_filter::analyze`].
#[must_use]
pub fn compile(
    policy: &Policy<'_>,
    options: &Options<'_>,
    out: &mut Diagnostics,
) -> Option<FilterPolicy> {
    let mut compiler = Compiler::new(out, options.most_filters);
    let Some(root) = policy.statement(&IP_FILTER_POLICY) else {
        compiler.no_policy(policy);
        return None;
    };
    let settings = settings(root);
    for entry in root.objects(ip_filter_policy::RULES) {
        if entry.is(&IP_FILTER_RULE) {
            compiler.rule(entry, None);
        } else if entry.is(&IP_FILTER_GROUP) {
            let group: Arc<str> = entry.name().into();
            for rule in entry.objects(ip_filter_group::RULES) {
                compiler.rule(rule, Some(&group));
                // A group may list a rule again and again, too.
                if compiler.expansion > options.most_filters {
                    break;
                }
            }
        }
        if compiler.expansion > options.most_filters {
            compiler.too_many(entry);
            break;
        }
    }
    let Compiler {
        rules,
        places,
        tunnels,
        ..
    } = compiler;
    // The caller may have kept what was told of reading somewhere else.
    let failed = |out: &Diagnostics| out.has_errors() || policy.has_errors();
    if rules.is_empty() && !failed(out) {
        out.push(
            Diagnostic::new(
                &codes::NO_FILTER_RULES,
                root.span(),
                "the `IpFilterPolicy` has no rule",
            )
            .label("expected at least one IpFilterRule, IpFilterRuleRef or IpFilterGroupRef")
            .help("what no rule permits is denied: without any rule, everything would be"),
        );
    }
    let rule_set = RuleSet::new(rules, options.generation)
        .with_settings(settings)
        .with_tunnels(tunnels);
    if !failed(out) {
        meaning::tell(&rule_set, &places, options, out);
    }
    (!failed(out)).then_some(FilterPolicy { rule_set, places })
}

fn settings(root: Object<'_>) -> Settings {
    let on = |p| root.choice::<OnOff>(p) == Some(OnOff::On);
    let yes = |p| root.choice::<YesNo>(p) == Some(YesNo::Yes);
    let mut settings = Settings::default();
    settings.pre_decap = on(ip_filter_policy::PRE_DECAP);
    settings.logging = on(ip_filter_policy::FILTER_LOGGING);
    settings.log_implicit = yes(ip_filter_policy::LOG_IMPLICIT);
    settings.allow_on_demand = yes(ip_filter_policy::ALLOW_ON_DEMAND);
    settings.fips140 = yes(ip_filter_policy::FIPS140);
    settings.implicit_discard = discard(root.choice(ip_filter_policy::IMPLICIT_DISCARD_ACTION));
    settings
}

fn discard(action: Option<DiscardAction>) -> Discard {
    match action {
        Some(DiscardAction::Icmp) => Discard::Icmp,
        Some(DiscardAction::Silent) | None => Discard::Silent,
    }
}

/// What was made of statements that several rules share; nothing for one with an error, which is
/// told once.
type Shared<T> = BTreeMap<u32, Option<T>>;

struct Compiler<'d> {
    out: &'d mut Diagnostics,
    rules: Vec<Rule>,
    places: Vec<Span>,
    tunnels: Vec<Tunnel>,
    tunnel_ids: BTreeMap<TunnelKey, TunnelId>,
    /// Simple filters so far, and the most there may be.
    expansion: usize,
    most: usize,
    addresses: Shared<AddressSpec>,
    address_groups: Shared<Arc<Group<AddressSpec>>>,
    services: Shared<Service>,
    service_groups: Shared<Arc<Group<Service>>>,
    times: Shared<Arc<TimeCondition>>,
    /// Where a rule was first put.
    rule_at: Shared<usize>,
    /// What was said about shared actions.
    told: BTreeSet<(u32, Code)>,
}

/// What tells tunnels apart: the VPN action, the local start action, the peer's identity.
type TunnelKey = (u32, Option<u32>, Option<String>);

impl<'d> Compiler<'d> {
    const fn new(out: &'d mut Diagnostics, most: usize) -> Self {
        Self {
            out,
            most,
            rules: Vec::new(),
            places: Vec::new(),
            tunnels: Vec::new(),
            tunnel_ids: BTreeMap::new(),
            expansion: 0,
            addresses: BTreeMap::new(),
            address_groups: BTreeMap::new(),
            services: BTreeMap::new(),
            service_groups: BTreeMap::new(),
            times: BTreeMap::new(),
            rule_at: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Tells a mistake of meaning. Nothing is made of what it is about.
    fn wrong(&mut self, code: &'static CodeInfo, make: impl FnOnce() -> Diagnostic) {
        debug_assert!(code.severity == Severity::Error);
        self.out.push_with(code, make);
    }

    fn no_policy(&mut self, policy: &Policy<'_>) {
        // A policy that could not be read may well have one.
        if self.out.has_errors() || policy.has_errors() {
            return;
        }
        let end =
            policy
                .sources()
                .iter()
                .last()
                .map_or(Span::new(SourceId(0), 0, 0), |(id, source)| {
                    let end = u32::try_from(source.text().trim_end().len()).unwrap_or(u32::MAX);
                    Span::new(id, end, end)
                });
        self.wrong(&codes::NO_FILTER_POLICY, || {
            Diagnostic::new(
                &codes::NO_FILTER_POLICY,
                end,
                "the policy has no `IpFilterPolicy`",
            )
            .label("expected an IpFilterPolicy that lists the rules in their order")
            .help(
                "add `IpFilterPolicy` with `IpFilterRuleRef` for each rule; the default rules stay \
                 in force without",
            )
        });
    }

    fn too_many(&mut self, entry: Object<'_>) {
        let most = self.most;
        self.wrong(&codes::TOO_MANY_FILTERS, || {
            Diagnostic::new(
                &codes::TOO_MANY_FILTERS,
                entry.name_span(),
                format!("the rules expand to more than {most} simple filters"),
            )
            .label("with this one: sources × destinations × services × directions")
            .help("use prefixes and ranges in place of long lists of addresses")
        });
    }
}
