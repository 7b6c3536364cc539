//! Builds the bytes of handshakes and plays them to an observer.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses a part"
)]

use core::net::SocketAddr;

use hostward_hook::event::{Class, Event, EventSink};
use hostward_hook::flow::{FlowId, FlowInfo, FlowKey};
use hostward_hook::hooks::{CloseCause, Interest, StreamObserver, Timers};
use hostward_hook::ident::SaId;
use hostward_hook::protection::Fact;
use hostward_hook::reason::Code;
use hostward_hook::{Cx, Instant, Meta, Now, Point, Side, UnixTime};
use hostward_zert::{Record, Slot, Zert};

pub use hostward_hook::Side::{Initiator as Client, Responder as Server};

/// Keeps what an observer tells.
#[derive(Default)]
pub struct Told {
    pub records: Vec<Record>,
    pub progress: Vec<(u64, Code)>,
    /// The records that came with them.
    pub shown: Vec<Record>,
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
            Class::Progress => {
                self.progress.push((e.now.mono.as_millis(), e.code));
                let record = e.detail.as_any().and_then(|a| a.downcast_ref::<Record>());
                self.shown.extend(record.cloned());
            }
            Class::Capacity => self.bounds.push(e.code),
            other => panic!("unexpected {other:?}"),
        }
    }
}

pub fn at(millis: u64) -> Now {
    Now::new(
        Instant::from_millis(millis),
        UnixTime::from_secs(1_700_000_000),
    )
}

/// One connection of an observer.
pub struct Flow {
    pub info: FlowInfo,
    pub slot: Slot,
    enough: [bool; 2],
}

impl Flow {
    /// Bytes are handed over though they are not wanted.
    pub fn listen(&mut self) {
        self.enough = [false; 2];
    }
}

/// An observer and what it has told.
pub struct Bench {
    pub zert: Zert,
    pub told: Told,
    pub now: Now,
    flows: u64,
}

impl Bench {
    pub fn new(zert: Zert) -> Self {
        Self {
            zert,
            told: Told::default(),
            now: at(0),
            flows: 0,
        }
    }

    pub fn open(&mut self) -> Flow {
        self.flows += 1;
        let client: SocketAddr = "192.0.2.1:50000".parse().unwrap();
        let server: SocketAddr = "198.51.100.2:443".parse().unwrap();
        let key = FlowKey::new(client, server, 6).unwrap();
        let meta = Meta::new(Point::LocalOut, self.now);
        let info = FlowInfo::new(FlowId::from_u64(self.flows), key, &meta, 1);
        let mut flow = Flow {
            info,
            slot: Slot::default(),
            enough: [false; 2],
        };
        let mut actions = ();
        let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
        self.zert.opened(&mut cx, &flow.info, &mut flow.slot);
        flow
    }

    pub fn open_ee(&mut self) -> Flow {
        let mut flow = self.open();
        let (a, b) = (
            "192.0.2.1:12000".parse().unwrap(),
            "198.51.100.2:12000".parse().unwrap(),
        );
        flow.info.key = FlowKey::new(a, b, 17).unwrap();
        let mut actions = ();
        let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
        let old = core::mem::take(&mut flow.slot);
        self.zert
            .enterprise_extender(&mut cx, &flow.info, &mut flow.slot);
        // The one that was opened as TCP is of no interest.
        let mut quiet = ();
        let mut cx = Cx::new(self.now, &mut quiet, &mut actions);
        let mut old = old;
        self.zert
            .closed(&mut cx, &flow.info, &mut old, CloseCause::Fin);
        flow
    }

    pub fn send(&mut self, flow: &mut Flow, from: Side, data: &[u8]) -> Interest {
        if flow.enough[from.index()] {
            return Interest::EnoughFromSide;
        }
        let mut actions = ();
        let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
        let answer = self
            .zert
            .bytes(&mut cx, &flow.info, &mut flow.slot, from, data);
        match answer {
            Interest::More => {}
            Interest::EnoughFromSide => flow.enough[from.index()] = true,
            Interest::Enough => flow.enough = [true; 2],
        }
        answer
    }

    pub fn gap(&mut self, flow: &mut Flow, from: Side, missing: u32) {
        let mut actions = ();
        let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
        self.zert
            .gap(&mut cx, &flow.info, &mut flow.slot, from, missing);
    }

    pub fn fin(&mut self, flow: &mut Flow, from: Side) {
        let mut actions = ();
        let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
        self.zert
            .finished(&mut cx, &flow.info, &mut flow.slot, from);
    }

