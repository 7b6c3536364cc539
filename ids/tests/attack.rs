//! The attacks of one packet: for each type a packet that is one and one like it that is not, by the
//! rule of the type alone; caps, correlators, statistics, traces, defensive filters, log lines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

#[path = "../../hook/tests/packets/mod.rs"]
mod packets;

use std::time::Duration;

use hostward_hook::action::{Action, ActionQueue, Cx};
use hostward_hook::event::{Class, Event, EventQueue, EventSink, OwnedEvent, OwnedValue};
use hostward_hook::fragment::FragmentReassembler;
use hostward_hook::meta::{Checksums, Meta, Point, Routing};
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_hook::{Code, Packet, PacketHook, Timers, Verdict};
use hostward_ids::codes::*;
use hostward_ids::event::{AttackPacket, Told};
use hostward_ids::message::{Message, console, trace_comment};
use hostward_ids::policy::*;
use hostward_ids::{Config, Ids};
use packets::*;

fn at(seconds: u64) -> Now {
    Now::from_wall(UnixTime::from_secs(seconds))
}

fn received(seconds: u64) -> Meta {
    Meta::new(Point::LocalIn, at(seconds)).with_checksums(Checksums::Verified)
}

fn with(rules: Vec<AttackRule>) -> Ids {
    let policy = Policy {
        attacks: rules,
        ..Policy::none()
    };
    policy.check().unwrap();
    Ids::new(Config {
        policy,
        ..Config::default()
    })
}

fn rule(attack: Attack, respond: bool) -> AttackRule {
    AttackRule {
        respond,
        ..AttackRule::new("rule", attack)
    }
}

fn judge(ids: &mut Ids, bytes: &[u8], meta: Meta) -> (Verdict, Vec<OwnedEvent>) {
    let mut events = EventQueue::new(100);
    let mut actions = ();
    let mut cx = Cx::new(meta.now, &mut events, &mut actions);
    let verdict = ids.before(&mut cx, &Packet::parse(bytes, meta));
    (verdict, events.iter().cloned().collect())
}

fn set(values: &[u8]) -> NumberSet {
    values.iter().copied().collect()
}

fn udp_ports(source: u16, destination: u16) -> Vec<u8> {
    let mut d = udp(b"x");
    d[..2].copy_from_slice(&source.to_be_bytes());
    d[2..4].copy_from_slice(&destination.to_be_bytes());
    v4(17, &[], &d)
}

fn ee(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut d = udp(payload);
    d[..2].copy_from_slice(&12_000_u16.to_be_bytes());
    d[2..4].copy_from_slice(&port.to_be_bytes());
    v4(17, &[], &d)
}

/// An ICMP error of either version that quotes a packet of this host with another source.
fn quote(v6_: bool, source_last: u8) -> Vec<u8> {
    if v6_ {
        let mut inner = v6(17, &udp(b"x"));
        // The addresses change places in the quote.
        inner[23] = 2;
        inner[39] = 1;
        inner[23] = source_last;
        v6(58, &icmp(1, 4, &inner))
    } else {
        let mut inner = v4(17, &[], &udp(b"x"));
        inner[12..16].copy_from_slice(&[198, 51, 100, source_last]);
        inner[16..20].copy_from_slice(&[192, 0, 2, 1]);
        v4(1, &[], &icmp(3, 3, &inner))
    }
}

type Case = (Attack, Code, Vec<u8>, Vec<u8>);

