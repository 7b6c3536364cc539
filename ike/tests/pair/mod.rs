//! Two machines and the link between them.
#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hostward_crypto::algorithm::{Aead, Group, Hash, Prf};
use hostward_crypto::{Failed, Provider, Random, Secret, backend};
use hostward_hook::ident::TunnelId;
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_ike::auth::{HowToAuthMe, SharedKey};
use hostward_ike::identity::{Addresses, Identity, IdentityPattern};
use hostward_ike::machine::*;
use hostward_ike::policy::*;
use hostward_ike::selector::{AddressRange, Selector};

/// Numbers that are the same for the same seed.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

impl Random for Seeded {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
        for octet in to {
            *octet = self.next() as u8;
        }
        Ok(())
    }
}

pub(crate) fn provider() -> Provider {
    Provider::of([backend::RUST_CRYPTO])
}

pub(crate) fn address(host: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, host])
}

/// What a test wants to be otherwise.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) offers: Vec<KeyExchangeOffer>,
    pub(crate) action: KeyExchangeAction,
    pub(crate) vpn: DynVpnAction,
    pub(crate) config: Config,
    pub(crate) key: &'static [u8],
    pub(crate) identity: Option<Identity>,
    pub(crate) seed: u64,
    pub(crate) tunnels: usize,
}

pub(crate) fn gcm() -> KeyExchangeOffer {
    KeyExchangeOffer::new(
        IkeProtection::Aead(Aead::AES_256_GCM),
        Prf::Hmac(Hash::Sha384),
        Group::X25519,
    )
}

impl Default for Setup {
    fn default() -> Self {
        let mut action = KeyExchangeAction::new("Action", vec![gcm()]);
        action.auth_me = HowToAuthMe::PresharedKey;
        action.allow_nat = true;
        let data = IpDataOffer::new(DataProtection::EspAead(Aead::AES_256_GCM));
        Self {
            offers: vec![gcm()],
            action,
            vpn: DynVpnAction::new("Vpn", vec![data]),
            config: Config::default(),
            key: b"a secret of two",
            identity: None,
            seed: 1,
            tunnels: 2,
        }
    }
}

impl Setup {
    pub(crate) fn policy(&self) -> Arc<Policy> {
        let mut action = self.action.clone();
        action.offers = self.offers.clone();
        let local = LocalEndpoint {
            identity: self.identity.clone(),
            location: Addresses::All,
        };
        let remote = RemoteEndpoint {
            identity: IdentityPattern::Any,
            location: Addresses::All,
            authorities: Vec::new(),
        };
        let mut rule = KeyExchangeRule::new("Rule", local, remote, Arc::new(action));
        if self.action.auth_me == HowToAuthMe::PresharedKey {
            rule.shared_key = Some(SharedKey::new(Secret::copy(self.key)).unwrap());
        }
        let parts = PolicyParts {
            rules: vec![rule],
            actions: vec![Arc::new(self.vpn.clone())],
            ..PolicyParts::default()
        };
        Arc::new(Policy::new(parts, &provider()).unwrap())
    }

    /// Tunnel n is between the networks 10.n.own.0 and 10.n.peer.0.
    pub(crate) fn host(&self, own: u8, peer: u8, credentials: Credentials) -> Host {
        let seed = self.seed.wrapping_mul(1000) + u64::from(own);
        let mut ike = Ike::new(
            self.config.clone(),
            self.policy(),
            provider(),
            credentials,
            Box::new(Seeded(seed)),
        );
        let net = |tunnel: u8, host: u8| {
            let address = IpAddr::from([10, tunnel, host, 0]);
            vec![Selector::of(AddressRange::prefix(address, 24).unwrap())]
        };
        let tunnels = (1..=self.tunnels as u8)
            .map(|n| {
                let vpn = Arc::new(self.vpn.clone());
                Tunnel::new(TunnelId(n.into()), "t", vpn, net(n, own), net(n, peer))
                    .between(address(own), address(peer))
            })
            .collect();
        ike.set_tunnels(tunnels);
        Host {
            ike,
            children: BTreeMap::new(),
            sending: BTreeMap::new(),
            closed: Vec::new(),
            failed: Vec::new(),
            established: Vec::new(),
            log: Vec::new(),
        }
    }

    pub(crate) fn pair(&self) -> Pair {
        Pair::of(
            self.host(1, 2, Credentials::default()),
            self.host(2, 1, Credentials::default()),
        )
    }
}

/// A host as its events make it.
pub(crate) struct Host {
    pub(crate) ike: Ike,
    pub(crate) children: BTreeMap<ChildId, ChildSa>,
    /// With which child each tunnel sends.
    pub(crate) sending: BTreeMap<TunnelId, ChildId>,
    pub(crate) closed: Vec<(SaId, Failure)>,
    pub(crate) failed: Vec<Failure>,
    pub(crate) established: Vec<Arc<IkeFacts>>,
    pub(crate) log: Vec<String>,
}

impl Host {
    pub(crate) fn take_events(&mut self) {
        while let Some(event) = self.ike.event() {
            self.log
                .push(format!("{event:?}").chars().take(120).collect());
            match event {
                Event::Established(facts) => self.established.push(facts),
                Event::ChildInstall(child) => {
                    let old = self.children.insert(child.id, *child);
                    assert!(old.is_none(), "a child has a number of its own");
                }
                Event::ChildSwitch(id) => {
                    let child = &self.children[&id];
                    self.sending.insert(child.tunnel, id);
                }
                Event::ChildRemove(id, _) => {
                    let child = self.children.remove(&id).expect("it was installed");
                    if self.sending.get(&child.tunnel) == Some(&id) {
                        // Another child of the tunnel, if there is one, does as well.
                        self.sending.remove(&child.tunnel);
                        let mut others = self.children.values();
                        if let Some(other) = others.rfind(|one| one.tunnel == child.tunnel) {
                            self.sending.insert(child.tunnel, other.id);
                        }
                    }
                }
                Event::ChildFailed(_, why) => self.failed.push(why),
                Event::Closed(id, why) => self.closed.push((id, why)),
                Event::Refused(_, why) => self.failed.push(why),
                Event::Rekeyed(..) | Event::PeerMoved(..) | Event::Address(..) | _ => {}
            }
        }
    }

