//! Two hosts over a link that drops, doubles, delays, reorders and spoils, with both of them wanting things at
//! random. In the end both have the same SAs, or none, and nothing is stuck.
//!
//! `SIMULATION_SEEDS=from..to` chooses the seeds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod pair;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use hostward_crypto::Group;
use hostward_hook::ident::TunnelId;
use hostward_hook::time::{Instant, Now, UnixTime};
use hostward_ike::machine::*;
use hostward_ike::policy::*;

use pair::{Host, Pair, Seeded, Setup, gcm};

struct Link {
    random: Seeded,
    /// What is under way, by the time it arrives.
    wire: BTreeMap<(Instant, u64), Transmit>,
    count: u64,
    bad: bool,
}

impl Link {
    fn put(&mut self, now: Instant, mut datagram: Transmit) {
        self.count += 1;
        let mut delay = Duration::from_millis(10);
        if self.bad {
            if self.random.below(100) < 12 {
                return;
            }
            delay += Duration::from_millis(self.random.below(400));
            if self.random.below(100) < 3 {
                delay += Duration::from_secs(self.random.below(20));
            }
            if self.random.below(100) < 8 {
                self.count += 1;
                let late = now.saturating_add(delay * 2);
                self.wire.insert((late, self.count), datagram.clone());
            }
            if self.random.below(100) < 3 {
                let at = self.random.below(datagram.bytes.len() as u64) as usize;
                datagram.bytes[at] ^= 1 << self.random.below(8);
            }
        }
        self.wire
            .insert((now.saturating_add(delay), self.count), datagram);
    }
}

fn collect(pair: &mut Pair, link: &mut Link) {
    for host in [&mut pair.a, &mut pair.b] {
        host.take_events();
        while let Some(datagram) = host.ike.transmit() {
            link.put(pair.now.mono, datagram);
        }
    }
}

/// Runs until then.
fn run(pair: &mut Pair, link: &mut Link, until: Instant) {
    loop {
        collect(pair, link);
        let arrival = link.wire.keys().next().map(|key| key.0);
        let due = [&pair.a, &pair.b]
            .into_iter()
            .filter_map(|host| host.ike.next_deadline())
            .min();
        let Some(next) = [arrival, due]
            .into_iter()
            .flatten()
            .min()
            .filter(|n| *n <= until)
        else {
            break;
        };
        let floor = pair.now.mono.saturating_add(Duration::from_micros(1));
        let mono = next.max(floor);
        pair.now = Now::new(
            mono,
            UnixTime::from_secs(1_893_456_000 + mono.as_millis() / 1000),
        );
        while let Some(entry) = link.wire.first_entry() {
            if entry.key().0 > mono {
                break;
            }
            pair.deliver(entry.remove());
        }
        pair.a.ike.handle_deadline(pair.now);
        pair.b.ike.handle_deadline(pair.now);
    }
    pair.now = Now::new(until.max(pair.now.mono), pair.now.wall);
}

fn want(host: &mut Host, now: Now, random: &mut Seeded) {
    let children: Vec<_> = host.children.keys().copied().collect();
    let sas: Vec<_> = host.live().iter().map(|sa| sa.id).collect();
    let child =
        (!children.is_empty()).then(|| children[random.below(children.len() as u64) as usize]);
    let sa = (!sas.is_empty()).then(|| sas[random.below(sas.len() as u64) as usize]);
    let tunnel = TunnelId(1 + random.below(2) as u32);
    match random.below(20) {
        0..=3 => {
            let _ = host.ike.initiate(now, tunnel);
        }
        4..=9 => child
            .into_iter()
            .for_each(|id| host.ike.rekey_child(now, id)),
        10..=14 => sa.into_iter().for_each(|id| host.ike.rekey_ike(now, id)),
        15..=16 => child
            .into_iter()
            .for_each(|id| host.ike.delete_child(now, id)),
        17 if random.below(3) == 0 => sa.into_iter().for_each(|id| host.ike.delete_ike(now, id)),
        _ => sa.into_iter().for_each(|id| host.ike.probe(now, id)),
    }
}

