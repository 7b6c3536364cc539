//! `hostward speed esp`: what protecting a packet takes, beside what its cryptography takes.

use std::hint::black_box;
use std::io::{self, Write};

use clap::Args;
use hostward::crypto::algorithm::Cipher;
use hostward::crypto::{Algorithm, Backend, Provider, Secret};
use hostward_hook::flow::HashKey;
use hostward_hook::frame::{FrameBuf, SliceFrame};
use hostward_hook::ident::{SaId, TunnelId};
use hostward_hook::protection::Encapsulation;
use hostward_hook::{Cx, Instant, Meta, Now, Packet, PacketTransform, Point, Verdict};
use hostward_ipsec::suite::Protocol;
use hostward_ipsec::{
    Addresses, Directory, Entry, Inbound, Install, Ipsec, IpsecConfig, Outbound, Parameters,
    Processing, Selectors, Spd, Suite, Tunnel,
};
use serde::Serialize;

use super::crypto::{backends_named, kernel};
use super::measure::{Work, again, medians, used_up};
use super::raw;
use crate::command::Outcome;

const AFTER: &str = "Times are thread CPU nanoseconds for one packet: medians of rounds in which a packet's protection and the
library's own call take turns (for AEADs; otherwise encryption and authentication by the library through the common interface): on as many octets as the inner packet has (raw_ns)
and on those that are encrypted, padding and trailer included (raw_padded_ns). share is raw_ns / ns. Only ratios within one run mean anything.

Levels:
  sa    one security association: sequence number, IV, header, padding, cryptography, ICV, replay window
  path  the packet's headers, SPD or SAD look-up, association, outer header, check of what was inside against its selectors

Exit codes:
  0  everything was done
  1  the output could not be written
  2  the command line is wrong, or asks for what is not there";

/// Octets of the inner packet.
const SIZES: [usize; 3] = [64, 576, 1408];

/// What is measured when nothing is chosen.
const SUITES: [&str; 4] = [
    "aes128-gcm16",
    "aes256-gcm16",
    "chacha20-poly1305",
    "aes128-cbc-hmac-sha256",
];

/// Arguments of `speed esp`.
#[derive(Args, Debug)]
#[command(after_help = AFTER)]
#[non_exhaustive]
pub struct Esp {
    /// Only these backends
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub backend: Vec<String>,

    /// Only suites whose names contain this, among all there are; without it, the four most used
    #[arg(long, value_name = "TEXT")]
    pub suite: Option<String>,

    /// Pad to whole blocks of 16 octets where the suite asks for 4 only
    #[arg(long)]
    pub whole_blocks: bool,

    /// How many rounds are timed
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub repeat: u32,

    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// One figure.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    backend: &'static str,
    suite: String,
    op: &'static str,
    level: &'static str,
    bytes: usize,
    ns: f64,
    /// The library's call on `bytes`.
    raw_ns: Option<f64>,
    /// The library's call on what is encrypted.
    raw_padded_ns: Option<f64>,
    /// `raw_ns / ns`.
    share: Option<f64>,
    /// Of inner packets.
    gbit_s: f64,
    kernel: String,
    repeat: u32,
}

/// One thing that is measured, with what it is compared with.
struct Case<'a> {
    op: &'static str,
    level: &'static str,
    work: Work<'a>,
    /// On as many octets as the inner packet has, and with padding and trailer.
    raw: Option<[Work<'a>; 2]>,
}

/// What is measured.
#[derive(Clone, Copy)]
struct Packets {
    suite: Suite,
    /// Octets of the inner packet.
    bytes: usize,
    whole_blocks: bool,
}

impl Packets {
    /// Octets with padding and trailer.
    fn encrypted(self) -> usize {
        let least = if self.whole_blocks { 16 } else { 4 };
        (self.bytes + 2).next_multiple_of(self.suite.block_len().max(least))
    }

    /// Parameters of the one association.
    fn parameters(self) -> Parameters {
        let ends = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let p = Parameters::new(
            SaId(1),
            0x1000,
            self.suite,
            Encapsulation::Tunnel,
            Secret::new(vec![0x42; self.suite.key_material_len()]),
            ends,
        );
        let p = p.with_esn();
        if self.whole_blocks {
            p.with_whole_blocks()
        } else {
            p
        }
    }

    /// Memory of a packet.
    const fn place(self) -> usize {
        ROOM + self.bytes + ROOM
    }

    /// Packets that are worked on together.
    fn many(self) -> usize {
        (TOGETHER / self.place()).clamp(4, 64)
    }
}

/// What makes the cases of a level.
type Level = for<'a> fn(&'a Provider, Packets) -> Option<[(&'static str, Work<'a>); 2]>;

/// The levels, from the inside.
const LEVELS: [(&str, Level); 2] = [("sa", association), ("path", path)];

