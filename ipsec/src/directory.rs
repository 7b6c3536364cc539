//! The directory of all associations of a host: which worker owns what.
//!
//! The associations themselves belong to one worker each, and so does everything that changes with
//! a packet: sequence numbers, replay windows, counters. What workers share is this directory, by
//! which each finds out, without waiting for anybody, whether a packet is its own business.

use alloc::boxed::Box;
use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use hostward_hook::flow::HashKey;
use hostward_hook::ident::{SaId, TunnelId, WorkerId};

use crate::table::{Refused, Table};

/// Low bits of an [`SaId`]: its place. The others tell the successive associations of one place
/// apart, so that a stale name finds nothing.
const PLACE_BITS: u32 = 20;
const PLACES: usize = 1 << PLACE_BITS;
const LIVE: u64 = 1 << 63;

/// Why an association finds no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// There are as many associations as there may be.
    #[error("there are as many security associations as there may be")]
    Full,
    /// Another association has this SPI with this protocol and destination.
    #[error("another security association has this SPI")]
    SpiTaken,
    /// Another worker owns the associations of this tunnel and remote address.
    #[error("the associations of this tunnel and remote address are another worker's")]
    OtherWorker(WorkerId),
}

impl From<Refused> for DirectoryError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Taken => Self::SpiTaken,
            Refused::Full => Self::Full,
        }
    }
}

/// The security association database as all workers see it (RFC 4301 section 4.4.2): SPI,
/// protocol and destination of inbound associations, tunnel and remote address of outbound ones.
///
/// Reading takes no lock and never waits. Its memory is taken when it is made, 200 bytes for each
/// association there may be at most. Installing and removing associations, which is rare, is done
/// by one worker at a time: the others wait for it in a loop.
pub struct Directory {
    inbound: Table,
    outbound: Table,
    /// By place: whether it is in use, the rest of the name, the tunnel.
    places: Box<[AtomicU64]>,
    /// Places not in use, in a ring, so that one is used again as late as possible.
    free: Box<[AtomicU32]>,
    head: AtomicU32,
    count: AtomicU32,
    writing: AtomicBool,
    key: HashKey,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("associations", &self.len())
            .field("capacity", &self.places.len())
            .finish_non_exhaustive()
    }
}

/// Only one writes while it lives.
struct Writing<'d>(&'d AtomicBool);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Where outbound associations of a tunnel and remote address stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) owner: WorkerId,
    /// The newest of them.
    pub(crate) newest: SaId,
}

impl Shard {
    const fn pack(self) -> u64 {
        (self.owner.0 as u64) << 32 | self.newest.0 as u64
    }

    const fn unpack(value: u64) -> Self {
        Self {
            owner: WorkerId((value >> 32) as u16),
            newest: SaId(value as u32),
        }
    }
}

impl Directory {
    /// A directory of at most `max` associations, and at most a million. `key` is sixteen bytes
    /// from a good random source, new at every start.
    #[must_use]
    pub fn new(max: usize, key: HashKey) -> Self {
        let max = max.clamp(1, PLACES);
        Self {
            inbound: Table::new(max, key.hash([1], 0)),
            outbound: Table::new(max, key.hash([2], 0)),
            places: (0..max).map(|_| AtomicU64::new(0)).collect(),
            free: (0..max as u32).map(AtomicU32::new).collect(),
            head: AtomicU32::new(0),
            count: AtomicU32::new(max as u32),
            writing: AtomicBool::new(false),
            key,
        }
    }

