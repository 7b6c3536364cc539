//! Fragments in, datagrams out.

use alloc::vec::Vec;
use core::time::Duration;

use super::config::{Config, Ipv4Overlap};
use super::detail::{FragmentDetail, Overlap};
use super::piece::{Key, Piece, Reading, read};
use super::table::{Entry, Table};
use crate::action::Cx;
use crate::checksum;
use crate::event::Class;
use crate::flow::FlowKey;
use crate::hooks::Timers;
use crate::layout::IpVersion;
use crate::packet::Packet;
use crate::pool::{NIL, Pool};
use crate::reason::{self, Reason};
use crate::time::Instant;

/// The most datagrams one call of [`Timers::handle_deadline`] gives up.
const EXPIRE_AT_ONCE: usize = 64;

/// The most datagrams whose time is up that one packet gives up on its way.
const EXPIRE_BY_PACKET: usize = 4;

/// What became of a packet.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every case")]
pub enum Outcome<'r> {
    /// The packet is not a fragment: go on with it.
    Whole,
    /// The fragment was taken (or is a duplicate of one that was); the datagram is incomplete.
    Pending,
    /// The fragment completed its datagram: go on with that instead.
    Complete(Reassembled<'r>),
    /// The fragment, or its whole datagram, was discarded.
    Dropped(Reason),
}

/// A datagram put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reassembled<'r> {
    /// The IP packet: the first fragment's header put right, and all the data.
    pub bytes: &'r [u8],
    /// Numbers of the packets it came in, in the order of their data.
    pub packets: &'r [u64],
}

/// What is kept with each block of data.
#[derive(Clone, Copy, Debug, Default)]
struct Tag {
    packet: u64,
    /// The block begins, or ends, a fragment.
    first: bool,
    last: bool,
}

/// How a piece lies to what has arrived.
enum Fit {
    Free,
    Duplicate,
    Overlaps(Overlap),
}

/// Puts fragments together; one for each worker.
///
/// A fragment costs a search by key, a walk over the fragments of its datagram and a copy. Whole
/// packets cost a look at their layout.
#[derive(Debug)]
pub struct FragmentReassembler {
    config: Config,
    pool: Pool<Tag>,
    table: Table,
    whole: Vec<u8>,
    packets: Vec<u64>,
    told: Option<(Reason, Option<Overlap>)>,
}

