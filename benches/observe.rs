//! What protection records cost for each packet, the whole guard around them. One core, thread CPU
//! time.
//!
//!     cargo bench --bench observe
//!
//! With `HOSTWARD_BENCH_PCAP` naming a classic little-endian Ethernet capture its packets are
//! judged too, the reading of the file included, and `tcpdump -nn` is run on the same file when it
//! is installed: its elapsed time, so the ratio only means something on a machine that is otherwise
//! idle.
//!
//! On one core of an AMD EPYC (2026-11-22), a mix of 627,000 packets dense with handshakes, only
//! connections observed: 231 ns a packet, reading included, on a quiet machine. On one that was
//! twelve times overloaded, where the code before took 523: 296, with datagrams 355; 118,000 TLS
//! connections of 24 packets a second; QUIC's first datagram 5.7 µs, later ones 94 ns, DTLS 61 ns;
//! bulk transfer 38 Gbit/s. An open connection: 401 bytes at the median without pools.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench may panic"
)]

use std::fs::File;
use std::hint::black_box;
use std::io::Read;
use std::time::{Duration, Instant as Clock};

use cpu_time::ThreadTime;
use hostward::crypto::Provider;
use hostward::crypto::backend::RUST_CRYPTO;
use hostward::hook::event::{Class, Event, EventSink};
use hostward::hook::flow::{FlowConfig, HashKey};
use hostward::hook::frame::{LentFrame, VecFrame};
use hostward::hook::link::Ethernet;
use hostward::hook::{Instant, Meta, Now, Point, UnixTime};
use hostward::zert::{DatagramConfig, Datagrams, Zert};
use hostward::{Guard, GuardConfig};

mod initial;
mod packets;

#[path = "../tests/support/mod.rs"]
#[allow(
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::duplicated_attributes,
    reason = "a bench may panic"
)]
mod support;

const ROUNDS: usize = 7;

/// Takes every record.
#[derive(Default)]
struct Records(u64);

impl EventSink for Records {
    fn wants(&self, class: Class) -> bool {
        class == Class::Record
    }

    fn emit(&mut self, event: &Event<'_>) {
        self.0 += 1;
        black_box(event.detail);
    }
}

/// A guard with nothing but the observers of protection: that of connections, with `datagrams` also
/// that of QUIC, DTLS, IKE and the like.
fn guard(flows: usize, datagrams: bool) -> Guard {
    let flows = FlowConfig {
        capacity: flows,
        ..FlowConfig::default()
    };
    let config = GuardConfig {
        flows,
        ..GuardConfig::default()
    };
    let guard = Guard::new(config, HashKey::new([7; 16])).zert(Zert::default());
    if !datagrams {
        return guard;
    }
    let datagrams = Datagrams::new(DatagramConfig::default());
    guard.datagrams(datagrams.quic(Provider::of([RUST_CRYPTO])))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Judges packets of both directions in memory, each round by a fresh guard; the time of all.
fn rounds(packets: &[Vec<u8>], connections: usize, wanted: usize) -> Duration {
    let mut frames: Vec<_> = packets
        .iter()
        .map(|p| {
            let mut f = VecFrame::new(0, 2_000);
            f.set(p);
            f
        })
        .collect();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let (mut guard, mut records) = (guard(2 * connections + 1_000, true), Records::default());
        let start = ThreadTime::now();
        for (i, frame) in frames.iter_mut().enumerate() {
            let now = Now::new(Instant::from_micros(i as u64), UnixTime::EPOCH);
            let _ = black_box(guard.packet(frame, Meta::new(Point::LocalIn, now), &mut records));
        }
        times.push(start.elapsed());
        guard.finish(Now::default(), &mut records);
        assert_eq!(records.0, wanted as u64);
    }
    median(times)
}

/// New connections: a TLS 1.2 handshake with certificates, from the SYN to the FINs.
fn handshakes() {
    const N: usize = 4_000;
    let one = packets::own_capture();
    let client: [u8; 4] = one[0][12..16].try_into().unwrap();
    let mut all = Vec::new();
    for i in 0..N as u32 {
        let [_, a, b, c] = i.to_be_bytes();
        for packet in &one {
            let mut packet = packet.clone();
            let at = if packet[12..16] == client { 12 } else { 16 };
            packet[at..at + 4].copy_from_slice(&[10, a, b, c]);
            all.push(packet);
        }
    }
    let took = rounds(&all, N, N).as_nanos() as f64;
    println!(
        "TLS connections of {} packets in memory: {:.0} a second, {:.0} ns a packet",
        one.len(),
        1e9 * N as f64 / took,
        took / all.len() as f64
    );
}