impl Esp {
    pub(super) fn run(self) -> io::Result<Outcome> {
        let chosen = match backends_named(&self.backend) {
            Ok(chosen) => chosen,
            Err(error) => {
                writeln!(io::stderr(), "error: {error}")?;
                return Ok(Outcome::Usage);
            }
        };
        let suites: Vec<Suite> = Suite::all()
            .filter(|suite| suite.protocol() == Protocol::Esp)
            .filter(|suite| {
                let name = suite.to_string();
                match &self.suite {
                    Some(text) => name.contains(text.as_str()),
                    None => SUITES.contains(&name.as_str()),
                }
            })
            .collect();
        let kernel = kernel();
        let mut out = io::stdout().lock();
        if !self.json {
            writeln!(
                out,
                "{:<12}{:<26}{:<6}{:<6}{:>6}{:>10}{:>10}{:>10}{:>7}{:>8}",
                "backend",
                "suite",
                "op",
                "level",
                "octets",
                "ns",
                "raw ns",
                "padded",
                "share",
                "Gbit/s"
            )?;
        }
        let mut any = false;
        for suite in suites {
            for backend in &chosen {
                let provider = Provider::of([*backend]);
                if suite.check(&provider).is_err() {
                    continue;
                }
                for bytes in SIZES {
                    let packets = Packets {
                        suite,
                        bytes,
                        whole_blocks: self.whole_blocks,
                    };
                    for case in cases(*backend, &provider, packets) {
                        any = true;
                        let row = Row {
                            backend: backend.name(),
                            suite: suite.to_string(),
                            kernel: kernel.clone(),
                            ..measure(case, bytes, self.repeat)
                        };
                        if self.json {
                            serde_json::to_writer(&mut out, &row)?;
                            writeln!(out)?;
                        } else {
                            print(&mut out, &row)?;
                        }
                    }
                }
            }
        }
        if !any {
            let text = self.suite.as_deref().unwrap_or("");
            writeln!(
                io::stderr(),
                "error: none of the backends does a suite whose name contains `{text}`"
            )?;
            return Ok(Outcome::Usage);
        }
        Ok(Outcome::Done)
    }
}

fn print(out: &mut impl Write, row: &Row) -> io::Result<()> {
    let figure =
        |of: Option<f64>, digits| of.map_or_else(|| "-".into(), |of| format!("{of:.digits$}"));
    writeln!(
        out,
        "{:<12}{:<26}{:<6}{:<6}{:>6}{:>10.1}{:>10}{:>10}{:>7}{:>8.1}",
        row.backend,
        row.suite,
        row.op,
        row.level,
        row.bytes,
        row.ns,
        figure(row.raw_ns, 1),
        figure(row.raw_padded_ns, 1),
        figure(row.share, 2),
        row.gbit_s
    )
}

fn measure(case: Case<'_>, bytes: usize, repeat: u32) -> Row {
    let mut works = vec![case.work];
    works.extend(case.raw.into_iter().flatten());
    let mut ns = medians(&mut works, repeat).into_iter();
    let whole = ns.next().unwrap_or(0.0);
    let (raw_ns, raw_padded_ns) = (ns.next(), ns.next());
    let tenths = |ns: f64| (ns * 10.0).round() / 10.0;
    let hundredths = |share: f64| (share * 100.0).round() / 100.0;
    Row {
        what: "esp",
        backend: "",
        suite: String::new(),
        op: case.op,
        level: case.level,
        bytes,
        ns: tenths(whole),
        raw_ns: raw_ns.map(tenths),
        raw_padded_ns: raw_padded_ns.map(tenths),
        share: raw_ns.map(|raw| hundredths(raw / whole)),
        gbit_s: hundredths(bytes as f64 * 8.0 / whole),
        kernel: String::new(),
        repeat,
    }
}

/// Every level of sealing and opening, with what each is compared with.
fn cases<'a>(backend: &dyn Backend, provider: &'a Provider, packets: Packets) -> Vec<Case<'a>> {
    let alone = |octets| baseline(backend.name(), provider, packets.suite, octets);
    LEVELS
        .iter()
        .filter_map(|(level, works)| {
            let ours = works(provider, packets)?;
            // Ciphers in blocks work on whole ones only.
            let own = packets.bytes.next_multiple_of(packets.suite.block_len());
            let raw = match (alone(own), alone(packets.encrypted())) {
                (Some([seal, open]), Some([seal_padded, open_padded])) => {
                    [Some([seal, seal_padded]), Some([open, open_padded])]
                }
                _ => [None, None],
            };
            Some(ours.into_iter().zip(raw).map(|((op, work), raw)| Case {
                op,
                level,
                work,
                raw,
            }))
        })
        .flatten()
        .collect()
}

