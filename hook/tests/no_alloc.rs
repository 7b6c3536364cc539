//! The usual path of stream reassembly allocates nothing, and neither does out-of-order traffic
//! once the pool is warm.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "counting allocations takes a global allocator, and a failing test may panic"
)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use std::alloc::System;

use hostward_hook::hooks::Interest;
use hostward_hook::layout::tcp_flags::{ACK, SYN};
use hostward_hook::stream::{Reassembler, Segment, StreamSink, StreamState};
use hostward_hook::{Cx, FlowId, FlowInfo, FlowKey, Meta, Now, Packet, Side};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is handed on to the system's allocator unchanged; counting touches nothing
// but a thread-local number that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `ptr` came from `System`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(f: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    f();
    COUNT.get() - before
}

#[derive(Default)]
struct Sum {
    bytes: u64,
    gaps: u64,
}

impl StreamSink for Sum {
    fn bytes(&mut self, _: &mut Cx<'_>, _: &FlowInfo, _: Side, data: &[u8]) -> Interest {
        self.bytes += data.len() as u64;
        Interest::More
    }

    fn gap(&mut self, _: &mut Cx<'_>, _: &FlowInfo, _: Side, missing: u32) -> Interest {
        self.gaps += u64::from(missing);
        Interest::More
    }
}

/// A TCP packet over IPv4.
fn packet(seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![0x45, 0];
    p.extend_from_slice(&((40 + payload.len()) as u16).to_be_bytes());
    p.extend_from_slice(&[0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    p.extend_from_slice(&[0x12, 0x34, 0x01, 0xbb]);
    p.extend_from_slice(&seq.to_be_bytes());
    p.extend_from_slice(&ack.to_be_bytes());
    p.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    p.extend_from_slice(payload);
    p
}

#[test]
fn streams_allocate_nothing() {
    assert!(allocations(|| drop(vec![1_u8])) > 0, "the counter counts");
    let key = FlowKey::v4([10, 0, 0, 1, 10, 0, 0, 2], 0x1234, 443, 6);
    let flow = FlowInfo::new(FlowId::from_u64(1), key, &Meta::default(), 1);
    let payload = [7; 1000];
    // In order; then pairs that have changed places.
    let in_order: Vec<Vec<u8>> = (0..1000_u32)
        .map(|i| packet(1 + 1000 * i, 1, ACK, &payload))
        .collect();
    let mut swapped = in_order.clone();
    for pair in swapped.chunks_mut(2) {
        pair.swap(0, 1);
    }
    let syn = packet(0, 0, SYN, b"");

    let mut reassembler = Reassembler::default();
    let mut sum = Sum::default();
    let mut run = |packets: &[Vec<u8>]| {
        let (mut events, mut actions) = ((), ());
        let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
        let mut state = StreamState::default();
        for bytes in core::iter::once(&syn).chain(packets) {
            let packet = Packet::parse(bytes, Meta::default());
            let segment = Segment::of(&packet).unwrap();
            let side = Side::Initiator;
            reassembler.segment(&mut state, &mut cx, &flow, side, &segment, &mut sum);
        }
        reassembler.finish(&mut state, &mut cx, &flow, &mut sum);
    };
    assert_eq!(allocations(|| run(&in_order)), 0);
    // The first pair makes the pool allocate its first block.
    let first = allocations(|| run(&swapped));
    assert!((1..10).contains(&first), "{first}");
    assert_eq!(allocations(|| run(&swapped)), 0);
    assert_eq!((sum.bytes, sum.gaps), (3_000_000, 0));
}
