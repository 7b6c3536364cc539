//! When a rule is in force.

use crate::schema::{Keyword, Parameter, Value};

crate::choices! {
    /// Whose time of day.
    pub enum TimeZone: TIME_ZONE {
        /// The time of the system.
        Local = "Local",
        /// Universal time.
        Utc = "UTC",
    }
}

static INSTANTS: Value = Value::Instants;
static MONTHS: Value = Value::Mask(&[12]);
static DAYS: Value = Value::Mask(&[31, 62]);
static WEEKDAYS: Value = Value::Mask(&[7]);
static HOURS: Value = Value::Hours;

crate::statements! {
    /// `IpTimeCondition`.
    ip_time_condition: IP_TIME_CONDITION = Statement::new(
        "IpTimeCondition",
        "When a rule is in force; all parameters must hold. Outside of that time the rule is as if it did not exist.",
    ).unconfirmed().shared() {
        CONDITION_TIME_RANGE = Parameter::new(&[Keyword::line("ConditionTimeRange", &INSTANTS)],
            "From when until when, as year, month, day, hour, minute and second.")
            .absent("always").unconfirmed(),
        MONTH_OF_YEAR_MASK = Parameter::new(&[Keyword::line("MonthOfYearMask", &MONTHS)],
            "In which months, January first.").default("111111111111").unconfirmed(),
        DAY_OF_MONTH_MASK = Parameter::new(&[Keyword::line("DayOfMonthMask", &DAYS)],
            "On which days of the month, the first first. Of 62 digits the second half counts from the end of the month.")
            .default("1111111111111111111111111111111").unconfirmed(),
        DAY_OF_WEEK_MASK = Parameter::new(&[Keyword::line("DayOfWeekMask", &WEEKDAYS)],
            "On which days of the week, Sunday first.").default("1111111").unconfirmed(),
        TIME_OF_DAY_RANGE = Parameter::new(&[Keyword::line("TimeOfDayRange", &HOURS)],
            "At which times of day, the end not included. One that begins later than it ends goes over midnight; 24:00 may stand as an end.")
            .list().default("00:00-24:00").unconfirmed(),
        TIME_ZONE = Parameter::new(&[Keyword::line("TimeZone", &TIME_ZONE)],
            "Whose time it is.").default("Local").unconfirmed(),
    }
}
