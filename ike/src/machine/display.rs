//! What displays show of IKE SAs and their children.

use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_hook::time::Instant;

use super::Ike;
use super::event::{ChildId, IkeFacts, Path, SaId};
use super::sa::{ChildState, IkeState, Phase};
use crate::keys::{IkeKeys, Spis};
use crate::proposal::IkeSuite;

/// An IKE SA as displays show it (`ipsec -k`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SaDisplay {
    /// Its number.
    pub id: SaId,
    /// Its SPIs; the responder's is zero before it is known.
    pub spis: Spis,
    /// Between which ends.
    pub path: Path,
    /// How far it is.
    pub state: SaState,
    /// What is known once it is authenticated.
    pub facts: Option<Arc<IkeFacts>>,
    /// Its children.
    pub children: Vec<ChildDisplay>,
    /// Exchanges of this side that wait for an answer.
    pub outstanding: usize,
    /// Exchanges of this side that wait for their turn.
    pub waiting: usize,
}

/// How far an IKE SA is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the phases of an IKE SA")]
pub enum SaState {
    /// IKE_SA_INIT was sent.
    Initiating,
    /// There are keys, and no proof.
    HalfOpen,
    /// Both sides are authenticated.
    Established,
    /// Another took its place, and it is about to go.
    Replaced,
    /// This side deletes it.
    Deleting,
    /// It only answers what comes again.
    Closed,
}

/// A child as displays show it (`ipsec -y -b`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChildDisplay {
    /// Its number.
    pub id: ChildId,
    /// What it is for.
    pub tunnel: hostward_hook::ident::TunnelId,
    /// The SPIs it receives and sends with.
    pub spis: (u32, u32),
    /// Its algorithms.
    pub suite: crate::proposal::ChildSuite,
    /// How often it was renewed.
    pub generation: u32,
    /// Whether it is in use, and not about to go.
    pub live: bool,
    /// When it is renewed, and when it ends.
    pub times: (Instant, Instant),
}

impl Ike {
    /// The keys that protect an IKE SA's messages and its algorithms, for a host that lets another program decrypt
    /// what it captured. Whoever has them can read and forge the messages of this SA.
    #[must_use]
    pub fn keys(&self, id: SaId) -> Option<(&IkeKeys, &IkeSuite)> {
        let crypt = self.sas.get(&self.index.by_id(id)?)?.crypt.as_ref()?;
        Some((&crypt.keys, &crypt.suite))
    }

    /// All IKE SAs, for displays.
    pub fn sas(&self) -> impl Iterator<Item = SaDisplay> {
        self.sas.values().map(|sa| SaDisplay {
            id: sa.id,
            spis: sa.spis,
            path: sa.path,
            state: match &sa.phase {
                Phase::Initiating(_) => SaState::Initiating,
                Phase::Handshake(_) => SaState::HalfOpen,
                Phase::Established(own) => match own.state {
                    IkeState::Live => SaState::Established,
                    IkeState::Replaced(_) => SaState::Replaced,
                    IkeState::Deleting => SaState::Deleting,
                },
                Phase::Closed(_) => SaState::Closed,
            },
            facts: sa.established().map(|own| Arc::clone(&own.facts)),
            children: sa
                .children
                .iter()
                .map(|child| ChildDisplay {
                    id: child.id,
                    tunnel: child.wish.tunnel,
                    spis: (child.spi_in, child.spi_out),
                    suite: child.suite.clone(),
                    generation: child.wish.generation,
                    live: matches!(child.state, ChildState::Live | ChildState::Rekeying),
                    times: (child.renew, child.end),
                })
                .collect(),
            outstanding: sa.sending.outstanding.len(),
            waiting: sa.queue.len(),
        })
    }
}
