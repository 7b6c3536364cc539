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
    Action, AddressSpec, Connect, DEFENSIVE_BLOCKED, DENIED, Edits, Filter, Header, IMPLIED_DENY,
    NOT_THROUGH_TUNNEL, Opening, Rule, RuleDirection, RuleRouting, RuleSet, Selectors,
    TimeCondition, TimeOfDay, Tunnels, UNEXPECTED_TUNNEL, Upper, Zone,
};
use hostward::hook::flow::{FlowConfig, HashKey};
use hostward::hook::frame::VecFrame;
use hostward::hook::ident::{RuleId, SaId, TunnelId};
use hostward::hook::meta::{Direction, Routing};
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

/// Associations 1 and 2 are of tunnels 0 and 1, 3 of one that no rule can name, 4 none of the
/// policy's.
#[derive(Debug)]
struct Known;

impl Tunnels for Known {
    fn tunnel_of(&self, sa: SaId) -> Option<TunnelId> {
        matches!(sa, SaId(1 | 2)).then(|| TunnelId(sa.0 - 1))
    }

    fn concerns_rules(&self, sa: SaId) -> bool {
        sa != SaId(4)
    }
}

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
        0 | 1 => Action::Ipsec(TunnelId(u.int_in_range(0..=1)?)),
        2..=5 => Action::Permit,
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
    if u.ratio(1, 2)? {
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

/// A packet, and what it quotes as far as that can be an error's cause: in no direction and on no
/// way yet.
#[derive(Clone)]
struct Sent {
    bytes: Vec<u8>,
    quoted: Option<Selectors>,
    fragment: bool,
}

fn sent(u: &mut Unstructured<'_>) -> Arbitrary<Sent> {
    if u.ratio(1, 4)? {
        return icmp_error(u);
    }
    let (bytes, fragment) = packet(u)?;
    Ok(Sent {
        bytes,
        quoted: None,
        fragment,
    })
}

fn ip(v6: bool, from: u8, to: u8, protocol: u8, word: u16, upper: &[u8]) -> Vec<u8> {
    let mut p = Vec::new();
    if v6 {
        p.extend([0x60, 0, 0, 0, 0, upper.len() as u8, protocol, 64]);
        for end in [from, to] {
            p.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end]);
        }
    } else {
        let [a, b] = word.to_be_bytes();
        p.extend([0x45, 0, 0, 20 + upper.len() as u8, 0, 7, a, b, 64, protocol]);
        p.extend([0, 0, 10, 0, 0, from, 10, 0, 0, to]);
    }
    p.extend(upper);
    p
}

/// What looks like an ICMP error, and is one most of the time.
fn icmp_error(u: &mut Unstructured<'_>) -> Arbitrary<Sent> {
    let v6 = u.ratio(1, 3)?;
    let end = |u: &mut Unstructured<'_>| u.int_in_range(0..=3_u8);
    let (router, from, to) = (end(u)?, end(u)?, end(u)?);
    let icmp = if v6 { 58 } else { 1 };
    let errors: &[u8] = if v6 { &[1, 2, 3, 4] } else { &[3, 4, 11, 12] };
    let kind = if u.ratio(1, 8)? {
        *u.choose(&[0, 5, 8, 128, 137])?
    } else {
        *u.choose(errors)?
    };
    let goes_back = !u.ratio(1, 8)?;
    let protocol = *u.choose(&[6, 6, 6, 17, icmp, 89])?;
    let [a, b] = [u.int_in_range(1..=4_u8)?, u.int_in_range(1..=4_u8)?];
    let flags = *u.choose(&[0x02, 0x10])?;
    let mut upper = match protocol {
        6 => vec![
            0, a, 0, b, 0, 0, 0, 0, 0, 0, 0, 1, 0x50, flags, 4, 0, 0, 0, 0, 0,
        ],
        17 => vec![0, a, 0, b, 0, 8, 0, 0],
        _ => vec![a - 1, b - 1, 0, 0, 0, 0, 0, 1],
    };
    // Later fragments and first ones.
    let word = match u.int_in_range(0..=9)? {
        0 if !v6 => 2,
        1 if !v6 => 0x2000,
        _ => 0,
    };
    let later = word == 2;
    let mut quote = ip(v6, from, to, protocol, word, &upper);
    if u.ratio(1, 2)? {
        let cut = u.int_in_range(0..=upper.len())?;
        quote.truncate(quote.len() - upper.len() + cut);
        upper.truncate(cut);
    }
    let ends = Packet::parse(&quote, Meta::default());
    let header = match (protocol, &upper[..]) {
        _ if later => Header::Unknown,
        (6 | 17, [_, _, _, _, ..]) => Header::Ports(a.into(), b.into()),
        (89, [_, _, ..]) => Header::Type(b - 1),
        (1 | 58, [_, _, _, _, _, _, _, _]) => Header::Icmp(a - 1, b - 1),
        _ => Header::Unknown,
    };
    let opening = match upper.get(13) {
        Some(2) if protocol == 6 && !later => Opening::Opens,
        Some(_) if protocol == 6 && !later => Opening::Continues,
        _ => Opening::Unknown,
    };
    let of_error = protocol == icmp && (header == Header::Unknown || errors.contains(&(a - 1)));
    let quoted = (goes_back && errors.contains(&kind) && !of_error).then_some(Selectors {
        source: ends.source().unwrap(),
        destination: ends.destination().unwrap(),
        protocol: Some(protocol),
        header,
        fragment: word != 0,
        opening,
        direction: Direction::Inbound,
        routing: Routing::Local,
        security_class: 0,
    });
    let mut upper = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    upper.extend(quote);
    let back = if goes_back { from } else { from ^ 1 };
    Ok(Sent {
        bytes: ip(v6, router, back, icmp, 0, &upper),
        quoted,
        fragment: false,
    })
}

