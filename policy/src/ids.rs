//! Intrusion detection: from the statements of an IDS policy to the model of
//! [`hostward_ids::policy`].

mod attack;
mod report;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use hostward_filter::{LocalTime, TimeCondition};
use hostward_hook::time::UnixTime;
use hostward_ids::policy as model;
use model::{
    AddressRange, Defense, PortRange, Rule, ScanEventRule, ScanExclusion, ScanGlobalRule,
    TcpRegulation, UdpRegulation,
};

use crate::codes;
use crate::diagnostic::{CodeInfo, Diagnostic, Diagnostics};
use crate::policy::{Object, Policy, Setting};
use crate::schema::ParameterId;
use crate::source::Span;
use crate::tables::ids::{
    ActionType, ConditionType, IDS_RULE, LimitScope, PORT_GROUP, QueueSize, ScanProtocol,
    Sensitivity, TrProtocol, TrResponse, ids_action, ids_rule, ids_scan_event_condition,
    ids_scan_exclusion, ids_scan_global_condition, ids_tr_condition, port_group, port_range,
};
use crate::tables::ipsec::YesNo;
use crate::tables::ipsec::address::{IP_ADDR_GROUP, ip_addr, ip_addr_group, ip_addr_set};
use crate::value::Atom;

/// The most addresses, ports and exclusions that all rules together may have.
const MOST: usize = 1_000_000;

/// A rule whose effect is limited in time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Timed {
    /// Its name.
    pub rule: Arc<str>,
    /// When it is in force.
    pub when: Arc<TimeCondition>,
}

/// Rules of intrusion detection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IdsPolicy {
    /// All rules, whatever the time.
    pub policy: model::Policy,
    /// Rules that are not always in force.
    pub timed: Vec<Timed>,
    /// Keyword and name of each rule, by name.
    pub places: Vec<(Arc<str>, Span)>,
}

impl IdsPolicy {
    /// The rules in force at a time. Outside of its time a rule is as if it did not exist.
    #[must_use]
    pub fn at(&self, now: UnixTime, local: &dyn LocalTime) -> model::Policy {
        let mut policy = self.policy.clone();
        let out: Vec<&str> = self
            .timed
            .iter()
            .filter(|t| !t.when.holds(now, local))
            .map(|t| &*t.rule)
            .collect();
        let holds = |rule: &Rule| !out.contains(&&*rule.name);
        policy.attacks.retain(|r| holds(&r.rule));
        policy.scan = policy.scan.filter(|r| holds(&r.rule));
        policy.scan_events.retain(|r| holds(&r.rule));
        policy.tcp.retain(|r| holds(&r.rule));
        policy.udp.retain(|r| holds(&r.rule));
        policy
    }
}

/// Compiles the IDS rules. Nothing when the policy has an error, be it from reading or found here:
/// all or nothing is installed. Linear in the statements and what they refer to.
#[must_use]
pub fn compile(policy: &Policy<'_>, out: &mut Diagnostics) -> Option<IdsPolicy> {
    let mut compiler = Compiler {
        out,
        policy: model::Policy::none(),
        timed: Vec::new(),
        places: Vec::new(),
        scan: None,
        size: 0,
        reports: BTreeMap::new(),
    };
    for object in policy.statements(&IDS_RULE) {
        let _ = compiler.rule(object);
        if compiler.size > MOST {
            compiler.too_large(object);
            break;
        }
    }
    compiler.complete();
    let Compiler {
        out,
        policy: made,
        timed,
        places,
        ..
    } = compiler;
    (!out.has_errors() && !policy.has_errors()).then_some(IdsPolicy {
        policy: made,
        timed,
        places,
    })
}

struct Compiler<'d> {
    out: &'d mut Diagnostics,
    policy: model::Policy,
    timed: Vec<Timed>,
    places: Vec<(Arc<str>, Span)>,
    /// Where the rule of scans stands.
    scan: Option<Span>,
    /// Addresses, ports and exclusions so far.
    size: usize,
    /// Report sets as read, by place; nothing for one with an error, which is told once.
    reports: BTreeMap<u32, Option<model::ReportSet>>,
}

/// An action as read.
struct Action {
    name: Arc<str>,
    response: Option<(u16, Span)>,
    reports: model::ReportSet,
    defense: Option<Defense>,
}