    pub(crate) fn live(&self) -> Vec<SaDisplay> {
        let live = |sa: &SaDisplay| sa.state == SaState::Established;
        self.ike.sas().filter(live).collect()
    }

    pub(crate) fn only_sa(&self) -> SaId {
        let live = self.live();
        assert_eq!(live.len(), 1, "{live:#?}");
        live[0].id
    }

    pub(crate) fn only_child(&self) -> ChildId {
        assert_eq!(self.children.len(), 1, "{:?}", self.log);
        *self.children.keys().next().unwrap()
    }
}

pub(crate) struct Pair {
    pub(crate) a: Host,
    pub(crate) b: Host,
    pub(crate) now: Now,
    pub(crate) wire: VecDeque<Transmit>,
    /// Everything that was sent.
    pub(crate) sent: Vec<Transmit>,
    /// Whether what goes to the first or second host is lost.
    pub(crate) deaf: [bool; 2],
    /// As seen by the second host, the first is at this address and port.
    pub(crate) nat: Option<SocketAddr>,
}

impl Pair {
    pub(crate) fn of(a: Host, b: Host) -> Self {
        Self {
            a,
            b,
            now: Now::new(Instant::from_secs(1000), UnixTime::from_secs(1_893_456_000)),
            wire: VecDeque::new(),
            sent: Vec::new(),
            deaf: [false; 2],
            nat: None,
        }
    }

    /// Takes what both want to send.
    pub(crate) fn collect(&mut self) {
        for host in [&mut self.a, &mut self.b] {
            host.take_events();
            while let Some(datagram) = host.ike.transmit() {
                self.sent.push(datagram.clone());
                self.wire.push_back(datagram);
            }
        }
    }

    pub(crate) fn deliver(&mut self, datagram: Transmit) {
        let Transmit { mut path, bytes } = datagram;
        let to_a = path.remote.ip() == address(1)
            || self.nat.is_some_and(|nat| path.remote.ip() == nat.ip());
        if self.deaf[usize::from(!to_a)] {
            return;
        }
        if let Some(nat) = self.nat {
            if to_a {
                path.remote = SocketAddr::new(address(1), path.local.port());
            } else {
                path.local = SocketAddr::new(nat.ip(), nat.port() + path.local.port() % 2);
            }
        }
        let path = Path {
            local: path.remote,
            remote: path.local,
        };
        let host = if to_a { &mut self.a } else { &mut self.b };
        host.ike.receive(self.now, path, &bytes);
        host.take_events();
    }

    /// Delivers until nothing is on the wire.
    pub(crate) fn run(&mut self) {
        self.collect();
        while let Some(datagram) = self.wire.pop_front() {
            self.deliver(datagram);
            self.collect();
        }
    }

    /// Lets time pass, from deadline to deadline.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now.mono.saturating_add(time);
        loop {
            self.run();
            let next = [&self.a, &self.b]
                .into_iter()
                .filter_map(|host| host.ike.next_deadline())
                .min()
                .filter(|next| *next <= end);
            let Some(next) = next else {
                break;
            };
            self.advance(next);
            self.a.ike.handle_deadline(self.now);
            self.b.ike.handle_deadline(self.now);
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Instant) {
        let step = to.saturating_since(self.now.mono);
        let step = step.max(Duration::from_micros(1));
        let wall = self.now.wall.as_micros() + step.as_micros() as u64;
        self.now = Now::new(
            self.now.mono.saturating_add(step),
            UnixTime::from_micros(wall),
        );
    }

    pub(crate) fn start(&mut self) {
        self.a.ike.initiate(self.now, TunnelId(1)).unwrap();
        self.run();
    }

    /// Both have the same SAs: what one receives with the other sends with.
    pub(crate) fn assert_agreement(&self) {
        let (a, b) = (&self.a, &self.b);
        let sas = |host: &Host| {
            let mut all: Vec<_> = host
                .live()
                .iter()
                .map(|sa| format!("{:?}", sa.spis))
                .collect();
            all.sort();
            all
        };
        assert_eq!(sas(a), sas(b), "{:#?}\n{:#?}", a.log, b.log);
        assert_eq!(
            a.children.len(),
            b.children.len(),
            "{:#?}\n{:#?}",
            a.log,
            b.log
        );
        for child in a.children.values() {
            let other = b
                .children
                .values()
                .find(|other| other.inbound.spi == child.outbound.spi)
                .unwrap_or_else(|| panic!("{:#?}\n{:#?}", a.log, b.log));
            assert_eq!(child.inbound, other.outbound);
            assert_eq!(child.outbound, other.inbound);
            assert_eq!(child.local, other.remote);
            assert_eq!(child.remote, other.local);
            assert_eq!(child.suite, other.suite);
            assert_eq!(child.mode, other.mode);
        }
        // Every tunnel that has a child sends with one of them, which the other end has too.
        for host in [a, b] {
            for child in host.children.values() {
                assert!(host.children.contains_key(&host.sending[&child.tunnel]));
            }
        }
        assert_eq!(a.sending.len(), b.sending.len());
    }
}
