//! INFORMATIONAL: deletion, liveness, addresses that change (RFC 7296 §1.4, §2.25; RFC 4555; RFC 4478; RFC 5685).

use alloc::vec::Vec;
use core::net::IpAddr;

use super::announce::{detection, nat_of};
use super::context::{Context, Effect};
use super::convert::child_protocol;
use super::establish::auth_lifetime;
use super::event::{ChildId, Event, Failure, Path};
use super::init::{gateway, gateway_address};
use super::sa::{Child, ChildState, IkeSa, IkeState, Request, Task};
use crate::keys::Side;
use crate::message::{
    Delete, ExchangeType, NotifyContent, NotifyType, Payload, PayloadWriter, Payloads, ProtocolId,
    TooLong,
};
use crate::proposal::Protocol;
use crate::protect::Opened;
use hostward_crypto::secret::equal;

impl IkeSa {
    /// Deletes a child, as this side wants it.
    pub(super) fn delete_child(&mut self, cx: &mut Context, id: ChildId) {
        let Some(child) = self.child(id) else {
            return;
        };
        child.state = ChildState::Deleting;
        let (protocol, spi) = child.spi();
        let mut writer = PayloadWriter::new(64);
        if writer.delete_children(protocol.id(), &[spi]).is_ok() {
            let request = Request::Delete(alloc::vec![id]);
            self.request(cx, ExchangeType::INFORMATIONAL, &writer, request);
        }
    }

    /// Deletes a child that only the peer has.
    pub(super) fn delete_spi(&mut self, cx: &mut Context, protocol: Protocol, spi: u32) {
        let mut writer = PayloadWriter::new(64);
        if writer.delete_children(protocol.id(), &[spi]).is_ok() {
            let request = Request::Delete(Vec::new());
            self.request(cx, ExchangeType::INFORMATIONAL, &writer, request);
        }
    }

    pub(super) fn delete_response(&mut self, cx: &mut Context, ids: &[ChildId]) {
        for id in ids {
            let replaced = self.children.iter().any(|child| child.id != *id);
            let why = if replaced {
                Failure::Replaced
            } else {
                Failure::Local
            };
            self.remove_child(cx, *id, why);
        }
    }

    /// Deletes the IKE SA.
    pub(super) fn delete_ike(&mut self, cx: &mut Context, why: Failure) {
        if let Some(own) = self.established_mut() {
            own.state = IkeState::Deleting;
        }
        let mut writer = PayloadWriter::new(64);
        if writer.delete_ike().is_ok() {
            let request = Request::DeleteIke(why);
            self.request(cx, ExchangeType::INFORMATIONAL, &writer, request);
        }
    }

    /// RFC 5685 §5: as gateway, tells the client where to go. The client answers, and deletes this SA when it is
    /// there.
    pub(super) fn send_elsewhere(&mut self, cx: &mut Context, to: IpAddr) {
        let mut writer = PayloadWriter::new(64);
        if writer
            .redirect(NotifyType::REDIRECT, gateway(to), &[])
            .is_ok()
        {
            self.request(cx, ExchangeType::INFORMATIONAL, &writer, Request::Liveness);
        }
    }

