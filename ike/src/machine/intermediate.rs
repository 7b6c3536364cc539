//! IKE_INTERMEDIATE, both roles: additional key exchanges before IKE_AUTH (RFC 9242, RFC 9370 §2.2.2).

use alloc::sync::Arc;

use hostward_crypto::Secret;

use super::auth::key_exchange;
use super::context::Context;
use super::event::{Failure, Path};
use super::sa::{IkeSa, Phase, Request, crypt};
use crate::keys::Side;
use crate::message::{ExchangeType, NotifyType, PayloadWriter};
use crate::proposal::group_id;
use crate::protect::{Authenticated as Covered, Opened};

impl IkeSa {
    /// As initiator: the next exchange before there is an SA.
    pub(super) fn handshake_go_on(&mut self, cx: &mut Context) {
        let id = self.sending.next;
        let header = self.header(ExchangeType::IKE_INTERMEDIATE, id, false);
        let Some(own) = self.handshake_mut() else {
            return;
        };
        let Some(group) = own.additional.pop_front() else {
            self.auth_begin(cx);
            return;
        };
        let mut writer = PayloadWriter::new(cx.config.limits.sent);
        let begun = cx.provider.exchange(group, &mut *cx.random);
        let Ok(Ok(exchange)) = begun else {
            self.close_at_once(cx, Failure::Crypto);
            return;
        };
        let number = group_id(group).unwrap_or(0);
        if writer.key_exchange(number, exchange.public()).is_err() {
            self.close_at_once(cx, Failure::Crypto);
            return;
        }
        own.exchange = Some(exchange);
        own.sent = Some((header, writer.clone()));
        self.request(
            cx,
            ExchangeType::IKE_INTERMEDIATE,
            &writer,
            Request::Intermediate,
        );
    }

    /// Renews the keys after an additional key exchange (RFC 9370 §2.2.2), and covers both messages by the
    /// keys that protected them (RFC 9242 §3.3.2).
    fn mix(
        &mut self,
        cx: &Context,
        shared: &Secret,
        request: &Covered<'_>,
        answer: &Covered<'_>,
    ) -> Option<()> {
        let (spis, role) = (self.spis, self.role);
        let old = self.crypt.take()?;
        let Phase::Handshake(own) = &mut self.phase else {
            return None;
        };
        let (provider, keys) = (&cx.provider, &old.keys);
        own.intermediate
            .add(provider, keys, Side::Initiator, request)
            .ok()?;
        own.intermediate
            .add(provider, keys, Side::Responder, answer)
            .ok()?;
        let new = keys
            .mixed(provider, &old.suite, own.nonces(), spis, shared)
            .ok()?;
        let mut new = crypt(cx, new, Arc::clone(&old.suite), role)?;
        new.before = Some(old.opener);
        self.crypt = Some(new);
        Some(())
    }

    pub(super) fn intermediate_response(&mut self, cx: &mut Context, opened: &Opened) {
        let limits = cx.config.limits.message;
        let Some(own) = self.handshake_mut() else {
            return;
        };
        let (Some((header, writer)), Some(exchange), Ok(payloads)) = (
            own.sent.take(),
            own.exchange.take(),
            opened.payloads(&limits),
        ) else {
            return;
        };
        if let Some(error) = payloads.error() {
            self.close_at_once(cx, Failure::Told(error.kind));
            return;
        }
        let group = group_id(exchange.group());
        let shared = key_exchange(&payloads)
            .filter(|ke| Some(ke.0) == group)
            .and_then(|ke| exchange.finish(ke.1).ok());
        let Some(shared) = shared else {
            self.close_at_once(cx, Failure::Answer("no key exchange that fits".into()));
            return;
        };
        let request = Covered::of(&header, &writer);
        if self
            .mix(cx, &shared, &request, &opened.authenticated())
            .is_none()
        {
            self.close_at_once(cx, Failure::Crypto);
            return;
        }
        self.handshake_go_on(cx);
    }

    pub(super) fn intermediate_request(&mut self, cx: &mut Context, path: Path, opened: &Opened) {
        let limits = cx.config.limits.message;
        let header = opened.header;
        let reply = self.header(header.exchange, header.message_id, true);
        let Some(own) = self.handshake_mut() else {
            return;
        };
        let wanted = own.additional.pop_front().filter(|_| own.work.is_none());
        let came = opened.payloads(&limits).ok();
        let came = came.as_ref().and_then(key_exchange);
        let fits = wanted
            .zip(came)
            .filter(|(group, ke)| group_id(*group) == Some(ke.0));
        cx.counters.exchanges_answered += 1;
        let answer = fits.and_then(|(group, ke)| {
            cx.provider
                .answer(group, ke.1, &mut *cx.random)
                .ok()?
                .ok()
                .map(|a| (ke.0, a))
        });
        let Some((group, answer)) = answer else {
            self.refuse(cx, path, &header, NotifyType::INVALID_SYNTAX, &[]);
            let text = "no key exchange that fits".into();
            self.close(cx, Failure::Refused(NotifyType::INVALID_SYNTAX, text));
            return;
        };
        let mut writer = PayloadWriter::new(cx.config.limits.sent);
        if writer.key_exchange(group, &answer.public).is_err() {
            return;
        }
        // RFC 9370 §2.2.2: the answer is still protected by the old keys.
        self.respond(cx, path, header.exchange, header.message_id, &writer);
        let covered = Covered::of(&reply, &writer);
        if self
            .mix(cx, &answer.secret, &opened.authenticated(), &covered)
            .is_none()
        {
            self.close_at_once(cx, Failure::Crypto);
        }
    }
}
