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
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.end).unwrap_or_default()
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory
            .get_mut(self.start..self.end)
            .unwrap_or_default()
    }

    #[inline]
    fn prepend(&mut self, n: usize) -> Result<(), NoRoom> {
        self.start = self.start.checked_sub(n).ok_or(NoRoom {
            wanted: n,
            free: self.start,
        })?;
        Ok(())
    }

    #[inline]
    fn append(&mut self, n: usize) -> Result<(), NoRoom> {
        let free = self.memory.len() - self.end;
        if n > free {
            return Err(NoRoom { wanted: n, free });
        }
        self.end += n;
        Ok(())
    }

    #[inline]
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

#[cfg(feature = "alloc")]
mod lent_frame {
    use super::{FrameBuf, NoRoom, VecFrame};

    /// A packet that is looked at where it lies, for readers of captures: it is copied only when
    /// something changes it (a datagram is put together from fragments, a tunnel is opened).
    #[derive(Debug)]
    pub struct LentFrame<'a> {
        packet: &'a [u8],
        start: usize,
        end: usize,
        /// The packet once it was changed.
        own: Option<VecFrame>,
        headroom: usize,
        limit: usize,
    }

    impl<'a> LentFrame<'a> {
        /// A frame that shows these bytes, as a [`VecFrame`] with the same headroom and limit
        /// would after [`set`](VecFrame::set).
        #[inline]
        #[must_use]
        pub const fn new(packet: &'a [u8], headroom: usize, limit: usize) -> Self {
            Self {
                packet,
                start: 0,
                end: if packet.len() < limit {
                    packet.len()
                } else {
                    limit
                },
                own: None,
                headroom,
                limit,
            }
        }

        #[cold]
        fn own(&mut self) -> &mut VecFrame {
            let Self {
                packet, start, end, ..
            } = *self;
            self.own.get_or_insert_with(|| {
                let mut frame = VecFrame::new(self.headroom, self.limit);
                frame.set(packet);
                let len = frame.bytes().len();
                frame.trim(start, len - end);
                frame
            })
        }
    }

    impl FrameBuf for LentFrame<'_> {
        #[inline]
        fn bytes(&self) -> &[u8] {
            match &self.own {
                None => self.packet.get(self.start..self.end).unwrap_or_default(),
                Some(own) => own.bytes(),
            }
        }

        fn bytes_mut(&mut self) -> &mut [u8] {
            self.own().bytes_mut()
        }

        fn prepend(&mut self, n: usize) -> Result<(), NoRoom> {
            self.own().prepend(n)
        }

        fn append(&mut self, n: usize) -> Result<(), NoRoom> {
            self.own().append(n)
        }

        fn trim(&mut self, front: usize, back: usize) {
            match &mut self.own {
                Some(own) => own.trim(front, back),
                None => {
                    self.start = self.start.saturating_add(front).min(self.end);
                    self.end = self.end.saturating_sub(back).max(self.start);
                }
            }
        }
    }
}

#[cfg(feature = "alloc")]
pub use lent_frame::LentFrame;

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;

    /// Whatever is done, the frame that lends its packet shows what one that owns it shows.
    #[test]
    fn a_lent_packet_is_as_good_as_an_own_one() {
        arbtest::arbtest(|u| {
            let packet: [u8; 16] = u.arbitrary()?;
            let limit = u.int_in_range(10..=40)?;
            let mut own = VecFrame::new(24, limit);
            own.set(&packet);
            let mut lent = LentFrame::new(&packet, 24, limit);
            for _ in 0..u.int_in_range(0..=6)? {
                let n = u.int_in_range(0..=20)?;
                match u.int_in_range(0..=4)? {
                    0 => assert_eq!(own.prepend(n).is_ok(), lent.prepend(n).is_ok()),
                    1 => assert_eq!(own.append(n).is_ok(), lent.append(n).is_ok()),
                    2 => {
                        let back = u.int_in_range(0..=20)?;
                        own.trim(n, back);
                        lent.trim(n, back);
                    }
                    3 => {
                        let other = [7; 45].get(..n * 2).unwrap_or_default();
                        assert_eq!(own.replace(other).is_ok(), lent.replace(other).is_ok());
                    }
                    _ => {
                        own.bytes_mut().reverse();
                        lent.bytes_mut().reverse();
                    }
                }
                assert_eq!(own.bytes(), lent.bytes());
            }
            Ok(())
        })
        .budget_ms(300);
        let packet = [5; 16];
        assert_eq!(
            LentFrame::new(&packet, 0, 16).bytes().as_ptr(),
            packet.as_ptr()
        );
    }
}
