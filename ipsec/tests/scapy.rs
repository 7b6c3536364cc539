//! Proof against scapy: what we seal it opens, and the other way round. Needs scapy for Python
//! (Debian: python3-scapy); without it the test says so and proves nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::*;
use hostward_hook::frame::FrameBuf;
use hostward_hook::protection::Encapsulation::{Transport, Tunnel};
use hostward_ipsec::suite::Protocol;
use hostward_ipsec::{Parameters, Suite};

struct Scapy {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Scapy {
    fn start() -> Option<Self> {
        let python = ["python3", "/usr/bin/python3"].into_iter().find(|python| {
            Command::new(python)
                .args(["-c", "import scapy.layers.ipsec"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        })?;
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/with_scapy.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let to = child.stdin.take()?;
        let from = BufReader::new(child.stdout.take()?);
        Some(Self { child, to, from })
    }

    fn ask(
        &mut self,
        op: &str,
        p: &Parameters,
        sequence: u64,
        packet: &[u8],
    ) -> Result<Vec<u8>, String> {
        let words = words(p.suite).ok_or("scapy does not know it")?;
        let mode = if p.mode == Tunnel {
            "tunnel"
        } else {
            "transport"
        };
        let outer = if p.local.is_ipv6() { "6" } else { "4" };
        let udp = p.udp.map_or("-".into(), |udp| udp.remote.to_string());
        let esn = u8::from(p.esn);
        writeln!(
            self.to,
            "{op} {words} {mode} {outer} {udp} {esn} {sequence} {}",
            digits(packet)
        )
        .unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        match line.trim_end().strip_prefix("error") {
            Some(why) => Err(why.trim().into()),
            None => Ok(hex(line.trim_end())),
        }
    }
}

impl Drop for Scapy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn digits(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").unwrap();
        text
    })
}

/// Protocol, algorithms and keys as scapy names them; nothing when it does not know the suite.
fn words(suite: Suite) -> Option<String> {
    let transforms = suite.transforms();
    let cipher = match transforms.encryption {
        None => "-",
        Some(11) => "NULL",
        Some(12) => "AES-CBC",
        Some(13) => "AES-CTR",
        Some(16) => "AES-CCM",
        Some(20) => "AES-GCM",
        Some(28) => "CHACHA20-POLY1305",
        Some(_) => return None,
    };
    let code = match transforms.integrity {
        None => "-",
        Some(2) => "HMAC-SHA1-96",
        Some(8) => "AES-CMAC-96",
        Some(12) => "SHA2-256-128",
        Some(13) => "SHA2-384-192",
        Some(14) => "SHA2-512-256",
        Some(_) => return None,
    };
    let p = parameters(suite, Tunnel, outer(false));
    let (encryption, integrity) = p.keys.expose().split_at(suite.encryption_key_len());
    let key = |key: &[u8]| {
        if key.is_empty() {
            "-".into()
        } else {
            digits(key)
        }
    };
    let protocol = match suite.protocol() {
        Protocol::Esp => "esp",
        Protocol::Ah => "ah",
    };
    Some(format!(
        "{protocol} {cipher} {} {code} {}",
        key(encryption),
        key(integrity)
    ))
}

#[test]
fn scapy_opens_what_we_seal_and_seals_what_we_open() {
    let Some(mut scapy) = Scapy::start() else {
        println!("skipped: there is no Python with scapy");
        return;
    };
    let mut tally = BTreeMap::<String, usize>::new();
    let mut failed = Vec::new();
    for suite in Suite::all() {
        if words(suite).is_none() {
            continue;
        }
        for (mode, outside, inside) in [
            (Tunnel, false, false),
            (Tunnel, false, true),
            (Tunnel, true, false),
            (Tunnel, true, true),
            (Transport, false, false),
            (Transport, true, true),
        ] {
            for (esn, udp) in [(false, false), (true, false), (false, true)] {
                // scapy puts ESP into UDP in IPv4 only.
                if udp && (outside || suite.protocol() == Protocol::Ah) {
                    continue;
                }
                // scapy leaves the high half out where ESP has an integrity algorithm of its own.
                if esn && suite.protocol() == Protocol::Esp && suite.integrity_key_len() > 0 {
                    continue;
                }
                let mut p = parameters(suite, mode, outer(outside));
                p.esn = esn;
                if udp {
                    p = p.with_udp(4500, 4500);
                }
                let ends = if mode == Tunnel {
                    inner(inside)
                } else {
                    outer(outside)
                };
                for len in [0, 5, 100, 1300] {
                    let plain = packet(ends, 0x28, &Numbers(len).octets(len as usize));
                    let name =
                        format!("{suite} {mode:?} {outside} {inside} esn {esn} udp {udp} {len}");
                    let (mut out, mut into) = pair(p.clone());
                    // Ours to scapy.
                    let sealed = seal(&mut out, &plain);
                    match scapy.ask("open", &p, 1, &sealed) {
                        Ok(opened) if plain == opened => {
                            *tally.entry("opened".into()).or_default() += 1
                        }
                        Ok(opened) => failed.push(format!(
                            "open {name}: {} {}",
                            digits(&plain),
                            digits(&opened)
                        )),
                        Err(why) => failed.push(format!("open {name}: {why}")),
                    }
                    // scapy's to us.
                    match scapy.ask("seal", &p, 7, &plain) {
                        Ok(mut sealed) => {
                            if udp {
                                // scapy 2.5 writes the length of an empty datagram.
                                let len = (sealed.len() - 20) as u16;
                                sealed[24..26].copy_from_slice(&len.to_be_bytes());
                            }
                            let mut frame = frame(&sealed);
                            match into.open(NOW, &mut frame) {
                                Ok(opened) if frame.bytes() == plain && opened.sequence == 7 => {
                                    *tally.entry("sealed".into()).or_default() += 1;
                                }
                                other => failed
                                    .push(format!("seal {name}: {other:?} {}", digits(&sealed))),
                            }
                        }
                        Err(why) => failed.push(format!("seal {name}: {why}")),
                    }
                }
            }
        }
    }
    println!("{tally:?}; {} failed", failed.len());
    for failure in failed.iter().step_by(1 + failed.len() / 12) {
        println!("{failure}");
    }
    assert!(failed.is_empty());
    assert!(tally.values().all(|times| *times > 1000));
}
