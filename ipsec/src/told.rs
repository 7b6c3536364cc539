//! What this control tells: its codes and the types of its details.

use alloc::sync::Arc;
use core::any::Any;
use core::net::IpAddr;

use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::ident::{InterfaceId, SaId, TunnelId};
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::protection::{Encapsulation, Transforms, TunnelKind};

use crate::selector::Traffic;

hostward_hook::codes! {
    /// Codes of tunnels and of the databases.
    pub static TUNNEL_CODES;
    /// The first association of a tunnel was installed, or a manual tunnel was activated.
    TUNNEL_ADDED = 4050, "tunnel-added";
    /// An association of a tunnel was removed, or a manual tunnel was deactivated.
    TUNNEL_REMOVED = 4051, "tunnel-removed";
    /// New associations took the place of older ones of their tunnel.
    TUNNEL_REFRESHED = 4052, "tunnel-refreshed";
    /// The hard lifetime of an association ended before it was replaced.
    TUNNEL_EXPIRED = 4053, "tunnel-expired";
    /// No association has the SPI of a packet that arrived for this host.
    UNKNOWN_SPI = 4060, "unknown-spi";
    /// What came through an association is not what the association is for.
    NOT_SELECTED = 4061, "not-selected";
    /// The association of the packet is on its way from one worker to another.
    MOVING = 4062, "sa-moving";
    /// The packet must go through a tunnel that has no association for it, and none is asked for.
    NO_ASSOCIATION = 4063, "no-association";
    /// The packet must go through a manual tunnel that is not active.
    TUNNEL_INACTIVE = 4064, "tunnel-inactive";
    /// The packet needs an association, and as many are being asked for as may be.
    TOO_MANY_ACQUIRES = 4065, "too-many-acquires";
    /// As many packets wait for an association as may.
    TOO_MANY_HELD = 4066, "too-many-held";
    /// An association was asked for, and was not installed in time or at all.
    ACQUIRE_FAILED = 4067, "acquire-failed";
    /// The policy discards the traffic.
    POLICY_DISCARD = 4068, "policy-discard";
    /// A packet came in clear that the policy wants protected, or through the wrong tunnel.
    POLICY_PROTECTION = 4069, "policy-protection";
}

/// What happened to a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Happened {
    /// Its first associations were installed.
    Added,
    /// Its associations were replaced.
    Refreshed,
    /// Associations were removed.
    Removed,
    /// The hard lifetime of associations ended.
    Expired,
}

/// Packets and octets of one direction of a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of counts")]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Octets of them.
    pub bytes: u64,
}

/// A step in the life of a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TunnelEvent {
    /// What happened.
    pub happened: Happened,
    /// The tunnel.
    pub tunnel: TunnelId,
    /// Its name.
    pub name: Arc<str>,
    /// Where it comes from.
    pub kind: TunnelKind,
    /// The pair of associations.
    pub sa: SaId,
    /// Which pair of the tunnel this is, from 1.
    pub generation: u32,
    /// 50 or 51.
    pub protocol: u8,
    /// How packets are enclosed.
    pub encapsulation: Encapsulation,
    /// Transforms.
    pub transforms: Transforms,
    /// SPI of received packets.
    pub inbound_spi: Option<u32>,
    /// SPI of sent packets.
    pub outbound_spi: Option<u32>,
    /// This host's end.
    pub local: IpAddr,
    /// The other end.
    pub remote: IpAddr,
    /// Received so far.
    pub inbound: Count,
    /// Sent so far.
    pub outbound: Count,
}

impl Detail for TunnelEvent {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("tunnel", Value::Str(&self.name));
        v.field("tunnel_id", Value::U64(self.tunnel.0.into()));
        let manual = matches!(self.kind, TunnelKind::Manual);
        v.field(
            "kind",
            Value::Str(if manual { "manual" } else { "dynamic" }),
        );
        v.field("sa", Value::U64(self.sa.0.into()));
        v.field("sa_generation", Value::U64(self.generation.into()));
        v.field("protocol", Value::U64(self.protocol.into()));
        let mode = match self.encapsulation {
            Encapsulation::Tunnel => "tunnel",
            Encapsulation::Transport => "transport",
        };
        v.field("mode", Value::Str(mode));
        if let Some(n) = self.transforms.encryption {
            v.field("encryption", Value::U64(n.into()));
        }
        if let Some(n) = self.transforms.integrity {
            v.field("integrity", Value::U64(n.into()));
        }
        if let Some(spi) = self.inbound_spi {
            v.field("inbound_spi", Value::U64(spi.into()));
        }
        if let Some(spi) = self.outbound_spi {
            v.field("outbound_spi", Value::U64(spi.into()));
        }
        v.field("local", Value::Addr(self.local));
        v.field("remote", Value::Addr(self.remote));
        v.field("inbound_packets", Value::U64(self.inbound.packets));
        v.field("inbound_bytes", Value::U64(self.inbound.bytes));
        v.field("outbound_packets", Value::U64(self.outbound.packets));
        v.field("outbound_bytes", Value::U64(self.outbound.bytes));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// A packet that was refused at or behind its association; the code says why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketRefused {
    /// The association, if one was found.
    pub sa: Option<SaId>,
    /// The name of its tunnel.
    pub tunnel: Option<Arc<str>>,
    /// The SPI.
    pub spi: u32,
    /// 50 or 51.
    pub protocol: u8,
    /// Source of the protected packet.
    pub source: IpAddr,
    /// Its destination.
    pub destination: IpAddr,
    /// What was inside, if it was opened.
    pub inner: Option<Traffic>,
    /// How many like it were not told since the last one that was.
    pub suppressed: u32,
}