impl Compiler<'_> {
    fn wrong(
        &mut self,
        code: &'static CodeInfo,
        at: Span,
        text: impl FnOnce() -> (String, String, String),
    ) {
        self.out.push_with(code, || {
            let (title, label, help) = text();
            Diagnostic::new(code, at, title).label(label).help(help)
        });
    }

    fn too_large(&mut self, object: Object<'_>) {
        self.wrong(&codes::IDS_TOO_LARGE, object.name_span(), || {
            (
                format!("the IDS rules have more than {MOST} addresses and ports together"),
                "with this one".into(),
                "use prefixes and ranges in place of long lists".into(),
            )
        });
    }

    fn rule(&mut self, object: Object<'_>) -> Option<()> {
        let kind = object.choice::<ConditionType>(ids_rule::CONDITION_TYPE);
        let conditions = [
            (ConditionType::Attack, ids_rule::ATTACK),
            (ConditionType::ScanGlobal, ids_rule::SCAN_GLOBAL),
            (ConditionType::ScanEvent, ids_rule::SCAN_EVENT),
            (ConditionType::Tr, ids_rule::TR),
        ];
        let mut condition = None;
        if let Some(kind) = kind {
            for (own, parameter) in conditions {
                let Some(setting) = object.all(parameter).last() else {
                    continue;
                };
                if own == kind {
                    condition = Some(setting.object());
                } else {
                    self.wrong(&codes::OTHER_CONDITION, setting.line_span(), || {
                        (
                            format!(
                                "a rule of type `{}` has a condition of another type",
                                name(kind)
                            ),
                            "does not go with the type of the rule".into(),
                            "correct `ConditionType`, or put the condition into a rule of its own"
                                .into(),
                        )
                    });
                }
            }
            if condition.is_none() && !object.is_broken() {
                self.wrong(&codes::OTHER_CONDITION, object.name_span(), || {
                    (
                        format!("a rule of type `{}` has no condition", name(kind)),
                        format!("lacks `IDS{}Condition`", name(kind)),
                        "say what the rule looks for".into(),
                    )
                });
            }
        }
        let action = object.one(ids_rule::ACTION).and_then(|s| s.object());
        let when = object.one(ids_rule::TIME).map(|s| s.object());
        let when = match when {
            None => None,
            Some(time) => Some(crate::filter::time_condition(time?, self.out)?),
        };
        let (kind, condition) = (kind?, condition??);
        let action = self.action(object, kind, action?)?;
        let rule = Rule {
            name: object.name().into(),
            priority: object.number(ids_rule::PRIORITY)?,
            action: Arc::clone(&action.name),
            reports: action.reports,
        };
        let known = Arc::clone(&rule.name);
        match kind {
            ConditionType::Attack => self.attack_rule(object, condition, rule, &action)?,
            ConditionType::ScanGlobal => self.scan_global(object, condition, rule, &action)?,
            ConditionType::ScanEvent => self.scan_event(condition, rule)?,
            ConditionType::Tr => self.regulation(condition, rule, &action)?,
        }
        self.places.push((Arc::clone(&known), object.name_span()));
        if let Some(when) = when {
            self.timed.push(Timed { rule: known, when });
        }
        Some(())
    }

    fn action(
        &mut self,
        rule: Object<'_>,
        kind: ConditionType,
        object: Object<'_>,
    ) -> Option<Action> {
        let setting = object.one(ids_action::TYPE)?;
        let own = match setting.choice::<ActionType>()? {
            ActionType::Attack => ConditionType::Attack,
            ActionType::ScanGlobal => ConditionType::ScanGlobal,
            ActionType::ScanEvent => ConditionType::ScanEvent,
            ActionType::Tr => ConditionType::Tr,
        };
        if own != kind {
            let place = rule.one(ids_rule::ACTION)?.line_span();
            self.out.push_with(&codes::OTHER_ACTION_TYPE, || {
                Diagnostic::new(
                    &codes::OTHER_ACTION_TYPE,
                    place,
                    format!(
                        "a rule of type `{}` has an action of type `{}`",
                        name(kind),
                        name(own)
                    ),
                )
                .label("is for rules of another type")
                .also(setting.span(), "the type of the action")
                .help("write an action of the type of the rule")
            });
            return None;
        }
        let response = setting.placed().nth(1);
        let response =
            response.and_then(|(a, span)| Some((u16::try_from(a.number()?).ok()?, span)));
        let reports = match object.one(ids_action::REPORTS) {
            Some(set) => self.reports(set.object()?)?,
            None => model::ReportSet::default(),
        };
        let spoofable = object.choice::<YesNo>(ids_action::SPOOFABLE) == Some(YesNo::Yes);
        let defense = object.number(ids_action::LIFETIME).map(|minutes| Defense {
            lifetime: Duration::from_secs(u64::from(minutes) * 60),
            spoofable,
        });
        Some(Action {
            name: object.name().into(),
            response,
            reports,
            defense,
        })
    }

    fn scan_global(
        &mut self,
        object: Object<'_>,
        condition: Object<'_>,
        rule: Rule,
        action: &Action,
    ) -> Option<()> {
        if let Some(first) = self.scan {
            self.out.push_with(&codes::SECOND_SCAN_GLOBAL, || {
                Diagnostic::new(
                    &codes::SECOND_SCAN_GLOBAL,
                    object.name_span(),
                    "there are two rules about how scans are recognised",
                )
                .label("only one can be in force")
                .also(first, "the first one is used")
                .help("take one of them out")
            });
            return None;
        }
        self.scan = Some(object.name_span());
        use ids_scan_global_condition as c;
        let made = ScanGlobalRule {
            rule,
            fast_minutes: condition.number(c::FAST_INTERVAL)?,
            fast_threshold: condition.number(c::FAST_THRESHOLD)?,
            slow_minutes: condition.number(c::SLOW_INTERVAL)?,
            slow_threshold: condition.number(c::SLOW_THRESHOLD)?,
            defense: action.defense,
        };
        let slower =
            made.slow_minutes > made.fast_minutes && made.slow_threshold > made.fast_threshold;
        if made.slow_minutes != 0 && !slower {
            let place = condition
                .all(c::SLOW_INTERVAL)
                .chain(condition.all(c::SLOW_THRESHOLD))
                .last()
                .map_or(condition.span(), |s| s.line_span());
            self.wrong(&codes::SLOW_NOT_SLOWER, place, || {
                (
                    format!(
                        "slow scans ({} events in {} minutes) are not slower than fast ones ({} in {})",
                        made.slow_threshold,
                        made.slow_minutes,
                        made.fast_threshold,
                        made.fast_minutes
                    ),
                    "must be greater than for fast scans".into(),
                    "raise `SSInterval` or `SSThreshold`, or look for no slow scans with `SSInterval 0`".into(),
                )
            });
            return None;
        }
        self.policy.scan = Some(made);
        Some(())
    }

    fn scan_event(&mut self, condition: Object<'_>, rule: Rule) -> Option<()> {
        use ids_scan_event_condition as c;
        let protocol = match condition.choice::<ScanProtocol>(c::PROTOCOL)? {
            ScanProtocol::Tcp => model::Protocol::Tcp,
            ScanProtocol::Udp => model::Protocol::Udp,
            ScanProtocol::Icmp => model::Protocol::Icmp,
            ScanProtocol::Icmpv6 => model::Protocol::Icmpv6,
        };
        let icmp = matches!(protocol, model::Protocol::Icmp | model::Protocol::Icmpv6);
        if let Some(ports) = condition.all(c::PORTS).next()
            && icmp
        {
            self.wrong(&codes::PORTS_OF_ICMP, ports.line_span(), || {
                (
                    "ports are given for ICMP".into(),
                    "ICMP has no ports".into(),
                    "take them out, or correct the protocol".into(),
                )
            });
            return None;
        }
        let mut exclusions = Vec::new();
        for object in condition.objects(c::EXCLUSION) {
            for (source, port) in self.excluded(object, ids_scan_exclusion::EXCLUDED) {
                exclusions.push(ScanExclusion { source, port });
            }
        }
        let sensitivity = match condition.choice::<Sensitivity>(c::SENSITIVITY)? {
            Sensitivity::None => model::Sensitivity::None,
            Sensitivity::Low => model::Sensitivity::Low,
            Sensitivity::Medium => model::Sensitivity::Medium,
            Sensitivity::High => model::Sensitivity::High,
        };
        let made = ScanEventRule {
            rule,
            protocol,
            local: self.addresses(condition, c::LOCAL)?,
            ports: self.ports(condition, c::PORTS)?,
            sensitivity,
            exclusions,
        };
        self.policy.scan_events.push(made);
        Some(())
    }

    fn regulation(&mut self, condition: Object<'_>, rule: Rule, action: &Action) -> Option<()> {
        use ids_tr_condition as c;
        let limit = action.response.map(|(code, _)| code) == Some(TrResponse::Limit as u16);
        let local = self.addresses(condition, c::LOCAL)?;
        let ports = self.ports(condition, c::PORTS)?;
        let protocol = condition.choice::<TrProtocol>(c::PROTOCOL)?;
        let others: &[ParameterId] = match protocol {
            TrProtocol::Tcp => &[c::SIZE],
            TrProtocol::Udp => &[c::TOTAL, c::PERCENTAGE, c::SCOPE],
        };
        let misfit = others.iter().find_map(|p| condition.all(*p).next());
        if let Some(setting) = misfit {
            self.wrong(&codes::OTHER_REGULATION, setting.line_span(), || {
                let keyword = setting.keyword().map_or("", |k| k.name);
                (
                    format!("`{keyword}` does not go with the protocol"),
                    "is for the other protocol".into(),
                    "take it out, or correct the protocol".into(),
                )
            });
            return None;
        }
        match protocol {
            TrProtocol::Tcp => {
                let scope = match condition.choice::<LimitScope>(c::SCOPE)? {
                    LimitScope::Port => model::Scope::Port,
                    LimitScope::PortInstance => model::Scope::PortInstance,
                };
                self.policy.tcp.push(TcpRegulation {
                    rule,
                    local,
                    ports,
                    total: condition.number(c::TOTAL)?,
                    percentage: u8::try_from(condition.number(c::PERCENTAGE)?).ok()?,
                    scope,
                    limit,
                    defense: action.defense,
                });
            }
            TrProtocol::Udp => self.policy.udp.push(UdpRegulation {
                rule,
                local,
                ports,
                size: queue_size(condition.choice(c::SIZE)?),
                limit,
            }),
        }
        Some(())
    }

    /// What becomes clear when all rules are known.
    fn complete(&mut self) {
        let (scan, events) = (&self.policy.scan, &self.policy.scan_events);
        let place = |rule: &Rule| {
            let mut places = self.places.iter();
            places.find(|(n, _)| *n == rule.name).map(|(_, span)| *span)
        };
        let lonely = match (scan, events.first()) {
            (Some(scan), None) => place(&scan.rule).map(|p| (p, "ScanEvent")),
            (None, Some(event)) => place(&event.rule).map(|p| (p, "ScanGlobal")),
            (Some(_), Some(_)) | (None, None) => None,
        };
        let mut shadowed = Vec::new();
        for rule in &self.policy.attacks {
            let counts = self.policy.attack(rule.attack.kind());
            if let Some(counts) = counts.filter(|c| c.rule.name != rule.rule.name)
                && !self.timed.iter().any(|t| t.rule == counts.rule.name)
            {
                shadowed.push((
                    place(&rule.rule),
                    place(&counts.rule),
                    rule.attack.kind().name(),
                ));
            }
        }
        if let Some((place, lacks)) = lonely.filter(|_| !self.out.has_errors()) {
            self.wrong(&codes::SCAN_INCOMPLETE, place, || {
                (
                    format!("no scan is looked for: there is no rule of type `{lacks}`"),
                    "has no effect by itself".into(),
                    format!("add a rule of type `{lacks}`"),
                )
            });
        }
        for (place, counts, kind) in shadowed {
            let (Some(place), Some(counts)) = (place, counts) else {
                continue;
            };
            self.out.push_with(&codes::ATTACK_SHADOWED, || {
                Diagnostic::new(
                    &codes::ATTACK_SHADOWED,
                    place,
                    format!("two rules are about `{kind}`, of which one counts"),
                )
                .label("has no effect")
                .also(counts, "counts: its priority is greater, or it comes first")
                .help("join the two rules, or take one out")
            });
        }
    }

    /// Source addresses and ports of `ExcludedAddrPort`.
    fn excluded(&mut self, object: Object<'_>, parameter: ParameterId) -> Vec<(AddressRange, u16)> {
        let mut list = Vec::new();
        for setting in object.all(parameter) {
            let mut address = AddressRange::ALL;
            let mut port = 0;
            for atom in setting.atoms() {
                if let Some(number) = atom.number() {
                    port = u16::try_from(number).unwrap_or(0);
                } else if let Some(range) = range_of(atom) {
                    address = range;
                }
            }
            list.push((address, port));
        }
        self.size = self.size.saturating_add(list.len());
        list
    }

    fn addresses(
        &mut self,
        object: Object<'_>,
        parameter: ParameterId,
    ) -> Option<Vec<AddressRange>> {
        let mut list = Vec::new();
        for setting in object.all(parameter) {
            match setting.object() {
                Some(object) if object.is(&IP_ADDR_GROUP) => {
                    for member in object.objects(ip_addr_group::MEMBERS) {
                        list.push(single(member)?);
                    }
                }
                Some(object) => list.push(single(object)?),
                None => list.push(range_of(setting.atom()?)?),
            }
            if self.size.saturating_add(list.len()) > MOST {
                break;
            }
        }
        self.size = self.size.saturating_add(list.len());
        Some(list)
    }

    fn ports(&mut self, object: Object<'_>, parameter: ParameterId) -> Option<Vec<PortRange>> {
        let ranges = self.ranges(object, parameter, |o| {
            if o.is(&PORT_GROUP) {
                (port_group::MEMBERS, port_range::PORTS, true)
            } else {
                (port_group::MEMBERS, port_range::PORTS, false)
            }
        })?;
        let port = |n: u32| u16::try_from(n).ok();
        ranges
            .into_iter()
            .map(|(a, b)| Some(port(a)?..=port(b)?))
            .collect()
    }

    /// Ranges written out, in a statement, or in a group of such statements. `of` tells the
    /// parameters of members and of ranges, and whether a statement is a group.
    fn ranges(
        &mut self,
        object: Object<'_>,
        parameter: ParameterId,
        of: impl Fn(Object<'_>) -> (ParameterId, ParameterId, bool),
    ) -> Option<Vec<(u32, u32)>> {
        let mut list = Vec::new();
        for setting in object.all(parameter) {
            match setting.object() {
                None => list.push(range(&setting)?),
                Some(object) => {
                    let (members, ranges, group) = of(object);
                    if group {
                        for member in object.objects(members) {
                            list.extend(member.all(ranges).filter_map(|s| range(&s)));
                        }
                    } else {
                        list.extend(object.all(ranges).filter_map(|s| range(&s)));
                    }
                }
            }
            if self.size.saturating_add(list.len()) > MOST {
                break;
            }
        }
        self.size = self.size.saturating_add(list.len());
        Some(list)
    }
}