/// Datagrams: those that begin a QUIC connection, and those that follow in QUIC, in DTLS and in
/// flows in which nothing is found.
fn datagrams() {
    const N: usize = 4_000;
    let server = ([192, 0, 2, 1], 443);
    let client = |i: usize| ([10, 0, (i >> 8) as u8, i as u8], 40_000);
    let initial = initial::initial(&Provider::of([RUST_CRYPTO]));
    let first: Vec<_> = (0..N)
        .map(|i| support::udp(client(i), server, &initial))
        .collect();
    let begin = rounds(&first, N, N).as_nanos() as f64 / N as f64;
    println!("QUIC connection begins: {begin:.0} ns a datagram");

    let mut dtls = vec![22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0];
    let hello = [&[0xFE, 0xFD][..], &[7; 32], &[0, 0, 0, 2, 0xC0, 0x2F, 1, 0]].concat();
    let len = hello.len() as u8;
    dtls.extend([0, len + 12, 1, 0, 0, len, 0, 0, 0, 0, 0, 0, 0, len]);
    dtls.extend(hello);
    let quic_data = [&[0x40][..], &[0xA5; 1_200]].concat();
    let dtls_data = [
        &[23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 9, 4, 0xB0][..],
        &[0xA5; 1_200],
    ];
    for (name, first, next, found) in [
        ("QUIC", initial, quic_data, 100),
        ("DTLS", dtls, dtls_data.concat(), 100),
        ("of no interest", vec![0; 60], vec![0; 1_200], 0),
    ] {
        let mut all = Vec::new();
        for n in 0..200 {
            for i in 0..100 {
                let data = if n == 0 { &first } else { &next };
                all.push(if n % 2 == 0 {
                    support::udp(client(i), server, data)
                } else {
                    support::udp(server, client(i), data)
                });
            }
        }
        let took = rounds(&all, 100, found).as_nanos() as f64;
        println!("datagrams, {name}: {:.0} ns each", took / all.len() as f64);
    }
}

/// One download: everything after the beginning is of no interest to the observer.
fn bulk() {
    const PACKETS: u32 = 40_000;
    const SIZE: u32 = 1_448;
    let (client, server) = (([10, 0, 0, 9], 40_000), ([192, 0, 2, 1], 443));
    let data = vec![b'x'; SIZE as usize];
    let mut packets = vec![
        support::tcp(client, server, "S", 99, 0, &[]),
        support::tcp(server, client, "SA", 199, 100, &[]),
        support::tcp(client, server, "A", 100, 200, &[]),
    ];
    for i in 0..PACKETS {
        let seq = 200 + i * SIZE;
        packets.push(support::tcp(server, client, "A", seq, 100, &data));
        if i % 2 == 1 {
            packets.push(support::tcp(client, server, "A", 100, seq + SIZE, &[]));
        }
    }
    let mut frames: Vec<_> = packets
        .iter()
        .map(|p| {
            let mut f = VecFrame::new(0, 2_000);
            f.set(p);
            f
        })
        .collect();
    let bytes: usize = packets.iter().map(Vec::len).sum();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let (mut guard, mut records) = (guard(1_000, true), Records::default());
        let start = ThreadTime::now();
        for (i, frame) in frames.iter_mut().enumerate() {
            let now = Now::new(Instant::from_micros(i as u64), UnixTime::EPOCH);
            let _ = black_box(guard.packet(frame, Meta::new(Point::LocalIn, now), &mut records));
        }
        times.push(start.elapsed());
    }
    let took = median(times);
    println!(
        "bulk transfer in memory: {:.1} Gbit/s, {:.0} ns a packet",
        bytes as f64 * 8.0 / took.as_nanos() as f64,
        took.as_nanos() as f64 / packets.len() as f64
    );
}

/// Reads a classic capture in blocks that stay in the processor's cache, as a capturing host or the
/// command would: memory for the whole file costs a page fault for every 4 KiB of it.
struct Blocks {
    file: File,
    buf: Vec<u8>,
    start: usize,
    end: usize,
}

/// Bytes that are read at once.
const BLOCK: usize = 256 << 10;

