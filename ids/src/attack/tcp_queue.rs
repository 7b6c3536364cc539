//! TCP queues that do not drain (`TCP_QUEUE_SIZE`): a peer that does not read, or that leaves holes,
//! keeps memory of this host occupied.
//!
//! A queue is constrained when data has been on it for 60 seconds, or when more than the size of the
//! rule has been for 30; unconstrained when neither holds. Only constrained queues and those on
//! their way there are kept.

use core::time::Duration;

use hostward_hook::action::{Action, Cx};
use hostward_hook::event::{Detail, FieldVisitor, Value};
use hostward_hook::flow::{FlowKey, HashKey};
use hostward_hook::ident::JobId;
use hostward_hook::time::Instant;

use crate::codes::{QUEUE_CONSTRAINED, QUEUE_RESET, QUEUE_UNCONSTRAINED};
use crate::event::{ProbeId, Told};
use crate::policy::{Attack, AttackType, QueueSize};
use crate::report::{Category, Desk, excludes};
use crate::table::FixedMap;

/// How long data may wait.
const AGE: Duration = Duration::from_secs(60);

/// How long there may be too much.
const LONG: Duration = Duration::from_secs(30);

/// Which queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "TCP has three")]
#[repr(u8)]
pub enum Queue {
    /// What was received and not read.
    Receive,
    /// What was sent and not acknowledged, or not sent yet.
    Send,
    /// What was received behind a hole.
    OutOfOrder,
}

/// What is on a queue, as the host tells it, now and then or when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "hosts fill it in")]
pub struct QueueFact {
    /// The host's own number of the connection.
    pub connection: u64,
    /// Addresses and ports, the other end first.
    pub key: FlowKey,
    /// The job that owns the socket.
    pub job: JobId,
    /// Which queue.
    pub queue: Queue,
    /// Bytes on it.
    pub bytes: u64,
    /// How long the oldest of them has been there.
    pub age: Duration,
}

/// What happened to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueueStep {
    /// It became constrained.
    Entered,
    /// It is no longer constrained.
    Left,
    /// Its connection is reset.
    Reset,
}

/// Why a queue is constrained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum QueueTrigger {
    /// Data has waited too long (`DataAge`).
    DataAge,
    /// Too much has waited for some time (`BytesQueued`).
    BytesQueued,
}

impl QueueTrigger {
    /// The name in log lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DataAge => "DataAge",
            Self::BytesQueued => "BytesQueued",
        }
    }
}

/// A TCP queue that became constrained, or no longer is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpQueue {
    /// What happened.
    pub step: QueueStep,
    /// What the host told.
    pub fact: QueueFact,
    /// Why it is, or was.
    pub trigger: QueueTrigger,
    /// What the rule allows.
    pub size: QueueSize,
    /// Seconds it was constrained.
    pub duration: u64,
    /// Who is told.
    pub told: Told,
}

impl Detail for TcpQueue {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("kind", Value::Str(AttackType::TcpQueueSize.kind()));
        let (name, action) = match self.step {
            QueueStep::Entered => ("tcp-queue-constrained", "report"),
            QueueStep::Left => ("tcp-queue-unconstrained", "report"),
            QueueStep::Reset => ("tcp-queue-reset", "reset"),
        };
        v.field("name", Value::Str(name));
        v.field("action", Value::Str(action));
        let queue = match self.fact.queue {
            Queue::Receive => "receive",
            Queue::Send => "send",
            Queue::OutOfOrder => "out_of_order",
        };
        v.field("queue", Value::Str(queue));
        v.field("connection", Value::U64(self.fact.connection));
        v.field("trigger", Value::Str(self.trigger.name()));
        v.field("age", Value::U64(self.fact.age.as_secs()));
        v.field("bytes", Value::U64(self.fact.bytes));
        v.field("size", Value::U64(self.size.tcp_bytes()));
        v.field("duration", Value::U64(self.duration));
        self.told.visit(v);
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    /// Since when there is too much.
    over: Option<Instant>,
    /// Constrained since when, why, and by which correlator.
    constrained: Option<(Instant, QueueTrigger, u32)>,
    fact: QueueFact,
}

/// Queues that are watched.
#[derive(Clone, Debug)]
pub(crate) struct TcpQueues {
    queues: FixedMap<(u64, u8), Watch>,
}

impl TcpQueues {
    pub(crate) fn new(queues: usize) -> Self {
        Self {
            queues: FixedMap::new(queues),
        }
    }

