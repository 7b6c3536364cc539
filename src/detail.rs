//! The union of the events' details, for sinks that know the suite.

use hostward_hook::event::Event;

/// What an event of the suite adds to its envelope, by the control's own type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Detail<'a> {
    /// A decision of the filter.
    Filter(&'a hostward_filter::Decision),
    /// A packet that is an attack, malformed ones among them.
    Attack(&'a hostward_ids::event::AttackPacket),
    /// A tunnel that was added, refreshed or removed.
    #[cfg(feature = "ipsec")]
    Tunnel(&'a hostward_ipsec::told::TunnelEvent),
    /// A protected packet that was refused.
    #[cfg(feature = "ipsec")]
    Protected(&'a hostward_ipsec::told::PacketRefused),
    /// A packet that found no association of its tunnel.
    #[cfg(feature = "ipsec")]
    NoTunnel(&'a hostward_ipsec::told::NoTunnel),
    /// The protection of a connection, at its end or at a step of its life.
    Protection(&'a hostward_zert::Record),
    /// Something else: read it field by field through the envelope's
    /// [`Detail`](hostward_hook::event::Detail).
    Other,
}

impl<'a> Detail<'a> {
    /// The details of an event.
    #[must_use]
    pub fn of(event: &Event<'a>) -> Self {
        let Some(any) = event.detail.as_any() else {
            return Self::Other;
        };
        #[cfg(feature = "ipsec")]
        if let Some(d) = any.downcast_ref() {
            return Self::Tunnel(d);
        } else if let Some(d) = any.downcast_ref() {
            return Self::Protected(d);
        } else if let Some(d) = any.downcast_ref() {
            return Self::NoTunnel(d);
        }
        if let Some(d) = any.downcast_ref() {
            Self::Filter(d)
        } else if let Some(d) = any.downcast_ref() {
            Self::Attack(d)
        } else if let Some(d) = any.downcast_ref() {
            Self::Protection(d)
        } else {
            Self::Other
        }
    }
}
