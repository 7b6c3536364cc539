//! Scans: many different events of one source.
//!
//! [`classify`] says how suspicious an event is, [`table`] keeps the events of each source, and
//! here is decided what they make together: a fast scan, a slow one, or by the walk over failures and
//! successes (Jung, Paxson, Berger, Balakrishnan 2004) a source that mostly fails.
//!
//! Nothing is swept at the end of an interval: what is over is seen when its source comes back. So
//! no interval is overrun and no detection delayed, however many sources there are.

pub mod classify;
pub(crate) mod observe;
pub(crate) mod signs;
mod table;
pub(crate) mod told;

use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::time::Duration;

use alloc::vec::Vec;
use hostward_hook::action::Cx;
use hostward_hook::flow::{FlowKey, HashKey};
use hostward_hook::layout::proto;
use hostward_hook::reason::Code;
use hostward_hook::time::Instant;

use crate::codes::{
    SCAN_DETAIL, SCAN_FAST, SCAN_SLOW, SCAN_STORAGE_CONSTRAINED, SCAN_STORAGE_UNCONSTRAINED,
    SCAN_WALK,
};
use crate::event::ProbeId;
use crate::policy::{Policy, Protocol, ScanGlobalRule};
use crate::report::{Category, Desk};
use crate::table::FixedMap;
use classify::Suspicion;
use observe::Strays;
use signs::Signs;
use table::{Change, Clock, Item, Place, Sources, flag};
use told::{LISTED, Scan, ScanDetail, ScanItem, ScanKind, ScanStorage};

/// How the interval of fast scans moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it jumps or it slides")]
pub enum Window {
    /// One begins when the other ends, as with z/OS. What falls on both sides of the end is counted
    /// apart.
    #[default]
    Tumbling,
    /// It ends now, to an eighth of its length. The interval of slow scans tumbles nevertheless.
    Sliding,
}

/// How scans are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct ScanConfig {
    /// Sources that are watched: 65,536, of 66 bytes each as long as no threshold is above 10, else of
    /// 16 bytes and 5 for each event up to the greatest threshold. What happens with more stands in
    /// the README. 0 looks for no scans.
    pub sources: usize,
    /// How the fast interval moves.
    pub window: Window,
    /// Failures more than successes at which the walk ends, 1 to 64: 4 is one false alarm in a hundred
    /// decisions about harmless sources that fail at every fifth attempt, 9 one in 100,000. `None`, the
    /// default as with z/OS, does not walk.
    pub walk: Option<u8>,
    /// Whether the addresses of an IPv6 prefix of 64 bits are counted together as well.
    pub prefixes: bool,
}

impl Default for ScanConfig {
    fn default() -> Self {
        Self {
            sources: 65_536,
            window: Window::Tumbling,
            walk: None,
            prefixes: true,
        }
    }
}

/// Events that every place has room for: the default threshold of slow scans.
const STRIDE: usize = 10;

/// The most events of one place: the greatest threshold.
const MOST: usize = 64;

/// Local addresses that are told apart.
const LOCALS: usize = 2047;

/// Addresses of a prefix that must take part, by their hashes.
const SPREAD: u32 = 3;

/// Kinds of items: the protocols of rules in their order, and one for protocols themselves.
const KIND_PROTOCOL: u8 = 4;

/// The bit of a protocol's rules.
const fn bit(protocol: Protocol) -> u8 {
    1 << protocol as u8
}

/// An event as it happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happened {
    pub(crate) source: IpAddr,
    pub(crate) source_port: u16,
    pub(crate) local: IpAddr,
    /// The local port, or the type of a message.
    pub(crate) port: u16,
    /// Whose rule says whether it counts.
    pub(crate) protocol: Protocol,
    /// Whether it was a protocol that was looked for: `port` is its number.
    pub(crate) is_protocol: bool,
    pub(crate) suspicion: Suspicion,
}

impl Happened {
    /// Of the packet that it was, the other end first.
    fn key(&self) -> Option<FlowKey> {
        let (protocol, port) = match self.protocol {
            Protocol::Tcp => (proto::TCP, self.port),
            Protocol::Udp => (proto::UDP, self.port),
            Protocol::Icmp => (proto::ICMP, 0),
            Protocol::Icmpv6 => (proto::ICMPV6, 0),
        };
        let source = SocketAddr::new(self.source, self.source_port);
        FlowKey::new(source, SocketAddr::new(self.local, port), protocol)
    }
}

/// The table is full.
#[derive(Clone, Copy, Debug)]
struct Full {
    since: Instant,
    /// When somebody gave way, or found no place, for the last time.
    last: Instant,
    evicted: u64,
    refused: u64,
    correlator: u32,
}

