//! Which side of a capture is "this host".
//!
//! A capture has no local host, but controls judge by direction. The user names the local side
//! with prefixes, or it is chosen from the first packets:
//!
//! 1. the capture says which packets its host received and sent: those addresses are local;
//! 2. else every address that accepts more TCP connections than it opens is local;
//! 3. else the most frequent address is local (of equals, the one that was addressed first).
//!
//! Addresses that appear later, when neither side of a packet is known, take the side that
//! accepts its connection. So the choice depends on the capture alone, also when it is read from
//! a pipe, where nothing can be read twice: the caller holds the first packets back, at most
//! [`SAMPLE_PACKETS`] or [`SAMPLE_BYTES`] of them, until the choice is made.

use std::collections::HashMap;
use std::net::IpAddr;

use hostward_hook::layout::tcp_flags::{ACK, RST, SYN};
use hostward_hook::meta::Routing;
use hostward_hook::{Direction, Packet};
use ipnet::IpNet;

/// Packets from which the local side is chosen.
pub const SAMPLE_PACKETS: usize = 10_000;
/// Bytes of packets from which the local side is chosen.
pub const SAMPLE_BYTES: usize = 16 * 1024 * 1024;
/// Addresses that are remembered; of any more, nothing is learnt.
const MAX_ADDRESSES: usize = 65_536;

/// Reads a prefix as a user writes it: an address with a prefix length, or an address alone.
///
/// # Errors
///
/// A text that says what is wrong.
pub fn parse_prefix(text: &str) -> Result<IpNet, String> {
    if let Ok(net) = text.parse::<IpNet>() {
        return Ok(net.trunc());
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    Err(match text.split_once('/') {
        Some((address, length)) if address.parse::<IpAddr>().is_ok() => {
            format!(
                "`{length}` is not a prefix length of this address (0 to 32 for IPv4, 0 to 128 for IPv6)"
            )
        }
        _ => "expected an IPv4 or IPv6 address, or a prefix such as 192.0.2.0/24 or 2001:db8::/32"
            .to_owned(),
    })
}

/// What is seen of one address in the sample.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    accepts: u64,
    opens: u64,
    packets: u64,
    /// Packets the capture says were received at or sent from this address.
    marked: u64,
    /// Place in the order in which addresses were first addressed.
    order: u64,
}

/// Looks at the first packets.
#[derive(Debug, Default)]
pub struct Chooser {
    tallies: HashMap<IpAddr, Tally>,
    packets: usize,
    bytes: usize,
}

impl Chooser {
    /// Looks at one packet; `marked` is what the capture says of its direction.
    pub fn observe(&mut self, packet: &Packet<'_>, marked: Option<Direction>) {
        self.packets += 1;
        self.bytes = self.bytes.saturating_add(packet.bytes().len());
        let (Some(source), Some(destination)) = (packet.source(), packet.destination()) else {
            return;
        };
        let acceptor = acceptor(packet, source, destination);
        for (address, side) in [
            (destination, Direction::Inbound),
            (source, Direction::Outbound),
        ] {
            if !is_host(address) {
                continue;
            }
            let order = self.tallies.len() as u64;
            if order >= MAX_ADDRESSES as u64 && !self.tallies.contains_key(&address) {
                continue;
            }
            let tally = self.tallies.entry(address).or_insert(Tally {
                order,
                ..Tally::default()
            });
            tally.packets += 1;
            tally.marked += u64::from(marked == Some(side));
            match acceptor {
                Some(a) if a == address => tally.accepts += 1,
                Some(_) => tally.opens += 1,
                None => {}
            }
        }
    }

