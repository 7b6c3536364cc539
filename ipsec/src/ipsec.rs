//! The control of one worker: associations it owns, and what becomes of them.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use hostward_crypto::Provider;
use hostward_hook::action::{Action, Cx};
use hostward_hook::event::Class;
use hostward_hook::flow::FlowKey;
use hostward_hook::hooks::earlier;
use hostward_hook::ident::{SaId, TunnelId, WorkerId};
use hostward_hook::protection::ProtectionSink;
use hostward_hook::time::Instant;

use crate::acquire::{Acquires, HoldConfig};
use crate::directory::{Directory, DirectoryError, place};
use crate::pair::{Install, Outline, Pair, Sending, Tunnel, one_remote};
use crate::sa::{Inbound, Outbound, SaError};
use crate::told::{
    Happened, Limiter, TUNNEL_ADDED, TUNNEL_EXPIRED, TUNNEL_REFRESHED, TUNNEL_REMOVED,
};

/// Tells which addresses are this host's.
pub trait LocalAddresses: fmt::Debug + Send + Sync {
    /// Whether packets to this address end here.
    fn is_local(&self, address: IpAddr) -> bool;
}

/// Bounds and choices of a worker's IPsec.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct IpsecConfig {
    /// This worker.
    pub worker: WorkerId,
    /// Tunnels there may be. 65,536.
    pub tunnels: usize,
    /// Packets that wait for associations.
    pub hold: HoldConfig,
    /// The UDP port of encapsulated ESP and IKE. 4500; 0 for none.
    pub udp_port: u16,
    /// ICMP errors may come through the association of the traffic that they quote though they are
    /// not its traffic themselves (RFC 4301 section 6.2). Yes.
    pub icmp_errors: bool,
    /// How many events of one kind about one association, or one source of packets for none, are
    /// told in an interval. 5.
    pub events: u16,
    /// The interval of that. 60 seconds.
    pub interval: Duration,
    /// This host's addresses. Without them an inner packet is taken to end here only if it has the
    /// destination of the outer one.
    pub local: Option<Arc<dyn LocalAddresses>>,
}

impl Default for IpsecConfig {
    fn default() -> Self {
        Self {
            worker: WorkerId(0),
            tunnels: 65_536,
            hold: HoldConfig::default(),
            udp_port: 4500,
            icmp_errors: true,
            events: 5,
            interval: Duration::from_secs(60),
            local: None,
        }
    }
}

/// Why associations were not installed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The tunnel is not known.
    #[error("there is no tunnel {0:?}")]
    NoTunnel(TunnelId),
    /// There are as many tunnels as there may be.
    #[error("there are as many tunnels as there may be")]
    TooManyTunnels,
    /// Neither half was given, or no selectors.
    #[error("a pair of security associations has a half and selectors")]
    Empty,
    /// The pair to be replaced is not there.
    #[error("there is no security association {0:?} to replace")]
    NothingToReplace(SaId),
    /// A half is not possible.
    #[error(transparent)]
    Sa(#[from] SaError),
    /// The directory has no place for it.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// Why associations are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Removal {
    /// The host or its peer wants it.
    Wanted,
    /// Their hard lifetime is over.
    Expired,
}

/// Associations on their way from one worker to another.
///
/// Dropping them leaves their places in the directory taken and their packets dropped: adopt them.
#[derive(Debug)]
#[must_use]
pub struct Released {
    #[expect(clippy::vec_box, reason = "they stay boxed at both workers")]
    pub(crate) pairs: Vec<Box<Pair>>,
    pub(crate) to: WorkerId,
}

impl Released {
    /// The worker that is to [adopt](Ipsec::adopt) them.
    #[must_use]
    pub const fn to(&self) -> WorkerId {
        self.to
    }

    /// The associations.
    pub fn ids(&self) -> impl Iterator<Item = SaId> {
        self.pairs.iter().map(|p| p.id)
    }
}

/// IPsec of one worker: the associations it owns, opening and sealing.
///
/// All workers of a host share one [`Directory`]. Install an association at the worker that gets
/// its packets, if that can be known; packets that come to another are handed over.
#[derive(Debug)]
pub struct Ipsec {
    pub(crate) config: IpsecConfig,
    pub(crate) directory: Arc<Directory>,
    provider: Provider,
    tunnels: BTreeMap<TunnelId, Known>,
    /// By place of the association; those of other workers are not here.
    pub(crate) pairs: Vec<Option<Box<Pair>>>,
    owned: BTreeSet<SaId>,
    due: BTreeSet<(Instant, SaId)>,
    pub(crate) acquires: Acquires,
    /// Associations that were installed, changed or removed, to be told.
    changes: VecDeque<SaId>,
    pub(crate) strangers: [Limiter; 64],
    pub(crate) lacks: [Limiter; 64],
    pub(crate) mtu: Option<u16>,
}

