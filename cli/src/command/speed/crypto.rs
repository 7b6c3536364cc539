//! `hostward speed crypto`: backends side by side.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what has no case here is not measured"
)]

use std::hint::black_box;
use std::io::{self, Write};

use clap::Args;
use hostward::crypto::algorithm::{Algorithm, Kind, Scheme};
use hostward::crypto::{Backend, Failed, Group, Provider, Random, Signing, backend};
use serde::Serialize;

use super::measure::{Work, again, medians};
use super::raw;
use crate::command::Outcome;

const AFTER: &str = "Times are thread CPU nanoseconds for one operation: medians of rounds in which everything about one
algorithm and length takes turns. raw_ns is the library's own call, for AEADs. Only ratios within one run mean anything.

Exit codes:
  0  everything was done
  1  the output could not be written
  2  the command line is wrong, or asks for what is not there";

/// Octets that are worked on.
const SIZES: [usize; 4] = [64, 576, 1408, 8192];

/// Arguments of `speed crypto`.
#[derive(Args, Debug)]
#[command(after_help = AFTER)]
#[non_exhaustive]
pub struct Crypto {
    /// Only these backends
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub backend: Vec<String>,

    /// Only algorithms whose names contain this
    #[arg(long, value_name = "TEXT")]
    pub alg: Option<String>,

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
    alg: String,
    op: &'static str,
    /// Octets worked on; none for key exchanges.
    bytes: Option<usize>,
    ns: f64,
    /// The library's own call.
    raw_ns: Option<f64>,
    kernel: String,
    batch: u32,
    repeat: u32,
}

/// Every backend that is compiled in.
fn backends() -> Vec<&'static dyn Backend> {
    vec![
        backend::RUST_CRYPTO,
        backend::RING,
        backend::AWS_LC,
        #[cfg(feature = "ipsec-mb")]
        backend::IPSEC_MB,
    ]
}

/// What the processor offers to the libraries, each of which chooses for itself.
pub(super) fn kernel() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        let features = [
            ("aes", std::arch::is_x86_feature_detected!("aes")),
            (
                "pclmulqdq",
                std::arch::is_x86_feature_detected!("pclmulqdq"),
            ),
            ("sha", std::arch::is_x86_feature_detected!("sha")),
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("vaes", std::arch::is_x86_feature_detected!("vaes")),
            ("avx512", std::arch::is_x86_feature_detected!("avx512f")),
        ];
        let found: Vec<&str> = features
            .iter()
            .filter(|(_, is)| *is)
            .map(|(name, _)| *name)
            .collect();
        if !found.is_empty() {
            return found.join("+");
        }
    }
    "scalar".into()
}

/// The operating system's random numbers, for backends that take the caller's.
struct System;

impl Random for System {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
        getrandom::fill(to).map_err(|_| Failed)
    }
}

/// One operation that is measured.
struct Case<'a> {
    op: &'static str,
    bytes: Option<usize>,
    work: Work<'a>,
    /// The library's own.
    raw: Option<Work<'a>>,
}

impl<'a> Case<'a> {
    fn of(op: &'static str, bytes: Option<usize>, once: impl FnMut() + 'a) -> Self {
        Self {
            op,
            bytes,
            work: again(once),
            raw: None,
        }
    }
}

