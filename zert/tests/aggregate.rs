//! Aggregation: which sessions connections are counted in, and what their summaries say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use hostward_hook::event::{Class, Event, EventSink};
use hostward_hook::flow::{FlowId, HashKey};
use hostward_hook::{Code, Cx, Instant, Now, UnixTime};
use hostward_zert::aggregate::{Aggregator, Config, Counters, Detail, Outcome, Reason, SessionKey};
use hostward_zert::code::{CHANGE, INITIATION, SHORT_TERMINATION, TERMINATION};
use hostward_zert::record::{CipherSuite, Group, IpsecFacts, TlsVersion};
use hostward_zert::{Protocol, Record, code};

fn at(seconds: u64) -> Now {
    Now::new(Instant::from_secs(seconds), UnixTime::from_secs(seconds))
}

fn aggregator(config: Config) -> Aggregator {
    Aggregator::new(config, HashKey::new([7; 16]), at(0))
}

/// A connection to port 50 of the local server 10.12.3.3.
fn record(flow: u64, client: [u8; 4], protocol: Protocol) -> Record {
    let mut r = Record::default();
    r.flow = Some(FlowId::from_u64(flow));
    r.client = SocketAddr::from((client, 40_000 + flow as u16));
    r.server = SocketAddr::from(([10, 12, 3, 3], 50));
    r.protocol = protocol;
    r.opened = at(1);
    if protocol == Protocol::Tls {
        r.established = Some(true);
        r.tls.version = Some(TlsVersion(0x0303));
        r.tls.cipher = Some(CipherSuite(0xC02F));
    }
    r
}

fn traffic(r: &mut Record, n: u64) {
    r.traffic.in_bytes = 100 * n;
    r.traffic.out_bytes = 1_000 * n;
    r.traffic.in_packets = n;
    r.traffic.out_packets = 2 * n;
}

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    reason: Reason,
    is_last: bool,
    protocol: Option<Protocol>,
    key: Option<SessionKey>,
    id: String,
    failed: bool,
    is_overflow: bool,
    init: Counters,
    end: Counters,
}

#[derive(Default)]
struct Codes(Vec<Code>);

impl EventSink for Codes {
    fn wants(&self, class: Class) -> bool {
        class == Class::Capacity
    }

    fn emit(&mut self, event: &Event<'_>) {
        self.0.push(event.code);
    }
}

fn run(
    now: Now,
    events: &mut Codes,
    f: impl FnOnce(&mut Cx<'_>, &mut dyn FnMut(&hostward_zert::aggregate::Summary<'_>)),
) -> Vec<Seen> {
    let mut all = Vec::new();
    let mut actions = ();
    let mut cx = Cx::new(now, events, &mut actions);
    f(&mut cx, &mut |s| {
        let session = s.session.as_ref();
        all.push(Seen {
            reason: s.reason,
            is_last: s.is_last,
            protocol: session.map(|s| s.attributes.protocol),
            key: session.map(|s| *s.key),
            id: session.map(|s| s.id.to_string()).unwrap_or_default(),
            failed: session.is_some_and(|s| s.attributes.failed),
            is_overflow: session.is_some_and(|s| s.is_overflow),
            init: session.map(|s| *s.init).unwrap_or_default(),
            end: session.map(|s| *s.end).unwrap_or_default(),
        });
    });
    all
}

fn interval(a: &mut Aggregator, now: Now) -> Vec<Seen> {
    run(now, &mut Codes::default(), |cx, sink| a.interval(cx, sink))
}

#[test]
fn the_example_of_two_clients_gives_three_sessions() {
    let mut a = aggregator(Config::default());
    for flow in 0..9 {
        let mut r = record(flow, [10, 0, 0, 1 + u8::from(flow >= 6)], Protocol::Tls);
        if flow >= 6 {
            r.ipsec = Some(Box::new(IpsecFacts::default()));
        }
        traffic(&mut r, 1);
        assert_eq!(a.record(INITIATION, &r, at(11)), Outcome::Counted);
    }
    let seen = interval(&mut a, at(1_800));
    let mut counted: Vec<_> = seen
        .iter()
        .map(|s| {
            let key = s.key.unwrap();
            (
                key.client,
                s.protocol.unwrap().name(),
                s.end.connections,
                s.end.active,
                s.end.in_bytes,
            )
        })
        .collect();
    counted.sort();
    let client = |n| IpAddr::from([10, 0, 0, n]);
    assert_eq!(
        counted,
        [
            (client(1), "tls", 6, 6, 600),
            (client(2), "ipsec", 3, 3, 300),
            (client(2), "tls", 3, 3, 300),
        ]
    );
    assert_eq!(seen.iter().filter(|s| s.is_last).count(), 1);
    assert!(seen.last().unwrap().is_last);
    let key = seen[0].key.unwrap();
    assert_eq!(
        (key.first_port, key.last_port, key.is_server),
        (50, 50, true)
    );
}

