//! One security association: what becomes of its packets.
//!
//! [`Outbound`] and [`Inbound`] are owned by one worker, which calls them with each packet in turn; they can
//! be sent to another. Nothing is allocated after they were made.

mod inbound;
mod lifetime;
mod outbound;
mod parameters;
mod refused;
mod replay;

pub use inbound::Inbound;
pub use lifetime::{Lifetimes, Limits};
pub use outbound::Outbound;
pub use parameters::{Df, Dscp, Ecn, OuterHeader, Parameters, SaError, Tfc, UdpEncapsulation};
pub use refused::{Opened, Refused, Sealed};
pub use replay::Window;

/// What an association has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Packets that were sealed or opened, dummy packets included.
    pub packets: u64,
    /// Octets that were encrypted (ESP) or authenticated (AH), padding included.
    pub bytes: u64,
    /// Packets that were refused as replays or as older than the window.
    pub replays: u64,
    /// Packets whose ICV was wrong.
    pub bad_icv: u64,
    /// Packets that were refused for another reason.
    pub refused: u64,
}

impl Counters {
    /// Counts a refusal.
    #[cold]
    fn refused(&mut self, refused: Refused) {
        let counter = match refused {
            Refused::Replay | Refused::Stale => &mut self.replays,
            Refused::BadIcv => &mut self.bad_icv,
            Refused::Malformed
            | Refused::BadPadding
            | Refused::BadInner
            | Refused::Ecn
            | Refused::Expired
            | Refused::SequenceExhausted
            | Refused::NoRoom
            | Refused::TooBig { .. }
            | Refused::Fragment
            | Refused::NotOurs
            | Refused::Crypto => &mut self.refused,
        };
        *counter = counter.saturating_add(1);
    }
}

/// Reads a little of each frame of a batch, so that their memory is on its way when the work
/// begins.
fn touch<F: hostward_hook::FrameBuf + ?Sized>(frames: &[&mut F]) {
    let read = frames.iter().fold(0_u8, |read, frame| {
        let bytes = frame.bytes();
        let both = bytes.first().copied().unwrap_or(0) ^ bytes.last().copied().unwrap_or(0);
        read ^ both
    });
    core::hint::black_box(read);
}
