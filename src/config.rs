//! How a guard works.

use hostward_hook::flow::FlowConfig;
use hostward_hook::{fragment, stream};

/// Whether the guard's refusals count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// A refused packet ends where it was refused: no flow, no observer sees it.
    #[default]
    Enforce,
    /// The guard says what it would do, and everything behind sees the packet all the same: for
    /// captures and for trying a policy out. Verdicts, events and counters are those of
    /// [`Mode::Enforce`], as far as the refused packets themselves change nothing.
    Observe,
}

/// Bounds and choices of a guard. The memory of the flow table is taken when the guard is made.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct GuardConfig {
    /// Whether refusals count.
    pub mode: Mode,
    /// The flow table.
    pub flows: FlowConfig,
    /// TCP stream reassembly for the observers. `None` for hosts that feed their observers from
    /// their own TCP.
    pub streams: Option<stream::Config>,
    /// Fragment reassembly. `None` for hosts that judge fragments one by one.
    pub fragments: Option<fragment::Config>,
    /// How often an inner packet is looked into after IPsec opened the outer one. 4.
    pub nesting: u8,
}

impl Default for GuardConfig {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            flows: FlowConfig::default(),
            streams: Some(stream::Config::default()),
            fragments: Some(fragment::Config::default()),
            nesting: 4,
        }
    }
}
