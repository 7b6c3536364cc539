//! What begins a negotiation: a packet, a command, the start of the host, or an SA that must be authenticated again.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use hostward_hook::ident::TunnelId;
use hostward_hook::time::Now;

use super::Ike;
use super::child::are_hosts;
use super::config::Tunnel;
use super::context::RuleRef;
use super::convert::proposed_mode;
use super::event::{Failure, Path, SaId};
use super::handshake::Redirected;
use super::init;
use super::sa::{Phase, Task, Wish};
use crate::identity::Addresses;
use crate::message::IkeSpi;
use crate::policy::{Granularity, HowToInitiate, Initiation, LocalDynVpnRule, LocalStartAction};
use crate::selector::{AddressRange, Ports, Selector, intersect};

/// A packet that started a negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what selectors look at")]
pub struct Packet {
    /// This host's side.
    pub local: IpAddr,
    /// The other side.
    pub remote: IpAddr,
    /// The protocol of IP.
    pub protocol: u8,
    /// The local port, or type and code of ICMP as [`Ports::icmp`] packs them.
    pub local_port: Option<u16>,
    /// The remote port likewise.
    pub remote_port: Option<u16>,
}

/// Why no negotiation was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no such tunnel.
    #[error("there is no such tunnel")]
    NoTunnel,
    /// The action leaves the start to the peer, or the rule does not start.
    #[error("the policy leaves the start to the peer")]
    NotFromHere,
    /// The addresses of the security endpoints are not known.
    #[error("it is not known where the peer is")]
    NoEndpoint,
    /// No key exchange rule is for these addresses.
    #[error("no key exchange rule is for these addresses")]
    NoRule,
    /// No offer may be used in a mode that fits the selectors.
    #[error("no data offer fits the traffic")]
    NoOffer,
    /// There are too many SAs.
    #[error("there are too many IKE SAs")]
    Full,
    /// The provider failed.
    #[error("the crypto provider failed")]
    Crypto,
}

fn range(addresses: Addresses) -> Vec<AddressRange> {
    match addresses {
        Addresses::All => alloc::vec![AddressRange::ALL_V4, AddressRange::ALL_V6],
        Addresses::V4 => alloc::vec![AddressRange::ALL_V4],
        Addresses::V6 => alloc::vec![AddressRange::ALL_V6],
        Addresses::Range { first, last, .. } => AddressRange::of(first, last).into_iter().collect(),
    }
}

/// The selectors of a rule that is started by command.
fn selectors(rule: &LocalDynVpnRule, local: bool) -> Vec<Selector> {
    let (addresses, ports) = if local {
        (rule.local, &rule.local_ports)
    } else {
        (rule.remote, &rule.remote_ports)
    };
    let ports = match (&rule.types, &rule.codes) {
        (Some(types), Some(codes)) => Ports::Range(
            u16::from_be_bytes([*types.start(), *codes.start()]),
            u16::from_be_bytes([*types.end(), *codes.end()]),
        ),
        (Some(types), None) => Ports::Range(
            u16::from_be_bytes([*types.start(), 0]),
            u16::from_be_bytes([*types.end(), 255]),
        ),
        (None, _) => Ports::Range(*ports.start(), *ports.end()),
    };
    range(addresses)
        .into_iter()
        .map(|addresses| Selector {
            protocol: rule.protocol.unwrap_or(0),
            ports,
            addresses,
        })
        .collect()
}

