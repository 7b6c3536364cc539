//! Rule sets and header traces in the format of ClassBench filter files: reading them.
//!
//! A rule line is `@SRC/LEN DST/LEN LO : HI LO : HI 0xPP/0xMM 0xFFFF/0xMMMM`, a header line
//! `SRC DST SPORT DPORT PROTO FLAGS MATCH` (tab-separated; IPv4 addresses of headers are decimal
//! numbers, `MATCH` is the first matching line or -1). The two port numbers constrain every
//! protocol. Files may be compressed with xz.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "a module of several tests and benches, each of which needs a part"
)]

use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hostward_filter::classifier::{Address, Key, Pattern, Protocol, Service};

/// The folder named by `HOSTWARD_RULES`.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os("HOSTWARD_RULES").map(PathBuf::from)
}

/// The names of all sets in the folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|e| {
            let name = e.unwrap().file_name().into_string().ok()?;
            let name = name.strip_suffix(".xz").unwrap_or(&name);
            name.strip_suffix(".rules").map(str::to_owned)
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The text of `NAME.KIND` or `NAME.KIND.xz`.
pub fn read(folder: &Path, name: &str, kind: &str) -> String {
    let plain = folder.join(format!("{name}.{kind}"));
    if plain.exists() {
        return fs::read_to_string(plain).unwrap();
    }
    let packed = fs::read(folder.join(format!("{name}.{kind}.xz"))).unwrap();
    let mut text = String::new();
    lzma_rust2::XzReader::new(packed.as_slice(), true)
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// An address type that text can be turned into.
pub trait Text: Address {
    const BITS: u32;
    fn parse(text: &str) -> Self;
    fn host_mask(bits: u32) -> Self;
    fn or(self, other: Self) -> Self;
}

impl Text for u32 {
    const BITS: u32 = 32;
    fn parse(text: &str) -> Self {
        text.parse()
            .unwrap_or_else(|_| match text.parse().unwrap() {
                IpAddr::V4(a) => a.to_bits(),
                IpAddr::V6(_) => panic!("{text}"),
            })
    }
    fn host_mask(bits: u32) -> Self {
        u32::MAX.checked_shr(bits).unwrap_or(0)
    }
    fn or(self, other: Self) -> Self {
        self | other
    }
}

impl Text for u128 {
    const BITS: u32 = 128;
    fn parse(text: &str) -> Self {
        match text.parse().unwrap() {
            IpAddr::V6(a) => a.to_bits(),
            IpAddr::V4(_) => panic!("{text}"),
        }
    }
    fn host_mask(bits: u32) -> Self {
        u128::MAX.checked_shr(bits).unwrap_or(0)
    }
    fn or(self, other: Self) -> Self {
        self | other
    }
}

fn range<A: Text>(text: &str) -> (A, A) {
    let (address, len) = text.split_once('/').unwrap();
    let low = A::parse(address);
    (low, low.or(A::host_mask(len.parse().unwrap())))
}

fn numbers(text: &str) -> (u16, u16) {
    let (low, high) = text.split_once(':').unwrap();
    (low.trim().parse().unwrap(), high.trim().parse().unwrap())
}

/// All rules of a file.
pub fn rules<A: Text>(text: &str) -> Vec<Pattern<A>> {
    text.lines()
        .map(|line| {
            let mut field = line.strip_prefix('@').unwrap().split('\t').map(str::trim);
            let mut next = || field.next().unwrap();
            let (source, destination) = (range(next()), range(next()));
            let (a, b) = (numbers(next()), numbers(next()));
            let protocol = match next().split_once('/').unwrap() {
                (_, "0x00") => Protocol::Any,
                (p, "0xFF") => {
                    Protocol::Is(u8::from_str_radix(p.strip_prefix("0x").unwrap(), 16).unwrap())
                }
                other => panic!("{other:?}"),
            };
            Pattern {
                source,
                destination,
                service: Service {
                    protocol,
                    a,
                    b,
                    ..Service::ANY
                },
            }
        })
        .collect()
}

/// All headers of a file and the position of the first rule each matches.
pub fn headers<A: Text>(text: &str) -> (Vec<Key<A>>, Vec<Option<u32>>) {
    text.lines()
        .map(|line| {
            let f: Vec<&str> = line.split('\t').collect();
            let key = Key {
                source: A::parse(f[0]),
                destination: A::parse(f[1]),
                a: f[2].parse().unwrap(),
                b: f[3].parse().unwrap(),
                protocol: f[4].parse().unwrap(),
                ..Key::default()
            };
            (key, f[6].trim().parse::<u32>().ok())
        })
        .unzip()
}
