//! Events: what controls tell, in an envelope that every sink understands.
//!
//! A control emits an [`Event`] only when the sink [wants](EventSink::wants) its class. The
//! envelope answers who, what, when and about which packet; the details are the control's own type
//! behind [`Detail`], readable field by field through a [`FieldVisitor`] by sinks that know
//! nothing of the control, or by [`Detail::as_any`] by those that do. A sink copies what it keeps,
//! counts what it lost and cannot fail.

use core::any::Any;
use core::net::IpAddr;

use crate::flow::{FlowId, FlowKey};
use crate::ident::RuleId;
use crate::reason::{Code, Control};
use crate::time::Now;

/// What kind of thing an event reports, for sinks that want only some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Class {
    /// A decision about a packet, such as a filter's permit or deny.
    Decision,
    /// Something hostile or malformed was seen.
    Detection,
    /// A record is complete, such as the protection record of a connection.
    Record,
    /// A step in the life of something that is recorded.
    Progress,
    /// A bound was reached, something was lost or evicted.
    Capacity,
    /// A rule set was installed or a control was switched.
    Control,
}

/// One event. It borrows everything: a sink copies what it wants to keep.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Event<'a> {
    /// What happened; the number also names the control.
    pub code: Code,
    /// Kind of event.
    pub class: Class,
    /// Time on both clocks.
    pub now: Now,
    /// Number of the packet in the guard's count, 0 when no packet is in hand.
    pub packet: u64,
    /// Generation of the rule set that was in force.
    pub generation: u64,
    /// The rule that decided, if one did.
    pub rule: Option<RuleId>,
    /// The flow's entry, if it has one.
    pub flow: Option<FlowId>,
    /// Addresses and ports, source first, if the packet has them.
    pub key: Option<FlowKey>,
    /// What the control's own type adds.
    pub detail: &'a dyn Detail,
}

impl<'a> Event<'a> {
    /// An event with an empty envelope but for code, class and time.
    #[must_use]
    pub fn new(code: Code, class: Class, now: Now, detail: &'a dyn Detail) -> Self {
        Self {
            code,
            class,
            now,
            packet: 0,
            generation: 0,
            rule: None,
            flow: None,
            key: None,
            detail,
        }
    }

    /// The control that tells.
    #[must_use]
    pub const fn control(&self) -> Option<Control> {
        self.code.control()
    }
}

impl core::fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        struct Fields<'d>(&'d dyn Detail);
        impl core::fmt::Debug for Fields<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                struct V<'f, 'b>(core::fmt::DebugMap<'f, 'b>);
                impl FieldVisitor for V<'_, '_> {
                    fn field(&mut self, name: &'static str, value: Value<'_>) {
                        self.0.entry(&name, &value);
                    }
                }
                let mut v = V(f.debug_map());
                self.0.visit(&mut v);
                v.0.finish()
            }
        }
        f.debug_struct("Event")
            .field("code", &self.code)
            .field("class", &self.class)
            .field("now", &self.now)
            .field("packet", &self.packet)
            .field("generation", &self.generation)
            .field("rule", &self.rule)
            .field("flow", &self.flow)
            .field("key", &self.key)
            .field("detail", &Fields(self.detail))
            .finish()
    }
}

/// One value of an event's details.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A number.
    U64(u64),
    /// A truth value.
    Bool(bool),
    /// Text.
    Str(&'a str),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// An address.
    Addr(IpAddr),
}

/// The details of an event: a control's own type.
pub trait Detail {
    /// Shows every field to a visitor, in a stable order. Absent values are left out.
    fn visit(&self, v: &mut dyn FieldVisitor);

    /// The type itself, for a sink that knows it. Details that borrow stay `None`.
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }
}

/// No details.
impl Detail for () {
    fn visit(&self, _: &mut dyn FieldVisitor) {}
}

/// Receives the fields of a [`Detail`].
pub trait FieldVisitor {
    /// One field.
    fn field(&mut self, name: &'static str, value: Value<'_>);
}

/// Where events go. A sink must not block and cannot fail: what it cannot take it counts.
pub trait EventSink {
    /// Whether an event of this class is wanted at all; asked before the event is built.
    fn wants(&self, class: Class) -> bool;

    /// Takes an event.
    fn emit(&mut self, event: &Event<'_>);

    /// How many events the sink has lost.
    fn lost(&self) -> u64 {
        0
    }
}

/// Wants nothing.
impl EventSink for () {
    fn wants(&self, _: Class) -> bool {
        false
    }

    fn emit(&mut self, _: &Event<'_>) {}
}

impl<T: EventSink + ?Sized> EventSink for &mut T {
    fn wants(&self, class: Class) -> bool {
        (**self).wants(class)
    }

    fn emit(&mut self, event: &Event<'_>) {
        (**self).emit(event);
    }