/// All that is known of scans.
#[derive(Clone, Debug)]
pub(crate) struct Scans {
    config: ScanConfig,
    sources: Sources,
    locals: FixedMap<IpAddr, u16>,
    names: Vec<IpAddr>,
    /// A bit for each protocol that has rules.
    armed: u8,
    /// Microseconds of a unit of time, and the intervals in them.
    unit: u64,
    clock: Clock,
    fast: Duration,
    full: Option<Full>,
    pub(crate) strays: Strays,
    pub(crate) signs: Signs,
}

impl Scans {
    pub(crate) fn new(config: ScanConfig, policy: &Policy) -> Self {
        let mut scans = Self {
            config,
            sources: Sources::new(0, STRIDE),
            locals: FixedMap::new(if config.sources == 0 { 0 } else { LOCALS }),
            names: Vec::with_capacity(if config.sources == 0 { 0 } else { LOCALS }),
            armed: 0,
            unit: 1,
            clock: Clock { fast: 1, slow: 1 },
            fast: Duration::ZERO,
            full: None,
            strays: Strays::default(),
            signs: Signs::default(),
        };
        scans.install(policy, None);
        scans
    }

    pub(crate) const fn set_key(&mut self, key: HashKey) {
        self.sources.set_key(key);
        self.locals.set_key(key);
        self.strays.set_key(key);
    }

    /// Other rules. The table is made anew, and what was seen forgotten, if the rules have other intervals
    /// or need more room for each source.
    pub(crate) fn install(&mut self, policy: &Policy, key: Option<HashKey>) {
        self.armed = 0;
        let Some(rule) = &policy.scan else {
            return;
        };
        if self.config.sources == 0 {
            return;
        }
        for event in &policy.scan_events {
            self.armed |= bit(event.protocol);
        }
        let parts = match self.config.window {
            Window::Tumbling => 1,
            Window::Sliding => 8,
        };
        let minutes = rule.fast_minutes.clamp(1, 1440);
        self.fast = Duration::from_secs(u64::from(minutes) * 60);
        let unit = u64::from(minutes) * 60_000_000 / u64::from(parts);
        let slow = u64::from(rule.slow_minutes.min(1440)) * 60_000_000 / unit;
        let clock = Clock {
            fast: parts,
            slow: u32::try_from(slow).unwrap_or(u32::MAX).max(parts),
        };
        let stride = rule.slow_threshold.max(rule.fast_threshold) as usize;
        let stride = stride.clamp(STRIDE, MOST);
        let same = self.sources.capacity() != 0 && (self.unit, self.clock) == (unit, clock);
        if !same || self.sources.stride() < stride {
            self.sources = Sources::new(self.config.sources, stride);
            if let Some(key) = key {
                self.sources.set_key(key);
            }
            (self.unit, self.clock) = (unit, clock);
        }
    }

    /// Whether events of a protocol may count.
    #[inline]
    pub(crate) const fn is_armed(&self, protocol: Protocol) -> bool {
        self.armed & bit(protocol) != 0
    }

    /// Whether any may.
    #[inline]
    pub(crate) const fn is_on(&self) -> bool {
        self.armed != 0
    }

    /// Bytes of the table of sources.
    pub(crate) const fn memory(&self) -> usize {
        self.sources.memory()
    }

    fn unit_of(&self, now: Instant) -> u32 {
        let unit = now.as_micros().checked_div(self.unit).unwrap_or(0);
        u32::try_from(unit).unwrap_or(u32::MAX)
    }

    /// The number of a local address; those beyond the bound share the last one.
    fn local(&mut self, address: IpAddr) -> u16 {
        let next = u16::try_from(self.names.len()).unwrap_or(u16::MAX);
        let number = self.locals.entry(&address, || next).copied();
        match number {
            Some(n) => {
                if n == next && self.names.len() < LOCALS {
                    self.names.push(address);
                }
                n
            }
            None => LOCALS as u16,
        }
    }

    /// An event of a scan, perhaps.
    #[inline(never)]
    pub(crate) fn happened(
        &mut self,
        policy: &Policy,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        h: &Happened,
    ) {
        let Some(global) = policy.scan.as_ref().filter(|_| self.is_armed(h.protocol)) else {
            return;
        };
        let Some(rule) = policy.scan_event(h.protocol, h.local, h.port) else {
            return;
        };
        if rule.excludes(h.source, h.source_port) {
            return;
        }
        if h.suspicion.counts(rule.sensitivity) {
            if h.suspicion != Suspicion::Normal && !h.is_protocol {
                let source = self.sources.mark(h.source, 128);
                let port = self.sources.mark(h.local, h.port as u8) ^ u64::from(h.port);
                self.signs.event(policy, desk, cx, (source, port));
            }
            self.count(global, desk, cx, h, h.source, 128);
            if self.config.prefixes
                && let IpAddr::V6(a) = h.source
            {
                let prefix = Ipv6Addr::from_bits(a.to_bits() & !u128::from(u64::MAX));
                self.count(global, desk, cx, h, prefix.into(), 64);
            }
        } else if self.config.walk.is_some() && h.suspicion == Suspicion::Normal {
            self.success(h, cx.now.mono);
        }
    }