fn setup(seed: u64, random: &mut Seeded) -> Setup {
    let mut setup = Setup {
        seed,
        ..Setup::default()
    };
    setup.config.window = [1, 1, 3][random.below(3) as usize];
    setup.config.initial_contact = random.below(2) == 0;
    if random.below(4) == 0 {
        setup.config.limits.cookies_from = 0;
    }
    let pfs = Pfs::of(Group::X25519);
    match random.below(6) {
        0 => {
            setup.vpn.initiate_pfs = pfs.clone();
            setup.vpn.acceptable_pfs = vec![pfs];
        }
        1 => {
            let mixed = Pfs {
                additional: vec![AdditionalKeyExchange::required(Group::MlKem512)],
                ..pfs
            };
            setup.vpn.initiate_pfs = mixed.clone();
            setup.vpn.acceptable_pfs = vec![mixed];
            setup.offers = vec![gcm().and(AdditionalKeyExchange::required(Group::MlKem512))];
        }
        _ => {}
    }
    if random.below(4) == 0 {
        setup.action.reauth_minutes = NonZeroU32::new(5);
    }
    setup
}

fn one(seed: u64) {
    let mut random = Seeded(seed);
    let mut pair = setup(seed, &mut random).pair();
    let mut link = Link {
        random: Seeded(!seed),
        wire: BTreeMap::new(),
        count: 0,
        bad: true,
    };
    let _ = pair.a.ike.initiate(pair.now, TunnelId(1));
    if random.below(4) == 0 {
        let _ = pair.b.ike.initiate(pair.now, TunnelId(1));
    }
    for _ in 0..random.below(24) {
        let most = if random.below(3) == 0 { 30_000 } else { 300 };
        let pause = Duration::from_millis(random.below(most));
        let until = pair.now.mono.saturating_add(pause);
        run(&mut pair, &mut link, until);
        let now = pair.now;
        if random.below(2) == 0 {
            want(&mut pair.a, now, &mut random);
        } else {
            want(&mut pair.b, now, &mut random);
        }
    }
    // The link heals; what is under way comes to an end.
    link.bad = false;
    let until = pair.now.mono.saturating_add(Duration::from_secs(1500));
    run(&mut pair, &mut link, until);
    // Between two probes nothing is under way.
    for _ in 0..40 {
        let quiet = |host: &Host| {
            host.ike.sas().all(|sa| {
                sa.state == SaState::Established && sa.outstanding == 0 && sa.waiting == 0
            })
        };
        if quiet(&pair.a) && quiet(&pair.b) && link.wire.is_empty() {
            break;
        }
        let until = pair.now.mono.saturating_add(Duration::from_millis(1700));
        run(&mut pair, &mut link, until);
    }
    let stuck = |host: &Host| {
        let sas: Vec<_> = host.ike.sas().collect();
        assert!(
            sas.iter()
                .all(|sa| sa.state == SaState::Established && sa.waiting == 0),
            "stuck: {sas:#?}"
        );
    };
    stuck(&pair.a);
    stuck(&pair.b);
    pair.assert_agreement();
    pair.a.ike.shutdown(pair.now);
    let until = pair.now.mono.saturating_add(Duration::from_secs(600));
    run(&mut pair, &mut link, until);
    for host in [&pair.a, &pair.b] {
        assert!(host.ike.is_empty() && host.children.is_empty() && host.sending.is_empty());
        assert_eq!(host.ike.load().0, 0);
        assert_eq!(host.ike.next_deadline(), None);
    }
}

#[test]
fn both_end_with_the_same() {
    let default = if cfg!(debug_assertions) {
        0..150
    } else {
        0..3000
    };
    let seeds = match std::env::var("SIMULATION_SEEDS") {
        Ok(text) => {
            let (from, to) = text.split_once("..").expect("from..to");
            from.parse().unwrap()..to.parse().unwrap()
        }
        Err(_) => default,
    };
    let mut bad = Vec::new();
    for seed in seeds {
        if let Err(what) = std::panic::catch_unwind(|| one(seed)) {
            let text = what
                .downcast_ref::<String>()
                .cloned()
                .unwrap_or_else(|| "panic".to_string());
            bad.push((seed, text));
        }
    }
    if let Some((seed, text)) = bad.first() {
        let seeds: Vec<_> = bad.iter().map(|one| one.0).collect();
        panic!("seeds {seeds:?}; seed {seed}: {text}");
    }
}
