//! From the handshake to an SA whose both sides have proven who they are, and what the host answers on the way.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::sync::Arc;
use core::time::Duration;

use hostward_crypto::Secret;

use super::context::{Context, RuleRef};
use super::convert;
use super::event::{Event, IkeFacts, QuestionId};
use super::handshake::{Address, Own};
use super::proof::credential;
use super::sa::{Established, IkeSa, IkeState, Phase};
use crate::auth::{AuthMethod, Authenticated, HowToAuthMe};
use crate::identity::Identity;
use crate::keys::Side;
use crate::message::{NotifyContent, NotifyType, Payloads};

impl IkeSa {
    /// Both sides have proven who they are. What the handshake kept goes.
    pub(super) fn establish(
        &mut self,
        cx: &mut Context,
        held: &RuleRef,
        peer: Authenticated,
        local: Identity,
        method: u8,
        payloads: &Payloads<'_>,
    ) {
        let (Some(rule), Some(crypt)) = (held.get(), &mut self.crypt) else {
            return;
        };
        let Phase::Handshake(handshake) = &mut self.phase else {
            return;
        };
        if let Some(keys) = handshake.ppk_keys.take() {
            crypt.keys = keys;
            handshake.ppk = true;
        } else {
            handshake.ppk = false;
        }
        let redirected = handshake.redirected.map(Box::new);
        crypt.before = None;
        let action = &rule.action;
        let minutes =
            convert::ike_offer_of(action, &crypt.suite).map_or(480, |offer| offer.life.minutes);
        let whole = Duration::from_secs(u64::from(minutes) * 60);
        let renew = cx.jittered(whole / 10 * 9);
        let (renew, end) = (cx.after(renew), cx.after(whole));
        let initiator = self.role == Side::Initiator;
        let mut reauthenticate = action
            .reauth_minutes
            .filter(|_| initiator)
            .map(|minutes| cx.after(Duration::from_secs(u64::from(minutes.get()) * 60)));
        if let Some(NotifyContent::AuthLifetime(seconds)) = payloads
            .notify(NotifyType::AUTH_LIFETIME)
            .and_then(|told| told.content())
            && initiator
        {
            reauthenticate = earlier(reauthenticate, auth_lifetime(cx, seconds));
        }
        if let Some(NotifyContent::SetWindowSize(size)) = payloads
            .notify(NotifyType::SET_WINDOW_SIZE)
            .and_then(|told| told.content())
        {
            self.sending.window = self.sending.window.max(size.min(256));
        }
        self.agreed.mobike =
            cx.config.mobike && payloads.notify(NotifyType::MOBIKE_SUPPORTED).is_some();
        let facts = Arc::new(IkeFacts {
            id: self.id,
            spis: self.spis,
            initiator,
            rule: rule.name.clone(),
            suite: (*crypt.suite).clone(),
            local_certificate: (action.auth_me != HowToAuthMe::PresharedKey)
                .then(|| credential(cx, rule, &local, &handshake.requests))
                .flatten()
                .map(|found| found.label().to_string()),
            local,
            remote: peer.identity().clone(),
            local_method: AuthMethod::of(method).unwrap_or(AuthMethod::Null),
            remote_method: peer.method(),
            remote_certificate: peer.certificate().copied(),
            ppk: handshake.ppk,
            nat: (self.agreed.nat_local, self.agreed.nat_remote),
            since: cx.mono(),
            renewed: renew,
            ends: end,
            reauthenticated: reauthenticate,
        });
        let keep_alive = action
            .nat_keep_alive
            .filter(|_| self.agreed.nat_local)
            .map(|seconds| Duration::from_secs(seconds.get().into()));
        let liveness = action
            .liveness_seconds
            .map(|seconds| Duration::from_secs(seconds.get().into()));
        self.receiving.window = cx.config.window.max(1);
        if let Some(address) = self.half_open.take() {
            cx.gate.leave(address);
        }
        cx.event(Event::Established(Arc::clone(&facts)));
        self.phase = Phase::Established(Box::new(Established {
            peer,
            facts,
            rule: held.clone(),
            renew,
            end,
            reauthenticate,
            liveness,
            keep_alive,
            state: IkeState::Live,
            rival: None,
            following: None,
            refused_since: None,
            assigned: None,
            redirected,
        }));
    }

    /// What the host answered to a question of the handshake.
    pub(super) fn answer(
        &mut self,
        cx: &mut Context,
        id: QuestionId,
        answer: super::event::Answer,
    ) {
        use super::event::Answer;
        let role = self.role;
        let Some(own) = self.handshake_mut() else {
            return;
        };
        match answer {
            Answer::Signature(signature) => {
                let Own::Asked(asked, choice) = &own.proof else {
                    return;
                };
                if *asked != id {
                    return;
                }
                let made = signature.and_then(|signature| choice.finish(&signature).ok());
                own.proof = match made {
                    Some(data) => Own::Made(choice.method.number(), Secret::new(data)),
                    None => Own::Failed,
                };
                if role == Side::Initiator {
                    self.auth_begin(cx);
                    return;
                }
            }
            Answer::Certificate(fetched) => {
                let Some(work) = &mut own.work else {
                    return;
                };
                let Some(at) = work.fetching.iter().position(|one| one.0 == id) else {
                    return;
                };
                let (_, number) = work.fetching.remove(at);
                if let Some(received) = &mut work.received {
                    // What is not what its hash says is as nothing; the check of the chain tells.
                    let _ = received.answer(&cx.provider, number, fetched.as_deref());
                }
            }
            Answer::Address(given) => {
                let Some(work) = &mut own.work else {
                    return;
                };
                let Address::Asked(asked) = &work.address else {
                    return;
                };
                if *asked != id {
                    return;
                }
                work.address = Address::Answered(given.filter(|g| !g.addresses.is_empty()));
            }
        }
        match role {
            Side::Initiator => self.auth_take(cx),
            Side::Responder => self.auth_answer(cx),
        }
    }
}

pub(super) fn auth_lifetime(cx: &Context, seconds: u32) -> hostward_hook::time::Instant {
    // RFC 4478 §3: early enough.
    cx.after(Duration::from_secs(u64::from(seconds)) / 10 * 9)
}

fn earlier(
    a: Option<hostward_hook::time::Instant>,
    b: hostward_hook::time::Instant,
) -> Option<hostward_hook::time::Instant> {
    Some(a.map_or(b, |a| a.min(b)))
}
