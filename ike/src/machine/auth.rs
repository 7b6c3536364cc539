//! IKE_INTERMEDIATE and IKE_AUTH, both roles (RFC 7296 §1.2, §2.15, §2.21.2; RFC 9242; RFC 9370; RFC 8784).

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::address::{addresses, name_servers, write_address};
use super::announce::{fetches, ppk_for, request_certificates, requests_of};
use super::child::{self, Answered, Made};
use super::context::{Context, Effect, RuleRef};
use super::convert;
use super::event::{Assigned, Event, Failure, Path};
use super::handshake::{Address, Own, Work};
use super::init::{gateway, gateway_address};
use super::proof::{claim, failed, unproven};
use super::sa::{IkeSa, Request, Stop, Task};
use crate::identity::Identity;
use crate::keys::Side;
use crate::message::{
    CfgAttributeType, CfgType, ExchangeType, NotifyContent, NotifyType, Payload, PayloadType,
    PayloadWriter, Payloads, TooLong,
};
use crate::policy::PeerProof;
use crate::proposal::{Spi, proposals};
use crate::protect::Opened;

impl IkeSa {
    /// As initiator: IKE_AUTH, once this side's proof is there.
    pub(super) fn auth_begin(&mut self, cx: &mut Context) {
        match self.auth_try(cx) {
            Ok(()) | Err(Stop::Wait) => {}
            Err(Stop::Refuse(kind, _)) => self.close_at_once(cx, Failure::Told(kind)),
            Err(Stop::Fatal(_, why)) => self.close_at_once(cx, why),
        }
    }

    fn auth_try(&mut self, cx: &mut Context) -> Result<(), Stop> {
        const CRYPTO: fn() -> Stop = || failed(NotifyType::AUTHENTICATION_FAILED, Failure::Crypto);
        let path = self.path;
        let id = self.sending.next;
        let keys = self
            .crypt
            .as_ref()
            .map(|crypt| crypt.keys.clone())
            .ok_or_else(CRYPTO)?;
        let own = self.handshake_mut().ok_or(Stop::Wait)?;
        let held = own.rule.clone();
        let rule = held.get().ok_or_else(CRYPTO)?;
        let identity = rule.local.identity_at(path.local.ip());
        let mut ppk = None;
        if own.ppk
            && let Some(found) = ppk_for(cx, path.remote.ip())
        {
            if own.ppk_keys.is_none() {
                own.ppk_keys = Some(
                    keys.with_ppk(&cx.provider, &found.key)
                        .map_err(|_| CRYPTO())?,
                );
            }
            ppk = Some((found.identity.clone(), found.mandatory));
        }
        let (method, proof) = self.prove(cx, rule, &identity, id)?;
        // RFC 8784 §3: for a peer that has not this key, the proof as it would be without.
        let mut without = None;
        if ppk.as_ref().is_some_and(|ppk| !ppk.1) {
            let swapped = self
                .handshake_mut()
                .map(|own| (own.ppk_keys.take(), core::mem::take(&mut own.proof)));
            without = self
                .prove(cx, rule, &identity, id)
                .ok()
                .map(|proof| proof.1);
            if let (Some(own), Some((keys, proof))) = (self.handshake_mut(), swapped) {
                if let Own::Asked(question, _) = &own.proof {
                    cx.asked.remove(question);
                    cx.questions.retain(|one| one.0 != *question);
                }
                own.ppk_keys = keys;
                own.proof = proof;
            }
        }
        let mut asked = None;
        let childless = self.agreed.childless;
        let wish = self
            .handshake_mut()
            .and_then(|own| own.wishes.first().cloned());
        // RFC 6023 §3: only when the responder announced that it takes that.
        if wish.is_none() && !childless {
            let text = "no child is wanted, and the peer takes no IKE SA without";
            let why = Failure::Answer(text.into());
            return Err(failed(NotifyType::INVALID_SYNTAX, why));
        }
        if let Some(wish) = &wish {
            let spi = cx.child_spi().map_err(|_| CRYPTO())?;
            let sent = proposals(&child::offers(wish, true), Spi::Child(spi), &cx.provider);
            asked = Some((spi, sent));
        }
        let replaces = self
            .handshake_mut()
            .is_some_and(|own| own.replaces.is_some());
        let write = |cx: &Context, sa: &Self| -> Result<PayloadWriter, TooLong> {
            let mut writer = PayloadWriter::new(cx.config.limits.sent);
            sa.write_proof(cx, &mut writer, rule, &identity, (method, &proof))?;
            if rule.peer_proof() == PeerProof::Certificate {
                request_certificates(cx, &mut writer, rule)?;
            }
            if let Some(other) = rule.remote.identity.exact() {
                writer.payload(PayloadType::ID_R, &[&other.body()])?;
            }
            // RFC 7296 §2.4: only when there is no other SA with the peer.
            if cx.config.initial_contact && !replaces {
                writer.notify(NotifyType::INITIAL_CONTACT, &[])?;
            }
            if cx.config.window > 1 {
                let window = cx.config.window.to_be_bytes();
                writer.notify(NotifyType::SET_WINDOW_SIZE, &window)?;
            }
            if cx.config.mobike {
                writer.notify(NotifyType::MOBIKE_SUPPORTED, &[])?;
            }
            if let Some((identity, _)) = &ppk {
                // RFC 8784 §3: type 2, a fixed identity.
                let mut data = alloc::vec![2];
                data.extend_from_slice(identity);
                writer.notify(NotifyType::PPK_IDENTITY, &data)?;
                if let Some(without) = &without {
                    writer.notify(NotifyType::NO_PPK_AUTH, without.expose())?;
                }
            }
            if cx.config.ask_address {
                let wanted = if path.local.is_ipv4() {
                    CfgAttributeType::INTERNAL_IP4_ADDRESS
                } else {
                    CfgAttributeType::INTERNAL_IP6_ADDRESS
                };
                writer.configuration(CfgType::CFG_REQUEST, &[(wanted, &[])])?;
            }
            if let (Some(wish), Some((_, sent))) = (&wish, &asked) {
                child::ask(wish, sent, &mut writer)?;
            }
            Ok(writer)
        };
        let writer = write(cx, self).map_err(|_| CRYPTO())?;
        if let Some(own) = self.handshake_mut() {
            own.child = asked;
        }
        self.request(cx, ExchangeType::IKE_AUTH, &writer, Request::Auth);
        Ok(())
    }

