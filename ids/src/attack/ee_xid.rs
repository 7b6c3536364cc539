//! Activations of Enterprise Extender lines that nobody completes (`EE_XID_FLOOD`): each occupies a
//! line for about a minute.

use core::net::IpAddr;
use core::time::Duration;

use hostward_hook::action::Cx;
use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::flow::HashKey;
use hostward_hook::time::Instant;

use crate::codes::{EE_XID_FLOOD_ENDED, EE_XID_FLOOD_STARTED};
use crate::event::{ProbeId, Told};
use crate::policy::{Attack, AttackType};
use crate::report::{Category, Desk};
use crate::table::FixedMap;

const WINDOW: Duration = Duration::from_secs(60);

/// A flood of activations began or is over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct XidFlood {
    /// It began.
    pub started: bool,
    /// The local address of the lines.
    pub address: IpAddr,
    /// Activations that timed out since.
    pub timeouts: u64,
    /// Seconds since it began.
    pub duration: u64,
    /// Who is told.
    pub told: Told,
}

impl Detail for XidFlood {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str(AttackType::EeXidFlood.kind()));
        let name = if self.started {
            "ee-xid-flood-started"
        } else {
            "ee-xid-flood-ended"
        };
        v.field("name", Value::Str(name));
        v.field("action", Value::Str("report"));
        v.field("address", Value::Addr(self.address));
        v.field("timeouts", Value::U64(self.timeouts));
        v.field("duration", Value::U64(self.duration));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

#[derive(Clone, Copy, Debug)]
struct Line {
    begin: Instant,
    count: u32,
    /// Since when, by which correlator, and how many since.
    flood: Option<(Instant, u32, u64)>,
}

/// Local addresses that are watched.
#[derive(Clone, Debug)]
pub(crate) struct XidFloods {
    lines: FixedMap<IpAddr, Line>,
    flooded: u32,
}

impl XidFloods {
    pub(crate) fn new(addresses: usize) -> Self {
        Self {
            lines: FixedMap::new(addresses),
            flooded: 0,
        }
    }

    pub(crate) const fn set_key(&mut self, key: HashKey) {
        self.lines.set_key(key);
    }

    /// An activation timed out.
    pub(crate) fn timeout(&mut self, desk: &mut Desk, cx: &mut Cx<'_>, local: IpAddr) {
        let Some(Attack::EeXidFlood { timeouts }) = desk.attack(AttackType::EeXidFlood) else {
            return;
        };
        let (limit, now) = (*timeouts, cx.now.mono);
        self.roll(desk, cx, local);
        let fresh = Line {
            begin: now,
            count: 0,
            flood: None,
        };
        let Some(line) = self.lines.entry(&local, || fresh) else {
            return;
        };
        line.count = line.count.saturating_add(1);
        if let Some((_, _, n)) = &mut line.flood {
            *n = n.saturating_add(1);
        } else if line.count >= limit {
            let flood = (now, desk.correlator(), line.count.into());
            line.flood = Some(flood);
            self.flooded += 1;
            tell(desk, cx, local, true, flood);
        }
    }

    fn roll(&mut self, desk: &mut Desk, cx: &mut Cx<'_>, local: IpAddr) {
        let now = cx.now.mono;
        let limit = match desk.attack(AttackType::EeXidFlood) {
            Some(Attack::EeXidFlood { timeouts }) => *timeouts,
            _ => u32::MAX,
        };
        let Some(line) = self.lines.get_mut(&local) else {
            return;
        };
        if now >= line.begin && now < line.begin.saturating_add(WINDOW) {
            return;
        }
        if now < line.begin {
            line.begin = now;
            return;
        }
        line.begin = now;
        let count = core::mem::take(&mut line.count);
        match line.flood {
            Some(flood) if count < limit => {
                self.lines.remove(&local);
                self.flooded = self.flooded.saturating_sub(1);
                tell(desk, cx, local, false, flood);
            }
            Some(_) => {}
            None => {
                self.lines.remove(&local);
            }
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.flooded == 0 {
            return None;
        }
        let flooded = self.lines.iter().filter(|(_, l)| l.flood.is_some());
        flooded.map(|(_, l)| l.begin.saturating_add(WINDOW)).min()
    }

    pub(crate) fn handle_deadline(&mut self, desk: &mut Desk, cx: &mut Cx<'_>) {
        if self.flooded == 0 {
            return;
        }
        let mut place = 0;
        while let Some((at, local)) = self.lines.next_from(place, |l| l.flood.is_some()) {
            place = at;
            self.roll(desk, cx, local);
        }
    }
}

#[cold]
fn tell(
    desk: &mut Desk,
    cx: &mut Cx<'_>,
    address: IpAddr,
    started: bool,
    (since, correlator, timeouts): (Instant, u32, u64),
) {
    let Some(rule) = desk.rule(AttackType::EeXidFlood).cloned() else {
        return;
    };
    let code = if started {
        EE_XID_FLOOD_STARTED
    } else {
        EE_XID_FLOOD_ENDED
    };
    let category = Category::Attack(AttackType::EeXidFlood);
    desk.settle(cx, category);
    let channels = desk.admit(category, &rule.rule, (false, false), cx.now.mono);
    let detail = XidFlood {
        started,
        address,
        timeouts,
        duration: cx.now.mono.saturating_since(since).as_secs(),
        told: Desk::told(
            &rule.rule,
            correlator,
            ProbeId::attack(AttackType::EeXidFlood, code),
            channels,
        ),
    };
    Desk::tell(cx, code, channels, None, &detail);
}
