//! Services: what goes together with which protocol.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use hostward_filter::{
    Connect, Group, Members, RuleDirection, RuleRouting, Service, ServiceError, Upper,
};

use super::Compiler;
use crate::codes;
use crate::diagnostic::{CodeInfo, Diagnostic};
use crate::policy::{Object, Setting};
use crate::schema::ParameterId;
use crate::tables::ipsec::YesNo;
use crate::tables::ipsec::service as table;
use crate::tables::ipsec::service::{IP_SERVICE_GROUP, ip_service, ip_service_group};
use crate::value::Atom;

const ALL: u32 = table::Protocol::All as u32;
const OPAQUE: u32 = table::Protocol::Opaque as u32;

impl Compiler<'_> {
    /// The services of a rule; none when one has an error, which was told.
    pub(super) fn services_of(
        &mut self,
        rule: Object<'_>,
        parameter: ParameterId,
    ) -> Option<Members<Service>> {
        let mut named = rule.objects(parameter);
        match (named.next(), named.next()) {
            (None, _) => Some(Members::One(Service::default())),
            (Some(group), None) if group.is(&IP_SERVICE_GROUP) => {
                self.service_group(group).map(Members::Group)
            }
            _ => {
                let mut all = Vec::new();
                for object in rule.objects(parameter) {
                    if object.is(&IP_SERVICE_GROUP) {
                        all.extend_from_slice(self.service_group(object)?.members());
                    } else {
                        all.push(self.service(object)?);
                    }
                    // Groups that are listed again and again must not fill the memory.
                    if all.len() > self.most {
                        self.expansion = usize::MAX;
                        return None;
                    }
                }
                Some(Members::from(all))
            }
        }
    }

    fn service_group(&mut self, object: Object<'_>) -> Option<Arc<Group<Service>>> {
        if let Some(known) = self.service_groups.get(&object.index()) {
            return known.clone();
        }
        let members: Option<Vec<_>> = object
            .objects(ip_service_group::MEMBERS)
            .map(|member| self.service(member))
            .collect();
        let group = members.map(|members| Arc::new(Group::new(object.name(), members)));
        self.service_groups.insert(object.index(), group.clone());
        group
    }

    fn service(&mut self, object: Object<'_>) -> Option<Service> {
        if let Some(known) = self.services.get(&object.index()) {
            return known.clone();
        }
        let service = self.make_service(object);
        self.services.insert(object.index(), service.clone());
        service
    }

    fn make_service(&mut self, object: Object<'_>) -> Option<Service> {
        let mut service = Service::new(self.upper(object)?);
        let direction = object.one(ip_service::DIRECTION)?;
        service.direction = match direction.choice()? {
            table::Direction::Bidirectional => RuleDirection::Bidirectional,
            table::Direction::Inbound => RuleDirection::Inbound,
            table::Direction::Outbound => RuleDirection::Outbound,
        };
        service.connect = match direction.qualifier() {
            None => Connect::Any,
            Some(table::Connect::InboundConnect) => Connect::Inbound,
            Some(table::Connect::OutboundConnect) => Connect::Outbound,
        };
        service.routing = match object.choice(ip_service::ROUTING)? {
            table::Routing::Local => RuleRouting::Local,
            table::Routing::Routed => RuleRouting::Routed,
            table::Routing::Either => RuleRouting::Either,
        };
        service.fragments_only = object.choice(ip_service::FRAGMENTS_ONLY) == Some(YesNo::Yes);
        service.security_class = u8::try_from(object.number(ip_service::SECURITY_CLASS)?).ok()?;
        if let Err(error) = service.check() {
            self.not_together(object, error);
            return None;
        }
        if service.connect != Connect::Any && service.routing != RuleRouting::Local {
            self.connect_of_routed(object, &direction);
        }
        Some(service)
    }

    /// Tells what of a service does not go together.
    fn not_together(&mut self, object: Object<'_>, error: ServiceError) {
        let (code, one, other, label, help) = match error {
            ServiceError::ConnectNotTcp => (
                &codes::CONNECT_NOT_TCP,
                object.one(ip_service::DIRECTION),
                object.one(ip_service::PROTOCOL),
                "only TCP connections are opened",
                "add `Protocol Tcp`, or leave the qualifier out",
            ),
            ServiceError::CodeWithoutType => (
                &codes::CODE_WITHOUT_TYPE,
                object.one(ip_service::CODE),
                object.all(ip_service::TYPE).last(),
                "a code means something for one type only",
                "give one `Type`, or leave the code out",
            ),
            // Ranges that run backwards were told where they were read.
            ServiceError::RoutedSelectors | _ => {
                let narrow = [
                    ip_service::SOURCE_PORT_RANGE,
                    ip_service::DESTINATION_PORT_RANGE,
                    ip_service::TYPE,
                    ip_service::CODE,
                ];
                (
                    &codes::ROUTED_SELECTORS,
                    narrow.iter().find_map(|p| object.all(*p).last()),
                    object.one(ip_service::ROUTING),
                    "forwarded fragments do not show it",
                    "use `Routing Local`, or ask for the protocol only",
                )
            }
        };
        if let Some(one) = one {
            self.mismatch(code, &one, other, label, help);
        }
    }

    /// Warns of who may open connections in a service for forwarded traffic.
    fn connect_of_routed(&mut self, object: Object<'_>, direction: &Setting<'_>) {
        let routing = object.one(ip_service::ROUTING);
        self.out.push_with(&codes::CONNECT_ROUTED, || {
            let d = Diagnostic::new(
                &codes::CONNECT_ROUTED,
                direction.line_span(),
                format!(
                    "a connect qualifier in service {} for forwarded traffic",
                    object.name()
                ),
            )
            .label("a forwarded SYN passes on its way in or on its way out, not both")
            .help("use it with `Routing Local` only");
            match routing {
                Some(r) => d.also(r.line_span(), "forwarded traffic"),
                None => d,
            }
        });
    }

    fn upper(&mut self, object: Object<'_>) -> Option<Upper> {
        let protocol = object.one(ip_service::PROTOCOL)?;
        let number = protocol.atom()?.number()?;
        let ports = [
            ip_service::SOURCE_PORT_RANGE,
            ip_service::DESTINATION_PORT_RANGE,
        ];
        let types = [ip_service::TYPE];
        let codes = [ip_service::CODE];
        let (takes_ports, takes_type, takes_code) = match number {
            6 | 17 => (true, false, false),
            1 | 58 => (false, true, true),
            89 | 135 => (false, true, false),
            _ => (false, false, false),
        };
        let given = [
            (takes_ports, &ports[..], "ports go with TCP and UDP"),
            (
                takes_type,
                &types[..],
                "types go with ICMP, ICMPv6, OSPF and MIPv6",
            ),
            (takes_code, &codes[..], "codes go with ICMP and ICMPv6"),
        ];
        for (takes, parameters, goes_with) in given {
            for setting in parameters.iter().filter_map(|p| object.all(*p).last()) {
                // Asking for every one is asking for nothing.
                if !takes && range(&setting).is_some() {
                    self.mismatch(
                        &codes::OTHER_PROTOCOL,
                        &setting,
                        Some(protocol),
                        goes_with,
                        "set the `Protocol` it belongs to, or leave it out",
                    );
                    return None;
                }
            }
        }
        let asked = |p| object.one(p).as_ref().and_then(range);
        if takes_ports {
            let source = asked(ip_service::SOURCE_PORT_RANGE);
            let destination = asked(ip_service::DESTINATION_PORT_RANGE);
            if source.is_some() || destination.is_some() {
                return Some(Upper::Ports {
                    protocol: u8::try_from(number).ok()?,
                    source: source.unwrap_or(0..=u16::MAX),
                    destination: destination.unwrap_or(0..=u16::MAX),
                });
            }
        }
        let byte = |r: &RangeInclusive<u16>| {
            Some(u8::try_from(*r.start()).ok()?..=u8::try_from(*r.end()).ok()?)
        };
        let (kind, code) = (asked(ip_service::TYPE), asked(ip_service::CODE));
        let number = match number {
            ALL => return Some(Upper::Any),
            OPAQUE => return Some(Upper::Opaque),
            number => u8::try_from(number).ok()?,
        };
        let every = || 0..=u8::MAX;
        Some(match (kind, code) {
            (None, None) => Upper::Protocol(number),
            (Some(kind), _) if !takes_code => Upper::Type {
                protocol: number,
                types: byte(&kind)?,
            },
            (kind, code) => Upper::Icmp {
                protocol: number,
                types: kind.as_ref().map_or_else(|| Some(every()), byte)?,
                codes: code.as_ref().map_or_else(|| Some(every()), byte)?,
            },
        })
    }

    /// Two parameters that do not go together.
    fn mismatch(
        &mut self,
        code: &'static CodeInfo,
        one: &Setting<'_>,
        other: Option<Setting<'_>>,
        label: &'static str,
        help: &'static str,
    ) {
        let keyword = one.keyword().map_or("", |k| k.name);
        let name = one.of().name();
        self.wrong(code, || {
            let message = match code.code.number() {
                n if n == codes::CONNECT_NOT_TCP.code.number() => {
                    format!("a connect qualifier in service {name}, which is not for TCP")
                }
                n if n == codes::ROUTED_SELECTORS.code.number() => {
                    format!("`{keyword}` in service {name} for forwarded traffic")
                }
                n if n == codes::CODE_WITHOUT_TYPE.code.number() => {
                    format!("`Code` in service {name} without one `Type`")
                }
                _ => format!("`{keyword}` does not go with the protocol of service {name}"),
            };
            let d = Diagnostic::new(code, one.line_span(), message)
                .label(label)
                .help(help);
            match other {
                Some(o) if o.is_default() => {
                    let default = o.parameter().parameter().and_then(|p| p.default);
                    let keyword = o.keyword().map_or("", |k| k.name);
                    d.also(
                        o.span(),
                        format!("`{keyword} {}` when it is not given", default.unwrap_or("")),
                    )
                }
                Some(o) => d.also(o.line_span(), "because of this"),
                None => d,
            }
        });
    }
}

/// What a range of ports, types or codes asks for; none when it asks for nothing.
fn range(setting: &Setting<'_>) -> Option<RangeInclusive<u16>> {
    let Atom::Range { first, last } = setting.atom()? else {
        return None;
    };
    let ports = matches!(
        setting.keyword().map(|k| k.name),
        Some("SourcePortRange" | "DestinationPortRange")
    );
    let max = if ports { u32::from(u16::MAX) } else { 255 };
    // Port 0 stands for all of them.
    if (ports && first == 0 && last == 0) || (first == 0 && last == max) {
        return None;
    }
    Some(u16::try_from(first).ok()?..=u16::try_from(last).ok()?)
}
