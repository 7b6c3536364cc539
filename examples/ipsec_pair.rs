//! Two guarded hosts in one program, a tunnel between them: the filter's rule sends a packet into the
//! tunnel, the other host opens it and knows through which tunnel it came.
//!
//! `cargo run --example ipsec_pair`

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;

use hostward::crypto::{Provider, Secret, backend};
use hostward::filter::{Action, Filter, Rule, RuleSet};
use hostward::hook::event::EventQueue;
use hostward::hook::flow::HashKey;
use hostward::hook::frame::VecFrame;
use hostward::hook::ident::{SaId, TunnelId};
use hostward::hook::protection::Encapsulation;
use hostward::hook::{FrameBuf, Meta, Now, Point};
use hostward::ipsec::{
    Addresses, Directory, Install, Ipsec, IpsecConfig, Parameters, Selectors, Suite, Tunnel,
};
use hostward::{Associations, Guard, GuardConfig};

const TUNNEL: TunnelId = TunnelId(0);

/// A host with an address and a peer; `spis` are those of received and sent packets.
fn host(own: IpAddr, peer: IpAddr, spis: [u32; 2]) -> Result<Guard<Ipsec>, Box<dyn Error>> {
    let random = || HashKey::new([42; 16]); // a real host asks a random source
    let directory = Arc::new(Directory::new(100, random()));
    // Everything between the two goes through the tunnel, and nothing else passes.
    let rule = Rule::new("to the peer", Action::Ipsec(TUNNEL));
    let filter = Filter::new(Arc::new(RuleSet::new(vec![rule], 1)))
        .tunnels(Arc::new(Associations(Arc::clone(&directory))));
    let provider = Provider::of([backend::RUST_CRYPTO]);
    let mut ipsec = Ipsec::new(IpsecConfig::default(), directory, provider);
    ipsec.set_tunnel(Tunnel::dynamic(TUNNEL, "pair"))?;
    let mut guard = Guard::with_ipsec(GuardConfig::default(), random(), ipsec).filter(filter);
    // IKE would have agreed on all of this.
    let half = |spi: u32| {
        let keys = Secret::new((0..36).map(|n| n ^ spi as u8).collect());
        let (suite, mode) = (Suite::AES_256_GCM, Encapsulation::Transport);
        Parameters::new(SaId(0), spi, suite, mode, keys, (own, peer))
    };
    let traffic = Selectors::between(Addresses::one(own), Addresses::one(peer));
    let install = Install::new(TUNNEL, [traffic], half(spis[0]), half(spis[1]));
    guard.with_ipsec_cx(Now::default(), &mut (), |ipsec, cx| {
        ipsec.install(cx, install)
    })?;
    Ok(guard)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (a, b) = ("192.0.2.1".parse()?, "192.0.2.2".parse()?);
    let (mut alice, mut bob) = (host(a, b, [1_000, 2_000])?, host(b, a, [2_000, 1_000])?);
    let mut frame = VecFrame::new(128, 2_000);
    frame.set(&[
        0x45, 0, 0, 33, 0, 0, 0, 0, 64, 17, 0xf6, 0xc8, 192, 0, 2, 1, 192, 0, 2, 2, // IPv4
        0, 9, 0, 7, 0, 13, 0, 0, b'h', b'e', b'l', b'l', b'o', // UDP
    ]);
    println!("in clear:  {:02x?}", frame.bytes());
    let mut events = EventQueue::new(10);
    let meta = |point| Meta::new(point, Now::default());
    let sent = alice.packet(&mut frame, meta(Point::LocalOut), &mut events);
    println!("protected: {:02x?} ({})", frame.bytes(), sent.name());
    let got = bob.packet(&mut frame, meta(Point::LocalIn), &mut events);
    println!("opened:    {:02x?} ({})", frame.bytes(), got.name());
    for tunnel in bob.ipsec_ref().dynamic_tunnels(Now::default()) {
        println!("\n{tunnel}");
    }
    Ok(())
}
