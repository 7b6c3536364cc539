//! The whole guard: any packets at any times, single and batched, end in equal verdicts, and memory
//! stays inside the bounds.
//!
//! The input is a list of packets: two bytes of length, one of flags, two of time in units of 64 ms.
#![no_main]

use std::sync::Arc;

use hostward::filter::{Action, AddressSpec, Filter, Logging, Rule, RuleSet};
use hostward::hook::event::EventQueue;
use hostward::hook::flow::{FlowConfig, HashKey};
use hostward::hook::frame::VecFrame;
use hostward::hook::{FrameBuf, Instant, Meta, Now, Point, UnixTime, Verdict};
use hostward::ids::Ids;
use hostward::zert::Zert;
use hostward::{Guard, GuardConfig, Mode};
use libfuzzer_sys::fuzz_target;

const CAPACITY: usize = 16;

fn guard(mode: Mode) -> Guard {
    let mut deny = Rule::new("deny", Action::Deny);
    deny.source = "10.0.0.0/9".parse::<AddressSpec>().unwrap().into();
    deny.logging = Logging::Yes;
    let rules = RuleSet::new(vec![deny, Rule::new("permit", Action::Permit)], 1);
    let flows = FlowConfig {
        capacity: CAPACITY,
        ..FlowConfig::default()
    };
    Guard::new(
        GuardConfig {
            mode,
            flows,
            ..GuardConfig::default()
        },
        HashKey::new([7; 16]),
    )
    .filter(Filter::new(Arc::new(rules)))
    .ids(Ids::default())
    .zert(Zert::default())
}

fuzz_target!(|data: &[u8]| {
    let mut packets = Vec::new();
    let mut rest = data;
    let mut ms = 0;
    while let [a, b, flags, t, u, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*a, *b])).min(tail.len());
        let (packet, next) = tail.split_at(len);
        ms += u64::from(u16::from_be_bytes([*t, *u])) * 64;
        let point = if flags & 1 == 0 {
            Point::LocalIn
        } else {
            Point::LocalOut
        };
        let now = Now::new(Instant::from_millis(ms), UnixTime::from_secs(1));
        packets.push((
            packet.to_vec(),
            Meta::new(point, now).with_cut(flags & 2 != 0),
        ));
        rest = next;
    }
    let mode = if data.len() % 2 == 0 {
        Mode::Enforce
    } else {
        Mode::Observe
    };
    let frame = |p: &Vec<u8>| {
        let mut f = VecFrame::new(0, 65_535);
        f.set(p);
        f
    };
    let (mut one, mut many) = (guard(mode), guard(mode));
    let (mut told_one, mut told_many) = (EventQueue::new(10_000), EventQueue::new(10_000));
    let mut single = Vec::new();
    for (p, meta) in &packets {
        let mut f = frame(p);
        single.push(one.packet(&mut f, *meta, &mut told_one));
        assert!(one.flows().len() <= CAPACITY);
        assert!(f.bytes().len() <= 65_535);
    }
    let mut frames: Vec<_> = packets.iter().map(|(p, _)| frame(p)).collect();
    let metas: Vec<_> = packets.iter().map(|(_, m)| *m).collect();
    let mut batched = vec![Verdict::Continue; packets.len()];
    many.batch(&mut frames, &metas, &mut batched, &mut told_many);
    assert_eq!(single, batched);
    let end = Now::new(Instant::from_millis(ms + 1), UnixTime::from_secs(1));
    for (g, told) in [(&mut one, &mut told_one), (&mut many, &mut told_many)] {
        g.handle_deadline(end, told);
        g.finish(end, told);
        assert!(g.flows().is_empty());
    }
    assert!(told_one.iter().eq(told_many.iter()));
});