/// The cryptography alone.
fn baseline<'a>(
    backend: &str,
    provider: &'a Provider,
    suite: Suite,
    bytes: usize,
) -> Option<[Work<'a>; 2]> {
    let (mut cipher, mut mac) = (None, None);
    for algorithm in suite.algorithms() {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "a suite is made of nothing else"
        )]
        match algorithm {
            Algorithm::Aead(aead) => return raw::of(backend, aead, bytes),
            Algorithm::Cipher(algorithm) => cipher = Some(algorithm),
            Algorithm::Mac(algorithm) => mac = Some(algorithm),
            _ => {}
        }
    }
    let (cipher, mac) = (cipher?, mac?);
    let new = |cipher: Cipher| provider.cipher(cipher, &vec![0x42; cipher.key_len()]).ok();
    let (sealing, opening) = (new(cipher)?, new(cipher)?);
    let code = provider.mac(mac, &vec![0x42; mac.key_len()]).ok()?;
    let check = provider.mac(mac, &vec![0x42; mac.key_len()]).ok()?;
    let sealing = std::rc::Rc::<dyn hostward::crypto::cipher::CipherKey>::from(sealing);
    let code = std::rc::Rc::<dyn hostward::crypto::MacKey>::from(code);
    raw::works(
        bytes,
        16,
        move |data, tag| {
            let done = sealing.encrypt(&[7; 16], data).is_ok();
            let code = code.code(&[data]);
            let made = code.as_ref().get(..tag.len()).unwrap_or_default();
            done && made.len() == tag.len() && {
                tag.copy_from_slice(made);
                true
            }
        },
        move |data, tag| {
            check.verify(&[data], tag).is_ok() && opening.decrypt(&[7; 16], data).is_ok()
        },
    )
}

const NOW: Instant = Instant::from_secs(1);
/// Room in front of and behind a packet.
const ROOM: usize = 64;
/// Octets that are worked on together: they stay in the first cache.
const TOGETHER: usize = 1 << 15;

/// One association, without any look-up and outer header.
fn association(provider: &Provider, packets: Packets) -> Option<[(&'static str, Work<'_>); 2]> {
    let Packets { suite, bytes, .. } = packets;
    let new = || Outbound::new(provider, packets.parameters(), NOW).ok();
    let (mut sealing, mut refilling) = (new()?, new()?);
    let mut opening = Inbound::new(provider, packets.parameters(), NOW).ok()?;
    let (place, many) = (packets.place(), packets.many());
    let mut one = vec![0x5a; place];
    let mut all = vec![0x5a; many * place];
    let mut ends = vec![(0, 0); many];
    Some([
        (
            "seal",
            again(move || {
                let mut frame = SliceFrame::new(black_box(&mut one), ROOM, ROOM + bytes);
                let _ = black_box(sealing.seal_payload(NOW, &mut frame, 4));
            }),
        ),
        (
            "open",
            used_up(many as u32, move |started| {
                for (memory, end) in all.chunks_exact_mut(place).zip(&mut ends) {
                    let mut frame = SliceFrame::new(memory, ROOM, ROOM + bytes);
                    let _ = refilling.seal_payload(NOW, &mut frame, 4);
                    let len = frame.bytes().len();
                    let begin = ROOM - (8 + suite.iv_len());
                    *end = (begin, begin + len);
                }
                started();
                for (memory, (begin, end)) in all.chunks_exact_mut(place).zip(&ends) {
                    let mut frame = SliceFrame::new(black_box(memory), *begin, *end);
                    let _ = black_box(opening.open_payload(NOW, &mut frame));
                }
            }),
        ),
    ])
}

const TUNNEL: TunnelId = TunnelId(0);

/// A host with one tunnel, and its policy; `far` is the other one.
fn host(provider: &Provider, packets: Packets, far: bool) -> Option<(Ipsec, Spd)> {
    let directory = std::sync::Arc::new(Directory::new(1, HashKey::new([9; 16])));
    let mut ipsec = Ipsec::new(IpsecConfig::default(), directory, provider.clone());
    ipsec.set_tunnel(Tunnel::dynamic(TUNNEL, "speed")).ok()?;
    let net = |of: [u8; 4]| Addresses::prefix(of.into(), 16);
    let (near, away) = (net([10, 1, 0, 0])?, net([10, 2, 0, 0])?);
    let (local, remote) = if far { (away, near) } else { (near, away) };
    let selectors = Selectors::between(local, remote);
    let half = |spi, turn: bool| {
        let mut p = packets.parameters();
        p.spi = spi;
        if turn {
            (p.local, p.remote) = (p.remote, p.local);
        }
        p
    };
    let (mine, theirs) = if far {
        (0x1000, 0x1001)
    } else {
        (0x1001, 0x1000)
    };
    let install = Install::new(TUNNEL, [selectors], half(mine, far), half(theirs, far));
    let (mut events, mut actions) = ((), ());
    let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
    ipsec.install(&mut cx, install).ok()?;
    let entry = Entry::new("speed", [selectors], Processing::Protect(TUNNEL));
    Some((ipsec, Spd::new([entry])))
}