    pub fn advise(&mut self, flow: &mut Flow, fact: &Fact<'_>) {
        let mut actions = ();
        let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
        self.zert.advise(&mut cx, &flow.info, &mut flow.slot, fact);
    }

    /// Received packets of the connection come through this association from now on.
    pub fn sa(&mut self, flow: &mut Flow, sa: Option<SaId>) {
        flow.info.sa = sa;
        let mut actions = ();
        let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
        self.zert.sa_bound(&mut cx, &flow.info, &mut flow.slot, sa);
    }

    pub fn close(&mut self, mut flow: Flow, cause: CloseCause) -> Record {
        let mut actions = ();
        let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
        self.zert.closed(&mut cx, &flow.info, &mut flow.slot, cause);
        self.told.records.last().cloned().expect("a record")
    }

    /// Lets time pass; timers run when they are due.
    pub fn advance(&mut self, millis: u64) {
        while let Some(due) = self
            .zert
            .next_deadline()
            .filter(|d| d.as_millis() <= millis)
        {
            self.now = at(due.as_millis());
            let mut actions = ();
            let mut cx = Cx::new(self.now, &mut self.told, &mut actions);
            self.zert.handle_deadline(&mut cx);
        }
        self.now = at(millis);
    }
}

/// A conversation: who says what, in turn.
pub type Talk = Vec<(Side, Vec<u8>)>;

/// Plays a conversation on a connection of its own and closes it.
pub fn record_of(talk: &Talk) -> Record {
    let mut b = Bench::new(Zert::default());
    let mut f = b.open();
    for (from, data) in talk {
        b.send(&mut f, *from, data);
    }
    b.close(f, CloseCause::Fin)
}

pub fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub fn vec8(b: &[u8]) -> Vec<u8> {
    cat(&[&[b.len() as u8], b])
}

pub fn vec16(b: &[u8]) -> Vec<u8> {
    cat(&[&(b.len() as u16).to_be_bytes(), b])
}

pub fn vec24(b: &[u8]) -> Vec<u8> {
    cat(&[&(b.len() as u32).to_be_bytes()[1..], b])
}

pub fn string(b: &[u8]) -> Vec<u8> {
    cat(&[&(b.len() as u32).to_be_bytes(), b])
}

pub fn ext(id: u16, body: &[u8]) -> Vec<u8> {
    cat(&[&id.to_be_bytes(), &vec16(body)])
}

/// A TLS record.
pub fn rec(kind: u8, body: &[u8]) -> Vec<u8> {
    cat(&[&[kind, 3, 3], &vec16(body)])
}

/// A handshake message.
pub fn msg(kind: u8, body: &[u8]) -> Vec<u8> {
    cat(&[&[kind], &vec24(body)])
}

pub fn ccs() -> Vec<u8> {
    rec(20, &[1])
}

pub fn app(len: usize) -> Vec<u8> {
    rec(23, &vec![0xA5; len])
}

pub fn alert(level: u8, description: u8) -> Vec<u8> {
    rec(21, &[level, description])
}

/// An encrypted Finished up to TLS 1.2: nothing in it can be read.
pub fn finished12() -> Vec<u8> {
    rec(22, &[0x14; 40])
}

pub fn sni(name: &[u8]) -> Vec<u8> {
    ext(0, &vec16(&cat(&[&[0], &vec16(name)])))
}

/// A client hello message; with `versions` one that offers TLS 1.3.
pub fn client_hello(extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions = extensions.concat();
    msg(
        1,
        &cat(&[
            &[3, 3],
            &[0x11; 32],
            &vec8(&[0x22; 32]),
            &vec16(&[0x13, 0x01, 0xC0, 0x2F, 0x00, 0x2F]),
            &[1, 0],
            &vec16(&extensions),
        ]),
    )
}

pub fn offer13() -> Vec<u8> {
    ext(43, &vec8(&[3, 4, 3, 3]))
}

/// A server hello message.
pub fn server_hello(random: [u8; 32], suite: [u8; 2], extensions: &[Vec<u8>]) -> Vec<u8> {
    msg(
        2,
        &cat(&[
            &[3, 3],
            &random,
            &vec8(&[0x33; 32]),
            &suite,
            &[0],
            &vec16(&extensions.concat()),
        ]),
    )
}

