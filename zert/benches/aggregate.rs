//! Thread CPU time of aggregation and of writing summary records, in one run.
//!
//!     cargo bench -p hostward-zert --features smf --bench aggregate

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench may panic"
)]

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use hostward_hook::flow::{FlowId, HashKey};
use hostward_hook::{Cx, Instant, Now, UnixTime};
use hostward_smf::{Level, MAX_RECORD};
use hostward_zert::aggregate::{Aggregator, Config};
use hostward_zert::code::{INITIATION, SHORT_TERMINATION, TERMINATION};
use hostward_zert::record::{CipherSuite, TlsVersion};
use hostward_zert::smf::Writer;
use hostward_zert::{Protocol, Record};

const ROUNDS: usize = 9;
const MILLION: u64 = 1_000_000;

fn at(seconds: u64) -> Now {
    Now::new(Instant::from_secs(seconds), UnixTime::from_secs(seconds))
}

fn record(named: bool) -> Record {
    let mut r = Record::default();
    r.protocol = Protocol::Tls;
    r.established = Some(true);
    r.server = ([192, 0, 2, 1], 443).into();
    r.opened = at(1);
    r.tls.version = Some(TlsVersion(0x0304));
    r.tls.cipher = Some(CipherSuite(0x1302));
    if named {
        r.tls.server_cert.subject = "CN=www.example.com,O=Example,C=NL".into();
        r.tls.server_cert.issuer = "CN=Example Issuing CA 1,O=Example,C=NL".into();
        r.tls.server_cert.key_bits = 2_048;
    }
    r
}

fn aggregator() -> Aggregator {
    Aggregator::new(Config::default(), HashKey::new([7; 16]), at(0))
}

fn to(r: &mut Record, i: u64, sessions: u64) {
    r.flow = Some(FlowId::from_u64(i));
    let client = (i % sessions) as u32 + 0x2000_0000;
    r.client = (client.to_be_bytes(), 40_000).into();
    r.traffic.in_bytes = i;
}

fn measure(name: &str, n: u64, mut run: impl FnMut() -> Duration) {
    let mut times: Vec<_> = (0..ROUNDS).map(|_| run()).collect();
    times.sort();
    let ns = |d: Duration| d.as_nanos() as f64 / n as f64;
    let median = ns(times[ROUNDS / 2]);
    println!(
        "  {name:<52} {median:7.1} ns (least {:.1})  {:6.2} M/s",
        ns(times[0]),
        1_000.0 / median
    );
}

fn timed(f: impl FnOnce()) -> Duration {
    let start = ThreadTime::now();
    f();
    start.elapsed()
}

fn main() {
    println!("a record, one core");
    for named in [false, true] {
        let what = if named { "with names" } else { "without names" };
        for sessions in [10_000, MILLION] {
            let mut r = record(named);
            let mut a = aggregator();
            measure(
                &format!("short connection, {sessions} sessions, {what}"),
                MILLION,
                || {
                    timed(|| {
                        for i in 0..MILLION {
                            to(&mut r, i, sessions);
                            black_box(a.record(SHORT_TERMINATION, &r, at(5)));
                        }
                    })
                },
            );
        }
        let mut r = record(named);
        let mut a = aggregator();
        for i in 0..100_000 {
            to(&mut r, i, 10_000);
            a.record(INITIATION, &r, at(11));
        }
        measure(
            &format!("counters of 100000 open connections, {what}"),
            MILLION,
            || {
                timed(|| {
                    for i in 0..MILLION {
                        to(&mut r, i % 100_000, 10_000);
                        r.traffic.in_bytes += i;
                        black_box(a.traffic(r.flow.unwrap(), r.traffic));
                    }
                })
            },
        );
        measure(
            &format!("initiation and termination, {what}"),
            200_000,
            || {
                timed(|| {
                    for i in 0..100_000 {
                        to(&mut r, i + MILLION, 10_000);
                        a.record(INITIATION, &r, at(11));
                        a.record(TERMINATION, &r, at(12));
                    }
                })
            },
        );
    }
    println!("a summary record of 1000000 sessions, one core");
    for named in [false, true] {
        let what = if named { "with names" } else { "without names" };
        let mut r = record(named);
        let mut times = Vec::new();
        let mut parts = Vec::new();
        for _ in 0..ROUNDS {
            let mut a = aggregator();
            for i in 0..MILLION {
                to(&mut r, i, MILLION);
                a.record(SHORT_TERMINATION, &r, at(5));
            }
            let writer = Writer::new("SYS1", "TCPIP", &());
            let mut out = vec![0; MAX_RECORD];
            let (mut events, mut actions) = ((), ());
            let mut cx = Cx::new(at(1_800), &mut events, &mut actions);
            let mut spent = 0;
            let all = timed(|| {
                a.interval(&mut cx, &mut |s| {
                    let record = writer.summary(s).unwrap();
                    spent += record.encode(Level::Base, &mut out).unwrap();
                });
            });
            parts.push(spent);
            times.push(all);
        }
        let mut next = times.into_iter();
        measure(
            &format!(
                "interval, record, encoding, {what} ({} bytes)",
                parts[0] as u64 / MILLION
            ),
            MILLION,
            || next.next().unwrap(),
        );
    }
}
