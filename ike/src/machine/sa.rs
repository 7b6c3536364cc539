//! One IKE SA: what it is, how its messages are protected, sent again and answered again.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use hostward_crypto::exchange::Exchange;
use hostward_crypto::{Group, Secret};
use hostward_hook::ident::TunnelId;
use hostward_hook::time::Instant;

use super::context::{Context, Effect, RuleRef};
use super::event::{ChildId, ChildSpi, Event, Failure, IkeFacts, Path, SaId};
use super::handshake::{Handshake, Initiating, Redirected};
use super::index::Entered;
use super::window::{Receiving, Sending};
use crate::auth::Authenticated;
use crate::keys::{IkeKeys, Side, Spis};
use crate::message::{ExchangeType, Flags, Header, IkeSpi, NotifyType};
use crate::policy::{DynVpnAction, Encapsulation};
use crate::proposal::{ChildSuite, IkeSuite, Proposal, Protocol};
use crate::protect::{Opener, Sealer};
use crate::selector::Selector;

/// How long an SA that is no more answers requests that come again.
pub(super) const LINGER: Duration = Duration::from_secs(20);

/// How long an answer is kept for a request that comes again (RFC 7296 §2.1: several minutes).
pub(super) const KEPT: Duration = Duration::from_secs(180);

/// Keys and algorithms.
pub(super) struct Crypt {
    pub(super) keys: IkeKeys,
    pub(super) suite: Arc<IkeSuite>,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
    /// What opens requests of the keys before, which may come again (RFC 9370 §2.2.2).
    pub(super) before: Option<Opener>,
}

/// What an IKE SA is at. Each state holds what there is in it and no more.
pub(super) enum Phase {
    /// This side sent IKE_SA_INIT.
    Initiating(Box<Initiating>),
    /// There are keys, and nobody has proven anything yet.
    Handshake(Box<Handshake>),
    /// Both sides are authenticated; this cannot be made without the proof.
    Established(Box<Established>),
    /// It is no more, and answers what comes again until then.
    Closed(Instant),
}

/// What there is of an authenticated peer.
pub(super) struct Established {
    pub(super) peer: Authenticated,
    pub(super) facts: Arc<IkeFacts>,
    pub(super) rule: RuleRef,
    /// When it is renewed.
    pub(super) renew: Instant,
    /// When it must end.
    pub(super) end: Instant,
    /// When it must be authenticated again.
    pub(super) reauthenticate: Option<Instant>,
    pub(super) liveness: Option<Duration>,
    pub(super) keep_alive: Option<Duration>,
    pub(super) state: IkeState,
    /// An SA that the peer made in the same moment by rekeying this one, and the lowest nonce of it.
    pub(super) rival: Option<(IkeSpi, Vec<u8>)>,
    /// A rekeying as responder that waits for IKE_FOLLOWUP_KE.
    pub(super) following: Option<Box<super::followup::Following>>,
    /// Since when the peer has answered TEMPORARY_FAILURE and nothing else.
    pub(super) refused_since: Option<Instant>,
    pub(super) assigned: Option<IpAddr>,
    /// From where it was sent here.
    pub(super) redirected: Option<Box<Redirected>>,
}

/// Whether an authenticated SA stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IkeState {
    Live,
    /// The peer replaced it; its Delete is awaited until then.
    Replaced(Instant),
    /// This side is deleting it.
    Deleting,
}

/// What both sides can do, from IKE_SA_INIT and IKE_AUTH.
#[derive(Clone, Copy, Default)]
pub(super) struct Agreed {
    pub(super) fragments: bool,
    pub(super) mobike: bool,
    pub(super) childless: bool,
    /// Whether the peer follows redirections.
    pub(super) redirect: bool,
    pub(super) nat_local: bool,
    pub(super) nat_remote: bool,
    /// Whether the peer speaks of NAT traversal at all.
    pub(super) nat_known: bool,
}

impl Agreed {
    pub(super) const fn nat(&self) -> bool {
        self.nat_local || self.nat_remote
    }
}

/// A child that is wanted.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) tunnel: TunnelId,
    pub(super) action: Arc<DynVpnAction>,
    pub(super) mode: Encapsulation,
    pub(super) local: Vec<Selector>,
    pub(super) remote: Vec<Selector>,
    /// When the first child of the tunnel came up (`VpnLife`).
    pub(super) since: Instant,
    pub(super) generation: u32,
}

/// A child SA that is installed.
pub(super) struct Child {
    pub(super) id: ChildId,
    pub(super) spi_in: u32,
    pub(super) spi_out: u32,
    pub(super) wish: Wish,
    pub(super) suite: ChildSuite,
    pub(super) state: ChildState,
    pub(super) renew: Instant,
    pub(super) end: Instant,
}

