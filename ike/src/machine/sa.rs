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
use super::handshake::{Handshake, Initiating};
use super::window::{Outstanding, Place, Receiving, Sending};
use crate::auth::Authenticated;
use crate::keys::{IkeKeys, Side, Spis};
use crate::message::{
    ExchangeType, Flags, Header, IkeSpi, Message, NotifyType, ParseError, PayloadWriter, Payloads,
};
use crate::policy::{DynVpnAction, Encapsulation};
use crate::proposal::{ChildSuite, IkeSuite, Proposal, Protocol};
use crate::protect::{
    FragmentError, OpenError, Opened, Opener, Progress, Reassembly, Sealer, room,
};
use crate::selector::Selector;

/// How long an SA that is no more answers requests that come again.
pub(super) const LINGER: Duration = Duration::from_secs(20);

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

    fn datagrams(
        &mut self,
        cx: &mut Context,
        header: &Header,
        payloads: &PayloadWriter,
    ) -> Option<Vec<Vec<u8>>> {
        let crypt = self.crypt.as_mut()?;
        let limit = match (self.agreed.fragments, cx.config.fragments) {
            (true, Some((v4, v6))) => {
                let is_v6 = self.path.remote.is_ipv6();
                let marker = self.path.local.port() == cx.config.nat_port;
                room(if is_v6 { v6 } else { v4 }, is_v6, marker)
            }
            _ => usize::MAX,
        };
        let random = &mut *cx.random;
        crypt
            .sealer
            .seal_fragments(header, payloads, limit, random)
            .ok()
    }

    /// Begins an exchange. It must be its turn.
    pub(super) fn request(
        &mut self,
        cx: &mut Context,
        exchange: ExchangeType,
        payloads: &PayloadWriter,
        request: Request,
    ) {
        let id = self.sending.next;
        let header = self.header(exchange, id, false);
        let Some(datagrams) = self.datagrams(cx, &header, payloads) else {
            self.close(cx, Failure::Crypto);
            return;
        };
        for datagram in &datagrams {
            cx.send(self.path, datagram);
        }
        self.spoke = cx.mono();
        self.sending.next = id.saturating_add(1);
        let wait = cx.policy.config().wait(0).unwrap_or(LINGER);
        self.sending.outstanding.push(Outstanding {
            id,
            datagrams,
            sent: 0,
            due: cx.after(wait),
            request,
        });
    }

    /// Answers a request, and keeps the answer.
    pub(super) fn respond(
        &mut self,
        cx: &mut Context,
        path: Path,
        exchange: ExchangeType,
        id: u32,
        payloads: &PayloadWriter,
    ) {
        let header = self.header(exchange, id, true);
        if let Some(datagrams) = self.datagrams(cx, &header, payloads) {
            for datagram in &datagrams {
                cx.send(path, datagram);
            }
            self.spoke = cx.mono();
            self.receiving.store(id, datagrams);
        }
    }

    /// Answers with one notification.
    pub(super) fn refuse(
        &mut self,
        cx: &mut Context,
        path: Path,
        header: &Header,
        kind: NotifyType,
        data: &[u8],
    ) {
        let mut writer = PayloadWriter::new(1024);
        if writer.notify(kind, data).is_ok() {
            self.respond(cx, path, header.exchange, header.message_id, &writer);
        }
    }

    /// A message for this SA, not yet known to be authentic.
    pub(super) fn receive(&mut self, cx: &mut Context, path: Path, message: &Message<'_>) {
        let header = message.header;
        if let Phase::Initiating(_) = self.phase {
            // A request before there are keys cannot be protected.
            if header.exchange == ExchangeType::IKE_SA_INIT && header.flags.response {
                self.init_response(cx, path, message);
            } else {
                cx.counters.unexpected += 1;
            }
            return;
        }
        if header.exchange == ExchangeType::IKE_SA_INIT {
            // What comes again after the answer was taken.
            cx.counters.unexpected += 1;
            return;
        }
        let response = header.flags.response;
        if response {
            // RFC 7296 §2.1: what was not asked for is dropped.
            let asked = self
                .sending
                .outstanding
                .iter()
                .any(|o| o.id == header.message_id);
            if !asked {
                cx.counters.outside_window += 1;
                return;
            }
        } else {
            match self.receiving.place(header.message_id) {
                Place::New if self.is_closed() => {
                    cx.counters.unexpected += 1;
                    return;
                }
                Place::New => {}
                Place::Again => {
                    self.answer_again(cx, path, message);
                    return;
                }
                Place::Outside => {
                    cx.counters.outside_window += 1;
                    return;
                }
            }
        }
        let Some(opened) = self.open(cx, message) else {
            return;
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.heard = cx.mono();
                self.malformed(cx, path, &header, &error);
                return;
            }
        };
        self.heard = cx.mono();
        self.follow_peer(cx, path);
        let limits = cx.config.limits.message;
        match opened.payloads(&limits) {
            Ok(_) => {}
            Err(error) => {
                self.malformed(cx, path, &header, &error);
                return;
            }
        }
        if response {
            self.response(cx, path, &opened);
        } else {
            self.receiving.begin(header.message_id);
            self.dispatch(cx, path, opened);
        }
    }

    /// Opens a message or gathers its fragments; nothing when there is nothing (yet).
    fn open(
        &mut self,
        cx: &mut Context,
        message: &Message<'_>,
    ) -> Option<Result<Opened, ParseError>> {
        let crypt = self.crypt.as_ref()?;
        let header = message.header;
        if message.fragment().is_some() {
            if !self.agreed.fragments {
                cx.counters.unexpected += 1;
                return None;
            }
            let limits = cx.config.limits.fragments;
            let (id, response) = (header.message_id, header.flags.response);
            let parts = self
                .receiving
                .parts(id, response, || Reassembly::new(limits))?;
            let progress = parts.add(&crypt.opener, message);
            return match progress {
                Ok(Progress::Waiting) => None,
                Ok(Progress::Complete(opened)) => {
                    self.receiving.forget_parts(id, response);
                    Some(Ok(opened))
                }
                Err(FragmentError::Malformed(error)) => Some(Err(error)),
                Err(_) => {
                    cx.counters.fragments_dropped += 1;
                    None
                }
            };
        }
        match crypt.opener.open(message) {
            Ok(opened) => Some(Ok(opened)),
            Err(OpenError::Malformed(error)) => Some(Err(error)),
            Err(OpenError::NotEncrypted | OpenError::NotAuthentic) => {
                cx.counters.not_authentic += 1;
                None
            }
        }
    }

    /// A request that came already: its stored answer goes out again, octet by octet, if the request is
    /// authentic (RFC 7296 §2.1); of fragments only the first counts (RFC 7383 §2.6.1).
    fn answer_again(&mut self, cx: &mut Context, path: Path, message: &Message<'_>) {
        let Some(crypt) = &self.crypt else {
            return;
        };
        if message
            .fragment()
            .is_some_and(|fragment| fragment.number != 1)
        {
            return;
        }
        let limits = cx.config.limits.fragments;
        let opens = |opener: &Opener| match message.fragment() {
            Some(_) => Reassembly::new(limits).add(opener, message).is_ok(),
            None => opener.open(message).is_ok(),
        };
        let authentic = opens(&crypt.opener) || crypt.before.as_ref().is_some_and(opens);
        if !authentic {
            cx.counters.not_authentic += 1;
            return;
        }
        let answer = self.receiving.answer(message.header.message_id);
        for datagram in answer {
            cx.send(path, datagram);
        }
        cx.counters.answered_again += u64::from(!answer.is_empty());
    }

    /// An authentic message that is not well-formed (RFC 7296 §2.21.3).
    fn malformed(&mut self, cx: &mut Context, path: Path, header: &Header, error: &ParseError) {
        cx.counters.malformed += 1;
        let (kind, data) = error.notify().unwrap_or((NotifyType::INVALID_SYNTAX, None));
        let text = alloc::format!("{error}");
        if header.flags.response {
            self.sending.take(header.message_id);
            self.close(cx, Failure::Answer(text));
            return;
        }
        self.receiving.begin(header.message_id);
        self.refuse(cx, path, header, kind, data.as_slice());
        // RFC 7296 §2.5: an unknown critical payload costs the exchange; before authentication that is all there is
        // (§2.21.2). INVALID_SYNTAX costs the SA.
        if kind == NotifyType::INVALID_SYNTAX || self.established().is_none() {
            self.close(cx, Failure::Refused(kind, text));
        }
    }

    /// RFC 7296 §2.23: what is authentic and comes from elsewhere shows where a peer behind a NAT is now; not with
    /// MOBIKE, where the peer says so (RFC 4555 §3.8).
    fn follow_peer(&mut self, cx: &mut Context, path: Path) {
        let dynamic = self.agreed.nat_remote && !self.agreed.nat_local && !self.agreed.mobike;
        if dynamic && path.remote != self.path.remote && path.local == self.path.local {
            self.path = path;
            let children = self.children.iter().map(|child| child.id).collect();
            if self.established().is_some() {
                cx.event(Event::PeerMoved(self.id, path, children));
            }
        }
    }

    /// An authentic request, in the state in which it came.
    fn dispatch(&mut self, cx: &mut Context, path: Path, opened: Opened) {
        type E = ExchangeType;
        let header = opened.header;
        match (&self.phase, self.role, header.exchange) {
            (Phase::Handshake(_), Side::Responder, E::IKE_INTERMEDIATE) => {
                self.intermediate_request(cx, path, &opened);
            }
            (Phase::Handshake(_), Side::Responder, E::IKE_AUTH) => {
                self.auth_request(cx, path, opened);
            }
            // RFC 7296 §2.21.2: the responder may learn that its peer gave up.
            (Phase::Handshake(_), Side::Responder, E::INFORMATIONAL) => {
                let writer = PayloadWriter::new(0);
                self.respond(cx, path, header.exchange, header.message_id, &writer);
                self.close(cx, Failure::Peer);
            }
            (Phase::Established(_), _, E::CREATE_CHILD_SA) => {
                self.create_request(cx, path, &opened);
            }
            (Phase::Established(_), _, E::IKE_FOLLOWUP_KE) => {
                self.follow_request(cx, path, &opened);
            }
            (Phase::Established(_), _, E::INFORMATIONAL) => {
                self.inform_request(cx, path, &opened);
            }
            // RFC 9242 §3.2: once IKE_AUTH has begun there is no place for IKE_INTERMEDIATE any more.
            (Phase::Established(_), _, E::IKE_INTERMEDIATE) => {
                self.refuse(cx, path, &header, NotifyType::INVALID_SYNTAX, &[]);
                let text = "IKE_INTERMEDIATE after IKE_AUTH".into();
                self.close(cx, Failure::Refused(NotifyType::INVALID_SYNTAX, text));
            }
            (Phase::Established(_), ..) => {
                cx.counters.unexpected += 1;
                self.refuse(cx, path, &header, NotifyType::INVALID_SYNTAX, &[]);
                let text = "an exchange that has no place here".into();
                self.close(cx, Failure::Refused(NotifyType::INVALID_SYNTAX, text));
            }
            // CREATE_CHILD_SA and everything else needs two that have proven who they are.
            (Phase::Handshake(_), Side::Responder, _) => {
                cx.counters.unexpected += 1;
                self.refuse(cx, path, &header, NotifyType::INVALID_SYNTAX, &[]);
                let text = "an exchange before authentication".into();
                self.close(cx, Failure::Refused(NotifyType::INVALID_SYNTAX, text));
            }
            (
                Phase::Handshake(_) | Phase::Initiating(_) | Phase::Closed(_),
                Side::Initiator | Side::Responder,
                _,
            ) => cx.counters.unexpected += 1,
        }
    }

    /// An authentic response to a request that is outstanding.
    fn response(&mut self, cx: &mut Context, path: Path, opened: &Opened) {
        let Some(one) = self.sending.take(opened.header.message_id) else {
            return;
        };
        let limits = cx.config.limits.message;
        let Ok(payloads) = opened.payloads(&limits) else {
            return;
        };
        self.pause_on_critical(cx, &payloads);
        match one.request {
            Request::Intermediate => self.intermediate_response(cx, opened),
            Request::Auth => self.auth_response(cx, opened),
            Request::Create(creating) => self.create_response(cx, creating, &payloads),
            Request::RekeyIke(rekeying) => self.rekey_response(cx, rekeying, &payloads),
            Request::Follow(leading) => self.follow_response(cx, leading, &payloads),
            Request::Delete(ids) => self.delete_response(cx, &ids),
            Request::DeleteIke(why) => self.close_at_once(cx, why),
            Request::Farewell => self.close_at_once(cx, Failure::Local),
            Request::Liveness => {}
            Request::Update(cookie, asked) => {
                self.update_response(cx, path, asked, &cookie, &payloads);
            }
        }
        self.pump(cx);
    }

    /// INVALID_SYNTAX in an authentic response ends the SA on this side too (RFC 7296 §2.21.3).
    fn pause_on_critical(&mut self, cx: &mut Context, payloads: &Payloads<'_>) {
        if self.established().is_some() && payloads.notify(NotifyType::INVALID_SYNTAX).is_some() {
            self.close(cx, Failure::Told(NotifyType::INVALID_SYNTAX));
        }
    }

    /// Puts an exchange into the queue.
    pub(super) fn enqueue(&mut self, cx: &mut Context, task: Task) {
        self.enqueue_at(cx, cx.mono(), 0, task);
    }

    pub(super) fn enqueue_at(&mut self, cx: &mut Context, due: Instant, tries: u32, task: Task) {
        if self.queue.len() >= cx.config.limits.queue {
            cx.counters.queue_refused += 1;
            if let Task::Create(wish) = task {
                cx.event(Event::ChildFailed(wish.tunnel, Failure::Local));
            }
            return;
        }
        // What is under way and what ends the SA goes first.
        if matches!(task, Task::Follow(_) | Task::DeleteIke(_)) {
            self.queue.push_front(Queued { due, tries, task });
        } else {
            self.queue.push_back(Queued { due, tries, task });
        }
    }

    /// Begins exchanges as long as it is their turn.
    pub(super) fn pump(&mut self, cx: &mut Context) {
        while self.established().is_some() && self.sending.has_room() {
            let now = cx.mono();
            let next = self
                .queue
                .iter()
                .position(|one| one.due <= now && self.may_begin(one));
            let Some(at) = next else {
                return;
            };
            let Some(one) = self.queue.remove(at) else {
                return;
            };
            // RFC 7296 §2.2: message ids must not wrap.
            if self.sending.next >= u32::MAX - 16 && !matches!(one.task, Task::DeleteIke(_)) {
                self.close(cx, Failure::Expired);
                return;
            }
            match one.task {
                Task::Create(wish) => self.create(cx, *wish, None, one.tries, Vec::new()),
                Task::Rekey(id) => self.rekey_child(cx, id, one.tries),
                Task::Delete(id) => self.delete_child(cx, id),
                Task::DeleteSpi(protocol, spi) => self.delete_spi(cx, protocol, spi),
                Task::RekeyIke => self.rekey_ike(cx, one.tries, Vec::new()),
                Task::DeleteIke(why) => self.delete_ike(cx, why),
                Task::Liveness => {
                    let writer = PayloadWriter::new(0);
                    self.request(cx, ExchangeType::INFORMATIONAL, &writer, Request::Liveness);
                }
                Task::Update => self.update(cx),
                Task::Follow(leading) => self.follow(cx, leading),
            }
        }
    }

    /// Whether an exchange may begin beside those that are under way. RFC 7296 §2.25.2: nothing beside the
    /// rekeying or deletion of the IKE SA, and neither beside others.
    fn may_begin(&self, one: &Queued) -> bool {
        let whole = |request: &Request| match request {
            Request::RekeyIke(_) | Request::DeleteIke(_) => true,
            Request::Follow(leading) => leading.is_ike(),
            Request::Intermediate
            | Request::Auth
            | Request::Create(_)
            | Request::Delete(_)
            | Request::Liveness
            | Request::Update(..)
            | Request::Farewell => false,
        };
        let led = |one: &Queued| matches!(&one.task, Task::Follow(leading) if leading.is_ike());
        let waits = self.queue.iter().any(led) && !led(one);
        if self.sending.requests().any(whole) || waits {
            return false;
        }
        match one.task {
            Task::RekeyIke | Task::DeleteIke(_) => self.sending.outstanding.is_empty(),
            Task::Follow(_)
            | Task::Create(_)
            | Task::Rekey(_)
            | Task::Delete(_)
            | Task::DeleteSpi(..)
            | Task::Liveness
            | Task::Update => true,
        }
    }

    /// When something is to be done next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        let mut at = |time: Instant| next = Some(next.map_or(time, |n| n.min(time)));
        for one in &self.sending.outstanding {
            at(one.due);
        }
        let begins = self.sending.has_room();
        for one in &self.queue {
            if begins && self.established().is_some() && self.may_begin(one) {
                at(one.due);
            }
        }
        match &self.phase {
            Phase::Initiating(initiating) => at(initiating.due),
            Phase::Handshake(handshake) => at(handshake.deadline),
            Phase::Closed(until) => at(*until),
            Phase::Established(own) => {
                match own.state {
                    IkeState::Replaced(until) => at(until),
                    IkeState::Live if !self.wants_ike_rekey() => at(own.renew),
                    IkeState::Live | IkeState::Deleting => {}
                }
                at(own.end);
                if let Some(time) = own.reauthenticate {
                    at(time);
                }
                if let Some(time) = own.liveness
                    && self.sending.outstanding.is_empty()
                {
                    at(self.heard.saturating_add(time));
                }
                if let Some(time) = own.keep_alive {
                    at(self.spoke.saturating_add(time));
                }
                if let Some(following) = &own.following {
                    at(following.deadline());
                }
                for child in &self.children {
                    if child.state == ChildState::Live && own.state == IkeState::Live {
                        at(child.renew);
                    }
                    at(child.end);
                }
            }
        }
        next
    }

    fn wants_ike_rekey(&self) -> bool {
        self.queue
            .iter()
            .any(|one| matches!(one.task, Task::RekeyIke))
            || self.is_rekeying_ike()
    }

    pub(super) fn is_rekeying_ike(&self) -> bool {
        let under_way = |request: &Request| match request {
            Request::RekeyIke(_) => true,
            Request::Follow(leading) => leading.is_ike(),
            Request::Intermediate
            | Request::Auth
            | Request::Create(_)
            | Request::Delete(_)
            | Request::DeleteIke(_)
            | Request::Liveness
            | Request::Update(..)
            | Request::Farewell => false,
        };
        self.sending.requests().any(under_way)
            || self
                .queue
                .iter()
                .any(|one| matches!(&one.task, Task::Follow(l) if l.is_ike()))
    }

    /// Does what is due.
    pub(super) fn handle_deadline(&mut self, cx: &mut Context) {
        let now = cx.mono();
        self.retransmit(cx);
        match &mut self.phase {
            Phase::Initiating(initiating) => {
                if initiating.due <= now {
                    self.init_again(cx);
                }
            }
            Phase::Handshake(handshake) => {
                if handshake.deadline <= now {
                    cx.counters.half_open_expired += u64::from(self.half_open.is_some());
                    self.close_at_once(cx, Failure::NoAnswer);
                }
            }
            Phase::Closed(_) => {}
            Phase::Established(_) => {
                self.age(cx);
                self.pump(cx);
            }
        }
    }

    fn retransmit(&mut self, cx: &mut Context) {
        let now = cx.mono();
        let path = self.path;
        let mut lost = false;
        for one in &mut self.sending.outstanding {
            if one.due > now {
                continue;
            }
            one.sent += 1;
            if let Some(wait) = cx.policy.config().wait(one.sent) {
                one.due = now.saturating_add(wait);
                cx.counters.retransmitted += 1;
                // RFC 7296 §2.1: the same octets.
                for datagram in &one.datagrams {
                    cx.send(path, datagram);
                }
                self.spoke = now;
            } else {
                lost = true;
            }
        }
        if lost {
            self.close_at_once(cx, Failure::NoAnswer);
        }
    }

    /// Times of an established SA.
    fn age(&mut self, cx: &mut Context) {
        let now = cx.mono();
        let idle = self.sending.outstanding.is_empty();
        let wants_rekey = self.wants_ike_rekey();
        let heard = self.heard;
        let spoke = self.spoke;
        let local = self.local_spi();
        let Some(own) = self.established_mut() else {
            return;
        };
        if own.end <= now {
            self.close_at_once(cx, Failure::Expired);
            return;
        }
        if let IkeState::Replaced(until) = own.state
            && until <= now
        {
            // The peer did not delete it as it should have.
            own.state = IkeState::Deleting;
            self.enqueue(cx, Task::DeleteIke(Failure::Replaced));
            return;
        }
        if own.following.as_ref().is_some_and(|f| f.deadline() <= now) {
            let gone = own.following.take();
            if let Some(spi) = gone.and_then(|following| following.spi_in()) {
                cx.forget_spi(spi);
            }
        }
        let Some(own) = self.established_mut() else {
            return;
        };
        let live = own.state == IkeState::Live;
        if own.reauthenticate.is_some_and(|time| time <= now) {
            own.reauthenticate = None;
            if live {
                cx.effects.push_back(Effect::Reauthenticate(local));
            }
        }
        let probe = own
            .liveness
            .is_some_and(|time| heard.saturating_add(time) <= now);
        let keep = own
            .keep_alive
            .is_some_and(|time| spoke.saturating_add(time) <= now);
        let renew = live && own.renew <= now && !wants_rekey;
        if renew {
            own.renew = now.saturating_add(Duration::from_secs(60));
        }
        if keep {
            // RFC 3948 §2.3: one octet, without a marker.
            cx.counters.sent += 1;
            let path = self.path;
            cx.out.push_back(super::event::Transmit {
                path,
                bytes: alloc::vec![0xff],
            });
            self.spoke = now;
        }
        if renew {
            self.enqueue(cx, Task::RekeyIke);
        }
        if probe && idle && !self.queue.iter().any(|one| one.due <= now) {
            self.enqueue(cx, Task::Liveness);
        }
        let mut tasks = Vec::new();
        for child in &mut self.children {
            let action = &child.wish.action;
            if child.end <= now && child.state != ChildState::Deleting {
                child.state = ChildState::Deleting;
                tasks.push(Task::Delete(child.id));
            } else if child.renew <= now && child.state == ChildState::Live && live {
                let life = action
                    .life_minutes
                    .map(|minutes| Duration::from_secs(u64::from(minutes.get()) * 60));
                // `VpnLife`: a tunnel that is old enough is not renewed but ended.
                if life.is_some_and(|life| child.wish.since.saturating_add(life) <= now) {
                    child.state = ChildState::Deleting;
                    tasks.push(Task::Delete(child.id));
                } else {
                    child.state = ChildState::Rekeying;
                    tasks.push(Task::Rekey(child.id));
                }
            } else if child.end <= now {
                child.end = now.saturating_add(Duration::from_secs(60));
            }
        }
        for task in tasks {
            self.enqueue(cx, task);
        }
    }

    pub(super) fn child(&mut self, id: ChildId) -> Option<&mut Child> {
        self.children.iter_mut().find(|child| child.id == id)
    }

    /// Takes a child away, which both sides know of.
    pub(super) fn remove_child(&mut self, cx: &mut Context, id: ChildId, why: Failure) {
        if let Some(at) = self.children.iter().position(|child| child.id == id) {
            let child = self.children.remove(at);
            cx.forget_spi(child.spi_in);
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
