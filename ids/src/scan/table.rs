//! What is kept of each source, in fixed memory: 66 bytes for ten events.
//!
//! A source has its place in one of two buckets of eight that a keyed hash of its address names, so
//! that it is found, or another one gives way, in constant time. It is known by 64 bits of that
//! hash alone.
//!
//! When both buckets are full, who gives way to a new source? First those whose interval is over,
//! then of those with a single event the one that was silent for the longest time, then of those
//! with more the one that was silent the longest, but only after a quarter of the slow interval.
//! If there is none the new source is not watched. So whoever has shown two events and shows
//! another one in time is never pushed out, by however many sources that somebody makes up.

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_hook::flow::HashKey;

use crate::table::address_words;

const WAYS: usize = 8;

/// Bits of [`Head::flags`].
pub(super) mod flag {
    /// A fast scan was told, and not all of its events are over.
    pub(crate) const FAST: u8 = 1;
    /// A slow scan was told.
    pub(crate) const SLOW: u8 = 2;
    /// The walk has arrived.
    pub(crate) const WALK: u8 = 4;
}

/// A source but for its events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    /// Of the address; 0 is nobody.
    mark: u64,
    /// The unit of time of the last event.
    last: u32,
    /// Failures less successes.
    pub(super) score: i8,
    pub(super) flags: u8,
    /// How many events.
    len: u8,
    /// For prefixes: a bit each, by a hash, for the addresses that took part.
    pub(super) spread: u8,
}

/// How time is cut up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Units in which an event is part of a fast scan.
    pub(super) fast: u32,
    /// Units of the interval of slow scans, at least those of the fast one.
    pub(super) slow: u32,
}

/// What became of a look-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It stands here.
    At(usize),
    /// It stands here now, and somebody gave way who was still watched.
    InsteadOf(usize),
    /// There is no place.
    None,
}

/// How suspicious an item is; 0 is a success, which does not count.
const LEVEL: u32 = 3 << 27;

/// An event in 32 bits: kind, level, local address, port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Item(u32);

impl Item {
    /// `kind` up to 7, `level` up to 3, `address` up to 2,047.
    pub(super) const fn new(kind: u8, level: u8, address: u16, port: u16) -> Self {
        Self(
            (kind as u32 & 7) << 29
                | (level as u32 & 3) << 27
                | (address as u32 & 0x7ff) << 16
                | port as u32,
        )
    }

    pub(super) const fn kind(self) -> u8 {
        (self.0 >> 29) as u8
    }

    pub(super) const fn level(self) -> u8 {
        (self.0 >> 27 & 3) as u8
    }

    pub(super) const fn address(self) -> u16 {
        (self.0 >> 16 & 0x7ff) as u16
    }

    pub(super) const fn port(self) -> u16 {
        self.0 as u16
    }

    const fn is_like(self, other: Self) -> bool {
        (self.0 ^ other.0) & !LEVEL == 0
    }
}

/// How an event changed its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    /// It is new within the slow interval.
    pub(super) new: bool,
    /// It is worse than it was.
    pub(super) worse: bool,
    /// Events that count, within the fast interval.
    pub(super) fast: u32,
    /// Events that count, within the slow interval.
    pub(super) slow: u32,
}

/// All sources.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    key: HashKey,
    heads: Vec<Head>,
    items: Vec<Item>,
    /// When an item was last seen: 1 and the unit modulo 255; 0 is before the fast interval.
    stamps: Vec<u8>,
    stride: usize,
}

/// What stands for a unit of time.
const fn stamp(unit: u32) -> u8 {
    (unit % 255) as u8 + 1
}

/// Units since an item that was seen at most 254 units ago.
const fn age(stamp: u8, unit: u32) -> u32 {
    (unit % 255 + 255 - (stamp as u32 - 1)) % 255
}

impl Sources {
    pub(super) fn new(sources: usize, stride: usize) -> Self {
        let places = match sources {
            0 => 0,
            n => n.next_multiple_of(WAYS),
        };
        Self {
            key: HashKey::new([0; 16]),
            heads: vec![Head::default(); places],
            items: vec![Item::default(); places.saturating_mul(stride)],
            stamps: vec![0; places.saturating_mul(stride)],
            stride,
        }
    }

