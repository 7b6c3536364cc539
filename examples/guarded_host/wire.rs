//! Two Ethernet devices joined in memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use smoltcp::phy::{self, Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

/// Frames on their way to one end.
pub type Queue = Rc<RefCell<VecDeque<Vec<u8>>>>;

/// One end of a wire.
pub struct Wire {
    to: Queue,
    from: Queue,
}

impl Wire {
    /// Both ends, and the queue towards the second one for whoever injects frames.
    pub fn pair() -> (Self, Self, Queue) {
        let (a, b) = (Queue::default(), Queue::default());
        let inject = a.clone();
        (
            Self {
                to: a.clone(),
                from: b.clone(),
            },
            Self { to: b, from: a },
            inject,
        )
    }
}

impl Device for Wire {
    type RxToken<'a> = RxToken;
    type TxToken<'a> = TxToken;

    fn receive(&mut self, _: Instant) -> Option<(RxToken, TxToken)> {
        let frame = self.from.borrow_mut().pop_front()?;
        Some((RxToken(frame), TxToken(self.to.clone())))
    }

    fn transmit(&mut self, _: Instant) -> Option<TxToken> {
        Some(TxToken(self.to.clone()))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut c = DeviceCapabilities::default();
        c.medium = Medium::Ethernet;
        c.max_transmission_unit = 1514;
        c
    }
}

/// A frame that arrived.
pub struct RxToken(Vec<u8>);

impl phy::RxToken for RxToken {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

/// Room on the wire.
pub struct TxToken(Queue);

impl phy::TxToken for TxToken {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.borrow_mut().push_back(frame);
        result
    }
}
