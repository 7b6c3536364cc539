//! What all IKE SAs of a machine share, and what they leave for it to do.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use hostward_crypto::{Failed, Provider, Random};
use hostward_hook::ident::TunnelId;
use hostward_hook::time::{Instant, Now};

use super::config::{Config, Counters, Credentials, Tunnel};
use super::event::{ChildId, Event, Failure, Path, Question, QuestionId, SaId, Transmit};
use super::flood::Gate;
use super::sa::{Child, IkeSa, Queued, Wish};
use crate::message::{Encapsulated, IkeSpi};
use crate::policy::{KeyExchangeRule, Policy};

/// Something that one IKE SA cannot do to another by itself.
pub(super) enum Effect {
    /// A new IKE SA.
    Adopt(Box<IkeSa>),
    /// Children and waiting exchanges of an SA go to the one that replaces it.
    Inherit(SaId, IkeSpi, Vec<Child>, VecDeque<Queued>),
    /// The SA lost a collision that the peer made it in; the peer deletes it.
    Lost(IkeSpi),
    /// The SA lost a collision, or must go for another reason: it is deleted with an exchange.
    Delete(IkeSpi, Failure),
    /// To be told after what goes before it.
    Tell(Box<Event>),
    /// Other SAs between the same identities are no more (INITIAL_CONTACT), but for this one.
    InitialContact(IkeSpi),
    /// An SA was authenticated that replaces another one: the other is deleted.
    Reauthenticated(SaId),
    /// Begin anew with the same peer, since this SA has to be authenticated again.
    Reauthenticate(IkeSpi),
    /// Begin anew elsewhere (RFC 5685). In the answer to IKE_AUTH: with the children that the SA was to have, and
    /// what it was to replace.
    Redirect(IkeSpi, core::net::IpAddr, Option<(Vec<Wish>, Option<SaId>)>),
}

/// A rule of a policy, which stays while it is used.
#[derive(Clone)]
pub(super) struct RuleRef {
    policy: Arc<Policy>,
    index: usize,
}

impl RuleRef {
    pub(super) fn new(policy: &Arc<Policy>, rule: &KeyExchangeRule) -> Option<Self> {
        let index = policy.rules().iter().position(|r| r.name == rule.name)?;
        let policy = Arc::clone(policy);
        Some(Self { policy, index })
    }

    pub(super) fn get(&self) -> Option<&KeyExchangeRule> {
        self.policy.rules().get(self.index)
    }
}

pub(super) struct Context {
    pub(super) config: Config,
    pub(super) policy: Arc<Policy>,
    pub(super) tunnels: Vec<Tunnel>,
    pub(super) provider: Provider,
    pub(super) credentials: Credentials,
    pub(super) random: Box<dyn Random>,
    pub(super) now: Now,
    pub(super) gate: Gate,
    pub(super) counters: Counters,
    pub(super) out: VecDeque<Transmit>,
    pub(super) events: VecDeque<Event>,
    pub(super) questions: VecDeque<(QuestionId, Question)>,
    /// Questions that are open, and whose they are.
    pub(super) asked: BTreeMap<QuestionId, IkeSpi>,
    pub(super) effects: VecDeque<Effect>,
    /// SPIs with which children of this host receive.
    pub(super) child_spis: BTreeSet<u32>,
    /// Whose the children are.
    pub(super) owners: BTreeMap<ChildId, IkeSpi>,
    numbers: u32,
}

impl Context {
    pub(super) fn new(
        config: Config,
        policy: Arc<Policy>,
        provider: Provider,
        credentials: Credentials,
        random: Box<dyn Random>,
    ) -> Self {
        Self {
            config,
            policy,
            tunnels: Vec::new(),
            provider,
            credentials,
            random,
            now: Now::default(),
            gate: Gate::default(),
            counters: Counters::default(),
            out: VecDeque::new(),
            events: VecDeque::new(),
            questions: VecDeque::new(),
            asked: BTreeMap::new(),
            effects: VecDeque::new(),
            child_spis: BTreeSet::new(),
            owners: BTreeMap::new(),
            numbers: 0,
        }
    }

