//! The guard's filter decides as the rules read one after the other do, whatever its flows remember
//! and whatever changes between two packets.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test may panic"
)]

use std::sync::Arc;

use arbtest::arbitrary::{Result as Arbitrary, Unstructured};
use hostward::filter::defensive::{
    Defense, DefenseConfig, DefensiveDirection, DefensiveFilter, DefensiveMode, DefensiveTable,
    Request, Selection, Target,
};
use hostward::filter::{
    Action, AddressSpec, Connect, DEFENSIVE_BLOCKED, DENIED, Edits, Filter, IMPLIED_DENY,
    NOT_THROUGH_TUNNEL, Rule, RuleDirection, RuleRouting, RuleSet, Selectors, TimeCondition,
    TimeOfDay, Upper, Zone,
};
use hostward::hook::flow::{FlowConfig, HashKey};
use hostward::hook::frame::VecFrame;
use hostward::hook::ident::{RuleId, SaId, TunnelId};
use hostward::hook::meta::Routing;
use hostward::hook::{Instant, Meta, Now, Packet, Point, UnixTime, Verdict};
use hostward::{Guard, GuardConfig};

const STACK: &str = "A";
const ENDS: [&str; 6] = [
    "10.0.0.0/30",
    "10.0.0.1",
    "10.0.0.2-10.0.0.3",
    "2001:db8::/126",
    "2001:db8::1",
    "2001:db8::2-2001:db8::3",
];

fn at(seconds: u64) -> Now {
    // 14:13:20 UTC.
    Now::new(
        Instant::from_secs(seconds),
        UnixTime::from_secs(1_790_000_000 + seconds),
    )
}

fn spec(u: &mut Unstructured<'_>) -> Arbitrary<AddressSpec> {
    Ok(if u.ratio(1, 2)? {
        AddressSpec::Any
    } else {
        u.choose(&ENDS)?.parse().unwrap()
    })
}

fn upper(u: &mut Unstructured<'_>) -> Arbitrary<Upper> {
    let low = u.int_in_range(1..=4)?;
    let ports = low..=u.int_in_range(low..=4)?;
    Ok(match u.int_in_range(0..=10)? {
        0 => Upper::tcp(ports),
        1 => Upper::Ports {
            protocol: *u.choose(&[6, 17])?,
            source: ports,
            destination: 0..=u16::MAX,
        },
        2 => Upper::tcp(0..=u16::MAX),
        3 => Upper::udp(0..=u16::MAX),
        4 => Upper::Protocol(*u.choose(&[0, 6, 17, 44, 47, 50, 51, 60])?),
        5 => Upper::Icmp {
            protocol: *u.choose(&[1, 58])?,
            types: 1..=2,
            codes: 0..=u8::MAX,
        },
        6 => Upper::Icmp {
            protocol: *u.choose(&[1, 58])?,
            types: 0..=u8::MAX,
            codes: 1..=1,
        },
        7 => Upper::Type {
            protocol: *u.choose(&[89, 135])?,
            types: *u.choose(&[0, 1])?..=1,
        },
        8 => Upper::Opaque,
        _ => Upper::Any,
    })
}

fn rule(u: &mut Unstructured<'_>, times: &[Arc<TimeCondition>]) -> Arbitrary<Rule> {
    let action = match u.int_in_range(0..=9)? {
        0 => Action::Ipsec(TunnelId(0)),
        1..=5 => Action::Permit,
        _ => Action::Deny,
    };
    let mut rule = Rule::new("r", action)
        .source(spec(u)?)
        .destination(spec(u)?)
        .upper(upper(u)?)
        .direction(*u.choose(&[
            RuleDirection::Bidirectional,
            RuleDirection::Bidirectional,
            RuleDirection::Inbound,
            RuleDirection::Outbound,
        ])?)
        .routing(*u.choose(&[RuleRouting::Local, RuleRouting::Routed, RuleRouting::Either])?);
    if u.ratio(1, 4)? {
        rule = rule.connect(*u.choose(&[Connect::Inbound, Connect::Outbound])?);
    }
    if u.ratio(1, 6)? {
        rule = rule.security_class(u.int_in_range(1..=2)?);
    }
    if u.ratio(1, 6)? {
        rule = rule.fragments_only();
    }
    if u.ratio(1, 4)? {
        rule = rule.during(Arc::clone(u.choose(times)?));
    }
    Ok(rule)
}

