//! Who may begin: half-open SAs are counted, and cookies are asked for when there are many
//! (RFC 7296 §2.6). Also how often this host answers what belongs to no SA.

use alloc::collections::BTreeMap;
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

use hostward_crypto::{Provider, Random};
use hostward_hook::time::Instant;

use super::config::{Counters, Limits};
use crate::cookie::Cookies;
use crate::message::IkeSpi;

/// How often the secret of cookies changes.
const ROTATION: Duration = Duration::from_secs(60);

/// What becomes of someone who wants to begin.
pub(super) enum Admission {
    Enter,
    /// This cookie must come back first.
    Cookie([u8; Cookies::LEN]),
    Drop,
}

/// Who wants to begin.
pub(super) struct Applicant<'a> {
    pub(super) address: IpAddr,
    pub(super) spi: IkeSpi,
    pub(super) nonce: &'a [u8],
    pub(super) cookie: Option<&'a [u8]>,
}

#[derive(Default)]
pub(super) struct Gate {
    cookies: Option<Cookies>,
    rotated: Instant,
    asking: bool,
    half_open: usize,
    sources: BTreeMap<IpAddr, usize>,
    answers: u32,
    second: u64,
}

/// An IPv4 address, or the 64 bits that one host of IPv6 has for itself.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
            address.to_bits() & !u128::from(u64::MAX),
        )),
        address @ IpAddr::V4(_) => address,
    }
}

impl Gate {
    pub(super) const fn half_open(&self) -> usize {
        self.half_open
    }

    pub(super) const fn is_asking(&self) -> bool {
        self.asking
    }

    pub(super) fn enter(&mut self, address: IpAddr) {
        self.half_open += 1;
        *self.sources.entry(source(address)).or_default() += 1;
    }

    pub(super) fn leave(&mut self, address: IpAddr) {
        self.half_open = self.half_open.saturating_sub(1);
        let source = source(address);
        if let Some(count) = self.sources.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
    }

    /// Decides with nothing but nonce, address and SPI; nothing is computed for whoever has no good cookie
    /// while they are asked for.
    pub(super) fn admit(
        &mut self,
        applicant: &Applicant<'_>,
        limits: &Limits,
        provider: &Provider,
        random: &mut dyn Random,
        now: Instant,
        counters: &mut Counters,
    ) -> Admission {
        if self.half_open >= limits.cookies_from {
            self.asking = true;
        } else if self.half_open <= limits.cookies_until {
            self.asking = false;
        }
        // A source that has many half-open SAs is asked also when others are not.
        let own = self
            .sources
            .get(&source(applicant.address))
            .copied()
            .unwrap_or(0);
        if self.asking || own >= limits.half_open_per_source / 2 {
            if self.cookies.is_none() {
                self.cookies = Cookies::new(provider, random).ok();
                self.rotated = now;
            }
            let Some(cookies) = &mut self.cookies else {
                return Admission::Drop;
            };
            if now.saturating_since(self.rotated) >= ROTATION {
                if cookies.rotate(provider, random).is_err() {
                    return Admission::Drop;
                }
                self.rotated = now;
            }
            let (nonce, address, spi) = (applicant.nonce, applicant.address, applicant.spi);
            let good = applicant
                .cookie
                .map(|cookie| cookies.is_valid(cookie, nonce, address, spi));
            if good != Some(true) {
                // RFC 7296 §2.6: a cookie that does not fit is as none.
                counters.cookies_bad += u64::from(good == Some(false));
                counters.cookies_asked += 1;
                return Admission::Cookie(cookies.cookie(nonce, address, spi));
            }
        }
        if self.half_open >= limits.half_open {
            counters.half_open_refused += 1;
            return Admission::Drop;
        }
        if own >= limits.half_open_per_source {
            counters.source_refused += 1;
            return Admission::Drop;
        }
        Admission::Enter
    }

    /// Whether something outside of any SA may be answered.
    pub(super) fn may_answer(
        &mut self,
        limits: &Limits,
        now: Instant,
        counters: &mut Counters,
    ) -> bool {
        let second = now.as_millis() / 1000;
        if second != self.second {
            self.second = second;
            self.answers = 0;
        }
        if self.answers >= limits.answers_per_second {
            counters.answers_held_back += 1;
            return false;
        }
        self.answers += 1;
        true
    }
}