    /// Whether enough was seen to choose.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.packets >= SAMPLE_PACKETS || self.bytes >= SAMPLE_BYTES
    }

    /// Makes the choice.
    #[must_use]
    pub fn choose(self) -> Local {
        let pick = |wanted: fn(&Tally) -> bool| -> Vec<IpAddr> {
            self.tallies
                .iter()
                .filter(|(_, t)| wanted(t))
                .map(|(a, _)| *a)
                .collect()
        };
        let mut why = Why::Marked;
        let mut chosen = pick(|t| t.marked > 0 && t.marked * 2 > t.packets);
        if chosen.is_empty() {
            why = Why::Accepts;
            chosen = pick(|t| t.accepts > t.opens);
        }
        if chosen.is_empty() {
            why = Why::Frequent;
            chosen.extend(
                self.tallies
                    .iter()
                    .max_by_key(|(_, t)| (t.packets, std::cmp::Reverse(t.order)))
                    .map(|(a, _)| *a),
            );
        }
        chosen.sort();
        let roles = self
            .tallies
            .keys()
            .map(|a| {
                let role = if chosen.binary_search(a).is_ok() {
                    Role::Local
                } else {
                    Role::Remote
                };
                (*a, role)
            })
            .collect();
        Local {
            kind: Kind::Chosen { roles, chosen, why },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Local,
    Remote,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Marked,
    Accepts,
    Frequent,
}

/// The local side, once it is known.
#[derive(Debug)]
pub struct Local {
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Named(Vec<IpNet>),
    Chosen {
        roles: HashMap<IpAddr, Role>,
        chosen: Vec<IpAddr>,
        why: Why,
    },
}

impl Local {
    /// The side the user named.
    #[must_use]
    pub const fn named(prefixes: Vec<IpNet>) -> Self {
        Self {
            kind: Kind::Named(prefixes),
        }
    }

    /// Whether a packet only passes through. Where the user named the local side, a packet with
    /// neither end on it is taken for one that this host forwards, if it is one that hosts
    /// forward: not from or to a group, a link-local, loopback or unspecified address, and not to
    /// everyone on the link. Where the side was chosen, nothing is.
    #[must_use]
    pub fn routing(&self, packet: &Packet<'_>) -> Routing {
        let (Kind::Named(prefixes), Some(source), Some(destination)) =
            (&self.kind, packet.source(), packet.destination())
        else {
            return Routing::Local;
        };
        let local = |a: IpAddr| prefixes.iter().any(|p| p.contains(&a));
        let passes = |a: IpAddr| !local(a) && is_host(a) && !stays_on_link(a);
        if passes(source) && passes(destination) {
            Routing::Routed
        } else {
            Routing::Local
        }
    }

    /// The direction of a packet. Between two local addresses, and between two that are not, it
    /// is inbound.
    pub fn direction(&mut self, packet: &Packet<'_>) -> Direction {
        let (Some(source), Some(destination)) = (packet.source(), packet.destination()) else {
            return Direction::Inbound;
        };
        match &mut self.kind {
            Kind::Named(prefixes) => {
                let local = |a: IpAddr| prefixes.iter().any(|p| p.contains(&a));
                if !local(destination) && local(source) {
                    Direction::Outbound
                } else {
                    Direction::Inbound
                }
            }
            Kind::Chosen { roles, .. } => {
                let role = |a: &IpAddr| roles.get(a).copied();
                match (role(&source), role(&destination)) {
                    (_, Some(Role::Local)) => Direction::Inbound,
                    (Some(Role::Local), _) => Direction::Outbound,
                    (Some(Role::Remote), _) => Direction::Inbound,
                    (None, Some(Role::Remote)) => Direction::Outbound,
                    (None, None) => {
                        let accepts = acceptor(packet, source, destination);
                        let outbound = accepts == Some(source);
                        if accepts.is_some() && roles.len() + 2 <= MAX_ADDRESSES {
                            let (local, remote) = if outbound {
                                (source, destination)
                            } else {
                                (destination, source)
                            };
                            roles.insert(local, Role::Local);
                            roles.insert(remote, Role::Remote);
                        }
                        if outbound {
                            Direction::Outbound
                        } else {
                            Direction::Inbound
                        }
                    }
                }
            }
        }
    }
}

/// The choice and its reason, for the user.
impl std::fmt::Display for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 8;
        // Said, since a crate (base16ct) makes `fmt::Error` of its own error, after which `?` fits more than one.
        type Shown = std::fmt::Result;
        let list = |f: &mut std::fmt::Formatter<'_>, all: &[&dyn std::fmt::Display]| -> Shown {
            for (i, one) in all.iter().take(SHOWN).enumerate() {
                let comma = if i > 0 { ", " } else { "" };
                write!(f, "{comma}{one}")?;
            }
            if all.len() > SHOWN {
                write!(f, " and {} more", all.len() - SHOWN)?;
            }
            Ok(())
        };
        match &self.kind {
            Kind::Named(prefixes) => {
                let all: Vec<&dyn std::fmt::Display> = prefixes.iter().map(|p| p as _).collect();
                list(f, &all)?;
                f.write_str(" (named by --local)")
            }
            Kind::Chosen { chosen, .. } if chosen.is_empty() => f.write_str("none (no IP packets)"),
            Kind::Chosen { chosen, why, .. } => {
                let all: Vec<&dyn std::fmt::Display> = chosen.iter().map(|a| a as _).collect();
                list(f, &all)?;
                f.write_str(match why {
                    Why::Marked => " (the capture marks its packets)",
                    Why::Accepts => " (accepts connections)",
                    Why::Frequent => " (most frequent address)",
                })
            }
        }
    }
}

