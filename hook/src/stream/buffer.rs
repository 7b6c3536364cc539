//! Data that waits behind holes: sorted chains of pool blocks, one chain for each side that has a
//! hole, and the order in which those sides have waited.

use alloc::vec::Vec;

use super::config::{Config, OverlapPolicy};
use crate::flow::FlowId;
use crate::hooks::Side;
use crate::pool::{NIL, Pool};
use crate::time::Instant;

/// Names one side's waiting data. Stale once the data was taken away.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handle {
    index: u32,
    epoch: u32,
}

impl Handle {
    pub(super) const NONE: Self = Self {
        index: NIL,
        epoch: 0,
    };

    /// Whether nothing was stored since the state last knew of none. A handle that is not none
    /// may still be stale.
    #[inline]
    pub(super) const fn is_none(self) -> bool {
        self.index == NIL
    }
}

/// The waiting data of one side.
#[derive(Debug)]
struct Queue {
    epoch: u32,
    /// First and last block, sorted by sequence number, not overlapping.
    head: u32,
    tail: u32,
    bytes: u32,
    blocks: u32,
    flow: FlowId,
    side: Side,
    deadline: Instant,
    acked: Instant,
    /// The deadline has passed and the owner was told.
    told: bool,
    older: u32,
    newer: u32,
}

/// Why data could not be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The side has reached its own bound.
    Side,
    /// The pool is used up.
    Pool,
}

/// What became of data that was to be stored.
#[derive(Debug)]
pub(super) struct Stored {
    /// Bytes dealt with, from the front.
    pub(super) done: usize,
    /// Bytes that were there already.
    pub(super) overlap: u32,
    /// Whether some of those were other bytes.
    pub(super) differs: bool,
    /// Why it ended early.
    pub(super) full: Option<Full>,
}

/// A side that lost its waiting data to others.
#[derive(Debug)]
pub(super) struct Victim {
    pub(super) flow: FlowId,
    pub(super) side: Side,
    /// Sequence number of its first waiting byte.
    pub(super) first: u32,
    pub(super) bytes: u32,
}

#[derive(Debug)]
pub(super) struct Queues {
    pool: Pool<()>,
    list: Vec<Queue>,
    free: u32,
    oldest: u32,
    newest: u32,
    live: u32,
    bytes: u64,
}

