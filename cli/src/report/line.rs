//! The lines of the machine-readable output, one struct each.
//!
//! Serialized, a line is one JSON object with a `type` and the struct's fields in the order in
//! which they stand here; absent values are null. The reference is `docs/formats/inspect-json.md`
//! in the repository. Times are UTC in the form of RFC 3339 with
//! microseconds.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hostward::zert::record::Alert;
use hostward::zert::{Field, Record};
use hostward_hook::event::Value;
use hostward_hook::time::UnixTime;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Line<'a> {
    /// See [`ZertLine`].
    Zert(ZertLine<'a>),
    /// See [`ZertEventLine`].
    ZertEvent(ZertEventLine<'a>),
    /// See [`EventLine`].
    Event(&'a EventLine),
    /// See [`DecisionLine`].
    Decision(&'a DecisionLine),
    /// See [`SummaryLine`].
    Summary(&'a SummaryLine),
}

/// A point in time as it stands in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a plain wrapper")]
pub struct Timestamp(pub UnixTime);

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = self.0.as_micros();
        let seconds = micros / 1_000_000;
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        let fraction = micros % 1_000_000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z"
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years are counted from March, so that the leap day is the last of its year; 719,468 days
    // lie between 0000-03-01 and the epoch, 146,097 in every 400 years.
    let days = days + 719_468;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let (month, later) = if march_month < 10 {
        (march_month + 3, 0)
    } else {
        (march_month - 9, 1)
    };
    (days / 146_097 * 400 + year_of_era + later, month, day)
}

/// How a connection was protected: the fields of the record, which names them itself.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a plain wrapper")]
pub struct ZertLine<'a>(pub &'a Record);

impl Serialize for ZertLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut result = Ok(());
        self.0.fields(&mut |name, field| {
            if result.is_ok() {
                result = entry(&mut map, name, field);
            }
        });
        result?;
        map.end()
    }
}

fn entry<M: SerializeMap>(map: &mut M, name: &str, field: Field<'_>) -> Result<(), M::Error> {
    match field {
        Field::One(Value::U64(n)) => map.serialize_entry(name, &n),
        Field::One(Value::Bool(b)) => map.serialize_entry(name, &b),
        Field::One(Value::Str(s)) => map.serialize_entry(name, s),
        Field::One(Value::Addr(a)) => map.serialize_entry(name, &a),
        Field::Sides { client, server } => map.serialize_entry(name, &Sides { client, server }),
        Field::Alerts(alerts) => {
            let list: Vec<_> = alerts.as_slice().iter().map(AlertFields::of).collect();
            map.serialize_entry(name, &list)
        }
        Field::Names(names) => map.serialize_entry(name, names),
        Field::Group(fields) => map.serialize_entry(name, &GroupFields(fields)),
        Field::Absent | _ => map.serialize_entry(name, &()),
    }
}

/// Several values in an object of their own.
struct GroupFields<'a>(&'a [(&'static str, Option<Value<'a>>)]);

impl Serialize for GroupFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            entry(&mut map, name, value.map_or(Field::Absent, Field::One))?;
        }
        map.end()
    }
}

/// Something that each side did or did not.
#[derive(Serialize)]
struct Sides {
    client: bool,
    server: bool,
}

#[derive(Serialize)]
struct AlertFields {
    from: &'static str,
    level: &'static str,
    desc: String,
    post_ccs: bool,
}

impl AlertFields {
    fn of(alert: &Alert) -> Self {
        Self {
            from: if alert.from_client {
                "client"
            } else {
                "server"
            },
            level: if alert.fatal { "fatal" } else { "warning" },
            desc: alert
                .name()
                .map_or_else(|| alert.description.to_string(), Into::into),
            post_ccs: alert.post_ccs,
        }
    }
}

/// A step in the life of a security session.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct ZertEventLine<'a> {
    /// Event type of the record, 1 to 7.
    pub event: u8,
    /// When.
    pub ts: Timestamp,
    /// The session as it stands.
    #[serde(flatten)]
    pub session: ZertLine<'a>,
}

/// An event of any control.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct EventLine {
    /// When.
    pub ts: Timestamp,
    /// Number of the packet; null when it was about none.
    pub packet: Option<u64>,
    /// The control that tells.
    pub control: Option<&'static str>,
    /// What happened, as a stable number.
    pub code: u16,
    /// What happened, such as `attack.malformed`, `scan.fast` or `filter.deny`.
    pub kind: String,
    /// Source address.
    pub src: Option<IpAddr>,
    /// Source port.
    pub sport: Option<u16>,
    /// Destination address.
    pub dst: Option<IpAddr>,
    /// Destination port.
    pub dport: Option<u16>,
    /// IP protocol.
    pub ip_proto: Option<u8>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// What was done.
    pub action: Option<String>,
}

/// The decision about one packet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct DecisionLine {
    /// Number of the packet.
    pub packet: u64,
    /// The verdict's name.
    pub verdict: &'static str,
    /// The control that refused.
    pub control: Option<&'static str>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The reason of a refusal.
    pub code: Option<u16>,
}

/// What one rule of the filter decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct RuleLine {
    /// Its name; null for the implied deny of a policy.
    pub name: Option<String>,
    /// The group it stands in.
    pub group: Option<String>,
    /// The file it stands in.
    pub file: Option<String>,
    /// The line it begins at.
    pub line: Option<u32>,
    /// `permit`, `deny` or `ipsec`.
    pub action: &'static str,
    /// Packets it decided.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of the packets that it denied.
    pub denied_packets: u64,
    /// Their bytes.
    pub denied_bytes: u64,
}

/// The last line.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills in every field")]
pub struct SummaryLine {
    /// IP packets that were handed to the guard.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Flows that were seen.
    pub flows: u64,
    /// Packets that were dropped, by code.
    pub dropped: BTreeMap<u16, u64>,
    /// What each rule of the filter decided, in order, the implied deny last; null without policy.
    pub rules: Option<Vec<RuleLine>>,
    /// Time from start to end, in seconds.
    pub elapsed_s: f64,
    /// Processor time of the process from start to end, in seconds; null where the system does not
    /// tell.
    pub cpu_s: Option<f64>,
    /// Packets in a second of elapsed time; null when too little time passed to tell.
    pub packets_per_s: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        // Checked with GNU date.
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
            (1_709_251_199_000_001, "2024-02-29T23:59:59.000001Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (1_700_000_000_123_456, "2023-11-14T22:13:20.123456Z"),
        ] {
            assert_eq!(Timestamp(UnixTime::from_micros(micros)).to_string(), text);
        }
        // The end of the clock is far away but does not overflow.
        assert!(
            Timestamp(UnixTime::from_micros(u64::MAX))
                .to_string()
                .starts_with("586524-01-19T")
        );
    }
}
