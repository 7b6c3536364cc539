//! IKE_SA_INIT, both roles (RFC 7296 §1.2, §2.6, §2.7, §2.23).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_crypto::Group;

use super::announce::{
    Parts, announce, cookie_of, fetches, hashes_of, nat_of, nonce_of, parts, ppk_for,
    request_certificates, requests_of,
};
use super::context::{Context, Effect, RuleRef};
use super::convert;
use super::event::{Event, Failure, Path, SaId};
use super::flood::{Admission, Applicant};
use super::handshake::{Handshake, Initiating, Own, Redirected};
use super::index::Entered;
use super::sa::{Agreed, IkeSa, Phase, Wish, crypt};
use super::window::{Receiving, Sending};
use crate::keys::{IkeKeys, IntAuth, Nonces, Side, Spis};
use crate::message::{
    ExchangeType, Flags, Gateway, Header, IkeSpi, Message, NotifyContent, NotifyType,
    PayloadWriter, TooLong, plain,
};
use crate::policy::PeerProof;
use crate::proposal::{
    IkeSuite, KeDecision, Selecting, Spi, check_answer, group_id, ke_decision, proposals,
    retry_group, select_ike,
};

/// Begins an IKE SA.
pub(super) fn begin(
    cx: &mut Context,
    path: Path,
    rule: RuleRef,
    wishes: Vec<Wish>,
    replaces: Option<SaId>,
    redirected: Option<Redirected>,
) -> Option<Box<IkeSa>> {
    let offers = convert::ike_offers(&rule.get()?.action);
    let proposals = proposals(&offers, Spi::None, &cx.provider);
    let group = first_group(&proposals)?;
    let exchange = cx.provider.exchange(group, &mut *cx.random).ok()?.ok()?;
    let spi = cx.ike_spi().ok()?;
    let nonce = cx.nonce().ok()?;
    let now = cx.mono();
    let initiating = Initiating {
        rule,
        proposals,
        exchange,
        tried: alloc::vec![group],
        nonce,
        cookie: Vec::new(),
        message: Vec::new(),
        sent: 0,
        due: now,
        retries: 0,
        told: None,
        wishes,
        replaces,
        redirected,
    };
    let mut sa = Box::new(IkeSa {
        id: cx.sa_id(),
        role: Side::Initiator,
        spis: Spis {
            initiator: spi,
            responder: IkeSpi::ZERO,
        },
        path,
        agreed: Agreed::default(),
        phase: Phase::Initiating(Box::new(initiating)),
        crypt: None,
        sending: Sending::new(1),
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
    });
    sa.receiving.window = cx.config.window.max(1);
    sa.init_send(cx);
    Some(sa)
}

pub(super) fn first_group(proposals: &[crate::proposal::Proposal]) -> Option<Group> {
    let mut transforms = proposals.iter().flat_map(|proposal| &proposal.transforms);
    transforms.find_map(|transform| {
        if let crate::proposal::Transform::Ke(group) = transform {
            *group
        } else {
            None
        }
    })
}

impl IkeSa {
    /// Sends IKE_SA_INIT with what is known by now.
    fn init_send(&mut self, cx: &mut Context) {
        let header = self.header(ExchangeType::IKE_SA_INIT, 0, false);
        let (spis, path) = (self.spis, self.path);
        let Phase::Initiating(own) = &mut self.phase else {
            return;
        };
        let write = |own: &Initiating, cx: &Context| -> Result<Vec<u8>, TooLong> {
            let mut writer = PayloadWriter::new(cx.config.limits.sent);
            // RFC 7296 §2.6: the cookie is the first payload, the others stay as they were.
            if !own.cookie.is_empty() {
                writer.notify(NotifyType::COOKIE, &own.cookie)?;
            }
            writer.sa(&own.proposals)?;
            let group = group_id(own.exchange.group()).unwrap_or(0);
            writer.key_exchange(group, own.exchange.public())?;
            writer.nonce(&own.nonce)?;
            let nat = own.rule.get().is_some_and(|rule| rule.action.allow_nat);
            let ppk = ppk_for(cx, path.remote.ip()).is_some();
            announce(cx, &mut writer, spis, path, nat, true, ppk)?;
            match own.redirected {
                Some(redirected) => {
                    let gateway = gateway(redirected.from);
                    writer.redirect(NotifyType::REDIRECTED_FROM, gateway, &[])?;
                }
                None if cx.config.follow_redirects => {
                    writer.notify(NotifyType::REDIRECT_SUPPORTED, &[])?;
                }
                None => {}
            }
            plain(&header, &writer)
        };
        let Ok(message) = write(own, cx) else {
            self.close_at_once(cx, Failure::Crypto);
            return;
        };
        cx.send(path, &message);
        own.message = message;
        own.sent = 0;
        let wait = cx.policy.config().wait(0).unwrap_or_default();
        own.due = cx.after(wait);
    }