    pub(super) fn inform_request(&mut self, cx: &mut Context, path: Path, opened: &Opened) {
        let limits = cx.config.limits.message;
        let Ok(payloads) = opened.payloads(&limits) else {
            return;
        };
        let header = opened.header;
        let (exchange, id) = (header.exchange, header.message_id);
        let mut writer = PayloadWriter::new(cx.config.limits.sent);
        let ends = |payload: Payload<'_>| {
            if let Payload::Delete(delete) = payload {
                delete.protocol == ProtocolId::IKE
            } else {
                false
            }
        };
        if payloads.iter().any(ends) {
            // RFC 7296 §2.25.2: an own attempt to renew or delete it is forgotten; an SA that took its place stays.
            let why = match self.established_mut() {
                Some(own) => {
                    let rival = own.rival.take();
                    let replaced = rival.is_some() || matches!(own.state, IkeState::Replaced(_));
                    if let Some((rival, _)) = rival {
                        self.hand_over(cx, rival);
                    }
                    if replaced {
                        Failure::Replaced
                    } else {
                        Failure::Peer
                    }
                }
                None => Failure::Peer,
            };
            self.respond(cx, path, exchange, id, &writer);
            self.close(cx, why);
            return;
        }
        // RFC 7296 §2.21.2: the initiator does not take our proof.
        if payloads.notify(NotifyType::AUTHENTICATION_FAILED).is_some() {
            self.respond(cx, path, exchange, id, &writer);
            self.close(cx, Failure::Told(NotifyType::AUTHENTICATION_FAILED));
            return;
        }
        let mut result = Ok(());
        for payload in &payloads {
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "whatever else an INFORMATIONAL has is not for this side"
            )]
            let one = match payload {
                Payload::Delete(delete) => self.deleted(cx, &delete, &mut writer),
                Payload::Notify(notify) => self.informed(cx, path, notify.content(), &mut writer),
                _ => Ok(()),
            };
            result = result.and(one);
        }
        if payloads.notify(NotifyType::UPDATE_SA_ADDRESSES).is_some() {
            result = result.and(self.updated(cx, path, &payloads, &mut writer));
        }
        if result.is_ok() {
            self.respond(cx, path, exchange, id, &writer);
        }
        self.pump(cx);
    }

    /// The peer deletes children, by the SPIs it receives with; it is answered with those of this side.
    fn deleted(
        &mut self,
        cx: &mut Context,
        delete: &Delete<'_>,
        writer: &mut PayloadWriter,
    ) -> Result<(), TooLong> {
        let Some(protocol) = child_protocol(delete.protocol) else {
            return Ok(());
        };
        let mut answer = Vec::new();
        for spi in delete.spis() {
            // RFC 7296 §2.25.1: for what is not there, or being deleted here, there is no answer.
            let Some(child) = self.child_out(protocol, spi) else {
                // The peer's answer that made it, or made this SA its owner, may still be under way.
                if (self.is_creating() || self.waits)
                    && self.early.len() < cx.config.limits.children
                {
                    self.early.push((protocol, spi));
                }
                continue;
            };
            let (id, state, spi_in) = (child.id, child.state, child.spi_in);
            let mut why = Failure::Peer;
            let successor = match state {
                ChildState::Replaced(successor) => Some(successor),
                ChildState::Rekeying => self.rival_of(id),
                ChildState::Live | ChildState::Deleting => None,
            };
            if let Some(successor) = successor
                && self.child(successor).is_some()
            {
                why = Failure::Replaced;
                cx.event(Event::ChildSwitch(successor));
            }
            if state == ChildState::Deleting {
                continue;
            }
            answer.push(spi_in);
            self.remove_child(cx, id, why);
        }
        if answer.is_empty() {
            return Ok(());
        }
        writer.delete_children(delete.protocol, &answer).map(|_| ())
    }

    fn informed(
        &mut self,
        cx: &mut Context,
        path: Path,
        content: Option<NotifyContent<'_>>,
        writer: &mut PayloadWriter,
    ) -> Result<(), TooLong> {
        let (role, local) = (self.role, self.local_spi());
        // RFC 7296 §3.10.1: unknown ones and those without a meaning here are ignored.
        match content {
            // RFC 4555 §3.7: sent back unchanged.
            Some(NotifyContent::Cookie2(cookie)) => {
                writer.notify(NotifyType::COOKIE2, cookie)?;
            }
            Some(NotifyContent::AuthLifetime(seconds)) if role == Side::Initiator => {
                let time = auth_lifetime(cx, seconds);
                if let Some(own) = self.established_mut() {
                    own.reauthenticate = Some(own.reauthenticate.map_or(time, |t| t.min(time)));
                }
            }
            // RFC 5685 §5: a gateway may send its client elsewhere at any time.
            Some(NotifyContent::Redirect { gateway, .. })
                if role == Side::Initiator && cx.config.follow_redirects =>
            {
                if let Some(to) = gateway_address(&gateway) {
                    cx.effects.push_back(Effect::Redirect(local, to, None));
                }
            }
            Some(NotifyContent::NoNatsAllowed(data))
                if self.agreed.mobike && !same_ends(data, path) =>
            {
                writer.notify(NotifyType::UNEXPECTED_NAT_DETECTED, &[])?;
            }
            _ => {}
        }
        Ok(())
    }

    /// RFC 4555 §3.5: the original initiator is somewhere else. A request that came again is answered from the
    /// store and never comes here, so that old addresses are not taken again.
    fn updated(
        &mut self,
        cx: &mut Context,
        path: Path,
        payloads: &Payloads<'_>,
        writer: &mut PayloadWriter,
    ) -> Result<(), TooLong> {
        if !self.agreed.mobike || self.role == Side::Initiator {
            return Ok(());
        }
        if payloads.notify(NotifyType::NO_NATS_ALLOWED).is_some()
            && self.is_unexpected(payloads, path)
        {
            return Ok(());
        }
        if let Some(nat) = nat_of(cx, payloads, self.spis, path) {
            (self.agreed.nat_local, self.agreed.nat_remote) = nat;
        }
        self.moved(cx, path);
        if let Some((source, destination)) = detection(cx, self.spis, path) {
            writer.notify(NotifyType::NAT_DETECTION_SOURCE_IP, &source)?;
            writer.notify(NotifyType::NAT_DETECTION_DESTINATION_IP, &destination)?;
        }
        Ok(())
    }

    fn is_unexpected(&self, payloads: &Payloads<'_>, path: Path) -> bool {
        payloads.notifies().any(|notify| match notify.content() {
            Some(NotifyContent::NoNatsAllowed(data)) => !same_ends(data, path),
            _ => false,
        })
    }

    /// Messages and children go another way from now on.
    pub(super) fn moved(&mut self, cx: &mut Context, path: Path) {
        self.path = path;
        let children = self.children.iter().map(|child: &Child| child.id).collect();
        cx.event(Event::PeerMoved(self.id, path, children));
    }

    /// As original initiator: tells the peer where this host is now.
    pub(super) fn update(&mut self, cx: &mut Context) {
        let path = self.path;
        let Ok(cookie) = cx.random_octets(16) else {
            return;
        };
        let write = |cx: &Context, spis| -> Result<PayloadWriter, TooLong> {
            let mut writer = PayloadWriter::new(1024);
            writer.notify(NotifyType::UPDATE_SA_ADDRESSES, &[])?;
            if let Some((source, destination)) = detection(cx, spis, path) {
                writer.notify(NotifyType::NAT_DETECTION_SOURCE_IP, &source)?;
                writer.notify(NotifyType::NAT_DETECTION_DESTINATION_IP, &destination)?;
            }
            writer.notify(NotifyType::COOKIE2, &cookie)?;
            Ok(writer)
        };
        let Ok(writer) = write(cx, self.spis) else {
            return;
        };
        let request = Request::Update(cookie, path);
        self.request(cx, ExchangeType::INFORMATIONAL, &writer, request);
    }

    pub(super) fn update_response(
        &mut self,
        cx: &mut Context,
        path: Path,
        asked: Path,
        cookie: &[u8],
        payloads: &Payloads<'_>,
    ) {
        let same = payloads
            .notify(NotifyType::COOKIE2)
            .is_some_and(|back| equal(back.data, cookie));
        // RFC 4555 §3.7: another cookie ends the SA.
        if !same {
            self.close(cx, Failure::Answer("COOKIE2 is not what was sent".into()));
            return;
        }
        if let Some(error) = payloads.error() {
            self.enqueue(cx, Task::DeleteIke(Failure::Told(error.kind)));
            return;
        }
        // RFC 4555 §3.5: while it was under way the addresses changed again; that is told by another request.
        if asked != self.path {
            return;
        }
        if let Some(nat) = nat_of(cx, payloads, self.spis, path) {
            (self.agreed.nat_local, self.agreed.nat_remote) = nat;
        }
        let path = self.path;
        self.moved(cx, path);
    }
}

/// Whether NO_NATS_ALLOWED has the addresses and ports that are seen (RFC 4555 §3.9): source and destination as
/// the sender knows them.
fn same_ends(data: &[u8], path: Path) -> bool {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let mut seen = octets(path.remote.ip());
    seen.extend(octets(path.local.ip()));
    seen.extend(path.remote.port().to_be_bytes());
    seen.extend(path.local.port().to_be_bytes());
    seen == data
}
