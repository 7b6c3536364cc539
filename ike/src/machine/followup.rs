//! IKE_FOLLOWUP_KE: additional key exchanges of a child or a renewed IKE SA, both roles (RFC 9370 §2.2.4).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use hostward_crypto::exchange::Exchange;
use hostward_crypto::secret::equal;
use hostward_crypto::{Group, Secret};
use hostward_hook::time::Instant;

use super::auth::key_exchange;
use super::child::{Answered, Taken};
use super::context::Context;
use super::event::{ChildId, Failure, Path};
use super::sa::{Creating, IkeSa, Rekeying, Request, Stop, Task, Wish, lowest};
use crate::keys::Spis;
use crate::message::{ExchangeType, IkeSpi, NotifyType, PayloadWriter, Payloads, TooLong};
use crate::proposal::{IkeSuite, group_id};
use crate::protect::Opened;

/// How long the next exchange is awaited.
const WAIT: Duration = Duration::from_secs(30);

enum Led {
    Child(Box<Creating>, Box<Taken>),
    Ike(Box<Rekeying>, IkeSuite, IkeSpi),
}

/// As initiator of the exchanges.
pub(super) struct Leading {
    led: Led,
    nonce: Vec<u8>,
    secrets: Vec<Secret>,
    additional: VecDeque<Group>,
    link: Vec<u8>,
    exchange: Option<Box<dyn Exchange>>,
}

impl Leading {
    pub(super) fn child(
        creating: Box<Creating>,
        taken: Taken,
        nonce: Vec<u8>,
        secrets: Vec<Secret>,
        link: Vec<u8>,
    ) -> Self {
        Self {
            additional: taken.suite.additional.iter().copied().collect(),
            led: Led::Child(creating, Box::new(taken)),
            nonce,
            secrets,
            link,
            exchange: None,
        }
    }

    pub(super) fn ike(
        rekeying: Box<Rekeying>,
        suite: IkeSuite,
        peer: IkeSpi,
        nonce: Vec<u8>,
        secrets: Vec<Secret>,
        link: Vec<u8>,
    ) -> Self {
        Self {
            additional: suite.additional.iter().copied().collect(),
            led: Led::Ike(rekeying, suite, peer),
            nonce,
            secrets,
            link,
            exchange: None,
        }
    }

    pub(super) const fn is_ike(&self) -> bool {
        matches!(self.led, Led::Ike(..))
    }

    /// The child that it is for: its SPI, what it is to be, and what it replaces.
    pub(super) fn into_child(self) -> Option<(u32, Wish, Option<ChildId>)> {
        match self.led {
            Led::Child(creating, _) => Some((creating.spi_in, creating.wish, creating.rekeys)),
            Led::Ike(..) => None,
        }
    }

    pub(super) fn creating(&mut self) -> Option<&mut Creating> {
        match &mut self.led {
            Led::Child(creating, _) => Some(creating),
            Led::Ike(..) => None,
        }
    }
}

enum Followed {
    Child(Box<Answered>, Option<ChildId>),
    Ike(IkeSuite, Spis),
}

/// As responder of the exchanges.
pub(super) struct Following {
    followed: Followed,
    ni: Vec<u8>,
    nr: Vec<u8>,
    secrets: Vec<Secret>,
    additional: VecDeque<Group>,
    link: Vec<u8>,
    until: Instant,
}

impl Following {
    pub(super) fn child(
        cx: &Context,
        answered: Answered,
        rekeys: Option<ChildId>,
        ni: Vec<u8>,
        nr: Vec<u8>,
        secrets: Vec<Secret>,
        link: Vec<u8>,
    ) -> Self {
        Self {
            additional: answered.suite.additional.iter().copied().collect(),
            followed: Followed::Child(Box::new(answered), rekeys),
            ni,
            nr,
            secrets,
            link,
            until: cx.after(WAIT),
        }
    }