#[test]
fn counters_are_cumulative_and_unused_sessions_are_forgotten() {
    let mut a = aggregator(Config::default());
    let mut long = record(1, [10, 0, 0, 1], Protocol::Tls);
    traffic(&mut long, 10);
    a.record(INITIATION, &long, at(11));
    let mut short = record(2, [10, 0, 0, 1], Protocol::Tls);
    traffic(&mut short, 1);
    a.record(SHORT_TERMINATION, &short, at(5));
    let first = interval(&mut a, at(1_800));
    assert_eq!(first.len(), 1);
    let Counters {
        connections,
        short,
        active,
        in_bytes,
        out_bytes,
        in_packets,
        out_packets,
        ..
    } = first[0].end;
    assert_eq!((connections, short, active), (2, 1, 1));
    assert_eq!((in_bytes, out_bytes), (1_100, 11_000));
    assert_eq!((in_packets, out_packets), (11, 22));
    assert_eq!(first[0].init, Counters::default());
    // Traffic of a connection that goes on.
    traffic(&mut long, 30);
    assert!(a.traffic(long.flow.unwrap(), long.traffic));
    let second = interval(&mut a, at(3_600));
    assert_eq!(second[0].init, first[0].end);
    assert_eq!(second[0].end.in_bytes, 3_100);
    assert_eq!(second[0].id, first[0].id);
    // Its end; then nothing is left.
    traffic(&mut long, 31);
    a.record(TERMINATION, &long, at(3_700));
    let third = interval(&mut a, at(5_400));
    assert_eq!((third[0].end.active, third[0].end.in_bytes), (0, 3_200));
    assert_eq!((a.sessions(), a.connections()), (0, 0));
    assert_eq!(interval(&mut a, at(7_200)), []);
    assert!(!a.traffic(long.flow.unwrap(), long.traffic));
    // It comes again, from zero.
    let again = record(3, [10, 0, 0, 1], Protocol::Tls);
    a.record(SHORT_TERMINATION, &again, at(7_300));
    let fourth = interval(&mut a, at(9_000));
    assert_eq!(
        (fourth[0].init.connections, fourth[0].end.connections),
        (0, 1)
    );
    assert_eq!(fourth[0].id, first[0].id, "the same session");
}

#[test]
fn a_change_ends_one_session_and_begins_another() {
    let mut a = aggregator(Config::default());
    let mut clear = record(1, [10, 0, 0, 1], Protocol::None);
    traffic(&mut clear, 1);
    a.record(INITIATION, &clear, at(11));
    let mut tls = record(1, [10, 0, 0, 1], Protocol::Tls);
    traffic(&mut tls, 3);
    a.record(CHANGE, &tls, at(20));
    traffic(&mut tls, 10);
    a.record(TERMINATION, &tls, at(30));
    let seen = interval(&mut a, at(1_800));
    let by: BTreeMap<_, _> = seen
        .iter()
        .map(|s| (s.protocol.unwrap().name(), s.end))
        .collect();
    let show = |c: &Counters| (c.connections, c.partial, c.short, c.active, c.in_packets);
    assert_eq!(show(&by["none"]), (1, 1, 0, 0, 3));
    assert_eq!(show(&by["tls"]), (1, 1, 0, 0, 7));
}

#[test]
fn only_significant_attributes_tell_sessions_apart() {
    let mut a = aggregator(Config::default());
    let mut count = |change: &dyn Fn(&mut Record)| {
        let mut r = record(a.sessions() as u64, [10, 0, 0, 1], Protocol::Tls);
        change(&mut r);
        a.record(SHORT_TERMINATION, &r, at(5));
        a.sessions()
    };
    assert_eq!(count(&|_| {}), 1);
    // Not significant.
    assert_eq!(count(&|r| r.client.set_port(9)), 1);
    assert_eq!(count(&|r| r.tls.sni = "example.com".into()), 1);
    assert_eq!(count(&|r| r.tls.resumed = Some(true)), 1);
    assert_eq!(count(&|r| r.tls.group = Some(Group::Named(29))), 1);
    assert_eq!(count(&|r| r.tls.server_cert.serial = "01".into()), 1);
    // Significant.
    assert_eq!(count(&|r| r.tls.cipher = Some(CipherSuite(0xC030))), 2);
    assert_eq!(count(&|r| r.tls.server_cert.key_bits = 2_048), 3);
    assert_eq!(count(&|r| r.tls.server_cert.subject = "CN=a".into()), 4);
    assert_eq!(count(&|r| r.tls.encrypt_then_mac = true), 5);
    assert_eq!(
        count(&|r| r.source = hostward_zert::record::Source::Advised),
        6
    );
    assert_eq!(count(&|r| r.server.set_port(51)), 7);
    assert_eq!(count(&|r| r.client.set_ip([10, 0, 0, 2].into())), 8);
    assert_eq!(count(&|r| r.job = hostward_hook::ident::JobId(4)), 9);
    assert_eq!(count(&|r| r.user = hostward_hook::ident::UserId(4)), 10);
    assert_eq!(
        count(&|r| (r.local_opened, r.local_is_client) = (true, true)),
        11
    );
}