    pub(crate) const fn set_key(&mut self, key: HashKey) {
        self.queues.set_key(key);
    }

    /// The connection is gone, and its queues with it.
    pub(crate) fn closed(&mut self, desk: &mut Desk, cx: &mut Cx<'_>, connection: u64) {
        for queue in [Queue::Receive, Queue::Send, Queue::OutOfOrder] {
            if let Some(watch) = self.queues.remove(&(connection, queue as u8))
                && let Some(constrained) = watch.constrained
            {
                let fact = QueueFact {
                    bytes: 0,
                    age: Duration::ZERO,
                    ..watch.fact
                };
                tell(desk, cx, QueueStep::Left, fact, constrained);
            }
        }
    }

    /// Judges a queue; `true` says that its connection is to be reset.
    pub(crate) fn fact(&mut self, desk: &mut Desk, cx: &mut Cx<'_>, fact: QueueFact) -> bool {
        let Some(rule) = desk.rule(AttackType::TcpQueueSize).cloned() else {
            return false;
        };
        let Attack::TcpQueueSize(size) = rule.attack else {
            return false;
        };
        let key = (fact.connection, fact.queue as u8);
        let much = fact.bytes > size.tcp_bytes();
        let old = fact.bytes > 0 && fact.age >= AGE;
        if !much && !old || excludes(&rule.exclusions, &fact.key, fact.job) {
            if let Some(watch) = self.queues.remove(&key)
                && let Some(constrained) = watch.constrained
            {
                tell(desk, cx, QueueStep::Left, fact, constrained);
            }
            return false;
        }
        let now = cx.now.mono;
        let fresh = Watch {
            over: None,
            constrained: None,
            fact,
        };
        let Some(watch) = self.queues.entry(&key, || fresh) else {
            return false;
        };
        watch.fact = fact;
        if much {
            let since = watch.over.get_or_insert(now);
            // A clock that was set back.
            *since = (*since).min(now);
        } else {
            watch.over = None;
        }
        if watch.constrained.is_some() {
            return false;
        }
        let long = watch
            .over
            .is_some_and(|since| now >= since.saturating_add(LONG));
        let trigger = match (old, long) {
            (true, _) => QueueTrigger::DataAge,
            (false, true) => QueueTrigger::BytesQueued,
            (false, false) => return false,
        };
        let constrained = (now, trigger, desk.correlator());
        if rule.respond {
            self.queues.remove(&key);
            tell(desk, cx, QueueStep::Reset, fact, constrained);
            cx.actions.act(Action::ResetFlow {
                key: fact.key,
                reason: QUEUE_RESET,
            });
            return true;
        }
        watch.constrained = Some(constrained);
        tell(desk, cx, QueueStep::Entered, fact, constrained);
        false
    }
}

#[cold]
fn tell(
    desk: &mut Desk,
    cx: &mut Cx<'_>,
    step: QueueStep,
    fact: QueueFact,
    (since, trigger, correlator): (Instant, QueueTrigger, u32),
) {
    let Some(rule) = desk.rule(AttackType::TcpQueueSize).cloned() else {
        return;
    };
    let Attack::TcpQueueSize(size) = rule.attack else {
        return;
    };
    let code = match step {
        QueueStep::Entered => QUEUE_CONSTRAINED,
        QueueStep::Left => QUEUE_UNCONSTRAINED,
        QueueStep::Reset => QUEUE_RESET,
    };
    // z/OS's numbers for the receive and the send queue.
    let probe = match (fact.queue, step) {
        (Queue::Receive, QueueStep::Entered) => ProbeId::new(0x0100_0001),
        (Queue::Receive, QueueStep::Left) => ProbeId::new(0x0100_0002),
        (Queue::Send, QueueStep::Entered) => ProbeId::new(0x0100_0003),
        (Queue::Send, QueueStep::Left) => ProbeId::new(0x0100_0004),
        (Queue::OutOfOrder, _) | (_, QueueStep::Reset) => {
            ProbeId::attack(AttackType::TcpQueueSize, code)
        }
    };
    let category = Category::Attack(AttackType::TcpQueueSize);
    desk.settle(cx, category);
    let reset = step == QueueStep::Reset;
    let channels = desk.admit(category, &rule.rule, (reset, false), cx.now.mono);
    let detail = TcpQueue {
        step,
        fact,
        trigger,
        size,
        duration: cx.now.mono.saturating_since(since).as_secs(),
        told: Desk::told(&rule.rule, correlator, probe, channels),
    };
    Desk::tell(cx, code, channels, Some(fact.key), &detail);
}