impl Crypto {
    pub(super) fn run(self) -> io::Result<Outcome> {
        let chosen = match backends_named(&self.backend) {
            Ok(chosen) => chosen,
            Err(error) => {
                writeln!(io::stderr(), "error: {error}")?;
                return Ok(Outcome::Usage);
            }
        };
        let kernel = kernel();
        let mut out = io::stdout().lock();
        if !self.json {
            writeln!(
                out,
                "{:<12}{:<22}{:<9}{:>7}{:>14}{:>14}",
                "backend", "algorithm", "op", "octets", "ns", "raw ns"
            )?;
        }
        let mut algorithms: Vec<Algorithm> = Algorithm::all()
            .filter(|algorithm| !matches!(algorithm.kind(), Kind::Verify | Kind::Random))
            .filter(|algorithm| {
                self.alg
                    .as_ref()
                    .is_none_or(|alg| algorithm.to_string().contains(alg.as_str()))
            })
            .collect();
        algorithms.dedup();
        let mut any = false;
        for algorithm in algorithms {
            for backend in &chosen {
                let provider = Provider::of([*backend]);
                if !provider.supports(algorithm) {
                    continue;
                }
                for case in cases(backend.name(), &provider, algorithm) {
                    any = true;
                    let row = Row {
                        what: "crypto",
                        backend: backend.name(),
                        alg: algorithm.to_string(),
                        kernel: kernel.clone(),
                        batch: 1,
                        repeat: self.repeat,
                        ..measure(case, self.repeat)
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
        if !any {
            let text = self.alg.as_deref().unwrap_or("");
            writeln!(
                io::stderr(),
                "error: none of the backends has an algorithm whose name contains `{text}`"
            )?;
            return Ok(Outcome::Usage);
        }
        Ok(Outcome::Done)
    }
}

/// The backends with these names, or all.
pub(super) fn backends_named(names: &[String]) -> Result<Vec<&'static dyn Backend>, String> {
    let all = backends();
    if names.is_empty() {
        return Ok(all);
    }
    names
        .iter()
        .map(|name| {
            all.iter()
                .find(|backend| backend.name() == name)
                .copied()
                .ok_or_else(|| {
                    let names: Vec<&str> = all.iter().map(|backend| backend.name()).collect();
                    format!(
                        "there is no backend `{name}` in this build; there are {}",
                        names.join(", ")
                    )
                })
        })
        .collect()
}

fn print(out: &mut impl Write, row: &Row) -> io::Result<()> {
    let figure = |ns: Option<f64>| ns.map_or_else(|| "-".into(), |ns| format!("{ns:.1}"));
    writeln!(
        out,
        "{:<12}{:<22}{:<9}{:>7}{:>14}{:>14}",
        row.backend,
        row.alg,
        row.op,
        row.bytes
            .map_or_else(|| "-".into(), |bytes| bytes.to_string()),
        figure(Some(row.ns)),
        figure(row.raw_ns)
    )
}

/// The figures of one case; names are put in by the caller.
fn measure(case: Case<'_>, repeat: u32) -> Row {
    let mut works = vec![case.work];
    let raw = case.raw.map(|raw| works.push(raw)).is_some();
    let mut ns = medians(&mut works, repeat).into_iter();
    let tenths = |ns: f64| (ns * 10.0).round() / 10.0;
    let whole = ns.next().unwrap_or(0.0);
    let raw_ns = raw.then(|| ns.next()).flatten();
    Row {
        what: "",
        backend: "",
        alg: String::new(),
        op: case.op,
        bytes: case.bytes,
        ns: tenths(whole),
        raw_ns: raw_ns.map(tenths),
        kernel: String::new(),
        batch: 1,
        repeat,
    }
}

/// Everything there is to measure about an algorithm.
fn cases<'a>(backend: &str, provider: &'a Provider, algorithm: Algorithm) -> Vec<Case<'a>> {
    match algorithm {
        Algorithm::Aead(aead) => {
            let both = |size| {
                let key = provider.aead(aead, &vec![0x42; aead.key_len()]).ok()?;
                let [seal, open] = raw::interface(key, size)?;
                let (raw_seal, raw_open) =
                    raw::of(backend, aead, size).map_or((None, None), |[s, o]| (Some(s), Some(o)));
                let bytes = Some(size);
                Some([
                    Case {
                        op: "seal",
                        bytes,
                        work: seal,
                        raw: raw_seal,
                    },
                    Case {
                        op: "open",
                        bytes,
                        work: open,
                        raw: raw_open,
                    },
                ])
            };
            SIZES.into_iter().filter_map(both).flatten().collect()
        }
        Algorithm::Cipher(cipher) => {
            let both = |size| {
                let new = || provider.cipher(cipher, &vec![0x42; cipher.key_len()]).ok();
                let (one, two) = (new()?, new()?);
                let iv = vec![7; cipher.iv_len()];
                let (mut first, mut second) = (vec![0x5a; size], vec![0x5a; size]);
                let iv_two = iv.clone();
                Some([
                    Case::of("encrypt", Some(size), move || {
                        let _ = black_box(one.encrypt(black_box(&iv), &mut first));
                    }),
                    Case::of("decrypt", Some(size), move || {
                        let _ = black_box(two.decrypt(black_box(&iv_two), &mut second));
                    }),
                ])
            };
            SIZES.into_iter().filter_map(both).flatten().collect()
        }
        Algorithm::Block(length) => {
            let Ok(key) = provider.block(length, &vec![0x42; length.len()]) else {
                return Vec::new();
            };
            let mut block = [0; 16];
            vec![Case::of("encrypt", Some(16), move || {
                key.encrypt(black_box(&mut block));
            })]
        }
        Algorithm::Hash(hash) => SIZES
            .into_iter()
            .map(|size| {
                let data = vec![0x5a; size];
                Case::of("digest", Some(size), move || {
                    let _ = black_box(provider.digest(hash, &[black_box(&data)]));
                })
            })
            .collect(),
        Algorithm::Mac(mac) => SIZES
            .into_iter()
            .filter_map(|size| {
                let key = provider.mac(mac, &vec![0x42; mac.key_len()]).ok()?;
                let data = vec![0x5a; size];
                Some(Case::of("mac", Some(size), move || {
                    black_box(key.code(&[black_box(&data)]));
                }))
            })
            .collect(),
        Algorithm::Exchange(group) => exchange(provider, group).unwrap_or_default(),
        Algorithm::Sign(scheme) => signature(provider, scheme).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Beginning, answering, and both of the side that began: key generation and agreement.
fn exchange<'a>(provider: &'a Provider, group: Group) -> Option<Vec<Case<'a>>> {
    let public = provider
        .exchange(group, &mut System)
        .ok()?
        .ok()?
        .public()
        .to_vec();
    // Diffie-Hellman may be finished with any public value; ML-KEM needs an answer to its own key, and takes one to
    // another key as well: it then gives another secret, in the same time.
    let peer = provider
        .answer(group, &public, &mut System)
        .ok()?
        .ok()?
        .public;
    let whole = move || {
        let own = provider.exchange(group, &mut System).ok()?.ok()?;
        own.finish(black_box(&peer)).ok()
    };
    // What would end early is not measured.
    whole()?;
    Some(vec![
        Case::of("begin", None, move || {
            black_box(provider.exchange(group, &mut System).ok());
        }),
        Case::of("answer", None, move || {
            black_box(provider.answer(group, black_box(&public), &mut System).ok());
        }),
        Case::of("both", None, move || {
            black_box(whole());
        }),
    ])
}

/// Signing and checking 300 octets.
fn signature<'a>(provider: &'a Provider, scheme: Scheme) -> Option<Vec<Case<'a>>> {
    use hostward::crypto::Curve;
    // Keys made for this measurement and nothing else.
    let key: &[u8] = match scheme {
        Scheme::RsaPkcs1(_) | Scheme::RsaPss(_) => include_bytes!("keys/rsa2048.p8"),
        Scheme::Ecdsa(Curve::P256, _) => include_bytes!("keys/p256.p8"),
        Scheme::Ecdsa(Curve::P384, _) => include_bytes!("keys/p384.p8"),
        Scheme::Ecdsa(Curve::P521, _) => include_bytes!("keys/p521.p8"),
        Scheme::Ed25519 => include_bytes!("keys/ed25519.p8"),
        _ => return None,
    };
    let message = vec![0x5a; 300];
    let signer = provider.signer(key).ok()?;
    let Signing::Done(made) = signer.sign(scheme, &message, &mut System).ok()? else {
        return None;
    };
    let public = signer.public_key().to_vec();
    let signed = message.clone();
    let mut cases = vec![Case::of("sign", Some(300), move || {
        let _ = black_box(signer.sign(scheme, black_box(&signed), &mut System));
    })];
    if provider.supports(Algorithm::Verify(scheme)) {
        cases.push(Case::of("verify", Some(300), move || {
            let _ = black_box(provider.verify(scheme, &public, black_box(&message), &made));
        }));
    }
    Some(cases)
}