/// What is proposed when a packet starts a tunnel: the packet's own selector first, so that the responder may
/// narrow to it (RFC 7296 §2.9), and behind it what the rule lets through, cut as the start action says.
fn proposed(tunnel: &Tunnel, packet: &Packet, local: bool) -> Vec<Selector> {
    let (address, port, rule) = if local {
        (packet.local, packet.local_port, &tunnel.local)
    } else {
        (packet.remote, packet.remote_port, &tunnel.remote)
    };
    let exact = Selector::of_packet(address, packet.protocol, port);
    let cut = |granularity: fn(&LocalStartAction, bool) -> Granularity| {
        tunnel
            .start
            .as_ref()
            .is_some_and(|start| granularity(start, local) == Granularity::Packet)
    };
    let by_ip = cut(|start, local| {
        if local {
            start.local_ip
        } else {
            start.remote_ip
        }
    });
    let by_port = cut(|start, local| {
        if local {
            start.local_port
        } else {
            start.remote_port
        }
    });
    let by_protocol = cut(|start, _| start.protocol);
    let mut wanted = Vec::new();
    for one in rule {
        let mask = Selector {
            protocol: if by_protocol || by_port {
                packet.protocol
            } else {
                0
            },
            ports: match port {
                Some(port) if by_port => Ports::one(port),
                _ => Ports::ANY,
            },
            addresses: if by_ip {
                AddressRange::one(address)
            } else {
                one.addresses
            },
        };
        wanted.extend(intersect(&[*one], &[mask], 8));
    }
    if wanted.len() != 1 || wanted.first() != Some(&exact) {
        wanted.insert(0, exact);
    }
    wanted
}

impl Ike {
    /// A packet needs a tunnel (on-demand activation).
    ///
    /// # Errors
    ///
    /// [`StartError`]; what fails later is an [`Event`](super::Event).
    pub fn acquire(
        &mut self,
        now: Now,
        tunnel: TunnelId,
        packet: &Packet,
    ) -> Result<SaId, StartError> {
        self.cx.now = now;
        let found = self
            .cx
            .tunnel(tunnel)
            .cloned()
            .ok_or(StartError::NoTunnel)?;
        let local = proposed(&found, packet, true);
        let remote = proposed(&found, packet, false);
        let start = found.start.as_ref();
        let by_start = |location: Option<Addresses>| location.and_then(|place| place.single());
        let here = found
            .local_endpoint
            .or_else(|| by_start(start?.local.as_ref().map(|end| end.location)))
            .unwrap_or(packet.local);
        let there = found
            .remote_endpoint
            .or_else(|| by_start(start?.remote.as_ref().map(|end| end.location)))
            .unwrap_or(packet.remote);
        self.start(&found, local, remote, here, there)
    }

    /// Starts a `LocalDynVpnRule` by its name (`ipsec -y activate -l`).
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn activate(&mut self, now: Now, name: &str) -> Result<SaId, StartError> {
        self.cx.now = now;
        let policy = Arc::clone(&self.cx.policy);
        let rule = policy.local(name).ok_or(StartError::NoTunnel)?;
        self.activate_rule(rule)
    }

    /// Starts all rules that are to be started by themselves (`AutoActivate`); those that could not be are left
    /// out.
    pub fn auto_activate(&mut self, now: Now) -> Vec<SaId> {
        self.cx.now = now;
        let policy = Arc::clone(&self.cx.policy);
        policy
            .auto_activate()
            .filter_map(|rule| self.activate_rule(rule).ok())
            .collect()
    }

    fn activate_rule(&mut self, rule: &LocalDynVpnRule) -> Result<SaId, StartError> {
        let (local, remote) = (selectors(rule, true), selectors(rule, false));
        let both = |tunnel: &&Tunnel| {
            !intersect(&tunnel.local, &local, 255).is_empty()
                && !intersect(&tunnel.remote, &remote, 255).is_empty()
        };
        let tunnel = self.cx.tunnels.iter().find(both).cloned();
        let tunnel = tunnel.ok_or(StartError::NoTunnel)?;
        let local = intersect(&tunnel.local, &local, 255);
        let remote = intersect(&tunnel.remote, &remote, 255);
        self.start_tunnel(&tunnel, local, remote)
    }

