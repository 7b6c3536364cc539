//! The model of a policy: which rules there are, what they look for, what is done and who is told.
//!
//! Names in brackets are those of z/OS's policy statements. A [`Policy`] is plain data; [`Policy::check`]
//! says what is wrong with it, and what is out of range is taken at its nearest bound.

mod attack;
mod number;
mod report;
mod rule;
mod standard;

pub use attack::{Attack, AttackType, QueueSize};
pub use number::NumberSet;
pub use report::{ReportSet, Statistics, StatisticsKind, Trace};
pub use rule::{
    AddressRange, AttackRule, Defense, Exclusion, Limits, Policy, PolicyError, PortRange, Protocol,
    Rule, ScanEventRule, ScanExclusion, ScanGlobalRule, Scope, Sensitivity, TcpRegulation,
    UdpRegulation,
};