pub fn chose13(group: u16) -> Vec<Vec<u8>> {
    vec![
        ext(43, &[3, 4]),
        ext(51, &cat(&[&group.to_be_bytes(), &vec16(&[9; 32])])),
    ]
}

pub const CERT: &[u8] = include_bytes!("../data/plain.der");

pub fn certificate(chain: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = chain.iter().flat_map(|c| vec24(c)).collect();
    msg(11, &vec24(&list))
}

/// Named curve x25519, signed with `rsa_pss_rsae_sha256`.
pub fn ecdhe() -> Vec<u8> {
    msg(
        12,
        &cat(&[&[3, 0, 29], &vec8(&[7; 32]), &[8, 4], &vec16(&[6; 256])]),
    )
}

/// A full TLS 1.2 handshake with ECDHE and a word each way.
pub fn tls12() -> Talk {
    let hello = client_hello(&[sni(b"www.example.org")]);
    let answer = cat(&[
        &server_hello(
            [0x44; 32],
            [0xC0, 0x2F],
            &[ext(16, &vec16(&vec8(b"h2"))), ext(23, &[])],
        ),
        &certificate(&[CERT, CERT]),
        &ecdhe(),
        &msg(14, &[]),
    ]);
    vec![
        (Client, rec(22, &hello)),
        // All messages in one record.
        (Server, rec(22, &answer)),
        (
            Client,
            cat(&[&rec(22, &msg(16, &[5; 33])), &ccs(), &finished12()]),
        ),
        (
            Server,
            cat(&[&rec(22, &msg(4, &[1; 200])), &ccs(), &finished12()]),
        ),
        (Client, app(100)),
        (Server, app(2000)),
    ]
}

/// A full TLS 1.3 handshake.
pub fn tls13(group: u16) -> Talk {
    vec![
        (
            Client,
            rec(22, &client_hello(&[sni(b"www.example.org"), offer13()])),
        ),
        (
            Server,
            cat(&[
                &rec(22, &server_hello([0x44; 32], [0x13, 0x01], &chose13(group))),
                &ccs(),
                &app(1200),
            ]),
        ),
        (Client, cat(&[&ccs(), &app(53), &app(200)])),
        (Server, cat(&[&app(300), &app(500)])),
    ]
}

pub fn ssh_packet(payload: &[u8]) -> Vec<u8> {
    let padding = 4 + (8 - (payload.len() + 9) % 8) % 8;
    cat(&[
        &((payload.len() + padding + 1) as u32).to_be_bytes(),
        &[padding as u8],
        payload,
        &vec![0; padding],
    ])
}

pub fn kexinit(kex: &str, cipher: &str, mac: &str) -> Vec<u8> {
    let mut b = vec![20];
    b.extend([3; 16]);
    for list in [
        kex,
        "ssh-ed25519,rsa-sha2-512",
        cipher,
        cipher,
        mac,
        mac,
        "none,zlib@openssh.com",
        "none",
        "",
        "",
    ] {
        b.extend(string(list.as_bytes()));
    }
    b.extend([0; 5]);
    ssh_packet(&b)
}

pub fn host_key() -> Vec<u8> {
    cat(&[&string(b"ssh-ed25519"), &string(&[8; 32])])
}

/// A full SSH handshake.
pub fn ssh() -> Talk {
    let reply = cat(&[
        &[31],
        &string(&host_key()),
        &string(&[1; 32]),
        &string(b"sig"),
    ]);
    vec![
        (
            Server,
            b"Welcome\r\nSSH-2.0-OpenSSH_9.2p1 Debian\r\n".to_vec(),
        ),
        (
            Client,
            cat(&[
                b"SSH-2.0-test_1.0\r\n",
                &kexinit(
                    "mlkem768x25519-sha256,curve25519-sha256,ext-info-c",
                    "aes128-gcm@openssh.com,aes128-ctr",
                    "hmac-sha2-256",
                ),
            ]),
        ),
        (
            Server,
            kexinit(
                "curve25519-sha256,mlkem768x25519-sha256",
                "aes128-ctr,aes128-gcm@openssh.com",
                "hmac-sha2-512,hmac-sha2-256",
            ),
        ),
        (Client, ssh_packet(&cat(&[&[30], &string(&[2; 32])]))),
        (Server, cat(&[&ssh_packet(&reply), &ssh_packet(&[21])])),
        (Client, ssh_packet(&[21])),
        (Client, vec![0xEE; 64]),
        (Server, vec![0xEE; 64]),
    ]
}
