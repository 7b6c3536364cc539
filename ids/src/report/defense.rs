//! Which sources a defensive filter was asked for lately.

use core::net::IpAddr;
use core::time::Duration;

use hostward_hook::time::Instant;

/// How many sources are remembered: with more at the same time the oldest is asked for again.
const SOURCES: usize = 64;

/// A ring of sources.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    ring: [Option<(IpAddr, Instant)>; SOURCES],
    next: usize,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            ring: [None; SOURCES],
            next: 0,
        }
    }
}

impl Asked {
    /// Whether no filter against the source can be in force any more; if so it is noted.
    pub(super) fn is_new(&mut self, source: IpAddr, lifetime: Duration, now: Instant) -> bool {
        let known = self.ring.iter_mut().flatten().find(|(s, _)| *s == source);
        if let Some((_, asked)) = known {
            let over = now >= asked.saturating_add(lifetime);
            // Asked for in the future: the clock was set back.
            if over || now < *asked {
                *asked = now;
            }
            return over;
        }
        if let Some(slot) = self.ring.get_mut(self.next) {
            *slot = Some((source, now));
        }
        self.next = (self.next + 1) % SOURCES;
        true
    }

    /// The host could not take the wish.
    pub(super) fn forget(&mut self, source: IpAddr) {
        for slot in &mut self.ring {
            if slot.is_some_and(|(s, _)| s == source) {
                *slot = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wish_for_a_lifetime() {
        let mut asked = Asked::default();
        let life = Duration::from_secs(60);
        let a = |n: u32| IpAddr::V4(core::net::Ipv4Addr::from_bits(n));
        assert!(asked.is_new(a(1), life, Instant::from_secs(100)));
        assert!(!asked.is_new(a(1), life, Instant::from_secs(159)));
        assert!(asked.is_new(a(1), life, Instant::from_secs(160)));
        assert!(!asked.is_new(a(1), life, Instant::from_secs(10)));
        assert!(asked.is_new(a(1), life, Instant::from_secs(70)));
        asked.forget(a(1));
        assert!(asked.is_new(a(1), life, Instant::from_secs(71)));
        for n in 2..66 {
            assert!(asked.is_new(a(n), life, Instant::from_secs(72)));
        }
        assert!(
            asked.is_new(a(1), life, Instant::from_secs(73)),
            "pushed out"
        );
    }
}
