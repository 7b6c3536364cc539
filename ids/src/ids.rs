//! The control: the detectors behind one packet hook.

use hostward_hook::PacketHook;
use hostward_hook::action::Cx;
use hostward_hook::hooks::Timers;
use hostward_hook::packet::Packet;
use hostward_hook::verdict::Verdict;

use crate::malformed;

/// What intrusion detection looks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct Config {
    /// Malformed packets (`MALFORMED_PACKET`).
    pub malformed: malformed::Config,
}

/// Intrusion detection of one worker.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    config: Config,
}

impl Ids {
    /// Intrusion detection as configured.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self { config }
    }
}

impl PacketHook for Ids {
    type Slot = ();

    #[inline]
    fn before(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
        malformed::check(&self.config.malformed, cx, packet)
    }
}

impl Timers for Ids {}
