//! What a flow remembers equals what a look-up says, whatever changes in between.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing test may panic"
)]

use std::sync::Arc;

use hostward_filter::defensive::{
    Answer, Defense, DefenseConfig, DefensiveFilter, Request, Target,
};
use hostward_filter::{
    Action, AddressSpec, Connect, DEFENSIVE_BLOCKED, Filter, Remembered, Rule, RuleRouting,
    RuleSet, TimeCondition, TimeOfDay, Tunnels, Upper, Zone,
};
use hostward_hook::action::Cx;
use hostward_hook::flow::Note;
use hostward_hook::ident::{SaId, TunnelId};
use hostward_hook::layout::proto;
use hostward_hook::meta::{Meta, Point, Routing};
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_hook::{Packet, PacketFilter, Side, Verdict};

const A: [u8; 4] = [10, 0, 0, 9];
const B: [u8; 4] = [192, 0, 2, 1];

fn packet(from: ([u8; 4], u16), to: ([u8; 4], u16), protocol: u8, flags: u8) -> Vec<u8> {
    let mut p = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    p.extend(from.0);
    p.extend(to.0);
    p.extend(from.1.to_be_bytes());
    p.extend(to.1.to_be_bytes());
    // A TCP header, or a UDP one of 20 bytes with its data.
    if protocol == proto::UDP {
        p.extend([0, 20, 0, 0]);
        p.extend([0; 12]);
    } else {
        p.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0]);
    }
    p
}

fn at(seconds: u64) -> Now {
    Now::new(
        Instant::from_secs(seconds),
        UnixTime::from_secs(1_790_000_000 + seconds),
    )
}

/// Decides with and without what the flow remembers, with and without its notes; all must agree.
struct Twice {
    noted: Filter,
    notes: [Note; 2],
    noted_slot: Remembered,
    flow: Filter,
    bare: Filter,
    slot: Remembered,
    /// How many packets a note decided.
    by_note: usize,
}

#[derive(Debug)]
struct Tunnel;

impl Tunnels for Tunnel {
    fn tunnel_of(&self, sa: SaId) -> Option<TunnelId> {
        (sa == SaId(1)).then_some(TunnelId(0))
    }
}

impl Twice {
    fn new(rules: Vec<Rule>) -> Self {
        let filter = Filter::new(Arc::new(RuleSet::new(rules, 1))).tunnels(Arc::new(Tunnel));
        Self {
            noted: filter.clone(),
            notes: [Note::default(); 2],
            noted_slot: Remembered::default(),
            flow: filter.clone(),
            bare: filter,
            slot: Remembered::default(),
            by_note: 0,
        }
    }

    fn each(&mut self, change: impl Fn(&mut Filter)) {
        change(&mut self.noted);
        change(&mut self.flow);
        change(&mut self.bare);
    }

    fn decide(&mut self, bytes: &[u8], meta: Meta, side: Side) -> Verdict {
        let packet = Packet::parse(bytes, meta);
        let slot = Some((side, &mut self.slot));
        let remembered = self
            .flow
            .decide(&mut Cx::new(meta.now, &mut (), &mut ()), &packet, slot);
        let looked_up = self
            .bare
            .decide(&mut Cx::new(meta.now, &mut (), &mut ()), &packet, None);
        assert_eq!(remembered, looked_up, "{meta:?} {side:?}");
        let (mut events, mut actions) = ((), ());
        let mut cx = Cx::new(meta.now, &mut events, &mut actions);
        let note = &mut self.notes[side.index()];
        let noted = self.noted.decide_noted(&mut cx, &packet, *note);
        self.by_note += usize::from(noted.is_some());
        let noted = noted.unwrap_or_else(|| {
            let slot = Some((side, &mut self.noted_slot));
            let verdict = self.noted.decide(&mut cx, &packet, slot);
            *note = self.noted.note(&self.noted_slot, side).unwrap_or(*note);
            verdict
        });
        assert_eq!(noted, looked_up, "by note: {meta:?} {side:?}");
        assert_eq!(self.noted.hits(), self.bare.hits());
        assert_eq!(
            self.flow.hits(),
            self.bare.hits(),
            "every packet is counted"
        );
        remembered
    }
}

