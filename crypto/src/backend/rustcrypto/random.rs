//! The caller's random numbers, as RustCrypto's crates take them.

use rand_core::{TryCryptoRng, TryRng};

use crate::error::Failed;
use crate::random::Random;
use crate::secret::Secret;

/// How often to draw again when what was drawn is no valid private key. For every group the odds are
/// below 2^-30 that one draw is none, so that many in a row mean that the source is broken.
const DRAWS: usize = 8;

/// Draws octets until `take` takes them.
pub(super) fn draw<T>(
    random: &mut dyn Random,
    len: usize,
    mut take: impl FnMut(&mut Secret) -> Option<T>,
) -> Result<T, Failed> {
    let mut octets = Secret::zeros(len);
    for _ in 0..DRAWS {
        random.fill(octets.expose_mut())?;
        if let Some(taken) = take(&mut octets) {
            return Ok(taken);
        }
    }
    Err(Failed)
}

/// As `rand_core` wants it: an error of the source stays one, and so does a source that never gives
/// what a library draws for, which would keep it drawing forever.
pub(super) struct Adapter<'a> {
    random: &'a mut dyn Random,
    /// Octets it still gives.
    left: usize,
}

impl<'a> Adapter<'a> {
    /// One signature needs a salt of 64 octets and a number below the modulus, of 1024 octets at most, for
    /// which two draws are needed on average.
    const LIMIT: usize = 256 * 1024;

    pub(super) fn new(random: &'a mut dyn Random) -> Self {
        Self {
            random,
            left: Self::LIMIT,
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failed> {
        let mut octets = [0; N];
        self.try_fill_bytes(&mut octets)?;
        Ok(octets)
    }
}

impl TryRng for Adapter<'_> {
    type Error = Failed;

    fn try_next_u32(&mut self) -> Result<u32, Failed> {
        self.array().map(u32::from_le_bytes)
    }

    fn try_next_u64(&mut self) -> Result<u64, Failed> {
        self.array().map(u64::from_le_bytes)
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Failed> {
        self.left = self.left.checked_sub(to.len()).ok_or(Failed)?;
        self.random.fill(to)
    }
}

impl TryCryptoRng for Adapter<'_> {}
