//! The IKE machine: all IKE SAs of a host, without sockets, clock or randomness of its own.
//!
//! Datagrams and the time go in ([`Ike::receive`], [`Ike::handle_deadline`]), and what the host wants
//! ([`Ike::acquire`], [`Ike::activate`], [`Ike::rekey_child`], …). Out of it come datagrams ([`Ike::transmit`]),
//! [`Event`]s with child SAs to be installed, and [`Question`]s, which the host answers when it can; nothing waits
//! for them. After each call a host takes events first, then datagrams: what is received with is installed
//! before the answer goes out (RFC 7296 §2.8).
//!
//! | | |
//! |---|---|
//! | exchanges | IKE_SA_INIT, IKE_INTERMEDIATE, IKE_AUTH, CREATE_CHILD_SA, IKE_FOLLOWUP_KE, INFORMATIONAL |
//! | RFCs | 7296, 5282, 7383, 7427, 8420, 9242, 9370, 8784, 6023, 4555, 4478, 5685 |
//! | not done | EAP: a peer without AUTH in its first IKE_AUTH is refused. IKEv1 is dropped (RFC 9395 §3) |
//!
//! Inside an SA is an enum of phases; that of an authenticated peer holds an
//! [`Authenticated`](crate::auth::Authenticated), which only a proof that was checked gives.

mod address;
mod announce;
mod auth;
mod child;
mod command;
mod config;
mod context;
mod convert;
mod create;
mod display;
mod establish;
mod event;
mod exchange;
mod flood;
mod followup;
mod handshake;
mod index;
mod inform;
mod init;
mod intermediate;
mod proof;
mod queue;
mod rekey;
mod sa;
mod start;
mod timer;
mod window;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use hostward_crypto::{Provider, Random};
use hostward_hook::time::{Instant, Now};

use crate::message::{
    Encapsulated, ExchangeType, Flags, Header, IkeSpi, Message, NotifyType, PayloadWriter, Version,
    plain,
};
use crate::policy::Policy;
use context::{Context, Effect};
use index::Index;
use sa::{IkeSa, IkeState, Phase, Task};

pub use config::{Config, Counters, Credentials, Limits, Ppk, Tunnel};
pub use display::{ChildDisplay, SaDisplay, SaState};
pub use event::{
    Answer, Assigned, ChildId, ChildSa, Direction, Event, Failure, IkeFacts, Path, Question,
    QuestionId, Received, SaId, Transmit,
};
pub use start::{Packet, StartError};

/// All IKE SAs of a host, or of one of its workers.
pub struct Ike {
    cx: Context,
    sas: BTreeMap<IkeSpi, Box<IkeSa>>,
    index: Index,
    deadlines: BTreeSet<(Instant, IkeSpi)>,
}

impl fmt::Debug for Ike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ike")
            .field("sas", &self.sas.len())
            .finish_non_exhaustive()
    }
}