fn rules(u: &mut Unstructured<'_>, times: &[Arc<TimeCondition>]) -> Arbitrary<Arc<RuleSet>> {
    let mut rules = Vec::new();
    for _ in 0..u.int_in_range(0..=14)? {
        rules.push(rule(u, times)?);
    }
    if u.ratio(2, 3)? {
        let all = Rule::new("all", Action::Permit).routing(RuleRouting::Either);
        rules.push(all);
    }
    Ok(Arc::new(RuleSet::new(rules, u.int_in_range(1..=9)?)))
}

fn defensive(u: &mut Unstructured<'_>) -> Arbitrary<DefensiveFilter> {
    let mut filter = DefensiveFilter::new("d")
        .source(spec(u)?)
        .upper(upper(u)?)
        .direction(*u.choose(&[
            DefensiveDirection::Inbound,
            DefensiveDirection::Outbound,
            DefensiveDirection::Both,
        ])?)
        .routing(*u.choose(&[RuleRouting::Local, RuleRouting::Routed, RuleRouting::Either])?)
        .lifetime(u.int_in_range(1..=3)?);
    if u.ratio(1, 3)? {
        filter = filter.mode(DefensiveMode::Simulate);
    }
    if u.ratio(1, 5)? {
        filter = filter.fragments_only();
    }
    Ok(filter)
}

/// An IP packet between few ends, of every kind that rules tell apart.
fn packet(u: &mut Unstructured<'_>) -> Arbitrary<Vec<u8>> {
    let v6 = u.ratio(1, 3)?;
    let (from, to) = (u.int_in_range(0..=3_u8)?, u.int_in_range(0..=3_u8)?);
    let protocol: u8 = *u.choose(&[6, 6, 6, 6, 17, 17, 1, 58, 47, 89, 135, 50, 0, 60])?;
    let (sport, dport) = (u.int_in_range(1..=4_u8)?, u.int_in_range(1..=4_u8)?);
    let mut upper: Vec<u8> = match protocol {
        6 => {
            let flags = *u.choose(&[0x02, 0x12, 0x10, 0x18, 0x11, 0x04])?;
            let seq = u.int_in_range(0..=3_u8)?;
            vec![
                0, sport, 0, dport, 0, 0, 0, seq, 0, 0, 0, 1, 0x50, flags, 4, 0, 0, 0, 0, 0,
            ]
        }
        17 => vec![0, sport, 0, dport, 0, 12, 0, 0, 1, 2, 3, 4],
        135 => vec![59, 0, sport - 1, 0, 0, 0, 0, 0],
        0 | 60 => vec![*u.choose(&[6, 59])?, 0, 1, 4, 0, 0, 0, 0],
        _ => vec![sport - 1, dport - 1, 0, 0, 0, 0, 0, 1],
    };
    if matches!(protocol, 0 | 60) && v6 && u.ratio(2, 3)? {
        let flags = *u.choose(&[0x02, 0x10])?;
        upper[0] = 6;
        upper.extend([
            0, sport, 0, dport, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 4, 0, 0, 0, 0, 0,
        ]);
    }
    let mut first = protocol;
    if u.ratio(1, 8)? {
        // Authentication that nobody opened.
        let mut ah = vec![first, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1];
        ah.extend([0; 12]);
        upper.splice(0..0, ah);
        first = 51;
    }
    let (mut offset, mut more) = (0_u16, false);
    if u.ratio(1, 6)? {
        offset = u.int_in_range(0..=2)?;
        more = u.arbitrary()?;
    }
    if u.ratio(1, 8)? {
        upper.truncate(u.int_in_range(0..=16)?);
    }
    let mut p = Vec::new();
    if v6 {
        if offset != 0 || more || u.ratio(1, 12)? {
            let word = offset << 3 | u16::from(more);
            let [a, b] = word.to_be_bytes();
            upper.splice(0..0, [first, 0, a, b, 0, 0, 0, 9]);
            first = 44;
        }
        p.extend([0x60, 0, 0, 0, 0, upper.len() as u8, first, 64]);
        for end in [from, to] {
            p.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end]);
        }
    } else {
        let [a, b] = (offset | u16::from(more) << 13).to_be_bytes();
        let length = 20 + upper.len() as u8;
        p.extend([0x45, 0, 0, length, 0, 7, a, b, 64, first, 0, 0]);
        p.extend([10, 0, 0, from, 10, 0, 0, to]);
    }
    p.extend(upper);
    Ok(p)
}

