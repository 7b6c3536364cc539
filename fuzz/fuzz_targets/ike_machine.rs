//! Two IKE machines, one of which is sent whatever the input says: raw datagrams, genuine ones that were spoilt, and
//! messages of any content that are protected by the real keys, half-open and established, as request and
//! response.

#![no_main]

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hostward_crypto::random::SystemRandom;
use hostward_crypto::{Aead, Group, Hash, Prf, Provider, Secret, backend};
use hostward_hook::ident::TunnelId;
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_ike::auth::{HowToAuthMe, SharedKey};
use hostward_ike::identity::{Addresses, IdentityPattern};
use hostward_ike::keys::Side;
use hostward_ike::machine::*;
use hostward_ike::message::{
    Encapsulated, ExchangeType, Flags, Header, PayloadType, PayloadWriter,
};
use hostward_ike::policy::*;
use hostward_ike::protect::Sealer;
use hostward_ike::selector::{AddressRange, Selector};
use libfuzzer_sys::fuzz_target;

fn provider() -> &'static Provider {
    static PROVIDER: OnceLock<Provider> = OnceLock::new();
    PROVIDER.get_or_init(|| Provider::of([backend::RUST_CRYPTO]))
}

fn policy() -> Arc<Policy> {
    static POLICY: OnceLock<Arc<Policy>> = OnceLock::new();
    let make = || {
        let protection = IkeProtection::Aead(Aead::AES_128_GCM);
        let offer = KeyExchangeOffer::new(protection, Prf::Hmac(Hash::Sha256), Group::X25519);
        let mut action = KeyExchangeAction::new("a", vec![offer]);
        action.auth_me = HowToAuthMe::PresharedKey;
        action.allow_nat = true;
        let local = LocalEndpoint {
            identity: None,
            location: Addresses::All,
        };
        let remote = RemoteEndpoint {
            identity: IdentityPattern::Any,
            location: Addresses::All,
            authorities: Vec::new(),
        };
        let mut rule = KeyExchangeRule::new("r", local, remote, Arc::new(action));
        rule.shared_key = Some(SharedKey::new(Secret::copy(b"secret")).unwrap());
        let parts = PolicyParts {
            rules: vec![rule],
            ..PolicyParts::default()
        };
        Arc::new(Policy::new(parts, provider()).unwrap())
    };
    Arc::clone(POLICY.get_or_init(make))
}

fn address(host: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, host])
}

fn host(own: u8, peer: u8) -> Ike {
    let mut config = Config::default();
    config.window = 4;
    config.give_addresses = true;
    let none = Credentials::default();
    let mut ike = Ike::new(
        config,
        policy(),
        provider().clone(),
        none,
        Box::new(SystemRandom),
    );
    let data = IpDataOffer::new(DataProtection::EspAead(Aead::AES_128_GCM));
    let mut vpn = DynVpnAction::new("v", vec![data]);
    vpn.acceptable_pfs = vec![Pfs::NONE, Pfs::of(Group::X25519)];
    let all = |host| vec![Selector::of(AddressRange::one(address(host)))];
    ike.set_tunnels(vec![Tunnel::new(
        TunnelId(1),
        "t",
        Arc::new(vpn),
        all(own),
        all(peer),
    )]);
    ike
}

/// Takes everything out; children are installed once, used when they are there, and removed once.
fn drain(ike: &mut Ike, children: &mut Vec<ChildId>) -> Vec<Transmit> {
    while let Some(event) = ike.event() {
        match event {
            Event::ChildInstall(child) => {
                assert!(!children.contains(&child.id));
                children.push(child.id);
            }
            Event::ChildSwitch(id) => assert!(children.contains(&id)),
            Event::ChildRemove(id, _) => {
                assert!(children.contains(&id));
                children.retain(|one| *one != id);
            }
            _ => {}
        }
    }
    while ike.question().is_some() {}
    std::iter::from_fn(|| ike.transmit()).collect()
}

