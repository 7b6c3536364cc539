//! Nothing that is done for a packet costs an allocation, whatever becomes of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use allocation_counter::measure;
use common::*;
use hostward_hook::frame::{FrameBuf, SliceFrame};
use hostward_hook::protection::Encapsulation::{Transport, Tunnel};
use hostward_ipsec::Suite;
use hostward_ipsec::suite::Protocol;

#[test]
fn packets_cost_no_allocation() {
    for suite in Suite::all() {
        for (mode, esn, v6) in [(Tunnel, true, false), (Transport, false, true)] {
            let mut p = parameters(suite, mode, outer(v6));
            p.esn = esn;
            if suite.protocol() == Protocol::Esp {
                p = p.with_udp(4500, 4500);
            }
            let (mut out, mut into) = pair(p);
            let plain = packet(outer(v6), 0, &[7; 700]);
            let mut memory = vec![0; 1200];
            memory[200..200 + plain.len()].copy_from_slice(&plain);
            let counted = measure(|| {
                let mut frame = SliceFrame::new(&mut memory, 200, 200 + plain.len());
                out.seal(NOW, &mut frame).unwrap();
                let len = frame.bytes().len();
                // Refused ones cost none either.
                frame.bytes_mut()[len - 1] ^= 1;
                let _ = into.open(NOW, &mut frame);
                let _ = into.open(NOW, &mut frame);
                let _ = out.seal(NOW, &mut frame);
            });
            assert_eq!(counted.count_total, 0, "{suite}");
            let mut memory = vec![0; 1200];
            memory[200..200 + plain.len()].copy_from_slice(&plain);
            let counted = measure(|| {
                let mut frame = SliceFrame::new(&mut memory, 200, 200 + plain.len());
                out.seal(NOW, &mut frame).unwrap();
                into.open(NOW, &mut frame).unwrap();
                assert_eq!(frame.bytes(), plain);
            });
            assert_eq!(counted.count_total, 0, "{suite}");
        }
    }
}
