//! What a control decides about one packet.

use crate::ident::{RuleId, Ticket, TunnelId, WorkerId};
use crate::reason::Reason;

/// The decision of a control, and of the guard as a whole, about one packet.
///
/// A control that has nothing to say answers [`Verdict::Continue`]; the first other answer ends
/// the pass. As the guard's final answer `Continue` means "deliver it".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub enum Verdict {
    /// No objection.
    #[default]
    Continue,
    /// Discard the packet silently.
    Drop(Reason),
    /// Discard the packet and tell the sender (ICMP administratively prohibited, TCP reset).
    Reject(Reason),
    /// The packet must be sent through this tunnel (RFC 4301 PROTECT).
    Protect {
        /// The tunnel that protects it.
        tunnel: TunnelId,
        /// The rule that says so.
        rule: RuleId,
    },
    /// The host keeps the packet until the ticket is called or expires.
    Hold(Ticket),
    /// The control has taken the packet over (a fragment that waits for its siblings).
    Consumed,
    /// Another worker owns the state this packet needs.
    Handoff(WorkerId),
}

impl Verdict {
    /// Whether the packet may go on.
    #[must_use]
    pub const fn is_continue(self) -> bool {
        matches!(self, Self::Continue)
    }

    /// Whether the packet ends here by decision: dropped or rejected.
    #[must_use]
    pub const fn is_refused(self) -> bool {
        matches!(self, Self::Drop(_) | Self::Reject(_))
    }

    /// The reason of a refusal.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Drop(r) | Self::Reject(r) => Some(r),
            Self::Continue
            | Self::Protect { .. }
            | Self::Hold(_)
            | Self::Consumed
            | Self::Handoff(_) => None,
        }
    }

    /// The verdict's name as it stands in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Drop(_) => "drop",
            Self::Reject(_) => "reject",
            Self::Protect { .. } => "protect",
            Self::Hold(_) => "hold",
            Self::Consumed => "consumed",
            Self::Handoff(_) => "handoff",
        }
    }
}

const _: () = assert!(size_of::<Verdict>() <= 12);
