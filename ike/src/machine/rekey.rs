//! CREATE_CHILD_SA for the IKE SA itself (RFC 7296 §1.3.2, §2.8, §2.18, §2.25.2).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use hostward_crypto::{Group, Secret};

use super::announce::nonce_of;
use super::auth::key_exchange;
use super::context::{Context, Effect};
use super::convert;
use super::event::{Failure, IkeFacts, Path};
use super::followup::{Following, Leading};
use super::index::Entered;
use super::sa::{
    Established, IkeSa, IkeState, Phase, Rekeying, Request, Stop, Task, borrowed, crypt, lowest,
};
use super::window::{Receiving, Sending};
use crate::keys::{Nonces, Side, Spis};
use crate::message::{
    ExchangeType, IkeSpi, NotifyContent, NotifyType, Payload, PayloadWriter, Payloads, TooLong,
};
use crate::proposal::{
    IkeSuite, KeDecision, Selecting, Spi, check_answer, group_id, ke_decision, proposals,
    retry_group, select_ike,
};
use crate::protect::Opened;

/// How long the peer has to delete an SA that it replaced, before this side does.
const GRACE: Duration = Duration::from_secs(60);

impl IkeSa {
    pub(super) fn rekey_ike(&mut self, cx: &mut Context, tries: u32, mut tried: Vec<Group>) {
        let present = self.crypt.as_ref().map(|crypt| crypt.suite.group);
        let Some(own) = self.established_mut() else {
            return;
        };
        if own.state != IkeState::Live {
            return;
        }
        let held = own.rule.clone();
        let (Some(rule), Ok(spi), Ok(nonce)) = (held.get(), cx.ike_spi(), cx.nonce()) else {
            return;
        };
        let offers = convert::ike_offers(&rule.action);
        let sent = proposals(&offers, Spi::Ike(spi), &cx.provider);
        let Some(group) = tried.last().copied().or(present) else {
            return;
        };
        let begun = cx.provider.exchange(group, &mut *cx.random);
        let Ok(Ok(exchange)) = begun else {
            return;
        };
        if tried.is_empty() {
            tried.push(group);
        }
        let write = || -> Result<PayloadWriter, TooLong> {
            let mut writer = PayloadWriter::new(cx.config.limits.sent);
            writer.sa(&sent)?;
            writer.nonce(&nonce)?;
            writer.key_exchange(group_id(group).unwrap_or(0), exchange.public())?;
            Ok(writer)
        };
        let Ok(writer) = write() else {
            return;
        };
        // Until the answer came it is not tried again.
        let request = Request::RekeyIke(Box::new(Rekeying {
            tries,
            spi,
            proposals: sent,
            nonce,
            exchange: Some(exchange),
            tried,
        }));
        self.request(cx, ExchangeType::CREATE_CHILD_SA, &writer, request);
    }

    fn rekey_given_up(&mut self, cx: &mut Context) {
        let again = cx.after(GRACE);
        if let Some(own) = self.established_mut() {
            own.renew = again;
            // The SA that the peer made in the meantime is the only one then.
            if let Some((rival, _)) = own.rival.take() {
                self.hand_over(cx, rival);
            }
        }
    }

    /// Children and waiting exchanges go to the SA that replaces this one.
    pub(super) fn hand_over(&mut self, cx: &mut Context, to: IkeSpi) {
        let until = cx.after(GRACE);
        let Some(own) = self.established_mut() else {
            return;
        };
        if own.state == IkeState::Live {
            own.state = IkeState::Replaced(until);
        }
        let children = core::mem::take(&mut self.children);
        let mut queue = core::mem::take(&mut self.queue);
        queue.retain(|one| !matches!(one.task, Task::RekeyIke | Task::DeleteIke(_)));
        cx.effects
            .push_back(Effect::Inherit(self.id, to, children, queue));
    }

