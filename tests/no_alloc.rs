//! No packet costs an allocation: not established traffic, not refused or malformed packets, not
//! new flows, once the memory of the bounds has been taken.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use std::sync::Arc;

use hostward::filter::{Action, Filter, Rule, RuleSet, Upper};
use hostward::hook::flow::{FlowConfig, HashKey};
use hostward::hook::frame::VecFrame;
use hostward::hook::{Instant, Meta, Now, Point, UnixTime, Verdict};
use hostward::ids::Ids;
use hostward::zert::Zert;
use hostward::{Guard, GuardConfig};
use support::{End, conversation, tcp, udp};

const CLIENT: End = ([10, 0, 0, 9], 40_000);
const SERVER: End = ([192, 0, 2, 1], 80);

fn guard() -> Guard {
    let web = Rule::new("web", Action::Permit).upper(Upper::Ports {
        protocol: 6,
        source: 80..=80,
        destination: 0..=u16::MAX,
    });
    let dns = Rule::new("dns", Action::Permit).upper(Upper::Protocol(17));
    let flows = FlowConfig {
        capacity: 1_000,
        ..FlowConfig::default()
    };
    Guard::new(
        GuardConfig {
            flows,
            ..GuardConfig::default()
        },
        HashKey::new([3; 16]),
    )
    .filter(Filter::new(Arc::new(RuleSet::new(vec![web, dns], 1))))
    .ids(Ids::default())
    .zert(Zert::default())
}

fn meta(packet: &[u8], ms: u64) -> Meta {
    let out = packet.get(12..16) == Some(&SERVER.0);
    let point = if out { Point::LocalOut } else { Point::LocalIn };
    Meta::new(point, Now::new(Instant::from_millis(ms), UnixTime::EPOCH))
}

/// Runs packets through a guard, single and batched, and counts allocations.
fn count(guard: &mut Guard, packets: &[Vec<u8>], expected: impl Fn(Verdict) -> bool) -> u64 {
    let mut frames: Vec<_> = packets
        .iter()
        .map(|p| {
            let mut f = VecFrame::new(0, 2_000);
            f.set(p);
            f
        })
        .collect();
    let metas: Vec<_> = packets.iter().map(|p| meta(p, 1)).collect();
    let mut verdicts = vec![Verdict::Continue; packets.len()];
    let half = packets.len() / 2;
    let counted = allocation_counter::measure(|| {
        for i in 0..half {
            verdicts[i] = guard.packet(&mut frames[i], metas[i], &mut ());
        }
        guard.batch(
            &mut frames[half..],
            &metas[half..],
            &mut verdicts[half..],
            &mut (),
        );
    });
    assert!(verdicts.iter().all(|v| expected(*v)), "{verdicts:?}");
    counted.count_total
}

#[test]
fn established_traffic_allocates_nothing() {
    let mut guard = guard();
    let talk = conversation(
        CLIENT,
        SERVER,
        b"GET / HTTP/1.0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
    );
    count(&mut guard, &talk[..5], Verdict::is_continue);
    let (mut c, mut s) = (1001 + 18, 5001 + 19);
    let mut packets = Vec::new();
    for _ in 0..1_000 {
        packets.push(tcp(CLIENT, SERVER, "PA", c, s, &[7; 500]));
        c += 500;
        packets.push(tcp(SERVER, CLIENT, "PA", s, c, &[9; 1000]));
        s += 1000;
    }
    assert_eq!(count(&mut guard, &packets, Verdict::is_continue), 0);
    let query = udp(CLIENT, (SERVER.0, 53), b"query");
    count(
        &mut guard,
        std::slice::from_ref(&query),
        Verdict::is_continue,
    );
    assert_eq!(
        count(&mut guard, &vec![query; 1_000], Verdict::is_continue),
        0
    );
}

#[test]
fn refused_packets_allocate_nothing() {
    let mut guard = guard();
    let denied: Vec<_> = (0..1_000)
        .map(|p| tcp(CLIENT, (SERVER.0, 1000 + p), "S", 1, 0, b""))
        .collect();
    assert_eq!(count(&mut guard, &denied, Verdict::is_refused), 0);
    let malformed: Vec<_> = (0..1_000)
        .map(|p| tcp(CLIENT, (SERVER.0, 1000 + p), "SF", 1, 0, b""))
        .collect();
    assert_eq!(count(&mut guard, &malformed, Verdict::is_refused), 0);
}

#[test]
fn new_flows_allocate_nothing_once_the_observers_have_warmed_up() {
    let mut guard = guard();
    let flood = |from: u8| -> Vec<Vec<u8>> {
        (0..3_000_u16)
            .map(|i| {
                let [a, b] = i.to_be_bytes();
                tcp(([10, from, a, b], 40_000), SERVER, "S", 1, 0, b"")
            })
            .collect()
    };
    // More half-open connections than the table holds: the old ones give way.
    count(&mut guard, &flood(1), Verdict::is_continue);
    assert_eq!(count(&mut guard, &flood(2), Verdict::is_continue), 0);
    assert!(guard.flows().len() <= 1_000);
}
