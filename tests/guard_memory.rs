//! Memory stays inside the configured bounds whatever comes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use std::sync::Arc;

use hostward::filter::{Action, Filter, Rule, RuleSet};
use hostward::hook::flow::{FlowConfig, HashKey};
use hostward::hook::frame::VecFrame;
use hostward::hook::{Instant, Meta, Now, Point, UnixTime, fragment, stream};
use hostward::zert::Zert;
use hostward::{Guard, GuardConfig};
use support::{fix_checksum, fragments, tcp, udp};

const FLOWS: usize = 4_096;
const BLOCKS: u32 = 256;

fn guard() -> Guard {
    let mut fragments = fragment::Config::default();
    (fragments.blocks, fragments.datagrams) = (BLOCKS, 64);
    let mut streams = stream::Config::default();
    streams.blocks = BLOCKS;
    let config = GuardConfig {
        flows: FlowConfig {
            capacity: FLOWS,
            ..FlowConfig::default()
        },
        fragments: Some(fragments),
        streams: Some(streams),
        ..GuardConfig::default()
    };
    let rules = RuleSet::new(vec![Rule::new("all", Action::Permit)], 1);
    Guard::new(config, HashKey::new([9; 16]))
        .filter(Filter::new(Arc::new(rules)))
        .zert(Zert::default())
}

/// Packets of many kinds from an address made of `n`.
struct Flood {
    packets: Vec<Vec<u8>>,
    frame: VecFrame,
}

impl Flood {
    fn new() -> Self {
        let src = ([10, 0, 0, 1], 4_000);
        let dst = ([192, 0, 2, 1], 443);
        let mut packets = vec![
            tcp(src, dst, "S", 1, 0, b""),
            tcp(src, dst, "A", 1, 1, b"x"),
            // Behind a hole.
            tcp(src, dst, "A", 50, 1, b"x"),
            tcp(src, dst, "A", 90, 1, &[7; 1_400]),
            tcp(src, dst, "R", 1, 0, b""),
            udp(src, dst, &[7; 30]),
            vec![],
            vec![0x45],
        ];
        // Incomplete datagrams, and one of nearly all bytes there can be.
        packets.extend(fragments(&udp(src, dst, &[7; 3_000]), 1, 1_000).drain(1..));
        packets.push(udp(src, dst, &vec![7; 65_500]));
        // Endless extension headers.
        let mut v6 = vec![0x60, 0, 0, 0, 0x10, 0, 0, 64];
        v6.extend([0x20; 32]);
        v6.extend([0, 0, 1, 4, 0, 0, 0, 0].repeat(512));
        packets.push(v6);
        Self {
            packets,
            frame: VecFrame::new(0, 65_535),
        }
    }

    fn send(&mut self, g: &mut Guard, from: u32, to: u32) {
        for n in from..to {
            let at = n as usize % self.packets.len();
            let now = Now::new(Instant::from_millis(u64::from(n) / 8), UnixTime::EPOCH);
            let p = &mut self.packets[at];
            let source = n.wrapping_mul(0x9e37_79b1).to_be_bytes();
            if p.first() == Some(&0x60) {
                p[8..12].copy_from_slice(&source);
            } else if p.len() >= 20 {
                p[12..16].copy_from_slice(&source);
                p[4..6].copy_from_slice(&source[1..3]);
                fix_checksum(p);
            }
            self.frame.set(p);
            let _ = g.packet(&mut self.frame, Meta::new(Point::LocalIn, now), &mut ());
            if n % 1_000 == 0 {
                g.handle_deadline(now, &mut ());
            }
        }
    }
}

#[test]
fn a_flood_takes_no_more_than_was_configured() {
    let mut flood = Flood::new();
    flood.frame.set(&[0; 65_535]);
    let (mut g, rest) = (None, 200_000);
    let first = allocation_counter::measure(|| {
        let mut guard = guard();
        flood.send(&mut guard, 0, rest);
        g = Some(guard);
    });
    let mut g = g.unwrap();
    // A kilobyte a flow for all controls, the blocks of both pools with a little beside them, one
    // whole datagram, and what does not depend on the flood.
    let bound = FLOWS as u64 * 1_024 + 2 * u64::from(BLOCKS) * 2_200 + (1 << 20);
    assert!(first.bytes_max < bound, "{} of {bound}", first.bytes_max);
    let second = allocation_counter::measure(|| flood.send(&mut g, rest, 1_000_000));
    assert!(
        second.bytes_current < 65_536,
        "grew by {}",
        second.bytes_current
    );
    assert!(g.flows().len() <= FLOWS);
    let c = g.counters();
    assert_eq!(c.packets, 1_000_000);
    assert_eq!(c.packets, c.delivered + c.refused + c.consumed + c.diverted);
}