    /// What succeeds speaks for a source that has failed.
    fn success(&mut self, h: &Happened, now: Instant) {
        let mark = self.sources.mark(h.source, 128);
        let unit = self.unit_of(now);
        if self.sources.find(mark).is_none() {
            return;
        }
        let item = Item::new(h.protocol as u8, 0, self.local(h.local), h.port);
        if let Place::At(at) = self.sources.place(mark, unit, self.clock)
            && self.sources.note(at, item, unit).new
            && let Some(head) = self.sources.head(at)
        {
            head.score = head.score.saturating_sub(1).max(-64);
        }
    }

    fn count(
        &mut self,
        global: &ScanGlobalRule,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        h: &Happened,
        source: IpAddr,
        prefix: u8,
    ) {
        let unit = self.unit_of(cx.now.mono);
        let mark = self.sources.mark(source, prefix);
        let at = match self.sources.place(mark, unit, self.clock) {
            Place::At(at) => at,
            Place::InsteadOf(at) => {
                self.pressed(global, desk, cx, (1, 0));
                at
            }
            Place::None => {
                self.pressed(global, desk, cx, (0, 1));
                return;
            }
        };
        let own = self.sources.mark(h.source, 128);
        let Some(head) = self.sources.head(at) else {
            return;
        };
        // After a fast scan was told, what follows in its interval is no news.
        if head.flags & flag::FAST != 0 {
            return;
        }
        head.spread |= 1 << (own & 7);
        let kind = if h.is_protocol {
            KIND_PROTOCOL
        } else {
            h.protocol as u8
        };
        let level = h.suspicion as u8 + 1;
        let local = self.local(h.local);
        let item = Item::new(kind, level, local, h.port);
        let change = self.sources.note(at, item, unit);
        self.judge(global, desk, cx, at, (source, prefix), h, change);
    }

    #[expect(clippy::too_many_arguments, reason = "what a decision needs")]
    fn judge(
        &mut self,
        global: &ScanGlobalRule,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        at: usize,
        (source, prefix): (IpAddr, u8),
        h: &Happened,
        change: Change,
    ) {
        let walk = self.config.walk.map(|w| i32::from(w.clamp(1, 64)));
        let Some(head) = self.sources.head(at) else {
            return;
        };
        if change.new {
            let weight = match h.suspicion {
                Suspicion::Very => 2,
                Suspicion::Possibly => 1,
                Suspicion::Normal => 0,
            };
            head.score = head.score.saturating_add(weight).min(64);
        }
        // A prefix is told of when several of its addresses took part; one alone is told of as such.
        if prefix < 128 && head.spread.count_ones() < SPREAD {
            return;
        }
        let fast = change.fast >= global.fast_threshold.max(1);
        let slow = global.slow_minutes != 0
            && change.slow >= global.slow_threshold.max(1)
            && head.flags & flag::SLOW == 0;
        let walked = walk
            .filter(|w| i32::from(head.score) >= *w && head.flags & (flag::WALK | flag::SLOW) == 0);
        let mut flags = head.flags;
        if fast {
            flags |= flag::FAST;
        }
        if slow {
            flags |= flag::SLOW;
        }
        if walked.is_some() {
            flags |= flag::WALK;
        }
        head.flags = flags;
        let who = (source, (prefix < 128).then_some(prefix), h.key());
        if fast {
            let threshold = (global.fast_threshold, global.fast_minutes);
            self.tell(global, desk, cx, at, who, (ScanKind::Fast, threshold));
        }
        if slow {
            let threshold = (global.slow_threshold, global.slow_minutes);
            self.tell(global, desk, cx, at, who, (ScanKind::Slow, threshold));
        }
        // What the thresholds tell needs not be told once more.
        if let Some(w) = walked
            && !fast
            && !slow
        {
            let threshold = (u32::try_from(w).unwrap_or(0), global.slow_minutes);
            self.tell(global, desk, cx, at, who, (ScanKind::Walk, threshold));
        }
    }

