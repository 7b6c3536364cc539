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

#[cfg(any(feature = "alloc", test))]
extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod action;
pub mod checksum;
pub mod event;
pub mod flow;
#[cfg(feature = "alloc")]
pub mod fragment;
pub mod frame;
#[cfg(feature = "alloc")]
pub mod hold;
pub mod hooks;
pub mod ident;
pub mod layout;
pub mod link;
pub mod meta;
pub mod packet;
#[cfg(feature = "alloc")]
mod pool;
pub mod protection;
pub mod reason;
#[cfg(feature = "alloc")]
pub mod stream;
pub mod time;
pub mod verdict;

pub use action::{Action, ActionQueue, ActionSink, Cx};
pub use event::{Class, Event, EventSink};
pub use flow::{FlowId, FlowInfo, FlowKey};
pub use frame::FrameBuf;
pub use hooks::{
    DatagramObserver, Opened, PacketFilter, PacketHook, PacketTransform, Side, SocketHook,
    StreamObserver, StreamTransform, Timers,
};
pub use layout::{Anomalies, Anomaly, Layout};
pub use meta::{Checksums, Direction, Meta, Point, Routing};
pub use packet::Packet;
pub use reason::{Code, Control, Reason};
pub use time::{Instant, Now, UnixTime};
pub use verdict::Verdict;