fn inbound(now: Now) -> Meta {
    Meta::new(Point::LocalIn, now)
}

fn spec(s: &str) -> AddressSpec {
    s.parse().unwrap()
}

#[test]
fn a_new_rule_set_counts_for_the_next_packet_of_a_known_flow() {
    let mut both = Twice::new(vec![Rule::new("all", Action::Permit)]);
    let data = packet((A, 4000), (B, 80), 6, 0x18);
    for _ in 0..3 {
        let verdict = both.decide(&data, inbound(at(0)), Side::Initiator);
        assert_eq!(verdict, Verdict::Continue);
    }
    assert_eq!(both.by_note, 2, "a quiet permit is noted at once");
    let deny = Arc::new(RuleSet::new(vec![Rule::new("none", Action::Deny)], 2));
    both.each(|f| f.install(Arc::clone(&deny)));
    assert!(
        both.decide(&data, inbound(at(0)), Side::Initiator)
            .is_refused()
    );
    both.each(|f| f.use_defaults(true));
    assert!(
        both.decide(&data, inbound(at(0)), Side::Initiator)
            .is_refused()
    );
    assert_eq!(both.flow.implied_denies(), 1);
}

#[test]
fn a_time_condition_that_flips_counts_for_the_next_packet() {
    let mut minute = TimeCondition::default();
    minute.zone = Zone::Utc;
    // 1,790,000,000 is 14:13:20 UTC.
    minute.times = vec![TimeOfDay::new(14 * 60 + 14, 14 * 60 + 15).unwrap()];
    let mut both = Twice::new(vec![
        Rule::new("minute", Action::Deny).during(minute),
        Rule::new("all", Action::Permit),
    ]);
    let data = packet((A, 4000), (B, 80), 6, 0x18);
    let refused: Vec<_> = (0..150)
        .filter(|s| {
            both.decide(&data, inbound(at(*s)), Side::Initiator)
                .is_refused()
        })
        .collect();
    assert_eq!(refused, (40..100).collect::<Vec<_>>());
}

#[test]
fn a_defensive_filter_counts_for_the_next_packet_until_it_expires() {
    let mut both = Twice::new(vec![Rule::new("all", Action::Permit)]);
    let data = packet((A, 4000), (B, 80), 6, 0x18);
    assert_eq!(
        both.decide(&data, inbound(at(0)), Side::Initiator),
        Verdict::Continue
    );
    let mut defense = Defense::new();
    let configs = [("A".into(), DefenseConfig::default())].into();
    defense
        .handle(Request::Refresh(configs), at(0), &mut ())
        .unwrap();
    let request = Request::Add {
        target: Target::Stack("A".into()),
        filter: DefensiveFilter::new("f")
            .source(spec("10.0.0.0/24"))
            .lifetime(1),
    };
    let added = defense.handle(request, at(0), &mut ()).unwrap();
    assert!(matches!(added, Answer::Added { .. }));
    let table = defense.table("A").unwrap();
    both.each(|f| f.install_defensive(Arc::clone(&table), at(0), &mut ()));
    let blocked = Verdict::Drop(DEFENSIVE_BLOCKED);
    assert_eq!(both.decide(&data, inbound(at(0)), Side::Initiator), blocked);
    assert_eq!(
        both.decide(&data, inbound(at(59)), Side::Initiator),
        blocked
    );
    assert_eq!(
        both.decide(&data, inbound(at(60)), Side::Initiator),
        Verdict::Continue
    );
}