    /// As responder: IKE_AUTH came.
    pub(super) fn auth_request(&mut self, cx: &mut Context, path: Path, opened: Opened) {
        let Some(own) = self.handshake_mut() else {
            return;
        };
        if own.work.is_some() {
            cx.counters.unexpected += 1;
            return;
        }
        // RFC 9242 §3.3.2 has no place for what was left out.
        let early = !own.additional.is_empty();
        let header = opened.header;
        own.work = Some(Box::new(Work {
            path,
            opened,
            received: None,
            fetching: Vec::new(),
            peer: None,
            address: Address::Unasked,
        }));
        if early {
            self.refuse(cx, path, &header, NotifyType::INVALID_SYNTAX, &[]);
            let text = "IKE_AUTH before all key exchanges".into();
            self.close(cx, Failure::Refused(NotifyType::INVALID_SYNTAX, text));
            return;
        }
        self.auth_answer(cx);
    }

    /// Goes through the request, as often as the host has answered something.
    pub(super) fn auth_answer(&mut self, cx: &mut Context) {
        let Some(own) = self.handshake_mut() else {
            return;
        };
        let Some(opened) = own.work.as_ref().map(|work| work.opened.clone()) else {
            return;
        };
        let Some(path) = own.work.as_ref().map(|work| work.path) else {
            return;
        };
        let limits = cx.config.limits.message;
        let Ok(payloads) = opened.payloads(&limits) else {
            return;
        };
        match self.auth_answer_try(cx, path, &opened, &payloads) {
            Ok(()) | Err(Stop::Wait) => {}
            Err(Stop::Refuse(kind, data)) => {
                self.refuse(cx, path, &opened.header, kind, &data);
                self.close(cx, Failure::Refused(kind, String::new()));
            }
            Err(Stop::Fatal(kind, why)) => {
                self.refuse(cx, path, &opened.header, kind, &[]);
                self.close(cx, why);
            }
        }
    }

