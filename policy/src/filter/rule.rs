//! A rule and its action.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_filter::{Action, AddressSpec, Discard, Logging, Members, Rule, Tunnel, TunnelKind};
use hostward_hook::ident::TunnelId;

use super::{Compiler, discard};
use crate::codes;
use crate::diagnostic::{CodeInfo, Diagnostic};
use crate::policy::{Object, Setting};
use crate::source::Span;
use crate::tables::ipsec::filter::{
    FilterAction, FilterLogging, ip_filter_rule, ip_generic_filter_action,
};
use crate::tables::ipsec::vpn::IP_MAN_VPN_ACTION;

impl Compiler<'_> {
    /// Adds a rule, unless it has an error, which is told once however often it is listed.
    pub(super) fn rule(&mut self, object: Object<'_>, group: Option<&Arc<str>>) {
        let rule = match self.rule_at.get(&object.index()) {
            Some(known) => known.and_then(|at| self.rules.get(at)).cloned(),
            None => {
                let rule = self.make_rule(object);
                let at = rule.is_some().then_some(self.rules.len());
                self.rule_at.insert(object.index(), at);
                rule
            }
        };
        if let Some(mut rule) = rule {
            rule.group = group.cloned();
            // Each rule has a list of its times, which a text can make long and list often.
            let size = rule.expansion().max(rule.times.len());
            self.expansion = self.expansion.saturating_add(size);
            self.rules.push(rule);
            self.places.push(object.name_span());
        }
    }

    fn make_rule(&mut self, object: Object<'_>) -> Option<Rule> {
        // Everything is looked at even when something before was wrong: all is told in one run.
        let source = self.end(object, ip_filter_rule::SOURCE);
        let destination = self.end(object, ip_filter_rule::DESTINATION);
        let services = self.services_of(object, ip_filter_rule::SERVICES);
        let times: Option<Vec<_>> = object
            .objects(ip_filter_rule::TIME_CONDITIONS)
            .map(|t| self.time(t))
            .collect();
        let action = self.action(object);
        let (Some(source), Some(destination), Some(services), Some(times), Some(action)) =
            (source, destination, services, times, action)
        else {
            return None;
        };
        if !self.one_version(object, &source, &destination) {
            return None;
        }
        let mut rule = Rule::new(object.name(), action.action)
            .source(source)
            .destination(destination)
            .services(services)
            .logging(action.logging)
            .discard(action.discard);
        rule.times = times;
        Some(rule)
    }

    /// Whether both ends have addresses of one IP version.
    fn one_version(
        &mut self,
        rule: Object<'_>,
        source: &Members<AddressSpec>,
        destination: &Members<AddressSpec>,
    ) -> bool {
        let versions = |end: &Members<AddressSpec>| {
            let bounds = |v6| move |s: &AddressSpec| s.bounds().is_none_or(|b| b.0.is_ipv6() == v6);
            (end.iter().any(bounds(false)), end.iter().any(bounds(true)))
        };
        let (s, d) = (versions(source), versions(destination));
        // A group without members has none of either version, which was told when it was read.
        let empty = [source, destination]
            .iter()
            .any(|end| end.as_slice().is_empty());
        if empty || (s.0 && d.0) || (s.1 && d.1) {
            return true;
        }
        let version = |v: (bool, bool)| if v.0 { "IPv4" } else { "IPv6" };
        let (source, destination) = (version(s), version(d));
        let at = |p| rule.one(p).map_or(rule.span(), |s| s.line_span());
        self.wrong(&codes::MIXED_FAMILIES, || {
            Diagnostic::new(
                &codes::MIXED_FAMILIES,
                at(ip_filter_rule::DESTINATION),
                format!(
                    "rule {} goes from {source} to {destination} addresses",
                    rule.name()
                ),
            )
            .label(format!("{destination} here"))
            .also(at(ip_filter_rule::SOURCE), format!("{source} here"))
            .help("give both ends addresses of one IP version, in two rules if need be")
        });
        false
    }

    fn action(&mut self, rule: Object<'_>) -> Option<Made> {
        let object = rule.one(ip_filter_rule::ACTION)?.object()?;
        let filter_action = object.one(ip_generic_filter_action::IP_FILTER_ACTION)?;
        let kind: FilterAction = filter_action.choice()?;
        let logging = object.one(ip_generic_filter_action::IP_FILTER_LOGGING)?;
        let discarding = object.one(ip_generic_filter_action::DISCARD_ACTION)?;
        let mut fine = true;
        let logging = match logging.choice()? {
            FilterLogging::No => Logging::No,
            FilterLogging::Yes => Logging::Yes,
            half if kind != FilterAction::IpSec => {
                fine = false;
                let told = format!("`{half:?}` with an action that is not `IpSec`");
                self.told_once(
                    object,
                    &codes::LOGGING_NOT_IPSEC,
                    &logging,
                    told.into(),
                    "expected `No` or `Yes`",
                    "`Yes` logs what the action does; only IpSec can end both ways",
                );
                Logging::No
            }
            FilterLogging::LogPermit => Logging::Permit,
            FilterLogging::LogDeny => Logging::Deny,
        };
        let discard = discard(discarding.choice());
        if discard == Discard::Icmp && kind == FilterAction::Permit {
            self.told_once(
                object,
                &codes::DISCARD_OF_PERMIT,
                &discarding,
                "`DiscardAction` of an action that permits".into(),
                "has no effect: nothing is discarded",
                "leave it out, or set `IpFilterAction Deny`",
            );
        }
        let action = match kind {
            FilterAction::Permit => Action::Permit,
            FilterAction::Deny => Action::Deny,
            FilterAction::IpSec => Action::Ipsec(self.tunnel(rule, &filter_action)?),
        };
        if kind != FilterAction::IpSec {
            fine &= self.no_tunnel(rule, &filter_action);
        }
        fine.then_some(Made {
            action,
            logging,
            discard,
        })
    }

    /// Something about an action that several rules may share: told for the first.
    fn told_once(
        &mut self,
        action: Object<'_>,
        code: &'static CodeInfo,
        setting: &Setting<'_>,
        message: Cow<'static, str>,
        label: &'static str,
        help: &'static str,
    ) {
        if self.told.insert((action.index(), code.code)) {
            self.out.push_with(code, || {
                Diagnostic::new(code, setting.line_span(), message)
                    .label(label)
                    .help(help)
            });
        }
    }

    /// The tunnel of a rule that asks for one.
    fn tunnel(&mut self, rule: Object<'_>, action: &Setting<'_>) -> Option<TunnelId> {
        let Some(vpn) = rule.one(ip_filter_rule::VPN_ACTION) else {
            self.wrong(&codes::NO_TUNNEL, || {
                Diagnostic::new(
                    &codes::NO_TUNNEL,
                    rule.name_span(),
                    format!("rule {} has the action `IpSec` and no tunnel", rule.name()),
                )
                .label("expected an `IpManVpnActionRef` or `IpDynVpnActionRef`")
                .also(action.line_span(), "the action")
                .help("name the tunnel in the rule, or permit or deny the traffic")
            });
            return None;
        };
        // One that was not found was told of when references were followed.
        let made_by = vpn.object()?;
        let kind = if made_by.is(&IP_MAN_VPN_ACTION) {
            TunnelKind::Manual
        } else {
            TunnelKind::Dynamic
        };
        let start = rule.one(ip_filter_rule::LOCAL_START_ACTION);
        let identity = rule.one(ip_filter_rule::REMOTE_IDENTITY);
        if kind == TunnelKind::Manual
            && let Some(needless) = start.or(identity)
        {
            self.wrong(&codes::START_NOT_DYNAMIC, || {
                let keyword = needless.keyword().map_or("", |k| k.name);
                Diagnostic::new(
                    &codes::START_NOT_DYNAMIC,
                    needless.line_span(),
                    format!("`{keyword}` in rule {} with a manual tunnel", rule.name()),
                )
                .label("goes with `IpDynVpnActionRef` only: nothing is negotiated")
                .also(vpn.line_span(), "the tunnel is manual")
                .help("leave it out")
            });
            return None;
        }
        let start = match start {
            Some(start) => Some(start.object()?),
            None => None,
        };
        let identity = identity.map(|i| rule.policy().sources().text(i.span()));
        let key = (
            made_by.index(),
            start.map(|s| s.index()),
            identity.map(String::from),
        );
        if let Some(id) = self.tunnel_ids.get(&key) {
            return Some(*id);
        }
        let id = TunnelId(u32::try_from(self.tunnels.len()).ok()?);
        let mut tunnel = Tunnel::new(made_by.name(), kind);
        tunnel.local_start = start.map(|s| s.name().into());
        tunnel.remote_identity = identity.map(Into::into);
        self.tunnels.push(tunnel);
        self.tunnel_ids.insert(key, id);
        Some(id)
    }

    /// Whether a rule that asks for no tunnel names none.
    fn no_tunnel(&mut self, rule: Object<'_>, action: &Setting<'_>) -> bool {
        let about = [
            ip_filter_rule::VPN_ACTION,
            ip_filter_rule::LOCAL_START_ACTION,
            ip_filter_rule::REMOTE_IDENTITY,
        ];
        let Some(vpn) = about.into_iter().find_map(|p| rule.one(p)) else {
            return true;
        };
        let decision: Span = action.line_span();
        self.wrong(&codes::TUNNEL_NOT_TAKEN, || {
            let keyword = vpn.keyword().map_or("", |k| k.name);
            Diagnostic::new(
                &codes::TUNNEL_NOT_TAKEN,
                vpn.line_span(),
                format!("`{keyword}` in rule {}, which uses no tunnel", rule.name()),
            )
            .label("goes with the action `IpSec` only")
            .also(decision, "the action")
            .help("set `IpFilterAction IpSec`, or leave the tunnel out")
        });
        false
    }
}

/// What an action was made into.
struct Made {
    action: Action,
    logging: Logging,
    discard: Discard,
}