    /// Sends the same octets again, or gives up.
    pub(super) fn init_again(&mut self, cx: &mut Context) {
        let path = self.path;
        let Phase::Initiating(own) = &mut self.phase else {
            return;
        };
        own.sent += 1;
        // RFC 7296 §2.21.1: what was told without protection may be anybody's; it only shortens the wait.
        let told = own.told;
        match cx.policy.config().wait(own.sent) {
            Some(wait) if told.is_none() || own.sent <= 2 => {
                own.due = cx.now.mono.saturating_add(wait);
                cx.counters.retransmitted += 1;
                let message = own.message.clone();
                cx.send(path, &message);
            }
            _ => self.close_at_once(cx, told.map_or(Failure::NoAnswer, Failure::Told)),
        }
    }

    /// Whether the attempt may go on with another request.
    fn init_retry(&mut self, cx: &mut Context) -> bool {
        let Phase::Initiating(own) = &mut self.phase else {
            return false;
        };
        own.retries += 1;
        // RFC 7296 §2.6.1: four round trips are enough for cookie and group in any order; a few more do not hurt.
        if own.retries > cx.config.limits.retries {
            let why = own.told.map_or(Failure::NoAnswer, Failure::Told);
            self.close_at_once(cx, why);
            return false;
        }
        true
    }

    /// An answer to IKE_SA_INIT, which may be anybody's.
    pub(super) fn init_response(&mut self, cx: &mut Context, path: Path, message: &Message<'_>) {
        let Phase::Initiating(own) = &mut self.phase else {
            return;
        };
        let payloads = &message.payloads;
        let ignored = message.header.message_id != 0
            || path.remote != self.path.remote
            || message.encrypted().is_some();
        if ignored {
            cx.counters.init_ignored += 1;
            return;
        }
        if let Some(parts) = parts(payloads) {
            self.init_take(cx, message, &parts);
            return;
        }
        if let Some(cookie) = cookie_of(payloads) {
            // The same cookie again answers a request that was sent again.
            if own.cookie == cookie {
                cx.counters.init_ignored += 1;
                return;
            }
            own.cookie = cookie.to_vec();
            if self.init_retry(cx) {
                self.init_send(cx);
            }
            return;
        }
        let error = payloads.error();
        if let Some(NotifyContent::InvalidKePayload(told)) = error.and_then(|e| e.content()) {
            // RFC 7296 §1.2: only a group that was offered, and the whole offer goes again.
            let Some(group) = retry_group(&own.proposals, told, &own.tried) else {
                cx.counters.init_ignored += 1;
                return;
            };
            let Ok(Ok(exchange)) = cx.provider.exchange(group, &mut *cx.random) else {
                return;
            };
            own.exchange = exchange;
            own.tried.push(group);
            if self.init_retry(cx) {
                self.init_send(cx);
            }
            return;
        }
        if let Some(redirect) = payloads.notify(NotifyType::REDIRECT) {
            // RFC 5685 §3: without our nonce it is not the peer's.
            if let Some(NotifyContent::Redirect { gateway, nonce }) = redirect.content()
                && nonce == own.nonce
                && cx.config.follow_redirects
            {
                match gateway_address(&gateway) {
                    Some(to) => self.redirect(cx, to),
                    None => cx.counters.init_ignored += 1,
                }
            } else {
                cx.counters.init_ignored += 1;
            }
            return;
        }
        cx.counters.init_ignored += 1;
        if let Some(error) = error {
            own.told = Some(error.kind);
        }
    }

    fn redirect(&mut self, cx: &mut Context, to: IpAddr) {
        let spi = self.local_spi();
        cx.effects.push_back(Effect::Redirect(spi, to, None));
    }

