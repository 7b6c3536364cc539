//! What the tests of several modules need.

use hostward_crypto::{Failed, Provider, Random, backend};

pub(crate) fn provider() -> Provider {
    Provider::of([backend::RUST_CRYPTO])
}

/// Octets that differ, and nothing more can be said for them.
#[derive(Default)]
pub(crate) struct Counting(u8);

impl Random for Counting {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
        for octet in to {
            self.0 = self.0.wrapping_mul(29).wrapping_add(113);
            *octet = self.0;
        }
        Ok(())
    }
}

pub(crate) fn hex(text: &str) -> std::vec::Vec<u8> {
    let digits: std::vec::Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}
