//! What the observer costs by itself: handshakes a second, bytes a connection. One core, thread
//! CPU time.
//!
//!     cargo bench -p hostward-zert --bench observe
//!
//! What packets cost, the whole guard around it, measures the bench `observe` of the root.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    reason = "a bench may panic"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::*;
use cpu_time::ThreadTime;
use hostward_hook::Cx;
use hostward_hook::hooks::{CloseCause, StreamObserver};
use hostward_zert::{Slot, Zert};

const ROUNDS: usize = 9;
const HANDSHAKES: usize = 20_000;

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Handshakes from the first byte to the record.
fn handshakes(name: &str, talk: &Talk) {
    let mut zert = Zert::default();
    let flow = Bench::new(Zert::default()).open();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = ThreadTime::now();
        for _ in 0..HANDSHAKES {
            let (mut events, mut actions) = (Count(0), ());
            let mut cx = Cx::new(at(0), &mut events, &mut actions);
            let mut slot = Slot::default();
            zert.opened(&mut cx, &flow.info, &mut slot);
            for (from, data) in talk {
                for part in data.chunks(1_448) {
                    zert.bytes(&mut cx, &flow.info, &mut slot, *from, part);
                }
            }
            zert.closed(&mut cx, &flow.info, &mut slot, CloseCause::Fin);
            assert_eq!(events.0, 2);
        }
        times.push(start.elapsed().as_secs_f64() / HANDSHAKES as f64);
    }
    let each = median(times);
    let rate = 1.0 / each;
    println!(
        "  {name:<36} {rate:>10.0} a second, {:.0} ns each",
        each * 1e9
    );
}

/// Takes a look at every record.
struct Count(u32);

impl hostward_hook::EventSink for Count {
    fn wants(&self, _: hostward_hook::event::Class) -> bool {
        true
    }

    fn emit(&mut self, _: &hostward_hook::Event<'_>) {
        self.0 += 1;
    }
}

fn main() {
    println!("\nhandshakes, from the first byte to the record");
    handshakes("TLS 1.2, certificate", &tls12());
    handshakes("TLS 1.3, X25519MLKEM768", &tls13(0x11EC));
    handshakes("SSH 2", &ssh());

    println!("\nbytes a connection that stays open after its handshake");
    for n in [1_000, 10_000, 60_000] {
        let mut b = Bench::new(Zert::default());
        let talks = [tls12(), tls13(29), tls13(0x11EC), ssh()];
        let mut flows = Vec::new();
        for i in 0..n {
            let mut f = b.open();
            for (from, data) in &talks[i % talks.len()] {
                b.send(&mut f, *from, data);
            }
            flows.push(f);
        }
        let m = b.zert.memory();
        println!(
            "  {n:>6} open: {:>4} in all; each by itself {}, shared {}, handshakes {}, buffers {}",
            m.total() / n,
            m.connections / n,
            m.shared / n,
            m.handshakes / n,
            m.buffers / n
        );
    }
}
