//! The security policy database (RFC 4301 section 4.4.1): ordered entries that say what becomes of
//! traffic.
//!
//! A host whose IP filter names the tunnels in its rules needs none: the filter decides, and both
//! say so by [`Policy`].

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_hook::ident::{RuleId, TunnelId};
use hostward_hook::meta::Direction;

use crate::selector::{Addresses, Ports, Selectors, Traffic, Upper};

/// What becomes of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 4301 knows these three")]
pub enum Processing {
    /// It must not pass.
    Discard,
    /// It passes in clear.
    Bypass,
    /// It passes through this tunnel only.
    Protect(TunnelId),
}

/// For which traffic an entry is (SPD-S and SPD-O, SPD-I of RFC 4301).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are no more directions")]
pub enum Way {
    /// Both directions.
    #[default]
    Both,
    /// What arrives.
    Inbound,
    /// What leaves.
    Outbound,
}

/// Which selectors of an association are taken from the packet that asks for it and not from the
/// entry ("populate from packet", RFC 4301 section 4.4.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "one flag for each selector of RFC 4301"
)]
pub struct FromPacket {
    /// Address at this end.
    pub local: bool,
    /// Address at the other end.
    pub remote: bool,
    /// Protocol.
    pub upper: bool,
    /// Port at this end, type and code.
    pub local_port: bool,
    /// Port at the other end.
    pub remote_port: bool,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name, for people.
    pub name: Arc<str>,
    /// Traffic that any of these means.
    pub selectors: Vec<Selectors>,
    /// For which direction.
    pub way: Way,
    /// What becomes of it.
    pub processing: Processing,
    /// How an association is made of it.
    pub from_packet: FromPacket,
}

impl Entry {
    /// An entry for both directions.
    #[must_use]
    pub fn new(
        name: impl Into<Arc<str>>,
        selectors: impl IntoIterator<Item = Selectors>,
        processing: Processing,
    ) -> Self {
        Self {
            name: name.into(),
            selectors: selectors.into_iter().collect(),
            way: Way::Both,
            processing,
            from_packet: FromPacket::default(),
        }
    }

    /// The same for one direction.
    #[must_use]
    pub const fn way(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// The same with selectors taken from the packet.
    #[must_use]
    pub const fn from_packet(mut self, flags: FromPacket) -> Self {
        self.from_packet = flags;
        self
    }

    /// The selectors that an association for this traffic gets; `None` when the entry does not
    /// mean it. Without flags those of the entry that mean it, the first if several do.
    #[must_use]
    pub fn narrow(&self, traffic: &Traffic) -> Option<Selectors> {
        let mut s = *self.selectors.iter().find(|s| s.matches(traffic))?;
        let packet = traffic.selectors();
        let flags = self.from_packet;
        if flags.local {
            s.local = packet.local;
        }
        if flags.remote {
            s.remote = packet.remote;
        }
        if flags.upper {
            s.upper = packet.upper;
        }
        if flags.local_port {
            s.local_ports = packet.local_ports;
        }
        if flags.remote_port {
            s.remote_ports = packet.remote_ports;
        }
        Some(s)
    }
}

/// What a policy says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "implementers of Policy construct it"
)]
pub struct Decision {
    /// What becomes of it.
    pub processing: Processing,
    /// The entry or rule that says so; `None` when none matches.
    pub rule: Option<RuleId>,
}

/// Says what becomes of traffic: an [`Spd`], or whatever else a host decides by.
pub trait Policy {
    /// What becomes of it.
    fn decide(&self, traffic: &Traffic, direction: Direction) -> Decision;

    /// The selectors of a new association for it. Without an opinion, exactly this traffic.
    fn narrow(&self, traffic: &Traffic, decision: &Decision) -> Selectors {
        let _ = decision;
        traffic.selectors()
    }
}

/// One set of selectors of one entry, in 80 bytes without pointers.
#[derive(Clone, Copy, Debug)]
struct Line {
    selectors: Selectors,
    entry: u32,
}

/// A security policy database: immutable, shared by all workers, replaced as a whole.
///
/// The first entry that matches decides; nothing passes that none matches. A look-up reads, in
/// order, the lines of its direction, IP version and protocol only: linear in them, which suits
/// some hundreds of entries. Large policies belong into the filter, which classifies.
#[derive(Clone, Debug, Default)]
pub struct Spd {
    entries: Box<[Entry]>,
    /// By [`class`]: the lines that traffic of this class can match, in order.
    lines: [Box<[Line]>; CLASSES],
}

/// Protocols that have lists of their own, the others share one. Times two IP versions, times two
/// directions.
const PROTOCOLS: [u8; 4] = [6, 17, 1, 58];
const CLASSES: usize = (PROTOCOLS.len() + 1) * 4;

