//! What an open connection costs, and that what is shared comes back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

mod common;

use common::*;
use hostward_hook::hooks::{CloseCause, Interest};
use hostward_zert::{Config, Zert};

/// Opens connections that have done their handshakes.
fn open(b: &mut Bench, n: usize) -> Vec<Flow> {
    let talks = [tls12(), tls13(29), tls13(0x11EC), ssh()];
    let mut flows = Vec::new();
    for i in 0..n {
        let mut f = b.open();
        let mut last = Interest::More;
        for (from, data) in &talks[i % talks.len()] {
            last = b.send(&mut f, *from, data);
        }
        assert_ne!(last, Interest::More);
        flows.push(f);
    }
    flows
}

#[test]
fn at_most_400_bytes_for_an_open_connection() {
    let mut b = Bench::new(Zert::default());
    let flows = open(&mut b, 4_096);
    assert_eq!(b.zert.watched(), 4_096);
    // Nothing of the handshakes is left.
    assert_eq!(b.zert.tracking(), 0);
    let m = b.zert.memory();
    let each = (m.connections + m.shared).div_ceil(4_096);
    assert!(each <= 400, "{each}: {m:?}");
    // States and buffers that are kept for the next handshakes do not grow with connections.
    assert!(m.handshakes + m.buffers < 512 << 10, "{m:?}");
    assert!(b.zert.shared() < 16);
    for f in flows {
        let r = b.close(f, CloseCause::Fin);
        assert_eq!(r.established, Some(true));
    }
}

#[test]
// A side of an established session that sends nothing costs little, and what it sends later counts.
fn a_silent_side_keeps_no_handshake() {
    let mut b = Bench::new(Zert::default());
    let mut flows = Vec::new();
    for _ in 0..1_024 {
        let mut f = b.open();
        for (from, data) in &tls12()[..5] {
            b.send(&mut f, *from, data);
        }
        flows.push(f);
    }
    assert_eq!(b.zert.tracking(), 0);
    let m = b.zert.memory();
    assert!((m.connections + m.shared) / 1_024 <= 400, "{m:?}");
    for (i, mut f) in flows.into_iter().enumerate() {
        if i % 2 == 0 {
            assert_eq!(b.send(&mut f, Server, &app(20)), Interest::Enough);
        }
        let r = b.close(f, CloseCause::Fin);
        assert!(r.tls.app_data_client);
        assert_eq!(r.tls.app_data_server, i % 2 == 0);
    }
}

#[test]
fn clear_text_costs_no_more() {
    let mut b = Bench::new(Zert::default());
    for _ in 0..1_024 {
        let mut f = b.open();
        b.send(&mut f, Client, b"GET / HTTP/1.1\r\n");
        b.send(&mut f, Server, b"HTTP/1.1 200 OK\r\n");
    }
    let m = b.zert.memory();
    assert!(m.total() / 1_024 <= 400, "{m:?}");
}

#[test]
fn what_is_not_shared_is_recorded_all_the_same() {
    let play = |shared| {
        let mut b = Bench::new(Zert::new(Config {
            shared,
            ..Config::default()
        }));
        let flows = open(&mut b, 40);
        let held = b.zert.memory().shared;
        let records: Vec<_> = flows
            .into_iter()
            .map(|f| {
                let mut r = b.close(f, CloseCause::Fin);
                r.flow = None;
                r
            })
            .collect();
        (held, records, b.zert.memory().shared)
    };
    let (some, all, _) = play(1_000);
    let (many, same, after) = play(1);
    assert_eq!(all, same);
    assert!(many > 3 * some);
    assert!(after < some);
}

#[test]
// After the handshake nothing is allocated, whatever goes by, and closing gives a record.
fn no_packet_after_the_handshake_allocates() {
    let mut b = Bench::new(Zert::default());
    let mut flows = open(&mut b, 64);
    let data = app(1_400);
    let used = allocation_counter::measure(|| {
        for _ in 0..100 {
            for f in &mut flows {
                f.listen();
                b.send(f, Client, &data);
                b.send(f, Server, &data);
            }
        }
    });
    assert_eq!(used.count_total, 0);
}