fn cases() -> Vec<Case> {
    let echo = Attack::PerpetualEcho {
        local: vec![7..=7, 19..=19],
        remote: vec![7..=7, 17..=19],
    };
    let hiding = |options, quotes| Attack::DataHiding { options, quotes };
    let hop = |body: &[u8]| v6(0, &join(&[&extension(17, body), &udp(b"x")]));
    let dst = |body: &[u8]| v6(60, &join(&[&extension(17, body), &udp(b"x")]));
    let early = Attack::IpFragment { early: true };
    let long = vec![0; 256];
    vec![
        (
            Attack::IcmpRedirect,
            REDIRECT,
            v4(1, &[], &icmp(5, 1, &v4(17, &[], &udp(b"x")))),
            v4(1, &[], &icmp(8, 0, b"x")),
        ),
        (
            Attack::RestrictedIpOptions(set(&[131, 137, 7])),
            RESTRICTED_OPTION,
            v4(17, &[131, 3, 4, 0], &udp(b"x")),
            v4(17, &[148, 4, 0, 0], &udp(b"x")),
        ),
        (
            Attack::RestrictedIpOptions(set(&[7])),
            RESTRICTED_OPTION,
            v4(17, &[1, 7, 3, 4], &udp(b"x")),
            v4(17, &[68, 8, 5, 0, 7, 7, 7, 7], &udp(b"x")),
        ),
        (
            Attack::RestrictedIpOptions(set(&[1])),
            RESTRICTED_OPTION,
            v4(17, &[1, 1, 1, 0], &udp(b"x")),
            v4(17, &[148, 4, 1, 1], &udp(b"x")),
        ),
        (
            Attack::RestrictedIpProtocol(set(&[47, 103])),
            RESTRICTED_PROTOCOL,
            v4(103, &[], &[0; 8]),
            v4(17, &[], &udp(b"x")),
        ),
        (
            Attack::RestrictedIpProtocol(set(&[51])),
            RESTRICTED_PROTOCOL,
            v4(51, &[], &join(&[&ah(17), &udp(b"x")])),
            v4(17, &[], &udp(b"x")),
        ),
        (
            Attack::RestrictedIpv6NextHeader(set(&[43, 103])),
            RESTRICTED_NEXT_HEADER,
            v6(60, &join(&[&padding(103), &[0; 8]])),
            v6(60, &join(&[&padding(17), &udp(b"x")])),
        ),
        (
            Attack::RestrictedIpv6NextHeader(set(&[60])),
            RESTRICTED_NEXT_HEADER,
            v6(60, &join(&[&padding(17), &udp(b"x")])),
            v6(0, &join(&[&padding(17), &udp(b"x")])),
        ),
        (
            Attack::RestrictedIpv6NextHeader(set(&[44])),
            RESTRICTED_NEXT_HEADER,
            v6(44, &join(&[&fragment_header(17, 9), &[0; 16]])),
            v6(17, &udp(b"x")),
        ),
        (
            Attack::RestrictedIpv6DestinationOptions(set(&[0x1e])),
            RESTRICTED_DESTINATION_OPTION,
            dst(&[0x1e, 4, 0, 0, 0, 0]),
            hop(&[0x1e, 4, 0, 0, 0, 0]),
        ),
        (
            Attack::RestrictedIpv6HopOptions(set(&[5])),
            RESTRICTED_HOP_OPTION,
            hop(&[5, 2, 0, 0, 1, 0]),
            dst(&[5, 2, 0, 0, 1, 0]),
        ),
        (
            echo.clone(),
            PERPETUAL_ECHO,
            udp_ports(7, 19),
            udp_ports(7, 13),
        ),
        (echo, PERPETUAL_ECHO, udp_ports(18, 7), udp_ports(20, 7)),
        (
            hiding(true, false),
            PADDING_CONTENT,
            v4(17, &[0, 0, 1, 2], &udp(b"x")),
            v4(17, &[0, 0, 0, 0], &udp(b"x")),
        ),
        (
            hiding(true, false),
            PADDING_CONTENT,
            dst(&[1, 4, 0, 0, 9, 0]),
            dst(&[1, 4, 0, 0, 0, 0]),
        ),
        (
            hiding(true, false),
            PADDING_LENGTH,
            dst(&[1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            dst(&[0x1e, 4, 0, 0, 0, 0]),
        ),
        (
            hiding(false, true),
            QUOTE_IMPLAUSIBLE,
            quote(false, 9),
            quote(false, 2),
        ),
        (
            hiding(false, true),
            QUOTE_IMPLAUSIBLE,
            quote(true, 9),
            quote(true, 2),
        ),
        (
            early.clone(),
            FRAGMENT_EARLY,
            v4_fragment(17, 0x2000, &udp(&[0; 240])),
            v4_fragment(17, 0x2000, &udp(&[0; 248])),
        ),
        (
            early,
            FRAGMENT_EARLY,
            v6(44, &join(&[&fragment_header(17, 1), &udp(&[0; 40])])),
            v6(44, &join(&[&fragment_header(17, 248 | 1), &long])),
        ),
        (
            Attack::EePortCheck,
            EE_PORT,
            udp_ports(8000, 12_000),
            ee(12_000, &[4, 4, 0xbf, 0]),
        ),
        (
            Attack::EeMalformedPacket,
            EE_MALFORMED,
            ee(12_000, &[4, 4]),
            ee(12_000, &[4, 4, 0xaf, 0]),
        ),
        (
            Attack::EeMalformedPacket,
            EE_MALFORMED,
            ee(12_001, &[4, 4, 3, 0x06, 0]),
            ee(12_001, &[4, 4, 3, 0xc6, 0]),
        ),
        (
            Attack::EeMalformedPacket,
            EE_MALFORMED,
            ee(12_000, &[5, 4, 0xaf, 0]),
            ee(12_000, &[4, 5, 0xe3]),
        ),
        (
            Attack::EeMalformedPacket,
            EE_MALFORMED,
            ee(12_000, &[4, 4, 0x7f, 0]),
            ee(12_000, &[4, 4, 0x53, 0]),
        ),
        (
            Attack::EeLdlcCheck,
            EE_LDLC,
            ee(12_001, &[4, 4, 0xbf, 0]),
            ee(12_000, &[4, 4, 0xbf, 0]),
        ),
        (
            Attack::EeLdlcCheck,
            EE_LDLC,
            ee(12_004, &[4, 4, 3, 0xc6, 0]),
            ee(12_001, &[4, 4, 3, 0xc6, 0]),
        ),
    ]
}

#[test]
fn each_type_has_its_packets_and_no_others() {
    for (n, (attack, code, bad, good)) in cases().into_iter().enumerate() {
        for respond in [false, true] {
            let mut ids = with(vec![rule(attack.clone(), respond)]);
            let (verdict, events) = judge(&mut ids, &bad, received(1));
            let of: Vec<u16> = events.iter().map(|e| e.code.get()).collect();
            assert_eq!(of, [code.get()], "{n}: {attack:?}");
            let expected = if respond {
                Verdict::Drop(code)
            } else {
                Verdict::Continue
            };
            assert_eq!(verdict, expected, "{n}: {attack:?}");
            let kind = attack.kind();
            let e = &events[0];
            assert_eq!(e.field("kind"), Some(&OwnedValue::Str(kind.kind().into())));
            let probe = 0x0400_8000 | (kind as u64) << 16 | u64::from(code.get() - 3000);
            assert_eq!(e.field("probe_id"), Some(&OwnedValue::U64(probe)));
            let action = if respond { "discard" } else { "report" };
            assert_eq!(e.field("action"), Some(&OwnedValue::Str(action.into())));
            assert_eq!(ids.seen(kind).events, 1);
            assert_eq!(ids.seen(kind).discarded, u64::from(respond));
            let (verdict, events) = judge(&mut ids, &good, received(1));
            assert!(
                verdict.is_continue() && events.is_empty(),
                "{n}: {attack:?} {events:?}"
            );
            // Nobody looks at what goes out, and without a rule nobody looks at all.
            let out = Meta::new(Point::LocalOut, at(1)).with_checksums(Checksums::Verified);
            assert!(judge(&mut ids, &bad, out).1.is_empty());
            let (verdict, events) = judge(&mut with(vec![]), &bad, received(1));
            assert!(verdict.is_continue() && events.is_empty());
        }
    }
}

#[test]
fn types_and_names_go_together() {
    for kind in AttackType::ALL {
        assert_eq!(
            AttackType::from_name(&kind.name().to_lowercase()),
            Some(*kind)
        );
        assert_eq!(
            kind.kind(),
            format!("attack.{}", kind.name().to_lowercase())
        );
    }
    assert_eq!(AttackType::from_name("SYN"), None);
    let numbers: Vec<u8> = AttackType::ALL.iter().map(|t| *t as u8).collect();
    assert_eq!(numbers, (1..=0x13).collect::<Vec<_>>());
}

#[test]
fn a_quote_is_not_judged_on_its_way_through() {
    let hiding = Attack::DataHiding {
        options: false,
        quotes: true,
    };
    let mut ids = with(vec![rule(hiding, true)]);
    let meta = Meta::new(Point::Forward, at(1))
        .with_routing(Routing::Routed)
        .with_checksums(Checksums::Verified);
    assert!(judge(&mut ids, &quote(false, 9), meta).0.is_continue());
}

#[test]
fn raw_packets_are_watched_on_their_way_out() {
    let mut ids = with(vec![
        rule(
            Attack::OutboundRaw {
                protocols: set(&[103]),
            },
            true,
        ),
        rule(
            Attack::OutboundRawIpv6 {
                next_headers: set(&[103]),
            },
            true,
        ),
    ]);
    ids.host_mut()
        .set_home(["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
    let raw = Meta::new(Point::LocalOut, at(1))
        .with_checksums(Checksums::Offloaded)
        .with_raw(true);
    let plain = v4(17, &[], &udp(b"x"));
    let plain6 = v6(17, &udp(b"x"));
    for (bytes, code) in [
        (v4(103, &[], &[0; 8]), RAW_PROTOCOL),
        (v6(60, &join(&[&padding(103), &[0; 8]])), RAW_PROTOCOL),
        (patch(plain.clone(), 15, &[9]), RAW_SOURCE),
        (patch(plain6.clone(), 23, &[9]), RAW_SOURCE),
        (v4_fragment(17, 0x2000, &[0; 64]), RAW_FRAGMENT),
        (
            v6(44, &join(&[&fragment_header(17, 1), &udp(&[0; 40])])),
            RAW_FRAGMENT,
        ),
        (v4(1, &[], &icmp(5, 1, &plain)), RAW_REDIRECT),
        (v6(58, &icmp(137, 0, &[0; 32])), RAW_REDIRECT),
        (patch(plain.clone(), 2, &[0, 200]), RAW_HEADER),
        (cut(plain6.clone(), 44), RAW_HEADER),
    ] {
        assert_eq!(
            judge(&mut ids, &bytes, raw).0,
            Verdict::Drop(code),
            "{code}"
        );
        let kind = if bytes[0] >> 4 == 4 {
            AttackType::OutboundRaw
        } else {
            AttackType::OutboundRawIpv6
        };
        assert!(ids.seen(kind).discarded > 0);
        // Not from a raw socket: the stack made it.
        assert!(judge(&mut ids, &bytes, raw.with_raw(false)).0.is_continue());
    }
    for good in [plain, plain6] {
        assert!(judge(&mut ids, &good, raw).0.is_continue());
    }
}

fn push(ids: &mut Ids, r: &mut FragmentReassembler, bytes: &[u8]) -> Vec<u16> {
    let mut events = EventQueue::new(10);
    let meta = received(1);
    let packet = Packet::parse(bytes, meta);
    let _ = r.push(&packet, &mut Cx::new(meta.now, &mut (), &mut ()));
    if let Some((reason, overlap)) = r.told() {
        let mut actions = ();
        let mut cx = Cx::new(meta.now, &mut events, &mut actions);
        let _ = ids.fragment(&mut cx, &packet, reason, overlap);
    }
    events.iter().map(|e| e.code.get()).collect()
}

#[test]
fn overlaps_are_told_once_for_a_datagram() {
    let first = v4_fragment(17, 0x2000, &[1; 64]);
    for (second, code) in [
        (v4_fragment(17, 0x2000 | 4, &[2; 64]), Some(OVERLAP_DIFFERS)),
        (v4_fragment(17, 0x2000 | 4, &[1; 64]), Some(OVERLAP_SAME)),
        (v4_fragment(17, 2, &[1; 8]), Some(OVERLAP_LENGTH)),
        // Once more, and the next one: no overlap.
        (first.clone(), None),
        (v4_fragment(17, 0x2000 | 8, &[1; 64]), None),
    ] {
        let mut ids = with(vec![rule(Attack::IpFragment { early: false }, false)]);
        let mut r = FragmentReassembler::default();
        assert!(push(&mut ids, &mut r, &first).is_empty());
        let told = push(&mut ids, &mut r, &second);
        assert_eq!(told, code.map(Code::get).into_iter().collect::<Vec<_>>());
        if code.is_some() {
            // The datagram is discarded; what follows of it is no news.
            assert!(push(&mut ids, &mut r, &v4_fragment(17, 0x2000 | 4, &[3; 64])).is_empty());
        }
    }
}

#[test]
fn who_is_excluded_is_neither_told_nor_discarded() {
    let mut r = rule(Attack::IcmpRedirect, true);
    r.exclusions = vec![Exclusion {
        remote: AddressRange::prefix("192.0.2.0".parse().unwrap(), 24),
        ..Exclusion::default()
    }];
    let redirect = v4(1, &[], &icmp(5, 1, &v4(17, &[], &udp(b"x"))));
    let mut ids = with(vec![r]);
    let (verdict, events) = judge(&mut ids, &redirect, received(1));
    assert!(verdict.is_continue() && events.is_empty());
    let other = patch(redirect, 14, &[3]);
    assert_eq!(
        judge(&mut ids, &other, received(1)).0,
        Verdict::Drop(REDIRECT)
    );
}

#[test]
fn the_greatest_priority_counts_and_of_equals_the_first() {
    let make = |name: &str, priority, respond| AttackRule {
        rule: Rule {
            priority,
            ..Rule::new(name)
        },
        respond,
        ..AttackRule::new(name, Attack::IcmpRedirect)
    };
    let redirect = v4(1, &[], &icmp(5, 1, &v4(17, &[], &udp(b"x"))));
    for (rules, discards) in [
        (vec![make("a", 1, false), make("b", 2, true)], true),
        (vec![make("a", 2, false), make("b", 2, true)], false),
    ] {
        let verdict = judge(&mut with(rules), &redirect, received(1)).0;
        assert_eq!(!verdict.is_continue(), discards);
    }
}

/// T-19: of 101 packets in five minutes 100 are told and then the number of the others.
#[test]
fn what_is_too_much_is_counted_and_told() {
    let mut ids = with(vec![rule(Attack::IcmpRedirect, false)]);
    let redirect = v4(1, &[], &icmp(5, 1, &v4(17, &[], &udp(b"x"))));
    let mut told = 0;
    for n in 0..101 {
        told += judge(&mut ids, &redirect, received(1000 + n)).1.len();
    }
    assert_eq!(told, 100);
    assert_eq!(ids.next_deadline(), Some(Instant::from_secs(1300)));
    let mut events = EventQueue::new(9);
    for seconds in [1299, 1300, 1301] {
        let now = at(seconds);
        ids.handle_deadline(&mut Cx::new(now, &mut events, &mut ()));
    }
    let suppressed: Vec<_> = events.iter().collect();
    assert_eq!(suppressed.len(), 1);
    assert_eq!(suppressed[0].code, LOG_SUPPRESSED);
    assert_eq!(suppressed[0].field("count"), Some(&OwnedValue::U64(1)));
    assert_eq!(ids.next_deadline(), None);
    assert_eq!(ids.seen(AttackType::IcmpRedirect).events, 101);
}

#[test]
fn statistics_come_at_intervals() {
    let mut r = rule(Attack::IcmpRedirect, true);
    r.rule.reports.statistics = Some(Statistics {
        kind: StatisticsKind::Exception,
        minutes: 2,
    });
    let mut ids = with(vec![r]);
    let redirect = v4(1, &[], &icmp(5, 1, &v4(17, &[], &udp(b"x"))));
    assert_eq!(ids.next_deadline(), Some(Instant::ZERO));
    let tick = |ids: &mut Ids, seconds| {
        let mut events = EventQueue::new(9);
        ids.handle_deadline(&mut Cx::new(at(seconds), &mut events, &mut ()));
        let e = events.pop();
        e.map(|e| {
            (
                e.code,
                e.field("events").cloned(),
                e.field("discarded").cloned(),
            )
        })
    };
    assert_eq!(tick(&mut ids, 100), None);
    let _ = judge(&mut ids, &redirect, received(110));
    assert_eq!(ids.next_deadline(), Some(Instant::from_secs(220)));
    let one = Some(OwnedValue::U64(1));
    assert_eq!(tick(&mut ids, 220), Some((STATISTICS, one.clone(), one)));
    assert_eq!(tick(&mut ids, 340), None, "nothing happened");
}

/// Lines, console messages and traces as the events ask for them.
#[derive(Default)]
struct Lines {
    log: Vec<String>,
    console: Vec<String>,
    traces: Vec<(String, Option<Trace>)>,
}

impl EventSink for Lines {
    fn wants(&self, _: Class) -> bool {
        true
    }

    fn emit(&mut self, event: &Event<'_>) {
        let told = |e: &Event<'_>| -> Option<Told> {
            Some(
                e.detail
                    .as_any()?
                    .downcast_ref::<AttackPacket>()?
                    .told
                    .clone(),
            )
        };
        let told = told(event).unwrap();
        if told.channels.log.is_some() {
            self.log
                .push(Message::of(event, &(), "host.example").unwrap().to_string());
        }
        if told.channels.console {
            self.console.push(console(event, &(), "TCPIP").unwrap());
        }
        if told.channels.trace.is_some() {
            self.traces
                .push((trace_comment(&told), told.channels.trace));
        }
    }
}

#[test]
fn lines_and_traces_share_a_correlator() {
    let mut r = rule(Attack::RestrictedIpOptions(set(&[131])), true);
    r.rule.reports = ReportSet {
        console: Some(1),
        log: Some(4),
        trace: Some(Trace::Bytes(200)),
        ..ReportSet::default()
    };
    r.rule.action = "drop".into();
    let mut ids = with(vec![r]);
    let mut lines = Lines::default();
    let bytes = v4(17, &[131, 3, 4, 0], &udp(b"x"));
    for _ in 0..2 {
        let meta = received(1_783_162_943);
        let _ = ids.before(
            &mut Cx::new(meta.now, &mut lines, &mut ()),
            &Packet::parse(&bytes, meta),
        );
    }
    assert_eq!(
        lines.log[0],
        "EZZ8648I TRMD ATTACK packet discarded:07/04/2026 11:02:23.00,sipaddr=192.0.2.1,\
         dipaddr=198.51.100.2,sport=1000,dport=53,type=IPOPT,proto=17,option=131,fragsize=0,fragoff=0,\
         correlator=1,probeid=04058196,sensorhostname=host.example"
    );
    assert!(lines.log[1].contains("correlator=2,"));
    assert_eq!(
        lines.console,
        ["EZZ8761I IDS EVENT DETECTED\nEZZ8730I STACK TCPIP\n\
          EZZ8762I EVENT TYPE: SUSPICIOUS PACKET RECEIVED\n\
          EZZ8763I CORRELATOR 1 - PROBEID 04058196\n\
          EZZ8764I SOURCE IP ADDRESS 192.0.2.1 - PORT 1000\n\
          EZZ8765I DESTINATION IP ADDRESS 198.51.100.2 - PORT 53\n\
          EZZ8766I IDS RULE rule\nEZZ8767I IDS ACTION drop\n"]
    );
    assert_eq!(
        lines.traces[0],
        (
            "IDS rule rule correlator 1 probeid 04058196".into(),
            Some(Trace::Bytes(200))
        )
    );
}

#[test]
fn a_defensive_filter_needs_more_than_a_forged_packet() {
    let redirect = v4(1, &[], &icmp(5, 1, &v4(17, &[], &udp(b"x"))));
    for spoofable in [false, true] {
        let mut r = rule(Attack::IcmpRedirect, false);
        let lifetime = Duration::from_secs(600);
        r.defense = Some(Defense {
            lifetime,
            spoofable,
        });
        let mut ids = with(vec![r]);
        let mut actions = ActionQueue::<4>::new();
        for _ in 0..3 {
            let meta = received(1);
            let mut events = ();
            let mut cx = Cx::new(meta.now, &mut events, &mut actions);
            let _ = ids.before(&mut cx, &Packet::parse(&redirect, meta));
        }
        let expected = spoofable.then_some(Action::DefensiveFilter {
            source: "192.0.2.1".parse().unwrap(),
            lifetime,
            reason: REDIRECT,
        });
        assert_eq!(actions.poll(), expected);
        assert_eq!(actions.poll(), None, "once for a lifetime");
    }
}

/// T-11: a wrong checksum is a malformed packet and nothing else.
#[test]
fn a_wrong_checksum_is_told_once() {
    let mut ids = Ids::default();
    let meta = received(1).with_checksums(Checksums::Unchecked);
    let mut bytes = v4(6, &[], &tcp(2, &[], &[]));
    let sum = hostward_hook::checksum::checksum(&bytes[..20]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    let (verdict, events) = judge(&mut ids, &bytes, meta);
    assert_eq!(
        verdict,
        Verdict::Drop(hostward_ids::malformed::TRANSPORT_CHECKSUM)
    );
    assert_eq!(events.len(), 1);
}

#[test]
fn a_policy_is_checked() {
    let bad = |policy: Policy| policy.check().unwrap_err().to_string();
    let attacks = |a| Policy {
        attacks: vec![AttackRule::new("r", a)],
        ..Policy::none()
    };
    assert_eq!(
        bad(attacks(Attack::RestrictedIpOptions(NumberSet::EMPTY))),
        "rule r: RESTRICTED_IP_OPTIONS needs a list that is not empty"
    );
    assert_eq!(
        bad(attacks(Attack::Flood {
            percentage: 0,
            minimum: 1
        })),
        "rule r: the percentage of discards is 0, not 1 to 100"
    );
    let scan = ScanGlobalRule {
        slow_minutes: 1,
        ..ScanGlobalRule::new("s")
    };
    let policy = Policy {
        scan: Some(scan),
        ..Policy::none()
    };
    assert!(bad(policy).contains("slow"));
    Policy::standard().check().unwrap();
    let long = "x".repeat(33);
    assert!(AttackRule::new(&long, Attack::IcmpRedirect).rule.name.len() == 33);
    let policy = Policy {
        attacks: vec![AttackRule::new(&long, Attack::IcmpRedirect)],
        ..Policy::none()
    };
    assert!(bad(policy).contains("32"));
}
