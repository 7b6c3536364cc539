//! Small identifiers that controls and hosts exchange.
//!
//! All of them are plain numbers: names behind them (a rule's name, a user, a job) are looked up
//! outside the packet path, through [`Names`].

use core::net::IpAddr;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);
    };
}

id! {
    /// A network interface, numbered by the host.
    InterfaceId(u32)
}
id! {
    /// A rule of some control's rule set: its position in the set of the generation in force.
    RuleId(u32)
}
id! {
    /// A tunnel that traffic can be protected by (a manual tunnel or a dynamic VPN).
    TunnelId(u32)
}
id! {
    /// An IPsec security association, numbered by whoever installed it (not the SPI).
    SaId(u32)
}
id! {
    /// The user on whose behalf a packet or socket acts; 0 is "not known".
    UserId(u32)
}
id! {
    /// The job (process, task, container) that owns a socket; 0 is "not known".
    JobId(u32)
}
id! {
    /// A worker (core, queue) of the host.
    WorkerId(u16)
}
id! {
    /// The claim check for a packet the host keeps while a control waits, see
    /// [`HoldQueue`](crate::hold::HoldQueue).
    Ticket(u32)
}

/// Looks up the names behind identifiers, off the packet path.
///
/// A host implements what it knows; everything else stays `None`.
pub trait Names {
    /// The name of an interface.
    fn interface(&self, id: InterfaceId) -> Option<&str> {
        let _ = id;
        None
    }

    /// An address of an interface, the one that log lines show.
    fn interface_address(&self, id: InterfaceId) -> Option<IpAddr> {
        let _ = id;
        None
    }

    /// The name of a user.
    fn user(&self, id: UserId) -> Option<&str> {
        let _ = id;
        None
    }

    /// The name of a job.
    fn job(&self, id: JobId) -> Option<&str> {
        let _ = id;
        None
    }

    /// The name of a rule.
    fn rule(&self, id: RuleId) -> Option<&str> {
        let _ = id;
        None
    }
}

impl Names for () {}
