//! Advisory observation: what the libraries and the stack tell of a connection.

use hostward_hook::action::Cx;
use hostward_hook::flow::FlowInfo;
use hostward_hook::ident::SaId;
use hostward_hook::protection::{Fact, IpsecTunnel, Protocol as Told};

use crate::advice;
use crate::conn::{Lookouts, Stage};
use crate::entry::State;
use crate::intern::Handle;
use crate::record::{FilterFacts, IpsecFacts, Protocol};
use crate::seen::Seen;
use crate::significant;
use crate::zert::{Slot, Zert};

impl Zert {
    /// Takes a fact that a provider or the stack tells of a connection. Sides in it are sides of
    /// the connection. `flow` and `slot` are those of its flow entry, as for the stream.
    ///
    /// What is told of a session stands above what was read of it. Telling again what is known,
    /// or more of it, is no change of protection; other significant attributes are.
    pub fn advise(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot, fact: &Fact<'_>) {
        let Some(place) = self.current(cx, flow, slot) else {
            return;
        };
        let tcp = flow.key.protocol() == 6;
        match fact {
            // Datagrams have records of their own.
            Fact::TlsSession(told) if tcp && told.protocol.is_none_or(|p| p == Told::Tls) => {
                advice::tls(told, &mut self.told);
                let told = Seen::of(&self.told, told.client, &mut self.stock);
                self.session(cx, place, told);
            }
            Fact::SshSession(told) if tcp => {
                advice::ssh(told, &mut self.told);
                let told = Seen::of(&self.told, told.client, &mut self.stock);
                self.session(cx, place, told);
            }
            Fact::HandshakeFailed(told) if tcp => {
                if let Some(protocol) = advice::stream_protocol(told.protocol) {
                    self.failure(cx, place, protocol);
                }
            }
            Fact::SessionEnded(Told::Ipsec) => self.rebind(cx, place, None),
            Fact::SessionEnded(told) if tcp => {
                if let Some(protocol) = advice::stream_protocol(*told) {
                    self.ended(cx, place, protocol);
                }
            }
            Fact::HandshakeHint(told) if tcp && advice::stream_protocol(*told).is_some() => {
                self.hint(place);
            }
            Fact::IpsecTunnel(told) => {
                let facts = self.tunnel(&IpsecFacts::of(told));
                self.rebind(cx, place, Some(facts));
            }
            Fact::FilterRules(told) => {
                let facts = FilterFacts::of(told);
                let key = significant::filter_key(&facts);
                let facts = self
                    .stock
                    .filter
                    .get(key, |f| *f == facts, || facts.clone());
                if let Some(entry) = self.entries.get_mut(place as usize)
                    && let Some(old) = entry.extra().filter.replace(facts)
                {
                    self.stock.filter.release(old);
                }
            }
            Fact::TlsSession(_)
            | Fact::SshSession(_)
            | Fact::HandshakeFailed(_)
            | Fact::SessionEnded(_)
            | Fact::HandshakeHint(_)
            | _ => {}
        }
    }

    /// The parameters of a security association that was installed or changed; `None` when it is
    /// gone. Connections that it carries take them over.
    pub fn advise_association(
        &mut self,
        cx: &mut Cx<'_>,
        sa: SaId,
        parameters: Option<&IpsecTunnel<'_>>,
    ) {
        let Some(parameters) = parameters else {
            if let Some(old) = self.associations.remove(&sa) {
                self.stock.ipsec.release(old);
            }
            return;
        };
        let known = self.associations.contains_key(&sa);
        if !known && self.associations.len() >= self.config.associations {
            return;
        }
        let facts = self.tunnel(&IpsecFacts::of(parameters));
        if let Some(old) = self.associations.insert(sa, facts) {
            self.stock.ipsec.release(old);
        }
        // Packets may have come through it before its parameters were told.
        for place in 0..self.entries.len() as u32 {
            let bound = self.entries.get(place as usize);
            if bound.is_some_and(|e| e.flow.is_some_and(|f| f.sa == Some(sa))) {
                self.bind(cx, place, Some(sa));
            }
        }
    }

    fn tunnel(&mut self, facts: &IpsecFacts) -> Handle<IpsecFacts> {
        let key = significant::ipsec_key(facts);
        self.stock.ipsec.get(key, |f| f == facts, || facts.clone())
    }

    /// The association that carries a connection's received packets is another one.
    pub(crate) fn bind(&mut self, cx: &mut Cx<'_>, place: u32, sa: Option<SaId>) {
        let Some(sa) = sa else {
            self.rebind(cx, place, None);
            return;
        };
        if let Some(facts) = self.associations.get(&sa) {
            let facts = Handle::clone(facts);
            self.rebind(cx, place, Some(facts));
            return;
        }
        // Nothing was told of it yet. Until then the tunnel that is there is believed to go on
        // under new keys.
        let there = self
            .entries
            .get(place as usize)
            .is_some_and(|e| e.ipsec().is_some());
        if !there {
            let facts = self.tunnel(&IpsecFacts {
                inbound: Some(sa),
                ..IpsecFacts::default()
            });
            self.rebind(cx, place, Some(facts));
        }
    }

