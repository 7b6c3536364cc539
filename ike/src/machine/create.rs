//! CREATE_CHILD_SA for children: new ones and renewed ones, with all collisions (RFC 7296 §1.3.1, §1.3.3, §2.8,
//! §2.25).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use hostward_crypto::{Group, Secret};

use super::announce::nonce_of;
use super::auth::key_exchange;
use super::child::{Answered, Made, Taken, ask, offers};
use super::context::Context;
use super::convert::child_protocol;
use super::event::{ChildId, Event, Failure, Path};
use super::followup::{Following, Leading};
use super::init::first_group;
use super::sa::{
    ChildState, Creating, IkeSa, IkeState, Request, Stop, Task, Wish, borrowed, lowest,
};
use crate::keys::Nonces;
use crate::message::{
    ExchangeType, NotifyContent, NotifyType, Payload, PayloadWriter, Payloads, ProtocolId, TooLong,
};
use crate::proposal::{Spi, group_id, proposals, retry_group};
use crate::protect::Opened;

/// After TEMPORARY_FAILURE: first after so long, then after twice as long, and so on.
const PAUSE: Duration = Duration::from_secs(5);

/// How long to wait after so many refusals.
pub(super) fn pause(tries: u32) -> Duration {
    PAUSE * 1_u32.checked_shl(tries.min(4)).unwrap_or(16)
}

impl IkeSa {
    /// Asks for a child, as one of its own or in place of another. `tried` are the groups that were tried.
    pub(super) fn create(
        &mut self,
        cx: &mut Context,
        wish: Wish,
        rekeys: Option<ChildId>,
        tries: u32,
        mut tried: Vec<Group>,
    ) {
        let old = rekeys.and_then(|id| self.child(id)).map(|old| old.spi());
        if rekeys.is_none() && self.children.len() >= cx.config.limits.children {
            cx.counters.children_refused += 1;
            cx.fail_wishes([&wish], &Failure::Local);
            return;
        }
        let (Ok(nonce), Ok(spi)) = (cx.nonce(), cx.child_spi()) else {
            cx.fail_wishes([&wish], &Failure::Crypto);
            return;
        };
        let sent = proposals(&offers(&wish, false), Spi::Child(spi), &cx.provider);
        let group = tried.last().copied().or_else(|| first_group(&sent));
        let exchange = match group.map(|group| cx.provider.exchange(group, &mut *cx.random)) {
            Some(Ok(Ok(exchange))) => Some(exchange),
            Some(_) => {
                cx.forget_spi(spi);
                cx.fail_wishes([&wish], &Failure::Crypto);
                return;
            }
            None => None,
        };
        if tried.is_empty() {
            tried.extend(group);
        }
        let write = || -> Result<PayloadWriter, TooLong> {
            let mut writer = PayloadWriter::new(cx.config.limits.sent);
            if let Some((protocol, spi)) = old {
                writer.notify_child(NotifyType::REKEY_SA, protocol.id(), spi, &[])?;
            }
            ask(&wish, &sent, &mut writer)?;
            writer.nonce(&nonce)?;
            if let Some(exchange) = &exchange {
                let id = group_id(exchange.group()).unwrap_or(0);
                writer.key_exchange(id, exchange.public())?;
            }
            Ok(writer)
        };
        let Ok(writer) = write() else {
            cx.forget_spi(spi);
            cx.fail_wishes([&wish], &Failure::Crypto);
            return;
        };
        let creating = Creating {
            wish,
            rekeys,
            tries,
            spi_in: spi,
            proposals: sent,
            nonce,
            exchange,
            tried,
            rival: None,
        };
        let request = Request::Create(Box::new(creating));
        self.request(cx, ExchangeType::CREATE_CHILD_SA, &writer, request);
    }

    /// Renews a child, unless something happened to it since that was wanted.
    pub(super) fn rekey_child(&mut self, cx: &mut Context, id: ChildId, tries: u32) {
        let Some(child) = self.child(id) else {
            return;
        };
        if !matches!(child.state, ChildState::Live | ChildState::Rekeying) {
            return;
        }
        child.state = ChildState::Rekeying;
        let wish = Wish {
            generation: child.wish.generation.saturating_add(1),
            ..child.wish.clone()
        };
        self.create(cx, wish, Some(id), tries, Vec::new());
    }

