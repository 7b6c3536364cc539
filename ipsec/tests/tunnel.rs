//! Two hosts with a tunnel between them: policy, associations, rekeying, packets that wait.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hostward_crypto::{Provider, Secret, backend};
use hostward_hook::action::{Action, ActionQueue, Cx};
use hostward_hook::event::{Class, Event, EventQueue, EventSink, OwnedValue};
use hostward_hook::flow::HashKey;
use hostward_hook::frame::VecFrame;
use hostward_hook::hooks::Opened;
use hostward_hook::ident::{Names, RuleId, SaId, Ticket, TunnelId, WorkerId};
use hostward_hook::protection::{Encapsulation, Fact, IpsecTunnel, ProtectionSink};
use hostward_hook::{
    FlowKey, FrameBuf, Instant, Meta, Now, Packet, PacketTransform, Point, Routing, Timers,
    UnixTime, Verdict,
};
use hostward_ipsec::display::TunnelDisplay;
use hostward_ipsec::manual::Half;
use hostward_ipsec::sa::{Lifetimes, Limits, SaError};
use hostward_ipsec::told::{
    MOVING, NO_ASSOCIATION, NOT_SELECTED, POLICY_DISCARD, POLICY_PROTECTION, TOO_MANY_HELD,
    TUNNEL_ADDED, TUNNEL_EXPIRED, TUNNEL_INACTIVE, TUNNEL_REFRESHED, TUNNEL_REMOVED, UNKNOWN_SPI,
};
use hostward_ipsec::{
    Addresses, Directory, DirectoryError, Entry, Install, InstallError, Ipsec, IpsecConfig,
    LocalAddresses, ManualTunnel, Message, Parameters, Processing, Removal, Selectors, Sending,
    Spd, Suite, Tunnel, codes,
};

const T: TunnelId = TunnelId(4);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn now(secs: u64) -> Now {
    Now::new(
        Instant::from_secs(secs),
        UnixTime::from_secs(1_700_000_000 + secs),
    )
}