/// What must come out: rule and verdict.
fn expected(
    set: &RuleSet,
    edits: &Edits,
    table: &DefensiveTable,
    bytes: &[u8],
    meta: Meta,
) -> (Option<RuleId>, Verdict) {
    let packet = Packet::parse(bytes, meta);
    let Some(p) = Selectors::of(&packet) else {
        return (None, Verdict::Drop(IMPLIED_DENY));
    };
    if table.look_up(&p, meta.now.mono).blocked.is_some() {
        return (None, Verdict::Drop(DEFENSIVE_BLOCKED));
    }
    let in_force = set.in_force(meta.now.wall, &());
    let gone: Vec<usize> = edits.removed().collect();
    let added: Vec<(usize, &Rule)> = edits.added().collect();
    let n = set.rules().len();
    let mut order = Vec::new();
    for position in 0..=n {
        for (place, (before, rule)) in added.iter().enumerate() {
            if *before == position {
                order.push((n + place, *rule));
            }
        }
        if let Some(rule) = set.rules().get(position)
            && in_force.contains(position)
            && !gone.contains(&position)
        {
            order.push((position, rule));
        }
    }
    let Some((at, rule)) = order.into_iter().find(|(_, r)| r.matches(&p)) else {
        return (None, Verdict::Drop(IMPLIED_DENY));
    };
    let id = RuleId(at as u32);
    let verdict = match rule.action {
        Action::Permit => Verdict::Continue,
        Action::Deny => Verdict::Drop(DENIED),
        Action::Ipsec(tunnel) if meta.point == Point::LocalOut || meta.point == Point::Egress => {
            Verdict::Protect { tunnel, rule: id }
        }
        Action::Ipsec(_) | _ => Verdict::Drop(NOT_THROUGH_TUNNEL),
    };
    (Some(id), verdict)
}

