//! TLS and SSL: records, handshake messages, and what they say about the session.

pub(crate) mod hello;
pub(crate) mod records;
pub(crate) mod session;
pub(crate) mod trail;