/// A tunnel, and how many pairs it has had.
#[derive(Debug)]
struct Known {
    tunnel: Tunnel,
    generation: u32,
    pairs: u32,
}

impl Ipsec {
    /// IPsec of a worker, without tunnels.
    #[must_use]
    pub fn new(config: IpsecConfig, directory: Arc<Directory>, provider: Provider) -> Self {
        Self {
            acquires: Acquires::new(config.hold),
            pairs: core::iter::repeat_with(|| None)
                .take(directory.capacity())
                .collect(),
            config,
            directory,
            provider,
            tunnels: BTreeMap::new(),
            owned: BTreeSet::new(),
            due: BTreeSet::new(),
            changes: VecDeque::new(),
            strangers: [Limiter::default(); 64],
            lacks: [Limiter::default(); 64],
            mtu: None,
        }
    }

    /// The directory that all workers share.
    #[must_use]
    pub const fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// This worker.
    #[must_use]
    pub const fn worker(&self) -> WorkerId {
        self.config.worker
    }

    /// Makes a tunnel known, or changes what is known of one: every worker has to know those that
    /// rules send its packets into.
    ///
    /// # Errors
    /// [`InstallError::TooManyTunnels`].
    pub fn set_tunnel(&mut self, tunnel: Tunnel) -> Result<(), InstallError> {
        if let Some(known) = self.tunnels.get_mut(&tunnel.id) {
            known.tunnel = tunnel;
            return Ok(());
        }
        if self.tunnels.len() >= self.config.tunnels {
            return Err(InstallError::TooManyTunnels);
        }
        let known = Known {
            generation: 0,
            pairs: 0,
            tunnel,
        };
        self.tunnels.insert(known.tunnel.id, known);
        Ok(())
    }

    /// Forgets a tunnel and removes its associations here.
    pub fn remove_tunnel(&mut self, cx: &mut Cx<'_>, tunnel: TunnelId) {
        let of_tunnel: Vec<SaId> = self
            .pairs()
            .filter(|p| p.tunnel == tunnel)
            .map(|p| p.id)
            .collect();
        for sa in of_tunnel {
            self.remove(cx, sa, Removal::Wanted);
        }
        self.tunnels.remove(&tunnel);
    }

    /// The tunnels that are known, in the order of their numbers.
    pub fn tunnels(&self) -> impl Iterator<Item = &Tunnel> {
        self.tunnels.values().map(|k| &k.tunnel)
    }

    /// A tunnel.
    #[must_use]
    pub fn tunnel(&self, id: TunnelId) -> Option<&Tunnel> {
        self.tunnels.get(&id).map(|k| &k.tunnel)
    }