    fn auth_answer_try(
        &mut self,
        cx: &mut Context,
        path: Path,
        opened: &Opened,
        payloads: &Payloads<'_>,
    ) -> Result<(), Stop> {
        let id = opened.header.message_id;
        // Without AUTH the peer wants EAP, which is not done.
        let claim = claim(payloads, Side::Initiator)
            .ok_or_else(|| unproven("IDi or AUTH is missing (EAP is not done)"))?;
        let (local, remote) = (path.local.ip(), path.remote.ip());
        let known = self
            .handshake_mut()
            .and_then(|own| own.work.as_ref()?.peer.clone());
        let (peer, held) = match known {
            Some(known) => known,
            None => {
                let them = Identity::read_body(claim.id.body)
                    .map_err(|error| unproven(error.to_string()))?;
                let us = match &claim.other {
                    Some(other) => Some(
                        Identity::read_body(other.body)
                            .map_err(|error| unproven(error.to_string()))?,
                    ),
                    None => None,
                };
                let policy = Arc::clone(&cx.policy);
                let rule = policy
                    .rule(local, remote, us.as_ref(), &them)
                    .ok_or(failed(NotifyType::AUTHENTICATION_FAILED, Failure::NoRule))?;
                let held = RuleRef::new(&policy, rule)
                    .ok_or(failed(NotifyType::AUTHENTICATION_FAILED, Failure::NoRule))?;
                // EZD1785I: what was agreed on with the tentative rule must be acceptable by the final one.
                let suite = self.crypt.as_ref().map(|crypt| Arc::clone(&crypt.suite));
                if suite.is_none_or(|s| convert::ike_offer_of(&rule.action, &s).is_none()) {
                    let kind = NotifyType::AUTHENTICATION_FAILED;
                    return Err(failed(kind, Failure::RuleChanged));
                }
                let ppk_data = self.decide_ppk(cx, remote, payloads)?;
                let data = ppk_data.as_deref().unwrap_or(claim.auth.data);
                let auth = (claim.auth.method.0, data);
                let peer = self.check_proof(cx, rule, payloads, &claim.id, auth, id)?;
                if let Some(work) = self.handshake_mut().and_then(|own| own.work.as_mut()) {
                    work.peer = Some((peer.clone(), held.clone()));
                }
                if let Some(own) = self.handshake_mut() {
                    own.requests = requests_of(payloads);
                    own.fetches = fetches(payloads);
                }
                (peer, held)
            }
        };
        let rule = held.get().ok_or(Stop::Wait)?;
        let identity = rule.local.identity_at(local);
        let (method, proof) = self.prove(cx, rule, &identity, id)?;
        let address = self.address(cx, peer.identity(), claim.configuration.as_ref())?;
        let mut writer = PayloadWriter::new(cx.config.limits.sent);
        let ppk = self
            .handshake_mut()
            .is_some_and(|own| own.ppk_keys.is_some());
        let reauth = rule.action.reauth_minutes;
        let told_mobike = payloads.notify(NotifyType::MOBIKE_SUPPORTED).is_some();
        let write = |cx: &Context, sa: &Self, w: &mut PayloadWriter| -> Result<(), TooLong> {
            sa.write_proof(cx, w, rule, &identity, (method, &proof))?;
            if ppk {
                w.notify(NotifyType::PPK_IDENTITY, &[])?;
            }
            if cx.config.mobike && told_mobike {
                w.notify(NotifyType::MOBIKE_SUPPORTED, &[])?;
            }
            if cx.config.window > 1 {
                w.notify(NotifyType::SET_WINDOW_SIZE, &cx.config.window.to_be_bytes())?;
            }
            if let Some(minutes) = reauth {
                let seconds = minutes.get().saturating_mul(60);
                w.notify(NotifyType::AUTH_LIFETIME, &seconds.to_be_bytes())?;
            }
            Ok(())
        };
        write(cx, self, &mut writer)
            .map_err(|_| failed(NotifyType::AUTHENTICATION_FAILED, Failure::Crypto))?;
        let wants_child = child::asked(payloads).is_some();
        // RFC 6023 §3: without a child only if that was announced.
        if !wants_child && !self.agreed.childless {
            let text = "no child, and that was not announced".into();
            let why = Failure::Refused(NotifyType::INVALID_SYNTAX, text);
            return Err(failed(NotifyType::INVALID_SYNTAX, why));
        }
        // RFC 5685 §6: an authentic client is sent elsewhere, without a child.
        let elsewhere = cx
            .config
            .redirect_to
            .filter(|to| cx.config.redirect_authenticated && self.agreed.redirect && *to != local);
        let mut assigned = None;
        let answered = match address {
            _ if elsewhere.is_some() => Err(Stop::Wait),
            Some(None) if wants_child => Err(Stop::refuse(NotifyType::INTERNAL_ADDRESS_FAILURE)),
            Some(Some(given)) => {
                assigned = given.addresses.first().copied();
                let written = write_address(&mut writer, &given);
                cx.event(Event::Address(self.id, given));
                match written {
                    Ok(()) if wants_child => {
                        self.answer_child(cx, payloads, None, true, None, assigned)
                    }
                    _ => Err(Stop::Wait),
                }
            }
            _ if wants_child => self.answer_child(cx, payloads, None, true, None, None),
            _ => Err(Stop::Wait),
        };
        // RFC 7296 §2.21.2: a child that cannot be does not cost the IKE SA.
        let answered = match answered {
            Ok(answered) => answered.write(&mut writer).is_ok().then_some(answered),
            Err(Stop::Refuse(kind, data)) => {
                if writer.notify(kind, &data).is_err() {
                    return Err(Stop::refuse(kind));
                }
                None
            }
            Err(Stop::Wait | Stop::Fatal(..)) => None,
        };
        if let Some(to) = elsewhere {
            writer
                .redirect(NotifyType::REDIRECT, gateway(to), &[])
                .map_err(|_| failed(NotifyType::AUTHENTICATION_FAILED, Failure::Crypto))?;
        }
        let nonces = self
            .handshake_mut()
            .map(|own| (own.ni.clone(), own.nr.clone()));
        self.path = path;
        self.establish(cx, &held, peer, identity, method, payloads);
        if let Some(own) = self.established_mut() {
            own.assigned = assigned;
        }
        // RFC 7296 §2.8: what is received with is there before the answer goes out.
        if let (Some(answered), Some((ni, nr))) = (answered, nonces) {
            self.first_child(cx, answered, &ni, &nr);
        }
        self.respond(cx, path, ExchangeType::IKE_AUTH, id, &writer);
        if payloads.notify(NotifyType::INITIAL_CONTACT).is_some() {
            cx.effects
                .push_back(Effect::InitialContact(self.local_spi()));
        }
        Ok(())
    }

