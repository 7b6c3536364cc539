//! Rules about protection, through the whole guard: from packets to the wish to reset a connection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

mod support;
#[path = "../zert/tests/common/mod.rs"]
mod talk;

use std::sync::Arc;

use hostward::hook::action::Action as HostAction;
use hostward::hook::event::EventQueue;
use hostward::hook::flow::HashKey;
use hostward::hook::frame::VecFrame;
use hostward::hook::{Meta, Point, Side};
use hostward::zert::enforce::{Action, Enforcement, RuleSet, weak};
use hostward::zert::{Zert, code};
use hostward::{Guard, GuardConfig};
use support::{End, tcp};
use talk::{Talk, at, tls12, tls13};

const CLIENT: End = ([192, 0, 2, 9], 40_000);
const SERVER: End = ([198, 51, 100, 1], 443);

/// A conversation as packets, from the first SYN on.
fn packets(port: u16, talk: &Talk) -> Vec<Vec<u8>> {
    let client = (CLIENT.0, port);
    let mut seq = [1_001_u32, 5_001];
    let mut out = vec![
        tcp(client, SERVER, "S", 1_000, 0, b""),
        tcp(SERVER, client, "SA", 5_000, 1_001, b""),
        tcp(client, SERVER, "A", 1_001, 5_001, b""),
    ];
    for (from, data) in talk {
        for part in data.chunks(1_400) {
            let (a, b, mine, other) = match from {
                Side::Initiator => (client, SERVER, 0, 1),
                Side::Responder => (SERVER, client, 1, 0),
            };
            out.push(tcp(a, b, "PA", seq[mine], seq[other], part));
            seq[mine] += part.len() as u32;
        }
    }
    out
}

struct Host {
    guard: Guard,
    events: EventQueue,
    ms: u64,
}

impl Host {
    fn new(set: RuleSet) -> Self {
        let enforcement = Enforcement::default().rules(Arc::new(set));
        let zert = Zert::default().with_enforcement(enforcement);
        Self {
            guard: Guard::new(GuardConfig::default(), HashKey::new([3; 16])).zert(zert),
            events: EventQueue::new(1_000),
            ms: 0,
        }
    }

    fn run(&mut self, packets: &[Vec<u8>]) {
        for packet in packets {
            self.ms += 1;
            let out = packet[12..16] == SERVER.0;
            let point = if out { Point::LocalOut } else { Point::LocalIn };
            let mut frame = VecFrame::new(32, 65_535);
            frame.set(packet);
            let meta = Meta::new(point, at(self.ms));
            assert!(
                self.guard
                    .packet(&mut frame, meta, &mut self.events)
                    .is_continue()
            );
        }
    }

    /// The ports of the clients that are to be reset.
    fn resets(&mut self) -> Vec<u16> {
        let mut ports = Vec::new();
        while let Some(action) = self.guard.poll_action() {
            let HostAction::ResetFlow { key, reason } = action else {
                panic!("{action:?}");
            };
            assert_eq!(reason, code::ENFORCEMENT_RESET);
            ports.push(key.source_port());
        }
        ports
    }

    fn count(&self, wanted: hostward::hook::Code) -> usize {
        self.events.iter().filter(|e| e.code == wanted).count()
    }
}

fn tls10() -> Talk {
    let mut talk = tls12();
    talk[1].1[10] = 1;
    talk
}

fn action(reset: bool) -> Arc<Action> {
    Arc::new(Action {
        name: "Act".into(),
        syslog: true,
        audit: true,
        reset,
        ..Action::default()
    })
}

#[test]
fn tls_1_0_is_reset_and_tls_1_3_is_not() {
    let mut host = Host::new(RuleSet::new(vec![weak::below_tls12(&action(true))], 1));
    host.run(&packets(1_000, &tls10()));
    assert_eq!(host.resets(), [1_000]);
    host.run(&packets(1_001, &tls13(29)));
    host.run(&packets(1_002, &tls12()));
    assert!(host.resets().is_empty());
    host.guard.finish(at(20_000), &mut host.events);
    assert!(host.resets().is_empty());
    assert_eq!(host.count(code::ENFORCEMENT), 1, "audited once");
    assert_eq!(host.count(code::ENFORCEMENT_RESET), 1);
}

#[test]
fn unprotected_connections_are_audited_once_and_simulation_resets_none() {
    let rules = || RuleSet::new(vec![weak::unprotected(&action(true))], 1);
    let clear: Talk = vec![(Side::Initiator, b"GET / HTTP/1.0\r\n\r\n".to_vec())];
    for simulate in [false, true] {
        let mut host = Host::new(rules().simulate(simulate));
        host.run(&packets(1_000, &clear));
        host.run(&packets(1_001, &tls12()));
        for ms in [10_000, 10_100, 20_000] {
            while host
                .guard
                .next_deadline()
                .is_some_and(|d| d.as_millis() <= ms)
            {
                host.guard.handle_deadline(at(ms), &mut host.events);
            }
        }
        let expected: &[u16] = if simulate { &[] } else { &[1_000] };
        assert_eq!(host.resets(), expected);
        host.guard.finish(at(30_000), &mut host.events);
        assert_eq!(host.count(code::ENFORCEMENT), 1);
        assert_eq!(host.count(code::ENFORCEMENT_LOG), 1);
        assert_eq!(
            host.count(code::ENFORCEMENT_RESET),
            1,
            "told also when simulated"
        );
    }
}