#[test]
fn serial_numbers_are_significant_where_records_have_them() {
    let mut a = aggregator(Config {
        detail: Detail::Certificates,
        ..Config::default()
    });
    for (flow, serial) in [(0, "01"), (1, "02"), (2, "01")] {
        let mut r = record(flow, [10, 0, 0, 1], Protocol::Tls);
        r.tls.server_cert.serial = serial.into();
        a.record(SHORT_TERMINATION, &r, at(5));
    }
    assert_eq!(a.sessions(), 2);
}

#[test]
fn a_failed_handshake_is_counted_and_protects_nothing() {
    let mut a = aggregator(Config::default());
    let mut r = record(1, [10, 0, 0, 1], Protocol::Tls);
    r.failed = true;
    r.established = Some(false);
    a.record(SHORT_TERMINATION, &r, at(5));
    // Failed after it was reported: once, however often it is told.
    let mut later = record(2, [10, 0, 0, 1], Protocol::Tls);
    later.established = Some(false);
    a.record(INITIATION, &later, at(11));
    later.failed = true;
    a.record(TERMINATION, &later, at(12));
    let mut seen = interval(&mut a, at(1_800));
    seen.sort_by_key(|s| s.failed);
    let show = |s: &Seen| {
        (
            s.protocol.unwrap(),
            s.failed,
            s.end.connections,
            s.end.failed,
        )
    };
    assert_eq!(show(&seen[0]), (Protocol::None, false, 1, 1));
    assert_eq!(show(&seen[1]), (Protocol::Tls, true, 1, 1));
    assert!(
        seen.iter()
            .all(|s| s.id.starts_with("CS") && s.id.len() == 42)
    );
}

#[test]
fn the_tunnel_below_a_failed_handshake_did_not_fail() {
    let mut a = aggregator(Config::default());
    let mut r = record(1, [10, 0, 0, 1], Protocol::Tls);
    (r.failed, r.established) = (true, Some(false));
    r.ipsec = Some(Box::new(IpsecFacts::default()));
    a.record(SHORT_TERMINATION, &r, at(5));
    r.flow = Some(FlowId::from_u64(2));
    a.record(INITIATION, &r, at(11));
    let seen = interval(&mut a, at(1_800));
    let failed: BTreeMap<_, _> = seen
        .iter()
        .map(|s| {
            (
                s.protocol.unwrap().name(),
                (s.end.connections, s.end.failed),
            )
        })
        .collect();
    assert_eq!(failed, [("ipsec", (2, 0)), ("tls", (2, 2))].into());
}

#[test]
fn within_a_host_both_ends_are_counted() {
    let mut a = aggregator(Config::default());
    let mut r = record(1, [127, 0, 0, 1], Protocol::None);
    r.server.set_ip([127, 0, 0, 1].into());
    traffic(&mut r, 1);
    a.record(SHORT_TERMINATION, &r, at(5));
    let mut seen = interval(&mut a, at(1_800));
    seen.sort_by_key(|s| s.key.unwrap().is_server);
    let show = |s: &Seen| {
        (
            s.id.get(..2).unwrap().to_owned(),
            s.end.in_bytes,
            s.end.out_bytes,
        )
    };
    assert_eq!(show(&seen[0]), ("CC".into(), 1_000, 100));
    assert_eq!(show(&seen[1]), ("CS".into(), 100, 1_000));
}

#[test]
fn connections_from_before_are_not_counted() {
    let mut a = aggregator(Config::default());
    let mut codes = Codes::default();
    a.record(INITIATION, &record(1, [10, 0, 0, 1], Protocol::Tls), at(11));
    let off = run(at(20), &mut codes, |cx, sink| {
        a.set_enabled(cx, false, sink)
    });
    let reasons: Vec<_> = off.iter().map(|s| (s.reason, s.is_last)).collect();
    assert_eq!(
        reasons,
        [(Reason::EndOfStatistics, true), (Reason::Disabled, true)]
    );
    assert_eq!((a.sessions(), a.connections()), (0, 0));
    let r = record(2, [10, 0, 0, 1], Protocol::Tls);
    assert_eq!(a.record(INITIATION, &r, at(25)), Outcome::Ignored);
    let on = run(at(30), &mut codes, |cx, sink| a.set_enabled(cx, true, sink));
    assert_eq!((on.len(), on[0].reason), (1, Reason::Enabled));
    assert_eq!(a.record(TERMINATION, &r, at(35)), Outcome::Ignored);
    assert_eq!(a.counts().older, 1);
    let mut new = record(3, [10, 0, 0, 1], Protocol::Tls);
    new.opened = at(31);
    assert_eq!(a.record(TERMINATION, &new, at(45)), Outcome::Counted);
    let end = run(at(50), &mut codes, |cx, sink| a.shutdown(cx, sink));
    assert_eq!((end.len(), end[0].reason), (1, Reason::Shutdown));
    assert_eq!(a.record(code::RECORD, &new, at(51)), Outcome::Ignored);
}