    /// RFC 8784 §3: which keys IKE_AUTH is under; gives the AUTH data that are checked if they are not those
    /// of the AUTH payload.
    fn decide_ppk(
        &mut self,
        cx: &Context,
        remote: IpAddr,
        payloads: &Payloads<'_>,
    ) -> Result<Option<Vec<u8>>, Stop> {
        let keys = self.crypt.as_ref().map(|crypt| crypt.keys.clone());
        let (Some(keys), Some(own)) = (keys, self.handshake_mut()) else {
            return Err(Stop::Wait);
        };
        if !own.ppk {
            return Ok(None);
        }
        let told = payloads
            .notify(NotifyType::PPK_IDENTITY)
            .and_then(|told| told.content());
        let Some(NotifyContent::PpkIdentity { identity, .. }) = told else {
            return Err(unproven("PPK_IDENTITY is missing"));
        };
        let ppk = cx
            .config
            .ppks
            .iter()
            .find(|ppk| ppk.identity == identity && ppk.peer.is_none_or(|peer| peer == remote));
        if let Some(ppk) = ppk {
            let mixed = keys.with_ppk(&cx.provider, &ppk.key);
            own.ppk_keys = Some(mixed.map_err(|_| unproven("the provider refused"))?);
            return Ok(None);
        }
        let mandatory = cx.config.ppks.iter().any(|ppk| ppk.mandatory);
        match payloads.notify(NotifyType::NO_PPK_AUTH) {
            Some(without) if !mandatory => Ok(Some(without.data.to_vec())),
            _ => Err(unproven("a post-quantum preshared key that is not known")),
        }
    }

