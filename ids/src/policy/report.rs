//! Who is told, and how much.

/// How much of a packet a trace keeps (`TraceData`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are three")]
pub enum Trace {
    /// IP and transport headers.
    #[default]
    Header,
    /// The whole packet.
    Full,
    /// The first bytes (`TraceRecordSize`).
    Bytes(u16),
}

/// When statistics are told (`StatType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum StatisticsKind {
    /// After every interval.
    #[default]
    Normal,
    /// After an interval in which something happened.
    Exception,
}

/// Counts at intervals (`TypeActions STATISTICS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "two settings")]
pub struct Statistics {
    /// After every interval or only if something happened.
    pub kind: StatisticsKind,
    /// Minutes of the interval (`StatInterval`), at least 1.
    pub minutes: u32,
}

impl Default for Statistics {
    fn default() -> Self {
        Self {
            kind: StatisticsKind::Normal,
            minutes: 60,
        }
    }
}

/// Who is told of what a rule finds (`IDSReportSet`). Nobody by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct ReportSet {
    /// The console: the most messages of a type in five minutes (`MaxEventMessage`, 5); 0 for any
    /// number.
    pub console: Option<u32>,
    /// The log: the severity, 0–7 as in syslog (`LoggingLevel`, 4).
    pub log: Option<u8>,
    /// Whether the log is told of each item of an event, such as each stalled connection
    /// (`LogDetail`).
    pub detail: bool,
    /// Counts at intervals.
    pub statistics: Option<Statistics>,
    /// A trace of the packets.
    pub trace: Option<Trace>,
}

impl ReportSet {
    /// Console messages unless told otherwise.
    pub const CONSOLE: u32 = 5;
    /// Severity of log lines unless told otherwise: warning.
    pub const LEVEL: u8 = 4;

    /// To the log only, as warnings.
    #[must_use]
    pub const fn log() -> Self {
        Self {
            console: None,
            log: Some(Self::LEVEL),
            detail: false,
            statistics: None,
            trace: None,
        }
    }
}
