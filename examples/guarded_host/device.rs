//! A smoltcp device with a guard in front of it: copy this file to guard your own stack.
//!
//! Three things are easy to get wrong in such a wrapper:
//!
//! * `receive` must go on until a packet passes. `None` for a dropped packet would end the stack's
//!   receive loop, and whoever floods the host with packets that are dropped would starve it.
//! * A packet that passed must not be lost when the inner device has no transmit token to go with
//!   it; it waits here for the next `receive`.
//! * The stack must learn that protection takes room: the MTU shrinks by the guard's overhead.
//! * What the device does about checksums must be told the guard, or it refuses every packet whose
//!   checksum the device would have filled in.

use hostward::filter::Filter;
use hostward::hook::event::EventSink;
use hostward::hook::frame::VecFrame;
use hostward::hook::link::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, Ethernet};
use hostward::hook::{Checksums, FrameBuf, Instant, Meta, Now, Point, UnixTime, Verdict};
use hostward::{Counters, Guard};
use smoltcp::phy::{self, ChecksumCapabilities, Device, DeviceCapabilities, Medium};
use smoltcp::time;

/// Room in front of a packet for what protection puts there.
const HEADROOM: usize = 64;
/// The longest packet: a datagram put together from fragments may be longer than the MTU.
const LIMIT: usize = 65_535;

/// A device whose packets pass a guard both ways.
pub struct GuardedDevice<D, E> {
    inner: D,
    control: Control<E>,
    /// The packet on its way to the stack; empty when there is none.
    received: Vec<u8>,
}

/// What judges packets of both directions.
struct Control<E> {
    guard: Guard,
    events: E,
    /// Wall-clock time at the stack's time zero.
    boot: UnixTime,
    medium: Medium,
    checksums: ChecksumCapabilities,
    frame: VecFrame,
    scratch: Vec<u8>,
}

impl<D: Device, E: EventSink> GuardedDevice<D, E> {
    /// Puts a guard in front of a device. `boot` is the wall-clock time at the stack's time zero.
    pub fn new(inner: D, guard: Guard, events: E, boot: UnixTime) -> Self {
        let DeviceCapabilities {
            medium, checksum, ..
        } = inner.capabilities();
        let frame = VecFrame::new(HEADROOM, LIMIT);
        let control = Control {
            guard,
            events,
            boot,
            medium,
            checksums: checksum,
            frame,
            scratch: Vec::new(),
        };
        Self {
            inner,
            control,
            received: Vec::new(),
        }
    }

    /// Lets the guard's timers act; call it as often as the stack is polled.
    pub fn poll_guard(&mut self, now: time::Instant) {
        let now = self.control.now(now);
        if self
            .control
            .guard
            .next_deadline()
            .is_some_and(|at| at <= now.mono)
        {
            self.control
                .guard
                .handle_deadline(now, &mut self.control.events);
        }
        // No control of this guard asks for anything yet; a host that uses IPsec or defensive
        // filters carries actions out here.
        while self.control.guard.poll_action().is_some() {}
    }

    /// Ends all flows, so that open connections are recorded.
    pub fn finish(&mut self, now: time::Instant) {
        let now = self.control.now(now);
        self.control.guard.finish(now, &mut self.control.events);
    }

    /// Runs something on the guard's filter, such as installing another policy, at a time.
    pub fn with_filter(
        &mut self,
        now: time::Instant,
        change: impl FnOnce(&mut Filter, Now, &mut E),
    ) {
        let now = self.control.now(now);
        if let Some(filter) = self.control.guard.filter_mut() {
            change(filter, now, &mut self.control.events);
        }
    }

    /// What the guard has counted.
    pub fn counters(&self) -> &Counters {
        self.control.guard.counters()
    }

    /// Where the guard's events went.
    pub fn events(&self) -> &E {
        &self.control.events
    }
}