impl Default for FragmentReassembler {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl FragmentReassembler {
    /// A reassembler with these bounds. Takes no memory before the first fragment.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            pool: Pool::new(config.blocks, config.block_size),
            table: Table::new(),
            whole: Vec::new(),
            packets: Vec::new(),
            told: None,
            config,
        }
    }

    /// The bounds in force.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Blocks of memory in use; at most [`Config::blocks`].
    #[must_use]
    pub const fn blocks_in_use(&self) -> u32 {
        self.pool.used()
    }

    /// Datagrams remembered, discarded ones included; at most [`Config::datagrams`].
    #[must_use]
    pub fn datagrams(&self) -> usize {
        self.table.len()
    }

    /// What was told of the packet taken last, if something was wrong with it in view of the
    /// fragments before: for controls that act on it. Nothing for what follows a datagram that was
    /// discarded already.
    #[must_use]
    pub const fn told(&self) -> Option<(Reason, Option<Overlap>)> {
        self.told
    }

    /// Takes a packet.
    pub fn push(&mut self, packet: &Packet<'_>, cx: &mut Cx<'_>) -> Outcome<'_> {
        self.told = None;
        let piece = match read(packet, self.config.ipv4_discard_tiny) {
            Reading::Whole => return Outcome::Whole,
            Reading::Piece(piece) => piece,
            Reading::Bad(why, piece) => {
                let detail = match piece {
                    Some(piece) => Some(detail(&piece, None)),
                    None => detail_of(packet),
                };
                if let Some(detail) = detail {
                    tell(cx, why, packet.key(), detail);
                }
                return Outcome::Dropped(why);
            }
        };
        let now = cx.now.mono;
        self.expire(cx, EXPIRE_BY_PACKET);
        let mut found = self.table.find(&piece.key);
        if let Some(index) = found
            && self.table.entry(index).is_some_and(|e| e.deadline <= now)
        {
            self.give_up(index, reason::FRAGMENT_TIMEOUT, cx);
            found = None;
        }
        let index = match found {
            Some(index) => index,
            None => match self.open(&piece.key, packet.number, cx) {
                Some(index) => index,
                None => return Outcome::Dropped(reason::FRAGMENT_MEMORY),
            },
        };
        if let Some(why) = self.table.entry(index).and_then(|e| e.dead) {
            return Outcome::Dropped(why);
        }
        match self.add(index, &piece, packet, cx) {
            Err(refusal) => {
                let entry = self.table.entry(index);
                let mut detail = detail(&piece, entry);
                detail.overlap = refusal.overlap;
                self.told = Some((refusal.why, refusal.overlap));
                tell(cx, refusal.why, packet.key(), detail);
                self.bury(index, refusal.why, now);
                Outcome::Dropped(refusal.why)
            }
            Ok(false) => Outcome::Pending,
            Ok(true) => match self.build(index) {
                Err(why) => {
                    tell(
                        cx,
                        why,
                        packet.key(),
                        detail(&piece, self.table.entry(index)),
                    );
                    self.bury(index, why, now);
                    Outcome::Dropped(why)
                }
                Ok(()) => {
                    self.release(index);
                    self.table.close(index);
                    Outcome::Complete(Reassembled {
                        bytes: &self.whole,
                        packets: &self.packets,
                    })
                }
            },
        }
    }

    /// A new entry, for which others may have to go.
    fn open(&mut self, key: &Key, packet: u64, cx: &mut Cx<'_>) -> Option<u32> {
        let timeout = self.timeout(key);
        if self.config.datagrams == 0 || self.config.source_datagrams == 0 {
            return None;
        }
        if self.table.share(key.source).datagrams >= self.config.source_datagrams {
            let oldest = self.table.oldest_of(key.source, false, NIL)?;
            self.give_up(oldest, reason::FRAGMENT_MEMORY, cx);
        }
        if self.table.len() >= self.config.datagrams as usize {
            let oldest = self.table.oldest()?;
            self.give_up(oldest, reason::FRAGMENT_MEMORY, cx);
        }
        Some(self.table.open(*key, cx.now.mono, timeout, packet))
    }

    /// Adds a piece; `Ok(true)` when the datagram is complete with it.
    fn add(
        &mut self,
        index: u32,
        piece: &Piece<'_>,
        packet: &Packet<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<bool, Refusal> {
        let Some(entry) = self.table.entry(index) else {
            return Ok(false);
        };
        let end = piece.end();
        let contradicts = match entry.end {
            Some(known) => end > known || !piece.more && end < known,
            None => !piece.more && self.last_end(entry) > end,
        };
        if contradicts {
            return Err(Refusal::of(reason::FRAGMENT_BAD_END));
        }
        let fragments = entry.fragments;
        match self.fit(entry, piece) {
            Fit::Duplicate => return Ok(false),
            Fit::Free => {}
            Fit::Overlaps(overlap) => {
                // RFC 5722 §4: the datagram and all its fragments are discarded.
                let first_wins = self.config.ipv4_overlap == Ipv4Overlap::FirstWins;
                if piece.key.version() == IpVersion::V6 || !first_wins {
                    return Err(Refusal {
                        why: reason::FRAGMENT_OVERLAP,
                        overlap: Some(overlap),
                    });
                }
                let mut detail = detail(piece, Some(entry));
                detail.overlap = Some(overlap);
                self.told = Some((reason::FRAGMENT_OVERLAP, Some(overlap)));
                tell(cx, reason::FRAGMENT_OVERLAP, packet.key(), detail);
            }
        }
        if fragments >= self.config.fragments {
            return Err(Refusal::of(reason::FRAGMENT_TOO_MANY));
        }
        self.store(index, piece, packet.number, cx)?;
        if piece.offset == 0 {
            self.store_header(index, piece, cx)?;
        }
        let Some(entry) = self.table.entry_mut(index) else {
            return Ok(false);
        };
        entry.fragments += 1;
        entry.ecn |= 1 << piece.ecn;
        if !piece.more {
            entry.end = Some(end);
        }
        Ok(entry.end == Some(entry.received))
    }

    /// Offset behind the last byte that has arrived.
    fn last_end(&self, entry: &Entry) -> u32 {
        let mut end = 0;
        let mut i = entry.data;
        while let Some(node) = self.pool.node(i) {
            end = node.end();
            i = node.next;
        }
        end
    }

    /// Compares a piece with what has arrived.
    fn fit(&self, entry: &Entry, piece: &Piece<'_>) -> Fit {
        let (begin, end) = (u32::from(piece.offset), piece.end());
        let mut same = true;
        let mut length = 0;
        // A duplicate begins where a fragment begins, ends where that one ends, and there is no
        // other end between.
        let mut duplicate = false;
        let mut i = entry.data;
        while let Some(node) = self.pool.node(i) {
            if node.at >= end {
                break;
            }
            if node.end() > begin {
                let from = node.at.max(begin);
                let to = node.end().min(end);
                let held = self.pool.data(i);
                let held = held.get((from - node.at) as usize..(to - node.at) as usize);
                let new = piece
                    .data
                    .get((from - begin) as usize..(to - begin) as usize);
                same &= held == new;
                if length == 0 {
                    duplicate = node.at == begin && node.meta.first;
                } else {
                    duplicate &= !node.meta.first;
                }
                duplicate &= node.meta.last == (node.end() == end) && node.end() <= end;
                length += to - from;
            }
            i = node.next;
        }
        if length == 0 {
            Fit::Free
        } else if duplicate && same && length == end - begin {
            Fit::Duplicate
        } else {
            Fit::Overlaps(Overlap {
                same_data: same,
                length,
            })
        }
    }

    /// Stores the parts of a piece that have not arrived yet.
    fn store(
        &mut self,
        index: u32,
        piece: &Piece<'_>,
        packet: u64,
        cx: &mut Cx<'_>,
    ) -> Result<(), Refusal> {
        let mut at = u32::from(piece.offset);
        let end = piece.end();
        let mut before = NIL;
        let mut after = self.table.entry(index).map_or(NIL, |e| e.data);
        while at < end {
            // Behind what begins before `at` …
            if let Some(node) = self.pool.node(after)
                && node.at <= at
            {
                at = at.max(node.end());
                before = after;
                after = node.next;
                continue;
            }
            // … and before what begins behind it.
            let until = self.pool.node(after).map_or(end, |n| n.at.min(end));
            let skip = (at - u32::from(piece.offset)) as usize;
            let part = piece
                .data
                .get(skip..skip + (until - at) as usize)
                .unwrap_or_default();
            let (head, tail) = self.chain(index, part, at, packet, cx)?;
            if let Some(node) = self.pool.node_mut(tail) {
                node.next = after;
            }
            if let Some(node) = self.pool.node_mut(before) {
                node.next = head;
            }
            if let Some(entry) = self.table.entry_mut(index) {
                if before == NIL {
                    entry.data = head;
                }
                entry.received += until - at;
            }
            before = tail;
            at = until;
        }
        Ok(())
    }

    /// Keeps the first fragment's header, with the next header that the whole will have.
    fn store_header(
        &mut self,
        index: u32,
        piece: &Piece<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Refusal> {
        if self.table.entry(index).is_some_and(|e| e.header != NIL) {
            return Ok(());
        }
        let (head, _) = self.chain(index, piece.header, 0, 0, cx)?;
        if let Some(entry) = self.table.entry_mut(index) {
            entry.header = head;
            entry.protocol = piece.protocol;
            entry.protocol_at = piece.protocol_at;
        }
        Ok(())
    }

    /// Copies bytes into a chain of new blocks, for which other datagrams may have to go.
    fn chain(
        &mut self,
        index: u32,
        data: &[u8],
        at: u32,
        packet: u64,
        cx: &mut Cx<'_>,
    ) -> Result<(u32, u32), Refusal> {
        let size = usize::from(self.pool.block_size());
        let needed = data.len().div_ceil(size);
        self.make_room(index, u32::try_from(needed).unwrap_or(u32::MAX), cx)?;
        let (mut head, mut tail) = (NIL, NIL);
        for (n, part) in data.chunks(size).enumerate() {
            let tag = Tag {
                packet,
                first: n == 0,
                last: n + 1 == needed,
            };
            // Room was made, so this does not fail.
            let Some(new) = self.pool.take(at.wrapping_add((n * size) as u32), tag) else {
                break;
            };
            self.pool.append(new, part);
            if let Some(node) = self.pool.node_mut(tail) {
                node.next = new;
            } else {
                head = new;
            }
            tail = new;
            self.table.add_blocks(index, 1);
        }
        Ok((head, tail))
    }

    /// Frees blocks until `needed` are to be had for this datagram.
    fn make_room(&mut self, index: u32, needed: u32, cx: &mut Cx<'_>) -> Result<(), Refusal> {
        let full = Refusal::of(reason::FRAGMENT_MEMORY);
        let Some(source) = self.table.entry(index).map(|e| e.key.source) else {
            return Err(full);
        };
        while self.table.share(source).blocks.saturating_add(needed) > self.config.source_blocks {
            let Some(oldest) = self.table.oldest_of(source, true, index) else {
                return Err(full);
            };
            self.give_up(oldest, reason::FRAGMENT_MEMORY, cx);
        }
        while self.pool.free_blocks() < needed {
            let Some(oldest) = self.table.oldest_live(index) else {
                return Err(full);
            };
            self.give_up(oldest, reason::FRAGMENT_MEMORY, cx);
        }
        Ok(())
    }

    /// Puts the whole together.
    fn build(&mut self, index: u32) -> Result<(), Reason> {
        self.whole.clear();
        self.packets.clear();
        let Some(entry) = self.table.entry(index) else {
            return Err(reason::FRAGMENT_TIMEOUT);
        };
        let mut i = entry.header;
        while let Some(node) = self.pool.node(i) {
            self.whole.extend_from_slice(self.pool.data(i));
            i = node.next;
        }
        let header = self.whole.len();
        i = entry.data;
        while let Some(node) = self.pool.node(i) {
            self.whole.extend_from_slice(self.pool.data(i));
            if self.packets.last() != Some(&node.meta.packet) {
                self.packets.push(node.meta.packet);
            }
            i = node.next;
        }
        if let Some(next) = self.whole.get_mut(entry.protocol_at) {
            *next = entry.protocol;
        }
        // RFC 3168 §5.3: congestion that a fragment met must not be lost.
        const NOT_ECT: u8 = 1 << 0;
        const CE: u8 = 1 << 3;
        let congested = entry.ecn & CE != 0;
        if congested && entry.ecn & NOT_ECT != 0 {
            return Err(reason::FRAGMENT_ECN);
        }
        let version = entry.key.version();
        let counted = match version {
            IpVersion::V4 => self.whole.len(),
            IpVersion::V6 => self.whole.len().saturating_sub(40),
        };
        let length = u16::try_from(counted)
            .map_err(|_| reason::FRAGMENT_TOO_LONG)?
            .to_be_bytes();
        match version {
            IpVersion::V4 => {
                let Some(h) = self.whole.first_chunk_mut::<20>() else {
                    return Err(reason::FRAGMENT_BAD_LENGTH);
                };
                h[1] |= if congested { 3 } else { 0 };
                [h[2], h[3]] = length;
                // No flags, no offset, and the checksum counts as zero while it is computed.
                [h[6], h[7], h[10], h[11]] = [0; 4];
                let sum = checksum::checksum(self.whole.get(..header).unwrap_or_default());
                if let Some(at) = self.whole.get_mut(10..12) {
                    at.copy_from_slice(&sum.to_be_bytes());
                }
            }
            IpVersion::V6 => {
                let Some(h) = self.whole.first_chunk_mut::<40>() else {
                    return Err(reason::FRAGMENT_BAD_LENGTH);
                };
                h[1] |= if congested { 0x30 } else { 0 };
                [h[4], h[5]] = length;
            }
        }
        Ok(())
    }

    const fn timeout(&self, key: &Key) -> Duration {
        match key.version() {
            IpVersion::V4 => self.config.ipv4_timeout,
            IpVersion::V6 => self.config.ipv6_timeout,
        }
    }

    /// Gives an entry's blocks back to the pool.
    fn release(&mut self, index: u32) {
        for chain in self.table.take_blocks(index) {
            self.pool.release_chain(chain);
        }
    }

    /// Discards a datagram and remembers that.
    fn bury(&mut self, index: u32, why: Reason, now: Instant) {
        self.release(index);
        if let Some(timeout) = self.table.entry(index).map(|e| self.timeout(&e.key)) {
            self.table.bury(index, why, now, timeout);
        }
    }

    /// Discards a datagram and forgets it.
    fn give_up(&mut self, index: u32, why: Reason, cx: &mut Cx<'_>) {
        if let Some(entry) = self.table.entry(index).filter(|e| e.dead.is_none()) {
            let detail = FragmentDetail {
                source: entry.key.source,
                destination: entry.key.destination,
                id: entry.key.id,
                protocol: entry.protocol,
                offset: 0,
                length: entry.received,
                fragments: entry.fragments,
                first_packet: entry.first_packet,
                overlap: None,
            };
            tell(cx, why, None, detail);
        }
        self.release(index);
        self.table.close(index);
    }

    fn expire(&mut self, cx: &mut Cx<'_>, most: usize) {
        for _ in 0..most {
            match self.table.next_due() {
                Some((due, index)) if due <= cx.now.mono => {
                    self.give_up(index, reason::FRAGMENT_TIMEOUT, cx);
                }
                _ => break,
            }
        }
    }
}

impl Timers for FragmentReassembler {
    fn next_deadline(&self) -> Option<Instant> {
        self.table.next_due().map(|(due, _)| due)
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        self.expire(cx, EXPIRE_AT_ONCE);
    }
}

/// Why a datagram is discarded.
struct Refusal {
    why: Reason,
    overlap: Option<Overlap>,
}

impl Refusal {
    const fn of(why: Reason) -> Self {
        Self { why, overlap: None }
    }
}

fn detail(piece: &Piece<'_>, entry: Option<&Entry>) -> FragmentDetail {
    FragmentDetail {
        source: piece.key.source,
        destination: piece.key.destination,
        id: piece.key.id,
        protocol: piece.protocol,
        offset: piece.offset,
        length: u32::try_from(piece.data.len()).unwrap_or(u32::MAX),
        fragments: entry.map_or(0, |e| e.fragments),
        first_packet: entry.map_or(0, |e| e.first_packet),
        overlap: None,
    }
}

/// What can be told of a fragment that could not be read.
fn detail_of(packet: &Packet<'_>) -> Option<FragmentDetail> {
    let layout = packet.layout();
    Some(FragmentDetail {
        source: packet.source()?,
        destination: packet.destination()?,
        id: packet.fragment_id()?,
        protocol: layout.protocol(),
        offset: layout.fragment_offset(),
        length: u32::try_from(packet.upper().len()).unwrap_or(u32::MAX),
        fragments: 0,
        first_packet: 0,
        overlap: None,
    })
}

fn tell(cx: &mut Cx<'_>, code: Reason, key: Option<FlowKey>, detail: FragmentDetail) {
    let class = if code == reason::FRAGMENT_MEMORY || code == reason::FRAGMENT_TIMEOUT {
        Class::Capacity
    } else {
        Class::Detection
    };
    if cx.events.wants(class) {
        let mut event = cx.event(code, class, &detail);
        event.key = key;
        cx.events.emit(&event);
    }
}