    /// This side's attempt to renew a child, if it is under way.
    fn own_rekey(&mut self, id: ChildId) -> Option<&mut Creating> {
        let outstanding = self.sending.outstanding.iter_mut();
        let under_way = outstanding.filter_map(|one| match &mut one.request {
            Request::Create(creating) => Some(&mut **creating),
            Request::Follow(leading) => leading.creating(),
            Request::Intermediate
            | Request::Auth
            | Request::RekeyIke(_)
            | Request::Delete(_)
            | Request::DeleteIke(_)
            | Request::Liveness
            | Request::Update(..)
            | Request::Farewell => None,
        });
        let waiting = self.queue.iter_mut().filter_map(|one| match &mut one.task {
            Task::Follow(leading) => leading.creating(),
            Task::Create(_)
            | Task::Rekey(_)
            | Task::Delete(_)
            | Task::DeleteSpi(..)
            | Task::RekeyIke
            | Task::DeleteIke(_)
            | Task::Liveness
            | Task::Redirect(_)
            | Task::Update => None,
        });
        under_way
            .chain(waiting)
            .find(|creating| creating.rekeys == Some(id))
    }

    /// Whether there may be a child that only the peer knows of yet.
    pub(super) fn is_creating(&self) -> bool {
        self.sending.requests().any(|request| match request {
            Request::Create(_) | Request::Auth => true,
            Request::Follow(leading) => !leading.is_ike(),
            Request::Intermediate
            | Request::RekeyIke(_)
            | Request::Delete(_)
            | Request::DeleteIke(_)
            | Request::Liveness
            | Request::Update(..)
            | Request::Farewell => false,
        })
    }

    /// The peer cannot now: again later, but not for ever (RFC 7296 §2.25).
    pub(super) fn later(&mut self, cx: &mut Context, tries: u32, task: Task) {
        let now = cx.mono();
        let patience = cx.config.limits.patience;
        if let Some(own) = self.established_mut() {
            let since = *own.refused_since.get_or_insert(now);
            if now.saturating_since(since) > patience {
                self.enqueue(
                    cx,
                    Task::DeleteIke(Failure::Told(NotifyType::TEMPORARY_FAILURE)),
                );
                return;
            }
        }
        let wait = cx.jittered(pause(tries));
        let due = cx.after(wait);
        self.enqueue_at(cx, due, tries.saturating_add(1), task);
    }

    /// The peer does not make the child.
    fn create_refused(
        &mut self,
        cx: &mut Context,
        creating: Creating,
        kind: NotifyType,
        group: Option<u16>,
    ) {
        cx.forget_spi(creating.spi_in);
        // RFC 7296 §2.25.1: the peer's own renewal took its place.
        if creating.rival.is_some() {
            return;
        }
        let old = creating
            .rekeys
            .and_then(|id| self.child(id))
            .map(|child| child.id);
        match (kind, creating.rekeys) {
            (NotifyType::INVALID_KE_PAYLOAD, rekeys) => {
                let next =
                    group.and_then(|told| retry_group(&creating.proposals, told, &creating.tried));
                if let Some(next) = next
                    && (rekeys.is_none() || old.is_some())
                {
                    let mut tried = creating.tried;
                    tried.push(next);
                    self.create(cx, creating.wish, rekeys, creating.tries, tried);
                    return;
                }
                self.create_given_up(cx, &creating.wish, rekeys, kind);
            }
            (NotifyType::TEMPORARY_FAILURE, None) => {
                self.later(cx, creating.tries, Task::Create(Box::new(creating.wish)));
            }
            (NotifyType::TEMPORARY_FAILURE, Some(_)) => {
                if let Some(id) = old {
                    self.later(cx, creating.tries, Task::Rekey(id));
                }
            }
            // RFC 7296 §2.25.1: what the peer does not have is taken away in silence, and made anew if needed.
            (NotifyType::CHILD_SA_NOT_FOUND, Some(_)) => {
                if let Some(id) = old {
                    self.remove_child(cx, id, Failure::Told(kind));
                    self.enqueue(cx, Task::Create(Box::new(creating.wish)));
                }
            }
            (_, rekeys) => self.create_given_up(cx, &creating.wish, rekeys, kind),
        }
    }

    pub(super) fn create_given_up(
        &mut self,
        cx: &mut Context,
        wish: &Wish,
        rekeys: Option<ChildId>,
        kind: NotifyType,
    ) {
        cx.fail_wishes([wish], &Failure::Told(kind));
        // What was to be renewed lives on; it is tried again after a while.
        let again = cx.after(Duration::from_secs(60));
        if let Some(child) = rekeys.and_then(|id| self.child(id))
            && child.state == ChildState::Rekeying
        {
            child.state = ChildState::Live;
            child.renew = again;
        }
    }

