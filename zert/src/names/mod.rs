//! Numbers on the wire and the names they stand for: one data module a topic.

mod alerts;
mod groups;
pub(crate) mod ike;
mod schemes;
mod suites;

pub(crate) use alerts::alert_name;
pub(crate) use groups::{group_name, ssh_kex_class, tls_class};
pub(crate) use schemes::scheme_name;
pub use suites::{SUITES, Suite};