impl Queues {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            pool: Pool::new(config.blocks, config.block_size),
            list: Vec::new(),
            free: NIL,
            oldest: NIL,
            newest: NIL,
            live: 0,
            bytes: 0,
        }
    }

    pub(super) const fn live(&self) -> u32 {
        self.live
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn blocks(&self) -> u32 {
        self.pool.used()
    }

    fn find(&self, h: Handle) -> Option<&Queue> {
        self.list
            .get(h.index as usize)
            .filter(|q| q.epoch == h.epoch)
    }

    fn find_mut(&mut self, h: Handle) -> Option<&mut Queue> {
        self.list
            .get_mut(h.index as usize)
            .filter(|q| q.epoch == h.epoch)
    }

    /// Bytes waiting, or `None` when nothing waits (or it was taken away).
    pub(super) fn waiting(&self, h: Handle) -> Option<u32> {
        self.find(h).map(|q| q.bytes)
    }

    /// Whether the hole has been open too long.
    pub(super) fn is_due(&self, h: Handle, now: Instant) -> bool {
        self.find(h).is_some_and(|q| q.told || q.deadline <= now)
    }

    pub(super) fn acked(&self, h: Handle) -> Option<Instant> {
        self.find(h).map(|q| q.acked)
    }

    pub(super) fn set_acked(&mut self, h: Handle, now: Instant) {
        if let Some(q) = self.find_mut(h) {
            q.acked = now;
        }
    }

    /// Sequence number of the first waiting byte.
    pub(super) fn first(&self, h: Handle) -> Option<u32> {
        let q = self.find(h)?;
        self.pool.node(q.head).map(|n| n.at)
    }

    /// Sequence number behind the last waiting byte.
    pub(super) fn end(&self, h: Handle) -> Option<u32> {
        let q = self.find(h)?;
        self.pool.node(q.tail).map(|n| n.end())
    }

    /// The bytes of the first block.
    pub(super) fn front(&self, h: Handle) -> &[u8] {
        self.find(h).map_or(&[], |q| self.pool.data(q.head))
    }

    /// Opens an empty queue. Its user must store something or close it.
    pub(super) fn open(&mut self, flow: FlowId, side: Side, deadline: Instant) -> Handle {
        let index = if self.free == NIL {
            let index = u32::try_from(self.list.len()).unwrap_or(NIL);
            self.list.push(Queue {
                epoch: 0,
                head: NIL,
                tail: NIL,
                bytes: 0,
                blocks: 0,
                flow,
                side,
                deadline,
                acked: Instant::ZERO,
                told: false,
                older: NIL,
                newer: NIL,
            });
            index
        } else {
            self.free
        };
        let Some(q) = self.list.get_mut(index as usize) else {
            return Handle::NONE;
        };
        if index == self.free {
            self.free = q.newer;
        }
        q.flow = flow;
        q.side = side;
        q.deadline = deadline;
        q.told = false;
        let handle = Handle {
            index,
            epoch: q.epoch,
        };
        self.live += 1;
        self.push_newest(index);
        handle
    }

    /// Gives everything back and makes the handle stale. Returns the bytes that waited.
    pub(super) fn close(&mut self, h: Handle) -> u32 {
        if self.find(h).is_none() {
            return 0;
        }
        self.unlink(h.index);
        let free = self.free;
        let Some(q) = self.list.get_mut(h.index as usize) else {
            return 0;
        };
        let (head, bytes) = (q.head, q.bytes);
        q.epoch = q.epoch.wrapping_add(1);
        q.head = NIL;
        q.tail = NIL;
        q.bytes = 0;
        q.blocks = 0;
        q.newer = free;
        self.free = h.index;
        self.live = self.live.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(u64::from(bytes));
        self.pool.release_chain(head);
        bytes
    }

    /// Gives the hole a new deadline.
    pub(super) fn touch(&mut self, h: Handle, deadline: Instant) {
        if self.find(h).is_none() {
            return;
        }
        self.unlink(h.index);
        if let Some(q) = self.find_mut(h) {
            q.deadline = deadline;
            q.told = false;
        }
        self.push_newest(h.index);
    }

    /// The deadline that comes first.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.list.get(self.oldest as usize).map(|q| q.deadline)
    }

    /// The flow of one queue whose deadline has passed; it gets the deadline `again`. Queues
    /// whose owner was told before and did nothing are closed on the way.
    pub(super) fn expire(&mut self, now: Instant, again: Instant) -> Option<FlowId> {
        loop {
            let index = self.oldest;
            let q = self.list.get(index as usize)?;
            if q.deadline > now {
                return None;
            }
            let (flow, told, epoch) = (q.flow, q.told, q.epoch);
            let handle = Handle { index, epoch };
            if told {
                self.close(handle);
                continue;
            }
            self.touch(handle, again);
            if let Some(q) = self.find_mut(handle) {
                q.told = true;
            }
            return Some(flow);
        }
    }

    /// Takes the data of the side that has waited longest, `spare` excepted.
    pub(super) fn evict(&mut self, spare: Handle) -> Option<Victim> {
        let mut index = self.oldest;
        if index == spare.index && self.find(spare).is_some() {
            index = self.list.get(index as usize)?.newer;
        }
        let q = self.list.get(index as usize)?;
        let (flow, side, epoch) = (q.flow, q.side, q.epoch);
        let first = self.pool.node(q.head).map_or(0, |n| n.at);
        let bytes = self.close(Handle { index, epoch });
        Some(Victim {
            flow,
            side,
            first,
            bytes,
        })
    }

    fn push_newest(&mut self, index: u32) {
        let older = self.newest;
        if let Some(q) = self.list.get_mut(index as usize) {
            q.older = older;
            q.newer = NIL;
        }
        if let Some(q) = self.list.get_mut(older as usize) {
            q.newer = index;
        } else {
            self.oldest = index;
        }
        self.newest = index;
    }

    fn unlink(&mut self, index: u32) {
        let Some(q) = self.list.get(index as usize) else {
            return;
        };
        let (older, newer) = (q.older, q.newer);
        if let Some(q) = self.list.get_mut(older as usize) {
            q.newer = newer;
        } else {
            self.oldest = newer;
        }
        if let Some(q) = self.list.get_mut(newer as usize) {
            q.older = older;
        } else {
            self.newest = older;
        }
    }

    /// Stores `data`, which begins at `at`, beyond `base`. Bytes that wait already are compared
    /// and by policy kept or replaced.
    pub(super) fn store(
        &mut self,
        h: Handle,
        base: u32,
        mut at: u32,
        data: &[u8],
        config: &Config,
    ) -> Stored {
        let mut result = Stored {
            done: 0,
            overlap: 0,
            differs: false,
            full: None,
        };
        let far = |seq: u32| seq.wrapping_sub(base);
        let Some(index) = self.find(h).map(|_| h.index as usize) else {
            result.full = Some(Full::Side);
            return result;
        };
        let mut before = self.place(index, base, at);
        let mut rest = data;
        loop {
            let mut appendable = false;
            if let Some(node) = self.pool.node(before) {
                let inside = far(node.end()).saturating_sub(far(at)) as usize;
                let (old, new) = rest.split_at(inside.min(rest.len()));
                if !old.is_empty() {
                    let offset = at.wrapping_sub(node.at) as usize;
                    let held = self.pool.data(before).get(offset..).unwrap_or_default();
                    if held.get(..old.len()) != Some(old) {
                        result.differs = true;
                        if config.overlap == OverlapPolicy::LastWins {
                            self.pool.overwrite(before, offset, old);
                        }
                    }
                    result.overlap += old.len() as u32;
                    at = at.wrapping_add(old.len() as u32);
                    rest = new;
                }
                appendable = self.pool.node(before).is_some_and(|n| n.end() == at);
            }
            if rest.is_empty() {
                break;
            }
            let after = match self.pool.node(before) {
                Some(node) => node.next,
                None => self.list.get(index).map_or(NIL, |q| q.head),
            };
            let mut room = rest.len();
            if let Some(node) = self.pool.node(after) {
                room = room.min(far(node.at).saturating_sub(far(at)) as usize);
                if room == 0 {
                    before = after;
                    continue;
                }
            }
            let Some(q) = self.list.get_mut(index) else {
                break;
            };
            room = room.min(config.side_bytes.saturating_sub(q.bytes) as usize);
            let Some(part) = rest.get(..room).filter(|p| !p.is_empty()) else {
                result.full = Some(Full::Side);
                break;
            };
            let mut n = 0;
            if appendable {
                n = self.pool.append(before, part);
            }
            if n == 0 {
                if q.blocks >= config.side_blocks {
                    result.full = Some(Full::Side);
                    break;
                }
                let Some(new) = self.pool.take(at, ()) else {
                    result.full = Some(Full::Pool);
                    break;
                };
                if let Some(node) = self.pool.node_mut(new) {
                    node.next = after;
                }
                if let Some(node) = self.pool.node_mut(before) {
                    node.next = new;
                } else {
                    q.head = new;
                }
                if after == NIL {
                    q.tail = new;
                }
                q.blocks += 1;
                n = self.pool.append(new, part);
                before = new;
            }
            q.bytes += n as u32;
            self.bytes += n as u64;
            at = at.wrapping_add(n as u32);
            rest = rest.get(n..).unwrap_or_default();
        }
        result.done = data.len() - rest.len();
        result
    }

    /// The last block that does not begin behind `at`.
    fn place(&self, index: usize, base: u32, at: u32) -> u32 {
        let Some(q) = self.list.get(index) else {
            return NIL;
        };
        let not_behind = |i: u32| {
            self.pool
                .node(i)
                .is_some_and(|n| n.at.wrapping_sub(base) <= at.wrapping_sub(base))
        };
        // Segments behind one hole mostly come in order.
        if not_behind(q.tail) {
            return q.tail;
        }
        let mut before = NIL;
        let mut i = q.head;
        while not_behind(i) {
            before = i;
            i = self.pool.node(i).map_or(NIL, |n| n.next);
        }
        before
    }

    /// Drops `n` bytes of the first block, and the block with its last byte. An empty queue
    /// stays open.
    pub(super) fn drop_front(&mut self, h: Handle, n: u32) {
        let Some(index) = self.find(h).map(|_| h.index as usize) else {
            return;
        };
        let Some(q) = self.list.get_mut(index) else {
            return;
        };
        let Some(held) = self.pool.node(q.head).map(|n| n.len()) else {
            return;
        };
        let n = n.min(held);
        q.bytes = q.bytes.saturating_sub(n);
        self.bytes = self.bytes.saturating_sub(u64::from(n));
        if n < held {
            self.pool.trim_front(q.head, n);
            return;
        }
        q.blocks = q.blocks.saturating_sub(1);
        q.head = self.pool.release(q.head);
        if q.head == NIL {
            q.tail = NIL;
        }
    }

    /// Throws away what waits from `end` on and counts it. `base` lies before everything.
    pub(super) fn cut(&mut self, h: Handle, base: u32, end: u32) -> u32 {
        let Some(index) = self.find(h).map(|_| h.index as usize) else {
            return 0;
        };
        // The last block that begins before the end stays, perhaps shortened.
        let last = if end == base {
            NIL
        } else {
            self.place(index, base, end.wrapping_sub(1))
        };
        let Some(q) = self.list.get_mut(index) else {
            return 0;
        };
        let first_gone = match self.pool.node(last) {
            Some(node) => node.next,
            None => q.head,
        };
        let mut bytes = 0;
        if let Some(node) = self.pool.node(last) {
            let keep = end.wrapping_sub(node.at).min(node.len());
            bytes += node.len() - keep;
            self.pool.truncate(last, keep);
        }
        let mut i = first_gone;
        while let Some(node) = self.pool.node(i) {
            bytes += node.len();
            i = node.next;
        }
        q.blocks = q.blocks.saturating_sub(self.pool.release_chain(first_gone));
        if let Some(node) = self.pool.node_mut(last) {
            node.next = NIL;
        } else {
            q.head = NIL;
        }
        q.tail = last;
        q.bytes = q.bytes.saturating_sub(bytes);
        self.bytes = self.bytes.saturating_sub(u64::from(bytes));
        bytes
    }
}
