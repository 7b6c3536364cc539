//! What every test of the crate shares: the backends that were built in.
#![allow(dead_code, reason = "not every test uses all of it")]

use hostward_crypto::{Algorithm, Backend, Provider, backend};

/// Every backend that is compiled in.
pub(crate) fn backends() -> Vec<&'static dyn Backend> {
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

/// A provider of one backend each, for those that do this.
pub(crate) fn providers(algorithm: Algorithm) -> Vec<Provider> {
    backends()
        .into_iter()
        .map(|backend| Provider::of([backend]))
        .filter(|provider| provider.supports(algorithm))
        .collect()
}

/// Octets of hexadecimal digits.
pub(crate) fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("a hexadecimal digit") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// A reproducible stream of octets that look random: splitmix64.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// So many octets.
    pub(crate) fn octets(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

impl hostward_crypto::Random for Numbers {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), hostward_crypto::Failed> {
        to.fill_with(|| self.next() as u8);
        Ok(())
    }
}
