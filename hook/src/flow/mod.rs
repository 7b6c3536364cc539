//! Flows: their names, what is known of them, and the table that remembers them.

#[cfg(feature = "alloc")]
mod canonical;
mod hash;
mod info;
mod key;
mod note;
#[cfg(feature = "alloc")]
mod source;
#[cfg(feature = "alloc")]
mod table;
mod tcp;
#[cfg(feature = "alloc")]
mod track;

pub use hash::HashKey;
pub use info::{Counters, FlowInfo};
pub use key::{FlowId, FlowKey};
pub use note::Note;
#[cfg(feature = "alloc")]
pub use table::{Belongs, FlowConfig, FlowTable, Found, Room, Sweep, Timeouts};
pub use tcp::{FlowState, TcpSegment};