    /// An answer with everything in it.
    fn init_take(&mut self, cx: &mut Context, message: &Message<'_>, answer: &Parts<'_>) {
        let payloads = &message.payloads;
        let path = self.path;
        let Phase::Initiating(own) = &mut self.phase else {
            return;
        };
        let responder = message.header.spi_r;
        let suite = check_answer(&own.proposals, &answer.sa)
            .ok()
            .and_then(|proposal| IkeSuite::of(&proposal))
            .filter(|suite| suite.group == own.exchange.group())
            .filter(|suite| group_id(suite.group) == Some(answer.ke.group));
        let intermediate = payloads
            .notify(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED)
            .is_some();
        let Some(suite) = suite
            .filter(|suite| intermediate || suite.additional.is_empty())
            .filter(|_| !responder.is_zero())
        else {
            cx.counters.init_ignored += 1;
            return;
        };
        let peer_ppk = payloads.notify(NotifyType::USE_PPK).is_some();
        let own_ppk = ppk_for(cx, path.remote.ip());
        // RFC 8784 §3: without the peer there is no PPK, and if it is mandatory no SA.
        if own_ppk.is_some_and(|ppk| ppk.mandatory) && !peer_ppk {
            cx.counters.init_ignored += 1;
            own.told = Some(NotifyType::NO_PROPOSAL_CHOSEN);
            return;
        }
        let ppk = own_ppk.is_some() && peer_ppk;
        // A public value that is none ends the exchange that was begun; another one is begun.
        let group = own.exchange.group();
        let Ok(Ok(next)) = cx.provider.exchange(group, &mut *cx.random) else {
            return;
        };
        let exchange = core::mem::replace(&mut own.exchange, next);
        let Ok(shared) = exchange.finish(answer.ke.data) else {
            cx.counters.init_ignored += 1;
            if self.init_retry(cx) {
                self.init_send(cx);
            }
            return;
        };
        let spis = Spis {
            initiator: self.spis.initiator,
            responder,
        };
        let nonces = Nonces {
            initiator: &own.nonce,
            responder: answer.nonce,
        };
        let Ok(keys) = IkeKeys::initial(&cx.provider, &suite, nonces, spis, &shared) else {
            return;
        };
        let suite = Arc::new(suite);
        let Some(made) = crypt(cx, keys, Arc::clone(&suite), Side::Initiator) else {
            return;
        };
        let nat_allowed = own.rule.get().is_some_and(|rule| rule.action.allow_nat);
        let nat = nat_of(cx, payloads, spis, path).filter(|_| nat_allowed);
        let handshake = Handshake {
            rule: own.rule.clone(),
            init_sent: core::mem::take(&mut own.message),
            init_received: message.octets().to_vec(),
            ni: core::mem::take(&mut own.nonce),
            nr: answer.nonce.to_vec(),
            intermediate: IntAuth::new(),
            additional: suite.additional.iter().copied().collect(),
            exchange: None,
            sent: None,
            hashes: hashes_of(payloads),
            requests: requests_of(payloads),
            fetches: fetches(payloads),
            ppk,
            ppk_keys: None,
            wishes: core::mem::take(&mut own.wishes),
            replaces: own.replaces,
            redirected: own.redirected,
            deadline: cx.after(cx.config.limits.half_open_time * 10),
            child: None,
            proof: Own::None,
            work: None,
        };
        self.spis = spis;
        self.heard = cx.mono();
        self.agreed = Agreed {
            fragments: cx.config.fragments.is_some()
                && payloads
                    .notify(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED)
                    .is_some(),
            childless: payloads
                .notify(NotifyType::CHILDLESS_IKEV2_SUPPORTED)
                .is_some(),
            redirect: false,
            nat_known: nat.is_some(),
            nat_local: nat.is_some_and(|nat| nat.0),
            nat_remote: nat.is_some_and(|nat| nat.1),
            mobike: false,
        };
        // RFC 7296 §2.23, RFC 4555 §3.3: IKE_AUTH goes on the other port, with MOBIKE even without a NAT.
        let float = self.agreed.nat() || (self.agreed.nat_known && cx.config.mobike);
        if float && self.path.local.port() == cx.config.port {
            self.path.local.set_port(cx.config.nat_port);
            self.path.remote.set_port(cx.config.nat_port);
        }
        self.crypt = Some(made);
        self.phase = Phase::Handshake(Box::new(handshake));
        self.handshake_go_on(cx);
    }
}

/// Where a gateway is. Names are not looked up.
pub(super) fn gateway_address(gateway: &Gateway<'_>) -> Option<IpAddr> {
    match *gateway {
        Gateway::V4(address) => Some(address.into()),
        Gateway::V6(address) => Some(address.into()),
        Gateway::Fqdn(_) => None,
    }
}

