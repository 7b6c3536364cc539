//! The whole guard: any packets at any times, single and batched, end in equal verdicts, and memory
//! stays inside the bounds. Some packets came through tunnels; what a filter says of a packet by
//! itself is what it explains.
//!
//! The input is a list of packets: two bytes of length, one of flags (out, cut, routed, three bits of
//! association), two of time in units of 64 ms.
#![no_main]

use std::sync::Arc;

use hostward::filter::{
    Action, AddressSpec, Filter, Logging, Outcome, Question, Rule, RuleRouting, RuleSet, Tunnels,
    Upper,
};
use hostward::hook::action::Cx;
use hostward::hook::event::EventQueue;
use hostward::hook::flow::{FlowConfig, HashKey};
use hostward::hook::frame::VecFrame;
use hostward::hook::ident::{SaId, TunnelId};
use hostward::hook::meta::Routing;
use hostward::hook::{
    FrameBuf, Instant, Meta, Now, Packet, PacketFilter, Point, UnixTime, Verdict,
};
use hostward::ids::Ids;
use hostward::zert::Zert;
use hostward::{Guard, GuardConfig, Mode};
use libfuzzer_sys::fuzz_target;

const CAPACITY: usize = 16;

#[derive(Debug)]
struct Known;

impl Tunnels for Known {
    fn tunnel_of(&self, sa: SaId) -> Option<TunnelId> {
        (sa.0 < 3).then(|| TunnelId(sa.0 - 1))
    }

    fn concerns_rules(&self, sa: SaId) -> bool {
        sa.0 < 5
    }
}

fn filter() -> Filter {
    let mut deny = Rule::new("deny", Action::Deny);
    deny.source = "10.0.0.0/9".parse::<AddressSpec>().unwrap().into();
    deny.logging = Logging::Yes;
    let tunnel = Action::Ipsec(TunnelId(0));
    // What is left over is ICMP and its kind: errors about the rest.
    let rules = vec![
        deny,
        Rule::new("vpn", tunnel)
            .upper(Upper::udp(0..=9_999))
            .routing(RuleRouting::Either)
            .logging(Logging::Yes),
        Rule::new("udp", Action::Permit).upper(Upper::Protocol(17)),
        Rule::new("tcp", Action::Permit).upper(Upper::Protocol(6)),
        Rule::new("forward", Action::Permit)
            .upper(Upper::Protocol(6))
            .routing(RuleRouting::Routed),
    ];
    Filter::new(Arc::new(RuleSet::new(rules, 1))).tunnels(Arc::new(Known))
}

/// One packet by itself is decided as it is explained.
fn explained(bytes: &[u8], meta: Meta) {
    let packet = Packet::parse(bytes, meta);
    let Some(asked) = Question::of(&packet, &Known) else {
        return;
    };
    let mut filter = filter();
    let said = filter.explain(asked, meta.now).rules.unwrap().outcome;
    let verdict = filter.decide(&mut Cx::new(meta.now, &mut (), &mut ()), &packet, None);
    match (verdict, said) {
        (Verdict::Continue, Outcome::Permit) => {}
        (Verdict::Protect { tunnel, .. }, Outcome::Protect(said)) => assert_eq!(tunnel, said),
        (verdict, said) => assert!(verdict.is_refused() && !said.permits()),
    }
}

fn guard(mode: Mode) -> Guard {
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
    .filter(filter())
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
        let mut meta = Meta::new(point, now).with_cut(flags & 2 != 0);
        if flags & 4 != 0 {
            meta = meta.with_routing(Routing::Routed);
        }
        meta.sa = Some(SaId(u32::from(flags >> 3 & 7))).filter(|sa| sa.0 != 0);
        explained(packet, meta);
        packets.push((packet.to_vec(), meta));
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