/// A UDP packet.
fn udp(from: &str, to: &str, port: u16) -> Vec<u8> {
    let (IpAddr::V4(a), IpAddr::V4(b)) = (ip(from), ip(to)) else {
        panic!("IPv4 only")
    };
    let mut p = vec![0x45, 0, 0, 36, 0, 9, 0, 0, 64, 17, 0, 0];
    p.extend(a.octets());
    p.extend(b.octets());
    let sum = p
        .chunks(2)
        .fold(0u32, |s, c| s + u32::from(u16::from_be_bytes([c[0], c[1]])));
    let sum = (sum & 0xffff) + (sum >> 16);
    p[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    p.extend(4_000u16.to_be_bytes());
    p.extend(port.to_be_bytes());
    p.extend([0, 16, 0, 0]);
    p.extend(*b"payload!");
    p
}

struct Host {
    ipsec: Ipsec,
    events: EventQueue,
    actions: ActionQueue<64>,
}

impl Host {
    fn of(config: IpsecConfig, directory: &Arc<Directory>) -> Self {
        let provider = Provider::of([backend::RUST_CRYPTO]);
        let mut ipsec = Ipsec::new(config, Arc::clone(directory), provider);
        ipsec.set_tunnel(Tunnel::dynamic(T, "branch")).unwrap();
        Self {
            ipsec,
            events: EventQueue::new(1_000),
            actions: ActionQueue::new(),
        }
    }

    fn new() -> Self {
        Self::of(IpsecConfig::default(), &Arc::new(directory()))
    }

    fn with<R>(&mut self, t: u64, work: impl FnOnce(&mut Ipsec, &mut Cx<'_>) -> R) -> R {
        let mut cx = Cx::new(now(t), &mut self.events, &mut self.actions);
        work(&mut self.ipsec, &mut cx)
    }

    fn select(&mut self, t: u64, packet: &[u8]) -> Result<SaId, Verdict> {
        let packet = Packet::parse(packet, Meta::new(Point::LocalOut, now(t)));
        self.with(t, |i, cx| i.select(cx, &packet, T, RuleId(7)))
    }

    fn send(&mut self, t: u64, packet: &[u8]) -> Result<Vec<u8>, Verdict> {
        let sa = self.select(t, packet)?;
        let mut f = frame(packet);
        match self.with(t, |i, cx| i.seal(cx, sa, &mut f)) {
            Verdict::Continue => Ok(f.bytes().to_vec()),
            other @ (Verdict::Drop(_)
            | Verdict::Reject(_)
            | Verdict::Protect { .. }
            | Verdict::Hold(_)
            | Verdict::Consumed
            | Verdict::Handoff(_)
            | _) => Err(other),
        }
    }

    fn receive(&mut self, t: u64, packet: &[u8]) -> Result<(Opened, Vec<u8>), Verdict> {
        let mut f = frame(packet);
        let parsed = Packet::parse(packet, Meta::new(Point::LocalIn, now(t)));
        assert!(self.ipsec.wants_open(&parsed));
        let layout = *parsed.layout();
        let opened = self.with(t, |i, cx| i.open(cx, &layout, &mut f))?;
        Ok((opened, f.bytes().to_vec()))
    }

    fn codes(&mut self) -> Vec<u16> {
        std::iter::from_fn(|| self.events.pop())
            .map(|e| e.code.get())
            .collect()
    }

    fn acts(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.actions.poll()).collect()
    }
}

fn directory() -> Directory {
    Directory::new(100, HashKey::new([5; 16]))
}

fn frame(packet: &[u8]) -> VecFrame {
    let mut f = VecFrame::new(128, 2_000);
    f.set(packet);
    f
}

fn half(spi: u32, local: &str, remote: &str) -> Parameters {
    let keys = Secret::new((0..20).map(|n| n ^ spi as u8).collect());
    let ends = (ip(local), ip(remote));
    let mode = Encapsulation::Tunnel;
    Parameters::new(SaId(0), spi, Suite::AES_128_GCM, mode, keys, ends)
}

const HERE: &str = "192.0.2.1";
const THERE: &str = "192.0.2.2";

fn nets(local: &str, remote: &str) -> Selectors {
    let net = |a| Addresses::prefix(ip(a), 24).unwrap();
    Selectors::between(net(local), net(remote))
}

/// The halves of both hosts.
fn installs(spi: u32) -> [Install; 2] {
    let (ours, theirs) = (nets("10.1.0.0", "10.2.0.0"), nets("10.2.0.0", "10.1.0.0"));
    [
        Install::new(
            T,
            [ours],
            half(spi, HERE, THERE),
            half(spi + 1, HERE, THERE),
        ),
        Install::new(
            T,
            [theirs],
            half(spi + 1, THERE, HERE),
            half(spi, THERE, HERE),
        ),
    ]
}

fn pair() -> [Host; 2] {
    let mut hosts = [Host::new(), Host::new()];
    for (host, install) in hosts.iter_mut().zip(installs(1_000)) {
        host.with(0, |i, cx| i.install(cx, install)).unwrap();
    }
    hosts
}

const PING: fn() -> Vec<u8> = || udp("10.1.0.5", "10.2.0.6", 53);

#[test]
fn a_packet_goes_through_the_tunnel() {
    let [mut a, mut b] = pair();
    let sealed = a.send(1, &PING()).unwrap();
    assert_eq!(
        (sealed[9], &sealed[12..16], &sealed[16..20]),
        (50, &[192, 0, 2, 1][..], &[192, 0, 2, 2][..])
    );
    let (opened, inner) = b.receive(1, &sealed).unwrap();
    assert_eq!(inner[20..], PING()[20..]);
    // RFC 4301 §5.2: the inner packet goes on to 10.2.0.6, which is not this host.
    assert_eq!(opened.routing, Some(Routing::Routed));
    assert_eq!(b.ipsec.directory().tunnel_of(opened.sa), Some(T));
    assert_eq!(a.ipsec.max_overhead(), b.ipsec.max_overhead());
    // The same packet once more.
    assert_eq!(b.receive(1, &sealed), Err(Verdict::Drop(codes::REPLAY)));
    let mut forged = a.send(1, &PING()).unwrap();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(b.receive(1, &forged), Err(Verdict::Drop(codes::BAD_ICV)));
    assert_eq!(
        b.codes(),
        [TUNNEL_ADDED, codes::REPLAY, codes::BAD_ICV].map(|c| c.get())
    );
}

// RFC 4303 §3.4.1: what is a fragment is put together before it is opened.
#[test]
fn fragments_are_not_opened() {
    let [mut a, mut b] = pair();
    let mut sealed = a.send(1, &PING()).unwrap();
    sealed[6] |= 0x20;
    sealed[10..12].fill(0);
    let sum = hostward_hook::checksum::checksum(&sealed[..20]);
    sealed[10..12].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(b.receive(1, &sealed), Err(Verdict::Drop(codes::FRAGMENT)));
}

#[derive(Debug)]
struct Mine;

impl LocalAddresses for Mine {
    fn is_local(&self, address: IpAddr) -> bool {
        address == ip("10.2.0.6")
    }
}

#[test]
fn the_host_says_where_inner_packets_end() {
    let mut a = Host::new();
    let config = IpsecConfig {
        local: Some(Arc::new(Mine)),
        ..IpsecConfig::default()
    };
    let mut b = Host::of(config, &Arc::new(directory()));
    let [x, y] = installs(1_000);
    a.with(0, |i, cx| i.install(cx, x)).unwrap();
    b.with(0, |i, cx| i.install(cx, y)).unwrap();
    let route = |a: &mut Host, b: &mut Host, to| {
        let sealed = a.send(1, &udp("10.1.0.5", to, 53)).unwrap();
        b.receive(1, &sealed).unwrap().0.routing
    };
    assert_eq!(route(&mut a, &mut b, "10.2.0.6"), Some(Routing::Local));
    assert_eq!(route(&mut a, &mut b, "10.2.0.7"), Some(Routing::Routed));
}

// RFC 4301 §5.2: what comes out of an association must be what the association is for.
#[test]
fn a_peer_reaches_only_what_the_tunnel_is_for() {
    let mut a = Host::new();
    let mut b = Host::new();
    let [mut x, y] = installs(1_000);
    // The peer thinks that it may send anything.
    x.selectors = hostward_ipsec::everything().to_vec();
    a.with(0, |i, cx| i.install(cx, x)).unwrap();
    b.with(0, |i, cx| i.install(cx, y)).unwrap();
    let fine = a.send(1, &PING()).unwrap();
    assert!(b.receive(1, &fine).is_ok());
    for (from, to) in [("10.1.0.5", "10.3.0.6"), ("10.9.0.5", "10.2.0.6")] {
        let sealed = a.send(1, &udp(from, to, 53)).unwrap();
        assert_eq!(b.receive(1, &sealed), Err(Verdict::Drop(NOT_SELECTED)));
    }
    let event = b.events.iter().last().unwrap();
    assert_eq!(event.code, NOT_SELECTED);
    assert_eq!(
        event.field("inner_source"),
        Some(&OwnedValue::Addr(ip("10.9.0.5")))
    );
}

// RFC 4301 §6.1, §6.2: an ICMP error about the traffic of an association goes and comes through it.
#[test]
fn errors_about_a_tunnels_traffic_come_through_it() {
    let [mut a, mut b] = pair();
    let error = |router: &str, quoted: &[u8]| {
        let mut p = udp(router, "10.1.0.5", 0)[..20].to_vec();
        p[9] = 1;
        p.extend([3, 4, 0, 0, 0, 0, 5, 0]);
        p.extend(&quoted[..28]);
        let len = p.len() as u16;
        p[2..4].copy_from_slice(&len.to_be_bytes());
        p[10..12].fill(0);
        let sum = p[..20]
            .chunks(2)
            .fold(0u32, |s, c| s + u32::from(u16::from_be_bytes([c[0], c[1]])));
        let sum = (sum & 0xffff) + (sum >> 16);
        p[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        p
    };
    let sealed = b.send(1, &error("172.16.0.1", &PING())).unwrap();
    assert!(a.receive(1, &sealed).is_ok());
    let about_others = error("172.16.0.1", &udp("10.77.0.5", "10.2.0.6", 1));
    assert_eq!(
        b.send(1, &about_others).map(|_| ()),
        Err(Verdict::Hold(Ticket(0)))
    );
}

// RFC 7296 §2.8: who answers a rekeying cannot know when the peer is ready, and opens with both.
#[test]
fn rekeying_overlaps() {
    let [mut a, mut b] = pair();
    let old_a = a.select(0, &PING()).unwrap();
    let old_b = b.select(0, &udp("10.2.0.6", "10.1.0.5", 1)).unwrap();
    let late = a.send(1, &PING()).unwrap();
    let [x, y] = installs(2_000);
    // The side that asked installs and seals at once, the other when it hears of it.
    let y = y.replacing(old_b, Sending::WhenReceived);
    let new_b = b.with(2, |i, cx| i.install(cx, y)).unwrap();
    let reply = udp("10.2.0.6", "10.1.0.5", 1);
    assert_eq!(b.select(2, &reply), Ok(old_b));
    let x = x.replacing(old_a, Sending::Now);
    let new_a = a.with(2, |i, cx| i.install(cx, x)).unwrap();
    assert_eq!(a.select(2, &PING()), Ok(new_a));
    // The peer still seals with the old one.
    let from_old = b.send(2, &reply).unwrap();
    assert_eq!(a.receive(2, &from_old).unwrap().0.sa, old_a);
    let fresh = a.send(2, &PING()).unwrap();
    assert_eq!(b.receive(2, &fresh).unwrap().0.sa, new_b);
    assert_eq!(b.select(2, &reply), Ok(new_b));
    assert_eq!(b.receive(2, &late).unwrap().0.sa, old_b);
    // Without the old ones.
    assert!(a.with(3, |i, cx| i.remove(cx, old_a, Removal::Wanted)));
    assert!(b.with(3, |i, cx| i.remove(cx, old_b, Removal::Wanted)));
    assert!(!b.with(3, |i, cx| i.remove(cx, old_b, Removal::Wanted)));
    let last = a.send(3, &PING()).unwrap();
    assert!(b.receive(3, &last).is_ok());
    assert_eq!(b.receive(3, &late), Err(Verdict::Drop(UNKNOWN_SPI)));
    assert_eq!(
        a.codes(),
        [TUNNEL_ADDED, TUNNEL_REFRESHED, TUNNEL_REMOVED].map(|c| c.get())
    );
    assert_eq!(a.ipsec.directory().len(), 1);
    // The newest may go before the older one, too.
    let [x, _] = installs(3_000);
    let newest = a
        .with(4, |i, cx| i.install(cx, x.replacing(new_a, Sending::Now)))
        .unwrap();
    a.with(5, |i, cx| i.remove(cx, newest, Removal::Wanted));
    assert_eq!(a.select(6, &PING()), Ok(new_a));
}

#[test]
fn a_failed_installation_changes_nothing() {
    let [mut a, _] = pair();
    let mut refused = |install: Install| {
        let error = a.with(1, |i, cx| i.install(cx, install)).unwrap_err();
        assert_eq!(
            (a.ipsec.len(), a.ipsec.directory().len()),
            (1, 1),
            "{error}"
        );
        error
    };
    let [x, _] = installs(1_000);
    assert_eq!(
        refused(x),
        InstallError::Directory(DirectoryError::SpiTaken)
    );
    let [mut x, _] = installs(1_004);
    x.outbound.as_mut().unwrap().keys = Secret::new(vec![1]);
    assert!(matches!(refused(x), InstallError::Sa(_)));
    let [mut x, _] = installs(1_004);
    x.tunnel = TunnelId(9);
    assert_eq!(refused(x), InstallError::NoTunnel(TunnelId(9)));
    let [mut x, _] = installs(1_004);
    x.selectors.clear();
    assert_eq!(refused(x), InstallError::Empty);
    let [x, _] = installs(1_004);
    let gone = SaId(77);
    assert_eq!(
        refused(x.replacing(gone, Sending::Now)),
        InstallError::NothingToReplace(gone)
    );
}

#[test]
fn packets_wait_for_an_association() {
    let mut a = Host::new();
    let key = |p: &[u8]| Packet::parse(p, Meta::default()).key().unwrap();
    assert_eq!(a.send(1, &PING()), Err(Verdict::Hold(Ticket(0))));
    assert_eq!(a.send(1, &PING()), Err(Verdict::Hold(Ticket(1))));
    let other = udp("10.1.0.5", "10.2.0.99", 53);
    assert_eq!(a.send(1, &other), Err(Verdict::Hold(Ticket(2))));
    let acquire = |key: FlowKey| Action::AcquireSa {
        tunnel: T,
        rule: RuleId(7),
        key,
    };
    assert_eq!(a.acts(), [acquire(key(&PING())), acquire(key(&other))]);
    assert_eq!(a.ipsec.acquiring(), 2);
    let [x, _] = installs(1_000);
    a.with(2, |i, cx| i.install(cx, x)).unwrap();
    assert_eq!(a.acts(), [0, 1, 2].map(|n| Action::Release(Ticket(n))));
    assert!(a.send(2, &PING()).is_ok());
    // Not what it is for.
    let third = udp("10.1.0.5", "10.3.0.1", 53);
    for n in 3..7 {
        assert_eq!(a.send(3, &third), Err(Verdict::Hold(Ticket(n))));
    }
    assert_eq!(a.send(3, &third), Err(Verdict::Drop(TOO_MANY_HELD)));
    a.acts();
    a.with(3, |i, cx| i.acquire_failed(cx, T, &key(&third)));
    assert_eq!(a.acts(), [3, 4, 5, 6].map(|n| Action::Discard(Ticket(n))));
    assert!(a.send(4, &third).is_err_and(|v| v.is_refused()));
    assert_eq!(a.send(8, &third), Err(Verdict::Hold(Ticket(7))));
    a.acts();
    // Nobody answers.
    a.with(8, |i, cx| i.handle_deadline(cx));
    let due = a.ipsec.next_deadline().unwrap();
    assert_eq!(due, Instant::from_secs(38));
    a.with(38, |i, cx| i.handle_deadline(cx));
    assert_eq!(a.acts(), [Action::Discard(Ticket(7))]);
}

#[test]
fn tunnels_that_nobody_negotiates_drop() {
    let mut a = Host::new();
    a.ipsec.set_tunnel(Tunnel::manual(T, "by hand")).unwrap();
    assert_eq!(a.send(1, &PING()), Err(Verdict::Drop(TUNNEL_INACTIVE)));
    a.ipsec
        .set_tunnel(Tunnel::dynamic(T, "later").without_demand())
        .unwrap();
    assert_eq!(a.send(1, &PING()), Err(Verdict::Drop(NO_ASSOCIATION)));
    assert_eq!(
        a.codes(),
        [TUNNEL_INACTIVE, NO_ASSOCIATION].map(|c| c.get())
    );
    assert!(a.acts().is_empty());
}

#[test]
fn another_workers_packets_are_handed_over() {
    let directory = Arc::new(directory());
    let worker = |n| {
        let config = IpsecConfig {
            worker: WorkerId(n),
            ..IpsecConfig::default()
        };
        Host::of(config, &directory)
    };
    let (mut one, mut two) = (worker(1), worker(2));
    let mut peer = Host::new();
    let [x, y] = installs(1_000);
    let sa = one.with(0, |i, cx| i.install(cx, x)).unwrap();
    peer.with(0, |i, cx| i.install(cx, y)).unwrap();
    let reply = udp("10.2.0.6", "10.1.0.5", 1);
    let sealed = peer.send(1, &reply).unwrap();
    assert_eq!(two.receive(1, &sealed), Err(Verdict::Handoff(WorkerId(1))));
    assert_eq!(two.send(1, &PING()), Err(Verdict::Handoff(WorkerId(1))));
    assert!(one.receive(1, &sealed).is_ok());
    // It moves, with its window.
    let released = one.ipsec.release(sa, WorkerId(2)).unwrap();
    assert_eq!(
        (released.to(), released.ids().collect::<Vec<_>>()),
        (WorkerId(2), vec![sa])
    );
    assert_eq!(one.send(1, &PING()), Err(Verdict::Handoff(WorkerId(2))));
    assert_eq!(two.receive(1, &sealed), Err(Verdict::Drop(MOVING)));
    let released = one.ipsec.adopt(now(1).mono, released).unwrap_err();
    two.ipsec.adopt(now(1).mono, released).unwrap();
    assert_eq!(two.receive(1, &sealed), Err(Verdict::Drop(codes::REPLAY)));
    let to_peer = two.send(1, &PING()).unwrap();
    assert!(peer.receive(1, &to_peer).is_ok());
    assert_eq!(
        (one.ipsec.len(), two.ipsec.len(), directory.len()),
        (0, 1, 1)
    );
    // A second pair of the tunnel and address belongs to the same worker.
    let [x, _] = installs(2_000);
    let error = one.with(2, |i, cx| i.install(cx, x)).unwrap_err();
    let other = DirectoryError::OtherWorker(WorkerId(2));
    assert_eq!(error, InstallError::Directory(other));
    assert_eq!(directory.len(), 1);
}

#[test]
fn lifetimes_ask_and_end() {
    let mut a = Host::new();
    let [mut x, _] = installs(1_000);
    let time = |s| Limits {
        time: Some(Duration::from_secs(s)),
        ..Limits::default()
    };
    for half in [&mut x.inbound, &mut x.outbound].into_iter().flatten() {
        half.lifetimes = Lifetimes {
            soft: time(10),
            hard: time(20),
        };
    }
    let sa = a.with(0, |i, cx| i.install(cx, x)).unwrap();
    assert_eq!(a.ipsec.next_deadline(), Some(Instant::from_secs(10)));
    a.with(10, |i, cx| i.handle_deadline(cx));
    assert_eq!(a.acts(), [Action::RefreshSa { sa }]);
    assert_eq!(a.ipsec.next_deadline(), Some(Instant::from_secs(20)));
    assert_eq!(a.select(19, &PING()), Ok(sa));
    // Not used any more even before the timer runs.
    assert!(a.select(20, &PING()).is_err());
    a.acts();
    a.with(20, |i, cx| i.handle_deadline(cx));
    assert_eq!((a.ipsec.len(), a.ipsec.directory().is_empty()), (0, true));
    assert_eq!(a.events.iter().last().unwrap().code, TUNNEL_EXPIRED);
}

#[test]
fn events_are_limited_and_counted() {
    let [mut a, mut b] = pair();
    let sealed = a.send(1, &PING()).unwrap();
    b.receive(1, &sealed).unwrap();
    b.codes();
    for _ in 0..50 {
        let _ = b.receive(1, &sealed);
    }
    assert_eq!(b.codes(), [codes::REPLAY.get(); 5]);
    let _ = b.receive(62, &sealed);
    let event = b.events.pop().unwrap();
    assert_eq!(event.field("suppressed"), Some(&OwnedValue::U64(45)));
    // RFC 4303 §3.4.2: packets for which there is no association are told, too, by their source.
    let mut other = sealed.clone();
    other[20..24].copy_from_slice(&9_999u32.to_be_bytes());
    for _ in 0..50 {
        assert_eq!(b.receive(70, &other), Err(Verdict::Drop(UNKNOWN_SPI)));
    }
    assert_eq!(b.codes(), [UNKNOWN_SPI.get(); 5]);
}

#[derive(Default)]
struct Facts(Vec<(SaId, Option<Known>)>);

/// What the test looks at of an association.
type Known = (u32, Option<u16>);

impl ProtectionSink for Facts {
    fn protection(&mut self, _: &mut Cx<'_>, _: &FlowKey, _: &Fact<'_>) {}

    fn association(&mut self, _: &mut Cx<'_>, sa: SaId, p: Option<&IpsecTunnel<'_>>) {
        let p = p.map(|p| (p.tunnel.0, p.transforms.encryption));
        self.0.push((sa, p));
    }
}

#[test]
fn records_learn_of_associations() {
    let mut a = Host::new();
    let [x, _] = installs(1_000);
    let sa = a.with(0, |i, cx| i.install(cx, x)).unwrap();
    let mut facts = Facts::default();
    a.with(0, |i, cx| i.associations(cx, &mut facts));
    a.with(1, |i, cx| i.remove(cx, sa, Removal::Wanted));
    a.with(1, |i, cx| i.associations(cx, &mut facts));
    a.with(1, |i, cx| i.associations(cx, &mut facts));
    assert_eq!(facts.0, [(sa, Some((4, Some(20)))), (sa, None)]);
}

// RFC 4301 §5.1, §5.2: a host without a filter decides by a policy database.
#[test]
fn a_policy_database_decides() {
    let [mut a, mut b] = pair();
    let policy = |local, remote| {
        let net = |a, n| Addresses::prefix(ip(a), n).unwrap();
        Spd::new([
            Entry::new("net", [nets(local, remote)], Processing::Protect(T)),
            Entry::new(
                "never",
                [Selectors::between(Addresses::ANY_V4, net("10.0.0.0", 8))],
                Processing::Discard,
            ),
            Entry::new(
                "rest",
                [Selectors::between(Addresses::ANY_V4, Addresses::ANY_V4)],
                Processing::Bypass,
            ),
        ])
    };
    let (here, there) = (
        policy("10.1.0.0", "10.2.0.0"),
        policy("10.2.0.0", "10.1.0.0"),
    );
    let out = Meta::new(Point::LocalOut, now(1));
    let mut send = |packet: &[u8]| {
        let mut f = frame(packet);
        let verdict = a.with(1, |i, cx| i.outbound(cx, &here, out, &mut f));
        (verdict, f.bytes().to_vec())
    };
    let (verdict, sealed) = send(&PING());
    assert_eq!((verdict, sealed[9]), (Verdict::Continue, 50));
    let (verdict, clear) = send(&udp("10.1.0.5", "198.51.100.1", 53));
    assert_eq!((verdict, clear[9]), (Verdict::Continue, 17));
    let (verdict, _) = send(&udp("10.1.0.5", "10.9.0.1", 53));
    assert_eq!(verdict, Verdict::Drop(POLICY_DISCARD));
    let (opened, inner) = b.receive(1, &sealed).unwrap();
    let arrives = |packet: &[u8], sa: Option<SaId>| {
        let mut meta = Meta::new(Point::LocalIn, now(1));
        meta.sa = sa;
        b.ipsec.inbound(&there, &Packet::parse(packet, meta))
    };
    assert_eq!(arrives(&inner, Some(opened.sa)), Verdict::Continue);
    // In clear, or through a tunnel that nothing demands.
    assert_eq!(arrives(&inner, None), Verdict::Drop(POLICY_PROTECTION));
    let web = udp("198.51.100.1", "10.2.0.6", 53);
    assert_eq!(arrives(&web, None), Verdict::Continue);
    assert_eq!(
        arrives(&web, Some(opened.sa)),
        Verdict::Drop(POLICY_PROTECTION)
    );
    let ten = udp("10.9.0.1", "10.2.0.6", 53);
    assert_eq!(arrives(&ten, None), Verdict::Drop(POLICY_DISCARD));
}

fn by_hand(mode: Encapsulation, suite: Suite, swap: bool) -> Result<ManualTunnel, SaError> {
    let key = |n: u8| Secret::new(vec![n; suite.key_material_len()]);
    let (one, two) = (
        Half {
            spi: 300,
            keys: key(1),
        },
        Half {
            spi: 301,
            keys: key(2),
        },
    );
    let ends = (ip(HERE), ip(THERE));
    if swap {
        ManualTunnel::new((T, "by hand"), mode, suite, (ends.1, ends.0), two, one)
    } else {
        ManualTunnel::new((T, "by hand"), mode, suite, ends, one, two)
    }
}

#[test]
fn a_manual_tunnel_is_activated_and_deactivated() {
    let suite = Suite::esp(12, 128, 12).unwrap();
    let [x, y] = [false, true].map(|swap| by_hand(Encapsulation::Tunnel, suite, swap).unwrap());
    let [mut a, mut b] = [Host::new(), Host::new()];
    a.with(0, |i, cx| i.add_manual(cx, &x, 11)).unwrap();
    b.with(0, |i, cx| i.add_manual(cx, &y.clone().inactive(), 12))
        .unwrap();
    let reply = udp("10.2.0.6", "10.1.0.5", 1);
    assert_eq!(b.send(1, &reply), Err(Verdict::Drop(TUNNEL_INACTIVE)));
    b.with(1, |i, cx| i.activate(cx, &y, 12)).unwrap();
    b.with(1, |i, cx| i.activate(cx, &y, 12)).unwrap();
    assert_eq!(b.ipsec.len(), 1);
    let sealed = a.send(1, &PING()).unwrap();
    assert_eq!(b.receive(1, &sealed).unwrap().1[20..], PING()[20..]);
    let back = b.send(1, &reply).unwrap();
    assert!(a.receive(1, &back).is_ok());
    assert!(a.with(2, |i, cx| i.deactivate(cx, T)));
    assert!(!a.with(2, |i, cx| i.deactivate(cx, T)));
    assert_eq!(a.send(3, &PING()), Err(Verdict::Drop(TUNNEL_INACTIVE)));
    assert_eq!(a.receive(3, &back), Err(Verdict::Drop(UNKNOWN_SPI)));
}

#[test]
fn a_manual_tunnel_in_transport_mode_is_for_its_ends() {
    let suite = Suite::esp(12, 256, 14).unwrap();
    let tunnel = by_hand(Encapsulation::Transport, suite, false).unwrap();
    let mut a = Host::new();
    a.with(0, |i, cx| i.add_manual(cx, &tunnel, 1)).unwrap();
    assert!(a.send(1, &udp(HERE, THERE, 1)).is_ok());
    assert_eq!(a.send(1, &PING()), Err(Verdict::Drop(TUNNEL_INACTIVE)));
}

// RFC 4106 §2, RFC 8221 §3: no counters with keys that outlive the counter.
#[test]
fn manual_keys_do_not_go_with_counters() {
    for suite in Suite::all().filter(|s| s.counts()) {
        let refused = by_hand(Encapsulation::Tunnel, suite, false);
        assert!(matches!(refused, Err(SaError::ManualCounter)), "{suite:?}");
    }
}

#[test]
fn an_operator_sees_tunnels() {
    let [mut a, mut b] = pair();
    let sealed = a.send(1, &PING()).unwrap();
    b.receive(1, &sealed).unwrap();
    let _ = b.receive(1, &sealed);
    let shown: Vec<_> = b.ipsec.dynamic_tunnels(now(9)).collect();
    assert_eq!(
        (shown.len(), b.ipsec.manual_tunnels(now(9)).count()),
        (1, 0)
    );
    let d = &shown[0];
    assert_eq!(
        (d.inbound.packets, d.outbound.packets, d.refused),
        (1, 0, [1, 0, 0])
    );
    let text = d.to_string();
    for line in [
        "TunnelID:                 Y5",
        "Generation:               1",
        "VpnActionName:            branch",
        "State:                    Active",
        "LocalAddress:             10.2.0.0-10.2.0.255",
        "HowToAuth:                ESP Null",
        "HowToEncrypt:             AES_GCM_16 KeyLength 128",
        "InboundSpi:               1001",
        "InboundPackets:           1",
        "LifetimeExpires:          n/a",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    let suite = Suite::esp(12, 256, 14).unwrap();
    let manual = by_hand(Encapsulation::Transport, suite, false).unwrap();
    let d = TunnelDisplay::configured(&manual);
    assert_eq!(d.id.to_string(), "M5");
    assert_eq!(
        (&*d.how_to_encrypt(), &*d.how_to_auth()),
        ("AES_CBC KeyLength 256", "ESP HMAC_SHA2_512_256")
    );
    // Every suite has a name for both.
    for suite in Suite::all().filter(|s| !s.counts()) {
        let d = TunnelDisplay::configured(&by_hand(Encapsulation::Tunnel, suite, false).unwrap());
        let both = d.how_to_encrypt() + &d.how_to_auth();
        assert!(
            both.bytes().any(|b| b.is_ascii_uppercase()),
            "{suite:?} {both}"
        );
    }
}

/// Writes events as log lines.
#[derive(Default)]
struct Lines(Vec<String>, Rules);

/// A host that may know names of rules.
#[derive(Default)]
struct Rules(Option<&'static str>);

impl Names for Rules {
    fn rule(&self, id: RuleId) -> Option<&str> {
        self.0.filter(|_| id == RuleId(7))
    }
}

impl EventSink for Lines {
    fn wants(&self, _: Class) -> bool {
        true
    }

    fn emit(&mut self, event: &Event<'_>) {
        let stamp = |at: UnixTime, out: &mut dyn std::fmt::Write| write!(out, "T{}", at.as_secs());
        let line = Message::of(event, &self.1, stamp).unwrap();
        self.0.push(line.to_string());
    }
}

#[test]
fn events_become_log_lines() {
    let suite = Suite::esp(12, 128, 12).unwrap();
    let tunnel = by_hand(Encapsulation::Tunnel, suite, false).unwrap();
    let mut a = Host::new();
    let (mut lines, mut actions) = (Lines::default(), ActionQueue::<8>::new());
    let mut cx = Cx::new(now(0), &mut lines, &mut actions);
    a.ipsec.add_manual(&mut cx, &tunnel, 1).unwrap();
    a.ipsec.deactivate(&mut cx, T);
    let ping = PING();
    let packet = Packet::parse(&ping, Meta::new(Point::LocalOut, now(0)));
    let _ = a.ipsec.select(&mut cx, &packet, T, RuleId(7));
    a.ipsec
        .set_tunnel(Tunnel::dynamic(T, "gold").without_demand())
        .unwrap();
    let _ = a.ipsec.select(&mut cx, &packet, T, RuleId(7));
    let t = "T1700000000";
    let about = "filter rule= #8 ext= 1 sipaddr= 10.1.0.5 dipaddr= 10.2.0.6 proto= UDP(17) sport= 4000 \
                 dport= 53 Interface= * ( O ) secclass= 0 dest= local len= 36";
    assert_eq!(
        lines.0,
        [
            format!("EZD0819I {t} vpnaction= by hand tunnelID= M5 AHSPI= 0 ESPSPI= 300"),
            format!("EZD0820I {t} vpnaction= by hand tunnelID= M5 AHSPI= 0 ESPSPI= 300"),
            format!("EZD0822I {t} {about} vpnaction= by hand tunnelID= M5 ifcname= * fragment= N"),
            format!("EZD0821I {t} {about} vpnaction= gold ifcname= * fragment= N"),
        ]
    );
    // Where the host knows the rule's name, the line has it.
    let mut lines = Lines(Vec::new(), Rules(Some("Web")));
    let mut cx = Cx::new(now(0), &mut lines, &mut actions);
    let _ = a.ipsec.select(&mut cx, &packet, T, RuleId(7));
    let about = about.replace("#8", "Web");
    assert_eq!(
        lines.0,
        [format!(
            "EZD0821I {t} {about} vpnaction= gold ifcname= * fragment= N"
        )]
    );
}

/// ESP in UDP: the port is shared with IKE, which is told apart by its first four octets.
#[test]
fn the_port_is_shared_with_ike() {
    let mut a = Host::new();
    let wants = |a: &Host, payload: &[u8], port: u16| {
        let mut p = udp(THERE, HERE, port)[..28].to_vec();
        p.extend(payload);
        let len = p.len() as u16;
        p[2..4].copy_from_slice(&len.to_be_bytes());
        p[24..26].copy_from_slice(&(len - 20).to_be_bytes());
        let packet = Packet::parse(&p, Meta::new(Point::LocalIn, now(0)));
        (a.ipsec.wants_open(&packet), p)
    };
    assert!(!wants(&a, &[0; 40], 4500).0);
    assert!(!wants(&a, &[0, 0, 9, 9, 0, 0, 0, 1], 4501).0);
    let (wanted, keepalive) = wants(&a, &[0xff], 4500);
    assert!(wanted);
    assert_eq!(a.receive(1, &keepalive), Err(Verdict::Consumed));
    let (_, stranger) = wants(&a, &[0, 0, 9, 9, 0, 0, 0, 1], 4500);
    assert_eq!(a.receive(1, &stranger), Err(Verdict::Drop(UNKNOWN_SPI)));
    // Through an association in UDP.
    let mut b = Host::new();
    for (host, mut it) in [&mut a, &mut b].into_iter().zip(installs(1_000)) {
        for half in [&mut it.inbound, &mut it.outbound].into_iter().flatten() {
            *half = half.clone().with_udp(4500, 4500);
        }
        host.with(0, |i, cx| i.install(cx, it)).unwrap();
    }
    let sealed = a.send(1, &PING()).unwrap();
    assert_eq!(sealed[9], 17);
    assert_eq!(b.receive(1, &sealed).unwrap().1[20..], PING()[20..]);
}

/// Nothing is allocated for packets.
#[test]
fn packets_allocate_nothing() {
    let [mut a, mut b] = pair();
    let ping = PING();
    let mut frame = frame(&ping);
    let mut work = |frame: &mut VecFrame| {
        frame.set(&ping);
        let sa = a.select(1, &ping).unwrap();
        let sealed = a.with(1, |i, cx| i.seal(cx, sa, frame));
        assert!(sealed.is_continue());
        let layout = *Packet::parse(frame.bytes(), Meta::default()).layout();
        b.with(1, |i, cx| i.open(cx, &layout, frame)).unwrap();
    };
    work(&mut frame);
    let counted = allocation_counter::measure(|| {
        for _ in 0..100 {
            work(&mut frame);
        }
    });
    assert_eq!(counted.count_total, 0);
}