    pub(super) fn ike(
        cx: &Context,
        suite: IkeSuite,
        spis: Spis,
        ni: Vec<u8>,
        nr: Vec<u8>,
        secrets: Vec<Secret>,
        link: Vec<u8>,
    ) -> Self {
        Self {
            additional: suite.additional.iter().copied().collect(),
            followed: Followed::Ike(suite, spis),
            ni,
            nr,
            secrets,
            link,
            until: cx.after(WAIT),
        }
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.until
    }

    /// The lowest nonce, if it is an IKE SA that is being made.
    pub(super) fn ike_lowest(&self) -> Option<Vec<u8>> {
        match &self.followed {
            Followed::Child(..) => None,
            Followed::Ike(..) => Some(lowest(&self.ni, &self.nr)),
        }
    }

    /// The SPI that is given back when nothing comes of it.
    pub(super) fn spi_in(&self) -> Option<u32> {
        match &self.followed {
            Followed::Child(answered, _) => Some(answered.spi_in),
            Followed::Ike(..) => None,
        }
    }
}

impl IkeSa {
    /// Runs the next additional key exchange.
    pub(super) fn follow(&mut self, cx: &mut Context, mut leading: Box<Leading>) {
        let Some(group) = leading.additional.pop_front() else {
            return;
        };
        let begun = cx.provider.exchange(group, &mut *cx.random);
        let Ok(Ok(exchange)) = begun else {
            self.close(cx, Failure::Crypto);
            return;
        };
        let write = || -> Result<PayloadWriter, TooLong> {
            let mut writer = PayloadWriter::new(cx.config.limits.sent);
            writer.key_exchange(group_id(group).unwrap_or(0), exchange.public())?;
            writer.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE, &leading.link)?;
            Ok(writer)
        };
        let Ok(writer) = write() else {
            return;
        };
        leading.exchange = Some(exchange);
        self.request(
            cx,
            ExchangeType::IKE_FOLLOWUP_KE,
            &writer,
            Request::Follow(leading),
        );
    }

    pub(super) fn follow_response(
        &mut self,
        cx: &mut Context,
        mut leading: Box<Leading>,
        payloads: &Payloads<'_>,
    ) {
        if let Some(error) = payloads.error() {
            // RFC 9370 §2.2.4: whatever it was, the whole must begin anew.
            let kind = error.kind;
            match leading.led {
                Led::Child(creating, _) => {
                    cx.forget_spi(creating.spi_in);
                    if creating.rival.is_some() {
                        return;
                    }
                    let task = match creating.rekeys {
                        Some(id) => Task::Rekey(id),
                        None => Task::Create(Box::new(creating.wish.clone())),
                    };
                    if creating.tries >= 3 {
                        self.create_given_up(cx, &creating.wish, creating.rekeys, kind);
                    } else {
                        self.later(cx, creating.tries, task);
                    }
                }
                Led::Ike(rekeying, ..) => {
                    let rival = self.established_mut().and_then(|own| own.rival.take());
                    match rival {
                        Some((rival, _)) => self.hand_over(cx, rival),
                        None => self.later(cx, rekeying.tries, Task::RekeyIke),
                    }
                }
            }
            return;
        }
        let shared = leading.exchange.take().zip(key_exchange(payloads));
        let shared = shared.and_then(|(exchange, ke)| {
            (group_id(exchange.group()) == Some(ke.0)).then(|| exchange.finish(ke.1).ok())?
        });
        let Some(shared) = shared else {
            let why = Failure::Answer("no key exchange that fits".into());
            match leading.led {
                Led::Child(creating, _) => self.create_undone(cx, &creating, why),
                Led::Ike(..) => self.close(cx, why),
            }
            return;
        };
        leading.secrets.push(shared);
        if !leading.additional.is_empty() {
            if let Some(link) = payloads.notify(NotifyType::ADDITIONAL_KEY_EXCHANGE) {
                leading.link = link.data.to_vec();
            }
            self.enqueue(cx, Task::Follow(leading));
            return;
        }
        let Leading {
            led,
            nonce,
            secrets,
            ..
        } = *leading;
        match led {
            Led::Child(creating, taken) => {
                self.create_done(cx, *creating, *taken, &nonce, &secrets);
            }
            Led::Ike(rekeying, suite, peer) => {
                self.rekey_done(cx, &rekeying, suite, peer, &nonce, &secrets);
            }
        }
    }

    pub(super) fn follow_request(&mut self, cx: &mut Context, path: Path, opened: &Opened) {
        let limits = cx.config.limits.message;
        let Ok(payloads) = opened.payloads(&limits) else {
            return;
        };
        let header = opened.header;
        match self.follow_answer(cx, &payloads) {
            Ok(writer) => self.respond(cx, path, header.exchange, header.message_id, &writer),
            Err(Stop::Refuse(kind, data)) => self.refuse(cx, path, &header, kind, &data),
            Err(Stop::Wait) => {}
            Err(Stop::Fatal(kind, why)) => {
                self.refuse(cx, path, &header, kind, &[]);
                self.close(cx, why);
            }
        }
    }

    fn follow_answer(
        &mut self,
        cx: &mut Context,
        payloads: &Payloads<'_>,
    ) -> Result<PayloadWriter, Stop> {
        const UNKNOWN: Stop = Stop::refuse(NotifyType::STATE_NOT_FOUND);
        let link = payloads
            .notify(NotifyType::ADDITIONAL_KEY_EXCHANGE)
            .ok_or(UNKNOWN)?;
        let own = self.established_mut().ok_or(UNKNOWN)?;
        if !own
            .following
            .as_ref()
            .is_some_and(|one| equal(&one.link, link.data))
        {
            return Err(UNKNOWN);
        }
        let mut following = own.following.take().ok_or(UNKNOWN)?;
        let done = Self::follow_exchange(cx, &mut following, payloads);
        let writer = match done {
            Ok(writer) => writer,
            Err(stop) => {
                if let Some(spi) = following.spi_in() {
                    cx.forget_spi(spi);
                }
                return Err(stop);
            }
        };
        if !following.additional.is_empty() {
            following.until = cx.after(WAIT);
            if let Some(own) = self.established_mut() {
                own.following = Some(following);
            }
            return Ok(writer);
        }
        let Following {
            followed,
            ni,
            nr,
            secrets,
            ..
        } = *following;
        match followed {
            Followed::Child(answered, rekeys) => {
                let spi = answered.spi_in;
                // What it was to replace may be gone by now.
                let rekeys = rekeys.filter(|id| self.child(*id).is_some());
                self.answer_done(cx, *answered, rekeys, &ni, &nr, &secrets)
                    .inspect_err(|_| cx.forget_spi(spi))?;
            }
            Followed::Ike(suite, spis) => {
                self.rekey_answered(cx, suite, spis, &ni, &nr, &secrets)?;
            }
        }
        Ok(writer)
    }

    fn follow_exchange(
        cx: &mut Context,
        following: &mut Following,
        payloads: &Payloads<'_>,
    ) -> Result<PayloadWriter, Stop> {
        const SYNTAX: Stop = Stop::refuse(NotifyType::INVALID_SYNTAX);
        const TEMPORARY: Stop = Stop::refuse(NotifyType::TEMPORARY_FAILURE);
        let group = following.additional.pop_front().ok_or(SYNTAX)?;
        let (id, data) = key_exchange(payloads).ok_or(SYNTAX)?;
        if group_id(group) != Some(id) {
            return Err(SYNTAX);
        }
        cx.counters.exchanges_answered += 1;
        let answer = cx
            .provider
            .answer(group, data, &mut *cx.random)
            .map_err(|_| TEMPORARY)?
            .map_err(|_| SYNTAX)?;
        following.secrets.push(answer.secret);
        let mut writer = PayloadWriter::new(cx.config.limits.sent);
        writer
            .key_exchange(id, &answer.public)
            .map_err(|_| TEMPORARY)?;
        if !following.additional.is_empty() {
            following.link = cx.random_octets(16).map_err(|_| TEMPORARY)?;
            writer
                .notify(NotifyType::ADDITIONAL_KEY_EXCHANGE, &following.link)
                .map_err(|_| TEMPORARY)?;
        }
        Ok(writer)
    }
}