fn run(u: &mut Unstructured<'_>) -> Arbitrary<()> {
    let mut times = Vec::new();
    for minute in 13..=17 {
        for long in [1, 2] {
            let mut time = TimeCondition::default();
            time.zone = Zone::Utc;
            time.times = vec![TimeOfDay::new(14 * 60 + minute, 14 * 60 + minute + long).unwrap()];
            times.push(Arc::new(time));
        }
    }
    let config = GuardConfig {
        fragments: None,
        flows: FlowConfig {
            capacity: if u.ratio(1, 4)? { 8 } else { 512 },
            ..FlowConfig::default()
        },
        ..GuardConfig::default()
    };
    let mut now = 0;
    let mut set = rules(u, &times)?;
    let mut edits = Edits::default();
    let mut guard = Guard::new(config, HashKey::new([5; 16])).filter(Filter::new(Arc::clone(&set)));
    let mut defense = Defense::new();
    let configs = [(STACK.into(), DefenseConfig::default())].into();
    defense
        .handle(Request::Refresh(configs), at(0), &mut ())
        .unwrap();
    let mut table = defense.table(STACK).unwrap();
    let mut known: Vec<Vec<u8>> = Vec::new();
    for _ in 0..120 {
        if u.is_empty() {
            break;
        }
        let filter = guard.filter_mut().unwrap();
        match u.int_in_range(0..=39)? {
            0 | 1 => {
                set = rules(u, &times)?;
                edits = Edits::default();
                filter.install(Arc::clone(&set));
            }
            2 => {
                // Another filter in its place, with an epoch of its own.
                set = rules(u, &times)?;
                edits = Edits::default();
                *filter = Filter::new(Arc::clone(&set));
                filter.install_defensive(Arc::clone(&table), at(now), &mut ());
            }
            3 | 4 => {
                let position = u.int_in_range(0..=set.rules().len())?;
                let mut rule = rule(u, &times)?;
                rule.times.clear();
                edits = edits.insert(&set, position, rule).unwrap();
                filter.edit(Arc::new(edits.clone()));
            }
            5 | 6 if !set.rules().is_empty() => {
                let position = u.int_in_range(0..=set.rules().len() - 1)?;
                edits = edits.remove(&set, position).unwrap();
                filter.edit(Arc::new(edits.clone()));
            }
            7 => {
                set = Arc::new(set.with_edits(&edits, 20));
                edits = Edits::default();
                filter.install(Arc::clone(&set));
            }
            8 | 9 => {
                let add = Request::Add {
                    target: Target::Stack(STACK.into()),
                    filter: defensive(u)?,
                };
                let _ = defense.handle(add, at(now), &mut ());
                table = defense.table(STACK).unwrap();
                filter.install_defensive(Arc::clone(&table), at(now), &mut ());
            }
            10 => {
                let delete = Request::Delete {
                    target: Target::Stack(STACK.into()),
                    selection: Selection::All,
                };
                let _ = defense.handle(delete, at(now), &mut ());
                table = defense.table(STACK).unwrap();
                filter.install_defensive(Arc::clone(&table), at(now), &mut ());
            }
            11..=14 => now += u.int_in_range(1..=30)?,
            _ => {}
        }
        let mut frames = Vec::new();
        let mut metas = Vec::new();
        let mut wanted = Vec::new();
        for _ in 0..u.int_in_range(1..=6)? {
            let bytes = if !known.is_empty() && u.ratio(2, 3)? {
                u.choose(&known)?.clone()
            } else {
                let bytes = packet(u)?;
                known.push(bytes.clone());
                bytes
            };
            let point = *u.choose(&[
                Point::LocalIn,
                Point::LocalIn,
                Point::LocalOut,
                Point::Forward,
                Point::Egress,
            ])?;
            let mut meta = Meta::new(point, at(now)).with_security_class(u.int_in_range(0..=2)?);
            if u.ratio(1, 4)? {
                meta = meta.with_routing(Routing::Routed);
            }
            if u.ratio(1, 6)? {
                meta = meta.with_sa(SaId(1));
            }
            wanted.push(expected(&set, &edits, &table, &bytes, meta));
            let mut frame = VecFrame::new(0, 256);
            frame.set(&bytes);
            frames.push(frame);
            metas.push(meta);
        }
        if u.arbitrary()? {
            let mut verdicts = vec![Verdict::Consumed; frames.len()];
            guard.batch(&mut frames, &metas, &mut verdicts, &mut ());
            let wanted: Vec<Verdict> = wanted.iter().map(|w| w.1).collect();
            assert_eq!(verdicts, wanted);
        } else {
            for ((frame, meta), wanted) in frames.iter_mut().zip(metas).zip(wanted) {
                let verdict = guard.packet(frame, meta, &mut ());
                assert_eq!((guard.last_rule(), verdict), wanted, "{meta:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_guard_decides_as_the_rules_read_in_order() {
    arbtest::arbtest(run)
        .size_min(16_384)
        .budget_ms(2_000)
        .run();
}
