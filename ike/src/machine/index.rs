//! Where SAs are found by something else than their SPI, so that nothing looks through all of them.

use alloc::collections::{BTreeMap, BTreeSet};
use core::hash::{Hash, Hasher};
use core::net::{IpAddr, SocketAddr};

use super::event::{IkeFacts, SaId};
use super::sa::{IkeSa, Phase};
use crate::keys::Side;
use crate::message::IkeSpi;

/// Under what an SA is entered.
#[derive(Clone, Copy, Default)]
pub(super) struct Entered {
    /// Its ends.
    ends: Option<(IpAddr, IpAddr)>,
    /// The print of its two identities.
    identities: Option<u64>,
}

#[derive(Default)]
pub(super) struct Index {
    ids: BTreeMap<SaId, IkeSpi>,
    ends: BTreeSet<(IpAddr, IpAddr, IkeSpi)>,
    identities: BTreeSet<(u64, IkeSpi)>,
    /// Peers that began, by their SPI and address, for requests that come again.
    begun: BTreeMap<(IkeSpi, SocketAddr), IkeSpi>,
    /// From where those began that are not authenticated.
    origins: BTreeMap<IkeSpi, SocketAddr>,
}

/// FNV-1a. Who has the same print as another is compared with it; peers have proven their identities before.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn print(facts: &IkeFacts) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    facts.local.hash(&mut hasher);
    facts.remote.hash(&mut hasher);
    hasher.finish()
}

impl Index {
    pub(super) fn by_id(&self, id: SaId) -> Option<IkeSpi> {
        self.ids.get(&id).copied()
    }

    /// SAs between these ends.
    pub(super) fn between(&self, here: IpAddr, there: IpAddr) -> impl Iterator<Item = IkeSpi> {
        let (first, last) = (IkeSpi::ZERO, IkeSpi([0xff; 8]));
        let all = (here, there, first)..=(here, there, last);
        self.ends.range(all).map(|one| one.2)
    }

    /// SAs that may be between the same two identities.
    pub(super) fn like(&self, facts: &IkeFacts) -> impl Iterator<Item = IkeSpi> {
        let print = print(facts);
        let all = (print, IkeSpi::ZERO)..=(print, IkeSpi([0xff; 8]));
        self.identities.range(all).map(|one| one.1)
    }

    /// The SA that this request began.
    pub(super) fn begun(&self, spi: IkeSpi, from: SocketAddr) -> Option<IkeSpi> {
        self.begun.get(&(spi, from)).copied()
    }

    /// A peer began an SA.
    pub(super) fn begin(&mut self, sa: &IkeSa, from: SocketAddr) {
        let local = sa.local_spi();
        self.begun.insert((sa.spis.initiator, from), local);
        self.origins.insert(local, from);
    }

    fn begun_no_more(&mut self, sa: &IkeSa) {
        let local = sa.local_spi();
        if let Some(from) = self.origins.remove(&local) {
            let key = (sa.spis.initiator, from);
            if self.begun.get(&key) == Some(&local) {
                self.begun.remove(&key);
            }
        }
    }

    pub(super) fn insert(&mut self, sa: &IkeSa) {
        self.ids.insert(sa.id, sa.local_spi());
    }

    /// Something was done to an SA: it may have other ends, or be authenticated now.
    pub(super) fn touched(&mut self, sa: &mut IkeSa) {
        let local = sa.local_spi();
        let ends = (sa.path.local.ip(), sa.path.remote.ip());
        if sa.entered.ends != Some(ends) {
            if let Some((here, there)) = sa.entered.ends.replace(ends) {
                self.ends.remove(&(here, there, local));
            }
            self.ends.insert((ends.0, ends.1, local));
        }
        if sa.entered.identities.is_none()
            && let Some(own) = sa.established()
        {
            let print = print(&own.facts);
            self.identities.insert((print, local));
            sa.entered.identities = Some(print);
        }
        if sa.role == Side::Responder && !matches!(sa.phase, Phase::Handshake(_)) {
            self.begun_no_more(sa);
        }
    }

    pub(super) fn remove(&mut self, sa: &IkeSa) {
        let local = sa.local_spi();
        self.ids.remove(&sa.id);
        if let Some((here, there)) = sa.entered.ends {
            self.ends.remove(&(here, there, local));
        }
        if let Some(print) = sa.entered.identities {
            self.identities.remove(&(print, local));
        }
        self.begun_no_more(sa);
    }
}
