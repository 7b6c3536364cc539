//! Floods (`FLOOD`): of SYNs to a port, and of packets that an interface must discard.

pub(crate) mod interface;
pub(crate) mod syn;
