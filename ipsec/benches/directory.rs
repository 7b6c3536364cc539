//! What 10,000 associations in random order cost above one: CPU time of opening packets through the directory, singly
//! and in batches of 32 that are looked at ahead. Rounds are interleaved, medians are told.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement may panic"
)]

use std::net::IpAddr;
use std::sync::Arc;

use cpu_time::ThreadTime;
use hostward_crypto::{Provider, Secret, backend};
use hostward_hook::flow::HashKey;
use hostward_hook::frame::{SliceFrame, VecFrame};
use hostward_hook::ident::{RuleId, SaId, TunnelId};
use hostward_hook::protection::Encapsulation;
use hostward_hook::{Cx, FrameBuf, Layout, Meta, Now, Packet, PacketTransform, Point, Verdict};
use hostward_ipsec::{
    Addresses, Directory, Install, Ipsec, IpsecConfig, Parameters, Selectors, Suite, Tunnel,
};

const MANY: usize = 10_000;
const PACKETS: usize = 32 * 512;
const ROUNDS: usize = 21;
const T: TunnelId = TunnelId(0);
/// Room of a packet; a multiple of the cache line.
const ROOM: usize = 256;

struct Side {
    sender: Ipsec,
    receiver: Ipsec,
    sas: usize,
}

fn control(sas: usize) -> Ipsec {
    let directory = Arc::new(Directory::new(sas, HashKey::new([9; 16])));
    let mut ipsec = Ipsec::new(
        IpsecConfig::default(),
        directory,
        Provider::of([backend::RING]),
    );
    ipsec.set_tunnel(Tunnel::dynamic(T, "t")).unwrap();
    ipsec
}

fn remote(n: usize) -> [u8; 4] {
    [10, (n >> 16) as u8, (n >> 8) as u8, n as u8]
}

impl Side {
    fn new(sas: usize) -> Self {
        let (mut sender, mut receiver) = (control(sas), control(sas));
        let (us, them) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for n in 0..sas {
            let half = |spi: usize, ends| {
                let keys = Secret::new((0..20).map(|k| (k * 7 + n) as u8).collect());
                Parameters::new(
                    SaId(0),
                    spi as u32,
                    Suite::AES_128_GCM,
                    Encapsulation::Tunnel,
                    keys,
                    ends,
                )
            };
            let mut cx_events = ();
            let mut cx_actions = ();
            let mut cx = Cx::new(Now::default(), &mut cx_events, &mut cx_actions);
            let selectors = |local, remote| Selectors::between(local, remote);
            let there = Addresses::one(remote(n).into());
            let (a, b) = (1_000 + 2 * n, 1_001 + 2 * n);
            let install = Install::new(
                T,
                [selectors(Addresses::ANY_V4, there)],
                half(a, (us, them)),
                half(b, (us, them)),
            );
            sender.install(&mut cx, install).unwrap();
            let install = Install::new(
                T,
                [selectors(there, Addresses::ANY_V4)],
                half(b, (them, us)),
                half(a, (them, us)),
            );
            receiver.install(&mut cx, install).unwrap();
        }
        Self {
            sender,
            receiver,
            sas,
        }
    }

    /// Packets of 64 octets, sealed, for associations in random order.
    fn packets(&mut self, seed: &mut u64) -> Vec<(Vec<u8>, Layout)> {
        let (mut events, mut actions) = ((), ());
        let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
        (0..PACKETS)
            .map(|_| {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let to = remote((*seed >> 33) as usize % self.sas);
                let mut p = vec![0x45, 0, 0, 64, 0, 0, 0, 0, 64, 17, 0, 0, 10, 200, 0, 1];
                p.extend(to);
                p.extend([0; 44]);
                let mut frame = VecFrame::new(128, 400);
                frame.set(&p);
                let packet = Packet::parse(&p, Meta::new(Point::LocalOut, Now::default()));
                let sa = self.sender.select(&mut cx, &packet, T, RuleId(0)).unwrap();
                assert_eq!(self.sender.seal(&mut cx, sa, &mut frame), Verdict::Continue);
                let sealed = frame.bytes().to_vec();
                let layout = *Packet::parse(&sealed, Meta::default()).layout();
                let mut place = vec![0; ROOM];
                place[..sealed.len()].copy_from_slice(&sealed);
                (place, layout)
            })
            .collect()
    }

    /// Nanoseconds a packet.
    fn open(&mut self, packets: &mut [(Vec<u8>, Layout)], batch: usize) -> f64 {
        let (mut events, mut actions) = ((), ());
        let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
        let meta = Meta::new(Point::LocalIn, Now::default());
        let began = ThreadTime::now();
        for chunk in packets.chunks_mut(batch) {
            if batch > 1 {
                let none = Packet::with_layout(&[], Layout::default(), meta, 0);
                let mut ahead = [none; 32];
                for ((memory, layout), place) in chunk.iter().zip(&mut ahead) {
                    *place = Packet::with_layout(memory, *layout, meta, 0);
                }
                self.receiver.look_ahead(&ahead[..chunk.len()]);
            }
            for (memory, layout) in chunk {
                let end = layout.end();
                let mut frame = SliceFrame::new(memory, 0, end);
                let frame: &mut dyn FrameBuf = &mut frame;
                self.receiver.open(&mut cx, layout, frame).unwrap();
            }
        }
        began.elapsed().as_nanos() as f64 / packets.len() as f64
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() {
    let mut seed = 1;
    let (mut one, mut many) = (Side::new(1), Side::new(MANY));
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for (at, batch) in [(0, 1), (1, 32)] {
            let mut packets = one.packets(&mut seed);
            times[at].push(one.open(&mut packets, batch));
            let mut packets = many.packets(&mut seed);
            times[2 + at].push(many.open(&mut packets, batch));
        }
    }
    let [one, one_batch, many, many_batch] = times.map(median);
    println!("opening 64-octet packets, AES-128-GCM, ring, ns a packet");
    println!("              one   {MANY}   more");
    println!("singly      {one:5.0}   {many:5.0}  {:5.0}", many - one);
    println!(
        "batch of 32 {one_batch:5.0}   {many_batch:5.0}  {:5.0}",
        many_batch - one_batch
    );
}
