//! Events as the log lines of z/OS: message ids and fields.
//!
//! A sink that writes a log hands its events to [`Message::of`], off the packet path. A blank
//! follows each `=`, as in the originals. `Interface=` is the interface's address where the host
//! tells it, else its name. What the reference marks unconfirmed is in this file
//! only.

use alloc::string::String;
use core::fmt::{self, Write as _};

use hostward_hook::event::Event;
use hostward_hook::ident::Names;
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::time::UnixTime;

use crate::address::AddressSpec;
use crate::defensive::{DefensiveDirection, DefensiveFilter, DefensiveMode};
use crate::filter::{NOT_THROUGH_TUNNEL, UNEXPECTED_TUNNEL};
use crate::selectors::{Header, Selectors};
use crate::service::{RuleRouting, Upper};
use crate::told::{
    About, Decision, DefenseEvent, DefensiveMatch, ErrorPermitted, Happened, Overfull,
    RuleSuppressed, Suppressed,
};

/// A log line: its message id and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Such as `EZD0815I`.
    pub id: &'static str,
    /// What follows the id.
    pub text: String,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.id, self.text)
    }
}

impl Message {
    /// The line of an event of the filter; `None` for other events.
    #[must_use]
    pub fn of(event: &Event<'_>, names: &dyn Names) -> Option<Self> {
        let any = event.detail.as_any()?;
        let mut text = stamp(event.now.wall);
        let id = if let Some(d) = any.downcast_ref::<Decision>() {
            decision(&mut text, d, event, names)
        } else if let Some(d) = any.downcast_ref::<ErrorPermitted>() {
            error(&mut text, d, names)
        } else if let Some(d) = any.downcast_ref::<DefensiveMatch>() {
            rule(&mut text, &d.filter.name, d.extension);
            packet(&mut text, &d.about, names, true);
            tail(&mut text, &d.about, names);
            match d.mode {
                DefensiveMode::Block => "EZD1721I",
                DefensiveMode::Simulate => "EZD1722I",
            }
        } else if let Some(d) = any.downcast_ref::<Suppressed>() {
            let _ = write!(
                text,
                " filter_rule= {} filter_ext= {}",
                d.filter.name, d.extension
            );
            selectors(&mut text, &d.filter, "filter_");
            let _ = write!(text, " suppressed_count= {}", d.count);
            match d.mode {
                DefensiveMode::Block => "EZD0837I",
                DefensiveMode::Simulate => "EZD0838I",
            }
        } else if let Some(d) = any.downcast_ref::<DefenseEvent>() {
            defense(&mut text, d)
        } else if let Some(d) = any.downcast_ref::<RuleSuppressed>() {
            // z/OS does not limit these; the id is ours.
            let _ = write!(
                text,
                " filter rule= {} suppressed_count= {}",
                d.rule, d.count
            );
            "HWF2008I"
        } else if let Some(d) = any.downcast_ref::<Overfull>() {
            let Overfull { stack, count, max } = d;
            let _ = write!(text, " stack= {stack} filters= {count} limit= {max}");
            "HWF2015I"
        } else {
            return None;
        };
        Some(Self { id, text })
    }
}

fn decision(text: &mut String, d: &Decision, event: &Event<'_>, names: &dyn Names) -> &'static str {
    let mismatch = matches!(event.code, NOT_THROUGH_TUNNEL | UNEXPECTED_TUNNEL);
    rule(text, &d.rule, d.extension);
    packet(text, &d.about, names, !mismatch);
    let tunnel = d.tunnel.as_deref().unwrap_or("N/A");
    if mismatch {
        // A tunnel that no rule names has no name here.
        let through = match (&d.through, d.about.sa) {
            (Some(name), _) => name,
            (None, Some(_)) => "Unknown",
            (None, None) => "N/A",
        };
        let _ = write!(text, " tunnelID= {tunnel} decap_tunnelID= {through}");
        tail(text, &d.about, names);
        return "EZD0833I";
    }
    let _ = write!(text, " vpnaction= {tunnel} tunnelID= N/A");
    tail(text, &d.about, names);
    if d.permit { "EZD0814I" } else { "EZD0815I" }
}

/// An ICMP error and what it quotes.
fn error(text: &mut String, d: &ErrorPermitted, names: &dyn Names) -> &'static str {
    packet(text, &d.about, names, true);
    let tunnel = d.tunnel.as_deref().unwrap_or("N/A");
    let interface = names.interface(d.about.interface).unwrap_or("*");
    let q = &d.quoted;
    let _ = write!(
        text,
        " tunnelID= {tunnel} ifcname= {interface} embsipaddr= {} embdipaddr= {} embproto= {}",
        q.source,
        q.destination,
        Protocol(q.protocol),
    );
    tags(text, q);
    "EZD0836I"
}

fn defense(text: &mut String, d: &DefenseEvent) -> &'static str {
    let _ = write!(text, " filter rule= {} ext= {}", d.filter.name, d.extension);
    selectors(text, &d.filter, "");
    let yes = |b: bool| if b { "yes" } else { "no" };
    let _ = write!(
        text,
        " mode= {} log= {} lifetime= {} userid= N/A global= {} loglimit= {}",
        d.filter.mode.name(),
        yes(d.filter.log),
        d.filter.lifetime,
        yes(d.global),
        d.log_limit,
    );
    match d.happened {
        Happened::Added => "EZD1723I",
        Happened::Updated => "EZD1724I",
        Happened::Deleted => "EZD1725I",
        Happened::Expired => "EZD1726I",
    }
}