    pub(super) fn create_response(
        &mut self,
        cx: &mut Context,
        mut creating: Box<Creating>,
        payloads: &Payloads<'_>,
    ) {
        if let Some(error) = payloads.error() {
            let group = match error.content() {
                Some(NotifyContent::InvalidKePayload(group)) => Some(group),
                _ => None,
            };
            self.create_refused(cx, *creating, error.kind, group);
            return;
        }
        if let Some(own) = self.established_mut() {
            own.refused_since = None;
        }
        let taken = self.take_child(
            payloads,
            &creating.wish,
            &creating.proposals,
            creating.rekeys.is_some(),
        );
        let exchange = creating.exchange.take();
        let result = taken.and_then(|taken| {
            let nonce =
                nonce_of(payloads).ok_or_else(|| Failure::Answer("there is no nonce".into()))?;
            let secret = match (taken.suite.group, exchange) {
                (None, _) => None,
                (Some(group), Some(exchange)) if exchange.group() == group => {
                    let shared = key_exchange(payloads)
                        .filter(|ke| Some(ke.0) == group_id(group))
                        .and_then(|ke| exchange.finish(ke.1).ok());
                    let none = || Failure::Answer("no key exchange that fits".into());
                    Some(shared.ok_or_else(none)?)
                }
                (Some(_), _) => {
                    return Err(Failure::Answer("another group than was sent".into()));
                }
            };
            Ok((taken, nonce.to_vec(), secret))
        });
        let (taken, nonce, secret) = match result {
            Ok(result) => result,
            Err(why) => {
                self.create_undone(cx, &creating, why);
                return;
            }
        };
        let secrets: Vec<Secret> = secret.into_iter().collect();
        if taken.suite.additional.is_empty() {
            self.create_done(cx, *creating, taken, &nonce, &secrets);
            return;
        }
        let link = payloads.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE);
        let Some(link) = link.map(|link| link.data.to_vec()) else {
            let why = Failure::Answer("ADDITIONAL_KEY_EXCHANGE is missing".into());
            self.create_undone(cx, &creating, why);
            return;
        };
        let leading = Leading::child(creating, taken, nonce, secrets, link);
        self.enqueue(cx, Task::Follow(Box::new(leading)));
    }

    /// The peer has a child that this side does not take.
    pub(super) fn create_undone(&mut self, cx: &mut Context, creating: &Creating, why: Failure) {
        cx.forget_spi(creating.spi_in);
        cx.fail_wishes([&creating.wish], &why);
        if let Some(sent) = creating.proposals.first() {
            self.enqueue(cx, Task::DeleteSpi(sent.protocol, creating.spi_in));
        }
        let again = cx.after(Duration::from_secs(60));
        if let Some(child) = creating.rekeys.and_then(|id| self.child(id))
            && child.state == ChildState::Rekeying
        {
            child.state = ChildState::Live;
            child.renew = again;
        }
    }

    /// All secrets of a child that this side asked for are there.
    pub(super) fn create_done(
        &mut self,
        cx: &mut Context,
        creating: Creating,
        taken: Taken,
        nonce: &[u8],
        secrets: &[Secret],
    ) {
        let early = (taken.suite.protocol, taken.spi_out);
        if let Some(at) = self.early.iter().position(|one| *one == early) {
            self.early.remove(at);
            cx.forget_spi(creating.spi_in);
            cx.fail_wishes([&creating.wish], &Failure::Peer);
            if let Some(old) = creating
                .rekeys
                .and_then(|id| self.child(id))
                .map(|old| old.id)
            {
                self.enqueue(cx, Task::Delete(old));
            }
            return;
        }
        let own_lowest = lowest(&creating.nonce, nonce);
        // RFC 7296 §2.8.1: of two renewals of one child that with the lowest of the four nonces goes, deleted by
        // who made it; who made the other deletes the old child.
        if let Some((rival, rival_lowest)) = &creating.rival
            && own_lowest < *rival_lowest
        {
            let rival = *rival;
            cx.forget_spi(creating.spi_in);
            self.enqueue(cx, Task::DeleteSpi(taken.suite.protocol, creating.spi_in));
            if let Some(old) = creating.rekeys.and_then(|id| self.child(id)) {
                old.state = ChildState::Replaced(rival);
            }
            return;
        }
        let nonces = Nonces {
            initiator: &creating.nonce,
            responder: nonce,
        };
        let keys = self.crypt.as_ref().and_then(|crypt| {
            let shared = borrowed(secrets);
            crypt
                .keys
                .child(&cx.provider, &taken.suite, nonces, &shared)
                .ok()
        });
        let Some(keys) = keys else {
            self.create_undone(cx, &creating, Failure::Crypto);
            return;
        };
        let made = Made {
            wish: taken.wish,
            suite: taken.suite,
            spi_in: creating.spi_in,
            spi_out: taken.spi_out,
            initiator: true,
            keys,
            replaces: creating.rekeys,
            original: None,
            tfc_padding: taken.tfc_padding,
        };
        let Some(id) = self.install(cx, made) else {
            return;
        };
        cx.event(Event::ChildSwitch(id));
        if let Some(old) = creating.rekeys.and_then(|id| self.child(id))
            && old.state != ChildState::Deleting
        {
            let old = old.id;
            self.enqueue(cx, Task::Delete(old));
        }
    }

    /// The peer asks for something with CREATE_CHILD_SA.
    pub(super) fn create_request(&mut self, cx: &mut Context, path: Path, opened: &Opened) {
        let limits = cx.config.limits.message;
        let header = opened.header;
        let Ok(payloads) = opened.payloads(&limits) else {
            return;
        };
        let rekeys_ike = payloads.iter().any(|payload| {
            if let Payload::Sa(sa) = payload {
                sa.proposals()
                    .next()
                    .is_some_and(|p| p.protocol == ProtocolId::IKE)
            } else {
                false
            }
        });
        let done = if rekeys_ike {
            self.rekey_ike_request(cx, path, opened, &payloads)
        } else {
            self.create_answer(cx, path, opened, &payloads)
        };
        match done {
            Ok(()) | Err(Stop::Wait) => {}
            Err(Stop::Refuse(kind, data)) => self.refuse(cx, path, &header, kind, &data),
            Err(Stop::Fatal(kind, why)) => {
                self.refuse(cx, path, &header, kind, &[]);
                self.close(cx, why);
            }
        }
    }

    fn create_answer(
        &mut self,
        cx: &mut Context,
        path: Path,
        opened: &Opened,
        payloads: &Payloads<'_>,
    ) -> Result<(), Stop> {
        const TEMPORARY: Stop = Stop::refuse(NotifyType::TEMPORARY_FAILURE);
        let header = opened.header;
        let state = self
            .established()
            .map(|own| (own.state, own.following.is_some()));
        // RFC 7296 §2.25.2: no new child while the IKE SA is being renewed or ends; RFC 9370 §2.2.4: nor while
        // key exchanges of another are awaited.
        if state != Some((IkeState::Live, false)) || self.is_rekeying_ike() || self.waits {
            return Err(TEMPORARY);
        }
        let told = payloads
            .notify(NotifyType::REKEY_SA)
            .and_then(|told| told.content());
        let mut rekeys = None;
        if let Some(NotifyContent::RekeySa { protocol, spi }) = told {
            let found = child_protocol(protocol).and_then(|known| self.child_out(known, spi));
            let Some((id, state)) = found.map(|child| (child.id, child.state)) else {
                // It may be the one of which the peer's answer has not come yet.
                if self.is_creating() {
                    return Err(TEMPORARY);
                }
                // RFC 7296 §2.25.1: with the SPI that came.
                let mut writer = PayloadWriter::new(64);
                let kind = NotifyType::CHILD_SA_NOT_FOUND;
                if writer.notify_child(kind, protocol, spi, &[]).is_ok() {
                    let (exchange, id) = (header.exchange, header.message_id);
                    self.respond(cx, path, exchange, id, &writer);
                }
                return Ok(());
            };
            match state {
                ChildState::Deleting | ChildState::Replaced(_) => return Err(TEMPORARY),
                ChildState::Live | ChildState::Rekeying => rekeys = Some(id),
            }
            if self.own_rekey(id).is_some_and(|own| own.rival.is_some()) {
                return Err(TEMPORARY);
            }
        }
        let nonce = nonce_of(payloads).ok_or(Stop::refuse(NotifyType::INVALID_SYNTAX))?;
        let ke = key_exchange(payloads);
        let assigned = self.established().and_then(|own| own.assigned);
        let answered =
            self.answer_child(cx, payloads, ke.map(|ke| ke.0), false, rekeys, assigned)?;
        let spi = answered.spi_in;
        let done = self.create_answer_with(cx, path, opened, answered, nonce, ke, rekeys);
        if done.is_err() {
            cx.forget_spi(spi);
        }
        done
    }

    #[expect(clippy::too_many_arguments, reason = "all of one request")]
    fn create_answer_with(
        &mut self,
        cx: &mut Context,
        path: Path,
        opened: &Opened,
        answered: Answered,
        ni: &[u8],
        ke: Option<(u16, &[u8])>,
        rekeys: Option<ChildId>,
    ) -> Result<(), Stop> {
        const TEMPORARY: Stop = Stop::refuse(NotifyType::TEMPORARY_FAILURE);
        let header = opened.header;
        let nr = cx.nonce().map_err(|_| TEMPORARY)?;
        let mut secrets = Vec::new();
        let mut public = None;
        if let Some(group) = answered.suite.group {
            cx.counters.exchanges_answered += 1;
            let (id, data) = ke.ok_or(Stop::refuse(NotifyType::INVALID_SYNTAX))?;
            let answer = cx
                .provider
                .answer(group, data, &mut *cx.random)
                .map_err(|_| TEMPORARY)?
                .map_err(|_| Stop::refuse(NotifyType::INVALID_SYNTAX))?;
            public = Some((id, answer.public));
            secrets.push(answer.secret);
        }
        let follow = !answered.suite.additional.is_empty();
        let link = if follow {
            cx.random_octets(16).map_err(|_| TEMPORARY)?
        } else {
            Vec::new()
        };
        let write = || -> Result<PayloadWriter, TooLong> {
            let mut writer = PayloadWriter::new(cx.config.limits.sent);
            answered.write(&mut writer)?;
            writer.nonce(&nr)?;
            if let Some((id, public)) = &public {
                writer.key_exchange(*id, public)?;
            }
            if follow {
                writer.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE, &link)?;
            }
            Ok(writer)
        };
        let writer = write().map_err(|_| TEMPORARY)?;
        if follow {
            let following = Following::child(cx, answered, rekeys, ni.to_vec(), nr, secrets, link);
            if let Some(own) = self.established_mut() {
                own.following = Some(Box::new(following));
            }
        } else {
            self.answer_done(cx, answered, rekeys, ni, &nr, &secrets)?;
        }
        self.respond(cx, path, header.exchange, header.message_id, &writer);
        Ok(())
    }

    /// All secrets of a child that the peer asked for are there.
    pub(super) fn answer_done(
        &mut self,
        cx: &mut Context,
        answered: Answered,
        rekeys: Option<ChildId>,
        ni: &[u8],
        nr: &[u8],
        secrets: &[Secret],
    ) -> Result<(), Stop> {
        let nonces = Nonces {
            initiator: ni,
            responder: nr,
        };
        let keys = self
            .crypt
            .as_ref()
            .and_then(|crypt| {
                let shared = borrowed(secrets);
                crypt
                    .keys
                    .child(&cx.provider, &answered.suite, nonces, &shared)
                    .ok()
            })
            .ok_or(Stop::refuse(NotifyType::TEMPORARY_FAILURE))?;
        let made = Made {
            wish: answered.wish,
            suite: answered.suite,
            spi_in: answered.spi_in,
            spi_out: answered.spi_out,
            initiator: false,
            keys,
            replaces: rekeys,
            original: answered.original,
            tfc_padding: answered.tfc_padding,
        };
        let Some(id) = self.install(cx, made) else {
            return Err(Stop::refuse(NotifyType::TEMPORARY_FAILURE));
        };
        let Some(old) = rekeys else {
            cx.event(Event::ChildSwitch(id));
            return Ok(());
        };
        if let Some(own) = self.own_rekey(old) {
            own.rival = Some((id, lowest(ni, nr)));
        } else if let Some(old) = self.child(old) {
            // Sending goes on with the old one until the peer deletes it.
            old.state = ChildState::Replaced(id);
        }
        Ok(())
    }

    /// The child that the peer made in place of one that this side is renewing.
    pub(super) fn rival_of(&mut self, id: ChildId) -> Option<ChildId> {
        let own = self.own_rekey(id)?;
        own.rival.as_ref().map(|rival| rival.0)
    }
}