    /// Hashes with this key from now on; before the first event.
    pub(super) const fn set_key(&mut self, key: HashKey) {
        self.key = key;
    }

    pub(super) const fn stride(&self) -> usize {
        self.stride
    }

    /// Places for sources.
    pub(super) const fn capacity(&self) -> usize {
        self.heads.len()
    }

    /// Bytes of all of it.
    pub(super) const fn memory(&self) -> usize {
        self.heads.len() * size_of::<Head>()
            + self.items.len() * size_of::<Item>()
            + self.stamps.len()
    }

    /// The mark of an address, or of a prefix of it.
    pub(super) fn mark(&self, address: IpAddr, prefix: u8) -> u64 {
        let [a, b] = address_words(address);
        self.key.hash([a, b, prefix.into()], 0).max(1)
    }

    fn buckets(&self, mark: u64) -> [core::ops::Range<usize>; 2] {
        let count = (self.heads.len() / WAYS).max(1) as u64;
        let first = ((mark >> 32) * count) >> 32;
        let step = 1 + (((mark & 0xffff_ffff) * count.saturating_sub(1)) >> 32);
        let second = (first + step) % count;
        [first, second].map(|bucket| {
            let at = bucket as usize * WAYS;
            at..at + WAYS
        })
    }

    /// Where a source stands, if it does.
    pub(super) fn find(&self, mark: u64) -> Option<usize> {
        self.buckets(mark).into_iter().find_map(|bucket| {
            let begin = bucket.start;
            let heads = self.heads.get(bucket)?;
            Some(begin + heads.iter().position(|h| h.mark == mark)?)
        })
    }

    /// Where a source stands; it is added if it does not.
    pub(super) fn place(&mut self, mark: u64, unit: u32, clock: Clock) -> Place {
        if let Some(at) = self.find(mark) {
            self.refresh(at, unit, clock);
            return Place::At(at);
        }
        // The least of: over or free, a single event, more but silent for long.
        let mut best: Option<((u8, u32), usize)> = None;
        for bucket in self.buckets(mark) {
            let begin = bucket.start;
            for (n, head) in self.heads.get(bucket).into_iter().flatten().enumerate() {
                let silent = unit.saturating_sub(head.last);
                let class = if head.mark == 0 || is_over(head, unit, clock) {
                    0
                } else if head.len <= 1 {
                    1
                } else if silent > clock.slow / 4 {
                    2
                } else {
                    continue;
                };
                let rank = (class, u32::MAX - silent);
                if best.is_none_or(|(b, _)| rank < b) {
                    best = Some((rank, begin + n));
                }
            }
        }
        let Some(((class, _), at)) = best else {
            return Place::None;
        };
        if let Some(head) = self.heads.get_mut(at) {
            *head = Head {
                mark,
                last: unit,
                ..Head::default()
            };
        }
        if class == 0 {
            Place::At(at)
        } else {
            Place::InsteadOf(at)
        }
    }

    pub(super) fn head(&mut self, at: usize) -> Option<&mut Head> {
        self.heads.get_mut(at)
    }

