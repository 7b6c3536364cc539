//! One rule of the block.

use alloc::format;
use alloc::string::String;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::RangeInclusive;

use hostward_filter::{
    Action, AddressSpec, Connect, Logging, Rule, RuleDirection, RuleRouting, Service, ServiceError,
    Upper,
};

use super::tokens::Token;
use super::{Reader, words};
use crate::codes;
use crate::diagnostic::{CodeInfo, Diagnostic, quote};
use crate::source::Span;

/// A mistake was told.
struct Told;

/// Where the parameters of a rule stand: each behind the one before.
const LOG: u8 = 0;
const PROTOCOL: u8 = 1;
const ROUTING: u8 = 2;
const SECCLASS: u8 = 3;
const DIRECTION: u8 = 4;

/// What a protocol's header can be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Nothing,
    Ports,
    Type,
    TypeAndCode,
}

impl<'a> Reader<'a, '_> {
    /// A rule, behind its first word; none when it has an error.
    pub(super) fn rule(&mut self, version6: bool) -> Option<Rule> {
        let rule = self.read_rule(version6);
        if rule.is_err() {
            self.skip_to_rule();
        }
        rule.ok()
    }

    fn read_rule(&mut self, version6: bool) -> Result<Rule, Told> {
        let source = self.address(version6)?;
        let destination = self.address(version6)?;
        let mut service = Service::default();
        let mut logging = Logging::No;
        let (mut step, mut seen) = (LOG, 0);
        while let Some(token) = self.tokens.peek() {
            let (place, name) = match token.text {
                w if words::NOLOG.is(w) || words::LOG.is(w) => {
                    self.tokens.next();
                    if words::LOG.is(w) {
                        logging = Logging::Yes;
                    }
                    (LOG, "LOG | NOLOG")
                }
                w if words::PROTOCOL.is(w) => {
                    self.tokens.next();
                    service.upper = self.protocol(version6)?;
                    (PROTOCOL, words::PROTOCOL.name)
                }
                w if words::ROUTING.is(w) => {
                    self.tokens.next();
                    self.routing(&mut service)?;
                    (ROUTING, words::ROUTING.name)
                }
                w if words::SECCLASS.is(w) => {
                    self.tokens.next();
                    let range = self.numbers(255, "a security class from 0 to 255", false)?;
                    service.security_class = *range.start() as u8;
                    (SECCLASS, words::SECCLASS.name)
                }
                w if words::DIRECTION.is(w) => {
                    self.tokens.next();
                    self.direction(&mut service)?;
                    (DIRECTION, words::DIRECTION.name)
                }
                // The next rule, the end of the block, or nothing that is known.
                _ => break,
            };
            self.order(token, (&mut step, &mut seen), place, name);
        }
        if service.check() == Err(ServiceError::RoutedSelectors) {
            let at = self.tokens.behind();
            return Err(self.wrong(
                &codes::ROUTED_SELECTORS,
                at,
                "a rule for forwarded traffic asks for ports, types or codes",
                "forwarded fragments do not show them",
                "use `ROUTING LOCAL`, or ask for the protocol only",
            ));
        }
        Ok(Rule::new("", Action::Permit)
            .source(source)
            .destination(destination)
            .services(service)
            .logging(logging))
    }

    fn address(&mut self, version6: bool) -> Result<AddressSpec, Told> {
        let expected = if version6 {
            "expected an IPv6 address, address/prefix, address - address or `*`"
        } else {
            "expected an IPv4 address, address/prefix, address - address or `*`"
        };
        let token = self.take(expected)?;
        if token.text == "*" {
            return Ok(if version6 {
                AddressSpec::AnyV6
            } else {
                AddressSpec::AnyV4
            });
        }
        let mut text = String::from(token.text);
        let mut span = token.span;
        // A range may have blanks around its hyphen.
        let dash = self.tokens.peek().is_some_and(|t| t.text.starts_with('-'));
        if dash || (text.ends_with('-') && !text.contains('/')) {
            while let Some(more) = self.tokens.peek() {
                let complete = !text.ends_with('-') && !more.text.starts_with('-');
                if complete {
                    break;
                }
                self.tokens.next();
                text.push_str(more.text);
                span.end = more.span.end;
            }
        }
        let wrong_version = if version6 {
            token.text.parse::<Ipv4Addr>().is_ok() || before_mark(&text).parse::<Ipv4Addr>().is_ok()
        } else {
            before_mark(&text).parse::<Ipv6Addr>().is_ok()
        };
        if wrong_version {
            let (is, rule) = if version6 {
                ("IPv4", "IPSECRule")
            } else {
                ("IPv6", "IPSEC6Rule")
            };
            return Err(self.wrong(
                &codes::WRONG_FAMILY,
                span,
                format!("{} is an {is} address", quote(&text)),
                expected,
                format!("{is} traffic is permitted with `{rule}`"),
            ));
        }
        if ["all", "all4", "all6"]
            .iter()
            .any(|all| text.eq_ignore_ascii_case(all))
        {
            return Err(self.wrong(
                &codes::BAD_VALUE,
                span,
                format!("{} is no address here", quote(&text)),
                expected,
                "write `*` for every address",
            ));
        }
        text.parse::<AddressSpec>().map_err(|e| {
            self.wrong(
                &codes::BAD_VALUE,
                span,
                format!("{} is not an address: {e}", quote(&text)),
                expected,
                "",
            )
        })
    }

    fn protocol(&mut self, version6: bool) -> Result<Upper, Told> {
        let expected = if version6 {
            "expected `*`, TCP, UDP, ICMPV6, OSPF, MIPV6, OPAQUE or a number from 0 to 255"
        } else {
            "expected `*`, TCP, UDP, ICMP, OSPF or a number from 0 to 255"
        };
        let token = self.take(expected)?;
        if token.text == "*" {
            return Ok(Upper::Any);
        }
        if version6 && token.text.eq_ignore_ascii_case("OPAQUE") {
            return Ok(Upper::Opaque);
        }
        let named = words::PROTOCOLS
            .iter()
            .find(|(name, _, only6)| (version6 || !only6) && name.eq_ignore_ascii_case(token.text));
        let number = match named {
            Some((_, number, _)) => *number,
            None => match token.text.parse::<u8>() {
                Ok(number) => number,
                Err(_) => {
                    return Err(self.wrong(
                        &codes::BAD_VALUE,
                        token.span,
                        format!("{} is not a protocol here", quote(token.text)),
                        expected,
                        "",
                    ));
                }
            },
        };
        let asks = match number {
            6 | 17 => Asks::Ports,
            1 | 58 => Asks::TypeAndCode,
            89 | 135 => Asks::Type,
            _ => Asks::Nothing,
        };
        self.selectors(number, asks)
    }

    /// Ports, types and codes behind a protocol.
    fn selectors(&mut self, protocol: u8, asks: Asks) -> Result<Upper, Told> {
        let mut found: [Option<RangeInclusive<u16>>; 2] = [None, None];
        while let Some(token) = self.tokens.peek() {
            let (place, takes, max, what) = match token.text {
                w if words::SRCPORT.is(w) => (0, asks == Asks::Ports, u16::MAX, PORT),
                w if words::DESTPORT.is(w) => (1, asks == Asks::Ports, u16::MAX, PORT),
                w if words::TYPE.is(w) => {
                    (0, matches!(asks, Asks::Type | Asks::TypeAndCode), 255, TYPE)
                }
                w if words::CODE.is(w) => (1, asks == Asks::TypeAndCode, 255, CODE),
                _ => break,
            };
            if !takes {
                return Err(self.wrong(
                    &codes::OTHER_PROTOCOL,
                    token.span,
                    format!("protocol {protocol} has no {}", quote(token.text)),
                    "this protocol's header has no such field",
                    "ports go with TCP and UDP, types with ICMP, ICMPV6, OSPF and MIPV6",
                ));
            }
            self.tokens.next();
            let star = self.tokens.peek().is_some_and(|t| t.text == "*");
            let range = if star {
                self.tokens.next();
                0..=max
            } else {
                self.numbers(max, what, true)?
            };
            if let Some(slot) = found.get_mut(place)
                && slot.replace(range).is_some()
            {
                self.twice(token, token.text);
            }
        }
        let [first, second] = found;
        if first.is_none() && second.is_none() {
            return Ok(Upper::Protocol(protocol));
        }
        let byte = |r: Option<RangeInclusive<u16>>| match r {
            Some(r) => *r.start() as u8..=*r.end() as u8,
            None => 0..=u8::MAX,
        };
        Ok(match asks {
            Asks::Ports => Upper::Ports {
                protocol,
                source: first.unwrap_or(0..=u16::MAX),
                destination: second.unwrap_or(0..=u16::MAX),
            },
            Asks::TypeAndCode => {
                let upper = Upper::Icmp {
                    protocol,
                    types: byte(first),
                    codes: byte(second),
                };
                if upper.check() == Err(ServiceError::CodeWithoutType) {
                    let at = self.tokens.behind();
                    return Err(self.wrong(
                        &codes::CODE_WITHOUT_TYPE,
                        at,
                        "a code without one type",
                        "a code means something for one type only",
                        "give one `TYPE` before the `CODE`",
                    ));
                }
                upper
            }
            Asks::Type | Asks::Nothing => Upper::Type {
                protocol,
                types: byte(first),
            },
        })
    }

    fn routing(&mut self, service: &mut Service) -> Result<(), Told> {
        let expected = "expected LOCAL, ROUTED or EITHER";
        let token = self.take(expected)?;
        service.routing = match token.text {
            w if words::LOCAL.is(w) => RuleRouting::Local,
            w if words::ROUTED.is(w) => RuleRouting::Routed,
            w if words::EITHER.is(w) => RuleRouting::Either,
            _ => return Err(self.no_choice(token, "a routing", expected)),
        };
        let fragments = |t: &Token<'_>| words::FRAGMENTSONLY.is(t.text);
        if let Some(token) = self.tokens.peek().filter(fragments) {
            self.tokens.next();
            if service.routing == RuleRouting::Local {
                return Err(self.wrong(
                    &codes::BAD_VALUE,
                    token.span,
                    "`FRAGMENTSonly` does not go with `ROUTING LOCAL`",
                    "it stands behind ROUTED or EITHER",
                    "local traffic is filtered when it has been put together",
                ));
            }
            service.fragments_only = true;
        }
        Ok(())
    }

    fn direction(&mut self, service: &mut Service) -> Result<(), Told> {
        let expected = "expected BIDIrectional, INBound or OUTBound";
        let token = self.take(expected)?;
        service.direction = match token.text {
            w if words::BIDIRECTIONAL.is(w) => RuleDirection::Bidirectional,
            w if words::INBOUND.is(w) => RuleDirection::Inbound,
            w if words::OUTBOUND.is(w) => RuleDirection::Outbound,
            _ => return Err(self.no_choice(token, "a direction", expected)),
        };
        let Some(token) = self.tokens.peek() else {
            return Ok(());
        };
        service.connect = match token.text {
            w if words::INBCONNECT.is(w) => Connect::Inbound,
            w if words::OUTBCONNECT.is(w) => Connect::Outbound,
            _ => return Ok(()),
        };
        self.tokens.next();
        if service.check() == Err(ServiceError::ConnectNotTcp) {
            return Err(self.wrong(
                &codes::CONNECT_NOT_TCP,
                token.span,
                format!("{} in a rule that is not for TCP", quote(token.text)),
                "only TCP connections are opened",
                "add `PROTOcol TCP`, or leave it out",
            ));
        }
        Ok(())
    }

    /// `n` or, where a range is taken, `n m`.
    fn numbers(
        &mut self,
        max: u16,
        what: &'static str,
        range: bool,
    ) -> Result<RangeInclusive<u16>, Told> {
        let token = self.take(what)?;
        let first = self.number(token, max, what)?;
        let second = self
            .tokens
            .peek()
            .filter(|t| range && t.text.starts_with(|c: char| c.is_ascii_digit()));
        let Some(second) = second else {
            return Ok(first..=first);
        };
        self.tokens.next();
        let last = self.number(second, max, what)?;
        if last < first {
            let span = Span::new(token.span.source, token.span.start, second.span.end);
            return Err(self.wrong(
                &codes::INVERTED_RANGE,
                span,
                format!("the range ends before it begins: {first} {last}"),
                "the first number is the greater one",
                format!("write `{last} {first}`"),
            ));
        }
        Ok(first..=last)
    }

    fn number(&mut self, token: Token<'a>, max: u16, what: &'static str) -> Result<u16, Told> {
        match token.text.parse::<u32>() {
            Ok(n) if n <= u32::from(max) && (n > 0 || what != PORT) => Ok(n as u16),
            Ok(_) => Err(self.wrong(
                &codes::OUT_OF_RANGE,
                token.span,
                format!("{} is out of range", quote(token.text)),
                format!("expected {what}"),
                "",
            )),
            Err(_) => Err(self.wrong(
                &codes::BAD_VALUE,
                token.span,
                format!("{} is not a number", quote(token.text)),
                format!("expected {what}"),
                "",
            )),
        }
    }

    /// The next word, unless it begins something else.
    fn take(&mut self, expected: &'static str) -> Result<Token<'a>, Told> {
        let next = [&words::RULE4, &words::RULE6, &words::ENDIPSEC];
        match self.tokens.peek() {
            Some(t) if !next.iter().any(|w| w.is(t.text)) => {
                self.tokens.next();
                Ok(t)
            }
            _ => {
                let at = self.tokens.behind();
                Err(self.wrong(
                    &codes::MISSING_VALUE,
                    at,
                    "the rule is not complete",
                    expected,
                    "",
                ))
            }
        }
    }

    fn no_choice(&mut self, token: Token<'a>, what: &str, expected: &'static str) -> Told {
        self.wrong(
            &codes::UNKNOWN_CHOICE,
            token.span,
            format!("{} is not {what}", quote(token.text)),
            expected,
            "",
        )
    }

    fn wrong(
        &mut self,
        code: &'static CodeInfo,
        span: Span,
        message: impl Into<alloc::borrow::Cow<'static, str>>,
        label: impl Into<alloc::borrow::Cow<'static, str>>,
        help: impl Into<alloc::borrow::Cow<'static, str>>,
    ) -> Told {
        self.out.push_with(code, || {
            let d = Diagnostic::new(code, span, message).label(label);
            let help = help.into();
            if help.is_empty() { d } else { d.help(help) }
        });
        Told
    }
}

const PORT: &str = "a port from 1 to 65535, two for a range, or `*`";
const TYPE: &str = "a type from 0 to 255, two for a range, or `*`";
const CODE: &str = "a code from 0 to 255, two for a range, or `*`";

/// The first address of a prefix or range.
fn before_mark(text: &str) -> &str {
    text.split(['/', '-']).next().unwrap_or(text)
}
