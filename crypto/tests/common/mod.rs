//! What the tests of key exchange and signatures share.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test program uses a part of it"
)]

use std::collections::BTreeMap;

use hostward_crypto::{Backend, Failed, Random};

/// Every backend compiled in.
pub fn backends() -> Vec<&'static dyn Backend> {
    vec![
        #[cfg(feature = "rustcrypto")]
        hostward_crypto::backend::RUST_CRYPTO,
        #[cfg(feature = "ring")]
        hostward_crypto::backend::RING,
        #[cfg(feature = "aws-lc-rs")]
        hostward_crypto::backend::AWS_LC,
    ]
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