    /// The events of a source, each with whether it is within the fast interval.
    pub(super) fn items(&self, at: usize) -> impl Iterator<Item = (Item, bool)> + use<'_> {
        let len = self.heads.get(at).map_or(0, |h| usize::from(h.len));
        let range = at * self.stride..at * self.stride + len;
        let items = self.items.get(range.clone()).unwrap_or_default();
        let stamps = self.stamps.get(range).unwrap_or_default();
        items.iter().zip(stamps).map(|(i, s)| (*i, *s != 0))
    }

    /// Forgets what is over.
    fn refresh(&mut self, at: usize, unit: u32, clock: Clock) {
        let Some(head) = self.heads.get_mut(at) else {
            return;
        };
        if is_over(head, unit, clock) {
            *head = Head {
                mark: head.mark,
                last: unit,
                ..Head::default()
            };
            return;
        }
        // A clock that was set back makes nothing older.
        let unit = unit.max(head.last);
        let len = usize::from(head.len);
        let stamps = self.stamps.iter_mut().skip(at * self.stride).take(len);
        let all = unit.saturating_sub(head.last) >= clock.fast;
        let mut fresh = false;
        for s in stamps {
            if *s != 0 && (all || age(*s, unit) >= clock.fast) {
                *s = 0;
            }
            fresh |= *s != 0;
        }
        if !fresh {
            head.flags &= !flag::FAST;
        }
        head.last = unit;
    }

    /// Notes an event of a source that [`place`](Self::place) has just found.
    pub(super) fn note(&mut self, at: usize, item: Item, unit: u32) -> Change {
        let mut change = Change::default();
        let Some(head) = self.heads.get_mut(at) else {
            return change;
        };
        let unit = unit.max(head.last);
        let begin = at * self.stride;
        let range = begin..begin + self.stride;
        let (Some(items), Some(stamps)) = (
            self.items.get_mut(range.clone()),
            self.stamps.get_mut(range),
        ) else {
            return change;
        };
        let len = usize::from(head.len).min(items.len());
        let known = items.iter().take(len).position(|i| i.is_like(item));
        let mut entries = items.iter_mut().zip(stamps.iter_mut());
        if let Some((old, s)) = known.and_then(|n| entries.nth(n)) {
            if item.level() > old.level() {
                change.worse = true;
                change.new = old.level() == 0;
                *old = item;
            }
            *s = stamp(unit);
        } else {
            // Instead of what does not count, or of the least suspicious before the fast interval.
            let free = if len < items.len() {
                Some(len)
            } else {
                let worth = |(n, (i, s)): (usize, (&Item, &u8))| {
                    let level = i.level();
                    (level == 0 || *s == 0).then_some((level, n))
                };
                let all = items.iter().zip(stamps.iter()).enumerate();
                all.filter_map(worth).min().map(|(_, n)| n)
            };
            let mut entries = items.iter_mut().zip(stamps.iter_mut());
            if let Some(n) = free
                && let Some((i, s)) = entries.nth(n)
            {
                (*i, *s) = (item, stamp(unit));
                change.new = true;
                if n == len {
                    head.len = head.len.saturating_add(1);
                }
            }
        }
        let len = usize::from(head.len);
        for (i, s) in items.iter().zip(stamps.iter()).take(len) {
            if i.level() != 0 {
                change.slow += 1;
                change.fast += u32::from(*s != 0);
            }
        }
        change
    }
}