    #[cold]
    fn tell(
        &self,
        global: &ScanGlobalRule,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        at: usize,
        (source, prefix, key): (IpAddr, Option<u8>, Option<FlowKey>),
        (kind, (threshold, minutes)): (ScanKind, (u32, u32)),
    ) {
        let code = match kind {
            ScanKind::Fast => SCAN_FAST,
            ScanKind::Slow => SCAN_SLOW,
            ScanKind::Walk => SCAN_WALK,
        };
        desk.settle(cx, Category::Scan);
        let channels = desk.admit(Category::Scan, &global.rule, (false, false), cx.now.mono);
        let correlator = desk.correlator();
        let mut counts = [0_u32; 4];
        let mut items = [None; LISTED];
        let mut listed = items.iter_mut();
        let mut count = 0;
        for (item, fresh) in self.sources.items(at) {
            if kind == ScanKind::Fast && !fresh || item.level() == 0 {
                continue;
            }
            count += 1;
            if let Some(n) = counts.get_mut(usize::from(item.level())) {
                *n += 1;
            }
            if let Some(slot) = listed.next() {
                *slot = Some(self.show(item));
            }
        }
        let [_, normal, possibly, very] = counts;
        let told = |code| Desk::told(&global.rule, correlator, probe(code), channels);
        let detail = Scan {
            source,
            prefix,
            kind,
            very,
            possibly,
            normal,
            threshold,
            minutes,
            told: told(code),
        };
        Desk::tell(cx, code, channels, key, &detail);
        if global.rule.reports.detail && channels.log.is_some() {
            let detail = ScanDetail {
                source,
                count,
                items,
                told: told(SCAN_DETAIL),
            };
            Desk::tell(cx, SCAN_DETAIL, channels, key, &detail);
        }
        if let Some(defense) = global.defense.filter(|_| prefix.is_none()) {
            desk.defend(cx, &defense, source, code, false);
        }
    }

    fn show(&self, item: Item) -> ScanItem {
        let (protocol, port) = match item.kind() {
            0 => (proto::TCP, item.port()),
            1 => (proto::UDP, item.port()),
            2 => (proto::ICMP, item.port()),
            3 => (proto::ICMPV6, item.port()),
            _ => (item.port() as u8, 0),
        };
        ScanItem {
            protocol,
            local: self.names.get(usize::from(item.address())).copied(),
            port,
            suspicion: match item.level() {
                3 => Suspicion::Very,
                2 => Suspicion::Possibly,
                _ => Suspicion::Normal,
            },
        }
    }

    /// Somebody gave way, or found no place.
    #[cold]
    fn pressed(
        &mut self,
        global: &ScanGlobalRule,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        (evicted, refused): (u64, u64),
    ) {
        let now = cx.now.mono;
        if let Some(full) = &mut self.full {
            full.last = now;
            full.evicted = full.evicted.saturating_add(evicted);
            full.refused = full.refused.saturating_add(refused);
            return;
        }
        let full = Full {
            since: now,
            last: now,
            evicted,
            refused,
            correlator: desk.correlator(),
        };
        self.full = Some(full);
        self.tell_full(global, desk, cx, &full, true);
    }

    fn tell_full(
        &self,
        global: &ScanGlobalRule,
        desk: &mut Desk,
        cx: &mut Cx<'_>,
        full: &Full,
        constrained: bool,
    ) {
        let code = if constrained {
            SCAN_STORAGE_CONSTRAINED
        } else {
            SCAN_STORAGE_UNCONSTRAINED
        };
        desk.settle(cx, Category::Scan);
        let channels = desk.admit(Category::Scan, &global.rule, (false, false), cx.now.mono);
        let lasted = cx.now.mono.saturating_since(full.since).as_secs();
        let detail = ScanStorage {
            constrained,
            capacity: self.sources.capacity() as u64,
            evicted: full.evicted,
            refused: full.refused,
            duration: if constrained { 0 } else { lasted },
            told: Desk::told(&global.rule, full.correlator, probe(code), channels),
        };
        Desk::tell(cx, code, channels, None, &detail);
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.full.map(|f| f.last.saturating_add(self.fast))
    }

    pub(crate) fn handle_deadline(&mut self, policy: &Policy, desk: &mut Desk, cx: &mut Cx<'_>) {
        let now = cx.now.mono;
        let Some(full) = &mut self.full else {
            return;
        };
        if now < full.since {
            // The clock was set back.
            (full.since, full.last) = (now, now);
        }
        if now < full.last.saturating_add(self.fast) {
            return;
        }
        if let (Some(full), Some(global)) = (self.full.take(), &policy.scan) {
            self.tell_full(global, desk, cx, &full, false);
        }
    }
}

/// Scans are family 3; 0 as type is a scan that was recognised.
const fn probe(code: Code) -> ProbeId {
    ProbeId::new(0x0300_8000 | (code.get() as u32).saturating_sub(3000))
}
