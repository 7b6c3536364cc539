//! What is probably not meant: rules that decide nothing, traffic that is forgotten.

use alloc::format;

use hostward_filter::{
    Action, AddressSpec, Analysis, Never, Oddity, Rule, RuleSet, TunnelKind, Upper, analyze,
};

use super::Options;
use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::source::Span;

pub(super) fn tell(set: &RuleSet, places: &[Span], options: &Options<'_>, out: &mut Diagnostics) {
    if options.compare {
        let analysis = analyze(set, options.now);
        oddities(set, places, &analysis, out);
    }
    for (rule, place) in set.rules().iter().zip(places) {
        icmp_version(rule, *place, out);
    }
    ike(set, places, out);
}

fn oddities(set: &RuleSet, places: &[Span], analysis: &Analysis, out: &mut Diagnostics) {
    let at = |n: usize| set.rules().get(n).zip(places.get(n).copied());
    for oddity in &analysis.oddities {
        match oddity {
            Oddity::Shadowed { rule, by } => {
                if let (Some((rule, place)), Some((by, before))) = (at(*rule), at(*by)) {
                    shadowed(rule, place, by, before, out);
                }
            }
            Oddity::NeverMatches { rule, why } => {
                if let Some((rule, place)) = at(*rule) {
                    never(rule, place, *why, out);
                }
            }
            _ => {}
        }
    }
    if !analysis.complete
        && let Some(first) = places.first()
    {
        out.push(
            Diagnostic::new(
                &codes::NOT_ALL_COMPARED,
                *first,
                "there are too many overlapping rules to compare all with each other",
            )
            .label("some rules that decide nothing may not have been found"),
        );
    }
}

fn shadowed(rule: &Rule, place: Span, by: &Rule, before: Span, out: &mut Diagnostics) {
    out.push_with(&codes::SHADOWED, || {
        let does = |r: &Rule| match r.action {
            Action::Permit => "permits",
            Action::Deny => "denies",
            Action::Ipsec(_) | _ => "protects",
        };
        if place == before {
            return Diagnostic::new(
                &codes::SHADOWED,
                place,
                format!("rule {} is listed twice", rule.name),
            )
            .label("the second time it decides nothing")
            .help("take one of the two references out");
        }
        let d = Diagnostic::new(
            &codes::SHADOWED,
            place,
            format!(
                "rule {} decides nothing: {} before it matches all its packets",
                rule.name, by.name
            ),
        );
        let (d, help) = if does(rule) == does(by) {
            (
                d.label("has no effect"),
                "take it out, or move it up if it should log differently",
            )
        } else {
            let label = format!("never {}: that rule {} first", does(rule), does(by));
            (
                d.label(label),
                "the first rule that matches decides: move the narrower rule up",
            )
        };
        d.also(before, format!("{} its packets first", does(by)))
            .help(help)
    });
}

fn never(rule: &Rule, place: Span, why: Never, out: &mut Diagnostics) {
    let (label, help) = match why {
        Never::EmptyGroup => ("it names an empty group", "add a member to the group"),
        Never::MixedVersions => (
            "its ends are of different IP versions",
            "give both ends addresses of one IP version",
        ),
        Never::EmptyRange => ("a range of it is empty", "write the lower number first"),
        Never::OpaqueIpv4 => (
            "`Opaque` is for IPv6 fragments; IPv4 always shows the protocol",
            "use `Protocol All`, or IPv6 addresses",
        ),
        Never::NoTime => (
            "no time fulfils its conditions",
            "look at the masks: some months have no such day",
        ),
        Never::TimeIsOver => (
            "its time is over",
            "move the `ConditionTimeRange`, or take the rule out",
        ),
        _ => (
            "nothing fulfils all its conditions",
            "look at its conditions",
        ),
    };
    out.push_with(&codes::NEVER_MATCHES, || {
        Diagnostic::new(
            &codes::NEVER_MATCHES,
            place,
            format!("rule {} matches no packet", rule.name),
        )
        .label(label)
        .help(help)
    });
}

/// ICMP is IPv4's and ICMPv6 is IPv6's: the other one is a slip.
fn icmp_version(rule: &Rule, place: Span, out: &mut Diagnostics) {
    let only = |v6: bool| {
        let of = |s: &AddressSpec| s.bounds().is_some_and(|b| b.0.is_ipv6() == v6);
        rule.source.iter().all(of) || rule.destination.iter().all(of)
    };
    let asks = |protocol| {
        rule.services
            .iter()
            .any(|s| s.upper.protocol() == Some(protocol))
    };
    let (is, should) = if asks(1) && only(true) {
        ("Icmp between IPv6 addresses", "Icmpv6")
    } else if asks(58) && only(false) {
        ("Icmpv6 between IPv4 addresses", "Icmp")
    } else {
        return;
    };
    out.push_with(&codes::ICMP_VERSION, || {
        Diagnostic::new(
            &codes::ICMP_VERSION,
            place,
            format!("rule {} asks for {is}", rule.name),
        )
        .label("hosts do not send that")
        .help(format!("use `Protocol {should}`"))
    });
}

/// A policy with negotiated tunnels that lets no IKE through never gets one up.
fn ike(set: &RuleSet, places: &[Span], out: &mut Diagnostics) {
    let wants = set.rules().iter().position(|r| {
        let Action::Ipsec(id) = r.action else {
            return false;
        };
        set.tunnel(id)
            .is_some_and(|t| t.kind == TunnelKind::Dynamic)
    });
    let Some(place) = wants.and_then(|at| places.get(at)) else {
        return;
    };
    let asks = |upper: &Upper, port: u16| {
        if let Upper::Ports {
            protocol: 17,
            source,
            destination,
        } = upper
        {
            return source.contains(&port) || destination.contains(&port);
        }
        matches!(upper, Upper::Any | Upper::Protocol(17))
    };
    let permitted = |port: u16| {
        let mut permits = set.rules().iter().filter(|r| r.action == Action::Permit);
        permits.any(|r| r.services.iter().any(|s| asks(&s.upper, port)))
    };
    if !permitted(500) && !permitted(4500) {
        out.push(
            Diagnostic::new(
                &codes::IKE_DENIED,
                *place,
                "no rule permits IKE, and this tunnel is negotiated",
            )
            .label("needs a negotiation that the policy denies")
            .help("permit UDP port 500 with the peer, and 4500 where there is a NAT"),
        );
    }
}
