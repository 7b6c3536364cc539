#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::std_instead_of_core,
        clippy::std_instead_of_alloc,
        clippy::alloc_instead_of_core
    )
)]

extern crate alloc;

mod attack;
pub mod codes;
mod connection;
pub mod event;
mod facts;
pub mod host;
mod ids;
pub mod malformed;
pub mod message;
pub mod policy;
mod regulation;
mod report;
mod scan;
mod table;

/// Scans: the tables that say how suspicious an event is, how scans are looked for, and what their
/// events tell.
pub mod scans {
    pub use crate::scan::classify::{self, Suspicion, TcpEvent, TcpState};
    pub use crate::scan::signs::{NAMED, ScanSign, ScanSignKind};
    pub use crate::scan::told::{LISTED, Scan, ScanDetail, ScanItem, ScanKind, ScanStorage};
    pub use crate::scan::{ScanConfig, Window};
}

/// What hosts may tell and what events tell, by detector.
pub mod detect {
    pub use crate::attack::ee_xid::XidFlood;
    pub use crate::attack::flood::interface::{Discard, InterfaceFlood, InterfaceFloodStep};
    pub use crate::attack::flood::syn::{SynFlood, SynFloodStep};
    pub use crate::attack::tcp_queue::{Queue, QueueFact, QueueStep, QueueTrigger, TcpQueue};
    pub use crate::attack::tcp_stall::{ConnectionFact, StalledConnection, TcpStall};
    pub use crate::regulation::tcp::{Admission, TcpPort, TcpStep};
    pub use crate::regulation::udp::{UdpPort, UdpQueue, UdpStep};
}

pub use connection::Slot;
pub use ids::{Config, Ids};
pub use report::Seen;