/// The name of a type as it is written.
const fn name(kind: ConditionType) -> &'static str {
    match kind {
        ConditionType::Attack => "Attack",
        ConditionType::ScanGlobal => "ScanGlobal",
        ConditionType::ScanEvent => "ScanEvent",
        ConditionType::Tr => "TR",
    }
}

const fn queue_size(size: QueueSize) -> model::QueueSize {
    match size {
        QueueSize::VeryShort => model::QueueSize::VeryShort,
        QueueSize::Short => model::QueueSize::Short,
        QueueSize::Long => model::QueueSize::Long,
        QueueSize::VeryLong => model::QueueSize::VeryLong,
    }
}

fn range(setting: &Setting<'_>) -> Option<(u32, u32)> {
    let atom = setting.atom()?;
    if let Atom::Range { first, last } = atom {
        return Some((first, last));
    }
    atom.number().map(|n| (n, n))
}

fn single(object: Object<'_>) -> Option<AddressRange> {
    let setting = object
        .one(ip_addr::ADDR)
        .or_else(|| object.one(ip_addr_set::ADDRESSES))?;
    range_of(setting.atom()?)
}

fn range_of(atom: Atom<'_>) -> Option<AddressRange> {
    if let Atom::Address(address) = atom {
        Some(AddressRange::host(address))
    } else if let Atom::Addresses { first, last } = atom {
        AddressRange::new(first, last)
    } else if let Atom::Prefix { address, length } = atom {
        Some(AddressRange::prefix(address, length))
    } else {
        None
    }
}
