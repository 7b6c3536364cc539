//! Scans: probes of any kind from a few sources, with any thresholds, at any times: nothing panics, the
//! table keeps its size, and no source is told of that did not show as many different events as the
//! threshold says.
//!
//! The input is three bytes of settings and then probes of four bytes: source, port, kind and seconds,
//! forwards or, with the highest bit, backwards.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use hostward::hook::action::Cx;
use hostward::hook::event::{Class, Event, EventSink};
use hostward::hook::meta::Checksums;
use hostward::hook::{Instant, Meta, Now, Packet, PacketHook, Point, Timers, UnixTime, Verdict};
use hostward::ids::message::{Message, console};
use hostward::ids::policy::{Policy, Sensitivity};
use hostward::ids::scans::{Scan, ScanConfig, ScanKind, Window};
use hostward::ids::{Config, Ids, Slot};
use libfuzzer_sys::fuzz_target;

#[derive(Default)]
struct Sink(Vec<Scan>);

impl EventSink for Sink {
    fn wants(&self, _: Class) -> bool {
        true
    }

    fn emit(&mut self, event: &Event<'_>) {
        let line = Message::of(event, &(), "host").expect("every event has a line");
        assert!(line.text.len() < 2000);
        let _ = console(event, &(), "TCPIP");
        let scan = event.detail.as_any().and_then(|d| d.downcast_ref::<Scan>());
        self.0.extend(scan.cloned());
    }
}

/// A segment or a datagram between a source and this host.
fn packet(source: u8, port: u8, protocol: u8, flags: u8, out: bool) -> Vec<u8> {
    let length: u8 = if protocol == 6 { 40 } else { 28 };
    let mut p = vec![0x45, 0, 0, length, 0, 0, 0, 0, 64, protocol, 0, 0];
    let (there, here) = ([192, 0, 2, source], [198, 51, 100, 2]);
    let (theirs, ours) = (40_000_u16.to_be_bytes(), [1, port]);
    if out {
        p.extend([here, there].concat());
        p.extend([ours, theirs].concat());
    } else {
        p.extend([there, here].concat());
        p.extend([theirs, ours].concat());
    }
    if protocol == 6 {
        p.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 16, 0, 0, 0, 0, 0]);
    } else {
        p.extend([0, 8, 0, 0]);
    }
    p
}

fuzz_target!(|data: &[u8]| {
    let [a, b, c, rest @ ..] = data else {
        return;
    };
    let mut policy = Policy::standard();
    if let Some(global) = &mut policy.scan {
        global.fast_threshold = u32::from(a % 63) + 1;
        global.slow_threshold = (global.fast_threshold + u32::from(b % 64)).clamp(1, 64);
        global.rule.reports.detail = true;
        global.rule.reports.console = Some(0);
    }
    for rule in &mut policy.scan_events {
        rule.sensitivity = Sensitivity::High;
    }
    let scans = ScanConfig {
        sources: usize::from(c >> 4) * 8,
        window: if c & 1 == 0 {
            Window::Tumbling
        } else {
            Window::Sliding
        },
        walk: (c & 2 != 0).then_some(4),
        prefixes: true,
    };
    let mut ids = Ids::new(Config {
        policy,
        scans,
        ..Config::default()
    });
    let memory = ids.scan_memory();
    let mut sink = Sink::default();
    let mut seen: BTreeMap<IpAddr, BTreeSet<(u8, u8)>> = BTreeMap::new();
    let mut seconds: u64 = 1_000_000;
    for probe in rest.chunks_exact(4) {
        let [source, port, kind, time] = *probe else {
            return;
        };
        let step = u64::from(time & 0x7f);
        seconds = if time & 0x80 == 0 {
            seconds + step
        } else {
            seconds.saturating_sub(step * 60)
        };
        let now = Now::new(Instant::from_secs(seconds), UnixTime::from_secs(seconds));
        let protocol = if kind & 0x80 == 0 { 6 } else { 17 };
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, source));
        seen.entry(address).or_default().insert((protocol, port));
        let mut slot = Slot::default();
        let mut known = false;
        let answers = [(false, kind & 0x3f), (true, 0x14), (false, 4)];
        for (out, flags) in answers {
            let bytes = packet(source, port, protocol, flags, out);
            let point = if out { Point::LocalOut } else { Point::LocalIn };
            let meta = Meta::new(point, now).with_checksums(Checksums::Verified);
            let packet = Packet::parse(&bytes, meta);
            let mut nobody = ();
            let mut cx = Cx::new(now, &mut sink, &mut nobody);
            if ids.before(&mut cx, &packet).is_continue() {
                let slot = known.then_some(&mut slot);
                let _ = ids.after(&mut cx, &packet, slot, Verdict::Continue);
                known = true;
            }
            ids.handle_deadline(&mut cx);
        }
    }
    assert_eq!(ids.scan_memory(), memory);
    for scan in &sink.0 {
        if scan.kind != ScanKind::Walk {
            let events = seen.get(&scan.source).map_or(0, BTreeSet::len);
            assert!(events >= scan.threshold as usize, "{scan:?}");
        }
        let told = scan.very + scan.possibly + scan.normal;
        assert!(told >= scan.threshold || scan.kind == ScanKind::Walk);
    }
});
