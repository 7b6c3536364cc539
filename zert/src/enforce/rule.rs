//! Rules: for which connections, how protected, what to do.

use core::net::IpAddr;
use core::ops::RangeInclusive;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::protection::{Protection, Truth};

/// Addresses of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Addresses {
    /// All of both versions.
    All,
    /// All of IPv4.
    AllV4,
    /// All of IPv6.
    AllV6,
    /// From one to another of the same version, both included.
    Range {
        /// The least.
        first: IpAddr,
        /// The greatest.
        last: IpAddr,
    },
}

impl Addresses {
    /// One address.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self::Range {
            first: address,
            last: address,
        }
    }

    /// A prefix; bits behind its length do not count. A length beyond the address is taken for one address.
    #[must_use]
    pub const fn prefix(address: IpAddr, length: u8) -> Self {
        match address {
            IpAddr::V4(a) => {
                let host = match u32::MAX.checked_shr(length as u32) {
                    Some(mask) => mask,
                    None => 0,
                };
                let a = a.to_bits();
                Self::Range {
                    first: IpAddr::V4(core::net::Ipv4Addr::from_bits(a & !host)),
                    last: IpAddr::V4(core::net::Ipv4Addr::from_bits(a | host)),
                }
            }
            IpAddr::V6(a) => {
                let host = match u128::MAX.checked_shr(length as u32) {
                    Some(mask) => mask,
                    None => 0,
                };
                let a = a.to_bits();
                Self::Range {
                    first: IpAddr::V6(core::net::Ipv6Addr::from_bits(a & !host)),
                    last: IpAddr::V6(core::net::Ipv6Addr::from_bits(a | host)),
                }
            }
        }
    }

    /// Whether an address is one of these.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::AllV4 => address.is_ipv4(),
            Self::AllV6 => address.is_ipv6(),
            // Addresses of IPv4 are less than all of IPv6, so versions do not mix.
            Self::Range { first, last } => {
                *first <= address && address <= *last && first.is_ipv4() == address.is_ipv4()
            }
        }
    }

    /// Whether all of some others are among these.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::AllV4, Self::Range { first, .. }) => first.is_ipv4(),
            (Self::AllV6, Self::Range { first, .. }) => first.is_ipv6(),
            (Self::Range { .. }, Self::Range { first, last }) => {
                self.contain(*first) && self.contain(*last)
            }
            (a, b) => a == b,
        }
    }
}

/// Which side opened the TCP connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Opened {
    /// Either.
    #[default]
    Both,
    /// The other end did.
    Inbound,
    /// This host did.
    Outbound,
}

/// A name or, with `*` at its end, the beginning of names. Letters match in either case, as job names and user
/// identities of z/OS have none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    start: Box<str>,
    open: bool,
}

impl NamePattern {
    /// A pattern; `None` when it is empty or a `*` stands elsewhere than at the end.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (start, open) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text, false),
        };
        (!text.is_empty() && !start.contains('*')).then(|| Self {
            start: start.into(),
            open,
        })
    }

    /// Whether a name is meant.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let begin = name.as_bytes().get(..self.start.len());
        begin.is_some_and(|b| b.eq_ignore_ascii_case(self.start.as_bytes()))
            && (self.open || name.len() == self.start.len())
    }
}

impl core::fmt::Display for NamePattern {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.start)?;
        f.write_str(if self.open { "*" } else { "" })
    }
}

/// What happens to a connection that a rule is about. Nothing of it: the connection is permitted silently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made to be written with update syntax"
)]
pub struct Action {
    /// Its name in messages.
    pub name: Arc<str>,
    /// A message to the system log.
    pub syslog: bool,
    /// A message to the console.
    pub console: bool,
    /// An audit record (SMF type 119 subtype 11, event 7).
    pub audit: bool,
    /// The connection is reset.
    pub reset: bool,
}

impl Action {
    /// Whether the connection goes on and nobody is told.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        !(self.syslog || self.console || self.audit || self.reset)
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Its name.
    pub name: Arc<str>,
    /// Rules of a higher one are tried first; 1 to 2,000,000,000 in policies.
    pub priority: u32,
    /// Local addresses; all when empty.
    pub local: Vec<Addresses>,
    /// Remote addresses; all when empty.
    pub remote: Vec<Addresses>,
    /// Local ports; all when empty.
    pub local_ports: Vec<RangeInclusive<u16>>,
    /// Remote ports; all when empty.
    pub remote_ports: Vec<RangeInclusive<u16>>,
    /// Who opened the connection.
    pub opened: Opened,
    /// Jobs of the local socket; all, unknown ones too, when empty.
    pub jobs: Vec<NamePattern>,
    /// Users of the local socket; all, unknown ones too, when empty.
    pub users: Vec<NamePattern>,
    /// How the connection is protected.
    pub protection: Arc<Protection>,
    /// What is done.
    pub action: Arc<Action>,
}

impl Rule {
    /// A rule for all connections that are protected in such a way, with priority 1.
    #[must_use]
    pub fn new(name: &str, protection: Arc<Protection>, action: Arc<Action>) -> Self {
        Self {
            name: name.into(),
            priority: 1,
            local: Vec::new(),
            remote: Vec::new(),
            local_ports: Vec::new(),
            remote_ports: Vec::new(),
            opened: Opened::Both,
            jobs: Vec::new(),
            users: Vec::new(),
            protection,
            action,
        }
    }

    /// The same with another priority.
    #[must_use]
    pub const fn priority(mut self, priority: u32) -> Self {
        self.priority = priority;
        self
    }