impl<E: EventSink> Control<E> {
    fn now(&self, now: time::Instant) -> Now {
        let micros = u64::try_from(now.total_micros()).unwrap_or(0);
        let wall = UnixTime::from_micros(self.boot.as_micros().saturating_add(micros));
        Now::new(Instant::from_micros(micros), wall)
    }

    /// Where the IP packet of a frame begins; `None` for frames without one, such as ARP.
    fn ip_offset(&self, frame: &[u8]) -> Option<usize> {
        match self.medium {
            Medium::Ip => Some(0),
            Medium::Ethernet => Ethernet::parse(frame)
                .filter(|e| matches!(e.ether_type, ETHERTYPE_IPV4 | ETHERTYPE_IPV6))
                .map(|e| e.payload),
        }
    }

    /// What is to be thought of checksums: the stack does those that its device does not do.
    fn checksums(&self, point: Point) -> Checksums {
        let c = &self.checksums;
        let all = [&c.ipv4, &c.udp, &c.tcp];
        if point == Point::LocalOut {
            if all.iter().all(|c| c.tx()) {
                Checksums::Unchecked
            } else {
                Checksums::Offloaded
            }
        } else if all.iter().any(|c| c.rx()) {
            Checksums::Unchecked
        } else {
            Checksums::Verified
        }
    }

    /// Judges the frame in `frame`, which afterwards holds what is to be passed on. Says whether
    /// it is.
    fn passes(&mut self, frame: &mut Vec<u8>, point: Point, now: time::Instant) -> bool {
        let Some(at) = self.ip_offset(frame) else {
            return true;
        };
        self.frame.set(frame.get(at..).unwrap_or_default());
        let meta = Meta::new(point, self.now(now)).with_checksums(self.checksums(point));
        let verdict = self.guard.packet(&mut self.frame, meta, &mut self.events);
        if verdict != Verdict::Continue {
            return false;
        }
        // The packet may have grown or shrunk: opened, sealed, put together.
        frame.truncate(at);
        frame.extend_from_slice(self.frame.bytes());
        true
    }
}

impl<D: Device, E: EventSink> Device for GuardedDevice<D, E> {
    type RxToken<'a>
        = RxToken<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = TxToken<'a, D::TxToken<'a>, E>
    where
        Self: 'a;

    fn receive(&mut self, now: time::Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        while self.received.is_empty() {
            let (rx, _) = self.inner.receive(now)?;
            let received = &mut self.received;
            phy::RxToken::consume(rx, |frame| received.extend_from_slice(frame));
            if !self.control.passes(received, Point::LocalIn, now) {
                received.clear();
            }
        }
        let inner = self.inner.transmit(now)?;
        let rx = RxToken {
            frame: &mut self.received,
        };
        Some((
            rx,
            TxToken {
                inner,
                control: &mut self.control,
                now,
            },
        ))
    }

    fn transmit(&mut self, now: time::Instant) -> Option<Self::TxToken<'_>> {
        let inner = self.inner.transmit(now)?;
        Some(TxToken {
            inner,
            control: &mut self.control,
            now,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut c = self.inner.capabilities();
        c.max_transmission_unit = c
            .max_transmission_unit
            .saturating_sub(self.control.guard.max_overhead());
        c
    }
}

/// A packet that passed the guard.
pub struct RxToken<'a> {
    frame: &'a mut Vec<u8>,
}

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let result = f(self.frame);
        self.frame.clear();
        result
    }
}

/// Room for a packet that has to pass the guard.
pub struct TxToken<'a, T, E> {
    inner: T,
    control: &'a mut Control<E>,
    now: time::Instant,
}

impl<T: phy::TxToken, E: EventSink> phy::TxToken for TxToken<'_, T, E> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = core::mem::take(&mut self.control.scratch);
        frame.clear();
        frame.resize(len, 0);
        let result = f(&mut frame);
        if self.control.passes(&mut frame, Point::LocalOut, self.now) {
            self.inner
                .consume(frame.len(), |out| out.copy_from_slice(&frame));
        }
        self.control.scratch = frame;
        result
    }
}