fuzz_target!(|input: &[u8]| {
    let Some((&[mode, steps], mut rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let mut now = Now::new(Instant::from_secs(1000), UnixTime::from_secs(1_893_456_000));
    let mut hosts = [host(1, 2), host(2, 1)];
    let mut children = [Vec::new(), Vec::new()];
    hosts[0].initiate(now, TunnelId(1)).unwrap();
    // So many genuine messages first: none, half-open, established.
    let mut sender = 0;
    let mut wire = Vec::new();
    for _ in 0..steps % 5 {
        wire = drain(&mut hosts[sender], &mut children[sender]);
        for sent in &wire {
            let path = Path {
                local: sent.path.remote,
                remote: sent.path.local,
            };
            hosts[1 - sender].receive(now, path, &sent.bytes);
        }
        sender = 1 - sender;
    }
    let victim = usize::from(mode & 1);
    let own_side = [Side::Initiator, Side::Responder][victim];
    let path = |host: usize, port| Path {
        local: SocketAddr::new(address(1 + host as u8), port),
        remote: SocketAddr::new(address(2 - host as u8), port),
    };
    let mut id = 0_u32;
    for _ in 0..12 {
        let Some((&[kind, length, exchange, first], tail)) = rest.split_first_chunk::<4>() else {
            break;
        };
        let (body, tail) = tail.split_at(usize::from(length).min(tail.len()));
        rest = tail;
        let sealed = || {
            let sa = hosts[victim].sas().next()?;
            let (keys, suite) = hosts[victim].keys(sa.id)?;
            let (e, a) = keys.of(own_side.other());
            let mut sealer = Sealer::new(provider(), suite, e, a).ok()?;
            let header = Header {
                spi_i: sa.spis.initiator,
                spi_r: sa.spis.responder,
                exchange: ExchangeType(34 + exchange % 11),
                flags: Flags {
                    initiator: own_side == Side::Responder,
                    version: false,
                    response: kind & 0x10 != 0,
                },
                message_id: if kind & 0x20 == 0 {
                    id
                } else {
                    id.wrapping_add(exchange.into())
                },
            };
            let mut payloads = PayloadWriter::new(4096);
            payloads
                .payload(PayloadType(33 + first % 21), &[body])
                .ok()?;
            if kind & 0x40 != 0 {
                payloads.nonce(&[9; 32]).ok()?;
            }
            let limit = if kind & 0x80 == 0 { 4096 } else { 100 };
            sealer
                .seal_fragments(&header, &payloads, limit, &mut SystemRandom)
                .ok()
        };
        match kind & 0x0f {
            0 => {
                hosts[victim].receive(now, path(victim, 500), body);
            }
            1 => {
                hosts[victim].receive(now, path(victim, 4500), body);
            }
            2 => {
                if let Some(sent) = wire.first() {
                    let mut bytes = sent.bytes.clone();
                    let at = usize::from(first) % bytes.len();
                    bytes[at] ^= exchange;
                    hosts[victim].receive(now, path(victim, sent.path.local.port()), &bytes);
                }
            }
            3 => {
                let later = now
                    .mono
                    .saturating_add(Duration::from_millis(u64::from(first) * 500));
                now = Now::new(later, now.wall);
                hosts[victim].handle_deadline(now);
            }
            4 => {
                let sas: Vec<_> = hosts[victim].sas().map(|sa| sa.id).collect();
                for sa in sas {
                    hosts[victim].rekey_ike(now, sa);
                }
            }
            5 => {
                for child in children[victim].clone() {
                    hosts[victim].rekey_child(now, child);
                }
            }
            _ => {
                for datagram in sealed().into_iter().flatten() {
                    let marked = Encapsulated::mark(&datagram);
                    hosts[victim].receive(now, path(victim, 4500), &marked);
                }
                id = id.wrapping_add(u32::from(kind & 0x20 == 0));
            }
        }
        drain(&mut hosts[victim], &mut children[victim]);
    }
    // Whatever it was, the machine comes to an end.
    hosts[victim].shutdown(now);
    for _ in 0..200 {
        drain(&mut hosts[victim], &mut children[victim]);
        let Some(next) = hosts[victim].next_deadline() else {
            break;
        };
        let floor = now.mono.saturating_add(Duration::from_micros(1));
        now = Now::new(next.max(floor), now.wall);
        hosts[victim].handle_deadline(now);
    }
    drain(&mut hosts[victim], &mut children[victim]);
    assert!(hosts[victim].is_empty() && children[victim].is_empty());
    assert_eq!(hosts[victim].load().0, 0);
});