fn class(direction: Direction, v6: bool, protocol: Option<u8>) -> usize {
    let p = PROTOCOLS
        .iter()
        .position(|p| Some(*p) == protocol)
        .unwrap_or(PROTOCOLS.len());
    let d = usize::from(direction == Direction::Outbound);
    (p * 2 + usize::from(v6)) * 2 + d
}

impl Spd {
    /// Builds a database of entries in their order.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let entries: Box<[Entry]> = entries.into_iter().collect();
        let mut lines: [Vec<Line>; CLASSES] = Default::default();
        for (entry, n) in entries.iter().zip(0u32..) {
            for selectors in &entry.selectors {
                for direction in [Direction::Inbound, Direction::Outbound] {
                    let meant = match entry.way {
                        Way::Both => true,
                        Way::Inbound => direction == Direction::Inbound,
                        Way::Outbound => direction == Direction::Outbound,
                    };
                    let own = PROTOCOLS.map(Some);
                    for protocol in own.into_iter().chain([None]) {
                        let fits = match (selectors.upper, protocol) {
                            (Upper::Any, _) => true,
                            (Upper::Number(n), Some(p)) => n == p,
                            (Upper::Number(n), None) => !PROTOCOLS.contains(&n),
                            (Upper::Opaque, p) => p.is_none(),
                        };
                        let at = class(direction, selectors.local.is_v6(), protocol);
                        if meant
                            && fits
                            && let Some(list) = lines.get_mut(at)
                        {
                            list.push(Line {
                                selectors: *selectors,
                                entry: n,
                            });
                        }
                    }
                }
            }
        }
        Self {
            entries,
            lines: lines.map(Vec::into_boxed_slice),
        }
    }

    /// The entries.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The first entry that matches, by its position.
    #[inline]
    #[must_use]
    pub fn first_match(&self, traffic: &Traffic, direction: Direction) -> Option<usize> {
        let at = class(direction, traffic.local.is_ipv6(), traffic.protocol);
        let lines = self.lines.get(at)?;
        let line = lines.iter().find(|l| l.selectors.matches(traffic))?;
        Some(line.entry as usize)
    }
}

impl Policy for Spd {
    fn decide(&self, traffic: &Traffic, direction: Direction) -> Decision {
        let found = self.first_match(traffic, direction);
        let entry = found.and_then(|at| self.entries.get(at));
        Decision {
            processing: entry.map_or(Processing::Discard, |e| e.processing),
            rule: found.map(|at| RuleId(at as u32)),
        }
    }

    fn narrow(&self, traffic: &Traffic, decision: &Decision) -> Selectors {
        decision
            .rule
            .and_then(|rule| self.entries.get(rule.0 as usize))
            .and_then(|entry| entry.narrow(traffic))
            .unwrap_or_else(|| traffic.selectors())
    }
}

