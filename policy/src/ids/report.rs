//! Report sets.

use alloc::format;

use hostward_ids::policy::{ReportSet, Statistics, StatisticsKind, Trace};

use super::Compiler;
use crate::codes;
use crate::policy::Object;
use crate::tables::ids::{StatType, TraceData, TypeAction, ids_report_set as c};
use crate::tables::ipsec::YesNo;

impl Compiler<'_> {
    pub(super) fn reports(&mut self, object: Object<'_>) -> Option<ReportSet> {
        if let Some(known) = self.reports.get(&object.index()) {
            return *known;
        }
        let made = self.read_reports(object);
        self.reports.insert(object.index(), made);
        made
    }

    fn read_reports(&mut self, object: Object<'_>) -> Option<ReportSet> {
        let has = |action| {
            let mut types = object.all(c::TYPES);
            types.any(|s| s.choice::<TypeAction>() == Some(action))
        };
        let (console, log) = (has(TypeAction::Console), has(TypeAction::Log));
        let (statistics, trace) = (has(TypeAction::Statistics), has(TypeAction::Trace));
        for (parameter, on, of) in [
            (c::MAX_MESSAGES, console, "CONSOLE"),
            (c::DETAIL, log, "LOG"),
            (c::LEVEL, log, "LOG"),
            (c::STAT_TYPE, statistics, "STATISTICS"),
            (c::STAT_INTERVAL, statistics, "STATISTICS"),
            (c::TRACE_DATA, trace, "TRACE"),
            (c::TRACE_SIZE, trace, "TRACE"),
        ] {
            if let Some(setting) = object.all(parameter).next()
                && !on
                && !object.is_broken()
            {
                let keyword = setting.keyword().map_or("", |k| k.name);
                self.wrong(&codes::REPORT_UNUSED, setting.line_span(), || {
                    (
                        format!("`{keyword}` has no effect without `TypeActions {of}`"),
                        "is not used".into(),
                        format!("add `TypeActions {of}`, or take this out"),
                    )
                });
            }
        }
        let kind = match object.choice::<StatType>(c::STAT_TYPE)? {
            StatType::Normal => StatisticsKind::Normal,
            StatType::Exception => StatisticsKind::Exception,
        };
        let minutes = object.number(c::STAT_INTERVAL)?;
        let data = match object.choice::<TraceData>(c::TRACE_DATA)? {
            TraceData::Header => Trace::Header,
            TraceData::Full => Trace::Full,
            TraceData::RecordSize => {
                Trace::Bytes(u16::try_from(object.number(c::TRACE_SIZE)?).ok()?)
            }
        };
        let level = u8::try_from(object.number(c::LEVEL)?).ok()?;
        Some(ReportSet {
            console: object.number(c::MAX_MESSAGES).filter(|_| console),
            log: log.then_some(level),
            detail: log && object.choice::<YesNo>(c::DETAIL) == Some(YesNo::Yes),
            statistics: statistics.then_some(Statistics { kind, minutes }),
            trace: trace.then_some(data),
        })
    }
}