impl Detail for PacketRefused {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        if let Some(SaId(sa)) = self.sa {
            v.field("sa", Value::U64(sa.into()));
        }
        if let Some(tunnel) = &self.tunnel {
            v.field("tunnel", Value::Str(tunnel));
        }
        v.field("spi", Value::U64(self.spi.into()));
        v.field("protocol", Value::U64(self.protocol.into()));
        v.field("source", Value::Addr(self.source));
        v.field("destination", Value::Addr(self.destination));
        if let Some(inner) = &self.inner {
            v.field("inner_source", Value::Addr(inner.remote));
            v.field("inner_destination", Value::Addr(inner.local));
            if let Some(protocol) = inner.protocol {
                v.field("inner_protocol", Value::U64(protocol.into()));
            }
            if let (Some(from), Some(to)) = (inner.remote_port, inner.local_port) {
                v.field("inner_source_port", Value::U64(from.into()));
                v.field("inner_destination_port", Value::U64(to.into()));
            }
        }
        v.field("suppressed", Value::U64(self.suppressed.into()));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// An outbound packet that found no association; the code says why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoTunnel {
    /// The tunnel it must go through.
    pub tunnel: TunnelId,
    /// Its name, if the tunnel is known.
    pub name: Option<Arc<str>>,
    /// What the packet shows.
    pub traffic: Traffic,
    /// Interface of departure.
    pub interface: InterfaceId,
    /// Whether it comes from this host.
    pub routing: Routing,
    /// Its direction.
    pub direction: Direction,
    /// Security class of the interface.
    pub security_class: u8,
    /// Whether it is a fragment.
    pub fragment: bool,
    /// Its length in bytes.
    pub length: usize,
    /// How many like it were not told since the last one that was.
    pub suppressed: u32,
}

impl Detail for NoTunnel {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        if let Some(name) = &self.name {
            v.field("tunnel", Value::Str(name));
        }
        v.field("tunnel_id", Value::U64(self.tunnel.0.into()));
        v.field("local", Value::Addr(self.traffic.local));
        v.field("remote", Value::Addr(self.traffic.remote));
        if let Some(protocol) = self.traffic.protocol {
            v.field("protocol", Value::U64(protocol.into()));
        }
        v.field("length", Value::U64(self.length as u64));
        v.field("suppressed", Value::U64(self.suppressed.into()));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// Lets a few events through in an interval and counts the others.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limiter {
    began: u64,
    told: u16,
    pub(crate) suppressed: u32,
}

impl Limiter {
    /// Whether one more may be told, and how many were not since the last.
    pub(crate) fn admit(&mut self, now: u64, interval: u64, most: u16) -> Option<u32> {
        if self.told == 0 || now.saturating_sub(self.began) >= interval || now < self.began {
            self.began = now;
            self.told = 0;
        }
        if self.told >= most {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        }
        self.told += 1;
        Some(core::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limiter_counts_what_it_holds_back() {
        let mut l = Limiter::default();
        let told: alloc::vec::Vec<_> = (0..6).map(|t| l.admit(t, 10, 2)).collect();
        assert_eq!(told, [Some(0), Some(0), None, None, None, None]);
        assert_eq!((l.admit(9, 10, 2), l.suppressed), (None, 5));
        assert_eq!((l.admit(10, 10, 2), l.admit(11, 10, 2)), (Some(5), Some(0)));
        // A clock that goes back does not silence it for ever.
        assert_eq!((l.admit(12, 10, 2), l.admit(3, 10, 2)), (None, Some(1)));
    }
}