/// An IP packet between few ends, of every kind that rules tell apart, and whether it is a
/// fragment.
fn packet(u: &mut Unstructured<'_>) -> Arbitrary<(Vec<u8>, bool)> {
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
    let mut word = offset | u16::from(more) << 13;
    if v6 && (word != 0 || u.ratio(1, 12)?) {
        let [a, b] = (offset << 3 | u16::from(more)).to_be_bytes();
        upper.splice(0..0, [first, 0, a, b, 0, 0, 0, 9]);
        first = 44;
        word = 0;
    }
    let fragment = offset != 0 || more;
    Ok((ip(v6, from, to, first, word, &upper), fragment))
}

/// What must come out: rule and verdict.
fn expected(
    set: &RuleSet,
    edits: &Edits,
    table: &DefensiveTable,
    sent: &Sent,
    meta: Meta,
) -> (Option<RuleId>, Verdict) {
    let packet = Packet::parse(&sent.bytes, meta);
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
    let outbound = meta.point == Point::LocalOut || meta.point == Point::Egress;
    // Through which tunnel it came, if through any that counts.
    let through = match meta.sa {
        Some(SaId(n)) if !outbound && n != 4 => Some(n),
        _ => None,
    };
    let first = |p: &Selectors| order.iter().find(|(_, r)| r.matches(p));
    let Some((at, rule)) = first(&p) else {
        let mut excused = None;
        if let Some(quoted) = sent.quoted {
            let quoted = Selectors {
                direction: if outbound {
                    Direction::Inbound
                } else {
                    Direction::Outbound
                },
                routing: meta.routing,
                security_class: meta.security_class,
                ..quoted
            };
            excused = first(&quoted);
        }
        return match excused {
            Some((at, rule)) => {
                let id = RuleId(*at as u32);
                match rule.action {
                    Action::Ipsec(tunnel) if outbound => {
                        (Some(id), Verdict::Protect { tunnel, rule: id })
                    }
                    Action::Ipsec(TunnelId(n)) if through == Some(n + 1) => {
                        (Some(id), Verdict::Continue)
                    }
                    Action::Ipsec(_) | Action::Permit | Action::Deny | _ => {
                        (None, Verdict::Drop(IMPLIED_DENY))
                    }
                }
            }
            None => (None, Verdict::Drop(IMPLIED_DENY)),
        };
    };
    let id = RuleId(*at as u32);
    let verdict = match (rule.action, through) {
        (Action::Ipsec(tunnel), _) if outbound => Verdict::Protect { tunnel, rule: id },
        (Action::Ipsec(TunnelId(n)), Some(sa)) if sa == n + 1 => Verdict::Continue,
        (Action::Ipsec(_), _) => Verdict::Drop(NOT_THROUGH_TUNNEL),
        (_, Some(_)) => Verdict::Drop(UNEXPECTED_TUNNEL),
        (Action::Permit, None) => Verdict::Continue,
        (Action::Deny | _, None) => Verdict::Drop(DENIED),
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
    // A guard that puts fragments together does so for those of local traffic only.
    let joins = u.arbitrary()?;
    let fragments = GuardConfig::default().fragments.filter(|_| joins);
    let config = GuardConfig {
        fragments,
        flows: FlowConfig {
            capacity: if u.ratio(1, 4)? { 8 } else { 512 },
            ..FlowConfig::default()
        },
        ..GuardConfig::default()
    };
    let mut now = 0;
    let mut set = rules(u, &times)?;
    let mut edits = Edits::default();
    let mut guard = Guard::new(config, HashKey::new([5; 16]))
        .filter(Filter::new(Arc::clone(&set)).tunnels(Arc::new(Known)));
    let mut defense = Defense::new();
    let configs = [(STACK.into(), DefenseConfig::default())].into();
    defense
        .handle(Request::Refresh(configs), at(0), &mut ())
        .unwrap();
    let mut table = defense.table(STACK).unwrap();
    let mut known: Vec<Sent> = Vec::new();
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
                *filter = Filter::new(Arc::clone(&set)).tunnels(Arc::new(Known));
                filter.install_defensive(Arc::clone(&table), at(now), &mut ());
            }
            3 | 4 => {
                let position = u.int_in_range(0..=set.rules().len())?;
                let mut rule = rule(u, &times)?;
                rule.times.clear();
                edits = edits.insert(&set, position, rule).unwrap();
                filter.edit(Arc::new(edits.clone())).unwrap();
            }
            5 | 6 if !set.rules().is_empty() => {
                let position = u.int_in_range(0..=set.rules().len() - 1)?;
                edits = edits.remove(&set, position).unwrap();
                filter.edit(Arc::new(edits.clone())).unwrap();
            }
            7 => {
                set = Arc::new(set.with_edits(&edits, 20).unwrap());
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
            let sent = if !known.is_empty() && u.ratio(2, 3)? {
                u.choose(&known)?.clone()
            } else {
                let sent = sent(u)?;
                known.push(sent.clone());
                sent
            };
            let point = *u.choose(&[
                Point::LocalIn,
                Point::LocalIn,
                Point::LocalOut,
                Point::Forward,
                Point::Egress,
            ])?;
            let mut meta = Meta::new(point, at(now)).with_security_class(u.int_in_range(0..=2)?);
            if u.ratio(1, 4)? || joins && sent.fragment {
                meta = meta.with_routing(Routing::Routed);
            }
            if u.ratio(1, 3)? {
                meta = meta.with_sa(SaId(u.int_in_range(1..=4)?));
            }
            wanted.push(expected(&set, &edits, &table, &sent, meta));
            let mut frame = VecFrame::new(0, 256);
            frame.set(&sent.bytes);
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
