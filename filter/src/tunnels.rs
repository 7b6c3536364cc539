//! What tunnels have to do with a decision: through which one a packet came, and what follows.

use core::fmt;

use hostward_hook::ident::{SaId, TunnelId};
use hostward_hook::meta::{Direction, Meta};
use hostward_hook::reason::Reason;

use crate::filter::{DENIED, NOT_THROUGH_TUNNEL, PERMITTED, UNEXPECTED_TUNNEL};
use crate::rule::Action;

/// Tells which tunnel a security association belongs to, for packets that came through one.
///
/// A filter without it ([`()`](Self)) knows no tunnel: whatever came through an association is a
/// mismatch and discarded.
pub trait Tunnels: fmt::Debug + Send + Sync {
    /// The tunnel of an association; `None` when no rule can name it.
    fn tunnel_of(&self, sa: SaId) -> Option<TunnelId>;

    /// Whether the rules have a say in an association: all, unless this says otherwise.
    ///
    /// `false` is for what a host opens beside the policy, such as a VPN of its own that reports
    /// associations to other controls. Its packets are then judged as if they had come in the
    /// clear, so everybody whom that VPN lets in can do what the rules permit to anybody.
    fn concerns_rules(&self, _sa: SaId) -> bool {
        true
    }
}

/// No tunnels.
impl Tunnels for () {
    fn tunnel_of(&self, _: SaId) -> Option<TunnelId> {
        None
    }
}

/// How a packet came to where the rules meet it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "opened or not")]
pub enum Arrival {
    /// In the clear, or it has not arrived but leaves.
    #[default]
    Clear,
    /// Through a security association that was opened, of this tunnel; `None` when no rule can
    /// name its tunnel.
    Opened(Option<TunnelId>),
}

impl Arrival {
    /// How a packet came. What leaves does not come through anything, whatever it once did.
    #[inline]
    #[must_use]
    pub fn of(meta: &Meta, tunnels: &dyn Tunnels) -> Self {
        match (meta.sa, meta.direction()) {
            (Some(sa), Direction::Inbound) if tunnels.concerns_rules(sa) => {
                Self::Opened(tunnels.tunnel_of(sa))
            }
            (Some(_) | None, _) => Self::Clear,
        }
    }
}

/// What comes of a packet and the rule that it matches first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every case")]
pub enum Outcome {
    /// It passes.
    Permit,
    /// It is discarded.
    Deny,
    /// It leaves, protected by this tunnel.
    Protect(TunnelId),
    /// It is discarded: the rule demands a tunnel, and it did not come through that one.
    NotThroughTunnel,
    /// It is discarded: it came through a tunnel, and the rule demands none.
    UnexpectedTunnel,
}

impl Outcome {
    /// What comes of an action.
    ///
    /// RFC 4301 section 5.2: what arrives must have been protected exactly as the rules demand.
    /// Clear traffic that was to be protected is discarded, and so is protected traffic that was
    /// not: a peer must not reach through its tunnel what the tunnel is not for.
    #[inline]
    #[must_use]
    pub fn of(action: Action, direction: Direction, arrival: Arrival) -> Self {
        match (action, direction, arrival) {
            (Action::Ipsec(tunnel), Direction::Outbound, _) => Self::Protect(tunnel),
            (Action::Ipsec(tunnel), Direction::Inbound, Arrival::Opened(Some(through)))
                if through == tunnel =>
            {
                Self::Permit
            }
            (Action::Ipsec(_), Direction::Inbound, _) => Self::NotThroughTunnel,
            (Action::Permit | Action::Deny, Direction::Inbound, Arrival::Opened(_)) => {
                Self::UnexpectedTunnel
            }
            (Action::Permit, _, _) => Self::Permit,
            (Action::Deny, _, _) => Self::Deny,
        }
    }

    /// Whether the packet passes, protected or not.
    #[must_use]
    pub const fn permits(self) -> bool {
        matches!(self, Self::Permit | Self::Protect(_))
    }

    /// Under which code it is told when a rule decided.
    #[must_use]
    pub const fn code(self) -> Reason {
        match self {
            Self::Permit | Self::Protect(_) => PERMITTED,
            Self::Deny => DENIED,
            Self::NotThroughTunnel => NOT_THROUGH_TUNNEL,
            Self::UnexpectedTunnel => UNEXPECTED_TUNNEL,
        }
    }
}

impl Action {
    /// The tunnel that an ICMP error which no rule matches stays with, when this is the action of
    /// the rule that the packet it quotes matches first.
    ///
    /// An error that arrives must have come through that very tunnel. One that leaves goes into it:
    /// the rules let what it quotes arrive through that tunnel only.
    pub(crate) fn tunnel_of_error(
        self,
        direction: Direction,
        arrival: Arrival,
    ) -> Option<TunnelId> {
        let Self::Ipsec(tunnel) = self else {
            return None;
        };
        let stays = direction == Direction::Outbound || arrival == Arrival::Opened(Some(tunnel));
        stays.then_some(tunnel)
    }
}