impl Child {
    pub(super) const fn spi(&self) -> ChildSpi {
        (self.suite.protocol, self.spi_in)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChildState {
    Live,
    /// This side wants to rekey it, or is at it.
    Rekeying,
    /// Another took its place, made by the peer, whose Delete of this one is awaited.
    Replaced(ChildId),
    Deleting,
}

/// An exchange that this side wants, when its turn comes.
pub(super) enum Task {
    Create(Box<Wish>),
    Rekey(ChildId),
    Delete(ChildId),
    /// A child that the peer has and this side does not want.
    DeleteSpi(Protocol, u32),
    RekeyIke,
    DeleteIke(Failure),
    Liveness,
    /// Addresses have changed (RFC 4555 §3.5).
    Update,
    /// The peer is to go elsewhere (RFC 5685 §5).
    Redirect(IpAddr),
    /// The next additional key exchange of a CREATE_CHILD_SA.
    Follow(Box<super::followup::Leading>),
}

pub(super) struct Queued {
    pub(super) due: Instant,
    pub(super) tries: u32,
    pub(super) task: Task,
}

/// An exchange that was begun.
pub(super) enum Request {
    Intermediate,
    Auth,
    Create(Box<Creating>),
    RekeyIke(Box<Rekeying>),
    Follow(Box<super::followup::Leading>),
    Delete(Vec<ChildId>),
    DeleteIke(Failure),
    Liveness,
    Update(Vec<u8>, Path),
    /// Tells the responder that its proof was not taken.
    Farewell,
}

/// A child being made by this side.
pub(super) struct Creating {
    pub(super) wish: Wish,
    pub(super) rekeys: Option<ChildId>,
    pub(super) tries: u32,
    pub(super) spi_in: u32,
    pub(super) proposals: Vec<Proposal>,
    pub(super) nonce: Vec<u8>,
    pub(super) exchange: Option<Box<dyn Exchange>>,
    pub(super) tried: Vec<Group>,
    /// A child that the peer made in the same moment by rekeying the same one, and its lowest nonce.
    pub(super) rival: Option<(ChildId, Vec<u8>)>,
}

/// An IKE SA being rekeyed by this side.
pub(super) struct Rekeying {
    pub(super) tries: u32,
    pub(super) spi: IkeSpi,
    pub(super) proposals: Vec<Proposal>,
    pub(super) nonce: Vec<u8>,
    pub(super) exchange: Option<Box<dyn Exchange>>,
    pub(super) tried: Vec<Group>,
}

pub(super) struct IkeSa {
    pub(super) id: SaId,
    /// Whether this side is the original initiator.
    pub(super) role: Side,
    pub(super) spis: Spis,
    pub(super) path: Path,
    pub(super) agreed: Agreed,
    pub(super) phase: Phase,
    pub(super) crypt: Option<Box<Crypt>>,
    pub(super) sending: Sending,
    pub(super) receiving: Receiving,
    pub(super) queue: VecDeque<Queued>,
    pub(super) children: Vec<Child>,
    /// Children that the peer deleted before this side knew of them.
    pub(super) early: Vec<ChildSpi>,
    /// Whether it took the place of another SA as far as the peer knows, and the children have not come over yet.
    pub(super) waits: bool,
    pub(super) heard: Instant,
    pub(super) spoke: Instant,
    /// Where it stands in the machine's list of deadlines.
    pub(super) scheduled: Option<Instant>,
    /// Under what the machine finds it.
    pub(super) entered: Entered,
    /// The address for which it is counted as half-open.
    pub(super) half_open: Option<IpAddr>,
}

/// Why a request is not answered as it wishes.
pub(super) enum Stop {
    /// The host is asked first.
    Wait,
    /// With this notification; the SA stays.
    Refuse(NotifyType, Vec<u8>),
    /// With this notification; the SA ends.
    Fatal(NotifyType, Failure),
}

impl Stop {
    pub(super) const fn refuse(kind: NotifyType) -> Self {
        Self::Refuse(kind, Vec::new())
    }
}

impl IkeSa {
    pub(super) const fn local_spi(&self) -> IkeSpi {
        match self.role {
            Side::Initiator => self.spis.initiator,
            Side::Responder => self.spis.responder,
        }
    }

    pub(super) const fn remote_spi(&self) -> IkeSpi {
        match self.role {
            Side::Initiator => self.spis.responder,
            Side::Responder => self.spis.initiator,
        }
    }

    pub(super) const fn header(
        &self,
        exchange: ExchangeType,
        message_id: u32,
        response: bool,
    ) -> Header {
        Header {
            spi_i: self.spis.initiator,
            spi_r: self.spis.responder,
            exchange,
            flags: Flags {
                initiator: matches!(self.role, Side::Initiator),
                version: false,
                response,
            },
            message_id,
        }
    }

    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    pub(super) fn established(&self) -> Option<&Established> {
        match &self.phase {
            Phase::Established(established) => Some(established),
            Phase::Initiating(_) | Phase::Handshake(_) | Phase::Closed(_) => None,
        }
    }

    pub(super) fn established_mut(&mut self) -> Option<&mut Established> {
        match &mut self.phase {
            Phase::Established(established) => Some(established),
            Phase::Initiating(_) | Phase::Handshake(_) | Phase::Closed(_) => None,
        }
    }

    pub(super) fn handshake_mut(&mut self) -> Option<&mut Handshake> {
        match &mut self.phase {
            Phase::Handshake(handshake) => Some(handshake),
            Phase::Initiating(_) | Phase::Established(_) | Phase::Closed(_) => None,
        }
    }

    /// Whether it is used for new children.
    pub(super) fn is_live(&self) -> bool {
        self.established()
            .is_some_and(|own| own.state == IkeState::Live)
    }

    pub(super) fn child(&mut self, id: ChildId) -> Option<&mut Child> {
        self.children.iter_mut().find(|child| child.id == id)
    }

    /// Takes a child away, which both sides know of.
    pub(super) fn remove_child(&mut self, cx: &mut Context, id: ChildId, why: Failure) {
        if let Some(at) = self.children.iter().position(|child| child.id == id) {
            let child = self.children.remove(at);
            cx.forget_spi(child.spi_in);
            cx.owners.remove(&id);
            cx.event(Event::ChildRemove(id, why));
        }
    }

    /// Ends the SA. It still answers what comes again for a while.
    pub(super) fn close(&mut self, cx: &mut Context, why: Failure) {
        if self.is_closed() {
            return;
        }
        for id in self
            .children
            .iter()
            .map(|child| child.id)
            .collect::<Vec<_>>()
        {
            self.remove_child(cx, id, Failure::WithIke);
        }
        let requests = self.sending.outstanding.drain(..).map(|one| one.request);
        let queued = self.queue.drain(..).map(|one| one.task);
        for spi in requests.filter_map(|request| match request {
            Request::Create(creating) => Some((creating.spi_in, creating.wish, creating.rekeys)),
            Request::Follow(leading) => leading.into_child(),
            Request::Intermediate
            | Request::Auth
            | Request::RekeyIke(_)
            | Request::Delete(_)
            | Request::DeleteIke(_)
            | Request::Liveness
            | Request::Update(..)
            | Request::Farewell => None,
        }) {
            cx.forget_spi(spi.0);
            if spi.2.is_none() {
                cx.fail_wishes([&spi.1], &why);
            }
        }
        for task in queued {
            match task {
                Task::Create(wish) => cx.fail_wishes([&*wish], &why),
                Task::Follow(leading) => {
                    if let Some((spi, wish, rekeys)) = leading.into_child() {
                        cx.forget_spi(spi);
                        if rekeys.is_none() {
                            cx.fail_wishes([&wish], &why);
                        }
                    }
                }
                Task::Rekey(_)
                | Task::Delete(_)
                | Task::DeleteSpi(..)
                | Task::RekeyIke
                | Task::DeleteIke(_)
                | Task::Liveness
                | Task::Redirect(_)
                | Task::Update => {}
            }
        }
        let phase = core::mem::replace(&mut self.phase, Phase::Closed(cx.after(LINGER)));
        match phase {
            Phase::Initiating(initiating) => {
                cx.fail_wishes(&initiating.wishes, &why);
                cx.event(Event::Closed(self.id, why));
            }
            Phase::Handshake(handshake) => {
                handshake.forget(cx);
                cx.fail_wishes(&handshake.wishes, &why);
                cx.event(Event::Closed(self.id, why));
            }
            Phase::Established(own) => {
                if let Some(spi) = own.following.and_then(|following| following.spi_in()) {
                    cx.forget_spi(spi);
                }
                let event = Event::Closed(self.id, why);
                cx.effects.push_back(Effect::Tell(Box::new(event)));
            }
            Phase::Closed(_) => {}
        }
    }

    /// Ends the SA, and nothing of it stays: nobody will ask again.
    pub(super) fn close_at_once(&mut self, cx: &mut Context, why: Failure) {
        self.close(cx, why);
        self.phase = Phase::Closed(cx.mono());
    }
}

/// Keys of an SA as one of its sides.
pub(super) fn crypt(
    cx: &Context,
    keys: IkeKeys,
    suite: Arc<IkeSuite>,
    side: Side,
) -> Option<Box<Crypt>> {
    let (sealer, opener) = keys.protection(&cx.provider, &suite, side).ok()?;
    Some(Box::new(Crypt {
        keys,
        suite,
        sealer,
        opener,
        before: None,
    }))
}

/// The lower of two nonces, octet by octet, a shorter one that is the other's beginning being lower
/// (RFC 7296 §2.8.1).
pub(super) fn lowest(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.min(b).to_vec()
}

/// Borrows secrets for the key schedule.
pub(super) fn borrowed(secrets: &[Secret]) -> Vec<&Secret> {
    secrets.iter().collect()
}
