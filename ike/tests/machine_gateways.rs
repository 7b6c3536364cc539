//! Gateways that send their clients elsewhere, IKE SAs without a child, and addresses that must be asked for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod pair;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hostward_hook::ident::TunnelId;
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_ike::machine::*;
use hostward_ike::message::NotifyType;
use hostward_ike::selector::{AddressRange, Selector};

use pair::{Host, Pair, Setup, address};

/// A client, and gateways before the same network.
struct Net {
    hosts: Vec<Host>,
    now: Now,
    /// To whom messages of IKE_SA_INIT went from the client.
    asked: Vec<IpAddr>,
}

impl Net {
    /// The first gateway sends clients to the first of these, the second to the second, and so on.
    fn new(setup: &Setup, to: &[Option<u8>]) -> Self {
        let mut hosts = vec![setup.host(1, 2, Credentials::default())];
        for (at, to) in to.iter().enumerate() {
            let own = 2 + at as u8;
            let mut one = setup.clone();
            one.config.redirect_to = to.map(address);
            let mut host = one.host(own, 1, Credentials::default());
            let net = |host: u8| {
                let network = IpAddr::from([10, 1, host, 0]);
                vec![Selector::of(AddressRange::prefix(network, 24).unwrap())]
            };
            let vpn = Arc::new(setup.vpn.clone());
            let tunnel = Tunnel::new(TunnelId(1), "t", vpn, net(2), net(1));
            host.ike
                .set_tunnels(vec![tunnel.between(address(own), address(1))]);
            hosts.push(host);
        }
        Self {
            hosts,
            now: Now::new(Instant::from_secs(1000), UnixTime::from_secs(1_893_456_000)),
            asked: Vec::new(),
        }
    }

    fn run(&mut self) {
        loop {
            let mut wire = Vec::new();
            for host in &mut self.hosts {
                host.take_events();
                while let Some(datagram) = host.ike.transmit() {
                    wire.push(datagram);
                }
            }
            if wire.is_empty() {
                return;
            }
            for Transmit { path, bytes } in wire {
                if path.local.ip() == address(1) && path.local.port() == 500 {
                    self.asked.push(path.remote.ip());
                }
                let seen = Path {
                    local: path.remote,
                    remote: path.local,
                };
                let to = path.remote.ip();
                let at = (1..).find(|n| address(*n) == to).unwrap() as usize - 1;
                let Some(host) = self.hosts.get_mut(at) else {
                    continue;
                };
                host.ike.receive(self.now, seen, &bytes);
                host.take_events();
            }
        }
    }

    fn start(&mut self) {
        self.hosts[0].ike.initiate(self.now, TunnelId(1)).unwrap();
        self.run();
    }

    fn children(&self) -> Vec<usize> {
        self.hosts.iter().map(|host| host.children.len()).collect()
    }

    fn sas(&self) -> Vec<usize> {
        self.hosts.iter().map(|host| host.live().len()).collect()
    }
}

// RFC 5685 §3: the client says where it comes from, which tells the next gateway that it follows; that one may send it
// on. A gateway does not send clients to itself.
#[test]
fn from_gateway_to_gateway() {
    for last in [None, Some(4)] {
        let mut net = Net::new(&Setup::default(), &[Some(3), Some(4), last]);
        net.start();
        assert_eq!(net.asked, [address(2), address(3), address(4)]);
        assert_eq!(net.children(), [1, 0, 0, 1]);
        assert!(net.hosts[0].failed.is_empty());
    }
}

// RFC 5685 §7: two gateways that send a client to each other: it follows five times, and then no more for a while.
#[test]
fn round_and_round() {
    let mut net = Net::new(&Setup::default(), &[Some(3), Some(2)]);
    net.start();
    let [first, second] = [address(2), address(3)];
    assert_eq!(net.asked, [first, second, first, second, first, second]);
    assert_eq!(net.hosts[0].failed.len(), 1);
    assert!(matches!(net.hosts[0].failed[0], Failure::Answer(_)));
    assert!(net.hosts.iter().all(|host| host.ike.is_empty()));
}