/// Whether the slow interval of a source's last event is over. A clock set back by more than an interval
/// begins a new one.
const fn is_over(head: &Head, unit: u32, clock: Clock) -> bool {
    let length = if clock.slow == 0 { 1 } else { clock.slow };
    let (then, now) = (head.last / length, unit / length);
    now > then || then - now > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: Clock = Clock { fast: 1, slow: 120 };

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn a_million_sources_fit_in_64_mib() {
        assert!(size_of::<Head>() == 16 && size_of::<Item>() == 4);
        let table = Sources::new(1_000_000, 10);
        assert_eq!(table.capacity(), 1_000_000);
        assert!(table.memory() <= 64 << 20, "{}", table.memory());
    }

    /// Against a naive model: a set of keys with the unit each was last seen at.
    #[test]
    fn events_are_unique_and_age() {
        use alloc::collections::BTreeMap;
        arbtest::arbtest(|u| {
            let fast: u32 = *u.choose(&[1, 8])?;
            let clock = Clock { fast, slow: 960 };
            let mut table = Sources::new(8, 64);
            let mark = table.mark(address(1), 128);
            let mut model: BTreeMap<u16, (u8, u32)> = BTreeMap::new();
            let mut unit: u32 = u.int_in_range(0..=100_000)?;
            for _ in 0..u.int_in_range(0..=100)? {
                let before = unit;
                unit += u.int_in_range(0..=10)?;
                if before / 960 != unit / 960 {
                    model.clear();
                }
                let port: u16 = u.int_in_range(0..=63)?;
                let level: u8 = u.int_in_range(1..=3)?;
                let Place::At(at) = table.place(mark, unit, clock) else {
                    panic!("there is room");
                };
                let change = table.note(at, Item::new(0, level, 0, port), unit);
                let new = !model.contains_key(&port);
                let entry = model.entry(port).or_insert((level, unit));
                assert_eq!(change.new, new);
                assert_eq!(change.worse, level > entry.0);
                *entry = (level.max(entry.0), unit);
                let fresh = model.values().filter(|(_, at)| unit - at < fast).count();
                assert_eq!(change.slow as usize, model.len());
                assert_eq!(change.fast as usize, fresh);
            }
            Ok(())
        });
    }

    /// Whoever has shown two events is not pushed out by a hundred times as many sources as there
    /// are places, each with any number of events of its own.
    #[test]
    fn whoever_is_watched_stays() {
        let mut table = Sources::new(1024, 10);
        table.set_key(HashKey::new(*b"0123456789abcdef"));
        let watched: Vec<u64> = (1..=20).map(|n| table.mark(address(n), 128)).collect();
        for m in &watched {
            for port in [1, 2] {
                let Place::At(at) = table.place(*m, 0, CLOCK) else {
                    panic!("there is room");
                };
                table.note(at, Item::new(0, 2, 0, port), 0);
            }
        }
        let mut refused = 0_u32;
        for n in 0..100_000_u32 {
            let mark = table.mark(address(0x0100_0000 + n), 128);
            let unit = n / 4000;
            for port in 0..1 + n as u16 % 3 {
                match table.place(mark, unit, CLOCK) {
                    Place::At(at) | Place::InsteadOf(at) => {
                        table.note(at, Item::new(0, 2, 0, port), unit);
                    }
                    Place::None => refused += 1,
                }
            }
        }
        assert!(refused > 0, "the table was full");
        for m in &watched {
            let at = table.find(*m).unwrap();
            assert_eq!(table.items(at).count(), 2);
        }
        assert_eq!(table.memory(), 1024 * 66);
    }

    /// Who was silent for a quarter of the slow interval gives way when nobody else does.
    #[test]
    fn the_silent_give_way() {
        let mut table = Sources::new(8, 10);
        for n in 0..8 {
            let mark = table.mark(address(n), 128);
            for port in 0..2 {
                let Place::At(at) = table.place(mark, n, CLOCK) else {
                    panic!("there is room");
                };
                table.note(at, Item::new(0, 2, 0, port), n);
            }
        }
        let new = table.mark(address(99), 128);
        assert_eq!(table.place(new, 30, CLOCK), Place::None);
        let oldest = table.find(table.mark(address(0), 128)).unwrap();
        assert_eq!(table.place(new, 31, CLOCK), Place::InsteadOf(oldest));
        // A new source with a single event gives way at once.
        let newer = table.mark(address(100), 128);
        table.note(oldest, Item::new(0, 3, 0, 1), 31);
        assert_eq!(table.place(newer, 31, CLOCK), Place::InsteadOf(oldest));
        // And all do when the interval is over.
        let last = table.mark(address(101), 128);
        assert!(matches!(table.place(last, 120, CLOCK), Place::At(_)));
    }

    #[test]
    fn without_room_nobody_is_watched() {
        let mut table = Sources::new(0, 10);
        assert_eq!(table.place(7, 1, CLOCK), Place::None);
        assert_eq!((table.find(7), table.memory()), (None, 0));
    }

    /// What is full keeps what is suspicious and within the fast interval.
    #[test]
    fn a_full_list_keeps_the_worst() {
        let mut table = Sources::new(8, 3);
        let mark = table.mark(address(1), 128);
        let mut see = |unit, level, port| {
            let Place::At(at) = table.place(mark, unit, CLOCK) else {
                panic!("there is room");
            };
            let change = table.note(at, Item::new(0, level, 0, port), unit);
            let mut ports: Vec<u16> = table.items(at).map(|(i, _)| i.port()).collect();
            ports.sort_unstable();
            (change.new, ports)
        };
        see(0, 0, 1);
        see(0, 3, 2);
        assert_eq!(see(0, 2, 3), (true, vec![1, 2, 3]));
        assert_eq!(see(0, 2, 4), (true, vec![2, 3, 4]), "the success goes");
        assert_eq!(see(0, 2, 5), (false, vec![2, 3, 4]), "all are fresh");
        assert_eq!(see(1, 2, 5), (true, vec![2, 3, 5]), "the least goes");
    }
}