    /// Starts a tunnel with all of its traffic.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn initiate(&mut self, now: Now, tunnel: TunnelId) -> Result<SaId, StartError> {
        self.cx.now = now;
        let found = self
            .cx
            .tunnel(tunnel)
            .cloned()
            .ok_or(StartError::NoTunnel)?;
        let (local, remote) = (found.local.clone(), found.remote.clone());
        self.start_tunnel(&found, local, remote)
    }

    /// Authenticates with a peer without any child (RFC 6023), unless there is an SA with it. What is wanted later
    /// uses the SA.
    ///
    /// # Errors
    ///
    /// [`StartError`]; a peer that does not take such an SA is told of in an [`Event`](super::Event).
    pub fn connect(&mut self, now: Now, here: IpAddr, there: IpAddr) -> Result<SaId, StartError> {
        self.cx.now = now;
        if let Some(sa) = self.usable(here, there).and_then(|spi| self.sas.get(&spi)) {
            return Ok(sa.id);
        }
        let held = self.rule_to_begin(here, there)?;
        self.begin(here, there, held, Vec::new(), None, None)
    }

    /// An SA with the peer that is there, or is being made from here.
    fn usable(&self, here: IpAddr, there: IpAddr) -> Option<IkeSpi> {
        let fits = |spi: &IkeSpi| {
            self.sas.get(spi).is_some_and(|sa| match &sa.phase {
                Phase::Initiating(_) => true,
                Phase::Handshake(_) => sa.role == crate::keys::Side::Initiator,
                Phase::Established(_) => sa.is_live(),
                Phase::Closed(_) => false,
            })
        };
        self.index.between(here, there).find(fits)
    }

    /// The rule by which this host begins.
    fn rule_to_begin(&self, here: IpAddr, there: IpAddr) -> Result<RuleRef, StartError> {
        let policy = &self.cx.policy;
        let rule = policy.tentative(here, there).ok_or(StartError::NoRule)?;
        if rule.action.initiate == HowToInitiate::DoNot {
            return Err(StartError::NotFromHere);
        }
        RuleRef::new(policy, rule).ok_or(StartError::NoRule)
    }

    fn start_tunnel(
        &mut self,
        tunnel: &Tunnel,
        local: Vec<Selector>,
        remote: Vec<Selector>,
    ) -> Result<SaId, StartError> {
        let single = |list: &[Selector]| list.first().and_then(|one| one.addresses.single());
        let here = tunnel.local_endpoint.or_else(|| single(&local));
        let there = tunnel.remote_endpoint.or_else(|| single(&remote));
        let (here, there) = here.zip(there).ok_or(StartError::NoEndpoint)?;
        self.start(tunnel, local, remote, here, there)
    }

    fn start(
        &mut self,
        tunnel: &Tunnel,
        local: Vec<Selector>,
        remote: Vec<Selector>,
        here: IpAddr,
        there: IpAddr,
    ) -> Result<SaId, StartError> {
        if tunnel.action.initiation == Initiation::RemoteOnly {
            return Err(StartError::NotFromHere);
        }
        let hosts = are_hosts(&local, &remote);
        let mode = proposed_mode(&tunnel.action, hosts).ok_or(StartError::NoOffer)?;
        let wish = Wish {
            tunnel: tunnel.id,
            action: Arc::clone(&tunnel.action),
            mode,
            local,
            remote,
            since: self.cx.mono(),
            generation: 0,
        };
        // An SA with the peer that is there, or is being made, is used.
        let found = self.usable(here, there);
        if let Some(sa) = found.and_then(|spi| self.sas.get_mut(&spi)) {
            let (id, spi) = (sa.id, sa.local_spi());
            match &mut sa.phase {
                Phase::Initiating(own) => own.wishes.push(wish),
                Phase::Handshake(own) => own.wishes.push(wish),
                Phase::Established(_) | Phase::Closed(_) => {
                    sa.enqueue(&mut self.cx, Task::Create(Box::new(wish)));
                    sa.pump(&mut self.cx);
                }
            }
            self.touched(spi);
            return Ok(id);
        }
        let held = self.rule_to_begin(here, there)?;
        self.begin(here, there, held, alloc::vec![wish], None, None)
    }

    fn begin(
        &mut self,
        here: IpAddr,
        there: IpAddr,
        held: RuleRef,
        wishes: Vec<Wish>,
        replaces: Option<SaId>,
        redirected: Option<Redirected>,
    ) -> Result<SaId, StartError> {
        if self.sas.len() >= self.cx.config.limits.sas {
            self.cx.counters.sas_refused += 1;
            return Err(StartError::Full);
        }
        let port = if self.cx.config.start_on_nat_port {
            self.cx.config.nat_port
        } else {
            self.cx.config.port
        };
        let path = Path {
            local: SocketAddr::new(here, port),
            remote: SocketAddr::new(there, port),
        };
        let sa = init::begin(&mut self.cx, path, held, wishes, replaces, redirected)
            .ok_or(StartError::Crypto)?;
        let id = sa.id;
        self.adopt(sa);
        Ok(id)
    }

    /// Make before break: another SA with the same children; the old one goes when it is there
    /// (RFC 7296 §2.8.3).
    pub(super) fn reauthenticate(&mut self, spi: IkeSpi) {
        let now = self.cx.mono();
        let Some(sa) = self.sas.get(&spi) else {
            return;
        };
        let Some(own) = sa.established() else {
            return;
        };
        let wishes = sa
            .children
            .iter()
            .map(|child| Wish {
                since: now,
                ..child.wish.clone()
            })
            .collect();
        let (id, held) = (sa.id, own.rule.clone());
        let (here, there) = (sa.path.local.ip(), sa.path.remote.ip());
        // If it cannot be begun, the old one lives until its end.
        let _ = self.begin(here, there, held, wishes, Some(id), None);
    }

    /// RFC 5685 §3, §5, §6: the same with another gateway; identities stay, and so does the rule.
    pub(super) fn redirect(
        &mut self,
        spi: IkeSpi,
        to: IpAddr,
        unborn: Option<(Vec<Wish>, Option<SaId>)>,
    ) {
        let now = self.cx.mono();
        let limits = &self.cx.config.limits;
        let (most, time) = (limits.redirects, limits.redirect_time);
        let Some(sa) = self.sas.get_mut(&spi) else {
            return;
        };
        let from = sa.path.remote.ip();
        let here = sa.path.local.ip();
        // Without children an SA of IKE_AUTH is of no use; otherwise it stays until the other one is there.
        let useless = unborn.is_some();
        let (held, wishes, before, replaces) = match &mut sa.phase {
            Phase::Initiating(own) => (
                own.rule.clone(),
                core::mem::take(&mut own.wishes),
                own.redirected,
                own.replaces,
            ),
            Phase::Established(own) => {
                let children = sa.children.iter().map(|child| child.wish.clone());
                let (wishes, replaces) =
                    unborn.unwrap_or_else(|| (children.collect(), Some(sa.id)));
                let before = own.redirected.as_deref().copied();
                (own.rule.clone(), wishes, before, replaces)
            }
            Phase::Handshake(_) | Phase::Closed(_) => return,
        };
        // RFC 5685 §7: not round and round.
        let (count, since) = match before {
            Some(before) if now.saturating_since(before.since) <= time => {
                (before.count + 1, before.since)
            }
            _ => (1, now),
        };
        let in_time = count <= most && from != to && here.is_ipv4() == to.is_ipv4();
        let established = sa.established().is_some();
        if !established {
            sa.close_at_once(&mut self.cx, Failure::Replaced);
            self.touched(spi);
        }
        let next = Redirected { from, count, since };
        let begun = in_time
            && self
                .begin(here, to, held, wishes.clone(), replaces, Some(next))
                .is_ok();
        if !begun && (useless || !established) {
            let why = Failure::Answer("redirected too often, or nowhere".into());
            self.cx.fail_wishes(&wishes, &why);
        }
        if useless {
            self.delete_spi(spi, Failure::Replaced);
        }
    }
}
