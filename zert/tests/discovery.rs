//! Discovery events as the observer feeds them.

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
use hostward_hook::hooks::CloseCause;
use hostward_hook::{Cx, Timers};
use hostward_zert::{Zert, code};

/// Plays parts of a conversation at given times, closes at `end`, and says which events came when.
fn events(parts: &[(u64, Talk)], end: u64) -> Vec<(u64, u16)> {
    let mut b = Bench::new(Zert::default());
    let mut f = b.open();
    for (when, talk) in parts {
        b.advance(*when);
        for (from, data) in talk {
            b.send(&mut f, *from, data);
        }
    }
    b.advance(end);
    b.close(f, CloseCause::Fin);
    let number = |c: hostward_hook::Code| c.get() - 6010;
    b.told
        .progress
        .iter()
        .map(|(t, c)| (*t, number(*c)))
        .collect()
}

#[test]
fn clear_text() {
    let talk: Talk = vec![(Client, b"hello\r\n".to_vec())];
    assert_eq!(events(&[(0, talk.clone())], 3_000), [(3_000, 4)]);
    assert_eq!(events(&[(0, talk)], 12_000), [(10_000, 1), (12_000, 3)]);
}

#[test]
fn tls() {
    assert_eq!(events(&[(0, tls12())], 12_000), [(10_000, 1), (12_000, 3)]);
    assert_eq!(events(&[(0, tls13(29))], 2_000), [(2_000, 4)]);
    // The handshake is under way when the connection should have settled.
    let mut begin = tls12();
    let end = begin.split_off(1);
    assert_eq!(
        events(&[(9_900, begin), (11_000, end)], 20_000),
        [(11_000, 1), (20_000, 3)]
    );
}

#[test]
fn starttls() {
    let clear: Talk = vec![
        (Client, b"STARTTLS\r\n".to_vec()),
        (Server, b"220\r\n".to_vec()),
    ];
    assert_eq!(
        events(&[(0, clear.clone()), (4_000, tls12())], 12_000),
        [(10_000, 1), (12_000, 3)]
    );
    assert_eq!(
        events(&[(0, clear), (15_000, tls13(0x11EC))], 30_000),
        [(10_000, 1), (15_000, 2), (30_000, 3)]
    );
}

#[test]
fn an_inference_that_turns_out_wrong_is_no_change() {
    let mut talk = tls13(29);
    talk[3].1 = cat(&[&app(19), &app(19)]);
    assert_eq!(events(&[(0, talk)], 12_000), [(10_000, 1), (12_000, 3)]);
}

#[test]
fn failure() {
    let talk = vec![
        (Client, rec(22, &client_hello(&[]))),
        (Server, alert(2, 40)),
    ];
    assert_eq!(events(&[(0, talk)], 210), [(210, 4)]);
}

#[test]
fn switching_off_forgets_everything() {
    let mut b = Bench::new(Zert::default());
    let mut old = b.open();
    b.send(&mut old, Client, &tls12()[0].1);
    let mut actions = ();
    let mut cx = Cx::new(at(5), &mut b.told, &mut actions);
    b.zert.set_enabled(&mut cx, false);
    assert_eq!(b.zert.next_deadline(), None);
    assert_eq!(b.zert.watched(), 0);
    let ignored = b.open();
    let mut cx = Cx::new(at(6), &mut b.told, &mut actions);
    b.zert.set_enabled(&mut cx, true);
    let codes: Vec<_> = b.told.progress.iter().map(|p| p.1).collect();
    assert_eq!(codes, [code::DISABLED, code::ENABLED]);
    // The old connection's place may be in other hands by now.
    let mut new = b.open();
    b.send(&mut old, Client, b"x");
    let mut actions = ();
    for mut f in [old, ignored] {
        let mut cx = Cx::new(at(7), &mut b.told, &mut actions);
        hostward_hook::StreamObserver::closed(
            &mut b.zert,
            &mut cx,
            &f.info,
            &mut f.slot,
            CloseCause::Fin,
        );
    }
    assert!(b.told.records.is_empty());
    for (from, data) in &tls12() {
        b.send(&mut new, *from, data);
    }
    assert_eq!(b.close(new, CloseCause::Fin).established, Some(true));
}

#[test]
fn a_thousand_connections_settle_in_order() {
    let mut b = Bench::new(Zert::default());
    let mut flows = Vec::new();
    for i in 0..1000 {
        b.advance(i);
        flows.push(b.open());
    }
    // Some end before.
    for i in [500, 0, 997] {
        let f = flows.remove(i);
        b.close(f, CloseCause::Fin);
    }
    b.advance(20_000);
    let settled = b.told.progress.iter().filter(|p| p.1 == code::INITIATION);
    assert_eq!(settled.clone().count(), 997);
    assert!(settled.map(|p| p.0).is_sorted());
    assert_eq!(b.zert.next_deadline(), None);
}
