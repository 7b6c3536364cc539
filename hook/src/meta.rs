//! What the host knows of a packet and the packet itself does not say.

use crate::ident::{InterfaceId, JobId, SaId, UserId};
use crate::time::Now;

/// The place in the host's stack at which a packet is handed to the guard.
///
/// The five points map one to one onto netfilter's hooks and onto those of most host stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Point {
    /// Received, before the routing decision.
    #[default]
    Ingress,
    /// Received and addressed to this host.
    LocalIn,
    /// Received, to be sent on.
    Forward,
    /// Made by this host, before the routing decision.
    LocalOut,
    /// About to be sent, forwarded or not.
    Egress,
}

impl Point {
    /// Whether a packet at this point moves into the host or out of it.
    ///
    /// A packet at [`Point::Forward`] is still inbound: it has been received and not been sent.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Self::Ingress | Self::LocalIn | Self::Forward => Direction::Inbound,
            Self::LocalOut | Self::Egress => Direction::Outbound,
        }
    }
}

/// Direction of a packet as the guarded host sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a packet moves in or out, there is no third way"
)]
pub enum Direction {
    /// Towards the host.
    #[default]
    Inbound,
    /// From the host.
    Outbound,
}

/// Whether the packet ends or begins at this host, or only passes through it
/// (`Routing` of an `IpService`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a packet is routed or it is not")]
pub enum Routing {
    /// The source or the destination is this host.
    #[default]
    Local,
    /// The host forwards the packet.
    Routed,
}

/// What is known about the checksums of a received packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Checksums {
    /// Nobody looked: controls that care verify them.
    #[default]
    Unchecked,
    /// The network card or the stack verified them.
    Verified,
    /// They are not filled in yet (checksum offload, as on a host's own outgoing packets and in
    /// captures taken there): controls must not judge them.
    Offloaded,
}

/// Everything the host hands in beside the bytes of a packet.
///
/// `Meta::new(point, now)` is enough for a simple host; the rest has neutral defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Meta {
    /// Where in the stack the packet stands.
    pub point: Point,
    /// Local or routed traffic.
    pub routing: Routing,
    /// State of the checksums.
    pub checksums: Checksums,
    /// The buffer holds only the beginning of the packet (the snap length of a capture): what is
    /// missing says nothing about the sender.
    pub cut: bool,
    /// An application made the packet itself, IP header included, and sends it through a raw socket.
    pub raw: bool,
    /// Security class of the interface, 1–255 (`SecurityClass`); 0 when the host has none.
    pub security_class: u8,
    /// Interface of arrival or departure.
    pub interface: InterfaceId,
    /// The security association the packet came through, if any: the last one that was opened.
    ///
    /// Rules that demand tunnels are about it, so a packet with one passes only by such a rule.
    /// Encapsulation without protection (IP in IP, GRE, VXLAN) is no association: what it carried has
    /// none, or the one that the packet around it came through.
    pub sa: Option<SaId>,
    /// Owner of the local socket, as far as the host knows.
    pub user: UserId,
    /// Job of the local socket, as far as the host knows.
    pub job: JobId,
    /// The host's own number of the packet, for events and records; 0 lets the guard count.
    pub number: u64,
    /// Time of the packet.
    pub now: Now,
}

impl Meta {
    /// Metadata of a packet at `point`, all else unknown.
    #[must_use]
    pub fn new(point: Point, now: Now) -> Self {
        Self {
            point,
            now,
            ..Self::default()
        }
    }

    /// Direction of the packet, from its point in the stack.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        self.point.direction()
    }

    /// The same metadata with another interface.
    #[must_use]
    pub const fn with_interface(mut self, interface: InterfaceId) -> Self {
        self.interface = interface;
        self
    }

    /// The same metadata with another routing.
    #[must_use]
    pub const fn with_routing(mut self, routing: Routing) -> Self {
        self.routing = routing;
        self
    }

    /// The same metadata with another checksum state.
    #[must_use]
    pub const fn with_checksums(mut self, checksums: Checksums) -> Self {
        self.checksums = checksums;
        self
    }

    /// The same metadata for a packet of which only the beginning was captured.
    #[must_use]
    pub const fn with_cut(mut self, cut: bool) -> Self {
        self.cut = cut;
        self
    }

    /// The same metadata for a packet from a raw socket.
    #[must_use]
    pub const fn with_raw(mut self, raw: bool) -> Self {
        self.raw = raw;
        self
    }

    /// The same metadata with the host's number of the packet.
    #[must_use]
    pub const fn with_number(mut self, number: u64) -> Self {
        self.number = number;
        self
    }

    /// The same metadata with another security class.
    #[must_use]
    pub const fn with_security_class(mut self, class: u8) -> Self {
        self.security_class = class;
        self
    }

    /// The same metadata for a packet that came through `sa`.
    #[must_use]
    pub const fn with_sa(mut self, sa: SaId) -> Self {
        self.sa = Some(sa);
        self
    }

    /// The same metadata with the owner of the local socket.
    #[must_use]
    pub const fn with_owner(mut self, user: UserId, job: JobId) -> Self {
        self.user = user;
        self.job = job;
        self
    }
}
