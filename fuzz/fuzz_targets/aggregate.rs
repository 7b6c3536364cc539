//! Events of connections in any order under small bounds: the bounds hold, and what goes over connections is
//! counted once, whatever becomes of them.
#![no_main]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hostward_hook::flow::{FlowId, HashKey};
use hostward_hook::{Cx, Instant, Now, UnixTime};
use hostward_zert::aggregate::{Aggregator, Config, Outcome, Summary};
use hostward_zert::code::{CHANGE, INITIATION, SHORT_TERMINATION, TERMINATION};
use hostward_zert::record::{CipherSuite, TlsVersion, Traffic};
use hostward_zert::{Protocol, Record};
use libfuzzer_sys::fuzz_target;

const PROTOCOLS: [Protocol; 5] = [
    Protocol::None,
    Protocol::Tls,
    Protocol::Ssh,
    Protocol::Quic,
    Protocol::Wireguard,
];

/// What went over a connection, and how much of that was counted.
#[derive(Default)]
struct Flow {
    sent: Traffic,
    counted: Traffic,
}

fn plus(total: &mut [u64; 4], now: Traffic, before: Traffic) {
    for (t, (n, b)) in total.iter_mut().zip([
        (now.in_bytes, before.in_bytes),
        (now.out_bytes, before.out_bytes),
        (now.in_packets, before.in_packets),
        (now.out_packets, before.out_packets),
    ]) {
        *t += n - b;
    }
}

fn at(seconds: u64) -> Now {
    Now::new(Instant::from_secs(seconds), UnixTime::from_secs(seconds))
}

fn record(flow: u8, how: u8, sent: Traffic) -> Record {
    let mut r = Record::default();
    r.flow = Some(FlowId::from_u64(flow.into()));
    r.client = SocketAddr::from(([10, 0, 0, flow % 5], 40_000 + u16::from(flow)));
    r.server = SocketAddr::from(([10, 12, 3, 3], 50 + u16::from(how >> 6)));
    r.protocol = PROTOCOLS[usize::from(how % 8) % PROTOCOLS.len()];
    r.traffic = sent;
    if r.protocol != Protocol::None {
        r.failed = how & 0x20 != 0;
        r.established = Some(!r.failed && how & 0x10 == 0);
        r.tls.version = Some(TlsVersion(0x0303));
        r.tls.cipher = Some(CipherSuite(0xC02F + u32::from(how >> 3 & 1)));
    }
    r
}

fuzz_target!(|data: &[u8]| {
    let [a, b, c, events @ ..] = data else { return };
    let config = Config {
        sessions: usize::from(a % 8),
        attributes: usize::from(b % 4),
        connections: usize::from(c % 8),
        ..Config::default()
    };
    // One overflow session for each protocol and side, and for handshakes that failed.
    let most = config.sessions + 2 * 11 * 2;
    let mut aggregator = Aggregator::new(config.clone(), HashKey::new([7; 16]), at(0));
    let (mut flows, mut now): (BTreeMap<u8, Flow>, u64) = (BTreeMap::new(), 1);
    let (mut expected, mut found) = ([0_u64; 4], [0_u64; 4]);
    let mut opened = 1;
    for event in events.chunks_exact(4) {
        let [what, flow, how, more] = *event else {
            continue;
        };
        now += u64::from(more >> 6);
        let id = FlowId::from_u64(flow.into());
        let mut sum = |s: &Summary<'_>| {
            let Some(s) = &s.session else { return };
            for (f, (end, init)) in found.iter_mut().zip([
                (s.end.in_bytes, s.init.in_bytes),
                (s.end.out_bytes, s.init.out_bytes),
                (s.end.in_packets, s.init.in_packets),
                (s.end.out_packets, s.init.out_packets),
            ]) {
                *f += end.checked_sub(init).expect("counters only grow");
            }
            assert!(s.end.connections >= s.init.connections);
            assert!(s.end.active <= s.end.connections);
        };
        let (mut events, mut actions) = ((), ());
        let mut cx = Cx::new(at(now), &mut events, &mut actions);
        match what % 8 {
            0..=4 => {
                let code = [INITIATION, CHANGE, TERMINATION, SHORT_TERMINATION, CHANGE]
                    [usize::from(what % 8)];
                let entry = flows.entry(flow).or_default();
                entry.sent.in_bytes += u64::from(more);
                entry.sent.out_bytes += u64::from(more) * 3;
                entry.sent.in_packets += 1;
                entry.sent.out_packets += u64::from(more & 1);
                let mut r = record(flow, how, entry.sent);
                r.opened = at(opened);
                match aggregator.record(code, &r, at(now)) {
                    Outcome::Counted | Outcome::Overflowed => {
                        plus(&mut expected, entry.sent, entry.counted);
                        entry.counted = entry.sent;
                    }
                    _ => {}
                }
                if code == TERMINATION || code == SHORT_TERMINATION {
                    flows.remove(&flow);
                }
            }
            5 => {
                if let Some(entry) = flows.get_mut(&flow) {
                    entry.sent.out_bytes += u64::from(more);
                    if aggregator.traffic(id, entry.sent) {
                        plus(&mut expected, entry.sent, entry.counted);
                        entry.counted = entry.sent;
                    }
                }
            }
            6 => {
                aggregator.interval(&mut cx, &mut sum);
                assert_eq!(found, expected, "what went over is what was counted");
                (found, expected) = ([0; 4], [0; 4]);
            }
            _ => {
                let on = more & 1 == 0;
                let was = aggregator.is_enabled();
                aggregator.set_enabled(&mut cx, on, &mut sum);
                if was && !on {
                    assert_eq!(found, expected, "nothing is lost at the end");
                    (found, expected) = ([0; 4], [0; 4]);
                    flows.clear();
                }
                if on && !was {
                    opened = now;
                }
            }
        }
        assert!(aggregator.sessions() <= most);
        assert!(aggregator.connections() <= config.connections);
    }
});