    /// A connection goes through another tunnel, or through none any more.
    fn rebind(&mut self, cx: &mut Cx<'_>, place: u32, new: Option<Handle<IpsecFacts>>) {
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        let there = entry.ipsec();
        let steps = match (there, &new) {
            (None, None) => return,
            (Some(old), Some(new)) if significant::ipsec(old, new) => [None, None],
            // What is bound while the connection is set up belongs to how it began.
            (None, Some(_))
                if !entry.discovery.is_reported() && !entry.discovery.is_protected() =>
            {
                [None, None]
            }
            _ => entry.discovery.changed(),
        };
        self.transition(cx, place, steps, |me| {
            let Some(entry) = me.entries.get_mut(place as usize) else {
                return;
            };
            // The one that is there may know more.
            let fills = match (entry.ipsec(), &new) {
                (Some(_), Some(new)) => !significant::is_blank(new),
                _ => true,
            };
            let old = if fills {
                core::mem::replace(&mut entry.extra().ipsec, new)
            } else {
                new
            };
            if let Some(old) = old {
                me.stock.ipsec.release(old);
            }
        });
    }

    /// A session of TLS or SSH is in effect, as told.
    fn session(&mut self, cx: &mut Cx<'_>, place: u32, told: Seen) {
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        let steps = if let Some(old) = entry.advised_session() {
            if old.is_like(&self.told) {
                entry.discovery.session_continues();
                [None, None]
            } else {
                entry.discovery.changed()
            }
        } else if entry.protocol_seen() == Some(told.protocol()) {
            // The handshake that was read, told again.
            entry.discovery.session_continues();
            [None, None]
        } else {
            entry.discovery.handshake_completed()
        };
        self.transition(cx, place, steps, |me| {
            if let Some(entry) = me.entries.get_mut(place as usize) {
                entry.stage = Stage::Complete;
                if let Some(old) = entry.extra().advised.replace(told) {
                    old.release(&mut me.stock);
                }
            }
        });
    }

    fn failure(&mut self, cx: &mut Cx<'_>, place: u32, protocol: Protocol) {
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        // A session that is in effect outlives another handshake that fails.
        if entry.discovery.is_protected() {
            return;
        }
        let steps = entry.discovery.handshake_failed();
        entry.stage = Stage::Failed;
        advice::failure(protocol, &mut self.told);
        let told = Seen::of(&self.told, None, &mut self.stock);
        if let Some(old) = entry.extra().advised.replace(told) {
            old.release(&mut self.stock);
        }
        self.steps(cx, place, steps);
    }

    fn ended(&mut self, cx: &Cx<'_>, place: u32, protocol: Protocol) {
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        let advised = entry.advised_session().map(Seen::protocol);
        if advised.or(entry.protocol_seen()) == Some(protocol) {
            entry.discovery.session_ended(cx.now.mono);
            self.note_ending(place);
        }
    }

    /// Nothing but IPsec protects a connection any more.
    pub(crate) fn unprotect(&mut self, place: u32) {
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        entry.stage = Stage::Clear;
        if let Some(old) = entry.extra.as_mut().and_then(|e| e.advised.take()) {
            old.release(&mut self.stock);
        }
        match &mut entry.state {
            State::Watching(_) => {}
            State::Settled(seen) | State::Trailing(seen, _) => {
                let clear = Seen::clear(seen.clear_text, false);
                core::mem::replace(seen, clear).release(&mut self.stock);
            }
            State::Tracking(track) => {
                if let Some(previous) = track.previous.take() {
                    // A new handshake is looked for already.
                    previous.release(&mut self.stock);
                } else {
                    let clear = track.record.clear_text;
                    let settled = State::Settled(Seen::clear(clear, false));
                    if let State::Tracking(track) = core::mem::replace(&mut entry.state, settled) {
                        self.give_track(track);
                    }
                }
            }
        }
    }

    /// A handshake may begin with the next byte of either side.
    fn hint(&mut self, place: u32) {
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        match &mut entry.state {
            State::Watching(look) => look.hint(),
            State::Tracking(track) => {
                // Told again while the handshake goes on it changes nothing.
                if track.record.protocol == Protocol::None {
                    track.hint();
                }
            }
            State::Settled(seen) | State::Trailing(seen, _) => {
                let look = Lookouts::after(seen.clear_text);
                if seen.protocol() == Protocol::None {
                    entry.state = State::Watching(look);
                    entry.stage = Stage::Clear;
                    return;
                }
                let seen = seen.clone();
                let mut track = self.take_track();
                track.begin(look);
                track.previous = Some(seen);
                if let Some(entry) = self.entries.get_mut(place as usize) {
                    let old = core::mem::replace(&mut entry.state, State::Tracking(track));
                    if let State::Settled(seen) | State::Trailing(seen, _) = old {
                        seen.release(&mut self.stock);
                    }
                    entry.stage = Stage::Clear;
                }
            }
        }
    }
}