    pub(super) fn rekey_response(
        &mut self,
        cx: &mut Context,
        mut rekeying: Box<Rekeying>,
        payloads: &Payloads<'_>,
    ) {
        if let Some(error) = payloads.error() {
            let collided = self.established().is_some_and(|own| own.rival.is_some());
            match (error.kind, error.content()) {
                (_, Some(NotifyContent::InvalidKePayload(told))) if !collided => {
                    if let Some(next) = retry_group(&rekeying.proposals, told, &rekeying.tried) {
                        let mut tried = rekeying.tried;
                        tried.push(next);
                        self.rekey_ike(cx, rekeying.tries, tried);
                        return;
                    }
                    self.rekey_given_up(cx);
                }
                (NotifyType::TEMPORARY_FAILURE, _) if !collided => {
                    self.later(cx, rekeying.tries, Task::RekeyIke);
                }
                _ => self.rekey_given_up(cx),
            }
            return;
        }
        let answer = payloads.iter().find_map(|payload| {
            if let Payload::Sa(sa) = payload {
                Some(sa)
            } else {
                None
            }
        });
        let chosen = answer
            .and_then(|answer| check_answer(&rekeying.proposals, &answer).ok())
            .and_then(|proposal| Some((IkeSuite::of(&proposal)?, proposal.spi)));
        let exchange = rekeying.exchange.take();
        let shared = exchange
            .zip(key_exchange(payloads))
            .and_then(|(exchange, ke)| {
                let fits = chosen
                    .as_ref()
                    .is_some_and(|chosen| chosen.0.group == exchange.group())
                    && group_id(exchange.group()) == Some(ke.0);
                if fits {
                    exchange.finish(ke.1).ok()
                } else {
                    None
                }
            });
        let (Some((suite, Spi::Ike(peer))), Some(shared), Some(nonce)) =
            (chosen, shared, nonce_of(payloads))
        else {
            // The peer has an SA now that this side cannot have: both end.
            self.close(cx, Failure::Answer("the answer makes no IKE SA".into()));
            return;
        };
        let secrets = alloc::vec![shared];
        if suite.additional.is_empty() {
            self.rekey_done(cx, &rekeying, suite, peer, nonce, &secrets);
            return;
        }
        let link = payloads.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE);
        let Some(link) = link.map(|link| link.data.to_vec()) else {
            self.close(
                cx,
                Failure::Answer("ADDITIONAL_KEY_EXCHANGE is missing".into()),
            );
            return;
        };
        let nonce = nonce.to_vec();
        let leading = Leading::ike(rekeying, suite, peer, nonce, secrets, link);
        self.enqueue(cx, Task::Follow(Box::new(leading)));
    }

    /// All secrets of the new IKE SA are there, as initiator of the exchange.
    pub(super) fn rekey_done(
        &mut self,
        cx: &mut Context,
        rekeying: &Rekeying,
        suite: IkeSuite,
        peer: IkeSpi,
        nonce: &[u8],
        secrets: &[Secret],
    ) {
        let spis = Spis {
            initiator: rekeying.spi,
            responder: peer,
        };
        let nonces = Nonces {
            initiator: &rekeying.nonce,
            responder: nonce,
        };
        let new = self.successor(cx, spis, Side::Initiator, suite, nonces, secrets);
        let Some(new) = new else {
            self.close(cx, Failure::Crypto);
            return;
        };
        let rival = self.established_mut().and_then(|own| own.rival.take());
        let own_lowest = lowest(&rekeying.nonce, nonce);
        let spi = new.local_spi();
        cx.effects.push_back(Effect::Adopt(new));
        // RFC 9370 §2.2.4: the peer's rekeying may still have exchanges to come; it is a collision all the same.
        let coming = self
            .established()
            .and_then(|own| own.following.as_ref()?.ike_lowest());
        if rival.is_none() && coming.is_some_and(|coming| own_lowest < coming) {
            cx.effects.push_back(Effect::Delete(spi, Failure::Replaced));
            return;
        }
        match rival {
            // RFC 7296 §2.8.2: the SA with the lowest nonce goes, deleted by who made it.
            Some((rival, rival_lowest)) if own_lowest < rival_lowest => {
                cx.effects.push_back(Effect::Delete(spi, Failure::Replaced));
                self.hand_over(cx, rival);
            }
            rival => {
                self.hand_over(cx, spi);
                if let Some((rival, _)) = rival {
                    cx.effects.push_back(Effect::Lost(rival));
                }
                if let Some(own) = self.established_mut() {
                    own.state = IkeState::Deleting;
                }
                self.enqueue(cx, Task::DeleteIke(Failure::Replaced));
            }
        }
    }

    /// The SA that replaces this one. The peer stays who it is; windows and message ids begin anew.
    pub(super) fn successor(
        &self,
        cx: &mut Context,
        spis: Spis,
        role: Side,
        suite: IkeSuite,
        nonces: Nonces<'_>,
        secrets: &[Secret],
    ) -> Option<Box<Self>> {
        let own = self.established()?;
        let old = &self.crypt.as_ref()?.keys;
        let shared = borrowed(secrets);
        let keys = old
            .rekeyed(&cx.provider, &suite, nonces, spis, &shared)
            .ok()?;
        let suite = Arc::new(suite);
        let made = crypt(cx, keys, Arc::clone(&suite), role)?;
        let now = cx.mono();
        let minutes = own
            .rule
            .get()
            .and_then(|rule| convert::ike_offer_of(&rule.action, &suite))
            .map_or(480, |offer| offer.life.minutes);
        let whole = Duration::from_secs(u64::from(minutes) * 60);
        let early = cx.jittered(whole / 10 * 9);
        let id = cx.sa_id();
        let (renew, end) = (cx.after(early), cx.after(whole));
        let facts = Arc::new(IkeFacts {
            id,
            spis,
            initiator: role == Side::Initiator,
            suite: (*suite).clone(),
            since: now,
            renewed: renew,
            ends: end,
            ..(*own.facts).clone()
        });
        Some(Box::new(Self {
            id,
            role,
            spis,
            path: self.path,
            agreed: self.agreed,
            phase: Phase::Established(Box::new(Established {
                peer: own.peer.clone(),
                facts,
                rule: own.rule.clone(),
                renew,
                end,
                reauthenticate: own.reauthenticate,
                liveness: own.liveness,
                keep_alive: own.keep_alive,
                state: IkeState::Live,
                rival: None,
                following: None,
                refused_since: None,
                assigned: own.assigned,
                redirected: own.redirected.clone(),
            })),
            crypt: Some(made),
            sending: Sending::new(0),
            receiving: Receiving::new(0),
            queue: VecDeque::new(),
            children: Vec::new(),
            early: Vec::new(),
            waits: false,
            heard: now,
            spoke: now,
            scheduled: None,
            entered: Entered::default(),
            half_open: None,
        }))
    }

    /// Whether an exchange about a child is under way from this side.
    fn is_busy_with_children(&self) -> bool {
        self.sending.requests().any(|request| match request {
            Request::Create(_) | Request::Delete(_) => true,
            Request::Follow(leading) => !leading.is_ike(),
            Request::Intermediate
            | Request::Auth
            | Request::RekeyIke(_)
            | Request::DeleteIke(_)
            | Request::Liveness
            | Request::Update(..)
            | Request::Farewell => false,
        }) || self
            .queue
            .iter()
            .any(|one| matches!(&one.task, Task::Follow(l) if !l.is_ike()))
    }

    pub(super) fn rekey_ike_request(
        &mut self,
        cx: &mut Context,
        path: Path,
        opened: &Opened,
        payloads: &Payloads<'_>,
    ) -> Result<(), Stop> {
        const TEMPORARY: Stop = Stop::refuse(NotifyType::TEMPORARY_FAILURE);
        const SYNTAX: Stop = Stop::refuse(NotifyType::INVALID_SYNTAX);
        let busy = self.is_busy_with_children();
        let own = self.established().ok_or(TEMPORARY)?;
        // RFC 7296 §2.25.2.
        let other = own.state != IkeState::Live || own.rival.is_some() || own.following.is_some();
        if busy || other || self.waits {
            return Err(TEMPORARY);
        }
        let held = own.rule.clone();
        let rule = held.get().ok_or(TEMPORARY)?;
        let offered = payloads
            .iter()
            .find_map(|payload| {
                if let Payload::Sa(sa) = payload {
                    Some(sa)
                } else {
                    None
                }
            })
            .ok_or(SYNTAX)?;
        let (ke, ni) = (
            key_exchange(payloads).ok_or(SYNTAX)?,
            nonce_of(payloads).ok_or(SYNTAX)?,
        );
        let offers = convert::ike_offers(&rule.action);
        let selecting = Selecting {
            provider: &cx.provider,
            preference: cx.config.preference,
            sent_group: Some(ke.0),
        };
        let chosen = select_ike(&offers, &offered, true, selecting)
            .map_err(|error| Stop::refuse(error.notify()))?;
        let group = match ke_decision(Some(chosen.suite.group), Some(ke.0)) {
            KeDecision::Use(group) => group,
            KeDecision::Retry(id) => {
                let told = id.to_be_bytes().to_vec();
                return Err(Stop::Refuse(NotifyType::INVALID_KE_PAYLOAD, told));
            }
            KeDecision::Ignore => return Err(SYNTAX),
        };
        let Spi::Ike(peer) = chosen.peer_spi else {
            return Err(SYNTAX);
        };
        cx.counters.exchanges_answered += 1;
        let answer = cx
            .provider
            .answer(group, ke.1, &mut *cx.random)
            .map_err(|_| TEMPORARY)?
            .map_err(|_| SYNTAX)?;
        let spi = cx.ike_spi().map_err(|_| TEMPORARY)?;
        let nr = cx.nonce().map_err(|_| TEMPORARY)?;
        let follow = !chosen.suite.additional.is_empty();
        let link = if follow {
            cx.random_octets(16).map_err(|_| TEMPORARY)?
        } else {
            Vec::new()
        };
        let mut proposal = chosen.proposal;
        proposal.spi = Spi::Ike(spi);
        let write = || -> Result<PayloadWriter, TooLong> {
            let mut writer = PayloadWriter::new(cx.config.limits.sent);
            writer.sa(core::slice::from_ref(&proposal))?;
            writer.nonce(&nr)?;
            writer.key_exchange(ke.0, &answer.public)?;
            if follow {
                writer.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE, &link)?;
            }
            Ok(writer)
        };
        let writer = write().map_err(|_| TEMPORARY)?;
        let spis = Spis {
            initiator: peer,
            responder: spi,
        };
        let secrets = alloc::vec![answer.secret];
        if follow {
            let following = Following::ike(cx, chosen.suite, spis, ni.to_vec(), nr, secrets, link);
            if let Some(own) = self.established_mut() {
                own.following = Some(Box::new(following));
            }
        } else {
            self.rekey_answered(cx, chosen.suite, spis, ni, &nr, &secrets)?;
        }
        let header = opened.header;
        self.respond(cx, path, header.exchange, header.message_id, &writer);
        Ok(())
    }

    /// All secrets of the new IKE SA are there, as responder of the exchange.
    pub(super) fn rekey_answered(
        &mut self,
        cx: &mut Context,
        suite: IkeSuite,
        spis: Spis,
        ni: &[u8],
        nr: &[u8],
        secrets: &[Secret],
    ) -> Result<(), Stop> {
        let nonces = Nonces {
            initiator: ni,
            responder: nr,
        };
        let mut new = self
            .successor(cx, spis, Side::Responder, suite, nonces, secrets)
            .ok_or(Stop::refuse(NotifyType::TEMPORARY_FAILURE))?;
        new.waits = self.is_rekeying_ike();
        let spi = new.local_spi();
        let live = self.is_live();
        cx.effects.push_back(Effect::Adopt(new));
        if !live {
            // It lost to one that this side made while its exchanges went on.
            cx.effects.push_back(Effect::Lost(spi));
        } else if self.is_rekeying_ike() {
            // Which of the two stays is known when this side's answer comes.
            if let Some(own) = self.established_mut() {
                own.rival = Some((spi, lowest(ni, nr)));
            }
        } else {
            self.hand_over(cx, spi);
        }
        Ok(())
    }
}
