//! What an IKE SA keeps until both sides are authenticated; all of it goes then.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_crypto::exchange::Exchange;
use hostward_crypto::{Group, Secret};
use hostward_hook::time::Instant;

use super::context::{Context, RuleRef};
use super::event::{Assigned, Path, QuestionId, SaId};
use super::sa::Wish;
use crate::auth::{Authenticated, Choice, SignatureHashes};
use crate::certificate::Received;
use crate::keys::{IkeKeys, IntAuth, Nonces};
use crate::message::NotifyType;
use crate::proposal::Proposal;
use crate::protect::Opened;

/// IKE_SA_INIT as initiator.
pub(super) struct Initiating {
    pub(super) rule: RuleRef,
    pub(super) proposals: Vec<Proposal>,
    pub(super) exchange: Box<dyn Exchange>,
    pub(super) tried: Vec<Group>,
    pub(super) nonce: Vec<u8>,
    pub(super) cookie: Vec<u8>,
    /// The request that was sent last.
    pub(super) message: Vec<u8>,
    pub(super) sent: u32,
    pub(super) due: Instant,
    /// How often an answer made it begin anew.
    pub(super) retries: u32,
    /// What an answer without protection told; it may be anybody's.
    pub(super) told: Option<NotifyType>,
    pub(super) wishes: Vec<Wish>,
    pub(super) replaces: Option<SaId>,
    pub(super) redirected: Option<Redirected>,
}

/// From where it was sent here (RFC 5685).
#[derive(Clone, Copy)]
pub(super) struct Redirected {
    pub(super) from: IpAddr,
    pub(super) count: u32,
    pub(super) since: Instant,
}

/// From the keys of IKE_SA_INIT to the end of IKE_AUTH.
pub(super) struct Handshake {
    /// The rule by address; as responder it is tentative.
    pub(super) rule: RuleRef,
    /// IKE_SA_INIT as this side sent it, and as the peer did.
    pub(super) init_sent: Vec<u8>,
    pub(super) init_received: Vec<u8>,
    pub(super) ni: Vec<u8>,
    pub(super) nr: Vec<u8>,
    pub(super) intermediate: IntAuth,
    /// Additional key exchanges that are still to be run.
    pub(super) additional: VecDeque<Group>,
    pub(super) exchange: Option<Box<dyn Exchange>>,
    /// An IKE_INTERMEDIATE request that was sent, for IntAuth, as it is authenticated.
    pub(super) sent: Option<(crate::message::Header, crate::message::PayloadWriter)>,
    /// Hashes of signatures that the peer takes.
    pub(super) hashes: SignatureHashes,
    /// The peer's certificate requests: encoding and authorities.
    pub(super) requests: Vec<(u8, Vec<u8>)>,
    /// Whether the peer fetches certificates.
    pub(super) fetches: bool,
    /// Both sides can do PPKs.
    pub(super) ppk: bool,
    pub(super) ppk_keys: Option<IkeKeys>,
    pub(super) wishes: Vec<Wish>,
    pub(super) replaces: Option<SaId>,
    pub(super) redirected: Option<Redirected>,
    pub(super) deadline: Instant,
    /// The child that this side asks for in IKE_AUTH: its SPI and proposals.
    pub(super) child: Option<(u32, Vec<Proposal>)>,
    pub(super) proof: Own,
    /// The IKE_AUTH message of the peer, while the host is asked about it.
    pub(super) work: Option<Box<Work>>,
}

/// This side's proof in the making.
#[derive(Default)]
pub(super) enum Own {
    #[default]
    None,
    /// The host was asked for a signature.
    Asked(QuestionId, Choice),
    /// Method and data of the AUTH payload.
    Made(u8, Secret),
    Failed,
}

/// An IKE_AUTH message that is being dealt with. Whatever the host answers, it is gone through from the
/// beginning again, with what is known by then.
pub(super) struct Work {
    pub(super) path: Path,
    pub(super) opened: Opened,
    pub(super) received: Option<Received>,
    pub(super) fetching: Vec<(QuestionId, usize)>,
    pub(super) peer: Option<(Authenticated, RuleRef)>,
    pub(super) address: Address,
}

/// The peer's wish for an address.
#[derive(Default)]
pub(super) enum Address {
    #[default]
    Unasked,
    Asked(QuestionId),
    Answered(Option<Assigned>),
}

impl Handshake {
    pub(super) fn nonces(&self) -> Nonces<'_> {
        Nonces {
            initiator: &self.ni,
            responder: &self.nr,
        }
    }

    /// Gives back what belongs to the machine.
    pub(super) fn forget(&self, cx: &mut Context) {
        if let Some((spi, _)) = &self.child {
            cx.forget_spi(*spi);
        }
        if let Own::Asked(id, _) = &self.proof {
            cx.asked.remove(id);
        }
        if let Some(work) = &self.work {
            for (id, _) in &work.fetching {
                cx.asked.remove(id);
            }
            if let Address::Asked(id) = &work.address {
                cx.asked.remove(id);
            }
        }
    }
}