/// The side that accepts the TCP connection this packet opens or refuses.
fn acceptor(packet: &Packet<'_>, source: IpAddr, destination: IpAddr) -> Option<IpAddr> {
    let flags = packet.layout().tcp_flags()?;
    match flags & (SYN | ACK | RST) {
        SYN => Some(destination),
        f if f == SYN | ACK => Some(source),
        _ => None,
    }
}

/// Whether an address can be that of one host.
fn is_host(address: IpAddr) -> bool {
    !address.is_multicast()
        && !address.is_unspecified()
        && address != IpAddr::from([255, 255, 255, 255])
}

/// Whether packets with this address are never forwarded (RFC 3927 section 2.7, RFC 4291 section
/// 2.5.6).
const fn stays_on_link(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_link_local() || a.is_loopback(),
        IpAddr::V6(a) => a.is_unicast_link_local() || a.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;
    use hostward_hook::Meta;

    fn tcp(from: u8, to: u8, flags: u8) -> Vec<u8> {
        let builder =
            PacketBuilder::ipv4([10, 0, 0, from], [10, 0, 0, to], 64).tcp(1_000, 80, 0, 100);
        let builder = if flags & SYN != 0 {
            builder.syn()
        } else {
            builder
        };
        let builder = if flags & ACK != 0 {
            builder.ack(1)
        } else {
            builder
        };
        let mut out = Vec::new();
        builder.write(&mut out, &[]).unwrap();
        out
    }

    fn udp(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
        let mut out = Vec::new();
        PacketBuilder::ipv4(from, to, 64)
            .udp(1, 2)
            .write(&mut out, &[])
            .unwrap();
        out
    }

    fn choose(packets: &[Vec<u8>]) -> Local {
        let mut chooser = Chooser::default();
        for bytes in packets {
            chooser.observe(&Packet::parse(bytes, Meta::default()), None);
        }
        chooser.choose()
    }

    fn direction(local: &mut Local, bytes: &[u8]) -> Direction {
        local.direction(&Packet::parse(bytes, Meta::default()))
    }

    use Direction::{Inbound, Outbound};

    #[test]
    fn who_accepts_connections_is_local() {
        // 2 serves 1 twice and calls 3 once.
        let mut local = choose(&[
            tcp(1, 2, SYN),
            tcp(2, 1, SYN | ACK),
            tcp(1, 2, SYN),
            tcp(2, 3, SYN),
            tcp(4, 4, ACK),
        ]);
        assert_eq!(
            local.to_string(),
            "10.0.0.2, 10.0.0.3 (accepts connections)"
        );
        assert_eq!(direction(&mut local, &tcp(1, 2, ACK)), Inbound);
        assert_eq!(direction(&mut local, &tcp(2, 1, ACK)), Outbound);
        assert_eq!(
            direction(&mut local, &udp([10, 0, 0, 1], [10, 0, 0, 9])),
            Inbound
        );
        assert_eq!(
            direction(&mut local, &udp([10, 0, 0, 9], [10, 0, 0, 1])),
            Outbound
        );
        assert_eq!(
            direction(&mut local, &udp([10, 0, 0, 2], [224, 0, 0, 1])),
            Outbound
        );
    }

    #[test]
    fn one_acceptor_also_when_only_the_answer_was_seen() {
        let mut local = choose(&[tcp(7, 8, SYN | ACK)]);
        assert_eq!(local.to_string(), "10.0.0.7 (accepts connections)");
        assert_eq!(direction(&mut local, &tcp(8, 7, ACK)), Inbound);
    }

    #[test]
    fn else_the_most_frequent_address_and_never_a_group() {
        let a = [10, 0, 0, 1];
        let mut local = choose(&[
            udp(a, [224, 0, 0, 1]),
            udp(a, [224, 0, 0, 1]),
            udp([10, 0, 0, 5], [255; 4]),
            udp([10, 0, 0, 5], [224, 0, 0, 1]),
            udp(a, [224, 0, 0, 1]),
        ]);
        assert_eq!(local.to_string(), "10.0.0.1 (most frequent address)");
        assert_eq!(
            direction(&mut local, &udp([10, 0, 0, 5], [224, 0, 0, 1])),
            Inbound
        );
        // Of equals the one that was addressed first.
        let local = choose(&[
            udp([10, 0, 0, 9], [10, 0, 0, 8]),
            udp([10, 0, 0, 8], [10, 0, 0, 9]),
        ]);
        assert_eq!(local.to_string(), "10.0.0.8 (most frequent address)");
        assert_eq!(choose(&[]).to_string(), "none (no IP packets)");
        assert_eq!(choose(&[vec![0x45, 0]]).to_string(), "none (no IP packets)");
    }

    #[test]
    fn what_the_capture_says_comes_first() {
        let mut chooser = Chooser::default();
        let syn = tcp(1, 2, SYN);
        chooser.observe(&Packet::parse(&syn, Meta::default()), Some(Outbound));
        let ack = tcp(2, 1, SYN | ACK);
        chooser.observe(&Packet::parse(&ack, Meta::default()), Some(Inbound));
        let mut local = chooser.choose();
        assert_eq!(
            local.to_string(),
            "10.0.0.1 (the capture marks its packets)"
        );
        assert_eq!(direction(&mut local, &syn), Outbound);
        assert_eq!(direction(&mut local, &ack), Inbound);
    }

    #[test]
    fn newcomers_take_the_side_that_accepts() {
        let mut local = choose(&[tcp(1, 2, SYN)]);
        assert_eq!(direction(&mut local, &tcp(50, 51, ACK)), Inbound);
        assert_eq!(direction(&mut local, &tcp(51, 50, SYN | ACK)), Outbound);
        assert_eq!(direction(&mut local, &tcp(50, 51, ACK)), Inbound);
        assert_eq!(direction(&mut local, &tcp(51, 50, ACK)), Outbound);
        // And a known client stays one.
        assert_eq!(direction(&mut local, &tcp(1, 60, SYN)), Inbound);
        assert_eq!(direction(&mut local, &tcp(60, 1, SYN | ACK)), Outbound);
    }

    #[test]
    fn addresses_are_bounded() {
        let mut chooser = Chooser::default();
        for n in 0..70_000_u32 {
            let bytes = udp((0x0a00_0000 + n).to_be_bytes(), [10, 200, 0, 1]);
            chooser.observe(&Packet::parse(&bytes, Meta::default()), None);
        }
        assert_eq!(chooser.tallies.len(), MAX_ADDRESSES);
        assert!(chooser.is_full());
        let mut local = chooser.choose();
        for n in 0..10 {
            direction(&mut local, &tcp(n, 100 + n, SYN));
        }
        match local.kind {
            Kind::Chosen { roles, .. } => assert!(roles.len() <= MAX_ADDRESSES),
            Kind::Named(_) => panic!("nobody named it"),
        }
    }

    #[test]
    fn prefixes_as_users_write_them() {
        let ok = |t: &str| parse_prefix(t).unwrap().to_string();
        assert_eq!(ok("10.77.0.2/24"), "10.77.0.0/24");
        assert_eq!(ok("10.77.0.2"), "10.77.0.2/32");
        assert_eq!(ok("2001:db8::1/32"), "2001:db8::/32");
        assert_eq!(ok("::1"), "::1/128");
        for (text, wants) in [
            ("10.0.0.0/33", "0 to 32"),
            ("::/129", "0 to 128"),
            ("10.0.0.0/x", "`x`"),
            ("host", "expected"),
            ("", "expected"),
        ] {
            assert!(parse_prefix(text).unwrap_err().contains(wants), "{text}");
        }
        let mut local = Local::named(vec![parse_prefix("10.0.0.0/30").unwrap()]);
        assert_eq!(local.to_string(), "10.0.0.0/30 (named by --local)");
        assert_eq!(direction(&mut local, &tcp(1, 9, ACK)), Outbound);
        assert_eq!(direction(&mut local, &tcp(9, 1, ACK)), Inbound);
        assert_eq!(direction(&mut local, &tcp(1, 2, ACK)), Inbound);
        assert_eq!(direction(&mut local, &tcp(8, 9, ACK)), Inbound);
    }

    // RFC 3927 §2.7, RFC 4291 §2.5.6: what is link-local is not forwarded.
    #[test]
    fn what_passes_through_a_named_side_is_routed() {
        let local = Local::named(vec![
            parse_prefix("10.0.0.0/30").unwrap(),
            parse_prefix("2001:db8::1").unwrap(),
        ]);
        let routed =
            |bytes: &[u8]| local.routing(&Packet::parse(bytes, Meta::default())) == Routing::Routed;
        let (near, far, farther) = ([10, 0, 0, 1], [10, 0, 0, 8], [192, 0, 2, 1]);
        assert!(routed(&udp(far, farther)));
        for (from, to) in [
            (near, far),
            (far, near),
            (near, [10, 0, 0, 2]),
            (far, [224, 0, 0, 251]),
            (far, [255; 4]),
            ([0; 4], far),
            ([169, 254, 1, 1], far),
            (far, [127, 0, 0, 1]),
        ] {
            assert!(!routed(&udp(from, to)), "{from:?} to {to:?}");
        }
        let ipv6 = |from: &str, to: &str| {
            let octets = |a: &str| a.parse::<std::net::Ipv6Addr>().unwrap().octets();
            let mut out = Vec::new();
            PacketBuilder::ipv6(octets(from), octets(to), 64)
                .udp(1, 2)
                .write(&mut out, &[])
                .unwrap();
            out
        };
        assert!(routed(&ipv6("2001:db8::2", "2001:db8::3")));
        assert!(!routed(&ipv6("2001:db8::2", "2001:db8::1")));
        assert!(!routed(&ipv6("fe80::1", "2001:db8::3")));
        assert!(!routed(&ipv6("2001:db8::2", "ff02::1")));
        assert!(!routed(&[0x45, 0]), "no addresses");
        // Nobody named a side: nothing passes through.
        let chosen = choose(&[tcp(1, 2, SYN)]);
        assert_eq!(
            chosen.routing(&Packet::parse(&udp(far, farther), Meta::default())),
            Routing::Local
        );
    }
}
