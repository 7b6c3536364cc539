//! A bounded pool of equal blocks that hold what must wait: out-of-order segments, fragments.
//!
//! Blocks are allocated when first needed, never given back to the allocator and recycled, so
//! that a busy pool does not allocate. Each block carries a small node by which users chain it.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// The index that names no block.
pub(crate) const NIL: u32 = u32::MAX;

/// What is known of one block in use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node<M> {
    /// The next block of the chain, or [`NIL`].
    pub(crate) next: u32,
    /// Position of the first byte: a sequence number or an offset.
    pub(crate) at: u32,
    start: u16,
    len: u16,
    /// What else the user keeps.
    pub(crate) meta: M,
}

impl<M> Node<M> {
    /// Number of bytes held.
    pub(crate) const fn len(&self) -> u32 {
        self.len as u32
    }

    /// Position behind the last byte.
    pub(crate) const fn end(&self) -> u32 {
        self.at.wrapping_add(self.len as u32)
    }
}

#[derive(Debug)]
pub(crate) struct Pool<M> {
    nodes: Vec<Node<M>>,
    blocks: Vec<Box<[u8]>>,
    free: u32,
    used: u32,
    limit: u32,
    block: u16,
}

impl<M: Copy + Default> Pool<M> {
    /// A pool of at most `limit` blocks of `block` bytes each (at least one byte).
    pub(crate) const fn new(limit: u32, block: u16) -> Self {
        Self {
            nodes: Vec::new(),
            blocks: Vec::new(),
            free: NIL,
            used: 0,
            limit: if limit == NIL { NIL - 1 } else { limit },
            block: if block == 0 { 1 } else { block },
        }
    }

    pub(crate) const fn used(&self) -> u32 {
        self.used
    }

    pub(crate) fn free_blocks(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }

    pub(crate) const fn block_size(&self) -> u16 {
        self.block
    }

    /// Takes an empty block; `None` at the bound.
    pub(crate) fn take(&mut self, at: u32, meta: M) -> Option<u32> {
        let fresh = Node {
            next: NIL,
            at,
            start: 0,
            len: 0,
            meta,
        };
        let index = if let Some(node) = self.nodes.get_mut(self.free as usize) {
            let index = self.free;
            self.free = node.next;
            *node = fresh;
            index
        } else {
            let index = u32::try_from(self.nodes.len()).ok()?;
            if index >= self.limit {
                return None;
            }
            self.nodes.push(fresh);
            self.blocks
                .push(vec![0; usize::from(self.block)].into_boxed_slice());
            index
        };
        self.used += 1;
        Some(index)
    }

    /// Gives one block back and names the one that followed it.
    pub(crate) fn release(&mut self, index: u32) -> u32 {
        let Some(node) = self.nodes.get_mut(index as usize) else {
            return NIL;
        };
        let next = node.next;
        node.next = self.free;
        node.len = 0;
        self.free = index;
        self.used = self.used.saturating_sub(1);
        next
    }

    /// Gives a whole chain back and counts its blocks.
    pub(crate) fn release_chain(&mut self, mut head: u32) -> u32 {
        let mut n = 0;
        while head != NIL {
            head = self.release(head);
            n += 1;
        }
        n
    }

    pub(crate) fn node(&self, index: u32) -> Option<&Node<M>> {
        self.nodes.get(index as usize)
    }

    pub(crate) fn node_mut(&mut self, index: u32) -> Option<&mut Node<M>> {
        self.nodes.get_mut(index as usize)
    }

    /// The bytes a block holds.
    pub(crate) fn data(&self, index: u32) -> &[u8] {
        let Some(node) = self.nodes.get(index as usize) else {
            return &[];
        };
        let start = usize::from(node.start);
        self.blocks
            .get(index as usize)
            .and_then(|b| b.get(start..start + usize::from(node.len)))
            .unwrap_or_default()
    }

    /// Appends as much of `data` as fits into the block and tells how much that was.
    pub(crate) fn append(&mut self, index: u32, data: &[u8]) -> usize {
        let (Some(node), Some(block)) = (
            self.nodes.get_mut(index as usize),
            self.blocks.get_mut(index as usize),
        ) else {
            return 0;
        };
        let end = usize::from(node.start) + usize::from(node.len);
        let room = block.get_mut(end..).unwrap_or_default();
        let n = room.len().min(data.len());
        if let (Some(to), Some(from)) = (room.get_mut(..n), data.get(..n)) {
            to.copy_from_slice(from);
        }
        // `n` is at most the block's size, which is a u16.
        node.len += n as u16;
        n
    }

    /// Replaces bytes from `offset` on; what would fall outside is left out.
    pub(crate) fn overwrite(&mut self, index: u32, offset: usize, data: &[u8]) {
        let (Some(node), Some(block)) = (
            self.nodes.get(index as usize),
            self.blocks.get_mut(index as usize),
        ) else {
            return;
        };
        let start = usize::from(node.start);
        if let Some(held) = block.get_mut(start..start + usize::from(node.len))
            && let Some(to) = held.get_mut(offset..)
        {
            for (to, from) in to.iter_mut().zip(data) {
                *to = *from;
            }
        }
    }

    /// Drops `n` bytes at the front.
    pub(crate) fn trim_front(&mut self, index: u32, n: u32) {
        if let Some(node) = self.nodes.get_mut(index as usize) {
            let n = u16::try_from(n).unwrap_or(u16::MAX).min(node.len);
            node.start += n;
            node.len -= n;
            node.at = node.at.wrapping_add(u32::from(n));
        }
    }

    /// Keeps the first `n` bytes.
    pub(crate) fn truncate(&mut self, index: u32, n: u32) {
        if let Some(node) = self.nodes.get_mut(index as usize) {
            node.len = node.len.min(u16::try_from(n).unwrap_or(u16::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_bounded_and_recycled() {
        let mut pool = Pool::<()>::new(2, 4);
        let a = pool.take(10, ()).unwrap();
        let b = pool.take(20, ()).unwrap();
        assert_eq!(pool.take(30, ()), None);
        assert_eq!(pool.append(a, b"hello"), 4);
        assert_eq!(pool.append(a, b"o"), 0);
        assert_eq!(pool.data(a), b"hell");
        pool.trim_front(a, 1);
        assert_eq!(pool.data(a), b"ell");
        assert_eq!(
            pool.node(a).map(|n| (n.at, n.len(), n.end())),
            Some((11, 3, 14))
        );
        pool.overwrite(a, 1, b"LLxyz");
        assert_eq!(pool.data(a), b"eLL");
        pool.truncate(a, 1);
        assert_eq!(pool.data(a), b"e");
        pool.node_mut(a).unwrap().next = b;
        assert_eq!(pool.release_chain(a), 2);
        assert_eq!(pool.used(), 0);
        assert!(pool.take(0, ()).is_some() && pool.take(0, ()).is_some());
        assert_eq!(pool.free_blocks(), 0);
        assert_eq!(pool.data(NIL), b"");
    }
}
