//! Time conditions.

use alloc::format;
use alloc::sync::Arc;

use hostward_filter as model;
use hostward_filter::{TimeCondition, TimeOfDay, Zone};

use super::Compiler;
use crate::codes;
use crate::diagnostic::Diagnostic;
#[cfg(any(feature = "ids", feature = "ipsec"))]
use crate::diagnostic::Diagnostics;
use crate::policy::Object;
use crate::tables::ipsec::time::{TimeZone, ip_time_condition};
use crate::value::{Atom, DateTime};

/// A time condition of a statement that is no rule; none when it has an error, which was told.
#[cfg(any(feature = "ids", feature = "ipsec"))]
pub(crate) fn time_condition(
    object: Object<'_>,
    out: &mut Diagnostics,
) -> Option<Arc<TimeCondition>> {
    Compiler::new(out, 0).time(object)
}

impl Compiler<'_> {
    /// An `IpTimeCondition`; none when it has an error, which was told.
    pub(super) fn time(&mut self, object: Object<'_>) -> Option<Arc<TimeCondition>> {
        if let Some(known) = self.times.get(&object.index()) {
            return known.clone();
        }
        let time = self.make_time(object).map(Arc::new);
        self.times.insert(object.index(), time.clone());
        time
    }

    fn make_time(&mut self, object: Object<'_>) -> Option<TimeCondition> {
        let mut time = TimeCondition::default();
        let mask = |p| {
            let Atom::Mask { bits, .. } = object.one(p)?.atom()? else {
                return None;
            };
            Some(bits)
        };
        time.months = u16::try_from(mask(ip_time_condition::MONTH_OF_YEAR_MASK)? & 0xfff).ok()?;
        let days = mask(ip_time_condition::DAY_OF_MONTH_MASK)?;
        time.days = u32::try_from(days & 0x7fff_ffff).ok()?;
        time.days_from_end = u32::try_from(days >> 31 & 0x7fff_ffff).ok()?;
        time.weekdays = u8::try_from(mask(ip_time_condition::DAY_OF_WEEK_MASK)? & 0x7f).ok()?;
        time.zone = match object.choice(ip_time_condition::TIME_ZONE)? {
            TimeZone::Local => Zone::Local,
            TimeZone::Utc => Zone::Utc,
        };
        if let Some(setting) = object.one(ip_time_condition::CONDITION_TIME_RANGE)
            && let Some(Atom::Instants { from, to }) = setting.atom()
        {
            let range = civil(from).ok().zip(civil(to).ok());
            if range.is_none() {
                self.wrong(&codes::NO_SUCH_TIME, || {
                    Diagnostic::new(
                        &codes::NO_SUCH_TIME,
                        setting.span(),
                        "a date or time that does not exist",
                    )
                    .label("expected yyyymmddhhmmss:yyyymmddhhmmss")
                });
                return None;
            }
            time.range = range;
        }
        for setting in object.all(ip_time_condition::TIME_OF_DAY_RANGE) {
            for (atom, span) in setting.placed() {
                let Atom::Hours { from, to } = atom else {
                    continue;
                };
                match TimeOfDay::new(from, to) {
                    Ok(range) => time.times.push(range),
                    Err(e) => {
                        self.wrong(&codes::NO_SUCH_TIME, || {
                            Diagnostic::new(
                                &codes::NO_SUCH_TIME,
                                span,
                                format!("the time of day is empty or not of this day: {e}"),
                            )
                            .label("expected hh:mm-hh:mm that begins before 24:00 and ends later")
                            .help("the whole day is 00:00-24:00")
                        });
                        return None;
                    }
                }
            }
        }
        Some(time)
    }
}

fn civil(t: DateTime) -> Result<model::DateTime, model::TimeError> {
    let parts = [t.month, t.day, t.hour, t.minute, t.second];
    let digits = parts
        .into_iter()
        .fold(u64::from(t.year), |all, part| all * 100 + u64::from(part));
    model::DateTime::from_digits(digits)
}