#[test]
fn what_has_no_place_is_counted_together_and_told_once() {
    for config in [
        Config {
            sessions: 3,
            ..Config::default()
        },
        Config {
            attributes: 1,
            ..Config::default()
        },
    ] {
        let by_session = config.sessions == 3;
        let mut a = aggregator(config);
        for flow in 0..10 {
            let mut r = record(flow, [10, 0, 0, flow as u8], Protocol::Tls);
            if !by_session {
                r.tls.cipher = Some(CipherSuite(0xC000 + flow as u32));
            }
            traffic(&mut r, 1);
            a.record(INITIATION, &r, at(11));
        }
        let (kept, rest) = if by_session { (3, 7) } else { (1, 9) };
        assert_eq!(a.sessions(), kept + 1);
        assert_eq!(a.counts().overflowed, rest);
        let mut codes = Codes::default();
        let seen = run(at(1_800), &mut codes, |cx, sink| a.interval(cx, sink));
        assert_eq!(codes.0, [code::SESSIONS_FULL]);
        let overflow: Vec<_> = seen.iter().filter(|s| s.is_overflow).collect();
        assert_eq!(overflow.len(), 1);
        let (key, end) = (overflow[0].key.unwrap(), overflow[0].end);
        assert!(key.server.is_unspecified() && key.first_port == 0);
        assert_eq!((end.connections, end.in_bytes), (rest as u32, rest * 100));
        // Nothing is counted twice and nothing is lost.
        let all: u32 = seen.iter().map(|s| s.end.connections).sum();
        assert_eq!(all, 10);
        // There is room again when they are gone.
        for flow in 0..10 {
            let r = record(flow, [10, 0, 0, flow as u8], Protocol::Tls);
            a.record(TERMINATION, &r, at(1_900));
        }
        assert!(
            interval(&mut a, at(3_600))
                .iter()
                .all(|s| s.end.active == 0)
        );
        assert_eq!(a.sessions(), 0);
        let r = record(99, [10, 9, 9, 9], Protocol::Tls);
        assert_eq!(a.record(INITIATION, &r, at(3_700)), Outcome::Counted);
    }
}

#[test]
fn connections_that_are_not_followed_are_counted_at_their_end() {
    let mut a = aggregator(Config {
        connections: 1,
        ..Config::default()
    });
    let mut one = record(1, [10, 0, 0, 1], Protocol::Tls);
    let mut two = record(2, [10, 0, 0, 1], Protocol::Tls);
    assert_eq!(a.record(INITIATION, &one, at(11)), Outcome::Counted);
    assert_eq!(a.record(INITIATION, &two, at(11)), Outcome::Unfollowed);
    let mut codes = Codes::default();
    let seen = run(at(100), &mut codes, |cx, sink| a.interval(cx, sink));
    assert_eq!(codes.0, [code::AGGREGATION_CONNECTIONS_FULL]);
    assert_eq!(seen[0].end.connections, 1);
    traffic(&mut one, 1);
    traffic(&mut two, 2);
    a.record(TERMINATION, &one, at(200));
    a.record(TERMINATION, &two, at(200));
    let end = interval(&mut a, at(300))[0].end;
    assert_eq!((end.connections, end.active, end.in_bytes), (2, 0, 300));
}

#[test]
fn a_million_sessions_in_one_interval() {
    let mut a = aggregator(Config::default());
    let n = 1_000_000_u32;
    let mut r = record(0, [0; 4], Protocol::Tls);
    for i in 0..n {
        r.flow = Some(FlowId::from_u64(i.into()));
        r.client.set_ip((i + 0x2000_0000).to_be_bytes().into());
        a.record(SHORT_TERMINATION, &r, at(5));
    }
    assert_eq!((a.sessions(), a.counts().overflowed), (1_000_000, 0));
    let mut actions = ();
    let mut events = Codes::default();
    let mut cx = Cx::new(at(1_800), &mut events, &mut actions);
    let (mut seen, mut last) = (0, 0);
    a.interval(&mut cx, &mut |s| {
        seen += 1;
        last += u32::from(s.is_last);
    });
    assert_eq!((seen, last, a.sessions()), (n, 1, 0));
}