    /// How many associations there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len() - self.count.load(Ordering::Relaxed) as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there may be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.places.len()
    }

    /// The association of an SPI, IP protocol (50 or 51) and destination, and who owns it.
    #[inline]
    #[must_use]
    pub fn inbound(&self, spi: u32, protocol: u8, to: IpAddr) -> Option<(SaId, WorkerId)> {
        let shard = Shard::unpack(self.inbound.get(inbound_key(spi, protocol, to))?);
        Some((shard.newest, shard.owner))
    }

    /// The tunnel of an association; `None` for one that is gone.
    #[inline]
    #[must_use]
    pub fn tunnel_of(&self, sa: SaId) -> Option<TunnelId> {
        let word = self.places.get(place(sa))?.load(Ordering::Acquire);
        (word & LIVE != 0 && epoch_of(word) == sa.0 >> PLACE_BITS).then_some(TunnelId(word as u32))
    }

    pub(crate) fn touch(&self, spi: u32, protocol: u8, to: IpAddr) {
        self.inbound.touch(inbound_key(spi, protocol, to));
    }

    /// The outbound associations under a tunnel for one remote address, or for many (`None`).
    #[inline]
    pub(crate) fn outbound(&self, tunnel: TunnelId, remote: Option<IpAddr>) -> Option<Shard> {
        let key = self.outbound_key(tunnel, remote);
        self.outbound.get(key).map(Shard::unpack)
    }

    fn outbound_key(&self, tunnel: TunnelId, remote: Option<IpAddr>) -> u64 {
        let (hi, lo, kind) = match remote {
            None => (0, 0, 0),
            Some(IpAddr::V4(a)) => (0, u64::from(a.to_bits()), 4),
            Some(IpAddr::V6(a)) => {
                let n = a.to_bits();
                ((n >> 64) as u64, n as u64, 6)
            }
        };
        // Zero is no key. Two addresses with one hash share a place, whose owner looks closer.
        self.key.hash([hi, lo], u64::from(tunnel.0) << 8 | kind) | 1
    }

    fn write(&self) -> Writing<'_> {
        while self
            .writing
            .compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            core::hint::spin_loop();
        }
        Writing(&self.writing)
    }

    /// Names a new association.
    pub(crate) fn allocate(&self, tunnel: TunnelId) -> Result<SaId, DirectoryError> {
        let _one = self.write();
        let count = self.count.load(Ordering::Relaxed);
        if count == 0 {
            return Err(DirectoryError::Full);
        }
        let head = self.head.load(Ordering::Relaxed);
        let free = self.free.get(head as usize).ok_or(DirectoryError::Full)?;
        let at = free.load(Ordering::Relaxed);
        let word = self.places.get(at as usize).ok_or(DirectoryError::Full)?;
        self.head
            .store((head + 1) % self.places.len() as u32, Ordering::Relaxed);
        self.count.store(count - 1, Ordering::Relaxed);
        let epoch = epoch_of(word.load(Ordering::Relaxed)).wrapping_add(1) & 0xfff;
        let live = LIVE | u64::from(epoch) << 32 | u64::from(tunnel.0);
        word.store(live, Ordering::Release);
        Ok(SaId(epoch << PLACE_BITS | at))
    }

    /// Gives the place of an association back.
    pub(crate) fn free(&self, sa: SaId) {
        let _one = self.write();
        let Some(word) = self.places.get(place(sa)) else {
            return;
        };
        let now = word.load(Ordering::Relaxed);
        if now & LIVE == 0 || epoch_of(now) != sa.0 >> PLACE_BITS {
            return;
        }
        word.store(now & !LIVE & (0xfff << 32), Ordering::Release);
        let count = self.count.load(Ordering::Relaxed);
        let tail = (self.head.load(Ordering::Relaxed) + count) % self.places.len() as u32;
        if let Some(free) = self.free.get(tail as usize) {
            free.store(place(sa) as u32, Ordering::Relaxed);
            self.count.store(count + 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_inbound(
        &self,
        spi: u32,
        protocol: u8,
        to: IpAddr,
        sa: SaId,
        owner: WorkerId,
    ) -> Result<(), DirectoryError> {
        let _one = self.write();
        let shard = Shard { owner, newest: sa };
        let key = inbound_key(spi, protocol, to);
        Ok(self.inbound.insert(key, shard.pack())?)
    }

    pub(crate) fn remove_inbound(&self, spi: u32, protocol: u8, to: IpAddr) {
        let _one = self.write();
        self.inbound.remove(inbound_key(spi, protocol, to));
    }

    /// Gives an inbound association to another worker: packets go there from now on.
    pub(crate) fn move_inbound(
        &self,
        spi: u32,
        protocol: u8,
        to: IpAddr,
        sa: SaId,
        owner: WorkerId,
    ) {
        let _one = self.write();
        let shard = Shard { owner, newest: sa };
        self.inbound
            .set(inbound_key(spi, protocol, to), shard.pack());
    }

    /// Puts an association in front of the others of its tunnel and remote address, which must be
    /// the same worker's. The one that was in front before.
    pub(crate) fn push_outbound(
        &self,
        tunnel: TunnelId,
        remote: Option<IpAddr>,
        sa: SaId,
        owner: WorkerId,
    ) -> Result<Option<SaId>, DirectoryError> {
        let _one = self.write();
        let key = self.outbound_key(tunnel, remote);
        let shard = Shard { owner, newest: sa }.pack();
        match self.outbound.get(key).map(Shard::unpack) {
            Some(before) if before.owner != owner => Err(DirectoryError::OtherWorker(before.owner)),
            Some(before) => {
                self.outbound.set(key, shard);
                Ok(Some(before.newest))
            }
            None => {
                self.outbound.insert(key, shard)?;
                Ok(None)
            }
        }
    }

    /// Puts another association in front, or takes the entry out when there is none.
    pub(crate) fn set_outbound(
        &self,
        tunnel: TunnelId,
        remote: Option<IpAddr>,
        front: Option<(SaId, WorkerId)>,
    ) {
        let _one = self.write();
        let key = self.outbound_key(tunnel, remote);
        match front {
            Some((newest, owner)) => {
                self.outbound.set(key, Shard { owner, newest }.pack());
            }
            None => {
                self.outbound.remove(key);
            }
        }
    }
}

/// The place of an association in arrays.
#[inline]
pub(crate) const fn place(sa: SaId) -> usize {
    (sa.0 & (PLACES as u32 - 1)) as usize
}

const fn epoch_of(word: u64) -> u32 {
    (word >> 32) as u32 & 0xfff
}

/// SPI, and enough of protocol and destination that two associations of one SPI differ; should
/// they not, the second is refused. The owner compares all three.
#[inline]
const fn inbound_key(spi: u32, protocol: u8, to: IpAddr) -> u64 {
    let tag = match to {
        IpAddr::V4(a) => a.to_bits() as u64 | 1 << 40,
        IpAddr::V6(a) => {
            let n = a.to_bits();
            crate::table::mix((n >> 64) as u64) ^ n as u64
        }
    };
    let tag = crate::table::mix(tag ^ (protocol as u64) << 48);
    // A real SPI is not zero, and so is no key.
    (spi as u64) << 32 | tag >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(max: usize) -> Directory {
        Directory::new(max, HashKey::new([7; 16]))
    }

    #[test]
    fn names_are_used_again_as_late_as_possible() {
        let d = directory(3);
        let tunnel = TunnelId(9);
        let [a, b, c] = [0; 3].map(|_| d.allocate(tunnel).unwrap());
        assert_eq!(d.allocate(tunnel), Err(DirectoryError::Full));
        assert_eq!((d.len(), d.tunnel_of(b)), (3, Some(tunnel)));
        d.free(b);
        d.free(b);
        assert_eq!((d.len(), d.tunnel_of(b)), (2, None));
        d.free(a);
        let again = d.allocate(TunnelId(1)).unwrap();
        assert_eq!(place(again), place(b));
        assert_ne!(again, b);
        assert_eq!(
            (d.tunnel_of(b), d.tunnel_of(again)),
            (None, Some(TunnelId(1)))
        );
        assert_eq!(d.tunnel_of(c), Some(tunnel));
        d.free(SaId(u32::MAX));
        assert_eq!(d.len(), 2);
    }

    // RFC 4301 §4.1, §4.4.2: an association is named by SPI, destination and protocol.
    #[test]
    fn one_spi_may_stand_for_several() {
        let d = directory(8);
        let to = |text: &str| text.parse::<IpAddr>().unwrap();
        let (one, two) = (SaId(1), SaId(2));
        let me = WorkerId(0);
        d.add_inbound(300, 50, to("192.0.2.1"), one, me).unwrap();
        let again = d.add_inbound(300, 50, to("192.0.2.1"), two, me);
        assert_eq!(again, Err(DirectoryError::SpiTaken));
        d.add_inbound(300, 51, to("192.0.2.1"), two, me).unwrap();
        d.add_inbound(300, 50, to("192.0.2.2"), two, WorkerId(5))
            .unwrap();
        d.add_inbound(300, 50, to("2001:db8::2"), SaId(3), me)
            .unwrap();
        let found = |protocol, text| d.inbound(300, protocol, to(text));
        assert_eq!(found(50, "192.0.2.1"), Some((one, me)));
        assert_eq!(found(51, "192.0.2.1"), Some((two, me)));
        assert_eq!(found(50, "192.0.2.2"), Some((two, WorkerId(5))));
        assert_eq!(found(50, "2001:db8::3"), None);
        d.move_inbound(300, 50, to("192.0.2.1"), one, WorkerId(3));
        assert_eq!(found(50, "192.0.2.1"), Some((one, WorkerId(3))));
        d.remove_inbound(300, 50, to("192.0.2.1"));
        assert_eq!(found(50, "192.0.2.1"), None);
        assert_eq!(found(51, "192.0.2.1"), Some((two, me)));
    }

    #[test]
    fn a_shard_is_one_workers() {
        let d = directory(8);
        let (tunnel, remote) = (TunnelId(1), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(
            d.push_outbound(tunnel, remote, SaId(1), WorkerId(0)),
            Ok(None)
        );
        assert_eq!(
            d.push_outbound(tunnel, remote, SaId(2), WorkerId(0)),
            Ok(Some(SaId(1)))
        );
        assert_eq!(
            d.push_outbound(tunnel, remote, SaId(3), WorkerId(1)),
            Err(DirectoryError::OtherWorker(WorkerId(0)))
        );
        assert_eq!(
            d.push_outbound(tunnel, None, SaId(3), WorkerId(1)),
            Ok(None)
        );
        let (owner, newest) = (WorkerId(0), SaId(2));
        assert_eq!(d.outbound(tunnel, remote), Some(Shard { owner, newest }));
        assert_eq!(d.outbound(TunnelId(2), remote), None);
        d.set_outbound(tunnel, remote, Some((SaId(1), WorkerId(4))));
        assert_eq!(d.outbound(tunnel, remote).unwrap().owner, WorkerId(4));
        d.set_outbound(tunnel, remote, None);
        assert_eq!(d.outbound(tunnel, remote), None);
    }
}