/// From an inner packet to the one on the wire, and back.
fn path(provider: &Provider, packets: Packets) -> Option<[(&'static str, Work<'_>); 2]> {
    let bytes = packets.bytes;
    let (mut sealing, policy) = host(provider, packets, false)?;
    let (mut refilling, same) = host(provider, packets, false)?;
    let (mut opening, _) = host(provider, packets, true)?;
    let (place, many) = (packets.place(), packets.many());
    let mut packet = vec![
        0x45,
        0,
        (bytes >> 8) as u8,
        bytes as u8,
        0,
        0,
        0,
        0,
        64,
        17,
        0,
        0,
    ];
    packet.extend([10, 1, 0, 1, 10, 2, 0, 1]);
    packet.resize(bytes, 0x5a);
    let fill = move |all: &mut [u8]| {
        for memory in all.chunks_exact_mut(place) {
            if let Some(to) = memory.get_mut(ROOM..ROOM + bytes) {
                to.copy_from_slice(&packet);
            }
        }
    };
    let again = fill.clone();
    let out = Meta::new(Point::LocalOut, Now::default());
    let into = Meta::new(Point::LocalIn, Now::default());
    let mut all = vec![0; many * place];
    let mut others = all.clone();
    let mut ends = vec![(0, 0); many];
    // What does not work is not measured.
    let works = {
        let mut memory = vec![0; place];
        let (mut from, policy) = host(provider, packets, false)?;
        let (mut to, _) = host(provider, packets, true)?;
        fill(&mut memory);
        let mut frame = SliceFrame::new(&mut memory, ROOM, ROOM + bytes);
        let (mut events, mut actions) = ((), ());
        let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
        from.outbound(&mut cx, &policy, out, &mut frame) == Verdict::Continue && {
            let layout = *Packet::parse(frame.bytes(), into).layout();
            to.open(&mut cx, &layout, &mut frame).is_ok() && frame.bytes().len() == bytes
        }
    };
    works.then_some([
        (
            "seal",
            used_up(many as u32, move |started| {
                fill(&mut all);
                let (mut events, mut actions) = ((), ());
                let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
                started();
                for memory in all.chunks_exact_mut(place) {
                    let mut frame = SliceFrame::new(black_box(memory), ROOM, ROOM + bytes);
                    let _ = black_box(sealing.outbound(&mut cx, &policy, out, &mut frame));
                }
            }),
        ),
        (
            "open",
            used_up(many as u32, move |started| {
                again(&mut others);
                let (mut events, mut actions) = ((), ());
                let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
                for (memory, end) in others.chunks_exact_mut(place).zip(&mut ends) {
                    let mut frame = SliceFrame::new(memory, ROOM, ROOM + bytes);
                    let _ = refilling.outbound(&mut cx, &same, out, &mut frame);
                    let len = frame.bytes().len();
                    let begin = ROOM - (20 + 8 + packets.suite.iv_len());
                    *end = (begin, begin + len);
                }
                started();
                for (memory, (begin, end)) in others.chunks_exact_mut(place).zip(&ends) {
                    let mut frame = SliceFrame::new(black_box(memory), *begin, *end);
                    let layout = *Packet::parse(frame.bytes(), into).layout();
                    let _ = black_box(opening.open(&mut cx, &layout, &mut frame));
                }
            }),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostward::crypto::backend;

    #[test]
    fn what_is_measured_is_done() {
        let provider = Provider::of([backend::RUST_CRYPTO]);
        for suite in Suite::all().filter(|suite| suite.protocol() == Protocol::Esp) {
            for whole_blocks in [false, true] {
                let packets = Packets {
                    suite,
                    bytes: 64,
                    whole_blocks,
                };
                for (level, works) in LEVELS {
                    for (op, work) in &mut works(&provider, packets).unwrap() {
                        assert!(!work(8).is_zero(), "{suite} {level} {op}");
                    }
                }
            }
            assert!(
                baseline("rustcrypto", &provider, suite, 64).is_some()
                    || !SUITES.contains(&suite.to_string().as_str())
            );
        }
        let ring = Provider::of([backend::RING]);
        let packets = Packets {
            suite: Suite::AES_128_GCM,
            bytes: 64,
            whole_blocks: false,
        };
        for case in cases(backend::RING, &ring, packets) {
            let row = measure(case, 64, 3);
            assert!(row.share.unwrap() > 0.0 && row.gbit_s > 0.0);
            assert!(row.raw_padded_ns.unwrap() > 0.0);
        }
    }
}