    pub(super) const fn mono(&self) -> Instant {
        self.now.mono
    }

    pub(super) const fn after(&self, time: Duration) -> Instant {
        self.now.mono.saturating_add(time)
    }

    fn number(&mut self) -> u32 {
        self.numbers = self.numbers.wrapping_add(1);
        self.numbers
    }

    pub(super) fn sa_id(&mut self) -> SaId {
        SaId(self.number())
    }

    pub(super) fn child_id(&mut self) -> ChildId {
        ChildId(self.number())
    }

    pub(super) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Asks the host something; nothing when too much is asked already.
    pub(super) fn ask(&mut self, sa: IkeSpi, question: Question) -> Option<QuestionId> {
        if self.asked.len() >= self.config.limits.questions {
            self.counters.questions_refused += 1;
            return None;
        }
        let id = QuestionId(self.number());
        self.asked.insert(id, sa);
        self.questions.push_back((id, question));
        Some(id)
    }

    /// Sends a message, with a marker if the port wants one (RFC 3948 §2.2, RFC 7296 §2.23).
    pub(super) fn send(&mut self, path: Path, message: &[u8]) {
        self.counters.sent += 1;
        let bytes = if path.local.port() == self.config.nat_port {
            Encapsulated::mark(message)
        } else {
            message.to_vec()
        };
        self.out.push_back(Transmit { path, bytes });
    }

    pub(super) fn random_octets(&mut self, len: usize) -> Result<Vec<u8>, Failed> {
        let mut octets = alloc::vec![0; len];
        self.random.fill(&mut octets)?;
        Ok(octets)
    }

    /// RFC 7296 §2.10: at least half the key of the PRF, which for all of them 32 octets are.
    pub(super) fn nonce(&mut self) -> Result<Vec<u8>, Failed> {
        self.random_octets(32)
    }

    pub(super) fn ike_spi(&mut self) -> Result<IkeSpi, Failed> {
        let mut spi = [0; 8];
        self.random.fill(&mut spi)?;
        // RFC 7296 §2.6: not zero.
        if spi == [0; 8] {
            return Err(Failed);
        }
        Ok(IkeSpi(spi))
    }

    /// An SPI that no other child of this host receives with; given back with [`forget_spi`](Self::forget_spi).
    pub(super) fn child_spi(&mut self) -> Result<u32, Failed> {
        for _ in 0..64 {
            let mut octets = [0; 4];
            self.random.fill(&mut octets)?;
            let spi = u32::from_be_bytes(octets);
            if spi > 255 && self.child_spis.insert(spi) {
                return Ok(spi);
            }
        }
        Err(Failed)
    }

    pub(super) fn forget_spi(&mut self, spi: u32) {
        self.child_spis.remove(&spi);
    }

    /// A time shortened at random by at most what is configured (RFC 7296 §2.8).
    pub(super) fn jittered(&mut self, time: Duration) -> Duration {
        let percent = u32::from(self.config.jitter_percent.min(90));
        let mut octets = [0; 2];
        if percent == 0 || self.random.fill(&mut octets).is_err() {
            return time;
        }
        let part = u32::from(u16::from_be_bytes(octets)) * percent / 65_536;
        time.saturating_sub(time / 100 * part)
    }

    pub(super) fn tunnel(&self, id: TunnelId) -> Option<&Tunnel> {
        self.tunnels.iter().find(|tunnel| tunnel.id == id)
    }

    /// The wishes that come to nothing.
    pub(super) fn fail_wishes<'w>(
        &mut self,
        wishes: impl IntoIterator<Item = &'w Wish>,
        why: &Failure,
    ) {
        for wish in wishes {
            self.event(Event::ChildFailed(wish.tunnel, why.clone()));
        }
    }
}