impl Ike {
    /// A machine without any SA.
    #[must_use]
    pub fn new(
        config: Config,
        policy: Arc<Policy>,
        provider: Provider,
        credentials: Credentials,
        random: Box<dyn Random>,
    ) -> Self {
        Self {
            cx: Context::new(config, policy, provider, credentials, random),
            sas: BTreeMap::new(),
            index: Index::default(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Takes another policy, for everything that begins from now on; what there is goes on by the rules it
    /// began with.
    pub fn set_policy(&mut self, policy: Arc<Policy>) {
        self.cx.policy = policy;
    }

    /// The traffic that negotiated tunnels may carry, in the order in which it is looked at.
    pub fn set_tunnels(&mut self, tunnels: Vec<Tunnel>) {
        self.cx.tunnels = tunnels;
    }

    /// What the host set.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.cx.config
    }

    /// How often things happened.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.cx.counters
    }

    /// Half-open SAs, and whether cookies are asked for.
    #[must_use]
    pub const fn load(&self) -> (usize, bool) {
        (self.cx.gate.half_open(), self.cx.gate.is_asking())
    }

    /// Takes the payload of a UDP datagram as it came: on the port for NAT traversal with its marker or an ESP
    /// packet, elsewhere without.
    pub fn receive<'d>(&mut self, now: Now, path: Path, datagram: &'d [u8]) -> Received<'d> {
        self.cx.now = now;
        let octets = if path.local.port() == self.cx.config.nat_port {
            match Encapsulated::of(datagram) {
                Some(Encapsulated::Ike(message)) => message,
                Some(Encapsulated::Esp(packet)) => return Received::Esp(packet),
                Some(Encapsulated::Keepalive) | None => return Received::Nothing,
            }
        } else {
            datagram
        };
        self.cx.counters.received += 1;
        self.take(path, octets);
        self.settle();
        Received::Ike
    }

    fn take(&mut self, path: Path, octets: &[u8]) {
        let cx = &mut self.cx;
        match Version::of(octets) {
            Ok(Version::V2) => {}
            // RFC 9395 §3: nothing of IKEv1 is spoken, and its peers would not understand an answer.
            Ok(Version::Older(_)) => {
                cx.counters.version_1 += 1;
                return;
            }
            Ok(Version::Newer(header)) => {
                // RFC 7296 §2.5.
                cx.counters.malformed += 1;
                if !header.flags.response {
                    self.answer_outside(path, &header, NotifyType::INVALID_MAJOR_VERSION, &[2]);
                }
                return;
            }
            Err(_) => {
                cx.counters.malformed += 1;
                return;
            }
        }
        let message = match Message::parse(octets, &cx.config.limits.message) {
            Ok(message) => message,
            Err(_) => {
                cx.counters.malformed += 1;
                return;
            }
        };
        let header = message.header;
        let begins = header.exchange == ExchangeType::IKE_SA_INIT
            && !header.flags.response
            && header.flags.initiator;
        if begins {
            // RFC 7296 §2.2: the first message has id zero, and no responder's SPI.
            if header.message_id == 0 && header.spi_r.is_zero() {
                self.begin_as_responder(path, &message);
            } else {
                cx.counters.unexpected += 1;
            }
            return;
        }
        let (local, remote) = if header.flags.initiator {
            (header.spi_r, header.spi_i)
        } else {
            (header.spi_i, header.spi_r)
        };
        let Some(sa) = self.sas.get_mut(&local) else {
            cx.counters.no_sa += 1;
            // RFC 7296 §2.21.4: a request may be told so, at a limited rate; a response never.
            if !header.flags.response {
                self.answer_outside(path, &header, NotifyType::INVALID_IKE_SPI, &[]);
            }
            return;
        };
        let from_peer = header.flags.initiator == (sa.role == crate::keys::Side::Responder);
        let known = matches!(sa.phase, Phase::Initiating(_)) || sa.remote_spi() == remote;
        if !from_peer || !known {
            cx.counters.no_sa += 1;
            return;
        }
        sa.receive(cx, path, &message);
        self.touched(local);
    }

    fn begin_as_responder(&mut self, path: Path, message: &Message<'_>) {
        let begun = self.index.begun(message.header.spi_i, path.remote);
        if let Some(local) = begun
            && let Some(sa) = self.sas.get(&local)
            && let Phase::Handshake(own) = &sa.phase
        {
            // RFC 7296 §2.1: the same request gets the same answer; another one with this SPI is nobody's.
            if own.init_received == message.octets() {
                let answer = own.init_sent.clone();
                self.cx.send(path, &answer);
                self.cx.counters.answered_again += 1;
            } else {
                self.cx.counters.unexpected += 1;
            }
            return;
        }
        let room = self.sas.len() < self.cx.config.limits.sas;
        if let Some(sa) = init::request(&mut self.cx, path, message, room) {
            self.index.begin(&sa, path.remote);
            self.adopt(sa);
        }
    }

    /// Answers what belongs to no SA, with nothing protected.
    fn answer_outside(&mut self, path: Path, request: &Header, kind: NotifyType, data: &[u8]) {
        let cx = &mut self.cx;
        let now = cx.mono();
        if !cx.gate.may_answer(&cx.config.limits, now, &mut cx.counters) {
            return;
        }
        let header = Header {
            flags: Flags {
                initiator: !request.flags.initiator,
                version: false,
                response: true,
            },
            ..*request
        };
        let mut writer = PayloadWriter::new(64);
        if writer.notify(kind, data).is_ok()
            && let Ok(message) = plain(&header, &writer)
        {
            cx.send(path, &message);
        }
    }

    fn adopt(&mut self, sa: Box<IkeSa>) {
        let local = sa.local_spi();
        self.index.insert(&sa);
        self.sas.insert(local, sa);
        self.touched(local);
    }

    /// After something was done to an SA: its deadline is noted, or it goes.
    fn touched(&mut self, local: IkeSpi) {
        let now = self.cx.mono();
        let Some(sa) = self.sas.get_mut(&local) else {
            return;
        };
        if let Some(old) = sa.scheduled.take() {
            self.deadlines.remove(&(old, local));
        }
        if let Phase::Closed(until) = sa.phase
            && until <= now
        {
            self.remove(local);
            return;
        }
        if let Some(next) = sa.deadline() {
            sa.scheduled = Some(next);
            self.deadlines.insert((next, local));
        }
        self.index.touched(sa);
    }

    fn remove(&mut self, local: IkeSpi) {
        let Some(sa) = self.sas.remove(&local) else {
            return;
        };
        self.index.remove(&sa);
        if let Some(address) = sa.half_open {
            self.cx.gate.leave(address);
        }
    }

    /// Does what SAs left to be done to others.
    fn settle(&mut self) {
        while let Some(effect) = self.cx.effects.pop_front() {
            match effect {
                Effect::Adopt(sa) => self.adopt(sa),
                Effect::Inherit(from, to, children, queue) => {
                    let heir = self
                        .sas
                        .get_mut(&to)
                        .filter(|sa| sa.established().is_some());
                    let Some(sa) = heir else {
                        // The peer has ended it already: with it goes what it was to have.
                        for child in children {
                            self.cx.forget_spi(child.spi_in);
                            self.cx.owners.remove(&child.id);
                            self.cx
                                .event(Event::ChildRemove(child.id, Failure::WithIke));
                        }
                        for one in queue {
                            if let Task::Create(wish) = one.task {
                                self.cx.fail_wishes([&*wish], &Failure::WithIke);
                            }
                        }
                        continue;
                    };
                    sa.waits = false;
                    for child in &children {
                        self.cx.owners.insert(child.id, to);
                    }
                    sa.children.extend(children);
                    sa.queue.extend(queue);
                    if let Some(own) = sa.established() {
                        let facts = Arc::clone(&own.facts);
                        self.cx.event(Event::Rekeyed(from, facts));
                    }
                    // What the peer deleted on this SA before it had the children.
                    for (protocol, spi) in core::mem::take(&mut sa.early) {
                        if let Some(id) = sa.child_out(protocol, spi).map(|child| child.id) {
                            sa.remove_child(&mut self.cx, id, Failure::Peer);
                        }
                    }
                    sa.pump(&mut self.cx);
                    self.touched(to);
                }
                Effect::Tell(event) => self.cx.event(*event),
                Effect::Lost(spi) => {
                    let until = self.cx.after(core::time::Duration::from_secs(60));
                    if let Some(sa) = self.sas.get_mut(&spi) {
                        sa.waits = false;
                    }
                    if let Some(sa) = self.sas.get_mut(&spi)
                        && let Some(own) = sa.established_mut()
                    {
                        own.state = IkeState::Replaced(until);
                    }
                    self.touched(spi);
                }
                Effect::Delete(spi, why) => self.delete_spi(spi, why),
                Effect::InitialContact(spi) => self.initial_contact(spi),
                Effect::Reauthenticated(id) => {
                    if let Some(spi) = self.index.by_id(id) {
                        self.delete_spi(spi, Failure::Replaced);
                    }
                }
                Effect::Reauthenticate(spi) => self.reauthenticate(spi),
                Effect::Redirect(spi, to, unborn) => self.redirect(spi, to, unborn),
            }
        }
    }

    fn delete_spi(&mut self, spi: IkeSpi, why: Failure) {
        let cx = &mut self.cx;
        let Some(sa) = self.sas.get_mut(&spi) else {
            return;
        };
        match &mut sa.phase {
            Phase::Established(own) => {
                if own.state != IkeState::Deleting {
                    own.state = IkeState::Deleting;
                    sa.queue.retain(|one| matches!(one.task, Task::Follow(_)));
                    sa.enqueue(cx, Task::DeleteIke(why));
                    sa.pump(cx);
                }
            }
            Phase::Initiating(_) | Phase::Handshake(_) => sa.close_at_once(cx, why),
            Phase::Closed(_) => {}
        }
        self.touched(spi);
    }

    /// RFC 7296 §2.4: other SAs with the same two identities are no more. The peer is authenticated.
    fn initial_contact(&mut self, spi: IkeSpi) {
        let Some(facts) = self.sas.get(&spi).and_then(|sa| sa.established()) else {
            return;
        };
        let facts = Arc::clone(&facts.facts);
        let others: Vec<IkeSpi> = self
            .index
            .like(&facts)
            .filter(|other| *other != spi)
            .filter(|other| {
                let other = self.sas.get(other).and_then(|sa| sa.established());
                other.is_some_and(|own| {
                    own.facts.local == facts.local && own.facts.remote == facts.remote
                })
            })
            .collect();
        for other in others {
            if let Some(sa) = self.sas.get_mut(&other) {
                sa.close_at_once(&mut self.cx, Failure::InitialContact);
            }
            self.touched(other);
        }
    }

    /// The next datagram to be sent.
    pub fn transmit(&mut self) -> Option<Transmit> {
        self.cx.out.pop_front()
    }

    /// What happened next.
    pub fn event(&mut self) -> Option<Event> {
        self.cx.events.pop_front()
    }

    /// The next question.
    pub fn question(&mut self) -> Option<(QuestionId, Question)> {
        self.cx.questions.pop_front()
    }

    /// Answers a question; nothing happens when nobody waits for it any more.
    pub fn answer(&mut self, now: Now, id: QuestionId, answer: Answer) {
        self.cx.now = now;
        let Some(spi) = self.cx.asked.remove(&id) else {
            return;
        };
        if let Some(sa) = self.sas.get_mut(&spi) {
            sa.answer(&mut self.cx, id, answer);
        }
        self.touched(spi);
        self.settle();
    }

    /// When [`handle_deadline`](Self::handle_deadline) is to be called.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(time, _)| *time)
    }

    /// Does what is due: retransmissions, renewals, probes, ends.
    pub fn handle_deadline(&mut self, now: Now) {
        self.cx.now = now;
        // Each SA once: what has a deadline in the past again is looked at the next time.
        let due: Vec<IkeSpi> = self
            .deadlines
            .range(..=(now.mono, IkeSpi([0xff; 8])))
            .map(|(_, spi)| *spi)
            .collect();
        for spi in due {
            if let Some(sa) = self.sas.get_mut(&spi) {
                sa.handle_deadline(&mut self.cx);
            }
            self.touched(spi);
            self.settle();
        }
    }

    /// Whether there is no SA at all any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sas.is_empty()
    }
}