/// The rule that a line about a packet names.
fn rule(text: &mut String, rule: &str, extension: u32) {
    let _ = write!(text, " filter rule= {rule} ext= {extension}");
}

/// The packet that a line is about.
fn packet(text: &mut String, about: &About, names: &dyn Names, class: bool) {
    let s = &about.selectors;
    let _ = write!(
        text,
        " sipaddr= {} dipaddr= {} proto= {}",
        s.source,
        s.destination,
        Protocol(s.protocol),
    );
    tags(text, s);
    let way = match s.direction {
        Direction::Inbound => 'I',
        Direction::Outbound => 'O',
    };
    let _ = match names.interface_address(about.interface) {
        Some(address) => write!(text, " Interface= {address} ( {way} )"),
        None => {
            let interface = names.interface(about.interface).unwrap_or("*");
            write!(text, " Interface= {interface} ( {way} )")
        }
    };
    if class {
        let _ = write!(text, " secclass= {}", s.security_class);
    }
    let dest = match s.routing {
        Routing::Local => "local",
        Routing::Routed => "routed",
    };
    let _ = write!(text, " dest= {dest} len= {}", about.length);
}

fn tail(text: &mut String, about: &About, names: &dyn Names) {
    let interface = names.interface(about.interface).unwrap_or("*");
    let fragment = if about.selectors.fragment { 'Y' } else { 'N' };
    let _ = write!(text, " ifcname= {interface} fragment= {fragment}");
}

/// Ports, type and code by the protocol; `Unknown` where the packet does not show them.
fn tags(text: &mut String, s: &Selectors) {
    let _ = match (s.header, s.protocol) {
        (Header::Ports(source, destination), _) => {
            write!(text, " sport= {source} dport= {destination}")
        }
        (Header::Icmp(kind, code), _) => write!(text, " type= {kind} code= {code}"),
        (Header::Type(kind), _) => write!(text, " type= {kind}"),
        (Header::Unknown, Some(6 | 17)) => write!(text, " sport= Unknown dport= Unknown"),
        (Header::Unknown, Some(1 | 58)) => write!(text, " type= Unknown code= Unknown"),
        (Header::Unknown, Some(89 | 135)) => write!(text, " type= Unknown"),
        (Header::Unknown, _) => Ok(()),
    };
}

/// What a defensive filter selects by.
fn selectors(text: &mut String, f: &DefensiveFilter, prefix: &str) {
    let _ = write!(
        text,
        " {prefix}sipaddr= {} {prefix}dipaddr= {}",
        Addresses(&f.source),
        Addresses(&f.destination),
    );
    let _ = match f.upper.protocol() {
        Some(protocol) => write!(text, " {prefix}proto= {}", Protocol(Some(protocol))),
        None if f.upper == Upper::Opaque => write!(text, " {prefix}proto= Opaque"),
        None => write!(text, " {prefix}proto= ALL"),
    };
    let (a, b) = f.upper.ranges();
    let range = |r: &core::ops::RangeInclusive<u16>| {
        let mut out = String::new();
        let _ = if *r == (0..=u16::MAX) {
            write!(out, "ALL")
        } else if r.start() == r.end() {
            write!(out, "{}", r.start())
        } else {
            write!(out, "{}-{}", r.start(), r.end())
        };
        out
    };
    let _ = match f.upper {
        Upper::Ports { .. } => write!(text, " sport= {} dport= {}", range(&a), range(&b)),
        Upper::Icmp { .. } => write!(text, " type= {} code= {}", range(&a), range(&b)),
        Upper::Type { .. } => write!(text, " type= {}", range(&a)),
        Upper::Any | Upper::Opaque | Upper::Protocol(_) => Ok(()),
    };
    let direction = match f.direction {
        DefensiveDirection::Inbound => "inbound",
        DefensiveDirection::Outbound => "outbound",
        DefensiveDirection::Both => "both",
    };
    let routing = match f.routing {
        RuleRouting::Local => "local",
        RuleRouting::Routed => "routed",
        RuleRouting::Either => "either",
    };
    let fragments = if f.fragments_only { "yes" } else { "no" };
    let _ = write!(
        text,
        " {prefix}fragmentsonly= {fragments} {prefix}dir= {direction} {prefix}routing= {routing}"
    );
}

/// An address with its length, or `ALL`.
struct Addresses<'a>(&'a AddressSpec);

impl fmt::Display for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self.0 == AddressSpec::Any {
            return f.write_str("ALL");
        }
        self.0.fmt(f)
    }
}

/// `TCP(6)`, a bare number, or `Unknown`.
struct Protocol(Option<u8>);

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(number) = self.0 else {
            return f.write_str("Unknown");
        };
        let name = match number {
            1 => "ICMP",
            2 => "IGMP",
            4 => "IP",
            6 => "TCP",
            17 => "UDP",
            50 => "ESP",
            51 => "AH",
            58 => "ICMPv6",
            89 => "OSPF",
            94 => "IPIP",
            135 => "MIPv6",
            _ => return write!(f, "{number}"),
        };
        write!(f, "{name}({number})")
    }
}

/// The time of the stack in UTC, to the microsecond.
fn stamp(at: UnixTime) -> String {
    let time = i64::try_from(at.as_micros())
        .ok()
        .and_then(|t| jiff::Timestamp::from_microsecond(t).ok());
    let mut text = String::new();
    let _ = match time {
        Some(t) => write!(text, "{t:.6}"),
        None => write!(text, "-"),
    };
    text
}
