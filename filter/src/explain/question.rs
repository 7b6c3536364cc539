//! What is asked.

use hostward_hook::Packet;

use crate::selectors::Selectors;
use crate::tunnels::{Arrival, Tunnels};

/// A packet somebody asks about: what rules select by, and what else counts for the answer.
///
/// [`Selectors`] alone ask about a packet in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Question {
    /// What rules select by.
    pub selectors: Selectors,
    /// How it came.
    pub arrival: Arrival,
    /// What it quotes, if it is an ICMP error; see [`Selectors::quoted_by`].
    pub quoted: Option<Selectors>,
}

impl Question {
    /// The question what comes of a packet; `None` when it has no readable IP header.
    #[must_use]
    pub fn of(packet: &Packet<'_>, tunnels: &dyn Tunnels) -> Option<Self> {
        Some(Self {
            selectors: Selectors::of(packet)?,
            arrival: Arrival::of(&packet.meta, tunnels),
            quoted: Selectors::quoted_by(packet),
        })
    }

    /// The same packet, come in another way.
    #[must_use]
    pub const fn arrival(mut self, arrival: Arrival) -> Self {
        self.arrival = arrival;
        self
    }

    /// The same packet, an ICMP error that quotes another one.
    #[must_use]
    pub const fn quoting(mut self, quoted: Selectors) -> Self {
        self.quoted = Some(quoted);
        self
    }
}

impl From<Selectors> for Question {
    fn from(selectors: Selectors) -> Self {
        Self {
            selectors,
            arrival: Arrival::Clear,
            quoted: None,
        }
    }
}

impl From<&Selectors> for Question {
    fn from(selectors: &Selectors) -> Self {
        (*selectors).into()
    }
}