pub(super) const fn gateway<'a>(address: IpAddr) -> Gateway<'a> {
    match address {
        IpAddr::V4(address) => Gateway::V4(address),
        IpAddr::V6(address) => Gateway::V6(address),
    }
}

/// An answer that leaves nothing here.
fn answer_plain(cx: &mut Context, path: Path, request: &Header, payloads: &PayloadWriter) {
    let header = Header {
        spi_r: IkeSpi::ZERO,
        flags: Flags {
            response: true,
            ..Flags::default()
        },
        ..*request
    };
    if let Ok(message) = plain(&header, payloads) {
        cx.send(path, &message);
    }
}

fn refuse_plain(cx: &mut Context, path: Path, request: &Header, kind: NotifyType, data: &[u8]) {
    let mut writer = PayloadWriter::new(1024);
    if writer.notify(kind, data).is_ok() {
        answer_plain(cx, path, request, &writer);
    }
}

/// A request that wants to begin an IKE SA; what comes of it, if anything.
pub(super) fn request(
    cx: &mut Context,
    path: Path,
    message: &Message<'_>,
    room: bool,
) -> Option<Box<IkeSa>> {
    let payloads = &message.payloads;
    let header = message.header;
    let nonce = nonce_of(payloads)?;
    let applicant = Applicant {
        address: path.remote.ip(),
        spi: header.spi_i,
        nonce,
        cookie: cookie_of(payloads),
    };
    let now = cx.mono();
    let admission = cx.gate.admit(
        &applicant,
        &cx.config.limits,
        &cx.provider,
        &mut *cx.random,
        now,
        &mut cx.counters,
    );
    match admission {
        Admission::Enter => {}
        Admission::Cookie(cookie) => {
            refuse_plain(cx, path, &header, NotifyType::COOKIE, &cookie);
            return None;
        }
        Admission::Drop => return None,
    }
    if !room {
        cx.counters.sas_refused += 1;
        return None;
    }
    let Some(wanted) = parts(payloads) else {
        cx.counters.malformed += 1;
        refuse_plain(cx, path, &header, NotifyType::INVALID_SYNTAX, &[]);
        return None;
    };
    // RFC 5685 §3: only who says that it follows is sent elsewhere; who was sent here follows too.
    let follows = [NotifyType::REDIRECT_SUPPORTED, NotifyType::REDIRECTED_FROM]
        .into_iter()
        .any(|kind| payloads.notify(kind).is_some());
    if let Some(to) = cx.config.redirect_to
        && follows
        && to != path.local.ip()
        && !cx.config.redirect_authenticated
    {
        let mut writer = PayloadWriter::new(1024);
        if writer
            .redirect(NotifyType::REDIRECT, gateway(to), nonce)
            .is_ok()
        {
            answer_plain(cx, path, &header, &writer);
        }
        return None;
    }
    let (local, remote) = (path.local.ip(), path.remote.ip());
    let policy = Arc::clone(&cx.policy);
    let Some(rule) = policy
        .tentative(local, remote)
        .and_then(|rule| RuleRef::new(&policy, rule))
    else {
        refuse_plain(cx, path, &header, NotifyType::NO_PROPOSAL_CHOSEN, &[]);
        cx.event(Event::Refused(path, Failure::NoRule));
        return None;
    };
    let offers: Vec<_> = policy
        .tentatives(local, remote)
        .flat_map(|rule| convert::ike_offers(&rule.action))
        .collect();
    let selecting = Selecting {
        provider: &cx.provider,
        preference: cx.config.preference,
        sent_group: Some(wanted.ke.group),
    };
    let intermediate = payloads
        .notify(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED)
        .is_some();
    let chosen = match select_ike(&offers, &wanted.sa, false, selecting) {
        Ok(chosen) if intermediate || chosen.suite.additional.is_empty() => chosen,
        Ok(_) => {
            refuse_plain(cx, path, &header, NotifyType::NO_PROPOSAL_CHOSEN, &[]);
            return None;
        }
        Err(error) => {
            refuse_plain(cx, path, &header, error.notify(), &[]);
            let text = alloc::format!("{error}");
            cx.event(Event::Refused(path, Failure::Refused(error.notify(), text)));
            return None;
        }
    };
    let group = match ke_decision(Some(chosen.suite.group), Some(wanted.ke.group)) {
        KeDecision::Use(group) => group,
        KeDecision::Retry(id) => {
            let kind = NotifyType::INVALID_KE_PAYLOAD;
            refuse_plain(cx, path, &header, kind, &id.to_be_bytes());
            return None;
        }
        KeDecision::Ignore => return None,
    };
    let own_ppk = ppk_for(cx, remote);
    let ppk = own_ppk.is_some() && payloads.notify(NotifyType::USE_PPK).is_some();
    if own_ppk.is_some_and(|own| own.mandatory) && !ppk {
        refuse_plain(cx, path, &header, NotifyType::NO_PROPOSAL_CHOSEN, &[]);
        return None;
    }
    cx.counters.exchanges_answered += 1;
    let Ok(Ok(answer)) = cx.provider.answer(group, wanted.ke.data, &mut *cx.random) else {
        refuse_plain(cx, path, &header, NotifyType::INVALID_SYNTAX, &[]);
        return None;
    };
    let spis = Spis {
        initiator: header.spi_i,
        responder: cx.ike_spi().ok()?,
    };
    let nr = cx.nonce().ok()?;
    let nonces = Nonces {
        initiator: nonce,
        responder: &nr,
    };
    let keys = IkeKeys::initial(&cx.provider, &chosen.suite, nonces, spis, &answer.secret).ok()?;
    let suite = Arc::new(chosen.suite);
    let made = crypt(cx, keys, Arc::clone(&suite), Side::Responder)?;
    let action = &rule.get()?.action;
    let nat_allowed = action.allow_nat;
    // RFC 7296 §2.23: the initiator's hashes are over a responder's SPI of zero.
    let asked = Spis {
        responder: IkeSpi::ZERO,
        ..spis
    };
    let nat = nat_of(cx, payloads, asked, path).filter(|_| nat_allowed);
    let mut sa = Box::new(IkeSa {
        id: cx.sa_id(),
        role: Side::Responder,
        spis,
        path,
        agreed: Agreed {
            fragments: cx.config.fragments.is_some()
                && payloads
                    .notify(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED)
                    .is_some(),
            childless: cx.config.childless,
            redirect: follows,
            nat_known: nat.is_some(),
            nat_local: nat.is_some_and(|nat| nat.0),
            nat_remote: nat.is_some_and(|nat| nat.1),
            mobike: false,
        },
        phase: Phase::Closed(now),
        crypt: Some(made),
        sending: Sending::new(0),
        receiving: Receiving::new(1),
        queue: VecDeque::new(),
        children: Vec::new(),
        early: Vec::new(),
        waits: false,
        heard: now,
        spoke: now,
        scheduled: None,
        entered: Entered::default(),
        half_open: Some(remote),
    });
    let by_certificate = policy
        .tentatives(local, remote)
        .any(|rule| rule.peer_proof() == PeerProof::Certificate);
    let write = |cx: &Context, sa: &IkeSa| -> Result<Vec<u8>, TooLong> {
        let mut writer = PayloadWriter::new(cx.config.limits.sent);
        writer.sa(core::slice::from_ref(&chosen.proposal))?;
        writer.key_exchange(wanted.ke.group, &answer.public)?;
        writer.nonce(&nr)?;
        announce(cx, &mut writer, spis, path, nat_allowed, intermediate, ppk)?;
        if cx.config.childless {
            writer.notify(NotifyType::CHILDLESS_IKEV2_SUPPORTED, &[])?;
        }
        if by_certificate && let Some(rule) = rule.get() {
            request_certificates(cx, &mut writer, rule)?;
        }
        plain(&sa.header(ExchangeType::IKE_SA_INIT, 0, true), &writer)
    };
    let reply = write(cx, &sa).ok()?;
    cx.send(path, &reply);
    cx.gate.enter(remote);
    sa.phase = Phase::Handshake(Box::new(Handshake {
        rule,
        init_sent: reply,
        init_received: message.octets().to_vec(),
        ni: nonce.to_vec(),
        nr,
        intermediate: IntAuth::new(),
        additional: suite.additional.iter().copied().collect(),
        exchange: None,
        sent: None,
        hashes: hashes_of(payloads),
        requests: Vec::new(),
        fetches: false,
        ppk,
        ppk_keys: None,
        wishes: Vec::new(),
        replaces: None,
        redirected: None,
        deadline: cx.after(cx.config.limits.half_open_time),
        child: None,
        proof: Own::None,
        work: None,
    }));
    Some(sa)
}