/// All traffic of both IP versions.
#[must_use]
pub fn everything() -> [Selectors; 2] {
    [Addresses::ANY_V4, Addresses::ANY_V6].map(|any| Selectors {
        local: any,
        remote: any,
        upper: Upper::Any,
        local_ports: Ports::Any,
        remote_ports: Ports::Any,
    })
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use arbtest::arbitrary::{Result, Unstructured};

    use super::*;

    fn ip(u: &mut Unstructured<'_>) -> Result<IpAddr> {
        let n = u.int_in_range(0..=6u8)?;
        Ok(if u.ratio(2, 3)? {
            IpAddr::from([10, 0, 0, n])
        } else {
            IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(n)])
        })
    }

    fn addresses(u: &mut Unstructured<'_>) -> Result<Addresses> {
        let (a, b) = (ip(u)?, ip(u)?);
        Ok(match u.int_in_range(0..=3u8)? {
            0 => Addresses::ANY_V4,
            1 => Addresses::ANY_V6,
            2 => Addresses::one(a),
            _ => Addresses::range(a, b).unwrap_or(Addresses::one(b)),
        })
    }

    fn ports(u: &mut Unstructured<'_>) -> Result<Ports> {
        let (a, b) = (u.int_in_range(0..=5u16)?, u.int_in_range(0..=5u16)?);
        Ok(match u.int_in_range(0..=3u8)? {
            0 => Ports::Opaque,
            1 => Ports::Range(a.min(b), a.max(b)),
            _ => Ports::Any,
        })
    }

    const SOME: [u8; 6] = [6, 17, 1, 58, 50, 132];

    fn selectors(u: &mut Unstructured<'_>) -> Result<Selectors> {
        let upper = match u.int_in_range(0..=4u8)? {
            0 => Upper::Opaque,
            1 | 2 => Upper::Number(*u.choose(&SOME)?),
            _ => Upper::Any,
        };
        Ok(Selectors {
            local: addresses(u)?,
            remote: addresses(u)?,
            upper,
            local_ports: ports(u)?,
            remote_ports: ports(u)?,
        })
    }

    fn traffic(u: &mut Unstructured<'_>) -> Result<Traffic> {
        let port = |u: &mut Unstructured<'_>| -> Result<_> {
            Ok(u.ratio(2, 3)?.then_some(u.int_in_range(0..=5u16)?))
        };
        Ok(Traffic {
            local: ip(u)?,
            remote: ip(u)?,
            protocol: u.ratio(5, 6)?.then_some(*u.choose(&SOME)?),
            local_port: port(u)?,
            remote_port: port(u)?,
        })
    }

    /// RFC 4301 §4.4.1: the first entry in order that matches decides.
    fn naive(entries: &[Entry], t: &Traffic, direction: Direction) -> Option<usize> {
        let within =
            |a: &Addresses, x: IpAddr| a.is_v6() == x.is_ipv6() && a.first() <= x && x <= a.last();
        let port = |p: Ports, x: Option<u16>| match p {
            Ports::Any => true,
            Ports::Opaque => x.is_none(),
            Ports::Range(a, b) => x.is_some_and(|x| (a..=b).contains(&x)),
        };
        entries.iter().position(|e| {
            (e.way != Way::Inbound || direction == Direction::Inbound)
                && (e.way != Way::Outbound || direction == Direction::Outbound)
                && e.selectors.iter().any(|s| {
                    within(&s.local, t.local)
                        && within(&s.remote, t.remote)
                        && match s.upper {
                            Upper::Any => true,
                            Upper::Opaque => t.protocol.is_none(),
                            Upper::Number(n) => t.protocol == Some(n),
                        }
                        && port(s.local_ports, t.local_port)
                        && port(s.remote_ports, t.remote_port)
                })
        })
    }

    #[test]
    fn look_ups_are_those_of_the_naive_model() {
        arbtest::arbtest(|u| {
            let mut entries = Vec::new();
            for n in 0..u.int_in_range(0..=12u32)? {
                let mut all = Vec::new();
                for _ in 0..u.int_in_range(0..=3u8)? {
                    all.push(selectors(u)?);
                }
                let way = *u.choose(&[Way::Both, Way::Inbound, Way::Outbound])?;
                entries.push(Entry::new("e", all, Processing::Protect(TunnelId(n))).way(way));
            }
            let spd = Spd::new(entries.clone());
            for _ in 0..20 {
                let t = traffic(u)?;
                let d = *u.choose(&[Direction::Inbound, Direction::Outbound])?;
                let found = spd.first_match(&t, d);
                assert_eq!(found, naive(&entries, &t, d), "{t:?} {d:?}");
                let decision = spd.decide(&t, d);
                assert_eq!(decision.rule.map(|r| r.0 as usize), found);
                if found.is_none() {
                    assert_eq!(decision.processing, Processing::Discard);
                }
                // What an association is made for goes through it.
                assert!(spd.narrow(&t, &decision).matches(&t));
            }
            Ok(())
        });
    }

    /// Selectors that cover others match whatever they match.
    #[test]
    fn covering_is_sound() {
        arbtest::arbtest(|u| {
            let (a, b) = (selectors(u)?, selectors(u)?);
            assert!(a.covers(&a));
            if a.covers(&b) {
                for _ in 0..10 {
                    let t = traffic(u)?;
                    assert!(!b.matches(&t) || a.matches(&t), "{a:?} {b:?} {t:?}");
                }
            }
            Ok(())
        });
    }

    // RFC 4301 §4.4.1.2: a selector with the flag has the packet's value, the others the entry's.
    #[test]
    fn selectors_are_populated_from_the_packet() {
        let net = Addresses::prefix([10, 0, 0, 0].into(), 8).unwrap();
        let entry = Entry::new(
            "branch",
            [Selectors::between(net, Addresses::ANY_V4)],
            Processing::Protect(TunnelId(0)),
        )
        .from_packet(FromPacket {
            remote: true,
            upper: true,
            ..FromPacket::default()
        });
        let t = Traffic {
            local: [10, 1, 2, 3].into(),
            remote: [192, 0, 2, 1].into(),
            protocol: Some(6),
            local_port: Some(23),
            remote_port: Some(4_000),
        };
        let s = entry.narrow(&t).unwrap();
        assert_eq!(
            (s.local, s.remote),
            (net, Addresses::one([192, 0, 2, 1].into()))
        );
        assert_eq!((s.upper, s.local_ports), (Upper::Number(6), Ports::Any));
        let other = Traffic {
            local: [192, 0, 2, 1].into(),
            ..t
        };
        assert_eq!(entry.narrow(&other), None);
        assert!(everything().iter().any(|s| s.matches(&other)));
    }
}
