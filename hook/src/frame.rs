//! Mutable frames with head- and tailroom.
//!
//! The host owns the memory. The guard sees a frame as the bytes of one IP packet and may take
//! room in front of or behind them, within what the host left free, so that IPsec can work in
//! place.

/// There is not enough free room in front of or behind the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame lacks room: {wanted} bytes wanted, {free} free")]
#[expect(
    clippy::exhaustive_structs,
    reason = "implementers of FrameBuf construct it"
)]
pub struct NoRoom {
    /// Bytes asked for.
    pub wanted: usize,
    /// Bytes there were.
    pub free: usize,
}

/// A packet in a buffer that can grow and shrink at both ends.
pub trait FrameBuf {
    /// The packet.
    fn bytes(&self) -> &[u8];

    /// The packet, to be changed in place.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Grows the packet by `n` bytes in front; their content is not defined.
    ///
    /// # Errors
    /// [`NoRoom`], and the packet is unchanged.
    fn prepend(&mut self, n: usize) -> Result<(), NoRoom>;

    /// Grows the packet by `n` bytes behind; their content is not defined.
    ///
    /// # Errors
    /// [`NoRoom`], and the packet is unchanged.
    fn append(&mut self, n: usize) -> Result<(), NoRoom>;

    /// Cuts bytes off both ends; cutting more than there is leaves an empty packet.
    fn trim(&mut self, front: usize, back: usize);

    /// Puts another packet into the frame.
    ///
    /// # Errors
    /// [`NoRoom`], and the packet is unchanged.
    fn replace(&mut self, packet: &[u8]) -> Result<(), NoRoom> {
        let len = self.bytes().len();
        if packet.len() > len {
            self.append(packet.len() - len)?;
        } else {
            self.trim(0, len - packet.len());
        }
        if let Some(to) = self.bytes_mut().get_mut(..packet.len()) {
            to.copy_from_slice(packet);
        }
        Ok(())
    }
}

/// A frame in borrowed memory: works without an allocator.
#[derive(Debug)]
pub struct SliceFrame<'a> {
    memory: &'a mut [u8],
    start: usize,
    end: usize,
}

impl<'a> SliceFrame<'a> {
    /// A frame whose packet is `memory[start..end]`; the rest is room. Both ends are clamped to
    /// the memory.
    #[must_use]
    pub fn new(memory: &'a mut [u8], start: usize, end: usize) -> Self {
        let end = end.min(memory.len());
        Self {
            start: start.min(end),
            end,
            memory,
        }
    }
}

impl FrameBuf for SliceFrame<'_> {
    fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory
            .get_mut(self.start..self.end)
            .unwrap_or_default()
    }

    fn prepend(&mut self, n: usize) -> Result<(), NoRoom> {
        self.start = self.start.checked_sub(n).ok_or(NoRoom {
            wanted: n,
            free: self.start,
        })?;
        Ok(())
    }

    fn append(&mut self, n: usize) -> Result<(), NoRoom> {
        let free = self.memory.len() - self.end;
        if n > free {
            return Err(NoRoom { wanted: n, free });
        }
        self.end += n;
        Ok(())
    }

    fn trim(&mut self, front: usize, back: usize) {
        self.start = self.start.saturating_add(front).min(self.end);
        self.end = self.end.saturating_sub(back).max(self.start);
    }
}

#[cfg(feature = "alloc")]
mod vec_frame {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::{FrameBuf, NoRoom};

    /// A frame in owned memory that grows behind up to a limit and has fixed headroom.
    #[derive(Clone, Debug, Default)]
    pub struct VecFrame {
        memory: Vec<u8>,
        start: usize,
        headroom: usize,
        limit: usize,
    }

    impl VecFrame {
        /// An empty frame with `headroom` bytes in front, whose packet may grow to `limit` bytes.
        #[must_use]
        pub fn new(headroom: usize, limit: usize) -> Self {
            Self {
                memory: vec![0; headroom],
                start: headroom,
                headroom,
                limit,
            }
        }

        /// Puts a received packet into the frame and restores the headroom. Keeps the memory it
        /// has; bytes beyond the limit are cut off.
        pub fn set(&mut self, packet: &[u8]) {
            self.memory.truncate(self.headroom);
            self.memory.resize(self.headroom, 0);
            self.start = self.headroom;
            self.memory.extend_from_slice(
                packet
                    .get(..packet.len().min(self.limit))
                    .unwrap_or_default(),
            );
        }
    }

    impl FrameBuf for VecFrame {
        fn bytes(&self) -> &[u8] {
            self.memory.get(self.start..).unwrap_or_default()
        }

        fn bytes_mut(&mut self) -> &mut [u8] {
            self.memory.get_mut(self.start..).unwrap_or_default()
        }

        fn prepend(&mut self, n: usize) -> Result<(), NoRoom> {
            self.start = self.start.checked_sub(n).ok_or(NoRoom {
                wanted: n,
                free: self.start,
            })?;
            Ok(())
        }

        fn append(&mut self, n: usize) -> Result<(), NoRoom> {
            let len = self.memory.len() - self.start;
            let free = self.limit.saturating_sub(len);
            if n > free {
                return Err(NoRoom { wanted: n, free });
            }
            self.memory.resize(self.memory.len() + n, 0);
            Ok(())
        }

        fn trim(&mut self, front: usize, back: usize) {
            self.start = self.start.saturating_add(front).min(self.memory.len());
            let end = self.memory.len().saturating_sub(back).max(self.start);
            self.memory.truncate(end);
        }
    }
}

#[cfg(feature = "alloc")]
pub use vec_frame::VecFrame;
