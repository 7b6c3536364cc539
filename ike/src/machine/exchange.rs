//! Messages of an IKE SA: how they are protected, sent again and answered again, and to whom they go.

use alloc::vec::Vec;

use super::context::Context;
use super::event::{Event, Failure, Path};
use super::sa::{IkeSa, KEPT, LINGER, Phase, Request};
use super::window::{Outstanding, Place};
use crate::keys::Side;
use crate::message::{
    ExchangeType, Header, Message, NotifyType, ParseError, PayloadWriter, Payloads,
};
use crate::protect::{FragmentError, OpenError, Opened, Opener, Progress, Reassembly, room};

impl IkeSa {
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
        self.sending.outstanding.reserve_exact(1);
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
            self.receiving.store(id, datagrams, cx.after(KEPT));
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
}