    /// As initiator: the answer to IKE_AUTH.
    pub(super) fn auth_response(&mut self, cx: &mut Context, opened: &Opened) {
        let path = self.path;
        let Some(own) = self.handshake_mut() else {
            return;
        };
        own.work = Some(Box::new(Work {
            path,
            opened: opened.clone(),
            received: None,
            fetching: Vec::new(),
            peer: None,
            address: Address::Unasked,
        }));
        self.auth_take(cx);
    }

    /// Goes through the answer, as often as the host has answered something.
    pub(super) fn auth_take(&mut self, cx: &mut Context) {
        let work = self.handshake_mut().and_then(|own| own.work.as_ref());
        let Some(opened) = work.map(|work| work.opened.clone()) else {
            return;
        };
        let limits = cx.config.limits.message;
        let Ok(payloads) = opened.payloads(&limits) else {
            return;
        };
        match self.auth_take_try(cx, &opened, &payloads) {
            Ok(()) | Err(Stop::Wait) => {}
            Err(Stop::Refuse(kind, _)) => self.close_at_once(cx, Failure::Told(kind)),
            Err(Stop::Fatal(kind, why)) => {
                // RFC 7296 §2.21.2: the responder thinks all is well; it is told, and nothing else.
                let mut writer = PayloadWriter::new(64);
                if writer.notify(kind, &[]).is_ok() {
                    let exchange = ExchangeType::INFORMATIONAL;
                    self.request(cx, exchange, &writer, Request::Farewell);
                    self.sending.outstanding.clear();
                }
                self.close_at_once(cx, why);
            }
        }
    }

