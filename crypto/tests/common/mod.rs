//! What every test of the crate shares: the backends that were built in.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    reason = "each test program uses a part of it"
)]

use std::collections::BTreeMap;

use hostward_crypto::{Algorithm, Backend, Failed, Provider, Random, backend};

/// Every backend that is compiled in.
pub fn backends() -> Vec<&'static dyn Backend> {
    vec![
        #[cfg(feature = "rustcrypto")]
        backend::RUST_CRYPTO,
        #[cfg(feature = "ring")]
        backend::RING,
        #[cfg(feature = "aws-lc-rs")]
        backend::AWS_LC,
        #[cfg(feature = "ipsec-mb")]
        backend::IPSEC_MB,
    ]
}

/// Those that do more than AEAD.
pub fn key_backends() -> Vec<&'static dyn Backend> {
    let all = backends().into_iter();
    all.filter(|backend| backend.name() != "ipsec-mb").collect()
}

/// A provider of one backend each, for those that do this.
pub fn providers(algorithm: Algorithm) -> Vec<Provider> {
    backends()
        .into_iter()
        .map(|backend| Provider::of([backend]))
        .filter(|provider| provider.supports(algorithm))
        .collect()
}

/// Octets of hexadecimal digits.
pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap_or_default() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// A reproducible stream of octets that look random: splitmix64.
pub struct Numbers(pub u64);

impl Numbers {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// So many octets.
    pub fn octets(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

impl Random for Numbers {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
        to.fill_with(|| self.next() as u8);
        Ok(())
    }
}

/// The operating system's random numbers.
pub struct System;

impl Random for System {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
        getrandom::fill(to).map_err(|_| Failed)
    }
}

/// Gives these octets and then no more. RustCrypto's private keys are what its source gives, so this one
/// chooses them.
pub struct Fixed<'a>(pub &'a [u8]);

impl Random for Fixed<'_> {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
        let (now, later) = self.0.split_at_checked(to.len()).ok_or(Failed)?;
        to.copy_from_slice(now);
        self.0 = later;
        Ok(())
    }
}

/// A source that fails.
pub struct Broken;

impl Random for Broken {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), Failed> {
        Err(Failed)
    }
}

pub fn random(len: usize) -> Vec<u8> {
    let mut octets = vec![0; len];
    System.fill(&mut octets).unwrap();
    octets
}

pub fn unhex(text: &str) -> Vec<u8> {
    if text == "-" {
        return Vec::new();
    }
    let digit = |octet: &u8| char::from(*octet).to_digit(16).unwrap() as u8;
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    assert!(rest.is_empty(), "{text}");
    pairs
        .iter()
        .map(|[high, low]| digit(high) << 4 | digit(low))
        .collect()
}

/// The lines of a data file that are no comments, in words.
pub fn lines(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_whitespace().collect())
}

/// How often what happened; printed at the end of a test.
#[derive(Default)]
pub struct Tally(BTreeMap<String, usize>);

impl Tally {
    pub fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub fn of(&self, what: &str) -> usize {
        self.0.get(what).copied().unwrap_or_default()
    }

    pub fn print(&self, title: &str) {
        for (what, times) in &self.0 {
            println!("{title}: {what}: {times}");
        }
    }
}
