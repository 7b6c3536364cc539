//! What a host may tell beside packets. All of it is optional: what a host does not tell is learnt
//! from packets where they show it, and not detected where they do not.

use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_hook::layout::proto;

/// The state of a local port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "two bits")]
pub enum PortState {
    /// The host has not told.
    #[default]
    Unknown,
    /// Nobody has bound it.
    Unbound,
    /// Kept for somebody and not bound: nobody has business there.
    Reserved,
    /// Bound; for TCP: listening.
    Bound,
}

/// The states of all TCP and UDP ports: 32 KiB.
#[derive(Clone, Debug)]
pub struct Ports {
    tcp: Vec<u8>,
    udp: Vec<u8>,
}

/// Ports in one byte.
const IN_BYTE: usize = 4;

impl Default for Ports {
    fn default() -> Self {
        Self {
            tcp: vec![0; 65_536 / IN_BYTE],
            udp: vec![0; 65_536 / IN_BYTE],
        }
    }
}

impl Ports {
    /// The state of a port; unknown for other protocols than TCP and UDP.
    #[inline]
    #[must_use]
    pub fn get(&self, protocol: u8, port: u16) -> PortState {
        let table = match protocol {
            proto::TCP => &self.tcp,
            proto::UDP => &self.udp,
            _ => return PortState::Unknown,
        };
        let at = usize::from(port);
        let byte = table.get(at / IN_BYTE).copied().unwrap_or(0);
        match byte >> (at % IN_BYTE * 2) & 3 {
            1 => PortState::Unbound,
            2 => PortState::Reserved,
            3 => PortState::Bound,
            _ => PortState::Unknown,
        }
    }

    /// Tells the state of a port. Other protocols than TCP and UDP have none.
    pub fn set(&mut self, protocol: u8, port: u16, state: PortState) {
        let table = match protocol {
            proto::TCP => &mut self.tcp,
            proto::UDP => &mut self.udp,
            _ => return,
        };
        let at = usize::from(port);
        let bits = match state {
            PortState::Unknown => 0,
            PortState::Unbound => 1,
            PortState::Reserved => 2,
            PortState::Bound => 3,
        };
        if let Some(byte) = table.get_mut(at / IN_BYTE) {
            let shift = at % IN_BYTE * 2;
            *byte = *byte & !(3 << shift) | bits << shift;
        }
    }

    /// Tells that all ports of a protocol that it was not told of are unbound.
    pub fn set_others_unbound(&mut self, protocol: u8) {
        for port in 0..=u16::MAX {
            if self.get(protocol, port) == PortState::Unknown {
                self.set(protocol, port, PortState::Unbound);
            }
        }
    }
}

/// The most addresses of a host that are kept.
const ADDRESSES: usize = 4096;

/// What does not change with every packet: states of ports, and the host's own addresses.
#[derive(Clone, Debug, Default)]
pub struct Host {
    /// States of local ports.
    pub ports: Ports,
    home: Vec<IpAddr>,
}

impl Host {
    /// Tells the host's own addresses, at most 4,096; of more the rest is left out. Without any
    /// nothing is made of source addresses.
    pub fn set_home(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.home = addresses.into_iter().take(ADDRESSES).collect();
        self.home.sort_unstable();
        self.home.dedup();
    }

    /// Whether an address is the host's own; `None` if it has told none.
    #[must_use]
    pub fn is_home(&self, address: IpAddr) -> Option<bool> {
        let told = !self.home.is_empty();
        told.then(|| self.home.binary_search(&address).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_keep_their_states() {
        let mut host = Host::default();
        let states = [
            (proto::TCP, 0, PortState::Unbound),
            (proto::TCP, 1, PortState::Bound),
            (proto::TCP, 65_535, PortState::Reserved),
            (proto::UDP, 1, PortState::Reserved),
        ];
        for (p, n, s) in states {
            host.ports.set(p, n, s);
        }
        for (p, n, s) in states {
            assert_eq!(host.ports.get(p, n), s);
        }
        assert_eq!(host.ports.get(proto::UDP, 0), PortState::Unknown);
        host.ports.set(proto::SCTP, 1, PortState::Bound);
        assert_eq!(host.ports.get(proto::SCTP, 1), PortState::Unknown);
        host.ports.set_others_unbound(proto::UDP);
        assert_eq!(host.ports.get(proto::UDP, 0), PortState::Unbound);
        assert_eq!(host.ports.get(proto::UDP, 1), PortState::Reserved);
        host.ports.set(proto::TCP, 1, PortState::Unknown);
        assert_eq!(host.ports.get(proto::TCP, 1), PortState::Unknown);
    }

    #[test]
    fn home_is_what_was_told() {
        let mut host = Host::default();
        let a: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(host.is_home(a), None);
        host.set_home([a, "2001:db8::1".parse().unwrap(), a]);
        assert_eq!(host.is_home(a), Some(true));
        assert_eq!(host.is_home("192.0.2.2".parse().unwrap()), Some(false));
    }
}