    fn auth_take_try(
        &mut self,
        cx: &mut Context,
        opened: &Opened,
        payloads: &Payloads<'_>,
    ) -> Result<(), Stop> {
        let id = opened.header.message_id;
        let Some(claim) = claim(payloads, Side::Responder) else {
            let told = payloads.error().map(|error| error.kind);
            return Err(match told {
                Some(kind) => Stop::refuse(kind),
                None => unproven("IDr or AUTH is missing"),
            });
        };
        let own = self.handshake_mut().ok_or(Stop::Wait)?;
        let held = own.rule.clone();
        let rule = held.get().ok_or(Stop::Wait)?;
        let them =
            Identity::read_body(claim.id.body).map_err(|error| unproven(error.to_string()))?;
        if !rule.remote.identity.matches(&them) {
            return Err(unproven(alloc::format!("the rule is not for {them}")));
        }
        // RFC 8784 §3: the responder says whether it used the key.
        if own.ppk_keys.is_some() && payloads.notify(NotifyType::PPK_IDENTITY).is_none() {
            own.ppk_keys = None;
            let ppk = ppk_for(cx, self.path.remote.ip());
            if ppk.is_some_and(|ppk| ppk.mandatory) {
                return Err(unproven(
                    "the peer does not use the post-quantum preshared key",
                ));
            }
        }
        let auth = (claim.auth.method.0, claim.auth.data);
        let peer = self.check_proof(cx, rule, payloads, &claim.id, auth, id)?;
        let own = self.handshake_mut().ok_or(Stop::Wait)?;
        let method = match &own.proof {
            Own::Made(method, _) => *method,
            Own::None | Own::Asked(..) | Own::Failed => return Err(Stop::Wait),
        };
        let (ni, nr) = (own.ni.clone(), own.nr.clone());
        let asked = own.child.take();
        let mut wishes = core::mem::take(&mut own.wishes);
        let replaces = own.replaces;
        let identity = rule.local.identity_at(self.path.local.ip());
        self.establish(cx, &held, peer, identity, method, payloads);
        if let Some(configuration) = &claim.configuration {
            let given = Assigned {
                addresses: addresses(configuration),
                name_servers: name_servers(configuration),
            };
            if !given.addresses.is_empty() {
                cx.event(Event::Address(self.id, given));
            }
        }
        // RFC 5685 §6: the gateway has proven who it is, and sends its client elsewhere.
        let elsewhere = payloads
            .notify(NotifyType::REDIRECT)
            .filter(|_| cx.config.follow_redirects);
        if let Some(NotifyContent::Redirect { gateway, .. }) = elsewhere.and_then(|n| n.content())
            && let Some(to) = gateway_address(&gateway)
        {
            if let Some((spi_in, _)) = asked {
                cx.forget_spi(spi_in);
            }
            let effect = Effect::Redirect(self.local_spi(), to, Some((wishes, replaces)));
            cx.effects.push_back(effect);
            return Ok(());
        }
        if let Some((spi_in, sent)) = asked
            && !wishes.is_empty()
        {
            let wish = wishes.remove(0);
            let taken = match payloads.error() {
                Some(error) => Err((Failure::Told(error.kind), false)),
                None => self
                    .take_child(payloads, &wish, &sent, false)
                    .map_err(|why| (why, child::asked(payloads).is_some())),
            };
            match taken {
                Ok(taken) => {
                    let nonces = crate::keys::Nonces {
                        initiator: &ni,
                        responder: &nr,
                    };
                    let keys = self.crypt.as_ref().and_then(|crypt| {
                        crypt
                            .keys
                            .child(&cx.provider, &taken.suite, nonces, &[])
                            .ok()
                    });
                    if let Some(keys) = keys {
                        let made = Made {
                            wish: taken.wish,
                            suite: taken.suite,
                            spi_in,
                            spi_out: taken.spi_out,
                            initiator: true,
                            keys,
                            replaces: None,
                            original: None,
                            tfc_padding: taken.tfc_padding,
                        };
                        if let Some(id) = self.install(cx, made) {
                            cx.event(Event::ChildSwitch(id));
                        }
                    }
                }
                Err((why, there)) => {
                    cx.forget_spi(spi_in);
                    cx.fail_wishes([&wish], &why);
                    if there && let Some(sent) = sent.first() {
                        self.enqueue(cx, Task::DeleteSpi(sent.protocol, spi_in));
                    }
                }
            }
        }
        for wish in wishes {
            self.enqueue(cx, Task::Create(Box::new(wish)));
        }
        if let Some(replaced) = replaces {
            cx.effects.push_back(Effect::Reauthenticated(replaced));
        }
        self.pump(cx);
        Ok(())
    }

    /// As responder: the child of IKE_AUTH.
    fn first_child(&mut self, cx: &mut Context, answered: Answered, ni: &[u8], nr: &[u8]) {
        let nonces = crate::keys::Nonces {
            initiator: ni,
            responder: nr,
        };
        let keys = self.crypt.as_ref().and_then(|crypt| {
            crypt
                .keys
                .child(&cx.provider, &answered.suite, nonces, &[])
                .ok()
        });
        let Some(keys) = keys else {
            cx.forget_spi(answered.spi_in);
            return;
        };
        let made = Made {
            wish: answered.wish,
            suite: answered.suite,
            spi_in: answered.spi_in,
            spi_out: answered.spi_out,
            initiator: false,
            keys,
            replaces: None,
            original: answered.original,
            tfc_padding: answered.tfc_padding,
        };
        if let Some(id) = self.install(cx, made) {
            cx.event(Event::ChildSwitch(id));
        }
    }
}

pub(super) fn key_exchange<'a>(payloads: &Payloads<'a>) -> Option<(u16, &'a [u8])> {
    payloads.iter().find_map(|payload| {
        if let Payload::KeyExchange(ke) = payload {
            Some((ke.group, ke.data))
        } else {
            None
        }
    })
}