// RFC 5685 §5: a gateway sends an established client elsewhere, without a nonce; the client sets the same up there
// and then deletes what it had here. Who does not follow is not told.
#[test]
fn an_established_client() {
    let mut net = Net::new(&Setup::default(), &[None, None]);
    net.start();
    assert_eq!(net.children(), [1, 1, 0]);
    let sa = net.hosts[1].only_sa();
    assert!(net.hosts[1].ike.send_elsewhere(net.now, sa, address(3)));
    net.run();
    assert_eq!((net.children(), net.sas()), (vec![1, 0, 1], vec![1, 0, 1]));
    assert_eq!(net.hosts[1].closed, [(sa, Failure::Peer)]);

    let mut setup = Setup::default();
    setup.config.follow_redirects = false;
    let mut net = Net::new(&setup, &[None, None]);
    net.start();
    let sa = net.hosts[1].only_sa();
    assert!(!net.hosts[1].ike.send_elsewhere(net.now, sa, address(3)));
    // Nor may a client send its gateway anywhere.
    let sa = net.hosts[0].only_sa();
    assert!(!net.hosts[0].ike.send_elsewhere(net.now, sa, address(3)));
    net.run();
    assert_eq!(net.children(), [1, 1, 0]);
}

// RFC 5685 §6: only who is authenticated is sent elsewhere, with no child; what there is of it here goes. RFC 5685 §7:
// those redirections count too.
#[test]
fn once_it_is_authenticated() {
    let mut setup = Setup::default();
    setup.config.redirect_authenticated = true;
    let mut net = Net::new(&setup, &[Some(3), None]);
    net.start();
    assert_eq!(net.asked, [address(2), address(3)]);
    assert_eq!((net.children(), net.sas()), (vec![1, 0, 1], vec![1, 0, 1]));
    assert_eq!(net.hosts[1].established.len(), 1);
    assert!(net.hosts[0].failed.is_empty());

    let mut net = Net::new(&setup, &[Some(3), Some(2)]);
    net.start();
    assert_eq!(net.asked.len(), 6);
    assert_eq!(net.hosts[0].failed.len(), 1);
    assert_eq!((net.children(), net.sas()), (vec![0; 3], vec![0; 3]));
}

// RFC 6023 §3: an IKE SA without a child, which has some later; only with a peer that announced that it takes that.
#[test]
fn without_a_child() {
    let mut pair = Setup::default().pair();
    let (a, b) = (address(1), address(2));
    let id = pair.a.ike.connect(pair.now, a, b).unwrap();
    pair.run();
    pair.assert_agreement();
    assert_eq!((pair.a.live().len(), pair.a.children.len()), (1, 0));
    assert_eq!(pair.sent.len(), 4);
    assert_eq!(pair.a.ike.connect(pair.now, a, b), Ok(id));
    assert_eq!(pair.a.ike.initiate(pair.now, TunnelId(1)), Ok(id));
    pair.run();
    pair.assert_agreement();
    assert_eq!((pair.a.live().len(), pair.a.children.len()), (1, 1));

    let mut never = Setup::default();
    never.config.childless = false;
    let mut pair = Pair::of(
        Setup::default().host(1, 2, Credentials::default()),
        never.host(2, 1, Credentials::default()),
    );
    pair.a.ike.connect(pair.now, a, b).unwrap();
    pair.run();
    // IKE_AUTH is not sent at all.
    assert_eq!(pair.sent.len(), 2);
    assert!(matches!(pair.a.closed[0].1, Failure::Answer(_)));
    pair.pass(Duration::from_secs(60));
    assert!(pair.a.ike.is_empty() && pair.b.ike.is_empty());
}

// RFC 7296 §2.19: who must ask for an address and does not has no child, and keeps its IKE SA.
#[test]
fn an_address_is_required() {
    let mut b = Setup::default();
    b.config.give_addresses = true;
    b.config.require_address = true;
    for asks in [false, true] {
        let mut a = Setup::default();
        a.config.ask_address = asks;
        let mut pair = Pair::of(
            a.host(1, 2, Credentials::default()),
            b.host(2, 1, Credentials::default()),
        );
        pair.start();
        if asks {
            let (id, _) = pair.b.ike.question().unwrap();
            let given = Assigned {
                addresses: vec!["10.1.1.7".parse().unwrap()],
                name_servers: Vec::new(),
            };
            pair.b
                .ike
                .answer(pair.now, id, Answer::Address(Some(given)));
            pair.run();
        }
        pair.assert_agreement();
        assert_eq!(pair.a.live().len(), 1);
        assert_eq!(pair.a.children.len(), usize::from(asks));
        let told = Failure::Told(NotifyType::FAILED_CP_REQUIRED);
        assert_eq!(pair.a.failed.contains(&told), !asks);
        // Nor later.
        pair.a.ike.initiate(pair.now, TunnelId(1)).unwrap();
        pair.run();
        assert_eq!(pair.a.failed.len(), 2 * usize::from(!asks));
    }
}
