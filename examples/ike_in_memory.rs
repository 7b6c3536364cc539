//! Two hosts in one process agree on a tunnel: what an IKE machine is fed with, and what comes out.
//!
//! `cargo run --example ike_in_memory --features system-random`

#![allow(clippy::indexing_slicing, reason = "two hosts, numbered 0 and 1")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hostward::crypto::{Group, Prf, Provider, Secret, algorithm, backend, random::SystemRandom};
use hostward::hook::ident::TunnelId;
use hostward::hook::time::{Instant, Now, UnixTime};
use hostward::ike::auth::{HowToAuthMe, SharedKey};
use hostward::ike::identity::{Addresses, IdentityPattern};
use hostward::ike::machine::{Config, Credentials, Event, Ike, Path, Tunnel};
use hostward::ike::policy::*;
use hostward::ike::selector::{AddressRange, Selector};

fn host(own: IpAddr, peer: IpAddr) -> Result<Ike, Box<dyn std::error::Error>> {
    let provider = Provider::of([backend::RUST_CRYPTO]);
    let gcm = algorithm::Aead::AES_256_GCM;
    // X25519 and ML-KEM-768 behind it.
    let offer = KeyExchangeOffer::new(
        IkeProtection::Aead(gcm),
        Prf::Hmac(algorithm::Hash::Sha384),
        Group::X25519,
    )
    .and(AdditionalKeyExchange::required(Group::MlKem768));
    let mut action = KeyExchangeAction::new("Strong", vec![offer]);
    action.auth_me = HowToAuthMe::PresharedKey;
    let local = LocalEndpoint {
        identity: None,
        location: Addresses::All,
    };
    let remote = RemoteEndpoint {
        identity: IdentityPattern::addresses(Addresses::host(peer)),
        location: Addresses::host(peer),
        authorities: Vec::new(),
    };
    let mut rule = KeyExchangeRule::new("Peer", local, remote, Arc::new(action));
    rule.shared_key = Some(SharedKey::new(Secret::copy(b"known to two"))?);
    let parts = PolicyParts {
        rules: vec![rule],
        ..PolicyParts::default()
    };
    let policy = Arc::new(Policy::new(parts, &provider)?);
    let (config, none) = (Config::default(), Credentials::default());
    let mut ike = Ike::new(config, policy, provider, none, Box::new(SystemRandom));
    let offers = vec![IpDataOffer::new(DataProtection::EspAead(gcm))];
    let vpn = Arc::new(DynVpnAction::new("Vpn", offers));
    let all = |address| vec![Selector::of(AddressRange::one(address))];
    ike.set_tunnels(vec![Tunnel::new(
        TunnelId(1),
        "t",
        vpn,
        all(own),
        all(peer),
    )]);
    Ok(ike)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ends = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])];
    let mut hosts = [host(ends[0], ends[1])?, host(ends[1], ends[0])?];
    let now = Now::new(Instant::from_secs(1), UnixTime::from_secs(1_893_456_000));
    hosts[0].initiate(now, TunnelId(1))?;
    loop {
        for (host, end) in hosts.iter_mut().zip(ends) {
            while let Some(event) = host.event() {
                match event {
                    Event::Established(facts) => println!("{end}: peer is {}", facts.remote),
                    Event::ChildInstall(child) => println!(
                        "{end}: receives with {:08x}, sends with {:08x}",
                        child.inbound.spi, child.outbound.spi
                    ),
                    other => println!("{end}: {other:?}"),
                }
            }
        }
        let Some((from, datagram)) = (0..2).find_map(|n| Some((n, hosts[n].transmit()?))) else {
            return Ok(());
        };
        let turned: (SocketAddr, SocketAddr) = (datagram.path.remote, datagram.path.local);
        println!(
            "{} -> {}: {} octets",
            turned.1,
            turned.0,
            datagram.bytes.len()
        );
        let path = Path {
            local: turned.0,
            remote: turned.1,
        };
        hosts[1 - from].receive(now, path, &datagram.bytes);
    }
}
