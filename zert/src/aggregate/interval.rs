//! Where intervals begin and end.

use core::time::Duration;

use hostward_hook::time::UnixTime;

/// The end of the interval in which `wall` lies: intervals of this length, one of which begins at
/// `sync` after midnight UTC. `None` for an interval of no length.
///
/// ```
/// use core::time::Duration;
/// use hostward_hook::UnixTime;
/// use hostward_zert::aggregate::boundary;
///
/// let hour = Duration::from_secs(3_600);
/// let sync = Duration::from_secs(15 * 60);
/// let at = |minutes: u64| UnixTime::from_secs(minutes * 60);
/// assert_eq!(boundary(at(20), hour, sync), Some(at(75)));
/// assert_eq!(boundary(at(75), hour, sync), Some(at(135)));
/// assert_eq!(boundary(at(3), hour, sync), Some(at(15)));
/// ```
#[must_use]
pub fn boundary(wall: UnixTime, interval: Duration, sync: Duration) -> Option<UnixTime> {
    let micros = |d: Duration| u64::try_from(d.as_micros()).ok();
    let interval = micros(interval)?;
    let into = micros(sync)?.checked_rem(interval)?;
    let since = wall.as_micros().checked_add(interval)?.checked_sub(into)?;
    let left = interval - since.checked_rem(interval)?;
    wall.as_micros()
        .checked_add(left)
        .map(UnixTime::from_micros)
}