impl Blocks {
    fn open(path: &str) -> Self {
        let mut me = Self {
            file: File::open(path).unwrap(),
            buf: vec![0; 2 * BLOCK],
            start: 0,
            end: 0,
        };
        assert!(me.fill(24));
        assert_eq!(me.buf[..4], 0xa1b2_c3d4_u32.to_le_bytes());
        assert_eq!(me.buf[20..24], 1_u32.to_le_bytes(), "Ethernet");
        me.start = 24;
        me
    }

    #[cold]
    fn fill(&mut self, n: usize) -> bool {
        self.buf.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < n {
            let to = self.buf.len().min(self.end + BLOCK);
            match self.file.read(&mut self.buf[self.end..to]).unwrap() {
                0 => return false,
                got => self.end += got,
            }
        }
        true
    }

    /// Seconds, microseconds, whether it was cut off, and the frame.
    fn next(&mut self) -> Option<(u64, bool, &[u8])> {
        if self.end - self.start < 16 && !self.fill(16) {
            return None;
        }
        let header = &self.buf[self.start..self.start + 16];
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let micros = u64::from(word(0)) * 1_000_000 + u64::from(word(4));
        let (len, wire) = (word(8) as usize, word(12) as usize);
        if self.end - self.start < 16 + len && !self.fill(16 + len) {
            return None;
        }
        let at = self.start + 16;
        self.start = at + len;
        Some((micros, len < wire, &self.buf[at..at + len]))
    }
}

/// Judges all packets of a capture; says how many there were, and what an open connection cost
/// at the median of all moments.
fn capture(path: &str, datagrams: bool, sample: bool) -> (u64, Vec<(usize, usize)>) {
    let mut blocks = Blocks::open(path);
    let (mut guard, mut records) = (guard(65_536, datagrams), Records::default());
    let mut costs = Vec::new();
    let mut packets = 0;
    let mut last = Now::default();
    while let Some((micros, cut, link)) = blocks.next() {
        packets += 1;
        let Some(ip) = Ethernet::ip_packet(link) else {
            continue;
        };
        last = Now::new(Instant::from_micros(micros), UnixTime::from_micros(micros));
        while guard.next_deadline().is_some_and(|at| at <= last.mono) {
            guard.handle_deadline(last, &mut records);
        }
        let mut frame = LentFrame::new(ip, 0, 65_575);
        let meta = Meta::new(Point::LocalIn, last).with_cut(cut);
        let _ = black_box(guard.packet(&mut frame, meta, &mut records));
        if sample && packets % 500 == 0 {
            let zert = guard.zert_mut().unwrap();
            let (m, n) = (zert.memory(), zert.watched().max(1));
            costs.push((m.total() / n, (m.connections + m.shared) / n));
        }
    }
    guard.finish(last, &mut records);
    assert!(records.0 > 0);
    (packets, costs)
}

fn main() {
    bulk();
    handshakes();
    datagrams();
    let Ok(path) = std::env::var("HOSTWARD_BENCH_PCAP") else {
        return;
    };
    // Rounds of both alternate, so that the machine is as busy for one as for the other.
    let mut times = [Vec::new(), Vec::new()];
    let mut packets = 0;
    for _ in 0..ROUNDS {
        for (datagrams, times) in [false, true].into_iter().zip(&mut times) {
            let start = ThreadTime::now();
            packets = capture(&path, datagrams, false).0;
            times.push(start.elapsed());
        }
    }
    let [each, all] = times.map(|t| median(t).as_nanos() as f64 / packets as f64);
    println!(
        "capture, reading included: {each:.0} ns a packet, {:.2} million packets a second; \
         with datagrams (QUIC, DTLS, IKE) {all:.0} ns",
        1e3 / each
    );
    let (_, mut costs) = capture(&path, false, true);
    costs.sort_unstable_by_key(|(_, own)| *own);
    let (all, own) = costs[costs.len() / 2];
    println!("open connection: {own} bytes at the median, {all} with pools");
    let mut command = std::process::Command::new("tcpdump");
    command.args(["-nn", "-r", &path]);
    command.stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null());
    let start = Clock::now();
    if command.status().is_ok_and(|s| s.success()) {
        let tcpdump = start.elapsed().as_nanos() as f64 / packets as f64;
        println!(
            "tcpdump, elapsed: {tcpdump:.0} ns a packet; ratio {:.1}",
            tcpdump / each
        );
    }
}
