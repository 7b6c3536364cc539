//! Flows: their names, what is known of them, and the table that remembers them.

mod info;
mod key;

pub use info::{Counters, FlowInfo};
pub use key::{FlowId, FlowKey};