#[test]
fn the_tunnel_is_looked_at_for_every_packet() {
    let mut both = Twice::new(vec![Rule::new("vpn", Action::Ipsec(TunnelId(0)))]);
    let data = packet((A, 4000), (B, 80), 6, 0x18);
    let through = inbound(at(0)).with_sa(SaId(1));
    for _ in 0..2 {
        assert_eq!(
            both.decide(&data, through, Side::Initiator),
            Verdict::Continue
        );
        // The same flow in the clear, or through another tunnel: its association went away.
        assert!(
            both.decide(&data, inbound(at(0)), Side::Initiator)
                .is_refused()
        );
        let other = inbound(at(0)).with_sa(SaId(2));
        assert!(both.decide(&data, other, Side::Initiator).is_refused());
    }
}

/// Packets of one flow in every circumstance, in any order, with changes in between.
#[test]
fn remembered_equals_looked_up() {
    arbtest::arbtest(|u| {
        let mut rules = Vec::new();
        for n in 0..u.int_in_range(1..=12)? {
            let action = if u.arbitrary()? {
                Action::Permit
            } else {
                Action::Deny
            };
            let mut rule = Rule::new(format!("r{n}"), action);
            rule = match u.int_in_range(0..=4)? {
                0 => rule.upper(Upper::tcp(80..=80)),
                1 => rule.upper(Upper::Protocol(51)),
                2 => rule.upper(Upper::tcp(0..=65_535)).connect(Connect::Inbound),
                3 => rule
                    .upper(Upper::tcp(0..=65_535))
                    .connect(Connect::Outbound),
                _ => rule,
            };
            rule = match u.int_in_range(0..=3)? {
                0 => rule.source(spec("10.0.0.0/24")),
                1 => rule.destination(spec("10.0.0.0/24")),
                2 => rule.security_class(1),
                _ => rule,
            };
            rule = match u.int_in_range(0..=2)? {
                0 => rule.routing(RuleRouting::Either),
                1 => rule.routing(RuleRouting::Routed),
                _ => rule,
            };
            if u.ratio(1, 4)? {
                rule = rule.fragments_only();
            }
            if u.ratio(1, 4)? {
                let mut odd = TimeCondition::default();
                odd.times = vec![TimeOfDay::new(14 * 60 + 14, 14 * 60 + 15).unwrap()];
                rule = rule.during(odd);
            }
            rules.push(rule);
        }
        let sets = [
            Arc::new(RuleSet::new(rules[..rules.len() / 2].to_vec(), 2)),
            Arc::new(RuleSet::new(rules.clone(), 3)),
        ];
        let mut both = Twice::new(rules);
        for _ in 0..60 {
            if u.ratio(1, 20)? {
                let set = u.choose(&sets)?;
                both.each(|f| f.install(Arc::clone(set)));
            }
            let (a, b) = ((A, 4000), (B, 80));
            let side = if u.arbitrary()? {
                Side::Initiator
            } else {
                Side::Responder
            };
            let (from, to) = if side == Side::Initiator {
                (a, b)
            } else {
                (b, a)
            };
            let flags = *u.choose(&[0x02, 0x12, 0x18, 0x11])?;
            let mut bytes = packet(from, to, 6, flags);
            if u.ratio(1, 5)? {
                // The same connection inside an authentication header that nobody opened.
                let ah = [
                    6, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                ];
                bytes.splice(20..20, ah);
                (bytes[3], bytes[9]) = (64, 51);
            }
            let point = *u.choose(&[Point::LocalIn, Point::LocalOut, Point::Forward])?;
            let mut meta = Meta::new(point, at(u.int_in_range(0..=120)?));
            meta = meta.with_security_class(u.int_in_range(0..=2)?);
            if u.ratio(1, 4)? {
                meta = meta.with_routing(Routing::Routed);
            }
            let _ = both.decide(&bytes, meta, side);
        }
        Ok(())
    })
    .size_min(4_096)
    .budget_ms(1_500)
    .run();
}
