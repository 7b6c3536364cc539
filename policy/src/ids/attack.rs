//! Attack rules.

use alloc::format;
use alloc::vec::Vec;

use hostward_ids::policy as model;
use model::{Attack, AttackRule, Exclusion, NumberSet, Rule};

use super::{Action, Compiler, queue_size, range};
use crate::codes;
use crate::policy::Object;
use crate::schema::{ParameterId, Statement};
use crate::source::Span;
use crate::tables::ids::{
    AttackResponse, AttackType, IP_OPTION_GROUP, IP_PROTOCOL_GROUP, IPV6_NEXT_HDR_GROUP,
    IPV6_OPTION_GROUP, QueueSize, Switch, ids_attack_condition as c, ids_exclusion,
    ip_option_group, ip_option_range, ip_protocol_group, ip_protocol_range, ipv6_next_hdr_group,
    ipv6_next_hdr_range, ipv6_option_group, ipv6_option_range,
};

/// Parameters that go with some types only.
const OWN: &[(ParameterId, &[AttackType])] = {
    use AttackType as T;
    &[
        (c::LOCAL_PORTS, &[T::PerpetualEcho]),
        (c::REMOTE_PORTS, &[T::PerpetualEcho]),
        (c::PROTOCOLS, &[T::RestrictedIpProtocol, T::OutboundRaw]),
        (c::OPTIONS, &[T::RestrictedIpOptions]),
        (
            c::NEXT_HEADERS,
            &[T::RestrictedIpv6NextHdr, T::OutboundRawIpv6],
        ),
        (
            c::OPTIONS6,
            &[T::RestrictedIpv6DstOptions, T::RestrictedIpv6HopOptions],
        ),
        (c::PERCENTAGE, &[T::Flood]),
        (c::MINIMUM, &[T::Flood]),
        (c::XID_TIMEOUTS, &[T::EeXidFlood]),
        (c::QUEUE_SIZE, &[T::TcpQueueSize]),
        (c::OPTION_PADDING, &[T::DataHiding]),
        (c::QUOTES, &[T::DataHiding]),
        (c::EARLY, &[T::IpFragment]),
    ]
};