    fn lost(&self) -> u64 {
        (**self).lost()
    }
}

/// Both sinks get what each of them wants.
impl<A: EventSink, B: EventSink> EventSink for (A, B) {
    fn wants(&self, class: Class) -> bool {
        self.0.wants(class) || self.1.wants(class)
    }

    fn emit(&mut self, event: &Event<'_>) {
        if self.0.wants(event.class) {
            self.0.emit(event);
        }
        if self.1.wants(event.class) {
            self.1.emit(event);
        }
    }

    fn lost(&self) -> u64 {
        self.0.lost().saturating_add(self.1.lost())
    }
}

#[cfg(feature = "alloc")]
mod owned {
    use alloc::collections::VecDeque;
    use alloc::string::String;
    use alloc::vec::Vec;

    use super::*;

    /// An owned copy of a [`Value`].
    #[derive(Clone, Debug, PartialEq)]
    #[non_exhaustive]
    pub enum OwnedValue {
        /// A number.
        U64(u64),
        /// A truth value.
        Bool(bool),
        /// Text.
        Str(String),
        /// Raw bytes.
        Bytes(Vec<u8>),
        /// An address.
        Addr(IpAddr),
    }

    impl From<Value<'_>> for OwnedValue {
        fn from(v: Value<'_>) -> Self {
            match v {
                Value::U64(n) => Self::U64(n),
                Value::Bool(b) => Self::Bool(b),
                Value::Str(s) => Self::Str(s.into()),
                Value::Bytes(b) => Self::Bytes(b.into()),
                Value::Addr(a) => Self::Addr(a),
            }
        }
    }

    /// An owned copy of an [`Event`].
    #[derive(Clone, Debug, PartialEq)]
    #[non_exhaustive]
    pub struct OwnedEvent {
        /// See [`Event::code`].
        pub code: Code,
        /// See [`Event::class`].
        pub class: Class,
        /// See [`Event::now`].
        pub now: Now,
        /// See [`Event::packet`].
        pub packet: u64,
        /// See [`Event::generation`].
        pub generation: u64,
        /// See [`Event::rule`].
        pub rule: Option<RuleId>,
        /// See [`Event::flow`].
        pub flow: Option<FlowId>,
        /// See [`Event::key`].
        pub key: Option<FlowKey>,
        /// The fields of the details, in order.
        pub fields: Vec<(&'static str, OwnedValue)>,
    }

    impl OwnedEvent {
        /// The first field of this name.
        #[must_use]
        pub fn field(&self, name: &str) -> Option<&OwnedValue> {
            self.fields.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
        }
    }

    impl From<&Event<'_>> for OwnedEvent {
        fn from(e: &Event<'_>) -> Self {
            struct Collect(Vec<(&'static str, OwnedValue)>);
            impl FieldVisitor for Collect {
                fn field(&mut self, name: &'static str, value: Value<'_>) {
                    self.0.push((name, value.into()));
                }
            }
            let mut c = Collect(Vec::new());
            e.detail.visit(&mut c);
            Self {
                code: e.code,
                class: e.class,
                now: e.now,
                packet: e.packet,
                generation: e.generation,
                rule: e.rule,
                flow: e.flow,
                key: e.key,
                fields: c.0,
            }
        }
    }

    /// A sink that keeps copies, up to a bound; at the bound new events are lost and counted.
    ///
    /// It allocates for each event: made for tests, tools and hosts with few events.
    #[derive(Debug, Default)]
    pub struct EventQueue {
        events: VecDeque<OwnedEvent>,
        capacity: usize,
        lost: u64,
    }

    impl EventQueue {
        /// A queue that holds at most `capacity` events.
        #[must_use]
        pub fn new(capacity: usize) -> Self {
            Self {
                events: VecDeque::new(),
                capacity,
                lost: 0,
            }
        }

        /// Takes the oldest event out.
        pub fn pop(&mut self) -> Option<OwnedEvent> {
            self.events.pop_front()
        }

        /// The events in the queue, oldest first.
        pub fn iter(&self) -> impl Iterator<Item = &OwnedEvent> {
            self.events.iter()
        }

        /// Number of events in the queue.
        #[must_use]
        pub fn len(&self) -> usize {
            self.events.len()
        }

        /// Whether the queue is empty.
        #[must_use]
        pub fn is_empty(&self) -> bool {
            self.events.is_empty()
        }
    }

    impl EventSink for EventQueue {
        fn wants(&self, _: Class) -> bool {
            true
        }

        fn emit(&mut self, event: &Event<'_>) {
            if self.events.len() < self.capacity {
                self.events.push_back(event.into());
            } else {
                self.lost = self.lost.saturating_add(1);
            }
        }

        fn lost(&self) -> u64 {
            self.lost
        }
    }
}

#[cfg(feature = "alloc")]
pub use owned::{EventQueue, OwnedEvent, OwnedValue};
