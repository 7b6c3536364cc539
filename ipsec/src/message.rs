//! Events as the log lines of z/OS: message ids and fields.
//!
//! A blank follows each `=`, as in the originals. What the reference marks unconfirmed, and ids of
//! what z/OS has no line for (`HWI…`), are in this file only.

use alloc::string::String;
use core::fmt::{self, Write as _};

use hostward_hook::event::Event;
use hostward_hook::ident::Names;
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::protection::TunnelKind;
use hostward_hook::reason::Code;
use hostward_hook::time::UnixTime;

use crate::display::DisplayId;
use crate::told::{Happened, NoTunnel, PacketRefused, TUNNEL_INACTIVE, TunnelEvent};

/// A log line: its message id and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Such as `EZD0819I`.
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
    /// The line of an event of IPsec; `None` for other events. `stamp` writes the wall time, in
    /// UTC as the host's log has it.
    #[must_use]
    pub fn of(
        event: &Event<'_>,
        names: &dyn Names,
        stamp: impl FnOnce(UnixTime, &mut dyn fmt::Write) -> fmt::Result,
    ) -> Option<Self> {
        let any = event.detail.as_any()?;
        let mut text = String::new();
        let _ = stamp(event.now.wall, &mut text);
        let id = if let Some(d) = any.downcast_ref::<TunnelEvent>() {
            tunnel(&mut text, d)
        } else if let Some(d) = any.downcast_ref::<NoTunnel>() {
            lacking(&mut text, d, event, names)
        } else if let Some(d) = any.downcast_ref::<PacketRefused>() {
            refused(&mut text, d, event.code)
        } else {
            return None;
        };
        Some(Self { id, text })
    }
}

fn tunnel(text: &mut String, d: &TunnelEvent) -> &'static str {
    let id = DisplayId {
        kind: d.kind,
        tunnel: d.tunnel,
    };
    let spi = d.inbound_spi.or(d.outbound_spi).unwrap_or(0);
    let (ah, esp) = if d.protocol == 51 { (spi, 0) } else { (0, spi) };
    let _ = write!(
        text,
        " vpnaction= {} tunnelID= {id} AHSPI= {ah} ESPSPI= {esp}",
        d.name
    );
    match (d.kind, d.happened) {
        (TunnelKind::Manual, Happened::Added | Happened::Refreshed) => "EZD0819I",
        (TunnelKind::Manual, Happened::Removed | Happened::Expired) => "EZD0820I",
        (_, Happened::Added | Happened::Refreshed) => "EZD0818I",
        (_, Happened::Removed | Happened::Expired) => "HWI4051I",
    }
}

fn lacking(text: &mut String, d: &NoTunnel, event: &Event<'_>, names: &dyn Names) -> &'static str {
    let inactive = event.code == TUNNEL_INACTIVE;
    let (source, destination) = match d.direction {
        Direction::Outbound => (d.traffic.local, d.traffic.remote),
        Direction::Inbound => (d.traffic.remote, d.traffic.local),
    };
    // The host knows names of rules; its number, from 1, says which one where it does not.
    let _ = match event.rule.and_then(|r| names.rule(r)) {
        Some(rule) => write!(text, " filter rule= {rule}"),
        None => write!(
            text,
            " filter rule= #{}",
            event.rule.map_or(0, |r| u64::from(r.0) + 1)
        ),
    };
    let _ = write!(text, " ext= 1 sipaddr= {source} dipaddr= {destination}");
    let _ = match d.traffic.protocol {
        Some(protocol) => write!(text, " proto= {}", Protocol(protocol)),
        None => write!(text, " proto= Unknown"),
    };
    let (a, b) = match d.direction {
        Direction::Outbound => (d.traffic.local_port, d.traffic.remote_port),
        Direction::Inbound => (d.traffic.remote_port, d.traffic.local_port),
    };
    let _ = match (d.traffic.protocol, a, b) {
        (_, Some(a), Some(b)) => write!(text, " sport= {a} dport= {b}"),
        (Some(1 | 58), Some(kind), _) => {
            let [kind, code] = kind.to_be_bytes();
            write!(text, " type= {kind} code= {code}")
        }
        (Some(6 | 17), ..) => write!(text, " sport= Unknown dport= Unknown"),
        (Some(1 | 58), ..) => write!(text, " type= Unknown code= Unknown"),
        _ => Ok(()),
    };
    let interface = names.interface(d.interface).unwrap_or("*");
    let _ = match names.interface_address(d.interface) {
        Some(address) => write!(text, " Interface= {address}"),
        None => write!(text, " Interface= {interface}"),
    };
    let dest = match d.routing {
        Routing::Local => "local",
        Routing::Routed => "routed",
    };
    let name = d.name.as_deref().unwrap_or("N/A");
    let _ = write!(
        text,
        " ( O ) secclass= {} dest= {dest} len= {} vpnaction= {name}",
        d.security_class, d.length
    );
    if inactive {
        let id = DisplayId {
            kind: TunnelKind::Manual,
            tunnel: d.tunnel,
        };
        let _ = write!(text, " tunnelID= {id}");
    }
    let fragment = if d.fragment { 'Y' } else { 'N' };
    let _ = write!(text, " ifcname= {interface} fragment= {fragment}");
    if d.suppressed > 0 {
        let _ = write!(text, " suppressed_count= {}", d.suppressed);
    }
    if inactive { "EZD0822I" } else { "EZD0821I" }
}

/// z/OS has no line for these; the ids are ours.
fn refused(text: &mut String, d: &PacketRefused, code: Code) -> &'static str {
    let tunnel = d.tunnel.as_deref().unwrap_or("N/A");
    let _ = write!(
        text,
        " code= {code} vpnaction= {tunnel} proto= {} spi= {} sipaddr= {} dipaddr= {}",
        Protocol(d.protocol),
        d.spi,
        d.source,
        d.destination
    );
    if let Some(inner) = &d.inner {
        let _ = write!(
            text,
            " embsipaddr= {} embdipaddr= {}",
            inner.remote, inner.local
        );
    }
    if d.suppressed > 0 {
        let _ = write!(text, " suppressed_count= {}", d.suppressed);
    }
    "HWI4060I"
}

/// `TCP(6)` or a bare number.
struct Protocol(u8);

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "ICMP",
            2 => "IGMP",
            4 => "IP",
            6 => "TCP",
            17 => "UDP",
            50 => "ESP",
            51 => "AH",
            58 => "ICMPv6",
            89 => "OSPF",
            135 => "MIPv6",
            number => return write!(f, "{number}"),
        };
        write!(f, "{name}({})", self.0)
    }
}