/// Where a list of numbers stands: group, members, ranges.
type Lists = (&'static Statement, ParameterId, ParameterId);

impl Compiler<'_> {
    pub(super) fn attack_rule(
        &mut self,
        _: Object<'_>,
        condition: Object<'_>,
        rule: Rule,
        action: &Action,
    ) -> Option<()> {
        let kind_setting = condition.one(c::TYPE)?;
        let kind = kind_setting.choice::<AttackType>()?;
        let before = self.out.iter().count();
        for (parameter, types) in OWN {
            if let Some(setting) = condition.all(*parameter).next()
                && !types.contains(&kind)
            {
                let keyword = setting.keyword().map_or("", |k| k.name);
                self.wrong(&codes::NOT_OF_ATTACK, setting.line_span(), || {
                    (
                        format!("`{keyword}` does not go with this type of attack"),
                        "has no meaning here".into(),
                        "take it out, or correct `AttackType`".into(),
                    )
                });
            }
        }
        let attack = self.attack(condition, kind, kind_setting.line_span())?;
        let respond = self.respond(attack.kind(), action)?;
        let mut exclusions = Vec::new();
        for object in condition.objects(c::EXCLUSION) {
            let ports = object
                .one(ids_exclusion::LOCAL_PORTS)
                .and_then(|s| range(&s))
                .map_or(Some(0..=u16::MAX), |(a, b)| {
                    Some(u16::try_from(a).ok()?..=u16::try_from(b).ok()?)
                })?;
            for (remote, port) in self.excluded(object, ids_exclusion::EXCLUDED) {
                exclusions.push(Exclusion {
                    remote,
                    remote_ports: if port == 0 { 0..=u16::MAX } else { port..=port },
                    local_ports: ports.clone(),
                    job: None,
                });
            }
        }
        if self.out.iter().count() != before && self.out.has_errors() {
            return None;
        }
        self.policy.attacks.push(AttackRule {
            rule,
            attack,
            respond,
            exclusions,
            defense: action.defense,
        });
        Some(())
    }

    fn attack(&mut self, o: Object<'_>, kind: AttackType, at: Span) -> Option<Attack> {
        let on = |p| o.choice::<Switch>(p) == Some(Switch::Enable);
        let protocols: Lists = (
            &IP_PROTOCOL_GROUP,
            ip_protocol_group::MEMBERS,
            ip_protocol_range::PROTOCOLS,
        );
        let next: Lists = (
            &IPV6_NEXT_HDR_GROUP,
            ipv6_next_hdr_group::MEMBERS,
            ipv6_next_hdr_range::NEXT_HEADERS,
        );
        let options6: Lists = (
            &IPV6_OPTION_GROUP,
            ipv6_option_group::MEMBERS,
            ipv6_option_range::OPTIONS,
        );
        Some(match kind {
            AttackType::MalformedPacket => Attack::MalformedPacket,
            AttackType::OutboundRaw => Attack::OutboundRaw {
                protocols: self.numbers(o, c::PROTOCOLS, protocols)?,
            },
            AttackType::IpFragment => Attack::IpFragment {
                early: on(c::EARLY),
            },
            AttackType::IcmpRedirect => Attack::IcmpRedirect,
            AttackType::RestrictedIpOptions => {
                let lists = (
                    &IP_OPTION_GROUP,
                    ip_option_group::MEMBERS,
                    ip_option_range::OPTIONS,
                );
                Attack::RestrictedIpOptions(self.needed(o, c::OPTIONS, lists, at)?)
            }
            AttackType::RestrictedIpProtocol => {
                Attack::RestrictedIpProtocol(self.needed(o, c::PROTOCOLS, protocols, at)?)
            }
            AttackType::Flood => Attack::Flood {
                percentage: u8::try_from(o.number(c::PERCENTAGE)?).ok()?,
                minimum: o.number(c::MINIMUM)?,
            },
            AttackType::PerpetualEcho => {
                let local = self.ports(o, c::LOCAL_PORTS)?;
                let remote = self.ports(o, c::REMOTE_PORTS)?;
                if local.is_empty() || remote.is_empty() {
                    self.no_list(o, at, "local and remote ports");
                    return None;
                }
                Attack::PerpetualEcho { local, remote }
            }
            AttackType::DataHiding => Attack::DataHiding {
                options: on(c::OPTION_PADDING),
                quotes: on(c::QUOTES),
            },
            AttackType::TcpQueueSize => {
                Attack::TcpQueueSize(queue_size(o.choice::<QueueSize>(c::QUEUE_SIZE)?))
            }
            AttackType::GlobalTcpStall => Attack::GlobalTcpStall,
            AttackType::OutboundRawIpv6 => Attack::OutboundRawIpv6 {
                next_headers: self.numbers(o, c::NEXT_HEADERS, next)?,
            },
            AttackType::RestrictedIpv6NextHdr => {
                Attack::RestrictedIpv6NextHeader(self.needed(o, c::NEXT_HEADERS, next, at)?)
            }
            AttackType::RestrictedIpv6DstOptions => {
                let set = self.needed(o, c::OPTIONS6, options6, at)?;
                Attack::RestrictedIpv6DestinationOptions(set)
            }
            AttackType::RestrictedIpv6HopOptions => {
                Attack::RestrictedIpv6HopOptions(self.needed(o, c::OPTIONS6, options6, at)?)
            }
            AttackType::EeLdlcCheck => Attack::EeLdlcCheck,
            AttackType::EeMalformedPacket => Attack::EeMalformedPacket,
            AttackType::EePortCheck => Attack::EePortCheck,
            AttackType::EeXidFlood => Attack::EeXidFlood {
                timeouts: o.number(c::XID_TIMEOUTS)?,
            },
        })
    }

    /// Whether the rule discards or resets.
    fn respond(&mut self, kind: model::AttackType, action: &Action) -> Option<bool> {
        let Some((code, span)) = action.response else {
            return Some(false);
        };
        let discard = AttackResponse::Discard as u16;
        let no_discard = AttackResponse::NoDiscard as u16;
        let reset = AttackResponse::ResetConn as u16;
        let is_reset = code == reset || code == AttackResponse::NoResetConn as u16;
        let positive = code == discard || code == reset;
        if kind.resets() != is_reset && positive {
            self.wrong(&codes::OTHER_RESPONSE, span, || {
                let (does, other) = if is_reset {
                    ("reset connections", "discard")
                } else {
                    ("discard packets", "resetconn")
                };
                (
                    format!("an action for `{}` cannot {does}", kind.name()),
                    "does not go with the type of attack".into(),
                    format!("write `{other}`, or an action of its own for this type"),
                )
            });
            return None;
        }
        if kind == model::AttackType::MalformedPacket && code == no_discard {
            self.wrong(&codes::ALWAYS_DISCARDED, span, || {
                (
                    "malformed packets are discarded all the same".into(),
                    "has no effect on them".into(),
                    "write `discard` to say what is done".into(),
                )
            });
        }
        Some(positive)
    }

    fn numbers(&mut self, o: Object<'_>, p: ParameterId, lists: Lists) -> Option<NumberSet> {
        let (group, members, ranges) = lists;
        let list = self.ranges(o, p, |object| (members, ranges, object.is(group)))?;
        let mut set = NumberSet::EMPTY;
        for (first, last) in list {
            set = set.with_range(u8::try_from(first).ok()?..=u8::try_from(last).ok()?);
        }
        Some(set)
    }

    fn needed(
        &mut self,
        o: Object<'_>,
        p: ParameterId,
        lists: Lists,
        at: Span,
    ) -> Option<NumberSet> {
        let set = self.numbers(o, p, lists)?;
        if set.is_empty() {
            let keyword = p.parameter().and_then(|p| p.keywords.first());
            self.no_list(o, at, keyword.map_or("", |k| k.name));
            return None;
        }
        Some(set)
    }

    fn no_list(&mut self, o: Object<'_>, at: Span, what: &str) {
        if o.is_broken() {
            return;
        }
        self.wrong(&codes::NO_ATTACK_LIST, at, || {
            (
                format!("this type of attack needs {what}"),
                "without it nothing is looked for".into(),
                "say what is restricted".into(),
            )
        });
    }
}
