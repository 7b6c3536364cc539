//! Randomness is passed in.

use crate::error::Failed;

/// A source of random octets fit for keys. Nothing in the suite asks the operating system by
/// itself: a host hands one of these in.
pub trait Random: Send {
    /// Fills the slice with unpredictable octets.
    ///
    /// # Errors
    ///
    /// [`Failed`] when there are none; nothing of `to` may be used then.
    fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed>;
}

impl<R: Random + ?Sized> Random for &mut R {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
        (**self).fill(to)
    }
}

/// The operating system's random numbers.
#[cfg(feature = "system-random")]
#[derive(Clone, Copy, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a name for a source, with nothing in it"
)]
pub struct SystemRandom;

#[cfg(feature = "system-random")]
impl Random for SystemRandom {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
        getrandom::fill(to).map_err(|_| Failed)
    }
}