    /// How many pairs of associations this worker owns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.owned.len()
    }

    /// Whether this worker owns no association.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owned.is_empty()
    }

    /// How many associations are being asked for.
    #[must_use]
    pub fn acquiring(&self) -> usize {
        self.acquires.len()
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.owned.iter().filter_map(|sa| self.pair(*sa))
    }

    #[inline]
    pub(crate) fn pair(&self, sa: SaId) -> Option<&Pair> {
        let pair = self.pairs.get(place(sa))?.as_deref()?;
        (pair.id == sa).then_some(pair)
    }

    #[inline]
    pub(crate) fn pair_mut(&mut self, sa: SaId) -> Option<&mut Pair> {
        let pair = self.pairs.get_mut(place(sa))?.as_deref_mut()?;
        (pair.id == sa).then_some(pair)
    }

    /// The largest packet that would have gone through the association whose
    /// [`codes::TOO_BIG`](crate::codes::TOO_BIG) was the last answer: what an ICMP message tells
    /// the sender (RFC 4301 section 8.2.1).
    #[must_use]
    pub const fn last_mtu(&self) -> Option<u16> {
        self.mtu
    }

    /// The largest packet that goes through an association as it is; `None` for one that is not
    /// here or does not seal.
    #[must_use]
    pub fn inner_mtu(&self, sa: SaId) -> Option<u16> {
        self.pair(sa)?.outbound.as_ref().map(Outbound::inner_mtu)
    }

    /// Until when the host should keep a packet that is held now.
    #[must_use]
    pub const fn hold_until(&self, now: Instant) -> Instant {
        now.saturating_add(self.config.hold.wait)
    }

    /// Installs a pair of associations. Its inbound half opens packets at once; its outbound half
    /// seals from now on or as [`Sending`] says. What waited for it is submitted again.
    ///
    /// # Errors
    /// [`InstallError`]; nothing is changed then.
    pub fn install(&mut self, cx: &mut Cx<'_>, install: Install) -> Result<SaId, InstallError> {
        let Install {
            tunnel,
            selectors,
            inbound,
            outbound,
            replaces,
            sending,
            groups,
            expires,
            fips,
            ike,
        } = install;
        let known = self
            .tunnels
            .get(&tunnel)
            .ok_or(InstallError::NoTunnel(tunnel))?;
        let (name, generation) = (Arc::clone(&known.tunnel.name), known.generation + 1);
        if let Some(old) = replaces
            && self.pair(old).is_none_or(|p| p.tunnel != tunnel)
        {
            return Err(InstallError::NothingToReplace(old));
        }
        let outline = match (&outbound, &inbound) {
            (Some(p), _) | (None, Some(p)) if !selectors.is_empty() => Outline::of(p, &groups),
            _ => return Err(InstallError::Empty),
        };
        let me = self.config.worker;
        let remote = one_remote(&selectors);
        let id = self.directory.allocate(tunnel)?;
        let now = cx.now.mono;
        let build = || {
            let inbound_key = inbound.as_ref().map(|p| (p.spi, p.local));
            let inbound = match inbound {
                Some(mut p) => {
                    p.id = id;
                    Some(Inbound::new(&self.provider, p, now)?)
                }
                None => None,
            };
            let outbound = match outbound {
                Some(mut p) => {
                    p.id = id;
                    Some(Outbound::new(&self.provider, p, now)?)
                }
                None => None,
            };
            Ok::<_, InstallError>((inbound_key, inbound, outbound))
        };
        let (inbound_key, inbound, outbound) = match build() {
            Ok(built) => built,
            Err(error) => {
                self.directory.free(id);
                return Err(error);
            }
        };
        if let Some((spi, to)) = inbound_key
            && let Err(error) = self
                .directory
                .add_inbound(spi, outline.protocol, to, id, me)
        {
            self.directory.free(id);
            return Err(error.into());
        }
        let sends = outbound.is_some() && sending == Sending::Now;
        let next = if sends {
            match self.push(tunnel, remote, id) {
                Ok(next) => next,
                Err(error) => {
                    if let Some((spi, to)) = inbound_key {
                        self.directory.remove_inbound(spi, outline.protocol, to);
                    }
                    self.directory.free(id);
                    return Err(error.into());
                }
            }
        } else {
            None
        };
        let pair = Box::new(Pair {
            id,
            tunnel,
            next,
            inbound,
            outbound,
            sending: sends,
            selectors: selectors.into_boxed_slice(),
            remote,
            generation,
            inbound_key,
            outline,
            name,
            installed: cx.now,
            expires,
            fips,
            ike,
            limits: [Limiter::default(); 4],
            refreshing: false,
            due: None,
        });
        let happened = if replaces.is_some() {
            Happened::Refreshed
        } else {
            Happened::Added
        };
        tell(cx, happened, &pair);
        if let Some(slot) = self.pairs.get_mut(place(id)) {
            *slot = Some(pair);
        }
        if let Some(known) = self.tunnels.get_mut(&tunnel) {
            known.generation = generation;
            known.pairs += 1;
        }
        self.owned.insert(id);
        self.note_deadline(id, now);
        self.changed(id);
        if sends {
            self.serve(cx, id);
        }
        Ok(id)
    }

    /// In front of what the tunnel has for this address. Beside one for many addresses, which
    /// packets would have to choose from, it must be the same worker's.
    fn push(
        &self,
        tunnel: TunnelId,
        remote: Option<IpAddr>,
        sa: SaId,
    ) -> Result<Option<SaId>, DirectoryError> {
        let me = self.config.worker;
        if remote.is_some()
            && let Some(many) = self.directory.outbound(tunnel, None)
            && many.owner != me
        {
            return Err(DirectoryError::OtherWorker(many.owner));
        }
        self.directory.push_outbound(tunnel, remote, sa, me)
    }

    /// What waited for this pair is submitted again.
    fn serve(&mut self, cx: &mut Cx<'_>, sa: SaId) {
        let Some(pair) = self.pairs.get(place(sa)).and_then(Option::as_deref) else {
            return;
        };
        self.acquires
            .installed(pair.tunnel, cx.actions, |local, remote| {
                pair.selectors
                    .iter()
                    .any(|s| s.local.contains(local) && s.remote.contains(remote))
            });
    }

    /// Begins to seal with a pair that was installed to do so later; whether it is here and could.
    pub fn switch(&mut self, cx: &mut Cx<'_>, sa: SaId) -> bool {
        let Some(pair) = self.pair(sa) else {
            return false;
        };
        if pair.sending || pair.outbound.is_none() {
            return pair.sending;
        }
        let Ok(next) = self.push(pair.tunnel, pair.remote, sa) else {
            return false;
        };
        if let Some(pair) = self.pair_mut(sa) {
            pair.sending = true;
            pair.next = next;
        }
        self.serve(cx, sa);
        true
    }

    /// Removes a pair; whether it was here. Its keys are wiped.
    pub fn remove(&mut self, cx: &mut Cx<'_>, sa: SaId, why: Removal) -> bool {
        if self.pair(sa).is_none() {
            return false;
        }
        self.unlink(sa);
        let Some(pair) = self.pairs.get_mut(place(sa)).and_then(Option::take) else {
            return false;
        };
        if let Some((spi, to)) = pair.inbound_key {
            let protocol = pair.outline.protocol;
            self.directory.remove_inbound(spi, protocol, to);
        }
        self.directory.free(sa);
        self.owned.remove(&sa);
        if let Some(due) = pair.due {
            self.due.remove(&(due, sa));
        }
        if let Some(known) = self.tunnels.get_mut(&pair.tunnel) {
            known.pairs = known.pairs.saturating_sub(1);
        }
        let happened = match why {
            Removal::Wanted => Happened::Removed,
            Removal::Expired => Happened::Expired,
        };
        tell(cx, happened, &pair);
        self.changed(sa);
        true
    }

    /// Takes a pair out of those that seal.
    fn unlink(&mut self, sa: SaId) {
        let Some(pair) = self.pair(sa) else { return };
        if !pair.sending {
            return;
        }
        let (tunnel, remote, next) = (pair.tunnel, pair.remote, pair.next);
        let Some(shard) = self.directory.outbound(tunnel, remote) else {
            return;
        };
        if shard.newest == sa {
            let front = next.map(|next| (next, self.config.worker));
            self.directory.set_outbound(tunnel, remote, front);
            return;
        }
        let mut at = Some(shard.newest);
        while let Some(before) = at.and_then(|at| self.pair_mut(at)) {
            if before.next == Some(sa) {
                before.next = next;
                return;
            }
            at = before.next;
        }
    }

    /// Gives a pair to another worker, together with the others of its tunnel and remote address.
    /// Packets are handed over from now on; until the other worker has
    /// [adopted](Self::adopt) them they are dropped there. `None` for a pair that is not here.
    pub fn release(&mut self, sa: SaId, to: WorkerId) -> Option<Released> {
        let first = self.pair(sa)?;
        let (tunnel, remote) = (first.tunnel, first.remote);
        let together: Vec<SaId> = self
            .pairs()
            .filter(|p| p.tunnel == tunnel && p.remote == remote)
            .map(|p| p.id)
            .collect();
        let mut pairs = Vec::with_capacity(together.len());
        if let Some(shard) = self.directory.outbound(tunnel, remote) {
            let front = Some((shard.newest, to));
            self.directory.set_outbound(tunnel, remote, front);
        }
        for id in together {
            let Some(mut pair) = self.pairs.get_mut(place(id)).and_then(Option::take) else {
                continue;
            };
            if let Some((spi, local)) = pair.inbound_key {
                let protocol = pair.outline.protocol;
                self.directory.move_inbound(spi, protocol, local, id, to);
            }
            self.owned.remove(&id);
            if let Some(due) = pair.due.take() {
                self.due.remove(&(due, id));
            }
            pairs.push(pair);
        }
        Some(Released { pairs, to })
    }

    /// Takes over what another worker released, for this one.
    ///
    /// # Errors
    /// What was released, when it was for another worker.
    pub fn adopt(&mut self, now: Instant, released: Released) -> Result<(), Released> {
        if released.to != self.config.worker {
            return Err(released);
        }
        for pair in released.pairs {
            let id = pair.id;
            if let Some(slot) = self.pairs.get_mut(place(id)) {
                *slot = Some(pair);
                self.owned.insert(id);
                self.note_deadline(id, now);
            }
        }
        Ok(())
    }

    /// A negotiation that was asked for failed: what waited is to be discarded. `key` is that of
    /// the [wish](Action::AcquireSa).
    pub fn acquire_failed(&mut self, cx: &mut Cx<'_>, tunnel: TunnelId, key: &FlowKey) {
        self.acquires.failed(cx.now.mono, cx.actions, tunnel, key);
    }

    fn changed(&mut self, sa: SaId) {
        // The host that asks for nothing wants to know nothing.
        if self.changes.len() < 2 * self.directory.capacity() {
            self.changes.push_back(sa);
        }
    }

    /// Tells what became of associations since the last call.
    pub fn tell_associations(&mut self, cx: &mut Cx<'_>, sink: &mut dyn ProtectionSink) {
        while let Some(sa) = self.changes.pop_front() {
            let facts = self.pair(sa).map(Pair::facts);
            sink.association(cx, sa, facts.as_ref());
        }
    }

    /// Asks for a successor, once.
    pub(crate) fn refresh(&mut self, cx: &mut Cx<'_>, sa: SaId) {
        if let Some(pair) = self.pair_mut(sa)
            && !pair.refreshing
        {
            pair.refreshing = cx.actions.act(Action::RefreshSa { sa });
        }
    }

    fn note_deadline(&mut self, sa: SaId, now: Instant) {
        let Some(pair) = self.pair_mut(sa) else {
            return;
        };
        let inbound = pair.inbound.as_ref().and_then(|half| half.deadline(now));
        let outbound = pair.outbound.as_ref().and_then(|half| half.deadline(now));
        let due = earlier(inbound, outbound);
        let before = core::mem::replace(&mut pair.due, due);
        if before != due {
            if let Some(before) = before {
                self.due.remove(&(before, sa));
            }
            if let Some(due) = due {
                self.due.insert((due, sa));
            }
        }
    }

    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        let first = self.due.first().map(|(due, _)| *due);
        earlier(first, self.acquires.next_deadline())
    }

    /// Lifetimes in time: up to 256 associations at a call.
    pub(crate) fn act_on_deadlines(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.mono;
        for _ in 0..256 {
            let Some((due, sa)) = self.due.first().copied() else {
                break;
            };
            if due > now {
                break;
            }
            let Some(pair) = self.pair_mut(sa) else {
                self.due.remove(&(due, sa));
                continue;
            };
            let inbound = pair.inbound.as_mut();
            let outbound = pair.outbound.as_mut();
            let over = inbound.as_ref().is_some_and(|half| half.over(now))
                || outbound.as_ref().is_some_and(|half| half.over(now));
            if over {
                self.remove(cx, sa, Removal::Expired);
                continue;
            }
            let soft = inbound.is_some_and(|half| half.soft(now));
            let soft = outbound.is_some_and(|half| half.soft(now)) || soft;
            if soft {
                self.refresh(cx, sa);
            }
            self.due.remove(&(due, sa));
            if let Some(pair) = self.pair_mut(sa) {
                pair.due = None;
            }
            self.note_deadline(sa, now);
            // A deadline that stays in the past is not looked at again and again.
            if self.due.contains(&(due, sa)) {
                self.due.remove(&(due, sa));
                if let Some(pair) = self.pair_mut(sa) {
                    pair.due = None;
                }
            }
        }
        self.acquires.handle_deadline(now, cx.actions);
    }
}

/// Tells of a tunnel.
fn tell(cx: &mut Cx<'_>, happened: Happened, pair: &Pair) {
    if !cx.events.wants(Class::Control) {
        return;
    }
    let code = match happened {
        Happened::Added => TUNNEL_ADDED,
        Happened::Refreshed => TUNNEL_REFRESHED,
        Happened::Removed => TUNNEL_REMOVED,
        Happened::Expired => TUNNEL_EXPIRED,
    };
    let detail = pair.event(happened);
    let event = cx.event(code, Class::Control, &detail);
    cx.events.emit(&event);
}
