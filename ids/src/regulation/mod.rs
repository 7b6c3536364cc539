//! Traffic regulation (`ConditionType TR`): how many connections a TCP port takes and how they are
//! shared, and how much may wait on a UDP port.

pub(crate) mod tcp;
pub(crate) mod udp;

/// A port is constrained from 90 percent of what it takes on, and no longer below 88.
pub(crate) const fn constrained(was: bool, used: u64, total: u64) -> bool {
    let percent = if was { 88 } else { 90 };
    used.saturating_mul(100) >= total.saturating_mul(percent)
}
