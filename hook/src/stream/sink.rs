//! Where reassembled streams go.

use crate::action::Cx;
use crate::flow::FlowInfo;
use crate::hooks::{Interest, Side, StreamObserver};

/// Receives the streams of connections in order.
pub trait StreamSink {
    /// The next bytes from one side.
    fn bytes(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side, data: &[u8]) -> Interest;

    /// `missing` bytes from one side were lost and will never come.
    fn gap(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side, missing: u32) -> Interest;

    /// One side has sent all it will send (FIN), and all of it was delivered or told as a gap.
    /// Also told of sides nothing more is wanted from.
    fn finished(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side) {
        let _ = (cx, flow, from);
    }

    /// A believable reset from one side ended the connection. What was waiting behind holes has
    /// been delivered before.
    fn reset(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side) {
        let _ = (cx, flow, from);
    }
}

impl<T: StreamSink + ?Sized> StreamSink for &mut T {
    fn bytes(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side, data: &[u8]) -> Interest {
        (**self).bytes(cx, flow, from, data)
    }

    fn gap(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side, missing: u32) -> Interest {
        (**self).gap(cx, flow, from, missing)
    }

    fn finished(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side) {
        (**self).finished(cx, flow, from);
    }

    fn reset(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side) {
        (**self).reset(cx, flow, from);
    }
}

/// Hands streams to one [`StreamObserver`] and its slot. The owner of the flow still calls
/// [`opened`](StreamObserver::opened) and [`closed`](StreamObserver::closed).
#[derive(Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a pair that the owner of the flow puts together for one call"
)]
pub struct Observe<'a, O: StreamObserver + ?Sized> {
    /// The observer.
    pub observer: &'a mut O,
    /// What it keeps for the flow.
    pub slot: &'a mut O::Slot,
}

impl<O: StreamObserver + ?Sized> StreamSink for Observe<'_, O> {
    fn bytes(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side, data: &[u8]) -> Interest {
        self.observer.bytes(cx, flow, self.slot, from, data)
    }

    fn gap(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side, missing: u32) -> Interest {
        self.observer.gap(cx, flow, self.slot, from, missing)
    }

    fn finished(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, from: Side) {
        self.observer.finished(cx, flow, self.slot, from);
    }
}
