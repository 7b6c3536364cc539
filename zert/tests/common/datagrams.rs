//! Plays datagrams to an observer.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses a part"
)]

use core::net::SocketAddr;

use hostward_hook::event::{Class, Event, EventSink};
use hostward_hook::flow::{FlowId, FlowInfo, FlowKey};
use hostward_hook::hooks::{CloseCause, DatagramObserver, Interest};
use hostward_hook::reason::Code;
use hostward_hook::{Cx, Instant, Meta, Now, Point, Side, UnixTime};
use hostward_zert::{DatagramSlot, Datagrams, Record};

pub use hostward_hook::Side::{Initiator as Client, Responder as Server};

/// Keeps what an observer tells.
#[derive(Default)]
pub struct Told {
    pub records: Vec<Record>,
    pub bounds: Vec<Code>,
}

impl EventSink for Told {
    fn wants(&self, _: Class) -> bool {
        true
    }

    fn emit(&mut self, e: &Event<'_>) {
        match e.class {
            Class::Record => {
                let record = e.detail.as_any().and_then(|a| a.downcast_ref::<Record>());
                self.records.push(record.expect("a record").clone());
            }
            Class::Capacity => self.bounds.push(e.code),
            other => panic!("unexpected {other:?}"),
        }
    }
}

pub fn at(seconds: u64) -> Now {
    Now::new(
        Instant::from_secs(seconds),
        UnixTime::from_secs(1_700_000_000 + seconds),
    )
}

pub struct Flow {
    pub info: FlowInfo,
    pub slot: DatagramSlot,
    pub enough: bool,
}

pub struct Bench {
    pub datagrams: Datagrams,
    pub told: Told,
    pub now: Now,
    flows: u64,
}

impl Bench {
    pub fn new(datagrams: Datagrams) -> Self {
        Self {
            datagrams,
            told: Told::default(),
            now: at(0),
            flows: 0,
        }
    }

    pub fn open(&mut self) -> Flow {
        self.flows += 1;
        let client: SocketAddr = "192.0.2.1:50000".parse().unwrap();
        let server: SocketAddr = "198.51.100.2:443".parse().unwrap();
        let key = FlowKey::new(client, server, 17).unwrap();
        let meta = Meta::new(Point::LocalOut, self.now);
        Flow {
            info: FlowInfo::new(FlowId::from_u64(self.flows), key, &meta, 1),
            slot: DatagramSlot::default(),
            enough: false,
        }
    }

    pub fn send(&mut self, flow: &mut Flow, from: Side, payload: &[u8]) {
        if flow.enough {
            return;
        }
        let mut actions = ();
        let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
        let interest = self
            .datagrams
            .datagram(&mut cx, &flow.info, &mut flow.slot, from, payload);
        flow.enough = interest == Interest::Enough;
    }

    /// The record of the flow, if it has one.
    pub fn close(&mut self, mut flow: Flow, cause: CloseCause) -> Option<Record> {
        let before = self.told.records.len();
        let mut actions = ();
        let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
        self.datagrams
            .closed(&mut cx, &flow.info, &mut flow.slot, cause);
        assert!(self.told.records.len() <= before + 1);
        self.told.records.get(before).cloned()
    }
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&[kind][..], &len[1..], body].concat()
}

pub fn extension(id: u16, body: &[u8]) -> Vec<u8> {
    let len = body.len() as u16;
    [&id.to_be_bytes()[..], &len.to_be_bytes(), body].concat()
}

/// A client hello message of TLS 1.3 with one key share.
pub fn hello(name: &str, group: u16, share: usize) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    let n = name.len() as u16;
    let mut sni = (n + 3).to_be_bytes().to_vec();
    sni.push(0);
    sni.extend(n.to_be_bytes());
    sni.extend(name.as_bytes());
    let mut key = (share as u16 + 4).to_be_bytes().to_vec();
    key.extend(group.to_be_bytes());
    key.extend((share as u16).to_be_bytes());
    key.resize(key.len() + share, 5);
    let extensions = [
        extension(0, &sni),
        extension(51, &key),
        extension(43, &[2, 3, 4]),
    ]
    .concat();
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    message(1, &body)
}

/// A server hello message of TLS 1.3, or a request to try again.
pub fn server_hello(group: u16, retry: bool) -> Vec<u8> {
    let mut body = vec![3, 3];
    if retry {
        body.extend(unhex(
            "CF21AD74E59A6111BE1D8C021E65B891C2A211167ABB8C5E079E09E2C8A8339C",
        ));
    } else {
        body.extend([8; 32]);
    }
    body.extend([0, 0x13, 1, 0]);
    let mut key = group.to_be_bytes().to_vec();
    if !retry {
        key.extend([0, 4, 1, 2, 3, 4]);
    }
    let extensions = [extension(51, &key), extension(43, &[3, 4])].concat();
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    message(2, &body)
}