    /// Whether the rule is about a connection, whatever protects it.
    #[must_use]
    pub fn is_about(&self, connection: &Connection<'_>) -> Truth {
        let (local, remote) = (connection.local, connection.remote);
        let within = |list: &[Addresses], a: IpAddr| {
            list.is_empty() || list.iter().any(|set| set.contain(a))
        };
        let ports = |list: &[RangeInclusive<u16>], p: u16| {
            list.is_empty() || list.iter().any(|range| range.contains(&p))
        };
        let side = match self.opened {
            Opened::Both => true,
            Opened::Inbound => !connection.local_opened,
            Opened::Outbound => connection.local_opened,
        };
        let known = side
            && within(&self.local, local.ip())
            && within(&self.remote, remote.ip())
            && ports(&self.local_ports, local.port())
            && ports(&self.remote_ports, remote.port());
        if !known {
            return Truth::False;
        }
        named(&self.jobs, connection.job).and(named(&self.users, connection.user))
    }

    /// Whether every connection that `other` decides is one that this rule decides, by their texts.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let addresses = |a: &[Addresses], b: &[Addresses]| {
            let all: &[Addresses] = &[Addresses::All];
            let b = if b.is_empty() { all } else { b };
            a.is_empty() || b.iter().all(|x| a.iter().any(|y| y.cover(x)))
        };
        let ports = |a: &[RangeInclusive<u16>], b: &[RangeInclusive<u16>]| {
            let within = |x: &RangeInclusive<u16>| {
                a.iter()
                    .any(|y| y.start() <= x.start() && x.end() <= y.end())
            };
            a.is_empty() || !b.is_empty() && b.iter().all(within)
        };
        addresses(&self.local, &other.local)
            && addresses(&self.remote, &other.remote)
            && ports(&self.local_ports, &other.local_ports)
            && ports(&self.remote_ports, &other.remote_ports)
            && (self.opened == Opened::Both || self.opened == other.opened)
            && (self.jobs.is_empty() || self.jobs == other.jobs)
            && (self.users.is_empty() || self.users == other.users)
            && self.protection.covers(&other.protection)
    }
}

fn named(patterns: &[NamePattern], name: Option<&str>) -> Truth {
    if patterns.is_empty() {
        return Truth::True;
    }
    name.map_or(Truth::Unknown, |name| {
        patterns.iter().any(|p| p.matches(name)).into()
    })
}

/// What rules ask of a connection beside its protection.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "all that rules may ask")]
pub struct Connection<'n> {
    /// The local end.
    pub local: core::net::SocketAddr,
    /// The other end.
    pub remote: core::net::SocketAddr,
    /// This host opened it.
    pub local_opened: bool,
    /// Job of the local socket, if known.
    pub job: Option<&'n str>,
    /// User of the local socket, if known.
    pub user: Option<&'n str>,
}

/// Rules in the order in which they are tried: by priority, the highest first, then by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleSet {
    rules: Vec<Rule>,
    generation: u64,
    simulate: bool,
}

impl RuleSet {
    /// Puts rules in order. Of rules with equal priority and name the one given first is tried first.
    #[must_use]
    pub fn new(mut rules: Vec<Rule>, generation: u64) -> Self {
        rules.sort_by(|a, b| {
            let order = b.priority.cmp(&a.priority);
            order.then_with(|| a.name.cmp(&b.name))
        });
        Self {
            rules,
            generation,
            simulate: false,
        }
    }

    /// The same rules, which tell what they would do and reset nothing.
    #[must_use]
    pub const fn simulate(mut self, simulate: bool) -> Self {
        self.simulate = simulate;
        self
    }

    /// Whether nothing is reset.
    #[must_use]
    pub const fn is_simulated(&self) -> bool {
        self.simulate
    }

    /// The rules in order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What tells this set from the ones before and after it.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_in_a_star_or_match_whole() {
        let all = NamePattern::new("*").unwrap();
        assert!(all.matches("") && all.matches("X"));
        let web = NamePattern::new("HTTPD*").unwrap();
        assert!(web.matches("httpd1") && web.matches("HTTPD") && !web.matches("HTTP"));
        let one = NamePattern::new("FTPD").unwrap();
        assert!(one.matches("ftpd") && !one.matches("FTPD1"));
        assert_eq!(NamePattern::new("A*B"), None);
        assert_eq!(NamePattern::new("**"), None);
        assert_eq!(NamePattern::new(""), None);
        // No piece of a character is looked at.
        assert!(!NamePattern::new("é").unwrap().matches("e"));
    }

    #[test]
    fn addresses_keep_to_their_version() {
        let net = Addresses::prefix("192.0.2.77".parse().unwrap(), 24);
        assert!(net.contain("192.0.2.255".parse().unwrap()));
        assert!(!net.contain("192.0.3.0".parse().unwrap()));
        assert!(!net.contain("::c000:201".parse().unwrap()));
        let all: Addresses = Addresses::prefix("10.0.0.0".parse().unwrap(), 0);
        assert!(all.contain("255.255.255.255".parse().unwrap()));
        assert!(!all.contain("::1".parse().unwrap()));
        let host = Addresses::prefix("2001:db8::1".parse().unwrap(), 128);
        assert_eq!(host, Addresses::host("2001:db8::1".parse().unwrap()));
        assert!(Addresses::AllV4.cover(&net) && !Addresses::AllV6.cover(&net));
        assert!(all.cover(&net) && !net.cover(&all));
    }
}
